/*
 * Spare placeholders: empty directories kept in the state directory, to be moved to where a missing
 * name has to be held and back afterwards. Making and removing a directory costs ext4 70 µs and
 * more, moving one there and back 6; a start needs two dozen.
 *
 * A spare lies in STATE_DIR/spare (0700, ours) under a random name that is used once. There are a
 * few dozen at most. Where moving does not work (another file system or mount, a quota project)
 * nothing is lost: the caller makes and removes as before.
 *
 * Only an empty directory of the identity asked for is ever moved back. Moving does not itself look
 * for emptiness as rmdir(2) does, so it is looked at before and after, and what somebody put into
 * it in between goes back to where it was.
 */
#ifndef BAWN_SANDBOX_SPARES_H
#define BAWN_SANDBOX_SPARES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define SPARES_MAX        64u
#define SPARES_NAME_BYTES 17u /* 16 hexadecimal digits, terminated */

struct spares {
    int fd; /* of STATE_DIR/spare; -1: there are none and none can be kept */
    bool looked;
    dev_t dev;
    int64_t mount;  /* its mount: what stands on another cannot be moved; negative when unknown */
    size_t n, next; /* names, those up to `next` have been offered */
    size_t kept;    /* how many lie there, as far as this process knows */
    char names[SPARES_MAX][SPARES_NAME_BYTES];
};

/* Opens STATE_DIR/spare, made when missing, and reads what is in it. PLACEHOLDERS is its neighbour
 * STATE_DIR/placeholders. Failing is no error: then there are none. Only the first call looks. */
void spares_look(struct spares *s, int placeholders);
void spares_release(struct spares *s);
/* Can something be moved between the spares and the directory DIRFD on device DEV? */
bool spares_reach(const struct spares *s, int dirfd, dev_t dev);
/* The next spare that is fit for use: its name in *ret, what it is in *ret_st. */
bool spares_next(struct spares *s, const char **ret, struct stat *ret_st);
/* Moves the spare SPARE to NAME in DIRFD, replacing nothing. Negative errno when that does not
 * work; -EXDEV, -ENOENT and the like say nothing about NAME. */
int spares_place(struct spares *s, const char *spare, int dirfd, const char *name);
/* Moves NAME in DIRFD back among the spares when it is an empty directory of that identity. 1: it
 * was; 0: not done, NAME is as it was. */
int spares_put_back(struct spares *s, int dirfd, const char *name, dev_t dev, ino_t ino);

#endif

/*
 * Spare placeholders: empty directories kept in the state directory, to be moved to where a missing
 * name has to be held and back afterwards. Making and removing a directory costs ext4 50 µs, moving
 * one there and back 5; a start needs two dozen.
 *
 * A spare is for one name in one directory and lies in STATE_DIR/spare/KEY/NAME; KEY says which
 * directory: device, inode and time of birth. It is never used elsewhere: another sandbox that may
 * write that directory, where the name may not be protected, could have kept a descriptor of the
 * placeholder and could write through it wherever it stands. So a spare goes to no place but where
 * who had it could write anyway. A directory whose birth is not known has no spares.
 *
 * The few directories that were used last have theirs. Where moving does not work (another file
 * system or mount, a quota project) nothing is lost: the caller makes and removes as before.
 *
 * Only an empty directory of the identity asked for is ever moved back. Moving does not itself look
 * for emptiness as rmdir(2) does, so it is looked at before and after, and what somebody put into
 * it in between goes back to where it was.
 *
 * The caller holds the lock on the journal of the directory, so that no two runs of one state
 * directory handle the same spare. Only tidying up removes spares of other directories; who loses
 * against that finds none.
 */
#ifndef BAWN_SANDBOX_SPARES_H
#define BAWN_SANDBOX_SPARES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#define SHELVES_MAX     16u
#define SHELF_MAX       64u /* spares of one directory that a run puts back */
#define SHELF_KEY_BYTES 72u

/* STATE_DIR/spare. */
struct spares {
    int fd; /* -1: none can be kept */
    bool looked;
    dev_t dev;
    uid_t uid; /* ours */
};

/* The spares of one directory. */
struct shelf {
    int fd; /* of STATE_DIR/spare/KEY; -1: there are none yet */
    bool looked, useless;
    size_t kept; /* put back by this run */
    char key[SHELF_KEY_BYTES];
};

/* Opens STATE_DIR/spare, made when missing. PLACEHOLDERS is its neighbour STATE_DIR/placeholders.
 * Failing is no error: then there are none. Only the first call looks. */
void spares_look(struct spares *s, int placeholders);
void spares_release(struct spares *s);

/* What there is for the directory DIRFD, which is on device DEV. Only the first call looks. */
void shelf_look(const struct spares *s, struct shelf *shelf, int dirfd, dev_t dev);
void shelf_release(struct shelf *shelf);
/* The spare for NAME: a descriptor of it, with the shared lock, and what it is; or -1. */
int shelf_take(const struct spares *s, const struct shelf *shelf, const char *name,
               struct stat *ret_st);
/* Moves the spare of NAME to DIRFD, replacing nothing. Negative errno when that does not work;
 * -EXDEV, -ENOENT and the like say nothing about NAME. */
int shelf_place(const struct shelf *shelf, const char *name, int dirfd);
/* Moves NAME in DIRFD back when it is the empty directory FD, which is ST and nobody else uses. 1:
 * it was; 0: not done, NAME is as it was. */
int shelf_put_back(const struct spares *s, struct shelf *shelf, int dirfd, const char *name, int fd,
                   const struct stat *st);

#endif

/*
 * The values of credentials: read by the launcher, held by bawn-intercept, and by nobody else (spec
 * 5.6). They travel in a sealed memfd that is closed when it was read; on both sides they are in
 * memory that is locked where the limits allow it, left out of core dumps, and wiped when released.
 *
 * A placeholder has the length and the characters of the secret: letters stand for letters, digits
 * for digits, what tells one kind of token from another ("ghp_") is kept. So whatever checks a
 * token's shape is content, and replacing one by the other changes no length.
 */
#ifndef BAWN_INTERCEPT_SECRETS_H
#define BAWN_INTERCEPT_SECRETS_H

#include "network/credentials.h"

#define SECRET_LEAST 8u /* bytes: what is shorter is found in text by chance */
#define SECRET_MOST  4096u

struct secret {
    char *value, *placeholder; /* N bytes each, terminated */
    size_t n;
};

struct secrets {
    struct secret *v; /* in the order of the credentials */
    size_t n;
    void *region; /* private */
    size_t size, used;
};

/* GET: getenv(), or another for tests. -EINVAL with the credential's place: a variable that is not
 * set, a file that cannot be read, a value that is no single line of printable ASCII, is too short
 * or too long. */
int secrets_collect(const struct netcredentials *c, const char *(*get)(const char *name),
                    struct secrets *ret, struct error *err);
/* As a sealed memfd, close-on-exec. */
int secrets_send(const struct secrets *s, int *ret_fd, struct error *err);
/* From FD, which must be sealed; it stays the caller's. */
int secrets_receive(int fd, struct secrets *ret, struct error *err);
void secrets_release(struct secrets *s);

/* N bytes of VALUE as a placeholder into BUF (not terminated). False: too few of them can be
 * changed. */
bool secret_placeholder(const char *value, size_t n, char *buf);

/* Replaces in P (N bytes) every whole secret by its placeholder. Returns how many bytes at the end
 * could be the beginning of one: look at them again, with what follows. */
size_t secrets_hide(const struct secret *const *list, size_t n_list, char *p, size_t n);

#endif

/* Between audit.c, which appends, and audit_verify.c, which reads. */
#ifndef BAWN_RECORD_AUDIT_INTERNAL_H
#define BAWN_RECORD_AUDIT_INTERNAL_H

#include "base/sha256.h"
#include "base/str.h"
#include "base/vec.h"
#include "record/audit.h"

#define AUDIT_DIR        "audit"
#define AUDIT_LOCK       "lock"
#define AUDIT_NAME_BYTES 14 /* "2026-11.jsonl" and the terminator */
#define AUDIT_NO_HASH    "0000000000000000000000000000000000000000000000000000000000000000"

/* Months as numbers: year * 12 + month - 1. */
struct audit_months {
    VEC(int) months; /* ascending */
    /* Names that are no month's, nor the lock's, each with its NUL; read only where it is asked
     * for. */
    struct strbuf *strangers;
    int failed; /* a negative errno, or 0 */
};
void audit_months_release(struct audit_months *m);
int audit_months_list(int dirfd, struct audit_months *m);
void audit_month_name(int month, char ret[AUDIT_NAME_BYTES]);

/* What a line of the log looks like from outside: begins with "prev", ends with "hash". The two
 * point into LINE. */
bool audit_split(struct bytes line, const char **ret_prev, const char **ret_hash);
/* SHA-256 of such a line without its "hash". */
void audit_line_hash(struct bytes line, char ret[SHA256_HEX_BYTES]);

/* The lock file below DIRFD, open for writing. Negative errno. */
int audit_lock_open(int dirfd, bool make);
/* Waits at most five seconds: -ETIMEDOUT. */
int audit_lock(int fd);
void audit_unlock(int fd);

#endif

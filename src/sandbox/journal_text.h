/*
 * The text of a placeholder journal: an append-only log of lines, one file a parent directory.
 *
 *     bawn-placeholders 1
 *     dir NAME-OF-THE-DIRECTORY
 *     intent TEMP NAME            TEMP is about to be made, to become NAME
 *     made TEMP DEV INO           it was; DEV and INO (hexadecimal) are its identity from now on
 *     gone TEMP                   it is no longer ours
 *
 * Names are quoted: every byte that is not printable ASCII, and the backslash and the space, as
 * \HH. A last line without its newline is what a crash left of a write: it is not looked at.
 * Everything else that is not exactly of this form makes the whole text invalid.
 */
#ifndef BAWN_SANDBOX_JOURNAL_TEXT_H
#define BAWN_SANDBOX_JOURNAL_TEXT_H

#include "base/limits.h"
#include "base/str.h"

#include <sys/types.h>

#define JOURNAL_MAX_BYTES   (1024u * 1024)
#define JOURNAL_MAX_RECORDS 1024u
#define JOURNAL_TEMP_BYTES  24u /* ".bawn-" and 16 hexadecimal digits, terminated */

struct journal_record {
    char temp[JOURNAL_TEMP_BYTES];
    char name[MAX_NAME_BYTES + 1];
    bool made, gone;
    dev_t dev; /* when made */
    ino_t ino;
};

struct journal_text {
    char dir[MAX_PATH_BYTES]; /* the last one written down, or "" */
    struct journal_record *v;
    size_t n, cap;
    size_t complete; /* bytes of whole lines */
};

/* 0, -EBADMSG, -E2BIG or -ENOMEM; RET needs releasing after success only. */
int journal_text_parse(struct bytes text, struct journal_text *ret);
void journal_text_release(struct journal_text *t);
/* Appends N bytes of S, quoted. */
void journal_text_quote(struct strbuf *out, const char *s, size_t n);
/* One path component that is neither "." nor ".."? */
bool journal_name_ok(const char *name);

#endif

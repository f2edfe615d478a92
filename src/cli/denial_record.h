/*
 * The refusals that runs with --log-denials wrote down: one JSON object a line in
 * STATE_DIR/denials.jsonl (the `denied` event of spec 0.3 with "time" and "count").
 *
 * The reader trusts nothing: a run may have been killed in the middle of a line, and the names in
 * it were chosen by the command that was refused.
 */
#ifndef BAWN_CLI_DENIAL_RECORD_H
#define BAWN_CLI_DENIAL_RECORD_H

#include "base/mem.h"
#include "base/str.h"

#include <stdbool.h>

#define DENIALS_FILE "denials.jsonl"

/* Decoded bytes, NULL where the line does not say. Numbers are their digits. */
struct denial_record {
    const char *event, *time, *kind, *path, *host, *port, *protocol, *syscall, *limit;
    const char *access, *rule, *hint, *count, *pid, *exe;
};

/* Parses one line (without its newline). False unless it is one whole JSON object. Strings in A. */
bool denial_record_parse(struct arena *a, struct bytes line, struct denial_record *ret);
/* In words, three lines at most: what, refused by what, allowed by what. */
void denial_record_print(const struct denial_record *d, struct strbuf *out);

#endif

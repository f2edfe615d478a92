/*
 * "May PATH be read, may it be written?" The one place where that is decided (spec 2.4). Pure: PATH
 * is absolute and normalised, symlinks already resolved by whoever asks.
 */
#ifndef BAWN_PERMISSIONS_PERMISSIONS_H
#define BAWN_PERMISSIONS_PERMISSIONS_H

#include "permissions/profile.h"

enum why { WHY_DEFAULT, WHY_GRANTED, WHY_PROTECTED, WHY_MASKED };

struct permission {
    enum access access; /* the most the path allows */
    enum why why;
    const struct perm_entry *entry; /* what decided; NULL when nothing names it */
};

/* The deepest entry decides; at equal depth none over write over read. Of two entries alike the
 * later one in the list is reported. An ENTRY_OWN never grants anything: it caps what the others
 * grant at and below its path, however deep they are. So does a floor. `if_exists` and `create` are
 * not looked at: the question is what holds once the path exists. */
struct permission permissions_check(const struct profile *profile, const char *path);
/* By path, then glob, then what wins at equal depth. */
void permissions_sort(struct perm_entry *entries, size_t n);
const char *why_word(enum why why);               /* "default", "granted", "protected", "masked" */
const char *access_word(enum access access);      /* "none", "read", "write" */
const char *network_word(enum network_mode mode); /* "off", "open", "filtered" */

/* Does GLOB (components, spec 2.3) match the first components of REL (a relative path)? Returns the
 * number of components of the shortest matching prefix of REL (the file itself or a directory that
 * holds it), 0 when none matches. Bytes, not text; '*' and '?' never match '/', "**" crosses. */
size_t glob_match_prefix(const char *glob, const char *rel);
/* The deepest prefix instead: what permissions_check() goes by, so that a match below something
 * reopened is still a match. MAX_DEPTH (0 = none) bounds a glob with a `**` to that many
 * components. */
size_t glob_match_deepest(const char *glob, const char *rel, size_t max_depth);
/* Has it a `**`? */
bool glob_is_unbounded(const char *glob);
/* Checks the form of a glob: 0, or the 1-based column of an unclosed bracket. */
size_t glob_check(const char *glob);
/* The same with everything else that would silently not match what its writer meant: NULL, or a
 * message and the 1-based column. */
const char *glob_problem(const char *glob, size_t *ret_column);
/* Has PATTERN a wildcard? */
bool glob_has_wildcard(const char *pattern);

#endif

/*
 * "May PATH be read, may it be written?" The one place where that is decided (spec 2.4). Pure: PATH is
 * absolute and normalised, symlinks already resolved by whoever asks.
 */
#ifndef BAWN_PERMISSIONS_PERMISSIONS_H
#define BAWN_PERMISSIONS_PERMISSIONS_H

#include "permissions/profile.h"

enum why { WHY_DEFAULT, WHY_GRANTED, WHY_PROTECTED, WHY_MASKED };

struct permission {
    enum access access;             /* the most the path allows */
    enum why why;
    const struct perm_entry *entry; /* what decided; NULL when nothing names it */
};

/* The deepest entry decides; at equal depth none over write over read. Of two entries alike the later
 * one in the list is reported. */
struct permission permissions_check(const struct profile *profile, const char *path);
const char *why_word(enum why why);          /* "default", "granted", "protected", "masked" */
const char *access_word(enum access access); /* "none", "read", "write" */

/* Does GLOB (components, spec 2.3) match the first components of REL (a relative path)? Returns the
 * number of components of the shortest matching prefix of REL (the file itself or a directory that
 * holds it), 0 when none matches. Bytes, not text; '*' and '?' never match '/', "**" crosses. */
size_t glob_match_prefix(const char *glob, const char *rel);
/* Checks the form of a glob: 0, or the 1-based column of an unclosed bracket. */
size_t glob_check(const char *glob);
/* Has PATTERN a wildcard? */
bool glob_has_wildcard(const char *pattern);

#endif

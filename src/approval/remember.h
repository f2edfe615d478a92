/*
 * "Yes and remember": one line of a rules file that a person owns (spec 4.5). Written under a lock,
 * atomically, 0600 where the file is made; a line that is there already is not written twice.
 */
#ifndef BAWN_APPROVAL_REMEMBER_H
#define BAWN_APPROVAL_REMEMBER_H

#include "base/error.h"

#include <stdbool.h>

/* Appends LINE (without its end) to FILE. *ret_added (may be NULL): false when it was there. */
int remember_line(const char *file, const char *line, bool *ret_added, struct error *err);
/* Removes every line that is LINE. -ENOENT when there is none, or no file; err then says so. */
int forget_line(const char *file, const char *line, struct error *err);

#endif

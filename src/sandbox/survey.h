/*
 * Taking the survey with what survey_take() (plan.h) has no room for. See plan.h for the result.
 *
 * What the items are, beyond plan.h:
 *
 * - A symlink that an entry names gives an item for the link (is_link, `path` is its own canonical
 *   place, `entry` the entry itself) and one for its target.
 * - A symlink on the way to what an entry names, or between link and target, gives an is_link item
 * with an extra entry (ACCESS_READ, the kind of the entry it serves, but ENTRY_PROTECTED for
 * grants) when the command could replace the link.
 * - `missing` counts components of `path` from its end. Names that cannot be looked up because a
 * file stands where a directory would have to be: the file is protected instead, by an extra entry.
 * - A write entry with `create` under dry_run: FILE_DIRECTORY with `missing` set and no identity.
 * - Items are in no particular order. Those of globs have the glob's entry.
 *
 * Pure reading but for `create`. Runs as the person who starts bawn.
 */
#ifndef BAWN_SANDBOX_SURVEY_H
#define BAWN_SANDBOX_SURVEY_H

#include "sandbox/plan.h"

struct survey_request {
    const struct config *config;
    const struct profile *profile;
    const char *state_dir; /* placeholders noted there count as missing; NULL: none are known */
    bool dry_run;          /* makes nothing */
};

/* How many mounts the kernel allows in a namespace and how many there are now; 0 when that cannot
 * be read. */
void survey_mount_limit(size_t *ret_max, size_t *ret_used);

int survey_look(struct arena *a, const struct survey_request *request, struct survey *ret,
                struct error *err);

#endif

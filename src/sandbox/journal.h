/*
 * Placeholders: what the sandbox has to create on the host so that a missing protected name can be
 * mounted over. Each is written down in the state directory (0700) before it is made and removed by
 * the last run that uses it; a run that was killed leaves a journal that the next start works off.
 *
 * One journal file a directory, named by its device and inode. A run holds a shared flock on it
 * while it lives; whoever gets the exclusive lock is the last of this state directory. A
 * placeholder is removed only while it is an empty directory with the device and inode written
 * down, and no bawn with another state directory uses it (placeholder.h). Removed means: moved to
 * STATE_DIR/spare, to be used again, or where that does not work, unlinked.
 */
#ifndef BAWN_SANDBOX_JOURNAL_H
#define BAWN_SANDBOX_JOURNAL_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct journal; /* all placeholders one run holds */

/* Opens STATE_DIR/placeholders (made when missing) and works off what dead runs left behind. */
int journal_open(const char *state_dir, struct journal **ret, struct error *err);
/* Works off what dead runs left behind, and makes nothing. */
void journal_clean(const char *state_dir);
/* Makes sure that a directory NAME stands in DIRFD (the directory DIR, for messages): an existing
 * placeholder is shared, whoever made it; a missing name is made. -EEXIST when something that is no
 * placeholder stands there now: the survey is out of date. *ret_dev/ino are the placeholder's. */
int journal_hold(struct journal *j, int dirfd, const char *dir, const char *name, dev_t *ret_dev,
                 ino_t *ret_ino, struct error *err);
/* The same for N different names in one directory, with one write where there are spare
 * directories. On failure none of those that were missing stands, at the latest when J is closed.
 */
struct journal_name {
    const char *name;
    dev_t dev; /* set: the placeholder's */
    ino_t ino;
};
int journal_hold_all(struct journal *j, int dirfd, const char *dir, struct journal_name *names,
                     size_t n, struct error *err);
/* Is this a placeholder that some live or dead run made (so: as good as missing)? Reads only. */
bool journal_is_placeholder(const char *state_dir, dev_t parent_dev, ino_t parent_ino,
                            const char *name, dev_t dev, ino_t ino);
/* Is NAME in DIRFD an empty directory, or gone? (A placeholder that somebody filled is theirs; one
 * that was seen a moment ago may just have been removed.) */
bool journal_dir_is_empty(int dirfd, const char *name);
/* Lets go of everything: the last holder removes. Safe to call once only; J is freed. */
void journal_close(struct journal *j);
/* Forked children: forget the journal without letting go of the locks the parent holds. */
void journal_forget(struct journal *j);

#endif

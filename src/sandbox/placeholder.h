/*
 * One placeholder: an empty directory on the host that stands where a name is missing, so that an
 * empty one can be mounted over it. Several runs of bawn can use the same, of one state directory,
 * of several, or of several users (in /tmp).
 *
 * Who uses it    holds a shared flock on the directory itself, from before it is seen under its
 *                name until the end; the kernel drops it when the process dies. Removing or moving
 *                one takes the mount over it away in every sandbox, so it takes the exclusive lock:
 *                the last one out has it. Of two that leave at once the second gets it, since a
 *                conversion gives the shared one up first.
 * What it is     is told by its time of modification, a value that no clock shows. Making anything
 *                in a directory changes that, so what was ever used by somebody else has lost it.
 *                Who finds an empty directory with it at a name that is to be missing takes it for
 *                a placeholder, whoever made it, and writes it down in its own journal as well.
 *
 * A file system without such locks or times has neither protection: a name can then come free when
 * the run that made it ends before the one that found it.
 */
#ifndef BAWN_SANDBOX_PLACEHOLDER_H
#define BAWN_SANDBOX_PLACEHOLDER_H

#include <stdbool.h>
#include <sys/stat.h>

/* The directory NAME in DIRFD, no symlink, to be read; or a negative errno. */
int placeholder_open(int dirfd, const char *name);
void placeholder_mark(int fd);
bool placeholder_is_marked(const struct stat *st);
/* Reads the directory from its beginning. False when that fails; one that was removed is empty. */
bool placeholder_is_empty(int fd);
/* The shared lock; -EBUSY while somebody has the exclusive one. WAIT: that is a removal, which
 * takes microseconds, so half a second is waited first. */
int placeholder_share(int fd, bool wait);
/* The exclusive lock; -EBUSY while somebody else uses it, and then the shared one is gone too. */
int placeholder_claim(int fd);
/* Does NAME in DIRFD lead to the file that FD is? */
bool placeholder_is_at(int fd, int dirfd, const char *name);

#endif

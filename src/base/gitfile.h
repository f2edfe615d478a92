/*
 * Git's small indirection files: `.git` of a worktree or submodule ("gitdir: PATH"), and the
 * `commondir` and `gitdir` of a worktree's record (a bare path). Their text is a stranger's. Pure:
 * who reads the file bounds it, and who follows the path resolves it.
 */
#ifndef BAWN_BASE_GITFILE_H
#define BAWN_BASE_GITFILE_H

#include "base/str.h"

/* The path that TEXT names behind PREFIX ("gitdir: ", or "" for a bare path), a view into TEXT: not
 * empty, shorter than MAX_PATH_BYTES, without NUL; line ends at its end are no part of it. 0 or
 * -EBADMSG; more than MAX_GITFILE_BYTES of text is one. */
int gitfile_parse(struct bytes text, const char *prefix, struct bytes *ret);

#endif

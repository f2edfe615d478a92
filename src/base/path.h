/*
 * Paths are bytes: any byte but NUL, any length the kernel takes. The lexical functions touch no
 * file; those that open resolve once and hand out a descriptor.
 */
#ifndef BAWN_BASE_PATH_H
#define BAWN_BASE_PATH_H

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdbool.h>

/* BASE (absolute) joined with PATH (absolute: then BASE is not used), with repeated slashes, "."
 * and
 * ".." removed lexically and no trailing slash; "/" for the root. In A; NULL when memory ran out.
 */
char *path_join(struct arena *a, const char *base, const char *path);
/* Is PATH (normalised) PREFIX itself or below it? "/" is a prefix of every absolute path. */
bool path_is_below(const char *path, const char *prefix);
/* Components of a normalised absolute path: 0 for "/", 2 for "/a/b". */
size_t path_depth(const char *path);
/* The last component ("" for "/"). */
const char *path_base(const char *path);
/* The parent of a normalised absolute path, in A ("/" for "/"). */
char *path_parent(struct arena *a, const char *path);
/* The next component at *p, advanced past it; false at the end. */
bool path_next(const char **p, struct bytes *ret);
/* Is PATH absolute and normalised already? */
bool path_is_normal(const char *path);

/* Is BOUND, the name that a Unix socket was bound under, a name of what stands at PATH (absolute)?
 * Renames and hard links bring a socket to other places and leave that name as it was. An absolute
 * one has to be PATH itself; of a relative one the end of PATH is all that can be compared. ".." in
 * either leads nobody knows where: no. So is an abstract name, and none. */
bool path_is_bound_name(struct bytes bound, const char *path);

/* openat2(2): FLAGS are open's (O_CLOEXEC added), RESOLVE is RESOLVE_*. Falls back to nothing:
 * kernels from 5.6 have it. Returns a descriptor or negative errno. */
int path_openat2(int dirfd, const char *path, int flags, unsigned mode, unsigned resolve);
/* The path a descriptor has now (from /proc/self/fd), in A; negative errno on failure. A trailing
 * " (deleted)" is -ENOENT. */
int path_of_fd(struct arena *a, int fd, char **ret);
/* The path (absolute) with all symlinks resolved, in A. When the last components do not exist they
 * are appended to what does; *ret_missing (may be NULL) says how many. */
int path_canonical(struct arena *a, const char *path, char **ret, size_t *ret_missing);
/* Makes PATH and its parents (MODE for those that are new). */
int path_mkdirs(const char *path, unsigned mode);
/* Reads a whole regular file of at most MAX bytes; a directory, a FIFO or a device is refused. */
int path_read_file(int dirfd, const char *path, size_t max, struct strbuf *out, struct error *err);

/* What getdents64(2) fills its buffer with. */
struct linux_dirent64 {
    uint64_t d_ino;
    int64_t d_off;
    unsigned short d_reclen;
    unsigned char d_type;
    char d_name[];
};

/* Calls SEE with each name in the directory FD but "." and ".."; ends early when it returns false.
 * FD was not read yet. 0 or a negative errno. */
int directory_each(int fd, bool (*see)(void *data, const char *name), void *data);

#endif

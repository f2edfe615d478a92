/*
 * The process behind a notification, looked at from outside: its memory, descriptors and view of
 * the files. Everything read here is the command's own word and may change at once after; callers
 * act on descriptors, not on what they read. A pid may be reused: target_alive() after reading,
 * before acting.
 */
#ifndef BAWN_SANDBOX_TARGET_H
#define BAWN_SANDBOX_TARGET_H

#include "base/error.h"

#include <limits.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdbool.h>
#include <sys/types.h>

struct target {
    int listener;
    const struct seccomp_notif *req;
    pid_t tid;
    pid_t tgid; /* 0 until asked for */
};

bool target_alive(const struct target *t);
pid_t target_tgid(struct target *t);
/* Its pid as it sees itself, 0 when unknown. */
pid_t target_inner_pid(const struct target *t);
/* Reads exactly N bytes; 0 or negative errno. */
int target_read(const struct target *t, uint64_t addr, void *p, size_t n);
/* A terminated string of at most PATH_MAX bytes. */
int target_read_path(const struct target *t, uint64_t addr, char out[PATH_MAX]);
/* Writes N bytes, only while the call is pending: never into another process under its number. */
int target_write(const struct target *t, uint64_t addr, const void *p, size_t n);
/* A copy of its descriptor FD. */
int target_getfd(struct target *t, int fd);
/* Is PATH, as target_absolute() spells it, the name in /proc of one of its own descriptors? */
bool target_own_descriptor(struct target *t, const char *path, int *ret_fd);
/* Name of its program, "" when unknown. */
void target_exe(const struct target *t, char *out, size_t cap);
/* O_PATH of its root directory. */
int target_root(const struct target *t);
/* PATH, relative to DIRFD (or AT_FDCWD), as an absolute normalised path inside its root; links are
 * not looked at. "/proc/self" and "/dev/fd" are spelled out for the process itself. */
int target_absolute(const struct target *t, int dirfd, const char *path, char out[PATH_MAX]);

/* Where a path leads in the sandbox. */
struct resolved {
    int fd;              /* O_PATH of what is there, or -1 */
    int parent;          /* O_PATH of its directory when it is not there, or -1 */
    char path[PATH_MAX]; /* canonical, inside the sandbox's root; with -EACCES a guess, for messages
                          */
    int code;            /* 0, -ENOENT (only the last component is missing), or what look-up gave */
};
/* Resolves within the target's root. With FOLLOW false the last component's link is not followed.
 */
void target_resolve(const struct target *t, int dirfd, const char *path, bool follow,
                    struct resolved *ret);
void resolved_release(struct resolved *r);

#endif

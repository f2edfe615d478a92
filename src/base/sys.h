/*
 * Thin wrappers round system calls that libc lacks or wraps unhelpfully. Each returns 0 (or a
 * descriptor, or a pid) or a negative errno, takes no lock and allocates nothing, so all of them
 * can be used between clone and exec.
 */
#ifndef BAWN_BASE_SYS_H
#define BAWN_BASE_SYS_H

#include "base/uapi.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static inline int sys_ret(long r)
{
    return r < 0 ? -errno : (int)r;
}
/* The id of the mount that the descriptor FD is on, or a negative errno. */
static inline int64_t sys_mount_id(int fd)
{
    struct uapi_statx st = {0};
    if (syscall(SYS_statx, fd, "", 0x1000 /* AT_EMPTY_PATH */, UAPI_STATX_MNT_ID, &st) < 0)
        return -errno;
    return st.mask & UAPI_STATX_MNT_ID ? (int64_t)st.mnt_id : -ENOSYS;
}
/* ioctl(2) with a request of any width: some libcs take an int, and a direction bit is its sign. */
static inline int sys_ioctl(int fd, unsigned long request, void *arg)
{
    return sys_ret(syscall(SYS_ioctl, fd, request, arg));
}
static inline int sys_open_tree(int dirfd, const char *path, unsigned flags)
{
    return sys_ret(syscall(UAPI_SYS_open_tree, dirfd, path, flags));
}
static inline int sys_move_mount(int from, int to, const char *to_path, unsigned flags)
{
    return sys_ret(syscall(UAPI_SYS_move_mount, from, "", to, to_path, flags));
}
static inline int sys_mount_setattr(int fd, const char *path, unsigned flags,
                                    const struct uapi_mount_attr *attr)
{
    return sys_ret(syscall(UAPI_SYS_mount_setattr, fd, path, flags, attr, sizeof(*attr)));
}
static inline int sys_pidfd_open(pid_t pid)
{
    return sys_ret(syscall(UAPI_SYS_pidfd_open, pid, 0));
}
static inline int sys_pidfd_getfd(int pidfd, int fd)
{
    return sys_ret(syscall(UAPI_SYS_pidfd_getfd, pidfd, fd, 0));
}
static inline int sys_pidfd_send_signal(int pidfd, int sig)
{
    return sys_ret(syscall(UAPI_SYS_pidfd_send_signal, pidfd, sig, NULL, 0));
}
static inline int sys_close_range(unsigned first, unsigned last)
{
    return first > last ? 0 : sys_ret(syscall(UAPI_SYS_close_range, first, last, 0));
}
static inline pid_t sys_clone3(uint64_t flags, int *ret_pidfd)
{
    int pidfd = -1;
    struct uapi_clone_args args = {
        .flags = flags | 0x1000u /* CLONE_PIDFD */,
        .pidfd = (uint64_t)(uintptr_t)&pidfd,
        .exit_signal = SIGCHLD,
    };
    pid_t pid = sys_ret(syscall(UAPI_SYS_clone3, &args, sizeof(args)));
    if (pid > 0)
        *ret_pidfd = pidfd;
    return pid;
}

#endif

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
/* A system call that leaves errno alone: for processes that share their memory with another. */
static inline long sys_raw(long nr, long a, long b, long c, long d, long e)
{
#if defined(__x86_64__)
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    long r;
    __asm__ volatile("syscall"
                     : "=a"(r)
                     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return r;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = nr;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    return x0;
#else
    long r = syscall(nr, a, b, c, d, e, 0L);
    return r < 0 ? -errno : r;
#endif
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

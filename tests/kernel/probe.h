/*
 * What the probes share. A probe is one program that proves one behaviour of the running kernel
 * that bawn leans on. It prints one line and exits 0 when the kernel does as we count on, 1 when
 * not. No source of bawn is used: a probe says what the kernel does, not what we make of it.
 */
#ifndef PROBE_H
#define PROBE_H

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROBE(text) static const char *const probe_text = text

static inline __attribute__((noreturn, format(printf, 2, 3))) void no(const char *what,
                                                                      const char *fmt, ...)
{
    va_list ap;
    printf("%s: ", what);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    exit(1);
}
/* Ends the probe unless COND holds. */
#define must(cond)                                                                                 \
    do {                                                                                           \
        if (!(cond))                                                                               \
            no(probe_text, "not so: %s (line %d, %s)", #cond, __LINE__, strerror(errno));          \
    } while (0)
/* In a child of the probe: its exit status says which line failed. */
#define child_must(cond)                                                                           \
    do {                                                                                           \
        if (!(cond))                                                                               \
            _exit(__LINE__ % 250 + 1);                                                             \
    } while (0)
#define yes()                                                                                      \
    do {                                                                                           \
        puts(probe_text);                                                                          \
        exit(0);                                                                                   \
    } while (0)

static inline int status_of(pid_t pid)
{
    int status = -1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* A filter on the caller that gives VERDICT for call NR and lets everything else pass. */
static inline int filter_call(int nr, uint32_t verdict, unsigned flags)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, verdict),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

/* A child that shares the descriptor table and runs BODY(ARG) under a filter that notifies call NR.
 * *ret_listener is the descriptor to answer with. */
static inline pid_t watched(int nr, unsigned flags, int (*body)(void *), void *arg,
                            int *ret_listener)
{
    int ready[2];
    if (pipe(ready) < 0)
        return -1;
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        int fd = filter_call(nr, SECCOMP_RET_USER_NOTIF, flags | SECCOMP_FILTER_FLAG_NEW_LISTENER);
        if (write(ready[1], &fd, sizeof fd) != sizeof fd || fd < 0)
            _exit(251);
        _exit(body(arg));
    }
    if (pid > 0 && (read(ready[0], ret_listener, sizeof *ret_listener) != sizeof *ret_listener ||
                    *ret_listener < 0))
        return -1;
    return pid;
}

static inline int receive(int listener, struct seccomp_notif *n)
{
    memset(n, 0, sizeof *n);
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, n);
}
static inline int answer(int listener, uint64_t id, int64_t val, int error, uint32_t flags)
{
    struct seccomp_notif_resp r = {.id = id, .val = val, .error = error, .flags = flags};
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
}

static inline int put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    int r = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
    if (fd >= 0)
        close(fd);
    return r;
}
/* Into a new user namespace, as its root, and FLAGS (other CLONE_NEW*) with it. */
static inline int enter_userns(int flags)
{
    char map[64];
    unsigned uid = geteuid(), gid = getegid();
    if (unshare(CLONE_NEWUSER | flags) < 0 || put("/proc/self/setgroups", "deny") < 0)
        return -1;
    snprintf(map, sizeof map, "0 %u 1", uid);
    if (put("/proc/self/uid_map", map) < 0)
        return -1;
    snprintf(map, sizeof map, "0 %u 1", gid);
    return put("/proc/self/gid_map", map);
}

#endif

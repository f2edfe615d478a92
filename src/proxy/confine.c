/*
 * The proxy reads what the sandbox and the whole Internet send it; so it may do little. It keeps
 * its sockets, memory without execution, and reading the three files that say how names are
 * resolved. No process can be started, no other file opened, no signal sent, nothing traced; memory
 * is bounded.
 *
 * Landlock and namespaces are used where the kernel has them; the filter of system calls always
 * stands, or the proxy does not run.
 */
#include "base/sys.h"
#include "helper/confine.h"
#include "proxy/proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* What c-ares reads. */
static const char *const files[] = {"/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf"};

/* ---- a root with nothing in it ---- */

static bool write_text(const char *path, const char *text)
{
    _cleanup_fd_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool show_file(const char *path)
{
    char to[64];
    (void)snprintf(to, sizeof(to), "/tmp%s", path);
    _cleanup_fd_ int made = open(to, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0444);
    return made < 0 || access(path, R_OK) < 0 || mount(path, to, NULL, MS_BIND, NULL) == 0;
}

/* Best effort: a system without user namespaces for ordinary users has Landlock left. */
static void leave_files(void)
{
    char map[64];
    const uid_t uid = geteuid();
    const gid_t gid = getegid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
        return;
    (void)snprintf(map, sizeof(map), "%u %u 1", uid, uid);
    bool ok = write_text("/proc/self/uid_map", map) && write_text("/proc/self/setgroups", "deny");
    (void)snprintf(map, sizeof(map), "%u %u 1", gid, gid);
    ok = ok && write_text("/proc/self/gid_map", map);
    if (!ok || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=64k,mode=0555") <
            0 ||
        mkdir("/tmp/etc", 0555) < 0)
        return;
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        ok = show_file(files[i]) && ok;
    if (!ok || chdir("/tmp") < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
        return;
    if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return;
    (void)mount(NULL, "/", NULL,
                MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

/* ---- system calls ---- */

static const int allowed[] = {
    /* sockets and what waits on them */
    SYS_read,
    SYS_write,
    SYS_readv,
    SYS_writev,
    SYS_close,
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_sendto,
    SYS_sendmsg,
    SYS_splice,
    SYS_pipe2,
    SYS_fcntl,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_ppoll,
    SYS_connect,
    SYS_bind,
    SYS_getsockname,
    SYS_getpeername,
    SYS_getsockopt,
    SYS_setsockopt,
    SYS_shutdown,
    SYS_accept4,
#ifdef SYS_epoll_wait
    SYS_epoll_wait,
#endif
#ifdef SYS_poll
    SYS_poll,
#endif
    SYS_restart_syscall,
#ifdef SYS_open /* older libraries */
    SYS_open,
    SYS_stat,
#endif
    /* the files that Landlock leaves */
    SYS_openat,
    SYS_fstat,
    SYS_newfstatat,
    SYS_lseek,
    /* memory */
    SYS_munmap,
    SYS_mremap,
    SYS_brk,
    SYS_madvise,
    SYS_futex,
    /* time, chance, itself */
    SYS_clock_gettime,
    SYS_gettimeofday,
    SYS_getrandom,
    SYS_getpid,
    SYS_gettid,
    SYS_rt_sigreturn,
    SYS_rt_sigprocmask,
    SYS_rt_sigaction,
    SYS_sigaltstack,
    SYS_exit,
    SYS_exit_group,
    SYS_clock_nanosleep,
};

#define FIELD(f)         BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, f))
#define RETURN(v)        BPF_STMT(BPF_RET | BPF_K, (v))
#define EQUAL(k, t, f)   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), (t), (f))
#define ANY_BIT(k, t, f) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (k), (t), (f))

static int confine_calls(struct error *err)
{
    struct sock_filter code[2 * ARRAY_LEN(allowed) + 64];
    size_t n = 0;
#define PUT(...)                                                                                   \
    do {                                                                                           \
        const struct sock_filter put_[] = {__VA_ARGS__};                                           \
        memcpy(&code[n], put_, sizeof(put_));                                                      \
        n += ARRAY_LEN(put_);                                                                      \
    } while (0)
    PUT(FIELD(arch), EQUAL(CONFINE_ARCH, 1, 0), RETURN(SECCOMP_RET_KILL_PROCESS), FIELD(nr));
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
        PUT(EQUAL((unsigned)allowed[i], 0, 1), RETURN(SECCOMP_RET_ALLOW));
    /* Memory, but never to be executed. */
    PUT(EQUAL(SYS_mmap, 1, 0), EQUAL(SYS_mprotect, 0, 4), FIELD(args[2]), ANY_BIT(PROT_EXEC, 1, 0),
        RETURN(SECCOMP_RET_ALLOW), RETURN(SECCOMP_RET_ERRNO | EPERM));
    /* Pairs, of which bawn-intercept gets one end. */
    PUT(EQUAL(SYS_socketpair, 0, 4), FIELD(args[0]), EQUAL(AF_UNIX, 0, 1),
        RETURN(SECCOMP_RET_ALLOW), RETURN(SECCOMP_RET_ERRNO | EAFNOSUPPORT));
    /* Sockets of the families that are dialled, streams and datagrams. */
    PUT(EQUAL(SYS_socket, 0, 9), FIELD(args[0]), EQUAL(AF_INET, 3, 0), EQUAL(AF_INET6, 2, 0),
        EQUAL(AF_UNIX, 1, 0), RETURN(SECCOMP_RET_ERRNO | EAFNOSUPPORT), FIELD(args[1]),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 2, 1, 0),
        RETURN(SECCOMP_RET_ALLOW));
    PUT(RETURN(SECCOMP_RET_ERRNO | EPERM));
#undef PUT
    struct sock_fprog program = {.len = (unsigned short)n, .filter = code};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        return error_errno(err, -errno, "cannot filter the proxy's own system calls");
    return 0;
}

/* ---- limits ---- */

static void set_limits(struct proxy *p)
{
    struct rlimit files_now = {0}, none = {0};
    if (getrlimit(RLIMIT_NOFILE, &files_now) == 0) {
        files_now.rlim_cur = files_now.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files_now);
        (void)getrlimit(RLIMIT_NOFILE, &files_now);
    }
    /* A connection takes two descriptors, and four more while both pipes of a tunnel are full. */
    uint64_t most = files_now.rlim_cur > 256 ? (files_now.rlim_cur - 128) / 3 : 16;
    p->most_clients = (size_t)MIN_OF(most, (uint64_t)LIMIT_CLIENTS);
    if (!SANITIZED) /* their report is written to a file */
        (void)setrlimit(RLIMIT_FSIZE, &none);
}

int confine(struct proxy *p, struct error *err)
{
    const struct wire_settings *s = &p->settings;
    set_limits(p);
    int r = confine_memory(err);
    if (r == 0)
        r = confine_growth(err);
    if (r < 0)
        return r;
    /* A Unix socket is found by its name when it is asked for. */
    if (s->n_unix_sockets == 0 && !s->all_unix_sockets)
        leave_files();
    r = confine_files(files, ARRAY_LEN(files), err);
    if (r == 0)
        r = confine_capabilities(err);
    return r < 0 ? r : confine_calls(err);
}

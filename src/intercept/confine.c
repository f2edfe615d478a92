/*
 * What the process gives up before it reads anything of a stranger's: files (Landlock, no rule),
 * listening (Landlock), signals and abstract sockets of others (Landlock's scopes), and every
 * system call that is not in the list.
 *
 * A call that is not in the list does not exist (ENOSYS): libraries try newer ones first and take
 * that for an answer. Sockets are TCP over IPv4 and IPv6 only. Memory can be made executable by
 * nobody.
 */
#include "intercept/confine.h"

#include "base/fd.h"
#include "base/sys.h"
#include "proxy/limits.h"

#include <fcntl.h>

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

/* The sanitizers' reports need files, and their search for leaks another process that looks in. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(undefined_behavior_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* ---- Landlock ---- */

/* Rights on files by version: each knows those before it. */
static uint64_t file_rights(int version)
{
    uint64_t rights = (1ull << 13) - 1;
    if (version >= 2)
        rights |= UAPI_LANDLOCK_ACCESS_FS_REFER;
    if (version >= 3)
        rights |= UAPI_LANDLOCK_ACCESS_FS_TRUNCATE;
    if (version >= 5)
        rights |= UAPI_LANDLOCK_ACCESS_FS_IOCTL_DEV;
    return rights;
}

/* Where the kernel has none of it the filter below still opens nothing. */
static int drop_files(void)
{
    struct uapi_landlock_ruleset_attr a = {0};
    int version = sys_ret(
        syscall(UAPI_SYS_landlock_create_ruleset, NULL, 0, UAPI_LANDLOCK_CREATE_RULESET_VERSION));
    if (version <= 0)
        return 0;
    a.handled_access_fs = file_rights(version);
    if (version >= 4)
        a.handled_access_net = UAPI_LANDLOCK_ACCESS_NET_BIND_TCP;
    if (version >= 6)
        a.scoped = UAPI_LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | UAPI_LANDLOCK_SCOPE_SIGNAL;
    size_t size = version >= 6 ? sizeof(a) : version >= 4 ? 16 : 8;
    int fd = sys_ret(syscall(UAPI_SYS_landlock_create_ruleset, &a, size, 0));
    if (fd < 0)
        return fd;
    int r = sys_ret(syscall(UAPI_SYS_landlock_restrict_self, fd, 0));
    (void)close(fd);
    return r;
}

/* ---- system calls ---- */

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "which calls are these?"
#endif

#define ALLOW              BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define REFUSE             BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS)
#define LOAD(what)         BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, what))
#define IF(value, t, f)    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (t), (f))
#define IF_SET(bits, t, f) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (bits), (t), (f))
#define CALL(name)         IF((uint32_t)SYS_##name, 0, 1), ALLOW

static struct sock_filter calls[] = {
    LOAD(arch),
    IF(ARCH, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    LOAD(nr),
    /* what is done most often first */
    CALL(sendto),
    CALL(recvfrom),
    CALL(sendmsg),
    CALL(recvmsg),
    CALL(epoll_ctl),
#ifdef SYS_epoll_wait
    CALL(epoll_wait),
#endif
    CALL(epoll_pwait),
    CALL(close),
    CALL(connect),
    CALL(shutdown),
    CALL(getsockopt),
    CALL(setsockopt),
    CALL(fcntl),
    CALL(read),
    CALL(write),
    CALL(brk),
    CALL(munmap),
    CALL(mremap),
    CALL(madvise),
    CALL(futex),
    CALL(getrandom),
    CALL(clock_gettime),
    CALL(gettimeofday),
    CALL(getpid),
    CALL(gettid),
    CALL(rt_sigaction),
    CALL(rt_sigprocmask),
    CALL(rt_sigreturn),
    CALL(restart_syscall),
    CALL(exit),
    CALL(exit_group),
#ifdef SYS_time
    CALL(time),
#endif
    /* socket(AF_INET or AF_INET6, SOCK_STREAM, 0) */
    IF((uint32_t)SYS_socket, 0, 9),
    LOAD(args[0]),
    IF(AF_INET, 1, 0),
    IF(AF_INET6, 0, 5),
    LOAD(args[1]),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff),
    IF(SOCK_STREAM, 0, 2),
    LOAD(args[2]),
    IF(0, 1, 0),
    REFUSE,
    /* both ways lead here: the number is loaded again */
    LOAD(nr),
    IF((uint32_t)SYS_socket, 0, 1),
    ALLOW,
    /* memory, but none that is executable */
    IF((uint32_t)SYS_mmap, 1, 0),
    IF((uint32_t)SYS_mprotect, 0, 3),
    LOAD(args[2]),
    IF_SET(PROT_EXEC, 1, 0),
    ALLOW,
    REFUSE,
};

struct sock_fprog confine_program(void)
{
    return (struct sock_fprog){.len = (unsigned short)ARRAY_LEN(calls), .filter = calls};
}

static int drop_calls(void)
{
    struct sock_fprog program = confine_program();
    return sys_ret(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}

/* Nobody reads this memory: no core, no debugger. */
int confine_memory(struct error *err)
{
    const struct rlimit none = {0, 0};
    if (!SANITIZED && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return error_errno(err, -errno, "cannot keep the memory to itself");
    return setrlimit(RLIMIT_CORE, &none) < 0 ? error_errno(err, -errno, "cannot do without a core")
                                             : 0;
}

/* Whatever clients do, the machine's memory is not theirs: what is beyond fails, one session at a
 * time. */
static int limit_memory(void)
{
    _cleanup_strbuf_ struct strbuf text = {.max = 4096};
    _cleanup_fd_ int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fd_read_all(fd, 4096, &text) < 0)
        return 0; /* without /proc */
    rlim_t most = strtoul(strbuf_text(&text), NULL, 10) * (rlim_t)sysconf(_SC_PAGESIZE);
    struct rlimit l = {most + LIMIT_MEMORY, most + LIMIT_MEMORY};
    return setrlimit(RLIMIT_AS, &l) < 0 ? -errno : 0;
}

/* Root, when root runs bawn: without what makes it root. */
static int drop_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
    return sys_ret(syscall(SYS_capset, &head, none));
}

int confine(struct error *err)
{
    if (SANITIZED)
        return 0;
    int r = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
    if (r == 0)
        r = limit_memory();
    if (r == 0)
        r = drop_files();
    if (r == 0)
        r = drop_capabilities();
    if (r == 0)
        r = drop_calls();
    return r < 0 ? error_errno(err, r, "cannot confine the process") : 0;
}

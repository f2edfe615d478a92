/*
 * The exporter reads what collectors, clients and a damaged spool send it, and it holds secrets; so
 * it may do little. Files: the telemetry directory, and to be read the four that say how names are
 * looked up. No program, no process but threads (libcurl starts one for each look-up), no socket
 * but streams and datagrams of IPv4 and IPv6, no listening, no memory that is made executable.
 *
 * Names are looked up by libc's own parts, "files" and "dns": other services of nsswitch.conf would
 * be libraries of strangers and sockets of daemons. libcurl's Unix sockets, if a build of it has
 * any use for them, do not exist.
 */
#include "exporter/confine.h"

#include "base/sys.h"
#include "helper/filter.h"
#include "telemetry/spool.h"

#include <asm/ioctls.h>
#include <dlfcn.h>
#include <malloc.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#if defined(__GLIBC__)
#include <nss.h>
#endif

#define SPACES                                                                                     \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET | 0x80u /* CLONE_NEWTIME */)
#define THREAD (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)

/* ---- system calls ---- */

static struct sock_filter calls[] = {
    BEGIN,
    /* what is done most often first */
    CALL(ppoll),
#ifdef SYS_poll
    CALL(poll),
#endif
    CALL(sendto),
    CALL(recvfrom),
    CALL(sendmsg),
    CALL(recvmsg),
    CALL(read),
    CALL(write),
    CALL(pread64),
    CALL(close),
    CALL(futex),
    CALL(clock_gettime),
    /* sockets */
    CALL(connect),
    CALL(shutdown),
    CALL(getsockopt),
    CALL(setsockopt),
    CALL(getsockname),
    CALL(getpeername),
    CALL(accept4),
    CALL(sendmmsg),
    CALL(socketpair), /* a look-up's thread says so when it is done */
    CALL(fcntl),
    /* newer libcurls */
    CALL(eventfd2),
    CALL(pipe2),
    CALL(epoll_create1),
    CALL(epoll_ctl),
    CALL(epoll_pwait),
#ifdef SYS_epoll_wait
    CALL(epoll_wait),
#endif
    /* the spool, and the files that Landlock leaves */
    CALL(openat),
    CALL(fstat),
    CALL(newfstatat),
    CALL(statx),
    CALL(lseek),
    CALL(readv),
    CALL(writev),
    CALL(pwrite64),
    CALL(ftruncate),
    CALL(flock),
    CALL(getdents64),
    CALL(mkdirat),
    CALL(unlinkat),
    /* memory */
    CALL(brk),
    CALL(munmap),
    CALL(mremap),
    CALL(madvise),
    /* time, chance, itself */
    CALL(gettimeofday),
    CALL(clock_nanosleep),
    CALL(getrandom),
    CALL(getpid),
    CALL(gettid),
    CALL(getuid),
    CALL(geteuid),
    CALL(uname),
    CALL(sysinfo),
    CALL(sched_yield),
    CALL(sched_getaffinity),
    CALL(rt_sigaction),
    CALL(rt_sigprocmask),
    CALL(rt_sigreturn),
    CALL(sigaltstack),
    CALL(restart_syscall),
    CALL(exit),
    CALL(exit_group),
    /* a thread */
    CALL(set_robust_list),
#ifdef SYS_rseq
    CALL(rseq),
#endif
#ifdef SYS_open /* other libcs' ways to say the same */
    CALL(open),
    CALL(stat),
#endif
    CALL(nanosleep),
#ifdef SYS_time
    CALL(time),
#endif
    /* how much waits in a socket, and nothing else of a device */
    IF((uint32_t)SYS_ioctl, 0, 4),
    LOAD(args[1]),
    IF(FIONREAD, 0, 1),
    ALLOW,
    REFUSE,
    /* clone: threads only. clone3 keeps its flags where they cannot be seen, and does not exist. */
    IF((uint32_t)SYS_clone, 0, 6),
    LOAD(args[0]),
    IF_SET(SPACES, 3, 0),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, THREAD),
    IF(THREAD, 0, 1),
    ALLOW,
    REFUSE,
    /* socket: AF_INET and AF_INET6; SOCK_STREAM and SOCK_DGRAM */
    IF((uint32_t)SYS_socket, 0, 9),
    LOAD(args[0]),
    IF(AF_INET, 1, 0),
    IF(AF_INET6, 0, 5),
    LOAD(args[1]),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff),
    IF(SOCK_STREAM, 1, 0),
    IF(SOCK_DGRAM, 0, 1),
    ALLOW,
    REFUSE,
    END_WITHOUT_CODE,
};

struct sock_fprog exporter_calls(void)
{
    return (struct sock_fprog){.len = (unsigned short)ARRAY_LEN(calls), .filter = calls};
}

/* ---- names ---- */

static const char *const name_files[] = {"/etc/resolv.conf", "/etc/hosts", "/etc/host.conf",
                                         "/etc/gai.conf"};
static struct stat names[ARRAY_LEN(name_files)]; /* zeroed: not there */

static void look_at_names(struct stat at[ARRAY_LEN(name_files)])
{
    for (size_t i = 0; i < ARRAY_LEN(name_files); i++)
        if (stat(name_files[i], &at[i]) < 0)
            at[i] = (struct stat){0};
}

bool exporter_names_changed(void)
{
    struct stat now[ARRAY_LEN(name_files)];
    look_at_names(now);
    for (size_t i = 0; i < ARRAY_LEN(name_files); i++)
        if (now[i].st_dev != names[i].st_dev || now[i].st_ino != names[i].st_ino)
            return true;
    return false;
}

/* What libc would load when it is needed, and then may not. */
static void prepare_names(void)
{
#if defined(__GLIBC__)
    static const char *const libraries[] = {"libgcc_s.so.1", "libnss_files.so.2", "libnss_dns.so.2",
                                            "libresolv.so.2"};
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++)
        (void)dlopen(libraries[i], RTLD_NOW); /* for good; older libcs have parts in them */
    (void)__nss_configure_lookup("hosts", "files dns");
    (void)mallopt(M_ARENA_MAX, 1); /* a thread does not need 64 MiB of its own */
#endif
    look_at_names(names);
}

/* ---- all of it ---- */

int exporter_confine(int dirfd, struct error *err)
{
    const struct rlimit file = {2 * SPOOL_SEGMENT, 2 * SPOOL_SEGMENT};
    prepare_names();
    if (SANITIZED)
        return 0;
    int r = confine_growth(err);
    if (r == 0)
        r = confine_files_and_tree(name_files, ARRAY_LEN(name_files), dirfd, err);
    if (r == 0)
        r = confine_capabilities(err);
    if (r < 0)
        return r;
    (void)setrlimit(RLIMIT_FSIZE, &file);
    struct sock_fprog program = exporter_calls();
    if ((r = sys_ret(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program))) < 0)
        (void)error_errno(err, r, "cannot filter the process's own system calls");
    return r;
}

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

#include "base/sys.h"
#include "helper/filter.h"

#include <netinet/in.h>
#include <sys/socket.h>

/* ---- system calls ---- */

static struct sock_filter calls[] = {
    BEGIN,
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
    END_WITHOUT_CODE,
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

int confine(struct error *err)
{
    if (SANITIZED)
        return 0;
    int r = confine_growth(err);
    if (r == 0)
        r = confine_files(NULL, 0, err);
    if (r == 0)
        r = confine_capabilities(err);
    if (r == 0 && (r = drop_calls()) < 0)
        (void)error_errno(err, r, "cannot filter the process's own system calls");
    return r;
}

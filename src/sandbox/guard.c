/* See guard.h. */
#include "sandbox/guard.h"

#include "base/sys.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static pid_t guarded;

/* The group cannot be another's: its first process is not reaped yet. It has none as long as that
 * one has not made its session, and no child either. */
static void end_guarded(int signal)
{
    (void)signal;
    (void)kill(-guarded, SIGKILL);
    (void)kill(guarded, SIGKILL);
}

static _noreturn_ void stand_guard(const sigset_t *old)
{
    siginfo_t info;
    int status = 0;
    (void)sys_close_range(0, ~0u);
    (void)sigprocmask(SIG_SETMASK, old, NULL);
    while (waitid(P_PID, (id_t)guarded, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
        ;
    end_guarded(0);
    (void)signal(SIGTERM, SIG_IGN);
    while (waitpid(guarded, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFSIGNALED(status)) {
        (void)signal(WTERMSIG(status), SIG_DFL);
        (void)raise(WTERMSIG(status));
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 125);
}

int guard_over(pid_t outer)
{
    const struct sigaction action = {.sa_handler = end_guarded};
    sigset_t term, old;
    (void)sigemptyset(&term);
    (void)sigaddset(&term, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &term, &old) < 0 || sigaction(SIGTERM, &action, NULL) < 0 ||
        prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
        return -errno;
    /* When it died before that, there is nobody whose death would be told. */
    if (getppid() != outer)
        _exit(125);
    const pid_t guard = getpid();
    guarded = fork();
    if (guarded < 0)
        return -errno;
    if (guarded > 0) {
        (void)sigdelset(&old, SIGTERM);
        stand_guard(&old);
    }
    (void)signal(SIGTERM, SIG_DFL);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || setsid() < 0)
        return -errno;
    if (getppid() != guard)
        _exit(125);
    (void)sigprocmask(SIG_SETMASK, &old, NULL);
    return 0;
}

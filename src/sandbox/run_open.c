/*
 * A command that nothing confines, and bawn beside it. See run_open.h.
 *
 * As a shell without job control runs one: the command is in bawn's own process group, so what the
 * terminal sends reaches it without us. What was sent to bawn alone is passed on. When the command
 * stops, bawn stops, for the shell that waits for it. When bawn is killed, so is the command: with
 * nobody in between it would have been the same process.
 */
#include "sandbox/run_open.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const int passed_on[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT, SIGWINCH,
                                SIGTSTP, SIGCONT, SIGUSR1, SIGUSR2, SIGALRM};

/* What the command has of signals, as bawn was started with it. */
struct signals {
    sigset_t mask;
    struct sigaction child;
};

_noreturn_ static void become(char *const *argv, pid_t parent, const struct signals *s, int failed)
{
    (void)sigaction(SIGCHLD, &s->child, NULL);
    (void)sigprocmask(SIG_SETMASK, &s->mask, NULL);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent)
        (void)execvp(argv[0], argv);
    const int code = -errno;
    (void)fd_write_all(failed, &code, sizeof(code));
    _exit(127);
}

/* Its end was seen: true. */
static bool look(struct open_run *r, pid_t pid)
{
    struct rusage usage;
    int status;
    while (wait4(pid, &status, WNOHANG | WUNTRACED, &usage) > 0) {
        if (WIFSTOPPED(status)) {
            (void)kill(getpid(), SIGSTOP);
            (void)kill(pid, SIGCONT);
            continue;
        }
        r->wait_status = status;
        r->maxrss_kib = (uint64_t)usage.ru_maxrss;
        return true;
    }
    return false;
}

int open_run(struct open_run *r, int *ret_code)
{
    /* Ignored, it would take the command's end away from us. */
    const struct sigaction plain = {.sa_handler = SIG_DFL};
    struct signals before;
    sigset_t watched;
    int failed[2];
    siginfo_t info;
    (void)sigemptyset(&watched);
    (void)sigaddset(&watched, SIGCHLD);
    for (size_t i = 0; i < ARRAY_LEN(passed_on); i++)
        (void)sigaddset(&watched, passed_on[i]);
    if (pipe2(failed, O_CLOEXEC) < 0)
        return -errno;
    (void)sigprocmask(SIG_BLOCK, &watched, &before.mask);
    (void)sigaction(SIGCHLD, &plain, &before.child);
    const pid_t self = getpid(), pid = fork();
    if (pid == 0)
        become(r->argv, self, &before, failed[1]);
    int e = pid < 0 ? -errno : 0, code = 0;
    fd_close(failed[1]);
    /* The end of it comes with the exec. */
    ssize_t n = 0;
    while (e == 0 && (n = read(failed[0], &code, sizeof(code))) < 0 && errno == EINTR)
        ;
    fd_close(failed[0]);
    if (e == 0 && n == 0 && r->started)
        r->started(r->data, pid);
    while (e == 0 && !look(r, pid)) {
        const int sig = sigwaitinfo(&watched, &info);
        if (sig > 0 && sig != SIGCHLD && info.si_code != SI_KERNEL)
            (void)kill(pid, sig);
    }
    (void)sigaction(SIGCHLD, &before.child, NULL);
    (void)sigprocmask(SIG_SETMASK, &before.mask, NULL);
    *ret_code = code;
    return e < 0 ? e : n > 0;
}

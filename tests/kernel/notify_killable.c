/* SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (Linux 5.19): a signal with a handler does not interrupt a
 * call that the supervisor is working on, so nothing is done twice. */
#include "probe.h"
PROBE("seccomp: a handled signal does not restart a call the supervisor works on");

#define WAIT_KILLABLE_RECV (1u << 5)

static void handler(int sig)
{
    (void)sig;
}

static int body(void *arg)
{
    (void)arg;
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = handler}, NULL);
    child_must(syscall(SYS_getppid) == 7);
    return 0;
}

int main(void)
{
    struct seccomp_notif n;
    int listener;
    pid_t pid = watched(SYS_getppid, WAIT_KILLABLE_RECV, body, NULL, &listener);

    must(pid > 0 && receive(listener, &n) == 0);
    must(kill(pid, SIGUSR1) == 0);
    /* Were it interruptible, the id would be dead as soon as the child has run; make sure it had
     * the chance to: its state stays "sleeping in the kernel" and the id stays valid. */
    for (int i = 0; i < 20; i++) {
        sched_yield();
        must(ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id) == 0);
        usleep(1000);
    }
    must(answer(listener, n.id, 7, 0, 0) == 0);
    must(status_of(pid) == 0);
    yes();
}

/* With the supervisor gone, a notified call is refused (ENOSYS) and not carried out: it fails
 * closed. */
#include "probe.h"
PROBE("seccomp: without a supervisor a notified call fails with ENOSYS");

static int body(void *arg)
{
    char c;
    child_must(read(*(int *)arg, &c, 1) == 1);
    child_must(syscall(SYS_getppid) == -1 && errno == ENOSYS);
    return 0;
}

int main(void)
{
    int listener, go[2];
    must(pipe(go) == 0);
    pid_t pid = watched(SYS_getppid, 0, body, &go[0], &listener);
    must(pid > 0 && close(listener) == 0 && write(go[1], "g", 1) == 1);
    must(status_of(pid) == 0);
    yes();
}

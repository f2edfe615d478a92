/* Why x32 is killed by number: its calls arrive under x86_64's own architecture. Elsewhere nothing
 * to see. */
#include "probe.h"
PROBE("seccomp: the filter sees the x32 bit in the number, and -1 as a number of its own");

int main(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        child_must(filter_call(0x40000000 | SYS_getppid, SECCOMP_RET_ERRNO | 77, 0) == 0);
        errno = 0;
        child_must(syscall(0x40000000L | SYS_getppid) == -1 && errno == 77);
        _exit(0);
    }
#ifdef __x86_64__
    must(status_of(pid) == 0);
#else
    status_of(pid);
#endif
    pid = fork();
    if (pid == 0) {
        child_must(filter_call(-1, SECCOMP_RET_ERRNO | 78, 0) == 0);
        child_must(syscall(-1L) == -1 && errno == 78);
        _exit(0);
    }
    must(status_of(pid) == 0);
    yes();
}

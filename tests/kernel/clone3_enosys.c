/* clone3 answers ENOSYS: the C library starts threads and processes with clone instead. */
#include "probe.h"
#include <pthread.h>
#include <spawn.h>
PROBE("libc: threads, fork and posix_spawn work where clone3 answers ENOSYS");

static void *thread(void *arg)
{
    return arg;
}

int main(void)
{
    pid_t outer = fork();
    if (outer == 0) {
        char *argv[] = {(char *)"true", NULL}, *env[] = {NULL};
        pthread_t t;
        void *result = NULL;
        pid_t pid;
        child_must(filter_call(435, SECCOMP_RET_ERRNO | ENOSYS, 0) == 0);
        child_must(pthread_create(&t, NULL, thread, &pid) == 0);
        child_must(pthread_join(t, &result) == 0 && result == &pid);
        child_must(posix_spawn(&pid, "/bin/true", NULL, NULL, argv, env) == 0 &&
                   status_of(pid) == 0);
        pid = fork();
        if (pid == 0)
            _exit(9);
        child_must(status_of(pid) == 9);
        _exit(0);
    }
    must(status_of(outer) == 0);
    yes();
}

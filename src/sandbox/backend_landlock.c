/*
 * The landlock backend: no namespaces, so no mounts; a Landlock domain holds the files and the filter
 * the rest. Init is not pid 1 but the subreaper of everything the command starts, and ends them when
 * the outer goes. With BACKEND_EXTERNAL there is no domain either: an outer container is the boundary,
 * and only the filter and no_new_privs are applied.
 */
#include "sandbox/backend.h"

#include "base/fd.h"
#include "base/sys.h"
#include "sandbox/landlock.h"

#include <sys/prctl.h>

static _noreturn_ void landlock_child(struct launch *l, int ruleset)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        init_fail(l, -errno, "cannot set no_new_privs");
    if (ruleset >= 0) {
        int r = sys_ret(syscall(UAPI_SYS_landlock_restrict_self, ruleset, 0));
        if (r < 0)
            init_fail(l, r, "cannot enter the Landlock domain");
        fd_close(ruleset);
    }
    int master = -1, slave = -1;
    if (l->want_pty) {
        int r = init_open_pty(&master, &slave);
        if (r < 0)
            init_fail(l, r, "cannot make a terminal for the command");
    }
    init_main(l, -1, master, slave);
}

int landlock_spawn(struct launch *l, pid_t *ret_pid, int *ret_pidfd, struct error *err)
{
    _cleanup_fd_ int ruleset = -1;
    if (l->plan->backend == BACKEND_LANDLOCK) {
        int r = landlock_prepare(l->plan, &ruleset, err);
        if (r < 0)
            return r;
    }
    int pidfd = -1;
    pid_t pid = sys_clone3(0, &pidfd);
    if (pid == 0)
        landlock_child(l, ruleset);
    if (pid < 0)
        return error_errno(err, pid, "cannot start the sandbox");
    *ret_pid = pid;
    *ret_pidfd = pidfd;
    return 0;
}

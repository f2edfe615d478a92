/* See mounts.h. Everything here works between clone and exec: no heap, no lock. */
#include "sandbox/mounts.h"

#include "base/fd.h"
#include "base/sys.h"
#include "sandbox/net_inside.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <linux/sockios.h>

int mounts_new(const char *type, const char *const options[][2], unsigned attr)
{
    _cleanup_fd_ int fs = sys_ret(syscall(UAPI_SYS_fsopen, type, UAPI_FSOPEN_CLOEXEC));
    if (fs < 0)
        return fs;
    for (size_t i = 0; options && options[i][0]; i++)
        if (syscall(UAPI_SYS_fsconfig, fs,
                    options[i][1] ? UAPI_FSCONFIG_SET_STRING : UAPI_FSCONFIG_SET_FLAG,
                    options[i][0], options[i][1], 0) < 0)
            return -errno;
    if (syscall(UAPI_SYS_fsconfig, fs, UAPI_FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -errno;
    return sys_ret(syscall(UAPI_SYS_fsmount, fs, UAPI_FSMOUNT_CLOEXEC, attr));
}

int mounts_set(int fd, uint64_t attr)
{
    struct uapi_mount_attr set = {.attr_set = attr};
    return sys_mount_setattr(fd, "", AT_EMPTY_PATH, &set);
}

int mounts_put(int tree, int at)
{
    return sys_move_mount(tree, at, "",
                          UAPI_MOVE_MOUNT_F_EMPTY_PATH | UAPI_MOVE_MOUNT_T_EMPTY_PATH);
}

/* ---- the network namespace ---- */

static bool is_filtered(const struct launch *l)
{
    return !l->plan->steps && l->plan->network == NETWORK_FILTERED;
}

static int net_failed(struct net *n, int code, const char *what)
{
    n->made->code = code;
    n->made->what = what;
    return 1;
}

int net_loopback(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    if (fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &ifr) == 0)
        return fd;
    int r = -errno;
    fd_close(fd);
    return r;
}

static int net_main(void *data)
{
    struct net *n = data;
    struct net_problem why;
    if (unshare(CLONE_NEWNET) < 0)
        return net_failed(n, -errno, "cannot make a network namespace");
    int fd = net_loopback();
    if (fd < 0)
        return net_failed(n, fd, "cannot bring the loopback device up");
    n->made->fd = ioctl(fd, SIOCGSKNS);
    if (n->made->fd < 0)
        return net_failed(n, -errno, "cannot hold the network namespace");
    if (n->wants_diag)
        n->made->diag = init_open_diag();
    fd_close(fd);
    if (is_filtered(n->l) && net_inside(n->l, true, &why) < 0)
        return net_failed(n, why.code, why.what);
    n->made->code = 0;
    return 0;
}

void net_start(struct launch *l, struct net *n, bool wants_diag)
{
    int flags = CLONE_FILES | SIGCHLD;
    n->l = l;
    n->made = &n->own;
    if (is_filtered(l)) {
        n->made =
            mmap(NULL, sizeof(*n->made), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (n->made == MAP_FAILED)
            init_fail(l, -errno, "cannot make a network namespace");
    } else {
        flags |= CLONE_VM;
    }
    *n->made = (struct net_made){
        .fd = -1, .diag = -1, .code = -EIO, .what = "cannot make a network namespace"};
    n->wants_diag = wants_diag;
    n->pid = clone(net_main, n->stack + sizeof(n->stack), flags, n);
    if (n->pid < 0)
        init_fail(l, -errno, "cannot make a network namespace");
}

void net_enter(struct launch *l, struct net *n)
{
    while (waitpid(n->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    if (n->made->code < 0)
        init_fail(l, n->made->code, "%s", n->made->what);
    if (setns(n->made->fd, CLONE_NEWNET) < 0)
        init_fail(l, -errno, "cannot enter the network namespace");
    fd_close(n->made->fd);
    n->diag = n->made->diag;
}

/*
 * New namespaces, and the mount calls that they (or root) make possible.
 */
#include "escape.h"

#include <linux/mount.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mount.h>

#ifndef MOUNT_ATTR_RDONLY
#define MOUNT_ATTR_RDONLY 1
#endif

static int succeeded(long r, const char *what)
{
    return r >= 0 ? 0 : refused(what);
}

static int put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

    if (fd >= 0)
        close(fd);
    return n < 0 ? -1 : 0;
}

/* A user and a mount namespace in which we are root. */
static int become_root(void)
{
    unsigned uid = getuid(), gid = getgid();
    char line[64];

    if (uid == 0)
        return unshare(CLONE_NEWNS);
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        return -1;
    snprintf(line, sizeof line, "0 %u 1", uid);
    if (put("/proc/self/uid_map", line) < 0)
        return -1;
    put("/proc/self/setgroups", "deny");
    snprintf(line, sizeof line, "0 %u 1", gid);
    return put("/proc/self/gid_map", line);
}

static int waited(pid_t pid)
{
    int status = 1;

    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int userns_unshare(char *const *a)
{
    (void)a;
    return succeeded(unshare(CLONE_NEWUSER), "unshare");
}

static int userns_clone(char *const *a)
{
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);

    (void)a;
    if (pid == 0)
        _exit(0);
    return pid < 0 ? refused("clone") : waited((pid_t)pid);
}

static int userns_clone3(char *const *a)
{
    struct clone_args c = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    long pid = syscall(SYS_clone3, &c, sizeof c);

    (void)a;
    if (pid == 0)
        _exit(0);
    return pid < 0 ? refused("clone3") : waited((pid_t)pid);
}

static int userns_setns(char *const *a)
{
    char path[64];
    int fd, pid = number(first_line(a[0]));

    snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && setns(fd, CLONE_NEWUSER) == 0 ? 0 : refused(path);
}

/* Any namespace but the user's, which without a new user namespace takes CAP_SYS_ADMIN. */
static int mntns(char *const *a)
{
    (void)a;
    return succeeded(unshare(CLONE_NEWNS), "unshare");
}

static int tmpfs(char *const *a)
{
    if (become_root() < 0)
        return refused("namespace");
    return succeeded(mount("none", a[0], "tmpfs", 0, NULL), "mount");
}

/* Makes a read-only tree writable: on a bind of its own, then by changing the mount that is there.
 * Args: directory, name to write in it. */
static int remount(char *const *a)
{
    int dir, fd;

    if (become_root() < 0)
        return refused("namespace");
    if (mount(a[0], a[0], NULL, MS_BIND | MS_REC, NULL) < 0)
        return refused("bind");
    if (mount(NULL, a[0], NULL, MS_BIND | MS_REMOUNT, NULL) < 0)
        return refused("remount");
    dir = open(a[0], O_PATH | O_DIRECTORY | O_CLOEXEC);
    fd = openat(dir, a[1], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    return fd < 0 ? refused("write") : mark(fd);
}

/* The same by the newer calls, on a detached copy. */
static int tree(char *const *a)
{
    struct mount_attr at = {.attr_clr = MOUNT_ATTR_RDONLY};
    int t, fd;

    if (become_root() < 0)
        return refused("namespace");
    t = (int)syscall(SYS_open_tree, AT_FDCWD, a[0],
                     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (t < 0)
        return refused("open_tree");
    if (syscall(SYS_mount_setattr, t, "", AT_EMPTY_PATH | AT_RECURSIVE, &at, sizeof at) < 0)
        return refused("mount_setattr");
    fd = openat(t, a[1], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    return fd < 0 ? refused("write") : mark(fd);
}

/* A copy of the tree without the mounts on top shows what a mask hides. Args: directory, file
 * below. */
static int under(char *const *a)
{
    int t, fd;

    if (become_root() < 0)
        return refused("namespace");
    t = (int)syscall(SYS_open_tree, AT_FDCWD, a[0], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    fd = t < 0 ? -1 : openat(t, a[1], O_RDONLY | O_CLOEXEC);
    return fd < 0 ? refused("open_tree") : show(fd);
}

/* The same with a bind mount that is not recursive. Args: directory, file below, place to mount at.
 */
static int under_bind(char *const *a)
{
    char path[4300];
    int fd;

    if (become_root() < 0 || mount(a[0], a[2], NULL, MS_BIND, NULL) < 0)
        return refused("bind");
    snprintf(path, sizeof path, "%s/%s", a[2], a[1]);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? refused(path) : show(fd);
}

static int uncover(char *const *a)
{
    int fd;

    if (become_root() < 0)
        return refused("namespace");
    umount2(a[0], MNT_DETACH);
    fd = open(a[0], O_RDONLY | O_CLOEXEC);
    return fd < 0 ? refused(a[0]) : show(fd);
}

static int new_mount(char *const *a)
{
    int fs, m;

    if (become_root() < 0)
        return refused("namespace");
    fs = (int)syscall(SYS_fsopen, "tmpfs", 0);
    if (fs < 0 || syscall(SYS_fsconfig, fs, 6 /* FSCONFIG_CMD_CREATE */, NULL, NULL, 0) < 0)
        return refused("fsopen");
    m = (int)syscall(SYS_fsmount, fs, 0, 0);
    return succeeded(
        m < 0 ? -1 : syscall(SYS_move_mount, m, "", AT_FDCWD, a[0], MOVE_MOUNT_F_EMPTY_PATH),
        "move_mount");
}

static int pivot(char *const *a)
{
    if (become_root() < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount(a[0], a[0], NULL, MS_BIND | MS_REC, NULL) < 0 || chdir(a[0]) < 0)
        return refused("bind");
    return succeeded(syscall(SYS_pivot_root, ".", "."), "pivot_root");
}

static int root_change(char *const *a)
{
    if (getuid() != 0 && become_root() < 0)
        return refused("namespace");
    return succeeded(chroot(a[0]), "chroot");
}

/* Needs a capability on the file, no namespace. */
static int root_change_only(char *const *a)
{
    return succeeded(chroot(a[0]), "chroot");
}

/* A fresh /proc shows the processes of the pid namespace it is mounted in. Args: place, process. */
static int proc_mount(char *const *a)
{
    char path[4300];

    if (become_root() < 0)
        return refused("namespace");
    if (mount("proc", a[0], "proc", 0, NULL) < 0)
        return refused("mount proc");
    snprintf(path, sizeof path, "%s/%s", a[0], a[1]);
    return succeeded(access(path, F_OK), path);
}

static int cgroup_mount(char *const *a)
{
    if (become_root() < 0)
        return refused("namespace");
    return succeeded(mount("none", a[0], "cgroup2", 0, NULL), "mount cgroup2");
}

const struct attempt namespaces_attempts[] = {
    {"userns-unshare", 0, userns_unshare},
    {"userns-clone", 0, userns_clone},
    {"userns-clone3", 0, userns_clone3},
    {"userns-setns", 1, userns_setns},
    {"mntns", 0, mntns},
    {"tmpfs", 1, tmpfs},
    {"remount", 2, remount},
    {"tree", 2, tree},
    {"under", 2, under},
    {"under-bind", 3, under_bind},
    {"uncover", 1, uncover},
    {"new-mount", 1, new_mount},
    {"pivot", 1, pivot},
    {"chroot", 1, root_change},
    {"chroot-only", 1, root_change_only},
    {"proc-mount", 2, proc_mount},
    {"cgroup-mount", 1, cgroup_mount},
    {0},
};

/* The mount calls on descriptors, in a user namespace: clone a tree, make it read-only with all
 * below it, put it in place, and see writes fail. */
#include "probe.h"
#include <sys/mount.h>
#include <sys/stat.h>
PROBE("mounts: open_tree, mount_setattr and move_mount work in a user namespace");

struct attr {
    uint64_t set, clr, propagation, userns;
};
enum { CLONE_TREE = 1, RECURSIVE = 0x8000, FROM_EMPTY = 4, TO_EMPTY = 0x40, READ_ONLY = 1 };

int main(void)
{
    char top[] = "/tmp/probe-XXXXXX", sub[64], file[80];
    must(mkdtemp(top));
    pid_t pid = fork();
    if (pid == 0) {
        struct attr ro = {.set = READ_ONLY}, rw = {.clr = READ_ONLY};
        snprintf(sub, sizeof sub, "%s/sub", top);
        snprintf(file, sizeof file, "%s/file", sub);
        child_must(enter_userns(CLONE_NEWNS) == 0);
        child_must(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
        child_must(mount("tmpfs", top, "tmpfs", 0, NULL) == 0);
        child_must(mkdir(sub, 0755) == 0 && mount("tmpfs", sub, "tmpfs", 0, NULL) == 0);
        child_must(close(open(file, O_CREAT | O_WRONLY, 0644)) == 0);
        int tree = (int)syscall(428, AT_FDCWD, top, CLONE_TREE | RECURSIVE | O_CLOEXEC);
        child_must(tree >= 0);
        child_must(syscall(442, tree, "", AT_EMPTY_PATH | RECURSIVE, &ro, sizeof ro) == 0);
        int at = open(top, O_PATH | O_DIRECTORY);
        child_must(syscall(429, tree, "", at, "", FROM_EMPTY | TO_EMPTY) == 0);
        child_must(open(file, O_WRONLY) < 0 && errno == EROFS);
        child_must(open(file, O_RDONLY) >= 0);

        /* In a namespace nested in this one the mounts are locked: neither writable again nor gone.
         */
        child_must(enter_userns(CLONE_NEWNS) == 0);
        child_must(syscall(442, AT_FDCWD, top, 0, &rw, sizeof rw) < 0 && errno == EPERM);
        child_must(umount2(sub, MNT_DETACH) < 0 && errno == EINVAL);
        child_must(syscall(428, AT_FDCWD, top, CLONE_TREE) < 0 && errno == EINVAL);
        _exit(0);
    }
    int status = status_of(pid);
    must(rmdir(top) == 0);
    if (status)
        no(probe_text, "child stopped at line %d", status - 1);
    yes();
}

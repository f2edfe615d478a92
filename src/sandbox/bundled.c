/*
 * The bundled backend: bawn's own mounter.
 *
 * One clone3 makes all namespaces. In it, init turns the host's file tree into the sandbox's:
 *
 *   1. collect   every tree that the plan binds is opened without following any link, compared with
 *                what the survey saw (device and inode), and cloned into a detached mount
 *   2. base      the private copy of the mount tree becomes private and read-only as a whole (or,
 * for a restricted profile, an empty tmpfs becomes the root)
 *   3. attach    in the order of the plan, each detached mount is put on its place, again by a
 *                descriptor opened without following links
 *   4. verify    every place is looked up once more by name: what stands there must be the mount
 * that was put there. A rename that raced with the set-up is found here and ends it
 *
 * Nothing is resolved twice between check and use: a descriptor, once opened, is what is mounted.
 * The process holds all capabilities of its own user namespace during these steps and none after.
 */
#include "sandbox/backend.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/sys.h"
#include "base/vec.h"
#include "sandbox/journal.h"
#include "sandbox/mounts.h"
#include "sandbox/survey.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#define LOCKED_DOWN (UAPI_MOUNT_ATTR_NOSUID | UAPI_MOUNT_ATTR_NODEV)
#define AT_SELF     (AT_EMPTY_PATH)

struct set_up {
    struct launch *l;
    const struct plan *plan;
    int host_root;     /* O_PATH of the root as it was */
    int new_root;      /* where the plan is carried out */
    int host_dev;      /* the host's /dev, or negative */
    int mask_fs;       /* root of the tmpfs with the unreadable file and directories */
    bool mask_covered; /* it stands where the sandbox's own /dev comes to stand */
    int mask_file, mask_dir, empty_dir;
    int *trees;     /* detached mount of each MOUNT_BIND, by index */
    VEC(dev_t) own; /* file systems made here, where places can be made */
};

/* ---- step 1: collect ---- */

static bool same_file(const struct plan_mount *m, const struct stat *st)
{
    return (m->dev == 0 && m->ino == 0) || (m->dev == st->st_dev && m->ino == st->st_ino);
}

/* Opens PATH (absolute) below ROOT without following any link. */
static int open_in(int root, const char *path, int flags)
{
    if (path[0] == '/' && path[1] == '\0')
        return fcntl(root, F_DUPFD_CLOEXEC, 3);
    return path_openat2(root, path, O_PATH | O_NOFOLLOW | flags, 0,
                        UAPI_RESOLVE_IN_ROOT | UAPI_RESOLVE_NO_SYMLINKS |
                            UAPI_RESOLVE_NO_MAGICLINKS);
}

/* Opens the file of bawn's own program in the sandbox's copy of the mount tree: /proc/self/exe is
 * on the host's. Negative when it is not there any more. */
static int open_self(const struct set_up *s)
{
    char path[PATH_MAX];
    struct stat own, st;
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (n <= 0 || path[0] != '/' || stat("/proc/self/exe", &own) < 0)
        return -ENOENT;
    path[n] = '\0';
    _cleanup_fd_ int fd = open_in(s->host_root, path, 0);
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_dev != own.st_dev || st.st_ino != own.st_ino)
        return -ENOENT;
    return steal_fd(&fd);
}

/* The mount may be left out when what it shows is gone. */
static bool is_optional(const struct plan_mount *m)
{
    return m->op == MOUNT_DEVICE || m->op == MOUNT_SOCKET || m->op == MOUNT_SELF;
}

static void collect(struct set_up *s)
{
    for (size_t i = 0; i < s->plan->n_mounts; i++) {
        const struct plan_mount *m = &s->plan->mounts[i];
        s->trees[i] = -1;
        if (m->op != MOUNT_BIND && !is_optional(m))
            continue;
        _cleanup_fd_ int fd =
            m->op == MOUNT_SELF ? open_self(s) : open_in(s->host_root, m->path, 0);
        if (fd < 0) {
            if (is_optional(m))
                continue;
            init_fail(s->l, fd == -ENOENT || fd == -ELOOP ? -ESTALE : fd,
                      fd == -ENOENT || fd == -ELOOP
                          ? "%s changed while the sandbox was being set up"
                          : "cannot open %s for the sandbox",
                      show(m->path));
        }
        struct stat st;
        if (fstat(fd, &st) < 0)
            init_fail(s->l, -errno, "cannot look at %s", show(m->path));
        if (m->op == MOUNT_SOCKET && !S_ISSOCK(st.st_mode))
            continue;
        if (!same_file(m, &st))
            init_fail(s->l, -ESTALE, "%s changed while the sandbox was being set up",
                      show(m->path));
        int tree =
            sys_open_tree(fd, "", AT_SELF | UAPI_OPEN_TREE_CLONE | UAPI_AT_RECURSIVE | O_CLOEXEC);
        if (tree < 0)
            init_fail(s->l, tree, "cannot clone the mount of %s", show(m->path));
        struct uapi_mount_attr attr = {
            .attr_set = m->op == MOUNT_DEVICE ? UAPI_MOUNT_ATTR_NOSUID
                        : m->write            ? LOCKED_DOWN
                                              : LOCKED_DOWN | UAPI_MOUNT_ATTR_RDONLY,
            .propagation = MS_PRIVATE,
        };
        int r = sys_mount_setattr(tree, "", AT_SELF | UAPI_AT_RECURSIVE, &attr);
        if (r < 0)
            init_fail(s->l, r, "cannot restrict the mount of %s", show(m->path));
        s->trees[i] = tree;
    }
}

/* ---- file systems of the sandbox's own ---- */

/* WHAT says which file the place must be, or is NULL. */
static int attach(int tree, int root, const char *path, const struct plan_mount *what)
{
    struct stat st;
    _cleanup_fd_ int at = open_in(root, path, 0);
    if (at < 0)
        return at == -ENOENT || at == -ELOOP ? -ESTALE : at;
    if (what && (fstat(at, &st) < 0 || !same_file(what, &st)))
        return -ESTALE;
    return mounts_put(tree, at);
}

/* A tmpfs with what masks are made of. A detached mount cannot be cloned before kernel 6.15, so it
 * has to stand somewhere, and to take a mount away again makes the kernel wait for all processors
 * (half a millisecond). So it stands on the host's /dev, where it is covered for good by the
 * sandbox's own, or goes away with the host's tree; a plan without a /dev has it over the root
 * until step 3 is done. Nothing but the empty files is in it. */
static void make_masks(struct set_up *s)
{
    static const char *const options[][2] = {{"mode", "0555"}, {"size", "64k"}, {NULL, NULL}};
    s->mask_fs = mounts_new("tmpfs", options, LOCKED_DOWN | UAPI_MOUNT_ATTR_NOEXEC);
    if (s->mask_fs < 0)
        init_fail(s->l, s->mask_fs, "cannot make a tmpfs for masks");
    bool dev = false;
    for (size_t i = 0; i < s->plan->n_mounts && !dev; i++)
        dev = s->plan->mounts[i].op == MOUNT_DEV;
    s->mask_covered = dev && s->host_dev >= 0;
    int r = s->mask_covered
                ? sys_move_mount(s->mask_fs, s->host_dev, "",
                                 UAPI_MOVE_MOUNT_F_EMPTY_PATH | UAPI_MOVE_MOUNT_T_EMPTY_PATH)
                : sys_move_mount(s->mask_fs, AT_FDCWD, "/", UAPI_MOVE_MOUNT_F_EMPTY_PATH);
    if (r < 0)
        init_fail(s->l, r, "cannot attach the tmpfs for masks");
    _cleanup_fd_ int file = openat(s->mask_fs, "file", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0);
    if (file < 0 || mkdirat(s->mask_fs, "dir", 0) < 0 || mkdirat(s->mask_fs, "empty", 0555) < 0 ||
        fchmod(file, 0) < 0)
        init_fail(s->l, -errno, "cannot make masks");
    fd_close(steal_fd(&file)); /* a mount with an open writer cannot become read-only */
    s->mask_file = openat(s->mask_fs, "file", O_PATH | O_CLOEXEC);
    s->mask_dir = openat(s->mask_fs, "dir", O_PATH | O_CLOEXEC);
    s->empty_dir = openat(s->mask_fs, "empty", O_PATH | O_CLOEXEC);
    if (s->mask_file < 0 || s->mask_dir < 0 || s->empty_dir < 0 ||
        mounts_set(s->mask_fs, UAPI_MOUNT_ATTR_RDONLY) < 0)
        init_fail(s->l, -errno, "cannot make masks");
}

/* ---- step 2: base ---- */

static void set_own(struct set_up *s, int fd)
{
    struct stat st;
    dev_t *slot = fstat(fd, &st) == 0 ? vec_push(&s->own) : NULL;
    if (!slot)
        init_fail(s->l, -errno, "cannot make a file system of its own");
    *slot = st.st_dev;
}

static bool is_own(struct set_up *s, int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return false;
    vec_foreach (dev, &s->own)
        if (*dev == st.st_dev)
            return true;
    return false;
}

static void make_base(struct set_up *s)
{
    if (s->plan->root_is_host) {
        struct uapi_mount_attr attr = {.attr_set = LOCKED_DOWN | UAPI_MOUNT_ATTR_RDONLY,
                                       .propagation = MS_PRIVATE};
        int r = sys_mount_setattr(s->host_root, "", AT_SELF | UAPI_AT_RECURSIVE, &attr);
        if (r < 0)
            init_fail(s->l, r, "cannot make the file tree read-only");
        s->new_root = s->host_root;
        return;
    }
    struct uapi_mount_attr attr = {.propagation = MS_PRIVATE};
    int r = sys_mount_setattr(s->host_root, "", AT_SELF | UAPI_AT_RECURSIVE, &attr);
    if (r < 0)
        init_fail(s->l, r, "cannot make the file tree private");
    static const char *const options[][2] = {{"mode", "0755"}, {"size", "16m"}, {NULL, NULL}};
    int fd = mounts_new("tmpfs", options, LOCKED_DOWN);
    if (fd < 0)
        init_fail(s->l, fd, "cannot make a root of its own");
    r = sys_move_mount(fd, AT_FDCWD, "/", UAPI_MOVE_MOUNT_F_EMPTY_PATH);
    if (r < 0)
        init_fail(s->l, r, "cannot attach the sandbox's root");
    set_own(s, fd);
    s->new_root = fd;
}

/* ---- step 3: attach ---- */

/* Makes the mount point PATH with its parents where the plan's own tmpfs is writable for us: in a
 * root of our own, and below reopened masks. Exists already: fine. What is missing in a directory
 * of the host is not made there. */
static void make_place(struct set_up *s, const char *path, bool is_dir)
{
    char buf[PATH_MAX];
    size_t n = strlen(path);
    if (n >= sizeof(buf))
        init_fail(s->l, -ENAMETOOLONG, "cannot make a place for %s", show(path));
    _cleanup_fd_ int at = fcntl(s->new_root, F_DUPFD_CLOEXEC, 3);
    struct bytes c;
    for (const char *p = path; path_next(&p, &c);) {
        bool last = *p == '\0';
        memcpy(buf, c.p, c.n);
        buf[c.n] = '\0';
        int fd = openat(at, buf, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT) {
            if (!is_own(s, at)) {
                errno = ENOENT;
            } else if (last && !is_dir) {
                fd = openat(at, buf, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0444);
            } else if (mkdirat(at, buf, 0755) == 0) {
                fd = openat(at, buf, O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
            }
        }
        if (fd < 0)
            init_fail(s->l, -errno, "cannot make a place for %s", show(path));
        fd_close(at);
        at = fd;
    }
}

static void put_on(struct set_up *s, int tree, const char *path, const struct plan_mount *what)
{
    int r = attach(tree, s->new_root, path, what);
    if (r < 0)
        init_fail(s->l, r,
                  r == -ENOSPC
                      ? "too many mounts: the kernel's limit (fs.mount-max) is reached at %s"
                  : r == -ESTALE ? "%s changed while the sandbox was being set up"
                                 : "cannot mount on %s",
                  show(path));
}

static void put(struct set_up *s, int tree, const char *path)
{
    put_on(s, tree, path, NULL);
}

static int clone_of(struct set_up *s, int fd, const char *path)
{
    int tree = sys_open_tree(fd, "", AT_SELF | UAPI_OPEN_TREE_CLONE | O_CLOEXEC);
    if (tree < 0)
        init_fail(s->l, tree, "cannot make a mask for %s", show(path));
    return tree;
}

/* A mask below which something is opened again: a directory of its own that can be passed through
 * but not listed. Stays writable for us until everything below it stands. */
static void put_reopened(struct set_up *s, const struct plan_mount *m)
{
    static const char *const options[][2] = {{"mode", "0755"}, {"size", "1m"}, {NULL, NULL}};
    _cleanup_fd_ int fd = mounts_new("tmpfs", options, LOCKED_DOWN | UAPI_MOUNT_ATTR_NOEXEC);
    if (fd < 0)
        init_fail(s->l, fd, "cannot make a mask for %s", show(m->path));
    set_own(s, fd);
    put(s, fd, m->path);
}

static void seal_reopened(struct set_up *s)
{
    for (size_t i = 0; i < s->plan->n_mounts; i++) {
        const struct plan_mount *m = &s->plan->mounts[i];
        if (m->op != MOUNT_MASK || !m->reopened)
            continue;
        /* The directories on the way down can be entered, not listed. */
        _cleanup_fd_ int fd = open_in(s->new_root, m->path, 0);
        if (fd < 0)
            init_fail(s->l, fd, "cannot seal the mask of %s", show(m->path));
        for (size_t k = 0; k < s->plan->n_mounts; k++) {
            const char *below = s->plan->mounts[k].path;
            if (k == i || !path_is_below(below, m->path))
                continue;
            char dir[PATH_MAX];
            size_t n = strlen(m->path);
            for (const char *p = below + n; (p = strchr(p + 1, '/'));) {
                size_t len = (size_t)(p - below);
                if (len >= sizeof(dir))
                    break;
                memcpy(dir, below, len);
                dir[len] = '\0';
                _cleanup_fd_ int d = open_in(s->new_root, dir, 0);
                struct stat a, b;
                if (d >= 0 && fstat(d, &a) == 0 && fstat(fd, &b) == 0 && a.st_dev == b.st_dev) {
                    char link[64];
                    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", d);
                    if (fchmodat(d, ".", 0111, 0) < 0)
                        init_fail(s->l, -errno, "cannot seal the mask of %s", show(m->path));
                }
            }
        }
        if (fchmodat(fd, ".", 0111, 0) < 0 || mounts_set(fd, UAPI_MOUNT_ATTR_RDONLY) < 0)
            init_fail(s->l, -errno, "cannot seal the mask of %s", show(m->path));
    }
}

static void put_proc(struct set_up *s)
{
    _cleanup_fd_ int fd = mounts_new("proc", NULL, LOCKED_DOWN | UAPI_MOUNT_ATTR_NOEXEC);
    if (fd < 0) {
        /* Where an outer container covers parts of its /proc, the kernel refuses a fresh one. */
        static const char *const options[][2] = {{"mode", "0555"}, {"size", "64k"}, {NULL, NULL}};
        static const char *const files[] = {"cpuinfo", "meminfo",     "stat",    "uptime",
                                            "loadavg", "filesystems", "version", "cmdline"};
        struct message note = {.kind = MESSAGE_NOTE,
                               .text =
                                   "/proc cannot be mounted here: the command gets a minimal one"};
        (void)fd_send(s->l->control[1], &note, sizeof(note), NULL, 0);
        fd = mounts_new("tmpfs", options, LOCKED_DOWN | UAPI_MOUNT_ATTR_NOEXEC);
        if (fd < 0)
            init_fail(s->l, fd, "cannot make a /proc");
        int trees[ARRAY_LEN(files)];
        for (size_t i = 0; i < ARRAY_LEN(files); i++) {
            char path[64];
            (void)snprintf(path, sizeof(path), "proc/%s", files[i]);
            trees[i] = sys_open_tree(s->host_root, path, UAPI_OPEN_TREE_CLONE | O_CLOEXEC);
        }
        put(s, fd, "/proc");
        for (size_t i = 0; i < ARRAY_LEN(files); i++) {
            if (trees[i] < 0)
                continue;
            int f = openat(fd, files[i], O_CREAT | O_WRONLY | O_CLOEXEC, 0444);
            fd_close(f);
            if (f < 0 || mounts_set(trees[i], UAPI_MOUNT_ATTR_RDONLY | LOCKED_DOWN) < 0 ||
                sys_move_mount(trees[i], fd, files[i], UAPI_MOVE_MOUNT_F_EMPTY_PATH) < 0)
                init_fail(s->l, -errno, "cannot fill the minimal /proc");
            fd_close(trees[i]);
        }
        if (mounts_set(fd, UAPI_MOUNT_ATTR_RDONLY) < 0)
            init_fail(s->l, -errno, "cannot seal the minimal /proc");
        return;
    }
    put(s, fd, "/proc");
    /* Names of the keys that the caller's uid holds. */
    static const char *const hidden[] = {"keys", "key-users"};
    for (size_t i = 0; i < ARRAY_LEN(hidden); i++) {
        _cleanup_fd_ int tree = clone_of(s, s->mask_file, "/proc");
        int r = sys_move_mount(tree, fd, hidden[i], UAPI_MOVE_MOUNT_F_EMPTY_PATH);
        if (r < 0 && r != -ENOENT)
            init_fail(s->l, r, "cannot mask /proc/%s", hidden[i]);
    }
    /* The kernel lets the host's root write these by file mode alone, without any capability. */
    if (geteuid() != 0 && getegid() != 0)
        return;
    static const char *const shut[] = {
        "sys",  "sysrq-trigger", "irq",    "bus",           "acpi",       "fs",         "scsi",
        "mtrr", "driver",        "asound", "latency_stats", "timer_list", "kpagecount", "kcore"};
    for (size_t i = 0; i < ARRAY_LEN(shut); i++) {
        _cleanup_fd_ int tree = sys_open_tree(fd, shut[i], UAPI_OPEN_TREE_CLONE | O_CLOEXEC);
        if (tree == -ENOENT)
            continue;
        if (tree < 0 || mounts_set(tree, UAPI_MOUNT_ATTR_RDONLY) < 0 ||
            sys_move_mount(tree, fd, shut[i], UAPI_MOVE_MOUNT_F_EMPTY_PATH) < 0)
            init_fail(s->l, -errno, "cannot make /proc/%s read-only", shut[i]);
    }
}

static void put_dev(struct set_up *s)
{
    /* Sealed before the command starts: the size is for files with roots (MOUNT_TEXT). */
    static const char *const options[][2] = {{"mode", "0755"}, {"size", "40m"}, {NULL, NULL}};
    static const char *const nodes[] = {"null", "zero", "full", "random", "urandom", "tty"};
    static const char *const links[][2] = {{"/proc/self/fd", "fd"},
                                           {"/proc/self/fd/0", "stdin"},
                                           {"/proc/self/fd/1", "stdout"},
                                           {"/proc/self/fd/2", "stderr"},
                                           {"pts/ptmx", "ptmx"}};
    int trees[ARRAY_LEN(nodes)];
    for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
        /* Not by a path from the root: the masks may stand there. */
        _cleanup_fd_ int fd = path_openat2(s->host_dev, nodes[i], O_PATH | O_NOFOLLOW, 0, 0);
        struct stat st;
        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode))
            init_fail(s->l, fd < 0 ? fd : -ENODEV, "cannot use the host's /dev/%s", nodes[i]);
        trees[i] = sys_open_tree(fd, "", AT_SELF | UAPI_OPEN_TREE_CLONE | O_CLOEXEC);
        /* Step 2 may have set nodev already: these few are devices on purpose. */
        struct uapi_mount_attr attr = {.attr_set = UAPI_MOUNT_ATTR_NOSUID | UAPI_MOUNT_ATTR_NOEXEC,
                                       .attr_clr = UAPI_MOUNT_ATTR_NODEV | UAPI_MOUNT_ATTR_RDONLY,
                                       .propagation = MS_PRIVATE};
        if (trees[i] < 0 || sys_mount_setattr(trees[i], "", AT_SELF, &attr) < 0)
            init_fail(s->l, -errno, "cannot use the host's /dev/%s", nodes[i]);
    }
    _cleanup_fd_ int dev =
        mounts_new("tmpfs", options, UAPI_MOUNT_ATTR_NOSUID | UAPI_MOUNT_ATTR_NOEXEC);
    if (dev < 0)
        init_fail(s->l, dev, "cannot make a /dev");
    set_own(s, dev);
    put(s, dev, "/dev");
    for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
        int f = openat(dev, nodes[i], O_CREAT | O_WRONLY | O_CLOEXEC, 0444);
        int r =
            f < 0 ? -errno : sys_move_mount(trees[i], dev, nodes[i], UAPI_MOVE_MOUNT_F_EMPTY_PATH);
        if (r < 0)
            init_fail(s->l, r, "cannot make /dev/%s", nodes[i]);
        fd_close(f);
        fd_close(trees[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(links); i++)
        if (symlinkat(links[i][0], dev, links[i][1]) < 0)
            init_fail(s->l, -errno, "cannot make /dev/%s", links[i][1]);
    static const char *const pts_options[][2] = {
        {"ptmxmode", "0666"}, {"mode", "0620"}, {NULL, NULL}};
    static const char *const shm_options[][2] = {{"mode", "1777"}, {NULL, NULL}};
    _cleanup_fd_ int pts =
        mounts_new("devpts", pts_options, UAPI_MOUNT_ATTR_NOSUID | UAPI_MOUNT_ATTR_NOEXEC);
    _cleanup_fd_ int shm = mounts_new("tmpfs", shm_options, LOCKED_DOWN);
    if (pts < 0 || shm < 0)
        init_fail(s->l, pts < 0 ? pts : shm, "cannot make /dev/%s", pts < 0 ? "pts" : "shm");
    set_own(s, shm);
    if (mkdirat(dev, "pts", 0755) < 0 || mkdirat(dev, "shm", 0755) < 0 ||
        sys_move_mount(pts, dev, "pts", UAPI_MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
        sys_move_mount(shm, dev, "shm", UAPI_MOVE_MOUNT_F_EMPTY_PATH) < 0)
        init_fail(s->l, -errno, "cannot make /dev/pts and /dev/shm");
}

/* Has the plan a mount of its own below /dev? Then its places are made before /dev is sealed. */
static void seal_dev(struct set_up *s)
{
    _cleanup_fd_ int dev = open_in(s->new_root, "/dev", 0);
    if (dev < 0 || mounts_set(dev, UAPI_MOUNT_ATTR_RDONLY) < 0)
        init_fail(s->l, dev < 0 ? dev : -errno, "cannot seal /dev");
}

/* The place was just made, in our own /dev. */
static void put_text(struct set_up *s, const struct plan_mount *m)
{
    const struct run_network *net = s->l->options->network;
    char buf[16384];
    _cleanup_fd_ int to = path_openat2(s->new_root, m->path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0,
                                       UAPI_RESOLVE_IN_ROOT | UAPI_RESOLVE_NO_SYMLINKS);
    for (size_t i = 0; net && i < net->n_files; i++) {
        if (strcmp(net->files[i].path, m->path) != 0)
            continue;
        off_t at = 0;
        ssize_t n = to < 0 ? -1 : 1;
        while (n > 0 && (n = pread(net->files[i].fd, buf, sizeof(buf), at)) > 0) {
            if (fd_write_all(to, buf, (size_t)n) < 0)
                n = -1;
            at += n;
        }
        if (n == 0 && fchmod(to, 0444) == 0)
            return;
        break;
    }
    init_fail(s->l, to < 0 ? to : -errno, "cannot write %s", show(m->path));
}

static void attach_all(struct set_up *s)
{
    bool own_dev = false, below_mask = false, held = false;
    for (size_t i = 0; i < s->plan->n_mounts; i++) {
        const struct plan_mount *m = &s->plan->mounts[i];
        bool ours = !s->plan->root_is_host || below_mask ||
                    (own_dev && path_is_below(m->path, "/dev")) || m->op == MOUNT_SOCKET;
        if (m->op == MOUNT_BIND && s->trees[i] < 0)
            continue;
        if (m->op == MOUNT_MISSING && !held) {
            init_await(s->l, MESSAGE_HELD);
            held = true;
        }
        if (ours && m->path[1] && (!is_optional(m) || s->trees[i] >= 0))
            make_place(s, m->path,
                       m->is_dir || m->op == MOUNT_TMPFS || m->op == MOUNT_PROC ||
                           m->op == MOUNT_DEV);
        switch (m->op) {
        case MOUNT_BIND:
        case MOUNT_DEVICE:
        case MOUNT_SOCKET:
        case MOUNT_SELF:
            if (s->trees[i] >= 0)
                put(s, s->trees[i], m->path);
            break;
        case MOUNT_TEXT:
            put_text(s, m);
            break;
        case MOUNT_MASK:
            if (m->reopened) {
                put_reopened(s, m);
                below_mask = true;
            } else {
                _cleanup_fd_ int tree =
                    clone_of(s, m->is_dir ? s->mask_dir : s->mask_file, m->path);
                /* On the very file the survey saw: another one here means it is elsewhere now. */
                put_on(s, tree, m->path, m);
            }
            break;
        case MOUNT_MISSING: {
            _cleanup_fd_ int tree = clone_of(s, s->empty_dir, m->path);
            put(s, tree, m->path);
            break;
        }
        case MOUNT_TMPFS: {
            static const char *const options[][2] = {{"mode", "1777"}, {NULL, NULL}};
            _cleanup_fd_ int fd = mounts_new("tmpfs", options, LOCKED_DOWN);
            if (fd < 0)
                init_fail(s->l, fd, "cannot make a tmpfs for %s", show(m->path));
            set_own(s, fd);
            put(s, fd, m->path);
            break;
        }
        case MOUNT_PROC:
            put_proc(s);
            break;
        case MOUNT_DEV:
            put_dev(s);
            own_dev = true;
            break;
        }
    }
    if (below_mask)
        seal_reopened(s);
    if (own_dev)
        seal_dev(s);
    fd_close(s->mask_file);
    fd_close(s->mask_dir);
    fd_close(s->empty_dir);
    if (!s->mask_covered && (fchdir(s->mask_fs) < 0 || umount2(".", MNT_DETACH) < 0))
        init_fail(s->l, -errno, "cannot take the tmpfs for masks away");
    fd_close(s->mask_fs);
    fd_close(s->host_dev);
    vec_release(&s->own);
    /* Where bawn was started may be covered by now; the command enters its directory by name. */
    if (chdir("/") < 0)
        init_fail(s->l, -errno, "cannot leave the host's directory");
    if (s->plan->root_is_host)
        return;
    if (fchdir(s->new_root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
        umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        init_fail(s->l, -errno, "cannot change to the sandbox's root");
    if (mounts_set(s->new_root, UAPI_MOUNT_ATTR_RDONLY) < 0)
        init_fail(s->l, -errno, "cannot make the sandbox's root read-only");
}

/* ---- step 4: verify ---- */

static void verify(struct set_up *s)
{
    for (size_t i = 0; i < s->plan->n_mounts; i++) {
        const struct plan_mount *m = &s->plan->mounts[i];
        if (m->op == MOUNT_TEXT || m->op == MOUNT_PROC || m->op == MOUNT_DEV ||
            m->op == MOUNT_TMPFS || is_optional(m))
            continue;
        struct stat st;
        _cleanup_fd_ int fd = open_in(s->new_root, m->path, 0);
        if (fd < 0 || fstat(fd, &st) < 0)
            init_fail(s->l, fd < 0 ? fd : -errno, "cannot look at %s after mounting",
                      show(m->path));
        bool right = m->op == MOUNT_BIND      ? same_file(m, &st)
                     : m->reopened            ? (st.st_mode & 07777) == 0111
                     : m->op == MOUNT_MISSING ? S_ISDIR(st.st_mode) && (st.st_mode & 07777) == 0555
                                              : (st.st_mode & 07777) == 0;
        if (m->op == MOUNT_BIND && s->plan->root_is_host && m->path[1]) {
            /* The mount, not only the file: a clone has a mount id of its own. */
            int64_t here = sys_mount_id(fd), tree = sys_mount_id(s->trees[i]);
            right = right && (here < 0 || tree < 0 || here == tree);
        }
        if (!right)
            init_fail(s->l, -ESTALE, "%s changed while the sandbox was being set up",
                      show(m->path));
    }
    for (size_t i = 0; i < s->plan->n_mounts; i++)
        fd_close(s->trees[i]);
}

/* ---- the process ---- */

static void raise_nofile(struct launch *l, size_t need)
{
    struct rlimit want = l->nofile;
    if (want.rlim_cur < need + 64) {
        want.rlim_cur = MIN_OF(want.rlim_max, (rlim_t)(need + 64));
        (void)setrlimit(RLIMIT_NOFILE, &want);
    }
}

static _noreturn_ void bundled_child(struct launch *l, int *trees)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        _exit(125);
    /* Who started this may be gone since before that. Its ends of the sockets are nobody's then,
     * and waiting for a word from it ends. */
    fd_close(l->control[0]);
    fd_close(l->work[0]);
    static struct net net;
    bool netns = l->plan->network != NETWORK_OPEN;
    if (netns)
        net_start(l, &net, l->plan->filter & FILTER_NETWORK_OFF);
    init_await(l, MESSAGE_GO);
    struct set_up s = {.l = l, .plan = l->plan, .trees = trees};
    raise_nofile(l, l->plan->n_mounts < 4096 ? l->plan->n_mounts : 4096);
    s.host_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (s.host_root < 0)
        init_fail(l, -errno, "cannot open /");
    umask(0);
    s.host_dev = open_in(s.host_root, "/dev", O_DIRECTORY);
    collect(&s);
    make_base(&s);
    make_masks(&s);
    attach_all(&s);
    verify(&s);
    if (!l->plan->nested_userns) {
        /* A second wall behind the filter: no user namespace below this one. */
        _cleanup_fd_ int fd = open("/proc/sys/user/max_user_namespaces", O_WRONLY | O_CLOEXEC);
        if (fd >= 0)
            (void)!write(fd, "0", 1);
    }
    int master = -1, slave = -1;
    if (l->want_pty) {
        int r = init_open_pty(&master, &slave);
        if (r < 0)
            init_fail(l, r, "cannot make a terminal for the command");
    }
    fd_close(s.host_root);
    if (netns)
        net_enter(l, &net);
    init_main(l, netns ? net.diag : -1, master, slave);
}

static int write_file(pid_t pid, const char *name, const char *text)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    _cleanup_fd_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* The same ids inside as outside. The host's root maps all of them so that owners show as they are;
 * it has no capability inside either way. */
static int map_ids(pid_t pid, struct error *err)
{
    char map[64];
    int r = 0;
    bool all = geteuid() == 0;
    if (all) {
        r = write_file(pid, "uid_map", "0 0 4294967295");
        if (r == 0)
            r = write_file(pid, "gid_map", "0 0 4294967295");
        if (r == 0)
            return 0;
    }
    (void)snprintf(map, sizeof(map), "%u %u 1", geteuid(), geteuid());
    r = write_file(pid, "uid_map", map);
    if (r == 0)
        r = write_file(pid, "setgroups", "deny");
    if (r == 0) {
        (void)snprintf(map, sizeof(map), "%u %u 1", getegid(), getegid());
        r = write_file(pid, "gid_map", map);
    }
    return r < 0 ? error_errno(err, r, "cannot map user and group ids into the sandbox") : 0;
}

/* Is there room for the plan's mounts? Asked of large plans only; a wrong guess still ends at the
 * kernel's own limit. */
static int check_room(const struct plan *plan, struct error *err)
{
    if (plan->n_mounts < 1000)
        return 0;
    size_t max, host;
    survey_mount_limit(&max, &host);
    if (max == 0 || plan->n_mounts + host + 16 <= max)
        return 0;
    error_set(
        err, -ENOSPC,
        "%zu mounts are needed beside the host's %zu, and the kernel allows %zu in a namespace",
        plan->n_mounts, host, max);
    error_hint(err,
               "mask the directories that hold these files, or raise it: sysctl fs.mount-max=%zu",
               (plan->n_mounts + host) * 2);
    return -ENOSPC;
}

int bundled_spawn(struct launch *l, pid_t *ret_pid, int *ret_pidfd, struct error *err)
{
    uint64_t flags =
        CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
    int r = check_room(l->plan, err);
    if (r < 0)
        return r;
    _cleanup_free_ int *trees = mem_zalloc(l->plan->n_mounts + 1, sizeof(*trees));
    if (!trees)
        return error_set(err, -ENOMEM, "out of memory");
    int pidfd = -1;
    pid_t pid = sys_clone3(flags, &pidfd);
    if (pid == 0)
        bundled_child(l, trees);
    if (pid < 0) {
        error_errno(err, pid, "cannot make namespaces for the sandbox");
        error_hint(err, "`bawn doctor` shows what forbids them and how to allow it");
        return pid;
    }
    r = map_ids(pid, err);
    struct message go = {.kind = MESSAGE_GO};
    if (r == 0) {
        r = fd_send(l->control[0], &go, sizeof(go), NULL, 0);
        if (r < 0)
            error_errno(err, r, "cannot start the sandbox");
    }
    if (r < 0) {
        (void)kill(pid, SIGKILL);
        fd_close(pidfd);
        return r;
    }
    *ret_pid = pid;
    *ret_pidfd = pidfd;
    return 0;
}

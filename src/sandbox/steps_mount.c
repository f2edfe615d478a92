/*
 * The file view of a plan of steps.
 *
 *   1. collect   every source is opened on the host, once, before anything is changed. What is
 *                mounted later is that descriptor: a link swapped meanwhile changes nothing
 *   2. root      an empty tmpfs, attached over a directory of the host that nobody will look for;
 *                it is found by descriptor only, and left out of every clone of the host's tree
 *   3. steps     in their order. A destination is looked up with the new root as its root: no link
 *                in a tree that was bound before leads out of it. A mount is made detached, gets
 * its flags, and is put on the descriptor that was found
 *   4. enter     pivot_root(2) into what then stands at "/", and the host's tree is let go
 *
 * The cost of a step does not depend on how many there were: nothing reads the mount table.
 *
 * Messages name paths as bubblewrap's do (a place in the new root is "/newroot/…"), for scripts
 * that look for them.
 */
#include "sandbox/steps_run.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/sys.h"
#include "sandbox/mounts.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define AT_SELF      (AT_EMPTY_PATH)
#define TAME         (UAPI_MOUNT_ATTR_NOSUID | UAPI_MOUNT_ATTR_NODEV)
#define SOURCES_KEPT 4 /* distinct sources that are compared with the next one */

struct site {
    struct launch *l;
    const struct plan_steps *p;
    int *sources; /* of each step; negative: not opened. Several steps may share one */
    int base;     /* root of the tmpfs below everything */
    int root;     /* what stands at "/" of the new root by now */
    dev_t root_dev;
    ino_t root_ino;
    struct stat at; /* of the place that was looked up last */
    int typed;      /* the source looked at last, */
    bool typed_dir; /* and what it is */
    int spare;      /* a tmpfs nobody sees, for what is written to a --tmp-overlay; -1 = none */
    unsigned n_spare, n_data;
};

static const char *newroot(const char *dest)
{
    return dest + strspn(dest, "/");
}

/* ---- sources ---- */

static int open_source(const char *path)
{
    return path_openat2(AT_FDCWD, path, O_PATH, 0, 0);
}

/* The file behind a descriptor of the caller's, by its name here: a mount of another namespace
 * cannot be bound. What stands at the name must be the very same file. */
static int open_behind(struct site *s, int fd)
{
    char link[64], path[PATH_MAX];
    struct stat want, got;
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    if (n < 0 || fstat(fd, &want) < 0)
        init_fail(s->l, -errno, "Can't find source path %s", link);
    path[n] = '\0';
    int here = open_source(path);
    if (here < 0)
        init_fail(s->l, here, "Can't find source path %s", link);
    if (fstat(here, &got) < 0)
        init_fail(s->l, -errno, "Can't stat fd %d", fd);
    if (got.st_dev != want.st_dev || got.st_ino != want.st_ino)
        init_fail(s->l, 0, "Race condition binding dirfd");
    return here;
}

/* Opens all of them. Many steps share few sources (masks): the last few are compared by name. Past
 * the limit of open files the rest is opened when its turn comes. */
static void collect(struct site *s)
{
    size_t kept[SOURCES_KEPT] = {0}, n_kept = 0;
    bool full = false;
    for (size_t i = 0; i < s->p->n; i++) {
        const struct plan_step *step = &s->p->v[i];
        s->sources[i] = -1;
        if (step->op != STEP_BIND)
            continue;
        if (step->fd >= 0) {
            s->sources[i] = open_behind(s, step->fd);
            continue;
        }
        size_t k = 0;
        while (k < MIN_OF(n_kept, SOURCES_KEPT) &&
               strcmp(s->p->v[kept[k]].source, step->source) != 0)
            k++;
        if (k < MIN_OF(n_kept, SOURCES_KEPT)) {
            s->sources[i] = s->sources[kept[k]];
            if (s->sources[i] == -ENOENT && !step->optional)
                init_fail(s->l, -ENOENT, "Can't find source path %s", show(step->source));
            continue;
        }
        if (full)
            continue;
        int fd = open_source(step->source);
        if (fd == -EMFILE) {
            full = true;
            continue;
        }
        if (fd < 0 && !(step->optional && fd == -ENOENT))
            init_fail(s->l, fd, "Can't find source path %s", show(step->source));
        s->sources[i] = fd < 0 ? -ENOENT : fd;
        kept[n_kept++ % SOURCES_KEPT] = i;
    }
}

/* The host's tree can be bound as a whole while the new root hangs in it: what is unbindable is not
 * cloned along. */
static void set_bindable(struct site *s, int fd, bool on)
{
    struct uapi_mount_attr attr = {.propagation = on ? MS_PRIVATE : MS_UNBINDABLE};
    int r = sys_mount_setattr(fd, "", AT_SELF, &attr);
    if (r < 0)
        init_fail(s->l, r, "cannot keep the new root apart");
}

/* ---- places in the new root ---- */

static int look_up(struct site *s, const char *dest, int flags)
{
    if (dest[0] == '\0')
        dest = "/";
    return path_openat2(s->root, dest, O_PATH | flags, 0,
                        UAPI_RESOLVE_IN_ROOT | UAPI_RESOLVE_NO_MAGICLINKS);
}

/* The directory DEST stands in, made with its parents where they are missing. BUF has PATH_MAX
 * bytes; *ret_name is the last component. */
static int parent_of(struct site *s, const char *dest, mode_t mode, char *buf,
                     const char **ret_name)
{
    size_t n = strlen(dest);
    while (n > 0 && dest[n - 1] == '/')
        n--;
    if (n == 0)
        return -EISDIR;
    if (n >= PATH_MAX)
        return -ENAMETOOLONG;
    memcpy(buf, dest, n);
    buf[n] = '\0';
    char *slash = memrchr(buf, '/', n);
    *ret_name = slash ? slash + 1 : buf;
    if (!slash || slash == buf)
        return look_up(s, "/", O_DIRECTORY);
    *slash = '\0';
    int fd = look_up(s, buf, O_DIRECTORY);
    if (fd != -ENOENT)
        return fd;
    _cleanup_fd_ int at = look_up(s, "/", O_DIRECTORY);
    for (char *p = buf; at >= 0 && *p;) {
        char *name = p + strspn(p, "/"), *end = name + strcspn(name, "/"), kept = *end;
        *end = '\0';
        fd = look_up(s, buf, O_DIRECTORY);
        if (fd == -ENOENT) {
            if (mkdirat(at, name, mode) < 0 && errno != EEXIST)
                return -errno;
            fd = look_up(s, buf, O_DIRECTORY);
        }
        *end = kept;
        p = end;
        if (fd < 0)
            return fd;
        fd_close(at);
        at = fd;
    }
    return at < 0 ? at : steal_fd(&at);
}

/* What parents of STEP are made with: closed to those that the file itself is closed to. */
static mode_t parent_mode(const struct plan_step *step)
{
    mode_t mode = 0755;
    if (step->perms >= 0 && (step->perms & 0070) == 0)
        mode &= ~(mode_t)0050;
    if (step->perms >= 0 && (step->perms & 0007) == 0)
        mode &= ~(mode_t)0005;
    return mode;
}

static int need_parent(struct site *s, const struct plan_step *step, char *buf, const char **name)
{
    int fd = parent_of(s, step->dest, parent_mode(step), buf, name);
    if (fd < 0)
        init_fail(s->l, fd, "Can't mkdir parents for %s", show(step->dest));
    return fd;
}

/* A directory at DEST: the one there, or a new one. */
static int dir_at(struct site *s, const struct plan_step *step, mode_t mode)
{
    char buf[PATH_MAX];
    const char *name;
    int fd = look_up(s, step->dest, 0);
    if (fd >= 0) {
        if (fstat(fd, &s->at) < 0 || !S_ISDIR(s->at.st_mode))
            init_fail(s->l, -ENOTDIR, "Can't mkdir %s", show(step->dest));
        return fd;
    }
    _cleanup_fd_ int parent = need_parent(s, step, buf, &name);
    if (mkdirat(parent, name, mode) < 0 && errno != EEXIST)
        init_fail(s->l, -errno, "Can't mkdir %s", show(step->dest));
    fd = look_up(s, step->dest, O_DIRECTORY);
    if (fd < 0 || fstat(fd, &s->at) < 0)
        init_fail(s->l, fd < 0 ? fd : -errno, "Can't mkdir %s", show(step->dest));
    return fd;
}

/* Something that is no directory at DEST, to be mounted on. */
static int file_at(struct site *s, const struct plan_step *step)
{
    char buf[PATH_MAX];
    const char *name;
    int fd = look_up(s, step->dest, 0);
    if (fd < 0) {
        fd_close(need_parent(s, step, buf, &name));
        int made = path_openat2(s->root, step->dest, O_CREAT | O_WRONLY | O_NOCTTY | O_NONBLOCK,
                                0444, UAPI_RESOLVE_IN_ROOT | UAPI_RESOLVE_NO_MAGICLINKS);
        if (made < 0)
            init_fail(s->l, made, "Can't create file at %s", show(step->dest));
        fd_close(made);
        fd = look_up(s, step->dest, 0);
    }
    if (fd < 0 || fstat(fd, &s->at) < 0)
        init_fail(s->l, fd < 0 ? fd : -errno, "Can't create file at %s", show(step->dest));
    if (S_ISDIR(s->at.st_mode))
        init_fail(s->l, -EISDIR, "Can't create file at %s", show(step->dest));
    return fd;
}

static void set_root(struct site *s, int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        init_fail(s->l, -errno, "cannot look at the new root");
    s->root = fd;
    s->root_dev = st.st_dev;
    s->root_ino = st.st_ino;
}

/* Puts TREE on AT, the place looked up last. What is put on "/" is where everything after it is
 * looked up: who calls keeps TREE when this says so. */
static bool put(struct site *s, int tree, int at, const char *what, const char *from,
                const char *dest)
{
    bool top = s->at.st_dev == s->root_dev && s->at.st_ino == s->root_ino &&
               sys_mount_id(at) == sys_mount_id(s->root);
    int r = mounts_put(tree, at);
    if (r == -ENOSPC)
        init_fail(s->l, 0,
                  "Can't %s %s%s/newroot/%s: the kernel's limit of mounts (fs.mount-max) is "
                  "reached",
                  what, from ? show(from) : "", from ? " on " : "", show(newroot(dest)));
    if (r < 0)
        init_fail(s->l, r, "Can't %s %s%s/newroot/%s", what, from ? show(from) : "",
                  from ? " on " : "", show(newroot(dest)));
    if (top)
        set_root(s, tree);
    return top;
}

/* ---- the steps ---- */

/* A clone of what SOURCE stands for, with FLAGS on it and all that is mounted below. */
static int clone_of(struct site *s, int source, uint64_t flags, const char *from, const char *dest)
{
    int tree =
        sys_open_tree(source, "", AT_SELF | UAPI_OPEN_TREE_CLONE | UAPI_AT_RECURSIVE | O_CLOEXEC);
    struct uapi_mount_attr attr = {.attr_set = flags};
    int r = tree < 0 ? tree : sys_mount_setattr(tree, "", AT_SELF | UAPI_AT_RECURSIVE, &attr);
    if (r < 0)
        init_fail(s->l, r, "Can't bind mount /oldroot%s%s on /newroot/%s",
                  from[0] == '/' ? "" : "/", show(from), show(newroot(dest)));
    return tree;
}

static uint64_t bind_flags(const struct plan_step *step)
{
    return UAPI_MOUNT_ATTR_NOSUID | (step->devices ? 0 : UAPI_MOUNT_ATTR_NODEV) |
           (step->read_only ? UAPI_MOUNT_ATTR_RDONLY : 0);
}

static void do_bind(struct site *s, const struct plan_step *step, int source)
{
    _cleanup_fd_ int own = -1;
    struct stat st;
    if (source == -ENOENT)
        return;
    if (source < 0) {
        source = own = open_source(step->source);
        if (own == -ENOENT && step->optional)
            return;
        if (own < 0)
            init_fail(s->l, own, "Can't find source path %s", show(step->source));
    }
    if (source != s->typed || own >= 0) {
        if (fstat(source, &st) < 0)
            init_fail(s->l, -errno, "Can't get type of source %s", show(step->source));
        s->typed = own >= 0 ? -1 : source;
        s->typed_dir = S_ISDIR(st.st_mode);
    }
    const char *from = step->source;
    _cleanup_fd_ int at = s->typed_dir ? dir_at(s, step, 0755) : file_at(s, step);
    int tree = clone_of(s, source, bind_flags(step), from, step->dest);
    if (!put(s, tree, at, "bind mount", from, step->dest))
        fd_close(tree);
}

static void put_new(struct site *s, int fs, const struct plan_step *step, const char *type)
{
    char what[64];
    (void)snprintf(what, sizeof(what), "mount %s on", type);
    if (fs < 0)
        init_fail(s->l, fs, "Can't %s /newroot/%s", what, show(newroot(step->dest)));
    _cleanup_fd_ int at = dir_at(s, step, 0755);
    if (!put(s, fs, at, what, NULL, step->dest))
        fd_close(fs);
}

/* The kernel guards these of /proc by file mode alone: where the mode would let this user write,
 * they are made read-only. */
static void cover_proc(struct site *s, int proc)
{
    static const char *const names[] = {"sys", "sysrq-trigger", "irq", "bus"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        /* By the effective ids and capabilities: access(2) would forget those where the user is not
         * called root in here. */
        if (syscall(UAPI_SYS_faccessat2, proc, names[i], W_OK, AT_EACCESS) < 0) {
            if (errno == EACCES || errno == ENOENT || errno == EROFS)
                continue;
            init_fail(s->l, -errno, "Can't access /proc/%s", names[i]);
        }
        _cleanup_fd_ int at = openat(proc, names[i], O_PATH | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_fd_ int tree =
            sys_open_tree(proc, names[i], UAPI_OPEN_TREE_CLONE | UAPI_AT_RECURSIVE | O_CLOEXEC);
        struct uapi_mount_attr attr = {.attr_set = TAME | UAPI_MOUNT_ATTR_RDONLY};
        int r = tree < 0 ? tree : sys_mount_setattr(tree, "", AT_SELF | UAPI_AT_RECURSIVE, &attr);
        if (r == 0)
            r = at < 0 ? -EIO : mounts_put(tree, at);
        if (r < 0)
            init_fail(s->l, r, "Can't make /proc/%s read-only", names[i]);
    }
}

static void do_proc(struct site *s, const struct plan_step *step)
{
    static const char *const options[][2] = {{"source", "proc"}, {NULL, NULL}};
    int fs;
    _cleanup_fd_ int at = dir_at(s, step, 0755);
    if (s->p->unshare_pid || s->p->pidns_fd >= 0) {
        fs = mounts_new("proc", options, TAME | UAPI_MOUNT_ATTR_NOEXEC);
        if (fs < 0)
            init_fail(s->l, fs, "Can't mount proc on /newroot/%s", show(newroot(step->dest)));
    } else {
        _cleanup_fd_ int host = open_source("/proc");
        if (host < 0)
            init_fail(s->l, host, "Can't find source path /proc");
        fs = clone_of(s, host, TAME, "/proc", step->dest);
    }
    bool top = put(s, fs, at, "mount proc on", NULL, step->dest);
    cover_proc(s, fs);
    if (!top)
        fd_close(fs);
}

/* The terminal behind the standard output, which the command can write to anyway, as /dev/console:
 * so that ttyname(3) finds a name for it. */
static void put_console(struct site *s, int dev)
{
    char path[256];
    struct stat want, got;
    ssize_t n = isatty(1) ? readlink("/proc/self/fd/1", path, sizeof(path) - 1) : -1;
    if (n <= 0)
        return;
    path[n] = '\0';
    _cleanup_fd_ int tty = open_source(path);
    if (tty < 0 || fstat(tty, &got) < 0 || fstat(1, &want) < 0 || got.st_rdev != want.st_rdev ||
        !S_ISCHR(got.st_mode))
        return;
    _cleanup_fd_ int file = openat(dev, "console", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0444);
    _cleanup_fd_ int tree = clone_of(s, tty, UAPI_MOUNT_ATTR_NOSUID, path, "dev/console");
    int r = file < 0 ? -errno : sys_move_mount(tree, dev, "console", UAPI_MOVE_MOUNT_F_EMPTY_PATH);
    if (r < 0)
        init_fail(s->l, r, "creating /dev/console");
}

static void do_dev(struct site *s, const struct plan_step *step)
{
    static const char *const tmpfs[][2] = {{"source", "tmpfs"}, {"mode", "0755"}, {NULL, NULL}};
    static const char *const devpts[][2] = {
        {"source", "devpts"}, {"ptmxmode", "0666"}, {"mode", "620"}, {NULL, NULL}};
    static const char *const nodes[] = {"/dev/null",   "/dev/zero",    "/dev/full",
                                        "/dev/random", "/dev/urandom", "/dev/tty"};
    static const char *const links[][2] = {
        {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"},
        {"/proc/self/fd", "fd"},      {"/proc/kcore", "core"},       {"pts/ptmx", "ptmx"}};
    _cleanup_fd_ int at = dir_at(s, step, 0755);
    int dev = mounts_new("tmpfs", tmpfs, TAME);
    if (dev < 0)
        init_fail(s->l, dev, "Can't mount tmpfs on /newroot/%s", show(newroot(step->dest)));
    bool top = put(s, dev, at, "mount tmpfs on", NULL, step->dest);
    for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
        const char *name = nodes[i] + strlen("/dev/");
        _cleanup_fd_ int node = open_source(nodes[i]);
        if (node < 0)
            init_fail(s->l, node, "Can't find source path %s", nodes[i]);
        _cleanup_fd_ int file = openat(dev, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0444);
        if (file < 0)
            init_fail(s->l, -errno, "Can't create file %s/%s", show(step->dest), name);
        _cleanup_fd_ int tree = clone_of(s, node, UAPI_MOUNT_ATTR_NOSUID, nodes[i], step->dest);
        int r = sys_move_mount(tree, dev, name, UAPI_MOVE_MOUNT_F_EMPTY_PATH);
        if (r < 0)
            init_fail(s->l, r, "Can't bind mount /oldroot%s on /newroot/%s/%s", nodes[i],
                      show(newroot(step->dest)), name);
    }
    for (size_t i = 0; i < ARRAY_LEN(links); i++)
        if (symlinkat(links[i][0], dev, links[i][1]) < 0)
            init_fail(s->l, -errno, "Can't create symlink %s/%s", show(step->dest), links[i][1]);
    if (mkdirat(dev, "shm", 0755) < 0 || mkdirat(dev, "pts", 0755) < 0)
        init_fail(s->l, -errno, "Can't create %s/shm", show(step->dest));
    _cleanup_fd_ int pts =
        mounts_new("devpts", devpts, UAPI_MOUNT_ATTR_NOSUID | UAPI_MOUNT_ATTR_NOEXEC);
    int r = pts < 0 ? pts : sys_move_mount(pts, dev, "pts", UAPI_MOVE_MOUNT_F_EMPTY_PATH);
    if (r < 0)
        init_fail(s->l, r, "Can't mount devpts on /newroot/%s/pts", show(newroot(step->dest)));
    put_console(s, dev);
    if (!top)
        fd_close(dev);
}

static void do_tmpfs(struct site *s, const struct plan_step *step)
{
    char mode[16], size[32];
    (void)snprintf(mode, sizeof(mode), "%#o", (unsigned)step->perms);
    (void)snprintf(size, sizeof(size), "%llu", (unsigned long long)step->size);
    const char *const options[][2] = {
        {"source", "tmpfs"}, {"mode", mode}, {step->size ? "size" : NULL, size}, {NULL, NULL}};
    put_new(s, mounts_new("tmpfs", options, TAME), step, "tmpfs");
}

static void copy_data(struct site *s, const struct plan_step *step, int to)
{
    char buf[65536];
    for (;;) {
        ssize_t n = read(step->fd, buf, sizeof(buf));
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            break;
        int r = n < 0 ? -errno : fd_write_all(to, buf, (size_t)n);
        if (r < 0)
            init_fail(s->l, r, "Can't write data to file %s", show(step->dest));
    }
    fd_close(step->fd);
}

static void do_file(struct site *s, const struct plan_step *step)
{
    char buf[PATH_MAX];
    const char *name;
    fd_close(need_parent(s, step, buf, &name));
    _cleanup_fd_ int file =
        path_openat2(s->root, step->dest, O_CREAT | O_WRONLY | O_TRUNC | O_NOCTTY,
                     (unsigned)step->perms, UAPI_RESOLVE_IN_ROOT | UAPI_RESOLVE_NO_MAGICLINKS);
    if (file < 0)
        init_fail(s->l, file, "Can't create file %s", show(step->dest));
    copy_data(s, step, file);
}

/* The file is made on the tmpfs below everything, bound, and its name taken away: nobody finds it
 * but where it is bound. */
static void do_data(struct site *s, const struct plan_step *step)
{
    char name[32];
    (void)snprintf(name, sizeof(name), ".bindfile-%u", s->n_data++);
    _cleanup_fd_ int at = file_at(s, step);
    _cleanup_fd_ int file = openat(s->base, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (file < 0)
        init_fail(s->l, -errno, "Can't create tmpfile for %s", show(step->dest));
    if (fchmod(file, (mode_t)step->perms) < 0)
        init_fail(s->l, -errno, "Can't set mode %#o on file to be used for %s",
                  (unsigned)step->perms, show(step->dest));
    copy_data(s, step, file);
    fd_close(steal_fd(&file));
    _cleanup_fd_ int source = openat(s->base, name, O_PATH | O_CLOEXEC);
    if (source < 0)
        init_fail(s->l, -errno, "Can't create tmpfile for %s", show(step->dest));
    set_bindable(s, s->base, true);
    _cleanup_fd_ int tree = clone_of(s, source, bind_flags(step), name, step->dest);
    set_bindable(s, s->base, false);
    (void)put(s, tree, at, "bind mount", name, step->dest);
    if (unlinkat(s->base, name, 0) < 0)
        init_fail(s->l, -errno, "Can't take the name of a tmpfile for %s", show(step->dest));
}

static void do_symlink(struct site *s, const struct plan_step *step)
{
    char buf[PATH_MAX], there[PATH_MAX];
    const char *name;
    _cleanup_fd_ int parent = need_parent(s, step, buf, &name);
    if (symlinkat(step->source, parent, name) == 0)
        return;
    if (errno != EEXIST)
        init_fail(s->l, -errno, "Can't make symlink at %s", show(step->dest));
    ssize_t n = readlinkat(parent, name, there, sizeof(there) - 1);
    if (n < 0 && errno == EINVAL)
        init_fail(s->l, 0, "Can't make symlink at %s: destination exists and is not a symlink",
                  show(step->dest));
    if (n < 0)
        init_fail(s->l, -errno,
                  "Can't make symlink at %s: destination exists, and cannot read symlink target",
                  show(step->dest));
    there[n] = '\0';
    if (strcmp(there, step->source) != 0)
        init_fail(s->l, 0, "Can't make symlink at %s: existing destination is %s", show(step->dest),
                  show(there));
}

static void do_readonly(struct site *s, const struct plan_step *step)
{
    char buf[PATH_MAX];
    const char *name;
    int parent = parent_of(s, step->dest, 0755, buf, &name);
    if (parent < 0 && parent != -EISDIR)
        init_fail(s->l, parent, "Can't mkdir parents for %s", show(step->dest));
    fd_close(parent);
    _cleanup_fd_ int at = look_up(s, step->dest, 0);
    if (at < 0)
        init_fail(s->l, at, "Can't remount readonly on /newroot/%s: realpath(destination)",
                  show(newroot(step->dest)));
    int r = mounts_set(at, TAME | UAPI_MOUNT_ATTR_RDONLY);
    if (r == -EINVAL)
        init_fail(s->l, 0,
                  "Can't remount readonly on /newroot/%s: Unable to find \"/newroot/%s\" in "
                  "mount table",
                  show(newroot(step->dest)), show(newroot(step->dest)));
    if (r < 0)
        init_fail(s->l, r, "Can't remount readonly on /newroot/%s", show(newroot(step->dest)));
}

static void do_chmod(struct site *s, const struct plan_step *step)
{
    char link[64];
    _cleanup_fd_ int at = look_up(s, step->dest, 0);
    int r = at < 0 ? at : 0;
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", at);
    if (r == 0 && chmod(link, (mode_t)step->perms) < 0)
        r = -errno;
    if (r < 0)
        init_fail(s->l, r, "Can't chmod %#o %s", (unsigned)step->perms, show(step->dest));
}

#define LOWER_JOINED 255 /* what fsconfig(2) takes of a string */

struct layers {
    struct site *s;
    const char *(*options)[2]; /* of the new mount, ended by a row of NULLs */
    char (*names)[32];         /* "/proc/self/fd/N" */
    int *fds;
    size_t n, n_options;
};

/* overlayfs takes its directories by name: the name of a descriptor, so that each is looked up
 * once. */
static const char *add_layer(struct layers *ls, const char *path, int fd)
{
    if (fd < 0)
        init_fail(ls->s->l, fd, "Can't find source path %s", show(path));
    (void)snprintf(ls->names[ls->n], sizeof(ls->names[0]), "/proc/self/fd/%d", fd);
    ls->fds[ls->n] = fd;
    return ls->names[ls->n++];
}

static void add_option(struct layers *ls, const char *key, const char *value)
{
    ls->options[ls->n_options][0] = key;
    ls->options[ls->n_options++][1] = value;
}

static void add_writable(struct layers *ls, const struct plan_step *step)
{
    struct site *s = ls->s;
    if (step->temporary) {
        char upper[32], work[32];
        (void)snprintf(upper, sizeof(upper), "upper-%u", s->n_spare);
        (void)snprintf(work, sizeof(work), "work-%u", s->n_spare++);
        if (mkdirat(s->spare, upper, 0755) < 0 || mkdirat(s->spare, work, 0755) < 0)
            init_fail(s->l, -errno, "Creating --tmp-overlay upperdir failed");
        add_option(ls, "upperdir",
                   add_layer(ls, upper, openat(s->spare, upper, O_PATH | O_CLOEXEC)));
        add_option(ls, "workdir", add_layer(ls, work, openat(s->spare, work, O_PATH | O_CLOEXEC)));
    } else if (step->upper) {
        add_option(ls, "upperdir", add_layer(ls, step->upper, open_source(step->upper)));
        add_option(ls, "workdir", add_layer(ls, step->work, open_source(step->work)));
    }
}

/* A few in one string, which every kernel takes; many one by one, which takes 6.7. */
static void add_lower(struct layers *ls, const struct plan_step *step, char joined[])
{
    size_t first = ls->n, n = 0;
    for (size_t i = 0; i < step->n_layers; i++)
        n += strlen(add_layer(ls, step->layers[i], open_source(step->layers[i]))) + 1;
    if (n > LOWER_JOINED) {
        for (size_t i = first; i < ls->n; i++)
            add_option(ls, "lowerdir+", ls->names[i]);
        return;
    }
    n = 0;
    for (size_t i = first; i < ls->n; i++) {
        size_t len = strlen(ls->names[i]);
        memcpy(joined + n, ls->names[i], len);
        n += len;
        joined[n++] = ':';
    }
    joined[n - 1] = '\0';
    add_option(ls, "lowerdir", joined);
}

static void do_overlay(struct site *s, const struct plan_step *step)
{
    char joined[LOWER_JOINED + 1];
    size_t most = step->n_layers + 2;
    struct layers ls = {.s = s,
                        .options = mem_zalloc(most + 4, sizeof(*ls.options)),
                        .names = mem_zalloc(most, sizeof(*ls.names)),
                        .fds = mem_zalloc(most, sizeof(*ls.fds))};
    if (!ls.options || !ls.names || !ls.fds)
        init_fail(s->l, -ENOMEM, "cannot make an overlay");
    _cleanup_fd_ int at = dir_at(s, step, 0755);
    add_option(&ls, "source", "overlay");
    add_writable(&ls, step);
    add_lower(&ls, step, joined);
    add_option(&ls, "userxattr", NULL);
    if (step->temporary)
        set_bindable(s, s->spare, true);
    int fs = mounts_new("overlay", (const char *const(*)[2])ls.options, 0);
    if (step->temporary)
        set_bindable(s, s->spare, false);
    if (fs == -ELOOP)
        init_fail(s->l, 0,
                  "Can't make overlay mount on /newroot/%s: Overlay directories may not overlap",
                  show(newroot(step->dest)));
    if (fs < 0)
        init_fail(s->l, fs, "Can't make overlay mount on /newroot/%s", show(newroot(step->dest)));
    if (!put(s, fs, at, "make overlay mount on", NULL, step->dest))
        fd_close(fs);
    for (size_t i = 0; i < ls.n; i++)
        fd_close(ls.fds[i]);
    mem_free(ls.fds);
    mem_free(ls.names);
    mem_free((void *)ls.options);
}

static void do_step(struct site *s, size_t i)
{
    static const char *const mqueue[][2] = {{"source", "mqueue"}, {NULL, NULL}};
    const struct plan_step *step = &s->p->v[i];
    switch (step->op) {
    case STEP_BIND:
        do_bind(s, step, s->sources[i]);
        break;
    case STEP_OVERLAY:
        do_overlay(s, step);
        break;
    case STEP_PROC:
        do_proc(s, step);
        break;
    case STEP_DEV:
        do_dev(s, step);
        break;
    case STEP_TMPFS:
        do_tmpfs(s, step);
        break;
    case STEP_MQUEUE:
        put_new(s, mounts_new("mqueue", mqueue, 0), step, "mqueue");
        break;
    case STEP_DIR:
        fd_close(dir_at(s, step, (mode_t)step->perms));
        break;
    case STEP_FILE:
        do_file(s, step);
        break;
    case STEP_DATA:
        do_data(s, step);
        break;
    case STEP_SYMLINK:
        do_symlink(s, step);
        break;
    case STEP_READONLY:
        do_readonly(s, step);
        break;
    case STEP_CHMOD:
        do_chmod(s, step);
        break;
    case STEP_HOSTNAME:
        if (sethostname(step->dest, strlen(step->dest)) < 0)
            init_fail(s->l, -errno, "Can't set hostname to %s", show(step->dest));
        break;
    }
}

/* ---- the root ---- */

/* A tmpfs that hangs in the host's tree. Not at "/": what is stacked there would have to be taken
 * away one by one in the end, and each time takes the kernel longer than all the rest. */
static int hang(struct site *s)
{
    static const char *const options[][2] = {{"source", "tmpfs"}, {NULL, NULL}};
    static const char *const places[] = {"/proc/sys", "/proc", "/tmp", "/usr"};
    int fs = mounts_new("tmpfs", options, TAME), r = fs;
    for (size_t i = 0; fs >= 0 && i < ARRAY_LEN(places); i++) {
        r = sys_move_mount(fs, AT_FDCWD, places[i], UAPI_MOVE_MOUNT_F_EMPTY_PATH);
        if (r != -ENOENT)
            break;
    }
    if (r < 0 || fchmodat(fs, ".", 0755, 0) < 0)
        init_fail(s->l, r < 0 ? r : -errno, "Failed to mount tmpfs");
    set_bindable(s, fs, false);
    return fs;
}

static void make_root(struct site *s)
{
    _cleanup_fd_ int host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    /* What is mounted on the host later still arrives below what was bound; nothing goes back. */
    struct uapi_mount_attr attr = {.propagation = MS_SLAVE};
    int r = host < 0 ? -errno : sys_mount_setattr(host, "", AT_SELF | UAPI_AT_RECURSIVE, &attr);
    if (r < 0)
        init_fail(s->l, r, "Failed to make / slave");
    for (size_t i = 0; i < s->p->n && s->spare < 0; i++)
        if (s->p->v[i].op == STEP_OVERLAY && s->p->v[i].temporary)
            s->spare = hang(s);
    s->base = hang(s);
    set_root(s, s->base);
}

static void enter_root(struct site *s)
{
    set_bindable(s, s->base, true);
    if (fchdir(s->root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
        init_fail(s->l, -errno, "pivot_root(/newroot)");
    if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        init_fail(s->l, -errno, "unmount old root");
}

void steps_mount(struct launch *l, const struct plan_steps *p, int *sources)
{
    struct site s = {.l = l, .p = p, .sources = sources, .spare = -1, .typed = -1};
    collect(&s);
    make_root(&s);
    for (size_t i = 0; i < p->n; i++)
        do_step(&s, i);
    enter_root(&s);
}

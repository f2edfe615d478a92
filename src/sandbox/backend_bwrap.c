/*
 * The bwrap backend: the plan as a command line for bubblewrap, which makes namespaces and mounts
 * and then starts bawn's own init (stage.c) as pid 1. bwrap finds its paths by name; what it binds
 * it is given as descriptors where it takes them (0.10 and later: it compares after each mount and
 * gives up before it would make the next mount point in the wrong place), and init looks every path
 * up again before the command starts, so a link swapped in between ends the start instead of moving
 * a wall. The arguments travel through a memfd (`--args`): no limit on their length, and
 * nobody's `ps` shows them. Which bwrap is fit is probe.c's business.
 *
 * What bwrap brings that a sandbox of bawn's does not have is taken away again: it would put the
 * terminal behind its standard output at /dev/console, so it gets none of the command's three
 * descriptors (stage.c puts them back); its /dev stays writable, so it is sealed; of /proc it
 * leaves to root what the kernel guards by file mode alone. It runs in a session of its own: an
 * interrupt typed at the terminal is bawn's to pass on, not bwrap's to die of. What it has to say
 * goes into a memfd and becomes bawn's own message.
 */
#include "sandbox/backend.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/sys.h"
#include "sandbox/guard.h"
#include "sandbox/stage.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

static void word(struct strbuf *b, const char *s)
{
    strbuf_put(b, s, strlen(s) + 1);
}

static void words(struct strbuf *b, const char *a, const char *c)
{
    word(b, a);
    word(b, c);
}

/* As bundled.c does: the kernel lets the host's root write these by file mode, without a
 * capability. */
static void put_proc(struct strbuf *b, const char *path)
{
    static const char *const shut[] = {
        "/proc/sys", "/proc/sysrq-trigger", "/proc/irq",  "/proc/bus",    "/proc/acpi",
        "/proc/fs",  "/proc/scsi",          "/proc/mtrr", "/proc/driver", "/proc/asound"};
    /* Names of the keys that the caller's uid holds. */
    static const char *const hidden[] = {"/proc/keys", "/proc/key-users"};
    words(b, "--proc", path);
    /* A device node on a mount without devices: nobody opens it. */
    for (size_t i = 0; i < ARRAY_LEN(hidden); i++)
        if (access(hidden[i], F_OK) == 0) {
            words(b, "--ro-bind", "/dev/null");
            word(b, hidden[i]);
        }
    if (geteuid() != 0 && getegid() != 0)
        return;
    for (size_t i = 0; i < ARRAY_LEN(shut); i++) {
        words(b, "--ro-bind-try", shut[i]);
        word(b, shut[i]);
    }
}

/* The directories between a mask and what is opened again below it can be entered, not listed.
 * bwrap would make them with the usual mode. */
static void put_way(struct strbuf *b, const struct plan *p, size_t index)
{
    const struct plan_mount *mask = NULL, *m = &p->mounts[index];
    for (size_t i = 0; i < index; i++)
        if (path_is_below(m->path, p->mounts[i].path))
            mask = &p->mounts[i];
    if (!mask || mask->op != MOUNT_MASK || !mask->reopened)
        return;
    for (const char *s = m->path + strlen(mask->path); (s = strchr(s + 1, '/'));) {
        words(b, "--perms", "0111");
        word(b, "--dir");
        strbuf_put(b, m->path, (size_t)(s - m->path));
        strbuf_putc(b, '\0');
    }
}

/* FD: what bwrap takes over for this mount, or -1. */
static int put_mount(struct strbuf *b, const struct plan_mount *m, int fd, int self,
                     struct error *err)
{
    char number[32];
    switch (m->op) {
    case MOUNT_BIND:
        (void)snprintf(number, sizeof(number), "%d", fd);
        if (fd >= 0)
            words(b, m->write ? "--bind-fd" : "--ro-bind-fd", number);
        else
            words(b, m->write ? "--bind" : "--ro-bind", m->path);
        word(b, m->path);
        return 0;
    case MOUNT_MASK:
        if (m->is_dir) {
            words(b, "--perms", m->reopened ? "0111" : "0000");
            words(b, "--tmpfs", m->path);
            if (!m->reopened)
                words(b, "--remount-ro", m->path);
            return 0;
        }
        (void)snprintf(number, sizeof(number), "%d", fd);
        words(b, "--perms", "0000");
        words(b, "--ro-bind-data", number);
        word(b, m->path);
        return 0;
    case MOUNT_MISSING:
        words(b, "--perms", "0555");
        words(b, "--tmpfs", m->path);
        words(b, "--remount-ro", m->path);
        return 0;
    case MOUNT_TMPFS:
        words(b, "--perms", "1777");
        words(b, "--tmpfs", m->path);
        return 0;
    case MOUNT_PROC:
        put_proc(b, m->path);
        return 0;
    case MOUNT_DEV:
        words(b, "--dev", m->path);
        words(b, "--perms", "1777");
        words(b, "--tmpfs", "/dev/shm");
        return 0;
    case MOUNT_DEVICE:
        words(b, "--dev-bind-try", m->path);
        word(b, m->path);
        return 0;
    case MOUNT_SOCKET:
        words(b, "--ro-bind-try", m->path);
        word(b, m->path);
        return 0;
    case MOUNT_TEXT:
        (void)snprintf(number, sizeof(number), "%d", fd);
        words(b, "--perms", "0444");
        words(b, "--ro-bind-data", number);
        word(b, m->path);
        return 0;
    case MOUNT_SELF:
        (void)snprintf(number, sizeof(number), "/proc/self/fd/%d", self);
        words(b, "--ro-bind-try", number);
        word(b, m->path);
        return 0;
    }
    return error_set(err, -EINVAL, "bwrap cannot do what the plan asks for");
}

static bool is_symlink(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

static int copy_of(const struct launch *l, const char *path, struct error *err)
{
    const struct run_network *net = l->options->network;
    for (size_t i = 0; net && i < net->n_files; i++)
        if (strcmp(net->files[i].path, path) == 0) {
            char link[32];
            (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", net->files[i].fd);
            int fd = open(link, O_RDONLY); /* from its beginning, and not close-on-exec */
            return fd < 0 ? error_errno(err, -errno, "cannot open the file for %s", path) : fd;
        }
    return error_set(err, -ENOENT, "nothing is there for %s", path);
}

/* The files that masks of regular files are made of: bwrap reads each to its end, one a mask. */
static int empty_file(struct error *err)
{
    int fd = memfd_create("bawn-mask", 0);
    return fd < 0 ? error_errno(err, -errno, "cannot make a mask") : fd;
}

/* What the survey saw, held. */
static int pin(const struct plan_mount *m, struct error *err)
{
    _cleanup_fd_ int fd = stage_open(m->path);
    struct stat st;
    if (fd == -EMFILE || fd == -ENFILE)
        return fd;
    if (fd < 0 || fstat(fd, &st) < 0 ||
        ((m->dev || m->ino) && (st.st_dev != m->dev || st.st_ino != m->ino)))
        return error_set(err, -ESTALE, "%s changed while the sandbox was being set up",
                         show(m->path));
    int r = fd_set_cloexec(fd, false);
    return r < 0 ? error_errno(err, r, "cannot hold %s", show(m->path)) : steal_fd(&fd);
}

/* The descriptors that bwrap inherits, one a mount at most. */
struct handed {
    int *fds;
    size_t n;
};

static void handed_close(struct handed *h)
{
    for (size_t i = 0; i < h->n; i++)
        fd_close(h->fds[i]);
    free(h->fds);
}

/* Placeholders hold descriptors, what is bound does, and bwrap needs some of its own. The command
 * gets the caller's limit back. */
static void raise_nofile(const struct launch *l)
{
    struct rlimit want = l->nofile;
    want.rlim_cur = want.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &want);
}

/* What bwrap takes over for this mount: -1 for nothing. */
static int hand_over(const struct launch *l, const struct plan_mount *m, struct handed *h,
                     int *ret_fd, struct error *err)
{
    int fd = -1;
    if (m->op == MOUNT_MASK && !m->is_dir)
        fd = empty_file(err);
    else if (m->op == MOUNT_TEXT)
        fd = copy_of(l, m->path, err);
    else if (m->op == MOUNT_BIND && l->plan->bwrap_pins && m->path[1])
        fd = pin(m, err);
    else {
        *ret_fd = -1;
        return 0;
    }
    if (fd == -EMFILE || fd == -ENFILE) {
        error_set(err, -E2BIG, "more than %zu mounts need more descriptors than there are", h->n);
        error_hint(err, "sandbox_backend = \"bundled\"");
        return -E2BIG;
    }
    if (fd < 0)
        return fd;
    h->fds[h->n++] = *ret_fd = fd;
    return 0;
}

static int make_arguments(const struct launch *l, struct strbuf *b, int self, struct handed *h,
                          struct error *err)
{
    const struct plan *p = l->plan;
    static const char *const always[] = {
        "--unshare-user",       "--unshare-ipc",     "--unshare-pid", "--unshare-uts",
        "--unshare-cgroup-try", "--die-with-parent", "--as-pid-1"};
    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        word(b, always[i]);
    if (p->network != NETWORK_OPEN)
        word(b, "--unshare-net");
    if (!p->nested_userns)
        word(b, "--disable-userns");
    if (p->root_is_host) {
        words(b, p->root_write ? "--bind" : "--ro-bind", "/");
        word(b, "/");
    }
    for (size_t i = 0; i < p->n_mounts; i++) {
        const struct plan_mount *m = &p->mounts[i];
        bool link = (m->op == MOUNT_BIND || m->op == MOUNT_MASK) && is_symlink(m->path);
        if (link && m->op == MOUNT_BIND && !stage_on_host(p, i)) {
            char target[PATH_MAX];
            ssize_t n = readlink(m->path, target, sizeof(target) - 1);
            if (n < 0)
                return error_errno(err, -errno, "cannot read the link %s", show(m->path));
            target[n] = '\0';
            words(b, "--symlink", target);
            word(b, m->path);
            continue;
        }
        if (link) {
            error_set(err, -ENOTSUP, "bwrap cannot mount on %s, which is a symlink", show(m->path));
            error_hint(err, "sandbox_backend = \"bundled\"");
            return -ENOTSUP;
        }
        int fd, r = hand_over(l, m, h, &fd, err);
        if (r < 0)
            return r;
        put_way(b, p, i);
        r = put_mount(b, m, fd, self, err);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < p->n_mounts; i++)
        if ((p->mounts[i].op == MOUNT_MASK && p->mounts[i].reopened) ||
            p->mounts[i].op == MOUNT_DEV)
            words(b, "--remount-ro", p->mounts[i].path);
    if (!p->root_is_host)
        words(b, "--remount-ro", "/");
    return strbuf_failed(b) ? error_set(err, -ENOMEM, "out of memory") : 0;
}

static int arguments_file(const struct strbuf *b, struct error *err)
{
    _cleanup_fd_ int fd = memfd_create("bawn-args", 0);
    int r = fd < 0 ? -errno : fd_write_all(fd, b->p, b->n);
    if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
        r = -errno;
    return r < 0 ? error_errno(err, r, "cannot write bwrap's arguments") : steal_fd(&fd);
}

/* Everything bwrap_child() needs, made before the fork. */
struct start {
    int args, stage, self, said;
    pid_t outer;
};

static void number_word(char *buf, size_t cap, int n)
{
    (void)snprintf(buf, cap, "%d", n);
}

static _noreturn_ void bwrap_child(struct launch *l, const struct start *s)
{
    char args[16], stage[16], control[16], work[16], exe[64], stdio[3][16];
    const int guard = guard_over(s->outer);
    if (guard < 0)
        init_fail(l, guard, "cannot start %s", show(l->plan->bwrap_path));
    for (int fd = 0; fd < 3; fd++) {
        int copy = fcntl(fd, F_DUPFD, 3);
        if (copy < 0)
            init_fail(l, -errno, "cannot keep descriptor %d", fd);
        number_word(stdio[fd], sizeof(stdio[fd]), copy);
    }
    _cleanup_fd_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(s->said, 2) < 0)
        init_fail(l, -errno, "cannot start %s", show(l->plan->bwrap_path));
    number_word(args, sizeof(args), s->args);
    number_word(stage, sizeof(stage), s->stage);
    number_word(control, sizeof(control), l->control[1]);
    number_word(work, sizeof(work), l->work[1]);
    (void)snprintf(exe, sizeof(exe), "/proc/self/fd/%d", s->self);
    const int through[] = {s->args, s->stage, s->self, l->control[1], l->work[1]};
    for (size_t i = 0; i < ARRAY_LEN(through); i++)
        (void)fd_set_cloexec(through[i], false);
    (void)sigprocmask(SIG_SETMASK, &l->old_mask, NULL);
    char bwrap[] = "bwrap", arg_args[] = "--args", dashes[] = "--", hidden[] = STAGE_COMMAND;
    char *argv[] = {bwrap,   arg_args, args,     dashes,   exe,      hidden, stage,
                    control, work,     stdio[0], stdio[1], stdio[2], NULL};
    /* Nothing of the caller's environment reaches bwrap: no loader variable, no locale. */
    char path[] = "PATH=/usr/bin:/bin";
    char *env[] = {path, NULL};
    (void)execve(l->plan->bwrap_path, argv, env);
    init_fail(l, -errno, "cannot start %s", show(l->plan->bwrap_path));
}

int bwrap_said(const struct launch *l, struct error *err)
{
    char text[400];
    ssize_t n = l->said >= 0 ? pread(l->said, text, sizeof(text) - 1, 0) : 0;
    if (n <= 0)
        return 0;
    text[n] = '\0';
    const char *p = text;
    if (strncmp(p, "bwrap: ", 7) == 0)
        p += 7;
    size_t n_line = strcspn(p, "\n");
    /* What was there a moment ago: somebody else's doing, and worth another look by the caller. */
    const char *gone = strstr(p, "No such file or directory");
    if (!gone)
        gone = strstr(p, "Race condition binding dirfd");
    int code = gone && gone < p + n_line ? -ESTALE : -EIO;
    error_set(err, code, "bwrap could not set the sandbox up: %s", show_n(p, n_line));
    error_hint(
        err, "sandbox_backend = \"bundled\" does without; `bawn doctor` tries each part by itself");
    return code;
}

int bwrap_spawn(struct launch *l, pid_t *ret_pid, int *ret_pidfd, struct error *err)
{
    if (!l->plan->bwrap_path) {
        error_set(err, -ENOENT, "no bwrap that is fit was found: %s",
                  l->plan->bwrap_why ? l->plan->bwrap_why : "there is none on PATH");
        error_hint(err, "install bubblewrap 0.12 or later, or sandbox_backend = \"bundled\"");
        return -ENOENT;
    }
    _cleanup_strbuf_ struct strbuf b = {0};
    _cleanup_fd_ int self = open("/proc/self/exe", O_PATH | O_CLOEXEC);
    _cleanup_(handed_close) struct handed h = {
        .fds = mem_zalloc(l->plan->n_mounts + 1, sizeof(*h.fds))};
    raise_nofile(l);
    int r = !h.fds     ? error_set(err, -ENOMEM, "out of memory")
            : self < 0 ? error_errno(err, -errno, "cannot open bawn's own program")
                       : make_arguments(l, &b, self, &h, err);
    _cleanup_fd_ int args = r < 0 ? -1 : arguments_file(&b, err);
    _cleanup_fd_ int stage = args < 0 ? -1 : stage_write(l, err);
    if (r == 0)
        r = args < 0 ? args : stage < 0 ? stage : 0;
    if (r == 0 && (l->said = memfd_create("bawn-said", MFD_CLOEXEC)) < 0)
        r = error_errno(err, -errno, "cannot make a place for what bwrap says");
    const struct start start = {args, stage, self, l->said, getpid()};
    int pidfd = -1;
    pid_t pid = r < 0 ? r : sys_clone3(0, &pidfd);
    if (pid == 0)
        bwrap_child(l, &start);
    if (r < 0)
        return r;
    if (pid < 0)
        return error_errno(err, pid, "cannot start bwrap");
    *ret_pid = pid;
    *ret_pidfd = pidfd;
    return 0;
}

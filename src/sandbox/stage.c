/*
 * The stage file: a fixed header and NUL-terminated strings behind it, in the order they are
 * written here and read below. It is bawn's own word to itself, sealed before anybody else sees it,
 * and still read with bounds: what does not add up ends the start.
 */
#include "sandbox/stage.h"

#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/sys.h"
#include "sandbox/net_inside.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#define STAGE_MAGIC 0x62776e31u
#define STAGE_MAX   (64u * 1024 * 1024)

struct stage {
    uint32_t magic, filter;
    uint32_t network, backend, want_pty, nested_userns, root_is_host, umask;
    uint32_t n_argv, n_env, n_pass_fds, n_mounts;
    struct plan_net net;
    struct rlimit nofile;
    struct config_limits limits;
    sigset_t old_mask;
    int pass_fds[MAX_PASS_FDS];
};

struct stage_mount {
    uint32_t op, write, is_dir, reopened;
    uint32_t own; /* a link that the sandbox's own root has for the host's */
    uint64_t dev, ino;
    uint64_t parent_dev,
        parent_ino; /* of the directory it stands in; 0, 0 when the sandbox makes that */
};

bool stage_on_host(const struct plan *p, size_t index)
{
    bool host = p->root_is_host;
    const char *path = p->mounts[index].path;
    for (size_t i = 0; i < index; i++)
        if (p->mounts[i].path[1] == '\0' || path_is_below(path, p->mounts[i].path))
            host = p->mounts[i].op == MOUNT_BIND;
    return host && path[1];
}

int stage_open(const char *path)
{
    return path_openat2(AT_FDCWD, path, O_PATH | O_NOFOLLOW, 0,
                        UAPI_RESOLVE_NO_SYMLINKS | UAPI_RESOLVE_NO_MAGICLINKS);
}

/* The directory PATH stands in. A path that only moves while bwrap looks is told by it afterwards.
 */
static bool parent_of(const char *path, struct stat *ret)
{
    char dir[PATH_MAX];
    size_t n = (size_t)(path_base(path) - path);
    if (n == 0 || n >= sizeof(dir))
        return false;
    memcpy(dir, path, n);
    dir[n > 1 ? n - 1 : 1] = '\0';
    _cleanup_fd_ int fd = stage_open(dir);
    return fd >= 0 && fstat(fd, ret) == 0;
}

static bool is_checked(const struct plan_mount *m)
{
    return m->op == MOUNT_BIND || m->op == MOUNT_MASK || m->op == MOUNT_MISSING;
}

int stage_write(const struct launch *l, struct error *err)
{
    const struct plan *p = l->plan;
    struct stage s = {.magic = STAGE_MAGIC,
                      .filter = p->filter,
                      .network = p->network,
                      .backend = p->backend,
                      .want_pty = l->want_pty,
                      .nested_userns = p->nested_userns,
                      .root_is_host = p->root_is_host,
                      .umask = l->umask,
                      .n_env = (uint32_t)p->n_env,
                      .n_pass_fds = (uint32_t)l->options->n_pass_fds,
                      .n_mounts = (uint32_t)p->n_mounts,
                      .net = p->net,
                      .nofile = l->nofile,
                      .limits = p->config->limits,
                      .old_mask = l->old_mask};
    if (s.n_pass_fds)
        memcpy(s.pass_fds, l->options->pass_fds, s.n_pass_fds * sizeof(int));
    while (l->options->argv[s.n_argv])
        s.n_argv++;
    _cleanup_strbuf_ struct strbuf b = {.max = STAGE_MAX};
    strbuf_put(&b, &s, sizeof(s));
    for (size_t i = 0; i < p->n_mounts; i++) {
        const struct plan_mount *m = &p->mounts[i];
        struct stage_mount sm = {.op = m->op,
                                 .write = m->write,
                                 .is_dir = m->is_dir,
                                 .reopened = m->reopened,
                                 .dev = m->dev,
                                 .ino = m->ino};
        struct stat parent, at;
        sm.own = m->op == MOUNT_BIND && !stage_on_host(p, i) && lstat(m->path, &at) == 0 &&
                 S_ISLNK(at.st_mode);
        if (is_checked(m) && stage_on_host(p, i)) {
            if (!parent_of(m->path, &parent))
                return error_set(err, -ESTALE, "%s changed while the sandbox was being set up",
                                 show(m->path));
            sm.parent_dev = parent.st_dev;
            sm.parent_ino = parent.st_ino;
        }
        strbuf_put(&b, &sm, sizeof(sm));
    }
    strbuf_put(&b, p->cwd, strlen(p->cwd) + 1);
    for (size_t i = 0; i < s.n_argv; i++)
        strbuf_put(&b, l->options->argv[i], strlen(l->options->argv[i]) + 1);
    for (size_t i = 0; i < p->n_env; i++)
        strbuf_put(&b, p->env[i], strlen(p->env[i]) + 1);
    for (size_t i = 0; i < p->n_mounts; i++)
        strbuf_put(&b, p->mounts[i].path, strlen(p->mounts[i].path) + 1);
    if (strbuf_failed(&b))
        return error_set(err, -ENOMEM, "out of memory");
    _cleanup_fd_ int fd = memfd_create("bawn-stage", MFD_ALLOW_SEALING);
    int r = fd < 0 ? -errno : fd_write_all(fd, b.p, b.n);
    if (r == 0 &&
        (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0 ||
         lseek(fd, 0, SEEK_SET) < 0))
        r = -errno;
    return r < 0 ? error_errno(err, r, "cannot write the stage file") : steal_fd(&fd);
}

/* ---- reading ---- */

struct reader {
    struct launch *l;
    const char *p;
    size_t left;
};

static void take(struct reader *r, void *out, size_t n)
{
    if (n > r->left)
        init_fail(r->l, -EPROTO, "the stage file is short");
    memcpy(out, r->p, n);
    r->p += n;
    r->left -= n;
}

static const char *take_string(struct reader *r)
{
    const char *end = r->left ? memchr(r->p, '\0', r->left) : NULL;
    if (!end)
        init_fail(r->l, -EPROTO, "the stage file is short");
    const char *s = r->p;
    r->left -= (size_t)(end + 1 - r->p);
    r->p = end + 1;
    return s;
}

static void *room(struct launch *l, size_t n, size_t size)
{
    void *p = mem_zalloc(n + 1, size);
    if (!p)
        init_fail(l, -ENOMEM, "cannot read the stage file");
    return p;
}

#define TMPFS 0x01021994l

/* Is what stands at FD the thing that the plan put there? ST is of FD. */
static bool is_right(const struct plan_mount *m, const struct stat *st, const struct statfs *fs)
{
    bool read_only = fs->f_flags & ST_RDONLY, known = m->dev || m->ino;
    bool same = st->st_dev == m->dev && st->st_ino == m->ino;
    mode_t mode = st->st_mode & 07777;
    switch (m->op) {
    case MOUNT_BIND:
        return (!known || same) && (m->write || read_only);
    case MOUNT_MASK:
        return fs->f_type == TMPFS && read_only && !(known && same) &&
               S_ISDIR(st->st_mode) == m->is_dir && mode == (m->reopened ? 0111 : 0);
    default: /* MOUNT_MISSING */
        return fs->f_type == TMPFS && read_only && S_ISDIR(st->st_mode) && mode == 0555;
    }
}

/* bwrap found every path by name. Here each is looked up again, without following links: it must be
 * what the survey saw or what the plan put over it, in the directory it was in when bwrap was
 * started. */
static void verify(struct launch *l, const struct plan *plan, const struct stage_mount *asked)
{
    for (size_t i = 0; i < plan->n_mounts; i++) {
        const struct plan_mount *m = &plan->mounts[i];
        const struct stage_mount *a = &asked[i];
        struct stat st, parent;
        struct statfs fs;
        if (!is_checked(m) || a->own)
            continue;
        _cleanup_fd_ int fd = stage_open(m->path);
        if (fd == -ELOOP || fd == -ENOTDIR || fd == -ENOENT)
            init_fail(l, -ESTALE, "%s changed while the sandbox was being set up", show(m->path));
        if (fd < 0 || fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
            init_fail(l, fd < 0 ? fd : -errno, "cannot look at %s after mounting", show(m->path));
        bool moved = (a->parent_dev || a->parent_ino) &&
                     (!parent_of(m->path, &parent) || parent.st_dev != a->parent_dev ||
                      parent.st_ino != a->parent_ino);
        if (moved || !is_right(m, &st, &fs))
            init_fail(l, -ESTALE, "%s changed while the sandbox was being set up", show(m->path));
    }
}

/* bwrap ran with nothing on 0, 1 and 2; here the command's own come back. */
static void take_stdio(struct launch *l, char **argv)
{
    for (int fd = 0; fd < 3; fd++) {
        int from = (int)strtol(argv[fd], NULL, 10);
        if (from < 3 || dup2(from, fd) < 0)
            init_fail(l, -EBADF, "cannot take descriptor %d over", fd);
        fd_close(from);
    }
}

_noreturn_ void stage_main(int argc, char **argv)
{
    static struct config config;
    static struct profile profile = {.name = "", .mode = ""};
    static struct plan plan;
    static struct run_options options;
    static struct launch l;
    if (argc != 8)
        _exit(125);
    int fd = (int)strtol(argv[2], NULL, 10);
    l = (struct launch){.plan = &plan, .options = &options, .self_fd = -1};
    l.control[0] = l.work[0] = -1;
    l.control[1] = (int)strtol(argv[3], NULL, 10);
    l.work[1] = (int)strtol(argv[4], NULL, 10);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || fd_set_cloexec(l.control[1], true) < 0 ||
        fd_set_cloexec(l.work[1], true) < 0)
        _exit(125);
    take_stdio(&l, argv + 5);
    /* Says who is init: what the outer waits for and kills is this process, not bwrap above it. */
    struct message here = {.kind = MESSAGE_READY};
    if (fd_send(l.control[1], &here, sizeof(here), NULL, 0) < 0)
        _exit(125);
    _cleanup_strbuf_ struct strbuf text = {.max = STAGE_MAX};
    int r = fd_read_all(fd, STAGE_MAX, &text);
    fd_close(fd);
    if (r < 0)
        init_fail(&l, r, "cannot read the stage file");
    struct stage s;
    struct reader reader = {.l = &l, .p = text.p, .left = text.n};
    take(&reader, &s, sizeof(s));
    if (s.magic != STAGE_MAGIC || s.n_pass_fds > MAX_PASS_FDS || s.n_mounts > MAX_PLAN_MOUNTS ||
        s.n_argv > text.n || s.n_env > text.n || s.n_argv == 0)
        init_fail(&l, -EPROTO, "the stage file is not one");
    config.limits = s.limits;
    plan = (struct plan){.backend = (enum backend)s.backend,
                         .profile = &profile,
                         .config = &config,
                         .network = (enum network_mode)s.network,
                         .net = s.net,
                         .filter = s.filter,
                         .nested_userns = s.nested_userns,
                         .root_is_host = s.root_is_host,
                         .n_env = s.n_env,
                         .n_mounts = s.n_mounts};
    plan.mounts = room(&l, s.n_mounts, sizeof(*plan.mounts));
    struct stage_mount *asked = room(&l, s.n_mounts, sizeof(*asked));
    for (size_t i = 0; i < s.n_mounts; i++) {
        struct stage_mount m;
        take(&reader, &m, sizeof(m));
        asked[i] = m;
        plan.mounts[i] = (struct plan_mount){.op = (enum mount_op)m.op,
                                             .write = m.write,
                                             .is_dir = m.is_dir,
                                             .reopened = m.reopened,
                                             .dev = (dev_t)m.dev,
                                             .ino = (ino_t)m.ino};
    }
    plan.cwd = take_string(&reader);
    char **words = room(&l, s.n_argv, sizeof(*words));
    for (size_t i = 0; i < s.n_argv; i++)
        words[i] = (char *)(uintptr_t)take_string(&reader);
    plan.env = room(&l, s.n_env, sizeof(*plan.env));
    for (size_t i = 0; i < s.n_env; i++)
        plan.env[i] = take_string(&reader);
    for (size_t i = 0; i < s.n_mounts; i++)
        plan.mounts[i].path = take_string(&reader);
    options = (struct run_options){
        .argv = words, .pass_fds = s.pass_fds, .n_pass_fds = s.n_pass_fds, .status_fd = -1};
    l.want_pty = s.want_pty;
    l.old_mask = s.old_mask;
    l.umask = (mode_t)s.umask;
    l.nofile = s.nofile;
    verify(&l, &plan, asked);
    int diag = plan.filter & FILTER_NETWORK_OFF ? init_open_diag() : -1;
    struct net_problem why;
    /* bwrap has given up the right to redirect. */
    if (plan.network == NETWORK_FILTERED && net_inside(&l, false, &why) < 0)
        init_fail(&l, why.code, "%s", why.what);
    int master = -1, slave = -1;
    if (l.want_pty && (r = init_open_pty(&master, &slave)) < 0)
        init_fail(&l, r, "cannot make a terminal for the command");
    init_main(&l, diag, master, slave);
}

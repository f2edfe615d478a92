/*
 * The stage file: a fixed header and NUL-terminated strings behind it, in the order they are written
 * here and read below. It is bawn's own word to itself, sealed before anybody else sees it, and still
 * read with bounds: what does not add up ends the start.
 */
#include "sandbox/stage.h"

#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/sys.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define STAGE_MAGIC 0x62776e31u
#define STAGE_MAX   (64u * 1024 * 1024)

struct stage {
    uint32_t magic, filter;
    uint32_t network, backend, want_pty, nested_userns, root_is_host, umask;
    uint32_t n_argv, n_env, n_pass_fds, n_mounts;
    struct rlimit nofile;
    struct config_limits limits;
    sigset_t old_mask;
    int pass_fds[MAX_PASS_FDS];
};

struct stage_mount {
    uint32_t op, write, is_dir, reopened, is_link;
    uint64_t dev, ino;
};

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
                      .nofile = l->nofile,
                      .limits = p->config->limits,
                      .old_mask = l->old_mask};
    memcpy(s.pass_fds, l->options->pass_fds, l->options->n_pass_fds * sizeof(int));
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
    if (r == 0 && (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0 ||
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

/* bwrap found every path by name. Here each is looked up again, without following links: it must be
 * what the survey saw, or what the plan put over it. */
static void verify(struct launch *l, const struct plan *plan)
{
    for (size_t i = 0; i < plan->n_mounts; i++) {
        const struct plan_mount *m = &plan->mounts[i];
        if (m->op != MOUNT_BIND && m->op != MOUNT_MASK && m->op != MOUNT_MISSING)
            continue;
        struct stat st;
        _cleanup_fd_ int fd = path_openat2(AT_FDCWD, m->path, O_PATH | O_NOFOLLOW, 0,
                                           UAPI_RESOLVE_NO_SYMLINKS | UAPI_RESOLVE_NO_MAGICLINKS);
        if (fd < 0 || fstat(fd, &st) < 0)
            init_fail(l, fd < 0 ? fd : -errno, "cannot look at %s after mounting", show(m->path));
        bool right = true;
        if (m->op == MOUNT_BIND && (m->dev || m->ino))
            right = st.st_dev == (dev_t)m->dev && st.st_ino == (ino_t)m->ino;
        else if (m->op == MOUNT_MASK && m->reopened)
            right = (st.st_mode & 07777) == 0111;
        else if (m->op == MOUNT_MASK)
            right = (st.st_mode & 07777) == 0;
        else if (m->op == MOUNT_MISSING)
            right = S_ISDIR(st.st_mode) && (st.st_mode & 07777) == 0555;
        /* A writable place must be a mount of its own, a read-only one must be read-only. */
        if (right && m->op == MOUNT_BIND && !m->write && faccessat(fd, "", W_OK, AT_EMPTY_PATH) == 0)
            right = false;
        if (!right)
            init_fail(l, -ESTALE, "%s changed while the sandbox was being set up", show(m->path));
    }
}

_noreturn_ void stage_main(int argc, char **argv)
{
    static struct config config;
    static struct profile profile = {.name = "", .mode = ""};
    static struct plan plan;
    static struct run_options options;
    static struct launch l;
    if (argc != 5)
        _exit(125);
    int fd = (int)strtol(argv[2], NULL, 10);
    l = (struct launch){.plan = &plan, .options = &options, .self_fd = -1};
    l.control[0] = l.work[0] = -1;
    l.control[1] = (int)strtol(argv[3], NULL, 10);
    l.work[1] = (int)strtol(argv[4], NULL, 10);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || fd_set_cloexec(l.control[1], true) < 0 ||
        fd_set_cloexec(l.work[1], true) < 0)
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
                         .filter = s.filter,
                         .nested_userns = s.nested_userns,
                         .root_is_host = s.root_is_host,
                         .n_env = s.n_env,
                         .n_mounts = s.n_mounts};
    plan.mounts = room(&l, s.n_mounts, sizeof(*plan.mounts));
    for (size_t i = 0; i < s.n_mounts; i++) {
        struct stage_mount m;
        take(&reader, &m, sizeof(m));
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
    options = (struct run_options){.argv = words, .pass_fds = s.pass_fds, .n_pass_fds = s.n_pass_fds, .status_fd = -1};
    l.want_pty = s.want_pty;
    l.old_mask = s.old_mask;
    l.umask = (mode_t)s.umask;
    l.nofile = s.nofile;
    verify(&l, &plan);
    int diag = plan.filter & FILTER_NETWORK_OFF ? init_open_diag() : -1;
    int master = -1, slave = -1;
    if (l.want_pty && (r = init_open_pty(&master, &slave)) < 0)
        init_fail(&l, r, "cannot make a terminal for the command");
    init_main(&l, diag, master, slave);
}

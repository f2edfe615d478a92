/*
 * The plan in Landlock's terms. Every path of the plan becomes a node with two sets of rights:
 *
 *   rights    what holds at the node and below it, up to the next node
 *   inherit   what an ancestor may be granted as a whole without harm to the node
 *
 * A directory with nodes below it is granted what all of them can inherit; the rest of its rights
 * is given to its entries one by one (nodes and what leads to them excepted), and what is then left
 * over (rights on the directory itself) is lost and noted. `granted` is carried down, so nothing is
 * granted twice. Descent is along the sorted nodes: all below a directory stand together.
 *
 * Trusts the plan's paths to be canonical; opens each without following symlinks and checks device
 * and inode where the plan knows them. What has gone since is granted nothing.
 */
#include "sandbox/landlock.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/uapi.h"
#include "base/vec.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REFER     UAPI_LANDLOCK_ACCESS_FS_REFER
#define TRUNCATE  UAPI_LANDLOCK_ACCESS_FS_TRUNCATE
#define IOCTL_DEV UAPI_LANDLOCK_ACCESS_FS_IOCTL_DEV

#define MAKE                                                                                       \
    (LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |    \
     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | \
     LANDLOCK_ACCESS_FS_MAKE_SYM | REFER)
#define REMOVE (LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE)
#define LIST   LANDLOCK_ACCESS_FS_READ_DIR
#define READ   (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LIST)
#define WRITE  (READ | LANDLOCK_ACCESS_FS_WRITE_FILE | TRUNCATE | REMOVE | MAKE)
#define DEVICE (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | TRUNCATE | IOCTL_DEV)
#define ALL    (WRITE | IOCTL_DEV)
/* The rights that mean something on what is not a directory; the kernel refuses others there. */
#define ON_FILES                                                                                   \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |   \
     TRUNCATE | IOCTL_DEV)

enum { ABI_REFER = 2, ABI_TRUNCATE = 3, ABI_TCP = 4, ABI_IOCTL_DEV = 5, ABI_SCOPE = 6 };

/* ---- the calls ---- */

int landlock_abi(void)
{
    long abi =
        syscall(UAPI_SYS_landlock_create_ruleset, NULL, 0, UAPI_LANDLOCK_CREATE_RULESET_VERSION);
    return abi > 0 ? (int)abi : 0;
}

static int create_ruleset(const struct uapi_landlock_ruleset_attr *attr)
{
    /* Older kernels take the longer structure as long as what they do not know is zero. */
    long fd = syscall(UAPI_SYS_landlock_create_ruleset, attr, sizeof *attr, 0);
    return fd < 0 ? -errno : (int)fd;
}

int landlock_enforce(int ruleset_fd)
{
    return syscall(UAPI_SYS_landlock_restrict_self, ruleset_fd, 0) < 0 ? -errno : 0;
}

int landlock_scope_install(void)
{
    struct uapi_landlock_ruleset_attr attr = {
        .scoped = UAPI_LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | UAPI_LANDLOCK_SCOPE_SIGNAL,
    };
    if (landlock_abi() < ABI_SCOPE)
        return 0;
    _cleanup_fd_ int fd = create_ruleset(&attr);
    return fd < 0 ? fd : landlock_enforce(fd);
}

/* ---- nodes ---- */

struct node {
    const char *path;
    uint64_t rights, inherit;
    const struct plan_mount *mount; /* NULL: the root of the host, or a device of /dev */
    size_t order;                   /* of two alike the later one counts */
};
typedef VEC(struct node) node_vec;

struct builder {
    const struct plan *plan;
    struct arena arena;
    node_vec nodes;
    int ruleset;
    uint64_t handled;
    unsigned rules;
    struct strbuf *notes; /* NULL when nobody asks */
    struct error *err;
};

static const char *const devices[] = {"/dev/null",    "/dev/zero", "/dev/full", "/dev/random",
                                      "/dev/urandom", "/dev/tty",  "/dev/ptmx"};

static int add_node(struct builder *b, const char *path, uint64_t rights, uint64_t inherit,
                    const struct plan_mount *m)
{
    struct node *n = vec_push(&b->nodes);
    if (!n)
        return error_errno(b->err, -ENOMEM, "landlock rules");
    *n = (struct node){path, rights, inherit, m, b->nodes.n};
    return 0;
}

static int add_dev(struct builder *b, const struct plan_mount *m)
{
    int r = add_node(b, m->path, LIST, LIST, m);
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(devices); i++)
        r = add_node(b, devices[i], DEVICE, DEVICE | LIST, NULL);
    return r;
}

static int add_mount(struct builder *b, const struct plan_mount *m)
{
    switch (m->op) {
    case MOUNT_BIND:
        return m->write ? add_node(b, m->path, WRITE, WRITE, m)
                        : add_node(b, m->path, READ, READ, m);
    case MOUNT_MASK:
        /* Listing a directory shows a masked file's name and nothing of it. */
        return add_node(b, m->path, 0, m->is_dir ? 0 : LIST, m);
    case MOUNT_MISSING:
        return add_node(b, m->path, 0, ALL & ~MAKE, m);
    case MOUNT_PROC:
        return add_node(b, m->path, READ, READ, m);
    case MOUNT_DEV:
        return add_dev(b, m);
    case MOUNT_DEVICE:
        return add_node(b, m->path, DEVICE | (m->is_dir ? LIST : 0), DEVICE | LIST, m);
    case MOUNT_SOCKET:
    case MOUNT_TEXT:
    case MOUNT_SELF: /* what is not mounted is where it was */
        return 0;
    case MOUNT_TMPFS:
        error_set(b->err, -EOPNOTSUPP, "the landlock backend cannot make a private %s",
                  show(m->path));
        error_hint(b->err, "set private_tmp = false, or choose another sandbox_backend");
        return -EOPNOTSUPP;
    }
    return error_set(b->err, -EINVAL, "unknown mount operation %d", (int)m->op);
}

/* By path, with '/' before every other byte, so that a tree stands together; of one path the last.
 */
static int compare_nodes(const void *pa, const void *pb)
{
    const struct node *x = pa, *y = pb;
    const unsigned char *a = (const unsigned char *)x->path, *b = (const unsigned char *)y->path;

    while (*a && *a == *b)
        a++, b++;
    if (*a != *b) {
        int ka = *a == '/' ? 1 : *a ? *a + 1 : 0, kb = *b == '/' ? 1 : *b ? *b + 1 : 0;
        return ka - kb;
    }
    return x->order < y->order ? -1 : x->order > y->order;
}

static int collect(struct builder *b, const struct plan *plan)
{
    uint64_t root = plan->root_write ? WRITE : plan->root_is_host ? READ : 0;
    int r = add_node(b, "/", root, root, NULL);

    for (size_t i = 0; r == 0 && i < plan->n_mounts; i++)
        r = add_mount(b, &plan->mounts[i]);
    if (r < 0)
        return r;
    qsort(b->nodes.v, b->nodes.n, sizeof b->nodes.v[0], compare_nodes);
    size_t n = 0;
    for (size_t i = 0; i < b->nodes.n; i++) {
        if (i + 1 < b->nodes.n && str_eq(b->nodes.v[i].path, b->nodes.v[i + 1].path))
            continue;
        b->nodes.v[n++] = b->nodes.v[i];
    }
    b->nodes.n = n;
    return 0;
}

/* ---- granting ---- */

/* Nodes [lo, hi) strictly below one directory. */
struct span {
    size_t lo, hi;
};

static int add_rule(struct builder *b, int fd, const char *path, uint64_t rights)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = rights & b->handled,
                                              .parent_fd = fd};

    if (!rule.allowed_access)
        return 0;
    if (++b->rules > MAX_LANDLOCK_RULES) {
        error_set(b->err, -E2BIG, "landlock: more than %u rules, at %s", MAX_LANDLOCK_RULES,
                  show(path));
        error_hint(b->err,
                   "choose another sandbox_backend: it needs no rule for each neighbour of a mask");
        return -E2BIG;
    }
    if (syscall(UAPI_SYS_landlock_add_rule, b->ruleset, UAPI_LANDLOCK_RULE_PATH_BENEATH, &rule, 0) <
        0)
        return error_errno(b->err, -errno, "landlock rule for %s", show(path));
    return 0;
}

/* RIGHTS on what FD is, as far as they have a meaning there. Symlinks need none. */
static int grant(struct builder *b, int fd, const struct stat *st, const char *path,
                 uint64_t rights)
{
    if (S_ISLNK(st->st_mode))
        return 0;
    return add_rule(b, fd, path, S_ISDIR(st->st_mode) ? rights : rights & ON_FILES);
}

/* What all of these nodes can inherit. */
static uint64_t inheritable(const struct builder *b, struct span s)
{
    uint64_t rights = ALL;
    for (size_t i = s.lo; i < s.hi; i++)
        rights &= b->nodes.v[i].inherit;
    return rights;
}

/* The part of S at or below PATH. */
static struct span below(const struct builder *b, struct span s, const char *path)
{
    struct span in;
    struct node key = {.path = path, .order = 0};
    size_t lo = s.lo, hi = s.hi;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (compare_nodes(&b->nodes.v[mid], &key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (in.lo = in.hi = lo; in.hi < s.hi && path_is_below(b->nodes.v[in.hi].path, path);)
        in.hi++;
    return in;
}

static bool is_missing(const struct builder *b, const char *name)
{
    for (size_t i = 0; i < b->nodes.n; i++) {
        const struct node *n = &b->nodes.v[i];
        if (n->mount && n->mount->op == MOUNT_MISSING && str_eq(path_base(n->path), name))
            return true;
    }
    return false;
}

/* ` -c 'KEY=[…]'`: the names of LIST that exist wherever they are protected. Nothing when all do.
 */
static void put_kept(const struct builder *b, struct strbuf *out, const char *key,
                     const struct string_list *list)
{
    bool all = true;
    for (size_t i = 0; i < list->n; i++)
        all = all && !is_missing(b, list->v[i]);
    if (all)
        return;
    strbuf_printf(out, " -c '%s=[", key);
    const char *sep = "";
    for (size_t i = 0; i < list->n; i++) {
        if (is_missing(b, list->v[i]))
            continue;
        strbuf_printf(out, "%s\"%s\"", sep, show(list->v[i]));
        sep = ", ";
    }
    strbuf_puts(out, "]'");
}

/* Of the names that have to go, those that exist under another root: they want an entry of their
 * own. */
static void put_elsewhere(const struct builder *b, struct strbuf *out,
                          const struct string_list *list)
{
    const char *sep = "; in a profile of your own, \":project_roots\" = { ";
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++) {
        bool exists = false;
        for (size_t k = 0; k < b->nodes.n && !exists; k++)
            exists = b->nodes.v[k].mount && b->nodes.v[k].mount->op == MOUNT_BIND &&
                     str_eq(path_base(b->nodes.v[k].path), list->v[i]);
        if (!exists || !is_missing(b, list->v[i]))
            continue;
        strbuf_printf(out, "%s\"%s\" = \"read\"", n++ ? ", " : sep, show(list->v[i]));
    }
    if (n)
        strbuf_puts(out, " } keeps what exists in the workspace");
}

static int say_missing(struct builder *b, const char *path, const struct node *missing)
{
    const struct config *c = b->plan->config;
    _cleanup_strbuf_ struct strbuf others = {0}, hint = {0};
    size_t n = 0;
    for (size_t i = 0; i < b->nodes.n; i++) {
        const struct node *other = &b->nodes.v[i];
        if (other != missing && other->mount && other->mount->op == MOUNT_MISSING && n++ < 3)
            strbuf_printf(&others, "%s%s", n == 1 ? " (nor " : ", ", show(other->path));
    }
    if (n > 3)
        strbuf_printf(&others, " and %zu more", n - 3);
    if (n)
        strbuf_puts(&others, ")");
    error_set(
        b->err, -EOPNOTSUPP,
        "the landlock backend cannot hold %s%s, which does not exist: it would have to forbid "
        "every new name in %s",
        show(missing->path), strbuf_text(&others), show(path));
    if (c) {
        put_kept(b, &hint, "protected_names", &c->protected_names);
        put_kept(b, &hint, "protected_agent_names", &c->protected_agent_names);
    }
    if (hint.n && c)
        put_elsewhere(b, &hint, &c->protected_names);
    if (hint.n && !strbuf_failed(&hint))
        error_hint(b->err, "protect only what exists:%s; or choose another sandbox_backend",
                   strbuf_text(&hint));
    else
        error_hint(
            b->err,
            "make %s, take its name off protected_names (or its entry out), or choose another "
            "sandbox_backend",
            show(missing->path));
    return -EOPNOTSUPP;
}

/* Making names in PATH would be inherited by its holes. When only missing names forbid it, that is
 * a price nobody wants to pay. */
static int refuse_missing(struct builder *b, struct span s, const char *path)
{
    const struct node *missing = NULL;

    for (size_t i = s.lo; i < s.hi; i++) {
        const struct node *n = &b->nodes.v[i];
        if ((n->inherit & MAKE) == MAKE)
            continue;
        if (!n->mount || n->mount->op != MOUNT_MISSING)
            return 0;
        missing = n;
    }
    return missing ? say_missing(b, path, missing) : 0;
}

static void note(struct builder *b, const char *path, uint64_t lost)
{
    if (!b->notes)
        return;
    if (lost & (MAKE | REMOVE))
        strbuf_printf(b->notes, "%s: no name can be made, removed or renamed directly in it\n",
                      show(path));
    if (lost & LIST)
        strbuf_printf(b->notes, "%s: cannot be listed\n", show(path));
}

static int hold_tree(struct builder *b, const char *path, const struct plan_mount *m,
                     uint64_t rights, uint64_t granted, struct span s);

/* One entry of an enumerated directory. */
static int hold_entry(struct builder *b, int dirfd, const char *dir, const char *name,
                      uint64_t rights, uint64_t granted, struct span s)
{
    char *path = path_join(&b->arena, dir, name);
    struct stat st;

    if (!path)
        return error_errno(b->err, -ENOMEM, "landlock rules");
    struct span in = below(b, s, path);
    if (in.lo < in.hi) {
        const struct node *n = &b->nodes.v[in.lo];
        if (str_eq(n->path, path)) {
            in.lo++;
            return hold_tree(b, n->path, n->mount, n->rights, granted, in);
        }
        return hold_tree(b, path, NULL, rights, granted, in);
    }
    _cleanup_fd_ int fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return 0; /* gone: nothing to grant */
    return grant(b, fd, &st, path, rights & ~granted);
}

static void dir_closep(DIR **d)
{
    if (*d)
        closedir(*d);
}

static int hold_entries(struct builder *b, int fd, const char *path, uint64_t rights,
                        uint64_t granted, struct span s)
{
    _cleanup_fd_ int readable = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_(dir_closep) DIR *d = readable < 0 ? NULL : fdopendir(readable);

    if (!d) /* the command cannot list it either; what is not granted is closed */
        return errno == ENOMEM || errno == EMFILE || errno == ENFILE
                   ? error_errno(b->err, -errno, "listing %s", show(path))
                   : 0;
    int entries = steal_fd(&readable);
    for (;;) {
        errno = 0;
        const struct dirent *e = readdir(d);
        if (!e)
            return errno ? error_errno(b->err, -errno, "listing %s", show(path)) : 0;
        if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
            continue;
        int r = hold_entry(b, entries, path, e->d_name, rights, granted, s);
        if (r < 0)
            return r;
    }
}

/* The topmost nodes of S, each with what is below it. */
static int hold_nodes(struct builder *b, uint64_t granted, struct span s)
{
    while (s.lo < s.hi) {
        const struct node *n = &b->nodes.v[s.lo];
        struct span in = below(b, s, n->path);
        s.lo = in.hi;
        in.lo++;
        int r = hold_tree(b, n->path, n->mount, n->rights, granted, in);
        if (r < 0)
            return r;
    }
    return 0;
}

/* RIGHTS on the tree at PATH, less what the nodes S below it forbid; GRANTED it has already. */
static int hold_tree(struct builder *b, const char *path, const struct plan_mount *m,
                     uint64_t rights, uint64_t granted, struct span s)
{
    uint64_t whole = rights & inheritable(b, s), rest;
    struct stat st;
    int r;

    if (!(rights & ~granted))
        return hold_nodes(b, granted, s);
    _cleanup_fd_ int fd =
        path_openat2(AT_FDCWD, path, O_PATH | O_NOFOLLOW, 0, UAPI_RESOLVE_NO_SYMLINKS);
    if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP || fd == -EACCES)
        return 0; /* gone, or behind a symlink by now: closed */
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(b->err, fd < 0 ? fd : -errno, "opening %s", show(path));
    if (m && (m->dev || m->ino) && (st.st_dev != m->dev || st.st_ino != m->ino))
        return error_set(b->err, -ESTALE, "%s was replaced while the sandbox was set up",
                         show(path));
    r = grant(b, fd, &st, path, whole & ~granted);
    if (r < 0)
        return r;
    granted |= whole;
    rest = rights & b->handled & ~granted;
    if (!rest || !S_ISDIR(st.st_mode))
        return hold_nodes(b, granted, s);
    if ((rest & MAKE) && (r = refuse_missing(b, s, path)) < 0)
        return r;
    note(b, path, rest);
    return hold_entries(b, fd, path, rights, granted, s);
}

/* ---- the whole ---- */

static uint64_t handled_by(int abi)
{
    uint64_t rights = ALL;
    if (abi < ABI_REFER)
        rights &= ~REFER;
    if (abi < ABI_TRUNCATE)
        rights &= ~TRUNCATE;
    if (abi < ABI_IOCTL_DEV)
        rights &= ~IOCTL_DEV;
    return rights;
}

static int build(const struct plan *plan, struct strbuf *notes, int *ret_fd, struct error *err)
{
    int abi = landlock_abi(), r;
    struct builder b = {.plan = plan, .notes = notes, .err = err, .handled = handled_by(abi)};
    struct uapi_landlock_ruleset_attr attr = {.handled_access_fs = b.handled};

    if (abi < ABI_TRUNCATE) {
        error_set(err, -EOPNOTSUPP,
                  "the landlock backend needs Landlock ABI 3 (Linux 6.2), this kernel has %d", abi);
        error_hint(
            err, "add landlock to the lsm= list of the kernel, or choose another sandbox_backend");
        return -EOPNOTSUPP;
    }
    if (abi >= ABI_TCP && plan->network != NETWORK_OPEN)
        attr.handled_access_net =
            UAPI_LANDLOCK_ACCESS_NET_BIND_TCP | UAPI_LANDLOCK_ACCESS_NET_CONNECT_TCP;
    if (abi >= ABI_SCOPE)
        attr.scoped = UAPI_LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | UAPI_LANDLOCK_SCOPE_SIGNAL;
    _cleanup_fd_ int fd = create_ruleset(&attr);
    if (fd < 0)
        return error_errno(err, fd, "landlock_create_ruleset");
    b.ruleset = fd;
    r = collect(&b, plan);
    if (r == 0)
        r = hold_nodes(&b, 0, (struct span){0, b.nodes.n});
    vec_release(&b.nodes);
    arena_release(&b.arena);
    if (r == 0)
        *ret_fd = steal_fd(&fd);
    return r;
}

int landlock_prepare(const struct plan *plan, int *ret_ruleset_fd, struct error *err)
{
    return build(plan, NULL, ret_ruleset_fd, err);
}

int landlock_prepare_noted(const struct plan *plan, struct strbuf *notes, int *ret_ruleset_fd,
                           struct error *err)
{
    return build(plan, notes, ret_ruleset_fd, err);
}

int landlock_allow_terminal(int ruleset_fd, int slave)
{
    struct landlock_path_beneath_attr rule = {
        .allowed_access = DEVICE & ON_FILES & handled_by(landlock_abi()), .parent_fd = slave};
    return syscall(UAPI_SYS_landlock_add_rule, ruleset_fd, UAPI_LANDLOCK_RULE_PATH_BENEATH, &rule,
                   0) < 0
               ? -errno
               : 0;
}

int landlock_describe(const struct plan *plan, struct strbuf *notes, struct error *err)
{
    _cleanup_fd_ int fd = -1;
    return build(plan, notes, &fd, err);
}

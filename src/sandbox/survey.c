/*
 * The survey: what the disk says about a profile's entries. See plan.h and survey.h for the result.
 *
 * In this order, since each step asks what the earlier ones found:
 *
 *   1. every entry is resolved (survey_resolve.c), and the fixed directory of every glob;
 *   2. symlinks and files that stand in the way, where the command could replace them, are held;
 *   3. `.git` of every writable root is followed, nested repositories are found (survey_git.c);
 *   4. all globs are expanded in one walk of each tree (survey_walk.c).
 *
 * Whether something is writable is asked of permissions_check() with the entries moved to where
 * they really are, so there is one answer to that question in the program.
 *
 * The disk is the command's playground from earlier runs. Nothing read here is trusted to be sane,
 * and what cannot be looked at although the command could get at it is held or masked, or refuses
 * the start.
 */
#include "sandbox/survey_internal.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/uapi.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

int survey_memory(struct error *err)
{
    return error_set(err, -ENOMEM, "out of memory while looking at the disk");
}

int survey_warn(struct survey_builder *b, const char *fmt, ...)
{
    char text[ERROR_MESSAGE_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    const char *copy = arena_strdup(b->a, text), **slot = copy ? vec_push(&b->warnings) : NULL;
    if (!slot)
        return -ENOMEM;
    *slot = copy;
    return 0;
}

/* ---- entries ---- */

/* Does it take something away, so that losing it would be a hole? */
static bool restricts(const struct perm_entry *e)
{
    return e->access == ACCESS_NONE || (e->access == ACCESS_READ && e->kind != ENTRY_BASE);
}

/* Named to protect or to mask, not merely to let something be read. */
static bool is_guard(const struct perm_entry *e)
{
    assert(e);
    return e->access == ACCESS_NONE ||
           (e->access == ACCESS_READ && e->kind != ENTRY_BASE && e->kind != ENTRY_NAMED);
}

enum access survey_access(const struct survey_builder *b, const char *path)
{
    struct profile p = *b->request->profile;
    p.entries = b->canonical.v;
    p.n_entries = b->canonical.n;
    return permissions_check(&p, path).access;
}

bool survey_lifted(const struct survey_builder *b, const char *path)
{
    for (size_t i = 0; i < b->canonical.n; i++) {
        const struct perm_entry *e = &b->canonical.v[i];
        if (!e->glob && e->access == ACCESS_WRITE && str_eq(e->path, path))
            return true;
    }
    return false;
}

/* Could the command remove PATH and put something else there? */
static bool is_replaceable(const struct survey_builder *b, const char *path, struct arena *a)
{
    const char *up = path_parent(a, path);
    return !up || (path[1] != '\0' && survey_access(b, up) == ACCESS_WRITE);
}

static int add_canonical(struct survey_builder *b, const struct perm_entry *e, const char *path,
                         struct error *err)
{
    struct perm_entry *slot = vec_push(&b->canonical);
    if (!slot)
        return survey_memory(err);
    *slot = *e;
    slot->path = path;
    return 0;
}

/* ---- items ---- */

static int check_hardlink(struct survey_builder *b, const struct perm_entry *e,
                          const struct survey_item *item, struct error *err)
{
    if (item->kind != FILE_REGULAR || item->nlink <= 1 || !is_guard(e))
        return 0;
    const char *what = e->access == ACCESS_NONE ? "masked" : "protected";
    if (b->request->config->strict_hardlinks || e->one_name) {
        error_set(err, -EMLINK,
                  "%s is %s but has %lu hard links: another name reaches the same file",
                  show(item->path), what, (unsigned long)item->nlink);
        error_hint(err, e->one_name ? "replace it by a copy: cp, then mv over it"
                                    : "replace it by a copy, or set strict_hardlinks = false");
        return -EMLINK;
    }
    if (b->hardlinks++ >= SURVEY_MAX_HARDLINK_WARNINGS)
        return 0;
    int r = survey_warn(b, "%s is %s, but has %lu hard links: another name may reach the same file",
                        show(item->path), what, (unsigned long)item->nlink);
    return r < 0 ? survey_memory(err) : 0;
}

static int add_item(struct survey_builder *b, const struct perm_entry *entry, ptrdiff_t extra,
                    const struct survey_item *item, struct error *err)
{
    const struct perm_entry *e = extra >= 0 ? &b->extra.v[extra] : entry;
    int r = check_hardlink(b, e, item, err);
    if (r < 0)
        return r;
    struct survey_built *slot = vec_push(&b->items);
    if (!slot)
        return survey_memory(err);
    slot->item = *item;
    slot->item.entry = entry;
    slot->extra = extra;
    return 0;
}

static struct survey_item item_of(const struct resolved *res)
{
    return (struct survey_item){.path = res->path,
                                .kind = res->kind,
                                .missing = res->missing,
                                .closed = res->closed,
                                .dev = res->dev,
                                .ino = res->ino,
                                .nlink = res->nlink};
}

static struct survey_item item_of_link(const struct resolved_link *link)
{
    return (struct survey_item){.path = link->path,
                                .kind = FILE_SYMLINK,
                                .is_link = true,
                                .dev = link->dev,
                                .ino = link->ino,
                                .nlink = link->nlink};
}

/* A new extra entry for PATH; its index, or negative. */
static ptrdiff_t new_extra(struct survey_builder *b, const char *path, enum access access,
                           enum entry_kind kind, const struct perm_entry *because,
                           struct error *err)
{
    struct perm_entry *e = vec_push(&b->extra);
    if (!e)
        return survey_memory(err);
    *e = (struct perm_entry){.path = path, .access = access, .kind = kind};
    if (because) {
        e->written = because->written;
        e->origin = because->origin;
    }
    int r = add_canonical(b, e, path, err);
    return r < 0 ? r : (ptrdiff_t)b->extra.n - 1;
}

static int add_extra_item(struct survey_builder *b, const struct survey_item *item,
                          enum access access, enum entry_kind kind,
                          const struct perm_entry *because, struct error *err)
{
    ptrdiff_t i = new_extra(b, item->path, access, kind, because, err);
    return i < 0 ? (int)i : add_item(b, NULL, i, item, err);
}

int survey_add_extra(struct survey_builder *b, const struct resolved *res, enum entry_kind kind,
                     const struct perm_entry *because, struct error *err)
{
    struct survey_item item = item_of(res);
    return add_extra_item(b, &item, ACCESS_READ, kind, because, err);
}

int survey_hold_links(struct survey_builder *b, const struct resolved *res, enum entry_kind kind,
                      const struct perm_entry *because, bool named, struct error *err)
{
    for (size_t i = 0; i < res->n_links; i++) {
        const struct resolved_link *link = &res->links[i];
        if ((link->named && !named) || !is_replaceable(b, link->path, b->a))
            continue;
        struct survey_item item = item_of_link(link);
        int r = add_extra_item(b, &item, ACCESS_READ, kind, because, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- step 1: one entry ---- */

/* What an entry left for step 2. */
struct pending {
    const struct perm_entry *entry;
    struct resolved *res;
};
typedef VEC(struct pending) pending_vec;

static int postpone(struct survey_builder *b, pending_vec *later, const struct perm_entry *e,
                    const struct resolved *res, struct error *err)
{
    struct pending *p = vec_push(later);
    struct resolved *copy = p ? arena_alloc(b->a, sizeof(*copy)) : NULL;
    if (!copy)
        return survey_memory(err);
    *copy = *res;
    *p = (struct pending){e, copy};
    return 0;
}

/* Nothing could be found out about E's target. */
static int no_target(struct survey_builder *b, const struct perm_entry *e,
                     const struct resolved *res, struct error *err)
{
    int code = res->error;
    bool reachable = code != -EACCES && code != -EPERM && code != -ELOOP && code != -ENAMETOOLONG &&
                     code != -ENOTDIR;
    if (reachable && restricts(e))
        return error_errno(err, code, "cannot look at %s, which the profile restricts",
                           show(e->path));
    /* A directory of ours that may not be searched now: the command could change that. */
    struct stat st;
    if (code == -EACCES && is_guard(e) && res->kind == FILE_DIRECTORY &&
        lstat(res->path, &st) == 0 && st.st_uid == geteuid()) {
        struct survey_item item = item_of(res);
        return add_extra_item(b, &item, e->access,
                              e->kind == ENTRY_NAMED ? ENTRY_PROTECTED : e->kind, e, err);
    }
    if (e->kind == ENTRY_BASE || e->if_exists || code == -EACCES)
        return 0;
    int r = survey_warn(b, "cannot look at %s (%s); left out", show(e->path), strerror(-code));
    return r < 0 ? survey_memory(err) : 0;
}

/* Makes the missing end of PATH, the last MISSING components. */
static int make_dirs(const char *path, unsigned missing)
{
    char buf[MAX_PATH_BYTES];
    size_t n = strlen(path);
    if (n >= sizeof(buf))
        return -ENAMETOOLONG;
    memcpy(buf, path, n + 1);
    for (unsigned i = 0; i < missing; i++)
        while (n && buf[--n] != '/')
            ;
    buf[n] = '\0';
    _cleanup_fd_ int fd =
        path_openat2(AT_FDCWD, n ? buf : "/", O_PATH | O_DIRECTORY, 0, UAPI_RESOLVE_NO_SYMLINKS);
    if (fd < 0)
        return fd;
    for (char *name = buf + n + 1; missing > 0; missing--) {
        size_t len = strcspn(name, "/");
        name[len] = '\0';
        if (mkdirat(fd, name, 0755) < 0 && errno != EEXIST)
            return -errno;
        int next = openat(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0)
            return -errno;
        fd_close(fd);
        fd = next;
        name += len + 1;
        /* `buf` was cut at the missing part; the rest stands behind it untouched. */
    }
    return 0;
}

/* A write entry whose path does not exist. 1 when it does now. */
static int missing_root(struct survey_builder *b, const struct perm_entry *e, struct resolved *res,
                        struct error *err)
{
    int r;
    if (e->kind == ENTRY_BASE)
        return 0;
    if (!e->create) {
        /* Writable all the same, by what lies above it. */
        char *above = path_parent(b->a, e->path);
        if (above && permissions_check(b->request->profile, above).access == ACCESS_WRITE)
            return 0;
        r = survey_warn(b, "%s does not exist; not writable in this run", show(e->path));
        return r < 0 ? survey_memory(err) : 0;
    }
    if (b->request->dry_run) {
        res->kind = FILE_DIRECTORY;
        return 1;
    }
    r = make_dirs(res->path, res->missing);
    if (r < 0) {
        r = survey_warn(b, "cannot make %s (%s); not writable in this run", show(res->path),
                        strerror(-r));
        return r < 0 ? survey_memory(err) : 0;
    }
    resolver_forget(&b->resolver);
    const char *made = res->path;
    r = resolver_look(&b->resolver, made, res);
    if (r < 0)
        return error_errno(err, r, "cannot look at %s", show(made));
    if (res->kind != FILE_DIRECTORY)
        return 0;
    r = survey_warn(b, "made the directory %s, which the profile lets the command write",
                    show(made));
    return r < 0 ? survey_memory(err) : 1;
}

/* 1: E stays, with RES; 0: it is left out. */
static int judge_missing(struct survey_builder *b, const struct perm_entry *e, struct resolved *res,
                         struct error *err)
{
    if (e->access == ACCESS_WRITE)
        return missing_root(b, e, res, err);
    return e->kind != ENTRY_BASE && !e->if_exists;
}

static int look_entry(struct survey_builder *b, const struct perm_entry *e, pending_vec *later,
                      struct error *err)
{
    struct resolved res;
    int r = resolver_look(&b->resolver, e->path, &res);
    if (r < 0)
        return error_errno(err, r, "cannot look at %s", show(e->path));
    for (size_t i = 0; i < res.n_links; i++) {
        if (!res.links[i].named)
            continue;
        struct survey_item item = item_of_link(&res.links[i]);
        r = add_item(b, e, -1, &item, err);
        if (r < 0)
            return r;
    }
    if (res.n_links || res.blocker) {
        r = postpone(b, later, e, &res, err);
        if (r < 0)
            return r;
    }
    if (res.no_target)
        return no_target(b, e, &res, err);
    if (res.blocker) {
        if (e->access != ACCESS_WRITE || e->kind == ENTRY_BASE)
            return 0;
        r = survey_warn(b, "%s cannot exist: %s is no directory; left out", show(e->path),
                        show(res.blocker));
        return r < 0 ? survey_memory(err) : 0;
    }
    r = res.kind == FILE_MISSING ? judge_missing(b, e, &res, err) : 1;
    if (r <= 0)
        return r;
    r = add_canonical(b, e, res.path, err);
    if (r < 0)
        return r;
    struct survey_item item = item_of(&res);
    return add_item(b, e, -1, &item, err);
}

/* ---- step 2: what stands on the way ---- */

static int hold_way(struct survey_builder *b, const struct pending *p, struct error *err)
{
    const struct perm_entry *e = p->entry;
    enum entry_kind kind = is_guard(e) && e->kind != ENTRY_NAMED ? e->kind : ENTRY_PROTECTED;
    if (p->res->blocker && restricts(e) && !e->if_exists &&
        survey_access(b, p->res->blocker) == ACCESS_WRITE) {
        int r = survey_add_extra(b, p->res, kind, e, err);
        if (r < 0)
            return r;
    }
    return survey_hold_links(b, p->res, kind, e, false, err);
}

/* ---- globs ---- */

struct globs {
    const struct perm_entry **entries;
    const char **bases;
    ptrdiff_t *extras; /* of those whose base is elsewhere than the entry says; -1 */
    size_t n;
};

/* The fixed directory of a glob. */
static int look_glob(struct survey_builder *b, const struct perm_entry *e, struct globs *g,
                     pending_vec *later, struct error *err)
{
    struct resolved res;
    int r = resolver_look(&b->resolver, e->path, &res);
    if (r < 0)
        return error_errno(err, r, "cannot look at %s", show(e->path));
    if (res.n_links && (r = postpone(b, later, e, &res, err)) < 0)
        return r;
    if (res.no_target)
        return no_target(b, e, &res, err);
    if (res.kind != FILE_DIRECTORY)
        return 0;
    r = add_canonical(b, e, res.path, err);
    if (r < 0)
        return r;
    ptrdiff_t extra = -1;
    if (!str_eq(res.path, e->path)) {
        struct perm_entry *slot = vec_push(&b->extra);
        if (!slot)
            return survey_memory(err);
        *slot = *e;
        slot->path = res.path;
        extra = (ptrdiff_t)b->extra.n - 1;
    }
    g->entries[g->n] = e;
    g->bases[g->n] = res.path;
    g->extras[g->n++] = extra;
    return 0;
}

struct match_context {
    struct survey_builder *b;
    const struct globs *globs;
};

/* A matched symlink: it is masked, and what it leads to. */
static int match_link(struct survey_builder *b, const struct perm_entry *e, ptrdiff_t extra,
                      const struct walk_match *m, struct error *err)
{
    struct resolved res;
    int r = resolver_look(&b->resolver, m->path, &res);
    if (r < 0)
        return error_errno(err, r, "cannot look at %s", show(m->path));
    struct survey_item item = {.path = m->path,
                               .kind = FILE_SYMLINK,
                               .is_link = true,
                               .dev = m->dev,
                               .ino = m->ino,
                               .nlink = m->nlink};
    r = add_item(b, e, extra, &item, err);
    if (r < 0 || res.no_target || res.blocker || res.kind == FILE_MISSING)
        return r;
    if (path_is_below(m->path, res.path)) {
        r = survey_warn(
            b, "%s matches a mask but leads to %s, which holds it: only the link is masked",
            show(m->path), show(res.path));
        return r < 0 ? survey_memory(err) : 0;
    }
    item = item_of(&res);
    return add_item(b, e, extra, &item, err);
}

static int found_match(void *data, const struct walk_match *m, struct error *err)
{
    const struct match_context *c = data;
    struct survey_builder *b = c->b;
    const struct perm_entry *e = c->globs->entries[m->pattern];
    ptrdiff_t extra = c->globs->extras[m->pattern];
    struct survey_item item = {
        .path = m->path, .kind = m->kind, .dev = m->dev, .ino = m->ino, .nlink = m->nlink};
    if (m->full) {
        struct survey_full *slot = vec_push(&b->full);
        if (!slot)
            return survey_memory(err);
        *slot = (struct survey_full){m->path, m->dev, m->ino};
        return 0;
    }
    if (m->shut) {
        int r = survey_warn(b, "%s cannot be looked into, so it is masked whole", show(m->path));
        return r < 0 ? survey_memory(err) : add_extra_item(b, &item, ACCESS_NONE, e->kind, e, err);
    }
    if (m->kind == FILE_SYMLINK)
        return match_link(b, e, extra, m, err);
    if (m->kind == FILE_DIRECTORY && m->nlink <= 2 && b->request->state_dir) {
        struct resolved res;
        int r = resolver_look(&b->resolver, m->path, &res);
        if (r < 0)
            return error_errno(err, r, "cannot look at %s", show(m->path));
        if (res.kind == FILE_MISSING) /* another run's placeholder */
            return 0;
    }
    return add_item(b, e, extra, &item, err);
}

static bool is_listed(const char *const *list, size_t n, const char *path)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(list[i], path))
            return true;
    return false;
}

static const struct perm_entry *entry_of(const struct survey_builder *b, size_t i)
{
    const struct survey_built *it = &b->items.v[i];
    return it->extra >= 0 ? &b->extra.v[it->extra] : it->item.entry;
}

/* Where walks begin: the globs' directories, and what is reopened below them. Not where all is
 * masked. */
static size_t walk_starts(const struct survey_builder *b, const struct globs *g, const char **ret)
{
    size_t n = 0;
    for (size_t i = 0; i < g->n; i++)
        if (!is_listed(ret, n, g->bases[i]) && survey_access(b, g->bases[i]) != ACCESS_NONE)
            ret[n++] = g->bases[i];
    for (size_t k = 0; k < b->items.n; k++) {
        const struct survey_item *item = &b->items.v[k].item;
        const struct perm_entry *e = entry_of(b, k);
        bool below = false;
        if (item->kind != FILE_DIRECTORY || item->missing || e->access == ACCESS_NONE || e->glob ||
            e->kind == ENTRY_OWN)
            continue;
        for (size_t i = 0; i < g->n && !below; i++)
            below = path_is_below(item->path, g->bases[i]);
        if (below && !is_listed(ret, n, item->path) && survey_access(b, item->path) != ACCESS_NONE)
            ret[n++] = item->path;
    }
    return n;
}

static size_t walk_skips(const struct survey_builder *b, const char **ret)
{
    size_t n = 0;
    for (size_t k = 0; k < b->items.n; k++) {
        const struct survey_item *item = &b->items.v[k].item;
        const struct perm_entry *e = entry_of(b, k);
        if (item->kind == FILE_DIRECTORY && e->access == ACCESS_NONE && !e->glob)
            ret[n++] = item->path;
    }
    return n;
}

static int expand_globs(struct survey_builder *b, const struct globs *g, struct error *err)
{
    if (g->n == 0)
        return 0;
    struct glob_set set;
    struct match_context context = {b, g};
    const char **starts = arena_zalloc(b->a, g->n + b->items.n, sizeof(*starts));
    const char **skips = arena_zalloc(b->a, b->items.n + 1, sizeof(*skips));
    if (!starts || !skips || glob_set_init(&set, b->a, g->entries, g->bases, g->n) < 0)
        return survey_memory(err);
    struct walk w = {.a = b->a,
                     .globs = &set,
                     .starts = starts,
                     .skips = skips,
                     .report = found_match,
                     .wants_full = true,
                     .data = &context};
    w.n_starts = walk_starts(b, g, starts);
    w.n_skips = walk_skips(b, skips);
    return walk_globs(&w, err);
}

/* ---- the whole ---- */

static int look_git(struct survey_builder *b, struct error *err)
{
    const struct profile *p = b->request->profile;
    if (!survey_wants_git(b->request->config))
        return 0;
    /* What is added on the way is no root. */
    for (size_t i = 0, n = b->items.n; i < n; i++) {
        const struct survey_item *item = &b->items.v[i].item;
        const struct perm_entry *e = item->entry;
        if (item->kind != FILE_DIRECTORY || item->missing || !e || e->access != ACCESS_WRITE ||
            survey_access(b, item->path) != ACCESS_WRITE)
            continue;
        int r = survey_gitfile(b, item->path, e, err);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < p->n_roots; i++) {
        struct resolved res;
        int r = resolver_look(&b->resolver, p->roots[i], &res);
        if (r < 0)
            return error_errno(err, r, "cannot look at %s", show(p->roots[i]));
        if (res.no_target || res.blocker || res.kind != FILE_DIRECTORY ||
            survey_access(b, res.path) != ACCESS_WRITE)
            continue;
        r = survey_nested(b, res.path, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int look_all(struct survey_builder *b, struct globs *g, pending_vec *later,
                    struct error *err)
{
    const struct profile *p = b->request->profile;
    for (size_t i = 0; i < p->n_entries; i++) {
        const struct perm_entry *e = &p->entries[i];
        int r = e->glob ? look_glob(b, e, g, later, err) : look_entry(b, e, later, err);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < later->n; i++) {
        int r = hold_way(b, &later->v[i], err);
        if (r < 0)
            return r;
    }
    int r = look_git(b, err);
    return r < 0 ? r : expand_globs(b, g, err);
}

/* The number in the first line of FILE, or 0. */
static size_t number_in(const char *file)
{
    char buf[32];
    _cleanup_fd_ int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
    if (n <= 0)
        return 0;
    buf[n] = '\0';
    return strtoul(buf, NULL, 10);
}

void survey_mount_limit(size_t *ret_max, size_t *ret_used)
{
    char buf[16384];
    size_t lines = 0;
    ssize_t n;
    _cleanup_fd_ int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
        for (ssize_t i = 0; i < n; i++)
            lines += buf[i] == '\n';
    *ret_max = number_in("/proc/sys/fs/mount-max");
    *ret_used = lines;
}

static int compare_full(const void *a, const void *b)
{
    const struct survey_full *x = a, *y = b;
    return strcmp(x->path, y->path);
}

/* The vectors become arrays of the arena, and items of extra entries get their pointers. */
static int settle(struct survey_builder *b, struct survey *ret, struct error *err)
{
    struct survey s = {.n_items = b->items.n, .n_extra = b->extra.n};
    if (b->hardlinks > SURVEY_MAX_HARDLINK_WARNINGS &&
        survey_warn(b, "%zu more protected or masked files have hard links",
                    b->hardlinks - SURVEY_MAX_HARDLINK_WARNINGS) < 0)
        return survey_memory(err);
    s.n_warnings = b->warnings.n;
    if (s.n_items >= SURVEY_MANY_MOUNTS) {
        size_t max, used;
        survey_mount_limit(&max, &used);
        s.room = max > used ? max - used : 0;
        s.n_full = s.room ? b->full.n : 0;
    }
    s.full = arena_alloc(b->a, (s.n_full + 1) * sizeof(*s.full));
    s.items = arena_alloc(b->a, (s.n_items + 1) * sizeof(*s.items));
    s.extra = arena_alloc(b->a, (s.n_extra + 1) * sizeof(*s.extra));
    s.warnings = arena_alloc(b->a, (s.n_warnings + 1) * sizeof(*s.warnings));
    if (!s.items || !s.extra || !s.full || !s.warnings)
        return survey_memory(err);
    if (s.n_full) {
        memcpy(s.full, b->full.v, s.n_full * sizeof(*s.full));
        qsort(s.full, s.n_full, sizeof(*s.full), compare_full);
    }
    for (size_t i = 0; i < s.n_extra; i++)
        s.extra[i] = b->extra.v[i];
    for (size_t i = 0; i < s.n_warnings; i++)
        s.warnings[i] = b->warnings.v[i];
    for (size_t i = 0; i < s.n_items; i++) {
        s.items[i] = b->items.v[i].item;
        if (b->items.v[i].extra >= 0)
            s.items[i].entry = &s.extra[b->items.v[i].extra];
    }
    *ret = s;
    return 0;
}

int survey_look(struct arena *a, const struct survey_request *request, struct survey *ret,
                struct error *err)
{
    struct survey_builder b = {.a = a, .request = request};
    pending_vec later = {0};
    size_t n = request->profile->n_entries + 1;
    struct globs g = {.entries = arena_zalloc(a, n, sizeof(*g.entries)),
                      .bases = arena_zalloc(a, n, sizeof(*g.bases)),
                      .extras = arena_zalloc(a, n, sizeof(*g.extras))};
    int r = resolver_init(&b.resolver, a, request->state_dir);
    if (r < 0)
        error_errno(err, r, "cannot look at the disk");
    else if (!g.entries || !g.bases || !g.extras)
        r = survey_memory(err);
    else if (!request->profile->full_access)
        r = look_all(&b, &g, &later, err);
    if (r == 0)
        r = settle(&b, ret, err);
    resolver_release(&b.resolver);
    vec_release(&later);
    vec_release(&b.items);
    vec_release(&b.extra);
    vec_release(&b.full);
    vec_release(&b.warnings);
    vec_release(&b.canonical);
    return r;
}

int survey_take(struct arena *a, const struct config *config, const struct profile *profile,
                struct survey *ret, struct error *err)
{
    struct survey_request request = {.config = config, .profile = profile};
    return survey_look(a, &request, ret, err);
}

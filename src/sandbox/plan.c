/*
 * From a profile and a survey to a plan. Pure: everything the disk or the environment has to say is
 * in the input.
 *
 * The survey's items are walked in the order of their paths, parents first, with the state that the
 * mounts so far give to a path (nothing there, read-only, writable, masked). permissions_check()
 * says what the path should be; where the two differ a mount is added. So the plan holds no mount
 * that changes nothing, and one look at the list tells what the command sees.
 */
#include "sandbox/plan.h"

#include "base/limits.h"
#include "base/path.h"
#include "base/vec.h"
#include "sandbox/environment.h"
#include "sandbox/environment_net.h"
#include "sandbox/net_inside.h"
#include "sandbox/plan_net.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum state { STATE_ABSENT, STATE_READ, STATE_WRITE, STATE_MASKED };

struct level { /* a mount of the plan that holds for what lies below it */
    const char *path;
    enum state state;
    size_t index; /* of the mount; SIZE_MAX for the root */
};

typedef VEC(struct plan_mount) mount_vec;
typedef VEC(const char *) string_vec;

struct builder {
    struct arena *a;
    const struct plan_input *in;
    struct plan *plan;
    mount_vec mounts;
    string_vec warnings, guarded, absent;
    VEC(struct level) levels;
    bool failed;
    bool has_link; /* a mount goes on a symlink itself */
};

/* ---- order ---- */

/* By path, '/' before every other byte, so that what lies below a directory follows it at once. */
static int compare_paths(const char *a, const char *b)
{
    for (;; a++, b++) {
        unsigned char x = (unsigned char)*a, y = (unsigned char)*b;
        if (x != y)
            return (x == '/' ? 1 : x == 0 ? 0 : x + 1) - (y == '/' ? 1 : y == 0 ? 0 : y + 1);
        if (x == 0)
            return 0;
    }
}

static int compare_items(const void *a, const void *b)
{
    const struct survey_item *const *x = a, *const *y = b;
    int c = compare_paths((*x)->path, (*y)->path);
    if (c)
        return c;
    /* Of two alike: what exists first, then in the order of the survey, for a stable plan. */
    if ((*x)->missing != (*y)->missing)
        return (*x)->missing ? 1 : -1;
    return *x < *y ? -1 : *x > *y;
}

static int compare_mounts(const void *a, const void *b)
{
    const struct plan_mount *x = a, *y = b;
    return compare_paths(x->path, y->path);
}

/* ---- state ---- */

static struct level *level_of(struct builder *b, const char *path)
{
    while (b->levels.n > 1 && !path_is_below(path, b->levels.v[b->levels.n - 1].path))
        b->levels.n--;
    return &b->levels.v[b->levels.n - 1];
}

static struct plan_mount *add_mount(struct builder *b, enum mount_op op, const char *path)
{
    struct plan_mount *m = vec_push_max(&b->mounts, MAX_PLAN_MOUNTS);
    if (!m) {
        b->failed = true;
        return NULL;
    }
    *m = (struct plan_mount){.op = op, .path = path};
    return m;
}

static void enter_level(struct builder *b, const char *path, enum state state)
{
    struct level *l = vec_push(&b->levels);
    if (!l) {
        b->failed = true;
        return;
    }
    *l = (struct level){.path = path, .state = state, .index = b->mounts.n - 1};
}

static void warn(struct builder *b, const char *text)
{
    const char **w = vec_push(&b->warnings);
    if (w)
        *w = text;
    else
        b->failed = true;
}

/* ---- one item ---- */

/* Does the person's own line say that exactly PATH is writable? Then the command makes it. */
static bool is_written_by_name(const struct builder *b, const char *path)
{
    const struct profile *p = b->in->profile;
    for (size_t i = 0; i < p->n_entries; i++)
        if (p->entries[i].access == ACCESS_WRITE && p->entries[i].kind == ENTRY_NAMED &&
            !p->entries[i].glob && strcmp(p->entries[i].path, path) == 0)
            return true;
    return false;
}

static void add_missing(struct builder *b, const struct survey_item *item,
                        const struct level *under, const struct perm_entry *entry)
{
    /* Where nothing can be created, nothing has to be held. */
    if (under->state != STATE_WRITE || item->closed)
        return;
    /* The first component that does not exist is what is held. */
    char *path = arena_strdup(b->a, item->path);
    if (!path) {
        b->failed = true;
        return;
    }
    for (unsigned i = 1; i < item->missing; i++) {
        char *slash = strrchr(path, '/');
        if (!slash || slash == path)
            return;
        *slash = '\0';
    }
    if (entry->kind == ENTRY_PROTECTED && is_written_by_name(b, path))
        return;
    /* A mask needs no placeholder: who reads the name is judged anyway, and so is who makes it. Nor
     * is one made that could not be written down first (a nested namespace is not judged: there the
     * start is refused). */
    bool judged =
        b->in->config->backend != BACKEND_LANDLOCK && b->in->config->backend != BACKEND_EXTERNAL &&
        (entry->keep_absent || (entry->access == ACCESS_NONE && entry->kind == ENTRY_NAMED) ||
         (b->in->stateless && !b->in->config->allow_nested_userns));
    if (judged) {
        const char **name = vec_push(&b->absent);
        if (name)
            *name = path;
        else
            b->failed = true;
        return;
    }
    if (b->mounts.n && strcmp(b->mounts.v[b->mounts.n - 1].path, path) == 0)
        return;
    struct plan_mount *m = add_mount(b, MOUNT_MISSING, path);
    if (!m)
        return;
    m->is_dir = true;
    m->entry = entry;
    enter_level(b, path, STATE_READ);
}

/* A nested repository's `.git` becomes a mount of its own, as writable as it was: what is protected
 * in it could otherwise be left behind by renaming it. The tree round it can still be moved. */
static void hold_nested(struct builder *b, const struct survey_item *item)
{
    char *dir = path_parent(b->a, item->path);
    if (!dir) {
        b->failed = true;
        return;
    }
    struct level *under = level_of(b, dir);
    if (under->state != STATE_WRITE || strcmp(under->path, dir) == 0 ||
        strcmp(path_base(dir), ".git") != 0)
        return;
    struct plan_mount *m = add_mount(b, MOUNT_BIND, dir);
    if (!m)
        return;
    m->write = m->is_dir = true;
    m->entry = item->entry;
    enter_level(b, dir, STATE_WRITE);
}

static void add_item(struct builder *b, const struct survey_item *item)
{
    if (item->entry && item->entry->kind == ENTRY_NESTED && item->missing <= 1)
        hold_nested(b, item);
    const struct profile *profile = b->plan->profile;
    struct level *under = level_of(b, item->path);
    struct permission want = permissions_check(profile, item->path);
    const struct perm_entry *entry = want.entry ? want.entry : item->entry;
    if (item->kind == FILE_MISSING || item->missing) {
        if (want.access != ACCESS_WRITE && !(item->entry && item->entry->if_exists))
            add_missing(b, item, under, entry);
        return;
    }
    enum state state = want.access == ACCESS_WRITE  ? STATE_WRITE
                       : want.access == ACCESS_READ ? STATE_READ
                                                    : STATE_MASKED;
    /* A link that an entry names is held even where nothing about access changes. */
    bool hold = item->is_link && under->state == STATE_WRITE;
    if (state == under->state && !hold)
        return;
    if (state == STATE_MASKED && under->state == STATE_ABSENT)
        return;
    if (strcmp(item->path, "/") == 0)
        return;
    bool is_dir = item->kind == FILE_DIRECTORY;
    /* In a root of the sandbox's own a link is made, not mounted on. */
    b->has_link = b->has_link ||
                  ((item->is_link || item->kind == FILE_SYMLINK) && under->state != STATE_ABSENT);
    if (state == STATE_MASKED) {
        struct plan_mount *m = add_mount(b, MOUNT_MASK, item->path);
        if (!m)
            return;
        m->is_dir = is_dir;
        m->entry = entry;
        m->dev = item->dev;
        m->ino = item->ino;
    } else {
        /* Opened again below a mask: the mask must let it through. */
        for (size_t i = b->levels.n; i-- > 1;)
            if (b->levels.v[i].state == STATE_MASKED)
                b->mounts.v[b->levels.v[i].index].reopened = true;
        struct plan_mount *m = add_mount(b, MOUNT_BIND, item->path);
        if (!m)
            return;
        m->write = state == STATE_WRITE && !item->is_link;
        m->is_dir = is_dir;
        m->entry = entry;
        m->dev = item->dev;
        m->ino = item->ino;
    }
    if (is_dir)
        enter_level(b, item->path, state);
}

/* ---- where the kernel allows fewer mounts than there is to mask ---- */

/* Mounts beside those of the survey's items: /proc, /dev and what is in them. */
#define OWN_MOUNTS 64u

static bool is_short_of_mounts(const struct survey *s)
{
    return s->room && s->n_items + OWN_MOUNTS > s->room;
}

static int compare_to_full(const void *key, const void *member)
{
    const struct survey_full *full = member;
    return strcmp(key, full->path);
}

/* Masking DIR whole must take nothing away but what is masked: no entry names it or something
 * below it, and neither the workspace nor the working directory is there. */
static bool may_mask_whole(const struct builder *b, const char *dir)
{
    const struct profile *p = b->plan->profile;
    if (path_is_below(b->in->cwd, dir) || path_is_below(b->in->workspace, dir))
        return false;
    for (size_t i = 0; i < p->n_entries; i++)
        if (p->entries[i].access != ACCESS_NONE &&
            (path_is_below(p->entries[i].path, dir) || p->entries[i].glob))
            return false;
    return true;
}

/* The directory ITEM lies in, when everything in it matches and it may be masked whole. */
static const struct survey_full *full_above(struct builder *b, const struct survey_item *item)
{
    const struct survey *s = b->in->survey;
    size_t n = (size_t)(path_base(item->path) - item->path);
    char dir[MAX_PATH_BYTES];
    if (!item->entry || !item->entry->glob || n < 2 || n > sizeof(dir))
        return NULL;
    memcpy(dir, item->path, n - 1);
    dir[n - 1] = '\0';
    const struct survey_full *full =
        bsearch(dir, s->full, s->n_full, sizeof(*s->full), compare_to_full);
    return full && may_mask_whole(b, full->path) ? full : NULL;
}

static void mask_whole(struct builder *b, const struct survey_full *full,
                       const struct survey_item *because)
{
    if (level_of(b, full->path)->state == STATE_MASKED)
        return;
    struct plan_mount *m = add_mount(b, MOUNT_MASK, full->path);
    if (!m)
        return;
    m->is_dir = true;
    m->entry = because->entry;
    m->dev = full->dev;
    m->ino = full->ino;
    enter_level(b, full->path, STATE_MASKED);
}

/* ---- directories that may not be renamed away ---- */

static int compare_strings(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

/* The writable mount PATH lies in, not PATH itself; NULL when there is none. */
static const struct plan_mount *writable_above(const struct builder *b, const char *path)
{
    const struct plan_mount *found = NULL;
    for (const struct plan_mount *m = b->mounts.v; m && m < b->mounts.v + b->mounts.n; m++)
        if (m->op == MOUNT_BIND && m->write && m->is_dir && strcmp(m->path, path) != 0 &&
            path_is_below(path, m->path))
            found = m;
    return found;
}

static void guard_parents(struct builder *b, const char *path)
{
    const struct plan_mount *above = writable_above(b, path);
    size_t least = above ? strlen(above->path) : b->plan->root_write ? 1 : SIZE_MAX;
    size_t n = strlen(path);
    while (n && least != SIZE_MAX) {
        while (n && path[--n] != '/')
            ;
        if (n <= least)
            return;
        const char **g = vec_push(&b->guarded);
        char *dir = arena_strndup(b->a, path, n);
        if (!g || !dir) {
            b->failed = true;
            return;
        }
        *g = dir;
    }
}

/* The item's path up to its first component that does not exist: nobody renames what is not there.
 */
static const char *existing_end(struct builder *b, const struct survey_item *item)
{
    if (item->missing <= 1)
        return item->path;
    char *path = arena_strdup(b->a, item->path);
    for (unsigned i = 1; path && i < item->missing; i++) {
        char *slash = strrchr(path, '/');
        if (!slash || slash == path)
            break;
        *slash = '\0';
    }
    b->failed = b->failed || !path;
    return path;
}

static void guard(struct builder *b)
{
    const struct survey *s = b->in->survey;
    for (size_t i = 0; i < s->n_items; i++) {
        const struct perm_entry *e = s->items[i].entry;
        if (!e || e->glob || e->kind == ENTRY_NESTED || e->kind == ENTRY_BASE)
            continue;
        const char *path = existing_end(b, &s->items[i]);
        if (path)
            guard_parents(b, path);
    }
    if (b->guarded.n == 0)
        return;
    qsort(b->guarded.v, b->guarded.n, sizeof(b->guarded.v[0]), compare_strings);
    size_t n = 1;
    for (size_t i = 1; i < b->guarded.n; i++)
        if (strcmp(b->guarded.v[i], b->guarded.v[n - 1]) != 0)
            b->guarded.v[n++] = b->guarded.v[i];
    b->guarded.n = n;
}

/* ---- what the sandbox brings itself ---- */

static const struct {
    const char *name;
    const char *paths[6];
} device_sets[] = {
    {"gpu",
     {"/dev/dri", "/dev/kfd", "/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm",
      "/dev/nvidia-modeset"}},
    {"kvm", {"/dev/kvm"}},
    {"fuse", {"/dev/fuse"}},
    {"tun", {"/dev/net/tun"}},
    {"sound", {"/dev/snd"}},
};

static void add_device(struct builder *b, const char *path)
{
    struct plan_mount *m = add_mount(b, MOUNT_DEVICE, path);
    if (m) {
        m->write = true;
        m->is_dir = strcmp(path, "/dev/dri") == 0 || strcmp(path, "/dev/snd") == 0;
    }
}

static void add_devices(struct builder *b)
{
    const struct string_list *list = &b->in->config->devices;
    for (size_t i = 0; i < list->n; i++) {
        bool known = false;
        for (size_t k = 0; k < ARRAY_LEN(device_sets); k++) {
            if (strcmp(device_sets[k].name, list->v[i]) != 0)
                continue;
            known = true;
            for (size_t p = 0; p < ARRAY_LEN(device_sets[k].paths) && device_sets[k].paths[p]; p++)
                add_device(b, device_sets[k].paths[p]);
        }
        if (!known && path_is_normal(list->v[i]) && path_is_below(list->v[i], "/dev")) {
            add_device(b, list->v[i]);
        } else if (!known) {
            char *text =
                arena_printf(b->a, "devices: %s is neither a known set nor a path in /dev; ignored",
                             show(list->v[i]));
            if (text)
                warn(b, text);
        }
    }
}

/* Does the sandbox show nothing of its host at PATH, and hides nothing there on purpose either? */
static bool is_absent(const struct builder *b, const char *path)
{
    bool absent = !b->plan->root_is_host;
    for (size_t i = 0; i < b->mounts.n; i++) {
        const struct plan_mount *m = &b->mounts.v[i];
        if (path_is_below(path, m->path))
            absent = m->op == MOUNT_TMPFS;
    }
    return absent;
}

/* Sockets of the host that may be connected to, where the command's files do not have them. */
static void add_sockets(struct builder *b)
{
    const struct plan *p = b->plan;
    for (size_t i = 0; i < p->n_unix_sockets; i++)
        if (is_absent(b, p->unix_sockets[i]))
            add_mount(b, MOUNT_SOCKET, p->unix_sockets[i]);
}

/* Is this carried out by mounts? */
static bool has_mounts(enum backend backend)
{
    return backend != BACKEND_LANDLOCK && backend != BACKEND_EXTERNAL;
}

static void add_own(struct builder *b)
{
    add_mount(b, MOUNT_PROC, "/proc");
    add_mount(b, MOUNT_DEV, "/dev");
    add_devices(b);
    if (b->plan->network == NETWORK_FILTERED && b->plan->net.socks)
        add_mount(b, MOUNT_SELF, NET_CONNECTOR);
    for (size_t i = 0; b->in->opening && i < b->in->opening->n_files; i++)
        add_mount(b, MOUNT_TEXT, b->in->opening->files[i]);
    if (b->in->config->private_tmp) {
        struct plan_mount *m = add_mount(b, MOUNT_TMPFS, "/tmp");
        if (m)
            m->is_dir = m->write = true;
    }
    if (b->plan->root_write) {
        struct plan_mount *m = add_mount(b, MOUNT_BIND, "/sys");
        if (m)
            m->is_dir = true;
    }
    if (has_mounts(b->in->config->backend))
        add_sockets(b);
}

/* ---- the parts ---- */

/* Does ENTRY itself answer for the path the survey found for it? Not where a link led elsewhere. */
static bool names_path(const struct perm_entry *e, const char *path)
{
    if (!e->glob)
        return strcmp(e->path, path) == 0;
    if (!path_is_below(path, e->path))
        return false;
    const char *rel = path + strlen(e->path);
    while (*rel == '/')
        rel++;
    return glob_match_prefix(e->glob, rel) != 0;
}

/* A preset opens `.git`; where the survey found a file there and closed it, that stands. */
static bool is_closed_again(const struct survey *s, const struct perm_entry *e)
{
    if (e->access != ACCESS_WRITE || e->glob || !perm_of_preset(e))
        return false;
    for (size_t i = 0; i < s->n_extra; i++)
        if (s->extra[i].kind == ENTRY_GITDIR && strcmp(s->extra[i].path, e->path) == 0)
            return true;
    return false;
}

/* The profile with what the survey found: one list that permissions_check() answers from. Where an
 * entry's path led through a link, the entry holds for the place behind it as well. */
static const struct profile *extended(struct builder *b)
{
    const struct profile *p = b->in->profile;
    const struct survey *s = b->in->survey;
    struct profile *q = arena_alloc(b->a, sizeof(*q));
    VEC(struct perm_entry) led = {0};
    for (size_t i = 0; q && i < s->n_items; i++) {
        const struct survey_item *item = &s->items[i];
        if (!item->entry || names_path(item->entry, item->path))
            continue;
        struct perm_entry *e = vec_push(&led);
        if (!e) {
            q = NULL;
            break;
        }
        *e = *item->entry;
        e->path = item->path;
        e->glob = NULL;
    }
    size_t n = p->n_entries + s->n_extra + led.n;
    struct perm_entry *all = q ? arena_alloc(b->a, (n + 1) * sizeof(*all)) : NULL;
    if (all) {
        *q = *p;
        /* The profile's own entries come last: of two alike the later one is reported. */
        if (led.n)
            memcpy(all, led.v, led.n * sizeof(*all));
        if (s->n_extra)
            memcpy(all + led.n, s->extra, s->n_extra * sizeof(*all));
        if (p->n_entries)
            memcpy(all + led.n + s->n_extra, p->entries, p->n_entries * sizeof(*all));
        q->entries = all;
        q->n_entries = n;
        for (size_t i = 0; i < n; i++)
            if (is_closed_again(s, &all[i]))
                all[i].access = ACCESS_READ;
    }
    vec_release(&led);
    return all ? q : NULL;
}

static void build_mounts(struct builder *b)
{
    const struct survey *s = b->in->survey;
    const struct survey_item **order = arena_alloc(b->a, (s->n_items + 1) * sizeof(*order));
    struct level *top = vec_push(&b->levels);
    if (!order || !top) {
        b->failed = true;
        return;
    }
    for (size_t i = 0; i < s->n_items; i++)
        order[i] = &s->items[i];
    qsort(order, s->n_items, sizeof(*order), compare_items);
    *top = (struct level){.path = "/",
                          .state = !b->plan->root_is_host ? STATE_ABSENT
                                   : b->plan->root_write  ? STATE_WRITE
                                                          : STATE_READ,
                          .index = SIZE_MAX};
    bool coalesce = is_short_of_mounts(s);
    const char *whole = NULL; /* masked whole, with what is below */
    size_t n_whole = 0;
    for (size_t i = 0; i < s->n_items && !b->failed; i++) {
        /* The command's own /proc and /dev are what it finds there, and its private /tmp. */
        const char *path = order[i]->path;
        if (path_is_below(path, "/proc") || strcmp(path, "/dev") == 0 ||
            (b->in->config->private_tmp && path_is_below("/tmp", path) && path[1] &&
             strcmp(path, "/tmp") == 0))
            continue;
        if (i && strcmp(order[i - 1]->path, path) == 0)
            continue;
        if (whole && path_is_below(path, whole))
            continue;
        const struct survey_full *full = coalesce ? full_above(b, order[i]) : NULL;
        if (full) {
            whole = full->path;
            n_whole++;
            mask_whole(b, full, order[i]);
            continue;
        }
        add_item(b, order[i]);
    }
    if (n_whole) {
        char *text = arena_printf(b->a,
                                  "%zu masks are more than the kernel allows mounts: %zu "
                                  "directories that hold nothing else are masked whole",
                                  s->n_items, n_whole);
        if (text)
            warn(b, text);
    }
}

static void choose_backend(struct builder *b)
{
    struct plan *p = b->plan;
    enum backend asked = b->in->config->backend;
    const struct bwrap_facts *f = &b->in->bwrap;
    p->bwrap_path = f->path;
    p->bwrap_why = f->why;
    p->bwrap_pins = f->pins;
    p->backend = asked;
    p->backend_reason = "sandbox_backend says so";
    if (asked == BACKEND_BWRAP && p->net.transparent) {
        p->net.transparent = false;
        warn(b, "the bwrap backend cannot redirect connections: programs that ignore the proxy "
                "variables reach nothing");
    }
    if (asked != BACKEND_AUTO)
        return;
    p->backend = BACKEND_BUNDLED;
    if (!f->path)
        p->backend_reason = f->why ? f->why : "no bwrap that is fit was found";
    else if (p->net.transparent)
        p->backend_reason = "bwrap cannot redirect connections to the proxy";
    else if (b->has_link)
        p->backend_reason = "bwrap cannot mount on a symlink";
    else if (p->n_mounts > PLAN_BWRAP_MOUNTS)
        p->backend_reason =
            arena_printf(b->a, "%zu mounts: bwrap is slow past %d", p->n_mounts, PLAN_BWRAP_MOUNTS);
    else {
        p->backend = BACKEND_BWRAP;
        p->backend_reason = "a bwrap that is fit was found";
    }
}

static bool has_named_mask(const struct profile *p)
{
    for (size_t i = 0; i < p->n_entries; i++)
        if (p->entries[i].access == ACCESS_NONE && p->entries[i].kind == ENTRY_NAMED)
            return true;
    return false;
}

static void choose_filter(struct builder *b)
{
    struct plan *p = b->plan;
    p->filter = 0;
    if (p->network != NETWORK_OPEN)
        p->filter |= FILTER_NETWORK_OFF;
    if (b->in->config->allow_ptrace)
        p->filter |= FILTER_ALLOW_PTRACE;
    if (b->in->config->allow_nested_userns)
        p->filter |= FILTER_ALLOW_USERNS;
    if (b->in->log_denials)
        p->filter |= FILTER_LOG;
    /* What the supervisor opens or renames for the command is held by mounts. Landlock has none,
     * and needs none: what is not enumerated when it starts stays shut. */
    bool mounts = has_mounts(p->backend);
    /* Where the profile leaves things out, a read can be refused too, and the log is to show it. */
    if (mounts &&
        (has_named_mask(p->profile) || p->n_absent || (b->in->log_denials && !p->root_is_host)))
        p->filter |= FILTER_WATCH_OPEN;
    if (mounts && p->n_guarded)
        p->filter |= FILTER_WATCH_RENAME;
    if (!mounts)
        p->filter |= FILTER_NO_NETNS;
    p->nested_userns = b->in->config->allow_nested_userns;
}

/* The empty `.git` that holds the name makes go ask git for a revision, and stop when there is
 * none. */
static const char *go_flags(const struct builder *b)
{
    bool held = false;
    for (size_t i = 0; i < b->plan->n_mounts; i++) {
        const struct plan_mount *m = &b->plan->mounts[i];
        size_t n = strlen(m->path);
        const size_t tail = sizeof("/.git") - 1;
        if (m->op == MOUNT_MISSING && n > tail && strcmp(m->path + n - tail, "/.git") == 0)
            held = held || (strncmp(b->plan->cwd, m->path, n - tail) == 0 &&
                            (b->plan->cwd[n - tail] == '/' || b->plan->cwd[n - tail] == '\0'));
    }
    if (!held)
        return NULL;
    for (size_t i = 0; b->in->environ && b->in->environ[i]; i++)
        if (strncmp(b->in->environ[i], "GOFLAGS=", 8) == 0)
            return strstr(b->in->environ[i], "-buildvcs")
                       ? NULL
                       : arena_printf(b->a, "%s -buildvcs=false", b->in->environ[i]);
    return "GOFLAGS=-buildvcs=false";
}

/* What the sandbox itself says to the command; how many. */
static int own_variables(struct builder *b, const char **added, struct error *err)
{
    int n = 0;
    added[n++] = "BAWN_SANDBOX=1";
    if (b->plan->network == NETWORK_OFF) {
        added[n++] = "BAWN_SANDBOX_NETWORK_DISABLED=1";
        added[n++] = "CODEX_SANDBOX_NETWORK_DISABLED=1";
    }
    added[n++] = "CODEX_SANDBOX=seccomp";
    const char *go = go_flags(b);
    if (go)
        added[n++] = go;
    if (b->plan->network != NETWORK_FILTERED)
        return n;
    /* Some are added to what the command would have without. */
    struct environment before;
    int r = environment_build(b->a, b->in->config, b->in->environ, NULL, 0, &before, err);
    if (r < 0)
        return r;
    r = environment_net(b->a, &b->plan->net, before.env, before.n_env, added + n);
    return r < 0 ? error_errno(err, r, "cannot put the environment together") : n + r;
}

static bool is_named(const char *entry, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(names[i]);
        if (strncmp(entry, names[i], len) == 0 && entry[len] == '=')
            return true;
    }
    return false;
}

/* bawn's own environment, without what holds secrets of the network's. NULL: no memory. */
static const char *const *without_secrets(struct builder *b)
{
    const struct plan_opening *o = b->in->opening;
    const char *const *from = b->in->environ;
    size_t n = 0, kept = 0;
    if (!o || o->n_unset == 0 || !from)
        return from;
    while (from[n])
        n++;
    const char **to = arena_alloc(b->a, (n + 1) * sizeof(*to));
    for (size_t i = 0; to && i < n; i++)
        if (!is_named(from[i], o->unset, o->n_unset))
            to[kept++] = from[i];
    if (to)
        to[kept] = NULL;
    return to;
}

static int build_environment(struct builder *b, struct error *err)
{
    const char *added[8 + ENVIRONMENT_NET_MAX];
    const struct plan_opening *o = b->in->opening;
    const size_t n_set = o ? o->n_set : 0;
    int own = b->plan->profile->full_access ? 0 : own_variables(b, added, err);
    if (own < 0)
        return own;
    size_t n = (size_t)own;
    const char **kept = arena_alloc(b->a, (n + n_set + 1) * sizeof(*kept));
    const char *const *from = without_secrets(b);
    struct environment env;
    if (!kept || (b->in->environ && !from))
        return error_set(err, -ENOMEM, "out of memory");
    if (n)
        memcpy(kept, added, n * sizeof(*kept));
    for (size_t i = 0; i < n_set; i++)
        kept[n++] = o->set[i];
    int r = environment_build(b->a, b->in->config, from, kept, n, &env, err);
    if (r < 0)
        return r;
    b->plan->env = env.env;
    b->plan->n_env = env.n_env;
    b->plan->env_removed = env.removed;
    b->plan->n_env_removed = env.n_removed;
    b->plan->env_set = kept;
    b->plan->n_env_set = n;
    return 0;
}

static void collect_warnings(struct builder *b)
{
    for (size_t i = 0; i < b->in->survey->n_warnings; i++)
        warn(b, b->in->survey->warnings[i]);
}

/* Vectors become arrays of the arena. */
static const void *settle(struct builder *b, const void *v, size_t n, size_t size)
{
    void *p = arena_alloc(b->a, n * size + 1);
    if (!p)
        b->failed = true;
    else if (n)
        memcpy(p, v, n * size);
    return p;
}

static int build(struct builder *b, struct error *err)
{
    struct plan *p = b->plan;
    const struct plan_input *in = b->in;
    p->config = in->config;
    p->workspace = in->workspace;
    p->cwd = in->cwd;
    p->network = in->profile->network;
    p->profile = extended(b);
    if (!p->profile)
        return error_set(err, -ENOMEM, "out of memory");
    int r = plan_net_decide(b->a, p, in->network, err);
    if (r < 0)
        return r;
    p->root_is_host = p->profile->full_read;
    p->root_write = p->root_is_host && permissions_check(p->profile, "/").access == ACCESS_WRITE;
    collect_warnings(b);
    if (!p->profile->full_access) {
        build_mounts(b);
        guard(b);
        add_own(b);
    }
    if (b->failed)
        return error_set(err, b->mounts.n >= MAX_PLAN_MOUNTS ? -E2BIG : -ENOMEM,
                         b->mounts.n >= MAX_PLAN_MOUNTS ? "the plan has more than %u mounts"
                                                        : "out of memory (%u)",
                         MAX_PLAN_MOUNTS);
    if (b->mounts.n)
        qsort(b->mounts.v, b->mounts.n, sizeof(b->mounts.v[0]), compare_mounts);
    p->n_mounts = b->mounts.n;
    choose_backend(b);
    p->n_guarded = b->guarded.n;
    p->n_absent = b->absent.n;
    p->n_warnings = b->warnings.n;
    p->mounts =
        (struct plan_mount *)(uintptr_t)settle(b, b->mounts.v, b->mounts.n, sizeof(*b->mounts.v));
    p->guarded =
        (const char **)(uintptr_t)settle(b, b->guarded.v, b->guarded.n, sizeof(*b->guarded.v));
    p->absent = (const char **)(uintptr_t)settle(b, b->absent.v, b->absent.n, sizeof(*b->absent.v));
    p->warnings =
        (const char **)(uintptr_t)settle(b, b->warnings.v, b->warnings.n, sizeof(*b->warnings.v));
    if (b->failed)
        return error_set(err, -ENOMEM, "out of memory");
    choose_filter(b);
    /* Mounts of a nested namespace give files other paths than those that masks are judged by. */
    if (p->filter & FILTER_WATCH_OPEN && p->filter & FILTER_ALLOW_USERNS) {
        error_set(err, -EINVAL,
                  "allow_nested_userns cannot be held together with masks: a nested namespace "
                  "shows files under other paths");
        error_hint(err,
                   "leave the entries with access \"none\" out, or allow_nested_userns = false");
        return -EINVAL;
    }
    return build_environment(b, err);
}

int plan_build(struct arena *a, const struct plan_input *input, struct plan **ret,
               struct error *err)
{
    struct builder b = {.a = a, .in = input};
    b.plan = arena_zalloc(a, 1, sizeof(*b.plan));
    int r = b.plan ? build(&b, err) : error_set(err, -ENOMEM, "out of memory");
    vec_release(&b.mounts);
    vec_release(&b.warnings);
    vec_release(&b.guarded);
    vec_release(&b.absent);
    vec_release(&b.levels);
    if (r == 0)
        *ret = b.plan;
    return r;
}

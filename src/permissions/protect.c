/*
 * What no profile gives away by accident (spec 1.2): bawn's own files, and the protected names
 * directly under every writable root.
 *
 * bawn's own come first and cannot be lifted; what asks to write there is brought down to reading,
 * so that whoever makes mounts from the entries need not know. A protected name is added only where
 * the path would be writable otherwise: it takes away, it never grants (a name below a masked
 * directory stays masked). An explicit `write` entry for exactly that path lifts it.
 */
#include "permissions/build.h"

#include "base/path.h"

#include <errno.h>

/* Names in the user's directory that hold credentials of bawn's own; and, last, where telemetry
 * waits, whose socket would take a command's word about where it goes. */
static const char *const credentials[] = {"auth.json", "credentials.json", "credentials.toml",
                                          "telemetry"};

/* Names in the user's directory that say what is allowed. */
static const char *const own_files[] = {"trust.toml", "rules"};

/* Of protected_agent_names: what only an agent reads. Held even
 * while it does not exist; the others are left alone until then. */
static const char *const only_agents[] = {".claude", ".cursor", ".gemini", ".mcp.json"};

static int no_memory(struct error *err)
{
    return error_errno(err, -ENOMEM, "cannot resolve the permission profile");
}

/* ---- bawn's own ---- */

/* Write entries at or below PATH, which is bawn's own, become read entries. */
static int lower_own(struct build *b, const char *path)
{
    for (size_t i = 0; i < b->entries.n; i++) {
        struct perm_entry *e = &b->entries.v[i].e;
        if (e->access != ACCESS_WRITE || e->glob || !path_is_below(e->path, path))
            continue;
        e->access = ACCESS_READ;
        e->create = false;
        if (build_warn(b, "%s stays read-only: it lies in %s, which is bawn's own", show(e->path),
                       show(path)) < 0)
            return -ENOMEM;
    }
    return 0;
}

static bool any_write(const struct build *b)
{
    for (size_t i = 0; i < b->entries.n; i++)
        if (b->entries.v[i].e.access == ACCESS_WRITE)
            return true;
    return false;
}

static int add_own(struct build *b, const char *path, enum access access, bool if_exists)
{
    struct build_entry *e;
    if (access == ACCESS_READ && lower_own(b, path) < 0)
        return -ENOMEM;
    if (!(e = build_add(b, 0, path, NULL, access, ENTRY_OWN)))
        return -ENOMEM;
    e->e.if_exists = if_exists;
    e->e.written = "bawn's own files";
    e->e.origin.layer = "default";
    return 0;
}

/* A file of configuration by itself: it may be a link to where the command can write, or have a
 * second name there. */
static int add_own_file(struct build *b, const char *path)
{
    if (!path || path[0] != '/')
        return 0;
    if (add_own(b, path, ACCESS_READ, true) < 0)
        return -ENOMEM;
    b->entries.v[b->entries.n - 1].e.one_name = true;
    return 0;
}

static int protect_own(struct build *b)
{
    const struct perm_context *c = b->context;
    bool writes = any_write(b);
    if (c->bawn_home && writes && add_own(b, c->bawn_home, ACCESS_READ, false) < 0)
        return -ENOMEM;
    for (size_t i = 0; writes && i < c->n_own; i++)
        if (add_own(b, c->own[i], ACCESS_READ, false) < 0)
            return -ENOMEM;
    for (size_t i = 0; writes && i < b->config->n_layers; i++) {
        const struct config_layer *layer = &b->config->layers[i];
        if (layer->dir && layer->dir[0] == '/' &&
            (!c->bawn_home || !str_eq(layer->dir, c->bawn_home)) &&
            add_own(b, layer->dir, ACCESS_READ, false) < 0)
            return -ENOMEM;
    }
    for (size_t i = 0; writes && i < b->config->n_layers; i++)
        if (add_own_file(b, b->config->layers[i].file) < 0)
            return -ENOMEM;
    for (size_t i = 0; writes && c->bawn_home && i < ARRAY_LEN(own_files); i++)
        if (add_own_file(b, path_join(b->a, c->bawn_home, own_files[i])) < 0)
            return -ENOMEM;
    /* A hole in the home costs the landlock backend the listing of every directory above it: too
     * much for that directory, which is there wherever telemetry is on. */
    const size_t n = ARRAY_LEN(credentials) - (b->config->backend == BACKEND_LANDLOCK);
    for (size_t i = 0; c->bawn_home && i < n; i++) {
        char *path = path_join(b->a, c->bawn_home, credentials[i]);
        if (!path || add_own(b, path, ACCESS_NONE, true) < 0)
            return -ENOMEM;
    }
    return build_flatten(b);
}

/* ---- protected names ---- */

static bool is_root(const struct build *b, const char *path)
{
    for (size_t i = 0; i < b->roots.n; i++)
        if (str_eq(b->roots.v[i], path))
            return true;
    return false;
}

/* Does somebody say outright that exactly PATH is writable? $TMPDIR is nobody's word. */
static bool lifted(const struct build *b, const char *path)
{
    for (size_t i = 0; i < b->entries.n; i++) {
        const struct build_entry *e = &b->entries.v[i];
        if (e->e.access == ACCESS_WRITE && !e->e.glob && str_eq(e->e.path, path) &&
            (e->e.kind == ENTRY_NAMED || e->preset || is_root(b, path)))
            return true;
    }
    return false;
}

static bool only_an_agent_reads(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(only_agents); i++)
        if (str_eq(name, only_agents[i]))
            return true;
    return false;
}

/* `flat` with only what can decide below ROOT: profiles have many roots, and every name is asked
 * for. */
static int look_near(struct build *b, const char *root)
{
    b->flat.n = 0;
    for (size_t i = 0; i < b->entries.n; i++) {
        const struct perm_entry *e = &b->entries.v[i].e;
        if (!path_is_below(root, e->path) && !path_is_below(e->path, root))
            continue;
        struct perm_entry *near = vec_push(&b->flat);
        if (!near)
            return -ENOMEM;
        *near = *e;
    }
    return 0;
}

static int protect_names(struct build *b, const char *root, const struct string_list *names,
                         bool agents)
{
    for (size_t i = 0; i < names->n; i++) {
        char *path = path_join(b->a, root, names->v[i]);
        if (!path)
            return -ENOMEM;
        struct permission now = build_check(b, path);
        if (now.access != ACCESS_WRITE || (str_eq(now.entry->path, path) && lifted(b, path)))
            continue;
        struct build_entry *e = build_add(b, 0, path, NULL, ACCESS_READ, ENTRY_PROTECTED);
        struct perm_entry *flat = e ? vec_push(&b->flat) : NULL;
        if (!flat)
            return -ENOMEM;
        e->e.if_exists = agents && !only_an_agent_reads(names->v[i]);
        e->e.written = names->v[i];
        e->e.origin = names->origin;
        *flat = e->e;
    }
    return 0;
}

/* Every place that a command can write into: entries and workspace roots. Each once. */
static int writable_roots(struct build *b, const char ***ret, size_t *ret_n)
{
    const char **v = arena_zalloc(b->a, b->entries.n + b->roots.n + 1, sizeof(*v));
    size_t n = 0;
    if (!v)
        return -ENOMEM;
    for (size_t i = 0; i < b->entries.n + b->roots.n; i++) {
        const struct perm_entry *e = i < b->entries.n ? &b->entries.v[i].e : NULL;
        const char *path = e ? e->path : b->roots.v[i - b->entries.n];
        size_t k = 0;
        if (e && (e->access != ACCESS_WRITE || e->glob))
            continue;
        if (b->config->private_tmp && str_eq(path, "/tmp"))
            continue; /* the command's own, empty */
        if (build_check(b, path).access != ACCESS_WRITE)
            continue;
        while (k < n && !str_eq(v[k], path))
            k++;
        if (k == n)
            v[n++] = path;
    }
    *ret = v;
    *ret_n = n;
    return 0;
}

/* What a preset leaves read-only inside what it opens is a protection: it holds for missing names
 * too. */
static void harden_presets(struct build *b)
{
    for (size_t i = 0; i < b->entries.n; i++) {
        struct build_entry *e = &b->entries.v[i];
        if (!e->preset || e->e.access != ACCESS_READ || e->e.glob)
            continue;
        for (size_t k = 0; k < b->entries.n; k++) {
            const struct perm_entry *o = &b->entries.v[k].e;
            if (o->access != ACCESS_WRITE || o->glob || !path_is_below(e->e.path, o->path))
                continue;
            e->e.kind = ENTRY_PROTECTED;
            /* A placeholder would be taken for the thing itself: git dies of a `commondir` that is
             * a directory, and believes in a rebase when there is a `rebase-merge`. */
            e->e.keep_absent = true;
        }
    }
}

/* The environment does not open what a protection closed: $TMPDIR at or below one is dropped. */
static int drop_tmpdir(struct build *b)
{
    for (size_t i = 0; i < b->entries.n; i++) {
        struct perm_entry t = b->entries.v[i].e;
        bool inside = false;
        if (!b->tmpdir || t.kind != ENTRY_BASE || t.access != ACCESS_WRITE || t.glob ||
            !str_eq(t.path, b->tmpdir) || is_root(b, t.path))
            continue;
        for (size_t k = 0; k < b->entries.n; k++)
            inside = inside || (b->entries.v[k].e.kind == ENTRY_PROTECTED &&
                                path_is_below(t.path, b->entries.v[k].e.path));
        if (!inside)
            continue;
        if (build_warn(b, "$TMPDIR is not writable: %s is protected", show(t.path)) < 0)
            return -ENOMEM;
        memmove(&b->entries.v[i], &b->entries.v[i + 1],
                (b->entries.n - i - 1) * sizeof(b->entries.v[0]));
        b->entries.n--;
        i--;
    }
    return 0;
}

int build_protect(struct build *b, struct error *err)
{
    const char **roots;
    size_t n;
    harden_presets(b);
    if (protect_own(b) < 0 || writable_roots(b, &roots, &n) < 0)
        return no_memory(err);
    for (size_t i = 0; i < n; i++)
        if (look_near(b, roots[i]) < 0 ||
            protect_names(b, roots[i], &b->config->protected_names, false) < 0 ||
            protect_names(b, roots[i], &b->config->protected_agent_names, true) < 0)
            return no_memory(err);
    if (drop_tmpdir(b) < 0 || build_flatten(b) < 0)
        return no_memory(err);
    return 0;
}

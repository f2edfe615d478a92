/*
 * Which profile is in force, and what it comes to. Steps, in order:
 *
 *   choose     -P over sandbox_mode over default_permissions over the requirements' own over the
 *              default mode; capped by projects' files
 *   chain      follow `extends` down to a built-in base or to nothing
 *   base       what the mode brings: the disk to read, the workspace to write, …
 *   tables     from the base up: presets, then the profile's own entries
 *   spread     patterns with no fixed directory, over what is granted by now
 *   floors     what requirements and projects' files shut for everybody
 *   protect    bawn's own files, protected names
 *   require    is what came out allowed?
 *
 * Profiles that were not chosen are checked one by one; what is wrong with them is a warning.
 * Nothing here looks at the disk.
 */
#include "permissions/build.h"

#include "base/path.h"
#include "config/keys.h"
#include "config/requirements.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

static int no_memory(struct error *err)
{
    return error_errno(err, -ENOMEM, "cannot resolve the permission profile");
}

/* ---- the hands of build.h ---- */

void build_release(struct build *b)
{
    vec_release(&b->entries);
    vec_release(&b->roots);
    vec_release(&b->flat);
}

int build_warn(struct build *b, const char *fmt, ...)
{
    char text[ERROR_MESSAGE_MAX];
    va_list ap;
    if (b->quiet)
        return 0;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return config_warn(b->config, "%s", text);
}

int build_error(struct build *b, struct error *err, const struct toml_value *value,
                struct toml_span span, const char *fmt, ...)
{
    char text[ERROR_MESSAGE_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    (void)error_set(err, -EINVAL, "%s.%s", b->where, text);
    config_error_at(err, value, span);
    return -EINVAL;
}

struct build_entry *build_add(struct build *b, unsigned level, const char *path, const char *glob,
                              enum access access, enum entry_kind kind)
{
    char *normal = path_join(b->a, "/", path);
    struct build_entry *e = normal ? vec_push(&b->entries) : NULL;
    if (!e)
        return NULL;
    e->level = level;
    e->e = (struct perm_entry){.path = normal, .glob = glob, .access = access, .kind = kind};
    return e;
}

int build_add_root(struct build *b, const char *path)
{
    char *normal = path_join(b->a, "/", path);
    if (!normal)
        return -ENOMEM;
    for (size_t i = 0; i < b->roots.n; i++)
        if (str_eq(b->roots.v[i], normal))
            return 0;
    const char **root = vec_push(&b->roots);
    if (!root)
        return -ENOMEM;
    *root = normal;
    return 0;
}

int build_flatten(struct build *b)
{
    b->flat.n = 0;
    for (size_t i = 0; i < b->entries.n; i++) {
        struct perm_entry *e = vec_push(&b->flat);
        if (!e)
            return -ENOMEM;
        *e = b->entries.v[i].e;
    }
    return 0;
}

struct permission build_check(struct build *b, const char *path)
{
    struct profile p = {.entries = b->flat.v, .n_entries = b->flat.n};
    return permissions_check(&p, path);
}

/* ---- presets ---- */

static const struct preset *find_preset(struct bytes name)
{
    for (size_t i = 0; i < n_presets; i++)
        if (bytes_is(name, presets[i].name))
            return &presets[i];
    return NULL;
}

static int unknown_preset(struct build *b, const struct toml_value *at, struct error *err)
{
    const char *names[64];
    size_t n = 0;
    for (; n < n_presets && n < ARRAY_LEN(names); n++)
        names[n] = presets[n].name;
    int r = build_error(b, err, at, at->span, "include: there is no preset \"%s\"",
                        show_n(at->string.p, at->string.n));
    const char *near = nearest_word(at->string.p, names, n);
    if (near)
        error_note(err, "did you mean \"%s\"?", near);
    else
        error_hint(err, "`bawn permissions list` shows the presets");
    return r;
}

static int add_to_list(struct arena *a, struct string_list *list, const struct toml_value *array)
{
    const char **v = arena_zalloc(a, list->n + array->array.n + 1, sizeof(*v));
    if (!v)
        return -ENOMEM;
    if (list->n)
        memcpy(v, list->v, list->n * sizeof(*v));
    list->v = v;
    for (size_t i = 0; i < array->array.n; i++) {
        const struct toml_value *item = array->array.items[i];
        size_t k = 0;
        while (k < list->n && !str_eq(v[k], item->string.p))
            k++;
        if (k == list->n)
            v[list->n++] = item->string.p;
    }
    list->set = true;
    return 0;
}

/* The top-level keys that a preset may hold besides a profile's tables. */
static int preset_needs(struct build *b, const struct toml_value *tree)
{
    const struct toml_value *devices = toml_get(tree, BYTES("devices"));
    const struct toml_value *sockets = toml_get(tree, BYTES("allow_unix_sockets"));
    const struct toml_value *userns = toml_get(tree, BYTES("allow_nested_userns"));
    if (devices && add_to_list(b->a, &b->config->devices, devices) < 0)
        return -ENOMEM;
    if (sockets && add_to_list(b->a, &b->config->allow_unix_sockets, sockets) < 0)
        return -ENOMEM;
    if (userns && userns->boolean)
        b->config->allow_nested_userns = true;
    return 0;
}

static int include_preset(struct build *b, const struct preset *preset, unsigned level,
                          struct error *err)
{
    struct config_layer *layer = arena_zalloc(b->a, 1, sizeof(*layer));
    char *name = arena_printf(b->a, "preset:%s", preset->name);
    struct toml_value *tree;
    if (!layer || !name)
        return no_memory(err);
    *layer = (struct config_layer){.name = name, .file = name, .text = bytes_of(preset->toml)};
    int r = config_parse_layer(b->a, layer, &tree, err);
    if (r < 0)
        return r;
    const char *where = b->where;
    b->where = name;
    const struct toml_value *fs = toml_get(tree, BYTES("filesystem"));
    if (fs)
        r = build_filesystem(b, fs, level, true, err);
    if (r == 0 && !b->quiet && preset_needs(b, tree) < 0)
        r = no_memory(err);
    b->where = where;
    return r;
}

static int include_presets(struct build *b, const struct toml_value *table, unsigned level,
                           struct error *err)
{
    const struct toml_value *list = toml_get(table, BYTES("include"));
    for (size_t i = 0; list && i < list->array.n; i++) {
        const struct toml_value *item = list->array.items[i];
        const struct preset *preset = find_preset(item->string);
        int r = preset ? include_preset(b, preset, level, err) : unknown_preset(b, item, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- putting it together ---- */

/* The tables of the chain, from the base up. Level 0 is the base. */
static int add_tables(struct build *b, const struct chain *c, struct error *err)
{
    for (size_t i = c->n; i-- > 0;) {
        unsigned level = (unsigned)(2 * (c->n - i));
        const struct toml_value *fs = toml_get(c->tables[i], BYTES("filesystem"));
        b->where = build_where(b, "permissions", c->names[i]);
        int r = include_presets(b, c->tables[i], level - 1, err);
        if (r == 0 && fs)
            r = build_filesystem(b, fs, level, false, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int add_roots(struct build *b, const struct chain *c, struct error *err)
{
    if (build_add_root(b, b->context->workspace) < 0)
        return no_memory(err);
    int r = mode_add_dirs(b, c, false, err);
    for (size_t i = c->n; r == 0 && i-- > 0;) {
        const struct toml_value *roots = toml_get(c->tables[i], BYTES("workspace_roots"));
        b->where = build_where(b, "permissions", c->names[i]);
        r = chain_check_keys(b, c->tables[i], err);
        if (r == 0 && roots)
            r = build_workspace_roots(b, roots, err);
    }
    return r;
}

/* $TMPDIR inside a /tmp of the command's own is that one's business. */
static void settle_private_tmp(struct build *b)
{
    size_t to = 0;
    if (!b->config->private_tmp || !b->tmpdir || !path_is_below(b->tmpdir, "/tmp") ||
        str_eq(b->tmpdir, "/tmp"))
        return;
    for (size_t i = 0; i < b->entries.n; i++) {
        const struct perm_entry *e = &b->entries.v[i].e;
        bool drop = e->kind == ENTRY_BASE && e->access == ACCESS_WRITE && !e->glob &&
                    str_eq(e->path, b->tmpdir) && e->written && str_eq(e->written, ":tmpdir");
        if (!drop)
            b->entries.v[to++] = b->entries.v[i];
    }
    b->entries.n = to;
}

/* Does a profile give a name that is on the host for writing? */
static bool writes_host(const struct build *b)
{
    for (size_t i = 0; i < b->flat.n; i++) {
        const struct perm_entry *e = &b->flat.v[i];
        if (e->access == ACCESS_WRITE && !(b->config->private_tmp && str_eq(e->path, "/tmp")))
            return true;
    }
    return false;
}

static int finish(struct build *b, struct profile *p, struct error *err)
{
    bool custom = b->base == MODE_UNSET || (b->base == MODE_READ_ONLY && writes_host(b));
    p->mode = custom ? "custom" : sandbox_mode_word(b->base);
    p->full_access = b->base == MODE_DANGER_FULL_ACCESS;
    p->n_entries = b->flat.n;
    p->n_roots = b->roots.n;
    p->entries = arena_zalloc(b->a, b->flat.n + 1, sizeof(*p->entries));
    p->roots = arena_zalloc(b->a, b->roots.n + 1, sizeof(*p->roots));
    if (!p->entries || !p->roots)
        return no_memory(err);
    if (b->flat.n)
        memcpy(p->entries, b->flat.v, b->flat.n * sizeof(*p->entries));
    memcpy(p->roots, b->roots.v, b->roots.n * sizeof(*p->roots));
    permissions_sort(p->entries, p->n_entries);
    p->full_read = p->full_access || build_check(b, "/").access != ACCESS_NONE;
    return 0;
}

/* A project's file said read-only: what a profile writes is read. */
static void cap_writes(struct build *b)
{
    for (size_t i = 0; b->capped && i < b->entries.n; i++) {
        struct perm_entry *e = &b->entries.v[i].e;
        if (e->access == ACCESS_WRITE) {
            e->access = ACCESS_READ;
            e->create = false;
        }
    }
}

/* A project's `deny` takes a filter to hold; where there is none, that is said. */
static int warn_domains(struct build *b, const struct profile *p)
{
    const struct config *c = b->config;
    int r = 0;
    for (size_t i = 0; r == 0 && p->network == NETWORK_OPEN && i < c->n_project_domains; i++) {
        const struct toml_member *m = c->project_domains[i]->table.first;
        struct origin origin = m ? config_origin(m->value, m->key_span) : (struct origin){0};
        if (m)
            r = build_warn(b,
                           "%s: domains: not held: the network is open; "
                           "features.network_proxy filters it",
                           config_place(b->a, &origin));
    }
    return r;
}

static int cap_network(struct build *b, struct profile *p)
{
    const struct config *c = b->config;
    bool off = b->capped || (c->network_cap && !config_is_above_projects(&p->network_origin));
    if (!off || p->network == NETWORK_OFF)
        return warn_domains(b, p);
    p->network = NETWORK_OFF;
    p->network_origin = b->capped ? c->mode_cap_origin : c->network_cap_origin;
    return build_warn(b, "the network stays off: %s says so",
                      config_place(b->a, &p->network_origin));
}

/* What nobody reopens, as entries that cap. Above every level: they take the place of what others
 * say of the same path, and nothing takes theirs. */
static int add_floors(struct build *b, struct error *err)
{
    const char *where = b->where;
    for (size_t i = 0; i < b->config->n_floors; i++) {
        const struct config_floor *f = &b->config->floors[i];
        struct error what = {0};
        size_t before = b->entries.n;
        struct build_entry *saved = arena_zalloc(b->a, before + 1, sizeof(*saved));
        if (!saved)
            return no_memory(err);
        if (before)
            memcpy(saved, b->entries.v, before * sizeof(*saved));
        b->where = f->required ? "permissions.filesystem.deny_read" : "permissions.*.filesystem";
        int r = build_filesystem(b, f->table, UINT_MAX, false, &what);
        b->where = where;
        if (r < 0 && (f->required || r == -ENOMEM)) {
            if (err)
                *err = what;
            return r;
        }
        if (r < 0) { /* a stranger's mistake: none of that table holds, and it replaced nothing */
            if (before) /* no shrinking: there is room for what was there */
                memcpy(b->entries.v, saved, before * sizeof(*saved));
            b->entries.n = before;
            if (config_warn_error(b->config, &what) < 0)
                return no_memory(err);
        }
        for (size_t k = 0; k < b->entries.n; k++)
            if (b->entries.v[k].level == UINT_MAX)
                b->entries.v[k].e.floor = true;
    }
    return 0;
}

static bool of_project(const struct build *b, const char *key)
{
    const struct toml_value *v = config_find(b->config, key);
    return v && str_eq(config_origin(v, v->span).layer, config_rank_word(RANK_PROJECT));
}

static int add_lost(struct build *b, const char *path, const char *written)
{
    struct build_entry *e = build_add(b, 0, path, NULL, ACCESS_READ, ENTRY_BASE);
    if (!e)
        return -ENOMEM;
    e->e.written = written;
    e->e.origin.layer = config_rank_word(RANK_PROJECT);
    return 0;
}

/* What workspace-write opens and a project's file shut is read instead, not forgotten: below a
 * larger place that stays writable it would be open again, without its protected names. */
static int add_lost_roots(struct build *b, struct error *err)
{
    const struct config *c = b->config;
    int r = 0;
    if (b->base != MODE_WORKSPACE_WRITE)
        return 0;
    if (of_project(b, "sandbox_workspace_write.exclude_slash_tmp") && c->exclude_slash_tmp &&
        !c->private_tmp)
        r = add_lost(b, "/tmp", ":slash_tmp");
    if (r == 0 && of_project(b, "sandbox_workspace_write.exclude_tmpdir_env_var") &&
        c->exclude_tmpdir_env_var && b->tmpdir)
        r = add_lost(b, b->tmpdir, ":tmpdir");
    bool lists = of_project(b, "sandbox_workspace_write.writable_roots");
    for (size_t i = 0; r == 0 && lists && i < c->n_lost_roots; i++) {
        const char *text = c->lost_roots[i]->string.p, *path = build_expand(b, text);
        const struct config_layer *layer = c->lost_roots[i]->owner;
        const char *folder = layer && layer->dir ? layer->dir : b->context->workspace;
        if (!path && text[0] && text[0] != '~')
            path = path_join(b->a, folder, text);
        r = path ? add_lost(b, path, text) : 0;
    }
    return r < 0 ? no_memory(err) : 0;
}

static int assemble(struct build *b, const struct chain *c, struct profile *p, struct error *err)
{
    int r = mode_tmpdir(b) < 0 ? no_memory(err) : add_roots(b, c, err);
    if (r == 0)
        r = mode_add(b, err);
    if (r == 0)
        r = add_lost_roots(b, err);
    if (r == 0)
        r = add_tables(b, c, err);
    if (r == 0)
        r = mode_add_dirs(b, c, true, err);
    if (r == 0 && b->base == MODE_DANGER_FULL_ACCESS) {
        p->network = NETWORK_OPEN;
        p->network_origin = (struct origin){.layer = "default"};
        r = build_flatten(b) < 0 ? no_memory(err) : 0;
    } else if (r == 0) {
        settle_private_tmp(b);
        cap_writes(b);
        r = add_floors(b, err);
        if (r == 0)
            r = mode_network(b, c, p, err);
        if (r == 0)
            r = cap_network(b, p) < 0 ? no_memory(err) : 0;
        if (r == 0)
            r = build_flatten(b) < 0 ? no_memory(err) : build_spread(b, err);
        if (r == 0)
            r = build_protect(b, err);
    }
    return r < 0 ? r : finish(b, p, err);
}

/* A profile that is not in force: what is wrong with it is worth a line, no more. */
static int check_other(struct config *config, const struct perm_context *context,
                       const struct toml_member *m, struct error *err)
{
    struct build b __attribute__((cleanup(build_release))) = {
        .a = config->arena, .config = config, .context = context, .quiet = true};
    struct error what = {0};
    struct chain c;
    b.where = build_where(&b, "permissions", m->key);
    int r = chain_collect(&b, m->key, m->value, &c, &what);
    if (r == 0) {
        c.n = 1; /* those above are checked by themselves */
        b.base = MODE_UNSET;
        b.where = build_where(&b, "permissions", m->key);
        r = add_roots(&b, &c, &what);
    }
    if (r == 0)
        r = add_tables(&b, &c, &what);
    if (r == 0)
        return 0;
    /* The administrator's own: a requirement that holds a bad value ends every start. */
    if (r == -ENOMEM || config->strict || m->value->owner == &config->requirements->file) {
        if (err)
            *err = what;
        return r;
    }
    return config_warn_error(config, &what);
}

/* ---- the choice ---- */

struct choice {
    const char *name;
    struct origin origin;
};

static int choose(struct config *config, const char *name, struct choice *ret)
{
    struct arena *a = config->arena;
    if (name) {
        *ret = (struct choice){name, {.layer = "flag", .file = "-P"}};
        if (config->sandbox_mode == MODE_UNSET ||
            !str_eq(config->sandbox_mode_origin.layer, "flag"))
            return 0;
        return config_warn(config, "-P %s wins over --sandbox %s; they do not compose", show(name),
                           sandbox_mode_word(config->sandbox_mode));
    }
    enum sandbox_mode mode = config->sandbox_mode;
    if (mode == MODE_UNSET && config->default_permissions) {
        *ret = (struct choice){config->default_permissions, config->default_permissions_origin};
        return 0;
    }
    if (mode == MODE_UNSET && config->requirements && config->requirements->default_permissions) {
        *ret = (struct choice){config->requirements->default_permissions,
                               config->requirements->default_permissions_origin};
        return 0;
    }
    *ret = (struct choice){.origin = config->sandbox_mode_origin};
    if (mode == MODE_UNSET) {
        mode = config->default_mode;
        ret->origin = (struct origin){.layer = "default"};
    }
    ret->name = mode_name(mode);
    if (config->sandbox_mode == MODE_UNSET || !config->default_permissions)
        return 0;
    return config_warn(config,
                       "sandbox_mode = \"%s\" (%s) wins over default_permissions = \"%s\" (%s); "
                       "they do not compose",
                       sandbox_mode_word(mode), config_place(a, &config->sandbox_mode_origin),
                       show(config->default_permissions),
                       config_place(a, &config->default_permissions_origin));
}

/* The value that chose, for the place of an error; NULL for a flag. */
static const struct toml_value *chooser(const struct config *config, const struct choice *choice)
{
    if (str_eq(choice->origin.layer, "flag"))
        return NULL;
    if (str_eq(choice->origin.layer, "requirements"))
        return toml_get(config->requirements->tree, BYTES("default_permissions"));
    return toml_get(config->tree, BYTES("default_permissions"));
}

static int find_chosen(struct build *b, const struct choice *choice, struct chain *c,
                       struct error *err)
{
    const struct toml_value *all = chain_profiles(b->config), *table = NULL;
    *c = (struct chain){.base = mode_of_name(choice->name)};
    if (c->base != MODE_UNSET)
        return 0;
    if (choice->name[0] != ':' && all)
        table = toml_get(all, bytes_of(choice->name));
    if (table)
        return chain_collect(b, bytes_of(choice->name), table, c, err);
    (void)chain_no_such(b->config, choice->name, err);
    const char *near = chain_nearest(b->config, choice->name);
    const struct toml_value *at = chooser(b->config, choice);
    (void)error_wrap(err, -EINVAL, "%s", at ? "default_permissions" : "-P");
    if (at)
        config_error_at(err, at, at->span);
    if (near)
        error_note(err, "did you mean \"%s\"?", near);
    return -EINVAL;
}

/* Projects' files can only ask for less, and not against what was said above them. */
static int cap_choice(struct build *b, struct choice *choice)
{
    struct config *c = b->config;
    if (c->mode_cap == MODE_UNSET || config_is_above_projects(&choice->origin))
        return 0;
    enum sandbox_mode mode = mode_of_name(choice->name);
    if (mode == MODE_UNSET) { /* a profile of the person's own keeps its masks */
        b->capped = c->mode_cap == MODE_READ_ONLY;
        return b->capped ? build_warn(b, "permission profile %s writes nothing: %s says read-only",
                                      show(choice->name), config_place(b->a, &c->mode_cap_origin))
                         : 0;
    }
    if (mode <= c->mode_cap)
        return 0;
    *choice = (struct choice){mode_name(c->mode_cap), c->mode_cap_origin};
    return 0;
}

/* What a profile comes to, in the words of the modes. */
static enum sandbox_mode class_of(const struct build *b, const struct profile *p)
{
    if (p->full_access)
        return MODE_DANGER_FULL_ACCESS;
    bool writes = b->base == MODE_WORKSPACE_WRITE || writes_host(b);
    return writes || p->network != NETWORK_OFF ? MODE_WORKSPACE_WRITE : MODE_READ_ONLY;
}

/* A network that is on where the requirements filter it. */
static void filter_required_network(const struct build *b, struct profile *p)
{
    const struct toml_value *net = b->config->requirements->network;
    const struct toml_value *on = net ? toml_get(net, BYTES("enabled")) : NULL;
    if (p->network == NETWORK_OPEN && net && (!on || on->boolean))
        p->network = NETWORK_FILTERED;
}

static bool in_chain(const struct chain *c, struct bytes name)
{
    for (size_t i = 0; i < c->n; i++)
        if (bytes_eq(c->names[i], name))
            return true;
    return false;
}

static int build_one(struct build *b, struct choice *choice, struct chain *c, struct profile *p,
                     struct error *err)
{
    int r = find_chosen(b, choice, c, err);
    if (r < 0)
        return r;
    b->name = p->name = choice->name;
    b->base = c->base;
    b->where = choice->name;
    p->origin = choice->origin;
    return assemble(b, c, p, err);
}

/* Held against the requirements. A default that is not allowed is replaced once: *ret_again. */
static int require(struct build *b, struct profile *p, struct choice *choice, bool *ret_again,
                   struct error *err)
{
    const char *instead = NULL;
    *ret_again = false;
    if (!b->config->requirements || !b->config->requirements->any)
        return 0;
    int r = requirements_check_profile(b->config, choice->name, class_of(b, p), &choice->origin,
                                       &instead, err);
    if (r == 0 && instead) {
        *choice = (struct choice){.name = instead, .origin = {.layer = "default"}};
        *ret_again = true;
        return 0;
    }
    if (r == 0)
        filter_required_network(b, p);
    return r;
}

int profile_resolve(struct config *config, const char *name, const struct perm_context *context,
                    struct profile **ret, struct error *err)
{
    struct choice choice;
    struct profile *p;
    struct chain c;
    bool again = true;
    if (choose(config, name, &choice) < 0)
        return no_memory(err);
    do {
        struct build b __attribute__((cleanup(build_release))) = {
            .a = config->arena, .config = config, .context = context};
        p = arena_zalloc(config->arena, 1, sizeof(*p));
        if (!p || cap_choice(&b, &choice) < 0)
            return no_memory(err);
        int r = build_one(&b, &choice, &c, p, err);
        if (r == 0)
            r = require(&b, p, &choice, &again, err);
        if (r < 0)
            return r;
    } while (again);
    const struct toml_value *all = chain_profiles(config);
    for (const struct toml_member *m = all ? all->table.first : NULL; m; m = m->next) {
        if (in_chain(&c, m->key))
            continue;
        int r = check_other(config, context, m, err);
        if (r < 0)
            return r;
    }
    *ret = p;
    return 0;
}

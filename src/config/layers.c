/*
 * Layers: from files and arguments to one tree.
 *
 * Each layer is checked by itself against the table of keys before it is merged, so that a fault is
 * found in the file it stands in even when a higher layer would have hidden it. Everything but the
 * projects' files is loaded first: whether those are read, and what they may say, depends on the
 * rest. Nothing here reads the environment; the request says it all.
 *
 * Permission profiles are not looked into: one broken profile must not make the others unusable, so
 * they are checked when they are resolved.
 */
#include "config/layers.h"

#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "config/otel.h"
#include "config/requirements.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int no_memory(struct loader *l)
{
    return error_errno(l->err, -ENOMEM, "cannot load the configuration");
}

const char *config_rank_word(enum config_rank rank)
{
    static const char *const words[] = {
        [RANK_DEFAULT] = "default",
        [RANK_SYSTEM] = "system",
        [RANK_USER] = "user",
        [RANK_PROFILE] = "profile",
        [RANK_PROJECT] = "project",
        [RANK_SESSION] = "session",
        [RANK_MANAGED] = "managed",
        [RANK_FLAG] = "flag",
        [RANK_REQUIREMENTS] = "requirements",
    };
    return words[rank];
}

/* ---- trees ---- */

/* A hand on a nested walk: dotted keys on the command line can be deeper than a file may be. */
static bool too_deep(size_t depth)
{
    return depth > MAX_TOML_DEPTH;
}

static int own(struct toml_value *v, const struct config_layer *layer, size_t depth)
{
    if (too_deep(depth))
        return -E2BIG;
    v->owner = layer;
    if (v->type == TOML_ARRAY) {
        for (size_t i = 0; i < v->array.n; i++)
            if (own(v->array.items[i], layer, depth + 1) < 0)
                return -E2BIG;
    } else if (v->type == TOML_TABLE) {
        for (struct toml_member *m = v->table.first; m; m = m->next)
            if (own(m->value, layer, depth + 1) < 0)
                return -E2BIG;
    }
    return 0;
}

int tree_own(struct toml_value *v, const struct config_layer *layer)
{
    return own(v, layer, 0);
}

struct toml_value *tree_new(struct arena *a, const void *owner)
{
    struct toml_value *t = arena_zalloc(a, 1, sizeof(*t));
    if (t) {
        t->type = TOML_TABLE;
        t->owner = owner;
    }
    return t;
}

struct toml_value *tree_string(struct arena *a, const struct config_layer *layer, const char *s)
{
    struct toml_value *v = arena_zalloc(a, 1, sizeof(*v));
    if (v) {
        v->type = TOML_STRING;
        v->string = bytes_of(s);
        v->owner = layer;
    }
    return v;
}

struct toml_value *tree_merge(struct arena *a, struct toml_value *low, struct toml_value *high)
{
    if (!low || low->type != TOML_TABLE || high->type != TOML_TABLE || low->table.n == 0)
        return high;
    if (high->table.n == 0)
        return low;
    struct toml_value *t = tree_new(a, high->owner);
    if (!t)
        return NULL;
    t->span = high->span;
    for (struct toml_member *m = low->table.first; m; m = m->next) {
        const struct toml_member *over = toml_member(high, m->key);
        struct toml_value *v = over ? tree_merge(a, m->value, over->value) : m->value;
        if (!v || !toml_add(a, t, m->key, over ? over->key_span : m->key_span, v))
            return NULL;
    }
    for (struct toml_member *m = high->table.first; m; m = m->next)
        if (!toml_member(low, m->key) && !toml_add(a, t, m->key, m->key_span, m->value))
            return NULL;
    return t;
}

struct toml_value *tree_wrap(struct arena *a, const struct bytes *parts, size_t n,
                             struct toml_span span, struct toml_value *value)
{
    while (n-- > 0) {
        struct toml_value *t = tree_new(a, value->owner);
        if (!t)
            return NULL;
        t->span = span;
        if (!toml_add(a, t, parts[n], span, value))
            return NULL;
        value = t;
    }
    return value;
}

struct toml_value *tree_wrap_name(struct arena *a, const char *name, struct toml_span span,
                                  struct toml_value *value)
{
    struct bytes parts[8];
    size_t n = 0;
    while (*name && n < ARRAY_LEN(parts)) {
        size_t len = strcspn(name, ".");
        parts[n++] = (struct bytes){name, len};
        name += len + (name[len] == '.');
    }
    assert(!*name);
    return tree_wrap(a, parts, n, span, value);
}

const struct toml_value *tree_find(const struct toml_value *tree, const char *name)
{
    const struct toml_value *v = tree;
    while (*name) {
        size_t n = strcspn(name, ".");
        if (!v || v->type != TOML_TABLE)
            return NULL;
        v = toml_get(v, (struct bytes){name, n});
        name += n + (name[n] == '.');
    }
    return v;
}

static bool same_time(const struct toml_datetime *a, const struct toml_datetime *b)
{
    return a->year == b->year && a->month == b->month && a->day == b->day && a->hour == b->hour &&
           a->minute == b->minute && a->second == b->second && a->nanosecond == b->nanosecond &&
           a->offset_minutes == b->offset_minutes;
}

bool tree_equal(const struct toml_value *a, const struct toml_value *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case TOML_STRING:
        return bytes_eq(a->string, b->string);
    case TOML_INTEGER:
        return a->integer == b->integer;
    case TOML_FLOAT:
        return a->floating == b->floating;
    case TOML_BOOLEAN:
        return a->boolean == b->boolean;
    case TOML_ARRAY:
        for (size_t i = 0; a->array.n == b->array.n && i < a->array.n; i++)
            if (!tree_equal(a->array.items[i], b->array.items[i]))
                return false;
        return a->array.n == b->array.n;
    case TOML_TABLE:
        for (const struct toml_member *m = a->table.first; m; m = m->next) {
            const struct toml_value *other = toml_get(b, m->key);
            if (!other || !tree_equal(m->value, other))
                return false;
        }
        return a->table.n == b->table.n;
    default:
        return same_time(&a->datetime, &b->datetime);
    }
}

/* ---- checking one layer ---- */

struct walk {
    struct config *config;
    const struct key_table *table;
    const struct config_layer *layer;
    bool strict;
    struct error *err;
    struct bytes parts[MAX_TOML_DEPTH + 1];
    size_t n;
};

/* Puts the dotted key before the error's message and its place behind it. */
static int fault(struct walk *w, int r, const struct toml_value *at)
{
    _cleanup_strbuf_ struct strbuf name = {0};
    key_put_dotted(&name, w->parts, w->n);
    (void)error_wrap(w->err, r, "%s", show(strbuf_text(&name)));
    config_error_at(w->err, at, at->span);
    return r;
}

static int unknown_key(struct walk *w, const struct toml_member *m)
{
    _cleanup_strbuf_ struct strbuf name = {0};
    struct error what = {0};
    key_put_dotted(&name, w->parts, w->n);
    (void)error_set(&what, -EINVAL, "%s: unknown key", show(strbuf_text(&name)));
    config_error_at(&what, m->value, m->key_span);
    if (w->config->n_warnings < MAX_CONFIG_WARNINGS) {
        const char *near = keys_nearest(w->table, w->parts, w->n - 1, m->key.p);
        if (near)
            error_note(&what, "did you mean \"%s\"?", near);
    }
    if (w->layer->rank != RANK_SESSION && !w->strict)
        return config_warn_error(w->config, &what);
    if (w->err)
        *w->err = what;
    return what.code;
}

/* A permission profile is checked when it is resolved. `filesystem` is no profile's name among the
 * requirements: it is the table of what holds for all. */
static bool is_profile(const struct walk *w)
{
    return w->n == 2 && bytes_is(w->parts[0], "permissions") &&
           !(w->table == &requirement_keys && bytes_is(w->parts[1], "filesystem"));
}

static int check_table(struct walk *w, const struct toml_value *table);

static int check_member(struct walk *w, const struct toml_member *m)
{
    bool inner;
    if (is_profile(w))
        return m->value->type == TOML_TABLE
                   ? 0
                   : fault(w,
                           error_set(w->err, -EINVAL, "expected a table, found %s",
                                     toml_type_name(m->value->type)),
                           m->value);
    const struct config_key *key = keys_find(w->table, w->parts, w->n, &inner);
    if (!key && !inner)
        return unknown_key(w, m);
    if (key) {
        const struct toml_value *at;
        int r = key_check(key, m->value, &at, w->err);
        if (r == 0 && w->layer->rank == RANK_PROFILE && (key->flags & KEY_TOP)) {
            at = m->value;
            r = error_set(w->err, -EINVAL, "cannot stand in a configuration profile");
        }
        if (r < 0)
            return fault(w, r, at);
    } else if (m->value->type != TOML_TABLE) {
        return fault(w,
                     error_set(w->err, -EINVAL, "expected a table, found %s",
                               toml_type_name(m->value->type)),
                     m->value);
    }
    return inner && m->value->type == TOML_TABLE ? check_table(w, m->value) : 0;
}

static int check_table(struct walk *w, const struct toml_value *table)
{
    for (const struct toml_member *m = table->table.first; m; m = m->next) {
        w->parts[w->n++] = m->key;
        int r = check_member(w, m);
        w->n--;
        if (r < 0)
            return r;
    }
    return 0;
}

int layer_check(struct config *config, const struct key_table *table,
                const struct config_layer *layer, const struct toml_value *tree, bool strict,
                struct error *err)
{
    struct walk w = {
        .config = config, .table = table, .layer = layer, .strict = strict, .err = err};
    int r = check_table(&w, tree);
    /* A project may set none of it. */
    return r < 0 || layer->rank == RANK_PROJECT ? r : otel_check(tree, err);
}

/* ---- one layer ---- */

struct config_layer *layer_add(struct loader *l, enum config_rank rank, const char *file)
{
    struct config_layer *layer = &l->config->layers[l->config->n_layers++];
    *layer = (struct config_layer){.rank = rank, .name = config_rank_word(rank), .file = file};
    return layer;
}

int config_parse_layer(struct arena *a, struct config_layer *layer, struct toml_value **ret,
                       struct error *err)
{
    int r = toml_parse(a, layer->file, layer->text, TOML_1_1, ret, err);
    if (r < 0)
        return r;
    if (tree_own(*ret, layer) < 0)
        return error_set(err, -E2BIG, "%s: tables are nested deeper than %u", show(layer->file),
                         MAX_TOML_DEPTH);
    return 0;
}

int layer_take(struct loader *l, struct config_layer *layer, struct bytes text)
{
    struct toml_value *tree;
    layer->text = text;
    int r = config_parse_layer(l->a, layer, &tree, l->err);
    if (r == 0)
        r = layer_check(l->config, &config_keys, layer, tree, l->request->strict, l->err);
    if (r < 0)
        return r;
    layer->tree = tree;
    layer->read = true;
    return 0;
}

static int keep_text(struct loader *l, struct strbuf *text, struct bytes *ret)
{
    char *copy = arena_strndup(l->a, strbuf_text(text), text->n);
    if (!copy)
        return no_memory(l);
    *ret = (struct bytes){copy, text->n};
    return 0;
}

int layer_load_file(struct loader *l, enum config_rank rank, const char *file, const char *dir)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    struct config_layer *layer = layer_add(l, rank, file);
    struct error local = {0};
    struct bytes kept;
    layer->dir = dir;
    int r = rank == RANK_MANAGED ? admin_read(file, l->request->admin_uid, &text, &local)
                                 : path_read_file(AT_FDCWD, file, MAX_FILE_BYTES, &text, &local);
    if (r == -ENOENT) {
        layer->reason = "there is no such file";
        return 0;
    }
    if (r < 0) {
        if (l->err)
            *l->err = local;
        error_at(l->err, file, 0, 0, 0, NULL, 0);
        return r;
    }
    r = keep_text(l, &text, &kept);
    return r < 0 ? r : layer_take(l, layer, kept);
}

/* ---- default, system, user ---- */

static int load_defaults(struct loader *l)
{
    struct config_layer *layer = layer_add(l, RANK_DEFAULT, NULL);
    layer->read = true;
    layer->tree = tree_new(l->a, layer);
    for (size_t i = 0; layer->tree && i < config_keys.n; i++) {
        const struct config_key *key = &config_keys.keys[i];
        struct bytes *parts;
        struct toml_value *v;
        size_t n;
        if (!key->fallback[0] || (key->flags & KEY_PROFILE))
            continue;
        int r = toml_parse_key(l->a, bytes_of(key->name), &parts, &n, l->err);
        if (r == 0)
            r = toml_parse_value(l->a, "default", bytes_of(key->fallback), TOML_1_1, &v, l->err);
        if (r < 0)
            return r;
        (void)tree_own(v, layer);
        v = tree_wrap(l->a, parts, n, v->span, v);
        layer->tree = v ? tree_merge(l->a, layer->tree, v) : NULL;
    }
    return layer->tree ? 0 : no_memory(l);
}

static int load_beside(struct loader *l, enum config_rank rank, const char *file)
{
    if (!file)
        return 0;
    char *dir = path_parent(l->a, file);
    return dir ? layer_load_file(l, rank, file, dir) : no_memory(l);
}

static int load_system(struct loader *l)
{
    return load_beside(l, RANK_SYSTEM, l->request->system_file);
}

static int load_user(struct loader *l)
{
    const char *home = l->request->bawn_home;
    if (!home)
        return 0;
    char *file = path_join(l->a, home, "config.toml");
    return file ? layer_load_file(l, RANK_USER, file, home) : no_memory(l);
}

static int load_managed(struct loader *l)
{
    return load_beside(l, RANK_MANAGED, l->request->managed_file);
}

/* ---- -c and flags ---- */

static struct bytes trim(struct bytes s)
{
    assert(s.p || s.n == 0);
    while (s.n && (*s.p == ' ' || *s.p == '\t'))
        s.p++, s.n--;
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

/* The first '=' of KEY=VALUE that is not inside quotes. */
static const char *find_equals(const char *s)
{
    for (char quote = '\0'; *s; s++) {
        if (quote == '"' && *s == '\\' && s[1])
            s++;
        else if (quote)
            quote = *s == quote ? '\0' : quote;
        else if (*s == '"' || *s == '\'')
            quote = *s;
        else if (*s == '=')
            return s;
    }
    return NULL;
}

/* A value was parsed by itself, BEFORE bytes into the argument: its spans are moved there. */
static void shift(struct toml_value *v, size_t before)
{
    if (v->span.line == 1)
        v->span.column += (uint32_t)before;
    v->span.offset += before;
    if (v->type == TOML_ARRAY) {
        for (size_t i = 0; i < v->array.n; i++)
            shift(v->array.items[i], before);
    } else if (v->type == TOML_TABLE) {
        for (struct toml_member *m = v->table.first; m; m = m->next) {
            if (m->key_span.line == 1)
                m->key_span.column += (uint32_t)before;
            m->key_span.offset += before;
            shift(m->value, before);
        }
    }
}

struct toml_value *config_parse_override(struct arena *a, struct bytes text)
{
    struct toml_value *v;
    int r = toml_parse_value(a, "-c", text, TOML_1_1, &v, NULL);
    if (r == -ENOMEM)
        return NULL;
    if (r == 0)
        return v;
    char *copy = arena_strndup(a, text.p, text.n);
    v = copy ? arena_zalloc(a, 1, sizeof(*v)) : NULL;
    if (!v)
        return NULL;
    v->type = TOML_STRING;
    v->string = (struct bytes){copy, text.n};
    v->span = (struct toml_span){1, 1, 0, text.n};
    return v;
}

static int load_override(struct loader *l, const char *arg)
{
    struct config_layer *layer = layer_add(l, RANK_SESSION, "-c");
    struct bytes *parts, whole = bytes_of(arg);
    size_t n;
    layer->text = whole;
    const char *equals = find_equals(arg);
    if (!equals) {
        (void)error_set(l->err, -EINVAL, "-c %s: expected KEY=VALUE", show(arg));
        return -EINVAL;
    }
    struct bytes key = trim((struct bytes){arg, (size_t)(equals - arg)});
    struct bytes text = trim((struct bytes){equals + 1, whole.n - (size_t)(equals + 1 - arg)});
    int r = toml_parse_key(l->a, key, &parts, &n, l->err);
    if (r < 0)
        return error_wrap(l->err, r, "-c %s", show(arg));
    if (too_deep(n))
        return error_set(l->err, -E2BIG, "-c %s: more than %u parts", show(arg), MAX_TOML_DEPTH);
    struct toml_value *v = config_parse_override(l->a, text);
    if (!v)
        return error_errno(l->err, -ENOMEM, "-c %s", show(arg));
    shift(v, (size_t)(text.p - arg));
    if (own(v, layer, n) < 0)
        return error_set(l->err, -E2BIG, "-c %s: nested deeper than %u", show(arg), MAX_TOML_DEPTH);
    struct toml_span span = {1, (uint32_t)(key.p - arg) + 1, (size_t)(key.p - arg), key.n};
    layer->tree = tree_wrap(l->a, parts, n, span, v);
    if (!layer->tree)
        return error_errno(l->err, -ENOMEM, "-c %s", show(arg));
    r = layer_check(l->config, &config_keys, layer, layer->tree, l->request->strict, l->err);
    layer->read = r == 0;
    return r;
}

static int load_session(struct loader *l)
{
    for (size_t i = 0; i < l->request->n_overrides; i++) {
        int r = load_override(l, l->request->overrides[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

static int load_flags(struct loader *l)
{
    for (size_t i = 0; i < l->request->n_flags; i++) {
        const struct config_flag *f = &l->request->flags[i];
        struct config_layer *layer = layer_add(l, RANK_FLAG, f->flag);
        struct toml_value *v = tree_string(l->a, layer, f->value);
        layer->tree = v ? tree_wrap_name(l->a, f->key, v->span, v) : NULL;
        if (!layer->tree)
            return no_memory(l);
        layer->read = true;
        int r = layer_check(l->config, &config_keys, layer, layer->tree, true, l->err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- configuration profiles ---- */

static int bad_profile(struct loader *l, const struct toml_value *at, int code, const char *name,
                       const char *what)
{
    if (at) {
        (void)error_set(l->err, code, "profile: \"%s\" %s", show(name), what);
        config_error_at(l->err, at, at->span);
    } else {
        (void)error_set(l->err, code, "--profile \"%s\": %s", show(name), what);
    }
    return code;
}

/* What the highest layer that is loaded by now says of NAME, or NULL. For what is needed before
 * all is merged. */
static const struct toml_value *highest(const struct loader *l, const char *name)
{
    const struct toml_value *found = NULL;
    enum config_rank rank = RANK_DEFAULT;
    for (size_t i = 0; i < l->config->n_layers; i++) {
        const struct config_layer *layer = &l->config->layers[i];
        const struct toml_value *v =
            layer->tree && layer->rank >= rank ? tree_find(layer->tree, name) : NULL;
        if (v) {
            found = v;
            rank = layer->rank;
        }
    }
    return found;
}

/* [profiles.NAME] of the layer FROM. */
static struct toml_value *profile_table(const struct config_layer *from, const char *name)
{
    struct toml_value *all = from->tree && (from->rank == RANK_SYSTEM || from->rank == RANK_USER)
                                 ? toml_get(from->tree, BYTES("profiles"))
                                 : NULL;
    return all && all->type == TOML_TABLE ? toml_get(all, bytes_of(name)) : NULL;
}

/* [profiles.NAME] of the system's and of the user's file, each as a layer of its own: places belong
 * to one text. *ret_found: there is one. */
static int take_profile_tables(struct loader *l, const char *name, bool check_only, bool *ret_found)
{
    *ret_found = false;
    for (size_t i = 0, n = l->config->n_layers; i < n; i++) {
        const struct config_layer *from = &l->config->layers[i];
        struct toml_value *table = profile_table(from, name);
        if (!table)
            continue;
        *ret_found = true;
        if (check_only)
            return 0;
        struct config_layer *layer = layer_add(l, RANK_PROFILE, from->file);
        layer->text = from->text;
        layer->dir = from->dir;
        layer->tree = table;
        layer->read = true;
        (void)tree_own(table, layer);
        int r = layer_check(l->config, &config_keys, layer, table, l->request->strict, l->err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int load_profile(struct loader *l)
{
    const struct toml_value *at = l->request->profile ? NULL : highest(l, "profile");
    const char *name = at ? at->string.p : l->request->profile, *home = l->request->bawn_home;
    bool table;
    if (!name)
        return 0;
    if (!*name || strchr(name, '/') || name[0] == '.')
        return bad_profile(l, at, -EINVAL, name, "is not the name of a profile");
    char *file = home ? arena_printf(l->a, "%s/%s.config.toml", home, name) : NULL;
    if (home && !file)
        return no_memory(l);
    l->config->profile_name = name;
    if (file && access(file, F_OK) == 0) {
        (void)take_profile_tables(l, name, true, &table);
        if (table)
            return bad_profile(l, at, -EINVAL, name,
                               "is both a file and a table [profiles]; remove one of them");
        return layer_load_file(l, RANK_PROFILE, file, home);
    }
    int r = take_profile_tables(l, name, false, &table);
    if (r < 0 || table)
        return r;
    r = bad_profile(l, at, -ENOENT, name, "there is no such profile");
    error_hint(l->err, "a profile is the file %s/%s.config.toml or the table [profiles.%s]",
               home ? show(home) : "~/.bawn", show(name), show(name));
    return r;
}

/* ---- projects ---- */

static int add_trust(struct loader *l, const struct toml_value *projects)
{
    return trust_add(l->a, &l->config->trust_entries, projects, l->request->home, l->err);
}

/* What trust.toml and every layer but the projects' own say. */
static int load_trust(struct loader *l)
{
    const char *home = l->request->bawn_home;
    struct toml_value *projects = NULL;
    for (enum config_rank rank = RANK_SYSTEM; rank <= RANK_FLAG; rank++) {
        for (size_t i = 0; i < l->config->n_layers; i++) {
            const struct config_layer *layer = &l->config->layers[i];
            struct toml_value *v = layer->rank == rank && layer->tree
                                       ? toml_get(layer->tree, BYTES("projects"))
                                       : NULL;
            if (v && !(projects = tree_merge(l->a, projects, v)))
                return no_memory(l);
        }
    }
    int r = add_trust(l, projects);
    if (r < 0 || !home)
        return r;
    struct config_layer *layer = arena_zalloc(l->a, 1, sizeof(*layer));
    char *file = path_join(l->a, home, "trust.toml");
    _cleanup_strbuf_ struct strbuf text = {0};
    struct error local = {0};
    if (!layer || !file)
        return no_memory(l);
    r = path_read_file(AT_FDCWD, file, MAX_FILE_BYTES, &text, &local);
    if (r == -ENOENT)
        return 0;
    if (r < 0) {
        if (l->err)
            *l->err = local;
        error_at(l->err, file, 0, 0, 0, NULL, 0);
        return r;
    }
    *layer =
        (struct config_layer){.rank = RANK_USER, .name = config_rank_word(RANK_USER), .file = file};
    r = keep_text(l, &text, &layer->text);
    if (r == 0)
        r = config_parse_layer(l->a, layer, &layer->tree, l->err);
    if (r == 0)
        r = layer_check(l->config, &config_keys, layer, layer->tree, l->request->strict, l->err);
    return r < 0 ? r : add_trust(l, toml_get(layer->tree, BYTES("projects")));
}

static int find_project(struct loader *l)
{
    struct config *c = l->config;
    const struct toml_value *list = highest(l, "project_root_markers");
    size_t n = list && list->type == TOML_ARRAY ? list->array.n : 0;
    const char **markers = arena_zalloc(l->a, n + 1, sizeof(*markers));
    if (!markers)
        return no_memory(l);
    for (size_t i = 0; i < n; i++)
        markers[i] = list->array.items[i]->string.p;
    int r = project_find(l->a, l->request->cwd, markers, n, &c->project, l->err);
    if (r == 0)
        r = load_trust(l);
    if (r == 0)
        c->trust = trust_decide(&c->trust_entries, l->request->cwd, &c->project, &c->trust_entry);
    return r;
}

/* What a project's file said before it turned out to be broken is taken back. */
static void forget_caps(struct config *c, const struct config *before)
{
    c->mode_cap = before->mode_cap;
    c->mode_cap_origin = before->mode_cap_origin;
    c->network_cap = before->network_cap;
    c->network_cap_origin = before->network_cap_origin;
    c->floors = before->floors;
    c->n_floors = before->n_floors;
    c->env_narrow = before->env_narrow;
    c->n_env_narrow = before->n_env_narrow;
    c->project_domains = before->project_domains;
    c->n_project_domains = before->n_project_domains;
    c->lost_roots = before->lost_roots;
    c->n_lost_roots = before->n_lost_roots;
}

/* A broken one is ignored with its message: it is a stranger's. */
static int load_project_file(struct loader *l, const char *file, const char *dir)
{
    struct error what = {0}, *err = l->err;
    struct toml_value *lower, *kept = NULL;
    const struct config before = *l->config;
    l->err = &what;
    int r = layer_load_file(l, RANK_PROJECT, file, dir);
    struct config_layer *layer = &l->config->layers[l->config->n_layers - 1];
    if (r == 0 && layer->read) {
        r = layers_merge_between(l, RANK_DEFAULT, RANK_PROJECT - 1, &lower);
        for (size_t i = 0; r == 0 && i + 1 < l->config->n_layers; i++) {
            const struct config_layer *p = &l->config->layers[i];
            if (p->rank == RANK_PROJECT && p->tree && !(lower = tree_merge(l->a, lower, p->tree)))
                r = -ENOMEM;
        }
        if (r == 0)
            r = layer_tighten(l, layer, layer->tree, lower, &kept);
        layer->tree = kept;
    }
    l->err = err;
    if (r == 0)
        return 0;
    if (r == -ENOMEM || l->request->strict) {
        if (err)
            *err = what;
        return r;
    }
    forget_caps(l->config, &before);
    layer->read = false;
    layer->tree = NULL;
    layer->reason = "it is broken";
    return config_warn_error(l->config, &what);
}

static int unread_project_file(struct loader *l, const char *file, const char *dir)
{
    struct config *c = l->config;
    struct config_layer *layer = layer_add(l, RANK_PROJECT, file);
    layer->dir = dir;
    layer->reason = c->trust == TRUST_UNTRUSTED ? "the project is untrusted"
                    : c->trust == TRUST_TRUSTED ? "the folder is not what was trusted"
                                                : "nobody has said that the project is trusted";
    if (c->trust == TRUST_UNTRUSTED)
        return 0;
    return config_warn(c, "%s is not read: %s; `bawn trust %s` or `bawn untrust %s` settles it",
                       show(file), layer->reason, show(c->project.root), show(c->project.root));
}

/* Trust in the folder alone says nothing of those between it and the project's root. */
bool config_trusts(const struct config *c, const char *dir)
{
    const struct trust_entry *e = c->trust_entry;
    const char *main_repository = c->project.main_repository;
    if (c->trust != TRUST_TRUSTED || !e)
        return false;
    if (str_eq(e->path, c->project.root) || (main_repository && str_eq(e->path, main_repository)))
        return true;
    return str_eq(e->path, dir) || (e->recursive && path_is_below(dir, e->path));
}

static int load_projects(struct loader *l)
{
    const struct config_request *q = l->request;
    if (!q->find_project || !q->cwd)
        return 0;
    int r = find_project(l);
    if (r < 0)
        return r;
    const char *root = l->config->project.root;
    size_t n_files = 0;
    /* From the root down: each step is a longer prefix of the working directory. */
    for (size_t n = root[1] ? strlen(root) : 0; r == 0;) {
        char *above = arena_strndup(l->a, q->cwd, n ? n : 1);
        char *dir = above ? path_join(l->a, above, ".bawn") : NULL;
        char *file = dir ? path_join(l->a, dir, "config.toml") : NULL;
        if (!file)
            return no_memory(l);
        bool users = q->bawn_home && str_eq(dir, q->bawn_home);
        if (!users && access(file, F_OK) == 0) {
            if (n_files++ == MAX_PROJECT_FILES)
                return config_warn(l->config, "%s and those below it are not read: more than %u",
                                   show(file), MAX_PROJECT_FILES);
            r = config_trusts(l->config, above) ? load_project_file(l, file, dir)
                                                : unread_project_file(l, file, dir);
        }
        if (!q->cwd[n])
            break;
        n += strcspn(q->cwd + n + 1, "/") + 1;
        if (n == 1 && !q->cwd[1]) /* "/" */
            break;
    }
    return r;
}

/* ---- all of them ---- */

int layers_load_all(struct loader *l)
{
    static int (*const loads[])(struct loader *) = {
        load_defaults, load_system, load_user,    load_session,
        load_managed,  load_flags,  load_profile, load_projects,
    };
    for (size_t i = 0; i < ARRAY_LEN(loads); i++) {
        int r = loads[i](l);
        if (r < 0)
            return r;
    }
    return 0;
}

int layers_merge_between(struct loader *l, enum config_rank from, enum config_rank to,
                         struct toml_value **ret)
{
    struct toml_value *tree = tree_new(l->a, NULL);
    for (enum config_rank rank = from; tree && rank <= to; rank++) {
        for (size_t i = 0; tree && i < l->config->n_layers; i++) {
            const struct config_layer *layer = &l->config->layers[i];
            if (layer->rank == rank && layer->tree)
                tree = tree_merge(l->a, tree, layer->tree);
        }
    }
    if (!tree)
        return no_memory(l);
    *ret = tree;
    return 0;
}

int layers_merge(struct loader *l)
{
    return layers_merge_between(l, RANK_DEFAULT, RANK_FLAG, &l->config->tree);
}

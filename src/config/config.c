/*
 * Layers into one configuration.
 *
 * Each layer is a TOML tree whose nodes are owned by a struct config_layer. A layer is checked by
 * itself against the table of keys (keys.c) before it is merged, so that a fault is found in the
 * file it stands in even when a higher layer would have hidden it. Merging walks two tables key by
 * key; scalars and arrays replace. At the end the typed fields of struct config are read off the
 * merged tree: defaults are a layer like any other, so there is one place for each.
 *
 * Layers are made by the functions of `layers[]`, lowest first: a new one is a row there. Nothing
 * here reads the environment; the request says it all. Permission profiles are not looked into: one
 * broken profile must not make the others unusable, so they are checked when they are resolved.
 */
#include "config/config.h"

#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "config/keys.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

struct loader {
    struct arena *a;
    struct config *config;
    const struct config_request *request;
    struct error *err;
};

/* ---- places and warnings ---- */

struct origin config_origin(const struct toml_value *value, struct toml_span span)
{
    const struct config_layer *layer = value->owner;
    if (!layer)
        return (struct origin){.layer = "default"};
    return (struct origin){layer->name, layer->file, layer->text.p ? span.line : 0,
                           layer->text.p ? span.column : 0};
}

void config_error_at(struct error *err, const struct toml_value *value, struct toml_span span)
{
    const struct config_layer *layer = value->owner;
    if (err && layer && layer->text.p)
        toml_error_at(err, layer->file, layer->text, span);
    else if (err && layer)
        error_at(err, layer->file, 0, 0, 0, NULL, 0);
}

static int add_warning(struct config *config, const char *text)
{
    size_t n = config->n_warnings;
    if (!text)
        return -ENOMEM;
    if (n > MAX_CONFIG_WARNINGS)
        return 0;
    if ((n & (n - 1)) == 0) { /* full at every power of two */
        const char **v = arena_zalloc(config->arena, n ? 2 * n : 1, sizeof(*v));
        if (!v)
            return -ENOMEM;
        if (n)
            memcpy(v, config->warnings, n * sizeof(*v));
        config->warnings = v;
    }
    config->warnings[config->n_warnings++] =
        n == MAX_CONFIG_WARNINGS ? "there are more warnings than are shown" : text;
    return 0;
}

int config_warn(struct config *config, const char *fmt, ...)
{
    char text[ERROR_MESSAGE_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return add_warning(config, arena_strdup(config->arena, text));
}

int config_warn_error(struct config *config, const struct error *what)
{
    const char *note = what->note[0] ? what->note : what->hint;
    const char *sep = note[0] ? "; " : "";
    if (what->line)
        return config_warn(config, "%s:%u:%u: %s%s%s", what->file, what->line, what->column,
                           what->message, sep, note);
    return config_warn(config, "%s%s%s%s%s", what->file, what->file[0] ? ": " : "", what->message,
                       sep, note);
}

const char *config_place(struct arena *a, const struct origin *origin)
{
    const char *text;
    if (!origin->file)
        return "the default";
    if (origin->line == 0 || origin->file[0] == '-')
        return origin->file;
    text = arena_printf(a, "%s:%u", show(origin->file), origin->line);
    return text ? text : "";
}

const char *sandbox_mode_word(enum sandbox_mode mode)
{
    static const char *const words[] = {
        [MODE_READ_ONLY] = "read-only",
        [MODE_WORKSPACE_WRITE] = "workspace-write",
        [MODE_DANGER_FULL_ACCESS] = "danger-full-access",
    };
    return words[mode];
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

int config_parse_layer(struct arena *a, struct config_layer *layer, struct toml_value **ret,
                       struct error *err)
{
    int r = toml_parse(a, layer->file, layer->text, TOML_1_1, ret, err);
    if (r < 0)
        return r;
    if (own(*ret, layer, 0) < 0)
        return error_set(err, -E2BIG, "%s: tables are nested deeper than %u", show(layer->file),
                         MAX_TOML_DEPTH);
    return 0;
}

static struct toml_value *new_table(struct arena *a, const void *owner)
{
    struct toml_value *t = arena_zalloc(a, 1, sizeof(*t));
    if (t) {
        t->type = TOML_TABLE;
        t->owner = owner;
    }
    return t;
}

static struct toml_value *merge(struct arena *a, struct toml_value *low, struct toml_value *high)
{
    if (!low || low->type != TOML_TABLE || high->type != TOML_TABLE || low->table.n == 0)
        return high;
    if (high->table.n == 0)
        return low;
    struct toml_value *t = new_table(a, high->owner);
    if (!t)
        return NULL;
    t->span = high->span;
    for (struct toml_member *m = low->table.first; m; m = m->next) {
        const struct toml_member *over = toml_member(high, m->key);
        struct toml_value *v = over ? merge(a, m->value, over->value) : m->value;
        if (!v || !toml_add(a, t, m->key, over ? over->key_span : m->key_span, v))
            return NULL;
    }
    for (struct toml_member *m = high->table.first; m; m = m->next)
        if (!toml_member(low, m->key) && !toml_add(a, t, m->key, m->key_span, m->value))
            return NULL;
    return t;
}

/* A tree that holds VALUE at PARTS and nothing else. */
static struct toml_value *wrap(struct arena *a, const struct bytes *parts, size_t n,
                               struct toml_span span, struct toml_value *value)
{
    while (n-- > 0) {
        struct toml_value *t = new_table(a, value->owner);
        if (!t)
            return NULL;
        t->span = span;
        if (!toml_add(a, t, parts[n], span, value))
            return NULL;
        value = t;
    }
    return value;
}

static int add_tree(struct loader *l, struct toml_value *tree)
{
    struct toml_value *merged = tree ? merge(l->a, l->config->tree, tree) : NULL;
    if (!merged)
        return error_errno(l->err, -ENOMEM, "cannot merge the configuration");
    l->config->tree = merged;
    return 0;
}

static struct config_layer *add_layer(struct loader *l, const char *name, const char *file)
{
    struct config_layer *layer = &l->config->layers[l->config->n_layers++];
    *layer = (struct config_layer){.name = name, .file = file};
    return layer;
}

/* ---- checking one layer ---- */

struct walk {
    struct loader *l;
    const struct config_layer *layer;
    struct bytes parts[MAX_TOML_DEPTH + 1];
    size_t n;
};

/* Puts the dotted key before the error's message and its place behind it. */
static int fault(struct walk *w, int r, const struct toml_value *at)
{
    _cleanup_strbuf_ struct strbuf name = {0};
    key_put_dotted(&name, w->parts, w->n);
    (void)error_wrap(w->l->err, r, "%s", show(strbuf_text(&name)));
    config_error_at(w->l->err, at, at->span);
    return r;
}

static int unknown_key(struct walk *w, const struct toml_member *m)
{
    _cleanup_strbuf_ struct strbuf name = {0};
    struct error what = {0};
    bool on_command_line = str_eq(w->layer->name, "session");
    key_put_dotted(&name, w->parts, w->n);
    (void)error_set(&what, -EINVAL, "%s: unknown key", show(strbuf_text(&name)));
    config_error_at(&what, m->value, m->key_span);
    if (w->l->config->n_warnings < MAX_CONFIG_WARNINGS) {
        const char *near = keys_nearest(w->parts, w->n - 1, m->key.p);
        if (near)
            error_note(&what, "did you mean \"%s\"?", near);
    }
    if (!on_command_line && !w->l->request->strict)
        return config_warn_error(w->l->config, &what);
    if (w->l->err)
        *w->l->err = what;
    return what.code;
}

static int check_table(struct walk *w, const struct toml_value *table);

static int check_member(struct walk *w, const struct toml_member *m)
{
    bool inner;
    if (w->n == 2 && bytes_is(w->parts[0], "permissions"))
        return 0; /* a profile: checked when it is resolved */
    const struct config_key *key = keys_find(w->parts, w->n, &inner);
    if (!key && !inner)
        return unknown_key(w, m);
    if (key) {
        const struct toml_value *at;
        int r = key_check(key, m->value, &at, w->l->err);
        if (r < 0)
            return fault(w, r, at);
    } else if (m->value->type != TOML_TABLE) {
        return fault(w,
                     error_set(w->l->err, -EINVAL, "expected a table, found %s",
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

static int check_layer(struct loader *l, const struct config_layer *layer, struct toml_value *tree)
{
    struct walk w = {.l = l, .layer = layer};
    return check_table(&w, tree);
}

/* ---- the layers ---- */

static int load_defaults(struct loader *l)
{
    struct config_layer *layer = add_layer(l, "default", NULL);
    layer->read = true;
    for (size_t i = 0; i < n_config_keys; i++) {
        const struct config_key *key = &config_keys[i];
        struct bytes *parts;
        struct toml_value *v;
        size_t n;
        if (!key->fallback[0] || (key->flags & KEY_PROFILE))
            continue;
        int r = toml_parse_key(l->a, bytes_of(key->name), &parts, &n, l->err);
        if (r == 0)
            r = toml_parse_value(l->a, "default", bytes_of(key->fallback), TOML_1_1, &v, l->err);
        if (r == 0) {
            (void)own(v, layer, 0);
            r = add_tree(l, wrap(l->a, parts, n, v->span, v));
        }
        if (r < 0)
            return r;
    }
    return 0;
}

static int load_file(struct loader *l, const char *name, const char *file, const char *dir)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    struct config_layer *layer = add_layer(l, name, file);
    struct error local;
    layer->dir = dir;
    int r = path_read_file(AT_FDCWD, file, MAX_FILE_BYTES, &text, &local);
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
    char *copy = arena_strndup(l->a, strbuf_text(&text), text.n);
    if (!copy)
        return error_errno(l->err, -ENOMEM, "cannot read %s", show(file));
    layer->text = (struct bytes){copy, text.n};
    struct toml_value *tree;
    r = config_parse_layer(l->a, layer, &tree, l->err);
    if (r == 0)
        r = check_layer(l, layer, tree);
    if (r < 0)
        return r;
    layer->read = true;
    return add_tree(l, tree);
}

static int load_system(struct loader *l)
{
    const char *file = l->request->system_file;
    if (!file)
        return 0;
    char *dir = path_parent(l->a, file);
    return dir ? load_file(l, "system", file, dir) : -ENOMEM;
}

static int load_user(struct loader *l)
{
    const char *home = l->request->bawn_home;
    if (!home)
        return 0;
    char *file = path_join(l->a, home, "config.toml");
    return file ? load_file(l, "user", file, home) : -ENOMEM;
}

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

/* The right side of -c: TOML, else the raw string. */
static struct toml_value *override_value(struct loader *l, struct bytes text, size_t before)
{
    struct toml_value *v;
    int r = toml_parse_value(l->a, "-c", text, TOML_1_1, &v, NULL);
    if (r == -ENOMEM)
        return NULL;
    if (r == 0) {
        shift(v, before);
        return v;
    }
    char *copy = arena_strndup(l->a, text.p, text.n);
    v = copy ? arena_zalloc(l->a, 1, sizeof(*v)) : NULL;
    if (!v)
        return NULL;
    v->type = TOML_STRING;
    v->string = (struct bytes){copy, text.n};
    v->span = (struct toml_span){1, (uint32_t)before + 1, before, text.n};
    return v;
}

static int load_override(struct loader *l, const char *arg)
{
    struct config_layer *layer = add_layer(l, "session", "-c");
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
    struct toml_value *v = override_value(l, text, (size_t)(text.p - arg));
    if (!v)
        return error_errno(l->err, -ENOMEM, "-c %s", show(arg));
    if (own(v, layer, n) < 0)
        return error_set(l->err, -E2BIG, "-c %s: nested deeper than %u", show(arg), MAX_TOML_DEPTH);
    struct toml_span span = {1, (uint32_t)(key.p - arg) + 1, (size_t)(key.p - arg), key.n};
    struct toml_value *tree = wrap(l->a, parts, n, span, v);
    if (!tree)
        return error_errno(l->err, -ENOMEM, "-c %s", show(arg));
    r = check_layer(l, layer, tree);
    if (r < 0)
        return r;
    layer->read = true;
    return add_tree(l, tree);
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
    static const struct bytes key = {"sandbox_mode", 12};
    const char *word = sandbox_mode_word(l->request->flag_mode);
    if (!word)
        return 0;
    struct config_layer *layer = add_layer(l, "flag", "--sandbox");
    struct toml_value *v = arena_zalloc(l->a, 1, sizeof(*v));
    if (!v)
        return error_errno(l->err, -ENOMEM, "--sandbox");
    layer->read = true;
    v->type = TOML_STRING;
    v->string = bytes_of(word);
    v->owner = layer;
    return add_tree(l, wrap(l->a, &key, 1, v->span, v));
}

/* Lowest first. */
static int (*const layers[])(struct loader *) = {load_defaults, load_system, load_user,
                                                 load_session, load_flags};

/* ---- from the tree to the typed fields ---- */

static const struct toml_value *find(const struct config *c, const char *name)
{
    const struct toml_value *v = c->tree;
    while (*name) {
        size_t n = strcspn(name, ".");
        if (!v || v->type != TOML_TABLE)
            return NULL;
        v = toml_get(v, (struct bytes){name, n});
        name += n + (name[n] == '.');
    }
    return v;
}

/* The types were checked layer by layer; a table that a higher layer replaced by a scalar was
 * refused. */
static void get_bool(const struct config *c, const char *name, bool *ret, struct origin *ret_origin)
{
    const struct toml_value *v = find(c, name);
    if (!v || v->type != TOML_BOOLEAN)
        return;
    *ret = v->boolean;
    if (ret_origin)
        *ret_origin = config_origin(v, v->span);
}

static void get_number(const struct config *c, const char *name, uint64_t *ret)
{
    const struct toml_value *v = find(c, name);
    if (v && v->type == TOML_INTEGER && v->integer >= 0)
        *ret = (uint64_t)v->integer;
    else if (v && v->type == TOML_STRING)
        (void)key_parse_size(v->string, ret);
}

static void get_unsigned(const struct config *c, const char *name, unsigned *ret)
{
    uint64_t n = 0;
    get_number(c, name, &n);
    *ret = (unsigned)n;
}

static const char *get_string(const struct config *c, const char *name, struct origin *ret_origin)
{
    const struct toml_value *v = find(c, name);
    if (!v || v->type != TOML_STRING)
        return NULL;
    if (ret_origin)
        *ret_origin = config_origin(v, v->span);
    return v->string.p;
}

/* The index of the key's word, counted from FIRST; 0 when unset. */
static unsigned get_word(const struct config *c, const char *name, unsigned first,
                         struct origin *ret_origin)
{
    struct bytes part = bytes_of(name), *parts = &part, two[2];
    const char *dot = strchr(name, '.');
    size_t n = 1;
    if (dot) {
        two[0] = (struct bytes){name, (size_t)(dot - name)};
        two[1] = bytes_of(dot + 1);
        parts = two;
        n = 2;
    }
    const struct config_key *key = keys_find(parts, n, NULL);
    const char *word = get_string(c, name, ret_origin);
    for (unsigned i = 0; key && word && key->words[i]; i++)
        if (str_eq(word, key->words[i]))
            return first + i;
    return 0;
}

static int get_list(struct config *c, const char *name, struct string_list *ret)
{
    const struct toml_value *v = find(c, name);
    if (!v || v->type != TOML_ARRAY)
        return 0;
    ret->v = arena_zalloc(c->arena, v->array.n + 1, sizeof(*ret->v));
    if (!ret->v)
        return -ENOMEM;
    for (size_t i = 0; i < v->array.n; i++)
        ret->v[i] = v->array.items[i]->string.p;
    ret->n = v->array.n;
    ret->origin = config_origin(v, v->span);
    ret->set = !str_eq(ret->origin.layer, "default");
    return 0;
}

static int read_env_set(struct config *c, struct error *err)
{
    const struct toml_value *v = find(c, "shell_environment_policy.set");
    struct string_list *set = &c->env_set;
    if (!v || v->type != TOML_TABLE)
        return 0;
    set->v = arena_zalloc(c->arena, v->table.n + 1, sizeof(*set->v));
    if (!set->v)
        return error_errno(err, -ENOMEM, "shell_environment_policy.set");
    for (const struct toml_member *m = v->table.first; m; m = m->next) {
        if (m->key.n == 0 || memchr(m->key.p, '=', m->key.n)) {
            (void)error_set(err, -EINVAL,
                            "shell_environment_policy.set: \"%s\" cannot be a variable's name",
                            show_n(m->key.p, m->key.n));
            config_error_at(err, m->value, m->key_span);
            return -EINVAL;
        }
        set->v[set->n] = arena_printf(c->arena, "%s=%s", m->key.p, m->value->string.p);
        if (!set->v[set->n++])
            return error_errno(err, -ENOMEM, "shell_environment_policy.set");
    }
    set->origin = config_origin(v, v->span);
    set->set = true;
    return 0;
}

/* Sockets are named outright; `~` is the only thing that is expanded. */
static int read_sockets(struct config *c, const char *home, struct error *err)
{
    struct string_list *list = &c->allow_unix_sockets;
    for (size_t i = 0; i < list->n; i++) {
        const char *s = list->v[i];
        const struct toml_value *at = find(c, "allow_unix_sockets")->array.items[i];
        bool tilde = s[0] == '~' && (s[1] == '/' || s[1] == '\0');
        if (tilde && home)
            list->v[i] = path_join(c->arena, home, s[1] ? s + 2 : "");
        else if (s[0] == '/')
            list->v[i] = path_join(c->arena, "/", s);
        else {
            (void)error_set(err, -EINVAL, "allow_unix_sockets: \"%s\" %s", show(s),
                            tilde ? "cannot be expanded: there is no home directory"
                                  : "is not an absolute path");
            config_error_at(err, at, at->span);
            return -EINVAL;
        }
        if (!list->v[i])
            return error_errno(err, -ENOMEM, "allow_unix_sockets");
    }
    return 0;
}

static int read_approval(struct config *c)
{
    const struct toml_value *v = find(c, "approval_policy");
    c->approval_policy = v && v->type == TOML_STRING ? v->string.p : "granular";
    if (!str_eq(c->approval_policy, "on-failure"))
        return 0;
    struct origin o = config_origin(v, v->span);
    c->approval_policy = "on-request";
    return config_warn(c, "%s: approval_policy: \"on-failure\" is read as \"on-request\"",
                       config_place(c->arena, &o));
}

static void read_limits(struct config *c)
{
    const struct toml_value *wall = find(c, "limits.wall_seconds");
    get_number(c, "limits.cpu_seconds", &c->limits.cpu_seconds);
    get_number(c, "limits.memory", &c->limits.memory_bytes);
    get_number(c, "limits.processes", &c->limits.processes);
    get_number(c, "limits.open_files", &c->limits.open_files);
    get_number(c, "limits.file_size", &c->limits.file_size_bytes);
    if (wall && wall->type == TOML_INTEGER)
        c->limits.wall_seconds = (double)wall->integer;
    else if (wall && wall->type == TOML_FLOAT)
        c->limits.wall_seconds = wall->floating;
}

static void read_scalars(struct config *c)
{
    c->sandbox_mode =
        (enum sandbox_mode)get_word(c, "sandbox_mode", MODE_READ_ONLY, &c->sandbox_mode_origin);
    c->backend = (enum backend)get_word(c, "sandbox_backend", BACKEND_AUTO, &c->backend_origin);
    c->env_inherit =
        (enum env_inherit)get_word(c, "shell_environment_policy.inherit", INHERIT_ALL, NULL);
    c->default_permissions = get_string(c, "default_permissions", &c->default_permissions_origin);
    get_bool(c, "sandbox_workspace_write.network_access", &c->network_access,
             &c->network_access_origin);
    get_bool(c, "sandbox_workspace_write.exclude_tmpdir_env_var", &c->exclude_tmpdir_env_var, NULL);
    get_bool(c, "sandbox_workspace_write.exclude_slash_tmp", &c->exclude_slash_tmp, NULL);
    get_bool(c, "private_tmp", &c->private_tmp, NULL);
    get_bool(c, "strict_hardlinks", &c->strict_hardlinks, NULL);
    get_bool(c, "allow_nested_userns", &c->allow_nested_userns, NULL);
    get_bool(c, "allow_ptrace", &c->allow_ptrace, NULL);
    get_bool(c, "shell_environment_policy.ignore_default_excludes", &c->env_ignore_default_excludes,
             NULL);
    get_unsigned(c, "nested_repo_depth", &c->nested_repo_depth);
    get_unsigned(c, "nested_repo_count", &c->nested_repo_count);
    read_limits(c);
}

static int read_lists(struct config *c)
{
    const struct {
        const char *name;
        struct string_list *to;
    } lists[] = {
        {"sandbox_workspace_write.writable_roots", &c->writable_roots},
        {"protected_names", &c->protected_names},
        {"protected_agent_names", &c->protected_agent_names},
        {"allow_unix_sockets", &c->allow_unix_sockets},
        {"devices", &c->devices},
        {"shell_environment_policy.exclude", &c->env_exclude},
        {"shell_environment_policy.include_only", &c->env_include_only},
    };
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        if (get_list(c, lists[i].name, lists[i].to) < 0)
            return -ENOMEM;
    return 0;
}

int config_load(struct arena *a, const struct config_request *request, struct config **ret,
                struct error *err)
{
    struct config *c = arena_zalloc(a, 1, sizeof(*c));
    struct loader l = {a, c, request, err};
    if (c)
        c->layers = arena_zalloc(a, request->n_overrides + 4, sizeof(*c->layers));
    if (!c || !c->layers || !(c->tree = new_table(a, NULL)))
        return error_errno(err, -ENOMEM, "cannot load the configuration");
    c->arena = a;
    c->strict = request->strict;
    c->default_mode = request->in_version_control ? MODE_WORKSPACE_WRITE : MODE_READ_ONLY;
    for (size_t i = 0; i < ARRAY_LEN(layers); i++) {
        int r = layers[i](&l);
        if (r < 0)
            return r;
    }
    read_scalars(c);
    int r = read_lists(c);
    if (r == 0)
        r = read_approval(c);
    if (r < 0)
        return error_errno(err, r, "cannot load the configuration");
    r = read_env_set(c, err);
    if (r == 0)
        r = read_sockets(c, request->home, err);
    if (r < 0)
        return r;
    *ret = c;
    return 0;
}

/*
 * bawn config show|get|check: what holds, where it comes from, and what is wrong with it.
 *
 * A leaf is a value that is no table. Its origin is the layer that won; what it beat is found by
 * asking every layer's own tree, since those are kept.
 */
#include "cli/cmd_config.h"

#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "cli/print.h"
#include "cli/telemetry_start.h"
#include "config/keys.h"
#include "config/layers.h"
#include "config/requirements.h"
#include "config/value.h"

#include <errno.h>
#include <fcntl.h>

/* ---- leaves ---- */

struct leaves {
    struct bytes parts[MAX_TOML_DEPTH + 1];
    size_t n;
    void (*take)(struct leaves *l, const struct toml_value *value, struct toml_span span);
    struct setup *s;
    struct strbuf *out;
    struct json *j;
    bool all, beaten;
};

static void each_leaf(struct leaves *l, const struct toml_value *table)
{
    for (const struct toml_member *m = table->table.first; m && l->n < ARRAY_LEN(l->parts);
         m = m->next) {
        l->parts[l->n++] = m->key;
        if (m->value->type == TOML_TABLE && m->value->table.n)
            each_leaf(l, m->value);
        else
            l->take(l, m->value, m->value->span);
        l->n--;
    }
}

static const struct toml_value *at_parts(const struct toml_value *tree, const struct bytes *parts,
                                         size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!tree || tree->type != TOML_TABLE)
            return NULL;
        tree = toml_get(tree, parts[i]);
    }
    return tree;
}

/* ---- in words ---- */

static void put_place(struct leaves *l, const struct origin *o)
{
    const char *place = config_place(&l->s->arena, o);
    strbuf_puts(l->out, "  # ");
    if (o->layer && !str_eq(o->layer, "default")) {
        strbuf_puts(l->out, o->layer);
        strbuf_puts(l->out, ", ");
    }
    strbuf_put_printable(l->out, place, strlen(place));
}

/* The layers whose word this value replaced. */
static void put_beaten(struct leaves *l, const struct toml_value *winner)
{
    const struct config *c = l->s->config;
    for (size_t i = 0; i < c->n_layers; i++) {
        const struct config_layer *layer = &c->layers[i];
        const struct toml_value *v = layer->tree ? at_parts(layer->tree, l->parts, l->n) : NULL;
        if (!v || v->owner == winner->owner || v == winner)
            continue;
        struct origin o = config_origin(v, v->span);
        strbuf_puts(l->out, "#   instead of ");
        value_put_toml(l->out, v);
        put_place(l, &o);
        strbuf_putc(l->out, '\n');
    }
}

static void leaf_text(struct leaves *l, const struct toml_value *v, struct toml_span span)
{
    struct origin o = config_origin(v, span);
    if (!l->all && config_is_default(&o))
        return;
    key_put_dotted(l->out, l->parts, l->n);
    strbuf_puts(l->out, " = ");
    value_put_toml(l->out, v);
    put_place(l, &o);
    strbuf_putc(l->out, '\n');
    if (l->beaten)
        put_beaten(l, v);
}

static void layers_text(const struct config *c, struct strbuf *out)
{
    for (enum config_rank rank = RANK_SYSTEM; rank <= RANK_MANAGED; rank++) {
        for (size_t i = 0; i < c->n_layers; i++) {
            const struct config_layer *layer = &c->layers[i];
            if (layer->rank != rank || rank == RANK_SESSION)
                continue;
            strbuf_printf(out, "# %-8s ", layer->name);
            strbuf_put_printable(out, layer->file, strlen(layer->file));
            if (!layer->read)
                strbuf_printf(out, ": not read, %s", layer->reason);
            strbuf_putc(out, '\n');
        }
    }
}

/* ---- JSON ---- */

static void origin_json(struct json *j, const struct origin *o)
{
    json_kv_string(j, "layer", o->layer ? o->layer : "default");
    json_kv_string(j, "file", o->file);
    json_key(j, "line");
    o->line ? json_uint(j, o->line) : json_null(j);
    json_key(j, "column");
    o->line ? json_uint(j, o->column) : json_null(j);
}

static void leaf_json(struct leaves *l, const struct toml_value *v, struct toml_span span)
{
    _cleanup_strbuf_ struct strbuf name = {0};
    struct origin o = config_origin(v, span);
    const struct config *c = l->s->config;
    key_put_dotted(&name, l->parts, l->n);
    json_key(l->j, strbuf_text(&name));
    json_object(l->j);
    origin_json(l->j, &o);
    if (l->beaten) {
        json_key(l->j, "instead_of");
        json_array(l->j);
        for (size_t i = 0; i < c->n_layers; i++) {
            const struct config_layer *layer = &c->layers[i];
            const struct toml_value *b = layer->tree ? at_parts(layer->tree, l->parts, l->n) : NULL;
            if (!b || b->owner == v->owner || b == v)
                continue;
            struct origin from = config_origin(b, b->span);
            json_object(l->j);
            json_key(l->j, "value");
            value_put_json(l->j, b);
            origin_json(l->j, &from);
            json_end_object(l->j);
        }
        json_end_array(l->j);
    }
    json_end_object(l->j);
}

static void resolved_json(const struct setup *s, struct json *j)
{
    const struct config *c = s->config;
    const struct profile *p = s->profile;
    json_object(j);
    json_kv_string(j, "sandbox_mode", p->mode);
    json_kv_string(j, "approval_policy", c->approval_policy);
    json_kv_string(j, "approvals_reviewer", c->approvals_reviewer);
    json_kv_string(j, "permissions_profile", p->name);
    json_kv_string(j, "network", network_word(p->network));
    json_key(j, "writable_roots");
    json_array(j);
    for (size_t i = 0; i < p->n_entries; i++)
        if (p->entries[i].access == ACCESS_WRITE)
            json_string(j, p->entries[i].path);
    json_end_array(j);
    json_kv_string(j, "web_search", config_web_search(c, p->full_access));
    json_kv_string(j, "project_root", c->project.root);
    json_kv_string(j, "trust", trust_word(c->trust));
    json_end_object(j);
}

void config_layers_json(const struct config *c, struct json *j)
{
    json_array(j);
    for (enum config_rank rank = RANK_DEFAULT; rank <= RANK_FLAG; rank++) {
        for (size_t i = 0; i < c->n_layers; i++) {
            const struct config_layer *layer = &c->layers[i];
            if (layer->rank != rank)
                continue;
            json_object(j);
            json_kv_string(j, "layer", layer->name);
            json_kv_string(j, "file", layer->file);
            json_kv_bool(j, "read", layer->read);
            json_kv_string(j, "reason", layer->read ? NULL : layer->reason);
            json_end_object(j);
        }
    }
    json_end_array(j);
}

static void requirement_leaf(struct leaves *l, const struct toml_value *v, struct toml_span span)
{
    _cleanup_strbuf_ struct strbuf name = {0};
    struct origin o = config_origin(v, span);
    key_put_dotted(&name, l->parts, l->n);
    json_key(l->j, strbuf_text(&name));
    json_object(l->j);
    json_key(l->j, "value");
    value_put_json(l->j, v);
    json_kv_string(l->j, "file", o.file);
    json_kv_int(l->j, "line", o.line);
    json_kv_int(l->j, "column", o.column);
    json_end_object(l->j);
}

/* What a field of managed_config.toml requires: requirements.toml says nothing of it. */
static void managed_json(struct json *j, const char *name, const struct string_list *list)
{
    if (!list->set || !str_eq(list->origin.layer, config_rank_word(RANK_MANAGED)))
        return;
    json_key(j, name);
    json_object(j);
    json_key(j, "value");
    json_array(j);
    json_string(j, list->v[0]);
    json_end_array(j);
    json_kv_string(j, "file", list->origin.file);
    json_kv_int(j, "line", list->origin.line);
    json_kv_int(j, "column", list->origin.column);
    json_end_object(j);
}

void config_requirements_json(const struct requirements *q, struct json *j)
{
    struct leaves l = {.j = j, .take = requirement_leaf};
    json_object(j);
    if (q->tree)
        each_leaf(&l, q->tree);
    managed_json(j, "allowed_sandbox_modes", &q->modes);
    managed_json(j, "allowed_approval_policies", &q->policies);
    json_end_object(j);
}

static void show_json(struct setup *s, const struct options *o, struct json *j)
{
    const struct config *c = s->config;
    struct leaves l = {.s = s, .j = j, .take = leaf_json, .beaten = o->origins};
    json_object(j);
    json_key(j, "effective");
    value_put_json(j, c->tree);
    json_key(j, "resolved");
    resolved_json(s, j);
    json_key(j, "origins");
    json_object(j);
    each_leaf(&l, c->tree);
    json_end_object(j);
    json_key(j, "layers");
    config_layers_json(c, j);
    json_key(j, "requirements");
    config_requirements_json(c->requirements, j);
    json_key(j, "warnings");
    json_array(j);
    for (size_t i = 0; i < c->n_warnings; i++)
        json_string(j, c->warnings[i]);
    json_end_array(j);
    json_end_object(j);
}

int config_show(struct setup *s, const struct options *o)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    if (o->n_rest > 1)
        return cli_failure(EXIT_USAGE, "config show: one word too many: %s", show(o->rest[1]));
    s->purpose = SETUP_PATHS;
    int status = cli_load(s, o);
    if (status)
        return status;
    if (o->json) {
        struct json j;
        json_begin(&j, &out);
        show_json(s, o, &j);
        strbuf_putc(&out, '\n');
        return print_out(&out);
    }
    struct leaves l = {
        .s = s, .out = &out, .take = leaf_text, .all = o->effective, .beaten = o->origins};
    print_warnings(s->config->warnings, s->config->n_warnings);
    layers_text(s->config, &out);
    each_leaf(&l, s->config->tree);
    return print_out(&out);
}

/* ---- get ---- */

static int no_such_key(const struct bytes *parts, size_t n, const char *word)
{
    struct error err = {0};
    char last[256];
    (void)error_set(&err, -ENOENT, "config: unknown key %s", show(word));
    (void)printable(last, sizeof(last), parts[n - 1].p, parts[n - 1].n);
    const char *near = keys_nearest(&config_keys, parts, n - 1, last);
    if (near)
        error_hint(&err, "did you mean %s?", near);
    else
        error_hint(&err, "see bawn help config");
    return cli_error(&err, EXIT_BROKEN);
}

int config_get(struct setup *s, const struct options *o)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    struct error err = {0};
    struct bytes *parts;
    size_t n;
    bool inner;
    if (o->n_rest != 2)
        return cli_failure(EXIT_USAGE, "config get: give one KEY, as in: bawn config get "
                                       "sandbox_workspace_write.network_access");
    if (toml_parse_key(&s->arena, bytes_of(o->rest[1]), &parts, &n, &err) < 0)
        return cli_error(&err, EXIT_USAGE);
    s->purpose = SETUP_PATHS;
    int status = cli_load(s, o);
    if (status)
        return status;
    const struct toml_value *v = at_parts(s->config->tree, parts, n);
    if (!v && !keys_find(&config_keys, parts, n, &inner) && !inner &&
        !bytes_is(parts[0], "permissions"))
        return no_such_key(parts, n, o->rest[1]);
    if (o->json) {
        struct json j;
        json_begin(&j, &out);
        v ? value_put_json(&j, v) : json_null(&j);
    } else if (!v) {
        return cli_failure(EXIT_BROKEN, "config: %s is not set", show(o->rest[1]));
    } else if (v->type == TOML_STRING) {
        strbuf_put(&out, v->string.p, v->string.n); /* as scripts want it */
    } else {
        value_put_toml(&out, v);
    }
    strbuf_putc(&out, '\n');
    return print_out(&out);
}

/* ---- check ---- */

/* FILE by itself, as configuration or (REQUIREMENTS) as requirements. */
static int check_file(struct setup *s, const char *file, struct error *err)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    int r = path_read_file(AT_FDCWD, file, MAX_FILE_BYTES, &text, err);
    if (r < 0)
        return error_errno(err, r, "cannot read %s", show(file));
    char *copy = arena_strndup(&s->arena, strbuf_text(&text), text.n);
    if (!copy)
        return error_errno(err, -ENOMEM, "cannot read %s", show(file));
    struct bytes bytes = {copy, text.n};
    if (str_eq(path_base(file), "requirements.toml"))
        return requirements_check_text(&s->arena, file, bytes, err);
    return config_check_text(&s->arena, file, bytes, err);
}

/* Every table [profiles.NAME] that is not in use. */
static int check_profiles(struct setup *s, struct error *err)
{
    const struct toml_value *all = config_find(s->config, "profiles");
    for (const struct toml_member *m = all ? all->table.first : NULL; m; m = m->next) {
        struct config_layer layer = *(const struct config_layer *)m->value->owner;
        layer.rank = RANK_PROFILE;
        int r = layer_check(s->config, &config_keys, &layer, m->value, s->options->strict, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int check_all(struct setup *s, const struct options *o)
{
    struct error err = {0};
    size_t n = 0;
    s->purpose = SETUP_PATHS;
    int status = cli_load(s, o);
    if (status)
        return status;
    struct otel_settings otel;
    if (check_profiles(s, &err) < 0 || telemetry_check(s, &otel, &err) < 0)
        return cli_error(&err, EXIT_BROKEN);
    print_warnings(s->config->warnings, s->config->n_warnings);
    for (size_t i = 0; i < s->config->n_layers; i++)
        n += s->config->layers[i].read && s->config->layers[i].dir;
    n += s->config->requirements->file.read;
    _cleanup_strbuf_ struct strbuf out = {0};
    strbuf_printf(&out, "%zu %s read, %zu %s\n", n, n == 1 ? "file" : "files",
                  s->config->n_warnings, s->config->n_warnings == 1 ? "warning" : "warnings");
    return print_out(&out);
}

int config_check(struct setup *s, const struct options *o)
{
    int status = 0;
    if (o->n_rest < 2)
        return check_all(s, o);
    for (size_t i = 1; i < o->n_rest; i++) {
        struct error err = {0};
        if (check_file(s, o->rest[i], &err) < 0)
            status = cli_error(&err, EXIT_BROKEN);
    }
    return status;
}

/*
 * bawn permissions list|show|preset: the profiles and presets there are, and what one of them says;
 * what a package manager needs of the network (cmd_preset.c).
 *
 * Every configured profile is resolved by itself: a broken one is listed with what is wrong with it
 * and does not hide the others (spec 2.3).
 */
#include "cli/cmd_preset.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/setup.h"

#include <errno.h>

struct row {
    const char *name, *summary;
    const char *kind; /* "built-in", "configured", "preset" */
    bool in_force;
    const char *file; /* NULL for what is built in */
    unsigned line;
    const char *broken; /* what is wrong with it, or NULL */
};

struct rows {
    struct row *v;
    size_t n;
};

static const struct row builtin_rows[] = {
    {":read-only", "read everything, write nothing, no network", "built-in"},
    {":workspace", "write in the workspace and the temporary directories, no network", "built-in"},
    {":danger-full-access", "no limits at all", "built-in"},
};

/* ---- gathering ---- */

static const char *resolve_one(struct setup *s, const char *name, struct profile **ret,
                               struct error *err)
{
    struct perm_context context = setup_context(s);
    *ret = NULL;
    if (profile_resolve(s->config, name, &context, ret, err) < 0)
        return arena_strdup(&s->arena, err->message);
    return NULL;
}

static void add_configured(struct setup *s, const struct toml_value *table, struct rows *rows)
{
    for (const struct toml_member *m = table->table.first; m; m = m->next) {
        if (m->value->type != TOML_TABLE)
            continue;
        struct error err = {0};
        struct profile *p;
        const struct config_layer *layer = m->value->owner;
        const struct toml_value *d = toml_get(m->value, BYTES("description"));
        rows->v[rows->n++] = (struct row){
            .name = m->key.p,
            .summary = d && d->type == TOML_STRING ? d->string.p : "",
            .kind = "configured",
            .file = layer ? layer->file : NULL,
            .line = m->key_span.line,
            .broken = resolve_one(s, m->key.p, &p, &err),
        };
    }
}

static int gather(struct setup *s, struct rows *rows)
{
    const struct toml_value *table =
        s->config->tree ? toml_get(s->config->tree, BYTES("permissions")) : NULL;
    if (table && table->type != TOML_TABLE)
        table = NULL;
    size_t most = ARRAY_LEN(builtin_rows) + (table ? table->table.n : 0) + n_presets;
    rows->v = arena_zalloc(&s->arena, most, sizeof(*rows->v));
    if (!rows->v)
        return -ENOMEM;
    for (size_t i = 0; i < ARRAY_LEN(builtin_rows); i++)
        rows->v[rows->n++] = builtin_rows[i];
    if (table)
        add_configured(s, table, rows);
    for (size_t i = 0; i < n_presets; i++) {
        const char *name = arena_printf(&s->arena, "preset:%s", presets[i].name);
        if (!name)
            return -ENOMEM;
        rows->v[rows->n++] =
            (struct row){.name = name, .summary = presets[i].summary, .kind = "preset"};
    }
    for (size_t i = 0; i < rows->n; i++)
        rows->v[i].in_force = str_eq(rows->v[i].name, s->profile->name);
    return 0;
}

/* ---- list ---- */

static void put_padded(struct strbuf *out, const char *text, size_t width)
{
    size_t start = out->n;
    strbuf_put_printable(out, text, strlen(text));
    for (size_t n = out->n - start; n < width; n++)
        strbuf_putc(out, ' ');
}

static void list_text(const struct rows *rows, struct strbuf *out)
{
    size_t width = 0;
    for (size_t i = 0; i < rows->n; i++)
        width = MAX_OF(width, strlen(rows->v[i].name));
    width = MIN_OF(width, (size_t)40);
    for (size_t i = 0; i < rows->n; i++) {
        const struct row *r = &rows->v[i];
        strbuf_puts(out, r->in_force ? "* " : "  ");
        put_padded(out, r->name, width + 2);
        if (r->broken) {
            strbuf_puts(out, "broken: ");
            strbuf_put_printable(out, r->broken, strlen(r->broken));
        } else {
            strbuf_put_printable(out, r->summary, strlen(r->summary));
        }
        if (r->file) {
            strbuf_puts(out, " (");
            strbuf_put_printable(out, r->file, strlen(r->file));
            strbuf_printf(out, ":%u)", r->line);
        }
        strbuf_putc(out, '\n');
    }
}

static void list_json(const struct rows *rows, struct json *j)
{
    json_array(j);
    for (size_t i = 0; i < rows->n; i++) {
        const struct row *r = &rows->v[i];
        json_object(j);
        json_kv_string(j, "name", r->name);
        json_kv_string(j, "kind", r->kind);
        json_kv_string(j, "summary", r->summary);
        json_kv_bool(j, "in_force", r->in_force);
        json_kv_string(j, "file", r->file);
        json_key(j, "line");
        r->file ? json_uint(j, r->line) : json_null(j);
        json_kv_string(j, "broken", r->broken);
        json_end_object(j);
    }
    json_end_array(j);
}

static int list(struct setup *s, bool as_json)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    struct rows rows = {0};
    if (gather(s, &rows) < 0)
        return cli_failure(EXIT_BROKEN, "out of memory");
    if (as_json) {
        struct json j;
        json_begin(&j, &out);
        list_json(&rows, &j);
        strbuf_putc(&out, '\n');
    } else {
        list_text(&rows, &out);
    }
    return print_out(&out);
}

/* ---- show ---- */

static const char *kind_word(enum entry_kind kind)
{
    static const char *const words[] = {
        [ENTRY_NAMED] = "named",   [ENTRY_PROTECTED] = "protected",
        [ENTRY_GITDIR] = "gitdir", [ENTRY_NESTED] = "nested",
        [ENTRY_OWN] = "own",       [ENTRY_BASE] = "base",
    };
    return words[kind];
}

static void put_origin(struct strbuf *out, const struct origin *o)
{
    if (o->file) {
        strbuf_puts(out, "  ");
        strbuf_put_printable(out, o->file, strlen(o->file));
        if (o->line)
            strbuf_printf(out, ":%u", o->line);
    } else if (o->layer && !str_eq(o->layer, "default")) {
        strbuf_printf(out, "  %s", o->layer);
    }
}

static void show_text(const struct profile *p, struct strbuf *out)
{
    strbuf_puts(out, "profile  ");
    strbuf_put_printable(out, p->name, strlen(p->name));
    strbuf_printf(out, "\nmode     %s\nnetwork  %s", p->mode, network_word(p->network));
    put_origin(out, &p->network_origin);
    strbuf_putc(out, '\n');
    for (size_t i = 0; i < p->n_roots; i++) {
        strbuf_puts(out, "root     ");
        strbuf_put_printable(out, p->roots[i], strlen(p->roots[i]));
        strbuf_putc(out, '\n');
    }
    for (size_t i = 0; i < p->n_entries; i++) {
        const struct perm_entry *e = &p->entries[i];
        strbuf_printf(out, "%-7s  ", access_word(e->access));
        strbuf_put_printable(out, e->path, strlen(e->path));
        if (e->glob) {
            strbuf_puts(out, e->path[1] ? "/" : "");
            strbuf_put_printable(out, e->glob, strlen(e->glob));
        }
        if (e->kind != ENTRY_NAMED && e->kind != ENTRY_BASE)
            strbuf_printf(out, "  (%s)", kind_word(e->kind));
        put_origin(out, &e->origin);
        strbuf_putc(out, '\n');
    }
}

static void origin_json(struct json *j, const struct origin *o)
{
    json_kv_string(j, "layer", o->layer);
    json_kv_string(j, "file", o->file);
    json_key(j, "line");
    o->line ? json_uint(j, o->line) : json_null(j);
}

static void show_json(const struct profile *p, struct json *j)
{
    json_object(j);
    json_kv_string(j, "name", p->name);
    json_kv_string(j, "mode", p->mode);
    json_kv_bool(j, "full_access", p->full_access);
    json_kv_string(j, "network", network_word(p->network));
    json_key(j, "roots");
    json_array(j);
    for (size_t i = 0; i < p->n_roots; i++)
        json_string(j, p->roots[i]);
    json_end_array(j);
    json_key(j, "entries");
    json_array(j);
    for (size_t i = 0; i < p->n_entries; i++) {
        const struct perm_entry *e = &p->entries[i];
        json_object(j);
        json_kv_string(j, "path", e->path);
        json_kv_string(j, "glob", e->glob);
        json_kv_string(j, "access", access_word(e->access));
        json_kv_string(j, "kind", kind_word(e->kind));
        json_kv_string(j, "written", e->written);
        json_kv_bool(j, "create", e->create);
        json_kv_bool(j, "if_exists", e->if_exists);
        origin_json(j, &e->origin);
        json_end_object(j);
    }
    json_end_array(j);
    origin_json(j, &p->origin);
    json_end_object(j);
}

static int show_preset(const char *name, bool as_json)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    const char *names[64];
    size_t count = 0;
    for (size_t i = 0; i < n_presets; i++) {
        if (str_eq(presets[i].name, name)) {
            if (!as_json) {
                strbuf_puts(&out, presets[i].toml);
                return print_out(&out);
            }
            struct json j;
            json_begin(&j, &out);
            json_object(&j);
            json_kv_string(&j, "name", presets[i].name);
            json_kv_string(&j, "kind", "preset");
            json_kv_string(&j, "summary", presets[i].summary);
            json_kv_string(&j, "toml", presets[i].toml);
            json_end_object(&j);
            strbuf_putc(&out, '\n');
            return print_out(&out);
        }
        if (count < ARRAY_LEN(names))
            names[count++] = presets[i].name;
    }
    struct error err = {0};
    (void)error_set(&err, -ENOENT, "permissions: there is no preset \"%s\"", show(name));
    const char *near = nearest_word(name, names, count);
    if (near)
        error_hint(&err, "did you mean preset:%s?", near);
    else
        error_hint(&err, "bawn permissions list shows all of them");
    return cli_error(&err, EXIT_BROKEN);
}

static int show_profile(struct setup *s, const char *name, bool as_json)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    struct error err = {0};
    struct profile *p = s->profile;
    if (name) {
        (void)resolve_one(s, name, &p, &err);
        if (!p)
            return cli_error(&err, EXIT_BROKEN);
    }
    if (as_json) {
        struct json j;
        json_begin(&j, &out);
        show_json(p, &j);
        strbuf_putc(&out, '\n');
    } else {
        show_text(p, &out);
    }
    return print_out(&out);
}

static int usage(const char *message, const char *word)
{
    static const char *const verbs[] = {"list", "show", "preset"};
    struct error err = {0};
    (void)error_set(&err, -EINVAL, "permissions: %s%s", message, word ? show(word) : "");
    const char *near = word ? nearest_word(word, verbs, ARRAY_LEN(verbs)) : NULL;
    if (near)
        error_hint(&err, "did you mean %s?", near);
    else
        error_hint(&err, "bawn permissions list, show [NAME], or preset NAME");
    return cli_error(&err, EXIT_USAGE);
}

int cmd_permissions(int argc, char **argv)
{
    _cleanup_setup_ struct setup s = {0};
    struct options o;
    int status;
    if (!cli_parse(FOR_PERMISSIONS, argc, argv, &s, &o, &status))
        return status;
    const char *verb = o.n_rest ? o.rest[0] : NULL, *name = o.n_rest > 1 ? o.rest[1] : NULL;
    if (!verb)
        return usage("say list, show or preset", NULL);
    if (str_eq(verb, "preset"))
        return permissions_preset(&s, &o);
    if (o.write)
        return usage("--write belongs to preset", NULL);
    bool listing = str_eq(verb, "list");
    if (!listing && !str_eq(verb, "show"))
        return usage("unknown word ", verb);
    if (o.n_rest > (listing ? 1u : 2u))
        return usage("one word too many: ", o.rest[listing ? 1 : 2]);
    if (name && str_starts(name, "preset:"))
        return show_preset(name + strlen("preset:"), o.json);
    status = cli_load(&s, &o);
    if (status)
        return status;
    print_warnings(s.config->warnings, s.config->n_warnings);
    return listing ? list(&s, o.json) : show_profile(&s, name, o.json);
}

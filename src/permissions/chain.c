/*
 * The `extends` chain of a profile, and its tables against the table of keys. See build.h.
 */
#include "permissions/build.h"

#include "config/keys.h"

#include <errno.h>
#include <stdio.h>

static const struct {
    const char *name;
    enum sandbox_mode mode;
} builtin[] = {
    {":read-only", MODE_READ_ONLY},
    {":workspace", MODE_WORKSPACE_WRITE},
    {":danger-full-access", MODE_DANGER_FULL_ACCESS},
};

/* ---- names ---- */

const char *mode_name(enum sandbox_mode mode)
{
    for (size_t i = 0; i < ARRAY_LEN(builtin); i++)
        if (builtin[i].mode == mode)
            return builtin[i].name;
    return NULL;
}

enum sandbox_mode mode_of_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(builtin); i++)
        if (str_eq(name, builtin[i].name))
            return builtin[i].mode;
    return MODE_UNSET;
}

const struct toml_value *chain_profiles(const struct config *config)
{
    const struct toml_value *v = toml_get(config->tree, BYTES("permissions"));
    return v && v->type == TOML_TABLE ? v : NULL;
}

/* The nearest name of a profile, built in or the user's. In static storage or the configuration. */
const char *chain_nearest(const struct config *config, const char *name)
{
    const char *list[64];
    const struct toml_value *all = chain_profiles(config);
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(builtin); i++)
        list[n++] = builtin[i].name;
    for (const struct toml_member *m = all ? all->table.first : NULL; m && n < ARRAY_LEN(list);
         m = m->next)
        list[n++] = m->key.p;
    const char *near = nearest_word(name, list, n);
    if (!near && name[0] != ':') { /* "read-only" for ":read-only" */
        for (size_t i = 0; i < ARRAY_LEN(builtin); i++)
            if (str_eq(name, builtin[i].name + 1))
                near = builtin[i].name;
    }
    return near;
}

int chain_no_such(const struct config *config, const char *name, struct error *err)
{
    const char *near = chain_nearest(config, name);
    if (name[0] == ':')
        (void)error_set(
            err, -EINVAL,
            "there is no built-in permission profile \"%s\"; there are :read-only, :workspace "
            "and :danger-full-access",
            show(name));
    else
        (void)error_set(err, -EINVAL, "there is no permission profile \"%s\"", show(name));
    if (near)
        error_note(err, "did you mean \"%s\"?", near);
    return -EINVAL;
}

/* ---- extends ---- */

static int cycle_error(struct build *b, const struct chain *c, struct bytes again,
                       const struct toml_value *at, struct error *err)
{
    _cleanup_strbuf_ struct strbuf path = {.max = 900};
    for (size_t i = 0; i < c->n; i++)
        strbuf_printf(&path, "%s -> ", show_n(c->names[i].p, c->names[i].n));
    strbuf_puts(&path, show_n(again.p, again.n));
    return build_error(b, err, at, at->span, "extends: profiles extend one another in a circle: %s",
                       strbuf_text(&path));
}

/* What NAME, said by AT, leads to: a base, or the next table. */
static int chain_step(struct build *b, struct chain *c, const struct toml_value *at,
                      const struct toml_value **ret_table, struct error *err)
{
    const struct toml_value *all = chain_profiles(b->config), *table;
    const char *name = at->string.p;
    *ret_table = NULL;
    if (name[0] == ':') {
        c->base = mode_of_name(name);
        if (c->base == MODE_DANGER_FULL_ACCESS)
            return build_error(b, err, at, at->span,
                               "extends: :danger-full-access cannot be extended");
        if (c->base != MODE_UNSET)
            return 0;
    } else {
        for (size_t i = 0; i < c->n; i++)
            if (bytes_eq(c->names[i], at->string))
                return cycle_error(b, c, at->string, at, err);
        table = all ? toml_get(all, at->string) : NULL;
        if (table && c->n == MAX_EXTENDS)
            return build_error(b, err, at, at->span, "extends: more than %u profiles in a row",
                               MAX_EXTENDS);
        if (table) {
            c->names[c->n] = at->string;
            c->tables[c->n++] = table;
            *ret_table = table;
            return 0;
        }
    }
    (void)chain_no_such(b->config, name, err);
    (void)error_wrap(err, -EINVAL, "%s.extends", b->where);
    config_error_at(err, at, at->span);
    const char *near = chain_nearest(b->config, name);
    if (near)
        error_note(err, "did you mean \"%s\"?", near);
    return -EINVAL;
}

const char *build_where(struct build *b, const char *prefix, struct bytes name)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    struct bytes parts[2] = {bytes_of(prefix), name};
    key_put_dotted(&text, parts, 2);
    const char *where = arena_strdup(b->a, show(strbuf_text(&text)));
    return where ? where : prefix;
}

static int check_name(struct build *b, struct bytes name, const struct toml_value *table,
                      struct error *err)
{
    if (name.n && name.p[0] == ':')
        (void)error_set(err, -EINVAL, "%s: names that begin with a colon are built in", b->where);
    else if (table->type != TOML_TABLE)
        (void)error_set(err, -EINVAL, "%s: expected a table, found %s", b->where,
                        toml_type_name(table->type));
    else
        return 0;
    config_error_at(err, table, table->span);
    return -EINVAL;
}

int chain_collect(struct build *b, struct bytes name, const struct toml_value *table,
                  struct chain *c, struct error *err)
{
    *c = (struct chain){.names = {name}, .tables = {table}, .n = 1};
    while (table) {
        b->where = build_where(b, "permissions", c->names[c->n - 1]);
        int r = check_name(b, c->names[c->n - 1], table, err);
        if (r < 0)
            return r;
        const struct toml_value *up = toml_get(table, BYTES("extends"));
        if (!up)
            break;
        if (up->type != TOML_STRING || memchr(up->string.p, '\0', up->string.n))
            return build_error(b, err, up, up->span, "extends: expected a profile's name");
        r = chain_step(b, c, up, &table, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- one table against the key table ---- */

static int unknown_key(struct build *b, const struct bytes *parts, size_t n,
                       const struct toml_member *m, struct error *err)
{
    _cleanup_strbuf_ struct strbuf key = {0};
    key_put_dotted(&key, parts + 2, n - 2);
    int r = build_error(b, err, m->value, m->key_span, "%s: unknown key", show(strbuf_text(&key)));
    const char *near = keys_nearest(&config_keys, parts, n - 1, m->key.p);
    if (near)
        error_note(err, "did you mean \"%s\"?", near);
    return r;
}

/* PARTS holds N components and has room for more; `filesystem` is left to paths.c but for its one
 * key. */
static int check_keys(struct build *b, struct bytes *parts, size_t n,
                      const struct toml_value *table, struct error *err)
{
    bool filesystem = n == 3 && bytes_is(parts[2], "filesystem");
    for (const struct toml_member *m = table->table.first; m; m = m->next) {
        const struct toml_value *at;
        bool inner;
        parts[n] = m->key;
        const struct config_key *key = keys_find(&config_keys, parts, n + 1, &inner);
        if (filesystem && !key)
            continue;
        if (!key && !inner)
            return unknown_key(b, parts, n + 1, m, err);
        if (key && key_check(key, m->value, &at, err) < 0) {
            _cleanup_strbuf_ struct strbuf name = {0};
            key_put_dotted(&name, parts + 2, n - 1);
            (void)error_wrap(err, -EINVAL, "%s.%s", b->where, show(strbuf_text(&name)));
            config_error_at(err, at, at->span);
            return -EINVAL;
        }
        if (!key && m->value->type != TOML_TABLE)
            return build_error(b, err, m->value, m->value->span, "%s: expected a table, found %s",
                               show_n(m->key.p, m->key.n), toml_type_name(m->value->type));
        if (inner && m->value->type == TOML_TABLE) {
            int r = check_keys(b, parts, n + 1, m->value, err);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

int chain_check_keys(struct build *b, const struct toml_value *table, struct error *err)
{
    struct bytes parts[8] = {BYTES("permissions"), BYTES("x")};
    return check_keys(b, parts, 2, table, err);
}

/* See table.h. */
#include "network/table.h"

#include <errno.h>

int table_fault(struct error *err, const char *where, const struct toml_value *value,
                struct toml_span span)
{
    (void)error_wrap(err, -EINVAL, "%s", where);
    config_error_at(err, value, span);
    return -EINVAL;
}

int table_check(const struct toml_value *value, const char *where, const char *const *words,
                size_t n_words, struct error *err)
{
    if (value->type != TOML_TABLE) {
        (void)error_set(err, -EINVAL, "expected a table, found %s", toml_type_name(value->type));
        return table_fault(err, where, value, value->span);
    }
    for (const struct toml_member *m = value->table.first; m; m = m->next) {
        bool known = false;
        for (size_t i = 0; i < n_words && !known; i++)
            known = bytes_is(m->key, words[i]);
        if (known)
            continue;
        const char *near = nearest_word(m->key.p, words, n_words);
        (void)error_set(err, -EINVAL, "unknown key \"%s\"", show_n(m->key.p, m->key.n));
        if (near)
            error_note(err, "did you mean \"%s\"?", near);
        return table_fault(err, where, m->value, m->key_span);
    }
    return 0;
}

static int check_text(const struct toml_value *v, const char *where, struct error *err)
{
    if (v->type != TOML_STRING)
        (void)error_set(err, -EINVAL, "expected a string, found %s", toml_type_name(v->type));
    else if (v->string.n == 0)
        (void)error_set(err, -EINVAL, "the text is empty");
    else if (v->string.n != strlen(v->string.p))
        (void)error_set(err, -EINVAL, "a NUL byte has no place here");
    else
        return 0;
    return table_fault(err, where, v, v->span);
}

int table_text(const struct toml_value *table, const char *where, const char *key, bool required,
               const char **ret, const struct toml_value **ret_at, struct error *err)
{
    const struct toml_value *v = toml_get(table, bytes_of(key));
    *ret = NULL;
    if (ret_at)
        *ret_at = v;
    if (!v && required) {
        (void)error_set(err, -EINVAL, "\"%s\" is missing", key);
        return table_fault(err, where, table, table->span);
    }
    if (!v)
        return 0;
    int r = check_text(v, where, err);
    if (r == 0)
        *ret = v->string.p;
    return r;
}

int table_item(const struct toml_value *item, const char *where, const char **ret,
               struct error *err)
{
    int r = check_text(item, where, err);
    if (r == 0)
        *ret = item->string.p;
    return r;
}

int table_pattern(const struct toml_value *table, const char *where, const char *key,
                  const char **ret_text, struct netpattern *ret, struct error *err)
{
    const struct toml_value *v;
    int r = table_text(table, where, key, true, ret_text, &v, err);
    if (r < 0)
        return r;
    r = netpattern_parse(v->string, ret, err);
    if (r < 0) {
        (void)error_wrap(err, r, "\"%s\"", show(*ret_text));
        return table_fault(err, where, v, v->span);
    }
    return 0;
}

struct netrule table_place(const struct toml_value *value, struct toml_span span)
{
    struct origin o = config_origin(value, span);
    return (struct netrule){.source = NET_OF_PROFILE,
                            .layer = o.layer,
                            .file = o.file,
                            .line = o.line,
                            .column = o.column};
}

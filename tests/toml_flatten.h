/*
 * A TOML tree as lines, "path type value", to compare two trees without the code under test. The
 * key SKIP (N parts; none when 0) and what is in it are left out, and so is a table on the way to
 * it that is empty: such a one comes and goes with the key.
 */
#ifndef TESTS_TOML_FLATTEN_H
#define TESTS_TOML_FLATTEN_H

#include "base/toml.h"
#include "config/keys.h"

#include <inttypes.h>

static inline void flatten_string(struct strbuf *out, struct bytes s)
{
    for (size_t i = 0; i < s.n; i++)
        strbuf_printf(out, s.p[i] >= ' ' && s.p[i] <= '~' ? "%c" : "\\%02x",
                      (unsigned)(unsigned char)s.p[i]);
}

static inline void flatten_scalar(struct strbuf *out, const struct toml_value *v)
{
    const struct toml_datetime *d = &v->datetime;
    uint64_t bits;
    strbuf_printf(out, " %s ", toml_type_name(v->type));
    switch (v->type) {
    case TOML_STRING:
        flatten_string(out, v->string);
        break;
    case TOML_INTEGER:
        strbuf_printf(out, "%" PRId64, v->integer);
        break;
    case TOML_FLOAT:
        memcpy(&bits, &v->floating, sizeof(bits));
        strbuf_printf(out, "%" PRIx64, bits);
        break;
    case TOML_BOOLEAN:
        strbuf_puts(out, v->boolean ? "true" : "false");
        break;
    case TOML_ARRAY:
    case TOML_TABLE: /* without items */
        break;
    default:
        strbuf_printf(out, "%d-%d-%d %d:%d:%d.%d %d", d->year, d->month, d->day, d->hour, d->minute,
                      d->second, d->nanosecond, d->offset_minutes);
        break;
    }
}

static inline void flatten_below(struct strbuf *out, const struct toml_value *v,
                                 struct strbuf *path, const struct bytes *skip, size_t n)
{
    size_t was = path->n;
    if (v->type == TOML_TABLE && v->table.n) {
        for (const struct toml_member *m = v->table.first; m; m = m->next) {
            bool on_way = n > 0 && bytes_eq(m->key, skip[0]);
            if (on_way && n == 1)
                continue;
            if (was)
                strbuf_putc(path, '.');
            key_put_dotted(path, &m->key, 1);
            flatten_below(out, m->value, path, on_way ? skip + 1 : NULL, on_way ? n - 1 : 0);
            path->p[path->n = was] = '\0';
        }
    } else if (v->type == TOML_ARRAY && v->array.n) {
        for (size_t i = 0; i < v->array.n; i++) {
            strbuf_printf(path, "[%zu]", i);
            flatten_below(out, v->array.items[i], path, NULL, 0);
            path->p[path->n = was] = '\0';
        }
    } else if (v->type != TOML_TABLE || n == 0) {
        strbuf_puts(out, strbuf_text(path));
        flatten_scalar(out, v);
        strbuf_putc(out, '\n');
    }
}

static inline void flatten(struct strbuf *out, const struct toml_value *v, const struct bytes *skip,
                           size_t n)
{
    _cleanup_strbuf_ struct strbuf path = {0};
    strbuf_puts(&path, "");
    flatten_below(out, v, &path, skip, n);
}

#endif

/*
 * Values as text. See value.h. Pure.
 */
#include "config/value.h"

#include "config/keys.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void value_put_toml_string(struct strbuf *out, struct bytes s)
{
    strbuf_putc(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            strbuf_printf(out, "\\%c", c);
        else if (c == '\n')
            strbuf_puts(out, "\\n");
        else if (c == '\t')
            strbuf_puts(out, "\\t");
        else if (c < 0x20 || c == 0x7f)
            strbuf_printf(out, "\\u%04x", c);
        else
            strbuf_putc(out, (char)c);
    }
    strbuf_putc(out, '"');
}

/* The shortest of %.15g to %.17g that reads back as V. */
static void put_number(char *buf, size_t n, double v)
{
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(buf, n, "%.*g", digits, v);
        if (strtod(buf, NULL) == v)
            return;
    }
}

static void put_float(struct strbuf *out, double v)
{
    char buf[40];
    if (isnan(v)) {
        strbuf_puts(out, "nan");
    } else if (isinf(v)) {
        strbuf_puts(out, v < 0 ? "-inf" : "inf");
    } else {
        put_number(buf, sizeof(buf), v);
        strbuf_puts(out, buf);
        if (!strpbrk(buf, ".e"))
            strbuf_puts(out, ".0");
    }
}

static void put_time(struct strbuf *out, const struct toml_value *v)
{
    const struct toml_datetime *t = &v->datetime;
    bool date = v->type != TOML_LOCAL_TIME, time = v->type != TOML_LOCAL_DATE;
    if (date)
        strbuf_printf(out, "%04d-%02d-%02d", t->year, t->month, t->day);
    if (date && time)
        strbuf_putc(out, 'T');
    if (time)
        strbuf_printf(out, "%02d:%02d:%02d", t->hour, t->minute, t->second);
    if (time && t->nanosecond)
        strbuf_printf(out, ".%09d", t->nanosecond);
    if (v->type != TOML_OFFSET_DATETIME)
        return;
    int m = abs(t->offset_minutes);
    if (m == 0)
        strbuf_putc(out, 'Z');
    else
        strbuf_printf(out, "%c%02d:%02d", t->offset_minutes < 0 ? '-' : '+', m / 60, m % 60);
}

void value_put_toml(struct strbuf *out, const struct toml_value *v)
{
    const char *sep = "";
    switch (v->type) {
    case TOML_STRING:
        value_put_toml_string(out, v->string);
        return;
    case TOML_INTEGER:
        strbuf_printf(out, "%" PRId64, v->integer);
        return;
    case TOML_FLOAT:
        put_float(out, v->floating);
        return;
    case TOML_BOOLEAN:
        strbuf_puts(out, v->boolean ? "true" : "false");
        return;
    case TOML_ARRAY:
        strbuf_putc(out, '[');
        for (size_t i = 0; i < v->array.n; i++) {
            strbuf_puts(out, i ? ", " : "");
            value_put_toml(out, v->array.items[i]);
        }
        strbuf_putc(out, ']');
        return;
    case TOML_TABLE:
        strbuf_puts(out, v->table.n ? "{ " : "{");
        for (const struct toml_member *m = v->table.first; m; m = m->next, sep = ", ") {
            strbuf_puts(out, sep);
            key_put_dotted(out, &m->key, 1);
            strbuf_puts(out, " = ");
            value_put_toml(out, m->value);
        }
        strbuf_puts(out, v->table.n ? " }" : "}");
        return;
    default:
        put_time(out, v);
    }
}

void value_put_json(struct json *j, const struct toml_value *v)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    char buf[40];
    switch (v->type) {
    case TOML_STRING:
        json_bytes(j, v->string.p, v->string.n);
        return;
    case TOML_INTEGER:
        json_int(j, v->integer);
        return;
    case TOML_FLOAT:
        if (!isfinite(v->floating)) {
            json_null(j);
            return;
        }
        put_number(buf, sizeof(buf), v->floating);
        json_raw(j, buf);
        return;
    case TOML_BOOLEAN:
        json_bool(j, v->boolean);
        return;
    case TOML_ARRAY:
        json_array(j);
        for (size_t i = 0; i < v->array.n; i++)
            value_put_json(j, v->array.items[i]);
        json_end_array(j);
        return;
    case TOML_TABLE:
        json_object(j);
        for (const struct toml_member *m = v->table.first; m; m = m->next) {
            json_key_bytes(j, m->key.p, m->key.n);
            value_put_json(j, m->value);
        }
        json_end_object(j);
        return;
    default:
        put_time(&text, v);
        json_string(j, strbuf_text(&text));
    }
}

/*
 * JSON writer. See json.h. What would steer a terminal that shows the text, or turn its reading
 * round, is written as an escape: the value is the same after parsing.
 */
#include "base/json.h"

#include "base/error.h"
#include "base/limits.h"

#include <inttypes.h>

void json_begin(struct json *j, struct strbuf *out)
{
    *j = (struct json){.out = out};
}

static void value(struct json *j)
{
    if (j->comma)
        strbuf_putc(j->out, ',');
    j->comma = true;
}

static void open_container(struct json *j, char c)
{
    value(j);
    if (++j->depth > MAX_JSON_DEPTH)
        j->failed = true;
    strbuf_putc(j->out, c);
    j->comma = false;
}

static void close_container(struct json *j, char c)
{
    if (j->depth == 0)
        j->failed = true;
    else
        j->depth--;
    strbuf_putc(j->out, c);
    j->comma = true;
}

void json_object(struct json *j)
{
    open_container(j, '{');
}

void json_array(struct json *j)
{
    open_container(j, '[');
}

void json_end_object(struct json *j)
{
    close_container(j, '}');
}

void json_end_array(struct json *j)
{
    close_container(j, ']');
}

/* \uXXXX, as two surrogates beyond the first plane. */
static void put_escape(struct strbuf *out, uint32_t c)
{
    if (c > 0xffff) {
        c -= 0x10000;
        strbuf_printf(out, "\\u%04x", (unsigned)(0xd800 | c >> 10));
        c = 0xdc00 | (c & 0x3ff);
    }
    strbuf_printf(out, "\\u%04x", (unsigned)c);
}

void json_bytes(struct json *j, const void *s, size_t n)
{
    const unsigned char *p = s;
    value(j);
    strbuf_putc(j->out, '"');
    for (size_t i = 0, len; i < n; i += len) {
        uint32_t c;
        len = utf8_decode(p + i, n - i, &c);
        if (len == 0) {
            strbuf_printf(j->out, "\\udc%02x", p[i]);
            len = 1;
        } else if (c == '"' || c == '\\') {
            strbuf_putc(j->out, '\\');
            strbuf_putc(j->out, (char)c);
        } else if (c == '\n') {
            strbuf_puts(j->out, "\\n");
        } else if (c == '\t') {
            strbuf_puts(j->out, "\\t");
        } else if (utf8_deceives(c)) {
            put_escape(j->out, c);
        } else {
            strbuf_put(j->out, p + i, len);
        }
    }
    strbuf_putc(j->out, '"');
}

void json_key(struct json *j, const char *key)
{
    json_bytes(j, key, strlen(key));
    strbuf_putc(j->out, ':');
    j->comma = false;
}

void json_key_bytes(struct json *j, const void *key, size_t n)
{
    json_bytes(j, key, n);
    strbuf_putc(j->out, ':');
    j->comma = false;
}

void json_raw(struct json *j, const char *number)
{
    value(j);
    strbuf_puts(j->out, number);
}

void json_string(struct json *j, const char *s)
{
    if (s)
        json_bytes(j, s, strlen(s));
    else
        json_null(j);
}

void json_int(struct json *j, int64_t v)
{
    value(j);
    strbuf_printf(j->out, "%" PRId64, v);
}

void json_uint(struct json *j, uint64_t v)
{
    value(j);
    strbuf_printf(j->out, "%" PRIu64, v);
}

void json_bool(struct json *j, bool v)
{
    value(j);
    strbuf_puts(j->out, v ? "true" : "false");
}

void json_null(struct json *j)
{
    value(j);
    strbuf_puts(j->out, "null");
}

void json_kv_string(struct json *j, const char *key, const char *s)
{
    json_key(j, key);
    json_string(j, s);
}

void json_kv_int(struct json *j, const char *key, int64_t v)
{
    json_key(j, key);
    json_int(j, v);
}

void json_kv_bool(struct json *j, const char *key, bool v)
{
    json_key(j, key);
    json_bool(j, v);
}

bool json_ok(const struct json *j)
{
    return !j->failed && j->depth == 0 && !strbuf_failed(j->out);
}

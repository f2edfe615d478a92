/* JSON writer. See json.h. */
#include "base/json.h"

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

/* Length of the well-formed UTF-8 sequence at P, 0 when it is none. */
static size_t utf8_length(const unsigned char *p, size_t n)
{
    size_t len = p[0] < 0x80             ? 1
                 : (p[0] & 0xe0) == 0xc0 ? 2
                 : (p[0] & 0xf0) == 0xe0 ? 3
                 : (p[0] & 0xf8) == 0xf0 ? 4
                                         : 0;
    if (len == 0 || len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((len == 2 && p[0] < 0xc2) || (len == 3 && p[0] == 0xe0 && p[1] < 0xa0) ||
        (len == 3 && p[0] == 0xed && p[1] > 0x9f) || (len == 4 && p[0] == 0xf0 && p[1] < 0x90) ||
        (len == 4 && (p[0] > 0xf4 || (p[0] == 0xf4 && p[1] > 0x8f))))
        return 0;
    return len;
}

void json_bytes(struct json *j, const void *s, size_t n)
{
    const unsigned char *p = s;
    value(j);
    strbuf_putc(j->out, '"');
    for (size_t i = 0; i < n;) {
        unsigned char c = p[i];
        size_t len = utf8_length(p + i, n - i);
        if (len == 0) {
            strbuf_printf(j->out, "\\udc%02x", c);
            i++;
        } else if (len > 1) {
            strbuf_put(j->out, p + i, len);
            i += len;
        } else {
            i++;
            if (c == '"' || c == '\\') {
                strbuf_putc(j->out, '\\');
                strbuf_putc(j->out, (char)c);
            } else if (c == '\n') {
                strbuf_puts(j->out, "\\n");
            } else if (c == '\t') {
                strbuf_puts(j->out, "\\t");
            } else if (c < 0x20 || c == 0x7f) {
                strbuf_printf(j->out, "\\u%04x", c);
            } else {
                strbuf_putc(j->out, (char)c);
            }
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

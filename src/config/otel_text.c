/*
 * Reading the texts of `[otel]` and of the standard variables. See otel_text.h.
 *
 * A URL is taken apart only as far as bawn has to understand it (is it TLS, is there a path); what
 * is left is handed to the exporter's library as it is, so nothing that two readers could take for
 * two things passes: no user, no fragment, no bytes beyond those that a URL has.
 */
#include "config/otel_text.h"

#include <errno.h>

#define URL_MAX       2048u
#define HEADER_MAX    8192u /* bytes of one value */
#define NAME_MAX_     256u  /* of a header or an attribute */
#define ATTRIBUTE_MAX 1024u

/* ---- bytes ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int hex_digit(char c)
{
    return is_digit(c)            ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool all_of(struct bytes s, const char *more)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_alnum(s.p[i]) && !(s.p[i] && strchr(more, s.p[i])))
            return false;
    return s.n != 0;
}

static struct bytes from(struct bytes s, size_t at)
{
    return (struct bytes){s.p + at, s.n - at};
}

static size_t until(struct bytes s, const char *any)
{
    size_t i = 0;
    while (i < s.n && !strchr(any, s.p[i]))
        i++;
    return i;
}

/* ---- URLs ---- */

static bool is_fault(struct otel_fault *ret, const char *what, const char *hint)
{
    *ret = (struct otel_fault){what, hint};
    return false;
}

static bool is_scheme(struct bytes s, const char *name)
{
    if (s.n != strlen(name))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if ((s.p[i] | 0x20) != name[i])
            return false;
    return true;
}

static bool is_port(struct bytes s)
{
    unsigned long v = 0;
    for (size_t i = 0; i < s.n && i < 6; i++) {
        if (!is_digit(s.p[i]))
            return false;
        v = v * 10 + (unsigned long)(s.p[i] - '0');
    }
    return s.n > 0 && s.n < 6 && v > 0 && v < 65536;
}

static bool authority_read(struct bytes s, struct otel_fault *ret_fault)
{
    size_t n;
    if (memchr(s.p, '@', s.n))
        return is_fault(ret_fault, "a user's name or password stands in the URL",
                        "headers = { authorization = \"Basic ${NAME}\" } sends one");
    if (s.n && s.p[0] == '[') {
        n = until(s, "]");
        if (n == s.n || !all_of((struct bytes){s.p + 1, n - 1}, ":."))
            return is_fault(ret_fault, "the address in brackets is none",
                            "an address of IPv6 is written [2001:db8::1]");
        n++;
    } else {
        n = until(s, ":");
        if (n == 0)
            return is_fault(ret_fault, "it names no host", NULL);
        if (!all_of((struct bytes){s.p, n}, ".-_"))
            return is_fault(ret_fault, "the host has bytes that no host's name has", NULL);
    }
    if (n < s.n && (s.p[n] != ':' || !is_port(from(s, n + 1))))
        return is_fault(ret_fault, "the port is no number from 1 to 65535", NULL);
    return true;
}

bool otel_url_read(struct bytes text, struct otel_url *ret, struct otel_fault *ret_fault)
{
    static const char how[] = "expected http://HOST:PORT or https://HOST:PORT, with a path or not";
    if (text.n == 0)
        return is_fault(ret_fault, "it is empty", how);
    if (text.n > URL_MAX)
        return is_fault(ret_fault, "it is longer than 2048 bytes", NULL);
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] <= 0x20 || text.p[i] >= 0x7f || strchr("\"<>\\^`{|}", text.p[i]))
            return is_fault(ret_fault, "it has a byte that cannot stand in a URL",
                            "such a byte is written as % and two digits of hex");
    size_t colon = until(text, ":/");
    if (text.n < colon + 3 || memcmp(text.p + colon, "://", 3) != 0)
        return is_fault(ret_fault, "it has no scheme", how);
    struct bytes scheme = {text.p, colon}, rest = from(text, colon + 3);
    if (!is_scheme(scheme, "http") && !is_scheme(scheme, "https"))
        return is_fault(ret_fault, "the scheme is not known; expected http or https", how);
    struct otel_url url = {.tls = is_scheme(scheme, "https")};
    size_t n = until(rest, "/?#");
    url.authority = (struct bytes){rest.p, n};
    if (!authority_read(url.authority, ret_fault))
        return false;
    rest = from(rest, n);
    if (rest.n && memchr(rest.p, '#', rest.n))
        return is_fault(ret_fault, "it has a fragment", "leave out # and what is behind it");
    n = until(rest, "?");
    url.path = (struct bytes){rest.p, n};
    url.query = from(rest, n);
    *ret = url;
    return true;
}

/* ---- ${NAME} ---- */

static bool is_variable(struct bytes name)
{
    return all_of(name, "_") && !is_digit(name.p[0]);
}

int otel_expand(struct arena *a, struct bytes text, const char *(*get)(void *data, const char *),
                void *data, const char **ret, struct bytes *ret_missing)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] != '$' || i + 1 == text.n || text.p[i + 1] != '{') {
            strbuf_putc(&out, text.p[i]);
            continue;
        }
        struct bytes name = from(text, i + 2);
        size_t n = until(name, "}");
        if (n == name.n)
            return -EINVAL;
        name.n = n;
        if (!is_variable(name))
            return -EINVAL;
        char *copy = arena_strndup(a, name.p, name.n);
        const char *value = copy ? get(data, copy) : NULL;
        if (!copy)
            return -ENOMEM;
        if (!value) {
            *ret_missing = name;
            return -ENOENT;
        }
        strbuf_puts(&out, value);
        i += n + 2;
    }
    *ret = strbuf_failed(&out) ? NULL : arena_strdup(a, strbuf_text(&out));
    return *ret ? 0 : -ENOMEM;
}

/* ---- lists ---- */

static struct bytes trim(struct bytes s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = from(s, 1);
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

/* %XX replaced, in place. */
static bool decode(char *s)
{
    char *to = s;
    for (; *s; s++, to++) {
        if (*s != '%') {
            *to = *s;
            continue;
        }
        int high = hex_digit(s[1]), low = high < 0 ? -1 : hex_digit(s[2]);
        if (low < 0 || (high == 0 && low == 0))
            return false;
        *to = (char)(high << 4 | low);
        s += 2;
    }
    *to = '\0';
    return true;
}

static int list_item(struct arena *a, struct bytes item, struct otel_pair *ret,
                     struct otel_fault *ret_fault)
{
    size_t n = until(item, "=");
    struct bytes name = trim((struct bytes){item.p, n});
    if (n == item.n || name.n == 0) {
        *ret_fault =
            (struct otel_fault){"an item is not NAME=VALUE", "write NAME=VALUE,NAME=VALUE"};
        return -EINVAL;
    }
    struct bytes value = trim(from(item, n + 1));
    char *copy = arena_strndup(a, value.p, value.n);
    ret->name = arena_strndup(a, name.p, name.n);
    ret->value = copy;
    if (!copy || !ret->name)
        return -ENOMEM;
    if (decode(copy))
        return 0;
    *ret_fault = (struct otel_fault){"a % is not followed by two digits of hex",
                                     "a % itself is written %25"};
    return -EINVAL;
}

int otel_list_read(struct arena *a, const char *text, struct otel_pairs *ret,
                   struct otel_fault *ret_fault)
{
    struct bytes rest = bytes_of(text);
    size_t most = 1;
    for (size_t i = 0; i < rest.n; i++)
        most += rest.p[i] == ',';
    struct otel_pairs list = {arena_zalloc(a, most, sizeof(*list.v)), 0};
    if (!list.v)
        return -ENOMEM;
    while (rest.n) {
        size_t n = until(rest, ",");
        struct bytes item = trim((struct bytes){rest.p, n});
        rest = from(rest, n < rest.n ? n + 1 : n);
        if (item.n == 0)
            continue;
        int r = list_item(a, item, &list.v[list.n++], ret_fault);
        if (r < 0)
            return r;
    }
    *ret = list;
    return 0;
}

/* ---- headers and attributes ---- */

/* What the exporter itself says, and what is about one connection. */
static const char *const reserved[] = {
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "te",
    "trailer",
    "upgrade",
    "user-agent",
    "accept-encoding",
    "transfer-encoding",
};

const char *otel_header_name_fault(const char *name)
{
    size_t n = strlen(name);
    if (n == 0 || n > NAME_MAX_ || !all_of((struct bytes){name, n}, "!#$%&'*+-.^_`|~"))
        return "is not the name of a header field";
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
        if (str_eq(name, reserved[i]))
            return "is set by bawn-exporter itself";
    return str_starts(name, "grpc-") ? "is set by bawn-exporter itself" : NULL;
}

const char *otel_header_value_fault(const char *value)
{
    size_t n = strlen(value);
    if (n > HEADER_MAX)
        return "is longer than 8192 bytes";
    for (size_t i = 0; i < n; i++)
        if (((unsigned char)value[i] < 0x20 && value[i] != '\t') || (unsigned char)value[i] >= 0x7f)
            return "has a byte that cannot stand in a header: a line's end, a control or no ASCII";
    return NULL;
}

const char *otel_attribute_fault(struct bytes name, const char *value)
{
    if (name.n == 0)
        return "its name is empty";
    if (name.n > NAME_MAX_)
        return "its name is longer than 256 bytes";
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] <= 0x20 || name.p[i] == 0x7f)
            return "its name has a space or a control byte";
    return strlen(value) > ATTRIBUTE_MAX ? "its value is longer than 1024 bytes" : NULL;
}

bool otel_milliseconds(const char *text, uint32_t most, uint32_t *ret)
{
    uint32_t v = 0;
    for (; is_digit(*text) && v <= most; text++)
        v = v * 10 + (uint32_t)(*text - '0');
    if (*text || v == 0 || v > most)
        return false;
    *ret = v;
    return true;
}

/*
 * JSON reader. See json_read.h.
 *
 * One descent over the text. Values and names of containers that are still open lie on two stacks
 * (heap, grown by doubling); a container that closes moves its part into the arena as one piece.
 * Everything is linear in the text but the search for doubled names, which sorts the names of a
 * large object: their bytes times the logarithm of their number.
 */
#include "base/json_read.h"

#include "base/limits.h"
#include "base/vec.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* A name of an object and where it stands. */
struct name {
    struct bytes name;
    uint32_t at, length;
};

struct reader {
    struct arena *arena;
    const char *file;
    struct bytes text;
    struct error *err;
    size_t at; /* the next byte */
    unsigned depth;
    VEC(struct json_value) values; /* of the containers that are open */
    VEC(struct name) names;        /* of the objects that are open */
};

/* ---- places and errors ---- */

static void place(struct error *err, const char *file, struct bytes text, size_t at, size_t length)
{
    if (!err)
        return;
    at = MIN_OF(at, text.n);
    size_t from = at, to = at;
    unsigned line = 1;
    while (from > 0 && text.p[from - 1] != '\n')
        from--;
    while (to < text.n && text.p[to] != '\n')
        to++;
    if (to > at && text.p[to - 1] == '\r')
        to--;
    for (size_t i = 0; i < from; i++)
        line += text.p[i] == '\n';
    error_at(err, file, line, (unsigned)(at - from) + 1,
             (unsigned)MAX_OF(MIN_OF(length, to - at), (size_t)1), text.n ? text.p + from : "",
             to - from);
}

_printf_(4, 5) static int fail(struct reader *r, size_t at, size_t length, const char *fmt, ...)
{
    char message[ERROR_MESSAGE_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    (void)error_set(r->err, -EINVAL, "%s", message);
    place(r->err, r->file, r->text, at, length);
    return -EINVAL;
}

int json_fail(struct error *err, const char *file, struct bytes text, const struct json_value *v,
              const char *fmt, ...)
{
    char message[ERROR_MESSAGE_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    (void)error_set(err, -EINVAL, "%s", message);
    place(err, file, text, v->at, v->length);
    return -EINVAL;
}

static int no_memory(struct reader *r)
{
    return error_set(r->err, -ENOMEM, "out of memory while reading %s",
                     r->file ? show(r->file) : "JSON");
}

static int peek(const struct reader *r)
{
    return r->at < r->text.n ? (unsigned char)r->text.p[r->at] : -1;
}

/* What stands at the next byte, in words; its length in *ret_length. */
static const char *found(const struct reader *r, size_t *ret_length)
{
    uint32_t c;
    *ret_length = 1;
    if (r->at == r->text.n)
        return "the end of the text";
    const unsigned char *p = (const unsigned char *)r->text.p + r->at;
    size_t n = utf8_decode(p, r->text.n - r->at, &c);
    if (n == 0)
        return "a byte that is no UTF-8";
    if (c == '\n' || c == '\r')
        return "the end of the line";
    if (c == 0xfeff)
        return "a byte order mark";
    *ret_length = n;
    char quoted[8];
    (void)snprintf(quoted, sizeof(quoted), "'%.*s'", (int)n, (const char *)p);
    return show(quoted);
}

static int expected(struct reader *r, const char *what)
{
    size_t length;
    const char *there = found(r, &length);
    return fail(r, r->at, length, "expected %s, found %s", what, there);
}

static void skip_space(struct reader *r)
{
    while (r->at < r->text.n) {
        char c = r->text.p[r->at];
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
            return;
        r->at++;
    }
}

/* ---- strings ---- */

/* The four digits behind "\u", or -1. */
static int32_t four_digits(const struct reader *r, size_t at)
{
    int32_t v = 0;
    if (r->text.n - at < 4)
        return -1;
    for (size_t i = at; i < at + 4; i++) {
        char c = r->text.p[i];
        int32_t digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
        if (digit < 0)
            return -1;
        v = v * 16 + digit;
    }
    return v;
}

/* At the backslash of "\uXXXX", perhaps the first of a pair. */
static int read_unicode(struct reader *r, char **to)
{
    int32_t c = four_digits(r, r->at + 2), low;
    if (c < 0)
        return fail(r, r->at, 2, "\\u needs four hexadecimal digits");
    if (c >= 0xd800 && c <= 0xdbff) {
        size_t next = r->at + 6;
        bool pair = r->text.n - next >= 6 && r->text.p[next] == '\\' && r->text.p[next + 1] == 'u';
        low = pair ? four_digits(r, next + 2) : -1;
        if (low < 0xdc00 || low > 0xdfff)
            return fail(r, r->at, 6, "a surrogate without its other half");
        *to +=
            utf8_encode(0x10000 + ((uint32_t)(c - 0xd800) << 10) + (uint32_t)(low - 0xdc00), *to);
        r->at += 12;
        return 0;
    }
    if (c >= 0xdc80 && c <= 0xdcff)
        *(*to)++ = (char)(c & 0xff); /* a byte that was no UTF-8: see json.h */
    else if (c >= 0xdc00 && c <= 0xdfff)
        return fail(r, r->at, 6, "a surrogate without its other half");
    else
        *to += utf8_encode((uint32_t)c, *to);
    r->at += 6;
    return 0;
}

static int read_escape(struct reader *r, char **to)
{
    static const char letters[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    int c = r->at + 1 < r->text.n ? (unsigned char)r->text.p[r->at + 1] : -1;
    if (c == 'u')
        return read_unicode(r, to);
    const char *letter = c > 0 ? strchr(letters, c) : NULL;
    if (!letter)
        return fail(r, r->at, c < 0 ? 1 : 2,
                    "no escape of JSON: one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX");
    *(*to)++ = values[letter - letters];
    r->at += 2;
    return 0;
}

/* One character that stands for itself. */
static int read_plain(struct reader *r, char **to)
{
    uint32_t c;
    const unsigned char *p = (const unsigned char *)r->text.p + r->at;
    if (*p < 0x20)
        return fail(r, r->at, 1, "a control character in a string must be written \\u%04x", *p);
    size_t n = utf8_decode(p, r->text.n - r->at, &c);
    if (n == 0)
        return fail(r, r->at, 1, "a byte that is no UTF-8 (0x%02x)", *p);
    memcpy(*to, p, n);
    *to += n;
    r->at += n;
    return 0;
}

/* The end of the string whose first byte is at FROM, or the text's. Escapes only grow shorter, so
 * that this is room enough. */
static size_t string_end(const struct reader *r, size_t from)
{
    while (from < r->text.n && r->text.p[from] != '"')
        from += r->text.p[from] == '\\' ? 2 : 1;
    return MIN_OF(from, r->text.n);
}

static int read_string(struct reader *r, struct bytes *ret)
{
    size_t start = r->at++, end = string_end(r, r->at);
    if (end == r->text.n)
        return fail(r, start, 1, "a string that does not end");
    char *s = arena_alloc(r->arena, end - r->at + 1), *to = s;
    if (!s)
        return no_memory(r);
    while (r->at < end) {
        int ok = r->text.p[r->at] == '\\' ? read_escape(r, &to) : read_plain(r, &to);
        if (ok < 0)
            return ok;
    }
    *to = '\0';
    r->at = end + 1;
    *ret = (struct bytes){s, (size_t)(to - s)};
    return 0;
}

/* ---- numbers and words ---- */

static bool digit(int c)
{
    return c >= '0' && c <= '9';
}

static int read_digits(struct reader *r, const char *where)
{
    if (!digit(peek(r)))
        return expected(r, where);
    while (digit(peek(r)))
        r->at++;
    return 0;
}

/* Does TEXT, a whole number as JSON writes one, fit? */
static bool to_integer(struct bytes text, int64_t *ret)
{
    int64_t v = 0;
    bool negative = text.p[0] == '-';
    for (size_t i = negative; i < text.n; i++) {
        int d = text.p[i] - '0';
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, d, &v))
            return false;
    }
    if (!negative && __builtin_sub_overflow(0, v, &v))
        return false;
    *ret = v;
    return true;
}

static int read_number(struct reader *r, struct json_value *v)
{
    size_t start = r->at;
    bool whole = true;
    int ok;
    if (peek(r) == '-')
        r->at++;
    if (peek(r) == '0') {
        r->at++;
        if (digit(peek(r)))
            return fail(r, start, r->at + 1 - start, "a number does not begin with 0");
    } else if ((ok = read_digits(r, "a digit")) < 0) {
        return ok;
    }
    if (peek(r) == '.') {
        whole = false;
        r->at++;
        if ((ok = read_digits(r, "a digit behind the point")) < 0)
            return ok;
    }
    if (peek(r) == 'e' || peek(r) == 'E') {
        whole = false;
        r->at++;
        if (peek(r) == '+' || peek(r) == '-')
            r->at++;
        if ((ok = read_digits(r, "a digit of the exponent")) < 0)
            return ok;
    }
    v->type = JSON_NUMBER;
    v->text.n = r->at - start;
    v->text.p = arena_strndup(r->arena, r->text.p + start, v->text.n);
    if (!v->text.p)
        return no_memory(r);
    v->is_int = whole && to_integer(v->text, &v->integer);
    /* The program never calls setlocale(): the point is a point. */
    v->number = v->is_int && v->integer ? (double)v->integer : strtod(v->text.p, NULL);
    return 0;
}

static int read_word(struct reader *r, struct json_value *v)
{
    static const struct {
        const char *word;
        enum json_type type;
        bool boolean;
    } words[] = {
        {"true", JSON_BOOL, true}, {"false", JSON_BOOL, false}, {"null", JSON_NULL, false}};
    size_t n = 0;
    while (r->at + n < r->text.n &&
           ((r->text.p[r->at + n] | 32) >= 'a' && (r->text.p[r->at + n] | 32) <= 'z'))
        n++;
    struct bytes word = {r->text.p + r->at, n};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (bytes_is(word, words[i].word)) {
            v->type = words[i].type;
            v->boolean = words[i].boolean;
            r->at += n;
            return 0;
        }
    if (n > 1)
        return fail(r, r->at, n, "expected a value, found %s", show_n(word.p, MIN_OF(n, 40)));
    return expected(r, "a value");
}

/* ---- containers ---- */

static int read_value(struct reader *r, struct json_value *v);

static int by_name(const void *a, const void *b)
{
    const struct name *x = a, *y = b;
    size_t n = MIN_OF(x->name.n, y->name.n);
    int c = n ? memcmp(x->name.p, y->name.p, n) : 0;
    if (c == 0)
        c = (x->name.n > y->name.n) - (x->name.n < y->name.n);
    return c ? c : (x->at > y->at) - (x->at < y->at);
}

static int check_names(struct reader *r, struct name *names, size_t n)
{
    const struct name *twice = NULL;
    if (n < 2)
        return 0;
    qsort(names, n, sizeof(*names), by_name);
    for (size_t i = 1; i < n; i++)
        if (bytes_eq(names[i - 1].name, names[i].name) && (!twice || names[i].at < twice->at))
            twice = &names[i];
    if (!twice)
        return 0;
    return fail(r, twice->at, twice->length, "the name \"%s\" stands here twice",
                show_n(twice->name.p, MIN_OF(twice->name.n, 80)));
}

/* What was pushed since FIRST becomes the items of V. */
static int close_items(struct reader *r, struct json_value *v, size_t first)
{
    v->n = r->values.n - first;
    if (v->n == 0)
        return 0;
    struct json_value *items = arena_alloc(r->arena, v->n * sizeof(*items));
    if (!items)
        return no_memory(r);
    memcpy(items, r->values.v + first, v->n * sizeof(*items));
    v->items = items;
    r->values.n = first;
    return 0;
}

static int close_names(struct reader *r, struct json_value *v, size_t first)
{
    size_t n = r->names.n - first;
    if (n == 0)
        return 0;
    struct bytes *names = arena_alloc(r->arena, n * sizeof(*names));
    if (!names)
        return no_memory(r);
    for (size_t i = 0; i < n; i++)
        names[i] = r->names.v[first + i].name;
    v->names = names;
    r->names.n = first;
    return check_names(r, r->names.v + first, n);
}

static int read_name(struct reader *r)
{
    struct name *name;
    size_t start = r->at;
    struct bytes text;
    if (peek(r) != '"')
        return expected(r, "a name in double quotes");
    int ok = read_string(r, &text);
    if (ok < 0)
        return ok;
    if (!(name = vec_push(&r->names)))
        return no_memory(r);
    *name = (struct name){text, (uint32_t)start, (uint32_t)(r->at - start)};
    skip_space(r);
    if (peek(r) != ':')
        return expected(r, "':'");
    r->at++;
    return 0;
}

static int read_item(struct reader *r)
{
    struct json_value item = {0}, *slot;
    int ok = read_value(r, &item);
    if (ok < 0)
        return ok;
    if (!(slot = vec_push(&r->values)))
        return no_memory(r);
    *slot = item;
    return 0;
}

static int read_members(struct reader *r, bool object)
{
    const char end = object ? '}' : ']';
    r->at++;
    skip_space(r);
    if (peek(r) == end) {
        r->at++;
        return 0;
    }
    for (;;) {
        int ok;
        skip_space(r);
        if (object && (ok = read_name(r)) < 0)
            return ok;
        if ((ok = read_item(r)) < 0)
            return ok;
        skip_space(r);
        if (peek(r) == end) {
            r->at++;
            return 0;
        }
        if (peek(r) != ',')
            return expected(r, object ? "',' or '}'" : "',' or ']'");
        r->at++;
    }
}

static int read_container(struct reader *r, struct json_value *v)
{
    size_t first = r->values.n, first_name = r->names.n;
    v->type = peek(r) == '{' ? JSON_OBJECT : JSON_ARRAY;
    if (++r->depth > MAX_JSON_DEPTH)
        return fail(r, r->at, 1, "more than %u values in each other", MAX_JSON_DEPTH);
    int ok = read_members(r, v->type == JSON_OBJECT);
    r->depth--;
    if (ok == 0 && v->type == JSON_OBJECT)
        ok = close_names(r, v, first_name);
    return ok < 0 ? ok : close_items(r, v, first);
}

static int read_value(struct reader *r, struct json_value *v)
{
    skip_space(r);
    size_t start = r->at;
    int c = peek(r), ok;
    if (c == '{' || c == '[') {
        ok = read_container(r, v);
    } else if (c == '"') {
        v->type = JSON_STRING;
        ok = read_string(r, &v->text);
    } else if (c == '-' || digit(c)) {
        ok = read_number(r, v);
    } else {
        ok = read_word(r, v);
    }
    v->at = (uint32_t)start;
    v->length = (uint32_t)(r->at - start);
    return ok;
}

/* ---- the front ---- */

int json_parse(struct arena *a, const char *file, struct bytes text, const struct json_value **ret,
               struct error *err)
{
    struct reader r = {.arena = a, .file = file, .text = text, .err = err};
    if (text.n > MAX_STRBUF_BYTES)
        return error_set(err, -EINVAL, "%s: more than %u bytes of JSON",
                         file ? show(file) : "too long", MAX_STRBUF_BYTES);
    struct json_value *v = arena_zalloc(a, 1, sizeof(*v));
    int ok = v ? read_value(&r, v) : no_memory(&r);
    if (ok == 0) {
        skip_space(&r);
        if (r.at < text.n)
            ok = expected(&r, "the end of the text");
    }
    vec_release(&r.values);
    vec_release(&r.names);
    if (ok == 0)
        *ret = v;
    return ok;
}

const struct json_value *json_get(const struct json_value *v, const char *name)
{
    if (!v || v->type != JSON_OBJECT)
        return NULL;
    for (size_t i = 0; i < v->n; i++)
        if (bytes_is(v->names[i], name))
            return &v->items[i];
    return NULL;
}

const char *json_get_string(const struct json_value *v, const char *name)
{
    const struct json_value *s = json_get(v, name);
    return s && s->type == JSON_STRING && !memchr(s->text.p, '\0', s->text.n) ? s->text.p : NULL;
}

bool json_get_bool(const struct json_value *v, const char *name, bool otherwise)
{
    const struct json_value *b = json_get(v, name);
    return b && b->type == JSON_BOOL ? b->boolean : otherwise;
}

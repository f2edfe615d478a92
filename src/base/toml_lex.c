/*
 * The TOML parser's view of bytes: one check of the whole text, positions, errors, keys and
 * strings. See toml_parser.h for what the check lets the rest rely on.
 */
#include "base/toml_parser.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* ---- errors ---- */

#define SHOWN_MAX 60

static bool starts_with_bom(struct bytes text)
{
    return text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0;
}

void toml_error_at(struct error *err, const char *file, struct bytes text, struct toml_span span)
{
    if (!err)
        return;
    size_t offset = MIN_OF(span.offset, text.n), from = offset, to = offset;
    while (from > 0 && text.p[from - 1] != '\n')
        from--;
    while (to < text.n && text.p[to] != '\n')
        to++;
    if (to > from && text.p[to - 1] == '\r' && to > offset)
        to--;
    if (from == 0 && starts_with_bom(text) && offset >= 3)
        from = 3;
    /* What stands on further lines cannot be marked; a place at the end of a line still can. */
    size_t length = MIN_OF(span.length, to - MIN_OF(offset, to));
    error_at(err, file, span.line, span.column, (unsigned)MAX_OF(length, (size_t)1),
             text.n ? text.p + from : "", to - from);
}

void toml_set_error(struct toml_parser *p, int code, struct toml_span span, const char *fmt, ...)
{
    if (!p->err)
        return;
    char message[ERROR_MESSAGE_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    (void)error_set(p->err, code, "%s", message);
    toml_error_at(p->err, p->file, p->text, span);
}

void toml_set_no_memory(struct toml_parser *p)
{
    (void)error_set(p->err, -ENOMEM, "out of memory while reading %s",
                    p->file ? show(p->file) : "a TOML value");
}

const char *toml_show(struct bytes b)
{
    if (b.n <= SHOWN_MAX)
        return show_n(b.p, b.n);
    size_t n = SHOWN_MAX;
    while (n && ((unsigned char)b.p[n] & 0xc0) == 0x80)
        n--;
    char cut[SHOWN_MAX + 4];
    (void)snprintf(cut, sizeof(cut), "%.*s\xe2\x80\xa6", (int)n, b.p);
    return show(cut);
}

/* Bytes of the character at the next byte (the text is well-formed). */
static size_t character(const struct toml_parser *p)
{
    int c = toml_peek(p, 0);
    size_t n = c < 0 ? 0 : c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return MIN_OF(n, p->text.n - p->at);
}

struct toml_span toml_here(const struct toml_parser *p)
{
    struct toml_span span = toml_mark(p);
    span.length = character(p);
    return span;
}

const char *toml_found(const struct toml_parser *p)
{
    switch (toml_peek(p, 0)) {
    case -1:
        return "the end of the text";
    case '\r':
    case '\n':
        return "the end of the line";
    case '#':
        return "a comment";
    case '"':
        return "a double quote";
    case '\'':
        return "a single quote";
    case '\t':
        return "a tab";
    case ' ':
        return "a space";
    default: {
        char quoted[8];
        (void)snprintf(quoted, sizeof(quoted), "'%.*s'", (int)character(p), p->text.p + p->at);
        return show(quoted);
    }
    }
}

/* ---- the whole text ---- */

/* Length of the well-formed sequence at S (N bytes left, the first is not ASCII), or 0. */
static size_t utf8_sequence(const unsigned char *s, size_t n)
{
    unsigned low = 0x80,
             high = 0xbf; /* of the second byte: no overlong form, surrogate, > 10FFFF */
    size_t len;
    if (s[0] >= 0xc2 && s[0] <= 0xdf) {
        len = 2;
    } else if ((s[0] & 0xf0) == 0xe0) {
        len = 3;
        low = s[0] == 0xe0 ? 0xa0 : low;
        high = s[0] == 0xed ? 0x9f : high;
    } else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
        len = 4;
        low = s[0] == 0xf0 ? 0x90 : low;
        high = s[0] == 0xf4 ? 0x8f : high;
    } else {
        return 0;
    }
    if (len > n || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

/* Are all eight bytes printable ASCII? Both tests look at each byte alone: with the top bits clear
 * neither the sum nor the exclusive or carries into the next byte. */
static bool plain8(const unsigned char *s)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    uint64_t w;
    memcpy(&w, s, sizeof(w));
    if (w & tops)
        return false;
    uint64_t from_space = w + ones * (0x80 - 0x20);     /* top bit set: byte >= 0x20 */
    uint64_t not_del = (w ^ ones * 0x7f) + ones * 0x7f; /* top bit set: byte != 0x7f */
    return (from_space & not_del & tops) == tops;
}

static int fail_byte(struct toml_parser *p, size_t at)
{
    unsigned char c = (unsigned char)p->text.p[at];
    struct toml_span span = {1, 1, at, 1};
    size_t start = starts_with_bom(p->text) && at >= 3 ? 3 : 0;
    for (size_t i = start; i < at; i++) {
        if (p->text.p[i] == '\n') {
            span.line++;
            start = i + 1;
        }
    }
    span.column = (uint32_t)(at - start) + 1;
    if (c == '\r')
        return toml_fail(p, span,
                         "carriage return without a newline behind it; lines end with LF or CRLF");
    if (c >= 0x80)
        return toml_fail(p, span, "byte \\x%02x is not UTF-8; a TOML file is UTF-8 text", c);
    return toml_fail(p, span, "control character \\x%02x; write it as \"\\u%04x\" in a string", c,
                     c);
}

int toml_check_text(struct toml_parser *p)
{
    const unsigned char *s = (const unsigned char *)p->text.p;
    const struct toml_span start = {1, 1, 0, 0};
    size_t n = p->text.n;
    if (n > MAX_FILE_BYTES)
        return toml_fail_code(p, -EFBIG, start, "%zu bytes of TOML; at most %u are read", n,
                              MAX_FILE_BYTES);
    for (size_t i = 0; i < n;) {
        if (n - i >= 8 && plain8(s + i)) {
            i += 8;
        } else if (s[i] >= 0x80) {
            size_t len = utf8_sequence(s + i, n - i);
            if (!len)
                return fail_byte(p, i);
            i += len;
        } else if (s[i] == '\r') {
            if (i + 1 == n || s[i + 1] != '\n')
                return fail_byte(p, i);
            i += 2;
        } else if ((s[i] < 0x20 && s[i] != '\t' && s[i] != '\n') || s[i] == 0x7f) {
            return fail_byte(p, i);
        } else {
            i++;
        }
    }
    return 0;
}

/* ---- blanks and lines ---- */

void toml_skip_blanks(struct toml_parser *p)
{
    while (toml_peek(p, 0) == ' ' || toml_peek(p, 0) == '\t')
        p->at++;
}

void toml_skip_comment(struct toml_parser *p)
{
    if (toml_peek(p, 0) != '#')
        return;
    const char *from = p->text.p + p->at, *end = memchr(from, '\n', p->text.n - p->at);
    p->at = end ? (size_t)(end - p->text.p) : p->text.n;
}

bool toml_newline(struct toml_parser *p)
{
    size_t n = toml_peek(p, 0) == '\r' ? 1 : 0;
    if (toml_peek(p, n) != '\n')
        return false;
    p->at += n + 1;
    p->line++;
    p->line_start = p->at;
    return true;
}

void toml_skip_lines(struct toml_parser *p)
{
    do {
        toml_skip_blanks(p);
        toml_skip_comment(p);
    } while (toml_newline(p));
}

/* ---- strings ---- */

/* Appends code point C to OUT as UTF-8. */
static char *put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xc0 | c >> 6);
        *out++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *out++ = (char)(0xe0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    } else {
        *out++ = (char)(0xf0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 0x3f));
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    }
    return out;
}

static int hex_value(int c)
{
    if (toml_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static const struct {
    char name;
    char byte; /* what it stands for, or 0: DIGITS hexadecimal digits follow */
    char digits;
    bool in_1_1; /* only there */
} escapes[] = {
    {'b', '\b', 0, false}, {'t', '\t', 0, false},  {'n', '\n', 0, false},  {'f', '\f', 0, false},
    {'r', '\r', 0, false}, {'"', '"', 0, false},   {'\\', '\\', 0, false}, {'u', 0, 4, false},
    {'U', 0, 8, false},    {'e', '\x1b', 0, true}, {'x', 0, 2, true},
};

/* The escape at the next byte, a backslash, decoded to *out; END is where the string ends. No
 * escape decodes to more bytes than it is written with. */
static int read_escape(struct toml_parser *p, size_t end, char **out)
{
    struct toml_span span = toml_mark(p);
    p->at++;
    int c = toml_peek(p, 0);
    size_t i = 0;
    while (i < ARRAY_LEN(escapes) && (c != escapes[i].name))
        i++;
    if (i == ARRAY_LEN(escapes) || (escapes[i].in_1_1 && p->version == TOML_1_0)) {
        size_t len = character(p);
        span.length = 1 + len;
        if (i < ARRAY_LEN(escapes))
            return toml_fail(p, span, "escape \\%c is TOML 1.1; in 1.0 write \\u00%s", c,
                             c == 'e' ? "1b" : "HH");
        return toml_fail(p, span,
                         "unknown escape %s; a backslash itself is written \\\\, or use "
                         "'single quotes'",
                         toml_show(toml_slice(p, p->at - 1, p->at + len)));
    }
    p->at++;
    if (escapes[i].byte) {
        *(*out)++ = escapes[i].byte;
        return 0;
    }
    uint32_t value = 0;
    for (int k = 0; k < escapes[i].digits; k++) {
        int h = p->at < end ? hex_value(toml_peek(p, 0)) : -1;
        if (h < 0) {
            toml_close(p, &span);
            return toml_fail(p, span, "escape \\%c needs %d hexadecimal digits, %d found", c,
                             escapes[i].digits, k);
        }
        value = value << 4 | (uint32_t)h;
        p->at++;
    }
    toml_close(p, &span);
    if (value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return toml_fail(p, span,
                         "escape %s is not a Unicode character (0 to D7FF, E000 to 10FFFF)",
                         toml_show(toml_slice(p, span.offset, p->at)));
    *out = put_utf8(*out, value);
    return 0;
}

/* A backslash at the end of a line: skipped with all blanks and newlines behind it. False, and
 * nothing is skipped, when the next byte begins another escape. */
static bool skip_line_end(struct toml_parser *p)
{
    size_t n = 1;
    while (toml_peek(p, n) == ' ' || toml_peek(p, n) == '\t')
        n++;
    if (toml_peek(p, n) != '\n' && toml_peek(p, n) != '\r')
        return false;
    p->at += n;
    do
        toml_skip_blanks(p);
    while (toml_newline(p));
    return true;
}

/* Decodes from the next byte up to END into the arena. CRLF becomes LF: a file means the same
 * whichever line ends it was saved with. */
static int decode(struct toml_parser *p, size_t end, bool basic, bool multi, struct bytes *ret)
{
    char *text = arena_alloc(p->arena, end - p->at + 1), *out = text;
    if (!text)
        return toml_no_memory(p);
    while (p->at < end) {
        const char *s = p->text.p + p->at;
        size_t left = end - p->at, n = 0;
        while (n < left && s[n] != '\\' && s[n] != '\r' && s[n] != '\n')
            n++;
        if (n)
            memcpy(out, s, n);
        out += n;
        p->at += n;
        if (n == left)
            break;
        if (toml_newline(p)) {
            *out++ = '\n';
        } else if (!basic) {
            *out++ = '\\';
            p->at++;
        } else if (!multi || !skip_line_end(p)) {
            int r = read_escape(p, end, &out);
            if (r < 0)
                return r;
        }
    }
    *out = '\0';
    *ret = (struct bytes){text, (size_t)(out - text)};
    return 0;
}

/* Where the string that is opened by OPEN and begins at the next byte ends; *ret_plain: nothing in
 * it needs decoding. */
static int find_end(struct toml_parser *p, struct toml_span open, char quote, bool multi,
                    size_t *ret, bool *ret_plain)
{
    size_t i = p->at, n = p->text.n;
    const char *s = p->text.p;
    *ret_plain = !multi;
    for (; i < n; i++) {
        if (s[i] == quote) {
            size_t run = 1;
            while (multi && run < 6 && i + run < n && s[i + run] == quote)
                run++;
            if (!multi || run >= 3) {
                /* One or two quotes may stand right before the three that close. */
                *ret = multi ? i + MIN_OF(run, (size_t)5) - 3 : i;
                return 0;
            }
            i += run - 1;
        } else if (s[i] == '\n' && !multi) {
            break;
        } else if (s[i] == '\\' && quote == '"') {
            *ret_plain = false;
            if (i + 1 < n && s[i + 1] != '\n' && s[i + 1] != '\r')
                i++;
        }
    }
    if (multi)
        return toml_fail(p, open, "this multi-line string is never closed; it ends with %s",
                         quote == '"' ? "\"\"\"" : "'''");
    size_t end = MIN_OF(i, n);
    open.length = end - open.offset - (end > open.offset + 1 && s[end - 1] == '\r' ? 1 : 0);
    return toml_fail(p, open, "this string is not closed on its line; it ends with %c", quote);
}

/* A string of one line. When nothing has to be decoded and COPY is false: a view into the text. */
static int read_single(struct toml_parser *p, bool copy, struct bytes *ret)
{
    struct toml_span open = toml_here(p);
    char quote = (char)toml_peek(p, 0);
    size_t end;
    bool plain;
    p->at++;
    int r = find_end(p, open, quote, false, &end, &plain);
    if (r < 0)
        return r;
    if (plain && !copy) {
        *ret = toml_slice(p, p->at, end);
        p->at = end;
    } else {
        r = decode(p, end, quote == '"', false, ret);
        if (r < 0)
            return r;
    }
    p->at++;
    return 0;
}

int toml_read_string(struct toml_parser *p, struct bytes *ret)
{
    struct toml_span open = toml_here(p);
    char quote = (char)toml_peek(p, 0);
    if (toml_peek(p, 1) != quote || toml_peek(p, 2) != quote)
        return read_single(p, true, ret);
    size_t end;
    bool plain;
    open.length = 3;
    p->at += 3;
    (void)toml_newline(p);
    int r = find_end(p, open, quote, true, &end, &plain);
    if (r < 0)
        return r;
    r = decode(p, end, quote == '"', true, ret);
    if (r < 0)
        return r;
    p->at += 3;
    if (toml_peek(p, 0) == quote)
        return toml_fail(p, toml_here(p),
                         "more than two quotes in a row inside a multi-line string; %s",
                         quote == '"' ? "write the others as \\\"" : "use \"\"\" for this text");
    return 0;
}

/* ---- keys ---- */

static bool bare_key_byte(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || toml_digit(c) || c == '_' ||
           c == '-';
}

static int read_part(struct toml_parser *p, struct toml_part *part)
{
    int c = toml_peek(p, 0), r = 0;
    part->span = toml_mark(p);
    if (c == '"' || c == '\'') {
        if (toml_peek(p, 1) == c && toml_peek(p, 2) == c) {
            part->span.length = 3;
            return toml_fail(p, part->span, "a multi-line string cannot be a key; use one quote");
        }
        r = read_single(p, false, &part->key);
    } else {
        while (bare_key_byte(toml_peek(p, 0)))
            p->at++;
        part->key = toml_slice(p, part->span.offset, p->at);
        if (part->key.n == 0)
            return toml_fail(p, toml_here(p),
                             "expected a key, found %s; a key is made of letters, digits, _ and -, "
                             "or stands in quotes",
                             toml_found(p));
    }
    toml_close(p, &part->span);
    return r;
}

int toml_read_key(struct toml_parser *p)
{
    p->n_parts = 0;
    for (;;) {
        if (p->n_parts == TOML_MAX_PARTS)
            return toml_fail_code(p, -E2BIG, toml_here(p), "a key of more than %u parts",
                                  TOML_MAX_PARTS);
        int r = read_part(p, &p->parts[p->n_parts]);
        if (r < 0)
            return r;
        p->n_parts++;
        toml_skip_blanks(p);
        if (toml_peek(p, 0) != '.')
            return 0;
        p->at++;
        toml_skip_blanks(p);
    }
}

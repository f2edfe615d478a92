/*
 * Messages. See print.h.
 *
 * A message is put together whole and written with one write(2): lines of two bawns that share a
 * terminal do not mix. Nothing in it can forge a second line: what is not printable is shown as
 * \xHH.
 */
#include "cli/print.h"

#include "base/fd.h"
#include "base/json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool as_json, silent;

void print_json(bool on)
{
    as_json = on;
}

void print_quiet(bool on)
{
    silent = on;
}

/* ---- the marker under the source line ---- */

#define EXCERPT_COLUMNS 96 /* shown of a long line */
#define EXCERPT_BEFORE  40 /* of them at most this many before what is meant */

/* One character of an excerpt: what stands there, how many bytes of the file it was, and how wide
 * it is on a terminal. */
struct glyph {
    size_t shown; /* bytes in the excerpt */
    unsigned source, width;
    bool tab;
};

static unsigned hex_value(char c)
{
    return c >= '0' && c <= '9'   ? (unsigned)(c - '0')
           : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                                  : 16;
}

/* Columns of a code point: enough of East Asian width for a marker to stand where it should. */
static unsigned columns_of(uint32_t c)
{
    static const struct {
        uint32_t first, last;
        unsigned width;
    } ranges[] = {
        {0x0300, 0x036f, 0}, {0x1100, 0x115f, 2},   {0x2e80, 0xa4cf, 2},   {0xac00, 0xd7a3, 2},
        {0xf900, 0xfaff, 2}, {0xfe00, 0xfe0f, 0},   {0xfe30, 0xfe6f, 2},   {0xff00, 0xff60, 2},
        {0xffe0, 0xffe6, 2}, {0x1f300, 0x1faff, 2}, {0x20000, 0x3fffd, 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return ranges[i].width;
    return 1;
}

static struct glyph glyph_at(const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    /* printable() writes a byte that cannot be shown as \xHH; such a byte was one in the file. */
    if (p[0] == '\\' && p[1] == 'x' && hex_value(s[2]) < 16 && hex_value(s[3]) < 16) {
        unsigned byte = hex_value(s[2]) << 4 | hex_value(s[3]);
        if (byte == '\t')
            return (struct glyph){4, 1, 4, true};
        if (byte < 0x20 || byte >= 0x7f)
            return (struct glyph){4, 1, 4, false};
    }
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return (struct glyph){i, (unsigned)i, 1, false};
        c = c << 6 | (p[i] & 0x3fu);
    }
    return (struct glyph){n, (unsigned)n, columns_of(c), false};
}

/* Where the marked words begin and how wide they are, in columns of the excerpt. */
struct mark {
    unsigned at, width;
    bool shown;
};

static struct mark find_mark(const struct error *err)
{
    struct mark m = {0};
    unsigned byte = 1, column = 0, end = err->column + (err->length ? err->length : 1);
    for (const char *s = err->excerpt; *s;) {
        struct glyph g = glyph_at(s);
        if (byte == err->column || (byte < err->column && byte + g.source > err->column)) {
            m.at = column;
            m.shown = true;
        }
        if (byte >= err->column && byte < end)
            m.width += g.width;
        byte += g.source;
        column += g.width;
        s += g.shown;
    }
    if (!m.shown && byte == err->column) { /* just behind the end of the line */
        m.at = column;
        m.shown = true;
    }
    return m;
}

/* Text is made printable once more: a second pass changes nothing that had the first. */
static void put_line(struct strbuf *out, const char *prefix, const char *text)
{
    strbuf_puts(out, prefix);
    strbuf_put_printable(out, text, strlen(text));
    strbuf_putc(out, '\n');
}

/* "   12 | text" and below it "      |      ^~~~ note". */
static void put_excerpt(const struct error *err, struct strbuf *out)
{
    struct mark m = find_mark(err);
    unsigned skip = m.shown && m.at > EXCERPT_BEFORE * 2 ? m.at - EXCERPT_BEFORE : 0;
    unsigned column = 0, lead = 0;
    bool cut = false;
    strbuf_printf(out, "%5u | ", err->line);
    if (skip) {
        strbuf_puts(out, "\xe2\x80\xa6");
        lead = 1;
    }
    for (const char *s = err->excerpt; *s;) {
        struct glyph g = glyph_at(s);
        if (column >= skip + EXCERPT_COLUMNS) {
            cut = true;
            break;
        }
        if (column >= skip)
            strbuf_put(out, g.tab ? "    " : s, g.shown);
        else if (column + g.width > skip)
            lead += column + g.width - skip; /* a wide one across the edge */
        column += g.width;
        s += g.shown;
    }
    strbuf_puts(out, cut ? "\xe2\x80\xa6\n" : "\n");
    if (!m.shown && !err->note[0])
        return;
    strbuf_puts(out, "      | ");
    if (m.shown) {
        for (unsigned i = 0; i < m.at - skip + lead; i++)
            strbuf_putc(out, ' ');
        strbuf_putc(out, '^');
        unsigned room = EXCERPT_COLUMNS - MIN_OF(m.at - skip, EXCERPT_COLUMNS - 1u);
        for (unsigned i = 1; i < MIN_OF(m.width, room); i++)
            strbuf_putc(out, '~');
        if (err->note[0])
            strbuf_putc(out, ' ');
    }
    put_line(out, "", err->note);
}

void print_error_text(const struct error *err, struct strbuf *out)
{
    strbuf_puts(out, "bawn: ");
    if (err->file[0]) {
        strbuf_put_printable(out, err->file, strlen(err->file));
        if (err->line)
            strbuf_printf(out, ":%u", err->line);
        if (err->line && err->column)
            strbuf_printf(out, ":%u", err->column);
        strbuf_puts(out, ": ");
    }
    /* An error without words is a bug, and still no reason to print an empty line. */
    put_line(out, "", err->message[0] ? err->message : strerror(err->code < 0 ? -err->code : EIO));
    if (err->line && err->excerpt[0])
        put_excerpt(err, out);
    else if (err->note[0])
        put_line(out, "bawn: hint: ", err->note);
    if (err->hint[0])
        put_line(out, "bawn: hint: ", err->hint);
}

void print_error_json(const struct error *err, const char *kind, struct strbuf *out)
{
    struct json j;
    json_begin(&j, out);
    json_object(&j);
    json_kv_string(&j, "error", kind);
    json_kv_string(&j, "message", err->message);
    json_kv_string(&j, "file", err->file[0] ? err->file : NULL);
    json_key(&j, "line");
    err->line ? json_uint(&j, err->line) : json_null(&j);
    json_key(&j, "column");
    err->column ? json_uint(&j, err->column) : json_null(&j);
    /* A suggestion is a hint to a program as well: it has no marker line to stand behind. */
    json_kv_string(&j, "hint", err->hint[0] ? err->hint : err->note[0] ? err->note : NULL);
    json_end_object(&j);
    strbuf_putc(out, '\n');
}

/* ---- out ---- */

static void say(const struct error *err, const char *kind)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    if (as_json)
        print_error_json(err, kind, &out);
    else
        print_error_text(err, &out);
    static const char no_memory[] = "bawn: out of memory\n";
    if (strbuf_failed(&out))
        (void)fd_write_all(STDERR_FILENO, no_memory, sizeof(no_memory) - 1);
    else
        (void)fd_write_all(STDERR_FILENO, out.p, out.n);
}

static const char *kind_of(int status)
{
    switch (status) {
    case EXIT_USAGE:
        return "usage";
    case EXIT_REFUSED:
        return "refused";
    case EXIT_SETUP:
        return "sandbox";
    default:
        return "configuration";
    }
}

int cli_error(const struct error *err, int status)
{
    say(err, kind_of(status));
    return status;
}

int cli_failure(int status, const char *fmt, ...)
{
    struct error err = {.code = -EINVAL};
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(err.message, sizeof(err.message), fmt, ap);
    va_end(ap);
    say(&err, kind_of(status));
    return status;
}

static void say_line(const char *text, const char *kind, const char *prefix)
{
    struct error err = {0};
    (void)snprintf(err.message, sizeof(err.message), "%s%s", as_json ? "" : prefix, text);
    say(&err, kind);
}

void print_warning_text(const char *text)
{
    if (!silent)
        say_line(text, "warning", "warning: ");
}

void print_warning(const char *fmt, ...)
{
    char text[ERROR_MESSAGE_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    print_warning_text(text);
}

void print_note(const char *fmt, ...)
{
    char text[ERROR_MESSAGE_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    say_line(text, "note", "");
}

void print_warnings(const char *const *lines, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool again = false;
        for (size_t k = 0; k < i && !again; k++)
            again = str_eq(lines[i], lines[k]);
        if (!again)
            print_warning_text(lines[i]);
    }
}

int print_out(const struct strbuf *out)
{
    if (strbuf_failed(out))
        return cli_failure(EXIT_BROKEN, "out of memory");
    int r = fd_write_all(STDOUT_FILENO, strbuf_text(out), out->n);
    if (r < 0)
        return cli_failure(EXIT_BROKEN, "cannot write the output: %s", strerror(-r));
    return 0;
}

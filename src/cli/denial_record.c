/*
 * Reading one line of denials.jsonl. See denial_record.h.
 *
 * A small JSON reader (RFC 8259) of its own: the rest of bawn only writes JSON. It walks the text
 * once through a bounded view, nests at most MAX_JSON_DEPTH deep, and keeps the few members it
 * knows; everything else is checked for form and skipped. Members of "process" are found by their
 * path.
 */
#include "cli/denial_record.h"

#include "base/limits.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct reader {
    const char *p, *end;
    struct arena *arena;
    struct denial_record *denial;
};

static const struct {
    const char *name; /* dotted */
    size_t offset;
} members[] = {
#define MEMBER(name)                                                                               \
    {                                                                                              \
#name, offsetof(struct denial_record, name)                                                \
    }
    MEMBER(event),
    MEMBER(time),
    MEMBER(kind),
    MEMBER(path),
    MEMBER(host),
    MEMBER(syscall),
    MEMBER(limit),
    MEMBER(access),
    MEMBER(rule),
    MEMBER(hint),
    MEMBER(count),
    {"process.pid", offsetof(struct denial_record, pid)},
    {"process.exe", offsetof(struct denial_record, exe)},
#undef MEMBER
};

static void space(struct reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\r' || *r->p == '\n'))
        r->p++;
}

static bool take(struct reader *r, char c)
{
    space(r);
    if (r->p == r->end || *r->p != c)
        return false;
    r->p++;
    return true;
}

static bool word(struct reader *r, const char *w)
{
    size_t n = strlen(w);
    if ((size_t)(r->end - r->p) < n || memcmp(r->p, w, n) != 0)
        return false;
    r->p += n;
    return true;
}

static bool four_hex(struct reader *r, uint32_t *ret)
{
    uint32_t v = 0;
    if (r->end - r->p < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char c = *r->p++;
        if (c >= '0' && c <= '9')
            v = v << 4 | (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            v = v << 4 | (uint32_t)(c - 'a' + 10);
        else if (c >= 'A' && c <= 'F')
            v = v << 4 | (uint32_t)(c - 'A' + 10);
        else
            return false;
    }
    *ret = v;
    return true;
}

static void put_utf8(struct strbuf *out, uint32_t c)
{
    if (c < 0x80) {
        strbuf_putc(out, (char)c);
    } else if (c < 0x800) {
        strbuf_putc(out, (char)(0xc0 | c >> 6));
        strbuf_putc(out, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        strbuf_putc(out, (char)(0xe0 | c >> 12));
        strbuf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
        strbuf_putc(out, (char)(0x80 | (c & 0x3f)));
    } else {
        strbuf_putc(out, (char)(0xf0 | c >> 18));
        strbuf_putc(out, (char)(0x80 | (c >> 12 & 0x3f)));
        strbuf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
        strbuf_putc(out, (char)(0x80 | (c & 0x3f)));
    }
}

/* Behind "\u". A lone \udc80…\udcff is the raw byte that the writer (json.h) hid in it. */
static bool unicode(struct reader *r, struct strbuf *out)
{
    uint32_t c, low;
    if (!four_hex(r, &c))
        return false;
    if (c >= 0xd800 && c <= 0xdbff) {
        if (!word(r, "\\u") || !four_hex(r, &low) || low < 0xdc00 || low > 0xdfff)
            return false;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    } else if (c >= 0xdc80 && c <= 0xdcff) {
        strbuf_putc(out, (char)(c & 0xff));
        return true;
    } else if (c >= 0xdc00 && c <= 0xdfff) {
        return false;
    }
    put_utf8(out, c);
    return true;
}

static bool escape(struct reader *r, struct strbuf *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (r->p == r->end)
        return false;
    char c = *r->p++;
    if (c == 'u')
        return unicode(r, out);
    const char *at = c ? strchr(from, c) : NULL;
    if (!at)
        return false;
    strbuf_putc(out, to[at - from]);
    return true;
}

/* The rest of a character whose first byte C was taken: well-formed UTF-8 or nothing. */
static bool multibyte(struct reader *r, unsigned char c, struct strbuf *out)
{
    static const struct {
        unsigned char first, last, low, high; /* of the second byte */
        unsigned more;
    } forms[] = {
        {0xc2, 0xdf, 0x80, 0xbf, 1}, {0xe0, 0xe0, 0xa0, 0xbf, 2}, {0xe1, 0xec, 0x80, 0xbf, 2},
        {0xed, 0xed, 0x80, 0x9f, 2}, {0xee, 0xef, 0x80, 0xbf, 2}, {0xf0, 0xf0, 0x90, 0xbf, 3},
        {0xf1, 0xf3, 0x80, 0xbf, 3}, {0xf4, 0xf4, 0x80, 0x8f, 3},
    };
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        if (c < forms[i].first || c > forms[i].last)
            continue;
        if ((size_t)(r->end - r->p) < forms[i].more || (unsigned char)r->p[0] < forms[i].low ||
            (unsigned char)r->p[0] > forms[i].high)
            return false;
        for (unsigned k = 1; k < forms[i].more; k++)
            if (((unsigned char)r->p[k] & 0xc0) != 0x80)
                return false;
        strbuf_put(out, r->p - 1, forms[i].more + 1);
        r->p += forms[i].more;
        return true;
    }
    return false;
}

static bool string(struct reader *r, struct strbuf *out)
{
    if (!take(r, '"'))
        return false;
    while (r->p < r->end) {
        char c = *r->p++;
        if (c == '"')
            return !strbuf_failed(out);
        if ((unsigned char)c < 0x20)
            return false;
        if (c == '\\' ? !escape(r, out) : (c & 0x80) && !multibyte(r, (unsigned char)c, out))
            return false;
        if (c != '\\' && !(c & 0x80))
            strbuf_putc(out, c);
    }
    return false;
}

static bool digits(struct reader *r)
{
    const char *start = r->p;
    while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
        r->p++;
    return r->p > start;
}

static bool number(struct reader *r)
{
    if (r->p < r->end && *r->p == '-')
        r->p++;
    const char *start = r->p;
    if (!digits(r) || (*start == '0' && r->p - start > 1))
        return false;
    if (r->p < r->end && *r->p == '.') {
        r->p++;
        if (!digits(r))
            return false;
    }
    if (r->p < r->end && (*r->p == 'e' || *r->p == 'E')) {
        r->p++;
        if (r->p < r->end && (*r->p == '+' || *r->p == '-'))
            r->p++;
        return digits(r);
    }
    return true;
}

static void keep(struct reader *r, const char *path, const char *text, size_t n)
{
    /* A NUL inside would cut the text short for whoever prints it; no path holds one. */
    if (memchr(text, '\0', n))
        return;
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        if (!str_eq(members[i].name, path))
            continue;
        const char **slot = (const char **)(void *)((char *)r->denial + members[i].offset);
        *slot = arena_strndup(r->arena, text, n);
    }
}

static bool value(struct reader *r, const char *path, unsigned depth);

static bool object(struct reader *r, const char *path, unsigned depth)
{
    if (take(r, '}'))
        return true;
    do {
        _cleanup_strbuf_ struct strbuf key = {0};
        char below[64];
        space(r);
        if (!string(r, &key) || !take(r, ':'))
            return false;
        int n = snprintf(below, sizeof(below), "%s%s%s", path, *path ? "." : "", strbuf_text(&key));
        bool fits = n > 0 && (size_t)n < sizeof(below) && strlen(strbuf_text(&key)) == key.n;
        /* "?" is nobody's name: the value is only checked for form. */
        if (!value(r, fits ? below : "?", depth + 1))
            return false;
    } while (take(r, ','));
    return take(r, '}');
}

static bool array(struct reader *r, unsigned depth)
{
    if (take(r, ']'))
        return true;
    do {
        if (!value(r, "?", depth + 1))
            return false;
    } while (take(r, ','));
    return take(r, ']');
}

static bool value(struct reader *r, const char *path, unsigned depth)
{
    space(r);
    if (r->p == r->end || depth > MAX_JSON_DEPTH)
        return false;
    const char *start = r->p;
    switch (*r->p) {
    case '{':
        r->p++;
        return object(r, path, depth);
    case '[':
        r->p++;
        return array(r, depth);
    case '"': {
        _cleanup_strbuf_ struct strbuf text = {0};
        if (!string(r, &text))
            return false;
        keep(r, path, strbuf_text(&text), text.n);
        return true;
    }
    case 't':
        return word(r, "true");
    case 'f':
        return word(r, "false");
    case 'n':
        return word(r, "null");
    default:
        if (!number(r))
            return false;
        keep(r, path, start, (size_t)(r->p - start));
        return true;
    }
}

bool denial_record_parse(struct arena *a, struct bytes line, struct denial_record *ret)
{
    struct denial_record d = {0};
    struct reader r = {.p = line.p, .end = line.p + line.n, .arena = a, .denial = &d};
    space(&r);
    if (r.p == r.end || *r.p != '{' || !value(&r, "", 0))
        return false;
    space(&r);
    if (r.p != r.end)
        return false;
    *ret = d;
    return true;
}

static void put(struct strbuf *out, const char *before, const char *text, const char *after)
{
    if (!text || !*text)
        return;
    strbuf_puts(out, before);
    strbuf_put_printable(out, text, strlen(text));
    strbuf_puts(out, after);
}

/* "write" of a file, "connect to" of an address: as the summary after the run says it. */
static const char *verb(const struct denial_record *d)
{
    if (d->path)
        return d->access && str_eq(d->access, "write") ? "write " : "read ";
    if (d->host)
        return "connect to ";
    return d->syscall ? "call " : d->limit ? "limit " : "";
}

void denial_record_print(const struct denial_record *d, struct strbuf *out)
{
    const char *what = d->path      ? d->path
                       : d->host    ? d->host
                       : d->syscall ? d->syscall
                       : d->limit   ? d->limit
                                    : d->kind;
    put(out, "", d->time, "  ");
    put(out, verb(d), what ? what : "?", "");
    if (d->count && !str_eq(d->count, "1"))
        put(out, " (", d->count, " times)");
    if (d->exe && *d->exe) {
        put(out, " by ", d->exe, "");
        put(out, "[", d->pid, "]");
    }
    strbuf_putc(out, '\n');
    put(out, "    refused by ", d->rule, "\n");
    put(out, "    allowed by ", d->hint, "\n");
}

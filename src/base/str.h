/*
 * Bounded strings. `struct bytes` is a view (pointer and length, not terminated) of memory somebody
 * else owns: the only way bytes from outside are read. `struct strbuf` grows up to the maximum it
 * was made with and is always terminated.
 */
#ifndef BAWN_BASE_STR_H
#define BAWN_BASE_STR_H

#include "base/macros.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const char *p;
    size_t n;
};

#define BYTES(lit) ((struct bytes){(lit), sizeof(lit) - 1})

static inline struct bytes bytes_of(const char *s)
{
    return (struct bytes){s, s ? strlen(s) : 0};
}
static inline bool bytes_eq(struct bytes a, struct bytes b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool bytes_is(struct bytes a, const char *s)
{
    return bytes_eq(a, bytes_of(s));
}
/* The line that TEXT begins with, without its end; TEXT goes behind it. False at the end. */
static inline bool bytes_next_line(struct bytes *text, struct bytes *ret)
{
    if (text->n == 0)
        return false;
    const char *nl = memchr(text->p, '\n', text->n);
    size_t n = nl ? (size_t)(nl - text->p) : text->n;
    *ret = (struct bytes){text->p, n};
    text->p += n + (nl != NULL);
    text->n -= n + (nl != NULL);
    return true;
}
static inline bool str_eq(const char *a, const char *b)
{
    assert(a && b);
    return strcmp(a, b) == 0;
}
static inline bool str_starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

struct strbuf {
    char *p;       /* never NULL after the first success; terminated */
    size_t n, cap; /* bytes used without the terminator; bytes held */
    size_t max;    /* 0 = MAX_STRBUF_BYTES */
    bool failed;   /* an append did not fit or memory ran out: sticky, checked once at the end */
};

/* A zeroed strbuf is ready. Appends after a failure do nothing; check strbuf_failed() once. */
void strbuf_put(struct strbuf *b, const void *s, size_t n);
void strbuf_puts(struct strbuf *b, const char *s);
void strbuf_putc(struct strbuf *b, char c);
void strbuf_printf(struct strbuf *b, const char *fmt, ...) _printf_(2, 3);
/* As printable() of error.h. */
void strbuf_put_printable(struct strbuf *b, const void *s, size_t n);
bool strbuf_failed(const struct strbuf *b);
/* The terminated text, "" when empty. */
const char *strbuf_text(const struct strbuf *b);
void strbuf_clear(struct strbuf *b);
/* Back to the first N bytes, as if nothing had been tried since. */
void strbuf_cut(struct strbuf *b, size_t n);
void strbuf_release(struct strbuf *b);
#define _cleanup_strbuf_ _cleanup_(strbuf_release)

#endif

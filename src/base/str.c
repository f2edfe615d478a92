/* Growing strings. See str.h. A failure is sticky so that a writer checks once, at its end. */
#include "base/str.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

static bool reserve(struct strbuf *b, size_t more)
{
    size_t max = b->max ? b->max : MAX_STRBUF_BYTES, want;
    if (b->failed || __builtin_add_overflow(b->n, more, &want) || want > max ||
        want > SIZE_MAX / 4) {
        b->failed = true;
        return false;
    }
    if (want + 1 <= b->cap)
        return true;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < want + 1)
        cap *= 2;
    char *p = mem_resize(b->p, cap, 1);
    if (!p) {
        b->failed = true;
        return false;
    }
    b->p = p;
    b->cap = cap;
    return true;
}

void strbuf_put(struct strbuf *b, const void *s, size_t n)
{
    if (!reserve(b, n))
        return;
    if (n)
        memcpy(b->p + b->n, s, n);
    b->n += n;
    b->p[b->n] = '\0';
}

void strbuf_puts(struct strbuf *b, const char *s)
{
    strbuf_put(b, s, strlen(s));
}

void strbuf_putc(struct strbuf *b, char c)
{
    strbuf_put(b, &c, 1);
}

void strbuf_printf(struct strbuf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) {
        b->failed = true;
    } else if (reserve(b, (size_t)n)) {
        (void)vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
}

void strbuf_put_printable(struct strbuf *b, const void *s, size_t n)
{
    const char *p = s;
    for (size_t i = 0; i < n;) {
        char out[512];
        /* Cut only at an ASCII byte or after it, so that no sequence is split. */
        size_t step = MIN_OF(n - i, (size_t)100);
        while (i + step < n && step > 1 && ((unsigned char)p[i + step] & 0xc0) == 0x80)
            step--;
        strbuf_puts(b, printable(out, sizeof(out), p + i, step));
        i += step;
    }
}

bool strbuf_failed(const struct strbuf *b)
{
    return b->failed;
}

const char *strbuf_text(const struct strbuf *b)
{
    return b->p ? b->p : "";
}

void strbuf_clear(struct strbuf *b)
{
    strbuf_cut(b, 0);
}

void strbuf_cut(struct strbuf *b, size_t n)
{
    assert(n <= b->n);
    b->n = n;
    b->failed = false;
    if (b->p)
        b->p[n] = '\0';
}

void strbuf_release(struct strbuf *b)
{
    mem_free(b->p);
    *b = (struct strbuf){.max = b->max};
}

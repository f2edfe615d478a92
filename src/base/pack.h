/*
 * Numbers and texts as bytes between two processes of the same build: for settings that travel in a
 * memfd. Numbers are in the machine's order; a text is its length, its bytes and a NUL, so that a
 * reader can point into what it was given.
 *
 * A reader never moves past the end, and after the first fault all it yields is zero and NULL: the
 * fault is looked at once, at the end.
 */
#ifndef BAWN_BASE_PACK_H
#define BAWN_BASE_PACK_H

#include "base/str.h"

#define PACK_TEXT_MAX 65536u
#define PACK_NO_TEXT  UINT32_MAX

struct unpack {
    struct bytes left;
    bool bad;
};

/* N bytes; zeros after a fault. */
static inline void unpack(struct unpack *u, void *ret, size_t n)
{
    if (u->bad || n > u->left.n) {
        u->bad = true;
        memset(ret, 0, n);
        return;
    }
    if (n)
        memcpy(ret, u->left.p, n);
    u->left.p += n;
    u->left.n -= n;
}

#define DEFINE_NUMBER(bits)                                                                        \
    static inline void pack_u##bits(struct strbuf *out, uint##bits##_t v)                          \
    {                                                                                              \
        strbuf_put(out, &v, sizeof(v));                                                            \
    }                                                                                              \
    static inline uint##bits##_t unpack_u##bits(struct unpack *u)                                  \
    {                                                                                              \
        uint##bits##_t v;                                                                          \
        unpack(u, &v, sizeof(v));                                                                  \
        return v;                                                                                  \
    }
DEFINE_NUMBER(8)
DEFINE_NUMBER(16)
DEFINE_NUMBER(32)
DEFINE_NUMBER(64)
#undef DEFINE_NUMBER

static inline void pack_text(struct strbuf *out, const char *s)
{
    size_t n = s ? strlen(s) : 0;
    if (n > PACK_TEXT_MAX) {
        out->failed = true;
        return;
    }
    pack_u32(out, s ? (uint32_t)n : PACK_NO_TEXT);
    if (s)
        strbuf_put(out, s, n + 1);
}

/* At most MAX, or it is a fault. */
static inline uint32_t unpack_word(struct unpack *u, uint32_t max)
{
    uint32_t v = unpack_u32(u);
    u->bad = u->bad || v > max;
    return u->bad ? 0 : v;
}

/* How many things follow, of SIZE bytes at least each. */
static inline size_t unpack_count(struct unpack *u, size_t max, size_t size)
{
    uint32_t n = unpack_u32(u);
    u->bad = u->bad || n > max || n > u->left.n / size;
    return u->bad ? 0 : n;
}

/* May be NULL. */
static inline const char *unpack_text(struct unpack *u)
{
    uint32_t n = unpack_u32(u);
    const char *p = u->left.p;
    if (u->bad || n == PACK_NO_TEXT)
        return NULL;
    if (n > PACK_TEXT_MAX || n >= u->left.n || memchr(p, '\0', (size_t)n + 1) != p + n) {
        u->bad = true;
        return NULL;
    }
    u->left.p += n + 1;
    u->left.n -= (size_t)n + 1;
    return p;
}

static inline const char *unpack_some(struct unpack *u)
{
    const char *s = unpack_text(u);
    u->bad = u->bad || !s;
    return s;
}

#endif

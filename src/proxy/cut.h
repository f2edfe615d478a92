/*
 * Cutting pieces off the front of a view: numbers in network order, and byte strings. Each returns
 * false, and leaves everything as it is, where there is not enough.
 */
#ifndef BAWN_PROXY_CUT_H
#define BAWN_PROXY_CUT_H

#include "base/str.h"

static inline uint8_t byte_at(struct bytes b, size_t i)
{
    assert(i < b.n);
    return (uint8_t)b.p[i];
}

static inline bool cut_bytes(struct bytes *from, size_t n, struct bytes *ret)
{
    if (from->n < n)
        return false;
    *ret = (struct bytes){from->p, n};
    if (n > 0)
        *from = (struct bytes){from->p + n, from->n - n};
    return true;
}

static inline bool cut_u8(struct bytes *from, uint8_t *ret)
{
    struct bytes b;
    if (!cut_bytes(from, 1, &b))
        return false;
    *ret = byte_at(b, 0);
    return true;
}

static inline bool cut_u16(struct bytes *from, uint16_t *ret)
{
    struct bytes b;
    if (!cut_bytes(from, 2, &b))
        return false;
    *ret = (uint16_t)(byte_at(b, 0) << 8 | byte_at(b, 1));
    return true;
}

/* A string behind its length in one or two bytes. */
static inline bool cut_string8(struct bytes *from, struct bytes *ret)
{
    struct bytes rest = *from;
    uint8_t n;
    if (!cut_u8(&rest, &n) || !cut_bytes(&rest, n, ret))
        return false;
    *from = rest;
    return true;
}

static inline bool cut_string16(struct bytes *from, struct bytes *ret)
{
    struct bytes rest = *from;
    uint16_t n;
    if (!cut_u16(&rest, &n) || !cut_bytes(&rest, n, ret))
        return false;
    *from = rest;
    return true;
}

#endif

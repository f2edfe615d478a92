/* Patterns sorted so that what is narrower follows what holds it. See index.h. */
#include "network/index.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>

void netindex_release(struct netindex *x)
{
    vec_release(&x->slots);
    vec_release(&x->items);
    strbuf_release(&x->keys);
}

size_t netindex_bytes(const struct netindex *x)
{
    return x->slots.cap * sizeof(*x->slots.v) + x->items.cap * sizeof(*x->items.v) + x->keys.cap;
}

/* ---- keys ---- */

static uint64_t big_endian(const char *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < 8; i++)
        v = v << 8 | (i < n ? (unsigned char)p[i] : 0);
    return v;
}

struct netkey netkey_of_name(const char *name, size_t n, char buf[HOST_NAME_MAX_BYTES + 1])
{
    size_t end = n, out = 0;
    assert(n <= HOST_NAME_MAX_BYTES);
    for (size_t i = n; i-- > 0;) {
        if (i > 0 && name[i - 1] != '.')
            continue;
        memcpy(buf + out, name + i, end - i);
        out += end - i;
        if (i == 0)
            break;
        buf[out++] = '\0';
        end = --i; /* the dot */
    }
    return (struct netkey){.hi = big_endian(buf, out),
                           .lo = out > 8 ? big_endian(buf + 8, out - 8) : 0,
                           .rest = buf,
                           .n = (uint32_t)out};
}

struct netkey netkey_of_address(const struct address *a, unsigned bits)
{
    return (struct netkey){.hi = big_endian((const char *)a->b, 8),
                           .lo = big_endian((const char *)a->b + 8, 8),
                           .n = bits};
}

static const char *slot_key(const struct netindex *x, const struct netslot *s)
{
    return x->keys.p + s->key;
}

static int compare(uint64_t hi, uint64_t lo, const char *rest, uint32_t n, const struct netindex *x,
                   const struct netslot *s)
{
    if (hi != s->hi)
        return hi < s->hi ? -1 : 1;
    if (lo != s->lo)
        return lo < s->lo ? -1 : 1;
    if (x->names && n > 16 && s->n > 16) {
        int c = memcmp(rest + 16, slot_key(x, s) + 16, MIN_OF(n, s->n) - 16);
        if (c)
            return c;
    }
    return n < s->n ? -1 : n > s->n;
}

static bool holds(const struct netindex *x, const struct netslot *s, const struct netkey *k)
{
    if (s->n == 0)
        return true;
    if (s->n > k->n)
        return false;
    if (x->names)
        return memcmp(slot_key(x, s), k->rest, s->n) == 0 &&
               (s->n == k->n || k->rest[s->n] == '\0');
    if (s->n <= 64)
        return (s->hi ^ k->hi) >> (64 - s->n) == 0;
    return s->hi == k->hi && (s->lo ^ k->lo) >> (128 - s->n) == 0;
}

int netindex_add(struct netindex *x, const struct netkey *key, const struct netitem *item)
{
    struct netslot *slot = vec_push(&x->slots);
    struct netitem *to = slot ? vec_push(&x->items) : NULL;
    if (!to)
        return -ENOMEM;
    *to = *item;
    *slot = (struct netslot){
        .hi = key->hi, .lo = key->lo, .key = (uint32_t)x->keys.n, .n = key->n, .parent = NO_SLOT};
    if (x->names)
        strbuf_put(&x->keys, key->rest, key->n);
    return strbuf_failed(&x->keys) ? -ENOMEM : 0;
}

/* ---- order ---- */

/* Rules of one pattern together: those that say it of the same ports and protocols, and among them
 * the higher level first. */
static int compare_items(const struct netitem *a, const struct netitem *b)
{
    int c = (int)a->kind - b->kind;
    c = c ? c : (int)a->source - b->source;
    c = c ? c : (int)a->first - b->first;
    c = c ? c : (int)a->last - b->last;
    return c ? c : (int)a->protocols - b->protocols;
}

static int compare_two(const struct netindex *x, uint32_t a, uint32_t b)
{
    const struct netslot *s = &x->slots.v[a];
    int c = compare(s->hi, s->lo, x->names ? slot_key(x, s) : NULL, s->n, x, &x->slots.v[b]);
    if (c == 0)
        c = compare_items(&x->items.v[a], &x->items.v[b]);
    return c ? c : (int)x->items.v[b].rule->level - x->items.v[a].rule->level;
}

/* Merges two sorted halves of FROM into TO. */
static void merge(const struct netindex *x, const uint32_t *from, uint32_t *to, size_t middle,
                  size_t end)
{
    size_t a = 0, b = middle;
    for (size_t i = 0; i < end; i++)
        to[i] = b == end || (a < middle && compare_two(x, from[a], from[b]) <= 0) ? from[a++]
                                                                                  : from[b++];
}

/* Stable, and never slower than n log n whatever a stranger's list looks like. The result is in
 * ORDER or in OTHER: returned. */
static uint32_t *sort(const struct netindex *x, uint32_t *order, uint32_t *other, size_t n)
{
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t at = 0; at < n; at += 2 * width)
            merge(x, order + at, other + at, MIN_OF(width, n - at), MIN_OF(2 * width, n - at));
        uint32_t *swap = order;
        order = other;
        other = swap;
    }
    return order;
}

/* ---- building ---- */

static bool same_slot(const struct netindex *x, const struct netslot *a, const struct netslot *b)
{
    return compare(a->hi, a->lo, x->names ? slot_key(x, a) : NULL, a->n, x, b) == 0;
}

/* Is ITEM said already, by the last that was kept of its slot? What a higher level said of the same
 * pattern stands. On one level of a configuration two must agree; elsewhere the stricter wins, and
 * both are kept. */
static int is_said(const struct netitem *item, const struct netitem *last,
                   const struct netrule **ret_a, const struct netrule **ret_b)
{
    if (!last || compare_items(last, item) != 0)
        return 0;
    if (item->rule->level == last->rule->level && item->decision != last->decision) {
        if (item->source != NET_OF_PROFILE && item->source != NET_OF_REQUIRED)
            return 0;
        *ret_a = last->rule;
        *ret_b = item->rule;
        return -EEXIST;
    }
    return 1;
}

static uint32_t parent_of(const struct netindex *x, const struct netslot *s)
{
    struct netkey key = {s->hi, s->lo, x->names ? slot_key(x, s) : NULL, s->n};
    uint32_t at = s == x->slots.v ? NO_SLOT : (uint32_t)(s - x->slots.v) - 1;
    while (at != NO_SLOT && !holds(x, &x->slots.v[at], &key))
        at = x->slots.v[at].parent;
    return at;
}

/* Puts slots and items in ORDER into OUT. */
static int lay_out(const struct netindex *x, const uint32_t *order, struct netindex *out,
                   const struct netrule **ret_a, const struct netrule **ret_b)
{
    const struct netslot *before = NULL;
    struct netslot *slot = NULL;
    for (size_t i = 0; i < x->slots.n; i++) {
        const struct netslot *from = &x->slots.v[order[i]];
        const struct netitem *item = &x->items.v[order[i]];
        bool again = before && same_slot(x, before, from);
        int r = again ? is_said(item, &out->items.v[out->items.n - 1], ret_a, ret_b) : 0;
        before = from;
        if (r < 0)
            return r;
        if (r > 0)
            continue;
        if (!again && !(slot = vec_push(&out->slots)))
            return -ENOMEM;
        struct netitem *to = vec_push(&out->items);
        if (!to || !slot)
            return -ENOMEM;
        *to = *item;
        if (!again) {
            *slot = *from;
            slot->first = (uint32_t)out->items.n - 1;
        }
        slot->count++;
    }
    return 0;
}

int netindex_finish(struct netindex *x, const struct netrule **ret_a, const struct netrule **ret_b)
{
    size_t n = x->slots.n;
    struct netindex out = {.names = x->names};
    _cleanup_free_ uint32_t *order = mem_zalloc(n, sizeof(*order));
    _cleanup_free_ uint32_t *other = mem_zalloc(n, sizeof(*other));
    if (!order || !other)
        return -ENOMEM;
    int r = lay_out(x, sort(x, order, other, n), &out, ret_a, ret_b);
    if (r < 0) {
        netindex_release(&out);
        return r;
    }
    vec_release(&x->slots);
    vec_release(&x->items);
    x->slots.v = out.slots.v;
    x->slots.n = out.slots.n;
    x->slots.cap = out.slots.cap;
    x->items.v = out.items.v;
    x->items.n = out.items.n;
    x->items.cap = out.items.cap;
    for (size_t i = 0; i < x->slots.n; i++)
        x->slots.v[i].parent = parent_of(x, &x->slots.v[i]);
    return 0;
}

/* ---- asking ---- */

const struct netslot *netindex_find(const struct netindex *x, const struct netkey *key)
{
    size_t low = 0, high = x->slots.n; /* below LOW: not behind KEY; from HIGH on: behind it */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(key->hi, key->lo, key->rest, key->n, x, &x->slots.v[middle]) >= 0)
            low = middle + 1;
        else
            high = middle;
    }
    const struct netslot *s = low ? &x->slots.v[low - 1] : NULL;
    while (s && !holds(x, s, key))
        s = netindex_wider(x, s);
    return s;
}

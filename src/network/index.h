/*
 * A trie, laid flat: for the files of this room. It answers "which of the patterns hold KEY?" where
 * patterns are names read from their end (all that ends in ".example.com") or prefixes of
 * addresses.
 *
 * Both kinds nest: two patterns are apart, or one lies in the other. Sorted, with what is wider
 * first, each pattern is followed by all that lies in it. So the last pattern that does not sort
 * behind a key is found by halving, and every pattern that holds the key is that one or stands
 * above it: each knows its parent. No hashing, so nobody can choose names that collide; the worst
 * key costs one search and as many steps as patterns are nested.
 */
#ifndef BAWN_NETWORK_INDEX_H
#define BAWN_NETWORK_INDEX_H

#include "base/vec.h"
#include "network/policy.h"
#include "network/pattern.h"

#define NO_SLOT UINT32_MAX

/* A name is its labels from the last to the first, a NUL between two: NUL sorts below whatever a
 * label has, so that "com\0example\0www" follows "com\0example" before "com\0example-2". An address
 * is its 16 bytes; `n` counts the bits that matter. */
struct netkey {
    uint64_t hi, lo;  /* the first 16 bytes, zero behind the end */
    const char *rest; /* of a name: all of it */
    uint32_t n;       /* bytes of a name, bits of an address */
};

/* One rule, read. */
struct netitem {
    const struct netrule *rule;
    uint16_t first, last;
    uint8_t kind;     /* enum pattern_kind */
    uint8_t decision; /* enum net_decision */
    uint8_t source;
    uint8_t protocols;
};

struct netslot {
    uint64_t hi, lo;
    uint32_t key; /* of a name: where it stands among the keys */
    uint32_t n;
    uint32_t parent;       /* or NO_SLOT */
    uint32_t first, count; /* its items */
};

struct netindex {
    bool names;
    VEC(struct netslot) slots; /* before netindex_finish(): one an item, in the order of addition */
    VEC(struct netitem) items;
    struct strbuf keys;
};

void netindex_release(struct netindex *x);
/* The key of NAME (of struct host), in BUF. */
struct netkey netkey_of_name(const char *name, size_t n, char buf[HOST_NAME_MAX_BYTES + 1]);
struct netkey netkey_of_address(const struct address *a, unsigned bits);
/* 0 or -ENOMEM. */
int netindex_add(struct netindex *x, const struct netkey *key, const struct netitem *item);
/* Sorts, drops what is said twice or was replaced. -EEXIST with *ret_a and *ret_b: the same pattern
 * is said with different decisions. */
int netindex_finish(struct netindex *x, const struct netrule **ret_a, const struct netrule **ret_b);
/* The narrowest slot that holds KEY, or NULL; then the next wider one. */
const struct netslot *netindex_find(const struct netindex *x, const struct netkey *key);
static inline const struct netslot *netindex_wider(const struct netindex *x,
                                                   const struct netslot *slot)
{
    return slot->parent == NO_SLOT ? NULL : &x->slots.v[slot->parent];
}
size_t netindex_bytes(const struct netindex *x);

#endif

/*
 * IPv4 and IPv6 addresses as data: text in one spelling, prefixes, and what kind of destination an
 * address is. Pure.
 *
 * Some IPv6 addresses carry an IPv4 address and lead to it: IPv4-mapped, IPv4-compatible, IPv4-
 * translated (SIIT), NAT64, 6to4, Teredo. They are judged by what they carry, so that no spelling
 * reaches what another one may not.
 */
#ifndef BAWN_NETWORK_ADDRESS_H
#define BAWN_NETWORK_ADDRESS_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum address_family { ADDRESS_V4 = 4, ADDRESS_V6 = 6 };

struct address {
    uint8_t family; /* enum address_family */
    uint8_t b[16];  /* network order; of IPv4 the first four, the rest is zero */
};

/* The worst comes last: of several judgements on one address the greatest counts. */
enum address_class {
    ADDRESS_PUBLIC,
    ADDRESS_PRIVATE, /* private, shared (CGNAT), unique-local, site-local */
    ADDRESS_LINK_LOCAL,
    ADDRESS_LOOPBACK,
    ADDRESS_UNSPECIFIED, /* as a destination, the host itself */
    ADDRESS_BENCHMARKING,
    ADDRESS_DOCUMENTATION,
    ADDRESS_DISCARD,
    ADDRESS_MULTICAST,
    ADDRESS_RESERVED,
    ADDRESS_METADATA, /* a cloud's service that hands out credentials */
};

const char *address_class_word(enum address_class c); /* "public", "link-local", … */
/* What allow_local_binding opens: private, link-local, loopback, unspecified. */
bool address_class_is_local(enum address_class c);

struct address_range {
    struct address base;
    uint8_t bits;
    uint8_t class; /* enum address_class */
    const char *name, *source;
};

/* Every range that is not simply public, the narrower before the wider. */
extern const struct address_range address_ranges[];
extern const size_t n_address_ranges;

/* What A is; *ret (may be NULL): the row that says so, or NULL. Addresses that carry another are
 * judged by it. */
enum address_class address_classify(const struct address *a, const struct address_range **ret);

/* What A stands for: the IPv4 address that a mapped, compatible, translated, 6to4 or (well-known
 * prefix) NAT64 address carries, else A itself. What rules are matched with. */
struct address address_normal(const struct address *a);
/* Every IPv4 address that A may carry: address_normal()'s, and those of the local NAT64 prefix in
 * each of its lengths, and Teredo's server and client. Returns how many. */
#define ADDRESS_CARRIED_MAX 4
size_t address_carried(const struct address *a, struct address ret[ADDRESS_CARRIED_MAX]);
/* What to connect to: address_normal(), but for NAT64, where the way leads through the translator
 * and is taken as it is. */
struct address address_dial(const struct address *a);

/* A range that lies in a form which carries IPv4 addresses, as the range of those: what a prefix of
 * PLAIN/BITS stands for. True and *ret_bits when there is one. */
bool address_normal_range(const struct address *base, unsigned bits, struct address *ret,
                          unsigned *ret_bits);
/* Does BASE/BITS lie in, or is it, such a form, without being one of those? A rule for it could
 * match nothing that is normalised. */
bool address_range_is_form(const struct address *base, unsigned bits);

/* IPv6 text without brackets and zone, as RFC 4291 has it; a dotted tail without leading zeros. */
bool address_parse_v6(struct bytes text, struct address *ret);
/* Four decimal numbers without leading zeros. */
bool address_parse_v4(struct bytes text, struct address *ret);
#define ADDRESS_TEXT_MAX 46
/* Dotted, or RFC 5952. Returns BUF. */
const char *address_format(const struct address *a, char buf[ADDRESS_TEXT_MAX]);

bool address_eq(const struct address *a, const struct address *b);
/* Do the first BITS bits of A and BASE (of one family) agree? */
bool address_within(const struct address *a, const struct address *base, unsigned bits);
/* A with all bits behind the first BITS zero. */
struct address address_mask(const struct address *a, unsigned bits);
static inline unsigned address_bits(const struct address *a)
{
    return a->family == ADDRESS_V4 ? 32 : 128;
}

#endif

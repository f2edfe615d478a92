/*
 * Addresses: the table of special ranges, what carries what, text. See address.h.
 *
 * The table is the IANA special-purpose registries for IPv4 (RFC 6890 and later) and IPv6, the
 * address types of RFC 4291, and the addresses at which clouds hand out credentials. It is ordered
 * so that the first row that holds an address is the narrowest; a test checks the order, and both
 * ends of every row. What the registries call globally reachable has a row with class PUBLIC where
 * it lies inside a range that is not. Stricter than the registries: the anycast addresses of PCP,
 * TURN and SRP, which mean a server of the network one happens to be in, and ORCHIDs and DETs,
 * which are no places.
 *
 * Outside 2000::/3 nothing is global unicast but the NAT64 prefix, so one row at the end covers all
 * of it, whatever is registered there tomorrow.
 */
#include "network/address.h"

#include <assert.h>
#include <stdio.h>

#define V4(a, b, c, d)                                                                             \
    {                                                                                              \
        ADDRESS_V4,                                                                                \
        {                                                                                          \
            a, b, c, d                                                                             \
        }                                                                                          \
    }
/* Eight groups of 16 bits. */
#define G(x) (uint8_t)((x) >> 8), (uint8_t)((x)&0xff)
#define V6(a, b, c, d, e, f, g, h)                                                                 \
    {                                                                                              \
        ADDRESS_V6,                                                                                \
        {                                                                                          \
            G(a), G(b), G(c), G(d), G(e), G(f), G(g), G(h)                                         \
        }                                                                                          \
    }

/* clang-format off */
const struct address_range address_ranges[] = {
    /* ---- IPv4: single addresses ---- */
    {V4(169, 254, 169, 254), 32, ADDRESS_METADATA, "cloud metadata", "AWS, Azure, Google and others"},
    {V4(169, 254, 169, 253), 32, ADDRESS_METADATA, "cloud resolver", "AWS"},
    {V4(169, 254, 169, 123), 32, ADDRESS_METADATA, "cloud clock", "AWS"},
    {V4(169, 254, 170, 2), 32, ADDRESS_METADATA, "container credentials", "AWS ECS"},
    {V4(169, 254, 170, 23), 32, ADDRESS_METADATA, "pod credentials", "AWS EKS"},
    {V4(168, 63, 129, 16), 32, ADDRESS_METADATA, "cloud host agent", "Azure"},
    {V4(100, 100, 100, 200), 32, ADDRESS_METADATA, "cloud metadata", "Alibaba Cloud"},
    {V4(192, 0, 0, 192), 32, ADDRESS_METADATA, "cloud metadata", "Oracle Cloud"},
    {V4(0, 0, 0, 0), 32, ADDRESS_UNSPECIFIED, "this host", "RFC 1122"},
    {V4(192, 0, 0, 8), 32, ADDRESS_RESERVED, "dummy address", "RFC 7600"},
    {V4(192, 0, 0, 9), 32, ADDRESS_RESERVED, "port control anycast", "RFC 7723"},
    {V4(192, 0, 0, 10), 32, ADDRESS_RESERVED, "relay (TURN) anycast", "RFC 8155"},
    {V4(192, 0, 0, 170), 31, ADDRESS_RESERVED, "NAT64 discovery", "RFC 8880"},
    {V4(192, 88, 99, 2), 32, ADDRESS_RESERVED, "6a44 relay anycast", "RFC 6751"},
    {V4(255, 255, 255, 255), 32, ADDRESS_MULTICAST, "limited broadcast", "RFC 8190"},
    /* ---- IPv4: ranges ---- */
    {V4(192, 0, 0, 0), 29, ADDRESS_RESERVED, "service continuity", "RFC 7335"},
    {V4(192, 0, 0, 0), 24, ADDRESS_RESERVED, "IETF protocol assignments", "RFC 6890"},
    {V4(192, 0, 2, 0), 24, ADDRESS_DOCUMENTATION, "documentation", "RFC 5737"},
    {V4(192, 31, 196, 0), 24, ADDRESS_PUBLIC, "AS112", "RFC 7535"},
    {V4(192, 52, 193, 0), 24, ADDRESS_PUBLIC, "AMT", "RFC 7450"},
    {V4(192, 88, 99, 0), 24, ADDRESS_RESERVED, "6to4 relay anycast", "RFC 7526"},
    {V4(192, 175, 48, 0), 24, ADDRESS_PUBLIC, "AS112", "RFC 7534"},
    {V4(198, 51, 100, 0), 24, ADDRESS_DOCUMENTATION, "documentation", "RFC 5737"},
    {V4(203, 0, 113, 0), 24, ADDRESS_DOCUMENTATION, "documentation", "RFC 5737"},
    {V4(169, 254, 0, 0), 16, ADDRESS_LINK_LOCAL, "link-local", "RFC 3927"},
    {V4(192, 168, 0, 0), 16, ADDRESS_PRIVATE, "private", "RFC 1918"},
    {V4(198, 18, 0, 0), 15, ADDRESS_BENCHMARKING, "benchmarking", "RFC 2544"},
    {V4(172, 16, 0, 0), 12, ADDRESS_PRIVATE, "private", "RFC 1918"},
    {V4(100, 64, 0, 0), 10, ADDRESS_PRIVATE, "shared (CGNAT)", "RFC 6598"},
    {V4(0, 0, 0, 0), 8, ADDRESS_RESERVED, "this network", "RFC 791"},
    {V4(10, 0, 0, 0), 8, ADDRESS_PRIVATE, "private", "RFC 1918"},
    {V4(127, 0, 0, 0), 8, ADDRESS_LOOPBACK, "loopback", "RFC 1122"},
    {V4(224, 0, 0, 0), 4, ADDRESS_MULTICAST, "multicast", "RFC 5771"},
    {V4(240, 0, 0, 0), 4, ADDRESS_RESERVED, "reserved", "RFC 1112"},
    /* ---- IPv6: single addresses ---- */
    {V6(0, 0, 0, 0, 0, 0, 0, 1), 128, ADDRESS_LOOPBACK, "loopback", "RFC 4291"},
    {V6(0, 0, 0, 0, 0, 0, 0, 0), 128, ADDRESS_UNSPECIFIED, "unspecified", "RFC 4291"},
    {V6(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), 128, ADDRESS_METADATA, "cloud metadata", "AWS"},
    {V6(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x253), 128, ADDRESS_METADATA, "cloud resolver", "AWS"},
    {V6(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x123), 128, ADDRESS_METADATA, "cloud clock", "AWS"},
    {V6(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23), 128, ADDRESS_METADATA, "pod credentials", "AWS EKS"},
    {V6(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254), 128, ADDRESS_METADATA, "cloud metadata", "Google Cloud"},
    {V6(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42), 128, ADDRESS_METADATA, "cloud metadata", "Scaleway"},
    {V6(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe), 128, ADDRESS_METADATA, "cloud metadata", "Oracle Cloud"},
    {V6(0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe), 128, ADDRESS_METADATA, "cloud metadata", "OpenStack"},
    {V6(0x2001, 1, 0, 0, 0, 0, 0, 1), 128, ADDRESS_RESERVED, "port control anycast", "RFC 7723"},
    {V6(0x2001, 1, 0, 0, 0, 0, 0, 2), 128, ADDRESS_RESERVED, "relay (TURN) anycast", "RFC 8155"},
    {V6(0x2001, 1, 0, 0, 0, 0, 0, 3), 128, ADDRESS_RESERVED, "service registration anycast", "RFC 9665"},
    /* ---- IPv6: ranges. PUBLIC where what is carried decides ---- */
    {V6(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, ADDRESS_PUBLIC, "IPv4-mapped", "RFC 4291"},
    {V6(0, 0, 0, 0, 0xffff, 0, 0, 0), 96, ADDRESS_PUBLIC, "IPv4-translated", "RFC 2765"},
    {V6(0, 0, 0, 0, 0, 0, 0, 0), 96, ADDRESS_PUBLIC, "IPv4-compatible", "RFC 4291"},
    {V6(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96, ADDRESS_PUBLIC, "NAT64", "RFC 6052"},
    {V6(0x100, 0, 0, 0, 0, 0, 0, 0), 64, ADDRESS_DISCARD, "discard-only", "RFC 6666"},
    {V6(0x100, 0, 0, 1, 0, 0, 0, 0), 64, ADDRESS_DISCARD, "dummy prefix", "RFC 9780"},
    {V6(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, ADDRESS_PRIVATE, "NAT64, local use", "RFC 8215"},
    {V6(0x2001, 2, 0, 0, 0, 0, 0, 0), 48, ADDRESS_BENCHMARKING, "benchmarking", "RFC 5180"},
    {V6(0x2001, 4, 0x112, 0, 0, 0, 0, 0), 48, ADDRESS_PUBLIC, "AS112", "RFC 7535"},
    {V6(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48, ADDRESS_PUBLIC, "AS112", "RFC 7534"},
    {V6(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, ADDRESS_RESERVED, "Teredo", "RFC 4380"},
    {V6(0x2001, 3, 0, 0, 0, 0, 0, 0), 32, ADDRESS_PUBLIC, "AMT", "RFC 7450"},
    {V6(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, ADDRESS_DOCUMENTATION, "documentation", "RFC 3849"},
    {V6(0x2001, 0x10, 0, 0, 0, 0, 0, 0), 28, ADDRESS_RESERVED, "ORCHID", "RFC 4843"},
    {V6(0x2001, 0x20, 0, 0, 0, 0, 0, 0), 28, ADDRESS_RESERVED, "ORCHIDv2", "RFC 7343"},
    {V6(0x2001, 0x30, 0, 0, 0, 0, 0, 0), 28, ADDRESS_RESERVED, "drone identifiers", "RFC 9374"},
    {V6(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, ADDRESS_RESERVED, "IETF protocol assignments", "RFC 2928"},
    {V6(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, ADDRESS_DOCUMENTATION, "documentation", "RFC 9637"},
    {V6(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, ADDRESS_PUBLIC, "6to4", "RFC 3056"},
    {V6(0x5f00, 0, 0, 0, 0, 0, 0, 0), 16, ADDRESS_RESERVED, "segment routing", "RFC 9602"},
    {V6(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, ADDRESS_LINK_LOCAL, "link-local", "RFC 4291"},
    {V6(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, ADDRESS_PRIVATE, "site-local", "RFC 3879"},
    {V6(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, ADDRESS_MULTICAST, "multicast", "RFC 4291"},
    {V6(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, ADDRESS_PRIVATE, "unique-local", "RFC 4193"},
    {V6(0x2000, 0, 0, 0, 0, 0, 0, 0), 3, ADDRESS_PUBLIC, NULL, "RFC 3587"},
    {V6(0, 0, 0, 0, 0, 0, 0, 0), 0, ADDRESS_RESERVED, "not global unicast", "RFC 4291"},
};
/* clang-format on */

const size_t n_address_ranges = ARRAY_LEN(address_ranges);

const char *address_class_word(enum address_class c)
{
    static const char *const words[] = {
        [ADDRESS_PUBLIC] = "public",
        [ADDRESS_PRIVATE] = "private",
        [ADDRESS_LINK_LOCAL] = "link-local",
        [ADDRESS_LOOPBACK] = "loopback",
        [ADDRESS_UNSPECIFIED] = "unspecified",
        [ADDRESS_BENCHMARKING] = "benchmarking",
        [ADDRESS_DOCUMENTATION] = "documentation",
        [ADDRESS_DISCARD] = "discard",
        [ADDRESS_MULTICAST] = "multicast",
        [ADDRESS_RESERVED] = "reserved",
        [ADDRESS_METADATA] = "metadata",
    };
    assert((size_t)c < ARRAY_LEN(words));
    return words[c];
}

bool address_class_is_local(enum address_class c)
{
    return c >= ADDRESS_PRIVATE && c <= ADDRESS_UNSPECIFIED;
}

/* ---- prefixes ---- */

bool address_eq(const struct address *a, const struct address *b)
{
    return a->family == b->family && memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool address_within(const struct address *a, const struct address *base, unsigned bits)
{
    assert(a->family == base->family && bits <= address_bits(a));
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(a->b, base->b, whole) != 0)
        return false;
    return rest == 0 || ((a->b[whole] ^ base->b[whole]) >> (8 - rest)) == 0;
}

struct address address_mask(const struct address *a, unsigned bits)
{
    struct address r = *a;
    assert(bits <= address_bits(a));
    for (unsigned i = 0; i < sizeof(r.b); i++) {
        unsigned kept = bits > i * 8 ? MIN_OF(bits - i * 8, 8u) : 0;
        r.b[i] &= (uint8_t)(0xff00u >> kept);
    }
    return r;
}

/* ---- what carries what ---- */

/* The forms that carry one IPv4 address, where it stands (bits), and whether its bearer is only
 * another name for it. */
static const struct form {
    struct address base;
    uint8_t bits, at; /* of the prefix; the byte at which the IPv4 address begins */
    bool through;     /* a translator carries it there: dialled as it is */
} forms[] = {
    {V6(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, 12, false},
    {V6(0, 0, 0, 0, 0xffff, 0, 0, 0), 96, 12, false},
    {V6(0, 0, 0, 0, 0, 0, 0, 0), 96, 12, false},
    {V6(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96, 12, true},
    {V6(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, 2, false},
};

static struct address v4_at(const uint8_t *p)
{
    return (struct address){ADDRESS_V4, {p[0], p[1], p[2], p[3]}};
}

/* :: and ::1 look like IPv4-compatible addresses and are none. */
static bool is_plain(const struct address *a)
{
    static const uint8_t zero[15];
    return memcmp(a->b, zero, sizeof(zero)) == 0 && a->b[15] <= 1;
}

static const struct form *form_of(const struct address *a)
{
    if (a->family != ADDRESS_V6 || is_plain(a))
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++)
        if (address_within(a, &forms[i].base, forms[i].bits))
            return &forms[i];
    return NULL;
}

struct address address_normal(const struct address *a)
{
    const struct form *f = form_of(a);
    return f ? v4_at(a->b + f->at) : *a;
}

struct address address_dial(const struct address *a)
{
    const struct form *f = form_of(a);
    return f && !f->through ? v4_at(a->b + f->at) : *a;
}

static const struct address nat64_local = V6(0x64, 0xff9b, 1, 0, 0, 0, 0, 0);
static const struct address teredo = V6(0x2001, 0, 0, 0, 0, 0, 0, 0);

static bool all_zero(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return false;
    return true;
}

/* The local NAT64 prefix may be used in several lengths (RFC 6052 2.2): the address is split around
 * byte 8, which is zero, and what follows it is zero too. Every reading that fits is one. */
static size_t carried_local(const struct address *a, struct address *ret)
{
    const uint8_t *b = a->b;
    size_t n = 0;
    ret[n++] = v4_at(b + 12); /* /96 */
    if (b[8])
        return n;
    if (all_zero(b + 11, 5)) /* /48 */
        ret[n++] = (struct address){ADDRESS_V4, {b[6], b[7], b[9], b[10]}};
    if (all_zero(b + 12, 4)) /* /56 */
        ret[n++] = (struct address){ADDRESS_V4, {b[7], b[9], b[10], b[11]}};
    if (all_zero(b + 13, 3)) /* /64 */
        ret[n++] = v4_at(b + 9);
    return n;
}

size_t address_carried(const struct address *a, struct address ret[ADDRESS_CARRIED_MAX])
{
    const struct form *f = form_of(a);
    if (f) {
        ret[0] = v4_at(a->b + f->at);
        return 1;
    }
    if (a->family != ADDRESS_V6)
        return 0;
    if (address_within(a, &nat64_local, 48))
        return carried_local(a, ret);
    if (!address_within(a, &teredo, 32))
        return 0;
    ret[0] = v4_at(a->b + 4); /* the server; the client's bits are inverted */
    ret[1] = v4_at(a->b + 12);
    for (size_t i = 0; i < 4; i++)
        ret[1].b[i] ^= 0xff;
    return 2;
}

bool address_normal_range(const struct address *base, unsigned bits, struct address *ret,
                          unsigned *ret_bits)
{
    if (base->family != ADDRESS_V6 || (bits == 128 && is_plain(base)))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        const struct form *f = &forms[i];
        if (bits <= f->bits || !address_within(base, &f->base, f->bits))
            continue;
        struct address v4 = v4_at(base->b + f->at);
        *ret_bits = MIN_OF(bits - f->bits, 32u);
        *ret = v4;
        return true;
    }
    return false;
}

bool address_range_is_form(const struct address *base, unsigned bits)
{
    if (base->family != ADDRESS_V6)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++)
        if (bits == forms[i].bits && address_within(base, &forms[i].base, bits))
            return true;
    return false;
}

/* ---- the judgement ---- */

static const struct address_range *range_of(const struct address *a)
{
    for (size_t i = 0; i < ARRAY_LEN(address_ranges); i++) {
        const struct address_range *r = &address_ranges[i];
        if (r->base.family == a->family && address_within(a, &r->base, r->bits))
            return r;
    }
    return NULL;
}

enum address_class address_classify(const struct address *a, const struct address_range **ret)
{
    struct address carried[ADDRESS_CARRIED_MAX];
    const struct address_range *worst = range_of(a);
    size_t n = address_carried(a, carried);
    for (size_t i = 0; i < n; i++) {
        const struct address_range *r = range_of(&carried[i]);
        if (r && (!worst || r->class >= worst->class))
            worst = r;
    }
    if (ret)
        *ret = worst && worst->name ? worst : NULL;
    return worst ? worst->class : ADDRESS_PUBLIC;
}

/* ---- text ---- */

bool address_parse_v4(struct bytes text, struct address *ret)
{
    struct address a = {.family = ADDRESS_V4};
    size_t at = 0;
    for (unsigned part = 0; part < 4; part++) {
        unsigned v = 0, digits = 0;
        if (part && (at == text.n || text.p[at++] != '.'))
            return false;
        while (at < text.n && text.p[at] >= '0' && text.p[at] <= '9' && digits < 4) {
            v = v * 10 + (unsigned)(text.p[at++] - '0');
            digits++;
        }
        if (digits == 0 || digits > 3 || v > 255 || (digits > 1 && text.p[at - digits] == '0'))
            return false;
        a.b[part] = (uint8_t)v;
    }
    if (at != text.n)
        return false;
    *ret = a;
    return true;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* One group of one to four digits at *at. */
static bool read_group(struct bytes text, size_t *at, uint8_t out[2])
{
    unsigned v = 0, digits = 0;
    for (; *at < text.n && hex_digit(text.p[*at]) >= 0; (*at)++, digits++) {
        if (digits == 4)
            return false;
        v = v << 4 | (unsigned)hex_digit(text.p[*at]);
    }
    out[0] = (uint8_t)(v >> 8);
    out[1] = (uint8_t)(v & 0xff);
    return digits > 0;
}

bool address_parse_v6(struct bytes text, struct address *ret)
{
    struct address a = {.family = ADDRESS_V6};
    size_t at = 0, n = 0, gap = SIZE_MAX; /* n bytes so far; where the "::" stood among them */
    if (text.n >= 2 && text.p[0] == ':' && text.p[1] == ':') {
        gap = 0;
        at = 2;
    }
    while (at < text.n) {
        struct address tail;
        size_t start = at;
        if (n == sizeof(a.b))
            return false;
        if (!read_group(text, &at, a.b + n))
            return false;
        if (at < text.n && text.p[at] == '.') {
            if (n > 12 || !address_parse_v4((struct bytes){text.p + start, text.n - start}, &tail))
                return false;
            memcpy(a.b + n, tail.b, 4);
            n += 4;
            break;
        }
        n += 2;
        if (at == text.n)
            break;
        if (text.p[at++] != ':' || at == text.n)
            return false;
        if (text.p[at] == ':') {
            if (gap != SIZE_MAX)
                return false;
            gap = n;
            at++;
        }
    }
    if (gap == SIZE_MAX ? n != sizeof(a.b) : n == sizeof(a.b))
        return false;
    if (gap != SIZE_MAX) {
        size_t behind = n - gap;
        memmove(a.b + sizeof(a.b) - behind, a.b + gap, behind);
        memset(a.b + gap, 0, sizeof(a.b) - n);
    }
    *ret = a;
    return true;
}

/* The longest run of at least two zero groups: RFC 5952 4.2. */
static unsigned longest_gap(const uint16_t *g, unsigned *ret_length)
{
    unsigned best = 8, length = 1;
    for (unsigned i = 0; i < 8; i++) {
        unsigned k = i;
        while (k < 8 && g[k] == 0)
            k++;
        if (k - i > length) {
            best = i;
            length = k - i;
        }
    }
    *ret_length = length;
    return best;
}

const char *address_format(const struct address *a, char buf[ADDRESS_TEXT_MAX])
{
    const uint8_t *b = a->b;
    if (a->family == ADDRESS_V4) {
        (void)snprintf(buf, ADDRESS_TEXT_MAX, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
        return buf;
    }
    uint16_t g[8];
    for (unsigned i = 0; i < 8; i++)
        g[i] = (uint16_t)(b[2 * i] << 8 | b[2 * i + 1]);
    if (address_within(a, &forms[0].base, 96)) { /* mapped: the dotted tail is what is meant */
        (void)snprintf(buf, ADDRESS_TEXT_MAX, "::ffff:%u.%u.%u.%u", b[12], b[13], b[14], b[15]);
        return buf;
    }
    unsigned length, gap = longest_gap(g, &length);
    size_t n = 0;
    buf[0] = '\0';
    for (unsigned i = 0; i < 8; i++) {
        if (i == gap) {
            n += (size_t)snprintf(buf + n, ADDRESS_TEXT_MAX - n, "::");
            i += length - 1;
            continue;
        }
        bool colon = i > 0 && !(gap < 8 && i == gap + length);
        n += (size_t)snprintf(buf + n, ADDRESS_TEXT_MAX - n, "%s%x", colon ? ":" : "", g[i]);
    }
    return buf;
}

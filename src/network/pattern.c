/* Reading the patterns of network rules. See pattern.h. */
#include "network/pattern.h"

#include "network/unicode.h"

#include <errno.h>
#include <stdio.h>

/* ---- ports ---- */

static int bad_ports(struct bytes text, struct error *err)
{
    (void)error_set(err, -EINVAL, "\"%s\" is neither a port nor a range of them",
                    show_n(text.p, text.n));
    error_hint(err,
               "a number from 1 to 65535, or FIRST-LAST; without a port the pattern stands for "
               "all of them");
    return -EINVAL;
}

static int read_ports(struct bytes text, struct netpattern *p, struct error *err)
{
    const char *dash = text.n ? memchr(text.p, '-', text.n) : NULL;
    size_t n = dash ? (size_t)(dash - text.p) : text.n;
    if (!host_port((struct bytes){text.p, n}, &p->first))
        return bad_ports(text, err);
    p->last = p->first;
    if (dash && !host_port((struct bytes){dash + 1, text.n - n - 1}, &p->last))
        return bad_ports(text, err);
    if (p->last < p->first) {
        (void)error_set(err, -EINVAL, "no port is from %u to %u", p->first, p->last);
        error_hint(err, "%u-%u", p->last, p->first);
        return -EINVAL;
    }
    return 0;
}

/* Splits "BODY:PORTS". More than one colon and no bracket: an IPv6 address, all of it. */
static int split(struct bytes text, struct bytes *body, struct netpattern *p, struct error *err)
{
    const char *from = memchr(text.p, ']', text.n);
    size_t skip = from ? (size_t)(from - text.p) : 0;
    const char *colon = memchr(text.p + skip, ':', text.n - skip);
    size_t at = colon ? (size_t)(colon - text.p) : text.n;
    p->first = 0;
    p->last = UINT16_MAX;
    *body = (struct bytes){text.p, at};
    if (!colon)
        return 0;
    struct bytes ports = {colon + 1, text.n - at - 1};
    if (!from && memchr(ports.p, ':', ports.n)) {
        *body = text;
        return 0;
    }
    return read_ports(ports, p, err);
}

/* ---- addresses ---- */

/* "/BITS" of a body that has a slash; "[" and "]" may stand around the address or around all. */
static int read_bits(struct bytes text, const struct address *a, unsigned *ret, struct error *err)
{
    unsigned v = 0;
    bool fine = text.n > 0 && text.n <= 3 && (text.n == 1 || text.p[0] != '0');
    for (size_t i = 0; fine && i < text.n; i++) {
        fine = text.p[i] >= '0' && text.p[i] <= '9';
        v = v * 10 + (unsigned)(text.p[i] - '0');
    }
    if (!fine || v > address_bits(a)) {
        (void)error_set(err, -EINVAL, "\"/%s\" is no prefix length", show_n(text.p, text.n));
        error_hint(err, "a number from 0 to %u", address_bits(a));
        return -EINVAL;
    }
    *ret = v;
    return 0;
}

static int host_error(enum host_problem problem, struct bytes text, struct error *err)
{
    (void)error_set(err, -EINVAL, "\"%s\" is no host: %s", show_n(text.p, text.n),
                    host_problem_text(problem));
    if (problem == HOST_NUMBER || problem == HOST_AMBIGUOUS)
        error_hint(err, "an IPv4 address is four numbers up to 255, without leading zeros");
    else if (problem == HOST_IPV6)
        error_hint(err, "with a port the address stands in brackets: [2001:db8::1]:443");
    else if (problem == HOST_CHARACTER && memchr(text.p, '*', text.n))
        error_hint(err, "a wildcard stands for whole labels at the front: *.example.com, "
                        "**.example.com");
    return -EINVAL;
}

static int read_range(struct bytes body, const char *slash, struct netpattern *p, struct error *err)
{
    size_t at = (size_t)(slash - body.p);
    struct bytes left = {body.p, at}, right = {slash + 1, body.n - at - 1};
    struct host h;
    unsigned bits;
    if (left.n && left.p[0] == '[' && left.p[left.n - 1] != ']' && right.n &&
        right.p[right.n - 1] == ']') { /* [ADDRESS/BITS] */
        left = (struct bytes){left.p + 1, left.n - 1};
        right.n--;
    }
    enum host_problem problem = host_parse(left, &h);
    if (problem != HOST_FINE || h.kind != HOST_ADDRESS) {
        (void)error_set(err, -EINVAL, "what stands before the slash is no address");
        error_hint(err, "a pattern is a host, without a path or a scheme, or ADDRESS/BITS");
        return -EINVAL;
    }
    int r = read_bits(right, &h.address, &bits, err);
    if (r < 0)
        return r;
    struct address masked = address_mask(&h.address, bits);
    if (!address_eq(&masked, &h.address)) {
        char text[ADDRESS_TEXT_MAX];
        (void)error_set(err, -EINVAL, "the address has bits behind the first %u", bits);
        error_hint(err, "%s/%u, or the address alone", address_format(&masked, text), bits);
        return -EINVAL;
    }
    p->address = masked;
    p->bits = (uint8_t)bits;
    (void)address_normal_range(&masked, bits, &p->address, &bits);
    p->bits = (uint8_t)bits;
    p->kind = bits == address_bits(&p->address) ? PATTERN_ADDRESS : PATTERN_RANGE;
    return 0;
}

/* ---- names ---- */

static int read_name(struct bytes body, struct netpattern *p, struct error *err)
{
    struct host h;
    size_t stars = 0;
    while (stars < body.n && body.p[stars] == '*')
        stars++;
    if (stars && stars == body.n) {
        p->kind = PATTERN_ANY;
        if (stars == 1)
            return 0;
        (void)error_set(err, -EINVAL, "nothing stands behind the wildcard");
        error_hint(err, "* alone is every public host");
        return -EINVAL;
    }
    bool wild = stars > 0 && stars < 3 && body.p[stars] == '.';
    struct bytes rest = wild ? (struct bytes){body.p + stars + 1, body.n - stars - 1} : body;
    enum host_problem problem = host_parse(rest, &h);
    if (problem == HOST_NOT_ASCII) {
        int r = unicode_host(rest, &h, err);
        if (r < 0)
            return error_wrap(err, r, "\"%s\" is no host", show_n(body.p, body.n));
    } else if (problem != HOST_FINE) {
        return host_error(problem, body, err);
    }
    if (wild && h.kind == HOST_ADDRESS) {
        (void)error_set(err, -EINVAL, "nothing stands below an address");
        error_hint(err, "a range of addresses is written ADDRESS/BITS");
        return -EINVAL;
    }
    if (wild && h.n + 2u > HOST_NAME_MAX_BYTES && stars == 1) {
        (void)error_set(err, -EINVAL, "no name is long enough to stand below this one");
        return -EINVAL;
    }
    p->kind = !wild ? PATTERN_EXACT : stars == 1 ? PATTERN_BELOW : PATTERN_AT_BELOW;
    if (h.kind == HOST_ADDRESS) {
        p->kind = PATTERN_ADDRESS;
        p->address = address_normal(&h.address);
        p->bits = (uint8_t)address_bits(&p->address);
        return 0;
    }
    p->n = h.n;
    memcpy(p->name, h.name, h.n + 1u);
    return 0;
}

int netpattern_parse(struct bytes text, struct netpattern *ret, struct error *err)
{
    struct bytes body;
    *ret = (struct netpattern){.last = UINT16_MAX};
    if (text.n == 0) {
        (void)error_set(err, -EINVAL, "the pattern is empty");
        error_hint(err, "a host, *.host, **.host, *, an address or ADDRESS/BITS");
        return -EINVAL;
    }
    for (size_t i = 0; i + 2 < text.n; i++)
        if (memcmp(text.p + i, "://", 3) == 0) {
            (void)error_set(err, -EINVAL, "a pattern has no scheme");
            error_hint(err, "a host, and a port where one is meant: example.com:443");
            return -EINVAL;
        }
    int r = split(text, &body, ret, err);
    if (r < 0)
        return r;
    const char *slash = body.n ? memchr(body.p, '/', body.n) : NULL;
    return slash ? read_range(body, slash, ret, err) : read_name(body, ret, err);
}

const char *netpattern_ascii(const char *text, const struct netpattern *p,
                             char buf[NETPATTERN_TEXT_MAX])
{
    const char *wild = p->kind == PATTERN_BELOW ? "*." : p->kind == PATTERN_AT_BELOW ? "**." : "";
    if (!unicode_is(bytes_of(text)))
        return text;
    /* Only a name can have been written so. */
    int n = snprintf(buf, NETPATTERN_TEXT_MAX, "%s%s", wild, p->name);
    if (p->first && p->first == p->last)
        (void)snprintf(buf + n, NETPATTERN_TEXT_MAX - (size_t)n, ":%u", p->first);
    else if (p->first)
        (void)snprintf(buf + n, NETPATTERN_TEXT_MAX - (size_t)n, ":%u-%u", p->first, p->last);
    return buf;
}

/* ---- matching ---- */

static bool is_below(const struct netpattern *p, const struct host *h)
{
    return h->n > p->n + 1u && h->name[h->n - p->n - 1u] == '.' &&
           memcmp(h->name + h->n - p->n, p->name, p->n) == 0;
}

static bool is_it(const struct netpattern *p, const struct host *h)
{
    return h->n == p->n && memcmp(h->name, p->name, p->n) == 0;
}

bool netpattern_matches(const struct netpattern *p, const struct host *host, uint16_t port)
{
    bool address = host->kind == HOST_ADDRESS;
    if (port < p->first || port > p->last)
        return false;
    switch (p->kind) {
    case PATTERN_ANY:
        return true;
    case PATTERN_EXACT:
        return !address && is_it(p, host);
    case PATTERN_BELOW:
        return !address && is_below(p, host);
    case PATTERN_AT_BELOW:
        return !address && (is_it(p, host) || is_below(p, host));
    case PATTERN_ADDRESS:
    case PATTERN_RANGE:
        break;
    }
    struct address a = address ? address_normal(&host->address) : (struct address){0};
    return address && a.family == p->address.family && address_within(&a, &p->address, p->bits);
}

/*
 * Reading hosts. See host.h.
 *
 * The order matters. Bytes that no host has are refused first, so that nothing below sees a NUL, a
 * percent sign or anything beyond ASCII: a full-width digit or an ideographic full stop, which
 * browsers fold into an address, never gets as far. Then, as browsers do (WHATWG URL, "ends in a
 * number"), the last label decides: is it a number in any notation, the whole is an IPv4 address in
 * the reading of inet_aton(3) or it is refused. Only what does not end in a number is a name.
 *
 * Where readers differ the host is refused: "08" (a bad octal number to most, eight to some), "0x"
 * (zero to browsers, no number to C libraries).
 */
#include "network/host.h"

#include <assert.h>

/* ---- problems ---- */

static const struct {
    const char *word, *text;
} problems[] = {
    [HOST_FINE] = {"fine", "nothing is wrong with it"},
    [HOST_EMPTY] = {"empty", "the host is empty"},
    [HOST_TOO_LONG] = {"too_long", "the host is longer than 253 bytes"},
    [HOST_EMPTY_LABEL] = {"empty_label", "two dots in a row, or one at the start"},
    [HOST_LONG_LABEL] = {"long_label", "a part between dots is longer than 63 bytes"},
    [HOST_HYPHEN] = {"hyphen", "the host begins with a hyphen"},
    [HOST_CONTROL] = {"control", "a space or a control character"},
    [HOST_NOT_ASCII] = {"not_ascii",
                        "characters outside ASCII; an international name is written in its ASCII "
                        "form (xn--…)"},
    [HOST_PERCENT] = {"percent", "a percent sign: neither encodings nor zones are taken"},
    [HOST_CHARACTER] = {"character", "a character that no host's name has"},
    [HOST_NUMBER] = {"number", "it ends in a number and is no IPv4 address"},
    [HOST_AMBIGUOUS] = {"ambiguous", "programs differ on which IPv4 address this is"},
    [HOST_IPV6] = {"ipv6", "it is no IPv6 address"},
    [HOST_BRACKETS] = {"brackets", "brackets stand around an IPv6 address, both of them"},
    [HOST_NO_PORT] = {"no_port", "the port is missing"},
    [HOST_BAD_PORT] = {"bad_port", "the port is not a number from 1 to 65535"},
};

const char *host_problem_word(enum host_problem p)
{
    assert((size_t)p < ARRAY_LEN(problems));
    return problems[p].word;
}

const char *host_problem_text(enum host_problem p)
{
    assert((size_t)p < ARRAY_LEN(problems));
    return problems[p].text;
}

/* ---- IPv4 in the reading of inet_aton ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int digit_value(char c)
{
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

/* Would somebody read LABEL (lower case) as a number? */
static bool looks_like_number(struct bytes label)
{
    size_t i = 0;
    bool hex = label.n >= 2 && label.p[0] == '0' && label.p[1] == 'x';
    for (i = hex ? 2 : 0; i < label.n; i++)
        if (hex ? digit_value(label.p[i]) > 15 : !is_digit(label.p[i]))
            return false;
    return label.n > 0;
}

/* One part: decimal, octal after a 0, hexadecimal after 0x. */
static enum host_problem read_part(struct bytes label, uint64_t *ret)
{
    unsigned base = 10;
    uint64_t v = 0;
    size_t i = 0;
    if (!looks_like_number(label))
        return HOST_NUMBER;
    if (label.n > 1 && label.p[0] == '0') {
        base = label.p[1] == 'x' ? 16 : 8;
        i = base == 16 ? 2 : 1;
    }
    if (i == label.n)
        return HOST_AMBIGUOUS; /* "0x" */
    for (; i < label.n; i++) {
        unsigned d = (unsigned)digit_value(label.p[i]);
        if (d >= base)
            return HOST_AMBIGUOUS; /* "08" */
        v = v * base + d;
        if (v > UINT32_MAX)
            return HOST_NUMBER;
    }
    *ret = v;
    return HOST_FINE;
}

/* The label that begins at *at; false behind the last. */
static bool next_label(struct bytes name, size_t *at, struct bytes *ret)
{
    if (*at > name.n)
        return false;
    const char *start = name.p + *at;
    const char *dot = *at < name.n ? memchr(start, '.', name.n - *at) : NULL;
    size_t n = dot ? (size_t)(dot - start) : name.n - *at;
    *ret = (struct bytes){start, n};
    *at += n + 1;
    return true;
}

static enum host_problem read_v4(struct bytes name, struct address *ret)
{
    uint64_t parts[4];
    struct bytes label;
    size_t n = 0;
    for (size_t at = 0; next_label(name, &at, &label); n++) {
        enum host_problem p = n == ARRAY_LEN(parts) ? HOST_NUMBER : read_part(label, &parts[n]);
        if (p != HOST_FINE)
            return p;
    }
    assert(n > 0); /* a name has a label */
    uint64_t v = 0;
    for (size_t i = 0; i + 1 < n; i++) {
        if (parts[i] > 255)
            return HOST_NUMBER;
        v |= parts[i] << (24 - 8 * i);
    }
    /* The last part fills what the others left. */
    if (parts[n - 1] >> (8 * (5 - n)))
        return HOST_NUMBER;
    v |= parts[n - 1];
    *ret = (struct address){
        ADDRESS_V4, {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v}};
    return HOST_FINE;
}

/* ---- names ---- */

/* What is wrong with byte C wherever in a host it stands; ':' and brackets are looked at elsewhere.
 */
static enum host_problem check_byte(unsigned char c)
{
    if (c <= 0x20 || c == 0x7f)
        return HOST_CONTROL;
    if (c >= 0x80)
        return HOST_NOT_ASCII;
    if (c == '%')
        return HOST_PERCENT;
    return HOST_FINE;
}

static bool is_name_byte(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_' || c == '.';
}

static enum host_problem check_labels(struct bytes name, struct bytes *ret_last)
{
    for (size_t at = 0; next_label(name, &at, ret_last);) {
        if (ret_last->n == 0)
            return HOST_EMPTY_LABEL;
        if (ret_last->n > HOST_LABEL_MAX_BYTES)
            return HOST_LONG_LABEL;
    }
    return HOST_FINE;
}

static enum host_problem read_name(struct bytes text, struct host *ret)
{
    struct host h = {.kind = HOST_NAME};
    if (text.n > 1 && text.p[text.n - 1] == '.')
        text.n--;
    if (text.n > HOST_NAME_MAX_BYTES)
        return HOST_TOO_LONG;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        c = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        if (!is_name_byte(c))
            return HOST_CHARACTER;
        h.name[i] = c;
    }
    h.n = (uint8_t)text.n;
    struct bytes name = {h.name, h.n}, last = {0};
    enum host_problem p = check_labels(name, &last);
    if (p != HOST_FINE)
        return p;
    if (name.p[0] == '-')
        return HOST_HYPHEN;
    if (looks_like_number(last)) {
        struct address v4;
        p = read_v4(name, &v4);
        if (p == HOST_FINE)
            host_of_address(&v4, ret);
        return p;
    }
    *ret = h;
    return HOST_FINE;
}

/* ---- all of it ---- */

void host_of_address(const struct address *a, struct host *ret)
{
    *ret = (struct host){.kind = HOST_ADDRESS, .address = *a};
    ret->n = (uint8_t)strlen(address_format(a, ret->name));
}

static enum host_problem read_v6(struct bytes text, struct host *ret)
{
    struct address a;
    if (!address_parse_v6(text, &a))
        return HOST_IPV6;
    host_of_address(&a, ret);
    return HOST_FINE;
}

static enum host_problem check_bytes(struct bytes text)
{
    for (size_t i = 0; i < text.n; i++) {
        enum host_problem p = check_byte((unsigned char)text.p[i]);
        if (p != HOST_FINE)
            return p;
    }
    return text.n ? HOST_FINE : HOST_EMPTY;
}

enum host_problem host_parse(struct bytes text, struct host *ret)
{
    enum host_problem p = check_bytes(text);
    if (p != HOST_FINE)
        return p;
    bool open = text.p[0] == '[', shut = text.p[text.n - 1] == ']';
    if (open || shut) {
        if (!open || !shut || text.n < 2)
            return HOST_BRACKETS;
        struct bytes inner = {text.p + 1, text.n - 2};
        return memchr(inner.p, ':', inner.n) ? read_v6(inner, ret) : HOST_BRACKETS;
    }
    return memchr(text.p, ':', text.n) ? read_v6(text, ret) : read_name(text, ret);
}

bool host_port(struct bytes text, uint16_t *ret)
{
    unsigned v = 0;
    if (text.n == 0 || text.n > 5 || text.p[0] == '0')
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (!is_digit(text.p[i]))
            return false;
        v = v * 10 + (unsigned)(text.p[i] - '0');
    }
    if (v > UINT16_MAX)
        return false;
    *ret = (uint16_t)v;
    return true;
}

/* Where the host ends: at the colon behind a bracket, or at the only one. */
static enum host_problem split_port(struct bytes text, struct bytes *host, struct bytes *port,
                                    bool *ret_has)
{
    const char *end = text.p[0] == '[' ? memchr(text.p, ']', text.n) : text.p;
    if (!end)
        return HOST_BRACKETS;
    size_t from = (size_t)(end - text.p);
    const char *colon = memchr(end, ':', text.n - from);
    size_t at = colon ? (size_t)(colon - text.p) : text.n;
    *ret_has = colon != NULL;
    *host = (struct bytes){text.p, at};
    *port = colon ? (struct bytes){colon + 1, text.n - at - 1} : (struct bytes){0};
    if (colon && memchr(port->p, ':', port->n)) /* ::1:80 could be an address alone */
        return HOST_BRACKETS;
    return HOST_FINE;
}

enum host_problem host_parse_port(struct bytes text, uint16_t otherwise, struct host *ret,
                                  uint16_t *ret_port)
{
    struct bytes host, port;
    struct host h;
    uint16_t number = otherwise;
    bool has;
    enum host_problem p = check_bytes(text);
    if (p == HOST_FINE)
        p = split_port(text, &host, &port, &has);
    if (p == HOST_FINE)
        p = host_parse(host, &h);
    if (p != HOST_FINE)
        return p;
    if (!has && otherwise == 0)
        return HOST_NO_PORT;
    if (has && !host_port(port, &number))
        return port.n ? HOST_BAD_PORT : HOST_NO_PORT;
    *ret = h;
    *ret_port = number;
    return HOST_FINE;
}

bool host_eq(const struct host *a, const struct host *b)
{
    return a->kind == b->kind && a->n == b->n && memcmp(a->name, b->name, a->n) == 0 &&
           (a->kind == HOST_NAME || address_eq(&a->address, &b->address));
}

uint64_t host_hash(uint64_t seed, const struct host *h)
{
    for (size_t i = 0; i < h->n; i++) {
        seed = (seed ^ (uint8_t)h->name[i]) * 0x9e3779b97f4a7c15u;
        seed ^= seed >> 29;
    }
    return seed;
}

bool host_is_localhost(const struct host *h)
{
    static const char name[] = "localhost";
    const size_t n = sizeof(name) - 1;
    if (h->kind != HOST_NAME || h->n < n || memcmp(h->name + h->n - n, name, n) != 0)
        return false;
    return h->n == n || h->name[h->n - n - 1] == '.';
}

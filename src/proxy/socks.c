/*
 * SOCKS version 5 as bytes. See socks.h.
 *
 * Each reader looks at what is there from its beginning: the first byte that is wrong ends it, and
 * what merely is not there yet is 0, so that a client may send it in any pieces. Requests and
 * datagrams share the address in their middle.
 */
#include "proxy/socks.h"

#include "network/unicode.h"
#include "proxy/cut.h"

#include <errno.h>

enum { VERSION = 5, PASSWORD_VERSION = 1 };
enum { METHOD_NONE = 0, METHOD_PASSWORD = 2, METHOD_NO = 0xff };
enum { TYPE_V4 = 1, TYPE_NAME = 3, TYPE_V6 = 4 };

/* How much of TEXT is no longer in REST. */
static int used(struct bytes text, struct bytes rest)
{
    return (int)(text.n - rest.n);
}

/* Is byte I, when it is there, another than WANT? */
static bool is_other(struct bytes text, size_t i, uint8_t want)
{
    return i < text.n && byte_at(text, i) != want;
}

int socks_greeting(struct bytes text, uint8_t *ret_method)
{
    struct bytes rest = text, methods;
    uint8_t version;
    if (is_other(text, 0, VERSION) || (text.n > 1 && byte_at(text, 1) == 0))
        return -EPROTO;
    if (!cut_u8(&rest, &version) || !cut_string8(&rest, &methods))
        return 0;
    *ret_method = METHOD_NO;
    if (memchr(methods.p, METHOD_NONE, methods.n))
        *ret_method = METHOD_NONE;
    else if (memchr(methods.p, METHOD_PASSWORD, methods.n))
        *ret_method = METHOD_PASSWORD;
    return used(text, rest);
}

int socks_password(struct bytes text)
{
    struct bytes rest = text, name, password;
    uint8_t version;
    if (is_other(text, 0, PASSWORD_VERSION))
        return -EPROTO;
    if (!cut_u8(&rest, &version) || !cut_string8(&rest, &name) || !cut_string8(&rest, &password))
        return 0;
    return used(text, rest);
}

/* ---- addresses ---- */

/* A type that exists, what it announces, and a port. False: not all of it is there. */
static bool cut_address(struct bytes *from, uint8_t type, struct socks_request *ret)
{
    struct bytes rest = *from, b;
    bool whole =
        type == TYPE_NAME ? cut_string8(&rest, &b) : cut_bytes(&rest, type == TYPE_V4 ? 4 : 16, &b);
    if (!whole || !cut_u16(&rest, &ret->port))
        return false;
    if (type == TYPE_NAME) {
        ret->problem = unicode_parse(b, &ret->host);
    } else {
        struct address a = {.family = type == TYPE_V4 ? ADDRESS_V4 : ADDRESS_V6};
        memcpy(a.b, b.p, b.n);
        host_of_address(&a, &ret->host);
    }
    *from = rest;
    return true;
}

static bool type_exists(uint8_t type)
{
    return type == TYPE_V4 || type == TYPE_NAME || type == TYPE_V6;
}

int socks_request(struct bytes text, struct socks_request *ret)
{
    struct socks_request r = {0};
    struct bytes rest = text, head;
    if (is_other(text, 0, VERSION) || is_other(text, 2, 0))
        return -EPROTO;
    if (!cut_bytes(&rest, 4, &head))
        return 0;
    r.command = byte_at(head, 1);
    r.bad_type = !type_exists(byte_at(head, 3));
    if (!r.bad_type && !cut_address(&rest, byte_at(head, 3), &r))
        return 0;
    if (!r.bad_type && r.port == 0 && r.command != SOCKS_UDP)
        return -EPROTO;
    *ret = r;
    return used(text, rest);
}

int socks_datagram(struct bytes text, struct socks_request *ret)
{
    struct socks_request r = {.command = SOCKS_UDP};
    struct bytes rest = text, head;
    if (!cut_bytes(&rest, 4, &head) || is_other(head, 0, 0) || is_other(head, 1, 0) ||
        is_other(head, 2, 0) || !type_exists(byte_at(head, 3)) ||
        !cut_address(&rest, byte_at(head, 3), &r) || r.port == 0)
        return -EPROTO;
    *ret = r;
    return used(text, rest);
}

/* ---- answers ---- */

/* Behind three bytes that are there: the type, the address and the port. Returns the whole length.
 */
static size_t put_address(const struct address *a, uint16_t port, uint8_t buf[SOCKS_REPLY_MAX])
{
    static const struct address zero = {.family = ADDRESS_V4};
    if (!a || a->family == 0)
        a = &zero;
    size_t n = a->family == ADDRESS_V4 ? 4 : 16;
    buf[3] = a->family == ADDRESS_V4 ? TYPE_V4 : TYPE_V6;
    memcpy(buf + 4, a->b, n);
    buf[4 + n] = (uint8_t)(port >> 8);
    buf[5 + n] = (uint8_t)port;
    return 6 + n;
}

size_t socks_reply(enum socks_reply reply, const struct address *bound, uint16_t port,
                   uint8_t buf[SOCKS_REPLY_MAX])
{
    buf[0] = VERSION;
    buf[1] = (uint8_t)reply;
    buf[2] = 0;
    return put_address(bound, port, buf);
}

size_t socks_datagram_head(const struct address *from, uint16_t port, uint8_t buf[SOCKS_REPLY_MAX])
{
    memset(buf, 0, 3);
    return put_address(from, port, buf);
}

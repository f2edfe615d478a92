/*
 * SOCKS version 5 (RFC 1928) as bytes: what a client says, and what it is answered. Pure.
 */
#ifndef BAWN_PROXY_SOCKS_H
#define BAWN_PROXY_SOCKS_H

#include "network/host.h"

enum socks_command { SOCKS_CONNECT = 1, SOCKS_BIND = 2, SOCKS_UDP = 3 };

enum socks_reply {
    SOCKS_OK = 0,
    SOCKS_FAILED = 1,
    SOCKS_NOT_ALLOWED = 2,
    SOCKS_NET_UNREACHABLE = 3,
    SOCKS_HOST_UNREACHABLE = 4,
    SOCKS_REFUSED = 5,
    SOCKS_TTL = 6,
    SOCKS_NO_COMMAND = 7,
    SOCKS_NO_ADDRESS = 8,
};

struct socks_request {
    uint8_t command; /* as it came */
    struct host host;
    uint16_t port;
    enum host_problem problem; /* the host is none: answer and end */
    bool bad_type;             /* an address type that does not exist */
};

/* The greeting at the beginning of TEXT. > 0: its bytes, and *ret_method is what is chosen: 0
 * (none) or 2 (a name and password, which are read and not looked at: clients that insist on some),
 * 0xff when neither is offered. 0: more is needed. -EPROTO. */
int socks_greeting(struct bytes text, uint8_t *ret_method);
/* The name and password (RFC 1929). > 0: its bytes. 0: more. -EPROTO. */
int socks_password(struct bytes text);
/* The request. > 0: its bytes. 0: more. -EPROTO: not version 5, a reserved byte that is not 0. A
 * name goes through unicode_parse(): a name that is an address in some spelling comes out as that
 * address. Port 0 is -EPROTO but with SOCKS_UDP, where host and port may be all zero. */
int socks_request(struct bytes text, struct socks_request *ret);
/* A reply with the address and port that it tells (family 0: 0.0.0.0). Returns its length. */
#define SOCKS_REPLY_MAX 22
size_t socks_reply(enum socks_reply reply, const struct address *bound, uint16_t port,
                   uint8_t buf[SOCKS_REPLY_MAX]);

/* One datagram of an association: the bytes of its header, or -EPROTO (a fragment included). */
int socks_datagram(struct bytes text, struct socks_request *ret);
/* The header of a datagram from FROM. Returns its length. */
size_t socks_datagram_head(const struct address *from, uint16_t port, uint8_t buf[SOCKS_REPLY_MAX]);

#endif

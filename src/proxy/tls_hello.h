/*
 * The server's name in a TLS ClientHello (RFC 8446, 4.1.2; RFC 6066, 3). Pure: the handshake is not
 * touched, only looked at.
 */
#ifndef BAWN_PROXY_TLS_HELLO_H
#define BAWN_PROXY_TLS_HELLO_H

#include "network/host.h"

enum tls_hello {
    HELLO_MORE,    /* not whole yet */
    HELLO_NAME,    /* *ret is the name */
    HELLO_NO_NAME, /* a ClientHello without server_name */
    HELLO_BAD, /* a ClientHello that cannot be read in one way: two names, a bad length, no host */
    HELLO_OTHER, /* no TLS at all */
};

/* TEXT: what a client sent first, up to LIMIT_HELLO bytes (beyond that HELLO_BAD). The handshake
 * message may be spread over several records. An address as a name is HELLO_BAD. */
enum tls_hello tls_hello_read(struct bytes text, struct host *ret);

#endif

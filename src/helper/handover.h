/*
 * How bawn-proxy gives a connection to bawn-intercept: one SOCK_SEQPACKET message with descriptors.
 * The socket is HANDOVER_FD of both.
 *
 * A client (HANDOVER_CLIENT): bawn-proxy has judged the destination, resolved it once and checked
 * every address; it has answered CONNECT with 200, or the connection came redirected and its
 * ClientHello was looked at. It sends the client's descriptor and, when it is connected already,
 * the server's, and closes its own copies. It has read nothing of the server's. Nothing comes back:
 * bawn-intercept talks to the client, and to the launcher.
 *
 * What bawn-intercept believes of this: that the client may reach HOST:PORT at those addresses. Not
 * that anybody there is HOST: that says the server's certificate.
 *
 * The way to another proxy over TLS (HANDOVER_RELAY): CLIENT is one end of a pair of Unix sockets,
 * whose other end bawn-proxy keeps, SERVER a connection to HOST:PORT. bawn-intercept verifies that
 * it is HOST and says so as the first byte on the pair (enum relay_word); what follows are the
 * connection's bytes, both ways. The end of what one side says is passed on as such (close_notify,
 * shutdown()); a connection that is cut without one closes the pair's end.
 */
#ifndef BAWN_HELPER_HANDOVER_H
#define BAWN_HELPER_HANDOVER_H

#include "base/str.h"
#include "network/host.h"
#include "helper/limits.h"

#define HANDOVER_FD        4
#define HANDOVER_FIRST_MAX LIMIT_HELLO /* bytes of the client's that were read already */
#define HANDOVER_MAX       (HANDOVER_FIRST_MAX + 1024u)

enum handover_kind { HANDOVER_CLIENT, HANDOVER_RELAY };

enum relay_word {
    RELAY_OPEN = 1,
    RELAY_FAILED, /* why follows, up to the end: a sentence of at most RELAY_WHY_MAX bytes */
};
#define RELAY_WHY_MAX 200u

struct handover {
    enum handover_kind kind;
    struct host host; /* as the client named it; of a relay the other proxy's */
    uint16_t port;
    uint16_t client_port; /* of a client, in the sandbox; 0: not known */
    /* What may be dialled, more connections included: address_dial()'s. None: there is only the
     * server's descriptor (the way leads through another proxy). Never any of a relay. */
    struct address addresses[LIMIT_ADDRESSES];
    size_t n_addresses;
    struct bytes first; /* what the client sent so far; nothing of a relay */
};

/* SERVER may be -1 where there are addresses. Never waits: -EAGAIN while the socket is full (the
 * connection can be kept and tried again, or refused with 503). The descriptors stay the caller's.
 */
int handover_send(int socket, const struct handover *h, int client, int server);
/* Into BUF (of HANDOVER_MAX bytes), which ret->first points into. *ret_server is -1 when none came.
 * -EAGAIN, -EPIPE at the end, -EBADMSG (which leaves no descriptor behind). */
int handover_recv(int socket, char *buf, struct handover *ret, int *ret_client, int *ret_server);

#endif

/*
 * How bawn-proxy gives a connection to bawn-intercept: one SOCK_SEQPACKET message with descriptors.
 * The socket is HANDOVER_FD of both.
 *
 * bawn-proxy has judged the destination, resolved it once and checked every address; it has
 * answered CONNECT with 200, or the connection came redirected and its ClientHello was looked at.
 * It sends the client's descriptor and, when it is connected already, the server's, and closes its
 * own copies. It has read nothing of the server's. Nothing comes back: bawn-intercept talks to the
 * client, and to the launcher.
 *
 * What bawn-intercept believes of this: that the client may reach HOST:PORT at those addresses. Not
 * that anybody there is HOST: that says the server's certificate.
 */
#ifndef BAWN_HELPER_HANDOVER_H
#define BAWN_HELPER_HANDOVER_H

#include "base/str.h"
#include "network/host.h"
#include "helper/limits.h"

#define HANDOVER_FD        4
#define HANDOVER_FIRST_MAX LIMIT_HELLO /* bytes of the client's that were read already */
#define HANDOVER_MAX       (HANDOVER_FIRST_MAX + 1024u)

struct handover {
    struct host host; /* as the client named it */
    uint16_t port;
    /* What may be dialled, more connections included: address_dial()'s. None: there is only the
     * server's descriptor (the way leads through another proxy). */
    struct address addresses[LIMIT_ADDRESSES];
    size_t n_addresses;
    struct bytes first; /* what the client sent so far */
};

/* SERVER may be -1 where there are addresses. Never waits: -EAGAIN while the socket is full (the
 * connection can be kept and tried again, or refused with 503). The descriptors stay the caller's.
 */
int handover_send(int socket, const struct handover *h, int client, int server);
/* Into BUF (of HANDOVER_MAX bytes), which ret->first points into. *ret_server is -1 when none came.
 * -EAGAIN, -EPIPE at the end, -EBADMSG (which leaves no descriptor behind). */
int handover_recv(int socket, char *buf, struct handover *ret, int *ret_client, int *ret_server);

#endif

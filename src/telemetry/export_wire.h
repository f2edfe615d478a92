/*
 * What bawn and bawn-exporter say to each other: a SOCK_SEQPACKET socket at
 * $BAWN_HOME/telemetry/socket-VERSION. Signals do not come this way: they are in the spool. What
 * does is where to send them, which may hold secrets and so never is on the disk, and the wish to
 * have them sent now.
 *
 * Each message is one packet: version, type, then its fields (base/pack.h). A peer of another
 * user is not listened to; one that sends anything else than this is hung up on.
 */
#ifndef BAWN_TELEMETRY_EXPORT_WIRE_H
#define BAWN_TELEMETRY_EXPORT_WIRE_H

#include "telemetry/signal.h"

#define EXPORT_VERSION     1u
#define EXPORT_MESSAGE_MAX (64u * 1024)
#define EXPORT_HEADERS     64u
#define EXPORT_KEY_BYTES   17u /* 16 hex digits and the terminator: the spool's name */

enum export_protocol { EXPORT_HTTP_PROTOBUF, EXPORT_HTTP_JSON, EXPORT_GRPC };

struct export_header {
    struct bytes name, value;
};

/* Descriptors that come with EXPORT_DESTINATION, in this order, those that are there: sent one
 * after the other, received each in its place (fds[0] is the CA's or -1, and so on). */
enum { EXPORT_FD_CA = 1u << 0, EXPORT_FD_CERTIFICATE = 1u << 1, EXPORT_FD_KEY = 1u << 2 };

struct export_destination {
    char key[EXPORT_KEY_BYTES]; /* export_key() */
    enum signal_kind kind;
    enum export_protocol protocol;
    bool gzip;
    uint32_t timeout_ms;   /* of one request, not 0 */
    uint32_t delay_ms;     /* after which a batch is sent although it is not full */
    uint32_t idle_ms;      /* after which the exporter ends when there is nothing to do */
    struct bytes endpoint; /* the whole URL */
    struct bytes proxy;    /* an HTTP proxy to go through, or empty */
    struct bytes no_proxy; /* hosts that it is not for, as curl reads them */
    struct export_header headers[EXPORT_HEADERS];
    size_t n_headers;
    unsigned fds; /* EXPORT_FD_*: PEM files, read from their beginning */
};

enum export_type {
    EXPORT_DESTINATION, /* send the spool `key` there from now on; again: the newest holds */
    EXPORT_WAKE,        /* there is something new in the spool `key` */
    EXPORT_FLUSH,       /* answer EXPORT_STATE when what is in the spool `key` was sent, or when it
                           is known that it cannot be now */
    EXPORT_STATE,       /* the answer */
};

enum export_state {
    EXPORT_SENT,   /* the collector has taken all of it */
    EXPORT_WAITS,  /* it is kept for later: why is in `text` */
    EXPORT_REFUSED /* the collector does not want it, and it is gone: why is in `text` */
};

struct export_answer {
    char key[EXPORT_KEY_BYTES];
    enum export_state state;
    uint32_t http_status;   /* of the last answer, 0: none */
    int32_t grpc_status;    /* of the last answer, -1: none */
    uint64_t sent, dropped; /* signals since the exporter began */
    struct bytes text;      /* one line for people, or empty; show() it */
};

struct export_message {
    enum export_type type;
    char key[EXPORT_KEY_BYTES]; /* EXPORT_WAKE, EXPORT_FLUSH */
    struct export_destination destination;
    struct export_answer answer;
};

/* Where its spool is: hex of a hash of what the destination is, not of its secrets: the first eight
 * bytes of SHA-256 of kind (a byte), protocol (a byte) and endpoint. */
void export_key(enum signal_kind kind, enum export_protocol protocol, struct bytes endpoint,
                char ret[EXPORT_KEY_BYTES]);

/* 0, -EMSGSIZE, -EINVAL for what export_unpack() would refuse: a key that is none, a control
 * character in a destination's texts, a header's name that is no token. */
int export_pack(const struct export_message *m, struct strbuf *out);
/* Texts point into PACKED and are terminated. -EBADMSG. */
int export_unpack(struct bytes packed, struct export_message *ret);

/* One packet with at most three descriptors. Never waits (FD becomes non-blocking): -EAGAIN.
 * -EPIPE when nobody listens. */
int export_send(int fd, const struct export_message *m, const int *fds, size_t n_fds);
/* Into BUF of EXPORT_MESSAGE_MAX bytes, where RET's texts are. The descriptors that came are the
 * caller's, each in its place, the others -1; after a failure all are. -EAGAIN, -EPIPE at the end,
 * -EBADMSG. */
int export_recv(int fd, char *buf, struct export_message *ret, int fds[3]);

#endif

/*
 * What the launcher and bawn-proxy say to each other, over one SOCK_SEQPACKET pair (spec 5.5, 5.7,
 * 5.8). Both are bawn of the same build, and still each side checks what comes as a stranger's: the
 * proxy reads bytes of the sandbox's making.
 *
 *   launcher                         proxy
 *     WIRE_START   settings (memfd)    reads them, opens what it needs, waits
 *     WIRE_LISTEN  listening sockets   confines itself
 *                                      WIRE_READY, or WIRE_FAILED with why
 *                                      WIRE_EVENTS  what was decided, and what of it ended,
 *                                                   several at a time
 *                                      WIRE_ASK     a host that no rule names; the client waits
 *     WIRE_ANSWER  to one question
 *     WIRE_FINISH  the command ended   WIRE_EVENTS, then WIRE_READY, and it exits
 *
 * The end of the socket ends the proxy. Every message begins with struct wire_head. Numbers are in
 * the machine's order: both ends run on it.
 */
#ifndef BAWN_NETWORK_WIRE_H
#define BAWN_NETWORK_WIRE_H

#include "base/mem.h"
#include "network/opened.h"
#include "network/policy.h"

#define WIRE_VERSION     3u
#define WIRE_MESSAGE_MAX 32768u /* bytes of one message */
#define WIRE_TEXT_MAX    1024u  /* bytes of a text in one */
#define WIRE_FDS_MAX     16u
#define WIRE_PATH_MAX    256u /* a path of a Unix socket with what is not printable as escapes */

enum wire_kind {
    WIRE_START = 1,
    WIRE_LISTEN, /* payload: an enum wire_listener byte a descriptor */
    WIRE_READY,
    WIRE_FAILED, /* payload: text */
    WIRE_NOTE,   /* payload: text that a person should see */
    WIRE_EVENTS, /* payload: `count` events packed one after another */
    WIRE_ASK,    /* payload: one event; `id` is to be sent back */
    WIRE_ANSWER, /* payload: struct wire_answer */
    WIRE_FINISH,
};

struct wire_head {
    uint16_t kind;
    uint16_t count;
    uint32_t version;
    uint64_t id;
    uint64_t dropped; /* of WIRE_EVENTS: how many were lost since the last, for want of room */
};

enum wire_listener {
    LISTEN_HTTP = 1,    /* proxy requests and CONNECT; TCP */
    LISTEN_SOCKS,       /* TCP */
    LISTEN_TRANSPARENT, /* what nftables redirects; TCP */
    LISTEN_DNS_UDP,     /* the stub resolver */
    LISTEN_DNS_TCP,
    LISTEN_SOCKS_UDP, /* for datagrams of associations; bound to the port of LISTEN_SOCKS */
};

struct wire_answer {
    uint8_t allow;
    uint8_t remember; /* for as long as the proxy lives: this host, port and protocol */
};

/* What the proxy is to hold. Strings may be NULL where that is said. */
struct wire_settings {
    struct netpolicy_settings policy;
    bool limited;   /* plain HTTP: only GET, HEAD and OPTIONS */
    bool socks_udp; /* UDP ASSOCIATE */
    bool all_unix_sockets;
    bool tells_ends; /* of connections: see wire_event.lasted_us */
    bool intercepts; /* bawn-intercept is there, over descriptor 4: it takes what `opened` names,
                      * and speaks with proxies of https:// */
    struct netopened opened;
    struct netrequests requests; /* for plain HTTP */
    const char *profile;         /* for hints, or NULL */
    const char *block_message;   /* or NULL */
    /* The way out, as URLs (http, https, socks5, socks5h), or NULL; and NO_PROXY's text. */
    const char *upstream_http, *upstream_https, *upstream_all, *no_upstream;
    const char *const *unix_sockets; /* absolute paths that x-unix-socket may name */
    size_t n_unix_sockets;
    const struct netrule *rules; /* `id` is the place in this list */
    size_t n_rules;
    const struct address *own; /* the host's */
    size_t n_own;
};

/* Appends S to OUT. -ENOMEM. */
int wire_settings_write(const struct wire_settings *s, struct strbuf *out);
/* Into A; the strings point into TEXT. -EINVAL for anything that is not whole and well-formed. */
int wire_settings_read(struct arena *a, struct bytes text, struct wire_settings *ret,
                       struct error *err);

/* One decision, or the end of a connection that it let through. */
struct wire_event {
    int64_t time_ms;    /* Unix time: of the decision */
    uint64_t lasted_us; /* of an end: how long since then, at least 1; else 0 */
    bool failed;        /* of an end: there never was a connection */
    struct netrequest request;
    struct netanswer answer; /* `rule` is told by its id; a rule that is in no list is NULL */
    bool asked;              /* somebody answered, now or before */
    char method[24];         /* of an HTTP request, else "" */
    /* Of a request for a Unix socket its path, printable; `request` has only a protocol then. */
    char path[WIRE_PATH_MAX];
};
/* The rule behind an answer that somebody gave: in no list. */
#define WIRE_RULE_NONE UINT32_MAX

/* Appends E to OUT. */
void wire_event_write(const struct wire_event *e, struct strbuf *out);
/* One event from the beginning of *TEXT, which is moved past it. RULES: those of the settings.
 * -EINVAL. */
int wire_event_read(struct bytes *text, const struct netrule *rules, size_t n_rules,
                    struct wire_event *ret);

/* Sends one message with N descriptors; never waits: -EAGAIN when there is no room. */
int wire_send(int fd, const struct wire_head *head, const void *payload, size_t n, const int *fds,
              size_t n_fds);
/* Receives one into BUF (of WIRE_MESSAGE_MAX bytes). The descriptors are the caller's to close, and
 * close-on-exec. 0 with *ret_payload, -EAGAIN, -EPIPE at the end of the socket, -EBADMSG. */
int wire_recv(int fd, char *buf, struct wire_head *ret, struct bytes *ret_payload,
              int fds[WIRE_FDS_MAX], size_t *ret_n_fds);

#endif

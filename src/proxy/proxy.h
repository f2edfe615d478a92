/*
 * The parts of bawn-proxy, and what they hand to each other.
 *
 *   main.c         start, confinement, the end
 *   launcher.c     the socket to bawn: settings, events, questions
 *   listen.c       accepting
 *   client.c       one connection from the sandbox: which protocol, and its life
 *   http.c         requests and responses: heads, bodies, keep-alive      (http_head.c,
 * http_body.c) socks.c        is pure; client_socks.c drives it transparent.c  redirected
 * connections                                  (tls_hello.c) stub.c         the resolver inside
 * (dns_message.c) dial.c         from a request to a connected socket: judged, resolved once,
 * judged, dialled resolve.c      c-ares way_out.c      through another proxy (way_tls.c: over TLS)
 * tunnel.c       bytes in both directions, without copying refuse.c       what clients are told
 * udp.c          SOCKS associations passage.c      how long what was let through lasts
 *
 * The program trusts the launcher's settings and nobody else: the sandbox talks to it, and so does
 * every server that is reached.
 */
#ifndef BAWN_PROXY_PROXY_H
#define BAWN_PROXY_PROXY_H

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "network/wire.h"
#include "proxy/http_body.h"
#include "proxy/http_head.h"
#include "helper/limits.h"
#include "helper/events.h"
#include "helper/loop.h"

#include <limits.h>
#include <netinet/in.h>
#include <sys/socket.h>

struct proxy;
struct client;

/* ---- buffers ---- */

/* Bytes that wait. Empty, it holds no memory. */
struct buffer {
    char *p;
    uint32_t start, end, cap;
};
static inline size_t buffer_n(const struct buffer *b)
{
    return b->end - b->start;
}
static inline struct bytes buffer_bytes(const struct buffer *b)
{
    return (struct bytes){b->p ? b->p + b->start : "", buffer_n(b)};
}
/* Room for N more, in one piece; NULL: no memory. */
char *buffer_room(struct buffer *b, size_t n);
bool buffer_put(struct buffer *b, const void *p, size_t n);
void buffer_take(struct buffer *b, size_t n); /* from its beginning */
void buffer_release(struct buffer *b);

/* One end of a connection. */
struct stream {
    struct watch watch;
    bool readable, writable;
    bool ended;   /* nothing more comes */
    bool broken;  /* an error: nothing comes, nothing goes */
    bool deaf;    /* nothing goes any more; something may still come */
    bool starved; /* broken for want of memory */
    bool hung_up; /* the kernel told of an end or an error: there is something to read */
    bool shut;    /* we said that nothing more comes from us */
    bool relayed; /* a pair of which bawn-intercept has the other end: closed, it was cut off */
};
void stream_event(struct stream *s, uint32_t events);
/* Reads into B up to LIMIT bytes in all. The bytes read; 0: nothing now (or ended, broken). */
size_t stream_read(struct stream *s, struct buffer *b, size_t limit);
/* Writes what goes at once; how much that was. */
size_t stream_send(struct stream *s, const void *p, size_t n);
/* Writes what it can. False: nothing goes any more. */
bool stream_write(struct stream *s, struct buffer *b);
void stream_shut(struct stream *s);

/* ---- what was let through ---- */

/* From a decision to the end of the connection that it let through. */
struct passage;
/* NULL where the launcher does not want to know of ends. */
struct passage *passage_begin(const struct proxy *p, const struct netrequest *q,
                              const struct netanswer *a);
/* *AT has ended, if there is one, and is NULL then; FAILED: it never reached anything. */
void passage_end(struct proxy *p, struct passage **at, bool failed);
/* The same without telling of it. */
void passage_drop(struct passage **at);

/* ---- dialling ---- */

/* Something has run out (an errno of that kind): said to the person, once. */
void proxy_exhausted(struct proxy *p, int error);

/* A question that stands; several may wait for one. */
struct asking {
    struct asking *next;
    struct question *question;
    void (*answered)(struct asking *a, bool allow);
};

enum dial_result {
    DIAL_CONNECTED,
    DIAL_REFUSED_BY_POLICY, /* dial.answer says why */
    DIAL_UNREACHABLE,       /* nobody there: dial.error */
    DIAL_TIMEOUT,
    DIAL_NO_TLS, /* with the proxy on the way: dial.problem */
    DIAL_FAILED, /* something of ours: descriptors, memory */
};

struct attempt {
    struct watch watch;
    struct dial *dial;
};

struct dial {
    struct proxy *proxy;
    void *owner;
    bool datagrams;
    struct netrequest request;
    char method[24]; /* for the record, or "" */
    bool judged;     /* the caller has judged already; `answer` stands */
    /* Told once. FD is the caller's; the pointers stay the caller's to keep alive until then. */
    void (*done)(struct dial *d, enum dial_result result, int fd);

    struct netanswer answer;
    bool asked;                /* somebody said yes */
    struct buffer early;       /* what the server said already: the caller takes it */
    int error;                 /* positive errno of the last attempt */
    char problem[512];         /* of the proxy on the way, or "": a sentence */
    bool running;              /* done() has not been called, and will be unless dial_stop() is */
    const struct way_out *way; /* through another proxy, or NULL */
    struct passage *passage;   /* of the connection; the caller takes it */

    /* private */
    struct address addresses[LIMIT_ADDRESSES];
    size_t n_addresses, next_address;
    uint16_t port; /* that is dialled */
    struct attempt attempts[LIMIT_ADDRESSES];
    size_t n_open;
    struct timer timer, next_timer;
    struct lookup *lookup;
    struct asking asking;
    struct wrapping *wrapping;   /* into TLS, to the other proxy */
    struct handshake *handshake; /* with the other proxy */
};

/* Judges (unless that was done), asks where that is to be done, resolves, judges what came of it,
 * connects. Records the decision. */
void dial_start(struct dial *d);
/* done() will not be called. */
void dial_stop(struct dial *d);
/* Where the socket of a rule stands. ".." in its path is not resolved: then it has no name. */
struct unix_place {
    char path[PATH_MAX]; /* without links */
    bool ours;           /* somebody like us can write to a directory on the way */
};
/* The socket file at PATH as a descriptor (O_PATH); a link counts only where nobody like us can
 * write. A negative errno. */
int unix_open(const char *path, struct unix_place *ret);
/* Was the socket that FD is connected to bound under the name LISTED, or where that is? Yes where
 * nobody could have brought another one there. */
bool unix_is_named(int fd, const char *listed, const struct unix_place *at);
/* Opens the Unix sockets of the settings, for dial_unix(). -ENOMEM. */
int dial_pin_sockets(struct proxy *p);
/* A Unix socket that the settings name, else -EACCES; 0 or a negative errno with *ret_fd. */
int dial_unix(struct proxy *p, struct bytes path, int *ret_fd);

/* What the policy says of Q, answers that were given counted in. */
void proxy_judge(struct proxy *p, const struct netrequest *q, struct netanswer *ret,
                 bool *ret_asked);
/* Writes the decision down. False: it allows what was never written down, and there is no room:
 * then it must not be acted on. */
bool proxy_record(struct proxy *p, const struct netrequest *q, const struct netanswer *a,
                  bool asked, const char *method);
/* The same of a Unix socket. */
bool proxy_record_socket(struct proxy *p, struct bytes path, const struct netanswer *a,
                         const char *method);

/* False: nobody can be asked (too many questions). */
bool proxy_ask(struct proxy *p, const struct netrequest *q, const struct netanswer *a,
               struct asking *asking);
void proxy_ask_stop(struct asking *asking);

/* ---- names ---- */

struct lookup;
/* Calls DONE once, maybe at once: STATUS 0 or a negative errno (-ENOENT: no such name or no
 * address, -EIO: no answer), then N addresses. NULL: DONE was called already. */
struct lookup *
resolve_start(struct proxy *p, const char *name,
              void (*done)(void *data, int status, const struct address *a, size_t n), void *data);
void resolve_stop(struct lookup *l);
int resolve_open(struct proxy *p, struct error *err);
void resolve_close(struct proxy *p);
/* How long to wait at most. */
int resolve_timeout(struct proxy *p, int timeout);
void resolve_timers(struct proxy *p);

/* ---- through another proxy ---- */

enum way_kind { WAY_HTTP, WAY_SOCKS };

struct way_out {
    enum way_kind kind;
    bool tls;
    struct host host;
    uint16_t port;
    const char *user, *password; /* or NULL */
    const char *authorization;   /* "Basic …", or NULL */
};
/* Reads the settings' URLs. */
int ways_open(struct proxy *p, struct error *err);
/* The way to Q, or NULL: straight. */
const struct way_out *way_for(const struct proxy *p, const struct netrequest *q);
/* On the connected FD, which it takes: asks the other proxy for d->request; dial_finish() is
 * called. */
int handshake_start(struct dial *d, int fd);
void handshake_stop(struct handshake *h);
/* Has TLS put round the connected FD, which it takes: dial_reached() or dial_finish() is called. */
int wrap_start(struct dial *d, int fd);
void wrap_stop(struct wrapping *w);
/* Notes what is wrong with the other proxy. */
void wrap_say(struct dial *d, const char *why, size_t n);
/* For these: goes on with FD; ends the dialling. */
void dial_reached(struct dial *d, int fd);
void dial_finish(struct dial *d, enum dial_result result, int fd);

/* ---- tunnels ---- */

struct flow {
    int pipe[2];
    size_t held; /* bytes in the pipe */
    bool done;   /* its source ended and its target was told */
};
struct tunnel {
    struct flow up, down;
};
void tunnel_begin(struct tunnel *t);
/* Moves what can be moved. 1: go on later (*ret_again: at once); 0: both directions have ended; <
 * 0: broken. */
int tunnel_move(struct proxy *p, struct tunnel *t, struct stream *client, struct stream *server,
                struct buffer *to_server, struct buffer *to_client, bool *ret_again);
void tunnel_end(struct proxy *p, struct tunnel *t);

/* ---- connections from the sandbox ---- */

enum client_state {
    CLIENT_FIRST,    /* nothing has come yet */
    CLIENT_GREETING, /* SOCKS */
    CLIENT_PASSWORD,
    CLIENT_REQUEST,
    CLIENT_STUB, /* DNS over TCP */
    CLIENT_PEEK, /* redirected: what is it? */
    CLIENT_HEAD, /* HTTP: reading a head */
    CLIENT_DIAL,
    CLIENT_EXCHANGE, /* HTTP: request goes, response comes */
    CLIENT_TUNNEL,
    CLIENT_GIVEN,     /* to bawn-intercept, as soon as `out` is empty */
    CLIENT_ASSOCIATE, /* SOCKS: datagrams, as long as this connection lives */
    CLIENT_LAST,      /* what is in `out` goes, then the end */
    CLIENT_DEAD,
};

/* One request and its response. */
struct exchange {
    char method[24];
    unsigned minor; /* of the client's HTTP */
    bool keep;      /* the client's connection may be used again */
    bool upgrade;
    bool head_sent;            /* the response's head went to the client */
    bool server_keep;          /* the server's connection may be used again */
    bool reused;               /* it is from the pool */
    bool chunk_up, chunk_down; /* framed anew */
    bool informed;             /* a 1xx came */
    struct body request, response;
    struct strbuf head; /* the request's, until it cannot be needed (again) */
};

struct client {
    struct stream client, server;
    struct proxy *proxy;
    struct client *next, *prev;
    enum client_state state;
    uint8_t listener; /* enum wire_listener */
    uint16_t port;    /* of the client, in the sandbox */
    struct timer timer;
    struct task task;
    struct buffer in, out;  /* from and to the client */
    struct buffer up, down; /* to and from the server */
    struct netrequest request;
    struct netrequest target;         /* of a redirected connection */
    struct netrequest server_request; /* what `server` was dialled for */
    bool server_unix;
    size_t looked_at; /* bytes of `in` without the end of a head */
    struct dial *dial;
    struct address addresses[LIMIT_ADDRESSES]; /* of the server, judged */
    size_t n_addresses;
    struct exchange *x;
    struct passage *passage; /* of what is carried now, or NULL */
    struct tunnel tunnel;
    struct inside *associated; /* it holds an association of this socket's open */
    struct waiting *waiting;   /* a query over TCP whose name is being looked up */
};

/* Accepts on FD from now on, and owns it then. */
bool listen_on(struct proxy *p, int fd, enum wire_listener kind);
void listen_close(struct proxy *p);
/* There is room again. */
void listen_resume(struct proxy *p);
/* PORT: the client's. */
void client_accept(struct proxy *p, int fd, enum wire_listener kind, uint16_t port);
void client_end(struct client *c);    /* at once */
void client_finish(struct client *c); /* when `out` is written */
void client_run(struct client *c);    /* goes on as far as it can */
void client_reset(struct client *c);  /* at once, and the client sees an error */
void client_drop_server(struct client *c);
/* FD is the client's server from now on. 0 or a negative errno. */
int client_take_server(struct client *c, int fd);
/* Dials c->request for METHOD; …_dialled() of the protocol is called in the end. JUDGED: what was
 * found already, or NULL. */
void client_dial(struct client *c, const char *method, const struct netanswer *judged, bool asked);
void client_tunnel(struct client *c);

/* May the client's connection to c->request be opened (spec 5.6)? NET_ALLOWED: it passes unopened.
 * NET_REQUEST: bawn-intercept is to have it. NET_NEEDS_MITM: it should, and there is none. */
enum net_reason client_opened(const struct client *c);
/* Gives client and server away, once what is in `out` is written; ends this. */
void client_hand_over(struct client *c);
/* What a state does. True: something moved, and the state may be another. */
bool http_head_step(struct client *c);
bool http_exchange_step(struct client *c);
void http_dialled(struct client *c, enum dial_result result, int fd);
void http_reset(struct client *c); /* frees the exchange */
bool socks_step(struct client *c);
void socks_dialled(struct client *c, enum dial_result result, int fd);
bool transparent_step(struct client *c);
void transparent_dialled(struct client *c, enum dial_result result, int fd);
/* Where a redirected connection was going, as c->request. False: nowhere that we know. */
bool transparent_target(struct client *c);

/* Idle connections to servers. */
struct pooled;
/* A connection to Q's host and port, or -1. */
int pool_take(struct proxy *p, const struct netrequest *q);
void pool_put(struct proxy *p, const struct netrequest *q, int fd);
/* The client's server, if it can be used again, goes there. */
void client_leave_server(struct client *c);
void pool_close(struct proxy *p);

/* ---- what clients are told (refuse.c) ---- */

struct refusal {
    unsigned status;
    const char *header;               /* x-proxy-error, or NULL */
    const char *reason;               /* a word */
    const struct netrequest *request; /* or NULL */
    const struct netanswer *answer;   /* or NULL */
    const char *text;                 /* a sentence, where there is no answer */
    bool no_body;                     /* to HEAD */
};
/* An HTTP response, into OUT; one line of JSON serves CONNECT as well. KEEP: the connection goes
 * on. */
void refuse_http(struct proxy *p, const struct refusal *r, bool keep, struct buffer *out);
/* The reason as a disconnect of SSH. */
void refuse_ssh(struct proxy *p, const struct netrequest *q, const struct netanswer *a,
                struct buffer *out);
/* What a failed dial means for HTTP. */
struct refusal refusal_of_dial(const struct dial *d, enum dial_result result);

/* ---- the stub resolver ---- */

struct names; /* which addresses stand for which names */
bool stub_listen(struct proxy *p, int fd);
bool stub_step(struct client *c); /* over TCP */
void stub_forget(struct client *c);
void stub_close(struct proxy *p);
/* Where a request names an address of the stub's, the name goes in its place. */
void stub_name(struct proxy *p, struct host *h);
/* The name that A stands for; false: none. */
bool stub_name_of(struct proxy *p, const struct address *a, struct host *ret);
/* Is A one of those addresses at all? */
bool stub_owns(const struct address *a);

/* ---- SOCKS datagrams ---- */

bool udp_listen(struct proxy *p, int fd);
/* False: no room, or no socket. */
bool udp_associate(struct client *c);
void udp_end(struct client *c);
void udp_close(struct proxy *p);

/* ---- the launcher ---- */

int launcher_start(struct proxy *p, struct error *err);  /* waits for the settings */
int launcher_listen(struct proxy *p, struct error *err); /* waits for the sockets */
void launcher_say(struct proxy *p, enum wire_kind kind, const char *text);
void launcher_flush(struct proxy *p); /* events */
int launcher_watch(struct proxy *p);
/* After the loop: what is left to say. */
void launcher_finish(struct proxy *p);

/* ---- names outside ASCII (to_ascii.c) ---- */

void to_ascii_use(void); /* from now on unicode.h's functions convert */
int to_ascii_main(void); /* bawn-proxy --to-ascii; the exit status */

/* ---- the machine's own addresses ---- */

/* From now on the policy learns of new ones. */
void own_open(struct proxy *p);

/* ---- confinement ---- */

/* Before anything of the sandbox's is read. */
int confine(struct proxy *p, struct error *err);

/* It stands at the same place of both families. */
static inline uint16_t port_of(const struct sockaddr_storage *a)
{
    return ntohs(((const struct sockaddr_in *)(const void *)a)->sin_port);
}

struct listener {
    struct watch watch;
    struct proxy *proxy;
    enum wire_listener kind;
    struct task task;
};

struct answered {
    struct netrequest request;
    bool allow;
};

struct proxy {
    struct loop loop;
    struct arena arena;
    struct wire_settings settings;
    struct netpolicy *policy;
    struct unix_socket {
        int fd; /* O_PATH; a negative errno: it was not there */
        struct unix_place *place;
    } * sockets; /* of settings.unix_sockets */
    struct watch launcher, addresses;
    struct events events;
    uint64_t noted[8192]; /* hashes of what was allowed and written down */
    size_t n_noted, n_hurried;
    uint64_t noted_seed;
    bool said_files, said_memory, said_upstream;
    bool events_blocked; /* the launcher's socket is full */
    bool finishing;
    struct listener listeners[WIRE_FDS_MAX];
    size_t n_listeners;
    bool accept_paused;
    struct client *clients;
    size_t n_clients, most_clients;
    struct question *questions;
    size_t n_questions;
    uint64_t last_question;
    VEC(struct answered) answers;
    struct resolver *resolver;
    struct names *names;
    struct udp *udp;
    struct pooled *pool;
    size_t n_pool;
    const struct way_out *way_http, *way_https, *way_all;
    int pipes[64][2];
    size_t n_pipes;
    struct http_head head; /* within one call */
    char scratch[65536];   /* the same */
};

#endif

/*
 * The parts of bawn-intercept, and what they hand to each other.
 *
 *   main.c        start and end                 launcher.c   the socket to bawn
 *   ca.c          the run's CA and its leaves   tls.c        both contexts
 *   link.c        one end of a TLS connection: bytes that came, bytes to go
 *   session.c     one client and its servers: who is served by what
 *   client_h1.c   requests as they come, responses as they go      client_h2.c
 *   server_h1.c   the same to and from servers                     server_h2.c
 *   exchange.c    a request and its response, in no protocol's form
 *   judge.c       may the request be made; secrets put in (exchange.c hides them again)
 *   relay.c       bytes between bawn-proxy and another proxy that is spoken to in TLS
 *   confine.c     what the process gives up
 *
 * A session's parts never call each other in circles: session_run() asks each in turn to move what
 * it can, until nothing moves. What limits a part is the room in the queue it writes to.
 *
 * The process holds the key that the sandbox trusts, and the secrets. It reads what the sandbox and
 * servers send, with OpenSSL and nghttp2 between: so it opens no file, starts nothing, and connects
 * only to addresses that bawn-proxy checked.
 */
#ifndef BAWN_INTERCEPT_INTERCEPT_H
#define BAWN_INTERCEPT_INTERCEPT_H

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "intercept/confine.h"
#include "helper/events.h"
#include "helper/handover.h"
#include "intercept/secrets.h"
#include "intercept/settings.h"
#include "network/wire.h"
#include "proxy/http_body.h"
#include "proxy/http_head.h"
#include "helper/limits.h"
#include "helper/loop.h"

#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>

#define QUEUE_MOST        (256u * 1024) /* bytes that wait in one place; a window of HTTP/2 */
#define CONNECTION_WINDOW (1024 * 1024) /* of HTTP/2, all streams together */
#define LINK_IN_MOST      (LIMIT_HEAD + 32768u) /* a whole head fits, and the parser says so */
#define LINK_OUT_MOST     65536u
#define READ_AT_ONCE      16384
#define SERVERS_MOST      6u   /* connections to a host for one client */
#define STREAMS_MOST      128u /* of one client's HTTP/2 connection */
#define LEAVES_MOST       1024u
#define SECRETS_A_HOST    16u
#define ROUNDS_MOST       64 /* of one session before others have their turn */

struct intercept;
struct session;
struct server;

/* ---- bytes that wait ---- */

/* Memory that is given back is wiped: there may be secrets in it. */
struct queue {
    char *p;
    size_t start, end, cap;
    bool failed; /* out of memory, once: what follows would not fit what is missing */
};
static inline size_t queue_n(const struct queue *q)
{
    return q->end - q->start;
}
static inline struct bytes queue_bytes(const struct queue *q)
{
    return (struct bytes){q->p ? q->p + q->start : "", queue_n(q)};
}
/* Room for N more in one piece, to be filled and added to `end`; NULL: no memory. */
char *queue_room(struct queue *q, size_t n);
bool queue_put(struct queue *q, const void *p, size_t n);
bool queue_puts(struct queue *q, const char *s);
void queue_take(struct queue *q, size_t n); /* from its beginning */
void queue_trim(struct queue *q);           /* empty, it holds no memory */
void queue_release(struct queue *q);

/* ---- header fields ---- */

struct field_at {
    uint32_t name, n_name, value, n_value; /* in the text; n_name 0: taken out */
};
struct fields {
    struct strbuf text;
    VEC(struct field_at) v;
};
/* False: no memory, or beyond LIMIT_HEAD or LIMIT_FIELDS. */
bool fields_add(struct fields *f, struct bytes name, struct bytes value);
bool fields_adds(struct fields *f, const char *name, const char *value);
/* Field I; name.n 0: taken out. */
struct http_field fields_get(const struct fields *f, size_t i);
/* The next field NAME (without case) from *AT on, which is set behind it. */
bool fields_find(const struct fields *f, struct bytes name, size_t *at, struct http_field *ret);
bool fields_have(const struct fields *f, const char *name);
void fields_remove(struct fields *f, const char *name);
void fields_release(struct fields *f);
bool bytes_eq_case(struct bytes a, struct bytes b);

/* ---- one end of a connection ---- */

enum link_state { LINK_CLOSED, LINK_CONNECTING, LINK_HANDSHAKE, LINK_OPEN, LINK_FAILED };

struct link {
    struct watch watch;
    struct loop *loop;
    struct task *task; /* is called when something may move */
    SSL *ssl;
    enum link_state state;
    struct queue first; /* read by somebody else before */
    struct queue in, out;
    uint32_t events; /* of this connection attempt */
    bool read_blocked, write_blocked;
    bool in_end;  /* the other side said that it is done */
    bool in_cut;  /* … or went without a word */
    bool out_end; /* to be ended when `out` is empty */
    bool out_ended;
    bool outlives_writing; /* what cannot be sent is lost; what comes is read all the same */
    bool h2;               /* what ALPN chose */
    char problem[200];     /* LINK_FAILED: a sentence */
};

/* Takes FD over. SSL has its role and names set already. */
bool link_open(struct link *l, struct loop *loop, struct task *task, int fd, SSL *ssl,
               bool connecting);
/* Reads, writes, goes on with the handshake. True: something moved. */
bool link_step(struct link *l);
void link_fail(struct link *l, const char *problem);
void link_trim(struct link *l); /* nothing moves for now */
void link_close(struct link *l);
static inline bool link_is_up(const struct link *l)
{
    return l->state == LINK_OPEN;
}
static inline size_t link_out_room(const struct link *l)
{
    size_t n = queue_n(&l->out);
    return n < LINK_OUT_MOST ? LINK_OUT_MOST - n : 0;
}

/* ---- one request and its response ---- */

struct exchange {
    struct exchange *next;
    struct session *session;
    int32_t stream; /* of the client's HTTP/2 */

    /* the request */
    char method[MAX_METHOD_BYTES + 1];
    struct strbuf path;
    struct strbuf authority; /* as the client said it */
    struct fields request;   /* without those of the connection, Host and Content-Length */
    bool has_length;
    uint64_t length;
    bool no_body;
    bool trailers_wanted; /* TE: trailers */
    struct strbuf upgrade_to;
    struct queue up; /* its body, on its way */
    bool up_end;     /* … has come whole */
    bool up_cut;     /* … will not */
    size_t up_unacked;
    bool judged, allowed;

    /* who answers */
    struct server *server;
    int32_t server_stream;
    bool needs_server; /* waits for one */
    bool submitted;    /* the head went to the server */
    bool up_deferred;  /* the server's nghttp2 waits for more of the body */
    bool reached;      /* something of the body has left `up` */
    unsigned tries;

    /* the response */
    unsigned status;        /* 0: it has not come */
    unsigned coming_status; /* HTTP/2: of the head that comes */
    struct strbuf reason;
    struct fields response, trailers;
    bool response_has_length;
    uint64_t response_length;
    bool response_no_body;
    unsigned info_status; /* a 1xx that is to be passed on */
    struct fields info;
    struct queue down;
    size_t held; /* at the end of `down`: may be the beginning of a secret */
    size_t down_unacked;
    bool down_end;
    bool broken; /* the response cannot come to a proper end */
    bool tunnel; /* 101 */

    /* what of it went to the client */
    bool head_sent, end_sent;
    bool down_deferred;
    bool minor0; /* the client speaks HTTP/1.0 */
};

struct exchange *exchange_new(struct session *s);
/* Lets go of the server as well. */
void exchange_free(struct exchange *x);
/* Bytes of the response's body; hides secrets. False: no memory. */
bool exchange_put_down(struct exchange *x, struct bytes data);
void exchange_end_down(struct exchange *x);
static inline size_t exchange_down_n(const struct exchange *x)
{
    return queue_n(&x->down) - x->held;
}
/* The head of the response is whole: hides secrets, takes out what is not for clients. False: it
 * was replaced by a refusal. */
bool exchange_head_came(struct exchange *x);
void exchange_hide(const struct exchange *x, struct fields *f);
/* An answer of our own in the place of the server's. REASON is NET_ALLOWED where nothing was
 * decided but something is wrong; WORD may be NULL where there is a reason, RULE always. */
void exchange_refuse(struct exchange *x, unsigned status, enum net_reason reason, const char *word,
                     const char *text, const struct netrule *rule);
/* No answer can be had: 502, or, when the head is on its way already, a break. */
void exchange_fail(struct exchange *x, const char *word, const char *text);
/* May the request be sent a second time? */
bool exchange_can_repeat(const struct exchange *x);

/* ---- may it be made? (judge.c) ---- */

/* With method, path, authority and fields in place. Refuses, or puts secrets in and lets it wait
 * for a server. */
void judge_exchange(struct exchange *x);
/* Which secrets belong to the session's host. */
void judge_session(struct session *s);
/* Is TEXT a path as it may stand in a request line? */
bool path_is_fine(struct bytes text);

/* ---- servers ---- */

struct server {
    struct server *next;
    struct session *session;
    struct link link;
    struct timer timer;
    enum timer_kind timer_kind;
    bool timer_set;
    nghttp2_session *h2;
    bool only_h1;
    bool done; /* takes no more requests */
    size_t n_streams;
    bool used; /* has answered before */
    uint64_t served;
    /* HTTP/1 */
    struct exchange *current;
    struct body body;
    bool head_came, keep, body_sent;
};

/* Each: true when something moved. */
bool server_h1_step(struct server *v);
bool server_h2_step(struct server *v);
bool server_h2_open(struct server *v);
/* Sends the request. False: not possible any more. */
bool server_h2_submit(struct server *v, struct exchange *x);
/* The exchange is of no interest any more. */
void server_h2_forget(struct server *v, struct exchange *x);
/* It cannot go on: what waits for it is told, or sent anew elsewhere. */
void server_failed(struct server *v, const char *problem);

/* ---- clients ---- */

struct session {
    struct session *next, *prev;
    struct intercept *intercept;
    struct task task;
    struct timer timer;
    enum timer_kind timer_kind;
    bool timer_set;
    uint64_t timer_served, served;
    bool dead;

    struct netrequest target;
    int64_t began_ms; /* Unix time */
    uint64_t began_us;
    struct address addresses[LIMIT_ADDRESSES];
    size_t n_addresses, next_address;
    int given; /* the server's descriptor that came along, or -1 */
    const struct intercept_credential *credentials[SECRETS_A_HOST];
    const struct secret *secrets[SECRETS_A_HOST];
    size_t n_secrets;
    bool has_rules;

    struct link client;
    nghttp2_session *h2;
    struct exchange *exchanges, **last_exchange;
    size_t n_exchanges;
    /* HTTP/1 */
    struct exchange *current;
    struct body body;
    bool close_after, lingering;
    bool over; /* the client was told to go */

    struct server *servers;
    size_t n_servers;
    bool server_is_h1; /* what ALPN chose the last time */
    bool names_differ; /* the client's SNI is not the target's name */
    char failure[256]; /* of the last server */
};

void session_start(struct intercept *ic, const struct handover *h, int client, int server);
void session_run(struct session *s);
void session_wake(struct session *s); /* in the loop's next round */
void session_end(struct session *s);
/* Each: true when something moved. May end the session. */
bool client_h1_step(struct session *s);
bool client_h2_step(struct session *s);
bool client_h2_open(struct session *s);

/* ---- the way to another proxy ---- */

struct relay;
/* Both descriptors are the relay's from now on. */
void relay_start(struct intercept *ic, const struct handover *h, int pair, int server);
void relays_end(struct intercept *ic);

/* ---- certificates ---- */

struct ca;
int ca_new(struct ca **ret, struct error *err);
void ca_free(struct ca *ca);
/* The certificate as PEM. */
int ca_pem(const struct ca *ca, struct strbuf *out);
/* A certificate for HOST that holds now; of the CA's cache, not to be freed. NULL: no memory. */
X509 *ca_leaf(struct ca *ca, const struct host *host);
EVP_PKEY *ca_leaf_key(const struct ca *ca);
X509 *ca_certificate(const struct ca *ca);

/* Both contexts; reads the roots. */
int tls_open(struct intercept *ic, struct error *err);
void tls_close(struct intercept *ic);
SSL *tls_for_client(struct session *s);
SSL *tls_for_server(struct session *s, struct server *v);
SSL *tls_for_relay(struct intercept *ic, const struct host *host);
BIO_METHOD *link_bio(void); /* NULL: no memory */

/* ---- the launcher ---- */

int launcher_start(struct intercept *ic, struct error *err); /* waits for the settings */
void launcher_say(struct intercept *ic, enum wire_kind kind, const char *text, size_t n);
int launcher_watch(struct intercept *ic);
void launcher_flush(struct intercept *ic);
/* False: there is no room; what it allows must not be acted on. */
bool launcher_record(struct intercept *ic, const struct netrequest *q, enum net_decision decision,
                     enum net_reason reason, const struct netrule *rule, const char *method);
/* S has ended: told, where the launcher wants to know and there is plenty of room. */
void launcher_ended(const struct session *s);

struct intercept {
    struct loop loop;
    struct arena arena;
    struct intercept_settings settings;
    struct secrets secrets;
    struct ca *ca;
    SSL_CTX *to_clients, *to_servers;
    struct watch launcher, handover;
    struct events events;
    struct session *sessions;
    size_t n_sessions;
    struct relay *relays;
    size_t n_relays;
    bool finishing;
    char message[WIRE_MESSAGE_MAX];
    char received[HANDOVER_MAX];
};

#endif

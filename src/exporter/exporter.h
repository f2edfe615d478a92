/*
 * bawn-exporter: takes signals out of the spools of one $BAWN_HOME and sends them to collectors.
 *
 * One thread of its own, one loop (main.c): libcurl's transfers, the listening socket, the clients,
 * a signalfd. libcurl starts a thread for each look-up of a name, which runs nothing of ours.
 *
 *   serve.c        the lock, the socket, clients and what they ask for
 *   destination.c  where to send: what a client told, checked and kept
 *   batch.c        from the spool's frames to a request's body; what was dropped becomes a metric
 *   deliver.c      requests, answers, when to try again
 *   confine.c      what the process gives up before all of that
 *   grpc.c, retry.c, otlp.c   pure
 *
 * A destination is in one of three states: nothing to send; a batch that is being filled, until
 * it is full or DELAY_MS old or somebody waits; a batch that is *sealed*: it is on its way, or
 * waits to go again, and nothing is added to it. A sealed batch keeps its bytes, so that the same
 * records go out again under the same identities. It ends by being committed to the spool.
 *
 * Whom it trusts: nobody. Clients are of our own user and may be a command's process that got hold
 * of the socket; collectors are anybody; spool files may be damaged.
 */
#ifndef BAWN_EXPORTER_EXPORTER_H
#define BAWN_EXPORTER_EXPORTER_H

#include "base/vec.h"
#include "exporter/grpc.h"
#include "exporter/otlp.h"
#include "exporter/retry.h"
#include "telemetry/spool.h"

#include <curl/curl.h>

#define CONTROL_FD   3 /* a socket to the launcher that started us: the first client */
#define DIRECTORY_FD 4 /* $BAWN_HOME/telemetry */

#define MOST_CLIENTS      64u
#define MOST_DESTINATIONS 32u
#define MOST_WAITERS      256u               /* flushes that wait at one destination */
#define MOST_PEM          (1024u * 1024)     /* bytes of a certificate's or a key's file */
#define MOST_ROOTS        (8u * 1024 * 1024) /* bytes of the system's roots */
#define MOST_FIELDS       (64u * 1024)       /* bytes of an answer's header and trailer */
#define MOST_PASSED                                                                                \
    (4u * 1024 * 1024) /* bytes of a body that are passed over to get at its trailer */
#define BATCH_BYTES      (1024u * 1024) /* packed, after which a batch is full */
#define TIMEOUT_LEAST_MS 100u
#define TIMEOUT_MOST_MS  600000u
#define IDLE_MOST_MS     600000u
#define IDLE_LEAST_MS    5000u /* before the first destination, and while something is tried again */
#define SLOWLY_MS        60000u
#define FINISH_MS        1000 /* after SIGTERM, for what is on its way */
/* While a request is on its way libcurl is called at least that often: older ones read of HTTP/2
 * and forget to look at what they have. */
#define LOST_MS 100
#define LOOK_MS 5000 /* between two looks whether our directory is still there */

/* Everything about the way there; what was told never changes: a request on its way keeps what it
 * began with. */
struct target {
    unsigned refs;
    bool proven; /* somebody answered: its connection may be used again */
    enum signal_kind kind;
    enum export_protocol protocol;
    bool gzip;
    uint32_t timeout_ms;
    char *url, *proxy, *no_proxy;
    struct curl_slist *headers, *headers_gzip; /* the second say that the body is compressed */
    struct strbuf ca, certificate, key;        /* PEM; empty: the system's roots, none */
    struct strbuf told;                        /* what it was made of, to see whether it is new */
};

struct batch {
    struct arena arena; /* the signals' bytes and arrays */
    VEC(struct signal) signals;
    VEC(struct spool_place) after; /* the place behind each */
    struct spool_place end;        /* behind all of them, and what was skipped */
    bool any;                      /* `end` is set */
    size_t bytes;                  /* packed */
    int64_t since_ms;              /* when the first came */
    uint64_t observed_ns;
    bool sealed, gzip;  /* `gzip`: the body is */
    struct strbuf body; /* as it is sent */
};

enum drop_reason { DROP_SPOOL, DROP_COLLECTOR, DROP_REASONS };

/* What came back so far. */
struct answer {
    struct grpc_status grpc;
    uint32_t retry_ms;
    bool json, too_long, head_whole;
    size_t field_bytes, body_bytes;
    struct strbuf body;
    char error[CURL_ERROR_SIZE];
};

struct waiter {
    struct client *client;
    bool read; /* all that was there when it asked is in the batch, or done with */
    bool refused;
};

struct destination {
    char key[EXPORT_KEY_BYTES];
    enum signal_kind kind;
    struct target *target;
    uint32_t delay_ms, idle_ms;
    uint64_t told; /* counts up: who was told of last */

    struct spool_reader *reader; /* NULL: there is no spool yet */
    bool look;                   /* there may be something new in it */
    bool hurry;                  /* somebody asked for a flush, and may be gone */
    struct batch batch;
    size_t most; /* signals of a batch: less after one was too large */
    bool plain;  /* gzip was not understood */
    bool filled; /* the spool was looked at once more, for the batch is due */
    bool fresh;  /* not over a connection that was kept */

    CURL *easy;            /* a request on its way, of */
    struct target *flying; /* … this target */
    struct answer answer;

    bool failing;
    uint32_t pause;     /* retry_pause()'s */
    int64_t due_ms;     /* not before, while failing */
    int64_t told_to_ms; /* a collector's word: not before */

    VEC(struct waiter) waiters;
    uint64_t sent, dropped;        /* since we began */
    uint64_t untold[DROP_REASONS]; /* of dropped: not in any metric yet */
    uint32_t http_status;
    int32_t grpc_status;
    char text[512]; /* of the last failure or refusal, printable */
};

struct client {
    int fd;        /* -1: a free place */
    uint64_t used; /* counts up: who was heard of last */
};

struct exporter {
    int dirfd, lock, listener, signals;
    uint64_t socket_dev, socket_ino; /* of the name that we have bound */
    CURLM *multi;
    struct strbuf roots; /* the system's, PEM */
    struct client clients[MOST_CLIENTS];
    struct destination *destinations[MOST_DESTINATIONS];
    size_t n_destinations;
    uint64_t told, used;
    int64_t now_ms, progress_ms; /* of this round; when something was last done for somebody */
    bool stop;                   /* nothing new is begun */
    int64_t stop_ms;
    char packet[EXPORT_MESSAGE_MAX];
};

/* ---- serve.c ---- */

/* Takes the lock: 0, -EBUSY: there is an exporter already. */
int serve_lock(struct exporter *x, struct error *err);
int serve_listen(struct exporter *x, struct error *err);
int serve_first_client(struct exporter *x, struct error *err);
/* Descriptors to wait on; what is ready is handled by serve_ready(). */
size_t serve_wait(const struct exporter *x, struct curl_waitfd *fds);
#define SERVE_FDS (MOST_CLIENTS + 2)
void serve_ready(struct exporter *x, const struct curl_waitfd *fds, size_t n);
bool serve_has_clients(const struct exporter *x);
/* Is the name in our directory still ours? Nobody finds us otherwise. */
bool serve_is_ours(const struct exporter *x);
void serve_close(struct exporter *x);
/* Answers those who wait at D: all of them, or those whose signals are done with. */
void serve_answer(struct destination *d, enum export_state state, bool all);

/* ---- destination.c ---- */

struct destination *destination_find(struct exporter *x, const char *key);
/* What a client told. The descriptors stay the caller's. -EBADMSG: it is none; -EBUSY: all places
 * are taken by destinations with a request on its way. */
int destination_set(struct exporter *x, const struct export_destination *told, const int fds[3]);
void destination_free(struct exporter *x, struct destination *d);
void target_unref(struct target *t);

/* ---- batch.c ---- */

/* Reads on, unless the batch is sealed. A negative errno: the spool cannot be read; d->text says
 * why, and the batch is empty. */
int batch_fill(struct exporter *x, struct destination *d);
bool batch_is_full(const struct destination *d);
/* Seals it and makes its body. -E2BIG: not even one signal fits; -EAGAIN: it has to be
 * filled anew; -ENOMEM. */
int batch_seal(struct destination *d);
void batch_count_dropped(struct destination *d, enum drop_reason why, uint64_t n);
/* What was dropped becomes a measurement, if those go anywhere. */
void batch_tell_dropped(struct exporter *x, struct destination *d);
/* Half of it (or nothing, to be filled anew); false when it is one already. */
bool batch_halve(struct destination *d);
/* Everything in it is done with: TAKEN of it by the collector, the rest dropped. */
void batch_done(struct exporter *x, struct destination *d, uint64_t dropped);
void batch_clear(struct batch *b);
void batch_release(struct batch *b);

/* ---- deliver.c ---- */

int deliver_open(struct exporter *x, struct error *err);
/* Begins what is due. How long until there is more to do: milliseconds, -1 for ever. */
int deliver_pump(struct exporter *x);
void deliver_perform(struct exporter *x);
bool deliver_flies(const struct exporter *x);
/* Is there anything that could be sent now or soon? */
bool deliver_has_work(const struct exporter *x);
void deliver_cancel(struct exporter *x, struct destination *d);
void deliver_close(struct exporter *x);

#endif

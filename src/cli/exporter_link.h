/*
 * bawn-exporter as seen from the launcher: finding the one that runs, or starting one, and telling
 * it where signals go (telemetry/export_wire.h). Nothing here waits but exporter_flush(), and that
 * no longer than it is told.
 *
 * There is one for each $BAWN_HOME. Two launchers may start one each at the same moment: the one
 * that comes too late ends at once, its socket hangs up, and the other one is looked for. An
 * exporter that has had nothing to do for a while ends as well; so every step tries again when it
 * finds nobody at the other end.
 */
#ifndef BAWN_CLI_EXPORTER_LINK_H
#define BAWN_CLI_EXPORTER_LINK_H

#include "base/error.h"
#include "permissions/permissions.h"
#include "telemetry/export_wire.h"

#define EXPORTER_PROGRAM "bawn-exporter"
#define EXPORTER_SOCKET  "socket-1" /* in $BAWN_HOME/telemetry; the number is EXPORT_VERSION */

/* Where signals of one kind go. */
struct exporter_target {
    bool on;
    struct export_destination destination; /* its strings are the caller's */
    int fds[3];                            /* CA, certificate, key, or -1 */
};

/* What the exporter said. */
struct exporter_answer {
    bool came;
    enum export_state state;
    uint32_t http_status; /* 0: none */
    int32_t grpc_status;  /* -1: none */
    uint64_t sent, dropped;
    int64_t took_ms; /* since it was asked */
    char text[512];  /* printable, or "" */
};

struct exporter_link {
    int dirfd;           /* $BAWN_HOME/telemetry; the caller's */
    const char *program; /* path of bawn-exporter */
    const struct profile *profile;
    struct exporter_target targets[SIGNAL_KINDS];
    int fd;     /* -1: not connected */
    int errors; /* what the one that we started wrote; -1 */
    unsigned starts;
};

void exporter_link_init(struct exporter_link *l, int dirfd);
/* Connects or starts one, and tells it the targets; when it is connected already, sees whether
 * somebody is still there. MOST_MS: how long to try again when the other end goes away; 0: not at
 * all. 0, or an error whose message says why in one line. */
int exporter_connect(struct exporter_link *l, int most_ms, struct error *err);
/* There is something new in every spool. */
int exporter_wake(struct exporter_link *l);
/* Asks for everything to be sent, and waits at most MOST_MS for the answers, one for each target
 * that is on. 0: all of them came. -ETIMEDOUT, or what exporter_connect() says. */
int exporter_flush(struct exporter_link *l, int most_ms, struct exporter_answer ret[SIGNAL_KINDS],
                   struct error *err);
void exporter_link_release(struct exporter_link *l);

#endif

/*
 * TLS connections that are opened (spec 5.6): what the configuration says of requests and
 * credentials, bawn-intercept as a process, and what the sandbox needs for it (roots to trust,
 * placeholders in the place of secrets). The process is there as well where another proxy on the
 * way is spoken to in TLS. See proxy_front.h for the rest of the network.
 */
#ifndef BAWN_CLI_PROXY_OPENING_H
#define BAWN_CLI_PROXY_OPENING_H

#include "cli/proxy_start.h"
#include "cli/setup.h"
#include "intercept/secrets.h"
#include "intercept/settings.h"
#include "network/opened.h"

#define OPENING_CA    "/dev/bawn-ca.pem"
#define OPENING_ROOTS "/dev/bawn-roots.pem"

struct opening {
    struct netrequests requests;
    struct netcredentials credentials;
    struct netopened opened;
    bool upstream; /* another proxy is spoken to in TLS */
    bool any;      /* something is opened; else there is nothing of it but the process */
    struct secrets secrets;
    struct plan_opening plan;
    struct net_file files[2];
    struct proxy process;
    int handover[2]; /* bawn-proxy's end, bawn-intercept's */
};
static inline bool opening_runs(const struct opening *o)
{
    return o->any || o->upstream;
}

/* Holds nothing yet. */
void opening_init(struct opening *o);
/* Reads the configuration, and the secrets where RUNS. A fault has its place. */
int opening_prepare(struct opening *o, struct setup *s, bool runs, struct error *err);
/* Starts bawn-intercept and waits until it has made its CA; the files are there then, where
 * something is opened. */
int opening_start(struct opening *o, struct setup *s, struct error *err);
void opening_release(struct opening *o);

#endif

/*
 * The launcher's side of a filtered network: one for each run, in struct setup. Rules, listeners
 * and the way out come from the configuration; decisions go to the record; questions to whoever
 * answers them.
 */
#ifndef BAWN_CLI_PROXY_FRONT_H
#define BAWN_CLI_PROXY_FRONT_H

#include "cli/setup.h"
#include "network/wire.h"
#include "sandbox/sandbox.h"

/* Who is asked about destinations. */
struct net_asker {
    bool unknown, rule; /* as in struct netpolicy_settings */
    /* The terminal is the caller's meanwhile. INSIDE: where the client is looked for. */
    void (*ask)(void *data, const struct wire_event *e, const struct asker_place *inside,
                struct wire_answer *ret);
    const char *parent; /* id of the run in the audit log */
    void *data;
};

struct net_front;

/* Reads what the proxy is to hold, into s->net_front; the profile's network is filtered. A fault of
 * the configuration has its place. */
int net_front_prepare(struct setup *s, struct error *err);
/* The way out through other proxies in words, for --explain; NULL: straight. */
const char *net_front_upstream(const struct net_front *f);
/* What the plan needs where TLS connections are opened, or NULL. */
const struct plan_opening *net_front_opening(const struct net_front *f);
/* Starts bawn-proxy; the sandbox is set up while it reads its rules. */
int net_front_start(struct net_front *f, struct error *err);
/* For sandbox_run(). SUMMARY: it prints the refusals itself. */
struct run_network *net_front_run(struct net_front *f, bool summary);
/* The run is over, or came to nothing. SEE is called for each distinct refusal that nobody else was
 * told of. */
void net_front_end(struct net_front *f, void (*see)(void *data, const struct denial *denial),
                   void *data);
/* NULL is fine. */
void net_front_free(struct net_front *f);

#endif

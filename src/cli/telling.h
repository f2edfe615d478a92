/*
 * What one command tells a collector: its events, its spans as one tree, its measurements
 * (spec 6.3). In struct setup, so that whoever has something to tell finds it.
 *
 *   bawn.run or bawn.sandbox
 *     ├ rules      judging the words
 *     ├ question   somebody was asked
 *     ├ setup      until the command ran
 *     ├ command    until it ended; $TRACEPARENT of the command names this one
 *        └ network a connection, or a destination that was refused
 *
 * Every function takes NULL for "telemetry is off".
 */
#ifndef BAWN_CLI_TELLING_H
#define BAWN_CLI_TELLING_H

#include "cli/setup.h"
#include "record/event.h"
#include "sandbox/denials.h"

struct telling;
struct telemetry;

/* After cli_load(): S->telling, which stays NULL when nothing is to be exported. VERB: "run",
 * "sandbox"; the root span began at START_NS. 0, or what to exit with, after it was said. */
int telling_begin(struct setup *s, const char *verb, uint64_t start_ns);
/* A child of the root that began at START_NS and ends now. */
void telling_phase(struct telling *t, const char *name, uint64_t start_ns);

/* What follows belongs to it: the command that runs then, its outcome. */
void telling_decision(struct telling *t, const struct decision_event *e);
/* SCOPE as in struct approval_event. */
void telling_approval(struct telling *t, const char *id, const char *scope, const char *answer,
                      enum decided_by by, uint64_t asked_ms);
/* The destination's event; of a refusal also the span, an instant. */
void telling_net(struct telling *t, const struct net_event *e);
/* The span of a connection that E let through, or (FAILED) that could not be made. */
void telling_connection(struct telling *t, const struct net_event *e, uint64_t lasted_us,
                        bool failed);
/* Are spans made at all? */
bool telling_spans(const struct telling *t);

/* Before the plan is made: $TRACEPARENT of the command. -ENOMEM. */
int telling_environment(struct telling *t, struct setup *s);
/* For sandbox_run(); NULL when there is nobody to tell. */
struct run_report *telling_report(struct telling *t);
void telling_denial(struct telling *t, const struct denial *d);
/* The command ended, or (STARTED false) was never run. */
void telling_ran(struct telling *t, const struct setup *s, bool started);
/* It was refused before anything was set up. */
void telling_refused(struct telling *t);

/* The end: the root span, and whatever waits is sent on its way. Sets S->telling to NULL. */
void telling_end(struct setup *s, int status);

#endif

/*
 * The third sink of the record (record/event.h): events become signals in the spool. What may leave
 * is decided here, before anything is written: an attribute of the event table is plain, a payload
 * (only with log_tool_payloads, else as its length and SHA-256) or never leaves. Secrets are
 * redacted even then.
 *
 * Every function takes NULL for "telemetry is off". Nothing here waits, and nothing fails the
 * caller: what cannot be spooled is counted (telemetry_lost()).
 */
#ifndef BAWN_TELEMETRY_TELEMETRY_H
#define BAWN_TELEMETRY_TELEMETRY_H

#include "record/event.h"
#include "telemetry/signal.h"

struct telemetry;

struct telemetry_target {
    bool on;
    char key[17]; /* export_key(): the spool's name */
};

struct telemetry_setup {
    int dirfd; /* $BAWN_HOME/telemetry, open; stays the caller's */
    struct telemetry_target targets[SIGNAL_KINDS];
    struct attributes resource;   /* of the process: service.name, env, … */
    struct attributes common;     /* of every log record: conversation.id, app.version, … */
    struct attributes span_extra; /* `span_attributes` */
    const char *prefix;           /* of event names, "bawn." */
    bool payloads;                /* log_tool_payloads */
    const char *trace_parent;     /* $TRACEPARENT, or NULL */
    const char *trace_state;      /* $TRACESTATE, or NULL */
};

/* Strings and arrays must outlive it. 0 and *ret NULL when every target is off. */
int telemetry_open(const struct telemetry_setup *setup, struct telemetry **ret, struct error *err);
/* Signals that could not be spooled. */
uint64_t telemetry_lost(const struct telemetry *t);
void telemetry_close(struct telemetry *t);

/* ---- events: log records ---- */

void telemetry_decision(struct telemetry *t, const struct decision_event *e);
void telemetry_net(struct telemetry *t, const struct net_event *e);
void telemetry_approval(struct telemetry *t, const struct approval_event *e);
void telemetry_result(struct telemetry *t, const struct result_event *e);
void telemetry_outcome(struct telemetry *t, const struct outcome_event *e);
void telemetry_requirement(struct telemetry *t, const struct requirement_event *e);

/* ---- spans ---- */

struct span {
    struct trace_context context;
    unsigned char parent_id[SPAN_ID_BYTES];
    uint64_t start_ns;
    const char *name;
};

/* A span that begins at START_NS (0: now), child of PARENT, or of $TRACEPARENT, or a root. Log
 * records of T belong to the root span that was begun last. */
void span_begin(struct telemetry *t, struct span *s, const char *name, const struct span *parent,
                uint64_t start_ns);
/* Written when it ends. EXTRA: attributes beyond the common ones. */
void span_end(struct telemetry *t, const struct span *s, enum span_kind kind,
              enum span_status status, struct attributes extra);
void span_end_at(struct telemetry *t, const struct span *s, uint64_t end_ns, enum span_kind kind,
                 enum span_status status, struct attributes extra);
/* Are they exported, and did the parent want that? */
bool telemetry_spans(const struct telemetry *t);
/* "00-…-…-01" of S. False when spans are not exported. */
#define TRACE_PARENT_BYTES 56
bool span_parent_text(const struct telemetry *t, const struct span *s,
                      char ret[TRACE_PARENT_BYTES]);
/* A strict reading of W3C Trace Context's traceparent. */
bool trace_parent_parse(const char *text, struct trace_context *ret);

/* ---- measurements ---- */

/* Names without the prefix; the table of them is in telemetry.c. */
void telemetry_count(struct telemetry *t, const char *name, const char *attribute,
                     const char *value, uint64_t n);
void telemetry_measure(struct telemetry *t, const char *name, const char *attribute,
                       const char *value, double milliseconds);

#endif

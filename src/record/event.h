/*
 * One event: something was decided or done. The schema is one table (event.c): name, fields, types,
 * which of them are sensitive. Every sink (audit log, status descriptor, OpenTelemetry:
 * telemetry/telemetry.h) sees the same event with the same id.
 */
#ifndef BAWN_RECORD_EVENT_H
#define BAWN_RECORD_EVENT_H

#include "base/json.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>

#define EVENT_ID_BYTES 33 /* 32 lower-case hex digits and the terminator */

enum decided_by { BY_CONFIGURATION, BY_USER, BY_REVIEWER, BY_HOOK };
const char *decided_by_word(enum decided_by by); /* "config", "user", "reviewer", "hook" */

/* A decision about one command line. Strings may be NULL where that is said. */
struct decision_event {
    char id[EVENT_ID_BYTES];
    int64_t time_ms;         /* Unix time */
    const char *const *argv; /* redacted when written */
    size_t argc;
    const char *cwd;
    const char *program; /* file that runs, or NULL */
    const char *class;   /* line_class_word() */
    const char *action;  /* "run", "refuse" */
    const char *place;   /* "sandbox", "outside" */
    const char *answer;  /* answer_word(); NULL: nobody was asked */
    enum decided_by by;
    const char *policy; /* "on-request" */
    const char *mode;   /* "workspace-write" */
    const char *profile;
    const char *reason;    /* one line */
    const char *rule_file; /* or NULL */
    uint32_t rule_line;
    const char *escalation;  /* "permissions", "outside"; NULL: none */
    const char *remembered;  /* the line that was written, or NULL */
    uint64_t asked_ms;       /* how long the question stood; 0 */
    const char *policy_hash; /* SHA-256 of what decided (configuration, rules), hex */
    const char *parent;      /* id of the run whose refusal led to this, or NULL */
};

/* A decision about one destination on a filtered network. What is said after the host (path, query,
 * headers) is never part of it. Strings may be NULL where that is said. */
struct net_event {
    char id[EVENT_ID_BYTES];
    int64_t time_ms;
    const char *action;   /* "reach", "refuse" */
    const char *scope;    /* "domain", "address", "unix_socket" */
    const char *decision; /* "allow", "deny" */
    const char *source;   /* who said so: "profile", "rules", …; NULL: nothing names it */
    const char *reason;   /* a word */
    const char *rule;     /* the pattern, or NULL */
    const char *rule_file;
    uint32_t rule_line;
    const char *protocol, *host;
    uint32_t port;
    const char *address; /* the one that decided, or NULL */
    const char *path;    /* of a Unix socket: then there is no host and no port; or NULL */
    const char *method;  /* of an HTTP request, or NULL */
    uint32_t pid;        /* of the process that asked, on the host; 0: not known */
    const char *exe;     /* its program, or NULL */
    enum decided_by by;
    const char *answer; /* somebody was asked: "yes", "no"; else NULL */
    const char *profile;
    const char *parent; /* id of the run, or NULL */
    uint64_t count;     /* of a line that sums up: how many there were in all; else 0 */
};

/* Somebody was asked. Beside the decision that the answer led to, with its id. */
struct approval_event {
    char id[EVENT_ID_BYTES]; /* of the decision */
    int64_t time_ms;
    const char *scope;  /* "command", "permissions", "outside", "network" */
    const char *answer; /* answer_word() */
    enum decided_by by;
    uint64_t asked_ms; /* how long the question stood */
};

/* A command that was started has ended. */
struct result_event {
    char id[EVENT_ID_BYTES]; /* of the decision to run it */
    int64_t time_ms;
    const char *const *argv; /* a payload; or NULL */
    size_t argc;
    uint64_t duration_ms;
    bool success; /* it exited with 0 */
    int exit_status;
    int signal; /* that ended it, or 0 */
};

/* What became of a sandbox. */
enum outcome_denials { DENIED_READ, DENIED_WRITE, DENIED_NETWORK, DENIED_OTHER, OUTCOME_DENIALS };
struct outcome_event {
    char id[EVENT_ID_BYTES]; /* of the decision, or its own under `bawn sandbox` */
    int64_t time_ms;
    const char *outcome;                            /* "ok", "denied", "refused", "failed" */
    const char *backend, *mode, *profile, *network; /* NULL where it did not come to that */
    uint64_t setup_us;
    uint64_t denials[OUTCOME_DENIALS]; /* that were seen: only watched runs see all */
};

/* An administrator's requirement took effect: a value was replaced or refused. */
struct requirement_event {
    char id[EVENT_ID_BYTES];
    int64_t time_ms;
    const char *key;    /* dotted; values are never said */
    const char *effect; /* "replaced", "refused", "fixed" */
    const char *source; /* layer: "system", "managed", … */
};

/* ---- the schema ---- */

enum event_kind {
    EVENT_DECISION,
    EVENT_NET,
    EVENT_APPROVAL,
    EVENT_RESULT,
    EVENT_OUTCOME,
    EVENT_REQUIREMENT,
    EVENT_KINDS
};

enum event_field_type {
    FIELD_ID,     /* an array of char */
    FIELD_TIME,   /* Unix milliseconds */
    FIELD_WORDS,  /* argv and argc, behind each other */
    FIELD_TEXT,   /* const char *, NULL: not there */
    FIELD_LINE,   /* uint32_t, 0: not there */
    FIELD_MILLIS, /* uint64_t, 0: not there; counts as well */
    FIELD_NUMBER, /* uint64_t, 0 as well */
    FIELD_STATUS, /* int */
    FIELD_BOOL,
    FIELD_BY,
};

/* What of a field a collector may see. The audit log has all. */
enum event_exposure {
    EXPOSE_NEVER,
    EXPOSE_PAYLOAD, /* only where payloads are switched on: may hold what a person typed, or a path
                       of theirs. Words without the switch: their length and SHA-256 */
    EXPOSE_ALWAYS,
};

struct event_field {
    const char *name; /* in the audit log and on the status descriptor; NULL: not there */
    enum event_field_type type;
    size_t offset;
    bool sensitive; /* may hold what a person typed: redacted wherever it goes */
    enum event_exposure exposure;
    const char *attribute; /* in OpenTelemetry; NULL: not there */
};

struct event_schema {
    const char *name; /* of the log record, without its prefix */
    const struct event_field *fields;
    size_t n;
};

const struct event_schema *event_schema(enum event_kind kind);
/* Text as it may be written: redacted when SENSITIVE, cut to MAX_EVENT_TEXT. NULL without memory.
 */
const char *event_text(struct arena *a, const char *text, bool sensitive);

/* 0, or -EIO when the kernel has no random bytes. */
int event_new_id(char id[EVENT_ID_BYTES]);

#define EVENT_TIME_BYTES 25 /* "2026-11-21T11:48:53.123Z" and the terminator */
/* Unix milliseconds as RFC 3339 in UTC. False for what is not in the years 0 to 9999. */
bool event_time(int64_t ms, char ret[EVENT_TIME_BYTES]);

/* The fields as members of the object that is open in J, in the table's order: those that have a
 * value. Texts are redacted first; then what is longer than MAX_EVENT_TEXT, and words beyond
 * MAX_EVENT_ARGV in all, lose their middle: "argv" then goes with "argv_sha256", the hash of all of
 * the redacted words, each with a NUL behind it. "argc" counts the words that were given. */
void decision_event_json(const struct decision_event *e, struct json *j);
void net_event_json(const struct net_event *e, struct json *j);

/* Does WORD (a whole argument, BEFORE being the one before it or NULL) look like a secret or carry
 * one? *ret_from and *ret_to: which bytes of it: keys of well-known shapes, values of --password
 * and kin, NAME=VALUE with a secret's name, user:password@ in URLs, Authorization headers, long
 * random text. */
bool redact_find(const char *word, const char *before, size_t *ret_from, size_t *ret_to);
/* WORD with such bytes as "[REDACTED]". NULL without memory. */
const char *redact(struct arena *a, const char *word, const char *before);
/* The same for the words of one command: knows for each of them which program it is for, and which
 * option stands before it. NULL without memory. */
const char *const *redact_argv(struct arena *a, const char *const *argv, size_t argc);

#endif

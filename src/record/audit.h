/*
 * The audit log (spec 4.7): $BAWN_HOME/audit/YYYY-MM.jsonl, one JSON object a line, each with the
 * hash of the line before it. Appended under a lock with one write; never rewritten.
 *
 * The chain goes on from file to file: the first line of a month carries the hash of the last line
 * of the month before. "prev" is the first member and "hash", the SHA-256 of the line as it is
 * without
 * ,"hash":"…", the last, so that a line can be checked with sha256sum(1).
 */
#ifndef BAWN_RECORD_AUDIT_H
#define BAWN_RECORD_AUDIT_H

#include "base/error.h"
#include "record/event.h"

struct audit; /* an open log */

/* Opens (and makes, 0700 and 0600) the log below DIR, which is $BAWN_HOME. What cannot be ours
 * alone is refused. Opening proves that an append can be made now: the disk's space is not
 * promised. */
int audit_open(const char *dir, struct audit **ret, struct error *err);
/* One line, on the disk when this returns 0; on an error nothing of it is there. */
int audit_append(struct audit *audit, const struct decision_event *e, struct error *err);
/* The same for N decisions about destinations, a line each, all of them or none. */
int audit_append_net(struct audit *audit, const struct net_event *events, size_t n,
                     struct error *err);
void audit_close(struct audit *audit);

struct audit_fault {
    const char *file;
    uint64_t line;
    const char *what; /* "changed", "missing before this one", "not a record", … */
};
struct audit_report {
    uint64_t records, files, bytes;
    const struct audit_fault *faults; /* at most 1,000 */
    size_t n_faults;
    uint64_t more_faults;  /* beyond those */
    uint64_t after;        /* records behind the one that was asked for */
    const char *last_hash; /* 64 zeros when there is none; to be kept elsewhere: what was cut off at
                              the end shows with it */
};
/* Reads all of it. A last line without its end is a fault. */
int audit_verify(struct arena *a, const char *dir, struct audit_report *ret, struct error *err);
/* The same; a log in which no record has the hash AFTER (kept from an earlier report) has a fault.
 */
int audit_verify_after(struct arena *a, const char *dir, const char *after,
                       struct audit_report *ret, struct error *err);

/* Calls SEE with each line (a whole JSON object, in order) until it returns non-zero, which is
 * returned. No log: none. Lines that are no records are left out: audit_verify() shows them. */
int audit_each(const char *dir,
               int (*see)(void *data, const char *file, uint64_t line, struct bytes text),
               void *data, struct error *err);

#endif

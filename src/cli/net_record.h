/*
 * What was decided on a filtered network, written down (spec 5.8): in the audit log, in the list of
 * refusals, on the status descriptor, and at the end for the person.
 *
 * The same decision again and again (host, port, protocol, rule) is one line in the log when it is
 * first made, and one with the count at the end. What a command that asks for ever new hosts can
 * fill is bounded; the rest is counted.
 */
#ifndef BAWN_CLI_NET_RECORD_H
#define BAWN_CLI_NET_RECORD_H

#include "base/mem.h"
#include "network/wire.h"
#include "record/audit.h"
#include "sandbox/denials.h"

struct net_record;
struct telling;

struct net_record_setup {
    const char *bawn_home; /* where the audit log is, or NULL */
    const char *profile;
    const char *parent;               /* id of the run in the audit log, or NULL */
    struct telling *telling;          /* a collector is told as well, or NULL */
    int status_fd;                    /* or -1 */
    const struct asker_place *inside; /* where who asks is looked for, or NULL */
};

/* NULL without memory. Strings must outlive it. */
struct net_record *net_record_new(const struct net_record_setup *setup);
/* One decision. What E's rule points to must outlive the record. */
void net_record_add(struct net_record *r, const struct wire_event *e);
/* The connection that E let through has ended: of the first thousand of a run a collector is told.
 * Not for the log. */
void net_record_ended(struct net_record *r, const struct wire_event *e);
/* N were lost. */
void net_record_lost(struct net_record *r, uint64_t n);
/* Appends what waits to the audit log. The first time that fails *ret_problem (a line) says so,
 * else it is NULL. */
void net_record_flush(struct net_record *r, const char **ret_problem);
/* The end: the counts. */
void net_record_finish(struct net_record *r, const char **ret_problem);
/* What was refused; the record's own. */
struct denials *net_record_refused(struct net_record *r);
/* One line for each refused host, a few. */
void net_record_summary(struct net_record *r, struct strbuf *out);
void net_record_free(struct net_record *r);

#endif

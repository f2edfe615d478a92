/*
 * What was refused: collected while the command runs, each distinct refusal once with its count,
 * then written to the record and summed up for the person (spec 1.7, 0.3).
 */
#ifndef BAWN_SANDBOX_DENIALS_H
#define BAWN_SANDBOX_DENIALS_H

#include "base/vec.h"
#include "sandbox/sandbox.h"

enum denial_kind { DENIAL_FILE, DENIAL_SOCKET, DENIAL_SYSCALL, DENIAL_LIMIT, DENIAL_NETWORK };

/* A destination that the filter of the network refused. Strings outlive the list; NULL where that
 * is said. */
struct denial_net {
    const char *host, *protocol;
    const char *path; /* of a Unix socket that the proxy was asked for; then no host, or NULL */
    unsigned port;
    const char *reason;      /* a word */
    const char *source;      /* who said so, or NULL */
    const char *says;        /* a sentence */
    const char *rule, *file; /* the pattern and its place, or NULL */
    unsigned line;
    const char *method; /* of an HTTP request, or NULL */
    pid_t pid;          /* of the process that asked, or 0: not known */
    const char *exe;    /* its program, or NULL */
};

struct denial {
    enum denial_kind kind;
    char *what; /* path, address, destination, name of the system call or of the limit; owned */
    enum access access;             /* of DENIAL_FILE: what was wanted */
    const struct perm_entry *entry; /* the rule, or NULL for the profile's silence */
    const char *rule;               /* where no entry says it */
    const struct denial_net *net;   /* of DENIAL_NETWORK */
    char *hint;                     /* the line that would allow it; owned */
    pid_t pid;
    char *exe; /* owned */
    unsigned long count;
};

struct denials {
    const struct plan *plan;
    int status_fd;
    VEC(struct denial) list;
    unsigned long more; /* what came when the list was full, and is not in it */
};

void denials_file(struct denials *d, const char *path, enum access wanted, pid_t pid,
                  const char *exe);
void denials_socket(struct denials *d, const char *address, const char *rule, const char *hint,
                    pid_t pid, const char *exe);
void denials_syscall(struct denials *d, const char *name, const char *rule, const char *hint,
                     pid_t pid, const char *exe);
/* One refusal, or one more of the same. */
void denials_network(struct denials *d, const struct denial_net *net, const char *hint);
/* Takes over what FROM holds; FROM stays to be released. */
void denials_take(struct denials *d, struct denials *from);
void denials_limit(struct denials *d, const char *name, const char *hint);
/* The line that turns the network on for this plan. */
void denials_network_hint(const struct plan *plan, struct strbuf *out);
/* The end: the record in STATE_DIR/denials.jsonl and the summary on stderr. */
void denials_report(struct denials *d, const struct run_options *options, int status);
void denials_release(struct denials *d);

#endif

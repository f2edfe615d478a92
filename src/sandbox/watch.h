/*
 * The notified calls and what is answered to each. `struct answer` is what goes back to the kernel.
 */
#ifndef BAWN_SANDBOX_WATCH_H
#define BAWN_SANDBOX_WATCH_H

#include "base/vec.h"
#include "sandbox/backend.h"
#include "sandbox/closer.h"
#include "sandbox/denials.h"
#include "sandbox/target.h"

struct answer {
    enum { ANSWER_CONTINUE, ANSWER_ERROR, ANSWER_VALUE, ANSWER_LATER, ANSWER_SENT } kind;
    int error;     /* ANSWER_ERROR: negative errno */
    int64_t value; /* ANSWER_VALUE */
};

/* A connect that waits for its peer; the supervisor tries it again. Owns its descriptors. */
struct pending_connect {
    uint64_t id;
    int sock;
    int file; /* the socket file the address names by descriptor, or -1 */
    unsigned addr_len;
    char addr[128];
};

/* A process that waits in an open (of a FIFO, or of a file with a lease) for the caller of call ID.
 */
struct waiter {
    pid_t pid;
    uint64_t id;
    bool *opened; /* shared with it: what is left to do takes no time, and must not be cut off */
};

struct watch {
    struct launch *l;
    struct denials *denials; /* NULL when nothing is logged */
    int listener, diag;
    struct pending_connect pending; /* filled with ANSWER_LATER; the caller takes it over */
    VEC(struct waiter) waiters;
    struct closer closer; /* of sockets of the command */
};

/* watch_file.c: calls with paths. True when the call is one of them. */
bool watch_file_call(struct watch *w, struct target *t, struct answer *ret);
/* watch_open.c. Hands FD over as the result of the call. */
void watch_hand_over(struct watch *w, struct target *t, int fd, uint64_t flags, struct answer *ret);
/* Opens what is behind PATH_FD and hands it over, by another process where that would wait. */
void watch_open_for(struct watch *w, struct target *t, int path_fd, uint64_t flags,
                    struct answer *ret);
/* How many opens wait; takes back those that have ended or whose caller is gone; ends all. */
size_t watch_waiters(const struct watch *w);
void watch_reap_waiters(struct watch *w);
void watch_end_waiters(struct watch *w);
/* Looks at the Unix sockets that the plan opens, before the command can. 0 or -ENOMEM. */
int watch_pin_listed(struct launch *l);
/* watch_socket.c: connect and socketpair. */
bool watch_socket_call(struct watch *w, struct target *t, struct answer *ret);
/* One more try; unless the answer is ANSWER_LATER again, P's descriptors are closed after it. */
void watch_connect_again(struct watch *w, struct pending_connect *p, struct answer *ret);
void pending_release(struct watch *w, struct pending_connect *p);

#endif

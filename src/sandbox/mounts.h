/*
 * What both ways of setting a tree up are made of (bundled.c, steps_mount.c): detached mounts by
 * descriptor, and a network namespace that is made beside them. Calls return a descriptor or 0, or
 * a negative errno.
 */
#ifndef BAWN_SANDBOX_MOUNTS_H
#define BAWN_SANDBOX_MOUNTS_H

#include "sandbox/backend.h"

#include <stdint.h>

/* A detached mount of a new file system. OPTIONS (may be NULL) ends with a row of NULLs, an option
 * without a value has NULL there; ATTR is MOUNT_ATTR_*. */
int mounts_new(const char *type, const char *const options[][2], unsigned attr);
/* Sets ATTR on the one mount FD is the root of. */
int mounts_set(int fd, uint64_t attr);
/* Puts the detached mount TREE on the place AT, both descriptors. */
int mounts_put(int tree, int at);

/* The network namespace takes the kernel as long as all the mounts together, and nothing in them
 * needs it: a second process of the same descriptors makes it meanwhile, and init enters it in the
 * end. It has the same memory too, and with that errno, so it makes calls that succeed, or ends;
 * but for a filtered network, where some may fail, it has memory of its own. */
struct net_made {
    int fd;   /* the namespace */
    int diag; /* a diagnostics socket in it, or negative */
    int code; /* 0 or a negative errno */
    const char *what;
};
struct net {
    struct launch *l;
    bool wants_diag;
    struct net_made *made; /* `own`, or memory that both have */
    struct net_made own;
    int diag; /* as net_enter() found it */
    pid_t pid;
    char stack[16384] __attribute__((aligned(16)));
};

/* Brings the loopback device of this network namespace up; a socket in it. */
int net_loopback(void);
void net_start(struct launch *l, struct net *n, bool wants_diag);
/* Waits for it and enters it; ends the process on failure. */
void net_enter(struct launch *l, struct net *n);

#endif

/*
 * Who in a sandbox asks for the network: the process that holds the socket with a certain local
 * port. The kernel is asked for the socket (sock_diag(7), linux/inet_diag.h), the descriptor tables
 * of what runs below init for who has it, while it runs: one that has closed its socket meanwhile,
 * or ended, is not found.
 *
 * Nothing of the sandbox's is opened or taken over. A copy of a socket would have to be closed
 * again, and the last close waits as long as its owner likes (SO_LINGER).
 */
#ifndef BAWN_SANDBOX_ASKER_H
#define BAWN_SANDBOX_ASKER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Where it is looked for. */
struct asker_place {
    int diag;   /* a NETLINK_SOCK_DIAG socket of the sandbox's network namespace, or negative */
    pid_t init; /* of the sandbox, or 0 */
    uint16_t proxies[2]; /* ports on the loopback that clients connect to, or 0 */
};

struct asker {
    pid_t pid;          /* the host's number */
    char exe[PATH_MAX]; /* as the sandbox names it; "" where the kernel does not tell */
};

/* The process below init that holds an IP socket (UDP: of datagrams, else of TCP) whose own port is
 * PORT; of several that share it the youngest. False: not found. Of a client of
 * the proxies it takes some tens of microseconds; of other connections half a millisecond, as the
 * kernel's table of them is as large as the machine's memory would have it. */
bool asker_find(const struct asker_place *place, uint16_t port, bool udp, struct asker *ret);

/* Appends to LIST, which holds N of at most MAX, the children of every thread of PID; of *LEFT
 * threads at most, which are taken off it. The new N. */
size_t children_of(pid_t pid, pid_t *list, size_t n, size_t max, size_t *left);

#endif

/*
 * Is this socket file bound inside the sandbox? Asked of the kernel (unix_diag) in the sandbox's
 * own network namespace: a Unix socket belongs to the namespace it was made in, whatever path it is
 * bound to, so a socket of the host is never in the answer.
 */
#ifndef BAWN_SANDBOX_UNIXSOCK_H
#define BAWN_SANDBOX_UNIXSOCK_H

#include <stdbool.h>
#include <sys/types.h>

/* DIAG is a NETLINK_SOCK_DIAG socket of the sandbox's namespace; FILE an O_PATH descriptor of the
 * socket file. 1, 0, or a negative errno. */
int unixsock_is_inside(int diag, int file);

/* The name that the socket at FILE was bound under, when it is of DIAG's namespace: its length (0:
 * none, or several sockets that are not told apart), -ENOENT (it is not there) or another negative
 * errno. */
int unixsock_name(int diag, int file, char *buf, size_t cap);

/* unixsock_is_inside() where there is no such namespace (DIAG is of the host's): is the socket
 * bound to FILE held by TOP or a process below it? Looked up in the descriptor tables; who cannot
 * be looked at holds nothing. */
int unixsock_is_held_below(int diag, int file, pid_t top);

#endif

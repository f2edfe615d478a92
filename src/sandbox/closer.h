/*
 * Closing copies of the command's sockets without waiting.
 *
 * Whoever closes a socket last waits for as long as its owner likes (SO_LINGER in socket(7)), and
 * the owner can see to it that this is not himself: he closes his own descriptor while a copy of it
 * is looked at. So a process that shares the descriptor table closes them, one after the other, and
 * the caller never waits for it.
 */
#ifndef BAWN_SANDBOX_CLOSER_H
#define BAWN_SANDBOX_CLOSER_H

#include <sys/types.h>

/* A zeroed one is ready; the process is started when the first such socket comes. */
struct closer {
    pid_t pid; /* 0: none */
    int from, to;
};

/* Closes FD (-1: nothing): at once what cannot make anybody wait, else through the process. */
void closer_close(struct closer *c, int fd);
void closer_end(struct closer *c);

#endif

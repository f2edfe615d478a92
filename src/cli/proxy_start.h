/*
 * bawn-proxy as a process: where it is, its start, what is said to it and its end. What is decided
 * there is proxy_front.h's business.
 *
 * It is started before the sandbox is set up, so that loading it and reading the rules happen
 * meanwhile. It inherits nothing: an empty environment, /dev/null, its end of the socket pair as
 * descriptor 3, and as standard error a memory file, which is looked at only when it died. It ends
 * with its end of the socket, and is killed with bawn.
 */
#ifndef BAWN_CLI_PROXY_START_H
#define BAWN_CLI_PROXY_START_H

#include "base/error.h"
#include "network/wire.h"
#include "permissions/permissions.h"
#include "sandbox/sandbox.h"

#define PROXY_PROGRAM     "bawn-proxy"
#define INTERCEPT_PROGRAM "bawn-intercept"

struct proxy {
    pid_t pid;  /* 0: not running */
    int fd;     /* the socket; -1: none */
    int errors; /* what it wrote to standard error */
    bool listening;
    char buf[WIRE_MESSAGE_MAX];
};

/* Where PROGRAM lies that belongs to OWN, the path of bawn itself: PREFIX/bin/bawn has it in
 * PREFIX/libexec/bawn/, a build tree in src/proxy/ or src/intercept/. In A; NULL: no memory. */
const char *proxy_place(struct arena *a, const char *own, const char *program);

/* The program at PATH as a descriptor, where it is as struct proxy_program says. -ENOENT: there is
 * none. */
int proxy_open_program(const char *path, const struct profile *profile, struct error *err);

/* A program to be started: PATH must be ours, root's or of whom bawn itself is, and nothing that
 * others, or a command in PROFILE, can write. */
struct proxy_program {
    const char *path;
    const struct profile *profile;
    int fourth; /* becomes its descriptor 4; -1: none. It stays the caller's */
};

/* A zeroed struct proxy is one that does not run. 0 when the program was started and told S. */
int proxy_start(struct proxy *p, const struct proxy_program *program, const struct wire_settings *s,
                struct error *err);
/* The same with descriptors for WIRE_START, which stay the caller's. */
int proxy_start_with(struct proxy *p, const struct proxy_program *program, const int *fds,
                     size_t n_fds, struct error *err);
/* TEXT in a file of memory that nobody can change any more. */
int proxy_settings_file(const struct strbuf *text, struct error *err);
/* Waits until it is ready; what it says with that is in p->buf. */
int proxy_await(struct proxy *p, struct bytes *ret_text, struct error *err);
/* Hands the sockets over and waits until it listens. They stay the caller's. */
int proxy_listen(struct proxy *p, const struct net_listener *listeners, size_t n,
                 struct error *err);
/* The next message, whose descriptors are closed. -EAGAIN; -EPIPE and -EBADMSG: it is of no use any
 * more. */
int proxy_recv(struct proxy *p, struct wire_head *ret, struct bytes *ret_payload);
/* 0; it does not wait. */
int proxy_say(struct proxy *p, enum wire_kind kind, uint64_t id, const void *payload, size_t n);
/* Waits at most TIMEOUT_MS for something to read. */
bool proxy_wait(const struct proxy *p, int timeout_ms);
/* It is over: the socket is closed, the process is given a moment and then killed, and reaped. What
 * it said before it went (one line, printable) or how it ended is in *ret_why (may be NULL), which
 * is empty where it ended well. */
void proxy_end(struct proxy *p, struct strbuf *ret_why);

#endif

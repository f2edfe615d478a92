/*
 * The programs that belong to bawn, as processes: which file may be executed, and how. Each
 * inherits nothing: an empty environment, "/" as its directory, a session of its own, /dev/null as
 * standard input and output, a memory file as standard error, one end of a socket pair as
 * descriptor 3.
 */
#ifndef BAWN_CLI_HELPER_PROGRAM_H
#define BAWN_CLI_HELPER_PROGRAM_H

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "permissions/permissions.h"

#include <sys/types.h>

/* Where PROGRAM lies that belongs to OWN, the path of bawn itself: PREFIX/bin/bawn has it in
 * PREFIX/libexec/bawn/, a build tree in src/proxy/ and the like. In A; NULL: no memory. */
const char *helper_place(struct arena *a, const char *own, const char *program);

/* The program at PATH as a descriptor. It must be ours, root's or of whom bawn itself is, and
 * nothing that others, or a command in PROFILE, can write. What is executed later is the file that
 * was looked at. WHY begins the message ("the network is to be filtered"), OR_ELSE ends the hint
 * for one that is missing (-ENOENT), or is NULL. */
int helper_open(const char *path, const struct profile *profile, const char *why,
                const char *or_else, struct error *err);

struct helper_start {
    int program;      /* helper_open()'s; stays the caller's, as the next one */
    int fourth;       /* becomes its descriptor 4; -1: none */
    const char *name; /* argv[0] */
    bool stays;       /* it outlives bawn, and is nobody's child; else it is killed with bawn */
    /* what comes out: */
    pid_t pid; /* 0 of one that stays */
    int fd;    /* the other end of its socket (SOCK_SEQPACKET); -1 */
    int errors;
};

/* 0 when it was forked: that it could not be executed stands in `errors`, and its socket ends. */
int helper_spawn(struct helper_start *s, struct error *err);
/* The last line of what was written to ERRORS (-1: nothing), printable. */
void helper_last_words(int errors, struct strbuf *out);

#endif

/*
 * Which file a command's program is, and whether it can be trusted to be that program: outside of
 * everything the sandbox may write, and not writable by others (spec 4.2, host_executable).
 */
#ifndef BAWN_RULES_PROGRAM_H
#define BAWN_RULES_PROGRAM_H

#include "base/mem.h"

#include <stdbool.h>
#include <sys/types.h>

struct program {
    const char *path;     /* as found: absolute, PATH's directory and the name; NULL: not found */
    const char *resolved; /* links followed */
    dev_t dev;
    ino_t ino;
    bool trusted;
    const char *problem; /* why not: "./git lies in the writable root /w", one phrase; else NULL */
};

struct program_request {
    const char *path; /* the PATH it will run with */
    const char *cwd;  /* absolute */
    /* Roots the sandbox may write, absolute and resolved. */
    const char *const *writable;
    size_t n_writable;
    /* This directory and those above it are taken as they are. NULL but in tests, whose trees stand
     * in /tmp, where nothing is trusted. */
    const char *unjudged;
};

/* Finds NAME as execvp(3) would: the first file on PATH that can be executed, relative entries of
 * PATH and an empty one meaning CWD. A trusted program has: an absolute entry of PATH (or an
 * absolute spelling); neither the file, nor a link on the way, nor any directory above either in a
 * writable root; file and directories owned by root or by us and writable by nobody else (sticky
 * directories count as writable; program.c says which groups are nobody else). 0 or -ENOMEM; a
 * program that is not found is no error. What was found is what has to be executed: by `path`, not
 * by another search. */
int program_find(struct arena *a, const struct program_request *request, const char *name,
                 struct program *ret);

#endif

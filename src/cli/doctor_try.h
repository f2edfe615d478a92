/*
 * bawn doctor's real try of a backend: bawn runs itself in the sandbox and does there, one by one,
 * what must work and what must be refused. What is refused inside succeeds when the same program is
 * run bare; otherwise the try would prove nothing.
 */
#ifndef BAWN_CLI_DOCTOR_TRY_H
#define BAWN_CLI_DOCTOR_TRY_H

#include "base/mem.h"
#include "sandbox/probe.h"

#define TRY_CHECKS_MAX 16

struct try_check {
    const char *id; /* "write-outside" */
    bool ok;
    char detail[96];
};

struct backend_try {
    const char *backend; /* as in sandbox_backend */
    bool ok;
    char detail[256], fix[256];
    struct try_check checks[TRY_CHECKS_MAX];
    size_t n_checks;
};

/* What all tries share: a private directory with things to reach for, a listening socket. */
struct try_place {
    char base[512]; /* "" = there is none */
    int tcp, unix_socket;
    unsigned port;
    char self[MAX_PATH_BYTES]; /* bawn's own program */
    const char **env;          /* bawn's environment with a BAWN_HOME of its own */
};

/* PARENT is an absolute directory to make the place in. Released with try_place_release(), which
 * leaves nothing behind. */
int try_place_make(struct try_place *p, const char *parent, struct arena *a, struct error *err);
void try_place_release(struct try_place *p);

/* BACKEND NULL: bare, without a sandbox (tests). */
void try_backend(const struct try_place *p, const char *backend, struct backend_try *ret);

/* `bawn doctor --inside BASE PORT PID`: the side that tries. Prints "ID ok|FAIL DETAIL". */
int doctor_inside(int argc, char **argv);

#endif

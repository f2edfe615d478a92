/*
 * The supervisor: answers the notifications of the command's system-call filter from outside the
 * sandbox. It never lets a call through on the strength of memory that the command can still
 * change: what it allows it either performs itself on descriptors it has checked, or lets continue
 * only where the kernel enforces the answer anyway.
 */
#ifndef BAWN_SANDBOX_SUPERVISE_H
#define BAWN_SANDBOX_SUPERVISE_H

#include "sandbox/backend.h"

struct supervisor;

/* Takes over LISTENER and DIAG (-1 where there is none). */
int supervisor_new(struct launch *l, int listener, int diag, struct supervisor **ret,
                   struct error *err);
/* Handles what waits; call when LISTENER is readable. False when the listener is at its end. */
bool supervisor_serve(struct supervisor *s);
int supervisor_fd(const struct supervisor *s);
/* The DIAG it was given, or -1. */
int supervisor_diag(const struct supervisor *s);
/* Milliseconds until supervisor_retry() wants to be called, or -1. */
int supervisor_timeout(const struct supervisor *s);
void supervisor_retry(struct supervisor *s);
/* The command ran into the limit NAME of [limits]. */
void supervisor_limit(struct supervisor *s, const char *name);
/* Refusals that somebody else collected, to go with its own. True: they were taken. */
bool supervisor_take(struct supervisor *s, struct denials *refused);
/* After the command has ended: writes the record and prints the summary to stderr. */
void supervisor_report(struct supervisor *s, int status);
void supervisor_free(struct supervisor *s);

#endif

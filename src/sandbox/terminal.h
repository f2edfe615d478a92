/*
 * The terminal between a person and a command in the sandbox. The command gets a pseudo-terminal of its
 * own (made from the sandbox's devpts), so TIOCSTI and TIOCLINUX on it reach nothing; bytes, window
 * size and job control are carried across.
 *
 * States: cooked (the person's terminal is as it was) and raw (while the command runs in front).
 * terminal_restore() is async-signal-safe and brings back cooked from any state.
 */
#ifndef BAWN_SANDBOX_TERMINAL_H
#define BAWN_SANDBOX_TERMINAL_H

#include "base/error.h"

#include <poll.h>
#include <stdbool.h>

struct terminal;

/* Takes over: TTY is the person's terminal (bawn's stdin), MASTER the pseudo-terminal's master (owned
 * from now on). Copies settings and size to the pseudo-terminal, makes TTY raw. */
int terminal_start(int tty, int master, struct terminal **ret, struct error *err);
/* Fills up to 3 pollfds; returns how many. */
int terminal_poll(struct terminal *t, struct pollfd fds[3]);
/* Moves bytes after poll(). */
void terminal_serve(struct terminal *t, const struct pollfd fds[3], int n);
void terminal_resize(struct terminal *t); /* on SIGWINCH */
/* The command was stopped (^Z): the person's terminal is given back; and taken again on SIGCONT. */
void terminal_suspend(struct terminal *t);
void terminal_resume(struct terminal *t);
/* Drains what the command still wrote (until end or HUP), restores, frees. */
void terminal_finish(struct terminal *t);
/* For signal handlers and fatal paths. */
void terminal_restore(void);

#endif

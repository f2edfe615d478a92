/*
 * The terminal between a person and a command in the sandbox. The command gets a pseudo-terminal of
 * its own (made from the sandbox's devpts), so TIOCSTI and TIOCLINUX on it reach nothing; bytes,
 * window size and job control are carried across.
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

/* Takes over: TTY is the person's terminal (bawn's stdin), MASTER the pseudo-terminal's master
 * (owned from now on, also on failure). Copies settings and size to the pseudo-terminal, makes TTY
 * raw when the caller is its foreground process group (otherwise on the first terminal_resume() or
 * terminal_timeout() that finds it so). One terminal a process: a second start is -EBUSY. */
int terminal_start(int tty, int master, struct terminal **ret, struct error *err);
/* Fills up to 3 pollfds; returns how many. */
int terminal_poll(struct terminal *t, struct pollfd fds[3]);
/* What poll() may wait at most, in ms, or -1: while the caller is in the background, or the command
 * closed its terminal without having ended, the terminal has to be looked at again now and then. */
int terminal_timeout(struct terminal *t);
/* Moves bytes after poll(). */
void terminal_serve(struct terminal *t, const struct pollfd fds[3], int n);
void terminal_resize(struct terminal *t); /* on SIGWINCH */
/* The command was stopped (^Z): the person's terminal is given back; and taken again on SIGCONT. */
void terminal_suspend(struct terminal *t);
void terminal_resume(struct terminal *t);
/* The process's terminal, if one is relayed: given back for a question that is put on it, and taken
 * again. What the command writes meanwhile waits. */
void terminal_pause(void);
void terminal_go_on(void);
/* Was the key that stops a job (^Z) the last that was typed? It holds for one stop. */
bool terminal_stop_typed(struct terminal *t);
/* The person's terminal is gone. The command's was hung up with it (it got SIGHUP, reads end,
 * writes fail), nothing is relayed any more, terminal_poll() returns 0. */
bool terminal_hung_up(const struct terminal *t);
/* Drains what the command still wrote (until end or HUP), restores, frees. NULL is fine. */
void terminal_finish(struct terminal *t);
/* For signal handlers and fatal paths. */
void terminal_restore(void);

#endif

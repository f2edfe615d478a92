/*
 * Programs that are run for what they say: a package manager about its configuration, bawn-proxy
 * about names. Each gets the environment that is given and nothing else, "/" as its directory, a
 * session of its own and a time; it is killed with bawn, and with all that it started when the time
 * is over. Which file is run is the caller's care (rules/program.h).
 */
#ifndef BAWN_CLI_TOOL_H
#define BAWN_CLI_TOOL_H

#include "base/error.h"
#include "base/str.h"

#include <sys/types.h>

struct tool_program {
    int fd;           /* what is executed; or -1: by `path` */
    const char *path; /* absolute */
    char *const *argv, *const *envp;
    bool talks; /* it has a pipe as standard input; else it reads nothing */
};

struct tool {
    pid_t pid;
    int in, out; /* its standard input (or -1) and output */
};

/* 0 when it was started: that it could not be executed is its exit status, 127. Standard error goes
 * nowhere. tool_end() is due. */
int tool_start(const struct tool_program *program, struct tool *ret, struct error *err);
/* Appends what it says, to the end or (LINE) to the end of a line, whose newline is left out. UNTIL
 * is a time of clock_ms(). -ETIMEDOUT, -E2BIG: more than MAX bytes, -EPIPE: it ended before the end
 * of a line. */
int tool_read(struct tool *t, bool line, int64_t until, size_t max, struct strbuf *out);
/* Writes N bytes. -ETIMEDOUT, -EPIPE. */
int tool_write(struct tool *t, const void *p, size_t n, int64_t until);
/* It is over, by force where it has not ended. The wait status; -1: nobody knows. */
int tool_end(struct tool *t);

/* All of it: what it said is in OUT. -EIO when it did not exit with 0. */
int tool_run(const struct tool_program *program, unsigned timeout_ms, size_t max,
             struct strbuf *out, struct error *err);

/* In a child, before its exec: no signal is handled, ignored or blocked. */
void tool_reset_signals(void);

#endif

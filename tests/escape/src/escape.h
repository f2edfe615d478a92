/*
 * One program, many attempts: `escape NAME ARG…` tries one way out and ends with 0 when it got out,
 * with 1 when it was refused, with 2 when it was called wrongly. What is outside and where is said
 * by the runner in the arguments; nothing here knows about sandboxes.
 */
#ifndef ESCAPE_H
#define ESCAPE_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

struct attempt {
    const char *name;
    int min_args;                  /* after the name */
    int (*run)(char *const *args); /* 0: got out */
};

extern const struct attempt files_attempts[], descriptors_attempts[], processes_attempts[],
    sockets_attempts[], kernel_attempts[], namespaces_attempts[], terminal_attempts[],
    races_attempts[], outside_helpers[];

/* Ends an attempt that was refused, and says by what. */
int refused(const char *what);
int number(const char *s);
/* Writes a small mark into FD; 0 when it arrived. */
int mark(int fd);
/* Copies FD to stdout; 0 when there was something. */
int show(int fd);
/* The first line of a file, without its newline, in storage of its own. */
char *first_line(const char *path);
bool contains(const char *hay, size_t n, const char *needle);
/* Calls FN for each numeric name in /proc, stops at the first 0. */
int each_process(int (*fn)(const char *pid, void *data), void *data);

#endif

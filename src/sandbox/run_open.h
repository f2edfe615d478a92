/*
 * danger-full-access where somebody wants to hear how it went: nothing is confined, and bawn stays
 * beside the command. Without anybody to hear, bawn becomes the command instead.
 */
#ifndef BAWN_SANDBOX_RUN_OPEN_H
#define BAWN_SANDBOX_RUN_OPEN_H

#include "base/error.h"

#include <sys/types.h>

struct open_run {
    char *const *argv;
    void (*started)(void *data, pid_t pid); /* may be NULL */
    void *data;
    /* Of the end: as waitpid() has it, and its largest resident memory. */
    int wait_status;
    uint64_t maxrss_kib;
};

/* Until the command has ended. 0; 1 with *ret_code (a negative errno) when it could not be
 * executed; or a negative errno. */
int open_run(struct open_run *r, int *ret_code);

#endif

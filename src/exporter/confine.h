/*
 * What bawn-exporter gives up before it reads anything of a client's, a spool's or a collector's:
 * every file but the telemetry directory and those that say how names are looked up, every program,
 * every system call but those below.
 */
#ifndef BAWN_EXPORTER_CONFINE_H
#define BAWN_EXPORTER_CONFINE_H

#include "base/error.h"

#include <linux/filter.h>
#include <stdbool.h>

/* DIRFD is the telemetry directory: read and written below. */
int exporter_confine(int dirfd, struct error *err);
/* The files of name look-up are others than when we were confined, and cannot be read: whoever
 * looks names up has to begin anew. */
bool exporter_names_changed(void);
/* The filter of system calls, for its test. */
struct sock_fprog exporter_calls(void);

#endif

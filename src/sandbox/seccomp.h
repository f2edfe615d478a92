/*
 * The system-call filter. Its policy is data (syscalls.def), turned at build time into one BPF search
 * tree a variant; nothing is computed when a command starts. Source: seccomp(2), the kernel's
 * Documentation/userspace-api/seccomp_filter.rst.
 */
#ifndef BAWN_SANDBOX_SECCOMP_H
#define BAWN_SANDBOX_SECCOMP_H

#include "base/error.h"

#include <linux/filter.h>
#include <stdint.h>

/* The program for a combination of FILTER_* (plan.h). Static storage. */
struct sock_fprog seccomp_program(unsigned filter);
/* Installs it on the calling thread (no_new_privs must be set). *ret_listener is the notification
 * descriptor when the variant notifies, else -1. No heap, async-signal-safe. */
int seccomp_install(unsigned filter, int *ret_listener);
/* Does the variant need a supervisor that answers notifications? */
int seccomp_notifies(unsigned filter);
const char *seccomp_syscall_name(int nr); /* "openat", or NULL */

#endif

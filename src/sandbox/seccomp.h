/*
 * The system-call filter. Its policy is data (syscalls.def), turned at build time into one BPF
 * search tree a variant; nothing is computed when a command starts. Source: seccomp(2), the
 * kernel's Documentation/userspace-api/seccomp_filter.rst.
 */
#ifndef BAWN_SANDBOX_SECCOMP_H
#define BAWN_SANDBOX_SECCOMP_H

#include "base/error.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

/* The program for a combination of FILTER_* (plan.h). Static storage. */
struct sock_fprog seccomp_program(unsigned filter);
/* Installs it on the calling thread (no_new_privs must be set). *ret_listener is the notification
 * descriptor when the variant notifies, else -1. No heap, async-signal-safe. */
int seccomp_install(unsigned filter, int *ret_listener);
/* Does the variant need a supervisor that answers notifications? */
int seccomp_notifies(unsigned filter);
const char *seccomp_syscall_name(int nr); /* "openat", or NULL */

/* For the supervisor: was this call notified only because FILTER_LOG shows what is refused? Then it
 * has to be answered with *ret_errno (positive). False: it is one to judge (an open, a rename, a
 * connect, a datagram socketpair, …). A call the filter would let pass is one to judge too. */
bool seccomp_refuses(unsigned filter, const struct seccomp_data *data, int *ret_errno);
/* What PROGRAM returns for DATA (SECCOMP_RET_*), without the kernel: classic BPF as far as seccomp
 * and we use it. Anything malformed is SECCOMP_RET_KILL_PROCESS. Pure. */
uint32_t seccomp_simulate(const struct sock_fprog *program, const struct seccomp_data *data);

#endif

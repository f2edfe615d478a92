/*
 * Landlock in two places. On top of bwrap and bundled it is a second wall: scopes keep signals and
 * abstract sockets inside (landlock_scope_install). As a backend of its own, for places without
 * user namespaces, it holds the plan's files, TCP and scopes (landlock_prepare, landlock_enforce).
 *
 * What the backend cannot hold, and what it does about it. Landlock grants rights on a tree and
 * cannot take them away further down. Where the plan has a hole in a tree (a protected path, a
 * mask), the tree is granted entry by entry instead, level by level down to the hole. Then:
 *
 *   - an existing hole is held. The directories above it, down from the granted root, keep their
 *     content and take no new names: making, removing and renaming would be inherited by the hole.
 *     landlock_describe() lists them; everything in their other sub-directories works as always
 *   - a mask below a directory: the directory cannot be listed when the masked thing is a directory
 *   - a missing protected name cannot be held without forbidding every new name beside it, which is
 * no way to work: the start is refused, naming it. (It is held for nothing where an existing hole
 *     stands beside it.) `protected_names` without it, or another backend, is the way out
 *   - entries that come to be in an enumerated directory after the start, made from outside, have
 * no rights: closed, not open
 *   - a directory of terminals that were made after the start cannot be told from the user's other
 *     terminals: the command can use its own and make none (`devices = ["/dev/pts"]` opens all)
 *   - private /tmp, a private /dev/shm and a private /proc do not exist: the first is refused, of
 *     /dev/shm nothing is granted unless the profile names it, and /proc is the host's, where
 * Landlock's own rule keeps other processes' memory and environment shut
 *   - stat() and the existence of names are visible everywhere; System V IPC is the host's
 *   - on kernels before 6.2 (ABI 3) files anywhere could be truncated: refused
 */
#ifndef BAWN_SANDBOX_LANDLOCK_H
#define BAWN_SANDBOX_LANDLOCK_H

#include "base/error.h"
#include "base/str.h"
#include "sandbox/plan.h"

/* Rules of one plan: an entry each of an enumerated directory. */
#define MAX_LANDLOCK_RULES 16384u

/* The kernel's Landlock version, 0 when it has none (or an outer sandbox forbids the call). */
int landlock_abi(void);

/* Confines the calling thread's signals and abstract sockets to what it starts from now on, as far
 * as the kernel can (ABI 6; below that nothing is done and 0 returned). no_new_privs must be set.
 * No heap, async-signal-safe. Returns 0 or a negative errno. */
int landlock_scope_install(void);

/* Builds the ruleset of PLAN: files, TCP when the network is off, scopes. The descriptor is
 * close-on-exec and belongs to the caller. Reads the disk where a tree has to be enumerated. */
int landlock_prepare(const struct plan *plan, int *ret_ruleset_fd, struct error *err);
/* The same, and appends what landlock_describe() would to NOTES. */
int landlock_prepare_noted(const struct plan *plan, struct strbuf *notes, int *ret_ruleset_fd,
                           struct error *err);
/* Lets the command use the terminal SLAVE, its own; other terminals of the user stay shut. No heap.
 */
int landlock_allow_terminal(int ruleset_fd, int slave);
/* Puts the calling thread under it. no_new_privs must be set. No heap, async-signal-safe. */
int landlock_enforce(int ruleset_fd);
/* For --explain: appends a line (with newline) for every directory that takes no new names or
 * cannot be listed under landlock_prepare(). Fails where that does. */
int landlock_describe(const struct plan *plan, struct strbuf *notes, struct error *err);

#endif

/*
 * What a helper program gives up before it reads a byte of a stranger's, as far as it is the same
 * for all of them; each has its own filter of system calls on top. Where the kernel has no
 * Landlock, that filter is what is left.
 */
#ifndef BAWN_HELPER_CONFINE_H
#define BAWN_HELPER_CONFINE_H

#include "base/error.h"

#include <linux/audit.h>
#include <stddef.h>

/* The sanitizers' reports need files, and their search for leaks another process that looks in. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(undefined_behavior_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#if defined(__x86_64__)
#define CONFINE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define CONFINE_ARCH AUDIT_ARCH_AARCH64
#else
#error "the filters of system calls are not written for this machine"
#endif

/* Nobody reads this memory: no core, no debugger. */
int confine_memory(struct error *err);
/* At most LIMIT_MEMORY beyond what is mapped now; nothing while SANITIZED. */
int confine_growth(struct error *err);
/* Landlock: no file but FILES, to be read; no listening; nobody else's signals and abstract
 * sockets. Takes no_new_privs, which is set here. */
int confine_files(const char *const *files, size_t n, struct error *err);
/* The same, with the directory TREE (a descriptor) besides: below it files and directories are
 * read, written, made and removed. */
int confine_files_and_tree(const char *const *files, size_t n, int tree, struct error *err);
/* None is needed, also when root started it. */
int confine_capabilities(struct error *err);

#endif

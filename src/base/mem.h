/*
 * Memory. Two kinds: the heap (mem_*) for what grows and is given back, and the arena for what
 * lives as long as one configuration or plan does and is dropped whole.
 *
 * Every allocation goes through here so that tests can make the n-th one fail. Allocators return
 * NULL on failure with errno ENOMEM; sizes are checked for overflow.
 */
#ifndef BAWN_BASE_MEM_H
#define BAWN_BASE_MEM_H

#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>

void *mem_alloc(size_t size) __attribute__((malloc, alloc_size(1))) _warn_unused_;
void *mem_zalloc(size_t count, size_t size) __attribute__((malloc, alloc_size(1, 2))) _warn_unused_;
void *mem_resize(void *p, size_t count, size_t size) _warn_unused_;
void mem_free(void *p);
/* For _cleanup_(mem_freep) on a pointer variable. */
void mem_freep(void *pp);
#define _cleanup_free_ _cleanup_(mem_freep)

/* Tests only: the N-th allocation from now on fails (0 = none). */
void mem_fail_at(unsigned long n);

struct arena_block;
struct arena {
    struct arena_block *head;
    size_t used, cap; /* of the head block */
    size_t total;     /* bytes handed out */
};
/* A zeroed struct arena is ready for use. */
void *arena_alloc(struct arena *a, size_t size) __attribute__((alloc_size(2))) _warn_unused_;
void *arena_zalloc(struct arena *a, size_t count, size_t size) _warn_unused_;
/* N bytes of S, terminated. */
char *arena_strndup(struct arena *a, const char *s, size_t n) _warn_unused_;
char *arena_strdup(struct arena *a, const char *s) _warn_unused_;
char *arena_printf(struct arena *a, const char *fmt, ...) _printf_(2, 3) _warn_unused_;
void arena_release(struct arena *a);
#define _cleanup_arena_ _cleanup_(arena_release)

#endif

/*
 * Typed growing arrays: `VEC(struct thing) things = {0};`. The items are on the heap and given back
 * by vec_release(). vec_push() yields a pointer to a new, zeroed item, or NULL when memory or the
 * maximum is exhausted (errno ENOMEM or E2BIG).
 */
#ifndef BAWN_BASE_VEC_H
#define BAWN_BASE_VEC_H

#include "base/macros.h"

#include <stdbool.h>

#define VEC(T)                                                                                     \
    struct {                                                                                       \
        T *v;                                                                                      \
        size_t n, cap;                                                                             \
    }

/* Makes room for one more item of SIZE bytes; false on failure. */
bool vec_grow_(void *vec, size_t size, size_t max);
void vec_release_(void *vec);

#define vec_push_max(vec, max)                                                                     \
    (vec_grow_((vec), sizeof(*(vec)->v), (max)) ? &(vec)->v[(vec)->n++] : (__typeof__((vec)->v))0)
#define vec_push(vec)    vec_push_max((vec), 0)
#define vec_release(vec) vec_release_(vec)
#define vec_foreach(it, vec)                                                                       \
    for (__typeof__((vec)->v) it = (vec)->v; it && it < (vec)->v + (vec)->n; it++)

#endif

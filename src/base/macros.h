/*
 * The handful of compiler conveniences every file uses: cleanup attributes, ownership transfer,
 * array length. Nothing here allocates.
 */
#ifndef BAWN_BASE_MACROS_H
#define BAWN_BASE_MACROS_H

#include <stddef.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))

#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))
#define _cleanup_(fn)       __attribute__((cleanup(fn)))
#define _unused_            __attribute__((unused))
#define _noreturn_          __attribute__((noreturn))
#define _warn_unused_       __attribute__((warn_unused_result))

/* Takes the pointer out of *P and leaves NULL: ownership moves to the caller. */
static inline void *steal_ptr_(void *p)
{
    void **pp = p;
    void *v = *pp;
    *pp = NULL;
    return v;
}
#define steal_ptr(pp) ((__typeof__(*(pp)))steal_ptr_(pp))

#endif

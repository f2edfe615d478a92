/*
 * The two clocks: one that only runs forward, and Unix time (clock_gettime(2)).
 */
#ifndef BAWN_BASE_CLOCK_H
#define BAWN_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_of(clockid_t id)
{
    struct timespec t;
    (void)clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static inline int64_t clock_ms(void)
{
    return clock_of(CLOCK_MONOTONIC);
}

static inline uint64_t clock_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static inline int64_t clock_unix_ms(void)
{
    return clock_of(CLOCK_REALTIME);
}

static inline uint64_t clock_unix_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

#endif

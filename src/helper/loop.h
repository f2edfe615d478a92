/*
 * One thread, one epoll: what is ready is called. Watches are edge-triggered: whoever is called
 * reads or writes until the kernel says EAGAIN, or asks to be called again with loop_again(), so
 * that one fast connection does not starve the rest.
 */
#ifndef BAWN_HELPER_LOOP_H
#define BAWN_HELPER_LOOP_H

#include "base/vec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

struct watch {
    int fd; /* -1: none */
    void (*ready)(struct watch *w, uint32_t events);
};

/* Something that is to be called once, in the loop's next round. */
struct task {
    struct task *next;
    void (*run)(struct task *t);
    bool queued;
};

/* Timers of one length stand in one list, which is in order by itself. */
enum timer_kind {
    TIMER_HEAD,
    TIMER_IDLE,
    TIMER_KEEP,
    TIMER_SOCKS,
    TIMER_CONNECT,
    TIMER_NEXT, /* until the next address is tried as well */
    TIMER_DNS,
    TIMER_POOL,
    TIMER_LINGER,
    TIMER_ASK,
    TIMER_KINDS,
};

struct timer {
    struct timer *next, *prev; /* NULL: not running */
    int64_t due;
    void (*fire)(struct timer *t);
};

struct loop {
    int epoll;
    int64_t now_ms; /* monotonic, of this round */
    bool stop;
    struct task *tasks, **last_task;
    size_t n_tasks;
    struct timer timers[TIMER_KINDS]; /* heads of rings */
    VEC(void *) garbage;              /* freed when the round is over */
};

/* 0 or a negative errno. */
int loop_init(struct loop *l);
void loop_release(struct loop *l);
/* Runs until `stop`. BEFORE is called before each wait: it may give a shorter time to wait than
 * TIMEOUT (milliseconds, -1 for ever). */
int loop_run(struct loop *l, int (*before)(void *data, int timeout), void *data);

/* Watches W->fd for everything, edge-triggered; or for EVENTS, level-triggered. */
int loop_watch(struct loop *l, struct watch *w);
int loop_watch_level(struct loop *l, struct watch *w, uint32_t events);
void loop_change_level(struct loop *l, struct watch *w, uint32_t events);
/* Stops watching and closes. */
void loop_close(struct loop *l, struct watch *w);
/* Stops watching; the descriptor is the caller's. */
int loop_take(struct loop *l, struct watch *w);

void loop_again(struct loop *l, struct task *t);
void loop_cancel(struct loop *l, struct task *t);

void timer_start(struct loop *l, struct timer *t, enum timer_kind kind); /* anew */
void timer_stop(struct timer *t);
static inline bool timer_runs(const struct timer *t)
{
    return t->next != NULL;
}

/* Frees P (of mem_alloc()) when this round is over: events for it may still be on their way. */
void loop_free(struct loop *l, void *p);

#endif

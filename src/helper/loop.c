/* See loop.h. */
#include "helper/loop.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/macros.h"
#include "base/mem.h"
#include "helper/limits.h"

#include <errno.h>
#include <unistd.h>

#define EVENTS_A_ROUND 256

static const int spans[TIMER_KINDS] = {
    [TIMER_HEAD] = LIMIT_HEAD_MS,       [TIMER_IDLE] = LIMIT_IDLE_MS,
    [TIMER_KEEP] = LIMIT_KEEP_MS,       [TIMER_SOCKS] = LIMIT_SOCKS_MS,
    [TIMER_CONNECT] = LIMIT_CONNECT_MS, [TIMER_NEXT] = LIMIT_NEXT_MS,
    [TIMER_DNS] = LIMIT_DNS_MS,         [TIMER_POOL] = LIMIT_POOL_MS,
    [TIMER_LINGER] = LIMIT_LINGER_MS,   [TIMER_ASK] = LIMIT_ASK_MS,
};

int loop_init(struct loop *l)
{
    *l = (struct loop){.epoll = epoll_create1(EPOLL_CLOEXEC)};
    if (l->epoll < 0)
        return -errno;
    l->last_task = &l->tasks;
    for (int i = 0; i < TIMER_KINDS; i++)
        l->timers[i].next = l->timers[i].prev = &l->timers[i];
    l->now_ms = clock_ms();
    return 0;
}

static void free_garbage(struct loop *l)
{
    for (size_t i = 0; i < l->garbage.n; i++)
        mem_free(l->garbage.v[i]);
    l->garbage.n = 0;
}

void loop_release(struct loop *l)
{
    free_garbage(l);
    vec_release(&l->garbage);
    fd_close(l->epoll);
}

static int add(struct loop *l, struct watch *w, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = w};
    return epoll_ctl(l->epoll, EPOLL_CTL_ADD, w->fd, &e) < 0 ? -errno : 0;
}

int loop_watch(struct loop *l, struct watch *w)
{
    return add(l, w, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

int loop_watch_level(struct loop *l, struct watch *w, uint32_t events)
{
    return add(l, w, events);
}

void loop_change_level(struct loop *l, struct watch *w, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = w};
    (void)epoll_ctl(l->epoll, EPOLL_CTL_MOD, w->fd, &e);
}

int loop_take(struct loop *l, struct watch *w)
{
    int fd = w->fd;
    if (fd >= 0)
        (void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, fd, NULL);
    w->fd = -1;
    return fd;
}

void loop_close(struct loop *l, struct watch *w)
{
    (void)l; /* the kernel forgets a descriptor that nobody else holds */
    fd_close(w->fd);
    w->fd = -1;
}

void loop_again(struct loop *l, struct task *t)
{
    if (t->queued)
        return;
    t->queued = true;
    l->n_tasks++;
    t->next = NULL;
    *l->last_task = t;
    l->last_task = &t->next;
}

void loop_cancel(struct loop *l, struct task *t)
{
    if (!t->queued)
        return;
    struct task **at = &l->tasks;
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    if (l->last_task == &t->next)
        l->last_task = at;
    t->next = NULL;
    t->queued = false;
    l->n_tasks--;
}

void timer_stop(struct timer *t)
{
    if (!t->next)
        return;
    t->next->prev = t->prev;
    t->prev->next = t->next;
    t->next = t->prev = NULL;
}

void timer_start(struct loop *l, struct timer *t, enum timer_kind kind)
{
    struct timer *head = &l->timers[kind];
    timer_stop(t);
    t->due = l->now_ms + spans[kind];
    t->prev = head->prev;
    t->next = head;
    head->prev->next = t;
    head->prev = t;
}

void loop_free(struct loop *l, void *p)
{
    void **slot = vec_push(&l->garbage);
    if (slot)
        *slot = p; /* without memory for that, it stays */
}

static int next_due(const struct loop *l)
{
    int64_t least = -1;
    for (int i = 0; i < TIMER_KINDS; i++) {
        const struct timer *head = &l->timers[i];
        if (head->next != head && (least < 0 || head->next->due < least))
            least = head->next->due;
    }
    if (least < 0)
        return -1;
    return least <= l->now_ms ? 0 : (int)(least - l->now_ms);
}

static void fire_due(struct loop *l)
{
    for (int i = 0; i < TIMER_KINDS; i++) {
        struct timer *head = &l->timers[i];
        while (head->next != head && head->next->due <= l->now_ms) {
            struct timer *t = head->next;
            timer_stop(t);
            t->fire(t);
        }
    }
}

/* Those that are queued meanwhile wait for the next round. */
static void run_tasks(struct loop *l)
{
    for (size_t n = l->n_tasks; n > 0 && l->tasks; n--) {
        struct task *t = l->tasks;
        loop_cancel(l, t);
        t->run(t);
    }
}

int loop_run(struct loop *l, int (*before)(void *data, int timeout), void *data)
{
    struct epoll_event events[EVENTS_A_ROUND];
    while (!l->stop) {
        /* It may start timers and tasks. */
        int timeout = before(data, -1), due = l->tasks ? 0 : next_due(l);
        timeout = timeout < 0 || (due >= 0 && due < timeout) ? due : timeout;
        int n = epoll_wait(l->epoll, events, EVENTS_A_ROUND, timeout);
        if (n < 0 && errno != EINTR)
            return -errno;
        l->now_ms = clock_ms();
        for (int i = 0; i < n; i++) {
            struct watch *w = events[i].data.ptr;
            if (w->fd >= 0) /* closed earlier in this round otherwise */
                w->ready(w, events[i].events);
        }
        run_tasks(l);
        fire_due(l);
        free_garbage(l);
    }
    return 0;
}

/*
 * Idle connections to servers, for the next client that wants the same host and port. One is as
 * good as the judgement it was dialled under: the name is judged again for every request, and the
 * address was checked when it was dialled.
 */
#include "proxy/proxy.h"

struct pooled {
    struct stream stream;
    struct pooled *next, *prev;
    struct proxy *proxy;
    struct netrequest request;
    struct timer timer;
};

static int leave(struct pooled *e, bool keep)
{
    struct proxy *p = e->proxy;
    int fd = -1;
    timer_stop(&e->timer);
    if (keep)
        fd = loop_take(&p->loop, &e->stream.watch);
    else
        loop_close(&p->loop, &e->stream.watch);
    if (e->prev)
        e->prev->next = e->next;
    else
        p->pool = e->next;
    if (e->next)
        e->next->prev = e->prev;
    p->n_pool--;
    loop_free(&p->loop, e);
    return fd;
}

/* Whatever comes on an idle connection ends it: a server has nothing to say there. */
static void ready(struct watch *w, uint32_t events)
{
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        (void)leave((struct pooled *)(void *)w, false);
}

static void due(struct timer *t)
{
    (void)leave((struct pooled *)(void *)((char *)t - offsetof(struct pooled, timer)), false);
}

int pool_take(struct proxy *p, const struct netrequest *q)
{
    for (struct pooled *e = p->pool; e; e = e->next)
        if (netrequest_same_place(&e->request, q))
            return leave(e, true);
    return -1;
}

void pool_put(struct proxy *p, const struct netrequest *q, int fd)
{
    size_t same = 0;
    struct pooled *last = NULL;
    for (struct pooled *e = p->pool; e; e = e->next) {
        same += netrequest_same_place(&e->request, q);
        last = e;
    }
    struct pooled *e = same < LIMIT_POOL_HOST ? mem_zalloc(1, sizeof(*e)) : NULL;
    if (!e) {
        fd_close(fd);
        return;
    }
    if (p->n_pool >= LIMIT_POOL && last)
        (void)leave(last, false);
    *e = (struct pooled){.stream.watch = {.fd = fd, .ready = ready},
                         .next = p->pool,
                         .proxy = p,
                         .request = *q,
                         .timer = {.fire = due}};
    if (loop_watch(&p->loop, &e->stream.watch) < 0) {
        fd_close(fd);
        mem_free(e);
        return;
    }
    if (p->pool)
        p->pool->prev = e;
    p->pool = e;
    p->n_pool++;
    timer_start(&p->loop, &e->timer, TIMER_POOL);
}

void pool_close(struct proxy *p)
{
    while (p->pool)
        (void)leave(p->pool, false);
}

void client_leave_server(struct client *c)
{
    const struct stream *s = &c->server;
    if (s->watch.fd >= 0 && !s->readable && !s->ended && !s->broken && !s->deaf &&
        !c->server_unix && buffer_n(&c->up) == 0 && buffer_n(&c->down) == 0)
        pool_put(c->proxy, &c->server_request, loop_take(&c->proxy->loop, &c->server.watch));
    client_drop_server(c);
}

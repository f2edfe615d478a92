/*
 * Names to addresses, with c-ares, on the loop. Each name is asked for as it is: no search list, no
 * second question. The system's own resolv.conf and hosts file say where and what.
 */
#include "proxy/proxy.h"

#include <ares.h>
#include <errno.h>
#include <stdio.h>

struct resolver_watch {
    struct watch watch;
    struct proxy *proxy;
    struct resolver_watch *next;
    ares_socket_t fd;
};

/* One name that is being asked for; all who want it meanwhile get the same answer. */
struct query {
    struct query *next;
    struct proxy *proxy;
    struct lookup *waiting;
    bool *told; /* set when they have been told; NULL once the start is over */
    char name[HOST_NAME_MAX_BYTES + 1];
};

struct resolver {
    ares_channel channel;
    struct query *queries;
    struct resolver_watch *watches;
    size_t n_active;
};

struct lookup {
    struct lookup *next;
    void (*done)(void *data, int status, const struct address *a,
                 size_t n); /* NULL: nobody waits */
    void *data;
};

static void ready(struct watch *w, uint32_t events)
{
    struct resolver_watch *rw = (struct resolver_watch *)(void *)w;
    ares_channel channel = rw->proxy->resolver->channel;
    bool in = events & (EPOLLIN | EPOLLERR | EPOLLHUP), out = events & EPOLLOUT;
    ares_process_fd(channel, in ? rw->fd : ARES_SOCKET_BAD, out ? rw->fd : ARES_SOCKET_BAD);
}

/* c-ares opens and closes its sockets by itself. */
static void socket_state(void *data, ares_socket_t fd, int readable, int writable)
{
    struct proxy *p = data;
    struct resolver *r = p->resolver;
    struct resolver_watch **at = &r->watches;
    uint32_t events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);
    while (*at && (*at)->fd != fd)
        at = &(*at)->next;
    struct resolver_watch *rw = *at;
    if (rw && events) {
        loop_change_level(&p->loop, &rw->watch, events);
    } else if (rw) {
        *at = rw->next;
        (void)loop_take(&p->loop, &rw->watch);
        loop_free(&p->loop, rw);
    } else if (events) {
        rw = mem_zalloc(1, sizeof(*rw));
        if (!rw)
            return; /* the look-up times out */
        *rw = (struct resolver_watch){
            .watch = {.fd = fd, .ready = ready}, .proxy = p, .fd = fd, .next = r->watches};
        r->watches = rw;
        (void)loop_watch_level(&p->loop, &rw->watch, events);
    }
}

int resolve_open(struct proxy *p, struct error *err)
{
    struct ares_options o = {.timeout = LIMIT_DNS_MS / 2,
                             .tries = 2,
                             .ndomains = 0,
                             .domains = NULL,
                             .sock_state_cb = socket_state,
                             .sock_state_cb_data = p};
    p->resolver = mem_zalloc(1, sizeof(*p->resolver));
    if (!p->resolver)
        return error_set(err, -ENOMEM, "out of memory");
    int s = ares_library_init(ARES_LIB_INIT_ALL);
    if (s == ARES_SUCCESS)
        s = ares_init_options(&p->resolver->channel, &o,
                              ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_DOMAINS |
                                  ARES_OPT_SOCK_STATE_CB);
    if (s != ARES_SUCCESS)
        return error_set(err, -EIO, "the resolver does not start: %s", ares_strerror(s));
    return 0;
}

void resolve_close(struct proxy *p)
{
    if (p->resolver && p->resolver->channel)
        ares_destroy(p->resolver->channel);
    mem_free(p->resolver);
    p->resolver = NULL;
}

int resolve_timeout(struct proxy *p, int timeout)
{
    struct timeval tv, *left;
    if (!p->resolver || p->resolver->n_active == 0)
        return timeout;
    left = ares_timeout(p->resolver->channel, NULL, &tv);
    if (!left)
        return timeout;
    int ms = (int)(left->tv_sec * 1000 + left->tv_usec / 1000) + 1;
    return timeout < 0 || ms < timeout ? ms : timeout;
}

void resolve_timers(struct proxy *p)
{
    if (p->resolver && p->resolver->n_active)
        ares_process_fd(p->resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static size_t gather(const struct ares_addrinfo *info, struct address *to, size_t cap)
{
    size_t n = 0;
    for (const struct ares_addrinfo_node *i = info->nodes; i && n < cap; i = i->ai_next) {
        struct address a = {0};
        if (i->ai_family == AF_INET) {
            a.family = ADDRESS_V4;
            memcpy(a.b, &((const struct sockaddr_in *)(const void *)i->ai_addr)->sin_addr, 4);
        } else if (i->ai_family == AF_INET6) {
            a.family = ADDRESS_V6;
            memcpy(a.b, &((const struct sockaddr_in6 *)(const void *)i->ai_addr)->sin6_addr, 16);
        } else {
            continue;
        }
        to[n++] = a;
    }
    return n;
}

/* How many are judged: all that come, up to a number that no honest name has. */
#define GATHER_MOST 256

static void tell(struct query *q, int status, const struct address *a, size_t n)
{
    while (q->waiting) {
        struct lookup *l = q->waiting;
        q->waiting = l->next;
        if (l->done)
            l->done(l->data, status, a, n);
        mem_free(l);
    }
}

static void answered(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    struct query *q = arg;
    struct resolver *r = q->proxy->resolver;
    struct address all[GATHER_MOST];
    size_t n = 0;
    (void)timeouts;
    int code = status == ARES_SUCCESS                               ? 0
               : status == ARES_ENOTFOUND || status == ARES_ENODATA ? -ENOENT
               : status == ARES_ETIMEOUT                            ? -ETIMEDOUT
                                                                    : -EIO;
    if (info && code == 0) {
        n = gather(info, all, ARRAY_LEN(all));
        if (n == ARRAY_LEN(all))
            code = -EIO;
        else if (n == 0)
            code = -ENOENT;
    }
    if (info)
        ares_freeaddrinfo(info);
    /* Who asks from here on asks anew. */
    for (struct query **at = &r->queries; *at; at = &(*at)->next)
        if (*at == q) {
            *at = q->next;
            break;
        }
    r->n_active--;
    if (q->told)
        *q->told = true;
    tell(q, code, all, code == 0 ? n : 0);
    mem_free(q);
}

struct lookup *
resolve_start(struct proxy *p, const char *name,
              void (*done)(void *data, int status, const struct address *a, size_t n), void *data)
{
    const struct ares_addrinfo_hints hints = {
        .ai_flags = ARES_AI_NUMERICSERV, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct query *q = p->resolver->queries;
    struct lookup *l = mem_zalloc(1, sizeof(*l));
    while (q && !str_eq(q->name, name))
        q = q->next;
    struct query *fresh = l && !q ? mem_zalloc(1, sizeof(*fresh)) : NULL;
    if (!l || (!q && !fresh)) {
        mem_free(l);
        done(data, -ENOMEM, NULL, 0);
        return NULL;
    }
    *l = (struct lookup){.done = done, .data = data};
    if (q) {
        l->next = q->waiting;
        q->waiting = l;
        return l;
    }
    bool told = false;
    *fresh = (struct query){.next = p->resolver->queries, .proxy = p, .waiting = l, .told = &told};
    (void)snprintf(fresh->name, sizeof(fresh->name), "%s", name);
    p->resolver->queries = fresh;
    p->resolver->n_active++;
    ares_getaddrinfo(p->resolver->channel, fresh->name, NULL, &hints, answered, fresh);
    if (told)
        return NULL;
    fresh->told = NULL;
    return l;
}

void resolve_stop(struct lookup *l)
{
    l->done = NULL;
}

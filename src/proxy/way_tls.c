/*
 * To another proxy over TLS. This program knows no TLS: bawn-intercept gets the connection that
 * was made and one end of a pair of sockets (handover.h), and the other end is the connection from
 * then on, as soon as bawn-intercept says that the other proxy is who it should be.
 *
 * The time of connecting goes on until then. Whatever goes wrong, nothing is sent to the other
 * proxy in the clear.
 */
#include "proxy/proxy.h"

#include "helper/handover.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

struct wrapping {
    struct watch watch;    /* our end */
    int theirs, connected; /* what is to be given away; -1: it is */
    struct task task;
    struct dial *dial;
};

static void release(struct wrapping *w, int *ret_fd)
{
    struct loop *loop = &w->dial->proxy->loop;
    if (ret_fd)
        *ret_fd = loop_take(loop, &w->watch);
    else
        loop_close(loop, &w->watch);
    loop_cancel(loop, &w->task);
    fd_close(w->theirs);
    fd_close(w->connected);
    w->dial->wrapping = NULL;
    loop_free(loop, w);
}

void wrap_stop(struct wrapping *w)
{
    release(w, NULL);
}

void wrap_say(struct dial *d, const char *why, size_t n)
{
    const struct way_out *way = d->way;
    char shown[RELAY_WHY_MAX + 1], name[300], note[WIRE_TEXT_MAX];
    bool *said = &d->proxy->said_upstream;
    (void)printable(shown, sizeof(shown), why, n);
    (void)snprintf(name, sizeof(name), strchr(way->host.name, ':') ? "[%s]:%u" : "%s:%u",
                   way->host.name, way->port);
    (void)snprintf(d->problem, sizeof(d->problem), "the proxy %s on the way there: %s", name,
                   shown);
    (void)snprintf(note, sizeof(note), "the proxy %s is not gone through: %s", name, shown);
    if (!*said)
        launcher_say(d->proxy, WIRE_NOTE, note);
    *said = true;
}

static void fail(struct wrapping *w, const char *why, size_t n)
{
    struct dial *d = w->dial;
    wrap_say(d, why, n);
    release(w, NULL);
    dial_finish(d, DIAL_NO_TLS, -1);
}

/* The first byte alone: what follows RELAY_OPEN is the connection's. */
static void ready(struct watch *watch, uint32_t events)
{
    struct wrapping *w = (struct wrapping *)(void *)watch;
    struct dial *d = w->dial;
    static const char gone[] = "bawn-intercept has ended, or takes no more";
    char word = 0, why[RELAY_WHY_MAX];
    int fd;
    (void)events;
    ssize_t n = recv(watch->fd, &word, 1, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n == 1 && word == RELAY_OPEN) {
        release(w, &fd);
        dial_reached(d, fd);
        return;
    }
    n = n == 1 && word == RELAY_FAILED ? recv(watch->fd, why, sizeof(why), 0) : 0;
    if (n > 0)
        fail(w, why, (size_t)n);
    else
        fail(w, gone, strlen(gone));
}

static void give(struct task *t)
{
    struct wrapping *w = (struct wrapping *)(void *)((char *)t - offsetof(struct wrapping, task));
    struct dial *d = w->dial;
    const struct handover h = {.kind = HANDOVER_RELAY, .host = d->way->host, .port = d->way->port};
    int r = handover_send(HANDOVER_FD, &h, w->theirs, w->connected);
    if (r == -EAGAIN || r == -ETOOMANYREFS) { /* it is busy: in the next round */
        loop_again(&d->proxy->loop, t);
        return;
    }
    /* When they came to nobody, the end of the pair tells. */
    fd_close(w->theirs);
    fd_close(w->connected);
    w->theirs = w->connected = -1;
}

int wrap_start(struct dial *d, int fd)
{
    int pair[2];
    struct proxy *p = d->proxy;
    struct wrapping *w = mem_zalloc(1, sizeof(*w));
    if (!w || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) {
        int r = w ? -errno : -ENOMEM;
        proxy_exhausted(p, -r);
        mem_free(w);
        fd_close(fd);
        return r;
    }
    *w = (struct wrapping){.watch = {.fd = pair[0], .ready = ready},
                           .theirs = pair[1],
                           .connected = fd,
                           .task = {.run = give},
                           .dial = d};
    d->wrapping = w;
    int r = loop_watch(&p->loop, &w->watch);
    if (r < 0)
        wrap_stop(w);
    else
        give(&w->task);
    return r;
}

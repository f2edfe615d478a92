/*
 * Accepting. The sockets were made in the sandbox's network namespace: only what runs there can
 * connect to them. When connections or descriptors run out, what waits is left waiting until some
 * connection ends: nothing is accepted to be dropped.
 */
#include "proxy/proxy.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <unistd.h>

#define ACCEPT_AT_ONCE 64

static void accept_some(struct task *t)
{
    struct listener *l = (struct listener *)(void *)((char *)t - offsetof(struct listener, task));
    struct proxy *p = l->proxy;
    for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
        struct sockaddr_storage from = {0};
        socklen_t n = sizeof(from);
        int on = 1, fd;
        if (p->n_clients >= p->most_clients) {
            p->accept_paused = true;
            proxy_exhausted(p, EMFILE);
            return;
        }
        fd = accept4(l->watch.fd, (struct sockaddr *)&from, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
            p->accept_paused = p->n_clients > 0;
            proxy_exhausted(p, errno);
            return;
        }
        if (fd < 0 && errno == EAGAIN)
            return;
        if (fd < 0)
            continue; /* that one went away */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        client_accept(p, fd, l->kind, port_of(&from));
    }
    loop_again(&p->loop, &l->task);
}

static void ready(struct watch *w, uint32_t events)
{
    struct listener *l = (struct listener *)(void *)w;
    (void)events;
    accept_some(&l->task);
}

bool listen_on(struct proxy *p, int fd, enum wire_listener kind)
{
    if (kind == LISTEN_DNS_UDP)
        return stub_listen(p, fd);
    if (kind == LISTEN_SOCKS_UDP)
        return udp_listen(p, fd);
    if (p->n_listeners == ARRAY_LEN(p->listeners) || fd_set_nonblock(fd, true) < 0)
        return false;
    if (kind != LISTEN_HTTP && kind != LISTEN_SOCKS && kind != LISTEN_TRANSPARENT &&
        kind != LISTEN_DNS_TCP)
        return false;
    struct listener *l = &p->listeners[p->n_listeners];
    *l = (struct listener){.watch = {.fd = fd, .ready = ready},
                           .proxy = p,
                           .kind = kind,
                           .task = {.run = accept_some}};
    if (loop_watch(&p->loop, &l->watch) < 0)
        return false;
    p->n_listeners++;
    return true;
}

void listen_resume(struct proxy *p)
{
    if (!p->accept_paused)
        return;
    p->accept_paused = false;
    for (size_t i = 0; i < p->n_listeners; i++)
        loop_again(&p->loop, &p->listeners[i].task);
}

void listen_close(struct proxy *p)
{
    for (size_t i = 0; i < p->n_listeners; i++)
        loop_close(&p->loop, &p->listeners[i].watch);
    p->n_listeners = 0;
}

/*
 * SOCKS associations (RFC 1928, 7): datagrams through one socket inside the sandbox, for as long as
 * the connections that asked for them live. Every destination has a connected socket of its own
 * outside: what anybody else sends is dropped by the kernel.
 */
#include "proxy/proxy.h"
#include "proxy/socks.h"

#include <errno.h>
#include <unistd.h>

#define AT_ONCE   64
#define HELD_MOST 8 /* datagrams that wait for their destination */
#define SPARE     8 /* associations beyond two for each connection */
#define DATAGRAM  65535u

struct peer {
    struct watch watch;
    struct peer *next;
    struct association *association;
    struct dial *dial;
    struct passage *passage;
    struct netrequest request; /* as the client named it */
    struct address address;    /* that was dialled */
    struct buffer held[HELD_MOST];
    size_t n_held;
};

struct association {
    struct association *next;
    struct proxy *proxy;
    struct inside *inside;          /* the socket it is reached on */
    uint64_t used;                  /* when it carried something last, in datagrams; 0: never */
    struct sockaddr_storage client; /* once it has sent something */
    socklen_t n_client;
    struct peer *peers;
    size_t n_peers;
};

/* One of the sockets inside: there is one for each family. */
struct inside {
    struct watch watch;
    struct proxy *proxy;
    struct address bound;
    uint16_t port;
    size_t holders; /* connections that asked for an association and are open */
};

struct udp {
    struct inside inside[2];
    size_t n;
    uint64_t datagrams; /* that came, a clock for `used` */
    struct association *associations;
};

/* ---- destinations ---- */

static void peer_end(struct peer *e)
{
    struct association *a = e->association;
    struct peer **at = &a->peers;
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    a->n_peers--;
    if (e->dial) {
        dial_stop(e->dial);
        loop_free(&a->proxy->loop, e->dial);
    }
    passage_end(a->proxy, &e->passage, false);
    for (size_t i = 0; i < e->n_held; i++)
        buffer_release(&e->held[i]);
    loop_close(&a->proxy->loop, &e->watch);
    loop_free(&a->proxy->loop, e);
}

static void peer_ready(struct watch *w, uint32_t events)
{
    struct peer *e = (struct peer *)(void *)w;
    struct association *a = e->association;
    struct proxy *p = a->proxy;
    char *const buf = p->scratch;
    (void)events;
    for (int i = 0; i < AT_ONCE; i++) {
        uint8_t head[SOCKS_REPLY_MAX];
        size_t n_head = socks_datagram_head(&e->address, e->request.port, head);
        ssize_t n =
            recv(w->fd, buf + sizeof(head), sizeof(p->scratch) - sizeof(head), MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            continue; /* an ICMP error: it is told once, and the next read goes on */
        memcpy(buf + sizeof(head) - n_head, head, n_head);
        (void)sendto(a->inside->watch.fd, buf + sizeof(head) - n_head, n_head + (size_t)n,
                     MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&a->client, a->n_client);
    }
}

static void peer_dialled(struct dial *d, enum dial_result result, int fd)
{
    struct peer *e = d->owner;
    struct proxy *p = e->association->proxy;
    e->dial = NULL;
    e->passage = d->passage;
    d->passage = NULL;
    loop_free(&p->loop, d);
    if (result != DIAL_CONNECTED) {
        peer_end(e);
        return;
    }
    e->address = d->addresses[d->next_address - 1];
    e->watch.fd = fd;
    if (loop_watch_level(&p->loop, &e->watch, EPOLLIN) < 0) {
        peer_end(e);
        return;
    }
    for (size_t i = 0; i < e->n_held; i++) {
        (void)send(fd, buffer_bytes(&e->held[i]).p, buffer_n(&e->held[i]),
                   MSG_DONTWAIT | MSG_NOSIGNAL);
        buffer_release(&e->held[i]);
    }
    e->n_held = 0;
}

static struct peer *peer_of(struct association *a, const struct netrequest *q)
{
    struct peer *last = NULL;
    for (struct peer *e = a->peers; e; last = e, e = e->next)
        if (netrequest_same_place(&e->request, q))
            return e;
    if (a->n_peers == LIMIT_UDP_PEERS && last)
        peer_end(last);
    struct peer *e = mem_zalloc(1, sizeof(*e));
    struct dial *d = e ? mem_zalloc(1, sizeof(*d)) : NULL;
    if (!d) {
        mem_free(e);
        return NULL;
    }
    *e = (struct peer){.watch = {.fd = -1, .ready = peer_ready},
                       .next = a->peers,
                       .association = a,
                       .dial = d,
                       .request = *q};
    *d = (struct dial){
        .proxy = a->proxy, .owner = e, .datagrams = true, .request = *q, .done = peer_dialled};
    a->peers = e;
    a->n_peers++;
    return e;
}

static void pass(struct association *a, const struct socks_request *s, struct bytes data)
{
    struct netrequest q = {.host = s->host,
                           .port = s->port,
                           .protocol = NET_SOCKS_UDP,
                           .client_port = port_of(&a->client),
                           .client_udp = true};
    if (s->problem != HOST_FINE || s->port == 0)
        return;
    stub_name(a->proxy, &q.host);
    /* HTTP/3 would be a way round whoever looks into the connections to this host. */
    if (opened_for(&a->proxy->settings.opened, &q.host, q.port) == OPENED_YES) {
        const struct netanswer no = {.decision = NET_DENY, .reason = NET_NEEDS_MITM};
        (void)proxy_record(a->proxy, &q, &no, false, "");
        return;
    }
    struct peer *e = peer_of(a, &q);
    if (!e)
        return;
    if (e->watch.fd >= 0) {
        (void)send(e->watch.fd, data.p, data.n, MSG_DONTWAIT | MSG_NOSIGNAL);
        return;
    }
    if (e->n_held < HELD_MOST && buffer_put(&e->held[e->n_held], data.p, data.n))
        e->n_held++;
    if (e->dial && !e->dial->running)
        dial_start(e->dial);
}

/* ---- the socket inside ---- */

static struct association *association_of(struct inside *in, const struct sockaddr_storage *from,
                                          socklen_t n)
{
    struct udp *u = in->proxy->udp;
    struct association *fresh = NULL;
    u->datagrams++;
    for (struct association *a = u->associations; a; a = a->next) {
        if (a->n_client == n && memcmp(&a->client, from, n) == 0) {
            a->used = u->datagrams;
            return a;
        }
        if (a->n_client == 0 && a->inside == in)
            fresh = a;
    }
    if (fresh) {
        fresh->client = *from;
        fresh->n_client = n;
        fresh->used = u->datagrams;
    }
    return fresh;
}

static void inside_ready(struct watch *w, uint32_t events)
{
    struct inside *u = (struct inside *)(void *)w;
    (void)events;
    for (int i = 0; i < AT_ONCE; i++) {
        struct sockaddr_storage from = {0};
        struct socks_request s;
        socklen_t n_from = sizeof(from);
        char *const buf = u->proxy->scratch;
        ssize_t n = recvfrom(w->fd, buf, sizeof(u->proxy->scratch), MSG_DONTWAIT,
                             (struct sockaddr *)&from, &n_from);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            continue;
        int head = socks_datagram((struct bytes){buf, (size_t)n}, &s);
        struct association *a = head > 0 ? association_of(u, &from, n_from) : NULL;
        if (a)
            pass(a, &s, (struct bytes){buf + head, (size_t)(n - head)});
    }
}

bool udp_listen(struct proxy *p, int fd)
{
    struct sockaddr_storage at = {0};
    socklen_t n = sizeof(at);
    if (!p->udp && !(p->udp = mem_zalloc(1, sizeof(*p->udp))))
        return false;
    if (p->udp->n == ARRAY_LEN(p->udp->inside) || fd_set_nonblock(fd, true) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &n) < 0)
        return false;
    struct inside *in = &p->udp->inside[p->udp->n];
    *in = (struct inside){.watch = {.fd = fd, .ready = inside_ready}, .proxy = p};
    if (at.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&at;
        in->bound.family = ADDRESS_V4;
        memcpy(in->bound.b, &v4->sin_addr, 4);
    } else {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&at;
        in->bound.family = ADDRESS_V6;
        memcpy(in->bound.b, &v6->sin6_addr, 16);
    }
    in->port = port_of(&at);
    if (loop_watch_level(&p->loop, &in->watch, EPOLLIN) < 0)
        return false;
    p->udp->n++;
    return true;
}

/* The socket of the family that the client came with. */
static struct inside *inside_for(const struct client *c)
{
    struct udp *u = c->proxy->udp;
    struct sockaddr_storage at = {0};
    socklen_t n = sizeof(at);
    (void)getsockname(c->client.watch.fd, (struct sockaddr *)&at, &n);
    for (size_t i = 0; u && i < u->n; i++)
        if ((u->inside[i].bound.family == ADDRESS_V6) == (at.ss_family == AF_INET6))
            return &u->inside[i];
    return NULL;
}

bool udp_associate(struct client *c)
{
    struct inside *in = inside_for(c);
    uint8_t answer[SOCKS_REPLY_MAX];
    struct association *a = in ? mem_zalloc(1, sizeof(*a)) : NULL;
    if (!a)
        return false;
    struct udp *u = c->proxy->udp;
    *a = (struct association){.next = u->associations, .proxy = c->proxy, .inside = in};
    u->associations = a;
    in->holders++;
    c->associated = in;
    c->state = CLIENT_ASSOCIATE;
    timer_stop(&c->timer);
    (void)buffer_put(&c->out, answer, socks_reply(SOCKS_OK, &in->bound, in->port, answer));
    return true;
}

/* Of those of IN that nobody has used yet, or that somebody has: how many, and the one that was
 * used the longest ago. */
static size_t least_used(const struct udp *u, const struct inside *in, bool used,
                         struct association **ret)
{
    size_t n = 0;
    *ret = NULL;
    for (struct association *a = u->associations; a; a = a->next) {
        if (a->inside != in || (a->used != 0) != used)
            continue;
        n++;
        if (!*ret || a->used < (*ret)->used)
            *ret = a;
    }
    return n;
}

static void association_end(struct association *a)
{
    struct association **at = &a->proxy->udp->associations;
    while (a->peers)
        peer_end(a->peers);
    while (*at != a)
        at = &(*at)->next;
    *at = a->next;
    loop_free(&a->proxy->loop, a);
}

/* Which datagrams are of the connection that ends nobody says: all come from the one loopback. So
 * those that are left have one each to begin with, and what is in use stays: all of it ends with
 * the last connection, and before that the oldest where there are many more than connections. */
void udp_end(struct client *c)
{
    struct udp *u = c->proxy->udp;
    struct inside *in = c->associated;
    struct association *least;
    if (!in)
        return;
    c->associated = NULL;
    in->holders--;
    while (least_used(u, in, false, &least) > in->holders && least)
        association_end(least);
    const size_t most = in->holders ? 2 * in->holders + SPARE : 0;
    while (least_used(u, in, true, &least) > most && least)
        association_end(least);
}

void udp_close(struct proxy *p)
{
    for (size_t i = 0; p->udp && i < p->udp->n; i++)
        fd_close(p->udp->inside[i].watch.fd);
    mem_free(p->udp);
    p->udp = NULL;
}

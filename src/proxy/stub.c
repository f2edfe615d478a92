/*
 * The resolver inside the sandbox. A name that some rule lets be reached gets an address of our
 * own, which leads back to the name when it is connected to: no query ever leaves for it here, and
 * what it really is the proxy finds out once, when it dials. Other names are refused.
 *
 * The addresses are of 198.18.0.0/15 (benchmarking, RFC 2544): no host on the Internet has one. A
 * name keeps its address as long as the run lasts.
 */
#include "proxy/proxy.h"

#include "proxy/dns_message.h"

#include <errno.h>
#include <sys/random.h>
#include <unistd.h>

#define STUB_TTL     60 /* seconds; the addresses hold longer */
#define STUB_BUCKETS 4096u
#define ANSWER_MOST  4096u
#define UDP_AT_ONCE  256
#define WAITING_MOST 2048 /* queries whose name is being looked up */

struct named {
    struct named *next;
    uint32_t index; /* of its address */
    uint8_t n;
    char name[];
};

/* One socket a family. */
struct stub_socket {
    struct watch watch;
    struct proxy *proxy;
};

struct names {
    struct stub_socket sockets[2];
    size_t n_sockets, n_waiting;
    uint64_t seed;
    struct named *buckets[STUB_BUCKETS];
    VEC(struct named *) all;
};

static struct named **bucket_of(struct names *s, const struct host *h)
{
    return &s->buckets[(host_hash(s->seed, h) >> 32) % STUB_BUCKETS];
}

static struct names *names_of(struct proxy *p)
{
    if (!p->names && (p->names = mem_zalloc(1, sizeof(*p->names))))
        if (getrandom(&p->names->seed, sizeof(p->names->seed), 0) < 0)
            p->names->seed = (uint64_t)(uintptr_t)p;
    return p->names;
}

/* ---- addresses for names ---- */

static struct address address_at(uint32_t index)
{
    index++; /* not the network's own */
    return (struct address){
        .family = ADDRESS_V4,
        .b = {198, (uint8_t)(18 + (index >> 16)), (uint8_t)(index >> 8), (uint8_t)index}};
}

bool stub_owns(const struct address *a)
{
    return a->family == ADDRESS_V4 && a->b[0] == 198 && (a->b[1] & 0xfe) == 18;
}

bool stub_name_of(struct proxy *p, const struct address *a, struct host *ret)
{
    uint32_t index = ((uint32_t)(a->b[1] - 18) << 16 | (uint32_t)a->b[2] << 8 | a->b[3]) - 1;
    if (!p->names || index >= p->names->all.n)
        return false;
    const struct named *n = p->names->all.v[index];
    *ret = (struct host){.kind = HOST_NAME, .n = n->n};
    memcpy(ret->name, n->name, n->n);
    return true;
}

void stub_name(struct proxy *p, struct host *h)
{
    if (h->kind != HOST_ADDRESS)
        return;
    struct address normal = address_normal(&h->address);
    if (stub_owns(&normal))
        (void)stub_name_of(p, &normal, h);
}

static const struct named *name_of_host(struct proxy *p, const struct host *h)
{
    struct names *s = names_of(p);
    if (!s)
        return NULL;
    struct named **bucket = bucket_of(s, h);
    for (struct named *n = *bucket; n; n = n->next)
        if (n->n == h->n && memcmp(n->name, h->name, h->n) == 0)
            return n;
    struct named *n = mem_zalloc(1, sizeof(*n) + h->n);
    struct named **slot = n ? vec_push_max(&s->all, LIMIT_NAMES) : NULL;
    if (!slot) {
        mem_free(n);
        return NULL;
    }
    n->index = (uint32_t)(s->all.n - 1);
    n->n = h->n;
    memcpy(n->name, h->name, h->n);
    n->next = *bucket;
    *bucket = n;
    *slot = n;
    return n;
}

/* ---- queries ---- */

/* Who sent a query. */
struct sender {
    uint16_t port;
    bool udp;
};

static void record(struct proxy *p, const struct host *h, const struct netanswer *a,
                   const struct sender *from)
{
    const struct netrequest q = {
        .host = *h, .protocol = NET_TCP, .client_port = from->port, .client_udp = from->udp};
    (void)proxy_record(p, &q, a, false, "");
}

enum { LATER = -2, NOTHING = -1 }; /* beside the codes of DNS */

/* What to answer QUERY with. LATER: once its name has been looked up. */
static int judge(struct proxy *p, struct bytes query, const struct sender *from,
                 struct dns_query *q)
{
    struct netanswer a;
    int code = dns_query_parse(query, q);
    if (code != DNS_NOERROR)
        return code < 0 ? NOTHING : code;
    if (q->problem != HOST_FINE || q->host.kind != HOST_NAME)
        return DNS_REFUSED;
    if (!netpolicy_may_reach(p->policy, &q->host, &a)) {
        record(p, &q->host, &a, from);
        return DNS_REFUSED;
    }
    /* What another proxy resolves cannot be known here. */
    const struct netrequest at = {.host = q->host, .port = 443, .protocol = NET_HTTPS};
    bool known = host_is_localhost(&q->host) || a.decision != NET_ALLOW || way_for(p, &at);
    return known ? DNS_NOERROR : LATER;
}

static size_t put_answer(struct proxy *p, struct bytes query, const struct dns_query *q, int code,
                         bool tcp, uint8_t *buf, size_t cap)
{
    static const struct address loopback = {ADDRESS_V4, {127, 0, 0, 1}};
    size_t max = tcp ? cap : MIN_OF((size_t)q->udp_size, cap), n = 0;
    struct address address;
    if (code == DNS_NOERROR && q->class == 1 && (q->type == DNS_A || q->type == DNS_ANY)) {
        bool local = host_is_localhost(&q->host);
        const struct named *name = local ? NULL : name_of_host(p, &q->host);
        if (local || name) {
            address = local ? loopback : address_at(name->index);
            n = 1;
        } else {
            code = DNS_SERVFAIL;
        }
    }
    return dns_answer(query, q, (unsigned)code, &address, n, STUB_TTL, max, buf, cap);
}

/* ---- queries that wait for a look-up ---- */

struct waiting {
    struct proxy *proxy;
    struct lookup *lookup;
    const struct stub_socket *socket; /* over UDP … */
    struct sockaddr_storage from;
    socklen_t n_from;
    struct client *client; /* … or over TCP; NULL: it is gone */
    size_t n;
    char query[];
};

static void send_udp(const struct stub_socket *s, const uint8_t *p, size_t n,
                     const struct sockaddr_storage *to, socklen_t n_to)
{
    if (n)
        (void)sendto(s->watch.fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)to,
                     n_to);
}

static void send_tcp(struct client *c, const uint8_t *p, size_t n)
{
    const uint8_t length[] = {(uint8_t)(n >> 8), (uint8_t)n};
    (void)buffer_put(&c->out, length, sizeof(length));
    (void)buffer_put(&c->out, p, n);
}

static void looked_up(void *data, int status, const struct address *a, size_t n_a)
{
    struct waiting *w = data;
    struct proxy *p = w->proxy;
    uint8_t answer[ANSWER_MOST];
    struct dns_query q;
    struct bytes query = {w->query, w->n};
    int code = status == 0 ? DNS_NOERROR : status == -ENOENT ? DNS_NXDOMAIN : DNS_SERVFAIL;
    (void)a;
    (void)n_a;
    p->names->n_waiting--;
    if (dns_query_parse(query, &q) == DNS_NOERROR) {
        size_t n = put_answer(p, query, &q, code, !w->socket, answer, sizeof(answer));
        if (w->socket)
            send_udp(w->socket, answer, n, &w->from, w->n_from);
        else if (w->client)
            send_tcp(w->client, answer, n);
    }
    if (w->client) {
        w->client->waiting = NULL;
        loop_again(&p->loop, &w->client->task);
    }
    loop_free(&p->loop, w);
}

/* False: too many wait already. */
static bool look_up(struct proxy *p, struct bytes query, const struct dns_query *q,
                    const struct stub_socket *socket, const struct sockaddr_storage *from,
                    socklen_t n_from, struct client *c)
{
    struct names *s = names_of(p);
    struct waiting *w =
        s && s->n_waiting < WAITING_MOST ? mem_zalloc(1, sizeof(*w) + query.n) : NULL;
    if (!w)
        return false;
    w->proxy = p;
    w->socket = socket;
    if (from)
        w->from = *from;
    w->n_from = n_from;
    w->client = c;
    w->n = query.n;
    memcpy(w->query, query.p, query.n);
    if (c)
        c->waiting = w;
    s->n_waiting++;
    struct lookup *l = resolve_start(p, q->host.name, looked_up, w);
    if (l)
        w->lookup = l;
    return true;
}

void stub_forget(struct client *c)
{
    if (c->waiting)
        c->waiting->client = NULL;
    c->waiting = NULL;
}

static void udp_ready(struct watch *w, uint32_t events)
{
    const struct stub_socket *s = (struct stub_socket *)(void *)w;
    struct proxy *p = s->proxy;
    (void)events;
    for (int i = 0; i < UDP_AT_ONCE; i++) {
        uint8_t answer[ANSWER_MOST];
        struct sockaddr_storage from;
        socklen_t n_from = sizeof(from);
        struct dns_query q;
        ssize_t n = recvfrom(w->fd, p->scratch, LIMIT_DNS + 1, MSG_DONTWAIT,
                             (struct sockaddr *)&from, &n_from);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return;
        struct bytes query = {p->scratch, (size_t)n};
        const struct sender sender = {port_of(&from), true};
        int code = query.n > LIMIT_DNS ? NOTHING : judge(p, query, &sender, &q);
        if (code == LATER) {
            if (look_up(p, query, &q, s, &from, n_from, NULL))
                continue;
            code = DNS_SERVFAIL;
        }
        if (code != NOTHING)
            send_udp(s, answer, put_answer(p, query, &q, code, false, answer, sizeof(answer)),
                     &from, n_from);
    }
}

bool stub_listen(struct proxy *p, int fd)
{
    struct names *s = names_of(p);
    if (!s || s->n_sockets == ARRAY_LEN(s->sockets) || fd_set_nonblock(fd, true) < 0)
        return false;
    struct stub_socket *to = &s->sockets[s->n_sockets];
    *to = (struct stub_socket){.watch = {.fd = fd, .ready = udp_ready}, .proxy = p};
    if (loop_watch_level(&p->loop, &to->watch, EPOLLIN) < 0)
        return false;
    s->n_sockets++;
    return true;
}

/* Over TCP: two bytes of length before each message, one at a time. */
bool stub_step(struct client *c)
{
    uint8_t answer[ANSWER_MOST];
    struct dns_query q;
    size_t n_read = stream_read(&c->client, &c->in, LIMIT_DNS + 2);
    if (!stream_write(&c->client, &c->out) ||
        (c->client.ended && buffer_n(&c->in) < 2 && !c->waiting)) {
        client_end(c);
        return false;
    }
    if (buffer_n(&c->in) < 2 || buffer_n(&c->out) > ANSWER_MOST || c->waiting)
        return false;
    struct bytes in = buffer_bytes(&c->in);
    size_t n = (size_t)((uint8_t)in.p[0] << 8 | (uint8_t)in.p[1]);
    if (n > LIMIT_DNS || (in.n < n + 2 && c->client.ended)) {
        client_end(c);
        return false;
    }
    if (in.n < n + 2)
        return n_read > 0;
    struct bytes query = {in.p + 2, n};
    const struct sender sender = {c->port, false};
    int code = judge(c->proxy, query, &sender, &q);
    timer_start(&c->proxy->loop, &c->timer, TIMER_IDLE);
    if (code == LATER && !look_up(c->proxy, query, &q, NULL, NULL, 0, c))
        code = DNS_SERVFAIL;
    if (code >= 0)
        send_tcp(c, answer, put_answer(c->proxy, query, &q, code, true, answer, sizeof(answer)));
    buffer_take(&c->in, n + 2);
    if (code == NOTHING)
        client_end(c);
    return c->state != CLIENT_DEAD;
}

void stub_close(struct proxy *p)
{
    struct names *s = p->names;
    if (!s)
        return;
    for (size_t i = 0; i < s->n_sockets; i++)
        fd_close(s->sockets[i].watch.fd);
    for (size_t i = 0; i < s->all.n; i++)
        mem_free(s->all.v[i]);
    vec_release(&s->all);
    mem_free(s);
    p->names = NULL;
}

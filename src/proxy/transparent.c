/*
 * Connections that nftables redirected: programs that know of no proxy. Where they were going is
 * asked of the kernel; an address of the stub resolver's is the name it was given for. On ports 80
 * and 443 the client says a name once more, and it must be the same one: else an allowed name would
 * be a way to any other that its server knows.
 */
#include "proxy/proxy.h"
#include "proxy/tls_hello.h"

#include <netinet/in.h>

/* linux/netfilter_ipv4.h, linux/netfilter_ipv6/ip6_tables.h */
#define SO_ORIGINAL_DST   80
#define IP6T_ORIGINAL_DST 80

static bool original(int fd, struct address *a, uint16_t *port)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    socklen_t n = sizeof(in), n6 = sizeof(in6);
    *a = (struct address){0};
    if (getsockopt(fd, SOL_IP, SO_ORIGINAL_DST, &in, &n) == 0 && in.sin_family == AF_INET) {
        a->family = ADDRESS_V4;
        memcpy(a->b, &in.sin_addr, 4);
        *port = ntohs(in.sin_port);
        return true;
    }
    if (getsockopt(fd, SOL_IPV6, IP6T_ORIGINAL_DST, &in6, &n6) == 0 &&
        in6.sin6_family == AF_INET6) {
        a->family = ADDRESS_V6;
        memcpy(a->b, &in6.sin6_addr, 16);
        *port = ntohs(in6.sin6_port);
        return true;
    }
    return false;
}

/* Nothing was redirected: somebody connected to the listener itself. */
static bool is_own(int fd, uint16_t port)
{
    struct sockaddr_storage at = {0};
    socklen_t n = sizeof(at);
    if (getsockname(fd, (struct sockaddr *)&at, &n) < 0)
        return true;
    return port_of(&at) == port;
}

bool transparent_target(struct client *c)
{
    struct address a;
    struct netrequest *q = &c->target;
    *q = (struct netrequest){.protocol = NET_TCP, .client_port = c->port};
    if (!original(c->client.watch.fd, &a, &q->port) || q->port == 0 ||
        is_own(c->client.watch.fd, q->port))
        return false;
    struct address normal = address_normal(&a);
    if (stub_owns(&normal)) {
        if (!stub_name_of(c->proxy, &normal, &q->host))
            return false;
    } else {
        host_of_address(&a, &q->host);
    }
    q->protocol = q->port == 80 ? NET_HTTP : q->port == 443 ? NET_HTTPS : NET_TCP;
    c->request = *q;
    return true;
}

/* What a program sees that is refused: of TLS an alert (access denied), of SSH the reason, else a
 * reset. */
static void refuse(struct client *c, const struct netanswer *a)
{
    static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 49};
    if (c->target.protocol == NET_HTTPS) {
        (void)buffer_put(&c->out, alert, sizeof(alert));
        client_finish(c);
    } else if (c->target.port == 22) {
        refuse_ssh(c->proxy, &c->request, a, &c->out);
        client_finish(c);
    } else {
        client_reset(c);
    }
}

static void refuse_reason(struct client *c, enum net_reason reason)
{
    const struct netanswer a = {.decision = NET_DENY, .reason = reason};
    (void)proxy_record(c->proxy, &c->request, &a, false, "");
    refuse(c, &a);
}

void transparent_dialled(struct client *c, enum dial_result result, int fd)
{
    if (c->target.protocol == NET_HTTP) {
        http_dialled(c, result, fd);
    } else if (result == DIAL_REFUSED_BY_POLICY) {
        refuse(c, &c->dial->answer);
    } else if (result != DIAL_CONNECTED) {
        client_reset(c);
    } else if (client_take_server(c, fd) < 0) {
        client_end(c);
    } else if (client_opened(c) == NET_ALLOWED) {
        client_tunnel(c);
    } else {
        client_hand_over(c);
    }
}

/* The ClientHello has a name: the one that was connected to? An address has none to compare with:
 * then a name in it would be one that nobody judged. */
static void take_hello(struct client *c, enum tls_hello hello, const struct host *name)
{
    const struct host *target = &c->target.host;
    bool fine = (hello == HELLO_NAME && host_eq(name, target)) ||
                (hello == HELLO_NO_NAME && target->kind == HOST_ADDRESS);
    if (client_opened(c) == NET_NEEDS_MITM)
        refuse_reason(c, NET_NEEDS_MITM);
    else if (!fine)
        refuse_reason(c, NET_OTHER_HOST);
    else
        client_dial(c, "", NULL, false);
}

bool transparent_step(struct client *c)
{
    struct proxy *p = c->proxy;
    if (c->target.protocol == NET_TCP) {
        /* On other ports nobody knows what is spoken: nothing there can be opened. */
        if (client_opened(c) != NET_ALLOWED)
            refuse_reason(c, NET_NEEDS_MITM);
        else
            client_dial(c, "", NULL, false);
        return true;
    }
    size_t n = stream_read(&c->client, &c->in, LIMIT_HELLO);
    if (buffer_n(&c->in) == 0) {
        if (c->client.ended)
            client_end(c);
        return false;
    }
    if (c->target.protocol == NET_HTTP) {
        c->state = CLIENT_HEAD;
        return true;
    }
    struct host name;
    enum tls_hello hello = tls_hello_read(buffer_bytes(&c->in), &name);
    if (hello == HELLO_MORE && buffer_n(&c->in) < LIMIT_HELLO && !c->client.ended) {
        if (c->state == CLIENT_FIRST)
            timer_start(&p->loop, &c->timer, TIMER_HEAD);
        c->state = CLIENT_PEEK;
        return n > 0;
    }
    take_hello(c, hello, &name);
    return true;
}

/*
 * From a request to a connected socket, in an order that leaves nothing to be rebound: the name is
 * judged before anybody is asked for it; it is looked up once; every address that came is judged;
 * what is dialled is one of those. A person's answer stands in for the rule that was missing, never
 * for the judgement of addresses.
 */
#include "proxy/proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <netinet/tcp.h>
#include <sys/un.h>
#include <unistd.h>

#define DIAL_OF(member, ptr) ((struct dial *)(void *)((char *)(ptr)-offsetof(struct dial, member)))

static void connect_next(struct dial *d);

/* Those that are not needed any more. */
static void stop_attempts(struct dial *d)
{
    timer_stop(&d->next_timer);
    for (size_t i = 0; i < d->next_address; i++)
        if (d->attempts[i].watch.fd >= 0)
            loop_close(&d->proxy->loop, &d->attempts[i].watch);
    d->n_open = 0;
}

static void stop_all(struct dial *d)
{
    timer_stop(&d->timer);
    stop_attempts(d);
    if (d->lookup)
        resolve_stop(d->lookup);
    d->lookup = NULL;
    if (d->asking.question)
        proxy_ask_stop(&d->asking);
    if (d->wrapping)
        wrap_stop(d->wrapping);
    if (d->handshake)
        handshake_stop(d->handshake);
    d->wrapping = NULL;
    d->handshake = NULL;
}

static void halt(struct dial *d)
{
    if (d->running)
        stop_all(d);
    d->running = false;
}

void dial_stop(struct dial *d)
{
    halt(d);
    passage_end(d->proxy, &d->passage, true);
}

void dial_finish(struct dial *d, enum dial_result result, int fd)
{
    halt(d);
    if (result != DIAL_CONNECTED)
        passage_end(d->proxy, &d->passage, true);
    d->done(d, result, fd);
}

static bool record(struct dial *d)
{
    if (!proxy_record(d->proxy, &d->request, &d->answer, d->asked, d->method))
        return false;
    if (d->answer.decision == NET_ALLOW && !d->passage)
        d->passage = passage_begin(d->proxy, &d->request, &d->answer);
    return true;
}

static void refuse(struct dial *d, enum net_reason reason)
{
    if (reason != NET_ALLOWED) {
        d->answer.decision = NET_DENY;
        d->answer.reason = reason;
    }
    (void)record(d);
    dial_finish(d, DIAL_REFUSED_BY_POLICY, -1);
}

/* ---- connecting ---- */

static socklen_t sockaddr_of(const struct address *a, uint16_t port, struct sockaddr_storage *ret)
{
    *ret = (struct sockaddr_storage){0};
    if (a->family == ADDRESS_V4) {
        struct sockaddr_in *in = (struct sockaddr_in *)(void *)ret;
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        memcpy(&in->sin_addr, a->b, 4);
        return sizeof(*in);
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)ret;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    memcpy(&in6->sin6_addr, a->b, 16);
    return sizeof(*in6);
}

/* The destination, or a proxy that is to be asked for it. */
void dial_reached(struct dial *d, int fd)
{
    const struct way_out *way = d->way;
    if (!way || (way->kind == WAY_HTTP && d->request.protocol == NET_HTTP))
        dial_finish(d, DIAL_CONNECTED, fd);
    else if (handshake_start(d, fd) < 0)
        dial_finish(d, DIAL_FAILED, -1);
}

static void connected(struct dial *d, int fd)
{
    stop_attempts(d);
    if (!d->way || !d->way->tls)
        dial_reached(d, fd);
    else if (wrap_start(d, fd) < 0)
        dial_finish(d, DIAL_FAILED, -1);
}

static void attempt_failed(struct dial *d, int error)
{
    d->error = error;
    if (d->next_address < d->n_addresses)
        connect_next(d);
    else if (d->n_open == 0)
        dial_finish(d, DIAL_UNREACHABLE, -1);
}

static void attempt_ready(struct watch *w, uint32_t events)
{
    struct attempt *a = (struct attempt *)(void *)w;
    struct dial *d = a->dial;
    int error = 0;
    socklen_t n = sizeof(error);
    if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
        return;
    if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
        error = errno;
    d->n_open--;
    if (error == 0) {
        connected(d, loop_take(&d->proxy->loop, w));
        return;
    }
    loop_close(&d->proxy->loop, w);
    attempt_failed(d, error);
}

static void connect_next(struct dial *d)
{
    struct sockaddr_storage to;
    const size_t i = d->next_address++;
    struct attempt *a = &d->attempts[i];
    socklen_t n = sockaddr_of(&d->addresses[i], d->port, &to);
    const int on = 1, type = d->datagrams ? SOCK_DGRAM : SOCK_STREAM;
    *a = (struct attempt){
        .watch = {.fd = socket(to.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
                  .ready = attempt_ready},
        .dial = d};
    if (a->watch.fd < 0) {
        int e = errno;
        if (e == EMFILE || e == ENFILE || e == ENOMEM || e == ENOBUFS) {
            d->error = e;
            proxy_exhausted(d->proxy, e);
            if (d->n_open == 0)
                dial_finish(d, DIAL_FAILED, -1);
        } else {
            attempt_failed(d, e);
        }
        return;
    }
    if (!d->datagrams)
        (void)setsockopt(a->watch.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(a->watch.fd, (struct sockaddr *)&to, n) == 0) {
        connected(d, steal_fd(&a->watch.fd));
        return;
    }
    if (errno != EINPROGRESS || loop_watch(&d->proxy->loop, &a->watch) < 0) {
        int e = errno;
        loop_close(&d->proxy->loop, &a->watch);
        attempt_failed(d, e);
        return;
    }
    d->n_open++;
    if (d->next_address < d->n_addresses)
        timer_start(&d->proxy->loop, &d->next_timer, TIMER_NEXT);
}

static void next_due(struct timer *t)
{
    struct dial *d = DIAL_OF(next_timer, t);
    if (d->next_address < d->n_addresses)
        connect_next(d);
}

static void connect_due(struct timer *t)
{
    static const char late[] = "the TLS handshake was not done in time";
    struct dial *d = DIAL_OF(timer, t);
    if (d->wrapping)
        wrap_say(d, late, strlen(late));
    dial_finish(d, DIAL_TIMEOUT, -1);
}

static void start_connecting(struct dial *d)
{
    d->next_address = 0;
    d->next_timer.fire = next_due;
    d->timer.fire = connect_due;
    timer_start(&d->proxy->loop, &d->timer, TIMER_CONNECT);
    connect_next(d);
}

/* ---- names ---- */

static void take_addresses(struct dial *d, const struct address *a, size_t n)
{
    d->n_addresses = MIN_OF(n, ARRAY_LEN(d->addresses));
    for (size_t i = 0; i < d->n_addresses; i++)
        d->addresses[i] = address_dial(&a[i]);
}

static void judge_addresses(struct dial *d, const struct address *a, size_t n)
{
    struct netanswer by_name = d->answer;
    netpolicy_decide_addresses(d->proxy->policy, &d->request, a, n, &d->answer);
    bool yes = d->answer.decision == NET_ALLOW || (d->answer.decision == NET_ASK && d->asked);
    take_addresses(d, a, n);
    if (!yes) {
        refuse(d, d->answer.decision == NET_ASK ? NET_PROMPT : NET_ALLOWED);
        return;
    }
    by_name.address = d->answer.address;
    by_name.class = d->answer.class;
    by_name.range = d->answer.range;
    by_name.own = d->answer.own;
    d->answer = by_name;
    if (record(d))
        start_connecting(d);
    else
        dial_finish(d, DIAL_FAILED, -1);
}

static void resolved(void *data, int status, const struct address *a, size_t n)
{
    struct dial *d = data;
    d->lookup = NULL;
    timer_stop(&d->timer);
    if (d->way) {
        take_addresses(d, a, n);
        if (status < 0) {
            d->error = EHOSTUNREACH;
            dial_finish(d, DIAL_UNREACHABLE, -1);
        } else {
            start_connecting(d);
        }
        return;
    }
    if (status < 0)
        refuse(d, status == -ETIMEDOUT ? NET_DNS_TIMEOUT : NET_DNS_FAILED);
    else
        judge_addresses(d, a, n);
}

static void lookup_due(struct timer *t)
{
    struct dial *d = DIAL_OF(timer, t);
    if (d->lookup)
        resolve_stop(d->lookup);
    d->lookup = NULL;
    if (d->way)
        dial_finish(d, DIAL_TIMEOUT, -1);
    else
        refuse(d, NET_DNS_TIMEOUT);
}

static void look_up(struct dial *d, const char *name)
{
    d->timer.fire = lookup_due;
    timer_start(&d->proxy->loop, &d->timer, TIMER_DNS);
    struct lookup *l = resolve_start(d->proxy, name, resolved, d);
    if (l)
        d->lookup = l;
}

/* The request is allowed by its name. */
static void allowed(struct dial *d)
{
    static const struct address loopback[] = {
        {ADDRESS_V4, {127, 0, 0, 1}},
        {ADDRESS_V6, {[15] = 1}},
    };
    const struct host *h = &d->request.host;
    d->way = way_for(d->proxy, &d->request);
    d->port = d->way ? d->way->port : d->request.port;
    const bool judged = d->way || h->kind == HOST_ADDRESS; /* nothing more comes to be judged */
    if (judged && !record(d)) {
        dial_finish(d, DIAL_FAILED, -1);
        return;
    }
    if (d->way)
        h = &d->way->host;
    if (h->kind == HOST_ADDRESS) {
        take_addresses(d, &h->address, 1);
        start_connecting(d);
    } else if (host_is_localhost(h)) {
        if (!d->way) {
            judge_addresses(d, loopback, ARRAY_LEN(loopback));
            return;
        }
        take_addresses(d, loopback, ARRAY_LEN(loopback));
        start_connecting(d);
    } else {
        look_up(d, h->name);
    }
}

static void answered(struct asking *a, bool allow)
{
    struct dial *d = DIAL_OF(asking, a);
    d->asked = true;
    if (!allow) {
        refuse(d, NET_ANSWERED_NO);
        return;
    }
    d->answer.decision = NET_ALLOW;
    d->answer.reason = NET_ALLOWED;
    allowed(d);
}

void dial_start(struct dial *d)
{
    d->running = true;
    if (!d->judged)
        proxy_judge(d->proxy, &d->request, &d->answer, &d->asked);
    switch (d->answer.decision) {
    case NET_ALLOW:
        allowed(d);
        break;
    case NET_ASK:
        d->asking.answered = answered;
        if (!proxy_ask(d->proxy, &d->request, &d->answer, &d->asking))
            refuse(d, NET_NOBODY_TO_ASK);
        break;
    case NET_NONE:
    case NET_DENY:
        refuse(d, NET_ALLOWED);
        break;
    }
}

/* ---- Unix sockets ---- */

int dial_pin_sockets(struct proxy *p)
{
    const struct wire_settings *s = &p->settings;
    p->sockets = arena_zalloc(&p->arena, s->n_unix_sockets + 1, sizeof(*p->sockets));
    if (!p->sockets)
        return -ENOMEM;
    for (size_t i = 0; i < s->n_unix_sockets; i++) {
        struct unix_socket *u = &p->sockets[i];
        u->place = arena_zalloc(&p->arena, 1, sizeof(*u->place));
        if (!u->place)
            return -ENOMEM;
        u->fd = unix_open(s->unix_sockets[i], u->place);
    }
    return 0;
}

static int connect_unix(const char *path, int *ret_fd)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    (void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
    _cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        return -errno;
    *ret_fd = steal_fd(&fd);
    return 0;
}

/* The very file that stood there at the start: whoever can write its directory could put another
 * one, or a link, in its place. */
int dial_unix(struct proxy *p, struct bytes path, int *ret_fd)
{
    const struct wire_settings *s = &p->settings;
    char text[sizeof(((struct sockaddr_un *)0)->sun_path)];
    if (path.n == 0 || path.p[0] != '/' || path.n >= sizeof(text) || memchr(path.p, '\0', path.n))
        return -EACCES;
    for (size_t i = 0; i < s->n_unix_sockets; i++) {
        if (!bytes_is(path, s->unix_sockets[i]))
            continue;
        const struct unix_socket *u = &p->sockets[i];
        (void)snprintf(text, sizeof(text), "/proc/self/fd/%d", u->fd);
        int r = u->fd < 0 ? u->fd : connect_unix(text, ret_fd);
        if (r < 0 || unix_is_named(*ret_fd, s->unix_sockets[i], u->place))
            return r;
        fd_close(*ret_fd);
        *ret_fd = -1;
        return -EACCES;
    }
    if (!s->all_unix_sockets)
        return -EACCES;
    memcpy(text, path.p, path.n);
    text[path.n] = '\0';
    return connect_unix(text, ret_fd);
}

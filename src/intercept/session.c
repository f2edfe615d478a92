/*
 * One client, and the servers that answer it: always the same host and port.
 *
 * The first server comes connected, from bawn-proxy. Others are connected to here, at the addresses
 * that came with it, when the first one is gone, or busy and speaks HTTP/1.
 */
#include "intercept/intercept.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* ---- timers ---- */

static struct session *session_of_timer(struct timer *t)
{
    return (struct session *)(void *)((char *)t - offsetof(struct session, timer));
}

static void session_timed_out(struct timer *t)
{
    session_end(session_of_timer(t));
}

static void server_timed_out(struct timer *t)
{
    struct server *v = (struct server *)(void *)((char *)t - offsetof(struct server, timer));
    if (link_is_up(&v->link))
        v->done = true; /* idle */
    else
        link_fail(&v->link, "it did not answer in time");
    session_wake(v->session);
}

/* HTTP/2: is there nothing but heads that have not come whole? */
static bool is_unjudged(const struct session *s)
{
    for (const struct exchange *x = s->exchanges; x; x = x->next)
        if (x->judged)
            return false;
    return true;
}

/* What the session waits for, and for how long. */
static void set_timer(struct session *s)
{
    enum timer_kind kind = TIMER_KEEP;
    bool wanted = true;
    if (s->client.state == LINK_HANDSHAKE)
        kind = TIMER_HEAD;
    else if (s->lingering)
        kind = TIMER_LINGER;
    else if (s->n_exchanges && !(s->h2 && is_unjudged(s)))
        wanted = false;
    else if (s->h2 ? s->n_exchanges > 0 : queue_n(&s->client.in) > 0)
        kind = TIMER_HEAD;
    if (!wanted) {
        timer_stop(&s->timer);
        s->timer_set = false;
        return;
    }
    if (s->timer_set && s->timer_kind == kind && s->timer_served == s->served)
        return;
    s->timer_set = true;
    s->timer_kind = kind;
    s->timer_served = s->served;
    timer_start(&s->intercept->loop, &s->timer, kind);
}

static void set_server_timer(struct server *v)
{
    bool up = link_is_up(&v->link), busy = v->current || v->n_streams;
    enum timer_kind kind = up ? TIMER_POOL : TIMER_CONNECT;
    if (up && (busy || v->session->n_addresses == 0)) {
        timer_stop(&v->timer);
        v->timer_set = false;
        return;
    }
    if (v->timer_set && v->timer_kind == kind)
        return;
    v->timer_set = true;
    v->timer_kind = kind;
    timer_start(&v->session->intercept->loop, &v->timer, kind);
}

/* ---- servers ---- */

static void no_delay(int fd)
{
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static int start_connect(const struct address *a, uint16_t port)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } to = {0};
    socklen_t n = a->family == ADDRESS_V4 ? sizeof(to.v4) : sizeof(to.v6);
    to.any.sa_family = a->family == ADDRESS_V4 ? AF_INET : AF_INET6;
    if (a->family == ADDRESS_V4) {
        to.v4.sin_port = htons(port);
        memcpy(&to.v4.sin_addr, a->b, 4);
    } else {
        to.v6.sin6_port = htons(port);
        memcpy(&to.v6.sin6_addr, a->b, 16);
    }
    int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, &to.any, n) < 0 && errno != EINPROGRESS) {
        fd_close(fd);
        return -errno;
    }
    return fd < 0 ? -errno : fd;
}

static bool can_dial(const struct session *s)
{
    return s->given >= 0 || s->next_address < s->n_addresses;
}

static void server_free(struct server *v)
{
    struct server **at = &v->session->servers;
    while (*at != v)
        at = &(*at)->next;
    *at = v->next;
    v->session->n_servers--;
    timer_stop(&v->timer);
    nghttp2_session_del(v->h2);
    if (link_is_up(&v->link)) { /* say goodbye, as far as there is room */
        v->link.out_end = true;
        (void)link_step(&v->link);
    }
    link_close(&v->link);
    loop_free(&v->session->intercept->loop, v);
}

/* Begins one more connection to a server. False: nobody can be reached (s->failure). */
static bool server_new(struct session *s, bool only_h1)
{
    struct server *v = mem_zalloc(1, sizeof(*v));
    bool given = s->given >= 0;
    if (!v)
        return false;
    v->session = s;
    v->only_h1 = only_h1;
    v->timer.fire = server_timed_out;
    int fd = given ? steal_fd(&s->given) : -1;
    for (; fd < 0 && s->next_address < s->n_addresses; s->next_address++) {
        fd = start_connect(&s->addresses[s->next_address], s->target.port);
        if (fd >= 0)
            break;
        (void)snprintf(s->failure, sizeof(s->failure), "cannot connect: %s", strerrordesc_np(-fd));
    }
    if (fd < 0) {
        mem_free(v);
        return false;
    }
    no_delay(fd);
    if (!link_open(&v->link, &s->intercept->loop, &s->task, fd, tls_for_server(s, v), !given)) {
        (void)snprintf(s->failure, sizeof(s->failure), "out of memory or descriptors");
        mem_free(v);
        return false;
    }
    v->next = s->servers;
    s->servers = v;
    s->n_servers++;
    set_server_timer(v);
    return true;
}

static void fail_waiting(struct session *s)
{
    struct exchange *next;
    for (struct exchange *x = s->exchanges; x; x = next) {
        next = x->next;
        if (x->needs_server)
            exchange_fail(x, "upstream_failed", s->failure);
    }
}

void server_failed(struct server *v, const char *problem)
{
    struct session *s = v->session;
    struct exchange *next;
    (void)snprintf(s->failure, sizeof(s->failure), "%s", problem);
    v->done = true;
    v->current = NULL;
    v->n_streams = 0;
    for (struct exchange *x = s->exchanges; x; x = next) {
        next = x->next;
        if (x->server != v)
            continue;
        x->server = NULL;
        if (v->h2)
            (void)nghttp2_session_set_stream_user_data(v->h2, x->server_stream, NULL);
        if (v->used && exchange_can_repeat(x)) { /* it was just being closed, for being idle */
            x->submitted = false;
            x->needs_server = true;
        } else {
            exchange_fail(x, "upstream_failed", s->failure);
        }
    }
}

/* Connecting, or the handshake, came to nothing. */
static void server_not_reached(struct server *v, enum link_state before)
{
    struct session *s = v->session;
    (void)snprintf(s->failure, sizeof(s->failure), "%s", v->link.problem);
    v->done = true;
    if (before == LINK_CONNECTING && ++s->next_address < s->n_addresses)
        return; /* the next one is tried */
    s->next_address = 0;
    fail_waiting(s);
}

static bool server_run(struct server *v)
{
    enum link_state before = v->link.state;
    bool moved = link_step(&v->link);
    if (v->link.state == LINK_FAILED) {
        if (before == LINK_OPEN)
            server_failed(v, v->link.problem);
        else if (!v->done)
            server_not_reached(v, before);
        v->done = true;
        v->n_streams = 0;
        return true;
    }
    if (before != LINK_OPEN && v->link.state == LINK_OPEN) {
        v->session->server_is_h1 = !v->link.h2;
        if (v->link.h2 && !server_h2_open(v))
            server_failed(v, "out of memory");
    }
    if (link_is_up(&v->link) && !(v->done && !v->current && v->n_streams == 0))
        moved = (v->h2 ? server_h2_step(v) : server_h1_step(v)) || moved;
    return moved;
}

/* ---- which server for which request ---- */

static bool can_take(const struct server *v, const struct exchange *x)
{
    if (!link_is_up(&v->link) || v->done)
        return false;
    if (v->h2)
        return !x->upgrade_to.n &&
               v->n_streams < nghttp2_session_get_remote_settings(
                                  v->h2, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    return !v->current;
}

static bool give(struct server *v, struct exchange *x)
{
    x->needs_server = false;
    x->server = v;
    if (!v->h2)
        v->current = x;
    else if (!server_h2_submit(v, x)) {
        x->server = NULL;
        x->needs_server = true;
        v->done = true;
        return false;
    }
    return true;
}

static size_t count_coming(const struct session *s)
{
    size_t n = 0;
    for (const struct server *v = s->servers; v; v = v->next)
        n += !v->done && !link_is_up(&v->link);
    return n;
}

/* Is there one that could answer X later on? */
static bool is_hope(const struct session *s, const struct exchange *x)
{
    for (const struct server *v = s->servers; v; v = v->next)
        if (!v->done && (!v->h2 || !x->upgrade_to.n))
            return true;
    return false;
}

static bool dispatch_one(struct session *s, struct exchange *x, size_t *coming)
{
    for (struct server *v = s->servers; v; v = v->next)
        if (can_take(v, x))
            return give(v, x);
    if (*coming) {
        --*coming;
        return false;
    }
    bool more = !is_hope(s, x) || (s->server_is_h1 && s->n_servers < SERVERS_MOST);
    if (more && can_dial(s) && server_new(s, x->upgrade_to.n > 0))
        return true;
    if (is_hope(s, x))
        return false;
    s->next_address = 0;
    exchange_fail(x, "upstream_failed",
                  s->failure[0] ? s->failure : "the connection to the server has ended");
    return true;
}

static bool dispatch(struct session *s)
{
    size_t coming = count_coming(s);
    bool moved = false;
    struct exchange *next;
    for (struct exchange *x = s->exchanges; x; x = next) {
        next = x->next;
        if (x->needs_server)
            moved = dispatch_one(s, x, &coming) || moved;
    }
    return moved;
}

/* ---- the session ---- */

static void run_task(struct task *t)
{
    session_run((struct session *)(void *)((char *)t - offsetof(struct session, task)));
}

void session_wake(struct session *s)
{
    if (!s->dead)
        loop_again(&s->intercept->loop, &s->task);
}

void session_end(struct session *s)
{
    struct intercept *ic = s->intercept;
    if (s->dead)
        return;
    s->dead = true;
    launcher_ended(s);
    nghttp2_session_del(s->h2);
    s->h2 = NULL;
    while (s->exchanges)
        exchange_free(s->exchanges);
    while (s->servers)
        server_free(s->servers);
    link_close(&s->client);
    fd_close(s->given);
    timer_stop(&s->timer);
    loop_cancel(&ic->loop, &s->task);
    if (s->prev)
        s->prev->next = s->next;
    else
        ic->sessions = s->next;
    if (s->next)
        s->next->prev = s->prev;
    ic->n_sessions--;
    loop_free(&ic->loop, s);
}

void session_start(struct intercept *ic, const struct handover *h, int client, int server)
{
    struct session *s = ic->n_sessions < LIMIT_CLIENTS ? mem_zalloc(1, sizeof(*s)) : NULL;
    if (!s || fd_set_nonblock(client, true) < 0 ||
        (server >= 0 && fd_set_nonblock(server, true) < 0)) {
        fd_close(client);
        fd_close(server);
        mem_free(s);
        return;
    }
    s->intercept = ic;
    s->target = (struct netrequest){
        .host = h->host, .port = h->port, .protocol = NET_HTTPS, .client_port = h->client_port};
    memcpy(s->addresses, h->addresses, sizeof(s->addresses));
    s->n_addresses = h->n_addresses;
    s->began_ms = clock_unix_ms();
    s->began_us = clock_us();
    s->given = server;
    s->last_exchange = &s->exchanges;
    s->task.run = run_task;
    s->timer.fire = session_timed_out;
    s->next = ic->sessions;
    if (s->next)
        s->next->prev = s;
    ic->sessions = s;
    ic->n_sessions++;
    judge_session(s);
    no_delay(client);
    s->client.watch.fd = -1;
    if (!link_open(&s->client, &ic->loop, &s->task, client, tls_for_client(s), false) ||
        !queue_put(&s->client.first, h->first.p, h->first.n)) {
        session_end(s);
        return;
    }
    session_wake(s);
}

/* The handshake with the client is done. Where no other connection can be made, the one there is
 * must be able to become a WebSocket. */
static bool begin(struct session *s)
{
    (void)server_new(s, !s->client.h2 && s->n_addresses == 0);
    return !s->client.h2 || client_h2_open(s);
}

static bool run_client(struct session *s)
{
    enum link_state before = s->client.state;
    bool moved = link_step(&s->client);
    if (s->client.state == LINK_FAILED) {
        if (s->names_differ)
            (void)launcher_record(s->intercept, &s->target, NET_DENY, NET_OTHER_HOST, NULL, "");
        session_end(s);
        return false;
    }
    if (!link_is_up(&s->client))
        return moved;
    if (before != LINK_OPEN && !begin(s)) {
        session_end(s);
        return false;
    }
    moved = (s->h2 ? client_h2_step(s) : client_h1_step(s)) || moved;
    return !s->dead && (dispatch(s) || moved);
}

static bool run_servers(struct session *s)
{
    bool moved = false;
    struct server *next;
    for (struct server *v = s->servers; v; v = next) {
        moved = server_run(v) || moved;
        next = v->next;
        if (v->done && !v->current && v->n_streams == 0)
            server_free(v);
        else
            set_server_timer(v);
    }
    return moved;
}

/* The only server has ended the connection, and no other can be made: the client may come anew. */
static bool is_over(const struct session *s)
{
    return link_is_up(&s->client) && !s->lingering && s->n_exchanges == 0 && s->n_servers == 0 &&
           s->given < 0 && s->n_addresses == 0 && queue_n(&s->client.in) == 0;
}

static bool finish_client(struct session *s)
{
    if (s->over || !is_over(s))
        return false;
    s->over = true;
    if (s->h2) {
        (void)nghttp2_session_terminate_session(s->h2, NGHTTP2_NO_ERROR);
    } else {
        s->client.out_end = true;
        s->lingering = true;
    }
    return true;
}

static void rest(struct session *s)
{
    set_timer(s);
    link_trim(&s->client);
    for (struct server *v = s->servers; v; v = v->next)
        link_trim(&v->link);
}

void session_run(struct session *s)
{
    for (int i = 0; i < ROUNDS_MOST; i++) {
        bool moved = run_client(s);
        if (s->dead)
            return;
        moved = run_servers(s) || moved;
        moved = finish_client(s) || moved;
        if (!moved) {
            rest(s);
            return;
        }
    }
    set_timer(s);
    session_wake(s);
}

/*
 * One connection from the sandbox. Whatever happens to it (bytes, room for bytes, a connected
 * server, an answer, a timer) ends in client_run(), which lets the state's step do what it can
 * until nothing moves.
 */
#include "proxy/proxy.h"

#include "helper/handover.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define STEPS_AT_ONCE 64
#define FIRST_READ    2048u /* what a first request has, mostly */

#define CLIENT_OF(member, ptr)                                                                     \
    ((struct client *)(void *)((char *)(ptr)-offsetof(struct client, member)))

/* ---- life ---- */

static void client_ready(struct watch *w, uint32_t events)
{
    struct client *c = CLIENT_OF(client.watch, w);
    stream_event(&c->client, events);
    client_run(c);
}

static void server_ready(struct watch *w, uint32_t events)
{
    struct client *c = CLIENT_OF(server.watch, w);
    stream_event(&c->server, events);
    client_run(c);
}

static void run_again(struct task *t)
{
    client_run(CLIENT_OF(task, t));
}

static void timed_out(struct timer *t)
{
    struct client *c = CLIENT_OF(timer, t);
    static const struct refusal late = {
        .status = 408, .reason = "timeout", .text = "the head of the request did not come in time"};
    if (c->state == CLIENT_HEAD && buffer_n(&c->in)) {
        refuse_http(c->proxy, &late, false, &c->out);
        client_finish(c);
        client_run(c);
    } else {
        client_end(c);
    }
}

void client_accept(struct proxy *p, int fd, enum wire_listener kind, uint16_t port)
{
    struct client *c = mem_zalloc(1, sizeof(*c));
    if (!c) {
        proxy_exhausted(p, ENOMEM);
        fd_close(fd);
        return;
    }
    *c = (struct client){.client.watch = {.fd = fd, .ready = client_ready},
                         .server.watch = {.fd = -1, .ready = server_ready},
                         .proxy = p,
                         .next = p->clients,
                         .state = CLIENT_FIRST,
                         .listener = (uint8_t)kind,
                         .port = port,
                         .timer = {.fire = timed_out},
                         .task = {.run = run_again}};
    tunnel_begin(&c->tunnel);
    if (loop_watch(&p->loop, &c->client.watch) < 0) {
        fd_close(fd);
        mem_free(c);
        return;
    }
    if (p->clients)
        p->clients->prev = c;
    p->clients = c;
    p->n_clients++;
    timer_start(&p->loop, &c->timer, TIMER_IDLE);
    if (kind == LISTEN_TRANSPARENT && !transparent_target(c))
        client_end(c);
}

void client_drop_server(struct client *c)
{
    if (c->server.watch.fd >= 0)
        loop_close(&c->proxy->loop, &c->server.watch);
    c->server = (struct stream){.watch = {.fd = -1, .ready = server_ready}};
    buffer_release(&c->up);
    buffer_release(&c->down);
}

int client_take_server(struct client *c, int fd)
{
    client_drop_server(c);
    c->server.watch.fd = fd;
    if (c->dial) {
        c->server.relayed = c->dial->way && c->dial->way->tls;
        c->down = c->dial->early;
        c->dial->early = (struct buffer){0};
        c->n_addresses = c->dial->way ? 0 : c->dial->n_addresses;
        memcpy(c->addresses, c->dial->addresses, sizeof(c->addresses));
    }
    /* A fresh connection can be written to; the kernel says so again in a moment. */
    c->server.writable = true;
    return loop_watch(&c->proxy->loop, &c->server.watch);
}

void client_end(struct client *c)
{
    struct proxy *p = c->proxy;
    if (c->state == CLIENT_DEAD)
        return;
    c->state = CLIENT_DEAD;
    if (c->client.starved || c->server.starved)
        proxy_exhausted(p, ENOMEM);
    timer_stop(&c->timer);
    loop_cancel(&p->loop, &c->task);
    if (c->dial) {
        dial_stop(c->dial);
        buffer_release(&c->dial->early);
        loop_free(&p->loop, c->dial);
        c->dial = NULL;
    }
    passage_end(p, &c->passage, false);
    udp_end(c);
    stub_forget(c);
    http_reset(c);
    tunnel_end(p, &c->tunnel);
    client_drop_server(c);
    loop_close(&p->loop, &c->client.watch);
    buffer_release(&c->in);
    buffer_release(&c->out);
    if (c->prev)
        c->prev->next = c->next;
    else
        p->clients = c->next;
    if (c->next)
        c->next->prev = c->prev;
    p->n_clients--;
    loop_free(&p->loop, c);
    listen_resume(p);
}

void client_reset(struct client *c)
{
    const struct linger hard = {.l_onoff = 1};
    (void)setsockopt(c->client.watch.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    client_end(c);
}

void client_finish(struct client *c)
{
    client_drop_server(c);
    passage_end(c->proxy, &c->passage, false);
    c->state = CLIENT_LAST;
    timer_start(&c->proxy->loop, &c->timer, TIMER_LINGER);
}

/* What is left goes out; then our end is closed, and what still comes is thrown away for a moment:
 * closing on unread bytes would reset the connection, and the client would not see why. */
static bool last_step(struct client *c)
{
    if (!stream_write(&c->client, &c->out)) {
        client_end(c);
        return false;
    }
    if (buffer_n(&c->out))
        return false;
    stream_shut(&c->client);
    buffer_release(&c->in);
    size_t n = stream_read(&c->client, &c->in, 32768);
    buffer_release(&c->in);
    if (c->client.ended)
        client_end(c);
    return n > 0 && c->state != CLIENT_DEAD;
}

/* ---- dialling ---- */

static void dialled(struct dial *d, enum dial_result result, int fd)
{
    struct client *c = d->owner;
    passage_end(c->proxy, &c->passage, false);
    c->passage = d->passage;
    d->passage = NULL;
    switch ((enum wire_listener)c->listener) {
    case LISTEN_HTTP:
        http_dialled(c, result, fd);
        break;
    case LISTEN_SOCKS:
        socks_dialled(c, result, fd);
        break;
    default:
        transparent_dialled(c, result, fd);
        break;
    }
    buffer_release(&d->early);
    if (c->state == CLIENT_DEAD)
        return; /* and the dial with it */
    c->dial = NULL;
    loop_free(&c->proxy->loop, d);
    loop_again(&c->proxy->loop, &c->task);
}

void client_dial(struct client *c, const char *method, const struct netanswer *judged, bool asked)
{
    struct dial *d = mem_zalloc(1, sizeof(*d));
    if (!d) {
        c->client.starved = true;
        client_end(c);
        return;
    }
    *d = (struct dial){.proxy = c->proxy,
                       .owner = c,
                       .request = c->request,
                       .judged = judged != NULL,
                       .done = dialled,
                       .asked = asked};
    if (judged)
        d->answer = *judged;
    (void)printable(d->method, sizeof(d->method), method, strlen(method));
    c->state = CLIENT_DIAL;
    timer_stop(&c->timer);
    if (buffer_n(&c->in) == 0)
        buffer_release(&c->in);
    c->dial = d;
    dial_start(d);
}

/* While the server is not there yet: is the client? */
static bool dial_step(struct client *c)
{
    /* A client that has closed its own end may still wait for an answer; one that is gone may not.
     */
    if (buffer_n(&c->in) < FIRST_READ)
        (void)stream_read(&c->client, &c->in, FIRST_READ);
    if (c->client.broken)
        client_end(c);
    return false;
}

/* ---- tunnels ---- */

void client_tunnel(struct client *c)
{
    c->state = CLIENT_TUNNEL;
    timer_stop(&c->timer);
    /* What either side sent already goes first. */
    struct buffer swap = c->up;
    if (buffer_n(&swap) == 0) {
        c->up = c->in;
        c->in = swap;
    } else {
        (void)buffer_put(&c->up, buffer_bytes(&c->in).p, buffer_n(&c->in));
        buffer_release(&c->in);
    }
    if (buffer_n(&c->down)) {
        (void)buffer_put(&c->out, buffer_bytes(&c->down).p, buffer_n(&c->down));
        buffer_release(&c->down);
    }
    buffer_release(&c->in);
}

static bool tunnel_step(struct client *c)
{
    bool again;
    int r = tunnel_move(c->proxy, &c->tunnel, &c->client, &c->server, &c->up, &c->out, &again);
    if (r < 0)
        client_reset(c);
    else if (r == 0)
        client_end(c);
    else if (again)
        loop_again(&c->proxy->loop, &c->task);
    return false;
}

/* ---- what is opened ---- */

enum net_reason client_opened(const struct client *c)
{
    const struct wire_settings *s = &c->proxy->settings;
    switch (opened_for(&s->opened, &c->request.host, c->request.port)) {
    case OPENED_EXCLUDED:
        return NET_ALLOWED;
    case OPENED_YES:
        return s->intercepts ? NET_REQUEST : NET_NEEDS_MITM;
    case OPENED_NO:
        break;
    }
    return s->limited ? NET_NEEDS_MITM : NET_ALLOWED;
}

void client_hand_over(struct client *c)
{
    c->state = CLIENT_GIVEN;
    timer_start(&c->proxy->loop, &c->timer, TIMER_LINGER);
}

/* Who takes it dials more connections of the same host by itself, to the addresses that passed. */
static bool given_step(struct client *c)
{
    if (!stream_write(&c->client, &c->out)) {
        client_end(c);
        return false;
    }
    if (buffer_n(&c->out))
        return false;
    struct bytes in = buffer_bytes(&c->in);
    struct handover h = {.host = c->request.host,
                         .port = c->request.port,
                         .client_port = c->port,
                         .n_addresses = c->n_addresses,
                         .first = in};
    memcpy(h.addresses, c->addresses, sizeof(h.addresses));
    int r = in.n > HANDOVER_FIRST_MAX
                ? -E2BIG
                : handover_send(HANDOVER_FD, &h, c->client.watch.fd, c->server.watch.fd);
    if (r == -EAGAIN) { /* it is busy: its socket is looked at again in the next round */
        loop_again(&c->proxy->loop, &c->task);
        return false;
    }
    if (r == 0)
        passage_drop(&c->passage); /* who has it now tells of its end */
    /* They live on in another process: closing ours would not end the watch. */
    fd_close(loop_take(&c->proxy->loop, &c->client.watch));
    fd_close(loop_take(&c->proxy->loop, &c->server.watch));
    client_end(c);
    return false;
}

/* ---- steps ---- */

static bool first_step(struct client *c)
{
    if (c->listener == LISTEN_TRANSPARENT)
        return transparent_step(c);
    if (stream_read(&c->client, &c->in, FIRST_READ) == 0) {
        if (c->client.ended)
            client_end(c);
        return false;
    }
    if (c->listener == LISTEN_SOCKS) {
        c->state = CLIENT_GREETING;
        timer_start(&c->proxy->loop, &c->timer, TIMER_SOCKS);
    } else if (c->listener == LISTEN_DNS_TCP) {
        c->state = CLIENT_STUB;
        timer_start(&c->proxy->loop, &c->timer, TIMER_IDLE);
    } else {
        c->state = CLIENT_HEAD;
        timer_start(&c->proxy->loop, &c->timer, TIMER_HEAD);
    }
    return true;
}

static bool associate_step(struct client *c)
{
    if (!stream_write(&c->client, &c->out)) {
        client_end(c);
        return false;
    }
    size_t n = stream_read(&c->client, &c->in, 4096);
    buffer_release(&c->in);
    if (c->client.ended)
        client_end(c);
    return n > 0 && c->state != CLIENT_DEAD;
}

static bool step(struct client *c)
{
    switch (c->state) {
    case CLIENT_FIRST:
        return first_step(c);
    case CLIENT_GREETING:
    case CLIENT_PASSWORD:
    case CLIENT_REQUEST:
        return socks_step(c);
    case CLIENT_STUB:
        return stub_step(c);
    case CLIENT_PEEK:
        return transparent_step(c);
    case CLIENT_HEAD:
        return http_head_step(c);
    case CLIENT_DIAL:
        return dial_step(c);
    case CLIENT_EXCHANGE:
        return http_exchange_step(c);
    case CLIENT_TUNNEL:
        return tunnel_step(c);
    case CLIENT_GIVEN:
        return given_step(c);
    case CLIENT_ASSOCIATE:
        return associate_step(c);
    case CLIENT_LAST:
        return last_step(c);
    case CLIENT_DEAD:
        break;
    }
    return false;
}

void client_run(struct client *c)
{
    for (int i = 0; c->state != CLIENT_DEAD; i++) {
        if (i == STEPS_AT_ONCE) {
            loop_again(&c->proxy->loop, &c->task);
            return;
        }
        enum client_state before = c->state;
        if (!step(c) && c->state == before)
            return;
    }
}

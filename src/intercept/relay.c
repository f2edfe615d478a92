/*
 * The way to another proxy that is spoken to in TLS (handover.h): bawn-proxy has connected to it
 * and keeps one end of a pair of sockets; here is the other one, and TLS. What is said through it
 * is not looked at.
 *
 *   bawn-proxy ── pair ── relay ── link ── the other proxy
 *
 * Nothing is kept but the link's two queues: what came from the pair waits in `out`, what goes to
 * it in `in`, and a full one stops the reading of its source.
 *
 * No timer bounds the handshake: bawn-proxy gives it the time of a connection and closes its end
 * then, which ends the relay at any time.
 */
#include "intercept/intercept.h"

#include "base/fd.h"

#include <errno.h>
#include <sys/socket.h>

#define RELAYS_MOST (LIMIT_CLIENTS + LIMIT_POOL)

struct relay {
    struct relay *next, *prev;
    struct intercept *intercept;
    struct task task;
    struct timer timer;
    struct link link;
    struct watch pair;
    bool read_blocked, write_blocked; /* of the pair */
    bool open;                        /* bawn-proxy was told */
    bool gone;                        /* nobody reads at the other end of the pair any more */
    bool end_told;                    /* that the other proxy has nothing more to say */
};

#define RELAY_OF(member, ptr)                                                                      \
    ((struct relay *)(void *)((char *)(ptr)-offsetof(struct relay, member)))

static void relay_end(struct relay *r)
{
    struct intercept *ic = r->intercept;
    link_close(&r->link);
    /* bawn-proxy may hold the same descriptors for a moment more: closing ours would not end the
     * watch. */
    fd_close(loop_take(&ic->loop, &r->pair));
    timer_stop(&r->timer);
    loop_cancel(&ic->loop, &r->task);
    if (r->prev)
        r->prev->next = r->next;
    else
        ic->relays = r->next;
    if (r->next)
        r->next->prev = r->prev;
    ic->n_relays--;
    loop_free(&ic->loop, r);
}

void relays_end(struct intercept *ic)
{
    while (ic->relays)
        relay_end(ic->relays);
}

/* ---- bawn-proxy's side ---- */

/* The pair is empty: there is room. */
static void say(struct relay *r, enum relay_word word, const char *why)
{
    char text[1 + RELAY_WHY_MAX] = {(char)word};
    size_t n = MIN_OF(strlen(why), (size_t)RELAY_WHY_MAX);
    memcpy(text + 1, why, n);
    (void)send(r->pair.fd, text, 1 + n, MSG_NOSIGNAL);
}

static bool is_temporary(ssize_t n)
{
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static bool take(struct relay *r)
{
    struct queue *out = &r->link.out;
    bool moved = false;
    while (!r->read_blocked && !r->link.out_end && queue_n(out) < LINK_OUT_MOST) {
        char *to = queue_room(out, READ_AT_ONCE);
        if (!to)
            return true; /* link_step() says what that means */
        ssize_t n = recv(r->pair.fd, to, READ_AT_ONCE, 0);
        if (n > 0)
            out->end += (size_t)n;
        else if (is_temporary(n))
            r->read_blocked = true;
        else
            r->link.out_end = true;
        moved = moved || !r->read_blocked;
    }
    return moved;
}

static bool give(struct relay *r)
{
    struct queue *in = &r->link.in;
    bool moved = false;
    while (!r->write_blocked && !r->gone && queue_n(in) > 0) {
        ssize_t n = send(r->pair.fd, queue_bytes(in).p, queue_n(in), MSG_NOSIGNAL);
        if (n >= 0)
            queue_take(in, (size_t)n);
        else if (is_temporary(n))
            r->write_blocked = true;
        else
            r->gone = true;
        moved = moved || !r->write_blocked;
    }
    if (r->link.in_end && !r->end_told && !r->gone && queue_n(in) == 0) {
        (void)shutdown(r->pair.fd, SHUT_WR);
        r->end_told = moved = true;
    }
    return moved;
}

/* ---- both ---- */

static bool is_over(const struct relay *r)
{
    const struct link *l = &r->link;
    const bool given = r->gone || queue_n(&l->in) == 0;
    if (!link_is_up(l))
        return l->state == LINK_FAILED || r->gone;
    return (l->in_cut && given) || (l->out_ended && (r->gone || r->end_told));
}

static bool step(struct relay *r)
{
    bool moved = link_step(&r->link);
    if (!r->open && r->link.state == LINK_FAILED)
        say(r, RELAY_FAILED, r->link.problem);
    if (!link_is_up(&r->link))
        return moved;
    if (!r->open)
        say(r, RELAY_OPEN, "");
    r->open = true;
    moved = take(r) || moved;
    return give(r) || moved;
}

static void run(struct task *t)
{
    struct relay *r = RELAY_OF(task, t);
    bool moved = true, any = false;
    for (int i = 0; i < ROUNDS_MOST && moved; i++) {
        moved = step(r);
        any = any || moved;
        if (is_over(r)) {
            relay_end(r);
            return;
        }
    }
    /* The last bytes of somebody who is gone: as long as they move. */
    if (r->gone && (any || !timer_runs(&r->timer)))
        timer_start(&r->intercept->loop, &r->timer, TIMER_IDLE);
    if (moved)
        loop_again(&r->intercept->loop, &r->task);
    else
        link_trim(&r->link);
}

static void pair_ready(struct watch *w, uint32_t events)
{
    struct relay *r = RELAY_OF(pair, w);
    r->read_blocked = r->write_blocked = false;
    r->gone = r->gone || (events & (EPOLLHUP | EPOLLERR));
    loop_again(&r->intercept->loop, &r->task);
}

static void due(struct timer *t)
{
    relay_end(RELAY_OF(timer, t));
}

void relay_start(struct intercept *ic, const struct handover *h, int pair, int server)
{
    struct relay *r = ic->n_relays < RELAYS_MOST ? mem_zalloc(1, sizeof(*r)) : NULL;
    if (!r || fd_set_nonblock(pair, true) < 0 || fd_set_nonblock(server, true) < 0) {
        fd_close(pair);
        fd_close(server);
        mem_free(r);
        return;
    }
    *r = (struct relay){.next = ic->relays,
                        .intercept = ic,
                        .task = {.run = run},
                        .timer = {.fire = due},
                        .pair = {.fd = pair, .ready = pair_ready}};
    if (r->next)
        r->next->prev = r;
    ic->relays = r;
    ic->n_relays++;
    r->link.outlives_writing = true;
    if (!link_open(&r->link, &ic->loop, &r->task, server, tls_for_relay(ic, &h->host), false) ||
        loop_watch(&ic->loop, &r->pair) < 0)
        relay_end(r);
    else
        loop_again(&ic->loop, &r->task);
}

/* Buffers and the ends of connections. See proxy.h. */
#include "proxy/proxy.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define BUFFER_LEAST 2048u
#define READ_AT_ONCE 32768u

/* ---- buffers ---- */

char *buffer_room(struct buffer *b, size_t n)
{
    if (b->cap - b->end >= n)
        return b->p + b->end;
    size_t have = buffer_n(b);
    if (n > UINT32_MAX / 4 || have > UINT32_MAX / 4)
        return NULL;
    if (b->cap < have + n) {
        size_t cap = MAX_OF(b->cap, BUFFER_LEAST);
        while (cap < have + n)
            cap *= 2;
        char *p = mem_alloc(cap);
        if (!p)
            return NULL;
        if (have)
            memcpy(p, b->p + b->start, have);
        mem_free(b->p);
        b->p = p;
        b->cap = (uint32_t)cap;
    } else {
        memmove(b->p, b->p + b->start, have);
    }
    b->start = 0;
    b->end = (uint32_t)have;
    return b->p + b->end;
}

bool buffer_put(struct buffer *b, const void *p, size_t n)
{
    if (n == 0)
        return true;
    char *to = buffer_room(b, n);
    if (!to)
        return false;
    memcpy(to, p, n);
    b->end += (uint32_t)n;
    return true;
}

void buffer_release(struct buffer *b)
{
    mem_free(b->p);
    *b = (struct buffer){0};
}

void buffer_take(struct buffer *b, size_t n)
{
    b->start += (uint32_t)n;
    if (b->start == b->end)
        b->start = b->end = 0;
}

/* ---- streams ---- */

void stream_event(struct stream *s, uint32_t events)
{
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        s->readable = true;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        s->writable = true;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        s->hung_up = true;
}

/* At the end of what came: was it cut off? The relay closes its end then, and only half of it where
 * the other side has said that it is done. */
static bool is_cut(const struct stream *s)
{
    struct pollfd pfd = {.fd = s->watch.fd};
    return s->relayed && !s->shut && poll(&pfd, 1, 0) > 0 && (pfd.revents & POLLHUP);
}

static void stream_break(struct stream *s)
{
    s->broken = s->ended = true;
    s->readable = s->writable = false;
}

size_t stream_read(struct stream *s, struct buffer *b, size_t limit)
{
    size_t have = buffer_n(b);
    if (!s->readable || s->ended || have >= limit)
        return 0;
    size_t want = MIN_OF(limit - have, READ_AT_ONCE);
    char *p = buffer_room(b, want);
    ssize_t n;
    if (!p) {
        s->starved = true;
        stream_break(s);
        return 0;
    }
    do
        n = read(s->watch.fd, p, want);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        b->end += (uint32_t)n;
        /* A short read took all there was; an end that was told already is still to be read. */
        if ((size_t)n < want && !s->hung_up)
            s->readable = false;
    } else if (n == 0 && !is_cut(s)) {
        s->ended = true;
        s->readable = false;
    } else if (n < 0 && errno == EAGAIN) {
        s->readable = false;
    } else {
        stream_break(s);
    }
    if (buffer_n(b) == 0)
        buffer_release(b);
    return n > 0 ? (size_t)n : 0;
}

size_t stream_send(struct stream *s, const void *p, size_t n)
{
    if (!s->writable || s->broken || s->deaf || n == 0)
        return 0;
    ssize_t done;
    do
        done = send(s->watch.fd, p, n, MSG_NOSIGNAL);
    while (done < 0 && errno == EINTR);
    if (done >= 0)
        return (size_t)done;
    s->writable = false;
    if (errno != EAGAIN)
        s->deaf = true;
    return 0;
}

bool stream_write(struct stream *s, struct buffer *b)
{
    while (buffer_n(b) && s->writable) {
        size_t n = stream_send(s, b->p + b->start, buffer_n(b));
        if (n == 0)
            break;
        buffer_take(b, n);
    }
    if (buffer_n(b) == 0)
        buffer_release(b);
    return !s->broken && !s->deaf;
}

void stream_shut(struct stream *s)
{
    if (!s->shut && !s->broken && s->watch.fd >= 0)
        (void)shutdown(s->watch.fd, SHUT_WR);
    s->shut = true;
}

/*
 * Bytes in both directions, socket to pipe to socket, without passing through this process. A pipe
 * is held only while bytes are in it: an idle tunnel has none.
 */
#include "proxy/proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define PIPE_BYTES   262144
#define MOVE_AT_ONCE (4u << 20) /* then the others have their turn */

static bool pipe_get(struct proxy *p, struct flow *f)
{
    if (f->pipe[0] >= 0)
        return true;
    if (p->n_pipes > 0) {
        p->n_pipes--;
        memcpy(f->pipe, p->pipes[p->n_pipes], sizeof(f->pipe));
        return true;
    }
    if (pipe2(f->pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
        f->pipe[0] = f->pipe[1] = -1;
        return false;
    }
    (void)fcntl(f->pipe[0], F_SETPIPE_SZ, PIPE_BYTES); /* where the user may have so much */
    return true;
}

static void pipe_put(struct proxy *p, struct flow *f)
{
    if (f->pipe[0] < 0)
        return;
    if (f->held == 0 && p->n_pipes < ARRAY_LEN(p->pipes)) {
        memcpy(p->pipes[p->n_pipes++], f->pipe, sizeof(f->pipe));
    } else {
        (void)close(f->pipe[0]);
        (void)close(f->pipe[1]);
    }
    f->pipe[0] = f->pipe[1] = -1;
    f->held = 0;
}

void tunnel_begin(struct tunnel *t)
{
    *t = (struct tunnel){.up.pipe = {-1, -1}, .down.pipe = {-1, -1}};
}

void tunnel_end(struct proxy *p, struct tunnel *t)
{
    pipe_put(p, &t->up);
    pipe_put(p, &t->down);
}

static bool is_fatal(int error)
{
    return error != EAGAIN && error != EINTR;
}

/* From SRC into the pipe. */
static int fill(struct flow *f, struct stream *src)
{
    ssize_t n = splice(src->watch.fd, NULL, f->pipe[1], NULL, PIPE_BYTES,
                       SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n > 0) {
        f->held += (size_t)n;
        return 1;
    }
    if (n == 0)
        src->ended = true;
    else if (is_fatal(errno))
        return -errno;
    if (n == 0 || errno == EAGAIN)
        src->readable = false;
    return 0;
}

/* From the pipe into DST. */
static int drain(struct flow *f, struct stream *dst)
{
    ssize_t n =
        splice(f->pipe[0], NULL, dst->watch.fd, NULL, f->held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n > 0) {
        f->held -= (size_t)n;
        return 1;
    }
    if (n < 0 && is_fatal(errno))
        return -errno;
    if (n < 0 && errno == EAGAIN)
        dst->writable = false;
    return 0;
}

/* One direction. BEFORE: what goes first. */
static int move(struct proxy *p, struct flow *f, struct stream *src, struct stream *dst,
                struct buffer *before, bool *ret_again)
{
    size_t moved = 0;
    int r = 0;
    if (f->done)
        return 0;
    if (buffer_n(before)) {
        if (!stream_write(dst, before))
            return -EPIPE;
        if (buffer_n(before))
            return 0;
    }
    while (r >= 0 && moved < MOVE_AT_ONCE) {
        int progress = 0;
        if (f->held == 0 && src->readable && !src->ended) {
            if (!pipe_get(p, f))
                return -EMFILE;
            r = fill(f, src);
            progress |= r;
        }
        if (r >= 0 && f->held && dst->writable) {
            size_t held = f->held;
            r = drain(f, dst);
            moved += held - f->held;
            progress |= r;
        }
        if (progress <= 0)
            break;
    }
    if (r < 0)
        return r;
    if (moved >= MOVE_AT_ONCE)
        *ret_again = true;
    if (f->held == 0)
        pipe_put(p, f);
    if (src->ended && f->held == 0) {
        stream_shut(dst);
        f->done = true;
    }
    return 0;
}

int tunnel_move(struct proxy *p, struct tunnel *t, struct stream *client, struct stream *server,
                struct buffer *to_server, struct buffer *to_client, bool *ret_again)
{
    *ret_again = false;
    /* A server that takes no more may have said why: that goes to the client all the same. */
    int r = move(p, &t->up, client, server, to_server, ret_again);
    int d = move(p, &t->down, server, client, to_client, ret_again);
    if (r < 0 || d < 0)
        return r < 0 ? r : d;
    return !(t->up.done && t->down.done);
}

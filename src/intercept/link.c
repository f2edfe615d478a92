/*
 * One end of a TLS connection, on a socket that never waits. The watch is edge-triggered: an event
 * clears what blocked, link_step() tries again.
 *
 * OpenSSL reads and writes through a BIO of ours: bytes that bawn-proxy had read already come
 * first, and no write raises SIGPIPE.
 */
#include "intercept/intercept.h"

#include "base/fd.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

/* ---- the BIO ---- */

static bool is_temporary(void)
{
    return errno == EAGAIN || errno == EINTR;
}

static int bio_write(BIO *b, const char *p, int n)
{
    struct link *l = BIO_get_data(b);
    ssize_t w = send(l->watch.fd, p, (size_t)n, MSG_NOSIGNAL);
    BIO_clear_retry_flags(b);
    if (w < 0 && is_temporary())
        BIO_set_retry_write(b);
    else if (w < 0 && l->outlives_writing)
        return n;
    return (int)w;
}

static int bio_read(BIO *b, char *p, int n)
{
    struct link *l = BIO_get_data(b);
    size_t first = MIN_OF(queue_n(&l->first), (size_t)n);
    BIO_clear_retry_flags(b);
    if (first) {
        memcpy(p, queue_bytes(&l->first).p, first);
        queue_take(&l->first, first);
        return (int)first;
    }
    ssize_t r = recv(l->watch.fd, p, (size_t)n, 0);
    if (r < 0 && is_temporary())
        BIO_set_retry_read(b);
    if (r == 0)
        BIO_set_flags(b, BIO_FLAGS_IN_EOF);
    return (int)r;
}

static long bio_ctrl(BIO *b, int command, long number, void *p)
{
    (void)number;
    (void)p;
    if (command == BIO_CTRL_FLUSH)
        return 1;
    return command == BIO_CTRL_EOF && BIO_test_flags(b, BIO_FLAGS_IN_EOF);
}

BIO_METHOD *link_bio(void)
{
    static BIO_METHOD *method; /* one of the process */
    if (!method) {
        method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "link");
        if (method &&
            (!BIO_meth_set_write(method, bio_write) || !BIO_meth_set_read(method, bio_read) ||
             !BIO_meth_set_ctrl(method, bio_ctrl))) {
            BIO_meth_free(method);
            method = NULL;
        }
    }
    return method;
}

/* ---- life ---- */

static void ready(struct watch *w, uint32_t events)
{
    struct link *l = (struct link *)(void *)w;
    l->events |= events;
    l->read_blocked = l->write_blocked = false;
    loop_again(l->loop, l->task);
}

bool link_open(struct link *l, struct loop *loop, struct task *task, int fd, SSL *ssl,
               bool connecting)
{
    BIO *bio = ssl && link_bio() ? BIO_new(link_bio()) : NULL;
    l->watch = (struct watch){.fd = fd, .ready = ready};
    l->loop = loop;
    l->task = task;
    l->ssl = ssl;
    l->state = connecting ? LINK_CONNECTING : LINK_HANDSHAKE;
    if (!bio) {
        link_close(l);
        return false;
    }
    BIO_set_data(bio, l);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    if (loop_watch(loop, &l->watch) == 0)
        return true;
    link_close(l);
    return false;
}

void link_close(struct link *l)
{
    int fd = l->loop ? loop_take(l->loop, &l->watch) : l->watch.fd;
    SSL_free(l->ssl);
    l->ssl = NULL;
    fd_close(fd);
    l->watch.fd = -1;
    queue_release(&l->in);
    queue_release(&l->out);
    queue_release(&l->first);
    l->state = LINK_CLOSED;
}

void link_trim(struct link *l)
{
    queue_trim(&l->first);
    queue_trim(&l->in);
    queue_trim(&l->out);
}

void link_fail(struct link *l, const char *problem)
{
    (void)snprintf(l->problem, sizeof(l->problem), "%s", problem);
    l->state = LINK_FAILED;
}

/* ---- moving ---- */

/* The first error is the cause; what comes from the record layer has others behind it. */
static const char *tls_error(void)
{
    unsigned long code = ERR_peek_error();
    if (code == 0)
        return "the connection was cut";
    switch (ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
        return "it does not speak TLS";
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
        return "the connection was cut";
    default:
        return ERR_reason_error_string(code);
    }
}

static void tls_failed(struct link *l, const char *what)
{
    long verified = SSL_get_verify_result(l->ssl);
    const char *why = verified != X509_V_OK ? X509_verify_cert_error_string(verified) : tls_error();
    (void)snprintf(l->problem, sizeof(l->problem), "%s: %s", what, why ? why : "unknown");
    l->state = LINK_FAILED;
}

/* What OpenSSL wants before it goes on. False: it is over. */
static bool blocked(struct link *l, int result)
{
    switch (SSL_get_error(l->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        l->read_blocked = true;
        return true;
    case SSL_ERROR_WANT_WRITE:
        l->write_blocked = true;
        return true;
    default:
        return false;
    }
}

static bool step_connect(struct link *l)
{
    int error = 0;
    socklen_t n = sizeof(error);
    if (!(l->events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
        return false;
    if (getsockopt(l->watch.fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
        error = errno;
    if (error) {
        char text[128];
        (void)snprintf(text, sizeof(text), "cannot connect: %s", strerrordesc_np(error));
        link_fail(l, text);
    } else {
        l->state = LINK_HANDSHAKE;
    }
    return true;
}

static bool step_handshake(struct link *l)
{
    const unsigned char *alpn;
    unsigned n;
    if (l->read_blocked || l->write_blocked)
        return false;
    ERR_clear_error();
    int r = SSL_do_handshake(l->ssl);
    if (r != 1) {
        if (!blocked(l, r)) {
            tls_failed(l, "the TLS handshake failed");
            return true;
        }
        return false;
    }
    SSL_get0_alpn_selected(l->ssl, &alpn, &n);
    l->h2 = n == 2 && memcmp(alpn, "h2", 2) == 0;
    l->state = LINK_OPEN;
    return true;
}

static bool step_read(struct link *l)
{
    bool moved = false;
    while (!l->read_blocked && !l->in_end && !l->in_cut && queue_n(&l->in) < LINK_IN_MOST) {
        char *to = queue_room(&l->in, READ_AT_ONCE);
        size_t got;
        if (!to) {
            link_fail(l, "out of memory");
            return true;
        }
        ERR_clear_error();
        int r = SSL_read_ex(l->ssl, to, READ_AT_ONCE, &got);
        if (r == 1) {
            l->in.end += got;
            moved = true;
            continue;
        }
        if (blocked(l, r))
            break;
        if (SSL_get_error(l->ssl, r) == SSL_ERROR_ZERO_RETURN)
            l->in_end = true;
        else
            l->in_cut = true;
        moved = true;
    }
    return moved;
}

static bool step_write(struct link *l)
{
    bool moved = false;
    while (!l->write_blocked && queue_n(&l->out) > 0) {
        struct bytes b = queue_bytes(&l->out);
        size_t sent;
        ERR_clear_error();
        int r = SSL_write_ex(l->ssl, b.p, b.n, &sent);
        if (r == 1) {
            queue_take(&l->out, sent);
            moved = true;
            continue;
        }
        if (!blocked(l, r))
            tls_failed(l, "the connection was lost");
        l->write_blocked = true; /* until there is an event, whatever it waits for */
        return moved;
    }
    if (l->out_end && !l->out_ended && queue_n(&l->out) == 0 && !l->write_blocked) {
        ERR_clear_error();
        int r = SSL_shutdown(l->ssl);
        if (r < 0 && blocked(l, r))
            return moved;
        (void)shutdown(l->watch.fd, SHUT_WR);
        l->out_ended = true;
        moved = true;
    }
    return moved;
}

bool link_step(struct link *l)
{
    bool moved = false;
    if (l->state == LINK_CONNECTING)
        moved = step_connect(l);
    if (l->state == LINK_HANDSHAKE)
        moved = step_handshake(l) || moved;
    if (l->state == LINK_OPEN && (l->in.failed || l->out.failed)) {
        link_fail(l, "out of memory");
        return true;
    }
    if (l->state == LINK_OPEN)
        moved = step_read(l) || moved;
    if (l->state == LINK_OPEN)
        moved = step_write(l) || moved;
    return moved;
}

/*
 * The bytes between bawn and bawn-exporter. See export_wire.h.
 *
 * A destination's texts end in curl: there is no control character in them, so that a header stays
 * one header. What is fine stands once, in check_*(): asked before writing and after reading.
 */
#include "telemetry/export_wire.h"

#include "base/fd.h"
#include "base/pack.h"
#include "base/sha256.h"

#include <errno.h>
#include <sys/socket.h>

#define KEY_CHARS    (EXPORT_KEY_BYTES - 1)
#define HEADER_BYTES (2u * 5) /* of the packed form, at least */
#define ALL_FDS      (EXPORT_FD_CA | EXPORT_FD_CERTIFICATE | EXPORT_FD_KEY)

void export_key(enum signal_kind kind, enum export_protocol protocol, struct bytes endpoint,
                char ret[EXPORT_KEY_BYTES])
{
    const unsigned char what[2] = {(unsigned char)kind, (unsigned char)protocol};
    unsigned char digest[SHA256_BYTES];
    char hex[SHA256_HEX_BYTES];
    struct sha256 s;
    sha256_init(&s);
    sha256_put(&s, what, sizeof(what));
    sha256_put(&s, endpoint.p, endpoint.n);
    sha256_end(&s, digest);
    sha256_hex(digest, hex);
    memcpy(ret, hex, KEY_CHARS);
    ret[KEY_CHARS] = '\0';
}

/* ---- what is fine ---- */

static bool check_key(const char key[EXPORT_KEY_BYTES])
{
    for (size_t i = 0; i < KEY_CHARS; i++)
        if (!((key[i] >= '0' && key[i] <= '9') || (key[i] >= 'a' && key[i] <= 'f')))
            return false;
    return key[KEY_CHARS] == '\0';
}

static bool check_line(struct bytes b)
{
    for (size_t i = 0; i < b.n; i++)
        if (((unsigned char)b.p[i] < ' ' && b.p[i] != '\t') || b.p[i] == 0x7f)
            return false;
    return true;
}

/* RFC 9110 5.6.2. */
static bool check_token(struct bytes b)
{
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] <= ' ' || b.p[i] >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", b.p[i]))
            return false;
    return b.n > 0;
}

static bool check_destination(const struct export_destination *d)
{
    bool fine = check_key(d->key) && (unsigned)d->kind < SIGNAL_KINDS &&
                (unsigned)d->protocol <= EXPORT_GRPC && d->timeout_ms > 0 && d->endpoint.n > 0 &&
                check_line(d->endpoint) && check_line(d->proxy) && check_line(d->no_proxy) &&
                d->n_headers <= EXPORT_HEADERS && (d->fds & ~ALL_FDS) == 0;
    for (size_t i = 0; fine && i < d->n_headers; i++)
        fine = check_token(d->headers[i].name) && check_line(d->headers[i].value);
    return fine;
}

static bool check_answer(const struct export_answer *a)
{
    return check_key(a->key) && (unsigned)a->state <= EXPORT_REFUSED &&
           (a->text.n == 0 || !memchr(a->text.p, '\0', a->text.n));
}

static bool check_message(const struct export_message *m)
{
    switch (m->type) {
    case EXPORT_DESTINATION:
        return check_destination(&m->destination);
    case EXPORT_WAKE:
    case EXPORT_FLUSH:
        return check_key(m->key);
    case EXPORT_STATE:
        return check_answer(&m->answer);
    }
    return false;
}

/* ---- writing ---- */

/* As pack_text(), of what need not be terminated. There is no NUL in it. */
static void put_text(struct strbuf *out, struct bytes b)
{
    if (b.n > EXPORT_MESSAGE_MAX) {
        out->failed = true;
        return;
    }
    pack_u32(out, (uint32_t)b.n);
    strbuf_put(out, b.p, b.n);
    strbuf_putc(out, '\0');
}

static void put_destination(struct strbuf *out, const struct export_destination *d)
{
    strbuf_put(out, d->key, KEY_CHARS);
    pack_u8(out, (uint8_t)d->kind);
    pack_u8(out, (uint8_t)d->protocol);
    pack_u8(out, d->gzip);
    pack_u32(out, d->timeout_ms);
    pack_u32(out, d->delay_ms);
    pack_u32(out, d->idle_ms);
    put_text(out, d->endpoint);
    put_text(out, d->proxy);
    put_text(out, d->no_proxy);
    pack_u8(out, (uint8_t)d->n_headers);
    for (size_t i = 0; i < d->n_headers; i++) {
        put_text(out, d->headers[i].name);
        put_text(out, d->headers[i].value);
    }
    pack_u8(out, (uint8_t)d->fds);
}

static void put_answer(struct strbuf *out, const struct export_answer *a)
{
    strbuf_put(out, a->key, KEY_CHARS);
    pack_u8(out, (uint8_t)a->state);
    pack_u32(out, a->http_status);
    pack_u32(out, (uint32_t)a->grpc_status);
    pack_u64(out, a->sent);
    pack_u64(out, a->dropped);
    put_text(out, a->text);
}

int export_pack(const struct export_message *m, struct strbuf *out)
{
    const size_t before = out->n;
    if (!check_message(m))
        return -EINVAL;
    pack_u8(out, EXPORT_VERSION);
    pack_u8(out, (uint8_t)m->type);
    if (m->type == EXPORT_DESTINATION)
        put_destination(out, &m->destination);
    else if (m->type == EXPORT_STATE)
        put_answer(out, &m->answer);
    else
        strbuf_put(out, m->key, KEY_CHARS);
    return strbuf_failed(out) || out->n - before > EXPORT_MESSAGE_MAX ? -EMSGSIZE : 0;
}

/* ---- reading ---- */

/* One byte, at most MAX, or it is a fault. */
static unsigned take_word(struct unpack *u, unsigned max)
{
    const unsigned v = unpack_u8(u);
    u->bad = u->bad || v > max;
    return u->bad ? 0 : v;
}

static struct bytes take_text(struct unpack *u)
{
    const char *s = unpack_some(u);
    return s ? bytes_of(s) : (struct bytes){"", 0};
}

static void take_destination(struct unpack *u, struct export_destination *d)
{
    unpack(u, d->key, KEY_CHARS);
    d->kind = (enum signal_kind)take_word(u, SIGNAL_KINDS - 1);
    d->protocol = (enum export_protocol)take_word(u, EXPORT_GRPC);
    d->gzip = take_word(u, 1) == 1;
    d->timeout_ms = unpack_u32(u);
    d->delay_ms = unpack_u32(u);
    d->idle_ms = unpack_u32(u);
    d->endpoint = take_text(u);
    d->proxy = take_text(u);
    d->no_proxy = take_text(u);
    d->n_headers = take_word(u, EXPORT_HEADERS);
    u->bad = u->bad || d->n_headers > u->left.n / HEADER_BYTES;
    for (size_t i = 0; !u->bad && i < d->n_headers; i++) {
        d->headers[i].name = take_text(u);
        d->headers[i].value = take_text(u);
    }
    d->fds = take_word(u, ALL_FDS);
}

static void take_answer(struct unpack *u, struct export_answer *a)
{
    unpack(u, a->key, KEY_CHARS);
    a->state = (enum export_state)take_word(u, EXPORT_REFUSED);
    a->http_status = unpack_u32(u);
    a->grpc_status = (int32_t)unpack_u32(u);
    a->sent = unpack_u64(u);
    a->dropped = unpack_u64(u);
    a->text = take_text(u);
}

int export_unpack(struct bytes packed, struct export_message *ret)
{
    struct unpack u = {.left = packed, .bad = packed.n > EXPORT_MESSAGE_MAX};
    struct export_message m;
    memset(&m, 0, sizeof(m));
    if (unpack_u8(&u) != EXPORT_VERSION)
        return -EBADMSG;
    m.type = (enum export_type)take_word(&u, EXPORT_STATE);
    if (u.bad)
        return -EBADMSG;
    if (m.type == EXPORT_DESTINATION)
        take_destination(&u, &m.destination);
    else if (m.type == EXPORT_STATE)
        take_answer(&u, &m.answer);
    else
        unpack(&u, m.key, KEY_CHARS);
    if (u.bad || u.left.n || !check_message(&m))
        return -EBADMSG;
    *ret = m;
    return 0;
}

/* ---- packets ---- */

static int what_failed(ssize_t r)
{
    return r == -EWOULDBLOCK                    ? -EAGAIN
           : r == -ECONNRESET || r == -ENOTCONN ? -EPIPE
           : r == -EPROTO || r == -EMSGSIZE     ? -EBADMSG
                                                : (int)r;
}

int export_send(int fd, const struct export_message *m, const int *fds, size_t n_fds)
{
    _cleanup_strbuf_ struct strbuf out = {.max = EXPORT_MESSAGE_MAX};
    int r = export_pack(m, &out);
    if (r == 0)
        r = fd_set_nonblock(fd, true);
    return r < 0 ? r : what_failed(fd_send(fd, out.p, out.n, fds, n_fds));
}

int export_recv(int fd, char *buf, struct export_message *ret, int fds[3])
{
    int came[3];
    size_t n_fds = 0;
    fds[0] = fds[1] = fds[2] = -1;
    int r = fd_set_nonblock(fd, true);
    ssize_t n =
        r < 0 ? r : fd_recv(fd, buf, EXPORT_MESSAGE_MAX, came, ARRAY_LEN(came), &n_fds, NULL);
    if (n < 0)
        return what_failed(n);
    if (n == 0 && n_fds == 0)
        return -EPIPE;
    r = export_unpack((struct bytes){buf, (size_t)n}, ret);
    const unsigned wanted = r == 0 && ret->type == EXPORT_DESTINATION ? ret->destination.fds : 0;
    if (r == 0 && (size_t)__builtin_popcount(wanted) != n_fds)
        r = -EBADMSG;
    for (size_t i = 0, slot = 0; i < n_fds; i++, slot++) {
        while (r == 0 && !(wanted >> slot & 1))
            slot++;
        if (r == 0)
            fds[slot] = came[i];
        else
            fd_close(came[i]);
    }
    return r;
}

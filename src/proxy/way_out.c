/*
 * Through another proxy, which bawn's own environment names (HTTP_PROXY and kin). What is judged
 * here is the name; what it resolves to is the other proxy's business, and the pin of the address
 * ends there.
 */
#include "proxy/proxy.h"
#include "proxy/socks.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

/* ---- URLs ---- */

static char *encode_base64(struct arena *a, const char *s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = strlen(s);
    char *out = arena_alloc(a, (n + 2) / 3 * 4 + 1), *p = out;
    for (size_t i = 0; out && i < n; i += 3) {
        const unsigned left = (unsigned)MIN_OF(n - i, (size_t)3);
        uint32_t v = (uint32_t)(uint8_t)s[i] << 16;
        v |= left > 1 ? (uint32_t)(uint8_t)s[i + 1] << 8 : 0;
        v |= left > 2 ? (uint8_t)s[i + 2] : 0;
        *p++ = digits[v >> 18];
        *p++ = digits[v >> 12 & 63];
        *p++ = left > 1 ? digits[v >> 6 & 63] : '=';
        *p++ = left > 2 ? digits[v & 63] : '=';
    }
    if (out)
        *p = '\0';
    return out;
}

static int hex(char c)
{
    return c >= '0' && c <= '9'                 ? c - '0'
           : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                : -1;
}

/* Percent-decoded, or NULL: no memory, or a NUL in it. */
static char *decode(struct arena *a, struct bytes s)
{
    char *out = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; out && i < s.n; i++) {
        int hi = s.p[i] == '%' && i + 2 < s.n ? hex(s.p[i + 1]) : -1;
        int lo = hi >= 0 ? hex(s.p[i + 2]) : -1;
        char c = lo >= 0 ? (char)(hi << 4 | lo) : s.p[i];
        if (lo >= 0)
            i += 2;
        if (c == '\0')
            return NULL;
        out[n++] = c;
    }
    if (out)
        out[n] = '\0';
    return out;
}

static int take_login(struct proxy *p, struct way_out *way, struct bytes login, struct error *err)
{
    const char *colon = memchr(login.p, ':', login.n);
    size_t n_user = colon ? (size_t)(colon - login.p) : login.n;
    way->user = decode(&p->arena, (struct bytes){login.p, n_user});
    way->password = colon ? decode(&p->arena, (struct bytes){colon + 1, login.n - n_user - 1}) : "";
    if (!way->user || !way->password || strlen(way->user) > 255 || strlen(way->password) > 255)
        return error_set(err, -EINVAL, "its user or password cannot be read");
    char *both = arena_printf(&p->arena, "%s:%s", way->user, way->password);
    char *code = both ? encode_base64(&p->arena, both) : NULL;
    way->authorization = code ? arena_printf(&p->arena, "Basic %s", code) : NULL;
    return way->authorization ? 0 : error_set(err, -ENOMEM, "out of memory");
}

static int read_url(struct proxy *p, const char *url, const struct way_out **ret, struct error *err)
{
    static const struct {
        const char *scheme;
        enum way_kind kind;
        bool tls;
        uint16_t port;
    } schemes[] = {{"http", WAY_HTTP, false, 80},
                   {"https", WAY_HTTP, true, 443},
                   {"socks5", WAY_SOCKS, false, 1080},
                   {"socks5h", WAY_SOCKS, false, 1080},
                   {"socks", WAY_SOCKS, false, 1080}};
    if (!url || !url[0])
        return 0;
    struct way_out *way = arena_zalloc(&p->arena, 1, sizeof(*way));
    if (!way)
        return error_set(err, -ENOMEM, "out of memory");
    struct bytes rest = bytes_of(url);
    uint16_t port = 80;
    const char *mark = strstr(url, "://");
    if (mark) {
        size_t i = 0, n = (size_t)(mark - url);
        while (i < ARRAY_LEN(schemes) &&
               (strlen(schemes[i].scheme) != n || strncasecmp(schemes[i].scheme, url, n) != 0))
            i++;
        if (i == ARRAY_LEN(schemes))
            return error_set(err, -EINVAL, "its scheme is none of http, https, socks5, socks5h");
        way->kind = schemes[i].kind;
        way->tls = schemes[i].tls;
        port = schemes[i].port;
        rest = bytes_of(mark + 3);
    }
    rest.n = strcspn(rest.p, "/?#");
    const char *at = memrchr(rest.p, '@', rest.n);
    if (at) {
        int r = take_login(p, way, (struct bytes){rest.p, (size_t)(at - rest.p)}, err);
        if (r < 0)
            return r;
        rest.n -= (size_t)(at + 1 - rest.p);
        rest.p = at + 1;
    }
    enum host_problem problem = host_parse_port(rest, port, &way->host, &way->port);
    if (problem != HOST_FINE)
        return error_set(err, -EINVAL, "%s", host_problem_text(problem));
    if (way->tls && !p->settings.intercepts)
        return error_set(err, -EINVAL, "bawn-intercept, which speaks TLS, is not there");
    *ret = way;
    return 0;
}

int ways_open(struct proxy *p, struct error *err)
{
    const struct wire_settings *s = &p->settings;
    const struct {
        const char *name, *url;
        const struct way_out **way;
    } all[] = {{"HTTP_PROXY", s->upstream_http, &p->way_http},
               {"HTTPS_PROXY", s->upstream_https, &p->way_https},
               {"ALL_PROXY", s->upstream_all, &p->way_all}};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        int r = read_url(p, all[i].url, all[i].way, err);
        if (r < 0) {
            (void)error_wrap(err, r, "the proxy that %s names", all[i].name);
            error_hint(err, "allow_upstream_proxy = false does without");
            return r;
        }
    }
    return 0;
}

/* ---- NO_PROXY ---- */

static bool entry_matches(struct bytes entry, const struct netrequest *q)
{
    const struct host *h = &q->host;
    struct host named;
    uint16_t port = 0;
    if (bytes_is(entry, "*"))
        return true;
    const char *slash = memchr(entry.p, '/', entry.n);
    if (slash && h->kind == HOST_ADDRESS) {
        unsigned bits = 0;
        struct address a, mine = address_normal(&h->address);
        for (const char *d = slash + 1; d < entry.p + entry.n && *d >= '0' && *d <= '9'; d++)
            bits = MIN_OF(bits * 10 + (unsigned)(*d - '0'), 1000u);
        struct bytes base = {entry.p, (size_t)(slash - entry.p)};
        return (address_parse_v4(base, &a) || address_parse_v6(base, &a)) &&
               a.family == mine.family && bits <= address_bits(&a) &&
               address_within(&mine, &a, bits);
    }
    bool below = entry.n > 1 && (entry.p[0] == '.' || entry.p[0] == '*');
    while (entry.n && (entry.p[0] == '.' || entry.p[0] == '*')) {
        entry.p++;
        entry.n--;
    }
    (void)below; /* with or without a dot, what is below the name counts as well */
    if (host_parse(entry, &named) != HOST_FINE &&
        host_parse_port(entry, 0, &named, &port) != HOST_FINE)
        return false;
    if (port && port != q->port)
        return false;
    if (named.kind != h->kind)
        return false;
    if (h->kind == HOST_ADDRESS)
        return address_eq(&named.address, &h->address);
    if (h->n < named.n || memcmp(h->name + h->n - named.n, named.name, named.n) != 0)
        return false;
    return h->n == named.n || h->name[h->n - named.n - 1] == '.';
}

static bool goes_straight(const struct proxy *p, const struct netrequest *q)
{
    const char *s = p->settings.no_upstream;
    while (s && *s) {
        s += strspn(s, ", \t");
        size_t n = strcspn(s, ", \t");
        if (n && entry_matches((struct bytes){s, n}, q))
            return true;
        s += n;
    }
    return false;
}

const struct way_out *way_for(const struct proxy *p, const struct netrequest *q)
{
    const struct way_out *way = q->protocol == NET_HTTP        ? p->way_http
                                : q->protocol == NET_SOCKS_UDP ? NULL
                                                               : p->way_https;
    if (q->protocol == NET_SOCKS_UDP)
        return NULL; /* no proxy takes datagrams */
    if (!way)
        way = p->way_all;
    if (!way || host_is_localhost(&q->host))
        return NULL;
    if (q->host.kind == HOST_ADDRESS &&
        address_classify(&q->host.address, NULL) == ADDRESS_LOOPBACK)
        return NULL;
    return goes_straight(p, q) ? NULL : way;
}

/* ---- asking the other proxy ---- */

enum handshake_state { SHAKE_HTTP, SHAKE_METHOD, SHAKE_LOGIN, SHAKE_REPLY };

struct handshake {
    struct stream stream;
    struct dial *dial;
    enum handshake_state state;
    struct buffer in, out;
    struct timer timer;
};

static void release(struct handshake *h, int *ret_fd)
{
    struct loop *loop = &h->dial->proxy->loop;
    timer_stop(&h->timer);
    if (ret_fd)
        *ret_fd = loop_take(loop, &h->stream.watch);
    else
        loop_close(loop, &h->stream.watch);
    buffer_release(&h->in);
    buffer_release(&h->out);
    h->dial->handshake = NULL;
    loop_free(loop, h);
}

void handshake_stop(struct handshake *h)
{
    release(h, NULL);
}

static void fail(struct handshake *h, enum dial_result result, int error)
{
    struct dial *d = h->dial;
    d->error = error;
    release(h, NULL);
    dial_finish(d, result, -1);
}

static void done(struct handshake *h)
{
    struct dial *d = h->dial;
    int fd;
    /* A server that speaks first may have spoken by now. */
    d->early = h->in;
    h->in = (struct buffer){0};
    release(h, &fd);
    dial_finish(d, DIAL_CONNECTED, fd);
}

static void put(struct handshake *h, const void *p, size_t n)
{
    (void)buffer_put(&h->out, p, n);
}

static void put_connect(struct handshake *h)
{
    const struct dial *d = h->dial;
    const struct host *to = &d->request.host;
    bool v6 = to->kind == HOST_ADDRESS && to->address.family == ADDRESS_V6;
    _cleanup_strbuf_ struct strbuf s = {0};
    char target[300];
    (void)snprintf(target, sizeof(target), v6 ? "[%s]:%u" : "%s:%u", to->name, d->request.port);
    strbuf_printf(&s, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", target, target);
    if (d->way->authorization)
        strbuf_printf(&s, "Proxy-Authorization: %s\r\n", d->way->authorization);
    strbuf_puts(&s, "\r\n");
    if (!strbuf_failed(&s))
        put(h, s.p, s.n);
}

static void put_socks_request(struct handshake *h)
{
    const struct netrequest *q = &h->dial->request;
    uint8_t head[] = {5, 1, 0, 3}, port[] = {(uint8_t)(q->port >> 8), (uint8_t)q->port};
    if (q->host.kind == HOST_NAME) {
        put(h, head, 4);
        put(h, &q->host.n, 1);
        put(h, q->host.name, q->host.n);
    } else {
        struct address a = address_dial(&q->host.address);
        head[3] = a.family == ADDRESS_V4 ? 1 : 4;
        put(h, head, 4);
        put(h, a.b, address_bits(&a) / 8);
    }
    put(h, port, 2);
    h->state = SHAKE_REPLY;
}

static void put_login(struct handshake *h)
{
    const struct way_out *way = h->dial->way;
    const uint8_t version = 1, n_user = (uint8_t)strlen(way->user),
                  n_password = (uint8_t)strlen(way->password);
    put(h, &version, 1);
    put(h, &n_user, 1);
    put(h, way->user, n_user);
    put(h, &n_password, 1);
    put(h, way->password, n_password);
    h->state = SHAKE_LOGIN;
}

/* A head of 2xx, and nothing behind it but what the destination sends. 1: done, 0: more, < 0. */
static int take_http(struct handshake *h)
{
    struct http_head *head = &h->dial->proxy->head;
    struct bytes in = buffer_bytes(&h->in);
    enum http_problem problem = http_response_parse(in, head);
    if (problem == HTTP_MORE)
        return in.n >= LIMIT_HEAD ? -EPROTO : 0;
    if (problem != HTTP_FINE)
        return -EPROTO;
    if (head->status / 100 != 2)
        return head->status == 403 || head->status == 407 ? -EACCES : -EHOSTUNREACH;
    buffer_take(&h->in, head->n);
    return 1;
}

static int take_socks(struct handshake *h)
{
    struct bytes in = buffer_bytes(&h->in);
    const uint8_t *b = (const uint8_t *)in.p;
    if (h->state == SHAKE_METHOD || h->state == SHAKE_LOGIN) {
        if (in.n < 2)
            return 0;
        uint8_t second = b[1];
        bool method = h->state == SHAKE_METHOD;
        buffer_take(&h->in, 2);
        if (method && second == 2 && h->dial->way->user)
            put_login(h);
        else if (second == 0)
            put_socks_request(h);
        else
            return -EACCES;
        return take_socks(h);
    }
    if (in.n < 5)
        return 0;
    if (b[0] != 5)
        return -EPROTO;
    size_t n = b[3] == 1 ? 10 : b[3] == 4 ? 22 : b[3] == 3 ? 7u + b[4] : 0;
    if (n == 0)
        return -EPROTO;
    if (b[1] != 0)
        return b[1] == 5   ? -ECONNREFUSED
               : b[1] == 2 ? -EACCES
               : b[1] == 3 ? -ENETUNREACH
                           : -EHOSTUNREACH;
    if (in.n < n)
        return 0;
    buffer_take(&h->in, n);
    return 1;
}

static void ready(struct watch *w, uint32_t events)
{
    struct handshake *h = (struct handshake *)(void *)w;
    stream_event(&h->stream, events);
    while (stream_read(&h->stream, &h->in, LIMIT_HEAD))
        ;
    int r = h->state == SHAKE_HTTP ? take_http(h) : take_socks(h);
    if (r == 0 && (h->stream.ended || !stream_write(&h->stream, &h->out)))
        r = -ECONNRESET;
    if (r < 0)
        fail(h, DIAL_UNREACHABLE, -r);
    else if (r > 0)
        done(h);
}

static void due(struct timer *t)
{
    fail((struct handshake *)(void *)((char *)t - offsetof(struct handshake, timer)), DIAL_TIMEOUT,
         ETIMEDOUT);
}

int handshake_start(struct dial *d, int fd)
{
    struct handshake *h = mem_zalloc(1, sizeof(*h));
    if (!h) {
        fd_close(fd);
        return -ENOMEM;
    }
    *h = (struct handshake){.stream = {.watch = {.fd = fd, .ready = ready}, .writable = true},
                            .dial = d,
                            .timer = {.fire = due}};
    d->handshake = h;
    if (d->way->kind == WAY_HTTP) {
        put_connect(h);
    } else {
        const uint8_t greeting[] = {5, d->way->user ? 2 : 1, 0, 2};
        put(h, greeting, d->way->user ? 4 : 3);
        h->state = SHAKE_METHOD;
    }
    timer_stop(&d->timer);
    timer_start(&d->proxy->loop, &h->timer, TIMER_CONNECT);
    int r = loop_watch(&d->proxy->loop, &h->stream.watch);
    if (r < 0)
        handshake_stop(h);
    return r;
}

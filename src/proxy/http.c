/*
 * HTTP/1 between a client and the servers it asks for (RFC 9112). Every request is judged on its
 * own, also the next one on the same connection. Heads are written anew from what was read, bodies
 * are framed anew: nothing that could be read in two ways is passed on.
 */
#include "proxy/proxy.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>

#define BODY_AHEAD 65536u /* bytes of a body that wait in this process, each way */

/* ---- words ---- */

static bool is_safe_method(struct bytes m)
{
    return bytes_is(m, "GET") || bytes_is(m, "HEAD") || bytes_is(m, "OPTIONS");
}

static bool http_name_is(struct bytes name, const char *lower)
{
    return name.n == strlen(lower) && strncasecmp(name.p, lower, name.n) == 0;
}

static void put(struct buffer *b, const char *s)
{
    (void)buffer_put(b, s, strlen(s));
}

static void put_bytes(struct buffer *b, struct bytes s)
{
    (void)buffer_put(b, s.p, s.n);
}

/* ---- refusing ---- */

/* Ends the connection, but for requests that are wholly read. */
static void refuse(struct client *c, const struct refusal *r, bool keep)
{
    struct refusal said = *r;
    said.no_body = c->x && str_eq(c->x->method, "HEAD");
    refuse_http(c->proxy, &said, keep, &c->out);
    if (keep) {
        http_reset(c);
        passage_end(c->proxy, &c->passage, false);
        c->state = CLIENT_HEAD;
        timer_start(&c->proxy->loop, &c->timer, TIMER_KEEP);
    } else {
        client_finish(c);
    }
}

static void refuse_head(struct client *c, enum http_problem problem)
{
    const struct refusal r = {.status = http_problem_status(problem),
                              .reason = http_problem_word(problem),
                              .text = http_problem_text(problem)};
    refuse(c, &r, false);
}

static void refuse_answer(struct client *c, const struct netanswer *a, bool keep)
{
    const struct refusal r = {.status = 403,
                              .header = net_reason_header(a->reason),
                              .reason = net_reason_word(a->reason),
                              .request = &c->request,
                              .answer = a};
    refuse(c, &r, keep);
}

/* A refusal that needs no look at the policy. */
static void refuse_reason(struct client *c, enum net_reason reason, const char *method, bool keep)
{
    const struct netanswer a = {.decision = NET_DENY, .reason = reason};
    (void)proxy_record(c->proxy, &c->request, &a, false, method);
    refuse_answer(c, &a, keep);
}

/* ---- the request's head ---- */

static bool is_websocket(const struct http_head *h)
{
    return h->upgrade && h->framing == FRAME_NONE && bytes_is(h->method, "GET") &&
           h->upgrade_to.n == 9 && strncasecmp(h->upgrade_to.p, "websocket", 9) == 0;
}

static void put_field(struct strbuf *b, struct bytes name, struct bytes value)
{
    strbuf_put(b, name.p, name.n);
    strbuf_put(b, ": ", 2);
    strbuf_put(b, value.p, value.n);
    strbuf_put(b, "\r\n", 2);
}

/* What was judged, and not what the client wrote. */
static void put_authority(struct strbuf *b, const struct netrequest *q)
{
    bool v6 = q->host.kind == HOST_ADDRESS && q->host.address.family == ADDRESS_V6;
    strbuf_printf(b, v6 ? "[%s]" : "%s", q->host.name);
    if (q->port != 80)
        strbuf_printf(b, ":%u", q->port);
}

/* The head as the server gets it, into the exchange; check strbuf_failed(). ABSOLUTE: it is another
 * proxy. */
static void put_request(struct client *c, const struct http_head *h, bool absolute, bool to_socket)
{
    struct strbuf *b = &c->x->head;
    const struct way_out *way = absolute ? way_for(c->proxy, &c->request) : NULL;
    struct bytes path = h->form == TARGET_ABSOLUTE ? h->path : h->target;
    strbuf_put(b, h->method.p, h->method.n);
    strbuf_putc(b, ' ');
    if (absolute) {
        strbuf_puts(b, "http://");
        put_authority(b, &c->request);
    }
    if (path.n == 0 && bytes_is(h->method, "OPTIONS") && !absolute)
        strbuf_putc(b, '*'); /* RFC 9112, 3.2.4 */
    else if (path.n == 0 || path.p[0] == '?')
        strbuf_putc(b, '/');
    strbuf_put(b, path.p, path.n);
    strbuf_puts(b, " HTTP/1.1\r\nHost: ");
    if (to_socket)
        strbuf_put(b, h->host.p ? h->host.p : "", h->host.n);
    else
        put_authority(b, &c->request);
    strbuf_puts(b, "\r\n");
    for (size_t i = 0; i < h->n_fields; i++) {
        const struct http_field *f = &h->fields[i];
        if (!http_field_is_hop(h, i) && !http_name_is(f->name, "host") &&
            !http_name_is(f->name, "content-length") && !http_name_is(f->name, "x-unix-socket"))
            put_field(b, f->name, f->value);
    }
    if (way && way->authorization)
        strbuf_printf(b, "Proxy-Authorization: %s\r\n", way->authorization);
    if (h->framing == FRAME_CHUNKED)
        strbuf_puts(b, "Transfer-Encoding: chunked\r\n");
    else if (h->framing == FRAME_LENGTH)
        strbuf_printf(b, "Content-Length: %llu\r\n", (unsigned long long)h->length);
    if (c->x->upgrade) {
        strbuf_puts(b, "Connection: Upgrade\r\n");
        put_field(b, BYTES("Upgrade"), h->upgrade_to);
    }
    strbuf_puts(b, "\r\n");
}

static bool is_tls_scheme(struct bytes scheme)
{
    return scheme.n > 1 && (scheme.p[scheme.n - 1] | 32) == 's';
}

/* Host and port that the request is for. */
static enum http_problem read_target(struct client *c, const struct http_head *h)
{
    struct netrequest q = {.protocol = NET_HTTP, .client_port = c->port};
    if (c->listener == LISTEN_TRANSPARENT) {
        struct host named;
        uint16_t port;
        if (h->form == TARGET_AUTHORITY || !h->host.p)
            return h->host.p ? HTTP_TARGET : HTTP_HOST_MISSING;
        if (h->form == TARGET_ABSOLUTE && is_tls_scheme(h->scheme))
            return HTTP_SCHEME;
        if (host_parse_port(h->host, 80, &named, &port) != HOST_FINE)
            return HTTP_HOST_BAD;
        q.host = c->target.host;
        q.port = c->target.port;
        c->request = q;
        bool same = port == q.port && host_eq(&named, &q.host);
        return same ? HTTP_FINE : HTTP_HOST_OTHER;
    }
    struct bytes from =
        h->form == TARGET_ORIGIN || h->form == TARGET_ASTERISK ? h->host : h->authority;
    bool connect = h->form == TARGET_AUTHORITY;
    uint16_t otherwise = connect ? 0 : 80;
    if (connect)
        q.protocol = NET_HTTPS;
    if (h->form == TARGET_ABSOLUTE && is_tls_scheme(h->scheme))
        return HTTP_SCHEME; /* https and wss go through CONNECT */
    if (!from.p)
        return HTTP_HOST_MISSING;
    enum host_problem problem = host_parse_port(from, otherwise, &q.host, &q.port);
    if (problem != HOST_FINE)
        return connect || h->form == TARGET_ABSOLUTE ? HTTP_TARGET : HTTP_HOST_BAD;
    stub_name(c->proxy, &q.host);
    c->request = q;
    return HTTP_FINE;
}

static bool begin_exchange(struct client *c, const struct http_head *h)
{
    http_reset(c);
    struct exchange *x = mem_zalloc(1, sizeof(*x));
    if (!x) {
        c->client.starved = true;
        client_end(c);
        return false;
    }
    c->x = x;
    x->minor = h->minor;
    x->keep = h->keep_alive;
    x->upgrade = is_websocket(h);
    x->chunk_up = h->framing == FRAME_CHUNKED;
    (void)printable(x->method, sizeof(x->method), h->method.p, h->method.n);
    body_begin(&x->request, h->framing, h->length);
    return true;
}

/* The server stands: the head goes, and the body behind it. */
static void start_exchange(struct client *c)
{
    c->state = CLIENT_EXCHANGE;
    timer_stop(&c->timer);
    /* Without its head the body would be read as a request. */
    if (!buffer_put(&c->up, c->x->head.p, c->x->head.n)) {
        c->client.starved = true;
        client_end(c);
        return;
    }
    /* Over a connection that stood already the server may close at this very moment. */
    if (!c->x->reused || !body_done(&c->x->request))
        strbuf_release(&c->x->head);
}

static bool same_server(const struct client *c)
{
    return c->server.watch.fd >= 0 && !c->server_unix && !c->server.ended && !c->server.broken &&
           netrequest_same_place(&c->server_request, &c->request);
}

static void dial_or_reuse(struct client *c)
{
    struct netanswer a;
    bool asked;
    proxy_judge(c->proxy, &c->request, &a, &asked);
    int fd = -1;
    bool same = a.decision == NET_ALLOW && same_server(c);
    if (!same) {
        client_leave_server(c);
        fd = a.decision == NET_ALLOW ? pool_take(c->proxy, &c->request) : -1;
        same = fd >= 0 && client_take_server(c, fd) == 0;
        const struct way_out *way = same ? way_for(c->proxy, &c->request) : NULL;
        c->server.relayed = way && way->tls;
    }
    if (same && proxy_record(c->proxy, &c->request, &a, asked, c->x->method)) {
        c->x->reused = true;
        c->passage = passage_begin(c->proxy, &c->request, &a);
        c->server_request = c->request;
        start_exchange(c);
        return;
    }
    client_drop_server(c);
    client_dial(c, c->x->method, &a, asked);
}

static void dial_socket(struct client *c, struct bytes path)
{
    static const struct refusal gone = {
        .status = 502, .reason = "unreachable", .text = "nobody listens on this Unix socket"};
    static const struct refusal full = {
        .status = 503, .reason = "not_recorded", .text = "the decision cannot be written down"};
    struct netanswer a = {.decision = NET_ALLOW, .reason = NET_ALLOWED};
    int fd = -1, r = dial_unix(c->proxy, path, &fd);
    client_leave_server(c);
    if (r == -EACCES)
        a = (struct netanswer){.decision = NET_DENY, .reason = NET_NOT_ALLOWED};
    if (!proxy_record_socket(c->proxy, path, &a, c->x->method)) {
        fd_close(fd);
        refuse(c, &full, false);
    } else if (r == -EACCES) {
        const struct refusal no = {.status = 403,
                                   .header = net_reason_header(a.reason),
                                   .reason = "unix_socket_not_allowed",
                                   .text = "no rule allows this Unix socket"};
        refuse(c, &no, false);
    } else if (r < 0 || client_take_server(c, fd) < 0) {
        refuse(c, &gone, false);
    } else {
        c->server_unix = true;
        c->server_request = (struct netrequest){0};
        start_exchange(c);
    }
}

static void take_connect(struct client *c, const struct http_head *h)
{
    if (h->framing != FRAME_NONE) {
        static const struct refusal body = {
            .status = 400, .reason = "body", .text = "a CONNECT has no body"};
        refuse(c, &body, false);
        return;
    }
    buffer_take(&c->in, h->n);
    if (client_opened(c) == NET_NEEDS_MITM) {
        refuse_reason(c, NET_NEEDS_MITM, "CONNECT", false);
        return;
    }
    client_leave_server(c);
    client_dial(c, "CONNECT", NULL, false);
}

/* A rule about requests refuses this one. Its id is not one of the policy's: the record does
 * without. */
static void refuse_by_rule(struct client *c, const struct http_head *h,
                           const struct requests_answer *by_rule)
{
    struct netanswer a = {.decision = NET_DENY, .reason = NET_REQUEST};
    bool keep = h->framing == FRAME_NONE && h->keep_alive;
    buffer_take(&c->in, h->n);
    (void)proxy_record(c->proxy, &c->request, &a, false, c->x->method);
    a.rule = by_rule->rule;
    refuse_answer(c, &a, keep);
}

static void take_request(struct client *c, const struct http_head *h)
{
    enum http_problem problem = read_target(c, h);
    if (problem == HTTP_HOST_OTHER && c->listener == LISTEN_TRANSPARENT) {
        refuse_reason(c, NET_OTHER_HOST, "", false);
        return;
    }
    const struct http_field *named = http_field(h, "x-unix-socket");
    bool to_socket = named && c->listener == LISTEN_HTTP && h->form != TARGET_AUTHORITY;
    if (problem == HTTP_SCHEME) {
        static const struct refusal tls = {
            .status = 400, .reason = "scheme", .text = "https and wss go through CONNECT"};
        refuse(c, &tls, false);
        return;
    }
    if (problem != HTTP_FINE && !(to_socket && problem == HTTP_HOST_BAD)) {
        refuse_head(c, problem);
        return;
    }
    if (h->form == TARGET_AUTHORITY) {
        if (begin_exchange(c, h))
            take_connect(c, h);
        return;
    }
    if (!to_socket && c->listener == LISTEN_HTTP && h->form != TARGET_ABSOLUTE) {
        refuse_head(c, HTTP_TARGET);
        return;
    }
    if (!begin_exchange(c, h))
        return;
    /* Nobody sees what is said after an upgrade. */
    if (c->proxy->settings.limited && (!is_safe_method(h->method) || c->x->upgrade)) {
        char method[24];
        (void)printable(method, sizeof(method), h->method.p, h->method.n);
        buffer_take(&c->in, h->n);
        refuse_reason(c, NET_METHOD, method, h->framing == FRAME_NONE && h->keep_alive);
        return;
    }
    struct requests_answer by_rule = {.decision = NET_ALLOW};
    if (!to_socket)
        requests_decide(&c->proxy->settings.requests, &c->request.host, c->request.port, h->method,
                        h->form == TARGET_ABSOLUTE ? h->path : h->target, &by_rule);
    if (by_rule.decision != NET_ALLOW) {
        refuse_by_rule(c, h, &by_rule);
        return;
    }
    const struct way_out *way = to_socket ? NULL : way_for(c->proxy, &c->request);
    /* It waits until the server stands. */
    put_request(c, h, way && way->kind == WAY_HTTP, to_socket);
    char path[108];
    size_t n_path = to_socket ? MIN_OF(named->value.n, sizeof(path)) : 0;
    memcpy(path, to_socket ? named->value.p : "", n_path);
    buffer_take(&c->in, h->n);
    if (strbuf_failed(&c->x->head)) {
        c->client.starved = true;
        client_end(c);
    } else if (to_socket) {
        dial_socket(c, (struct bytes){path, n_path});
    } else {
        dial_or_reuse(c);
    }
}

/* Is there the end of a head behind what was looked at already? */
static bool has_head_end(struct client *c)
{
    struct bytes all = buffer_bytes(&c->in);
    const char *p = all.p + MIN_OF(c->looked_at, all.n), *end = all.p + all.n;
    bool first = c->looked_at == 0, found = false;
    if (p - all.p >= 3)
        p -= 3;
    while (!found && (p = memchr(p, '\n', (size_t)(end - p)))) {
        p++;
        found = (p < end && *p == '\n') || (end - p >= 2 && p[0] == '\r' && p[1] == '\n');
    }
    c->looked_at = all.n;
    return first || found || all.n >= LIMIT_HEAD;
}

bool http_head_step(struct client *c)
{
    if (!stream_write(&c->client, &c->out) || c->client.broken) {
        client_end(c);
        return false;
    }
    /* Who asks and asks, and reads no answer, waits. */
    if (buffer_n(&c->out) >= BODY_AHEAD)
        return false;
    /* The server may say that it has closed. */
    if (c->server.watch.fd >= 0 && c->server.readable)
        client_drop_server(c);
    size_t before = buffer_n(&c->in);
    size_t n = stream_read(&c->client, &c->in, LIMIT_HEAD);
    if (buffer_n(&c->in) == 0) {
        if (c->client.ended && buffer_n(&c->out) == 0)
            client_end(c);
        return false;
    }
    if (before == 0 || c->looked_at == 0)
        timer_start(&c->proxy->loop, &c->timer, TIMER_HEAD);
    if (!has_head_end(c)) {
        if (c->client.ended)
            client_end(c);
        return n > 0;
    }
    struct http_head *h = &c->proxy->head;
    enum http_problem problem = http_request_parse(buffer_bytes(&c->in), h);
    if (problem == HTTP_MORE && buffer_n(&c->in) >= LIMIT_HEAD)
        problem = HTTP_HEAD_LONG;
    if (problem == HTTP_MORE) {
        if (c->client.ended)
            client_end(c);
        return n > 0;
    }
    c->looked_at = 0;
    timer_stop(&c->timer);
    if (problem != HTTP_FINE)
        refuse_head(c, problem);
    else
        take_request(c, h);
    return true;
}

/* ---- the server ---- */

static void connect_done(struct client *c)
{
    put(&c->out, "HTTP/1.1 200 Connection established\r\n\r\n");
    http_reset(c);
    if (client_opened(c) == NET_ALLOWED)
        client_tunnel(c);
    else
        client_hand_over(c);
}

void http_dialled(struct client *c, enum dial_result result, int fd)
{
    bool connect = c->request.protocol == NET_HTTPS && c->listener == LISTEN_HTTP;
    if (result != DIAL_CONNECTED) {
        const struct refusal r = refusal_of_dial(c->dial, result);
        bool keep = !connect && c->x && c->x->keep && body_done(&c->x->request);
        refuse(c, &r, keep);
        return;
    }
    if (client_take_server(c, fd) < 0) {
        client_end(c);
        return;
    }
    c->server_request = c->request;
    if (connect)
        connect_done(c);
    else
        start_exchange(c);
}

/* ---- bodies ---- */

/* What came from FROM becomes what goes into TO. False: not well-formed. */
static bool pass_body(struct body *body, struct buffer *from, struct buffer *to, bool chunk,
                      bool *ret_moved)
{
    while (buffer_n(from) && !body_done(body) && buffer_n(to) < BODY_AHEAD) {
        struct bytes data;
        size_t used;
        if (body_take(body, buffer_bytes(from), &data, &used) < 0)
            return false;
        if (data.n && chunk) {
            char line[BODY_CHUNK_LINE_MAX];
            size_t n = body_chunk_line(data.n, line);
            if (!buffer_put(to, line, n) || !buffer_put(to, data.p, data.n) ||
                !buffer_put(to, "\r\n", 2))
                return false;
        } else if (data.n && !buffer_put(to, data.p, data.n)) {
            return false;
        }
        buffer_take(from, used);
        *ret_moved = true;
        if (used == 0)
            break;
    }
    if (buffer_n(from) == 0)
        buffer_release(from);
    return true;
}

static void end_chunks(struct buffer *to, bool chunk)
{
    if (chunk)
        put(to, "0\r\n\r\n");
}

/* ---- the response ---- */

static void bad_gateway(struct client *c, unsigned status, const char *reason, const char *text)
{
    const struct refusal r = {
        .status = status, .reason = reason, .request = &c->request, .text = text};
    if (c->x->head_sent) {
        client_reset(c); /* half a response is on its way: only an end that is an error tells so */
        return;
    }
    /* What it said and was sent is of no use to another request. */
    client_drop_server(c);
    c->server_unix = false;
    refuse(c, &r, status != 400 && c->x->keep && body_done(&c->x->request));
}

static void put_response(struct client *c, const struct http_head *h, bool keep)
{
    struct buffer *b = &c->out;
    char line[64];
    (void)snprintf(line, sizeof(line), "HTTP/1.1 %u ", h->status);
    put(b, line);
    put_bytes(b, h->reason);
    put(b, "\r\n");
    for (size_t i = 0; i < h->n_fields; i++) {
        const struct http_field *f = &h->fields[i];
        if (http_field_is_hop(h, i) || http_name_is(f->name, "x-proxy-error") ||
            (http_name_is(f->name, "content-length") && h->framing == FRAME_CHUNKED))
            continue;
        put_bytes(b, f->name);
        put(b, ": ");
        put_bytes(b, f->value);
        put(b, "\r\n");
    }
    if (c->x->chunk_down)
        put(b, "Transfer-Encoding: chunked\r\n");
    if (h->status == 101) {
        put(b, "Connection: Upgrade\r\nUpgrade: ");
        put_bytes(b, h->upgrade_to);
        put(b, "\r\n");
    } else if (h->status >= 200) {
        put(b, keep ? "Connection: keep-alive\r\n" : "Connection: close\r\n");
    }
    put(b, "\r\n");
}

static bool take_response(struct client *c)
{
    struct exchange *x = c->x;
    struct http_head *h = &c->proxy->head;
    enum http_problem problem = http_response_parse(buffer_bytes(&c->down), h);
    if (problem == HTTP_MORE && buffer_n(&c->down) < LIMIT_HEAD)
        return false;
    if (problem != HTTP_FINE || (h->status == 101 && !x->upgrade)) {
        bad_gateway(c, 502, "bad_response", "the server's response is not well-formed");
        return true;
    }
    http_response_framing(h, bytes_of(x->method));
    if (h->status == 101) {
        put_response(c, h, false);
        buffer_take(&c->down, h->n);
        http_reset(c);
        client_tunnel(c);
        return true;
    }
    if (h->status < 200) { /* 100 and 103: more will come */
        x->informed = true;
        if (x->minor > 0)
            put_response(c, h, false);
        buffer_take(&c->down, h->n);
        return true;
    }
    x->server_keep = h->keep_alive && h->framing != FRAME_CLOSE;
    bool framed = h->framing != FRAME_CLOSE && h->framing != FRAME_CHUNKED;
    x->chunk_down = !framed && x->minor > 0;
    x->keep = x->keep && (framed || x->chunk_down) && body_done(&x->request);
    put_response(c, h, x->keep);
    x->head_sent = true;
    body_begin(&x->response, h->framing, h->length);
    buffer_take(&c->down, h->n);
    if (body_done(&x->response))
        end_chunks(&c->out, x->chunk_down);
    return true;
}

/* RFC 9110, 9.2.2, as far as there is no body. */
static bool is_repeatable(const char *method)
{
    static const char *const words[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq(method, words[i]))
            return true;
    return false;
}

/* The connection was closed before a byte of a response came, and it had been used before: the
 * server had closed it already. */
static bool try_again(struct client *c)
{
    struct exchange *x = c->x;
    if (!x->reused || x->head_sent || x->informed || buffer_n(&c->down) || x->head.n == 0 ||
        !body_done(&x->request) || !is_repeatable(x->method))
        return false;
    x->reused = false;
    passage_drop(&c->passage); /* it was none */
    client_drop_server(c);
    client_dial(c, x->method, NULL, false);
    return true;
}

static void server_gone(struct client *c)
{
    struct exchange *x = c->x;
    if (!x->head_sent && try_again(c))
        return;
    if (x->head_sent && !c->server.broken && body_end(&x->response) == 0) {
        end_chunks(&c->out, x->chunk_down);
        x->server_keep = false;
        return;
    }
    bad_gateway(c, 502, "no_response", "the server closed the connection without a whole response");
}

static bool move_request(struct client *c, bool *ret_moved)
{
    struct exchange *x = c->x;
    if (body_done(&x->request))
        return true;
    if (stream_read(&c->client, &c->in, BODY_AHEAD))
        *ret_moved = true;
    if (!pass_body(&x->request, &c->in, &c->up, x->chunk_up, ret_moved)) {
        bad_gateway(c, 400, "bad_body", "the request's body is not well-formed");
        return false;
    }
    if (body_done(&x->request))
        end_chunks(&c->up, x->chunk_up);
    else if (c->client.ended && buffer_n(&c->in) == 0) {
        client_end(c); /* half a request: the server must see no end of it */
        return false;
    }
    return true;
}

static bool move_response(struct client *c, bool *ret_moved)
{
    struct exchange *x = c->x;
    if (buffer_n(&c->out) >= BODY_AHEAD)
        return true;
    if (stream_read(&c->server, &c->down, BODY_AHEAD))
        *ret_moved = true;
    while (c->state == CLIENT_EXCHANGE && c->x == x && !x->head_sent && buffer_n(&c->down))
        if (!take_response(c))
            break;
    if (c->state != CLIENT_EXCHANGE || c->x != x)
        return false;
    if (x->head_sent && !body_done(&x->response)) {
        if (!pass_body(&x->response, &c->down, &c->out, x->chunk_down, ret_moved)) {
            client_reset(c);
            return false;
        }
        if (body_done(&x->response))
            end_chunks(&c->out, x->chunk_down);
    }
    if (c->server.ended &&
        (!x->head_sent || (!body_done(&x->response) && buffer_n(&c->down) == 0)) &&
        buffer_n(&c->out) < BODY_AHEAD) {
        server_gone(c);
        *ret_moved = true;
        return c->state == CLIENT_EXCHANGE && c->x == x;
    }
    return true;
}

/* Request and response are through. */
static void exchange_done(struct client *c)
{
    struct exchange *x = c->x;
    bool keep = x->keep, server_keep = x->server_keep && body_done(&x->request) &&
                                       buffer_n(&c->down) == 0 && buffer_n(&c->up) == 0 &&
                                       !c->server_unix;
    c->server_unix = false;
    http_reset(c);
    passage_end(c->proxy, &c->passage, false);
    if (!server_keep)
        client_drop_server(c);
    if (!keep) {
        client_finish(c);
        return;
    }
    c->state = CLIENT_HEAD;
    c->looked_at = 0;
    timer_start(&c->proxy->loop, &c->timer, TIMER_KEEP);
}

bool http_exchange_step(struct client *c)
{
    struct exchange *x = c->x;
    bool moved = false;
    if (!move_request(c, &moved))
        return true;
    size_t wait = buffer_n(&c->up);
    if (!stream_write(&c->server, &c->up))
        buffer_release(&c->up); /* a server that answers before it has read all of it */
    moved = moved || buffer_n(&c->up) < wait;
    if (!move_response(c, &moved))
        return true;
    wait = buffer_n(&c->out);
    if (!stream_write(&c->client, &c->out) || c->client.broken) {
        client_end(c);
        return false;
    }
    moved = moved || buffer_n(&c->out) < wait; /* there is room for more */
    if (x->head_sent && body_done(&x->response) && buffer_n(&c->out) == 0) {
        exchange_done(c);
        return true;
    }
    /* Nothing tells of a client that left while the server thinks, but this. */
    if (!moved && body_done(&x->request) && buffer_n(&c->in) < LIMIT_HEAD &&
        stream_read(&c->client, &c->in, LIMIT_HEAD))
        moved = true;
    if (c->client.broken)
        client_end(c);
    return moved && c->state != CLIENT_DEAD;
}

void http_reset(struct client *c)
{
    if (!c->x)
        return;
    strbuf_release(&c->x->head);
    mem_free(c->x);
    c->x = NULL;
}

/*
 * HTTP/1 with a client: one request after the other, also when they come at once. A head that could
 * be read in two ways is answered with 400, and the connection ends.
 *
 * Where an answer is given before the request's body has come whole, what still comes of it is
 * dropped and the connection ends: nothing that follows could be told from the body.
 */
#include "intercept/intercept.h"

/* ---- requests ---- */

static bool put(struct strbuf *to, struct bytes text)
{
    strbuf_put(to, text.p, text.n);
    return !strbuf_failed(to);
}

/* Those of the connection are not for servers, and neither are those that are told in another way.
 */
static bool take_fields(struct exchange *x, const struct http_head *h)
{
    for (size_t i = 0; i < h->n_fields; i++) {
        struct bytes name = h->fields[i].name;
        if (http_field_is_hop(h, i) || bytes_eq_case(name, BYTES("host")) ||
            bytes_eq_case(name, BYTES("content-length")))
            continue;
        if (!fields_add(&x->request, name, h->fields[i].value))
            return false;
    }
    return true;
}

static bool take_head(struct exchange *x, const struct http_head *h)
{
    struct bytes path = h->form == TARGET_ABSOLUTE ? h->path : h->target;
    if (h->method.n > MAX_METHOD_BYTES)
        return false;
    memcpy(x->method, h->method.p, h->method.n);
    if (h->form == TARGET_ABSOLUTE && (path.n == 0 || path.p[0] == '?'))
        strbuf_putc(&x->path, '/');
    if (!put(&x->path, path) || !put(&x->authority, h->host) || !take_fields(x, h))
        return false;
    x->minor0 = h->minor == 0;
    x->no_body = h->framing == FRAME_NONE;
    x->has_length = h->has_length;
    x->length = h->length;
    x->trailers_wanted = http_list_has(h, "te", BYTES("trailers"));
    if (h->upgrade && bytes_eq_case(h->upgrade_to, BYTES("websocket")) &&
        bytes_is(h->method, "GET") && x->no_body)
        return put(&x->upgrade_to, h->upgrade_to);
    return true;
}

static void refuse_head(struct session *s, struct exchange *x, enum http_problem p)
{
    s->close_after = true;
    body_begin(&s->body, FRAME_NONE, 0);
    queue_release(&s->client.in);
    exchange_refuse(x, http_problem_status(p), NET_ALLOWED, http_problem_word(p),
                    http_problem_text(p), NULL);
}

static bool read_head(struct session *s)
{
    struct bytes in = queue_bytes(&s->client.in);
    struct http_head head;
    bool ended = s->client.in_end || s->client.in_cut;
    enum http_problem p = in.n ? http_request_parse(in, &head) : HTTP_MORE;
    if (p == HTTP_MORE) {
        if (ended)
            session_end(s);
        return false;
    }
    struct exchange *x = s->current = exchange_new(s);
    if (!x) {
        session_end(s);
        return false;
    }
    if (p != HTTP_FINE) {
        refuse_head(s, x, p);
        return true;
    }
    if (!head.keep_alive)
        s->close_after = true;
    if (!take_head(x, &head)) {
        refuse_head(s, x, HTTP_HEAD_LONG);
        return true;
    }
    body_begin(&s->body, head.framing, head.length);
    queue_take(&s->client.in, head.n);
    judge_exchange(x);
    return true;
}

/* ---- their bodies ---- */

static bool move_tunnel(struct session *s, struct exchange *x)
{
    struct bytes in = queue_bytes(&s->client.in);
    size_t room = QUEUE_MOST - MIN_OF(queue_n(&x->up), (size_t)QUEUE_MOST);
    size_t n = MIN_OF(in.n, room);
    if (n == in.n && (s->client.in_end || s->client.in_cut) && !x->up_end) {
        (void)queue_put(&x->up, in.p, n);
        queue_take(&s->client.in, n);
        x->up_end = true;
        return true;
    }
    if (n == 0 || !queue_put(&x->up, in.p, n))
        return false;
    queue_take(&s->client.in, n);
    return true;
}

static bool read_body(struct session *s)
{
    struct exchange *x = s->current;
    bool moved = false;
    if (x->tunnel)
        return x->head_sent && move_tunnel(s, x);
    while (!body_done(&s->body) && queue_n(&s->client.in) && queue_n(&x->up) < QUEUE_MOST) {
        struct bytes data;
        size_t used;
        if (body_take(&s->body, queue_bytes(&s->client.in), &data, &used) < 0) {
            s->close_after = true;
            exchange_fail(x, "bad_body", "the request's body is not what its head says");
            return true;
        }
        if (x->server || x->needs_server)
            (void)queue_put(&x->up, data.p, data.n);
        queue_take(&s->client.in, used);
        moved = true;
    }
    if (body_done(&s->body)) {
        moved = moved || !x->up_end;
        x->up_end = true;
    } else if (queue_n(&s->client.in) == 0 && (s->client.in_end || s->client.in_cut)) {
        session_end(s);
    }
    return moved;
}

/* ---- responses ---- */

static void put_field(struct queue *out, struct http_field f)
{
    (void)(queue_put(out, f.name.p, f.name.n) && queue_puts(out, ": ") &&
           queue_put(out, f.value.p, f.value.n) && queue_puts(out, "\r\n"));
}

static void put_status(struct queue *out, unsigned status, const struct strbuf *reason)
{
    char line[32];
    (void)snprintf(line, sizeof(line), "HTTP/1.1 %u ", status);
    (void)queue_puts(out, line);
    (void)queue_puts(out, reason && reason->n ? reason->p : http_status_text(status));
    (void)queue_puts(out, "\r\n");
}

static void put_fields(struct queue *out, const struct fields *f)
{
    for (size_t i = 0; i < f->v.n; i++) {
        struct http_field field = fields_get(f, i);
        if (field.name.n)
            put_field(out, field);
    }
}

static void put_info(struct session *s, struct exchange *x)
{
    struct queue *out = &s->client.out;
    put_status(out, x->info_status, NULL);
    put_fields(out, &x->info);
    (void)queue_puts(out, "\r\n");
    fields_release(&x->info);
    x->info_status = 0;
}

static void put_length(struct queue *out, uint64_t n)
{
    char line[48];
    (void)snprintf(line, sizeof(line), "content-length: %llu\r\n", (unsigned long long)n);
    (void)queue_puts(out, line);
}

static bool is_chunked(const struct exchange *x)
{
    return !x->response_no_body && !x->response_has_length && !x->minor0 && !x->tunnel;
}

static void put_head(struct session *s, struct exchange *x)
{
    struct queue *out = &s->client.out;
    if (!body_done(&s->body) && x->down_end && !x->server)
        s->close_after = true; /* answered before the request was whole */
    if (!x->response_no_body && !x->response_has_length && x->minor0)
        s->close_after = true;
    put_status(out, x->status, &x->reason);
    put_fields(out, &x->response);
    if (x->response_has_length && !x->tunnel)
        put_length(out, x->response_length);
    if (is_chunked(x))
        (void)queue_puts(out, "transfer-encoding: chunked\r\n");
    if (x->tunnel)
        (void)queue_puts(out, "connection: Upgrade\r\nupgrade: websocket\r\n");
    else if (s->close_after)
        (void)queue_puts(out, "connection: close\r\n");
    else if (x->minor0)
        (void)queue_puts(out, "connection: keep-alive\r\n");
    (void)queue_puts(out, "\r\n");
    x->head_sent = true;
}

static bool put_data(struct session *s, struct exchange *x)
{
    struct queue *out = &s->client.out;
    size_t n = MIN_OF(exchange_down_n(x), link_out_room(&s->client));
    char line[BODY_CHUNK_LINE_MAX];
    bool chunked = is_chunked(x);
    if (n > 0) {
        if (chunked)
            (void)queue_put(out, line, body_chunk_line(n, line));
        if (!queue_put(out, x->down.p + x->down.start, n))
            x->broken = true;
        queue_take(&x->down, n);
        if (chunked)
            (void)queue_puts(out, "\r\n");
    }
    if (x->broken || !x->down_end || exchange_down_n(x) > 0)
        return n > 0;
    if (chunked)
        (void)queue_puts(out, "0\r\n\r\n");
    x->end_sent = true;
    return true;
}

static void finish(struct session *s, struct exchange *x)
{
    bool whole = body_done(&s->body) && !x->tunnel;
    exchange_free(x);
    if (whole && !s->close_after)
        return;
    s->client.out_end = true;
    s->lingering = true;
}

static bool write_response(struct session *s)
{
    struct exchange *x = s->current;
    bool moved = false;
    if (x->info_status && !x->head_sent && !x->minor0) {
        put_info(s, x);
        moved = true;
    }
    if (x->status && !x->head_sent) {
        put_head(s, x);
        moved = true;
    }
    if (x->head_sent && !x->end_sent)
        moved = put_data(s, x) || moved;
    if (x->broken && exchange_down_n(x) == 0 && queue_n(&s->client.out) == 0) {
        session_end(s); /* without a proper end: the client can tell */
        return false;
    }
    if (!x->end_sent)
        return moved;
    finish(s, x);
    return true;
}

bool client_h1_step(struct session *s)
{
    bool moved = false;
    if (s->lingering) {
        queue_release(&s->client.in);
        if (s->client.out_ended && (s->client.in_end || s->client.in_cut))
            session_end(s);
        return false;
    }
    if (s->client.in_cut && !(s->current && s->current->tunnel)) {
        session_end(s);
        return false;
    }
    if (!s->current)
        moved = read_head(s);
    if (!s->dead && s->current)
        moved = read_body(s) || moved;
    if (!s->dead && s->current)
        moved = write_response(s) || moved;
    return moved;
}

/*
 * HTTP/1 with a server: one request at a time; the connection is kept for the next one when both
 * ends came to a proper end.
 */
#include "intercept/intercept.h"

/* ---- requests ---- */

static void put_field(struct queue *out, struct http_field f)
{
    (void)(queue_put(out, f.name.p, f.name.n) && queue_puts(out, ": ") &&
           queue_put(out, f.value.p, f.value.n) && queue_puts(out, "\r\n"));
}

/* HTTP/2 has cookies in pieces, HTTP/1 in one. */
static void put_cookies(struct queue *out, const struct fields *f)
{
    struct http_field c;
    size_t at = 0;
    bool any = false;
    while (fields_find(f, BYTES("cookie"), &at, &c)) {
        (void)queue_puts(out, any ? "; " : "cookie: ");
        (void)queue_put(out, c.value.p, c.value.n);
        any = true;
    }
    if (any)
        (void)queue_puts(out, "\r\n");
}

static void put_framing(struct queue *out, const struct exchange *x)
{
    char line[48];
    if (x->has_length) {
        (void)snprintf(line, sizeof(line), "content-length: %llu\r\n",
                       (unsigned long long)x->length);
        (void)queue_puts(out, line);
    } else if (!x->no_body) {
        (void)queue_puts(out, "transfer-encoding: chunked\r\n");
    }
    if (x->upgrade_to.n)
        (void)queue_puts(out, "connection: Upgrade\r\nupgrade: websocket\r\n");
}

static void put_request(struct server *v, struct exchange *x)
{
    struct queue *out = &v->link.out;
    (void)queue_puts(out, x->method);
    (void)queue_puts(out, " ");
    (void)queue_put(out, x->path.p, x->path.n);
    (void)queue_puts(out, " HTTP/1.1\r\nhost: ");
    (void)queue_put(out, x->authority.p, x->authority.n);
    (void)queue_puts(out, "\r\n");
    for (size_t i = 0; i < x->request.v.n; i++) {
        struct http_field f = fields_get(&x->request, i);
        if (f.name.n && !bytes_eq_case(f.name, BYTES("cookie")))
            put_field(out, f);
    }
    put_cookies(out, &x->request);
    put_framing(out, x);
    (void)queue_puts(out, "\r\n");
    x->submitted = true;
    x->tries++;
    v->head_came = v->body_sent = false;
    v->keep = true;
}

static bool put_body(struct server *v, struct exchange *x)
{
    struct queue *out = &v->link.out;
    char line[BODY_CHUNK_LINE_MAX];
    size_t n = MIN_OF(queue_n(&x->up), link_out_room(&v->link));
    bool chunked = !x->has_length && !x->no_body && !x->tunnel;
    if (n > 0) {
        x->reached = true;
        if (chunked)
            (void)queue_put(out, line, body_chunk_line(n, line));
        (void)queue_put(out, queue_bytes(&x->up).p, n);
        queue_take(&x->up, n);
        if (chunked)
            (void)queue_puts(out, "\r\n");
    }
    if (v->body_sent || !x->up_end || queue_n(&x->up) > 0)
        return n > 0;
    if (chunked)
        (void)queue_puts(out, "0\r\n\r\n");
    if (x->tunnel)
        v->link.out_end = true;
    v->body_sent = true;
    return true;
}

/* ---- responses ---- */

static bool take_fields(struct fields *to, const struct http_head *h)
{
    for (size_t i = 0; i < h->n_fields; i++)
        if (!http_field_is_hop(h, i) &&
            !bytes_eq_case(h->fields[i].name, BYTES("content-length")) &&
            !fields_add(to, h->fields[i].name, h->fields[i].value))
            return false;
    return true;
}

static bool take_head(struct server *v, struct exchange *x, const struct http_head *h)
{
    const struct http_field *length = http_field(h, "content-length");
    bool head = str_eq(x->method, "HEAD");
    if (!take_fields(&x->response, h))
        return false;
    strbuf_put(&x->reason, h->reason.p, h->reason.n);
    x->status = h->status;
    x->response_no_body = h->framing == FRAME_NONE;
    x->response_has_length = h->framing == FRAME_LENGTH;
    x->response_length = h->length;
    if (x->response_no_body && length && (head || h->status == 304))
        (void)fields_add(&x->response, BYTES("content-length"), length->value);
    v->keep = h->keep_alive && h->framing != FRAME_CLOSE;
    v->head_came = true;
    body_begin(&v->body, h->framing, h->length);
    return true;
}

static bool take_info(struct exchange *x, const struct http_head *h)
{
    if (x->minor0 || (h->status == 100 && !fields_have(&x->request, "expect")))
        return true; /* nobody waits for it */
    x->info_status = h->status;
    bool fine = take_fields(&x->info, h);
    fields_remove(&x->info, "x-proxy-error");
    exchange_hide(x, &x->info);
    return fine;
}

/* 101: from here on there are only bytes. */
static bool take_switch(struct server *v, struct exchange *x, const struct http_head *h)
{
    if (!x->upgrade_to.n || !bytes_eq_case(h->upgrade_to, BYTES("websocket")) ||
        !take_fields(&x->response, h))
        return false;
    strbuf_put(&x->reason, h->reason.p, h->reason.n);
    x->status = 101;
    x->tunnel = true;
    x->up_end = false;
    x->response_no_body = false;
    v->body_sent = false;
    v->head_came = true;
    v->keep = false;
    body_begin(&v->body, FRAME_CLOSE, 0);
    return true;
}

static bool read_head(struct server *v, struct exchange *x)
{
    struct bytes in = queue_bytes(&v->link.in);
    struct http_head head;
    if (x->info_status)
        return false; /* the client has not been told of the last one yet */
    enum http_problem p = in.n ? http_response_parse(in, &head) : HTTP_MORE;
    if (p == HTTP_MORE) {
        if (v->link.in_end || v->link.in_cut)
            server_failed(v, "the server ended the connection without an answer");
        return false;
    }
    bool fine = p == HTTP_FINE;
    if (fine && head.status == 101)
        fine = take_switch(v, x, &head);
    else if (fine && head.status < 200)
        fine = take_info(x, &head);
    else if (fine) {
        http_response_framing(&head, bytes_of(x->method));
        fine = take_head(v, x, &head);
    }
    if (!fine) {
        server_failed(v, p == HTTP_FINE ? "the server's answer was not understood"
                                        : http_problem_text(p));
        return true;
    }
    queue_take(&v->link.in, head.n);
    if (v->head_came)
        (void)exchange_head_came(x); /* may let go of this server */
    return true;
}

/* The request may still be on its way when the response is whole. */
static void finish(struct server *v, struct exchange *x)
{
    bool clean = v->keep && v->body_sent && x->up_end && queue_n(&v->link.in) == 0;
    exchange_end_down(x);
    x->server = NULL;
    x->needs_server = false;
    v->current = NULL;
    v->used = true;
    if (!clean)
        v->done = true;
}

static bool read_body(struct server *v, struct exchange *x)
{
    bool moved = false;
    while (!body_done(&v->body) && queue_n(&v->link.in) && queue_n(&x->down) < QUEUE_MOST) {
        struct bytes data;
        size_t used;
        if (body_take(&v->body, queue_bytes(&v->link.in), &data, &used) < 0 ||
            !exchange_put_down(x, data)) {
            server_failed(v, "the server's answer is not framed as its head says");
            return true;
        }
        queue_take(&v->link.in, used);
        moved = true;
    }
    if (!body_done(&v->body) && queue_n(&v->link.in) == 0 && (v->link.in_end || v->link.in_cut)) {
        /* without TLS's own end anybody could have cut it short */
        bool whole = (v->link.in_end || x->tunnel) && body_end(&v->body) == 0;
        if (!whole) {
            server_failed(v, "the server's answer was cut short");
            return true;
        }
        finish(v, x);
        return true;
    }
    if (!body_done(&v->body))
        return moved;
    finish(v, x);
    return true;
}

bool server_h1_step(struct server *v)
{
    struct exchange *x = v->current;
    bool moved = false;
    if (!x) {
        if (queue_n(&v->link.in) || v->link.in_end || v->link.in_cut)
            v->done = true; /* nobody asked */
        return false;
    }
    if (!x->submitted) {
        put_request(v, x);
        moved = true;
    }
    if (x->up.failed) {
        server_failed(v, "out of memory");
        return true;
    }
    moved = put_body(v, x) || moved;
    if (!v->head_came)
        moved = read_head(v, x) || moved;
    if (v->current == x && v->head_came)
        moved = read_body(v, x) || moved;
    return moved;
}

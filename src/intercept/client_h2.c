/*
 * HTTP/2 with a client: each stream is an exchange. nghttp2 holds the protocol: what is malformed
 * ends the stream or the connection. A field that it would leave out for being malformed ends the
 * stream as well.
 */
#include "intercept/h2.h"

static struct exchange *exchange_of(nghttp2_session *h2, int32_t stream)
{
    return nghttp2_session_get_stream_user_data(h2, stream);
}

/* ---- what comes ---- */

static int on_begin_headers(nghttp2_session *h2, const nghttp2_frame *frame, void *data)
{
    struct session *s = data;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct exchange *x = exchange_new(s);
    if (!x)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    x->stream = frame->hd.stream_id;
    return nghttp2_session_set_stream_user_data(h2, x->stream, x);
}

static bool put(struct strbuf *to, struct bytes text)
{
    strbuf_put(to, text.p, text.n);
    return !strbuf_failed(to);
}

static bool take_pseudo(struct exchange *x, struct bytes name, struct bytes value)
{
    if (bytes_is(name, ":method")) {
        if (value.n == 0 || value.n > MAX_METHOD_BYTES)
            return false;
        for (size_t i = 0; i < value.n; i++)
            if (value.p[i] <= ' ' || value.p[i] >= 0x7f)
                return false;
        memcpy(x->method, value.p, value.n);
        return true;
    }
    if (bytes_is(name, ":path"))
        return put(&x->path, value);
    if (bytes_is(name, ":authority"))
        return put(&x->authority, value);
    return bytes_is(name, ":scheme") && bytes_eq_case(value, BYTES("https"));
}

static bool take_field(struct exchange *x, struct bytes name, struct bytes value)
{
    if (name.n && name.p[0] == ':')
        return take_pseudo(x, name, value);
    if (bytes_is(name, "host")) {
        if (x->authority.n == 0)
            return put(&x->authority, value);
        return bytes_eq_case(value, (struct bytes){x->authority.p, x->authority.n});
    }
    if (bytes_is(name, "content-length")) {
        x->has_length = true;
        return h2_read_length(value, &x->length);
    }
    if (bytes_is(name, "te")) {
        x->trailers_wanted = bytes_eq_case(value, BYTES("trailers"));
        return true;
    }
    return h2_is_hop(name) || fields_add(&x->request, name, value);
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
                     size_t n_name, const uint8_t *value, size_t n_value, uint8_t flags, void *data)
{
    struct exchange *x = exchange_of(h2, frame->hd.stream_id);
    (void)flags;
    (void)data;
    if (!x || frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0; /* trailers of requests are dropped */
    return take_field(x, (struct bytes){(const char *)name, n_name},
                      (struct bytes){(const char *)value, n_value})
               ? 0
               : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_invalid_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
                             size_t n_name, const uint8_t *value, size_t n_value, uint8_t flags,
                             void *data)
{
    (void)h2;
    (void)frame;
    (void)name;
    (void)n_name;
    (void)value;
    (void)n_value;
    (void)flags;
    (void)data;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *data)
{
    struct exchange *x;
    bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    (void)data;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    x = exchange_of(h2, frame->hd.stream_id);
    if (!x)
        return 0;
    if (end)
        x->up_end = true;
    if (frame->hd.type == NGHTTP2_HEADERS && !x->judged) {
        x->no_body = end;
        judge_exchange(x);
    }
    return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t stream, const uint8_t *p, size_t n,
                   void *data)
{
    struct exchange *x = exchange_of(h2, stream);
    (void)flags;
    (void)data;
    if (!x)
        return nghttp2_session_consume(h2, stream, n) == NGHTTP2_ERR_NOMEM
                   ? NGHTTP2_ERR_CALLBACK_FAILURE
                   : 0;
    x->up_unacked += n;
    if (x->server || x->needs_server)
        return queue_put(&x->up, p, n) ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
    return 0;
}

static int on_close(nghttp2_session *h2, int32_t stream, uint32_t code, void *data)
{
    struct exchange *x = exchange_of(h2, stream);
    (void)code;
    (void)data;
    if (x) {
        (void)nghttp2_session_consume_connection(h2, x->up_unacked);
        exchange_free(x);
    }
    return 0;
}

/* ---- what goes ---- */

static ssize_t give_body(nghttp2_session *h2, int32_t stream, uint8_t *to, size_t most,
                         uint32_t *flags, nghttp2_data_source *source, void *data)
{
    struct exchange *x = exchange_of(h2, stream);
    (void)source;
    (void)data;
    if (!x)
        return NGHTTP2_ERR_DEFERRED;
    size_t n = MIN_OF(exchange_down_n(x), most);
    if (n) {
        memcpy(to, queue_bytes(&x->down).p, n);
        queue_take(&x->down, n);
    }
    if (exchange_down_n(x) > 0 || (n && !x->down_end))
        return (ssize_t)n;
    if (x->broken && n == 0)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (x->down_end && !x->broken) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        x->end_sent = true;
        if (x->trailers.v.n) {
            struct nv_list trailers = {.n = 0};
            nv_add_fields(&trailers, x->session, &x->trailers);
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            (void)nghttp2_submit_trailer(h2, stream, trailers.v, trailers.n);
        }
        return (ssize_t)n;
    }
    x->down_deferred = n == 0;
    return n ? (ssize_t)n : NGHTTP2_ERR_DEFERRED;
}

static void submit_info(struct session *s, struct exchange *x)
{
    struct nv_list l = {.n = 0};
    char status[16];
    (void)snprintf(status, sizeof(status), "%u", x->info_status);
    nv_add(&l, ":status", status, strlen(status));
    nv_add_fields(&l, s, &x->info);
    (void)nghttp2_submit_headers(s->h2, NGHTTP2_FLAG_NONE, x->stream, NULL, l.v, l.n, NULL);
    fields_release(&x->info);
    x->info_status = 0;
}

static void submit_head(struct session *s, struct exchange *x)
{
    struct nv_list l = {.n = 0};
    char status[16], length[24];
    nghttp2_data_provider body = {.read_callback = give_body};
    bool none = x->response_no_body;
    (void)snprintf(status, sizeof(status), "%u", x->status);
    nv_add(&l, ":status", status, strlen(status));
    nv_add_fields(&l, s, &x->response);
    if (x->response_has_length)
        nv_add_length(&l, x->response_length, length);
    x->head_sent = true;
    x->end_sent = none;
    (void)nghttp2_submit_response(s->h2, x->stream, l.v, l.n, none ? NULL : &body);
}

static bool step_exchange(struct session *s, struct exchange *x)
{
    bool moved = h2_credit(s->h2, x->stream, &x->up_unacked, queue_n(&x->up));
    if (x->info_status && !x->head_sent) {
        submit_info(s, x);
        moved = true;
    }
    if (x->status && !x->head_sent) {
        submit_head(s, x);
        moved = true;
    }
    if (x->down_deferred && (exchange_down_n(x) || x->down_end)) {
        x->down_deferred = false;
        (void)nghttp2_session_resume_data(s->h2, x->stream);
        moved = true;
    }
    return moved;
}

/* What is answered in full while the request still comes: nobody wants the rest. */
static void stop_requests(struct session *s)
{
    for (struct exchange *x = s->exchanges; x; x = x->next)
        if (x->end_sent && !x->up_end && !x->up_cut) {
            x->up_cut = true;
            (void)nghttp2_submit_rst_stream(s->h2, NGHTTP2_FLAG_NONE, x->stream, NGHTTP2_NO_ERROR);
        }
}

bool client_h2_step(struct session *s)
{
    bool moved = false;
    int r = h2_feed(s->h2, &s->client, &moved);
    for (struct exchange *x = s->exchanges; r == 0 && x; x = x->next)
        moved = step_exchange(s, x) || moved;
    if (r == 0)
        r = h2_drain(s->h2, &s->client, &moved);
    if (r == 0)
        stop_requests(s);
    bool over = !nghttp2_session_want_read(s->h2) && !nghttp2_session_want_write(s->h2) &&
                queue_n(&s->client.out) == 0;
    bool gone = (s->client.in_end || s->client.in_cut) && queue_n(&s->client.in) == 0;
    if (r < 0 || over || gone) {
        (void)link_step(&s->client);
        session_end(s);
        return false;
    }
    return moved;
}

bool client_h2_open(struct session *s)
{
    nghttp2_session_callbacks *c = NULL;
    nghttp2_option *o = NULL;
    bool fine = nghttp2_session_callbacks_new(&c) == 0 && nghttp2_option_new(&o) == 0;
    if (fine) {
        nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(c, on_header);
        nghttp2_session_callbacks_set_on_invalid_header_callback(c, on_invalid_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
        nghttp2_session_callbacks_set_on_stream_close_callback(c, on_close);
        nghttp2_option_set_no_auto_window_update(o, 1);
        fine = nghttp2_session_server_new2(&s->h2, c, s, o) == 0 && h2_begin(s->h2, true);
    }
    nghttp2_session_callbacks_del(c);
    nghttp2_option_del(o);
    return fine;
}

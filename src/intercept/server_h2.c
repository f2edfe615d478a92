/* HTTP/2 with a server: as many requests at one time as it takes. */
#include "intercept/h2.h"

static struct exchange *exchange_of(nghttp2_session *h2, int32_t stream)
{
    return nghttp2_session_get_stream_user_data(h2, stream);
}

/* ---- requests ---- */

static ssize_t give_body(nghttp2_session *h2, int32_t stream, uint8_t *to, size_t most,
                         uint32_t *flags, nghttp2_data_source *source, void *data)
{
    struct exchange *x = exchange_of(h2, stream);
    (void)source;
    (void)data;
    if (!x)
        return NGHTTP2_ERR_DEFERRED; /* until the stream is reset */
    size_t n = MIN_OF(queue_n(&x->up), most);
    if (n) {
        memcpy(to, queue_bytes(&x->up).p, n);
        queue_take(&x->up, n);
        x->reached = true;
    }
    if (x->up_end && queue_n(&x->up) == 0) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        return (ssize_t)n;
    }
    x->up_deferred = n == 0;
    return n ? (ssize_t)n : NGHTTP2_ERR_DEFERRED;
}

bool server_h2_submit(struct server *v, struct exchange *x)
{
    struct nv_list l = {.n = 0};
    char length[24];
    nghttp2_data_provider body = {.read_callback = give_body};
    nv_add(&l, ":method", x->method, strlen(x->method));
    nv_add(&l, ":scheme", "https", 5);
    nv_add(&l, ":authority", x->authority.p, x->authority.n);
    nv_add(&l, ":path", x->path.p, x->path.n);
    nv_add_fields(&l, x->session, &x->request);
    if (x->trailers_wanted)
        nv_add(&l, "te", "trailers", 8);
    if (x->has_length)
        nv_add_length(&l, x->length, length);
    int32_t id = nghttp2_submit_request(v->h2, NULL, l.v, l.n, x->no_body ? NULL : &body, x);
    if (id < 0)
        return false;
    x->server_stream = id;
    x->submitted = true;
    x->up_deferred = false;
    x->down_unacked = 0;
    x->tries++;
    v->n_streams++;
    return true;
}

void server_h2_forget(struct server *v, struct exchange *x)
{
    (void)nghttp2_session_set_stream_user_data(v->h2, x->server_stream, NULL);
    (void)nghttp2_session_consume_connection(v->h2, x->down_unacked);
    x->down_unacked = 0;
    (void)nghttp2_submit_rst_stream(v->h2, NGHTTP2_FLAG_NONE, x->server_stream, NGHTTP2_CANCEL);
}

/* ---- responses ---- */

static bool is_head(const struct exchange *x)
{
    return x->status == 0;
}

static bool take_status(struct exchange *x, struct bytes value)
{
    uint64_t n;
    if (!h2_read_length(value, &n) || n < 100 || n > 599 || n == 101)
        return false;
    x->coming_status = (unsigned)n;
    return true;
}

static bool take_field(struct exchange *x, struct bytes name, struct bytes value)
{
    if (!is_head(x))
        return h2_is_hop(name) || fields_add(&x->trailers, name, value);
    if (bytes_is(name, ":status"))
        return take_status(x, value);
    if (bytes_is(name, "content-length")) {
        x->response_has_length = true;
        return h2_read_length(value, &x->response_length);
    }
    return h2_is_hop(name) || fields_add(&x->response, name, value);
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
                     size_t n_name, const uint8_t *value, size_t n_value, uint8_t flags, void *data)
{
    struct exchange *x = exchange_of(h2, frame->hd.stream_id);
    (void)flags;
    (void)data;
    if (!x || frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    return take_field(x, (struct bytes){(const char *)name, n_name},
                      (struct bytes){(const char *)value, n_value})
               ? 0
               : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* A 1xx: its fields were collected as a response's. */
static void take_info(struct exchange *x)
{
    if (!x->minor0 && (x->coming_status != 100 || fields_have(&x->request, "expect"))) {
        fields_release(&x->info);
        x->info = x->response;
        x->info_status = x->coming_status;
        x->response = (struct fields){0};
        fields_remove(&x->info, "x-proxy-error");
        exchange_hide(x, &x->info);
    }
    fields_release(&x->response);
    x->response_has_length = false;
}

static void take_head(struct exchange *x, bool end)
{
    unsigned status = x->coming_status;
    bool head = str_eq(x->method, "HEAD");
    if (status < 200) {
        take_info(x);
        return;
    }
    x->status = status;
    x->response_no_body = head || status == 204 || status == 304;
    if (x->response_no_body && status == 204)
        x->response_has_length = false;
    if (end && !x->response_no_body) {
        x->response_has_length = true;
        x->response_length = 0;
    }
    (void)exchange_head_came(x);
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *data)
{
    struct server *v = data;
    struct exchange *x;
    bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        v->done = true;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    x = exchange_of(h2, frame->hd.stream_id);
    if (!x)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && is_head(x))
        take_head(x, end);
    else if (frame->hd.type == NGHTTP2_HEADERS)
        exchange_hide(x, &x->trailers);
    if (end && x->server == v) {
        exchange_end_down(x);
        v->used = true;
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
    x->down_unacked += n;
    return exchange_put_down(x, (struct bytes){(const char *)p, n}) ? 0
                                                                    : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_close(nghttp2_session *h2, int32_t stream, uint32_t code, void *data)
{
    struct server *v = data;
    struct exchange *x = exchange_of(h2, stream);
    if (v->n_streams > 0)
        v->n_streams--;
    if (!x || x->server != v)
        return 0;
    (void)nghttp2_session_consume_connection(h2, x->down_unacked);
    x->down_unacked = 0;
    x->server = NULL;
    if (x->down_end)
        return 0;
    if (code == NGHTTP2_REFUSED_STREAM && exchange_can_repeat(x)) {
        x->submitted = false;
        x->needs_server = true;
    } else {
        exchange_fail(x, "upstream_failed", "the server reset the stream");
    }
    return 0;
}

/* ---- all of it ---- */

static bool step_exchange(struct server *v, struct exchange *x)
{
    bool moved = h2_credit(v->h2, x->server_stream, &x->down_unacked, queue_n(&x->down));
    if (x->up_deferred && (queue_n(&x->up) || x->up_end)) {
        x->up_deferred = false;
        (void)nghttp2_session_resume_data(v->h2, x->server_stream);
        moved = true;
    }
    return moved;
}

bool server_h2_step(struct server *v)
{
    bool moved = false;
    int r = h2_feed(v->h2, &v->link, &moved);
    for (struct exchange *x = v->session->exchanges; r == 0 && x; x = x->next)
        if (x->server == v)
            moved = step_exchange(v, x) || moved;
    if (r == 0)
        r = h2_drain(v->h2, &v->link, &moved);
    if (r < 0) {
        server_failed(v, nghttp2_strerror(r));
        return true;
    }
    if (queue_n(&v->link.in) == 0 && (v->link.in_end || v->link.in_cut)) {
        server_failed(v, "the server ended the connection without an answer");
        return true;
    }
    if (!nghttp2_session_want_read(v->h2) && !nghttp2_session_want_write(v->h2)) {
        if (v->n_streams > 0)
            server_failed(v, "the server does not keep to HTTP/2");
        v->done = true;
    }
    return moved;
}

bool server_h2_open(struct server *v)
{
    nghttp2_session_callbacks *c = NULL;
    nghttp2_option *o = NULL;
    bool fine = nghttp2_session_callbacks_new(&c) == 0 && nghttp2_option_new(&o) == 0;
    if (fine) {
        nghttp2_session_callbacks_set_on_header_callback(c, on_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
        nghttp2_session_callbacks_set_on_stream_close_callback(c, on_close);
        nghttp2_option_set_no_auto_window_update(o, 1);
        fine = nghttp2_session_client_new2(&v->h2, c, v, o) == 0 && h2_begin(v->h2, false);
    }
    nghttp2_session_callbacks_del(c);
    nghttp2_option_del(o);
    return fine;
}

/* See h2.h. */
#include "intercept/h2.h"

static const char *const hop[] = {
    "connection",     "keep-alive",         "proxy-connection",    "transfer-encoding", "upgrade",
    "http2-settings", "proxy-authenticate", "proxy-authorization", "trailer",           "te"};

bool h2_is_hop(struct bytes name)
{
    for (size_t i = 0; i < ARRAY_LEN(hop); i++)
        if (bytes_eq_case(name, bytes_of(hop[i])))
            return true;
    return false;
}

static void push(struct nv_list *l, struct bytes name, struct bytes value, uint8_t flags)
{
    if (l->n < NV_MOST)
        l->v[l->n++] = (nghttp2_nv){(uint8_t *)(uintptr_t)name.p, (uint8_t *)(uintptr_t)value.p,
                                    name.n, value.n, flags};
}

void nv_add(struct nv_list *l, const char *name, const char *value, size_t n)
{
    push(l, bytes_of(name), (struct bytes){value, n}, NGHTTP2_NV_FLAG_NONE);
}

void nv_add_length(struct nv_list *l, uint64_t n, char buf[24])
{
    (void)snprintf(buf, 24, "%llu", (unsigned long long)n);
    nv_add(l, "content-length", buf, strlen(buf));
}

static void lower(struct fields *f, size_t i)
{
    char *p = f->text.p + f->v.v[i].name;
    for (size_t k = 0; k < f->v.v[i].n_name; k++)
        if (p[k] >= 'A' && p[k] <= 'Z')
            p[k] = (char)(p[k] - 'A' + 'a');
}

void nv_add_fields(struct nv_list *l, const struct session *s, struct fields *f)
{
    for (size_t i = 0; i < f->v.n; i++) {
        lower(f, i);
        struct http_field field = fields_get(f, i);
        uint8_t flags = NGHTTP2_NV_FLAG_NONE;
        if (!field.name.n || h2_is_hop(field.name))
            continue;
        for (size_t k = 0; k < s->n_secrets; k++)
            if (bytes_is(field.name, s->credentials[k]->header))
                flags = NGHTTP2_NV_FLAG_NO_INDEX;
        push(l, field.name, field.value, flags);
    }
}

bool h2_read_length(struct bytes value, uint64_t *ret)
{
    uint64_t n = 0;
    if (value.n == 0 || value.n > 18)
        return false;
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] < '0' || value.p[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(value.p[i] - '0');
    }
    *ret = n;
    return true;
}

int h2_feed(nghttp2_session *h2, struct link *l, bool *moved)
{
    struct bytes in = queue_bytes(&l->in);
    if (in.n == 0)
        return 0;
    ssize_t n = nghttp2_session_mem_recv(h2, (const uint8_t *)in.p, in.n);
    if (n < 0)
        return (int)n;
    queue_take(&l->in, (size_t)n);
    *moved = true;
    return 0;
}

int h2_drain(nghttp2_session *h2, struct link *l, bool *moved)
{
    while (link_out_room(l) > 0) {
        const uint8_t *p;
        ssize_t n = nghttp2_session_mem_send(h2, &p);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return 0;
        if (!queue_put(&l->out, p, (size_t)n))
            return NGHTTP2_ERR_NOMEM;
        *moved = true;
    }
    return 0;
}

bool h2_begin(nghttp2_session *h2, bool server)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, QUEUE_MOST},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, LIMIT_HEAD},
        {server ? NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS : NGHTTP2_SETTINGS_ENABLE_PUSH,
         server ? STREAMS_MOST : 0},
    };
    return nghttp2_submit_settings(h2, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings)) == 0 &&
           nghttp2_session_set_local_window_size(h2, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW) == 0;
}

bool h2_credit(nghttp2_session *h2, int32_t stream, size_t *unacked, size_t waiting)
{
    if (*unacked <= waiting)
        return false;
    size_t n = *unacked - waiting;
    (void)nghttp2_session_consume(h2, stream, n);
    *unacked = waiting;
    return true;
}

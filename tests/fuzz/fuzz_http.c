/*
 * Bytes as a request, as a response and as a body. What must hold: a head is read the same whatever
 * comes behind it and not at all from less of it; everything points into it and has no line end; a
 * body comes out the same in whatever pieces it came, and again when it is framed anew.
 */
#include "proxy/http_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool that)
{
    if (!that)
        abort();
}

/* ---- heads ---- */

static void check_view(struct bytes text, struct bytes b)
{
    must(b.n == 0 || (b.p >= text.p && b.p + b.n <= text.p + text.n));
    for (size_t i = 0; i < b.n; i++)
        must(b.p[i] != '\0' && b.p[i] != '\r' && b.p[i] != '\n');
}

static void check_head(struct bytes text, const struct http_head *h)
{
    text.n = h->n;
    must(h->n <= LIMIT_HEAD && h->n_fields <= LIMIT_FIELDS && h->minor <= 1);
    must(!(h->has_length && h->chunked));
    for (size_t i = 0; i < h->n_fields; i++) {
        check_view(text, h->fields[i].name);
        check_view(text, h->fields[i].value);
        must(h->fields[i].name.n > 0);
        (void)http_field_is_hop(h, i);
    }
    check_view(text, h->upgrade_to);
    check_view(text, h->reason);
    check_view(text, h->host);
}

static void check_target(struct bytes text, const struct http_head *h)
{
    struct host host, other;
    uint16_t port, other_port;
    check_view(text, h->method);
    check_view(text, h->target);
    must(h->method.n > 0 && h->target.n > 0 && (h->host.p || h->minor == 0));
    for (size_t i = 0; i < h->target.n; i++)
        must((unsigned char)h->target.p[i] > 0x20 && (unsigned char)h->target.p[i] < 0x7f);
    if (h->form != TARGET_ABSOLUTE && h->form != TARGET_AUTHORITY)
        return;
    must(host_parse_port(h->authority, 80, &host, &port) == HOST_FINE);
    if (h->host.p) {
        must(host_parse_port(h->host, 80, &other, &other_port) == HOST_FINE);
        must(str_eq(host.name, other.name));
    }
}

typedef enum http_problem parse_fn(struct bytes text, struct http_head *ret);

/* The same from the head alone; nothing from all that is shorter; never a message from the
 * beginning of what is none. */
static bool check_parse(parse_fn *parse, struct bytes text, struct http_head *h, size_t cut)
{
    static struct http_head again;
    enum http_problem p = parse(text, h);
    (void)http_problem_text(p);
    (void)http_problem_status(p);
    cut = text.n ? cut % text.n : 0;
    enum http_problem before = parse((struct bytes){text.p, cut}, &again);
    if (p != HTTP_FINE) {
        must(before != HTTP_FINE);
        must(p != HTTP_MORE || before == HTTP_MORE);
        return false;
    }
    must(before == (cut < h->n ? HTTP_MORE : HTTP_FINE));
    must(parse((struct bytes){text.p, h->n}, &again) == HTTP_FINE && again.n == h->n);
    must(parse((struct bytes){text.p, h->n - 1}, &again) == HTTP_MORE);
    check_head(text, h);
    return true;
}

/* ---- bodies ---- */

struct whole {
    struct strbuf data;
    size_t used;
    bool done;
    int r;
};

/* All of TEXT, at most STEP bytes at a time. */
static void feed(enum http_framing framing, uint64_t length, struct bytes text, size_t step,
                 struct whole *ret)
{
    struct body b;
    body_begin(&b, framing, length);
    while (ret->r == 0 && ret->used < text.n && !body_done(&b)) {
        struct bytes part = {text.p + ret->used, MIN_OF(step, text.n - ret->used)}, data;
        size_t used;
        ret->r = body_take(&b, part, &data, &used);
        if (ret->r < 0)
            break;
        must(used > 0 && used <= part.n && data.n <= used);
        if (data.n > 0)
            must(data.p >= part.p && data.p + data.n == part.p + used);
        strbuf_put(&ret->data, data.p ? data.p : "", data.n);
        ret->used += used;
    }
    ret->done = body_done(&b);
    must(body_end(&b) == 0 || !ret->done);
}

static void check_body(enum http_framing framing, uint64_t length, struct bytes text, size_t step)
{
    struct whole one = {0}, many = {0}, again = {0};
    _cleanup_strbuf_ struct strbuf framed = {0};
    feed(framing, length, text, text.n + 1, &one);
    feed(framing, length, text, step, &many);
    must(one.r == many.r && one.done == many.done && one.data.n == many.data.n);
    must(one.r < 0 || one.used == many.used);
    must(one.data.n == 0 || memcmp(one.data.p, many.data.p, one.data.n) == 0);
    for (size_t at = 0; at < one.data.n;) {
        char line[BODY_CHUNK_LINE_MAX];
        size_t n = MIN_OF(step * 3, one.data.n - at);
        strbuf_put(&framed, line, body_chunk_line(n, line));
        strbuf_put(&framed, one.data.p + at, n);
        strbuf_puts(&framed, "\r\n");
        at += n;
    }
    strbuf_puts(&framed, "0\r\n\r\n");
    feed(FRAME_CHUNKED, 0, (struct bytes){framed.p, framed.n}, step + 1, &again);
    must(again.r == 0 && again.done && again.used == framed.n && again.data.n == one.data.n);
    must(one.data.n == 0 || memcmp(one.data.p, again.data.p, one.data.n) == 0);
    strbuf_release(&one.data);
    strbuf_release(&many.data);
    strbuf_release(&again.data);
}

/* The first byte says how it is cut; a body alone begins with '#'. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_head h;
    if (size < 2)
        return 0;
    size_t cut = data[0];
    struct bytes text = {(const char *)data + 1, size - 1};
    if (text.p[0] == '#') {
        check_body(FRAME_CHUNKED, 0, (struct bytes){text.p + 1, text.n - 1}, 1 + cut % 8);
        return 0;
    }
    if (check_parse(http_request_parse, text, &h, cut * 7)) {
        check_target(text, &h);
        check_body(h.framing, h.length, (struct bytes){text.p + h.n, text.n - h.n}, 1 + cut % 8);
    }
    if (check_parse(http_response_parse, text, &h, cut * 7)) {
        must(h.status >= 100 && h.status <= 599);
        http_response_framing(&h, cut & 1 ? BYTES("GET") : BYTES("HEAD"));
        check_body(h.framing, h.length, (struct bytes){text.p + h.n, text.n - h.n}, 1 + cut % 8);
    }
    return 0;
}

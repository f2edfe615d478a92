/*
 * What leaves for a collector and what comes back. 'r', then a byte that says how: a collector's
 * answer. Anything else: packed signals, each behind its length in two bytes, which go out both as
 * protobuf and as JSON; the JSON must be readable, UTF-8 throughout, and the same the second time.
 */
#include "base/json_read.h"
#include "base/pack.h"
#include "exporter/otlp.h"

#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void answer(uint8_t how, struct bytes body)
{
    struct arena a = {0};
    struct otlp_answer said;
    otlp_read_answer(&a, (enum signal_kind)(how % SIGNAL_KINDS), how & 16, how & 32, body, &said);
    if (!said.message || strlen(said.message) > 300)
        abort();
    for (const char *p = said.message; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            abort();
    arena_release(&a);
}

static void well_formed(struct bytes text)
{
    uint32_t c;
    for (size_t i = 0, n; i < text.n; i += n)
        if ((n = utf8_decode((const unsigned char *)text.p + i, text.n - i, &c)) == 0)
            abort();
}

static void look(const struct json_value *v)
{
    if (v->type == JSON_STRING)
        well_formed(v->text);
    for (size_t i = 0; i < v->n; i++) {
        if (v->names)
            well_formed(v->names[i]);
        look(&v->items[i]);
    }
}

static int encode(enum export_protocol protocol, const struct otlp_batch *b, struct strbuf *out)
{
    struct strbuf again = {0};
    int r = otlp_encode(protocol, b, out);
    if ((r != 0 && r != -E2BIG) || otlp_encode(protocol, b, &again) != r || again.n != out->n ||
        (out->n && memcmp(again.p, out->p, out->n) != 0))
        abort();
    strbuf_release(&again);
    return r;
}

static void encode_all(const struct otlp_batch *b)
{
    struct arena a = {0};
    struct strbuf protobuf = {0}, json = {0};
    const struct json_value *root;
    (void)encode(EXPORT_GRPC, b, &protobuf);
    if (encode(EXPORT_HTTP_JSON, b, &json) == 0) {
        if (json_parse(&a, NULL, (struct bytes){json.p, json.n}, &root, NULL) < 0)
            abort();
        look(root);
    }
    strbuf_release(&protobuf);
    strbuf_release(&json);
    arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct unpack u = {.left = {(const char *)data, size}};
    if (size >= 2 && data[0] == 'r') {
        answer(data[1], (struct bytes){(const char *)data + 2, size - 2});
        return 0;
    }
    static struct signal v[OTLP_BATCH];
    struct arena a = {0};
    struct otlp_batch b = {.v = v, .observed_ns = size};
    while (b.n < OTLP_BATCH && u.left.n && !u.bad) {
        size_t n = unpack_u16(&u);
        struct bytes packed = {u.left.p, MIN_OF(n, u.left.n)};
        u.left.p += packed.n;
        u.left.n -= packed.n;
        if (signal_unpack(&a, packed, &v[b.n]) < 0 || (b.n && v[b.n].kind != b.kind))
            continue;
        b.kind = v[b.n++].kind;
    }
    encode_all(&b);
    arena_release(&a);
    return 0;
}

/*
 * What a collector said, read from at most OTLP_ANSWER_MAX bytes of whatever it sent. Nothing here
 * fails: an answer that cannot be read says nothing.
 */
#include "base/json_read.h"
#include "exporter/otlp.h"
#include "otlp.pb-c.h"

#define MESSAGE_BYTES 301u /* with its terminator */

static const char *const rejected_words[SIGNAL_KINDS] = {
    [SIGNAL_LOG] = "rejectedLogRecords",
    [SIGNAL_SPAN] = "rejectedSpans",
    [SIGNAL_METRIC] = "rejectedDataPoints",
};

static void set_message(struct arena *a, struct bytes text, struct otlp_answer *ret)
{
    char *line = text.n ? arena_alloc(a, MESSAGE_BYTES) : NULL;
    if (line)
        ret->message = printable(line, MESSAGE_BYTES, text.p, text.n);
}

/* ---- JSON ---- */

static struct bytes json_text(const struct json_value *v, const char *name)
{
    const struct json_value *text = json_get(v, name);
    return text && text->type == JSON_STRING ? text->text : (struct bytes){0};
}

/* A 64-bit number may be a number or a string of digits. */
static uint64_t json_count(const struct json_value *v)
{
    uint64_t n = 0;
    if (!v || (v->type != JSON_NUMBER && v->type != JSON_STRING))
        return 0;
    if (v->type == JSON_NUMBER)
        return v->is_int && v->integer > 0 ? (uint64_t)v->integer : 0;
    for (size_t i = 0; i < v->text.n; i++) {
        char c = v->text.p[i];
        if (c < '0' || c > '9' || __builtin_mul_overflow(n, 10u, &n) ||
            __builtin_add_overflow(n, (uint64_t)(c - '0'), &n))
            return 0;
    }
    return n;
}

static void read_json(struct arena *a, enum signal_kind kind, bool success, struct bytes body,
                      struct otlp_answer *ret)
{
    _cleanup_arena_ struct arena mine = {0};
    const struct json_value *v;
    if (json_parse(&mine, NULL, body, &v, NULL) < 0)
        return;
    if (success) {
        v = json_get(v, "partialSuccess");
        ret->rejected = json_count(json_get(v, rejected_words[kind]));
    }
    set_message(a, json_text(v, success ? "errorMessage" : "message"), ret);
}

/* ---- protobuf ---- */

static void *take(void *a, size_t n)
{
    return arena_alloc(a, n);
}

/* The arena goes as a whole. */
static void give_back(void *a, void *p)
{
    (void)a;
    (void)p;
}

static struct bytes text_of(const ProtobufCBinaryData *d)
{
    return (struct bytes){(const char *)d->data, d->len};
}

static void read_protobuf(struct arena *a, bool success, struct bytes body, struct otlp_answer *ret)
{
    _cleanup_arena_ struct arena mine = {0};
    ProtobufCAllocator allocator = {.alloc = take, .free = give_back, .allocator_data = &mine};
    const uint8_t *p = (const uint8_t *)body.p;
    if (!success) {
        const Otlp__RpcStatus *s = otlp__rpc_status__unpack(&allocator, body.n, p);
        if (s && s->has_message)
            set_message(a, text_of(&s->message), ret);
        return;
    }
    const Otlp__ExportServiceResponse *r =
        otlp__export_service_response__unpack(&allocator, body.n, p);
    const Otlp__PartialSuccess *partial = r ? r->partial_success : NULL;
    if (partial && partial->has_rejected && partial->rejected > 0)
        ret->rejected = (uint64_t)partial->rejected;
    if (partial && partial->has_error_message)
        set_message(a, text_of(&partial->error_message), ret);
}

void otlp_read_answer(struct arena *a, enum signal_kind kind, bool success, bool json,
                      struct bytes body, struct otlp_answer *ret)
{
    *ret = (struct otlp_answer){.message = ""};
    body.n = MIN_OF(body.n, (size_t)OTLP_ANSWER_MAX);
    if (body.n == 0)
        return;
    if (json)
        read_json(a, kind, success, body, ret);
    else
        read_protobuf(a, success, body, ret);
}

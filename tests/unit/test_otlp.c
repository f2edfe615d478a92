/*
 * Signals as OTLP. The protobuf form is read back by a reader of its own, by path; the JSON form by
 * base/json_read.h. With `--write DIR` the samples are written there instead, for a reader that is
 * nobody's here (tests/telemetry/receiver/check).
 */
#include "base/json_read.h"
#include "otlp_samples.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* ---- a reader of protobuf ---- */

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

struct field {
    unsigned number, type;
    uint64_t value;      /* VARINT, FIXED64, FIXED32 */
    struct bytes inside; /* BYTES */
};

static uint64_t varint(struct bytes *left)
{
    uint64_t v = 0;
    for (unsigned shift = 0;; shift += 7) {
        assert_true(left->n > 0 && shift < 64);
        unsigned char c = (unsigned char)*left->p++;
        left->n--;
        v |= (uint64_t)(c & 127) << shift;
        if (c < 128)
            return v;
    }
}

static bool next(struct bytes *left, struct field *f)
{
    if (left->n == 0)
        return false;
    uint64_t key = varint(left);
    *f = (struct field){.number = (unsigned)(key >> 3), .type = key & 7};
    size_t n = f->type == FIXED64 ? 8 : f->type == FIXED32 ? 4 : 0;
    if (f->type == VARINT) {
        f->value = varint(left);
    } else if (f->type == BYTES) {
        n = varint(left);
        assert_true(n <= left->n);
        f->inside = (struct bytes){left->p, n};
    } else {
        assert_true((f->type == FIXED64 || f->type == FIXED32) && n <= left->n);
        for (size_t i = 0; i < n; i++)
            f->value |= (uint64_t)(unsigned char)left->p[i] << 8 * i;
    }
    left->p += n;
    left->n -= n;
    return true;
}

/* PATH: "1.2#1.12", field numbers, with which of them where it is not the first. */
static bool find(struct bytes message, const char *path, struct field *ret)
{
    for (;;) {
        char *end;
        unsigned number = (unsigned)strtoul(path, &end, 10), skip = 0;
        if (*end == '#')
            skip = (unsigned)strtoul(end + 1, &end, 10);
        bool found = false;
        while (!found && next(&message, ret))
            found = ret->number == number && skip-- == 0;
        if (!found || !*end)
            return found;
        assert_int_equal(*end, '.');
        assert_int_equal(ret->type, BYTES);
        message = ret->inside;
        path = end + 1;
    }
}

struct expected {
    const char *path;
    unsigned type;
    uint64_t value;
    const char *text;
    size_t n;
};
#define IS(path, type, value)                                                                      \
    {                                                                                              \
        (path), (type), (value), NULL, 0                                                           \
    }
#define SAYS(path, text)                                                                           \
    {                                                                                              \
        (path), BYTES, 0, (text), sizeof(text) - 1                                                 \
    }
#define ABSENT(path)                                                                               \
    {                                                                                              \
        (path), BYTES, 0, NULL, 0                                                                  \
    }

static uint64_t bits(double v)
{
    uint64_t b;
    memcpy(&b, &v, sizeof(b));
    return b;
}

static void check(struct bytes message, const struct expected *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct expected *e = &list[i];
        struct field f;
        bool absent = e->type == BYTES && !e->text;
        if (find(message, e->path, &f) == absent)
            fail_msg("%s is %s", e->path, absent ? "there" : "missing");
        if (absent)
            continue;
        if (f.type != e->type || (f.type != BYTES && f.value != e->value))
            fail_msg("%s: type %u, %" PRIu64, e->path, f.type, f.value);
        if (f.type == BYTES && !bytes_eq(f.inside, (struct bytes){e->text, e->n}))
            fail_msg("%s: %s", e->path, show_n(f.inside.p, f.inside.n));
    }
}

static struct bytes encode(enum export_protocol protocol, const struct otlp_batch *b,
                           struct strbuf *out)
{
    assert_int_equal(otlp_encode(protocol, b, out), 0);
    return (struct bytes){out->p, out->n};
}

/* ---- what is in a request ---- */

#define FFFD   "\xef\xbf\xbd"
#define RECORD "1.2.2"

static void test_logs(void **state)
{
    (void)state;
    static const struct expected list[] = {
        SAYS("1.1.1.1", "service.name"),
        SAYS("1.1.1.2.1", "bawn"),
        SAYS("1.1.1#1.2.1", "h" FFFD FFFD "ost"),
        SAYS("1.2.1.1", "bawn"),
        SAYS("1.2.1.2", BAWN_VERSION),
        IS(RECORD ".1", FIXED64, SAMPLE_TIME),
        IS(RECORD ".2", VARINT, 13),
        SAYS(RECORD ".3", "WARN"),
        ABSENT(RECORD ".5"),
        IS(RECORD ".8", FIXED32, 1),
        SAYS(RECORD ".9", "\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c"),
        SAYS(RECORD ".10", "\xb7\xad\x6b\x71\x69\x20\x33\x31"),
        IS(RECORD ".11", FIXED64, SAMPLE_OBSERVED),
        SAYS(RECORD ".12", "bawn.sandbox_outcome"),
        SAYS(RECORD ".6.1", "text"),
        SAYS(RECORD ".6.2.1", "na\xc3\xafve \xf0\x9f\x98\x80"),
        SAYS(RECORD ".6#1.2.1", ""),
        SAYS(RECORD ".6#2.2.1", "a\0b\"\\\n\t\x1b[31m\xe2\x80\xae/"),
        SAYS(RECORD ".6#3.2.1", FFFD "a" FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD),
        SAYS(RECORD ".6#4.1", "k" FFFD "y"),
        IS(RECORD ".6#5.2.3", VARINT, 0),
        IS(RECORD ".6#6.2.3", VARINT, (uint64_t)INT64_MIN),
        IS(RECORD ".6#7.2.3", VARINT, INT64_MAX),
        IS(RECORD ".6#8.2.4", FIXED64, 0x3fb999999999999a),
        IS(RECORD ".6#9.2.4", FIXED64, 1),
        IS(RECORD ".6#11.2.4", FIXED64, 0),
        IS(RECORD ".6#12.2.2", VARINT, 1),
        IS(RECORD ".6#13.2.2", VARINT, 0),
        ABSENT(RECORD ".6#14"),
        IS("1.2.2#1.1", FIXED64, SAMPLE_TIME + 1),
        IS("1.2.2#1.2", VARINT, 9),
        SAYS("1.2.2#1.3", "INFO"),
        ABSENT("1.2.2#1.6"),
        ABSENT("1.2.2#1.8"),
        ABSENT("1.2.2#1.9"),
        ABSENT("1.2.2#1.10"),
        ABSENT("1.2.2#2"),
        SAYS("1#1.1", ""),
        SAYS("1#1.2.2.12", "bawn.third"),
        SAYS("1#2.1.1.2.1", "bawn"),
        SAYS("1#2.2.2.12", "bawn." FFFD),
        IS("1#2.2.2.1", FIXED64, INT64_MAX),
        ABSENT("1#3"),
    };
    _cleanup_strbuf_ struct strbuf out = {0}, again = {0};
    struct bytes b = encode(EXPORT_HTTP_PROTOBUF, &samples[SIGNAL_LOG], &out);
    check(b, list, ARRAY_LEN(list));
    assert_true(bytes_eq(b, encode(EXPORT_GRPC, &samples[SIGNAL_LOG], &again)));
}

static void test_spans(void **state)
{
    (void)state;
    static const struct expected list[] = {
        SAYS("1.2.2.1", "\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c"),
        SAYS("1.2.2.2", "\xb7\xad\x6b\x71\x69\x20\x33\x31"),
        ABSENT("1.2.2.3"),
        ABSENT("1.2.2.4"),
        SAYS("1.2.2.5", "bawn run"),
        IS("1.2.2.6", VARINT, 1),
        IS("1.2.2.7", FIXED64, SAMPLE_TIME),
        IS("1.2.2.8", FIXED64, SAMPLE_TIME + 1000),
        ABSENT("1.2.2.9"),
        ABSENT("1.2.2.15"),
        IS("1.2.2.16", FIXED32, 1),
        SAYS("1.2.2#1.2", "\0\0\0\0\0\0\0\2"),
        SAYS("1.2.2#1.3", "a=1,b=2"),
        SAYS("1.2.2#1.4", "\xb7\xad\x6b\x71\x69\x20\x33\x31"),
        IS("1.2.2#1.6", VARINT, 3),
        SAYS("1.2.2#1.9.2.1", "denied"),
        IS("1.2.2#1.9#1.2.3", VARINT, 1),
        IS("1.2.2#1.15.3", VARINT, 2),
        ABSENT("1.2.2#1.15.2"),
        ABSENT("1.2.2#1.16"),
        SAYS("1#1.1.1.2.1", "other"),
        IS("1#1.2.2.15.3", VARINT, 1),
        IS("1#1.2.2.16", FIXED32, 255),
        ABSENT("1#1.2.2.7"),
        ABSENT("1#2"),
    };
    _cleanup_strbuf_ struct strbuf out = {0};
    check(encode(EXPORT_GRPC, &samples[SIGNAL_SPAN], &out), list, ARRAY_LEN(list));
}

/* Points of one resource, name and set of attributes are one, wherever they stood. */
static void test_metrics(void **state)
{
    (void)state;
    const struct expected list[] = {
        SAYS("1.1.1#1.1", "host.name"),
        SAYS("1.2.2.1", "bawn.commands"),
        SAYS("1.2.2.3", "{command}"),
        IS("1.2.2.7.2", VARINT, 1),
        IS("1.2.2.7.3", VARINT, 1),
        ABSENT("1.2.2.9"),
        IS("1.2.2.7.1.2", FIXED64, SAMPLE_TIME + 2),
        IS("1.2.2.7.1.3", FIXED64, SAMPLE_TIME + 5),
        IS("1.2.2.7.1.6", FIXED64, 42),
        SAYS("1.2.2.7.1.7.2.1", "ok"),
        IS("1.2.2.7.1#1.6", FIXED64, 0),
        SAYS("1.2.2.7.1#1.7.2.1", "denied"),
        ABSENT("1.2.2.7.1#2"),
        SAYS("1.2.2#1.1", "bawn.time"),
        ABSENT("1.2.2#1.7"),
        IS("1.2.2#1.9.2", VARINT, 1),
        IS("1.2.2#1.9.1.2", FIXED64, SAMPLE_TIME),
        IS("1.2.2#1.9.1.3", FIXED64, SAMPLE_TIME + 9),
        IS("1.2.2#1.9.1.4", FIXED64, 6),
        IS("1.2.2#1.9.1.5", FIXED64, bits(0.1 + 0.0 + 0.100001 + 60000 + 60000.5 + 7)),
        ABSENT("1.2.2#1.9.1.9"),
        IS("1.2.2#1.9.1.11", FIXED64, bits(0.0)),
        IS("1.2.2#1.9.1.12", FIXED64, bits(60000.5)),
        ABSENT("1.2.2#1.9.1#1"),
        IS("1.2.2#2.9.1.5", FIXED64, bits(DBL_MAX)),
        IS("1.2.2#2.9.1.4", FIXED64, 2),
        ABSENT("1.2.2#3.9.1.5"),
        IS("1.2.2#3.9.1.11", FIXED64, bits(-2.5)),
        ABSENT("1.2.2#4"),
        SAYS("1#1.1.1.2.1", "other"),
        IS("1#1.2.2.7.1.6", FIXED64, 1),
        IS("1#1.2.2.7.1#1.6", FIXED64, INT64_MAX),
        ABSENT("1#1.2.2#1"),
        ABSENT("1#2"),
    };
    static const uint64_t counts[19] = {2, 1, [6] = 1, [17] = 1, [18] = 1};
    static const double bounds[18] = {0.1, 0.25, 0.5, 1,    2.5,  5,    10,    25,    50,
                                      100, 250,  500, 1000, 2500, 5000, 10000, 30000, 60000};
    _cleanup_strbuf_ struct strbuf out = {0};
    struct bytes b = encode(EXPORT_HTTP_PROTOBUF, &samples[SIGNAL_METRIC], &out);
    struct field f;
    check(b, list, ARRAY_LEN(list));
    assert_true(find(b, "1.2.2#1.9.1.6", &f));
    assert_true(bytes_eq(f.inside, (struct bytes){(const char *)counts, sizeof(counts)}));
    assert_true(find(b, "1.2.2#1.9.1.7", &f));
    assert_true(bytes_eq(f.inside, (struct bytes){(const char *)bounds, sizeof(bounds)}));
}

/* Nothing but what the published messages have: each message's fields, as wire types by number. */
static void check_fields(struct bytes message, const char *const *types, size_t n)
{
    struct field f;
    unsigned last = 0;
    while (next(&message, &f)) {
        assert_true(f.number < n && types[f.number] && f.number >= last);
        assert_int_equal(f.type, types[f.number][0] - '0');
        last = f.number;
    }
}

static void test_fields(void **state)
{
    (void)state;
    static const char *const record[13] = {[1] = "1", [2] = "0",  [3] = "2",  [6] = "2", [8] = "5",
                                           [9] = "2", [10] = "2", [11] = "1", [12] = "2"};
    static const char *const span[17] = {
        [1] = "2", [2] = "2", [3] = "2", [4] = "2",  [5] = "2", [6] = "0",
        [7] = "1", [8] = "1", [9] = "2", [15] = "2", [16] = "5"};
    _cleanup_strbuf_ struct strbuf logs = {0}, spans = {0};
    struct field f;
    assert_true(find(encode(EXPORT_GRPC, &samples[SIGNAL_LOG], &logs), "1.2.2", &f));
    check_fields(f.inside, record, ARRAY_LEN(record));
    assert_true(find(encode(EXPORT_GRPC, &samples[SIGNAL_SPAN], &spans), "1.2.2#1", &f));
    check_fields(f.inside, span, ARRAY_LEN(span));
}

/* ---- JSON ---- */

/* PATH: "resourceLogs.0.scopeLogs.0", "." between names and places. */
static const struct json_value *walk(const struct json_value *v, const char *path)
{
    while (v && *path) {
        char name[64];
        size_t n = strcspn(path, ".");
        assert_true(n < sizeof(name));
        memcpy(name, path, n);
        name[n] = '\0';
        path += n + (path[n] == '.');
        if (v->type == JSON_ARRAY) {
            size_t i = strtoul(name, NULL, 10);
            v = i < v->n ? &v->items[i] : NULL;
        } else {
            v = json_get(v, name);
        }
    }
    return v;
}

struct said {
    const char *path, *text; /* of a string or a number; NULL: it is absent */
    enum json_type type;
};

static void check_json(enum signal_kind kind, const struct said *list, size_t n)
{
    _cleanup_arena_ struct arena a = {0};
    _cleanup_strbuf_ struct strbuf out = {0};
    const struct json_value *root;
    struct bytes b = encode(EXPORT_HTTP_JSON, &samples[kind], &out);
    assert_int_equal(json_parse(&a, NULL, b, &root, NULL), 0);
    for (size_t i = 0; i < n; i++) {
        const struct json_value *v = walk(root, list[i].path);
        if ((v == NULL) != (list[i].text == NULL))
            fail_msg("%s is %s", list[i].path, v ? "there" : "missing");
        if (v && (v->type != list[i].type || !bytes_is(v->text, list[i].text)))
            fail_msg("%s: %s", list[i].path, show_n(v->text.p, v->text.n));
    }
}

#define LOG_AT "resourceLogs.0.scopeLogs.0.logRecords."

static void test_json_logs(void **state)
{
    (void)state;
    static const struct said list[] = {
        {LOG_AT "0.timeUnixNano", "1700000000123456789", JSON_STRING},
        {LOG_AT "0.observedTimeUnixNano", "1700000009000000001", JSON_STRING},
        {LOG_AT "0.severityNumber", "13", JSON_NUMBER},
        {LOG_AT "0.traceId", "0af7651916cd43dd8448eb211c80319c", JSON_STRING},
        {LOG_AT "0.spanId", "b7ad6b7169203331", JSON_STRING},
        {LOG_AT "0.attributes.4.key", "k" FFFD "y", JSON_STRING},
        {LOG_AT "0.attributes.5.value.intValue", "0", JSON_STRING},
        {LOG_AT "0.attributes.6.value.intValue", "-9223372036854775808", JSON_STRING},
        {LOG_AT "0.attributes.8.value.doubleValue", "0.1", JSON_NUMBER},
        {LOG_AT "0.attributes.9.value.doubleValue", "4.94065645841247e-324", JSON_NUMBER},
        {LOG_AT "1.traceId", NULL, JSON_NULL},
        {LOG_AT "1.flags", NULL, JSON_NULL},
        {LOG_AT "1.attributes", NULL, JSON_NULL},
        {"resourceLogs.2.scopeLogs.0.logRecords.0.eventName", "bawn." FFFD, JSON_STRING},
        {"resourceLogs.0.resource.attributes.1.value.stringValue", "h" FFFD FFFD "ost",
         JSON_STRING},
        {"resourceLogs.3", NULL, JSON_NULL},
    };
    check_json(SIGNAL_LOG, list, ARRAY_LEN(list));
}

#define SPAN_AT   "resourceSpans.0.scopeSpans.0.spans."
#define METRIC_AT "resourceMetrics.0.scopeMetrics.0.metrics."

static void test_json_others(void **state)
{
    (void)state;
    static const struct said spans[] = {
        {SPAN_AT "0.kind", "1", JSON_NUMBER},
        {SPAN_AT "0.parentSpanId", NULL, JSON_NULL},
        {SPAN_AT "0.status", NULL, JSON_NULL},
        {SPAN_AT "1.parentSpanId", "b7ad6b7169203331", JSON_STRING},
        {SPAN_AT "1.status.code", "2", JSON_NUMBER},
        {SPAN_AT "1.startTimeUnixNano", "1700000000123456799", JSON_STRING},
    };
    static const struct said metrics[] = {
        {METRIC_AT "0.sum.aggregationTemporality", "1", JSON_NUMBER},
        {METRIC_AT "0.sum.dataPoints.0.asInt", "42", JSON_STRING},
        {METRIC_AT "0.sum.dataPoints.1.asInt", "0", JSON_STRING},
        {METRIC_AT "1.histogram.dataPoints.0.count", "6", JSON_STRING},
        {METRIC_AT "1.histogram.dataPoints.0.bucketCounts.18", "1", JSON_STRING},
        {METRIC_AT "1.histogram.dataPoints.0.bucketCounts.19", NULL, JSON_NULL},
        {METRIC_AT "1.histogram.dataPoints.0.explicitBounds.17", "60000", JSON_NUMBER},
        {METRIC_AT "1.histogram.dataPoints.0.explicitBounds.18", NULL, JSON_NULL},
        {METRIC_AT "2.histogram.dataPoints.0.sum", "1.7976931348623157e+308", JSON_NUMBER},
        {METRIC_AT "3.histogram.dataPoints.0.sum", NULL, JSON_NULL},
    };
    check_json(SIGNAL_SPAN, spans, ARRAY_LEN(spans));
    check_json(SIGNAL_METRIC, metrics, ARRAY_LEN(metrics));
}

/* ---- bounds and failures ---- */

static void test_empty(void **state)
{
    (void)state;
    for (int kind = 0; kind < SIGNAL_KINDS; kind++) {
        _cleanup_strbuf_ struct strbuf pb = {0}, json = {0};
        struct otlp_batch none = {.kind = (enum signal_kind)kind};
        assert_int_equal(encode(EXPORT_HTTP_PROTOBUF, &none, &pb).n, 0);
        assert_int_equal(encode(EXPORT_HTTP_JSON, &none, &json).p[0], '{');
    }
}

/* Every byte of a request is a function of its signals: what is sent again is the same. */
static void test_again(void **state)
{
    (void)state;
    for (int kind = 0; kind < SIGNAL_KINDS; kind++)
        for (int protocol = EXPORT_HTTP_PROTOBUF; protocol <= EXPORT_GRPC; protocol++) {
            _cleanup_strbuf_ struct strbuf once = {0}, again = {0};
            struct bytes b = encode((enum export_protocol)protocol, &samples[kind], &once);
            strbuf_puts(&again, "before");
            (void)encode((enum export_protocol)protocol, &samples[kind], &again);
            assert_true(bytes_eq(b, (struct bytes){again.p + 6, again.n - 6}));
        }
}

static void test_no_memory(void **state)
{
    (void)state;
    for (int kind = 0; kind < SIGNAL_KINDS; kind++)
        for (int protocol = EXPORT_HTTP_PROTOBUF; protocol <= EXPORT_HTTP_JSON; protocol++) {
            int r = -ENOMEM;
            for (unsigned long n = 1; r < 0; n++) {
                _cleanup_strbuf_ struct strbuf out = {0};
                strbuf_puts(&out, "before");
                mem_fail_at(n);
                r = otlp_encode((enum export_protocol)protocol, &samples[kind], &out);
                mem_fail_at(0);
                assert_true(r == 0 || r == -ENOMEM);
                assert_true(n > 1 || r < 0);
                if (r < 0)
                    assert_string_equal(strbuf_text(&out), "before");
                assert_false(strbuf_failed(&out));
            }
        }
}

static void test_too_large(void **state)
{
    (void)state;
    static struct signal many[OTLP_BATCH];
    static char text[SIGNAL_MAX];
    memset(text, 'x', sizeof(text));
    struct attribute wide = {BYTES("k"), ATTRIBUTE_TEXT, {text, sizeof(text) - 512}, 0, 0};
    for (size_t i = 0; i < OTLP_BATCH; i++)
        many[i] = (struct signal){.kind = SIGNAL_LOG,
                                  .attributes = {&wide, 1},
                                  .log = {.severity = SEVERITY_INFO, .name = BYTES("n")}};
    for (int protocol = EXPORT_HTTP_PROTOBUF; protocol <= EXPORT_GRPC; protocol++) {
        _cleanup_strbuf_ struct strbuf out = {0};
        struct otlp_batch b = {SIGNAL_LOG, many, OTLP_BATCH, 0};
        assert_int_equal(otlp_encode((enum export_protocol)protocol, &b, &out), -E2BIG);
        assert_int_equal(out.n, 0);
        b.n = OTLP_BODY_MAX / SIGNAL_MAX; /* as many as fit */
        assert_int_equal(otlp_encode((enum export_protocol)protocol, &b, &out), 0);
        assert_true(out.n <= OTLP_BODY_MAX && out.n > OTLP_BODY_MAX / 2);
    }
}

/* The largest signal there is, all of it escapes, fits a request alone. */
static void test_widest(void **state)
{
    (void)state;
    static char text[SIGNAL_MAX - 256];
    static const char fill[] = {0, (char)0xff};
    for (size_t i = 0; i < ARRAY_LEN(fill); i++) {
        _cleanup_strbuf_ struct strbuf out = {0}, packed = {0};
        memset(text, fill[i], sizeof(text));
        struct attribute wide = {BYTES("k"), ATTRIBUTE_TEXT, {text, sizeof(text)}, 0, 0};
        struct signal s = {.kind = SIGNAL_LOG,
                           .attributes = {&wide, 1},
                           .log = {.severity = SEVERITY_INFO, .name = BYTES("n")}};
        assert_int_equal(signal_pack(&s, &packed), 0);
        (void)encode(EXPORT_HTTP_JSON, &(struct otlp_batch){SIGNAL_LOG, &s, 1, 0}, &out);
    }
}

/* ---- answers ---- */

#define ANSWER(text)                                                                               \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }

static void test_answers(void **state)
{
    (void)state;
    static const struct {
        enum signal_kind kind;
        bool success, json;
        struct bytes body;
        uint64_t rejected;
        const char *message;
    } list[] = {
        {SIGNAL_LOG, true, false, ANSWER(""), 0, ""},
        {SIGNAL_LOG, true, false, ANSWER("\x0a\0"), 0, ""},
        {SIGNAL_LOG, true, false, ANSWER("\x0a\x06\x08\x03\x12\x02no"), 3, "no"},
        {SIGNAL_SPAN, true, false, ANSWER("\x0a\x04\x12\x02hm"), 0, "hm"},
        {SIGNAL_LOG, true, false, ANSWER("\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), 0,
         ""},
        {SIGNAL_LOG, true, false, ANSWER("\x0a\x06\x08\x03\x12\x02n"), 0, ""},
        {SIGNAL_LOG, true, false, ANSWER("\x0a\x04\x12\x02\n\x1b\x7a\x01z"), 0, "\\x0a\\x1b"},
        {SIGNAL_LOG, true, false, ANSWER("<html>"), 0, ""},
        {SIGNAL_LOG, true, false, ANSWER("\x0a\xff\xff\xff\xff\x0f"), 0, ""},
        {SIGNAL_LOG, false, false,
         ANSWER("\x08\x03\x12\x03"
                "bad\x1a\x02\x0a\0"),
         0, "bad"},
        {SIGNAL_LOG, false, false, ANSWER("\x0a\x06\x08\x03\x12\x02no"), 0, ""},
        {SIGNAL_LOG, true, true, ANSWER("{}"), 0, ""},
        {SIGNAL_LOG, true, true, ANSWER("{\"partialSuccess\":{}}"), 0, ""},
        {SIGNAL_LOG, true, true,
         ANSWER("{\"partialSuccess\":{\"rejectedLogRecords\":\"7\",\"errorMessage\":\"a\\nb\"}}"),
         7, "a\\x0ab"},
        {SIGNAL_SPAN, true, true, ANSWER("{\"partialSuccess\":{\"rejectedSpans\":4}}"), 4, ""},
        {SIGNAL_METRIC, true, true, ANSWER("{\"partialSuccess\":{\"rejectedDataPoints\":4}}"), 4,
         ""},
        {SIGNAL_SPAN, true, true, ANSWER("{\"partialSuccess\":{\"rejectedLogRecords\":4}}"), 0, ""},
        {SIGNAL_LOG, true, true, ANSWER("{\"partialSuccess\":{\"rejectedLogRecords\":-4}}"), 0, ""},
        {SIGNAL_LOG, true, true, ANSWER("{\"partialSuccess\":{\"rejectedLogRecords\":\"4x\"}}"), 0,
         ""},
        {SIGNAL_LOG, true, true,
         ANSWER("{\"partialSuccess\":{\"rejectedLogRecords\":\"99999999999999999999\"}}"), 0, ""},
        {SIGNAL_LOG, true, true, ANSWER("{\"partialSuccess\":[{}]}"), 0, ""},
        {SIGNAL_LOG, true, true, ANSWER("[1]"), 0, ""},
        {SIGNAL_LOG, true, true, ANSWER("{\"partialSuccess\":{\"rejectedLogRecords\":4}"), 0, ""},
        {SIGNAL_LOG, false, true, ANSWER("{\"code\":3,\"message\":\"bad\"}"), 0, "bad"},
        {SIGNAL_LOG, false, true, ANSWER("{\"message\":5}"), 0, ""},
        {SIGNAL_LOG, false, true, ANSWER("Service Unavailable"), 0, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        _cleanup_arena_ struct arena a = {0};
        struct otlp_answer answer = {.rejected = 99};
        otlp_read_answer(&a, list[i].kind, list[i].success, list[i].json, list[i].body, &answer);
        if (answer.rejected != list[i].rejected || !str_eq(answer.message, list[i].message))
            fail_msg("%zu: %" PRIu64 " %s", i, answer.rejected, answer.message);
    }
}

/* A message has a bound, and so has what is read. */
static void test_long_answers(void **state)
{
    (void)state;
    static char body[2 * OTLP_ANSWER_MAX];
    struct otlp_answer answer;
    for (int json = 0; json < 2; json++) {
        _cleanup_arena_ struct arena a = {0};
        static const char begin[] = "{\"message\":\"";
        const size_t n = OTLP_ANSWER_MAX;
        memset(body, 'x', sizeof(body));
        if (json) {
            memcpy(body, begin, sizeof(begin) - 1);
            memcpy(body + n - 2, "\"}", 2);
        } else {
            memcpy(body, "\x12\xfc\xff\x03", 4); /* 65532 bytes */
        }
        otlp_read_answer(&a, SIGNAL_LOG, false, json, (struct bytes){body, n}, &answer);
        assert_int_equal(strlen(answer.message), 300);
        /* The same with three bytes more, whose end is not seen. */
        memcpy(body + n - 2, "xxx\"}", 5);
        memcpy(body, json ? begin : "\x12\xff\xff\x03", 4);
        otlp_read_answer(&a, SIGNAL_LOG, false, json, (struct bytes){body, n + 3}, &answer);
        assert_string_equal(answer.message, "");
        memset(body, json ? '[' : 0x0a, sizeof(body));
        otlp_read_answer(&a, SIGNAL_LOG, false, json, (struct bytes){body, sizeof(body)}, &answer);
        assert_string_equal(answer.message, "");
        assert_true(a.total < 4096); /* nothing of it is kept */
    }
}

static void test_answer_no_memory(void **state)
{
    (void)state;
    const struct bytes bodies[] = {BYTES("\x0a\x06\x08\x03\x12\x02no"),
                                   BYTES("{\"partialSuccess\":{\"errorMessage\":\"no\"}}")};
    for (int json = 0; json < 2; json++)
        for (unsigned long n = 1; n < 20; n++) {
            _cleanup_arena_ struct arena a = {0};
            struct otlp_answer answer;
            mem_fail_at(n);
            otlp_read_answer(&a, SIGNAL_LOG, true, json, bodies[json], &answer);
            mem_fail_at(0);
            assert_true(str_eq(answer.message, "") || str_eq(answer.message, "no"));
            assert_true(n > 1 || answer.message[0] == '\0');
        }
}

/* ---- for other readers ---- */

static int write_samples(const char *directory)
{
    static const struct {
        const char *suffix;
        enum export_protocol protocol;
    } forms[] = {{"pb", EXPORT_HTTP_PROTOBUF}, {"json", EXPORT_HTTP_JSON}};
    for (int kind = 0; kind < SIGNAL_KINDS; kind++)
        for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
            _cleanup_strbuf_ struct strbuf out = {0};
            char path[4096];
            (void)snprintf(path, sizeof(path), "%s/%s.%s", directory,
                           signal_word((enum signal_kind)kind), forms[i].suffix);
            FILE *f = fopen(path, "we");
            if (!f || otlp_encode(forms[i].protocol, &samples[kind], &out) < 0 ||
                fwrite(out.p, 1, out.n, f) != out.n || fclose(f) != 0) {
                perror(path);
                return 1;
            }
        }
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logs),         cmocka_unit_test(test_spans),
        cmocka_unit_test(test_metrics),      cmocka_unit_test(test_fields),
        cmocka_unit_test(test_json_logs),    cmocka_unit_test(test_json_others),
        cmocka_unit_test(test_empty),        cmocka_unit_test(test_again),
        cmocka_unit_test(test_no_memory),    cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_widest),       cmocka_unit_test(test_answers),
        cmocka_unit_test(test_long_answers), cmocka_unit_test(test_answer_no_memory),
    };
    if (argc == 3 && str_eq(argv[1], "--write"))
        return write_samples(argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

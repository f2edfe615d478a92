/*
 * Signals as bytes: what is packed is read again, whatever it is; what is cut, changed or could not
 * have been packed is refused; a refusal to pack leaves the buffer as it was.
 */
#include "telemetry/signal.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* BYTES() is no constant. */
#define TEXT_OF(lit)                                                                               \
    {                                                                                              \
        (lit), sizeof(lit) - 1                                                                     \
    }
#define TEXT(k, t)                                                                                 \
    {                                                                                              \
        .key = TEXT_OF(k), .type = ATTRIBUTE_TEXT, .text = TEXT_OF(t)                              \
    }
#define INT(k, v)                                                                                  \
    {                                                                                              \
        .key = TEXT_OF(k), .type = ATTRIBUTE_INT, .number = (v)                                    \
    }
#define BOOL(k, v)                                                                                 \
    {                                                                                              \
        .key = TEXT_OF(k), .type = ATTRIBUTE_BOOL, .number = (v)                                   \
    }
#define REAL(k, v)                                                                                 \
    {                                                                                              \
        .key = TEXT_OF(k), .type = ATTRIBUTE_DOUBLE, .real = (v)                                   \
    }
#define LIST(array)                                                                                \
    {                                                                                              \
        array, ARRAY_LEN(array)                                                                    \
    }

static const struct attribute resource[] = {TEXT("service.name", "bawn"), TEXT("env", "")};
static const struct attribute all_types[] = {
    TEXT("text", "a\0b\xff\n"),
    INT("least", INT64_MIN),
    INT("most", INT64_MAX),
    BOOL("yes", 1),
    BOOL("no", 0),
    REAL("real", -0.0),
    REAL("small", 5e-324),
};
#define CONTEXT                                                                                    \
    {                                                                                              \
        .trace_id = {[15] = 1}, .span_id = {2}, .flags = 1                                         \
    }

static const struct signal fine[] = {
    {.kind = SIGNAL_LOG,
     .resource = LIST(resource),
     .attributes = LIST(all_types),
     .log = {UINT64_MAX, SEVERITY_WARN, TEXT_OF("bawn.tool_decision"), CONTEXT}},
    {.kind = SIGNAL_LOG, .log = {0, SEVERITY_INFO, TEXT_OF("x"), {.flags = 0}}},
    {.kind = SIGNAL_SPAN,
     .resource = LIST(resource),
     .attributes = LIST(all_types),
     .span = {CONTEXT,
              {9},
              TEXT_OF("command"),
              TEXT_OF("a=1,b=2"),
              SPAN_CLIENT,
              SPAN_STATUS_ERROR,
              7,
              5}},
    {.kind = SIGNAL_SPAN,
     .span = {CONTEXT, {0}, TEXT_OF("x"), TEXT_OF(""), SPAN_INTERNAL, SPAN_STATUS_UNSET, 0, 0}},
    {.kind = SIGNAL_METRIC,
     .resource = LIST(resource),
     .metric = {METRIC_SUM, TEXT_OF("commands"), TEXT_OF("{command}"), 1, 0, 0}},
    {.kind = SIGNAL_METRIC,
     .attributes = LIST(all_types),
     .metric = {METRIC_HISTOGRAM, TEXT_OF("setup"), TEXT_OF("ms"), 1, 0, 1.5}},
};

static void assert_bytes(struct bytes a, struct bytes b)
{
    assert_int_equal(a.n, b.n);
    if (a.n)
        assert_memory_equal(a.p, b.p, a.n);
}

static void assert_attributes(const struct attributes *a, const struct attributes *b)
{
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        assert_bytes(a->v[i].key, b->v[i].key);
        assert_int_equal(a->v[i].type, b->v[i].type);
        assert_bytes(a->v[i].text, b->v[i].text);
        assert_int_equal(a->v[i].number, b->v[i].number);
        assert_memory_equal(&a->v[i].real, &b->v[i].real, sizeof(double));
    }
}

static void assert_signal(const struct signal *a, const struct signal *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_attributes(&a->resource, &b->resource);
    assert_attributes(&a->attributes, &b->attributes);
    if (a->kind == SIGNAL_LOG) {
        assert_int_equal(a->log.time_ns, b->log.time_ns);
        assert_int_equal(a->log.severity, b->log.severity);
        assert_bytes(a->log.name, b->log.name);
        assert_memory_equal(&a->log.context, &b->log.context, sizeof(a->log.context));
    } else if (a->kind == SIGNAL_SPAN) {
        assert_memory_equal(&a->span.context, &b->span.context, sizeof(a->span.context));
        assert_memory_equal(a->span.parent_id, b->span.parent_id, SPAN_ID_BYTES);
        assert_bytes(a->span.name, b->span.name);
        assert_bytes(a->span.trace_state, b->span.trace_state);
        assert_int_equal(a->span.kind, b->span.kind);
        assert_int_equal(a->span.status, b->span.status);
        assert_int_equal(a->span.start_ns, b->span.start_ns);
        assert_int_equal(a->span.end_ns, b->span.end_ns);
    } else {
        assert_int_equal(a->metric.type, b->metric.type);
        assert_bytes(a->metric.name, b->metric.name);
        assert_bytes(a->metric.unit, b->metric.unit);
        assert_int_equal(a->metric.time_ns, b->metric.time_ns);
        assert_int_equal(a->metric.count, b->metric.count);
        assert_memory_equal(&a->metric.value, &b->metric.value, sizeof(double));
    }
}

static void test_there_and_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        _cleanup_arena_ struct arena a = {0};
        _cleanup_strbuf_ struct strbuf out = {0}, again = {0};
        struct signal s;
        strbuf_puts(&out, "before");
        assert_int_equal(signal_pack(&fine[i], &out), 0);
        const struct bytes packed = {out.p + 6, out.n - 6};
        assert_int_equal(signal_unpack(&a, packed, &s), 0);
        assert_signal(&fine[i], &s);
        assert_int_equal(signal_pack(&s, &again), 0);
        assert_bytes(packed, (struct bytes){again.p, again.n});
    }
}

/* Every beginning of it, it with more behind it, and it with any one byte changed: refused, or
 * another signal with the same right. */
static void test_cut_and_changed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        _cleanup_arena_ struct arena a = {0};
        _cleanup_strbuf_ struct strbuf out = {0};
        struct signal s;
        assert_int_equal(signal_pack(&fine[i], &out), 0);
        for (size_t n = 0; n < out.n; n++) {
            char *exact = malloc(n ? n : 1);
            assert_non_null(exact);
            memcpy(exact, out.p, n);
            assert_int_equal(signal_unpack(&a, (struct bytes){exact, n}, &s), -EBADMSG);
            free(exact);
        }
        assert_int_equal(signal_unpack(&a, (struct bytes){out.p, out.n + 1}, &s), -EBADMSG);
        for (size_t at = 0; at < out.n; at++) {
            for (unsigned flip = 1; flip < 256; flip *= 2) {
                _cleanup_strbuf_ struct strbuf again = {0};
                out.p[at] = (char)(out.p[at] ^ (char)flip);
                int r = signal_unpack(&a, (struct bytes){out.p, out.n}, &s);
                if (r == 0) {
                    assert_int_equal(signal_pack(&s, &again), 0);
                    assert_bytes((struct bytes){out.p, out.n}, (struct bytes){again.p, again.n});
                } else {
                    assert_int_equal(r, -EBADMSG);
                }
                out.p[at] = (char)(out.p[at] ^ (char)flip);
            }
        }
    }
}

static struct attribute many[SIGNAL_ATTRIBUTES + 1];
static char long_text[SIGNAL_MAX + 1];

static void assert_refused(const struct signal *s, int code)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    strbuf_puts(&out, "before");
    assert_int_equal(signal_pack(s, &out), code);
    assert_false(strbuf_failed(&out));
    assert_string_equal(strbuf_text(&out), "before");
    assert_int_equal(out.n, 6);
}

static void test_limits(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    _cleanup_strbuf_ struct strbuf out = {0};
    struct signal s = fine[1], back;
    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        many[i] = (struct attribute)INT("k", (int64_t)i);
    s.attributes = s.resource = (struct attributes){many, SIGNAL_ATTRIBUTES};
    assert_int_equal(signal_pack(&s, &out), 0);
    assert_int_equal(signal_unpack(&a, (struct bytes){out.p, out.n}, &back), 0);
    assert_signal(&s, &back);
    s.attributes.n++;
    assert_refused(&s, -EMSGSIZE);
    s.attributes.n--;
    s.resource.n++;
    assert_refused(&s, -EMSGSIZE);

    /* To the byte. */
    struct attribute text = {.key = TEXT_OF("k"), .text = {long_text, 0}};
    s = fine[1];
    s.attributes = (struct attributes){&text, 1};
    strbuf_clear(&out);
    assert_int_equal(signal_pack(&s, &out), 0);
    text.text.n = SIGNAL_MAX - out.n;
    strbuf_clear(&out);
    assert_int_equal(signal_pack(&s, &out), 0);
    assert_int_equal(out.n, SIGNAL_MAX);
    assert_int_equal(signal_unpack(&a, (struct bytes){out.p, out.n}, &back), 0);
    text.text.n++;
    assert_refused(&s, -EMSGSIZE);
    text.text.n = SIZE_MAX / 2; /* not read */
    assert_refused(&s, -EMSGSIZE);
}

static void test_what_is_wrong(void **state)
{
    (void)state;
    static const struct attribute bad[] = {
        TEXT("", "no key"),
        REAL("nan", NAN),
        REAL("inf", INFINITY),
        REAL("inf", -INFINITY),
        BOOL("two", 2),
        BOOL("minus", -1),
        {.key = TEXT_OF("k"), .type = (enum attribute_type)4},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct signal s = fine[1];
        s.attributes = (struct attributes){&bad[i], 1};
        assert_refused(&s, -EINVAL);
        s = fine[4];
        s.resource = (struct attributes){&bad[i], 1};
        assert_refused(&s, -EINVAL);
    }
    struct signal s[] = {fine[0], fine[0], fine[2], fine[2], fine[2], fine[2], fine[2],
                         fine[4], fine[4], fine[5], fine[5], fine[5], fine[0]};
    s[0].log.name.n = 0;
    s[1].log.severity = (enum signal_severity)10;
    s[2].span.name.n = 0;
    s[3].span.kind = (enum span_kind)2;
    s[4].span.status = (enum span_status)3;
    memset(s[5].span.context.trace_id, 0, TRACE_ID_BYTES);
    memset(s[6].span.context.span_id, 0, SPAN_ID_BYTES);
    s[7].metric.count = -1;
    s[8].metric.name.n = 0;
    s[9].metric.value = NAN;
    s[10].metric.value = INFINITY;
    s[11].metric.type = (enum metric_type)2;
    s[12].kind = (enum signal_kind)SIGNAL_KINDS;
    for (size_t i = 0; i < ARRAY_LEN(s); i++)
        assert_refused(&s[i], -EINVAL);
}

static void test_without_memory(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    _cleanup_strbuf_ struct strbuf out = {0};
    struct signal s;
    mem_fail_at(1);
    assert_int_equal(signal_pack(&fine[0], &out), -ENOMEM);
    mem_fail_at(0);
    assert_false(strbuf_failed(&out));
    assert_int_equal(signal_pack(&fine[0], &out), 0);
    mem_fail_at(1);
    assert_int_equal(signal_unpack(&a, (struct bytes){out.p, out.n}, &s), -ENOMEM);
    mem_fail_at(0);
    assert_int_equal(signal_unpack(&a, (struct bytes){out.p, out.n}, &s), 0);
}

static void test_words(void **state)
{
    (void)state;
    assert_string_equal(signal_word(SIGNAL_LOG), "logs");
    assert_string_equal(signal_word(SIGNAL_SPAN), "traces");
    assert_string_equal(signal_word(SIGNAL_METRIC), "metrics");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_cut_and_changed),
        cmocka_unit_test(test_limits),         cmocka_unit_test(test_what_is_wrong),
        cmocka_unit_test(test_without_memory), cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

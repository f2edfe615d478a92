/*
 * What bawn-exporter makes of a collector's answer: statuses, pauses, Retry-After, and gRPC's
 * frames and trailers. Tables.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "exporter/grpc.h"
#include "exporter/retry.h"

/* ---- what an answer means ---- */

static void test_http(void **state)
{
    (void)state;
    static const struct {
        unsigned status;
        enum verdict want;
    } cases[] = {
        {200, VERDICT_TAKEN},  {202, VERDICT_TAKEN},   {204, VERDICT_TAKEN},  {301, VERDICT_SLOWLY},
        {302, VERDICT_SLOWLY}, {308, VERDICT_SLOWLY},  {400, VERDICT_NEVER},  {404, VERDICT_NEVER},
        {405, VERDICT_NEVER},  {422, VERDICT_NEVER},   {401, VERDICT_SLOWLY}, {403, VERDICT_SLOWLY},
        {407, VERDICT_SLOWLY}, {413, VERDICT_SMALLER}, {415, VERDICT_PLAIN},  {408, VERDICT_AGAIN},
        {429, VERDICT_AGAIN},  {500, VERDICT_AGAIN},   {501, VERDICT_AGAIN},  {502, VERDICT_AGAIN},
        {503, VERDICT_AGAIN},  {504, VERDICT_AGAIN},   {599, VERDICT_AGAIN},  {0, VERDICT_AGAIN},
        {100, VERDICT_AGAIN},  {999, VERDICT_AGAIN},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (verdict_of_http(cases[i].status) != cases[i].want)
            fail_msg("%u: %d", cases[i].status, (int)verdict_of_http(cases[i].status));
}

static void test_grpc(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *message;
        enum verdict want;
    } cases[] = {
        {0, "", VERDICT_TAKEN},
        {1, "", VERDICT_AGAIN},
        {2, "", VERDICT_AGAIN},
        {3, "", VERDICT_NEVER},
        {4, "", VERDICT_AGAIN},
        {5, "", VERDICT_NEVER},
        {6, "", VERDICT_NEVER},
        {7, "", VERDICT_SLOWLY},
        {8, "", VERDICT_AGAIN},
        {8, "Received message larger than max (5000000 vs. 4194304)", VERDICT_SMALLER},
        {8, "gRPC message exceeds maximum size 4194304: 5000000", VERDICT_SMALLER},
        {8, "quota exhausted", VERDICT_AGAIN},
        {9, "", VERDICT_NEVER},
        {10, "", VERDICT_AGAIN},
        {11, "", VERDICT_AGAIN},
        {11, "decoded message length too large: found 5 bytes, the limit is: 4", VERDICT_SMALLER},
        {12, "", VERDICT_PLAIN},
        {13, "", VERDICT_AGAIN},
        {13, "too large", VERDICT_AGAIN},
        {14, "", VERDICT_AGAIN},
        {15, "", VERDICT_AGAIN},
        {16, "", VERDICT_SLOWLY},
        {17, "", VERDICT_AGAIN},
        {999, "", VERDICT_AGAIN},
        {GRPC_ABSENT, "", VERDICT_AGAIN},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (verdict_of_grpc(cases[i].status, bytes_of(cases[i].message)) != cases[i].want)
            fail_msg("%d %s", cases[i].status, cases[i].message);
    assert_string_equal(grpc_status_word(14), "UNAVAILABLE");
    assert_string_equal(grpc_status_word(-1), "UNKNOWN");
    assert_string_equal(grpc_status_word(1000), "UNKNOWN");
}

/* ---- when to try again ---- */

static void test_pause(void **state)
{
    (void)state;
    for (uint32_t chance = 0; chance < 100000; chance += 37) {
        static const uint32_t spans[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
        uint32_t span = 0;
        for (size_t i = 0; i < ARRAY_LEN(spans); i++) {
            uint32_t ms = retry_pause(&span, chance);
            assert_int_equal(span, spans[i]);
            assert_in_range(ms, spans[i] * 3 / 4, spans[i] * 5 / 4);
        }
    }
    uint32_t span = 0, other = 0; /* chance makes a difference, to both sides */
    assert_true(retry_pause(&span, 0) < 1000);
    assert_true(retry_pause(&other, 500) > 1000);
}

static void test_retry_after(void **state)
{
    (void)state;
    enum { NOW = 784111777 }; /* Sun, 06 Nov 1994 08:49:37 GMT */
    static const struct {
        const char *text;
        uint32_t want;
    } cases[] = {
        {"1", 1000},
        {" 120\t", 120000},
        {"0", 0},
        {"600", 600000},
        {"601", 600000},
        {"99999999999999999999999999999999999999", 600000},
        {"", 0},
        {" ", 0},
        {"-1", 0},
        {"+1", 0},
        {"1.5", 0},
        {"1 2", 0},
        {"soon", 0},
        {"0x10", 0},
        {"Sun, 06 Nov 1994 08:49:40 GMT", 3000},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 0},
        {"Sun, 06 Nov 1994 08:49:36 GMT", 0},
        {"Mon, 07 Nov 1994 08:49:37 GMT", 600000},
        {"Sunday, 06-Nov-94 08:49:47 GMT", 10000},
        {"Sun Nov  6 08:49:38 1994", 1000},
        {"Sun, 06 Nov 1994 08:49:40", 0},
        {"Sun, 06 Nov 1994 08:49:40 GMT and more", 0},
        {"Sun, 06 Nov 99999999999 08:49:40 GMT", 0},
        {"Sun, 06 Nov 1994 08:49:40 GMT                                                      .", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (retry_after(bytes_of(cases[i].text), NOW) != cases[i].want)
            fail_msg("%s: %u", cases[i].text, retry_after(bytes_of(cases[i].text), NOW));
    assert_int_equal(retry_after((struct bytes){"12345", 2}, NOW), 12000);
    assert_int_equal(retry_after((struct bytes){"Sun, 06 Nov 1994 08:49:40 GMT\0x", 31}, NOW), 0);
}

/* ---- gRPC ---- */

#define B(s)                                                                                       \
    {                                                                                              \
        (s), sizeof(s) - 1                                                                         \
    }

static void test_frames(void **state)
{
    (void)state;
    char head[GRPC_FRAME];
    grpc_frame(head, true, 0x01020384);
    assert_memory_equal(head, "\x01\x01\x02\x03\x84", sizeof(head));
    grpc_frame(head, false, 0);
    assert_memory_equal(head, "\0\0\0\0\0", sizeof(head));
    static const struct {
        struct bytes body;
        const char *want;
    } cases[] = {
        {B("\0\0\0\0\3abc"), "abc"},
        {B("\0\0\0\0\3abcd"), "abc"}, /* one message is read */
        {B("\0\0\0\0\4abc"), ""},
        {B("\0\xff\xff\xff\xff"
           "abc"),
         ""},
        {B("\0\0\0\0\0"), ""},
        {B("\0\0\0\0"), ""},
        {B(""), ""},
        {B("\1\0\0\0\3abc"), ""}, /* compressed */
        {B("\2\0\0\0\3abc"), ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (!bytes_is(grpc_message(cases[i].body), cases[i].want))
            fail_msg("frame %zu", i);
}

static void test_split(void **state)
{
    (void)state;
    struct bytes name, value;
    assert_true(field_split(bytes_of("Retry-After: 12\r\n"), &name, &value));
    assert_true(bytes_is(name, "Retry-After"));
    assert_true(bytes_is(value, "12"));
    assert_true(field_is(name, "retry-after"));
    assert_false(field_is(name, "retry-afte"));
    assert_false(field_is(name, "retry-after2"));
    assert_true(field_split(bytes_of("a:b: c"), &name, &value));
    assert_true(bytes_is(value, "b: c"));
    assert_true(field_split(bytes_of("a:  \t\r\n"), &name, &value));
    assert_int_equal(value.n, 0);
    assert_false(field_split(bytes_of("\r\n"), &name, &value));
    assert_false(field_split(bytes_of(": x"), &name, &value));
    assert_false(field_split(bytes_of("HTTP/1.1 200 OK\r\n"), &name, &value));
    assert_false(field_split((struct bytes){NULL, 0}, &name, &value));
}

static struct grpc_status status_of(const char *const (*fields)[2], size_t n)
{
    struct grpc_status s;
    grpc_status_clear(&s);
    for (size_t i = 0; i < n; i++)
        grpc_status_field(&s, bytes_of(fields[i][0]), bytes_of(fields[i][1]));
    return s;
}

static void test_status(void **state)
{
    (void)state;
    static const struct {
        const char *fields[2][2];
        int want;
    } cases[] = {
        {{{"content-type", "application/grpc"}, {"x", "y"}}, GRPC_ABSENT},
        {{{"grpc-status", "0"}, {"x", "y"}}, 0},
        {{{"GRPC-Status", "14"}, {"x", "y"}}, 14},
        {{{"grpc-status", "14"}, {"grpc-status", "14"}}, 14},
        {{{"grpc-status", "14"}, {"grpc-status", "0"}}, 2}, /* who would know */
        {{{"grpc-status", ""}, {"x", "y"}}, 2},
        {{{"grpc-status", "-1"}, {"x", "y"}}, 2},
        {{{"grpc-status", "0 "}, {"x", "y"}}, 2},
        {{{"grpc-status", "OK"}, {"x", "y"}}, 2},
        {{{"grpc-status", "00000"}, {"x", "y"}}, 2},
        {{{"grpc-status", "999"}, {"x", "y"}}, 999},
        {{{"grpc-statuses", "0"}, {"x", "y"}}, GRPC_ABSENT},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct grpc_status s = status_of(cases[i].fields, 2);
        if (s.status != cases[i].want)
            fail_msg("%zu: %d", i, s.status);
    }
}

static void test_message(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"plain words", "plain words"},
        {"a%20b%C3%a9", "a b\xc3\xa9"},
        {"100%", "100%"},
        {"100%2", "100%2"},
        {"%zz%4", "%zz%4"},
        {"%%41", "%A"},
        {"%0a", "\n"},
        {"", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *const field[][2] = {{"grpc-message", cases[i].text}};
        struct grpc_status s = status_of(field, 1);
        if (!bytes_is((struct bytes){s.message, s.n}, cases[i].want))
            fail_msg("%s: %.*s", cases[i].text, (int)s.n, s.message);
    }
    static char much[2000];
    memset(much, 'x', sizeof(much) - 1);
    const char *const field[][2] = {{"grpc-message", much}};
    assert_int_equal(status_of(field, 1).n, GRPC_MESSAGE_MAX);
}

/* google.rpc.Status{code: 14, details: [Any{RetryInfo{retry_delay}}]}, made by hand. */
static void put_field(struct strbuf *out, unsigned number, struct bytes inside)
{
    strbuf_putc(out, (char)(number << 3 | 2));
    assert_true(inside.n < 128);
    strbuf_putc(out, (char)inside.n);
    strbuf_put(out, inside.p, inside.n);
}

static void details(struct strbuf *out, const char *type, struct bytes duration, bool padded)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    _cleanup_strbuf_ struct strbuf info = {0}, any = {0}, status = {0};
    put_field(&info, 1, duration);
    put_field(&any, 1, bytes_of(type));
    put_field(&any, 2, (struct bytes){info.p, info.n});
    strbuf_put(&status, "\x08\x0e\x12\x04gone", 8);
    put_field(&status, 3, (struct bytes){any.p, any.n});
    strbuf_clear(out);
    for (size_t i = 0; i < status.n; i += 3) {
        uint32_t v = 0;
        size_t left = MIN_OF(status.n - i, (size_t)3);
        for (size_t j = 0; j < 3; j++)
            v = v << 8 | (j < left ? (unsigned char)status.p[i + j] : 0);
        for (size_t j = 0; j < left + 1; j++)
            strbuf_putc(out, digits[v >> (18 - 6 * j) & 63]);
        for (size_t j = left; padded && j < 3; j++)
            strbuf_putc(out, '=');
    }
}

static void test_retry_info(void **state)
{
    (void)state;
    static const char type[] = "type.googleapis.com/google.rpc.RetryInfo";
    static const struct {
        const char *type;
        struct bytes duration;
        uint32_t want;
    } cases[] = {
        {type, B("\x08\x05"), 5000},
        {type, B("\x08\x05\x10\x80\x9b\xee\x02"), 5006}, /* 6000000 ns */
        {type, B("\x10\xc0\x84\x3d"), 1},                /* 1000000 ns */
        {type, B(""), 0},
        {type, B("\x08\xd8\x04"), 600000},
        {type, B("\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), 600000},
        {type, B("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), 0}, /* negative */
        {type, B("\x08\x05\x10\xff\xff\xff\xff\x7f"), 0},             /* nanos that are none */
        {"type.googleapis.com/google.rpc.RetryInfoo", B("\x08\x05"), 0},
        {"google.rpc.RetryInfo", B("\x08\x05"), 0},
    };
    _cleanup_strbuf_ struct strbuf text = {0};
    for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
        details(&text, cases[i / 2].type, cases[i / 2].duration, i % 2);
        const char *const field[][2] = {{"grpc-status-details-bin", text.p}};
        struct grpc_status s = status_of(field, 1);
        if (s.retry_ms != cases[i / 2].want)
            fail_msg("%zu: %u", i / 2, s.retry_ms);
    }
    /* Cut off anywhere, spoiled anywhere: nothing, or something that is bounded. */
    details(&text, type, BYTES("\x08\x05"), false);
    for (size_t i = 0; i < text.n; i++) {
        struct grpc_status s = {0};
        grpc_status_field(&s, BYTES("grpc-status-details-bin"), (struct bytes){text.p, i});
        assert_int_equal(s.retry_ms, 0);
    }
    const char *const bad[][2] = {{"grpc-status-details-bin", "!!!"}};
    assert_int_equal(status_of(bad, 1).retry_ms, 0);
    static char much[GRPC_DETAILS_MAX * 2];
    memset(much, 'A', sizeof(much) - 1);
    const char *const long_one[][2] = {{"grpc-status-details-bin", much}};
    assert_int_equal(status_of(long_one, 1).retry_ms, 0);
}

static void test_methods(void **state)
{
    (void)state;
    assert_string_equal(grpc_method(SIGNAL_LOG),
                        "/opentelemetry.proto.collector.logs.v1.LogsService/Export");
    assert_string_equal(grpc_method(SIGNAL_SPAN),
                        "/opentelemetry.proto.collector.trace.v1.TraceService/Export");
    assert_string_equal(grpc_method(SIGNAL_METRIC),
                        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http),       cmocka_unit_test(test_grpc),
        cmocka_unit_test(test_pause),      cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_frames),     cmocka_unit_test(test_split),
        cmocka_unit_test(test_status),     cmocka_unit_test(test_message),
        cmocka_unit_test(test_retry_info), cmocka_unit_test(test_methods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

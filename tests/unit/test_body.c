/*
 * Bodies by their framing: tables of chunked bodies that are whole, not whole and broken, each fed
 * in one piece, in two cut at every place, and byte by byte.
 */
#include "proxy/http_body.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define N(s) s, sizeof(s) - 1

/* A copy that ends where the text does, for the address sanitizer. */
static struct bytes exact(const char *text, size_t n)
{
    char *p = malloc(n ? n : 1);
    assert_non_null(p);
    memcpy(p, text, n);
    return (struct bytes){p, n};
}

static void drop(struct bytes b)
{
    free((char *)(uintptr_t)b.p);
}

static struct bytes filled(size_t n, char c)
{
    char *p = malloc(n);
    assert_non_null(p);
    memset(p, c, n);
    return (struct bytes){p, n};
}

/* WANT: the data, "+" and how many bytes are left behind the body; "…" behind it: not whole; or
 * "!": broken, with the data before that. */
static const struct chunked {
    const char *text;
    size_t n;
    const char *want;
} chunked[] = {
    {N("0\r\n\r\n"), "+0"},
    {N("0\r\n\r\nGET"), "+3"},
    {N("00000\r\n\r\n"), "+0"},
    {N("5\r\nhello\r\n0\r\n\r\n"), "hello+0"},
    {N("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nX"), "hello world+1"},
    {N("00000000000000A\r\n0123456789\r\n0\r\n\r\n"), "0123456789+0"},
    {N("a\r\n0123456789\r\n0\r\n\r\n"), "0123456789+0"},
    {N("2\r\n\r\n\r\n0\r\n\r\n"), "\r\n+0"},
    {N("1;x\r\na\r\n0;y=z\r\n\r\n"), "a+0"},
    {N("1;\r\na\r\n0\r\n\r\n"), "a+0"},
    {N("1;a=\"b c;d\" ; e\r\na\r\n0\r\n\r\n"), "a+0"},
    {N("0\r\nX: y\r\n\r\n"), "+0"},
    {N("0\r\nX:\r\nY-Z: \ta\xe4\t\r\n\r\nrest"), "+4"},
    {N("0\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n"), "+0"}, /* dropped */
    /* not whole */
    {N(""), "…"},
    {N("5"), "…"},
    {N("5\r\nhell"), "hell…"},
    {N("5\r\nhello"), "hello…"},
    {N("5\r\nhello\r\n"), "hello…"},
    {N("5\r\nhello\r\n0\r\n"), "hello…"},
    {N("5\r\nhello\r\n0\r\n\r"), "hello…"},
    {N("0\r\nX: y\r\n"), "…"},
    {N("fffffffffffffff\r\nx"), "x…"},
    /* sizes */
    {N("\r\n"), "!"},
    {N(";x\r\n\r\n"), "!"},
    {N(" 5\r\nhello\r\n"), "!"},
    {N("5 \r\nhello\r\n"), "!"},
    {N("5\t\r\nhello\r\n"), "!"},
    {N("5 ;x\r\nhello\r\n"), "!"},
    {N("+5\r\nhello\r\n"), "!"},
    {N("-1\r\nhello\r\n"), "!"},
    {N("0x5\r\nhello\r\n"), "!"},
    {N("5h\r\nhello\r\n"), "!"},
    {N("5,5\r\nhello\r\n"), "!"},
    {N("5_0\r\nhello\r\n"), "!"},
    {N("5.\r\nhello\r\n"), "!"},
    {N("g\r\n"), "!"},
    {N("\"5\"\r\nhello\r\n"), "!"},
    {N("1000000000000000\r\nx"), "!"}, /* 16 digits */
    {N("0000000000000005\r\nhello\r\n"), "!"},
    {N("10000000000000005\r\nhello\r\n"), "!"}, /* 5, where the number is cut to 64 bits */
    {N("\xef\xbc\x95\r\nhello\r\n"), "!"},      /* a full-width 5 */
    {N("5\0\r\nhello\r\n"), "!"},
    /* line ends */
    {N("5\nhello\r\n0\r\n\r\n"), "!"},
    {N("5\rhello\r\n0\r\n\r\n"), "!"},
    {N("5\r\r\nhello\r\n0\r\n\r\n"), "!"},
    {N("5\r\nhello\n0\r\n\r\n"), "hello!"},
    {N("5\r\nhello\r0\r\n\r\n"), "hello!"},
    {N("5\r\nhello0\r\n\r\n"), "hello!"},
    {N("5\r\nhello\r\n0\n\r\n"), "hello!"},
    {N("5\r\nhello\r\n0\r\n\n"), "hello!"},
    {N("5\r\nhello\r\n0\r\n\r\r\n"), "hello!"},
    {N("5\r\nhello\r\n\r\n0\r\n\r\n"), "hello!"},
    {N("5\n\r\nhello\r\n"), "!"},
    /* shorter and longer than it says */
    {N("4\r\nhello\r\n0\r\n\r\n"), "hell!"},
    {N("6\r\nhello\r\n0\r\n\r\n"), "hello\r!"},
    {N("7\r\nhello\r\n0\r\n\r\n"), "hello\r\n!"},
    /* extensions */
    {N("1;a\0b\r\na\r\n"), "!"},
    {N("1;a\x01\r\na\r\n"), "!"},
    {N("1;a\tb\r\na\r\n"), "!"},
    {N("1;a\x7f\r\na\r\n"), "!"},
    {N("1;a\nb\r\na\r\n"), "!"},
    {N("1;a\rb\r\na\r\n"), "!"},
    {N("1;a=\"\r\n\"\r\n0\r\n\r\n"), "\"+0"}, /* a line's end ends the line, quoted or not */
    /* trailers */
    {N("0\r\nno colon\r\n\r\n"), "!"},
    {N("0\r\nX\r\n\r\n"), "!"},
    {N("0\r\n: y\r\n\r\n"), "!"},
    {N("0\r\nX : y\r\n\r\n"), "!"},
    {N("0\r\n X: y\r\n\r\n"), "!"},
    {N("0\r\nX: y\r\n z\r\n\r\n"), "!"},
    {N("0\r\nX: y\n\r\n"), "!"},
    {N("0\r\nX: y\rz\r\n\r\n"), "!"},
    {N("0\r\nX: \0\r\n\r\n"), "!"},
    {N("0\r\nX: \x7f\r\n\r\n"), "!"},
    {N("0\r\nX\0: y\r\n\r\n"), "!"},
};

struct fed {
    struct strbuf data;
    size_t used;
    int r;
};

/* Feeds all of TEXT; stops where the body is whole or broken. */
static void feed(struct body *b, struct bytes text, struct fed *f)
{
    struct bytes copy = exact(text.p, text.n), rest = copy, data;
    size_t used = 0;
    while (f->r == 0 && rest.n > 0 && !body_done(b)) {
        f->r = body_take(b, rest, &data, &used);
        if (f->r < 0)
            break;
        assert_in_range(used, 1, rest.n);
        assert_in_range(data.n, 0, used);
        if (data.n > 0) {
            assert_ptr_equal(data.p + data.n, rest.p + used);
            strbuf_put(&f->data, data.p, data.n);
        }
        f->used += used;
        rest = (struct bytes){rest.p + used, rest.n - used};
    }
    drop(copy);
}

/* What came out, in the words of the table. */
static void conclude(struct body *b, size_t whole, struct fed *f, struct strbuf *ret)
{
    bool done = body_done(b);
    strbuf_put(ret, strbuf_text(&f->data), f->data.n);
    if (f->r < 0) {
        struct bytes data;
        size_t used;
        strbuf_puts(ret, "!");
        assert_int_equal(f->r, -EPROTO);
        assert_int_equal(body_take(b, BYTES("0\r\n\r\n"), &data, &used), -EPROTO); /* for good */
    } else if (done) {
        strbuf_printf(ret, "+%zu", whole - f->used);
    } else {
        strbuf_puts(ret, "…");
    }
    assert_int_equal(body_end(b), done ? 0 : -EPROTO);
}

/* In one piece, in two pieces cut at every place, and byte by byte. */
static void test_chunked(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(chunked); i++) {
        const struct chunked *row = &chunked[i];
        for (size_t cut = 0; cut <= row->n; cut++) {
            _cleanup_strbuf_ struct strbuf got = {0};
            struct fed f = {0};
            struct body b;
            body_begin(&b, FRAME_CHUNKED, 0);
            feed(&b, (struct bytes){row->text, cut}, &f);
            feed(&b, (struct bytes){row->text + cut, row->n - cut}, &f);
            conclude(&b, row->n, &f, &got);
            if (!str_eq(strbuf_text(&got), row->want))
                fail_msg("row %zu cut at %zu: %s for %s", i, cut, strbuf_text(&got), row->want);
            strbuf_release(&f.data);
        }
        _cleanup_strbuf_ struct strbuf got = {0};
        struct fed f = {0};
        struct body b;
        body_begin(&b, FRAME_CHUNKED, 0);
        for (size_t at = 0; at < row->n; at++)
            feed(&b, (struct bytes){row->text + at, 1}, &f);
        conclude(&b, row->n, &f, &got);
        assert_string_equal(strbuf_text(&got), row->want);
        strbuf_release(&f.data);
    }
}

/* TEXT with its X replaced by so many that all of it, behind the first SKIP bytes, is N long. */
static void check_limit(const char *text, size_t skip, size_t n, bool fits)
{
    struct bytes t = filled(skip + n, 'x');
    size_t before = strcspn(text, "X"), behind = strlen(text) - before - 1;
    struct fed f = {0};
    struct body b;
    memcpy((char *)(uintptr_t)t.p, text, before);
    memcpy((char *)(uintptr_t)t.p + t.n - behind, text + before + 1, behind);
    body_begin(&b, FRAME_CHUNKED, 0);
    feed(&b, t, &f);
    assert_int_equal(f.r, fits ? 0 : -EPROTO);
    drop(t);
}

static void test_limits(void **state)
{
    (void)state;
    for (int i = -1; i <= 1; i++) {
        check_limit("1;X\r\n", 0, LIMIT_CHUNK_LINE + (size_t)i, i <= 0);
        check_limit("0\r\nA: b\r\nC: X\r\n\r\n", 3, LIMIT_TRAILER + (size_t)i, i <= 0);
    }
    /* Without an end in sight, too. */
    check_limit("1;X", 0, LIMIT_CHUNK_LINE + 1, false);
    check_limit("0\r\nX", 3, LIMIT_TRAILER + 1, false);
}

static void test_other_framings(void **state)
{
    (void)state;
    struct body b;
    struct fed f = {0};
    body_begin(&b, FRAME_NONE, 7);
    assert_true(body_done(&b));
    assert_int_equal(body_end(&b), 0);
    body_begin(&b, FRAME_LENGTH, 0);
    assert_true(body_done(&b));

    body_begin(&b, FRAME_LENGTH, 5);
    assert_false(body_done(&b));
    feed(&b, BYTES("he"), &f);
    assert_int_equal(body_end(&b), -EPROTO);
    feed(&b, BYTES("lloGET /"), &f);
    assert_true(body_done(&b));
    assert_int_equal(f.used, 5);
    assert_string_equal(strbuf_text(&f.data), "hello");
    assert_int_equal(body_end(&b), 0);
    strbuf_release(&f.data);

    f = (struct fed){0};
    body_begin(&b, FRAME_LENGTH, INT64_MAX);
    feed(&b, BYTES("abc"), &f);
    assert_int_equal(f.used, 3);
    assert_false(body_done(&b));
    strbuf_release(&f.data);

    f = (struct fed){0};
    body_begin(&b, FRAME_CLOSE, 0);
    feed(&b, BYTES("0\r\n"), &f);
    feed(&b, BYTES("\r\nx"), &f);
    assert_false(body_done(&b));
    assert_string_equal(strbuf_text(&f.data), "0\r\n\r\nx");
    assert_int_equal(body_end(&b), 0);
    strbuf_release(&f.data);
}

static void test_chunk_lines(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        const char *want;
    } rows[] = {
        {1, "1\r\n"},
        {15, "f\r\n"},
        {16, "10\r\n"},
        {500, "1f4\r\n"},
        {65536, "10000\r\n"},
        {SIZE_MAX >> 4, "fffffffffffffff\r\n"},
        {SIZE_MAX, "ffffffffffffffff\r\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char buf[BODY_CHUNK_LINE_MAX];
        size_t n = body_chunk_line(rows[i].n, buf);
        assert_true(bytes_is((struct bytes){buf, n}, rows[i].want));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunked),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_other_framings),
        cmocka_unit_test(test_chunk_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

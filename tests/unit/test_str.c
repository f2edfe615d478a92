/* Views and growing strings: bounds, the maximum, stickiness of a failure. */
#include "base/mem.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_bytes(void **state)
{
    (void)state;
    assert_true(bytes_eq(BYTES("a\0b"), (struct bytes){"a\0bc", 3}));
    assert_false(bytes_eq(BYTES("a"), BYTES("ab")));
    assert_true(bytes_eq(bytes_of(NULL), BYTES("")));
    assert_true(bytes_is(BYTES("abc"), "abc"));
    assert_false(bytes_is(BYTES("abc\0"), "abc"));
    assert_true(str_starts("workspace-write", "workspace"));
    assert_false(str_starts("work", "workspace"));
    assert_true(str_starts("x", ""));
}

static void test_append(void **state)
{
    (void)state;
    _cleanup_strbuf_ struct strbuf b = {0};
    assert_string_equal(strbuf_text(&b), "");
    strbuf_put(&b, NULL, 0);
    strbuf_puts(&b, "a");
    strbuf_putc(&b, '\0');
    strbuf_printf(&b, "%s=%d", "x", -1);
    assert_false(strbuf_failed(&b));
    assert_int_equal(b.n, 6);
    assert_memory_equal(b.p, "a\0x=-1", 7);
    for (int i = 0; i < 10000; i++)
        strbuf_printf(&b, "%d,", i);
    assert_int_equal(b.n, strlen(b.p + 2) + 2);
    strbuf_clear(&b);
    assert_string_equal(strbuf_text(&b), "");
    assert_int_equal(b.n, 0);
}

static void test_max(void **state)
{
    (void)state;
    _cleanup_strbuf_ struct strbuf b = {.max = 10};
    strbuf_puts(&b, "1234567890");
    assert_false(strbuf_failed(&b)); /* exactly the maximum fits */
    strbuf_puts(&b, "");
    assert_false(strbuf_failed(&b));
    strbuf_putc(&b, 'x');
    assert_true(strbuf_failed(&b));
    strbuf_puts(&b, "");
    assert_string_equal(strbuf_text(&b), "1234567890");
    strbuf_cut(&b, 4);
    assert_false(strbuf_failed(&b));
    assert_string_equal(strbuf_text(&b), "1234");
    strbuf_clear(&b);
    assert_false(strbuf_failed(&b));
    strbuf_printf(&b, "%011d", 1);
    assert_true(strbuf_failed(&b));
    assert_string_equal(strbuf_text(&b), "");
    strbuf_release(&b);
    assert_int_equal(b.max, 10); /* stays what it was made with */
    strbuf_puts(&b, "12345678901");
    assert_true(strbuf_failed(&b));

    _cleanup_strbuf_ struct strbuf huge = {.max = SIZE_MAX};
    strbuf_puts(&huge, "x");
    strbuf_put(&huge, "", (size_t)-2); /* refused before a byte is read */
    assert_true(strbuf_failed(&huge));
    assert_string_equal(strbuf_text(&huge), "x");
}

static void test_no_memory(void **state)
{
    (void)state;
    _cleanup_strbuf_ struct strbuf b = {0};
    mem_fail_at(1);
    strbuf_puts(&b, "x");
    mem_fail_at(0);
    assert_true(strbuf_failed(&b));
    strbuf_puts(&b, "y");
    assert_true(strbuf_failed(&b)); /* sticky */
    assert_string_equal(strbuf_text(&b), "");
    strbuf_clear(&b);
    strbuf_puts(&b, "z");
    mem_fail_at(1);
    for (int i = 0; i < 100; i++)
        strbuf_puts(&b, "0123456789");
    mem_fail_at(0);
    assert_true(strbuf_failed(&b));
    assert_int_equal(b.n, strlen(b.p));
}

static void test_printable(void **state)
{
    (void)state;
    _cleanup_strbuf_ struct strbuf b = {0};
    /* Longer than one piece, with characters across where a piece would end. */
    for (int i = 0; i < 333; i++)
        strbuf_puts(&b, "\xe2\x82\xac");
    _cleanup_strbuf_ struct strbuf out = {0};
    strbuf_put_printable(&out, b.p, b.n);
    assert_string_equal(strbuf_text(&out), strbuf_text(&b));
    strbuf_clear(&b);
    for (int i = 0; i < 300; i++)
        strbuf_putc(&b, '\x80');
    strbuf_clear(&out);
    strbuf_put_printable(&out, b.p, b.n);
    assert_int_equal(out.n, 1200);
    strbuf_clear(&out);
    strbuf_put_printable(&out, "a\nb\0", 4);
    assert_string_equal(strbuf_text(&out), "a\\x0ab\\x00");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),     cmocka_unit_test(test_append),
        cmocka_unit_test(test_max),       cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_printable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Errors with context: messages, wrapping, what is safe to show, the nearest word. */
#include "base/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_set(void **state)
{
    (void)state;
    struct error err = {.line = 3, .hint = "old"};
    assert_int_equal(error_set(&err, -EINVAL, "bad %s", "thing"), -EINVAL);
    assert_int_equal(err.code, -EINVAL);
    assert_string_equal(err.message, "bad thing");
    assert_int_equal(err.line, 0);
    assert_string_equal(err.hint, "");
    error_hint(&err, "try %d", 7);
    error_note(&err, "did you mean %s", "x");
    assert_string_equal(err.hint, "try 7");
    assert_string_equal(err.note, "did you mean x");
    assert_int_equal(error_errno(&err, -ENOENT, "cannot open %s", "f"), -ENOENT);
    assert_string_equal(err.message, "cannot open f: No such file or directory");
    error_clear(&err);
    assert_int_equal(err.code, 0);
    assert_string_equal(err.message, "");
}

static void test_null(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, -EIO, "x"), -EIO);
    assert_int_equal(error_errno(NULL, -EIO, "x"), -EIO);
    assert_int_equal(error_wrap(NULL, -EIO, "x"), -EIO);
    error_hint(NULL, "x");
    error_note(NULL, "x");
    error_at(NULL, "f", 1, 1, 1, "x", 1);
    error_clear(NULL);
}

static void test_wrap(void **state)
{
    (void)state;
    struct error err = {0};
    (void)error_set(&err, -ENOENT, "inner");
    error_at(&err, "f.toml", 3, 4, 5, "line", 4);
    assert_int_equal(error_wrap(&err, -EIO, "outer %d", 1), -ENOENT); /* the first code stays */
    assert_string_equal(err.message, "outer 1: inner");
    assert_int_equal(err.line, 3);
    err = (struct error){0};
    assert_int_equal(error_wrap(&err, -EIO, "outer"), -EIO);
    assert_int_equal(err.code, -EIO);

    /* Whatever the lengths, terminated and never beyond the field. */
    char text[ERROR_MESSAGE_MAX * 2];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (size_t n = ERROR_MESSAGE_MAX - 8; n < ERROR_MESSAGE_MAX + 8; n++) {
        (void)error_set(&err, -EIO, "%s", text);
        assert_int_equal(strlen(err.message), ERROR_MESSAGE_MAX - 1);
        (void)error_wrap(&err, -EIO, "%.*s", (int)n, text);
        assert_true(strlen(err.message) < ERROR_MESSAGE_MAX);
        (void)error_errno(&err, -EIO, "%.*s", (int)n, text);
        assert_true(strlen(err.message) < ERROR_MESSAGE_MAX);
    }
}

static void test_at(void **state)
{
    (void)state;
    struct error err = {0};
    (void)error_set(&err, -EINVAL, "m");
    error_at(&err, "f", 1, 2, 3, "a\x1b[31m\nb", 8);
    assert_string_equal(err.file, "f");
    assert_int_equal(err.column, 2);
    assert_string_equal(err.excerpt, "a\\x1b[31m\\x0ab");
    error_at(&err, NULL, 0, 0, 0, NULL, 0);
    assert_string_equal(err.file, "");
    assert_string_equal(err.excerpt, "");
}

static void test_printable(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *shown;
    } cases[] = {
        {"plain", 5, "plain"},
        {"", 0, ""},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"a\0b\n\t\x7f", 6, "a\\x00b\\x0a\\x09\\x7f"},
        {"\xff\xc3", 2, "\\xff\\xc3"},
        {"\xc0\xaf", 2, "\\xc0\\xaf"},                   /* overlong */
        {"\xed\xa0\x80", 3, "\\xed\\xa0\\x80"},          /* a surrogate */
        {"\xf4\x90\x80\x80", 4, "\\xf4\\x90\\x80\\x80"}, /* above 10FFFF */
        {"\xc2\x9b", 2, "\\xc2\\x9b"},                   /* C1 */
        {"a\xe2\x80\xae"
         "b",
         5,
         "a\\xe2\\x80\\xae"
         "b"}, /* right-to-left override */
        {"\xc2\x80\xc2\x9f\xc2\xa0", 6, "\\xc2\\x80\\xc2\\x9f\xc2\xa0"},
        {"\xe2\x80\x8e\xe2\x80\x8f", 6, "\\xe2\\x80\\x8e\\xe2\\x80\\x8f"}, /* direction marks */
        {"\xe2\x80\xaa\xe2\x81\xa6\xe2\x81\xa9", 9,
         "\\xe2\\x80\\xaa\\xe2\\x81\\xa6\\xe2\\x81\\xa9"},
        {"\xe2\x80\x8b", 3, "\\xe2\\x80\\x8b"},          /* zero width */
        {"\xd8\x9c", 2, "\\xd8\\x9c"},                   /* Arabic letter mark */
        {"\xf3\xa0\x81\x81", 4, "\\xf3\\xa0\\x81\\x81"}, /* a tag */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char out[64];
        assert_ptr_equal(printable(out, sizeof(out), cases[i].bytes, cases[i].n), out);
        assert_string_equal(out, cases[i].shown);
    }
    /* Cut between characters, with a mark, and only when it does not fit. */
    char out[8];
    assert_string_equal(printable(out, 8, "1234567", 7), "1234567");
    assert_string_equal(printable(out, 8, "12345678", 8), "1234\xe2\x80\xa6");
    assert_string_equal(printable(out, 8,
                                  "123\xe2\x82\xac"
                                  "5678",
                                  10),
                        "123\xe2\x80\xa6");
    assert_string_equal(printable(out, 8, "12\n3", 4), "12\\x0a3");
    assert_string_equal(printable(out, 8, "12\n34", 5), "12\xe2\x80\xa6");
    assert_string_equal(printable(out, 3, "1234", 4), "");
    assert_string_equal(printable(out, 1, "1", 1), "");
    for (size_t cap = 0; cap < 64; cap++) {
        char buf[64];
        memset(buf, 'Z', sizeof(buf));
        (void)printable(buf, cap, "a\n\xc3\xa4\xff-long-enough-to-be-cut-somewhere-in-it", 43);
        for (size_t i = cap; i < sizeof(buf); i++)
            assert_int_equal(buf[i], 'Z');
        assert_true(cap == 0 || memchr(buf, '\0', cap));
    }
}

static void test_show(void **state)
{
    (void)state;
    const char *first = show("first");
    assert_string_equal(show(NULL), "(none)");
    for (int i = 0; i < 7; i++)
        assert_string_equal(show_n("x\n", 2), "x\\x0a");
    assert_string_equal(first, "first"); /* eight are held at a time */
}

static void test_nearest(void **state)
{
    (void)state;
    static const char *const modes[] = {"read-only", "workspace-write", "danger-full-access"};
    static const struct {
        const char *word, *nearest;
    } cases[] = {
        {"read-olny", "read-only"},
        {"readonly", "read-only"},
        {"workspace", "workspace-write"},
        {"workspace_write", "workspace-write"},
        {"full", NULL},
        {"", NULL},
        {"danger-full-acess", "danger-full-access"},
        {"xyz", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *found = nearest_word(cases[i].word, modes, ARRAY_LEN(modes));
        if (cases[i].nearest)
            assert_string_equal(found ? found : "(none)", cases[i].nearest);
        else
            assert_null(found);
    }
    char word[200];
    memset(word, 'a', sizeof(word));
    word[199] = '\0';
    assert_null(nearest_word(word, modes, ARRAY_LEN(modes)));
    word[64] = '\0';
    const char *const same[] = {word};
    assert_ptr_equal(nearest_word(word, same, 1), word);
    assert_null(nearest_word("abc", modes, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),       cmocka_unit_test(test_null),
        cmocka_unit_test(test_wrap),      cmocka_unit_test(test_at),
        cmocka_unit_test(test_show),      cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_printable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

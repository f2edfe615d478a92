/* What Git's indirection files say. */
#include "base/gitfile.h"
#include "base/limits.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_text(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *path;
    } cases[] = {
        {"gitdir: ../x\n", "../x"},
        {"gitdir: /a b\r\n", "/a b"},
        {"gitdir: x", "x"},
        {"gitdir: a\nb\n", "a\nb"},
        {"gitdir: \n", NULL},
        {"gitdir:x\n", NULL},
        {"", NULL},
        {"ref: x", NULL},
        {"gitdir: \r\n\n", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bytes got;
        int r = gitfile_parse(bytes_of(cases[i].text), "gitdir: ", &got);
        assert_int_equal(r, cases[i].path ? 0 : -EBADMSG);
        if (cases[i].path)
            assert_true(bytes_is(got, cases[i].path));
    }
    struct bytes got;
    assert_int_equal(gitfile_parse((struct bytes){"gitdir: a\0b", 11}, "gitdir: ", &got), -EBADMSG);
    char big[MAX_GITFILE_BYTES + 1];
    memset(big, 'x', sizeof(big));
    assert_int_equal(gitfile_parse((struct bytes){big, sizeof(big)}, "", &got), -EBADMSG);
    assert_int_equal(gitfile_parse((struct bytes){big, 5000}, "", &got), -EBADMSG);
    assert_int_equal(gitfile_parse((struct bytes){big, MAX_PATH_BYTES}, "", &got), -EBADMSG);
    assert_int_equal(gitfile_parse((struct bytes){big, MAX_PATH_BYTES - 1}, "", &got), 0);
    assert_int_equal(got.n, MAX_PATH_BYTES - 1);
}

/* A commondir or gitdir file: a path and nothing before it. */
static void test_bare(void **unused)
{
    (void)unused;
    struct bytes got;
    assert_int_equal(gitfile_parse(BYTES("../..\n"), "", &got), 0);
    assert_true(bytes_is(got, "../.."));
    assert_int_equal(gitfile_parse(BYTES("\n"), "", &got), -EBADMSG);
    assert_int_equal(gitfile_parse(BYTES(""), "", &got), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_bare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The tries of bawn doctor, run bare: everything that a sandbox must refuse has to succeed without
 * one, or a refusal would prove nothing. This program stands in for bawn: it is what the place
 * finds as itself.
 */
#include "base/path.h"
#include "cli/doctor_try.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char scratch[] = "/tmp/test-doctor-XXXXXX";

static const struct try_check *check_of(const struct backend_try *t, const char *id)
{
    for (size_t i = 0; i < t->n_checks; i++)
        if (str_eq(t->checks[i].id, id))
            return &t->checks[i];
    fail_msg("no answer for %s", id);
    return NULL;
}

static void test_bare(void **state)
{
    (void)state;
    static const char *const reached[] = {"write-outside", "create-outside", "write-protected",
                                          "read-masked",   "connect-tcp",    "connect-unix",
                                          "signal-outside"};
    _cleanup_arena_ struct arena a = {0};
    struct try_place place;
    struct backend_try t;
    struct error err = {0};
    assert_int_equal(try_place_make(&place, scratch, &a, &err), 0);
    for (int round = 0; round < 2; round++) { /* the second finds the place as the first did */
        try_backend(&place, NULL, &t);
        assert_false(t.ok);
        assert_true(str_starts(t.detail, "WRITES OUTSIDE"));
        assert_true(t.fix[0]);
        assert_true(check_of(&t, "write-inside")->ok);
        for (size_t i = 0; i < ARRAY_LEN(reached); i++) {
            const struct try_check *c = check_of(&t, reached[i]);
            if (c->ok)
                fail_msg("%s: %s", c->id, c->detail);
            assert_string_equal(c->detail, "not refused");
        }
        /* An outer container may refuse these by itself. */
        (void)check_of(&t, "ptrace");
        (void)check_of(&t, "userns");
    }
    try_place_release(&place);
    try_place_release(&place);
    assert_int_equal(rmdir(scratch), 0); /* empty: nothing is left */
    assert_int_equal(mkdir(scratch, 0700), 0);
}

/* The program (this one) does not know "sandbox": a try that did not take place is no success. */
static void test_not_run(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    struct try_place place;
    struct backend_try t;
    assert_int_equal(try_place_make(&place, scratch, &a, NULL), 0);
    try_backend(&place, "bundled", &t);
    assert_false(t.ok);
    assert_string_equal(t.detail, "no such command");
    assert_non_null(strstr(t.fix, "sandbox_backend=\"bundled\""));
    try_place_release(&place);
}

static void test_no_place(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    struct try_place place;
    struct error err = {0};
    assert_int_equal(try_place_make(&place, "/nonexistent", &a, &err), -ENOENT);
    assert_true(err.message[0]);
    try_place_release(&place);
}

static int make_scratch(void **state)
{
    (void)state;
    return mkdtemp(scratch) ? 0 : -1;
}

static int remove_scratch(void **state)
{
    (void)state;
    return probe_remove_tree(scratch);
}

int main(int argc, char **argv)
{
    if (argc > 1 && str_eq(argv[1], "doctor"))
        return doctor_inside(argc - 1, argv + 1);
    if (argc > 1) {
        (void)fputs("bawn: no such command\n", stderr);
        return 2;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bare),
        cmocka_unit_test(test_not_run),
        cmocka_unit_test(test_no_place),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}

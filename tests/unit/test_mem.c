/* Heap, arena and vectors: overflow, alignment, and the n-th allocation failing. */
#include "base/mem.h"
#include "base/vec.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_heap(void **state)
{
    (void)state;
    _cleanup_free_ char *p = mem_alloc(0);
    assert_non_null(p);
    _cleanup_free_ char *z = mem_zalloc(3, 5);
    for (int i = 0; i < 15; i++)
        assert_int_equal(z[i], 0);
    p = mem_resize(p, 10, 10);
    assert_non_null(p);
    volatile size_t huge = SIZE_MAX / 2;
    errno = 0;
    assert_null(mem_resize(NULL, huge, 4));
    assert_int_equal(errno, ENOMEM);
    assert_null(mem_zalloc(huge, 4));
    mem_free(NULL);
}

static void test_fail_at(void **state)
{
    (void)state;
    mem_fail_at(2);
    void *first = mem_alloc(1);
    errno = 0;
    void *second = mem_alloc(1), *third = mem_zalloc(1, 1);
    mem_fail_at(0);
    assert_non_null(first);
    assert_null(second);
    assert_int_equal(errno, ENOMEM);
    assert_non_null(third); /* once only */
    mem_free(first);
    mem_free(third);
}

static void test_arena(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    char *blocks[300];
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
        size_t n = i * 37;
        blocks[i] = arena_alloc(&a, n);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
        memset(blocks[i], (int)(i & 0xff), n);
    }
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++) /* none over another */
        for (size_t k = 0; k < i * 37; k++)
            if ((unsigned char)blocks[i][k] != (i & 0xff))
                fail_msg("block %zu is overwritten", i);
    assert_true(a.total >= 37 * 299 * 300 / 2);
    assert_non_null(arena_alloc(&a, 5u << 20)); /* larger than any block it makes by itself */
    char *z = arena_zalloc(&a, 1000, 10);
    for (size_t i = 0; i < 10000; i++)
        assert_int_equal(z[i], 0);
    assert_string_equal(arena_strndup(&a, "hello", 2), "he");
    assert_string_equal(arena_strndup(&a, NULL, 0), "");
    assert_string_equal(arena_strdup(&a, ""), "");
    assert_string_equal(arena_printf(&a, "%d-%s", 42, "x"), "42-x");
    volatile size_t huge = SIZE_MAX;
    assert_null(arena_alloc(&a, huge));
    assert_null(arena_alloc(&a, huge / 2 + 1));
    assert_null(arena_zalloc(&a, huge / 2, 3));
    assert_null(arena_strndup(&a, "x", huge));
    arena_release(&a);
    assert_null(a.head);
    assert_non_null(arena_alloc(&a, 1)); /* ready again */
}

static void test_arena_no_memory(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    mem_fail_at(1);
    assert_null(arena_alloc(&a, 1));
    mem_fail_at(1);
    assert_null(arena_strdup(&a, "x"));
    mem_fail_at(1);
    assert_null(arena_printf(&a, "x"));
    mem_fail_at(1);
    assert_null(arena_zalloc(&a, 1, 1));
    assert_non_null(arena_alloc(&a, 1));
    size_t used = a.used;
    mem_fail_at(1);
    assert_null(arena_alloc(&a, 1u << 20));
    mem_fail_at(0);
    assert_int_equal(a.used, used); /* a failure changes nothing */
    assert_non_null(arena_alloc(&a, 1));
}

static void test_vec(void **state)
{
    (void)state;
    VEC(struct {
        int a;
        char b;
    })
    v = {0};
    for (int i = 0; i < 1000; i++) {
        assert_non_null(vec_push(&v));
        assert_int_equal(v.v[i].a, 0);
        v.v[i].a = i;
    }
    int sum = 0;
    vec_foreach (it, &v)
        sum += it->a;
    assert_int_equal(sum, 499500);
    vec_release(&v);
    assert_null(v.v);
    vec_foreach (it, &v)
        fail();
    assert_non_null(vec_push_max(&v, 2));
    assert_non_null(vec_push_max(&v, 2));
    errno = 0;
    assert_null(vec_push_max(&v, 2));
    assert_int_equal(errno, E2BIG);
    vec_release(&v);
    mem_fail_at(1);
    assert_null(vec_push(&v));
    mem_fail_at(0);
    assert_int_equal(v.n, 0);
    assert_non_null(vec_push(&v));
    vec_release(&v);
}

static void test_steal(void **state)
{
    (void)state;
    _cleanup_free_ char *p = mem_alloc(1);
    _cleanup_free_ char *q = steal_ptr(&p);
    assert_null(p);
    assert_non_null(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heap),  cmocka_unit_test(test_fail_at),
        cmocka_unit_test(test_arena), cmocka_unit_test(test_arena_no_memory),
        cmocka_unit_test(test_vec),   cmocka_unit_test(test_steal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

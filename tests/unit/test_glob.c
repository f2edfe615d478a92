/* Path patterns: a table of cases, an independent matcher over random ones, and hostile patterns.
 */
#include "permissions/permissions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

static const struct {
    const char *glob, *rel;
    size_t shortest, deepest;
} matches[] = {
    /* one component */
    {"a", "a", 1, 1},
    {"a", "a/b/c", 1, 1},
    {"a", "b", 0, 0},
    {"a", "", 0, 0},
    {"*.env", "prod.env", 1, 1},
    {"*.env", ".env", 1, 1},
    {"*.env", "x.envy", 0, 0},
    {"*.env", "a/x.env", 0, 0},
    {"*", ".hidden", 1, 1},
    {"?", "a", 1, 1},
    {"?", "", 0, 0},
    {"?", "ab", 0, 0},
    {"??", "\xc3\xa9", 1, 1}, /* bytes, not characters */
    {"a*c", "abbbc", 1, 1},
    {"a*c", "ac", 1, 1},
    {"a*c", "ab", 0, 0},
    {"*a*", "xax", 1, 1},
    {"*\xff*", "x\xfe\xff", 1, 1},
    {"a?c", "abc", 1, 1},
    {"a?c", "a/c", 0, 0},
    {"a*c", "a/c", 0, 0},
    {"\\*", "\\x", 1, 1}, /* no escape character */
    {"\\*", "*", 0, 0},
    /* sets */
    {"[abc]", "b", 1, 1},
    {"[abc]", "d", 0, 0},
    {"[a-c]x", "bx", 1, 1},
    {"[!a-c]", "d", 1, 1},
    {"[!a-c]", "b", 0, 0},
    {"[^a]", "b", 1, 1},
    {"[^a]", "a", 0, 0},
    {"[]]", "]", 1, 1},
    {"[]a]", "a", 1, 1},
    {"[!]]", "a", 1, 1},
    {"[!]]", "]", 0, 0},
    {"[a-]", "-", 1, 1},
    {"[-a]", "-", 1, 1},
    {"[*]", "*", 1, 1},
    {"[*]", "x", 0, 0},
    {"[?]", "a", 0, 0},
    {"[\x80-\xff]", "\xc0", 1, 1},
    {"[a", "[a", 1, 1}, /* refused by glob_check(); here it is itself */
    {"x[0-9][0-9]", "x07", 1, 1},
    {"x[0-9][0-9]", "x7", 0, 0},
    {"*[0-9]", "ab3", 1, 1},
    {"*[0-9]", "3b", 0, 0},
    /* several components */
    {"a/b", "a/b", 2, 2},
    {"a/b", "a/b/c", 2, 2},
    {"a/b", "a", 0, 0},
    {"*/b", "x/b", 2, 2},
    {"*/b", "x/y/b", 0, 0},
    {"a/*/c", "a/b/c/d", 3, 3},
    {"a//b", "a/b", 2, 2},
    /* across components */
    {"**/x", "x", 1, 1},
    {"**/x", "a/x", 2, 2},
    {"**/x", "a/b/x/c", 3, 3},
    {"**/x", "a/b", 0, 0},
    {"**/x", "x/a/x", 1, 3},
    {"**/*.env", "a/b/.env", 3, 3},
    {"**/*.env", "a.env/b/c.env/d", 1, 3},
    {"a/**/b", "a/b", 2, 2},
    {"a/**/b", "a/x/y/b", 4, 4},
    {"a/**/b", "b", 0, 0},
    {"a/**/b", "a/b/b/b", 2, 4},
    {"**/a/**/b", "x/a/y/b", 4, 4},
    {"**/a/**/b", "a/b", 2, 2},
    {"**/a/**/b", "b/a", 0, 0},
    {"**/a/b", "a/a/b", 3, 3},
    {"**/a/a/b", "a/a/a/b", 4, 4},
    {"**/**/x", "a/x", 2, 2},
    {"**", "a/b", 1, 2},
    {"**", "", 0, 0},
    {"a/**", "a", 1, 1},
    {"a/**", "a/b/c", 1, 3},
    {"a/**", "b", 0, 0},
    {"**/a/*", "a/b/a", 2, 2},
    {"**/a/*", "a/b/a/c", 2, 4},
    {"**/node_modules/**/.cache", "p/node_modules/q/.cache/z", 4, 4},
};

static void test_matches(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(matches); i++) {
        size_t s = glob_match_prefix(matches[i].glob, matches[i].rel);
        size_t d = glob_match_deepest(matches[i].glob, matches[i].rel, 0);
        if (s != matches[i].shortest || d != matches[i].deepest)
            fail_msg("%s on %s: shortest %zu (want %zu), deepest %zu (want %zu)", matches[i].glob,
                     matches[i].rel, s, matches[i].shortest, d, matches[i].deepest);
    }
}

static void test_max_depth(void **state)
{
    (void)state;
    assert_int_equal(glob_match_deepest("**/x", "a/b/x", 2), 0);
    assert_int_equal(glob_match_deepest("**/x", "a/b/x", 3), 3);
    assert_int_equal(glob_match_deepest("**/x", "x/b/x", 2), 1);
    assert_int_equal(glob_match_deepest("a/**", "a/b/c/d", 2), 2);
    /* what has no ** is not bounded */
    assert_int_equal(glob_match_deepest("*/*/x", "a/b/x", 1), 3);
}

static const struct {
    const char *glob;
    size_t column;  /* of glob_check() */
    size_t problem; /* of glob_problem() */
} checks[] = {
    {"a*b?[c]", 0, 0}, {"[", 1, 1},     {"a/b[", 4, 4},        {"[]", 1, 1},    {"[!]", 1, 1},
    {"[a/b]", 1, 1},   {"**/[x", 4, 4}, {"[]]", 0, 0},         {"a]", 0, 0},    {"[[]", 0, 0},
    {"[a][", 4, 4},    {"", 0, 0},      {"a**", 0, 2},         {"**a", 0, 1},   {"x/**/y", 0, 0},
    {"x/***", 0, 3},   {"[z-a]", 0, 1}, {"[[:alpha:]]", 0, 1}, {"[a-z]", 0, 0}, {"[**]", 0, 0},
    {"a*b*c", 0, 0},
};

static void test_check(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        size_t column = 0;
        assert_int_equal(glob_check(checks[i].glob), checks[i].column);
        const char *what = glob_problem(checks[i].glob, &column);
        if ((what != NULL) != (checks[i].problem != 0) || column != checks[i].problem)
            fail_msg("%s: %s at %zu, want %zu", checks[i].glob, what ? what : "fine", column,
                     checks[i].problem);
    }
    assert_true(glob_has_wildcard("a/[b"));
    assert_true(glob_has_wildcard("a?"));
    assert_false(glob_has_wildcard("a/b]!"));
    assert_true(glob_is_unbounded("a/**/b"));
    assert_false(glob_is_unbounded("a/*/b"));
}

/* ---- an independent matcher: plain recursion over text cut at slashes ---- */

static bool naive_set(const char *p, unsigned char c, const char **ret_after)
{
    bool neg = p[1] == '!' || p[1] == '^', in = false;
    size_t i = neg ? 2 : 1;
    for (bool first = true; first || p[i] != ']'; first = false) {
        if (p[i + 1] == '-' && p[i + 2] != ']') {
            in |= (unsigned char)p[i] <= c && c <= (unsigned char)p[i + 2];
            i += 3;
        } else {
            in |= (unsigned char)p[i] == c;
            i++;
        }
    }
    *ret_after = p + i + 1;
    return in != neg;
}

/* Does P match the whole of S? Both may hold slashes; `**` components are expanded by recursion. */
static bool naive(const char *p, const char *s, bool start)
{
    if (start && p[0] == '*' && p[1] == '*' && (p[2] == '/' || p[2] == '\0')) {
        if (p[2] == '\0')
            return true;
        if (naive(p + 3, s, true))
            return true;
        const char *slash = strchr(s, '/');
        return slash && naive(p, slash + 1, true);
    }
    if (*s == '\0')
        while (strncmp(p, "/**", 3) == 0 && (p[3] == '/' || p[3] == '\0'))
            p += 3;
    if (*p == '\0')
        return *s == '\0';
    if (*p == '*')
        return naive(p + 1, s, false) || (*s && *s != '/' && naive(p, s + 1, false));
    if (*s == '\0')
        return false;
    if (*p == '/')
        return *s == '/' && naive(p + 1, s + 1, true);
    if (*p == '?')
        return *s != '/' && naive(p + 1, s + 1, false);
    if (*p == '[') {
        const char *after;
        bool in = *s != '/' && naive_set(p, (unsigned char)*s, &after);
        return in && naive(after, s + 1, false);
    }
    return *p == *s && naive(p + 1, s + 1, false);
}

static uint32_t seed = 12345;
static uint32_t rnd(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

static void random_pattern(char *out, size_t cap)
{
    static const char *const pieces[] = {"a", "b", "*", "?", "[ab]", "[!a]", "ab", "*b"};
    size_t n = 0, comps = 1 + rnd(4);
    out[0] = '\0';
    for (size_t i = 0; i < comps; i++) {
        if (i)
            n += (size_t)snprintf(out + n, cap - n, "/");
        if (rnd(4) == 0) {
            n += (size_t)snprintf(out + n, cap - n, "**");
            continue;
        }
        for (size_t k = 1 + rnd(3), star = 0; k > 0; k--) {
            const char *piece = pieces[rnd(ARRAY_LEN(pieces))];
            if (star && piece[0] == '*')
                piece = "a"; /* "**" inside a component is refused before it gets here */
            star = strcmp(piece, "*") == 0;
            n += (size_t)snprintf(out + n, cap - n, "%s", piece);
        }
    }
}

static void random_path(char *out, size_t cap)
{
    size_t n = 0, comps = 1 + rnd(6);
    out[0] = '\0';
    for (size_t i = 0; i < comps; i++) {
        if (i)
            n += (size_t)snprintf(out + n, cap - n, "/");
        for (size_t k = 1 + rnd(3); k > 0; k--)
            n += (size_t)snprintf(out + n, cap - n, "%c", "ab"[rnd(2)]);
    }
}

static void test_against_naive(void **state)
{
    (void)state;
    size_t matched = 0;
    for (unsigned round = 0; round < 60000; round++) {
        char glob[256], rel[256], cut[256];
        size_t shortest = 0, deepest = 0, comps = 0;
        random_pattern(glob, sizeof(glob));
        random_path(rel, sizeof(rel));
        for (size_t i = 0; i <= strlen(rel); i++) {
            if (rel[i] != '/' && rel[i] != '\0')
                continue;
            comps++;
            memcpy(cut, rel, i);
            cut[i] = '\0';
            if (!naive(glob, cut, true))
                continue;
            deepest = comps;
            shortest = shortest ? shortest : comps;
        }
        matched += deepest != 0;
        if (glob_match_prefix(glob, rel) != shortest || glob_match_deepest(glob, rel, 0) != deepest)
            fail_msg("%s on %s: %zu..%zu, want %zu..%zu", glob, rel, glob_match_prefix(glob, rel),
                     glob_match_deepest(glob, rel, 0), shortest, deepest);
    }
    assert_true(matched > 5000);
}

/* Work is bounded by the product of the lengths: these take minutes or longer when it is not. */
static void test_hostile(void **state)
{
    (void)state;
    char glob[4096], rel[4096];
    clock_t start = clock();
    for (size_t i = 0; i + 1 < 400; i += 2)
        memcpy(glob + i, "a*", 2);
    glob[398] = 'b';
    glob[399] = '\0';
    memset(rel, 'a', 4000);
    rel[4000] = '\0';
    assert_int_equal(glob_match_prefix(glob, rel), 0);
    size_t n = 0;
    for (; n + 6 < 4000; n += 5)
        memcpy(glob + n, "**/a/", 5);
    memcpy(glob + n, "b", 2);
    for (size_t i = 0; i < 4000; i += 2)
        memcpy(rel + i, "a/", 2);
    rel[3999] = '\0';
    assert_int_equal(glob_match_prefix(glob, rel), 0);
    assert_int_equal(glob_match_deepest(glob, rel, 0), 0);
    n = 0;
    memcpy(glob, "**/", 3);
    for (n = 3; n + 6 < 2000; n += 4)
        memcpy(glob + n, "*a*/", 4);
    memcpy(glob + n, "b", 2);
    assert_int_equal(glob_match_deepest(glob, rel, 0), 0);
    assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matches), cmocka_unit_test(test_max_depth),
        cmocka_unit_test(test_check),   cmocka_unit_test(test_against_naive),
        cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Trust as tables of cases: entries, where somebody works, what holds and which entry says so. */
#include "config/config.h"
#include "config/trust.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* TEXT's [projects], added to TRUST as if it came from FILE. */
static int add(struct arena *a, struct trust *trust, const char *file, const char *text,
               const char *home, struct error *err)
{
    struct config_layer *layer = arena_zalloc(a, 1, sizeof(*layer));
    struct toml_value *tree;
    assert_non_null(layer);
    *layer = (struct config_layer){.name = "user", .file = file, .text = bytes_of(text)};
    if (config_parse_layer(a, layer, &tree, err) < 0)
        fail_msg("%s: %s", text, err->message);
    return trust_add(a, trust, toml_get(tree, BYTES("projects")), home, err);
}

/* ---- entries ---- */

static void test_add(void **unused)
{
    (void)unused;
    static const struct {
        const char *key, *home, *path; /* path: NULL when it is refused */
        const char *message;
    } rows[] = {
        {"/a/b", "/h", "/a/b", NULL},
        {"/", NULL, "/", NULL},
        {"/a//b/", NULL, "/a/b", NULL},
        {"~", "/h/u", "/h/u", NULL},
        {"~/", "/h/u", "/h/u", NULL},
        {"~/p/q", "/h/u", "/h/u/p/q", NULL},
        {"~/p", "/", "/p", NULL},
        {"/a b.c/...", NULL, "/a b.c/...", NULL},
        {"~/p", NULL, NULL, "there is no home directory"},
        {"~u/p", "/h", NULL, "expected an absolute path"},
        {"a/b", "/h", NULL, "expected an absolute path"},
        {"", "/h", NULL, "expected an absolute path"},
        {"./a", "/h", NULL, "expected an absolute path"},
        {"/a/../b", "/h", NULL, "\".\" and \"..\""},
        {"/a/.", "/h", NULL, "\".\" and \"..\""},
        {"~/../x", "/h", NULL, "\".\" and \"..\""},
        {"/a\\u0000b", "/h", NULL, "NUL"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a = {0};
        struct trust t = {0};
        struct error err = {0};
        const char *text =
            arena_printf(&a, "\n[projects.\"%s\"]\ntrust_level = \"trusted\"\n", rows[i].key);
        int r = add(&a, &t, "/x/trust.toml", text, rows[i].home, &err);
        if (rows[i].path) {
            if (r < 0)
                fail_msg("%s: %s", rows[i].key, err.message);
            assert_int_equal(t.n, 1);
            assert_string_equal(t.v[0].path, rows[i].path);
            assert_int_equal(t.v[0].level, TRUST_TRUSTED);
            assert_false(t.v[0].recursive);
            assert_string_equal(t.v[0].origin.file, "/x/trust.toml");
            assert_int_equal(t.v[0].origin.line, 3);
        } else {
            assert_int_equal(r, -EINVAL);
            if (!strstr(err.message, rows[i].message))
                fail_msg("%s: %s", rows[i].key, err.message);
            assert_string_equal(err.file, "/x/trust.toml");
            assert_int_equal(err.line, 2);
            assert_int_equal(err.column, 11);
            assert_int_equal(t.n, 0);
        }
        arena_release(&a);
    }
}

static void test_values(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *message; /* NULL: fine */
        size_t n;
        enum trust_level level;
        bool recursive;
    } rows[] = {
        {"[projects]\n", NULL, 0, TRUST_NONE, false},
        {"x = 1\n", NULL, 0, TRUST_NONE, false},
        {"[projects.'/a']\n", NULL, 0, TRUST_NONE, false},
        {"[projects.'/a']\nrecursive = true\n", NULL, 0, TRUST_NONE, false},
        {"[projects.'/a']\ntrust_level = 'untrusted'\n", NULL, 1, TRUST_UNTRUSTED, false},
        {"[projects.'/a']\ntrust_level = 'trusted'\nrecursive = false\nlater = 1\n", NULL, 1,
         TRUST_TRUSTED, false},
        {"projects = { '/a' = { recursive = true, trust_level = 'trusted' } }", NULL, 1,
         TRUST_TRUSTED, true},
        {"projects = 1\n", "projects: expected a table", 0, TRUST_NONE, false},
        {"[projects]\n'/a' = 'trusted'\n", "projects.\"/a\": expected a table", 0, TRUST_NONE,
         false},
        {"[projects.'/a']\ntrust_level = 'Trusted'\n", "projects.\"/a\".trust_level: expected", 0,
         TRUST_NONE, false},
        {"[projects.'/a']\ntrust_level = \"trusted\\u0000\"\n", "trust_level: expected", 0,
         TRUST_NONE, false},
        {"[projects.'/a']\ntrust_level = true\n", "trust_level: expected", 0, TRUST_NONE, false},
        {"[projects.'/a']\nrecursive = 'yes'\n", "projects.\"/a\".recursive: expected true", 0,
         TRUST_NONE, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a = {0};
        struct trust t = {0};
        struct error err = {0};
        int r = add(&a, &t, "f", rows[i].text, "/h", &err);
        assert_int_equal(r, rows[i].message ? -EINVAL : 0);
        if (rows[i].message && !strstr(err.message, rows[i].message))
            fail_msg("%s: %s", rows[i].text, err.message);
        assert_int_equal(t.n, rows[i].n);
        if (t.n) {
            assert_int_equal(t.v[0].level, rows[i].level);
            assert_int_equal(t.v[0].recursive, rows[i].recursive);
        }
        arena_release(&a);
    }
    struct arena a = {0};
    struct trust t = {0};
    assert_int_equal(trust_add(&a, &t, NULL, NULL, NULL), 0);
    assert_int_equal(t.n, 0);
    /* A second file's entries come behind the first one's. */
    assert_int_equal(add(&a, &t, "f", "projects.'/a'.trust_level='trusted'\n", NULL, NULL), 0);
    assert_int_equal(add(&a, &t, "g", "projects.'/b'.trust_level='trusted'\n", NULL, NULL), 0);
    assert_int_equal(t.n, 2);
    assert_string_equal(t.v[0].path, "/a");
    assert_string_equal(t.v[1].origin.file, "g");
    arena_release(&a);
}

/* Each allocation fails once: an error, and what was there stays. */
static void test_memory(void **unused)
{
    (void)unused;
    struct arena a = {0};
    struct trust t = {0};
    struct error err = {0};
    struct toml_value *tree;
    struct config_layer layer = {
        .name = "user",
        .file = "f",
        .text = BYTES("[projects.'/a']\ntrust_level='trusted'\n[projects.'/b']\n"
                      "trust_level='untrusted'\n")};
    assert_int_equal(config_parse_layer(&a, &layer, &tree, &err), 0);
    int r = -ENOMEM;
    for (unsigned long n = 1; r == -ENOMEM; n++) {
        struct arena fresh = {0};
        t = (struct trust){0};
        mem_fail_at(n);
        r = trust_add(&fresh, &t, toml_get(tree, BYTES("projects")), NULL, &err);
        mem_fail_at(0);
        assert_int_equal(t.n, r < 0 ? 0 : 2);
        assert_true(r == 0 || n < 10);
        arena_release(&fresh);
    }
    assert_int_equal(r, 0);
    arena_release(&a);
}

/* ---- the decision ---- */

/* Entries are written as words: "+/a" trusted, "-/a" untrusted, "*" behind the sign: recursive. */
static void entries(struct arena *a, struct trust *t, const char *words)
{
    *t = (struct trust){.v = arena_zalloc(a, 16, sizeof(*t->v))};
    assert_non_null(t->v);
    while (*words) {
        size_t n = strcspn(words, " ");
        struct trust_entry *e = &t->v[t->n++];
        bool recursive = words[1] == '*';
        *e = (struct trust_entry){
            .level = words[0] == '+'   ? TRUST_TRUSTED
                     : words[0] == '-' ? TRUST_UNTRUSTED
                                       : TRUST_NONE,
            .recursive = recursive,
            .path = arena_strndup(a, words + 1 + recursive, n - 1 - recursive),
        };
        words += n + (words[n] == ' ');
    }
}

static const struct decision {
    const char *what, *entries, *cwd, *root, *main_repository;
    enum trust_level level;
    int decides; /* which entry; -1: none */
} decisions[] = {
    {"no entries", "", "/p", "/p", "/m", TRUST_NONE, -1},
    {"no entry for it", "+/q -/r", "/p", "/p", NULL, TRUST_NONE, -1},
    {"no project at all", "+/p", "/p", NULL, NULL, TRUST_TRUSTED, 0},

    {"the folder itself", "+/p", "/p", "/p", NULL, TRUST_TRUSTED, 0},
    {"the folder itself, against", "-/p", "/p", "/p", NULL, TRUST_UNTRUSTED, 0},
    {"the folder, not its root", "+/p/s", "/p/s", "/p", NULL, TRUST_TRUSTED, 0},
    {"the folder before its root", "+/p/s -/p", "/p/s", "/p", NULL, TRUST_TRUSTED, 0},
    {"the folder before its root, against", "+/p -/p/s", "/p/s", "/p", NULL, TRUST_UNTRUSTED, 1},
    {"a sibling's entry is none", "+/p/s -/p/t", "/p/u", "/p", NULL, TRUST_NONE, -1},
    {"an entry below is none", "+*/p/s/t", "/p/s", "/p", NULL, TRUST_NONE, -1},

    {"the root", "+/p", "/p/s/t", "/p", NULL, TRUST_TRUSTED, 0},
    {"the root, against", "-/p", "/p/s/t", "/p", NULL, TRUST_UNTRUSTED, 0},
    {"a folder on the way to the root, alone", "+/p/s", "/p/s/t", "/p", NULL, TRUST_NONE, -1},
    {"a folder above the root, alone", "+/h", "/h/p", "/h/p", NULL, TRUST_NONE, -1},
    {"/ is a root", "+/", "/p", "/", NULL, TRUST_TRUSTED, 0},
    {"/ is none", "+/", "/p", "/p", NULL, TRUST_NONE, -1},
    {"/ itself", "+/", "/", "/", NULL, TRUST_TRUSTED, 0},

    {"recursive above", "+*/h", "/h/p/s", "/h/p", NULL, TRUST_TRUSTED, 0},
    {"recursive above, no root there", "+*/h", "/h/p/s", "/h/p/s", NULL, TRUST_TRUSTED, 0},
    {"recursive itself", "+*/h", "/h", "/h", NULL, TRUST_TRUSTED, 0},
    {"recursive /", "+*/", "/h/p", "/h/p", NULL, TRUST_TRUSTED, 0},
    {"recursive between folder and root", "+/p -*/p/s", "/p/s/t", "/p", NULL, TRUST_UNTRUSTED, 1},
    {"the nearest recursive one", "-*/h +*/h/p", "/h/p/s", "/h/p/s", NULL, TRUST_TRUSTED, 1},
    {"the nearest, against", "+*/h/p/s -*/h +*/h", "/h/x", "/h/x", NULL, TRUST_UNTRUSTED, 1},
    {"the root before what is above it", "+*/h -/h/p", "/h/p/s", "/h/p", NULL, TRUST_UNTRUSTED, 1},
    {"and the other way round", "-*/h +/h/p", "/h/p/s", "/h/p", NULL, TRUST_TRUSTED, 1},
    {"but not from a root of its own", "+*/h -/h/p", "/h/p/s", "/h/p/s", NULL, TRUST_TRUSTED, 0},

    {"the main repository", "+/m", "/w/s", "/w", "/m", TRUST_TRUSTED, 0},
    {"the main repository, against", "-/m", "/w/s", "/w", "/m", TRUST_UNTRUSTED, 0},
    {"the root before it", "+/m -/w", "/w/s", "/w", "/m", TRUST_UNTRUSTED, 1},
    {"the folder before it", "+/m -/w/s", "/w/s", "/w", "/m", TRUST_UNTRUSTED, 1},
    {"recursive above before it", "+/m -*/", "/w/s", "/w", "/m", TRUST_UNTRUSTED, 1},
    {"what is above it says nothing", "+*/h", "/w", "/w", "/h/m", TRUST_NONE, -1},
    {"not this one", "+/m", "/w", "/w", "/mm", TRUST_NONE, -1},
    {"not without one", "+/m", "/w", "/w", NULL, TRUST_NONE, -1},

    {"both for one path", "+/p -/p", "/p", "/p", NULL, TRUST_UNTRUSTED, 1},
    {"both, the other order", "-/p +/p", "/p", "/p", NULL, TRUST_UNTRUSTED, 0},
    {"both for the root", "+/p -/p", "/p/s", "/p", NULL, TRUST_UNTRUSTED, 1},
    {"both, recursive", "+*/h -*/h", "/h/p", "/h/p", NULL, TRUST_UNTRUSTED, 1},
    {"both, one of them recursive", "+*/h -/h", "/h/p", "/h/p", NULL, TRUST_UNTRUSTED, 1},
    {"both, the other recursive", "-*/h +/h", "/h/p", "/h/p", NULL, TRUST_UNTRUSTED, 0},
    {"both, neither covers", "-/h +/h", "/h/p", "/h/p", NULL, TRUST_NONE, -1},
    {"both for the main repository", "+/m -/m", "/w", "/w", "/m", TRUST_UNTRUSTED, 1},
    {"twice the same", "+/h +*/h", "/h/p", "/h/p", NULL, TRUST_TRUSTED, 1},

    {"a look-alike behind", "+*/a/b", "/a/bc", "/a/bc", NULL, TRUST_NONE, -1},
    {"a look-alike before", "+*/a/bc", "/a/b", "/a/b", NULL, TRUST_NONE, -1},
    {"a look-alike root", "+/a/b", "/a/bc/d", "/a/bc", NULL, TRUST_NONE, -1},
    {"a look-alike of the main repository", "+/mm", "/w", "/w", "/m", TRUST_NONE, -1},
    {"a look-alike below", "+*/a/b", "/a/bc/b", "/a/bc/b", NULL, TRUST_NONE, -1},
    {"a deep one", "+*/a", "/a/b/c/d/e/f/g", "/a/b/c/d/e/f/g", NULL, TRUST_TRUSTED, 0},
    {"an entry without a level", "?*/a +*/", "/a", "/a", NULL, TRUST_TRUSTED, 1},
};

static void test_decide(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ARRAY_LEN(decisions); i++) {
        const struct decision *d = &decisions[i];
        struct arena a = {0};
        struct trust t;
        const struct trust_entry *e = &(const struct trust_entry){0};
        struct project p = {d->root, true, d->main_repository};
        entries(&a, &t, d->entries);
        enum trust_level level = trust_decide(&t, d->cwd, d->root ? &p : NULL, &e);
        if (level != d->level || (e ? (int)(e - t.v) : -1) != d->decides)
            fail_msg("%s: %s, entry %d", d->what, trust_word(level), e ? (int)(e - t.v) : -1);
        assert_int_equal(trust_decide(&t, d->cwd, d->root ? &p : NULL, NULL), level);
        arena_release(&a);
    }
}

static void test_words(void **unused)
{
    (void)unused;
    assert_string_equal(trust_word(TRUST_TRUSTED), "trusted");
    assert_string_equal(trust_word(TRUST_UNTRUSTED), "untrusted");
    assert_string_equal(trust_word(TRUST_NONE), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add),    cmocka_unit_test(test_values), cmocka_unit_test(test_memory),
        cmocka_unit_test(test_decide), cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

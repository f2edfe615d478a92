/* permissions_check(): tables of profiles and questions, and a second implementation beside it. */
#include "permissions/permissions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define E(p, a)                                                                                    \
    {                                                                                              \
        .path = p, .access = a, .kind = ENTRY_NAMED                                                \
    }
#define G(p, g)                                                                                    \
    {                                                                                              \
        .path = p, .glob = g, .access = ACCESS_NONE, .kind = ENTRY_NAMED                           \
    }
#define PROT(p)                                                                                    \
    {                                                                                              \
        .path = p, .access = ACCESS_READ, .kind = ENTRY_PROTECTED                                  \
    }
#define OWN(p, a)                                                                                  \
    {                                                                                              \
        .path = p, .access = a, .kind = ENTRY_OWN                                                  \
    }
#define END                                                                                        \
    {                                                                                              \
        .path = NULL                                                                               \
    }

struct question {
    const char *path;
    enum access access;
    enum why why;
    int entry; /* index, -1 for none */
};

static const struct {
    const char *what;
    struct perm_entry entries[12];
    struct question questions[14];
} cases[] = {
    {"nothing named is nothing granted",
     {END},
     {{"/", ACCESS_NONE, WHY_DEFAULT, -1}, {"/etc/passwd", ACCESS_NONE, WHY_DEFAULT, -1}}},
    {"the deepest prefix decides",
     {E("/", ACCESS_READ), E("/ws", ACCESS_WRITE), E("/ws/docs", ACCESS_READ),
      E("/ws/docs/out", ACCESS_WRITE), END},
     {{"/", ACCESS_READ, WHY_GRANTED, 0},
      {"/etc", ACCESS_READ, WHY_GRANTED, 0},
      {"/ws", ACCESS_WRITE, WHY_GRANTED, 1},
      {"/ws/a/b", ACCESS_WRITE, WHY_GRANTED, 1},
      {"/ws/docs", ACCESS_READ, WHY_GRANTED, 2},
      {"/ws/docs/x", ACCESS_READ, WHY_GRANTED, 2},
      {"/ws/docs/out/x", ACCESS_WRITE, WHY_GRANTED, 3},
      {"/ws/docs2", ACCESS_WRITE, WHY_GRANTED, 1},
      {"/wsx", ACCESS_READ, WHY_GRANTED, 0}}},
    {"order does not matter",
     {E("/ws/docs", ACCESS_READ), E("/ws", ACCESS_WRITE), E("/", ACCESS_READ), END},
     {{"/ws/docs/x", ACCESS_READ, WHY_GRANTED, 0},
      {"/ws/x", ACCESS_WRITE, WHY_GRANTED, 1},
      {"/x", ACCESS_READ, WHY_GRANTED, 2}}},
    {"at equal depth none over write over read",
     {E("/a", ACCESS_READ), E("/a", ACCESS_WRITE), E("/b", ACCESS_WRITE), E("/b", ACCESS_NONE),
      E("/c", ACCESS_READ), E("/c", ACCESS_NONE), E("/d", ACCESS_NONE), E("/d", ACCESS_READ), END},
     {{"/a", ACCESS_WRITE, WHY_GRANTED, 1},
      {"/b/x", ACCESS_NONE, WHY_MASKED, 3},
      {"/c", ACCESS_NONE, WHY_MASKED, 5},
      {"/d/x", ACCESS_NONE, WHY_MASKED, 6}}},
    {"of two alike the later is reported",
     {E("/a", ACCESS_READ), E("/a", ACCESS_READ), END},
     {{"/a/b", ACCESS_READ, WHY_GRANTED, 1}}},
    {"a deeper entry reopens a mask",
     {E("/", ACCESS_WRITE), E("/home/u/.ssh", ACCESS_NONE),
      E("/home/u/.ssh/known_hosts", ACCESS_READ), E("/home/u/.ssh/sock", ACCESS_WRITE), END},
     {{"/home/u/.ssh", ACCESS_NONE, WHY_MASKED, 1},
      {"/home/u/.ssh/id", ACCESS_NONE, WHY_MASKED, 1},
      {"/home/u/.ssh/known_hosts", ACCESS_READ, WHY_GRANTED, 2},
      {"/home/u/.ssh/sock/x", ACCESS_WRITE, WHY_GRANTED, 3},
      {"/home/u/.sshx", ACCESS_WRITE, WHY_GRANTED, 0}}},
    {"root none",
     {E("/", ACCESS_NONE), E("/usr", ACCESS_READ), END},
     {{"/", ACCESS_NONE, WHY_MASKED, 0},
      {"/etc", ACCESS_NONE, WHY_MASKED, 0},
      {"/usr/bin/true", ACCESS_READ, WHY_GRANTED, 1}}},
    {"globs",
     {E("/", ACCESS_READ), E("/ws", ACCESS_WRITE), G("/ws", "**/*.env"), G("/ws", "*.key"),
      G("/ws/a b", "[xy]?"), END},
     {{"/ws/.env", ACCESS_NONE, WHY_MASKED, 2},
      {"/ws/a/b/p.env", ACCESS_NONE, WHY_MASKED, 2},
      {"/ws/d.env/inside", ACCESS_NONE, WHY_MASKED, 2},
      {"/ws/x.key", ACCESS_NONE, WHY_MASKED, 3},
      {"/ws/sub/x.key", ACCESS_WRITE, WHY_GRANTED, 1},
      {"/ws/a b/x1", ACCESS_NONE, WHY_MASKED, 4},
      {"/ws/a b/z1", ACCESS_WRITE, WHY_GRANTED, 1},
      {"/x.env", ACCESS_READ, WHY_GRANTED, 0},
      {"/ws", ACCESS_WRITE, WHY_GRANTED, 1},
      {"/ws/x.env\xff.env", ACCESS_NONE, WHY_MASKED, 2},
      {"/wsx/.env", ACCESS_READ, WHY_GRANTED, 0}}},
    {"a glob wins at equal depth, loses to deeper entries",
     {E("/ws", ACCESS_WRITE), G("/ws", "**/secret"), E("/ws/secret", ACCESS_WRITE),
      E("/ws/secret/pub", ACCESS_READ), E("/ws/secret/pub/secret", ACCESS_READ), END},
     {{"/ws/secret", ACCESS_NONE, WHY_MASKED, 1},
      {"/ws/secret/x", ACCESS_NONE, WHY_MASKED, 1},
      {"/ws/secret/pub/x", ACCESS_READ, WHY_GRANTED, 3},
      {"/ws/secret/pub/secret/x", ACCESS_NONE, WHY_MASKED, 1}}},
    {"a glob that stands at /",
     {E("/", ACCESS_READ), G("/", "*/shadow"), END},
     {{"/etc/shadow", ACCESS_NONE, WHY_MASKED, 1},
      {"/etc/x/shadow", ACCESS_READ, WHY_GRANTED, 0},
      {"/", ACCESS_READ, WHY_GRANTED, 0}}},
    {"a bounded **",
     {E("/ws", ACCESS_WRITE),
      {.path = "/ws", .glob = "**/k", .access = ACCESS_NONE, .max_depth = 2},
      END},
     {{"/ws/k", ACCESS_NONE, WHY_MASKED, 1},
      {"/ws/a/k/x", ACCESS_NONE, WHY_MASKED, 1},
      {"/ws/a/b/k", ACCESS_WRITE, WHY_GRANTED, 0}}},
    {"protected names, and one that is lifted",
     {E("/ws", ACCESS_WRITE), PROT("/ws/.git"), PROT("/ws/.bawn"), E("/ws/.bawn", ACCESS_WRITE),
      E("/ws/.git/info", ACCESS_WRITE), END},
     {{"/ws/.git", ACCESS_READ, WHY_PROTECTED, 1},
      {"/ws/.git/hooks/pre-commit", ACCESS_READ, WHY_PROTECTED, 1},
      {"/ws/.git/info/exclude", ACCESS_WRITE, WHY_GRANTED, 4},
      {"/ws/.bawn/x", ACCESS_WRITE, WHY_GRANTED, 3},
      {"/ws/.gitignore", ACCESS_WRITE, WHY_GRANTED, 0}}},
    {"bawn's own is a cap: deeper entries do not lift it, and it grants nothing",
     {E("/ws", ACCESS_WRITE), OWN("/ws/home", ACCESS_READ), E("/ws/home/rules", ACCESS_WRITE),
      OWN("/ws/home/auth.json", ACCESS_NONE), E("/ws/home/auth.json", ACCESS_WRITE),
      E("/ws/home/x", ACCESS_NONE), OWN("/etc/bawn", ACCESS_READ), END},
     {{"/ws/home", ACCESS_READ, WHY_PROTECTED, 1},
      {"/ws/home/rules/a", ACCESS_READ, WHY_PROTECTED, 1},
      {"/ws/home/auth.json", ACCESS_NONE, WHY_MASKED, 3},
      {"/ws/home/x", ACCESS_NONE, WHY_MASKED, 5},
      {"/etc/bawn/config.toml", ACCESS_NONE, WHY_DEFAULT, -1},
      {"/ws/y", ACCESS_WRITE, WHY_GRANTED, 0}}},
    {"own under a readable disk",
     {E("/", ACCESS_READ), OWN("/home/u/.bawn", ACCESS_READ), END},
     {{"/home/u/.bawn/rules", ACCESS_READ, WHY_GRANTED, 0}}},
    {"a single file, and /dev/shm",
     {E("/srv/one.txt", ACCESS_WRITE), E("/dev/shm", ACCESS_WRITE), END},
     {{"/srv/one.txt", ACCESS_WRITE, WHY_GRANTED, 0},
      {"/srv/one.txt2", ACCESS_NONE, WHY_DEFAULT, -1},
      {"/srv", ACCESS_NONE, WHY_DEFAULT, -1},
      {"/dev/shm/x", ACCESS_WRITE, WHY_GRANTED, 1}}},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t n = 0;
        while (n < ARRAY_LEN(cases[i].entries) && cases[i].entries[n].path)
            n++;
        struct perm_entry entries[ARRAY_LEN(cases[i].entries)];
        memcpy(entries, cases[i].entries, sizeof(entries));
        struct profile p = {.entries = entries, .n_entries = n};
        for (size_t q = 0; q < ARRAY_LEN(cases[i].questions) && cases[i].questions[q].path; q++) {
            const struct question *want = &cases[i].questions[q];
            struct permission got = permissions_check(&p, want->path);
            int entry = got.entry ? (int)(got.entry - entries) : -1;
            if (got.access != want->access || got.why != want->why || entry != want->entry)
                fail_msg("%s: %s: %s, %s, entry %d; want %s, %s, entry %d", cases[i].what,
                         want->path, access_word(got.access), why_word(got.why), entry,
                         access_word(want->access), why_word(want->why), want->entry);
        }
    }
}

static void test_full_access(void **state)
{
    (void)state;
    struct profile p = {.full_access = true};
    struct permission got = permissions_check(&p, "/etc/shadow");
    assert_int_equal(got.access, ACCESS_WRITE);
    assert_null(got.entry);
}

static void test_sort(void **state)
{
    (void)state;
    struct perm_entry e[] = {E("/b", ACCESS_READ), E("/a", ACCESS_NONE), G("/a", "*"),
                             E("/a", ACCESS_READ), E("/", ACCESS_READ)};
    permissions_sort(e, ARRAY_LEN(e));
    assert_string_equal(e[0].path, "/");
    assert_int_equal(e[1].access, ACCESS_READ);
    assert_int_equal(e[2].access, ACCESS_NONE);
    assert_null(e[2].glob);
    assert_non_null(e[3].glob);
    assert_string_equal(e[4].path, "/b");
}

/* ---- a second implementation: from the deepest prefix of the path upwards ---- */

static bool named_exactly(const struct perm_entry *e, const char *prefix, size_t depth)
{
    size_t n = strlen(e->path);
    if (!e->glob)
        return strcmp(e->path, prefix) == 0;
    if (strcmp(e->path, "/") == 0)
        n = 0;
    if (strncmp(prefix, e->path, n) != 0 || prefix[n] != '/' || prefix[n + 1] == '\0')
        return false;
    /* exactly this prefix: it matches whole, so its deepest match has all its components */
    size_t comps = 0;
    for (const char *s = prefix + n; *s; s++)
        comps += *s == '/';
    (void)depth;
    return glob_match_deepest(e->glob, prefix + n + 1, 0) == comps;
}

static enum access naive(const struct profile *p, const char *path)
{
    char prefix[512];
    size_t n = strlen(path);
    memcpy(prefix, path, n + 1);
    enum access found = ACCESS_NONE, cap = ACCESS_WRITE;
    bool decided = false;
    for (;;) {
        bool none = false, write = false, read = false;
        for (size_t i = 0; i < p->n_entries; i++) {
            const struct perm_entry *e = &p->entries[i];
            if (!named_exactly(e, prefix[0] ? prefix : "/", 0))
                continue;
            if (e->kind == ENTRY_OWN) {
                cap = e->access < cap ? e->access : cap;
                continue;
            }
            none |= e->access == ACCESS_NONE;
            write |= e->access == ACCESS_WRITE;
            read |= e->access == ACCESS_READ;
        }
        if (!decided && (none || write || read)) {
            found = none ? ACCESS_NONE : write ? ACCESS_WRITE : ACCESS_READ;
            decided = true;
        }
        if (prefix[0] == '\0' || strcmp(prefix, "/") == 0)
            break;
        *strrchr(prefix, '/') = '\0';
    }
    return cap < found ? cap : found;
}

static uint32_t seed = 7;
static uint32_t rnd(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

static void random_path(char *out, size_t cap, size_t most)
{
    static const char *const names[] = {"a", "b", "ab", ".git", "a.env", "c"};
    size_t n = 0;
    for (size_t k = rnd((uint32_t)most + 1); k > 0; k--)
        n += (size_t)snprintf(out + n, cap - n, "/%s", names[rnd(ARRAY_LEN(names))]);
    if (n == 0)
        (void)snprintf(out, cap, "/");
}

static void test_against_naive(void **state)
{
    (void)state;
    static const char *const globs[] = {"*", "**/a", "*.env", "**/*.env", "a/*", "a/**/b", "[ab]*"};
    static char paths[24][128];
    size_t counts[3] = {0};
    for (unsigned round = 0; round < 4000; round++) {
        struct perm_entry e[24];
        struct profile p = {.entries = e, .n_entries = rnd(ARRAY_LEN(e)) + 1};
        for (size_t i = 0; i < p.n_entries; i++) {
            random_path(paths[i], sizeof(paths[i]), 4);
            e[i] = (struct perm_entry){.path = paths[i], .access = (enum access)rnd(3)};
            if (e[i].access == ACCESS_NONE && rnd(2))
                e[i].glob = globs[rnd(ARRAY_LEN(globs))];
            else if (rnd(8) == 0)
                e[i].kind = ENTRY_OWN;
        }
        for (unsigned q = 0; q < 20; q++) {
            char path[128];
            random_path(path, sizeof(path), 6);
            enum access got = permissions_check(&p, path).access, want = naive(&p, path);
            counts[got]++;
            if (got != want)
                fail_msg("round %u: %s is %s, want %s", round, path, access_word(got),
                         access_word(want));
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        assert_true(counts[i] > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_full_access),
        cmocka_unit_test(test_sort),
        cmocka_unit_test(test_against_naive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Which file a program is, and whether it can be trusted to be that program: on trees in /tmp. */
#include "rules/program.h"

#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

static char top[] = "/tmp/bawn-program.XXXXXX";

/* In the order they are made; `@` is the tree's directory. A mode of 0 is a link. */
static const struct {
    const char *path;
    mode_t mode;
    const char *target;
} things[] = {
    {"bin", S_IFDIR | 0755, NULL},
    {"bin/git", S_IFREG | 0755, NULL},
    {"bin/plain", S_IFREG | 0644, NULL},
    {"bin/dir", S_IFDIR | 0755, NULL},
    {"bin/open", S_IFREG | 0757, NULL},
    {"bin/dangling", 0, "nowhere"},
    {"bin/loop", 0, "loop"},
    {"bin/into", 0, "../w/tool"}, /* trusted place, file in the workspace */
    {"bin/chain", 0, "@/w/out"},  /* through the workspace and out again */
    {"bin/twice", 0, "./../bin/git"},
    {"bin/absolute", 0, "@/alt/git"},
    {"alt", 0, "bin"},
    {"more", S_IFDIR | 0755, NULL},
    {"more/git", S_IFREG | 0755, NULL},
    {"more/plain", S_IFREG | 0755, NULL},
    {"more/dir", S_IFREG | 0755, NULL},
    {"more/dangling", S_IFREG | 0755, NULL},
    {"more/loop", S_IFREG | 0755, NULL},
    {"w", S_IFDIR | 0755, NULL},
    {"w/tool", S_IFREG | 0755, NULL},
    {"w/git", S_IFREG | 0755, NULL},
    {"w/out", 0, "../bin/git"},
    {"w/sub", S_IFDIR | 0755, NULL},
    {"w/sub/git", S_IFREG | 0755, NULL},
    {"wide", S_IFDIR | 0777, NULL},
    {"wide/git", S_IFREG | 0755, NULL},
    {"sticky", S_IFDIR | 01777, NULL},
    {"sticky/git", S_IFREG | 0755, NULL},
    {"sticky/in", S_IFDIR | 0755, NULL},
    {"sticky/in/git", S_IFREG | 0755, NULL},
    {"group", S_IFDIR | 0775, NULL},
    {"group/git", S_IFREG | 0775, NULL},
    {"w2", S_IFDIR | 0755, NULL}, /* begins as a root does, and is none */
    {"w2/git", S_IFREG | 0755, NULL},
};

static const char *at(const char *rest)
{
    static char ring[8][512];
    static unsigned turn;
    char *to = ring[turn++ % ARRAY_LEN(ring)];
    size_t n = 0;
    for (; *rest && n + sizeof(top) < sizeof(ring[0]); rest++) {
        if (*rest == '@') {
            memcpy(to + n, top, strlen(top));
            n += strlen(top);
        } else {
            to[n++] = *rest;
        }
    }
    to[n] = '\0';
    return to;
}

static const char *below(const char *rest)
{
    static char ring[4][512];
    static unsigned turn;
    char *to = ring[turn++ % ARRAY_LEN(ring)];
    (void)snprintf(to, sizeof(ring[0]), "%s/%s", top, rest);
    return to;
}

static int make(void **state)
{
    (void)state;
    (void)umask(0);
    if (!mkdtemp(top) || chmod(top, 0755) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(things); i++) {
        const char *path = below(things[i].path);
        mode_t mode = things[i].mode;
        int r = !mode           ? symlink(at(things[i].target), path)
                : S_ISDIR(mode) ? mkdir(path, 0700)
                                : mknod(path, S_IFREG | 0600, 0);
        if (r < 0 || (mode && chmod(path, mode & 07777) < 0))
            return -1;
    }
    return 0;
}

static int undo(void **state)
{
    (void)state;
    for (size_t i = ARRAY_LEN(things); i-- > 0;)
        (void)remove(below(things[i].path));
    return rmdir(top);
}

static struct program find(struct arena *a, const char *path, const char *name)
{
    const char *const writable[] = {"/nonexistent", below("w")};
    struct program_request q = {.path = path ? at(path) : NULL,
                                .cwd = below("w"),
                                .writable = writable,
                                .n_writable = ARRAY_LEN(writable),
                                .unjudged = top};
    struct program p;
    assert_int_equal(program_find(a, &q, at(name), &p), 0);
    return p;
}

static const struct {
    const char *path, *name;
    const char *found, *resolved; /* below the tree; NULL: not found */
    const char *problem;          /* a part of it; NULL: trusted */
} cases[] = {
    {"@/bin", "git", "bin/git", "bin/git", NULL},
    {"@/bin:@/more", "git", "bin/git", "bin/git", NULL},
    {"@/more:@/bin", "git", "more/git", "more/git", NULL},
    {"@/nowhere:@/bin/git:@/bin", "git", "bin/git", "bin/git", NULL},
    {"@/bin", "nothing", NULL, NULL, "nothing is not found"},
    {"@/bin", "", NULL, NULL, "not found"},
    /* passed over: not executable, a directory, links to nothing */
    {"@/bin:@/more", "plain", "more/plain", "more/plain", NULL},
    {"@/bin:@/more", "dir", "more/dir", "more/dir", NULL},
    {"@/bin:@/more", "dangling", "more/dangling", "more/dangling", NULL},
    {"@/bin:@/more", "loop", "more/loop", "more/loop", NULL},
    {"@/bin", "plain", NULL, NULL, "not found"},
    /* spelled with a slash: PATH is not asked */
    {"@/more", "@/bin/git", "bin/git", "bin/git", NULL},
    {"@/more", "@//bin/./git", "bin/git", "bin/git", NULL},
    {"@/bin", "@/bin/plain", NULL, NULL, "not found"},
    {"@/bin", "@/bin/", NULL, NULL, "not found"},
    {"@/bin", "/", NULL, NULL, "not found"},
    {"@/bin", "./git", "w/git", "w/git", "lies in the writable root"},
    {"@/bin", "sub/git", "w/sub/git", "w/sub/git", "lies in the writable root"},
    {"@/bin", "../bin/git", "w/../bin/git", "bin/git", "writable root"},
    {"@/bin", "@/w/../bin/git", "w/../bin/git", "bin/git", "writable root"},
    /* entries of PATH that depend on where one stands */
    {"", "git", "w/git", "w/git", "writable root"},
    {":@/bin", "git", "w/git", "w/git", "writable root"},
    {"@/nowhere:", "git", "w/git", "w/git", "writable root"},
    {"@/nowhere::@/bin", "git", "w/git", "w/git", "writable root"},
    {"sub:@/bin", "git", "w/sub/git", "w/sub/git", "writable root"},
    {".:@/bin", "git", "w/git", "w/git", "writable root"},
    {"../bin", "git", "w/../bin/git", "bin/git", "writable root"},
    {"nosuch:@/bin", "git", "bin/git", "bin/git", NULL},
    /* the workspace */
    {"@/w:@/bin", "git", "w/git", "w/git", "/w/git lies in the writable root"},
    {"@/w/sub", "git", "w/sub/git", "w/sub/git", "writable root"},
    {"@/w2", "git", "w2/git", "w2/git", NULL},
    /* links */
    {"@/alt", "git", "alt/git", "bin/git", NULL},
    {"@/bin", "twice", "bin/twice", "bin/git", NULL},
    {"@/bin", "absolute", "bin/absolute", "bin/git", NULL},
    {"@/bin", "into", "bin/into", "w/tool", "/w/tool lies in the writable root"},
    {"@/bin", "chain", "bin/chain", "bin/git", "/w/out lies in the writable root"},
    {"@/w", "out", "w/out", "bin/git", "/w/out lies in the writable root"},
    /* who may write */
    {"@/bin", "open", "bin/open", "bin/open", "/bin/open can be written by others"},
    {"@/wide", "git", "wide/git", "wide/git", "/wide can be written by others"},
    {"@/sticky", "git", "sticky/git", "sticky/git", "/sticky can be written by others"},
    {"@/sticky/in", "git", "sticky/in/git", "sticky/in/git", "/sticky can be written by others"},
};

static void test_find(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_arena_ struct arena a = {0};
        struct program p = find(&a, cases[i].path, cases[i].name);
        print_message("%s in %s: %s\n", cases[i].name, cases[i].path,
                      p.problem ? p.problem : "trusted");
        assert_int_equal(p.trusted, cases[i].problem == NULL);
        assert_int_equal(p.trusted, p.problem == NULL);
        if (p.problem && cases[i].problem)
            assert_non_null(strstr(p.problem, cases[i].problem));
        assert_int_equal(p.path != NULL, cases[i].found != NULL);
        if (!p.path) {
            assert_null(p.resolved);
            continue;
        }
        struct stat st;
        assert_string_equal(p.path, below(cases[i].found));
        assert_string_equal(p.resolved, below(cases[i].resolved));
        assert_int_equal(stat(p.path, &st), 0);
        assert_true(p.dev == st.st_dev && p.ino == st.st_ino);
    }
}

static bool is_trusted(const char *path, const char *name)
{
    _cleanup_arena_ struct arena a = {0};
    return find(&a, path, name).trusted;
}

/* The group of a place may write: nobody else where it is root's or a private one. */
static void test_group(void **state)
{
    (void)state;
    char dir[512], file[512]; /* below() has few places */
    (void)snprintf(dir, sizeof(dir), "%s", below("group"));
    (void)snprintf(file, sizeof(file), "%s", below("group/git"));
    bool private = getegid() == geteuid();
    assert_int_equal(is_trusted("@/group", "git"), private);
    if (geteuid() != 0)
        return; /* the rest needs root */
    static const struct {
        uid_t uid;
        gid_t gid;
        bool trusted;
    } owners[] = {
        {0, 0, true},     {0, 50, true},    {0, 99, true},     {0, 100, false},
        {0, 1000, false}, {1000, 0, false}, {1000, 50, false}, {1000, 1000, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(owners); i++) {
        assert_int_equal(chown(dir, owners[i].uid, owners[i].gid), 0);
        assert_int_equal(is_trusted("@/group", "git"), owners[i].trusted);
        assert_int_equal(chown(dir, 0, 0), 0);
        assert_int_equal(chown(file, owners[i].uid, owners[i].gid), 0);
        assert_int_equal(is_trusted("@/group", "git"), owners[i].trusted);
        assert_int_equal(chown(file, 0, 0), 0);
    }
    /* Ours, and our private group. */
    assert_int_equal(chown(dir, 1000, 1000), 0);
    assert_int_equal(setegid(1000), 0);
    assert_int_equal(seteuid(1000), 0);
    bool ours = is_trusted("@/group", "git");
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(setegid(50), 0);
    assert_int_equal(seteuid(1000), 0);
    bool shared = is_trusted("@/group", "git");
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(setegid(0), 0);
    assert_int_equal(chown(dir, 0, 0), 0);
    assert_true(ours);
    assert_false(shared);
}

/* An access list that lets user 1234 write shows as a group-writable mode. */
static void test_access_list(void **state)
{
    static const struct {
        uint32_t version;
        struct {
            uint16_t tag, perm;
            uint32_t id;
        } entries[5];
    } list = {2,
              {{0x01, 7, UINT32_MAX},
               {0x02, 7, 1234},
               {0x04, 5, UINT32_MAX},
               {0x10, 7, UINT32_MAX},
               {0x20, 5, UINT32_MAX}}};
    char dir[512];
    (void)state;
    (void)snprintf(dir, sizeof(dir), "%s", below("group"));
    bool before = is_trusted("@/group", "git");
    if (setxattr(dir, "system.posix_acl_access", &list, sizeof(list), 0) < 0) {
        assert_int_equal(errno, EOPNOTSUPP); /* this file system has none */
        return;
    }
    bool with = is_trusted("@/group", "git");
    assert_int_equal(removexattr(dir, "system.posix_acl_access"), 0);
    assert_int_equal(chmod(dir, 0775), 0);
    assert_int_equal(before, getegid() == geteuid());
    assert_false(with);
}

/* Somebody else's directory, writable by its owner alone, is still somebody else's. */
static void test_stranger(void **state)
{
    (void)state;
    if (geteuid() != 0)
        return; /* needs root */
    assert_int_equal(chown(below("bin/git"), 1000, 0), 0);
    bool file = is_trusted("@/bin", "git");
    assert_int_equal(chown(below("bin/git"), 0, 0), 0);
    assert_int_equal(chown(below("bin"), 1000, 0), 0);
    bool directory = is_trusted("@/bin", "git");
    bool linked = is_trusted("@/alt", "git");
    assert_int_equal(chown(below("bin"), 0, 0), 0);
    assert_false(file);
    assert_false(directory);
    assert_false(linked);
    assert_true(is_trusted("@/bin", "git"));
}

static void test_links(void **state)
{
    (void)state;
    /* forty links are followed, as the kernel does, and not one more */
    char name[32], target[32];
    for (unsigned i = 0; i <= 41; i++) {
        (void)snprintf(name, sizeof(name), "more/l%u", i);
        (void)snprintf(target, sizeof(target), "l%u", i + 1);
        assert_int_equal(symlink(i == 40 ? "git" : target, below(name)), 0);
    }
    _cleanup_arena_ struct arena a = {0};
    struct program forty = find(&a, "@/more", "l1"), more = find(&a, "@/more", "l0");
    for (unsigned i = 0; i <= 41; i++) {
        (void)snprintf(name, sizeof(name), "more/l%u", i);
        assert_int_equal(unlink(below(name)), 0);
    }
    assert_true(forty.trusted);
    assert_string_equal(forty.resolved, below("more/git"));
    assert_null(more.path); /* not even stat finds it */
}

static void test_defaults(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    struct program_request q = {.cwd = "/"};
    struct program p;
    assert_int_equal(program_find(&a, &q, "sh", &p), 0);
    assert_string_equal(p.path, "/bin/sh"); /* no PATH: the default one */
    struct stat root;
    assert_int_equal(stat("/", &root), 0);
    if (root.st_uid == 0)
        assert_true(p.trusted);
    const char *const all[] = {"/"};
    q.writable = all;
    q.n_writable = 1;
    assert_int_equal(program_find(&a, &q, "sh", &p), 0);
    assert_false(p.trusted); /* everything can be written */
    /* A trusted file by a way that depends on where one stands. */
    q.n_writable = 0;
    q.path = "bin:/nowhere";
    assert_int_equal(program_find(&a, &q, "sh", &p), 0);
    assert_false(p.trusted);
    assert_string_equal(p.problem, "PATH has the relative entry bin");
    q.path = "";
    q.cwd = "/bin";
    assert_int_equal(program_find(&a, &q, "sh", &p), 0);
    assert_string_equal(p.problem, "PATH has the working directory");
    assert_int_equal(program_find(&a, &q, "./sh", &p), 0);
    assert_string_equal(p.problem, "./sh depends on the working directory");
    /* Names and entries that no path has room for. */
    char *huge = arena_zalloc(&a, 1, 10000);
    memset(huge, 'x', 9999);
    assert_int_equal(program_find(&a, &q, huge, &p), 0);
    assert_null(p.path);
    q.path = huge;
    assert_int_equal(program_find(&a, &q, "sh", &p), 0);
    assert_null(p.path);
    huge[5000] = ':';
    memcpy(huge + 5001, "/bin", 5);
    assert_int_equal(program_find(&a, &q, "sh", &p), 0);
    assert_string_equal(p.path, "/bin/sh");
}

static void test_memory(void **state)
{
    (void)state;
    for (unsigned long n = 1;; n++) {
        struct arena a = {0};
        const char *const writable[] = {below("w")};
        struct program_request q = {
            .path = below("w"), .cwd = "/", .writable = writable, .n_writable = 1};
        struct program p = {0};
        mem_fail_at(n);
        int r = program_find(&a, &q, "git", &p);
        mem_fail_at(0);
        arena_release(&a);
        if (r == 0)
            break;
        assert_int_equal(r, -ENOMEM);
        assert_null(p.path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),        cmocka_unit_test(test_group),
        cmocka_unit_test(test_access_list), cmocka_unit_test(test_stranger),
        cmocka_unit_test(test_links),       cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, make, undo);
}

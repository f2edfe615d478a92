/* Refusals: what is counted together, the bounds, the line that would allow it, hostile names. */
#include "sandbox/denials.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/toml.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define E(p, a, k, ...)                                                                            \
    {                                                                                              \
        .path = p, .access = a, .kind = k, .origin = { __VA_ARGS__ }                               \
    }

/* ---- a profile, a plan, a report ---- */

static struct perm_entry entries[] = {
    E("/", ACCESS_READ, ENTRY_BASE, .layer = "default"),
    E("/w", ACCESS_WRITE, ENTRY_NAMED, .layer = "default"),
    E("/w/.git", ACCESS_READ, ENTRY_PROTECTED, .layer = "default"),
    E("/w/.codex", ACCESS_READ, ENTRY_PROTECTED, .layer = "default"),
    E("/w/[x]/.git", ACCESS_READ, ENTRY_PROTECTED, .layer = "default"),
    E("/w/package.json", ACCESS_READ, ENTRY_PROTECTED, .layer = "preset:npm"),
    E("/h/.bawn", ACCESS_READ, ENTRY_OWN, .layer = "default"),
    E("/h/.bawn/trust.toml", ACCESS_NONE, ENTRY_OWN, .layer = "default"),
    E("/h/.ssh", ACCESS_NONE, ENTRY_NAMED, .layer = "user", .file = "/h/c.toml", .line = 7),
    E("/h/.aws", ACCESS_NONE, ENTRY_NAMED, .layer = "preset:secrets"),
    E("/h/masked", ACCESS_NONE, ENTRY_NAMED, .layer = "flag", .file = "-P"),
};

static struct profile profile_of(const char *name, const char *mode)
{
    return (struct profile){
        .name = name, .mode = mode, .entries = entries, .n_entries = ARRAY_LEN(entries)};
}

struct fixture {
    struct profile profile;
    struct plan plan;
    struct denials d;
};

static void make(struct fixture *f, const char *name, const char *mode)
{
    *f = (struct fixture){.profile = profile_of(name, mode)};
    f->plan = (struct plan){.profile = &f->profile, .workspace = "/w"};
    f->d = (struct denials){.plan = &f->plan, .status_fd = -1};
}

static int memory_file(void)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static const char *text_of(int fd, struct strbuf *out)
{
    strbuf_clear(out);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(fd_read_all(fd, 1u << 26, out), 0);
    return strbuf_text(out);
}

/* What denials_report() says on stderr. */
static const char *report(struct fixture *f, const struct run_options *options, struct strbuf *out)
{
    _cleanup_fd_ int fd = memory_file();
    int saved = fcntl(2, F_DUPFD_CLOEXEC, 10);
    assert_true(saved >= 0 && dup2(fd, 2) == 2);
    denials_report(&f->d, options, 0);
    assert_true(dup2(saved, 2) == 2);
    fd_close(saved);
    return text_of(fd, out);
}

static size_t count_of(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, what)); p += strlen(what))
        n++;
    return n;
}

/* ---- what is counted together ---- */

static void test_grouping(void **state)
{
    (void)state;
    _cleanup_strbuf_ struct strbuf said = {0};
    struct fixture f;
    make(&f, ":workspace", "workspace-write");
    const struct run_options plain = {0}, quiet = {.quiet = true}, json = {.json = true};
    assert_string_equal(report(&f, &plain, &said), "bawn: nothing was refused\n");
    assert_string_equal(report(&f, &quiet, &said), "");
    assert_string_equal(report(&f, &json, &said), "");

    for (int i = 0; i < 3; i++)
        denials_file(&f.d, "/etc/x", ACCESS_WRITE, 10 + i, "/usr/bin/touch");
    denials_file(&f.d, "/etc/x", ACCESS_READ, 20, "/usr/bin/cat");  /* another access */
    denials_socket(&f.d, "/etc/x", "network off", "", 21, NULL);    /* another kind */
    denials_syscall(&f.d, "/etc/x", "the filter", NULL, 22, "ptr"); /* and another */
    denials_limit(&f.d, "wall_seconds", "limits.wall_seconds = 10");
    denials_limit(&f.d, "wall_seconds", "limits.wall_seconds = 10");
    assert_int_equal(f.d.list.n, 5);
    assert_int_equal(f.d.list.v[0].count, 3);
    assert_int_equal(f.d.list.v[0].pid, 10); /* the first of them */
    assert_int_equal(f.d.list.v[4].count, 2);
    assert_string_equal(
        report(&f, &plain, &said),
        "bawn: 8 refused (5 different):\n"
        "bawn:   write /etc/x (3 times) by touch[10]\n"
        "bawn:     refused by / = \"read\" (default)\n"
        "bawn:     allowed by  sandbox_workspace_write.writable_roots = [\"/etc\"]\n"
        "bawn:   read /etc/x by cat[20]\n"
        "bawn:     refused by / = \"read\" (default)\n"
        "bawn:     allowed by  sandbox_workspace_write.writable_roots = [\"/etc\"]\n"
        "bawn:   connect to /etc/x\n"
        "bawn:     refused by network off\n"
        "bawn:   call /etc/x by ptr[22]\n"
        "bawn:     refused by the filter\n"
        "bawn:   limit wall_seconds (2 times)\n"
        "bawn:     refused by [limits]\n"
        "bawn:     allowed by  limits.wall_seconds = 10\n");
    assert_string_equal(report(&f, &quiet, &said), "");
    assert_int_equal(count_of(report(&f, &json, &said), "\n"), 5);
    assert_int_equal(count_of(strbuf_text(&said), "{\"event\":\"denied\",\"kind\":"), 5);
    denials_release(&f.d);
}

/* ---- bounds ---- */

static void test_caps(void **state)
{
    (void)state;
    _cleanup_strbuf_ struct strbuf said = {0};
    struct fixture f;
    char path[32];
    const struct run_options plain = {0};
    make(&f, ":workspace", "workspace-write");
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(path, sizeof(path), "/etc/%u", i);
        denials_file(&f.d, path, ACCESS_WRITE, 1, "");
    }
    assert_int_equal(count_of(report(&f, &plain, &said), "bawn:   write"), 20);
    assert_null(strstr(strbuf_text(&said), "more"));
    for (unsigned i = 20; i < 1005; i++) {
        (void)snprintf(path, sizeof(path), "/etc/%u", i);
        denials_file(&f.d, path, ACCESS_WRITE, 1, "");
    }
    denials_file(&f.d, "/etc/1004", ACCESS_WRITE, 1, ""); /* not known: is it the same? */
    denials_file(&f.d, "/etc/0", ACCESS_WRITE, 1, "");    /* known, and counted as ever */
    assert_int_equal(f.d.list.n, 1000);
    assert_int_equal(f.d.more, 6);
    assert_int_equal(f.d.list.v[0].count, 2);
    const char *text = report(&f, &plain, &said);
    assert_true(str_starts(text, "bawn: 1007 refused (at least 1000 different):\n"));
    assert_int_equal(count_of(text, "bawn:   write"), 20);
    assert_non_null(strstr(text, "\nbawn:   and 980 more: `bawn denials`\n"));
    denials_release(&f.d);
}

/* ---- the line that would allow it ---- */

#define EXTENDS "  with extends = \":workspace\", chosen by -P NAME"

static void test_hints(void **state)
{
    (void)state;
    static const struct {
        const char *profile, *mode, *path;
        enum access wanted;
        const char *hint;
    } rows[] = {
        {":workspace", "workspace-write", "/etc/f", ACCESS_WRITE,
         "sandbox_workspace_write.writable_roots = [\"/etc\"]"},
        {":workspace", "workspace-write", "/f", ACCESS_WRITE,
         "sandbox_workspace_write.writable_roots = [\"/\"]"},
        {":read-only", "read-only", "/w/f", ACCESS_WRITE, "--sandbox workspace-write"},
        {":read-only", "read-only", "/etc/f", ACCESS_WRITE,
         "--sandbox workspace-write --add-dir /etc"},
        {":read-only", "read-only", "/a b's/f", ACCESS_WRITE,
         "--sandbox workspace-write --add-dir '/a b'\\''s'"},
        {"mine", "custom", "/etc/f", ACCESS_WRITE,
         "[permissions.mine.filesystem]  \"/etc/f\" = \"write\""},
        {"my own", "custom", "/etc/f", ACCESS_READ,
         "[permissions.\"my own\".filesystem]  \"/etc/f\" = \"read\""},
        /* A wildcard is one in a key: the nearest directory that can be said. */
        {"mine", "custom", "/etc/a/[id].x", ACCESS_READ,
         "[permissions.mine.filesystem]  \"/etc/a\" = \"read\""},
        {"mine", "custom", "/*/b", ACCESS_READ, "[permissions.mine.filesystem]  \"/\" = \"read\""},
        {":workspace", "workspace-write", "/etc/[a]/b", ACCESS_WRITE,
         "sandbox_workspace_write.writable_roots = [\"/etc/[a]\"]"},
        {":workspace", "workspace-write", "/w/.git/config", ACCESS_WRITE,
         "[permissions.NAME]  include = [\"git\"]" EXTENDS " (commits), or "
         "[permissions.NAME.filesystem]  \"/w/.git\" = \"write\"" EXTENDS},
        {"mine", "workspace-write", "/w/.git/config", ACCESS_WRITE,
         "[permissions.mine]  include = [\"git\"] (commits), or "
         "[permissions.mine.filesystem]  \"/w/.git\" = \"write\""},
        {":workspace", "workspace-write", "/w/.codex", ACCESS_WRITE,
         "[permissions.NAME.filesystem]  \"/w/.codex\" = \"write\"" EXTENDS},
        {"mine", "workspace-write", "/w/[x]/.git/hooks", ACCESS_WRITE,
         "no line: its path cannot stand in a profile (wildcards, or not UTF-8)"},
        {"mine", "workspace-write", "/w/package.json", ACCESS_WRITE,
         "[permissions.mine.filesystem]  \"/w/package.json\" = \"write\""},
        {"mine", "custom", "/h/.bawn/config.toml", ACCESS_WRITE, "nothing: it is bawn's own"},
        {"mine", "custom", "/h/.bawn/trust.toml", ACCESS_READ, "nothing: it is bawn's own"},
        {"mine", "custom", "/h/.ssh/id", ACCESS_READ, "/h/c.toml:7  \"read\" instead of \"none\""},
        {"mine", "custom", "/h/.ssh/id", ACCESS_WRITE,
         "/h/c.toml:7  \"write\" instead of \"none\""},
        {"mine", "custom", "/h/.aws", ACCESS_READ, "include = [\xe2\x80\xa6] without \"secrets\""},
        {"mine", "custom", "/h/masked", ACCESS_READ, "another profile: -P NAME"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture f;
        make(&f, rows[i].profile, rows[i].mode);
        denials_file(&f.d, rows[i].path, rows[i].wanted, 1, "");
        assert_int_equal(f.d.list.n, 1);
        if (!str_eq(f.d.list.v[0].hint, rows[i].hint))
            fail_msg("%s, %s: %s", rows[i].profile, rows[i].path, f.d.list.v[0].hint);
        denials_release(&f.d);
    }
}

static void test_network_hints(void **state)
{
    (void)state;
    static const struct {
        const char *profile, *mode, *hint;
    } rows[] = {
        {":workspace", "workspace-write", "sandbox_workspace_write.network_access = true"},
        {":read-only", "read-only",
         "[permissions.NAME.network]  enabled = true  with extends = \":read-only\", chosen by "
         "-P NAME"},
        {"mine", "custom", "[permissions.mine.network]  enabled = true"},
        {"my.own", "custom", "[permissions.\"my.own\".network]  enabled = true"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_strbuf_ struct strbuf hint = {0};
        struct fixture f;
        make(&f, rows[i].profile, rows[i].mode);
        denials_network_hint(&f.plan, &hint);
        assert_string_equal(strbuf_text(&hint), rows[i].hint);
    }
}

/* ---- hostile names ---- */

static const char *const hostile[] = {
    "/etc/new\nbawn: line",
    "/etc/\x1b[31mred\x1b]0;title\x07",
    "/etc/\xc2\x9b"
    "31m",
    "/etc/txt.\xe2\x80\xae"
    "exe\xe2\x81\xa6",
    "/etc/quote\"back\\slash",
    "/etc/\xf3\xa0\x81\x81tag",
    "/etc/sub\x7f/\xff\xfe/f",
    "/etc/tab\t\r",
};

/* Every line begins as ours do, and nothing in it steers a terminal. */
static void check_shown(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    for (size_t i = 0, n = strlen(text), len; i < n; i += len) {
        uint32_t c = 0;
        len = utf8_decode(p + i, n - i, &c);
        assert_true(len > 0 && (c == '\n' || !utf8_deceives(c)));
        if (c == '\n')
            assert_true(p[i + 1] == '\0' || str_starts(text + i + 1, "bawn:   ") ||
                        str_starts(text + i + 1, "{\"event\":"));
    }
}

/* The key of a hint of a profile of one's own, as TOML reads it. */
static void check_key(const char *hint, const char *path)
{
    _cleanup_arena_ struct arena a = {0};
    struct toml_value *table;
    const char *line = strstr(hint, "]  ");
    assert_non_null(line);
    assert_int_equal(toml_parse(&a, "hint", bytes_of(line + 3), TOML_1_0, &table, NULL), 0);
    const char *key = table->table.first->key.p;
    size_t n = strlen(key);
    /* The path itself or a directory above it. */
    assert_true(strncmp(path, key, n) == 0 && (path[n] == '\0' || path[n] == '/'));
    assert_true(path[n] == '\0' || strchr(path, '\xff') || strchr(path, '['));
}

static void test_hostile(void **state)
{
    (void)state;
    _cleanup_strbuf_ struct strbuf said = {0};
    struct fixture f;
    make(&f, "mine", "custom");
    f.d.status_fd = memory_file();
    for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
        denials_file(&f.d, hostile[i], ACCESS_READ, 1, hostile[i]);
        check_key(f.d.list.v[f.d.list.n - 1].hint, hostile[i]);
        denials_socket(&f.d, hostile[i], "r", hostile[i], 1, hostile[i]);
    }
    const struct run_options plain = {0}, json = {.json = true};
    check_shown(report(&f, &plain, &said));
    assert_int_equal(count_of(strbuf_text(&said), "\n"), 1 + 3 * 2 * ARRAY_LEN(hostile));
    check_shown(report(&f, &json, &said));
    assert_int_equal(count_of(strbuf_text(&said), "\n"), 2 * ARRAY_LEN(hostile));
    assert_non_null(strstr(strbuf_text(&said), "\"path\":\"/etc/new\\nbawn: line\""));
    assert_non_null(strstr(strbuf_text(&said), "\"path\":\"/etc/\\u009b31m\""));
    assert_non_null(strstr(strbuf_text(&said), "\"path\":\"/etc/sub\\u007f/\\udcff\\udcfe/f\""));
    /* The same lines went to --status-fd, each when it was new. */
    _cleanup_strbuf_ struct strbuf status = {0};
    assert_string_equal(text_of(f.d.status_fd, &status), strbuf_text(&said));
    denials_file(&f.d, hostile[0], ACCESS_READ, 2, "");
    assert_string_equal(text_of(f.d.status_fd, &status), strbuf_text(&said));
    fd_close(f.d.status_fd);
    denials_release(&f.d);
}

/* ---- the record ---- */

static void test_record(void **state)
{
    (void)state;
    char dir[] = "/tmp/bawn-denials.XXXXXX", path[64], other[64];
    _cleanup_strbuf_ struct strbuf said = {0}, text = {0};
    struct fixture f;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/denials.jsonl", dir);
    (void)snprintf(other, sizeof(other), "%s/other", dir);
    const struct run_options options = {.state_dir = dir, .quiet = true};
    make(&f, "mine", "custom");
    (void)report(&f, &options, &said);
    assert_int_equal(access(path, F_OK), -1); /* nothing to write down */

    denials_file(&f.d, "/h/.ssh/id", ACCESS_READ, 5, "/bin/cat");
    denials_file(&f.d, "/h/.ssh/id", ACCESS_READ, 6, "/bin/cat");
    for (int i = 0; i < 2; i++)
        assert_string_equal(report(&f, &options, &said), "");
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(path_read_file(AT_FDCWD, path, 1u << 20, &text, NULL), 0);
    assert_int_equal(count_of(strbuf_text(&text), "\n"), 2); /* appended */
    assert_int_equal(count_of(strbuf_text(&text), "\"path\":\"/h/.ssh/id\",\"access\":\"read\","),
                     2);
    assert_int_equal(count_of(strbuf_text(&text), "\"file\":\"/h/c.toml\",\"line\":7,"), 2);
    assert_int_equal(count_of(strbuf_text(&text), "\"count\":2}"), 2);
    assert_int_equal(count_of(strbuf_text(&text), "{\"event\":\"denied\",\"time\":\"2"), 2);

    /* Past its bound it starts anew. */
    assert_int_equal(truncate(path, 4 * 1024 * 1024 + 1), 0);
    (void)report(&f, &options, &said);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, text.n / 2);

    /* What is not an ordinary file of ours is left alone, and nobody waits for it. */
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(symlink(other, path), 0);
    (void)report(&f, &options, &said);
    assert_int_equal(stat(other, &st), 0);
    assert_int_equal(st.st_size, text.n / 2);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    (void)report(&f, &options, &said);
    denials_release(&f.d);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(unlink(other), 0);
    assert_int_equal(rmdir(dir), 0);
}

/* Without memory refusals are lost, counted, and nothing else. */
static void test_no_memory(void **state)
{
    (void)state;
    for (unsigned long n = 1; n < 12; n++) {
        _cleanup_strbuf_ struct strbuf said = {0};
        struct fixture f;
        make(&f, "mine", "custom");
        mem_fail_at(n);
        denials_file(&f.d, "/etc/f", ACCESS_READ, 1, "x");
        mem_fail_at(0);
        assert_int_equal(f.d.list.n + f.d.more, 1);
        const struct run_options plain = {0};
        assert_true(str_starts(report(&f, &plain, &said), "bawn: 1 refused ("));
        denials_release(&f.d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grouping),  cmocka_unit_test(test_caps),
        cmocka_unit_test(test_hints),     cmocka_unit_test(test_network_hints),
        cmocka_unit_test(test_hostile),   cmocka_unit_test(test_record),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

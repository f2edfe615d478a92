/*
 * The survey against real trees: entries, links, missing names, hard links, globs (with random
 * trees and patterns against a naive walk), `.git` files and nested repositories.
 */
#include "base/fd.h"
#include "base/path.h"
#include "sandbox/journal.h"
#include "sandbox/survey_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- a scratch tree and a profile over it ---- */

#define MAX_ENTRIES 32

struct world {
    struct arena a;
    char root[64];
    struct perm_entry entries[MAX_ENTRIES];
    struct profile profile;
    struct config config;
    const char *roots[2];
    const char *state_dir;
    bool dry_run;
    struct survey s;
    struct error err;
};

static void make_world(struct world *w)
{
    *w = (struct world){0};
    (void)snprintf(w->root, sizeof(w->root), "/tmp/bawn-test-survey-XXXXXX");
    assert_non_null(mkdtemp(w->root));
    assert_return_code(chmod(w->root, 0755), errno);
    w->profile.entries = w->entries;
    w->profile.roots = w->roots;
    w->config.nested_repo_depth = 4;
    w->config.nested_repo_count = 256;
}

static void remove_tree(int dirfd, const char *name)
{
    if (unlinkat(dirfd, name, 0) == 0 || unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
        return;
    /* One that a test shut; where it does not work, the removal says so by leaving something. */
    if (fchmodat(dirfd, name, 0700, 0) < 0)
        return;
    int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    for (struct dirent *e; d && (e = readdir(d));)
        if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
            remove_tree(fd, e->d_name);
    if (d)
        (void)closedir(d);
    (void)unlinkat(dirfd, name, AT_REMOVEDIR);
}

static void drop_world(struct world *w)
{
    remove_tree(AT_FDCWD, w->root);
    arena_release(&w->a);
}

/* REL below the scratch root. */
static const char *at(struct world *w, const char *rel)
{
    char *p = rel[0] ? arena_printf(&w->a, "%s/%s", w->root, rel) : arena_strdup(&w->a, w->root);
    assert_non_null(p);
    return p;
}

static void dir(struct world *w, const char *rel)
{
    assert_return_code(path_mkdirs(at(w, rel), 0755), 0);
}

static void put(struct world *w, const char *rel, const char *text)
{
    const char *path = at(w, rel);
    assert_return_code(path_mkdirs(path_parent(&w->a, path), 0755), 0);
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
    fd_close(fd);
}

static void ln(struct world *w, const char *target, const char *rel)
{
    const char *path = at(w, rel);
    assert_return_code(path_mkdirs(path_parent(&w->a, path), 0755), 0);
    assert_return_code(symlink(target, path), errno);
}

static struct perm_entry *entry(struct world *w, const char *rel, enum access access,
                                enum entry_kind kind)
{
    struct perm_entry *e = &w->entries[w->profile.n_entries++];
    assert_true(w->profile.n_entries <= MAX_ENTRIES);
    *e = (struct perm_entry){
        .path = rel[0] == '/' ? rel : at(w, rel), .access = access, .kind = kind, .written = rel};
    return e;
}

static struct perm_entry *glob(struct world *w, const char *rel, const char *pattern)
{
    struct perm_entry *e = entry(w, rel, ACCESS_NONE, ENTRY_NAMED);
    e->glob = pattern;
    return e;
}

/* `ws` below the scratch root is the writable workspace. */
static void workspace(struct world *w)
{
    dir(w, "ws");
    entry(w, "/", ACCESS_READ, ENTRY_BASE);
    entry(w, "ws", ACCESS_WRITE, ENTRY_NAMED);
    w->roots[0] = at(w, "ws");
    w->profile.n_roots = 1;
}

static int look(struct world *w)
{
    struct survey_request request = {&w->config, &w->profile, w->state_dir, w->dry_run};
    w->err = (struct error){0};
    return survey_look(&w->a, &request, &w->s, &w->err);
}

static void look_ok(struct world *w)
{
    int r = look(w);
    if (r < 0)
        print_error("%s\n", w->err.message);
    assert_int_equal(r, 0);
}

static const struct survey_item *find(struct world *w, const char *rel)
{
    const char *path = rel[0] == '/' ? rel : at(w, rel);
    for (size_t i = 0; i < w->s.n_items; i++)
        if (str_eq(w->s.items[i].path, path))
            return &w->s.items[i];
    return NULL;
}

static const struct survey_item *need(struct world *w, const char *rel)
{
    const struct survey_item *item = find(w, rel);
    if (!item)
        print_error("no item for %s\n", rel);
    assert_non_null(item);
    return item;
}

static bool warned(const struct world *w, const char *word)
{
    for (size_t i = 0; i < w->s.n_warnings; i++)
        if (strstr(w->s.warnings[i], word))
            return true;
    return false;
}

/* An extra entry stands for REL: read-only, of KIND, and the item points into `extra`. */
static void need_extra(struct world *w, const char *rel, enum entry_kind kind)
{
    const struct survey_item *item = need(w, rel);
    assert_true(item->entry >= w->s.extra && item->entry < w->s.extra + w->s.n_extra);
    assert_int_equal(item->entry->kind, kind);
    assert_int_equal(item->entry->access, ACCESS_READ);
    assert_string_equal(item->entry->path, item->path);
}

/* ---- entries ---- */

static void test_existing(void **unused)
{
    (void)unused;
    struct world w;
    make_world(&w);
    workspace(&w);
    put(&w, "ws/file", "");
    assert_return_code(mkfifo(at(&w, "ws/fifo"), 0600), errno);
    entry(&w, "ws/file", ACCESS_READ, ENTRY_NAMED);
    entry(&w, "ws/fifo", ACCESS_NONE, ENTRY_NAMED);
    look_ok(&w);
    struct stat st;
    assert_return_code(stat(at(&w, "ws/file"), &st), errno);
    const struct survey_item *item = need(&w, "ws/file");
    assert_int_equal(item->kind, FILE_REGULAR);
    assert_true(item->dev == st.st_dev && item->ino == st.st_ino && item->nlink == 1);
    assert_int_equal(need(&w, "ws/fifo")->kind, FILE_OTHER);
    assert_int_equal(need(&w, "ws")->kind, FILE_DIRECTORY);
    assert_int_equal(need(&w, "/")->kind, FILE_DIRECTORY);
    assert_int_equal(w.s.n_warnings, 0);
    assert_int_equal(w.s.n_extra, 0);
    drop_world(&w);
}

static void test_links(void **unused)
{
    (void)unused;
    struct world w;
    make_world(&w);
    workspace(&w);
    put(&w, "outside/real/secret", "");
    ln(&w, "../outside/hop", "ws/.aws");
    ln(&w, "real", "outside/hop");
    ln(&w, "../outside/real", "ws/way");
    ln(&w, "self", "ws/self");
    ln(&w, "nowhere/deep", "ws/dangling");
    entry(&w, "ws/.aws", ACCESS_READ, ENTRY_PROTECTED);
    entry(&w, "ws/way/secret", ACCESS_NONE, ENTRY_NAMED);
    entry(&w, "ws/self", ACCESS_NONE, ENTRY_NAMED);
    entry(&w, "ws/dangling", ACCESS_NONE, ENTRY_NAMED);
    look_ok(&w);
    const struct survey_item *link = need(&w, "ws/.aws");
    assert_true(link->is_link && link->kind == FILE_SYMLINK);
    assert_ptr_equal(link->entry, &w.entries[2]);
    const struct survey_item *target = need(&w, "outside/real");
    assert_true(!target->is_link && target->kind == FILE_DIRECTORY);
    assert_null(find(&w, "outside/hop")); /* the command cannot replace that one */
    /* On the way to a masked file, in a place the command can write. */
    need_extra(&w, "ws/way", ENTRY_PROTECTED);
    assert_true(need(&w, "ws/way")->is_link);
    assert_int_equal(need(&w, "outside/real/secret")->entry->access, ACCESS_NONE);
    assert_true(need(&w, "ws/self")->is_link);
    assert_true(need(&w, "ws/dangling")->is_link);
    assert_int_equal(need(&w, "ws/nowhere/deep")->missing, 2);
    drop_world(&w);
}

static void test_link_chain_inside(void **unused)
{
    (void)unused;
    struct world w;
    make_world(&w);
    workspace(&w);
    put(&w, "ws/c/.git/HEAD", "");
    ln(&w, "b", "ws/a");
    ln(&w, "c/../c", "ws/b");
    entry(&w, "ws/a/.git", ACCESS_READ, ENTRY_PROTECTED);
    w.config.nested_repo_depth = 0;
    look_ok(&w);
    need_extra(&w, "ws/a", ENTRY_PROTECTED);
    need_extra(&w, "ws/b", ENTRY_PROTECTED);
    assert_int_equal(need(&w, "ws/c/.git")->kind, FILE_DIRECTORY);
    drop_world(&w);
}

static void test_missing(void **unused)
{
    (void)unused;
    struct world w;
    make_world(&w);
    workspace(&w);
    entry(&w, "ws/.git", ACCESS_READ, ENTRY_PROTECTED);
    entry(&w, "ws/.vscode/tasks.json", ACCESS_READ, ENTRY_PROTECTED);
    entry(&w, "ws/.claude", ACCESS_READ, ENTRY_PROTECTED)->if_exists = true;
    entry(&w, "ws/a/b/c", ACCESS_NONE, ENTRY_NAMED);
    entry(&w, "cache", ACCESS_WRITE, ENTRY_NAMED);
    entry(&w, "base", ACCESS_READ, ENTRY_BASE);
    entry(&w, "made/deep", ACCESS_WRITE, ENTRY_NAMED)->create = true;
    entry(&w, "made/deep/.git", ACCESS_READ, ENTRY_PROTECTED);
    w.dry_run = true;
    look_ok(&w);
    assert_int_equal(need(&w, "made/deep")->kind, FILE_DIRECTORY);
    assert_int_equal(need(&w, "made/deep")->missing, 2);
    assert_int_equal(access(at(&w, "made"), F_OK), -1);
    w.dry_run = false;
    look_ok(&w);
    assert_int_equal(need(&w, "ws/.git")->missing, 1);
    assert_int_equal(need(&w, "ws/.git")->kind, FILE_MISSING);
    assert_int_equal(need(&w, "ws/.vscode/tasks.json")->missing, 2);
    assert_null(find(&w, "ws/.claude"));
    assert_int_equal(need(&w, "ws/a/b/c")->missing, 3);
    assert_null(find(&w, "cache"));
    assert_true(warned(&w, "/cache does not exist"));
    assert_null(find(&w, "base"));
    assert_int_equal(need(&w, "made/deep")->missing, 0);
    assert_true(need(&w, "made/deep")->ino != 0);
    assert_int_equal(need(&w, "made/deep/.git")->missing, 1);
    assert_true(warned(&w, "made the directory"));
    assert_int_equal(w.s.n_warnings, 2);
    struct stat st;
    assert_return_code(stat(at(&w, "made/deep"), &st), errno);
    assert_int_equal(st.st_mode & 0777 & ~0022, 0755);
    drop_world(&w);
}

static void test_file_in_the_way(void **unused)
{
    (void)unused;
    struct world w;
    make_world(&w);
    workspace(&w);
    put(&w, "ws/.vscode", "no directory");
    put(&w, "outside", "");
    entry(&w, "ws/.vscode/tasks.json", ACCESS_READ, ENTRY_PROTECTED);
    entry(&w, "outside/x", ACCESS_NONE, ENTRY_NAMED);
    entry(&w, "outside/y", ACCESS_WRITE, ENTRY_NAMED);
    look_ok(&w);
    need_extra(&w, "ws/.vscode", ENTRY_PROTECTED);
    assert_null(find(&w, "outside"));
    assert_true(warned(&w, "outside/y cannot exist"));
    drop_world(&w);
}

static void test_hard_links(void **unused)
{
    (void)unused;
    struct world w;
    make_world(&w);
    workspace(&w);
    put(&w, "ws/.mcp.json", "");
    put(&w, "ws/prod.env", "");
    put(&w, "ws/plain", "");
    assert_return_code(link(at(&w, "ws/.mcp.json"), at(&w, "ws/other")), errno);
    assert_return_code(link(at(&w, "ws/prod.env"), at(&w, "ws/copy")), errno);
    assert_return_code(link(at(&w, "ws/plain"), at(&w, "ws/plain2")), errno);
    entry(&w, "ws/.mcp.json", ACCESS_READ, ENTRY_PROTECTED);
    entry(&w, "ws/plain", ACCESS_READ, ENTRY_NAMED);
    glob(&w, "ws", "*.env");
    look_ok(&w);
    assert_int_equal(w.s.n_warnings, 2);
    assert_true(warned(&w, ".mcp.json is protected, but has 2 hard links"));
    assert_true(warned(&w, "prod.env is masked, but has 2 hard links"));
    w.config.strict_hardlinks = true;
    assert_int_equal(look(&w), -EMLINK);
    assert_non_null(strstr(w.err.message, ".mcp.json"));
    drop_world(&w);
}

static void test_placeholders_are_missing(void **unused)
{
    (void)unused;
    struct world w;
    make_world(&w);
    workspace(&w);
    entry(&w, "ws/.git", ACCESS_READ, ENTRY_PROTECTED);
    entry(&w, "ws/.vscode/tasks.json", ACCESS_READ, ENTRY_PROTECTED);
    entry(&w, "ws/.aws", ACCESS_READ, ENTRY_PROTECTED)->if_exists = true;
    glob(&w, "ws", "**/.aws");
    w.state_dir = at(&w, "state");
    struct journal *j = NULL;
    dev_t dev;
    ino_t ino;
    const char *ws = at(&w, "ws");
    assert_int_equal(journal_open(w.state_dir, &j, NULL), 0);
    int fd = open(ws, O_PATH | O_DIRECTORY | O_CLOEXEC);
    static const char *const names[] = {".git", ".vscode", ".aws"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_int_equal(journal_hold(j, fd, ws, names[i], &dev, &ino, NULL), 0);
    look_ok(&w);
    assert_int_equal(need(&w, "ws/.git")->kind, FILE_MISSING);
    assert_int_equal(need(&w, "ws/.git")->missing, 1);
    assert_int_equal(need(&w, "ws/.vscode/tasks.json")->missing, 2);
    assert_null(find(&w, "ws/.aws"));
    /* Without knowledge of the state they are directories like any other. */
    w.state_dir = NULL;
    look_ok(&w);
    assert_int_equal(need(&w, "ws/.git")->kind, FILE_DIRECTORY);
    assert_int_equal(need(&w, "ws/.vscode/tasks.json")->missing, 1);
    /* And so is one that somebody put something into. */
    w.state_dir = at(&w, "state");
    put(&w, "ws/.git/HEAD", "");
    look_ok(&w);
    assert_int_equal(need(&w, "ws/.git")->kind, FILE_DIRECTORY);
    fd_close(fd);
    journal_close(j);
    drop_world(&w);
}

/* Runs FN as an ordinary person, with the scratch tree theirs. */
static void as_ordinary(struct world *w, void (*fn)(struct world *))
{
    const unsigned person = 65534;
    if (geteuid() == 0)
        assert_return_code(chown(w->root, person, person), errno);
    pid_t pid = fork();
    if (pid == 0) {
        if (geteuid() == 0 &&
            (setresgid(person, person, person) < 0 || setresuid(person, person, person) < 0))
            _exit(9);
        fn(w);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            print_error("line %d: %s\n", __LINE__, #what);                                         \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static bool has_item(struct world *w, const char *rel)
{
    return find(w, rel) != NULL;
}

static void unreadable_child(struct world *w)
{
    workspace(w);
    put(w, "ws/shut/prod.env", "");
    put(w, "ws/unlistable/prod.env", "");
    put(w, "ws/unsearchable/sub/prod.env", "");
    put(w, "ws/ok/prod.env", "");
    glob(w, "ws", "**/*.env");
    entry(w, "ws/shut/deep/name", ACCESS_NONE, ENTRY_NAMED);
    CHECK(chmod(at(w, "ws/shut"), 0) == 0);
    CHECK(chmod(at(w, "ws/unlistable"), 0311) == 0);
    CHECK(chmod(at(w, "ws/unsearchable"), 0644) == 0);
    CHECK(look(w) == 0);
    CHECK(has_item(w, "ws/ok/prod.env"));
    /* Ours to open again, so the command's too. */
    CHECK(has_item(w, "ws/shut") && find(w, "ws/shut")->entry->access == ACCESS_NONE);
    CHECK(has_item(w, "ws/unlistable") && has_item(w, "ws/unsearchable"));
    CHECK(warned(w, "masked whole"));
    for (size_t i = 0; i < w->profile.n_entries; i++)
        CHECK(permissions_check(&w->profile, at(w, "ws/ok")).access == ACCESS_WRITE);
    CHECK(chmod(at(w, "ws/shut"), 0755) == 0);
}

static void test_unreadable(void **unused)
{
    (void)unused;
    struct world w;
    make_world(&w);
    as_ordinary(&w, unreadable_child);
    drop_world(&w);
}

static void foreign_child(struct world *w)
{
    CHECK(look(w) == 0);
    CHECK(has_item(w, "ws/a.env") && !has_item(w, "ws/foreign"));
    CHECK(w->s.n_warnings == 0);
}

static void test_foreign_unreadable(void **unused)
{
    (void)unused;
    if (geteuid() != 0)
        return; /* needs somebody else's directory */
    struct world w;
    make_world(&w);
    workspace(&w);
    put(&w, "ws/a.env", "");
    put(&w, "ws/foreign/b.env", "");
    assert_return_code(chmod(at(&w, "ws/foreign"), 0700), errno);
    glob(&w, "ws", "**/*.env");
    entry(&w, "ws/foreign/b.env", ACCESS_NONE, ENTRY_NAMED);
    as_ordinary(&w, foreign_child);
    drop_world(&w);
}

/* ---- globs ---- */

static size_t count_masks(const struct world *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->s.n_items; i++)
        n += w->s.items[i].entry->access == ACCESS_NONE;
    return n;
}

static void test_globs(void **unused)
{
    (void)unused;
    struct world w;
    make_world(&w);
    workspace(&w);
    static const char *const matching[] = {"ws/.env", "ws/a/.hidden/x.env", "ws/a/b\xff\n.env",
                                           "ws/node_modules/p/.env", "ws/id_rsa"};
    static const char *const others[] = {"ws/x.envy",           "ws/a/env",
                                         "ws/keys.d/inner.env", "ws/masked/x.env",
                                         "elsewhere/x.env",     "ws/a/id_rsa.pub"};
    for (size_t i = 0; i < ARRAY_LEN(matching); i++)
        put(&w, matching[i], "");
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        put(&w, others[i], "");
    ln(&w, "../elsewhere", "ws/linked");
    ln(&w, "../elsewhere/x.env", "ws/l.env");
    ln(&w, "gone", "ws/dangling.env");
    ln(&w, "..", "ws/a/up.env");
    entry(&w, "ws/masked", ACCESS_NONE, ENTRY_NAMED);
    glob(&w, "ws", "**/*.env");
    glob(&w, "ws", "*.d");
    glob(&w, "ws", "**/id_[rd]sa");
    look_ok(&w);
    for (size_t i = 0; i < ARRAY_LEN(matching); i++)
        assert_int_equal(need(&w, matching[i])->kind, FILE_REGULAR);
    assert_int_equal(need(&w, "ws/keys.d")->kind, FILE_DIRECTORY);
    assert_true(need(&w, "ws/l.env")->is_link);
    assert_true(need(&w, "ws/dangling.env")->is_link);
    assert_true(need(&w, "ws/a/up.env")->is_link);
    assert_true(warned(&w, "only the link is masked"));
    assert_int_equal(need(&w, "elsewhere/x.env")->kind, FILE_REGULAR);
    /* Those, the masked directory, keys.d, three links and one target. */
    assert_int_equal(count_masks(&w), ARRAY_LEN(matching) + 6);
    drop_world(&w);
}

static void test_glob_reopened(void **unused)
{
    (void)unused;
    struct world w;
    make_world(&w);
    workspace(&w);
    put(&w, "ws/private/x.key", "");
    put(&w, "ws/private/open/y.key", "");
    put(&w, "ws/private/open/deep/z.key", "");
    put(&w, "ws/sub/only.pem", "");
    put(&w, "ws/sub/deeper/no.pem", "");
    entry(&w, "ws/private", ACCESS_NONE, ENTRY_NAMED);
    entry(&w, "ws/private/open", ACCESS_READ, ENTRY_NAMED);
    glob(&w, "ws", "**/*.key");
    glob(&w, "ws/sub", "*.pem"); /* a walk within a walk */
    look_ok(&w);
    assert_null(find(&w, "ws/private/x.key"));
    need(&w, "ws/private/open/y.key");
    need(&w, "ws/private/open/deep/z.key");
    need(&w, "ws/sub/only.pem");
    assert_null(find(&w, "ws/sub/deeper/no.pem"));
    drop_world(&w);
}

static void test_glob_depth(void **unused)
{
    (void)unused;
    struct world w;
    make_world(&w);
    workspace(&w);
    put(&w, "ws/1.env", "");
    put(&w, "ws/a/2.env", "");
    put(&w, "ws/a/b/3.env", "");
    put(&w, "ws/a/b/x.fix", "");
    glob(&w, "ws", "**/*.env")->max_depth = 2;
    glob(&w, "ws", "*/*/*.fix")->max_depth = 2; /* has no ** to bound */
    look_ok(&w);
    need(&w, "ws/1.env");
    need(&w, "ws/a/2.env");
    assert_null(find(&w, "ws/a/b/3.env"));
    need(&w, "ws/a/b/x.fix");
    drop_world(&w);
}

static void test_glob_base_through_link(void **unused)
{
    (void)unused;
    struct world w;
    make_world(&w);
    put(&w, "real/a.env", "");
    ln(&w, "real", "link");
    entry(&w, "/", ACCESS_READ, ENTRY_BASE);
    glob(&w, "link", "*.env");
    look_ok(&w);
    const struct survey_item *item = need(&w, "real/a.env");
    assert_string_equal(item->entry->path, at(&w, "real")); /* holds where the file really is */
    assert_string_equal(item->entry->glob, "*.env");
    drop_world(&w);
}

/* A tree deeper than a path can name is masked where the names end. */
static void test_too_deep(void **unused)
{
    (void)unused;
    struct world w;
    make_world(&w);
    workspace(&w);
    char name[201];
    memset(name, 'd', 200);
    name[200] = '\0';
    int fd = open(at(&w, "ws"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < 30; i++) {
        assert_return_code(mkdirat(fd, name, 0755), errno);
        int next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        fd_close(fd);
        fd = next;
    }
    fd_close(openat(fd, "x.env", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    fd_close(fd);
    glob(&w, "ws", "**/*.env");
    look_ok(&w);
    assert_true(warned(&w, "masked whole"));
    assert_int_equal(count_masks(&w), 1);
    const struct survey_item *last = &w.s.items[w.s.n_items - 1];
    assert_true(strlen(last->path) > 3500 && strlen(last->path) < 4096);
    drop_world(&w);
}

/* ---- random trees and patterns, against a naive walk ---- */

static unsigned seed;
static unsigned dice(unsigned n)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 8) % n;
}

static const char *random_word(struct arena *a)
{
    static const char *const words[] = {"a", "b", "ab", "ba", "a.b", ".a", "abc", "cab", "a\xff"};
    (void)a;
    return words[dice(ARRAY_LEN(words))];
}

static const char *random_glob(struct arena *a)
{
    static const char *const parts[] = {"*",    "**",  "a*", "*b", "a*b", "?", "[ab]*", "*.b",
                                        "[!a]", "*a*", "ab", ".a", "**",  "a", "*[bc]"};
    const char *g = parts[dice(ARRAY_LEN(parts))];
    for (unsigned n = dice(4); n > 0; n--)
        g = arena_printf(a, "%s/%s", g, parts[dice(ARRAY_LEN(parts))]);
    return g;
}

static void random_tree(struct world *w, const char *rel, unsigned depth)
{
    for (unsigned i = 0, n = 2 + dice(4); i < n; i++) {
        const char *inner = arena_printf(&w->a, "%s/%s", rel, random_word(&w->a));
        struct stat st;
        if (lstat(at(w, inner), &st) == 0)
            continue;
        if (depth > 0 && dice(3) > 0) {
            dir(w, inner);
            random_tree(w, inner, depth - 1);
        } else {
            put(w, inner, "");
        }
    }
}

struct expectation {
    const char **paths;
    size_t n;
};

/* Everything below PATH that some glob matches itself, not below another match. */
static void naive(struct world *w, const char *path, struct expectation *e)
{
    DIR *d = opendir(path);
    assert_non_null(d);
    for (struct dirent *de; (de = readdir(d));) {
        if (str_eq(de->d_name, ".") || str_eq(de->d_name, ".."))
            continue;
        const char *inner = arena_printf(&w->a, "%s/%s", path, de->d_name);
        bool match = false;
        for (size_t i = 0; i < w->profile.n_entries && !match; i++) {
            const struct perm_entry *g = &w->entries[i];
            if (!g->glob || !path_is_below(inner, g->path) || str_eq(inner, g->path))
                continue;
            const char *rel = inner + strlen(g->path) + 1;
            match = glob_match_deepest(g->glob, rel, g->max_depth) == path_depth(rel);
        }
        struct stat st;
        assert_return_code(lstat(inner, &st), errno);
        if (match) {
            assert_true(e->n < 4096);
            e->paths[e->n++] = inner;
        } else if (S_ISDIR(st.st_mode)) {
            naive(w, inner, e);
        }
    }
    (void)closedir(d);
}

/* Directories in which everything matches are told of where many mounts are needed. */
static void test_full_directories(void **unused)
{
    (void)unused;
    struct world w;
    char name[64];
    make_world(&w);
    workspace(&w);
    glob(&w, "ws", "**/*.env");
    for (unsigned i = 0; i < SURVEY_MANY_MOUNTS; i++) {
        (void)snprintf(name, sizeof(name), "ws/many/%u.env", i);
        put(&w, name, "");
    }
    put(&w, "ws/two/a.env", "");
    put(&w, "ws/two/b.env/inner", "");
    put(&w, "ws/one/a.env", "");
    put(&w, "ws/mixed/a.env", "");
    put(&w, "ws/mixed/b.txt", "");
    put(&w, "ws/deeper/a.env", "");
    put(&w, "ws/deeper/b.env", "");
    put(&w, "ws/deeper/below/c.env", "");
    look_ok(&w);
    assert_true(w.s.room > 0);
    assert_int_equal(w.s.n_full, 2);
    assert_string_equal(w.s.full[0].path, at(&w, "ws/many"));
    assert_string_equal(w.s.full[1].path, at(&w, "ws/two"));
    struct stat st;
    assert_return_code(stat(w.s.full[1].path, &st), errno);
    assert_true(w.s.full[1].dev == st.st_dev && w.s.full[1].ino == st.st_ino);

    /* With room for all, each is masked by itself; without, those directories are, whole. */
    for (int tight = 0; tight < 2; tight++) {
        static const char *const environment[] = {NULL};
        struct plan *plan;
        w.s.room = tight ? SURVEY_MANY_MOUNTS : 100000;
        w.config.backend = BACKEND_BUNDLED;
        w.profile.full_read = true;
        struct plan_input in = {.config = &w.config,
                                .profile = &w.profile,
                                .survey = &w.s,
                                .workspace = at(&w, "ws"),
                                .cwd = at(&w, "ws"),
                                .environ = environment};
        assert_int_equal(plan_build(&w.a, &in, &plan, &w.err), 0);
        size_t masks = 0, whole = 0;
        for (size_t i = 0; i < plan->n_mounts; i++) {
            masks += plan->mounts[i].op == MOUNT_MASK;
            whole += plan->mounts[i].op == MOUNT_MASK && plan->mounts[i].is_dir &&
                     (str_eq(plan->mounts[i].path, w.s.full[0].path) ||
                      str_eq(plan->mounts[i].path, w.s.full[1].path));
        }
        assert_int_equal(whole, tight ? 2 : 0);
        assert_int_equal(masks, tight ? 2 + 5 : SURVEY_MANY_MOUNTS + 2 + 5);
        assert_int_equal(plan->n_warnings, tight ? 1 : 0);
        /* What an entry opens below keeps the directory from being masked whole. */
        in.cwd = at(&w, "ws/two");
        assert_int_equal(plan_build(&w.a, &in, &plan, &w.err), 0);
        for (size_t i = 0; i < plan->n_mounts; i++)
            assert_string_not_equal(plan->mounts[i].path, w.s.full[1].path);
    }
    drop_world(&w);
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int collect_match(void *data, const struct walk_match *m, struct error *err)
{
    struct expectation *e = data;
    (void)err;
    assert_true(e->n < 4096);
    e->paths[e->n++] = m->path;
    return 0;
}

static void compare_found(const struct world *w, struct expectation *want, struct expectation *got)
{
    qsort(want->paths, want->n, sizeof(*want->paths), compare_strings);
    qsort(got->paths, got->n, sizeof(*got->paths), compare_strings);
    for (size_t i = 0; i < MIN_OF(want->n, got->n); i++) {
        if (str_eq(want->paths[i], got->paths[i]))
            continue;
        for (size_t k = 0; k < w->profile.n_entries; k++)
            print_error("glob %s below %s depth %u\n", w->entries[k].glob, w->entries[k].path,
                        w->entries[k].max_depth);
        assert_string_equal(got->paths[i], want->paths[i]);
    }
    assert_int_equal(got->n, want->n);
}

static void random_case(struct world *w, unsigned workers)
{
    const char *bases[4];
    const struct perm_entry *globs[4];
    size_t n = 1 + dice(4);
    struct expectation want = {arena_zalloc(&w->a, 4096, sizeof(char *)), 0};
    struct expectation got = {arena_zalloc(&w->a, 4096, sizeof(char *)), 0};
    const char *starts[4];
    size_t n_starts = 0;
    w->profile.n_entries = 0;
    for (size_t i = 0; i < n; i++) {
        struct perm_entry *g = glob(w, i ? "ws/d" : "ws", random_glob(&w->a));
        g->max_depth = dice(3) ? 0 : 1 + dice(4);
        globs[i] = g;
        bases[i] = g->path;
        if (i < 2)
            starts[n_starts++] = g->path;
    }
    naive(w, at(w, "ws"), &want);
    struct glob_set set;
    assert_int_equal(glob_set_init(&set, &w->a, globs, bases, n), 0);
    struct walk walk = {.a = &w->a,
                        .globs = &set,
                        .starts = starts,
                        .n_starts = n_starts,
                        .report = collect_match,
                        .data = &got,
                        .workers = workers,
                        .fork_after = 1};
    struct error err = {0};
    assert_int_equal(walk_globs(&walk, &err), 0);
    /* The naive walk takes `ws/d` for masked when its name matches; a walk begins in it all the
     * same, and survey_look() would not have. */
    size_t kept = 0;
    const char *d = at(w, "ws/d");
    bool shut = false;
    for (size_t i = 0; i < want.n; i++)
        shut = shut || str_eq(want.paths[i], d);
    for (size_t i = 0; i < got.n; i++)
        if (!shut || str_eq(got.paths[i], d) || !path_is_below(got.paths[i], d))
            got.paths[kept++] = got.paths[i];
    got.n = kept;
    compare_found(w, &want, &got);
}

static void test_random(void **unused)
{
    (void)unused;
    seed = 20240817;
    for (unsigned tree = 0; tree < 12; tree++) {
        struct world w;
        make_world(&w);
        dir(&w, "ws/d");
        random_tree(&w, "ws", 3);
        random_tree(&w, "ws/d", 3);
        for (unsigned i = 0; i < 60; i++)
            random_case(&w, i % 10 == 0 ? 3 : 1);
        drop_world(&w);
    }
}

/* Many directories, helpers forced: nothing lost, nothing twice. */
static void test_helpers(void **unused)
{
    (void)unused;
    struct world w;
    make_world(&w);
    enum { WIDE = 40, DEEP = 5 };
    for (unsigned i = 0; i < WIDE; i++)
        for (unsigned k = 0; k < DEEP; k++) {
            const char *rel = arena_printf(&w.a, "ws/d%u/e%u/f%u/x.env", i, k, i * k);
            put(&w, rel, "");
        }
    const struct perm_entry *g = glob(&w, "ws", "**/*.env");
    const char *base = g->path;
    for (unsigned workers = 1; workers <= 4; workers++) {
        struct expectation want = {arena_zalloc(&w.a, 4096, sizeof(char *)), 0};
        struct expectation got = {arena_zalloc(&w.a, 4096, sizeof(char *)), 0};
        struct glob_set set;
        naive(&w, at(&w, "ws"), &want);
        assert_int_equal(want.n, WIDE * DEEP);
        assert_int_equal(glob_set_init(&set, &w.a, &g, &base, 1), 0);
        struct walk walk = {.a = &w.a,
                            .globs = &set,
                            .starts = &base,
                            .n_starts = 1,
                            .report = collect_match,
                            .data = &got,
                            .workers = workers,
                            .fork_after = 1};
        assert_int_equal(walk_globs(&walk, NULL), 0);
        compare_found(&w, &want, &got);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no helper left behind */
    }
    drop_world(&w);
}

/* ---- git ---- */

/* `ws` is a worktree of the repository `main`, both writable; `main/.git` is not a protected entry.
 */
static void worktree(struct world *w)
{
    workspace(w);
    dir(w, "main");
    entry(w, "main", ACCESS_WRITE, ENTRY_NAMED);
    put(w, "main/.git/worktrees/ws/commondir", "../..\n");
    put(w, "main/.git/config", "");
    dir(w, "main/.git/hooks");
    put(w, "ws/.git", "gitdir: ../main/.git/worktrees/ws\n");
}

static void test_worktree(void **unused)
{
    (void)unused;
    struct world w;
    make_world(&w);
    worktree(&w);
    entry(&w, "ws/.git", ACCESS_READ, ENTRY_PROTECTED);
    look_ok(&w);
    assert_int_equal(need(&w, "ws/.git")->kind, FILE_REGULAR);
    need_extra(&w, "main/.git/worktrees/ws", ENTRY_GITDIR);
    need_extra(&w, "main/.git", ENTRY_GITDIR);
    assert_int_equal(w.s.n_warnings, 0);
    drop_world(&w);

    /* Protected by name already. */
    make_world(&w);
    worktree(&w);
    entry(&w, "main/.git", ACCESS_READ, ENTRY_PROTECTED);
    look_ok(&w);
    assert_int_equal(w.s.n_extra, 0);
    drop_world(&w);

    /* The command may commit: what runs code stays shut. */
    make_world(&w);
    worktree(&w);
    entry(&w, "ws/.git", ACCESS_WRITE, ENTRY_NAMED);
    look_ok(&w);
    assert_null(find(&w, "main/.git"));
    need_extra(&w, "main/.git/hooks", ENTRY_NESTED);
    need_extra(&w, "main/.git/config", ENTRY_NESTED);
    need_extra(&w, "main/.git/worktrees/ws/commondir", ENTRY_NESTED);
    assert_int_equal(need(&w, "main/.git/worktrees/ws/hooks")->missing, 1);
    drop_world(&w);

    /* A preset opens the directory; that it is a file is not its word. */
    make_world(&w);
    worktree(&w);
    entry(&w, "ws/.git", ACCESS_WRITE, ENTRY_BASE)->origin.layer = "preset:git";
    look_ok(&w);
    assert_true(w.s.n_extra && str_eq(w.s.extra[0].path, at(&w, "ws/.git")));
    assert_int_equal(w.s.extra[0].kind, ENTRY_GITDIR);
    need_extra(&w, "main/.git/hooks", ENTRY_NESTED);
    drop_world(&w);

    /* Nobody wants .git protected. */
    make_world(&w);
    worktree(&w);
    w.config.protected_names = (struct string_list){.set = true};
    look_ok(&w);
    assert_int_equal(w.s.n_extra, 0);
    drop_world(&w);
}

static void test_gitfile_elsewhere(void **unused)
{
    (void)unused;
    struct world w;
    static const struct {
        const char *text, *warning;
    } cases[] = {
        {"gitdir: ../outside/x\n", NULL},
        {"gitdir: ..\n", NULL},
        {"gitdir: .\n", "holds it"},
        {"nonsense\n", "names no directory"},
        {"gitdir: .git/x\n", "cannot be a directory"},
        {"gitdir: loop/x\n", "cannot be a directory"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        make_world(&w);
        workspace(&w);
        dir(&w, "outside/x");
        ln(&w, "loop", "ws/loop");
        put(&w, "ws/.git", cases[i].text);
        look_ok(&w);
        assert_null(find(&w, "outside/x"));
        assert_int_equal(w.s.n_warnings, cases[i].warning ? 1 : 0);
        if (cases[i].warning)
            assert_true(warned(&w, cases[i].warning));
        drop_world(&w);
    }
    /* One that does not exist yet must not be made by the command. */
    make_world(&w);
    workspace(&w);
    put(&w, "ws/.git", "gitdir: later/on\n");
    look_ok(&w);
    need_extra(&w, "ws/later/on", ENTRY_GITDIR);
    assert_int_equal(need(&w, "ws/later/on")->missing, 2);
    drop_world(&w);
    /* A FIFO instead of a file does not stop the start. */
    make_world(&w);
    workspace(&w);
    assert_return_code(mkfifo(at(&w, "ws/.git"), 0600), errno);
    put(&w, "ws/sub/.git", "");
    put(&w, "ws/sub/x", "");
    look_ok(&w);
    drop_world(&w);
}

static void test_nested(void **unused)
{
    (void)unused;
    struct world w;
    make_world(&w);
    workspace(&w);
    put(&w, "ws/.git/modules/sub/config", "");
    put(&w, "ws/one/.git/config", "");
    dir(&w, "ws/one/.git/hooks");
    put(&w, "ws/node_modules/p/.git/config", "");
    put(&w, "ws/1/2/3/4/.git/config", "");
    put(&w, "ws/1/2/3/4/5/.git/config", "");
    put(&w, "ws/sub/.git", "gitdir: ../.git/modules/sub\n");
    put(&w, "ws/mod/.git", "gitdir: ../one/.git/modules/mod\n");
    dir(&w, "ws/one/.git/modules/mod");
    put(&w, "ws/masked/.git/config", "");
    put(&w, "ws/secret.d/repo/.git/config", "");
    ln(&w, "../one", "ws/linkdir");
    entry(&w, "ws/.git", ACCESS_READ, ENTRY_PROTECTED);
    entry(&w, "ws/masked", ACCESS_NONE, ENTRY_NAMED);
    glob(&w, "ws", "**/*.d");
    look_ok(&w);
    need_extra(&w, "ws/one/.git/hooks", ENTRY_NESTED);
    need_extra(&w, "ws/one/.git/config", ENTRY_NESTED);
    need_extra(&w, "ws/node_modules/p/.git/config", ENTRY_NESTED);
    need_extra(&w, "ws/node_modules/p/.git/hooks", ENTRY_NESTED);
    assert_int_equal(need(&w, "ws/node_modules/p/.git/hooks")->missing, 1);
    need_extra(&w, "ws/1/2/3/4/.git/config", ENTRY_NESTED);
    assert_null(find(&w, "ws/1/2/3/4/5/.git/config"));
    need_extra(&w, "ws/sub/.git", ENTRY_NESTED);
    need_extra(&w, "ws/mod/.git", ENTRY_NESTED);
    need_extra(&w, "ws/one/.git/modules/mod", ENTRY_GITDIR);
    assert_null(find(&w, "ws/.git/modules/sub")); /* read-only with its parent */
    assert_null(find(&w, "ws/masked/.git/config"));
    assert_null(find(&w, "ws/secret.d/repo/.git/config")); /* an entry would open the mask */
    assert_int_equal(w.s.n_warnings, 0);
    w.config.nested_repo_count = 2;
    look_ok(&w);
    assert_true(warned(&w, "after 2 of them"));
    w.config.nested_repo_depth = 0;
    look_ok(&w);
    assert_int_equal(w.s.n_extra, 0);
    drop_world(&w);
}

static void test_nested_link_and_lift(void **unused)
{
    (void)unused;
    struct world w;
    make_world(&w);
    workspace(&w);
    put(&w, "ws/store/config", "");
    ln(&w, "../store", "ws/repo/.git");
    put(&w, "ws/free/.git/config", "");
    dir(&w, "ws/free/.git/hooks");
    entry(&w, "ws/free/.git/config", ACCESS_WRITE, ENTRY_NAMED);
    look_ok(&w);
    need_extra(&w, "ws/repo/.git", ENTRY_NESTED);
    assert_true(need(&w, "ws/repo/.git")->is_link);
    need_extra(&w, "ws/store/config", ENTRY_NESTED);
    need_extra(&w, "ws/store/hooks", ENTRY_NESTED);
    assert_ptr_equal(need(&w, "ws/free/.git/config")->entry, &w.entries[2]);
    need_extra(&w, "ws/free/.git/hooks", ENTRY_NESTED);
    drop_world(&w);
}

/* Each allocation in turn fails: an error, no crash, nothing leaked (the sanitizers look). */
static void test_out_of_memory(void **unused)
{
    (void)unused;
    struct world w;
    make_world(&w);
    worktree(&w);
    put(&w, "ws/a/x.env", "");
    ln(&w, "a/x.env", "ws/l.env");
    put(&w, "ws/a/.git/config", "");
    glob(&w, "ws", "**/*.env");
    entry(&w, "ws/.git", ACCESS_READ, ENTRY_PROTECTED);
    bool done = false;
    for (unsigned long n = 1; n < 2000 && !done; n++) {
        struct arena a = {0};
        struct survey s;
        struct survey_request request = {&w.config, &w.profile, NULL, false};
        mem_fail_at(n);
        int r = survey_look(&a, &request, &s, NULL);
        mem_fail_at(0);
        assert_true(r == 0 || r == -ENOMEM);
        done = r == 0;
        arena_release(&a);
    }
    assert_true(done);
    drop_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_existing),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_link_chain_inside),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_file_in_the_way),
        cmocka_unit_test(test_hard_links),
        cmocka_unit_test(test_placeholders_are_missing),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_foreign_unreadable),
        cmocka_unit_test(test_globs),
        cmocka_unit_test(test_glob_reopened),
        cmocka_unit_test(test_glob_depth),
        cmocka_unit_test(test_glob_base_through_link),
        cmocka_unit_test(test_too_deep),
        cmocka_unit_test(test_full_directories),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_helpers),
        cmocka_unit_test(test_worktree),
        cmocka_unit_test(test_gitfile_elsewhere),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_nested_link_and_lift),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

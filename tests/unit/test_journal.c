/*
 * The placeholder journal: sharing, the last one out, crashes at any instant, and that nothing but
 * what the journal made is ever removed. Each "process" that matters is a forked one; two journals
 * in one process are as separate as two processes, because every lock belongs to an open file.
 */
#include "base/fd.h"
#include "base/path.h"
#include "sandbox/journal.h"
#include "sandbox/journal_text.h"
#include "sandbox/placeholder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- a scratch directory with `state` and `work` in it ---- */

struct scratch {
    char root[64], state[96], work[96], placeholders[128];
    int fd; /* of work */
};

static void make_scratch(struct scratch *s)
{
    (void)snprintf(s->root, sizeof(s->root), "/tmp/bawn-test-journal-XXXXXX");
    assert_non_null(mkdtemp(s->root));
    assert_return_code(chmod(s->root, 0755), errno);
    (void)snprintf(s->state, sizeof(s->state), "%s/state", s->root);
    (void)snprintf(s->work, sizeof(s->work), "%s/work", s->root);
    (void)snprintf(s->placeholders, sizeof(s->placeholders), "%s/placeholders", s->state);
    assert_return_code(mkdir(s->work, 0755), errno);
    s->fd = open(s->work, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(s->fd >= 0);
}

static void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        char inner[512];
        if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
            continue;
        (void)snprintf(inner, sizeof(inner), "%s/%s", path, e->d_name);
        if (unlink(inner) < 0)
            remove_tree(inner);
    }
    if (d)
        (void)closedir(d);
    (void)rmdir(path);
}

static void drop_scratch(struct scratch *s)
{
    fd_close(s->fd);
    remove_tree(s->root);
}

static size_t count_in(const char *path)
{
    size_t n = 0;
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));)
        n += !str_eq(e->d_name, ".") && !str_eq(e->d_name, "..");
    if (d)
        (void)closedir(d);
    return n;
}

static bool stands(const struct scratch *s, const char *name)
{
    struct stat st;
    return fstatat(s->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static struct journal *open_ok(const struct scratch *s)
{
    struct journal *j = NULL;
    struct error err = {0};
    int r = journal_open(s->state, &j, &err);
    if (r < 0)
        print_error("%s\n", err.message);
    assert_int_equal(r, 0);
    return j;
}

static int hold(struct journal *j, const struct scratch *s, const char *name)
{
    dev_t dev;
    ino_t ino;
    struct error err = {0};
    return journal_hold(j, s->fd, s->work, name, &dev, &ino, &err);
}

static void wait_ok(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* A process that holds NAMES and was then killed. */
static void leave_dead(const struct scratch *s, const char *const *names)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct journal *j;
        if (journal_open(s->state, &j, NULL) < 0)
            _exit(1);
        for (size_t i = 0; names[i]; i++)
            if (hold(j, s, names[i]) < 0)
                _exit(2);
        (void)raise(SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

/* ---- one run ---- */

static void test_hold_and_close(void **unused)
{
    (void)unused;
    struct scratch s;
    make_scratch(&s);
    struct journal *j = open_ok(&s);
    struct stat st;
    assert_return_code(stat(s.placeholders, &st), errno);
    assert_int_equal(st.st_mode & 0777, 0700);
    dev_t dev;
    ino_t ino;
    assert_int_equal(journal_hold(j, s.fd, s.work, ".git", &dev, &ino, NULL), 0);
    assert_int_equal(hold(j, &s, ".codex"), 0);
    assert_int_equal(hold(j, &s, ".git"), 0); /* twice is once */
    assert_return_code(fstatat(s.fd, ".git", &st, AT_SYMLINK_NOFOLLOW), errno);
    assert_true(S_ISDIR(st.st_mode));
    assert_true(st.st_dev == dev && st.st_ino == ino);
    assert_int_equal(count_in(s.work), 2); /* nothing under a temporary name */
    assert_int_equal(count_in(s.placeholders), 1);
    journal_close(j);
    assert_int_equal(count_in(s.work), 0);
    assert_int_equal(count_in(s.placeholders), 0);
    drop_scratch(&s);
}

static void test_several_directories(void **unused)
{
    (void)unused;
    struct scratch s;
    make_scratch(&s);
    char second[128];
    (void)snprintf(second, sizeof(second), "%s/second", s.root);
    assert_return_code(mkdir(second, 0755), errno);
    int fd = open(second, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct journal *j = open_ok(&s);
    dev_t dev;
    ino_t ino;
    assert_int_equal(hold(j, &s, ".git"), 0);
    assert_int_equal(journal_hold(j, fd, second, ".git", &dev, &ino, NULL), 0);
    assert_int_equal(count_in(s.placeholders), 2);
    journal_close(j);
    assert_int_equal(count_in(s.placeholders), 0);
    assert_int_equal(count_in(second), 0);
    fd_close(fd);
    drop_scratch(&s);
}

static void test_what_stands_is_refused(void **unused)
{
    (void)unused;
    struct scratch s;
    make_scratch(&s);
    struct journal *j = open_ok(&s);
    assert_return_code(mkdirat(s.fd, "dir", 0755), errno);
    fd_close(openat(s.fd, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_return_code(symlinkat("nowhere", s.fd, "link"), errno);
    assert_int_equal(hold(j, &s, "dir"), -EEXIST);
    assert_int_equal(hold(j, &s, "file"), -EEXIST);
    assert_int_equal(hold(j, &s, "link"), -EEXIST);
    journal_close(j);
    assert_int_equal(count_in(s.work), 3);
    drop_scratch(&s);
}

static void test_bad_names(void **unused)
{
    (void)unused;
    struct scratch s;
    make_scratch(&s);
    struct journal *j = open_ok(&s);
    char long_name[300];
    memset(long_name, 'x', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    const char *const bad[] = {"", ".", "..", "a/b", long_name};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(hold(j, &s, bad[i]), -EINVAL);
    journal_close(j);
    drop_scratch(&s);
}

static void test_names_are_bytes(void **unused)
{
    (void)unused;
    struct scratch s;
    make_scratch(&s);
    const char *const names[] = {
        "two words", "new\nline", "\\back\\0a", "\xff\xfe\x01", "gone .bawn-0000000000000000\n",
        NULL};
    leave_dead(&s, names);
    assert_int_equal(count_in(s.work), 5);
    struct stat st, up;
    assert_return_code(fstatat(s.fd, names[1], &st, 0), errno);
    assert_return_code(fstat(s.fd, &up), errno);
    assert_true(
        journal_is_placeholder(s.state, up.st_dev, up.st_ino, names[1], st.st_dev, st.st_ino));
    journal_close(open_ok(&s));
    assert_int_equal(count_in(s.work), 0);
    drop_scratch(&s);
}

/* ---- sharing ---- */

static void test_last_one_removes(void **unused)
{
    (void)unused;
    struct scratch s;
    make_scratch(&s);
    struct journal *a = open_ok(&s), *b;
    assert_int_equal(hold(a, &s, ".git"), 0);
    b = open_ok(&s);
    assert_true(stands(&s, ".git")); /* opening does not take a living run's away */
    assert_int_equal(hold(b, &s, ".git"), 0);
    assert_int_equal(hold(b, &s, ".aws"), 0);
    journal_close(a);
    assert_true(stands(&s, ".git"));
    journal_close(b);
    assert_int_equal(count_in(s.work), 0);
    assert_int_equal(count_in(s.placeholders), 0);
    drop_scratch(&s);
}

static void test_forget_keeps_the_parents_lock(void **unused)
{
    (void)unused;
    struct scratch s;
    make_scratch(&s);
    struct journal *j = open_ok(&s);
    assert_int_equal(hold(j, &s, ".git"), 0);
    pid_t pid = fork();
    if (pid == 0) {
        journal_forget(j);
        _exit(0);
    }
    wait_ok(pid);
    journal_close(open_ok(&s));
    assert_true(stands(&s, ".git"));
    journal_close(j);
    assert_false(stands(&s, ".git"));
    drop_scratch(&s);
}

static void test_is_placeholder(void **unused)
{
    (void)unused;
    struct scratch s;
    make_scratch(&s);
    struct stat st, up;
    assert_return_code(fstat(s.fd, &up), errno);
    assert_false(journal_is_placeholder(s.state, up.st_dev, up.st_ino, ".git", 1, 1));
    struct journal *j = open_ok(&s);
    assert_int_equal(hold(j, &s, ".git"), 0);
    assert_return_code(fstatat(s.fd, ".git", &st, 0), errno);
    assert_true(
        journal_is_placeholder(s.state, up.st_dev, up.st_ino, ".git", st.st_dev, st.st_ino));
    assert_false(
        journal_is_placeholder(s.state, up.st_dev, up.st_ino, ".aws", st.st_dev, st.st_ino));
    assert_false(
        journal_is_placeholder(s.state, up.st_dev, up.st_ino, ".git", st.st_dev, st.st_ino + 1));
    assert_false(
        journal_is_placeholder(s.state, up.st_dev, up.st_ino + 1, ".git", st.st_dev, st.st_ino));
    journal_close(j);
    assert_false(
        journal_is_placeholder(s.state, up.st_dev, up.st_ino, ".git", st.st_dev, st.st_ino));
    drop_scratch(&s);
}

/* ---- several state directories ---- */

static ino_t held_inode(const struct scratch *s, const char *name)
{
    struct stat st;
    assert_return_code(fstatat(s->fd, name, &st, AT_SYMLINK_NOFOLLOW), errno);
    return st.st_ino;
}

/* The same directory to work in, with the state directory of another bawn. */
static struct scratch other_home(const struct scratch *s, const char *name)
{
    struct scratch other = *s;
    (void)snprintf(other.state, sizeof(other.state), "%s/%s", s->root, name);
    (void)snprintf(other.placeholders, sizeof(other.placeholders), "%s/%s/placeholders", s->root,
                   name);
    return other;
}

static void test_another_home_is_not_left_in_the_open(void **unused)
{
    (void)unused;
    struct scratch s;
    make_scratch(&s);
    struct scratch t = other_home(&s, "other");
    for (int first = 0; first < 2; first++) {
        struct journal *a = open_ok(&s), *b = open_ok(&t);
        assert_int_equal(hold(a, &s, ".git"), 0);
        ino_t ino = held_inode(&s, ".git");
        assert_int_equal(hold(b, &t, ".git"), 0);
        assert_int_equal(hold(b, &t, ".git"), 0);
        assert_int_equal(hold(b, &t, ".aws"), 0);
        assert_int_equal(held_inode(&s, ".git"), ino);
        journal_close(first ? b : a);
        assert_int_equal(held_inode(&s, ".git"), ino);
        assert_int_equal(stands(&s, ".aws"), !first);
        /* Nor does a start of the one that has left take it away. */
        journal_close(open_ok(first ? &t : &s));
        assert_int_equal(held_inode(&s, ".git"), ino);
        journal_close(first ? a : b);
        assert_int_equal(count_in(s.work), 0);
        /* The one that left first finds out when it starts again. */
        journal_close(open_ok(first ? &t : &s));
        assert_int_equal(count_in(s.placeholders), 0);
        assert_int_equal(count_in(t.placeholders), 0);
    }
    drop_scratch(&s);
}

static const char *const dead_names[] = {".git", ".codex", NULL};

/* Whichever is killed, whoever starts first after that cleans, if nobody uses it. */
static void test_another_home_is_killed(void **unused)
{
    (void)unused;
    struct scratch s;
    make_scratch(&s);
    struct scratch t = other_home(&s, "other");
    /* The finder dies, the maker lives. */
    struct journal *j = open_ok(&s);
    assert_int_equal(hold(j, &s, ".git"), 0);
    leave_dead(&t, dead_names);
    journal_close(open_ok(&t));
    assert_true(stands(&s, ".git"));
    assert_false(stands(&s, ".codex"));
    journal_close(j);
    assert_int_equal(count_in(s.work), 0);
    /* The maker dies, the finder lives. */
    leave_dead(&s, dead_names);
    j = open_ok(&t);
    assert_int_equal(hold(j, &t, ".git"), 0);
    journal_close(open_ok(&s));
    assert_true(stands(&s, ".git"));
    assert_false(stands(&s, ".codex"));
    journal_close(j);
    assert_int_equal(count_in(s.work), 0);
    /* Both die: either finds it, also the one that made nothing. */
    for (int i = 0; i < 2; i++) {
        leave_dead(&s, dead_names);
        leave_dead(&t, dead_names);
        assert_int_equal(count_in(s.work), 2);
        journal_close(open_ok(i ? &s : &t));
        assert_int_equal(count_in(s.work), 0);
    }
    journal_close(open_ok(&t));
    journal_close(open_ok(&s));
    assert_int_equal(count_in(s.placeholders), 0);
    assert_int_equal(count_in(t.placeholders), 0);
    drop_scratch(&s);
}

/* An empty directory of somebody's is never taken for one, nor is one that was used since. */
static void test_an_empty_directory_is_no_placeholder(void **unused)
{
    (void)unused;
    struct scratch s;
    make_scratch(&s);
    struct scratch t = other_home(&s, "other");
    assert_return_code(mkdirat(s.fd, ".codex", 0755), errno);
    struct journal *a = open_ok(&s), *b = open_ok(&t);
    struct stat st;
    assert_return_code(fstatat(s.fd, ".codex", &st, 0), errno);
    assert_false(placeholder_is_marked(&st));
    assert_int_equal(hold(b, &t, ".codex"), -EEXIST);
    assert_int_equal(hold(a, &s, ".git"), 0);
    assert_return_code(fstatat(s.fd, ".git", &st, 0), errno);
    assert_true(placeholder_is_marked(&st));
    assert_return_code(mkdirat(s.fd, ".git/refs", 0755), errno);
    assert_int_equal(hold(b, &t, ".git"), -EEXIST);
    assert_return_code(unlinkat(s.fd, ".git/refs", AT_REMOVEDIR), errno);
    assert_int_equal(hold(b, &t, ".git"), -EEXIST);
    journal_close(b);
    assert_true(stands(&s, ".git"));
    journal_close(a);
    assert_false(stands(&s, ".git"));
    assert_true(stands(&s, ".codex"));
    drop_scratch(&s);
}

/* Somebody has the exclusive lock for good: a clear refusal after a while. Somebody else's shared
 * one: what cannot be removed is left for a later start. */
static void test_locked_by_a_stranger(void **unused)
{
    (void)unused;
    struct scratch s;
    make_scratch(&s);
    struct scratch t = other_home(&s, "other");
    leave_dead(&s, dead_names);
    int fd = openat(s.fd, ".git", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_return_code(flock(fd, LOCK_EX | LOCK_NB), errno);
    struct journal *j = open_ok(&t);
    struct error err = {0};
    struct journal_name name = {.name = ".git"};
    assert_int_equal(journal_hold_all(j, s.fd, s.work, &name, 1, &err), -EBUSY);
    assert_non_null(strstr(err.message, ".git"));
    assert_return_code(flock(fd, LOCK_SH), errno);
    assert_int_equal(hold(j, &t, ".git"), 0);
    journal_close(j);
    assert_true(stands(&s, ".git"));
    fd_close(fd);
    journal_close(open_ok(&t));
    assert_false(stands(&s, ".git"));
    journal_close(open_ok(&s));
    assert_int_equal(count_in(s.work), 0);
    assert_int_equal(count_in(s.placeholders), 0);
    drop_scratch(&s);
}

/* ---- spare directories ---- */

/* Each in the directory of spares is for one directory; the only one here. */
static void shelf_path(const struct scratch *s, char path[512])
{
    (void)snprintf(path, 512, "%s/spare", s->state);
    DIR *d = opendir(path);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.')
            (void)snprintf(path, 512, "%s/spare/%s", s->state, e->d_name);
    (void)closedir(d);
}

static void test_spares_come_back(void **unused)
{
    (void)unused;
    struct scratch s;
    char shelf[512];
    make_scratch(&s);
    struct journal *j = open_ok(&s);
    assert_int_equal(hold(j, &s, ".git"), 0);
    ino_t first = held_inode(&s, ".git");
    journal_close(j);
    assert_int_equal(count_in(s.work), 0);
    shelf_path(&s, shelf);
    assert_int_equal(count_in(shelf), 1);

    /* Taken for its name, with another that has to be made. */
    j = open_ok(&s);
    struct journal_name names[] = {{.name = ".codex"}, {.name = ".git"}};
    assert_int_equal(journal_hold_all(j, s.fd, s.work, names, 2, NULL), 0);
    assert_int_equal(held_inode(&s, ".git"), first);
    assert_int_equal(names[1].ino, first);
    assert_int_equal(held_inode(&s, ".codex"), names[0].ino);
    assert_int_equal(count_in(s.work), 2);
    assert_int_equal(count_in(shelf), 0);
    struct stat up;
    assert_return_code(fstat(s.fd, &up), errno);
    assert_true(journal_is_placeholder(s.state, up.st_dev, up.st_ino, ".git", names[1].dev, first));
    journal_close(j);
    assert_int_equal(count_in(s.work), 0);
    assert_int_equal(count_in(shelf), 2);
    drop_scratch(&s);
}

/* Somebody who may write one directory may have kept a descriptor of what stood there. It must not
 * lead into another directory, nor to another name. */
static void test_spares_stay_with_their_name(void **unused)
{
    (void)unused;
    struct scratch s;
    make_scratch(&s);
    char second[128];
    (void)snprintf(second, sizeof(second), "%s/second", s.root);
    assert_return_code(mkdir(second, 0755), errno);
    int fd = open(second, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct journal *j = open_ok(&s);
    assert_int_equal(hold(j, &s, ".git"), 0);
    int kept = openat(s.fd, ".git", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(kept >= 0);
    journal_close(j);

    j = open_ok(&s);
    dev_t dev;
    ino_t ino;
    assert_int_equal(journal_hold(j, fd, second, ".git", &dev, &ino, NULL), 0);
    assert_int_equal(hold(j, &s, ".codex"), 0);
    assert_return_code(mkdirat(kept, "hooks", 0755), errno);
    char inner[160];
    (void)snprintf(inner, sizeof(inner), "%s/.git", second);
    assert_int_equal(count_in(inner), 0);
    assert_true(journal_dir_is_empty(s.fd, ".codex"));
    journal_close(j);

    /* Nor back to its own, now that it is filled; and another of its name has no place there. */
    j = open_ok(&s);
    assert_int_equal(hold(j, &s, ".git"), 0);
    assert_true(journal_dir_is_empty(s.fd, ".git"));
    journal_close(j);
    assert_int_equal(count_in(s.work), 0);
    assert_int_equal(count_in(second), 0);
    assert_int_equal(count_in(s.placeholders), 0);
    fd_close(kept);
    fd_close(fd);
    drop_scratch(&s);
}

/* Directories that come and go, with the same inode numbers, have few of them kept. */
static void test_shelves_are_few(void **unused)
{
    (void)unused;
    enum { DIRECTORIES = 60, MOST = 17 };
    struct scratch s;
    char spare[128], path[192];
    make_scratch(&s);
    (void)snprintf(spare, sizeof(spare), "%s/spare", s.state);
    for (int i = 0; i < DIRECTORIES; i++) {
        (void)snprintf(path, sizeof(path), "%s/%d", s.root, i);
        assert_return_code(mkdir(path, 0755), errno);
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct journal *j = open_ok(&s);
        struct journal_name names[] = {{.name = ".git"}, {.name = ".aws"}};
        assert_int_equal(journal_hold_all(j, fd, path, names, 2, NULL), 0);
        journal_close(j);
        assert_int_equal(count_in(path), 0);
        assert_int_equal(rmdir(path), 0);
        fd_close(fd);
        assert_true(count_in(spare) <= MOST);
    }
    assert_true(count_in(spare) >= 2);
    drop_scratch(&s);
}

/* A run that took a spare and was killed: the next start finds it by the journal. */
static void test_spares_of_the_dead(void **unused)
{
    (void)unused;
    static const char *const names[] = {".git", ".codex", NULL};
    struct scratch s;
    make_scratch(&s);
    struct journal *j = open_ok(&s);
    assert_int_equal(hold(j, &s, ".git"), 0);
    journal_close(j);
    leave_dead(&s, names);
    assert_int_equal(count_in(s.work), 2);
    journal_close(open_ok(&s));
    assert_int_equal(count_in(s.work), 0);
    assert_int_equal(count_in(s.placeholders), 0);
    drop_scratch(&s);
}

static void test_unfit_spares_stay(void **unused)
{
    (void)unused;
    struct scratch s;
    char shelf[512], path[768];
    make_scratch(&s);
    struct journal *j = open_ok(&s);
    struct journal_name names[] = {{.name = ".git"}, {.name = ".codex"}, {.name = ".bawn"}};
    assert_int_equal(journal_hold_all(j, s.fd, s.work, names, 3, NULL), 0);
    journal_close(j);
    shelf_path(&s, shelf);
    assert_int_equal(count_in(shelf), 3);
    /* One is filled, one is a link, one a file. */
    (void)snprintf(path, sizeof(path), "%s/.git/file", shelf);
    fd_close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    (void)snprintf(path, sizeof(path), "%s/.codex", shelf);
    assert_return_code(rmdir(path), errno);
    assert_return_code(symlink(s.work, path), errno);
    (void)snprintf(path, sizeof(path), "%s/.bawn", shelf);
    assert_return_code(rmdir(path), errno);
    fd_close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    j = open_ok(&s);
    assert_int_equal(journal_hold_all(j, s.fd, s.work, names, 3, NULL), 0);
    assert_int_equal(count_in(shelf), 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(journal_dir_is_empty(s.fd, names[i].name));
    /* Filled meanwhile: it stays, with what is in it. */
    assert_int_equal(hold(j, &s, ".aws"), 0);
    fd_close(openat(s.fd, ".aws/config", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    journal_close(j);
    assert_false(stands(&s, ".git"));
    assert_true(stands(&s, ".aws/config"));
    assert_int_equal(count_in(s.work), 1);
    assert_int_equal(count_in(shelf), 3);
    drop_scratch(&s);
}

static void test_spares_that_others_can_write_are_not_used(void **unused)
{
    (void)unused;
    struct scratch s;
    char spare[128];
    make_scratch(&s);
    struct journal *j = open_ok(&s);
    assert_int_equal(hold(j, &s, ".git"), 0);
    journal_close(j);
    (void)snprintf(spare, sizeof(spare), "%s/spare", s.state);
    assert_return_code(chmod(spare, 0777), errno);
    j = open_ok(&s);
    assert_int_equal(hold(j, &s, ".git"), 0);
    assert_int_equal(count_in(spare), 1);
    journal_close(j);
    assert_int_equal(count_in(s.work), 0);
    assert_int_equal(count_in(spare), 1);
    drop_scratch(&s);
}

/* One of many that cannot be held: none of those that were missing stands. */
static void test_all_or_none(void **unused)
{
    (void)unused;
    struct scratch s;
    struct error err = {0};
    make_scratch(&s);
    assert_return_code(mkdirat(s.fd, ".git", 0755), errno);
    struct journal *j = open_ok(&s);
    struct journal_name names[] = {{.name = ".aws"}, {.name = ".git"}, {.name = ".codex"}};
    assert_int_equal(journal_hold_all(j, s.fd, s.work, names, 3, &err), -EEXIST);
    assert_non_null(strstr(err.message, ".git"));
    assert_int_equal(count_in(s.work), 1);
    journal_close(j);
    assert_int_equal(count_in(s.work), 1);
    drop_scratch(&s);
}

/* ---- crashes, and what others did meanwhile ---- */

static const char *const git_only[] = {".git", NULL};

static void test_dead_run_is_worked_off(void **unused)
{
    (void)unused;
    struct scratch s;
    make_scratch(&s);
    const char *const names[] = {".git", ".codex", NULL};
    leave_dead(&s, names);
    assert_int_equal(count_in(s.work), 2);
    journal_close(open_ok(&s));
    assert_int_equal(count_in(s.work), 0);
    assert_int_equal(count_in(s.placeholders), 0);
    drop_scratch(&s);
}

static void test_cleaning_alone(void **unused)
{
    (void)unused;
    struct scratch s;
    make_scratch(&s);
    journal_clean(s.state);
    assert_int_equal(count_in(s.state), 0);
    assert_int_equal(access(s.state, F_OK), -1);
    leave_dead(&s, git_only);
    struct journal *j = open_ok(&s);
    assert_int_equal(hold(j, &s, ".aws"), 0);
    leave_dead(&s, git_only);
    journal_clean(s.state);
    assert_int_equal(count_in(s.work), 2); /* one lives, and is the one to clean */
    journal_close(j);
    assert_int_equal(count_in(s.work), 0);
    leave_dead(&s, git_only);
    journal_clean(s.state);
    assert_int_equal(count_in(s.work), 0);
    assert_int_equal(count_in(s.placeholders), 0);
    drop_scratch(&s);
}

static void test_filled_is_kept(void **unused)
{
    (void)unused;
    struct scratch s;
    make_scratch(&s);
    leave_dead(&s, git_only);
    fd_close(openat(s.fd, ".git/HEAD", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    journal_close(open_ok(&s));
    assert_true(stands(&s, ".git/HEAD"));
    assert_int_equal(count_in(s.placeholders), 0);
    /* And it is somebody's now: no placeholder any more, also while a run that shared it lives. */
    struct journal *j = open_ok(&s);
    assert_int_equal(hold(j, &s, ".git"), -EEXIST);
    assert_int_equal(hold(j, &s, ".aws"), 0);
    fd_close(openat(s.fd, ".aws/config", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(hold(j, &s, ".aws"), -EEXIST);
    journal_close(j);
    assert_true(stands(&s, ".aws/config"));
    drop_scratch(&s);
}

static void test_swapped_is_kept(void **unused)
{
    (void)unused;
    struct scratch s;
    make_scratch(&s);
    leave_dead(&s, git_only);
    /* Made before the other goes, so that it cannot get the same inode. */
    assert_return_code(mkdirat(s.fd, "mine", 0755), errno);
    assert_return_code(unlinkat(s.fd, ".git", AT_REMOVEDIR), errno);
    assert_return_code(renameat(s.fd, "mine", s.fd, ".git"), errno);
    journal_close(open_ok(&s));
    assert_true(stands(&s, ".git"));
    assert_int_equal(count_in(s.placeholders), 0);
    drop_scratch(&s);
}

static void test_removed_by_hand_is_made_again(void **unused)
{
    (void)unused;
    struct scratch s;
    make_scratch(&s);
    struct journal *a = open_ok(&s), *b = open_ok(&s);
    assert_int_equal(hold(a, &s, ".git"), 0);
    assert_return_code(unlinkat(s.fd, ".git", AT_REMOVEDIR), errno);
    assert_int_equal(hold(b, &s, ".git"), 0);
    assert_true(stands(&s, ".git"));
    journal_close(b);
    journal_close(a);
    assert_int_equal(count_in(s.work), 0);
    drop_scratch(&s);
}

static void test_renamed_parent(void **unused)
{
    (void)unused;
    struct scratch s;
    make_scratch(&s);
    leave_dead(&s, git_only);
    char moved[128];
    (void)snprintf(moved, sizeof(moved), "%s/moved", s.root);
    assert_return_code(rename(s.work, moved), errno);
    struct journal *j = open_ok(&s);
    assert_int_equal(count_in(s.placeholders), 1); /* not found, so not forgotten */
    assert_true(stands(&s, ".git"));
    dev_t dev;
    ino_t ino;
    assert_int_equal(journal_hold(j, s.fd, moved, ".git", &dev, &ino, NULL), 0);
    journal_close(j);
    assert_int_equal(count_in(moved), 0);
    assert_int_equal(count_in(s.placeholders), 0);
    drop_scratch(&s);
}

/* Each instant a crash can leave behind, written out by hand. */
static void write_journal(const struct scratch *s, const char *lines, const char *tail)
{
    char path[256], text[1024];
    struct stat up;
    assert_return_code(fstat(s->fd, &up), errno);
    (void)snprintf(path, sizeof(path), "%s/%lx-%lx", s->placeholders, (unsigned long)up.st_dev,
                   (unsigned long)up.st_ino);
    (void)snprintf(text, sizeof(text), "bawn-placeholders 1\ndir %s\n%s%s", s->work, lines, tail);
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
    fd_close(fd);
}

static void test_every_instant(void **unused)
{
    (void)unused;
    static const char temp[] = ".bawn-0123456789abcdef";
    struct scratch s;
    make_scratch(&s);
    journal_close(open_ok(&s));
    char intent[128], made[256];
    (void)snprintf(intent, sizeof(intent), "intent %s .git\n", temp);

    write_journal(&s, "", "intent .baw"); /* torn */
    journal_close(open_ok(&s));
    assert_int_equal(count_in(s.placeholders), 0);

    write_journal(&s, intent, ""); /* nothing made yet */
    journal_close(open_ok(&s));
    assert_int_equal(count_in(s.placeholders), 0);

    for (int renamed = 0; renamed < 3; renamed++) {
        struct stat st;
        assert_return_code(mkdirat(s.fd, temp, 0755), errno);
        assert_return_code(fstatat(s.fd, temp, &st, 0), errno);
        (void)snprintf(made, sizeof(made), "%smade %s %lx %lx\n", intent, temp,
                       (unsigned long)st.st_dev, (unsigned long)st.st_ino);
        if (renamed == 2)
            assert_return_code(renameat(s.fd, temp, s.fd, ".git"), errno);
        write_journal(&s, renamed ? made : intent, renamed ? "gone .b" : "");
        if (renamed == 1) {
            /* Somebody comes to hold the name instead of opening anew. */
            struct journal *j = NULL;
            char away[160];
            (void)snprintf(away, sizeof(away), "%s.away", s.placeholders);
            assert_return_code(rename(s.placeholders, away), errno);
            j = open_ok(&s);
            assert_return_code(rmdir(s.placeholders), errno);
            assert_return_code(rename(away, s.placeholders), errno);
            journal_close(j);
            j = open_ok(&s);
            assert_int_equal(hold(j, &s, ".git"), 0);
            assert_false(stands(&s, temp));
            journal_close(j);
        }
        journal_close(open_ok(&s));
        assert_int_equal(count_in(s.work), 0);
        assert_int_equal(count_in(s.placeholders), 0);
    }
    drop_scratch(&s);
}

static void test_damaged_journal(void **unused)
{
    (void)unused;
    struct scratch s;
    make_scratch(&s);
    journal_close(open_ok(&s));
    write_journal(&s, "what is this\n", "");
    struct journal *j = open_ok(&s); /* another directory's damage does not stop a start */
    struct error err = {0};
    dev_t dev;
    ino_t ino;
    assert_int_equal(journal_hold(j, s.fd, s.work, ".git", &dev, &ino, &err), -EBADMSG);
    assert_non_null(strstr(err.message, "damaged"));
    assert_true(err.hint[0] != '\0');
    assert_int_equal(count_in(s.work), 0);
    journal_close(j);
    drop_scratch(&s);
}

/* ---- trust ---- */

static void expect_refused(const struct scratch *s, const char *state, const char *word)
{
    struct journal *j = NULL;
    struct error err = {0};
    (void)s;
    assert_true(journal_open(state, &j, &err) < 0);
    assert_null(j);
    if (!strstr(err.message, word))
        print_error("message was: %s\n", err.message);
    assert_non_null(strstr(err.message, word));
}

static void test_state_must_be_ours(void **unused)
{
    (void)unused;
    struct scratch s;
    make_scratch(&s);
    journal_close(open_ok(&s));
    char link[128];
    (void)snprintf(link, sizeof(link), "%s/link", s.root);
    assert_return_code(symlink(s.state, link), errno);
    expect_refused(&s, link, "symlink");
    assert_return_code(chmod(s.state, 0770), errno);
    expect_refused(&s, s.state, "written by others");
    assert_return_code(chmod(s.state, 0700), errno);
    assert_return_code(chmod(s.placeholders, 0702), errno);
    expect_refused(&s, s.state, "written by others");
    assert_return_code(rmdir(s.placeholders), errno);
    assert_return_code(symlink(s.work, s.placeholders), errno);
    expect_refused(&s, s.state, "symlink");
    assert_return_code(unlink(s.placeholders), errno);
    if (geteuid() == 0) {
        assert_return_code(chown(s.state, 12345, 12345), errno);
        expect_refused(&s, s.state, "belongs to user 12345");
    }
    drop_scratch(&s);
}

static void test_foreign_journal_is_not_followed(void **unused)
{
    (void)unused;
    struct scratch s;
    make_scratch(&s);
    leave_dead(&s, git_only);
    DIR *d = opendir(s.placeholders);
    char path[512] = "";
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.')
            (void)snprintf(path, sizeof(path), "%s/%s", s.placeholders, e->d_name);
    (void)closedir(d);
    assert_return_code(chmod(path, 0666), errno);
    journal_close(open_ok(&s));
    assert_true(stands(&s, ".git"));
    struct journal *j = open_ok(&s);
    assert_int_equal(hold(j, &s, ".aws"), -EPERM);
    journal_close(j);
    drop_scratch(&s);
}

/* As an ordinary person, where root would be let through. */
static void test_unwritable_directory(void **unused)
{
    (void)unused;
    struct scratch s;
    make_scratch(&s);
    assert_return_code(chmod(s.work, 0555), errno);
    assert_return_code(chmod(s.root, 0777), errno);
    pid_t pid = fork();
    if (pid == 0) {
        struct journal *j;
        struct error err = {0};
        dev_t dev;
        ino_t ino;
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
            _exit(10);
        if (journal_open(s.state, &j, NULL) < 0)
            _exit(11);
        if (journal_hold(j, s.fd, s.work, ".git", &dev, &ino, &err) != -EACCES)
            _exit(12);
        if (!strstr(err.message, ".git") || !strstr(err.message, s.work) || !err.hint[0])
            _exit(13);
        journal_close(j);
        _exit(count_in(s.placeholders) == 0 ? 0 : 14);
    }
    wait_ok(pid);
    assert_int_equal(count_in(s.work), 0);
    drop_scratch(&s);
}

/* ---- many at once ---- */

static void nap(unsigned microseconds)
{
    struct timespec t = {.tv_nsec = (long)microseconds * 1000};
    (void)nanosleep(&t, NULL);
}

static unsigned next_random(unsigned *state)
{
    *state = *state * 1103515245u + 12345u;
    return *state >> 8;
}

static const char *const family[] = {".git", ".agents", ".codex", ".bawn", ".aws"};

/* Opens, holds the whole family, checks that the very same stands in the end, lets go. */
static int one_run(const struct scratch *s, unsigned *seed, unsigned most_us)
{
    struct journal *j;
    dev_t dev;
    ino_t ino[ARRAY_LEN(family)];
    if (journal_open(s->state, &j, NULL) < 0)
        return 1;
    for (size_t i = 0; i < ARRAY_LEN(family); i++)
        if (journal_hold(j, s->fd, s->work, family[i], &dev, &ino[i], NULL) < 0)
            return 2;
    nap(next_random(seed) % most_us);
    for (size_t i = 0; i < ARRAY_LEN(family); i++) {
        struct stat st;
        if (fstatat(s->fd, family[i], &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_ino != ino[i])
            return 3;
    }
    journal_close(j);
    return 0;
}

/* In one directory; with one state directory, and with four. */
static void forty_at_once(unsigned homes)
{
    enum { PROCESSES = 40, ROUNDS = 6 };
    struct scratch s, home[4];
    make_scratch(&s);
    for (unsigned i = 0; i < homes; i++) {
        char name[8];
        (void)snprintf(name, sizeof(name), "home%u", i);
        home[i] = other_home(&s, name);
    }
    pid_t pids[PROCESSES];
    for (unsigned i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            unsigned seed = i + 1;
            int r = 0;
            for (int k = 0; k < ROUNDS && r == 0; k++)
                r = one_run(&home[i % homes], &seed, 3000);
            _exit(r);
        }
        assert_true(pids[i] > 0);
    }
    for (unsigned i = 0; i < PROCESSES; i++)
        wait_ok(pids[i]);
    assert_int_equal(count_in(s.work), 0);
    for (unsigned i = 0; i < homes; i++) {
        if (homes > 1)
            journal_close(open_ok(&home[i]));
        assert_int_equal(count_in(home[i].placeholders), 0);
        char shelf[512];
        shelf_path(&home[i], shelf);
        assert_true(count_in(shelf) <= ARRAY_LEN(family));
    }
    drop_scratch(&s);
}

static void test_forty_at_once(void **unused)
{
    (void)unused;
    forty_at_once(1);
}

static void test_forty_of_four_homes(void **unused)
{
    (void)unused;
    forty_at_once(4);
}

/* Whoever is the last, nothing stays. In several directories, since they are left one by one. */
enum { LEFT_DIRS = 8 };

static void hold_and_leave(const struct scratch *s, const struct scratch *home, int ready, int go)
{
    struct journal *j = open_ok(home);
    for (unsigned i = 0; i < LEFT_DIRS; i++) {
        char dir[512];
        dev_t dev;
        ino_t ino;
        (void)snprintf(dir, sizeof(dir), "%s/%u", s->work, i);
        int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        for (size_t k = 0; k < ARRAY_LEN(family); k++)
            if (journal_hold(j, fd, dir, family[k], &dev, &ino, NULL) < 0)
                _exit(2);
        (void)close(fd);
    }
    char c;
    if (write(ready, "", 1) != 1 || read(go, &c, 1) != 0)
        _exit(3);
    journal_close(j);
    _exit(0);
}

static void leave_at_once(unsigned homes)
{
    enum { PROCESSES = 2, ROUNDS = 100 };
    struct scratch s, home[2];
    char name[8], c;
    make_scratch(&s);
    home[0] = other_home(&s, "home0");
    home[1] = other_home(&s, "home1");
    for (unsigned i = 0; i < LEFT_DIRS; i++) {
        (void)snprintf(name, sizeof(name), "%u", i);
        assert_int_equal(mkdirat(s.fd, name, 0755), 0);
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        int ready[2], go[2];
        pid_t pids[PROCESSES];
        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        assert_int_equal(pipe2(go, O_CLOEXEC), 0);
        for (unsigned i = 0; i < PROCESSES; i++) {
            pids[i] = fork();
            if (pids[i] == 0) {
                (void)close(go[1]);
                hold_and_leave(&s, &home[i % homes], ready[1], go[0]);
            }
        }
        (void)close(ready[1]);
        for (unsigned i = 0; i < PROCESSES; i++)
            assert_int_equal(read(ready[0], &c, 1), 1);
        (void)close(go[1]);
        for (unsigned i = 0; i < PROCESSES; i++)
            wait_ok(pids[i]);
        (void)close(go[0]);
        (void)close(ready[0]);
        for (unsigned i = 0; i < LEFT_DIRS; i++) {
            char dir[512];
            (void)snprintf(dir, sizeof(dir), "%s/%u", s.work, i);
            assert_int_equal(count_in(dir), 0);
        }
    }
    for (unsigned i = 0; i < LEFT_DIRS; i++) {
        (void)snprintf(name, sizeof(name), "%u", i);
        assert_int_equal(unlinkat(s.fd, name, AT_REMOVEDIR), 0);
    }
    drop_scratch(&s);
}

static void test_two_leave_at_once(void **unused)
{
    (void)unused;
    leave_at_once(1);
}

static void test_two_homes_leave_at_once(void **unused)
{
    (void)unused;
    leave_at_once(2);
}

static void killed_at_any_instant(unsigned homes)
{
    enum { PROCESSES = 4, ROUNDS = 120 };
    struct scratch s, home[2];
    make_scratch(&s);
    home[0] = other_home(&s, "home0");
    home[1] = other_home(&s, "home1");
    unsigned seed = 4711;
    size_t left = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        pid_t pids[PROCESSES];
        for (unsigned i = 0; i < PROCESSES; i++) {
            unsigned own = next_random(&seed);
            pids[i] = fork();
            if (pids[i] == 0) {
                int r = 0;
                while (r == 0)
                    r = one_run(&home[i % homes], &own, 200);
                _exit(r);
            }
        }
        nap(next_random(&seed) % 4000);
        for (unsigned i = 0; i < PROCESSES; i++) {
            nap(next_random(&seed) % 300);
            (void)kill(pids[i], SIGKILL);
        }
        for (unsigned i = 0; i < PROCESSES; i++) {
            int status;
            assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
            if (!WIFSIGNALED(status))
                print_error("a run ended with %d\n", WEXITSTATUS(status));
            assert_true(WIFSIGNALED(status));
        }
        left += count_in(s.work) > 0;
        for (unsigned i = 0; i < homes; i++) {
            journal_close(open_ok(&home[i]));
            assert_int_equal(count_in(home[i].placeholders), 0);
        }
        assert_int_equal(count_in(s.work), 0);
    }
    /* Otherwise the rounds proved nothing. */
    assert_true(left > 0);
    drop_scratch(&s);
}

static void test_killed_at_any_instant(void **unused)
{
    (void)unused;
    killed_at_any_instant(1);
}

static void test_killed_with_two_homes(void **unused)
{
    (void)unused;
    killed_at_any_instant(2);
}

/* A directory that a dead run wrote down may be another bawn's spare by now. Where the start that
 * works the dead run off finds nothing, that bawn puts it back a moment later, and uses it. */
static void test_a_dead_runs_is_anothers_spare(void **unused)
{
    (void)unused;
    enum { ROUNDS = 400 };
    struct scratch s;
    make_scratch(&s);
    struct scratch dead = other_home(&s, "dead"), other = other_home(&s, "other");
    unsigned seed = 31;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct journal *j;
        struct stat st;
        dev_t dev;
        ino_t ino, again;
        int go[2];
        pid_t pid = fork();
        if (pid == 0) {
            struct journal *left = open_ok(&dead);
            _exit(journal_hold(left, s.fd, s.work, ".git", &dev, &ino, NULL) < 0);
        }
        wait_ok(pid);
        j = open_ok(&other);
        assert_int_equal(journal_hold(j, s.fd, s.work, ".git", &dev, &ino, NULL), 0);
        journal_close(j);
        assert_int_equal(count_in(s.work), 0); /* on the other's shelf */

        assert_int_equal(pipe2(go, O_CLOEXEC), 0);
        pid = fork();
        if (pid == 0) {
            char c;
            (void)close(go[1]);
            if (read(go[0], &c, 1) != 0)
                _exit(1);
            nap(next_random(&seed) % 200);
            journal_close(open_ok(&dead));
            _exit(0);
        }
        (void)next_random(&seed);
        (void)close(go[0]);
        j = open_ok(&other);
        (void)close(go[1]);
        nap(100);
        assert_int_equal(journal_hold(j, s.fd, s.work, ".git", &dev, &again, NULL), 0);
        wait_ok(pid);
        assert_int_equal(fstatat(s.fd, ".git", &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(st.st_ino, again);
        journal_close(j);
        assert_int_equal(count_in(s.work), 0);
    }
    drop_scratch(&s);
}

/* ---- the text ---- */

#define HEAD "bawn-placeholders 1\n"
#define TEMP ".bawn-0123456789abcdef"

static void test_text(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        int result;
        size_t records;
    } cases[] = {
        {"", 0, 0},
        {"bawn-placehol", 0, 0},
        {HEAD, 0, 0},
        {HEAD "dir /a\\20b\n", 0, 0},
        {HEAD "intent " TEMP " .git\n", 0, 1},
        {HEAD "intent " TEMP " .git\nmade " TEMP " fe00 1\n", 0, 1},
        {HEAD "intent " TEMP " .git\nmade " TEMP " fe00 1\ngone " TEMP "\n", 0, 1},
        {HEAD "intent " TEMP " .git\ngone " TEMP "\n", 0, 1},
        {HEAD "intent " TEMP " .git\nmade " TEMP " fe", 0, 1},
        {"bawn-placeholders 2\n", -EBADMSG, 0},
        {HEAD "\n", -EBADMSG, 0},
        {HEAD "dir relative\n", -EBADMSG, 0},
        {HEAD "dir\n", -EBADMSG, 0},
        {HEAD "dir /a /b\n", -EBADMSG, 0},
        {HEAD "dir /a \n", -EBADMSG, 0},
        {HEAD "dir /a\\2\n", -EBADMSG, 0},
        {HEAD "dir /a\\zz\n", -EBADMSG, 0},
        {HEAD "dir /a\\61\n", -EBADMSG, 0}, /* one spelling only */
        {HEAD "dir /a\\00\n", -EBADMSG, 0},
        {HEAD "dir /a\x01\n", -EBADMSG, 0},
        {HEAD "intent .git .git\n", -EBADMSG, 0},
        {HEAD "intent .bawn-0123456789abcdeF .git\n", -EBADMSG, 0},
        {HEAD "intent " TEMP " ..\n", -EBADMSG, 0},
        {HEAD "intent " TEMP " a/b\n", -EBADMSG, 0},
        {HEAD "intent " TEMP "\n", -EBADMSG, 0},
        {HEAD "intent " TEMP " a\nintent " TEMP " b\n", -EBADMSG, 0},
        {HEAD "made " TEMP " 1 2\n", -EBADMSG, 0},
        {HEAD "intent " TEMP " a\nmade " TEMP " 1\n", -EBADMSG, 0},
        {HEAD "intent " TEMP " a\nmade " TEMP " 1 11111111111111111\n", -EBADMSG, 0},
        {HEAD "intent " TEMP " a\nmade " TEMP " 1 2\nmade " TEMP " 1 2\n", -EBADMSG, 0},
        {HEAD "gone " TEMP "\n", -EBADMSG, 0},
        {HEAD "intent " TEMP " a\ngone " TEMP "\ngone " TEMP "\n", -EBADMSG, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct journal_text t;
        int r = journal_text_parse(bytes_of(cases[i].text), &t);
        if (r != cases[i].result)
            print_error("case %zu\n", i);
        assert_int_equal(r, cases[i].result);
        if (r < 0)
            continue;
        assert_int_equal(t.n, cases[i].records);
        journal_text_release(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hold_and_close),
        cmocka_unit_test(test_several_directories),
        cmocka_unit_test(test_what_stands_is_refused),
        cmocka_unit_test(test_bad_names),
        cmocka_unit_test(test_names_are_bytes),
        cmocka_unit_test(test_last_one_removes),
        cmocka_unit_test(test_forget_keeps_the_parents_lock),
        cmocka_unit_test(test_is_placeholder),
        cmocka_unit_test(test_dead_run_is_worked_off),
        cmocka_unit_test(test_cleaning_alone),
        cmocka_unit_test(test_filled_is_kept),
        cmocka_unit_test(test_swapped_is_kept),
        cmocka_unit_test(test_removed_by_hand_is_made_again),
        cmocka_unit_test(test_renamed_parent),
        cmocka_unit_test(test_every_instant),
        cmocka_unit_test(test_damaged_journal),
        cmocka_unit_test(test_state_must_be_ours),
        cmocka_unit_test(test_foreign_journal_is_not_followed),
        cmocka_unit_test(test_unwritable_directory),
        cmocka_unit_test(test_forty_at_once),
        cmocka_unit_test(test_forty_of_four_homes),
        cmocka_unit_test(test_two_leave_at_once),
        cmocka_unit_test(test_two_homes_leave_at_once),
        cmocka_unit_test(test_another_home_is_not_left_in_the_open),
        cmocka_unit_test(test_another_home_is_killed),
        cmocka_unit_test(test_an_empty_directory_is_no_placeholder),
        cmocka_unit_test(test_locked_by_a_stranger),
        cmocka_unit_test(test_spares_come_back),
        cmocka_unit_test(test_spares_stay_with_their_name),
        cmocka_unit_test(test_shelves_are_few),
        cmocka_unit_test(test_spares_of_the_dead),
        cmocka_unit_test(test_unfit_spares_stay),
        cmocka_unit_test(test_spares_that_others_can_write_are_not_used),
        cmocka_unit_test(test_all_or_none),
        cmocka_unit_test(test_killed_at_any_instant),
        cmocka_unit_test(test_killed_with_two_homes),
        cmocka_unit_test(test_a_dead_runs_is_anothers_spare),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

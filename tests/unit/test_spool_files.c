/*
 * The spool's directory and the disk below it: nothing that lies there leads elsewhere, stops a
 * writer or a reader, or is believed; a directory that is removed is made again; a full disk and a
 * limit of file sizes lose what they must and nothing else.
 */
#include "spool_world.h"
#include "base/mem.h"
#include "telemetry/crc32c.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

/* ---- what lies there ---- */

static void test_cursor(void **state)
{
    (void)state;
    static const uint64_t places[][2] = {{9, 0},  {9, 5000},          {0, 0},         {1, 1u << 30},
                                         {1, 77}, {UINT64_MAX, 1000}, {1ull << 62, 0}};
    struct cursor_copy {
        uint64_t turn, segment, offset;
        uint32_t check, zero;
    } copy;
    struct spool s;
    open_spool(&s, MOST);
    append(&s, 0, 100);
    append(&s, 1, 100);
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        copy = (struct cursor_copy){1000 + i, places[i][0], places[i][1], 0, 0};
        copy.check = crc32c(0, &copy, offsetof(struct cursor_copy, check));
        write_at("cursor", &copy, sizeof(copy), 0);
        struct spool_reader *r = open_reader();
        const bool inside = places[i][0] == 1 && places[i][1] == 77;
        assert_int_equal(spool_waiting(r), inside ? 224 - 77 : 224);
        /* In the middle of a frame: what is left of it is damage. */
        if (!inside)
            (void)expect(r, 0);
        (void)expect(r, 1);
        expect_none(r);
        spool_reader_close(r);
    }
    /* The newer of two; a damaged one does not count; none of it; anything. */
    assert_int_equal(truncate(path_of("cursor"), 0), 0);
    struct spool_reader *r = open_reader();
    const struct spool_place first = expect(r, 0), second = expect(r, 1);
    assert_int_equal(spool_commit(r, first), 0);
    assert_int_equal(spool_commit(r, second), 0);
    append(&s, 2, 100);
    spool_reader_close(r);
    char saved[64];
    _cleanup_fd_ int fd = open(path_of("cursor"), O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, saved, sizeof(saved), 0), sizeof(saved));
    for (size_t at = 0; at < sizeof(saved); at++) {
        char c = (char)(saved[at] ^ 0x10);
        assert_int_equal(pwrite(fd, &c, 1, (off_t)at), 1);
        r = open_reader();
        /* Turn 1 lies in the second half, turn 2 in the first. */
        (void)expect(r, at < 32 ? 1 : 2);
        spool_reader_close(r);
        assert_int_equal(pwrite(fd, &saved[at], 1, (off_t)at), 1);
    }
    for (size_t n = 0; n <= sizeof(saved); n++) {
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, saved, n, 0), n);
        r = open_reader();
        (void)expect(r, n < 32 ? 0 : 2);
        spool_reader_close(r);
    }
    spool_close(&s);
}

#define VICTIM "/victim"

static void make_victim(void)
{
    char path[96];
    (void)snprintf(path, sizeof(path), "%s" VICTIM, world);
    _cleanup_fd_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "precious", 8), 8);
}

static void check_victim(void)
{
    char path[96], text[16];
    (void)snprintf(path, sizeof(path), "%s" VICTIM, world);
    _cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, text, sizeof(text)), 8);
    assert_memory_equal(text, "precious", 8);
}

/* Whatever is there beside the segments, or in place of some: frames come through. */
static void test_strangers(void **state)
{
    (void)state;
    struct spool s;
    struct spool_place after = {0};
    make_victim();
    open_spool(&s, MOST);
    append(&s, 0, 100);
    static const char *const names[] = {"99999999999999999999.spool",
                                        "18446744073709551615.spool",
                                        "1000000000000000000.spool",
                                        "0.spool",
                                        "007.spool",
                                        "-1.spool",
                                        "1.spool.old",
                                        "x.spool",
                                        ".spool",
                                        "1",
                                        "+2.spool",
                                        "2.spool "};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        write_at(names[i], "stranger", 8, 0);
    const char *link = "../victim";
    assert_int_equal(symlink(link, path_of("2.spool")), 0);
    assert_int_equal(mkfifo(path_of("3.spool"), 0600), 0);
    assert_int_equal(mkdir(path_of("4.spool"), 0700), 0);
    assert_int_equal(symlink("5.spool", path_of("5.spool")), 0);
    _cleanup_fd_ int sparse = open(path_of("6.spool"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(ftruncate(sparse, (off_t)1 << 40), 0);
    write_at("7.spool", "", 0, 0);
    assert_int_equal(chmod(path_of("7.spool"), 0666), 0);
    write_at("8.spool", "", 0, 0);
    assert_int_equal(chmod(path_of("8.spool"), 0), 0);
    assert_int_equal(symlink("/dev/full", path_of("9.spool")), 0);

    (void)alarm(20);
    append(&s, 1, 100);
    append(&s, 2, 100);
    assert_true(size_of("10.spool") > 0 || geteuid() == 0);
    struct spool_reader *r = open_reader();
    for (uint32_t i = 0; i < 3; i++)
        after = expect(r, i);
    expect_none(r);
    assert_int_equal(spool_take_dropped(r), 1); /* what the sparse one holds */
    assert_int_equal(spool_commit(r, after), 0);
    append(&s, 3, 100);
    (void)expect(r, 3);
    spool_reader_close(r);
    spool_close(&s);
    (void)alarm(0);
    check_victim();
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_int_equal(size_of(names[i]), 8);
    assert_false(is_there("2.spool") || is_there("3.spool") || is_there("6.spool"));
}

/* The files that are always there, and the directory itself. */
static void test_strange_files(void **state)
{
    (void)state;
    struct spool s;
    struct spool_reader *r = NULL;
    struct error err;
    static const char *const bad[] = {
        "", ".", "..", "a/b", "../victim", ".hidden", "a23456789012345678901234567890123"};
    make_victim();
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(spool_open(&s, top, bad[i], MOST, &err), -EINVAL);
        spool_close(&s);
        assert_int_equal(spool_reader_open(top, bad[i], &r, &err), -EINVAL);
    }
    open_spool(&s, MOST);
    append(&s, 0, 100);
    spool_close(&s);

    static const char *const files[] = {"lock", "cursor", "dropped"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        assert_int_equal(unlink(path_of(files[i])) == 0 || errno == ENOENT, 1);
        assert_int_equal(symlink("../victim", path_of(files[i])), 0);
        if (i == 0)
            assert_true(spool_open(&s, top, NAME, MOST, &err) < 0);
        if (i < 2)
            assert_true(spool_reader_open(top, NAME, &r, &err) < 0 && err.message[0]);
        assert_int_equal(unlink(path_of(files[i])), 0);
        if (i < 2) {
            assert_int_equal(mkfifo(path_of(files[i]), 0600), 0);
            assert_true(spool_reader_open(top, NAME, &r, &err) < 0);
            assert_int_equal(unlink(path_of(files[i])), 0);
        } else {
            assert_int_equal(symlink("../victim", path_of(files[i])), 0);
            open_spool(&s, 200);
            assert_int_equal(spool_append(&s, (struct bytes){world, 60}), 0);
            assert_int_equal(spool_append(&s, (struct bytes){world, 60}), -ENOSPC);
            r = open_reader();
            assert_int_equal(spool_take_dropped(r), 0);
            spool_reader_close(r);
            spool_close(&s);
        }
    }
    check_victim();

    assert_int_equal(chmod(path_of(""), 0750), 0);
    assert_int_equal(spool_open(&s, top, NAME, MOST, &err), -EPERM);
    assert_true(err.hint[0]);
    assert_int_equal(spool_reader_open(top, NAME, &r, &err), -EPERM);
    assert_int_equal(chmod(path_of(""), 0700), 0);
    assert_int_equal(symlinkat(NAME, top, "link"), 0);
    assert_true(spool_open(&s, top, "link", MOST, &err) < 0);
    assert_int_equal(symlinkat("/nowhere", top, "away"), 0);
    assert_true(spool_open(&s, top, "away", MOST, &err) < 0);
    assert_true(spool_open(&s, top, "victim", MOST, &err) < 0);
    spool_close(&s);
    check_victim();
}

static void remove_all(void)
{
    assert_int_equal(nftw(path_of(""), remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void test_removed_directory(void **state)
{
    (void)state;
    struct spool s;
    struct spool_place after, old;
    open_spool(&s, MOST);
    for (uint32_t i = 0; i < 20; i++)
        append(&s, i, 100);
    struct spool_reader *r = open_reader();
    for (uint32_t i = 0; i < 5; i++)
        after = expect(r, i);
    old = after;
    remove_all();
    assert_int_equal(spool_waiting(r), 0);
    spool_close(&s);
    open_spool(&s, MOST);
    for (uint32_t i = 20; i < 23; i++)
        append(&s, i, 100);
    assert_true(is_there("1.spool"));
    /* What is open is read to its end. */
    for (uint32_t i = 5; i < 20; i++)
        after = expect(r, i);
    (void)expect(r, 20);
    assert_int_equal(spool_commit(r, after), -EINVAL);
    assert_int_equal(spool_commit(r, old), -EINVAL);
    (void)expect(r, 21);
    after = expect(r, 22);
    assert_int_equal(spool_commit(r, after), 0);
    expect_none(r);

    /* With the writer that was there before: its numbers go on, and old places do no harm. */
    remove_all();
    append(&s, 30, 100);
    append(&s, 31, 100);
    assert_true(is_there("2.spool"));
    (void)expect(r, 30);
    assert_int_equal(spool_commit(r, after), 0);
    spool_reader_close(r);
    r = open_reader();
    (void)expect(r, 30);
    after = expect(r, 31);

    /* The segments alone; the whole and nothing comes; the parent, too. */
    assert_int_equal(unlink(path_of("2.spool")), 0);
    append(&s, 23, 100);
    (void)expect(r, 23);
    remove_all();
    expect_none(r);
    append(&s, 24, 100);
    after = expect(r, 24);
    assert_int_equal(spool_commit(r, after), 0);
    assert_int_equal(nftw(world, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    struct bytes payload;
    assert_true(spool_next(r, &payload, NULL) < 0);
    assert_true(spool_next(r, &payload, NULL) < 0);
    assert_true(spool_commit(r, after) < 0);
    assert_int_equal(spool_take_dropped(r), 0);
    assert_int_equal(spool_waiting(r), 0);
    assert_true(spool_append(&s, (struct bytes){world, 8}) < 0);
    assert_true(spool_append(&s, (struct bytes){world, 8}) < 0);
    spool_reader_close(r);
    spool_close(&s);
    assert_int_equal(mkdir(world, 0700), 0);
}

static void test_without_memory(void **state)
{
    (void)state;
    struct spool_reader *r = NULL;
    struct error err;
    for (unsigned long n = 1; n <= 2; n++) {
        mem_fail_at(n);
        assert_int_equal(spool_reader_open(top, NAME, &r, &err), -ENOMEM);
        mem_fail_at(0);
    }
    assert_null(r);
}

/* ---- a limit of file sizes, a full disk, foreign owners: in a child ---- */

static void in_child(void (*fn)(void))
{
    int status = -1;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        fn();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void with_limit(void)
{
    static char buf[SPOOL_FRAME];
    const struct rlimit small = {40000, 40000}, smaller = {50, 50};
    struct spool s;
    struct spool_place after = {0};
    MUST(setrlimit(RLIMIT_FSIZE, &small) == 0);
    open_spool(&s, MOST);
    for (uint32_t i = 0; i < 100; i++)
        append(&s, i, 10000);
    MUST(spool_append(&s, make_frame(buf, 0, 1, 39989)) == -ENOSPC);
    append(&s, 100, 39988);
    spool_close(&s);
    struct spool_reader *r = open_reader();
    for (uint32_t i = 0; i <= 100; i++)
        after = expect(r, i);
    MUST(spool_commit(r, after) == 0);
    MUST(spool_take_dropped(r) == 1);
    spool_reader_close(r);
    MUST(setrlimit(RLIMIT_FSIZE, &smaller) == 0);
    open_spool(&s, MOST);
    MUST(spool_append(&s, make_frame(buf, 0, 1, 100)) == -ENOSPC);
    spool_close(&s);
}

static void test_file_size_limit(void **state)
{
    (void)state;
    in_child(with_limit);
}

/* Root of a user namespace where we are not root already, and mounts of its own. */
static void own_mounts(void)
{
    const uid_t uid = geteuid();
    const gid_t gid = getegid();
    char text[64];
    MUST(unshare(uid == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) == 0);
    if (uid != 0) {
        const struct {
            const char *file;
            unsigned id;
        } maps[] = {
            {"/proc/self/setgroups", 0}, {"/proc/self/uid_map", uid}, {"/proc/self/gid_map", gid}};
        for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
            _cleanup_fd_ int fd = open(maps[i].file, O_WRONLY | O_CLOEXEC);
            const int n = i == 0 ? snprintf(text, sizeof(text), "deny")
                                 : snprintf(text, sizeof(text), "0 %u 1", maps[i].id);
            MUST(write(fd, text, (size_t)n) == n);
        }
    }
    MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
}

/* Again: a descriptor from before sees no new mounts. */
static void open_top(void)
{
    fd_closep(&top);
    MUST((top = open(world, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0);
}

/* A disk of 256 KiB, filled by frames: what is there is whole, what went makes room. */
static void with_full_disk(void)
{
    static char buf[SPOOL_FRAME];
    own_mounts();
    MUST(mount("tmpfs", world, "tmpfs", 0, "size=256k,mode=700") == 0);
    open_top();
    struct spool s;
    struct spool_reader *r;
    open_spool(&s, MOST);
    uint32_t from = 0, n = 0, refused = 0;
    for (int round = 0; round < 20; round++) {
        /* Frames over several pages: written in part before there is no more. */
        const size_t size = 3000 + 7001u * (unsigned)round % 30000;
        for (int i = 0; i < 200; i++) {
            const int code = spool_append(&s, make_frame(buf, 0, n, size));
            MUST(code == 0 || code == -ENOSPC);
            n += code == 0;
            refused += code != 0;
        }
        MUST(refused > 0 && n > from);
        struct spool_place after = {0};
        r = open_reader();
        for (uint32_t i = from; i < n; i++)
            after = expect(r, i);
        expect_none(r);
        /* The cursor's file may have found no room before the segments went. */
        MUST(spool_commit(r, after) == 0);
        expect_none(r);
        MUST(spool_take_dropped(r) == refused);
        spool_reader_close(r);
        from = n;
        refused = 0;
    }
    spool_close(&s);
    MUST(umount2(world, MNT_DETACH) == 0);
}

static void test_full_disk(void **state)
{
    (void)state;
    in_child(with_full_disk);
}

/* Files of another user, which only a mount can put there. */
static void with_foreign_files(void)
{
    struct spool s;
    struct error err;
    struct spool_reader *r = NULL;
    char file[96], copy[192];
    own_mounts();
    open_top();
    (void)snprintf(file, sizeof(file), "%s/foreign", world);
    /* In a user namespace of our own only we have a number there: then one of the real root's. */
    _cleanup_fd_ int made = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    MUST(made >= 0);
    if (fchown(made, 12345, 12345) < 0)
        (void)snprintf(file, sizeof(file), "/proc/version");
    struct stat st;
    MUST(stat(file, &st) == 0 && st.st_uid != geteuid());
    open_spool(&s, MOST);
    append(&s, 0, 100);
    spool_close(&s);
    static const char *const names[] = {"2.spool", "dropped", "cursor", "lock"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        (void)snprintf(copy, sizeof(copy), "%s", path_of(names[i]));
        _cleanup_fd_ int fd = open(copy, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        MUST(fd >= 0);
        MUST(mount(file, copy, NULL, MS_BIND, NULL) == 0);
        const int code = spool_open(&s, top, NAME, MOST, &err);
        MUST(i < 3 ? code == 0 : code < 0);
        if (code == 0)
            append(&s, 1 + (uint32_t)i, 100);
        spool_close(&s);
        if (i < 2) {
            r = open_reader();
            for (uint32_t k = 0; k <= 1 + i; k++)
                (void)expect(r, k);
            expect_none(r);
            spool_reader_close(r);
        } else {
            MUST(spool_reader_open(top, NAME, &r, &err) < 0);
        }
        if (i)
            MUST(umount2(copy, MNT_DETACH) == 0);
    }
    (void)umount2(path_of("2.spool"), MNT_DETACH);
}

static void test_foreign_files(void **state)
{
    (void)state;
    in_child(with_foreign_files);
}

/* Endpoints that nobody names any more leave nothing for ever; nothing else goes with them. */
static void test_unused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *file;
        bool is_old, goes;
    } cases[] = {
        {"0123456789abcdef", "1.spool", true, true},
        {"0123456789abcde0", "1.spool", false, false},
        {"0123456789abcde1", "notes.txt", true, false}, /* somebody's */
        {"0123456789ABCDEF", "1.spool", true, false},   /* no key */
        {"somebody's", "1.spool", true, false},
    };
    const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    char path[300];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", world, cases[i].name);
        assert_int_equal(mkdir(path, 0700), 0);
        static const char *const files[] = {"lock", "cursor", "dropped", NULL};
        for (size_t k = 0; k < ARRAY_LEN(files); k++) {
            (void)snprintf(path, sizeof(path), "%s/%s/%s", world, cases[i].name,
                           files[k] ? files[k] : cases[i].file);
            _cleanup_fd_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
            assert_true(fd >= 0);
            /* The newest one counts. */
            if (cases[i].is_old || k < 2)
                assert_int_equal(futimens(fd, old), 0);
        }
    }
    /* The directory itself counts as well: it may be empty still. */
    (void)snprintf(path, sizeof(path), "%s/%s", world, "0123456789abcd00");
    assert_int_equal(mkdir(path, 0700), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(utimensat(top, cases[i].name, old, 0), 0);
    spool_remove_unused(top, 2000);
    assert_int_equal(access(path, F_OK), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s/lock", world, cases[i].name);
        assert_int_equal(access(path, F_OK), cases[i].goes ? -1 : 0);
        (void)snprintf(path, sizeof(path), "%s/%s", world, cases[i].name);
        assert_int_equal(access(path, F_OK), cases[i].goes ? -1 : 0);
    }
}

int main(void)
{
#define IN_WORLD(fn) cmocka_unit_test_setup_teardown(fn, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        IN_WORLD(test_cursor),         IN_WORLD(test_strangers),
        IN_WORLD(test_strange_files),  IN_WORLD(test_removed_directory),
        IN_WORLD(test_without_memory), IN_WORLD(test_file_size_limit),
        IN_WORLD(test_full_disk),      IN_WORLD(test_foreign_files),
        IN_WORLD(test_unused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

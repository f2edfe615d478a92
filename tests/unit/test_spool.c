/*
 * The spool with one writer and one reader: what is appended is read in order, what was committed
 * never again, what is full drops and counts, what is torn or damaged is passed over and counted.
 *
 * Many at once, and killed ones: test_spool_many.c. What else may lie in the directory, and what
 * the disk does: test_spool_files.c.
 */
#include "spool_world.h"
#include "telemetry/crc32c.h"

#include <sys/file.h>

static void write_end(const char *name, const void *p, size_t n)
{
    const off_t at = size_of(name);
    write_at(name, p, n, at < 0 ? 0 : at);
}

/* ---- the plain way ---- */

static void test_crc(void **state)
{
    (void)state;
    char zeros[32] = {0}, ones[32], rising[32];
    memset(ones, 0xff, sizeof(ones));
    for (size_t i = 0; i < sizeof(rising); i++)
        rising[i] = (char)i;
    /* RFC 3720, B.4, and the usual check value. */
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283u);
    assert_int_equal(crc32c(0, zeros, 32), 0x8a9136aau);
    assert_int_equal(crc32c(0, ones, 32), 0x62a8ab43u);
    assert_int_equal(crc32c(0, rising, 32), 0x46dd794eu);
    for (size_t i = 0; i <= 9; i++)
        assert_int_equal(crc32c(crc32c(0, "123456789", i), &"123456789"[i], 9 - i), 0xe3069283u);
}

static void test_there_and_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {8, 9, 100, 700, SPOOL_FRAME, 8, 32768, SPOOL_FRAME, 11};
    struct spool s;
    open_spool(&s, MOST);
    struct spool_reader *r = open_reader();
    expect_none(r);
    for (uint32_t i = 0; i < ARRAY_LEN(sizes); i++)
        append(&s, i, sizes[i]);
    for (uint32_t i = 0; i < ARRAY_LEN(sizes); i++)
        (void)expect(r, i);
    expect_none(r);
    append(&s, 77, 20);
    (void)expect(r, 77);
    expect_none(r);
    spool_reader_close(r);
    spool_close(&s);
    spool_close(&s);

    struct stat st;
    assert_int_equal(stat(path_of(""), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(stat(path_of("1.spool"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(path_of("lock"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0200);
}

static void test_size_of_frames(void **state)
{
    (void)state;
    static char buf[SPOOL_FRAME + 1];
    struct spool s;
    open_spool(&s, MOST);
    assert_int_equal(spool_append(&s, (struct bytes){buf, sizeof(buf)}), -EMSGSIZE);
    assert_int_equal(spool_append(&s, (struct bytes){buf, 0}), -EMSGSIZE);
    assert_int_equal(spool_append(&s, (struct bytes){buf, SPOOL_FRAME}), 0);
    spool_close(&s);
    assert_int_equal(spool_append(&s, (struct bytes){buf, 1}), -EBADF);
}

static void test_commit(void **state)
{
    (void)state;
    struct spool s;
    struct spool_place at[10];
    open_spool(&s, MOST);
    for (uint32_t i = 0; i < 10; i++)
        append(&s, i, 100);
    struct spool_reader *r = open_reader();
    assert_int_equal(spool_waiting(r), 1120);
    for (uint32_t i = 0; i < 10; i++)
        at[i] = expect(r, i);
    assert_int_equal(spool_commit(r, at[3]), 0);
    assert_int_equal(spool_waiting(r), 6 * 112);
    assert_int_equal(spool_commit(r, at[2]), -EINVAL);
    struct spool_place far = at[9];
    far.offset++;
    assert_int_equal(spool_commit(r, far), -EINVAL);
    far = (struct spool_place){at[9].segment + 1, 0};
    assert_int_equal(spool_commit(r, far), -EINVAL);
    spool_reader_close(r);

    /* A later reader goes on there, and may read again what was not committed. */
    r = open_reader();
    at[4] = expect(r, 4);
    (void)expect(r, 5);
    assert_int_equal(spool_seek(r, at[4]), 0);
    (void)expect(r, 5);
    assert_int_equal(spool_seek(r, at[3]), 0);
    for (uint32_t i = 4; i < 10; i++)
        (void)expect(r, i);
    expect_none(r);
    assert_int_equal(spool_commit(r, at[9]), 0);
    assert_int_equal(spool_waiting(r), 0);
    spool_reader_close(r);

    /* Nothing of what was sent stays, and the writer finds the next segment. */
    assert_false(is_there("1.spool"));
    assert_int_equal(size_of("2.spool"), 0);
    append(&s, 10, 100);
    r = open_reader();
    (void)expect(r, 10);
    expect_none(r);
    spool_reader_close(r);
    spool_close(&s);
}

/* What people are told beside a reader, which notices nothing of it. */
static void test_look(void **state)
{
    (void)state;
    struct spool s;
    uint64_t waiting = 1, dropped = 1;
    spool_look(top, NAME, &waiting, &dropped);
    assert_int_equal(waiting + dropped, 0);
    assert_false(is_there(""));
    open_spool(&s, 500);
    for (uint32_t i = 0; i < 4; i++)
        append(&s, i, 100);
    assert_int_equal(spool_append(&s, (struct bytes){world, 60}), -ENOSPC);
    struct spool_reader *r = open_reader();
    (void)expect(r, 0);
    struct spool_place at = expect(r, 1);
    spool_look(top, NAME, &waiting, &dropped);
    assert_int_equal(waiting, 4 * 112);
    assert_int_equal(dropped, 1);
    assert_int_equal(spool_commit(r, at), 0);
    spool_look(top, NAME, &waiting, &dropped);
    assert_int_equal(waiting, 2 * 112);
    assert_int_equal(dropped, 1);
    (void)expect(r, 2);
    assert_int_equal(spool_take_dropped(r), 1);
    spool_look(top, NAME, &waiting, &dropped);
    assert_int_equal(dropped, 0);
    spool_reader_close(r);
    spool_close(&s);
}

/* Segments go as they are done with, the last one too, while both go on. */
static void test_segments(void **state)
{
    (void)state;
    struct spool s;
    struct spool_place after = {0};
    const size_t size = 10000;
    open_spool(&s, MOST);
    for (uint32_t i = 0; i < 300; i++)
        append(&s, i, size);
    assert_true(size_of("1.spool") > SPOOL_SEGMENT - 10012 && size_of("1.spool") <= SPOOL_SEGMENT);
    assert_true(is_there("2.spool") && is_there("3.spool"));
    struct spool_reader *r = open_reader();
    for (uint32_t i = 0; i < 150; i++)
        after = expect(r, i);
    assert_true(is_there("1.spool"));
    assert_int_equal(spool_commit(r, after), 0);
    assert_false(is_there("1.spool"));
    assert_int_equal(spool_waiting(r), 150 * (size + 12));
    for (uint32_t i = 150; i < 300; i++)
        after = expect(r, i);
    assert_int_equal(spool_commit(r, after), 0);
    assert_false(is_there("2.spool") || is_there("3.spool"));
    assert_int_equal(size_of("4.spool"), 0);
    for (uint32_t i = 300; i < 1000; i++) {
        append(&s, i, size);
        after = expect(r, i);
        if (i % 50 == 0)
            assert_int_equal(spool_commit(r, after), 0);
    }
    expect_none(r);
    spool_reader_close(r);
    spool_close(&s);
}

/* ---- full ---- */

static uint64_t on_disk(void)
{
    struct spool_list list;
    _cleanup_fd_ int fd = open(path_of(""), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(spool_list(fd, 0, &list), 0);
    return list.bytes;
}

static void test_bound(void **state)
{
    (void)state;
    static const uint64_t bounds[] = {10u << 20, 4u << 20, 2u << 20, 300000};
    static char buf[SPOOL_FRAME];
    for (size_t b = 0; b < ARRAY_LEN(bounds); b++) {
        struct spool s, other;
        struct spool_place after = {0};
        uint32_t kept = 0;
        open_spool(&s, bounds[b]);
        while (spool_append(&s, make_frame(buf, 0, kept, 5000)) == 0)
            kept++;
        assert_true(on_disk() <= bounds[b]);
        assert_true(on_disk() > bounds[b] - 5012);
        assert_int_equal(kept, on_disk() / 5012);
        for (uint32_t i = 0; i < 41; i++)
            assert_int_equal(spool_append(&s, make_frame(buf, 0, 0, 5000)), -ENOSPC);
        open_spool(&other, bounds[b]);
        assert_int_equal(spool_append(&other, make_frame(buf, 0, 0, 5000)), -ENOSPC);
        spool_close(&other);
        assert_true(on_disk() <= bounds[b]);

        /* What came first is there, and what went makes room. */
        struct spool_reader *r = open_reader();
        for (uint32_t i = 0; i < kept; i++)
            after = expect(r, i);
        expect_none(r);
        assert_int_equal(spool_take_dropped(r), 1 + 41 + 1);
        assert_int_equal(spool_take_dropped(r), 0);
        assert_int_equal(spool_append(&s, make_frame(buf, 0, 0, 5000)), -ENOSPC);
        assert_int_equal(spool_commit(r, after), 0);
        assert_true(on_disk() <= 64u << 10);
        append(&s, 5, 5000);
        (void)expect(r, 5);
        assert_int_equal(spool_take_dropped(r), 1);
        spool_reader_close(r);
        spool_close(&s);
        assert_int_equal(nftw(path_of(""), remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    }
}

/* A room that somebody else made is found, and a smaller frame fits where a large one did not. */
static void test_room_comes_back(void **state)
{
    (void)state;
    static char buf[SPOOL_FRAME];
    struct spool s;
    struct spool_place after = {0};
    uint32_t kept = 0;
    open_spool(&s, 3u << 20);
    while (spool_append(&s, make_frame(buf, 0, kept, 50000)) == 0)
        kept++;
    append(&s, kept, 100);
    struct spool_reader *r = open_reader();
    for (uint32_t i = 0; i < 25; i++)
        after = expect(r, i);
    assert_int_equal(spool_commit(r, after), 0);
    assert_false(is_there("1.spool"));
    for (uint32_t i = 1; i <= 20; i++)
        append(&s, kept + i, 50000);
    for (uint32_t i = 25; i <= kept + 20; i++)
        (void)expect(r, i);
    expect_none(r);
    spool_reader_close(r);
    spool_close(&s);
}

/* ---- torn and damaged ---- */

/* Frame 0 of 200 bytes and frame 1 of 500, which begins at 212, with its head in SECOND. */
static int two_frames(char second[512])
{
    struct spool s;
    open_spool(&s, MOST);
    append(&s, 0, 200);
    append(&s, 1, 500);
    spool_close(&s);
    int fd = open(path_of("1.spool"), O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, second, 512, 212), 512);
    return fd;
}

struct damage {
    const char *what;
    size_t n;               /* bytes of a whole frame of 500 that are there */
    size_t flip_from, flip; /* bytes of it that are turned round */
};

static void test_damage(void **state)
{
    (void)state;
    static const struct damage cases[] = {
        {"one byte", 1, 0, 0},
        {"half a head", 6, 0, 0},
        {"a head", 12, 0, 0},
        {"a head and a byte", 13, 0, 0},
        {"all but a byte", 511, 0, 0},
        {"another magic", 512, 0, 4},
        {"another magic, half", 100, 0, 4},
        {"a huge length", 512, 4, 4},
        {"another checksum", 512, 8, 4},
        {"one byte of the payload", 512, 300, 1},
        {"the last byte", 512, 511, 1},
        {"zeros for a frame", 512, 0, 512},
    };
    for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
        char frame[512];
        struct spool s;
        _cleanup_fd_ int fd = two_frames(frame);
        for (size_t i = 0; i < cases[c].flip; i++)
            frame[cases[c].flip_from + i] = (char)~frame[cases[c].flip_from + i];
        if (cases[c].flip == sizeof(frame))
            memset(frame, 0, sizeof(frame));
        assert_int_equal(ftruncate(fd, 212), 0);
        assert_int_equal(pwrite(fd, frame, cases[c].n, 212), cases[c].n);

        /* Seen by a reader at the end of the file, and again; then frames come behind it. */
        struct spool_reader *r = open_reader();
        (void)expect(r, 0);
        expect_none(r);
        expect_none(r);
        assert_int_equal(spool_take_dropped(r), 1);
        open_spool(&s, MOST);
        append(&s, 2, 300);
        append(&s, 3, 300);
        (void)expect(r, 2);
        (void)expect(r, 3);
        expect_none(r);
        assert_int_equal(spool_take_dropped(r), 0);
        spool_reader_close(r);

        /* Seen in the middle. */
        r = open_reader();
        (void)expect(r, 0);
        (void)expect(r, 2);
        const struct spool_place after = expect(r, 3);
        expect_none(r);
        assert_int_equal(spool_take_dropped(r), 1);
        assert_int_equal(spool_commit(r, after), 0);
        spool_reader_close(r);
        r = open_reader();
        expect_none(r);
        assert_int_equal(spool_take_dropped(r), 0);
        spool_reader_close(r);
        spool_close(&s);
        assert_int_equal(nftw(path_of(""), remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    }
}

/* A payload that holds a whole frame, bytes of this very spool: in what a writer left of its frame
 * it is not taken for one. */
static void test_frame_in_a_payload(void **state)
{
    (void)state;
    char frame[112], half[600] = {0};
    struct spool s;
    open_spool(&s, MOST);
    append(&s, 0, 100);
    _cleanup_fd_ int fd = open(path_of("1.spool"), O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(fd, frame, sizeof(frame), 0), sizeof(frame));
    const struct spool_head head = {SPOOL_MAGIC, 900, 1};
    memcpy(half, &head, sizeof(head));
    for (size_t at = sizeof(head); at + sizeof(frame) <= sizeof(half); at += sizeof(frame))
        memcpy(half + at, frame, sizeof(frame));
    write_end("1.spool", half, sizeof(half));
    append(&s, 1, 100);
    struct spool_reader *r = open_reader();
    (void)expect(r, 0);
    (void)expect(r, 1);
    expect_none(r);
    assert_int_equal(spool_take_dropped(r), 1);
    spool_reader_close(r);
    spool_close(&s);
}

/* A segment of nothing but heads that promise much: passed over in a moment, with the rest of the
 * segment, and what comes after that is read. */
static void test_costly_damage(void **state)
{
    (void)state;
    char *heads = malloc(SPOOL_SEGMENT);
    struct spool s;
    assert_non_null(heads);
    open_spool(&s, MOST);
    append(&s, 0, 100);
    const struct spool_head head = {SPOOL_MAGIC, SPOOL_FRAME, 1};
    for (size_t at = 0; at + sizeof(head) <= SPOOL_SEGMENT; at += sizeof(head))
        memcpy(heads + at, &head, sizeof(head));
    write_end("1.spool", heads, 900000);
    append(&s, 1, 100);
    for (size_t at = 0; at < SPOOL_SEGMENT; at += sizeof(head.magic))
        memcpy(heads + at, &head.magic, sizeof(head.magic));
    write_end("2.spool", heads, SPOOL_SEGMENT);
    append(&s, 2, 100);
    struct spool_reader *r = open_reader();
    (void)expect(r, 0);
    /* The search gives up before it comes to frame 1. */
    (void)alarm(20);
    (void)expect(r, 2);
    (void)alarm(0);
    expect_none(r);
    assert_int_equal(spool_take_dropped(r), 2);
    spool_reader_close(r);
    spool_close(&s);
    free(heads);
}

/* Half a frame while somebody has the lock is one that is being written. */
static void test_frame_that_is_being_written(void **state)
{
    (void)state;
    char frame[512];
    struct spool s;
    _cleanup_fd_ int fd = two_frames(frame);
    _cleanup_fd_ int lock = open(path_of("lock"), O_WRONLY | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, 212 + 50), 0);
    assert_int_equal(flock(lock, LOCK_EX), 0);
    struct spool_reader *r = open_reader();
    (void)expect(r, 0);
    expect_none(r);
    assert_int_equal(spool_waiting(r), 262);
    assert_int_equal(pwrite(fd, frame, 200, 212), 200);
    expect_none(r);
    assert_int_equal(pwrite(fd, frame, 512, 212), 512);
    assert_int_equal(flock(lock, LOCK_UN), 0);
    (void)expect(r, 1);
    expect_none(r);
    assert_int_equal(spool_take_dropped(r), 0);

    /* What is cut back, and then another one is there. */
    assert_int_equal(flock(lock, LOCK_EX), 0);
    assert_int_equal(pwrite(fd, frame, 100, 724), 100);
    expect_none(r);
    assert_int_equal(ftruncate(fd, 724), 0);
    assert_int_equal(flock(lock, LOCK_UN), 0);
    open_spool(&s, MOST);
    append(&s, 2, 77);
    (void)expect(r, 2);
    assert_int_equal(spool_take_dropped(r), 0);
    spool_reader_close(r);
    spool_close(&s);
}

/* ---- the lock that somebody keeps ---- */

static void test_kept_lock(void **state)
{
    (void)state;
    char buf[100];
    struct spool s;
    open_spool(&s, MOST);
    append(&s, 0, 100);
    _cleanup_fd_ int lock = open(path_of("lock"), O_WRONLY | O_CLOEXEC);
    assert_int_equal(flock(lock, LOCK_EX), 0);
    (void)alarm(20);
    for (uint32_t i = 0; i < 10000; i++)
        assert_int_equal(spool_append(&s, make_frame(buf, 0, 1, sizeof(buf))), -ETIMEDOUT);
    (void)alarm(0);
    assert_int_equal(flock(lock, LOCK_UN), 0);
    append(&s, 1, 100);
    struct spool_reader *r = open_reader();
    (void)expect(r, 0);
    (void)expect(r, 1);
    expect_none(r);
    assert_int_equal(spool_take_dropped(r), 10000);

    /* The reader does not wait for it for ever, either, and catches up later. */
    for (uint32_t i = 2; i < 1000; i++)
        append(&s, i, 1000);
    struct spool_place after = {0};
    for (uint32_t i = 2; i < 1000; i++)
        after = expect(r, i);
    assert_int_equal(flock(lock, LOCK_EX), 0);
    assert_int_equal(spool_commit(r, after), 0);
    assert_true(is_there("1.spool"));
    assert_int_equal(spool_take_dropped(r), 0);
    assert_int_equal(flock(lock, LOCK_UN), 0);
    spool_reader_close(r);
    assert_false(is_there("1.spool"));
    spool_close(&s);
}

int main(void)
{
#define IN_WORLD(fn) cmocka_unit_test_setup_teardown(fn, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc),    IN_WORLD(test_there_and_back),
        IN_WORLD(test_size_of_frames), IN_WORLD(test_commit),
        IN_WORLD(test_look),           IN_WORLD(test_segments),
        IN_WORLD(test_bound),          IN_WORLD(test_room_comes_back),
        IN_WORLD(test_damage),         IN_WORLD(test_frame_in_a_payload),
        IN_WORLD(test_costly_damage),  IN_WORLD(test_frame_that_is_being_written),
        IN_WORLD(test_kept_lock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

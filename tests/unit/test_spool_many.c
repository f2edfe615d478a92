/*
 * The spool with many at once, and with those that are killed: eight writers and a reader count
 * every frame once; of a writer that is killed all is there that it was told is there; a reader
 * that is killed between sending and committing leads to frames that come again, never to a gap.
 *
 * What is asked holds for every instant of a kill: how they fall is no matter of luck.
 */
#include "spool_world.h"
#include "base/clock.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

static unsigned seed = 1;

static uint32_t draw(uint32_t below)
{
    return (uint32_t)rand_r(&seed) % below;
}

static pid_t child(void)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    return pid;
}

static void kill_child(pid_t pid)
{
    int status;
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* A machine that is busy may keep the lock's holder from running for longer than a writer waits. */
static void append_surely(struct spool *s, struct bytes payload)
{
    int r;
    while ((r = spool_append(s, payload)) == -ETIMEDOUT)
        ;
    MUST(r == 0);
}

/* ---- at once ---- */

#define WRITERS 8u
#define EACH    2500u

static void write_all(uint32_t writer)
{
    static char buf[SPOOL_FRAME];
    struct spool s;
    open_spool(&s, MOST);
    for (uint32_t n = 0; n < EACH; n++) {
        append_surely(&s, make_frame(buf, writer, n, 8 + (n * 37 + writer * 101) % 700));
        if (n % 400 == writer) {
            spool_close(&s);
            open_spool(&s, MOST);
        }
    }
    spool_close(&s);
}

static void test_writers_and_reader(void **state)
{
    (void)state;
    uint32_t next[WRITERS] = {0}, n = 0, alive = WRITERS;
    struct spool_place after = {0};
    for (uint32_t w = 0; w < WRITERS; w++) {
        if (child() == 0) {
            write_all(w);
            _exit(0);
        }
    }
    struct spool_reader *r = open_reader();
    uint64_t dropped = 0;
    for (;;) {
        int status;
        struct bytes payload;
        /* Looked at before: what ended writers wrote is there when "none" is said after it. */
        while (waitpid(-1, &status, WNOHANG) > 0) {
            assert_int_equal(status, 0);
            alive--;
        }
        const bool ended = alive == 0;
        const int code = spool_next(r, &payload, &after);
        assert_true(code >= 0);
        if (code == 0 && ended)
            break;
        if (code == 0) {
            (void)poll(NULL, 0, 1);
            continue;
        }
        const struct numbered head = read_frame(payload);
        assert_true(head.writer < WRITERS);
        assert_int_equal(head.n, next[head.writer]);
        next[head.writer]++;
        if (++n % 37 == 0)
            assert_int_equal(spool_commit(r, after), 0);
        if (n % 999 == 0) { /* a multiple of 37 */
            spool_reader_close(r);
            r = open_reader();
        }
    }
    assert_int_equal(n, WRITERS * EACH);
    for (uint32_t w = 0; w < WRITERS; w++)
        assert_int_equal(next[w], EACH);
    assert_int_equal(spool_commit(r, after), 0);
    dropped = spool_take_dropped(r);
    spool_reader_close(r);
    r = open_reader();
    expect_none(r);
    assert_int_equal(spool_take_dropped(r), 0);
    spool_reader_close(r);
    /* Only what was tried again. */
    if (dropped)
        print_message("%u times the lock was waited for in vain\n", (unsigned)dropped);
}

/* ---- killed writers ---- */

#define KILLED_WRITERS 60u
#define OF_ONE         100u /* frames: 60 are 4 MiB at most */

static void write_and_tell(int told)
{
    static char buf[SPOOL_FRAME];
    struct spool s;
    open_spool(&s, MOST);
    for (uint32_t n = 0; n < OF_ONE; n++) {
        append_surely(&s, make_frame(buf, 0, n, n % 3 ? 65000 : 20 + n));
        MUST(write(told, &n, sizeof(n)) == sizeof(n));
    }
    (void)pause();
}

static void test_killed_writers(void **state)
{
    (void)state;
    struct spool_reader *r = open_reader();
    unsigned torn = 0, unsaid = 0;
    for (uint32_t i = 0; i < KILLED_WRITERS; i++) {
        int told[2];
        assert_int_equal(pipe2(told, O_CLOEXEC), 0);
        const pid_t pid = child();
        if (pid == 0) {
            write_and_tell(told[1]);
            _exit(0);
        }
        fd_close(told[1]);
        uint32_t n = 0, said = 0;
        const uint32_t wanted = draw(OF_ONE);
        while (said < wanted && read(told[0], &n, sizeof(n)) == sizeof(n))
            said = n + 1;
        const struct timespec moment = {.tv_nsec = (long)draw(200) * 1000};
        (void)nanosleep(&moment, NULL);
        kill_child(pid);
        while (read(told[0], &n, sizeof(n)) == sizeof(n))
            said = n + 1;
        fd_close(told[0]);

        struct spool_place after = {0};
        struct bytes payload;
        uint32_t came = 0;
        int code;
        while ((code = spool_next(r, &payload, &after)) == 1)
            assert_int_equal(read_frame(payload).n, came++);
        assert_int_equal(code, 0);
        assert_in_range(came, said, said + 1);
        unsaid += came > said;
        if (came)
            assert_int_equal(spool_commit(r, after), 0);
        const uint64_t dropped = spool_take_dropped(r);
        assert_in_range(dropped, 0, 1);
        torn += (unsigned)dropped;
    }
    spool_reader_close(r);
    print_message("%u were killed between the append and saying so, %u in an append\n", unsaid,
                  torn);
}

/* ---- killed readers ---- */

#define TOTAL 6000u
#define BATCH 64u

struct batch {
    uint32_t first, n;
};

/* Where a reader waits for its end. */
enum stop { BEFORE_COMMIT, BEHIND_COMMIT, NOWHERE };

/* Sends batches (one write of a pipe is whole or not at all), then commits them. */
static void read_and_send(int to, enum stop stop, uint32_t batches)
{
    struct spool_reader *r = open_reader();
    for (;;) {
        struct batch batch = {0};
        struct spool_place after = {0};
        struct bytes payload;
        while (batch.n < BATCH && spool_next(r, &payload, &after) == 1) {
            const uint32_t n = read_frame(payload).n;
            batch.first = batch.n ? batch.first : n;
            MUST(n == batch.first + batch.n);
            batch.n++;
        }
        if (batch.n == 0) {
            (void)poll(NULL, 0, 1);
            continue;
        }
        const bool last = --batches == 0;
        MUST(write(to, &batch, sizeof(batch)) == sizeof(batch));
        if (last && stop == BEFORE_COMMIT)
            (void)pause();
        MUST(spool_commit(r, after) == 0);
        if (last && stop == BEHIND_COMMIT)
            (void)pause();
        if (batch.first % 7 == 0) {
            spool_reader_close(r);
            r = open_reader();
        }
    }
}

static void test_killed_readers(void **state)
{
    (void)state;
    static char buf[SPOOL_FRAME];
    const pid_t writer = child();
    if (writer == 0) {
        struct spool s;
        open_spool(&s, MOST);
        for (uint32_t n = 0; n < TOTAL; n++)
            append_surely(&s, make_frame(buf, 0, n, 300 + n % 50));
        spool_close(&s);
        _exit(0);
    }
    uint32_t next = 0, again = 0, readers = 0;
    while (next < TOTAL) {
        int sent[2];
        struct batch batch;
        assert_int_equal(pipe2(sent, O_CLOEXEC), 0);
        /* At least two: the first of them was committed then, and so there is an end. */
        uint32_t batches = 2 + draw(4);
        const pid_t pid = child();
        if (pid == 0) {
            read_and_send(sent[1], (enum stop)(readers % 3), batches);
            _exit(0);
        }
        fd_close(sent[1]);
        readers++;
        bool killed = false;
        while (read(sent[0], &batch, sizeof(batch)) == sizeof(batch)) {
            assert_true(batch.first <= next);
            again += MIN_OF(next - batch.first, batch.n);
            next = MAX_OF(next, batch.first + batch.n);
            if (!killed && (--batches == 0 || next == TOTAL)) {
                const struct timespec moment = {.tv_nsec = (long)draw(100) * 1000};
                (void)nanosleep(&moment, NULL);
                kill_child(pid);
                killed = true;
            }
        }
        assert_true(killed); /* it ended by itself */
        fd_close(sent[0]);
    }
    int status;
    assert_int_equal(waitpid(writer, &status, 0), writer);
    assert_int_equal(status, 0);
    assert_int_equal(next, TOTAL);
    assert_in_range(again, 1, readers * BATCH);
    print_message("%u readers were killed, %u frames came again\n", readers, again);

    /* What is left is at most the last batch, and a whole reading ends it. */
    struct spool_reader *r = open_reader();
    struct spool_place after = {0};
    struct bytes payload;
    uint32_t left = 0;
    while (spool_next(r, &payload, &after) == 1)
        left++;
    assert_true(left <= BATCH);
    if (left)
        assert_int_equal(spool_commit(r, after), 0);
    assert_int_equal(spool_waiting(r), 0);
    spool_reader_close(r);
}

int main(void)
{
#define IN_WORLD(fn) cmocka_unit_test_setup_teardown(fn, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        IN_WORLD(test_writers_and_reader),
        IN_WORLD(test_killed_writers),
        IN_WORLD(test_killed_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

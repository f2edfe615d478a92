/*
 * The reader of a spool whose files hold anything. The first byte says how the rest is taken: 1:
 * the checksums of what looks like frames are made right first; 2: the next 64 bytes are the
 * cursor; 4: the second half is a segment of its own.
 *
 * It ends; frames are not empty and lie one behind the other; a second reading finds the same;
 * what was committed is not read again; and what is appended then is read.
 */
#include "telemetry/crc32c.h"
#include "telemetry/spool.h"
#include "telemetry/spool_files.h"

#include "base/fd.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x))                                                                                  \
            abort();                                                                               \
    } while (0)

static char world[] = "/tmp/fuzz_spool.XXXXXX";
static int top = -1, dir = -1;

static void remove_names(void)
{
    spool_remove_below(dir, SPOOL_NUMBER_MAX);
    (void)unlinkat(dir, "cursor", 0);
    (void)unlinkat(dir, "dropped", 0);
}

static void remove_world(void)
{
    remove_names();
    (void)unlinkat(dir, "lock", 0);
    (void)unlinkat(top, "fuzz", AT_REMOVEDIR);
    (void)rmdir(world);
}

static void make_world(void)
{
    struct error err;
    MUST(mkdtemp(world));
    MUST((top = open(world, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0);
    MUST((dir = spool_dir_open(top, "fuzz", &err)) >= 0);
    (void)atexit(remove_world);
}

static void write_file(const char *name, struct bytes b)
{
    _cleanup_fd_ int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    MUST(fd >= 0 && fd_write_all(fd, b.p, b.n) == 0);
}

static void write_segment(uint64_t number, struct bytes b, bool repair)
{
    char name[SEGMENT_NAME], *p = malloc(b.n + 1);
    struct spool_head head;
    MUST(p);
    if (b.n)
        memcpy(p, b.p, b.n);
    for (size_t at = 0; repair && at + sizeof(head) <= b.n;) {
        memcpy(&head, p + at, sizeof(head));
        if (head.magic != SPOOL_MAGIC || head.length > b.n - at - sizeof(head)) {
            at++;
            continue;
        }
        const uint32_t crc = crc32c(0, p + at + sizeof(head), head.length);
        head.check = spool_check(crc, head.length, number, at);
        memcpy(p + at, &head, sizeof(head));
        at += sizeof(head) + head.length;
    }
    segment_name(number, name);
    write_file(name, (struct bytes){p, b.n});
    free(p);
}

/* All there is; *ret_sum is a checksum of it. */
static size_t read_all(struct spool_reader *r, size_t most, struct spool_place *ret_after,
                       uint32_t *ret_sum)
{
    struct spool_place after, before = {0};
    struct bytes payload;
    size_t n = 0;
    int code;
    *ret_sum = 0;
    while ((code = spool_next(r, &payload, &after)) == 1) {
        MUST(payload.n > 0 && payload.n <= SPOOL_FRAME && ++n <= most);
        MUST(after.segment > before.segment ||
             (after.segment == before.segment && after.offset > before.offset));
        *ret_sum = crc32c(*ret_sum, payload.p, payload.n);
        before = *ret_after = after;
    }
    MUST(code == 0);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = {(const char *)data, size};
    struct spool_place after;
    struct spool_reader *r = NULL;
    struct spool s;
    struct error err;
    uint32_t sum, again, last;
    if (size == 0)
        return 0;
    if (top < 0)
        make_world();
    remove_names();
    const unsigned how = data[0];
    text.p++;
    text.n--;
    if (how & 2) {
        const size_t n = MIN_OF(text.n, (size_t)64);
        write_file("cursor", (struct bytes){text.p, n});
        text.p += n;
        text.n -= n;
    }
    const size_t first = how & 4 ? text.n / 2 : text.n;
    write_segment(3, (struct bytes){text.p, first}, how & 1);
    if (how & 4)
        write_segment(5, (struct bytes){text.p + first, text.n - first}, how & 1);

    MUST(spool_reader_open(top, "fuzz", &r, &err) == 0);
    const size_t n = read_all(r, size, &after, &sum);
    if (n) {
        /* As a reader that was killed. */
        struct spool_reader *other = NULL;
        struct spool_place there;
        MUST(spool_reader_open(top, "fuzz", &other, &err) == 0);
        MUST(read_all(other, size, &there, &again) == n && again == sum);
        MUST(there.segment == after.segment && there.offset == after.offset);
        spool_reader_close(other);
        MUST(spool_commit(r, after) == 0);
    }
    (void)spool_take_dropped(r);
    spool_reader_close(r);
    MUST(spool_open(&s, top, "fuzz", 100u << 20, &err) == 0);
    MUST(spool_append(&s, BYTES("the last")) == 0);
    spool_close(&s);
    MUST(spool_reader_open(top, "fuzz", &r, &err) == 0);
    const size_t left = read_all(r, size + 1, &after, &last);
    MUST(n ? left == 1 && last == crc32c(0, "the last", 8) : left >= 1);
    spool_reader_close(r);
    return 0;
}

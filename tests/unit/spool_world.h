/* For the tests of the spool: a scratch directory, numbered frames, whole readings. */
#ifndef TESTS_UNIT_SPOOL_WORLD_H
#define TESTS_UNIT_SPOOL_WORLD_H

#include "base/fd.h"
#include "telemetry/spool.h"
#include "telemetry/spool_files.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NAME "0123456789abcdef"
#define MOST (10u << 20)

/* Also where no cmocka is: in a child. */
#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            (void)fprintf(stderr, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #x, errno);        \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static char world[64];
static int top = -1; /* descriptor of it */

static inline int world_setup(void **state)
{
    (void)state;
    (void)snprintf(world, sizeof(world), "/tmp/test_spool.XXXXXX");
    if (!mkdtemp(world))
        return -1;
    top = open(world, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return top < 0 ? -1 : 0;
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static inline int world_teardown(void **state)
{
    (void)state;
    fd_closep(&top);
    return nftw(world, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline const char *path_of(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof(path), "%s/" NAME "/%s", world, name);
    return path;
}

static inline bool is_there(const char *name)
{
    struct stat st;
    return lstat(path_of(name), &st) == 0;
}

static inline off_t size_of(const char *name)
{
    struct stat st;
    return lstat(path_of(name), &st) == 0 ? st.st_size : -1;
}

static inline void write_at(const char *name, const void *p, size_t n, off_t at)
{
    _cleanup_fd_ int fd = open(path_of(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, p, n, at), n);
}

/* ---- frames that say their number ---- */

struct numbered {
    uint32_t writer, n;
};

/* SIZE bytes that nobody else's frame has. */
static inline struct bytes make_frame(char *buf, uint32_t writer, uint32_t n, size_t size)
{
    const struct numbered head = {writer, n};
    memcpy(buf, &head, sizeof(head));
    for (size_t i = sizeof(head); i < size; i++)
        buf[i] = (char)(n * 31 + writer + i);
    return (struct bytes){buf, size};
}

static inline struct numbered read_frame(struct bytes payload)
{
    static char same[SPOOL_FRAME];
    struct numbered head;
    MUST(payload.n >= sizeof(head));
    memcpy(&head, payload.p, sizeof(head));
    MUST(memcmp(make_frame(same, head.writer, head.n, payload.n).p, payload.p, payload.n) == 0);
    return head;
}

static inline void append(struct spool *s, uint32_t n, size_t size)
{
    static char buf[SPOOL_FRAME];
    const int r = spool_append(s, make_frame(buf, 0, n, size));
    if (r < 0)
        errno = -r;
    MUST(r == 0);
}

static inline void open_spool(struct spool *s, uint64_t most)
{
    struct error err = {0};
    const int r = spool_open(s, top, NAME, most, &err);
    if (r < 0)
        (void)fprintf(stderr, "%s\n", err.message);
    MUST(r == 0);
}

static inline struct spool_reader *open_reader(void)
{
    struct spool_reader *r = NULL;
    struct error err = {0};
    const int code = spool_reader_open(top, NAME, &r, &err);
    if (code < 0)
        (void)fprintf(stderr, "%s\n", err.message);
    MUST(code == 0);
    return r;
}

/* The next frame is number N; its place. */
static inline struct spool_place expect(struct spool_reader *r, uint32_t n)
{
    struct spool_place after = {0};
    struct bytes payload;
    MUST(spool_next(r, &payload, &after) == 1);
    MUST(read_frame(payload).n == n);
    return after;
}

static inline void expect_none(struct spool_reader *r)
{
    struct bytes payload;
    MUST(spool_next(r, &payload, NULL) == 0);
}

#endif

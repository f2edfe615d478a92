/*
 * Reading from the spool. See spool.h.
 *
 * Read is without the lock, through a window of the segment. What is whole and has the right
 * checksum is a frame. What is not may be one that is being written right now, or what a writer
 * that died left, or damage: then the lock is taken, so that nobody is writing, and it is looked at
 * once more. From there on everything up to the end of the file is as it will stay, and the next
 * frame in it is searched for, magic by magic. The search has a budget: bytes that were made to
 * look like ten thousand frames cost a moment, and the rest of the segment.
 *
 * Where the reader is, it keeps in three places: where it reads (number, offset), what was
 * committed, and the cursor's file. A cursor whose segment is gone stands for the beginning of the
 * next one: segments are removed from the lowest up, and only when all of them was committed.
 */
#include "telemetry/spool.h"

#include "base/fd.h"
#include "base/mem.h"
#include "telemetry/crc32c.h"
#include "telemetry/spool_files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW        (2u * (SPOOL_FRAME + (unsigned)sizeof(struct spool_head)))
#define SEARCH_BUDGET (16u * 1024 * 1024) /* bytes whose checksum is made in vain */
#define TIDY_BYTES    (64u * 1024)        /* read ones of the last segment, after which it goes */

struct spool_reader {
    int parent; /* the caller's */
    int dirfd, lock, cursor, segment;
    char name[SPOOL_NAME];
    uint64_t number, offset; /* what is read next; number 0: before the first segment */
    struct spool_place committed, furthest; /* furthest: that spool_next() led to */
    uint64_t turn;                          /* of the cursor's copy that was written last */
    uint64_t dropped;                       /* by damage */
    char *window;
    uint64_t window_at;
    size_t window_n;
};

static bool is_before(struct spool_place a, struct spool_place b)
{
    return a.segment < b.segment || (a.segment == b.segment && a.offset < b.offset);
}

/* ---- the cursor ---- */

struct cursor_copy {
    uint64_t turn, segment, offset;
    uint32_t check, zero;
};

static uint32_t cursor_check(const struct cursor_copy *c)
{
    return crc32c(0, c, offsetof(struct cursor_copy, check));
}

static bool cursor_is_fine(const struct cursor_copy *c)
{
    return c->turn > 0 && c->turn < UINT64_MAX / 2 && c->segment <= SPOOL_NUMBER_MAX &&
           c->offset <= SPOOL_SEGMENT && c->zero == 0 && c->check == cursor_check(c);
}

static void cursor_read(struct spool_reader *r)
{
    struct cursor_copy copies[2];
    const ssize_t n = spool_pread(r->cursor, copies, sizeof(copies), 0);
    for (size_t i = 0; i < ARRAY_LEN(copies); i++) {
        const struct cursor_copy *c = &copies[i];
        if (n < (ssize_t)((i + 1) * sizeof(*c)) || !cursor_is_fine(c) || c->turn <= r->turn)
            continue;
        r->turn = c->turn;
        r->committed = (struct spool_place){c->segment, c->offset};
    }
}

static int cursor_write(struct spool_reader *r)
{
    struct cursor_copy c = {r->turn + 1, r->committed.segment, r->committed.offset, 0, 0};
    c.check = cursor_check(&c);
    ssize_t n = pwrite(r->cursor, &c, sizeof(c), (off_t)((c.turn & 1) * sizeof(c)));
    if (n != (ssize_t)sizeof(c))
        return n < 0 ? -errno : -ENOSPC;
    r->turn = c.turn;
    return 0;
}

/* ---- opening ---- */

static void close_files(struct spool_reader *r)
{
    int *const fds[] = {&r->dirfd, &r->lock, &r->cursor, &r->segment};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        fd_closep(fds[i]);
    r->window_n = 0;
}

static int open_files(struct spool_reader *r, struct error *err)
{
    int code = r->dirfd = spool_dir_open(r->parent, r->name, err);
    if (code >= 0)
        code = r->lock = spool_lock_open(r->dirfd, err);
    if (code < 0)
        return code;
    r->cursor = spool_file_open(r->dirfd, "cursor", O_RDWR | O_CREAT);
    if (r->cursor < 0)
        return error_errno(err, r->cursor, "telemetry cannot be read: its cursor");
    r->turn = 0;
    r->committed = (struct spool_place){0};
    cursor_read(r);
    struct spool_list list;
    code = spool_list(r->dirfd, 0, &list);
    if (code < 0)
        return error_errno(err, code, "telemetry cannot be read: %s", show(r->name));
    if (r->committed.segment > list.highest)
        r->committed = (struct spool_place){0};
    r->furthest = r->committed;
    return spool_seek(r, r->committed);
}

int spool_reader_open(int dirfd, const char *name, struct spool_reader **ret, struct error *err)
{
    const size_t n = strlen(name);
    struct spool_reader *r = mem_zalloc(1, sizeof(*r));
    char *window = mem_alloc(WINDOW);
    if (!r || !window || n >= sizeof(r->name)) {
        mem_free(window);
        mem_free(r);
        return error_set(err, n < sizeof(r->name) ? -ENOMEM : -EINVAL,
                         "telemetry cannot be read: %s",
                         n < sizeof(r->name) ? "out of memory" : "no name");
    }
    r->parent = dirfd;
    r->window = window;
    r->dirfd = r->lock = r->cursor = r->segment = -1;
    memcpy(r->name, name, n + 1);
    int code = open_files(r, err);
    if (code < 0) {
        close_files(r);
        mem_free(r->window);
        mem_free(r);
        return code;
    }
    *ret = r;
    return 0;
}

/* ---- frames ---- */

enum found { FOUND_FRAME, FOUND_END, FOUND_GARBAGE };

/* At most NEED bytes at OFFSET of the open segment, which is not looked at behind LIMIT: how many
 * there are, and where. */
static ssize_t look(struct spool_reader *r, uint64_t offset, size_t need, uint64_t limit,
                    const char **ret)
{
    limit = MIN_OF(limit, (uint64_t)SPOOL_SEGMENT);
    if (offset >= limit)
        return 0;
    need = (size_t)MIN_OF((uint64_t)need, limit - offset);
    if (offset < r->window_at || offset - r->window_at > r->window_n ||
        r->window_n - (offset - r->window_at) < need) {
        ssize_t n = spool_pread(r->segment, r->window, WINDOW, offset);
        r->window_at = offset;
        r->window_n = n < 0 ? 0 : (size_t)n;
        if (n < 0)
            return n;
    }
    *ret = r->window + (offset - r->window_at);
    return (ssize_t)MIN_OF(need, r->window_n - (size_t)(offset - r->window_at));
}

/* What is at OFFSET? *BUDGET loses the bytes of a checksum that was made in vain. */
static int find_frame(struct spool_reader *r, uint64_t offset, uint64_t limit, struct bytes *ret,
                      uint64_t *budget)
{
    struct spool_head head;
    const char *p;
    ssize_t n = look(r, offset, sizeof(head), limit, &p);
    if (n <= 0)
        return n < 0 ? (int)n : FOUND_END;
    if ((size_t)n < sizeof(head))
        return FOUND_GARBAGE;
    memcpy(&head, p, sizeof(head));
    if (head.magic != SPOOL_MAGIC || head.length == 0 || head.length > SPOOL_FRAME)
        return FOUND_GARBAGE;
    const size_t whole = sizeof(head) + head.length;
    n = look(r, offset, whole, limit, &p);
    if (n < 0)
        return (int)n;
    if ((size_t)n < whole)
        return FOUND_GARBAGE;
    const struct bytes payload = {p + sizeof(head), head.length};
    const uint32_t crc = crc32c(0, payload.p, payload.n);
    if (spool_check(crc, head.length, r->number, offset) != head.check) {
        *budget -= MIN_OF(*budget, (uint64_t)head.length);
        return FOUND_GARBAGE;
    }
    *ret = payload;
    return FOUND_FRAME;
}

/* The next place behind *OFFSET where a magic is, or LIMIT. */
static int next_magic(struct spool_reader *r, uint64_t *offset, uint64_t limit)
{
    const uint32_t magic = SPOOL_MAGIC;
    for ((*offset)++; *offset < limit;) {
        const char *p;
        ssize_t n = look(r, *offset, sizeof(magic), limit, &p);
        if (n < 0)
            return (int)n;
        if ((size_t)n < sizeof(magic))
            break;
        /* All that is in the window. */
        const size_t here = r->window_n - (size_t)(*offset - r->window_at);
        const char *hit = memmem(p, here, &magic, sizeof(magic));
        *offset += hit ? (size_t)(hit - p) : here - (sizeof(magic) - 1);
        if (hit && *offset < limit)
            return 0;
    }
    *offset = limit;
    return 0;
}

/* Garbage at the place that is read: leads behind it. 0; 1: it is too early to say. */
static int pass_garbage(struct spool_reader *r)
{
    uint64_t budget = SEARCH_BUDGET, offset = r->offset;
    struct bytes payload;
    struct stat st;
    int code = fd_lock(r->lock, SPOOL_PATIENCE_US);
    if (code < 0)
        return code == -ETIMEDOUT ? 1 : code;
    r->window_n = 0;
    code = find_frame(r, offset, SPOOL_SEGMENT, &payload, &budget);
    if (code == FOUND_GARBAGE && fstat(r->segment, &st) < 0)
        code = -errno;
    spool_unlock(r->lock);
    if (code != FOUND_GARBAGE)
        return MIN_OF(code, 0);
    const uint64_t limit = MIN_OF((uint64_t)st.st_size, (uint64_t)SPOOL_SEGMENT);
    while (code == FOUND_GARBAGE && budget > 0) {
        code = next_magic(r, &offset, limit);
        if (code == 0)
            code = find_frame(r, offset, limit, &payload, &budget);
    }
    if (code < 0)
        return code;
    r->dropped++;
    r->offset = code == FOUND_FRAME ? offset : limit;
    return 0;
}

/* ---- from segment to segment ---- */

static void at_segment(struct spool_reader *r, uint64_t number, uint64_t offset)
{
    fd_closep(&r->segment);
    r->window_n = 0;
    r->number = number;
    r->offset = offset;
}

/* The end of what is there of this segment, if there is one. 1: read on; 0: there is no more. */
static int at_end(struct spool_reader *r)
{
    struct spool_list list;
    struct stat st;
    if (r->dirfd < 0 || !spool_dir_stands(r->parent, r->name, r->dirfd)) {
        /* It was removed, perhaps to begin anew. */
        close_files(r);
        int code = open_files(r, NULL);
        if (code < 0) {
            close_files(r);
            return code;
        }
    }
    int code = spool_list(r->dirfd, r->number, &list);
    if (code < 0)
        return code;
    if (list.next) {
        /* Now that there is a next one, this one is final: was something written meanwhile? */
        if (r->segment >= 0 && fstat(r->segment, &st) == 0 &&
            MIN_OF((uint64_t)st.st_size, (uint64_t)SPOOL_SEGMENT) > r->offset)
            return 1;
        at_segment(r, list.next, 0);
        return 1;
    }
    if (list.n == 0 || list.highest >= r->number)
        return 0;
    /* Somebody emptied the directory, and it was begun anew. */
    r->committed = r->furthest = (struct spool_place){0};
    at_segment(r, list.lowest, 0);
    return 1;
}

/* Opens the segment that is read, if it is there and is one. */
static void open_segment(struct spool_reader *r)
{
    char name[SEGMENT_NAME];
    if (r->segment >= 0 || r->number == 0)
        return;
    segment_name(r->number, name);
    r->segment = spool_file_open(r->dirfd, name, O_RDONLY);
}

int spool_next(struct spool_reader *r, struct bytes *ret, struct spool_place *ret_after)
{
    /* Each round leads on, in this segment or to the next. */
    for (;;) {
        uint64_t budget = 0;
        struct bytes payload = {0};
        open_segment(r);
        int code =
            r->segment < 0 ? FOUND_END : find_frame(r, r->offset, SPOOL_SEGMENT, &payload, &budget);
        if (code == FOUND_FRAME) {
            r->offset += sizeof(struct spool_head) + payload.n;
            const struct spool_place after = {r->number, r->offset};
            r->furthest = is_before(r->furthest, after) ? after : r->furthest;
            *ret = payload;
            if (ret_after)
                *ret_after = after;
            return 1;
        }
        if (code == FOUND_GARBAGE) {
            code = pass_garbage(r);
            if (code)
                return MIN_OF(code, 0);
        } else {
            code = code < 0 ? code : at_end(r);
            if (code <= 0)
                return code;
        }
    }
}

int spool_seek(struct spool_reader *r, struct spool_place place)
{
    if (place.segment != r->number)
        at_segment(r, place.segment, place.offset);
    r->offset = place.offset;
    return 0;
}

/* ---- what was read ---- */

/* Removes what is whole behind the last commit. A number is never used twice: the last segment goes
 * only when there is a next one, if need be an empty one. */
static void tidy(struct spool_reader *r, uint64_t least)
{
    const struct spool_place at = r->committed;
    struct spool_list list;
    char name[SEGMENT_NAME];
    if (at.segment == 0 || fd_lock(r->lock, SPOOL_PATIENCE_US) < 0)
        return;
    if (spool_list(r->dirfd, at.segment, &list) == 0) {
        bool whole = at.offset >= list.bytes_of;
        if (whole && !list.next) {
            segment_name(at.segment + 1, name);
            int fd = at.offset < least || at.segment >= SPOOL_NUMBER_MAX
                         ? -1
                         : spool_file_open(r->dirfd, name, O_WRONLY | O_CREAT | O_EXCL);
            whole = fd >= 0;
            fd_close(fd);
        }
        spool_remove_below(r->dirfd, at.segment + whole);
    }
    spool_unlock(r->lock);
}

int spool_commit(struct spool_reader *r, struct spool_place place)
{
    if (is_before(place, r->committed) || is_before(r->furthest, place))
        return -EINVAL;
    if (r->dirfd < 0)
        return -ENOENT;
    r->committed = place;
    const int code = cursor_write(r);
    /* What is removed may be the room that it needs. */
    tidy(r, code < 0 ? 1 : TIDY_BYTES);
    return code < 0 ? cursor_write(r) : 0;
}

uint64_t spool_take_dropped(struct spool_reader *r)
{
    uint64_t n = r->dropped;
    r->dropped = 0;
    _cleanup_fd_ int fd = r->dirfd < 0 ? -1 : spool_file_open(r->dirfd, "dropped", O_RDWR);
    if (fd >= 0 && fd_lock(r->lock, SPOOL_PATIENCE_US) == 0) {
        n += spool_count_take(fd);
        spool_unlock(r->lock);
    }
    return n;
}

uint64_t spool_waiting(struct spool_reader *r)
{
    struct spool_list list;
    if (r->dirfd < 0 || spool_list(r->dirfd, r->committed.segment, &list) < 0)
        return 0;
    return list.bytes - list.bytes_below - MIN_OF(list.bytes_of, r->committed.offset);
}

void spool_reader_close(struct spool_reader *r)
{
    if (!r)
        return;
    if (r->dirfd >= 0)
        tidy(r, 1);
    close_files(r);
    mem_free(r->window);
    mem_free(r);
}

void spool_look(int dirfd, const char *name, uint64_t *ret_waiting, uint64_t *ret_dropped)
{
    struct spool_reader r = {.parent = dirfd, .lock = -1, .cursor = -1, .segment = -1};
    struct spool_list list;
    *ret_waiting = *ret_dropped = 0;
    r.dirfd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (r.dirfd < 0 || spool_list(r.dirfd, 0, &list) < 0) {
        close_files(&r);
        return;
    }
    r.cursor = spool_file_open(r.dirfd, "cursor", O_RDONLY);
    cursor_read(&r);
    if (r.committed.segment > list.highest)
        r.committed = (struct spool_place){0};
    *ret_waiting = spool_waiting(&r);
    _cleanup_fd_ int fd = spool_file_open(r.dirfd, "dropped", O_RDONLY);
    *ret_dropped = spool_count_look(fd);
    close_files(&r);
}

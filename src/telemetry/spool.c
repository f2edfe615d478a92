/*
 * Writing into the spool. See spool.h.
 *
 * An append is five system calls: lock, size of the segment, is there a newer one, write, unlock.
 * Everything else happens when a segment is full, was removed under us or is no longer the newest.
 *
 * What holds while the lock is held: nobody else appends, and nobody removes the newest segment.
 * A segment is final as soon as one with a higher number is there.
 */
#include "telemetry/spool.h"

#include "base/fd.h"
#include "telemetry/crc32c.h"
#include "telemetry/spool_files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define OPEN_TRIES 16 /* names in the way of the next segment that are none */

static void close_files(struct spool *s)
{
    int *const fds[] = {&s->dirfd, &s->lock, &s->segment, &s->dropped};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        fd_closep(fds[i]);
}

static int open_lock(struct spool *s, struct error *err)
{
    s->dirfd = s->lock = s->segment = s->dropped = -1;
    int r = s->dirfd = spool_dir_open(s->parent, s->name, err);
    if (r >= 0)
        r = s->lock = spool_lock_open(s->dirfd, err);
    if (r < 0)
        close_files(s);
    return r;
}

static int open_files(struct spool *s, struct error *err)
{
    int r = open_lock(s, err);
    /* It was an old one, and was removed between the two: now it is made anew. */
    if (r == -ENOENT)
        r = open_lock(s, err);
    if (r < 0)
        return r;
    /* Without it spooling works, too. It has its room on the disk before that is full. */
    s->dropped = spool_file_open(s->dirfd, "dropped", O_RDWR | O_CREAT);
    struct stat st;
    if (s->dropped >= 0 && fstat(s->dropped, &st) == 0 && st.st_size == 0)
        (void)spool_count_add(s->dropped, 0);
    return 0;
}

int spool_open(struct spool *s, int dirfd, const char *name, uint64_t most, struct error *err)
{
    struct rlimit limit;
    *s = (struct spool){.parent = dirfd, .most = most, .file_limit = UINT64_MAX};
    s->dirfd = s->lock = s->segment = s->dropped = -1;
    if (strlen(name) >= sizeof(s->name))
        return error_set(err, -EINVAL, "telemetry cannot be kept: %s is no name", show(name));
    memcpy(s->name, name, strlen(name) + 1);
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        s->file_limit = limit.rlim_cur;
    int r = open_files(s, err);
    if (r < 0)
        s->name[0] = '\0';
    return r;
}

void spool_close(struct spool *s)
{
    if (!s->name[0])
        return;
    if (s->uncounted && fd_lock(s->lock, 0) == 0) {
        (void)spool_count_add(s->dropped, s->uncounted);
        spool_unlock(s->lock);
    }
    close_files(s);
    s->name[0] = '\0';
}

/* ---- segments, under the lock ---- */

/* Opens segment NUMBER, which is made if it is not there. */
static int open_segment(struct spool *s, uint64_t number, uint64_t *ret_size)
{
    char name[SEGMENT_NAME];
    struct stat st;
    if (number > SPOOL_NUMBER_MAX)
        return -EOVERFLOW;
    segment_name(number, name);
    _cleanup_fd_ int fd = spool_file_open(s->dirfd, name, O_WRONLY | O_APPEND | O_CREAT);
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        return -errno;
    fd_close(s->segment);
    s->segment = steal_fd(&fd);
    s->number = number;
    *ret_size = (uint64_t)st.st_size;
    return 0;
}

/* The newest segment, or one behind it where that is none of ours. */
static int open_newest(struct spool *s, uint64_t *ret_size)
{
    struct spool_list list;
    int r = spool_list(s->dirfd, 0, &list);
    if (r < 0)
        return r;
    uint64_t number = list.n && list.highest >= s->number ? list.highest : s->number + 1;
    for (int i = 0; r == 0 && i < OPEN_TRIES; i++, number++) {
        r = open_segment(s, number, ret_size);
        if (r == 0) {
            s->oldest = list.n ? list.lowest : number;
            s->older = list.bytes - (list.n && number == list.highest ? list.bytes_of_last : 0);
            return 0;
        }
        if (r == -EPERM || r == -EACCES)
            r = 0;
    }
    return r < 0 ? r : -EPERM;
}

static bool is_there(const struct spool *s, uint64_t number)
{
    char name[SEGMENT_NAME];
    struct stat st;
    segment_name(number, name);
    return fstatat(s->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Makes the open segment the newest one; its size. */
static int find_newest(struct spool *s, uint64_t *ret_size)
{
    struct stat st;
    if (s->segment >= 0 && fstat(s->segment, &st) == 0 && st.st_nlink > 0 &&
        !is_there(s, s->number + 1)) {
        *ret_size = (uint64_t)st.st_size;
        return 0;
    }
    return open_newest(s, ret_size);
}

/* Makes room for NEED bytes in the open segment (of *size bytes), or in a new one. */
static int make_room(struct spool *s, uint64_t need, uint64_t *size)
{
    const uint64_t limit = MIN_OF((uint64_t)SPOOL_SEGMENT, s->file_limit);
    uint64_t in_all = s->older + MIN_OF(*size, (uint64_t)SPOOL_SEGMENT) + need;
    /* The oldest ones may have been removed since they were counted. */
    if (in_all > s->most && s->oldest < s->number && !is_there(s, s->oldest)) {
        int r = open_newest(s, size);
        if (r < 0)
            return r;
        in_all = s->older + MIN_OF(*size, (uint64_t)SPOOL_SEGMENT) + need;
    }
    if (in_all > s->most || need > limit)
        return -ENOSPC;
    for (int i = 0; *size > limit - need; i++) {
        s->older += MIN_OF(*size, (uint64_t)SPOOL_SEGMENT);
        int r = i < OPEN_TRIES ? open_segment(s, s->number + 1, size) : -EPERM;
        if (r < 0) {
            fd_closep(&s->segment); /* counted anew */
            return r;
        }
    }
    return 0;
}

static int write_frame(struct spool *s, const struct spool_head *head, struct bytes payload,
                       uint64_t size)
{
    struct iovec parts[] = {{(void *)(uintptr_t)head, sizeof(*head)},
                            {(void *)(uintptr_t)payload.p, payload.n}};
    ssize_t n;
    do
        n = writev(s->segment, parts, ARRAY_LEN(parts));
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)(sizeof(*head) + payload.n))
        return 0;
    int code = n >= 0 || errno == EDQUOT || errno == EFBIG ? -ENOSPC : -errno;
    /* Half a frame that stays is skipped by the reader. */
    if (n > 0 && ftruncate(s->segment, (off_t)size) < 0)
        return -EIO;
    return code;
}

static int append_locked(struct spool *s, struct bytes payload, uint32_t crc)
{
    struct spool_head head = {.magic = SPOOL_MAGIC, .length = (uint32_t)payload.n};
    uint64_t size = 0;
    int r = find_newest(s, &size);
    if (r == 0)
        r = make_room(s, sizeof(head) + payload.n, &size);
    if (r < 0)
        return r;
    head.check = spool_check(crc, head.length, s->number, size);
    return write_frame(s, &head, payload, size);
}

/* ---- appending ---- */

static int append(struct spool *s, struct bytes payload, uint32_t crc)
{
    if (s->lock < 0)
        return -ENOENT;
    int r = fd_lock(s->lock, s->hasty ? 0 : SPOOL_PATIENCE_US);
    s->hasty = r == -ETIMEDOUT;
    if (r < 0) {
        s->uncounted++;
        return r;
    }
    r = append_locked(s, payload, crc);
    /* What failed with -ENOENT is tried again. */
    s->uncounted += r < 0 && r != -ENOENT;
    if (s->uncounted && spool_count_add(s->dropped, s->uncounted) == 0)
        s->uncounted = 0;
    spool_unlock(s->lock);
    return r;
}

int spool_append(struct spool *s, struct bytes payload)
{
    if (payload.n == 0 || payload.n > SPOOL_FRAME)
        return -EMSGSIZE;
    if (!s->name[0])
        return -EBADF;
    const uint32_t crc = crc32c(0, payload.p, payload.n);
    int r = append(s, payload, crc);
    /* The directory was removed: made anew, once. */
    if (r == -ENOENT) {
        close_files(s);
        r = open_files(s, NULL);
        if (r == 0)
            r = append(s, payload, crc);
        s->uncounted += r == -ENOENT;
    }
    return r;
}

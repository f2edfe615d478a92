/*
 * The spool's directory and its files. See spool_files.h and spool.h.
 *
 * The directory is ours, and what is in it was written by this program, unless somebody put
 * something there by accident. So nothing in it is trusted: names that are not ours are passed
 * over, what is no regular file of ours is never opened for its content, no link is followed, sizes
 * are not believed beyond what a segment may have.
 *
 * The lock has mode 0200: a command in the sandbox may see $BAWN_HOME read-only, and a lock can be
 * had on any descriptor. A file that its owner can open for writing only is one that such a command
 * cannot hold.
 */
#include "telemetry/spool_files.h"

#include "base/fd.h"
#include "base/macros.h"
#include "base/path.h"
#include "telemetry/crc32c.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

uint32_t spool_check(uint32_t crc, uint32_t length, uint64_t segment, uint64_t offset)
{
    const uint64_t place[3] = {length, segment, offset};
    return crc32c(crc, place, sizeof(place));
}

/* ---- the lock ---- */

void spool_unlock(int lock)
{
    (void)flock(lock, LOCK_UN);
}

int spool_lock_open(int dirfd, struct error *err)
{
    const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;
    struct stat st;
    int fd = openat(dirfd, "lock", flags, 0200);
    if (fd < 0)
        return error_errno(err, -errno, "telemetry cannot be kept: its lock");
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid()) {
        fd_close(fd);
        return error_set(err, -EPERM, "telemetry cannot be kept: its lock is not a file of yours");
    }
    return fd;
}

/* ---- the directory ---- */

static bool is_name(const char *name)
{
    return name[0] && name[0] != '.' && strlen(name) < SPOOL_NAME && !strchr(name, '/');
}

int spool_dir_open(int parent, const char *name, struct error *err)
{
    struct stat st;
    if (!is_name(name))
        return error_set(err, -EINVAL, "telemetry cannot be kept: %s is no name", show(name));
    if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
        return error_errno(err, -errno, "telemetry cannot be kept: %s", show(name));
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, -errno, "telemetry cannot be kept: %s", show(name));
    if (fstat(fd, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 077)) {
        fd_close(fd);
        (void)error_set(err, -EPERM, "telemetry cannot be kept: %s is not yours alone", show(name));
        error_hint(err, "remove it from $BAWN_HOME/telemetry: it is made again");
        return -EPERM;
    }
    return fd;
}

bool spool_dir_stands(int parent, const char *name, int dirfd)
{
    struct stat named, open;
    return fstatat(parent, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(dirfd, &open) == 0 &&
           named.st_ino == open.st_ino && named.st_dev == open.st_dev;
}

int spool_file_open(int dirfd, const char *name, int flags)
{
    struct stat st;
    /* O_NONBLOCK: a FIFO in its place must not stop us. */
    int fd = openat(dirfd, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
    if (fd < 0)
        return errno == ELOOP || errno == ENXIO || errno == EISDIR ? -EPERM : -errno;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
        (st.st_mode & 077)) {
        fd_close(fd);
        return -EPERM;
    }
    return fd;
}

/* ---- segments ---- */

void segment_name(uint64_t number, char ret[SEGMENT_NAME])
{
    (void)snprintf(ret, SEGMENT_NAME, "%llu.spool", (unsigned long long)number);
}

/* 0: not the name of a segment. */
static uint64_t number_of(const char *name)
{
    uint64_t v = 0;
    if (name[0] < '1' || name[0] > '9')
        return 0;
    for (; *name >= '0' && *name <= '9'; name++) {
        v = v * 10 + (uint64_t)(*name - '0');
        if (v > SPOOL_NUMBER_MAX)
            return 0;
    }
    return str_eq(name, ".spool") ? v : 0;
}

/* A directory that is gone through, and what is to be known of it. */
struct seen {
    int dirfd;
    uint64_t number; /* that was asked for */
    struct spool_list list;
    int64_t time; /* of the newest file, or the one that is too old */
};

static bool note(void *data, const char *name)
{
    struct seen *seen = data;
    struct spool_list *list = &seen->list;
    struct stat st;
    const uint64_t asked = seen->number, number = number_of(name);
    if (number == 0 || fstatat(seen->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return true;
    uint64_t size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    size = MIN_OF(size, (uint64_t)SPOOL_SEGMENT);
    list->bytes += size;
    if (list->n++ == 0 || number < list->lowest)
        list->lowest = number;
    if (number > list->highest) {
        list->highest = number;
        list->bytes_of_last = size;
    }
    if (number > asked && (list->next == 0 || number < list->next))
        list->next = number;
    if (number == asked)
        list->bytes_of = size;
    if (number < asked)
        list->bytes_below += size;
    return true;
}

/* Calls SEE with SEEN for every name. */
static int walk(struct seen *seen, bool (*see)(void *data, const char *name))
{
    _cleanup_fd_ int fd = openat(seen->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : directory_each(fd, see, seen);
}

int spool_list(int dirfd, uint64_t number, struct spool_list *ret)
{
    struct seen seen = {.dirfd = dirfd, .number = number};
    int r = walk(&seen, note);
    if (r == 0)
        *ret = seen.list;
    return r;
}

static bool remove_below(void *data, const char *name)
{
    const struct seen *seen = data;
    const uint64_t v = number_of(name);
    struct stat st;
    if (v == 0 || v >= seen->number)
        return true;
    /* A writer that has nothing to say for hours has it open: the bytes must not stay as long. Only
     * what has no other name; and if that fails, the name goes nevertheless. */
    _cleanup_fd_ int fd = spool_file_open(seen->dirfd, name, O_WRONLY);
    const bool emptied =
        fd >= 0 && fstat(fd, &st) == 0 && st.st_nlink == 1 && ftruncate(fd, 0) == 0;
    (void)emptied;
    (void)unlinkat(seen->dirfd, name, 0);
    return true;
}

void spool_remove_below(int dirfd, uint64_t number)
{
    struct seen seen = {.dirfd = dirfd, .number = number};
    (void)walk(&seen, remove_below);
}

/* ---- spools that nobody uses any more ---- */

static bool is_own_file(const char *name)
{
    return number_of(name) > 0 || str_eq(name, "lock") || str_eq(name, "cursor") ||
           str_eq(name, "dropped");
}

/* Anything that is none of ours counts as used now. */
static bool note_time(void *data, const char *name)
{
    struct seen *seen = data;
    struct stat st;
    if (fstatat(seen->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
        !is_own_file(name))
        seen->time = INT64_MAX;
    else
        seen->time = MAX_OF(seen->time, (int64_t)st.st_mtim.tv_sec);
    return true;
}

static bool remove_own(void *data, const char *name)
{
    const struct seen *seen = data;
    if (is_own_file(name))
        (void)unlinkat(seen->dirfd, name, 0);
    return true;
}

static bool is_key(const char *name)
{
    return strlen(name) == 16 && strspn(name, "0123456789abcdef") == 16;
}

static bool remove_unused(void *data, const char *name)
{
    const struct seen *all = data;
    struct stat st;
    _cleanup_fd_ int dirfd = is_key(name) ? spool_dir_open(all->dirfd, name, NULL) : -1;
    /* One that was made just now may be empty still. */
    if (dirfd < 0 || fstat(dirfd, &st) < 0 || st.st_mtim.tv_sec >= all->time)
        return true;
    /* Nothing is appended from here on. Who has it open finds it gone then, and makes it anew. */
    _cleanup_fd_ int lock = spool_lock_open(dirfd, NULL);
    struct seen seen = {.dirfd = dirfd};
    if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0 && walk(&seen, note_time) == 0 &&
        seen.time < all->time) {
        (void)walk(&seen, remove_own);
        (void)unlinkat(all->dirfd, name, AT_REMOVEDIR);
    }
    return true;
}

void spool_remove_unused(int dirfd, int64_t before)
{
    struct seen all = {.dirfd = dirfd, .time = before};
    (void)walk(&all, remove_unused);
}

/* ---- the count of what was dropped ---- */

struct count {
    uint64_t n, check;
};

static uint64_t count_read(int fd)
{
    struct count c;
    return spool_pread(fd, &c, sizeof(c), 0) == (ssize_t)sizeof(c) && c.check == ~c.n ? c.n : 0;
}

static int count_write(int fd, uint64_t n)
{
    const struct count c = {n, ~n};
    ssize_t w = pwrite(fd, &c, sizeof(c), 0);
    return w == (ssize_t)sizeof(c) ? 0 : w < 0 ? -errno : -ENOSPC;
}

int spool_count_add(int fd, uint64_t add)
{
    uint64_t n;
    if (fd < 0)
        return -EBADF;
    if (__builtin_add_overflow(count_read(fd), add, &n))
        n = UINT64_MAX;
    return count_write(fd, n);
}

uint64_t spool_count_take(int fd)
{
    const uint64_t n = fd < 0 ? 0 : count_read(fd);
    return n && count_write(fd, 0) == 0 ? n : 0;
}

uint64_t spool_count_look(int fd)
{
    return fd < 0 ? 0 : count_read(fd);
}

/* ---- bytes ---- */

ssize_t spool_pread(int fd, void *p, size_t n, uint64_t at)
{
    char *to = p;
    size_t got = 0;
    while (got < n) {
        ssize_t r = pread(fd, to + got, n - got, (off_t)(at + got));
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return -errno;
        if (r == 0)
            break;
        got += (size_t)r;
    }
    return (ssize_t)got;
}

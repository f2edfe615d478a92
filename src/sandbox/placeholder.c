/* One placeholder: its lock and its mark. See placeholder.h. */
#include "sandbox/placeholder.h"

#include "base/macros.h"
#include "base/path.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Some moment of 1987. Whole hundreds of nanoseconds: not every file system keeps single ones. */
#define MARK_SECONDS     548192467
#define MARK_NANOSECONDS 731946200

#define SHARE_TRIES 500 /* a millisecond each: a removal takes some microseconds */

int placeholder_open(int dirfd, const char *name)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
    int fd = openat(dirfd, name, flags);
    if (fd >= 0 || errno != EMFILE)
        return fd < 0 ? -errno : fd;
    /* Each is kept open. The command gets the caller's limit back. */
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
        return -EMFILE;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -EMFILE;
    fd = openat(dirfd, name, flags);
    return fd < 0 ? -errno : fd;
}

void placeholder_mark(int fd)
{
    const struct timespec t[2] = {{.tv_nsec = UTIME_OMIT},
                                  {.tv_sec = MARK_SECONDS, .tv_nsec = MARK_NANOSECONDS}};
    (void)futimens(fd, t);
}

bool placeholder_is_marked(const struct stat *st)
{
    return S_ISDIR(st->st_mode) && st->st_mtim.tv_sec == MARK_SECONDS &&
           st->st_mtim.tv_nsec == MARK_NANOSECONDS;
}

static bool see_any(void *data, const char *name)
{
    bool *empty = data;
    (void)name;
    return *empty = false;
}

bool placeholder_is_empty(int fd)
{
    bool empty = true;
    int r = lseek(fd, 0, SEEK_SET) == 0 ? directory_each(fd, see_any, &empty) : -errno;
    return (r == 0 || r == -ENOENT) && empty;
}

int placeholder_share(int fd, bool wait)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0;; i++) {
        if (flock(fd, LOCK_SH | LOCK_NB) == 0)
            return 0;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return 0; /* no locks here */
        if (!wait || i >= SHARE_TRIES)
            return -EBUSY;
        (void)nanosleep(&pause, NULL);
    }
}

int placeholder_claim(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK ? -EBUSY : 0;
}

bool placeholder_is_at(int fd, int dirfd, const char *name)
{
    struct stat a, b;
    return fstat(fd, &a) == 0 && fstatat(dirfd, name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

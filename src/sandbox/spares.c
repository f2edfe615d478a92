/* Spare placeholders. See spares.h. */
#include "sandbox/spares.h"

#include "base/fd.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/random.h>
#include <unistd.h>

#define RENAME_NOREPLACE_FLAG 1u

struct linux_dirent64 {
    uint64_t d_ino;
    int64_t d_off;
    unsigned short d_reclen;
    unsigned char d_type;
    char d_name[];
};

static int move(int from, const char *old, int to, const char *new)
{
    return syscall(SYS_renameat2, from, old, to, new, RENAME_NOREPLACE_FLAG) < 0 ? -errno : 0;
}

static bool is_spare_name(const char *name)
{
    size_t n = strspn(name, "0123456789abcdef");
    return n == SPARES_NAME_BYTES - 1 && name[n] == '\0';
}

static void read_names(struct spares *s)
{
    char buf[4096] __attribute__((aligned(8)));
    const unsigned dt_dir = S_IFDIR >> 12;
    long got;
    while (s->n < SPARES_MAX && (got = syscall(SYS_getdents64, s->fd, buf, sizeof(buf))) > 0) {
        for (long at = 0; at < got && s->n < SPARES_MAX;) {
            const void *p = buf + at;
            const struct linux_dirent64 *e = p;
            at += e->d_reclen;
            if ((e->d_type == dt_dir || e->d_type == 0) && is_spare_name(e->d_name))
                memcpy(s->names[s->n++], e->d_name, SPARES_NAME_BYTES);
        }
    }
    s->kept = s->n;
}

void spares_look(struct spares *s, int placeholders)
{
    struct stat st;
    if (s->looked)
        return;
    *s = (struct spares){.fd = -1, .looked = true};
    for (int i = 0; i < 2 && s->fd < 0; i++) {
        s->fd = openat(placeholders, "../spare", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (s->fd < 0 && (errno != ENOENT || mkdirat(placeholders, "../spare", 0700) < 0))
            return;
    }
    if (s->fd < 0)
        return;
    if (fstat(s->fd, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 022)) {
        fd_close(steal_fd(&s->fd));
        return;
    }
    s->dev = st.st_dev;
    s->mount = sys_mount_id(s->fd);
    read_names(s);
}

bool spares_reach(const struct spares *s, int dirfd, dev_t dev)
{
    int64_t mount = s->fd >= 0 && dev == s->dev ? sys_mount_id(dirfd) : -1;
    return s->fd >= 0 && dev == s->dev && (mount < 0 || s->mount < 0 || mount == s->mount);
}

void spares_release(struct spares *s)
{
    if (s->looked)
        fd_close(s->fd);
    *s = (struct spares){.fd = -1};
}

/* One that could stand anywhere: ours, of no other mode or group than a fresh one. */
static bool is_fit(const struct spares *s, const struct stat *st)
{
    return S_ISDIR(st->st_mode) && st->st_dev == s->dev && st->st_uid == geteuid() &&
           st->st_gid == getegid() && (st->st_mode & 07000) == 0;
}

static int open_dir(int dirfd, const char *name)
{
    return openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
}

/* FD is a directory that was opened by us and not read yet, or is read anew. */
static bool is_empty(int fd)
{
    char buf[1024] __attribute__((aligned(8)));
    if (lseek(fd, 0, SEEK_SET) < 0)
        return false;
    long got = syscall(SYS_getdents64, fd, buf, sizeof(buf));
    if (got < 0)
        return false;
    for (long at = 0; at < got;) {
        const void *p = buf + at;
        const struct linux_dirent64 *e = p;
        at += e->d_reclen;
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            return false;
    }
    return true;
}

bool spares_next(struct spares *s, const char **ret, struct stat *ret_st)
{
    while (s->next < s->n) {
        const char *name = s->names[s->next++];
        _cleanup_fd_ int fd = open_dir(s->fd, name);
        if (fd >= 0 && fstat(fd, ret_st) == 0 && is_fit(s, ret_st) && is_empty(fd)) {
            *ret = name;
            return true;
        }
    }
    return false;
}

int spares_place(struct spares *s, const char *spare, int dirfd, const char *name)
{
    int r = move(s->fd, spare, dirfd, name);
    if (r == 0)
        s->kept -= s->kept > 0;
    return r;
}

int spares_put_back(struct spares *s, int dirfd, const char *name, dev_t dev, ino_t ino)
{
    char spare[SPARES_NAME_BYTES];
    struct stat st;
    uint64_t v;
    if (s->fd < 0 || s->kept >= SPARES_MAX || dev != s->dev)
        return 0;
    _cleanup_fd_ int fd = open_dir(dirfd, name);
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_dev != dev || st.st_ino != ino || !is_fit(s, &st) ||
        !is_empty(fd) || getrandom(&v, sizeof(v), 0) != (ssize_t)sizeof(v))
        return 0;
    (void)snprintf(spare, sizeof(spare), "%016" PRIx64, v);
    if (move(dirfd, name, s->fd, spare) < 0)
        return 0;
    if (fstatat(s->fd, spare, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == dev &&
        st.st_ino == ino && is_empty(fd)) {
        s->kept++;
        return 1;
    }
    /* Somebody was quicker between the look and the move. */
    (void)move(s->fd, spare, dirfd, name);
    return 0;
}

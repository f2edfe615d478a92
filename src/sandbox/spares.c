/* Spare placeholders. See spares.h. */
#include "sandbox/spares.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/sys.h"
#include "sandbox/placeholder.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define RENAME_NOREPLACE_FLAG 1u
#define STATX_INO_FLAG        0x100u
#define STATX_BTIME_FLAG      0x800u
#define TIDY_AT_ONCE          4u

static int move(int from, int to, const char *name)
{
    return syscall(SYS_renameat2, from, name, to, name, RENAME_NOREPLACE_FLAG) < 0 ? -errno : 0;
}

/* ---- all of them ---- */

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
    s->uid = st.st_uid;
}

void spares_release(struct spares *s)
{
    if (s->looked)
        fd_close(s->fd);
    *s = (struct spares){.fd = -1};
}

/* ---- tidying up ---- */

struct oldest {
    int dirfd;
    const char *but;
    size_t n;
    char name[256];
    struct timespec used;
};

static bool see_shelf(void *data, const char *name)
{
    struct oldest *o = data;
    struct stat st;
    if (str_eq(name, o->but) || fstatat(o->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        !S_ISDIR(st.st_mode))
        return true;
    bool older = st.st_mtim.tv_sec < o->used.tv_sec ||
                 (st.st_mtim.tv_sec == o->used.tv_sec && st.st_mtim.tv_nsec < o->used.tv_nsec);
    if (o->n++ == 0 || older) {
        o->used = st.st_mtim;
        (void)snprintf(o->name, sizeof(o->name), "%s", name);
    }
    return true;
}

static bool remove_spare(void *data, const char *name)
{
    (void)unlinkat(*(int *)data, name, AT_REMOVEDIR);
    return true;
}

/* Removes the shelves that were longest not used, but for KEY, while there are too many. */
static void tidy(const struct spares *s, const char *key)
{
    for (unsigned i = 0; i < TIDY_AT_ONCE; i++) {
        struct oldest o = {.dirfd = s->fd, .but = key};
        if (lseek(s->fd, 0, SEEK_SET) < 0 || directory_each(s->fd, see_shelf, &o) < 0 ||
            o.n < SHELVES_MAX)
            return;
        _cleanup_fd_ int fd = placeholder_open(s->fd, o.name);
        if (fd < 0 || directory_each(fd, remove_spare, &fd) < 0 ||
            unlinkat(s->fd, o.name, AT_REMOVEDIR) < 0)
            return;
    }
}

/* ---- those of one directory ---- */

/* False when the directory cannot be told from a later one with its inode number. */
static bool make_key(char key[SHELF_KEY_BYTES], int dirfd)
{
    struct uapi_statx st = {0};
    const unsigned want = STATX_INO_FLAG | STATX_BTIME_FLAG;
    if (syscall(SYS_statx, dirfd, "", AT_EMPTY_PATH, want, &st) < 0 || (st.mask & want) != want)
        return false;
    /* Seconds, then nanoseconds in the lower half of the next. */
    uint32_t nanoseconds;
    memcpy(&nanoseconds, &st.times[3], sizeof(nanoseconds));
    (void)snprintf(key, SHELF_KEY_BYTES, "%x.%x-%" PRIx64 "-%" PRIx64 ".%08" PRIx32, st.dev_major,
                   st.dev_minor, st.ino, st.times[2], nanoseconds);
    return true;
}

void shelf_look(const struct spares *s, struct shelf *shelf, int dirfd, dev_t dev)
{
    if (shelf->looked)
        return;
    *shelf = (struct shelf){.fd = -1, .looked = true};
    shelf->useless = s->fd < 0 || dev != s->dev || !make_key(shelf->key, dirfd);
    if (!shelf->useless)
        shelf->fd = placeholder_open(s->fd, shelf->key);
}

void shelf_release(struct shelf *shelf)
{
    if (shelf->looked)
        fd_close(shelf->fd);
    *shelf = (struct shelf){.fd = -1};
}

int shelf_take(const struct spares *s, const struct shelf *shelf, const char *name,
               struct stat *ret_st)
{
    if (shelf->fd < 0)
        return -1;
    _cleanup_fd_ int fd = placeholder_open(shelf->fd, name);
    if (fd < 0 || fstat(fd, ret_st) < 0 || ret_st->st_uid != s->uid || !placeholder_is_empty(fd) ||
        placeholder_share(fd, false) < 0)
        return -1;
    if (!placeholder_is_marked(ret_st))
        placeholder_mark(fd);
    return steal_fd(&fd);
}

int shelf_place(const struct shelf *shelf, const char *name, int dirfd)
{
    return move(shelf->fd, dirfd, name);
}

static bool make_shelf(const struct spares *s, struct shelf *shelf, int dirfd)
{
    /* What is on another mount cannot be moved, though it may be on the same device. */
    int64_t here = sys_mount_id(s->fd), there = sys_mount_id(dirfd);
    struct stat st;
    shelf->useless = (here >= 0 && there >= 0 && here != there) ||
                     (mkdirat(s->fd, shelf->key, 0700) < 0 && errno != EEXIST) ||
                     (shelf->fd = placeholder_open(s->fd, shelf->key)) < 0;
    if (shelf->useless)
        return false;
    /* Each directory in it is a link, except where links of directories are not counted. */
    if (fstat(s->fd, &st) == 0 && (st.st_nlink < 2 || st.st_nlink - 2 > SHELVES_MAX))
        tidy(s, shelf->key);
    return true;
}

int shelf_put_back(const struct spares *s, struct shelf *shelf, int dirfd, const char *name, int fd,
                   const struct stat *st)
{
    if (shelf->useless || shelf->kept >= SHELF_MAX ||
        (shelf->fd < 0 && !make_shelf(s, shelf, dirfd)))
        return 0;
    int r = move(dirfd, shelf->fd, name);
    if (r == -EXDEV) {
        shelf->useless = true;
        (void)unlinkat(s->fd, shelf->key, AT_REMOVEDIR);
    }
    if (r < 0)
        return 0;
    /* With its mark nothing was made in it. Else somebody was quicker between the look and the
     * move, or it was used before. */
    struct stat now;
    if (fstatat(shelf->fd, name, &now, AT_SYMLINK_NOFOLLOW) == 0 && now.st_dev == st->st_dev &&
        now.st_ino == st->st_ino && (placeholder_is_marked(&now) || placeholder_is_empty(fd))) {
        shelf->kept++;
        return 1;
    }
    (void)move(shelf->fd, dirfd, name);
    return 0;
}

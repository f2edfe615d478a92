/*
 * The file of a Unix socket that a rule names. The rule names a path, and the command may be able
 * to write to places on it: a link that it made there would lead the proxy, which stands outside,
 * to any socket of the host. So the path is walked by descriptors, a link is followed only where it
 * lies in a directory that nobody like us can write to, and the socket is connected to by its
 * descriptor.
 *
 * A rename or a hard link puts another socket under the name without a link, in this run or in an
 * earlier one. The kernel still tells under which name it was bound: unix_is_named() compares,
 * where somebody like us can write to anything on the way.
 */
#include "proxy/proxy.h"

#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MOST_LINKS 40

static bool is_writable_dir(const struct stat *dir)
{
    return dir->st_uid == geteuid() || (dir->st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

/* Reads the link that FD is into TO, which lies in DIR. */
static int read_link(int dir, int fd, char *to, size_t cap)
{
    struct stat st;
    if (fstat(dir, &st) < 0)
        return -errno;
    if (is_writable_dir(&st))
        return -ELOOP;
    ssize_t n = readlinkat(fd, "", to, cap);
    if (n < 0)
        return -errno;
    if (n == 0 || (size_t)n >= cap)
        return -ENAMETOOLONG;
    to[n] = '\0';
    return 0;
}

static int open_root(void)
{
    int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Appends a component to the N bytes of the path so far. */
static int append(struct unix_place *to, size_t *n, struct bytes c)
{
    if (*n + 1 + c.n >= sizeof(to->path))
        return -ENAMETOOLONG;
    to->path[*n] = '/';
    memcpy(to->path + *n + 1, c.p, c.n);
    *n += 1 + c.n;
    to->path[*n] = '\0';
    return 0;
}

int unix_open(const char *path, struct unix_place *ret)
{
    char rest[2][PATH_MAX], link[PATH_MAX], name[NAME_MAX + 1];
    size_t links = 0, n = 0;
    struct stat st = {0}, dir;
    struct bytes c;
    int r = snprintf(rest[0], sizeof(rest[0]), "%s", path);
    if (r < 0 || (size_t)r >= sizeof(rest[0]) || path[0] != '/')
        return -EINVAL;
    _cleanup_fd_ int at = open_root();
    if (at < 0)
        return at;
    *ret = (struct unix_place){.ours = false};
    for (const char *p = rest[0]; path_next(&p, &c);) {
        if (c.n > NAME_MAX)
            return -ENAMETOOLONG;
        if (fstat(at, &dir) < 0)
            return -errno;
        ret->ours = ret->ours || is_writable_dir(&dir);
        memcpy(name, c.p, c.n);
        name[c.n] = '\0';
        _cleanup_fd_ int fd = openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
            return -errno;
        if (!S_ISLNK(st.st_mode)) {
            if ((r = append(ret, &n, c)) < 0)
                return r;
            fd_close(at);
            at = steal_fd(&fd);
            continue;
        }
        r = ++links > MOST_LINKS ? -ELOOP : read_link(at, fd, link, sizeof(link));
        if (r < 0)
            return r;
        if (link[0] == '/') {
            fd_close(at);
            if ((at = open_root()) < 0)
                return at;
            n = 0;
        }
        r = snprintf(rest[links & 1], sizeof(rest[0]), "%s/%s", link, p);
        if (r < 0 || (size_t)r >= sizeof(rest[0]))
            return -ENAMETOOLONG;
        p = rest[links & 1];
    }
    return S_ISSOCK(st.st_mode) ? steal_fd(&at) : -ECONNREFUSED;
}

bool unix_is_named(int fd, const char *listed, const struct unix_place *at)
{
    struct sockaddr_un from = {0};
    socklen_t n = sizeof(from);
    const size_t head = offsetof(struct sockaddr_un, sun_path);
    if (!at->ours)
        return true;
    if (getpeername(fd, (struct sockaddr *)&from, &n) < 0 || n <= head)
        return false;
    const struct bytes bound = {from.sun_path, MIN_OF((size_t)n, sizeof(from)) - head};
    return path_is_bound_name(bound, listed) || path_is_bound_name(bound, at->path);
}

/* The process behind a notification. See target.h. */
#include "sandbox/target.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/sys.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>

bool target_alive(const struct target *t)
{
    return sys_ioctl(t->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, (void *)(uintptr_t)&t->req->id) ==
           0;
}

/* The number behind NAME in /proc/TID/status; the last one of the line when LAST. */
static long status_number(const struct target *t, const char *name, bool last)
{
    char path[64], buf[4096];
    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)t->tid);
    _cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
    if (n <= 0)
        return 0;
    buf[n] = '\0';
    const char *p = strstr(buf, name);
    if (!p)
        return 0;
    p += strlen(name);
    long v = 0;
    do {
        char *end;
        v = strtol(p, &end, 10);
        if (end == p)
            return 0;
        p = end;
    } while (last && *p == '\t');
    return v;
}

pid_t target_tgid(struct target *t)
{
    if (t->tgid == 0)
        t->tgid = (pid_t)status_number(t, "\nTgid:", false);
    return t->tgid;
}

pid_t target_inner_pid(const struct target *t)
{
    return (pid_t)status_number(t, "\nNStgid:", true);
}

int target_read(const struct target *t, uint64_t addr, void *p, size_t n)
{
    struct iovec here = {.iov_base = p, .iov_len = n};
    struct iovec there = {.iov_base = (void *)(uintptr_t)addr, .iov_len = n};
    ssize_t r = process_vm_readv(t->tid, &here, 1, &there, 1, 0);
    if (r < 0)
        return -errno;
    return (size_t)r == n ? 0 : -EFAULT;
}

int target_read_path(const struct target *t, uint64_t addr, char out[PATH_MAX])
{
    size_t got = 0;
    /* Up to the next page each time: a string may end just before memory that is not there. */
    while (got < PATH_MAX) {
        size_t step = MIN_OF((size_t)(4096 - ((addr + got) & 4095)), PATH_MAX - got);
        if (got == 0)
            step = MIN_OF(step, (size_t)256);
        int r = target_read(t, addr + got, out + got, step);
        if (r < 0)
            return r;
        if (memchr(out + got, '\0', step))
            return 0;
        got += step;
    }
    return -ENAMETOOLONG;
}

int target_write(const struct target *t, uint64_t addr, const void *p, size_t n)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)t->tid);
    /* The descriptor holds the memory; whose it is, is asked after it was opened. */
    _cleanup_fd_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (!target_alive(t))
        return -ENOENT;
    ssize_t r = pwrite(fd, p, n, (off_t)addr);
    return r < 0 ? -errno : (size_t)r == n ? 0 : -EFAULT;
}

bool target_own_descriptor(struct target *t, const char *path, int *ret_fd)
{
    if (!str_starts(path, "/proc/"))
        return false;
    char *end;
    long pid = strtol(path + 6, &end, 10);
    if (end == path + 6 || pid != target_inner_pid(t) || !str_starts(end, "/fd/"))
        return false;
    const char *number = end + 4;
    if (*number < '0' || *number > '9')
        return false;
    long fd = strtol(number, &end, 10);
    if (*end || fd > INT_MAX)
        return false;
    *ret_fd = (int)fd;
    return true;
}

int target_getfd(struct target *t, int fd)
{
    /* pidfd_open(2) takes a thread only from 6.9 on; its group shares the descriptors unless a
     * thread left by unshare(CLONE_FILES), and then the group's table is simply not the right one:
     * EBADF. */
    _cleanup_fd_ int pidfd = sys_ret(syscall(UAPI_SYS_pidfd_open, t->tid, O_EXCL));
    if (pidfd < 0)
        pidfd = sys_pidfd_open(target_tgid(t));
    if (pidfd < 0)
        return pidfd;
    return sys_pidfd_getfd(pidfd, fd);
}

void target_exe(const struct target *t, char *out, size_t cap)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)t->tid);
    ssize_t n = readlink(path, out, cap - 1);
    out[n > 0 ? n : 0] = '\0';
}

int target_root(const struct target *t)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/root", (int)t->tid);
    return sys_ret(open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
}

static int read_link(const char *link, char out[PATH_MAX])
{
    ssize_t n = readlink(link, out, PATH_MAX - 1);
    if (n < 0)
        return -errno;
    out[n] = '\0';
    return out[0] == '/' ? 0 : -ENOENT;
}

/* Joins in place: BASE and PATH into OUT, "." and doubled slashes dropped. ".." stays when links
 * may be in front of it: the kernel's walk decides, not the text. */
static int join(const char *base, const char *path, char out[PATH_MAX])
{
    int n = snprintf(out, PATH_MAX, "%s/%s", str_eq(base, "/") ? "" : base, path);
    return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* Usually a link to the table of mounts, by way of /proc/self. */
static bool is_mount_table(const char *path)
{
    char link[64];
    if (str_eq(path, "/proc/mounts"))
        return true;
    ssize_t n = str_eq(path, "/etc/mtab") ? readlink(path, link, sizeof(link) - 1) : -1;
    if (n <= 0)
        return false;
    link[n] = '\0';
    const char *to = str_starts(link, "../") ? link + 2 : link;
    return str_eq(to, "/proc/mounts") || str_eq(to, "/proc/self/mounts");
}

int target_absolute(const struct target *t, int dirfd, const char *path, char out[PATH_MAX])
{
    char link[64], base[PATH_MAX];
    if (path[0] == '/') {
        const char *rest = NULL;
        if (str_starts(path, "/proc/self") && (path[10] == '/' || path[10] == '\0'))
            rest = path + 10;
        else if (str_starts(path, "/proc/thread-self") && (path[17] == '/' || path[17] == '\0'))
            rest = path + 17;
        char spelled[64] = "";
        if (rest) {
            (void)snprintf(spelled, sizeof(spelled), "/proc/%d", (int)target_inner_pid(t));
        } else if (is_mount_table(path)) {
            rest = "/mounts";
            (void)snprintf(spelled, sizeof(spelled), "/proc/%d", (int)target_inner_pid(t));
        } else if (str_eq(path, "/proc/net") || str_starts(path, "/proc/net/")) {
            /* Links by way of /proc/self, which would be the supervisor's, and it has none there.
             */
            rest = path + 5;
            (void)snprintf(spelled, sizeof(spelled), "/proc/%d", (int)target_inner_pid(t));
        } else if (str_starts(path, "/dev/fd/")) {
            rest = path + 7;
            (void)snprintf(spelled, sizeof(spelled), "/proc/%d/fd", (int)target_inner_pid(t));
        } else if (str_eq(path, "/dev/stdin") || str_eq(path, "/dev/stdout") ||
                   str_eq(path, "/dev/stderr")) {
            rest = "";
            (void)snprintf(spelled, sizeof(spelled), "/proc/%d/fd/%d", (int)target_inner_pid(t),
                           path[8] == 'i'   ? 0
                           : path[8] == 'o' ? 1
                                            : 2);
            if (str_eq(path, "/dev/stderr"))
                spelled[strlen(spelled) - 1] = '2';
            else if (str_eq(path, "/dev/stdout"))
                spelled[strlen(spelled) - 1] = '1';
        } else {
            rest = path;
        }
        int n = snprintf(out, PATH_MAX, "%s%s", spelled, rest);
        return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
    }
    if (dirfd == AT_FDCWD)
        (void)snprintf(link, sizeof(link), "/proc/%d/cwd", (int)t->tid);
    else
        (void)snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)t->tid, dirfd);
    int r = read_link(link, base);
    if (r < 0)
        return r;
    if (path[0] == '\0') {
        (void)snprintf(out, PATH_MAX, "%s", base);
        return 0;
    }
    return join(base, path, out);
}

/* The canonical path of an O_PATH descriptor, in the words of the sandbox's root. */
static int path_of(int fd, char out[PATH_MAX])
{
    char link[64];
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    return read_link(link, out);
}

/* A look-up that was refused on its way (a mask) ended in a directory that has a name; what was
 * looked for in there is text, and of use for a message alone. */
static void name_refused(int root, char abs[PATH_MAX], struct resolved *ret)
{
    char rest[PATH_MAX];
    size_t end = strlen(abs), n = end;
    while (n > 1) {
        while (n > 1 && abs[n - 1] != '/')
            n--;
        if (n < 2)
            return;
        (void)snprintf(rest, sizeof(rest), "%.*s", (int)(end - n), abs + n);
        abs[--n] = '\0';
        _cleanup_fd_ int dir = path_openat2(root, abs, O_PATH, 0, UAPI_RESOLVE_IN_ROOT);
        abs[n] = '/';
        if (dir < 0)
            continue;
        char base[PATH_MAX];
        /* ".." behind what cannot be looked at could lead anywhere. */
        if (strstr(abs + n, "/..") || path_of(dir, base) < 0 || join(base, rest, ret->path) < 0)
            ret->path[0] = '\0';
        return;
    }
}

void target_resolve(const struct target *t, int dirfd, const char *path, bool follow,
                    struct resolved *ret)
{
    *ret = (struct resolved){.fd = -1, .parent = -1};
    char abs[PATH_MAX];
    ret->code = target_absolute(t, dirfd, path, abs);
    if (ret->code < 0)
        return;
    _cleanup_fd_ int root = target_root(t);
    if (root < 0) {
        ret->code = root;
        return;
    }
    int fd = path_openat2(root, abs, O_PATH | (follow ? 0 : O_NOFOLLOW), 0, UAPI_RESOLVE_IN_ROOT);
    if (fd >= 0) {
        ret->fd = fd;
        ret->code = path_of(fd, ret->path);
        return;
    }
    ret->code = fd;
    if (fd == -EACCES)
        name_refused(root, abs, ret);
    if (fd != -ENOENT)
        return;
    /* Perhaps only the last name is missing. */
    size_t n = strlen(abs);
    while (n > 1 && abs[n - 1] == '/')
        abs[--n] = '\0';
    char *slash = strrchr(abs, '/');
    const char *name = slash ? slash + 1 : abs;
    if (!slash || str_eq(name, "..") || str_eq(name, "."))
        return;
    char parent[PATH_MAX];
    size_t len = (size_t)(slash - abs);
    memcpy(parent, abs, len);
    parent[len] = '\0';
    int dir = path_openat2(root, len ? parent : "/", O_PATH | O_DIRECTORY, 0, UAPI_RESOLVE_IN_ROOT);
    if (dir < 0) {
        ret->code = dir;
        return;
    }
    ret->parent = dir;
    char base[PATH_MAX];
    int r = path_of(dir, base);
    if (r == 0)
        r = join(base, name, ret->path);
    if (r < 0)
        ret->code = r;
}

void resolved_release(struct resolved *r)
{
    fd_close(r->fd);
    fd_close(r->parent);
    r->fd = r->parent = -1;
}

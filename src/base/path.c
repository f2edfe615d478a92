/* Paths. See path.h. */
#include "base/path.h"

#include "base/fd.h"
#include "base/limits.h"
#include "base/uapi.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

bool path_next(const char **p, struct bytes *ret)
{
    const char *s = *p;
    while (*s == '/')
        s++;
    const char *e = s;
    while (*e && *e != '/')
        e++;
    *p = e;
    *ret = (struct bytes){s, (size_t)(e - s)};
    return ret->n != 0;
}

char *path_join(struct arena *a, const char *base, const char *path)
{
    const char *parts[2] = {path[0] == '/' ? "" : base, path};
    char *out = arena_alloc(a, strlen(parts[0]) + strlen(path) + 3);
    if (!out)
        return NULL;
    size_t n = 0;
    for (size_t i = 0; i < 2; i++) {
        struct bytes c;
        for (const char *p = parts[i]; path_next(&p, &c);) {
            if (bytes_is(c, "."))
                continue;
            if (bytes_is(c, "..")) {
                while (n && out[--n] != '/')
                    ;
                continue;
            }
            out[n++] = '/';
            memcpy(out + n, c.p, c.n);
            n += c.n;
        }
    }
    if (n == 0)
        out[n++] = '/';
    out[n] = '\0';
    return out;
}

bool path_is_below(const char *path, const char *prefix)
{
    if (prefix[0] == '/' && prefix[1] == '\0')
        return path[0] == '/';
    for (; *prefix && *path == *prefix; path++)
        prefix++;
    return *prefix == '\0' && (*path == '\0' || *path == '/');
}

size_t path_depth(const char *path)
{
    size_t depth = 0;
    struct bytes c;
    for (const char *p = path; path_next(&p, &c);)
        depth++;
    return depth;
}

const char *path_base(const char *path)
{
    const char *s = strrchr(path, '/');
    return s ? s + 1 : path;
}

char *path_parent(struct arena *a, const char *path)
{
    const char *s = strrchr(path, '/');
    return !s || s == path ? arena_strdup(a, "/") : arena_strndup(a, path, (size_t)(s - path));
}

bool path_is_normal(const char *path)
{
    if (path[0] != '/')
        return false;
    if (path[1] == '\0')
        return true;
    for (const char *p = path; *p;) {
        p++;
        size_t n = strcspn(p, "/");
        if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
            return false;
        p += n;
    }
    return true;
}

/* Cuts the last component off; empty ones and "." are none. False: there is no more. */
static bool cut_last(struct bytes *left, struct bytes *ret)
{
    do {
        while (left->n > 0 && left->p[left->n - 1] == '/')
            left->n--;
        size_t from = left->n;
        while (from > 0 && left->p[from - 1] != '/')
            from--;
        *ret = (struct bytes){left->p + from, left->n - from};
        left->n = from;
    } while (bytes_is(*ret, "."));
    return ret->n > 0;
}

bool path_is_bound_name(struct bytes bound, const char *path)
{
    bound.n = bound.n ? strnlen(bound.p, bound.n) : 0;
    if (bound.n == 0)
        return false;
    const bool absolute = bound.p[0] == '/';
    struct bytes want = {path, strlen(path)}, a, b;
    size_t n = 0;
    for (;; n++) {
        const bool more = cut_last(&bound, &a);
        if (!more && !absolute)
            return n > 0;
        if (more != cut_last(&want, &b))
            return false;
        if (!more)
            return n > 0;
        if (!bytes_eq(a, b) || bytes_is(a, ".."))
            return false;
    }
}

int path_openat2(int dirfd, const char *path, int flags, unsigned mode, unsigned resolve)
{
    struct uapi_open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
        .mode = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? mode : 0,
        .resolve = resolve,
    };
    for (;;) {
        long fd = syscall(UAPI_SYS_openat2, dirfd, path, &how, sizeof(how));
        if (fd >= 0)
            return (int)fd;
        /* EAGAIN: a rename raced with a scoped look-up; the kernel asks for another try. */
        if (errno != EINTR && errno != EAGAIN)
            return -errno;
    }
}

int path_of_fd(struct arena *a, int fd, char **ret)
{
    char link[64], buf[MAX_PATH_BYTES];
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, buf, sizeof(buf));
    if (n < 0)
        return -errno;
    if ((size_t)n >= sizeof(buf))
        return -ENAMETOOLONG;
    static const char deleted[] = " (deleted)";
    const size_t dn = sizeof(deleted) - 1;
    if ((size_t)n > dn && memcmp(buf + n - dn, deleted, dn) == 0) {
        struct stat of_fd, of_name;
        /* A file may really be called so: then the name leads to it. A link count would not tell,
         * the file may have another name. */
        buf[n] = '\0';
        if (fstat(fd, &of_fd) < 0 || lstat(buf, &of_name) < 0 || of_fd.st_ino != of_name.st_ino ||
            of_fd.st_dev != of_name.st_dev)
            return -ENOENT;
    }
    char *p = arena_strndup(a, buf, (size_t)n);
    if (!p)
        return -ENOMEM;
    *ret = p;
    return 0;
}

static bool has_dotdot(const char *path)
{
    struct bytes c;
    while (path_next(&path, &c))
        if (bytes_is(c, ".."))
            return true;
    return false;
}

int path_canonical(struct arena *a, const char *path, char **ret, size_t *ret_missing)
{
    /* Not normalised first: ".." behind a symbolic link is its target's parent, not its own. */
    size_t n = strlen(path);
    char *p = arena_alloc(a, n + 2);
    if (!p)
        return -ENOMEM;
    memcpy(p, path, n + 1);
    if (p[0] != '/') {
        memmove(p + 1, p, n + 1);
        p[0] = '/';
        n++;
    }
    while (n > 0 && p[n - 1] == '/')
        p[--n] = '\0';
    const size_t all = n;
    for (unsigned lost = 0;;) {
        char saved = p[n];
        p[n] = '\0';
        _cleanup_fd_ int fd = path_openat2(AT_FDCWD, n ? p : "/", O_PATH, 0, 0);
        p[n] = saved;
        if (fd >= 0) {
            char *real, *whole;
            int r = path_of_fd(a, fd, &real);
            if (r == -ENOENT && lost++ < MAX_RACE_TRIES) {
                n = all; /* removed, or replaced by a rename, since it was opened: once more */
                continue;
            }
            if (r < 0)
                return r;
            const char *rest = p + n + strspn(p + n, "/");
            whole = *rest ? path_join(a, real, rest) : real;
            if (!whole)
                return -ENOMEM;
            /* ".." behind what does not exist leads back to where links may be. */
            if (has_dotdot(rest))
                return path_canonical(a, whole, ret, ret_missing);
            if (ret_missing)
                *ret_missing = path_depth(whole) - path_depth(real);
            *ret = whole;
            return 0;
        }
        if ((fd != -ENOENT && fd != -ENOTDIR) || n == 0)
            return fd;
        /* A dangling symlink is not "missing": its target is what would be made. Left as named. */
        while (n && p[--n] != '/')
            ;
        while (n && p[n - 1] == '/')
            n--;
    }
}

int path_mkdirs(const char *path, unsigned mode)
{
    char buf[MAX_PATH_BYTES];
    size_t n = strlen(path);
    if (n >= sizeof(buf))
        return -ENAMETOOLONG;
    memcpy(buf, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (buf[i] != '/' && buf[i] != '\0')
            continue;
        char saved = buf[i];
        buf[i] = '\0';
        if (mkdir(buf, mode) < 0) {
            /* Whatever the reason (EEXIST, EROFS, EACCES), a directory that is there will do. */
            int e = errno;
            struct stat st;
            if (stat(buf, &st) < 0)
                return -e;
            if (!S_ISDIR(st.st_mode))
                return -ENOTDIR;
        }
        buf[i] = saved;
    }
    return 0;
}

int path_read_file(int dirfd, const char *path, size_t max, struct strbuf *out, struct error *err)
{
    /* O_NONBLOCK: a FIFO must not make the start wait for a writer. */
    _cleanup_fd_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return error_errno(err, -errno, "cannot read %s", show(path));
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_errno(err, -errno, "cannot read %s", show(path));
    if (!S_ISREG(st.st_mode))
        return error_set(err, S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL,
                         "cannot read %s: it is %s, not a regular file", show(path),
                         S_ISDIR(st.st_mode)    ? "a directory"
                         : S_ISFIFO(st.st_mode) ? "a FIFO"
                                                : "a special file");
    int r = fd_read_all(fd, max, out);
    if (r == -EFBIG)
        return error_set(err, r, "cannot read %s: larger than %zu bytes", show(path), max);
    return r < 0 ? error_errno(err, r, "cannot read %s", show(path)) : 0;
}

int directory_each(int fd, bool (*see)(void *data, const char *name), void *data)
{
    char buf[4096] __attribute__((aligned(8)));
    long got;
    while ((got = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0) {
        for (long at = 0; at < got;) {
            const void *p = buf + at;
            const struct linux_dirent64 *e = p;
            at += e->d_reclen;
            if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, "..") && !see(data, e->d_name))
                return 0;
        }
    }
    return got < 0 ? -errno : 0;
}

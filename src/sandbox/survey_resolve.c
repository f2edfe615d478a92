/*
 * From a path to what stands there, resolved once.
 *
 * The usual case costs one system call: the parent directory is open already (32 are remembered,
 * since entries come in families: the protected names of one root) and contains no symlink, which
 * openat2() vouches for; the last component is looked at with fstatat().
 *
 * Everything else (symlinks, files in the way, directories that may not be searched) walks
 * component by component, as the kernel would, and notes each symlink it goes through. Nothing is
 * opened for reading; descriptors are O_PATH.
 */
#include "sandbox/survey_internal.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/sys.h"
#include "base/uapi.h"
#include "sandbox/journal.h"
#include "sandbox/placeholder.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum file_kind kind_of_mode(unsigned mode)
{
    if (S_ISREG(mode))
        return FILE_REGULAR;
    if (S_ISDIR(mode))
        return FILE_DIRECTORY;
    return S_ISLNK(mode) ? FILE_SYMLINK : FILE_OTHER;
}

int resolver_init(struct resolver *r, struct arena *a, const char *state_dir)
{
    *r = (struct resolver){.a = a, .state_dir = state_dir};
    r->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return r->root < 0 ? -errno : 0;
}

void resolver_forget(struct resolver *r)
{
    for (size_t i = 0; i < r->n_known; i++)
        fd_close(r->known[i].fd);
    r->n_known = r->oldest = 0;
}

void resolver_release(struct resolver *r)
{
    resolver_forget(r);
    fd_close(r->root);
    *r = (struct resolver){.root = -1};
}

/* Is it about the file, and not a fault of the machine or of ours? */
static bool is_answer(int error)
{
    return error != -ENOMEM && error != -EMFILE && error != -ENFILE && error != -EBADF;
}

/* ---- directories that are known ---- */

static struct known_dir *find_known(struct resolver *r, const char *key)
{
    for (size_t i = 0; i < r->n_known; i++)
        if (str_eq(r->known[i].key, key))
            return &r->known[i];
    return NULL;
}

static struct known_dir *remember(struct resolver *r, struct known_dir dir)
{
    if (r->n_known < KNOWN_DIRS) {
        r->known[r->n_known] = dir;
        return &r->known[r->n_known++];
    }
    struct known_dir *slot = &r->known[r->oldest];
    r->oldest = (r->oldest + 1) % KNOWN_DIRS;
    fd_close(slot->fd);
    *slot = dir;
    return slot;
}

/* The directory KEY, or the deepest one on the way to it. -ELOOP and its like: walk instead. */
static int look_dir(struct resolver *r, const char *key, struct known_dir **ret)
{
    struct known_dir *known = find_known(r, key);
    if (known) {
        *ret = known;
        return 0;
    }
    struct known_dir dir = {.key = arena_strdup(r->a, key)};
    if (!dir.key)
        return -ENOMEM;
    _cleanup_fd_ int fd = path_openat2(AT_FDCWD, key, O_PATH | O_DIRECTORY, 0,
                                       UAPI_RESOLVE_NO_SYMLINKS | UAPI_RESOLVE_NO_MAGICLINKS);
    if (fd == -ENOENT) {
        /* No symlink before the first missing component: that would have been ELOOP. */
        char *up = path_parent(r->a, key);
        struct known_dir *above = NULL;
        int e = up ? look_dir(r, up, &above) : -ENOMEM;
        if (e < 0)
            return e;
        assert(above);
        dir.path = above->path;
        dir.missing = above->missing + 1;
        fd = fcntl(above->fd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
            return -errno;
    } else if (fd < 0) {
        return fd;
    } else {
        dir.path = dir.key;
    }
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    dir.dev = st.st_dev;
    dir.ino = st.st_ino;
    dir.fd = steal_fd(&fd);
    *ret = remember(r, dir);
    return 0;
}

/* ---- placeholders ---- */

/* Of our own journal, or of another bawn with another state directory: it can go when that one
 * ends, so it is no directory to be bound. */
static bool is_placeholder(const struct resolver *r, int dirfd, const struct stat *up,
                           const char *name, const struct stat *st)
{
    return r->state_dir && S_ISDIR(st->st_mode) && st->st_nlink <= 2 &&
           (placeholder_is_marked(st) ||
            journal_is_placeholder(r->state_dir, up->st_dev, up->st_ino, name, st->st_dev,
                                   st->st_ino)) &&
           journal_dir_is_empty(dirfd, name);
}

/* Can nothing be made in the directory, by its mode or its mount, nor that mode be changed? The
 * command has no right that this process lacks. */
static bool is_closed(int dirfd)
{
    struct stat st;
    return syscall(UAPI_SYS_faccessat2, dirfd, "", W_OK, AT_EMPTY_PATH) < 0 &&
           fstat(dirfd, &st) == 0 && st.st_uid != geteuid();
}

/* Is the directory DIRFD (its path is PATH) itself a placeholder? */
static bool stands_in(const struct resolver *r, int dirfd, const char *path)
{
    struct stat st, up;
    if (!r->state_dir || path[1] == '\0' || fstat(dirfd, &st) < 0 || st.st_nlink > 2)
        return false;
    _cleanup_fd_ int above = openat(dirfd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return above >= 0 && fstat(above, &up) == 0 &&
           is_placeholder(r, above, &up, path_base(path), &st);
}

static void set_absent(struct resolved *ret, unsigned count, bool closed)
{
    ret->kind = FILE_MISSING;
    ret->missing = count;
    ret->dev = 0;
    ret->ino = 0;
    ret->nlink = 0;
    ret->closed = closed;
}

/* NAME in DIRFD (the directory PATH) is missing with COUNT components. When that directory is
 * itself a placeholder, it is as good as missing too. */
static void set_missing(const struct resolver *r, int dirfd, const char *path, unsigned count,
                        struct resolved *ret)
{
    set_absent(ret, count + stands_in(r, dirfd, path), is_closed(dirfd));
}

/* The same in a directory that is remembered: it is asked once. */
static void set_missing_in(const struct resolver *r, struct known_dir *dir, unsigned count,
                           struct resolved *ret)
{
    if (!dir->asked) {
        dir->closed = is_closed(dir->fd);
        dir->placeholder = stands_in(r, dir->fd, dir->path);
        dir->asked = true;
    }
    set_absent(ret, count + dir->placeholder, dir->closed);
}

static void set_found(struct resolved *ret, const struct stat *st)
{
    ret->kind = kind_of_mode(st->st_mode);
    ret->dev = st->st_dev;
    ret->ino = st->st_ino;
    ret->nlink = st->st_nlink;
}

/* ---- component by component ---- */

struct steps {
    struct resolver *r;
    int fd;                    /* O_PATH, where we are */
    char path[MAX_PATH_BYTES]; /* canonical; "" for the root */
    size_t n;
    char rest[2 * MAX_PATH_BYTES + 2]; /* still to go */
    const char *at;                    /* in `rest` */
    bool named;                        /* the link that the path itself names has been passed */
};

static bool at_end(const char *p)
{
    struct bytes c;
    return !path_next(&p, &c);
}

static int go_up(struct steps *s)
{
    while (s->n && s->path[--s->n] != '/')
        ;
    s->path[s->n] = '\0';
    int fd = openat(s->fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    fd_close(s->fd);
    s->fd = fd;
    return 0;
}

static int go_to_root(struct steps *s)
{
    int fd = fcntl(s->r->root, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return -errno;
    fd_close(s->fd);
    s->fd = fd;
    s->n = 0;
    s->path[0] = '\0';
    return 0;
}

static int add_name(struct steps *s, struct bytes name)
{
    if (s->n + 1 + name.n >= sizeof(s->path))
        return -ENAMETOOLONG;
    s->path[s->n++] = '/';
    memcpy(s->path + s->n, name.p, name.n);
    s->n += name.n;
    s->path[s->n] = '\0';
    return 0;
}

/* Where we are, with NAME: in the arena. */
static const char *place(const struct steps *s, struct bytes name)
{
    return arena_printf(s->r->a, "%s/%.*s", s->path, (int)name.n, name.p);
}

static int follow_link(struct steps *s, struct bytes name, const char *z, const struct stat *st,
                       struct resolved *ret)
{
    char target[MAX_PATH_BYTES], rest[sizeof(s->rest)];
    if (ret->n_links >= SURVEY_MAX_LINKS)
        return -ELOOP;
    struct resolved_link *link = &ret->links[ret->n_links];
    *link = (struct resolved_link){.path = place(s, name),
                                   .dev = st->st_dev,
                                   .ino = st->st_ino,
                                   .nlink = st->st_nlink,
                                   .named = !s->named && at_end(s->at)};
    if (!link->path)
        return -ENOMEM;
    s->named = s->named || link->named;
    ret->n_links++;
    ssize_t n = readlinkat(s->fd, z, target, sizeof(target) - 1);
    if (n < 0)
        return -errno;
    target[n] = '\0';
    int m = snprintf(rest, sizeof(rest), "%s/%s", target, s->at);
    if (m < 0 || (size_t)m >= sizeof(rest))
        return -ENAMETOOLONG;
    memcpy(s->rest, rest, (size_t)m + 1);
    s->at = s->rest;
    return target[0] == '/' ? go_to_root(s) : 0;
}

/* The rest of the way does not exist. */
static int end_missing(struct steps *s, struct bytes name, struct resolved *ret)
{
    const char *first = place(s, name);
    const char *path =
        first ? path_join(s->r->a, first, s->at[0] == '/' ? s->at + 1 : s->at) : NULL;
    if (!path)
        return -ENOMEM;
    size_t here = path_depth(s->path), there = path_depth(path);
    /* "missing/../x" behind a symlink: nothing can be made there before `missing` is. */
    if (there <= here) {
        path = first;
        there = here + 1;
    }
    if (strlen(path) >= MAX_PATH_BYTES)
        return -ENAMETOOLONG;
    ret->path = path;
    set_missing(s->r, s->fd, s->n ? s->path : "/", (unsigned)(there - here), ret);
    return 0;
}

/* Z is NAME, terminated. 1: at the end. */
static int step(struct steps *s, struct bytes name, const char *z, struct resolved *ret)
{
    struct stat st;
    if (fstatat(s->fd, z, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno != ENOENT)
            return -errno;
        int r = end_missing(s, name, ret);
        return r < 0 ? r : 1;
    }
    if (S_ISLNK(st.st_mode))
        return follow_link(s, name, z, &st, ret);
    if (!S_ISDIR(st.st_mode) && !at_end(s->at)) {
        int r = add_name(s, name);
        ret->path = ret->blocker = r < 0 ? NULL : arena_strdup(s->r->a, s->path);
        set_found(ret, &st);
        return r < 0 ? r : ret->path ? 1 : -ENOMEM;
    }
    if (at_end(s->at)) {
        struct stat up;
        int r = add_name(s, name);
        ret->path = r < 0 ? NULL : arena_strdup(s->r->a, s->path);
        if (!ret->path)
            return r < 0 ? r : -ENOMEM;
        set_found(ret, &st);
        if (s->r->state_dir && fstat(s->fd, &up) == 0 && is_placeholder(s->r, s->fd, &up, z, &st))
            set_missing(s->r, s->fd, "/", 1, ret);
        return 1;
    }
    int fd = openat(s->fd, z, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    fd_close(s->fd);
    s->fd = fd;
    return add_name(s, name);
}

static int walk_steps(struct steps *s, struct resolved *ret)
{
    struct bytes c;
    while (path_next(&s->at, &c)) {
        char z[MAX_NAME_BYTES + 1];
        int r;
        if (bytes_is(c, "."))
            continue;
        if (c.n > MAX_NAME_BYTES)
            return -ENAMETOOLONG;
        memcpy(z, c.p, c.n);
        z[c.n] = '\0';
        r = bytes_is(c, "..") ? go_up(s) : step(s, c, z, ret);
        if (r != 0)
            return r < 0 ? r : 0;
    }
    /* Ended on "..", "." or a link to "/": a directory we are in already. */
    struct stat st;
    if (fstat(s->fd, &st) < 0)
        return -errno;
    ret->path = arena_strdup(s->r->a, s->n ? s->path : "/");
    set_found(ret, &st);
    return ret->path ? 0 : -ENOMEM;
}

static int look_slowly(struct resolver *r, const char *path, struct resolved *ret)
{
    struct steps s; /* twelve KiB that are not worth clearing for each path */
    s.r = r;
    s.fd = -1;
    s.named = false;
    size_t n = strlen(path);
    if (n >= MAX_PATH_BYTES)
        return -ENAMETOOLONG;
    int e = go_to_root(&s);
    if (e < 0)
        return e;
    memcpy(s.rest, path, n + 1);
    s.at = s.rest;
    e = walk_steps(&s, ret);
    if (e < 0 && is_answer(e)) {
        ret->no_target = true;
        ret->error = e;
        ret->path = arena_strdup(r->a, s.n ? s.path : "/");
        struct stat st;
        if (!ret->path || fstat(s.fd, &st) < 0)
            e = -ENOMEM;
        else {
            set_found(ret, &st);
            e = 0;
        }
    }
    fd_close(s.fd);
    return e;
}

int resolver_walk(struct resolver *r, const char *path, struct resolved *ret)
{
    memset(ret, 0, sizeof(*ret));
    return look_slowly(r, path, ret);
}

int resolver_look(struct resolver *r, const char *path, struct resolved *ret)
{
    memset(ret, 0, sizeof(*ret));
    struct stat st;
    if (path[0] != '/')
        return -EINVAL;
    if (path[1] == '\0')
        return look_slowly(r, path, ret);
    char *up = path_parent(r->a, path);
    struct known_dir *dir = NULL;
    if (!up)
        return -ENOMEM;
    int e = look_dir(r, up, &dir);
    if (e < 0)
        return is_answer(e) ? look_slowly(r, path, ret) : e;
    assert(dir);
    const char *name = path_base(path);
    ret->path = path;
    if (dir->missing) {
        set_missing_in(r, dir, dir->missing + 1, ret);
        return 0;
    }
    if (fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        e = -errno;
        if (e == -ENOENT) {
            set_missing_in(r, dir, 1, ret);
            return 0;
        }
        return is_answer(e) ? look_slowly(r, path, ret) : e;
    }
    if (S_ISLNK(st.st_mode))
        return look_slowly(r, path, ret);
    set_found(ret, &st);
    struct stat above = {.st_dev = dir->dev, .st_ino = dir->ino};
    if (is_placeholder(r, dir->fd, &above, name, &st))
        set_missing_in(r, dir, 1, ret);
    return 0;
}

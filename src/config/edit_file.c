/*
 * A person's file changed, the file half. See edit.h; the text half is edit.c, or the caller's.
 *
 * What makes it safe is the order:
 *
 *   look     without a lock: does the edit work at all, and is there anything to do? A mistake and
 *            a value that is there already touch nothing, in a read-only home too
 *   lock     FILE.lock beside the file, flock: writers queue. Nobody removes it, so that all of
 *            them lock the same inode; the kernel lets go when its holder dies
 *   clean    the temporary file has one fixed name, FILE.tmp: what is there under the lock was left
 *            by a crash, and goes
 *   again    read, edit, check: another writer may have come first
 *   write    FILE.tmp, made anew, owner and mode of FILE, fsync
 *   commit   FILE is still what was read (an editor takes no lock)? rename, fsync of the directory
 *
 * A crash before the rename leaves FILE as it was, after it FILE is the new text, whole.
 *
 * Trust: nothing is made in a directory that is not the caller's own. With sudo and a person's HOME
 * it is not, and a symlink that waits there for root's write leads nowhere. No name in it is
 * followed once FILE's own symlinks were.
 */
#include "config/edit.h"

#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct target {
    struct arena arena;
    const struct edit_request *request;
    const char *dir, *name, *lock, *temporary; /* the file that FILE leads to, split */
    int dirfd;                                 /* -1: the directory is not there */
    bool there;                                /* the file is; then `st` says what was read */
    struct stat st;
    struct strbuf text, result;
    struct error *err;
};

static void target_release(struct target *t)
{
    strbuf_release(&t->text);
    strbuf_release(&t->result);
    fd_close(t->dirfd);
    arena_release(&t->arena);
}

/* "cannot write FILE: WHAT: No space left on device", one line whatever failed. */
static int cannot(const struct target *t, int code, const char *what)
{
    const char *file = show(t->request->file);
    return what ? error_errno(t->err, code, "cannot write %s: %s", file, what)
                : error_errno(t->err, code, "cannot write %s", file);
}

/* ---- where the file is ---- */

static int resolve(struct target *t)
{
    struct arena *a = &t->arena;
    struct stat st;
    char *real;
    int r = path_canonical(a, t->request->file, &real, NULL);
    if (r < 0)
        return cannot(t, r, NULL);
    if (lstat(real, &st) == 0 && S_ISLNK(st.st_mode)) {
        r = error_set(t->err, -ENOENT,
                      "cannot write %s: it is a symlink to a file that does not exist",
                      show(t->request->file));
        error_hint(t->err, "make the file it leads to, or remove the link");
        return r;
    }
    t->dir = path_parent(a, real);
    t->name = path_base(real);
    t->lock = arena_printf(a, "%s.lock", t->name);
    t->temporary = arena_printf(a, "%s.tmp", t->name);
    if (!t->dir || !t->lock || !t->temporary)
        return cannot(t, -ENOMEM, NULL);
    return 0;
}

static int open_dir(struct target *t)
{
    t->dirfd = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return t->dirfd < 0 && errno != ENOENT ? cannot(t, -errno, NULL) : 0;
}

static int check_ours(const struct target *t)
{
    struct stat st;
    if (fstat(t->dirfd, &st) < 0)
        return cannot(t, -errno, NULL);
    if (st.st_uid == geteuid())
        return 0;
    int r =
        error_set(t->err, -EPERM, "cannot write %s: its directory belongs to user %u, not to you",
                  show(t->request->file), (unsigned)st.st_uid);
    error_hint(t->err, "run this as that user");
    return r;
}

/* The directory's own entry survives a crash as well. */
static int make_dir(struct target *t)
{
    const char *above = path_parent(&t->arena, t->dir);
    int r = above ? path_mkdirs(t->dir, 0700) : -ENOMEM;
    if (r < 0)
        return cannot(t, r, "making its directory");
    _cleanup_fd_ int fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        (void)fsync(fd);
    r = open_dir(t);
    return r == 0 && t->dirfd < 0 ? cannot(t, -ENOENT, NULL) : r;
}

/* ---- read, edit, check ---- */

static int read_text(struct target *t)
{
    const char *file = t->request->file;
    t->there = false;
    strbuf_clear(&t->text);
    /* O_NONBLOCK: a FIFO must not make us wait for its writer. */
    const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    _cleanup_fd_ int fd = t->dirfd < 0 ? -1 : openat(t->dirfd, t->name, flags);
    if (t->dirfd < 0 || (fd < 0 && errno == ENOENT))
        return 0;
    if (fd < 0 || fstat(fd, &t->st) < 0)
        return error_errno(t->err, -errno, "cannot read %s", show(file));
    if (!S_ISREG(t->st.st_mode))
        return error_set(t->err, -EINVAL, "cannot change %s: it is not a regular file", show(file));
    int r = fd_read_all(fd, MAX_FILE_BYTES, &t->text);
    if (r < 0)
        return error_errno(t->err, r, "cannot read %s", show(file));
    t->there = true;
    return 0;
}

static int compose(struct target *t, bool *ret_changed)
{
    const struct edit_request *q = t->request;
    int r = read_text(t);
    if (r < 0)
        return r;
    struct bytes text = {strbuf_text(&t->text), t->text.n};
    strbuf_clear(&t->result);
    r = q->edit ? q->edit(q->data, text, &t->result, t->err)
                : edit_set(text, q->file, q->parts, q->n_parts, q->value, &t->result, t->err);
    if (r < 0)
        return r;
    struct bytes result = {strbuf_text(&t->result), t->result.n};
    *ret_changed = !bytes_eq(text, result);
    return q->check ? q->check(q->data, result, t->err) : 0;
}

/* ---- lock ---- */

static int take_lock(struct target *t)
{
    const int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    struct stat st;
    _cleanup_fd_ int fd = openat(t->dirfd, t->lock, flags, 0600);
    if (fd < 0 && errno == ELOOP)
        return error_set(t->err, -ELOOP, "cannot lock %s: %s/%s is a symlink",
                         show(t->request->file), show(t->dir), show(t->lock));
    if (fd < 0 || fstat(fd, &st) < 0)
        return cannot(t, -errno, NULL);
    if (!S_ISREG(st.st_mode))
        return error_set(t->err, -EINVAL, "cannot lock %s: %s/%s is not a regular file",
                         show(t->request->file), show(t->dir), show(t->lock));
    while (flock(fd, LOCK_EX) < 0)
        if (errno != EINTR)
            return cannot(t, -errno, "locking");
    return steal_fd(&fd);
}

/* Only under the lock. */
static int remove_leftover(struct target *t)
{
    if (unlinkat(t->dirfd, t->temporary, 0) == 0 || errno == ENOENT)
        return 0;
    return error_errno(t->err, -errno, "cannot write %s: %s/%s is in the way",
                       show(t->request->file), show(t->dir), show(t->temporary));
}

static bool has_leftover(const struct target *t)
{
    struct stat st;
    return t->dirfd >= 0 && fstatat(t->dirfd, t->temporary, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* ---- write, commit ---- */

/* The owner first: a change of owner takes bits off the mode. */
static int copy_owner(const struct target *t, int fd)
{
    struct stat now;
    if (fstat(fd, &now) < 0)
        return -errno;
    uid_t uid = now.st_uid == t->st.st_uid ? (uid_t)-1 : t->st.st_uid;
    gid_t gid = now.st_gid == t->st.st_gid ? (gid_t)-1 : t->st.st_gid;
    if ((uid != (uid_t)-1 || gid != (gid_t)-1) && fchown(fd, uid, gid) < 0)
        return -errno;
    return 0;
}

static int fill(const struct target *t, int fd)
{
    int r = t->there ? copy_owner(t, fd) : 0;
    if (r < 0)
        return cannot(t, r, "keeping its owner");
    r = fd_write_all(fd, strbuf_text(&t->result), t->result.n);
    if (r < 0)
        return cannot(t, r, NULL);
    if (fchmod(fd, t->there ? t->st.st_mode & 07777 : t->request->mode) < 0)
        return cannot(t, -errno, "keeping its mode");
    return fsync(fd) < 0 ? cannot(t, -errno, NULL) : 0;
}

/* Is FILE what was read? */
static bool is_still(const struct target *t)
{
    struct stat st;
    if (fstatat(t->dirfd, t->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT && !t->there;
    const struct stat *was = &t->st;
    return t->there && st.st_dev == was->st_dev && st.st_ino == was->st_ino &&
           st.st_size == was->st_size && st.st_mtim.tv_sec == was->st_mtim.tv_sec &&
           st.st_mtim.tv_nsec == was->st_mtim.tv_nsec && st.st_mode == was->st_mode;
}

/* -EAGAIN: somebody changed FILE meanwhile. */
static int write_and_rename(const struct target *t)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    _cleanup_fd_ int fd = openat(t->dirfd, t->temporary, flags, 0600);
    if (fd < 0)
        return cannot(t, -errno, NULL);
    int r = fill(t, fd);
    if (r == 0 && !is_still(t))
        r = -EAGAIN;
    if (r == 0 && renameat(t->dirfd, t->temporary, t->dirfd, t->name) < 0)
        r = cannot(t, -errno, NULL);
    if (r < 0) {
        (void)unlinkat(t->dirfd, t->temporary, 0);
        return r;
    }
    /* Some file systems cannot and say EINVAL: then there is nothing more to be had. */
    if (fsync(t->dirfd) < 0 && errno != EINVAL)
        return error_errno(t->err, -errno,
                           "%s is changed, but may be the old one again after a crash",
                           show(t->request->file));
    return 0;
}

static int change_locked(struct target *t, bool *ret_changed)
{
    for (unsigned i = 0; i < MAX_RACE_TRIES; i++) {
        int r = compose(t, ret_changed);
        if (r == 0 && *ret_changed)
            r = write_and_rename(t);
        if (r != -EAGAIN)
            return r;
    }
    return error_set(t->err, -EBUSY, "cannot write %s: another program keeps changing it",
                     show(t->request->file));
}

static int change(struct target *t, bool *ret_changed)
{
    int r = open_dir(t);
    if (r == 0)
        r = compose(t, ret_changed);
    if (r < 0 || (!*ret_changed && !has_leftover(t)))
        return r;
    if (t->dirfd < 0 && (r = make_dir(t)) < 0)
        return r;
    if ((r = check_ours(t)) < 0)
        return r;
    _cleanup_fd_ int lock = take_lock(t);
    if (lock < 0)
        return lock;
    r = remove_leftover(t);
    return r < 0 ? r : change_locked(t, ret_changed);
}

int edit_file(const struct edit_request *request, bool *ret_changed, struct error *err)
{
    struct target t = {.request = request, .dirfd = -1, .err = err};
    bool changed = false;
    int r = resolve(&t);
    if (r == 0)
        r = change(&t, &changed);
    if (r == 0 && ret_changed)
        *ret_changed = changed;
    target_release(&t);
    return r;
}

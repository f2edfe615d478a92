/*
 * Calls with paths: what --log-denials writes down, what deny globs refuse to files that appeared
 * after the start, and the renames that would take a protected path's parent away.
 *
 * For the log alone the call continues: the mounts refuse, the log only says why, so nothing is
 * lost when the command changes its mind in between. What is decided here (late files, guarded
 * parents) is not left to the command's memory: an open is made by the supervisor on the file it
 * has judged and handed over as a descriptor; a rename is made by init, with the sandbox's rights,
 * on the parents that were judged.
 */
#include "sandbox/watch.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/sys.h"
#include "permissions/permissions.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

/* ---- the calls ---- */

enum effect {
    EFFECT_OPEN,   /* by its flags */
    EFFECT_CHANGE, /* of what is there: mode, owner, times, content, attributes */
    EFFECT_MAKE,   /* a new name */
    EFFECT_REMOVE, /* a name goes */
    EFFECT_RENAME,
    EFFECT_LINK,
};

struct path_call {
    int nr;
    enum effect effect;
    signed char dirfd, path;   /* argument numbers; dirfd -1: the working directory */
    signed char dirfd2, path2; /* of a second path; path2 -1: none */
    signed char flags;         /* argument with open's flags or AT_* flags, -1: none */
    bool nofollow;             /* the last component's link is not followed */
    int make;                  /* of EFFECT_MAKE: the WORK_* that does it */
};

static const struct path_call calls[] = {
#ifdef SYS_open
    {SYS_open, EFFECT_OPEN, -1, 0, -1, -1, 1, false},
    {SYS_creat, EFFECT_OPEN, -1, 0, -1, -1, -1, false},
    {SYS_mkdir, EFFECT_MAKE, -1, 0, -1, -1, -1, true, WORK_MKDIR},
    {SYS_mknod, EFFECT_MAKE, -1, 0, -1, -1, -1, true, WORK_MKNOD},
    {SYS_rmdir, EFFECT_REMOVE, -1, 0, -1, -1, -1, true},
    {SYS_unlink, EFFECT_REMOVE, -1, 0, -1, -1, -1, true},
    {SYS_rename, EFFECT_RENAME, -1, 0, -1, 1, -1, true},
    {SYS_link, EFFECT_LINK, -1, 0, -1, 1, -1, true},
    {SYS_symlink, EFFECT_MAKE, -1, 1, -1, -1, -1, true, WORK_SYMLINK},
    {SYS_chmod, EFFECT_CHANGE, -1, 0, -1, -1, -1, false},
    {SYS_chown, EFFECT_CHANGE, -1, 0, -1, -1, -1, false},
    {SYS_lchown, EFFECT_CHANGE, -1, 0, -1, -1, -1, true},
    {SYS_utime, EFFECT_CHANGE, -1, 0, -1, -1, -1, false},
    {SYS_utimes, EFFECT_CHANGE, -1, 0, -1, -1, -1, false},
    {SYS_futimesat, EFFECT_CHANGE, 0, 1, -1, -1, -1, false},
#endif
    {SYS_openat, EFFECT_OPEN, 0, 1, -1, -1, 2, false},
    {UAPI_SYS_openat2, EFFECT_OPEN, 0, 1, -1, -1, -1, false},
    {SYS_mkdirat, EFFECT_MAKE, 0, 1, -1, -1, -1, true, WORK_MKDIR},
    {SYS_mknodat, EFFECT_MAKE, 0, 1, -1, -1, -1, true, WORK_MKNOD},
    {SYS_unlinkat, EFFECT_REMOVE, 0, 1, -1, -1, -1, true},
#ifdef SYS_renameat
    {SYS_renameat, EFFECT_RENAME, 0, 1, 2, 3, -1, true},
#endif
    {SYS_renameat2, EFFECT_RENAME, 0, 1, 2, 3, 4, true},
    {SYS_linkat, EFFECT_LINK, 0, 1, 2, 3, 4, true},
    {SYS_symlinkat, EFFECT_MAKE, 1, 2, -1, -1, -1, true, WORK_SYMLINK},
    {SYS_fchmodat, EFFECT_CHANGE, 0, 1, -1, -1, -1, false},
    {UAPI_SYS_fchmodat2, EFFECT_CHANGE, 0, 1, -1, -1, -1, false},
    {UAPI_SYS_setxattrat, EFFECT_CHANGE, 0, 1, -1, -1, -1, false},
    {UAPI_SYS_removexattrat, EFFECT_CHANGE, 0, 1, -1, -1, -1, false},
    {UAPI_SYS_file_setattr, EFFECT_CHANGE, 0, 1, -1, -1, -1, false},
    {SYS_fchownat, EFFECT_CHANGE, 0, 1, -1, -1, -1, false},
    {SYS_utimensat, EFFECT_CHANGE, 0, 1, -1, -1, -1, false},
    {SYS_truncate, EFFECT_CHANGE, -1, 0, -1, -1, -1, false},
    {SYS_setxattr, EFFECT_CHANGE, -1, 0, -1, -1, -1, false},
    {SYS_lsetxattr, EFFECT_CHANGE, -1, 0, -1, -1, -1, true},
    {SYS_removexattr, EFFECT_CHANGE, -1, 0, -1, -1, -1, false},
    {SYS_lremovexattr, EFFECT_CHANGE, -1, 0, -1, -1, -1, true},
};

static const struct path_call *find_call(int nr)
{
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        if (calls[i].nr == nr)
            return &calls[i];
    return NULL;
}

/* What an open asks for. openat2's `struct open_how` is in memory; creat's flags are given. */
struct open_request {
    uint64_t flags, mode, resolve;
    bool in_memory;
};

static int open_request(const struct path_call *c, const struct target *t, struct open_request *ret)
{
    const __u64 *args = t->req->data.args;
    *ret = (struct open_request){0};
    if (c->nr == UAPI_SYS_openat2) {
        if (args[3] < sizeof(struct uapi_open_how))
            return -EINVAL;
        struct uapi_open_how how;
        int r = target_read(t, args[2], &how, sizeof(how));
        if (r < 0)
            return r;
        *ret = (struct open_request){
            .flags = how.flags, .mode = how.mode, .resolve = how.resolve, .in_memory = true};
        return 0;
    }
    if (c->flags < 0) { /* creat */
        ret->flags = O_CREAT | O_WRONLY | O_TRUNC;
        ret->mode = args[1];
        return 0;
    }
    ret->flags = (uint32_t)args[(int)c->flags];
    ret->mode = args[c->flags + 1];
    return 0;
}

static enum access wanted_by_open(uint64_t flags)
{
    return (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC) ? ACCESS_WRITE
                                                                          : ACCESS_READ;
}

/* ---- judging ---- */

/* What the sandbox itself put there is nobody's to refuse: its /proc, /dev and private /tmp. */
static bool is_own(const struct plan *plan, const char *path)
{
    bool own = false;
    for (size_t i = 0; i < plan->n_mounts; i++) {
        const struct plan_mount *m = &plan->mounts[i];
        if (!path_is_below(path, m->path))
            continue;
        own = m->op == MOUNT_PROC || m->op == MOUNT_DEV || m->op == MOUNT_TMPFS ||
              m->op == MOUNT_DEVICE || m->op == MOUNT_SOCKET || m->op == MOUNT_SELF ||
              m->op == MOUNT_TEXT;
    }
    return own;
}

static bool exists(const struct resolved *r)
{
    return r->fd >= 0;
}

/* A protected name that does not exist; what the command sees there is the sandbox's. */
static bool is_held_missing(const struct plan *plan, const char *path)
{
    for (size_t i = 0; i < plan->n_mounts; i++)
        if (plan->mounts[i].op == MOUNT_MISSING && str_eq(plan->mounts[i].path, path))
            return true;
    return false;
}

/* A mask that a user named stands over PATH. */
static bool is_masked(const struct watch *w, const char *path)
{
    struct permission p = permissions_check(w->l->plan->profile, path);
    return p.access == ACCESS_NONE && p.why == WHY_MASKED;
}

/* Below a masked directory nothing is there to be looked up, and it is the mask that refuses. */
static bool is_below_mask(const struct watch *w, const struct resolved *where)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(where->path, '/');
    if (!slash || slash == where->path)
        return false;
    (void)snprintf(dir, sizeof(dir), "%.*s", (int)(slash - where->path), where->path);
    return is_masked(w, dir);
}

/* The directory's own word: may what is asked for happen at PATH? Logs when not. */
static void judge(struct watch *w, struct target *t, const struct resolved *where,
                  enum access wanted)
{
    if (!w->denials || where->path[0] == '\0' || is_own(w->l->plan, where->path) ||
        (where->code < 0 && where->parent < 0 && !is_below_mask(w, where)))
        return;
    if (permissions_check(w->l->plan->profile, where->path).access >= wanted)
        return;
    char exe[PATH_MAX];
    target_exe(t, exe, sizeof(exe));
    denials_file(w->denials, where->path, wanted, t->tid, exe);
}

/* A read of what the sandbox does not show: a refusal only where the host has something there. */
static void judge_absent(struct watch *w, struct target *t, const struct resolved *where)
{
    struct stat st;
    if (w->denials && where->path[0] && lstat(where->path, &st) == 0)
        judge(w, t, where, ACCESS_READ);
}

/* A name that must not come to be, or something below one. */
static bool is_kept_absent(const struct plan *plan, const char *path)
{
    for (size_t i = 0; i < plan->n_absent; i++)
        if (path_is_below(path, plan->absent[i]))
            return true;
    return false;
}

/* ---- opens while deny globs watch for late files ---- */

static int read_umask(const struct target *t)
{
    char path[64], buf[1024];
    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)t->tid);
    _cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
    if (n <= 0)
        return 022;
    buf[n] = '\0';
    const char *p = strstr(buf, "\nUmask:");
    return p ? (int)strtol(p + 7, NULL, 8) : 022;
}

/* The process's own terminal: /dev/tty opened by the supervisor would be the supervisor's. */
static int open_terminal_of(const struct target *t, int root, uint64_t flags)
{
    char path[64], buf[1024];
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)t->tid);
    _cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
    if (n <= 0)
        return -ENXIO;
    buf[n] = '\0';
    const char *p = strrchr(buf, ')');
    int tty = 0;
    if (!p || sscanf(p + 1, " %*c %*d %*d %*d %d", &tty) != 1 || tty == 0)
        return -ENXIO;
    unsigned number = ((unsigned)tty & 0xff) | (((unsigned)tty >> 12) & 0xfff00);
    (void)snprintf(path, sizeof(path), "dev/pts/%u", number);
    return path_openat2(root, path, (int)(flags & (O_ACCMODE | O_NONBLOCK)) | O_NOCTTY, 0,
                        UAPI_RESOLVE_IN_ROOT);
}

/* What in /proc the target may open by itself: its own, the global files, and of others what the
 * kernel shows as theirs (a process that is not dumpable belongs to root there). */
static bool proc_is_open_to(struct target *t, int root, const char *path)
{
    /* These show the namespaces and keys of whoever opens them: that would be the supervisor. */
    if (path_is_below(path, "/proc/sysvipc") || str_eq(path, "/proc/keys") ||
        str_eq(path, "/proc/key-users"))
        return false;
    if (!str_starts(path, "/proc/") || path[6] < '0' || path[6] > '9')
        return true;
    long pid = strtol(path + 6, NULL, 10);
    if (pid == 1)
        return false;
    if (pid == target_inner_pid(t))
        return true;
    char dir[64];
    struct stat st;
    (void)snprintf(dir, sizeof(dir), "proc/%ld/fd", pid);
    return fstatat(root, dir, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_uid == geteuid();
}

static void open_existing(struct watch *w, struct target *t, const struct resolved *where,
                          const struct open_request *req, struct answer *ret)
{
    struct stat st;
    uint64_t flags = req->flags;
    *ret = (struct answer){.kind = ANSWER_ERROR, .error = -EACCES};
    if (fstat(where->fd, &st) < 0) {
        ret->error = -errno;
        return;
    }
    if (flags & O_CREAT && flags & O_EXCL) {
        ret->error = -EEXIST;
        return;
    }
    if (S_ISLNK(st.st_mode)) { /* only with O_NOFOLLOW */
        ret->error = -ELOOP;
        return;
    }
    if (S_ISDIR(st.st_mode) && (flags & O_CREAT)) {
        ret->error = -EISDIR;
        return;
    }
    if (!target_alive(t)) {
        ret->kind = ANSWER_SENT;
        return;
    }
    _cleanup_fd_ int root = target_root(t);
    if (root < 0 || (path_is_below(where->path, "/proc") && !proc_is_open_to(t, root, where->path)))
        return;
    if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 0)) {
        watch_open_for(w, t, where->fd, flags, ret);
        return;
    }
    _cleanup_fd_ int fd = open_terminal_of(t, root, flags);
    if (fd < 0)
        ret->error = fd;
    else
        watch_hand_over(w, t, fd, flags, ret);
}

/* A name in /proc of one of the caller's own descriptors (/dev/stdin, <(…)): the file behind it is
 * judged by its path, also after that was removed; a pipe has none. */
static void open_descriptor(struct watch *w, struct target *t, int number,
                            const struct open_request *req, struct answer *ret)
{
    static const char deleted[] = " (deleted)";
    char link[64], path[PATH_MAX];
    struct stat st;
    int copy = target_getfd(t, number);
    if (copy >= 0 && fstat(copy, &st) == 0 && S_ISSOCK(st.st_mode)) {
        *ret = (struct answer){.kind = ANSWER_ERROR, .error = -ENXIO}; /* as the kernel says */
        closer_close(&w->closer, copy);
        return;
    }
    _cleanup_fd_ int fd = copy;
    *ret = (struct answer){.kind = ANSWER_ERROR, .error = fd == -EBADF ? -ENOENT : fd};
    if (fd < 0)
        return;
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    ret->error = n < 0 ? -errno : -EACCES;
    if (n < 0)
        return;
    path[n] = '\0';
    if (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode))
        return; /* the other names of a directory do as well */
    if (path[0] == '/') {
        const size_t dn = sizeof(deleted) - 1;
        bool masked = is_masked(w, path);
        if ((size_t)n > dn && str_eq(path + n - dn, deleted)) {
            path[(size_t)n - dn] = '\0';
            masked = masked || is_masked(w, path);
        }
        if (masked || path_is_below(path, "/proc"))
            return;
    }
    if (req->flags & O_CREAT && req->flags & O_EXCL) {
        ret->error = -EEXIST;
        return;
    }
    if (!target_alive(t)) {
        ret->kind = ANSWER_SENT;
        return;
    }
    watch_open_for(w, t, fd, req->flags, ret);
}

static void open_new(struct watch *w, struct target *t, const struct resolved *where,
                     const struct open_request *req, struct answer *ret)
{
    const char *name = path_base(where->path);
    mode_t mask = (mode_t)read_umask(t);
    /* The directory is held: from here on it does not matter whose number this is. */
    if (!target_alive(t)) {
        ret->kind = ANSWER_SENT;
        return;
    }
    mode_t old = umask(mask);
    _cleanup_fd_ int fd =
        path_openat2(where->parent, name, (int)req->flags | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK,
                     (unsigned)req->mode & 07777, UAPI_RESOLVE_BENEATH);
    umask(old);
    *ret = (struct answer){.kind = ANSWER_ERROR, .error = fd};
    if (fd < 0)
        return;
    if (!(req->flags & O_NONBLOCK))
        (void)fd_set_nonblock(fd, false);
    watch_hand_over(w, t, fd, req->flags, ret);
}

/* The path as it was written, with "." and ".." taken out of the text. A name that is masked stays
 * so when somebody outside has put a link in its place meanwhile. */
static bool names_masked(const struct watch *w, const struct target *t, int dirfd, const char *path)
{
    char abs[PATH_MAX], flat[PATH_MAX];
    size_t n = 0;
    struct bytes c;
    if (target_absolute(t, dirfd, path, abs) < 0)
        return false;
    for (const char *p = abs; path_next(&p, &c);) {
        if (bytes_is(c, "."))
            continue;
        if (bytes_is(c, "..")) {
            while (n && flat[--n] != '/')
                ;
            continue;
        }
        flat[n++] = '/';
        memcpy(flat + n, c.p, c.n);
        n += c.n;
    }
    flat[n] = '\0';
    return n && is_masked(w, flat);
}

static void watched_open(struct watch *w, struct target *t, int dirfd, const char *path,
                         const struct open_request *req, struct answer *ret)
{
    struct resolved where;
    bool follow = !(req->flags & O_NOFOLLOW) && !((req->flags & O_CREAT) && (req->flags & O_EXCL));
    *ret = (struct answer){.kind = ANSWER_ERROR, .error = -EACCES};
    if (path[0] == '\0') {
        ret->error = -ENOENT;
        return;
    }
    /* openat2's flags lie in memory: by the time the kernel reads them again they may be others. */
    if (req->in_memory && (req->flags & O_PATH || (req->flags & O_TMPFILE) == O_TMPFILE)) {
        ret->error = -ENOSYS;
        return;
    }
    if (req->flags & O_PATH) { /* gives no access by itself */
        ret->kind = ANSWER_CONTINUE;
        return;
    }
    target_resolve(t, dirfd, path, follow, &where);
    int number;
    char abs[PATH_MAX];
    if (where.code == -EXDEV && follow && !req->resolve &&
        target_absolute(t, dirfd, path, abs) == 0 && target_own_descriptor(t, abs, &number)) {
        open_descriptor(w, t, number, req, ret);
    } else if (exists(&where) && where.code < 0) {
        /* No path, so no judgement: deeper than a path can be long. */
        ret->error = where.code;
    } else if (where.path[0] && (is_masked(w, where.path) || names_masked(w, t, dirfd, path) ||
                                 (wanted_by_open(req->flags) == ACCESS_WRITE &&
                                  is_kept_absent(w->l->plan, where.path)))) {
        judge(w, t, &where, wanted_by_open(req->flags));
    } else if (req->resolve) {
        /* Scoped look-ups are few; what they ask for cannot be repeated on a descriptor. Refused
         * with the answer that makes callers fall back to openat. */
        ret->error = -ENOSYS;
    } else if (exists(&where)) {
        if (wanted_by_open(req->flags) == ACCESS_WRITE)
            judge(w, t, &where, ACCESS_WRITE);
        if ((req->flags & O_TMPFILE) == O_TMPFILE)
            ret->kind = ANSWER_CONTINUE; /* a new file without a name: nothing that is there */
        else
            open_existing(w, t, &where, req, ret);
    } else if (where.code == -ENOENT && where.parent >= 0 && (req->flags & O_CREAT)) {
        judge(w, t, &where, ACCESS_WRITE);
        open_new(w, t, &where, req, ret);
    } else {
        judge_absent(w, t, &where);
        ret->error = where.code < 0 ? where.code : -ENOENT;
    }
    resolved_release(&where);
}

/* ---- renames and links ---- */

static bool is_guarded(const struct plan *plan, const char *path)
{
    for (size_t i = 0; i < plan->n_guarded; i++)
        if (str_eq(plan->guarded[i], path))
            return true;
    return false;
}

/* Below a rename's source or target there may be masked files that came late. */
static bool touches_mask(const struct watch *w, const struct resolved *where)
{
    return where->path[0] && is_masked(w, where->path);
}

/* May GLOB match below REL, a path below the glob's directory? Wildcards are taken to match. And
 * does a match stay one wherever in that directory it is moved? */
static bool may_match_below(const char *glob, const char *rel)
{
    struct bytes g, c;
    while (path_next(&rel, &c)) {
        if (!path_next(&glob, &g))
            return false;
        if (bytes_is(g, "**"))
            return true;
        char part[256];
        if (g.n >= sizeof(part))
            return true;
        memcpy(part, g.p, g.n);
        part[g.n] = '\0';
        if (!glob_has_wildcard(part) && (g.n != c.n || memcmp(g.p, c.p, c.n) != 0))
            return false;
    }
    return true;
}

static bool holds_anywhere(const struct perm_entry *e)
{
    return str_starts(e->glob, "**/") && !strchr(e->glob + 3, '/') && e->max_depth == 0;
}

/* Could moving the directory FROM to TO take files out of a glob's reach? */
static bool may_leave_glob(const struct profile *p, const char *from, const char *to)
{
    for (size_t i = 0; i < p->n_entries; i++) {
        const struct perm_entry *e = &p->entries[i];
        if (!e->glob || e->access != ACCESS_NONE)
            continue;
        if (path_is_below(e->path, from))
            return true;
        if (path_is_below(from, e->path) && may_match_below(e->glob, from + strlen(e->path)) &&
            !(holds_anywhere(e) && path_is_below(to, e->path)))
            return true;
    }
    return false;
}

#define WALK_MAX             50000
#define UAPI_RENAME_EXCHANGE (1u << 1) /* linux/fs.h does not go together with every stdio.h */

/* Is there below DIR (the paths it has now and will have are FROM and TO, built on in place) a name
 * that is masked here and would not be there? What cannot be looked into counts as one. Only this
 * process renames for the command, so nothing moves about meanwhile. */
static int loses_mask(const struct profile *p, int dir, char from[PATH_MAX], char to[PATH_MAX],
                      size_t *left)
{
    size_t nf = strlen(from), nt = strlen(to);
    DIR *d = fdopendir(dir);
    if (!d) {
        fd_close(dir);
        return -ENOMEM;
    }
    int r = 0;
    const struct dirent *e;
    while (r == 0 && (errno = 0, e = readdir(d))) {
        size_t n = strlen(e->d_name) + 1;
        if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
            continue;
        if ((*left)-- == 0 || nf + 1 + n > PATH_MAX || nt + 1 + n > PATH_MAX) {
            *left = 0;
            r = -EXDEV; /* too much to look at: whoever can copies instead, file by file */
            break;
        }
        from[nf] = to[nt] = '/';
        memcpy(from + nf + 1, e->d_name, n);
        memcpy(to + nt + 1, e->d_name, n);
        struct permission was = permissions_check(p, from);
        if (was.access == ACCESS_NONE && was.why == WHY_MASKED) {
            r = permissions_check(p, to).access == ACCESS_NONE ? 0 : -EACCES;
        } else if (e->d_type == DT_DIR || e->d_type == DT_UNKNOWN) {
            int sub = path_openat2(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0,
                                   UAPI_RESOLVE_BENEATH);
            if (sub >= 0)
                r = loses_mask(p, sub, from, to, left);
            else if (sub != -ENOTDIR && sub != -ELOOP)
                r = -EACCES;
        }
        from[nf] = to[nt] = '\0';
    }
    (void)closedir(d);
    return r;
}

/* A glob's match keeps its mask when a directory above it is renamed, but not when the glob names
 * that directory: then the new name would show the file, now or to the next start. */
static int check_move(const struct watch *w, int parent, const char *name, const char *from,
                      const char *to)
{
    const struct profile *p = w->l->plan->profile;
    struct stat st;
    if (!may_leave_glob(p, from, to) || fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        !S_ISDIR(st.st_mode))
        return 0;
    int dir =
        path_openat2(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, UAPI_RESOLVE_BENEATH);
    if (dir < 0)
        return -EACCES;
    char a[PATH_MAX], b[PATH_MAX];
    size_t left = WALK_MAX;
    (void)snprintf(a, sizeof(a), "%s", from);
    (void)snprintf(b, sizeof(b), "%s", to);
    return loses_mask(p, dir, a, b, &left);
}

static int work(struct launch *l, const struct work *what, const int fds[2])
{
    struct work_reply reply;
    int r = fd_send(l->work[0], what, sizeof(*what), fds, 2);
    if (r < 0)
        return r;
    ssize_t n = fd_recv(l->work[0], &reply, sizeof(reply), NULL, 0, NULL, NULL);
    return n == sizeof(reply) ? reply.code : -EIO;
}

/* Opens the directory PATH's last name lies in. */
static int open_parent(struct target *t, int dirfd, const char *path, char name[256])
{
    char abs[PATH_MAX];
    int r = target_absolute(t, dirfd, path, abs);
    if (r < 0)
        return r;
    size_t n = strlen(abs);
    while (n > 1 && abs[n - 1] == '/')
        abs[--n] = '\0';
    char *slash = strrchr(abs, '/');
    if (!slash || strlen(slash + 1) > 255 || str_eq(slash + 1, "..") || str_eq(slash + 1, ".") ||
        slash[1] == '\0')
        return -EBUSY;
    (void)snprintf(name, 256, "%s", slash + 1);
    slash[slash == abs] = '\0';
    _cleanup_fd_ int root = target_root(t);
    if (root < 0)
        return root;
    return path_openat2(root, abs, O_PATH | O_DIRECTORY, 0, UAPI_RESOLVE_IN_ROOT);
}

/* The canonical path of NAME in the directory DIR. */
static int name_path(int dir, const char *name, char out[PATH_MAX])
{
    char link[64];
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", dir);
    ssize_t n = readlink(link, out, PATH_MAX - 1);
    if (n < 0)
        return -errno;
    if ((size_t)n + strlen(name) + 2 > PATH_MAX)
        return -ENAMETOOLONG;
    if (n == 1)
        n = 0;
    out[n] = '/';
    memcpy(out + n + 1, name, strlen(name) + 1);
    return 0;
}

static void watched_rename(struct watch *w, struct target *t, const struct path_call *c,
                           char paths[2][PATH_MAX], int dirfd, int dirfd2, unsigned flags,
                           struct answer *ret)
{
    struct work what = {.kind = c->effect == EFFECT_LINK ? WORK_LINK : WORK_RENAME, .flags = flags};
    char full[2][PATH_MAX];
    *ret = (struct answer){.kind = ANSWER_ERROR, .error = -EACCES};
    _cleanup_fd_ int from = open_parent(t, dirfd, paths[0], what.name[0]);
    _cleanup_fd_ int to = open_parent(t, dirfd2, paths[1], what.name[1]);
    int r = from < 0 ? from : to < 0 ? to : name_path(from, what.name[0], full[0]);
    if (r == 0)
        r = name_path(to, what.name[1], full[1]);
    if (r < 0) {
        ret->error = r;
        return;
    }
    for (int i = 0; i < 2; i++) {
        struct resolved where = {.fd = -1, .parent = -1};
        (void)snprintf(where.path, sizeof(where.path), "%s", full[i]);
        if (is_guarded(w->l->plan, full[i])) {
            ret->error = -EBUSY;
            if (w->denials) {
                char exe[PATH_MAX];
                target_exe(t, exe, sizeof(exe));
                denials_syscall(w->denials, "rename of a directory above a protected path", full[i],
                                "", t->tid, exe);
            }
            return;
        }
        if (touches_mask(w, &where) || is_kept_absent(w->l->plan, full[i])) {
            judge(w, t, &where, ACCESS_WRITE);
            return;
        }
    }
    if (what.kind == WORK_RENAME && w->l->plan->filter & FILTER_WATCH_OPEN) {
        r = check_move(w, from, what.name[0], full[0], full[1]);
        if (r == 0 && flags & UAPI_RENAME_EXCHANGE)
            r = check_move(w, to, what.name[1], full[1], full[0]);
        ret->error = r;
        if (r < 0)
            return;
    }
    if (!target_alive(t)) {
        ret->kind = ANSWER_SENT;
        return;
    }
    const int fds[2] = {from, to};
    r = work(w->l, &what, fds);
    ret->kind = r < 0 ? ANSWER_ERROR : ANSWER_VALUE;
    ret->error = r;
    ret->value = 0;
}

/* ---- new names ---- */

/* mkdir, mknod and symlink, made by init like a rename. */
static void watched_make(struct watch *w, struct target *t, const struct path_call *c,
                         char paths[2][PATH_MAX], int dirfd, struct answer *ret)
{
    const __u64 *args = t->req->data.args;
    struct work what = {.mask = (unsigned)read_umask(t)};
    struct resolved where = {.fd = -1, .parent = -1};
    *ret = (struct answer){.kind = ANSWER_ERROR, .error = -EACCES};
    what.kind = c->make;
    if (what.kind == WORK_SYMLINK) {
        ret->error = target_read_path(t, args[0], what.text);
        if (ret->error < 0)
            return;
    } else {
        what.flags = (unsigned)args[c->path + 1];
        what.device = what.kind == WORK_MKNOD ? args[c->path + 2] : 0;
    }
    _cleanup_fd_ int parent = open_parent(t, dirfd, paths[0], what.name[0]);
    ret->error = parent < 0 ? (parent == -EBUSY ? -EEXIST : parent)
                            : name_path(parent, what.name[0], where.path);
    if (ret->error < 0)
        return;
    if (touches_mask(w, &where) || is_kept_absent(w->l->plan, where.path)) {
        ret->error = -EACCES;
        judge(w, t, &where, ACCESS_WRITE);
        return;
    }
    if (!target_alive(t)) {
        ret->kind = ANSWER_SENT;
        return;
    }
    const int fds[2] = {parent, parent};
    ret->error = work(w->l, &what, fds);
    ret->kind = ret->error < 0 ? ANSWER_ERROR : ANSWER_VALUE;
    ret->value = 0;
}

/* ---- the log alone ---- */

static void log_call(struct watch *w, struct target *t, const struct path_call *c,
                     char paths[2][PATH_MAX], const int dirfds[2], const struct open_request *req)
{
    bool follow = !c->nofollow && !(req->flags & O_NOFOLLOW);
    for (int i = 0; i < 2; i++) {
        if (i == 1 && c->path2 < 0)
            break;
        struct resolved where;
        target_resolve(t, dirfds[i], paths[i], follow, &where);
        enum access wanted = c->effect == EFFECT_OPEN ? wanted_by_open(req->flags) : ACCESS_WRITE;
        bool happens;
        switch (c->effect) {
        case EFFECT_MAKE: /* an existing name is refused for being there, unless we put it there */
            happens = !exists(&where) || is_held_missing(w->l->plan, where.path);
            break;
        case EFFECT_CHANGE:
        case EFFECT_REMOVE:
            happens = exists(&where);
            break;
        case EFFECT_RENAME:
        case EFFECT_LINK:
            happens = i == 1 || exists(&where);
            if (c->effect == EFFECT_LINK && i == 0)
                wanted = ACCESS_READ;
            break;
        default:
            /* mkdir -p style: O_CREAT of what exists and is only read is no write. */
            if (exists(&where) && (req->flags & O_ACCMODE) == O_RDONLY && !(req->flags & O_TRUNC))
                wanted = ACCESS_READ;
            happens = exists(&where) || (req->flags & O_CREAT);
        }
        if ((happens || is_below_mask(w, &where)) && paths[i][0])
            judge(w, t, &where, wanted);
        resolved_release(&where);
    }
}

bool watch_file_call(struct watch *w, struct target *t, struct answer *ret)
{
    const struct path_call *c = find_call(t->req->data.nr);
    if (!c)
        return false;
    const __u64 *args = t->req->data.args;
    unsigned filter = w->l->plan->filter;
    char paths[2][PATH_MAX] = {"", ""};
    int dirfds[2] = {c->dirfd < 0 ? AT_FDCWD : (int)args[(int)c->dirfd],
                     c->dirfd2 < 0 ? AT_FDCWD : (int)args[(int)c->dirfd2]};
    struct open_request req = {0};
    int r = target_read_path(t, args[(int)c->path], paths[0]);
    if (r == 0 && c->path2 >= 0)
        r = target_read_path(t, args[(int)c->path2], paths[1]);
    if (r == 0 && c->effect == EFFECT_OPEN)
        r = open_request(c, t, &req);
    bool decides =
        (c->effect == EFFECT_OPEN && filter & FILTER_WATCH_OPEN) ||
        (c->effect == EFFECT_RENAME && filter & (FILTER_WATCH_OPEN | FILTER_WATCH_RENAME)) ||
        ((c->effect == EFFECT_LINK || c->effect == EFFECT_MAKE) && filter & FILTER_WATCH_OPEN);
    if (!decides) {
        /* A bad pointer is the kernel's to refuse. */
        if (r == 0)
            log_call(w, t, c, paths, dirfds, &req);
        ret->kind = ANSWER_CONTINUE;
        return true;
    }
    if (r < 0) {
        *ret = (struct answer){.kind = ANSWER_ERROR, .error = r};
        return true;
    }
    if (!target_alive(t)) {
        ret->kind = ANSWER_SENT;
        return true;
    }
    if (c->effect == EFFECT_OPEN) {
        watched_open(w, t, dirfds[0], paths[0], &req, ret);
        return true;
    }
    unsigned flags = c->flags < 0 ? 0 : (unsigned)args[(int)c->flags];
    if (w->denials)
        log_call(w, t, c, paths, dirfds, &req);
    if (c->effect == EFFECT_MAKE)
        watched_make(w, t, c, paths, dirfds[0], ret);
    else
        watched_rename(w, t, c, paths, dirfds[0], dirfds[1], flags, ret);
    return true;
}

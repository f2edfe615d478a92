/*
 * Which project a folder belongs to, by looking at the disk. See trust.h.
 *
 *   .git (file of ROOT)   "gitdir: G", relative to ROOT
 *   G/commondir           C, relative to G: the main repository's .git
 *   G/gitdir              back to ROOT/.git, relative to G
 *
 * Everything in ROOT may be a stranger's. What vouches for it is G/gitdir: it lies in the main
 * repository, where only that one's owner writes, and it must name ROOT/.git by path and by inode
 * (the path alone could be reached through a link, the inode alone through a second name). G must
 * be where Git keeps such records, C/worktrees/NAME, or ROOT could bring a record of its own that
 * points at somebody's C. Owners are compared, because a record outlives its worktree, and in a
 * shared folder somebody else may have made a new ROOT of that name.
 *
 * Files are opened once, without following a link at their end, bounded, and only regular ones are
 * read. Directories may be reached through links: what counts is where they are.
 */
#include "config/trust.h"

#include "base/fd.h"
#include "base/gitfile.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/uapi.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Is R a fault of the machine, rather than of what stands on the disk? */
static bool is_fault(int r)
{
    return r == -ENOMEM || r == -EMFILE || r == -ENFILE;
}

/* ---- linked worktrees ---- */

/* A file or directory that was opened: where it really is, and which one it is. */
struct place {
    int fd;
    struct stat st;
    char *path;
};

static void place_release(struct place *p)
{
    fd_close(p->fd);
    p->fd = -1;
}
#define _cleanup_place_ _cleanup_(place_release)

/* 0 or a negative errno; P is released by the caller either way. */
static int place_open(struct arena *a, int dirfd, const char *path, int flags, struct place *p)
{
    /* O_NONBLOCK: a FIFO must not make anybody wait. openat2() takes neither with O_PATH. */
    if (!(flags & O_PATH))
        flags |= O_NOCTTY | O_NONBLOCK;
    p->fd = path_openat2(dirfd, path, flags, 0, UAPI_RESOLVE_NO_MAGICLINKS);
    if (p->fd < 0)
        return p->fd;
    return fstat(p->fd, &p->st) < 0 ? -errno : path_of_fd(a, p->fd, &p->path);
}

/* The path that the file P (a regular one) names behind PREFIX, terminated, in A. */
static int place_read(struct arena *a, const struct place *p, const char *prefix, char **ret)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    struct bytes path;
    if (!S_ISREG(p->st.st_mode))
        return -EBADMSG;
    int r = fd_read_all(p->fd, MAX_GITFILE_BYTES, &text);
    if (r < 0 || (r = gitfile_parse((struct bytes){strbuf_text(&text), text.n}, prefix, &path)) < 0)
        return r;
    *ret = arena_strndup(a, path.p, path.n);
    return *ret ? 0 : -ENOMEM;
}

/* What the file NAME in the directory DIR names, opened: a directory, or whatever FLAGS say. */
static int follow(struct arena *a, const struct place *dir, const char *name, int flags,
                  struct place *ret)
{
    _cleanup_place_ struct place file = {.fd = -1};
    char *path;
    int r = place_open(a, dir->fd, name, O_RDONLY | O_NOFOLLOW, &file);
    if (r < 0 || (r = place_read(a, &file, "", &path)) < 0)
        return r;
    return place_open(a, dir->fd, path, flags, ret);
}

/* Is RECORD the directory COMMON/worktrees/NAME? */
static bool is_record_of(const char *record, const char *common)
{
    static const char between[] = "/worktrees/";
    size_t n = strlen(common), bn = sizeof(between) - 1;
    return strncmp(record, common, n) == 0 && strncmp(record + n, between, bn) == 0 &&
           record[n + bn] && !strchr(record + n + bn, '/');
}

/* ROOT's .git, a regular file, is FILE. 0 with the main repository, or why there is none. */
static int verify(struct arena *a, const struct place *root, const struct place *file,
                  const char **ret)
{
    _cleanup_place_ struct place record = {.fd = -1}, common = {.fd = -1}, back = {.fd = -1},
                                 repository = {.fd = -1};
    char *path;
    int r = place_read(a, file, "gitdir: ", &path);
    if (r < 0 || (r = place_open(a, root->fd, path, O_PATH | O_DIRECTORY, &record)) < 0 ||
        (r = follow(a, &record, "commondir", O_PATH | O_DIRECTORY, &common)) < 0 ||
        (r = follow(a, &record, "gitdir", O_PATH | O_NOFOLLOW, &back)) < 0)
        return r;
    if (!str_eq(path_base(common.path), ".git") || !is_record_of(record.path, common.path))
        return -EPERM;
    if (back.st.st_dev != file->st.st_dev || back.st.st_ino != file->st.st_ino ||
        !str_eq(back.path, file->path))
        return -EPERM;
    char *parent = path_parent(a, common.path);
    if (!parent)
        return -ENOMEM;
    if ((r = place_open(a, AT_FDCWD, parent, O_PATH | O_DIRECTORY | O_NOFOLLOW, &repository)) < 0)
        return r;
    const struct place *const all[] = {root, file, &record, &common};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (all[i]->st.st_uid != repository.st.st_uid)
            return -EPERM;
    if (!str_eq(repository.path, parent))
        return -EPERM; /* it moved meanwhile */
    *ret = repository.path;
    return 0;
}

/* The main repository of ROOT (canonical), if that is a linked worktree. */
static int find_main(struct arena *a, const char *root, const char **ret)
{
    _cleanup_place_ struct place dir = {.fd = -1}, file = {.fd = -1};
    struct stat st;
    char *path = path_join(a, root, ".git");
    if (!path)
        return -ENOMEM;
    /* Mostly a directory. Nothing but a regular file is opened for reading. */
    if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return -ENOENT;
    int r = place_open(a, AT_FDCWD, root, O_PATH | O_DIRECTORY | O_NOFOLLOW, &dir);
    if (r < 0 || (r = place_open(a, dir.fd, ".git", O_RDONLY | O_NOFOLLOW, &file)) < 0)
        return r;
    return verify(a, &dir, &file, ret);
}

/* ---- markers ---- */

/* A name in a directory: nothing that could lead out of it. */
static bool is_name(const char *marker)
{
    return marker[0] && strlen(marker) <= MAX_NAME_BYTES && !strchr(marker, '/') &&
           !str_eq(marker, ".") && !str_eq(marker, "..");
}

/* In a directory that everybody can write, does what was FOUND belong to somebody else? */
static bool is_strangers(const char *dir, const struct stat *found)
{
    struct stat st;
    if (found->st_uid == 0 || found->st_uid == geteuid())
        return false;
    return stat(dir, &st) < 0 || (st.st_mode & S_IWOTH) != 0;
}

/* Does MARKER make DIR a root? */
static bool is_marked(const char *dir, const char *marker)
{
    char path[MAX_PATH_BYTES + MAX_NAME_BYTES + sizeof("//HEAD")];
    bool git = str_eq(marker, ".git");
    struct stat st, head;
    int n = snprintf(path, sizeof(path), "%s/%s", dir[1] ? dir : "", marker);
    if (n < 0 || (size_t)n >= sizeof(path) - sizeof("/HEAD"))
        return false;
    /* Git takes a link to a repository for one. */
    if ((git ? stat(path, &st) : lstat(path, &st)) < 0)
        return false;
    if (git && S_ISDIR(st.st_mode)) {
        memcpy(path + n, "/HEAD", sizeof("/HEAD"));
        /* HEAD itself may be a symbolic link, to a branch that has no commit yet. */
        if (lstat(path, &head) < 0)
            return false;
    } else if (git && !S_ISREG(st.st_mode)) {
        return false;
    }
    return !is_strangers(dir, &st);
}

/* The nearest marked directory at or above CWD, or NULL; no memory is an error. */
static int find_root(struct arena *a, const char *cwd, const char *const *markers, size_t n_markers,
                     const char **ret)
{
    *ret = NULL;
    char *dir = arena_strdup(a, cwd);
    for (size_t n = strlen(cwd); dir;) {
        for (size_t i = 0; i < n_markers; i++) {
            if (!is_name(markers[i]) || !is_marked(dir, markers[i]))
                continue;
            *ret = dir;
            return 0;
        }
        if (n <= 1)
            return 0;
        while (n && dir[n - 1] != '/')
            n--;
        n -= n > 1;
        dir[n] = '\0';
    }
    return -ENOMEM;
}

int project_find(struct arena *a, const char *cwd, const char *const *markers, size_t n_markers,
                 struct project *ret, struct error *err)
{
    struct project p = {0};
    int r = find_root(a, cwd, markers, n_markers, &p.root);
    if (r == 0) {
        p.marked = p.root != NULL;
        if (!p.root)
            p.root = arena_strdup(a, cwd);
        r = p.root ? find_main(a, p.root, &p.main_repository) : -ENOMEM;
    }
    if (is_fault(r))
        return error_errno(err, r, "cannot find the project of %s", show(cwd));
    *ret = p;
    return 0;
}

/*
 * Git's indirections. What runs code later on the host are a repository's hooks and configuration,
 * and a `.git` may be a file that says where those are.
 *
 *   .git file   "gitdir: PATH"; PATH, relative to the file's directory, is the repository's
 * directory (a submodule's, a worktree's) commondir   a file in that directory; names, relative to
 * it, the directory behind it that holds the shared configuration and hooks (a worktree's main
 * repository)
 *
 * Both are read as bytes from a stranger: bounded, and what they name is resolved like any other
 * path. What they name is protected where the command could write it; a path outside every writable
 * root needs nothing, and one that holds the writable root itself cannot be protected without
 * closing the root, so it gets a warning.
 *
 * The search for nested repositories is on the way of every start, so it opens as few directories
 * as it can: at the last level only `NAME/.git` is asked for, and where the file system counts a
 * directory's subdirectories in its links, one without any is not opened either.
 */
#include "sandbox/survey_internal.h"

#include "base/fd.h"
#include "base/gitfile.h"
#include "base/path.h"
#include "base/sys.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/vfs.h>

/* statfs(2) of the file systems whose directories have 2 + SUBDIRECTORIES links. */
#define MAGIC_EXT4  0xef53u
#define MAGIC_XFS   0x58465342u
#define MAGIC_TMPFS 0x01021994u

#define READ_BYTES (32u * 1024)

/* ---- the two files ---- */

/* Reads FILE (canonical) and finds what it names, relative to DIR. 1: found, 0: nothing (said why).
 */
static int follow_file(struct survey_builder *b, const char *file, const char *dir,
                       const char *prefix, struct resolved *ret, struct error *err)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    struct bytes path = {0};
    _cleanup_fd_ int fd =
        path_openat2(AT_FDCWD, file, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, UAPI_RESOLVE_NO_SYMLINKS);
    struct stat st;
    int r = fd < 0 ? fd : fstat(fd, &st) < 0 ? -errno : 0;
    if (r == 0)
        r = S_ISREG(st.st_mode) ? fd_read_all(fd, MAX_GITFILE_BYTES, &text) : -EBADMSG;
    if (r == -ENOMEM || r == -EMFILE || r == -ENFILE)
        return error_errno(err, r, "cannot read %s", show(file));
    if (r == 0)
        r = gitfile_parse((struct bytes){strbuf_text(&text), text.n}, prefix, &path);
    if (r < 0) {
        r = survey_warn(b, "cannot follow %s: %s", show(file),
                        r == -EBADMSG || r == -EFBIG ? "it names no directory" : strerror(-r));
        return r < 0 ? survey_memory(err) : 0;
    }
    assert(path.p);
    char *full = path.p[0] == '/' ? arena_strndup(b->a, path.p, path.n)
                                  : arena_printf(b->a, "%s/%.*s", dir, (int)path.n, path.p);
    if (!full)
        return survey_memory(err);
    r = resolver_walk(&b->resolver, full, ret);
    if (r < 0)
        return error_errno(err, r, "cannot look at %s, named by %s", show(full), show(file));
    if (!ret->no_target && !ret->blocker)
        return 1;
    r = survey_warn(b, "cannot follow %s: %s cannot be a directory", show(file), show(full));
    return r < 0 ? survey_memory(err) : 0;
}

/* ---- protecting ---- */

/* Could the command change what stands at PATH, and was it not told that it may? */
static bool is_open(const struct survey_builder *b, const char *path)
{
    return survey_access(b, path) == ACCESS_WRITE && !survey_lifted(b, path);
}

/* NAME in the repository directory GITDIR, read-only. */
static int protect_part(struct survey_builder *b, const char *gitdir, const char *name,
                        bool if_exists, const struct perm_entry *because, struct error *err)
{
    struct resolved res;
    char *path = path_join(b->a, gitdir, name);
    int r = path ? resolver_look(&b->resolver, path, &res) : -ENOMEM;
    if (r < 0)
        return error_errno(err, r, "cannot look at %s in %s", name, show(gitdir));
    r = survey_hold_links(b, &res, ENTRY_NESTED, because, true, err);
    if (r < 0 || res.no_target || res.blocker || (if_exists && res.kind == FILE_MISSING) ||
        !is_open(b, res.path))
        return r;
    return survey_add_extra(b, &res, ENTRY_NESTED, because, err);
}

/* What of a repository runs code, while commits keep working. */
static int protect_parts(struct survey_builder *b, const char *gitdir,
                         const struct perm_entry *because, struct error *err)
{
    static const struct {
        const char *name;
        bool if_exists;
    } parts[] = {
        {"hooks", false}, {"config", false}, {"config.worktree", true}, {"commondir", true}};
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(parts); i++)
        r = protect_part(b, gitdir, parts[i].name, parts[i].if_exists, because, err);
    return r;
}

/* A repository directory that RES found, on behalf of the `.git` in ROOT. */
static int protect_dir(struct survey_builder *b, const char *root, const struct resolved *res,
                       bool parts_only, const struct perm_entry *because, struct error *err)
{
    int r = survey_hold_links(b, res, ENTRY_GITDIR, because, true, err);
    if (r < 0 || survey_access(b, res->path) != ACCESS_WRITE)
        return r;
    if (path_is_below(root, res->path)) {
        r = survey_warn(b, "%s/.git leads to %s, which holds it: not protected",
                        str_eq(root, "/") ? "" : show(root), show(res->path));
        return r < 0 ? survey_memory(err) : 0;
    }
    if (parts_only)
        return protect_parts(b, res->path, because, err);
    return survey_lifted(b, res->path) ? 0 : survey_add_extra(b, res, ENTRY_GITDIR, because, err);
}

/* The directory behind GITDIR, if it has a `commondir`. */
static int protect_common(struct survey_builder *b, const char *root, const char *gitdir,
                          bool parts_only, const struct perm_entry *because, struct error *err)
{
    struct resolved file, dir;
    char *path = path_join(b->a, gitdir, "commondir");
    int r = path ? resolver_look(&b->resolver, path, &file) : -ENOMEM;
    if (r < 0)
        return error_errno(err, r, "cannot look at commondir in %s", show(gitdir));
    if (file.no_target || file.blocker || file.kind == FILE_MISSING)
        return 0;
    r = follow_file(b, file.path, gitdir, "", &dir, err);
    return r <= 0 ? r : protect_dir(b, root, &dir, parts_only, because, err);
}

/* FILE is the `.git` file of ROOT. LIFTED: the command may write it, so that it can commit. */
static int protect_gitfile(struct survey_builder *b, const char *root, const char *file,
                           bool lifted, const struct perm_entry *because, struct error *err)
{
    struct resolved dir;
    int r = follow_file(b, file, root, "gitdir: ", &dir, err);
    if (r <= 0)
        return r;
    r = protect_dir(b, root, &dir, lifted, because, err);
    if (r < 0 || dir.kind == FILE_MISSING)
        return r;
    return protect_common(b, root, dir.path, lifted, because, err);
}

/* Does more than a preset say that PATH may be written? A preset means the directory. */
static bool is_lifted_by_name(const struct survey_builder *b, const char *path)
{
    for (size_t i = 0; i < b->canonical.n; i++) {
        const struct perm_entry *e = &b->canonical.v[i];
        if (!e->glob && e->access == ACCESS_WRITE && !perm_of_preset(e) && str_eq(e->path, path))
            return true;
    }
    return false;
}

bool survey_wants_git(const struct config *config)
{
    const struct string_list *names = &config->protected_names;
    for (size_t i = 0; i < names->n; i++)
        if (str_eq(names->v[i], ".git"))
            return true;
    return names->n == 0 && !names->set;
}

int survey_gitfile(struct survey_builder *b, const char *root, const struct perm_entry *because,
                   struct error *err)
{
    struct resolved res;
    char *path = path_join(b->a, root, ".git");
    int r = path ? resolver_look(&b->resolver, path, &res) : -ENOMEM;
    if (r < 0)
        return error_errno(err, r, "cannot look at .git in %s", show(root));
    if (res.no_target || res.blocker)
        return 0;
    bool lifted = survey_lifted(b, res.path);
    if (res.kind == FILE_REGULAR) {
        /* Who writes the file chooses the repository, its hooks and its configuration. */
        if (lifted && !is_lifted_by_name(b, res.path))
            r = survey_add_extra(b, &res, ENTRY_GITDIR, because, err);
        return r < 0 ? r : protect_gitfile(b, root, res.path, lifted, because, err);
    }
    if (res.kind == FILE_DIRECTORY)
        return protect_common(b, root, res.path, lifted, because, err);
    return 0;
}

/* ---- nested repositories ---- */

struct scan {
    struct survey_builder *b;
    const char *root;
    int rootfd;
    dev_t dev;
    bool counts_links; /* a directory's links tell how many subdirectories it has */
    unsigned depth, max_depth;
    size_t looked, found;
    bool full;           /* a bound ended it */
    VEC(char) queue;     /* paths relative to the root, terminated, one behind the other */
    size_t at;           /* in the queue */
    const char **closed; /* sorted: what the profile does not let be written */
    size_t n_closed;
    char path[MAX_PATH_BYTES + MAX_NAME_BYTES + 2];
};

/* There is a `.git` in DIR. */
static int found_repository(struct scan *k, const char *dir, struct error *err)
{
    static const struct perm_entry reason = {.written = "a nested repository",
                                             .origin = {.layer = "default"}};
    struct survey_builder *b = k->b;
    struct resolved res;
    char *path = path_join(b->a, dir, ".git");
    int r = path ? resolver_look(&b->resolver, path, &res) : -ENOMEM;
    if (r < 0)
        return error_errno(err, r, "cannot look at %s/.git", show(dir));
    if (survey_access(b, dir) != ACCESS_WRITE)
        return 0;
    if (++k->found > b->request->config->nested_repo_count) {
        k->full = true;
        return 0;
    }
    r = survey_hold_links(b, &res, ENTRY_NESTED, &reason, true, err);
    if (r < 0 || res.no_target || res.blocker)
        return r;
    if (res.kind == FILE_DIRECTORY) {
        r = protect_parts(b, res.path, &reason, err);
        return r < 0 ? r : protect_common(b, dir, res.path, true, &reason, err);
    }
    if (res.kind != FILE_REGULAR)
        return 0;
    bool lifted = survey_lifted(b, res.path);
    if (!lifted && survey_access(b, res.path) == ACCESS_WRITE &&
        (r = survey_add_extra(b, &res, ENTRY_NESTED, &reason, err)) < 0)
        return r;
    return protect_gitfile(b, dir, res.path, lifted, &reason, err);
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What the search does not enter: the closed entries below the root. */
static int sort_closed(struct scan *k)
{
    const struct survey_builder *b = k->b;
    k->closed = mem_zalloc(b->canonical.n, sizeof(*k->closed));
    if (!k->closed)
        return -ENOMEM;
    for (size_t i = 0; i < b->canonical.n; i++) {
        const struct perm_entry *e = &b->canonical.v[i];
        if (!e->glob && e->access != ACCESS_WRITE && path_is_below(e->path, k->root))
            k->closed[k->n_closed++] = e->path;
    }
    if (k->n_closed)
        qsort(k->closed, k->n_closed, sizeof(*k->closed), compare_strings);
    return 0;
}

static bool is_closed(const struct scan *k, const char *path)
{
    const char *const *p =
        k->n_closed ? bsearch(&path, k->closed, k->n_closed, sizeof(path), compare_strings) : NULL;
    return p != NULL;
}

static int enqueue(struct scan *k, const char *rel, size_t n)
{
    while (k->queue.cap - k->queue.n < n + 1) {
        size_t cap = k->queue.cap ? k->queue.cap * 2 : 16384;
        char *p = mem_resize(k->queue.v, cap, 1);
        if (!p)
            return -ENOMEM;
        k->queue.v = p;
        k->queue.cap = cap;
    }
    memcpy(k->queue.v + k->queue.n, rel, n);
    k->queue.v[k->queue.n + n] = '\0';
    k->queue.n += n + 1;
    return 0;
}

/* k->path (PATH_N long) is a subdirectory, NAME in DIRFD: one level down. */
static int take_subdirectory(struct scan *k, int dirfd, const char *name, size_t n, size_t path_n,
                             struct error *err)
{
    struct stat st;
    bool open_it = k->depth + 1 < k->max_depth;
    if (k->n_closed && is_closed(k, k->path))
        return 0;
    if (++k->looked > SURVEY_MAX_GIT_DIRS) {
        k->full = true;
        return 0;
    }
    if (open_it && k->counts_links)
        open_it = fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_nlink != 2 ||
                  st.st_dev != k->dev;
    if (open_it) {
        size_t skip = str_eq(k->root, "/") ? 1 : strlen(k->root) + 1;
        return enqueue(k, k->path + skip, path_n - skip) < 0 ? survey_memory(err) : 0;
    }
    char inner[MAX_NAME_BYTES + 8];
    memcpy(inner, name, n);
    memcpy(inner + n, "/.git", sizeof("/.git"));
    if (fstatat(dirfd, inner, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    return found_repository(k, k->path, err);
}

static int scan_entries(struct scan *k, int fd, size_t path_n, const char *buf, size_t bytes,
                        struct error *err)
{
    const unsigned dt_dir = S_IFDIR >> 12;
    int r = 0;
    for (size_t at = 0; r == 0 && at < bytes && !k->full;) {
        const void *p = buf + at;
        const struct linux_dirent64 *e = p;
        at += e->d_reclen;
        const char *name = e->d_name;
        bool git = str_eq(name, ".git");
        unsigned type = e->d_type;
        struct stat st;
        if (name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2])))
            continue;
        if (git) {
            k->path[path_n] = '\0';
            if (k->depth > 0)
                r = found_repository(k, path_n ? k->path : "/", err);
            continue;
        }
        if (type == 0 && fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            type = (st.st_mode & S_IFMT) >> 12;
        size_t n;
        if (type != dt_dir || path_n + 1 + (n = strlen(name)) + 5 >= MAX_PATH_BYTES ||
            n > MAX_NAME_BYTES)
            continue;
        k->path[path_n] = '/';
        memcpy(k->path + path_n + 1, name, n + 1);
        r = take_subdirectory(k, fd, name, n, path_n + 1 + n, err);
    }
    return r;
}

/* k->path is N long; REL is it, from the root. */
static int scan_directory(struct scan *k, const char *rel, size_t n, struct error *err)
{
    char buf[READ_BYTES] __attribute__((aligned(8)));
    _cleanup_fd_ int fd = path_openat2(k->rootfd, rel, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0,
                                       UAPI_RESOLVE_BENEATH | UAPI_RESOLVE_NO_SYMLINKS);
    if (fd == -ENOMEM || fd == -EMFILE || fd == -ENFILE)
        return error_errno(err, fd, "cannot look for repositories in %s", show(k->path));
    while (fd >= 0 && !k->full) {
        long got = syscall(SYS_getdents64, fd, buf, sizeof(buf));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        int r = scan_entries(k, fd, n, buf, (size_t)got, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int scan_levels(struct scan *k, struct error *err)
{
    size_t root_n = str_eq(k->root, "/") ? 0 : strlen(k->root);
    memcpy(k->path, k->root, root_n);
    k->path[root_n] = '\0';
    int r = scan_directory(k, ".", root_n, err);
    for (k->depth = 1; r == 0 && k->at < k->queue.n && !k->full; k->depth++) {
        size_t end = k->queue.n;
        while (r == 0 && k->at < end && !k->full) {
            char rel[MAX_PATH_BYTES];
            size_t n = strlen(k->queue.v + k->at);
            memcpy(rel, k->queue.v + k->at, n + 1);
            k->at += n + 1;
            k->path[root_n] = '/';
            memcpy(k->path + root_n + 1, rel, n + 1);
            r = scan_directory(k, rel, root_n + 1 + n, err);
        }
    }
    return r;
}

static bool file_system_counts_links(int fd)
{
    struct statfs fs;
    if (fstatfs(fd, &fs) < 0)
        return false;
    unsigned long type = (unsigned long)fs.f_type;
    return type == MAGIC_EXT4 || type == MAGIC_XFS || type == MAGIC_TMPFS;
}

int survey_nested(struct survey_builder *b, const char *root, struct error *err)
{
    const struct config *config = b->request->config;
    if (config->nested_repo_depth == 0 || config->nested_repo_count == 0 ||
        strlen(root) >= MAX_PATH_BYTES)
        return 0;
    struct scan *k = mem_zalloc(1, sizeof(*k));
    if (!k)
        return survey_memory(err);
    k->b = b;
    k->root = root;
    k->max_depth = config->nested_repo_depth;
    k->rootfd = path_openat2(AT_FDCWD, root, O_RDONLY | O_DIRECTORY, 0, UAPI_RESOLVE_NO_SYMLINKS);
    struct stat st;
    int r = sort_closed(k) < 0 ? survey_memory(err) : 0;
    if (r == 0 && k->rootfd >= 0 && fstat(k->rootfd, &st) == 0) {
        k->dev = st.st_dev;
        k->counts_links = file_system_counts_links(k->rootfd);
        r = scan_levels(k, err);
    }
    if (r == 0 && k->full) {
        bool count = k->found > config->nested_repo_count;
        r = survey_warn(b,
                        "stopped looking for repositories in %s after %zu %s: any further are "
                        "not protected",
                        show(root), count ? (size_t)config->nested_repo_count : k->looked - 1,
                        count ? "of them" : "directories");
        r = r < 0 ? survey_memory(err) : 0;
    }
    fd_close(k->rootfd);
    vec_release(&k->queue);
    mem_free(k->closed);
    mem_free(k);
    return r;
}

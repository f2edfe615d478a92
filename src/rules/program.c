/*
 * Which file a program is. See program.h.
 *
 * The search is execvp's. The file that was found is then walked to by its name, component by
 * component with lstat and readlink, as the kernel does it, because what makes a program
 * trustworthy is not only where it ends up: a link in the workspace that points to /usr/bin/git can
 * point elsewhere in a moment, and a directory that others may write can hold another file in a
 * moment. Each name on the way has to be outside the writable roots, and each directory and the
 * file itself have to be root's or ours and writable by nobody else. A walk costs one system call a
 * component.
 *
 * "Nobody else" without a name service, which bawn does not read:
 *
 *   - the group 0, and groups below 100 on what root owns. Those numbers are fixed by
 *     distributions, who is in them was put there by root, and Debian ships /usr/local/bin as
 *     root:staff 2775: what is installed there has to work. `users`, which may hold everybody, is
 *     100 everywhere;
 *   - our own group where it has our number: the private group of one user, which together with
 *     umask 002 makes ~/.local/bin group-writable on most systems.
 *
 * With an access list on it a group-writable place is writable by whoever the list names, so that
 * counts as others.
 */
#include "rules/program.h"

#include "base/limits.h"
#include "base/path.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MAX_LINKS     40u /* the kernel's */
#define STATIC_GROUPS 100u

static const char default_path[] = "/bin:/usr/bin";

struct walk {
    struct arena *a;
    const struct program_request *request;
    char at[MAX_PATH_BYTES];       /* where it is: without links, "" for the root */
    char rest[2 * MAX_PATH_BYTES]; /* what is left to follow */
    unsigned links;
    struct stat st; /* of `at` */
    const char *problem;
    bool failed;                  /* no memory */
    const char *root;             /* a writable root that it came through */
    char in_root[MAX_PATH_BYTES]; /* and the farthest place in it */
};

static void object(struct walk *w, const char *fmt, ...) _printf_(2, 3);
static void object(struct walk *w, const char *fmt, ...)
{
    char text[ERROR_MESSAGE_MAX];
    va_list ap;
    if (w->problem)
        return; /* the first one is told */
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    w->problem = arena_strdup(w->a, text);
    w->failed |= !w->problem;
}

/* ---- one place ---- */

static bool has_access_list(const char *path)
{
    return lgetxattr(path, "system.posix_acl_access", NULL, 0) > 0;
}

static bool others_may_write(const char *path, const struct stat *st)
{
    if (st->st_mode & S_IWOTH)
        return true;
    if (!(st->st_mode & S_IWGRP))
        return false;
    bool nobody = st->st_gid == 0 || (st->st_uid == 0 && st->st_gid < STATIC_GROUPS) ||
                  (st->st_gid == getegid() && st->st_gid == geteuid());
    return !nobody || has_access_list(path);
}

static void note_root(struct walk *w, const char *path, const char *root)
{
    size_t n = strlen(path);
    if (n >= sizeof(w->in_root) || (w->root && !path_is_below(path, w->in_root)))
        return;
    w->root = root;
    memcpy(w->in_root, path, n + 1);
}

static void judge_place(struct walk *w, const char *path)
{
    const struct program_request *q = w->request;
    for (size_t i = 0; i < q->n_writable; i++)
        if (path_is_below(path, q->writable[i]))
            note_root(w, path, q->writable[i]);
    if (S_ISLNK(w->st.st_mode) || (q->unjudged && path_is_below(q->unjudged, path)))
        return; /* who may change a link is said by its directory */
    if (w->st.st_uid != 0 && w->st.st_uid != geteuid())
        object(w, "%s belongs to another user", show(path));
    else if (others_may_write(path, &w->st))
        object(w, "%s can be written by others", show(path));
}

/* ---- the walk ---- */

/* The next component of what is left, cut off from it. */
static bool next_component(struct walk *w, char *name, size_t cap)
{
    size_t skip = strspn(w->rest, "/"), n = strcspn(w->rest + skip, "/");
    if (n == 0 || n >= cap)
        return false;
    memcpy(name, w->rest + skip, n);
    name[n] = '\0';
    memmove(w->rest, w->rest + skip + n, strlen(w->rest + skip + n) + 1);
    return true;
}

static void leave(struct walk *w)
{
    char *slash = strrchr(w->at, '/');
    if (slash)
        *slash = '\0';
}

static int enter(struct walk *w, const char *name)
{
    size_t n = strlen(w->at), m = strlen(name);
    if (n + m + 2 > sizeof(w->at))
        return -ENAMETOOLONG;
    w->at[n] = '/';
    memcpy(w->at + n + 1, name, m + 1);
    return 0;
}

/* The link `at`: what it says comes before what is left. */
static int follow(struct walk *w)
{
    char target[MAX_PATH_BYTES];
    if (++w->links > MAX_LINKS)
        return -ELOOP;
    ssize_t n = readlink(w->at, target, sizeof(target));
    if (n <= 0)
        return n < 0 ? -errno : -ENOENT;
    size_t left = strlen(w->rest), len = (size_t)n;
    if (len == sizeof(target) || len + left + 2 > sizeof(w->rest))
        return -ENAMETOOLONG;
    memmove(w->rest + len + 1, w->rest, left + 1);
    memcpy(w->rest, target, len);
    w->rest[len] = '/';
    if (target[0] == '/')
        w->at[0] = '\0';
    else
        leave(w);
    return 0;
}

static int judge_here(struct walk *w)
{
    const char *path = w->at[0] ? w->at : "/";
    if (lstat(path, &w->st) < 0)
        return -errno;
    judge_place(w, path);
    return 0;
}

static int step(struct walk *w, const char *name)
{
    if (str_eq(name, "."))
        return 0;
    if (str_eq(name, "..")) {
        leave(w);
        return judge_here(w);
    }
    int r = enter(w, name);
    if (r == 0)
        r = judge_here(w);
    if (r == 0 && S_ISLNK(w->st.st_mode))
        r = follow(w);
    return r;
}

static int walk_to(struct walk *w, const char *path)
{
    char name[MAX_NAME_BYTES + 1];
    size_t n = strlen(path);
    if (n >= sizeof(w->rest))
        return -ENAMETOOLONG;
    memcpy(w->rest, path, n + 1);
    int r = judge_here(w);
    while (r == 0 && next_component(w, name, sizeof(name)))
        r = step(w, name);
    return r < 0 || S_ISREG(w->st.st_mode) ? r : -EACCES;
}

/* ---- the search ---- */

static bool can_be_executed(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* DIR/NAME made absolute. Tidied only where that cannot change what it means. */
static char *spell(struct arena *a, const char *cwd, struct bytes dir, const char *name)
{
    bool absolute = dir.n && dir.p[0] == '/';
    const char *base = absolute ? "" : cwd, *slash = absolute ? "" : "/";
    char *path = arena_printf(a, "%s%s%.*s/%s", base, slash, (int)dir.n, dir.p, name);
    return path && !strstr(path, "/..") ? path_join(a, "/", path) : path;
}

static bool is_room_for(struct bytes dir, const char *cwd, const char *name)
{
    return dir.n + strlen(cwd) + strlen(name) + 3 <= MAX_PATH_BYTES;
}

/* *ret_path: NULL when there is none. *ret_dir: the entry of PATH, or what NAME has before its last
 * slash. */
static int search(struct arena *a, const struct program_request *q, const char *name,
                  char **ret_path, struct bytes *ret_dir)
{
    const char *slash = strrchr(name, '/'), *entry = q->path ? q->path : default_path;
    *ret_path = NULL;
    if (slash) { /* "/x" is in the directory "/" */
        *ret_dir = (struct bytes){name, slash == name ? 1 : (size_t)(slash - name)};
        if (!slash[1] || !is_room_for(*ret_dir, q->cwd, slash))
            return 0;
        *ret_path = spell(a, q->cwd, *ret_dir, slash + 1);
        if (*ret_path && !can_be_executed(*ret_path))
            *ret_path = NULL;
        else if (!*ret_path)
            return -ENOMEM;
        return 0;
    }
    for (; *name; entry++) {
        struct bytes dir = {entry, strcspn(entry, ":")};
        entry += dir.n;
        if (is_room_for(dir, q->cwd, name)) {
            char *path = spell(a, q->cwd, dir, name);
            if (!path)
                return -ENOMEM;
            if (can_be_executed(path)) {
                *ret_path = path;
                *ret_dir = dir;
                return 0;
            }
        }
        if (!*entry)
            break;
    }
    return 0;
}

static const char *relative_problem(struct arena *a, const char *name, struct bytes dir)
{
    if (strchr(name, '/'))
        return arena_printf(a, "%s depends on the working directory", show(name));
    if (dir.n == 0)
        return "PATH has the working directory";
    return arena_printf(a, "PATH has the relative entry %s", show_n(dir.p, dir.n));
}

int program_find(struct arena *a, const struct program_request *request, const char *name,
                 struct program *ret)
{
    struct program p = {0};
    struct walk w = {.a = a, .request = request};
    struct bytes dir = {0};
    char *path;
    int r = search(a, request, name, &path, &dir);
    if (r < 0)
        return r;
    if (!path) {
        p.problem = arena_printf(a, "%s is not found", show(name));
        *ret = p;
        return p.problem ? 0 : -ENOMEM;
    }
    p.path = path;
    r = walk_to(&w, path);
    if (w.root) { /* before everything else that is wrong with it */
        w.problem = NULL;
        object(&w, "%s lies in the writable root %s", show(w.in_root), show(w.root));
    }
    if (r < 0) /* it was there a moment ago */
        object(&w, "%s: %s", show(path), strerror(-r));
    else if (!(p.resolved = arena_strdup(a, w.at)))
        return -ENOMEM;
    p.dev = r < 0 ? 0 : w.st.st_dev;
    p.ino = r < 0 ? 0 : w.st.st_ino;
    p.problem = w.problem;
    if (!p.problem && (dir.n == 0 || dir.p[0] != '/') &&
        !(p.problem = relative_problem(a, name, dir)))
        return -ENOMEM;
    p.trusted = !p.problem;
    *ret = p;
    return w.failed ? -ENOMEM : 0;
}

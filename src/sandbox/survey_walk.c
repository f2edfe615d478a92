/*
 * Walking the trees under the globs.
 *
 * Each start is walked on its own and no walk enters another start or a skipped directory, so every
 * directory is read once, by one start. A directory is read whole (getdents64, a big buffer) before
 * its children are opened, relative to it; nothing recurses, and no more than MAX_OPEN_DEPTH
 * descriptors are open. A name costs two table look-ups unless a pattern may match it; only matches
 * are stat-ed.
 *
 * Most of the time of a large walk is the kernel's (ext4 sorts every directory by hash, 120 ns a
 * name), so when one grows past `fork_after` names, helper processes join in, one a processor. They
 * share the work through a small pool in shared memory: whoever has directories left puts one into
 * it when it runs low, whoever has nothing left takes one. Matches are kept in private memory and
 * handed over in a memory file at the end. A helper that dies makes the walk fail; nothing is ever
 * left out in silence. (Processes, not threads: the launcher stays single-threaded.)
 *
 * Fails closed: a directory that cannot be read is passed over only when the command, being the
 * same person, cannot read it either. If it could (it may change the mode of what it owns), the
 * directory is reported shut, to be masked whole; so is one whose children's paths would be too
 * long.
 */
#include "sandbox/survey_internal.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#define READ_BYTES       (256u * 1024)
#define MAX_OPEN_DEPTH   64u
#define FORK_AFTER       3000u
#define WALK_MAX_WORKERS 4u
#define POOL_SLOTS       64u

/* ---- what is shared between processes ---- */

enum slot_state { SLOT_EMPTY, SLOT_WRITING, SLOT_READY, SLOT_READING };

struct slot { /* `words` words of a glob set follow */
    atomic_int state;
    unsigned n;
    char path[MAX_PATH_BYTES];
    uint64_t set[];
};

struct worker_result {
    atomic_bool done;
    int code;
    uint64_t scanned, bytes;
    struct error err;
};

struct pool {
    atomic_int pending; /* tasks in slots or being worked on */
    atomic_int ready;   /* tasks in slots */
    atomic_bool stop;   /* somebody failed */
    struct worker_result results[WALK_MAX_WORKERS];
    size_t slot_size;
    char *slots;
};

/* ---- one process's walk ---- */

struct child { /* a subdirectory still to be opened; the name follows, terminated */
    struct glob_node *node;
    size_t size; /* of this record */
};

struct frame {
    int fd;                  /* -1: too deep to keep open */
    size_t path_n;           /* of the directory's path */
    size_t first, next, end; /* its children in `children` */
    size_t depth;
    size_t lo, hi;           /* the specials below it */
    uint64_t names, matched; /* in it */
};

struct record { /* a match; the path follows, not terminated */
    uint64_t dev, ino, nlink;
    ptrdiff_t pattern;
    unsigned kind;
    bool shut, full; /* as struct walk_match has them */
    size_t path_n;
};

struct walker {
    struct walk *w;
    const char **specials; /* sorted: what no walk enters */
    size_t n_specials;
    char *buf;
    char path[MAX_PATH_BYTES + MAX_NAME_BYTES + 2];
    VEC(struct frame) frames;
    VEC(char) children;
    VEC(char) out;
    uint64_t scanned;
    size_t matches;
    struct pool *pool;
    size_t pool_bytes;
    unsigned n_workers; /* helpers that run */
    bool alone;         /* no helpers: not needed yet, or not to be had */
    pid_t parent;       /* of the helpers */
    pid_t pids[WALK_MAX_WORKERS];
    int files[WALK_MAX_WORKERS];
};

/* N more bytes at the end of a byte vector, aligned to 8; NULL without memory. */
static void *extend(void *vec, size_t n)
{
    struct {
        char *v;
        size_t n, cap;
    } *v = vec;
    n = (n + 7) / 8 * 8;
    if (v->cap - v->n < n) {
        size_t cap = v->cap ? v->cap * 2 : 16384;
        while (cap - v->n < n)
            cap *= 2;
        char *p = mem_resize(v->v, cap, 1);
        if (!p)
            return NULL;
        v->v = p;
        v->cap = cap;
    }
    void *p = v->v + v->n;
    v->n += n;
    return p;
}

static int walk_failed(struct error *err, int code, const char *path)
{
    error_errno(err, code, "cannot look for files to mask in %s", path[0] ? show(path) : "/");
    return code;
}

/* ---- specials ---- */

static size_t lower_bound(const struct walker *k, size_t lo, size_t hi, const char *path)
{
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (strcmp(k->specials[mid], path) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Narrows [LO, HI) to the specials below the directory k->path, which is N long. */
static void specials_below(struct walker *k, size_t n, size_t *lo, size_t *hi)
{
    if (*lo >= *hi)
        return;
    char saved = k->path[n], saved2 = k->path[n + 1];
    k->path[n + 1] = '\0';
    k->path[n] = '/';
    size_t from = lower_bound(k, *lo, *hi, k->path);
    k->path[n] = '/' + 1;
    size_t to = lower_bound(k, from, *hi, k->path);
    k->path[n] = saved;
    k->path[n + 1] = saved2;
    *lo = from;
    *hi = to;
}

static bool is_special(const struct walker *k, size_t lo, size_t hi)
{
    size_t i = lower_bound(k, lo, hi, k->path);
    return i < hi && str_eq(k->specials[i], k->path);
}

/* ---- matches ---- */

static struct record *put_record(struct walker *k, size_t path_n, ptrdiff_t pattern,
                                 const struct stat *st, struct error *err)
{
    if (++k->matches > SURVEY_MAX_MATCHES || k->out.n > SURVEY_MAX_RESULT_BYTES) {
        error_set(err, -E2BIG, "the patterns to be masked match more than %zu files",
                  k->matches - 1);
        return NULL;
    }
    struct record *r = extend(&k->out, sizeof(*r) + path_n);
    if (!r) {
        walk_failed(err, -ENOMEM, k->path);
        return NULL;
    }
    *r = (struct record){.dev = st->st_dev,
                         .ino = st->st_ino,
                         .nlink = st->st_nlink,
                         .pattern = pattern,
                         .kind = kind_of_mode(st->st_mode),
                         .path_n = path_n};
    memcpy(r + 1, k->path, path_n);
    return r;
}

static int record_error(const struct walker *k)
{
    return k->matches > SURVEY_MAX_MATCHES || k->out.n > SURVEY_MAX_RESULT_BYTES ? -E2BIG : -ENOMEM;
}

/* 1: it is there. */
static int match_found(struct walker *k, int dirfd, const char *name, size_t path_n,
                       ptrdiff_t pattern, struct error *err)
{
    struct stat st;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return put_record(k, path_n, pattern, &st, err) ? 1 : record_error(k);
    if (errno == ENOENT)
        return 0;
    /* Listed, but not to be looked at: the directory may not be searched, so neither can the
     * command open what is in it, unless the directory is its own to change. */
    if (errno == EACCES && fstat(dirfd, &st) == 0 && st.st_uid != geteuid())
        return 0;
    return errno == EACCES ? -EACCES : walk_failed(err, -errno, k->path);
}

/* ---- one directory ---- */

/* Why reading a directory ended early, besides errors. */
enum { READ_DONE = 0, READ_SHUT = 1 };

static int put_child(struct walker *k, struct glob_node *node, const char *name, size_t n,
                     struct error *err)
{
    struct child *c = extend(&k->children, sizeof(*c) + n + 1);
    if (!c)
        return walk_failed(err, -ENOMEM, k->path);
    c->node = node;
    c->size = (sizeof(*c) + n + 1 + 7) / 8 * 8;
    memcpy(c + 1, name, n + 1);
    return 0;
}

/* The rest of what is to be done about a name that is a directory or that matches. k->path is to be
 * completed with it. */
static int take_name(struct walker *k, struct frame *f, struct glob_node *node, const char *name,
                     size_t n, bool is_dir, ptrdiff_t pattern, struct error *err)
{
    struct glob_node *next = NULL;
    if (is_dir) {
        pattern = glob_match_dir(k->w->globs, node, name, n, f->depth, &next);
        if (pattern == -2)
            return walk_failed(err, -ENOMEM, k->path);
        if (pattern < 0 && !next)
            return READ_DONE;
    }
    size_t path_n = f->path_n + 1 + n;
    if (path_n >= MAX_PATH_BYTES)
        return READ_SHUT;
    int r = READ_DONE;
    k->path[f->path_n] = '/';
    memcpy(k->path + f->path_n + 1, name, n + 1);
    if (pattern >= 0) {
        r = match_found(k, f->fd, name, path_n, pattern, err);
        f->matched += r == 1;
        r = r == -EACCES ? READ_SHUT : r == 1 ? READ_DONE : r;
    } else if (f->lo >= f->hi || !is_special(k, f->lo, f->hi)) {
        r = put_child(k, next, name, n, err);
    }
    k->path[f->path_n] = '\0';
    return r;
}

/* d_type, asked for where the file system does not tell. */
static unsigned type_of(int dirfd, const struct linux_dirent64 *e)
{
    struct stat st;
    if (e->d_type != 0 /* DT_UNKNOWN */)
        return e->d_type;
    if (fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    return (st.st_mode & S_IFMT) >> 12;
}

/* The terminator is among the last eight bytes of a record. */
static size_t name_length(const struct linux_dirent64 *e)
{
    size_t most = e->d_reclen - offsetof(struct linux_dirent64, d_name);
    size_t from = most > 8 ? most - 8 : 0;
    return from + strnlen(e->d_name + from, most - from);
}

static bool is_dot(const char *name)
{
    return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

static int read_entries(struct walker *k, struct frame *f, struct glob_node *node, size_t bytes,
                        struct error *err)
{
    const unsigned dt_dir = S_IFDIR >> 12;
    for (size_t at = 0; at < bytes;) {
        const void *p = k->buf + at;
        const struct linux_dirent64 *e = p;
        at += e->d_reclen;
        k->scanned++;
        size_t n = name_length(e);
        unsigned type = type_of(f->fd, e);
        ptrdiff_t pattern = -1;
        if (type == dt_dir) {
            if (is_dot(e->d_name))
                continue;
            f->names++;
        } else {
            f->names++;
            pattern = glob_match_name(k->w->globs, node, e->d_name, n, f->depth);
            if (pattern < 0)
                continue;
        }
        int r = take_name(k, f, node, e->d_name, n, type == dt_dir, pattern, err);
        if (r != READ_DONE)
            return r;
    }
    return READ_DONE;
}

static int check_bounds(const struct walker *k, struct error *err)
{
    if (k->scanned <= SURVEY_MAX_SCANNED)
        return 0;
    error_set(err, -E2BIG, "looking for files to mask went past %u names", SURVEY_MAX_SCANNED);
    error_hint(err, "set glob_scan_max_depth, or begin the patterns with a directory");
    return -E2BIG;
}

/* Masks the directory k->path (N long) whole, because of some pattern that is open in NODE. */
static int shut(struct walker *k, size_t n, const struct glob_node *node, const struct stat *st,
                struct error *err)
{
    struct record *r = put_record(k, n, glob_any_pattern(k->w->globs, node), st, err);
    if (!r)
        return record_error(k);
    r->shut = true;
    return 0;
}

/* Everything in the directory k->path (N long) has matched. */
static int put_full(struct walker *k, int fd, size_t n, const struct glob_node *node,
                    struct error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return walk_failed(err, -errno, k->path);
    struct record *r = put_record(k, n, glob_any_pattern(k->w->globs, node), &st, err);
    if (!r)
        return record_error(k);
    r->full = true;
    return 0;
}

/* Reads the directory k->path (N long), owning FD; its children become a frame. */
static int enter(struct walker *k, int fd_, size_t n, size_t depth, struct glob_node *node,
                 size_t lo, size_t hi, struct error *err)
{
    _cleanup_fd_ int fd = fd_;
    struct frame f = {
        .fd = fd, .path_n = n, .depth = depth, .first = k->children.n, .lo = lo, .hi = hi};
    specials_below(k, n, &f.lo, &f.hi);
    for (;;) {
        long got = syscall(SYS_getdents64, fd, k->buf, READ_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0 || (got < 0 && errno == ENOENT)) /* the end; removed meanwhile */
            break;
        if (got < 0)
            return walk_failed(err, -errno, k->path);
        int r = read_entries(k, &f, node, (size_t)got, err);
        if (r == READ_SHUT) {
            struct stat st;
            k->children.n = f.first;
            k->path[n] = '\0';
            if (fstat(fd, &st) < 0)
                return walk_failed(err, -errno, k->path);
            return shut(k, n, node, &st, err);
        }
        if (r < 0)
            return r;
    }
    int r = check_bounds(k, err);
    if (r == 0 && k->w->wants_full && f.names > 1 && f.matched == f.names)
        r = put_full(k, fd, n, node, err);
    if (r < 0 || k->children.n == f.first)
        return r;
    struct frame *slot = vec_push(&k->frames);
    if (!slot)
        return walk_failed(err, -ENOMEM, k->path);
    f.next = f.first;
    f.end = k->children.n;
    f.fd = k->frames.n <= MAX_OPEN_DEPTH ? steal_fd(&fd) : -1;
    *slot = f;
    return 0;
}

/* The directory k->path is N long and cannot be opened or looked at. When it belongs to us, so that
 * the command could change its mode, it is masked. */
static int refused(struct walker *k, size_t n, const struct glob_node *node, struct error *err)
{
    struct stat st;
    k->path[n] = '\0';
    if (fstatat(AT_FDCWD, n ? k->path : "/", &st, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno == ENOENT)
            return 0;
        return errno == EACCES ? -EACCES : walk_failed(err, -errno, k->path);
    }
    return st.st_uid == geteuid() ? shut(k, n, node, &st, err) : 0;
}

/* Opening the directory k->path failed. READ_SHUT: its parent, which may not be searched, was dealt
 * with, and so were all its children. */
static int not_entered(struct walker *k, int error, size_t n, const struct glob_node *node,
                       struct error *err)
{
    if (error == -ENOENT || error == -ENOTDIR || error == -ELOOP)
        return 0; /* gone or replaced meanwhile */
    if (error != -EACCES)
        return walk_failed(err, error, k->path);
    int r = refused(k, n, node, err);
    if (r != -EACCES)
        return r;
    while (n && k->path[--n] != '/')
        ;
    r = refused(k, n, node, err);
    return r < 0 && r != -EACCES ? r : READ_SHUT;
}

#define OPEN_DIR (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)

static int open_absolute(const struct walker *k, size_t n)
{
    return path_openat2(AT_FDCWD, n ? k->path : "/", OPEN_DIR, 0, UAPI_RESOLVE_NO_SYMLINKS);
}

/* ---- the pool ---- */

static struct slot *slot_at(const struct pool *p, size_t i)
{
    void *s = p->slots + i * p->slot_size;
    return s;
}

static bool take_slot(struct slot *s, int from, int to)
{
    return atomic_compare_exchange_strong(&s->state, &from, to);
}

/* The child whose record stands at the shallowest frame's front goes to whoever is idle. */
static void donate(struct walker *k)
{
    struct frame *f = k->frames.v, *end = f + k->frames.n;
    while (f < end && f->next == f->end)
        f++;
    if (f == end)
        return;
    const void *at = k->children.v + f->next;
    const struct child *c = at;
    const char *name = (const char *)(c + 1);
    size_t n = strlen(name);
    for (size_t i = 0; i < POOL_SLOTS; i++) {
        struct slot *s = slot_at(k->pool, i);
        if (!take_slot(s, SLOT_EMPTY, SLOT_WRITING))
            continue;
        memcpy(s->path, k->path, f->path_n);
        s->path[f->path_n] = '/';
        memcpy(s->path + f->path_n + 1, name, n + 1);
        s->n = (unsigned)(f->path_n + 1 + n);
        memcpy(s->set, c->node->set, k->w->globs->words * sizeof(uint64_t));
        f->next += c->size;
        atomic_fetch_add(&k->pool->pending, 1);
        atomic_fetch_add(&k->pool->ready, 1);
        atomic_store(&s->state, SLOT_READY);
        return;
    }
}

static int run_frames(struct walker *k, struct error *err);

/* Walks one task of the pool. 1: did; 0: there was none. */
static int take_task(struct walker *k, struct error *err)
{
    for (size_t i = 0; i < POOL_SLOTS; i++) {
        struct slot *s = slot_at(k->pool, i);
        if (!take_slot(s, SLOT_READY, SLOT_READING))
            continue;
        atomic_fetch_sub(&k->pool->ready, 1);
        size_t n = s->n;
        struct glob_node *node = NULL;
        memcpy(k->path, s->path, n + 1);
        int r = glob_set_node(k->w->globs, s->set, &node);
        atomic_store(&s->state, SLOT_EMPTY);
        if (r < 0)
            return walk_failed(err, r, k->path);
        int fd = open_absolute(k, n);
        r = fd < 0 ? not_entered(k, fd, n, node, err)
                   : enter(k, fd, n, path_depth(k->path), node, 0, k->n_specials, err);
        if (r == 0)
            r = run_frames(k, err);
        if (r < 0)
            return r; /* of the task; READ_SHUT is as good as done */
        atomic_fetch_sub(&k->pool->pending, 1);
        return 1;
    }
    return 0;
}

static void nap(void)
{
    struct timespec t = {.tv_nsec = 20000};
    (void)nanosleep(&t, NULL);
}

/* ---- helpers ---- */

/* Takes tasks until there are none left anywhere. */
static int work_off(struct walker *k, bool (*alive)(struct walker *k), struct error *err)
{
    for (unsigned idle = 0; atomic_load(&k->pool->pending) > 0 && !atomic_load(&k->pool->stop);) {
        int r = atomic_load(&k->pool->ready) > 0 ? take_task(k, err) : 0;
        if (r < 0)
            return r;
        if (r > 0) {
            idle = 0;
        } else if (++idle < 50) {
            (void)sched_yield();
        } else {
            if (!alive(k))
                return error_set(err, -ECHILD,
                                 "a helper process that looked for files to mask died");
            nap();
        }
    }
    return 0;
}

static bool parent_alive(struct walker *k)
{
    return getppid() == k->parent;
}

static _noreturn_ void helper(struct walker *k, unsigned i)
{
    struct worker_result *result = &k->pool->results[i];
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!parent_alive(k))
        _exit(1);
    /* What the parent has begun stays the parent's. The descriptors go with this process. */
    k->frames.n = k->children.n = k->out.n = 0;
    k->scanned = k->matches = 0;
    int r = work_off(k, parent_alive, &result->err);
    if (r == 0 && k->out.n && (r = fd_write_all(k->files[i], k->out.v, k->out.n)) < 0)
        error_errno(&result->err, r, "cannot hand over the files to mask");
    result->code = r;
    result->scanned = k->scanned;
    result->bytes = k->out.n;
    if (r < 0)
        atomic_store(&k->pool->stop, true);
    atomic_store(&result->done, true);
    _exit(0);
}

static bool has_ended(pid_t pid)
{
    /* WNOWAIT: collected once, at the end. ECHILD where SIGCHLD is ignored and the helper is gone.
     */
    siginfo_t info = {0};
    int r = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
    return r < 0 ? errno == ECHILD : info.si_pid == pid;
}

static bool helpers_alive(struct walker *k)
{
    for (unsigned i = 0; i < k->n_workers; i++)
        if (has_ended(k->pids[i]) && !atomic_load(&k->pool->results[i].done))
            return false;
    return true;
}

static unsigned processors(const struct walk *w)
{
    cpu_set_t set;
    if (w->workers)
        return MIN_OF(w->workers, WALK_MAX_WORKERS);
    if (sched_getaffinity(0, sizeof(set), &set) < 0)
        return 1;
    return MIN_OF((unsigned)CPU_COUNT(&set), WALK_MAX_WORKERS);
}

static int memory_file(void)
{
    const unsigned noexec = 8u; /* MFD_NOEXEC_SEAL, kernel 6.3 */
    int fd = memfd_create("bawn-survey", MFD_CLOEXEC | noexec);
    return fd < 0 && errno == EINVAL ? memfd_create("bawn-survey", MFD_CLOEXEC) : fd;
}

/* Starts the helpers; where something is not to be had, the walk goes on alone. */
static void start_helpers(struct walker *k)
{
    unsigned want = processors(k->w) - 1;
    k->alone = true;
    if (want == 0)
        return;
    size_t slot_size = (sizeof(struct slot) + k->w->globs->words * 8 + 63) / 64 * 64;
    size_t head = (sizeof(struct pool) + 63) / 64 * 64;
    size_t size = head + POOL_SLOTS * slot_size;
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return;
    k->pool = p;
    k->pool_bytes = size;
    k->pool->slot_size = slot_size;
    k->pool->slots = (char *)p + head;
    atomic_store(&k->pool->pending, 1); /* this process's own */
    k->parent = getpid();
    for (unsigned i = 0; i < want; i++) {
        int fd = memory_file();
        pid_t pid;
        if (fd < 0)
            break;
        k->files[i] = fd;
        pid = fork();
        if (pid == 0)
            helper(k, i);
        if (pid < 0) {
            fd_close(fd);
            break;
        }
        k->pids[k->n_workers++] = pid;
        k->alone = false;
    }
}

/* One helper's matches become ours. */
static int collect(struct walker *k, unsigned i, struct error *err)
{
    const struct worker_result *result = &k->pool->results[i];
    if (!atomic_load(&result->done))
        return error_set(err, -ECHILD, "a helper process that looked for files to mask died");
    k->scanned += result->scanned;
    if (result->bytes == 0)
        return 0;
    char *p = extend(&k->out, result->bytes);
    if (!p)
        return walk_failed(err, -ENOMEM, "");
    for (size_t at = 0; at < result->bytes;) {
        ssize_t n = pread(k->files[i], p + at, result->bytes - at, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return walk_failed(err, n < 0 ? -errno : -EIO, "");
        at += (size_t)n;
    }
    return 0;
}

/* What a helper failed with, before what others stopped for. */
static int helpers_failure(const struct walker *k, int r, struct error *err)
{
    for (unsigned i = 0; i < k->n_workers; i++) {
        const struct worker_result *result = &k->pool->results[i];
        if (atomic_load(&result->done) && result->code < 0 && result->code != -ECANCELED) {
            if (err)
                *err = result->err;
            return result->code;
        }
    }
    return r;
}

static int finish_helpers(struct walker *k, int r, struct error *err)
{
    if (!k->pool)
        return r;
    if (r < 0)
        atomic_store(&k->pool->stop, true);
    atomic_fetch_sub(&k->pool->pending, 1);
    if (r == 0)
        r = work_off(k, helpers_alive, err);
    if (r < 0)
        atomic_store(&k->pool->stop, true);
    for (unsigned i = 0; i < k->n_workers; i++)
        while (waitpid(k->pids[i], NULL, 0) < 0 && errno == EINTR)
            ;
    if (r == 0 || r == -ECANCELED)
        r = helpers_failure(k, r, err);
    for (unsigned i = 0; i < k->n_workers; i++) {
        if (r == 0)
            r = collect(k, i, err);
        fd_close(k->files[i]);
    }
    (void)munmap(k->pool, k->pool_bytes);
    k->pool = NULL;
    return r;
}

/* ---- the loop ---- */

static int next_child(struct walker *k, struct error *err)
{
    struct frame *f = &k->frames.v[k->frames.n - 1];
    if (f->next == f->end) {
        fd_close(f->fd);
        k->children.n = f->first;
        k->frames.n--;
        return 0;
    }
    const void *at = k->children.v + f->next;
    const struct child *c = at;
    const char *name = (const char *)(c + 1);
    size_t n = f->path_n + 1 + strlen(name);
    struct glob_node *node = c->node;
    f->next += c->size;
    k->path[f->path_n] = '/';
    memcpy(k->path + f->path_n + 1, name, n - f->path_n);
    int fd = f->fd >= 0 ? openat(f->fd, name, OPEN_DIR) : open_absolute(k, n);
    if (fd < 0) {
        int r = not_entered(k, f->fd >= 0 ? -errno : fd, n, node, err);
        if (r == READ_SHUT)
            f->next = f->end;
        return r < 0 ? r : 0;
    }
    return enter(k, fd, n, f->depth + 1, node, f->lo, f->hi, err);
}

static int run_frames(struct walker *k, struct error *err)
{
    int r = 0;
    size_t fork_after = k->w->fork_after ? k->w->fork_after : FORK_AFTER;
    while (r == 0 && k->frames.n) {
        if (k->pool) {
            if (atomic_load_explicit(&k->pool->stop, memory_order_relaxed))
                return error_set(err, -ECANCELED, "another part of the walk failed");
            if (atomic_load_explicit(&k->pool->ready, memory_order_relaxed) <= (int)k->n_workers)
                donate(k);
        } else if (!k->alone && k->scanned > fork_after) {
            start_helpers(k);
        }
        r = next_child(k, err);
    }
    return r;
}

static int walk_start(struct walker *k, const char *start, struct error *err)
{
    struct glob_node *node;
    int r = glob_set_start(k->w->globs, start, &node);
    if (r < 0)
        return walk_failed(err, r, start);
    size_t n = str_eq(start, "/") ? 0 : strlen(start);
    if (!node || n >= MAX_PATH_BYTES)
        return 0;
    memcpy(k->path, start, n);
    k->path[n] = '\0';
    int fd = open_absolute(k, n);
    if (fd < 0) {
        r = not_entered(k, fd, n, node, err);
        return r < 0 ? r : 0;
    }
    r = enter(k, fd, n, path_depth(start), node, 0, k->n_specials, err);
    return r < 0 ? r : run_frames(k, err);
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int sort_specials(struct walker *k)
{
    const struct walk *w = k->w;
    k->specials = mem_zalloc(w->n_starts + w->n_skips + 2, sizeof(*k->specials));
    if (!k->specials)
        return -ENOMEM;
    for (size_t i = 0; i < w->n_starts; i++)
        k->specials[k->n_specials++] = w->starts[i];
    for (size_t i = 0; i < w->n_skips; i++)
        k->specials[k->n_specials++] = w->skips[i];
    k->specials[k->n_specials++] = "/proc";
    k->specials[k->n_specials++] = "/sys";
    qsort(k->specials, k->n_specials, sizeof(*k->specials), compare_paths);
    return 0;
}

static int report_all(struct walker *k, struct error *err)
{
    for (size_t at = 0; at < k->out.n;) {
        const void *p = k->out.v + at;
        const struct record *r = p;
        struct walk_match m = {.pattern = r->pattern,
                               .kind = (enum file_kind)r->kind,
                               .dev = r->dev,
                               .ino = r->ino,
                               .nlink = r->nlink,
                               .shut = r->shut,
                               .full = r->full};
        m.path = r->path_n ? arena_strndup(k->w->a, (const char *)(r + 1), r->path_n) : "/";
        if (!m.path)
            return walk_failed(err, -ENOMEM, "");
        at += (sizeof(*r) + r->path_n + 7) / 8 * 8;
        int e = k->w->report(k->w->data, &m, err);
        if (e < 0)
            return e;
    }
    return 0;
}

int walk_globs(struct walk *w, struct error *err)
{
    if (w->n_starts == 0)
        return 0;
    struct walker *k = mem_zalloc(1, sizeof(*k));
    if (!k)
        return walk_failed(err, -ENOMEM, "");
    k->w = w;
    k->buf = mem_alloc(READ_BYTES);
    int r = k->buf ? sort_specials(k) : -ENOMEM;
    if (r < 0)
        walk_failed(err, r, "");
    for (size_t i = 0; r == 0 && i < w->n_starts; i++)
        if (!path_is_below(w->starts[i], "/proc") && !path_is_below(w->starts[i], "/sys"))
            r = walk_start(k, w->starts[i], err);
    r = finish_helpers(k, r, err);
    if (r == 0)
        r = check_bounds(k, err);
    if (r == 0)
        r = report_all(k, err);
    vec_foreach (f, &k->frames)
        fd_close(f->fd);
    vec_release(&k->frames);
    vec_release(&k->children);
    vec_release(&k->out);
    mem_free(k->specials);
    mem_free(k->buf);
    mem_free(k);
    return r;
}

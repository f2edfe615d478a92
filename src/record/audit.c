/*
 * Appending to the audit log. See audit.h.
 *
 * Under the lock: which month's file, the hash of its last record (read from its end backwards),
 * one write. A file that was begun stays in use until a later month begins, also when the clock is
 * set back: the chain follows the order of the files.
 *
 * What a crash or a full disk left at the end without a newline is evidence. It is not removed: the
 * next record gets a newline before it, goes on from the last whole record, and verification shows
 * the torn line.
 *
 * The lock file has mode 0200. A command in the sandbox sees $BAWN_HOME read-only, and a lock can
 * be had on any descriptor, also one for reading: a file that its owner can open for writing only
 * is one that such a command cannot hold.
 */
#include "record/audit_internal.h"

#include "base/fd.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_PATIENCE_MS 5000
#define TAIL_FIRST       8192u

struct audit {
    int dirfd, lockfd;
    char dir[MAX_PATH_BYTES]; /* for messages */
};

/* ---- months ---- */

void audit_month_name(int month, char ret[AUDIT_NAME_BYTES])
{
    (void)snprintf(ret, AUDIT_NAME_BYTES, "%04u-%02u.jsonl", (unsigned)month / 12 % 10000,
                   (unsigned)month % 12 + 1);
}

/* -1: not the name of a month's file. */
static int month_of_name(const char *name)
{
    char again[AUDIT_NAME_BYTES];
    int v = 0;
    if (strlen(name) != AUDIT_NAME_BYTES - 1)
        return -1;
    for (int i = 0; i < 7; i++) {
        if (i == 4)
            continue;
        if (name[i] < '0' || name[i] > '9')
            return -1;
        v = v * 10 + (name[i] - '0');
    }
    int month = v / 100 * 12 + v % 100 - 1;
    if (v % 100 < 1 || v % 100 > 12)
        return -1;
    audit_month_name(month, again);
    return str_eq(name, again) ? month : -1;
}

static int by_number(const void *a, const void *b)
{
    const int *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static bool note_name(void *data, const char *name)
{
    struct audit_months *m = data;
    int month = month_of_name(name);
    if (month >= 0) {
        int *slot = vec_push_max(&m->months, MAX_AUDIT_FILES);
        if (slot)
            *slot = month;
        else
            m->failed = -errno;
    } else if (m->strangers && !str_eq(name, AUDIT_LOCK)) {
        strbuf_put(m->strangers, name, strlen(name) + 1);
    }
    return m->failed == 0;
}

int audit_months_list(int dirfd, struct audit_months *m)
{
    _cleanup_fd_ int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd < 0 ? -errno : directory_each(fd, note_name, m);
    if (r == 0)
        r = m->failed;
    if (r == 0 && m->months.n > 1)
        qsort(m->months.v, m->months.n, sizeof(*m->months.v), by_number);
    return r;
}

void audit_months_release(struct audit_months *m)
{
    vec_release(&m->months);
}

/* ---- lines ---- */

static bool is_hash(const char *p)
{
    for (size_t i = 0; i < SHA256_HEX_BYTES - 1; i++)
        if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f')))
            return false;
    return true;
}

static const char head[] = "{\"prev\":\"", between[] = "\",", tail[] = ",\"hash\":\"",
                  end[] = "\"}";
#define HASH_CHARS (SHA256_HEX_BYTES - 1)
#define TAIL_CHARS (sizeof(tail) - 1 + HASH_CHARS + sizeof(end) - 1)

bool audit_split(struct bytes line, const char **ret_prev, const char **ret_hash)
{
    const size_t n_head = sizeof(head) - 1, n_between = sizeof(between) - 1;
    if (line.n < n_head + HASH_CHARS + n_between + TAIL_CHARS)
        return false;
    const char *prev = line.p + n_head, *last = line.p + line.n - TAIL_CHARS;
    const char *hash = last + sizeof(tail) - 1;
    if (memcmp(line.p, head, n_head) != 0 || !is_hash(prev) ||
        memcmp(prev + HASH_CHARS, between, n_between) != 0 ||
        memcmp(last, tail, sizeof(tail) - 1) != 0 || !is_hash(hash) ||
        memcmp(hash + HASH_CHARS, end, sizeof(end) - 1) != 0)
        return false;
    *ret_prev = prev;
    *ret_hash = hash;
    return true;
}

void audit_line_hash(struct bytes line, char ret[SHA256_HEX_BYTES])
{
    struct sha256 s;
    unsigned char digest[SHA256_BYTES];
    sha256_init(&s);
    sha256_put(&s, line.p, line.n - TAIL_CHARS);
    sha256_put(&s, "}", 1);
    sha256_end(&s, digest);
    sha256_hex(digest, ret);
}

/* ---- the lock ---- */

int audit_lock_open(int dirfd, bool make)
{
    const int flags = O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;
    struct stat st;
    int fd = openat(dirfd, AUDIT_LOCK, flags | (make ? O_CREAT : 0), 0200);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid()) {
        fd_close(fd);
        return -EPERM;
    }
    return fd;
}

int audit_lock(int fd)
{
    return fd_lock(fd, LOCK_PATIENCE_MS * 1000L);
}

void audit_unlock(int fd)
{
    (void)flock(fd, LOCK_UN);
}

/* ---- opening ---- */

/* Does what FD is belong to us, and to nobody else to write? */
static int check_ours(int fd, bool dir, const char *what, struct error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_errno(err, -errno, "the audit log cannot be used: %s", show(what));
    if (!dir && !S_ISREG(st.st_mode)) {
        (void)error_set(err, -EINVAL, "the audit log cannot be used: %s is not a regular file",
                        show(what));
        error_hint(err, "move it away");
        return -EINVAL;
    }
    if (st.st_uid != geteuid()) {
        (void)error_set(err, -EPERM,
                        "the audit log cannot be used: %s belongs to user %u, not to you",
                        show(what), (unsigned)st.st_uid);
        error_hint(err, "run bawn as that user, or set BAWN_HOME to a directory of your own");
        return -EPERM;
    }
    if (st.st_mode & 022) {
        (void)error_set(err, -EPERM, "the audit log cannot be used: others can write %s",
                        show(what));
        error_hint(err, "chmod go-w %s", show(what));
        return -EPERM;
    }
    return 0;
}

static int cannot_make(struct error *err, int code, const char *dir)
{
    (void)error_errno(err, code, "the audit log cannot be used: %s/" AUDIT_DIR, show(dir));
    error_hint(err, "every decision is recorded there: make it writable, or set BAWN_HOME");
    return code;
}

static int open_dir(const char *dir, struct error *err)
{
    int r = path_mkdirs(dir, 0700);
    _cleanup_fd_ int home = r < 0 ? -1 : open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (home < 0)
        return cannot_make(err, r < 0 ? r : -errno, dir);
    if (mkdirat(home, AUDIT_DIR, 0700) < 0 && errno != EEXIST)
        return cannot_make(err, -errno, dir);
    int fd = openat(home, AUDIT_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == ENOTDIR || errno == ELOOP)) {
        (void)error_set(err, -ENOTDIR,
                        "the audit log cannot be used: %s/" AUDIT_DIR
                        " is not a directory of its own",
                        show(dir));
        error_hint(err, "move it away");
        return -ENOTDIR;
    }
    return fd < 0 ? cannot_make(err, -errno, dir) : fd;
}

static const char *name_in(const struct audit *audit, const char *name, char ret[MAX_PATH_BYTES])
{
    (void)snprintf(ret, MAX_PATH_BYTES, "%s/%s", audit->dir, name);
    return ret;
}

/* The file of MONTH: O_RDWR to read its end and append, O_RDONLY for one that is finished. */
static int open_month(const struct audit *audit, int month, int flags, struct error *err)
{
    char name[AUDIT_NAME_BYTES], path[MAX_PATH_BYTES];
    audit_month_name(month, name);
    /* O_NONBLOCK: a FIFO in its place must not stop us. */
    flags |= O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    int fd = openat(audit->dirfd, name, flags, 0600);
    if (fd < 0) {
        int code = -errno;
        (void)error_errno(err, code, "the audit log cannot be used: %s",
                          show(name_in(audit, name, path)));
        if (code == -ELOOP || code == -EISDIR)
            error_hint(err, "move it away");
        else if (code == -EACCES)
            error_hint(err, "chmod u+rw %s", show(path));
        return code;
    }
    int r = check_ours(fd, false, name_in(audit, name, path), err);
    if (r < 0)
        fd_close(fd);
    return r < 0 ? r : fd;
}

/* Could an append be made now? */
static int check_writable(const struct audit *audit, struct error *err)
{
    _cleanup_(audit_months_release) struct audit_months m = {0};
    int r = audit_months_list(audit->dirfd, &m);
    if (r == 0 && faccessat(audit->dirfd, ".", W_OK | X_OK, AT_EACCESS) < 0)
        r = -errno;
    if (r < 0)
        return error_errno(err, r, "the audit log cannot be used: %s", show(audit->dir));
    if (m.months.n == 0)
        return 0;
    r = open_month(audit, m.months.v[m.months.n - 1], O_RDWR, err);
    fd_close(r);
    return MIN_OF(r, 0);
}

int audit_open(const char *dir, struct audit **ret, struct error *err)
{
    struct audit *audit = mem_zalloc(1, sizeof(*audit));
    if (!audit)
        return error_set(err, -ENOMEM, "the audit log cannot be used: out of memory");
    audit->lockfd = -1;
    (void)snprintf(audit->dir, sizeof(audit->dir), "%s/" AUDIT_DIR, dir);
    int r = audit->dirfd = open_dir(dir, err);
    if (r >= 0)
        r = check_ours(audit->dirfd, true, audit->dir, err);
    if (r >= 0) {
        r = audit->lockfd = audit_lock_open(audit->dirfd, true);
        if (r < 0)
            (void)error_errno(err, r, "the audit log cannot be used: %s/" AUDIT_LOCK,
                              show(audit->dir));
    }
    if (r >= 0)
        r = check_writable(audit, err);
    if (r < 0) {
        audit_close(audit);
        return r;
    }
    *ret = audit;
    return 0;
}

void audit_close(struct audit *audit)
{
    if (!audit)
        return;
    fd_close(audit->dirfd);
    fd_close(audit->lockfd);
    mem_free(audit);
}

/* ---- the last record ---- */

/* In the N bytes at P, the end of a file: the last whole line that is a record. WHOLE: P is the
 * file's beginning. 1: found; 0: there is none; -EAGAIN: it would begin before P. */
static int last_record(const char *p, size_t n, bool whole, char ret[SHA256_HEX_BYTES])
{
    const char *stop = memrchr(p, '\n', n), *prev, *hash;
    while (stop) {
        const char *before = stop > p ? memrchr(p, '\n', (size_t)(stop - p)) : NULL;
        if (!before && !whole)
            return -EAGAIN;
        const char *from = before ? before + 1 : p;
        if (audit_split((struct bytes){from, (size_t)(stop - from)}, &prev, &hash)) {
            memcpy(ret, hash, HASH_CHARS);
            ret[HASH_CHARS] = '\0';
            return 1;
        }
        stop = before;
    }
    return whole ? 0 : -EAGAIN;
}

static int read_at(int fd, char *p, size_t n, off_t at)
{
    while (n) {
        ssize_t got = pread(fd, p, n, at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -EIO;
        p += got;
        n -= (size_t)got;
        at += got;
    }
    return 0;
}

/* From the end of FD (SIZE bytes), as far back as is needed: the hash of its last record. 1, or 0
 * when there is none in the last two records' room. *ret_torn: the last line has no end. */
static int find_last(int fd, off_t size, char ret[SHA256_HEX_BYTES], bool *ret_torn)
{
    _cleanup_free_ char *buf = NULL;
    *ret_torn = false;
    for (size_t want = TAIL_FIRST; size > 0; want *= 4) {
        size_t n = (off_t)want < size ? want : (size_t)size;
        char *more = mem_resize(buf, n, 1);
        if (!more)
            return -ENOMEM;
        buf = more;
        int r = read_at(fd, buf, n, size - (off_t)n);
        if (r < 0)
            return r;
        *ret_torn = buf[n - 1] != '\n';
        r = last_record(buf, n, (off_t)n == size, ret);
        if (r != -EAGAIN)
            return r;
        if (n > 2 * MAX_RECORD_BYTES)
            return 0;
    }
    return 0;
}

/* What the next record of MONTH, whose file is FD, goes on from. */
static int find_prev(const struct audit *audit, const struct audit_months *m, int month, int fd,
                     off_t size, char ret[SHA256_HEX_BYTES], bool *ret_torn, struct error *err)
{
    bool torn;
    int r = find_last(fd, size, ret, ret_torn);
    for (size_t i = m->months.n; r == 0 && i > 0; i--) {
        struct stat st;
        if (m->months.v[i - 1] >= month)
            continue;
        _cleanup_fd_ int earlier = open_month(audit, m->months.v[i - 1], O_RDONLY, err);
        if (earlier < 0)
            return earlier;
        if (fstat(earlier, &st) < 0)
            return error_errno(err, -errno, "the audit log cannot be read");
        r = find_last(earlier, st.st_size, ret, &torn);
    }
    if (r < 0)
        return error_errno(err, r, "the audit log cannot be read");
    if (r == 0)
        memcpy(ret, AUDIT_NO_HASH, SHA256_HEX_BYTES);
    return 0;
}

/* ---- appending ---- */

/* What is appended at once: one decision about a command, or several about destinations. */
struct batch {
    const struct decision_event *decision; /* or NULL */
    const struct net_event *net;
    size_t n;
};

static int no_memory(struct error *err)
{
    return error_set(err, -ENOMEM, "the decision cannot be recorded: out of memory");
}

/* Appends line I of B to OUT; PREV becomes its hash. */
static int make_line(const struct batch *b, size_t i, char prev[SHA256_HEX_BYTES],
                     struct strbuf *out, struct error *err)
{
    _cleanup_strbuf_ struct strbuf line = {0};
    struct sha256 s;
    unsigned char digest[SHA256_BYTES];
    struct json j;
    json_begin(&j, &line);
    json_object(&j);
    json_kv_string(&j, "prev", prev);
    json_kv_string(&j, "event", b->decision ? "decision" : "network");
    if (b->decision)
        decision_event_json(b->decision, &j);
    else
        net_event_json(&b->net[i], &j);
    json_end_object(&j);
    if (!json_ok(&j))
        return no_memory(err);
    sha256_init(&s);
    sha256_put(&s, line.p, line.n);
    sha256_end(&s, digest);
    sha256_hex(digest, prev);
    const size_t before = out->n;
    strbuf_put(out, line.p, line.n - 1);
    strbuf_puts(out, tail);
    strbuf_puts(out, prev);
    strbuf_puts(out, end);
    strbuf_putc(out, '\n');
    if (strbuf_failed(out))
        return no_memory(err);
    if (out->n - before > MAX_RECORD_BYTES)
        return error_set(err, -E2BIG, "the decision cannot be recorded: more than %u bytes",
                         MAX_RECORD_BYTES);
    return 0;
}

/* One write(2). At the limit of a file's size the kernel sends a signal besides the error: it must
 * not end us between the two halves of a line. Returns the bytes, or a negative errno. */
static ssize_t write_once(int fd, const struct strbuf *text)
{
    sigset_t limit, old;
    struct timespec none = {0};
    ssize_t n;
    (void)sigemptyset(&limit);
    (void)sigaddset(&limit, SIGXFSZ);
    (void)sigprocmask(SIG_BLOCK, &limit, &old);
    do
        n = write(fd, text->p, text->n);
    while (n < 0 && errno == EINTR);
    int code = n < 0 ? -errno : 0;
    if (code == -EFBIG && !sigismember(&old, SIGXFSZ))
        (void)sigtimedwait(&limit, NULL, &none);
    (void)sigprocmask(SIG_SETMASK, &old, NULL);
    return n < 0 ? code : n;
}

static int write_line(const struct audit *audit, int fd, off_t size, const struct strbuf *text,
                      struct error *err)
{
    ssize_t n = write_once(fd, text);
    if (n == (ssize_t)text->n)
        return 0;
    int code = n < 0 ? (int)n : -ENOSPC;
    bool back = n < 0 || ftruncate(fd, size) == 0;
    (void)error_errno(err, code, "the decision cannot be recorded in %s%s", show(audit->dir),
                      back ? "" : ", and half a line stays there");
    if (code == -ENOSPC || code == -EDQUOT)
        error_hint(err, "make room on the disk, or set BAWN_HOME to another one");
    return code;
}

static int append_locked(struct audit *audit, const struct batch *b, int month, struct error *err)
{
    _cleanup_(audit_months_release) struct audit_months m = {0};
    _cleanup_strbuf_ struct strbuf line = {0};
    char prev[SHA256_HEX_BYTES];
    struct stat st;
    bool torn;
    int r = audit_months_list(audit->dirfd, &m);
    if (r < 0)
        return error_errno(err, r, "the audit log cannot be read: %s", show(audit->dir));
    if (m.months.n)
        month = MAX_OF(month, m.months.v[m.months.n - 1]);
    _cleanup_fd_ int fd = open_month(audit, month, O_RDWR | O_CREAT, err);
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        return error_errno(err, -errno, "the audit log cannot be read: %s", show(audit->dir));
    r = find_prev(audit, &m, month, fd, st.st_size, prev, &torn, err);
    if (r == 0 && torn)
        strbuf_putc(&line, '\n');
    for (size_t i = 0; r == 0 && i < b->n; i++)
        r = make_line(b, i, prev, &line, err);
    return r < 0 ? r : write_line(audit, fd, st.st_size, &line, err);
}

static int append(struct audit *audit, const struct batch *b, int64_t time_ms, struct error *err)
{
    char time[EVENT_TIME_BYTES], name[AUDIT_NAME_BYTES] = "";
    if (event_time(time_ms, time))
        (void)snprintf(name, sizeof(name), "%.7s.jsonl", time);
    int month = month_of_name(name);
    if (month < 0)
        return error_set(err, -EINVAL, "the decision cannot be recorded: its time is in no year");
    int r = audit_lock(audit->lockfd);
    if (r == -ETIMEDOUT) {
        (void)error_set(err, r,
                        "the decision cannot be recorded: %s/" AUDIT_LOCK
                        " has been held for %d seconds",
                        show(audit->dir), LOCK_PATIENCE_MS / 1000);
        error_hint(err, "fuser -v %s/" AUDIT_LOCK " names who holds it", show(audit->dir));
        return r;
    }
    if (r < 0)
        return error_errno(err, r, "the decision cannot be recorded: %s/" AUDIT_LOCK,
                           show(audit->dir));
    r = append_locked(audit, b, month, err);
    audit_unlock(audit->lockfd);
    return r;
}

int audit_append(struct audit *audit, const struct decision_event *e, struct error *err)
{
    const struct batch one = {.decision = e, .n = 1};
    return append(audit, &one, e->time_ms, err);
}

int audit_append_net(struct audit *audit, const struct net_event *events, size_t n,
                     struct error *err)
{
    const struct batch all = {.net = events, .n = n};
    return n ? append(audit, &all, events[n - 1].time_ms, err) : 0;
}

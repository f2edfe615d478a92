/*
 * Reading the audit log. See audit.h.
 *
 * How long each file is is looked up once, under the lock, and no file is read further: a record
 * that somebody writes meanwhile is not taken for a torn one. Where the lock cannot be had (another
 * user's log, a read-only disk) it is read without.
 */
#include "record/audit_internal.h"

#include "base/fd.h"
#include "base/json_read.h"
#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK 65536u

/* ---- walking ---- */

struct file {
    const char *path;
    int month;
    off_t size;
    const char *problem; /* why it is not read, or NULL */
};

enum line_end {
    LINE_WHOLE,
    LINE_TORN, /* the file ends in it */
    LINE_LONG, /* longer than a record can be; its text is left out */
};

struct walk {
    struct arena arena; /* paths */
    int dirfd;
    VEC(struct file) files; /* in order */
    /* Each may be NULL; non-zero ends the walk and is returned. */
    int (*begin)(void *data, const struct file *f);
    int (*line)(void *data, const struct file *f, uint64_t line, struct bytes text,
                enum line_end how);
    void *data;
};

static void walk_release(struct walk *w)
{
    fd_close(w->dirfd);
    vec_release(&w->files);
    arena_release(&w->arena);
}

static int open_file(int dirfd, int month)
{
    char name[AUDIT_NAME_BYTES];
    audit_month_name(month, name);
    return openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

static const char *problem_of(int fd, const struct stat *st)
{
    if (fd < 0 && errno == ELOOP)
        return "a symbolic link, not a file of the log";
    if (fd < 0)
        return "cannot be read";
    if (!S_ISREG(st->st_mode))
        return "not a regular file";
    return NULL;
}

static int note_file(struct walk *w, const char *dir, int month)
{
    char name[AUDIT_NAME_BYTES];
    struct stat st = {0};
    _cleanup_fd_ int fd = open_file(w->dirfd, month);
    if (fd >= 0 && fstat(fd, &st) < 0)
        return -errno;
    const char *problem = problem_of(fd, &st);
    struct file *f = vec_push(&w->files);
    audit_month_name(month, name);
    const char *path = arena_printf(&w->arena, "%s/" AUDIT_DIR "/%s", dir, name);
    if (!f || !path)
        return -ENOMEM;
    *f = (struct file){path, month, problem ? 0 : st.st_size, problem};
    return 0;
}

static int note_strangers(struct walk *w, const char *dir, const struct strbuf *names)
{
    for (size_t at = 0; at < names->n; at += strlen(names->p + at) + 1) {
        struct file *f = vec_push(&w->files);
        const char *path = arena_printf(&w->arena, "%s/" AUDIT_DIR "/%s", dir, names->p + at);
        if (!f || !path)
            return -ENOMEM;
        *f = (struct file){path, -1, 0, "no name of a file of the log"};
    }
    return strbuf_failed(names) ? -ENOMEM : 0;
}

/* The files and how long they are at one moment. */
static int take_files(struct walk *w, const char *dir)
{
    _cleanup_strbuf_ struct strbuf names = {0};
    _cleanup_(audit_months_release) struct audit_months m = {.strangers = &names};
    int r = audit_months_list(w->dirfd, &m);
    for (size_t i = 0; r == 0 && i < m.months.n; i++)
        r = note_file(w, dir, m.months.v[i]);
    return r == 0 ? note_strangers(w, dir, &names) : r;
}

/* 1: open; 0: there is no log. */
static int walk_open(struct walk *w, const char *dir, struct error *err)
{
    const char *path = arena_printf(&w->arena, "%s/" AUDIT_DIR, dir);
    w->dirfd = !path ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (w->dirfd < 0 && errno == ENOENT)
        return 0;
    if (w->dirfd < 0)
        return error_errno(err, -errno, "cannot read the audit log %s/" AUDIT_DIR, show(dir));
    _cleanup_fd_ int lock = audit_lock_open(w->dirfd, false);
    bool locked = lock >= 0 && audit_lock(lock) == 0;
    int r = take_files(w, dir);
    if (locked)
        audit_unlock(lock);
    return r < 0 ? error_errno(err, r, "cannot read the audit log %s/" AUDIT_DIR, show(dir)) : 1;
}

/* A file as lines, through a buffer that holds one record at most. */
struct lines {
    const struct walk *walk;
    const struct file *file;
    struct strbuf buf;
    uint64_t line;
    bool skipping; /* the rest of a line that was too long */
};

static int tell(struct lines *l, struct bytes text, enum line_end how)
{
    l->line++;
    return l->walk->line ? l->walk->line(l->walk->data, l->file, l->line, text, how) : 0;
}

/* The whole lines of the buffer; what is left of it moves to its beginning. */
static int tell_lines(struct lines *l)
{
    size_t at = 0;
    int r = 0;
    for (const char *stop; r == 0 && at < l->buf.n; at = (size_t)(stop - l->buf.p) + 1) {
        stop = memchr(l->buf.p + at, '\n', l->buf.n - at);
        if (!stop)
            break;
        struct bytes text = {l->buf.p + at, (size_t)(stop - l->buf.p) - at};
        if (!l->skipping)
            r = text.n >= MAX_RECORD_BYTES ? tell(l, (struct bytes){"", 0}, LINE_LONG)
                                           : tell(l, text, LINE_WHOLE);
        l->skipping = false;
    }
    l->buf.n -= at;
    if (at && l->buf.n)
        memmove(l->buf.p, l->buf.p + at, l->buf.n);
    if (r == 0 && l->buf.n > MAX_RECORD_BYTES && !l->skipping) {
        l->skipping = true;
        r = tell(l, (struct bytes){"", 0}, LINE_LONG);
    }
    if (l->skipping)
        l->buf.n = 0;
    return r;
}

static int walk_file(const struct walk *w, const struct file *f)
{
    struct lines l = {.walk = w, .file = f};
    char chunk[CHUNK];
    _cleanup_fd_ int fd = open_file(w->dirfd, f->month);
    int r = fd < 0 ? -errno : 0;
    for (off_t left = f->size; r == 0 && left > 0;) {
        ssize_t n = read(fd, chunk, MIN_OF((size_t)left, sizeof(chunk)));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            r = n < 0 ? -errno : 0;
            break;
        }
        left -= n;
        strbuf_put(&l.buf, chunk, (size_t)n);
        r = strbuf_failed(&l.buf) ? -ENOMEM : tell_lines(&l);
    }
    if (r == 0 && l.buf.n && !l.skipping)
        r = tell(&l, (struct bytes){l.buf.p, l.buf.n}, LINE_TORN);
    strbuf_release(&l.buf);
    return r;
}

static int walk_all(struct walk *w, const char *dir, struct error *err)
{
    int r = walk_open(w, dir, err);
    if (r <= 0)
        return r;
    for (size_t i = 0; i < w->files.n; i++) {
        const struct file *f = &w->files.v[i];
        r = w->begin ? w->begin(w->data, f) : 0;
        if (r == 0 && !f->problem)
            r = walk_file(w, f);
        if (r < 0)
            return error_errno(err, r, "cannot read %s", show(f->path));
        if (r > 0)
            return r;
    }
    return 0;
}

/* ---- each record ---- */

struct each {
    int (*see)(void *data, const char *file, uint64_t line, struct bytes text);
    void *data;
    int answer;
};

static int each_line(void *data, const struct file *f, uint64_t line, struct bytes text,
                     enum line_end how)
{
    struct each *e = data;
    const char *prev, *hash;
    if (how != LINE_WHOLE || !audit_split(text, &prev, &hash))
        return 0;
    e->answer = e->see(e->data, f->path, line, text);
    return e->answer != 0;
}

int audit_each(const char *dir,
               int (*see)(void *data, const char *file, uint64_t line, struct bytes text),
               void *data, struct error *err)
{
    struct each e = {see, data, 0};
    _cleanup_(walk_release) struct walk w = {.dirfd = -1, .line = each_line, .data = &e};
    int r = walk_all(&w, dir, err);
    return r < 0 ? r : e.answer;
}

/* ---- verification ---- */

struct verify {
    struct arena *arena;
    struct audit_report report;
    VEC(struct audit_fault) faults;
    char expected[SHA256_HEX_BYTES]; /* of the last record seen */
    const char *after;
    bool after_seen;
    bool first; /* of its file */
};

static int fault(struct verify *v, const char *file, uint64_t line, const char *what)
{
    if (v->faults.n >= MAX_AUDIT_FAULTS) {
        v->report.more_faults++;
        return 0;
    }
    struct audit_fault *f = vec_push(&v->faults);
    const char *name = arena_strdup(v->arena, file);
    if (!f || !name)
        return -ENOMEM;
    *f = (struct audit_fault){name, line, what};
    return 0;
}

static int verify_file(void *data, const struct file *f)
{
    struct verify *v = data;
    v->first = true;
    if (f->month >= 0)
        v->report.files++;
    v->report.bytes += (uint64_t)f->size;
    return f->problem ? fault(v, f->path, 0, f->problem) : 0;
}

/* A file is begun by a record of its month: it was not given another's name. (Later records may be
 * of an earlier month, where the clock was set back.) */
static int verify_month(struct verify *v, const struct file *f, uint64_t line, struct bytes text)
{
    _cleanup_arena_ struct arena a = {0};
    const struct json_value *record;
    int r = json_parse(&a, f->path, text, &record, NULL);
    if (r == -ENOMEM)
        return r;
    const char *time = r < 0 ? NULL : json_get_string(record, "time");
    char name[AUDIT_NAME_BYTES];
    audit_month_name(f->month, name);
    if (!time || strncmp(time, name, 7) != 0)
        return fault(v, f->path, line, "of another month than the file's name says");
    return 0;
}

static int verify_record(struct verify *v, const struct file *f, uint64_t line, struct bytes text,
                         const char *prev, const char *hash)
{
    char sum[SHA256_HEX_BYTES];
    int r = 0;
    audit_line_hash(text, sum);
    if (memcmp(sum, hash, SHA256_HEX_BYTES - 1) != 0)
        r = fault(v, f->path, line, "changed: its text has another hash");
    if (r == 0 && memcmp(prev, v->expected, SHA256_HEX_BYTES - 1) != 0)
        r = fault(v, f->path, line,
                  v->report.records == 0 ? "not the beginning: what came before is missing"
                  : v->first
                      ? "does not follow the file before: records or a month are missing"
                      : "does not follow the record before: something was removed, put in, moved "
                        "or changed");
    if (r == 0 && v->first)
        r = verify_month(v, f, line, text);
    v->first = false;
    v->report.records++;
    memcpy(v->expected, hash, SHA256_HEX_BYTES - 1);
    if (v->after_seen)
        v->report.after++;
    if (v->after && memcmp(v->after, hash, SHA256_HEX_BYTES - 1) == 0)
        v->after_seen = true;
    return r;
}

static int verify_line(void *data, const struct file *f, uint64_t line, struct bytes text,
                       enum line_end how)
{
    struct verify *v = data;
    const char *prev, *hash;
    if (how == LINE_TORN)
        return fault(v, f->path, line, "torn: the line has no end");
    if (how == LINE_LONG || !audit_split(text, &prev, &hash))
        return fault(v, f->path, line, "not a whole record");
    return verify_record(v, f, line, text, prev, hash);
}

static int report(struct verify *v, const char *dir, struct audit_report *ret)
{
    struct arena *a = v->arena;
    if (v->after && !v->after_seen) {
        const char *path = arena_printf(a, "%s/" AUDIT_DIR, dir);
        if (!path || fault(v, path, 0,
                           "no record has the hash that was asked for: the log was cut "
                           "off or written anew") < 0)
            return -ENOMEM;
    }
    struct audit_fault *faults = arena_zalloc(a, v->faults.n + 1, sizeof(*faults));
    v->report.last_hash = arena_strdup(a, v->expected);
    if (!faults || !v->report.last_hash)
        return -ENOMEM;
    if (v->faults.n)
        memcpy(faults, v->faults.v, v->faults.n * sizeof(*faults));
    v->report.faults = faults;
    v->report.n_faults = v->faults.n;
    *ret = v->report;
    return 0;
}

int audit_verify_after(struct arena *a, const char *dir, const char *after,
                       struct audit_report *ret, struct error *err)
{
    struct verify v = {.arena = a, .expected = AUDIT_NO_HASH, .after = after};
    v.after_seen = after && str_eq(after, AUDIT_NO_HASH); /* kept when nothing was there yet */
    _cleanup_(walk_release) struct walk w = {
        .dirfd = -1, .begin = verify_file, .line = verify_line, .data = &v};
    int r = walk_all(&w, dir, err);
    if (r >= 0) {
        r = report(&v, dir, ret);
        if (r < 0)
            (void)error_errno(err, r, "cannot read the audit log %s/" AUDIT_DIR, show(dir));
    }
    vec_release(&v.faults);
    return r;
}

int audit_verify(struct arena *a, const char *dir, struct audit_report *ret, struct error *err)
{
    return audit_verify_after(a, dir, NULL, ret, err);
}

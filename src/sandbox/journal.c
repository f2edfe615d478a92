/*
 * Placeholders, written down before they are made. See journal.h for what, journal_text.h for the
 * file format.
 *
 * Two locks on a journal file, which are independent of each other:
 *
 *   flock, shared      "I am alive and use these placeholders". Held from the first journal_hold()
 *                      until journal_close(); the kernel drops it when the process dies.
 *   flock, exclusive   "nobody uses them": whoever gets it removes the placeholders, then the file.
 *   OFD record lock    held while the file is read and appended to, and during a removal.
 *
 * An entry's life, each arrow crash-safe:
 *
 *   intent written -> directory made under a random name -> inode written -> renamed into place
 *
 * A crash before the second step leaves nothing; before the third an empty directory whose random
 * name is in the journal only; after it a directory known by its inode, under one of two names. So
 * there is no instant at which something stands on the disk that no journal knows.
 *
 * Usually there is a spare directory to be moved (spares.h); its inode is known before, so that
 * intent and inode are one write, for all names of a directory together, and the move is the rest.
 *
 * The last one out unlinks the journal while it holds the exclusive lock. Somebody who opened the
 * file before that and waits for the lock finds afterwards that the name no longer leads to what
 * was opened, and starts over.
 *
 * Trust: the state directory must be ours alone. The parent directories are the command's
 * playground: nothing in them is followed, and only an empty directory of the recorded device and
 * inode is removed.
 */
#include "sandbox/journal.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/sys.h"
#include "base/vec.h"
#include "sandbox/journal_text.h"
#include "sandbox/spares.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_NAME_BYTES       40
#define OPEN_TRIES            1000
#define STALE_SECONDS         (30 * 24 * 3600)
#define RENAME_NOREPLACE_FLAG 1u

struct journal_file {
    int fd;    /* the journal: flock shared */
    int dirfd; /* the directory the placeholders stand in, O_PATH */
    dev_t dev;
    ino_t ino;
    char name[FILE_NAME_BYTES];
};

struct journal {
    int dirfd; /* STATE_DIR/placeholders */
    VEC(struct journal_file) files;
    struct spares spares;
};

/* ---- locks ---- */

static int lock_file(int fd, int operation)
{
    while (flock(fd, operation) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

static int lock_changes(int fd, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
    while (fcntl(fd, F_OFD_SETLKW, &lock) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

/* Does NAME in DIRFD still lead to the file that FD is? */
static bool is_still(int dirfd, const char *name, int fd)
{
    struct stat a, b;
    return fstat(fd, &a) == 0 && fstatat(dirfd, name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* ---- the state directory ---- */

static int check_ours(const struct stat *st, const char *path, struct error *err)
{
    if (st->st_uid != geteuid())
        return error_set(err, -EPERM, "state directory %s belongs to user %u, not to you",
                         show(path), (unsigned)st->st_uid);
    if (st->st_mode & 022) {
        error_set(err, -EPERM, "state directory %s can be written by others (mode %04o)",
                  show(path), (unsigned)st->st_mode & 07777u);
        error_hint(err, "chmod 700 %s", show(path));
        return -EPERM;
    }
    return 0;
}

/* Opens NAME below DIRFD, a directory of ours that is no symlink. */
static int open_ours(int dirfd, const char *name, const char *shown, struct error *err)
{
    _cleanup_fd_ int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
        return error_set(err, -ENOTDIR, "state directory %s is a symlink or no directory",
                         show(shown));
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(err, -errno, "cannot open the state directory %s", show(shown));
    int r = check_ours(&st, shown, err);
    return r < 0 ? r : steal_fd(&fd);
}

static int open_state(const char *state_dir, struct error *err)
{
    int r;
    struct stat st;
    if (lstat(state_dir, &st) < 0 && errno == ENOENT && (r = path_mkdirs(state_dir, 0700)) < 0)
        return error_errno(err, r, "cannot make the state directory %s", show(state_dir));
    _cleanup_fd_ int state = open_ours(AT_FDCWD, state_dir, state_dir, err);
    if (state < 0)
        return state;
    if (mkdirat(state, "placeholders", 0700) < 0 && errno != EEXIST)
        return error_errno(err, -errno, "cannot make %s/placeholders", show(state_dir));
    r = open_ours(state, "placeholders", "placeholders", err);
    return r < 0 ? error_wrap(err, r, "in %s", show(state_dir)) : r;
}

/* ---- one journal file ---- */

static void file_name(char dst[FILE_NAME_BYTES], dev_t dev, ino_t ino)
{
    (void)snprintf(dst, FILE_NAME_BYTES, "%" PRIx64 "-%" PRIx64, (uint64_t)dev, (uint64_t)ino);
}

static bool parse_file_name(const char *name, dev_t *ret_dev, ino_t *ret_ino)
{
    char *end;
    errno = 0;
    unsigned long long dev = strtoull(name, &end, 16);
    if (errno || *end != '-')
        return false;
    unsigned long long ino = strtoull(end + 1, &end, 16);
    char again[FILE_NAME_BYTES];
    file_name(again, (dev_t)dev, (ino_t)ino);
    *ret_dev = (dev_t)dev;
    *ret_ino = (ino_t)ino;
    return errno == 0 && str_eq(again, name);
}

/* A regular file of ours that nobody else can write? */
static int check_file(int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    bool fine = S_ISREG(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 022) == 0 &&
                st.st_nlink <= 1;
    return fine ? 0 : -EPERM;
}

/* Reads and parses. A torn last line is left out of *ret. */
static int load(int fd, struct strbuf *buf, struct journal_text *ret)
{
    strbuf_clear(buf);
    char chunk[4096];
    for (off_t at = 0;;) {
        ssize_t n = pread(fd, chunk, sizeof(chunk), at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        at += n;
        if (at > (off_t)JOURNAL_MAX_BYTES)
            return -EFBIG;
        strbuf_put(buf, chunk, (size_t)n);
    }
    if (strbuf_failed(buf))
        return -ENOMEM;
    return journal_text_parse((struct bytes){strbuf_text(buf), buf->n}, ret);
}

/* Appends a whole line, or nothing. The file is open with O_APPEND and the change lock is held. */
static int append(int fd, const struct strbuf *line)
{
    struct stat st;
    if (strbuf_failed(line))
        return -ENOMEM;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_size + (off_t)line->n > (off_t)JOURNAL_MAX_BYTES)
        return -EFBIG;
    int r = fd_write_all(fd, line->p, line->n);
    if (r < 0 && ftruncate(fd, st.st_size) < 0)
        return -errno;
    return r;
}

static int append_gone(int fd, struct journal_record *record)
{
    _cleanup_strbuf_ struct strbuf line = {0};
    strbuf_printf(&line, "gone %s\n", record->temp);
    int r = append(fd, &line);
    if (r == 0)
        record->gone = true;
    return r;
}

/* ---- removing ---- */

static bool is_recorded(const struct stat *st, const struct journal_record *record)
{
    return S_ISDIR(st->st_mode) && st->st_dev == record->dev && st->st_ino == record->ino;
}

/* Removes NAME when it is an empty directory of the recorded identity (any identity when MADE is
 * not set: then NAME is a random one of ours). 0 when nothing of ours is left there, also when
 * somebody has put something into it: then it is theirs. *ret_was tells whether it was there. */
static int remove_one(int dirfd, const char *name, const struct journal_record *record,
                      struct spares *spares, bool *ret_was)
{
    struct stat st;
    *ret_was = false;
    if (record->made && spares &&
        spares_put_back(spares, dirfd, name, record->dev, record->ino) == 1) {
        *ret_was = true;
        return 0;
    }
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
    if (record->made ? !is_recorded(&st, record) : !S_ISDIR(st.st_mode) || st.st_uid != geteuid())
        return 0;
    *ret_was = true;
    if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
        return 0;
    return errno == ENOENT || errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR ? 0
                                                                                        : -errno;
}

/* A directory has one name: where it stood under its own, none is left under the random one. */
static int remove_record(int dirfd, const struct journal_record *record, struct spares *spares)
{
    bool was = false;
    int r = record->made ? remove_one(dirfd, record->name, record, spares, &was) : 0;
    int t = was ? 0 : remove_one(dirfd, record->temp, record, NULL, &was);
    return r < 0 ? r : t;
}

/* All of them; the first failure, after having tried each. */
static int remove_all(int dirfd, const struct journal_text *text, struct spares *spares)
{
    int result = 0;
    for (size_t i = 0; i < text->n; i++) {
        int r = text->v[i].gone ? 0 : remove_record(dirfd, &text->v[i], spares);
        if (r < 0 && result == 0)
            result = r;
    }
    return result;
}

/* ---- recovery ---- */

/* The directory a dead run's journal is about, if it can still be found. */
static int open_parent(const struct journal_text *text, dev_t dev, ino_t ino)
{
    if (text->dir[0] == '\0')
        return -ENOENT;
    _cleanup_fd_ int fd =
        path_openat2(AT_FDCWD, text->dir, O_PATH | O_DIRECTORY, 0, UAPI_RESOLVE_NO_SYMLINKS);
    struct stat st;
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        return -errno;
    return st.st_dev == dev && st.st_ino == ino ? steal_fd(&fd) : -ENOENT;
}

static bool is_old(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_mtime + STALE_SECONDS < time(NULL);
}

/* With the exclusive lock held. What cannot be cleaned now is left for a later start; a directory
 * that cannot be found (renamed, unmounted) may come back, so its journal is kept for a month. */
static void recover_locked(int placeholders, const char *name, int fd, dev_t dev, ino_t ino)
{
    _cleanup_strbuf_ struct strbuf buf = {0};
    struct journal_text text;
    if (load(fd, &buf, &text) < 0)
        return;
    _cleanup_fd_ int parent = text.n ? open_parent(&text, dev, ino) : -1;
    bool clean = text.n == 0 || (parent >= 0 ? remove_all(parent, &text, NULL) == 0 : is_old(fd));
    if (clean)
        (void)unlinkat(placeholders, name, 0);
    journal_text_release(&text);
}

static void recover_one(int placeholders, const char *name)
{
    dev_t dev;
    ino_t ino;
    if (!parse_file_name(name, &dev, &ino))
        return;
    _cleanup_fd_ int fd =
        openat(placeholders, name, O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || check_file(fd) < 0 || lock_file(fd, LOCK_EX | LOCK_NB) < 0)
        return;
    if (is_still(placeholders, name, fd) && lock_changes(fd, F_WRLCK) == 0)
        recover_locked(placeholders, name, fd, dev, ino);
    /* Both locks go with the descriptor. */
}

static int recover(int placeholders)
{
    int fd = openat(placeholders, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    DIR *d = fdopendir(fd);
    if (!d) {
        fd_close(fd);
        return -ENOMEM;
    }
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.')
            recover_one(placeholders, e->d_name);
    (void)closedir(d);
    return 0;
}

int journal_open(const char *state_dir, struct journal **ret, struct error *err)
{
    _cleanup_fd_ int fd = open_state(state_dir, err);
    if (fd < 0)
        return fd;
    int r = recover(fd);
    if (r < 0)
        return error_errno(err, r, "cannot read %s/placeholders", show(state_dir));
    struct journal *j = mem_zalloc(1, sizeof(*j));
    if (!j)
        return error_errno(err, -ENOMEM, "cannot open the journal in %s", show(state_dir));
    j->dirfd = steal_fd(&fd);
    *ret = j;
    return 0;
}

/* ---- holding ---- */

/* Opens the journal NAME and holds its shared lock; starts over when the last user of the file
 * unlinked it while we waited. */
static int open_shared(int placeholders, const char *name)
{
    for (int i = 0; i < OPEN_TRIES; i++) {
        _cleanup_fd_ int fd =
            openat(placeholders, name,
                   O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
        if (fd < 0)
            return -errno;
        int r = check_file(fd);
        if (r == 0)
            r = lock_file(fd, LOCK_SH);
        if (r < 0)
            return r;
        if (is_still(placeholders, name, fd))
            return steal_fd(&fd);
    }
    return -EAGAIN;
}

/* The journal of directory DIRFD, opened once a run. */
static int file_for(struct journal *j, int dirfd, const char *dir, struct journal_file **ret,
                    struct error *err)
{
    struct stat st;
    if (fstat(dirfd, &st) < 0)
        return error_errno(err, -errno, "cannot examine %s", show(dir));
    vec_foreach (f, &j->files) {
        if (f->dev == st.st_dev && f->ino == st.st_ino) {
            *ret = f;
            return 0;
        }
    }
    struct journal_file f = {.dev = st.st_dev, .ino = st.st_ino};
    file_name(f.name, st.st_dev, st.st_ino);
    _cleanup_fd_ int parent = openat(dirfd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0)
        return error_errno(err, -errno, "cannot open %s", show(dir));
    _cleanup_fd_ int fd = open_shared(j->dirfd, f.name);
    if (fd < 0)
        return error_errno(err, fd, "cannot open the journal of %s", show(dir));
    struct journal_file *slot = vec_push(&j->files);
    if (!slot)
        return error_errno(err, -ENOMEM, "cannot open the journal of %s", show(dir));
    f.fd = steal_fd(&fd);
    f.dirfd = steal_fd(&parent);
    *slot = f;
    *ret = slot;
    return 0;
}

bool journal_dir_is_empty(int dirfd, const char *name)
{
    int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        fd_close(fd);
        return false;
    }
    bool empty = true;
    for (struct dirent *e; empty && (e = readdir(d));)
        empty = str_eq(e->d_name, ".") || str_eq(e->d_name, "..");
    (void)closedir(d);
    return empty;
}

/* Cuts what a crash left of a line and writes what every journal begins with. */
static int prepare(const struct journal_file *f, const char *dir, const struct journal_text *text,
                   size_t size)
{
    if (text->complete < size && ftruncate(f->fd, (off_t)text->complete) < 0)
        return -errno;
    if (text->complete > 0 && str_eq(text->dir, dir))
        return 0;
    _cleanup_strbuf_ struct strbuf line = {0};
    if (text->complete == 0)
        strbuf_puts(&line, "bawn-placeholders 1\n");
    strbuf_puts(&line, "dir ");
    journal_text_quote(&line, dir, strlen(dir));
    strbuf_putc(&line, '\n');
    return append(f->fd, &line);
}

/* Records of earlier runs for NAME, and half-made ones of any name (their makers are dead: a living
 * one would hold the change lock). 1 when NAME is a placeholder that can be shared. */
static int settle(const struct journal_file *f, struct journal_text *text, const char *name,
                  struct stat *ret_st)
{
    bool stands = fstatat(f->dirfd, name, ret_st, AT_SYMLINK_NOFOLLOW) == 0;
    if (!stands && errno != ENOENT)
        return -errno;
    int shared = 0;
    for (size_t i = 0; i < text->n; i++) {
        struct journal_record *r = &text->v[i];
        if (r->gone || (r->made && !str_eq(r->name, name)))
            continue;
        if (r->made && stands && is_recorded(ret_st, r) && journal_dir_is_empty(f->dirfd, name)) {
            shared = 1;
            continue;
        }
        bool was;
        int e = remove_one(f->dirfd, r->temp, r, NULL, &was);
        if (e == 0)
            e = append_gone(f->fd, r);
        if (e < 0)
            return e;
    }
    return shared ? 1 : stands ? -EEXIST : 0;
}

/* Renames TEMP to NAME without replacing anything. A file system without RENAME_NOREPLACE gets the
 * plain rename behind a look: what could be lost in between is one empty directory. */
static int move_into_place(int dirfd, const char *temp, const char *name)
{
    if (syscall(SYS_renameat2, dirfd, temp, dirfd, name, RENAME_NOREPLACE_FLAG) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -errno;
    struct stat st;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return -EEXIST;
    if (errno != ENOENT)
        return -errno;
    return renameat(dirfd, temp, dirfd, name) < 0 ? -errno : 0;
}

/* One name on its way. */
struct making {
    struct journal_record record;
    const char *spare; /* what is to be moved there; NULL: a directory has to be made */
    size_t index;      /* of the name that was asked for */
    struct stat st;
    bool written; /* the journal has its intent */
    bool placed;
};

static void put_intent(struct strbuf *line, const struct journal_record *r)
{
    strbuf_printf(line, "intent %s ", r->temp);
    journal_text_quote(line, r->name, strlen(r->name));
    strbuf_putc(line, '\n');
}

static void put_made(struct strbuf *line, const struct journal_record *r)
{
    strbuf_printf(line, "made %s %" PRIx64 " %" PRIx64 "\n", r->temp, (uint64_t)r->dev,
                  (uint64_t)r->ino);
}

static void set_made(struct making *m)
{
    m->record.dev = m->st.st_dev;
    m->record.ino = m->st.st_ino;
}

static int new_temp(struct journal_record *r)
{
    uint64_t v;
    if (getrandom(&v, sizeof(v), 0) != (ssize_t)sizeof(v))
        return -EIO;
    (void)snprintf(r->temp, sizeof(r->temp), ".bawn-%016" PRIx64, v);
    return 0;
}

/* The first two steps of the theory above, for all: what is written down is, for those that a spare
 * was found for, all there is to say. */
static int write_intents(const struct journal_file *f, struct making *v, size_t n)
{
    _cleanup_strbuf_ struct strbuf lines = {0};
    for (size_t i = 0; i < n; i++) {
        int e = new_temp(&v[i].record);
        if (e < 0)
            return e;
        put_intent(&lines, &v[i].record);
        if (!v[i].spare)
            continue;
        set_made(&v[i]);
        put_made(&lines, &v[i].record);
    }
    int e = append(f->fd, &lines);
    for (size_t i = 0; e == 0 && i < n; i++) {
        v[i].record.made = v[i].spare != NULL;
        v[i].written = true;
    }
    return e;
}

/* Moves the spares. One that cannot be moved was taken by another run, or cannot be moved to there:
 * a directory is made for it instead, under a record of its own. */
static int place_spares(struct journal *j, const struct journal_file *f, struct making *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct making *m = &v[i];
        if (!m->spare)
            continue;
        int e = spares_place(&j->spares, m->spare, f->dirfd, m->record.name);
        m->placed = e == 0;
        if (e == -EEXIST)
            return e;
        if (e == 0)
            continue;
        m->spare = NULL;
        e = append_gone(f->fd, &m->record);
        m->record.made = m->record.gone = m->written = false;
        if (e == 0)
            e = write_intents(f, m, 1);
        if (e < 0)
            return e;
    }
    return 0;
}

/* Makes the directories that no spare was found for, writes their inodes down, renames them. */
static int make_rest(const struct journal_file *f, struct making *v, size_t n)
{
    _cleanup_strbuf_ struct strbuf lines = {0};
    for (size_t i = 0; i < n; i++) {
        struct making *m = &v[i];
        if (m->placed)
            continue;
        if (mkdirat(f->dirfd, m->record.temp, 0755) < 0 ||
            fstatat(f->dirfd, m->record.temp, &m->st, AT_SYMLINK_NOFOLLOW) < 0)
            return -errno;
        set_made(m);
        put_made(&lines, &m->record);
    }
    int e = lines.n ? append(f->fd, &lines) : 0;
    for (size_t i = 0; e == 0 && i < n; i++)
        v[i].record.made = true;
    for (size_t i = 0; e == 0 && i < n; i++) {
        if (!v[i].placed)
            e = move_into_place(f->dirfd, v[i].record.temp, v[i].record.name);
        v[i].placed = e == 0;
    }
    return e;
}

/* What a failure left is taken back; where even that fails, the journal still knows of it. */
static void take_back(const struct journal_file *f, struct making *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (v[i].written && remove_record(f->dirfd, &v[i].record, NULL) == 0)
            (void)append_gone(f->fd, &v[i].record);
}

/* Names that something stands at, or that can be shared, are sorted out before anything is made. */
static int hold_names(struct journal *j, const struct journal_file *f, struct journal_text *text,
                      struct journal_name *names, size_t n, struct making *v, size_t *ret_at)
{
    size_t missing = 0;
    for (size_t i = 0; i < n; i++) {
        struct stat st;
        *ret_at = i;
        int r = settle(f, text, names[i].name, &st);
        if (r < 0)
            return r;
        if (r == 1) {
            names[i].dev = st.st_dev;
            names[i].ino = st.st_ino;
            continue;
        }
        struct making *m = &v[missing++];
        m->index = i;
        memcpy(m->record.name, names[i].name, strlen(names[i].name) + 1);
    }
    if (missing == 0)
        return 0;
    spares_look(&j->spares, j->dirfd);
    bool reach = spares_reach(&j->spares, f->dirfd, f->dev);
    for (size_t i = 0; reach && i < missing; i++)
        reach = spares_next(&j->spares, &v[i].spare, &v[i].st);
    int r = write_intents(f, v, missing);
    if (r == 0)
        r = place_spares(j, f, v, missing);
    if (r == 0)
        r = make_rest(f, v, missing);
    for (size_t i = missing; i-- > 0;) {
        if (r < 0 && !v[i].placed)
            *ret_at = v[i].index;
        names[v[i].index].dev = v[i].st.st_dev;
        names[v[i].index].ino = v[i].st.st_ino;
    }
    if (r < 0)
        take_back(f, v, missing);
    return r;
}

static int hold_locked(struct journal *j, const struct journal_file *f, const char *dir,
                       struct journal_name *names, size_t n, size_t *ret_at)
{
    _cleanup_strbuf_ struct strbuf buf = {0};
    _cleanup_free_ struct making *v = mem_zalloc(n, sizeof(*v));
    struct journal_text text;
    int r = v ? load(f->fd, &buf, &text) : -ENOMEM;
    if (r < 0)
        return r;
    r = prepare(f, dir, &text, buf.n);
    if (r == 0)
        r = hold_names(j, f, &text, names, n, v, ret_at);
    journal_text_release(&text);
    return r;
}

static int hold_error(struct error *err, int r, const char *dir, const char *name)
{
    if (r == -EEXIST)
        return error_set(err, r, "%s appeared in %s while the sandbox was being set up", show(name),
                         show(dir));
    if (r == -EBADMSG) {
        error_set(err, r, "the placeholder journal of %s is damaged", show(dir));
        error_hint(err,
                   "look for empty directories called .bawn-* or %s in %s, then remove the "
                   "files in the placeholders directory of bawn's state",
                   show(name), show(dir));
        return r;
    }
    error_errno(err, r, "cannot keep the missing name %s in %s from being created", show(name),
                show(dir));
    if (r == -EACCES || r == -EPERM || r == -EROFS)
        error_hint(err, "%s has to be writable for you, since the command may write there",
                   show(dir));
    return r;
}

int journal_hold_all(struct journal *j, int dirfd, const char *dir, struct journal_name *names,
                     size_t n, struct error *err)
{
    struct journal_file *f = NULL;
    size_t at = 0;
    for (size_t i = 0; i < n; i++)
        if (!journal_name_ok(names[i].name) || dir[0] != '/' || strlen(dir) >= MAX_PATH_BYTES)
            return error_set(err, -EINVAL,
                             "cannot hold %s in %s: no single name, or no absolute path",
                             show(names[i].name), show(dir));
    if (n == 0)
        return 0;
    int r = file_for(j, dirfd, dir, &f, err);
    if (r < 0)
        return r;
    assert(f);
    r = lock_changes(f->fd, F_WRLCK);
    if (r == 0) {
        r = hold_locked(j, f, dir, names, n, &at);
        (void)lock_changes(f->fd, F_UNLCK);
    }
    return r < 0 ? hold_error(err, r, dir, names[at].name) : 0;
}

int journal_hold(struct journal *j, int dirfd, const char *dir, const char *name, dev_t *ret_dev,
                 ino_t *ret_ino, struct error *err)
{
    struct journal_name one = {.name = name};
    int r = journal_hold_all(j, dirfd, dir, &one, 1, err);
    if (r < 0)
        return r;
    *ret_dev = one.dev;
    *ret_ino = one.ino;
    return 0;
}

/* ---- letting go ---- */

/* The conversion to an exclusive lock gives the shared one up first, so of two that leave at once
 * the second finds nobody left: one of them always cleans. Who starts in between either has its
 * shared lock before (then it is the one to clean later) or waits and finds the file unlinked. */
static void leave(struct journal *j, const struct journal_file *f)
{
    if (lock_changes(f->fd, F_WRLCK) < 0)
        return;
    _cleanup_strbuf_ struct strbuf buf = {0};
    struct journal_text text;
    if (lock_file(f->fd, LOCK_EX | LOCK_NB) == 0 && is_still(j->dirfd, f->name, f->fd) &&
        load(f->fd, &buf, &text) == 0) {
        spares_look(&j->spares, j->dirfd);
        bool reach = spares_reach(&j->spares, f->dirfd, f->dev);
        if (remove_all(f->dirfd, &text, reach ? &j->spares : NULL) == 0)
            (void)unlinkat(j->dirfd, f->name, 0);
        journal_text_release(&text);
    }
    (void)lock_changes(f->fd, F_UNLCK);
    (void)lock_file(f->fd, LOCK_UN);
}

static void dispose(struct journal *j)
{
    vec_foreach (f, &j->files) {
        fd_close(f->fd);
        fd_close(f->dirfd);
    }
    vec_release(&j->files);
    spares_release(&j->spares);
    fd_close(j->dirfd);
    mem_free(j);
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    vec_foreach (f, &j->files)
        leave(j, f);
    dispose(j);
}

void journal_forget(struct journal *j)
{
    if (j)
        dispose(j);
}

/* ---- asking ---- */

static bool text_has(const struct journal_text *text, const char *name, dev_t dev, ino_t ino)
{
    for (size_t i = 0; i < text->n; i++) {
        const struct journal_record *r = &text->v[i];
        if (r->made && !r->gone && r->dev == dev && r->ino == ino && str_eq(r->name, name))
            return true;
    }
    return false;
}

bool journal_is_placeholder(const char *state_dir, dev_t parent_dev, ino_t parent_ino,
                            const char *name, dev_t dev, ino_t ino)
{
    char file[FILE_NAME_BYTES], path[MAX_PATH_BYTES];
    file_name(file, parent_dev, parent_ino);
    int n = snprintf(path, sizeof(path), "%s/placeholders/%s", state_dir, file);
    if (n < 0 || (size_t)n >= sizeof(path))
        return false;
    _cleanup_fd_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || check_file(fd) < 0)
        return false;
    _cleanup_strbuf_ struct strbuf buf = {0};
    struct journal_text text;
    if (load(fd, &buf, &text) < 0)
        return false;
    bool found = text_has(&text, name, dev, ino);
    journal_text_release(&text);
    return found;
}

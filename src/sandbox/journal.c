/*
 * Placeholders, written down before they are made. See journal.h for what, journal_text.h for the
 * file format, placeholder.h for the lock and the mark on each.
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
 * So it is for a placeholder that a bawn with another state directory made: it is locked, then
 * written down here too. What that bawn still uses when the last of ours leaves stays, and so does
 * the journal that knows of it; a later start finds it gone, or removes it.
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
#include "sandbox/placeholder.h"
#include "sandbox/spares.h"

#include <assert.h>
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
#define SHARE_TRIES           100
#define STALE_SECONDS         (30 * 24 * 3600)
#define RENAME_NOREPLACE_FLAG 1u

/* A placeholder this run uses. */
struct held {
    int fd; /* flock shared */
    dev_t dev;
    ino_t ino;
};

struct journal_file {
    int fd;    /* the journal: flock shared */
    int dirfd; /* the directory the placeholders stand in, O_PATH */
    dev_t dev;
    ino_t ino;
    VEC(struct held) held;
    struct shelf shelf;
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
    if (fstatat(state, "placeholders", &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT &&
        mkdirat(state, "placeholders", 0700) < 0 && errno != EEXIST)
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
        if ((size_t)n < sizeof(chunk))
            break;
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

/* What can be left as it is: it went, somebody has put something into it, which makes it theirs, or
 * it is another user's, who has it in a journal too. */
static bool is_settled(int code, const struct stat *st)
{
    return code == ENOENT || code == ENOTEMPTY || code == EEXIST || code == ENOTDIR ||
           ((code == EPERM || code == EACCES) && st->st_uid != geteuid());
}

/* Removes the random name of RECORD when it is an empty directory: of the recorded identity, or of
 * any when that is not known. Nobody looks for a placeholder at such a name. */
static int remove_temp(int dirfd, const struct journal_record *record)
{
    struct stat st;
    if (fstatat(dirfd, record->temp, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
    if (record->made ? !is_recorded(&st, record) : !S_ISDIR(st.st_mode) || st.st_uid != geteuid())
        return 0;
    return unlinkat(dirfd, record->temp, AT_REMOVEDIR) == 0 || is_settled(errno, &st) ? 0 : -errno;
}

static const struct held *find_held(const struct journal_file *f, dev_t dev, ino_t ino)
{
    for (size_t i = 0; i < f->held.n; i++)
        if (f->held.v[i].dev == dev && f->held.v[i].ino == ino)
            return &f->held.v[i];
    return NULL;
}

/* Removes the placeholder when it is an empty directory of the recorded identity that nobody else
 * uses; -EBUSY when somebody does. 0 when nothing of ours is left there. *ret_was tells whether it
 * was there. SPARES: keep it there if possible. */
static int remove_placeholder(struct journal_file *f, const struct journal_record *record,
                              const struct spares *spares, bool *ret_was)
{
    const struct held *held = find_held(f, record->dev, record->ino);
    _cleanup_fd_ int own = held ? -1 : placeholder_open(f->dirfd, record->name);
    int fd = held ? held->fd : own;
    struct stat st;
    *ret_was = false;
    /* What was not there a moment ago may be there now: another bawn's spare, which it uses. */
    if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
        return 0;
    if (fd < 0 && fd != -EACCES)
        return fd;
    if (!held && fd >= 0 && (fstat(fd, &st) < 0 || !is_recorded(&st, record)))
        return 0;
    bool empty = fd < 0 || placeholder_is_empty(fd);
    int r = fd >= 0 && empty ? placeholder_claim(fd) : 0;
    if (r < 0)
        return r;
    /* From here on nobody else moves it; before, somebody may have, and put another there. */
    if (fstatat(f->dirfd, record->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
    if (!is_recorded(&st, record))
        return 0;
    *ret_was = true;
    if (!empty)
        return 0;
    if (fd >= 0 && spares && st.st_uid == spares->uid &&
        shelf_put_back(spares, &f->shelf, f->dirfd, record->name, fd, &st) == 1)
        return 0;
    return unlinkat(f->dirfd, record->name, AT_REMOVEDIR) == 0 || is_settled(errno, &st) ? 0
                                                                                         : -errno;
}

/* A directory has one name: where it stood under its own, none is left under the random one. */
static int remove_record(struct journal_file *f, const struct journal_record *record,
                         const struct spares *spares)
{
    bool was = false;
    int r = record->made ? remove_placeholder(f, record, spares, &was) : 0;
    int t = was ? 0 : remove_temp(f->dirfd, record);
    return r < 0 ? r : t;
}

/* All of them; the first failure, after having tried each. */
static int remove_all(struct journal_file *f, const struct journal_text *text,
                      const struct spares *spares)
{
    int result = 0;
    for (size_t i = 0; i < text->n; i++) {
        int r = text->v[i].gone ? 0 : remove_record(f, &text->v[i], spares);
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
    struct journal_file f = {.fd = fd, .dirfd = parent, .dev = dev, .ino = ino};
    bool clean = text.n == 0 || (parent >= 0 ? remove_all(&f, &text, NULL) == 0 : is_old(fd));
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
    if (placeholder_is_at(fd, placeholders, name) && lock_changes(fd, F_WRLCK) == 0)
        recover_locked(placeholders, name, fd, dev, ino);
    /* Both locks go with the descriptor. */
}

static bool see_journal(void *data, const char *name)
{
    if (name[0] != '.')
        recover_one(*(int *)data, name);
    return true;
}

void journal_clean(const char *state_dir)
{
    _cleanup_fd_ int state = open_ours(AT_FDCWD, state_dir, state_dir, NULL);
    _cleanup_fd_ int fd = state < 0 ? -1 : open_ours(state, "placeholders", "placeholders", NULL);
    if (fd >= 0)
        (void)directory_each(fd, see_journal, &fd);
}

int journal_open(const char *state_dir, struct journal **ret, struct error *err)
{
    _cleanup_fd_ int fd = open_state(state_dir, err);
    if (fd < 0)
        return fd;
    int r = directory_each(fd, see_journal, &fd);
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
        if (placeholder_is_at(fd, placeholders, name))
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
    f.shelf.fd = -1;
    *slot = f;
    *ret = slot;
    return 0;
}

bool journal_dir_is_empty(int dirfd, const char *name)
{
    _cleanup_fd_ int fd = placeholder_open(dirfd, name);
    return fd == -ENOENT || (fd >= 0 && placeholder_is_empty(fd));
}

/* Keeps the lock on a placeholder until the end. One is enough: two would be in each other's way.
 */
static int keep(struct journal_file *f, int *fd, const struct stat *st)
{
    if (find_held(f, st->st_dev, st->st_ino))
        return 0;
    struct held *slot = vec_push(&f->held);
    if (!slot)
        return -ENOMEM;
    *slot = (struct held){.fd = steal_fd(fd), .dev = st->st_dev, .ino = st->st_ino};
    return 0;
}

static bool has_record(const struct journal_text *text, const char *name, const struct stat *st)
{
    for (size_t i = 0; i < text->n; i++) {
        const struct journal_record *r = &text->v[i];
        if (r->made && !r->gone && is_recorded(st, r) && str_eq(r->name, name))
            return true;
    }
    return false;
}

/* 1 when NAME is a placeholder, of ours or of another bawn: then *ret_fd has its lock. 0 when
 * nothing is there, -EEXIST when something else is. */
static int share(const struct journal_file *f, const struct journal_text *text, const char *name,
                 struct stat *ret_st, int *ret_fd)
{
    for (int i = 0; i < SHARE_TRIES; i++) {
        _cleanup_fd_ int fd = placeholder_open(f->dirfd, name);
        if (fd == -ENOENT)
            return 0;
        if (fd == -ENOTDIR || fd == -ELOOP)
            return -EEXIST;
        if (fd < 0)
            return fstatat(f->dirfd, name, ret_st, AT_SYMLINK_NOFOLLOW) == 0 ? -EEXIST : fd;
        if (fstat(fd, ret_st) < 0)
            return -errno;
        if (!(has_record(text, name, ret_st) || placeholder_is_marked(ret_st)) ||
            !placeholder_is_empty(fd))
            return -EEXIST;
        /* Another user could keep us waiting for ever, and is one to lose by it. */
        bool own = ret_st->st_uid == geteuid();
        int r = placeholder_share(fd, own);
        if (r < 0 && own)
            return r;
        /* The lock was had by one that removed it, perhaps. */
        if (placeholder_is_at(fd, f->dirfd, name)) {
            *ret_fd = steal_fd(&fd);
            return 1;
        }
    }
    return -EAGAIN;
}

/* Records of earlier runs for NAME, and half-made ones of any name (their makers are dead: a living
 * one would hold the change lock). 1 when NAME is a placeholder that is shared from now on;
 * *ret_known when it has its record. */
static int settle(struct journal_file *f, struct journal_text *text, const char *name,
                  struct stat *ret_st, bool *ret_known)
{
    _cleanup_fd_ int fd = -1;
    int shared = share(f, text, name, ret_st, &fd);
    if (shared < 0 && shared != -EEXIST)
        return shared;
    *ret_known = shared == 1 && has_record(text, name, ret_st);
    for (size_t i = 0; i < text->n; i++) {
        struct journal_record *r = &text->v[i];
        if (r->gone ||
            (r->made && (!str_eq(r->name, name) || (shared == 1 && is_recorded(ret_st, r)))))
            continue;
        int e = remove_temp(f->dirfd, r);
        if (e == 0)
            e = append_gone(f->fd, r);
        if (e < 0)
            return e;
    }
    int e = shared == 1 ? keep(f, &fd, ret_st) : 0;
    return e < 0 ? e : shared;
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
    bool spare;   /* there is one to be moved there; else a directory has to be made */
    bool found;   /* another bawn's stands there: it has to be written down only */
    size_t index; /* of the name that was asked for */
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

/* Names in one directory on their way. */
struct holding {
    struct journal *j;
    struct journal_file *f;
    struct journal_text *text;
    const char *dir;
    struct making *v;
    size_t n;
};

/* What every journal begins with; also written where the directory has another name by now. */
static void put_head(const struct holding *h, struct strbuf *line)
{
    if (h->text->complete > 0 && str_eq(h->text->dir, h->dir))
        return;
    if (h->text->complete == 0)
        strbuf_puts(line, "bawn-placeholders 1\n");
    strbuf_puts(line, "dir ");
    journal_text_quote(line, h->dir, strlen(h->dir));
    strbuf_putc(line, '\n');
}

/* The first two steps of the theory above, for all: what is written down is, for those whose inode
 * is known, all there is to say. HEAD: the first write of this run. */
static int write_intents(const struct holding *h, struct making *v, size_t n, bool head)
{
    _cleanup_strbuf_ struct strbuf lines = {0};
    uint64_t random;
    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return -EIO;
    if (head)
        put_head(h, &lines);
    for (size_t i = 0; i < n; i++) {
        struct journal_record *r = &v[i].record;
        (void)snprintf(r->temp, sizeof(r->temp), ".bawn-%016" PRIx64, random++);
        put_intent(&lines, r);
        if (!v[i].spare && !v[i].found)
            continue;
        set_made(&v[i]);
        put_made(&lines, r);
    }
    int e = append(h->f->fd, &lines);
    for (size_t i = 0; e == 0 && i < n; i++) {
        v[i].record.made = v[i].spare || v[i].found;
        v[i].written = true;
    }
    return e;
}

/* A spare for each that is missing, as far as there are any, locked. */
static int find_spares(const struct holding *h)
{
    spares_look(&h->j->spares, h->j->dirfd);
    shelf_look(&h->j->spares, &h->f->shelf, h->f->dirfd, h->f->dev);
    for (size_t i = 0; i < h->n; i++) {
        struct making *m = &h->v[i];
        _cleanup_fd_ int fd =
            m->found ? -1 : shelf_take(&h->j->spares, &h->f->shelf, m->record.name, &m->st);
        m->spare = fd >= 0;
        int e = m->spare ? keep(h->f, &fd, &m->st) : 0;
        if (e < 0)
            return e;
    }
    return 0;
}

/* Moves the spares. For one that cannot be moved a directory is made instead, under a record of its
 * own. */
static int place_spares(const struct holding *h)
{
    for (size_t i = 0; i < h->n; i++) {
        struct making *m = &h->v[i];
        if (!m->spare)
            continue;
        int e = shelf_place(&h->f->shelf, m->record.name, h->f->dirfd);
        m->placed = e == 0;
        if (e == -EEXIST)
            return e;
        if (e == 0)
            continue;
        m->spare = false;
        e = append_gone(h->f->fd, &m->record);
        m->record.made = m->record.gone = m->written = false;
        if (e == 0)
            e = write_intents(h, m, 1, false);
        if (e < 0)
            return e;
    }
    return 0;
}

/* A new directory under the random name, marked and locked before it is seen under its own. */
static int make_one(const struct holding *h, struct making *m)
{
    if (mkdirat(h->f->dirfd, m->record.temp, 0755) < 0)
        return -errno;
    _cleanup_fd_ int fd = placeholder_open(h->f->dirfd, m->record.temp);
    if (fd < 0 || fstat(fd, &m->st) < 0)
        return fd < 0 ? fd : -errno;
    placeholder_mark(fd);
    int e = placeholder_share(fd, true);
    return e < 0 ? e : keep(h->f, &fd, &m->st);
}

/* Makes the directories that nothing was found for, writes their inodes down, renames them. */
static int make_rest(const struct holding *h)
{
    _cleanup_strbuf_ struct strbuf lines = {0};
    for (size_t i = 0; i < h->n; i++) {
        struct making *m = &h->v[i];
        if (m->placed)
            continue;
        int e = make_one(h, m);
        if (e < 0)
            return e;
        set_made(m);
        put_made(&lines, &m->record);
    }
    int e = lines.n ? append(h->f->fd, &lines) : 0;
    for (size_t i = 0; e == 0 && i < h->n; i++)
        h->v[i].record.made = true;
    for (size_t i = 0; e == 0 && i < h->n; i++) {
        struct making *m = &h->v[i];
        if (!m->placed)
            e = move_into_place(h->f->dirfd, m->record.temp, m->record.name);
        m->placed = e == 0;
    }
    return e;
}

/* What a failure left is taken back; where even that fails, the journal still knows of it.
 * UNPLACED: only what does not stand under its name. */
static void take_back(const struct holding *h, bool unplaced)
{
    for (size_t i = 0; i < h->n; i++) {
        struct making *m = &h->v[i];
        if (m->written && !(unplaced && m->placed) && remove_record(h->f, &m->record, NULL) == 0)
            (void)append_gone(h->f->fd, &m->record);
    }
}

/* Names that something stands at, or that can be shared, are sorted out before anything is made. */
static int sort_names(struct holding *h, struct journal_name *names, size_t n, size_t *ret_at)
{
    for (size_t i = 0; i < n; i++) {
        struct stat st;
        bool known = false;
        *ret_at = i;
        int r = settle(h->f, h->text, names[i].name, &st, &known);
        if (r < 0)
            return r;
        if (r == 1) {
            names[i].dev = st.st_dev;
            names[i].ino = st.st_ino;
            if (known)
                continue;
        }
        struct making *m = &h->v[h->n++];
        m->index = i;
        m->found = m->placed = r == 1;
        if (m->found)
            m->st = st;
        memcpy(m->record.name, names[i].name, strlen(names[i].name) + 1);
    }
    return 0;
}

static int hold_names(struct holding *h, struct journal_name *names, size_t n, size_t *ret_at)
{
    int r = sort_names(h, names, n, ret_at);
    if (r < 0 || (h->n == 0 && str_eq(h->text->dir, h->dir)))
        return r;
    r = find_spares(h);
    if (r == 0)
        r = write_intents(h, h->v, h->n, true);
    if (r == 0)
        r = place_spares(h);
    if (r == 0)
        r = make_rest(h);
    for (size_t i = h->n; i-- > 0;) {
        if (r < 0 && !h->v[i].placed)
            *ret_at = h->v[i].index;
        names[h->v[i].index].dev = h->v[i].st.st_dev;
        names[h->v[i].index].ino = h->v[i].st.st_ino;
    }
    /* Something came to stand there meanwhile. If another bawn put it there it will do, so all is
     * looked at once more; what was placed is found then. */
    bool again = r == -EEXIST;
    if (r < 0)
        take_back(h, again);
    return again ? -EAGAIN : r;
}

static int hold_once(struct holding *h, struct journal_name *names, size_t n, size_t *ret_at)
{
    _cleanup_strbuf_ struct strbuf buf = {0};
    struct journal_text text;
    int r = load(h->f->fd, &buf, &text);
    if (r < 0)
        return r;
    /* What a crash left of a line is cut off. */
    if (text.complete < buf.n && ftruncate(h->f->fd, (off_t)text.complete) < 0)
        r = -errno;
    h->text = &text;
    h->n = 0;
    memset(h->v, 0, n * sizeof(*h->v));
    if (r == 0)
        r = hold_names(h, names, n, ret_at);
    h->text = NULL;
    journal_text_release(&text);
    return r;
}

static int hold_locked(struct journal *j, struct journal_file *f, const char *dir,
                       struct journal_name *names, size_t n, size_t *ret_at)
{
    _cleanup_free_ struct making *v = mem_zalloc(n, sizeof(*v));
    struct holding h = {.j = j, .f = f, .dir = dir, .v = v};
    int r = v ? -EAGAIN : -ENOMEM;
    for (int i = 0; r == -EAGAIN && i < SHARE_TRIES; i++)
        r = hold_once(&h, names, n, ret_at);
    return r == -EAGAIN ? -EEXIST : r;
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
 * shared lock before (then it is the one to clean later) or waits and finds the file unlinked.
 *
 * The locks on the placeholders go before the one on the journal: who gets that finds those free.
 */
static void leave(struct journal *j, struct journal_file *f)
{
    if (lock_changes(f->fd, F_WRLCK) < 0)
        return;
    vec_foreach (held, &f->held)
        (void)lock_file(held->fd, LOCK_UN);
    _cleanup_strbuf_ struct strbuf buf = {0};
    struct journal_text text;
    if (lock_file(f->fd, LOCK_EX | LOCK_NB) == 0 && placeholder_is_at(f->fd, j->dirfd, f->name) &&
        load(f->fd, &buf, &text) == 0) {
        spares_look(&j->spares, j->dirfd);
        shelf_look(&j->spares, &f->shelf, f->dirfd, f->dev);
        if (remove_all(f, &text, &j->spares) == 0)
            (void)unlinkat(j->dirfd, f->name, 0);
        journal_text_release(&text);
    }
    /* Both locks go with the descriptor. */
    fd_close(steal_fd(&f->fd));
}

static void dispose(struct journal *j)
{
    vec_foreach (f, &j->files) {
        fd_close(f->fd);
        fd_close(f->dirfd);
        vec_foreach (held, &f->held)
            fd_close(held->fd);
        vec_release(&f->held);
        shelf_release(&f->shelf);
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
    const struct stat st = {.st_mode = S_IFDIR, .st_dev = dev, .st_ino = ino};
    bool found = has_record(&text, name, &st);
    journal_text_release(&text);
    return found;
}

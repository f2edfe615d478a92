/*
 * Import, the files: which there are, and putting the new ones in place. See import.h.
 *
 *   check    nothing is there that would be lost (a file with this very text is no obstacle)
 *   write    every file as FILE.import beside its place, 0600, fsync. Until here nothing has
 * changed keep     with force: the old file gets a second name, FILE.bak commit   FILE.import is
 * renamed to FILE, one after the other: rules first, trust last, so that what narrows comes before
 * what widens; fsync of the directories
 *
 * All of it under the locks of config.toml and trust.toml that edit.c takes for one key. A crash
 * leaves whole files, and a .import that the next import removes under the lock.
 */
#include "config/import.h"

#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "config/value.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_BACKUPS 100u /* FILE.bak, FILE.bak2, … */

static int no_memory(struct error *err)
{
    return error_errno(err, -ENOMEM, "import");
}

/* ---- what there is ---- */

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in DIR that end in SUFFIX, without it, sorted. No directory: none. */
static int list_names(struct import *im, const char *dir, const char *suffix,
                      struct string_list *ret, struct error *err)
{
    size_t n = strlen(suffix);
    DIR *d = opendir(dir);
    if (!d)
        return errno == ENOENT ? 0 : error_errno(err, -errno, "cannot read %s", show(dir));
    ret->v = arena_zalloc(im->arena, MAX_IMPORT_FILES, sizeof(*ret->v));
    if (!ret->v) {
        (void)closedir(d);
        return no_memory(err);
    }
    int r = 0;
    for (const struct dirent *e; r == 0 && (e = readdir(d));) {
        size_t len = strlen(e->d_name);
        if (len <= n || e->d_name[0] == '.' || !str_eq(e->d_name + len - n, suffix))
            continue;
        if (ret->n == MAX_IMPORT_FILES)
            r = error_set(err, -E2BIG, "%s: more than %u files", show(dir), MAX_IMPORT_FILES);
        else if (!(ret->v[ret->n] = arena_strndup(im->arena, e->d_name, len - n)))
            r = no_memory(err);
        else
            ret->n++;
    }
    (void)closedir(d);
    if (r == 0 && ret->n)
        qsort(ret->v, ret->n, sizeof(*ret->v), compare);
    return r;
}

/* -ENOENT: there is none. Anything else that is wrong with it is an error. */
int import_read(struct import *im, const char *file, struct bytes *ret, struct error *err)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    struct error local = {0};
    int r = path_read_file(AT_FDCWD, file, MAX_FILE_BYTES, &text, &local);
    if (r == -ENOENT)
        return r;
    if (r < 0) {
        if (err)
            *err = local;
        error_at(err, file, 0, 0, 0, NULL, 0);
        return r;
    }
    char *copy = arena_strndup(im->arena, strbuf_text(&text), text.n);
    if (!copy)
        return no_memory(err);
    *ret = (struct bytes){copy, text.n};
    return 0;
}

static int note_file(struct import *im, const char *file, const char *why, struct error *err)
{
    int r = import_note(im, &(struct import_note){.file = file, .what = why});
    return r < 0 ? error_errno(err, r, "import") : 0;
}

/* NAME is below both homes. */
int import_add_file(struct import *im, const char *from, const char *name, struct bytes text,
                    struct error *err)
{
    struct import_file *f = &im->files[im->n_files];
    struct bytes old;
    struct stat st;
    const char *to = path_join(im->arena, im->bawn_home, name);
    if (!to)
        return no_memory(err);
    *f = (struct import_file){.from = from, .to = to, .text = text};
    f->there = lstat(to, &st) == 0;
    f->same = f->there && import_read(im, to, &old, NULL) == 0 && bytes_eq(old, text);
    im->n_files++;
    return 0;
}

/* ---- rules ---- */

static bool is_text(struct bytes text)
{
    const unsigned char *p = (const unsigned char *)text.p;
    for (size_t i = 0, len; i < text.n; i += len) {
        uint32_t c;
        len = utf8_decode(p + i, text.n - i, &c);
        if (len == 0 || c == 0)
            return false;
    }
    return true;
}

static int add_rules(struct import *im, const char *name, struct error *err)
{
    struct error local = {0};
    struct bytes text;
    const char *below = arena_printf(im->arena, "rules/%s.rules", name);
    const char *from = below ? path_join(im->arena, im->codex_home, below) : NULL;
    const char *to = arena_printf(im->arena, "rules/codex-%s.rules", name);
    if (!from || !to)
        return no_memory(err);
    int r = import_read(im, from, &text, &local);
    if (r == -ENOMEM)
        return no_memory(err);
    if (r < 0)
        return note_file(im, from, local.message[0] ? local.message : "it cannot be read", err);
    if (!is_text(text))
        return note_file(im, from, "it is not text in UTF-8", err);
    return import_add_file(im, from, to, text, err);
}

/* ---- configuration, profiles, trust ---- */

static int add_config(struct import *im, const char *name, bool profile, struct error *err)
{
    struct bytes text, result;
    const char *from = path_join(im->arena, im->codex_home, name);
    if (!from)
        return no_memory(err);
    int r = import_read(im, from, &text, err);
    if (r == 0)
        r = import_text(im, from, text, profile, &result, err);
    return r < 0 ? r : import_add_file(im, from, name, result, err);
}

static int add_trust(struct import *im, struct error *err)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    const char *from = path_join(im->arena, im->codex_home, "config.toml");
    if (im->trust.n == 0)
        return 0;
    for (size_t i = 0; i < im->trust.n; i++) {
        const struct trust_entry *e = &im->trust.v[i];
        strbuf_printf(&out, "%s[projects.", i ? "\n" : "");
        value_put_toml_string(&out, bytes_of(e->path));
        strbuf_printf(&out, "]\ntrust_level = \"%s\"\n", trust_word(e->level));
    }
    char *copy = strbuf_failed(&out) ? NULL : arena_strndup(im->arena, strbuf_text(&out), out.n);
    if (!copy || !from)
        return no_memory(err);
    return import_add_file(im, from, "trust.toml", (struct bytes){copy, out.n}, err);
}

/* What of the rest of the folder somebody may miss. */
static int note_others(struct import *im, struct error *err)
{
    static const struct {
        const char *name, *why;
    } others[] = {
        {"auth.json", "logins stay with the agent"},
        {"managed_config.toml", "an administrator puts it at /etc/bawn/managed_config.toml"},
        {"requirements.toml", "an administrator puts it at /etc/bawn/requirements.toml"},
        {"hooks.json", "hooks are not run yet"},
    };
    struct stat st;
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        const char *path = path_join(im->arena, im->codex_home, others[i].name);
        if (!path)
            return no_memory(err);
        int r = lstat(path, &st) == 0 ? note_file(im, path, others[i].why, err) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

static int plan_configs(struct import *im, struct error *err)
{
    size_t at = im->n_files;
    int r = add_config(im, "config.toml", false, err);
    if (r == -ENOENT)
        r = 0;
    for (size_t i = 0; r == 0 && i < im->profiles.n; i++) {
        const char *name = arena_printf(im->arena, "%s.config.toml", im->profiles.v[i]);
        r = name ? add_config(im, name, true, err) : no_memory(err);
        if (r == -ENOENT)
            r = 0;
    }
    /* A profile is in place before the file that may name it. */
    if (r == 0 && im->n_files > at + 1 && im->main) {
        struct import_file main = im->files[at];
        memmove(&im->files[at], &im->files[at + 1], (im->n_files - at - 1) * sizeof(im->files[0]));
        im->files[im->n_files - 1] = main;
    }
    return r;
}

int import_plan(struct arena *a, const char *codex_home, const char *bawn_home, struct import *ret,
                struct error *err)
{
    struct import im = {.arena = a, .codex_home = codex_home, .bawn_home = bawn_home};
    struct string_list rules = {0};
    struct stat st;
    if (stat(codex_home, &st) < 0)
        return error_errno(err, -errno, "cannot import from %s", show(codex_home));
    if (!S_ISDIR(st.st_mode))
        return error_errno(err, -ENOTDIR, "cannot import from %s", show(codex_home));
    const char *dir = path_join(a, codex_home, "rules");
    im.files = arena_zalloc(a, 2 * (size_t)MAX_IMPORT_FILES + 2, sizeof(*im.files));
    if (!dir || !im.files)
        return no_memory(err);
    int r = list_names(&im, dir, ".rules", &rules, err);
    if (r == 0)
        r = list_names(&im, codex_home, ".config.toml", &im.profiles, err);
    for (size_t i = 0; r == 0 && i < rules.n; i++)
        r = add_rules(&im, rules.v[i], err);
    if (r == 0)
        r = plan_configs(&im, err);
    if (r == 0)
        r = add_trust(&im, err);
    if (r == 0)
        r = note_others(&im, err);
    if (r < 0)
        return r;
    if (im.n_files == 0)
        return error_set(err, -ENOENT, "%s holds nothing to import", show(codex_home));
    *ret = im;
    return 0;
}

/* ---- putting it in place ---- */

struct writer {
    const struct import *im;
    bool force;
    int dirs[2]; /* bawn's home, rules; -1: not needed */
    int locks[2];
    struct error *err;
};

static int cannot(struct writer *w, const char *file, int code, const char *what)
{
    return what ? error_errno(w->err, code, "cannot write %s: %s", show(file), what)
                : error_errno(w->err, code, "cannot write %s", show(file));
}

static bool in_rules(const struct writer *w, const struct import_file *f)
{
    return strchr(f->to + strlen(w->im->bawn_home) + 1, '/') != NULL;
}

static int dir_of(const struct writer *w, const struct import_file *f)
{
    return w->dirs[in_rules(w, f)];
}

/* The directory belongs to who runs this: with sudo and a person's HOME it does not. */
static int open_dir(struct writer *w, const char *path, int *ret)
{
    struct stat st;
    int r = path_mkdirs(path, 0700);
    if (r < 0)
        return cannot(w, path, r, "making it");
    *ret = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*ret < 0 || fstat(*ret, &st) < 0)
        return cannot(w, path, -errno, NULL);
    if (st.st_uid == geteuid())
        return 0;
    r = error_set(w->err, -EPERM, "cannot write %s: it belongs to user %u, not to you", show(path),
                  (unsigned)st.st_uid);
    error_hint(w->err, "run this as that user");
    return r;
}

static int open_dirs(struct writer *w)
{
    bool rules = false;
    for (size_t i = 0; i < w->im->n_files; i++)
        rules = rules || in_rules(w, &w->im->files[i]);
    int r = open_dir(w, w->im->bawn_home, &w->dirs[0]);
    if (r < 0 || !rules)
        return r;
    const char *path = path_join(w->im->arena, w->im->bawn_home, "rules");
    return path ? open_dir(w, path, &w->dirs[1]) : no_memory(w->err);
}

static int lock(struct writer *w)
{
    static const char *const names[] = {"config.toml.lock", "trust.toml.lock"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
        w->locks[i] = openat(w->dirs[0], names[i], flags, 0600);
        if (w->locks[i] < 0)
            return error_errno(w->err, -errno, "cannot lock %s/%s", show(w->im->bawn_home),
                               names[i]);
        while (flock(w->locks[i], LOCK_EX) < 0)
            if (errno != EINTR)
                return error_errno(w->err, -errno, "cannot lock %s/%s", show(w->im->bawn_home),
                                   names[i]);
    }
    return 0;
}

static int temporary_name(struct writer *w, const struct import_file *f, char *ret, size_t cap)
{
    int n = snprintf(ret, cap, "%s.import", path_base(f->to));
    return n > 0 && (size_t)n < cap ? 0 : cannot(w, f->to, -ENAMETOOLONG, NULL);
}

/* Asked before anything is made, so that a refusal leaves no trace, and once more under the lock.
 */
static int check_free(struct writer *w)
{
    for (size_t i = 0; !w->force && i < w->im->n_files; i++) {
        const struct import_file *f = &w->im->files[i];
        struct stat st;
        if (f->same || lstat(f->to, &st) < 0)
            continue;
        int r =
            error_set(w->err, -EEXIST, "%s is there already; nothing was imported", show(f->to));
        error_hint(w->err, "--force replaces it and keeps the old one as %s.bak", show(f->to));
        return r;
    }
    return 0;
}

static int write_temporary(struct writer *w, const struct import_file *f)
{
    char name[MAX_NAME_BYTES + 1];
    int r = temporary_name(w, f, name, sizeof(name));
    if (r < 0)
        return r;
    if (unlinkat(dir_of(w, f), name, 0) < 0 && errno != ENOENT)
        return cannot(w, f->to, -errno, "something is in the way of its temporary file");
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    _cleanup_fd_ int fd = openat(dir_of(w, f), name, flags, 0600);
    if (fd < 0)
        return cannot(w, f->to, -errno, NULL);
    r = fd_write_all(fd, f->text.p, f->text.n);
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    if (r < 0) {
        (void)unlinkat(dir_of(w, f), name, 0);
        return cannot(w, f->to, r, NULL);
    }
    return 0;
}

static void remove_temporaries(struct writer *w)
{
    char name[MAX_NAME_BYTES + 1];
    for (size_t i = 0; i < w->im->n_files; i++)
        if (temporary_name(w, &w->im->files[i], name, sizeof(name)) == 0)
            (void)unlinkat(dir_of(w, &w->im->files[i]), name, 0);
}

/* The old file under a second name; what is there is never taken. */
static int keep_old(struct writer *w, const struct import_file *f)
{
    const char *name = path_base(f->to);
    char backup[MAX_NAME_BYTES + 1];
    int fd = dir_of(w, f);
    for (unsigned i = 1; i <= MAX_BACKUPS; i++) {
        char number[16] = "";
        if (i > 1)
            (void)snprintf(number, sizeof(number), "%u", i);
        int n = snprintf(backup, sizeof(backup), "%s.bak%s", name, number);
        if (n < 0 || (size_t)n >= sizeof(backup))
            return cannot(w, f->to, -ENAMETOOLONG, "keeping the old one");
        if (linkat(fd, name, fd, backup, 0) == 0 || errno == ENOENT)
            return 0;
        if (errno != EEXIST)
            return cannot(w, f->to, -errno, "keeping the old one");
    }
    return error_set(w->err, -EEXIST, "cannot write %s: there are %u old ones kept already",
                     show(f->to), MAX_BACKUPS);
}

static int commit(struct writer *w)
{
    char name[MAX_NAME_BYTES + 1];
    int r = 0;
    for (size_t i = 0; r == 0 && i < w->im->n_files; i++) {
        const struct import_file *f = &w->im->files[i];
        if (f->same)
            continue;
        r = temporary_name(w, f, name, sizeof(name));
        if (r == 0 && renameat(dir_of(w, f), name, dir_of(w, f), path_base(f->to)) < 0)
            r = cannot(w, f->to, -errno, NULL);
    }
    for (size_t i = 0; i < ARRAY_LEN(w->dirs); i++)
        /* Some file systems cannot and say EINVAL: then there is nothing more to be had. */
        if (w->dirs[i] >= 0 && fsync(w->dirs[i]) < 0 && errno != EINVAL && r == 0)
            r = error_errno(w->err, -errno,
                            "imported, but may be gone again after a crash of the machine");
    return r;
}

static int write_locked(struct writer *w)
{
    int r = check_free(w);
    if (r < 0)
        return r;
    for (size_t i = 0; r == 0 && i < w->im->n_files; i++)
        if (!w->im->files[i].same)
            r = write_temporary(w, &w->im->files[i]);
    for (size_t i = 0; r == 0 && i < w->im->n_files; i++)
        if (w->force && !w->im->files[i].same)
            r = keep_old(w, &w->im->files[i]);
    if (r == 0)
        r = commit(w);
    remove_temporaries(w);
    return r;
}

int import_check(const struct import *import, bool force, struct error *err)
{
    struct writer w = {.im = import, .force = force, .err = err};
    return check_free(&w);
}

int import_write(const struct import *import, bool force, struct error *err)
{
    struct writer w = {
        .im = import, .force = force, .dirs = {-1, -1}, .locks = {-1, -1}, .err = err};
    int r = check_free(&w);
    if (r == 0)
        r = open_dirs(&w);
    if (r == 0)
        r = lock(&w);
    if (r == 0)
        r = write_locked(&w);
    for (size_t i = 0; i < ARRAY_LEN(w.dirs); i++) {
        fd_close(w.locks[i]);
        fd_close(w.dirs[i]);
    }
    return r;
}

/*
 * Which bwrap, if any, may be trusted with making the sandbox. See probe.h and spec 1.6.
 *
 * Three questions, cheapest first, for every bwrap on PATH until one is fit:
 *
 * 1. Could somebody else (the command of an earlier run included) have put it there? The directory
 * on PATH and the place its symlinks lead to are walked up to the root: each directory has to
 * belong to root or to us, be writable by nobody else, and be none of the directories the sandbox
 * may write. Those are compared by inode as well as by name, so a bind mount is no way round.
 * 2. Is it an ordinary program (not setuid, no capabilities)?
 * 3. Does it work here, and has its set-up the escape CVE-2026-87766 (GHSA-pxhw-h44j-8pfx)? While
 *    it builds the new root, at /newroot, the host's is still at /oldroot, and versions before 0.12
 *    (unless a distribution mended them) follow symlinks in bind-mounted directories when they make
 *    mount points: a link to /oldroot/… makes them create files on the host. We let it do so, in a
 *    directory of ours, and look.
 *
 * The answer to 3 does not change while the program does not, so it is kept in
 * STATE_DIR/bwrap-probe, keyed by what a replaced program cannot have in common with the one tried.
 * "It does not work" is not kept: the machine's settings may change.
 *
 * What is not trusted: PATH, and the programs it leads to until question 1 is answered. They are
 * executed only after that.
 */
#include "sandbox/probe.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/sys.h"
#include "sandbox/guard.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define RUN_MS      3000
#define OUTPUT_MAX  (64u * 1024)
#define CACHE_NAME  "bwrap-probe"
#define CACHE_MAX   (16u * 1024)
#define CACHE_LINES 16
#define SCRATCH     "probe-" /* and the pid, and a number */
#define TREE_DEPTH  32

#define set_detail(b, ...)                                                                         \
    (void)snprintf((b)->result.detail, sizeof((b)->result.detail), __VA_ARGS__)
#define set_fix(b, ...) (void)snprintf((b)->result.fix, sizeof((b)->result.fix), __VA_ARGS__)

static const char newer_fix[] =
    "install bubblewrap 0.12 or newer, or your distribution's mended one; "
    "until then bawn's bundled backend is used";

/* ---- running a program, with an end ---- */

_noreturn_ static void become(const struct probe_run *run, pid_t outer, int out, int err)
{
    if (guard_over(outer) < 0)
        _exit(126);
    for (int sig = 1; sig < 32; sig++)
        (void)signal(sig, SIG_DFL);
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    int null = open("/dev/null", O_RDWR);
    if (null < 0 || dup2(null, 0) < 0 || dup2(out < 0 ? null : out, 1) < 0 ||
        dup2(err < 0 ? null : err, 2) < 0)
        _exit(125);
    (void)sys_close_range(3, ~0u);
    (void)execve(run->program, (char *const *)(uintptr_t)run->argv,
                 (char *const *)(uintptr_t)run->envp);
    _exit(errno == ENOENT ? 127 : 126);
}

/* One read from *FD into OUT; what passes the maximum is read and dropped. Closes it at its end. */
static void collect(int *fd, struct strbuf *out)
{
    char buf[4096];
    ssize_t n = read(*fd, buf, sizeof(buf));
    if (n > 0 && out && out->n + (size_t)n <= OUTPUT_MAX)
        strbuf_put(out, buf, (size_t)n);
    else if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
        fd_closep(fd);
}

/* Waits for the end of PID, collecting its output. 0, -ETIMEDOUT or -EINTR. */
static int await(pid_t pid, int *out, int *err, const struct probe_run *run, int *ret_status)
{
    const int64_t end = clock_ms() + run->timeout_ms;
    _cleanup_fd_ int pidfd = sys_pidfd_open(pid);
    for (;;) {
        pid_t done = waitpid(pid, ret_status, WNOHANG);
        if (done == pid) {
            /* What it wrote is in the pipes by now; others may hold their ends open, so no waiting.
             */
            for (int *fd = out; fd; fd = fd == out ? err : NULL)
                while (*fd >= 0 && poll(&(struct pollfd){.fd = *fd, .events = POLLIN}, 1, 0) > 0)
                    collect(fd, fd == out ? run->out : run->err);
            return 0;
        }
        if (done < 0 && errno != EINTR)
            return -errno;
        int64_t left = end - clock_ms();
        if (left <= 0)
            return -ETIMEDOUT;
        /* Without pidfds (an old outer container) the end is looked for now and then. */
        struct pollfd fds[] = {{.fd = pidfd >= 0 ? pidfd : -1, .events = POLLIN},
                               {.fd = *out, .events = POLLIN},
                               {.fd = *err, .events = POLLIN}};
        int n = poll(fds, ARRAY_LEN(fds), pidfd >= 0 ? (int)left : MIN_OF((int)left, 5));
        if (n < 0 && errno == EINTR)
            return -EINTR;
        if (fds[1].revents)
            collect(out, run->out);
        if (fds[2].revents)
            collect(err, run->err);
    }
}

int probe_exec(const struct probe_run *run, int *ret_status)
{
    int out[2] = {-1, -1}, err[2] = {-1, -1};
    if ((run->out && pipe2(out, O_CLOEXEC) < 0) || (run->err && pipe2(err, O_CLOEXEC) < 0)) {
        int e = -errno;
        fd_close(out[0]);
        fd_close(out[1]);
        return e;
    }
    const pid_t outer = getpid(), pid = fork();
    if (pid == 0)
        become(run, outer, out[1], err[1]);
    int e = pid < 0 ? -errno : 0;
    fd_close(out[1]);
    fd_close(err[1]);
    if (e == 0) {
        e = await(pid, &out[0], &err[0], run, ret_status);
        if (e < 0 && e != -ECHILD) {
            (void)kill(pid, SIGTERM); /* the guard, which ends what it guards */
            while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
                ;
        }
    }
    fd_close(out[0]);
    fd_close(err[0]);
    return e;
}

/* ---- scratch ---- */

static int remove_at(int dirfd, const char *name, unsigned depth)
{
    if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -errno;
    int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        int e = -errno;
        fd_close(fd);
        return e;
    }
    int r = depth == 0 ? -ELOOP : 0;
    for (struct dirent *e; r == 0 && (e = readdir(d));)
        if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
            r = remove_at(fd, e->d_name, depth - 1);
    (void)closedir(d);
    if (r == 0 && unlinkat(dirfd, name, AT_REMOVEDIR) < 0)
        r = -errno;
    return r;
}

int probe_remove_tree(const char *path)
{
    return remove_at(AT_FDCWD, path, TREE_DEPTH);
}

/* What a probe that was killed left behind: scratch directories whose process is gone. */
static void sweep(int state)
{
    int fd = openat(state, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        fd_close(fd);
        return;
    }
    for (struct dirent *e; (e = readdir(d));) {
        if (!str_starts(e->d_name, SCRATCH))
            continue;
        char *rest;
        long pid = strtol(e->d_name + sizeof(SCRATCH) - 1, &rest, 10);
        if (pid > 0 && *rest == '-' && kill((pid_t)pid, 0) < 0 && errno == ESRCH)
            (void)remove_at(state, e->d_name, TREE_DEPTH);
    }
    (void)closedir(d);
}

/* ---- 1 and 2: the place and the file ---- */

/* Root's or ours, and writable by nobody else. An ACL shows as group bits. */
static const char *others_may_write(const struct stat *st)
{
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return "belongs to somebody else";
    if (st->st_mode & S_IWOTH)
        return "can be written by everybody";
    if ((st->st_mode & S_IWGRP) && st->st_gid != 0)
        return "can be written by its group";
    return NULL;
}

/* One search: the request, and its unfit directories looked at once. */
struct search {
    const struct bwrap_request *q;
    struct arena *a;
    struct identity {
        dev_t dev;
        ino_t ino; /* 0 = does not exist */
    } * unfit;
};

static bool look_at_unfit_dirs(struct search *s)
{
    s->unfit = arena_zalloc(s->a, s->q->n_unfit_dirs + 1, sizeof(*s->unfit));
    for (size_t i = 0; s->unfit && i < s->q->n_unfit_dirs; i++) {
        struct stat st;
        if (stat(s->q->unfit_dirs[i], &st) == 0)
            s->unfit[i] = (struct identity){st.st_dev, st.st_ino};
    }
    return s->unfit != NULL;
}

static bool is_unfit_dir(const struct search *s, const char *path, const struct stat *st)
{
    for (size_t i = 0; i < s->q->n_unfit_dirs; i++)
        if (str_eq(path, s->q->unfit_dirs[i]) ||
            (s->unfit[i].dev == st->st_dev && s->unfit[i].ino == st->st_ino))
            return true;
    return false;
}

/* Is every directory from DIR (canonical) up to the root fit? */
static bool check_dirs(const struct search *s, const char *dir, struct bwrap_probe *b)
{
    char path[MAX_PATH_BYTES];
    (void)snprintf(path, sizeof(path), "%s", dir);
    for (;;) {
        struct stat st;
        const char *why = NULL;
        if (stat(path, &st) < 0)
            why = "cannot be looked at";
        else if (is_unfit_dir(s, path, &st))
            why = "is where a sandboxed command works or may write";
        else
            why = others_may_write(&st);
        if (why) {
            b->state = BWRAP_PLACE;
            set_detail(b, "%s: %s %s", show(b->path), show(path), why);
            set_fix(b, "install bubblewrap in a directory that only root or you can write");
            return false;
        }
        char *slash = strrchr(path, '/');
        if (!slash || !slash[1])
            return true; /* that was "/" */
        slash[slash == path] = '\0';
    }
}

static bool check_file(const struct stat *st, struct bwrap_probe *b)
{
    const char *why = others_may_write(st);
    if (why) {
        b->state = BWRAP_PLACE;
        set_detail(b, "%s %s", show(b->path), why);
        set_fix(b, "chmod go-w, or install bubblewrap anew");
        return false;
    }
    bool caps = getxattr(b->path, "security.capability", NULL, 0) > 0;
    if ((st->st_mode & (S_ISUID | S_ISGID)) || caps) {
        b->state = BWRAP_SETUID;
        set_detail(b, "%s %s", show(b->path),
                   caps ? "has file capabilities" : "is setuid or setgid");
        set_fix(b, "chmod u-s,g-s (setcap -r): bwrap needs no rights where user namespaces work");
        return false;
    }
    return true;
}

/* ---- 3: the cache ---- */

/* Everything that differs when the program or the container does. */
static void cache_key(const struct stat *st, char *buf, size_t cap)
{
    struct stat ns = {0};
    (void)stat("/proc/self/ns/user", &ns);
    (void)snprintf(buf, cap, "2 %llx:%llx %lld %lld.%09ld %lld.%09ld %llx ",
                   (unsigned long long)st->st_dev, (unsigned long long)st->st_ino,
                   (long long)st->st_size, (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
                   (long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec,
                   (unsigned long long)ns.st_ino);
}

/* The cache's text; only a file that nobody else can have written is believed. */
static bool cache_read(int state, struct strbuf *out)
{
    _cleanup_fd_ int fd = openat(state, CACHE_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
           !(st.st_mode & 077) && fd_read_all(fd, CACHE_MAX, out) == 0;
}

static bool cache_find(int state, const char *key, enum bwrap_state *ret, bool *ret_pins)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    size_t n = strlen(key);
    if (!cache_read(state, &text))
        return false;
    for (const char *line = strbuf_text(&text); line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, n) != 0)
            continue;
        *ret_pins = str_starts(line + n, "fit-pins\n");
        if (*ret_pins || str_starts(line + n, "fit\n"))
            *ret = BWRAP_FIT;
        else if (str_starts(line + n, "escapes\n"))
            *ret = BWRAP_ESCAPES;
        else
            continue;
        return true;
    }
    return false;
}

/* The new line first, then the old ones but for those of the same key. */
static void cache_store(int state, const char *key, const struct bwrap_probe *b)
{
    _cleanup_strbuf_ struct strbuf old = {0}, text = {.max = CACHE_MAX};
    strbuf_printf(&text, "%s%s\n", key,
                  b->state != BWRAP_FIT ? "escapes"
                  : b->pins             ? "fit-pins"
                                        : "fit");
    if (cache_read(state, &old)) {
        const char *line = strbuf_text(&old);
        for (int i = 1; i < CACHE_LINES && *line; i++) {
            size_t n = strcspn(line, "\n");
            if (line[n] == '\n' && strncmp(line, key, strlen(key)) != 0)
                strbuf_put(&text, line, n + 1);
            line += n + (line[n] == '\n');
        }
    }
    char name[64];
    (void)snprintf(name, sizeof(name), CACHE_NAME ".%ld", (long)getpid());
    _cleanup_fd_ int fd =
        openat(state, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    /* Not being able to keep it costs the next start a few milliseconds, no more. */
    if (fd < 0)
        return;
    if (strbuf_failed(&text) || fd_write_all(fd, strbuf_text(&text), text.n) < 0 ||
        renameat(state, name, state, CACHE_NAME) < 0)
        (void)unlinkat(state, name, 0);
}

/* ---- 3: trying it ---- */

static const char *const clean_env[] = {"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C", NULL};

/* A sandbox that does nothing. False with the reason in B. */
static bool try_works(struct bwrap_probe *b)
{
    static const char *const flags[] = {"--unshare-all",
                                        "--die-with-parent",
                                        "--ro-bind",
                                        "/",
                                        "/",
                                        "--dev",
                                        "/dev",
                                        "--proc",
                                        "/proc",
                                        "--",
                                        "/bin/sh",
                                        "-c",
                                        ":",
                                        NULL};
    const char *argv[ARRAY_LEN(flags) + 1] = {b->path};
    memcpy(argv + 1, flags, sizeof(flags));
    _cleanup_strbuf_ struct strbuf err = {0};
    struct probe_run run = {
        .program = b->path, .argv = argv, .envp = clean_env, .timeout_ms = RUN_MS, .err = &err};
    int status = 0, e = probe_exec(&run, &status);
    if (e == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    b->state = e < 0 && e != -ETIMEDOUT ? BWRAP_UNTRIED : BWRAP_BROKEN;
    const char *said = strbuf_text(&err);
    said = str_starts(said, "bwrap: ") ? said + 7 : said;
    if (e < 0)
        set_detail(b, "%s cannot be tried: %s", show(b->path), strerror(-e));
    else
        set_detail(b, "%s cannot make a sandbox: %s", show(b->path),
                   *said ? show_n(said, strcspn(said, "\n")) : "it says nothing");
    set_fix(b, "see userns");
    return false;
}

/* Does it take what it binds as descriptors? Its own list of options says so. */
static bool has_bind_fd(const struct bwrap_probe *b)
{
    const char *const argv[] = {b->path, "--help", NULL};
    _cleanup_strbuf_ struct strbuf out = {0};
    struct probe_run run = {
        .program = b->path, .argv = argv, .envp = clean_env, .timeout_ms = RUN_MS, .out = &out};
    int status = 0;
    return probe_exec(&run, &status) == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 &&
           strstr(strbuf_text(&out), " --ro-bind-fd ") && strstr(strbuf_text(&out), " --bind-fd ");
}

enum escape { ESCAPES, STAYS, UNCLEAR };

/* One spelling: LINK is what the symlink says, OP makes a file or a directory behind it. */
static enum escape try_spelling(const struct bwrap_probe *b, int dir, const char *dir_path,
                                const char *link, bool file)
{
    struct stat st;
    if (mkdirat(dir, "root", 0700) < 0 || mkdirat(dir, "out", 0700) < 0 ||
        symlinkat(link, dir, "root/link") < 0)
        return UNCLEAR;
    char root[MAX_PATH_BYTES + 8];
    (void)snprintf(root, sizeof(root), "%s/root", dir_path);
    /* The new root is our directory; "control" shows that it got as far as making things in it.
     * There is no program in it, so bwrap ends right after its set-up. */
    const char *const argv[] = {b->path,
                                "--unshare-all",
                                "--die-with-parent",
                                "--bind",
                                root,
                                "/",
                                "--dir",
                                "/control",
                                file ? "--ro-bind" : "--dir",
                                file ? "/dev/null" : "/link/probe",
                                file ? "/link/probe" : "--",
                                file ? "--" : "/none",
                                file ? "/none" : NULL,
                                NULL};
    struct probe_run run = {
        .program = b->path, .argv = argv, .envp = clean_env, .timeout_ms = RUN_MS};
    int status = 0, e = probe_exec(&run, &status);
    bool escaped = fstatat(dir, "out/probe", &st, AT_SYMLINK_NOFOLLOW) == 0;
    bool got_there = fstatat(dir, "root/control", &st, AT_SYMLINK_NOFOLLOW) == 0;
    (void)remove_at(dir, "root", TREE_DEPTH);
    (void)remove_at(dir, "out", TREE_DEPTH);
    return escaped ? ESCAPES : e == 0 && got_there ? STAYS : UNCLEAR;
}

/* In DIR, a private directory of ours at DIR_PATH (canonical). */
static enum escape try_escape(const struct bwrap_probe *b, int dir, const char *dir_path)
{
    char absolute[MAX_PATH_BYTES + 32], relative[MAX_PATH_BYTES + 512];
    (void)snprintf(absolute, sizeof(absolute), "/oldroot%s/out", dir_path);
    size_t n = 0;
    for (int i = 0; i < 64; i++, n += 3) /* ".." of the root is the root: too many do no harm */
        memcpy(relative + n, "../", 3);
    (void)snprintf(relative + n, sizeof(relative) - n, "oldroot%s/out", dir_path);
    if (strlen(relative) >= MAX_PATH_BYTES)
        return UNCLEAR;
    const struct {
        const char *link;
        bool file;
    } spellings[] = {{absolute, false}, {absolute, true}, {relative, false}, {relative, true}};
    for (size_t i = 0; i < ARRAY_LEN(spellings); i++) {
        enum escape e = try_spelling(b, dir, dir_path, spellings[i].link, spellings[i].file);
        if (e != STAYS)
            return e;
    }
    return STAYS;
}

static enum escape try_in_scratch(const struct bwrap_probe *b, int state)
{
    static unsigned serial;
    char name[64];
    sweep(state);
    (void)snprintf(name, sizeof(name), SCRATCH "%ld-%u", (long)getpid(), serial++);
    (void)remove_at(state, name, TREE_DEPTH); /* of a process that had our number */
    if (mkdirat(state, name, 0700) < 0)
        return UNCLEAR;
    _cleanup_arena_ struct arena a = {0};
    _cleanup_fd_ int dir = openat(state, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    char *path;
    enum escape e = dir >= 0 && path_of_fd(&a, dir, &path) == 0 && strlen(path) < 3000
                        ? try_escape(b, dir, path)
                        : UNCLEAR;
    (void)remove_at(state, name, TREE_DEPTH);
    return e;
}

static void say_escapes(struct bwrap_probe *b)
{
    b->state = BWRAP_ESCAPES;
    set_detail(b, "%s follows symlinks to the host in its set-up (CVE-2026-87766)", show(b->path));
    set_fix(b, "%s", newer_fix);
}

static void say_fit(struct bwrap_probe *b)
{
    b->state = BWRAP_FIT;
    set_detail(b, "%s works and keeps inside its root", show(b->path));
    b->result.fix[0] = '\0';
}

static void judge(const struct bwrap_request *q, const struct stat *st, struct bwrap_probe *b)
{
    char key[256];
    enum bwrap_state known;
    if (!q->state_dir) {
        b->state = BWRAP_UNTRIED;
        set_detail(b, "%s was not tried: there is no state directory to do it in", show(b->path));
        set_fix(b, "make ~/.bawn writable, or set BAWN_HOME");
        return;
    }
    _cleanup_fd_ int state = open(q->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cache_key(st, key, sizeof(key));
    if (state >= 0 && !q->fresh && cache_find(state, key, &known, &b->pins)) {
        b->cached = true;
        (known == BWRAP_FIT ? say_fit : say_escapes)(b);
        return;
    }
    if (!try_works(b))
        return;
    enum escape e = state < 0 ? UNCLEAR : try_in_scratch(b, state);
    if (e == UNCLEAR) {
        b->state = BWRAP_UNTRIED;
        set_detail(b, "%s could not be tried in %s", show(b->path), show(q->state_dir));
        set_fix(b, "see whether that directory can be written");
        return;
    }
    (e == STAYS ? say_fit : say_escapes)(b);
    b->pins = e == STAYS && has_bind_fd(b);
    struct stat after;
    char key_after[256];
    if (stat(b->path, &after) == 0) {
        cache_key(&after, key_after, sizeof(key_after));
        if (str_eq(key, key_after))
            cache_store(state, key, b);
    }
}

/* ---- the search ---- */

/* bawn itself under that name (libexec/bawn/compat): it would be asked to carry out with its own
 * mounter what the bundled backend does without it. */
static bool is_bawn(const char *real, const struct stat *st)
{
    struct stat self;
    if (str_eq(path_base(real), "bawn"))
        return true;
    return st->st_nlink > 1 && stat("/proc/self/exe", &self) == 0 && self.st_dev == st->st_dev &&
           self.st_ino == st->st_ino;
}

/* Looks at DIR/bwrap. False when there is none. */
static bool look_at(const struct search *s, const char *dir, struct bwrap_probe *b)
{
    struct stat st;
    char *named = path_join(s->a, dir, "bwrap"), *real_dir, *real;
    if (!named || stat(named, &st) < 0 || !S_ISREG(st.st_mode) || access(named, X_OK) < 0)
        return false;
    *b = (struct bwrap_probe){.state = BWRAP_UNTRIED, .result = {.id = "bwrap"}};
    size_t missing = 0;
    if (path_canonical(s->a, dir, &real_dir, &missing) < 0 || missing ||
        path_canonical(s->a, named, &real, &missing) < 0 || missing ||
        strlen(real) >= sizeof(b->path)) {
        set_detail(b, "%s cannot be resolved", show(named));
        return true;
    }
    if (is_bawn(real, &st))
        return false;
    (void)snprintf(b->path, sizeof(b->path), "%s", real);
    char *target_dir = path_parent(s->a, real);
    if (!target_dir || stat(real, &st) < 0) {
        set_detail(b, "%s cannot be looked at", show(named));
        return true;
    }
    if (check_dirs(s, real_dir, b) &&
        (str_eq(target_dir, real_dir) || check_dirs(s, target_dir, b)) && check_file(&st, b))
        judge(s->q, &st, b);
    return true;
}

bool probe_bwrap(const struct bwrap_request *q, struct bwrap_probe *ret)
{
    _cleanup_arena_ struct arena a = {0};
    struct search s = {.q = q, .a = &a};
    struct bwrap_probe found;
    *ret = (struct bwrap_probe){.state = BWRAP_MISSING, .result = {.id = "bwrap"}};
    set_detail(ret, "there is none on PATH");
    set_fix(ret, "install bubblewrap (0.12 or newer); bawn's bundled backend does without");
    const char *p = q->path_env && look_at_unfit_dirs(&s) ? q->path_env : "";
    while (*p) {
        size_t n = strcspn(p, ":");
        char *dir = arena_strndup(&a, p, n);
        p += n + (p[n] == ':');
        /* An empty or relative element means the working directory. */
        if (!dir || dir[0] != '/' || !look_at(&s, dir, &found))
            continue;
        /* One that could be fit, were there a directory to try it in, comes before one that is not.
         */
        bool untried = found.state == BWRAP_UNTRIED && !q->state_dir && ret->state != BWRAP_UNTRIED;
        if (ret->state == BWRAP_MISSING || found.state == BWRAP_FIT || untried)
            *ret = found;
        if (ret->state == BWRAP_FIT)
            break;
    }
    ret->result.ok = ret->state == BWRAP_FIT;
    return ret->result.ok;
}

int probe_unfit_dirs(struct arena *a, const struct profile *profile, const char *cwd,
                     const char *const **ret, size_t *ret_n)
{
    const char **v = arena_zalloc(a, profile->n_entries + profile->n_roots + 1, sizeof(*v));
    size_t n = 0;
    if (!v)
        return -ENOMEM;
    if (cwd)
        v[n++] = cwd;
    for (size_t i = 0; i < profile->n_roots; i++)
        v[n++] = profile->roots[i];
    for (size_t i = 0; i < profile->n_entries; i++)
        if (profile->entries[i].access == ACCESS_WRITE && !profile->entries[i].glob)
            v[n++] = profile->entries[i].path;
    *ret = v;
    *ret_n = n;
    return 0;
}

const char *probe_start_warning(const struct bwrap_probe *b)
{
    switch (b->state) {
    case BWRAP_MISSING:
        return "no bwrap on PATH: bawn's own set-up is used; install bubblewrap 0.12 or newer, or "
               "set "
               "sandbox_backend = \"bundled\" to say that this is meant";
    case BWRAP_BROKEN:
        return "bwrap cannot make a sandbox here: see bawn doctor";
    default:
        return NULL;
    }
}

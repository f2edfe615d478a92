/*
 * Trying a backend for real. See doctor_try.h.
 *
 * The place:
 *
 *   BASE/work/         the workspace, writable; secret.txt in it is masked, .git/config protected.
 * What is written lies in src/: Landlock can grant no new name beside a mask BASE/outside/
 * readable; `kept` is to be written to, `socket` listens BASE/home/         BAWN_HOME of the tries:
 * the person's own configuration plays no part
 *
 * The tries use a profile of their own, so BASE may lie below /tmp. What the inner side reports is
 * not taken on trust where the outcome can be seen from here: `outside` must be as it was.
 */
#include "cli/doctor_try.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/sys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRY_TIMEOUT_MS 20000
#define SECRET         "bawn-doctor-secret"
#define KEPT           "as it was\n"

/* ---- inside ---- */

struct inside {
    const char *base;
    unsigned port;
    pid_t outer;
};

/* Each does its thing and returns 0 when it succeeded, else a negative errno. */

static int write_file(const struct inside *in, const char *name, int flags)
{
    char path[MAX_PATH_BYTES];
    (void)snprintf(path, sizeof(path), "%s/%s", in->base, name);
    _cleanup_fd_ int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0600);
    if (fd < 0)
        return -errno;
    return fd_write_all(fd, "x", 1);
}

static int do_write_inside(const struct inside *in)
{
    return write_file(in, "work/src/made", O_CREAT);
}

static int do_write_outside(const struct inside *in)
{
    return write_file(in, "outside/kept", O_APPEND);
}

static int do_create_outside(const struct inside *in)
{
    return write_file(in, "outside/made", O_CREAT);
}

static int do_write_protected(const struct inside *in)
{
    return write_file(in, "work/.git/config", O_APPEND);
}

static int do_read_masked(const struct inside *in)
{
    char path[MAX_PATH_BYTES];
    _cleanup_strbuf_ struct strbuf text = {0};
    (void)snprintf(path, sizeof(path), "%s/work/secret.txt", in->base);
    int r = path_read_file(AT_FDCWD, path, 4096, &text, NULL);
    /* An empty file in its place is as good as a refusal. */
    return r < 0 ? r : str_eq(strbuf_text(&text), SECRET) ? 0 : -EACCES;
}

static int do_connect_tcp(const struct inside *in)
{
    _cleanup_fd_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)in->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return -errno;
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int e = 0;
    socklen_t len = sizeof(e);
    if (poll(&p, 1, 2000) <= 0)
        return -ETIMEDOUT;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len) < 0 ? -errno : -e;
}

/* By its name in the working directory: the whole path may be too long for a socket's. */
static int unix_address(const char *base, struct sockaddr_un *ret, char *old, size_t cap)
{
    char dir[MAX_PATH_BYTES];
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    (void)snprintf(ret->sun_path, sizeof(ret->sun_path), "socket");
    (void)snprintf(dir, sizeof(dir), "%s/outside", base);
    return getcwd(old, cap) && chdir(dir) == 0 ? 0 : -errno;
}

static int do_connect_unix(const struct inside *in)
{
    struct sockaddr_un to;
    char old[MAX_PATH_BYTES];
    _cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int r = fd < 0 ? -errno : unix_address(in->base, &to, old, sizeof(old));
    if (r < 0)
        return r;
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        r = -errno;
    return chdir(old) < 0 ? -errno : r;
}

/* In a child, which ends with errno. */
static int in_child(int (*fn)(void))
{
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(-fn());
    if (pid < 0)
        return -errno;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

static int trace_me(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 ? -errno : 0;
}

static int do_ptrace(const struct inside *in)
{
    (void)in;
    return in_child(trace_me);
}

static int new_userns(void)
{
    return unshare(CLONE_NEWUSER) < 0 ? -errno : 0;
}

static int do_userns(const struct inside *in)
{
    (void)in;
    return in_child(new_userns);
}

static int do_signal(const struct inside *in)
{
    return kill(in->outer, 0) < 0 ? -errno : 0;
}

static const struct {
    const char *id;
    const char *words; /* "refused: …" */
    int (*fn)(const struct inside *);
    bool must_work;
} attempts[] = {
    {"write-inside", "writing in the workspace", do_write_inside, true},
    {"write-outside", "writing outside", do_write_outside, false},
    {"create-outside", "creating outside", do_create_outside, false},
    {"write-protected", "writing .git", do_write_protected, false},
    {"read-masked", "reading a mask", do_read_masked, false},
    {"connect-tcp", "TCP", do_connect_tcp, false},
    {"connect-unix", "Unix sockets outside", do_connect_unix, false},
    {"ptrace", "ptrace", do_ptrace, false},
    {"userns", "new user namespaces", do_userns, false},
    {"signal-outside", "signals to outside", do_signal, false},
};
_Static_assert(ARRAY_LEN(attempts) <= TRY_CHECKS_MAX, "room for every check");

int doctor_inside(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    struct inside in = {.base = argv[2],
                        .port = (unsigned)strtoul(argv[3], NULL, 10),
                        .outer = (pid_t)strtol(argv[4], NULL, 10)};
    _cleanup_strbuf_ struct strbuf out = {0};
    for (size_t i = 0; i < ARRAY_LEN(attempts); i++) {
        int r = attempts[i].fn(&in);
        bool ok = attempts[i].must_work ? r == 0 : r < 0;
        strbuf_printf(&out, "%s %s %s%s\n", attempts[i].id, ok ? "ok" : "FAIL",
                      attempts[i].must_work ? ""
                      : r == 0              ? "not refused"
                                            : "refused: ",
                      r < 0 ? strerror(-r) : "");
    }
    return fd_write_all(1, strbuf_text(&out), out.n) < 0;
}

/* ---- the place ---- */

static int put_file(const char *base, const char *name, const char *text)
{
    char path[MAX_PATH_BYTES];
    (void)snprintf(path, sizeof(path), "%s/%s", base, name);
    _cleanup_fd_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
}

static int fill_place(const char *base)
{
    static const char *const dirs[] = {"work", "work/src", "work/.git", "outside", "home"};
    static const struct {
        const char *name, *text;
    } files[] = {
        {"work/secret.txt", SECRET}, {"work/.git/config", "[core]\n"}, {"outside/kept", KEPT}};
    char path[MAX_PATH_BYTES];
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", base, dirs[i]);
        if (mkdir(path, 0700) < 0)
            return -errno;
    }
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        int r = put_file(base, files[i].name, files[i].text);
        if (r < 0)
            return r;
    }
    return 0;
}

static int listen_somewhere(struct try_place *p)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    struct sockaddr_un un;
    char old[MAX_PATH_BYTES];
    p->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    p->unix_socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (p->tcp < 0 || p->unix_socket < 0 || bind(p->tcp, (struct sockaddr *)&at, sizeof(at)) < 0 ||
        listen(p->tcp, 64) < 0 || getsockname(p->tcp, (struct sockaddr *)&at, &len) < 0)
        return -errno;
    p->port = ntohs(at.sin_port);
    int r = unix_address(p->base, &un, old, sizeof(old));
    if (r < 0)
        return r;
    if (bind(p->unix_socket, (struct sockaddr *)&un, sizeof(un)) < 0 ||
        listen(p->unix_socket, 64) < 0)
        r = -errno;
    return chdir(old) < 0 ? -errno : r;
}

/* The person's environment, less what says where bawn's own files are. */
static const char **make_env(struct arena *a, const char *base)
{
    size_t n = 0, k = 0;
    while (environ[n])
        n++;
    const char **env = arena_zalloc(a, n + 2, sizeof(*env));
    if (!env)
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (!str_starts(environ[i], "BAWN_HOME="))
            env[k++] = environ[i];
    env[k] = arena_printf(a, "BAWN_HOME=%s/home", base);
    return env[k] ? env : NULL;
}

int try_place_make(struct try_place *p, const char *parent, struct arena *a, struct error *err)
{
    *p = (struct try_place){.tcp = -1, .unix_socket = -1};
    ssize_t n = readlink("/proc/self/exe", p->self, sizeof(p->self) - 1);
    if (n < 0)
        return error_errno(err, -errno, "cannot find bawn's own program in /proc");
    p->self[n] = '\0';
    if ((size_t)snprintf(p->base, sizeof(p->base), "%s/bawn-doctor-XXXXXX", parent) >=
        sizeof(p->base)) {
        p->base[0] = '\0';
        return error_set(err, -ENAMETOOLONG, "%s is too long a path to try things in",
                         show(parent));
    }
    if (!mkdtemp(p->base)) {
        p->base[0] = '\0';
        return error_errno(err, -errno, "cannot make a directory in %s", show(parent));
    }
    int r = fill_place(p->base);
    if (r == 0)
        r = listen_somewhere(p);
    if (r == 0 && !(p->env = make_env(a, p->base)))
        r = -ENOMEM;
    if (r < 0) {
        try_place_release(p);
        return error_errno(err, r, "cannot prepare a place to try things in %s", show(parent));
    }
    return 0;
}

void try_place_release(struct try_place *p)
{
    fd_close(p->tcp);
    fd_close(p->unix_socket);
    p->tcp = p->unix_socket = -1;
    if (p->base[0])
        (void)probe_remove_tree(p->base);
    p->base[0] = '\0';
}

/* ---- the try ---- */

/* "ID ok|FAIL DETAIL" a line, in the order of `attempts`; what does not fit ends the reading. */
static void read_report(const char *text, struct backend_try *t)
{
    for (const char *line = text; *line && t->n_checks < ARRAY_LEN(attempts);) {
        struct try_check *c = &t->checks[t->n_checks];
        const char *id = attempts[t->n_checks].id;
        size_t n = strcspn(line, "\n"), k = strlen(id);
        if (n < k + 4 || strncmp(line, id, k) != 0 || line[k] != ' ')
            return;
        c->id = id;
        c->ok = str_starts(line + k, " ok ");
        size_t skip = k + (c->ok ? 4 : 6);
        if (!c->ok && !str_starts(line + k, " FAIL "))
            return;
        (void)printable(c->detail, sizeof(c->detail), line + skip, n - skip);
        t->n_checks++;
        line += n + (line[n] == '\n');
    }
}

/* Put back what a backend that does not hold let through; true when nothing was. */
static bool outside_is_as_it_was(const struct try_place *p)
{
    char path[MAX_PATH_BYTES];
    _cleanup_strbuf_ struct strbuf text = {0};
    (void)snprintf(path, sizeof(path), "%s/outside/kept", p->base);
    bool same =
        path_read_file(AT_FDCWD, path, 4096, &text, NULL) == 0 && str_eq(strbuf_text(&text), KEPT);
    (void)put_file(p->base, "outside/kept", KEPT);
    (void)snprintf(path, sizeof(path), "%s/outside/made", p->base);
    if (unlink(path) == 0)
        same = false;
    (void)snprintf(path, sizeof(path), "%s/work/src/made", p->base);
    (void)unlink(path);
    return same;
}

static void sum_up(struct backend_try *t, bool untouched)
{
    char *text = t->detail;
    const size_t cap = sizeof(t->detail);
    t->ok = t->n_checks == ARRAY_LEN(attempts) && untouched;
    for (size_t i = 0; i < t->n_checks; i++)
        t->ok = t->ok && t->checks[i].ok;
    size_t n = (size_t)snprintf(text, cap, "%s",
                                t->ok       ? "runs; refuses "
                                : untouched ? "does not hold: "
                                            : "WRITES OUTSIDE: ");
    const char *comma = "";
    for (size_t i = 0; i < ARRAY_LEN(attempts) && n < cap; i++) {
        if (t->ok && attempts[i].must_work)
            continue;
        if (t->ok)
            n += (size_t)snprintf(text + n, cap - n, "%s%s", comma, attempts[i].words);
        else if (i >= t->n_checks)
            n += (size_t)snprintf(text + n, cap - n, "%s%s (no answer)", comma, attempts[i].id);
        else if (!t->checks[i].ok)
            n += (size_t)snprintf(text + n, cap - n, "%s%s (%s)", comma, t->checks[i].id,
                                  t->checks[i].detail);
        else
            continue;
        comma = ", ";
    }
    if (!t->ok)
        (void)snprintf(t->fix, sizeof(t->fix),
                       "do not rely on this backend here, and please report it");
}

void try_backend(const struct try_place *p, const char *backend, struct backend_try *t)
{
    char setting[64], work[600], port[16], pid[16];
    *t = (struct backend_try){.backend = backend ? backend : "bare"};
    (void)snprintf(setting, sizeof(setting), "sandbox_backend=\"%s\"", t->backend);
    (void)snprintf(work, sizeof(work), "%s/work", p->base);
    (void)snprintf(port, sizeof(port), "%u", p->port);
    (void)snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    const char *const argv[] = {
        "bawn",
        "sandbox",
        "-q",
        "-C",
        work,
        "-P",
        "bawn-doctor",
        "-c",
        "permissions.bawn-doctor.filesystem={\":root\"=\"read\", \":workspace_roots\"="
        "{\".\"=\"write\", \"secret.txt\"=\"none\"}}",
        "-c",
        setting,
        "--",
        p->self,
        "doctor",
        "--inside",
        p->base,
        port,
        pid,
        NULL};
    size_t skip = backend ? 0 : 12; /* bare: what stands behind "--" */
    _cleanup_strbuf_ struct strbuf out = {0}, err = {0};
    struct probe_run run = {.program = "/proc/self/exe",
                            .argv = argv + skip,
                            .envp = p->env,
                            .timeout_ms = TRY_TIMEOUT_MS,
                            .out = &out,
                            .err = &err};
    int status = 0, r = probe_exec(&run, &status);
    bool untouched = outside_is_as_it_was(p);
    if (r == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        read_report(strbuf_text(&out), t);
        sum_up(t, untouched);
        return;
    }
    const char *said = strbuf_text(&err);
    said = str_starts(said, "bawn: ") ? said + 6 : said;
    if (r < 0)
        (void)snprintf(t->detail, sizeof(t->detail), "not tried to the end: %s", strerror(-r));
    else if (*said)
        (void)printable(t->detail, sizeof(t->detail), said, strcspn(said, "\n"));
    else if (WIFSIGNALED(status))
        (void)snprintf(t->detail, sizeof(t->detail), "ended by signal %d", WTERMSIG(status));
    else
        (void)snprintf(t->detail, sizeof(t->detail), "ended with status %d", WEXITSTATUS(status));
    (void)snprintf(t->fix, sizeof(t->fix),
                   "see the checks above that fail, and bawn sandbox -c "
                   "'sandbox_backend=\"%s\"' -- true",
                   t->backend);
}

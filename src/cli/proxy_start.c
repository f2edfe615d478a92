/*
 * Starting, feeding and ending bawn-proxy. See proxy_start.h.
 *
 * What is executed is the file that was looked at: it is opened once. The child gives up what it
 * has of the caller before that: signals, descriptors, directory, session. Between fork and exec
 * nothing is allocated.
 */
#include "cli/proxy_start.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define LISTEN_MS   10000 /* until it has read its rules and is confined */
#define END_MS      500   /* to end by itself */
#define ERRORS_MOST 4096u /* bytes of what it wrote that are looked at */

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u
#endif

/* ---- the program ---- */

/* Is the directory N bytes of PATH name the one called NAME, itself or below something? */
static bool ends_in(const char *path, size_t n, const char *name)
{
    size_t k = strlen(name);
    return n >= k && memcmp(path + n - k, name, k) == 0;
}

const char *proxy_place(struct arena *a, const char *own, const char *program)
{
    const char *slash = strrchr(own, '/');
    size_t n = slash ? (size_t)(slash - own) : 0;
    if (ends_in(own, n, "/src/cli"))
        return arena_printf(a, "%.*s%s/%s", (int)(n - 3), own, program + strlen("bawn-"), program);
    size_t up = ends_in(own, n, "/bin") ? n - 4 : n;
    return arena_printf(a, "%.*s/libexec/bawn/%s", (int)up, own, program);
}

static int is_no_good(struct error *err, const char *path, const char *why)
{
    (void)error_set(err, -EPERM, "the network is to be filtered, and %s is not started: %s",
                    show(path), why);
    error_hint(err, "install it together with bawn");
    return -EPERM;
}

/* Root's, ours, or of whom bawn itself is: who could change the one could change the other. */
static bool is_owned_well(uid_t owner)
{
    struct stat self;
    return owner == 0 || owner == geteuid() ||
           (stat("/proc/self/exe", &self) == 0 && self.st_uid == owner);
}

/* The program as a descriptor. */
static int open_program(const char *path, const struct profile *profile, struct error *err)
{
    struct stat st;
    _cleanup_fd_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        (void)error_set(err, -ENOENT, "the network is to be filtered, and %s is missing",
                        show(path));
        error_hint(err, "install it together with bawn, or turn the network off");
        return -ENOENT;
    }
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(err, -errno, "the network is to be filtered: %s", show(path));
    if (!S_ISREG(st.st_mode))
        return is_no_good(err, path, "it is no program");
    if (!is_owned_well(st.st_uid))
        return is_no_good(err, path, "it belongs to somebody else");
    if (st.st_mode & S_IWOTH)
        return is_no_good(err, path, "everybody can write it");
    if (permissions_check(profile, path).access == ACCESS_WRITE)
        return is_no_good(err, path, "the command could write it");
    return steal_fd(&fd);
}

/* ---- the start ---- */

struct start {
    int program, socket, errors, null; /* all above 4 */
    int fourth;                        /* what becomes descriptor 4, or -1 */
    char *name;
    pid_t parent;
};

static void reset_signals(void)
{
    sigset_t none;
    struct sigaction plain = {.sa_handler = SIG_DFL};
    for (int i = 1; i < NSIG; i++)
        (void)sigaction(i, &plain, NULL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The child, until it is another program. */
_noreturn_ static void become(const struct start *s)
{
    char *argv[] = {s->name, NULL}, *envp[] = {NULL};
    reset_signals();
    (void)setsid();
    if (chdir("/") < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != s->parent ||
        dup2(s->null, 0) < 0 || dup2(s->null, 1) < 0 || dup2(s->errors, 2) < 0 ||
        dup2(s->socket, 3) < 0 || (s->fourth >= 0 && dup2(s->fourth, 4) < 0))
        _exit(127);
    /* The program's own descriptor goes with the exec. */
    (void)sys_close_range(s->fourth >= 0 ? 5 : 4, (unsigned)s->program - 1);
    (void)sys_close_range((unsigned)s->program + 1, ~0u);
    (void)syscall(SYS_execveat, s->program, "", argv, envp, AT_EMPTY_PATH);
    static const char message[] = "cannot be executed: ";
    const char *why = strerror(errno);
    (void)!write(2, message, sizeof(message) - 1);
    (void)!write(2, why, strlen(why));
    _exit(127);
}

/* FD moved above those that the child puts in their places. */
static int high(int *fd)
{
    int moved = fcntl(*fd, F_DUPFD_CLOEXEC, 10);
    if (moved < 0)
        return -errno;
    fd_close(*fd);
    *fd = moved;
    return 0;
}

static int spawn(struct proxy *p, struct start *s, struct error *err)
{
    int pair[2] = {-1, -1}, r = 0;
    s->null = open("/dev/null", O_RDWR | O_CLOEXEC);
    s->errors = memfd_create("bawn-proxy's errors", MFD_CLOEXEC);
    if (s->null < 0 || s->errors < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        r = -errno;
    s->socket = pair[1];
    p->fd = pair[0];
    if (r == 0)
        r = high(&s->null);
    if (r == 0)
        r = high(&s->errors);
    if (r == 0)
        r = high(&s->socket);
    if (r == 0)
        r = high(&s->program);
    _cleanup_fd_ int fourth = r == 0 && s->fourth >= 0 ? fcntl(s->fourth, F_DUPFD_CLOEXEC, 10) : -1;
    if (r == 0 && s->fourth >= 0 && fourth < 0)
        r = -errno;
    s->fourth = fourth;
    s->parent = getpid();
    if (r == 0) {
        p->pid = fork();
        if (p->pid == 0)
            become(s);
        if (p->pid < 0)
            r = -errno;
    }
    p->pid = MAX_OF(p->pid, 0);
    p->errors = steal_fd(&s->errors);
    fd_close(s->null);
    fd_close(s->socket);
    return r < 0 ? error_errno(err, r, "cannot start the proxy") : 0;
}

int proxy_start_with(struct proxy *p, const struct proxy_program *program, const int *fds,
                     size_t n_fds, struct error *err)
{
    char name[32];
    struct start s = {-1, -1, -1, -1, program->fourth, name, 0};
    struct wire_head head = {.kind = WIRE_START, .version = WIRE_VERSION};
    *p = (struct proxy){.fd = -1, .errors = -1};
    (void)snprintf(name, sizeof(name), "%s", path_base(program->path));
    s.program = open_program(program->path, program->profile, err);
    if (s.program < 0)
        return s.program;
    int r = spawn(p, &s, err);
    fd_close(s.program);
    if (r == 0 && (r = wire_send(p->fd, &head, NULL, 0, fds, n_fds)) < 0 && r != -EPIPE)
        (void)error_errno(err, r, "cannot tell the proxy its rules");
    if (r < 0 && r != -EPIPE) {
        proxy_end(p, NULL);
        return r;
    }
    return 0; /* if it is gone already, proxy_await() says why */
}

int proxy_settings_file(const struct strbuf *text, struct error *err)
{
    if (strbuf_failed(text))
        return error_errno(err, -ENOMEM, "cannot tell the proxy its rules");
    _cleanup_fd_ int fd = memfd_create("bawn-settings", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int r = fd < 0 ? -errno : fd_write_all(fd, text->p, text->n);
    if (r == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
        r = -errno;
    return r < 0 ? error_errno(err, r, "cannot tell the proxy its rules") : steal_fd(&fd);
}

int proxy_start(struct proxy *p, const struct proxy_program *program,
                const struct wire_settings *settings, struct error *err)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    *p = (struct proxy){.fd = -1, .errors = -1};
    (void)wire_settings_write(settings, &text);
    _cleanup_fd_ int fd = proxy_settings_file(&text, err);
    return fd < 0 ? fd : proxy_start_with(p, program, &fd, 1, err);
}

/* ---- messages ---- */

bool proxy_wait(const struct proxy *p, int timeout_ms)
{
    int64_t until = clock_ms() + timeout_ms;
    for (;;) {
        struct pollfd pfd = {.fd = p->fd, .events = POLLIN};
        int64_t left = until - clock_ms();
        int r = p->fd < 0 || left < 0 ? 0 : poll(&pfd, 1, (int)left);
        if (r >= 0 || errno != EINTR)
            return r > 0;
    }
}

int proxy_recv(struct proxy *p, struct wire_head *ret, struct bytes *ret_payload)
{
    int fds[WIRE_FDS_MAX];
    size_t n = 0;
    if (p->fd < 0)
        return -EPIPE;
    int r = wire_recv(p->fd, p->buf, ret, ret_payload, fds, &n);
    for (size_t i = 0; i < n; i++)
        fd_close(fds[i]);
    return r;
}

int proxy_say(struct proxy *p, enum wire_kind kind, uint64_t id, const void *payload, size_t n)
{
    struct wire_head head = {.kind = (uint16_t)kind, .version = WIRE_VERSION, .id = id};
    return p->fd < 0 ? -EPIPE : wire_send(p->fd, &head, payload, n, NULL, 0);
}

/* It died, or is of no use: R says how that was noticed. */
static int is_gone(struct proxy *p, int r, struct error *err)
{
    _cleanup_strbuf_ struct strbuf why = {0};
    proxy_end(p, &why);
    return error_set(err, r == -EAGAIN ? -ETIMEDOUT : r, "the proxy did not start: %s",
                     why.n             ? strbuf_text(&why)
                     : r == -ETIMEDOUT ? "it did not answer in time"
                                       : strerror(-r));
}

int proxy_await(struct proxy *p, struct bytes *ret_text, struct error *err)
{
    int64_t until = clock_ms() + LISTEN_MS;
    int r = p->fd < 0 ? -EPIPE : 0;
    while (r == 0) {
        struct wire_head head;
        int64_t left = until - clock_ms();
        if (left <= 0 || !proxy_wait(p, (int)left))
            return is_gone(p, -ETIMEDOUT, err);
        r = proxy_recv(p, &head, ret_text);
        if (r == 0 && head.kind == WIRE_READY)
            return 0;
        if (r == 0 && head.kind == WIRE_FAILED) {
            (void)error_set(err, -EIO, "the proxy did not start: %s",
                            show_n(ret_text->p, ret_text->n));
            proxy_end(p, NULL);
            return -EIO;
        }
        if (r == -EAGAIN)
            r = 0;
    }
    return is_gone(p, r, err);
}

int proxy_listen(struct proxy *p, const struct net_listener *listeners, size_t n, struct error *err)
{
    struct wire_head head = {.kind = WIRE_LISTEN, .count = (uint16_t)n, .version = WIRE_VERSION};
    char kinds[WIRE_FDS_MAX];
    int fds[WIRE_FDS_MAX];
    if (n > WIRE_FDS_MAX)
        return error_set(err, -E2BIG, "more listening sockets than the proxy takes");
    for (size_t i = 0; i < n; i++) {
        kinds[i] = (char)listeners[i].kind;
        fds[i] = listeners[i].fd;
    }
    int r = p->fd < 0 ? -EPIPE : wire_send(p->fd, &head, kinds, n, fds, n);
    if (r < 0)
        return is_gone(p, r, err);
    struct bytes text;
    r = proxy_await(p, &text, err);
    p->listening = r == 0;
    return r;
}

/* ---- the end ---- */

/* Reaps within END_MS, then by force. The wait status; -1: nobody knows. */
static int reap(pid_t pid)
{
    struct timespec step = {.tv_nsec = 1000000};
    int status = -1;
    for (int i = 0; i < END_MS; i++) {
        pid_t got = waitpid(pid, &status, WNOHANG);
        if (got == pid)
            return status;
        if (got < 0 && errno != EINTR)
            return -1;
        (void)nanosleep(&step, NULL);
    }
    (void)kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return status;
}

/* The last line of what was written to FD. */
static void last_words(int fd, struct strbuf *out)
{
    char text[ERRORS_MOST];
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return;
    off_t from = st.st_size > (off_t)sizeof(text) ? st.st_size - (off_t)sizeof(text) : 0;
    ssize_t n = pread(fd, text, sizeof(text), from);
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
        n--;
    if (n <= 0)
        return;
    const char *nl = memrchr(text, '\n', (size_t)n);
    const char *begin = nl ? nl + 1 : text;
    strbuf_put_printable(out, begin, (size_t)(text + n - begin));
}

void proxy_end(struct proxy *p, struct strbuf *ret_why)
{
    fd_close(p->fd);
    p->fd = -1;
    if (p->pid > 0) {
        int status = reap(p->pid);
        if (ret_why) {
            last_words(p->errors, ret_why);
            if (ret_why->n == 0 && status >= 0 && WIFSIGNALED(status))
                strbuf_printf(ret_why, "it was ended by signal %d", WTERMSIG(status));
            else if (ret_why->n == 0 && status > 0 && WIFEXITED(status))
                strbuf_printf(ret_why, "it ended with status %d", WEXITSTATUS(status));
        }
    }
    p->pid = 0;
    fd_close(p->errors);
    p->errors = -1;
}

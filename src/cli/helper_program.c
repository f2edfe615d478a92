/*
 * Looking at a program of bawn's own and executing it. See helper_program.h.
 *
 * The file is opened once. The child gives up what it has of the caller before the exec: signals,
 * descriptors, directory, session. Between fork and exec nothing is allocated.
 */
#include "cli/helper_program.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/sys.h"
#include "cli/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define ERRORS_MOST 4096u /* bytes of what it wrote that are looked at */

/* ---- the file ---- */

/* Is the directory N bytes of PATH name the one called NAME, itself or below something? */
static bool ends_in(const char *path, size_t n, const char *name)
{
    size_t k = strlen(name);
    return n >= k && memcmp(path + n - k, name, k) == 0;
}

const char *helper_place(struct arena *a, const char *own, const char *program)
{
    const char *slash = strrchr(own, '/');
    size_t n = slash ? (size_t)(slash - own) : 0;
    if (ends_in(own, n, "/src/cli"))
        return arena_printf(a, "%.*s%s/%s", (int)(n - 3), own, program + strlen("bawn-"), program);
    size_t up = ends_in(own, n, "/bin") ? n - 4 : n;
    return arena_printf(a, "%.*s/libexec/bawn/%s", (int)up, own, program);
}

static int is_no_good(struct error *err, const char *path, const char *why, const char *what)
{
    (void)error_set(err, -EPERM, "%s, and %s is not started: %s", why, show(path), what);
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

int helper_open(const char *path, const struct profile *profile, const char *why,
                const char *or_else, struct error *err)
{
    struct stat st;
    _cleanup_fd_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        (void)error_set(err, -ENOENT, "%s, and %s is missing", why, show(path));
        error_hint(err, "install it together with bawn%s", or_else ? or_else : "");
        return -ENOENT;
    }
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(err, -errno, "%s: %s", why, show(path));
    if (!S_ISREG(st.st_mode))
        return is_no_good(err, path, why, "it is no program");
    if (!is_owned_well(st.st_uid))
        return is_no_good(err, path, why, "it belongs to somebody else");
    if (st.st_mode & S_IWOTH)
        return is_no_good(err, path, why, "everybody can write it");
    /* Where nothing is confined, everything could be changed anyway. */
    if (!profile->full_access && permissions_check(profile, path).access == ACCESS_WRITE)
        return is_no_good(err, path, why, "the command could write it");
    return steal_fd(&fd);
}

/* ---- the process ---- */

struct child {
    int program, socket, errors, null; /* all above 4 */
    int fourth;                        /* what becomes descriptor 4, or -1 */
    char *name;
    pid_t parent; /* 0: it stays */
};

/* The child, until it is another program. */
_noreturn_ static void become(const struct child *c)
{
    char *argv[] = {c->name, NULL}, *envp[] = {NULL};
    bool bound =
        c->parent == 0 || (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == c->parent);
    tool_reset_signals();
    (void)setsid();
    if (!bound || chdir("/") < 0 || dup2(c->null, 0) < 0 || dup2(c->null, 1) < 0 ||
        dup2(c->errors, 2) < 0 || dup2(c->socket, 3) < 0 ||
        (c->fourth >= 0 && dup2(c->fourth, 4) < 0))
        _exit(127);
    /* The program's own descriptor goes with the exec. */
    (void)sys_close_range(c->fourth >= 0 ? 5 : 4, (unsigned)c->program - 1);
    (void)sys_close_range((unsigned)c->program + 1, ~0u);
    (void)syscall(SYS_execveat, c->program, "", argv, envp, AT_EMPTY_PATH);
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

/* Its parent ends at once, so that somebody else reaps it: whoever waits for bawn's children knows
 * nothing of it. */
static int fork_away(const struct child *c)
{
    pid_t pid = fork();
    if (pid == 0) {
        pid = fork();
        if (pid == 0)
            become(c);
        _exit(pid < 0);
    }
    int status = 0;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return pid < 0 ? -errno : status ? -EAGAIN : 0;
}

static int fork_child(const struct child *c, pid_t *ret)
{
    pid_t pid = fork();
    if (pid == 0)
        become(c);
    *ret = MAX_OF(pid, 0);
    return pid < 0 ? -errno : 0;
}

int helper_spawn(struct helper_start *s, struct error *err)
{
    int pair[2] = {-1, -1}, r = 0;
    char name[32];
    struct child c = {.name = name, .parent = s->stays ? 0 : getpid()};
    (void)snprintf(name, sizeof(name), "%s", s->name);
    s->pid = 0;
    c.null = open("/dev/null", O_RDWR | O_CLOEXEC);
    c.errors = memfd_create("bawn's helper: errors", MFD_CLOEXEC);
    if (c.null < 0 || c.errors < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        r = -errno;
    s->fd = pair[0];
    c.socket = pair[1];
    if (r == 0)
        r = high(&c.null);
    if (r == 0)
        r = high(&c.errors);
    if (r == 0)
        r = high(&c.socket);
    _cleanup_fd_ int program = r == 0 ? fcntl(s->program, F_DUPFD_CLOEXEC, 10) : -1;
    _cleanup_fd_ int fourth = r == 0 && s->fourth >= 0 ? fcntl(s->fourth, F_DUPFD_CLOEXEC, 10) : -1;
    if (r == 0 && (program < 0 || (s->fourth >= 0 && fourth < 0)))
        r = -errno;
    c.program = program;
    c.fourth = fourth;
    if (r == 0)
        r = s->stays ? fork_away(&c) : fork_child(&c, &s->pid);
    s->errors = steal_fd(&c.errors);
    fd_close(c.null);
    fd_close(c.socket);
    return r < 0 ? error_errno(err, r, "cannot start %s", s->name) : 0;
}

void helper_last_words(int errors, struct strbuf *out)
{
    char text[ERRORS_MOST];
    struct stat st;
    if (errors < 0 || fstat(errors, &st) < 0)
        return;
    off_t from = st.st_size > (off_t)sizeof(text) ? st.st_size - (off_t)sizeof(text) : 0;
    ssize_t n = pread(errors, text, sizeof(text), from);
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
        n--;
    if (n <= 0)
        return;
    const char *nl = memrchr(text, '\n', (size_t)n);
    const char *begin = nl ? nl + 1 : text;
    strbuf_put_printable(out, begin, (size_t)(text + n - begin));
}

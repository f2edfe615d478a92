/*
 * A question to another program. See question.h.
 *
 * The other side is judged by its one line alone (answer_read); how it comes is judged here: within
 * the time, whole, not too long, and nothing behind it. Whatever goes wrong is an answer, a
 * refusal with its problem, so that a caller has one way to go on. The descriptor may be anything
 * that is open for reading and writing, blocking or not, and stays as it was: bytes move only after
 * poll(), in pieces that cannot block.
 */
#include "approval/ask.h"

#include "base/fd.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* 1: ready; 0: out of time; negative errno. TIMEOUT below 0: no limit. */
static int wait_for(int fd, short events, uint64_t since, int timeout_ms)
{
    for (;;) {
        int left = -1;
        if (timeout_ms >= 0) {
            uint64_t gone = ask_clock_ms() - since;
            if (gone >= (uint64_t)timeout_ms)
                return 0;
            left = timeout_ms - (int)gone;
        }
        struct pollfd p = {.fd = fd, .events = events};
        int r = poll(&p, 1, left);
        if (r > 0)
            return p.revents & POLLNVAL ? -EBADF : 1;
        if (r < 0 && errno != EINTR)
            return -errno;
    }
}

/* write(2) that never raises SIGPIPE: on what is no socket it is held back and taken away. */
static ssize_t write_quietly(int fd, const void *p, size_t n)
{
    sigset_t pipe_only, before, pending;
    const struct timespec now = {0};
    (void)sigemptyset(&pipe_only);
    (void)sigaddset(&pipe_only, SIGPIPE);
    (void)sigpending(&pending);
    bool was_pending = sigismember(&pending, SIGPIPE) == 1;
    (void)sigprocmask(SIG_BLOCK, &pipe_only, &before);
    ssize_t r = write(fd, p, n);
    int saved = errno;
    if (r < 0 && saved == EPIPE && !was_pending)
        while (sigtimedwait(&pipe_only, NULL, &now) < 0 && errno == EINTR)
            ;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return r;
}

static ssize_t send_some(int fd, const char *p, size_t n)
{
    ssize_t r = send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (r < 0 && errno == ENOTSOCK) /* a pipe with room takes so much without waiting */
        r = write_quietly(fd, p, MIN_OF(n, (size_t)PIPE_BUF));
    return r < 0 ? -errno : r;
}

static ssize_t receive_some(int fd, char *p, size_t n)
{
    ssize_t r = recv(fd, p, n, MSG_DONTWAIT);
    if (r < 0 && errno == ENOTSOCK)
        r = read(fd, p, n);
    return r < 0 ? -errno : r;
}

static bool try_again(ssize_t r)
{
    return r == -EINTR || r == -EAGAIN || r == -EWOULDBLOCK;
}

struct exchange {
    struct arena *arena;
    int fd, timeout_ms;
    uint64_t since;
    const char *problem; /* a refusal; NULL with -ENOMEM returned means memory */
};

static int fail(struct exchange *x, const char *doing, int r)
{
    x->problem = r == 0 ? arena_printf(x->arena, "no answer within %d ms", x->timeout_ms)
                        : arena_printf(x->arena, "%s: %s", doing, strerror(-r));
    return x->problem ? 1 : -ENOMEM;
}

/* 0: done; 1: refused, see the problem; -ENOMEM. */
static int put_question(struct exchange *x, const struct strbuf *line)
{
    for (size_t at = 0; at < line->n;) {
        int r = wait_for(x->fd, POLLOUT, x->since, x->timeout_ms);
        if (r <= 0)
            return fail(x, "cannot put the question", r);
        ssize_t n = send_some(x->fd, line->p + at, line->n - at);
        if (n >= 0)
            at += (size_t)n;
        else if (!try_again(n))
            return fail(x, "cannot put the question", (int)n);
    }
    return 0;
}

static int get_line(struct exchange *x, struct strbuf *line)
{
    char chunk[4096];
    for (;;) {
        int r = wait_for(x->fd, POLLIN, x->since, x->timeout_ms);
        if (r <= 0)
            return fail(x, "cannot read the answer", r);
        ssize_t n = receive_some(x->fd, chunk, sizeof(chunk));
        if (try_again(n))
            continue;
        if (n < 0)
            return fail(x, "cannot read the answer", (int)n);
        if (n == 0) {
            x->problem = line->n ? "the answer broke off" : "the asker went away without an answer";
            return 1;
        }
        const char *end = memchr(chunk, '\n', (size_t)n);
        size_t take = end ? (size_t)(end - chunk) : (size_t)n;
        if (line->n + take > MAX_ANSWER_BYTES) {
            x->problem = "the answer is too long";
            return 1;
        }
        strbuf_put(line, chunk, take);
        if (strbuf_failed(line))
            return -ENOMEM;
        if (end && take + 1 != (size_t)n) {
            x->problem = "there is more behind the answer";
            return 1;
        }
        if (end)
            return 0;
    }
}

static int exchange(struct arena *a, const struct question *q, struct exchange *x,
                    struct answer *ret)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    _cleanup_strbuf_ struct strbuf in = {0};
    if (!question_json(a, q, &out))
        return -ENOMEM;
    int r = put_question(x, &out);
    if (r == 0)
        r = get_line(x, &in);
    if (r < 0)
        return r;
    if (r > 0) {
        answer_refuse(ret, x->problem);
        return 0;
    }
    /* The tree points into the text. */
    char *text = arena_strndup(a, strbuf_text(&in), in.n);
    return text ? answer_read(a, q, (struct bytes){text, in.n}, ret) : -ENOMEM;
}

int question_ask_fd(struct arena *a, const struct question *q, int fd, int timeout_ms,
                    struct answer *ret, struct error *err)
{
    struct exchange x = {.arena = a, .fd = fd, .timeout_ms = timeout_ms, .since = ask_clock_ms()};
    struct answer answer = {0};
    int r = exchange(a, q, &x, &answer);
    if (r < 0)
        return error_errno(err, r, "cannot ask");
    answer.milliseconds = ask_clock_ms() - x.since;
    *ret = answer;
    return 0;
}

/* ---- the socket ---- */

static bool ours(uid_t uid)
{
    return uid == geteuid() || uid == 0;
}

/* Could somebody else have put another socket in its place? */
static const char *others_on_the_way(struct arena *a, int fd)
{
    char *path;
    if (path_of_fd(a, fd, &path) < 0)
        return "its path cannot be found";
    while (!str_eq(path, "/")) {
        struct stat st;
        path = path_parent(a, path);
        if (!path || stat(path, &st) < 0)
            return "its path cannot be looked at";
        if (!ours(st.st_uid) || (st.st_mode & (S_IWGRP | S_IWOTH) && !(st.st_mode & S_ISVTX)))
            return "others may write a directory on its path";
    }
    return NULL;
}

/* The socket file is opened once, looked at, and connected to by its descriptor. A listener is who
 * called listen(2), whoever made the file. Returns a descriptor or negative errno; or *RET_PROBLEM.
 */
static int connect_to(struct arena *a, const char *path, const char **ret_problem)
{
    _cleanup_fd_ int file = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (file < 0 || fstat(file, &st) < 0)
        return -errno;
    if (!S_ISSOCK(st.st_mode))
        *ret_problem = "it is no socket";
    else if (!ours(st.st_uid))
        *ret_problem = "it belongs to somebody else";
    else
        *ret_problem = others_on_the_way(a, file);
    if (*ret_problem)
        return -EPERM;
    /* Non-blocking: a full queue of the listener is an error at once. */
    _cleanup_fd_ int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s < 0)
        return -errno;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", file);
    if (connect(s, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t n = sizeof(peer);
    if (getsockopt(s, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0)
        return -errno;
    if (!ours(peer.uid)) {
        *ret_problem = "somebody else listens there";
        return -EPERM;
    }
    return steal_fd(&s);
}

int question_ask_socket(struct arena *a, const struct question *q, const char *socket,
                        int timeout_ms, struct answer *ret, struct error *err)
{
    const char *problem = NULL;
    _cleanup_fd_ int fd = connect_to(a, socket, &problem);
    if (fd >= 0)
        return question_ask_fd(a, q, fd, timeout_ms, ret, err);
    problem =
        arena_printf(a, "cannot ask at %s: %s", show(socket), problem ? problem : strerror(-fd));
    if (!problem)
        return error_errno(err, -ENOMEM, "cannot ask");
    struct answer answer = {0};
    answer_refuse(&answer, problem);
    *ret = answer;
    return 0;
}

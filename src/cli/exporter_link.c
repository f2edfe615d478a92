/*
 * Talking to bawn-exporter. See exporter_link.h.
 */
#include "cli/exporter_link.h"

#include "base/clock.h"
#include "base/fd.h"
#include "cli/helper_program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MOST_STARTS 8u /* of programs that end at once */
#define MOST_TRIES  8u /* of a flush that is hung up on */
#define STEP_MS     5  /* between two tries, at first */
#define STEP_MOST   80

void exporter_link_init(struct exporter_link *l, int dirfd)
{
    *l = (struct exporter_link){.dirfd = dirfd, .fd = -1, .errors = -1};
    for (size_t i = 0; i < SIGNAL_KINDS; i++)
        for (size_t k = 0; k < 3; k++)
            l->targets[i].fds[k] = -1;
}

static void hang_up(struct exporter_link *l)
{
    fd_close(l->fd);
    l->fd = -1;
}

void exporter_link_release(struct exporter_link *l)
{
    hang_up(l);
    fd_close(l->errors);
    l->errors = -1;
    for (size_t i = 0; i < SIGNAL_KINDS; i++)
        for (size_t k = 0; k < 3; k++)
            fd_closep(&l->targets[i].fds[k]);
}

/* ---- finding it ---- */

/* By the directory's descriptor: its path may be longer than a socket's name can be. */
static int find(struct exporter_link *l)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct ucred peer;
    socklen_t n = sizeof(peer);
    (void)snprintf(name.sun_path, sizeof(name.sun_path), "/proc/self/fd/%d/%s", l->dirfd,
                   EXPORTER_SOCKET);
    _cleanup_fd_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&name, sizeof(name)) < 0)
        return -errno;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0 || peer.uid != geteuid())
        return -EPERM;
    l->fd = steal_fd(&fd);
    return 0;
}

static int start(struct exporter_link *l, struct error *err)
{
    if (l->starts == MOST_STARTS)
        return -EPIPE;
    _cleanup_fd_ int file = helper_open(l->program, l->profile, "records wait", NULL, err);
    if (file < 0)
        return file;
    struct helper_start s = {
        .program = file, .fourth = l->dirfd, .name = EXPORTER_PROGRAM, .stays = true};
    int r = helper_spawn(&s, err);
    fd_close(l->errors);
    l->errors = s.errors;
    l->fd = s.fd;
    l->starts++;
    if (r < 0)
        hang_up(l);
    return r;
}

static int tell(struct exporter_link *l)
{
    for (size_t i = 0; i < SIGNAL_KINDS; i++) {
        const struct exporter_target *t = &l->targets[i];
        struct export_message m = {.type = EXPORT_DESTINATION, .destination = t->destination};
        int fds[3];
        size_t n = 0;
        for (size_t k = 0; k < 3; k++)
            if (t->fds[k] >= 0)
                fds[n++] = t->fds[k];
        int r = t->on ? export_send(l->fd, &m, fds, n) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

/* Nobody is there any more: whoever takes what we say next is another one. */
static bool is_gone(const struct exporter_link *l)
{
    struct pollfd pfd = {.fd = l->fd, .events = POLLIN};
    return l->fd < 0 || (poll(&pfd, 1, 0) > 0 && (pfd.revents & (POLLHUP | POLLERR)));
}

/* One try. -EPIPE and -EAGAIN: another one may do. */
static int reach(struct exporter_link *l, struct error *err)
{
    int r = find(l);
    if (r == -ENOENT || r == -ECONNREFUSED)
        r = start(l, err);
    else if (r < 0 && r != -EAGAIN)
        (void)error_errno(err, r, "records wait: bawn-exporter cannot be reached");
    if (r == 0 && (r = tell(l)) < 0) {
        if (r != -EPIPE && r != -EAGAIN)
            (void)error_errno(err, r, "records wait: bawn-exporter cannot be told where they go");
        hang_up(l);
    }
    return r;
}

static int is_lost(struct exporter_link *l, struct error *err)
{
    _cleanup_strbuf_ struct strbuf why = {0};
    helper_last_words(l->errors, &why);
    return error_set(err, -EPIPE, "records wait: bawn-exporter %s%s%s",
                     l->starts ? "ended" : "does not answer", why.n ? ": " : "", strbuf_text(&why));
}

static void pause_ms(long ms)
{
    const struct timespec pause = {.tv_nsec = ms * 1000000};
    (void)nanosleep(&pause, NULL);
}

/* Did the one that we started say why it ended? One that came too late says nothing. */
static bool has_last_words(const struct exporter_link *l)
{
    struct stat st;
    return l->errors >= 0 && fstat(l->errors, &st) == 0 && st.st_size > 0;
}

int exporter_connect(struct exporter_link *l, int most_ms, struct error *err)
{
    const int64_t until = clock_ms() + most_ms;
    if (!is_gone(l))
        return 0;
    bool was = l->fd >= 0;
    hang_up(l);
    if (was && has_last_words(l))
        return is_lost(l, err);
    for (long step = STEP_MS;; step = MIN_OF(step * 2, (long)STEP_MOST)) {
        int r = reach(l, err);
        if (r != -EPIPE && r != -EAGAIN)
            return r;
        if (clock_ms() + step > until || l->starts == MOST_STARTS || has_last_words(l))
            return is_lost(l, err);
        pause_ms(step);
    }
}

/* ---- what is asked of it ---- */

/* To every target that is on and not answered yet (ANSWERS may be NULL). */
static int ask(struct exporter_link *l, enum export_type type,
               const struct exporter_answer *answers)
{
    for (size_t i = 0; i < SIGNAL_KINDS; i++) {
        struct export_message m = {.type = type};
        memcpy(m.key, l->targets[i].destination.key, sizeof(m.key));
        bool due = l->targets[i].on && !(answers && answers[i].came);
        int r = due ? export_send(l->fd, &m, NULL, 0) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

int exporter_wake(struct exporter_link *l)
{
    return l->fd < 0 ? -EPIPE : ask(l, EXPORT_WAKE, NULL);
}

static bool all_came(const struct exporter_link *l, const struct exporter_answer *answers)
{
    for (size_t i = 0; i < SIGNAL_KINDS; i++)
        if (l->targets[i].on && !answers[i].came)
            return false;
    return true;
}

static void take(const struct exporter_link *l, const struct export_answer *from, int64_t took_ms,
                 struct exporter_answer *answers)
{
    for (size_t i = 0; i < SIGNAL_KINDS; i++) {
        struct exporter_answer *to = &answers[i];
        if (!l->targets[i].on || to->came || !str_eq(l->targets[i].destination.key, from->key))
            continue;
        *to = (struct exporter_answer){
            true,       from->state,   from->http_status, from->grpc_status,
            from->sent, from->dropped, took_ms,           ""};
        (void)printable(to->text, sizeof(to->text), from->text.p, from->text.n);
    }
}

/* Answers until all came, or UNTIL. -EPIPE: it went away. */
static int hear(struct exporter_link *l, int64_t since, int64_t until,
                struct exporter_answer *answers)
{
    static char packet[EXPORT_MESSAGE_MAX];
    while (!all_came(l, answers)) {
        struct pollfd pfd = {.fd = l->fd, .events = POLLIN};
        struct export_message m;
        int fds[3];
        int64_t left = until - clock_ms();
        int n = left <= 0 ? 0 : poll(&pfd, 1, (int)left);
        if (n == 0)
            return -ETIMEDOUT;
        if (n < 0 && errno == EINTR)
            continue;
        int r = n < 0 ? -errno : export_recv(l->fd, packet, &m, fds);
        for (size_t i = 0; r == 0 && i < 3; i++)
            fd_close(fds[i]);
        if (r == 0 && m.type == EXPORT_STATE)
            take(l, &m.answer, clock_ms() - since, answers);
        if (r < 0 && r != -EAGAIN)
            return r;
    }
    return 0;
}

int exporter_flush(struct exporter_link *l, int most_ms, struct exporter_answer ret[SIGNAL_KINDS],
                   struct error *err)
{
    const int64_t since = clock_ms(), until = since + most_ms;
    memset(ret, 0, SIGNAL_KINDS * sizeof(*ret));
    for (unsigned tries = 1;; tries++) {
        int64_t left = until - clock_ms();
        int r = exporter_connect(l, (int)MAX_OF(left, (int64_t)0), err);
        if (r < 0)
            return r;
        if ((r = ask(l, EXPORT_FLUSH, ret)) == 0)
            r = hear(l, since, until, ret);
        if (r == 0)
            return 0;
        if (r != -EPIPE && r != -EAGAIN)
            return error_set(err, r, "records wait: bawn-exporter did not answer in time");
        if (has_last_words(l) || clock_ms() >= until || tries == MOST_TRIES)
            return is_lost(l, err);
        hang_up(l);
        pause_ms(STEP_MOST);
    }
}

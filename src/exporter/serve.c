/*
 * The lock, the socket, the clients. See exporter.h.
 *
 * One exporter for each $BAWN_HOME: whoever holds the lock may replace the socket's name. A client
 * is a socket of a process of our own user; it is hung up on when it sends what is no message, asks
 * for more than there is room for, or does not read its answers.
 */
#include "exporter/exporter.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MESSAGES_A_ROUND 32

static const char socket_name[] = "socket-1";
_Static_assert(EXPORT_VERSION == 1, "the socket's name says the version");

/* ---- start ---- */

int serve_lock(struct exporter *x, struct error *err)
{
    struct stat st;
    if (fstat(x->dirfd, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
        (st.st_mode & 077))
        return error_set(err, -EPERM, "descriptor %d is no directory of this user alone", x->dirfd);
    /* Not to be opened for reading: nobody who may only read $BAWN_HOME can hold it. */
    x->lock = openat(x->dirfd, "lock",
                     O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0200);
    if (x->lock < 0)
        return error_errno(err, -errno, "the lock cannot be opened");
    if (flock(x->lock, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? -EBUSY : error_errno(err, -errno, "the lock cannot be taken");
    return 0;
}

static int bind_here(const struct exporter *x)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, socket_name, sizeof(socket_name));
    if (unlinkat(x->dirfd, socket_name, 0) < 0 && errno != ENOENT)
        return -errno;
    /* By a name that is short, however long the directory's is. */
    if (fchdir(x->dirfd) < 0)
        return -errno;
    const mode_t mask = umask(0177);
    int r = bind(x->listener, (struct sockaddr *)&name, sizeof(name)) < 0 ? -errno : 0;
    (void)umask(mask);
    return chdir("/") < 0 && r == 0 ? -errno : r;
}

int serve_listen(struct exporter *x, struct error *err)
{
    struct stat st;
    x->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int r = x->listener < 0 ? -errno : bind_here(x);
    if (r == 0 && (listen(x->listener, MOST_CLIENTS) < 0 ||
                   fstatat(x->dirfd, socket_name, &st, AT_SYMLINK_NOFOLLOW) < 0))
        r = -errno;
    if (r < 0)
        return error_errno(err, r, "the socket cannot be made");
    x->socket_dev = st.st_dev;
    x->socket_ino = st.st_ino;
    return 0;
}

/* ---- clients ---- */

static bool is_ours(int fd)
{
    struct ucred who = {.uid = (uid_t)-1};
    socklen_t n = sizeof(who);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && who.uid == geteuid();
}

static void end_client(struct exporter *x, struct client *c);

/* Where all places are taken, who was not heard of for longest makes room. */
static void add_client(struct exporter *x, int fd)
{
    struct client *place = &x->clients[0];
    for (size_t i = 0; i < MOST_CLIENTS && place->fd >= 0; i++)
        if (x->clients[i].fd < 0 || x->clients[i].used < place->used)
            place = &x->clients[i];
    if (place->fd >= 0)
        end_client(x, place);
    *place = (struct client){fd, ++x->used};
    x->progress_ms = x->now_ms;
}

int serve_first_client(struct exporter *x, struct error *err)
{
    int domain = 0, type = 0;
    socklen_t n = sizeof(domain), m = sizeof(type);
    if (getsockopt(CONTROL_FD, SOL_SOCKET, SO_DOMAIN, &domain, &n) < 0 || domain != AF_UNIX ||
        getsockopt(CONTROL_FD, SOL_SOCKET, SO_TYPE, &type, &m) < 0 || type != SOCK_SEQPACKET ||
        !is_ours(CONTROL_FD))
        return error_set(err, -EBADF, "bawn-exporter is started by bawn, not by hand");
    int r = fd_set_nonblock(CONTROL_FD, true);
    if (r == 0)
        r = fd_set_cloexec(CONTROL_FD, true);
    if (r < 0)
        return error_errno(err, r, "the launcher's socket");
    add_client(x, CONTROL_FD);
    return 0;
}

/* What it did not tell of before it went is looked for. */
static void end_client(struct exporter *x, struct client *c)
{
    fd_close(c->fd);
    c->fd = -1;
    x->progress_ms = x->now_ms;
    for (size_t i = 0; i < x->n_destinations; i++) {
        struct destination *d = x->destinations[i];
        size_t kept = 0;
        for (size_t j = 0; j < d->waiters.n; j++)
            if (d->waiters.v[j].client != c)
                d->waiters.v[kept++] = d->waiters.v[j];
        d->waiters.n = kept;
        d->look = true;
    }
}

bool serve_has_clients(const struct exporter *x)
{
    for (size_t i = 0; i < MOST_CLIENTS; i++)
        if (x->clients[i].fd >= 0)
            return true;
    return false;
}

static void accept_clients(struct exporter *x)
{
    for (size_t i = 0; i < MOST_CLIENTS; i++) {
        int fd = accept4(x->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        if (is_ours(fd))
            add_client(x, fd);
        else
            fd_close(fd);
    }
}

/* ---- answers ---- */

/* False: the client is of no use. */
static bool answer(struct client *c, const char *key, const struct destination *d,
                   enum export_state state)
{
    struct export_message m = {.type = EXPORT_STATE, .answer = {.state = state, .grpc_status = -1}};
    memcpy(m.answer.key, key, sizeof(m.answer.key));
    if (d) {
        m.answer.http_status = d->http_status;
        m.answer.grpc_status = d->grpc_status;
        m.answer.sent = d->sent;
        m.answer.dropped = d->dropped;
        m.answer.text = bytes_of(d->text);
    } else {
        m.answer.text = BYTES("nobody has said where this goes");
    }
    return export_send(c->fd, &m, NULL, 0) == 0;
}

void serve_answer(struct destination *d, enum export_state state, bool all)
{
    size_t kept = 0;
    struct waiter *w = d->waiters.v;
    for (size_t i = 0; i < d->waiters.n; i++) {
        if (!all && !w[i].read) {
            w[kept++] = w[i];
            continue;
        }
        enum export_state s = state == EXPORT_SENT && w[i].refused ? EXPORT_REFUSED : state;
        if (w[i].client->fd >= 0 && !answer(w[i].client, d->key, d, s))
            (void)shutdown(w[i].client->fd, SHUT_RDWR); /* ended in the next round */
    }
    d->waiters.n = kept;
}

/* False: the client is of no use. */
static bool flush(struct exporter *x, struct client *c, const char *key)
{
    struct destination *d = destination_find(x, key);
    if (!d || d->failing)
        return answer(c, key, d, EXPORT_WAITS);
    struct waiter *w = vec_push_max(&d->waiters, MOST_WAITERS);
    if (!w)
        return false;
    w->client = c;
    d->look = d->hurry = true;
    return true;
}

/* ---- messages ---- */

/* A negative errno: hang up. */
static int handle(struct exporter *x, struct client *c, const struct export_message *m,
                  const int fds[3])
{
    struct destination *d;
    int r = 0;
    switch (m->type) {
    case EXPORT_DESTINATION:
        r = destination_set(x, &m->destination, fds);
        return r == -EBADMSG ? r : 0;
    case EXPORT_WAKE:
        if ((d = destination_find(x, m->key)))
            d->look = true;
        return 0;
    case EXPORT_FLUSH:
        return flush(x, c, m->key) ? 0 : -EPIPE;
    case EXPORT_STATE:
        break;
    }
    return -EBADMSG;
}

static void read_client(struct exporter *x, struct client *c)
{
    int r = 0;
    for (int i = 0; r == 0 && i < MESSAGES_A_ROUND; i++) {
        struct export_message m;
        int fds[3] = {-1, -1, -1};
        r = export_recv(c->fd, x->packet, &m, fds);
        if (r < 0)
            break;
        c->used = ++x->used;
        r = handle(x, c, &m, fds);
        for (size_t j = 0; j < ARRAY_LEN(fds); j++)
            fd_close(fds[j]);
        x->progress_ms = x->now_ms;
    }
    explicit_bzero(x->packet, sizeof(x->packet));
    if (r < 0 && r != -EAGAIN)
        end_client(x, c);
}

/* ---- the loop ---- */

static size_t add_wait(struct curl_waitfd *fds, size_t n, int fd)
{
    fds[n] = (struct curl_waitfd){.fd = fd, .events = CURL_WAIT_POLLIN};
    return n + 1;
}

size_t serve_wait(const struct exporter *x, struct curl_waitfd *fds)
{
    size_t n = add_wait(fds, 0, x->listener);
    n = add_wait(fds, n, x->signals);
    for (size_t i = 0; i < MOST_CLIENTS; i++)
        if (x->clients[i].fd >= 0)
            n = add_wait(fds, n, x->clients[i].fd);
    return n;
}

static void read_signals(struct exporter *x)
{
    struct signalfd_siginfo info;
    while (read(x->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
        if (!x->stop) {
            x->stop = true;
            x->stop_ms = x->now_ms + FINISH_MS;
        }
}

/* Whether a client is ready is asked of it: every one has few messages. */
void serve_ready(struct exporter *x, const struct curl_waitfd *fds, size_t n)
{
    bool clients = false;
    for (size_t i = 0; i < n; i++) {
        if (!fds[i].revents)
            continue;
        if (fds[i].fd == x->signals)
            read_signals(x);
        else if (fds[i].fd == x->listener)
            accept_clients(x);
        else
            clients = true;
    }
    for (size_t i = 0; clients && i < MOST_CLIENTS; i++)
        if (x->clients[i].fd >= 0)
            read_client(x, &x->clients[i]);
}

/* ---- end ---- */

bool serve_is_ours(const struct exporter *x)
{
    struct stat st;
    return fstatat(x->dirfd, socket_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           st.st_dev == x->socket_dev && st.st_ino == x->socket_ino;
}

void serve_close(struct exporter *x)
{
    if (serve_is_ours(x))
        (void)unlinkat(x->dirfd, socket_name, 0);
    fd_close(x->listener);
    for (size_t i = 0; i < MOST_CLIENTS; i++)
        fd_close(x->clients[i].fd);
    fd_close(x->lock);
}

/*
 * connect(2) and socketpair(2) while the network is off, or filtered.
 *
 * The supervisor makes the connection itself, on a copy of the command's socket and with the
 * address it has checked: the command's memory and descriptor table may change as soon as they were
 * read. A path is opened once; the socket file behind it must be bound inside the sandbox
 * (unixsock.h) or be one that the plan opens, and it is that very file that is connected to,
 * by descriptor.
 *
 * One that the plan opens is known by its path, and what stands at a path can have been moved or
 * linked there: now, or by an earlier run that could write where this one cannot. The kernel keeps
 * the name that a socket was bound under; where we can write anything on the way to the path, that
 * name has to be the path.
 */
#include "sandbox/watch.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/sys.h"
#include "permissions/permissions.h"
#include "sandbox/unixsock.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#define UAPI_SIOCGSKNS 0x894c /* linux/sockios.h; the network namespace of a socket, 4.10 */

static const char *rule_text(const struct plan *plan)
{
    return plan->network == NETWORK_FILTERED ? "the network is filtered" : "the network is off";
}

void pending_release(struct watch *w, struct pending_connect *p)
{
    closer_close(&w->closer, p->sock);
    fd_close(p->file);
    p->sock = p->file = -1;
}

/* Connects without ever blocking the supervisor: for a blocking socket the wait is cut to the
 * shortest the kernel knows and -EAGAIN means "try again later". */
static int connect_now(int sock, const void *addr, socklen_t n)
{
    int flags = fcntl(sock, F_GETFL);
    if (flags < 0)
        return -errno;
    if (flags & O_NONBLOCK)
        return connect(sock, addr, n) < 0 ? -errno : 0;
    struct timeval old, least = {.tv_usec = 1};
    socklen_t len = sizeof(old);
    if (getsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &old, &len) < 0 ||
        setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &least, sizeof(least)) < 0)
        return -errno;
    int r = connect(sock, addr, n) < 0 ? -errno : 0;
    (void)setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &old, sizeof(old));
    return r;
}

static void try_connect(int sock, const void *addr, socklen_t n, struct answer *ret)
{
    int r = connect_now(sock, addr, n);
    bool blocking = (fcntl(sock, F_GETFL) & O_NONBLOCK) == 0;
    /* TCP answers EINPROGRESS or EALREADY while it waits, Unix sockets EAGAIN while the backlog is
     * full. */
    if (blocking && (r == -EAGAIN || r == -EINPROGRESS || r == -EALREADY)) {
        ret->kind = ANSWER_LATER;
        return;
    }
    ret->kind = r < 0 ? ANSWER_ERROR : ANSWER_VALUE;
    ret->error = r;
    ret->value = 0;
}

/* The first try; SOCK and FILE move into the pending state when there has to be another. */
static void first_connect(struct watch *w, int *sock, int *file, const void *addr, socklen_t n,
                          uint64_t id, struct answer *ret)
{
    try_connect(*sock, addr, n, ret);
    if (ret->kind != ANSWER_LATER)
        return;
    w->pending = (struct pending_connect){
        .id = id, .sock = steal_fd(sock), .file = file ? steal_fd(file) : -1, .addr_len = n};
    memcpy(w->pending.addr, addr, n);
}

void watch_connect_again(struct watch *w, struct pending_connect *p, struct answer *ret)
{
    try_connect(p->sock, p->addr, p->addr_len, ret);
    /* The try before this one may have come through after its time was up. */
    if (ret->kind == ANSWER_ERROR && ret->error == -EISCONN)
        *ret = (struct answer){.kind = ANSWER_VALUE};
    if (ret->kind != ANSWER_LATER)
        pending_release(w, p);
}

/* RULE: why, where it is not simply the network's rule. */
static void refuse(struct watch *w, struct target *t, const char *address, const char *rule,
                   struct answer *ret)
{
    ret->kind = ANSWER_ERROR;
    ret->error = -EPERM;
    if (!w->denials)
        return;
    char exe[PATH_MAX];
    _cleanup_strbuf_ struct strbuf hint = {0};
    target_exe(t, exe, sizeof(exe));
    if (rule)
        strbuf_puts(&hint, "");
    else if (address[0] == '/')
        strbuf_printf(&hint, "allow_unix_sockets = [\"%s\"]", address);
    else
        denials_network_hint(w->l->plan, &hint);
    denials_socket(w->denials, address, rule ? rule : rule_text(w->l->plan), strbuf_text(&hint),
                   t->tid, exe);
}

/* What stands at a listed path. */
struct listed {
    struct stat st;
    char path[PATH_MAX]; /* without links */
    bool ours;           /* something on the way to it is for the likes of us to change */
};

static bool is_ours(const struct stat *dir)
{
    return dir->st_uid == geteuid() || (dir->st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

/* Looks at a listed path. A link on the way counts only where the sandbox cannot write, nor an
 * earlier one could: another link may be the command's, and would list for it whatever it points
 * to. All of root's system is root's to write; there the profile's word is taken. */
static int stat_listed(const struct plan *plan, const char *listed, struct listed *ret)
{
    char *const path = ret->path;
    char rest[2][PATH_MAX], link[PATH_MAX];
    size_t n = 0, links = 0;
    struct stat dir = {.st_mode = S_IFDIR};
    int r = snprintf(rest[0], sizeof(rest[0]), "%s", listed);
    if (r < 0 || (size_t)r >= sizeof(rest[0]) || listed[0] != '/' || stat("/", &ret->st) < 0)
        return -EINVAL;
    path[0] = '\0';
    ret->ours = false;
    struct bytes c;
    for (const char *p = rest[0]; path_next(&p, &c);) {
        size_t parent = n;
        if (bytes_is(c, "."))
            continue;
        if (bytes_is(c, "..")) {
            while (n && path[--n] != '/')
                ;
            path[n] = '\0';
            continue;
        }
        if (n + 1 + c.n >= sizeof(ret->path))
            return -ENAMETOOLONG;
        if (stat(n ? path : "/", &dir) < 0)
            return -errno;
        ret->ours = ret->ours || is_ours(&dir);
        path[n] = '/';
        memcpy(path + n + 1, c.p, c.n);
        n += 1 + c.n;
        path[n] = '\0';
        if (lstat(path, &ret->st) < 0)
            return -errno;
        if (!S_ISLNK(ret->st.st_mode))
            continue;
        ssize_t got = readlink(path, link, sizeof(link) - 1);
        n = parent;
        path[n] = '\0';
        if (got <= 0 || ++links > 40 || (is_ours(&dir) && geteuid() != 0) ||
            permissions_check(plan->profile, n ? path : "/").access == ACCESS_WRITE)
            return -ELOOP;
        link[got] = '\0';
        if (link[0] == '/')
            path[n = 0] = '\0';
        r = snprintf(rest[links & 1], sizeof(rest[0]), "%s/%s", link, p);
        if (r < 0 || (size_t)r >= sizeof(rest[0]))
            return -ENAMETOOLONG;
        p = rest[links & 1];
    }
    return lstat(n ? path : "/", &ret->st) < 0 ? -errno : 0;
}

int watch_pin_listed(struct launch *l)
{
    const struct plan *plan = l->plan;
    if (plan->n_unix_sockets == 0)
        return 0;
    l->listed = mem_zalloc(plan->n_unix_sockets, sizeof(*l->listed));
    if (!l->listed)
        return -ENOMEM;
    for (size_t i = 0; i < plan->n_unix_sockets; i++) {
        struct listed at;
        if (stat_listed(plan, plan->unix_sockets[i], &at) == 0)
            l->listed[i] = (struct file_id){at.st.st_dev, at.st.st_ino};
    }
    return 0;
}

/* Can the command put another socket in the place of the file at PATH, by moving or linking it? */
static bool is_movable(const struct plan *plan, const char *path)
{
    char dir[PATH_MAX];
    size_t n = (size_t)(path_base(path) - path);
    if (n == 0 || n >= sizeof(dir))
        return true;
    memcpy(dir, path, n);
    dir[n > 1 ? n - 1 : 1] = '\0';
    return permissions_check(plan->profile, dir).access == ACCESS_WRITE ||
           permissions_check(plan->profile, path).access == ACCESS_WRITE;
}

/* The name that the socket at FILE was bound under. Its server may be of another network namespace
 * (a container's): then it is asked for by a connection of our own, which says nothing. The length,
 * or a negative errno. */
static int bound_name(int file, int type, char *buf, size_t cap)
{
    _cleanup_fd_ int diag = init_open_diag();
    int n = diag < 0 ? diag : unixsock_name(diag, file, buf, cap);
    if (n >= 0)
        return n;
    struct sockaddr_un un = {.sun_family = AF_UNIX}, peer = {0};
    socklen_t len = sizeof(peer);
    const socklen_t head = offsetof(struct sockaddr_un, sun_path);
    (void)snprintf(un.sun_path, sizeof(un.sun_path), "/proc/self/fd/%d", file);
    _cleanup_fd_ int sock = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (sock < 0 || connect(sock, (struct sockaddr *)&un, sizeof(un)) < 0 ||
        getpeername(sock, (struct sockaddr *)&peer, &len) < 0)
        return -errno;
    len = len > head ? (socklen_t)MIN_OF((size_t)(len - head), MIN_OF(cap, sizeof(peer.sun_path)))
                     : 0;
    memcpy(buf, peer.sun_path, len);
    return (int)len;
}

/* Is the socket FILE, which stands at the listed PATH, the one that was bound there? TYPE is that
 * of who wants to connect. */
static int is_bound_there(const struct listed *at, const char *path, int file, int type)
{
    char name[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
    if (!at->ours)
        return 1;
    int n = bound_name(file, type, name, sizeof(name));
    if (n < 0)
        return n;
    const struct bytes bound = {name, (size_t)n};
    return path_is_bound_name(bound, path) || path_is_bound_name(bound, at->path);
}

/* A host socket that configuration opens: the same file, by device and inode; and where the command
 * could have put it there, the one that stood there at the start. 1, 0, -ESTALE (it came there by
 * other ways than being bound), or another negative errno: it cannot be told now. */
static int is_listed(const struct launch *l, int file, int type, const struct stat *st)
{
    const struct plan *plan = l->plan;
    int r = 0;
    if (plan->all_unix_sockets)
        return 1;
    for (size_t i = 0; i < plan->n_unix_sockets && r <= 0; i++) {
        const struct file_id *first = &l->listed[i];
        const char *path = plan->unix_sockets[i];
        struct listed at;
        if (stat_listed(plan, path, &at) < 0 || at.st.st_dev != st->st_dev ||
            at.st.st_ino != st->st_ino)
            continue;
        if (is_movable(plan, path) && (first->dev != st->st_dev || first->ino != st->st_ino))
            continue;
        r = is_bound_there(&at, path, file, type);
        r = r == 0 ? -ESTALE : r;
    }
    return r;
}

/* Is the socket file FILE one of the sandbox's own? */
static bool is_inside(struct watch *w, int file)
{
    if (!(w->l->plan->filter & FILTER_NO_NETNS))
        return w->diag >= 0 && unixsock_is_inside(w->diag, file) == 1;
    if (w->diag < 0)
        w->diag = init_open_diag();
    return w->diag >= 0 && unixsock_is_held_below(w->diag, file, w->l->init) == 1;
}

/* Was the socket made in the sandbox's network namespace, as the diag socket was? One that the
 * caller left on a descriptor looks for abstract names where it came from. */
static bool is_of_sandbox(const struct watch *w, int sock)
{
    _cleanup_fd_ int ours = w->diag < 0 ? -1 : ioctl(w->diag, UAPI_SIOCGSKNS);
    _cleanup_fd_ int its = ioctl(sock, UAPI_SIOCGSKNS);
    struct stat a, b;
    return ours >= 0 && its >= 0 && fstat(ours, &a) == 0 && fstat(its, &b) == 0 &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static void connect_unix(struct watch *w, struct target *t, int *sock, const char *addr,
                         socklen_t n, struct answer *ret)
{
    struct sockaddr_un un = {0};
    char path[sizeof(un.sun_path) + 1] = "";
    size_t off = offsetof(struct sockaddr_un, sun_path);
    memcpy(path, addr + off, n - off);
    if (n == off || path[0] == '\0') {
        /* Abstract names belong to the network namespace: with one of its own, only what is inside.
         */
        char shown[sizeof(path) + 8] = "@";
        (void)printable(shown + 1, sizeof(shown) - 1, path + 1, n > off ? n - off - 1 : 0);
        if (w->l->plan->filter & FILTER_NO_NETNS || !is_of_sandbox(w, *sock)) {
            refuse(w, t, shown, NULL, ret);
            return;
        }
        first_connect(w, sock, NULL, addr, n, t->req->id, ret);
        return;
    }
    struct resolved where;
    target_resolve(t, AT_FDCWD, path, true, &where);
    struct stat st;
    if (where.fd < 0 || fstat(where.fd, &st) < 0) {
        ret->kind = ANSWER_ERROR;
        ret->error = where.code < 0 ? where.code : -ENOENT;
        resolved_release(&where);
        return;
    }
    int type = SOCK_STREAM;
    socklen_t len = sizeof(type);
    (void)getsockopt(*sock, SOL_SOCKET, SO_TYPE, &type, &len);
    int may = 0;
    if (S_ISSOCK(st.st_mode))
        may = is_inside(w, where.fd) ? 1 : is_listed(w->l, where.fd, type, &st);
    if (!S_ISSOCK(st.st_mode)) {
        ret->kind = ANSWER_ERROR;
        ret->error = -ECONNREFUSED;
    } else if (may < 0 && may != -ESTALE) {
        ret->kind = ANSWER_ERROR;
        ret->error = may; /* what the kernel would have said: nobody listens, the wrong type */
    } else if (may <= 0) {
        refuse(w, t, where.path,
               may < 0 ? "it is listed, but was bound under another name and came here later"
                       : NULL,
               ret);
    } else if (!target_alive(t)) {
        ret->kind = ANSWER_SENT;
    } else {
        un.sun_family = AF_UNIX;
        (void)snprintf(un.sun_path, sizeof(un.sun_path), "/proc/self/fd/%d", where.fd);
        first_connect(w, sock, &where.fd, &un, sizeof(un), t->req->id, ret);
    }
    resolved_release(&where);
}

/* SOCK is a copy of the caller's socket. */
static void connect_copy(struct watch *w, struct target *t, int *sock, const char *addr,
                         socklen_t n, struct answer *ret)
{
    int domain = 0;
    socklen_t len = sizeof(domain);
    if (getsockopt(*sock, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0) {
        ret->error = -errno;
        return;
    }
    if (!target_alive(t)) {
        ret->kind = ANSWER_SENT;
        return;
    }
    sa_family_t family;
    memcpy(&family, addr, sizeof(family));
    if (domain == AF_UNIX) {
        if (family != AF_UNIX || n > sizeof(struct sockaddr_un))
            return;
        connect_unix(w, t, sock, addr, n, ret);
        return;
    }
    /* The sandbox's own network namespace has nothing but loopback; without one such sockets cannot
     * be made at all, and those of the host were not let in. */
    first_connect(w, sock, NULL, addr, n, t->req->id, ret);
    if (w->denials && ret->kind == ANSWER_ERROR && ret->error == -ENETUNREACH) {
        char shown[64];
        if (family == AF_INET && n >= 8)
            (void)snprintf(shown, sizeof(shown), "%u.%u.%u.%u:%u", (unsigned char)addr[4],
                           (unsigned char)addr[5], (unsigned char)addr[6], (unsigned char)addr[7],
                           (unsigned)((unsigned char)addr[2] << 8 | (unsigned char)addr[3]));
        else
            (void)snprintf(shown, sizeof(shown), "an address of family %u", family);
        refuse(w, t, shown, NULL, ret);
        ret->error = -ENETUNREACH;
    }
}

static void do_connect(struct watch *w, struct target *t, struct answer *ret)
{
    const __u64 *args = t->req->data.args;
    _Alignas(struct sockaddr_un) char addr[128] = {0};
    socklen_t n = (socklen_t)args[2];
    *ret = (struct answer){.kind = ANSWER_ERROR, .error = -EINVAL};
    if ((int)n < (int)sizeof(sa_family_t) || n > sizeof(addr))
        return;
    int r = target_read(t, args[1], addr, n);
    int sock = r < 0 ? r : target_getfd(t, (int)args[0]);
    ret->error = r < 0 ? r : sock;
    if (sock < 0)
        return;
    connect_copy(w, t, &sock, addr, n, ret);
    closer_close(&w->closer, sock);
}

/* A datagram pair could be used to send to any path: it is given as a SEQPACKET pair, which keeps
 * message boundaries and has no addresses. */
static void do_socketpair(struct watch *w, struct target *t, struct answer *ret)
{
    const __u64 *args = t->req->data.args;
    int pair[2], type = SOCK_SEQPACKET | ((int)args[1] & (SOCK_NONBLOCK | SOCK_CLOEXEC));
    *ret = (struct answer){.kind = ANSWER_ERROR, .error = -EPERM};
    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) < 0) {
        ret->error = -errno;
        return;
    }
    int given[2] = {-1, -1};
    for (int i = 0; i < 2; i++) {
        struct seccomp_notif_addfd add = {.id = t->req->id,
                                          .srcfd = (uint32_t)pair[i],
                                          .newfd_flags = (uint32_t)((int)args[1] & SOCK_CLOEXEC)};
        given[i] = sys_ioctl(w->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
    }
    fd_close(pair[0]);
    fd_close(pair[1]);
    if (given[0] < 0 || given[1] < 0) {
        ret->error = given[0] < 0 ? given[0] : given[1];
        return;
    }
    if (target_write(t, args[3], given, sizeof(given)) < 0) {
        ret->error = -EFAULT;
        return;
    }
    ret->kind = ANSWER_VALUE;
    ret->value = 0;
}

bool watch_socket_call(struct watch *w, struct target *t, struct answer *ret)
{
    if (t->req->data.nr == SYS_connect)
        do_connect(w, t, ret);
    else if (t->req->data.nr == SYS_socketpair)
        do_socketpair(w, t, ret);
    else
        return false;
    return true;
}

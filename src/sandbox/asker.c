/* See asker.h. */
#include "sandbox/asker.h"

#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROCESSES_MOST 256  /* that are looked at: an answer that comes late is worth nothing */
#define LOOKS_MOST     4096 /* at their threads and descriptors, all in all */
#define SOCKETS_MOST   16   /* with one port: to different addresses */
#define PATH_ROOM      80

static void close_directory(DIR **d)
{
    if (*d)
        (void)closedir(*d);
}

size_t children_of(pid_t pid, pid_t *list, size_t n, size_t max, size_t *left)
{
    char path[PATH_ROOM];
    (void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    _cleanup_(close_directory) DIR *d = opendir(path);
    for (const struct dirent *e; d && *left && (e = readdir(d));) {
        if (e->d_name[0] < '0' || e->d_name[0] > '9' || strlen(e->d_name) > 10)
            continue;
        --*left;
        (void)snprintf(path, sizeof(path), "/proc/%d/task/%s/children", (int)pid, e->d_name);
        FILE *f = fopen(path, "re");
        int child;
        while (f && n < max && fscanf(f, "%d", &child) == 1)
            list[n++] = child;
        if (f)
            (void)fclose(f);
    }
    return n;
}

/* ---- the socket ---- */

/* What is to be found in one answer of the kernel. */
struct wanted {
    uint16_t port; /* in network order */
    uint32_t inodes[SOCKETS_MOST];
    size_t n;
    bool done;
};

static void take_message(struct wanted *w, const struct nlmsghdr *m, struct bytes body)
{
    struct inet_diag_msg socket;
    if (m->nlmsg_type == NLMSG_DONE || m->nlmsg_type == NLMSG_ERROR) {
        w->done = true;
        return;
    }
    if (m->nlmsg_type != SOCK_DIAG_BY_FAMILY || body.n < sizeof(socket))
        return;
    memcpy(&socket, body.p, sizeof(socket));
    if (socket.id.idiag_sport == w->port && socket.idiag_inode && w->n < SOCKETS_MOST)
        w->inodes[w->n++] = socket.idiag_inode;
}

static void take_datagram(struct wanted *w, struct bytes left)
{
    struct nlmsghdr m;
    while (left.n >= sizeof(m) && !w->done) {
        memcpy(&m, left.p, sizeof(m));
        if (m.nlmsg_len < sizeof(m) || m.nlmsg_len > left.n) {
            w->done = true;
            return;
        }
        take_message(w, &m, (struct bytes){left.p + sizeof(m), m.nlmsg_len - sizeof(m)});
        const size_t step = MIN_OF(((size_t)m.nlmsg_len + 3) & ~(size_t)3, left.n);
        left = (struct bytes){left.p + step, left.n - step};
    }
}

/* The whole answer is read: what stays in the queue would answer the next question. */
static void ask(int diag, const struct inet_diag_req_v2 *body, bool dump, struct wanted *w)
{
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 body;
    } req = {
        .header = {.nlmsg_len = sizeof(req),
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST | (dump ? NLM_F_DUMP : 0),
                   .nlmsg_seq = 1},
        .body = *body,
    };
    w->done = send(diag, &req, sizeof(req), MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)sizeof(req);
    while (!w->done) {
        char buf[32768];
        const ssize_t n = recv(diag, buf, sizeof(buf), MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        take_datagram(w, (struct bytes){buf, (size_t)n});
        w->done |= !dump;
    }
}

static struct inet_diag_req_v2 body_of(int family, bool udp, uint16_t port)
{
    return (struct inet_diag_req_v2){
        .sdiag_family = (uint8_t)family,
        .sdiag_protocol = udp ? IPPROTO_UDP : IPPROTO_TCP,
        .idiag_states = udp ? ~0u : ~(1u << TCP_LISTEN),
        .id = {.idiag_sport = port, .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}};
}

/* Of a client of one of the proxies the kernel finds the socket at once. */
static void find_client(const struct asker_place *place, int family, struct wanted *w)
{
    struct inet_diag_req_v2 body = body_of(family, false, w->port);
    const uint32_t loopback = htonl(family == AF_INET ? INADDR_LOOPBACK : 1);
    const size_t last = family == AF_INET ? 0 : 3;
    body.id.idiag_src[last] = body.id.idiag_dst[last] = loopback;
    for (size_t i = 0; w->n == 0 && i < ARRAY_LEN(place->proxies); i++) {
        body.id.idiag_dport = htons(place->proxies[i]);
        if (place->proxies[i])
            ask(place->diag, &body, false, w);
    }
}

static void find_sockets(const struct asker_place *place, bool udp, struct wanted *w)
{
    static const int families[] = {AF_INET, AF_INET6};
    for (size_t i = 0; !udp && w->n == 0 && i < ARRAY_LEN(families); i++)
        find_client(place, families[i], w);
    for (size_t i = 0; w->n == 0 && i < ARRAY_LEN(families); i++) {
        const struct inet_diag_req_v2 body = body_of(families[i], udp, w->port);
        ask(place->diag, &body, true, w);
    }
}

/* ---- who holds it ---- */

static bool is_wanted(const struct wanted *w, const char *link)
{
    char *end;
    if (!str_starts(link, "socket:["))
        return false;
    const unsigned long inode = strtoul(link + 8, &end, 10);
    for (size_t i = 0; *end == ']' && i < w->n; i++)
        if (w->inodes[i] == inode)
            return true;
    return false;
}

static bool holds_one(pid_t pid, const struct wanted *w, size_t *left)
{
    char path[PATH_ROOM], link[32];
    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    _cleanup_(close_directory) DIR *d = opendir(path);
    for (const struct dirent *e; d && *left && (e = readdir(d));) {
        const ssize_t n = readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1);
        if (n <= 0)
            continue;
        link[n] = '\0';
        --*left;
        if (is_wanted(w, link))
            return true;
    }
    return false;
}

bool asker_find(const struct asker_place *place, uint16_t port, bool udp, struct asker *ret)
{
    struct wanted w = {.port = htons(port)};
    pid_t list[PROCESSES_MOST] = {place->init};
    size_t n = 1, left = LOOKS_MOST;
    if (place->init <= 0 || place->diag < 0 || port == 0)
        return false;
    find_sockets(place, udp, &w);
    if (w.n == 0)
        return false;
    for (size_t i = 0; i < n; i++)
        n = children_of(list[i], list, n, PROCESSES_MOST, &left);
    while (--n) { /* the first is bawn's own */
        if (!holds_one(list[n], &w, &left))
            continue;
        char path[PATH_ROOM];
        (void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)list[n]);
        const ssize_t n_exe = readlink(path, ret->exe, sizeof(ret->exe) - 1);
        ret->exe[n_exe > 0 ? n_exe : 0] = '\0';
        ret->pid = list[n];
        return true;
    }
    return false;
}

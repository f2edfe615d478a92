/*
 * The listening sockets of a filtered network, made in the sandbox's own namespace. See
 * net_inside.h. Everything here works between clone and exec: no heap, no lock, nothing printed.
 *
 * The sockets are the outer's (the proxy's) as soon as they are sent: whoever made them closes
 * every copy, so that nothing in the sandbox can accept in the proxy's place, and when the proxy
 * dies the ports are shut.
 */
#include "sandbox/net_inside.h"

#include "base/fd.h"
#include "base/macros.h"
#include "base/sys.h"
#include "sandbox/backend.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define BACKLOG 4096 /* cut to net.core.somaxconn */

uint16_t net_transparent_port(const struct plan_net *n)
{
    uint16_t port = NET_TRANSPARENT_PORT;
    while (port == n->http_port || (n->socks && port == n->socks_port))
        port++;
    return port;
}

/* A socket of TYPE on the loopback of FAMILY, or a negative errno. */
static int listen_on(int family, int type, uint16_t port)
{
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } at = {.six = {.sin6_family = AF_INET6,
                    .sin6_port = htons(port),
                    .sin6_addr = IN6ADDR_LOOPBACK_INIT}};
    const int on = 1;
    if (family == AF_INET) {
        memset(&at, 0, sizeof(at));
        at.four.sin_family = AF_INET;
        at.four.sin_port = htons(port);
        at.four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    _cleanup_fd_ int fd = sys_ret(socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (fd < 0)
        return fd;
    if ((family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
        (type == SOCK_STREAM && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0) ||
        bind(fd, &at.any, family == AF_INET ? sizeof(at.four) : sizeof(at.six)) < 0 ||
        (type == SOCK_STREAM && listen(fd, BACKLOG) < 0))
        return -errno;
    return steal_fd(&fd);
}

static void close_all(const struct net_listener *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fd_close(v[i].fd);
}

int net_listen(const struct plan_net *p, bool redirect, struct net_listener *ret,
               struct net_problem *ret_why)
{
    const struct {
        enum wire_listener kind;
        bool wanted;
        int type;
        uint16_t port;
        const char *what;
    } rows[] = {
        {LISTEN_HTTP, true, SOCK_STREAM, p->http_port, "cannot listen for the HTTP proxy"},
        {LISTEN_SOCKS, p->socks, SOCK_STREAM, p->socks_port, "cannot listen for SOCKS"},
        {LISTEN_SOCKS_UDP, p->socks && p->socks_udp, SOCK_DGRAM, p->socks_port,
         "cannot listen for SOCKS's datagrams"},
        {LISTEN_TRANSPARENT, redirect, SOCK_STREAM, net_transparent_port(p),
         "cannot listen for what is redirected"},
        {LISTEN_DNS_UDP, redirect, SOCK_DGRAM, NET_DNS_PORT, "cannot listen for names"},
        {LISTEN_DNS_TCP, redirect, SOCK_STREAM, NET_DNS_PORT, "cannot listen for names by TCP"},
    };
    static const int families[] = {AF_INET, AF_INET6};
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (size_t k = 0; rows[i].wanted && k < ARRAY_LEN(families); k++) {
            int fd = listen_on(families[k], rows[i].type, rows[i].port);
            /* Not built into the kernel, switched off in it, or in this namespace. */
            if (families[k] == AF_INET6 && (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL))
                continue;
            if (fd < 0) {
                close_all(ret, n);
                *ret_why = (struct net_problem){fd, rows[i].what};
                return fd;
            }
            ret[n++] = (struct net_listener){.kind = (uint8_t)rows[i].kind, .fd = fd};
        }
    return (int)n;
}

static bool has_ipv6(const struct net_listener *v, int n)
{
    int domain = 0;
    for (int i = 0; i < n; i++) {
        socklen_t len = sizeof(domain);
        if (getsockopt(v[i].fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_INET6)
            return true;
    }
    return false;
}

/* A note to the person about what does not work. */
static void tell(const struct launch *l, const struct net_problem *p)
{
    struct message m = {.kind = MESSAGE_NOTE};
    (void)snprintf(m.text, sizeof(m.text),
                   "programs that ignore the proxy variables reach nothing: %s: %s", p->what,
                   strerror(-p->code));
    (void)fd_send(l->control[1], &m, sizeof(m), NULL, 0);
}

static int send_all(const struct launch *l, const struct net_listener *v, size_t n)
{
    struct message m = {.kind = MESSAGE_LISTENERS, .code = (int)n};
    int fds[NET_LISTENERS_MAX];
    for (size_t i = 0; i < n; i++) {
        m.text[i] = (char)v[i].kind;
        fds[i] = v[i].fd;
    }
    return fd_send(l->control[1], &m, sizeof(m), fds, n);
}

int net_inside(const struct launch *l, bool can_redirect, struct net_problem *ret_why)
{
    const struct plan_net *p = &l->plan->net;
    struct net_listener v[NET_LISTENERS_MAX];
    struct net_problem why = {0};
    bool redirect = p->transparent && can_redirect;
    int n = net_listen(p, redirect, v, ret_why);
    if (n < 0)
        return n;
    if (redirect && net_redirect(net_transparent_port(p), has_ipv6(v, n), &why) < 0) {
        size_t kept = 0;
        for (int i = 0; i < n; i++)
            if (v[i].kind == LISTEN_HTTP || v[i].kind == LISTEN_SOCKS)
                v[kept++] = v[i];
            else
                fd_close(v[i].fd);
        n = (int)kept;
        tell(l, &why);
    }
    int r = send_all(l, v, (size_t)n);
    if (r < 0)
        *ret_why = (struct net_problem){r, "cannot hand out the proxy's sockets"};
    close_all(v, (size_t)n);
    return r;
}

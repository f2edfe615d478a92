/*
 * Addresses that the machine gets while the command runs (a lease, a tunnel, a temporary one of
 * IPv6): they are as much its own as those it had at the start, and the kernel tells of them
 * (rtnetlink(7)). Without such a socket those of the start are what is known.
 */
#include "proxy/proxy.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

/* Asks for all of them: some news were lost. */
static void ask_for_all(int fd)
{
    const struct {
        struct nlmsghdr head;
        struct rtgenmsg message;
    } request = {.head = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtgenmsg)),
                          .nlmsg_type = RTM_GETADDR,
                          .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
    (void)send(fd, &request, request.head.nlmsg_len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* A header of SIZE bytes from the beginning of *LEFT. */
static bool peek(struct bytes left, void *ret, size_t size)
{
    if (left.n < size)
        return false;
    memcpy(ret, left.p, size);
    return true;
}

/* Past N bytes, and what fills them up to four. */
static struct bytes past(struct bytes left, size_t n)
{
    const size_t whole = MIN_OF((n + 3) & ~(size_t)3, left.n);
    return (struct bytes){left.p + whole, left.n - whole};
}

/* TEXT: an ifaddrmsg with its attributes. */
static void take_address(struct proxy *p, struct bytes text)
{
    struct ifaddrmsg m;
    struct rtattr a;
    if (!peek(text, &m, sizeof(m)) || (m.ifa_family != AF_INET && m.ifa_family != AF_INET6))
        return;
    const size_t n = m.ifa_family == AF_INET ? 4 : 16;
    text = past(text, sizeof(m));
    for (; peek(text, &a, sizeof(a)) && a.rta_len >= sizeof(a) && a.rta_len <= text.n;
         text = past(text, a.rta_len)) {
        if ((a.rta_type != IFA_LOCAL && a.rta_type != IFA_ADDRESS) || a.rta_len != sizeof(a) + n)
            continue;
        /* Of a point-to-point link IFA_ADDRESS is the other end: no harm in refusing that, too. */
        struct address own = {.family = n == 4 ? ADDRESS_V4 : ADDRESS_V6};
        memcpy(own.b, text.p + sizeof(a), n);
        if (netpolicy_add_own(p->policy, &own) < 0)
            proxy_exhausted(p, ENOMEM);
    }
}

static void ready(struct watch *w, uint32_t events)
{
    struct proxy *p = (struct proxy *)(void *)((char *)w - offsetof(struct proxy, addresses));
    (void)events;
    for (;;) {
        char buf[16384];
        struct nlmsghdr head;
        ssize_t n = recv(w->fd, buf, sizeof(buf), MSG_DONTWAIT);
        if (n < 0 && errno == ENOBUFS) {
            ask_for_all(w->fd);
            continue;
        }
        if (n < 0)
            return;
        struct bytes left = {buf, (size_t)n};
        for (; peek(left, &head, sizeof(head)) && head.nlmsg_len >= sizeof(head) &&
               head.nlmsg_len <= left.n;
             left = past(left, head.nlmsg_len))
            if (head.nlmsg_type == RTM_NEWADDR)
                take_address(p,
                             (struct bytes){left.p + sizeof(head), head.nlmsg_len - sizeof(head)});
    }
}

void own_open(struct proxy *p)
{
    const struct sockaddr_nl at = {.nl_family = AF_NETLINK,
                                   .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    p->addresses = (struct watch){.fd = fd, .ready = ready};
    if (fd < 0)
        return;
    if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 ||
        loop_watch_level(&p->loop, &p->addresses, EPOLLIN) < 0) {
        fd_close(fd);
        p->addresses.fd = -1;
        return;
    }
    ask_for_all(fd); /* what came since bawn looked */
}

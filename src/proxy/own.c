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

static void take_address(struct proxy *p, const struct nlmsghdr *head)
{
    const struct ifaddrmsg *m = NLMSG_DATA(head);
    int left = (int)head->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*m));
    const size_t n = m->ifa_family == AF_INET ? 4 : 16;
    if (left < 0 || (m->ifa_family != AF_INET && m->ifa_family != AF_INET6))
        return;
    for (const struct rtattr *a = IFA_RTA(m); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
        if ((a->rta_type != IFA_LOCAL && a->rta_type != IFA_ADDRESS) || RTA_PAYLOAD(a) != n)
            continue;
        /* Of a point-to-point link IFA_ADDRESS is the other end: no harm in refusing that, too. */
        struct address own = {.family = n == 4 ? ADDRESS_V4 : ADDRESS_V6};
        memcpy(own.b, RTA_DATA(a), n);
        if (netpolicy_add_own(p->policy, &own) < 0)
            proxy_exhausted(p, ENOMEM);
    }
}

static void ready(struct watch *w, uint32_t events)
{
    struct proxy *p = (struct proxy *)(void *)((char *)w - offsetof(struct proxy, addresses));
    (void)events;
    for (;;) {
        _Alignas(struct nlmsghdr) char buf[16384];
        ssize_t n = recv(w->fd, buf, sizeof(buf), MSG_DONTWAIT);
        if (n < 0 && errno == ENOBUFS) {
            ask_for_all(w->fd);
            continue;
        }
        if (n < 0)
            return;
        int left = (int)n;
        for (const struct nlmsghdr *head = (const struct nlmsghdr *)(const void *)buf;
             NLMSG_OK(head, (unsigned)left); head = NLMSG_NEXT(head, left))
            if (head->nlmsg_type == RTM_NEWADDR &&
                head->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifaddrmsg)))
                take_address(p, head);
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

/*
 * Sockets: a server outside, reached by every call that names an address. The server notes what
 * arrives, so that "sent" is judged by its note and not by a return value.
 */
#include "escape.h"

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

static const char hello[] = "escaped";

/* "@name" is an abstract address. */
static socklen_t unix_address(const char *name, struct sockaddr_un *un)
{
    size_t n = strlen(name);

    memset(un, 0, sizeof *un);
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, name, n < sizeof un->sun_path ? n : sizeof un->sun_path);
    if (name[0] == '@') {
        un->sun_path[0] = 0;
        return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    }
    return sizeof *un;
}

static int unix_connect(const char *name, int type)
{
    struct sockaddr_un un;
    socklen_t len = unix_address(name, &un);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&un, len) < 0)
        return -1;
    return fd;
}

static int greet(int fd)
{
    return fd >= 0 && send(fd, hello, sizeof hello - 1, MSG_NOSIGNAL) > 0 ? 0 : refused("send");
}

static int stream(char *const *a)
{
    return greet(unix_connect(a[0], SOCK_STREAM));
}
static int seqpacket(char *const *a)
{
    return greet(unix_connect(a[0], SOCK_SEQPACKET));
}
static int dgram_connect(char *const *a)
{
    return greet(unix_connect(a[0], SOCK_DGRAM));
}

/* From a working directory beside the socket, by a relative name. Args: directory, name. */
static int stream_relative(char *const *a)
{
    if (chdir(a[0]) < 0)
        return refused("chdir");
    return greet(unix_connect(a[1], SOCK_STREAM));
}

static int dgram_sendto(char *const *a)
{
    struct sockaddr_un un;
    socklen_t len = unix_address(a[0], &un);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    return sendto(fd, hello, sizeof hello - 1, 0, (struct sockaddr *)&un, len) > 0
               ? 0
               : refused("sendto");
}

static int send_message(int fd, struct sockaddr *sa, socklen_t len, bool many)
{
    struct iovec iov = {(void *)hello, sizeof hello - 1};
    struct mmsghdr m = {
        .msg_hdr = {.msg_name = sa, .msg_namelen = len, .msg_iov = &iov, .msg_iovlen = 1}};

    if (many)
        return sendmmsg(fd, &m, 1, 0) == 1 ? 0 : refused("sendmmsg");
    return sendmsg(fd, &m.msg_hdr, 0) > 0 ? 0 : refused("sendmsg");
}

static int dgram_sendmsg(char *const *a)
{
    struct sockaddr_un un;
    socklen_t len = unix_address(a[0], &un);

    return send_message(socket(AF_UNIX, SOCK_DGRAM, 0), (struct sockaddr *)&un, len, false);
}
static int dgram_sendmmsg(char *const *a)
{
    struct sockaddr_un un;
    socklen_t len = unix_address(a[0], &un);

    return send_message(socket(AF_UNIX, SOCK_DGRAM, 0), (struct sockaddr *)&un, len, true);
}

/* One end of a socketpair is a datagram socket like another. */
static int pair_sendto(char *const *a)
{
    struct sockaddr_un un;
    socklen_t len = unix_address(a[0], &un);
    int p[2];

    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, p) < 0)
        return refused("socketpair");
    return sendto(p[0], hello, sizeof hello - 1, 0, (struct sockaddr *)&un, len) > 0
               ? 0
               : refused("sendto");
}
static int pair_sendmsg(char *const *a)
{
    struct sockaddr_un un;
    socklen_t len = unix_address(a[0], &un);
    int p[2];

    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, p) < 0)
        return refused("socketpair");
    return send_message(p[0], (struct sockaddr *)&un, len, false);
}

/* The address in memory that a second thread of execution changes while the call is judged: a
 * checker that reads it before the kernel does is fooled. Args: harmless address, real address. */
static int racing_address(char *const *a)
{
    struct sockaddr_un good, bad, *shared;
    socklen_t len = unix_address(a[0], &good), bad_len = unix_address(a[1], &bad);
    pid_t pid;
    int r = 1;

    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 1;
    if (bad_len > len)
        len = bad_len;
    pid = fork();
    if (pid == 0)
        for (;;) {
            memcpy(shared, &good, sizeof good);
            __asm__ volatile("" ::: "memory");
            memcpy(shared, &bad, sizeof bad);
            __asm__ volatile("" ::: "memory");
        }
    for (int i = 0; r && i < 30000; i++) {
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (struct sockaddr *)shared, len) == 0) {
            struct sockaddr_un peer = {0};
            socklen_t n = sizeof peer;
            if (getpeername(fd, (struct sockaddr *)&peer, &n) == 0 &&
                !strcmp(peer.sun_path, bad.sun_path))
                r = greet(fd);
        }
        close(fd);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return r;
}

/* The address is a link in the workspace that changes between harmless and outside. Args: link,
 * harmless target, real target. */
static int racing_link(char *const *a)
{
    char tmp[4200];
    pid_t pid = fork();
    int r = 1;

    if (pid == 0)
        for (int i = 0;; i++) {
            snprintf(tmp, sizeof tmp, "%s.%d", a[0], i & 1);
            unlink(tmp);
            if (symlink(a[1 + (i & 1)], tmp) == 0)
                rename(tmp, a[0]);
        }
    for (int i = 0; r && i < 30000; i++) {
        int fd = unix_connect(a[0], SOCK_DGRAM);
        struct sockaddr_un peer = {0};
        socklen_t n = sizeof peer;
        if (fd >= 0 && getpeername(fd, (struct sockaddr *)&peer, &n) == 0 &&
            strstr(peer.sun_path, strrchr(a[2], '/')))
            r = greet(fd);
        if (fd >= 0)
            close(fd);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return r;
}

/* A directory received through a socket outside. Args: socket, name to make in it. */
static int stream_receive(char *const *a)
{
    char byte, control[CMSG_SPACE(sizeof(int))];
    struct iovec iov = {&byte, 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *c;
    int fd = unix_connect(a[0], SOCK_STREAM), dir;

    if (fd < 0 || greet(fd) || recvmsg(fd, &m, 0) < 0 || !(c = CMSG_FIRSTHDR(&m)))
        return refused("recvmsg");
    memcpy(&dir, CMSG_DATA(c), sizeof dir);
    fd = openat(dir, a[1], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    return fd < 0 ? refused("openat") : mark(fd);
}

static struct sockaddr_in host4(const char *port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)number(port)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int tcp(char *const *a)
{
    struct sockaddr_in in = host4(a[0]);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&in, sizeof in) < 0)
        return refused("connect");
    return greet(fd);
}

static int tcp6(char *const *a)
{
    struct sockaddr_in6 in = {.sin6_family = AF_INET6,
                              .sin6_port = htons((uint16_t)number(a[0])),
                              .sin6_addr = IN6ADDR_ANY_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);

    /* ::ffff:127.0.0.1, which needs no IPv6 on the host */
    memcpy(in.sin6_addr.s6_addr + 10, "\xff\xff\x7f\0\0\1", 6);
    if (fd < 0 || connect(fd, (struct sockaddr *)&in, sizeof in) < 0)
        return refused("connect");
    return greet(fd);
}

static int tcp_fastopen(char *const *a)
{
    struct sockaddr_in in = host4(a[0]);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    return sendto(fd, hello, sizeof hello - 1, MSG_FASTOPEN, (struct sockaddr *)&in, sizeof in) > 0
               ? 0
               : refused("fastopen");
}

static int mptcp(char *const *a)
{
    struct sockaddr_in in = host4(a[0]);
    int fd = socket(AF_INET, SOCK_STREAM, 262);

    if (fd < 0)
        fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&in, sizeof in) < 0)
        return refused("connect");
    return greet(fd);
}

static int udp(char *const *a)
{
    struct sockaddr_in in = host4(a[0]);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    return sendto(fd, hello, sizeof hello - 1, 0, (struct sockaddr *)&in, sizeof in) > 0
               ? 0
               : refused("sendto");
}

static int udp_sendmsg(char *const *a)
{
    struct sockaddr_in in = host4(a[0]);

    return send_message(socket(AF_INET, SOCK_DGRAM, 0), (struct sockaddr *)&in, sizeof in, true);
}

static int raw(char *const *a)
{
    (void)a;
    return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) >= 0 ? 0 : refused("raw socket");
}
static int packet(char *const *a)
{
    (void)a;
    return socket(AF_PACKET, SOCK_RAW, htons(3)) >= 0 ? 0 : refused("packet socket");
}
static int vsock(char *const *a)
{
    (void)a;
    return socket(AF_VSOCK, SOCK_STREAM, 0) >= 0 ? 0 : refused("vsock");
}

/* Asks the kernel for the interfaces: one that is not the loopback means the host's network. */
static int netlink(char *const *a)
{
    struct {
        struct nlmsghdr h;
        struct ifinfomsg i;
    } q = {.h = {.nlmsg_len = sizeof q,
                 .nlmsg_type = RTM_GETLINK,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
    static char buf[1 << 16];
    int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    ssize_t n;
    int links = 0;

    (void)a;
    if (fd < 0 || send(fd, &q, sizeof q, 0) < 0)
        return refused("netlink");
    n = recv(fd, buf, sizeof buf, 0);
    for (struct nlmsghdr *h = (void *)buf; n > 0 && NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n))
        if (h->nlmsg_type == RTM_NEWLINK)
            links += !(((struct ifinfomsg *)NLMSG_DATA(h))->ifi_flags & IFF_LOOPBACK);
    return links ? 0 : 1;
}

/* Names of the host's interfaces through an ordinary socket. */
static int interfaces(char *const *a)
{
    struct if_nameindex *all = if_nameindex();
    int other = 0;

    (void)a;
    for (struct if_nameindex *i = all; i && i->if_index; i++)
        other += strcmp(i->if_name, "lo") != 0;
    return other ? 0 : refused("if_nameindex");
}

/* The 32-bit way: socketcall(SYS_CONNECT) through int 0x80, addresses below 4 GiB. */
static long call32(long nr, long b, long c)
{
    long r;

    __asm__ volatile("int $0x80"
                     : "=a"(r)
                     : "a"(nr), "b"(b), "c"(c), "d"(0)
                     : "memory", "r8", "r9", "r10", "r11");
    return (int)r;
}

static int socketcall32(char *const *a)
{
    uint32_t *low =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    struct sockaddr_un *un = (void *)(low + 16);
    long fd;

    if (low == MAP_FAILED)
        return 1;
    low[0] = AF_UNIX;
    low[1] = SOCK_STREAM;
    low[2] = 0;
    fd = call32(102, 1, (long)low);
    if (fd < 0)
        return refused("socketcall");
    low[1] = (uint32_t)(uintptr_t)un;
    low[0] = (uint32_t)fd;
    low[2] = unix_address(a[0], un);
    if (call32(102, 3, (long)low) < 0)
        return refused("socketcall");
    return greet((int)fd);
}

const struct attempt sockets_attempts[] = {
    {"stream", 1, stream},
    {"stream-relative", 2, stream_relative},
    {"seqpacket", 1, seqpacket},
    {"dgram-connect", 1, dgram_connect},
    {"dgram-sendto", 1, dgram_sendto},
    {"dgram-sendmsg", 1, dgram_sendmsg},
    {"dgram-sendmmsg", 1, dgram_sendmmsg},
    {"pair-sendto", 1, pair_sendto},
    {"pair-sendmsg", 1, pair_sendmsg},
    {"racing-address", 2, racing_address},
    {"racing-link", 3, racing_link},
    {"stream-receive", 2, stream_receive},
    {"tcp", 1, tcp},
    {"tcp6", 1, tcp6},
    {"tcp-fastopen", 1, tcp_fastopen},
    {"mptcp", 1, mptcp},
    {"udp", 1, udp},
    {"udp-sendmmsg", 1, udp_sendmsg},
    {"raw", 0, raw},
    {"packet", 0, packet},
    {"vsock", 0, vsock},
    {"netlink", 0, netlink},
    {"interfaces", 0, interfaces},
    {"socketcall32", 1, socketcall32},
    {0},
};

/*
 * The connector: what ssh runs inside a filtered network as its ProxyCommand (GIT_SSH_COMMAND says
 * so). It is bawn's own program under another name, bound to NET_CONNECTOR in the sandbox:
 *
 *     bawn-connect SOCKS-PORT HOST PORT
 *
 * It asks the proxy on 127.0.0.1 for the connection by SOCKS5, with the name as it was given: names
 * are the proxy's to look up. Then it carries bytes between that and its standard input and output,
 * each direction until its own end. A refusal is one line with its reason. What the proxy says
 * behind a refusal is carried, too: to ssh, in ssh's own words.
 *
 * It runs confined, with the command's rights and no others, and trusts nobody's bytes.
 */
#include "cli/connector.h"

#include "base/fd.h"
#include "base/mem.h"
#include "cli/print.h"
#include "network/host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOCKS5 = 5, NO_LOGIN = 0, CONNECT = 1, OF_V4 = 1, OF_NAME = 3, OF_V6 = 4 };

#define LAST_WORDS_MS 2000 /* that a refusal may take to be told in full */

/* ---- asking the proxy ---- */

static int read_whole(int fd, uint8_t *p, size_t n)
{
    while (n) {
        ssize_t got = recv(fd, p, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -ECONNRESET;
        p += got;
        n -= (size_t)got;
    }
    return 0;
}

static int ask(int fd, const struct host *h, uint16_t port, uint8_t *ret_reply)
{
    static const uint8_t hello[] = {SOCKS5, 1, NO_LOGIN};
    uint8_t q[8 + HOST_NAME_MAX_BYTES] = {SOCKS5, CONNECT, 0}, a[4 + 255 + 2];
    size_t n = 3, m = h->kind == HOST_NAME ? h->n : h->address.family == ADDRESS_V4 ? 4 : 16;
    q[n++] = h->kind == HOST_NAME ? OF_NAME : m == 4 ? OF_V4 : OF_V6;
    if (h->kind == HOST_NAME)
        q[n++] = (uint8_t)m;
    memcpy(q + n, h->kind == HOST_NAME ? (const void *)h->name : h->address.b, m);
    n += m;
    q[n++] = (uint8_t)(port >> 8);
    q[n++] = (uint8_t)port;
    int r = fd_write_all(fd, hello, sizeof(hello));
    if (r == 0)
        r = read_whole(fd, a, 2);
    if (r == 0 && (a[0] != SOCKS5 || a[1] != NO_LOGIN))
        r = -EPROTO;
    if (r == 0)
        r = fd_write_all(fd, q, n);
    if (r == 0)
        r = read_whole(fd, a, 5);
    if (r < 0)
        return r;
    /* The address it dialled from is nobody's business here. */
    size_t rest = a[3] == OF_V4 ? 4 : a[3] == OF_V6 ? 16 : a[3] == OF_NAME ? 1u + a[4] : 0;
    *ret_reply = a[1];
    return a[0] != SOCKS5 || rest == 0 ? -EPROTO : read_whole(fd, a, rest - 1 + 2);
}

static const char *reason(uint8_t reply)
{
    static const char *const reasons[] = {
        [1] = "the proxy could not say why", [2] = "the network rules do not allow it",
        [3] = "the network is unreachable",  [4] = "the host is unreachable",
        [5] = "the connection was refused",  [6] = "it took too long",
        [7] = "the proxy cannot do that",    [8] = "the proxy knows no such address"};
    return reply < ARRAY_LEN(reasons) && reasons[reply] ? reasons[reply] : "the proxy refused";
}

/* ---- carrying ---- */

/* One direction. A write of no more than this does not wait once poll() has said so. */
struct way {
    int from, to;
    bool ended; /* nothing more comes, and what came was passed on */
    size_t at, n;
    char buf[4096];
};

static void way_end(struct way *w)
{
    w->ended = true;
    if (shutdown(w->to, SHUT_WR) < 0)
        fd_close(w->to);
}

static void way_read(struct way *w)
{
    ssize_t n = read(w->from, w->buf, sizeof(w->buf));
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    w->at = 0;
    w->n = n > 0 ? (size_t)n : 0;
    if (n <= 0)
        way_end(w);
}

static void way_write(struct way *w)
{
    ssize_t n = write(w->to, w->buf + w->at, w->n);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n < 0) {
        w->ended = true;
        return;
    }
    w->at += (size_t)n;
    w->n -= (size_t)n;
}

static void way_poll(const struct way *w, struct pollfd *ret)
{
    *ret = (struct pollfd){.fd = w->ended ? -1
                                 : w->n   ? w->to
                                          : w->from,
                           .events = w->n ? POLLOUT : POLLIN};
}

/* Until both directions have ended, or nothing comes for TIMEOUT milliseconds. */
static void carry(struct way *out, struct way *in, int timeout)
{
    while (!out->ended || !in->ended) {
        struct pollfd p[2];
        way_poll(out, &p[0]);
        way_poll(in, &p[1]);
        int r = poll(p, 2, timeout);
        if (r == 0 || (r < 0 && errno != EINTR))
            return;
        for (int i = 0; r > 0 && i < 2; i++) {
            struct way *w = i ? in : out;
            if (p[i].revents && w->n)
                way_write(w);
            else if (p[i].revents)
                way_read(w);
        }
    }
}

/* ---- the whole ---- */

bool connector_is_meant(const char *argv0)
{
    const char *slash = strrchr(argv0, '/');
    return str_eq(slash ? slash + 1 : argv0, "bawn-connect");
}

static int dial(uint16_t port)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
        int e = -errno;
        fd_close(fd);
        return e;
    }
    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

int connector_main(int argc, char **argv)
{
    struct host host;
    uint16_t proxy, port;
    uint8_t reply = 0;
    if (argc != 4 || !host_port(bytes_of(argv[1]), &proxy) || !host_port(bytes_of(argv[3]), &port))
        return cli_failure(EXIT_USAGE, "usage: bawn-connect SOCKS-PORT HOST PORT");
    enum host_problem problem = host_parse(bytes_of(argv[2]), &host);
    if (problem != HOST_FINE)
        return cli_failure(1, "%s: %s", show(argv[2]), host_problem_text(problem));
    (void)signal(SIGPIPE, SIG_IGN);
    _cleanup_fd_ int fd = dial(proxy);
    if (fd < 0)
        return cli_failure(1, "the proxy does not answer on 127.0.0.1:%u: %s", proxy,
                           strerror(-fd));
    int r = ask(fd, &host, port, &reply);
    if (r < 0)
        return cli_failure(1, "%s port %u: the proxy ended the conversation: %s", show(argv[2]),
                           port, r == -EPROTO ? "not in SOCKS" : strerror(-r));
    static struct way out, in;
    out = (struct way){.from = 0, .to = fd};
    in = (struct way){.from = fd, .to = 1};
    if (reply) {
        (void)cli_failure(1, "%s port %u: %s", show(argv[2]), port, reason(reply));
        /* ssh says something before it listens: that goes nowhere, but it must not fail. */
        out.to = open("/dev/null", O_WRONLY | O_CLOEXEC);
        out.ended = out.to < 0;
    }
    carry(&out, &in, reply ? LAST_WORDS_MS : -1);
    return reply ? 1 : 0;
}

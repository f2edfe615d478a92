/*
 * Load for a proxy, and what stands at its two ends: for the network's rows of `make bench`.
 *
 *   net_load serve PORT              HTTP/1.1 with keep-alive, a small answer to whatever is asked;
 *                                    a line "N\n" as the first bytes is answered with N bytes
 *   net_load relay PORT TO           plain TCP from PORT to TO, with splice: what a proxy can reach
 *   net_load requests TO N COUNT     COUNT requests over N connections that are kept
 *   net_load stream TO BYTES         one stream that carries BYTES
 *   net_load idle TO N               N open tunnels, until its standard input ends
 *
 * All on 127.0.0.1. TO is the server's port. $http_proxy, where it is set, is what is connected to:
 * with absolute targets in `requests`, with CONNECT in the others; $NET_LOAD_VIA is a port that is
 * connected to instead of TO. One thread, no process per connection. What is measured is printed as
 * one line of numbers: requests or bytes per second, then for requests the median, the 99th
 * percentile and the greatest time of one in nanoseconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST_FDS 20000
#define BLOCK    (256 << 10)

static char block[BLOCK];

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
    int e = errno;
    va_list ap;
    va_start(ap, format);
    (void)vfprintf(stderr, format, ap);
    va_end(ap);
    (void)fprintf(stderr, ": %s\n", strerror(e));
    exit(1);
}

static long number(const char *s)
{
    char *end;
    long n = strtol(s, &end, 10);
    if (end == s || (*end && *end != '/') || n < 0)
        die("'%s' is no number", s);
    return n;
}

static uint64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void no_delay(int fd)
{
    int one = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static int listen_on(long port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 4096) < 0)
        die("listen on %ld", port);
    return fd;
}

static int connect_to(long port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        die("connect to %ld", port);
    no_delay(fd);
    return fd;
}

static void write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t w = send(fd, p, n, MSG_NOSIGNAL);
        if (w <= 0)
            die("send");
        p += w, n -= (size_t)w;
    }
}

/* The port of $http_proxy, or 0. */
static long proxy_port(void)
{
    const char *url = getenv("http_proxy"), *colon = url && *url ? strrchr(url, ':') : NULL;
    return colon ? number(colon + 1) : 0;
}

/* ---- serve ---- */

struct peer {
    char head[2048]; /* the end of a head may be spread over two reads */
    size_t n;
    uint64_t owed; /* bytes of a stream */
};
static struct peer *peers[MOST_FDS];

static const char small[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 20\r\n\r\n"
    "a small answer here\n";

/* Answers every whole head in P. */
static bool answer(int fd, struct peer *p)
{
    char out[64 * sizeof(small)];
    size_t n = 0;
    char *end;
    while ((end = memmem(p->head, p->n, "\r\n\r\n", 4))) {
        size_t used = (size_t)(end - p->head) + 4;
        memmove(p->head, p->head + used, p->n - used);
        p->n -= used;
        memcpy(out + n, small, sizeof(small) - 1);
        if ((n += sizeof(small) - 1) > sizeof(out) - sizeof(small))
            break;
    }
    return !n || send(fd, out, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static bool serve_in(int ep, int fd, struct peer *p)
{
    ssize_t r = recv(fd, p->head + p->n, sizeof(p->head) - p->n, 0);
    if (r <= 0)
        return r < 0 && errno == EAGAIN;
    p->n += (size_t)r;
    if (p->head[0] < '0' || p->head[0] > '9')
        return answer(fd, p);
    char *end = memchr(p->head, '\n', p->n);
    if (!end)
        return true;
    *end = 0;
    p->owed = strtoull(p->head, NULL, 10);
    struct epoll_event e = {.events = EPOLLOUT, .data.fd = fd};
    return epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e) == 0;
}

static bool serve_out(int fd, struct peer *p)
{
    ssize_t w = send(fd, block, p->owed < BLOCK ? p->owed : BLOCK, MSG_NOSIGNAL);
    if (w < 0)
        return errno == EAGAIN;
    return (p->owed -= (uint64_t)w) > 0;
}

static void serve(long port)
{
    int l = listen_on(port), ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = l}, got[64];
    (void)epoll_ctl(ep, EPOLL_CTL_ADD, l, &e);
    (void)puts("ready");
    (void)fflush(stdout);
    for (;;) {
        int n = epoll_wait(ep, got, 64, -1);
        for (int i = 0; i < n; i++) {
            int fd = got[i].data.fd;
            if (fd == l) {
                int c = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (c < 0 || c >= MOST_FDS)
                    continue;
                no_delay(c);
                peers[c] = calloc(1, sizeof(*peers[c]));
                e = (struct epoll_event){.events = EPOLLIN, .data.fd = c};
                (void)epoll_ctl(ep, EPOLL_CTL_ADD, c, &e);
            } else if (!(got[i].events & EPOLLOUT ? serve_out(fd, peers[fd])
                                                  : serve_in(ep, fd, peers[fd]))) {
                free(peers[fd]);
                (void)close(fd);
            }
        }
    }
}

/* ---- relay ---- */

/* One direction, until its end. */
static void carry(int from, int to)
{
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC) < 0)
        die("pipe");
    (void)fcntl(pipes[1], F_SETPIPE_SZ, 1 << 20);
    for (;;) {
        ssize_t n = splice(from, NULL, pipes[1], NULL, 1 << 20, SPLICE_F_MOVE);
        if (n <= 0)
            break;
        while (n) {
            ssize_t w = splice(pipes[0], NULL, to, NULL, (size_t)n, SPLICE_F_MOVE);
            if (w <= 0)
                _exit(0);
            n -= w;
        }
    }
    (void)shutdown(to, SHUT_WR);
    _exit(0);
}

/* A process for each direction of each connection: nothing that a proxy would do, and nothing in
 * the way. */
static void relay(long port, long to)
{
    int l = listen_on(port);
    (void)signal(SIGCHLD, SIG_IGN);
    (void)puts("ready");
    (void)fflush(stdout);
    for (;;) {
        int c = accept4(l, NULL, NULL, SOCK_CLOEXEC);
        if (c < 0)
            continue;
        no_delay(c);
        int s = connect_to(to);
        if (fork() == 0)
            carry(c, s);
        if (fork() == 0)
            carry(s, c);
        (void)close(c);
        (void)close(s);
    }
}

/* ---- the clients ---- */

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void requests(long to, long n, long count)
{
    long proxy = proxy_port();
    char text[512], got[4096];
    int length = snprintf(text, sizeof(text), "GET %s%s/x HTTP/1.1\r\nHost: 127.0.0.1:%ld\r\n\r\n",
                          proxy ? "http://127.0.0.1:" : "", proxy ? getenv("NET_LOAD_TO") : "", to);
    int ep = epoll_create1(EPOLL_CLOEXEC), fds[256];
    uint64_t *times = calloc((size_t)count, sizeof(*times)),
             *begun = calloc(MOST_FDS, sizeof(*begun));
    long asked = 0, done = 0;
    if (n > 256 || !times || !begun)
        die("too many");
    for (long i = 0; i < n; i++) {
        fds[i] = connect_to(proxy ? proxy : to);
        struct epoll_event e = {.events = EPOLLIN, .data.fd = fds[i]};
        (void)epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &e);
    }
    uint64_t begin = now_ns();
    for (long i = 0; i < n && asked < count; i++, asked++) {
        begun[fds[i]] = now_ns();
        write_all(fds[i], text, (size_t)length);
    }
    while (done < count) {
        struct epoll_event ready[64];
        int k = epoll_wait(ep, ready, 64, 30000);
        if (k <= 0)
            die("no answer");
        for (int i = 0; i < k; i++) {
            int fd = ready[i].data.fd;
            size_t have = 0;
            /* An answer is small: it comes at once, or in two parts. */
            for (;;) {
                ssize_t r = recv(fd, got + have, sizeof(got) - 1 - have, 0);
                if (r <= 0)
                    die("the connection ended after %ld answers", done);
                have += (size_t)r;
                got[have] = 0;
                char *body = memmem(got, have, "\r\n\r\n", 4);
                if (body && strstr(body, "here\n"))
                    break;
                if (body && strncmp(got, "HTTP/1.1 200", 12) != 0) {
                    errno = 0;
                    die("answered: %.300s", got);
                }
            }
            uint64_t now = now_ns();
            times[done++] = now - begun[fd];
            if (asked < count) {
                asked++;
                begun[fd] = now;
                write_all(fd, text, (size_t)length);
            }
        }
    }
    double seconds = (double)(now_ns() - begin) / 1e9;
    qsort(times, (size_t)count, sizeof(*times), compare);
    (void)printf("%.0f %lu %lu %lu\n", (double)count / seconds, times[count / 2],
                 times[count - 1 - count / 100], times[count - 1]);
}

/* A connection to TO, through the proxy where there is one. */
static int tunnel(long to)
{
    long proxy = proxy_port();
    const char *via = getenv("NET_LOAD_VIA");
    int fd = connect_to(proxy ? proxy : via && *via ? number(via) : to);
    if (!proxy)
        return fd;
    char text[256], c;
    int n = snprintf(text, sizeof(text),
                     "CONNECT 127.0.0.1:%ld HTTP/1.1\r\nHost: 127.0.0.1:%ld\r\n\r\n", to, to);
    write_all(fd, text, (size_t)n);
    uint32_t last = 0;
    size_t read = 0;
    while (last != 0x0d0a0d0a) {
        if (recv(fd, &c, 1, 0) != 1)
            die("CONNECT");
        if (read < sizeof(text))
            text[read++] = c;
        last = last << 8 | (uint8_t)c;
    }
    if (memcmp(text + 8, " 200", 4) != 0) {
        errno = 0;
        die("CONNECT: %.*s", (int)read, text);
    }
    return fd;
}

static void stream(long to, long bytes)
{
    char text[32];
    int fd = tunnel(to), n = snprintf(text, sizeof(text), "%ld\n", bytes);
    uint64_t begin = now_ns();
    write_all(fd, text, (size_t)n);
    for (long left = bytes; left;) {
        ssize_t r = recv(fd, block, BLOCK, 0);
        if (r <= 0)
            die("the stream ended with %ld bytes to come", left);
        left -= r;
    }
    (void)printf("%.0f\n", (double)bytes / ((double)(now_ns() - begin) / 1e9));
}

static void idle(long to, long n)
{
    for (long i = 0; i < n; i++)
        (void)tunnel(to);
    (void)puts("ready");
    (void)fflush(stdout);
    while (getchar() != EOF)
        ;
}

int main(int argc, char **argv)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max < MOST_FDS ? files.rlim_max : MOST_FDS;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    const char *what = argc > 2 ? argv[1] : "";
    long a = argc > 2 ? number(argv[2]) : 0, b = argc > 3 ? number(argv[3]) : 0;
    if (strcmp(what, "serve") == 0)
        serve(a);
    else if (strcmp(what, "relay") == 0 && argc == 4)
        relay(a, b);
    else if (strcmp(what, "requests") == 0 && argc == 5) {
        (void)setenv("NET_LOAD_TO", argv[2], 1);
        requests(a, b, number(argv[4]));
    } else if (strcmp(what, "stream") == 0 && argc == 4)
        stream(a, b);
    else if (strcmp(what, "idle") == 0 && argc == 4)
        idle(a, b);
    else {
        (void)fputs("usage: net_load serve|relay|requests|stream|idle PORT …\n", stderr);
        return 2;
    }
    return 0;
}

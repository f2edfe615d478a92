/*
 * Starts bawn-proxy without a sandbox: plays the launcher, for tests and measurements of the proxy
 * alone.
 *
 *   proxy_try PROGRAM [-a PATTERN]… [-d PATTERN]… [-k] [-l] [-u SOCKET]… [-s] [-H URL]
 *
 *   -a, -d   allow, deny     -k  ask about the rest; answered yes for names that begin with "yes"
 *   -l       limited         -L  allow_local     -s  SOCKS datagrams     -H  upstream for all
 *
 * Prints "http PORT", "socks PORT", "dns PORT", then a line for each event, until its input ends.
 */
#include "base/fd.h"
#include "network/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define RULES_MOST 200000

static struct netrule *rules;
static struct wire_settings settings = {.policy = {0}};
static const char *sockets[16];

static void die(const char *what)
{
    (void)fprintf(stderr, "proxy_try: %s: %s\n", what, strerror(errno));
    exit(2);
}

static int listener(int type, int port, int *ret_port)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(in);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&in, sizeof(in)) < 0 ||
        (type == SOCK_STREAM && listen(fd, 4096) < 0) ||
        getsockname(fd, (struct sockaddr *)&in, &n) < 0)
        die("listen");
    *ret_port = ntohs(in.sin_port);
    return fd;
}

static void add_rule(const char *pattern, enum net_decision decision)
{
    if (settings.n_rules == RULES_MOST)
        die("too many rules");
    rules[settings.n_rules] = (struct netrule){
        .pattern = pattern, .decision = decision, .id = (uint32_t)settings.n_rules};
    settings.n_rules++;
}

static void read_options(int argc, char **argv)
{
    int c;
    while ((c = getopt(argc, argv, "a:d:klLu:sH:")) >= 0)
        switch (c) {
        case 'a':
        case 'd':
            add_rule(optarg, c == 'a' ? NET_ALLOW : NET_DENY);
            break;
        case 'k':
            settings.policy.ask_unknown = settings.policy.ask_rule = true;
            break;
        case 'l':
            settings.limited = true;
            break;
        case 'L':
            settings.policy.allow_local = true;
            break;
        case 's':
            settings.socks_udp = true;
            break;
        case 'u':
            sockets[settings.n_unix_sockets++ % 16] = optarg;
            break;
        case 'H':
            settings.upstream_all = optarg;
            break;
        default:
            exit(2);
        }
    settings.rules = rules;
    settings.unix_sockets = sockets;
}

static void show_events(struct bytes payload, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct wire_event e;
        if (wire_event_read(&payload, rules, settings.n_rules, &e) < 0)
            die("a bad event");
        (void)printf("event %s %s %s:%u %s%s\n", net_decision_word(e.answer.decision),
                     net_reason_word(e.answer.reason), e.request.host.name, e.request.port,
                     net_protocol_word(e.request.protocol), e.asked ? " asked" : "");
    }
}

static bool take_message(int fd)
{
    static char buf[WIRE_MESSAGE_MAX];
    struct wire_head head;
    struct bytes payload;
    int fds[WIRE_FDS_MAX];
    size_t n = 0;
    int r = wire_recv(fd, buf, &head, &payload, fds, &n);
    if (r == -EAGAIN)
        return true;
    if (r < 0)
        return false;
    if (head.kind == WIRE_EVENTS) {
        show_events(payload, head.count);
    } else if (head.kind == WIRE_ASK) {
        struct wire_event e;
        if (wire_event_read(&payload, rules, settings.n_rules, &e) < 0)
            die("a bad question");
        const struct wire_answer answer = {strncmp(e.request.host.name, "yes", 3) == 0, 1};
        const struct wire_head back = {.kind = WIRE_ANSWER, .version = WIRE_VERSION, .id = head.id};
        (void)printf("ask %s:%u\n", e.request.host.name, e.request.port);
        (void)wire_send(fd, &back, &answer, sizeof(answer), NULL, 0);
    } else {
        (void)printf("%s %.*s\n", head.kind == WIRE_READY ? "ready" : "said", (int)payload.n,
                     payload.p);
    }
    (void)fflush(stdout);
    return true;
}

int main(int argc, char **argv)
{
    int pair[2], port[4];
    rules = calloc(RULES_MOST, sizeof(*rules));
    if (argc < 2 || !rules || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        die("start");
    read_options(argc - 1, argv + 1);
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (dup2(pair[1], 3) < 0 || fcntl(3, F_SETFD, 0) < 0)
            die("dup2");
        char *const words[] = {argv[1], NULL}, *const env[] = {NULL};
        (void)execve(argv[1], words, env);
        die(argv[1]);
    }
    (void)close(pair[1]);
    const int fd = pair[0];
    _cleanup_strbuf_ struct strbuf text = {0};
    int memory = memfd_create("settings", MFD_CLOEXEC);
    if (wire_settings_write(&settings, &text) < 0 || fd_write_all(memory, text.p, text.n) < 0)
        die("settings");
    struct wire_head head = {.kind = WIRE_START, .version = WIRE_VERSION};
    if (wire_send(fd, &head, NULL, 0, &memory, 1) < 0)
        die("send");
    const int fds[] = {listener(SOCK_STREAM, 0, &port[0]), listener(SOCK_STREAM, 0, &port[1]),
                       listener(SOCK_DGRAM, 0, &port[2]), -1};
    int udp = listener(SOCK_DGRAM, port[1], &port[3]);
    const int all[] = {fds[0], fds[1], fds[2], udp};
    const char kinds[] = {LISTEN_HTTP, LISTEN_SOCKS, LISTEN_DNS_UDP, LISTEN_SOCKS_UDP};
    head.kind = WIRE_LISTEN;
    if (wire_send(fd, &head, kinds, 4, all, 4) < 0)
        die("send");
    for (int i = 0; i < 4; i++)
        (void)close(all[i]);
    (void)printf("http %d\nsocks %d\ndns %d\npid %d\n", port[0], port[1], port[2], (int)pid);
    (void)fflush(stdout);
    struct pollfd watched[] = {{.fd = fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
    bool ending = false;
    while (poll(watched, 2, -1) >= 0 || errno == EINTR) {
        char c[256];
        if (watched[0].revents && !take_message(fd))
            break;
        if (!ending && watched[1].revents && read(0, c, sizeof(c)) <= 0) {
            head.kind = WIRE_FINISH;
            (void)wire_send(fd, &head, NULL, 0, NULL, 0);
            watched[1].fd = -1;
            ending = true;
        }
    }
    int status = 0;
    (void)waitpid(pid, &status, 0);
    (void)printf("end %d\n", status);
    free(rules);
    return status != 0;
}

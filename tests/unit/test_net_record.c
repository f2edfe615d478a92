/*
 * The record of a filtered network: what is the same is counted, what is new is written, nothing of
 * a request but its method is, and a command that asks for ever new hosts fills nothing.
 */
#include "cli/net_record.h"

#include "cli/telling.h"

#include "base/fd.h"
#include "sandbox/asker.h"

#include <fcntl.h>
#include <ftw.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* What a collector is told is tests/telemetry's to look at. */
void telling_net(struct telling *t, const struct net_event *e)
{
    (void)t, (void)e;
}

static char home[] = "/tmp/bawn-net-record.XXXXXX";

static const struct netrule allow = {
    .pattern = "**.a.test", .decision = NET_ALLOW, .file = "/c.toml", .line = 4};
static const struct netrule deny = {.pattern = "evil.test",
                                    .decision = NET_DENY,
                                    .source = NET_OF_REQUIRED,
                                    .file = "/r.toml",
                                    .line = 9,
                                    .id = 1};

static struct wire_event event(const char *host, const struct netrule *rule, enum net_reason reason)
{
    struct wire_event e = {.time_ms = 1700000000123, .request = {.port = 443}};
    assert_int_equal(host_parse(bytes_of(host), &e.request.host), HOST_FINE);
    e.request.protocol = NET_HTTPS;
    e.answer.decision = reason == NET_ALLOWED ? NET_ALLOW : NET_DENY;
    e.answer.reason = reason;
    e.answer.rule = rule;
    memcpy(e.method, "CONNECT", sizeof("CONNECT"));
    return e;
}

static struct net_record *record(int status_fd)
{
    const struct net_record_setup setup = {
        .bawn_home = home, .profile = "work", .parent = "abc", .status_fd = status_fd};
    struct net_record *r = net_record_new(&setup);
    assert_non_null(r);
    return r;
}

struct lines {
    struct strbuf text;
    size_t n;
};

static int see(void *data, const char *file, uint64_t line, struct bytes text)
{
    struct lines *l = data;
    (void)file, (void)line;
    strbuf_put(&l->text, text.p, text.n);
    strbuf_putc(&l->text, '\n');
    l->n++;
    return 0;
}

/* All of the log; *ret_n lines. */
static char *log_text(struct lines *l)
{
    assert_int_equal(audit_each(home, see, l, NULL), 0);
    return l->text.p;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
    (void)st, (void)type, (void)f;
    return remove(path);
}

static int make_home(void **state)
{
    (void)state;
    memcpy(home + sizeof(home) - 7, "XXXXXX", 6);
    return mkdtemp(home) ? 0 : -1;
}

static int remove_home(void **state)
{
    (void)state;
    return nftw(home, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void test_same_is_counted(void **state)
{
    (void)state;
    const char *problem;
    struct net_record *r = record(-1);
    struct lines l = {0};
    struct wire_event yes = event("www.a.test", &allow, NET_ALLOWED);
    struct wire_event no = event("evil.test", &deny, NET_DENIED);
    struct wire_event other = event("www.a.test", &allow, NET_ALLOWED);
    other.request.port = 80;
    net_record_add(r, &yes);
    net_record_flush(r, &problem);
    assert_null(problem);
    (void)log_text(&l);
    assert_int_equal(l.n, 1); /* at once */
    strbuf_release(&l.text);
    l.n = 0;
    for (int i = 0; i < 9; i++) {
        net_record_add(r, &yes);
        net_record_add(r, &no);
        net_record_flush(r, &problem);
    }
    net_record_add(r, &other);
    net_record_lost(r, 5);
    net_record_finish(r, &problem);
    assert_null(problem);
    const char *text = log_text(&l);
    assert_int_equal(l.n, 6);
    assert_non_null(strstr(text, "\"action\":\"reach\",\"scope\":\"domain\",\"decision\":\"allow\","
                                 "\"by\":\"config\",\"source\":\"profile\",\"reason\":\"allowed\","
                                 "\"protocol\":\"https\",\"host\":\"www.a.test\",\"port\":443,"
                                 "\"method\":\"CONNECT\",\"rule\":\"**.a.test\","
                                 "\"rule_file\":\"/c.toml\",\"rule_line\":4,\"profile\":\"work\","
                                 "\"parent\":\"abc\""));
    assert_non_null(strstr(text, "\"profile\":\"work\",\"count\":10,\"parent\""));
    assert_non_null(strstr(text, "\"source\":\"requirements\",\"reason\":\"denied\""));
    assert_non_null(strstr(text, "\"count\":9,"));
    assert_non_null(strstr(text, "\"reason\":\"not_recorded\",\"profile\":\"work\",\"count\":5"));
    struct audit_report report;
    _cleanup_arena_ struct arena a = {0};
    assert_int_equal(audit_verify(&a, home, &report, NULL), 0);
    assert_int_equal(report.n_faults, 0);
    assert_int_equal(report.records, 6);
    strbuf_release(&l.text);
    net_record_free(r);
}

static void test_who_decided(void **state)
{
    (void)state;
    const char *problem;
    struct net_record *r = record(-1);
    struct lines l = {0};
    struct wire_event e = event("b.test", NULL, NET_ALLOWED);
    e.asked = true;
    net_record_add(r, &e);
    e = event("c.test", NULL, NET_ANSWERED_NO);
    e.asked = true;
    net_record_add(r, &e);
    e = event("d.test", NULL, NET_DNS_FAILED); /* after a yes */
    e.asked = true;
    net_record_add(r, &e);
    net_record_finish(r, &problem);
    const char *text = log_text(&l);
    assert_non_null(strstr(text, "\"decision\":\"allow\",\"by\":\"user\",\"answer\":\"yes\""));
    assert_non_null(strstr(text, "\"decision\":\"deny\",\"by\":\"user\",\"answer\":\"no\""));
    assert_non_null(strstr(text, "\"decision\":\"deny\",\"by\":\"config\",\"answer\":\"yes\""));
    strbuf_release(&l.text);
    net_record_free(r);
}

static void test_bounded(void **state)
{
    (void)state;
    const char *problem;
    struct net_record *r = record(-1);
    struct lines l = {0};
    for (int i = 0; i < 5000; i++) {
        char host[32];
        (void)snprintf(host, sizeof(host), "h%d.test", i);
        struct wire_event e = event(host, NULL, NET_NOT_ALLOWED);
        net_record_add(r, &e);
        net_record_add(r, &e);
    }
    /* Behind a flood of refusals: what is allowed is always there. */
    struct wire_event yes = event("allowed.test", NULL, NET_ALLOWED);
    net_record_add(r, &yes);
    net_record_finish(r, &problem);
    assert_null(problem);
    const char *text = log_text(&l);
    assert_non_null(strstr(text, "allowed.test"));
    /* the first of each, its count, one line for the rest, and the one that is allowed */
    assert_int_equal(l.n, 2 * 1000 + 2);
    assert_non_null(strstr(text, "\"count\":8000"));
    strbuf_release(&l.text);
    net_record_free(r);
}

static void test_refusals(void **state)
{
    (void)state;
    _cleanup_strbuf_ struct strbuf out = {0}, status = {0};
    _cleanup_fd_ int fd = open(home, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    struct net_record *r = record(fd);
    struct wire_event yes = event("www.a.test", &allow, NET_ALLOWED);
    struct wire_event no = event("evil.test", &deny, NET_DENIED);
    net_record_add(r, &yes);
    net_record_add(r, &no);
    net_record_add(r, &no);
    no.request.port = 80; /* of a host that is told of once */
    net_record_add(r, &no);
    for (int i = 0; i < 7; i++) {
        char host[32];
        (void)snprintf(host, sizeof(host), "h%d.test", i);
        struct wire_event e = event(host, NULL, NET_NOT_ALLOWED);
        net_record_add(r, &e);
    }
    net_record_summary(r, &out);
    const char *text = strbuf_text(&out);
    assert_non_null(strstr(text, "bawn: refused to reach evil.test:443 (https), 2 times: a rule "
                                 "denies it; hint: the rule is the administrator's"));
    assert_null(strstr(text, "evil.test:80"));
    assert_null(strstr(text, "a.test:443 (https):"));
    assert_non_null(strstr(text, "h3.test:443 (https): no rule allows it; hint: "
                                 "[permissions.work.network] domains: \"h3.test\" = \"allow\""));
    assert_null(strstr(text, "h4.test"));
    assert_non_null(strstr(text, "refused to reach 3 more"));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(fd_read_all(fd, 1u << 20, &status), 0);
    size_t n = 0;
    for (const char *p = strbuf_text(&status); (p = strstr(p, "\"event\":\"denied\"")); p++)
        n++;
    assert_int_equal(n, 9); /* each once, when it is first refused */
    assert_non_null(strstr(strbuf_text(&status),
                           "\"kind\":\"network\",\"host\":\"evil.test\",\"port\":443,"
                           "\"protocol\":\"https\",\"method\":\"CONNECT\",\"reason\":\"denied\","
                           "\"source\":\"requirements\",\"rule\":\"a rule denies it: evil.test "
                           "(/r.toml:9)\",\"file\":\"/r.toml\",\"line\":9,\"hint\":"));
    /* The report of the sandbox takes them over, and tells the descriptor nothing again. */
    struct denials d = {.status_fd = fd};
    denials_take(&d, net_record_refused(r));
    assert_int_equal(d.list.n, 9);
    assert_int_equal(d.list.v[0].count, 2);
    assert_int_equal(net_record_refused(r)->list.n, 0);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), (off_t)status.n);
    denials_release(&d);
    net_record_free(r);
}

/* A Unix socket is told of by its path, which may hold a secret, and by nothing else. */
static void test_sockets(void **state)
{
    (void)state;
    const char *problem;
    _cleanup_strbuf_ struct strbuf out = {0}, status = {0};
    _cleanup_fd_ int fd = open(home, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    struct net_record *r = record(fd);
    struct lines l = {0};
    struct wire_event e = {.time_ms = 1700000000123,
                           .request.protocol = NET_HTTP,
                           .answer = {NET_ALLOW, NET_ALLOWED},
                           .method = "GET",
                           .path = "/run/a.sock"};
    net_record_add(r, &e);
    net_record_add(r, &e);
    e.answer = (struct netanswer){NET_DENY, NET_NOT_ALLOWED};
    memcpy(e.path, "/run/b.sock", 12);
    net_record_add(r, &e);
    (void)snprintf(e.path, sizeof(e.path), "/run/ghp_%s.sock", "0123456789abcdefghijABCDEFGHIJ");
    net_record_add(r, &e);
    net_record_finish(r, &problem);
    assert_null(problem);
    const char *text = log_text(&l);
    assert_non_null(strstr(text, "\"action\":\"reach\",\"scope\":\"unix_socket\","
                                 "\"decision\":\"allow\",\"by\":\"config\","
                                 "\"reason\":\"allowed\",\"protocol\":\"http\","
                                 "\"path\":\"/run/a.sock\",\"method\":\"GET\","));
    assert_non_null(strstr(text, "\"path\":\"/run/b.sock\""));
    assert_non_null(strstr(text, "\"count\":2"));
    assert_null(strstr(text, "\"host\""));
    assert_null(strstr(text, "0123456789abcdef"));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(fd_read_all(fd, 1u << 20, &status), 0);
    assert_non_null(strstr(strbuf_text(&status), "\"kind\":\"network\",\"scope\":\"unix_socket\","
                                                 "\"path\":\"/run/b.sock\",\"protocol\":\"http\""));
    assert_null(strstr(strbuf_text(&status), "0123456789abcdef"));
    net_record_summary(r, &out);
    assert_non_null(strstr(strbuf_text(&out),
                           "bawn: refused to reach /run/b.sock (Unix socket, through the proxy): "
                           "no rule allows this Unix socket; hint: [permissions.work.network] "
                           "unix_sockets: \"/run/b.sock\" = \"allow\""));
    assert_non_null(strstr(strbuf_text(&out), "[REDACTED]"));
    strbuf_release(&l.text);
    net_record_free(r);
}

static void test_no_log(void **state)
{
    (void)state;
    const char *problem;
    const struct net_record_setup setup = {.profile = "work", .status_fd = -1};
    struct net_record *r = net_record_new(&setup);
    struct wire_event e = event("b.test", NULL, NET_NOT_ALLOWED);
    net_record_add(r, &e);
    net_record_flush(r, &problem);
    assert_non_null(strstr(problem, "not recorded"));
    net_record_add(r, &e);
    net_record_finish(r, &problem); /* said once */
    assert_null(problem);
    assert_int_equal(net_record_refused(r)->list.v[0].count, 2);
    net_record_free(r);
}

/* A child that has a socket of FAMILY and TYPE, connected to LISTENER where it is of TCP, and
 * others that are not it. */
static pid_t holder(int family, int type, int listener, uint16_t *ret_port)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr *at = family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
    socklen_t n = family == AF_INET ? sizeof(v4) : sizeof(v6);
    _cleanup_fd_ int fd = socket(family, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (type == SOCK_STREAM) {
        assert_int_equal(getsockname(listener, at, &n), 0);
        assert_int_equal(connect(fd, at, n), 0);
    } else {
        assert_int_equal(bind(fd, at, n), 0);
    }
    assert_int_equal(getsockname(fd, at, &n), 0);
    *ret_port = ntohs(family == AF_INET ? v4.sin_port : v6.sin6_port);
    int ready[2];
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char c = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0;
        if (write(ready[1], &c, 1) == 1)
            (void)pause();
        _exit(0);
    }
    char c = 0;
    assert_int_equal(read(ready[0], &c, 1), 1);
    fd_close(ready[0]);
    fd_close(ready[1]);
    return pid;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_in6 at; /* the port stands at the same place of both */
    socklen_t n = sizeof(at);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
    return ntohs(at.sin6_port);
}

static int listener_of(int family)
{
    const struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    const struct sockaddr_in v4 = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(family == AF_INET ? bind(fd, (const struct sockaddr *)&v4, sizeof(v4))
                                       : bind(fd, (const struct sockaddr *)&v6, sizeof(v6)),
                     0);
    assert_int_equal(listen(fd, 5), 0);
    return fd;
}

static void end_holder(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_who_asks(void **state)
{
    (void)state;
    static const struct {
        int family, type;
    } rows[] = {{AF_INET, SOCK_STREAM}, {AF_INET, SOCK_DGRAM}, {AF_INET6, SOCK_STREAM}};
    const char *problem;
    char self[PATH_MAX], want[PATH_MAX + 64];
    _cleanup_fd_ int diag = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    ssize_t n_self = readlink("/proc/self/exe", self, sizeof(self) - 1);
    assert_true(n_self > 0);
    self[n_self] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct asker found = {0};
        uint16_t port;
        _cleanup_fd_ int listener = listener_of(rows[i].family);
        const pid_t pid = holder(rows[i].family, rows[i].type, listener, &port);
        const uint16_t at_port = port_of(listener);
        const bool udp = rows[i].type == SOCK_DGRAM;
        const struct asker_place here = {diag, getpid(), {0}}, child = {diag, pid, {0}},
                                 none = {diag, 0, {0}}, blind = {-1, getpid(), {0}},
                                 proxy = {diag, getpid(), {1, at_port}};
        assert_true(asker_find(&here, port, udp, &found));
        assert_int_equal(found.pid, pid);
        assert_string_equal(found.exe, self);
        found.pid = 0;
        assert_true(asker_find(&proxy, port, udp, &found));
        assert_int_equal(found.pid, pid);
        assert_false(asker_find(&here, port, !udp, &found));
        assert_false(asker_find(&child, port, udp, &found)); /* the top is bawn's own */
        assert_false(asker_find(&here, 0, udp, &found));
        assert_false(asker_find(&none, port, udp, &found));
        assert_false(asker_find(&blind, port, udp, &found));

        /* The first of a place is looked for; who is not there any more is not known. */
        const struct net_record_setup setup = {.bawn_home = home, .status_fd = -1, .inside = &here};
        struct net_record *r = net_record_new(&setup);
        struct wire_event no = event("evil.test", &deny, NET_DENIED);
        struct wire_event late = event("late.evil.test", &deny, NET_DENIED);
        no.request.client_port = late.request.client_port = port;
        no.request.client_udp = late.request.client_udp = udp;
        net_record_add(r, &no);
        end_holder(pid);
        assert_false(asker_find(&here, port, udp, &found));
        net_record_add(r, &no);
        net_record_add(r, &late);
        net_record_finish(r, &problem);
        assert_null(problem);
        const struct denials *d = net_record_refused(r);
        assert_int_equal(d->list.n, 2);
        assert_int_equal(d->list.v[0].pid, pid);
        assert_string_equal(d->list.v[0].exe, self);
        assert_int_equal(d->list.v[1].pid, 0);
        struct lines l = {0};
        (void)snprintf(want, sizeof(want), "\"pid\":%d,\"exe\":\"%s\"", (int)pid, self);
        assert_non_null(strstr(log_text(&l), want));
        strbuf_release(&l.text);
        net_record_free(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_same_is_counted, make_home, remove_home),
        cmocka_unit_test_setup_teardown(test_who_decided, make_home, remove_home),
        cmocka_unit_test_setup_teardown(test_bounded, make_home, remove_home),
        cmocka_unit_test_setup_teardown(test_refusals, make_home, remove_home),
        cmocka_unit_test_setup_teardown(test_sockets, make_home, remove_home),
        cmocka_unit_test_setup_teardown(test_who_asks, make_home, remove_home),
        cmocka_unit_test(test_no_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

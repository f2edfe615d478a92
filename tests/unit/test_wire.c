/*
 * What the launcher and bawn-proxy say to each other: what is written is read again, what is cut or
 * lies about its lengths is refused, descriptors arrive or are closed.
 */
#include "base/fd.h"
#include "base/limits.h"
#include "network/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const sockets[] = {"/run/a.sock", "/run/b.sock"};
static const struct address own[] = {
    {ADDRESS_V4, {192, 0, 2, 7}},
    {ADDRESS_V6, {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
};
static const struct netrule rules[] = {
    {.pattern = "**.example.com",
     .decision = NET_ALLOW,
     .source = NET_OF_PROFILE,
     .level = 2,
     .layer = "user configuration",
     .file = "/home/x/config.toml",
     .line = 4,
     .column = 9},
    {.pattern = "evil.example.com:1-80",
     .decision = NET_DENY,
     .source = NET_OF_PROFILE,
     .layer = "user configuration",
     .file = "/home/x/config.toml",
     .line = 5,
     .column = 1},
    {.pattern = "10.0.0.0/8",
     .decision = NET_ASK,
     .source = NET_OF_RULES,
     .protocols = NET_HTTPS | NET_TCP,
     .port = 443,
     .message = "ask \xc3\xa4 first",
     .layer = "rules",
     .file = "/etc/bawn/rules/a.rules",
     .line = 100000},
    {.pattern = "*", .decision = NET_ALLOW, .source = NET_OF_SESSION},
};
static const struct wire_settings full = {
    .policy = {.allow_local = true, .managed_only = true, .ask_rule = true},
    .limited = true,
    .all_unix_sockets = true,
    .profile = "work",
    .block_message = "",
    .upstream_https = "http://u:p@proxy.test:3128",
    .no_upstream = "a.test,.b.test",
    .unix_sockets = sockets,
    .n_unix_sockets = ARRAY_LEN(sockets),
    .rules = rules,
    .n_rules = ARRAY_LEN(rules),
    .own = own,
    .n_own = ARRAY_LEN(own),
};

static void assert_text(const char *a, const char *b)
{
    if (!a || !b)
        assert_true(a == b);
    else
        assert_string_equal(a, b);
}

static void assert_settings(const struct wire_settings *a, const struct wire_settings *b)
{
    assert_memory_equal(&a->policy, &b->policy, sizeof(a->policy));
    assert_int_equal(a->limited, b->limited);
    assert_int_equal(a->socks_udp, b->socks_udp);
    assert_int_equal(a->all_unix_sockets, b->all_unix_sockets);
    assert_text(a->profile, b->profile);
    assert_text(a->block_message, b->block_message);
    assert_text(a->upstream_http, b->upstream_http);
    assert_text(a->upstream_https, b->upstream_https);
    assert_text(a->upstream_all, b->upstream_all);
    assert_text(a->no_upstream, b->no_upstream);
    assert_int_equal(a->n_unix_sockets, b->n_unix_sockets);
    for (size_t i = 0; i < a->n_unix_sockets; i++)
        assert_string_equal(a->unix_sockets[i], b->unix_sockets[i]);
    assert_int_equal(a->n_own, b->n_own);
    for (size_t i = 0; i < a->n_own; i++)
        assert_true(address_eq(&a->own[i], &b->own[i]));
    assert_int_equal(a->n_rules, b->n_rules);
    for (size_t i = 0; i < a->n_rules; i++) {
        const struct netrule *x = &a->rules[i], *y = &b->rules[i];
        assert_text(x->pattern, y->pattern);
        assert_int_equal(x->decision, y->decision);
        assert_int_equal(x->source, y->source);
        assert_int_equal(x->protocols, y->protocols);
        assert_int_equal(x->port, y->port);
        assert_int_equal(x->level, y->level);
        assert_text(x->message, y->message);
        assert_text(x->layer, y->layer);
        assert_text(x->file, y->file);
        assert_int_equal(x->line, y->line);
        assert_int_equal(x->column, y->column);
        assert_int_equal(y->id, i);
    }
}

/* A copy of exactly N bytes on the heap, so that a sanitizer sees a step too far. */
static int read_settings(const char *p, size_t n, struct arena *a, struct wire_settings *ret,
                         char **ret_copy)
{
    struct error err = {0};
    char *exact = mem_alloc(n ? n : 1);
    assert_non_null(exact);
    memcpy(exact, p, n);
    int r = wire_settings_read(a, (struct bytes){exact, n}, ret, &err);
    assert_true(r == 0 || (r == -EINVAL && err.message[0]));
    *ret_copy = exact;
    return r;
}

static void test_settings(void **state)
{
    (void)state;
    const struct wire_settings nothing = {0}, *const all[] = {&full, &nothing};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        _cleanup_strbuf_ struct strbuf out = {0};
        _cleanup_arena_ struct arena a = {0};
        _cleanup_free_ char *copy = NULL;
        struct wire_settings got = {0};
        assert_int_equal(wire_settings_write(all[i], &out), 0);
        assert_int_equal(read_settings(out.p, out.n, &a, &got, &copy), 0);
        assert_settings(all[i], &got);
    }
}

static void test_settings_cut(void **state)
{
    (void)state;
    _cleanup_strbuf_ struct strbuf out = {0};
    assert_int_equal(wire_settings_write(&full, &out), 0);
    for (size_t n = 0; n < out.n; n++) {
        _cleanup_arena_ struct arena a = {0};
        _cleanup_free_ char *copy = NULL;
        struct wire_settings got;
        assert_int_equal(read_settings(out.p, n, &a, &got, &copy), -EINVAL);
    }
    /* … and with more behind it */
    _cleanup_arena_ struct arena a = {0};
    _cleanup_free_ char *copy = NULL;
    struct wire_settings got;
    strbuf_putc(&out, '\0');
    assert_int_equal(read_settings(out.p, out.n, &a, &got, &copy), -EINVAL);
}

/* Four bytes of every place become a number that lies; what is taken still points inside. */
static void test_settings_hostile(void **state)
{
    (void)state;
    static const uint32_t lies[] = {UINT32_MAX, UINT32_MAX - 1, 0x7fffffff, 0x80000000, 65537, 0};
    _cleanup_strbuf_ struct strbuf out = {0};
    assert_int_equal(wire_settings_write(&full, &out), 0);
    for (size_t at = 0; at + 4 <= out.n; at++)
        for (size_t l = 0; l < ARRAY_LEN(lies); l++) {
            _cleanup_arena_ struct arena a = {0};
            _cleanup_free_ char *copy = NULL;
            struct wire_settings got = {0};
            uint32_t was;
            memcpy(&was, out.p + at, 4);
            memcpy(out.p + at, &lies[l], 4);
            if (read_settings(out.p, out.n, &a, &got, &copy) == 0) {
                _cleanup_strbuf_ struct strbuf again = {0};
                assert_int_equal(wire_settings_write(&got, &again), 0);
            }
            memcpy(out.p + at, &was, 4);
        }
}

/* A count of rules that the bytes cannot hold asks for no memory. */
static void test_settings_memory(void **state)
{
    (void)state;
    _cleanup_strbuf_ struct strbuf out = {0};
    const struct wire_settings nothing = {0};
    assert_int_equal(wire_settings_write(&nothing, &out), 0);
    uint32_t many = MAX_NET_RULES;
    memcpy(out.p + out.n - 24, &many, 4); /* in front of: own, opened, requests */
    _cleanup_arena_ struct arena a = {0};
    _cleanup_free_ char *copy = NULL;
    struct wire_settings got;
    assert_int_equal(read_settings(out.p, out.n, &a, &got, &copy), -EINVAL);
    assert_int_equal(a.total, 0);
}

static void test_text_with_nul(void **state)
{
    (void)state;
    _cleanup_strbuf_ struct strbuf out = {0};
    assert_int_equal(wire_settings_write(&full, &out), 0);
    char *at = memmem(out.p, out.n, "/run/a.sock", 12);
    assert_non_null(at);
    at[4] = '\0';
    _cleanup_arena_ struct arena a = {0};
    _cleanup_free_ char *copy = NULL;
    struct wire_settings got;
    assert_int_equal(read_settings(out.p, out.n, &a, &got, &copy), -EINVAL);
}

/* ---- events ---- */

static struct netrule numbered[ARRAY_LEN(rules)];

static struct wire_event event(const char *host, unsigned protocol, const char *method)
{
    struct wire_event e = {.time_ms = 1700000000123, .request.port = 443};
    assert_int_equal(host_parse(bytes_of(host), &e.request.host), HOST_FINE);
    e.request.protocol = protocol;
    memcpy(e.method, method, strlen(method));
    return e;
}

static void assert_event(const struct wire_event *a, const struct wire_event *b)
{
    assert_int_equal(a->time_ms, b->time_ms);
    assert_int_equal(a->lasted_us, b->lasted_us);
    assert_int_equal(a->failed, b->failed);
    assert_int_equal(a->request.port, b->request.port);
    assert_int_equal(a->request.protocol, b->request.protocol);
    assert_int_equal(a->request.client_port, b->request.client_port);
    assert_int_equal(a->request.client_udp, b->request.client_udp);
    assert_int_equal(a->request.host.kind, b->request.host.kind);
    assert_int_equal(a->request.host.n, b->request.host.n);
    assert_string_equal(a->request.host.name, b->request.host.name);
    assert_memory_equal(&a->request.host.address, &b->request.host.address, sizeof(struct address));
    assert_int_equal(a->answer.decision, b->answer.decision);
    assert_int_equal(a->answer.reason, b->answer.reason);
    assert_ptr_equal(a->answer.rule, b->answer.rule);
    assert_int_equal(a->answer.class, b->answer.class);
    assert_ptr_equal(a->answer.range, b->answer.range);
    assert_memory_equal(&a->answer.address, &b->answer.address, sizeof(struct address));
    assert_int_equal(a->answer.own, b->answer.own);
    assert_int_equal(a->asked, b->asked);
    assert_string_equal(a->method, b->method);
    assert_string_equal(a->path, b->path);
}

static size_t some_events(struct wire_event ret[6])
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        numbered[i] = rules[i];
        numbered[i].id = (uint32_t)i;
    }
    ret[0] = event("www.example.com", NET_HTTPS, "");
    ret[0].answer = (struct netanswer){NET_ALLOW, NET_ALLOWED, .rule = &numbered[0]};
    ret[1] = event("[2001:db8::1]", NET_HTTP, "PROPFIND");
    ret[1].answer = (struct netanswer){.decision = NET_DENY,
                                       .reason = NET_NOT_LOCAL,
                                       .class = ADDRESS_DOCUMENTATION,
                                       .range = &address_ranges[n_address_ranges - 1],
                                       .address = own[1],
                                       .own = true};
    ret[2] = event("10.1.2.3", NET_TCP, "");
    ret[2].asked = true;
    ret[2].answer =
        (struct netanswer){NET_ASK, NET_PROMPT, .rule = &numbered[2], .range = &address_ranges[0]};
    ret[3] = event("x.test", NET_SOCKS_UDP, "");
    ret[3].request.host = (struct host){.n = 3, .name = "a%b"};
    ret[3].request.client_port = 65535;
    ret[3].request.client_udp = true;
    ret[3].answer = (struct netanswer){NET_DENY, NET_BAD_HOST};
    ret[4] = (struct wire_event){.time_ms = 9,
                                 .request.protocol = NET_HTTP,
                                 .answer = {NET_ALLOW, NET_ALLOWED},
                                 .method = "GET",
                                 .path = "/run/a socket \xc3\xa4"};
    ret[5] = event("ended.example.com", NET_TCP, "");
    ret[5].lasted_us = 5000000000;
    ret[5].failed = true;
    ret[5].answer = (struct netanswer){NET_ALLOW, NET_ALLOWED};
    return 6;
}

static void test_events(void **state)
{
    (void)state;
    struct wire_event events[6], got;
    size_t n = some_events(events);
    _cleanup_strbuf_ struct strbuf out = {0};
    for (size_t i = 0; i < n; i++)
        wire_event_write(&events[i], &out);
    struct bytes text = {out.p, out.n};
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(wire_event_read(&text, numbered, ARRAY_LEN(rules), &got), 0);
        assert_event(&events[i], &got);
    }
    assert_int_equal(text.n, 0);
    assert_int_equal(wire_event_read(&text, numbered, ARRAY_LEN(rules), &got), -EINVAL);
}

static void test_events_cut(void **state)
{
    (void)state;
    struct wire_event events[6], got;
    size_t n = some_events(events);
    for (size_t i = 0; i < n; i++) {
        _cleanup_strbuf_ struct strbuf out = {0};
        wire_event_write(&events[i], &out);
        for (size_t cut = 0; cut < out.n; cut++) {
            _cleanup_free_ char *copy = mem_alloc(cut ? cut : 1);
            assert_non_null(copy);
            memcpy(copy, out.p, cut);
            struct bytes text = {copy, cut};
            assert_int_equal(wire_event_read(&text, numbered, ARRAY_LEN(rules), &got), -EINVAL);
            assert_ptr_equal(text.p, copy);
        }
    }
}

/* Only what was allowed can end, and only what ended can have failed. */
static void test_event_that_cannot_be(void **state)
{
    (void)state;
    struct wire_event e = event("www.example.com", NET_HTTPS, ""), got;
    static const struct {
        enum net_decision decision;
        uint64_t lasted_us;
        bool failed;
    } table[] = {{NET_DENY, 1, false}, {NET_ASK, 1, false}, {NET_ALLOW, 0, true}};
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        _cleanup_strbuf_ struct strbuf out = {0};
        e.answer = (struct netanswer){table[i].decision, NET_ALLOWED};
        e.lasted_us = table[i].lasted_us;
        e.failed = table[i].failed;
        wire_event_write(&e, &out);
        struct bytes text = {out.p, out.n};
        assert_int_equal(wire_event_read(&text, numbered, ARRAY_LEN(rules), &got), -EINVAL);
    }
}

/* Every byte, each of its values: refused, or it is a host and a rule that this side knows, too. */
static void test_events_hostile(void **state)
{
    (void)state;
    struct wire_event events[6], got;
    size_t n = some_events(events);
    for (size_t i = 0; i < n; i++) {
        _cleanup_strbuf_ struct strbuf out = {0};
        wire_event_write(&events[i], &out);
        for (size_t at = 0; at < out.n; at++)
            for (unsigned v = 0; v < 256; v++) {
                char was = out.p[at];
                struct bytes text = {out.p, out.n};
                struct host h;
                out.p[at] = (char)v;
                if (wire_event_read(&text, numbered, ARRAY_LEN(rules), &got) == 0) {
                    assert_true(!got.answer.rule ||
                                (got.answer.rule >= numbered &&
                                 got.answer.rule < numbered + ARRAY_LEN(rules)));
                    if (got.answer.reason != NET_BAD_HOST && !got.path[0])
                        assert_int_equal(host_parse(bytes_of(got.request.host.name), &h), 0);
                    assert_int_equal(strcspn(got.request.host.name, "\n\x1b "),
                                     strlen(got.request.host.name));
                    assert_int_equal(strcspn(got.method, "\n\x1b "), strlen(got.method));
                    assert_int_equal(strcspn(got.path, "\n\x1b\x7f"), strlen(got.path));
                    if (got.path[0])
                        assert_int_equal(got.request.host.n + got.request.port, 0);
                }
                out.p[at] = was;
            }
    }
}

static void test_event_of_unknown_rule(void **state)
{
    (void)state;
    struct wire_event events[6], got;
    (void)some_events(events);
    _cleanup_strbuf_ struct strbuf out = {0};
    wire_event_write(&events[2], &out); /* of rule 2 */
    struct bytes text = {out.p, out.n};
    assert_int_equal(wire_event_read(&text, numbered, 2, &got), -EINVAL);
    assert_int_equal(wire_event_read(&text, numbered, 3, &got), 0);
    struct netrule session = {.id = WIRE_RULE_NONE};
    events[2].answer.rule = &session;
    strbuf_clear(&out);
    wire_event_write(&events[2], &out);
    text = (struct bytes){out.p, out.n};
    assert_int_equal(wire_event_read(&text, NULL, 0, &got), 0);
    assert_null(got.answer.rule);
}

/* ---- messages ---- */

struct pair {
    int a, b;
};

static struct pair pair(void)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    return (struct pair){fds[0], fds[1]};
}

static char buf[WIRE_MESSAGE_MAX];

static void test_messages(void **state)
{
    (void)state;
    struct pair p = pair();
    struct wire_head head = {.kind = WIRE_LISTEN, .count = 7, .version = WIRE_VERSION, .id = 9},
                     got;
    struct bytes payload;
    int fds[WIRE_FDS_MAX], send[WIRE_FDS_MAX];
    size_t n_fds = 99;
    assert_int_equal(wire_recv(p.b, buf, &got, &payload, fds, &n_fds), -EAGAIN);
    for (size_t i = 0; i < WIRE_FDS_MAX; i++)
        send[i] = p.a;
    assert_int_equal(wire_send(p.a, &head, "abc", 3, send, WIRE_FDS_MAX), 0);
    assert_int_equal(wire_send(p.a, &head, NULL, 0, NULL, 0), 0);
    assert_int_equal(wire_recv(p.b, buf, &got, &payload, fds, &n_fds), 0);
    assert_memory_equal(&got, &head, sizeof(head));
    assert_true(bytes_is(payload, "abc"));
    assert_int_equal(n_fds, WIRE_FDS_MAX);
    for (size_t i = 0; i < n_fds; i++) {
        assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
        close(fds[i]);
    }
    assert_int_equal(wire_recv(p.b, buf, &got, &payload, fds, &n_fds), 0);
    assert_int_equal(payload.n, 0);
    assert_int_equal(n_fds, 0);
    close(p.a);
    assert_int_equal(wire_recv(p.b, buf, &got, &payload, fds, &n_fds), -EPIPE);
    assert_int_equal(wire_send(p.b, &head, NULL, 0, NULL, 0), -EPIPE);
    close(p.b);
}

static void test_no_room(void **state)
{
    (void)state;
    struct pair p = pair();
    struct wire_head head = {.kind = WIRE_NOTE, .version = WIRE_VERSION};
    int r = 0;
    assert_int_equal(wire_send(p.a, &head, buf, WIRE_MESSAGE_MAX - sizeof(head) + 1, NULL, 0),
                     -EMSGSIZE);
    for (size_t i = 0; i < 100000 && r == 0; i++)
        r = wire_send(p.a, &head, buf, WIRE_MESSAGE_MAX - sizeof(head), NULL, 0);
    assert_int_equal(r, -EAGAIN);
    close(p.a);
    close(p.b);
}

static size_t open_fds(void)
{
    size_t n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void test_bad_messages(void **state)
{
    (void)state;
    static char large[WIRE_MESSAGE_MAX + 1];
    static const struct {
        struct wire_head head;
        size_t n;
    } cases[] = {
        {{.kind = 0, .version = WIRE_VERSION}, sizeof(struct wire_head)},
        {{.kind = WIRE_FINISH + 1, .version = WIRE_VERSION}, sizeof(struct wire_head)},
        {{.kind = WIRE_NOTE, .version = WIRE_VERSION + 1}, sizeof(struct wire_head)},
        {{.kind = WIRE_NOTE, .version = WIRE_VERSION}, sizeof(struct wire_head) - 1},
        {{.kind = WIRE_NOTE, .version = WIRE_VERSION}, 1},
        {{.kind = WIRE_NOTE, .version = WIRE_VERSION}, 0},
        {{.kind = WIRE_NOTE, .version = WIRE_VERSION}, sizeof(large)},
    };
    struct pair p = pair();
    size_t before = open_fds();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct wire_head got;
        struct bytes payload;
        int fds[WIRE_FDS_MAX];
        size_t n_fds;
        memcpy(large, &cases[i].head, sizeof(struct wire_head));
        assert_int_equal(fd_send(p.a, large, cases[i].n, &p.a, 1), 0);
        assert_int_equal(wire_recv(p.b, buf, &got, &payload, fds, &n_fds), -EBADMSG);
        assert_int_equal(n_fds, 0);
        assert_int_equal(open_fds(), before);
    }
    /* more descriptors than a message may have */
    int many[WIRE_FDS_MAX + 3];
    struct wire_head head = {.kind = WIRE_NOTE, .version = WIRE_VERSION}, got;
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(many))];
    } control = {0};
    struct iovec part = {&head, sizeof(head)};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof(control.bytes)};
    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        many[i] = p.a;
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(many));
    memcpy(CMSG_DATA(c), many, sizeof(many));
    assert_int_equal(sendmsg(p.a, &m, 0), (int)sizeof(head));
    struct bytes payload;
    int fds[WIRE_FDS_MAX];
    size_t n_fds;
    assert_int_equal(wire_recv(p.b, buf, &got, &payload, fds, &n_fds), -EBADMSG);
    assert_int_equal(open_fds(), before);
    close(p.a);
    close(p.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings),         cmocka_unit_test(test_settings_cut),
        cmocka_unit_test(test_settings_hostile), cmocka_unit_test(test_settings_memory),
        cmocka_unit_test(test_text_with_nul),    cmocka_unit_test(test_events),
        cmocka_unit_test(test_events_cut),       cmocka_unit_test(test_event_that_cannot_be),
        cmocka_unit_test(test_events_hostile),   cmocka_unit_test(test_event_of_unknown_rule),
        cmocka_unit_test(test_messages),         cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_bad_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * What bawn and bawn-exporter say to each other: there and back; cut, changed or forbidden:
 * refused; packets with descriptors that arrive in their places, and none that stays behind after a
 * fault.
 */
#include "telemetry/export_wire.h"

#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* BYTES() is no constant. */
#define TEXT_OF(lit)                                                                               \
    {                                                                                              \
        (lit), sizeof(lit) - 1                                                                     \
    }
#define KEY "0123456789abcdef"

static const struct export_message fine[] = {
    {.type = EXPORT_DESTINATION,
     .destination = {.key = KEY,
                     .kind = SIGNAL_METRIC,
                     .protocol = EXPORT_GRPC,
                     .gzip = true,
                     .timeout_ms = UINT32_MAX,
                     .delay_ms = 0,
                     .idle_ms = 30000,
                     .endpoint = TEXT_OF("https://collector.example.com:4317"),
                     .proxy = TEXT_OF("http://user:word@proxy.test:3128"),
                     .no_proxy = TEXT_OF("a.test,.b.test"),
                     .headers = {{TEXT_OF("authorization"), TEXT_OF("Bearer a\tb \xc3\xa4")},
                                 {TEXT_OF("x-empty"), TEXT_OF("")}},
                     .n_headers = 2}},
    {.type = EXPORT_DESTINATION,
     .destination = {.key = KEY, .timeout_ms = 1, .endpoint = TEXT_OF("x")}},
    {.type = EXPORT_WAKE, .key = KEY},
    {.type = EXPORT_FLUSH, .key = "ffffffffffffffff"},
    {.type = EXPORT_STATE,
     .answer = {.key = KEY,
                .state = EXPORT_REFUSED,
                .http_status = 400,
                .grpc_status = -1,
                .sent = UINT64_MAX,
                .dropped = 3,
                .text = TEXT_OF("no such tenant")}},
    {.type = EXPORT_STATE, .answer = {.key = KEY, .grpc_status = 16}},
};

static void assert_bytes(struct bytes a, struct bytes b)
{
    assert_int_equal(a.n, b.n);
    if (a.n)
        assert_memory_equal(a.p, b.p, a.n);
    assert_int_equal(b.p[b.n], '\0');
}

static void assert_destination(const struct export_destination *a,
                               const struct export_destination *b)
{
    assert_string_equal(a->key, b->key);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->protocol, b->protocol);
    assert_int_equal(a->gzip, b->gzip);
    assert_int_equal(a->timeout_ms, b->timeout_ms);
    assert_int_equal(a->delay_ms, b->delay_ms);
    assert_int_equal(a->idle_ms, b->idle_ms);
    assert_bytes(a->endpoint, b->endpoint);
    assert_bytes(a->proxy, b->proxy);
    assert_bytes(a->no_proxy, b->no_proxy);
    assert_int_equal(a->n_headers, b->n_headers);
    for (size_t i = 0; i < a->n_headers; i++) {
        assert_bytes(a->headers[i].name, b->headers[i].name);
        assert_bytes(a->headers[i].value, b->headers[i].value);
    }
    assert_int_equal(a->fds, b->fds);
}

static void assert_message(const struct export_message *a, const struct export_message *b)
{
    assert_int_equal(a->type, b->type);
    if (a->type == EXPORT_DESTINATION) {
        assert_destination(&a->destination, &b->destination);
    } else if (a->type == EXPORT_STATE) {
        assert_string_equal(a->answer.key, b->answer.key);
        assert_int_equal(a->answer.state, b->answer.state);
        assert_int_equal(a->answer.http_status, b->answer.http_status);
        assert_int_equal(a->answer.grpc_status, b->answer.grpc_status);
        assert_int_equal(a->answer.sent, b->answer.sent);
        assert_int_equal(a->answer.dropped, b->answer.dropped);
        assert_bytes(a->answer.text, b->answer.text);
    } else {
        assert_string_equal(a->key, b->key);
    }
}

static void test_there_and_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        _cleanup_strbuf_ struct strbuf out = {0}, again = {0};
        struct export_message m;
        assert_int_equal(export_pack(&fine[i], &out), 0);
        assert_int_equal(export_unpack((struct bytes){out.p, out.n}, &m), 0);
        assert_message(&fine[i], &m);
        assert_int_equal(export_pack(&m, &again), 0);
        assert_int_equal(out.n, again.n);
        assert_memory_equal(out.p, again.p, out.n);
    }
}

static void test_cut_and_changed(void **state)
{
    (void)state;
    struct export_message m;
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        _cleanup_strbuf_ struct strbuf out = {0};
        assert_int_equal(export_pack(&fine[i], &out), 0);
        for (size_t n = 0; n < out.n; n++) {
            char *exact = malloc(n ? n : 1);
            assert_non_null(exact);
            memcpy(exact, out.p, n);
            assert_int_equal(export_unpack((struct bytes){exact, n}, &m), -EBADMSG);
            free(exact);
        }
        assert_int_equal(export_unpack((struct bytes){out.p, out.n + 1}, &m), -EBADMSG);
        for (size_t at = 0; at < out.n; at++) {
            for (unsigned flip = 1; flip < 256; flip *= 2) {
                _cleanup_strbuf_ struct strbuf again = {0};
                out.p[at] = (char)(out.p[at] ^ (char)flip);
                if (export_unpack((struct bytes){out.p, out.n}, &m) == 0) {
                    assert_int_equal(export_pack(&m, &again), 0);
                    assert_int_equal(out.n, again.n);
                    assert_memory_equal(out.p, again.p, out.n);
                }
                out.p[at] = (char)(out.p[at] ^ (char)flip);
            }
        }
    }
}

static void assert_refused(const struct export_message *m, int code)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    assert_int_equal(export_pack(m, &out), code);
}

static void test_what_is_wrong(void **state)
{
    (void)state;
    static const struct bytes lines[] = {TEXT_OF("a\r\nb"), TEXT_OF("a\nb"), TEXT_OF("a\0b"),
                                         TEXT_OF("\x7f"), TEXT_OF("\x1b[2J")};
    static const struct bytes names[] = {TEXT_OF(""),    TEXT_OF("a b"),  TEXT_OF("a:"),
                                         TEXT_OF("a\r"), TEXT_OF("\xff"), TEXT_OF("a\0")};
    static const char *const keys[] = {"", "0123456789abcde", "0123456789ABCDEF",
                                       "../3456789abcdef"};
    struct export_message m;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        m = fine[0];
        m.destination.endpoint = lines[i];
        assert_refused(&m, -EINVAL);
        m = fine[0];
        m.destination.proxy = lines[i];
        assert_refused(&m, -EINVAL);
        m = fine[0];
        m.destination.no_proxy = lines[i];
        assert_refused(&m, -EINVAL);
        m = fine[0];
        m.destination.headers[1].value = lines[i];
        assert_refused(&m, -EINVAL);
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        m = fine[0];
        m.destination.headers[0].name = names[i];
        assert_refused(&m, -EINVAL);
    }
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        m = fine[2];
        (void)snprintf(m.key, sizeof(m.key), "%s", keys[i]);
        assert_refused(&m, -EINVAL);
        m = fine[4];
        (void)snprintf(m.answer.key, sizeof(m.answer.key), "%s", keys[i]);
        assert_refused(&m, -EINVAL);
    }
    struct export_message bad[] = {fine[0], fine[0], fine[0], fine[0], fine[0],
                                   fine[0], fine[4], fine[4], fine[2]};
    bad[0].destination.n_headers = EXPORT_HEADERS + 1;
    bad[1].destination.timeout_ms = 0;
    bad[2].destination.endpoint.n = 0;
    bad[3].destination.kind = (enum signal_kind)3;
    bad[4].destination.protocol = (enum export_protocol)3;
    bad[5].destination.fds = 8;
    bad[6].answer.state = (enum export_state)3;
    bad[7].answer.text = BYTES("a\0b");
    bad[8].type = (enum export_type)4;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_refused(&bad[i], -EINVAL);
}

static void test_size(void **state)
{
    (void)state;
    _cleanup_strbuf_ struct strbuf out = {0};
    struct export_message m = fine[1], back;
    char *text = malloc(EXPORT_MESSAGE_MAX);
    assert_non_null(text);
    memset(text, 'x', EXPORT_MESSAGE_MAX);
    assert_int_equal(export_pack(&m, &out), 0);
    m.destination.endpoint = (struct bytes){text, EXPORT_MESSAGE_MAX - out.n + 1};
    strbuf_clear(&out);
    assert_int_equal(export_pack(&m, &out), 0);
    assert_int_equal(out.n, EXPORT_MESSAGE_MAX);
    assert_int_equal(export_unpack((struct bytes){out.p, out.n}, &back), 0);
    assert_destination(&m.destination, &back.destination);
    m.destination.endpoint.n++;
    assert_refused(&m, -EMSGSIZE);
    free(text);
}

static void test_keys(void **state)
{
    (void)state;
    /* printf '\0\2https://collector.example.com:4317' | sha256sum | cut -c -16 */
    static const struct {
        enum signal_kind kind;
        enum export_protocol protocol;
        const char *endpoint, *key;
    } cases[] = {
        {SIGNAL_LOG, EXPORT_GRPC, "https://collector.example.com:4317", "a8e330f9be3f5d0c"},
        {SIGNAL_LOG, EXPORT_HTTP_PROTOBUF, "http://127.0.0.1:4318/v1/logs", "b73674f24a0bd16e"},
    };
    char key[EXPORT_KEY_BYTES], other[EXPORT_KEY_BYTES];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        export_key(cases[i].kind, cases[i].protocol, bytes_of(cases[i].endpoint), key);
        assert_string_equal(key, cases[i].key);
        export_key(SIGNAL_SPAN, cases[i].protocol, bytes_of(cases[i].endpoint), other);
        assert_string_not_equal(key, other);
        export_key(cases[i].kind, EXPORT_HTTP_JSON, bytes_of(cases[i].endpoint), other);
        assert_string_not_equal(key, other);
    }
}

/* ---- packets ---- */

static int pair[2];
static char buf[EXPORT_MESSAGE_MAX];

static int make_pair(void **state)
{
    (void)state;
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int close_pair(void **state)
{
    (void)state;
    fd_closep(&pair[0]);
    fd_closep(&pair[1]);
    return 0;
}

static size_t open_descriptors(void)
{
    size_t n = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    while (readdir(d))
        n++;
    (void)closedir(d);
    return n;
}

static void test_packets(void **state)
{
    (void)state;
    struct export_message m;
    int fds[3];
    assert_int_equal(export_recv(pair[1], buf, &m, fds), -EAGAIN);
    for (size_t i = 0; i < ARRAY_LEN(fine); i++)
        assert_int_equal(export_send(pair[0], &fine[i], NULL, 0), 0);
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        assert_int_equal(export_recv(pair[1], buf, &m, fds), 0);
        assert_message(&fine[i], &m);
        assert_true(fds[0] == -1 && fds[1] == -1 && fds[2] == -1);
    }
    while (export_send(pair[0], &fine[0], NULL, 0) == 0)
        ;
    assert_int_equal(export_send(pair[0], &fine[0], NULL, 0), -EAGAIN);
    fd_closep(&pair[1]);
    assert_int_equal(export_send(pair[0], &fine[0], NULL, 0), -EPIPE);
}

static void test_end(void **state)
{
    (void)state;
    struct export_message m;
    int fds[3];
    assert_int_equal(export_send(pair[0], &fine[2], NULL, 0), 0);
    fd_closep(&pair[0]);
    assert_int_equal(export_recv(pair[1], buf, &m, fds), 0);
    assert_int_equal(export_recv(pair[1], buf, &m, fds), -EPIPE);
}

/* Each set of the three: every descriptor is in its place. */
static void test_descriptors(void **state)
{
    (void)state;
    static const char *const files[3] = {"/dev/null", "/dev/zero", "/dev/full"};
    for (unsigned set = 0; set < 8; set++) {
        struct export_message m = fine[1], back;
        int sent[3], got[3];
        size_t n = 0;
        m.destination.fds = set;
        for (unsigned i = 0; i < 3; i++)
            if (set >> i & 1)
                assert_true((sent[n++] = open(files[i], O_RDONLY | O_CLOEXEC)) >= 0);
        assert_int_equal(export_send(pair[0], &m, sent, n), 0);
        for (size_t i = 0; i < n; i++)
            fd_close(sent[i]);
        assert_int_equal(export_recv(pair[1], buf, &back, got), 0);
        assert_int_equal(back.destination.fds, set);
        for (unsigned i = 0; i < 3; i++) {
            struct stat of_fd, of_file;
            if (!(set >> i & 1)) {
                assert_int_equal(got[i], -1);
                continue;
            }
            assert_int_equal(fstat(got[i], &of_fd), 0);
            assert_int_equal(stat(files[i], &of_file), 0);
            assert_int_equal(of_fd.st_rdev, of_file.st_rdev);
            assert_true(fcntl(got[i], F_GETFD) & FD_CLOEXEC);
            fd_close(got[i]);
        }
    }
}

/* Too few, too many, with a message that has none, with garbage: refused, and closed. */
static void test_wrong_descriptors(void **state)
{
    (void)state;
    struct export_message m = fine[1], back;
    int null[4], got[3];
    for (size_t i = 0; i < ARRAY_LEN(null); i++)
        assert_true((null[i] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0);
    const size_t before = open_descriptors();
    m.destination.fds = EXPORT_FD_CA | EXPORT_FD_KEY;
    for (size_t n = 0; n <= 4; n++) {
        if (n == 2)
            continue;
        assert_int_equal(export_send(pair[0], &m, null, n), 0);
        assert_int_equal(export_recv(pair[1], buf, &back, got), -EBADMSG);
        assert_true(got[0] == -1 && got[1] == -1 && got[2] == -1);
    }
    assert_int_equal(export_send(pair[0], &fine[2], null, 1), 0);
    assert_int_equal(export_recv(pair[1], buf, &back, got), -EBADMSG);
    assert_int_equal(fd_send(pair[0], "garbage", 7, null, 3), 0);
    assert_int_equal(export_recv(pair[1], buf, &back, got), -EBADMSG);
    static char large[EXPORT_MESSAGE_MAX + 1];
    assert_int_equal(fd_send(pair[0], large, sizeof(large), null, 1), 0);
    assert_int_equal(export_recv(pair[1], buf, &back, got), -EBADMSG);
    assert_int_equal(open_descriptors(), before);
    for (size_t i = 0; i < ARRAY_LEN(null); i++)
        fd_close(null[i]);
}

int main(void)
{
#define PAIR(fn) cmocka_unit_test_setup_teardown(fn, make_pair, close_pair)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_cut_and_changed),
        cmocka_unit_test(test_what_is_wrong),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_keys),
        PAIR(test_packets),
        PAIR(test_end),
        PAIR(test_descriptors),
        PAIR(test_wrong_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

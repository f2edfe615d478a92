/*
 * Secrets and their placeholders; what travels to bawn-intercept, and between it and bawn-proxy.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "helper/handover.h"
#include "intercept/secrets.h"
#include "intercept/settings.h"

/* ---- placeholders ---- */

static int kind_of(char c)
{
    return c >= '0' && c <= '9' ? 1 : c >= 'a' && c <= 'z' ? 2 : c >= 'A' && c <= 'Z' ? 3 : c;
}

static void test_placeholders(void **state)
{
    (void)state;
    static const struct {
        const char *value, *kept;
    } cases[] = {
        {"ghp_A1b2C3d4E5f6", "ghp_"},
        {"github_pat_11AA22_bb33", "github_pat_"},
        {"sk-ant-api03-abcDEF123", "sk-ant-"},
        {"sk-abcdef123456", "sk-"},
        {"0123456789", ""},
        {"aB3-_.aB3/+=xyz", ""},
        {"eyJh.eyJz.sig-nature_1", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *value = cases[i].value;
        char a[64], b[64];
        size_t n = strlen(value), differ = 0;
        assert_true(secret_placeholder(value, n, a));
        assert_true(secret_placeholder(value, n, b));
        assert_memory_equal(a, cases[i].kept, strlen(cases[i].kept));
        assert_memory_not_equal(a, value, n);
        for (size_t k = 0; k < n; k++) {
            assert_int_equal(kind_of(a[k]), kind_of(value[k]));
            differ += a[k] != b[k];
        }
        assert_true(differ > 0); /* one in a million that it is not */
    }
    char buf[64];
    assert_false(secret_placeholder("--------", 8, buf));
    assert_false(secret_placeholder("ghp_abc12", 9, buf));
}

/* ---- hiding ---- */

static void test_hide(void **state)
{
    (void)state;
    char value[] = "abcabcabd", placeholder[] = "xyzxyzxyw", other[] = "0123456789",
         instead[] = "9999999999";
    const struct secret one = {value, placeholder, 9}, two = {other, instead, 10};
    const struct secret *const list[] = {&one, &two};
    static const struct {
        const char *text, *want;
        size_t held;
    } cases[] = {
        {"", "", 0},
        {"nothing", "nothing", 0},
        {"<abcabcabd>", "<xyzxyzxyw>", 0},
        {"abcabcabdabcabcabd", "xyzxyzxywxyzxyzxyw", 0},
        {"abcabcabcabd", "abcxyzxyzxyw", 0},
        {"x0123456789abcabcabdy", "x9999999999xyzxyzxywy", 0},
        {"xxabc", "xxabc", 3},
        {"abcabcab", "abcabcab", 8},
        {"xabcabcabc", "xabcabcabc", 6},
        {"x012345678", "x012345678", 9},
        {"abc012", "abc012", 3},
        {"a", "a", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[64];
        size_t n = strlen(cases[i].text);
        memcpy(text, cases[i].text, n + 1);
        assert_int_equal(secrets_hide(list, 2, text, n), cases[i].held);
        assert_string_equal(text, cases[i].want);
    }
}

/* However a text is cut, what is let go is the same. */
static void test_hide_in_pieces(void **state)
{
    (void)state;
    static const char text[] = "ababababcababcabcabdabcabcab0123450123456789abcabcabdab";
    static const char want[] = "ababababcabxyzxyzxywabcabcab0123459999999999xyzxyzxywab";
    char value[] = "abcabcabd", placeholder[] = "xyzxyzxyw", other[] = "0123456789",
         instead[] = "9999999999";
    const struct secret one = {value, placeholder, 9}, two = {other, instead, 10};
    const struct secret *const list[] = {&one, &two};
    const size_t n = sizeof(text) - 1;
    for (size_t step = 1; step <= n; step++) {
        char copy[sizeof(text)];
        size_t held = 0;
        memcpy(copy, text, sizeof(text));
        for (size_t at = 0; at < n; at += step) {
            size_t more = MIN_OF(step, n - at);
            held = secrets_hide(list, 2, copy + at - held, more + held);
        }
        assert_string_equal(copy, want);
    }
}

/* ---- reading them ---- */

static char directory[] = "/tmp/bawn-secrets.XXXXXX";

static const char *environment(const char *name)
{
    static const struct {
        const char *name, *value;
    } all[] = {{"GOOD", "ghp_A1b2C3d4E5f6"}, {"SHORT", "abc"},          {"EMPTY", ""},
               {"TWO", "abcdefgh\nabc"},     {"SPACE", " abcdefghij"},  {"MIDDLE", "abc defghij"},
               {"HIGH", "abcdefgh\xff"},     {"SAME", "--------------"}};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (str_eq(all[i].name, name))
            return all[i].value;
    return NULL;
}

static struct netcredential credential(const char *env, const char *file)
{
    return (struct netcredential){.name = "c",
                                  .from_env = env,
                                  .from_file = file,
                                  .place = {.file = "config.toml", .line = 7, .column = 3}};
}

static const char *file_with(const char *name, const char *text)
{
    static char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    return path;
}

static void test_collect(void **state)
{
    (void)state;
    struct netcredential c[] = {credential("GOOD", NULL),
                                credential(NULL, file_with("good", "token-from-a-file-1\r\n")),
                                credential("MIDDLE", NULL)};
    struct netcredentials all = {c, ARRAY_LEN(c)};
    struct secrets s = {0}, got = {0};
    struct error err = {0};
    int fd = -1;
    assert_int_equal(secrets_collect(&all, environment, &s, &err), 0);
    assert_int_equal(s.n, 3);
    assert_string_equal(s.v[0].value, "ghp_A1b2C3d4E5f6");
    assert_string_equal(s.v[1].value, "token-from-a-file-1");
    assert_string_equal(s.v[2].value, "abc defghij");
    assert_int_equal(strlen(s.v[1].placeholder), s.v[1].n);
    /* sealed, there and back */
    assert_int_equal(secrets_send(&s, &fd, &err), 0);
    assert_int_equal(write(fd, "x", 1), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(secrets_receive(fd, &got, &err), 0);
    assert_int_equal(got.n, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(got.v[i].n, s.v[i].n);
        assert_memory_equal(got.v[i].value, s.v[i].value, s.v[i].n);
        assert_memory_equal(got.v[i].placeholder, s.v[i].placeholder, s.v[i].n);
    }
    close(fd);
    secrets_release(&s);
    secrets_release(&got);
    assert_null(s.v);
}

static void test_not_collected(void **state)
{
    (void)state;
    static char long_one[SECRET_MOST + 10];
    memset(long_one, 'a', sizeof(long_one) - 1);
    const struct {
        const char *env, *file, *want;
    } cases[] = {
        {"NOWHERE", NULL, "NOWHERE is not set"},
        {"SHORT", NULL, "shorter than 8"},
        {"EMPTY", NULL, "is empty"},
        {"TWO", NULL, "not one line"},
        {"SPACE", NULL, "not one line"},
        {"HIGH", NULL, "not one line"},
        {"SAME", NULL, "too few letters"},
        {NULL, "/nowhere/x", "is not there"},
        {NULL, "/", "no regular file"},
        {NULL, "/dev/null", "no regular file"},
        {NULL, "!", "longer than a secret"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *file = cases[i].file;
        struct netcredential c =
            credential(cases[i].env, file && file[0] == '!' ? file_with("long", long_one) : file);
        struct secrets s = {0};
        struct error err = {0};
        assert_true(secrets_collect(&(struct netcredentials){&c, 1}, environment, &s, &err) < 0);
        if (!strstr(err.message, cases[i].want) || err.line != 7 ||
            !str_eq(err.file, "config.toml"))
            fail_msg("%s: %s:%u: %s", cases[i].want, err.file, err.line, err.message);
        assert_null(s.v);
    }
}

static int memfd_of(const void *p, size_t n, int seals)
{
    int fd = memfd_create("test", MFD_ALLOW_SEALING);
    assert_int_equal(write(fd, p, n), n);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static void test_not_received(void **state)
{
    (void)state;
    const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
    struct {
        uint32_t magic, count, n;
        char bytes[16];
    } good = {0x65737762u, 1, 8, "abcdefghABCDEFG"}, bad;
    good.bytes[15] = 'H';
    struct secrets s = {0};
    struct error err;
    int fd = memfd_of(&good, sizeof(good), seals);
    assert_int_equal(secrets_receive(fd, &s, &err), 0);
    secrets_release(&s);
    close(fd);
    fd = memfd_of(&good, sizeof(good), 0);
    assert_int_equal(secrets_receive(fd, &s, &err), -EINVAL);
    close(fd);
    for (size_t n = 0; n < sizeof(good); n++) {
        fd = memfd_of(&good, n, seals);
        assert_int_equal(secrets_receive(fd, &s, &err), -EINVAL);
        close(fd);
    }
    for (uint32_t n = 0; n < 3; n++) {
        bad = good;
        *(n == 0 ? &bad.magic : n == 1 ? &bad.count : &bad.n) += 1;
        fd = memfd_of(&bad, sizeof(bad), seals);
        assert_int_equal(secrets_receive(fd, &s, &err), -EINVAL);
        close(fd);
    }
}

/* ---- settings ---- */

static void test_settings(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    _cleanup_strbuf_ struct strbuf out = {0};
    const char *roots[] = {"/etc/a.pem", "/etc/b.pem"}, *methods[] = {"GET"};
    struct request_rule rules[] = {{.methods = methods, .n_methods = 1, .path = "/x**"},
                                   {.path = NULL}};
    struct netrule places[] = {
        {.pattern = "*.a.test", .decision = NET_ALLOW, .file = "f", .line = 3, .layer = "user"},
        {.pattern = "b.test:443", .decision = NET_DENY, .id = 1}};
    struct netcredential c = {.header = "authorization",
                              .before = "Bearer ",
                              .after = "",
                              .place = {.pattern = "api.test"}};
    struct intercept_settings s = {.limited = true,
                                   .block_message = "no",
                                   .root_files = roots,
                                   .n_root_files = 2,
                                   .requests = {rules, places, 2},
                                   .n_credentials = 1},
                              got;
    struct error err = {0};
    s.credentials = intercept_credentials(&a, &(struct netcredentials){&c, 1});
    assert_non_null(s.credentials);
    assert_int_equal(intercept_settings_write(&s, &out), 0);
    struct bytes text = {out.p, out.n};
    assert_int_equal(intercept_settings_read(&a, text, &got, &err), 0);
    assert_true(got.limited);
    assert_null(got.profile);
    assert_string_equal(got.block_message, "no");
    assert_int_equal(got.n_root_files, 2);
    assert_string_equal(got.root_files[1], "/etc/b.pem");
    assert_int_equal(got.requests.n, 2);
    assert_string_equal(got.requests.rules[0].methods[0], "GET");
    assert_string_equal(got.requests.rules[0].path, "/x**");
    assert_int_equal(got.requests.rules[0].host.kind, PATTERN_BELOW);
    assert_int_equal(got.requests.places[0].line, 3);
    assert_null(got.requests.rules[1].path);
    assert_int_equal(got.requests.rules[1].host.first, 443);
    assert_int_equal(got.requests.places[1].decision, NET_DENY);
    assert_string_equal(got.credentials[0].header, "authorization");
    assert_string_equal(got.credentials[0].before, "Bearer ");
    assert_int_equal(got.credentials[0].host.kind, PATTERN_EXACT);
    for (size_t n = 0; n < out.n; n++)
        assert_int_equal(intercept_settings_read(&a, (struct bytes){out.p, n}, &got, &err),
                         -EINVAL);
    strbuf_putc(&out, 'x');
    assert_int_equal(intercept_settings_read(&a, (struct bytes){out.p, out.n}, &got, &err),
                     -EINVAL);
}

/* ---- from one process to the other ---- */

static void test_handover(void **state)
{
    (void)state;
    static char buf[HANDOVER_MAX], first[HANDOVER_FIRST_MAX + 1];
    int sockets[2], pair[2], client = -1, server = -1;
    struct handover h = {.port = 443, .n_addresses = 2, .first = BYTES("hello")}, got;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, sockets), 0);
    assert_int_equal(pipe(pair), 0);
    assert_int_equal(host_parse(BYTES("api.test"), &h.host), HOST_FINE);
    assert_true(address_parse_v4(BYTES("192.0.2.1"), &h.addresses[0]));
    assert_true(address_parse_v6(BYTES("2001:db8::1"), &h.addresses[1]));
    assert_int_equal(handover_recv(sockets[1], buf, &got, &client, &server), -EAGAIN);
    for (int with = 0; with < 2; with++) {
        assert_int_equal(handover_send(sockets[0], &h, pair[0], with ? pair[1] : -1), 0);
        assert_int_equal(handover_recv(sockets[1], buf, &got, &client, &server), 0);
        assert_string_equal(got.host.name, "api.test");
        assert_int_equal(got.kind, HANDOVER_CLIENT);
        assert_int_equal(got.port, 443);
        assert_int_equal(got.n_addresses, 2);
        assert_true(address_eq(&got.addresses[1], &h.addresses[1]));
        assert_true(bytes_is(got.first, "hello"));
        assert_true(client >= 0);
        assert_true(fcntl(client, F_GETFD) & FD_CLOEXEC);
        assert_int_equal(server >= 0, with);
        close(client);
        if (with)
            close(server);
    }
    /* A relay is that and nothing else. */
    h.kind = HANDOVER_RELAY;
    for (int i = 0; i < 4; i++) {
        h.n_addresses = i == 1;
        h.first = i == 2 ? BYTES("x") : BYTES("");
        assert_int_equal(handover_send(sockets[0], &h, pair[0], i == 3 ? -1 : pair[1]), 0);
        assert_int_equal(handover_recv(sockets[1], buf, &got, &client, &server), i ? -EBADMSG : 0);
        if (i == 0) {
            assert_int_equal(got.kind, HANDOVER_RELAY);
            assert_string_equal(got.host.name, "api.test");
            assert_int_equal(got.port, 443);
            close(client);
            close(server);
        }
    }
    h.kind++;
    h.n_addresses = 2;
    assert_int_equal(handover_send(sockets[0], &h, pair[0], pair[1]), 0);
    assert_int_equal(handover_recv(sockets[1], buf, &got, &client, &server), -EBADMSG);
    h.kind = HANDOVER_CLIENT;
    /* the most and more than that */
    h.first = (struct bytes){first, HANDOVER_FIRST_MAX};
    assert_int_equal(handover_send(sockets[0], &h, pair[0], -1), 0);
    assert_int_equal(handover_recv(sockets[1], buf, &got, &client, &server), 0);
    assert_int_equal(got.first.n, HANDOVER_FIRST_MAX);
    close(client);
    h.first.n++;
    assert_int_equal(handover_send(sockets[0], &h, pair[0], -1), -EINVAL);
    h.first.n = 0;
    h.n_addresses = 0; /* nobody to go to */
    assert_int_equal(handover_send(sockets[0], &h, pair[0], -1), 0);
    assert_int_equal(handover_recv(sockets[1], buf, &got, &client, &server), -EBADMSG);
    /* full, and gone */
    h.n_addresses = 1;
    int r = 0;
    for (int i = 0; i < 100000 && r == 0; i++)
        r = handover_send(sockets[0], &h, pair[0], -1);
    assert_int_equal(r, -EAGAIN);
    close(sockets[1]);
    assert_int_equal(handover_send(sockets[0], &h, pair[0], -1), -EPIPE);
    close(sockets[0]);
    close(pair[0]);
    close(pair[1]);
}

static void test_handover_end(void **state)
{
    (void)state;
    static char buf[HANDOVER_MAX];
    int sockets[2], client, server;
    struct handover got;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, sockets), 0);
    close(sockets[0]);
    assert_int_equal(handover_recv(sockets[1], buf, &got, &client, &server), -EPIPE);
    close(sockets[1]);
}

static void test_tables(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_trust_variables; i++) {
        assert_true(trust_variables[i].name[0] && trust_variables[i].programs[0]);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(trust_variables[i].name, trust_variables[k].name);
    }
    for (size_t i = 0; trust_root_files[i]; i++)
        assert_int_equal(trust_root_files[i][0], '/');
}

static int make_directory(void **state)
{
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    (void)unlink(file_with("good", ""));
    (void)unlink(file_with("long", ""));
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_placeholders),   cmocka_unit_test(test_hide),
        cmocka_unit_test(test_hide_in_pieces), cmocka_unit_test(test_collect),
        cmocka_unit_test(test_not_collected),  cmocka_unit_test(test_not_received),
        cmocka_unit_test(test_settings),       cmocka_unit_test(test_handover),
        cmocka_unit_test(test_handover_end),   cmocka_unit_test(test_tables),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}

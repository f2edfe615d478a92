/*
 * Reading hosts: a table of spellings, and libc's own readers over random ones. Whatever they take
 * for an address must come out as the same address or be refused.
 */
#include "network/host.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

/* WANT: a name, an address in its usual spelling ("=…"), or what is wrong with it ("!…"). */
struct reading {
    const char *text;
    size_t n; /* 0: as long as the string */
    const char *want;
};

#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define NAME253                                                                                    \
    A63 "." A63 "." A63 "."                                                                        \
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define WITH_NUL(s) s, sizeof(s) - 1

static const struct reading readings[] = {
    /* ---- names ---- */
    {"example.com", 0, "example.com"},
    {"EXAMPLE.Com", 0, "example.com"},
    {"example.com.", 0, "example.com"}, /* one trailing dot is the same name */
    {"localhost", 0, "localhost"},
    {"LOCALHOST.", 0, "localhost"},
    {"intranet", 0, "intranet"},
    {"_dmarc.example.com", 0, "_dmarc.example.com"},
    {"my_host", 0, "my_host"},
    {"_", 0, "_"},
    {"a-", 0, "a-"},
    {"a.-b", 0, "a.-b"}, /* only the whole could be taken for an option */
    {"r3---sn-4g5e6n.googlevideo.com", 0, "r3---sn-4g5e6n.googlevideo.com"},
    {"xn--bcher-kva.example", 0, "xn--bcher-kva.example"},
    {"XN--BCHER-KVA.Example", 0, "xn--bcher-kva.example"},
    {"1.2.3.com", 0, "1.2.3.com"},
    {"127.0.0.1.nip.io", 0, "127.0.0.1.nip.io"}, /* a name; where it leads is asked later */
    {"0x7f.1.example", 0, "0x7f.1.example"},
    {"1password.com", 0, "1password.com"},
    {"a.0xg", 0, "a.0xg"}, /* no number in any notation */
    {"0xg", 0, "0xg"},
    {"x0", 0, "x0"},
    {"1e3", 0, "1e3"},
    {"0b1", 0, "0b1"}, /* binary is read by nobody */
    {"0o17", 0, "0o17"},
    {"1_000", 0, "1_000"},
    {"ff", 0, "ff"}, /* hexadecimal without 0x */
    {A63 ".com", 0, A63 ".com"},
    {NAME253, 0, NAME253},
    {NAME253 ".", 0, NAME253},
    /* ---- no names ---- */
    {"", 0, "!empty"},
    {".", 0, "!empty_label"},
    {"..", 0, "!empty_label"},
    {".example.com", 0, "!empty_label"},
    {"example..com", 0, "!empty_label"},
    {"example.com..", 0, "!empty_label"},
    {A63 "a.com", 0, "!long_label"},
    {NAME253 "a", 0, "!too_long"},
    {"-oProxyCommand.example", 0, "!hyphen"},
    {"-", 0, "!hyphen"},
    {WITH_NUL("example.com\0.evil.test"), "!control"},
    {WITH_NUL("example.com\0"), "!control"},
    {WITH_NUL("\0"), "!control"},
    {"example.com\n", 0, "!control"},
    {"example.com\r", 0, "!control"},
    {"exa\tmple.com", 0, "!control"},
    {"exa mple.com", 0, "!control"},
    {" example.com", 0, "!control"},
    {"example.com ", 0, "!control"},
    {"example.com\x7f", 0, "!control"},
    {"example.com\x01", 0, "!control"},
    {"b\xc3\xbc"
     "cher.example",
     0, "!not_ascii"},
    {"\xff.example", 0, "!not_ascii"},
    {"example\xe3\x80\x82"
     "com",
     0, "!not_ascii"},                                               /* ideographic full stop */
    {"\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1", 0, "!not_ascii"}, /* full-width 127 */
    {"127\xe3\x80\x82"
     "0.0.1",
     0, "!not_ascii"},
    {"\xe2\x91\xa0.0.0.1", 0, "!not_ascii"}, /* circled one */
    {"loc\xc2\xad"
     "alhost",
     0, "!not_ascii"},                         /* soft hyphen */
    {"localho\xc5\xbft", 0, "!not_ascii"},     /* long s */
    {"\xe2\x84\xaa.example", 0, "!not_ascii"}, /* the Kelvin sign folds to k */
    {"%31%32%37.0.0.1", 0, "!percent"},
    {"example%2ecom", 0, "!percent"},
    {"example.com%00", 0, "!percent"},
    {"user@example.com", 0, "!character"},
    {"example.com@evil.test", 0, "!character"},
    {"example.com/evil", 0, "!character"},
    {"example.com\\evil", 0, "!character"},
    {"example.com?x", 0, "!character"},
    {"example.com#x", 0, "!character"},
    {"example.com;x", 0, "!character"},
    {"example.com,evil.test", 0, "!character"},
    {"*.example.com", 0, "!character"},
    {"*", 0, "!character"},
    {"a!b", 0, "!character"},
    {"a\"b", 0, "!character"},
    {"a'b", 0, "!character"},
    {"a$b", 0, "!character"},
    {"$(id)", 0, "!character"},
    {"`id`", 0, "!character"},
    {"a&b", 0, "!character"},
    {"a|b", 0, "!character"},
    {"a<b", 0, "!character"},
    {"a>b", 0, "!character"},
    {"a^b", 0, "!character"},
    {"a{b", 0, "!character"},
    {"a}b", 0, "!character"},
    {"a(b", 0, "!character"},
    {"a+b", 0, "!character"},
    {"a=b", 0, "!character"},
    {"a~b", 0, "!character"},
    {"+1.2.3.4", 0, "!character"},
    /* ---- IPv4, as it is ---- */
    {"127.0.0.1", 0, "=127.0.0.1"},
    {"0.0.0.0", 0, "=0.0.0.0"},
    {"255.255.255.255", 0, "=255.255.255.255"},
    {"8.8.8.8", 0, "=8.8.8.8"},
    {"127.0.0.1.", 0, "=127.0.0.1"}, /* browsers drop the dot */
    /* ---- short forms ---- */
    {"127.1", 0, "=127.0.0.1"},
    {"127.0.1", 0, "=127.0.0.1"},
    {"127.65535", 0, "=127.0.255.255"},
    {"127.0.65535", 0, "=127.0.255.255"},
    {"127.16777215", 0, "=127.255.255.255"},
    {"10.1", 0, "=10.0.0.1"},
    {"192.168.257", 0, "=192.168.1.1"},
    {"2130706433", 0, "=127.0.0.1"},
    {"2130706433.", 0, "=127.0.0.1"},
    {"0", 0, "=0.0.0.0"},
    {"00", 0, "=0.0.0.0"},
    {"0.", 0, "=0.0.0.0"},
    {"1", 0, "=0.0.0.1"},
    {"4294967295", 0, "=255.255.255.255"},
    {"2852039166", 0, "=169.254.169.254"},
    {"169.254.43518", 0, "=169.254.169.254"},
    /* ---- octal ---- */
    {"0177.0.0.1", 0, "=127.0.0.1"},
    {"0177.1", 0, "=127.0.0.1"},
    {"017700000001", 0, "=127.0.0.1"},
    {"00000000000000000000177.0.0.1", 0, "=127.0.0.1"},
    {"0127.0.0.1", 0, "=87.0.0.1"},
    {"010.0.0.1", 0, "=8.0.0.1"},
    {"012.0.0.1", 0, "=10.0.0.1"},
    {"127.0.0.01", 0, "=127.0.0.1"},
    {"0251.0376.0251.0376", 0, "=169.254.169.254"},
    {"025177524776", 0, "=169.254.169.254"},
    {"0300.0250.0.1", 0, "=192.168.0.1"},
    {"000.000.000.000", 0, "=0.0.0.0"},
    /* ---- hexadecimal ---- */
    {"0x7f.0.0.1", 0, "=127.0.0.1"},
    {"0X7F.0.0.1", 0, "=127.0.0.1"},
    {"0x7f.1", 0, "=127.0.0.1"},
    {"0x7f000001", 0, "=127.0.0.1"},
    {"0x7F000001.", 0, "=127.0.0.1"},
    {"0x000000000000007f.1", 0, "=127.0.0.1"},
    {"0x7f.0x0.0x0.0x1", 0, "=127.0.0.1"},
    {"127.0.0.0x1", 0, "=127.0.0.1"},
    {"0xa9fea9fe", 0, "=169.254.169.254"},
    {"0xa9.0xfe.0xa9.0xfe", 0, "=169.254.169.254"},
    {"0xa9.254.0251.0xfe", 0, "=169.254.169.254"},
    {"0xc0a80001", 0, "=192.168.0.1"},
    {"0x0", 0, "=0.0.0.0"},
    {"0xffffffff", 0, "=255.255.255.255"},
    /* ---- numbers that are no address ---- */
    {"256.0.0.1", 0, "!number"},
    {"127.0.0.256", 0, "!number"},
    {"127.0.256.1", 0, "!number"},
    {"127.0.65536", 0, "!number"},
    {"127.16777216", 0, "!number"},
    {"256.1", 0, "!number"},
    {"4294967296", 0, "!number"},
    {"4294967297", 0, "!number"},           /* 1 where 32 bits wrap */
    {"18446744073709551617", 0, "!number"}, /* 1 where 64 bits wrap */
    {"18446744071845314561", 0, "!number"}, /* 127.0.0.1 to those who cut */
    {"0x17f000001", 0, "!number"},
    {"0xffffffffffffffff7f000001", 0, "!number"},
    {"1.2.3.4.5", 0, "!number"},
    {"1.2.3.4.5.6", 0, "!number"},
    {"0.0.0.0.127", 0, "!number"},
    {"1.2.3", 0, "=1.2.0.3"},
    {"999", 0, "=0.0.3.231"},
    {"example.1", 0, "!number"}, /* all-numeric top-level names do not exist */
    {"example.com.127", 0, "!number"},
    {"a.0x7f", 0, "!number"},
    {"-1.2.3.4", 0, "!hyphen"},
    {"1.-2.3.4", 0, "!number"},
    {"1.2.3.-4", 0, "1.2.3.-4"}, /* nobody reads a sign */
    {"1..2", 0, "!empty_label"},
    {"127..1", 0, "!empty_label"},
    {"127.0.0.1..", 0, "!empty_label"},
    {".127.0.0.1", 0, "!empty_label"},
    /* ---- some say this, some that ---- */
    {"08.0.0.1", 0, "!ambiguous"},
    {"127.0.0.09", 0, "!ambiguous"},
    {"0189.0.0.1", 0, "!ambiguous"},
    {"0x", 0, "!ambiguous"},
    {"0x.1", 0, "!ambiguous"},
    {"1.2.3.0x", 0, "!ambiguous"},
    {"0X.", 0, "!ambiguous"},
    {"127.0.0.08", 0, "!ambiguous"},
    /* ---- decorated IPv4 ---- */
    {"127.0.0.1 ", 0, "!control"},
    {"127.0.0.1\n", 0, "!control"}, /* inet_aton reads it */
    {"127.0.0.1 x", 0, "!control"}, /* that too */
    {"127.0.0.1\tx", 0, "!control"},
    {WITH_NUL("127.0.0.1\0.example.com"), "!control"},
    {"127.0.0.1%lo", 0, "!percent"},
    {"127.0.0.1/8", 0, "!character"},
    {"[127.0.0.1]", 0, "!brackets"},
    {"[127.1]", 0, "!brackets"},
    {"127.0.0.1:80", 0, "!ipv6"},
    /* ---- IPv6 ---- */
    {"::1", 0, "=::1"},
    {"[::1]", 0, "=::1"},
    {"::", 0, "=::"},
    {"[::]", 0, "=::"},
    {"0:0:0:0:0:0:0:1", 0, "=::1"},
    {"0000:0000:0000:0000:0000:0000:0000:0001", 0, "=::1"},
    {"::0001", 0, "=::1"},
    {"0::1", 0, "=::1"},
    {"::0:1", 0, "=::1"},
    {"1::", 0, "=1::"},
    {"1:2:3:4:5:6:7::", 0, "=1:2:3:4:5:6:7:0"},
    {"::2:3:4:5:6:7:8", 0, "=0:2:3:4:5:6:7:8"},
    {"1:2:3:4:5:6:7:8", 0, "=1:2:3:4:5:6:7:8"},
    {"FE80::ABCD", 0, "=fe80::abcd"},
    {"2001:DB8::0:1", 0, "=2001:db8::1"},
    {"2001:db8:0:0:1:0:0:1", 0, "=2001:db8::1:0:0:1"},
    {"2001:0:0:1:0:0:0:1", 0, "=2001:0:0:1::1"},
    {"::ffff:127.0.0.1", 0, "=::ffff:127.0.0.1"},
    {"::FFFF:127.0.0.1", 0, "=::ffff:127.0.0.1"},
    {"::ffff:7f00:1", 0, "=::ffff:127.0.0.1"},
    {"0:0:0:0:0:ffff:7f00:0001", 0, "=::ffff:127.0.0.1"},
    {"[::ffff:a9fe:a9fe]", 0, "=::ffff:169.254.169.254"},
    {"::127.0.0.1", 0, "=::7f00:1"},
    {"::ffff:0:127.0.0.1", 0, "=::ffff:0:7f00:1"},
    {"64:ff9b::127.0.0.1", 0, "=64:ff9b::7f00:1"},
    {"1:2:3:4:5:6:1.2.3.4", 0, "=1:2:3:4:5:6:102:304"},
    {"fd00:ec2::254", 0, "=fd00:ec2::254"},
    {":", 0, "!ipv6"},
    {":::", 0, "!ipv6"},
    {"::1::", 0, "!ipv6"},
    {"1::2::3", 0, "!ipv6"},
    {":1", 0, "!ipv6"},
    {"1:", 0, "!ipv6"},
    {"::1:", 0, "!ipv6"},
    {":1:2:3:4:5:6:7:8", 0, "!ipv6"},
    {"1:2:3:4:5:6:7", 0, "!ipv6"},
    {"1:2:3:4:5:6:7:8:9", 0, "!ipv6"},
    {"1:2:3:4:5:6:7:8::", 0, "!ipv6"},
    {"::1:2:3:4:5:6:7:8", 0, "!ipv6"},
    {"1:2:3:4::5:6:7:8", 0, "!ipv6"},
    {"::00001", 0, "!ipv6"},
    {"::g", 0, "!ipv6"},
    {"::1.", 0, "!ipv6"},
    {"::0x1", 0, "!ipv6"},
    {"::127.1", 0, "!ipv6"},
    {"::127.0.0.1.1", 0, "!ipv6"},
    {"::ffff:0177.0.0.1", 0, "!ipv6"},
    {"::ffff:127.0.0.01", 0, "!ipv6"},
    {"::ffff:256.0.0.1", 0, "!ipv6"},
    {"::ffff:0x7f.0.0.1", 0, "!ipv6"},
    {"::127.0.0.1:1", 0, "!ipv6"},
    {"1:2:3:4:5:6:7:1.2.3.4", 0, "!ipv6"},
    {"1.2.3.4::", 0, "!ipv6"},
    {"::-1", 0, "!ipv6"},
    {"::+1", 0, "!ipv6"},
    {"fe80::1%eth0", 0, "!percent"},
    {"fe80::1%1", 0, "!percent"},
    {"[fe80::1%25lo]", 0, "!percent"},
    {"::1%lo", 0, "!percent"},
    {"::1%", 0, "!percent"},
    {"[::1", 0, "!brackets"},
    {"::1]", 0, "!brackets"},
    {"[]", 0, "!brackets"},
    {"[", 0, "!brackets"},
    {"]", 0, "!brackets"},
    {"[[::1]]", 0, "!ipv6"},
    {"[v1.x]", 0, "!brackets"},
    {"[v1.x:y]", 0, "!ipv6"},
    {"[localhost]", 0, "!brackets"},
    {"[::1].example.com", 0, "!brackets"},
    {"[::1] ", 0, "!control"},
    {"[::1.]", 0, "!ipv6"},
};

static const char *read_as(struct bytes text, char *buf, size_t cap)
{
    struct host h;
    enum host_problem p = host_parse(text, &h);
    (void)snprintf(buf, cap, "%s%s",
                   p != HOST_FINE           ? "!"
                   : h.kind == HOST_ADDRESS ? "="
                                            : "",
                   p != HOST_FINE ? host_problem_word(p) : h.name);
    return buf;
}

static void test_readings(void **state)
{
    (void)state;
    char buf[512];
    unsigned wrong = 0;
    for (size_t i = 0; i < ARRAY_LEN(readings); i++) {
        const struct reading *r = &readings[i];
        struct bytes text = {r->text, r->n ? r->n : strlen(r->text)};
        if (!str_eq(read_as(text, buf, sizeof(buf)), r->want)) {
            print_error("%s: %s, want %s\n", r->text, buf, r->want);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

/* Reading what was read gives the same, and each problem has words. */
static void test_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(readings); i++) {
        struct host h, again;
        struct bytes text = {readings[i].text,
                             readings[i].n ? readings[i].n : strlen(readings[i].text)};
        if (host_parse(text, &h) != HOST_FINE)
            continue;
        assert_int_equal(host_parse((struct bytes){h.name, h.n}, &again), HOST_FINE);
        assert_memory_equal(&h, &again, sizeof(h));
    }
    for (int p = HOST_FINE; p <= HOST_BAD_PORT; p++)
        assert_true(host_problem_word((enum host_problem)p)[0] &&
                    host_problem_text((enum host_problem)p)[0]);
}

static const struct {
    const char *text;
    uint16_t otherwise;
    const char *want; /* "HOST PORT" or "!…" */
} ports[] = {
    {"example.com:443", 0, "example.com 443"},
    {"example.com.:443", 0, "example.com 443"},
    {"example.com:1", 0, "example.com 1"},
    {"example.com:65535", 0, "example.com 65535"},
    {"example.com", 80, "example.com 80"},
    {"example.com:8080", 80, "example.com 8080"},
    {"127.1:80", 0, "127.0.0.1 80"},
    {"0x7f000001:80", 0, "127.0.0.1 80"},
    {"[::1]:443", 0, "::1 443"},
    {"[::1]", 443, "::1 443"},
    {"[::ffff:127.0.0.1]:443", 0, "::ffff:127.0.0.1 443"},
    {"example.com", 0, "!no_port"},
    {"[::1]", 0, "!no_port"},
    {"example.com:", 0, "!no_port"},
    {"example.com:", 80, "!no_port"},
    {"example.com:0", 0, "!bad_port"},
    {"example.com:00", 0, "!bad_port"},
    {"example.com:080", 0, "!bad_port"},
    {"example.com:65536", 0, "!bad_port"},
    {"example.com:99999", 0, "!bad_port"},
    {"example.com:4294967739", 0, "!bad_port"}, /* 443 where 32 bits wrap */
    {"example.com:+80", 0, "!bad_port"},
    {"example.com:-80", 0, "!bad_port"},
    {"example.com:0x50", 0, "!bad_port"},
    {"example.com:80a", 0, "!bad_port"},
    {"example.com:http", 0, "!bad_port"},
    {"example.com:80 ", 0, "!control"},
    {"example.com: 80", 0, "!control"},
    {"example.com:80:80", 0, "!brackets"},
    {"::1:80", 0, "!brackets"},
    {"::1", 80, "!brackets"},
    {"[::1]80", 0, "!brackets"},
    {"[::1]x:80", 0, "!brackets"},
    {"[::1", 80, "!brackets"},
    {"[::1]:", 0, "!no_port"},
    {":80", 0, "!empty"},
    {":", 0, "!empty"},
    {"", 80, "!empty"},
    {"user@example.com:80", 0, "!character"},
    {"user:pw@example.com:80", 0, "!brackets"},
    {"http://example.com:80", 0, "!brackets"},
    {"example.com:80/x", 0, "!bad_port"},
    {"exa%6dple.com:80", 0, "!percent"},
};

static void test_ports(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
        struct host h;
        uint16_t port;
        char got[512];
        enum host_problem p =
            host_parse_port(bytes_of(ports[i].text), ports[i].otherwise, &h, &port);
        if (p == HOST_FINE)
            (void)snprintf(got, sizeof(got), "%s %u", h.name, port);
        else
            (void)snprintf(got, sizeof(got), "!%s", host_problem_word(p));
        if (!str_eq(got, ports[i].want))
            fail_msg("%s: %s, want %s", ports[i].text, got, ports[i].want);
    }
}

static void test_localhost(void **state)
{
    (void)state;
    static const char *const are[] = {"localhost", "LocalHost.", "a.localhost", "a.b.localhost."};
    static const char *const are_not[] = {"localhost.com", "mylocalhost", "localhost.localdomain",
                                          "127.0.0.1",     "::1",         "local"};
    struct host h;
    for (size_t i = 0; i < ARRAY_LEN(are); i++) {
        assert_int_equal(host_parse(bytes_of(are[i]), &h), HOST_FINE);
        assert_true(host_is_localhost(&h));
    }
    for (size_t i = 0; i < ARRAY_LEN(are_not); i++) {
        assert_int_equal(host_parse(bytes_of(are_not[i]), &h), HOST_FINE);
        assert_false(host_is_localhost(&h));
    }
}

/* ---- beside libc ---- */

static uint64_t seed = 0x9e3779b97f4a7c15u;

static unsigned draw(unsigned below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 33) % below;
}

/* What libc reads TEXT as. False: a name to it. */
static bool libc_reads(const char *text, struct address *ret)
{
    struct in_addr v4;
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *list;
    *ret = (struct address){0};
    if (inet_aton(text, &v4)) {
        ret->family = ADDRESS_V4;
        memcpy(ret->b, &v4, 4);
        return true;
    }
    if (getaddrinfo(text, NULL, &hints, &list) != 0)
        return false;
    if (list->ai_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)list->ai_addr;
        ret->family = ADDRESS_V4;
        memcpy(ret->b, &in->sin_addr, 4);
    } else {
        const struct sockaddr_in6 *in = (const void *)list->ai_addr;
        ret->family = ADDRESS_V6;
        memcpy(ret->b, &in->sin6_addr, 16);
    }
    freeaddrinfo(list);
    return true;
}

static unsigned compared, agreed;

static void compare(const char *text)
{
    struct address theirs;
    struct host ours;
    bool number = libc_reads(text, &theirs);
    enum host_problem p = host_parse(bytes_of(text), &ours);
    compared++;
    if (number && p == HOST_FINE &&
        (ours.kind != HOST_ADDRESS || !address_eq(&ours.address, &theirs)))
        fail_msg("\"%s\": an address to libc, %s here", text, ours.name);
    /* The other way round: the dot behind an address is dropped only here. */
    if (!number && p == HOST_FINE && ours.kind == HOST_ADDRESS && text[strlen(text) - 1] != '.' &&
        text[0] != '[')
        fail_msg("\"%s\": a name to libc, %s here", text, ours.name);
    agreed += number && p == HOST_FINE;
}

static void test_table_beside_libc(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(readings); i++)
        if (readings[i].n == 0)
            compare(readings[i].text);
}

/* Numbers in all notations, joined by dots, with a byte changed now and then. */
static void put_number(char *to, size_t cap)
{
    static const unsigned most[] = {2, 12, 256, 300, 65536, 70000, 16777300, UINT32_MAX};
    unsigned v = draw(most[draw(ARRAY_LEN(most))]);
    switch (draw(6)) {
    case 0:
        (void)snprintf(to, cap, "0%o", v);
        break;
    case 1:
        (void)snprintf(to, cap, "0x%x", v);
        break;
    case 2:
        (void)snprintf(to, cap, "0X0%X", v);
        break;
    case 3:
        (void)snprintf(to, cap, "00%o", v);
        break;
    default:
        (void)snprintf(to, cap, "%u", v);
    }
}

static void test_v4_beside_libc(void **state)
{
    (void)state;
    static const char noise[] = "0123456789abfxX.:-+ %[]o\n";
    for (unsigned k = 0; k < 200000; k++) {
        char text[160] = "", number[24];
        size_t n = 0;
        for (unsigned parts = draw(12) ? 1 + draw(4) : 5; parts > 0; parts--) {
            put_number(number, sizeof(number));
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n ? "." : "", number);
        }
        for (unsigned changes = draw(3); changes > 0; changes--)
            text[draw((unsigned)n)] = noise[draw(sizeof(noise) - 1)];
        compare(text);
    }
    assert_true(agreed > 20000); /* or the test compares nothing */
}

static void test_v6_beside_libc(void **state)
{
    (void)state;
    static const char noise[] = "0123456789abcdefABCDEF.:::%/]gx";
    unsigned before = agreed;
    for (unsigned k = 0; k < 200000; k++) {
        char text[160] = "";
        size_t n = 0;
        unsigned groups = 6 + draw(4), gap = draw(12);
        for (unsigned i = 0; i < groups; i++) {
            const char *colon = i == gap ? "::" : i ? ":" : "";
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%x", colon,
                                  draw(2) ? draw(0x10000) : draw(3));
            if (i > gap && draw(2))
                break;
        }
        if (draw(3) == 0)
            n += (size_t)snprintf(text + n, sizeof(text) - n, ":%u.%u.%u.%u", draw(260), draw(256),
                                  draw(256), draw(256));
        for (unsigned changes = draw(3); changes > 0; changes--)
            text[draw((unsigned)n)] = noise[draw(sizeof(noise) - 1)];
        compare(text);
    }
    assert_true(agreed - before > 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readings),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_localhost),
        cmocka_unit_test(test_table_beside_libc),
        cmocka_unit_test(test_v4_beside_libc),
        cmocka_unit_test(test_v6_beside_libc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

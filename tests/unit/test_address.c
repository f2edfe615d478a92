/*
 * What kind of destination an address is: both ends of every special range, with what stands before
 * and behind them (from the registries, not from the program's table), and every form that carries
 * an IPv4 address.
 */
#include "network/address.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct address address_of(const char *text)
{
    struct address a;
    if (!address_parse_v4(bytes_of(text), &a) && !address_parse_v6(bytes_of(text), &a))
        fail_msg("%s is no address", text);
    return a;
}

/* clang-format off */
static const struct {
    const char *text, *class;
} boundaries[] = {
    {"0.0.0.0", "unspecified"},
    {"0.0.0.1", "reserved"},
    {"0.127.255.255", "reserved"},
    {"0.255.255.254", "reserved"},
    {"0.255.255.255", "reserved"},
    {"1.0.0.0", "public"},
    {"9.255.255.255", "public"},
    {"10.0.0.0", "private"},
    {"10.0.0.1", "private"},
    {"10.127.255.255", "private"},
    {"10.255.255.254", "private"},
    {"10.255.255.255", "private"},
    {"11.0.0.0", "public"},
    {"100.63.255.255", "public"},
    {"100.64.0.0", "private"},
    {"100.64.0.1", "private"},
    {"100.95.255.255", "private"},
    {"100.100.100.199", "private"},
    {"100.100.100.200", "metadata"},
    {"100.100.100.201", "private"},
    {"100.127.255.254", "private"},
    {"100.127.255.255", "private"},
    {"100.128.0.0", "public"},
    {"126.255.255.255", "public"},
    {"127.0.0.0", "loopback"},
    {"127.0.0.1", "loopback"},
    {"127.127.255.255", "loopback"},
    {"127.255.255.254", "loopback"},
    {"127.255.255.255", "loopback"},
    {"128.0.0.0", "public"},
    {"168.63.129.15", "public"},
    {"168.63.129.16", "metadata"},
    {"168.63.129.17", "public"},
    {"169.253.255.255", "public"},
    {"169.254.0.0", "link-local"},
    {"169.254.0.1", "link-local"},
    {"169.254.127.255", "link-local"},
    {"169.254.169.122", "link-local"},
    {"169.254.169.123", "metadata"},
    {"169.254.169.124", "link-local"},
    {"169.254.169.252", "link-local"},
    {"169.254.169.253", "metadata"},
    {"169.254.169.254", "metadata"},
    {"169.254.169.255", "link-local"},
    {"169.254.170.1", "link-local"},
    {"169.254.170.2", "metadata"},
    {"169.254.170.3", "link-local"},
    {"169.254.170.22", "link-local"},
    {"169.254.170.23", "metadata"},
    {"169.254.170.24", "link-local"},
    {"169.254.255.254", "link-local"},
    {"169.254.255.255", "link-local"},
    {"169.255.0.0", "public"},
    {"172.15.255.255", "public"},
    {"172.16.0.0", "private"},
    {"172.16.0.1", "private"},
    {"172.23.255.255", "private"},
    {"172.31.255.254", "private"},
    {"172.31.255.255", "private"},
    {"172.32.0.0", "public"},
    {"191.255.255.255", "public"},
    {"192.0.0.0", "reserved"},
    {"192.0.0.1", "reserved"},
    {"192.0.0.127", "reserved"},
    {"192.0.0.191", "reserved"},
    {"192.0.0.192", "metadata"},
    {"192.0.0.193", "reserved"},
    {"192.0.0.254", "reserved"},
    {"192.0.0.255", "reserved"},
    {"192.0.1.0", "public"},
    {"192.0.1.255", "public"},
    {"192.0.2.0", "documentation"},
    {"192.0.2.1", "documentation"},
    {"192.0.2.127", "documentation"},
    {"192.0.2.254", "documentation"},
    {"192.0.2.255", "documentation"},
    {"192.0.3.0", "public"},
    {"192.31.195.255", "public"},
    {"192.31.196.0", "public"},
    {"192.31.196.1", "public"},
    {"192.31.196.127", "public"},
    {"192.31.196.254", "public"},
    {"192.31.196.255", "public"},
    {"192.31.197.0", "public"},
    {"192.52.192.255", "public"},
    {"192.52.193.0", "public"},
    {"192.52.193.1", "public"},
    {"192.52.193.127", "public"},
    {"192.52.193.254", "public"},
    {"192.52.193.255", "public"},
    {"192.52.194.0", "public"},
    {"192.88.98.255", "public"},
    {"192.88.99.0", "reserved"},
    {"192.88.99.1", "reserved"},
    {"192.88.99.127", "reserved"},
    {"192.88.99.254", "reserved"},
    {"192.88.99.255", "reserved"},
    {"192.88.100.0", "public"},
    {"192.167.255.255", "public"},
    {"192.168.0.0", "private"},
    {"192.168.0.1", "private"},
    {"192.168.127.255", "private"},
    {"192.168.255.254", "private"},
    {"192.168.255.255", "private"},
    {"192.169.0.0", "public"},
    {"192.175.47.255", "public"},
    {"192.175.48.0", "public"},
    {"192.175.48.1", "public"},
    {"192.175.48.127", "public"},
    {"192.175.48.254", "public"},
    {"192.175.48.255", "public"},
    {"192.175.49.0", "public"},
    {"198.17.255.255", "public"},
    {"198.18.0.0", "benchmarking"},
    {"198.18.0.1", "benchmarking"},
    {"198.18.255.255", "benchmarking"},
    {"198.19.255.254", "benchmarking"},
    {"198.19.255.255", "benchmarking"},
    {"198.20.0.0", "public"},
    {"198.51.99.255", "public"},
    {"198.51.100.0", "documentation"},
    {"198.51.100.1", "documentation"},
    {"198.51.100.127", "documentation"},
    {"198.51.100.254", "documentation"},
    {"198.51.100.255", "documentation"},
    {"198.51.101.0", "public"},
    {"203.0.112.255", "public"},
    {"203.0.113.0", "documentation"},
    {"203.0.113.1", "documentation"},
    {"203.0.113.127", "documentation"},
    {"203.0.113.254", "documentation"},
    {"203.0.113.255", "documentation"},
    {"203.0.114.0", "public"},
    {"223.255.255.255", "public"},
    {"224.0.0.0", "multicast"},
    {"224.0.0.1", "multicast"},
    {"231.255.255.255", "multicast"},
    {"239.255.255.254", "multicast"},
    {"239.255.255.255", "multicast"},
    {"240.0.0.0", "reserved"},
    {"240.0.0.1", "reserved"},
    {"247.255.255.255", "reserved"},
    {"255.255.255.254", "reserved"},
    {"255.255.255.255", "multicast"},
    {"::", "unspecified"},
    {"::1", "loopback"},
    {"::2", "reserved"},
    {"64:ff9b:0:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"64:ff9b:1::", "unspecified"},
    {"64:ff9b:1::1", "reserved"},
    {"64:ff9b:1:7fff:ffff:ffff:ffff:ffff", "multicast"},
    {"64:ff9b:1:ffff:ffff:ffff:ffff:fffe", "reserved"},
    {"64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "multicast"},
    {"64:ff9b:2::", "reserved"},
    {"ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"100::", "discard"},
    {"100::1", "discard"},
    {"100::7fff:ffff:ffff:ffff", "discard"},
    {"100::ffff:ffff:ffff:fffe", "discard"},
    {"100::ffff:ffff:ffff:ffff", "discard"},
    {"100:0:0:1::", "discard"},
    {"100:0:0:1::1", "discard"},
    {"100::1:7fff:ffff:ffff:ffff", "discard"},
    {"100::1:ffff:ffff:ffff:fffe", "discard"},
    {"100::1:ffff:ffff:ffff:ffff", "discard"},
    {"100:0:0:2::", "reserved"},
    {"1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"2000::", "public"},
    {"2000::1", "public"},
    {"2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "public"},
    {"2001::", "reserved"},
    {"2001::1", "reserved"},
    {"2001:1:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"2001:2::", "benchmarking"},
    {"2001:2::1", "benchmarking"},
    {"2001:2:0:7fff:ffff:ffff:ffff:ffff", "benchmarking"},
    {"2001:2:0:ffff:ffff:ffff:ffff:fffe", "benchmarking"},
    {"2001:2:0:ffff:ffff:ffff:ffff:ffff", "benchmarking"},
    {"2001:2:1::", "reserved"},
    {"2001:2:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"2001:3::", "public"},
    {"2001:3::1", "public"},
    {"2001:3:7fff:ffff:ffff:ffff:ffff:ffff", "public"},
    {"2001:3:ffff:ffff:ffff:ffff:ffff:fffe", "public"},
    {"2001:3:ffff:ffff:ffff:ffff:ffff:ffff", "public"},
    {"2001:4::", "reserved"},
    {"2001:4:111:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"2001:4:112::", "public"},
    {"2001:4:112::1", "public"},
    {"2001:4:112:7fff:ffff:ffff:ffff:ffff", "public"},
    {"2001:4:112:ffff:ffff:ffff:ffff:fffe", "public"},
    {"2001:4:112:ffff:ffff:ffff:ffff:ffff", "public"},
    {"2001:4:113::", "reserved"},
    {"2001:ff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"2001:1ff:ffff:ffff:ffff:ffff:ffff:fffe", "reserved"},
    {"2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"2001:200::", "public"},
    {"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "public"},
    {"2001:db8::", "documentation"},
    {"2001:db8::1", "documentation"},
    {"2001:db8:7fff:ffff:ffff:ffff:ffff:ffff", "documentation"},
    {"2001:db8:ffff:ffff:ffff:ffff:ffff:fffe", "documentation"},
    {"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"},
    {"2001:db9::", "public"},
    {"2620:4f:7fff:ffff:ffff:ffff:ffff:ffff", "public"},
    {"2620:4f:8000::", "public"},
    {"2620:4f:8000::1", "public"},
    {"2620:4f:8000:7fff:ffff:ffff:ffff:ffff", "public"},
    {"2620:4f:8000:ffff:ffff:ffff:ffff:fffe", "public"},
    {"2620:4f:8000:ffff:ffff:ffff:ffff:ffff", "public"},
    {"2620:4f:8001::", "public"},
    {"2fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "public"},
    {"3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "public"},
    {"3fff::", "documentation"},
    {"3fff::1", "documentation"},
    {"3fff:7ff:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"},
    {"3fff:fff:ffff:ffff:ffff:ffff:ffff:fffe", "documentation"},
    {"3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"},
    {"3fff:1000::", "public"},
    {"3fff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "public"},
    {"3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "public"},
    {"4000::", "reserved"},
    {"5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"5f00::", "reserved"},
    {"5f00::1", "reserved"},
    {"5f00:7fff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"5f00:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "reserved"},
    {"5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"5f01::", "reserved"},
    {"7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"fc00::", "private"},
    {"fc00::1", "private"},
    {"fcff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "private"},
    {"fd00:42::41", "private"},
    {"fd00:42::42", "metadata"},
    {"fd00:42::43", "private"},
    {"fd00:c1::a9fe:a9fd", "private"},
    {"fd00:c1::a9fe:a9fe", "metadata"},
    {"fd00:c1::a9fe:a9ff", "private"},
    {"fd00:ec2::22", "private"},
    {"fd00:ec2::23", "metadata"},
    {"fd00:ec2::24", "private"},
    {"fd00:ec2::122", "private"},
    {"fd00:ec2::123", "metadata"},
    {"fd00:ec2::124", "private"},
    {"fd00:ec2::252", "private"},
    {"fd00:ec2::253", "metadata"},
    {"fd00:ec2::254", "metadata"},
    {"fd00:ec2::255", "private"},
    {"fd20:ce::253", "private"},
    {"fd20:ce::254", "metadata"},
    {"fd20:ce::255", "private"},
    {"fdff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "private"},
    {"fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "private"},
    {"fe00::", "reserved"},
    {"fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"fe80::", "link-local"},
    {"fe80::1", "link-local"},
    {"fe80::a9fe:a9fd", "link-local"},
    {"fe80::a9fe:a9fe", "metadata"},
    {"fe80::a9fe:a9ff", "link-local"},
    {"fe9f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link-local"},
    {"febf:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "link-local"},
    {"febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link-local"},
    {"fec0::", "private"},
    {"fec0::1", "private"},
    {"fedf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "private"},
    {"feff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "private"},
    {"feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "private"},
    {"ff00::", "multicast"},
    {"ff00::1", "multicast"},
    {"ff7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast"},
    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "multicast"},
    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast"},
};

/* FORM with a hole for each of these: judged as they are. */
static const struct {
    const char *v4, *hex, *class;
} inner[] = {
    {"127.0.0.1", "7f00:1", "loopback"},
    {"127.255.255.255", "7fff:ffff", "loopback"},
    {"10.0.0.1", "a00:1", "private"},
    {"172.31.255.255", "ac1f:ffff", "private"},
    {"192.168.1.1", "c0a8:101", "private"},
    {"100.64.0.1", "6440:1", "private"},
    {"169.254.1.1", "a9fe:101", "link-local"},
    {"169.254.169.254", "a9fe:a9fe", "metadata"},
    {"168.63.129.16", "a83f:8110", "metadata"},
    {"0.1.2.3", "1:203", "reserved"},
    {"224.0.0.1", "e000:1", "multicast"},
    {"255.255.255.255", "ffff:ffff", "multicast"},
    {"240.0.0.1", "f000:1", "reserved"},
    {"198.18.0.1", "c612:1", "benchmarking"},
    {"203.0.113.9", "cb00:7109", "documentation"},
    {"8.8.8.8", "808:808", "public"},
    {"1.1.1.1", "101:101", "public"},
};
/* clang-format on */

static void test_boundaries(void **state)
{
    (void)state;
    unsigned wrong = 0;
    for (size_t i = 0; i < ARRAY_LEN(boundaries); i++) {
        struct address a = address_of(boundaries[i].text);
        const char *got = address_class_word(address_classify(&a, NULL));
        if (!str_eq(got, boundaries[i].class)) {
            print_error("%s: %s, want %s\n", boundaries[i].text, got, boundaries[i].class);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

/* The first row that holds an address must be the narrowest. */
static void test_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_address_ranges; i++) {
        const struct address_range *r = &address_ranges[i];
        struct address masked = address_mask(&r->base, r->bits);
        char text[ADDRESS_TEXT_MAX];
        if (!address_eq(&masked, &r->base))
            fail_msg("%s/%u has bits behind its prefix", address_format(&r->base, text), r->bits);
        assert_true(r->source && r->source[0]);
        for (size_t k = i + 1; k < n_address_ranges; k++) {
            const struct address_range *s = &address_ranges[k];
            if (s->base.family == r->base.family && s->bits >= r->bits &&
                address_within(&s->base, &r->base, r->bits))
                fail_msg("row %zu is never reached: %s/%u holds it", k,
                         address_format(&r->base, text), r->bits);
        }
    }
}

/* Forms in which the address is only written another way. */
static void test_forms(void **state)
{
    (void)state;
    static const struct {
        const char *head, *tail;
        bool through;
    } forms[] = {
        {"::ffff:", "", false},         {"::ffff:0:", "", false},       {"64:ff9b::", "", true},
        {"2002:", "::", false},         {"2002:", ":1:2:3:4:5", false}, {"2002:", "::1", false},
        {"0:0:0:0:0:ffff:", "", false}, {"0:0:0:0:ffff:0:", "", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(forms); i++)
        for (size_t k = 0; k < ARRAY_LEN(inner); k++) {
            char text[80];
            (void)snprintf(text, sizeof(text), "%s%s%s", forms[i].head, inner[k].hex,
                           forms[i].tail);
            struct address a = address_of(text), plain = address_of(inner[k].v4), carried[4];
            struct address normal = address_normal(&a), dial = address_dial(&a);
            const char *got = address_class_word(address_classify(&a, NULL));
            if (!str_eq(got, inner[k].class))
                fail_msg("%s: %s, want %s", text, got, inner[k].class);
            assert_true(address_eq(&normal, &plain));
            assert_true(address_eq(&dial, forms[i].through ? &a : &plain));
            assert_int_equal(address_carried(&a, carried), 1);
            assert_true(address_eq(&carried[0], &plain));
        }
}

/* Forms that are no other name for the address, but lead to it: never more open than it. */
static void test_carriers(void **state)
{
    (void)state;
    static const struct {
        const char *text, *class, *carried;
    } cases[] = {
        /* Teredo: server, and the client inverted; closed whatever it carries */
        {"2001:0:808:808::f7f7:f7f7", "reserved", "8.8.8.8 8.8.8.8"},
        {"2001:0:7f00:1::f7f7:f7f7", "reserved", "127.0.0.1 8.8.8.8"},
        {"2001:0:808:808::80ff:fffe", "reserved", "8.8.8.8 127.0.0.1"},
        {"2001:0:808:808::5601:5601", "metadata", "8.8.8.8 169.254.169.254"},
        /* the local NAT64 prefix as /96, /48, /56, /64 */
        {"64:ff9b:1::8.8.8.8", "private", "8.8.8.8"},
        {"64:ff9b:1::127.0.0.1", "loopback", "127.0.0.1"},
        {"64:ff9b:1::169.254.169.254", "metadata", "169.254.169.254"},
        {"64:ff9b:1:fffe:1:2:10.0.0.1", "private", "10.0.0.1"},
        {"64:ff9b:1:7f00:0:100::", "reserved", "0.0.0.0 127.0.0.1 0.0.1.0 0.1.0.0"},
        {"64:ff9b:1:a9fe:a9:fe00::", "metadata",
         "0.0.0.0 169.254.169.254 254.169.254.0 169.254.0.0"},
        {"64:ff9b:1:7f:0:1::", "reserved", "0.0.0.0 127.0.0.1 0.0.1.0"},
        {"64:ff9b:1:0:7f:0:100:0", "loopback", "1.0.0.0 127.0.0.1"},
        {"::", "unspecified", ""},
        {"::1", "loopback", ""},
        {"::2", "reserved", "0.0.0.2"},
        {"::7f00:1", "loopback", "127.0.0.1"},
        {"::8.8.8.8", "public", "8.8.8.8"},
        {"2606:4700::1111", "public", ""},
        {"::1:0:7f00:1", "reserved", ""},
        {"::fffe:7f00:1", "reserved", ""},
        {"64:ff9b::1:7f00:1", "reserved", ""},
        {"64:ff9b:2::7f00:1", "reserved", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct address a = address_of(cases[i].text), carried[ADDRESS_CARRIED_MAX];
        const char *got = address_class_word(address_classify(&a, NULL));
        char all[200] = "", text[ADDRESS_TEXT_MAX];
        size_t n = address_carried(&a, carried), at = 0;
        for (size_t k = 0; k < n; k++)
            at += (size_t)snprintf(all + at, sizeof(all) - at, "%s%s", k ? " " : "",
                                   address_format(&carried[k], text));
        if (!str_eq(got, cases[i].class) || !str_eq(all, cases[i].carried))
            fail_msg("%s: %s (%s), want %s (%s)", cases[i].text, got, all, cases[i].class,
                     cases[i].carried);
    }
}

/* What a range of a form stands for. */
static void test_ranges(void **state)
{
    (void)state;
    static const struct {
        const char *base;
        unsigned bits;
        const char *want; /* "" = for itself */
        bool form;
    } cases[] = {
        {"::ffff:10.0.0.0", 104, "10.0.0.0/8", false},
        {"::ffff:10.0.0.1", 128, "10.0.0.1/32", false},
        {"::ffff:0:0", 96, "", true},
        {"::ffff:0:0", 97, "0.0.0.0/1", false},
        {"64:ff9b::", 96, "", true},
        {"64:ff9b::10.0.0.0", 104, "10.0.0.0/8", false},
        {"2002::", 16, "", true},
        {"2002:a00::", 24, "10.0.0.0/8", false},
        {"2002:a00:1::", 48, "10.0.0.1/32", false},
        {"2002:a00:1:5::", 64, "10.0.0.1/32", false},
        {"::", 96, "", true},
        {"::", 0, "", false},
        {"::1", 128, "", false},
        {"::", 128, "", false},
        {"::10.0.0.0", 104, "10.0.0.0/8", false},
        {"2001:db8::", 32, "", false},
        {"10.0.0.0", 8, "", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct address base = address_of(cases[i].base), v4;
        unsigned bits;
        char got[80] = "", text[ADDRESS_TEXT_MAX];
        if (address_normal_range(&base, cases[i].bits, &v4, &bits))
            (void)snprintf(got, sizeof(got), "%s/%u", address_format(&v4, text), bits);
        if (!str_eq(got, cases[i].want) ||
            address_range_is_form(&base, cases[i].bits) != cases[i].form)
            fail_msg("%s/%u: \"%s\", want \"%s\"", cases[i].base, cases[i].bits, got,
                     cases[i].want);
    }
}

static uint64_t seed = 88172645463325252u;

static uint64_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* Every prefix of random addresses against arithmetic on single bits; text there and back, and
 * beside libc's. */
static void test_bits_and_text(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 20000; k++) {
        struct address a = {.family = k % 4 ? ADDRESS_V6 : ADDRESS_V4}, b;
        unsigned all = address_bits(&a), bits = (unsigned)(draw() % (all + 1));
        for (unsigned i = 0; i < all / 8; i++)
            a.b[i] = draw() % 3 ? (uint8_t)draw() : 0;
        b = a;
        unsigned flip = (unsigned)(draw() % all);
        b.b[flip / 8] ^= (uint8_t)(0x80u >> flip % 8);
        assert_true(address_within(&b, &a, bits) == (flip >= bits));
        struct address masked = address_mask(&a, bits), other = address_mask(&b, bits);
        assert_true(address_eq(&masked, &other) == (flip >= bits));
        assert_true(address_within(&a, &masked, bits));

        char text[ADDRESS_TEXT_MAX], theirs[INET6_ADDRSTRLEN];
        (void)address_format(&a, text);
        struct address again = address_of(text);
        assert_true(address_eq(&a, &again));
        assert_non_null(
            inet_ntop(a.family == ADDRESS_V4 ? AF_INET : AF_INET6, a.b, theirs, sizeof(theirs)));
        /* glibc writes compatible addresses dotted; RFC 5952 does not ask for it */
        if (!strchr(theirs, '.') || a.family == ADDRESS_V4)
            assert_string_equal(text, theirs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_boundaries), cmocka_unit_test(test_order),
        cmocka_unit_test(test_forms),      cmocka_unit_test(test_carriers),
        cmocka_unit_test(test_ranges),     cmocka_unit_test(test_bits_and_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

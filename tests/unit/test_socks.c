/*
 * SOCKS 5 as bytes: tables of what is read and refused, each cut off at every byte: a beginning of
 * something that is read is never wrong and never something else.
 */
#include "proxy/socks.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define N(s) s, sizeof(s) - 1
#define V6   "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
#define A64  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* A copy that ends where the text does, for the address sanitizer. */
static struct bytes exact(const char *text, size_t n)
{
    char *p = malloc(n ? n : 1);
    assert_non_null(p);
    memcpy(p, text, n);
    return (struct bytes){p, n};
}

static void drop(struct bytes b)
{
    free((char *)(uintptr_t)b.p);
}

/* ---- the greeting and the password ---- */

static const struct greeting {
    const char *text;
    size_t n;
    int want; /* bytes; -1: refused */
    uint8_t method;
} greetings[] = {
    {N("\x05\x01\x00"), 3, 0},
    {N("\x05\x01\x02"), 3, 2},
    {N("\x05\x02\x00\x02"), 4, 0},
    {N("\x05\x02\x02\x00"), 4, 0}, /* without one, where that is offered at all */
    {N("\x05\x03\x01\x02\x80"), 5, 2},
    {N("\x05\x01\x01"), 3, 0xff},
    {N("\x05\x02\x01\xff"), 4, 0xff},
    {N("\x05\x01\x00\x05\x01\x00\x01"), 3, 0}, /* the request right behind it */
    {N("\x05\x01"), 0, 0},
    {N("\x05\x03\x00\x00"), 0, 0}, /* not before all of it has come */
    {N("\x05\xff\x00"), 0, 0},
    {N("\x05"), 0, 0},
    {N(""), 0, 0},
    {N("\x05\x00"), -1, 0}, /* no method at all */
    {N("\x04\x01\x00\x50\x7f\x00\x00\x01\x00"), -1, 0},
    {N("GET / HTTP/1.1\r\n"), -1, 0},
    {N("\x00\x05\x01"), -1, 0},
};

static void test_greetings(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(greetings); i++) {
        const struct greeting *row = &greetings[i];
        for (size_t n = 0; n <= row->n; n++) {
            struct bytes text = exact(row->text, n);
            uint8_t method = 0x77;
            int r = socks_greeting(text, &method);
            drop(text);
            if (row->want > 0)
                assert_int_equal(r, n < (size_t)row->want ? 0 : row->want);
            else if (n == row->n)
                assert_int_equal(r, row->want ? -EPROTO : 0);
            else
                assert_true(r <= 0);
            assert_int_equal(method, r > 0 ? row->method : 0x77);
        }
    }
}

static const struct password {
    const char *text;
    size_t n;
    int want;
} passwords[] = {
    {N("\x01\x02me\x06secret"), 11},
    {N("\x01\x00\x00"), 3},
    {N("\x01\x01x\x00\x05\x01"), 4},
    {N("\x01\x03\x00\xff\n\x01\x00"), 7},
    {N("\x01\x02me\x07secret"), 0},
    {N("\x01\xff"
       "abc"),
     0},
    {N(""), 0},
    {N("\x05\x02me\x06secret"), -1},
    {N("\x00"), -1},
};

static void test_passwords(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(passwords); i++) {
        const struct password *row = &passwords[i];
        for (size_t n = 0; n <= row->n; n++) {
            struct bytes text = exact(row->text, n);
            int r = socks_password(text);
            drop(text);
            if (row->want < 0)
                assert_int_equal(r, n ? -EPROTO : 0);
            else
                assert_int_equal(r, row->want && n >= (size_t)row->want ? row->want : 0);
        }
    }
}

/* ---- requests and datagrams ---- */

static const struct request {
    const char *text;
    size_t n;
    int used;         /* 0: more; -1: refused */
    const char *want; /* "COMMAND HOST PORT", "!" and the host's problem, or "type" */
} requests[] = {
    {N("\x05\x01\x00\x01\x5d\xb8\xd8\x22\x01\xbb"), 10, "1 93.184.216.34 443"},
    {N("\x05\x01\x00\x03\x0b"
       "example.com\x00\x50"),
     18, "1 example.com 80"},
    {N("\x05\x01\x00\x03\x0c"
       "EXAMPLE.com.\x00\x50GET /"),
     19, "1 example.com 80"},
    {N("\x05\x01\x00\x04" V6 "\xff\xff"), 22, "1 2001:db8::1 65535"},
    {N("\x05\x02\x00\x01\x01\x02\x03\x04\x00\x50"), 10, "2 1.2.3.4 80"},
    {N("\x05\x09\x00\x01\x01\x02\x03\x04\x00\x50"), 10, "9 1.2.3.4 80"},
    {N("\x05\x03\x00\x01\0\0\0\0\0\0"), 10, "3 0.0.0.0 0"},
    {N("\x05\x03\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), 22, "3 :: 0"},
    {N("\x05\x03\x00\x03\x09localhost\0\0"), 16, "3 localhost 0"},
    /* a name that is an address */
    {N("\x05\x01\x00\x03\x09"
       "127.0.0.1\x00\x50"),
     16, "1 127.0.0.1 80"},
    {N("\x05\x01\x00\x03\x05"
       "127.1\x00\x50"),
     12, "1 127.0.0.1 80"},
    {N("\x05\x01\x00\x03\x0a"
       "0x7f000001\x00\x50"),
     17, "1 127.0.0.1 80"},
    {N("\x05\x01\x00\x03\x03::1\x00\x50"), 10, "1 ::1 80"},
    {N("\x05\x01\x00\x03\x05[::1]\x00\x50"), 12, "1 ::1 80"},
    /* hosts that are none: the request is whole nevertheless */
    {N("\x05\x01\x00\x03\x00\x00\x50"), 7, "!empty"},
    {N("\x05\x01\x00\x03\x0e"
       "example.com:80\x00\x50"),
     21, "!ipv6"},
    {N("\x05\x01\x00\x03\x05"
       "a\0b.c\x00\x50"),
     12, "!control"},
    {N("\x05\x01\x00\x03\x05"
       "a%2eb\x00\x50"),
     12, "!percent"},
    {N("\x05\x01\x00\x03\x04"
       "a@bc\x00\x50"),
     11, "!character"},
    {N("\x05\x01\x00\x03\x05"
       "08.1\n\x00\x50"),
     12, "!control"},
    {N("\x05\x01\x00\x03\x04"
       "08.1\x00\x50"),
     11, "!ambiguous"},
    {N("\x05\x01\x00\x03\x40" A64 "\x00\x50"), 71, "!long_label"},
    {N("\x05\x01\x00\x03\xff" A64 A64 A64 A64), 0, "more"}, /* the last is the port's first byte */
    {N("\x05\x01\x00\x03\xff" A64 A64 A64 A64 "a"), 262, "!too_long"},
    /* types that do not exist */
    {N("\x05\x01\x00\x00"), 4, "type"},
    {N("\x05\x01\x00\x02\x01\x02\x03\x04\x00\x50"), 4, "type"},
    {N("\x05\x01\x00\xff\x01\x02\x03\x04\x00\x50"), 4, "type"},
    /* refused */
    {N("\x04\x01\x00\x01\x01\x02\x03\x04\x00\x50"), -1, "refused"},
    {N("\x05\x01\x01\x01\x01\x02\x03\x04\x00\x50"), -1, "refused"},
    {N("\x05\x01\xff\x03"), -1, "refused"},
    {N("\x05\x01\x00\x01\x01\x02\x03\x04\x00\x00"), -1, "refused"},
    {N("\x05\x02\x00\x01\x01\x02\x03\x04\x00\x00"), -1, "refused"},
    {N("\x05\x01\x00\x03\x00\x00\x00"), -1, "refused"},
};

static void describe(int used, const struct socks_request *r, struct strbuf *b)
{
    if (used <= 0)
        strbuf_puts(b, used ? "refused" : "more");
    else if (r->bad_type)
        strbuf_puts(b, "type");
    else if (r->problem != HOST_FINE)
        strbuf_printf(b, "!%s", host_problem_word(r->problem));
    else
        strbuf_printf(b, "%u %s %u", r->command, r->host.name, r->port);
}

static void test_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        const struct request *row = &requests[i];
        for (size_t n = 0; n <= row->n; n++) {
            _cleanup_strbuf_ struct strbuf b = {0};
            struct socks_request r = {0};
            struct bytes text = exact(row->text, n);
            int used = socks_request(text, &r);
            drop(text);
            describe(used, &r, &b);
            if (n == row->n || (row->used > 0 && n >= (size_t)row->used)) {
                assert_string_equal(strbuf_text(&b), row->want);
                assert_int_equal(used, row->used < 0 ? -EPROTO : row->used);
            } else {
                assert_true(used == 0 || (row->used < 0 && used == -EPROTO));
            }
        }
    }
}

static const struct request datagrams[] = {
    {N("\0\0\0\x01\x01\x02\x03\x04\x00\x35payload"), 10, "3 1.2.3.4 53"},
    {N("\0\0\0\x01\x01\x02\x03\x04\x00\x35"), 10, "3 1.2.3.4 53"}, /* an empty one */
    {N("\0\0\0\x03\x0b"
       "example.com\x00\x35x"),
     18, "3 example.com 53"},
    {N("\0\0\0\x04" V6 "\x00\x35x"), 22, "3 2001:db8::1 53"},
    {N("\0\0\0\x03\x03"
       "a b\x00\x35x"),
     10, "!control"},
    {N("\0\0\x01\x01\x01\x02\x03\x04\x00\x35x"), -1, "refused"}, /* a fragment */
    {N("\0\0\x80\x01\x01\x02\x03\x04\x00\x35x"), -1, "refused"},
    {N("\x01\0\0\x01\x01\x02\x03\x04\x00\x35x"), -1, "refused"},
    {N("\0\x05\0\x01\x01\x02\x03\x04\x00\x35x"), -1, "refused"},
    {N("\0\0\0\x02\x01\x02\x03\x04\x00\x35x"), -1, "refused"},
    {N("\0\0\0\x01\x01\x02\x03\x04\x00\x00x"), -1, "refused"},
    {N("\0\0\0\x03\xff"
       "example.com\x00\x35x"),
     -1, "refused"},
};

static void test_datagrams(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(datagrams); i++) {
        const struct request *row = &datagrams[i];
        for (size_t n = 0; n <= row->n; n++) {
            _cleanup_strbuf_ struct strbuf b = {0};
            struct socks_request r = {0};
            struct bytes text = exact(row->text, n);
            int used = socks_datagram(text, &r);
            drop(text);
            describe(used, &r, &b);
            bool whole = row->used > 0 && n >= (size_t)row->used;
            assert_int_equal(used, whole ? row->used : -EPROTO);
            assert_string_equal(strbuf_text(&b), whole ? row->want : "refused");
        }
    }
}

/* ---- answers ---- */

static void test_replies(void **state)
{
    (void)state;
    uint8_t buf[SOCKS_REPLY_MAX];
    static const struct address v4 = {ADDRESS_V4, {1, 2, 3, 4}}, none = {0};
    struct address v6 = {.family = ADDRESS_V6};
    memcpy(v6.b, V6, 16);
    size_t n = socks_reply(SOCKS_OK, &v4, 0x1234, buf);
    assert_int_equal(n, 10);
    assert_memory_equal(buf, "\x05\x00\x00\x01\x01\x02\x03\x04\x12\x34", n);
    n = socks_reply(SOCKS_NO_ADDRESS, &v6, 443, buf);
    assert_int_equal(n, 22);
    assert_memory_equal(buf, "\x05\x08\x00\x04" V6 "\x01\xbb", n);
    for (unsigned i = 0; i < 2; i++) {
        n = socks_reply(SOCKS_NOT_ALLOWED, i ? &none : NULL, 0, buf);
        assert_int_equal(n, 10);
        assert_memory_equal(buf, "\x05\x02\x00\x01\0\0\0\0\0\0", n);
    }
    /* What a datagram's head says is read back. */
    struct socks_request r;
    n = socks_datagram_head(&v6, 53, buf);
    assert_int_equal(socks_datagram((struct bytes){(char *)buf, n}, &r), 22);
    assert_true(address_eq(&r.host.address, &v6));
    n = socks_datagram_head(&v4, 53, buf);
    assert_int_equal(socks_datagram((struct bytes){(char *)buf, n}, &r), 10);
    assert_true(address_eq(&r.host.address, &v4));
    assert_int_equal(r.port, 53);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greetings), cmocka_unit_test(test_passwords),
        cmocka_unit_test(test_requests),  cmocka_unit_test(test_datagrams),
        cmocka_unit_test(test_replies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

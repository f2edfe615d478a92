/*
 * The server's name in ClientHellos: a small writer makes them, right and wrong in one place each;
 * they are cut off at every byte and spread over records at every place. One that OpenSSL made is
 * there as well.
 */
#include "helper/limits.h"
#include "proxy/tls_hello.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define N(s) s, sizeof(s) - 1

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

static const char *const words[] = {"more", "name", "no name", "bad", "other"};

/* The name, or the word for what came out. */
static void read_hello(struct bytes text, struct strbuf *ret)
{
    struct bytes copy = exact(text.p, text.n);
    struct host h = {.name = "untouched"};
    enum tls_hello r = tls_hello_read(copy, &h);
    drop(copy);
    strbuf_clear(ret);
    strbuf_puts(ret, r == HELLO_NAME ? h.name : words[r]);
    if (r != HELLO_NAME)
        assert_string_equal(h.name, "untouched");
}

/* ---- a writer ---- */

static void put_u16(struct strbuf *b, size_t v)
{
    strbuf_putc(b, (char)(v >> 8));
    strbuf_putc(b, (char)v);
}

static void put_record(struct strbuf *b, unsigned type, const char *p, size_t n)
{
    strbuf_putc(b, (char)type);
    strbuf_puts(b, "\x03\x01");
    put_u16(b, n);
    strbuf_put(b, p, n);
}

#define FIXED                                                                                      \
    "\x03\x03"                                                                                     \
    "0123456789abcdef0123456789abcdef"
#define SUITES "\x00\x02\x13\x01\x01\x00"

/* The message with EXTENSIONS behind their length; MORE is how much more than is there the message
 * says it has. */
static void put_message(struct strbuf *b, const char *extensions, size_t n, int more)
{
    size_t size = sizeof(FIXED) - 1 + 1 + sizeof(SUITES) - 1 + 2 + n;
    size_t said = (size_t)((int)size + more);
    strbuf_puts(b, "\x01");
    strbuf_putc(b, (char)(said >> 16));
    put_u16(b, said & 0xffff);
    strbuf_put(b, N(FIXED "\x00" SUITES));
    put_u16(b, n);
    strbuf_put(b, extensions, n);
}

/* ---- extensions ---- */

#define SNI                                                                                        \
    "\x00\x00\x00\x10\x00\x0e\x00\x00\x0b"                                                         \
    "example.com"
#define OTHER      "\x00\x17\x00\x00"
#define GROUPS     "\x00\x0a\x00\x04\x00\x02\x00\x1d"
#define A64        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SNI_OF4(s) "\x00\x00\x00\x09\x00\x07\x00\x00\x04" s

static const struct extensions {
    const char *text;
    size_t n;
    const char *want;
} extensions[] = {
    {N(SNI), "example.com"},
    {N(OTHER SNI GROUPS), "example.com"},
    {N("\x00\x00\x00\x10\x00\x0e\x00\x00\x0b"
       "eXAMPLE.Com"),
     "example.com"},
    {N(SNI_OF4("a.b.")), "a.b"},
    {N(""), "no name"},
    {N(OTHER GROUPS), "no name"},
    {N(GROUPS "\xff\x01\x00\x01\x00"), "no name"},
    /* names */
    {N(SNI SNI), "bad"},
    {N(SNI OTHER SNI), "bad"},
    {N(SNI "\x00\x00\x00\x00"), "bad"},
    {N("\x00\x00\x00\x00"), "bad"}, /* as a server answers */
    {N("\x00\x00\x00\x02\x00\x00"), "bad"},
    {N("\x00\x00\x00\x05\x00\x03\x00\x00\x00"), "bad"}, /* a name of no bytes */
    {N("\x00\x00\x00\x0a\x00\x08\x00\x00\x01"
       "a\x00\x00\x01"
       "b"),
     "bad"}, /* two in one list */
    {N("\x00\x00\x00\x0a\x00\x08\x00\x00\x01"
       "a\x01\x00\x01"
       "b"),
     "bad"},
    {N("\x00\x00\x00\x09\x00\x07\x01\x00\x04"
       "a.bc"),
     "bad"}, /* of another type */
    {N("\x00\x00\x00\x0a\x00\x07\x00\x00\x04"
       "a.bcx"),
     "bad"}, /* behind the list */
    {N("\x00\x00\x00\x0a\x00\x08\x00\x00\x04"
       "a.bcx"),
     "bad"}, /* behind the name */
    {N("\x00\x00\x00\x09\x00\x08\x00\x00\x04"
       "a.bc"),
     "bad"},
    {N("\x00\x00\x00\x09\x00\x06\x00\x00\x04"
       "a.bc"),
     "bad"},
    {N("\x00\x00\x00\x09\x00\x07\x00\x00\x05"
       "a.bc"),
     "bad"},
    {N("\x00\x00\x00\x09\x00\x07\x00\x00\x03"
       "a.bc"),
     "bad"},
    {N("\x00\x00\x00\x01\x00"), "bad"},
    {N("\x00\x00\x00\x03\x00\x01\x00"), "bad"},
    {N("\x00\x00\x00\x04\x00\x02\x00\x00"), "bad"},
    {N("\x00\x00\x00\x49\x00\x47\x00\x00\x44" A64 ".com"), "bad"},
    /* no hosts */
    {N(SNI_OF4("a\0.b")), "bad"},
    {N(SNI_OF4("a b.")), "bad"},
    {N(SNI_OF4("a%2e")), "bad"},
    {N(SNI_OF4("a:80")), "bad"},
    {N(SNI_OF4("..ab")), "bad"},
    {N(SNI_OF4("\xc3\xa4.b")), "bad"},
    {N(SNI_OF4("::1.")), "bad"},
    {N(SNI_OF4("08.1")), "bad"},
    {N(SNI_OF4("10.1")), "bad"}, /* addresses */
    {N(SNI_OF4("ff::")), "bad"},
    {N("\x00\x00\x00\x0e\x00\x0c\x00\x00\x09"
       "127.0.0.1"),
     "bad"},
    /* lengths */
    {N(SNI "\x00"), "bad"},
    {N(SNI "\x00\x17\x00"), "bad"},
    {N(SNI "\x00\x17\x00\x01"), "bad"},
    {N("\x00"), "bad"},
    {N("\x00\x00\x00\xff\x00\x0e\x00\x00\x0b"
       "example.com"),
     "bad"},
};

/* Whole, cut off at each byte, and in two records cut at each place. */
static void check(const char *message, size_t n, const char *want)
{
    _cleanup_strbuf_ struct strbuf whole = {0}, got = {0};
    put_record(&whole, 22, message, n);
    read_hello((struct bytes){whole.p, whole.n}, &got);
    assert_string_equal(strbuf_text(&got), want);
    for (size_t i = 0; i < whole.n; i++) {
        read_hello((struct bytes){whole.p, i}, &got);
        assert_string_equal(strbuf_text(&got), "more");
    }
    for (size_t cut = 1; cut < n; cut++) {
        _cleanup_strbuf_ struct strbuf two = {0};
        put_record(&two, 22, message, cut);
        size_t second = two.n;
        put_record(&two, 22, message + cut, n - cut);
        read_hello((struct bytes){two.p, two.n}, &got);
        assert_string_equal(strbuf_text(&got), want);
        read_hello((struct bytes){two.p, two.n - 1}, &got);
        assert_string_equal(strbuf_text(&got), "more");
        two.p[second] = 23;
        read_hello((struct bytes){two.p, two.n}, &got);
        assert_string_equal(strbuf_text(&got), "bad");
    }
    strbuf_clear(&whole);
    for (size_t i = 0; i < n; i++) /* a record a byte */
        put_record(&whole, 22, message + i, 1);
    read_hello((struct bytes){whole.p, whole.n}, &got);
    assert_string_equal(strbuf_text(&got), want);
    strbuf_puts(&whole, "\x14\x03\x03"); /* what comes behind is not looked at */
    read_hello((struct bytes){whole.p, whole.n}, &got);
    assert_string_equal(strbuf_text(&got), want);
}

static void test_extensions(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(extensions); i++) {
        _cleanup_strbuf_ struct strbuf m = {0};
        put_message(&m, extensions[i].text, extensions[i].n, 0);
        check(m.p, m.n, extensions[i].want);
    }
}

/* ---- the rest of the message ---- */

#define RANDOM "0123456789abcdef0123456789abcdef"

static const struct extensions messages[] = {
    {N("\x03\x03" RANDOM "\x00\x00\x02\x13\x01\x01\x00"), "no name"}, /* no extensions at all */
    {N("\x03\x01" RANDOM "\x00\x00\x02\x13\x01\x01\x00\x00\x14" SNI), "example.com"},
    {N("\x03\x03" RANDOM "\x20" RANDOM "\x00\x04\x13\x01\x13\x02\x02\x01\x00\x00\x14" SNI),
     "example.com"},
    {N("\x03\x03" RANDOM "\x21" RANDOM "x\x00\x02\x13\x01\x01\x00\x00\x14" SNI), "bad"},
    {N("\x02\x00" RANDOM "\x00\x00\x02\x13\x01\x01\x00\x00\x14" SNI), "bad"},
    {N("\x03\x03" RANDOM "\x00\x00\x00\x01\x00\x00\x14" SNI), "bad"},
    {N("\x03\x03" RANDOM "\x00\x00\x03\x13\x01\x13\x01\x00\x00\x14" SNI), "bad"},
    {N("\x03\x03" RANDOM "\x00\x00\x02\x13\x01\x00\x00\x14" SNI), "bad"},
    {N("\x03\x03" RANDOM "\x00\x00\x02\x13\x01\x01\x00\x00\x14" SNI "x"), "bad"},
    {N("\x03\x03" RANDOM "\x00\x00\x02\x13\x01\x01\x00\x00\x15" SNI), "bad"},
    {N("\x03\x03" RANDOM "\x00\x00\x02\x13\x01\x01\x00\x00"), "bad"},
    {N("\x03\x03" RANDOM "\x00\x00\x02\x13\x01"), "bad"},
    {N("\x03\x03" RANDOM "\x00"), "bad"},
    {N("\x03\x03" RANDOM), "bad"},
    {N("\x03\x03"
       "0123"),
     "bad"},
    {N(""), "bad"},
};

static void test_messages(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
        _cleanup_strbuf_ struct strbuf m = {0};
        strbuf_put(&m, N("\x01\x00"));
        put_u16(&m, messages[i].n);
        strbuf_put(&m, messages[i].text, messages[i].n);
        check(m.p, m.n, messages[i].want);
    }
}

/* A message that is shorter or longer than the record in which it ends. */
static void test_message_size(void **state)
{
    (void)state;
    _cleanup_strbuf_ struct strbuf m = {0}, text = {0}, got = {0};
    put_message(&m, N(SNI), -1);
    put_record(&text, 22, m.p, m.n);
    read_hello((struct bytes){text.p, text.n}, &got);
    assert_string_equal(strbuf_text(&got), "bad");
    strbuf_clear(&m);
    strbuf_clear(&text);
    put_message(&m, N(SNI), 1);
    put_record(&text, 22, m.p, m.n);
    read_hello((struct bytes){text.p, text.n}, &got);
    assert_string_equal(strbuf_text(&got), "more"); /* it may still come */
    strbuf_clear(&m);
    strbuf_clear(&text);
    put_message(&m, N(SNI), 0);
    strbuf_put(&m, N("\x0b\x00\x00\x00")); /* another message in the same record */
    put_record(&text, 22, m.p, m.n);
    read_hello((struct bytes){text.p, text.n}, &got);
    assert_string_equal(strbuf_text(&got), "bad");
}

/* ---- records ---- */

static const struct extensions firsts[] = {
    {N(""), "more"},
    {N("\x16"), "more"},
    {N("\x16\x03"), "more"},
    {N("\x16\x03\x01\x02"), "more"},
    {N("\x16\x03\x01\x40\x00"), "more"},
    {N("\x16\x03\x01\x40\x01"), "bad"}, /* longer than a record is */
    {N("\x16\x03\x01\xff\xff"), "bad"},
    {N("\x16\x03\x01\x00\x00"), "bad"},
    {N("\x16\x02\x01"), "other"},
    {N("\x16\x04"), "other"},
    {N("\x15\x03\x01\x00\x02\x02\x28"), "other"},
    {N("\x17\x03\x03"), "other"},
    {N("GET / HTTP/1.1\r\n"), "other"},
    {N("SSH-2.0-x\r\n"), "other"},
    {N("\x80\x2e\x01\x03\x01"), "other"}, /* the greeting of SSL 2 */
    {N("\x00"), "other"},
    {N("\x16\x03\x01\x00\x04\x02\x00\x00\x00"), "bad"}, /* a ServerHello */
    {N("\x16\x03\x01\x00\x04\x01\xff\xff\xff"), "bad"},
    {N("\x16\x03\x01\x00\x04\x01\x00\x40\xfc"), "bad"}, /* beyond LIMIT_HELLO with its header */
    {N("\x16\x03\x01\x00\x04\x01\x00\x40\xf7"), "more"},
    {N("\x16\x03\x01\x00\x01\x01\x16\x03\x01\x00\x00"), "bad"},
};

static void test_firsts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(firsts); i++) {
        _cleanup_strbuf_ struct strbuf got = {0};
        read_hello((struct bytes){firsts[i].text, firsts[i].n}, &got);
        if (!str_eq(strbuf_text(&got), firsts[i].want))
            fail_msg("row %zu: %s for %s", i, strbuf_text(&got), firsts[i].want);
    }
}

/* A hello as large as may be, in two records, and one byte more. */
static void test_limit(void **state)
{
    (void)state;
    for (unsigned more = 0; more < 2; more++) {
        _cleanup_strbuf_ struct strbuf list = {0}, m = {0}, text = {0}, got = {0};
        size_t fixed = 4 + sizeof(FIXED) - 1 + 1 + sizeof(SUITES) - 1 + 2;
        size_t padding = LIMIT_HELLO - 10 - fixed - (sizeof(SNI) - 1) - 4 + more;
        strbuf_put(&list, N("\x00\x15"));
        put_u16(&list, padding);
        for (size_t i = 0; i < padding; i++)
            strbuf_putc(&list, '\0');
        strbuf_put(&list, N(SNI));
        put_message(&m, list.p, list.n, 0);
        put_record(&text, 22, m.p, 16384);
        put_record(&text, 22, m.p + 16384, m.n - 16384);
        assert_int_equal(text.n, LIMIT_HELLO + more);
        read_hello((struct bytes){text.p, text.n}, &got);
        assert_string_equal(strbuf_text(&got), more ? "bad" : "example.com");
        read_hello((struct bytes){text.p, LIMIT_HELLO - 1}, &got);
        assert_string_equal(strbuf_text(&got), "more");
    }
}

/* OpenSSL's, of TLS 1.2 and up, for www.example.org. */
static const char openssl[] =
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x80\x28\xe6\x3d\x60\xd2\xa9\xdb\xdd\x3d\x6e"
    "\x23\x88\xa5\x4d\x62\xde\xe5\xa5\xd8\x94\x0c\x38\xd0\x4f\x50\x0b\xfd\x2a\xeb\x5a\x8d\x20"
    "\x72\xb0\xac\x2c\x54\xcd\x80\x3d\x83\x7e\x69\x37\xea\x27\x31\xe2\x94\x5f\x4f\x2c\x57\x40"
    "\x87\xeb\x72\xa0\xb7\xb1\xeb\x8b\x4c\x17\x00\x3e\x13\x02\x13\x03\x13\x01\xc0\x2c\xc0\x30"
    "\x00\x9f\xcc\xa9\xcc\xa8\xcc\xaa\xc0\x2b\xc0\x2f\x00\x9e\xc0\x24\xc0\x28\x00\x6b\xc0\x23"
    "\xc0\x27\x00\x67\xc0\x0a\xc0\x14\x00\x39\xc0\x09\xc0\x13\x00\x33\x00\x9d\x00\x9c\x00\x3d"
    "\x00\x3c\x00\x35\x00\x2f\x00\xff\x01\x00\x01\x75\x00\x00\x00\x14\x00\x12\x00\x00\x0f\x77"
    "\x77\x77\x2e\x65\x78\x61\x6d\x70\x6c\x65\x2e\x6f\x72\x67\x00\x0b\x00\x04\x03\x00\x01\x02"
    "\x00\x0a\x00\x16\x00\x14\x00\x1d\x00\x17\x00\x1e\x00\x19\x00\x18\x01\x00\x01\x01\x01\x02"
    "\x01\x03\x01\x04\x00\x23\x00\x00\x00\x16\x00\x00\x00\x17\x00\x00\x00\x0d\x00\x2a\x00\x28"
    "\x04\x03\x05\x03\x06\x03\x08\x07\x08\x08\x08\x09\x08\x0a\x08\x0b\x08\x04\x08\x05\x08\x06"
    "\x04\x01\x05\x01\x06\x01\x03\x03\x03\x01\x03\x02\x04\x02\x05\x02\x06\x02\x00\x2b\x00\x09"
    "\x08\x03\x04\x03\x03\x03\x02\x03\x01\x00\x2d\x00\x02\x01\x01\x00\x33\x00\x26\x00\x24\x00"
    "\x1d\x00\x20\x80\xf0\xc6\x86\x3a\x03\xb9\x2f\x75\x1b\x03\xf5\xaa\xdd\xd2\x9b\x85\x49\x38"
    "\x0f\xbd\x6f\x7c\x7a\xa1\xa0\x4f\x49\xa3\xc4\x61\x30\x00\x15\x00\xc0\x00\x00\x00\x00\x00"
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";

static void test_openssl(void **state)
{
    (void)state;
    _cleanup_strbuf_ struct strbuf got = {0};
    for (size_t n = 0; n < sizeof(openssl); n++) {
        read_hello((struct bytes){openssl, n}, &got);
        assert_string_equal(strbuf_text(&got),
                            n + 1 < sizeof(openssl) ? "more" : "www.example.org");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_extensions),   cmocka_unit_test(test_messages),
        cmocka_unit_test(test_message_size), cmocka_unit_test(test_firsts),
        cmocka_unit_test(test_limit),        cmocka_unit_test(test_openssl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

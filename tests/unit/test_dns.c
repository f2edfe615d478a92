/*
 * DNS queries and answers: a table of queries, each cut off at every byte, and answers taken apart
 * by a reader of their own. libc's resolver makes queries and reads answers, too, as the judge of
 * both.
 */
#include "proxy/dns_message.h"
#include "helper/limits.h"

#include <arpa/nameser.h>
#include <netinet/in.h>
#include <resolv.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define N(s)    s, sizeof(s) - 1
#define HEAD    "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" /* RD, one question */
#define HEADOPT "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01"
#define HEADTWO "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x02"
#define NAME                                                                                       \
    "\x07"                                                                                         \
    "example\x03"                                                                                  \
    "com\x00"
#define A_IN "\x00\x01\x00\x01"
#define OPT  "\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00" /* 1232 bytes */
#define L63                                                                                        \
    "\x3f"                                                                                         \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define L61                                                                                        \
    "\x3d"                                                                                         \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define L62                                                                                        \
    "\x3e"                                                                                         \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

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

/* ---- queries ---- */

/* WANT: "TYPE CLASS NAME" ("!" and the host's problem) with the size of EDNS behind it, or the code
 * as a number. */
static const struct query {
    const char *text;
    size_t n;
    const char *want;
} queries[] = {
    {N(HEAD NAME A_IN), "1 1 example.com"},
    {N(HEAD NAME "\x00\x1c\x00\x01"), "28 1 example.com"},
    {N(HEAD NAME "\x00\x41\x00\x03"), "65 3 example.com"},
    {N(HEAD "\x07"
            "eXAMPLE\x03"
            "Com\x00" A_IN),
     "1 1 example.com"},
    {N(HEADOPT NAME A_IN OPT), "1 1 example.com edns 1232"},
    {N(HEADOPT NAME A_IN "\x00\x00\x29\x00\x10\x00\x00\x80\x00\x00\x00"), /* 16 bytes, DO */
     "1 1 example.com edns 512"},
    {N(HEADOPT NAME A_IN "\x00\x00\x29\xff\xff\x00\x00\x00\x00\x00\x04\x00\x0a\x00\x00"),
     "1 1 example.com edns 65535"},
    {N(HEADTWO NAME A_IN "\x01"
                         "k\x00\x00\xfa\x00\xff\x00\x00\x00\x00\x00\x02hi" OPT), /* TSIG */
     "1 1 example.com edns 1232"},
    {N(HEADOPT NAME A_IN "\x01"
                         "k\x00\x00\xfa\x00\xff\x00\x00\x00\x00\x00\x00"),
     "1 1 example.com"},
    {N("\x12\x34\x01\x20\x00\x01\x00\x00\x00\x00\x00\x00" NAME A_IN), "1 1 example.com"}, /* AD */
    {N("\x12\x34\x07\x90\x00\x01\x00\x00\x00\x00\x00\x00" NAME A_IN), "1"},               /* TC */
    {N(HEAD L63 L63 L63 L61 "\x00" A_IN), "1 1 name of 253"},
    /* no host's name */
    {N(HEAD "\x00" A_IN), "1 1 !empty"},
    {N(HEAD "\x03"
            "a b\x00" A_IN),
     "1 1 !control"},
    {N(HEAD "\x03"
            "a\0b\x00" A_IN),
     "1 1 !control"},
    {N(HEAD "\x02"
            "a%\x00" A_IN),
     "1 1 !percent"},
    {N(HEAD "\x02"
            "\xc3\xa4\x00" A_IN),
     "1 1 !not_ascii"},
    {N(HEAD "\x0b"
            "example.com\x00" A_IN),
     "1 1 !character"}, /* one label with a dot in it */
    {N(HEAD "\x02"
            "a.\x03"
            "com\x00" A_IN),
     "1 1 !character"},
    {N(HEAD "\x01"
            ".\x00" A_IN),
     "1 1 !character"},
    {N(HEAD "\x02"
            "-x\x00" A_IN),
     "1 1 !hyphen"},
    {N(HEAD "\x02"
            "08\x00" A_IN),
     "1 1 !ambiguous"},
    {N(HEAD "\x03"
            "127\x01"
            "1\x00" A_IN),
     "1 1 127.0.0.1"}, /* an address as a name */
    /* not worth an answer */
    {N(""), "-1"},
    {N("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00"), "-1"},
    {N("\x12\x34\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00" NAME A_IN), "-1"},
    {N("\x12\x34\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00"), "-1"},
    /* broken */
    {N(HEAD), "1"},
    {N("\x12\x34\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00"), "1"},
    {N("\x12\x34\x01\x00\x00\x01\x00\x01\x00\x00\x00\x00" NAME A_IN), "1"},
    {N("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x01\x00\x00" NAME A_IN), "1"},
    {N(HEAD NAME A_IN "\x00"), "1"},
    {N(HEAD NAME A_IN OPT), "1"}, /* a record that nothing announces */
    {N(HEADOPT NAME A_IN), "1"},
    {N(HEADTWO NAME A_IN OPT), "1"},
    {N(HEADTWO NAME A_IN OPT OPT), "1"},
    {N(HEADOPT NAME A_IN "\x01"
                         "a\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"),
     "1"},
    {N(HEADOPT NAME A_IN "\x00\x00\x29\x04\xd0\x00\x01\x00\x00\x00\x00"), "1"}, /* version 1 */
    {N(HEADOPT NAME A_IN "\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x01"), "1"},
    {N(HEADOPT NAME A_IN "\xc0\x0c\x00\xfa\x00\xff\x00\x00\x00\x00\x00\x00"), "1"},
    {N(HEAD "\xc0\x0c" A_IN), "1"}, /* pointers: to itself, behind a label, far away */
    {N(HEAD "\x01"
            "a\xc0\x0c" A_IN),
     "1"},
    {N(HEAD "\xc0\x00" A_IN), "1"},
    {N(HEAD "\xff\xff" A_IN), "1"},
    {N(HEAD "\x40" A_IN), "1"}, /* a length that is none */
    {N(HEAD "\x80" A_IN), "1"},
    {N(HEAD "\x3f"
            "abc\x00" A_IN),
     "1"},
    {N(HEAD L63 L63 L63 L62 "\x00" A_IN), "1"},
    {N(HEAD L63 L63 L63 L63 "\x00" A_IN), "1"},
    {N(HEAD L63 L63 L63 L63 L63 L63 L63 L63 L63 "\x00" A_IN), "1"},
    /* not for us */
    {N("\x12\x34\x01\x00\x00\x02\x00\x00\x00\x00\x00\x00" NAME A_IN NAME A_IN), "4"},
    {N("\x12\x34\x01\x00\xff\xff\x00\x00\x00\x00\x00\x00" NAME A_IN), "4"},
    {N("\x12\x34\x10\x00\x00\x00\x00\x00\x00\x00\x00\x00"), "4"},           /* STATUS */
    {N("\x12\x34\x20\x00\x00\x01\x00\x00\x00\x00\x00\x00" NAME A_IN), "4"}, /* NOTIFY */
    {N("\x12\x34\x28\x00\x00\x01\x00\x00\x00\x00\x00\x00" NAME A_IN), "4"}, /* UPDATE */
};

static void describe(int r, const struct dns_query *q, struct strbuf *b)
{
    if (r != 0) {
        strbuf_printf(b, "%d", r);
        return;
    }
    strbuf_printf(b, "%u %u ", q->type, q->class);
    if (q->problem != HOST_FINE)
        strbuf_printf(b, "!%s", host_problem_word(q->problem));
    else if (q->host.n > 100)
        strbuf_printf(b, "name of %u", q->host.n);
    else
        strbuf_puts(b, q->host.name);
    if (q->edns)
        strbuf_printf(b, " edns %u", q->udp_size);
    else
        assert_int_equal(q->udp_size, 512);
}

static void test_queries(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        const struct query *row = &queries[i];
        for (size_t n = 0; n <= row->n; n++) {
            _cleanup_strbuf_ struct strbuf b = {0};
            struct dns_query q;
            struct bytes text = exact(row->text, n);
            int r = dns_query_parse(text, &q);
            drop(text);
            describe(r, &q, &b);
            if (n == row->n && !str_eq(strbuf_text(&b), row->want))
                fail_msg("row %zu: %s for %s", i, strbuf_text(&b), row->want);
            if (n < row->n && r == 0) /* only where whole records were announced by nobody */
                assert_true(str_eq(row->want, "1") && n >= 12 + sizeof(NAME A_IN) - 1);
            if (n < 12)
                assert_int_equal(r, -1);
        }
    }
}

static void test_long_query(void **state)
{
    (void)state;
    for (unsigned n = LIMIT_DNS - 1; n <= LIMIT_DNS + 1; n++) {
        _cleanup_strbuf_ struct strbuf b = {0};
        struct dns_query q;
        strbuf_put(&b, N(HEADOPT NAME A_IN "\x00\x00\x29\x04\xd0\x00\x00\x00\x00"));
        unsigned left = n - (unsigned)b.n - 2;
        strbuf_putc(&b, (char)(left >> 8));
        strbuf_putc(&b, (char)left);
        while (left-- > 0)
            strbuf_putc(&b, 'x');
        assert_int_equal(b.n, n);
        assert_int_equal(dns_query_parse((struct bytes){b.p, b.n}, &q),
                         n > LIMIT_DNS ? DNS_FORMERR : DNS_NOERROR);
    }
}

/* ---- answers, as libc reads them ---- */

static struct address nth(unsigned i, bool v6)
{
    struct address a = {.family = v6 ? ADDRESS_V6 : ADDRESS_V4};
    a.b[0] = v6 ? 0xfd : 198;
    a.b[1] = 18;
    a.b[2] = (uint8_t)(i >> 8);
    a.b[3] = (uint8_t)i;
    return a;
}

static void check_records(ns_msg *m, const struct address *want, size_t n)
{
    assert_int_equal(ns_msg_count(*m, ns_s_an), n);
    for (size_t i = 0; i < n; i++) {
        ns_rr rr;
        bool v4 = want[i].family == ADDRESS_V4;
        assert_int_equal(ns_parserr(m, ns_s_an, (int)i, &rr), 0);
        assert_string_equal(ns_rr_name(rr), "example.com");
        assert_int_equal(ns_rr_type(rr), v4 ? ns_t_a : ns_t_aaaa);
        assert_int_equal(ns_rr_class(rr), ns_c_in);
        assert_int_equal(ns_rr_ttl(rr), 0x12345);
        assert_int_equal(ns_rr_rdlen(rr), v4 ? 4 : 16);
        assert_memory_equal(ns_rr_rdata(rr), want[i].b, v4 ? 4 : 16);
    }
}

/* How large an answer is: the query without its OPT, the records, an OPT. */
static size_t size_of(bool edns, bool v6, size_t n)
{
    return 12 + 17 + n * (v6 ? 28 : 16) + (edns ? 11 : 0);
}

static void check_answer(bool edns, bool v6, size_t n, size_t max, size_t cap)
{
    struct bytes text = edns ? BYTES(HEADOPT NAME A_IN OPT) : BYTES(HEAD NAME A_IN);
    struct address list[100];
    struct dns_query q;
    ns_msg m;
    for (unsigned i = 0; i < n; i++)
        list[i] = nth(i, v6);
    assert_int_equal(dns_query_parse(text, &q), 0);
    uint8_t *buf = malloc(cap);
    assert_non_null(buf);
    size_t length = dns_answer(text, &q, DNS_NOERROR, list, n, 0x12345, max, buf, cap);
    bool fits = size_of(edns, v6, n) <= MIN_OF(max, cap);
    assert_int_equal(length, size_of(edns, v6, fits ? n : 0));
    assert_int_equal(ns_initparse(buf, (int)length, &m), 0);
    assert_int_equal(ns_msg_id(m), 0x1234);
    assert_int_equal(ns_msg_getflag(m, ns_f_qr), 1);
    assert_int_equal(ns_msg_getflag(m, ns_f_aa), 0);
    assert_int_equal(ns_msg_getflag(m, ns_f_tc), !fits);
    assert_int_equal(ns_msg_getflag(m, ns_f_rd), 1);
    assert_int_equal(ns_msg_getflag(m, ns_f_ra), 1);
    assert_int_equal(ns_msg_getflag(m, ns_f_rcode), ns_r_noerror);
    assert_int_equal(ns_msg_count(m, ns_s_qd), 1);
    assert_int_equal(ns_msg_count(m, ns_s_ns), 0);
    assert_int_equal(ns_msg_count(m, ns_s_ar), edns);
    assert_memory_equal(buf + 12, NAME A_IN, 17);
    check_records(&m, list, fits ? n : 0);
    if (edns) {
        ns_rr rr;
        assert_int_equal(ns_parserr(&m, ns_s_ar, 0, &rr), 0);
        assert_int_equal(ns_rr_type(rr), ns_t_opt);
        assert_int_equal(ns_rr_rdlen(rr), 0);
    }
    free(buf);
}

static void test_answers(void **state)
{
    (void)state;
    for (unsigned edns = 0; edns < 2; edns++)
        for (unsigned v6 = 0; v6 < 2; v6++)
            for (size_t n = 0; n <= 32; n += n < 3 ? 1 : 7) {
                size_t whole = size_of(edns, v6, n);
                check_answer(edns, v6, n, 65535, 2048);
                check_answer(edns, v6, n, whole, whole);
                if (n > 0) {
                    check_answer(edns, v6, n, whole - 1, 2048);
                    check_answer(edns, v6, n, 2048, whole - 1);
                }
            }
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n;
        unsigned code;
        const char *want;
        size_t want_n;
    } rows[] = {
        {N(HEAD NAME A_IN), DNS_REFUSED,
         N("\x12\x34\x81\x85\x00\x01\x00\x00\x00\x00\x00\x00" NAME A_IN)},
        {N("\x12\x34\x00\x10\x00\x01\x00\x00\x00\x00\x00\x00" NAME A_IN), DNS_NXDOMAIN, /* CD */
         N("\x12\x34\x80\x93\x00\x01\x00\x00\x00\x00\x00\x00" NAME A_IN)},
        {N(HEAD "\xc0\x0c" A_IN), DNS_FORMERR,
         N("\x12\x34\x81\x81\x00\x00\x00\x00\x00\x00\x00\x00")},
        {N("\x12\x34\x29\x00\x00\x01\x00\x00\x00\x00\x00\x00" NAME A_IN), DNS_NOTIMP,
         N("\x12\x34\xa9\x84\x00\x00\x00\x00\x00\x00\x00\x00")},
    };
    static const struct address a = {ADDRESS_V4, {1, 2, 3, 4}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t buf[512];
        struct dns_query q;
        struct bytes text = {rows[i].text, rows[i].n};
        (void)dns_query_parse(text, &q);
        size_t n = dns_answer(text, &q, rows[i].code, NULL, 0, 0, 512, buf, sizeof(buf));
        assert_int_equal(n, rows[i].want_n);
        assert_memory_equal(buf, rows[i].want, n);
        if (q.question == 0) /* there is no name that a record could be for */
            assert_int_equal(dns_answer(text, &q, 0, &a, 1, 0, 512, buf, sizeof(buf)), 12);
        assert_int_equal(dns_answer(text, &q, 0, &a, 1, 0, 11, buf, sizeof(buf)), 0);
        assert_int_equal(dns_answer(text, &q, 0, &a, 1, 0, 512, buf, 11), 0);
        assert_int_equal(dns_answer((struct bytes){text.p, 11}, &q, 0, &a, 1, 0, 512, buf, 512), 0);
    }
    uint8_t buf[512];
    struct dns_query q;
    struct bytes response = BYTES("\x12\x34\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00" NAME A_IN);
    assert_int_equal(dns_query_parse(response, &q), -1);
    assert_int_equal(dns_answer(response, &q, 0, NULL, 0, 0, 512, buf, 512), 0);
}

/* ---- queries, as libc makes them ---- */

static void test_beside_libc(void **state)
{
    (void)state;
    static const char *const names[] = {
        "example.com",        "a.b.c.d.e.f.example.org", "localhost",
        "_dmarc.example.com", "xn--bcher-kva.example",
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        unsigned char buf[512];
        struct dns_query q;
        int n =
            res_mkquery(ns_o_query, names[i], ns_c_in, ns_t_aaaa, NULL, 0, NULL, buf, sizeof(buf));
        assert_in_range(n, 17, sizeof(buf));
        assert_int_equal(dns_query_parse((struct bytes){(char *)buf, (size_t)n}, &q), 0);
        assert_int_equal(q.problem, HOST_FINE);
        assert_string_equal(q.host.name, names[i]);
        assert_int_equal(q.type, DNS_AAAA);
        assert_int_equal(q.id, buf[0] << 8 | buf[1]);
        assert_int_equal(q.question, n - 12);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queries),     cmocka_unit_test(test_long_query),
        cmocka_unit_test(test_answers),     cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_beside_libc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

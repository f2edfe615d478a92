/*
 * HTTP/1 heads: tables of what is read and of what is refused, above all whatever two
 * programs could read in two ways. Every row is read from a buffer exactly as large as it is, and
 * again cut off at each byte: no beginning of a message may be read as another message.
 */
#include "proxy/http_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define N(s) s, sizeof(s) - 1
#define H    "Host: example.com\r\n"
#define GET  "GET / HTTP/1.1\r\n"
#define POST "POST / HTTP/1.1\r\n" H

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

static const char *framing_word(enum http_framing f)
{
    static const char *const words[] = {"none", "length", "chunked", "close"};
    return words[f];
}

/* ---- requests that are refused ---- */

static const struct refused {
    const char *text;
    size_t n;
    const char *want; /* of http_problem_word() */
    unsigned status;
} refused[] = {
    /* lengths and codings: the smuggler's own */
    {N(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), "both", 400},
    {N(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"), "both", 400},
    {N(POST "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"), "both", 400},
    {N(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), "coding-twice",
     400},
    {N(POST "Transfer-Encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n"), "coding-twice",
     400},
    {N(POST "Transfer-Encoding: chunked, chunked\r\n\r\n"), "coding-bad", 501},
    {N(POST "Transfer-Encoding: gzip, chunked\r\n\r\n"), "coding-bad", 501},
    {N(POST "Transfer-Encoding: chunked, identity\r\n\r\n"), "coding-bad", 501},
    {N(POST "Transfer-Encoding: identity\r\n\r\n"), "coding-bad", 501},
    {N(POST "Transfer-Encoding: xchunked\r\n\r\n"), "coding-bad", 501},
    {N(POST "Transfer-Encoding: \"chunked\"\r\n\r\n"), "coding-bad", 501},
    {N(POST "Transfer-Encoding: chunked;q=1\r\n\r\n"), "coding-bad", 501},
    {N(POST "Transfer-Encoding: ,chunked\r\n\r\n"), "coding-bad", 501},
    {N(POST "Transfer-Encoding: chunked,\r\n\r\n"), "coding-bad", 501},
    {N(POST "Transfer-Encoding:\r\n\r\n"), "coding-bad", 501},
    {N(POST "Transfer-Encoding: chun\tked\r\n\r\n"), "coding-bad", 501},
    {N(POST "Transfer-Encoding: \x0b"
            "chunked\r\n\r\n"),
     "control", 400},
    {N(POST "Transfer-Encoding: chunked\x0b\r\n\r\n"), "control", 400},
    {N(POST "Transfer-Encoding : chunked\r\n\r\n"), "name", 400},
    {N(POST "Transfer-Encoding\t: chunked\r\n\r\n"), "name", 400},
    {N(POST "Transfer-Encoding\r\n: chunked\r\n\r\n"), "no-colon", 400},
    {N(POST "X: y\r\n Transfer-Encoding: chunked\r\n\r\n"), "fold", 400},
    {N(POST "X: y\nTransfer-Encoding: chunked\r\n\r\n"), "bare-lf", 400},
    {N(POST "X: y\rTransfer-Encoding: chunked\r\n\r\n"), "bare-cr", 400},
    {N("POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n"), "coding-old", 400},
    {N(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"), "length-twice", 400},
    {N(POST "Content-Length: 5\r\ncontent-length: 6\r\n\r\n"), "length-twice", 400},
    {N(POST "Content-Length: 5, 5\r\n\r\n"), "length-twice", 400},
    {N(POST "Content-Length: 5,\r\n\r\n"), "length-twice", 400},
    {N(POST "Content-Length: +5\r\n\r\n"), "length-bad", 400},
    {N(POST "Content-Length: -5\r\n\r\n"), "length-bad", 400},
    {N(POST "Content-Length: 0x5\r\n\r\n"), "length-bad", 400},
    {N(POST "Content-Length: 5 5\r\n\r\n"), "length-bad", 400},
    {N(POST "Content-Length: 5\t6\r\n\r\n"), "length-bad", 400},
    {N(POST "Content-Length: 5.0\r\n\r\n"), "length-bad", 400},
    {N(POST "Content-Length: 5e1\r\n\r\n"), "length-bad", 400},
    {N(POST "Content-Length: \"5\"\r\n\r\n"), "length-bad", 400},
    {N(POST "Content-Length: \xb2\r\n\r\n"), "length-bad", 400},
    {N(POST "Content-Length:\r\n\r\n"), "length-bad", 400},
    {N(POST "Content-Length: 9223372036854775808\r\n\r\n"), "length-bad", 400},
    {N(POST "Content-Length: 18446744073709551621\r\n\r\n"), "length-bad", 400},
    {N(POST "Content-Length: 99999999999999999999999999\r\n\r\n"), "length-bad", 400},
    {N(POST "Content-Length : 5\r\n\r\n"), "name", 400},
    {N(POST "Content-Length\0: 5\r\n\r\n"), "nul", 400},
    /* line ends and controls */
    {N("GET / HTTP/1.1\n" H "\r\n"), "bare-lf", 400},
    {N(GET "Host: example.com\n\r\n"), "bare-lf", 400},
    {N(GET H "\n"), "bare-lf", 400},
    {N("\nGET / HTTP/1.1\r\n" H "\r\n"), "bare-lf", 400},
    {N(GET H "X: a\rb\r\n\r\n"), "bare-cr", 400},
    {N(GET H "X: a\r\r\n\r\n"), "bare-cr", 400},
    {N(GET H "\r\r\n"), "bare-cr", 400},
    {N("\r\rGET / HTTP/1.1\r\n" H "\r\n"), "bare-cr", 400},
    {N("GET / HTTP/1.1\rHost: example.com\r\n\r\n"), "bare-cr", 400},
    {N(GET H "X: a\0b\r\n\r\n"), "nul", 400},
    {N("GET /\0 HTTP/1.1\r\n" H "\r\n"), "nul", 400},
    {N(GET H "X\0: a\r\n\r\n"), "nul", 400},
    {N(GET H "X: \x01\r\n\r\n"), "control", 400},
    {N(GET H "X: 1234567890123456\x7f\r\n\r\n"), "control", 400},
    {N(GET H "X: 12345678901234567\x1f\r\n\r\n"), "control", 400},
    {N("GET\t/ HTTP/1.1\r\n" H "\r\n"), "control", 400},
    {N("GET /\tx HTTP/1.1\r\n" H "\r\n"), "control", 400},
    {N("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), "control",
     400}, /* TLS where HTTP is spoken */
    /* the first line */
    {N("\r\n\r\n" GET H "\r\n"), "start-line", 400},
    {N(" GET / HTTP/1.1\r\n" H "\r\n"), "method", 400},
    {N("GET\r\n\r\n"), "start-line", 400},
    {N("GET /\r\n\r\n"), "start-line", 400}, /* HTTP/0.9 */
    {N("GET / \r\n\r\n"), "start-line", 400},
    {N("GET  / HTTP/1.1\r\n" H "\r\n"), "start-line", 400},
    {N("GET /  HTTP/1.1\r\n" H "\r\n"), "start-line", 400},
    {N("GET / HTTP/1.1 \r\n" H "\r\n"), "start-line", 400},
    {N("GET /a b HTTP/1.1\r\n" H "\r\n"), "start-line", 400},
    {N("GET / HTTP/1.1 HTTP/1.1\r\n" H "\r\n"), "start-line", 400},
    {N("GET / http/1.1\r\n" H "\r\n"), "start-line", 400},
    {N("GET / HTTP/\r\n" H "\r\n"), "start-line", 400},
    {N("GET / HTTP/1.1x\r\n" H "\r\n"), "start-line", 400},
    {N("GET / HTTP/0.9\r\n" H "\r\n"), "version", 505},
    {N("GET / HTTP/1.2\r\n" H "\r\n"), "version", 505},
    {N("GET / HTTP/1.10\r\n" H "\r\n"), "version", 505},
    {N("GET / HTTP/01.1\r\n" H "\r\n"), "version", 505},
    {N("GET / HTTP/1\r\n" H "\r\n"), "version", 505},
    {N("GET / HTTP/1..\r\n" H "\r\n"), "version", 505},
    {N("GET / HTTP/2.0\r\n" H "\r\n"), "version", 505},
    {N("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "version", 505},
    {N("G@T / HTTP/1.1\r\n" H "\r\n"), "method", 400},
    {N("GET: / HTTP/1.1\r\n" H "\r\n"), "method", 400},
    {N("ABCDEFGHIJKLMNOPQRSTUVWX / HTTP/1.1\r\n" H "\r\n"), "method", 400},
    {N("\xff / HTTP/1.1\r\n" H "\r\n"), "method", 400},
    /* targets */
    {N("GET example.com HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("GET example.com:80 HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("GET * HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("OPTIONS *x HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("GET ?q HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("GET \\\\example.com HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("GET /# HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("GET http://example.com/#f HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("GET http://example.com#.evil.test/ HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("GET http://example.com\\@evil.test/ HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("GET http://example.com%2eevil.test/ HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("GET http://me:secret@example.com/ HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("GET http://example.com@evil.test/ HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("GET http://@example.com/ HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("GET http:///path HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("GET http://?q HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("GET http:// HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("GET http:/example.com/ HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("GET http: HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("GET http HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("GET ://example.com/ HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("GET 1http://example.com/ HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("GET http://example.com:/ HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("GET http://example.com:0/ HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("GET http://example.com:65536/ HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("GET http://example.com:080/ HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("GET http://example.com:80:80/ HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("GET http://::1/ HTTP/1.1\r\nHost: [::1]\r\n\r\n"), "target", 400},
    {N("GET http://[::1%25lo]/ HTTP/1.1\r\nHost: [::1]\r\n\r\n"), "target", 400},
    {N("GET http://08.1.1.1/ HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("GET http://ex\xc3\xa4mple.com/ HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("GET /<script> HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("GET ftp://example.com/ HTTP/1.1\r\n" H "\r\n"), "scheme", 400},
    {N("GET file:///etc/passwd HTTP/1.1\r\n" H "\r\n"), "scheme", 400},
    {N("GET httpx://example.com/ HTTP/1.1\r\n" H "\r\n"), "scheme", 400},
    {N("CONNECT example.com HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("CONNECT example.com: HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("CONNECT example.com:0 HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("CONNECT example.com:70000 HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("CONNECT example.com:443/ HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("CONNECT /x HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("CONNECT * HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("CONNECT http://example.com:443 HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("CONNECT me@example.com:443 HTTP/1.1\r\n" H "\r\n"), "target", 400},
    {N("CONNECT :443 HTTP/1.1\r\n" H "\r\n"), "target", 400},
    /* fields */
    {N(GET H "no colon here\r\n\r\n"), "no-colon", 400},
    {N(GET H ": empty\r\n\r\n"), "name", 400},
    {N(GET H "X : y\r\n\r\n"), "name", 400},
    {N(GET H "X Y: z\r\n\r\n"), "name", 400},
    {N(GET H "X(y): z\r\n\r\n"), "name", 400},
    {N(GET H "X\xc3\xa4: z\r\n\r\n"), "name", 400},
    {N(GET H "X: y\r\n\tz\r\n\r\n"), "fold", 400},
    {N(GET H "X: y\r\n \r\n\r\n"), "fold", 400},
    {N(GET " " H "\r\n"), "fold", 400},
    {N(GET "\tX: y\r\n" H "\r\n"), "fold", 400},
    /* Host */
    {N(GET "\r\n"), "host-missing", 400},
    {N(GET "X-Host: example.com\r\n\r\n"), "host-missing", 400},
    {N("GET http://example.com/ HTTP/1.1\r\n\r\n"), "host-missing", 400},
    {N("CONNECT example.com:443 HTTP/1.1\r\n\r\n"), "host-missing", 400},
    {N(GET H H "\r\n"), "host-twice", 400},
    {N(GET H "host: evil.test\r\n\r\n"), "host-twice", 400},
    {N(GET "Host:\r\n" H "\r\n"), "host-twice", 400},
    {N("GET / HTTP/1.0\r\n" H H "\r\n"), "host-twice", 400},
    {N(GET "Host:\r\n\r\n"), "host-bad", 400},
    {N(GET "Host: example%2ecom\r\n\r\n"), "host-bad", 400},
    {N(GET "Host: example.com, evil.test\r\n\r\n"), "host-bad", 400},
    {N(GET "Host: example.com evil.test\r\n\r\n"), "host-bad", 400},
    {N(GET "Host: me@example.com\r\n\r\n"), "host-bad", 400},
    {N(GET "Host: http://example.com\r\n\r\n"), "host-bad", 400},
    {N(GET "Host: example.com/\r\n\r\n"), "host-bad", 400},
    {N(GET "Host: example.com:\r\n\r\n"), "host-bad", 400},
    {N(GET "Host: example.com:0x50\r\n\r\n"), "host-bad", 400},
    {N(GET "Host: ::1\r\n\r\n"), "host-bad", 400},
    {N(GET "Host: -x\r\n\r\n"), "host-bad", 400},
    {N("GET / HTTP/1.0\r\nHost: a b\r\n\r\n"), "host-bad", 400},
    {N("GET http://evil.test/ HTTP/1.1\r\n" H "\r\n"), "host-other", 400},
    {N("GET http://evil.test/ HTTP/1.0\r\n" H "\r\n"), "host-other", 400},
    {N("GET http://example.com:81/ HTTP/1.1\r\n" H "\r\n"), "host-other", 400},
    {N("GET https://example.com/ HTTP/1.1\r\nHost: example.com:80\r\n\r\n"), "host-other", 400},
    {N("GET http://example.com/ HTTP/1.1\r\nHost: example.com:443\r\n\r\n"), "host-other", 400},
    {N("GET http://example.com/ HTTP/1.1\r\nHost: %\r\n\r\n"), "host-bad", 400},
    {N("GET http://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.2\r\n\r\n"), "host-other", 400},
    {N("GET http://127.0.0.1/ HTTP/1.1\r\nHost: [::ffff:127.0.0.1]\r\n\r\n"), "host-other", 400},
    {N("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:80\r\n\r\n"), "host-other", 400},
    {N("CONNECT example.com:443 HTTP/1.1\r\nHost: evil.test\r\n\r\n"), "host-other", 400},
    {N("CONNECT example.com:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n"), "host-other", 400},
    {N("CONNECT example.com:443 HTTP/1.1\r\nHost: \r\n\r\n"), "host-bad", 400},
};

static void test_refused(void **state)
{
    (void)state;
    static struct http_head h;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        const struct refused *row = &refused[i];
        for (size_t n = 0; n <= row->n; n++) {
            struct bytes text = exact(row->text, n);
            enum http_problem p = http_request_parse(text, &h);
            drop(text);
            if (p == HTTP_FINE || (n == row->n && !str_eq(http_problem_word(p), row->want)))
                fail_msg("row %zu, %zu bytes (%s): %s", i, n, row->want, http_problem_word(p));
            if (n == row->n)
                assert_int_equal(http_problem_status(p), row->status);
        }
    }
}

/* ---- requests that are read ---- */

/* METHOD FORM TARGET [scheme authority path] host FRAMING[=LENGTH], then flags. */
static const struct fine {
    const char *text;
    const char *want;
} fine[] = {
    {GET H "\r\n", "1.1 GET origin / host=example.com none keep"},
    {"\r\n" GET H "\r\n", "1.1 GET origin / host=example.com none keep"},
    {"GET / HTTP/1.0\r\n\r\n", "1.0 GET origin / none"},
    {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "1.0 GET origin / none keep"},
    {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", "1.0 GET origin / none"},
    {GET H "Connection: close\r\n\r\n", "1.1 GET origin / host=example.com none"},
    {GET H "Connection: x,\t CLOSE ,y\r\n\r\n", "1.1 GET origin / host=example.com none"},
    {GET H "Connection: x\r\nconnection:close\r\n\r\n", "1.1 GET origin / host=example.com none"},
    {GET H "Connection: closed\r\n\r\n", "1.1 GET origin / host=example.com none keep"},
    {GET "hOST:\t example.com:8080 \t\r\n\r\n", "1.1 GET origin / host=example.com:8080 none keep"},
    {GET "Host: [::1]:80\r\n\r\n", "1.1 GET origin / host=[::1]:80 none keep"},
    {"GET //a/../b?c=%00&d[]=~ HTTP/1.1\r\n" H "\r\n",
     "1.1 GET origin //a/../b?c=%00&d[]=~ host=example.com none keep"},
    {"GET http://example.com/a?b HTTP/1.1\r\n" H "\r\n",
     "1.1 GET absolute http|example.com|/a?b host=example.com none keep"},
    {"GET http://example.com HTTP/1.1\r\n" H "\r\n",
     "1.1 GET absolute http|example.com| host=example.com none keep"},
    {"GET http://example.com?x/@y HTTP/1.1\r\n" H "\r\n",
     "1.1 GET absolute http|example.com|?x/@y host=example.com none keep"},
    {"GET HTTP://EXAMPLE.com.:80/ HTTP/1.1\r\n" H "\r\n",
     "1.1 GET absolute HTTP|EXAMPLE.com.:80|/ host=example.com none keep"},
    {"GET https://example.com/ HTTP/1.1\r\nHost: example.com:443\r\n\r\n",
     "1.1 GET absolute https|example.com|/ host=example.com:443 none keep"},
    {"GET ws://example.com/ HTTP/1.1\r\nHost: example.com:80\r\n\r\n",
     "1.1 GET absolute ws|example.com|/ host=example.com:80 none keep"},
    {"GET wss://example.com/ HTTP/1.1\r\nHost: example.com:443\r\n\r\n",
     "1.1 GET absolute wss|example.com|/ host=example.com:443 none keep"},
    {"GET http://127.1/ HTTP/1.1\r\nHost: 0x7f000001\r\n\r\n",
     "1.1 GET absolute http|127.1|/ host=0x7f000001 none keep"}, /* two spellings of one */
    {"GET http://[::1]:81/ HTTP/1.1\r\nHost: [0::1]:81\r\n\r\n",
     "1.1 GET absolute http|[::1]:81|/ host=[0::1]:81 none keep"},
    {"GET http://example.com/ HTTP/1.0\r\n\r\n", "1.0 GET absolute http|example.com|/ none"},
    {"OPTIONS * HTTP/1.1\r\n" H "\r\n", "1.1 OPTIONS asterisk * host=example.com none keep"},
    {"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n",
     "1.1 CONNECT authority example.com:443 host=example.com:443 none keep"},
    {"CONNECT example.com:8443 HTTP/1.1\r\nHost: Example.com\r\n\r\n",
     "1.1 CONNECT authority example.com:8443 host=Example.com none keep"},
    {"CONNECT [2001:db8::1]:443 HTTP/1.0\r\n\r\n", "1.0 CONNECT authority [2001:db8::1]:443 none"},
    {"connect / HTTP/1.1\r\n" H "\r\n", /* methods have a case */
     "1.1 connect origin / host=example.com none keep"},
    {"ABCDEFGHIJKLMNOPQRSTUVW / HTTP/1.1\r\n" H "\r\n",
     "1.1 ABCDEFGHIJKLMNOPQRSTUVW origin / host=example.com none keep"},
    {"M!#$%&'*+-.^_`|~9 / HTTP/1.1\r\n" H "\r\n",
     "1.1 M!#$%&'*+-.^_`|~9 origin / host=example.com none keep"},
    {POST "Content-Length: 5\r\n\r\n", "1.1 POST origin / host=example.com length=5 keep"},
    {POST "Content-Length: 005\r\n\r\n", "1.1 POST origin / host=example.com length=5 keep"},
    {POST "Content-Length:0\r\n\r\n", "1.1 POST origin / host=example.com length=0 keep"},
    {POST "content-length: 9223372036854775807\r\n\r\n",
     "1.1 POST origin / host=example.com length=9223372036854775807 keep"},
    {POST "transfer-encoding:CHUNKED \r\n\r\n",
     "1.1 POST origin / host=example.com chunked=0 keep"},
    {POST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n",
     "1.1 POST origin / host=example.com length=1 keep expect"},
    {"POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", "1.0 POST origin / none"},
    {POST "Expect: 200-ok\r\n\r\n", "1.1 POST origin / host=example.com none keep"},
    {GET H "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
     "1.1 GET origin / host=example.com none keep upgrade=websocket"},
    {GET H "Upgrade: websocket\r\n\r\n", "1.1 GET origin / host=example.com none keep"},
    {GET H "Connection: Upgrade\r\n\r\n", "1.1 GET origin / host=example.com none keep"},
    {GET H "Connection: Upgrade\r\nUpgrade: a\r\nUpgrade: b\r\n\r\n",
     "1.1 GET origin / host=example.com none keep"},
    {"GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: a\r\n\r\n", "1.0 GET origin / none"},
    {GET H "X:\r\nY: \t \r\nZ: \xc3\xa4\ttab\r\n\r\n",
     "1.1 GET origin / host=example.com none keep"},
    {GET H "X: : y : \r\n\r\n", "1.1 GET origin / host=example.com none keep"},
};

#define PUT(b, s) strbuf_put(b, (s).p, (s).n)

static void describe(const struct http_head *h, struct strbuf *b)
{
    static const char *const forms[] = {"origin", "absolute", "authority", "asterisk"};
    strbuf_printf(b, "1.%u ", h->minor);
    PUT(b, h->method);
    strbuf_printf(b, " %s ", forms[h->form]);
    if (h->form == TARGET_ABSOLUTE) {
        PUT(b, h->scheme);
        strbuf_puts(b, "|");
        PUT(b, h->authority);
        strbuf_puts(b, "|");
        PUT(b, h->path);
    } else {
        PUT(b, h->target);
    }
    if (h->host.p) {
        strbuf_puts(b, " host=");
        PUT(b, h->host);
    }
    strbuf_printf(b, " %s", framing_word(h->framing));
    if (h->framing != FRAME_NONE)
        strbuf_printf(b, "=%llu", (unsigned long long)h->length);
    strbuf_puts(b, h->keep_alive ? " keep" : "");
    strbuf_puts(b, h->expect_continue ? " expect" : "");
    if (h->upgrade) {
        strbuf_puts(b, " upgrade=");
        PUT(b, h->upgrade_to);
    }
}

static void check_fine(const struct fine *row, const char *behind)
{
    static struct http_head h;
    char whole[512];
    size_t head = strlen(row->text);
    int n = snprintf(whole, sizeof(whole), "%s%s", row->text, behind);
    assert_in_range(n, 1, sizeof(whole) - 1);
    for (size_t i = 0; i <= (size_t)n; i++) {
        _cleanup_strbuf_ struct strbuf b = {0};
        struct bytes text = exact(whole, i);
        enum http_problem p = http_request_parse(text, &h);
        assert_int_equal(p, i < head ? HTTP_MORE : HTTP_FINE);
        if (p == HTTP_FINE) {
            describe(&h, &b);
            assert_string_equal(strbuf_text(&b), row->want);
            assert_int_equal(h.n, head);
        }
        drop(text);
    }
}

static void test_fine(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        check_fine(&fine[i], "");
        check_fine(&fine[i], "\r\n\0\nGET");
        check_fine(&fine[i], GET "Host: other.test\r\n\r\n");
    }
}

/* ---- how large ---- */

static struct bytes filled(size_t n, char c)
{
    char *p = malloc(n);
    assert_non_null(p);
    memset(p, c, n);
    return (struct bytes){p, n};
}

static void write_at(struct bytes b, size_t at, const char *s)
{
    size_t n = strlen(s);
    assert_true(at <= b.n && n <= b.n - at);
    memcpy((char *)(uintptr_t)b.p + at, s, n);
}

static void test_line_limit(void **state)
{
    (void)state;
    static struct http_head h;
    static const char end[] = " HTTP/1.1\r\n", rest[] = H "\r\n";
    for (size_t empty = 0; empty <= 2; empty += 2)
        for (size_t line = LIMIT_REQUEST_LINE - 1; line <= LIMIT_REQUEST_LINE + 1; line++) {
            struct bytes text = filled(empty + line + strlen(rest), 'a');
            if (empty)
                write_at(text, 0, "\r\n");
            write_at(text, empty, "GET /");
            write_at(text, empty + line - strlen(end), end);
            write_at(text, empty + line, rest);
            enum http_problem want = line > LIMIT_REQUEST_LINE ? HTTP_LINE_LONG : HTTP_FINE;
            assert_int_equal(http_request_parse(text, &h), want);
            drop(text);
        }
    struct bytes endless = filled(LIMIT_REQUEST_LINE, 'a');
    assert_int_equal(http_request_parse(endless, &h), HTTP_LINE_LONG);
    endless.n--;
    assert_int_equal(http_request_parse(endless, &h), HTTP_MORE);
    drop(endless);
}

static void test_head_limit(void **state)
{
    (void)state;
    static struct http_head h;
    for (size_t n = LIMIT_HEAD - 1; n <= LIMIT_HEAD + 1; n++) {
        struct bytes text = filled(n, 'a');
        write_at(text, 0, GET H "X: ");
        write_at(text, n - 4, "\r\n\r\n");
        assert_int_equal(http_request_parse(text, &h), n > LIMIT_HEAD ? HTTP_HEAD_LONG : HTTP_FINE);
        write_at(text, n - 4, "aaaa");
        assert_int_equal(http_request_parse(text, &h),
                         n >= LIMIT_HEAD ? HTTP_HEAD_LONG : HTTP_MORE);
        write_at(text, 0, "HTTP/1.1 200 ");
        write_at(text, n - 4, "\r\n\r\n");
        write_at(text, 0, "HTTP/1.1 200 \r\nAB:abcdefghijklmn");
        assert_int_equal(http_response_parse(text, &h),
                         n > LIMIT_HEAD ? HTTP_HEAD_LONG : HTTP_FINE);
        drop(text);
    }
}

static void test_fields_limit(void **state)
{
    (void)state;
    static struct http_head h;
    for (unsigned n = LIMIT_FIELDS - 1; n <= LIMIT_FIELDS + 1; n++) {
        _cleanup_strbuf_ struct strbuf b = {0};
        strbuf_puts(&b, GET H);
        for (unsigned i = 1; i < n; i++)
            strbuf_printf(&b, "X-%u: %u\r\n", i, i);
        strbuf_puts(&b, "\r\n");
        assert_int_equal(http_request_parse((struct bytes){b.p, b.n}, &h),
                         n > LIMIT_FIELDS ? HTTP_MANY_FIELDS : HTTP_FINE);
        if (n <= LIMIT_FIELDS)
            assert_int_equal(h.n_fields, n);
    }
}

/* What Connection names, in one field or two, empty elements too. */
static void test_named_limit(void **state)
{
    (void)state;
    static struct http_head h;
    for (unsigned n = LIMIT_FIELDS - 1; n <= LIMIT_FIELDS + 1; n++) {
        _cleanup_strbuf_ struct strbuf b = {0};
        strbuf_puts(&b, GET H "Connection: a,b\r\nConnection: ");
        for (unsigned i = 3; i < n; i++)
            strbuf_puts(&b, ",");
        strbuf_puts(&b, "a\r\n\r\n");
        assert_int_equal(http_request_parse((struct bytes){b.p, b.n}, &h),
                         n > LIMIT_FIELDS ? HTTP_MANY_FIELDS : HTTP_FINE);
    }
}

/* Each byte, at each place of a word of eight, in a value: what is taken and what is not. */
static void test_every_byte(void **state)
{
    (void)state;
    static struct http_head h;
    for (unsigned c = 0; c < 256; c++)
        for (size_t at = 0; at < 17; at++) {
            char line[] = "HTTP/1.1 200 \r\nX:abcdefghijklmnopqrstuvwxyz\r\n\r\n";
            line[18 + at] = (char)c;
            struct bytes text = exact(line, sizeof(line) - 1);
            enum http_problem p = http_response_parse(text, &h), want = HTTP_FINE;
            if (c == 0)
                want = HTTP_NUL;
            else if (c == '\r')
                want = HTTP_BARE_CR;
            else if (c == '\n')
                want = HTTP_BARE_LF;
            else if ((c < 0x20 && c != '\t') || c == 0x7f)
                want = HTTP_CONTROL;
            if (p != want)
                fail_msg("byte 0x%02x at %zu: %s", c, at, http_problem_word(p));
            drop(text);
        }
}

/* ---- responses ---- */

static const struct response {
    const char *text, *method;
    const char *want; /* STATUS REASON FRAMING=LENGTH [keep], or "!" and the problem */
} responses[] = {
    {"HTTP/1.1 200 OK\r\n\r\n", "GET", "200 [OK] close=0"},
    {"HTTP/1.1 200\r\n\r\n", "GET", "200 [] close=0"},
    {"HTTP/1.1 200 \r\n\r\n", "GET", "200 [] close=0"},
    {"HTTP/1.0 404 Not \tFound\xe4\r\nContent-Length: 3\r\n\r\n", "GET",
     "404 [Not \tFound\xe4] length=3"},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\n", "GET",
     "200 [OK] length=3 keep"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "GET", "200 [OK] length=3 keep"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n", "GET",
     "200 [OK] length=3"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "HEAD", "200 [OK] none=0 keep"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HEAD", "200 [OK] none=0 keep"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "GET", "200 [OK] chunked=0 keep"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "CONNECT", "200 [OK] none=0 keep"},
    {"HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\n", "CONNECT", "407 [No] length=2 keep"},
    {"HTTP/1.1 100 Continue\r\n\r\n", "POST", "100 [Continue] none=0 keep"},
    {"HTTP/1.1 101 S\r\nContent-Length: 2\r\n\r\n", "GET", "101 [S] none=0 keep"},
    {"HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\n", "GET", "204 [No] none=0 keep"},
    {"HTTP/1.1 304 No\r\nContent-Length: 2\r\n\r\n", "GET", "304 [No] none=0 keep"},
    {"HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n", "GET", "205 [Reset] length=0 keep"},
    {"HTTP/1.1 599 X\r\nHost: a\r\nHost: %\r\n\r\n", "GET", "599 [X] close=0"},
    /* refused */
    {"\r\nHTTP/1.1 200 OK\r\n\r\n", "GET", "!status"},
    {"HTTP/1.1 099 X\r\n\r\n", "GET", "!status"},
    {"HTTP/1.1 600 X\r\n\r\n", "GET", "!status"},
    {"HTTP/1.1 20 X\r\n\r\n", "GET", "!status"},
    {"HTTP/1.1 2000 X\r\n\r\n", "GET", "!status"},
    {"HTTP/1.1 20x X\r\n\r\n", "GET", "!status"},
    {"HTTP/1.1 +20 X\r\n\r\n", "GET", "!status"},
    {"HTTP/1.1  200 X\r\n\r\n", "GET", "!status"},
    {"HTTP/1.1 200\tX\r\n\r\n", "GET", "!status"},
    {"HTTP/1.1\r\n\r\n", "GET", "!status"},
    {"ICY 200 OK\r\n\r\n", "GET", "!status"},
    {"hello\r\n\r\n", "GET", "!status"},
    {"HTTP/2 200\r\n\r\n", "GET", "!version"},
    {"HTTP/1.2 200\r\n\r\n", "GET", "!version"},
    {"HTTP/1.1 200 OK\nX: y\r\n\r\n", "GET", "!bare-lf"},
    {"HTTP/1.1 200 O\rK\r\n\r\n", "GET", "!bare-cr"},
    {"HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n", "GET", "!fold"},
    {"HTTP/1.1 200 OK\r\nX : y\r\n\r\n", "GET", "!name"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", "GET", "!length-twice"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", "GET", "!length-twice"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\n", "GET", "!length-twice"},
    {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "GET", "!length-bad"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", "GET", "!both"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "GET", "!coding-bad"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n", "GET",
     "!coding-twice"},
    {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "GET", "!coding-old"},
};

static void test_responses(void **state)
{
    (void)state;
    static struct http_head h;
    for (size_t i = 0; i < ARRAY_LEN(responses); i++) {
        const struct response *row = &responses[i];
        size_t whole = strlen(row->text);
        for (size_t n = 0; n <= whole; n++) {
            _cleanup_strbuf_ struct strbuf b = {0};
            struct bytes text = exact(row->text, n);
            enum http_problem p = http_response_parse(text, &h);
            if (p == HTTP_FINE) {
                http_response_framing(&h, bytes_of(row->method));
                strbuf_printf(&b, "%u [", h.status);
                PUT(&b, h.reason);
                strbuf_printf(&b, "] %s=%llu%s", framing_word(h.framing),
                              (unsigned long long)h.length, h.keep_alive ? " keep" : "");
            } else {
                strbuf_printf(&b, "!%s", http_problem_word(p));
            }
            drop(text);
            if (n == whole)
                assert_string_equal(strbuf_text(&b), row->want);
            else
                assert_true(p != HTTP_FINE);
            if (n < whole && row->want[0] != '!')
                assert_int_equal(p, HTTP_MORE);
        }
    }
}

/* ---- fields ---- */

static const struct hop {
    const char *name;
    bool want;
} hops[] = {
    {"Connection", true},
    {"KEEP-ALIVE", true},
    {"Proxy-Connection", true},
    {"Proxy-Authenticate", true},
    {"Proxy-Authorization", true},
    {"TE", true},
    {"Trailer", true},
    {"Transfer-Encoding", true},
    {"Upgrade", true},
    {"HTTP2-Settings", true},
    {"Host", false},
    {"Content-Length", false},
    {"X-Named", true},
    {"x-also", true},
    {"X-Nam", false},
    {"X-Named-Not", false},
    {"Accept", false},
    {"Trailers", false},
};

static void test_fields(void **state)
{
    (void)state;
    static struct http_head h;
    for (size_t i = 0; i < ARRAY_LEN(hops); i++) {
        _cleanup_strbuf_ struct strbuf b = {0};
        strbuf_printf(&b,
                      "HTTP/1.1 200 OK\r\n%s: 1\r\nConnection: host, Content-Length, x-named\r\n"
                      "CONNECTION: ,, X-ALSO\r\n\r\n",
                      hops[i].name);
        enum http_problem p = http_response_parse((struct bytes){b.p, b.n}, &h);
        if (str_eq(hops[i].name, "Transfer-Encoding")) {
            assert_int_equal(p, HTTP_CODING_BAD);
            continue;
        }
        assert_int_equal(p, HTTP_FINE);
        assert_int_equal(http_field_is_hop(&h, 0), hops[i].want);
        assert_true(http_field_is_hop(&h, 1));
        assert_true(http_list_has(&h, "connection", BYTES("X-Named")));
        assert_true(http_list_has(&h, "connection", BYTES("x-also")));
        assert_false(http_list_has(&h, "connection", BYTES("x-")));
        assert_false(http_list_has(&h, "connection", BYTES("")));
    }
    assert_int_equal(http_response_parse(
                         BYTES("HTTP/1.1 200 OK\r\nA: 1\r\na: 2\r\nTransfer-Encoding: chunked\r\n"
                               "\r\n"),
                         &h),
                     HTTP_FINE);
    assert_true(bytes_is(http_field(&h, "a")->value, "1"));
    assert_null(http_field(&h, "ab"));
    assert_null(http_field(&h, ""));
    assert_true(http_field_is_hop(&h, 2));
}

static void test_problems(void **state)
{
    (void)state;
    for (unsigned p = HTTP_FINE; p <= HTTP_STATUS; p++) {
        assert_true(strlen(http_problem_word(p)) > 2);
        assert_true(strlen(http_problem_text(p)) > 10);
        for (unsigned other = HTTP_FINE; other < p; other++)
            assert_string_not_equal(http_problem_word(p), http_problem_word(other));
    }
    assert_int_equal(http_problem_status(HTTP_LINE_LONG), 414);
    assert_int_equal(http_problem_status(HTTP_HEAD_LONG), 431);
    assert_int_equal(http_problem_status(HTTP_MANY_FIELDS), 431);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),      cmocka_unit_test(test_fine),
        cmocka_unit_test(test_line_limit),   cmocka_unit_test(test_head_limit),
        cmocka_unit_test(test_fields_limit), cmocka_unit_test(test_named_limit),
        cmocka_unit_test(test_every_byte),   cmocka_unit_test(test_responses),
        cmocka_unit_test(test_fields),       cmocka_unit_test(test_problems),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

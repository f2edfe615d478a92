/*
 * Bytes as what a TLS client sends first. What must hold: a name is a host's name, and the same
 * whatever comes behind the message and however it is spread over records; less of it asks for
 * more.
 */
#include "helper/limits.h"
#include "proxy/tls_hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool that)
{
    if (!that)
        abort();
}

/* The same handshake bytes in records of at most SIZE. */
static void spread(struct bytes text, size_t size, struct strbuf *ret)
{
    _cleanup_strbuf_ struct strbuf message = {0};
    for (size_t at = 0; at < text.n && text.p[at] == 22;) {
        size_t n = (size_t)(uint8_t)text.p[at + 3] << 8 | (uint8_t)text.p[at + 4];
        strbuf_put(&message, text.p + at + 5, n);
        at += 5 + n;
        size_t need = message.n < 4
                          ? SIZE_MAX
                          : 4 + ((size_t)(uint8_t)message.p[1] << 16 |
                                 (size_t)(uint8_t)message.p[2] << 8 | (uint8_t)message.p[3]);
        if (message.n >= need)
            break;
    }
    for (size_t at = 0; at < message.n; at += size) {
        size_t n = MIN_OF(size, message.n - at);
        strbuf_put(ret, "\x16\x03\x03", 3);
        strbuf_putc(ret, (char)(n >> 8));
        strbuf_putc(ret, (char)n);
        strbuf_put(ret, message.p + at, n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct host h, again;
    if (size < 1)
        return 0;
    size_t first = *data++;
    struct bytes text = {(const char *)data, --size};
    enum tls_hello r = tls_hello_read(text, &h);
    size_t cut = size ? first * 5 % size : 0;
    enum tls_hello before = tls_hello_read((struct bytes){text.p, cut}, &again);
    must(before == HELLO_MORE || before == r);
    if (r != HELLO_NAME)
        return 0;
    must(h.kind == HOST_NAME && h.n == strlen(h.name));
    must(host_parse((struct bytes){h.name, h.n}, &again) == HOST_FINE &&
         str_eq(h.name, again.name));
    _cleanup_strbuf_ struct strbuf other = {0};
    spread(text, 1 + first * 3, &other);
    if (other.n <= LIMIT_HELLO) {
        must(tls_hello_read((struct bytes){other.p, other.n}, &again) == HELLO_NAME);
        must(str_eq(h.name, again.name));
        must(tls_hello_read((struct bytes){other.p, other.n - 1}, &again) == HELLO_MORE);
    }
    return 0;
}

/* Bytes through the JSON writer and back: every byte string survives, and what is written is
 * printable one-line UTF-8 that no reader can take for more than one string. */
#include "base/error.h"
#include "base/json.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned hex(const char *p)
{
    unsigned v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        v = v << 4 | (unsigned)(c >= '0' && c <= '9'   ? c - '0'
                                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                                       : 99);
    }
    if (v > 0xffff)
        abort();
    return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_strbuf_ struct strbuf out = {0}, back = {0};
    struct json j;
    json_begin(&j, &out);
    json_bytes(&j, data, size);
    if (!json_ok(&j) || out.n < 2 || out.p[0] != '"' || out.p[out.n - 1] != '"')
        abort();
    for (size_t i = 1; i < out.n - 1; i++) {
        unsigned char c = (unsigned char)out.p[i];
        if (c < 0x20 || c == 0x7f || c == '"')
            abort();
        if (c != '\\') {
            strbuf_putc(&back, (char)c);
            continue;
        }
        char e = out.p[++i];
        if (e == 'u') {
            unsigned v = hex(out.p + i + 1);
            i += 4;
            /* A control character, a byte that was no UTF-8 as a lone surrogate, or a character
             * that makes a terminal show something else. */
            if (v < 0x20 || v == 0x7f || (v >= 0xdc80 && v <= 0xdcff)) {
                strbuf_putc(&back, (char)(v & 0xff));
            } else if (utf8_deceives(v)) {
                if (v >= 0x800)
                    strbuf_putc(&back, (char)(0xe0 | v >> 12));
                strbuf_putc(&back, (char)(v >= 0x800 ? 0x80 | (v >> 6 & 0x3f) : 0xc0 | v >> 6));
                strbuf_putc(&back, (char)(0x80 | (v & 0x3f)));
            } else {
                abort();
            }
        } else if (e == 'n' || e == 't') {
            strbuf_putc(&back, e == 'n' ? '\n' : '\t');
        } else if (e == '"' || e == '\\') {
            strbuf_putc(&back, e);
        } else {
            abort();
        }
    }
    if (back.n != size || (size && memcmp(back.p, data, size) != 0))
        abort();
    return 0;
}

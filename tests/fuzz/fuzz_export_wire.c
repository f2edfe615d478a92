/* The reader of what bawn and bawn-exporter say. What is read is written again, to the same bytes,
 * and nothing of a destination can end a line of HTTP. */
#include "telemetry/export_wire.h"

#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(struct bytes b)
{
    if (b.p[b.n] != '\0' || strlen(b.p) != b.n || memchr(b.p, '\n', b.n) || memchr(b.p, '\r', b.n))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct strbuf again = {0};
    static struct export_message m;
    const int r = export_unpack((struct bytes){(const char *)data, size}, &m);
    if (r == 0) {
        if (export_pack(&m, &again) < 0 || again.n != size || memcmp(again.p, data, size) != 0)
            abort();
        if (m.type == EXPORT_DESTINATION) {
            check_line(m.destination.endpoint);
            check_line(m.destination.proxy);
            check_line(m.destination.no_proxy);
        }
        for (size_t i = 0; m.type == EXPORT_DESTINATION && i < m.destination.n_headers; i++) {
            check_line(m.destination.headers[i].name);
            check_line(m.destination.headers[i].value);
        }
    } else if (r != -EBADMSG) {
        abort();
    }
    strbuf_release(&again);
    return 0;
}

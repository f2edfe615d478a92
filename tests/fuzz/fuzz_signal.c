/* The reader of packed signals. What is read is written again, to the same bytes. */
#include "telemetry/signal.h"

#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    struct strbuf again = {0};
    struct signal s;
    const int r = signal_unpack(&a, (struct bytes){(const char *)data, size}, &s);
    if (r == 0) {
        if (signal_pack(&s, &again) < 0 || again.n != size || memcmp(again.p, data, size) != 0)
            abort();
    } else if (r != -EBADMSG) {
        abort();
    }
    strbuf_release(&again);
    arena_release(&a);
    return 0;
}

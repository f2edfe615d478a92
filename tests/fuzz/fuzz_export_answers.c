/*
 * Bytes as what a collector answers: first byte what they are. What must hold: nothing outside of
 * them is read, pauses and messages are bounded, and what was understood is understood again.
 */
#include "exporter/grpc.h"
#include "exporter/retry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool that)
{
    if (!that)
        abort();
}

static void fields(struct bytes text)
{
    struct grpc_status s;
    grpc_status_clear(&s);
    while (text.n) {
        const char *end = memchr(text.p, '\n', text.n);
        struct bytes line = {text.p, end ? (size_t)(end - text.p) + 1 : text.n}, name, value;
        if (field_split(line, &name, &value)) {
            must(name.n && name.p >= line.p && value.p + value.n <= line.p + line.n);
            grpc_status_field(&s, name, value);
        }
        text.p += line.n;
        text.n -= line.n;
    }
    must(s.n <= GRPC_MESSAGE_MAX && s.retry_ms <= RETRY_AFTER_MAX);
    must(s.status >= GRPC_ABSENT && s.status <= 999);
    must(verdict_of_grpc(s.status, (struct bytes){s.message, s.n}) <= VERDICT_NEVER);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"grpc-status", "grpc-message", "grpc-status-details-bin"};
    if (size < 1)
        return 0;
    const unsigned what = *data++ % 6;
    const struct bytes text = {(const char *)data, --size};
    struct grpc_status s;
    grpc_status_clear(&s);
    if (what < 3) {
        grpc_status_field(&s, bytes_of(names[what]), text);
        must(s.n <= GRPC_MESSAGE_MAX && s.retry_ms <= RETRY_AFTER_MAX);
    } else if (what == 3) {
        struct bytes m = grpc_message(text);
        must(m.n == 0 || (m.p == text.p + GRPC_FRAME && m.n <= text.n - GRPC_FRAME));
    } else if (what == 4) {
        const uint32_t ms = retry_after(text, 784111777);
        must(ms <= RETRY_AFTER_MAX && ms % 1000 == 0);
    } else {
        fields(text);
    }
    return 0;
}

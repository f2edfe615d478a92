/* See events.h. */
#include "helper/events.h"

#include "base/clock.h"
#include "helper/limits.h"

#include <errno.h>

struct wire_event event_now(const struct netrequest *q, const struct netanswer *a, bool asked,
                            const char *method)
{
    struct wire_event e = {.time_ms = clock_unix_ms(), .request = *q, .answer = *a, .asked = asked};
    (void)printable(e.method, sizeof(e.method), method, strlen(method));
    return e;
}

bool events_add(struct events *e, const struct netrequest *q, const struct netanswer *a, bool asked,
                const char *method, size_t most)
{
    const struct wire_event event = event_now(q, a, asked, method);
    return events_put(e, &event, most);
}

bool events_put(struct events *e, const struct wire_event *event, size_t most)
{
    uint32_t *end =
        e->text.n < LIMIT_EVENTS_BYTES ? vec_push_max(&e->ends, MIN_OF(most, EVENTS_MOST)) : NULL;
    if (end) {
        const size_t before = e->text.n;
        wire_event_write(event, &e->text);
        *end = (uint32_t)e->text.n;
        if (!strbuf_failed(&e->text))
            return true;
        e->ends.n--; /* another time there may be memory */
        e->text.n = before;
        e->text.failed = false;
    }
    e->dropped++;
    return false;
}

/* How many of those that wait go into one message, and how many bytes they are. */
static size_t fill_message(const struct events *e, size_t *ret_bytes)
{
    size_t n = 0;
    *ret_bytes = 0;
    while (n < e->ends.n && e->ends.v[n] <= WIRE_MESSAGE_MAX - sizeof(struct wire_head))
        *ret_bytes = e->ends.v[n++];
    return n;
}

static void forget(struct events *e, size_t n, size_t bytes)
{
    memmove(e->text.p, e->text.p + bytes, e->text.n - bytes);
    e->text.n -= bytes;
    e->ends.n -= n;
    memmove(e->ends.v, e->ends.v + n, e->ends.n * sizeof(*e->ends.v));
    vec_foreach (end, &e->ends)
        *end -= (uint32_t)bytes;
}

int events_flush(struct events *e, int fd)
{
    while (e->ends.n > 0) {
        size_t bytes, n = fill_message(e, &bytes);
        const struct wire_head head = {.kind = WIRE_EVENTS,
                                       .count = (uint16_t)n,
                                       .version = WIRE_VERSION,
                                       .dropped = e->dropped};
        int r = wire_send(fd, &head, e->text.p, bytes, NULL, 0);
        if (r < 0)
            return r;
        e->dropped = 0;
        forget(e, n, bytes);
    }
    return 0;
}

void events_release(struct events *e)
{
    strbuf_release(&e->text);
    vec_release(&e->ends);
}

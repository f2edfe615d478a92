/*
 * How long what was let through lasts, for whoever draws it (a span for each connection). See
 * proxy.h. Ends are worth less than decisions: they go where there is plenty of room, else nowhere.
 */
#include "proxy/proxy.h"

#include "base/clock.h"

#define ENDS_MOST (EVENTS_MOST / 4) /* events that may wait when one more end is added */

struct passage {
    uint64_t began_us;
    struct wire_event event;
};

struct passage *passage_begin(const struct proxy *p, const struct netrequest *q,
                              const struct netanswer *a)
{
    struct passage *s = p->settings.tells_ends ? mem_zalloc(1, sizeof(*s)) : NULL;
    if (s)
        *s = (struct passage){clock_us(), event_now(q, a, false, "")};
    return s;
}

void passage_end(struct proxy *p, struct passage **at, bool failed)
{
    struct passage *s = *at;
    if (!s)
        return;
    s->event.lasted_us = MAX_OF(clock_us() - s->began_us, 1u);
    s->event.failed = failed;
    if (p->events.ends.n >= ENDS_MOST)
        launcher_flush(p);
    if (p->events.ends.n < ENDS_MOST)
        (void)events_put(&p->events, &s->event, ENDS_MOST);
    passage_drop(at);
}

void passage_drop(struct passage **at)
{
    mem_free(*at);
    *at = NULL;
}

/*
 * Decisions on their way to the launcher (network/wire.h): packed as they come, sent several at a
 * time, and never waited for. What there is no room for is counted, and the launcher is told how
 * many those were.
 */
#ifndef BAWN_HELPER_EVENTS_H
#define BAWN_HELPER_EVENTS_H

#include "base/vec.h"
#include "network/wire.h"

#define EVENTS_MOST 4096u

/* Zeroed, it is ready. */
struct events {
    struct strbuf text;
    VEC(uint32_t) ends; /* where each of them ends in it */
    uint64_t dropped;
};

/* Adds the decision of this moment while fewer than MOST wait. False: there is no room; it is
 * counted as dropped. METHOD may be "". */
bool events_add(struct events *e, const struct netrequest *q, const struct netanswer *a, bool asked,
                const char *method, size_t most);
/* The same for any event. */
bool events_put(struct events *e, const struct wire_event *event, size_t most);
/* Sends what goes at once to FD. 0: nothing waits. -EAGAIN: FD is full. Another negative errno: it
 * is of no use any more. */
int events_flush(struct events *e, int fd);
void events_release(struct events *e);

/* The event of this moment. */
struct wire_event event_now(const struct netrequest *q, const struct netanswer *a, bool asked,
                            const char *method);

#endif

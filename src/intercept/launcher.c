/*
 * The socket to bawn: settings and secrets come in at the start, decisions go out, in packs.
 * Nothing here waits for bawn once the start is done: what it does not take in time is dropped and
 * counted.
 */
#include "intercept/intercept.h"

#include "base/fd.h"

#include <errno.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#define SETTINGS_MOST (64u << 20)

/* ---- the start ---- */

static int await(struct intercept *ic, struct wire_head *head, int *fds, size_t *n_fds,
                 struct error *err)
{
    for (;;) {
        struct bytes payload;
        struct pollfd pfd = {.fd = INTERCEPT_FD, .events = POLLIN};
        if (poll(&pfd, 1, -1) < 0 && errno != EINTR)
            return error_errno(err, -errno, "cannot wait for the launcher");
        int r = wire_recv(INTERCEPT_FD, ic->message, head, &payload, fds, n_fds);
        if (r != -EAGAIN && r != -EINTR)
            return r < 0 ? error_errno(err, r, "the launcher went away") : 0;
    }
}

static int read_settings(struct intercept *ic, int fd, struct error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > (off_t)SETTINGS_MOST)
        return error_set(err, -EINVAL, "the settings cannot be read");
    /* They are there as long as the program runs: the rules' strings point into them. */
    void *text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (text == MAP_FAILED)
        return error_errno(err, -errno, "cannot read the settings");
    return intercept_settings_read(&ic->arena, (struct bytes){text, (size_t)st.st_size},
                                   &ic->settings, err);
}

static int read_all(struct intercept *ic, const int *fds, size_t n, struct error *err)
{
    if (n < 1 || n > 2)
        return error_set(err, -EBADMSG, "there are no settings");
    int r = read_settings(ic, fds[0], err);
    if (r == 0 && n == 2)
        r = secrets_receive(fds[1], &ic->secrets, err);
    if (r == 0 && ic->secrets.n != ic->settings.n_credentials)
        r = error_set(err, -EBADMSG, "the credentials are not those of the settings");
    return r;
}

int launcher_start(struct intercept *ic, struct error *err)
{
    struct wire_head head;
    int fds[WIRE_FDS_MAX];
    size_t n = 0;
    ic->launcher.fd = INTERCEPT_FD;
    ic->handover.fd = HANDOVER_FD;
    if (fd_set_cloexec(INTERCEPT_FD, true) < 0 || fd_set_nonblock(INTERCEPT_FD, true) < 0 ||
        fd_set_cloexec(HANDOVER_FD, true) < 0 || fd_set_nonblock(HANDOVER_FD, true) < 0)
        return error_set(err, -EBADF, "bawn-intercept is started by bawn, not by hand");
    int r = await(ic, &head, fds, &n, err);
    if (r == 0)
        r = head.kind == WIRE_START
                ? read_all(ic, fds, n, err)
                : error_set(err, -EBADMSG, "the launcher said something else than expected");
    for (size_t i = 0; i < n; i++)
        fd_close(fds[i]);
    return r;
}

void launcher_say(struct intercept *ic, enum wire_kind kind, const char *text, size_t n)
{
    struct wire_head head = {.kind = (uint16_t)kind, .version = WIRE_VERSION};
    (void)wire_send(ic->launcher.fd, &head, text, n, NULL, 0);
}

/* ---- decisions ---- */

void launcher_record(struct intercept *ic, const struct netrequest *q, enum net_decision decision,
                     enum net_reason reason, const struct netrule *rule, const char *method)
{
    struct timespec ts;
    struct wire_event e = {.request = *q};
    uint32_t *end = ic->events.n < LIMIT_EVENTS_BYTES ? vec_push(&ic->event_ends) : NULL;
    if (!end) {
        ic->n_dropped++;
        return;
    }
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    e.time_ms = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
    e.answer = (struct netanswer){.decision = decision, .reason = reason, .rule = rule};
    (void)printable(e.method, sizeof(e.method), method, strlen(method));
    wire_event_write(&e, &ic->events);
    *end = (uint32_t)ic->events.n;
    if (strbuf_failed(&ic->events)) {
        ic->event_ends.n--;
        ic->n_dropped++;
    }
}

static void drop(struct intercept *ic, size_t n, size_t bytes)
{
    memmove(ic->events.p, ic->events.p + bytes, ic->events.n - bytes);
    ic->events.n -= bytes;
    ic->event_ends.n -= n;
    memmove(ic->event_ends.v, ic->event_ends.v + n, ic->event_ends.n * sizeof(uint32_t));
    vec_foreach (end, &ic->event_ends)
        *end -= (uint32_t)bytes;
}

void launcher_flush(struct intercept *ic)
{
    while (ic->event_ends.n > 0) {
        size_t n = 0, bytes = 0;
        while (n < ic->event_ends.n && n < UINT16_MAX &&
               ic->event_ends.v[n] <= WIRE_MESSAGE_MAX - sizeof(struct wire_head))
            bytes = ic->event_ends.v[n++];
        struct wire_head head = {.kind = WIRE_EVENTS,
                                 .count = (uint16_t)n,
                                 .version = WIRE_VERSION,
                                 .dropped = ic->n_dropped};
        int r = wire_send(ic->launcher.fd, &head, ic->events.p, bytes, NULL, 0);
        if (r == -EAGAIN) {
            loop_change_level(&ic->loop, &ic->launcher, EPOLLIN | EPOLLOUT);
            return;
        }
        if (r < 0) {
            ic->loop.stop = true;
            return;
        }
        ic->n_dropped = 0;
        drop(ic, n, bytes);
    }
    loop_change_level(&ic->loop, &ic->launcher, EPOLLIN);
    if (ic->finishing) {
        launcher_say(ic, WIRE_READY, NULL, 0);
        ic->loop.stop = true;
    }
}

static void ready(struct watch *w, uint32_t events)
{
    struct intercept *ic =
        (struct intercept *)(void *)((char *)w - offsetof(struct intercept, launcher));
    struct wire_head head;
    struct bytes payload;
    int fds[WIRE_FDS_MAX];
    size_t n = 0;
    (void)events;
    for (;;) {
        int r = wire_recv(w->fd, ic->message, &head, &payload, fds, &n);
        if (r == -EAGAIN || r == -EINTR)
            break;
        for (size_t i = 0; r == 0 && i < n; i++)
            fd_close(fds[i]);
        if (r < 0) {
            ic->loop.stop = true;
            return;
        }
        ic->finishing = ic->finishing || head.kind == WIRE_FINISH;
    }
    launcher_flush(ic);
}

int launcher_watch(struct intercept *ic)
{
    ic->launcher.ready = ready;
    return loop_watch_level(&ic->loop, &ic->launcher, EPOLLIN);
}

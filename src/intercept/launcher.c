/*
 * The socket to bawn: settings and secrets come in at the start, decisions go out, in packs.
 * Nothing here waits for bawn once the start is done: what it does not take in time is dropped and
 * counted.
 */
#include "intercept/intercept.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>

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

bool launcher_record(struct intercept *ic, const struct netrequest *q, enum net_decision decision,
                     enum net_reason reason, const struct netrule *rule, const char *method)
{
    const struct netanswer a = {.decision = decision, .reason = reason, .rule = rule};
    return events_add(&ic->events, q, &a, false, method, EVENTS_MOST);
}

void launcher_ended(const struct session *s)
{
    struct intercept *ic = s->intercept;
    if (!ic->settings.tells_ends)
        return;
    const struct wire_event e = {.time_ms = s->began_ms,
                                 .lasted_us = MAX_OF(clock_us() - s->began_us, 1u),
                                 .request = s->target,
                                 .answer = {.decision = NET_ALLOW, .reason = NET_ALLOWED}};
    if (ic->events.ends.n < EVENTS_MOST / 4)
        (void)events_put(&ic->events, &e, EVENTS_MOST / 4);
}

void launcher_flush(struct intercept *ic)
{
    int r = events_flush(&ic->events, ic->launcher.fd);
    if (r < 0 && r != -EAGAIN) {
        ic->loop.stop = true;
        return;
    }
    loop_change_level(&ic->loop, &ic->launcher, r < 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
    if (r == 0 && ic->finishing) {
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
    while (ic->finishing && ic->sessions) /* the command is gone; their ends are told as well */
        session_end(ic->sessions);
    launcher_flush(ic);
}

int launcher_watch(struct intercept *ic)
{
    ic->launcher.ready = ready;
    return loop_watch_level(&ic->loop, &ic->launcher, EPOLLIN);
}

/*
 * bawn-intercept: opens the TLS connections that bawn-proxy gives it, judges what is asked through
 * them, and asks it of the real server; and speaks TLS with another proxy on the way. Started by
 * bawn, one a run, when mode is "limited", there are rules for requests or credentials, or such a
 * proxy. Not a program for people.
 *
 * Before the first byte of the sandbox's or a server's is read, everything that is needed of files
 * has been read, and confine() has given up the rest.
 */
#include "intercept/intercept.h"

#include "base/fd.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

static void more_descriptors(void)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
        l.rlim_cur = l.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &l);
    }
}

/* ---- connections ---- */

static void handed_over(struct watch *w, uint32_t events)
{
    struct intercept *ic =
        (struct intercept *)(void *)((char *)w - offsetof(struct intercept, handover));
    (void)events;
    for (int i = 0; i < 64; i++) { /* level-triggered: the rest comes in the next round */
        struct handover h;
        int client = -1, server = -1;
        int r = handover_recv(w->fd, ic->received, &h, &client, &server);
        if (r == -EAGAIN)
            return;
        if (r == -EBADMSG)
            continue;
        if (r < 0) { /* bawn-proxy is gone; what it gave goes on */
            int fd = loop_take(&ic->loop, w);
            fd_close(fd);
            return;
        }
        if (h.kind == HANDOVER_RELAY)
            relay_start(ic, &h, client, server);
        else
            session_start(ic, &h, client, server);
    }
}

static int flush(void *data, int timeout)
{
    struct intercept *ic = data;
    if (ic->events.ends.n)
        launcher_flush(ic);
    return timeout;
}

/* ---- start and end ---- */

static int prepare(struct intercept *ic, struct error *err)
{
    int r = confine_memory(err);
    if (r == 0)
        r = launcher_start(ic, err);
    if (r == 0)
        r = tls_open(ic, err);
    if (r == 0)
        r = ca_new(&ic->ca, err);
    if (r == 0 && loop_init(&ic->loop) < 0)
        r = error_set(err, -EMFILE, "cannot set the loop up");
    ic->handover.ready = handed_over;
    if (r == 0 &&
        (launcher_watch(ic) < 0 || loop_watch_level(&ic->loop, &ic->handover, EPOLLIN) < 0))
        r = error_set(err, -EBADF, "bawn-intercept is started by bawn, not by hand");
    if (r == 0)
        r = confine(err);
    return r;
}

static void say_ready(struct intercept *ic)
{
    _cleanup_strbuf_ struct strbuf pem = {0};
    if (ca_pem(ic->ca, &pem) == 0)
        launcher_say(ic, WIRE_READY, pem.p, pem.n);
}

int main(void)
{
    static struct intercept ic; /* half a buffer's worth: not for the stack */
    struct error err = {0};
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN); /* the terminal's, for the command */
    (void)signal(SIGQUIT, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    more_descriptors();
    if (prepare(&ic, &err) < 0) {
        launcher_say(&ic, WIRE_FAILED, err.message, strlen(err.message));
        return 1;
    }
    say_ready(&ic);
    int r = loop_run(&ic.loop, flush, &ic);
    while (ic.sessions)
        session_end(ic.sessions);
    relays_end(&ic);
    loop_release(&ic.loop);
    ca_free(ic.ca);
    tls_close(&ic);
    secrets_release(&ic.secrets);
    events_release(&ic.events);
    arena_release(&ic.arena);
    return r < 0;
}

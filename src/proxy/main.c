/*
 * bawn-proxy: the way out of a sandbox whose network is filtered. bawn starts it, one a run; by
 * hand there is nothing to be done with it.
 */
#include "helper/confine.h"
#include "proxy/proxy.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static int before_wait(void *data, int timeout)
{
    struct proxy *p = data;
    resolve_timers(p);
    launcher_flush(p);
    return resolve_timeout(p, timeout);
}

static int start(struct proxy *p, struct error *err)
{
    int r = loop_init(&p->loop);
    if (r < 0)
        return error_errno(err, r, "cannot start the event loop");
    if ((r = launcher_start(p, err)) < 0 || (r = dial_pin_sockets(p)) < 0 ||
        (r = ways_open(p, err)) < 0 || (r = resolve_open(p, err)) < 0)
        return r;
    own_open(p);
    if ((r = confine(p, err)) < 0 || (r = launcher_listen(p, err)) < 0)
        return r;
    r = launcher_watch(p);
    return r < 0 ? error_errno(err, r, "cannot watch the launcher") : 0;
}

static void stop(struct proxy *p)
{
    listen_close(p);
    while (p->clients)
        client_end(p->clients);
    launcher_finish(p);
    pool_close(p);
    resolve_close(p); /* tells those who still wait, the stub among them */
    udp_close(p);
    stub_close(p);
    for (size_t i = 0; i < p->n_pipes; i++) {
        fd_close(p->pipes[i][0]);
        fd_close(p->pipes[i][1]);
    }
    netpolicy_free(p->policy);
    vec_release(&p->answers);
    events_release(&p->events);
    fd_close(p->addresses.fd);
    loop_release(&p->loop);
    arena_release(&p->arena);
}

#if SANITIZED
/* The search for leaks starts a process, which the filter of system calls forbids. Asked by the
 * sanitizer's library, which has to see it. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

static const char usage[] =
    "bawn-proxy is started by bawn for a sandbox whose network is filtered; see bawn-proxy(8).\n";

int main(int argc, char **argv)
{
    static struct proxy p;
    struct error err = {0};
    if (argc != 1) {
        if (argc == 2 && str_eq(argv[1], "--to-ascii"))
            return to_ascii_main();
        bool version = str_eq(argv[1], "--version");
        (void)fputs(version ? "bawn-proxy " BAWN_VERSION "\n" : usage, version ? stdout : stderr);
        return version || str_eq(argv[1], "--help") ? 0 : 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    to_ascii_use();
    int r = start(&p, &err);
    if (r < 0) {
        launcher_say(&p, WIRE_FAILED, err.message);
        (void)fprintf(stderr, "bawn-proxy: %s\n", err.message);
        return 125;
    }
    launcher_say(&p, WIRE_READY, NULL);
    r = loop_run(&p.loop, before_wait, &p);
    stop(&p);
    return r < 0 ? 1 : 0;
}

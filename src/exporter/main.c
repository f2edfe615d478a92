/*
 * bawn-exporter: sends what bawn recorded to collectors. bawn starts it, one for each $BAWN_HOME;
 * by hand there is nothing to be done with it. See exporter.h.
 *
 * It ends by itself: when nobody is connected and nothing could be sent for a while, when its
 * directory is gone, when the files that say how names are looked up were replaced (the next one
 * reads the new ones), on SIGTERM. Whatever ends it, what was not sent is in the spool.
 */
#include "exporter/exporter.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/sys.h"
#include "exporter/confine.h"
#include "helper/confine.h"
#include "intercept/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#if SANITIZED
/* The search for leaks starts a process. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

#define UNUSED_SECONDS (30 * 24 * 3600)

static int watch_signals(struct exporter *x, struct error *err)
{
    sigset_t set;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 ||
        (x->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
        return error_errno(err, -errno, "signals cannot be watched");
    return 0;
}

/* Without them only a destination that brings its own can be verified: the rest fails, and says so.
 */
static void read_roots(struct exporter *x)
{
    for (size_t i = 0; trust_root_files[i] && !x->roots.n; i++) {
        _cleanup_fd_ int fd = open(trust_root_files[i], O_RDONLY | O_CLOEXEC);
        x->roots.max = MOST_ROOTS;
        if (fd >= 0 && fd_read_all(fd, MOST_ROOTS, &x->roots) < 0)
            strbuf_release(&x->roots);
    }
}

static int start(struct exporter *x, struct error *err)
{
    int r = confine_memory(err);
    if (r < 0 || (r = serve_first_client(x, err)) < 0 || (r = serve_lock(x, err)) < 0 ||
        (r = watch_signals(x, err)) < 0)
        return r;
    read_roots(x);
    if ((r = deliver_open(x, err)) < 0 || (r = serve_listen(x, err)) < 0)
        return r;
    spool_remove_unused(x->dirfd, clock_unix_ms() / 1000 - UNUSED_SECONDS);
    return exporter_confine(x->dirfd, err);
}

static uint32_t idle_ms(const struct exporter *x)
{
    uint32_t most = x->n_destinations ? 0 : IDLE_LEAST_MS;
    for (size_t i = 0; i < x->n_destinations; i++) {
        const struct destination *d = x->destinations[i];
        most = MAX_OF(most, d->failing ? MAX_OF(d->idle_ms, IDLE_LEAST_MS) : d->idle_ms);
    }
    return most;
}

/* How long until it is time to go; 0: now; -1: not while things are as they are. */
static int64_t until_idle(const struct exporter *x)
{
    if (serve_has_clients(x) || deliver_has_work(x))
        return -1;
    return MAX_OF(x->progress_ms + idle_ms(x) - x->now_ms, (int64_t)0);
}

static void soonest(int64_t *ms, int64_t other)
{
    if (other >= 0 && (*ms < 0 || other < *ms))
        *ms = other;
}

static int run(struct exporter *x)
{
    int64_t looked_ms = x->now_ms;
    for (;;) {
        struct curl_waitfd fds[SERVE_FDS];
        x->now_ms = clock_ms();
        int64_t wait = deliver_pump(x);
        if (x->stop) {
            if (!deliver_flies(x) || x->now_ms >= x->stop_ms)
                return 0;
            wait = x->stop_ms - x->now_ms;
        }
        const int64_t idle = until_idle(x);
        if (idle == 0)
            return 0;
        soonest(&wait, idle);
        if (x->now_ms - looked_ms >= LOOK_MS) {
            if (!serve_is_ours(x))
                return 0;
            looked_ms = x->now_ms;
        }
        soonest(&wait, LOOK_MS - (x->now_ms - looked_ms));
        if (deliver_flies(x))
            soonest(&wait, LOST_MS);
        const size_t n = serve_wait(x, fds);
        if (curl_multi_poll(x->multi, fds, (unsigned)n, (int)wait, NULL))
            return -ENOMEM;
        x->now_ms = clock_ms();
        deliver_perform(x);
        serve_ready(x, fds, n);
    }
}

static const char usage[] = "bawn-exporter is started by bawn; see bawn-exporter(8).\n";

int main(int argc, char **argv)
{
    static struct exporter x = {
        .dirfd = DIRECTORY_FD, .lock = -1, .listener = -1, .signals = -1}; /* not for the stack */
    struct error err = {0};
    if (argc != 1) {
        bool version = str_eq(argv[1], "--version");
        (void)fputs(version ? "bawn-exporter " BAWN_VERSION "\n" : usage,
                    version ? stdout : stderr);
        return version || str_eq(argv[1], "--help") ? 0 : 2;
    }
    (void)clearenv(); /* libraries read more of it than one knows */
    (void)umask(077);
    (void)sys_close_range(DIRECTORY_FD + 1, ~0u);
    (void)fd_set_cloexec(DIRECTORY_FD, true);
    for (size_t i = 0; i < MOST_CLIENTS; i++)
        x.clients[i].fd = -1;
    x.now_ms = x.progress_ms = clock_ms();
    int r = start(&x, &err);
    if (r == -EBUSY)
        return 0; /* there is one */
    if (r < 0) {
        (void)fprintf(stderr, "bawn-exporter: %s\n", err.message);
        return 125;
    }
    r = run(&x);
    deliver_close(&x);
    serve_close(&x);
    /* Threads that look names up may still be at it: nothing is taken down under them. */
    _exit(r < 0);
}

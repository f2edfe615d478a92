/*
 * Between configuration, bawn-proxy and the record. See proxy_front.h.
 *
 *   prepare   settings and rules, held against each other as the proxy will do
 *   start     the process; it reads its rules while the sandbox is made
 *   listening the sandbox's sockets are handed over; nothing runs before it says that it listens
 *   readable  decisions, questions, notes
 *   ended     the command is gone: what is still on its way is fetched, the rest is dropped
 *
 * When the proxy dies the network is closed: the sockets it accepted on are gone with it, nobody
 * else has them, and there is no other way out. What it says is checked as a stranger's; a message
 * that makes no sense ends it.
 */
#include "cli/proxy_front.h"

#include "base/clock.h"
#include "base/fd.h"
#include "cli/net_record.h"
#include "cli/network_rules.h"
#include "cli/print.h"
#include "cli/proxy_opening.h"
#include "cli/proxy_start.h"
#include "cli/proxy_upstream.h"
#include "cli/telling.h"
#include "network/from_config.h"
#include "network/settings.h"
#include "sandbox/terminal.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/epoll.h>

#define AT_ONCE   32  /* messages of one turn: the terminal and the filter wait meanwhile */
#define FINISH_MS 500 /* for what is still on its way at the end */

struct net_front {
    struct setup *s;
    struct netrules rules;
    struct wire_settings wire;
    struct proxy proxy;
    struct opening opening;
    int both; /* epoll: both processes are listened to, where there are two */
    struct run_network run;
    struct net_record *record;
    const char *upstream;
    bool summary; /* the sandbox's own report has the refusals */
};

/* ---- preparing ---- */

static int read_policy(struct net_front *f, struct error *err)
{
    struct setup *s = f->s;
    const struct net_asker *asker = s->net_asker;
    struct netpolicy_input in;
    _cleanup_netpolicy_ struct netpolicy *policy = NULL;
    int r = network_input(s, &in, err);
    if (r < 0)
        return r;
    in.list = &f->rules;
    in.ask_unknown = asker && asker->unknown;
    in.ask_rule = asker && asker->rule;
    /* Made only to find what is wrong with it, here where its places are known. */
    r = netpolicy_from_config(&in, &policy, err);
    if (r < 0)
        return r;
    f->wire.policy = netpolicy_settings_of(&in);
    f->wire.rules = f->rules.v.v;
    f->wire.n_rules = f->rules.v.n;
    f->wire.own = in.own;
    f->wire.n_own = in.n_own;
    return 0;
}

static int read_settings(struct net_front *f, struct error *err)
{
    struct setup *s = f->s;
    const struct net_settings *n = &s->network;
    struct wire_settings *w = &f->wire;
    w->limited = n->limited;
    w->socks_udp = n->socks_udp;
    w->all_unix_sockets = n->all_unix_sockets;
    w->profile = s->profile->name;
    w->block_message = n->block_message;
    w->unix_sockets = n->unix_sockets;
    w->n_unix_sockets = n->n_unix_sockets;
    int r = n->upstream ? upstream_read(&s->arena, w, err) : 0;
    f->upstream = r == 0 ? upstream_words(&s->arena, w) : NULL;
    return r;
}

int net_front_prepare(struct setup *s, struct error *err)
{
    struct net_front *f = mem_zalloc(1, sizeof(*f));
    if (!f)
        return error_errno(err, -ENOMEM, "cannot filter the network");
    f->s = s;
    f->proxy.fd = f->proxy.errors = f->run.fd = f->both = -1;
    opening_init(&f->opening);
    int r = read_settings(f, err);
    if (r == 0)
        r = read_policy(f, err);
    if (r == 0)
        r = opening_prepare(&f->opening, s, s->purpose == SETUP_RUN, err);
    f->wire.requests = f->opening.requests;
    f->wire.opened = f->opening.opened;
    f->opening.upstream = r == 0 && upstream_over_tls(&f->wire);
    f->wire.intercepts = opening_runs(&f->opening);
    if (r < 0) {
        net_front_free(f);
        return r;
    }
    s->net_front = f;
    return 0;
}

const char *net_front_upstream(const struct net_front *f)
{
    return f->upstream;
}

int net_front_start(struct net_front *f, struct error *err)
{
    const struct setup *s = f->s;
    f->wire.tells_ends = telling_spans(s->telling);
    if (s->n_own == 0)
        return error_set(err, -ENOENT,
                         "the network is to be filtered, and without /proc the "
                         "proxy beside bawn is not found");
    if (opening_runs(&f->opening) && f->opening.process.fd < 0) {
        int r = opening_start(&f->opening, f->s, err);
        if (r < 0)
            return r;
    }
    const struct proxy_program program = {proxy_place(&f->s->arena, s->own[0], PROXY_PROGRAM),
                                          s->profile, f->opening.handover[0]};
    return program.path ? proxy_start(&f->proxy, &program, &f->wire, err)
                        : error_errno(err, -ENOMEM, "cannot start the proxy");
}

const struct plan_opening *net_front_opening(const struct net_front *f)
{
    return f->opening.any ? &f->opening.plan : NULL;
}

/* ---- what it says ---- */

/* A line between what the command writes. */
_printf_(1, 2) static void warn(const char *fmt, ...)
{
    char text[ERROR_MESSAGE_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    terminal_pause();
    print_warning("%s", text);
    terminal_go_on();
}

/* It is of no use any more: because of PROBLEM, or for a reason of its own. */
static void close_network(struct net_front *f, const char *problem)
{
    _cleanup_strbuf_ struct strbuf why = {0};
    proxy_end(&f->proxy, &why);
    proxy_end(&f->opening.process, NULL);
    f->run.fd = -1;
    warn("the network is closed from here on: the proxy ended: %s", problem ? problem
                                                                    : why.n ? strbuf_text(&why)
                                                                            : "it did not say why");
}

static bool take_events(struct net_front *f, const struct wire_head *head, struct bytes payload,
                        const struct netrule *rules, size_t n_rules)
{
    for (size_t i = 0; i < head->count; i++) {
        struct wire_event e;
        if (wire_event_read(&payload, rules, n_rules, &e) < 0)
            return false;
        if (e.lasted_us)
            net_record_ended(f->record, &e);
        else
            net_record_add(f->record, &e);
    }
    net_record_lost(f->record, head->dropped);
    return payload.n == 0;
}

static bool take_question(struct net_front *f, const struct wire_head *head, struct bytes payload)
{
    const struct net_asker *asker = f->s->net_asker;
    struct wire_event e;
    struct wire_answer answer = {.remember = 1};
    if (wire_event_read(&payload, f->wire.rules, f->wire.n_rules, &e) < 0 || payload.n)
        return false;
    if (asker && (asker->unknown || asker->rule)) {
        terminal_pause();
        asker->ask(asker->data, &e, &f->run.inside, &answer);
        terminal_go_on();
    }
    (void)proxy_say(&f->proxy, WIRE_ANSWER, head->id, &answer, sizeof(answer));
    return true;
}

/* One message. False: it makes no sense. *ret_done: it has said all. */
static bool take_message(struct net_front *f, const struct wire_head *head, struct bytes payload,
                         bool *ret_done)
{
    switch (head->kind) {
    case WIRE_EVENTS:
        return take_events(f, head, payload, f->wire.rules, f->wire.n_rules);
    case WIRE_ASK:
        return *ret_done || take_question(f, head, payload);
    case WIRE_NOTE:
        warn("network: %s", show_n(payload.p, payload.n));
        return true;
    case WIRE_READY:
        *ret_done = true;
        return true;
    default:
        return false;
    }
}

static void flush_record(struct net_front *f)
{
    const char *problem;
    net_record_flush(f->record, &problem);
    if (problem)
        warn("%s", problem);
}

/* What bawn-intercept says. False: it is of no use any more. */
static bool take_opened(struct net_front *f, bool *ret_done)
{
    const struct netrequests *q = &f->opening.requests;
    for (int i = 0; i < AT_ONCE; i++) {
        struct wire_head head;
        struct bytes payload;
        int r = proxy_recv(&f->opening.process, &head, &payload);
        if (r == -EAGAIN)
            return true;
        if (r == 0 && head.kind == WIRE_READY && ret_done)
            *ret_done = true;
        else if (r == 0 && head.kind == WIRE_NOTE)
            warn("network: %s", show_n(payload.p, payload.n));
        else if (r < 0 || head.kind != WIRE_EVENTS ||
                 !take_events(f, &head, payload, q->places, q->n))
            return false;
    }
    return true;
}

/* What it holds is closed with it, and what would go to it is refused. */
static void end_opened(struct net_front *f)
{
    _cleanup_strbuf_ struct strbuf why = {0};
    proxy_end(&f->opening.process, &why);
    warn("%s from here on: %s ended%s%s",
         f->opening.any ? "no TLS connection is opened" : "no proxy is gone through over TLS",
         INTERCEPT_PROGRAM, why.n ? ": " : "", strbuf_text(&why));
}

static void readable(void *data)
{
    struct net_front *f = data;
    if (f->opening.process.fd >= 0 && !take_opened(f, NULL))
        end_opened(f);
    bool done = false;
    for (int i = 0; i < AT_ONCE && f->run.fd >= 0; i++) {
        struct wire_head head;
        struct bytes payload;
        int r = proxy_recv(&f->proxy, &head, &payload);
        if (r == -EAGAIN)
            break;
        if (r == -EBADMSG || (r == 0 && (!take_message(f, &head, payload, &done) || done)))
            close_network(f, "it said what makes no sense");
        else if (r < 0)
            close_network(f, NULL);
    }
    flush_record(f);
}

/* ---- the run ---- */

static int listen_to_both(struct net_front *f, struct error *err)
{
    struct epoll_event in = {.events = EPOLLIN};
    fd_close(f->both);
    f->both = epoll_create1(EPOLL_CLOEXEC);
    if (f->both < 0 || epoll_ctl(f->both, EPOLL_CTL_ADD, f->proxy.fd, &in) < 0 ||
        epoll_ctl(f->both, EPOLL_CTL_ADD, f->opening.process.fd, &in) < 0)
        return error_errno(err, -errno, "cannot listen to the proxy");
    f->run.fd = f->both;
    return 0;
}

static int listening(void *data, const struct net_listener *listeners, size_t n, struct error *err)
{
    struct net_front *f = data;
    int r = 0;
    /* A set-up that came to nothing had its sockets: that proxy's listeners are gone. */
    if (f->proxy.listening) {
        proxy_end(&f->proxy, NULL);
        r = net_front_start(f, err);
    }
    if (r == 0)
        r = proxy_listen(&f->proxy, listeners, n, err);
    for (size_t i = 0; i < n; i++)
        fd_close(listeners[i].fd);
    f->run.fd = f->proxy.fd;
    return r == 0 && opening_runs(&f->opening) ? listen_to_both(f, err) : r;
}

/* What is still on its way, for a moment. */
static void drain(struct net_front *f)
{
    int64_t until = clock_ms() + FINISH_MS;
    bool done = proxy_say(&f->proxy, WIRE_FINISH, 0, NULL, 0) < 0;
    while (!done) {
        struct wire_head head;
        struct bytes payload;
        int64_t left = until - clock_ms();
        if (left <= 0 || !proxy_wait(&f->proxy, (int)left))
            return;
        int r = proxy_recv(&f->proxy, &head, &payload);
        if (r == -EAGAIN)
            continue;
        if (r < 0)
            return;
        /* Nobody is asked any more. */
        if (head.kind != WIRE_ASK && !take_message(f, &head, payload, &done))
            return;
    }
}

/* The same of the other one, which has less to say. */
static void drain_opened(struct net_front *f)
{
    struct proxy *p = &f->opening.process;
    int64_t until = clock_ms() + FINISH_MS;
    bool done = p->fd < 0 || proxy_say(p, WIRE_FINISH, 0, NULL, 0) < 0;
    while (!done) {
        int64_t left = until - clock_ms();
        if (left <= 0 || !proxy_wait(p, (int)left) || !take_opened(f, &done))
            return;
    }
}

static void print_refused(struct net_front *f)
{
    const struct options *o = f->s->options;
    _cleanup_strbuf_ struct strbuf text = {0};
    if (o->quiet || f->summary)
        return;
    if (o->json) {
        const struct run_options all = {.json = true, .status_fd = -1};
        denials_report(net_record_refused(f->record), &all, 0);
        return;
    }
    net_record_summary(f->record, &text);
    if (!strbuf_failed(&text) && text.n)
        (void)fd_write_all(2, text.p, text.n);
}

static struct denials *ended(void *data)
{
    struct net_front *f = data;
    const char *problem;
    if (f->proxy.fd >= 0)
        drain(f);
    drain_opened(f);
    f->run.fd = -1;
    proxy_end(&f->proxy, NULL);
    proxy_end(&f->opening.process, NULL);
    net_record_finish(f->record, &problem);
    if (problem)
        print_warning("%s", problem);
    print_refused(f);
    return net_record_refused(f->record);
}

struct run_network *net_front_run(struct net_front *f, bool summary)
{
    const struct setup *s = f->s;
    const struct net_record_setup setup = {.bawn_home = s->bawn_home,
                                           .profile = s->profile->name,
                                           .parent = s->net_asker ? s->net_asker->parent : NULL,
                                           .telling = s->telling,
                                           .status_fd = s->options->status_fd,
                                           .inside = &f->run.inside};
    if (!f->record)
        f->record = net_record_new(&setup);
    f->summary = summary;
    f->run = (struct run_network){.files = f->opening.files,
                                  .n_files = f->opening.any ? ARRAY_LEN(f->opening.files) : 0,
                                  .listening = listening,
                                  .fd = -1,
                                  .inside = {.diag = -1},
                                  .readable = readable,
                                  .ended = ended,
                                  .data = f};
    return f->record ? &f->run : NULL;
}

void net_front_end(struct net_front *f, void (*see)(void *data, const struct denial *denial),
                   void *data)
{
    struct setup *s = f->s;
    proxy_end(&f->proxy, NULL);
    if (!f->record || f->run.taken)
        return;
    const struct run_options quietly = {.no_summary = true,
                                        .status_fd = -1,
                                        .see_denial = see,
                                        .data = data,
                                        .state_dir = setup_state_dir(s, false)};
    denials_report(net_record_refused(f->record), &quietly, 0);
}

void net_front_free(struct net_front *f)
{
    if (!f)
        return;
    proxy_end(&f->proxy, NULL);
    opening_release(&f->opening);
    fd_close(f->both);
    net_record_free(f->record);
    vec_release(&f->rules.v);
    mem_free(f);
}

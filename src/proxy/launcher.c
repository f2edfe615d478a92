/*
 * The socket to bawn. Settings and sockets come in at the start; decisions go out, in packs, and
 * questions, whose answers come back. Nothing here waits for bawn once the start is done: what it
 * does not take in time is dropped, counted and said.
 */
#include "proxy/proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define LAUNCHER_FD   3
#define SETTINGS_MOST (64u << 20)
#define HURRIED_MOST  256u /* refusals of a run */

struct question {
    struct question *next;
    struct proxy *proxy;
    uint64_t id;
    struct netrequest request;
    struct asking *waiting;
    struct timer timer;
};

/* ---- the start ---- */

/* Waits for the next message, which must be of KIND. */
static int await(struct proxy *p, enum wire_kind kind, struct wire_head *head,
                 struct bytes *payload, int *fds, size_t *n_fds, struct error *err)
{
    for (;;) {
        struct pollfd pfd = {.fd = p->launcher.fd, .events = POLLIN};
        if (poll(&pfd, 1, -1) < 0 && errno != EINTR)
            return error_errno(err, -errno, "cannot wait for the launcher");
        int r = wire_recv(p->launcher.fd, p->scratch, head, payload, fds, n_fds);
        if (r == -EAGAIN || r == -EINTR)
            continue;
        if (r < 0)
            return error_errno(err, r, "the launcher went away");
        if (head->kind != kind) {
            for (size_t i = 0; i < *n_fds; i++)
                fd_close(fds[i]);
            return error_set(err, -EBADMSG, "the launcher said something else than expected");
        }
        return 0;
    }
}

static int read_settings(struct proxy *p, int fd, struct error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > SETTINGS_MOST)
        return error_set(err, -EINVAL, "the settings cannot be read");
    /* They are there as long as the program runs: all strings of the policy point into them. */
    void *text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (text == MAP_FAILED)
        return error_errno(err, -errno, "cannot read the settings");
    return wire_settings_read(&p->arena, (struct bytes){text, (size_t)st.st_size}, &p->settings,
                              err);
}

static int build_policy(struct proxy *p, struct error *err)
{
    const struct wire_settings *s = &p->settings;
    p->policy = netpolicy_new(&s->policy);
    if (!p->policy)
        return error_set(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < s->n_rules; i++) {
        int r = netpolicy_add(p->policy, &s->rules[i], err);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < s->n_own; i++)
        if (netpolicy_add_own(p->policy, &s->own[i]) < 0)
            return error_set(err, -ENOMEM, "out of memory");
    return netpolicy_finish(p->policy, NULL, err);
}

int launcher_start(struct proxy *p, struct error *err)
{
    struct wire_head head;
    struct bytes payload;
    int fds[WIRE_FDS_MAX];
    size_t n = 0;
    p->launcher.fd = LAUNCHER_FD;
    if (getrandom(&p->noted_seed, sizeof(p->noted_seed), 0) < 0)
        return error_errno(err, -errno, "there are no random numbers");
    if (fd_set_cloexec(LAUNCHER_FD, true) < 0 || fd_set_nonblock(LAUNCHER_FD, true) < 0)
        return error_set(err, -EBADF, "bawn-proxy is started by bawn, not by hand");
    int r = await(p, WIRE_START, &head, &payload, fds, &n, err);
    if (r < 0)
        return r;
    if (n != 1)
        r = error_set(err, -EBADMSG, "there are no settings");
    if (r == 0)
        r = read_settings(p, fds[0], err);
    for (size_t i = 0; i < n; i++)
        fd_close(fds[i]);
    return r < 0 ? r : build_policy(p, err);
}

int launcher_listen(struct proxy *p, struct error *err)
{
    struct wire_head head;
    struct bytes payload;
    int fds[WIRE_FDS_MAX];
    size_t n = 0;
    int r = await(p, WIRE_LISTEN, &head, &payload, fds, &n, err);
    if (r < 0)
        return r;
    if (payload.n != n || n == 0)
        r = error_set(err, -EBADMSG, "there are no listening sockets");
    for (size_t i = 0; i < n; i++) {
        if (r == 0 && listen_on(p, fds[i], (enum wire_listener)(uint8_t)payload.p[i]))
            continue;
        if (r == 0)
            r = error_set(err, -EIO, "cannot take listener %zu", i);
        fd_close(fds[i]);
    }
    return r;
}

void launcher_say(struct proxy *p, enum wire_kind kind, const char *text)
{
    struct wire_head head = {.kind = (uint16_t)kind, .version = WIRE_VERSION};
    size_t n = text ? MIN_OF(strlen(text), (size_t)WIRE_TEXT_MAX) : 0;
    (void)wire_send(p->launcher.fd, &head, text, n, NULL, 0);
}

void proxy_exhausted(struct proxy *p, int error)
{
    const bool files = error == EMFILE || error == ENFILE;
    bool *said = files ? &p->said_files : &p->said_memory;
    if (!*said)
        launcher_say(p, WIRE_NOTE,
                     files ? "the proxy is out of descriptors: connections wait or are refused"
                           : "the proxy is out of memory: connections are refused");
    *said = true;
}

/* ---- decisions ---- */

/* ---- what was allowed before ---- */

static uint64_t hash_request(const struct proxy *p, const struct netrequest *q)
{
    const uint64_t seed = p->noted_seed ^ (uint64_t)q->port << 32 ^ q->protocol;
    return host_hash(seed, &q->host) | 1; /* 0 is no hash */
}

static uint64_t hash_path(const struct proxy *p, struct bytes path)
{
    uint64_t h = ~p->noted_seed; /* as if to no port by no protocol */
    for (size_t i = 0; i < path.n; i++)
        h = (h ^ (uint8_t)path.p[i]) * 0x9e3779b97f4a7c15u;
    return (h ^ h >> 29) | 1;
}

static uint64_t *find_noted(struct proxy *p, uint64_t h)
{
    size_t at = (h >> 20) % ARRAY_LEN(p->noted);
    while (p->noted[at] && p->noted[at] != h)
        at = (at + 1) % ARRAY_LEN(p->noted);
    return &p->noted[at];
}

static void note_allowed(struct proxy *p, uint64_t h)
{
    uint64_t *slot = find_noted(p, h);
    if (*slot || p->n_noted >= ARRAY_LEN(p->noted) / 2)
        return;
    *slot = h;
    p->n_noted++;
}

/* H: of what is decided about. */
static bool record(struct proxy *p, const struct wire_event *e, uint64_t h)
{
    /* A flood of refusals leaves room for what is allowed. */
    const bool allowed = e->answer.decision == NET_ALLOW;
    const size_t most = allowed ? EVENTS_MOST : EVENTS_MOST / 2;
    if (p->events.ends.n >= most)
        launcher_flush(p);
    if (!events_put(&p->events, e, most))
        return !allowed || *find_noted(p, h) != 0;
    if (allowed)
        note_allowed(p, h);
    /* The client may be gone as soon as it hears of a refusal: before that, who it was can be found
     * out. Of the first ones, no flood is faster for it. */
    if (!allowed && p->n_hurried < HURRIED_MOST) {
        p->n_hurried++;
        launcher_flush(p);
    }
    return true;
}

bool proxy_record(struct proxy *p, const struct netrequest *q, const struct netanswer *a,
                  bool asked, const char *method)
{
    const struct wire_event e = event_now(q, a, asked, method);
    return record(p, &e, hash_request(p, q));
}

bool proxy_record_socket(struct proxy *p, struct bytes path, const struct netanswer *a,
                         const char *method)
{
    static const struct netrequest none = {.protocol = NET_HTTP};
    struct wire_event e = event_now(&none, a, false, method);
    (void)printable(e.path, sizeof(e.path), path.p, path.n);
    return record(p, &e, hash_path(p, path));
}

void launcher_flush(struct proxy *p)
{
    int r = events_flush(&p->events, p->launcher.fd);
    if (r < 0 && r != -EAGAIN) {
        p->loop.stop = true;
        return;
    }
    const bool blocked = r == -EAGAIN;
    if (blocked != p->events_blocked)
        loop_change_level(&p->loop, &p->launcher, blocked ? EPOLLIN | EPOLLOUT : EPOLLIN);
    p->events_blocked = blocked;
}

/* ---- questions ---- */

static bool same_request(const struct netrequest *a, const struct netrequest *b)
{
    return a->protocol == b->protocol && netrequest_same_place(a, b);
}

void proxy_judge(struct proxy *p, const struct netrequest *q, struct netanswer *ret,
                 bool *ret_asked)
{
    *ret_asked = false;
    netpolicy_decide(p->policy, q, ret);
    if (ret->decision != NET_ASK)
        return;
    vec_foreach (a, &p->answers) {
        if (!same_request(&a->request, q))
            continue;
        *ret_asked = true;
        ret->decision = a->allow ? NET_ALLOW : NET_DENY;
        ret->reason = a->allow ? NET_ALLOWED : NET_ANSWERED_NO;
        return;
    }
}

static void settle(struct question *q, bool allow)
{
    struct proxy *p = q->proxy;
    struct question **at = &p->questions;
    while (*at != q)
        at = &(*at)->next;
    *at = q->next;
    p->n_questions--;
    timer_stop(&q->timer);
    while (q->waiting) {
        struct asking *a = q->waiting;
        q->waiting = a->next;
        a->question = NULL;
        a->answered(a, allow);
    }
    loop_free(&p->loop, q);
}

static void question_due(struct timer *t)
{
    settle((struct question *)(void *)((char *)t - offsetof(struct question, timer)), false);
}

static bool put_question(struct proxy *p, struct question *q, const struct netanswer *a)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    const struct wire_event e = event_now(&q->request, a, false, "");
    struct wire_head head = {.kind = WIRE_ASK, .count = 1, .version = WIRE_VERSION, .id = q->id};
    wire_event_write(&e, &text);
    return !strbuf_failed(&text) && wire_send(p->launcher.fd, &head, text.p, text.n, NULL, 0) == 0;
}

bool proxy_ask(struct proxy *p, const struct netrequest *request, const struct netanswer *a,
               struct asking *asking)
{
    struct question *q = p->questions;
    while (q && !same_request(&q->request, request))
        q = q->next;
    if (!q) {
        if (p->n_questions == LIMIT_ASKS || !(q = mem_zalloc(1, sizeof(*q))))
            return false;
        *q = (struct question){.next = p->questions,
                               .proxy = p,
                               .id = ++p->last_question,
                               .request = *request,
                               .timer = {.fire = question_due}};
        if (!put_question(p, q, a)) {
            mem_free(q);
            return false;
        }
        p->questions = q;
        p->n_questions++;
        timer_start(&p->loop, &q->timer, TIMER_ASK);
    }
    asking->question = q;
    asking->next = q->waiting;
    q->waiting = asking;
    return true;
}

void proxy_ask_stop(struct asking *asking)
{
    struct asking **at = &asking->question->waiting;
    while (*at != asking)
        at = &(*at)->next;
    *at = asking->next;
    asking->question = NULL;
}

static void take_answer(struct proxy *p, uint64_t id, struct bytes payload)
{
    struct wire_answer answer;
    struct question *q = p->questions;
    while (q && q->id != id)
        q = q->next;
    if (!q || payload.n != sizeof(answer))
        return;
    memcpy(&answer, payload.p, sizeof(answer));
    if (answer.remember) {
        struct answered *a = vec_push_max(&p->answers, LIMIT_ANSWERS);
        if (a)
            *a = (struct answered){q->request, answer.allow == 1};
    }
    settle(q, answer.allow == 1);
}

/* ---- while it runs ---- */

static void ready(struct watch *w, uint32_t events)
{
    struct proxy *p = (struct proxy *)(void *)((char *)w - offsetof(struct proxy, launcher));
    if (events & EPOLLOUT)
        launcher_flush(p);
    for (;;) {
        struct wire_head head;
        struct bytes payload;
        int fds[WIRE_FDS_MAX];
        size_t n = 0;
        int r = wire_recv(w->fd, p->scratch, &head, &payload, fds, &n);
        if (r == -EAGAIN)
            return;
        for (size_t i = 0; r == 0 && i < n; i++)
            fd_close(fds[i]);
        if (r < 0) {
            p->loop.stop = true;
            return;
        }
        if (head.kind == WIRE_ANSWER) {
            take_answer(p, head.id, payload);
        } else if (head.kind == WIRE_FINISH) {
            p->finishing = true;
            p->loop.stop = true;
            return;
        }
    }
}

int launcher_watch(struct proxy *p)
{
    p->launcher.ready = ready;
    return loop_watch_level(&p->loop, &p->launcher, EPOLLIN);
}

void launcher_finish(struct proxy *p)
{
    if (!p->finishing)
        return;
    /* The launcher takes these now, and waits no longer than this does. */
    for (int i = 0; i < 5 && p->events.ends.n; i++) {
        struct pollfd pfd = {.fd = p->launcher.fd, .events = POLLOUT};
        (void)poll(&pfd, 1, 100);
        launcher_flush(p);
    }
    launcher_say(p, WIRE_READY, NULL);
}

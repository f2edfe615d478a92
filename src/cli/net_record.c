/* The record of a filtered network. See net_record.h. */
#include "cli/net_record.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/vec.h"
#include "cli/telling.h"

#include <errno.h>

#define MOST_SEEN    3000u /* different decisions of a run that are counted */
#define MOST_REFUSED 1000u /* of them refusals: a flood of those hides nothing that was allowed */
#define SLOTS        4096u /* of their hash table: a power of two, and never full */
#define MOST_WAITING 64u   /* lines of one append */
#define MOST_SHOWN   5u    /* hosts that the person is told of at the end */
#define MOST_ENDED   1000u /* connections: other spans need room as well */
#define MOST_LOOKING 200u  /* milliseconds of a run, for who asks: the command waits for them */

struct seen {
    struct wire_event event; /* the first */
    uint64_t count;
    struct denial_net net; /* of a refusal */
    const char *path;      /* of a refused Unix socket, redacted */
    pid_t pid;             /* of who asked first, or 0 */
    const char *exe;
};

struct net_record {
    struct net_record_setup setup;
    struct arena arena;
    struct denials refused;
    VEC(struct seen *) seen;
    uint16_t slots[SLOTS];         /* index into `seen` and 1; 0: free */
    size_t n_refused;              /* of `seen` */
    VEC(struct wire_event) beyond; /* what was allowed and is not counted: a line each */
    uint64_t more;                 /* refusals beyond MOST_REFUSED, and lost ones */
    struct audit *audit;
    bool audit_tried, audit_lost;
    size_t flushed; /* of `seen`, that are in the log */
    size_t ended;   /* connections that a collector was told of */
    int64_t looking_us;
};

/* ---- what is the same ---- */

static bool is_refused(const struct wire_event *e)
{
    return e->answer.decision == NET_DENY;
}

static bool is_same(const struct wire_event *a, const struct wire_event *b)
{
    return a->answer.rule == b->answer.rule && a->answer.decision == b->answer.decision &&
           a->answer.reason == b->answer.reason && a->asked == b->asked &&
           a->request.protocol == b->request.protocol &&
           netrequest_same_place(&a->request, &b->request) && str_eq(a->path, b->path) &&
           (!is_refused(a) || str_eq(a->method, b->method));
}

static size_t hash_of(const struct wire_event *e)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < e->request.host.n; i++)
        h = (h ^ (unsigned char)e->request.host.name[i]) * 16777619u;
    for (const char *p = e->path; *p; p++)
        h = (h ^ (unsigned char)*p) * 16777619u;
    h = (h ^ e->request.port) * 16777619u;
    h = (h ^ e->request.protocol ^ ((uint32_t)e->answer.reason << 8)) * 16777619u;
    return (h ^ h >> 15) % SLOTS;
}

/* The slot of E: one that is free, or *ret_seen. */
static size_t find(const struct net_record *r, const struct wire_event *e, struct seen **ret_seen)
{
    size_t at = hash_of(e);
    *ret_seen = NULL;
    for (; r->slots[at]; at = (at + 1) % SLOTS)
        if (is_same(&r->seen.v[r->slots[at] - 1]->event, e)) {
            *ret_seen = r->seen.v[r->slots[at] - 1];
            break;
        }
    return at;
}

/* ---- refusals ---- */

static const char *source_word(const struct netanswer *a)
{
    return a->rule ? net_source_word(a->rule->source) : NULL;
}

/* Of a Unix socket, its path redacted: a person wrote it, or made it up. */
static void say_socket(struct net_record *r, struct seen *s, struct strbuf *says,
                       struct strbuf *hint)
{
    const char *path = redact(&r->arena, s->event.path, NULL);
    s->path = path ? path : "?";
    strbuf_puts(says, "no rule allows this Unix socket");
    strbuf_printf(hint, "[permissions.%s.network] unix_sockets: ",
                  r->setup.profile && r->setup.profile[0] != ':' ? r->setup.profile : "NAME");
    strbuf_printf(hint, "\"%s\" = \"allow\"", s->path);
}

static void note_refusal(struct net_record *r, struct seen *s)
{
    const struct wire_event *e = &s->event;
    const struct netrule *rule = e->answer.rule;
    _cleanup_strbuf_ struct strbuf says = {0}, hint = {0};
    if (e->path[0]) {
        say_socket(r, s, &says, &hint);
    } else {
        netpolicy_say(&e->request, &e->answer, &says);
        netpolicy_hint(r->setup.profile, &e->request, &e->answer, &hint);
    }
    s->net = (struct denial_net){.host = e->request.host.n ? e->request.host.name : "?",
                                 .path = e->path[0] ? s->path : NULL,
                                 .protocol = net_protocol_word(e->request.protocol),
                                 .port = e->request.port,
                                 .reason = net_reason_word(e->answer.reason),
                                 .source = source_word(&e->answer),
                                 .says = arena_strdup(&r->arena, strbuf_text(&says)),
                                 .rule = rule ? rule->pattern : NULL,
                                 .file = rule ? rule->file : NULL,
                                 .line = rule ? rule->line : 0,
                                 .method = e->method[0] ? e->method : NULL,
                                 .pid = s->pid,
                                 .exe = s->exe};
    if (s->net.says)
        denials_network(&r->refused, &s->net, strbuf_text(&hint));
}

/* ---- decisions ---- */

struct net_record *net_record_new(const struct net_record_setup *setup)
{
    struct net_record *r = mem_zalloc(1, sizeof(*r));
    if (!r)
        return NULL;
    r->setup = *setup;
    r->refused.status_fd = setup->status_fd;
    return r;
}

void net_record_lost(struct net_record *r, uint64_t n)
{
    r->more += n;
}

/* NULL: no room for one more. */
static struct seen *count_new(struct net_record *r, const struct wire_event *e)
{
    if (is_refused(e) && r->n_refused == MOST_REFUSED)
        return NULL;
    struct seen *s = arena_zalloc(&r->arena, 1, sizeof(*s));
    struct seen **slot = s ? vec_push_max(&r->seen, MOST_SEEN) : NULL;
    if (!slot)
        return NULL;
    *slot = s;
    r->n_refused += is_refused(e);
    return s;
}

/* Now or never: a client that was refused may be gone the next moment. */
static void look_for_asker(struct net_record *r, struct seen *s)
{
    const struct netrequest *q = &s->event.request;
    struct asker found;
    if (!r->setup.inside || !q->client_port || r->looking_us > MOST_LOOKING * 1000)
        return;
    const int64_t began = (int64_t)clock_us();
    if (asker_find(r->setup.inside, q->client_port, q->client_udp, &found)) {
        s->pid = found.pid;
        s->exe = found.exe[0] ? arena_strdup(&r->arena, found.exe) : NULL;
    }
    r->looking_us += (int64_t)clock_us() - began;
}

void net_record_add(struct net_record *r, const struct wire_event *e)
{
    struct seen *s;
    size_t at = find(r, e, &s);
    if (!s) {
        s = count_new(r, e);
        if (!s && !is_refused(e)) {
            struct wire_event *one = vec_push(&r->beyond);
            if (one) {
                *one = *e;
                return;
            }
        }
        if (!s) {
            r->more++;
            return;
        }
        s->event = *e;
        r->slots[at] = (uint16_t)r->seen.n;
        look_for_asker(r, s);
    }
    s->count++;
    if (!is_refused(e))
        return;
    if (s->count == 1) {
        note_refusal(r, s);
    } else if (s->net.says) {
        denials_network(&r->refused, &s->net, NULL);
    }
}

/* ---- the audit log ---- */

static const char *scope_word(const struct wire_event *e)
{
    return e->path[0] ? "unix_socket" : e->request.host.kind == HOST_ADDRESS ? "address" : "domain";
}

/* TEXT holds the address as long as the event is used. */
static struct net_event event_of(const struct net_record *r, const struct wire_event *e,
                                 char text[ADDRESS_TEXT_MAX])
{
    const struct netanswer *a = &e->answer;
    const struct netrule *rule = a->rule;
    const bool refused = is_refused(e), no = a->reason == NET_ANSWERED_NO;
    /* A yes decides only where nothing came after it: a name that is not found, say. */
    const bool by_user = e->asked && (no || a->reason == NET_ALLOWED);
    struct net_event n = {.time_ms = e->time_ms,
                          .action = refused ? "refuse" : "reach",
                          .scope = scope_word(e),
                          .decision = net_decision_word(a->decision),
                          .source = source_word(a),
                          .reason = net_reason_word(a->reason),
                          .rule = rule ? rule->pattern : NULL,
                          .rule_file = rule ? rule->file : NULL,
                          .rule_line = rule ? rule->line : 0,
                          .protocol = net_protocol_word(e->request.protocol),
                          .host = e->path[0] ? NULL : e->request.host.name,
                          .path = e->path[0] ? e->path : NULL,
                          .port = e->request.port,
                          .method = e->method[0] ? e->method : NULL,
                          .by = by_user ? BY_USER : BY_CONFIGURATION,
                          .answer = !e->asked ? NULL
                                    : no      ? "no"
                                              : "yes",
                          .profile = r->setup.profile,
                          .parent = r->setup.parent};
    if (a->address.family)
        n.address = address_format(&a->address, text);
    return n;
}

void net_record_ended(struct net_record *r, const struct wire_event *e)
{
    char address[ADDRESS_TEXT_MAX];
    if (r->ended == MOST_ENDED || e->path[0])
        return;
    r->ended++;
    const struct net_event n = event_of(r, e, address);
    telling_connection(r->setup.telling, &n, e->lasted_us, e->failed);
}

static int open_audit(struct net_record *r, struct error *err)
{
    if (r->audit)
        return 0;
    if (r->audit_tried)
        return -EIO;
    r->audit_tried = true;
    if (!r->setup.bawn_home)
        return error_set(err, -ENOENT, "there is no home to keep the record in: set BAWN_HOME");
    return audit_open(r->setup.bawn_home, &r->audit, err);
}

static void lose(struct net_record *r, const struct error *err, const char **ret_problem)
{
    if (!r->audit_lost)
        *ret_problem = arena_printf(&r->arena, "what is decided on the network is not recorded: %s",
                                    err->message);
    r->audit_lost = true;
}

static void append(struct net_record *r, struct net_event *events, size_t n,
                   const char **ret_problem)
{
    struct error err = {0};
    int e = 0;
    for (size_t i = 0; e == 0 && i < n; i++)
        e = event_new_id(events[i].id);
    for (size_t i = 0; e == 0 && i < n; i++)
        telling_net(r->setup.telling, &events[i]);
    if (e == 0)
        e = open_audit(r, &err);
    if (e == 0)
        e = audit_append_net(r->audit, events, n, &err);
    if (e < 0)
        lose(r, &err, ret_problem);
}

void net_record_flush(struct net_record *r, const char **ret_problem)
{
    *ret_problem = NULL;
    while (r->flushed < r->seen.n && !r->audit_lost) {
        struct net_event events[MOST_WAITING];
        char addresses[MOST_WAITING][ADDRESS_TEXT_MAX];
        size_t n = 0;
        for (; n < MOST_WAITING && r->flushed < r->seen.n; n++) {
            const struct seen *s = r->seen.v[r->flushed++];
            events[n] = event_of(r, &s->event, addresses[n]);
            events[n].pid = (uint32_t)s->pid;
            events[n].exe = s->exe;
        }
        append(r, events, n, ret_problem);
    }
    for (size_t i = 0; i < r->beyond.n && !r->audit_lost;) {
        struct net_event events[MOST_WAITING];
        char addresses[MOST_WAITING][ADDRESS_TEXT_MAX];
        size_t n = 0;
        for (; n < MOST_WAITING && i < r->beyond.n; n++)
            events[n] = event_of(r, &r->beyond.v[i++], addresses[n]);
        append(r, events, n, ret_problem);
    }
    r->beyond.n = 0;
}

void net_record_finish(struct net_record *r, const char **ret_problem)
{
    struct net_event events[MOST_WAITING];
    char addresses[MOST_WAITING][ADDRESS_TEXT_MAX];
    size_t n = 0;
    net_record_flush(r, ret_problem);
    for (size_t i = 0; i < r->seen.n && !r->audit_lost; i++) {
        const struct seen *s = r->seen.v[i];
        if (s->count < 2)
            continue;
        events[n] = event_of(r, &s->event, addresses[n]);
        events[n].time_ms = clock_unix_ms();
        events[n++].count = s->count;
        if (n == MOST_WAITING) {
            append(r, events, n, ret_problem);
            n = 0;
        }
    }
    if (r->more && !r->audit_lost)
        events[n++] = (struct net_event){.time_ms = clock_unix_ms(),
                                         .reason = "not_recorded",
                                         .profile = r->setup.profile,
                                         .parent = r->setup.parent,
                                         .count = r->more};
    if (n && !r->audit_lost)
        append(r, events, n, ret_problem);
}

/* ---- for people ---- */

struct denials *net_record_refused(struct net_record *r)
{
    return &r->refused;
}

static bool is_same_host(const struct denial_net *a, const struct denial_net *b)
{
    return a->path || b->path ? a->path && b->path && str_eq(a->path, b->path)
                              : str_eq(a->host, b->host);
}

/* Of several refusals of a host (by another protocol, to another port) the first is shown. */
static bool is_first_of_host(const struct net_record *r, size_t at)
{
    const struct denial_net *n = r->refused.list.v[at].net;
    for (size_t i = 0; i < at; i++)
        if (is_same_host(r->refused.list.v[i].net, n))
            return false;
    return true;
}

static void put_line(struct strbuf *out, const struct denial *d)
{
    const struct denial_net *n = d->net;
    /* A name that the resolver inside was asked for has no port. */
    const bool reach = n->port || n->path;
    const char *what = reach ? d->what : n->host;
    strbuf_puts(out, reach ? "bawn: refused to reach " : "bawn: refused to look up ");
    strbuf_put_printable(out, what, strlen(what));
    if (d->count > 1)
        strbuf_printf(out, ", %lu times", d->count);
    strbuf_puts(out, ": ");
    strbuf_put_printable(out, n->says, strlen(n->says));
    if (d->hint[0]) {
        strbuf_puts(out, "; hint: ");
        strbuf_put_printable(out, d->hint, strlen(d->hint));
    }
    strbuf_putc(out, '\n');
}

void net_record_summary(struct net_record *r, struct strbuf *out)
{
    size_t shown = 0, more = 0;
    for (size_t i = 0; i < r->refused.list.n; i++) {
        if (!is_first_of_host(r, i))
            continue;
        if (shown < MOST_SHOWN) {
            put_line(out, &r->refused.list.v[i]);
            shown++;
        } else {
            more++;
        }
    }
    if (more || r->more)
        strbuf_printf(out, "bawn: refused to reach %zu more%s: `bawn denials`\n", more,
                      r->more ? ", and others that are not counted" : "");
}

void net_record_free(struct net_record *r)
{
    if (!r)
        return;
    audit_close(r->audit);
    denials_release(&r->refused);
    vec_release(&r->seen);
    vec_release(&r->beyond);
    arena_release(&r->arena);
    mem_free(r);
}

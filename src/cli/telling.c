/* Events, spans and measurements of one command. See telling.h. */
#include "cli/telling.h"

#include "base/clock.h"
#include "cli/print.h"
#include "cli/telemetry_start.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct telling {
    struct telemetry_out *out;
    struct telemetry *sink;
    struct span root, command;
    char id[EVENT_ID_BYTES]; /* of the decision that all belongs to; `bawn sandbox` has its own */
    struct run_report report;
    uint64_t denials[OUTCOME_DENIALS];
    bool told; /* the exporter was looked for */
    bool failed;
};

static void look_for_exporter(void *data)
{
    struct telling *t = data;
    if (!t->told)
        telemetry_started(t->out);
    t->told = true;
}

static void tell_requirements(struct telling *t, const struct config *c)
{
    for (size_t i = 0; i < c->applied.n; i++) {
        struct requirement_event e = {.time_ms = clock_unix_ms(),
                                      .key = c->applied.v[i],
                                      .effect = "replaced",
                                      .source = "requirements"};
        telemetry_requirement(t->sink, &e);
    }
}

int telling_begin(struct setup *s, const char *verb, uint64_t start_ns)
{
    struct error err = {0};
    struct telemetry_out *out;
    if (telemetry_prepare(s, &out, &err) < 0)
        return cli_error(&err, EXIT_BROKEN);
    if (!out)
        return 0;
    struct telling *t = arena_zalloc(&s->arena, 1, sizeof(*t));
    if (!t) {
        telemetry_finish(out, false);
        return cli_failure(EXIT_BROKEN, "out of memory");
    }
    t->out = out;
    t->sink = telemetry_sink(out);
    span_begin(t->sink, &t->root, verb, NULL, start_ns);
    tell_requirements(t, s->config);
    (void)event_new_id(t->id);
    s->telling = t;
    return 0;
}

void telling_phase(struct telling *t, const char *name, uint64_t start_ns)
{
    struct span s;
    if (!t)
        return;
    span_begin(t->sink, &s, name, &t->root, start_ns);
    span_end(t->sink, &s, SPAN_INTERNAL, SPAN_STATUS_UNSET, (struct attributes){0});
}

/* ---- decisions ---- */

void telling_decision(struct telling *t, const struct decision_event *e)
{
    if (!t)
        return;
    memcpy(t->id, e->id, sizeof(t->id));
    telemetry_decision(t->sink, e);
}

void telling_approval(struct telling *t, const char *id, const char *scope, const char *answer,
                      enum decided_by by, uint64_t asked_ms)
{
    if (!t)
        return;
    struct approval_event e = {.time_ms = clock_unix_ms(),
                               .scope = scope,
                               .answer = answer,
                               .by = by,
                               .asked_ms = asked_ms};
    (void)snprintf(e.id, sizeof(e.id), "%s", id ? id : "");
    telemetry_approval(t->sink, &e);
}

static struct attribute text_attribute(const char *key, const char *text)
{
    return (struct attribute){
        .key = bytes_of(key), .type = ATTRIBUTE_TEXT, .text = bytes_of(text ? text : "")};
}

bool telling_spans(const struct telling *t)
{
    return t && telemetry_spans(t->sink);
}

/* Within the command's span: the clock of decisions is coarser, and an end is noticed a moment
 * late. */
static void tell_connection(struct telling *t, const struct net_event *e, uint64_t lasted_us,
                            bool good)
{
    struct span s;
    const struct attribute about[] = {
        text_attribute("server.address", e->host),
        text_attribute("network.policy.decision", e->decision),
        text_attribute("network.transport.protocol", e->protocol),
        {.key = bytes_of("server.port"), .type = ATTRIBUTE_INT, .number = e->port},
    };
    const struct run_report *r = &t->report;
    uint64_t start = MAX_OF((uint64_t)e->time_ms * 1000000u, r->started_ns);
    uint64_t end = start + lasted_us * 1000u;
    span_begin(t->sink, &s, "network", &t->command, start);
    span_end_at(t->sink, &s, r->ended_ns ? MIN_OF(end, r->ended_ns) : end, SPAN_CLIENT,
                good ? SPAN_STATUS_OK : SPAN_STATUS_ERROR,
                (struct attributes){about, ARRAY_LEN(about)});
}

void telling_net(struct telling *t, const struct net_event *e)
{
    if (!t)
        return;
    telemetry_net(t->sink, e);
    /* Not of a sum of those that were told. */
    if (!e->count && e->host && e->action && str_eq(e->action, "refuse"))
        tell_connection(t, e, 0, false);
}

void telling_connection(struct telling *t, const struct net_event *e, uint64_t lasted_us,
                        bool failed)
{
    if (t && e->host)
        tell_connection(t, e, lasted_us, !failed);
}

/* ---- the command ---- */

int telling_environment(struct telling *t, struct setup *s)
{
    char text[TRACE_PARENT_BYTES];
    struct string_list *set = &s->config->env_set;
    if (!t)
        return 0;
    span_begin(t->sink, &t->command, "command", &t->root, 0);
    if (!span_parent_text(t->sink, &t->command, text))
        return 0;
    for (size_t i = 0; i < set->n; i++)
        if (str_starts(set->v[i], "TRACEPARENT="))
            return 0;
    /* Where nothing is confined, the environment is ours. */
    if (s->profile->full_access && setenv("TRACEPARENT", text, 1) < 0)
        return -ENOMEM;
    const char **v = arena_zalloc(&s->arena, set->n + 1, sizeof(*v));
    if (!v)
        return -ENOMEM;
    for (size_t i = 0; i < set->n; i++)
        v[i] = set->v[i];
    v[set->n] = arena_printf(&s->arena, "TRACEPARENT=%s", text);
    if (!v[set->n])
        return -ENOMEM;
    set->v = v;
    set->n++;
    return 0;
}

struct run_report *telling_report(struct telling *t)
{
    if (!t)
        return NULL;
    t->report = (struct run_report){.started = look_for_exporter, .data = t};
    memset(t->denials, 0, sizeof(t->denials));
    return &t->report;
}

void telling_denial(struct telling *t, const struct denial *d)
{
    static const enum outcome_denials kinds[] = {[DENIAL_FILE] = DENIED_READ,
                                                 [DENIAL_SOCKET] = DENIED_NETWORK,
                                                 [DENIAL_SYSCALL] = DENIED_OTHER,
                                                 [DENIAL_LIMIT] = DENIED_OTHER,
                                                 [DENIAL_NETWORK] = DENIED_NETWORK};
    if (!t)
        return;
    bool writes = d->kind == DENIAL_FILE && d->access == ACCESS_WRITE;
    t->denials[writes ? DENIED_WRITE : kinds[d->kind]] += d->count;
}

static const char *outcome_word(const struct telling *t, bool started)
{
    uint64_t denied = 0;
    for (size_t i = 0; i < OUTCOME_DENIALS; i++)
        denied += t->denials[i];
    return !started ? "failed" : denied ? "denied" : "ok";
}

/* PLAN: NULL where it did not come to one. */
static void tell_outcome(struct telling *t, const struct plan *plan, const char *outcome)
{
    static const char *const networks[] = {
        [NETWORK_OFF] = "off", [NETWORK_OPEN] = "open", [NETWORK_FILTERED] = "filtered"};
    struct outcome_event e = {.time_ms = clock_unix_ms(), .outcome = outcome};
    memcpy(e.id, t->id, sizeof(e.id));
    if (plan) {
        e.backend = plan->profile->full_access ? "none" : sandbox_backend_word(plan->backend);
        e.mode = plan->profile->mode;
        e.profile = plan->profile->name;
        e.network = networks[plan->network];
    }
    if (t->report.started_ns)
        e.setup_us = (t->report.started_ns - t->report.begun_ns) / 1000;
    memcpy(e.denials, t->denials, sizeof(e.denials));
    telemetry_outcome(t->sink, &e);
}

void telling_ran(struct telling *t, const struct setup *s, bool started)
{
    if (!t)
        return;
    const struct run_report *r = &t->report;
    t->failed = !started || r->status != 0;
    tell_outcome(t, s->plan, outcome_word(t, started));
    if (!started || !r->ended_ns)
        return;
    struct span set_up;
    span_begin(t->sink, &set_up, "setup", &t->root, r->begun_ns);
    span_end_at(t->sink, &set_up, r->started_ns, SPAN_INTERNAL, SPAN_STATUS_OK,
                (struct attributes){0});
    t->command.start_ns = r->started_ns;
    span_end_at(t->sink, &t->command, r->ended_ns, SPAN_INTERNAL,
                t->failed ? SPAN_STATUS_ERROR : SPAN_STATUS_OK, (struct attributes){0});
    struct result_event e = {.time_ms = clock_unix_ms(),
                             .argv = (const char *const *)s->options->rest,
                             .argc = s->options->n_rest,
                             .duration_ms = (r->ended_ns - r->started_ns) / 1000000,
                             .success = r->status == 0,
                             .exit_status = r->status,
                             .signal = r->signal};
    memcpy(e.id, t->id, sizeof(e.id));
    telemetry_result(t->sink, &e);
}

void telling_refused(struct telling *t)
{
    if (!t)
        return;
    t->failed = true;
    tell_outcome(t, NULL, "refused");
}

/* The exporter outlives its bawn, except where everything ends with the first process: in a
 * container, in a job of continuous integration. There, and only there, the end is waited for. */
static bool ends_with_us(void)
{
    const char *ci = getenv("CI");
    return getpid() == 1 || getppid() <= 1 || (ci && *ci && !str_eq(ci, "false"));
}

void telling_end(struct setup *s, int status)
{
    struct telling *t = s->telling;
    if (!t)
        return;
    s->telling = NULL;
    t->failed = t->failed || status != 0;
    const struct attribute about = {
        .key = bytes_of("exit_status"), .type = ATTRIBUTE_INT, .number = status};
    span_end(t->sink, &t->root, SPAN_INTERNAL, t->failed ? SPAN_STATUS_ERROR : SPAN_STATUS_OK,
             (struct attributes){&about, 1});
    look_for_exporter(t);
    telemetry_finish(t->out, ends_with_us());
}

/*
 * Events, spans and measurements into the spool. See telemetry.h.
 *
 * Each is packed and appended at once: what was recorded survives the launcher. What may leave is
 * the event table's word (record/event.h), attribute by attribute.
 */
#include "telemetry/telemetry.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/sha256.h"
#include "telemetry/spool.h"

#include <errno.h>
#include <sys/random.h>

struct telemetry {
    struct telemetry_setup setup;
    struct spool spools[SIGNAL_KINDS];
    struct trace_context parent; /* of the environment; zero: none */
    struct trace_context root;   /* what log records belong to; zero: none */
    bool traced;                 /* spans are exported: the target is on and the parent sampled */
    uint64_t lost;
};

#define TRACE_STATE_MAX 512u

/* Of 16 MiB in all. */
static const uint64_t spool_most[SIGNAL_KINDS] = {
    [SIGNAL_LOG] = 10u << 20, [SIGNAL_SPAN] = 4u << 20, [SIGNAL_METRIC] = 2u << 20};

/* ---- W3C Trace Context ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 2N lower-case digits. */
static bool read_hex(const char *text, unsigned char *ret, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int high = hex_digit(text[2 * i]), low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);
        if (low < 0)
            return false;
        ret[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

static bool is_zero(const unsigned char *id, size_t n)
{
    unsigned char any = 0;
    for (size_t i = 0; i < n; i++)
        any |= id[i];
    return any == 0;
}

bool trace_parent_parse(const char *text, struct trace_context *ret)
{
    unsigned char version;
    const size_t n = strlen(text);
    *ret = (struct trace_context){0};
    /* A later version may have more, behind another dash. */
    if (n < TRACE_PARENT_BYTES - 1 || !read_hex(text, &version, 1) || version == 0xff ||
        (version == 0 && n != TRACE_PARENT_BYTES - 1) || text[2] != '-' || text[35] != '-' ||
        text[52] != '-' || (n > TRACE_PARENT_BYTES - 1 && text[55] != '-') ||
        !read_hex(text + 3, ret->trace_id, TRACE_ID_BYTES) ||
        !read_hex(text + 36, ret->span_id, SPAN_ID_BYTES) || !read_hex(text + 53, &ret->flags, 1) ||
        is_zero(ret->trace_id, TRACE_ID_BYTES) || is_zero(ret->span_id, SPAN_ID_BYTES)) {
        *ret = (struct trace_context){0};
        return false;
    }
    return true;
}

static void put_hex(char *out, const unsigned char *id, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[id[i] >> 4];
        out[2 * i + 1] = digits[id[i] & 15];
    }
}

bool span_parent_text(const struct telemetry *t, const struct span *s, char ret[TRACE_PARENT_BYTES])
{
    if (!t || !t->traced || is_zero(s->context.span_id, SPAN_ID_BYTES))
        return false;
    memcpy(ret, "00-", 3);
    put_hex(ret + 3, s->context.trace_id, TRACE_ID_BYTES);
    ret[35] = '-';
    put_hex(ret + 36, s->context.span_id, SPAN_ID_BYTES);
    memcpy(ret + 52, "-01", 4);
    return true;
}

/* What somebody else's tracing wrote there goes along as it is, or not at all: the bytes are
 * theirs, and W3C lets whoever cannot carry more than 512 drop it. */
static bool is_trace_state(const char *text)
{
    const size_t n = strlen(text);
    for (size_t i = 0; i < n; i++)
        if (text[i] < ' ' || text[i] > '~')
            return false;
    return n <= TRACE_STATE_MAX;
}

/* ---- open ---- */

int telemetry_open(const struct telemetry_setup *setup, struct telemetry **ret, struct error *err)
{
    bool any = false;
    *ret = NULL;
    for (size_t i = 0; i < SIGNAL_KINDS; i++)
        any = any || setup->targets[i].on;
    if (!any)
        return 0;
    struct telemetry *t = mem_zalloc(1, sizeof(*t));
    if (!t)
        return error_errno(err, -ENOMEM, "cannot record for the collector");
    t->setup = *setup;
    for (size_t i = 0; i < SIGNAL_KINDS; i++)
        t->spools[i] = (struct spool){.dirfd = -1, .lock = -1, .segment = -1};
    for (size_t i = 0; i < SIGNAL_KINDS; i++) {
        const struct telemetry_target *target = &setup->targets[i];
        int r = target->on
                    ? spool_open(&t->spools[i], setup->dirfd, target->key, spool_most[i], err)
                    : 0;
        if (r < 0) {
            telemetry_close(t);
            return r;
        }
    }
    if (setup->trace_state && !is_trace_state(setup->trace_state))
        t->setup.trace_state = NULL;
    bool child = setup->trace_parent && trace_parent_parse(setup->trace_parent, &t->parent);
    t->traced = setup->targets[SIGNAL_SPAN].on && (!child || (t->parent.flags & 1));
    t->root = t->parent;
    *ret = t;
    return 0;
}

uint64_t telemetry_lost(const struct telemetry *t)
{
    return t ? t->lost : 0;
}

void telemetry_close(struct telemetry *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < SIGNAL_KINDS; i++)
        spool_close(&t->spools[i]);
    mem_free(t);
}

static void append(struct telemetry *t, struct signal *s)
{
    _cleanup_strbuf_ struct strbuf packed = {0};
    s->resource = t->setup.resource;
    int r = signal_pack(s, &packed);
    if (r == 0)
        r = spool_append(&t->spools[s->kind], (struct bytes){strbuf_text(&packed), packed.n});
    t->lost += r < 0;
}

/* ---- attributes ---- */

/* Of one signal. What is too much is left out: signal_pack() would refuse the whole. */
struct list {
    struct attribute v[SIGNAL_ATTRIBUTES];
    size_t n;
    struct arena arena;
};

static struct attribute *add(struct list *l, const char *key, enum attribute_type type)
{
    if (l->n == ARRAY_LEN(l->v))
        return NULL;
    struct attribute *a = &l->v[l->n++];
    *a = (struct attribute){.key = bytes_of(key), .type = type};
    return a;
}

static void add_text(struct list *l, const char *key, const char *text)
{
    struct attribute *a = text ? add(l, key, ATTRIBUTE_TEXT) : NULL;
    if (a)
        a->text = bytes_of(text);
}

static void add_number(struct list *l, const char *key, int64_t number)
{
    struct attribute *a = add(l, key, ATTRIBUTE_INT);
    if (a)
        a->number = number;
}

static void add_bool(struct list *l, const char *key, bool value)
{
    struct attribute *a = add(l, key, ATTRIBUTE_BOOL);
    if (a)
        a->number = value;
}

static void add_all(struct list *l, struct attributes more)
{
    for (size_t i = 0; i < more.n && l->n < ARRAY_LEN(l->v); i++)
        l->v[l->n++] = more.v[i];
}

static struct attributes attributes_of(const struct list *l)
{
    return (struct attributes){l->v, l->n};
}

/* ---- events ---- */

/* Redacted words: as one line, or only how long that is and its hash. */
static void add_words(struct list *l, const struct telemetry *t, const char *key,
                      const char *const *argv, size_t argc)
{
    const char *const *words = argv ? redact_argv(&l->arena, argv, argc) : NULL;
    _cleanup_strbuf_ struct strbuf line = {0};
    if (!words)
        return;
    for (size_t i = 0; i < argc; i++) {
        if (i)
            strbuf_putc(&line, ' ');
        strbuf_puts(&line, words[i]);
    }
    if (strbuf_failed(&line))
        return;
    if (t->setup.payloads) {
        const char *kept = arena_strndup(&l->arena, strbuf_text(&line), line.n);
        add_text(l, key, kept ? event_text(&l->arena, kept, false) : NULL);
        return;
    }
    struct sha256 hash;
    unsigned char digest[SHA256_BYTES];
    char hex[SHA256_HEX_BYTES];
    sha256_init(&hash);
    sha256_put(&hash, line.p, line.n);
    sha256_end(&hash, digest);
    sha256_hex(digest, hex);
    const char *length = arena_printf(&l->arena, "%s.length", key);
    const char *sum = arena_printf(&l->arena, "%s.sha256", key);
    if (length && sum) {
        add_number(l, length, (int64_t)line.n);
        add_text(l, sum, arena_strdup(&l->arena, hex));
    }
}

static void add_field(struct list *l, const struct telemetry *t, const struct event_field *f,
                      const void *event)
{
    const char *at = (const char *)event + f->offset;
    const void *p = at;
    bool hidden = f->exposure == EXPOSE_PAYLOAD && !t->setup.payloads;
    if (!f->attribute || f->exposure == EXPOSE_NEVER || (hidden && f->type != FIELD_WORDS))
        return;
    switch (f->type) {
    case FIELD_ID:
        if (at[0])
            add_text(l, f->attribute, at);
        break;
    case FIELD_TIME:
        break;
    case FIELD_WORDS: {
        const void *count = at + sizeof(const char *const *);
        add_words(l, t, f->attribute, *(const char *const *const *)p, *(const size_t *)count);
        break;
    }
    case FIELD_TEXT:
        if (*(const char *const *)p)
            add_text(l, f->attribute, event_text(&l->arena, *(const char *const *)p, f->sensitive));
        break;
    case FIELD_LINE:
        if (*(const uint32_t *)p)
            add_number(l, f->attribute, *(const uint32_t *)p);
        break;
    case FIELD_MILLIS:
    case FIELD_NUMBER:
        if (*(const uint64_t *)p || f->type == FIELD_NUMBER)
            add_number(l, f->attribute, (int64_t) * (const uint64_t *)p);
        break;
    case FIELD_STATUS:
        add_number(l, f->attribute, *(const int *)p);
        break;
    case FIELD_BOOL:
        add_bool(l, f->attribute, *(const bool *)p);
        break;
    case FIELD_BY:
        add_text(l, f->attribute, decided_by_word(*(const enum decided_by *)p));
        break;
    }
}

/* EXTRA, a text that the table has no field for: its key and value, or NULL. */
static void put_log(struct telemetry *t, enum event_kind kind, const void *event, int64_t time_ms,
                    bool warn, const char *const (*extra)[2], size_t n_extra)
{
    struct list l = {.n = 0};
    const struct event_schema *schema = event_schema(kind);
    char time[EVENT_TIME_BYTES];
    const char *name = arena_printf(&l.arena, "%s%s", t->setup.prefix, schema->name);
    if (!t->setup.targets[SIGNAL_LOG].on || !name || time_ms < 0 || !event_time(time_ms, time)) {
        t->lost += t->setup.targets[SIGNAL_LOG].on;
        arena_release(&l.arena);
        return;
    }
    add_text(&l, "event.name", name);
    add_text(&l, "event.timestamp", time);
    for (size_t i = 0; i < n_extra; i++)
        add_text(&l, extra[i][0], extra[i][1]);
    for (size_t i = 0; i < schema->n; i++)
        add_field(&l, t, &schema->fields[i], event);
    add_all(&l, t->setup.common);
    struct signal s = {.kind = SIGNAL_LOG,
                       .attributes = attributes_of(&l),
                       .log = {.time_ns = (uint64_t)time_ms * 1000000u,
                               .severity = warn ? SEVERITY_WARN : SEVERITY_INFO,
                               .name = bytes_of(name),
                               .context = t->root}};
    append(t, &s);
    arena_release(&l.arena);
}

/* The words of Codex' `decision`, which dashboards know. */
static const char *decision_word(const struct decision_event *e)
{
    if (str_eq(e->action, "refuse"))
        return e->answer && str_eq(e->answer, "abort") ? "abort" : "denied";
    return e->answer && str_eq(e->answer, "session") ? "approved_for_session" : "approved";
}

void telemetry_decision(struct telemetry *t, const struct decision_event *e)
{
    if (!t)
        return;
    const char *const extra[][2] = {{"tool_name", "shell"}, {"decision", decision_word(e)}};
    put_log(t, EVENT_DECISION, e, e->time_ms, str_eq(e->action, "refuse"), extra, ARRAY_LEN(extra));
}

void telemetry_net(struct telemetry *t, const struct net_event *e)
{
    if (!t)
        return;
    const char *const extra[][2] = {
        {"network.policy.override", e->answer && e->by == BY_USER ? "true" : "false"}};
    put_log(t, EVENT_NET, e, e->time_ms, e->action && str_eq(e->action, "refuse"), extra,
            ARRAY_LEN(extra));
    telemetry_count(t, "network.decisions", "decision", e->decision ? e->decision : "unknown",
                    e->count ? e->count - (e->host || e->path) : 1);
}

void telemetry_approval(struct telemetry *t, const struct approval_event *e)
{
    if (!t)
        return;
    put_log(t, EVENT_APPROVAL, e, e->time_ms, false, NULL, 0);
    telemetry_count(t, "approvals", "answer", e->answer, 1);
}

void telemetry_result(struct telemetry *t, const struct result_event *e)
{
    if (!t)
        return;
    static const char *const extra[][2] = {{"tool_name", "shell"}};
    put_log(t, EVENT_RESULT, e, e->time_ms, false, extra, ARRAY_LEN(extra));
    telemetry_measure(t, "command.duration", "success", e->success ? "true" : "false",
                      (double)e->duration_ms);
}

void telemetry_outcome(struct telemetry *t, const struct outcome_event *e)
{
    static const char *const kinds[OUTCOME_DENIALS] = {[DENIED_READ] = "read",
                                                       [DENIED_WRITE] = "write",
                                                       [DENIED_NETWORK] = "network",
                                                       [DENIED_OTHER] = "other"};
    if (!t)
        return;
    put_log(t, EVENT_OUTCOME, e, e->time_ms, !str_eq(e->outcome, "ok"), NULL, 0);
    telemetry_count(t, "commands", "outcome", e->outcome, 1);
    for (size_t i = 0; i < OUTCOME_DENIALS; i++)
        if (e->denials[i])
            telemetry_count(t, "denials", "kind", kinds[i], e->denials[i]);
    if (e->setup_us)
        telemetry_measure(t, "sandbox.setup.duration", "backend", e->backend,
                          (double)e->setup_us / 1000);
}

void telemetry_requirement(struct telemetry *t, const struct requirement_event *e)
{
    if (t)
        put_log(t, EVENT_REQUIREMENT, e, e->time_ms, str_eq(e->effect, "refused"), NULL, 0);
}

/* ---- spans ---- */

static bool new_id(unsigned char *id, size_t n)
{
    do
        if (getrandom(id, n, 0) != (ssize_t)n)
            return false;
    while (is_zero(id, n));
    return true;
}

void span_begin(struct telemetry *t, struct span *s, const char *name, const struct span *parent,
                uint64_t start_ns)
{
    *s = (struct span){.name = name};
    if (!t || !t->traced)
        return;
    const struct trace_context *above = parent ? &parent->context : &t->parent;
    s->start_ns = start_ns ? start_ns : clock_unix_ns();
    memcpy(s->parent_id, above->span_id, SPAN_ID_BYTES);
    memcpy(s->context.trace_id, above->trace_id, TRACE_ID_BYTES);
    bool fine = new_id(s->context.span_id, SPAN_ID_BYTES) &&
                (!is_zero(s->context.trace_id, TRACE_ID_BYTES) ||
                 new_id(s->context.trace_id, TRACE_ID_BYTES));
    if (!fine) {
        memset(&s->context, 0, sizeof(s->context));
        return;
    }
    s->context.flags = 1;
    if (!parent)
        t->root = s->context;
}

bool telemetry_spans(const struct telemetry *t)
{
    return t && t->traced;
}

void span_end(struct telemetry *t, const struct span *s, enum span_kind kind,
              enum span_status status, struct attributes extra)
{
    span_end_at(t, s, clock_unix_ns(), kind, status, extra);
}

void span_end_at(struct telemetry *t, const struct span *s, uint64_t end_ns, enum span_kind kind,
                 enum span_status status, struct attributes extra)
{
    if (!t || !t->traced || is_zero(s->context.span_id, SPAN_ID_BYTES))
        return;
    struct list l = {.n = 0};
    const char *name = arena_printf(&l.arena, "%s%s", t->setup.prefix, s->name);
    add_all(&l, extra);
    add_all(&l, t->setup.common);
    add_all(&l, t->setup.span_extra);
    struct signal out = {
        .kind = SIGNAL_SPAN,
        .attributes = attributes_of(&l),
        .span = {.context = s->context,
                 .name = bytes_of(name ? name : s->name),
                 .trace_state = bytes_of(t->setup.trace_state ? t->setup.trace_state : ""),
                 .kind = kind,
                 .status = status,
                 .start_ns = s->start_ns,
                 .end_ns = MAX_OF(end_ns, s->start_ns)}};
    memcpy(out.span.parent_id, s->parent_id, SPAN_ID_BYTES);
    append(t, &out);
    arena_release(&l.arena);
}

/* ---- measurements ---- */

static const struct {
    const char *name, *unit;
} metrics[] = {
    {"commands", "{command}"},        {"denials", "{denial}"},
    {"approvals", "{approval}"},      {"network.decisions", "{decision}"},
    {"sandbox.setup.duration", "ms"}, {"command.duration", "ms"},
};

static void put_metric(struct telemetry *t, enum metric_type type, const char *name,
                       const char *attribute, const char *value, int64_t count, double real)
{
    const char *unit = "1";
    struct list l = {.n = 0};
    if (!t || !t->setup.targets[SIGNAL_METRIC].on)
        return;
    for (size_t i = 0; i < ARRAY_LEN(metrics); i++)
        if (str_eq(metrics[i].name, name))
            unit = metrics[i].unit;
    const char *whole = arena_printf(&l.arena, "%s%s", t->setup.prefix, name);
    add_text(&l, attribute, value);
    struct signal s = {.kind = SIGNAL_METRIC,
                       .attributes = attributes_of(&l),
                       .metric = {.type = type,
                                  .name = bytes_of(whole ? whole : name),
                                  .unit = bytes_of(unit),
                                  .time_ns = clock_unix_ns(),
                                  .count = count,
                                  .value = real}};
    append(t, &s);
    arena_release(&l.arena);
}

void telemetry_count(struct telemetry *t, const char *name, const char *attribute,
                     const char *value, uint64_t n)
{
    if (n)
        put_metric(t, METRIC_SUM, name, attribute, value, (int64_t)MIN_OF(n, INT64_MAX), 0);
}

void telemetry_measure(struct telemetry *t, const char *name, const char *attribute,
                       const char *value, double milliseconds)
{
    put_metric(t, METRIC_HISTOGRAM, name, attribute, value, 0, milliseconds);
}

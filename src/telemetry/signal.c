/*
 * Signals as bytes. See signal.h.
 *
 * A form version, the kind, the resource's attributes, the signal's attributes, then what the kind
 * has. There is one way to write each signal: whoever reads refuses what this file would not have
 * written, and so an exporter never meets a number that OTLP has no word for.
 *
 * What is fine and what is not stands once, in the check_*() functions: the writer asks them before
 * it writes, the reader after it has read.
 */
#include "telemetry/signal.h"

#include "base/pack.h"

#include <errno.h>
#include <math.h>

#define SIGNAL_FORM     1u       /* a spool outlives an update of bawn */
#define ATTRIBUTE_BYTES (4u + 2) /* of the packed form, at least */

static const char *const words[SIGNAL_KINDS] = {
    [SIGNAL_LOG] = "logs", [SIGNAL_SPAN] = "traces", [SIGNAL_METRIC] = "metrics"};

const char *signal_word(enum signal_kind kind)
{
    return (unsigned)kind < SIGNAL_KINDS ? words[kind] : "signals";
}

/* ---- what is fine ---- */

static bool is_zero(const unsigned char *id, size_t n)
{
    unsigned char any = 0;
    for (size_t i = 0; i < n; i++)
        any |= id[i];
    return any == 0;
}

static bool check_attributes(const struct attributes *list)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct attribute *a = &list->v[i];
        if (a->key.n == 0 || (unsigned)a->type > ATTRIBUTE_BOOL ||
            (a->type == ATTRIBUTE_BOOL && a->number != 0 && a->number != 1) ||
            (a->type == ATTRIBUTE_DOUBLE && !isfinite(a->real)))
            return false;
    }
    return true;
}

static bool check_log(const struct signal_log *l)
{
    return l->name.n > 0 && (l->severity == SEVERITY_INFO || l->severity == SEVERITY_WARN);
}

static bool check_span(const struct signal_span *s)
{
    return s->name.n > 0 && (s->kind == SPAN_INTERNAL || s->kind == SPAN_CLIENT) &&
           (unsigned)s->status <= SPAN_STATUS_ERROR &&
           !is_zero(s->context.trace_id, TRACE_ID_BYTES) &&
           !is_zero(s->context.span_id, SPAN_ID_BYTES);
}

static bool check_metric(const struct signal_metric *m)
{
    return m->name.n > 0 && ((m->type == METRIC_SUM && m->count >= 0) ||
                             (m->type == METRIC_HISTOGRAM && isfinite(m->value)));
}

static bool check_signal(const struct signal *s)
{
    if (!check_attributes(&s->resource) || !check_attributes(&s->attributes))
        return false;
    switch (s->kind) {
    case SIGNAL_LOG:
        return check_log(&s->log);
    case SIGNAL_SPAN:
        return check_span(&s->span);
    case SIGNAL_METRIC:
        return check_metric(&s->metric);
    }
    return false;
}

/* ---- writing ---- */

/* What is too long is not even copied. */
static void put_bytes(struct strbuf *out, struct bytes b)
{
    pack_u32(out, (uint32_t)MIN_OF(b.n, (size_t)SIGNAL_MAX));
    strbuf_put(out, b.p, MIN_OF(b.n, (size_t)SIGNAL_MAX));
}

static void put_double(struct strbuf *out, double v)
{
    strbuf_put(out, &v, sizeof(v));
}

static void put_attributes(struct strbuf *out, const struct attributes *list)
{
    pack_u8(out, (uint8_t)list->n);
    for (size_t i = 0; i < list->n; i++) {
        const struct attribute *a = &list->v[i];
        put_bytes(out, a->key);
        pack_u8(out, (uint8_t)a->type);
        if (a->type == ATTRIBUTE_TEXT)
            put_bytes(out, a->text);
        else if (a->type == ATTRIBUTE_DOUBLE)
            put_double(out, a->real);
        else if (a->type == ATTRIBUTE_BOOL)
            pack_u8(out, a->number == 1);
        else
            pack_u64(out, (uint64_t)a->number);
    }
}

static void put_context(struct strbuf *out, const struct trace_context *c)
{
    strbuf_put(out, c->trace_id, sizeof(c->trace_id));
    strbuf_put(out, c->span_id, sizeof(c->span_id));
    pack_u8(out, c->flags);
}

static void put_log(struct strbuf *out, const struct signal_log *l)
{
    pack_u64(out, l->time_ns);
    pack_u8(out, (uint8_t)l->severity);
    put_bytes(out, l->name);
    put_context(out, &l->context);
}

static void put_span(struct strbuf *out, const struct signal_span *s)
{
    put_context(out, &s->context);
    strbuf_put(out, s->parent_id, sizeof(s->parent_id));
    put_bytes(out, s->name);
    put_bytes(out, s->trace_state);
    pack_u8(out, (uint8_t)s->kind);
    pack_u8(out, (uint8_t)s->status);
    pack_u64(out, s->start_ns);
    pack_u64(out, s->end_ns);
}

static void put_metric(struct strbuf *out, const struct signal_metric *m)
{
    pack_u8(out, (uint8_t)m->type);
    put_bytes(out, m->name);
    put_bytes(out, m->unit);
    pack_u64(out, m->time_ns);
    if (m->type == METRIC_SUM)
        pack_u64(out, (uint64_t)m->count);
    else
        put_double(out, m->value);
}

int signal_pack(const struct signal *s, struct strbuf *out)
{
    const size_t before = out->n;
    if (s->resource.n > SIGNAL_ATTRIBUTES || s->attributes.n > SIGNAL_ATTRIBUTES)
        return -EMSGSIZE;
    if (!check_signal(s))
        return -EINVAL;
    if (strbuf_failed(out))
        return -ENOMEM;
    pack_u8(out, SIGNAL_FORM);
    pack_u8(out, (uint8_t)s->kind);
    put_attributes(out, &s->resource);
    put_attributes(out, &s->attributes);
    if (s->kind == SIGNAL_LOG)
        put_log(out, &s->log);
    else if (s->kind == SIGNAL_SPAN)
        put_span(out, &s->span);
    else
        put_metric(out, &s->metric);
    const int r = strbuf_failed(out) ? -ENOMEM : out->n - before > SIGNAL_MAX ? -EMSGSIZE : 0;
    if (r < 0)
        strbuf_cut(out, before);
    return r;
}

/* ---- reading ---- */

static struct bytes take_bytes(struct unpack *u)
{
    const size_t n = unpack_u32(u);
    if (u->bad || n > u->left.n) {
        u->bad = true;
        return (struct bytes){0};
    }
    const struct bytes b = {u->left.p, n};
    u->left.p += b.n;
    u->left.n -= b.n;
    return b;
}

static double take_double(struct unpack *u)
{
    double v;
    unpack(u, &v, sizeof(v));
    return v;
}

/* 0; -ENOMEM. */
static int take_attributes(struct unpack *u, struct arena *a, struct attributes *ret)
{
    const size_t n = unpack_u8(u);
    if (n > SIGNAL_ATTRIBUTES || n > u->left.n / ATTRIBUTE_BYTES)
        u->bad = true;
    if (u->bad || n == 0)
        return 0;
    struct attribute *v = arena_zalloc(a, n, sizeof(*v));
    if (!v)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        v[i].key = take_bytes(u);
        const unsigned type = unpack_u8(u);
        u->bad = u->bad || type > ATTRIBUTE_BOOL;
        v[i].type = u->bad ? ATTRIBUTE_TEXT : (enum attribute_type)type;
        if (v[i].type == ATTRIBUTE_TEXT)
            v[i].text = take_bytes(u);
        else if (v[i].type == ATTRIBUTE_DOUBLE)
            v[i].real = take_double(u);
        else if (v[i].type == ATTRIBUTE_BOOL)
            v[i].number = unpack_u8(u);
        else
            v[i].number = (int64_t)unpack_u64(u);
    }
    *ret = (struct attributes){v, n};
    return 0;
}

static void take_context(struct unpack *u, struct trace_context *ret)
{
    unpack(u, ret->trace_id, sizeof(ret->trace_id));
    unpack(u, ret->span_id, sizeof(ret->span_id));
    ret->flags = unpack_u8(u);
}

static void take_log(struct unpack *u, struct signal_log *l)
{
    l->time_ns = unpack_u64(u);
    l->severity = (enum signal_severity)unpack_u8(u);
    l->name = take_bytes(u);
    take_context(u, &l->context);
}

static void take_span(struct unpack *u, struct signal_span *s)
{
    take_context(u, &s->context);
    unpack(u, s->parent_id, sizeof(s->parent_id));
    s->name = take_bytes(u);
    s->trace_state = take_bytes(u);
    s->kind = (enum span_kind)unpack_u8(u);
    s->status = (enum span_status)unpack_u8(u);
    s->start_ns = unpack_u64(u);
    s->end_ns = unpack_u64(u);
}

static void take_metric(struct unpack *u, struct signal_metric *m)
{
    m->type = (enum metric_type)unpack_u8(u);
    m->name = take_bytes(u);
    m->unit = take_bytes(u);
    m->time_ns = unpack_u64(u);
    if (m->type == METRIC_SUM)
        m->count = (int64_t)unpack_u64(u);
    else
        m->value = take_double(u);
}

int signal_unpack(struct arena *a, struct bytes packed, struct signal *ret)
{
    struct unpack u = {.left = packed, .bad = packed.n > SIGNAL_MAX};
    struct signal s;
    memset(&s, 0, sizeof(s));
    if (unpack_u8(&u) != SIGNAL_FORM)
        return -EBADMSG;
    const unsigned kind = unpack_u8(&u);
    if (u.bad || kind >= SIGNAL_KINDS)
        return -EBADMSG;
    s.kind = (enum signal_kind)kind;
    int r = take_attributes(&u, a, &s.resource);
    if (r == 0)
        r = take_attributes(&u, a, &s.attributes);
    if (r < 0)
        return r;
    if (s.kind == SIGNAL_LOG)
        take_log(&u, &s.log);
    else if (s.kind == SIGNAL_SPAN)
        take_span(&u, &s.span);
    else
        take_metric(&u, &s.metric);
    if (u.bad || u.left.n || !check_signal(&s))
        return -EBADMSG;
    *ret = s;
    return 0;
}

/*
 * The model as JSON: protobuf's JSON form with OTLP's exceptions. 64-bit numbers are strings, trace
 * and span ids hex, enumerations numbers. What is left out is what otlp_protobuf.c leaves out.
 */
#include "base/json.h"
#include "exporter/otlp_model.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* What each kind calls its three levels. */
static const struct {
    const char *resources, *scopes, *items;
} words[SIGNAL_KINDS] = {
    [SIGNAL_LOG] = {"resourceLogs", "scopeLogs", "logRecords"},
    [SIGNAL_SPAN] = {"resourceSpans", "scopeSpans", "spans"},
    [SIGNAL_METRIC] = {"resourceMetrics", "scopeMetrics", "metrics"},
};

static void put_text(struct json *j, const char *key, struct bytes text)
{
    if (text.n == 0)
        return;
    json_key(j, key);
    json_bytes(j, text.p, text.n);
}

static void value_uint64(struct json *j, uint64_t v)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%" PRIu64, v);
    json_string(j, text);
}

static void put_uint64(struct json *j, const char *key, uint64_t v)
{
    if (v == 0)
        return;
    json_key(j, key);
    value_uint64(j, v);
}

static void put_int64(struct json *j, const char *key, int64_t v)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%" PRId64, v);
    json_kv_string(j, key, text);
}

/* The shortest of the forms that read as the same number. */
static void value_double(struct json *j, double v)
{
    char text[32];
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof(text), "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    json_raw(j, text);
}

static void put_double(struct json *j, const char *key, double v)
{
    json_key(j, key);
    value_double(j, v);
}

static void put_id(struct json *j, const char *key, const unsigned char *id, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    char text[2 * TRACE_ID_BYTES + 1] = "";
    if (otlp_is_zero(id, n))
        return;
    for (size_t i = 0; i < n; i++) {
        text[2 * i] = digits[id[i] >> 4];
        text[2 * i + 1] = digits[id[i] & 15];
    }
    json_kv_string(j, key, text);
}

static void put_number(struct json *j, const char *key, int64_t v)
{
    if (v)
        json_kv_int(j, key, v);
}

static void put_value(struct json *j, const struct attribute *x)
{
    json_object(j);
    switch (x->type) {
    case ATTRIBUTE_TEXT:
        json_key(j, "stringValue");
        json_bytes(j, x->text.p, x->text.n);
        break;
    case ATTRIBUTE_INT:
        put_int64(j, "intValue", x->number);
        break;
    case ATTRIBUTE_DOUBLE:
        put_double(j, "doubleValue", x->real);
        break;
    case ATTRIBUTE_BOOL:
        json_kv_bool(j, "boolValue", x->number != 0);
        break;
    }
    json_end_object(j);
}

static void put_attributes(struct json *j, const struct attributes *list)
{
    if (list->n == 0)
        return;
    json_key(j, "attributes");
    json_array(j);
    for (size_t i = 0; i < list->n; i++) {
        json_object(j);
        put_text(j, "key", list->v[i].key);
        json_key(j, "value");
        put_value(j, &list->v[i]);
        json_end_object(j);
    }
    json_end_array(j);
}

/* ---- the kinds ---- */

static void put_log(struct json *j, const struct signal *s, uint64_t observed_ns)
{
    const struct signal_log *log = &s->log;
    json_object(j);
    put_uint64(j, "timeUnixNano", log->time_ns);
    put_uint64(j, "observedTimeUnixNano", observed_ns);
    put_number(j, "severityNumber", log->severity);
    json_kv_string(j, "severityText", otlp_severity(log->severity));
    put_text(j, "eventName", log->name);
    put_attributes(j, &s->attributes);
    put_id(j, "traceId", log->context.trace_id, TRACE_ID_BYTES);
    put_id(j, "spanId", log->context.span_id, SPAN_ID_BYTES);
    put_number(j, "flags", log->context.flags);
    json_end_object(j);
}

static void put_span(struct json *j, const struct signal *s)
{
    const struct signal_span *span = &s->span;
    json_object(j);
    put_id(j, "traceId", span->context.trace_id, TRACE_ID_BYTES);
    put_id(j, "spanId", span->context.span_id, SPAN_ID_BYTES);
    put_text(j, "traceState", span->trace_state);
    put_id(j, "parentSpanId", span->parent_id, SPAN_ID_BYTES);
    put_number(j, "flags", span->context.flags);
    put_text(j, "name", span->name);
    put_number(j, "kind", span->kind);
    put_uint64(j, "startTimeUnixNano", span->start_ns);
    put_uint64(j, "endTimeUnixNano", span->end_ns);
    put_attributes(j, &s->attributes);
    if (span->status != SPAN_STATUS_UNSET) {
        json_key(j, "status");
        json_object(j);
        json_kv_int(j, "code", span->status);
        json_end_object(j);
    }
    json_end_object(j);
}

static void put_histogram(struct json *j, const struct otlp_point *p)
{
    put_uint64(j, "count", p->count);
    if (p->min >= 0)
        put_double(j, "sum", p->sum);
    json_key(j, "bucketCounts");
    json_array(j);
    for (size_t i = 0; i < OTLP_BUCKETS; i++)
        value_uint64(j, p->buckets[i]);
    json_end_array(j);
    json_key(j, "explicitBounds");
    json_array(j);
    for (size_t i = 0; i < OTLP_BOUNDS; i++)
        value_double(j, otlp_bounds[i]);
    json_end_array(j);
    put_double(j, "min", p->min);
    put_double(j, "max", p->max);
}

static void put_metric(struct json *j, const struct otlp_metric *m)
{
    json_object(j);
    put_text(j, "name", m->name);
    put_text(j, "unit", m->unit);
    json_key(j, m->type == METRIC_SUM ? "sum" : "histogram");
    json_object(j);
    json_kv_int(j, "aggregationTemporality", OTLP_DELTA);
    if (m->type == METRIC_SUM)
        json_kv_bool(j, "isMonotonic", true);
    json_key(j, "dataPoints");
    json_array(j);
    for (const struct otlp_point *p = m->points; p; p = p->next) {
        json_object(j);
        put_attributes(j, &p->attributes);
        put_uint64(j, "startTimeUnixNano", p->start_ns);
        put_uint64(j, "timeUnixNano", p->time_ns);
        if (m->type == METRIC_SUM)
            put_int64(j, "asInt", p->total);
        else
            put_histogram(j, p);
        json_end_object(j);
    }
    json_end_array(j);
    json_end_object(j);
    json_end_object(j);
}

/* ---- the request ---- */

static void put_items(struct json *j, const struct otlp_model *m, const struct otlp_group *g,
                      size_t most)
{
    json_key(j, words[m->kind].items);
    json_array(j);
    for (const struct otlp_metric *one = g->metrics; one && j->out->n <= most; one = one->next)
        put_metric(j, one);
    for (size_t i = 0; m->kind != SIGNAL_METRIC && i < g->n && j->out->n <= most; i++)
        if (m->kind == SIGNAL_LOG)
            put_log(j, &g->v[i], m->observed_ns);
        else
            put_span(j, &g->v[i]);
    json_end_array(j);
}

static void put_group(struct json *j, const struct otlp_model *m, const struct otlp_group *g,
                      size_t most)
{
    json_object(j);
    json_key(j, "resource");
    json_object(j);
    put_attributes(j, &g->resource);
    json_end_object(j);
    json_key(j, words[m->kind].scopes);
    json_array(j);
    json_object(j);
    json_key(j, "scope");
    json_object(j);
    json_kv_string(j, "name", OTLP_SCOPE);
    json_kv_string(j, "version", BAWN_VERSION);
    json_end_object(j);
    put_items(j, m, g, most);
    json_end_object(j);
    json_end_array(j);
    json_end_object(j);
}

int otlp_json(const struct otlp_model *m, struct strbuf *out)
{
    const size_t most = out->n + OTLP_BODY_MAX;
    struct json j;
    json_begin(&j, out);
    json_object(&j);
    json_key(&j, words[m->kind].resources);
    json_array(&j);
    for (const struct otlp_group *g = m->groups; g && out->n <= most; g = g->next)
        put_group(&j, m, g, most);
    json_end_array(&j);
    json_end_object(&j);
    return out->n > most ? -E2BIG : json_ok(&j) ? 0 : -ENOMEM;
}

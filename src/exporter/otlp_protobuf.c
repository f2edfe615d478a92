/*
 * The model as a protobuf message. The tree that protobuf-c wants is built in the arena; texts are
 * not copied, they are views into the signals.
 *
 * What is empty or zero is left out, as proto3 has it, except the value of an attribute or of a
 * point: that it is there is what it says.
 */
#include "exporter/otlp_model.h"
#include "otlp.pb-c.h"

#include <errno.h>

/* TYPE **NAME(a, n): a list of N messages, ready to be filled; NULL without memory. */
#define DEFINE_LIST(name, type, init)                                                              \
    static type **name(struct arena *a, size_t n)                                                  \
    {                                                                                              \
        type **list = arena_zalloc(a, MAX_OF(n, 1u), sizeof(*list));                               \
        type *items = arena_zalloc(a, MAX_OF(n, 1u), sizeof(*items));                              \
        if (!list || !items)                                                                       \
            return NULL;                                                                           \
        for (size_t i = 0; i < n; i++) {                                                           \
            init(&items[i]);                                                                       \
            list[i] = &items[i];                                                                   \
        }                                                                                          \
        return list;                                                                               \
    }
DEFINE_LIST(new_values, Otlp__AnyValue, otlp__any_value__init)
DEFINE_LIST(new_pairs, Otlp__KeyValue, otlp__key_value__init)
DEFINE_LIST(new_resources, Otlp__Resource, otlp__resource__init)
DEFINE_LIST(new_scopes, Otlp__InstrumentationScope, otlp__instrumentation_scope__init)
DEFINE_LIST(new_records, Otlp__LogRecord, otlp__log_record__init)
DEFINE_LIST(new_scope_logs, Otlp__ScopeLogs, otlp__scope_logs__init)
DEFINE_LIST(new_resource_logs, Otlp__ResourceLogs, otlp__resource_logs__init)
DEFINE_LIST(new_status, Otlp__Status, otlp__status__init)
DEFINE_LIST(new_spans, Otlp__Span, otlp__span__init)
DEFINE_LIST(new_scope_spans, Otlp__ScopeSpans, otlp__scope_spans__init)
DEFINE_LIST(new_resource_spans, Otlp__ResourceSpans, otlp__resource_spans__init)
DEFINE_LIST(new_numbers, Otlp__NumberDataPoint, otlp__number_data_point__init)
DEFINE_LIST(new_histogram_points, Otlp__HistogramDataPoint, otlp__histogram_data_point__init)
DEFINE_LIST(new_sums, Otlp__Sum, otlp__sum__init)
DEFINE_LIST(new_histograms, Otlp__Histogram, otlp__histogram__init)
DEFINE_LIST(new_metrics, Otlp__Metric, otlp__metric__init)
DEFINE_LIST(new_scope_metrics, Otlp__ScopeMetrics, otlp__scope_metrics__init)
DEFINE_LIST(new_resource_metrics, Otlp__ResourceMetrics, otlp__resource_metrics__init)
#undef DEFINE_LIST

/* protobuf-c does not write to what it packs. */
static ProtobufCBinaryData data(const void *p, size_t n)
{
    return (ProtobufCBinaryData){.len = n, .data = (uint8_t *)(uintptr_t)p};
}

/* Sets FIELD of M when TEXT (a struct bytes), ID (an array) or NUMBER is not empty or zero. */
#define SET_TEXT(m, field, text)                                                                   \
    ((m)->has_##field = (text).n > 0, (m)->field = data((text).p, (text).n))
#define SET_ID(m, field, id)                                                                       \
    ((m)->has_##field = !otlp_is_zero((id), sizeof(id)), (m)->field = data((id), sizeof(id)))
#define SET_NUMBER(m, field, number) ((m)->has_##field = (number) != 0, (m)->field = (number))

static void set_value(Otlp__AnyValue *v, const struct attribute *x)
{
    switch (x->type) {
    case ATTRIBUTE_TEXT:
        v->value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
        v->string_value = data(x->text.p, x->text.n);
        break;
    case ATTRIBUTE_INT:
        v->value_case = OTLP__ANY_VALUE__VALUE_INT_VALUE;
        v->int_value = x->number;
        break;
    case ATTRIBUTE_DOUBLE:
        v->value_case = OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE;
        v->double_value = x->real;
        break;
    case ATTRIBUTE_BOOL:
        v->value_case = OTLP__ANY_VALUE__VALUE_BOOL_VALUE;
        v->bool_value = x->number != 0;
        break;
    }
}

static Otlp__KeyValue **pairs_of(struct arena *a, const struct attributes *x)
{
    Otlp__KeyValue **pairs = new_pairs(a, x->n);
    Otlp__AnyValue **values = new_values(a, x->n);
    if (!pairs || !values)
        return NULL;
    for (size_t i = 0; i < x->n; i++) {
        SET_TEXT(pairs[i], key, x->v[i].key);
        pairs[i]->value = values[i];
        set_value(values[i], &x->v[i]);
    }
    return pairs;
}

static Otlp__Resource *resource_of(struct arena *a, const struct attributes *x)
{
    Otlp__Resource **list = new_resources(a, 1);
    if (!list || !(list[0]->attributes = pairs_of(a, x)))
        return NULL;
    list[0]->n_attributes = x->n;
    return list[0];
}

static Otlp__InstrumentationScope *our_scope(struct arena *a)
{
    Otlp__InstrumentationScope **list = new_scopes(a, 1);
    if (!list)
        return NULL;
    SET_TEXT(list[0], name, BYTES(OTLP_SCOPE));
    SET_TEXT(list[0], version, BYTES(BAWN_VERSION));
    return list[0];
}

/* Nothing is written beyond what a request may be. */
static int put(const ProtobufCMessage *m, struct strbuf *out)
{
    size_t n = protobuf_c_message_get_packed_size(m);
    if (n > OTLP_BODY_MAX)
        return -E2BIG;
    uint8_t *packed = mem_alloc(MAX_OF(n, 1u));
    if (!packed)
        return -ENOMEM;
    protobuf_c_message_pack(m, packed);
    strbuf_put(out, packed, n);
    mem_free(packed);
    return strbuf_failed(out) ? -ENOMEM : 0;
}

/* ---- log records ---- */

static int set_record(struct arena *a, Otlp__LogRecord *r, const struct signal *s,
                      uint64_t observed_ns)
{
    const struct signal_log *log = &s->log;
    if (!(r->attributes = pairs_of(a, &s->attributes)))
        return -ENOMEM;
    r->n_attributes = s->attributes.n;
    SET_NUMBER(r, time_unix_nano, log->time_ns);
    SET_NUMBER(r, observed_time_unix_nano, observed_ns);
    SET_NUMBER(r, severity_number, (int32_t)log->severity);
    SET_TEXT(r, severity_text, bytes_of(otlp_severity(log->severity)));
    SET_TEXT(r, event_name, log->name);
    SET_ID(r, trace_id, log->context.trace_id);
    SET_ID(r, span_id, log->context.span_id);
    SET_NUMBER(r, flags, log->context.flags);
    return 0;
}

static int put_logs(struct arena *a, const struct otlp_model *m, struct strbuf *out)
{
    Otlp__ExportLogsServiceRequest request = OTLP__EXPORT_LOGS_SERVICE_REQUEST__INIT;
    Otlp__ResourceLogs **list = request.resource_logs = new_resource_logs(a, m->n);
    if (!list)
        return -ENOMEM;
    request.n_resource_logs = m->n;
    for (const struct otlp_group *g = m->groups; g; g = g->next, list++) {
        Otlp__ScopeLogs **scope = (*list)->scope_logs = new_scope_logs(a, 1);
        (*list)->n_scope_logs = 1;
        if (!scope || !((*list)->resource = resource_of(a, &g->resource)) ||
            !(scope[0]->scope = our_scope(a)) || !(scope[0]->log_records = new_records(a, g->n)))
            return -ENOMEM;
        scope[0]->n_log_records = g->n;
        for (size_t i = 0; i < g->n; i++)
            if (set_record(a, scope[0]->log_records[i], &g->v[i], m->observed_ns) < 0)
                return -ENOMEM;
    }
    return put(&request.base, out);
}

/* ---- spans ---- */

static int set_span(struct arena *a, Otlp__Span *r, const struct signal *s)
{
    const struct signal_span *span = &s->span;
    if (!(r->attributes = pairs_of(a, &s->attributes)))
        return -ENOMEM;
    r->n_attributes = s->attributes.n;
    if (span->status != SPAN_STATUS_UNSET) {
        Otlp__Status **status = new_status(a, 1);
        if (!status)
            return -ENOMEM;
        SET_NUMBER(status[0], code, (int32_t)span->status);
        r->status = status[0];
    }
    SET_ID(r, trace_id, span->context.trace_id);
    SET_ID(r, span_id, span->context.span_id);
    SET_TEXT(r, trace_state, span->trace_state);
    SET_ID(r, parent_span_id, span->parent_id);
    SET_TEXT(r, name, span->name);
    SET_NUMBER(r, kind, (int32_t)span->kind);
    SET_NUMBER(r, start_time_unix_nano, span->start_ns);
    SET_NUMBER(r, end_time_unix_nano, span->end_ns);
    SET_NUMBER(r, flags, span->context.flags);
    return 0;
}

static int put_spans(struct arena *a, const struct otlp_model *m, struct strbuf *out)
{
    Otlp__ExportTraceServiceRequest request = OTLP__EXPORT_TRACE_SERVICE_REQUEST__INIT;
    Otlp__ResourceSpans **list = request.resource_spans = new_resource_spans(a, m->n);
    if (!list)
        return -ENOMEM;
    request.n_resource_spans = m->n;
    for (const struct otlp_group *g = m->groups; g; g = g->next, list++) {
        Otlp__ScopeSpans **scope = (*list)->scope_spans = new_scope_spans(a, 1);
        (*list)->n_scope_spans = 1;
        if (!scope || !((*list)->resource = resource_of(a, &g->resource)) ||
            !(scope[0]->scope = our_scope(a)) || !(scope[0]->spans = new_spans(a, g->n)))
            return -ENOMEM;
        scope[0]->n_spans = g->n;
        for (size_t i = 0; i < g->n; i++)
            if (set_span(a, scope[0]->spans[i], &g->v[i]) < 0)
                return -ENOMEM;
    }
    return put(&request.base, out);
}

/* ---- metrics ---- */

static Otlp__Sum *sum_of(struct arena *a, const struct otlp_metric *m)
{
    Otlp__Sum **sum = new_sums(a, 1);
    Otlp__NumberDataPoint **list = new_numbers(a, m->n);
    if (!sum || !list)
        return NULL;
    sum[0]->data_points = list;
    sum[0]->n_data_points = m->n;
    SET_NUMBER(sum[0], aggregation_temporality, OTLP_DELTA);
    SET_NUMBER(sum[0], is_monotonic, true);
    for (const struct otlp_point *p = m->points; p; p = p->next, list++) {
        SET_NUMBER(*list, start_time_unix_nano, p->start_ns);
        SET_NUMBER(*list, time_unix_nano, p->time_ns);
        (*list)->has_as_int = true;
        (*list)->as_int = p->total;
        (*list)->n_attributes = p->attributes.n;
        if (!((*list)->attributes = pairs_of(a, &p->attributes)))
            return NULL;
    }
    return sum[0];
}

static int set_histogram(struct arena *a, Otlp__HistogramDataPoint *r, const struct otlp_point *p)
{
    r->n_attributes = p->attributes.n;
    r->n_bucket_counts = OTLP_BUCKETS;
    r->n_explicit_bounds = OTLP_BOUNDS;
    r->attributes = pairs_of(a, &p->attributes);
    r->bucket_counts = arena_alloc(a, sizeof(p->buckets));
    r->explicit_bounds = arena_alloc(a, sizeof(otlp_bounds));
    if (!r->attributes || !r->bucket_counts || !r->explicit_bounds)
        return -ENOMEM;
    memcpy(r->bucket_counts, p->buckets, sizeof(p->buckets));
    memcpy(r->explicit_bounds, otlp_bounds, sizeof(otlp_bounds));
    SET_NUMBER(r, start_time_unix_nano, p->start_ns);
    SET_NUMBER(r, time_unix_nano, p->time_ns);
    SET_NUMBER(r, count, p->count);
    /* A sum is told of what cannot be negative: only that grows with each measurement. */
    r->has_sum = p->min >= 0;
    r->sum = p->sum;
    r->has_min = r->has_max = true;
    r->min = p->min;
    r->max = p->max;
    return 0;
}

static Otlp__Histogram *histogram_of(struct arena *a, const struct otlp_metric *m)
{
    Otlp__Histogram **histogram = new_histograms(a, 1);
    Otlp__HistogramDataPoint **list = new_histogram_points(a, m->n);
    if (!histogram || !list)
        return NULL;
    histogram[0]->data_points = list;
    histogram[0]->n_data_points = m->n;
    SET_NUMBER(histogram[0], aggregation_temporality, OTLP_DELTA);
    for (const struct otlp_point *p = m->points; p; p = p->next, list++)
        if (set_histogram(a, *list, p) < 0)
            return NULL;
    return histogram[0];
}

static int set_metric(struct arena *a, Otlp__Metric *r, const struct otlp_metric *m)
{
    SET_TEXT(r, name, m->name);
    SET_TEXT(r, unit, m->unit);
    if (m->type == METRIC_SUM)
        r->sum = sum_of(a, m);
    else
        r->histogram = histogram_of(a, m);
    return r->sum || r->histogram ? 0 : -ENOMEM;
}

static int put_metrics(struct arena *a, const struct otlp_model *m, struct strbuf *out)
{
    Otlp__ExportMetricsServiceRequest request = OTLP__EXPORT_METRICS_SERVICE_REQUEST__INIT;
    Otlp__ResourceMetrics **list = request.resource_metrics = new_resource_metrics(a, m->n);
    if (!list)
        return -ENOMEM;
    request.n_resource_metrics = m->n;
    for (const struct otlp_group *g = m->groups; g; g = g->next, list++) {
        Otlp__ScopeMetrics **scope = (*list)->scope_metrics = new_scope_metrics(a, 1);
        (*list)->n_scope_metrics = 1;
        if (!scope || !((*list)->resource = resource_of(a, &g->resource)) ||
            !(scope[0]->scope = our_scope(a)) || !(scope[0]->metrics = new_metrics(a, g->n)))
            return -ENOMEM;
        scope[0]->n_metrics = g->n;
        Otlp__Metric **metric = scope[0]->metrics;
        for (const struct otlp_metric *one = g->metrics; one; one = one->next, metric++)
            if (set_metric(a, *metric, one) < 0)
                return -ENOMEM;
    }
    return put(&request.base, out);
}

int otlp_protobuf(struct arena *a, const struct otlp_model *m, struct strbuf *out)
{
    switch (m->kind) {
    case SIGNAL_LOG:
        return put_logs(a, m, out);
    case SIGNAL_SPAN:
        return put_spans(a, m, out);
    case SIGNAL_METRIC:
        return put_metrics(a, m, out);
    }
    return -EINVAL;
}

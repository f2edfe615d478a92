/*
 * Signals grouped by their resource, texts made UTF-8, measurements added up.
 *
 * Log records and spans keep their order: neighbours share a resource. Metrics have none, and two
 * points of one identity in one request would contradict each other: they are looked up among all
 * that were there before, by a hash and then by value.
 */
#include "exporter/otlp_model.h"

#include <errno.h>
#include <float.h>

const double otlp_bounds[OTLP_BOUNDS] = {0.1, 0.25, 0.5, 1,    2.5,  5,    10,    25,    50,
                                         100, 250,  500, 1000, 2500, 5000, 10000, 30000, 60000};

const char *otlp_severity(enum signal_severity severity)
{
    return severity == SEVERITY_WARN ? "WARN" : "INFO";
}

bool otlp_is_zero(const unsigned char *id, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (id[i])
            return false;
    return true;
}

/* ---- texts ---- */

static size_t first_wrong(struct bytes b)
{
    uint32_t c;
    size_t i = 0, n = 0;
    for (; i < b.n; i += n)
        if ((n = utf8_decode((const unsigned char *)b.p + i, b.n - i, &c)) == 0)
            break;
    return i;
}

/* U+FFFD for each byte that is wrong. */
static int repair(struct arena *a, struct bytes *b)
{
    static const char instead[] = "\xef\xbf\xbd";
    size_t good = first_wrong(*b), n = 0;
    if (good == b->n)
        return 0;
    char *p = arena_alloc(a, b->n * 3);
    if (!p)
        return -ENOMEM;
    for (struct bytes left = *b; left.n; good = first_wrong(left)) {
        memcpy(p + n, left.p, good);
        n += good;
        left.p += good;
        left.n -= good;
        if (left.n == 0)
            break;
        memcpy(p + n, instead, 3);
        n += 3;
        left.p++;
        left.n--;
    }
    *b = (struct bytes){p, n};
    return 0;
}

static int repair_attributes(struct arena *a, struct attributes *list)
{
    struct attribute *v = arena_zalloc(a, MAX_OF(list->n, 1u), sizeof(*v));
    if (!v)
        return -ENOMEM;
    for (size_t i = 0; i < list->n; i++) {
        v[i] = list->v[i];
        if (repair(a, &v[i].key) < 0 || (v[i].type == ATTRIBUTE_TEXT && repair(a, &v[i].text) < 0))
            return -ENOMEM;
    }
    list->v = v;
    return 0;
}

static int repair_signal(struct arena *a, struct signal *s)
{
    if (repair_attributes(a, &s->resource) < 0 || repair_attributes(a, &s->attributes) < 0)
        return -ENOMEM;
    switch (s->kind) {
    case SIGNAL_LOG:
        return repair(a, &s->log.name);
    case SIGNAL_SPAN:
        return repair(a, &s->span.name) < 0 ? -ENOMEM : repair(a, &s->span.trace_state);
    case SIGNAL_METRIC:
        return repair(a, &s->metric.name) < 0 ? -ENOMEM : repair(a, &s->metric.unit);
    }
    return 0;
}

/* ---- equality ---- */

static uint64_t hash_bytes(uint64_t h, const void *p, size_t n)
{
    const unsigned char *c = p;
    for (size_t i = 0; i < n; i++)
        h = (h ^ c[i]) * 0x100000001b3u;
    return h;
}

static uint64_t bits_of(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

static uint64_t hash_attribute(const struct attribute *x)
{
    uint64_t h = hash_bytes(0xcbf29ce484222325u + x->type, x->key.p, x->key.n);
    if (x->type == ATTRIBUTE_TEXT)
        return hash_bytes(h, x->text.p, x->text.n);
    uint64_t bits = x->type == ATTRIBUTE_DOUBLE ? bits_of(x->real) : (uint64_t)x->number;
    return hash_bytes(h, &bits, sizeof(bits));
}

/* The same in any order. */
static uint64_t hash_attributes(const struct attributes *list)
{
    uint64_t h = list->n;
    for (size_t i = 0; i < list->n; i++)
        h += hash_attribute(&list->v[i]);
    return h;
}

static bool same_attribute(const struct attribute *x, const struct attribute *y)
{
    if (x->type != y->type || !bytes_eq(x->key, y->key))
        return false;
    if (x->type == ATTRIBUTE_TEXT)
        return bytes_eq(x->text, y->text);
    return x->type == ATTRIBUTE_DOUBLE ? bits_of(x->real) == bits_of(y->real)
                                       : x->number == y->number;
}

static bool holds(const struct attributes *list, const struct attribute *x, size_t near)
{
    if (same_attribute(&list->v[near], x))
        return true;
    for (size_t i = 0; i < list->n; i++)
        if (same_attribute(&list->v[i], x))
            return true;
    return false;
}

/* Their hashes are the same already. */
static bool same_attributes(const struct attributes *x, const struct attributes *y)
{
    if (x->n != y->n)
        return false;
    for (size_t i = 0; i < x->n; i++)
        if (!holds(x, &y->v[i], i) || !holds(y, &x->v[i], i))
            return false;
    return true;
}

/* ---- metrics ---- */

static struct otlp_metric *find_metric(struct arena *a, struct otlp_group *g,
                                       const struct signal_metric *m)
{
    struct otlp_metric **at = &g->metrics;
    for (; *at; at = &(*at)->next)
        if ((*at)->type == m->type && bytes_eq((*at)->name, m->name) &&
            bytes_eq((*at)->unit, m->unit))
            return *at;
    *at = arena_zalloc(a, 1, sizeof(**at));
    if (!*at)
        return NULL;
    **at = (struct otlp_metric){.type = m->type, .name = m->name, .unit = m->unit};
    g->n++;
    return *at;
}

static struct otlp_point *find_point(struct arena *a, struct otlp_metric *metric,
                                     const struct signal *s)
{
    uint64_t hash = hash_attributes(&s->attributes);
    struct otlp_point **at = &metric->points;
    for (; *at; at = &(*at)->next)
        if ((*at)->hash == hash && same_attributes(&(*at)->attributes, &s->attributes))
            return *at;
    *at = arena_zalloc(a, 1, sizeof(**at));
    if (!*at)
        return NULL;
    **at = (struct otlp_point){.attributes = s->attributes,
                               .hash = hash,
                               .start_ns = UINT64_MAX,
                               .min = s->metric.value,
                               .max = s->metric.value};
    metric->n++;
    return *at;
}

static size_t bucket_of(double v)
{
    size_t i = 0;
    while (i < OTLP_BOUNDS && v > otlp_bounds[i])
        i++;
    return i;
}

/* Finite, as JSON has no word for what is not. */
static double add(double x, double y)
{
    double sum = x + y;
    return sum > DBL_MAX ? DBL_MAX : sum < -DBL_MAX ? -DBL_MAX : sum;
}

static int add_measurement(struct arena *a, struct otlp_group *g, const struct signal *s)
{
    const struct signal_metric *m = &s->metric;
    struct otlp_metric *metric = find_metric(a, g, m);
    struct otlp_point *p = metric ? find_point(a, metric, s) : NULL;
    if (!p)
        return -ENOMEM;
    /* A point tells of the time after its start: that is before the first measurement. */
    p->start_ns = MIN_OF(p->start_ns, m->time_ns ? m->time_ns - 1 : 0);
    p->time_ns = MAX_OF(p->time_ns, m->time_ns);
    if (m->type == METRIC_SUM) {
        if (__builtin_add_overflow(p->total, m->count, &p->total))
            p->total = INT64_MAX;
        return 0;
    }
    p->count++;
    p->sum = add(p->sum, m->value);
    p->min = MIN_OF(p->min, m->value);
    p->max = MAX_OF(p->max, m->value);
    p->buckets[bucket_of(m->value)]++;
    return 0;
}

/* ---- groups ---- */

/* The group of S: among all for metrics, else the last one or a new one. */
static struct otlp_group *find_group(struct arena *a, struct otlp_model *m, const struct signal *s)
{
    uint64_t hash = hash_attributes(&s->resource);
    struct otlp_group **at = &m->groups;
    for (; *at; at = &(*at)->next)
        if ((s->kind == SIGNAL_METRIC || !(*at)->next) && (*at)->hash == hash &&
            same_attributes(&(*at)->resource, &s->resource))
            return *at;
    *at = arena_zalloc(a, 1, sizeof(**at));
    if (!*at)
        return NULL;
    **at = (struct otlp_group){.resource = s->resource, .hash = hash, .v = s};
    m->n++;
    return *at;
}

int otlp_model(struct arena *a, const struct otlp_batch *batch, struct otlp_model *ret)
{
    struct otlp_model m = {.kind = batch->kind, .observed_ns = batch->observed_ns};
    struct signal *v = arena_zalloc(a, MAX_OF(batch->n, 1u), sizeof(*v));
    if (!v)
        return -ENOMEM;
    for (size_t i = 0; i < batch->n; i++) {
        v[i] = batch->v[i];
        if (repair_signal(a, &v[i]) < 0)
            return -ENOMEM;
        struct otlp_group *g = find_group(a, &m, &v[i]);
        if (!g)
            return -ENOMEM;
        if (m.kind != SIGNAL_METRIC)
            g->n++;
        else if (add_measurement(a, g, &v[i]) < 0)
            return -ENOMEM;
    }
    *ret = m;
    return 0;
}

/* ---- the whole of it ---- */

int otlp_encode(enum export_protocol protocol, const struct otlp_batch *batch, struct strbuf *out)
{
    const size_t before = out->n;
    _cleanup_arena_ struct arena a = {0};
    struct otlp_model m;
    if (strbuf_failed(out))
        return -ENOMEM;
    int r = otlp_model(&a, batch, &m);
    if (r == 0)
        r = protocol == EXPORT_HTTP_JSON ? otlp_json(&m, out) : otlp_protobuf(&a, &m, out);
    if (r < 0)
        strbuf_cut(out, before);
    return r;
}

/*
 * A batch as OTLP groups it, before it is protobuf or JSON. Between otlp*.c only.
 */
#ifndef BAWN_EXPORTER_OTLP_MODEL_H
#define BAWN_EXPORTER_OTLP_MODEL_H

#include "exporter/otlp.h"

#define OTLP_SCOPE   "bawn"
#define OTLP_DELTA   1 /* AGGREGATION_TEMPORALITY_DELTA */
#define OTLP_BOUNDS  18u
#define OTLP_BUCKETS (OTLP_BOUNDS + 1)

/* Where a histogram's buckets end, each with its end in it: milliseconds. */
extern const double otlp_bounds[OTLP_BOUNDS];

/* Measurements added up. */
struct otlp_point {
    struct attributes attributes;
    uint64_t hash; /* of the attributes, whatever their order */
    uint64_t start_ns, time_ns;
    int64_t total;        /* METRIC_SUM */
    uint64_t count;       /* METRIC_HISTOGRAM, and what follows */
    double sum, min, max; /* all finite */
    uint64_t buckets[OTLP_BUCKETS];
    struct otlp_point *next;
};

struct otlp_metric {
    enum metric_type type;
    struct bytes name, unit;
    struct otlp_point *points; /* n of them, as all lists here */
    size_t n;
    struct otlp_metric *next;
};

/* What one resource says. */
struct otlp_group {
    struct attributes resource;
    uint64_t hash;
    const struct signal *v; /* SIGNAL_LOG, SIGNAL_SPAN */
    struct otlp_metric *metrics;
    size_t n; /* of either */
    struct otlp_group *next;
};

struct otlp_model {
    enum signal_kind kind;
    uint64_t observed_ns;
    struct otlp_group *groups;
    size_t n;
};

/* All texts in it are UTF-8. What it points to is in A or in BATCH. 0, -ENOMEM. */
int otlp_model(struct arena *a, const struct otlp_batch *batch, struct otlp_model *ret);

/* "INFO", "WARN". */
const char *otlp_severity(enum signal_severity severity);
bool otlp_is_zero(const unsigned char *id, size_t n);

/* Appended to OUT. 0, -ENOMEM, -E2BIG. */
int otlp_protobuf(struct arena *a, const struct otlp_model *m, struct strbuf *out);
int otlp_json(const struct otlp_model *m, struct strbuf *out);

#endif

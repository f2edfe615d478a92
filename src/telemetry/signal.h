/*
 * What leaves for a collector: a log record, a span or a measurement, as the launcher packs it, the
 * spool keeps it and bawn-exporter unpacks it. Nothing here knows OTLP, and nothing here knows what
 * is secret: who packs has left out what must not leave (telemetry.h).
 *
 * The model is OpenTelemetry's, as far as bawn needs it
 * (https://opentelemetry.io/docs/specs/otel/). Packed with base/pack.h.
 */
#ifndef BAWN_TELEMETRY_SIGNAL_H
#define BAWN_TELEMETRY_SIGNAL_H

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum signal_kind { SIGNAL_LOG, SIGNAL_SPAN, SIGNAL_METRIC };
#define SIGNAL_KINDS 3
const char *signal_word(enum signal_kind kind); /* "logs", "traces", "metrics" */

#define SIGNAL_MAX        (32u * 1024) /* bytes of one packed signal with its resource */
#define SIGNAL_ATTRIBUTES 64u          /* of one signal, and of a resource */

enum attribute_type { ATTRIBUTE_TEXT, ATTRIBUTE_INT, ATTRIBUTE_DOUBLE, ATTRIBUTE_BOOL };

struct attribute {
    struct bytes key; /* not empty */
    enum attribute_type type;
    struct bytes text; /* ATTRIBUTE_TEXT: any bytes; whoever sends it makes UTF-8 of them */
    int64_t number;    /* ATTRIBUTE_INT; ATTRIBUTE_BOOL: 0 or 1 */
    double real;       /* ATTRIBUTE_DOUBLE: finite */
};

struct attributes {
    const struct attribute *v;
    size_t n;
};

#define TRACE_ID_BYTES 16u
#define SPAN_ID_BYTES  8u

/* W3C Trace Context. All zero: none. */
struct trace_context {
    unsigned char trace_id[TRACE_ID_BYTES];
    unsigned char span_id[SPAN_ID_BYTES];
    uint8_t flags; /* 1: sampled */
};

enum signal_severity { SEVERITY_INFO = 9, SEVERITY_WARN = 13 }; /* OTLP's SeverityNumber */

struct signal_log {
    uint64_t time_ns; /* Unix time */
    enum signal_severity severity;
    struct bytes name; /* event_name, with its prefix; not empty, as those of spans and metrics */
    struct trace_context context;
};

enum span_kind { SPAN_INTERNAL = 1, SPAN_CLIENT = 3 };                     /* OTLP's numbers */
enum span_status { SPAN_STATUS_UNSET, SPAN_STATUS_OK, SPAN_STATUS_ERROR }; /* the same */

struct signal_span {
    struct trace_context context;           /* its ids are not all zero */
    unsigned char parent_id[SPAN_ID_BYTES]; /* all zero: a root */
    struct bytes name, trace_state;
    enum span_kind kind;
    enum span_status status;
    uint64_t start_ns, end_ns; /* Unix time */
};

enum metric_type { METRIC_SUM, METRIC_HISTOGRAM };

/* One measurement: the exporter adds those of a batch up (delta temporality). */
struct signal_metric {
    enum metric_type type;
    struct bytes name, unit; /* unit: UCUM, "ms", "{command}" */
    uint64_t time_ns;
    int64_t count; /* METRIC_SUM: what is added, not negative */
    double value;  /* METRIC_HISTOGRAM: finite */
};

struct signal {
    enum signal_kind kind;
    struct attributes resource, attributes;
    union {
        struct signal_log log;
        struct signal_span span;
        struct signal_metric metric;
    };
};

/* Appended to OUT. -EMSGSIZE when it would be more than SIGNAL_MAX or SIGNAL_ATTRIBUTES, -EINVAL
 * for what signal_unpack() would refuse, -ENOMEM; OUT is then as it was. */
int signal_pack(const struct signal *s, struct strbuf *out);
/* Texts point into PACKED; the arrays are in A. -EBADMSG for anything that signal_pack() would not
 * have made, byte for byte; -ENOMEM. */
int signal_unpack(struct arena *a, struct bytes packed, struct signal *ret);

#endif

/*
 * One batch of each kind with everything in it that can go wrong on the way. What comes of them is
 * written down twice, independently: in test_otlp.c, and in tests/telemetry/receiver/samples.js.
 */
#ifndef BAWN_TESTS_OTLP_SAMPLES_H
#define BAWN_TESTS_OTLP_SAMPLES_H

#include "exporter/otlp.h"

#include <float.h>

#define SAMPLE_TIME     1700000000123456789u
#define SAMPLE_OBSERVED 1700000009000000001u

#define TEXT(k, v)                                                                                 \
    {                                                                                              \
        .key = {(k), sizeof(k) - 1}, .type = ATTRIBUTE_TEXT, .text = {(v), sizeof(v) - 1 }         \
    }
#define INT(k, v)                                                                                  \
    {                                                                                              \
        .key = {(k), sizeof(k) - 1}, .type = ATTRIBUTE_INT, .number = (v)                          \
    }
#define REAL(k, v)                                                                                 \
    {                                                                                              \
        .key = {(k), sizeof(k) - 1}, .type = ATTRIBUTE_DOUBLE, .real = (v)                         \
    }
#define BOOL(k, v)                                                                                 \
    {                                                                                              \
        .key = {(k), sizeof(k) - 1}, .type = ATTRIBUTE_BOOL, .number = (v)                         \
    }
#define LIST(a)                                                                                    \
    {                                                                                              \
        (a), ARRAY_LEN(a)                                                                          \
    }

static const struct attribute sample_resource[] = {
    TEXT("service.name", "bawn"),
    TEXT("host.name", "h\xff\xc3ost"),
};
/* The same, told in another order. */
static const struct attribute sample_turned[] = {
    TEXT("host.name", "h\xff\xc3ost"),
    TEXT("service.name", "bawn"),
};
static const struct attribute sample_other[] = {TEXT("service.name", "other")};

static const struct attribute sample_values[] = {
    TEXT("text", "na\xc3\xafve \xf0\x9f\x98\x80"),
    TEXT("empty", ""),
    TEXT("odd", "a\0b\"\\\n\t\x1b[31m\xe2\x80\xae/"),
    TEXT("wrong", "\x80"
                  "a\xed\xa0\x80\xf4\x90\x80\x80\xc0\xaf\xe2\x82"),
    TEXT("k\xfey", "v"),
    INT("zero", 0),
    INT("least", INT64_MIN),
    INT("most", INT64_MAX),
    REAL("tenth", 0.1),
    REAL("tiny", 4.9406564584124654e-324),
    REAL("large", -1.5e300),
    REAL("none", 0.0),
    BOOL("yes", 1),
    BOOL("no", 0),
};

#define SAMPLE_CONTEXT                                                                             \
    {                                                                                              \
        .trace_id = {0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd,                               \
                     0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c},                              \
        .span_id = {0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31}, .flags = 1                    \
    }

static const struct signal sample_logs[] = {
    {.kind = SIGNAL_LOG,
     .resource = LIST(sample_resource),
     .attributes = LIST(sample_values),
     .log = {.time_ns = SAMPLE_TIME,
             .severity = SEVERITY_WARN,
             .name = {"bawn.sandbox_outcome", 20},
             .context = SAMPLE_CONTEXT}},
    {.kind = SIGNAL_LOG,
     .resource = LIST(sample_turned),
     .log = {.time_ns = SAMPLE_TIME + 1, .severity = SEVERITY_INFO, .name = {"bawn.second", 11}}},
    {.kind = SIGNAL_LOG,
     .log = {.time_ns = SAMPLE_TIME + 2, .severity = SEVERITY_INFO, .name = {"bawn.third", 10}}},
    {.kind = SIGNAL_LOG,
     .resource = LIST(sample_resource),
     .log = {.time_ns = INT64_MAX, .severity = SEVERITY_INFO, .name = {"bawn.\xff", 6}}},
};

static const struct attribute sample_outcome[] = {TEXT("outcome", "ok"), INT("status", 0)};
static const struct attribute sample_outcome_turned[] = {INT("status", 0), TEXT("outcome", "ok")};
static const struct attribute sample_denied[] = {TEXT("outcome", "denied"), INT("status", 1)};

static const struct signal sample_spans[] = {
    {.kind = SIGNAL_SPAN,
     .resource = LIST(sample_resource),
     .span = {.context = SAMPLE_CONTEXT,
              .name = {"bawn run", 8},
              .kind = SPAN_INTERNAL,
              .status = SPAN_STATUS_UNSET,
              .start_ns = SAMPLE_TIME,
              .end_ns = SAMPLE_TIME + 1000}},
    {.kind = SIGNAL_SPAN,
     .resource = LIST(sample_resource),
     .attributes = LIST(sample_denied),
     .span = {.context = {.trace_id = {1}, .span_id = {[7] = 2}},
              .parent_id = {0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31},
              .name = {"connect", 7},
              .trace_state = {"a=1,b=2", 7},
              .kind = SPAN_CLIENT,
              .status = SPAN_STATUS_ERROR,
              .start_ns = SAMPLE_TIME + 10,
              .end_ns = SAMPLE_TIME + 20}},
    {.kind = SIGNAL_SPAN,
     .resource = LIST(sample_other),
     .span = {.context = {.trace_id = {1}, .span_id = {3}, .flags = 0xff},
              .name = {"set-up", 6},
              .kind = SPAN_INTERNAL,
              .status = SPAN_STATUS_OK}},
};

#define COUNTED(res, attrs, at, n)                                                                 \
    {                                                                                              \
        .kind = SIGNAL_METRIC, .resource = LIST(res), .attributes = LIST(attrs), .metric = {       \
            .type = METRIC_SUM,                                                                    \
            .name = {"bawn.commands", 13},                                                         \
            .unit = {"{command}", 9},                                                              \
            .time_ns = SAMPLE_TIME + (at),                                                         \
            .count = (n)                                                                           \
        }                                                                                          \
    }
#define TIMED(name_, at, v)                                                                        \
    {                                                                                              \
        .kind = SIGNAL_METRIC, .resource = LIST(sample_resource), .metric = {                      \
            .type = METRIC_HISTOGRAM,                                                              \
            .name = {(name_), sizeof(name_) - 1},                                                  \
            .unit = {"ms", 2},                                                                     \
            .time_ns = SAMPLE_TIME + (at),                                                         \
            .value = (v)                                                                           \
        }                                                                                          \
    }

static const struct signal sample_metrics[] = {
    COUNTED(sample_resource, sample_outcome, 5, 2),
    TIMED("bawn.time", 1, 0.1),
    COUNTED(sample_other, sample_outcome, 6, 1),
    COUNTED(sample_turned, sample_outcome_turned, 3, 40),
    COUNTED(sample_resource, sample_denied, 7, 0),
    TIMED("bawn.time", 9, 0.0),
    TIMED("bawn.time", 2, 0.100001),
    TIMED("bawn.time", 3, 60000),
    TIMED("bawn.time", 4, 60000.5),
    TIMED("bawn.time", 5, 7),
    TIMED("bawn.most", 1, DBL_MAX),
    TIMED("bawn.most", 1, DBL_MAX),
    TIMED("bawn.below", 1, -2.5),
    COUNTED(sample_other, sample_denied, 1, INT64_MAX),
    COUNTED(sample_other, sample_denied, 2, INT64_MAX),
};

static const struct otlp_batch samples[SIGNAL_KINDS] = {
    {SIGNAL_LOG, sample_logs, ARRAY_LEN(sample_logs), SAMPLE_OBSERVED},
    {SIGNAL_SPAN, sample_spans, ARRAY_LEN(sample_spans), SAMPLE_OBSERVED},
    {SIGNAL_METRIC, sample_metrics, ARRAY_LEN(sample_metrics), SAMPLE_OBSERVED},
};

#endif

/*
 * Signals as OTLP, and a collector's answer read: pure. Messages and field numbers are those of
 * opentelemetry-proto 1.x (otlp.proto has what is used of them); the JSON form is protobuf's with
 * OTLP's exceptions: trace and span ids in hex, enumerations as numbers
 * (https://opentelemetry.io/docs/specs/otlp/).
 */
#ifndef BAWN_EXPORTER_OTLP_H
#define BAWN_EXPORTER_OTLP_H

#include "telemetry/export_wire.h"

#define OTLP_BATCH      512u               /* signals of one request */
#define OTLP_ANSWER_MAX (64u * 1024)       /* bytes of a collector's answer that are looked at */
#define OTLP_BODY_MAX   (4u * 1024 * 1024) /* bytes of one request, before gzip */

/* The signals of one request, all of one kind, in the order of the spool. Neighbours with the same
 * resource share one. Metrics with the same resource, name and attributes are added up into one
 * data point, delta, from the first measurement's time to the last one's. `observed_ns` is set on
 * log records as the time they were seen by the exporter. (A point's start is one nanosecond before
 * its first measurement, as the start is not part of what a point tells of.) */
struct otlp_batch {
    enum signal_kind kind;
    const struct signal *v;
    size_t n;
    uint64_t observed_ns;
};

/* The request's message, appended to OUT: protobuf for EXPORT_HTTP_PROTOBUF and EXPORT_GRPC
 * (without gRPC's frame), JSON for EXPORT_HTTP_JSON. Texts that are not UTF-8 get U+FFFD for what
 * is wrong. 0, -ENOMEM. */
int otlp_encode(enum export_protocol protocol, const struct otlp_batch *batch, struct strbuf *out);

struct otlp_answer {
    uint64_t rejected;   /* partial_success: how many of the request were not taken, as it says */
    const char *message; /* what the collector said, printable, one line, cut to 300 bytes, or "" */
};

/* The body of an answer: of success (partial_success) or of failure (google.rpc.Status). Garbage is
 * an answer that says nothing. JSON says how BODY is to be read, not the request. Texts in A. */
void otlp_read_answer(struct arena *a, enum signal_kind kind, bool success, bool json,
                      struct bytes body, struct otlp_answer *ret);

#endif

/*
 * gRPC over HTTP/2 as far as one unary call needs it, apart from HTTP/2 itself, which is libcurl's:
 * a message's frame, the trailers, and what is written in them. Pure; all of it comes from a
 * collector, which may be anybody.
 *
 * Source: gRPC's PROTOCOL-HTTP2.md; google.rpc.Status and RetryInfo (google/rpc).
 */
#ifndef BAWN_EXPORTER_GRPC_H
#define BAWN_EXPORTER_GRPC_H

#include "telemetry/signal.h"

#define GRPC_FRAME       5u
#define GRPC_MESSAGE_MAX 300u  /* bytes of grpc-message that are kept */
#define GRPC_DETAILS_MAX 8192u /* bytes of grpc-status-details-bin, decoded, that are read */
#define GRPC_ABSENT      (-1)  /* there was no grpc-status */

/* "/opentelemetry.proto.collector.logs.v1.LogsService/Export" */
const char *grpc_method(enum signal_kind kind);

void grpc_frame(char dst[GRPC_FRAME], bool compressed, uint32_t n);
/* The one message of an answer; empty when there is none, when it is compressed (nobody asked for
 * that) or when BODY is not whole: what came with it is told by the status. */
struct bytes grpc_message(struct bytes body);

struct grpc_status {
    int status;                     /* GRPC_ABSENT; GRPC_UNKNOWN for what is no number of one */
    char message[GRPC_MESSAGE_MAX]; /* N bytes, any */
    size_t n;
    uint32_t retry_ms; /* RetryInfo's, bounded like Retry-After; 0: none */
};

void grpc_status_clear(struct grpc_status *s);
/* One field of the header or the trailer; NAME in any case. What comes last holds, two different
 * statuses are none that is known. */
void grpc_status_field(struct grpc_status *s, struct bytes name, struct bytes value);

/* "name: value" with its line end, as libcurl hands fields over: false for a line that is none. */
bool field_split(struct bytes line, struct bytes *ret_name, struct bytes *ret_value);
/* Is NAME WORD (lower case), whatever its case? */
bool field_is(struct bytes name, const char *word);

#endif

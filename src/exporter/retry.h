/*
 * What a collector's answer means for the batch that was sent, and when to try again. Pure.
 *
 * The codes are those of OTLP (https://opentelemetry.io/docs/specs/otlp/#failures) with one
 * difference: what speaks of the way there and not of the batch (500, a redirect, a refused token)
 * never costs a record either.
 */
#ifndef BAWN_EXPORTER_RETRY_H
#define BAWN_EXPORTER_RETRY_H

#include "base/str.h"

enum verdict {
    VERDICT_TAKEN,
    VERDICT_AGAIN,   /* the same batch, after a while */
    VERDICT_SLOWLY,  /* the same, but somebody has to change something before that can help */
    VERDICT_SMALLER, /* too large: half of it at once */
    VERDICT_PLAIN,   /* perhaps without gzip */
    VERDICT_NEVER,   /* it will never be taken */
};

enum verdict verdict_of_http(unsigned status);
/* STATUS -1: there was none. MESSAGE is what came with it. */
enum verdict verdict_of_grpc(int status, struct bytes message);
const char *grpc_status_word(int status); /* "UNAVAILABLE"; "UNKNOWN" for what is none */

#define RETRY_FIRST_MS  1000u
#define RETRY_MOST_MS   60000u
#define RETRY_AFTER_MAX 600000u /* milliseconds: who asks for more does not get it */

/* The next pause, CHANCE (any number) making it a quarter shorter or longer. *SPAN is zeroed when
 * something was taken. */
uint32_t retry_pause(uint32_t *span, uint32_t chance);
/* Retry-After: seconds, or one of HTTP's three forms of a date (RFC 9110, 5.6.7). NOW is Unix time
 * in seconds. Milliseconds, at most RETRY_AFTER_MAX; 0: it says nothing (or now). */
uint32_t retry_after(struct bytes value, int64_t now);

#endif

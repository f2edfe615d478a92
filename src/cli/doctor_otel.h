/*
 * bawn doctor about telemetry: one line among the others, and --otel, which sends one test record
 * of each kind that is on and says what became of it.
 */
#ifndef BAWN_CLI_DOCTOR_OTEL_H
#define BAWN_CLI_DOCTOR_OTEL_H

#include "cli/setup.h"
#include "sandbox/probe.h"

/* Is what the configuration says of telemetry good? Sends and makes nothing. After
 * setup_profile(). */
void doctor_telemetry(struct setup *s, struct probe_result *ret);
/* The whole of `bawn doctor --otel`: what to exit with. */
int doctor_otel(struct setup *s, const struct options *o);

#endif

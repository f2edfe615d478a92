/*
 * Telemetry of one command: from the configuration (config/otel.h) to an open sink
 * (telemetry/telemetry.h), and bawn-exporter told where the signals go.
 *
 *   telemetry_prepare()   before the command: reads, checks, opens. No fork, no connection.
 *   telemetry_sink()      what the events, spans and measurements go to; NULL: telemetry is off
 *   telemetry_started()   once the command runs: connects to bawn-exporter, or starts it
 *   telemetry_finish()    at the end: wakes it, waits at most FLUSH_MS when told to, says in one
 *                         line what was lost
 *
 * Only the configuration can fail a command, and only before it runs. Everything else that goes
 * wrong (no home, no exporter, a full disk) is one warning, and then telemetry is off or waits in
 * the spool.
 *
 * In each process one of them; the setup must outlive it (its arena holds the strings).
 */
#ifndef BAWN_CLI_TELEMETRY_START_H
#define BAWN_CLI_TELEMETRY_START_H

#include "cli/exporter_link.h"
#include "cli/setup.h"
#include "config/otel.h"
#include "telemetry/telemetry.h"

#define TELEMETRY_DIR     "telemetry" /* below $BAWN_HOME */
#define TELEMETRY_IDLE_MS 30000u      /* the exporter's, after which it ends */
#define FLUSH_MS          2000

struct telemetry_out;

/* After setup_profile(). 0 and *ret NULL when nothing is to be exported, or when that is impossible
 * here (a warning was printed). An error is one of configuration: cli_error(err, EXIT_BROKEN). */
int telemetry_prepare(struct setup *s, struct telemetry_out **ret, struct error *err);
/* All of these take NULL. */
struct telemetry *telemetry_sink(const struct telemetry_out *out);
void telemetry_started(struct telemetry_out *out);
/* OUT is released. */
void telemetry_finish(struct telemetry_out *out, bool flush);

/* ---- for bawn doctor ---- */

/* telemetry_prepare() that prints nothing: where *ret stays NULL, *ret_problem says why in one
 * line, unless it is off (NULL). */
int telemetry_look(struct setup *s, struct telemetry_out **ret, const char **ret_problem,
                   struct error *err);
/* Only what the configuration says, files of TLS included: 0, or what telemetry_look() would say.
 * Nothing is made. Strings in S. */
int telemetry_check(struct setup *s, struct otel_settings *ret, struct error *err);
/* What was read, and where the spools are. */
const struct otel_settings *telemetry_settings(const struct telemetry_out *out);
const char *telemetry_path(const struct telemetry_out *out);
struct exporter_link *telemetry_link(struct telemetry_out *out);
/* One signal of KIND that means nothing, into its spool. */
int telemetry_test(struct telemetry_out *out, enum signal_kind kind, struct error *err);
/* Nothing more is said, to nobody. */
void telemetry_release(struct telemetry_out *out);
/* bawn's own environment, for otel_settings_read(). */
const char *telemetry_variable(void *data, const char *name);

#endif

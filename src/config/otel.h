/*
 * `[otel]` read: what is exported where. Pure but for the environment, which is handed in.
 *
 * Configuration wins over the standard variables (OTEL_EXPORTER_OTLP_* with their forms for one
 * signal, OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME, OTEL_BLRP_SCHEDULE_DELAY,
 * OTEL_SDK_DISABLED); nothing is exported because of a variable alone. Key by key: a variable
 * fills what the configuration leaves out. Only `headers` and the two halves of a client's
 * certificate are not mixed: where the configuration says something of them, it says all.
 */
#ifndef BAWN_CONFIG_OTEL_H
#define BAWN_CONFIG_OTEL_H

#include "config/config.h"

struct otel_pair {
    const char *name, *value;
};

struct otel_pairs {
    struct otel_pair *v;
    size_t n;
};

/* Of one exporter; of resource and span_attributes each; bytes of names and values of one of the
 * three. */
#define OTEL_HEADERS_MAX     64u
#define OTEL_ATTRIBUTES_MAX  32u
#define OTEL_HEADER_BYTES    (32u * 1024)
#define OTEL_ATTRIBUTE_BYTES (8u * 1024)

enum otel_protocol { OTEL_HTTP_PROTOBUF, OTEL_HTTP_JSON, OTEL_GRPC };
enum { OTEL_LOGS, OTEL_TRACES, OTEL_METRICS, OTEL_SIGNALS };

/* What is told apart in otel_exporter.from[]. */
enum otel_from {
    OTEL_FROM_EXPORTER, /* that it is on, and how */
    OTEL_FROM_ENDPOINT,
    OTEL_FROM_PROTOCOL,
    OTEL_FROM_HEADERS,
    OTEL_FROM_CA,
    OTEL_FROM_CERTIFICATE,
    OTEL_FROM_KEY,
    OTEL_FROM_COMPRESSION,
    OTEL_FROM_TIMEOUT,
    OTEL_FROMS
};

struct otel_exporter {
    bool on;
    enum otel_protocol protocol;
    const char *endpoint;      /* the whole URL with its path; of gRPC scheme, host and port */
    struct otel_pairs headers; /* ${NAME} replaced; names in lower case */
    const char *ca_file, *certificate_file, *key_file; /* absolute, or NULL */
    bool gzip;
    uint32_t timeout_ms;
    /* For people, of one that is on: "FILE:LINE:COLUMN", a variable's name, "the default"; NULL:
     * there is no such thing. */
    const char *from[OTEL_FROMS];
    /* Where the configuration names ca_file, certificate_file, key_file, or NULL. */
    const struct toml_value *file_at[3];
};

struct otel_settings {
    struct otel_exporter exporters[OTEL_SIGNALS];
    const char *environment;  /* resource attribute `env` */
    const char *service_name; /* "bawn" */
    const char *event_prefix; /* "bawn." */
    const char *account_id;   /* user.account_id, or NULL */
    bool log_user_prompt, log_tool_payloads;
    struct otel_pairs resource, span_attributes; /* of configuration and OTEL_RESOURCE_ATTRIBUTES */
    uint32_t delay_ms;                           /* OTEL_BLRP_SCHEDULE_DELAY, 1000 */
    bool disabled; /* OTEL_SDK_DISABLED: every exporter is off that otherwise would be on */
};

extern const char *const otel_exporter_keys[OTEL_SIGNALS]; /* "exporter", "trace_exporter", … */

/* Is anything to be exported? Cheap: three look-ups. */
bool otel_is_on(const struct config *c);
/* GET returns a variable's value or NULL. 0; -EINVAL with place and hint. Strings in A. Files are
 * not opened here: whether they can be read is seen by who opens them. */
int otel_settings_read(struct arena *a, const struct config *c,
                       const char *(*get)(void *data, const char *name), void *data,
                       struct otel_settings *ret, struct error *err);

/* ---- for the loader ---- */

/* One layer's TREE: otlp-http beside otlp-grpc is a mistake there. */
int otel_check(const struct toml_value *tree, struct error *err);
/* Of otlp-http and otlp-grpc the one that stands in the higher layer holds: in the merged tree
 * there is exactly one. */
int otel_settle(struct config *c, struct error *err);

#endif

/*
 * Reading `[otel]`. See otel.h.
 *
 * Each value has a source: a place in the configuration, a variable, or neither (the default). The
 * source is what an error names and what `bawn doctor --otel` shows. What a variable or a ${NAME}
 * held is in no message: it may be a secret.
 *
 * The merged tree can hold otlp-http of one layer and otlp-grpc of another, since tables merge key
 * by key; otel_settle() leaves the one of the higher layer, so that everybody else finds exactly
 * one.
 */
#include "config/otel.h"

#include "base/path.h"
#include "config/layers.h"
#include "config/otel_text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define TIMEOUT_DEFAULT 10000u
#define TIMEOUT_MOST    600000u
#define DELAY_DEFAULT   1000u
#define DELAY_MOST      60000u
#define NAME_MOST       256u /* bytes of service.name */

const char *const otel_exporter_keys[OTEL_SIGNALS] = {"exporter", "trace_exporter",
                                                      "metrics_exporter"};
static const char *const variable_words[OTEL_SIGNALS] = {"LOGS", "TRACES", "METRICS"};
static const char *const http_paths[OTEL_SIGNALS] = {"/v1/logs", "/v1/traces", "/v1/metrics"};

/* ---- sources and faults ---- */

struct source {
    const char *name;               /* dotted key, or variable; NULL: nobody said anything */
    const struct toml_value *value; /* of the configuration */
    const char *text;               /* what it says, as it stands there */
};

struct reader {
    struct arena *a;
    const struct config *c;
    const char *(*get)(void *data, const char *name);
    void *data;
    struct otel_settings *out;
    struct error *err;
};

static int no_memory(struct error *err)
{
    return error_errno(err, -ENOMEM, "cannot read the configuration of telemetry");
}

/* At VALUE where there is one; HINT may be NULL. */
_printf_(4, 5) static int fault_at(struct error *err, const struct toml_value *value,
                                   const char *hint, const char *fmt, ...)
{
    char text[ERROR_MESSAGE_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    (void)error_set(err, -EINVAL, "%s", text);
    if (value)
        config_error_at(err, value, value->span);
    if (hint)
        error_hint(err, "%s", hint);
    return -EINVAL;
}

static int fault(struct reader *r, const struct source *s, const char *hint, const char *what)
{
    return fault_at(r->err, s->value, hint, "%s: %s", s->name, what);
}

static const char *place(struct reader *r, const struct source *s)
{
    if (!s->name)
        return "the default";
    if (!s->value)
        return s->name;
    struct origin origin = config_origin(s->value, s->value->span);
    return config_place(r->a, &origin);
}

/* An empty one is none, as OpenTelemetry has it. */
static const char *variable(struct reader *r, const char *name)
{
    const char *v = r->get(r->data, name);
    return v && *v ? v : NULL;
}

/* OTEL_EXPORTER_OTLP_<SIGNAL>_<WHAT>, else OTEL_EXPORTER_OTLP_<WHAT>. *ret_general: the latter. */
static struct source exporter_variable(struct reader *r, int signal, const char *what,
                                       bool *ret_general)
{
    char *name = arena_printf(r->a, "OTEL_EXPORTER_OTLP_%s_%s", variable_words[signal], what);
    const char *v = name ? variable(r, name) : NULL;
    bool general = !v;
    if (!v) {
        name = arena_printf(r->a, "OTEL_EXPORTER_OTLP_%s", what);
        v = name ? variable(r, name) : NULL;
    }
    if (ret_general)
        *ret_general = general;
    return v ? (struct source){name, NULL, v} : (struct source){0};
}

/* ---- one exporter ---- */

struct one {
    int signal;
    bool grpc;
    const struct toml_value *table; /* of its settings, or NULL */
    const char *key;                /* "otel.exporter.otlp-http" */
    struct otel_exporter *to;
};

static struct source setting(struct reader *r, const struct one *o, const char *name)
{
    const struct toml_value *v = o->table ? tree_find(o->table, name) : NULL;
    if (!v)
        return (struct source){0};
    const char *key = arena_printf(r->a, "%s.%s", o->key, name);
    return (struct source){key ? key : name, v, v->type == TOML_STRING ? v->string.p : NULL};
}

/* ${NAME} of a value of the configuration. */
static int expand(struct reader *r, const struct source *s, const char **ret)
{
    struct bytes missing = {0};
    int e = otel_expand(r->a, bytes_of(s->text), r->get, r->data, ret, &missing);
    if (e == -ENOMEM)
        return no_memory(r->err);
    if (e == -ENOENT)
        return fault_at(r->err, s->value, "set it for bawn itself, or take it out of the value",
                        "%s: there is no variable %s in bawn's environment", s->name,
                        show_n(missing.p, missing.n));
    if (e < 0)
        return fault(r, s, "a variable stands as ${NAME}",
                     "${ does not begin the name of a variable");
    return 0;
}

static int url_of(struct reader *r, const struct one *o, const struct source *s, bool base,
                  const char *text)
{
    struct otel_url url;
    struct otel_fault why;
    struct otel_exporter *to = o->to;
    if (!otel_url_read(bytes_of(text), &url, &why))
        return fault(r, s, why.hint, why.what);
    bool bare = url.path.n == 0 || bytes_is(url.path, "/");
    const char *scheme = url.tls ? "https" : "http", *more = "";
    if (o->grpc) {
        if (!bare || url.query.n)
            return fault(r, s, "write the scheme, the host and the port",
                         "an endpoint of gRPC has no path");
        url.path.n = 0;
    } else if (s->value ? bare : base) {
        while (url.path.n && url.path.p[url.path.n - 1] == '/')
            url.path.n--;
        more = http_paths[o->signal];
    }
    to->endpoint =
        arena_printf(r->a, "%s://%.*s%.*s%s%.*s", scheme, (int)url.authority.n, url.authority.p,
                     (int)url.path.n, url.path.p, more, (int)url.query.n, url.query.p);
    return to->endpoint ? 0 : no_memory(r->err);
}

static int read_endpoint(struct reader *r, const struct one *o)
{
    struct source s = setting(r, o, "endpoint");
    const char *text = o->grpc ? "http://localhost:4317" : "http://localhost:4318";
    bool base = true;
    if (s.value) {
        int e = expand(r, &s, &text);
        if (e < 0)
            return e;
    } else {
        s = exporter_variable(r, o->signal, "ENDPOINT", &base);
        text = s.text ? s.text : text;
    }
    o->to->from[OTEL_FROM_ENDPOINT] = place(r, &s);
    return url_of(r, o, &s, base, text);
}

static int read_protocol(struct reader *r, const struct one *o)
{
    struct source s = setting(r, o, "protocol");
    o->to->protocol = o->grpc ? OTEL_GRPC : OTEL_HTTP_PROTOBUF;
    o->to->from[OTEL_FROM_PROTOCOL] = o->to->from[OTEL_FROM_EXPORTER];
    if (o->grpc)
        return 0;
    if (s.text) {
        o->to->protocol = str_eq(s.text, "json") ? OTEL_HTTP_JSON : OTEL_HTTP_PROTOBUF;
        o->to->from[OTEL_FROM_PROTOCOL] = place(r, &s);
        return 0;
    }
    s = exporter_variable(r, o->signal, "PROTOCOL", NULL);
    if (!s.text)
        return 0;
    if (str_eq(s.text, "grpc")) /* the configuration has said otlp-http */
        return 0;
    if (!str_eq(s.text, "http/json") && !str_eq(s.text, "http/protobuf"))
        return fault(r, &s, "expected http/protobuf, http/json or grpc",
                     "the protocol is not known");
    o->to->protocol = str_eq(s.text, "http/json") ? OTEL_HTTP_JSON : OTEL_HTTP_PROTOBUF;
    o->to->from[OTEL_FROM_PROTOCOL] = place(r, &s);
    return 0;
}

/* ---- headers ---- */

static char *lower(struct arena *a, struct bytes name)
{
    char *s = arena_strndup(a, name.p, name.n);
    for (size_t i = 0; s && s[i]; i++)
        if (s[i] >= 'A' && s[i] <= 'Z')
            s[i] = (char)(s[i] | 0x20);
    return s;
}

static int add_header(struct reader *r, const struct one *o, const struct source *s,
                      struct bytes name, const char *value)
{
    struct otel_pairs *list = &o->to->headers;
    char *key = lower(r->a, name);
    size_t bytes = 0;
    if (!key)
        return no_memory(r->err);
    const char *shown = show(key), *why = otel_header_name_fault(key);
    if (why)
        return fault_at(r->err, s->value, NULL, "%s: \"%s\" %s", s->name, shown, why);
    if ((why = otel_header_value_fault(value)))
        return fault_at(r->err, s->value, NULL, "%s: the value of \"%s\" %s", s->name, shown, why);
    for (size_t i = 0; i < list->n; i++) {
        if (str_eq(list->v[i].name, key))
            return fault_at(r->err, s->value, "upper and lower case are one in such names",
                            "%s: \"%s\" stands there twice", s->name, shown);
        bytes += strlen(list->v[i].name) + strlen(list->v[i].value);
    }
    if (list->n == OTEL_HEADERS_MAX || bytes + name.n + strlen(value) > OTEL_HEADER_BYTES)
        return fault_at(r->err, s->value, NULL,
                        "%s: more than %u headers, or than %u bytes of them", s->name,
                        OTEL_HEADERS_MAX, OTEL_HEADER_BYTES);
    list->v[list->n++] = (struct otel_pair){key, value};
    return 0;
}

static int config_headers(struct reader *r, const struct one *o, const struct source *s)
{
    for (const struct toml_member *m = s->value->table.first; m; m = m->next) {
        struct source item = {s->name, m->value, m->value->string.p};
        const char *value;
        int e = expand(r, &item, &value);
        if (e == 0)
            e = add_header(r, o, &item, m->key, value);
        if (e < 0)
            return e;
    }
    return 0;
}

static int variable_headers(struct reader *r, const struct one *o, const struct source *s)
{
    struct otel_pairs list;
    struct otel_fault why;
    int e = otel_list_read(r->a, s->text, &list, &why);
    if (e == -ENOMEM)
        return no_memory(r->err);
    if (e < 0)
        return fault(r, s, why.hint, why.what);
    for (size_t i = 0; e == 0 && i < list.n; i++)
        e = add_header(r, o, s, bytes_of(list.v[i].name), list.v[i].value);
    return e;
}

static int read_headers(struct reader *r, const struct one *o)
{
    struct source s = setting(r, o, "headers");
    if (!s.value)
        s = exporter_variable(r, o->signal, "HEADERS", NULL);
    if (!s.name)
        return 0;
    o->to->headers.v = arena_zalloc(r->a, OTEL_HEADERS_MAX, sizeof(struct otel_pair));
    if (!o->to->headers.v)
        return no_memory(r->err);
    o->to->from[OTEL_FROM_HEADERS] = place(r, &s);
    return s.value ? config_headers(r, o, &s) : variable_headers(r, o, &s);
}

/* ---- TLS ---- */

/* Relative to the file it stands in; ~ is the home. A variable and -c stand in no file: what they
 * name relatively could be the workspace's, where the command writes. */
static int read_file(struct reader *r, const struct source *s, const char **ret)
{
    const char *path = s->text, *base = NULL;
    if (!path || !*path)
        return fault(r, s, NULL, "the path is empty");
    if (s->value && path[0] == '~' && (path[1] == '/' || !path[1])) {
        base = variable(r, "HOME");
        path += path[1] ? 2 : 1;
        if (!base || base[0] != '/')
            return fault(r, s, NULL, "~ cannot be expanded: there is no home directory");
    } else if (s->value && path[0] != '/') {
        const struct config_layer *layer = s->value->owner;
        base = layer ? layer->dir : NULL;
    }
    if (!base && path[0] != '/')
        return fault(r, s, "write it from / on", "the path is not absolute");
    *ret = path_join(r->a, base ? base : "/", path);
    return *ret ? 0 : no_memory(r->err);
}

static const struct {
    const char *key, *variable;
    enum otel_from from;
} tls_rows[3] = {
    {"tls.ca-certificate", "CERTIFICATE", OTEL_FROM_CA},
    {"tls.client-certificate", "CLIENT_CERTIFICATE", OTEL_FROM_CERTIFICATE},
    {"tls.client-private-key", "CLIENT_KEY", OTEL_FROM_KEY},
};

static int read_tls(struct reader *r, const struct one *o)
{
    struct otel_exporter *to = o->to;
    const char **paths[3] = {&to->ca_file, &to->certificate_file, &to->key_file};
    struct source s[3];
    for (size_t i = 0; i < 3; i++)
        s[i] = setting(r, o, tls_rows[i].key);
    const struct source *named = s[0].value ? &s[0] : s[1].value ? &s[1] : &s[2];
    bool pair = s[1].value || s[2].value, secure = str_starts(to->endpoint, "https:");
    if (named->value && !secure)
        return fault(r, named, "write https:// in the endpoint, or take the tls table out",
                     "the endpoint is http://, which has no certificates");
    for (size_t i = 0; secure && i < 3; i++)
        if (!s[i].value && !(i > 0 && pair))
            s[i] = exporter_variable(r, o->signal, tls_rows[i].variable, NULL);
    if (!s[1].name != !s[2].name) {
        bool key = s[1].name == NULL;
        return fault(r, key ? &s[2] : &s[1], "a client shows a certificate and has its private key",
                     key ? "there is no client certificate to this key"
                         : "there is no private key to this certificate");
    }
    for (size_t i = 0; i < 3; i++) {
        if (!s[i].name)
            continue;
        int e = read_file(r, &s[i], paths[i]);
        if (e < 0)
            return e;
        to->from[tls_rows[i].from] = place(r, &s[i]);
        to->file_at[i] = s[i].value;
    }
    return 0;
}

/* ---- what only variables say ---- */

static int read_transfer(struct reader *r, const struct one *o)
{
    struct source s = exporter_variable(r, o->signal, "COMPRESSION", NULL);
    o->to->gzip = !s.text || str_eq(s.text, "gzip");
    if (s.text && !o->to->gzip && !str_eq(s.text, "none"))
        return fault(r, &s, "expected gzip or none", "the compression is not known");
    o->to->from[OTEL_FROM_COMPRESSION] = place(r, &s);
    s = exporter_variable(r, o->signal, "TIMEOUT", NULL);
    o->to->timeout_ms = TIMEOUT_DEFAULT;
    if (s.text && !otel_milliseconds(s.text, TIMEOUT_MOST, &o->to->timeout_ms))
        return fault(r, &s, "expected milliseconds from 1 to 600000", "that is no such number");
    o->to->from[OTEL_FROM_TIMEOUT] = place(r, &s);
    return 0;
}

static const char *const kinds[2] = {"otlp-http", "otlp-grpc"};

static int read_exporter(struct reader *r, int signal)
{
    struct otel_exporter *to = &r->out->exporters[signal];
    struct one o = {.signal = signal, .to = to};
    const char *key = arena_printf(r->a, "otel.%s", otel_exporter_keys[signal]);
    const struct toml_value *v = key ? config_find(r->c, key) : NULL;
    if (!key)
        return no_memory(r->err);
    if (!v || (v->type == TOML_STRING && bytes_is(v->string, "none")))
        return 0;
    o.grpc = v->type == TOML_STRING ? bytes_is(v->string, kinds[1])
                                    : toml_get(v, BYTES("otlp-grpc")) != NULL;
    if (v->type == TOML_TABLE)
        v = o.table = toml_get(v, bytes_of(kinds[o.grpc]));
    o.key = arena_printf(r->a, "%s.%s", key, kinds[o.grpc]);
    if (!o.key || !v)
        return no_memory(r->err);
    struct source said = {o.key, v, NULL};
    to->on = true;
    to->from[OTEL_FROM_EXPORTER] = place(r, &said);
    static int (*const steps[])(struct reader *, const struct one *) = {
        read_endpoint, read_protocol, read_headers, read_tls, read_transfer};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        int e = steps[i](r, &o);
        if (e < 0)
            return e;
    }
    return 0;
}

/* ---- attributes ---- */

static struct source top(struct reader *r, const char *name)
{
    const struct toml_value *v = config_find(r->c, name);
    return v ? (struct source){name, v, v->type == TOML_STRING ? v->string.p : NULL}
             : (struct source){0};
}

static bool chosen(const struct source *s)
{
    if (!s->value)
        return false;
    struct origin origin = config_origin(s->value, s->value->span);
    return !config_is_default(&origin);
}

static int add_attribute(struct reader *r, const struct source *s, struct otel_pairs *list,
                         struct bytes name, const char *value)
{
    const char *why = otel_attribute_fault(name, value);
    size_t bytes = name.n + strlen(value);
    if (why)
        return fault_at(r->err, s->value, NULL, "%s: \"%s\": %s", s->name, show_n(name.p, name.n),
                        why);
    for (size_t i = 0; i < list->n; i++) {
        if (bytes_is(name, list->v[i].name))
            return 0; /* what was there first holds: the configuration's */
        bytes += strlen(list->v[i].name) + strlen(list->v[i].value);
    }
    if (list->n == OTEL_ATTRIBUTES_MAX || bytes > OTEL_ATTRIBUTE_BYTES)
        return fault_at(r->err, s->value, NULL,
                        "%s: more than %u attributes, or than %u bytes of them", s->name,
                        OTEL_ATTRIBUTES_MAX, OTEL_ATTRIBUTE_BYTES);
    char *copy = arena_strndup(r->a, name.p, name.n);
    if (!copy)
        return no_memory(r->err);
    list->v[list->n++] = (struct otel_pair){copy, value};
    return 0;
}

static int config_attributes(struct reader *r, const char *name, struct otel_pairs *list)
{
    struct source s = top(r, name);
    list->v = arena_zalloc(r->a, OTEL_ATTRIBUTES_MAX, sizeof(*list->v));
    if (!list->v)
        return no_memory(r->err);
    for (const struct toml_member *m = s.value ? s.value->table.first : NULL; m; m = m->next) {
        struct source item = {name, m->value, NULL};
        int e = add_attribute(r, &item, list, m->key, m->value->string.p);
        if (e < 0)
            return e;
    }
    return 0;
}

static int variable_attributes(struct reader *r)
{
    struct source s = {"OTEL_RESOURCE_ATTRIBUTES", NULL, variable(r, "OTEL_RESOURCE_ATTRIBUTES")};
    struct otel_pairs list = {0};
    struct otel_fault why;
    int e = s.text ? otel_list_read(r->a, s.text, &list, &why) : 0;
    if (e == -ENOMEM)
        return no_memory(r->err);
    if (e < 0)
        return fault(r, &s, why.hint, why.what);
    for (size_t i = 0; e == 0 && i < list.n; i++)
        e = add_attribute(r, &s, &r->out->resource, bytes_of(list.v[i].name), list.v[i].value);
    return e;
}

/* The value of NAME, which is no member of LIST from then on. */
static const char *take(struct otel_pairs *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++) {
        if (!str_eq(list->v[i].name, name))
            continue;
        const char *value = list->v[i].value;
        list->n--;
        memmove(&list->v[i], &list->v[i + 1], (list->n - i) * sizeof(*list->v));
        return value;
    }
    return NULL;
}

/* `resource` of the configuration, then the variables: OTEL_SERVICE_NAME before
 * OTEL_RESOURCE_ATTRIBUTES. */
static int read_resource(struct reader *r)
{
    struct otel_settings *out = r->out;
    struct source environment = top(r, "otel.environment");
    int e = config_attributes(r, "otel.resource", &out->resource);
    if (e < 0)
        return e;
    const char *service = take(&out->resource, "service.name");
    const char *named = take(&out->resource, "env");
    bool by_config = service != NULL;
    if ((e = variable_attributes(r)) < 0)
        return e;
    const char *of_list = take(&out->resource, "service.name");
    const char *env = take(&out->resource, "env");
    const char *of_variable = variable(r, "OTEL_SERVICE_NAME");
    if (!by_config)
        service = of_variable ? of_variable : of_list;
    out->service_name = service && *service ? service : "bawn";
    out->environment = chosen(&environment) ? environment.text
                       : named              ? named
                       : env                ? env
                                            : environment.text;
    if (strlen(out->service_name) > NAME_MOST)
        return fault_at(r->err, NULL, NULL, "service.name: longer than %u bytes", NAME_MOST);
    return 0;
}

static int read_words(struct reader *r)
{
    struct otel_settings *out = r->out;
    struct source account = top(r, "otel.account_id"), prefix = top(r, "otel.event_prefix");
    const struct toml_value *prompt = config_find(r->c, "otel.log_user_prompt");
    const struct toml_value *payloads = config_find(r->c, "otel.log_tool_payloads");
    out->log_user_prompt = prompt && prompt->boolean;
    out->log_tool_payloads = payloads && payloads->boolean;
    out->event_prefix = prefix.text ? prefix.text : "";
    out->account_id = account.text && *account.text ? account.text : NULL;
    const char *delay = variable(r, "OTEL_BLRP_SCHEDULE_DELAY");
    out->delay_ms = DELAY_DEFAULT;
    if (delay && !otel_milliseconds(delay, DELAY_MOST, &out->delay_ms))
        return fault_at(r->err, NULL, "expected milliseconds from 1 to 60000",
                        "OTEL_BLRP_SCHEDULE_DELAY: that is no such number");
    return 0;
}

/* ---- the whole ---- */

bool otel_is_on(const struct config *c)
{
    const struct toml_value *otel = config_find(c, "otel");
    for (size_t i = 0; otel && i < OTEL_SIGNALS; i++) {
        const struct toml_value *v = toml_get(otel, bytes_of(otel_exporter_keys[i]));
        if (v && !(v->type == TOML_STRING && bytes_is(v->string, "none")))
            return true;
    }
    return false;
}

/* What an administrator fixed no variable turns off. */
static bool is_fixed(const struct config *c)
{
    const struct toml_value *otel = config_find(c, "otel");
    const struct config_layer *layer = otel ? otel->owner : NULL;
    return layer && layer->rank == RANK_REQUIREMENTS;
}

static bool is_true(const char *v)
{
    struct bytes word = bytes_of(v);
    if (!v || word.n != 4)
        return false;
    for (size_t i = 0; i < 4; i++)
        if ((v[i] | 0x20) != "true"[i])
            return false;
    return true;
}

int otel_settings_read(struct arena *a, const struct config *c,
                       const char *(*get)(void *data, const char *name), void *data,
                       struct otel_settings *ret, struct error *err)
{
    struct otel_settings out = {0};
    struct reader r = {a, c, get, data, &out, err};
    int e = read_words(&r);
    if (e == 0)
        e = read_resource(&r);
    if (e == 0)
        e = config_attributes(&r, "otel.span_attributes", &out.span_attributes);
    out.disabled = is_true(variable(&r, "OTEL_SDK_DISABLED")) && !is_fixed(c);
    for (int i = 0; e == 0 && !out.disabled && i < OTEL_SIGNALS; i++)
        e = read_exporter(&r, i);
    if (e == 0)
        *ret = out;
    return e;
}

/* ---- for the loader ---- */

int otel_check(const struct toml_value *tree, struct error *err)
{
    const struct toml_value *otel = toml_get(tree, BYTES("otel"));
    for (size_t i = 0; otel && otel->type == TOML_TABLE && i < OTEL_SIGNALS; i++) {
        const struct toml_value *v = toml_get(otel, bytes_of(otel_exporter_keys[i]));
        const struct toml_value *grpc =
            v && v->type == TOML_TABLE ? toml_get(v, bytes_of(kinds[1])) : NULL;
        if (grpc && toml_get(v, bytes_of(kinds[0])))
            return fault_at(err, grpc, "signals of one kind go to one place: take one of them out",
                            "otel.%s: both otlp-http and otlp-grpc", otel_exporter_keys[i]);
    }
    return 0;
}

/* Which of two layers is the higher one; layers of one rank come in their order. */
static bool is_above(const struct config_layer *a, const struct config_layer *b)
{
    if (!a || !b)
        return a != NULL;
    return a->rank != b->rank ? a->rank > b->rank : a > b;
}

int otel_settle(struct config *c, struct error *err)
{
    struct toml_value *otel = toml_get(c->tree, BYTES("otel"));
    for (size_t i = 0; otel && i < OTEL_SIGNALS; i++) {
        struct toml_member *m = toml_member(otel, bytes_of(otel_exporter_keys[i]));
        if (!m || m->value->type != TOML_TABLE)
            continue;
        struct toml_member *http = toml_member(m->value, bytes_of(kinds[0]));
        struct toml_member *grpc = toml_member(m->value, bytes_of(kinds[1]));
        if (!http && !grpc)
            return fault_at(err, m->value, "\"none\" turns it off",
                            "otel.%s: expected otlp-http or otlp-grpc in the table",
                            otel_exporter_keys[i]);
        if (!http || !grpc)
            continue;
        struct toml_member *keep = is_above(grpc->value->owner, http->value->owner) ? grpc : http;
        struct toml_value *table = tree_new(c->arena, keep->value->owner);
        if (!table || !toml_add(c->arena, table, keep->key, keep->key_span, keep->value))
            return error_errno(err, -ENOMEM, "cannot load the configuration");
        table->span = keep->value->span;
        m->value = table; /* two layers are in it: it is nobody's but the merged tree's */
    }
    return 0;
}

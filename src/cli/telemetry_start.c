/*
 * Telemetry of one command. See telemetry_start.h.
 *
 * What is read here is read once: the files of TLS are opened before the command runs and passed on
 * as descriptors, so that a mistake in them is found by whoever can mend it. Secrets (headers, a
 * proxy's password) are in this process and on the socket to bawn-exporter, nowhere else.
 */
#include "cli/telemetry_start.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/sha256.h"
#include "cli/print.h"
#include "cli/proxy_start.h"
#include "cli/proxy_upstream.h"
#include "telemetry/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define FLUSH_CONNECT_MS 100            /* at the end, when nobody waits for the collector */
#define PEM_MOST         (1024u * 1024) /* bytes of one file, as the exporter has it */
#define TEST_SPOOL       (17u << 20)    /* a test is to go even where the spool is full */
#define SESSION_MOST     128u           /* bytes of a session's name that is passed on as it is */
#define TERMINAL_MOST    64u

static_assert(OTEL_HEADERS_MAX <= EXPORT_HEADERS, "every header has a place");
static_assert(OTEL_ATTRIBUTES_MAX + 8u <= SIGNAL_ATTRIBUTES, "every attribute has a place");
static_assert((int)SIGNAL_LOG == (int)OTEL_LOGS && (int)SIGNAL_SPAN == (int)OTEL_TRACES &&
                  (int)SIGNAL_METRIC == (int)OTEL_METRICS,
              "one order");
static_assert((int)EXPORT_HTTP_JSON == (int)OTEL_HTTP_JSON && (int)EXPORT_GRPC == (int)OTEL_GRPC,
              "one order");

struct telemetry_out {
    struct setup *s;
    struct arena *a;
    const char *path; /* of the directory */
    int dirfd;
    struct otel_settings settings;
    struct telemetry_setup setup;
    struct telemetry *sink;
    struct exporter_link link;
    bool said; /* a warning was printed: one is enough */
};

static int no_memory(struct error *err)
{
    return error_errno(err, -ENOMEM, "cannot prepare telemetry");
}

const char *telemetry_variable(void *data, const char *name)
{
    (void)data;
    return getenv(name);
}

/* ---- the directory ---- */

/* NULL in *ret_problem, and the descriptor; or why there is none. */
static int open_dir(struct telemetry_out *out, const char **ret_problem)
{
    struct stat st;
    const char *path = setup_home_dir(out->s, TELEMETRY_DIR), *home = out->s->bawn_home;
    int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    bool good = fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid() && !(st.st_mode & 077);
    if (!good)
        fd_close(fd);
    *ret_problem = good ? NULL
                   : !home
                       ? "there is no home directory to keep records in"
                       : arena_printf(out->a, "%s/%s cannot be made, or is not yours alone (0700)",
                                      show(home), TELEMETRY_DIR);
    out->path = path;
    out->dirfd = good ? fd : -1;
    return good || *ret_problem ? 0 : -ENOMEM;
}

/* ---- where to ---- */

static const char *const tls_keys[3] = {"ca-certificate", "client-certificate",
                                        "client-private-key"};

static int open_pem(const struct otel_exporter *e, size_t signal, size_t i, const char *path,
                    int *ret, struct error *err)
{
    struct stat st;
    const struct toml_value *at = e->file_at[i];
    const char *kind = e->protocol == OTEL_GRPC ? "otlp-grpc" : "otlp-http";
    _cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    int r = fd < 0 || fstat(fd, &st) < 0 ? -errno : 0;
    const char *what = r < 0                          ? strerror(-r)
                       : !S_ISREG(st.st_mode)         ? "it is no regular file"
                       : st.st_size == 0              ? "it is empty"
                       : st.st_size > (off_t)PEM_MOST ? "it is larger than 1 MiB"
                                                      : NULL;
    if (!what) {
        *ret = steal_fd(&fd);
        return 0;
    }
    if (at)
        (void)error_set(err, -EINVAL, "otel.%s.%s.tls.%s: %s cannot be read: %s",
                        otel_exporter_keys[signal], kind, tls_keys[i], show(path), what);
    else
        (void)error_set(err, -EINVAL, "%s: %s cannot be read: %s", e->from[OTEL_FROM_CA + i],
                        show(path), what);
    if (at)
        config_error_at(err, at, at->span);
    error_hint(err, "a PEM file that you can read");
    return -EINVAL;
}

/* Loopback is reached straight: what listens there is on this machine, not on the proxy's. */
static bool is_loopback(const char *endpoint)
{
    static const char *const names[] = {"localhost", "127.", "[::1]"};
    const char *host = strstr(endpoint, "://") + 3;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        size_t n = strlen(names[i]);
        if (strncasecmp(host, names[i], n) != 0)
            continue;
        if (names[i][n - 1] == '.' ? strspn(host, "0123456789.") == strcspn(host, ":/?")
                                   : !host[n] || strchr(":/?", host[n]))
            return true;
    }
    return false;
}

static void choose_proxy(const struct wire_settings *way, const char *endpoint,
                         struct export_destination *d)
{
    const char *proxy = str_starts(endpoint, "https:") ? way->upstream_https : way->upstream_http;
    if (!proxy)
        proxy = way->upstream_all;
    if (!proxy || is_loopback(endpoint))
        return;
    d->proxy = bytes_of(proxy);
    if (way->no_upstream)
        d->no_proxy = bytes_of(way->no_upstream);
}

static int read_target(struct telemetry_out *out, size_t signal, const struct wire_settings *way,
                       struct error *err)
{
    const struct otel_exporter *e = &out->settings.exporters[signal];
    struct exporter_target *t = &out->link.targets[signal];
    struct export_destination *d = &t->destination;
    const char *const files[3] = {e->ca_file, e->certificate_file, e->key_file};
    if (!e->on)
        return 0;
    *d = (struct export_destination){
        .kind = (enum signal_kind)signal,
        .protocol = (enum export_protocol)e->protocol,
        .gzip = e->gzip,
        .timeout_ms = e->timeout_ms,
        .delay_ms = out->settings.delay_ms,
        .idle_ms = TELEMETRY_IDLE_MS,
        .endpoint = bytes_of(e->endpoint),
        .proxy = {"", 0},
        .no_proxy = {"", 0},
        .n_headers = e->headers.n,
    };
    for (size_t i = 0; i < e->headers.n; i++)
        d->headers[i] =
            (struct export_header){bytes_of(e->headers.v[i].name), bytes_of(e->headers.v[i].value)};
    choose_proxy(way, e->endpoint, d);
    for (size_t i = 0; i < 3; i++) {
        int r = files[i] ? open_pem(e, signal, i, files[i], &t->fds[i], err) : 0;
        if (r < 0)
            return r;
        d->fds |= files[i] ? 1u << i : 0;
    }
    export_key(d->kind, d->protocol, d->endpoint, d->key);
    t->on = true;
    out->setup.targets[signal].on = true;
    memcpy(out->setup.targets[signal].key, d->key, sizeof(d->key));
    return 0;
}

static int read_targets(struct telemetry_out *out, struct error *err)
{
    struct wire_settings way = {0};
    int r = upstream_read(out->a, &way, err);
    if (r == -EINVAL)
        error_hint(err, "http, https, socks5 or socks5h; or take the variable away");
    for (size_t i = 0; r == 0 && i < SIGNAL_KINDS; i++)
        r = read_target(out, i, &way, err);
    return r;
}

/* ---- attributes ---- */

struct list {
    struct attribute *v;
    size_t n;
};

static int list_make(struct telemetry_out *out, struct list *ret)
{
    *ret = (struct list){arena_zalloc(out->a, SIGNAL_ATTRIBUTES, sizeof(struct attribute)), 0};
    return ret->v ? 0 : -ENOMEM;
}

/* Nothing for a value that is NULL, or a key that is there. */
static void add(struct list *l, const char *key, const char *value)
{
    for (size_t i = 0; i < l->n; i++)
        if (bytes_is(l->v[i].key, key))
            return;
    if (value && l->n < SIGNAL_ATTRIBUTES)
        l->v[l->n++] = (struct attribute){
            .key = bytes_of(key), .type = ATTRIBUTE_TEXT, .text = bytes_of(value)};
}

static void add_pairs(struct list *l, const struct otel_pairs *pairs)
{
    for (size_t i = 0; i < pairs->n; i++)
        add(l, pairs->v[i].name, pairs->v[i].value);
}

static struct attributes attributes_of(const struct list *l)
{
    return (struct attributes){l->v, l->n};
}

static bool is_plain(const char *text, const char *more, size_t most)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++)
        if (!((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z') ||
              (text[i] >= '0' && text[i] <= '9') || strchr(more, text[i])))
            return false;
    return n > 0 && n <= most;
}

/* The host agent's name for its session where it has a name's form, else a hash of it; without one
 * something that only this run has. */
static const char *conversation(struct telemetry_out *out)
{
    const char *session = getenv("BAWN_SESSION");
    char id[EVENT_ID_BYTES];
    if (session && is_plain(session, "._:-", SESSION_MOST))
        return session;
    if (!session || !*session)
        return event_new_id(id) < 0 ? NULL : arena_strdup(out->a, id);
    char hex[SHA256_HEX_BYTES];
    sha256_hex_of(session, strlen(session), hex);
    return arena_strndup(out->a, hex, EVENT_ID_BYTES - 1);
}

static int read_attributes(struct telemetry_out *out, struct error *err)
{
    struct list resource, common, span;
    struct utsname name;
    const struct otel_settings *o = &out->settings;
    const char *terminal = getenv("TERM");
    if (list_make(out, &resource) < 0 || list_make(out, &common) < 0 || list_make(out, &span) < 0)
        return no_memory(err);
    add(&resource, "service.name", o->service_name);
    add(&resource, "env", o->environment);
    add_pairs(&resource, &o->resource); /* before the rest, which it may say otherwise */
    add(&resource, "service.version", BAWN_VERSION);
    add(&resource, "os.type", "linux");
    if (uname(&name) == 0)
        add(&resource, "host.name", arena_strdup(out->a, name.nodename));
    add(&common, "conversation.id", conversation(out));
    add(&common, "app.version", BAWN_VERSION);
    add(&common, "originator", "bawn");
    add(&common, "terminal.type",
        terminal && is_plain(terminal, "._+-", TERMINAL_MOST) ? terminal : NULL);
    add(&common, "user.account_id", o->account_id);
    add_pairs(&span, &o->span_attributes);
    out->setup.resource = attributes_of(&resource);
    out->setup.common = attributes_of(&common);
    out->setup.span_extra = attributes_of(&span);
    return 0;
}

/* ---- before the command ---- */

void telemetry_release(struct telemetry_out *out)
{
    if (!out)
        return;
    telemetry_close(steal_ptr(&out->sink));
    exporter_link_release(&out->link);
    fd_close(out->dirfd);
    out->dirfd = -1;
}

static int open_sink(struct telemetry_out *out, const char **ret_problem)
{
    struct error err = {0};
    out->setup.dirfd = out->dirfd;
    out->setup.prefix = out->settings.event_prefix;
    out->setup.payloads = out->settings.log_tool_payloads;
    out->setup.trace_parent = getenv("TRACEPARENT");
    out->setup.trace_state = getenv("TRACESTATE");
    if (telemetry_open(&out->setup, &out->sink, &err) == 0)
        return 0;
    *ret_problem = arena_strdup(out->a, err.message);
    return *ret_problem ? 0 : -ENOMEM;
}

static int read_config(struct telemetry_out *out, struct error *err)
{
    int r =
        otel_settings_read(out->a, out->s->config, telemetry_variable, NULL, &out->settings, err);
    return r < 0 || out->settings.disabled ? r : read_targets(out, err);
}

static int make(struct telemetry_out *out, const char **ret_problem, struct error *err)
{
    struct setup *s = out->s;
    int r = read_config(out, err);
    if (r == 0 && !out->settings.disabled)
        r = read_attributes(out, err);
    if (r < 0 || out->settings.disabled)
        return r;
    if (open_dir(out, ret_problem) < 0)
        return no_memory(err);
    if (*ret_problem)
        return 0;
    if (open_sink(out, ret_problem) < 0)
        return no_memory(err);
    out->link.dirfd = out->dirfd;
    out->link.profile = s->profile;
    out->link.program = s->n_own ? proxy_place(out->a, s->own[0], EXPORTER_PROGRAM) : "";
    return out->link.program ? 0 : no_memory(err);
}

static struct telemetry_out *new (struct setup *s, struct error *err)
{
    struct telemetry_out *out = arena_zalloc(&s->arena, 1, sizeof(*out));
    if (!out) {
        (void)no_memory(err);
        return NULL;
    }
    out->s = s;
    out->a = &s->arena;
    out->dirfd = -1;
    exporter_link_init(&out->link, -1);
    return out;
}

int telemetry_check(struct setup *s, struct otel_settings *ret, struct error *err)
{
    struct telemetry_out *out = new (s, err);
    int r = out ? read_config(out, err) : -ENOMEM;
    if (r == 0)
        *ret = out->settings;
    telemetry_release(out);
    return r;
}

int telemetry_look(struct setup *s, struct telemetry_out **ret, const char **ret_problem,
                   struct error *err)
{
    *ret = NULL;
    *ret_problem = NULL;
    if (!otel_is_on(s->config))
        return 0;
    struct telemetry_out *out = new (s, err);
    if (!out)
        return -ENOMEM;
    int r = make(out, ret_problem, err);
    if (r < 0 || !out->sink)
        telemetry_release(out);
    else
        *ret = out;
    return r;
}

int telemetry_prepare(struct setup *s, struct telemetry_out **ret, struct error *err)
{
    const char *problem;
    int r = telemetry_look(s, ret, &problem, err);
    if (r == 0 && problem)
        print_warning("telemetry is off: %s", problem);
    return r;
}

struct telemetry *telemetry_sink(const struct telemetry_out *out)
{
    return out ? out->sink : NULL;
}

/* ---- while it runs, and afterwards ---- */

static void say(struct telemetry_out *out, const char *text)
{
    if (!out->said)
        print_warning("telemetry: %s", text);
    out->said = true;
}

void telemetry_started(struct telemetry_out *out)
{
    struct error err = {0};
    /* What is to be tried again is tried at the end. */
    if (out && exporter_connect(&out->link, 0, &err) < 0 && err.code != -EPIPE)
        say(out, err.message);
}

static void say_answers(struct telemetry_out *out, const struct exporter_answer *answers)
{
    for (size_t i = 0; i < SIGNAL_KINDS; i++) {
        const struct exporter_answer *a = &answers[i];
        const char *word = signal_word((enum signal_kind)i);
        if (a->came && a->state == EXPORT_REFUSED)
            print_warning("telemetry: the collector refused %s: %s", word, a->text);
        if (a->came && a->state == EXPORT_WAITS && out->s->options->verbose)
            print_note("telemetry: %s wait: %s", word, a->text);
    }
}

static int hand_over(struct telemetry_out *out, bool flush, struct error *err)
{
    struct exporter_answer answers[SIGNAL_KINDS];
    if (!flush) {
        int r = exporter_connect(&out->link, FLUSH_CONNECT_MS, err);
        return r < 0 ? r : exporter_wake(&out->link);
    }
    int r = exporter_flush(&out->link, FLUSH_MS, answers, err);
    say_answers(out, answers);
    return r == -ETIMEDOUT && !out->s->options->verbose ? 0 : r; /* it is on its way */
}

void telemetry_finish(struct telemetry_out *out, bool flush)
{
    struct error err = {0};
    if (!out)
        return;
    uint64_t lost = telemetry_lost(out->sink);
    telemetry_close(steal_ptr(&out->sink)); /* all of it is in the spool before it is sent */
    if (!out->said && hand_over(out, flush, &err) < 0 && err.message[0])
        say(out, err.message);
    if (lost)
        print_warning("telemetry: %llu records were lost: there was no room in %s",
                      (unsigned long long)lost, show(out->path));
    telemetry_release(out);
}

/* ---- for bawn doctor ---- */

const struct otel_settings *telemetry_settings(const struct telemetry_out *out)
{
    return &out->settings;
}

const char *telemetry_path(const struct telemetry_out *out)
{
    return out->path;
}

struct exporter_link *telemetry_link(struct telemetry_out *out)
{
    return &out->link;
}

static int random_bytes(unsigned char *to, size_t n)
{
    return getrandom(to, n, GRND_NONBLOCK) == (ssize_t)n ? 0 : -EIO;
}

static int put(struct telemetry_out *out, const struct signal *signal, struct error *err)
{
    _cleanup_strbuf_ struct strbuf packed = {0};
    struct spool spool;
    int r = signal_pack(signal, &packed);
    if (r < 0)
        return error_errno(err, r, "cannot make a test record");
    r = spool_open(&spool, out->dirfd, out->setup.targets[signal->kind].key, TEST_SPOOL, err);
    if (r < 0)
        return r;
    r = spool_append(&spool, (struct bytes){packed.p, packed.n});
    spool_close(&spool);
    return r < 0 ? error_errno(err, r, "cannot write a test record") : 0;
}

int telemetry_test(struct telemetry_out *out, enum signal_kind kind, struct error *err)
{
    const uint64_t now = (uint64_t)clock_unix_ms() * 1000000u;
    struct trace_context context = {.flags = 1};
    const char *name = arena_printf(out->a, "%stest", out->settings.event_prefix);
    struct signal s = {.kind = kind, .resource = out->setup.resource};
    if (!name)
        return no_memory(err);
    if (random_bytes(context.trace_id, sizeof(context.trace_id)) < 0 ||
        random_bytes(context.span_id, sizeof(context.span_id)) < 0)
        return error_errno(err, -EIO, "cannot make a test record");
    switch (kind) {
    case SIGNAL_LOG:
        s.attributes = out->setup.common;
        s.log = (struct signal_log){
            .time_ns = now, .severity = SEVERITY_INFO, .name = bytes_of(name), .context = context};
        break;
    case SIGNAL_SPAN:
        s.attributes = out->setup.span_extra;
        s.span = (struct signal_span){.context = context,
                                      .name = bytes_of("test"),
                                      .trace_state = {"", 0},
                                      .kind = SPAN_INTERNAL,
                                      .status = SPAN_STATUS_OK,
                                      .start_ns = now,
                                      .end_ns = now};
        break;
    case SIGNAL_METRIC:
        s.metric = (struct signal_metric){.type = METRIC_SUM,
                                          .name = bytes_of(name),
                                          .unit = bytes_of("{test}"),
                                          .time_ns = now,
                                          .count = 1};
        break;
    }
    return put(out, &s, err);
}

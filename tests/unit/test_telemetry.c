/* Events, spans and measurements as the spool holds them: what is in each, and what never is. */
#include "telemetry/telemetry.h"

#include "base/fd.h"
#include "telemetry/export_wire.h"
#include "telemetry/spool.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define PARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static char home[64];
static int home_fd;

static int setup(void **state)
{
    (void)state;
    (void)snprintf(home, sizeof(home), "/tmp/test_telemetry.XXXXXX");
    home_fd = mkdtemp(home) ? open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    return home_fd < 0 ? -1 : 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    (void)close(home_fd);
    return nftw(home, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- helpers ---- */

#define TEXT_ATTRIBUTE(k, t)                                                                       \
    {                                                                                              \
        .key = {k, sizeof(k) - 1}, .type = ATTRIBUTE_TEXT, .text = { t, sizeof(t) - 1 }            \
    }
static const struct attribute common[] = {TEXT_ATTRIBUTE("conversation.id", "c-1")};
static const struct attribute resource[] = {TEXT_ATTRIBUTE("service.name", "bawn")};
static const struct attribute team[] = {TEXT_ATTRIBUTE("team", "red")};

static struct telemetry_setup setup_all(void)
{
    return (struct telemetry_setup){.dirfd = home_fd,
                                    .targets = {{true, "00000000000000a1"},
                                                {true, "00000000000000a2"},
                                                {true, "00000000000000a3"}},
                                    .resource = {resource, ARRAY_LEN(resource)},
                                    .common = {common, ARRAY_LEN(common)},
                                    .span_extra = {team, ARRAY_LEN(team)},
                                    .prefix = "bawn."};
}

static struct telemetry *open_with(const struct telemetry_setup *s)
{
    struct telemetry *t;
    struct error err = {0};
    assert_int_equal(telemetry_open(s, &t, &err), 0);
    assert_non_null(t);
    return t;
}

/* The next signal of KIND, forgotten by the spool. */
static bool take(struct arena *a, const struct telemetry_setup *s, enum signal_kind kind,
                 struct signal *ret)
{
    struct spool_reader *r;
    struct error err = {0};
    struct spool_place after;
    struct bytes frame;
    assert_int_equal(spool_reader_open(s->dirfd, s->targets[kind].key, &r, &err), 0);
    int n = spool_next(r, &frame, &after);
    assert_true(n >= 0);
    if (n == 1) {
        char *kept = arena_strndup(a, frame.p, frame.n);
        assert_int_equal(signal_unpack(a, (struct bytes){kept, frame.n}, ret), 0);
        assert_int_equal(ret->kind, kind);
        assert_int_equal(spool_commit(r, after), 0);
    }
    spool_reader_close(r);
    return n == 1;
}

static const struct attribute *attribute(const struct attributes *all, const char *key)
{
    for (size_t i = 0; i < all->n; i++)
        if (bytes_eq(all->v[i].key, bytes_of(key)))
            return &all->v[i];
    return NULL;
}

static void has_text(const struct signal *s, const char *key, const char *text)
{
    const struct attribute *a = attribute(&s->attributes, key);
    if (!a)
        print_error("no attribute %s\n", key);
    assert_non_null(a);
    assert_int_equal(a->type, ATTRIBUTE_TEXT);
    assert_int_equal(a->text.n, strlen(text));
    assert_memory_equal(a->text.p, text, a->text.n);
}

static void has_number(const struct signal *s, const char *key, int64_t number)
{
    const struct attribute *a = attribute(&s->attributes, key);
    assert_non_null(a);
    assert_int_equal(a->type, ATTRIBUTE_INT);
    assert_int_equal(a->number, number);
}

static void has_no(const struct signal *s, const char *key)
{
    assert_null(attribute(&s->attributes, key));
}

/* ---- events ---- */

static const char *const words[] = {"git", "clone", "/home/ann/secret-place", "--password",
                                    "hunter2-hunter2"};

static struct decision_event decision(void)
{
    return (struct decision_event){.id = "0123456789abcdef0123456789abcdef",
                                   .time_ms = 1794000000123,
                                   .argv = words,
                                   .argc = ARRAY_LEN(words),
                                   .cwd = "/home/ann/work",
                                   .program = "/usr/bin/git",
                                   .class = "unknown",
                                   .action = "run",
                                   .place = "sandbox",
                                   .answer = "session",
                                   .by = BY_USER,
                                   .policy = "on-request",
                                   .mode = "workspace-write",
                                   .profile = ":workspace",
                                   .reason = "no rule names git",
                                   .rule_file = "/home/ann/.bawn/rules/default.rules",
                                   .rule_line = 7,
                                   .remembered = "prefix_rule(pattern = [\"git\"])",
                                   .asked_ms = 1200,
                                   .policy_hash = "ab"};
}

/* Nothing of what a person typed is anywhere in the signal. */
static void assert_clean(const struct signal *s)
{
    static const char *const never[] = {"ann", "secret-place", "hunter2", "clone", "git", "rules/"};
    for (size_t i = 0; i < s->attributes.n; i++)
        for (size_t k = 0; k < ARRAY_LEN(never); k++) {
            const struct attribute *a = &s->attributes.v[i];
            if (a->type == ATTRIBUTE_TEXT)
                assert_null(memmem(a->text.p, a->text.n, never[k], strlen(never[k])));
        }
}

static void test_decision(void **unused)
{
    (void)unused;
    struct arena a = {0};
    struct signal s;
    const struct telemetry_setup setup = setup_all();
    struct telemetry *t = open_with(&setup);
    struct decision_event e = decision();
    telemetry_decision(t, &e);
    assert_true(take(&a, &setup, SIGNAL_LOG, &s));
    assert_true(bytes_is(s.log.name, "bawn.tool_decision"));
    assert_int_equal(s.log.severity, SEVERITY_INFO);
    assert_int_equal(s.log.time_ns, 1794000000123000000);
    assert_int_equal(s.resource.n, 1);
    has_text(&s, "event.name", "bawn.tool_decision");
    has_text(&s, "event.timestamp", "2026-11-06T21:20:00.123Z");
    has_text(&s, "conversation.id", "c-1");
    has_text(&s, "call_id", e.id);
    has_text(&s, "tool_name", "shell");
    has_text(&s, "decision", "approved_for_session");
    has_text(&s, "source", "user");
    has_text(&s, "approval_policy", "on-request");
    has_number(&s, "rule.line", 7);
    has_number(&s, "asked_ms", 1200);
    has_number(&s, "arguments.length",
               (int64_t)strlen("git clone /home/ann/secret-place --password [REDACTED]"));
    assert_int_equal(attribute(&s.attributes, "arguments.sha256")->text.n, 64);
    has_no(&s, "arguments");
    has_no(&s, "cwd");
    has_no(&s, "program");
    has_no(&s, "reason");
    has_no(&s, "rule.file");
    has_no(&s, "remembered");
    assert_clean(&s);

    e.action = "refuse";
    e.answer = NULL;
    telemetry_decision(t, &e);
    assert_true(take(&a, &setup, SIGNAL_LOG, &s));
    assert_int_equal(s.log.severity, SEVERITY_WARN);
    has_text(&s, "decision", "denied");
    assert_int_equal(telemetry_lost(t), 0);
    telemetry_close(t);
    arena_release(&a);
}

static void test_payloads(void **unused)
{
    (void)unused;
    struct arena a = {0};
    struct signal s;
    struct telemetry_setup setup = setup_all();
    setup.payloads = true;
    setup.prefix = "codex.";
    struct telemetry *t = open_with(&setup);
    const struct decision_event e = decision();
    telemetry_decision(t, &e);
    assert_true(take(&a, &setup, SIGNAL_LOG, &s));
    assert_true(bytes_is(s.log.name, "codex.tool_decision"));
    has_text(&s, "arguments", "git clone /home/ann/secret-place --password [REDACTED]");
    has_text(&s, "cwd", "/home/ann/work");
    has_text(&s, "rule.file", "/home/ann/.bawn/rules/default.rules");
    has_no(&s, "arguments.sha256");
    telemetry_close(t);
    arena_release(&a);
}

static void test_other_events(void **unused)
{
    (void)unused;
    struct arena a = {0};
    struct signal s;
    const struct telemetry_setup setup = setup_all();
    struct telemetry *t = open_with(&setup);
    const struct net_event net = {.id = "ff",
                                  .time_ms = 5,
                                  .action = "refuse",
                                  .scope = "domain",
                                  .decision = "deny",
                                  .reason = "not_allowed",
                                  .protocol = "https",
                                  .host = "example.com",
                                  .port = 443,
                                  .rule_file = "/home/ann/rules/x",
                                  .profile = "p",
                                  .parent = "aa"};
    telemetry_net(t, &net);
    assert_true(take(&a, &setup, SIGNAL_LOG, &s));
    assert_true(bytes_is(s.log.name, "bawn.network_proxy.policy_decision"));
    assert_int_equal(s.log.severity, SEVERITY_WARN);
    has_text(&s, "server.address", "example.com");
    has_number(&s, "server.port", 443);
    has_text(&s, "network.policy.decision", "deny");
    has_text(&s, "network.policy.override", "false");
    has_text(&s, "call_id", "aa");
    has_text(&s, "event.id", "ff");
    assert_clean(&s);
    assert_true(take(&a, &setup, SIGNAL_METRIC, &s));
    assert_true(bytes_is(s.metric.name, "bawn.network.decisions"));
    assert_int_equal(s.metric.count, 1);

    const struct result_event result = {.id = "aa",
                                        .time_ms = 6,
                                        .argv = words,
                                        .argc = ARRAY_LEN(words),
                                        .duration_ms = 0,
                                        .success = false,
                                        .exit_status = 137,
                                        .signal = 9};
    telemetry_result(t, &result);
    assert_true(take(&a, &setup, SIGNAL_LOG, &s));
    assert_true(bytes_is(s.log.name, "bawn.tool_result"));
    has_number(&s, "duration_ms", 0);
    has_number(&s, "exit_status", 137);
    has_number(&s, "signal", 9);
    assert_int_equal(attribute(&s.attributes, "success")->type, ATTRIBUTE_BOOL);
    assert_clean(&s);
    assert_true(take(&a, &setup, SIGNAL_METRIC, &s));
    assert_int_equal(s.metric.type, METRIC_HISTOGRAM);

    const struct outcome_event outcome = {.id = "aa",
                                          .time_ms = 7,
                                          .outcome = "denied",
                                          .backend = "bundled",
                                          .setup_us = 2500,
                                          .denials = {[DENIED_WRITE] = 3}};
    telemetry_outcome(t, &outcome);
    assert_true(take(&a, &setup, SIGNAL_LOG, &s));
    assert_int_equal(s.log.severity, SEVERITY_WARN);
    has_number(&s, "denials.write", 3);
    has_number(&s, "denials.read", 0);
    has_number(&s, "setup_us", 2500);
    assert_true(take(&a, &setup, SIGNAL_METRIC, &s)); /* commands */
    assert_true(take(&a, &setup, SIGNAL_METRIC, &s)); /* denials */
    assert_int_equal(s.metric.count, 3);
    has_text(&s, "kind", "write");
    assert_true(take(&a, &setup, SIGNAL_METRIC, &s));
    assert_true(s.metric.value > 2.49 && s.metric.value < 2.51);

    const struct approval_event approval = {
        .id = "aa", .time_ms = 8, .scope = "network", .answer = "no", .by = BY_REVIEWER};
    telemetry_approval(t, &approval);
    assert_true(take(&a, &setup, SIGNAL_LOG, &s));
    has_text(&s, "scope", "network");
    has_text(&s, "source", "reviewer");
    has_number(&s, "asked_ms", 0);

    const struct requirement_event requirement = {
        .time_ms = 9, .key = "sandbox_mode", .effect = "replaced", .source = "requirements"};
    telemetry_requirement(t, &requirement);
    assert_true(take(&a, &setup, SIGNAL_LOG, &s));
    has_text(&s, "requirement.key", "sandbox_mode");
    assert_false(take(&a, &setup, SIGNAL_LOG, &s));
    telemetry_close(t);
    arena_release(&a);
}

/* ---- spans ---- */

static void test_spans(void **unused)
{
    (void)unused;
    struct arena a = {0};
    struct signal root_signal, child_signal, log;
    struct telemetry_setup setup = setup_all();
    setup.trace_parent = PARENT;
    setup.trace_state = "v=1";
    struct telemetry *t = open_with(&setup);
    struct span root, child;
    char text[TRACE_PARENT_BYTES];
    span_begin(t, &root, "run", NULL, 1000);
    span_begin(t, &child, "rules", &root, 2000);
    span_end_at(t, &child, 3000, SPAN_INTERNAL, SPAN_STATUS_OK, (struct attributes){0});
    span_end_at(t, &root, 500, SPAN_INTERNAL, SPAN_STATUS_ERROR, (struct attributes){0});
    assert_true(take(&a, &setup, SIGNAL_SPAN, &child_signal));
    assert_true(take(&a, &setup, SIGNAL_SPAN, &root_signal));
    assert_true(bytes_is(root_signal.span.name, "bawn.run"));
    assert_true(bytes_is(root_signal.span.trace_state, "v=1"));
    assert_int_equal(root_signal.span.start_ns, 1000);
    assert_int_equal(root_signal.span.end_ns, 1000); /* the clock was set back */
    assert_int_equal(child_signal.span.end_ns, 3000);
    assert_memory_equal(root_signal.span.context.trace_id,
                        "\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c", 16);
    assert_memory_equal(root_signal.span.parent_id, "\xb7\xad\x6b\x71\x69\x20\x33\x31", 8);
    assert_memory_equal(child_signal.span.parent_id, root_signal.span.context.span_id, 8);
    assert_memory_equal(child_signal.span.context.trace_id, root_signal.span.context.trace_id, 16);
    has_text(&child_signal, "team", "red");

    assert_true(span_parent_text(t, &child, text));
    struct trace_context back;
    assert_true(trace_parent_parse(text, &back));
    assert_memory_equal(back.span_id, child_signal.span.context.span_id, 8);

    const struct decision_event e = decision();
    telemetry_decision(t, &e);
    assert_true(take(&a, &setup, SIGNAL_LOG, &log));
    assert_memory_equal(log.log.context.span_id, root_signal.span.context.span_id, 8);
    telemetry_close(t);

    /* Not sampled: no spans, and events keep the trace. */
    setup.trace_parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    t = open_with(&setup);
    span_begin(t, &root, "run", NULL, 0);
    span_end(t, &root, SPAN_INTERNAL, SPAN_STATUS_OK, (struct attributes){0});
    assert_false(span_parent_text(t, &root, text));
    assert_false(take(&a, &setup, SIGNAL_SPAN, &log));
    telemetry_decision(t, &e);
    assert_true(take(&a, &setup, SIGNAL_LOG, &log));
    assert_memory_equal(log.log.context.span_id, "\xb7\xad\x6b\x71\x69\x20\x33\x31", 8);
    telemetry_close(t);
    arena_release(&a);
}

/* Bytes of somebody else's cost no span. */
static void test_trace_state(void **unused)
{
    (void)unused;
    static char most[513], more[514], huge[40001];
    memset(most, 'a', sizeof(most) - 1);
    memset(more, 'a', sizeof(more) - 1);
    memset(huge, 'a', sizeof(huge) - 1);
    static const struct {
        const char *text;
        bool kept;
    } cases[] = {{"v=1,w=2", true}, {most, true},    {more, false},
                 {huge, false},     {"a=\n", false}, {"a=\xff", false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena a = {0};
        struct signal s;
        struct span root;
        struct telemetry_setup setup = setup_all();
        setup.trace_parent = PARENT;
        setup.trace_state = cases[i].text;
        struct telemetry *t = open_with(&setup);
        span_begin(t, &root, "run", NULL, 0);
        span_end(t, &root, SPAN_INTERNAL, SPAN_STATUS_OK, (struct attributes){0});
        assert_int_equal(telemetry_lost(t), 0);
        assert_true(take(&a, &setup, SIGNAL_SPAN, &s));
        assert_int_equal(s.span.trace_state.n, cases[i].kept ? strlen(cases[i].text) : 0);
        telemetry_close(t);
        arena_release(&a);
    }
}

static void test_trace_parent(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        bool fine;
    } cases[] = {
        {PARENT, true},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", true},
        {"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what.comes.later", true},
        {"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.later", false},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-", false},
        {"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false},
        {"00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false},
        {"00-00000000000000000000000000000000-b7ad6b7169203331-01", false},
        {"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0", false},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1g", false},
        {"00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false},
        {" " PARENT, false},
        {PARENT "\n", false},
        {"", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct trace_context c;
        assert_int_equal(trace_parent_parse(cases[i].text, &c), cases[i].fine);
        assert_int_equal(c.trace_id[0], cases[i].fine ? 0x0a : 0);
    }
}

/* ---- off ---- */

static void test_off(void **unused)
{
    (void)unused;
    struct arena a = {0};
    struct telemetry_setup setup = setup_all();
    struct telemetry *t = NULL;
    struct error err = {0};
    struct signal s;
    struct span span;
    const struct decision_event e = decision();
    setup.targets[SIGNAL_SPAN].on = setup.targets[SIGNAL_METRIC].on = false;
    t = open_with(&setup);
    telemetry_decision(t, &e);
    telemetry_count(t, "commands", "outcome", "ok", 1);
    span_begin(t, &span, "run", NULL, 0);
    span_end(t, &span, SPAN_INTERNAL, SPAN_STATUS_OK, (struct attributes){0});
    assert_true(take(&a, &setup, SIGNAL_LOG, &s));
    assert_int_equal(telemetry_lost(t), 0);
    telemetry_close(t);

    setup.targets[SIGNAL_LOG].on = false;
    assert_int_equal(telemetry_open(&setup, &t, &err), 0);
    assert_null(t);
    telemetry_decision(t, &e);
    telemetry_measure(t, "command.duration", "success", "true", 1);
    span_begin(t, &span, "run", NULL, 0);
    span_end(t, &span, SPAN_INTERNAL, SPAN_STATUS_OK, (struct attributes){0});
    telemetry_close(t);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_decision, setup, teardown),
        cmocka_unit_test_setup_teardown(test_payloads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_events, setup, teardown),
        cmocka_unit_test_setup_teardown(test_spans, setup, teardown),
        cmocka_unit_test_setup_teardown(test_trace_state, setup, teardown),
        cmocka_unit_test(test_trace_parent),
        cmocka_unit_test_setup_teardown(test_off, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

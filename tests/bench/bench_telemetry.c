/*
 * What an event costs the launcher: bench_telemetry DIR [N] opens telemetry with everything on
 * below DIR (an empty directory), tells N events of each kind (1000), and prints a line for each:
 * its name, the median and the 99th percentile of one in nanoseconds. What the spool has no room
 * for costs less, and is an error here.
 */
#include "base/clock.h"
#include "record/event.h"
#include "telemetry/telemetry.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ID "0123456789abcdef0123456789abcdef"

static const char *const argv_of_command[] = {"npm",
                                              "run",
                                              "test:integration",
                                              "--",
                                              "--reporter",
                                              "dot",
                                              "--timeout=20000",
                                              "DB_PASSWORD=correct-horse",
                                              "src/one/directory/and/another/file_test.js"};

static void decision(struct telemetry *t)
{
    const struct decision_event e = {.id = ID,
                                     .time_ms = clock_unix_ms(),
                                     .argv = argv_of_command,
                                     .argc = ARRAY_LEN(argv_of_command),
                                     .cwd = "/home/somebody/work/project",
                                     .program = "/usr/bin/npm",
                                     .class = "unknown",
                                     .action = "run",
                                     .place = "sandbox",
                                     .answer = "once",
                                     .by = BY_USER,
                                     .policy = "on-request",
                                     .mode = "workspace-write",
                                     .profile = ":workspace",
                                     .reason = "no rule names it",
                                     .asked_ms = 1200,
                                     .policy_hash = ID ID};
    telemetry_decision(t, &e);
}

static void net(struct telemetry *t)
{
    const struct net_event e = {.id = ID,
                                .time_ms = clock_unix_ms(),
                                .action = "reach",
                                .scope = "domain",
                                .decision = "allow",
                                .source = "profile",
                                .reason = "allowed",
                                .rule = "**.example.com",
                                .rule_file = "/home/somebody/.bawn/config.toml",
                                .rule_line = 12,
                                .protocol = "https",
                                .host = "registry.example.com",
                                .port = 443,
                                .address = "93.184.215.14",
                                .profile = "work",
                                .parent = ID};
    telemetry_net(t, &e);
}

static void approval(struct telemetry *t)
{
    const struct approval_event e = {.id = ID,
                                     .time_ms = clock_unix_ms(),
                                     .scope = "command",
                                     .answer = "once",
                                     .by = BY_USER,
                                     .asked_ms = 1200};
    telemetry_approval(t, &e);
}

static void result(struct telemetry *t)
{
    const struct result_event e = {.id = ID,
                                   .time_ms = clock_unix_ms(),
                                   .argv = argv_of_command,
                                   .argc = ARRAY_LEN(argv_of_command),
                                   .duration_ms = 3211,
                                   .success = true};
    telemetry_result(t, &e);
}

static void outcome(struct telemetry *t)
{
    const struct outcome_event e = {.id = ID,
                                    .time_ms = clock_unix_ms(),
                                    .outcome = "denied",
                                    .backend = "bundled",
                                    .mode = "workspace-write",
                                    .profile = ":workspace",
                                    .network = "off",
                                    .setup_us = 1900,
                                    .denials = {[DENIED_WRITE] = 2}};
    telemetry_outcome(t, &e);
}

static void span(struct telemetry *t)
{
    struct span s;
    span_begin(t, &s, "setup", NULL, 0);
    span_end(t, &s, SPAN_INTERNAL, SPAN_STATUS_OK, (struct attributes){0});
}

static void measurement(struct telemetry *t)
{
    telemetry_count(t, "approvals", "answer", "once", 1);
}

static const struct {
    const char *name;
    void (*tell)(struct telemetry *t);
    unsigned signals; /* that it becomes */
} kinds[] = {{"tool_decision", decision, 1},  {"network_proxy.policy_decision", net, 2},
             {"approval", approval, 2},       {"tool_result", result, 2},
             {"sandbox_outcome", outcome, 4}, {"span", span, 1},
             {"measurement", measurement, 1}};

static uint64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

#define TEXT(k, t)                                                                                 \
    {                                                                                              \
        .key = {(k), sizeof(k) - 1}, .text = {(t), sizeof(t) - 1 }                                 \
    }
static const struct attribute resource[] = {
    TEXT("service.name", "bawn"), TEXT("service.version", "0.1.0"), TEXT("env", "dev"),
    TEXT("host.name", "workstation-17.example.com"), TEXT("os.type", "linux")};
static const struct attribute common[] = {
    TEXT("conversation.id", ID), TEXT("app.version", "0.1.0"), TEXT("originator", "bawn"),
    TEXT("terminal.type", "xterm-256color"), TEXT("user.account_id", "somebody@example.com")};

/* A fresh sink for each kind: none of them finds the spool full. */
static int one(int dirfd, size_t kind, uint64_t *ns, size_t n)
{
    struct telemetry_setup setup = {.dirfd = dirfd,
                                    .resource = {resource, ARRAY_LEN(resource)},
                                    .common = {common, ARRAY_LEN(common)},
                                    .prefix = "bawn.",
                                    .payloads = true};
    struct telemetry *t;
    struct error err = {0};
    for (size_t i = 0; i < SIGNAL_KINDS; i++) {
        setup.targets[i].on = true;
        (void)snprintf(setup.targets[i].key, sizeof(setup.targets[i].key), "%015zx%zu", kind, i);
    }
    if (telemetry_open(&setup, &t, &err) < 0) {
        (void)fprintf(stderr, "bench_telemetry: %s\n", err.message);
        return 1;
    }
    for (size_t i = 0; i < n; i++) {
        const uint64_t begin = now_ns();
        kinds[kind].tell(t);
        ns[i] = now_ns() - begin;
    }
    const uint64_t lost = telemetry_lost(t);
    telemetry_close(t);
    qsort(ns, n, sizeof(*ns), compare);
    (void)printf("%s %u %" PRIu64 " %" PRIu64 "\n", kinds[kind].name, kinds[kind].signals,
                 ns[n / 2], ns[n - 1 - n / 100]);
    if (lost)
        (void)fprintf(stderr, "bench_telemetry: %s: %" PRIu64 " lost\n", kinds[kind].name, lost);
    return lost > 0;
}

int main(int argc, char **argv)
{
    const size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000;
    uint64_t *ns = calloc(n ? n : 1, sizeof(*ns));
    int dirfd = argc > 1 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1, failed = 0;
    if (!ns || dirfd < 0 || n == 0) {
        (void)fprintf(stderr, "usage: bench_telemetry DIR [N]\n");
        return 2;
    }
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        failed |= one(dirfd, i, ns, n);
    (void)close(dirfd);
    free(ns);
    return failed;
}

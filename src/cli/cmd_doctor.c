/*
 * bawn doctor: what works on this machine, and what to do about the rest. One line a check:
 *
 *   ok   userns     user, mount, pid … namespaces can be made
 *   warn cgroups    none mounted: … — fix: …
 *   FAIL bundled    … — fix: …
 *
 * Three parts: the kernel's probes, the search for a bwrap, and a real try of each backend. A check
 * that fails is FAIL when nothing can be run without it and "warn" otherwise. Changes nothing: what
 * the tries need lies in a private directory that is removed at the end, also after INT, TERM and
 * HUP.
 *
 * Exit status: 0 when commands can be confined here, 1 otherwise. --otel is another question: see
 * doctor_otel.h.
 */
#include "base/fd.h"
#include "base/path.h"
#include "cli/commands.h"
#include "cli/doctor_otel.h"
#include "cli/doctor_try.h"
#include "cli/print.h"
#include "cli/setup.h"
#include "config/requirements.h"
#include "sandbox/probe.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_CHECKS 16

static const char *const backends[] = {"bundled", "bwrap", "landlock"};

struct doctor {
    struct setup setup;
    struct probe_facts facts;
    struct probe_result checks[MAX_CHECKS];
    size_t n_checks;
    struct bwrap_probe bwrap;
    struct backend_try tries[ARRAY_LEN(backends)];
    size_t n_tries;
    const char *chosen, *chosen_why; /* what sandbox_backend comes to; NULL when nothing works */
    bool ok;
};

/* ---- being interrupted ---- */

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
    interrupted = sig;
}

/* Without SA_RESTART: a probe that waits is told. What was ignored (nohup) stays ignored. */
static void catch_signals(void)
{
    static const int caught[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < ARRAY_LEN(caught); i++) {
        struct sigaction old, act = {.sa_handler = on_signal};
        if (sigaction(caught[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            (void)sigaction(caught[i], &act, NULL);
    }
}

/* ---- the checks ---- */

static struct probe_result *add(struct doctor *d)
{
    struct probe_result *r = &d->checks[d->n_checks];
    d->n_checks += d->n_checks + 1 < MAX_CHECKS;
    *r = (struct probe_result){0};
    return r;
}

static void probe_machine(struct doctor *d)
{
    static void (*const probes[])(struct probe_facts *, struct probe_result *) = {
        probe_kernel, probe_userns, probe_seccomp, probe_landlock, probe_cgroups, probe_proc_mount,
    };
    for (size_t i = 0; i < ARRAY_LEN(probes) && !interrupted; i++)
        probes[i](&d->facts, add(d));
}

/* Broken configuration is one more finding, not the end: the machine is looked at all the same. */
static void check_config(struct doctor *d, const struct options *o)
{
    struct error err = {0};
    struct probe_result *r = add(d);
    r->id = "config";
    r->needed = true;
    r->ok = setup_world(&d->setup, o, &err) == 0 && setup_profile(&d->setup, &err) == 0;
    if (!r->ok) {
        (void)snprintf(r->detail, sizeof(r->detail), "%s%s%.180s",
                       err.file[0] ? show(err.file) : "", err.file[0] ? ": " : "", err.message);
        (void)snprintf(r->fix, sizeof(r->fix), "%s",
                       err.hint[0] ? err.hint : "bawn sandbox --explain shows the place");
        return;
    }
    (void)snprintf(r->detail, sizeof(r->detail), "profile %s, %zu warnings",
                   show(d->setup.profile->name), d->setup.config->n_warnings);
}

/* Which requirements are in force, from where, and what they changed. Broken ones are what
 * check_config() fails on. */
static void check_requirements(struct doctor *d)
{
    const struct config *c = d->setup.config;
    if (!d->setup.profile)
        return;
    const struct requirements *q = c->requirements;
    struct probe_result *r = add(d);
    r->id = "requirements";
    r->ok = true;
    if (!q->any) {
        (void)snprintf(r->detail, sizeof(r->detail), "none");
        return;
    }
    _cleanup_strbuf_ struct strbuf text = {0};
    strbuf_puts(&text, show(q->tree ? q->file.file : "managed_config.toml"));
    const char *sep = ": ";
    for (const struct toml_member *m = q->tree ? q->tree->table.first : NULL; m; m = m->next) {
        strbuf_printf(&text, "%s%s", sep, show_n(m->key.p, m->key.n));
        sep = ", ";
    }
    strbuf_printf(&text, "; changed: %s", c->required ? show(c->required) : "nothing");
    (void)snprintf(r->detail, sizeof(r->detail), "%s", strbuf_text(&text));
}

static void check_telemetry(struct doctor *d)
{
    if (d->setup.profile)
        doctor_telemetry(&d->setup, add(d));
}

/* The state directory where there is one (its cache is kept fresh), else a passing one. */
static void check_bwrap(struct doctor *d, const char *passing)
{
    struct bwrap_request q = {.path_env = getenv("PATH"), .fresh = true};
    if (d->setup.profile)
        (void)probe_unfit_dirs(&d->setup.arena, d->setup.profile, d->setup.cwd, &q.unfit_dirs,
                               &q.n_unfit_dirs);
    q.state_dir = setup_state_dir(&d->setup, false);
    if (!q.state_dir)
        q.state_dir = passing;
    (void)probe_bwrap(&q, &d->bwrap);
    *add(d) = d->bwrap.result;
}

static void try_all(struct doctor *d, const struct try_place *place)
{
    for (size_t i = 0; i < ARRAY_LEN(backends) && !interrupted; i++) {
        struct backend_try *t = &d->tries[d->n_tries++];
        if (str_eq(backends[i], "bwrap") && d->bwrap.state != BWRAP_FIT) {
            *t = (struct backend_try){.backend = backends[i]};
            (void)snprintf(t->detail, sizeof(t->detail), "not used: no bwrap that is fit");
            (void)snprintf(t->fix, sizeof(t->fix), "see bwrap");
            continue;
        }
        try_backend(place, backends[i], t);
    }
}

static const struct backend_try *tried(const struct doctor *d, const char *name)
{
    for (size_t i = 0; i < d->n_tries; i++)
        if (str_eq(d->tries[i].backend, name))
            return &d->tries[i];
    return NULL;
}

static bool works(const struct doctor *d, const char *name)
{
    const struct backend_try *t = tried(d, name);
    return t && t->ok;
}

/* What sandbox_backend comes to on this machine. */
static void choose(struct doctor *d)
{
    static const char *const names[] = {[BACKEND_BWRAP] = "bwrap",
                                        [BACKEND_BUNDLED] = "bundled",
                                        [BACKEND_LANDLOCK] = "landlock",
                                        [BACKEND_EXTERNAL] = "external"};
    enum backend asked = d->setup.config ? d->setup.config->backend : BACKEND_AUTO;
    if (asked != BACKEND_AUTO) {
        bool good = asked == BACKEND_EXTERNAL || works(d, names[asked]);
        d->chosen = good ? names[asked] : NULL;
        d->chosen_why =
            good ? "sandbox_backend says so" : "the one sandbox_backend names does not work";
    } else if (works(d, "bwrap")) {
        d->chosen = "bwrap";
        d->chosen_why = "a bwrap that is fit was found (bundled where a plan has many mounts)";
    } else if (works(d, "bundled")) {
        d->chosen = "bundled";
        d->chosen_why = "no bwrap that is fit was found";
    } else {
        d->chosen_why =
            works(d, "landlock")
                ? "sandbox_backend = \"landlock\" works here, but is weaker: only by choice"
                : "no backend works";
    }
    d->ok = d->chosen != NULL && !interrupted;
    /* A chosen backend that works proves the kernel good enough for it; configuration must be
     * sound. */
    for (size_t i = 0; i < d->n_checks; i++)
        if ((str_eq(d->checks[i].id, "config") || str_eq(d->checks[i].id, "telemetry")) &&
            !d->checks[i].ok)
            d->ok = false;
}

/* ---- output ---- */

static void put_line(struct strbuf *out, bool ok, bool needed, const char *id, const char *text,
                     const char *fix)
{
    strbuf_printf(out, "%-4s %-9s %s", ok ? "ok" : needed ? "FAIL" : "warn", id, text);
    if (!ok && fix[0])
        strbuf_printf(out, " \xe2\x80\x94 fix: %s", fix);
    strbuf_putc(out, '\n');
}

static void print_text(const struct doctor *d, struct strbuf *out)
{
    for (size_t i = 0; i < d->n_checks; i++) {
        const struct probe_result *r = &d->checks[i];
        put_line(out, r->ok, r->needed, r->id, r->detail, r->fix);
    }
    for (size_t i = 0; i < d->n_tries; i++) {
        const struct backend_try *t = &d->tries[i];
        /* Of a bwrap that is not fit the line above has said all. */
        if (t->n_checks || d->bwrap.state == BWRAP_FIT || !str_eq(t->backend, "bwrap"))
            put_line(out, t->ok, !d->chosen && !str_eq(t->backend, "landlock"), t->backend,
                     t->detail, t->fix);
    }
    char text[256];
    (void)snprintf(text, sizeof(text), "%s%s%s", d->chosen ? d->chosen : "", d->chosen ? ": " : "",
                   d->chosen_why);
    put_line(out, d->chosen != NULL, true, "backend", text, "see the lines above");
}

static void json_check(struct json *j, const char *id, bool ok, bool needed, const char *text,
                       const char *fix)
{
    json_object(j);
    json_kv_string(j, "id", id);
    json_kv_bool(j, "ok", ok);
    json_kv_bool(j, "needed", needed);
    json_kv_string(j, "detail", text);
    json_kv_string(j, "fix", ok || !fix[0] ? NULL : fix);
    json_end_object(j);
}

static void json_backend(struct json *j, const struct doctor *d, const struct backend_try *t)
{
    json_object(j);
    json_kv_string(j, "id", t->backend);
    json_kv_bool(j, "ok", t->ok);
    json_kv_bool(j, "chosen", d->chosen && str_eq(d->chosen, t->backend));
    json_kv_string(j, "detail", t->detail);
    json_kv_string(j, "fix", t->fix[0] ? t->fix : NULL);
    json_key(j, "tries");
    json_array(j);
    for (size_t i = 0; i < t->n_checks; i++) {
        json_object(j);
        json_kv_string(j, "id", t->checks[i].id);
        json_kv_bool(j, "ok", t->checks[i].ok);
        json_kv_string(j, "detail", t->checks[i].detail);
        json_end_object(j);
    }
    json_end_array(j);
    json_end_object(j);
}

static bool print_object(const struct doctor *d, struct strbuf *out)
{
    struct json j;
    json_begin(&j, out);
    json_object(&j);
    json_kv_bool(&j, "ok", d->ok);
    json_key(&j, "checks");
    json_array(&j);
    for (size_t i = 0; i < d->n_checks; i++) {
        const struct probe_result *r = &d->checks[i];
        json_check(&j, r->id, r->ok, r->needed, r->detail, r->fix);
    }
    json_end_array(&j);
    json_key(&j, "backends");
    json_array(&j);
    for (size_t i = 0; i < d->n_tries; i++)
        json_backend(&j, d, &d->tries[i]);
    json_end_array(&j);
    json_kv_string(&j, "backend", d->chosen);
    json_kv_string(&j, "reason", d->chosen_why);
    json_key(&j, "kernel");
    json_object(&j);
    json_kv_string(&j, "release", d->facts.release);
    json_kv_string(&j, "machine", d->facts.machine);
    json_kv_int(&j, "landlock_abi", d->facts.landlock_abi);
    json_kv_bool(&j, "userns", d->facts.userns);
    json_kv_bool(&j, "proc_mount", d->facts.proc_mount);
    json_kv_bool(&j, "seccomp_notify", d->facts.seccomp_notify);
    json_kv_bool(&j, "seccomp_sync_wake_up", d->facts.seccomp_sync_wake_up);
    json_kv_int(&j, "cgroup_version", d->facts.cgroup_version);
    json_end_object(&j);
    json_end_object(&j);
    strbuf_putc(out, '\n');
    return json_ok(&j);
}

/* ---- the whole ---- */

/* Where the place for the tries may be made. */
static const char *place_parent(void)
{
    static const char *const names[] = {"XDG_RUNTIME_DIR", "TMPDIR"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *v = getenv(names[i]);
        if (v && v[0] == '/' && access(v, W_OK | X_OK) == 0)
            return v;
    }
    return "/tmp";
}

static void examine(struct doctor *d, const struct options *o)
{
    struct try_place place;
    struct error err = {0};
    probe_machine(d);
    check_config(d, o);
    check_requirements(d);
    check_telemetry(d);
    int r = try_place_make(&place, place_parent(), &d->setup.arena, &err);
    const char *passing = NULL;
    if (r == 0) {
        char *dir = path_join(&d->setup.arena, place.base, "probe");
        passing = dir && mkdir(dir, 0700) == 0 ? dir : NULL;
    }
    if (!interrupted)
        check_bwrap(d, passing);
    if (r < 0) {
        struct probe_result *c = add(d);
        *c = (struct probe_result){.id = "tries", .needed = true};
        (void)snprintf(c->detail, sizeof(c->detail), "%.250s", err.message);
        (void)snprintf(c->fix, sizeof(c->fix), "set TMPDIR to a directory that can be written");
    } else {
        try_all(d, &place);
        try_place_release(&place);
    }
    choose(d);
}

int cmd_doctor(int argc, char **argv)
{
    if (argc > 1 && str_eq(argv[1], "--inside"))
        return doctor_inside(argc, argv);
    static struct doctor d; /* large */
    struct options o;
    int status;
    if (!cli_parse(FOR_DOCTOR, argc, argv, &d.setup, &o, &status)) {
        setup_release(&d.setup);
        return status;
    }
    if (o.otel) {
        status = doctor_otel(&d.setup, &o);
        setup_release(&d.setup);
        return status;
    }
    catch_signals();
    examine(&d, &o);
    if (interrupted) {
        setup_release(&d.setup);
        return 128 + interrupted;
    }
    _cleanup_strbuf_ struct strbuf out = {0};
    if (!o.json)
        print_text(&d, &out);
    else if (!print_object(&d, &out))
        strbuf_clear(&out);
    setup_release(&d.setup);
    if (out.n == 0)
        return cli_failure(EXIT_BROKEN, "out of memory");
    status = print_out(&out);
    return status ? status : !d.ok;
}

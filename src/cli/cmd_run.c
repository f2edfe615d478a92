/*
 * bawn run: rules, approval, sandbox, record. The front door for one command.
 *
 *   load      configuration, profile, rules
 *   judge     the words become commands, rules and tables give the line its class
 *   decide    class, policy and escalation give run, ask or refuse, and where
 *   ask       this session's answers, then a person or who stands in for one
 *   record    one event, before anything runs; what needed a yes does not run without it
 *   run       inside, or outside where a rule or a person said so
 *   again     what the sandbox refused becomes the offer to run with exactly that
 *
 * Exit status: the command's own; 3 refused; 2 for a mistake on the command line, 1 for broken
 * configuration or rules, 125 when the sandbox could not be set up.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "cli/commands.h"
#include "cli/launch.h"
#include "cli/print.h"
#include "cli/run_front.h"
#include "config/requirements.h"
#include "permissions/permissions.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define AGAIN_MOST 4 /* offers after one another */

/* ---- deciding ---- */

/* Does anything that stands above the person forbid to run without a sandbox? */
static bool outside_is_open(struct front *f, struct error *err)
{
    static const struct origin asked = {.layer = "flag", .file = "running outside the sandbox"};
    const char *instead = NULL;
    if (f->s->profile->full_access)
        return true;
    if (f->s->config->mode_cap != MODE_UNSET) {
        (void)error_set(err, -EPERM, "a project's file keeps every command in the sandbox");
        return false;
    }
    return requirements_check_profile(f->s->config, ":danger-full-access", MODE_DANGER_FULL_ACCESS,
                                      &asked, &instead, err) == 0;
}

static int decide_line(struct front *f, struct error *err)
{
    struct error why = {0};
    f->verdict = decide(f->here.judgement.class, &f->here.policy, f->escalation);
    if (f->verdict.place != PLACE_OUTSIDE || f->verdict.action == ACTION_REFUSE ||
        outside_is_open(f, &why))
        return 0;
    /* What a rule allows runs all the same, inside. */
    if (f->escalation != ESCALATE_OUTSIDE) {
        f->verdict.place = PLACE_SANDBOX;
        if (f->options.verbose)
            print_note("the rule's allow runs inside the sandbox: %s", why.message);
        return 0;
    }
    *err = why;
    return -EPERM;
}

/* ---- refusing ---- */

/* NOBODY: it would have been asked about. */
static void hint_refusal(const struct front *f, bool nobody, struct error *err)
{
    const struct judgement *j = &f->here.judgement;
    const struct suggestion *v;
    size_t n = 0;
    if (j->class == LINE_FORBIDDEN) {
        error_hint(err, "only a change of that rule allows it");
        return;
    }
    if (suggest(f->a, j, &v, &n) == 0 && n == 1) {
        const char *rule = suggest_rule_text(f->a, v[0].words, v[0].length, true);
        if (rule) {
            error_hint(err, "%s in %s/rules/default.rules", show(rule),
                       f->s->bawn_home ? show(f->s->bawn_home) : "$BAWN_HOME");
            return;
        }
    }
    error_hint(err, "%s; bawn rules explain -- CMD shows how it is judged",
               nobody ? "run it in a terminal, or name an asker with --ask-via"
                      : "-a on-request asks about it");
}

/* WHY in one line, recorded; exits 3. */
static int refuse(struct front *f, const struct answer *answer, const char *why)
{
    struct error err = {0}, lost = {0};
    const struct judgement *j = &f->here.judgement;
    const struct rule *rule =
        j->decided && j->decided->n_matches ? j->decided->matches[0].rule : NULL;
    front_open_record(f);
    if (front_record(f, "refuse", answer, &lost) < 0)
        print_warning("the refusal is not recorded: %s", lost.message);
    telling_refused(f->s->telling);
    (void)error_set(&err, -EPERM, "refused: %s: %s", show(f->shown), why);
    if (rule && rule->file && rule->line)
        error_at(&err, rule->file, rule->line, 0, 0, NULL, 0);
    if (answer && answer->word)
        error_note(&err, "%s", show(answer->word));
    else if (!answer || answer->problem)
        hint_refusal(f, answer != NULL, &err);
    return cli_error(&err, EXIT_REFUSED);
}

/* ---- asking ---- */

static const char *why_asked(struct front *f)
{
    if (f->escalation == ESCALATE_OUTSIDE)
        return "it is to run outside the sandbox";
    if (f->escalation == ESCALATE_PERMISSIONS)
        return "it is to have more permissions than the profile gives";
    return f->here.judgement.reason ? f->here.judgement.reason : f->verdict.why;
}

/* What a yes lets it do. NULL without memory. */
static const char *const *what_it_could(struct front *f, size_t *ret_n)
{
    const struct profile *p = f->s->profile;
    const char **v = arena_zalloc(f->a, f->grants.v.n + 2, sizeof(*v));
    size_t n = 0;
    if (!v)
        return NULL;
    if (f->verdict.place == PLACE_OUTSIDE || p->full_access)
        v[n++] = "everything that you may: read and change every file of yours, reach any host";
    else
        v[n++] = arena_printf(f->a, "what profile %s allows, inside the sandbox; network %s",
                              show(p->name), network_word(p->network));
    if (f->verdict.place == PLACE_SANDBOX)
        vec_foreach (g, &f->grants.v)
            v[n++] = grant_words(f->a, g);
    for (size_t i = 0; i < n; i++)
        if (!v[i])
            return NULL;
    *ret_n = n;
    return v;
}

/* A yes, a no, or nobody to ask. 0: it may run; else what to exit with, after it was said. */
static int ask(struct front *f, struct answer *ret)
{
    struct error err = {0};
    front_key(f);
    if (front_in_session(f)) {
        *ret = (struct answer){.kind = ANSWER_SESSION, .by = "user"};
        return 0;
    }
    /* Nobody is asked in vain. */
    front_open_record(f);
    if (!f->audit)
        return refuse(
            f, NULL,
            arena_printf(f->a, "what needs approval must be recorded: %s", f->audit_problem));
    struct asked asked = {.why = why_asked(f),
                          .outside = f->verdict.place == PLACE_OUTSIDE,
                          .session = true,
                          .remember = f->escalation == ESCALATE_NOTHING};
    asked.what = what_it_could(f, &asked.n_what);
    if (!asked.what)
        return cli_failure(EXIT_BROKEN, "out of memory");
    int r = front_ask(f, &asked, ret, &err);
    if (r == -ENXIO) {
        static const struct answer nobody = {
            .kind = ANSWER_NO, .by = "config", .problem = "nobody can be asked"};
        return refuse(f, &nobody,
                      arena_printf(f->a, "%s, and there is no terminal to ask on", asked.why));
    }
    if (r < 0) {
        const struct answer broken = {.kind = ANSWER_NO, .by = "config", .problem = err.message};
        return refuse(f, &broken, err.message);
    }
    if (ret->kind == ANSWER_NO || ret->kind == ANSWER_ABORT)
        return refuse(f, ret,
                      ret->problem                ? ret->problem
                      : ret->kind == ANSWER_ABORT ? "aborted"
                                                  : "the answer was no");
    if (front_keep(f, ret, &err) < 0)
        print_warning("for this once only: %s", err.message);
    return 0;
}

/* Before anything runs. ASKED: it needed a yes, so it does not run unrecorded. */
static int record_run(struct front *f, const struct answer *answer)
{
    struct error err = {0};
    front_open_record(f);
    if (front_record(f, "run", answer, &err) == 0)
        return 0;
    if (answer) {
        struct error no = {0};
        (void)error_set(&no, -EIO, "refused: %s: what needs approval must be recorded: %s",
                        show(f->shown), err.message);
        return cli_error(&no, EXIT_REFUSED);
    }
    print_warning("the run is not recorded: %s", err.message);
    return 0;
}

/* ---- running ---- */

/* What a run was refused, and what of it could be granted. */
struct refusals {
    struct front *f;
    struct grants grants;
    const char *first; /* in words, of what can be granted */
    const char *other; /* of what cannot */
    size_t n_other;
    bool failed; /* no memory: nothing is offered */
};

static void see_denial(void *data, const struct denial *denial)
{
    struct refusals *r = data;
    struct grant g;
    const char *why = NULL;
    if (denial->kind == DENIAL_NETWORK) /* was asked about then, or is not to be */
        return;
    int e = grant_of_denial(r->f->a, r->f->s, denial, &g, &why);
    if (e == -ENOENT) {
        r->n_other++;
        if (!r->other)
            r->other = arena_printf(r->f->a, "%s: %s", denial->what, why ? why : "");
    } else if (e < 0 || grants_add(&r->grants, &g) < 0) {
        r->failed = true;
    } else if (!r->first) {
        r->first = arena_printf(
            r->f->a, "the sandbox refused to let it %s",
            g.kind == GRANT_NETWORK
                ? arena_printf(r->f->a, "reach %s on the network", denial->what)
                : grant_words(r->f->a, &(struct grant){.kind = g.kind, .what = denial->what}));
    }
}

/* The profile a rule names, or none at all: another setup than the one that judged. */
static int setup_again(const struct front *f, struct setup *s, struct options *o)
{
    *o = f->options;
    o->cd = NULL; /* it is entered */
    if (f->verdict.place == PLACE_OUTSIDE && !f->s->profile->full_access) {
        o->permissions = ":danger-full-access";
        o->mode = MODE_UNSET;
        o->yolo = o->full_auto = false;
    } else if (f->here.judgement.permissions) {
        o->permissions = f->here.judgement.permissions;
        o->mode = MODE_UNSET;
        o->yolo = o->full_auto = false;
    }
    s->purpose = f->s->purpose;
    return cli_load(s, o);
}

/* What would have a shell run something before the text that was judged. */
static void drop_shell_start(void)
{
    (void)unsetenv("BASH_ENV");
    (void)unsetenv("ENV");
    for (char **e = environ; e && *e;) {
        char name[128];
        size_t n = strcspn(*e, "=");
        if (!str_starts(*e, "BASH_FUNC_") || n >= sizeof(name)) {
            e++;
            continue;
        }
        memcpy(name, *e, n);
        name[n] = '\0';
        if (unsetenv(name) < 0)
            e++;
    }
}

/* The program a rule or a person allowed is the one on this PATH. */
static int set_path(const struct front *f, struct setup *s)
{
    struct string_list *set = &s->config->env_set;
    bool by_rules = f->here.judgement.class == LINE_ALLOW;
    const char *path = by_rules ? here_firm_path(&f->here) : f->here.path;
    if (!path || setenv("PATH", path, 1) < 0)
        return -ENOMEM;
    if (by_rules)
        drop_shell_start();
    for (size_t i = 0; i < set->n; i++)
        if (str_starts(set->v[i], "PATH=") &&
            !(set->v[i] = arena_printf(&s->arena, "PATH=%s", path)))
            return -ENOMEM;
    return 0;
}

/* One run, with the grants. REFUSED may be NULL. */
static int run_once(struct front *f, struct refusals *refused, bool *ret_started)
{
    struct error err = {0};
    struct options o;
    struct setup other = {0}, *s = f->s;
    const bool changed =
        f->here.judgement.permissions || f->verdict.place == PLACE_OUTSIDE || f->s->plan != NULL;
    int status = changed ? setup_again(f, &other, &o) : 0;
    *ret_started = false;
    if (changed)
        s = &other;
    if (status == 0 && grants_apply(s, &f->grants, &err) < 0)
        status = cli_error(&err, EXIT_REFUSED);
    if (status == 0 && f->verdict.place == PLACE_OUTSIDE && f->here.path && set_path(f, s) < 0)
        status = cli_failure(EXIT_BROKEN, "out of memory");
    front_net_asker(f);
    s->net_asker = &f->net_asker;
    s->telling = f->s->telling;
    if (status == 0)
        status = launch_prepare(s);
    if (status == 0) {
        const struct launch_extra extra = {
            .see_denial = refused ? see_denial : NULL, .data = refused, .no_summary = !f->report};
        status = launch_run(s, &extra, ret_started);
    }
    net_front_free(s->net_front);
    s->net_front = NULL;
    /* The process ends soon: memory of a big plan is faster given back by the kernel. */
    return status;
}

/* Can somebody be asked when the sandbox refused something? Only then is it worth to watch for it.
 */
static bool can_offer(const struct front *f)
{
    bool policy = f->here.policy.kind == POLICY_ON_REQUEST ||
                  (f->here.policy.kind == POLICY_GRANULAR && f->here.policy.sandbox_approval);
    if (!policy || f->verdict.place == PLACE_OUTSIDE || f->s->profile->full_access)
        return false;
    if (f->options.ask_via)
        return true;
    _cleanup_fd_ int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    return fd >= 0;
}

/* Where standard input was read from the start, so that a second run reads the same. -1: it cannot
 * be read twice. */
static off_t input_begin(void)
{
    struct stat st;
    off_t at = lseek(0, 0, SEEK_CUR);
    if (fstat(0, &st) < 0 || S_ISCHR(st.st_mode))
        return 0;
    return S_ISREG(st.st_mode) ? at : -1;
}

/* The line that would have let it pass, where nobody can be asked. */
static void say_grants(struct front *f, struct refusals *r)
{
    vec_foreach (g, &r->grants.v) {
        const char *words = grant_words(f->a, g);
        print_note("the sandbox refused to let it %s; --grant %s asks for it", words ? words : "",
                   show(g->text));
    }
}

/* What was refused and is not granted yet. */
static size_t count_new(struct front *f, struct refusals *r)
{
    size_t n = 0;
    vec_foreach (g, &r->grants.v) {
        bool old = false;
        vec_foreach (had, &f->grants.v)
            old = old || str_eq(had->text, g->text);
        n += !old;
    }
    return n;
}

/* The offer to run again, with exactly what was missing; where that cannot be granted, outside.
 * True: it was accepted, and *f is as the next run wants it. */
static bool offer_again(struct front *f, struct refusals *r)
{
    struct error err = {0};
    struct answer answer;
    const bool inside = count_new(f, r) > 0;
    if (r->failed || (!inside && (r->n_other == 0 || !outside_is_open(f, &err))))
        return false;
    const struct front before = *f;
    const char *parent = arena_strdup(f->a, f->event.id);
    if (inside) {
        vec_foreach (g, &r->grants.v)
            if (grants_add(&f->grants, g) < 0)
                return false;
        f->escalation = ESCALATE_PERMISSIONS;
        f->verdict.place = PLACE_SANDBOX;
    } else {
        f->escalation = ESCALATE_OUTSIDE;
        f->verdict.place = PLACE_OUTSIDE;
    }
    struct asked asked = {.outside = !inside, .session = inside};
    asked.why = inside ? r->first
                       : arena_printf(f->a, "the sandbox refused what cannot be granted alone (%s)",
                                      r->other ? r->other : "");
    asked.what = what_it_could(f, &asked.n_what);
    f->event = (struct decision_event){.parent = parent};
    bool yes = asked.why && asked.what && event_new_id(f->event.id) == 0 &&
               front_ask(f, &asked, &answer, &err) == 0;
    if (yes && (answer.kind == ANSWER_NO || answer.kind == ANSWER_ABORT)) {
        if (front_record(f, "refuse", &answer, &err) < 0)
            print_warning("the answer is not recorded: %s", err.message);
        yes = false;
    } else if (yes) {
        /* A session's answer belongs to the words as they were given, and begins with the grants.
         */
        struct error kept = {0};
        if (front_keep(f, &answer, &kept) < 0)
            print_warning("for this once only: %s", kept.message);
        yes = record_run(f, &answer) == 0;
    } else if (err.message[0]) {
        print_warning("it is not run again: %s", err.message);
    }
    if (!yes)
        f->verdict = before.verdict;
    return yes;
}

static int run_command(struct front *f)
{
    const bool report = f->options.log_denials;
    const off_t input = input_begin();
    for (int i = 0;; i++) {
        struct refusals refused = {.f = f};
        bool started, offer = i < AGAIN_MOST && can_offer(f);
        f->report = report;
        f->options.log_denials = report || offer;
        int status = run_once(f, offer ? &refused : NULL, &started);
        bool again = offer && started && status != 0;
        if (again && input < 0) {
            say_grants(f, &refused);
            again = false;
        }
        if (again)
            again = offer_again(f, &refused);
        vec_release(&refused.grants.v);
        if (!again)
            return status;
        if (lseek(0, input, SEEK_SET) < 0 && errno != ESPIPE)
            return status;
    }
}

/* ---- the whole ---- */

static int explain(struct front *f)
{
    const struct judgement *j = &f->here.judgement;
    if (!f->options.json)
        print_note("%s: %s, %s: %s", show(f->shown), action_word(f->verdict.action),
                   place_word(f->verdict.place), j->reason ? j->reason : f->verdict.why);
    int status = launch_prepare(f->s);
    status = status ? status : launch_explain(f->s);
    net_front_free(f->s->net_front);
    return status;
}

static int read_escalation(struct front *f, struct error *err)
{
    const struct options *o = &f->options;
    for (size_t i = 0; i < o->grants.n; i++) {
        struct grant g;
        int r = grant_parse(f->a, f->s->cwd, o->grants.v[i], &g, err);
        if (r < 0 || (r = grants_add(&f->grants, &g)) < 0)
            return r;
    }
    f->n_given = f->grants.v.n;
    bool outside = o->escalate && str_eq(o->escalate, "outside");
    if (o->escalate && !outside && f->n_given == 0) {
        int r = error_set(err, -EINVAL, "run: --escalate permissions names no permission");
        error_hint(err, "--grant write:PATH says which");
        return r;
    }
    f->escalation = f->asked_for = outside          ? ESCALATE_OUTSIDE
                                   : f->n_given > 0 ? ESCALATE_PERMISSIONS
                                                    : ESCALATE_NOTHING;
    return 0;
}

static int go(struct front *f)
{
    struct error err = {0};
    struct answer answer, *asked = NULL;
    const uint64_t begun = clock_unix_ns();
    int status = cli_load(f->s, &f->options);
    if (status == 0 && !f->options.explain)
        status = telling_begin(f->s, "run", begun);
    if (status)
        return status;
    int r = read_escalation(f, &err);
    if (r < 0)
        return cli_error(&err, EXIT_USAGE);
    f->here.s = f->s;
    f->here.a = f->a;
    const uint64_t judging = f->s->telling ? clock_unix_ns() : 0;
    r = here_judge(&f->here, (const char *const *)f->options.rest, f->options.n_rest, &err);
    telling_phase(f->s->telling, "rules", judging);
    f->shown =
        r < 0 ? NULL : command_text(f->a, (const char *const *)f->options.rest, f->options.n_rest);
    if (r == 0 && !f->shown)
        r = error_errno(&err, -ENOMEM, "cannot judge the command");
    if (r < 0)
        return cli_error(&err, EXIT_BROKEN);
    if (event_new_id(f->event.id) < 0)
        return cli_failure(EXIT_BROKEN, "the kernel has no random bytes");
    if (decide_line(f, &err) < 0)
        return refuse(f, NULL, arena_strdup(f->a, err.message));
    /* Nobody is asked for what nobody can allow. */
    if (grants_apply(f->s, &f->grants, &err) < 0)
        return refuse(f, NULL, arena_strdup(f->a, err.message));
    if (f->options.explain)
        return explain(f);
    if (f->verdict.action == ACTION_REFUSE)
        return refuse(f, NULL,
                      f->here.judgement.class >= LINE_DANGEROUS && f->here.judgement.reason
                          ? f->here.judgement.reason
                          : f->verdict.why);
    if (f->verdict.action == ACTION_ASK) {
        status = ask(f, &answer);
        asked = &answer;
    } else if (can_offer(f)) {
        /* Somebody said yes to the permissions this command was missing. */
        front_key(f);
        if (front_in_session(f) && f->grants.v.n > f->n_given)
            f->escalation = ESCALATE_PERMISSIONS;
    }
    if (status == 0)
        status = record_run(f, asked);
    return status ? status : run_command(f);
}

int cmd_run(int argc, char **argv)
{
    _cleanup_setup_ struct setup s = {0};
    struct front f = {.s = &s, .a = &s.arena};
    struct error err = {0};
    int status;
    if (!cli_parse(FOR_RUN, argc, argv, &s, &f.options, &status))
        return status;
    if (f.options.n_rest == 0 || !*f.options.rest[0]) {
        (void)error_set(&err, -EINVAL,
                        f.options.n_rest ? "run: the command's name is empty"
                                         : "run: no command given");
        error_hint(&err, "bawn run [options] [--] CMD…; see bawn run --help");
        return cli_error(&err, EXIT_USAGE);
    }
    if (f.options.full_auto)
        print_warning("--full-auto is deprecated: write -s workspace-write -a on-request");
    s.purpose = f.options.explain ? SETUP_PLAN : SETUP_RUN;
    status = go(&f);
    telling_end(&s, status);
    vec_release(&f.grants.v);
    rules_free(f.here.rules);
    audit_close(f.audit);
    return status;
}

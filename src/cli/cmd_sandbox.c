/*
 * bawn sandbox: confine one command. No rules, no questions.
 *
 * Exit status: the command's own; 2 for a mistake on the command line, 1 for broken configuration,
 * 125 when the sandbox could not be set up.
 */
#include "base/fd.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/setup.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <unistd.h>

static int print_plan(const struct plan *plan, bool as_json)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    if (as_json) {
        struct json j;
        json_begin(&j, &out);
        plan_json(plan, &j);
        strbuf_putc(&out, '\n');
        if (!json_ok(&j))
            return cli_failure(EXIT_BROKEN, "out of memory");
    } else {
        plan_print(plan, &out);
    }
    return print_out(&out);
}

static void say_limits(const struct plan *plan)
{
    static const char *const networks[] = {
        [NETWORK_OFF] = "off", [NETWORK_OPEN] = "open", [NETWORK_FILTERED] = "filtered"};
    print_note("profile %s, network %s, workspace %s%s%s", show(plan->profile->name),
               networks[plan->network], show(plan->workspace), plan->backend_reason ? "; " : "",
               plan->backend_reason ? plan->backend_reason : "");
}

/* What the survey saw may be gone when the mounts are made: other runs come and go. The whole look
 * is taken again then; who changes things all the time ends at the bound. */
#define TRIES_MOST 8

static int run(struct setup *s, const struct options *o)
{
    struct error err = {0};
    int status = EXIT_SETUP;
    for (int tries = 1;; tries++) {
        struct run_options run = {
            .argv = o->rest,
            .pass_fds = o->pass_fds,
            .n_pass_fds = o->n_pass_fds,
            .status_fd = o->status_fd,
            .log_denials = o->log_denials,
            .json = o->json,
            .quiet = o->quiet,
            .state_dir = setup_state_dir(s, false),
            .state_problem = s->state_problem,
            .state_fix = s->state_fix,
        };
        int r = sandbox_run(s->plan, &run, &status, &err);
        if (r == 0)
            return status;
        if ((r != -ESTALE && r != -EEXIST) || tries == TRIES_MOST)
            return cli_error(&err, EXIT_SETUP);
        if (setup_survey(s, &err) < 0 || setup_plan(s, &err) < 0)
            return cli_error(&err, EXIT_SETUP);
    }
}

int cmd_sandbox(int argc, char **argv)
{
    _cleanup_setup_ struct setup s = {0};
    struct options o;
    struct error err = {0};
    int status;
    /* "bawn sandbox linux …": scripts name the system; there is only one. */
    if (argc > 1 && str_eq(argv[1], "linux")) {
        argc--;
        argv++;
    }
    if (!cli_parse(FOR_SANDBOX, argc, argv, &s, &o, &status))
        return status;
    if (o.n_rest == 0 && !o.explain) {
        (void)error_set(&err, -EINVAL, "sandbox: no command given");
        error_hint(&err, "bawn sandbox [options] [--] CMD…; see bawn sandbox --help");
        return cli_error(&err, EXIT_USAGE);
    }
    if (o.n_rest > 0 && !*o.rest[0])
        return cli_failure(EXIT_USAGE, "sandbox: the command's name is empty");
    if (o.full_auto)
        print_warning("--full-auto is deprecated: write -s workspace-write -a on-request");
    s.purpose = o.explain ? SETUP_PLAN : SETUP_RUN;
    status = cli_load(&s, &o);
    if (status)
        return status;
    if (setup_survey(&s, &err) < 0 || setup_plan(&s, &err) < 0)
        return cli_error(&err, EXIT_SETUP);

    /* Whoever reads the plan finds the warnings in it. */
    if (!o.explain && s.start_warning && !o.quiet)
        print_warning("%s", s.start_warning);
    if (s.state_warning && !o.quiet)
        print_warning("%s", s.state_warning);
    if (!o.explain)
        print_warnings(s.plan->warnings, s.plan->n_warnings);
    if (o.verbose)
        say_limits(s.plan);
    if (o.explain)
        return print_plan(s.plan, o.json);
    /* This process ends with the command: the kernel takes its memory back faster than it could be
     * given back in pieces. */
    static struct arena kept;
    status = run(&s, &o);
    kept = s.arena;
    s.arena = (struct arena){0};
    (void)kept;
    return status;
}

/* Survey, plan, run. See launch.h. */
#include "cli/launch.h"

#include "cli/print.h"
#include "cli/proxy_front.h"
#include "cli/to_ascii.h"
#include "cli/telling.h"
#include "sandbox/sandbox.h"

#include <errno.h>

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

/* Whoever is told of refusals. */
struct listeners {
    const struct launch_extra *extra;
    struct telling *telling;
};

static void see_denial(void *data, const struct denial *denial)
{
    const struct listeners *l = data;
    telling_denial(l->telling, denial);
    if (l->extra->see_denial)
        l->extra->see_denial(l->extra->data, denial);
}

/* What the survey saw may be gone when the mounts are made: other runs come and go. The whole look
 * is taken again then; who changes things all the time ends at the bound. */
#define TRIES_MOST 8

int launch_run(struct setup *s, const struct launch_extra *extra, bool *ret_started)
{
    const struct options *o = s->options;
    const struct launch_extra none = {0};
    const struct launch_extra *more = extra ? extra : &none;
    bool started;
    if (!ret_started)
        ret_started = &started;
    *ret_started = false;
    struct error err = {0};
    int status = EXIT_SETUP, r = 0;
    struct run_network *network = NULL;
    struct listeners listeners = {more, s->telling};
    if (s->net_front &&
        !(network = net_front_run(s->net_front, o->log_denials && !more->no_summary)))
        return cli_failure(EXIT_SETUP, "out of memory");
    to_ascii_end(); /* what is read again below is known by now */
    for (int tries = 1;; tries++) {
        struct run_options run = {
            .argv = o->rest,
            .pass_fds = o->pass_fds,
            .n_pass_fds = o->n_pass_fds,
            .status_fd = o->status_fd,
            .log_denials = o->log_denials,
            .json = o->json,
            .quiet = o->quiet,
            .see_denial = s->telling || more->see_denial ? see_denial : NULL,
            .data = &listeners,
            .report = telling_report(s->telling),
            .no_summary = more->no_summary,
            .state_dir = setup_state_dir(s, false),
            .state_problem = s->state_problem,
            .state_fix = s->state_fix,
            .network = network,
        };
        r = sandbox_run(s->plan, &run, &status, &err);
        if ((r != -ESTALE && r != -EEXIST) || tries == TRIES_MOST)
            break;
        if ((r = setup_survey(s, &err)) < 0 || (r = setup_plan(s, &err)) < 0)
            break;
    }
    if (s->net_front)
        net_front_end(s->net_front, see_denial, &listeners);
    *ret_started = r == 0;
    telling_ran(s->telling, s, r == 0);
    return r == 0 ? status : cli_error(&err, EXIT_SETUP);
}

/* Rules and the proxy. It is started first: it reads its rules while the disk is looked at. */
static int prepare_network(struct setup *s)
{
    struct error err = {0};
    if (s->profile->network != NETWORK_FILTERED)
        return 0;
    if (net_front_prepare(s, &err) < 0)
        return cli_error(&err, EXIT_BROKEN);
    if (s->purpose == SETUP_RUN && net_front_start(s->net_front, &err) < 0)
        return cli_error(&err, EXIT_SETUP);
    return 0;
}

static int prepare(struct setup *s)
{
    const struct options *o = s->options;
    struct error err = {0};
    int status = prepare_network(s);
    if (status)
        return status;
    if (telling_environment(s->telling, s) < 0)
        return cli_failure(EXIT_SETUP, "out of memory");
    if (setup_survey(s, &err) < 0 || setup_plan(s, &err) < 0)
        return cli_error(&err, EXIT_SETUP);
    if (s->net_front)
        s->plan->net.upstream = net_front_upstream(s->net_front);
    /* Whoever reads the plan finds the warnings in it. */
    if (!o->explain && s->start_warning && !o->quiet)
        print_warning("%s", s->start_warning);
    if (s->state_warning && !o->quiet)
        print_warning("%s", s->state_warning);
    if (!o->explain)
        print_warnings(s->plan->warnings, s->plan->n_warnings);
    if (o->verbose)
        say_limits(s->plan);
    return 0;
}

int launch_prepare(struct setup *s)
{
    int status = prepare(s);
    if (status)
        telling_ran(s->telling, s, false);
    return status;
}

int launch_explain(struct setup *s)
{
    return print_plan(s->plan, s->options->json);
}

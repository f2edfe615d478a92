/*
 * bawn sandbox: confine one command. No rules, no questions.
 *
 * Exit status: the command's own; 2 for a mistake on the command line, 1 for broken configuration,
 * 125 when the sandbox could not be set up.
 */
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/launch.h"
#include "cli/print.h"
#include "cli/proxy_front.h"
#include "cli/telling.h"

#include <errno.h>
#include <unistd.h>

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
    const uint64_t begun = clock_unix_ns();
    status = cli_load(&s, &o);
    if (status == 0 && !o.explain)
        status = telling_begin(&s, "sandbox", begun);
    if (status)
        return status;
    status = launch_prepare(&s);
    if (status || o.explain) {
        status = status ? status : launch_explain(&s);
        net_front_free(s.net_front);
        telling_end(&s, status);
        return status;
    }
    /* This process ends with the command: the kernel takes its memory back faster than it could be
     * given back in pieces. */
    static struct arena kept;
    status = launch_run(&s, NULL, NULL);
    net_front_free(s.net_front);
    telling_end(&s, status);
    kept = s.arena;
    s.arena = (struct arena){0};
    (void)kept;
    return status;
}

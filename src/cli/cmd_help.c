/*
 * bawn help [TOPIC]: the manual page. Where man or the page is not installed, the short help, and a
 * line that says so.
 */
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Topics that have no page of their own name, beside the commands. */
static const struct {
    const char *topic, *page;
} topics[] = {
    {"bawn", "bawn"},
    {"config", "bawn-config"},
    {"configuration", "bawn-config"},
    {"requirements", "bawn-requirements"},
    {"network", "bawn-network"},
    {"completion", "bawn"},
    {"help", "bawn"},
    {"untrust", "bawn-trust"},
};

static const char *page_of(struct arena *a, const char *topic)
{
    for (size_t i = 0; i < ARRAY_LEN(topics); i++)
        if (str_eq(topic, topics[i].topic))
            return topics[i].page;
    return command_find(topic) ? arena_printf(a, "bawn-%s", topic) : NULL;
}

/* Is there a man, and has it this page? */
static bool man_has(const char *page)
{
    pid_t pid = fork();
    if (pid < 0)
        return false;
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null >= 0) {
            (void)dup2(null, STDOUT_FILENO);
            (void)dup2(null, STDERR_FILENO);
        }
        (void)execlp("man", "man", "-w", "--", page, (char *)NULL);
        _exit(127);
    }
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int cmd_help(int argc, char **argv)
{
    _cleanup_setup_ struct setup s = {0};
    _cleanup_strbuf_ struct strbuf out = {0};
    struct options o;
    struct error err = {0};
    int status;
    if (!cli_parse(FOR_HELP, argc, argv, &s, &o, &status))
        return status;
    const char *topic = o.n_rest ? o.rest[0] : "bawn", *page = page_of(&s.arena, topic);
    if (!page) {
        const char *names[64];
        size_t n = 0;
        for (const struct subcommand *c = commands; c->name && n < ARRAY_LEN(names); c++)
            names[n++] = c->name;
        const char *near = nearest_word(topic, names, n);
        (void)error_set(&err, -EINVAL, "help: no topic %s", show(topic));
        if (near)
            error_hint(&err, "did you mean %s?", near);
        else
            error_hint(&err, "the topics are bawn's commands and \"config\"; see bawn --help");
        return cli_error(&err, EXIT_USAGE);
    }
    if (man_has(page)) {
        (void)execlp("man", "man", "--", page, (char *)NULL);
        return cli_failure(EXIT_BROKEN, "cannot run man");
    }
    print_note("the manual page %s is not installed; this is the short help", page);
    const struct subcommand *c = command_find(topic);
    if (c)
        options_help(c, &out);
    else
        commands_help(&out);
    return print_out(&out);
}

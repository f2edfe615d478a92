/*
 * bawn's front door: finds the subcommand in its table and hands over.
 */
#include "cli/commands.h"
#include "cli/connector.h"
#include "cli/print.h"
#include "sandbox/stage.h"
#include "cli/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

const struct subcommand commands[] = {
    {FOR_SANDBOX, "sandbox", "run one command inside limits the kernel enforces",
     "[linux] [options] [--] CMD…",
     "Runs CMD confined. Without -s or -P: your configuration; without any,\n"
     "workspace-write in a version-controlled tree and read-only elsewhere.",
     "bawn sandbox -- make test\n"
     "bawn sandbox -s read-only -- grep -r TODO .\n"
     "bawn sandbox --explain",
     true, cmd_sandbox},
    {FOR_RUN, "run", "rules, approval, sandbox, record: the front door for one command",
     "[options] [--] CMD…",
     "Judges CMD by your rules, asks where that is needed, runs it confined, and\n"
     "records the decision.",
     "bawn run -- npm test", true, cmd_run},
    {FOR_RULES, "rules", "check, explain, list, test or remove command rules",
     "check --rules FILE… [--] CMD…\nexplain [options] [--] CMD…\nlist\ntest [FILE…]\nremove "
     "PREFIX…",
     "Rules say which commands run without asking, are asked about, or never run.",
     "bawn rules explain -- git push", false, cmd_rules},
    {FOR_AUDIT, "audit", "what was decided: list, show or verify the record",
     "list [--last N] [--since TIME] [--verdict WHAT] [--by WHOM]\nshow ID\nverify [--after HASH]",
     "The record is in $BAWN_HOME/audit. ID may be the beginning of one.",
     "bawn audit list --last 5\nbawn audit list --verdict refuse --since 2026-11-01", false,
     cmd_audit},
    {FOR_BWRAP, "bwrap", "bubblewrap's command line, carried out by bawn's own mounter",
     "[bubblewrap options] [--] CMD…",
     "A drop-in for bwrap(1); also under that name, from libexec/bawn/compat.",
     "bawn bwrap --ro-bind / / --dev /dev --proc /proc --unshare-all true", false, cmd_bwrap},
    {FOR_EXPLAIN, "explain", "may a path be read, a host be reached, and which line says so",
     "[options] PATH…\n[options] --net HOST:PORT…",
     "Answers for the same options as bawn sandbox takes. Runs nothing.",
     "bawn explain .git/config ~/.ssh /tmp/x\n"
     "bawn explain --net example.com:443",
     false, cmd_explain},
    {FOR_PERMISSIONS, "permissions", "list permission profiles and presets, or show one",
     "list [options]\nshow [NAME] [options]\npreset NAME [HOST…] [--write] [options]",
     "show: without NAME the profile in force here; preset:NAME is one of files.\n"
     "preset: what npm, pypi, cargo, go, debian (apt) or git-read HOST reaches on the\n"
     "network, as lines for the profile that -P or --profile names.",
     "bawn permissions show :workspace\nbawn permissions show preset:secrets\n"
     "bawn permissions preset npm --profile work --write",
     false, cmd_permissions},
    {FOR_STATUS, "status", "what holds here: mode, roots, network, approvals, layers", "[options]",
     "In words; --json for programs. Runs nothing.", "bawn status\nbawn status -s read-only", false,
     cmd_status},
    {FOR_DENIALS, "denials", "what runs with --log-denials refused", "[options]",
     "Prints the recorded refusals, oldest first.", "bawn denials --last 5", false, cmd_denials},
    {FOR_DOCTOR, "doctor", "what works on this machine, and what to do about the rest", "[options]",
     "Probes the kernel and every backend. Changes nothing. With --otel: sends one\n"
     "test record to the collectors of [otel] and says what they answered.",
     "bawn doctor\nbawn doctor --otel", false, cmd_doctor},
    {FOR_CONFIG, "config", "show, check or change the configuration",
     "show [--effective] [--origins] [options]\n"
     "get KEY [options]\n"
     "check [FILE…] [options]\n"
     "set KEY VALUE\n"
     "set --unset KEY\n"
     "schema [requirements]\n"
     "import --from codex [--codex-home DIR] [--dry-run] [--force]\n"
     "import --from claude [--claude-settings FILE…] [--dry-run] [--force]",
     "KEY is a dotted TOML key, VALUE is TOML, or else a string. bawn-config(5) lists\n"
     "the keys.",
     "bawn config show --origins\n"
     "bawn config set sandbox_mode workspace-write",
     false, cmd_config},
    {FOR_TRUST, "trust", "trust a project: its own configuration is read",
     "[PATH] [--recursive]\n--list",
     "Without PATH: the project you are in. Nothing else ever sets trust.",
     "bawn trust\nbawn trust --recursive ~/work\nbawn trust --list", false, cmd_trust},
    {FOR_UNTRUST, "untrust", "withdraw trust: a project's commands are asked about",
     "[PATH] [--recursive]\n[PATH] --forget",
     "Without PATH: the project you are in. --forget: as if nobody had said anything.",
     "bawn untrust\nbawn untrust --forget ~/old", false, cmd_untrust},
    {FOR_COMPLETION, "completion", "print the completion script for a shell", "bash|zsh|fish",
     "Source it, or put it where the shell looks.",
     "bawn completion bash >~/.local/share/bash-completion/completions/bawn\n"
     "bawn completion zsh  >~/.zfunc/_bawn\n"
     "bawn completion fish >~/.config/fish/completions/bawn.fish",
     false, cmd_completion},
    {FOR_HELP, "help", "the manual page of a command or topic", "[TOPIC]",
     "TOPIC is a command, or config.", NULL, false, cmd_help},
    {0},
};

void commands_help(struct strbuf *out)
{
    strbuf_puts(out,
                "Usage: bawn COMMAND [options]\n"
                "Runs commands on their own inside limits that the operating system enforces.\n"
                "\n");
    for (const struct subcommand *c = commands; c->name; c++)
        strbuf_printf(out, "  %-12s %s\n", c->name, c->summary);
    strbuf_puts(out,
                "\n"
                "  bawn sandbox -- make test        run it where it can write only this project\n"
                "\n"
                "Exit status: the command's own; 125 no sandbox; 2 usage; 1 configuration.\n"
                "bawn COMMAND --help lists its options, bawn help COMMAND is the manual page.\n");
}

/* A descriptor that bawn opens must not become 0, 1 or 2 of the command: where the caller closed
 * one of those, /dev/null takes its place. Costs one fcntl each when all is well. */
static void hold_standard_fds(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY);
}

static int unknown_command(const char *word)
{
    struct error err = {0};
    const char *names[64];
    size_t n = 0;
    for (const struct subcommand *c = commands; c->name && n < ARRAY_LEN(names); c++)
        names[n++] = c->name;
    const char *near = nearest_word(word, names, n);
    (void)error_set(&err, -EINVAL, "unknown %s %s", word[0] == '-' ? "option" : "command",
                    show(word));
    if (near)
        error_hint(&err, "did you mean bawn %s?", near);
    else
        error_hint(&err, "see bawn --help; to run a command: bawn sandbox -- CMD…");
    return cli_error(&err, EXIT_USAGE);
}

/* Started by a link of that name (libexec/bawn/compat/bwrap)? */
static bool is_bwrap(const char *argv0)
{
    const char *slash = strrchr(argv0, '/');
    return str_eq(slash ? slash + 1 : argv0, "bwrap");
}

int main(int argc, char **argv)
{
    /* Started by bwrap as the sandbox's init: not a person's command line. */
    if (argc > 1 && str_eq(argv[1], STAGE_COMMAND))
        stage_main(argc, argv);
    hold_standard_fds();
    if (argc > 0 && is_bwrap(argv[0]))
        return cmd_bwrap(argc, argv);
    if (argc > 0 && connector_is_meant(argv[0]))
        return connector_main(argc, argv);
    _cleanup_strbuf_ struct strbuf out = {0};
    const char *word = argc > 1 ? argv[1] : NULL;
    if (!word) {
        struct error err = {0};
        (void)error_set(&err, -EINVAL, "no command given");
        error_hint(&err, "see bawn --help; to run a command: bawn sandbox -- CMD…");
        return cli_error(&err, EXIT_USAGE);
    }
    if (str_eq(word, "--help") || str_eq(word, "-h")) {
        commands_help(&out);
        return print_out(&out);
    }
    if (str_eq(word, "--version") || str_eq(word, "-V")) {
        strbuf_puts(&out, "bawn " BAWN_VERSION "\n");
        return print_out(&out);
    }
    /* The name that other tools have for it. */
    const struct subcommand *c = command_find(str_eq(word, "execpolicy") ? "rules" : word);
    return c ? c->run(argc - 1, argv + 1) : unknown_command(word);
}

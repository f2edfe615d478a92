/*
 * bawn completion SHELL: what the shell offers behind "bawn", written from the two tables. Nothing
 * in the script runs bawn, except for the names of permission profiles, which only bawn knows.
 */
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/setup.h"

#include <errno.h>

/* Text inside single quotes of a shell. */
static void quoted(struct strbuf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            strbuf_puts(out, "'\\''");
        else
            strbuf_putc(out, *text);
    }
}

static void put_words(struct strbuf *out, const char *const *words)
{
    for (size_t i = 0; words[i]; i++)
        strbuf_printf(out, "%s%s", i ? " " : "", words[i]);
}

static void command_names(struct strbuf *out)
{
    for (const struct subcommand *c = commands; c->name; c++)
        strbuf_printf(out, "%s%s", c == commands ? "" : " ", c->name);
}

/* The words of a command that has some: its second ones, and what stands behind those. */
static const char *second_words(const struct subcommand *c)
{
    switch (c->bit) {
    case FOR_PERMISSIONS:
        return "list show preset npm pypi cargo go debian git-read";
    case FOR_COMPLETION:
        return "bash zsh fish";
    default:
        return NULL;
    }
}

static bool takes_paths(const struct subcommand *c)
{
    return (c->bit & (FOR_EXPLAIN | FOR_TRUST | FOR_UNTRUST)) != 0;
}

/* ---- bash ---- */

static void bash_option_values(struct strbuf *out)
{
    for (const struct option *o = options_table; o->name; o++) {
        if (!o->arg)
            continue;
        strbuf_printf(out, "    --%s", o->name);
        if (o->letter)
            strbuf_printf(out, "|-%c", o->letter);
        strbuf_puts(out, ")\n");
        if (o->completes == COMPLETES_WORDS) {
            strbuf_puts(out, "        COMPREPLY=($(compgen -W '");
            put_words(out, o->words);
            strbuf_puts(out, "' -- \"$cur\")) ;;\n");
        } else if (o->completes == COMPLETES_DIRS) {
            strbuf_puts(out, "        compopt -o filenames\n"
                             "        mapfile -t COMPREPLY < <(compgen -d -- \"$cur\") ;;\n");
        } else if (o->completes == COMPLETES_PROFILES) {
            strbuf_puts(out, "        mapfile -t COMPREPLY < <(compgen -W \"$(_bawn_profiles)\" -- "
                             "\"$cur\") ;;\n");
        } else {
            strbuf_puts(out, "        COMPREPLY=() ;;\n");
        }
    }
}

static void bash(struct strbuf *out)
{
    strbuf_puts(out, "# bash completion for bawn\n"
                     "_bawn_profiles() {\n"
                     "    bawn permissions list 2>/dev/null | cut -c3- | cut -d' ' -f1\n"
                     "}\n"
                     "_bawn_value() {\n"
                     "    case \"$1\" in\n");
    bash_option_values(out);
    strbuf_puts(out, "    *) return 1 ;;\n"
                     "    esac\n"
                     "}\n"
                     "_bawn() {\n"
                     "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                     "    local command=${COMP_WORDS[1]} i words= runs=\n"
                     "    COMPREPLY=()\n"
                     "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                     "        mapfile -t COMPREPLY < <(compgen -W '");
    command_names(out);
    strbuf_puts(out, " --help --version' -- \"$cur\")\n"
                     "        return\n"
                     "    fi\n"
                     "    case \"$command\" in\n");
    for (const struct subcommand *c = commands; c->name; c++) {
        strbuf_printf(out, "    %s)\n        words='", c->name);
        const char *second = second_words(c);
        strbuf_printf(out, "%s", second ? second : "");
        if (c->bit == FOR_HELP)
            command_names(out);
        for (const struct option *o = options_table; o->name; o++)
            if (o->commands & c->bit)
                strbuf_printf(out, " --%s", o->name);
        strbuf_printf(out, "'%s ;;\n", c->runs ? "\n        runs=1" : "");
    }
    strbuf_puts(
        out,
        "    esac\n"
        "    # Where the options end, the command of `bawn sandbox` begins.\n"
        "    for ((i = 2; i < COMP_CWORD && ${runs:-0}; i++)); do\n"
        "        case \"${COMP_WORDS[i]}\" in\n"
        "        --) i=$((i + 1)); break ;;\n"
        "        --*=*) ;;\n"
        "        -*) _bawn_value \"${COMP_WORDS[i]}\" 2>/dev/null && i=$((i + 1)) ;;\n"
        "        linux) [ \"$i\" -eq 2 ] || break ;;\n"
        "        *) break ;;\n"
        "        esac\n"
        "        COMPREPLY=()\n"
        "    done\n"
        "    if [ -n \"$runs\" ] && [ \"$i\" -lt \"$COMP_CWORD\" ]; then\n"
        "        COMPREPLY=()\n"
        "        if declare -F _command_offset >/dev/null; then _command_offset \"$i\"; fi\n"
        "        return\n"
        "    fi\n"
        "    if _bawn_value \"$prev\"; then return; fi\n"
        "    case \"$cur\" in\n"
        "    -*) mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\") ;;\n"
        "    *)\n"
        "        if [ -n \"$runs\" ]; then\n"
        "            mapfile -t COMPREPLY < <(compgen -c -- \"$cur\")\n"
        "        else\n"
        "            compopt -o filenames\n"
        "            mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\"; compgen -f -- "
        "\"$cur\")\n"
        "        fi ;;\n"
        "    esac\n"
        "}\n"
        "complete -F _bawn bawn\n");
}

/* ---- zsh ---- */

/* A help text inside '[…]' of _arguments: brackets and colons mean something there. */
static void zsh_text(struct strbuf *out, const char *text)
{
    for (; *text; text++) {
        if (strchr("[]:\\", *text))
            strbuf_putc(out, '\\');
        if (*text == '\'')
            strbuf_puts(out, "'\\''");
        else
            strbuf_putc(out, *text);
    }
}

static void zsh_option(struct strbuf *out, const struct option *o, const char *name)
{
    bool again = o->kind == OPTION_WORDS || o->kind == OPTION_FDS || o->kind == OPTION_FEATURE;
    bool is_long = strlen(name) > 2;
    strbuf_printf(out, "            '%s%s%s[", again ? "*" : "", name,
                  !o->arg   ? ""
                  : is_long ? "="
                            : "+");
    zsh_text(out, o->help ? o->help : "");
    strbuf_putc(out, ']');
    if (o->arg) {
        strbuf_printf(out, ":%s:", o->arg);
        if (o->completes == COMPLETES_WORDS) {
            strbuf_putc(out, '(');
            put_words(out, o->words);
            strbuf_putc(out, ')');
        } else if (o->completes == COMPLETES_DIRS) {
            strbuf_puts(out, "_directories");
        } else if (o->completes == COMPLETES_PROFILES) {
            strbuf_puts(out, "{compadd -- ${(f)\"$(bawn permissions list 2>/dev/null | cut -c3- | "
                             "cut -d\" \" -f1)\"}}");
        } else {
            strbuf_putc(out, ' ');
        }
    }
    strbuf_puts(out, "' \\\n");
}

static void zsh(struct strbuf *out)
{
    strbuf_puts(out, "#compdef bawn\n"
                     "_bawn() {\n"
                     "    local -a names\n"
                     "    names=(\n");
    for (const struct subcommand *c = commands; c->name; c++) {
        strbuf_printf(out, "        '%s:", c->name);
        zsh_text(out, c->summary);
        strbuf_puts(out, "'\n");
    }
    strbuf_puts(out, "    )\n"
                     "    if (( CURRENT == 2 )); then\n"
                     "        _describe command names\n"
                     "        return\n"
                     "    fi\n"
                     "    local command=$words[2]\n"
                     "    shift words\n"
                     "    (( CURRENT-- ))\n"
                     "    case $command in\n");
    for (const struct subcommand *c = commands; c->name; c++) {
        strbuf_printf(out, "    %s)\n        _arguments -s %s\\\n", c->name,
                      c->runs ? "-A '-*' " : "");
        for (const struct option *o = options_table; o->name; o++) {
            char name[64];
            if (!(o->commands & c->bit))
                continue;
            (void)snprintf(name, sizeof(name), "--%s", o->name);
            zsh_option(out, o, name);
            (void)snprintf(name, sizeof(name), "-%c", o->letter);
            if (o->letter)
                zsh_option(out, o, name);
        }
        const char *second = second_words(c);
        if (c->runs)
            strbuf_puts(out, "            '*::command:_normal'\n");
        else if (takes_paths(c))
            strbuf_puts(out, "            '*:path:_files'\n");
        else if (c->bit == FOR_HELP)
            strbuf_puts(out, "            '*:topic:{_describe topic names}'\n");
        else
            strbuf_printf(out, "            '*:word:(%s)'\n", second ? second : "");
        strbuf_puts(out, "        ;;\n");
    }
    strbuf_puts(
        out, "    esac\n"
             "}\n"
             "if [ \"$funcstack[1]\" = _bawn ]; then _bawn \"$@\"; else compdef _bawn bawn; fi\n");
}

/* ---- fish ---- */

static void fish(struct strbuf *out)
{
    strbuf_puts(out,
                "# fish completion for bawn\n"
                "function __bawn_profiles\n"
                "    bawn permissions list 2>/dev/null | string sub -s 3 | string split -f 1 ' '\n"
                "end\n"
                "complete -c bawn -n __fish_use_subcommand -f\n"
                "complete -c bawn -n __fish_use_subcommand -l version -d 'print the version'\n");
    for (const struct subcommand *c = commands; c->name; c++) {
        strbuf_printf(out, "complete -c bawn -n __fish_use_subcommand -a %s -d '", c->name);
        quoted(out, c->summary);
        strbuf_puts(out, "'\n");
        const char *second = second_words(c);
        if (!takes_paths(c) && !c->runs) {
            strbuf_printf(out, "complete -c bawn -n '__fish_seen_subcommand_from %s' -f", c->name);
            if (second)
                strbuf_printf(out, " -a '%s'", second);
            if (c->bit == FOR_HELP) {
                strbuf_puts(out, " -a '");
                command_names(out);
                strbuf_puts(out, "'");
            }
            strbuf_putc(out, '\n');
        }
        if (c->runs)
            strbuf_printf(out,
                          "complete -c bawn -n '__fish_seen_subcommand_from %s' -x -a "
                          "'(__fish_complete_subcommand --fcs-skip=2)'\n",
                          c->name);
    }
    for (const struct option *o = options_table; o->name; o++) {
        strbuf_puts(out, "complete -c bawn -n '__fish_seen_subcommand_from");
        for (const struct subcommand *c = commands; c->name; c++)
            if (o->commands & c->bit)
                strbuf_printf(out, " %s", c->name);
        strbuf_printf(out, "' -l %s", o->name);
        if (o->letter)
            strbuf_printf(out, " -s %c", o->letter);
        if (o->arg)
            strbuf_puts(out, o->completes == COMPLETES_DIRS ? " -r" : " -x");
        if (o->completes == COMPLETES_WORDS) {
            strbuf_puts(out, " -a '");
            put_words(out, o->words);
            strbuf_puts(out, "'");
        } else if (o->completes == COMPLETES_DIRS) {
            strbuf_puts(out, " -a '(__fish_complete_directories)'");
        } else if (o->completes == COMPLETES_PROFILES) {
            strbuf_puts(out, " -a '(__bawn_profiles)'");
        }
        strbuf_puts(out, " -d '");
        quoted(out, o->help ? o->help : o->name);
        strbuf_puts(out, "'\n");
    }
}

int cmd_completion(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*write)(struct strbuf *out);
    } shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
    static const char *const names[] = {"bash", "zsh", "fish"};
    _cleanup_setup_ struct setup s = {0};
    _cleanup_strbuf_ struct strbuf out = {0};
    struct options o;
    struct error err = {0};
    int status;
    if (!cli_parse(FOR_COMPLETION, argc, argv, &s, &o, &status))
        return status;
    for (size_t i = 0; o.n_rest == 1 && i < ARRAY_LEN(shells); i++) {
        if (str_eq(o.rest[0], shells[i].name)) {
            shells[i].write(&out);
            return print_out(&out);
        }
    }
    if (o.n_rest == 1)
        (void)error_set(&err, -EINVAL, "completion: unknown shell %s", show(o.rest[0]));
    else
        (void)error_set(&err, -EINVAL, "completion: name one shell");
    const char *near = o.n_rest == 1 ? nearest_word(o.rest[0], names, ARRAY_LEN(names)) : NULL;
    if (near)
        error_hint(&err, "did you mean %s?", near);
    else
        error_hint(&err, "bash, zsh or fish");
    return cli_error(&err, EXIT_USAGE);
}

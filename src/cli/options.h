/*
 * The command line as data: one table of commands, one of options. Parsing, --help, shell
 * completion and the suggestions for a mistyped word all read these two tables.
 *
 * Options are matched whole ("--opt value" or "--opt=value"; no abbreviations, no bundled letters):
 * what a script writes today must not come to mean something else when an option is added. For a
 * command that runs another one, the first word that is no option begins that command.
 */
#ifndef BAWN_CLI_OPTIONS_H
#define BAWN_CLI_OPTIONS_H

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/config.h"

#include <stdbool.h>

/* ---- commands ---- */

struct subcommand {
    unsigned bit; /* in struct option.commands */
    const char *name;
    const char *summary;               /* one line of `bawn --help` */
    const char *usage;                 /* behind "bawn NAME "; further lines separated by \n */
    const char *about;                 /* lines of NAME --help below the usage */
    const char *example;               /* last lines of NAME --help, or NULL */
    bool runs;                         /* the first word that is no option ends the options */
    int (*run)(int argc, char **argv); /* argv[0] is the command's name; what bawn exits with */
};

enum {
    FOR_SANDBOX = 1u << 0,
    FOR_EXPLAIN = 1u << 1,
    FOR_PERMISSIONS = 1u << 2,
    FOR_DENIALS = 1u << 3,
    FOR_DOCTOR = 1u << 4,
    FOR_COMPLETION = 1u << 5,
    FOR_HELP = 1u << 6,
    FOR_CONFIG = 1u << 7,
    FOR_TRUST = 1u << 8,
    FOR_STATUS = 1u << 9,
    FOR_UNTRUST = 1u << 10,
    FOR_RUN = 1u << 11,
    FOR_RULES = 1u << 12,
    FOR_AUDIT = 1u << 13,
    FOR_BWRAP = 1u << 14, /* reads its own command line: takes no option of the table */
    /* takes what decides a profile */
    FOR_POLICY =
        FOR_SANDBOX | FOR_EXPLAIN | FOR_PERMISSIONS | FOR_CONFIG | FOR_STATUS | FOR_RUN | FOR_RULES,
    FOR_ALL = 0x3fff,
};

extern const struct subcommand commands[];               /* ended by a row without a name */
const struct subcommand *command_find(const char *name); /* NULL when there is none */
const struct subcommand *command_of(unsigned bit);

/* ---- options ---- */

struct word_list {
    const char **v;
    size_t n;
};

/* What a command line said. Strings are the process's own argv. */
struct options {
    struct arena *arena; /* for the lists */
    bool help, explain, json, strict, log_denials, quiet, verbose, full_auto, yolo, search;
    bool net;   /* explain: destinations, not paths */
    bool otel;  /* doctor */
    bool unset; /* config set */
    bool write; /* permissions preset */
    bool force; /* config import, as the next three; --dry-run is `explain` */
    const char *from, *codex_home;
    struct word_list claude_settings;
    bool effective, origins;
    const char *escalate;    /* "permissions" or "outside" */
    struct word_list grants; /* run: KIND:WHAT */
    const char *ask_via;
    struct word_list rules; /* rules check: files */
    bool resolve_host, pretty;
    unsigned long ask_timeout;  /* seconds; 0 when not given */
    enum sandbox_mode mode;     /* MODE_UNSET when not given */
    const char *permissions;    /* -P */
    const char *policy;         /* -a */
    const char *config_profile; /* -p */
    const char *cd;             /* -C */
    struct word_list overrides; /* -c, --enable, --disable in their order, as KEY=VALUE */
    struct word_list add_dirs;  /* as given */
    int status_fd;              /* -1 when not given */
    int *pass_fds;
    size_t n_pass_fds;
    bool recursive, forget, list;     /* trust, untrust */
    unsigned long last;               /* --last; 0 when not given */
    const char *since, *verdict, *by; /* audit list */
    const char *after;                /* audit verify */
    char **rest;                      /* words behind the options, NULL-terminated */
    size_t n_rest;
};

enum option_kind {
    OPTION_FLAG,    /* a bool */
    OPTION_WORD,    /* a string, the last one given counts */
    OPTION_WORDS,   /* a list of strings */
    OPTION_MODE,    /* a sandbox mode */
    OPTION_FEATURE, /* becomes features.NAME=BOOL among the overrides */
    OPTION_FD,
    OPTION_FDS,
    OPTION_COUNT, /* a positive number */
};

/* What a shell offers behind an option (or a command). */
enum completes { COMPLETES_NOTHING, COMPLETES_WORDS, COMPLETES_DIRS, COMPLETES_PROFILES };

struct option {
    const char *name; /* without "--" */
    char letter;      /* 0 = none */
    enum option_kind kind;
    size_t offset;     /* in struct options */
    bool value;        /* OPTION_FEATURE: what it is set to */
    const char *arg;   /* placeholder, NULL for flags */
    const char *help;  /* NULL: an alias, not shown in --help */
    unsigned commands; /* FOR_* */
    enum completes completes;
    const char *const *words; /* allowed values, NULL-terminated, or NULL */
};

extern const struct option options_table[]; /* ended by a row without a name */

/* Parses argv[1…] of COMMAND. -EINVAL with a message (and a hint) for a mistake. Touches no file;
 * only a descriptor given by number is looked at. */
int options_parse(const struct subcommand *command, int argc, char **argv, struct arena *a,
                  struct options *ret, struct error *err);

/* `bawn --help`: all commands. */
void commands_help(struct strbuf *out);
/* COMMAND's --help. */
void options_help(const struct subcommand *command, struct strbuf *out);

#endif

/*
 * The option table and its parser. See options.h.
 *
 * A row says where its value goes (an offset into struct options) and what kind it is; the parser
 * knows kinds, not options. What options mean together (--yolo beside -s) is checked at the end.
 */
#include "cli/options.h"

#include "base/limits.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>

static const char *const mode_words[] = {"read-only", "workspace-write", "danger-full-access",
                                         NULL};
static const char *const from_words[] = {"codex", "claude", NULL};
static const char *const escalate_words[] = {"permissions", "outside", NULL};
static const char *const verdict_words[] = {"run", "reach", "refuse", NULL};
static const char *const by_words[] = {"config", "user", "reviewer", "hook", NULL};
static const char *const policy_words[] = {"untrusted", "on-request", "never", "granular", NULL};

#define FIELD(f) offsetof(struct options, f)

const struct option options_table[] = {
    {"sandbox", 's', OPTION_MODE, FIELD(mode), false, "MODE",
     "read-only, workspace-write, danger-full-access", FOR_POLICY, COMPLETES_WORDS, mode_words},
    {"permissions-profile", 'P', OPTION_WORD, FIELD(permissions), false, "NAME",
     "use this permission profile", FOR_POLICY, COMPLETES_PROFILES, NULL},
    {"ask-for-approval", 'a', OPTION_WORD, FIELD(policy), false, "POLICY",
     "untrusted, on-request, never, granular", FOR_POLICY, COMPLETES_WORDS, policy_words},
    {"config", 'c', OPTION_WORDS, FIELD(overrides), false, "KEY=VALUE",
     "set one configuration key (repeatable)", FOR_POLICY, COMPLETES_NOTHING, NULL},
    {"enable", 0, OPTION_FEATURE, FIELD(overrides), true, "FEATURE",
     "short for -c features.FEATURE=true", FOR_POLICY, COMPLETES_NOTHING, NULL},
    {"disable", 0, OPTION_FEATURE, FIELD(overrides), false, "FEATURE",
     "short for -c features.FEATURE=false", FOR_POLICY, COMPLETES_NOTHING, NULL},
    {"profile", 'p', OPTION_WORD, FIELD(config_profile), false, "NAME",
     "add the configuration profile NAME", FOR_POLICY, COMPLETES_NOTHING, NULL},
    {"search", 0, OPTION_FLAG, FIELD(search), true, NULL, "short for -c web_search=live",
     FOR_POLICY, COMPLETES_NOTHING, NULL},
    {"effective", 0, OPTION_FLAG, FIELD(effective), true, NULL, "show: defaults too", FOR_CONFIG,
     COMPLETES_NOTHING, NULL},
    {"origins", 0, OPTION_FLAG, FIELD(origins), true, NULL, "show: what each value was chosen over",
     FOR_CONFIG, COMPLETES_NOTHING, NULL},
    {"escalate", 0, OPTION_WORD, FIELD(escalate), false, "WHAT", "permissions, outside",
     FOR_RUN | FOR_RULES, COMPLETES_WORDS, escalate_words},
    {"grant", 0, OPTION_WORDS, FIELD(grants), false, "KIND:WHAT",
     "ask for read:PATH, write:PATH, socket:PATH, network", FOR_RUN, COMPLETES_NOTHING, NULL},
    {"rules", 0, OPTION_WORDS, FIELD(rules), false, "FILE", "check: the rules (repeatable)",
     FOR_RULES, COMPLETES_DIRS, NULL},
    {"resolve-host-executables", 0, OPTION_FLAG, FIELD(resolve_host), true, NULL,
     "check: /usr/bin/x is x too", FOR_RULES, COMPLETES_NOTHING, NULL},
    {"pretty", 0, OPTION_FLAG, FIELD(pretty), true, NULL, "check: JSON in lines", FOR_RULES,
     COMPLETES_NOTHING, NULL},
    {"ask-via", 0, OPTION_WORD, FIELD(ask_via), false, "FD|SOCKET",
     "put questions there as JSON, not to the terminal", FOR_RUN, COMPLETES_NOTHING, NULL},
    {"ask-timeout", 0, OPTION_COUNT, FIELD(ask_timeout), false, "SECONDS",
     "how long --ask-via may take to answer (300)", FOR_RUN, COMPLETES_NOTHING, NULL},
    {"cd", 'C', OPTION_WORD, FIELD(cd), false, "DIR", "work in DIR; it becomes the workspace",
     FOR_POLICY, COMPLETES_DIRS, NULL},
    {"add-dir", 0, OPTION_WORDS, FIELD(add_dirs), false, "DIR",
     "make DIR writable too (repeatable)", FOR_POLICY, COMPLETES_DIRS, NULL},
    {"strict-config", 0, OPTION_FLAG, FIELD(strict), true, NULL,
     "an unknown configuration key is an error", FOR_POLICY, COMPLETES_NOTHING, NULL},
    {"net", 0, OPTION_FLAG, FIELD(net), true, NULL, "may each HOST:PORT be reached, not PATH",
     FOR_EXPLAIN, COMPLETES_NOTHING, NULL},
    {"otel", 0, OPTION_FLAG, FIELD(otel), true, NULL, "send a test record to the collector",
     FOR_DOCTOR, COMPLETES_NOTHING, NULL},
    {"explain", 0, OPTION_FLAG, FIELD(explain), true, NULL,
     "print what would be set up and run nothing", FOR_SANDBOX | FOR_RUN, COMPLETES_NOTHING, NULL},
    {"dry-run", 0, OPTION_FLAG, FIELD(explain), true, NULL, NULL,
     FOR_SANDBOX | FOR_RUN | FOR_CONFIG, COMPLETES_NOTHING, NULL},
    {"json", 0, OPTION_FLAG, FIELD(json), true, NULL, "print JSON, messages too",
     FOR_ALL & ~(FOR_COMPLETION | FOR_HELP), COMPLETES_NOTHING, NULL},
    {"last", 'n', OPTION_COUNT, FIELD(last), false, "N", "only the last N", FOR_DENIALS | FOR_AUDIT,
     COMPLETES_NOTHING, NULL},
    {"since", 0, OPTION_WORD, FIELD(since), false, "TIME",
     "list: from YYYY-MM-DD[THH:MM[:SS]] on, UTC", FOR_AUDIT, COMPLETES_NOTHING, NULL},
    {"verdict", 0, OPTION_WORD, FIELD(verdict), false, "WHAT", "list: run, reach, refuse",
     FOR_AUDIT, COMPLETES_WORDS, verdict_words},
    {"by", 0, OPTION_WORD, FIELD(by), false, "WHOM", "list: config, user, reviewer, hook",
     FOR_AUDIT, COMPLETES_WORDS, by_words},
    {"after", 0, OPTION_WORD, FIELD(after), false, "HASH",
     "verify: a record with this hash must be there", FOR_AUDIT, COMPLETES_NOTHING, NULL},
    {"log-denials", 0, OPTION_FLAG, FIELD(log_denials), true, NULL,
     "report afterwards what was refused, and why", FOR_SANDBOX | FOR_RUN, COMPLETES_NOTHING, NULL},
    {"status-fd", 0, OPTION_FD, FIELD(status_fd), false, "N",
     "write events as JSON lines to descriptor N", FOR_SANDBOX | FOR_RUN, COMPLETES_NOTHING, NULL},
    {"pass-fd", 0, OPTION_FDS, FIELD(pass_fds), false, "N",
     "pass descriptor N to the command (repeatable)", FOR_SANDBOX | FOR_RUN, COMPLETES_NOTHING,
     NULL},
    {"full-auto", 0, OPTION_FLAG, FIELD(full_auto), true, NULL,
     "deprecated: -s workspace-write -a on-request", FOR_POLICY, COMPLETES_NOTHING, NULL},
    {"yolo", 0, OPTION_FLAG, FIELD(yolo), true, NULL, "no sandbox and no questions at all",
     FOR_POLICY, COMPLETES_NOTHING, NULL},
    {"dangerously-bypass-approvals-and-sandbox", 0, OPTION_FLAG, FIELD(yolo), true, NULL, NULL,
     FOR_POLICY, COMPLETES_NOTHING, NULL},
    {"verbose", 'v', OPTION_FLAG, FIELD(verbose), true, NULL,
     "say more: limits in force, what was set", FOR_SANDBOX | FOR_RUN | FOR_CONFIG,
     COMPLETES_NOTHING, NULL},
    {"unset", 0, OPTION_FLAG, FIELD(unset), true, NULL, "config set: remove KEY", FOR_CONFIG,
     COMPLETES_NOTHING, NULL},
    {"write", 0, OPTION_FLAG, FIELD(write), true, NULL, "preset: into your config.toml",
     FOR_PERMISSIONS, COMPLETES_NOTHING, NULL},
    {"from", 0, OPTION_WORD, FIELD(from), false, "PROGRAM", "import: codex, claude", FOR_CONFIG,
     COMPLETES_WORDS, from_words},
    {"codex-home", 0, OPTION_WORD, FIELD(codex_home), false, "DIR",
     "import: $CODEX_HOME or ~/.codex otherwise", FOR_CONFIG, COMPLETES_DIRS, NULL},
    {"claude-settings", 0, OPTION_WORDS, FIELD(claude_settings), false, "FILE",
     "import: this one, not those of ~/.claude", FOR_CONFIG, COMPLETES_NOTHING, NULL},
    {"force", 0, OPTION_FLAG, FIELD(force), true, NULL, "import: replace files, keep them as .bak",
     FOR_CONFIG, COMPLETES_NOTHING, NULL},
    {"quiet", 'q', OPTION_FLAG, FIELD(quiet), true, NULL, "no warnings", FOR_POLICY,
     COMPLETES_NOTHING, NULL},
    {"recursive", 0, OPTION_FLAG, FIELD(recursive), true, NULL,
     "the entry covers every folder below it too", FOR_TRUST | FOR_UNTRUST, COMPLETES_NOTHING,
     NULL},
    {"forget", 0, OPTION_FLAG, FIELD(forget), true, NULL, "remove the entry instead", FOR_UNTRUST,
     COMPLETES_NOTHING, NULL},
    {"list", 0, OPTION_FLAG, FIELD(list), true, NULL, "print all entries and change nothing",
     FOR_TRUST, COMPLETES_NOTHING, NULL},
    {"help", 'h', OPTION_FLAG, FIELD(help), true, NULL, "print this", FOR_ALL, COMPLETES_NOTHING,
     NULL},
    {0},
};

const struct subcommand *command_find(const char *name)
{
    for (const struct subcommand *c = commands; c->name; c++)
        if (str_eq(c->name, name))
            return c;
    return NULL;
}

const struct subcommand *command_of(unsigned bit)
{
    for (const struct subcommand *c = commands; c->name; c++)
        if (c->bit == bit)
            return c;
    return NULL;
}

/* ---- finding the row ---- */

static const struct option *find_long(const struct subcommand *c, const char *name, size_t n)
{
    for (const struct option *o = options_table; o->name; o++)
        if ((o->commands & c->bit) && strlen(o->name) == n && memcmp(o->name, name, n) == 0)
            return o;
    return NULL;
}

static const struct option *find_letter(const struct subcommand *c, char letter)
{
    for (const struct option *o = options_table; o->name; o++)
        if ((o->commands & c->bit) && o->letter && o->letter == letter)
            return o;
    return NULL;
}

/* The option of another command, for "belongs to". */
static const struct subcommand *owner_of(const char *name, size_t n)
{
    for (const struct option *o = options_table; o->name; o++)
        if (strlen(o->name) == n && memcmp(o->name, name, n) == 0)
            for (const struct subcommand *c = commands; c->name; c++)
                if (o->commands & c->bit)
                    return c;
    return NULL;
}

static int unknown(const struct subcommand *c, const char *word, struct error *err)
{
    size_t n = strcspn(word, "=");
    int r = error_set(err, -EINVAL, "%s: unknown option %s", c->name, show_n(word, n));
    if (!str_starts(word, "--")) {
        error_hint(err, "see bawn %s --help; a word that begins with - comes after --", c->name);
        return r;
    }
    char name[64];
    (void)printable(name, sizeof(name), word + 2, n - 2);
    const char *candidates[ARRAY_LEN(options_table)];
    size_t count = 0;
    for (const struct option *o = options_table; o->name; o++)
        if (o->commands & c->bit)
            candidates[count++] = o->name;
    const char *near = nearest_word(name, candidates, count);
    const struct subcommand *owner = owner_of(word + 2, n - 2);
    if (near)
        error_hint(err, "did you mean --%s?", near);
    else if (owner)
        error_hint(err, "--%s belongs to bawn %s", name, owner->name);
    else
        error_hint(err, "see bawn %s --help", c->name);
    return r;
}

/* ---- values ---- */

static int push_word(struct options *o, struct word_list *list, const char *word)
{
    /* Powers of two: room runs out exactly when the count is one. */
    if ((list->n & (list->n - 1)) == 0) {
        const char **v = arena_zalloc(o->arena, list->n ? list->n * 2 : 1, sizeof(*v));
        if (!v)
            return -ENOMEM;
        if (list->n)
            memcpy(v, list->v, list->n * sizeof(*v));
        list->v = v;
    }
    list->v[list->n++] = word;
    return 0;
}

static bool parse_number(const char *s, unsigned long max, unsigned long *ret)
{
    unsigned long v = 0;
    if (!s || !*s)
        return false;
    for (; *s; s++) {
        if (*s < '0' || *s > '9')
            return false;
        v = v * 10 + (unsigned long)(*s - '0');
        if (v > max)
            return false;
    }
    *ret = v;
    return true;
}

static int parse_fd(const char *shown, const char *value, int *ret, struct error *err)
{
    unsigned long v;
    if (!parse_number(value, 1u << 20, &v))
        return error_set(err, -EINVAL, "%s: \"%s\" is not the number of a descriptor", shown,
                         show(value));
    if (fcntl((int)v, F_GETFD) < 0) {
        int r = error_set(err, -EINVAL, "%s: descriptor %lu is not open", shown, v);
        error_hint(err, "the caller opens it, as in: bawn sandbox %s %lu … %lu>FILE", shown, v, v);
        return r;
    }
    *ret = (int)v;
    return 0;
}

static int parse_mode(const char *value, enum sandbox_mode *ret)
{
    for (size_t i = 0; mode_words[i]; i++) {
        if (str_eq(value, mode_words[i])) {
            *ret = MODE_READ_ONLY + (enum sandbox_mode)i;
            return 0;
        }
    }
    return -EINVAL;
}

static int bad_word(const struct option *o, const char *shown, const char *value, struct error *err)
{
    int r = error_set(err, -EINVAL, "%s: unknown value \"%s\"; expected one of %s", shown,
                      show(value), o->help);
    size_t n = 0;
    while (o->words[n])
        n++;
    const char *near = nearest_word(value, o->words, n);
    if (near)
        error_hint(err, "did you mean %s?", near);
    return r;
}

static bool is_feature_name(const char *s)
{
    size_t n = 0;
    assert(s);
    for (; s[n]; n++)
        if (!((s[n] >= 'a' && s[n] <= 'z') || (s[n] >= '0' && s[n] <= '9') || s[n] == '_' ||
              s[n] == '-'))
            return false;
    return n > 0;
}

static int set_feature(struct options *o, const struct option *opt, const char *shown,
                       const char *value, struct error *err)
{
    if (!is_feature_name(value))
        return error_set(err, -EINVAL, "%s: \"%s\" is not the name of a feature", shown,
                         show(value));
    const char *word =
        arena_printf(o->arena, "features.%s=%s", value, opt->value ? "true" : "false");
    return word ? push_word(o, &o->overrides, word) : -ENOMEM;
}

/* Stores VALUE (NULL for a flag) where the row says. */
static int store(struct options *o, const struct option *opt, const char *shown, const char *value,
                 struct error *err)
{
    void *field = (char *)o + opt->offset;
    unsigned long number;
    int fd, r;
    if (opt->words && opt->kind == OPTION_WORD) {
        size_t i = 0;
        while (opt->words[i] && !str_eq(opt->words[i], value))
            i++;
        if (!opt->words[i])
            return bad_word(opt, shown, value, err);
    }
    if (opt->kind == OPTION_FLAG) {
        *(bool *)field = true;
        return 0;
    }
    assert(value); /* every other kind takes one, and was given it */
    switch (opt->kind) {
    case OPTION_FLAG:
        return 0;
    case OPTION_WORD:
        if (!*value)
            return error_set(err, -EINVAL, "%s: the value is empty", shown);
        *(const char **)field = value;
        return 0;
    case OPTION_WORDS:
        if (!*value)
            return error_set(err, -EINVAL, "%s: the value is empty", shown);
        return push_word(o, field, value);
    case OPTION_MODE:
        r = parse_mode(value, field);
        return r < 0 ? bad_word(opt, shown, value, err) : 0;
    case OPTION_FEATURE:
        return set_feature(o, opt, shown, value, err);
    case OPTION_FD:
        return parse_fd(shown, value, field, err);
    case OPTION_FDS:
        r = parse_fd(shown, value, &fd, err);
        if (r < 0)
            return r;
        if (!o->pass_fds && !(o->pass_fds = arena_zalloc(o->arena, MAX_PASS_FDS, sizeof(int))))
            return -ENOMEM;
        for (size_t i = 0; i < o->n_pass_fds; i++)
            if (o->pass_fds[i] == fd)
                return 0;
        if (o->n_pass_fds == MAX_PASS_FDS)
            return error_set(err, -EINVAL, "%s: more than %u descriptors", shown, MAX_PASS_FDS);
        o->pass_fds[o->n_pass_fds++] = fd;
        return 0;
    case OPTION_COUNT:
        if (!parse_number(value, 1000000000, &number) || number == 0)
            return error_set(err, -EINVAL, "%s: \"%s\" is not a positive number", shown,
                             show(value));
        *(unsigned long *)field = number;
        return 0;
    }
    return -EINVAL;
}

/* ---- the words in order ---- */

/* Handles the option at argv[*i] and its value; advances *i past what it used. */
static int one_option(const struct subcommand *c, int argc, char **argv, int *i, struct options *o,
                      struct error *err)
{
    const char *word = argv[*i], *value = NULL;
    const struct option *opt;
    if (word[1] == '-') {
        size_t n = strcspn(word + 2, "=");
        opt = find_long(c, word + 2, n);
        if (word[2 + n] == '=')
            value = word + 2 + n + 1;
    } else {
        opt = find_letter(c, word[1]);
        if (opt && word[2])
            value = opt->arg ? word + 2 + (word[2] == '=') : NULL;
        if (opt && word[2] && !opt->arg)
            opt = NULL; /* letters are not bundled */
    }
    if (!opt)
        return unknown(c, word, err);

    char shown[64];
    if (word[1] == '-')
        (void)snprintf(shown, sizeof(shown), "--%s", opt->name);
    else
        (void)snprintf(shown, sizeof(shown), "-%c", opt->letter);
    (*i)++;
    if (!opt->arg)
        return value ? error_set(err, -EINVAL, "%s: %s takes no value", c->name, shown)
                     : store(o, opt, shown, NULL, err);
    if (!value) {
        /* "-s --json" is a forgotten value, not a mode of that name. */
        if (*i >= argc || (argv[*i][0] == '-' && argv[*i][1])) {
            int r = error_set(err, -EINVAL, "%s: %s needs a value", c->name, shown);
            error_hint(err, "%s %s: %s", shown, opt->arg, opt->help);
            return r;
        }
        value = argv[(*i)++];
    }
    return store(o, opt, shown, value, err);
}

static int check_together(const struct subcommand *c, struct options *o, struct error *err)
{
    if (!o->yolo && !o->full_auto)
        return 0;
    const char *shown = o->yolo ? "--yolo" : "--full-auto";
    enum sandbox_mode want = o->yolo ? MODE_DANGER_FULL_ACCESS : MODE_WORKSPACE_WRITE;
    if ((o->yolo && o->full_auto) || o->permissions || (o->mode != MODE_UNSET && o->mode != want)) {
        const char *other = o->yolo && o->full_auto ? "--full-auto"
                            : o->permissions        ? "--permissions-profile"
                                                    : "--sandbox";
        return error_set(err, -EINVAL, "%s: %s and %s contradict each other", c->name, shown,
                         other);
    }
    o->mode = want;
    if (!o->policy)
        o->policy = o->yolo ? "never" : "on-request";
    return 0;
}

int options_parse(const struct subcommand *command, int argc, char **argv, struct arena *a,
                  struct options *ret, struct error *err)
{
    struct options o = {.arena = a, .status_fd = -1};
    size_t n_rest = 0;
    int i = 1;
    /* Words that are no options are gathered at the front of argv: argv[1 … n_rest]. */
    while (i < argc) {
        const char *word = argv[i];
        if (word[0] == '-' && word[1] == '-' && !word[2]) {
            i++;
            break;
        }
        if (word[0] != '-' || !word[1]) {
            if (command->runs)
                break;
            argv[1 + n_rest++] = argv[i++];
            continue;
        }
        int r = one_option(command, argc, argv, &i, &o, err);
        if (r < 0)
            return r == -ENOMEM ? error_errno(err, r, "cannot read the command line") : r;
        if (o.help)
            break;
    }
    if (!o.help) {
        int r = check_together(command, &o, err);
        if (r < 0)
            return r;
    }
    if (n_rest == 0) {
        o.rest = argv + i;
        o.n_rest = (size_t)(argc - i);
    } else {
        while (i < argc)
            argv[1 + n_rest++] = argv[i++];
        argv[1 + n_rest] = NULL;
        o.rest = argv + 1;
        o.n_rest = n_rest;
    }
    *ret = o;
    return 0;
}

/* ---- --help ---- */

#define HELP_COLUMN 33

static void help_line(const struct option *o, struct strbuf *out)
{
    size_t start = out->n;
    if (o->letter)
        strbuf_printf(out, "  -%c, --%s", o->letter, o->name);
    else
        strbuf_printf(out, "      --%s", o->name);
    if (o->arg)
        strbuf_printf(out, " %s", o->arg);
    size_t width = out->n - start;
    for (; width < HELP_COLUMN - 1; width++)
        strbuf_putc(out, ' ');
    strbuf_printf(out, " %s\n", o->help);
}

static void indented(const char *text, const char *indent, struct strbuf *out)
{
    while (text && *text) {
        size_t n = strcspn(text, "\n");
        strbuf_puts(out, indent);
        strbuf_put(out, text, n);
        strbuf_putc(out, '\n');
        text += n + (text[n] == '\n');
    }
}

void options_help(const struct subcommand *command, struct strbuf *out)
{
    const char *usage = command->usage;
    for (bool first = true; usage && (first || *usage); first = false) {
        size_t n = strcspn(usage, "\n");
        strbuf_printf(out, "%s bawn %s %.*s\n", first ? "Usage:" : "      ", command->name, (int)n,
                      usage);
        usage += n + (usage[n] == '\n');
    }
    indented(command->about, "", out);
    strbuf_puts(out, "\n");
    for (const struct option *o = options_table; o->name; o++)
        if ((o->commands & command->bit) && o->help)
            help_line(o, out);
    if (command->example) {
        strbuf_puts(out, "\n");
        indented(command->example, "  ", out);
    }
}

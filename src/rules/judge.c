/*
 * One class for a line. See judge.h.
 *
 * A rule is held against a program under every name that it has: as spelled, by its base name, and
 * as the file that was found, links followed. What restricts counts under any of them. An allow
 * counts for the name that was spelled, for a plain command, and only where the file found is one
 * that the sandbox cannot have put there.
 */
#include "rules/judge.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#define NAMES_MOST   5u
#define MATCHES_MOST 64u /* of one command that are kept: the strictest */

/* What a shell does itself (POSIX, "Shell Command Language", and what all of them share): there is
 * no file to be replaced. */
static const char *const builtins[] = {
    ".",      ":",    "[",    "break",    "cd",     "command", "continue", "echo",
    "eval",   "exec", "exit", "export",   "false",  "getopts", "hash",     "kill",
    "printf", "pwd",  "read", "readonly", "return", "set",     "shift",    "test",
    "times",  "trap", "true", "type",     "ulimit", "umask",   "unset",    "wait",
};

/* Where a later relative name leads is not known after one of these. */
static const char *const movers[] = {"cd", "pushd", "popd", "chdir"};

static bool is_among(const char *word, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(list[i], word))
            return true;
    return false;
}

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* ---- programs ---- */

struct known_program {
    const char *name;
    struct program program;
};

struct judging {
    struct arena *a;
    const struct judge_request *request;
    struct judgement *ret;
    struct known_program *programs; /* by the hash of their name; a power of two */
    size_t cap;
    bool moved; /* a command before this one changed the directory */
};

static int find(struct judging *j, const char *name, struct program *ret)
{
    const struct judge_request *q = j->request;
    if (!q->find) {
        *ret = (struct program){.trusted = true};
        return 0;
    }
    size_t at = 5381;
    for (const char *p = name; *p; p++)
        at = at * 33 + (unsigned char)*p;
    for (at &= j->cap - 1; j->programs[at].name; at = (at + 1) & (j->cap - 1))
        if (str_eq(j->programs[at].name, name)) {
            *ret = j->programs[at].program;
            return 0;
        }
    struct program p = {0};
    int r = q->find(q->data, j->a, name, &p);
    if (r == 0)
        j->programs[at] = (struct known_program){.name = name, .program = p};
    *ret = p;
    return r;
}

/* ---- matching ---- */

struct matches {
    struct rule_match v[MATCHES_MOST];
    size_t n;
};

static size_t list_names(const struct judged *d, const char *names[NAMES_MOST])
{
    const char *spelled = d->command->words[0].text;
    const char *const all[] = {base_of(spelled), spelled, d->program.path, d->program.resolved,
                               d->program.resolved ? base_of(d->program.resolved) : NULL};
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (all[i] && !is_among(all[i], names, n))
            names[n++] = all[i];
    return n;
}

/* A rule for `git` and /elsewhere/git: they are one program only where PATH leads there as well.
 * Another workspace of the same user is a place, too, where a sandbox may have put something. */
static bool is_that_of_path(struct judging *j, const struct judged *d, const char *spelled)
{
    struct program found = {0};
    if (!j->request->find)
        return true;
    return find(j, base_of(spelled), &found) == 0 && found.trusted && found.resolved &&
           d->program.resolved && str_eq(found.resolved, d->program.resolved);
}

/* Does an allow of RULE count for this command? NULL, or why not. */
static const char *allow_problem(struct judging *j, const struct judged *d,
                                 const struct rule_match *m, const char *name)
{
    const struct command *c = d->command;
    const char *spelled = c->words[0].text;
    const struct host_executable *host = rules_host_executable(j->request->rules, base_of(spelled));
    if (m->maybe)
        return "a word of it is known only when it runs";
    if (!c->plain || j->request->list->reading != READING_PLAIN)
        return "only a plain chain of commands can be allowed";
    if (!str_eq(name, spelled) && !str_eq(name, base_of(spelled)))
        return "the rule names another program";
    if (j->moved && strchr(spelled, '/') && spelled[0] != '/')
        return "the directory was changed before it";
    if (!d->program.trusted)
        return d->program.problem ? d->program.problem : "no such program is found";
    if (!host && strchr(spelled, '/') && !str_eq(name, spelled) && !is_that_of_path(j, d, spelled))
        return "PATH leads to another program of that name";
    if (!host || !d->program.path)
        return NULL;
    for (size_t i = 0; i < host->n; i++)
        if (str_eq(host->paths[i], d->program.path) ||
            (d->program.resolved && str_eq(host->paths[i], d->program.resolved)))
            return NULL;
    return "host_executable lists other files";
}

static enum line_class class_of(const struct rule_match *m)
{
    const struct rule *rule = m->rule;
    if (rule->decision == DECISION_FORBIDDEN)
        return m->maybe ? LINE_PROMPT : LINE_FORBIDDEN;
    if (rule->decision == DECISION_PROMPT)
        return LINE_PROMPT;
    /* A project's files are a stranger's text, and below its root a command may have written them:
     * they never open the sandbox. */
    if (rule->rank == RULES_PROJECT)
        return LINE_ALLOW_INSIDE;
    return rule->sandbox || rule->permissions ? LINE_ALLOW_INSIDE : LINE_ALLOW;
}

static void add_match(struct matches *all, const struct rule_match *m)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->v[i].rule == m->rule)
            return;
    /* The strictest first; alike ones in their order. */
    size_t at = all->n;
    while (at > 0 && class_of(&all->v[at - 1]) < class_of(m))
        at--;
    if (all->n == MATCHES_MOST && at == MATCHES_MOST)
        return;
    size_t after = (all->n == MATCHES_MOST ? MATCHES_MOST - 1 : all->n) - at;
    memmove(&all->v[at + 1], &all->v[at], after * sizeof(*all->v));
    all->v[at] = *m;
    all->n += all->n < MATCHES_MOST;
}

static int match_all(struct judging *j, struct judged *d, struct matches *ret)
{
    const struct command *c = d->command;
    const char *names[NAMES_MOST];
    size_t n = list_names(d, names);
    for (size_t i = 0; i < n; i++) {
        struct rule_match few[MATCHES_MOST], *found = few;
        size_t total = rules_match(j->request->rules, names[i], c->words, c->n, j->request->cwd,
                                   few, MATCHES_MOST);
        /* The strictest may be the last: none is left out. */
        if (total > MATCHES_MOST) {
            found = arena_zalloc(j->a, total, sizeof(*found));
            if (!found)
                return -ENOMEM;
            total = rules_match(j->request->rules, names[i], c->words, c->n, j->request->cwd, found,
                                total);
        }
        for (size_t k = 0; k < total; k++) {
            const char *why = NULL;
            if (found[k].rule->decision == DECISION_ALLOW)
                why = allow_problem(j, d, &found[k], names[i]);
            if (why)
                d->reason = d->reason ? d->reason : why;
            else
                add_match(ret, &found[k]);
        }
    }
    return 0;
}

/* ---- one command ---- */

static const char *rule_reason(struct arena *a, const struct rule_match *m)
{
    const struct rule *r = m->rule;
    return arena_printf(a, "rule %s:%u says %s%s%s%s", r->file ? r->file : "?", (unsigned)r->line,
                        decision_word(r->decision),
                        m->maybe ? " (what it runs with is known only when it runs)" : "",
                        r->justification ? ": " : "", r->justification ? r->justification : "");
}

static int judge_by_tables(struct judging *j, struct judged *d, size_t index)
{
    const struct judge_request *q = j->request;
    const char *spelled = d->command->words[0].text;
    struct classified c = classify(q->list, index, base_of(spelled), q->tables);
    d->class = LINE_UNKNOWN;
    if (c.class == CLASS_DANGEROUS) {
        d->class = LINE_DANGEROUS;
        d->reason = arena_printf(j->a, "it is known to be dangerous: %s", c.reason ? c.reason : "");
        return d->reason ? 0 : -ENOMEM;
    }
    if (c.class == CLASS_SAFE && d->command->plain && q->list->reading == READING_PLAIN) {
        if (d->program.trusted)
            d->class = LINE_SAFE;
        else
            d->reason = d->program.problem ? d->program.problem : "no such program is found";
    }
    if (d->class == LINE_SAFE)
        d->reason = "it is known to be safe";
    else if (!d->reason)
        d->reason = "no rule mentions it";
    return 0;
}

static int judge_one(struct judging *j, size_t index)
{
    const struct judge_request *q = j->request;
    const struct command *c = &q->list->v[index];
    struct judged *d = (struct judged *)(uintptr_t)&j->ret->v[index];
    struct matches matches = {.n = 0};
    d->command = c;
    if (!c->words[0].known) {
        d->class = LINE_UNKNOWN;
        d->reason = "which program it is, is known only when it runs";
        struct classified t = classify(q->list, index, base_of(c->words[0].text), q->tables);
        if (t.class == CLASS_DANGEROUS) {
            d->class = LINE_DANGEROUS;
            d->reason = t.reason ? t.reason : "it is known to be dangerous";
        }
        return 0;
    }
    const char *name = c->words[0].text;
    int r = 0;
    if (q->list->shell && c->plain && is_among(name, builtins, ARRAY_LEN(builtins)))
        d->program = (struct program){.trusted = true};
    else
        r = find(j, name, &d->program);
    if (r < 0)
        return r;
    r = match_all(j, d, &matches);
    if (r < 0)
        return r;
    if (is_among(base_of(name), movers, ARRAY_LEN(movers)))
        j->moved = true;
    if (matches.n == 0)
        return judge_by_tables(j, d, index);
    struct rule_match *kept = arena_zalloc(j->a, matches.n, sizeof(*kept));
    if (!kept)
        return -ENOMEM;
    memcpy(kept, matches.v, matches.n * sizeof(*kept));
    d->matches = kept;
    d->n_matches = matches.n;
    d->class = class_of(&kept[0]);
    d->reason = rule_reason(j->a, &kept[0]);
    return d->reason ? 0 : -ENOMEM;
}

/* ---- the line ---- */

/* The shell itself is a program as well, and all that it runs depends on it. */
static int judge_shell(struct judging *j)
{
    const struct judge_request *q = j->request;
    struct judgement *line = j->ret;
    struct program shell = {0};
    if (!q->shell || line->class > LINE_SAFE)
        return 0;
    int r = find(j, q->shell, &shell);
    if (r < 0 || shell.trusted)
        return r;
    line->class = LINE_UNKNOWN;
    line->decided = NULL;
    line->reason = arena_printf(j->a, "the shell is not one to be trusted: %s",
                                shell.problem ? shell.problem : "it is not found");
    return line->reason ? 0 : -ENOMEM;
}

static void raise_to(struct judgement *line, enum line_class class, const char *reason)
{
    if (line->class >= class)
        return;
    line->class = class;
    line->decided = NULL;
    line->reason = reason;
}

static void find_class(struct judging *j)
{
    const struct judge_request *q = j->request;
    struct judgement *line = j->ret;
    line->class = LINE_ALLOW;
    for (size_t i = 0; i < line->n; i++) {
        const struct judged *d = &line->v[i];
        /* Behind a wrapper of a plain line: the wrapper is judged, this only restricts. */
        bool counts =
            d->command->plain || q->list->reading != READING_PLAIN || d->class > LINE_UNKNOWN;
        if (counts && (!line->decided || d->class > line->class)) {
            line->class = d->class;
            line->decided = d;
            line->reason = d->reason;
        }
    }
    if (q->list->reading != READING_PLAIN || !line->decided)
        raise_to(line, LINE_UNKNOWN,
                 q->list->reason ? q->list->reason : "nothing in it is a command");
    if (q->broken_project_rules && line->class > LINE_ALLOW_INSIDE)
        raise_to(line, LINE_PROMPT, "the project's rules are broken, and no other rule allows it");
}

/* The profile of the allowing rules, where all name the same. */
static void find_permissions(struct judgement *line)
{
    const char *name = NULL;
    if (line->class != LINE_ALLOW_INSIDE)
        return;
    for (size_t i = 0; i < line->n; i++) {
        const struct judged *d = &line->v[i];
        const struct rule *rule = d->n_matches ? d->matches[0].rule : NULL;
        const char *one = rule && rule->rank != RULES_PROJECT ? rule->permissions : NULL;
        if (!d->command->plain)
            continue;
        if (!one || (name && !str_eq(name, one)))
            return;
        name = one;
    }
    line->permissions = name;
}

int judge(struct arena *a, const struct judge_request *request, struct judgement *ret)
{
    struct judgement line = {.list = request->list, .n = request->list->n};
    struct judging j = {.a = a, .request = request, .ret = &line, .cap = 16};
    while (j.cap < (line.n + 1) * 4) /* each as spelled and by its base name */
        j.cap *= 2;
    line.v = arena_zalloc(a, line.n + 1, sizeof(*line.v));
    j.programs = request->find ? arena_zalloc(a, j.cap, sizeof(*j.programs)) : NULL;
    if (!line.v || (request->find && !j.programs))
        return -ENOMEM;
    for (size_t i = 0; i < line.n; i++) {
        int r = judge_one(&j, i);
        if (r < 0)
            return r;
    }
    find_class(&j);
    int r = judge_shell(&j);
    if (r < 0)
        return r;
    find_permissions(&line);
    *ret = line;
    return 0;
}

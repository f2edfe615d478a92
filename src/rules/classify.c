/*
 * What is known of a command without rules. See classify.h.
 *
 * In this order: what the configuration calls dangerous; the built-in dangers, but for what it
 * calls not dangerous; then, for a command of the plain chain that is spelled by its bare name and
 * has no unknown word, what the configuration and the table call known-safe, but for what it calls
 * not safe. Restriction wins wherever two entries meet.
 */
#include "rules/classify.h"

#include "rules/safety.h"

/* Entries that open: word for word, from the first on, and every one known. */
static bool is_prefix(const struct safety_entry *e, const struct command *c, const char *program)
{
    if (e->n == 0 || e->n > c->n || !str_eq(e->words[0], program))
        return false;
    for (size_t i = 1; i < e->n; i++)
        if (!c->words[i].known || !str_eq(e->words[i], c->words[i].text))
            return false;
    return true;
}

/* Does WORD of an entry stand in the command behind *AT, with nothing but options before it? An
 * unknown word may be anything. */
static bool finds(const char *word, const struct command *c, size_t *at)
{
    for (size_t i = *at; i < c->n; i++) {
        if (!c->words[i].known || str_eq(word, c->words[i].text)) {
            *at = c->words[i].known ? i + 1 : i; /* it may be several, too */
            return true;
        }
        if (c->words[i].text[0] != '-')
            return false;
    }
    return false;
}

/* Entries that restrict look past options, so that `terraform -chdir=x destroy` is met by
 * { terraform, destroy }, and past those of git that take a word. */
static bool could_be(const struct safety_entry *e, const struct command *c, const char *program)
{
    size_t at = 1;
    if (e->n == 0 || !str_eq(e->words[0], program))
        return false;
    if (is_prefix(e, c, program))
        return true;
    if (str_eq(program, "git") && e->n > 1 && e->words[1][0] != '-')
        at = git_subcommand(c, NULL);
    for (size_t i = 1; i < e->n; i++)
        if (!finds(e->words[i], c, &at))
            return false;
    return true;
}

static bool any_of(const struct safety_entry *v, size_t n, const struct command *c,
                   const char *program,
                   bool (*meets)(const struct safety_entry *, const struct command *, const char *))
{
    for (size_t i = 0; i < n; i++)
        if (meets(&v[i], c, program))
            return true;
    return false;
}

static bool all_known(const struct command *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (!c->words[i].known)
            return false;
    return true;
}

struct classified classify(const struct command_list *list, size_t index, const char *program,
                           const struct safety_tables *tables)
{
    static const struct safety_tables none = {0};
    const struct safety_tables *t = tables ? tables : &none;
    const struct command *c = &list->v[index];
    if (any_of(t->dangerous, t->n_dangerous, c, program, could_be))
        return (struct classified){CLASS_DANGEROUS, "commands.dangerous has it"};
    if (!any_of(t->not_dangerous, t->n_not_dangerous, c, program, is_prefix)) {
        const char *reason = known_dangerous(list, index, program);
        if (reason)
            return (struct classified){CLASS_DANGEROUS, reason};
    }
    const char *name = c->words[0].text;
    if (!c->plain || !all_known(c) || strchr(name, '/') ||
        any_of(t->not_safe, t->n_not_safe, c, name, could_be) ||
        any_of(t->not_safe, t->n_not_safe, c, program, could_be))
        return (struct classified){CLASS_UNKNOWN, NULL};
    if (any_of(t->safe, t->n_safe, c, name, is_prefix))
        return (struct classified){CLASS_SAFE, "commands.known_safe has it"};
    if (known_safe(c))
        return (struct classified){CLASS_SAFE, "it only looks"};
    return (struct classified){CLASS_UNKNOWN, NULL};
}

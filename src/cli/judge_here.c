/* A command judged as it would be run here. See judge_here.h. */
#include "cli/judge_here.h"

#include "base/path.h"
#include "cli/policy.h"
#include "cli/rules_load.h"
#include "config/config.h"

#include <errno.h>
#include <stdlib.h>

static int find_program(void *data, struct arena *a, const char *name, struct program *ret)
{
    const struct here *h = data;
    const struct program_request request = {
        .path = h->path, .cwd = h->s->cwd, .writable = h->writable, .n_writable = h->n_writable};
    return program_find(a, &request, name, ret);
}

/* With full access nothing is a sandbox's. Where it is read-only now, it may have been another
 * sandbox's before: the project, and what is for temporary files, always count. */
static int find_writable(struct here *h)
{
    const struct profile *p = h->s->profile;
    const char *always[] = {h->s->cwd_lost ? NULL : h->s->cwd, h->s->config->project.root, "/tmp",
                            "/var/tmp"};
    h->writable = arena_zalloc(h->a, p->n_entries + ARRAY_LEN(always), sizeof(*h->writable));
    if (!h->writable)
        return -ENOMEM;
    for (size_t i = 0; !p->full_access && i < ARRAY_LEN(always); i++)
        if (always[i] && !str_eq(always[i], "/"))
            h->writable[h->n_writable++] = always[i];
    for (size_t i = 0; !p->full_access && i < p->n_entries; i++) {
        char *real;
        size_t missing;
        if (p->entries[i].access != ACCESS_WRITE || p->entries[i].glob)
            continue;
        if (path_canonical(h->a, p->entries[i].path, &real, &missing) < 0)
            return -ENOMEM;
        h->writable[h->n_writable++] = real;
    }
    return 0;
}

/* Configuration can set another than bawn's own. */
static const char *command_path(const struct here *h)
{
    const struct string_list *set = &h->s->config->env_set;
    const char *path = getenv("PATH");
    for (size_t i = 0; i < set->n; i++)
        if (str_starts(set->v[i], "PATH="))
            path = set->v[i] + sizeof("PATH=") - 1;
    return path;
}

/* Could a sandbox put a program there, or does it depend on the directory? */
static bool can_be_planted(const struct here *h, struct bytes dir)
{
    char *real;
    const char *text =
        dir.n && dir.p[0] == '/' ? arena_printf(h->a, "%.*s", (int)dir.n, dir.p) : NULL;
    const char *tidy = text ? path_join(h->a, "/", text) : NULL;
    if (!tidy || path_canonical(h->a, text, &real, NULL) < 0)
        return true;
    for (size_t i = 0; i < h->n_writable; i++)
        if (path_is_below(tidy, h->writable[i]) || path_is_below(real, h->writable[i]))
            return true;
    return false;
}

/* The programs that rules allowed were found in other entries, where nothing can be planted. What
 * could be planted in the meantime, or is met after a `cd`, comes behind them. */
static void split_path(const struct here *h, struct strbuf *firm, struct strbuf *rest)
{
    for (const char *entry = h->path;; entry++) {
        struct bytes dir = {entry, strcspn(entry, ":")};
        struct strbuf *to = can_be_planted(h, dir) ? rest : firm;
        strbuf_putc(to, ':');
        strbuf_put(to, dir.p, dir.n);
        entry += dir.n;
        if (!*entry)
            break;
    }
}

const char *here_firm_path(const struct here *h)
{
    _cleanup_strbuf_ struct strbuf firm = {0}, rest = {0};
    if (!h->path)
        return NULL;
    split_path(h, &firm, &rest);
    strbuf_put(&firm, strbuf_text(&rest), rest.n);
    return strbuf_failed(&firm) || strbuf_failed(&rest)
               ? NULL
               : arena_strdup(h->a, strbuf_text(&firm) + 1);
}

const char *here_only_firm(const struct here *h)
{
    _cleanup_strbuf_ struct strbuf firm = {0}, rest = {0};
    split_path(h, &firm, &rest);
    if (strbuf_failed(&firm) || strbuf_failed(&rest))
        return NULL;
    return arena_strdup(h->a, firm.n ? strbuf_text(&firm) + 1 : "");
}

int here_look(struct here *h)
{
    const char *path = command_path(h);
    h->path = path ? path : "/usr/local/bin:/usr/bin:/bin";
    return find_writable(h);
}

/* A shell that reads text is a command as well: rules that restrict it count. */
static int add_shell(struct here *h, const char *const *argv, size_t argc)
{
    struct command *v = arena_zalloc(h->a, h->list.n + 1, sizeof(*v));
    struct command_word *words = arena_zalloc(h->a, argc, sizeof(*words));
    if (!v || !words)
        return -ENOMEM;
    if (h->list.n)
        memcpy(v, h->list.v, h->list.n * sizeof(*v));
    for (size_t i = 0; i < argc; i++)
        words[i] = (struct command_word){.text = argv[i], .known = true};
    v[h->list.n] = (struct command){.words = words, .n = argc, .pipes_to = UINT32_MAX};
    h->list.v = v;
    h->list.n++;
    return 0;
}

int here_judge(struct here *h, const char *const *argv, size_t argc, struct error *err)
{
    struct safety_tables tables;
    int r = rules_load(h->s, &h->rules, &h->broken_project_rules, err);
    if (r < 0)
        return r;
    h->path = command_path(h);
    h->policy = policy_of(h->s);
    if ((r = find_writable(h)) < 0 || (r = policy_tables(h->s, &tables)) < 0)
        return error_errno(err, r, "cannot judge the command");
    r = command_read(h->a, argv, argc, &h->list, err);
    if (r < 0)
        return r == -ENOMEM ? error_errno(err, r, "cannot read the command") : r;
    if (h->list.shell && add_shell(h, argv, argc) < 0)
        return error_errno(err, -ENOMEM, "cannot read the command");
    const struct judge_request request = {.list = &h->list,
                                          .rules = h->rules,
                                          .tables = &tables,
                                          .cwd = h->s->cwd,
                                          .shell = h->list.shell ? argv[0] : NULL,
                                          .broken_project_rules = h->broken_project_rules,
                                          .find = find_program,
                                          .data = h};
    r = judge(h->a, &request, &h->judgement);
    return r < 0 ? error_errno(err, r, "cannot judge the command") : 0;
}

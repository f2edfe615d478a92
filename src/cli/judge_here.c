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

/* With full access nothing is a sandbox's. */
static int find_writable(struct here *h)
{
    const struct profile *p = h->s->profile;
    h->writable = arena_zalloc(h->a, p->n_entries + 1, sizeof(*h->writable));
    if (!h->writable)
        return -ENOMEM;
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

/*
 * bawn status: what would hold here, in words. Makes the plan that a command would run under and
 * runs nothing.
 */
#include "cli/cmd_config.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "config/requirements.h"

#include <errno.h>

/* Names beyond this many are counted, not listed. */
#define LISTED 6u

struct status {
    struct setup *s;
    struct strbuf *out;
};

static void put(struct strbuf *out, const char *text)
{
    strbuf_put_printable(out, text, strlen(text));
}

static void label(struct status *t, const char *name)
{
    strbuf_printf(t->out, "%-13s", name);
}

/* "  (FILE:LINE)": who said so. */
static void end_line(struct status *t, const struct origin *o)
{
    if (o) {
        strbuf_puts(t->out, "  (");
        put(t->out, config_place(&t->s->arena, o));
        strbuf_putc(t->out, ')');
    }
    strbuf_putc(t->out, '\n');
}

/* ---- what of the plan is worth a line ---- */

static bool is_protected(const struct plan_mount *m)
{
    return m->op == MOUNT_MISSING ||
           (m->op == MOUNT_BIND && !m->write && m->entry && m->entry->kind != ENTRY_NAMED &&
            m->entry->kind != ENTRY_BASE);
}

static bool is_masked(const struct plan_mount *m)
{
    return m->op == MOUNT_MASK;
}

static void mounts_line(struct status *t, const char *name,
                        bool (*wanted)(const struct plan_mount *))
{
    const struct plan *p = t->s->plan;
    size_t n = 0;
    label(t, name);
    for (size_t i = 0; i < p->n_mounts; i++) {
        if (!wanted(&p->mounts[i]))
            continue;
        if (n < LISTED) {
            strbuf_puts(t->out, n ? ", " : "");
            put(t->out, p->mounts[i].path);
        }
        n++;
    }
    if (n > LISTED)
        strbuf_printf(t->out, " and %zu more", n - LISTED);
    if (n == 0)
        strbuf_puts(t->out, "nothing");
    end_line(t, NULL);
}

/* What the profile gives for writing, as it was asked for. */
static void writable_line(struct status *t)
{
    const struct profile *p = t->s->profile;
    size_t n = 0;
    label(t, "writable");
    for (size_t i = 0; i < p->n_entries; i++) {
        const struct perm_entry *e = &p->entries[i];
        if (e->access != ACCESS_WRITE || (i && str_eq(e->path, p->entries[i - 1].path)))
            continue;
        strbuf_puts(t->out, n++ ? ", " : "");
        put(t->out, e->path);
    }
    strbuf_puts(t->out, n ? "" : "nothing");
    end_line(t, NULL);
}

/* Names directly under several roots: each once, by its last component where that is shared. */
static void protected_line(struct status *t)
{
    const struct plan *p = t->s->plan;
    size_t n = 0, listed = 0;
    label(t, "protected");
    for (size_t i = 0; i < p->n_mounts; i++) {
        const struct plan_mount *m = &p->mounts[i];
        const char *name = is_protected(m) ? strrchr(m->path, '/') : NULL;
        bool again = false;
        for (size_t k = 0; name && k < i && !again; k++) {
            const char *other =
                is_protected(&p->mounts[k]) ? strrchr(p->mounts[k].path, '/') : NULL;
            again = other && str_eq(other, name);
        }
        if (!name)
            continue;
        n++;
        if (again || listed == 2 * LISTED)
            continue;
        strbuf_puts(t->out, listed++ ? ", " : "");
        put(t->out, name + 1);
    }
    strbuf_puts(t->out, n ? "" : "nothing");
    if (n)
        strbuf_printf(t->out, ": %zu paths", n);
    end_line(t, NULL);
}

/* ---- lines ---- */

static void put_sandbox(struct status *t)
{
    const struct profile *p = t->s->profile;
    label(t, "mode");
    strbuf_puts(t->out, p->mode);
    end_line(t, &p->origin);
    label(t, "profile");
    put(t->out, p->name);
    end_line(t, NULL);
    label(t, "workspace");
    put(t->out, t->s->cwd);
    end_line(t, NULL);
    if (p->full_access) {
        label(t, "sandbox");
        strbuf_puts(t->out, "none: nothing is confined\n");
    } else {
        writable_line(t);
        protected_line(t);
        mounts_line(t, "masked", is_masked);
        label(t, "backend");
        strbuf_printf(t->out, "%s: ", sandbox_backend_word(t->s->plan->backend));
        put(t->out, t->s->plan->backend_reason);
        end_line(t, NULL);
    }
    label(t, "network");
    strbuf_puts(t->out, network_word(p->network));
    end_line(t, &p->network_origin);
}

static void put_agent(struct status *t)
{
    const struct config *c = t->s->config;
    label(t, "approvals");
    strbuf_puts(t->out, c->approval_policy);
    end_line(t, &c->approval_policy_origin);
    label(t, "reviewer");
    put(t->out, c->approvals_reviewer);
    end_line(t, &c->approvals_reviewer_origin);
    label(t, "web search");
    strbuf_puts(t->out, config_web_search(c, t->s->profile->full_access));
    end_line(t, &c->web_search_origin);
}

static void put_project(struct status *t)
{
    const struct config *c = t->s->config;
    if (!c->project.root)
        return;
    label(t, "project");
    put(t->out, c->project.root);
    strbuf_printf(t->out, ": %s", trust_word(c->trust));
    end_line(t, c->trust_entry ? &c->trust_entry->origin : NULL);
}

static void put_layers(struct status *t)
{
    const struct config *c = t->s->config;
    for (enum config_rank rank = RANK_SYSTEM; rank <= RANK_MANAGED; rank++) {
        for (size_t i = 0; i < c->n_layers; i++) {
            const struct config_layer *layer = &c->layers[i];
            if (layer->rank != rank || rank == RANK_SESSION)
                continue;
            label(t, layer->name);
            put(t->out, layer->file);
            if (!layer->read)
                strbuf_printf(t->out, ": not read, %s", layer->reason);
            strbuf_putc(t->out, '\n');
        }
    }
}

static void put_requirements(struct status *t)
{
    const struct requirements *q = t->s->config->requirements;
    if (!q->any) {
        label(t, "requirements");
        strbuf_puts(t->out, "none\n");
        return;
    }
    for (const struct toml_member *m = q->tree ? q->tree->table.first : NULL; m; m = m->next) {
        struct origin o = config_origin(m->value, m->key_span);
        label(t, "requirements");
        put(t->out, m->key.p);
        end_line(t, &o);
    }
    const struct string_list *of_managed[] = {&q->modes, &q->policies};
    for (size_t i = 0; i < ARRAY_LEN(of_managed); i++) {
        if (!of_managed[i]->set ||
            !str_eq(of_managed[i]->origin.layer, config_rank_word(RANK_MANAGED)))
            continue;
        label(t, "requirements");
        strbuf_printf(t->out, "%s: only %s, and what is stricter",
                      i == 0 ? "sandbox_mode" : "approval_policy", of_managed[i]->v[0]);
        end_line(t, &of_managed[i]->origin);
    }
}

/* ---- JSON ---- */

static void status_json(const struct setup *s, struct json *j)
{
    const struct config *c = s->config;
    json_object(j);
    json_kv_string(j, "workspace", s->cwd);
    json_key(j, "plan");
    plan_json(s->plan, j);
    json_kv_string(j, "approval_policy", c->approval_policy);
    json_kv_string(j, "approvals_reviewer", c->approvals_reviewer);
    json_kv_string(j, "web_search", config_web_search(c, s->profile->full_access));
    json_key(j, "project");
    json_object(j);
    json_kv_string(j, "root", c->project.root);
    json_kv_string(j, "main_repository", c->project.main_repository);
    json_kv_string(j, "trust", trust_word(c->trust));
    json_end_object(j);
    json_key(j, "layers");
    config_layers_json(c, j);
    json_key(j, "requirements");
    config_requirements_json(c->requirements, j);
    json_end_object(j);
}

int cmd_status(int argc, char **argv)
{
    _cleanup_setup_ struct setup s = {0};
    _cleanup_strbuf_ struct strbuf out = {0};
    struct options o;
    struct error err = {0};
    int status;
    if (!cli_parse(FOR_STATUS, argc, argv, &s, &o, &status))
        return status;
    if (o.n_rest)
        return cli_failure(EXIT_USAGE, "status: takes no word: %s", show(o.rest[0]));
    s.purpose = SETUP_PLAN;
    status = cli_load(&s, &o);
    if (status)
        return status;
    if (setup_survey(&s, &err) < 0 || setup_plan(&s, &err) < 0)
        return cli_error(&err, EXIT_SETUP);
    if (o.json) {
        struct json j;
        json_begin(&j, &out);
        status_json(&s, &j);
        strbuf_putc(&out, '\n');
        return print_out(&out);
    }
    struct status t = {&s, &out};
    put_sandbox(&t);
    put_agent(&t);
    put_project(&t);
    put_layers(&t);
    put_requirements(&t);
    print_warnings(s.plan->warnings, s.plan->n_warnings);
    return print_out(&out);
}

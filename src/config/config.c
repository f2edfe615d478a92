/*
 * One configuration out of its layers: merged, held against the requirements, read into typed
 * fields.
 *
 * Layers are loaded in layers.c, projects' files are tightened in tighten.c, what an administrator
 * fixed is in requirements.c. The typed fields of struct config are read off the merged tree at the
 * end: defaults are a layer like any other, so there is one place for each.
 */
#include "config/config.h"

#include "base/path.h"
#include "config/keys.h"
#include "config/layers.h"
#include "config/otel.h"
#include "config/requirements.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* ---- places and warnings ---- */

struct origin config_origin(const struct toml_value *value, struct toml_span span)
{
    const struct config_layer *layer = value->owner;
    if (!layer)
        return (struct origin){.layer = "default"};
    return (struct origin){layer->name, layer->file, layer->text.p ? span.line : 0,
                           layer->text.p ? span.column : 0};
}

bool config_is_default(const struct origin *origin)
{
    return !origin->layer || str_eq(origin->layer, "default");
}

bool config_is_above_projects(const struct origin *origin)
{
    static const enum config_rank above[] = {RANK_SESSION, RANK_MANAGED, RANK_FLAG};
    for (size_t i = 0; origin->layer && i < ARRAY_LEN(above); i++)
        if (str_eq(origin->layer, config_rank_word(above[i])))
            return true;
    return false;
}

void config_error_at(struct error *err, const struct toml_value *value, struct toml_span span)
{
    const struct config_layer *layer = value->owner;
    if (err && layer && layer->text.p)
        toml_error_at(err, layer->file, layer->text, span);
    else if (err && layer)
        error_at(err, layer->file, 0, 0, 0, NULL, 0);
}

static int add_warning(struct config *config, const char *text)
{
    size_t n = config->n_warnings;
    if (!text)
        return -ENOMEM;
    if (n > MAX_CONFIG_WARNINGS)
        return 0;
    if ((n & (n - 1)) == 0) { /* full at every power of two */
        const char **v = arena_zalloc(config->arena, n ? 2 * n : 1, sizeof(*v));
        if (!v)
            return -ENOMEM;
        if (n)
            memcpy(v, config->warnings, n * sizeof(*v));
        config->warnings = v;
    }
    config->warnings[config->n_warnings++] =
        n == MAX_CONFIG_WARNINGS ? "there are more warnings than are shown" : text;
    return 0;
}

int config_warn(struct config *config, const char *fmt, ...)
{
    char text[ERROR_MESSAGE_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return add_warning(config, arena_strdup(config->arena, text));
}

int config_warn_error(struct config *config, const struct error *what)
{
    const char *note = what->note[0] ? what->note : what->hint;
    const char *sep = note[0] ? "; " : "";
    if (what->line)
        return config_warn(config, "%s:%u:%u: %s%s%s", what->file, what->line, what->column,
                           what->message, sep, note);
    return config_warn(config, "%s%s%s%s%s", what->file, what->file[0] ? ": " : "", what->message,
                       sep, note);
}

const char *config_place(struct arena *a, const struct origin *origin)
{
    const char *text;
    if (!origin->file)
        return "the default";
    if (origin->line == 0 || origin->file[0] == '-')
        return origin->file;
    text = arena_printf(a, "%s:%u", show(origin->file), origin->line);
    return text ? text : "";
}

const char *sandbox_mode_word(enum sandbox_mode mode)
{
    static const char *const words[] = {
        [MODE_READ_ONLY] = "read-only",
        [MODE_WORKSPACE_WRITE] = "workspace-write",
        [MODE_DANGER_FULL_ACCESS] = "danger-full-access",
    };
    return words[mode];
}

const char *sandbox_backend_word(enum backend backend)
{
    static const char *const words[] = {
        [BACKEND_AUTO] = "auto",         [BACKEND_BWRAP] = "bwrap",
        [BACKEND_BUNDLED] = "bundled",   [BACKEND_LANDLOCK] = "landlock",
        [BACKEND_EXTERNAL] = "external",
    };
    return words[backend];
}

/* ---- from the tree to the typed fields ---- */

static const struct toml_value *find(const struct config *c, const char *name)
{
    return tree_find(c->tree, name);
}

const struct toml_value *config_find(const struct config *config, const char *name)
{
    return tree_find(config->tree, name);
}

/* The types were checked layer by layer; a table that a higher layer replaced by a scalar was
 * refused. */
static void get_bool(const struct config *c, const char *name, bool *ret, struct origin *ret_origin)
{
    const struct toml_value *v = find(c, name);
    if (!v || v->type != TOML_BOOLEAN)
        return;
    *ret = v->boolean;
    if (ret_origin)
        *ret_origin = config_origin(v, v->span);
}

static void get_number(const struct config *c, const char *name, uint64_t *ret)
{
    const struct toml_value *v = find(c, name);
    if (v && v->type == TOML_INTEGER && v->integer >= 0)
        *ret = (uint64_t)v->integer;
    else if (v && v->type == TOML_STRING)
        (void)key_parse_size(v->string, ret);
}

static void get_unsigned(const struct config *c, const char *name, unsigned *ret)
{
    uint64_t n = 0;
    get_number(c, name, &n);
    *ret = (unsigned)n;
}

static const char *get_string(const struct config *c, const char *name, struct origin *ret_origin)
{
    const struct toml_value *v = find(c, name);
    if (!v || v->type != TOML_STRING)
        return NULL;
    if (ret_origin)
        *ret_origin = config_origin(v, v->span);
    return v->string.p;
}

/* The index of the key's word, counted from FIRST; 0 when unset. */
static unsigned get_word(const struct config *c, const char *name, unsigned first,
                         struct origin *ret_origin)
{
    struct bytes part = bytes_of(name), *parts = &part, two[2];
    const char *dot = strchr(name, '.');
    size_t n = 1;
    if (dot) {
        two[0] = (struct bytes){name, (size_t)(dot - name)};
        two[1] = bytes_of(dot + 1);
        parts = two;
        n = 2;
    }
    const struct config_key *key = keys_find(&config_keys, parts, n, NULL);
    const char *word = get_string(c, name, ret_origin);
    for (unsigned i = 0; key && word && key->words[i]; i++)
        if (str_eq(word, key->words[i]))
            return first + i;
    return 0;
}

static int get_list(struct config *c, const char *name, struct string_list *ret)
{
    const struct toml_value *v = find(c, name);
    if (!v || v->type != TOML_ARRAY)
        return 0;
    ret->v = arena_zalloc(c->arena, v->array.n + 1, sizeof(*ret->v));
    if (!ret->v)
        return -ENOMEM;
    for (size_t i = 0; i < v->array.n; i++)
        ret->v[i] = v->array.items[i]->string.p;
    ret->n = v->array.n;
    ret->origin = config_origin(v, v->span);
    ret->set = !str_eq(ret->origin.layer, "default");
    return 0;
}

static int read_env_set(struct config *c, struct error *err)
{
    const struct toml_value *v = find(c, "shell_environment_policy.set");
    struct string_list *set = &c->env_set;
    if (!v || v->type != TOML_TABLE)
        return 0;
    set->v = arena_zalloc(c->arena, v->table.n + 1, sizeof(*set->v));
    if (!set->v)
        return error_errno(err, -ENOMEM, "shell_environment_policy.set");
    for (const struct toml_member *m = v->table.first; m; m = m->next) {
        if (m->key.n == 0 || memchr(m->key.p, '=', m->key.n)) {
            (void)error_set(err, -EINVAL,
                            "shell_environment_policy.set: \"%s\" cannot be a variable's name",
                            show_n(m->key.p, m->key.n));
            config_error_at(err, m->value, m->key_span);
            return -EINVAL;
        }
        set->v[set->n] = arena_printf(c->arena, "%s=%s", m->key.p, m->value->string.p);
        if (!set->v[set->n++])
            return error_errno(err, -ENOMEM, "shell_environment_policy.set");
    }
    set->origin = config_origin(v, v->span);
    set->set = true;
    return 0;
}

/* Sockets are named outright; `~` is the only thing that is expanded. */
static int read_sockets(struct config *c, const char *home, struct error *err)
{
    struct string_list *list = &c->allow_unix_sockets;
    for (size_t i = 0; i < list->n; i++) {
        const char *s = list->v[i];
        const struct toml_value *at = find(c, "allow_unix_sockets")->array.items[i];
        bool tilde = s[0] == '~' && (s[1] == '/' || s[1] == '\0');
        if (tilde && home)
            list->v[i] = path_join(c->arena, home, s[1] ? s + 2 : "");
        else if (s[0] == '/')
            list->v[i] = path_join(c->arena, "/", s);
        else {
            (void)error_set(err, -EINVAL, "allow_unix_sockets: \"%s\" %s", show(s),
                            tilde ? "cannot be expanded: there is no home directory"
                                  : "is not an absolute path");
            config_error_at(err, at, at->span);
            return -EINVAL;
        }
        if (!list->v[i])
            return error_errno(err, -ENOMEM, "allow_unix_sockets");
    }
    return 0;
}

static const char *truth(bool v)
{
    return v ? "true" : "false";
}

static bool says(const struct toml_value *table, const char *name)
{
    const struct toml_value *v = table ? toml_get(table, bytes_of(name)) : NULL;
    return v && v->boolean;
}

/* Is NAME asked, not refused? Of the newer spelling what says true, of the older one what it does
 * not reject. Where both stand, a layer each, what neither refuses; where none does, nothing. */
static bool is_asked(const struct config *c, const char *name)
{
    const struct toml_value *granular = find(c, "approval_policy.granular");
    const struct toml_value *reject = find(c, "approval_policy.reject");
    return (granular || reject) && (!granular || says(granular, name)) && !says(reject, name);
}

static int read_granular(struct config *c)
{
    struct config_granular *g = &c->granular;
    const struct toml_value *older = find(c, "approval_policy.reject");
    g->sandbox_approval = is_asked(c, "sandbox_approval");
    g->rules = is_asked(c, "rules");
    g->mcp_elicitations = is_asked(c, "mcp_elicitations");
    g->request_permissions = is_asked(c, "request_permissions");
    g->skill_approval = is_asked(c, "skill_approval");
    if (!older)
        return 0;
    struct origin origin = config_origin(older, older->span);
    return config_warn(
        c,
        "%s: approval_policy.reject: the older spelling; now it is granular = { "
        "sandbox_approval = %s, rules = %s, mcp_elicitations = %s, request_permissions = %s, "
        "skill_approval = %s }",
        config_place(c->arena, &origin), truth(g->sandbox_approval), truth(g->rules),
        truth(g->mcp_elicitations), truth(g->request_permissions), truth(g->skill_approval));
}

static int read_approval(struct config *c)
{
    const struct toml_value *v = find(c, "approval_policy");
    c->approval_policy = v->type == TOML_STRING ? v->string.p : "granular";
    c->approval_policy_origin = config_origin(v, v->span);
    if (config_is_default(&c->approval_policy_origin) && c->trust == TRUST_UNTRUSTED) {
        c->approval_policy = "untrusted";
        c->approval_policy_origin = c->trust_entry->origin;
    }
    if (str_eq(c->approval_policy, "granular"))
        return read_granular(c);
    if (!str_eq(c->approval_policy, "on-failure"))
        return 0;
    c->approval_policy = "on-request";
    return config_warn(c, "%s: approval_policy: \"on-failure\" is read as \"on-request\"",
                       config_place(c->arena, &c->approval_policy_origin));
}

static int read_command(struct config *c, const struct toml_value *v, struct config_command *ret)
{
    ret->words = arena_zalloc(c->arena, v->array.n, sizeof(*ret->words));
    if (!ret->words)
        return -ENOMEM;
    for (ret->n = 0; ret->n < v->array.n; ret->n++)
        ret->words[ret->n] = v->array.items[ret->n]->string.p;
    return 0;
}

static int read_commands(struct config *c)
{
    const struct {
        const char *name;
        struct config_command_list *to;
    } lists[] = {
        {"commands.known_safe", &c->commands.known_safe},
        {"commands.not_safe", &c->commands.not_safe},
        {"commands.dangerous", &c->commands.dangerous},
        {"commands.not_dangerous", &c->commands.not_dangerous},
    };
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        const struct toml_value *v = find(c, lists[i].name);
        struct config_command_list *to = lists[i].to;
        if (!v || v->array.n == 0)
            continue;
        to->v = arena_zalloc(c->arena, v->array.n, sizeof(*to->v));
        if (!to->v)
            return -ENOMEM;
        for (; to->n < v->array.n; to->n++)
            if (read_command(c, v->array.items[to->n], &to->v[to->n]) < 0)
                return -ENOMEM;
    }
    return 0;
}

static void read_limits(struct config *c)
{
    const struct toml_value *wall = find(c, "limits.wall_seconds");
    get_number(c, "limits.cpu_seconds", &c->limits.cpu_seconds);
    get_number(c, "limits.memory", &c->limits.memory_bytes);
    get_number(c, "limits.processes", &c->limits.processes);
    get_number(c, "limits.open_files", &c->limits.open_files);
    get_number(c, "limits.file_size", &c->limits.file_size_bytes);
    if (wall && wall->type == TOML_INTEGER)
        c->limits.wall_seconds = (double)wall->integer;
    else if (wall && wall->type == TOML_FLOAT)
        c->limits.wall_seconds = wall->floating;
}

static void read_scalars(struct config *c)
{
    c->sandbox_mode =
        (enum sandbox_mode)get_word(c, "sandbox_mode", MODE_READ_ONLY, &c->sandbox_mode_origin);
    c->backend = (enum backend)get_word(c, "sandbox_backend", BACKEND_AUTO, &c->backend_origin);
    c->env_inherit =
        (enum env_inherit)get_word(c, "shell_environment_policy.inherit", INHERIT_ALL, NULL);
    c->default_permissions = get_string(c, "default_permissions", &c->default_permissions_origin);
    c->approvals_reviewer = get_string(c, "approvals_reviewer", &c->approvals_reviewer_origin);
    if (c->approvals_reviewer && str_eq(c->approvals_reviewer, "guardian_subagent"))
        c->approvals_reviewer = "auto_review"; /* its older name */
    c->web_search = get_string(c, "web_search", &c->web_search_origin);
    get_bool(c, "sandbox_workspace_write.network_access", &c->network_access,
             &c->network_access_origin);
    get_bool(c, "sandbox_workspace_write.exclude_tmpdir_env_var", &c->exclude_tmpdir_env_var, NULL);
    get_bool(c, "sandbox_workspace_write.exclude_slash_tmp", &c->exclude_slash_tmp, NULL);
    get_bool(c, "private_tmp", &c->private_tmp, NULL);
    get_bool(c, "strict_hardlinks", &c->strict_hardlinks, NULL);
    get_bool(c, "allow_nested_userns", &c->allow_nested_userns, NULL);
    get_bool(c, "allow_ptrace", &c->allow_ptrace, NULL);
    get_bool(c, "shell_environment_policy.ignore_default_excludes", &c->env_ignore_default_excludes,
             NULL);
    get_unsigned(c, "nested_repo_depth", &c->nested_repo_depth);
    get_unsigned(c, "nested_repo_count", &c->nested_repo_count);
    read_limits(c);
}

static int read_lists(struct config *c)
{
    const struct {
        const char *name;
        struct string_list *to;
    } lists[] = {
        {"sandbox_workspace_write.writable_roots", &c->writable_roots},
        {"protected_names", &c->protected_names},
        {"protected_agent_names", &c->protected_agent_names},
        {"allow_unix_sockets", &c->allow_unix_sockets},
        {"devices", &c->devices},
        {"shell_environment_policy.exclude", &c->env_exclude},
        {"shell_environment_policy.include_only", &c->env_include_only},
    };
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        if (get_list(c, lists[i].name, lists[i].to) < 0)
            return -ENOMEM;
    return 0;
}

const char *config_web_search(const struct config *c, bool full_access)
{
    if (c->web_search)
        return c->web_search;
    /* What an unset key comes to was held against the requirements as "cached". */
    bool live = full_access && requirements_allow_web_search(c->requirements, "live");
    return live ? "live" : "cached";
}

/* ---- loading ---- */

static int read_typed(struct config *c, const char *home, struct error *err)
{
    read_scalars(c);
    int r = read_lists(c);
    if (r == 0)
        r = read_commands(c);
    if (r == 0)
        r = read_approval(c);
    if (r < 0)
        return error_errno(err, r, "cannot load the configuration");
    r = read_env_set(c, err);
    return r < 0 ? r : read_sockets(c, home, err);
}

static int add_managed(struct loader *l, struct requirements *q)
{
    for (size_t i = 0; i < l->config->n_layers; i++)
        if (l->config->layers[i].rank == RANK_MANAGED &&
            requirements_add_managed(l->a, q, &l->config->layers[i]) < 0)
            return error_errno(l->err, -ENOMEM, "cannot load the configuration");
    return 0;
}

int config_load(struct arena *a, const struct config_request *request, struct config **ret,
                struct error *err)
{
    struct config *c = arena_zalloc(a, 1, sizeof(*c));
    struct loader l = {a, c, request, err};
    struct requirements *required;
    size_t room = request->n_overrides + request->n_flags + MAX_PROJECT_FILES + 8;
    if (c)
        c->layers = arena_zalloc(a, room, sizeof(*c->layers));
    if (!c || !c->layers)
        return error_errno(err, -ENOMEM, "cannot load the configuration");
    c->arena = a;
    c->strict = request->strict;
    c->default_mode = request->in_version_control ? MODE_WORKSPACE_WRITE : MODE_READ_ONLY;
    int r = requirements_load(a, request, c, &required, err);
    if (r < 0)
        return r;
    c->requirements = required;
    r = layers_load_all(&l);
    if (r == 0)
        r = layers_merge(&l);
    if (r == 0)
        r = otel_settle(c, err);
    if (r == 0)
        r = add_managed(&l, required);
    if (r == 0 && required->any)
        r = requirements_apply(c, err);
    if (r == 0 && required->any)
        r = otel_settle(c, err); /* what they fix, too */
    if (r == 0)
        r = read_typed(c, request->home, err);
    if (r == 0)
        *ret = c;
    return r;
}

int config_check_text(struct arena *a, const char *file, struct bytes text, struct error *err)
{
    static const struct config_request request = {0};
    struct config *c = arena_zalloc(a, 1, sizeof(*c));
    struct loader l = {a, c, &request, err};
    if (c)
        c->layers = arena_zalloc(a, 1, sizeof(*c->layers));
    if (!c || !c->layers)
        return error_errno(err, -ENOMEM, "cannot check %s", show(file));
    c->arena = a;
    return layer_take(&l, layer_add(&l, RANK_USER, file), text);
}

/*
 * What a project's file may say: a stranger's text can make things stricter, never looser (spec
 * 3.1). How a key can be stricter is a column of its row (enum key_project); whatever is not
 * stricter is dropped, and said once.
 *
 * Sound by monotony: what is kept replaces a value of a lower layer by one that gives no more, so
 * whatever the layers above say, the result gives no more. Three things are no plain values and are
 * kept beside the tree, as caps that hold for whatever is chosen in the end: the sandbox mode (it
 * would otherwise win over a stricter permission profile), the `none` entries and the `false` and
 * `deny` of permission profiles (a project cannot know which profile is in force), and
 * include_only.
 */
#include "base/limits.h"
#include "config/layers.h"

#include <errno.h>

struct tighten {
    struct loader *l;
    struct config_layer *layer;
    const struct toml_value *lower;
    struct bytes parts[MAX_TOML_DEPTH + 1];
    size_t n;
    const char *why; /* set by a verdict that drops */
};

static int drop(struct tighten *t, const struct toml_member *m, const char *why)
{
    _cleanup_strbuf_ struct strbuf name = {0};
    struct error what = {0};
    key_put_dotted(&name, t->parts, t->n);
    (void)error_set(&what, -EPERM, "%s: ignored: %s", show(strbuf_text(&name)), why);
    config_error_at(&what, m->value, m->key_span);
    return config_warn_error(t->l->config, &what);
}

/* ---- verdicts on one value: the value to keep (maybe another), or NULL and t->why ---- */

static size_t word_index(const struct config_key *key, const struct toml_value *v)
{
    size_t i = 0;
    while (key->words[i] && !bytes_is(v->string, key->words[i]))
        i++;
    return i;
}

static struct toml_value *keep_word(struct tighten *t, const struct config_key *key,
                                    struct toml_value *v, const struct toml_value *lower)
{
    size_t n = 0, mine, theirs;
    bool earlier = key->project == PROJECT_EARLIER;
    while (key->words[n])
        n++;
    t->why = "a project cannot widen it";
    if (v->type != TOML_STRING)
        return NULL;
    mine = word_index(key, v);
    /* Nothing to compare with: the strictest is stricter than anything. */
    theirs = lower && lower->type == TOML_STRING ? word_index(key, lower) : earlier ? 0 : n - 1;
    return (earlier ? mine <= theirs : mine >= theirs) ? v : NULL;
}

static struct toml_value *keep_boolean(struct tighten *t, bool wanted, struct toml_value *v,
                                       const struct toml_value *lower)
{
    t->why = "a project cannot widen it";
    bool same = lower && lower->type == TOML_BOOLEAN && lower->boolean == v->boolean;
    return v->boolean == wanted || same ? v : NULL;
}

static double number(const struct toml_value *v)
{
    uint64_t n = 0;
    if (v && v->type == TOML_STRING && key_parse_size(v->string, &n))
        return (double)n;
    return !v                        ? 0
           : v->type == TOML_INTEGER ? (double)v->integer
           : v->type == TOML_FLOAT   ? v->floating
                                     : 0;
}

/* 0 stands for "no limit". */
static struct toml_value *keep_number(struct tighten *t, bool less, struct toml_value *v,
                                      const struct toml_value *lower)
{
    double mine = number(v), theirs = number(lower);
    t->why = "a project cannot widen it";
    if (less)
        return mine > 0 && (theirs <= 0 || mine <= theirs) ? v : NULL;
    return mine >= theirs ? v : NULL;
}

static struct toml_value *find_item(const struct toml_value *array, const struct toml_value *item)
{
    for (size_t i = 0; array && array->type == TOML_ARRAY && i < array->array.n; i++)
        if (tree_equal(array->array.items[i], item))
            return array->array.items[i];
    return NULL;
}

static struct toml_value *list_of(struct tighten *t, const struct toml_value *from, size_t room)
{
    struct toml_value *list = arena_zalloc(t->l->a, 1, sizeof(*list));
    struct toml_value **items = arena_zalloc(t->l->a, room + 1, sizeof(struct toml_value *));
    if (!list || !items)
        return NULL;
    *list = *from;
    list->array.items = items;
    list->array.n = 0;
    return list;
}

static struct toml_value *keep_added(struct tighten *t, struct toml_value *v,
                                     const struct toml_value *lower)
{
    size_t n = lower && lower->type == TOML_ARRAY ? lower->array.n : 0;
    struct toml_value *list = list_of(t, v, n + v->array.n);
    t->why = NULL; /* memory */
    for (size_t i = 0; list && i < n; i++)
        list->array.items[list->array.n++] = lower->array.items[i];
    for (size_t i = 0; list && i < v->array.n; i++)
        if (!find_item(list, v->array.items[i]))
            list->array.items[list->array.n++] = v->array.items[i];
    return list;
}

/* Taking a place away must not take the rest of what it brought: a place that was writable has its
 * protected names, and patterns with no fixed directory hold in it. The profile keeps it, to read.
 */
static int note_lost(struct tighten *t, const struct toml_value *kept,
                     const struct toml_value *lower)
{
    struct config *c = t->l->config;
    size_t room = lower && lower->type == TOML_ARRAY ? lower->array.n : 0;
    const struct toml_value **all =
        arena_zalloc(t->l->a, c->n_lost_roots + room + 1, sizeof(struct toml_value *));
    if (!all)
        return -ENOMEM;
    if (c->n_lost_roots)
        memcpy(all, c->lost_roots, c->n_lost_roots * sizeof(struct toml_value *));
    c->lost_roots = all;
    for (size_t i = 0; i < room; i++)
        if (!find_item(kept, lower->array.items[i]))
            all[c->n_lost_roots++] = lower->array.items[i];
    return 0;
}

static struct toml_value *keep_subset(struct tighten *t, struct toml_value *v,
                                      const struct toml_value *lower)
{
    struct toml_value *list = list_of(t, v, v->array.n);
    t->why = NULL;
    for (size_t i = 0; list && i < v->array.n; i++) {
        struct toml_value *item = v->array.items[i], *same = find_item(lower, item);
        if (same) { /* the other's: a relative path belongs to the folder of its own file */
            list->array.items[list->array.n++] = same;
            continue;
        }
        struct toml_member at = {.value = item, .key_span = item->span};
        if (drop(t, &at, "a project cannot add to it") < 0)
            return NULL;
    }
    return list;
}

/* ---- what is kept beside the tree ---- */

static int add_narrow(struct tighten *t, const struct toml_value *v)
{
    struct config *c = t->l->config;
    struct string_list *all = arena_zalloc(t->l->a, c->n_env_narrow + 1, sizeof(*all));
    const char **words = arena_zalloc(t->l->a, v->array.n + 1, sizeof(*words));
    if (!all || !words)
        return -ENOMEM;
    if (v->array.n == 0)
        return 0;
    if (c->n_env_narrow)
        memcpy(all, c->env_narrow, c->n_env_narrow * sizeof(*all));
    for (size_t i = 0; i < v->array.n; i++)
        words[i] = v->array.items[i]->string.p;
    all[c->n_env_narrow++] = (struct string_list){
        .v = words, .n = v->array.n, .set = true, .origin = config_origin(v, v->span)};
    c->env_narrow = all;
    return 0;
}

static int cap_mode(struct tighten *t, const struct toml_member *m)
{
    struct config *c = t->l->config;
    bool inner;
    const struct config_key *key = keys_find(&config_keys, t->parts, t->n, &inner);
    const struct toml_value *lower = tree_find(t->lower, "sandbox_mode");
    enum sandbox_mode mode = MODE_READ_ONLY + (enum sandbox_mode)word_index(key, m->value);
    bool chosen = tree_find(t->lower, "default_permissions") != NULL;
    enum sandbox_mode now = lower    ? MODE_READ_ONLY + (enum sandbox_mode)word_index(key, lower)
                            : chosen ? MODE_DANGER_FULL_ACCESS
                                     : c->default_mode;
    if (mode > now)
        return drop(t, m, "a project cannot widen it");
    if (c->mode_cap != MODE_UNSET && c->mode_cap <= mode)
        return 0;
    c->mode_cap = mode;
    c->mode_cap_origin = config_origin(m->value, m->value->span);
    return 0;
}

int config_add_floor(struct config *c, const struct toml_value *table, bool required)
{
    struct config_floor *all = arena_zalloc(c->arena, c->n_floors + 1, sizeof(*all));
    if (!all)
        return -ENOMEM;
    if (c->n_floors)
        memcpy(all, c->floors, c->n_floors * sizeof(*all));
    all[c->n_floors++] = (struct config_floor){table, required};
    c->floors = all;
    return 0;
}

static bool is_none(const struct toml_value *v)
{
    return v->type == TOML_STRING && (bytes_is(v->string, "none") || bytes_is(v->string, "deny"));
}

/* The `none` entries of a filesystem table, sub-tables too. *ret: NULL when there are none. */
static int none_entries(struct tighten *t, const struct toml_value *table, struct toml_value **ret)
{
    struct toml_value *kept = tree_new(t->l->a, table->owner);
    if (!kept)
        return -ENOMEM;
    kept->span = table->span;
    for (const struct toml_member *m = table->table.first; m; m = m->next) {
        struct toml_value *v = is_none(m->value) ? m->value : NULL;
        t->parts[t->n++] = m->key;
        int r = 0;
        if (m->value->type == TOML_TABLE && t->n < ARRAY_LEN(t->parts) - 1)
            r = none_entries(t, m->value, &v);
        else if (!v)
            r = drop(t, m, "of a profile's entries a project can only say none");
        t->n--;
        if (r < 0 || (v && !toml_add(t->l->a, kept, m->key, m->key_span, v)))
            return r < 0 ? r : -ENOMEM;
    }
    *ret = kept->table.n ? kept : NULL;
    return 0;
}

static int deny_domains(struct tighten *t, const struct toml_value *table)
{
    struct config *c = t->l->config;
    struct toml_value *kept = tree_new(t->l->a, table->owner);
    if (!kept)
        return -ENOMEM;
    for (const struct toml_member *m = table->table.first; m; m = m->next) {
        if (m->value->type == TOML_STRING && bytes_is(m->value->string, "deny")) {
            if (!toml_add(t->l->a, kept, m->key, m->key_span, m->value))
                return -ENOMEM;
            continue;
        }
        t->parts[t->n++] = m->key;
        int r = drop(t, m, "a project can only deny");
        t->n--;
        if (r < 0)
            return r;
    }
    const struct toml_value **all =
        arena_zalloc(t->l->a, c->n_project_domains + 1, sizeof(struct toml_value *));
    if (!all)
        return -ENOMEM;
    if (c->n_project_domains)
        memcpy(all, c->project_domains, c->n_project_domains * sizeof(struct toml_value *));
    all[c->n_project_domains++] = kept;
    c->project_domains = all;
    return 0;
}

/* A row of a permission profile. */
static int take_denial(struct tighten *t, const struct config_key *key, const struct toml_member *m)
{
    struct config *c = t->l->config;
    struct toml_value *kept;
    const struct toml_value *at;
    int r = key_check(key, m->value, &at, t->l->err);
    if (r < 0) { /* profiles are not checked with their layer */
        config_error_at(t->l->err, at, at->span);
        return r;
    }
    switch (key->type) {
    case KEY_BOOLEAN:
        if (m->value->boolean)
            return drop(t, m, "a project cannot turn the network on");
        c->network_cap = true;
        c->network_cap_origin = config_origin(m->value, m->value->span);
        return 0;
    case KEY_STRING_TABLE:
        return deny_domains(t, m->value);
    default:
        r = none_entries(t, m->value, &kept);
        return r < 0 || !kept ? r : config_add_floor(c, kept, false);
    }
}

/* ---- the walk ---- */

static struct toml_value *verdict(struct tighten *t, const struct config_key *key,
                                  struct toml_value *v, const struct toml_value *lower)
{
    switch (key->project) {
    case PROJECT_EARLIER:
    case PROJECT_LATER:
        return keep_word(t, key, v, lower);
    case PROJECT_TRUE:
    case PROJECT_FALSE:
        return keep_boolean(t, key->project == PROJECT_TRUE, v, lower);
    case PROJECT_ADD:
        return keep_added(t, v, lower);
    case PROJECT_SUBSET:
        return keep_subset(t, v, lower);
    case PROJECT_LESS:
    case PROJECT_MORE:
        return keep_number(t, key->project == PROJECT_LESS, v, lower);
    case PROJECT_NO:
    case PROJECT_NARROW:
    case PROJECT_DENY:
        break;
    }
    t->why = "a project's file cannot set it";
    return NULL;
}

static int walk(struct tighten *t, const struct toml_value *from, struct toml_value *to,
                const struct toml_value *lower);

static int walk_member(struct tighten *t, const struct toml_member *m, struct toml_value *to,
                       const struct toml_value *lower)
{
    bool inner;
    const struct config_key *key = keys_find(&config_keys, t->parts, t->n, &inner);
    const struct toml_value *below =
        lower && lower->type == TOML_TABLE ? toml_get(lower, m->key) : NULL;
    if (!key && !inner)
        return 0; /* unknown: said when the layer was checked */
    if (!key) {
        struct toml_value *table = tree_new(t->l->a, m->value->owner);
        if (!table || m->value->type != TOML_TABLE)
            return table ? 0 : -ENOMEM;
        table->span = m->value->span;
        int r = walk(t, m->value, table, below);
        if (r < 0 || table->table.n == 0)
            return r;
        return toml_add(t->l->a, to, m->key, m->key_span, table) ? 0 : -ENOMEM;
    }
    if (key->project == PROJECT_DENY)
        return take_denial(t, key, m);
    if (key->project == PROJECT_NARROW)
        return add_narrow(t, m->value);
    if (str_eq(key->name, "sandbox_mode"))
        return cap_mode(t, m);
    struct toml_value *kept = verdict(t, key, m->value, below);
    if (!kept)
        return t->why ? drop(t, m, t->why) : -ENOMEM;
    if (kept->type == TOML_BOOLEAN && below && tree_equal(kept, below))
        return 0; /* it is so already, and stays whose word it was */
    if (str_eq(key->name, "sandbox_workspace_write.writable_roots") &&
        note_lost(t, kept, below) < 0)
        return -ENOMEM;
    return toml_add(t->l->a, to, m->key, m->key_span, kept) ? 0 : -ENOMEM;
}

static int walk(struct tighten *t, const struct toml_value *from, struct toml_value *to,
                const struct toml_value *lower)
{
    for (const struct toml_member *m = from->table.first; m; m = m->next) {
        t->parts[t->n++] = m->key;
        int r = walk_member(t, m, to, lower);
        t->n--;
        if (r < 0)
            return r;
    }
    return 0;
}

int layer_tighten(struct loader *l, struct config_layer *layer, const struct toml_value *tree,
                  const struct toml_value *lower, struct toml_value **ret)
{
    struct tighten t = {.l = l, .layer = layer, .lower = lower};
    struct toml_value *kept = tree_new(l->a, layer);
    int r = kept ? walk(&t, tree, kept, lower) : -ENOMEM;
    if (r == -ENOMEM)
        return error_errno(l->err, r, "cannot load the configuration");
    if (r == 0)
        *ret = kept;
    return r;
}

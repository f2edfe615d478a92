/*
 * Members of a table. They form a list in order of appearance. A table with more than INDEX_FROM
 * members has an index as well: an AA tree (a balanced binary tree) over the members, so that a
 * hostile document of a million keys costs n log n whatever the keys are; a hash would need a
 * secret seed for that.
 *
 * The index speaks for the table only as long as the list is what it was when the index was brought
 * up to date: it remembers the count and the last member. When a caller has changed the list by
 * hand since, look-ups go through the list until the next toml_add() makes the index anew.
 */
#include "base/toml_parser.h"

#define INDEX_FROM 16

struct leaf {
    struct toml_member *m;
    struct leaf *left, *right;
    unsigned level;
};

struct index {
    struct leaf *root;
    const struct toml_member *last;
    size_t n;
};

/* Any total order will do: length first is the cheapest. */
static int key_order(struct bytes a, struct bytes b)
{
    if (a.n != b.n)
        return a.n < b.n ? -1 : 1;
    return a.n ? memcmp(a.p, b.p, a.n) : 0;
}

static struct leaf *skew(struct leaf *t)
{
    struct leaf *l = t->left;
    if (!l || l->level != t->level)
        return t;
    t->left = l->right;
    l->right = t;
    return l;
}

static struct leaf *split(struct leaf *t)
{
    struct leaf *r = t->right;
    if (!r || !r->right || r->right->level != t->level)
        return t;
    t->right = r->left;
    r->left = t;
    r->level++;
    return r;
}

/* Depth is bounded by twice the logarithm of MAX_TOML_KEYS. */
static struct leaf *tree_insert(struct leaf *t, struct leaf *s)
{
    if (!t) {
        s->level = 1;
        return s;
    }
    if (key_order(s->m->key, t->m->key) < 0)
        t->left = tree_insert(t->left, s);
    else
        t->right = tree_insert(t->right, s);
    return split(skew(t));
}

static bool index_is_current(const struct toml_value *table)
{
    const struct index *x = table->table.index;
    return x && x->n == table->table.n && x->last == table->table.last;
}

static bool index_put(struct arena *a, struct index *x, struct toml_member *m)
{
    struct leaf *leaf = arena_zalloc(a, 1, sizeof(*leaf));
    if (!leaf)
        return false;
    leaf->m = m;
    x->root = tree_insert(x->root, leaf);
    return true;
}

static struct index *index_new(struct arena *a, const struct toml_value *table)
{
    struct index *x = arena_zalloc(a, 1, sizeof(*x));
    for (struct toml_member *m = table->table.first; x && m; m = m->next)
        if (!index_put(a, x, m))
            return NULL;
    return x;
}

bool toml_table_append(struct arena *a, struct toml_value *table, struct toml_member *m)
{
    struct index *x = index_is_current(table) ? table->table.index : NULL;
    if (!x && table->table.n >= INDEX_FROM && !(x = index_new(a, table)))
        return false;
    if (x && !index_put(a, x, m))
        return false;
    m->next = NULL;
    if (table->table.last)
        table->table.last->next = m;
    else
        table->table.first = m;
    table->table.last = m;
    table->table.n++;
    if (x) {
        x->last = m;
        x->n = table->table.n;
    }
    table->table.index = x;
    return true;
}

struct toml_member *toml_add(struct arena *a, struct toml_value *table, struct bytes key,
                             struct toml_span span, struct toml_value *value)
{
    struct toml_member *m = arena_zalloc(a, 1, sizeof(*m));
    char *copy = m ? arena_strndup(a, key.n ? key.p : "", key.n) : NULL;
    if (!copy)
        return NULL;
    *m = (struct toml_member){.key = {copy, key.n}, .key_span = span, .value = value};
    return toml_table_append(a, table, m) ? m : NULL;
}

struct toml_member *toml_member(const struct toml_value *table, struct bytes key)
{
    if (!table || table->type != TOML_TABLE)
        return NULL;
    if (!index_is_current(table)) {
        for (struct toml_member *m = table->table.first; m; m = m->next)
            if (bytes_eq(m->key, key))
                return m;
        return NULL;
    }
    const struct leaf *t = ((const struct index *)table->table.index)->root;
    while (t) {
        int order = key_order(key, t->m->key);
        if (order == 0)
            return t->m;
        t = order < 0 ? t->left : t->right;
    }
    return NULL;
}

struct toml_value *toml_get(const struct toml_value *table, struct bytes key)
{
    struct toml_member *m = toml_member(table, key);
    return m ? m->value : NULL;
}

/*
 * Patterns as one automaton, so that a tree is walked once however many patterns there are.
 *
 * A position is "component I of pattern P is next". A directory has a set of open positions (a bit
 * each); the sets that occur become nodes, made when first met. For a name in a directory, only the
 * tests that can match it are tried: those that fix its first byte or its last byte stand in lists
 * by that byte, so with patterns such as `*.env` or `.env` nearly every name is dismissed by two
 * look-ups.
 *
 * What matches agrees with glob_match_deepest() of permissions/glob.c (a property test compares
 * them), which also does the component patterns that are not of a simple form.
 */
#include "sandbox/survey_internal.h"

#include "base/path.h"

#include <errno.h>

enum comp_kind { COMP_ANY, COMP_LITERAL, COMP_ENDS, COMP_GENERAL, COMP_DEEP };

struct glob_comp {
    enum comp_kind kind;
    const char *p; /* the pattern, terminated */
    size_t n;
    size_t head, tail; /* COMP_ENDS: bytes of the fixed beginning and end */
};

struct glob_pattern {
    const char *base;
    struct glob_comp *comps;
    size_t n;
    size_t first; /* the bit of its first position */
    size_t base_depth;
    size_t limit; /* depth of the deepest name that may match */
};

struct glob_test {
    const struct glob_test *next;
    const struct glob_comp *comp;
    size_t pattern;
    size_t position; /* of `comp` */
    bool accepts;    /* a name that matches is a match of the whole pattern */
};

/* ---- compiling ---- */

static void classify(struct glob_comp *c)
{
    const char *star = strchr(c->p, '*'), *last = strrchr(c->p, '*');
    if (str_eq(c->p, "**")) {
        c->kind = COMP_DEEP;
    } else if (strpbrk(c->p, "?[")) {
        c->kind = COMP_GENERAL;
    } else if (!star) {
        c->kind = COMP_LITERAL;
    } else if (c->n == 1) {
        c->kind = COMP_ANY;
    } else if (star == last) {
        c->kind = COMP_ENDS;
        c->head = (size_t)(star - c->p);
        c->tail = c->n - c->head - 1;
    } else {
        c->kind = COMP_GENERAL;
    }
}

static int compile(struct arena *a, const struct perm_entry *entry, struct glob_pattern *p)
{
    size_t depth = path_depth(entry->glob);
    bool deep = false;
    p->comps = arena_zalloc(a, depth, sizeof(*p->comps));
    if (!p->comps)
        return -ENOMEM;
    struct bytes c;
    for (const char *s = entry->glob; path_next(&s, &c);) {
        struct glob_comp *comp = &p->comps[p->n++];
        comp->p = arena_strndup(a, c.p, c.n);
        comp->n = c.n;
        if (!comp->p)
            return -ENOMEM;
        classify(comp);
        deep = deep || comp->kind == COMP_DEEP;
    }
    p->limit = deep && entry->max_depth ? p->base_depth + entry->max_depth : SIZE_MAX;
    return 0;
}

int glob_set_init(struct glob_set *g, struct arena *a, const struct perm_entry *const *entries,
                  const char *const *bases, size_t n)
{
    size_t bits = 0;
    *g = (struct glob_set){.a = a, .n = n};
    g->patterns = arena_zalloc(a, n, sizeof(*g->patterns));
    if (!g->patterns)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        struct glob_pattern *p = &g->patterns[i];
        p->base = bases[i];
        p->base_depth = path_depth(bases[i]);
        p->first = bits;
        int r = compile(a, entries[i], p);
        if (r < 0)
            return r;
        bits += p->n;
        g->has_limit = g->has_limit || p->limit != SIZE_MAX;
    }
    g->words = bits / 64 + 1;
    g->scratch = arena_zalloc(a, g->words, sizeof(*g->scratch));
    return g->scratch ? 0 : -ENOMEM;
}

/* ---- sets and nodes ---- */

static bool has_bit(const uint64_t *set, size_t bit)
{
    return set[bit / 64] >> (bit % 64) & 1;
}

/* Opens position I of P and, past every `**`, those behind it. True when the pattern's end is
 * reached. */
static bool open_position(uint64_t *set, const struct glob_pattern *p, size_t i)
{
    for (; i < p->n; i++) {
        set[(p->first + i) / 64] |= (uint64_t)1 << ((p->first + i) % 64);
        if (p->comps[i].kind != COMP_DEEP)
            return false;
    }
    return true;
}

static bool is_empty(const uint64_t *set, size_t words)
{
    uint64_t any = 0;
    for (size_t i = 0; i < words; i++)
        any |= set[i];
    return any == 0;
}

static bool matches(const struct glob_comp *c, const char *name, size_t n)
{
    switch (c->kind) {
    case COMP_LITERAL:
        return n == c->n && memcmp(name, c->p, n) == 0;
    case COMP_ENDS:
        return n >= c->head + c->tail && memcmp(name, c->p, c->head) == 0 &&
               memcmp(name + n - c->tail, c->p + c->n - c->tail, c->tail) == 0;
    case COMP_GENERAL:
        return glob_match_prefix(c->p, name) == 1;
    case COMP_ANY:
    case COMP_DEEP:
        break;
    }
    return true;
}

/* Where in NODE the test belongs: by a fixed first byte, a fixed last byte, or neither. */
static const struct glob_test **test_list(struct glob_node *node, const struct glob_comp *c)
{
    unsigned char first = (unsigned char)c->p[0], last = (unsigned char)c->p[c->n - 1];
    if (c->kind == COMP_ANY || c->kind == COMP_DEEP)
        return &node->others;
    if (first != '*' && first != '?' && first != '[')
        return &node->by_first[first];
    if (last != '*' && last != '?' && last != ']')
        return &node->by_last[last];
    return &node->others;
}

static int add_test(struct glob_set *g, struct glob_node *node, size_t pattern, size_t position)
{
    const struct glob_pattern *p = &g->patterns[pattern];
    const struct glob_comp *c = &p->comps[position];
    bool accepts = true;
    for (size_t i = position + 1; i < p->n; i++)
        accepts = accepts && p->comps[i].kind == COMP_DEEP;
    if (c->kind == COMP_DEEP) {
        open_position(node->rest, p, position);
        /* A `**` in the middle asks nothing of a name; at the end it takes every name. */
        if (!accepts)
            return 0;
    }
    const struct glob_test **list = test_list(node, c);
    struct glob_test *t = arena_zalloc(g->a, 1, sizeof(*t));
    if (!t)
        return -ENOMEM;
    *t = (struct glob_test){*list, c, pattern, position, accepts};
    *list = t;
    return 0;
}

static struct glob_node *make_node(struct glob_set *g, const uint64_t *set)
{
    struct glob_node *node = arena_zalloc(g->a, 1, sizeof(*node));
    if (!node)
        return NULL;
    node->set = arena_zalloc(g->a, g->words, sizeof(*set));
    node->rest = arena_zalloc(g->a, g->words, sizeof(*set));
    if (!node->set || !node->rest)
        return NULL;
    memcpy(node->set, set, g->words * sizeof(*set));
    for (size_t i = 0; i < g->n; i++)
        for (size_t k = 0; k < g->patterns[i].n; k++)
            if (has_bit(set, g->patterns[i].first + k) && add_test(g, node, i, k) < 0)
                return NULL;
    return node;
}

int glob_set_node(struct glob_set *g, const uint64_t *set, struct glob_node **ret)
{
    uint64_t hash = 0;
    if (is_empty(set, g->words)) {
        *ret = NULL;
        return 0;
    }
    for (size_t i = 0; i < g->words; i++)
        hash = (hash ^ set[i]) * UINT64_C(0x9e3779b97f4a7c15);
    struct glob_node **bucket = &g->buckets[hash >> 58];
    for (struct glob_node *n = *bucket; n; n = n->next) {
        if (memcmp(n->set, set, g->words * sizeof(*set)) == 0) {
            *ret = n;
            return 0;
        }
    }
    struct glob_node *node = make_node(g, set);
    if (!node)
        return -ENOMEM;
    node->next = *bucket;
    *bucket = node;
    g->n_nodes++;
    *ret = node;
    return 0;
}

/* Closes the patterns that may not match any deeper than DEPTH. */
static void close_limited(const struct glob_set *g, uint64_t *set, size_t depth)
{
    for (size_t i = 0; g->has_limit && i < g->n; i++) {
        const struct glob_pattern *p = &g->patterns[i];
        for (size_t k = 0; depth >= p->limit && k < p->n; k++)
            set[(p->first + k) / 64] &= ~((uint64_t)1 << ((p->first + k) % 64));
    }
}

/* ---- a whole path ---- */

/* Runs P over the components of REL and opens in SET what is open behind them. */
static int run_pattern(const struct glob_set *g, const struct glob_pattern *p, const char *rel,
                       uint64_t *set)
{
    uint64_t *now = arena_zalloc(g->a, g->words * 2, sizeof(*now));
    if (!now)
        return -ENOMEM;
    uint64_t *then = now + g->words;
    open_position(now, p, 0);
    for (struct bytes c; path_next(&rel, &c);) {
        char name[MAX_NAME_BYTES + 1];
        if (c.n > MAX_NAME_BYTES)
            return 0;
        memcpy(name, c.p, c.n);
        name[c.n] = '\0';
        memset(then, 0, g->words * sizeof(*then));
        for (size_t i = 0; i < p->n; i++) {
            if (!has_bit(now, p->first + i))
                continue;
            if (p->comps[i].kind == COMP_DEEP)
                open_position(then, p, i);
            else if (matches(&p->comps[i], name, c.n))
                open_position(then, p, i + 1);
        }
        memcpy(now, then, g->words * sizeof(*now));
    }
    for (size_t i = 0; i < g->words; i++)
        set[i] |= now[i];
    return 0;
}

int glob_set_start(struct glob_set *g, const char *path, struct glob_node **ret)
{
    uint64_t *set = g->scratch;
    memset(set, 0, g->words * sizeof(*set));
    for (size_t i = 0; i < g->n; i++) {
        const struct glob_pattern *p = &g->patterns[i];
        if (!path_is_below(path, p->base))
            continue;
        int r = run_pattern(g, p, path + (p->base_depth ? strlen(p->base) : 0), set);
        if (r < 0)
            return r;
    }
    close_limited(g, set, path_depth(path));
    return glob_set_node(g, set, ret);
}

/* ---- one name ---- */

static ptrdiff_t accepting(const struct glob_set *g, const struct glob_test *t, const char *name,
                           size_t n, size_t depth)
{
    for (; t; t = t->next)
        if (t->accepts && depth < g->patterns[t->pattern].limit && matches(t->comp, name, n))
            return (ptrdiff_t)t->pattern;
    return -1;
}

ptrdiff_t glob_match_name(const struct glob_set *g, const struct glob_node *node, const char *name,
                          size_t n, size_t depth)
{
    const struct glob_test *first = node->by_first[(unsigned char)name[0]];
    const struct glob_test *last = node->by_last[(unsigned char)name[n - 1]];
    ptrdiff_t found = -1;
    if (first)
        found = accepting(g, first, name, n, depth);
    if (found < 0 && last)
        found = accepting(g, last, name, n, depth);
    if (found < 0 && node->others)
        found = accepting(g, node->others, name, n, depth);
    return found;
}

/* Opens behind every test in the list that NAME passes; true when there was one. */
static bool open_behind(const struct glob_set *g, const struct glob_test *t, const char *name,
                        size_t n, uint64_t *set)
{
    bool any = false;
    for (; t; t = t->next) {
        if (t->accepts || !matches(t->comp, name, n))
            continue;
        open_position(set, &g->patterns[t->pattern], t->position + 1);
        any = true;
    }
    return any;
}

ptrdiff_t glob_match_dir(struct glob_set *g, struct glob_node *node, const char *name, size_t n,
                         size_t depth, struct glob_node **ret_next)
{
    ptrdiff_t found = glob_match_name(g, node, name, n, depth);
    *ret_next = NULL;
    if (found >= 0)
        return found;
    uint64_t *set = g->scratch;
    memcpy(set, node->rest, g->words * sizeof(*set));
    bool passed = open_behind(g, node->by_first[(unsigned char)name[0]], name, n, set);
    passed = open_behind(g, node->by_last[(unsigned char)name[n - 1]], name, n, set) || passed;
    passed = open_behind(g, node->others, name, n, set) || passed;
    if (!passed && !g->has_limit && node->otherwise_known) {
        *ret_next = node->otherwise;
        return -1;
    }
    close_limited(g, set, depth + 1);
    struct glob_node *next;
    if (glob_set_node(g, set, &next) < 0)
        return -2;
    if (!passed && !g->has_limit) {
        node->otherwise = next;
        node->otherwise_known = true;
    }
    *ret_next = next;
    return -1;
}

ptrdiff_t glob_any_pattern(const struct glob_set *g, const struct glob_node *node)
{
    for (size_t i = 0; i < g->n; i++)
        for (size_t k = 0; k < g->patterns[i].n; k++)
            if (has_bit(node->set, g->patterns[i].first + k))
                return (ptrdiff_t)i;
    return 0;
}

/*
 * The statements that rules files are full of, evaluated as they are read: a call of one of the
 * caller's functions with nothing but literals,
 *
 *   prefix_rule(pattern = ["git", ["push", "commit"]], decision = "prompt")
 *
 * A tree is made for everything else, and for whatever here is not understood at once: then nothing
 * has happened yet and the lexer stands where the statement begins. So this never says that
 * something is wrong, and what it takes means what the parser would make of it. See star.h.
 */
#include "rules/star_tree.h"

#define QUICK_VALUES    64u
#define QUICK_ITEMS     32u /* of one list */
#define QUICK_ARGUMENTS 16u
#define QUICK_DEPTH     4u

struct quick {
    struct star *s;
    const char *p, *end;
    /* Nothing of a statement outlives it. */
    struct star_value values[QUICK_VALUES];
    const struct star_value *items[QUICK_VALUES];
    const struct star_value *args[QUICK_ARGUMENTS], *named[QUICK_ARGUMENTS];
    const char *names[QUICK_ARGUMENTS];
    /* Of the statement before this one. */
    const struct name *before[QUICK_ARGUMENTS], *function;
    size_t n_values, n_items, n_args, n_named;
};

static inline bool is_digit(char c)
{
    return (unsigned)(unsigned char)c - '0' < 10u;
}

static inline bool is_letter(char c)
{
    return ((unsigned)(unsigned char)c | 0x20u) - 'a' < 26u || c == '_';
}

static inline bool ends_string(char c)
{
    static const bool ends[256] = {
        ['"'] = true, ['\''] = true, ['\\'] = true, ['\n'] = true, ['\r'] = true};
    return ends[(unsigned char)c];
}

/* Blanks, line ends and comments, which between brackets mean nothing. */
static char skip_more(struct quick *q)
{
    for (; q->p < q->end; q->p++) {
        if (*q->p == '#') {
            const char *line = memchr(q->p, '\n', (size_t)(q->end - q->p));
            if (!line)
                return '\0';
            q->p = line;
        } else if (*q->p != ' ' && *q->p != '\n' && *q->p != '\t') {
            return *q->p;
        }
    }
    return '\0';
}

/* The character behind them stays; NUL, which no text holds, at the end. */
static inline char skip(struct quick *q)
{
    const char *p = q->p;
    if (p < q->end && *p == ' ')
        p++;
    q->p = p;
    return p<q->end && * p> '#' ? *p : skip_more(q);
}

static struct bytes read_name(struct quick *q)
{
    const char *p = q->p;
    while (p < q->end && (is_letter(*p) || is_digit(*p)))
        p++;
    struct bytes name = {q->p, (size_t)(p - q->p)};
    q->p = p;
    return name;
}

/* Most statements are written like the one before. */
static bool is_name(const struct name *name, struct bytes text)
{
    if (!name || name->n != text.n)
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (name->text[i] != text.p[i])
            return false;
    return true;
}

static struct star_value *new_value(struct quick *q, enum star_type type)
{
    if (q->n_values == QUICK_VALUES)
        return NULL;
    struct star_value *v = &q->values[q->n_values++];
    v->type = type;
    v->busy = 0;
    return v;
}

/* Quotes of one kind on one line, no escapes. Three of them read as an empty string with something
 * behind it that cannot stand there. */
static const struct star_value *read_string(struct quick *q)
{
    const char quote = *q->p, *p = q->p + 1;
    while (p < q->end && (!ends_string(*p) || (*p != quote && (*p == '"' || *p == '\''))))
        p++;
    if (p == q->end || *p != quote)
        return NULL;
    struct bytes text = {q->p + 1, (size_t)(p - q->p - 1)};
    q->p = p + 1;
    struct star_value *v = new_value(q, STAR_STRING);
    if (v)
        v->text = text;
    return v;
}

static const struct star_value *read_integer(struct quick *q)
{
    const char *begin = q->p;
    int64_t n = 0;
    for (; q->p < q->end && is_digit(*q->p) && q->p - begin < 18; q->p++)
        n = n * 10 + (*q->p - '0');
    if (*begin == '0' && q->p - begin > 1)
        return NULL;
    struct star_value *v = new_value(q, STAR_INT);
    if (v)
        v->integer = n;
    return v;
}

/* True, False and None: names that nobody has given another meaning. */
static const struct star_value *read_constant(struct quick *q)
{
    struct bytes text = read_name(q);
    if (!bytes_is(text, "True") && !bytes_is(text, "False") && !bytes_is(text, "None"))
        return NULL;
    const struct name *name = star_intern(q->s, text);
    return name && !name->global ? name->builtin : NULL;
}

/* A value with a comma or a bracket behind it. NULL: nothing for here. */
static const struct star_value *read_value(struct quick *q, unsigned depth)
{
    const struct star_value *v = NULL, *own[QUICK_ITEMS];
    size_t n = 0;
    char c = skip(q);
    if (c == '"' || c == '\'') {
        v = read_string(q);
    } else if (is_digit(c)) {
        v = read_integer(q);
    } else if (is_letter(c)) {
        v = read_constant(q);
    } else if (c == '[' && depth < QUICK_DEPTH) {
        q->p++;
        while (skip(q) != ']') {
            if (n == QUICK_ITEMS || !(own[n++] = read_value(q, depth + 1)))
                return NULL;
            q->p += *q->p == ',';
        }
        q->p++;
        struct star_value *list = new_value(q, STAR_LIST);
        if (!list || n > QUICK_VALUES - q->n_items)
            return NULL;
        list->list.items = &q->items[q->n_items];
        list->list.n = list->list.cap = n;
        for (size_t i = 0; i < n; i++)
            q->items[q->n_items++] = own[i];
        v = list;
    }
    c = v ? skip(q) : '\0';
    return c == ',' || c == ']' || c == ')' ? v : NULL;
}

/* `name =` of an argument. NULL in *ret: a value stands here. */
static bool read_argument_name(struct quick *q, const char **ret)
{
    const char *begin = q->p;
    struct bytes text = read_name(q);
    *ret = NULL;
    if (text.n == 0 || !is_letter(*begin) || skip(q) != '=') {
        q->p = begin;
        return true;
    }
    q->p++;
    if (q->p < q->end && *q->p == '=')
        return false;
    if (q->n_named == QUICK_ARGUMENTS)
        return false;
    const struct name *name = q->before[q->n_named];
    if (!is_name(name, text))
        name = star_is_keyword(text) ? NULL : star_intern(q->s, text);
    q->before[q->n_named] = name;
    if (!name)
        return false;
    for (size_t i = 0; i < q->n_named; i++)
        if (q->names[i] == name->text)
            return false;
    *ret = name->text;
    return true;
}

static bool read_arguments(struct quick *q)
{
    while (skip(q) != ')') {
        const char *name;
        if (!read_argument_name(q, &name) || (!name && q->n_named))
            return false;
        size_t *n = name ? &q->n_named : &q->n_args;
        if (*n == QUICK_ARGUMENTS)
            return false;
        const struct star_value *v = read_value(q, 0);
        if (!v || *q->p == ']')
            return false;
        if (name)
            q->names[*n] = name;
        (name ? q->named : q->args)[(*n)++] = v;
        q->p += *q->p == ',';
    }
    q->p++;
    return true;
}

/* A whole statement with the end of its line. NULL: nothing for here. */
static const struct star_value *read_call(struct quick *q)
{
    if (!is_letter(*q->p))
        return NULL;
    struct bytes text = read_name(q);
    if (q->p == q->end || *q->p != '(')
        return NULL;
    const struct name *name = is_name(q->function, text) ? q->function : star_intern(q->s, text);
    q->function = name;
    if (!name || name->global || !name->builtin || name->builtin->type != STAR_FUNCTION ||
        !name->builtin->function.host)
        return NULL;
    q->p++;
    if (!read_arguments(q) || q->p == q->end || *q->p != '\n')
        return NULL;
    q->p++;
    return name->builtin;
}

static int run_call(struct quick *q, const struct star_value *f, uint32_t at)
{
    struct star *s = q->s;
    struct star_call call = {.star = s,
                             .args = q->args,
                             .n_args = q->n_args,
                             .names = q->names,
                             .named = q->named,
                             .n_named = q->n_named};
    const size_t before = s->bytes;
    s->now = &s->temp;
    s->at = at;
    s->length = (uint32_t)strlen(f->function.name);
    int r = star_step(s, q->n_values + 1);
    if (r == 0)
        r = star_call_value(s, f, &call);
    if (s->temp.head)
        arena_release(&s->temp);
    s->bytes = before;
    return r;
}

int star_quick(struct star *s)
{
    struct lexer *l = &s->lexer;
    struct quick q;
    if (s->token.kind != T_NEWLINE || !l->line_start || l->parens || l->n_indents || l->outdents)
        return 0;
    q.s = s;
    q.function = NULL;
    for (size_t i = 0; i < QUICK_ARGUMENTS; i++)
        q.before[i] = NULL;
    q.end = l->text.p + l->text.n;
    for (;;) {
        q.p = l->text.p + l->at;
        /* Empty lines and comments. */
        const char *line = q.p;
        if (q.p < q.end && *q.p == '#')
            line = memchr(q.p, '\n', (size_t)(q.end - q.p));
        if (!line || q.p == q.end)
            return 0;
        if (*line == '\n') {
            l->at += (size_t)(line - q.p) + 1;
            continue;
        }
        q.n_values = q.n_items = q.n_args = q.n_named = 0;
        const struct star_value *f = read_call(&q);
        if (!f)
            return 0;
        int r = run_call(&q, f, (uint32_t)l->at);
        if (r < 0)
            return r;
        l->at = (size_t)(q.p - l->text.p);
    }
}

/*
 * TOML: structure. See toml.h for what comes out and toml_parser.h for who does what.
 *
 * The tree is built while reading; nothing is revisited. Every table remembers how it was made
 * (enum toml_made), and three walks over that decide what TOML allows:
 *
 *   header [a.b.c]    passes through tables however made, but inline; through arrays of tables at
 *                     their last item; what is missing is made IMPLICIT. The last part must be new
 * or IMPLICIT and becomes EXPLICIT. header [[a.b]]    as above; the last part must be new or an
 * array of tables, which grows. key a.b.c = …     passes through DOTTED and IMPLICIT tables only
 * (the latter become DOTTED); what is missing is made DOTTED. The last part must be new.
 *
 * Recursion (arrays and inline tables in each other) and the depth of the tree are held by
 * MAX_TOML_DEPTH, so whoever walks a tree may recurse as well.
 */
#include "base/toml_parser.h"

#include <errno.h>

static int read_value(struct toml_parser *p, struct toml_node *out, unsigned depth);

static struct toml_node *node_of(struct toml_value *v)
{
    return (struct toml_node *)v;
}

static const char *const type_names[] = {
    [TOML_STRING] = "string",
    [TOML_INTEGER] = "integer",
    [TOML_FLOAT] = "float",
    [TOML_BOOLEAN] = "boolean",
    [TOML_OFFSET_DATETIME] = "date-time with offset",
    [TOML_LOCAL_DATETIME] = "local date-time",
    [TOML_LOCAL_DATE] = "local date",
    [TOML_LOCAL_TIME] = "local time",
    [TOML_ARRAY] = "array",
    [TOML_TABLE] = "table",
};

const char *toml_type_name(enum toml_type type)
{
    return (size_t)type < ARRAY_LEN(type_names) ? type_names[type] : "unknown";
}

/* "a string", "an array of tables": what a name stands for already. */
static const char *kind(const struct toml_value *v)
{
    enum toml_made made = ((const struct toml_node *)v)->made;
    switch (v->type) {
    case TOML_TABLE:
        return made == MADE_INLINE   ? "an inline table"
               : made == MADE_DOTTED ? "a table made by dotted keys"
                                     : "a table";
    case TOML_ARRAY:
        return made == MADE_TABLES ? "an array of tables" : "an array";
    case TOML_INTEGER:
        return "an integer";
    case TOML_STRING:
        return "a string";
    case TOML_FLOAT:
        return "a float";
    case TOML_BOOLEAN:
        return "a boolean";
    default:
        return "a date or time";
    }
}

/* The key read last up to part I, as it was written. */
static const char *key_text(const struct toml_parser *p, size_t i)
{
    const struct toml_span *from = &p->parts[0].span, *to = &p->parts[i].span;
    return toml_show(toml_slice(p, from->offset, to->offset + to->length));
}

/* ---- adding to the tree ---- */

static int check_depth(struct toml_parser *p, unsigned depth, struct toml_span span)
{
    return depth <= MAX_TOML_DEPTH
               ? 0
               : toml_fail_code(p, -E2BIG, span, "nested deeper than %u levels", MAX_TOML_DEPTH);
}

static int add_member(struct toml_parser *p, struct toml_value *table, const struct toml_part *part,
                      struct toml_node **ret)
{
    if (p->n_keys >= MAX_TOML_KEYS)
        return toml_fail_code(p, -E2BIG, part->span, "more than %u keys in one file",
                              MAX_TOML_KEYS);
    struct toml_slot *s = arena_zalloc(p->arena, 1, sizeof(*s) + part->key.n + 1);
    if (!s)
        return toml_no_memory(p);
    if (part->key.n)
        memcpy(s->key, part->key.p, part->key.n);
    s->m.key = (struct bytes){s->key, part->key.n};
    s->m.key_span = part->span;
    s->m.value = &s->node.v;
    if (!toml_table_append(p->arena, table, &s->m))
        return toml_no_memory(p);
    p->n_keys++;
    *ret = &s->node;
    return 0;
}

static int add_table(struct toml_parser *p, struct toml_value *table, const struct toml_part *part,
                     enum toml_made made, struct toml_span span, struct toml_node **ret)
{
    int r = add_member(p, table, part, ret);
    if (r < 0)
        return r;
    (*ret)->v.type = TOML_TABLE;
    (*ret)->v.span = span;
    (*ret)->made = made;
    return 0;
}

static int add_item(struct toml_parser *p, struct toml_node *array, struct toml_node **ret)
{
    struct toml_value *v = &array->v;
    if (v->array.n == array->cap) {
        size_t cap = array->cap ? array->cap * 2 : 4;
        struct toml_value **items = arena_zalloc(p->arena, cap, sizeof(struct toml_value *));
        if (!items)
            return toml_no_memory(p);
        if (v->array.n)
            memcpy(items, v->array.items, v->array.n * sizeof(struct toml_value *));
        v->array.items = items;
        array->cap = cap;
    }
    struct toml_node *node = arena_zalloc(p->arena, 1, sizeof(*node));
    if (!node)
        return toml_no_memory(p);
    v->array.items[v->array.n++] = &node->v;
    *ret = node;
    return 0;
}

/* ---- key = value ---- */

/* One step of a dotted key: into the table that part I of the key names in TABLE. */
static int step_dotted(struct toml_parser *p, struct toml_value *table, size_t i, unsigned depth,
                       struct toml_value **ret)
{
    const struct toml_part *part = &p->parts[i];
    struct toml_value *v = toml_get(table, part->key);
    struct toml_node *node;
    if (!v) {
        int r = check_depth(p, depth, part->span);
        if (r == 0)
            r = add_table(p, table, part, MADE_DOTTED, part->span, &node);
        if (r == 0)
            *ret = &node->v;
        return r;
    }
    node = node_of(v);
    if (v->type != TOML_TABLE)
        return toml_fail(p, part->span, "%s is %s already (line %u), nothing can be set inside it",
                         key_text(p, i), kind(v), v->span.line);
    if (node->made == MADE_INLINE)
        return toml_fail(p, part->span,
                         "%s is an inline table (line %u), which is complete; set its keys there",
                         key_text(p, i), v->span.line);
    if (node->made == MADE_EXPLICIT)
        return toml_fail(p, part->span,
                         "table %s was defined on line %u; set its keys under that header",
                         key_text(p, i), v->span.line);
    node->made = MADE_DOTTED;
    *ret = v;
    return 0;
}

/* KEY = VALUE into TABLE, which is DEPTH deep. */
static int read_pair(struct toml_parser *p, struct toml_value *table, unsigned depth)
{
    int r = toml_read_key(p);
    if (r < 0)
        return r;
    if (toml_peek(p, 0) != '=')
        return toml_fail(p, toml_here(p), "expected = after the key %s, found %s",
                         key_text(p, p->n_parts - 1), toml_found(p));
    size_t last = p->n_parts - 1;
    for (size_t i = 0; i < last; i++) {
        r = step_dotted(p, table, i, ++depth, &table);
        if (r < 0)
            return r;
    }
    const struct toml_part *part = &p->parts[last];
    const struct toml_member *old = toml_member(table, part->key);
    if (old)
        return toml_fail(p, part->span, "key %s is set already, on line %u", key_text(p, last),
                         old->key_span.line);
    struct toml_node *node;
    r = add_member(p, table, part, &node);
    if (r < 0)
        return r;
    p->at++;
    toml_skip_blanks(p);
    int c = toml_peek(p, 0);
    if (c == -1 || c == '\n' || c == '\r' || c == '#')
        return toml_fail(p, toml_here(p), "no value for the key %s before %s", key_text(p, last),
                         toml_found(p));
    return read_value(p, node, depth + 1);
}

/* ---- values ---- */

static int not_closed(struct toml_parser *p, const char *what, uint32_t line, char missing)
{
    return toml_fail(p, toml_here(p), "the %s opened on line %u is not closed: %c is missing", what,
                     line, missing);
}

static int read_array(struct toml_parser *p, struct toml_node *out, unsigned depth)
{
    uint32_t line = p->line;
    out->v.type = TOML_ARRAY;
    out->made = MADE_INLINE;
    p->at++;
    for (;;) {
        struct toml_node *item;
        toml_skip_lines(p);
        if (toml_peek(p, 0) == ']')
            break;
        if (toml_peek(p, 0) == -1)
            return not_closed(p, "array", line, ']');
        int r = add_item(p, out, &item);
        if (r == 0)
            r = read_value(p, item, depth + 1);
        if (r < 0)
            return r;
        toml_skip_lines(p);
        if (toml_peek(p, 0) == ']')
            break;
        if (toml_peek(p, 0) == -1)
            return not_closed(p, "array", line, ']');
        if (toml_peek(p, 0) != ',')
            return toml_fail(p, toml_here(p),
                             "expected a comma or ] in the array opened on line %u, found %s", line,
                             toml_found(p));
        p->at++;
    }
    p->at++;
    return 0;
}

/* Between the parts of an inline table: anything that does not count, which in 1.0 is blanks. */
static int skip_inline(struct toml_parser *p)
{
    if (p->version != TOML_1_0) {
        toml_skip_lines(p);
        return 0;
    }
    toml_skip_blanks(p);
    int c = toml_peek(p, 0);
    if (c == '\n' || c == '\r' || c == '#')
        return toml_fail(p, toml_here(p),
                         "an inline table stands on one line, without comments, in TOML 1.0");
    return 0;
}

static int read_inline_table(struct toml_parser *p, struct toml_node *out, unsigned depth)
{
    uint32_t line = p->line;
    bool after_comma = false;
    struct toml_span comma = {0};
    out->v.type = TOML_TABLE;
    out->made = MADE_INLINE;
    p->at++;
    for (;;) {
        int r = skip_inline(p);
        if (r < 0)
            return r;
        int c = toml_peek(p, 0);
        if (c == '}') {
            if (after_comma && p->version == TOML_1_0)
                return toml_fail(p, comma, "no comma before the } of an inline table in TOML 1.0");
            break;
        }
        if (c == -1)
            return not_closed(p, "inline table", line, '}');
        r = read_pair(p, &out->v, depth);
        if (r == 0)
            r = skip_inline(p);
        if (r < 0)
            return r;
        c = toml_peek(p, 0);
        if (c == '}')
            break;
        if (c == -1)
            return not_closed(p, "inline table", line, '}');
        if (c != ',')
            return toml_fail(
                p, toml_here(p),
                "expected a comma or } in the inline table opened on line %u, found %s", line,
                toml_found(p));
        comma = toml_here(p);
        after_comma = true;
        p->at++;
    }
    p->at++;
    return 0;
}

/* The value at the next byte; DEPTH is how deep a container there would be. */
static int read_value(struct toml_parser *p, struct toml_node *out, unsigned depth)
{
    struct toml_span span = toml_mark(p);
    int c = toml_peek(p, 0), r;
    if (c == '[' || c == '{') {
        r = check_depth(p, depth, toml_here(p));
        if (r == 0)
            r = c == '[' ? read_array(p, out, depth) : read_inline_table(p, out, depth);
    } else if (c == '"' || c == '\'') {
        out->v.type = TOML_STRING;
        r = toml_read_string(p, &out->v.string);
    } else {
        r = toml_read_bare(p, &out->v);
    }
    toml_close(p, &span);
    out->v.span = span;
    return r;
}

/* ---- headers ---- */

/* One step of a header: into the table that part I of the key names in TABLE; *depth goes along. */
static int step_header(struct toml_parser *p, struct toml_value *table, size_t i,
                       struct toml_span span, unsigned *depth, struct toml_value **ret)
{
    const struct toml_part *part = &p->parts[i];
    struct toml_value *v = toml_get(table, part->key);
    struct toml_node *node;
    ++*depth;
    if (!v) {
        int r = check_depth(p, *depth, part->span);
        if (r == 0)
            r = add_table(p, table, part, MADE_IMPLICIT, span, &node);
        if (r == 0)
            *ret = &node->v;
        return r;
    }
    if (v->type == TOML_ARRAY && node_of(v)->made == MADE_TABLES) {
        ++*depth;
        v = v->array.items[v->array.n - 1];
    } else if (v->type != TOML_TABLE || node_of(v)->made == MADE_INLINE) {
        return toml_fail(p, part->span, "%s is %s already (line %u), no table can be added to it",
                         key_text(p, i), kind(v), v->span.line);
    }
    *ret = v;
    return 0;
}

/* The last part of [KEY]. */
static int define_table(struct toml_parser *p, struct toml_value *table, struct toml_span span,
                        unsigned depth, struct toml_value **ret)
{
    size_t last = p->n_parts - 1;
    const struct toml_part *part = &p->parts[last];
    struct toml_value *v = toml_get(table, part->key);
    struct toml_node *node;
    if (!v) {
        int r = check_depth(p, depth, span);
        if (r == 0)
            r = add_table(p, table, part, MADE_EXPLICIT, span, &node);
        if (r == 0)
            *ret = &node->v;
        return r;
    }
    node = node_of(v);
    if (v->type == TOML_TABLE && node->made == MADE_IMPLICIT) {
        node->made = MADE_EXPLICIT;
        v->span = span;
        *ret = v;
        return 0;
    }
    if (v->type == TOML_TABLE && node->made == MADE_EXPLICIT)
        return toml_fail(p, span, "table [%s] is defined twice; first on line %u",
                         key_text(p, last), v->span.line);
    if (node->made == MADE_TABLES)
        return toml_fail(p, span, "%s is an array of tables (line %u); one more of them is [[%s]]",
                         key_text(p, last), v->span.line, key_text(p, last));
    return toml_fail(p, span, "%s is %s already (line %u), it cannot be defined again as a table",
                     key_text(p, last), kind(v), v->span.line);
}

/* The last part of [[KEY]]. */
static int define_item(struct toml_parser *p, struct toml_value *table, struct toml_span span,
                       unsigned depth, struct toml_value **ret)
{
    size_t last = p->n_parts - 1;
    const struct toml_part *part = &p->parts[last];
    struct toml_value *v = toml_get(table, part->key);
    struct toml_node *array, *item;
    int r = check_depth(p, depth, span);
    if (r < 0)
        return r;
    if (!v) {
        r = add_member(p, table, part, &array);
        if (r < 0)
            return r;
        array->v.type = TOML_ARRAY;
        array->v.span = span;
        array->made = MADE_TABLES;
    } else if (node_of(v)->made == MADE_TABLES) {
        array = node_of(v);
    } else {
        return toml_fail(p, span, "%s is %s already (line %u), it cannot be an array of tables too",
                         key_text(p, last), kind(v), v->span.line);
    }
    r = add_item(p, array, &item);
    if (r < 0)
        return r;
    item->v.type = TOML_TABLE;
    item->v.span = span;
    item->made = MADE_EXPLICIT;
    *ret = &item->v;
    return 0;
}

/* [KEY] or [[KEY]]: the table that the following lines fill, and how deep it is. */
static int read_header(struct toml_parser *p, struct toml_value *root, struct toml_value **ret,
                       unsigned *ret_depth)
{
    struct toml_span span = toml_mark(p);
    bool item = toml_peek(p, 1) == '[';
    size_t brackets = item ? 2 : 1;
    p->at += brackets;
    toml_skip_blanks(p);
    int r = toml_read_key(p);
    if (r < 0)
        return r;
    if (toml_peek(p, 0) != ']' || (item && toml_peek(p, 1) != ']'))
        return toml_fail(p, toml_here(p), "expected %s at the end of the table header, found %s",
                         item ? "]]" : "]", toml_found(p));
    p->at += brackets;
    toml_close(p, &span);
    unsigned depth = 0;
    struct toml_value *table = root;
    for (size_t i = 0; i + 1 < p->n_parts; i++) {
        r = step_header(p, table, i, span, &depth, &table);
        if (r < 0)
            return r;
    }
    depth += (unsigned)brackets;
    r = item ? define_item(p, table, span, depth, ret) : define_table(p, table, span, depth, ret);
    if (r == 0)
        *ret_depth = depth;
    return r;
}

static int end_of_line(struct toml_parser *p, const char *what)
{
    toml_skip_blanks(p);
    toml_skip_comment(p);
    if (p->at == p->text.n || toml_newline(p))
        return 0;
    return toml_fail(p, toml_here(p), "expected the end of the line after the %s, found %s", what,
                     toml_found(p));
}

static int read_document(struct toml_parser *p, struct toml_value *root)
{
    struct toml_value *table = root;
    unsigned depth = 0;
    for (;;) {
        toml_skip_lines(p);
        if (p->at == p->text.n)
            return 0;
        bool header = toml_peek(p, 0) == '[';
        int r = header ? read_header(p, root, &table, &depth) : read_pair(p, table, depth);
        if (r == 0)
            r = end_of_line(p, header ? "table header" : "value");
        if (r < 0)
            return r;
    }
}

/* ---- the public calls ---- */

static void parser_init(struct toml_parser *p, struct arena *a, const char *file, struct bytes text,
                        enum toml_version version, struct error *err)
{
    p->arena = a;
    p->file = file;
    p->text = text.n ? text : BYTES("");
    p->version = version;
    p->err = err;
    p->at = p->line_start = 0;
    p->line = 1;
    p->n_keys = p->n_parts = 0;
}

int toml_parse(struct arena *a, const char *file, struct bytes text, enum toml_version version,
               struct toml_value **ret, struct error *err)
{
    struct toml_parser p;
    parser_init(&p, a, file, text, version, err);
    int r = toml_check_text(&p);
    if (r < 0)
        return r;
    if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
        p.at = p.line_start = 3;
    struct toml_node *root = arena_zalloc(a, 1, sizeof(*root));
    if (!root)
        return toml_no_memory(&p);
    root->v.type = TOML_TABLE;
    root->made = MADE_EXPLICIT;
    root->v.span = (struct toml_span){1, 1, 0, text.n};
    r = read_document(&p, &root->v);
    if (r == 0)
        *ret = &root->v;
    return r;
}

int toml_parse_key(struct arena *a, struct bytes text, struct bytes **ret_parts, size_t *ret_n,
                   struct error *err)
{
    struct toml_parser p;
    parser_init(&p, a, NULL, text, TOML_1_1, err);
    int r = toml_check_text(&p);
    if (r < 0)
        return r;
    toml_skip_blanks(&p);
    r = toml_read_key(&p);
    if (r < 0)
        return r;
    if (p.at < p.text.n)
        return toml_fail(&p, toml_here(&p),
                         "expected the end of the key, found %s; a name with other "
                         "characters than letters, digits, _ and - stands in quotes",
                         toml_found(&p));
    struct bytes *parts = arena_zalloc(a, p.n_parts, sizeof(*parts));
    if (!parts)
        return toml_no_memory(&p);
    for (size_t i = 0; i < p.n_parts; i++) {
        const char *copy = arena_strndup(a, p.parts[i].key.p, p.parts[i].key.n);
        if (!copy)
            return toml_no_memory(&p);
        parts[i] = (struct bytes){copy, p.parts[i].key.n};
    }
    *ret_parts = parts;
    *ret_n = p.n_parts;
    return 0;
}

int toml_parse_value(struct arena *a, const char *file, struct bytes text,
                     enum toml_version version, struct toml_value **ret, struct error *err)
{
    struct toml_parser p;
    parser_init(&p, a, file, text, version, err);
    int r = toml_check_text(&p);
    if (r < 0)
        return r;
    do
        toml_skip_blanks(&p);
    while (toml_newline(&p));
    struct toml_node *node = arena_zalloc(a, 1, sizeof(*node));
    if (!node)
        return toml_no_memory(&p);
    r = read_value(&p, node, 1);
    if (r < 0)
        return r;
    do
        toml_skip_blanks(&p);
    while (toml_newline(&p));
    if (p.at < p.text.n)
        return toml_fail(&p, toml_here(&p), "expected the end of the value, found %s",
                         toml_found(&p));
    *ret = &node->v;
    return 0;
}

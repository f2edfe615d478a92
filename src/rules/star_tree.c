/*
 * Tokens to a tree, one statement of the file at a time. See star_tree.h.
 *
 * star.pure says of the statement parsed last that running it leaves nothing behind but what the
 * caller's functions copied: it is one call of such a function whose arguments are displays,
 * literals and names. Its tree and its values are then thrown away.
 */
#include "rules/star_tree.h"

#include <errno.h>

/* The parsing functions set what they return when they return 0, which clang's analyzer does not
 * follow. NOLINTBEGIN(clang-analyzer-core.*) */

static int parse_test(struct star *s, struct node **ret);
static int parse_tests(struct star *s, bool targets, struct node **ret);
static int parse_block(struct star *s, struct node **ret);

static int advance(struct star *s)
{
    return lexer_next(&s->lexer, &s->token);
}

static bool is_op(const struct star *s, enum op op)
{
    return s->token.kind == T_OP && s->token.op == op;
}

static int unexpected(struct star *s, const char *wanted)
{
    static const char *const kinds[] = {"the end of the file", "the end of the line",
                                        "a deeper indentation", "the end of a block"};
    const struct token *t = &s->token;
    if (t->kind <= T_OUTDENT)
        return star_error(s, t->at, t->length ? t->length : 1, "expected %s, found %s", wanted,
                          kinds[t->kind]);
    return star_error(s, t->at, t->length, "expected %s, found %s", wanted,
                      show_n(s->request->text.p + t->at, t->length > 40 ? 40 : t->length));
}

static int expect(struct star *s, enum op op, const char *wanted)
{
    return is_op(s, op) ? advance(s) : unexpected(s, wanted);
}

static struct node *new_node(struct star *s, enum node_kind kind, const struct token *t)
{
    struct node *n = star_alloc(s, sizeof(*n));
    if (n) {
        n->kind = kind;
        n->at = t->at;
        n->length = t->length;
    }
    return n;
}

static int enter(struct star *s)
{
    if (++s->parse_depth > MAX_STAR_NESTING)
        return star_error(s, s->token.at, 1, "nested too deep");
    return 0;
}

/* ---- expressions ---- */

static int parse_literal(struct star *s, struct node **ret)
{
    const struct token t = s->token;
    struct node *n = new_node(s, N_LITERAL, &t);
    struct star_value *v = NULL;
    if (!n)
        return -ENOMEM;
    if (t.kind == T_INT)
        n->value = star_make_int(s, t.integer);
    else if (t.kind == T_FLOAT && (v = star_new(s, STAR_FLOAT)))
        v->floating = t.floating;
    else if (t.kind == T_BYTES && (v = star_new(s, STAR_BYTES)))
        v->text = t.text;
    else if (t.kind == T_STRING)
        n->value = star_make_string(s, t.text);
    if (v)
        n->value = v;
    if (!n->value)
        return -ENOMEM;
    *ret = n;
    return advance(s);
}

/* f"text {expression!r} …": a list of literals and expressions. */
static int parse_fstring(struct star *s, struct node **ret)
{
    const struct token t = s->token;
    struct node *whole = new_node(s, N_FSTRING, &t), **last;
    const char *base = s->lexer.text.p;
    size_t from = (size_t)(t.text.p - base), end = from + t.text.n;
    s->pure = false;
    if (!whole)
        return -ENOMEM;
    last = &whole->items;
    while (from < end) {
        _cleanup_strbuf_ struct strbuf literal = {0};
        for (; from < end; from++) {
            char c = base[from];
            bool twice = from + 1 < end && base[from + 1] == c;
            if (c == '\\' && from + 1 < end) {
                static const char letters[] = "nt\\'\"", values[] = "\n\t\\'\"";
                const char *known = strchr(letters, base[from + 1]);
                if (!known || !*known)
                    return star_error(s, (uint32_t)from, 2, "no escape of an f-string");
                strbuf_putc(&literal, values[known - letters]);
                from++;
            } else if ((c == '{' || c == '}') && twice) {
                strbuf_putc(&literal, c);
                from++;
            } else if (c == '}') {
                return star_error(s, (uint32_t)from, 1, "a single }; } itself is written }}");
            } else if (c == '{') {
                break;
            } else {
                strbuf_putc(&literal, c);
            }
        }
        if (literal.n) {
            struct node *n = new_node(s, N_LITERAL, &t);
            if (!n || !(n->value = star_make_text(s, &literal)))
                return -ENOMEM;
            *last = n;
            last = &n->next;
        }
        if (from >= end)
            break;
        size_t open = from++, depth = 0;
        while (from < end && (depth || (base[from] != '}' && base[from] != '!'))) {
            depth += base[from] == '(' || base[from] == '[' || base[from] == '{';
            depth -= depth && (base[from] == ')' || base[from] == ']' || base[from] == '}');
            from++;
        }
        struct bytes inner = {base + open + 1, from - open - 1};
        bool repr =
            from + 1 < end && base[from] == '!' && (base[from + 1] == 'r' || base[from + 1] == 's');
        bool r_form = repr && base[from + 1] == 'r';
        from += repr ? 2 : 0;
        if (from >= end || base[from] != '}')
            return star_error(s, (uint32_t)open, 1, "an expression without its }");
        struct node *wrapped = new_node(s, N_UNARY, &t);
        if (!wrapped)
            return -ENOMEM;
        wrapped->op = r_form ? OP_PERCENT : OP_NONE;
        int r = parse_expression_at(s, inner, (uint32_t)(open + 1), &wrapped->a);
        if (r < 0)
            return r;
        *last = wrapped;
        last = &wrapped->next;
        from++;
    }
    *ret = whole;
    return advance(s);
}

int parse_expression_at(struct star *s, struct bytes text, uint32_t at, struct node **ret)
{
    const struct lexer outer = s->lexer;
    const struct token token = s->token;
    s->lexer.text.n = at + text.n;
    s->lexer.at = at;
    s->lexer.parens = 1;
    s->lexer.outdents = 0;
    s->lexer.ended = true;
    int r = enter(s);
    if (r == 0)
        r = advance(s);
    if (r == 0)
        r = parse_test(s, ret);
    if (r == 0 && s->token.kind != T_END)
        r = unexpected(s, "the end of the expression");
    s->parse_depth--;
    s->lexer = outer;
    s->token = token;
    return r;
}

/* After `[x` or `{k: v`: for … in … if … */
static int parse_clauses(struct star *s, struct node *body, enum node_kind display,
                         struct node **ret)
{
    struct node *n = new_node(s, N_COMPREHENSION, &s->token);
    struct clause **last;
    s->pure = false;
    if (!n)
        return -ENOMEM;
    n->a = body;
    n->op = (enum op)display;
    last = &n->clauses;
    while (is_op(s, KW_FOR) || is_op(s, KW_IF)) {
        struct clause *c = star_alloc(s, sizeof(*c));
        bool loop = is_op(s, KW_FOR);
        int r = c ? advance(s) : -ENOMEM;
        if (r == 0 && loop)
            r = parse_tests(s, true, &c->target);
        if (r == 0 && loop)
            r = expect(s, KW_IN, "in");
        if (r == 0) /* no conditional expression here: `if` begins the next clause */
            r = parse_test(s, &c->value);
        if (r < 0)
            return r;
        *last = c;
        last = &c->next;
    }
    *ret = n;
    return 0;
}

static int parse_list_items(struct star *s, enum op close, struct node **first, bool *ret_comma)
{
    struct node **last = first;
    *ret_comma = false;
    while (!is_op(s, close)) {
        int r = parse_test(s, last);
        if (r < 0)
            return r;
        last = &(*last)->next;
        if (!is_op(s, OP_COMMA))
            break;
        *ret_comma = true;
        if ((r = advance(s)) < 0)
            return r;
    }
    return 0;
}

static int parse_bracket(struct star *s, struct node **ret)
{
    struct node *n = new_node(s, N_LIST, &s->token);
    bool comma;
    int r = n ? advance(s) : -ENOMEM;
    if (r == 0)
        r = parse_list_items(s, OP_RBRACKET, &n->items, &comma);
    if (r == 0 && is_op(s, KW_FOR) && n->items && !comma)
        r = parse_clauses(s, n->items, N_LIST, &n);
    *ret = n;
    return r < 0 ? r : expect(s, OP_RBRACKET, "]");
}

static int parse_paren(struct star *s, struct node **ret)
{
    struct node *n = new_node(s, N_TUPLE, &s->token);
    bool comma;
    int r = n ? advance(s) : -ENOMEM;
    if (r == 0)
        r = parse_list_items(s, OP_RPAREN, &n->items, &comma);
    if (r < 0)
        return r;
    *ret = n->items && !comma ? n->items : n;
    return expect(s, OP_RPAREN, ")");
}

static int parse_brace(struct star *s, struct node **ret)
{
    struct node *n = new_node(s, N_DICT, &s->token), **last;
    int r = n ? advance(s) : -ENOMEM;
    if (r < 0)
        return r;
    last = &n->items;
    while (!is_op(s, OP_RBRACE)) {
        struct node *pair = new_node(s, N_TUPLE, &s->token);
        if (!pair)
            return -ENOMEM;
        r = parse_test(s, &pair->a);
        if (r == 0)
            r = expect(s, OP_COLON, "\":\" and a value");
        if (r == 0)
            r = parse_test(s, &pair->b);
        if (r < 0)
            return r;
        if (is_op(s, KW_FOR) && !n->items) {
            r = parse_clauses(s, pair, N_DICT, ret);
            return r < 0 ? r : expect(s, OP_RBRACE, "}");
        }
        *last = pair;
        last = &pair->next;
        if (!is_op(s, OP_COMMA))
            break;
        if ((r = advance(s)) < 0)
            return r;
    }
    *ret = n;
    return expect(s, OP_RBRACE, "}");
}

static int parse_primary(struct star *s, struct node **ret)
{
    const struct token t = s->token;
    struct node *n;
    if (t.kind == T_FSTRING)
        return parse_fstring(s, ret);
    if (t.kind >= T_INT && t.kind <= T_BYTES)
        return parse_literal(s, ret);
    if (t.kind == T_NAME) {
        n = new_node(s, N_NAME, &t);
        if (!n || !(n->name = star_intern(s, t.text)))
            return -ENOMEM;
        *ret = n;
        return advance(s);
    }
    if (is_op(s, OP_LBRACKET))
        return parse_bracket(s, ret);
    if (is_op(s, OP_LPAREN))
        return parse_paren(s, ret);
    if (is_op(s, OP_LBRACE))
        return parse_brace(s, ret);
    return unexpected(s, "an expression");
}

static int parse_arguments(struct star *s, struct argument **first)
{
    struct argument **last = first;
    while (!is_op(s, OP_RPAREN)) {
        struct argument *a = star_alloc(s, sizeof(*a));
        int r = a ? 0 : -ENOMEM;
        if (r == 0 && (is_op(s, OP_STAR) || is_op(s, OP_STARSTAR))) {
            a->star = is_op(s, OP_STAR) ? '*' : 'd';
            r = advance(s);
        }
        if (r == 0)
            r = parse_test(s, &a->value);
        if (r == 0 && !a->star && is_op(s, OP_ASSIGN)) {
            if (a->value->kind != N_NAME)
                return star_error(s, a->value->at, a->value->length, "no name of an argument");
            a->name = a->value->name;
            for (const struct argument *b = *first; b; b = b->next)
                if (b->name == a->name)
                    return star_error(s, a->value->at, a->value->length, "%s is given twice",
                                      a->name->text);
            r = advance(s);
            if (r == 0)
                r = parse_test(s, &a->value);
        } else if (r == 0 && !a->star) {
            for (const struct argument *b = *first; b; b = b->next)
                if (b->name || b->star)
                    return star_error(s, a->value->at, a->value->length,
                                      "an argument without a name comes before those with one");
        }
        if (r < 0)
            return r;
        *last = a;
        last = &a->next;
        if (!is_op(s, OP_COMMA))
            break;
        if ((r = advance(s)) < 0)
            return r;
    }
    return expect(s, OP_RPAREN, ")");
}

static int parse_index(struct star *s, struct node *of, struct node **ret)
{
    struct node *n = new_node(s, N_INDEX, &s->token), *part[3] = {NULL, NULL, NULL};
    int r = n ? advance(s) : -ENOMEM, count = 0;
    s->pure = false;
    while (r == 0 && !is_op(s, OP_RBRACKET)) {
        if (is_op(s, OP_COLON)) {
            if (++count > 2)
                return unexpected(s, "]");
            r = advance(s);
            continue;
        }
        if (part[count])
            return unexpected(s, "]");
        r = count == 0 ? parse_tests(s, false, &part[0]) : parse_test(s, &part[count]);
    }
    if (r < 0)
        return r;
    if (count == 0 && !part[0])
        return unexpected(s, "an index");
    n->kind = count ? N_SLICE : N_INDEX;
    n->a = of;
    n->b = part[0];
    n->c = part[1];
    n->d = part[2];
    *ret = n;
    return expect(s, OP_RBRACKET, "]");
}

static int parse_suffixed(struct star *s, struct node **ret)
{
    struct node *n = NULL;
    int r = parse_primary(s, &n);
    while (r == 0) {
        if (is_op(s, OP_LPAREN)) {
            struct node *call = new_node(s, N_CALL, &s->token);
            if (!call)
                return -ENOMEM;
            call->a = n;
            call->at = n->at;
            call->length = n->length;
            bool host = n->kind == N_NAME && n->name->builtin && !n->name->global &&
                        n->name->builtin->type == STAR_FUNCTION &&
                        n->name->builtin->function.host && s->function_depth == 0;
            s->pure = s->pure && host;
            r = advance(s);
            if (r == 0)
                r = parse_arguments(s, &call->arguments);
            n = call;
        } else if (is_op(s, OP_LBRACKET)) {
            r = parse_index(s, n, &n);
        } else if (is_op(s, OP_DOT)) {
            struct node *dot = new_node(s, N_DOT, &s->token);
            s->pure = false;
            r = dot ? advance(s) : -ENOMEM;
            if (r == 0 && s->token.kind != T_NAME)
                return unexpected(s, "a name");
            if (r == 0 && !(dot->name = star_intern(s, s->token.text)))
                r = -ENOMEM;
            if (r == 0) {
                dot->a = n;
                dot->at = s->token.at;
                dot->length = s->token.length;
                r = advance(s);
            }
            n = dot;
        } else {
            break;
        }
    }
    *ret = n;
    return r;
}

static int parse_unary(struct star *s, struct node **ret)
{
    if (!is_op(s, OP_MINUS) && !is_op(s, OP_PLUS) && !is_op(s, OP_TILDE))
        return parse_suffixed(s, ret);
    struct node *n = new_node(s, N_UNARY, &s->token);
    if (!n)
        return -ENOMEM;
    n->op = s->token.op;
    int r = enter(s);
    if (r == 0)
        r = advance(s);
    if (r == 0)
        r = parse_unary(s, &n->a);
    s->parse_depth--;
    *ret = n;
    return r;
}

static int precedence_of(const struct star *s)
{
    if (s->token.kind != T_OP)
        return 0;
    switch (s->token.op) {
    case KW_OR:
        return 1;
    case KW_AND:
        return 2;
    case KW_NOT: /* not in */
    case KW_IN:
    case OP_LT:
    case OP_GT:
    case OP_LE:
    case OP_GE:
    case OP_EQ:
    case OP_NE:
        return 4;
    case OP_PIPE:
        return 5;
    case OP_CARET:
        return 6;
    case OP_AMP:
        return 7;
    case OP_SHL:
    case OP_SHR:
        return 8;
    case OP_PLUS:
    case OP_MINUS:
        return 9;
    case OP_STAR:
    case OP_SLASH:
    case OP_SLASHSLASH:
    case OP_PERCENT:
        return 10;
    default:
        return 0;
    }
}

/* Operators that bind at least as tight as LEAST. */
static int parse_binary(struct star *s, int least, struct node **ret)
{
    struct node *n = NULL;
    bool compared = false;
    int r, p;
    if (least <= 3 && is_op(s, KW_NOT)) {
        n = new_node(s, N_NOT, &s->token);
        r = n ? enter(s) : -ENOMEM;
        if (r == 0)
            r = advance(s);
        if (r == 0)
            r = parse_binary(s, 3, &n->a);
        s->parse_depth--;
    } else {
        r = parse_unary(s, &n);
    }
    while (r == 0 && (p = precedence_of(s)) >= least && p > 0) {
        struct node *b = new_node(s, p == 1 ? N_OR : p == 2 ? N_AND : N_BINARY, &s->token);
        if (!b)
            return -ENOMEM;
        if (p == 4 && compared)
            return star_error(s, s->token.at, s->token.length,
                              "comparisons are not chained; write `a < b and b < c`");
        compared = p == 4;
        b->op = s->token.op;
        r = advance(s);
        if (r == 0 && b->op == KW_NOT) {
            b->op = OP_NOT_IN;
            r = expect(s, KW_IN, "in");
        }
        b->a = n;
        if (r == 0)
            r = parse_binary(s, p + 1, &b->b);
        n = b;
    }
    *ret = n;
    return r;
}

static int parse_parameters(struct star *s, enum op close, bool types, struct parameter **first)
{
    struct parameter **last = first;
    bool starred = false, doubled = false, defaulted = false;
    while (!is_op(s, close)) {
        struct parameter *p = star_alloc(s, sizeof(*p));
        int r = p ? 0 : -ENOMEM;
        const struct token t = s->token;
        if (doubled)
            return star_error(s, t.at, t.length, "nothing comes behind **");
        if (r == 0 && (is_op(s, OP_STAR) || is_op(s, OP_STARSTAR))) {
            p->star = is_op(s, OP_STAR) ? '*' : 'd';
            if (p->star == '*' && starred)
                return star_error(s, t.at, t.length, "a second *");
            starred = starred || p->star == '*';
            doubled = p->star == 'd';
            r = advance(s);
        }
        bool bare = p && p->star == '*' && (is_op(s, OP_COMMA) || is_op(s, close));
        if (r == 0 && !bare) {
            if (s->token.kind != T_NAME)
                return unexpected(s, "the name of a parameter");
            if (!(p->name = star_intern(s, s->token.text)))
                return -ENOMEM;
            for (const struct parameter *q = *first; q; q = q->next)
                if (q->name == p->name)
                    return star_error(s, s->token.at, s->token.length, "a second %s",
                                      p->name->text);
            r = advance(s);
        }
        if (r == 0 && types && !bare && is_op(s, OP_COLON)) {
            struct node *ignored;
            r = advance(s);
            if (r == 0)
                r = parse_test(s, &ignored);
        }
        if (r == 0 && !p->star && is_op(s, OP_ASSIGN)) {
            defaulted = !starred;
            r = advance(s);
            if (r == 0)
                r = parse_test(s, &p->otherwise);
        } else if (r == 0 && !p->star && defaulted && !starred) {
            return star_error(s, t.at, t.length,
                              "a parameter without a default behind one with it");
        }
        if (r < 0)
            return r;
        *last = p;
        last = &p->next;
        if (!is_op(s, OP_COMMA))
            break;
        if ((r = advance(s)) < 0)
            return r;
    }
    return 0;
}

static int add_name(struct star *s, struct names *names, struct name *name)
{
    for (size_t i = 0; i < names->v.n; i++)
        if (names->v.v[i] == name)
            return 0;
    struct name **bigger = star_alloc(s, (names->v.n + 1) * sizeof(*bigger));
    if (!bigger)
        return -ENOMEM;
    if (names->v.n)
        memcpy(bigger, names->v.v, names->v.n * sizeof(*bigger));
    bigger[names->v.n] = name;
    names->v.v = bigger;
    names->v.n++;
    return 0;
}

static int collect_target(struct star *s, const struct node *t, struct names *names)
{
    int r = 0;
    if (t->kind == N_NAME)
        return add_name(s, names, t->name);
    if (t->kind == N_LIST || t->kind == N_TUPLE)
        for (const struct node *i = t->items; i && r == 0; i = i->next)
            r = collect_target(s, i, names);
    return r;
}

/* What the statements of a function's body assign: those names are its own. */
static int collect(struct star *s, const struct node *body, struct names *names)
{
    int r = 0;
    for (const struct node *n = body; n && r == 0; n = n->next) {
        if (n->kind == N_ASSIGN || n->kind == N_AUGMENT || n->kind == N_FOR)
            r = collect_target(s, n->a, names);
        if (n->kind == N_DEF)
            r = add_name(s, names, n->name);
        if (r == 0 && n->kind == N_FOR)
            r = collect(s, n->c, names);
        if (r == 0 && n->kind == N_IF)
            r = collect(s, n->b, names);
        if (r == 0 && n->kind == N_IF)
            r = collect(s, n->c, names);
    }
    return r;
}

static int finish_function(struct star *s, struct node *n)
{
    n->locals = star_alloc(s, sizeof(*n->locals));
    int r = n->locals ? 0 : -ENOMEM;
    for (const struct parameter *p = n->parameters; r == 0 && p; p = p->next)
        if (p->name)
            r = add_name(s, n->locals, p->name);
    if (r == 0 && n->kind == N_DEF)
        r = collect(s, n->b, n->locals);
    return r;
}

static int parse_lambda(struct star *s, struct node **ret)
{
    struct node *n = new_node(s, N_LAMBDA, &s->token);
    s->pure = false;
    int r = n ? advance(s) : -ENOMEM;
    if (r == 0)
        r = parse_parameters(s, OP_COLON, false, &n->parameters);
    if (r == 0)
        r = expect(s, OP_COLON, "\":\"");
    if (r == 0)
        r = parse_test(s, &n->b);
    if (r == 0)
        r = finish_function(s, n);
    *ret = n;
    return r;
}

static int parse_test(struct star *s, struct node **ret)
{
    struct node *n = NULL;
    int r = enter(s);
    if (r == 0 && is_op(s, KW_LAMBDA)) {
        r = parse_lambda(s, ret);
        s->parse_depth--;
        return r;
    }
    if (r == 0)
        r = parse_binary(s, 1, &n);
    /* Inside a comprehension an `if` without `else` is the next clause. */
    if (r == 0 && is_op(s, KW_IF)) {
        const struct lexer before = s->lexer;
        const struct token token = s->token;
        struct node *choice = new_node(s, N_IF_ELSE, &s->token);
        r = choice ? advance(s) : -ENOMEM;
        if (r == 0)
            r = parse_binary(s, 1, &choice->b);
        if (r == 0 && !is_op(s, KW_ELSE)) {
            s->lexer = before;
            s->token = token;
            *ret = n;
            s->parse_depth--;
            return 0;
        }
        if (r == 0)
            r = advance(s);
        if (r == 0)
            r = parse_test(s, &choice->c);
        choice->a = n;
        n = choice;
    }
    s->parse_depth--;
    *ret = n;
    return r;
}

/* One, or a tuple without parentheses. TARGETS: of a for, which ends at `in`. */
static int parse_tests(struct star *s, bool targets, struct node **ret)
{
    struct node *n = NULL, *tuple, **last;
    int r = targets ? parse_suffixed(s, &n) : parse_test(s, &n);
    if (r < 0 || !is_op(s, OP_COMMA)) {
        *ret = n;
        return r;
    }
    tuple = new_node(s, N_TUPLE, &s->token);
    if (!tuple)
        return -ENOMEM;
    tuple->at = n->at;
    tuple->items = n;
    last = &n->next;
    while (r == 0 && is_op(s, OP_COMMA)) {
        r = advance(s);
        if (r < 0 || s->token.kind == T_NEWLINE || s->token.kind == T_END ||
            (s->token.kind == T_OP &&
             (s->token.op == OP_ASSIGN || s->token.op == KW_IN || s->token.op == OP_RPAREN ||
              s->token.op == OP_RBRACKET || s->token.op == OP_SEMICOLON)))
            break;
        r = targets ? parse_suffixed(s, last) : parse_test(s, last);
        if (r == 0)
            last = &(*last)->next;
    }
    *ret = tuple;
    return r;
}

/* ---- statements ---- */

static int check_target(struct star *s, const struct node *t)
{
    if (t->kind == N_NAME || t->kind == N_INDEX)
        return 0;
    if (t->kind == N_LIST || t->kind == N_TUPLE) {
        for (const struct node *i = t->items; i; i = i->next) {
            int r = check_target(s, i);
            if (r < 0)
                return r;
        }
        return 0;
    }
    return star_error(s, t->at, t->length, "this cannot be assigned to");
}

static int parse_simple(struct star *s, struct node **ret)
{
    const struct token t = s->token;
    struct node *n = new_node(s, N_PASS, &t), *value = NULL;
    int r = n ? 0 : -ENOMEM;
    *ret = n;
    if (r < 0)
        return r;
    if (is_op(s, KW_LOAD))
        return star_error(s, t.at, t.length, "load is not available: a rules file stands alone");
    if (is_op(s, KW_PASS) || is_op(s, KW_BREAK) || is_op(s, KW_CONTINUE)) {
        s->pure = false;
        n->kind = is_op(s, KW_PASS) ? N_PASS : is_op(s, KW_BREAK) ? N_BREAK : N_CONTINUE;
        if (n->kind != N_PASS && s->loop_depth == 0)
            return star_error(s, t.at, t.length, "outside a loop");
        return advance(s);
    }
    if (is_op(s, KW_RETURN)) {
        s->pure = false;
        n->kind = N_RETURN;
        if (s->function_depth == 0)
            return star_error(s, t.at, t.length, "return outside a function");
        r = advance(s);
        if (r == 0 && s->token.kind != T_NEWLINE && s->token.kind != T_END &&
            !is_op(s, OP_SEMICOLON))
            r = parse_tests(s, false, &n->a);
        return r;
    }
    r = parse_tests(s, false, &value);
    if (r < 0)
        return r;
    if (is_op(s, OP_COLON) && value->kind == N_NAME) { /* x: type = … */
        struct node *ignored;
        s->pure = false;
        r = advance(s);
        if (r == 0)
            r = parse_test(s, &ignored);
        if (r < 0 || !is_op(s, OP_ASSIGN))
            return r;
    }
    if (s->token.kind == T_OP && s->token.op >= OP_ASSIGN && s->token.op <= OP_SHR_ASSIGN) {
        s->pure = false;
        n->kind = is_op(s, OP_ASSIGN) ? N_ASSIGN : N_AUGMENT;
        n->op = s->token.op;
        n->a = value;
        if (n->kind == N_AUGMENT && value->kind != N_NAME && value->kind != N_INDEX)
            return star_error(s, value->at, value->length, "this cannot be assigned to");
        r = check_target(s, value);
        if (r == 0)
            r = advance(s);
        return r < 0 ? r : parse_tests(s, false, &n->b);
    }
    n->kind = N_EXPRESSION;
    n->a = value;
    return 0;
}

static int parse_if(struct star *s, struct node **ret)
{
    struct node *n = new_node(s, N_IF, &s->token);
    int r = n ? advance(s) : -ENOMEM;
    if (r == 0)
        r = parse_test(s, &n->a);
    if (r == 0)
        r = expect(s, OP_COLON, "\":\"");
    if (r == 0)
        r = parse_block(s, &n->b);
    while (r == 0 && s->token.kind == T_NEWLINE)
        r = advance(s);
    if (r == 0 && is_op(s, KW_ELIF)) {
        r = enter(s);
        if (r == 0)
            r = parse_if(s, &n->c);
        s->parse_depth--;
    } else if (r == 0 && is_op(s, KW_ELSE)) {
        r = advance(s);
        if (r == 0)
            r = expect(s, OP_COLON, "\":\"");
        if (r == 0)
            r = parse_block(s, &n->c);
    }
    *ret = n;
    return r;
}

static int parse_for(struct star *s, struct node **ret)
{
    struct node *n = new_node(s, N_FOR, &s->token);
    int r = n ? advance(s) : -ENOMEM;
    if (r == 0)
        r = parse_tests(s, true, &n->a);
    if (r == 0)
        r = check_target(s, n->a);
    if (r == 0)
        r = expect(s, KW_IN, "in");
    if (r == 0)
        r = parse_tests(s, false, &n->b);
    if (r == 0)
        r = expect(s, OP_COLON, "\":\"");
    s->loop_depth++;
    if (r == 0)
        r = parse_block(s, &n->c);
    s->loop_depth--;
    *ret = n;
    return r;
}

static int parse_def(struct star *s, struct node **ret)
{
    struct node *n = new_node(s, N_DEF, &s->token);
    struct name *name = NULL;
    const unsigned loops = s->loop_depth;
    int r = n ? advance(s) : -ENOMEM;
    if (r == 0 && s->token.kind != T_NAME)
        return unexpected(s, "the function's name");
    if (r == 0 && !(name = star_intern(s, s->token.text)))
        r = -ENOMEM;
    if (r == 0)
        r = advance(s);
    if (r == 0)
        r = expect(s, OP_LPAREN, "(");
    if (r == 0)
        r = parse_parameters(s, OP_RPAREN, true, &n->parameters);
    if (r == 0)
        r = expect(s, OP_RPAREN, ")");
    if (r == 0 && is_op(s, OP_ARROW)) {
        struct node *ignored;
        r = advance(s);
        if (r == 0)
            r = parse_test(s, &ignored);
    }
    if (r == 0)
        r = expect(s, OP_COLON, "\":\"");
    s->function_depth++;
    s->loop_depth = 0;
    if (r == 0)
        r = parse_block(s, &n->b);
    s->function_depth--;
    s->loop_depth = loops;
    if (r == 0)
        r = finish_function(s, n);
    /* A def is an assignment of what it makes. */
    struct node *make = r == 0 ? new_node(s, N_LAMBDA, &s->token) : NULL;
    if (r == 0 && !make)
        r = -ENOMEM;
    if (r < 0)
        return r;
    *make = *n;
    make->kind = N_LAMBDA;
    make->op = KW_DEF;
    n->a = make;
    n->name = name;
    *ret = n;
    return 0;
}

static int parse_line(struct star *s, struct node **ret)
{
    struct node **last = ret;
    for (;;) {
        int r = parse_simple(s, last);
        if (r < 0)
            return r;
        while (*last)
            last = &(*last)->next;
        if (!is_op(s, OP_SEMICOLON))
            break;
        s->pure = false;
        if ((r = advance(s)) < 0)
            return r;
        if (s->token.kind == T_NEWLINE)
            break;
    }
    /* The end of the line is left: what is looked at ahead must not outlive a statement's memory.
     */
    return s->token.kind == T_NEWLINE || s->token.kind == T_END
               ? 0
               : unexpected(s, "the end of the statement");
}

static int parse_one(struct star *s, struct node **ret)
{
    int r = enter(s);
    bool block = is_op(s, KW_IF) || is_op(s, KW_FOR) || is_op(s, KW_DEF);
    s->pure = s->pure && !block;
    if (r == 0)
        r = is_op(s, KW_IF)    ? parse_if(s, ret)
            : is_op(s, KW_FOR) ? parse_for(s, ret)
            : is_op(s, KW_DEF) ? parse_def(s, ret)
                               : parse_line(s, ret);
    s->parse_depth--;
    return r;
}

static int parse_block(struct star *s, struct node **ret)
{
    struct node **last = ret;
    if (s->token.kind != T_NEWLINE)
        return parse_line(s, ret);
    int r = advance(s);
    if (r == 0 && s->token.kind != T_INDENT)
        return unexpected(s, "an indented block");
    if (r == 0)
        r = advance(s);
    while (r == 0 && s->token.kind != T_OUTDENT && s->token.kind != T_END) {
        if (s->token.kind == T_NEWLINE) {
            r = advance(s);
            continue;
        }
        r = parse_one(s, last);
        while (r == 0 && *last)
            last = &(*last)->next;
    }
    return r < 0 || s->token.kind == T_END ? r : advance(s);
}

int parse_begin(struct star *s)
{
    s->lexer = (struct lexer){.star = s, .text = s->request->text, .line_start = true};
    s->token = (struct token){.kind = T_NEWLINE};
    return 0;
}

int parse_statement(struct star *s, struct node **ret)
{
    int r = 0;
    *ret = NULL;
    while (r == 0 && s->token.kind == T_NEWLINE)
        r = advance(s);
    if (r < 0 || s->token.kind == T_END)
        return r;
    if (s->token.kind == T_INDENT)
        return star_error(s, s->token.at, 1, "an indentation that nothing asked for");
    s->pure = true;
    s->parse_depth = 0;
    return parse_one(s, ret);
}

/* NOLINTEND(clang-analyzer-core.*) */

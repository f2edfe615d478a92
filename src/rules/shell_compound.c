/*
 * Compound commands. See shell_internal.h.
 *
 * What is data in them is told from what runs: words of `for` and `case`, patterns, and [[ … ]] are
 * no commands, bodies and conditions are.
 */
#include "rules/shell_internal.h"

#include <ctype.h>
#include <errno.h>

static bool unexpected(struct parser *p)
{
    return shell_fail(p, p->tok.type == T_END ? "it ends too early" : "no shell expects this here",
                      p->tok.at);
}

static bool expect(struct parser *p, const char *word)
{
    if (shell_accept(p, word))
        return true;
    return p->have ? unexpected(p) : false;
}

static bool expect_close(struct parser *p)
{
    if (!shell_next(p))
        return false;
    if (p->tok.type != T_CLOSE)
        return unexpected(p);
    p->have = false;
    return true;
}

/* A list that is not empty. */
static bool body(struct parser *p, const char *stops, int close)
{
    if (!shell_newlines(p))
        return false;
    size_t at = p->tok.at;
    if (!shell_list(p, stops, close))
        return false;
    return p->tok.at != at || unexpected(p);
}

/* ---- if, while, groups ---- */

static bool read_if(struct parser *p)
{
    for (;;) {
        if (!body(p, "then", END) || !expect(p, "then") || !body(p, "elif else fi", END))
            return false;
        if (!shell_accept(p, "elif"))
            break;
    }
    if (shell_accept(p, "else") && !body(p, "fi", END))
        return false;
    return expect(p, "fi");
}

static bool read_do(struct parser *p)
{
    return expect(p, "do") && body(p, "done", END) && expect(p, "done");
}

static bool read_while(struct parser *p)
{
    return body(p, "do", END) && read_do(p);
}

static bool read_group(struct parser *p)
{
    return body(p, "}", END) && expect(p, "}");
}

static bool read_subshell(struct parser *p)
{
    return body(p, NULL, ')') && expect_close(p);
}

/* ---- for, select ---- */

/* Behind `((`: arithmetic up to `))`. */
static bool arithmetic(struct parser *p)
{
    struct build b = {.mark = p->r->buf.n, .from = p->s->i};
    bool good = shell_arithmetic(p, &b);
    p->r->buf.n = b.mark;
    return good;
}

/* Are there two opening parentheses? The first is the token. */
static bool at_double(struct parser *p)
{
    return p->tok.type == T_OPEN && p->s->i < p->s->n && p->s->p[p->s->i] == '(';
}

static bool loop_body(struct parser *p)
{
    p->mode = WORD_FIRST;
    if (!shell_next(p))
        return false;
    if (p->tok.type == T_SEMI)
        p->have = false;
    if (!shell_newlines(p))
        return false;
    if (shell_accept(p, "{"))
        return read_group(p);
    return p->have && read_do(p);
}

static bool read_for(struct parser *p)
{
    struct source *s = p->s;
    p->mode = WORD_USUAL;
    if (!shell_next(p))
        return false;
    if (at_double(p)) {
        p->have = false;
        s->i++;
        if (!arithmetic(p))
            return s->failed || p->r->error ? false : shell_fail(p, "(( is not closed", p->tok.at);
        return loop_body(p);
    }
    if (p->tok.type != T_WORD)
        return unexpected(p);
    p->have = false;
    /* A `;` here ends the head; newlines may stand before `in`. */
    p->mode = WORD_FIRST;
    if (!shell_next(p))
        return false;
    if (p->tok.type == T_SEMI)
        return loop_body(p);
    if (!shell_newlines(p))
        return false;
    if (!shell_accept(p, "in"))
        return p->have && loop_body(p);
    for (p->mode = WORD_USUAL;; p->have = false) {
        if (!shell_next(p))
            return false;
        if (p->tok.type != T_WORD)
            break;
    }
    if (p->tok.type != T_SEMI && p->tok.type != T_NEWLINE)
        return unexpected(p);
    return loop_body(p);
}

/* ---- case ---- */

/* pattern | pattern ), the first token being there. */
static bool read_patterns(struct parser *p)
{
    for (;;) {
        if (p->tok.type != T_WORD)
            return unexpected(p);
        p->have = false;
        p->mode = WORD_PATTERN;
        if (!shell_next(p))
            return false;
        if (p->tok.type != T_PIPE)
            return expect_close(p);
        p->have = false;
        if (!shell_next(p))
            return false;
    }
}

static bool read_case(struct parser *p)
{
    p->mode = WORD_USUAL;
    if (!shell_next(p))
        return false;
    if (p->tok.type != T_WORD)
        return unexpected(p);
    p->have = false;
    if (!shell_newlines(p) || !expect(p, "in"))
        return false;
    for (;;) {
        do {
            p->mode = WORD_PATTERN;
            if (!shell_next(p))
                return false;
        } while (p->tok.type == T_NEWLINE && !(p->have = false));
        if (shell_at_word(p, "esac")) {
            p->have = false;
            return true;
        }
        if (p->tok.type == T_OPEN) {
            p->have = false;
            if (!shell_next(p))
                return false;
        }
        if (!read_patterns(p) || !shell_list(p, "esac", ';'))
            return false;
        if (p->tok.type == T_CASE_END)
            p->have = false;
        else if (!shell_at_word(p, "esac"))
            return unexpected(p);
    }
}

/* ---- [[ ]] ---- */

static bool cond_list(struct parser *p);

static bool cond_newlines(struct parser *p)
{
    p->mode = WORD_COND;
    while (shell_next(p)) {
        if (p->tok.type != T_NEWLINE)
            return true;
        p->have = false;
    }
    return false;
}

static bool is_binary(const struct sword *w)
{
    static const char *const words[] = {"=",   "==",  "!=",  "=~",  "-eq", "-ne", "-lt",
                                        "-le", "-gt", "-ge", "-nt", "-ot", "-ef", "-pcre-match"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (w->bare && str_eq(w->text, words[i]))
            return true;
    return false;
}

static bool is_unary(const struct sword *w)
{
    const struct bytes b = w->cooked;
    return w->bare && b.n == 2 && b.p[0] == '-' && isalpha((unsigned char)b.p[1]);
}

/* The word that is the token. */
static void cond_word(struct parser *p)
{
    const struct sword *w = &p->tok.word;
    shell_subscripts(p->r, w->cooked, "a subscript", w->at, w->end);
    p->have = false;
}

static bool cond_operand(struct parser *p, enum word_mode mode)
{
    p->have = false;
    p->mode = mode;
    if (!shell_next(p))
        return false;
    if (p->tok.type != T_WORD)
        return unexpected(p);
    cond_word(p);
    p->mode = WORD_COND;
    return shell_next(p);
}

static bool cond_term(struct parser *p)
{
    if (!cond_newlines(p))
        return false;
    if (shell_at_word(p, "!")) {
        p->have = false;
        if (!shell_enter(p))
            return false;
        bool good = cond_term(p);
        shell_leave(p);
        return good;
    }
    if (p->tok.type == T_OPEN) {
        p->have = false;
        if (!shell_enter(p))
            return false;
        bool good = cond_list(p);
        shell_leave(p);
        if (!good || !expect_close(p))
            return false;
        return cond_newlines(p);
    }
    if (p->tok.type != T_WORD || shell_at_word(p, "]]"))
        return unexpected(p);
    struct sword first = p->tok.word;
    cond_word(p);
    p->mode = WORD_COND;
    if (!shell_next(p))
        return false;
    if (p->tok.type == T_REDIRECT && p->tok.number == -1 && p->tok.end == p->tok.at + 1)
        return cond_operand(p, WORD_COND);
    if (p->tok.type == T_WORD && is_binary(&p->tok.word))
        return cond_operand(p, shell_at_word(p, "=~") ? WORD_REGEX : WORD_PATTERN);
    if (p->tok.type == T_WORD && is_unary(&first) && !shell_at_word(p, "]]")) {
        cond_word(p);
        return cond_newlines(p);
    }
    return cond_newlines(p);
}

static bool cond_list(struct parser *p)
{
    for (;;) {
        if (!cond_term(p) || !cond_newlines(p))
            return false;
        if (p->tok.type != T_AND && p->tok.type != T_OR)
            return true;
        p->have = false;
    }
}

static bool read_cond(struct parser *p)
{
    if (!cond_list(p))
        return false;
    if (!shell_at_word(p, "]]"))
        return unexpected(p);
    p->have = false;
    return true;
}

/* ---- functions ---- */

bool shell_function_body(struct parser *p, const char *name)
{
    struct reader *r = p->r;
    const char *outer = r->via;
    if (!shell_newlines(p) || !shell_enter(p))
        return false;
    r->via = arena_printf(r->a, "function %s", name);
    bool good = r->via != NULL;
    if (!good)
        r->error = -ENOMEM;
    good = good && shell_command(p);
    r->via = outer;
    shell_leave(p);
    return good;
}

static bool read_function(struct parser *p)
{
    p->mode = WORD_USUAL;
    if (!shell_next(p))
        return false;
    if (p->tok.type != T_WORD)
        return unexpected(p);
    const char *name = p->tok.word.text;
    p->have = false;
    p->mode = WORD_FIRST;
    if (!shell_next(p))
        return false;
    if (p->tok.type == T_OPEN && shell_peek(p->s) == ')') {
        p->have = false;
        p->s->i++;
    }
    return shell_function_body(p, name);
}

/* ---- all of them ---- */

/* Could it be meant as a command, by shells that know no such arithmetic? A word, and behind it, if
 * anything, another one. */
static bool is_command_like(struct bytes b)
{
    static const char blanks[] = " \t\n(";
    while (b.n && b.p[0] && strchr(blanks, b.p[0])) {
        b.p++;
        b.n--;
    }
    if (b.n && (b.p[0] == '<' || b.p[0] == '>'))
        return true;
    size_t i = 0;
    while (i < b.n && (isalnum((unsigned char)b.p[i]) || strchr("_./-'\"$\\", b.p[i])))
        i++;
    size_t word = i;
    if (!word || isdigit((unsigned char)b.p[0]))
        return false;
    while (i < b.n && b.p[i] && strchr(" \t\n;|&)`", b.p[i]))
        i++;
    if (i == b.n)
        return true;
    unsigned char c = (unsigned char)b.p[i];
    return i > word && (isalnum(c) || strchr("_./'\"$\\`", c) ||
                        (c == '-' && i + 1 < b.n && isalpha((unsigned char)b.p[i + 1])));
}

/* Behind `(` when another follows: arithmetic, or a subshell in a subshell. */
static bool read_double(struct parser *p)
{
    struct source *s = p->s;
    size_t inner = s->i;
    p->have = false;
    s->i++;
    if (arithmetic(p)) {
        /* dash knows no such arithmetic. */
        if (s->dialect != DIALECT_BASH) {
            struct bytes text = {s->p + inner + 1, s->i - inner - 3};
            bool opaque = p->r->opaque;
            if ((is_command_like(text) || shell_odd_arithmetic(text)) &&
                !memchr(text.p, HOLE, text.n))
                shell_nested(p->r, text, s->dialect, "((…))", shell_place(s, inner),
                             shell_place(s, s->i), "");
            p->r->opaque = opaque;
        }
        return true;
    }
    if (s->failed || p->r->error)
        return false;
    s->i = inner;
    return read_subshell(p);
}

static const struct keyword {
    const char *word, *what;
    bool (*read)(struct parser *p);
} keywords[] = {
    {"{", "it groups commands", read_group},
    {"if", "it holds a condition", read_if},
    {"while", "it holds a loop", read_while},
    {"until", "it holds a loop", read_while},
    {"for", "it holds a loop", read_for},
    {"select", "it holds a loop", read_for},
    {"case", "it holds a choice", read_case},
    {"[[", "it holds a condition", read_cond},
    {"function", "it defines a function", read_function},
};

static const struct keyword *keyword_of(struct parser *p)
{
    for (size_t i = 0; i < ARRAY_LEN(keywords); i++)
        if (shell_at_word(p, keywords[i].word))
            return &keywords[i];
    return NULL;
}

bool shell_compound(struct parser *p, bool *ret_is)
{
    static const struct keyword subshell = {"(", "it starts a subshell", read_subshell};
    static const struct keyword twice = {"((", "it calculates", read_double};
    struct reader *r = p->r;
    const struct keyword *k = p->tok.type != T_OPEN ? keyword_of(p)
                              : at_double(p)        ? &twice
                                                    : &subshell;
    *ret_is = k != NULL;
    if (!k)
        return true;
    size_t first = r->v.n;
    shell_deepen(p, k->what, p->tok.at);
    p->have = false;
    p->timed = false;
    if (!shell_enter(p))
        return false;
    bool good = k->read(p);
    shell_leave(p);
    struct redirected to = {0};
    if (!good || !shell_redirections(p, &to))
        return false;
    p->out = NULL;
    if (!to.in)
        return true;
    for (size_t i = first; i < r->v.n; i++)
        if (r->v.v[i].level == r->level)
            r->v.v[i].c.stdin_data |= to.data;
    struct feed *f = vec_push(&r->feeds);
    if (!f) {
        r->error = -ENOMEM;
        return false;
    }
    *f = (struct feed){first, r->v.n, r->level, to.in};
    return true;
}

/*
 * Shell text to tokens. See shell_internal.h.
 *
 * The next token is made when it is asked for, since what a byte means depends on what the grammar
 * expects (parser.mode). A backslash before a newline is nothing at all, also inside operators, and
 * is passed over by shell_peek(); single quotes and comments, where it means itself, read bytes.
 *
 * Where shells disagree on where a word ends, reading as one of them would not do: the text is then
 * read as bash does, and marked opaque (shell_doubt).
 */
#include "base/limits.h"
#include "rules/shell_internal.h"

#include <ctype.h>
#include <errno.h>

#define META " \t\n;&|<>()"

/* Bytes that mean themselves in a word wherever they stand. */
static bool is_ordinary(unsigned char c)
{
    static const bool special[256] = {
        [0] = true,    [' '] = true, ['\t'] = true, ['\n'] = true, [';'] = true, ['&'] = true,
        ['|'] = true,  ['<'] = true, ['>'] = true,  ['('] = true,  [')'] = true, ['\\'] = true,
        ['\''] = true, ['"'] = true, ['`'] = true,  ['$'] = true,  ['*'] = true, ['?'] = true,
        ['['] = true,  [']'] = true, ['{'] = true,  [','] = true,  ['.'] = true, ['='] = true,
        ['~'] = true,  ['+'] = true, ['@'] = true,  ['!'] = true,  ['^'] = true, ['%'] = true,
        [1] = true,    [127] = true, ['#'] = true,  ['}'] = true,
    };
    return !special[c];
}

static bool is_meta(int c)
{
    return c == END || (c != HOLE && strchr(META, c));
}

static void skip_continuations(struct source *s)
{
    while (s->n - s->i >= 2 && s->p[s->i] == '\\' && s->p[s->i + 1] == '\n')
        s->i += 2;
}

int shell_peek(struct source *s)
{
    skip_continuations(s);
    return s->i < s->n ? (unsigned char)s->p[s->i] : END;
}

int shell_peek_second(const struct source *s)
{
    struct source ahead = *s;
    if (shell_peek(&ahead) == END)
        return END;
    ahead.i++;
    return shell_peek(&ahead);
}

uint32_t shell_place(const struct source *s, size_t i)
{
    return s->copied ? s->at : s->at + (uint32_t)i;
}

uint32_t shell_place_end(const struct source *s, size_t i)
{
    return s->copied ? s->at + s->length : s->at + (uint32_t)i;
}

/* ---- what is noted ---- */

void shell_doubt(struct parser *p, const char *reason, size_t at)
{
    if (p->r->opaque)
        return;
    p->r->opaque = true;
    p->r->opaque_reason = reason;
    p->r->opaque_at = shell_place(p->s, at);
}

bool shell_fail(struct parser *p, const char *reason, size_t at)
{
    if (!p->s->failed)
        shell_doubt(p, reason, at);
    p->s->failed = true;
    return false;
}

void shell_deepen(struct parser *p, const char *reason, size_t at)
{
    struct reader *r = p->r;
    if (r->deep || r->nested)
        return;
    r->deep = true;
    r->reason = reason;
    r->reason_at = shell_place(p->s, at);
}

bool shell_enter(struct parser *p)
{
    if (p->r->depth >= MAX_SHELL_DEPTH)
        return shell_fail(p, "it is nested too deeply", p->s->i);
    p->r->depth++;
    return true;
}

void shell_leave(struct parser *p)
{
    p->r->depth--;
}

bool shell_is_name(struct bytes b)
{
    for (size_t i = 0; i < b.n; i++) {
        unsigned char c = (unsigned char)b.p[i];
        if (c >= 128 || !(isalpha(c) || c == '_' || (i && isdigit(c))))
            return false;
    }
    return b.n > 0;
}

struct bytes shell_keep(struct reader *r, const char *s, size_t n)
{
    char *p = arena_strndup(r->a, s, n);
    if (!p)
        r->error = -ENOMEM;
    return (struct bytes){p ? p : "", p ? n : 0};
}

void shell_put(struct parser *p, const char *s, size_t n)
{
    strbuf_put(&p->r->buf, s, n);
}

static void put(struct parser *p, int c)
{
    char byte = (char)c;
    strbuf_put(&p->r->buf, &byte, 1);
}

/* ---- words ---- */

void shell_hole(struct parser *p, struct build *b, bool quoted)
{
    put(p, HOLE);
    b->unknown = b->expanded = true;
    b->splits |= !quoted;
}

bool shell_squote(struct parser *p, struct build *b)
{
    struct source *s = p->s;
    const char *from = s->p + s->i;
    const char *to = memchr(from, '\'', s->n - s->i);
    if (!to)
        return shell_fail(p, "a single quote is not closed", s->i - 1);
    if (memchr(from, HOLE, (size_t)(to - from)))
        b->unknown = true;
    b->quoted = true;
    shell_put(p, from, (size_t)(to - from));
    s->i += (size_t)(to - from) + 1;
    return true;
}

/* Behind a backslash between double quotes. */
static void dquote_escape(struct parser *p)
{
    struct source *s = p->s;
    int c = s->i < s->n ? (unsigned char)s->p[s->i] : END;
    if (c == END || !strchr("$`\"\\", c) || c == HOLE)
        put(p, '\\');
    if (c != END && c != HOLE) {
        put(p, c);
        s->i++;
    }
}

bool shell_dquote(struct parser *p, struct build *b)
{
    struct source *s = p->s;
    size_t opened = s->i - 1;
    b->quoted = true;
    for (;;) {
        size_t from = s->i;
        while (s->i < s->n && !memchr("\"\\$`", s->p[s->i], 5))
            s->i++;
        shell_put(p, s->p + from, s->i - from);
        int c = shell_peek(s);
        if (c == END)
            return shell_fail(p, "a double quote is not closed", opened);
        bool good = true;
        if (c == '$') {
            good = shell_dollar(p, b, true);
        } else if (c == '`') {
            good = shell_backquote(p, b, true);
        } else if (c == HOLE) {
            s->i++;
            shell_hole(p, b, true);
        } else if (c == '"') {
            s->i++;
            return true;
        } else if (c == '\\') {
            s->i++;
            dquote_escape(p);
        } else {
            put(p, c); /* behind a continuation */
            s->i++;
        }
        if (!good)
            return false;
    }
}

/* Is what stands in buf since the mark a name, all of it bare (and a last '+')? */
static bool names_variable(const struct parser *p, const struct build *b)
{
    struct bytes name = {p->r->buf.p + b->mark, p->r->buf.n - b->mark};
    if (name.n && name.p[name.n - 1] == '+')
        name.n--;
    return !b->quoted && !b->unknown && !b->bracket && shell_is_name(name);
}

static bool is_empty(const struct parser *p, const struct build *b)
{
    return p->r->buf.n == b->mark && !b->quoted && !b->expanded;
}

/* The elements of NAME=( … ). */
static bool array_elements(struct parser *p, size_t at)
{
    struct parser inner = {.r = p->r,
                           .s = p->s,
                           .mode = WORD_FIRST,
                           .outer_heredocs = p->outer_heredocs || p->heredocs.n};
    bool good = shell_enter(p);
    if (!good)
        return false;
    while ((good = shell_next(&inner)) && (inner.tok.type == T_WORD || inner.tok.type == T_NEWLINE))
        inner.have = false;
    if (good && inner.tok.type != T_CLOSE)
        good = shell_fail(p, "a list of values is not closed", at);
    shell_leave(p);
    shell_parser_release(&inner);
    return good;
}

/* At a '=' in a word. */
static bool equals(struct parser *p, struct build *b)
{
    struct source *s = p->s;
    size_t at = s->i;
    bool variable = !b->assign && names_variable(p, b);
    bool first = p->r->buf.n == b->mark; /* also behind '' */
    b->assign |= variable;
    s->i++;
    put(p, '=');
    int c = shell_peek(s);
    if (first && !is_meta(c)) {
        shell_deepen(p, "zsh replaces a word that begins with =", at);
        b->glob |= s->dialect == DIALECT_ZSH;
    }
    if (c == '~') {
        b->tilde |= !first;
    } else if (b->assign && c == '(' && p->r->buf.p[p->r->buf.n - 1] == '=') {
        shell_deepen(p, "it assigns a variable", at);
        s->i++;
        if (!array_elements(p, at))
            return false;
        shell_hole(p, b, true);
        if (s->dialect == DIALECT_ZSH && !is_meta(shell_peek(s)))
            shell_doubt(p, "zsh begins a command behind this list", s->i);
    }
    return true;
}

/* At a '[' in a word. */
static bool bracket(struct parser *p, struct build *b)
{
    struct source *s = p->s;
    size_t at = s->i;
    bool variable = p->mode == WORD_FIRST && !b->assign && names_variable(p, b);
    bool element = p->mode == WORD_FIRST && is_empty(p, b);
    if (!variable || element) {
        s->i++;
        put(p, '[');
        b->bracket = true;
        return true;
    }
    shell_deepen(p, "it may assign a variable", at);
    s->i++;
    if (!shell_subscript(p, b))
        return false;
    if (memchr(s->p + at, '\n', s->i - at) || memchr(s->p + at, ';', s->i - at) ||
        memchr(s->p + at, '&', s->i - at) || memchr(s->p + at, '|', s->i - at) ||
        memchr(s->p + at, '<', s->i - at) || memchr(s->p + at, '>', s->i - at))
        shell_doubt(p, "shells disagree about this subscript", at);
    shell_hole(p, b, true);
    b->bracket = b->glob = true;
    int c = shell_peek(s);
    if (c == '=' || (c == '+' && shell_peek_second(s) == '='))
        b->assign = true;
    return true;
}

/* A group of an extended pattern, at its `(`: @(a|b). */
static bool pattern_group(struct parser *p, struct build *b)
{
    struct source *s = p->s;
    size_t at = s->i;
    unsigned open = 0;
    b->glob = true;
    for (;;) {
        int c = shell_peek(s);
        bool good = true;
        if (c == END)
            return shell_fail(p, "a parenthesis is not closed", at);
        if (c == '(' || c == ')') {
            open += c == '(';
            open -= c == ')';
            s->i++;
            put(p, c);
            if (!open)
                return true;
        } else if (c == '\'' || c == '"') {
            s->i++;
            good = c == '"' ? shell_dquote(p, b) : shell_squote(p, b);
        } else if (c == '$') {
            good = shell_dollar(p, b, false);
        } else if (c == '`') {
            good = shell_backquote(p, b, false);
        } else if ((c == '<' || c == '>') && shell_peek_second(s) == '(') {
            good = shell_process(p, b);
        } else {
            s->i++;
            if (c == '\\' && s->i < s->n)
                c = (unsigned char)s->p[s->i++];
            put(p, c);
        }
        if (!good)
            return false;
    }
}

static bool in_condition(const struct parser *p)
{
    return p->mode == WORD_COND || p->mode == WORD_REGEX || p->mode == WORD_PATTERN;
}

/* Is the byte at hand the last of its word? */
static bool ends_here(struct source *s)
{
    return is_meta(shell_peek(s));
}

/* A byte that means something only in some places. */
static bool special_byte(struct parser *p, struct build *b, int c)
{
    struct source *s = p->s;
    size_t at = s->i;
    bool first = is_empty(p, b);
    if (c != HOLE && strchr("?*+@!^", c) && shell_peek_second(s) == '(' && !in_condition(p) &&
        !(first && p->mode == WORD_FIRST)) {
        s->i++;
        put(p, c);
        shell_peek(s);
        shell_deepen(p, "it holds a pattern", at);
        shell_doubt(p, "whether this is a pattern depends on an option", at);
        return pattern_group(p, b);
    }
    if (c != HOLE && strchr("?*+@!", c) && shell_peek_second(s) == '(' && in_condition(p) &&
        p->mode != WORD_REGEX) {
        s->i++;
        put(p, c);
        shell_peek(s);
        return pattern_group(p, b);
    }
    s->i++;
    switch (c) {
    case HOLE:
        shell_hole(p, b, false);
        return true;
    case '*':
    case '?':
        b->glob = true;
        break;
    case ']':
        b->glob |= b->bracket;
        break;
    case '{':
        b->brace = true;
        b->braces++;
        b->odd_brace |= p->r->buf.n == b->mark || p->r->buf.p[p->r->buf.n - 1] != '@';
        if (first && p->mode == WORD_FIRST && s->dialect == DIALECT_ZSH && !ends_here(s))
            shell_doubt(p, "zsh begins a group here", at);
        break;
    case '}':
        b->odd_brace |= b->braces == 0;
        if (b->braces)
            b->braces--;
        else if (s->dialect == DIALECT_ZSH && !(first && ends_here(s)))
            shell_doubt(p, "a brace is closed that was not opened", at);
        break;
    case ',':
        b->glob |= b->brace;
        break;
    case '.':
        b->glob |= b->brace && shell_peek(s) == '.';
        break;
    case '~':
        b->tilde |= first || (b->assign && p->r->buf.n && p->r->buf.p[p->r->buf.n - 1] == ':');
        break;
    case '%':
    case '^':
        if (first)
            shell_deepen(p, "shells disagree about a word that begins like this", at);
        break;
    case 1:
    case 127:
        shell_deepen(p, "it holds a byte that shells use for themselves", at);
        break;
    default:
        break;
    }
    put(p, c);
    return true;
}

/* One unquoted byte that ends no word. */
static bool word_byte(struct parser *p, struct build *b, int c)
{
    struct source *s = p->s;
    size_t at = s->i;
    switch (c) {
    case '\'':
        s->i++;
        return shell_squote(p, b);
    case '"':
        s->i++;
        return shell_dquote(p, b);
    case '\\':
        s->i++;
        b->quoted = true;
        if (s->i >= s->n) {
            shell_doubt(p, "it ends with a backslash", at);
            put(p, '\\');
        } else if (s->p[s->i] == HOLE) {
            s->i++;
            shell_hole(p, b, false);
        } else {
            put(p, (unsigned char)s->p[s->i++]);
        }
        return true;
    case '$':
        return shell_dollar(p, b, false);
    case '`':
        return shell_backquote(p, b, false);
    case '<':
    case '>':
        return shell_process(p, b);
    case '=':
        return equals(p, b);
    case '[':
        return bracket(p, b);
    default:
        return special_byte(p, b, c);
    }
}

/* Does C, at the current place, end the word? */
static bool ends_word(struct parser *p, const struct build *b, int c)
{
    (void)b;
    if (!is_meta(c))
        return false;
    if (p->mode == WORD_REGEX && (c == '(' || c == ')' || c == '|'))
        return false;
    return !((c == '<' || c == '>') && shell_peek_second(p->s) == '(');
}

/* The regular expression behind =~: parentheses and bars are part of it, and in parentheses also
 * blanks. */
static bool regex_byte(struct parser *p, struct build *b, unsigned *open)
{
    struct source *s = p->s;
    int c = (unsigned char)s->p[s->i];
    if (c == ')' && *open == 0)
        return false;
    *open += c == '(';
    *open -= c == ')';
    b->glob = true;
    s->i++;
    put(p, c);
    return true;
}

static bool read_word(struct parser *p, struct build *b)
{
    struct source *s = p->s;
    unsigned open = 0;
    for (;;) {
        size_t from = s->i;
        while (s->i < s->n && is_ordinary((unsigned char)s->p[s->i]))
            s->i++;
        shell_put(p, s->p + from, s->i - from);
        int c = shell_peek(s);
        if (p->mode == WORD_REGEX && c != END &&
            (c == '(' || c == ')' || c == '|' || (open && is_meta(c)))) {
            if (!regex_byte(p, b, &open))
                return true;
            continue;
        }
        if (ends_word(p, b, c))
            return true;
        if (is_ordinary((unsigned char)c))
            continue; /* behind a continuation */
        if (!word_byte(p, b, c))
            return false;
    }
}

bool shell_word_of(struct parser *p, struct build *b, struct sword *ret)
{
    struct reader *r = p->r;
    struct source *s = p->s;
    bool known = !b->unknown && !b->glob && !b->tilde;
    if (strbuf_failed(&r->buf)) {
        r->error = -ENOMEM;
        return false;
    }
    struct bytes cooked = {strbuf_text(&r->buf) + b->mark, r->buf.n - b->mark};
    struct bytes raw = {s->p + b->from, s->i - b->from};
    *ret = (struct sword){
        .cooked = shell_keep(r, cooked.p, cooked.n),
        .at = shell_place(s, b->from),
        .end = shell_place_end(s, s->i),
        .known = known,
        .bare = known && !b->quoted && !b->expanded,
        .splits = b->splits,
        .assign = b->assign,
    };
    ret->text = ret->cooked.p;
    if (!known && memchr(raw.p, HOLE, raw.n)) {
        char *shown = arena_strndup(r->a, raw.p, raw.n);
        for (size_t i = 0; shown && i < raw.n; i++)
            if (shown[i] == HOLE)
                shown[i] = '?';
        ret->text = shown;
    } else if (!known) {
        ret->text = shell_keep(r, raw.p, raw.n).p;
    }
    if (!ret->text)
        r->error = -ENOMEM;
    if (b->odd_brace && !bytes_is(ret->cooked, "{}"))
        shell_deepen(p, "shells disagree about its braces", b->from);
    if (b->braces && s->dialect == DIALECT_ZSH && ret->cooked.n > 1)
        shell_doubt(p, "a brace is not closed", b->from);
    if (!known)
        shell_deepen(p, b->unknown ? "it holds an expansion" : "it holds a pattern", b->from);
    r->buf.n = b->mark;
    return r->error == 0;
}

static bool make_word(struct parser *p)
{
    struct build b = {.mark = p->r->buf.n, .from = p->s->i};
    p->tok.type = T_WORD;
    if (!read_word(p, &b)) {
        p->r->buf.n = b.mark;
        return false;
    }
    return shell_word_of(p, &b, &p->tok.word);
}

/* ---- tokens ---- */

static void skip_blanks(struct source *s)
{
    for (;;) {
        int c = shell_peek(s);
        if (c == '#') {
            const char *end = memchr(s->p + s->i, '\n', s->n - s->i);
            s->i = end ? (size_t)(end - s->p) : s->n;
            return;
        }
        if (c != ' ' && c != '\t')
            return;
        s->i++;
    }
}

/* Takes C when it is the next byte. */
static bool take(struct source *s, int c)
{
    if (shell_peek(s) != c)
        return false;
    s->i++;
    return true;
}

/* At a '<' or '>'. */
static void redirect_operator(struct parser *p, int number)
{
    struct source *s = p->s;
    struct token *t = &p->tok;
    char sign = s->p[s->i++];
    t->type = T_REDIRECT;
    t->number = number;
    t->sign = sign;
    t->op = sign == '<' ? REDIRECT_IN : REDIRECT_FILE;
    if (sign == '>') {
        (void)(take(s, '>') || take(s, '|') || take(s, '&'));
        return;
    }
    if (take(s, '>') || take(s, '&')) {
        t->op = REDIRECT_FILE;
    } else if (take(s, '<')) {
        if (take(s, '<'))
            t->op = REDIRECT_HERE_STRING;
        else
            t->op = take(s, '-') ? REDIRECT_HEREDOC_TABS : REDIRECT_HEREDOC;
    }
}

static bool ampersand(struct parser *p)
{
    struct source *s = p->s;
    s->i++;
    p->tok.type = T_AMP;
    if (take(s, '&')) {
        p->tok.type = T_AND;
    } else if (shell_peek(s) == '>') {
        s->i++;
        (void)take(s, '>');
        p->tok.type = T_REDIRECT;
        p->tok.op = REDIRECT_BOTH;
        p->tok.sign = '>';
        p->tok.number = -1;
        shell_deepen(p, "it redirects", p->tok.at);
    } else if (s->dialect == DIALECT_ZSH) {
        (void)(take(s, '!') || take(s, '|'));
    }
    return true;
}

static bool semicolon(struct parser *p)
{
    struct source *s = p->s;
    s->i++;
    p->tok.type = T_SEMI;
    if (take(s, ';')) {
        (void)take(s, '&');
        p->tok.type = T_CASE_END;
    } else if (shell_peek(s) == '&' || (shell_peek(s) == '|' && s->dialect == DIALECT_ZSH)) {
        s->i++;
        p->tok.type = T_CASE_END;
    }
    return true;
}

/* Digits, or {name}, right before a redirection belong to it. */
static bool is_descriptor(struct parser *p)
{
    struct token *t = &p->tok;
    int c = shell_peek(p->s);
    struct bytes b = t->word.cooked;
    if ((c != '<' && c != '>') || !t->word.bare || b.n == 0)
        return false;
    if (b.n > 2 && b.p[0] == '{' && b.p[b.n - 1] == '}' &&
        shell_is_name((struct bytes){b.p + 1, b.n - 2})) {
        if (p->s->dialect == DIALECT_SH)
            shell_doubt(p, "shells disagree about {name} before a redirection", t->at);
        redirect_operator(p, -2);
        return true;
    }
    int number = 0;
    for (size_t i = 0; i < b.n; i++) {
        if (b.p[i] < '0' || b.p[i] > '9')
            return false;
        number = number < 10000 ? number * 10 + (b.p[i] - '0') : number;
    }
    redirect_operator(p, number);
    return true;
}

static bool read_token(struct parser *p)
{
    struct source *s = p->s;
    int c = shell_peek(s);
    switch (c) {
    case END:
        p->tok.type = T_END;
        return true;
    case '\n':
        s->i++;
        p->tok.type = T_NEWLINE;
        if (p->outer_heredocs)
            shell_doubt(p, "a heredoc begins outside of this substitution", p->tok.at);
        return shell_heredocs(p);
    case ';':
        return semicolon(p);
    case '&':
        return ampersand(p);
    case '|':
        s->i++;
        p->tok.type = T_PIPE;
        if (take(s, '|'))
            p->tok.type = T_OR;
        else if (take(s, '&'))
            p->tok.type = T_PIPE_AMP;
        return true;
    case '(':
    case ')':
        if (p->mode == WORD_REGEX && c == '(')
            break;
        s->i++;
        p->tok.type = c == '(' ? T_OPEN : T_CLOSE;
        return true;
    case '<':
    case '>':
        if (shell_peek_second(s) == '(')
            break;
        redirect_operator(p, -1);
        return true;
    default:
        break;
    }
    if (!make_word(p))
        return false;
    if (!in_condition(p))
        (void)is_descriptor(p);
    return true;
}

bool shell_next(struct parser *p)
{
    if (p->have)
        return true;
    if (p->s->failed || p->r->error)
        return false;
    skip_blanks(p->s);
    p->tok = (struct token){.at = p->s->i, .number = -1};
    if (!read_token(p))
        return false;
    p->tok.end = p->s->i;
    p->have = true;
    return true;
}

void shell_parser_release(struct parser *p)
{
    vec_release(&p->heredocs);
}

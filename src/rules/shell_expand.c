/*
 * Expansions inside words. See shell_internal.h.
 *
 * What an expansion makes is not known: it leaves a hole in the word. What matters is where it
 * ends, and which commands run while it is made: those in $(…), `…`, <(…), also deep inside of
 * ${x:-…},
 * $((…)) and subscripts.
 *
 * Whether `((` begins arithmetic shows only at its end. It is read as arithmetic; when it turns out
 * to be none, what was noted is forgotten and it is read again as a subshell. The bytes of that
 * count as read again, so that nesting cannot make it exponential.
 */
#include "rules/shell_internal.h"

#include <ctype.h>
#include <errno.h>

/* ---- commands inside ---- */

bool shell_substitution(struct parser *p, const char *via)
{
    struct reader *r = p->r;
    struct parser inner = {
        .r = r, .s = p->s, .outer_heredocs = p->outer_heredocs || p->heredocs.n > 0};
    const char *outer = r->via;
    size_t at = p->s->i;
    if (!shell_enter(p))
        return false;
    r->via = via;
    r->level++;
    bool good = shell_commands(&inner, ')');
    if (good && inner.heredocs.n)
        good = shell_fail(p, "a heredoc has no text before its substitution ends", at);
    r->level--;
    r->via = outer;
    shell_leave(p);
    shell_parser_release(&inner);
    return good;
}

bool shell_process(struct parser *p, struct build *b)
{
    struct source *s = p->s;
    size_t at = s->i;
    bool in = shell_peek(s) == '<';
    s->i++;
    (void)shell_peek(s);
    s->i++;
    shell_deepen(p, "it holds a process substitution", at);
    if (!shell_substitution(p, in ? "<(…)" : ">(…)"))
        return false;
    shell_hole(p, b, true);
    return true;
}

/* ---- backquotes ---- */

/* The text between backquotes at the place; NULL p without an end. *ret_escaped: it is a copy. */
static struct bytes backquoted(struct parser *p, bool quoted, bool *ret_escaped)
{
    struct source *s = p->s;
    size_t mark = p->r->buf.n, from = s->i;
    *ret_escaped = false;
    while (s->i < s->n && s->p[s->i] != '`') {
        char c = s->p[s->i];
        char next = s->i + 1 < s->n ? s->p[s->i + 1] : '\0';
        if (c == '\\' && next && (strchr("$`\\", next) || (quoted && next == '"'))) {
            *ret_escaped = true;
            c = next;
            s->i++;
        } else if (c == '\\' && next) {
            shell_put(p, &c, 1);
            c = next;
            s->i++;
        }
        shell_put(p, &c, 1);
        s->i++;
    }
    struct bytes text = {s->p + from, s->i - from};
    if (s->i >= s->n)
        text.p = NULL;
    else if (*ret_escaped)
        text = shell_keep(p->r, strbuf_text(&p->r->buf) + mark, p->r->buf.n - mark);
    p->r->buf.n = mark;
    return text;
}

bool shell_backquote(struct parser *p, struct build *b, bool quoted)
{
    struct source *s = p->s;
    struct reader *r = p->r;
    size_t at = s->i++;
    bool escaped;
    struct bytes text = backquoted(p, quoted, &escaped);
    if (!text.p)
        return shell_fail(p, "a backquote is not closed", at);
    s->i++;
    shell_deepen(p, "it holds a substitution", at);
    struct source inner = {.p = text.p, .n = text.n, .dialect = s->dialect};
    inner.copied = escaped || s->copied;
    inner.at = inner.copied ? shell_place(s, at) : s->at + (uint32_t)(text.p - s->p);
    inner.length = s->copied ? s->length : (uint32_t)(s->i - at);
    struct parser sub = {.r = r, .s = &inner};
    const char *outer = r->via;
    if (!shell_enter(p))
        return false;
    r->reread += text.n;
    if (r->reread > r->reread_most) {
        shell_leave(p);
        return shell_fail(p, "it is nested too often", at);
    }
    r->via = "`…`";
    r->level++;
    bool good = shell_commands(&sub, END);
    r->level--;
    r->via = outer;
    shell_leave(p);
    shell_parser_release(&sub);
    if (!good)
        s->failed = true;
    else
        shell_hole(p, b, quoted);
    return good;
}

/* ---- arithmetic ---- */

/* One piece of text between brackets of some kind, at C. */
static bool inner_piece(struct parser *p, struct build *b, int c, bool quoted)
{
    struct source *s = p->s;
    switch (c) {
    case '\\':
        s->i++;
        if (s->i < s->n)
            s->i++;
        shell_put(p, s->p + s->i - 1, 1);
        return true;
    case '$':
        return shell_dollar(p, b, quoted);
    case '`':
        return shell_backquote(p, b, quoted);
    case '"':
        s->i++;
        return shell_dquote(p, b);
    default:
        s->i++;
        shell_put(p, s->p + s->i - 1, 1);
        return true;
    }
}

/* Behind a single quote where it quotes nothing but groups: what is between runs all the same. */
static bool single_group(struct parser *p, struct build *b)
{
    struct source *s = p->s;
    size_t at = s->i - 1;
    const char *to = memchr(s->p + s->i, '\'', s->n - s->i);
    if (!to)
        return shell_fail(p, "a single quote is not closed", at);
    struct source data = *s;
    data.p = s->p + s->i;
    data.n = (size_t)(to - data.p);
    data.i = 0;
    if (!s->copied)
        data.at = s->at + (uint32_t)s->i;
    s->i += data.n + 1;
    return shell_data(p, &data, b);
}

/* Up to CLOSE, which is consumed; OPEN nests. */
static bool matched(struct parser *p, struct build *b, char open, char close)
{
    struct source *s = p->s;
    size_t at = s->i;
    unsigned depth = 0;
    for (;;) {
        int c = shell_peek(s);
        if (c == END)
            return shell_fail(p, "a bracket is not closed", at);
        if (c == close && depth == 0) {
            s->i++;
            return true;
        }
        depth += c == open;
        depth -= c == close;
        if (c == '\'') {
            s->i++;
            if (!single_group(p, b))
                return false;
        } else if (!inner_piece(p, b, c, true)) {
            return false;
        }
    }
}

/* What can be forgotten again. */
struct snapshot {
    struct source source;
    size_t commands, heredocs, feeds;
    bool deep, opaque;
};

static struct snapshot snapshot_take(const struct parser *p)
{
    return (struct snapshot){*p->s,         p->r->v.n,  p->heredocs.n,
                             p->r->feeds.n, p->r->deep, p->r->opaque};
}

static void snapshot_return(struct parser *p, const struct snapshot *old)
{
    *p->s = old->source;
    p->r->v.n = old->commands;
    p->heredocs.n = old->heredocs;
    p->r->feeds.n = old->feeds;
    p->r->deep = old->deep;
    p->r->opaque = old->opaque;
}

bool shell_arithmetic(struct parser *p, struct build *b)
{
    struct source *s = p->s;
    struct reader *r = p->r;
    struct snapshot old = snapshot_take(p);
    size_t mark = r->buf.n;
    if (!shell_enter(p))
        return false;
    bool good = matched(p, b, '(', ')');
    bool last = good && shell_peek(s) == ')';
    shell_leave(p);
    r->buf.n = mark;
    if (last) {
        s->i++;
        return true;
    }
    if (r->error)
        return false;
    r->reread += s->i - old.source.i;
    if (r->reread > r->reread_most)
        return shell_fail(p, "it is nested too often", old.source.i);
    snapshot_return(p, &old);
    return false;
}

bool shell_subscript(struct parser *p, struct build *b)
{
    size_t mark = p->r->buf.n;
    if (!shell_enter(p))
        return false;
    bool good = matched(p, b, '[', ']');
    shell_leave(p);
    p->r->buf.n = mark;
    return good;
}

bool shell_data(struct parser *outer, struct source *s, struct build *b)
{
    struct parser p = {.r = outer->r, .s = s};
    bool good = true;
    int c;
    while (good && (c = shell_peek(s)) != END) {
        size_t from = s->i;
        if (c == '\\' && s->i + 1 < s->n) {
            if (!strchr("$`\\", s->p[s->i + 1]) || s->p[s->i + 1] == HOLE)
                shell_put(&p, "\\", 1);
            shell_put(&p, s->p + s->i + 1, 1);
            s->i += 2;
        } else if (c == '$') {
            good = shell_dollar(&p, b, true);
        } else if (c == '`') {
            good = shell_backquote(&p, b, true);
        } else {
            do
                s->i++;
            while (s->i < s->n && !memchr("\\$`", s->p[s->i], 3));
            shell_put(&p, s->p + from, s->i - from);
        }
    }
    shell_parser_release(&p);
    if (s->failed)
        outer->s->failed = true;
    return good;
}

/* ---- parameters ---- */

/* ${ command; } of ksh and newer bash. */
static bool function_substitution(struct parser *p)
{
    struct reader *r = p->r;
    struct parser inner = {
        .r = r, .s = p->s, .outer_heredocs = p->outer_heredocs || p->heredocs.n > 0};
    const char *outer = r->via;
    size_t at = p->s->i;
    if (!shell_enter(p))
        return false;
    if (shell_peek(p->s) == '|')
        p->s->i++;
    r->via = "${ …; }";
    r->level++;
    bool good = shell_list(&inner, "}", END) && shell_accept(&inner, "}");
    if (!good || inner.heredocs.n)
        good = shell_fail(p, "a substitution is not closed", at);
    r->level--;
    r->via = outer;
    shell_leave(p);
    shell_parser_release(&inner);
    return good;
}

/* One byte of what stands in ${…}, at C. PATTERN: behind # % / and kin, where single quotes quote
 * also between double quotes. */
static bool parameter_piece(struct parser *p, struct build *b, int c, bool quoted, bool pattern)
{
    struct source *s = p->s;
    size_t at = s->i;
    if (c == '\'') {
        s->i++;
        if (!quoted || pattern)
            return shell_squote(p, b);
        if (s->dialect != DIALECT_BASH)
            shell_doubt(p, "shells disagree about a single quote here", at);
        return single_group(p, b);
    }
    if ((c == '<' || c == '>') && !quoted && shell_peek_second(s) == '(')
        return shell_process(p, b);
    if (c == '"' && quoted && s->dialect != DIALECT_BASH && memchr(s->p + at, '}', s->n - at) &&
        pattern)
        shell_doubt(p, "shells disagree about quotes in a pattern", at);
    return inner_piece(p, b, c, quoted);
}

/* Behind `${`. */
static bool parameter(struct parser *p, struct build *b, bool quoted)
{
    struct source *s = p->s;
    size_t at = s->i, from = s->i;
    bool pattern = false, word = false;
    int c = shell_peek(s);
    if (c == ' ' || c == '\t' || c == '\n' || c == '|')
        return function_substitution(p);
    if (c == '(' && s->dialect == DIALECT_ZSH)
        shell_doubt(p, "a flag of zsh may run what a variable holds", at);
    for (; (c = shell_peek(s)) != '}' || s->i == from; word = true) {
        if (c == END)
            return shell_fail(p, "a brace is not closed", at);
        /* The first of these behind the name says what the rest is. */
        if (word && !pattern && strchr("#%/^,", c) && c != HOLE)
            pattern =
                !memchr(s->p + from, ':', s->i - from) && !memchr(s->p + from, '-', s->i - from) &&
                !memchr(s->p + from, '+', s->i - from) && !memchr(s->p + from, '=', s->i - from) &&
                !memchr(s->p + from, '?', s->i - from);
        if (!parameter_piece(p, b, c, quoted, pattern))
            return false;
    }
    s->i++;
    if (s->i - from >= 3 && memcmp(s->p + s->i - 3, "@P}", 3) == 0)
        shell_unknown(p->r, shell_keep(p->r, s->p + from, s->i - from - 1).p, "${…@P}",
                      shell_place(s, at), shell_place(s, s->i));
    if (memchr(s->p + from, '@', s->i - from))
        b->splits = true;
    return p->r->error == 0;
}

/* ---- $'…' ---- */

static unsigned digit(char c, unsigned base)
{
    unsigned v = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                 : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                 : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                        : base;
    return v < base ? v : base;
}

/* Up to MOST digits. */
static uint32_t number(struct source *s, unsigned base, unsigned most, bool *ret_any)
{
    uint32_t v = 0;
    *ret_any = false;
    while (most-- && s->i < s->n && digit(s->p[s->i], base) < base) {
        v = v * base + digit(s->p[s->i++], base);
        *ret_any = true;
    }
    return v;
}

static void put_utf8(struct parser *p, uint32_t c)
{
    char out[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char first[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n; i-- > 1; c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(first[n] | c);
    shell_put(p, out, n);
}

/* Behind a backslash in $'…'. False when it makes a byte 0. */
static bool ansi_escape(struct parser *p)
{
    static const char from[] = "abeEfnrtv\\'\"?", to[] = "\a\b\033\033\f\n\r\t\v\\'\"?";
    struct source *s = p->s;
    char c = s->p[s->i++];
    const char *simple = c ? strchr(from, c) : NULL;
    bool any;
    uint32_t v;
    if (simple) {
        shell_put(p, &to[simple - from], 1);
        return true;
    }
    if (c >= '0' && c <= '7') {
        s->i--;
        v = number(s, 8, 3, &any) & 0xff;
    } else if (c == 'x' || c == 'u' || c == 'U') {
        v = number(s, 16, c == 'x' ? 2 : c == 'u' ? 4 : 8, &any);
        if (!any) {
            char kept[2] = {'\\', c};
            shell_put(p, kept, 2);
            return true;
        }
        if (c != 'x' && v >= 0x80) {
            if (v > 0x10ffff)
                return false;
            put_utf8(p, v);
            return true;
        }
    } else if (c == 'c' && s->i < s->n) {
        v = (unsigned char)s->p[s->i++] & 0x1f;
    } else {
        char kept[2] = {'\\', c};
        shell_put(p, kept, 2);
        return true;
    }
    char byte = (char)v;
    shell_put(p, &byte, 1);
    return byte != '\0';
}

/* Behind $'. */
static bool ansi_quote(struct parser *p, struct build *b)
{
    struct source *s = p->s;
    size_t at = s->i;
    b->quoted = true;
    while (s->i < s->n && s->p[s->i] != '\'') {
        if (s->p[s->i] == HOLE)
            b->unknown = true;
        if (s->p[s->i] != '\\' || s->i + 1 >= s->n) {
            shell_put(p, s->p + s->i++, 1);
            continue;
        }
        s->i++;
        if (s->p[s->i] == '\'' && s->dialect == DIALECT_SH)
            shell_doubt(p, "shells disagree where $'…' ends", at);
        if (!ansi_escape(p))
            b->unknown = true;
    }
    if (s->i >= s->n)
        return shell_fail(p, "a single quote is not closed", at);
    s->i++;
    return true;
}

/* ---- `$` ---- */

bool shell_odd_arithmetic(struct bytes b)
{
    for (size_t i = 0; i < b.n; i++) {
        unsigned char c = (unsigned char)b.p[i];
        if (c == HOLE || strchr("'\"\\;`{}", c))
            return true;
        if ((c == ' ' || c == '\t' || c == '\n') && i && isalnum((unsigned char)b.p[i - 1])) {
            while (i < b.n && (b.p[i] == ' ' || b.p[i] == '\t' || b.p[i] == '\n'))
                i++;
            if (i < b.n && (isalnum((unsigned char)b.p[i]) || b.p[i] == '[' || b.p[i] == '$'))
                return true;
            i--;
        }
    }
    return false;
}

static bool parenthesis(struct parser *p, struct build *b, bool quoted)
{
    struct source *s = p->s;
    size_t at = s->i++;
    shell_deepen(p, "it holds a substitution", at - 1);
    if (shell_peek(s) == '(') {
        size_t back = s->i++;
        if (shell_arithmetic(p, b)) {
            struct bytes text = {s->p + back + 1, s->i - back - 3};
            if (s->dialect == DIALECT_ZSH && shell_odd_arithmetic(text))
                shell_doubt(p, "zsh may take this for commands", at);
            shell_hole(p, b, quoted);
            return true;
        }
        if (s->failed || p->r->error)
            return false;
        s->i = back;
        if (s->dialect != DIALECT_BASH)
            shell_doubt(p, "shells disagree about this $((", at);
    }
    if (!shell_substitution(p, "$(…)"))
        return false;
    shell_hole(p, b, quoted);
    return true;
}

bool shell_dollar(struct parser *p, struct build *b, bool quoted)
{
    struct source *s = p->s;
    size_t at = s->i++;
    int c = shell_peek(s);
    if (c == '(')
        return parenthesis(p, b, quoted);
    if (c == '{' || c == '[') {
        size_t mark = p->r->buf.n;
        s->i++;
        if (!shell_enter(p))
            return false;
        if (c == '[' && s->dialect == DIALECT_SH)
            shell_doubt(p, "shells disagree about $[", at);
        bool was_quoted = b->quoted;
        bool good = c == '{' ? parameter(p, b, quoted) : matched(p, b, '[', ']');
        shell_leave(p);
        b->quoted = was_quoted;
        p->r->buf.n = mark;
        if (good)
            shell_hole(p, b, quoted);
        return good;
    }
    if (c == '\'' && !quoted) {
        s->i++;
        shell_deepen(p, "not every shell knows $'…'", at);
        return ansi_quote(p, b);
    }
    if (c == '"' && !quoted) {
        s->i++;
        shell_deepen(p, "not every shell knows $\"…\"", at);
        return shell_dquote(p, b);
    }
    if (c != END && c != HOLE && c < 128 && (isalpha(c) || c == '_')) {
        while (c != END && c < 128 && (isalnum(c) || c == '_')) {
            s->i++;
            c = shell_peek(s);
        }
        shell_hole(p, b, quoted);
        return true;
    }
    if (c != END && c != HOLE && c < 128 && (isdigit(c) || strchr("@*#?-$!", c))) {
        s->i++;
        shell_hole(p, b, quoted && c != '@');
        return true;
    }
    if (c == HOLE || (s->dialect == DIALECT_ZSH && c != END && strchr("=^~+:", c)))
        b->unknown = true;
    shell_put(p, "$", 1);
    b->expanded = true;
    if (!(c == END || c == ' ' || c == '\n' || (c == '"' && quoted)))
        shell_deepen(p, "it holds a dollar sign", at);
    return true;
}

/*
 * Text to tokens: one at a time, indentation as tokens of its own. See star.h and star_tree.h.
 * Inside brackets line ends and indentation mean nothing.
 */
#include "rules/star_tree.h"

#include <errno.h>
#include <stdlib.h>

static const struct {
    const char *text;
    enum op op;
} operators[] = {
    /* longer ones first */
    {"**=", OP_NONE},
    {"//=", OP_SLASHSLASH_ASSIGN},
    {"<<=", OP_SHL_ASSIGN},
    {">>=", OP_SHR_ASSIGN},
    {"**", OP_STARSTAR},
    {"//", OP_SLASHSLASH},
    {"<<", OP_SHL},
    {">>", OP_SHR},
    {"<=", OP_LE},
    {">=", OP_GE},
    {"==", OP_EQ},
    {"!=", OP_NE},
    {"+=", OP_PLUS_ASSIGN},
    {"-=", OP_MINUS_ASSIGN},
    {"*=", OP_STAR_ASSIGN},
    {"/=", OP_SLASH_ASSIGN},
    {"%=", OP_PERCENT_ASSIGN},
    {"&=", OP_AMP_ASSIGN},
    {"|=", OP_PIPE_ASSIGN},
    {"^=", OP_CARET_ASSIGN},
    {"->", OP_ARROW},
    {"+", OP_PLUS},
    {"-", OP_MINUS},
    {"*", OP_STAR},
    {"/", OP_SLASH},
    {"%", OP_PERCENT},
    {"&", OP_AMP},
    {"|", OP_PIPE},
    {"^", OP_CARET},
    {"~", OP_TILDE},
    {"<", OP_LT},
    {">", OP_GT},
};

static const struct {
    const char *text;
    enum op op;
} keywords[] = {
    {"and", KW_AND},
    {"break", KW_BREAK},
    {"continue", KW_CONTINUE},
    {"def", KW_DEF},
    {"elif", KW_ELIF},
    {"else", KW_ELSE},
    {"for", KW_FOR},
    {"if", KW_IF},
    {"in", KW_IN},
    {"lambda", KW_LAMBDA},
    {"load", KW_LOAD},
    {"not", KW_NOT},
    {"or", KW_OR},
    {"pass", KW_PASS},
    {"return", KW_RETURN},
    {"as", KW_RESERVED},
    {"assert", KW_RESERVED},
    {"async", KW_RESERVED},
    {"await", KW_RESERVED},
    {"class", KW_RESERVED},
    {"del", KW_RESERVED},
    {"except", KW_RESERVED},
    {"finally", KW_RESERVED},
    {"from", KW_RESERVED},
    {"global", KW_RESERVED},
    {"import", KW_RESERVED},
    {"is", KW_RESERVED},
    {"nonlocal", KW_RESERVED},
    {"raise", KW_RESERVED},
    {"try", KW_RESERVED},
    {"while", KW_RESERVED},
    {"with", KW_RESERVED},
    {"yield", KW_RESERVED},
};

static int peek(const struct lexer *l, size_t ahead)
{
    size_t at = l->at + ahead;
    return at < l->text.n ? (unsigned char)l->text.p[at] : -1;
}

static bool is_letter(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static int fail(struct lexer *l, size_t at, size_t n, const char *what)
{
    return star_error(l->star, (uint32_t)at, (uint32_t)n, "%s", what);
}

/* ---- numbers ---- */

static int digit_of(int c)
{
    return is_digit(c)            ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : 99;
}

static int read_integer(struct lexer *l, struct token *t, unsigned base)
{
    uint64_t v = 0;
    size_t digits = 0;
    for (int d; (d = digit_of(peek(l, 0))) < (int)base; l->at++, digits++) {
        if (v > (INT64_MAX - (uint64_t)d) / base)
            return fail(l, t->at, l->at - t->at + 1, "an integer beyond 64 bits");
        v = v * base + (uint64_t)d;
    }
    if (digits == 0 || is_letter(peek(l, 0)) || is_digit(peek(l, 0)))
        return fail(l, t->at, l->at - t->at + 1, "no number");
    t->kind = T_INT;
    t->integer = (int64_t)v;
    return 0;
}

static int read_number(struct lexer *l, struct token *t)
{
    size_t end = l->at;
    int second = peek(l, 1) | 0x20;
    if (peek(l, 0) == '0' && (second == 'x' || second == 'o' || second == 'b')) {
        l->at += 2;
        return read_integer(l, t, second == 'x' ? 16 : second == 'o' ? 8 : 2);
    }
    while (end < l->text.n && is_digit((unsigned char)l->text.p[end]))
        end++;
    int c = end < l->text.n ? l->text.p[end] : -1;
    if (c != '.' && c != 'e' && c != 'E') {
        if (peek(l, 0) == '0' && end - l->at > 1)
            return fail(l, l->at, end - l->at, "an octal number is written 0o…");
        return read_integer(l, t, 10);
    }
    char buf[64];
    size_t n = end;
    if (c == '.')
        for (n++; n < l->text.n && is_digit((unsigned char)l->text.p[n]);)
            n++;
    if (n < l->text.n && (l->text.p[n] | 0x20) == 'e') {
        size_t e =
            n + 1 + (n + 1 < l->text.n && (l->text.p[n + 1] == '+' || l->text.p[n + 1] == '-'));
        if (e >= l->text.n || !is_digit((unsigned char)l->text.p[e]))
            return fail(l, l->at, e - l->at, "an exponent without digits");
        for (n = e; n < l->text.n && is_digit((unsigned char)l->text.p[n]);)
            n++;
    }
    if (n - l->at >= sizeof(buf))
        return fail(l, l->at, n - l->at, "a number with too many digits");
    memcpy(buf, l->text.p + l->at, n - l->at);
    buf[n - l->at] = '\0';
    t->kind = T_FLOAT;
    t->floating = strtod(buf, NULL);
    l->at = n;
    return 0;
}

/* ---- strings ---- */

/* Behind a backslash; FROM is moved past it. */
static int unescape(struct lexer *l, size_t *from, size_t end, bool bytes, char **to)
{
    static const char letters[] = "abfnrtv\\'\"", values[] = "\a\b\f\n\r\t\v\\'\"";
    size_t at = *from;
    int c = at < end ? (unsigned char)l->text.p[at] : -1;
    const char *known = c > 0 ? strchr(letters, c) : NULL;
    if (known) {
        *(*to)++ = values[known - letters];
        *from = at + 1;
        return 0;
    }
    if (c == '\n') {
        *from = at + 1;
        return 0;
    }
    unsigned digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0, base = 16;
    uint32_t v = 0;
    size_t n = 0, first = at + 1;
    if (c >= '0' && c <= '7') {
        digits = 3;
        base = 8;
        first = at;
    }
    if (digits == 0 || (bytes && (c == 'u' || c == 'U') && false))
        return fail(l, at - 1, 2, "no escape; a backslash is written \\\\");
    for (; n < digits && first + n < end; n++) {
        int d = digit_of((unsigned char)l->text.p[first + n]);
        if (d >= (int)base)
            break;
        v = v * base + (uint32_t)d;
    }
    if (n == 0 || (base == 16 && n < digits))
        return fail(l, at - 1, n + 2, "an escape that is cut short");
    *from = first + n;
    if (v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
        return fail(l, at - 1, n + 2, "no Unicode character");
    if ((c == 'x' || base == 8) && (v > 0x7f) && !bytes)
        return fail(l, at - 1, n + 2, "beyond 0x7f it is a byte, not a character: \\u00…");
    if (v > 0xff && base == 8)
        return fail(l, at - 1, n + 2, "beyond 0o377");
    if (bytes && (c == 'x' || base == 8))
        *(*to)++ = (char)v;
    else
        *to += utf8_encode(v, *to);
    return 0;
}

/* The place behind the closing quotes; what is between them is FROM to *ret_end. */
static int string_end(struct lexer *l, size_t from, char quote, bool triple, size_t *ret_end,
                      bool *ret_simple)
{
    const char *p = l->text.p;
    *ret_simple = true;
    for (size_t at = from; at < l->text.n; at++) {
        if (p[at] == '\\') {
            *ret_simple = false;
            at++;
        } else if (p[at] == '\r') {
            *ret_simple = false;
        } else if (p[at] == '\n' && !triple) {
            break;
        } else if (p[at] == quote &&
                   (!triple || (at + 2 < l->text.n && p[at + 1] == quote && p[at + 2] == quote))) {
            *ret_end = at;
            return 0;
        }
    }
    return fail(l, from - 1, 1, "a string that does not end");
}

static int read_string(struct lexer *l, struct token *t, bool raw, enum token_kind kind)
{
    char quote = l->text.p[l->at];
    bool triple = peek(l, 1) == quote && peek(l, 2) == quote, simple;
    size_t from = l->at + (triple ? 3 : 1), end = from;
    int r = string_end(l, from, quote, triple, &end, &simple);
    if (r < 0)
        return r;
    t->kind = kind;
    l->at = end + (triple ? 3 : 1);
    t->text = (struct bytes){l->text.p + from, end - from};
    if (simple || kind == T_FSTRING)
        return 0;
    char *s = star_alloc(l->star, end - from + 1), *to = s;
    if (!s)
        return -ENOMEM;
    while (from < end) {
        char c = l->text.p[from++];
        if (c == '\r') {
            *to++ = '\n';
            from += from < end && l->text.p[from] == '\n';
        } else if (c != '\\' || raw) {
            *to++ = c;
            if (c == '\\' && from < end) /* a raw string's quote stays escaped */
                *to++ = l->text.p[from++];
        } else if ((r = unescape(l, &from, end, kind == T_BYTES, &to)) < 0) {
            return r;
        }
    }
    t->text = (struct bytes){s, (size_t)(to - s)};
    return 0;
}

/* A string with letters before it: r, b, f and their pairs. 0 when there is none. */
static size_t prefix_of(const struct lexer *l, bool *raw, enum token_kind *kind)
{
    size_t n = 0;
    *raw = false;
    *kind = T_STRING;
    for (; n < 2; n++) {
        int c = peek(l, n) | 0x20;
        if (c == 'r' && !*raw)
            *raw = true;
        else if ((c == 'b' || c == 'f') && *kind == T_STRING)
            *kind = c == 'b' ? T_BYTES : T_FSTRING;
        else
            break;
    }
    int quote = peek(l, n);
    return quote == '"' || quote == '\'' ? n + 1 : 0;
}

/* ---- lines ---- */

/* At the start of a line: its indentation, past blank ones. */
static int read_indentation(struct lexer *l)
{
    for (;;) {
        unsigned column = 0;
        size_t start = l->at;
        for (; peek(l, 0) == ' ' || peek(l, 0) == '\t'; l->at++)
            column = l->text.p[l->at] == '\t' ? (column / 8 + 1) * 8 : column + 1;
        int c = peek(l, 0);
        if (c == '#')
            while (peek(l, 0) >= 0 && peek(l, 0) != '\n')
                l->at++;
        c = peek(l, 0);
        if (c == '\r' && peek(l, 1) == '\n')
            l->at++;
        if (peek(l, 0) == '\n') {
            l->at++;
            continue;
        }
        l->line_start = false;
        if (c < 0)
            column = 0;
        unsigned top = l->n_indents ? l->indents[l->n_indents - 1] : 0;
        if (column > top) {
            if (l->n_indents == MAX_STAR_INDENTS)
                return fail(l, start, 1, "blocks in blocks, too deep");
            l->indents[l->n_indents++] = column;
            return 1;
        }
        while (l->n_indents && l->indents[l->n_indents - 1] > column) {
            l->n_indents--;
            l->outdents++;
        }
        if ((l->n_indents ? l->indents[l->n_indents - 1] : 0) != column)
            return fail(l, start, l->at - start, "an indentation that no line above has");
        return 0;
    }
}

static void skip_space(struct lexer *l)
{
    for (;;) {
        int c = peek(l, 0);
        if (c == ' ' || c == '\t' || (c == '\r' && peek(l, 1) == '\n' && l->parens) ||
            (c == '\n' && l->parens))
            l->at++;
        else if (c == '\\' && peek(l, 1) == '\n')
            l->at += 2;
        else if (c == '\\' && peek(l, 1) == '\r' && peek(l, 2) == '\n')
            l->at += 3;
        else if (c == '#')
            while (peek(l, 0) >= 0 && peek(l, 0) != '\n')
                l->at++;
        else
            return;
    }
}

bool star_is_keyword(struct bytes name)
{
    for (size_t i = 0; i < ARRAY_LEN(keywords); i++)
        if (bytes_is(name, keywords[i].text))
            return true;
    return false;
}

static int read_name(struct lexer *l, struct token *t)
{
    size_t start = l->at;
    while (is_letter(peek(l, 0)) || is_digit(peek(l, 0)))
        l->at++;
    t->kind = T_NAME;
    t->text = (struct bytes){l->text.p + start, l->at - start};
    for (size_t i = 0; t->text.n <= 8 && i < ARRAY_LEN(keywords); i++) {
        if (keywords[i].text[0] != t->text.p[0] || !bytes_is(t->text, keywords[i].text))
            continue;
        t->kind = T_OP;
        t->op = keywords[i].op;
        if (t->op == KW_RESERVED)
            return star_error(l->star, (uint32_t)start, (uint32_t)t->text.n,
                              "\"%s\" is not part of the language", keywords[i].text);
        break;
    }
    return 0;
}

/* Those that begin no longer one. */
static enum op simple_operator(const struct lexer *l)
{
    switch (l->text.p[l->at]) {
    case '(':
        return OP_LPAREN;
    case ')':
        return OP_RPAREN;
    case '[':
        return OP_LBRACKET;
    case ']':
        return OP_RBRACKET;
    case '{':
        return OP_LBRACE;
    case '}':
        return OP_RBRACE;
    case ',':
        return OP_COMMA;
    case ':':
        return OP_COLON;
    case '.':
        return OP_DOT;
    case ';':
        return OP_SEMICOLON;
    case '=':
        return peek(l, 1) == '=' ? OP_NONE : OP_ASSIGN;
    default:
        return OP_NONE;
    }
}

static int read_operator(struct lexer *l, struct token *t)
{
    t->kind = T_OP;
    t->op = simple_operator(l);
    l->at += t->op != OP_NONE;
    for (size_t i = 0; t->op == OP_NONE && i < ARRAY_LEN(operators); i++) {
        size_t n = strlen(operators[i].text);
        if (l->text.n - l->at < n || memcmp(l->text.p + l->at, operators[i].text, n) != 0)
            continue;
        t->op = operators[i].op;
        l->at += n;
        break;
    }
    if (t->op == OP_LPAREN || t->op == OP_LBRACKET || t->op == OP_LBRACE)
        l->parens++;
    if ((t->op == OP_RPAREN || t->op == OP_RBRACKET || t->op == OP_RBRACE) && l->parens)
        l->parens--;
    return t->op != OP_NONE ? 0
                            : star_error(l->star, t->at, 1, "%s means nothing here",
                                         show_n(l->text.p + t->at, 1));
}

int lexer_next(struct lexer *l, struct token *ret)
{
    struct token t = {.at = (uint32_t)l->at};
    int r = 0;
    bool raw;
    enum token_kind kind;
    if (l->line_start && l->parens == 0 && (r = read_indentation(l)) < 0)
        return r;
    if (r == 0 && l->outdents == 0)
        skip_space(l);
    t.at = (uint32_t)l->at;
    int c = peek(l, 0);
    if (r == 1) {
        t.kind = T_INDENT;
    } else if (l->outdents) {
        l->outdents--;
        t.kind = T_OUTDENT;
    } else if (c < 0) {
        if (!l->ended) {
            /* A last line without its end; then the blocks end. */
            l->ended = true;
            l->outdents = l->n_indents;
            l->n_indents = 0;
            t.kind = T_NEWLINE;
        } else {
            t.kind = T_END;
        }
    } else if (c == '\n' || (c == '\r' && peek(l, 1) == '\n')) {
        l->at += c == '\n' ? 1 : 2;
        l->line_start = true;
        t.kind = T_NEWLINE;
    } else {
        size_t prefix = prefix_of(l, &raw, &kind);
        if (prefix) {
            l->at += prefix - 1;
            r = read_string(l, &t, raw, kind);
        } else if (is_letter(c)) {
            r = read_name(l, &t);
        } else if (is_digit(c) || (c == '.' && is_digit(peek(l, 1)))) {
            r = read_number(l, &t);
        } else {
            r = read_operator(l, &t);
        }
        if (r < 0)
            return r;
    }
    t.length = (uint32_t)(l->at - t.at);
    *ret = t;
    return 0;
}

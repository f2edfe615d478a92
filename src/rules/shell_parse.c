/*
 * The grammar of shell text: lists, pipelines, simple commands. See shell_internal.h.
 *
 * A function returns false where the text cannot be read on; commands found before that stay. Each
 * simple command is handed to shell_emit() when it is complete, with its words on a stack.
 */
#include "base/limits.h"
#include "rules/shell_internal.h"

#include <errno.h>

/* ---- tokens as the grammar sees them ---- */

bool shell_at_word(struct parser *p, const char *word)
{
    return p->have && p->tok.type == T_WORD && p->tok.word.bare && p->tok.word.text[0] == word[0] &&
           bytes_is(p->tok.word.cooked, word);
}

/* At one of WORDS, which are separated by blanks? */
static bool at_one_of(struct parser *p, const char *words)
{
    if (!p->have || p->tok.type != T_WORD || !p->tok.word.bare)
        return false;
    struct bytes b = p->tok.word.cooked;
    while (*words) {
        size_t n = strcspn(words, " ");
        if (words[0] == b.p[0] && n == b.n && memcmp(words, b.p, n) == 0)
            return true;
        words += n + (words[n] == ' ');
    }
    return false;
}

bool shell_accept(struct parser *p, const char *word)
{
    p->mode = WORD_FIRST;
    if (!shell_next(p) || !shell_at_word(p, word))
        return false;
    p->have = false;
    return true;
}

bool shell_newlines(struct parser *p)
{
    p->mode = WORD_FIRST;
    while (shell_next(p)) {
        if (p->tok.type != T_NEWLINE)
            return true;
        p->have = false;
    }
    return false;
}

static bool unexpected(struct parser *p)
{
    return shell_fail(p, p->tok.type == T_END ? "it ends too early" : "no shell expects this here",
                      p->tok.at);
}

static bool no_memory(struct parser *p)
{
    p->r->error = -ENOMEM;
    return false;
}

/* ---- redirections ---- */

static bool heredoc_delimiter(struct parser *p, struct input *in, bool tabs)
{
    struct bytes raw = {p->s->p + p->tok.at, p->tok.end - p->tok.at};
    static const char odd[] = {'$', '`', '(', '\n', HOLE};
    for (size_t i = 0; i < sizeof(odd); i++)
        if (memchr(raw.p, odd[i], raw.n))
            return shell_fail(p, "shells disagree where this heredoc ends", p->tok.at);
    struct heredoc *h = vec_push(&p->heredocs);
    if (!h)
        return no_memory(p);
    *h = (struct heredoc){.delimiter = p->tok.word, .tabs = tabs, .to = in};
    h->quoted =
        memchr(raw.p, '\'', raw.n) || memchr(raw.p, '"', raw.n) || memchr(raw.p, '\\', raw.n);
    return true;
}

/* At the operator. */
static bool redirection(struct parser *p, struct redirected *ret)
{
    struct token op = p->tok;
    struct reader *r = p->r;
    bool heredoc = op.op == REDIRECT_HEREDOC || op.op == REDIRECT_HEREDOC_TABS;
    bool text = heredoc || op.op == REDIRECT_HERE_STRING;
    shell_deepen(p, "it redirects", op.at);
    p->have = false;
    p->mode = WORD_USUAL;
    if (!shell_next(p))
        return false;
    if (p->tok.type != T_WORD)
        return unexpected(p);
    const struct sword *w = &p->tok.word;
    struct input *to = arena_zalloc(r->a, 1, sizeof(*to));
    if (!to)
        return no_memory(p);
    if (op.op == REDIRECT_HERE_STRING)
        *to = (struct input){true, w->cooked, w->text, w->at, w->end};
    if (heredoc && !heredoc_delimiter(p, to, op.op == REDIRECT_HEREDOC_TABS))
        return false;
    r->heredoc |= text;
    ret->any = true;
    ret->both |= op.op == REDIRECT_BOTH;
    ret->out |= op.sign == '>' && op.number != 2;
    if (op.sign == '<' && (op.number == 0 || op.number == -1)) {
        ret->in = to;
        ret->data = text;
    }
    p->have = false;
    return true;
}

bool shell_redirections(struct parser *p, struct redirected *ret)
{
    while (shell_next(p) && p->tok.type == T_REDIRECT)
        if (!redirection(p, ret))
            return false;
    return p->have;
}

/* ---- simple commands ---- */

static bool is_declaring(const struct sword *w)
{
    static const char *const names[] = {"declare", "typeset", "export", "readonly", "local"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (w->known && str_eq(w->text, names[i]))
            return true;
    return false;
}

/* name () body: at the `(` behind its name. */
static bool function(struct parser *p, const char *name)
{
    shell_deepen(p, "it defines a function", p->tok.at);
    p->have = false;
    if (!shell_next(p))
        return false;
    if (p->tok.type != T_CLOSE)
        return unexpected(p);
    p->have = false;
    return shell_function_body(p, name);
}

struct simple {
    size_t first, slot; /* of the words; of the command */
    size_t both;        /* words before the first `&>` */
    struct redirected to;
    bool prefixed; /* by assignments or redirections */
};

static bool take_word(struct parser *p, struct simple *c)
{
    struct reader *r = p->r;
    const struct sword *w = &p->tok.word;
    p->have = false;
    if (r->words.n == c->first) {
        if (w->assign) {
            c->prefixed = true;
            shell_deepen(p, "it assigns a variable", p->tok.at);
            shell_subscripts(r, w->cooked, "a subscript", w->at, w->end);
            return r->error == 0;
        }
        c->slot = shell_slot(r);
    }
    struct sword *item = vec_push(&r->words);
    if (!item)
        return no_memory(p);
    *item = *w;
    return r->error == 0;
}

/* Words and redirections up to what ends them. *ret_function: it was a definition. */
static bool simple_parts(struct parser *p, struct simple *c, bool *ret_function)
{
    struct reader *r = p->r;
    for (;;) {
        bool any = r->words.n > c->first;
        p->mode = !any || is_declaring(&r->words.v[c->first]) ? WORD_FIRST : WORD_USUAL;
        if (!shell_next(p))
            return false;
        if (p->tok.type == T_REDIRECT) {
            bool both = c->to.both;
            if (!redirection(p, &c->to))
                return false;
            if (c->to.both && !both)
                c->both = r->words.n - c->first;
        } else if (p->tok.type == T_WORD) {
            if (!take_word(p, c))
                return false;
        } else if (p->tok.type == T_OPEN && r->words.n == c->first + 1 && !c->to.any &&
                   !c->prefixed) {
            const char *name = r->words.v[c->first].text;
            *ret_function = true;
            r->words.n = c->first;
            r->v.n = c->slot;
            return function(p, name);
        } else {
            return p->tok.type != T_OPEN || unexpected(p);
        }
    }
}

/* A simple command; a first word of it may have been pushed already. */
static bool simple(struct parser *p, size_t first, size_t slot)
{
    struct reader *r = p->r;
    struct simple c = {.first = first, .slot = slot};
    bool is_function = false;
    bool timed = p->timed;
    p->timed = false;
    bool good = simple_parts(p, &c, &is_function);
    p->out = NULL;
    if (is_function)
        return good;
    if (good && r->words.n == first && !c.to.any && !c.prefixed)
        good = unexpected(p);
    if (r->words.n > first && !r->error) {
        /* For dash, `&` ends the command and `>` begins another one. */
        size_t rest = first + c.both;
        if (c.to.both && c.both && p->s->dialect == DIALECT_SH) {
            size_t all = r->words.n;
            r->words.n = rest;
            shell_emit(r, first, shell_slot(r), p->s->dialect, &(struct redirected){0}, false);
            r->words.n = all;
        }
        if (c.to.both && c.both && rest < r->words.n && !r->error && p->s->dialect == DIALECT_SH)
            shell_emit(r, rest, shell_slot(r), p->s->dialect, &(struct redirected){0}, false);
        if (good && (p->tok.type == T_PIPE || p->tok.type == T_PIPE_AMP))
            p->out = shell_output(r, first, p->s->dialect, &c.to);
        if (!r->error)
            shell_emit(r, first, c.slot, p->s->dialect, &c.to, timed);
    }
    r->words.n = first;
    return good && !r->error;
}

/* coproc [NAME] command */
static bool coprocess(struct parser *p)
{
    struct reader *r = p->r;
    bool is;
    shell_deepen(p, "it starts a coprocess", p->tok.at);
    p->have = false;
    p->mode = WORD_FIRST;
    if (!shell_next(p))
        return false;
    if (!shell_compound(p, &is))
        return false;
    if (is)
        return true;
    if (p->tok.type != T_WORD || p->tok.word.assign)
        return simple(p, r->words.n, 0);
    struct simple c = {.first = r->words.n};
    struct sword name = p->tok.word;
    size_t at = p->tok.at;
    p->have = false;
    p->mode = WORD_FIRST;
    if (!shell_next(p))
        return false;
    if (p->tok.type != T_OPEN) {
        struct token second = p->tok;
        if (!shell_compound(p, &is))
            return false;
        if (is)
            return true;
        p->tok = second;
        p->have = true;
    } else if (!shell_compound(p, &is)) {
        return false;
    } else if (is) {
        return true;
    }
    struct token second = p->tok;
    p->tok.word = name;
    p->tok.at = at;
    if (!take_word(p, &c))
        return false;
    p->tok = second;
    p->have = true;
    return simple(p, c.first, c.slot);
}

bool shell_command(struct parser *p)
{
    bool is;
    p->mode = WORD_FIRST;
    p->out = NULL;
    if (!shell_next(p))
        return false;
    if (shell_at_word(p, "coproc"))
        return coprocess(p);
    if (!shell_compound(p, &is))
        return false;
    if (is)
        return true;
    if (at_one_of(p, "then do done fi elif else esac } in ! time"))
        return unexpected(p);
    if (p->tok.type != T_WORD && p->tok.type != T_REDIRECT)
        return unexpected(p);
    return simple(p, p->r->words.n, 0);
}

/* ---- pipelines ---- */

/* `time`, `!`: in any number and order, as bash takes them. *ret_any: there were some. */
static bool prefixes(struct parser *p, bool *ret_any)
{
    *ret_any = false;
    p->mode = WORD_FIRST;
    while (shell_next(p)) {
        bool time = shell_at_word(p, "time");
        if (!time && !shell_at_word(p, "!"))
            return true;
        *ret_any = true;
        p->timed |= time;
        shell_deepen(p, time ? "it is timed" : "its status is turned round", p->tok.at);
        p->have = false;
        if (time) {
            (void)shell_accept(p, "-p");
            (void)shell_accept(p, "--");
        }
    }
    return false;
}

/* The commands of [FIRST, LAST) that stand in the pipeline itself. */
static void join(struct reader *r, size_t first, size_t last, bool data, uint32_t to)
{
    for (size_t i = first; i < last; i++) {
        struct icommand *c = &r->v.v[i];
        if (c->level != r->level)
            continue;
        c->c.stdin_data |= data;
        if (c->c.pipes_to == UINT32_MAX && to != UINT32_MAX && to != i)
            c->c.pipes_to = to;
    }
}

static uint32_t first_at_level(const struct reader *r, size_t first)
{
    for (size_t i = first; i < r->v.n; i++)
        if (r->v.v[i].level == r->level)
            return (uint32_t)i;
    return UINT32_MAX;
}

/* What one stage hands on to the next, when that is not plain to see. */
static const struct input *unseen(struct parser *p, size_t from, size_t to)
{
    struct input *in = arena_zalloc(p->r->a, 1, sizeof(*in));
    if (!in) {
        p->r->error = -ENOMEM;
        return NULL;
    }
    in->shown = shell_keep(p->r, p->s->p + from, to - from).p;
    for (char *c = (char *)in->shown; c < in->shown + (to - from); c++)
        if (*c == HOLE)
            *c = '?';
    in->at = shell_place(p->s, from);
    in->end = in->at + (p->s->copied ? p->s->length : (uint32_t)(to - from));
    return in;
}

static bool feed_later(struct parser *p, size_t first, size_t last, const struct input *in)
{
    struct feed *f = vec_push(&p->r->feeds);
    if (!f)
        return no_memory(p);
    *f = (struct feed){first, last, p->r->level, in};
    return true;
}

static bool pipeline(struct parser *p)
{
    struct reader *r = p->r;
    bool any;
    size_t before = 0, stage = r->v.n, from;
    const struct input *in = NULL;
    p->timed = false;
    if (!prefixes(p, &any))
        return false;
    if (any && (p->tok.type == T_NEWLINE || p->tok.type == T_SEMI || p->tok.type == T_END))
        return true;
    for (bool piped = false;; piped = true) {
        from = p->tok.at;
        bool good = shell_command(p);
        if (piped) {
            uint32_t to = first_at_level(r, stage);
            join(r, before, stage, false, to);
            join(r, stage, r->v.n, true, UINT32_MAX);
            if (!feed_later(p, stage, r->v.n, in))
                return false;
        }
        if (!good || !shell_next(p))
            return false;
        if (p->tok.type != T_PIPE && p->tok.type != T_PIPE_AMP)
            return true;
        if (p->tok.type == T_PIPE_AMP)
            shell_deepen(p, "not every shell knows |&", p->tok.at);
        in = p->out ? p->out : unseen(p, from, p->tok.at);
        before = stage;
        stage = r->v.n;
        p->have = false;
        p->timed = false;
        if (!in || !shell_newlines(p))
            return false;
        if (shell_at_word(p, "time") || shell_at_word(p, "!"))
            if (!prefixes(p, &any))
                return false;
    }
}

static bool and_or(struct parser *p)
{
    for (;;) {
        if (!pipeline(p))
            return false;
        if (p->tok.type != T_AND && p->tok.type != T_OR)
            return true;
        p->have = false;
        if (!shell_newlines(p))
            return false;
    }
}

/* ---- lists ---- */

static bool at_stop(struct parser *p, const char *stops, int close)
{
    return p->tok.type == T_END || (close == ')' && p->tok.type == T_CLOSE) ||
           (close == ';' && p->tok.type == T_CASE_END) || (stops && at_one_of(p, stops));
}

bool shell_list(struct parser *p, const char *stops, int close)
{
    for (;;) {
        if (!shell_newlines(p))
            return false;
        if (at_stop(p, stops, close))
            return true;
        if (!and_or(p))
            return false;
        p->mode = WORD_FIRST;
        if (!shell_next(p))
            return false;
        if (p->tok.type == T_AMP)
            shell_deepen(p, "it runs something in the background", p->tok.at);
        else if (p->tok.type != T_SEMI && p->tok.type != T_NEWLINE)
            return at_stop(p, stops, close) || unexpected(p);
        p->have = false;
    }
}

bool shell_commands(struct parser *p, int close)
{
    size_t at = p->s->i;
    if (!shell_list(p, NULL, close))
        return false;
    if (close == END && p->s->n > 1 && memcmp(p->s->p + p->s->n - 2, "\\\n", 2) == 0) {
        shell_deepen(p, "it ends with a backslash", p->s->n - 2);
        if (p->s->dialect == DIALECT_ZSH)
            shell_doubt(p, "it ends with a backslash", p->s->n - 2);
    }
    if (close == END)
        return p->tok.type == T_END || unexpected(p);
    if (p->tok.type != T_CLOSE)
        return shell_fail(p, "a parenthesis is not closed", at);
    p->have = false;
    return true;
}

/* ---- whole texts ---- */

void shell_nested(struct reader *r, struct bytes text, enum dialect dialect, const char *via,
                  uint32_t at, uint32_t end, const char *shown)
{
    struct source s = {
        .p = text.p, .n = text.n, .copied = true, .at = at, .length = end - at, .dialect = dialect};
    struct parser p = {.r = r, .s = &s};
    const char *outer = r->via;
    size_t feeds = r->feeds.n;
    r->reread += text.n;
    if (r->reread > r->reread_most) {
        (void)shell_fail(&p, "it is nested too often", 0);
        return;
    }
    if (memchr(text.p, HOLE, text.n))
        shell_unknown(r, shown, via, at, end);
    if (r->error || !shell_enter(&p))
        return;
    r->via = via;
    r->nested++;
    r->shell = true;
    (void)shell_commands(&p, END);
    if (!r->error)
        shell_feed_all(r, feeds);
    r->nested--;
    r->via = outer;
    shell_leave(&p);
    shell_parser_release(&p);
}

/*
 * The dialogue with a person. See question.h.
 *
 *            ┌── Enter, space, ?, v, resized, continued: the question again
 *   question ┤── y s n a, Escape, ^C: an answer
 *            ├── r ──► rule by rule: < > y k ──► an answer;  n: back
 *            └── w ──► a line of text ──► an answer;  Escape, ^C: back
 *
 * A question is only ever printed again below what is there: nothing moves the cursor, so that it
 * reads the same in a scrollback, on a printer and to a screen reader. A yes takes one key, alone;
 * whatever else comes (a paste, a sequence, a key that is not offered) says so and changes nothing.
 * All that can go wrong with the terminal is a no.
 */
#include "approval/ask.h"

#include "base/fd.h"

#include <errno.h>

enum step { STAY, AGAIN, BACK, DONE };

struct talk {
    struct arena *arena;
    const struct question *q;
    struct tty *tty;
    struct ask_look look;
    struct strbuf out;
    struct answer answer;
    bool left_out;  /* the question was not shown whole */
    bool failed;    /* out of memory */
    uint64_t since; /* when the question was first shown */
};

/* A question that comes up by itself, while the command runs: a key that was meant for the command
 * must not answer it. */
#define SETTLE_MS 700

static void say(struct talk *t)
{
    if (strbuf_failed(&t->out))
        t->failed = true;
    else
        tty_say(t->tty, &t->out);
    strbuf_clear(&t->out);
}

static enum step answered(struct talk *t, enum answer_kind kind, const char *text)
{
    t->answer.kind = kind;
    t->answer.by = "user";
    strbuf_printf(&t->out, "%s\n", text);
    say(t);
    return DONE;
}

static enum step broken(struct talk *t, enum answer_kind kind, const char *problem)
{
    answer_refuse(&t->answer, problem);
    t->answer.kind = kind;
    return DONE;
}

static const char behind[] = "bawn is not in front of its terminal and cannot ask: bring it there "
                             "(fg) and run it again";

/* A line of its own below what was typed. */
static void note(struct talk *t, const char *text)
{
    strbuf_puts(&t->out, "\n");
    ask_put_line(&t->out, &t->look, 0, text);
}

/* What every part of the dialogue does the same with. STAY: it is the part's own affair. */
static enum step common(struct talk *t, const struct tty_event *e)
{
    switch (e->kind) {
    case TTY_GONE:
        return broken(t, ANSWER_ABORT, "the terminal was closed while the question stood");
    case TTY_BEHIND:
        return broken(t, ANSWER_NO, behind);
    case TTY_SIGNAL:
        strbuf_putc(&t->out, '\n');
        say(t);
        return broken(t, ANSWER_ABORT, "a signal came while the question stood");
    case TTY_REDRAW:
        if (e->note)
            note(t, e->note);
        else
            strbuf_putc(&t->out, '\n');
        return AGAIN;
    default:
        return STAY;
    }
}

static void note_key(struct talk *t, const struct tty_event *e)
{
    char text[64];
    if (e->kind == TTY_TEXT)
        (void)snprintf(text, sizeof(text), "One key, please: several at once do not answer.");
    else if (e->kind == TTY_FUNCTION || e->key <= ' ' || e->key >= 0x7f)
        (void)snprintf(text, sizeof(text), "This key is no choice here.");
    else
        (void)snprintf(text, sizeof(text), "'%c' is no choice here.", e->key);
    note(t, text);
}

static char lower(unsigned char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* ---- a word to the agent ---- */

struct word {
    struct strbuf text;
    char part[4]; /* a character of which not every byte is here yet */
    size_t n_part;
    bool send;
    bool draw; /* the line has to be shown again */
};

static void put_word_line(struct talk *t, const struct word *w)
{
    strbuf_puts(&t->out, "\nYour word (Enter sends it, Escape goes back): ");
    strbuf_puts(&t->out, strbuf_text(&w->text));
}

static void erase(struct talk *t, struct word *w)
{
    if (w->text.n == 0)
        return;
    bool wide = w->text.p[w->text.n - 1] & 0x80;
    while (w->text.n && (w->text.p[w->text.n - 1] & 0xc0) == 0x80)
        w->text.n--;
    if (w->text.n)
        w->text.n--;
    w->text.p[w->text.n] = '\0';
    /* How many columns it took is not known. */
    w->draw |= wide;
    if (!w->draw)
        strbuf_puts(&t->out, "\b \b");
}

static void add_character(struct talk *t, struct word *w, const char *p, size_t n)
{
    uint32_t c;
    if (utf8_decode((const unsigned char *)p, n, &c) != n || utf8_deceives(c))
        return;
    if (w->text.n + n > MAX_ANSWER_WORD) {
        if (!w->draw)
            note(t, "(It is as long as it can be.)");
        w->draw = true;
        return;
    }
    strbuf_put(&w->text, p, n);
    if (!w->draw)
        strbuf_put(&t->out, p, n);
}

static size_t utf8_bytes(unsigned char lead)
{
    return lead < 0x80             ? 1
           : (lead & 0xe0) == 0xc0 ? 2
           : (lead & 0xf0) == 0xe0 ? 3
           : (lead & 0xf8) == 0xf0 ? 4
                                   : 0;
}

static void add_byte(struct talk *t, struct word *w, unsigned char c, bool last)
{
    if (c >= 0x80) {
        bool follows = (c & 0xc0) == 0x80;
        if (!follows)
            w->n_part = 0;
        if ((follows && w->n_part == 0) || utf8_bytes(follows ? (unsigned char)w->part[0] : c) < 2)
            return;
        w->part[w->n_part++] = (char)c;
        if (w->n_part == utf8_bytes((unsigned char)w->part[0])) {
            add_character(t, w, w->part, w->n_part);
            w->n_part = 0;
        }
        return;
    }
    w->n_part = 0;
    if (c == '\r' || c == '\n') {
        if (last)
            w->send = true;
        else
            add_character(t, w, " ", 1); /* of what was pasted */
    } else if (c == 0x7f || c == '\b') {
        erase(t, w);
    } else if (c == 0x15) { /* ^U */
        strbuf_clear(&w->text);
        w->draw = true;
    } else {
        add_character(t, w, (const char *)&c, 1);
    }
}

static enum step word_event(struct talk *t, struct word *w, const struct tty_event *e)
{
    enum step s = common(t, e);
    if (s == AGAIN) {
        w->draw = true;
        return STAY;
    }
    if (s != STAY)
        return s;
    if (e->kind == TTY_ESCAPE || e->kind == TTY_INTERRUPT)
        return BACK;
    struct bytes typed = e->kind == TTY_TEXT ? e->text : (struct bytes){(const char *)&e->key, 1};
    for (size_t i = 0; e->kind != TTY_FUNCTION && i < typed.n; i++)
        add_byte(t, w, (unsigned char)typed.p[i], i + 1 == typed.n);
    if (!w->send)
        return STAY;
    if (w->draw) /* what stands there is not what is sent */
        put_word_line(t, w);
    if (w->text.n) {
        t->answer.word = arena_strndup(t->arena, w->text.p, w->text.n);
        t->failed |= !t->answer.word;
    }
    return answered(t, ANSWER_NO, "");
}

static enum step ask_word(struct talk *t)
{
    struct word w = {.draw = true};
    enum step s = STAY;
    strbuf_puts(&t->out, "no, with a word");
    while (s == STAY) {
        struct tty_event e;
        if (w.draw)
            put_word_line(t, &w);
        w.draw = false;
        say(t);
        t->failed |= strbuf_failed(&w.text);
        if (t->failed)
            break;
        tty_next(t->tty, &e);
        s = word_event(t, &w, &e);
    }
    strbuf_release(&w.text);
    return s == BACK ? AGAIN : s;
}

/* ---- yes, and remember ---- */

/* The nearest length in the direction of STEP that may be remembered, or the one that is. */
static size_t other_length(const struct suggestion *s, size_t length, int step)
{
    size_t at = length;
    while (step < 0 ? at > s->least : at < s->n) {
        at = step < 0 ? at - 1 : at + 1;
        if (at && !suggest_refuses(s->words, at))
            return at;
    }
    return length;
}

static enum step change_length(struct talk *t, size_t index, size_t *length, int step)
{
    size_t other = other_length(&t->q->suggestions[index], *length, step);
    if (other == *length)
        note(t, step < 0 ? "No shorter: it would allow too much." : "This is all of it.");
    *length = other;
    return AGAIN;
}

static enum step rule_key(struct talk *t, size_t index, size_t *length, char key)
{
    switch (key) {
    case '<':
    case '-':
        return change_length(t, index, length, -1);
    case '>':
    case '+':
        return change_length(t, index, length, 1);
    case 'y':
    case '\r':
    case '\n':
        strbuf_puts(&t->out, "write it\n");
        return DONE;
    case 'k':
        if (t->q->n_suggestions == 1)
            return STAY;
        *length = 0;
        strbuf_puts(&t->out, "skip this one\n");
        return DONE;
    case 'n':
        strbuf_puts(&t->out, "back\n");
        return BACK;
    case ' ':
    case '\f':
        strbuf_putc(&t->out, '\n');
        return AGAIN;
    default:
        return STAY;
    }
}

/* One rule. DONE with *LENGTH 0: skipped. An answer of its own (abort) is in *RET_ANSWERED. */
static enum step ask_rule(struct talk *t, size_t index, size_t *length, bool *ret_answered)
{
    for (;;) {
        struct tty_event e;
        t->look.columns = tty_columns(t->tty);
        if (!ask_put_rule(&t->out, &t->look, t->q, index, *length))
            t->failed = true;
        say(t);
        if (t->failed)
            return DONE;
        tty_next(t->tty, &e);
        enum step s = common(t, &e);
        if (s == DONE)
            *ret_answered = true;
        if (s == STAY && e.kind == TTY_INTERRUPT) {
            *ret_answered = true;
            return answered(t, ANSWER_ABORT, "abort");
        }
        if (s == STAY && e.kind == TTY_ESCAPE) {
            strbuf_puts(&t->out, "back\n");
            return BACK;
        }
        if (s == STAY && e.kind == TTY_KEY)
            s = rule_key(t, index, length, lower(e.key));
        if (s == STAY)
            note_key(t, &e);
        else if (s != AGAIN)
            return s;
    }
}

static enum step ask_rules(struct talk *t)
{
    const struct question *q = t->q;
    size_t *lengths = arena_zalloc(t->arena, q->n_suggestions, sizeof(*lengths));
    bool done = false, any = false;
    if (!lengths) {
        t->failed = true;
        return DONE;
    }
    strbuf_puts(&t->out, "yes, and remember\n");
    for (size_t i = 0; i < q->n_suggestions; i++) {
        lengths[i] = q->suggestions[i].length;
        enum step s = ask_rule(t, i, &lengths[i], &done);
        if (done || t->failed)
            return DONE;
        if (s == BACK)
            return AGAIN;
        any |= lengths[i] > 0;
    }
    if (!any) {
        note(t, "No rule is left to be written.");
        return AGAIN;
    }
    t->answer.lengths = lengths;
    return answered(t, ANSWER_REMEMBER, "yes, and remember");
}

/* ---- the question ---- */

static enum step question_key(struct talk *t, char key)
{
    static const struct {
        char key;
        enum answer_kind kind;
        const char *text;
    } answers[] = {
        {'y', ANSWER_ONCE, "yes, once"}, {'s', ANSWER_SESSION, "yes, for this session"},
        {'n', ANSWER_NO, "no"},          {'d', ANSWER_NEVER, "no, and remember"},
        {'a', ANSWER_ABORT, "abort"},
    };
    if (t->q->reach && strchr("ysr", key) && ask_clock_ms() - t->since < SETTLE_MS)
        return STAY;
    for (size_t i = 0; i < ARRAY_LEN(answers); i++)
        if (answers[i].key == key && question_offers(t->q, answers[i].kind))
            return answered(t, answers[i].kind, answers[i].text);
    switch (key) {
    case 'r':
        if (!question_offers(t->q, ANSWER_REMEMBER))
            return STAY;
        return t->q->reach ? answered(t, ANSWER_REMEMBER, "yes, and remember") : ask_rules(t);
    case 'w':
        return t->q->reach ? STAY : ask_word(t);
    case '?':
        strbuf_puts(&t->out, "help\n");
        ask_put_help(&t->out, &t->look, t->q);
        return AGAIN;
    case 'v':
        if (!t->left_out)
            return STAY;
        t->look.whole = true;
        strbuf_puts(&t->out, "view all of it\n");
        return AGAIN;
    case '\r':
    case '\n':
    case ' ':
    case '\f':
        strbuf_putc(&t->out, '\n');
        return AGAIN;
    default:
        return STAY;
    }
}

static enum step question_event(struct talk *t, const struct tty_event *e)
{
    enum step s = common(t, e);
    if (s != STAY)
        return s;
    switch (e->kind) {
    case TTY_INTERRUPT:
        return answered(t, ANSWER_ABORT, "abort");
    case TTY_ESCAPE:
        return answered(t, ANSWER_NO, "no");
    case TTY_KEY:
        s = question_key(t, lower(e->key));
        break;
    default:
        break;
    }
    if (s == STAY)
        note_key(t, e);
    return s;
}

static void ask(struct talk *t)
{
    enum step s = AGAIN;
    t->since = ask_clock_ms();
    while (s != DONE && !t->failed) {
        struct tty_event e;
        t->look.columns = tty_columns(t->tty);
        if (s == AGAIN)
            t->left_out = ask_put_question(&t->out, &t->look, t->q);
        ask_put_choices(&t->out, &t->look, t->q, t->left_out, s == AGAIN);
        say(t);
        if (t->failed)
            break;
        tty_next(t->tty, &e);
        s = question_event(t, &e);
    }
}

/* Colours only where a terminal says that it has them and nobody objects. */
static bool colour_wanted(void)
{
    const char *term = getenv("TERM"), *no = getenv("NO_COLOR");
    return term && *term && !str_eq(term, "dumb") && !(no && *no);
}

int question_ask_terminal(struct arena *a, const struct question *q, const char *tty,
                          struct answer *ret, struct error *err)
{
    struct talk t = {.arena = a, .q = q, .look.colour = colour_wanted()};
    uint64_t since = ask_clock_ms();
    int r = tty_open(tty, &t.tty, err);
    if (r == -EAGAIN) {
        error_clear(err);
        answer_refuse(ret, behind);
        ret->milliseconds = 0;
        return 0;
    }
    if (r < 0)
        return r;
    ask(&t);
    strbuf_release(&t.out);
    const char *signal = tty_close(t.tty);
    if (signal) {
        const char *problem = arena_printf(a, "%s came while the question stood", signal);
        if (problem)
            t.answer.problem = problem;
    }
    if (t.failed)
        return error_errno(err, -ENOMEM, "cannot ask on the terminal");
    t.answer.milliseconds = ask_clock_ms() - since;
    *ret = t.answer;
    return 0;
}

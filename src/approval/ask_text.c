/*
 * The question as lines of text. Pure.
 *
 * Everything that is not bawn's own stands behind a bar, so that no text, however it is written or
 * wrapped, can look like a line of the prompt:
 *
 *    command | echo one
 *            | echo a line of its own
 *            : that was too long for the width
 *            … 3,214 bytes left out …
 *         in | /home/ada/src
 *
 * `|` begins a line of the text, `:` goes on with it. What could steer the terminal or turn the
 * reading round is shown as \xHH. Columns are counted high (everything beyond ASCII as two), so
 * that the terminal never wraps a row by itself, which would begin without a bar. One column at the
 * right stays free for the same reason. Nothing but bold and red is ever used, and nothing depends
 * on it.
 */
#include "approval/ask.h"

#include "base/vec.h"

#define LABEL_COLUMNS 8  /* of the longest label */
#define NARROW        36 /* with fewer columns the label stands on a line of its own */
#define LEAST_COLUMNS 8
#define UNKNOWN       80
#define TEXT_ROWS     20 /* rows of the command that are shown without `v` */
#define NOTE_ROWS     12 /* rows of anything else */

#define BOLD  "\033[1m"
#define LOUD  "\033[1;31m"
#define PLAIN "\033[0m"

struct row {
    size_t from, to; /* bytes of the text */
    bool begins;     /* a line of the text */
};

static unsigned columns_of(const struct ask_look *look)
{
    return look->columns == 0 ? UNKNOWN : MAX_OF(look->columns, LEAST_COLUMNS);
}

/* The next thing at P that stands together: its bytes, and at most how many columns it takes. */
static size_t unit(const char *p, size_t n, unsigned *ret_columns)
{
    uint32_t c;
    size_t len = utf8_decode((const unsigned char *)p, n, &c);
    if (len == 0 || utf8_deceives(c)) {
        *ret_columns = 4; /* \xHH */
        return 1;
    }
    *ret_columns = len == 1 ? 1 : 2;
    return len;
}

typedef VEC(struct row) rows_t;

static bool add_row(rows_t *rows, size_t from, size_t to, bool begins)
{
    struct row *row = vec_push(rows);
    if (row)
        *row = (struct row){from, to, begins};
    return row != NULL;
}

/* Cuts TEXT into rows of at most WIDTH columns, behind a space where there is one. */
static bool cut_rows(const char *text, size_t n, unsigned width, rows_t *rows)
{
    size_t from = 0, space = 0, i = 0;
    unsigned used = 0, after_space = 0; /* columns of the row; of it behind the last space */
    bool begins = true;
    while (i < n) {
        if (text[i] == '\n') {
            if (!add_row(rows, from, i, begins))
                return false;
            from = space = ++i;
            used = after_space = 0;
            begins = true;
            continue;
        }
        unsigned columns;
        size_t len = unit(text + i, n - i, &columns);
        if (used + columns > width && i > from) {
            size_t end = space > from ? space : i;
            if (!add_row(rows, from, end, begins))
                return false;
            used = end == i ? 0 : after_space;
            from = space = end;
            after_space = 0;
            begins = false;
            continue;
        }
        used += columns;
        after_space += columns;
        i += len;
        if (text[i - 1] == ' ') {
            space = i;
            after_space = 0;
        }
    }
    return add_row(rows, from, n, begins);
}

static void put_spaces(struct strbuf *out, size_t n)
{
    while (n--)
        strbuf_putc(out, ' ');
}

/* 1234567 as "1,234,567". */
static void put_count(struct strbuf *out, size_t v)
{
    char digits[24];
    int n = snprintf(digits, sizeof(digits), "%zu", v);
    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0)
            strbuf_putc(out, ',');
        strbuf_putc(out, digits[i]);
    }
}

/* TEXT behind its bar; at most MAX_ROWS rows (0: all), the middle left out. Says whether it was. */
static bool put_text(struct strbuf *out, const struct ask_look *look, const char *label,
                     const char *text, size_t max_rows)
{
    unsigned columns = columns_of(look);
    bool narrow = columns < NARROW;
    unsigned bar = narrow ? 0 : LABEL_COLUMNS + 2;
    size_t n = strlen(text);
    if (n && text[n - 1] == '\n')
        n--;
    rows_t rows = {0};
    if (!cut_rows(text, n, columns - bar - 3, &rows)) {
        vec_release(&rows);
        out->failed = true;
        return false;
    }
    size_t head = rows.n, tail = rows.n;
    if (max_rows && rows.n > max_rows) {
        head = max_rows * 2 / 3;
        tail = rows.n - (max_rows - head - 1);
    }
    if (narrow)
        strbuf_printf(out, "%s:\n", label);
    for (size_t i = 0; i < rows.n; i++) {
        const struct row *row = &rows.v[i];
        if (i == head && tail > head) {
            put_spaces(out, bar);
            strbuf_puts(out, "\xe2\x80\xa6 ");
            put_count(out, rows.v[tail].from - row->from);
            strbuf_puts(out, " bytes left out \xe2\x80\xa6\n");
            i = tail - 1;
            continue;
        }
        if (!narrow)
            strbuf_printf(out, "%*s ", LABEL_COLUMNS + 1, i ? "" : label);
        strbuf_puts(out, row->begins ? "| " : ": ");
        strbuf_put_printable(out, text + row->from, row->to - row->from);
        strbuf_putc(out, '\n');
    }
    vec_release(&rows);
    return tail > head;
}

/* TEXT wrapped between words, from column USED on, later rows indented by REST; no end of line. */
static void put_words(struct strbuf *out, const struct ask_look *look, unsigned used, unsigned rest,
                      const char *text)
{
    unsigned columns = columns_of(look);
    bool fresh = true; /* nothing stands in the row */
    while (*text) {
        size_t n = strcspn(text, " ");
        if (!fresh && used + 1 + n >= columns) {
            strbuf_putc(out, '\n');
            put_spaces(out, rest);
            used = rest;
            fresh = true;
        }
        if (!fresh)
            strbuf_putc(out, ' ');
        strbuf_put(out, text, n);
        used += (unsigned)n + !fresh;
        fresh = false;
        text += n;
        text += strspn(text, " ");
    }
}

void ask_put_line(struct strbuf *out, const struct ask_look *look, unsigned rest, const char *text)
{
    put_words(out, look, 0, rest, text);
    strbuf_putc(out, '\n');
}

static void put_title(struct strbuf *out, const struct ask_look *look, bool loud, const char *text)
{
    if (look->colour)
        strbuf_puts(out, loud ? LOUD : BOLD);
    put_words(out, look, 0, 0, text);
    if (look->colour)
        strbuf_puts(out, PLAIN);
    strbuf_putc(out, '\n');
}

/* ---- the question ---- */

static bool put_list(struct strbuf *out, const struct ask_look *look, const char *label,
                     const char *const *lines, size_t n)
{
    _cleanup_strbuf_ struct strbuf all = {0};
    for (size_t i = 0; i < n; i++)
        strbuf_printf(&all, "%s%s", i ? "\n" : "", lines[i]);
    out->failed |= strbuf_failed(&all);
    return n && put_text(out, look, label, strbuf_text(&all), look->whole ? 0 : NOTE_ROWS);
}

bool ask_put_question(struct strbuf *out, const struct ask_look *look, const struct question *q)
{
    size_t text_rows = look->whole ? 0 : TEXT_ROWS, note_rows = look->whole ? 0 : NOTE_ROWS;
    strbuf_putc(out, '\n');
    put_title(out, look, q->outside,
              q->reach     ? "bawn: may the running command reach this?"
              : q->outside ? "bawn: may this run OUTSIDE THE SANDBOX?"
                           : "bawn: may this run?");
    bool left_out = q->reach && put_text(out, look, "reach", q->reach, note_rows);
    if (q->asker)
        left_out |= put_text(out, look, "asks", q->asker, note_rows);
    left_out |= put_text(out, look, "command", q->text ? q->text : "", text_rows);
    if (q->cwd)
        left_out |= put_text(out, look, "in", q->cwd, note_rows);
    if (q->program)
        left_out |= put_text(out, look, "program", q->program, note_rows);
    if (q->why)
        left_out |= put_text(out, look, "why", q->why, note_rows);
    if (!q->reach)
        left_out |= put_list(out, look, "it could", q->what, q->n_what);
    /* What r and d write is shown before they are pressed. */
    if (question_offers(q, ANSWER_REMEMBER) && q->allow_rule)
        left_out |= put_text(out, look, "r writes", q->allow_rule, 0);
    if (question_offers(q, ANSWER_NEVER))
        left_out |= put_text(out, look, "d writes", q->deny_rule, 0);
    if (q->outside)
        put_title(out, look, true,
                  "!! Without a sandbox nothing limits it: it can read, change and send whatever "
                  "you can.");
    return left_out;
}

/* A choice of a list: its key, and what it does. */
struct choice {
    char key;
    const char *text;
};

static void put_choice(struct strbuf *out, const struct ask_look *look, char key, const char *text)
{
    strbuf_printf(out, "  %c  ", key);
    put_words(out, look, 5, 5, text);
    strbuf_putc(out, '\n');
}

void ask_put_choices(struct strbuf *out, const struct ask_look *look, const struct question *q,
                     bool left_out, bool list)
{
    const struct {
        struct choice choice;
        bool offered;
    } all[] = {
        {{'y', "yes, once"}, question_offers(q, ANSWER_ONCE)},
        {{'s', "yes, for this session"}, question_offers(q, ANSWER_SESSION)},
        {{'r', "yes, and remember it as a rule"}, question_offers(q, ANSWER_REMEMBER)},
        {{'n', q->reach ? "no, for this session" : "no"}, true},
        {{'d', "no, and remember it as a rule"}, question_offers(q, ANSWER_NEVER)},
        {{'w', "no, with a word to the agent"}, !q->reach},
        {{'a', q->reach ? "no, and no more questions of this kind" : "abort"}, true},
        {{'v', "view all of it"}, left_out},
        {{'?', "help"}, true},
    };
    _cleanup_strbuf_ struct strbuf keys = {0};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (all[i].offered) {
            if (list)
                put_choice(out, look, all[i].choice.key, all[i].choice.text);
            strbuf_printf(&keys, "%s%c", keys.n ? " " : "", all[i].choice.key);
        }
    strbuf_printf(out, "Your key (%s): ", strbuf_text(&keys));
}

static void put_reach_help(struct strbuf *out, const struct ask_look *look,
                           const struct question *q)
{
    ask_put_line(out, look, 2,
                 "One key answers. No rule names this destination, and its connection waits. "
                 "Escape is no; what is asked about is this host, port and protocol, and nothing "
                 "beside it.");
    ask_put_line(out, look, 2, "yes, once: the next connection is asked about again.");
    if (question_offers(q, ANSWER_SESSION))
        ask_put_line(out, look, 2, "yes, for this session: until the session ends.");
    if (question_offers(q, ANSWER_REMEMBER) || question_offers(q, ANSWER_NEVER))
        ask_put_line(out, look, 2,
                     "r and d write the line that is shown: it holds from now on, everywhere.");
    ask_put_line(out, look, 2, "no: refused until the session ends, without asking again.");
}

void ask_put_help(struct strbuf *out, const struct ask_look *look, const struct question *q)
{
    static const char *const lines[] = {
        "One key answers; there is no need for Enter. What is pasted does not answer. Enter, space "
        "or ^L shows the question again; Escape is no; ^C and ^D abort.",
        "What wants to run stands behind bars: | begins a line of it, : goes on with one that was "
        "too long. \\x1b and the like are bytes that a terminal would not show.",
        "yes, once: this one time. The same command is asked about again.",
    };
    strbuf_putc(out, '\n');
    if (q->reach) {
        put_reach_help(out, look, q);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        ask_put_line(out, look, 2, lines[i]);
    if (question_offers(q, ANSWER_SESSION))
        ask_put_line(out, look, 2,
                     "yes, for this session: also when the very same command wants to run in the "
                     "same directory again, until the session ends.");
    if (question_offers(q, ANSWER_REMEMBER))
        ask_put_line(out, look, 2,
                     "yes, and remember: the rule that would be written is shown first, and you "
                     "can make it narrower or wider.");
    ask_put_line(out, look, 2,
                 "no: it does not run, and the agent goes on. With a word, the agent is told why.");
    ask_put_line(out, look, 2, "abort: it does not run, and the agent should stop.");
}

bool ask_put_rule(struct strbuf *out, const struct ask_look *look, const struct question *q,
                  size_t index, size_t length)
{
    _cleanup_arena_ struct arena scratch = {0};
    const struct suggestion *s = &q->suggestions[index];
    const char *rule = suggest_rule_text(&scratch, s->words, length, !q->outside);
    if (!rule)
        return false;
    strbuf_putc(out, '\n');
    put_title(out, look, q->outside,
              q->outside ? "bawn: remember? Whatever begins like this would run OUTSIDE THE "
                           "SANDBOX, without a question:"
                         : "bawn: remember? Whatever begins like this would run in the sandbox, "
                           "without a question:");
    (void)put_text(out, look, "rule", rule, 0);
    (void)put_text(out, look, "into", q->rules_file, look->whole ? 0 : NOTE_ROWS);
    bool several = q->n_suggestions > 1;
    if (several) {
        char text[64];
        (void)snprintf(text, sizeof(text), "(rule %zu of %zu)", index + 1, q->n_suggestions);
        ask_put_line(out, look, 0, text);
    }
    if (length > s->least)
        put_choice(out, look, '<', "shorter (or -): allows more");
    if (length < s->n)
        put_choice(out, look, '>', "longer (or +): allows less");
    put_choice(out, look, 'y', "write it (or Enter)");
    if (several)
        put_choice(out, look, 'k', "skip this one");
    put_choice(out, look, 'n', "back, nothing is written (or Escape)");
    strbuf_printf(out, "Your key (%s%sy %sn): ", length > s->least ? "< " : "",
                  length < s->n ? "> " : "", several ? "k " : "");
    return true;
}

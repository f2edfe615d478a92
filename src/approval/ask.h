/*
 * What the ways of asking share; nobody else includes this.
 *
 *   question.c      the question and its answer as JSON; what counts as an answer
 *   ask_text.c      the question as lines of text for a width; pure
 *   ask_tty.c       the terminal: single keys, signals, everything put back
 *   ask_terminal.c  the dialogue with a person
 *   ask_via.c       the exchange with another asker
 */
#ifndef BAWN_APPROVAL_ASK_H
#define BAWN_APPROVAL_ASK_H

#include "approval/question.h"
#include "base/limits.h"

/* ---- question.c ---- */

bool question_offers(const struct question *q, enum answer_kind kind);
/* A refusal that nobody spoke. PROBLEM must live as long as the answer. */
void answer_refuse(struct answer *answer, const char *problem);
/* The question as one line with its end; false when memory ran out. */
bool question_json(struct arena *a, const struct question *q, struct strbuf *out);
/* LINE (without its end) as the answer to Q. What is no good answer is a refusal; -ENOMEM is the
 * only error. */
int answer_read(struct arena *a, const struct question *q, struct bytes line, struct answer *ret);
uint64_t ask_clock_ms(void); /* a clock that only runs forward */

/* ---- ask_text.c ---- */

struct ask_look {
    unsigned columns; /* 0: not known */
    bool colour;      /* bold and red may be used; nothing else ever is */
    bool whole;       /* leave nothing out of a long text */
};
/* Appends the question without its last line. Says whether something was left out. */
bool ask_put_question(struct strbuf *out, const struct ask_look *look, const struct question *q);
/* The choices (when LIST) and what stands before the cursor. */
void ask_put_choices(struct strbuf *out, const struct ask_look *look, const struct question *q,
                     bool left_out, bool list);
void ask_put_help(struct strbuf *out, const struct ask_look *look, const struct question *q);
/* The rule that suggestion INDEX would write at LENGTH, with its choices. False: no memory. */
bool ask_put_rule(struct strbuf *out, const struct ask_look *look, const struct question *q,
                  size_t index, size_t length);
/* A line of bawn's own, wrapped between words, every row but the first indented by REST. */
void ask_put_line(struct strbuf *out, const struct ask_look *look, unsigned rest, const char *text);

/* ---- ask_tty.c ---- */

enum tty_event_kind {
    TTY_KEY,       /* one byte */
    TTY_TEXT,      /* several at once: pasted, or a key with several bytes */
    TTY_ESCAPE,    /* the Escape key */
    TTY_FUNCTION,  /* a function or arrow key: swallowed */
    TTY_INTERRUPT, /* ^C, ^\, ^D, or what the terminal has in their place */
    TTY_REDRAW,    /* the size changed, we were stopped, or somebody changed the settings */
    TTY_GONE,      /* hung up */
    TTY_BEHIND,    /* we are not (or no longer) in front */
    TTY_SIGNAL,    /* one that ends processes; see tty_close() */
};

struct tty_event {
    enum tty_event_kind kind;
    unsigned char key;
    struct bytes text; /* of TTY_TEXT, until the next event */
    const char *note;  /* of TTY_REDRAW: a line that says why, or NULL */
};

struct tty;

/* Opens NAME, with every signal held back that could end or stop the process, and makes it give
 * single keys; what was typed before is thrown away. -ENXIO: no terminal. -EAGAIN: not in front. */
int tty_open(const char *name, struct tty **ret, struct error *err);
unsigned tty_columns(struct tty *t);
/* Writes; what cannot be written because something happened meanwhile is dropped, and the next
 * event says what. */
void tty_say(struct tty *t, const struct strbuf *text);
void tty_next(struct tty *t, struct tty_event *ret);
/* The terminal is as it was. A signal that came meanwhile does now what it does; returns its name
 * when the process lives on, else NULL. */
const char *tty_close(struct tty *t);

#endif

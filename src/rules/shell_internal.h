/*
 * Between the files that read shell text (spec 4.3). Who does what:
 *
 *   shell_lex.c    bytes to tokens: words with their quotes removed, operators, heredocs
 *   shell_heredoc.c  where heredocs end
 *   shell_expand.c what is inside words: $(…), `…`, ${…}, $((…)), $'…'
 *   shell_parse.c  the grammar: lists, pipelines, compound commands
 *   shell_cond.c   [[ … ]], case, for and select, functions
 *   shell_deep.c   what a command makes of its words: nested shells, eval, trap, input of shells
 *   wrapper.c      what stands behind sudo, env, xargs, find -exec and kin
 *   command.c      the ways in
 *
 * One text is read once, from left to right, by recursive descent; a substitution is read in place.
 * Only what a shell reads twice (eval, sh -c, backquotes with backslashes) is read again here; the
 * bytes of that are counted and limited, and so is the depth, over all nested texts together.
 *
 * A byte 0 stands for what an expansion makes: it is no byte of any text, since text with NUL is
 * not read. In a nested text it makes the word that it is in unknown.
 */
#ifndef BAWN_RULES_SHELL_INTERNAL_H
#define BAWN_RULES_SHELL_INTERNAL_H

#include "base/vec.h"
#include "rules/command.h"

#define HOLE '\0'
#define END  (-1)

/* Which shells may read the text: where they disagree, `sh` is taken to be any of them. */
enum dialect { DIALECT_SH, DIALECT_BASH, DIALECT_ZSH };

struct sword {
    const char *text;    /* as in command_word */
    struct bytes cooked; /* quotes removed, HOLE for each expansion */
    uint32_t at, end;    /* place in the outermost text */
    bool known;
    bool bare;   /* nothing quoted, nothing expanded: may be a reserved word */
    bool splits; /* an unquoted expansion: may become several words or none */
    bool assign; /* begins with NAME= or the like, all of that unquoted */
};

/* What comes in on a command's standard input, as far as this line says. In the arena; of a heredoc
 * it is filled when the line has ended. */
struct input {
    bool known;
    struct bytes text; /* may have holes */
    const char *shown; /* as it was written */
    uint32_t at, end;
};

struct icommand {
    struct command c;
    unsigned level;   /* of substitutions it stands in */
    bool reads_stdin; /* a shell, or a kin of it, that takes commands from its input */
    bool fed;         /* its input was seen to */
    enum dialect dialect;
};

/* Input for the commands first to last, once it is known. */
struct feed {
    size_t first, last;
    unsigned level;
    const struct input *in;
};

struct reader {
    struct arena *a;
    VEC(struct icommand) v;
    VEC(struct sword) words; /* a stack */
    VEC(struct feed) feeds;
    struct strbuf buf; /* words being made: a stack as well */
    unsigned depth, level;
    unsigned nested; /* in a text that is read again: nothing of it is plain */
    size_t reread, reread_most;
    const char *via;
    bool multios;    /* zsh: several inputs are one after the other */
    bool words_only; /* what commands do with their words is not looked at */
    bool deep, opaque, shell, heredoc;
    const char *reason, *opaque_reason;
    uint32_t reason_at, opaque_at;
    int error; /* -ENOMEM: everything ends */
};

struct source {
    const char *p;
    size_t n, i;
    bool copied;         /* places are that of the whole: */
    uint32_t at, length; /* of the text, in the outermost */
    enum dialect dialect;
    bool failed;
};

enum token_type {
    T_END,
    T_NEWLINE,
    T_WORD,
    T_SEMI,
    T_AMP,
    T_AND,
    T_OR,
    T_PIPE,
    T_PIPE_AMP,
    T_CASE_END, /* ;; ;& ;;& ;| */
    T_OPEN,
    T_CLOSE,
    T_REDIRECT,
};

enum redirect_op {
    REDIRECT_FILE, /* any that takes a word and no text */
    REDIRECT_IN,
    REDIRECT_BOTH, /* &> and &>> */
    REDIRECT_HEREDOC,
    REDIRECT_HEREDOC_TABS,
    REDIRECT_HERE_STRING,
};

struct token {
    enum token_type type;
    size_t at, end; /* in the source */
    struct sword word;
    enum redirect_op op;
    char sign;  /* of a redirection: '<' or '>' */
    int number; /* its descriptor, -1: none written, -2: {name} */
};

struct heredoc {
    struct sword delimiter;
    bool quoted, tabs;
    struct input *to;
};

enum word_mode { WORD_USUAL, WORD_FIRST, WORD_PATTERN, WORD_REGEX, WORD_COND };

struct parser {
    struct reader *r;
    struct source *s;
    struct token tok;
    bool have; /* tok is the next one */
    enum word_mode mode;
    bool outer_heredocs;     /* the line round this substitution waits for heredocs */
    const struct input *out; /* what the command just read writes, where that is plain to see */
    bool timed;              /* behind `time`, which may be the reserved word or a program */
    VEC(struct heredoc) heredocs;
};

/* A word being made. */
struct build {
    size_t mark; /* in reader.buf */
    size_t from; /* in the source */
    bool unknown, quoted, expanded, splits, assign, glob, bracket, brace, odd_brace, tilde;
    unsigned braces; /* that are open */
};

/* shell_lex.c */
int shell_peek(struct source *s);              /* the next byte, continuations passed over */
int shell_peek_second(const struct source *s); /* the one behind that */
uint32_t shell_place(const struct source *s, size_t i);
uint32_t shell_place_end(const struct source *s, size_t i);
/* The text cannot be read further; false. */
bool shell_fail(struct parser *p, const char *reason, size_t at);
/* Not known what it runs, but it can be read on. */
void shell_doubt(struct parser *p, const char *reason, size_t at);
/* It is no plain chain. */
void shell_deepen(struct parser *p, const char *reason, size_t at);
bool shell_enter(struct parser *p); /* one level deeper; pairs with shell_leave() when true */
void shell_leave(struct parser *p);
bool shell_is_name(struct bytes b);
/* Makes `tok` the next token; false when the text ends there badly. */
bool shell_next(struct parser *p);
bool shell_word_of(struct parser *p, struct build *b, struct sword *ret);
void shell_hole(struct parser *p, struct build *b, bool quoted);
void shell_put(struct parser *p, const char *s, size_t n);
struct bytes shell_keep(struct reader *r, const char *s, size_t n);
bool shell_dquote(struct parser *p, struct build *b); /* behind the opening quote */
bool shell_squote(struct parser *p, struct build *b);

/* shell_heredoc.c */
/* The texts that the line which just ended has asked for. */
bool shell_heredocs(struct parser *p);

/* shell_expand.c */
bool shell_dollar(struct parser *p, struct build *b, bool quoted); /* at the `$` */
bool shell_backquote(struct parser *p, struct build *b, bool quoted);
bool shell_process(struct parser *p, struct build *b); /* at `<(` or `>(` */
/* Behind `((`; false without a failure, at the place it began, when it is no arithmetic. */
bool shell_arithmetic(struct parser *p, struct build *b);
/* Would some shells take such a text for no arithmetic, and so for commands? */
bool shell_odd_arithmetic(struct bytes text);
/* The rest of a subscript, behind `[`. */
bool shell_subscript(struct parser *p, struct build *b);
/* Expansions in text that is otherwise data, as between double quotes: heredocs, arithmetic.
 * Appends what it becomes to buf. */
bool shell_data(struct parser *outer, struct source *s, struct build *b);

/* shell_parse.c */
/* Commands up to the end, or to an unquoted `)` which is consumed. */
bool shell_commands(struct parser *p, int close);
/* Reads TEXT in place of a level of its own. VIA: static or in the arena. */
void shell_nested(struct reader *r, struct bytes text, enum dialect dialect, const char *via,
                  uint32_t at, uint32_t end, const char *shown);
bool shell_substitution(struct parser *p, const char *via); /* behind `$(` */
bool shell_accept(struct parser *p, const char *word);      /* the bare word; consumes it */
bool shell_at_word(struct parser *p, const char *word);
bool shell_list(struct parser *p, const char *stops, int close);
bool shell_newlines(struct parser *p);
bool shell_command(struct parser *p);
/* *ret_in: the last that stands for standard input, else untouched. */
struct redirected {
    const struct input *in; /* NULL: as it was */
    bool data;              /* it is text of this line */
    bool out;               /* standard output goes elsewhere */
    bool any, both;
};
bool shell_redirections(struct parser *p, struct redirected *ret);
void shell_parser_release(struct parser *p);

/* shell_compound.c */
/* A compound command, when one begins here: *ret_is says so. */
bool shell_compound(struct parser *p, bool *ret_is);
bool shell_function_body(struct parser *p, const char *name);

/* shell_deep.c */
/* A simple command of the words FIRST… of the stack: fills in INDEX of the list and adds what it
 * runs. */
void shell_emit(struct reader *r, size_t first, size_t index, enum dialect dialect,
                const struct redirected *to, bool timed);
/* What such a command writes, where that is plain to see, or NULL. */
const struct input *shell_output(struct reader *r, size_t first, enum dialect dialect,
                                 const struct redirected *to);
/* A new, empty one; its index. */
size_t shell_slot(struct reader *r);
/* Shells that read commands get their input, of all feeds from FIRST on: called when the text that
 * they are in has ended. */
void shell_feed_all(struct reader *r, size_t first);
void shell_unknown(struct reader *r, const char *shown, const char *via, uint32_t at, uint32_t end);
/* Commands in subscripts of what arithmetic evaluates. */
void shell_subscripts(struct reader *r, struct bytes text, const char *via, uint32_t at,
                      uint32_t end);

/* wrapper.c */
struct span {
    const struct sword *s;
    const struct command_word *w;
    size_t n;
};
/* Adds the command SPAN at INDEX, and what it runs. */
void shell_run(struct reader *r, size_t index, struct span span, enum dialect dialect,
               const char *via);
/* A further one. */
void shell_run_more(struct reader *r, struct span span, enum dialect dialect, const char *via);
/* What the command at INDEX runs, when it is a wrapper. NAME: its base name. */
void shell_unwrap(struct reader *r, size_t index, const char *name, struct span span,
                  enum dialect dialect);
bool shell_by_name(const char *name, enum dialect *ret);
/* How many words the option W of a shell takes, itself included; 0: it is none, or ends them. Sets
 * *command for -c (and +c, which bash takes for it), *standard for -s. */
size_t shell_option_words(const char *w, bool *command, bool *standard);
const char *shell_base(const char *name);
/* The part of SPAN from I on. */
struct span shell_from(struct span span, size_t i);
/* The words joined by blanks. */
struct bytes shell_join(struct reader *r, struct span span);

#endif

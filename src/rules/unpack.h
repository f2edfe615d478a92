/*
 * Arguments taken apart as getopt_long(3) does: bundles (-rf), values (-ofile, -o file, --out=x,
 * --out x), abbreviations (--forc), the end of options (--), options behind operands. One item at a
 * time, without memory. Pure.
 *
 * A table says what a program knows, in two texts:
 *
 *   shorts  letters as getopt(3) has them: `n:` needs a value, `u::` may have one in the same word
 *   longs   names with a blank between: `wrap=` needs a value, `color?` may have one behind `=`
 *
 * `!` before a letter or a name marks it. What a mark means is the caller's: refused where a
 * command is to be known-safe, what makes it so where it is to be dangerous.
 */
#ifndef BAWN_RULES_UNPACK_H
#define BAWN_RULES_UNPACK_H

#include "base/str.h"
#include "rules/command.h"

enum {
    OPTIONS_FIRST = 1u << 0, /* the first operand ends the options */
    OPTIONS_EXACT = 1u << 1, /* long names are not abbreviated */
    /* A value in a word of its own does not begin with '-': for programs whose versions disagree on
     * which options take one. Such an option is UNPACK_STRANGE. */
    OPTIONS_NO_DASH = 1u << 2,
};

struct option_table {
    const char *shorts, *longs; /* NULL: none */
    unsigned flags;
};

enum unpack_kind {
    UNPACK_END,
    UNPACK_OPTION,
    UNPACK_OPERAND,
    UNPACK_STRANGE, /* an option the table does not know, or not in this form; or ambiguous */
};

struct unpacked {
    enum unpack_kind kind;
    struct bytes name; /* of an option: the letter, or the whole long name, in the table's text */
    bool marked;       /* for UNPACK_STRANGE: it could be a marked one */
    const char *value; /* of an option, or NULL; of an operand its text */
    bool known;        /* of an operand: what command_word says */
    size_t at;         /* index of the word */
};

struct unpack {
    const struct option_table *table;
    const struct command_word *words;
    size_t n, next;      /* words; the one to look at */
    const char *letters; /* the rest of a bundle, or NULL */
    bool ended;          /* what is left are operands */
};

/* Words FIRST to N; words[0] is the program's name and is usually left out. */
struct unpack unpack_start(const struct option_table *table, const struct command_word *words,
                           size_t n, size_t first);
struct unpacked unpack_next(struct unpack *u);
/* Is it the option called NAME: a letter or a long name? */
bool unpacked_is(const struct unpacked *item, const char *name);

/* The next of a text of names with blanks between, at *P, which is advanced; false at the end. */
bool names_next(const char **p, struct bytes *ret);
bool names_have(const char *names, struct bytes name);

#endif

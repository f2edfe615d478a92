/*
 * What a command line runs: a list of commands, each a list of words. Two readings of the same text
 * (spec 4.3), told apart by `plain`:
 *
 *   plain   the text is nothing but simple commands of literal words, joined by && || ; | or
 * newline. Only these can lead to an allow or count as known-safe. deep    everything else that
 * could run: behind redirections, in groups, loops, functions and substitutions, behind wrappers,
 * in nested shells. Looked at for what restricts.
 *
 * Plain data in an arena.
 */
#ifndef BAWN_RULES_COMMAND_H
#define BAWN_RULES_COMMAND_H

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct command_word {
    const char *text; /* quotes and backslashes removed; as written where it is not known */
    bool known;       /* false: an expansion decides; it may also become several words or none */
};

struct command {
    const struct command_word *words;
    size_t n;        /* at least one */
    bool plain;      /* of the plain chain */
    bool stdin_data; /* its input is a pipe or a heredoc of this line */
    const char
        *via; /* what it stands behind: "$(…)", "xargs", "sh -c", "function f"; NULL: nothing */
    uint32_t at,
        length; /* its place in the text that was read; of a nested text, the outer place */
    /* Index of the command that this pipes into, or UINT32_MAX: for `curl … | sh`. */
    uint32_t pipes_to;
};

enum reading {
    READING_PLAIN,  /* every command is plain but those found behind wrappers */
    READING_DEEP,   /* the text is more than a plain chain */
    READING_OPAQUE, /* it could not be read: what it runs is not known */
};

struct command_list {
    const struct command *v;
    size_t n;
    enum reading reading;
    const char *reason; /* why it is no plain chain, or why it could not be read; NULL if plain */
    uint32_t reason_at; /* the place of that in the text */
    bool shell;         /* some of it is text that a shell reads */
    bool heredoc;       /* it holds a heredoc or a here-string */
};

/* Reads shell text. Text that no shell would take is no error: it is READING_OPAQUE with a reason.
 * -ENOMEM, or -E2BIG past MAX_SHELL_BYTES. */
int shell_read(struct arena *a, struct bytes text, struct command_list *ret, struct error *err);

/* The same for a list of arguments that is executed: the list itself as one plain command; where it
 * is SHELL -c TEXT (bash, sh, zsh, dash, ksh; -lc and kin; by base name) the commands of TEXT in
 * its place, plain ones being plain; and what is behind wrappers, not plain. */
int command_read(struct arena *a, const char *const *argv, size_t argc, struct command_list *ret,
                 struct error *err);

/* WORDS quoted so that a shell reads them as they are: for messages and JSON. NULL without memory.
 */
const char *command_text(struct arena *a, const char *const *argv, size_t argc);
/* Splits by shell rules, no expansion: for examples in rules files. -EINVAL when it is more than
 * one simple command of literal words. */
int command_split(struct arena *a, struct bytes text, const char ***ret_argv, size_t *ret_argc,
                  struct error *err);

#endif

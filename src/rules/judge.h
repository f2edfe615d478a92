/*
 * From commands and rules to one class for the line (spec 4.1, steps 2 and 3). Pure: what is on the
 * disk comes through judge_request.find.
 */
#ifndef BAWN_RULES_JUDGE_H
#define BAWN_RULES_JUDGE_H

#include "rules/classify.h"
#include "rules/command.h"
#include "rules/program.h"
#include "rules/rules.h"

/* In order of strictness: the line's class is that of its strictest command. */
enum line_class {
    LINE_ALLOW,
    LINE_ALLOW_INSIDE, /* allow with sandbox = true, or with permissions */
    LINE_SAFE,
    LINE_UNKNOWN,
    LINE_DANGEROUS,
    LINE_PROMPT,
    LINE_FORBIDDEN,
};
const char *line_class_word(enum line_class c); /* "allow", "allow", "safe", "unknown", … */

struct judged {
    const struct command *command;
    enum line_class class;
    const struct rule_match *matches; /* those that count, the strictest first */
    size_t n_matches;
    struct program program; /* of words[0] */
    const char *reason;     /* one phrase: what decided, or why an allow did not count */
};

struct judgement {
    const struct command_list *list;
    const struct judged *v; /* one a command */
    size_t n;
    enum line_class class;
    const struct judged *decided; /* the one that did; NULL for an opaque line without any */
    const char
        *permissions;   /* the profile of the allowing rules, where all name the same; or NULL */
    const char *reason; /* one line for a person: which rule with file and line, or which table */
};

struct judge_request {
    const struct command_list *list;
    const struct rules *rules;
    const struct safety_tables *tables; /* or NULL */
    const char *cwd;                    /* absolute */
    const char *shell; /* where a shell reads the text: its program, as spelled; else NULL */
    bool broken_project_rules; /* what no rule allows is asked about */
    /* program_find() or a test's. NULL: every program is trusted, known by its base name. */
    int (*find)(void *data, struct arena *a, const char *name, struct program *ret);
    void *data;
};

/* Restrictive rules are compared with the base name as spelled and, where it is another, of the
 * file found; allowing ones need a trusted program that host_executable lists (where it lists any),
 * and count for plain commands only. An unknown word where a restrictive pattern is still open
 * makes a prompt. -ENOMEM is the only error. */
int judge(struct arena *a, const struct judge_request *request, struct judgement *ret);

#endif

/*
 * The prefix that "yes and remember" would write as a rule (spec 4.5). Pure.
 */
#ifndef BAWN_APPROVAL_SUGGEST_H
#define BAWN_APPROVAL_SUGGEST_H

#include "rules/judge.h"

struct suggestion {
    const char *const *words; /* the prefix suggested: words[0…length) */
    size_t n;                 /* words of the whole command: how far it can be lengthened */
    size_t length, least;     /* how far it may be shortened: never to a bare interpreter */
};

/* One for each command of the plain chain that no rule allows and that is not known to be safe,
 * without doubles. None at all where the line is no plain chain or holds a heredoc, where a rule
 * asks or forbids, and for commands that are dangerous, run another command (shells, wrappers,
 * interpreters with code in an argument) or remove files. -ENOMEM is the only error. */
int suggest(struct arena *a, const struct judgement *judgement, const struct suggestion **ret,
            size_t *ret_n);

/* May WORDS be remembered as an allow? The same bans, for what a client or a person edited. Returns
 * NULL, or why not in one phrase. */
const char *suggest_refuses(const char *const *words, size_t n);

/* The line of a rules file, without its end. SANDBOX: what was asked would run inside, so the rule
 * allows no more than that:
 *   prefix_rule(pattern = ["npm", "install"], decision = "allow", sandbox = True)
 * else it may run outside, which is what an allow means:
 *   prefix_rule(pattern = ["npm", "install"], decision = "allow")
 * A question shows the form that `!question.outside` says; `bawn rules remove` removes either. NULL
 * without memory. */
const char *suggest_rule_text(struct arena *a, const char *const *words, size_t n, bool sandbox);

#endif

/*
 * A command judged as it would be run here: with the rules in force, the tables, the files on PATH.
 * What bawn run and bawn rules explain share.
 */
#ifndef BAWN_CLI_JUDGE_HERE_H
#define BAWN_CLI_JUDGE_HERE_H

#include "approval/decide.h"
#include "cli/setup.h"

struct here {
    struct setup *s;       /* after setup_profile() */
    struct arena *a;       /* of s */
    const char *path;      /* the PATH the command gets */
    const char **writable; /* what its sandbox may write */
    size_t n_writable;
    struct rules *rules; /* to be given to rules_free() */
    bool broken_project_rules;
    struct approval_policy policy;
    struct command_list list;
    struct judgement judgement;
};

/* Only what is needed to look for programs: `path` and `writable`. -ENOMEM. */
int here_look(struct here *h);
/* Loads the rules, reads the words, judges. */
int here_judge(struct here *h, const char *const *argv, size_t argc, struct error *err);

/* PATH for a run outside of the sandbox that rules allowed: entries where a sandbox may have put
 * something, and relative ones, are behind all others. NULL without PATH or memory. */
const char *here_firm_path(const struct here *h);
/* Those entries alone in which no sandbox may have put something; "" where there are none. */
const char *here_only_firm(const struct here *h);

#endif

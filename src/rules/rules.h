/*
 * Command rules: a set of them, built from files, and which of them match a command (spec 4.2).
 * Pure: text comes in, with where it came from; the caller reads files.
 */
#ifndef BAWN_RULES_RULES_H
#define BAWN_RULES_RULES_H

#include "base/error.h"
#include "base/mem.h"
#include "rules/command.h"

#include <stdbool.h>
#include <stdint.h>

/* In order of strictness. */
enum decision { DECISION_NONE, DECISION_ALLOW, DECISION_PROMPT, DECISION_FORBIDDEN };
const char *decision_word(enum decision d); /* "allow", "prompt", "forbidden"; NULL for none */

enum rules_rank { RULES_SYSTEM, RULES_USER, RULES_PROJECT, RULES_REQUIREMENTS };
const char *rules_rank_word(enum rules_rank rank);

struct rule_token {
    const char *const *words; /* any of these */
    uint32_t n;
    bool regex; /* words[0] is an extended regular expression (regex(7)) for the whole word */
    const void *compiled; /* of a regex; the set's own */
};

struct rule {
    const struct rule_token *tokens;
    uint32_t n_tokens; /* at least one */
    enum decision decision;
    bool sandbox;              /* an allow that runs inside */
    bool project;              /* scope = "project": holds only in `dir` and below */
    const char *justification; /* or NULL */
    const char *permissions;   /* the profile to run in, or NULL */
    const char *file;
    uint32_t line;
    enum rules_rank rank;
    const char *dir; /* of the project whose file it is in, or NULL */
};

struct host_executable {
    const char *name; /* a base name */
    const char *const *paths;
    size_t n;
};

struct network_rule {
    const char *host, *protocol; /* as written; the proxy judges them */
    uint16_t port;               /* 0: any */
    enum decision decision;
    const char *justification;
    const char *file;
    uint32_t line;
    enum rules_rank rank;
};

struct rules; /* the set */

struct rules_source {
    const char *file; /* for messages */
    enum rules_rank rank;
    const char *dir; /* of the project, or NULL */
    struct bytes text;
};

/* An empty set, in A. NULL without memory. */
struct rules *rules_new(struct arena *a);
/* Evaluates TEXT and adds what it says; on an error nothing of it is added. The text may be given
 * back afterwards. */
int rules_add(struct rules *rules, const struct rules_source *source, struct error *err);
/* Adds one rule that was made otherwise (requirements, tests). Strings must outlive the set. */
int rules_add_rule(struct rules *rules, const struct rule *rule);
/* To be called once, after the last addition. */
int rules_finish(struct rules *rules);
/* Gives back what is not in the arena. NULL is fine. */
void rules_free(struct rules *rules);

size_t rules_count(const struct rules *rules);
const struct rule *rules_at(const struct rules *rules, size_t i); /* in the order of addition */
const struct host_executable *rules_host_executable(const struct rules *rules, const char *name);
size_t rules_network_count(const struct rules *rules);
const struct network_rule *rules_network_at(const struct rules *rules, size_t i);

/* How one rule met one command. */
struct rule_match {
    const struct rule *rule;
    uint32_t length; /* words matched */
    bool maybe;      /* an unknown word stands where the pattern is still open: it could match */
};

/* Every rule that matches WORDS, whose program has the name PROGRAM (compared with the first token;
 * words[0] is not looked at). At most CAP are written to ret[]; returns how many there are. Rules
 * of scope "project" are left out unless CWD is in their directory. */
size_t rules_match(const struct rules *rules, const char *program, const struct command_word *words,
                   size_t n, const char *cwd, struct rule_match *ret, size_t cap);

#endif

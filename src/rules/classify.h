/*
 * What is known of commands without any rule (spec 4.4): some only look, some destroy. Tables, and
 * an option unpacker that takes bundles (-rf), abbreviations (--forc) and values (--output=x) apart
 * before anything is compared. Pure.
 *
 * Known-safe means: it may run without a question, inside the sandbox. Where an option, a word that
 * is not known, or anything else is not in the table, the command is not known-safe.
 */
#ifndef BAWN_RULES_CLASSIFY_H
#define BAWN_RULES_CLASSIFY_H

#include "rules/command.h"

enum command_class { CLASS_UNKNOWN, CLASS_SAFE, CLASS_DANGEROUS };

struct classified {
    enum command_class class;
    const char
        *reason; /* static: "git push --force rewrites what others have"; NULL when unknown */
};

/* What a user adds and takes away: prefixes of words, e.g. {"terraform", "plan"}. */
struct safety_entry {
    const char *const *words;
    size_t n;
};
struct safety_tables {
    const struct safety_entry *safe, *not_safe, *dangerous, *not_dangerous;
    size_t n_safe, n_not_safe, n_dangerous, n_not_dangerous;
};

/* PROGRAM is the base name of the command's program. LIST[INDEX] is the command; the others are
 * looked at for what it pipes into. TABLES may be NULL. A command that does not stand in the plain
 * chain, or whose program is spelled with a slash, is never CLASS_SAFE. */
struct classified classify(const struct command_list *list, size_t index, const char *program,
                           const struct safety_tables *tables);

#endif

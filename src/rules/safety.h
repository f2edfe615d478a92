/*
 * Between the files of classify.h: the two tables, and what they say of one command. Pure.
 */
#ifndef BAWN_RULES_SAFETY_H
#define BAWN_RULES_SAFETY_H

#include "rules/unpack.h"

/* Does the table of known-safe commands know this one, with every word of it? */
bool known_safe(const struct command *command);

/* Why LIST[INDEX] is dangerous, or NULL. */
const char *known_dangerous(const struct command_list *list, size_t index, const char *program);

/* The index of git's subcommand, or the number of words when there is none. *ret_marked (may be
 * NULL): an option before it changes where git works, what it runs or its configuration. */
size_t git_subcommand(const struct command *command, bool *ret_marked);

/* TEXT without the quotes of an expansion as it was written ("$HOME"/x), cut at CAP. */
const char *without_quotes(const char *text, char *buf, size_t cap);

#endif

/*
 * Reading the tables of a profile's network that have a shape of their own: for the files of this
 * room. Every fault has the place of the value or key it is about. Pure.
 */
#ifndef BAWN_NETWORK_TABLE_H
#define BAWN_NETWORK_TABLE_H

#include "config/config.h"
#include "network/pattern.h"
#include "network/policy.h"

/* -EINVAL at VALUE or SPAN, with "WHERE: " before the message that is set. */
int table_fault(struct error *err, const char *where, const struct toml_value *value,
                struct toml_span span);
/* Is VALUE a table, and are all its keys among WORDS? */
int table_check(const struct toml_value *value, const char *where, const char *const *words,
                size_t n_words, struct error *err);
/* The text of KEY, without NUL and not empty. *ret is NULL where it is missing, which is a fault
 * when it is REQUIRED. *ret_at (may be NULL): the value. */
int table_text(const struct toml_value *table, const char *where, const char *key, bool required,
               const char **ret, const struct toml_value **ret_at, struct error *err);
/* KEY as a pattern, in *ret_text as it was written. */
int table_pattern(const struct toml_value *table, const char *where, const char *key,
                  const char **ret_text, struct netpattern *ret, struct error *err);
/* The text of an item of an array. */
int table_item(const struct toml_value *item, const char *where, const char **ret,
               struct error *err);
/* Where VALUE was written, as a rule's place. */
struct netrule table_place(const struct toml_value *value, struct toml_span span);

#endif

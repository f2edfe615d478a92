/*
 * A JSON Schema (draft 2020-12) of a document, made from its table of keys, for editors and for
 * programs that write the files. A test holds it against key_check(), value by value.
 */
#ifndef BAWN_CONFIG_SCHEMA_H
#define BAWN_CONFIG_SCHEMA_H

#include "config/keys.h"

/* Appended to OUT, one line and a newline. TITLE is the document's name. */
int schema_print(const struct key_table *table, const char *title, struct strbuf *out,
                 struct error *err);

#endif

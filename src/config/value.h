/*
 * A value as text: TOML that parses back to the same value, and JSON.
 */
#ifndef BAWN_CONFIG_VALUE_H
#define BAWN_CONFIG_VALUE_H

#include "base/json.h"
#include "base/toml.h"

/* One value in TOML, on one line: tables inline. A float keeps all its digits. */
void value_put_toml(struct strbuf *out, const struct toml_value *value);
/* S as a TOML basic string, quotes included. */
void value_put_toml_string(struct strbuf *out, struct bytes s);
/* The same value in JSON; dates are strings, a float that is no number is null. */
void value_put_json(struct json *j, const struct toml_value *value);

#endif

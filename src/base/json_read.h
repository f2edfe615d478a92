/*
 * Reading JSON (RFC 8259) into a tree in an arena. Strict: one value, nothing behind it, no
 * comments, no doubles of a name, well-formed UTF-8; a lone surrogate \udcXX is the byte XX, as
 * json.h writes it. Bounded by MAX_JSON_DEPTH and the length of the text.
 */
#ifndef BAWN_BASE_JSON_READ_H
#define BAWN_BASE_JSON_READ_H

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdbool.h>

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_value {
    enum json_type type;
    bool boolean;
    bool is_int; /* `integer` holds it exactly */
    int64_t integer;
    double number;
    struct bytes text; /* JSON_STRING; terminated, may hold NUL. JSON_NUMBER: as written */
    const struct json_value *items; /* JSON_ARRAY, JSON_OBJECT: n of them */
    const struct bytes *names;      /* JSON_OBJECT */
    size_t n;
    uint32_t at, length; /* its place in the text */
};

/* -EINVAL with line, column, excerpt. FILE is for messages and may be NULL. */
int json_parse(struct arena *a, const char *file, struct bytes text, const struct json_value **ret,
               struct error *err);
/* The member NAME of an object, or NULL (also when V is NULL or no object). */
const struct json_value *json_get(const struct json_value *v, const char *name);
/* The string without NUL in it, or NULL. */
const char *json_get_string(const struct json_value *v, const char *name);
bool json_get_bool(const struct json_value *v, const char *name, bool otherwise);
/* Sets the place of V in TEXT. Returns -EINVAL with the message given. */
int json_fail(struct error *err, const char *file, struct bytes text, const struct json_value *v,
              const char *fmt, ...) _printf_(5, 6);

#endif

/*
 * TOML 1.0 (and, on request, what of 1.1 sample files use) into a tree whose every key and value
 * knows where it stood. Source: the TOML 1.0.0 specification, https://toml.io/en/v1.0.0.
 *
 * The document's text must outlive the tree (spans point into it); nodes and decoded strings are in
 * the arena. Parsing never recurses deeper than MAX_TOML_DEPTH.
 */
#ifndef BAWN_BASE_TOML_H
#define BAWN_BASE_TOML_H

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum toml_type {
    TOML_STRING,
    TOML_INTEGER,
    TOML_FLOAT,
    TOML_BOOLEAN,
    TOML_OFFSET_DATETIME,
    TOML_LOCAL_DATETIME,
    TOML_LOCAL_DATE,
    TOML_LOCAL_TIME,
    TOML_ARRAY,
    TOML_TABLE,
};

struct toml_span {
    uint32_t line, column; /* 1-based; the column counts bytes */
    size_t offset, length; /* bytes in the document */
};

struct toml_datetime {
    int year, month, day, hour, minute, second; /* fields a type does not have are 0 */
    int nanosecond;
    int offset_minutes; /* of TOML_OFFSET_DATETIME */
};

struct toml_member;
struct toml_value {
    enum toml_type type;
    struct toml_span span; /* of the value; of the header or first key for a table made by one */
    const void *owner;     /* free for the caller: the layer this value came from */
    union {
        struct bytes
            string; /* decoded, NUL-terminated behind its length; may hold NUL bytes (n tells) */
        int64_t integer;
        double floating;
        bool boolean;
        struct toml_datetime datetime;
        struct {
            struct toml_value **items;
            size_t n;
        } array;
        struct {
            struct toml_member *first, *last; /* in order of appearance */
            size_t n;
            void *index; /* of this file's functions, or NULL */
        } table;
    };
};

struct toml_member {
    struct toml_member *next;
    struct bytes key; /* decoded, NUL-terminated */
    struct toml_span key_span;
    struct toml_value *value;
};

enum toml_version { TOML_1_0, TOML_1_1 };

/* Parses TEXT, called FILE in errors. On failure the error has file, line, column, length and
 * excerpt; -EINVAL is a fault of the text, -ERANGE a number beyond 64 bits, -E2BIG and -EFBIG one
 * of the maxima of limits.h, -ENOMEM no memory (without a place). *ret is a table. A newline in a
 * multi-line string is LF, however the file ends its lines. Seconds of a time go to 60, as RFC 3339
 * has it. */
int toml_parse(struct arena *a, const char *file, struct bytes text, enum toml_version version,
               struct toml_value **ret, struct error *err);
/* A dotted key alone, as `-c` takes it: its parts in *ret_parts (arena), their number in *ret_n. */
int toml_parse_key(struct arena *a, struct bytes text, struct bytes **ret_parts, size_t *ret_n,
                   struct error *err);
/* One value alone (the right side of `-c`); the whole TEXT must be one value. */
int toml_parse_value(struct arena *a, const char *file, struct bytes text,
                     enum toml_version version, struct toml_value **ret, struct error *err);

struct toml_value *toml_get(const struct toml_value *table,
                            struct bytes key); /* NULL when absent */
struct toml_member *toml_member(const struct toml_value *table, struct bytes key);
/* Adds KEY (copied; not there yet) with VALUE at the end of TABLE, which may be one the caller
 * made: look-ups stay fast however large it grows. NULL when memory ran out. */
struct toml_member *toml_add(struct arena *a, struct toml_value *table, struct bytes key,
                             struct toml_span span, struct toml_value *value);
const char *toml_type_name(enum toml_type type); /* "string", "integer", … */
/* Sets err's place to SPAN in TEXT (the excerpt is its line). */
void toml_error_at(struct error *err, const char *file, struct bytes text, struct toml_span span);

#endif

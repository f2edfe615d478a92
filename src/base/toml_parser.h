/*
 * What the files of the TOML parser share; nobody else includes this.
 *
 *   toml.c         structure: documents, headers, key = value, arrays, inline tables; the public
 * calls toml_lex.c     bytes: the check of the whole text, positions, errors, keys, strings
 *   toml_scalar.c  numbers, booleans, dates and times
 *   toml_table.c   members of a table and the index of big ones
 *
 * The text is checked once as a whole (size, UTF-8, control characters, bare carriage returns: TOML
 * forbids them everywhere), so that behind the check a '\r' is always followed by '\n' and no other
 * function looks at UTF-8 again. Every read goes through toml_peek() or a bounded slice.
 */
#ifndef BAWN_BASE_TOML_PARSER_H
#define BAWN_BASE_TOML_PARSER_H

#include "base/limits.h"
#include "base/toml.h"

#include <errno.h>

/* How a table or array came to be; it decides who may still add to it. */
enum toml_made {
    MADE_IMPLICIT, /* on the way of a header: [a.b] made "a". One header or dotted keys may define
                      it */
    MADE_EXPLICIT, /* by its own header */
    MADE_DOTTED,   /* by dotted keys; headers may add sub-tables, not define it */
    MADE_INLINE,   /* by { } or [ ]: complete */
    MADE_TABLES,   /* an array of tables, by [[ ]] */
};

/* Every value the parser makes is one of these; `v` stands first. */
struct toml_node {
    struct toml_value v;
    enum toml_made made;
    size_t cap; /* items an array has room for */
};

/* A member with its value, one allocation; the key's bytes follow. */
struct toml_slot {
    struct toml_member m;
    struct toml_node node;
    char key[];
};

/* One part of a dotted key. */
struct toml_part {
    struct bytes key; /* decoded; a view into the text when there was nothing to decode */
    struct toml_span span;
};

/* As many as there may be tables in each other, and the name of the value in the innermost. */
#define TOML_MAX_PARTS (MAX_TOML_DEPTH + 1)

struct toml_parser {
    struct arena *arena;
    const char *file;
    struct bytes text;
    enum toml_version version;
    struct error *err;
    size_t at;         /* the next byte */
    uint32_t line;     /* of `at`, from 1 */
    size_t line_start; /* offset of the line's first byte */
    size_t n_keys;
    struct toml_part parts[TOML_MAX_PARTS]; /* of the key read last */
    size_t n_parts;
};

static inline int toml_peek(const struct toml_parser *p, size_t ahead)
{
    return ahead < p->text.n - p->at ? (unsigned char)p->text.p[p->at + ahead] : -1;
}
static inline struct bytes toml_slice(const struct toml_parser *p, size_t from, size_t to)
{
    return (struct bytes){p->text.p + from, to - from};
}
/* A span that begins at the next byte; toml_close() ends it before the next byte. */
static inline struct toml_span toml_mark(const struct toml_parser *p)
{
    return (struct toml_span){p->line, (uint32_t)(p->at - p->line_start) + 1, p->at, 0};
}
static inline void toml_close(const struct toml_parser *p, struct toml_span *span)
{
    span->length = p->at - span->offset;
}
static inline bool toml_digit(int c)
{
    return c >= '0' && c <= '9';
}

/* toml_lex.c */
/* Sets the error and yields its code; macros, so that a compiler sees that it is negative. */
#define toml_fail(p, span, ...) toml_fail_code((p), -EINVAL, (span), __VA_ARGS__)
#define toml_fail_code(p, code, span, ...)                                                         \
    (toml_set_error((p), (code), (span), __VA_ARGS__), (code))
#define toml_no_memory(p) (toml_set_no_memory(p), -ENOMEM)
void toml_set_error(struct toml_parser *p, int code, struct toml_span span, const char *fmt, ...)
    _printf_(4, 5);
void toml_set_no_memory(struct toml_parser *p);
const char *toml_show(struct bytes b);               /* for messages: cut to a readable length */
const char *toml_found(const struct toml_parser *p); /* what stands at the next byte, in words */
struct toml_span toml_here(const struct toml_parser *p); /* the next character as a span */
int toml_check_text(struct toml_parser *p);
void toml_skip_blanks(struct toml_parser *p);
void toml_skip_comment(struct toml_parser *p);
bool toml_newline(struct toml_parser *p);
void toml_skip_lines(struct toml_parser *p); /* blanks, newlines and comments */
int toml_read_key(struct toml_parser *p);    /* into p->parts */
int toml_read_string(struct toml_parser *p, struct bytes *ret);

/* toml_scalar.c: what is not a string, an array or a table. */
int toml_read_bare(struct toml_parser *p, struct toml_value *out);

/* toml_table.c */
/* Puts M at the end of TABLE; false when memory ran out. */
bool toml_table_append(struct arena *a, struct toml_value *table, struct toml_member *m);

#endif

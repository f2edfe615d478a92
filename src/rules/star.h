/*
 * The language of rules files: Starlark (the specification in bazelbuild/starlark), evaluated here.
 *
 * No `load`, no input or output but what the caller's functions do. A file is hostile: it is read
 * through a bounded view, and the numbers of steps, bytes and nested calls are limited, so that
 * every evaluation ends with a value or an error that has a place. One evaluation touches nothing
 * outside the memory it was given; nothing of it lives on but what the caller's functions copied.
 */
#ifndef BAWN_RULES_STAR_H
#define BAWN_RULES_STAR_H

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct node;
struct star;       /* one evaluation */
struct star_value; /* any value; belongs to its evaluation */

enum star_type {
    STAR_NONE,
    STAR_BOOL,
    STAR_INT,
    STAR_FLOAT,
    STAR_STRING,
    STAR_BYTES,
    STAR_LIST,
    STAR_TUPLE,
    STAR_DICT,
    STAR_SET,
    STAR_RANGE,
    STAR_FUNCTION,
    STAR_OPAQUE, /* made by a caller's function, see star_opaque() */
};

/* A call of one of the caller's functions. */
struct star_call {
    struct star *star;
    void *data; /* star_request.data */
    const char *function;
    const struct star_value **args; /* positional */
    size_t n_args;
    const char **names; /* of the named ones, in the order they were written */
    const struct star_value **named;
    size_t n_named;
    unsigned line, column;           /* of the call, 1-based */
    const struct star_value *result; /* to be set; stays NULL for None */
    const struct node *node;         /* the evaluator's own */
};

struct star_function {
    const char *name;
    /* 0, or what star_fail() returned. */
    int (*call)(struct star_call *call, struct error *err);
};

struct star_request {
    const char *file; /* for messages */
    struct bytes text;
    const struct star_function *functions;
    size_t n_functions;
    void *data;
    uint64_t max_steps; /* 0: MAX_STAR_STEPS */
    size_t max_bytes;   /* 0: MAX_STAR_BYTES */
    bool by_tree;       /* no short cut for simple statements: for tests, which compare */
    /* What print() says, one line without its end; NULL: it is dropped. */
    void (*print)(void *data, struct bytes line);
};

/* Evaluates. -EINVAL with file, line, column and excerpt for a fault in the text, also for one that
 * shows only when it runs; -E2BIG for steps or depth; -ENOMEM for memory, the limit's or the
 * machine's. */
int star_run(const struct star_request *request, struct error *err);

enum star_type star_type(const struct star_value *v);
const char *star_type_word(const struct star_value *v); /* "list", as type() says */
bool star_bool(const struct star_value *v);             /* of a STAR_BOOL */
/* False when it does not fit. */
bool star_int(const struct star_value *v, int64_t *ret);
/* Of a string: UTF-8 (unless escapes or slices made it otherwise), may hold NUL. */
struct bytes star_text(const struct star_value *v);
/* Of list and tuple. */
size_t star_length(const struct star_value *v);
const struct star_value *star_item(const struct star_value *v, size_t i);

/* A value of the caller's: KIND is a static word, P is not looked at. */
const struct star_value *star_opaque(struct star *star, const char *kind, const void *p);
/* P when V is an opaque value of KIND (the same pointer), else NULL. */
const void *star_opaque_get(const struct star_value *v, const char *kind);

/* Sets err to a message with the place of the call's named argument NAME (or its N-th positional
 * one when NAME is NULL; the call itself when there is neither), and returns -EINVAL. */
int star_fail(const struct star_call *call, const char *name, size_t n, struct error *err,
              const char *fmt, ...) _printf_(5, 6);

#endif

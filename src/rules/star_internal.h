/*
 * What the files of the evaluator share; nobody else includes this (but its tests). Who does what:
 *
 *   star.c          one run: text, memory, errors with a place, what star.h promises callers
 *   star_lex.c      bytes to tokens
 *   star_string.c   what string literals say
 *   star_parse.c    tokens to expressions
 *   star_stmt.c     tokens to statements
 *   star_resolve.c  which variable a name in a function is
 *   star_eval.c     expressions
 *   star_exec.c     statements, assignments
 *   star_call.c     calls: arguments to parameters
 *   star_op.c       operators, indexes, slices
 *   star_int.c      integers and floats
 *   star_value.c    truth, equality, order, iteration
 *   star_dict.c     hashes, dicts and sets
 *   star_repr.c     values as text
 *   star_format.c   %, .format() and f-strings
 *   star_builtin.c, star_method.c, star_text.c   functions and methods
 *
 * A file is read one statement of the outermost level at a time: parsed, resolved, run, forgotten.
 * All values and syntax trees are in one heap that only grows (`heap`); after a statement it is
 * wound back to where it was before, unless the statement may have made something of it reachable
 * from what is older. There are two ways to do that: to assign a variable of the outermost level,
 * and to change a list, dict or set. Both set `dirty`. (A variable of a function that outlives its
 * call is only ever assigned during that call: the language has no `nonlocal`.)
 *
 * Recursion is counted in `depth`, work in `steps`, memory in `held`; whatever a file can make long
 * is counted before it is done.
 */
#ifndef BAWN_RULES_STAR_INTERNAL_H
#define BAWN_RULES_STAR_INTERNAL_H

#include "base/limits.h"
#include "base/vec.h"
#include "rules/star.h"

#include <errno.h>

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

__extension__ typedef __int128 int128;

/* ---- values ---- */

typedef struct star_value *val; /* NULL: an error was raised */

struct star_value {
    uint8_t type; /* enum star_type */
    uint8_t form; /* of a function: enum form */
    /* Of a string its hash, once it was asked for. Of list, dict and set how many loops go over it:
     * it cannot be changed meanwhile. */
    uint32_t aux;
};

enum form { FORM_DEF, FORM_BUILTIN, FORM_CALLER };

struct vbool {
    struct star_value h;
    bool b;
};
struct vint {
    struct star_value h;
    int64_t i;
};
struct vfloat {
    struct star_value h;
    double f;
};
struct vstring { /* bytes as well */
    struct star_value h;
    struct bytes b;
};
struct vseq { /* list, tuple */
    struct star_value h;
    val *items;
    size_t n, cap;
};
struct entry {
    val key; /* NULL: was removed */
    val value;
    uint32_t hash;
};
struct vdict { /* set as well, with values NULL */
    struct star_value h;
    struct entry *entries; /* in the order of insertion */
    uint32_t used, cap;    /* of entries, removed ones counted */
    uint32_t n;            /* entries that are there */
    uint32_t mask;         /* of index */
    uint32_t *index;       /* number of the entry plus one; NULL while there are few */
};
struct vrange {
    struct star_value h;
    int64_t start, stop, step;
    int64_t n;
};
struct vopaque {
    struct star_value h;
    const char *kind;
    const void *p;
};
struct cell {
    val value;
};
struct vfunction {
    struct star_value h;
    struct proto *proto;
    val *defaults; /* one a parameter, NULL where it has none */
    struct cell **cells;
};
struct args {
    val *pos;
    size_t n;
    struct symbol **names;
    val *named;
    size_t n_named;
    const struct node *node; /* the call's place */
};
struct builtin {
    const char *name;
    val (*fn)(struct star *s, val self, struct args *a);
};
struct vbuiltin {
    struct star_value h;
    const struct builtin *what;
    val self; /* of a method */
};
struct vcaller {
    struct star_value h;
    const struct star_function *what;
};

extern struct star_value star_none;
extern struct vbool star_true, star_false;
#define NONE     (&star_none)
#define BOOL(b)  ((b) ? &star_true.h : &star_false.h)
#define TYPE(v)  ((enum star_type)(v)->type)
#define AS(T, v) ((struct T *)(v))

/* ---- memory ---- */

struct heap_block {
    struct heap_block *prev;
    size_t cap;
    uint64_t data[];
};
struct heap {
    char *top, *end;
    struct heap_block *head, *spare;
};
struct heap_mark {
    char *top;
    struct heap_block *head;
};

/* ---- names ---- */

struct symbol {
    struct symbol *next;
    const char *name; /* terminated */
    uint32_t n, hash;
    uint32_t mark;  /* of checks for doubles: the check's number */
    uint16_t token; /* of a keyword: its token, else 0 */
    val global;     /* of the outermost level */
    val builtin;
    struct binding *binding; /* while a function is resolved: the innermost */
};

/* ---- tokens ---- */

enum token {
    T_EOF,
    T_NEWLINE,
    T_INDENT,
    T_DEDENT,
    T_NAME,
    T_INT,
    T_FLOAT,
    T_STRING,
    T_LPAREN,
    T_RPAREN,
    T_LBRACK,
    T_RBRACK,
    T_LBRACE,
    T_RBRACE,
    T_COMMA,
    T_COLON,
    T_SEMI,
    T_DOT,
    T_ELLIPSIS,
    T_ARROW,
    /* Operators; the ones with an `=` behind them follow in the same order. */
    T_PLUS,
    T_MINUS,
    T_STAR,
    T_SLASH,
    T_SLASH2,
    T_PERCENT,
    T_AMP,
    T_PIPE,
    T_CARET,
    T_SHL,
    T_SHR,
    T_PLUS_EQ,
    T_MINUS_EQ,
    T_STAR_EQ,
    T_SLASH_EQ,
    T_SLASH2_EQ,
    T_PERCENT_EQ,
    T_AMP_EQ,
    T_PIPE_EQ,
    T_CARET_EQ,
    T_SHL_EQ,
    T_SHR_EQ,
    T_TILDE,
    T_STAR2,
    T_EQ,
    T_EQ2,
    T_NE,
    T_LT,
    T_LE,
    T_GT,
    T_GE,
    /* Words. */
    T_AND,
    T_BREAK,
    T_CONTINUE,
    T_DEF,
    T_ELIF,
    T_ELSE,
    T_FOR,
    T_IF,
    T_IN,
    T_LAMBDA,
    T_LOAD,
    T_NOT,
    T_NOT_IN, /* made by the parser */
    T_OR,
    T_PASS,
    T_RETURN,
    T_RESERVED, /* a word of Python's that is none here */
};

enum { STRING_RAW = 1, STRING_BYTES = 2, STRING_FORMAT = 4, STRING_TRIPLE = 8, STRING_ESCAPES = 16 };

struct tok {
    enum token type;
    uint32_t pos, end, line, column;
    struct symbol *sym;
    struct bytes inner; /* of a string: what is between the quotes */
    uint8_t flags;
};

struct lexer {
    const char *p, *end;
    uint32_t line;
    const char *line_start;
    uint32_t brackets;   /* open */
    bool bol, more;      /* at the beginning of a line; a line is begun that needs its end */
    uint32_t n_indents;  /* of indents[] that are open */
    uint32_t dedents;    /* tokens to be handed out */
    struct tok tok;
};

/* ---- trees ---- */

enum node_kind {
    N_LITERAL,
    N_NAME, /* not resolved, or of the outermost level */
    N_LOCAL,
    N_FREE,
    N_LIST,
    N_TUPLE,
    N_DICT, /* keys and values in turn */
    N_UNARY,
    N_BINARY,
    N_AND,
    N_OR,
    N_COND,
    N_CALL,
    N_INDEX,
    N_SLICE,
    N_DOT,
    N_LAMBDA,
    N_COMP,
    N_FSTRING,
    /* statements */
    N_BLOCK,
    N_EXPR,
    N_ASSIGN,
    N_AUGMENT,
    N_IF,
    N_FOR,
    N_DEF,
    N_RETURN,
    N_BREAK,
    N_CONTINUE,
    N_PASS,
};

enum arg_kind { ARG_PLAIN, ARG_NAMED, ARG_STAR, ARG_STAR2 };
struct arg {
    struct node *value;
    struct symbol *name;
    enum arg_kind kind;
    uint32_t pos;
};
struct clause {
    struct node *target; /* NULL: an if */
    struct node *expr;
};
struct fpart {
    struct bytes text;   /* before the field */
    struct node *expr;   /* or NULL */
    struct bytes format; /* behind the colon */
    bool repr;
};

struct node {
    uint8_t kind, op; /* op: a token */
    bool dict, paren; /* of N_COMP; written within ( ) */
    uint32_t pos, length;
    union {
        val value;
        struct {
            struct symbol *sym;
            struct binding *binding; /* N_LOCAL */
            uint32_t index;          /* N_FREE */
        } name;
        struct {
            struct node **items;
            uint32_t n;
        } seq;
        struct {
            struct node *a, *b, *c, *d;
        } sub;
        struct {
            struct node *of;
            struct symbol *sym;
        } dot;
        struct {
            struct node *fn;
            struct arg *args;
            uint32_t n, line, column;
        } call;
        struct {
            struct node *body, *value;
            struct clause *clauses;
            uint32_t n;
        } comp;
        struct {
            struct node *target; /* of a def: a name */
            struct proto *proto;
        } fn;
        struct {
            struct fpart *parts;
            uint32_t n;
        } fstring;
    };
};

/* A variable of a function. */
struct binding {
    struct symbol *sym;
    struct binding *shadowed, *next; /* of sym; of the same scope */
    struct proto *proto;
    struct scope *scope; /* only while it is resolved */
    uint32_t slot;
    bool captured; /* by an inner function: the slot holds a cell */
    bool free;     /* it is another function's: slot is the number of the cell */
};

struct param {
    struct symbol *sym;
    struct node *fallback;
    struct binding *binding;
    uint32_t pos;
};

struct proto {
    struct symbol *name; /* NULL: lambda */
    struct param *params;
    uint32_t n_params;     /* all, *args and **kwargs too */
    uint32_t n_positional; /* the first ones, that may be given by position */
    int32_t rest, named;   /* index of *args (-1: none), of **kwargs */
    struct node *body;     /* a block, or what a lambda yields */
    uint32_t pos;
    bool active;
    /* resolved */
    struct proto *outer;
    struct scope *scope; /* only while it is resolved */
    uint32_t n_slots;
    uint32_t n_captured;
    struct binding **captured;
    uint32_t n_free;
    struct binding **free; /* the outer function's binding for each cell */
    uint32_t cap_captured, cap_free;
};

struct frame {
    struct proto *proto;
    val *slots;
    struct cell **cells;
    val result;
};

#define STAR_INDENTS 101

struct star {
    const struct star_request *request;
    struct error *err;
    int code; /* negative once something failed */
    uint64_t steps;
    size_t held, max_bytes;
    struct heap heap;   /* values and trees */
    struct heap frames; /* variables and arguments of calls that run */
    struct heap keep;   /* symbols */
    bool dirty;
    uint32_t depth;
    struct symbol **symbols;
    uint32_t n_symbols, symbol_mask;
    uint32_t mark;

    struct lexer lex;
    uint32_t indents[STAR_INDENTS];
    VEC(void *) stack; /* of the parser: items of what is being read */
    uint32_t parse_depth;
    uint32_t functions, loops; /* that are open where the parser is */
    bool has_scopes;           /* this statement has functions or comprehensions */
    bool annotation;           /* within a type */
    struct proto top;          /* the outermost level's comprehensions */
    bool unread;               /* the token is the first of the next statement */
};

/* star.c */
void *star_alloc_slow(struct star *s, struct heap *h, size_t n);
#if defined(__SANITIZE_ADDRESS__)
#define STAR_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STAR_ASAN 1
#endif
#endif
#ifdef STAR_ASAN
#include <sanitizer/asan_interface.h>
#define heap_poison(p, n)   ASAN_POISON_MEMORY_REGION((p), (n))
#define heap_unpoison(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#else
#define heap_poison(p, n)   ((void)0)
#define heap_unpoison(p, n) ((void)0)
#endif

/* N is less than SIZE_MAX / 2. */
static inline void *star_alloc_in(struct star *s, struct heap *h, size_t n)
{
    n = (n + 7) & ~(size_t)7;
    if (likely(n <= (size_t)(h->end - h->top))) {
        void *p = h->top;
        h->top += n;
        heap_unpoison(p, n);
        return p;
    }
    return star_alloc_slow(s, h, n);
}
/* NULL without memory: raised. Not zeroed. */
static inline void *star_alloc(struct star *s, size_t n)
{
    return star_alloc_in(s, &s->heap, n);
}
void *star_alloc_n(struct star *s, struct heap *h, size_t count, size_t size);
/* The same with more room: in place where it is the last of the heap. */
void *star_grow(struct star *s, void *p, size_t old, size_t count, size_t size);
struct heap_mark star_mark(const struct heap *h);
void star_rewind(struct star *s, struct heap *h, struct heap_mark m);

/* Raise an error (the first one stays) and return NULL. LENGTH 0: of one byte. */
#define star_raise_code(...) (star_set_error(__VA_ARGS__), (void *)NULL)
#define star_raise(s, ...)   star_raise_code((s), -EINVAL, __VA_ARGS__)
#define star_fault(s, node, ...) star_raise((s), (node)->pos, (node)->length, __VA_ARGS__)
#define star_no_memory(s)        (star_set_no_memory(s), (void *)NULL)
#define star_too_deep(s, pos)                                                                      \
    star_raise_code((s), -E2BIG, (pos), 1, "nested too deep: at most %u levels", MAX_STAR_DEPTH)
void star_set_error(struct star *s, int code, uint32_t pos, uint32_t length, const char *fmt, ...)
    _printf_(5, 6);
void star_set_no_memory(struct star *s);
void star_say_hint(struct star *s, const char *fmt, ...) _printf_(2, 3);
bool star_out_of_steps(struct star *s, uint32_t pos);
/* Counts N steps; false when there were too many: raised. */
static inline bool star_step(struct star *s, uint64_t n, uint32_t pos)
{
    if (unlikely(s->steps < n))
        return star_out_of_steps(s, pos);
    s->steps -= n;
    return true;
}
/* For work on N bytes. */
static inline bool star_step_bytes(struct star *s, size_t n, uint32_t pos)
{
    return star_step(s, n / 16 + 1, pos);
}
struct symbol *star_intern(struct star *s, const char *p, size_t n);
struct symbol *star_intern_value(struct star *s, val string);
void star_forget_error(struct star *s); /* tests: goes on after an error */

/* star_lex.c */
bool star_next(struct star *s); /* the next token into lex.tok */
const char *star_token_text(enum token t);
const char *star_found(struct star *s); /* the token, in words */
/* star_string.c */
bool star_scan_string(struct star *s, const char *start, const char *quote, uint8_t flags);
/* What a literal's inner text says. */
bool star_cook(struct star *s, struct bytes inner, uint8_t flags, struct bytes *ret);

/* star_parse.c */
struct node *star_node(struct star *s, enum node_kind kind, uint32_t pos);
struct node *star_test(struct star *s);       /* one expression */
struct node *star_expression(struct star *s); /* or a tuple without ( ) */
struct node *star_target_list(struct star *s); /* what stands behind `for` */
bool star_expect(struct star *s, enum token t, const char *where);
bool star_advance_if(struct star *s, enum token t);
struct proto *star_parameters(struct star *s, enum token end, bool types);
bool star_check_target(struct star *s, const struct node *n);
void *star_take(struct star *s, size_t from, uint32_t *ret_n); /* the stack from there on */
bool star_push(struct star *s, void *p);
bool star_deeper(struct star *s, uint32_t pos);
static inline void star_end_at(const struct star *s, struct node *n, uint32_t end)
{
    (void)s;
    n->length = end - n->pos;
}

/* star_stmt.c */
struct node *star_statement(struct star *s);

/* star_resolve.c */
bool star_resolve(struct star *s, struct node *statement);

/* star_eval.c */
val star_eval(struct star *s, struct frame *f, const struct node *n);
/* star_exec.c */
enum flow { FLOW_NEXT, FLOW_BREAK, FLOW_CONTINUE, FLOW_RETURN, FLOW_ERROR };
enum flow star_exec(struct star *s, struct frame *f, const struct node *n);
bool star_assign(struct star *s, struct frame *f, const struct node *target, val v);
val star_closure(struct star *s, struct frame *f, struct proto *p);

/* star_call.c */
val star_eval_call(struct star *s, struct frame *f, const struct node *n);
val star_apply(struct star *s, val fn, struct args *a);
/* Arguments of a builtin by names: SPEC is words, `x` needed, `x?` may be missing (then NULL); with
 * `!` first none may be named. */
bool star_unpack(struct star *s, const struct args *a, const char *fn, const char *spec, val *out);

/* star_op.c */
val star_binary(struct star *s, enum token op, val a, val b, const struct node *at);
val star_unary(struct star *s, enum token op, val a, const struct node *at);
val star_index(struct star *s, val of, val index, const struct node *at);
val star_slice(struct star *s, val of, val lo, val hi, val step, const struct node *at);
bool star_set_index(struct star *s, val of, val index, val v, const struct node *at);
bool star_contains(struct star *s, val in, val what, const struct node *at, bool *ret);
/* start and end of what a method looks at, from values that may be NULL or None. */
bool star_bounds(struct star *s, const struct args *a, val lo, val hi, size_t n, size_t *ret_lo,
                 size_t *ret_hi);

/* star_int.c */
val star_arith(struct star *s, enum token op, val a, val b, const struct node *at);
double star_number(val v); /* of int or float */
int star_compare_numbers(val a, val b);
bool star_float_is_int(double f, int64_t *ret);
val star_float_to_int(struct star *s, double f, const struct node *at);
bool star_parse_int(struct bytes digits, unsigned base, bool negative, int64_t *ret);
size_t star_float_text(double f, char conversion, char *out, size_t cap);
double star_floor(double f);

/* star_value.c */
val star_make_int(struct star *s, int64_t i);
val star_make_float(struct star *s, double f);
val star_make_string(struct star *s, struct bytes b); /* B is not copied */
val star_make_bytes(struct star *s, struct bytes b);
struct vseq *star_make_seq(struct star *s, enum star_type type, size_t cap);
val star_make_builtin(struct star *s, struct heap *h, const struct builtin *b, val self);
bool star_truth(val v);
bool star_equal(struct star *s, val a, val b, uint32_t pos, bool *ret);
/* -1, 0, 1. */
bool star_compare(struct star *s, val a, val b, enum token op, uint32_t pos, int *ret);
bool star_append(struct star *s, struct vseq *l, val v);
/* May V, a list, dict or set, be changed? Raises otherwise. */
bool star_may_change(struct star *s, val v, const struct node *at, const char *doing);

struct iter {
    val of;
    size_t at;
    int64_t i;
};
bool star_iterable(val v);
bool star_iterate(struct star *s, val of, struct iter *it, const struct node *at);
/* The next item, or NULL: the end, or an error (s->code). */
val star_iter_next(struct star *s, struct iter *it);
void star_iter_done(struct iter *it);
/* All items in a new list or tuple. */
struct vseq *star_collect(struct star *s, enum star_type type, val of, const struct node *at);
size_t star_size(val v); /* items, bytes; SIZE_MAX when it has no length */

/* star_dict.c */
struct vdict *star_make_dict(struct star *s, enum star_type type);
bool star_hash(struct star *s, val v, uint32_t pos, uint32_t *ret);
/* The value; NULL when it is not there or an error came (s->code). Of a set: the key itself. */
val star_dict_get(struct star *s, struct vdict *d, val key, uint32_t pos);
bool star_dict_put(struct star *s, struct vdict *d, val key, val value, uint32_t pos);
val star_dict_remove(struct star *s, struct vdict *d, val key, uint32_t pos);
void star_dict_clear(struct vdict *d);
bool star_dict_update(struct star *s, struct vdict *d, val from, const struct node *at);

/* star_repr.c */
struct buf { /* in the heap */
    struct star *s;
    char *p;
    size_t n, cap;
    bool failed;
};
void buf_put(struct buf *b, const void *p, size_t n);
void buf_puts(struct buf *b, const char *p);
void buf_putc(struct buf *b, char c);
void buf_fill(struct buf *b, char c, size_t n);
bool star_repr(struct star *s, struct buf *b, val v, uint32_t pos);
bool star_str(struct star *s, struct buf *b, val v, uint32_t pos); /* strings as they are */
val buf_string(struct buf *b);
const char *star_show(struct star *s, val v); /* repr for messages, cut */

/* star_format.c */
val star_percent(struct star *s, struct bytes format, val args, const struct node *at);
val star_format_method(struct star *s, val self, struct args *a);
bool star_format_value(struct star *s, struct buf *b, val v, struct bytes spec, uint32_t pos);

/* star_builtin.c */
bool star_install(struct star *s);
val star_attribute(struct star *s, val of, struct symbol *name); /* a bound method or NULL */
const struct builtin *star_method(val of, struct symbol *name);
const struct builtin *star_methods(enum star_type type, size_t *ret_n); /* sorted by name */
/* star_method.c, star_text.c */
extern const struct builtin star_list_methods[], star_dict_methods[], star_set_methods[],
    star_string_methods[], star_bytes_methods[];
extern const size_t star_n_list_methods, star_n_dict_methods, star_n_set_methods,
    star_n_string_methods, star_n_bytes_methods;

/* Checks of what a builtin was given. */
bool star_want_int(struct star *s, const struct args *a, const char *what, val v, int64_t *ret);
bool star_want_string(struct star *s, const struct args *a, const char *what, val v,
                      struct bytes *ret);
bool star_want_bool(struct star *s, const struct args *a, const char *what, val v, bool *ret);

#endif

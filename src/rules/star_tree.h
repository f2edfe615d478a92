/* Between the files of star.h. */
#ifndef BAWN_RULES_STAR_TREE_H
#define BAWN_RULES_STAR_TREE_H

#include "base/limits.h"
#include "base/vec.h"
#include "rules/star.h"

/* ---- text to tokens ---- */

enum token_kind {
    T_END,
    T_NEWLINE,
    T_INDENT,
    T_OUTDENT,
    T_NAME,
    T_INT,
    T_FLOAT,
    T_STRING,
    T_BYTES,
    T_FSTRING,
    T_OP,
};

/* Operators and reserved words: indexes into star_words. */
enum op {
    OP_NONE,
    OP_PLUS,
    OP_MINUS,
    OP_STAR,
    OP_STARSTAR,
    OP_SLASH,
    OP_SLASHSLASH,
    OP_PERCENT,
    OP_AMP,
    OP_PIPE,
    OP_CARET,
    OP_SHL,
    OP_SHR,
    OP_TILDE,
    OP_LT,
    OP_GT,
    OP_LE,
    OP_GE,
    OP_EQ,
    OP_NE,
    OP_ASSIGN,
    OP_PLUS_ASSIGN,
    OP_MINUS_ASSIGN,
    OP_STAR_ASSIGN,
    OP_SLASH_ASSIGN,
    OP_SLASHSLASH_ASSIGN,
    OP_PERCENT_ASSIGN,
    OP_AMP_ASSIGN,
    OP_PIPE_ASSIGN,
    OP_CARET_ASSIGN,
    OP_SHL_ASSIGN,
    OP_SHR_ASSIGN,
    OP_LPAREN,
    OP_RPAREN,
    OP_LBRACKET,
    OP_RBRACKET,
    OP_LBRACE,
    OP_RBRACE,
    OP_COMMA,
    OP_COLON,
    OP_DOT,
    OP_SEMICOLON,
    OP_ARROW,
    KW_AND,
    KW_BREAK,
    KW_CONTINUE,
    KW_DEF,
    KW_ELIF,
    KW_ELSE,
    KW_FOR,
    KW_IF,
    KW_IN,
    KW_LAMBDA,
    KW_LOAD,
    KW_NOT,
    KW_OR,
    KW_PASS,
    KW_RETURN,
    KW_RESERVED,
    OP_NOT_IN,
};

struct token {
    enum token_kind kind;
    enum op op;
    struct bytes text; /* of a name or number; a string's value */
    uint32_t at, length;
    int64_t integer;
    double floating;
};

#define MAX_STAR_INDENTS 100u

struct lexer {
    struct star *star;
    struct bytes text;
    size_t at;
    unsigned parens, n_indents, outdents; /* outdents: still to be told */
    unsigned indents[MAX_STAR_INDENTS];
    bool line_start, ended;
};

int lexer_next(struct lexer *l, struct token *ret);
bool star_is_keyword(struct bytes name);

/* ---- tokens to a tree ---- */

enum node_kind {
    N_LITERAL,
    N_NAME,
    N_LIST,
    N_TUPLE,
    N_DICT,
    N_UNARY,
    N_BINARY,
    N_AND,
    N_OR,
    N_NOT,
    N_IF_ELSE,
    N_CALL,
    N_INDEX,
    N_SLICE,
    N_DOT,
    N_LAMBDA,
    N_COMPREHENSION,
    N_FSTRING,
    /* statements */
    N_EXPRESSION,
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

struct name; /* an interned identifier: compared by its address */

struct argument {
    struct name *name; /* NULL: positional */
    struct node *value;
    char star; /* '*', 'd' for **, or 0 */
    struct argument *next;
};

struct parameter {
    struct name *name; /* NULL for a bare * */
    struct node *otherwise;
    char star;
    struct parameter *next;
};

struct clause {                  /* of a comprehension */
    struct node *target, *value; /* target NULL: an if */
    struct clause *next;
};

struct node {
    enum node_kind kind;
    enum op op;
    uint32_t at, length;
    struct node *a, *b, *c, *d;
    struct node *items, *next; /* of displays and blocks */
    union {
        const struct star_value *value;
        struct name *name;
        struct argument *arguments;
        struct parameter *parameters;
        struct clause *clauses;
    };
    struct names *locals; /* of def and lambda */
};

struct names {
    VEC(struct name *) v;
};

/* One statement at the top level, or NULL at the end of the text. */
int parse_statement(struct star *s, struct node **ret);
int parse_begin(struct star *s);
/* Runs the statements from here on that need no tree; none is fine. */
int star_quick(struct star *s);
/* The expressions inside an f-string: TEXT stands at AT in the file. */
int parse_expression_at(struct star *s, struct bytes text, uint32_t at, struct node **ret);

/* ---- values ---- */

struct dict_entry {
    const struct star_value *key; /* NULL: was removed */
    const struct star_value *value;
    uint64_t hash;
};

struct table {
    struct dict_entry *entries;
    uint32_t *index; /* entry + 1; 0: free */
    size_t n, used, cap, n_index;
};

struct function {
    struct name *name;
    struct parameter *parameters;
    const struct star_value **defaults; /* in the order of the parameters */
    struct node *body;                  /* statements; of a lambda an expression */
    bool lambda;
    struct names *locals;
    struct scope *scope; /* where it was made */
};

typedef int (*builtin_call)(struct star *s, const struct star_value *self, struct star_call *call);

struct star_value {
    enum star_type type;
    uint32_t busy; /* being iterated over: must not change */
    union {
        bool boolean;
        int64_t integer;
        double floating;
        struct bytes text;
        struct {
            const struct star_value **items;
            size_t n, cap;
        } list;              /* and tuple */
        struct table *table; /* dict, set */
        struct {
            int64_t start, stop, step;
        } range;
        struct {
            struct function *def; /* else */
            const struct star_function *host;
            builtin_call builtin;
            const char *name;
            const struct star_value *self;
        } function;
        struct {
            const char *kind;
            const void *p;
        } opaque;
    };
};

struct binding {
    struct name *name;
    const struct star_value *value; /* NULL: not assigned yet */
};

struct scope {
    struct scope *up; /* NULL: the file's */
    struct names *locals;
    VEC(struct binding) v;
};

struct star {
    const struct star_request *request;
    struct error *err;
    struct arena keep, temp, *now; /* now: where is allocated */
    VEC(struct arena) kept;        /* trees that functions live in */
    size_t bytes, max_bytes;
    uint64_t steps, max_steps;
    unsigned depth;
    struct lexer lexer;
    struct token token;
    unsigned parse_depth, function_depth, loop_depth;
    struct name **names; /* interned; open addressing */
    size_t n_names, cap_names;
    uint32_t at; /* of what is being evaluated, for errors */
    uint32_t length;
    bool pure; /* the statement that was parsed leaves nothing behind */
    uint64_t seed;
    uint32_t seen_at, seen_line; /* a place whose line is known, for the next */
};

struct name {
    const char *text;
    size_t n;
    const struct star_value *global;  /* of the file */
    const struct star_value *builtin; /* of the language or the caller */
};

void *star_alloc(struct star *s, size_t n); /* zeroed; NULL: the limit, err is set */
int star_no_memory(struct star *s);
int star_step(struct star *s, uint64_t n);
int star_error(struct star *s, uint32_t at, uint32_t length, const char *fmt, ...) _printf_(4, 5);
/* At what is being evaluated. */
int star_fault(struct star *s, const char *fmt, ...) _printf_(2, 3);
struct name *star_intern(struct star *s, struct bytes text);

const struct star_value *star_none(void), *star_true_or_false(bool v);
struct star_value *star_new(struct star *s, enum star_type type);
const struct star_value *star_make_int(struct star *s, int64_t v);
const struct star_value *star_make_string(struct star *s, struct bytes text);
const struct star_value *star_make_text(struct star *s, const struct strbuf *b);
struct star_value *star_make_list(struct star *s, enum star_type type, size_t n);
int star_append(struct star *s, struct star_value *list, const struct star_value *v);
struct star_value *star_make_dict(struct star *s, enum star_type type);
int table_get(struct star *s, const struct star_value *dict, const struct star_value *key,
              const struct star_value **ret); /* *ret NULL: absent */
int table_put(struct star *s, struct star_value *dict, const struct star_value *key,
              const struct star_value *value);
int table_remove(struct star *s, struct star_value *dict, const struct star_value *key,
                 const struct star_value **ret);

bool star_truth(const struct star_value *v);
int star_equal(struct star *s, const struct star_value *a, const struct star_value *b, bool *ret);
int star_compare(struct star *s, const struct star_value *a, const struct star_value *b, int *ret);
int star_put(struct star *s, struct strbuf *out, const struct star_value *v, bool repr);
int star_binary(struct star *s, enum op op, const struct star_value *a, const struct star_value *b,
                const struct star_value **ret);
/* The items of anything that can be iterated over, as a list of its own. */
int star_items(struct star *s, const struct star_value *v, struct star_value **ret);
size_t star_size(const struct star_value *v, bool *ret_known);
int star_call_value(struct star *s, const struct star_value *f, struct star_call *call);
int star_method(struct star *s, const struct star_value *v, struct bytes name,
                const struct star_value **ret); /* *ret NULL: none */
int star_format_percent(struct star *s, struct bytes format, const struct star_value *v,
                        const struct star_value **ret);
int star_add_builtins(struct star *s);
/* The line of the byte AT, 1-based; *ret_column too. */
unsigned star_line(struct star *s, uint32_t at, unsigned *ret_column);
int star_execute(struct star *s, struct node *statement);

#endif

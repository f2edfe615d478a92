/*
 * One evaluation: memory, limits, errors, and the file a statement at a time. See star.h.
 *
 * Memory comes from two arenas. `keep` is for what may be reached later; `temp` for a statement
 * that leaves nothing behind, and is emptied after it: a file of a hundred thousand rules takes no
 * more than one rule. Which statements those are the parser knows (star.pure).
 */
#include "rules/star_tree.h"

#include "base/limits.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

void *star_alloc(struct star *s, size_t n)
{
    if (n > s->max_bytes - s->bytes) {
        (void)star_no_memory(s);
        return NULL;
    }
    void *p = arena_zalloc(s->now, 1, n ? n : 1);
    if (!p)
        (void)star_no_memory(s);
    else
        s->bytes += n;
    return p;
}

unsigned star_line(struct star *s, uint32_t at, unsigned *ret_column)
{
    const char *text = s->request->text.p;
    if (at < s->seen_at) {
        s->seen_at = 0;
        s->seen_line = 1;
    }
    const char *p = text + s->seen_at;
    for (const char *q; (q = memchr(p, '\n', (size_t)(text + at - p))); p = q + 1)
        s->seen_line++;
    /* P is the beginning of the line, or a place in it. */
    s->seen_at = (uint32_t)(p - text);
    if (ret_column) {
        const char *begin = text + at;
        while (begin > text && begin[-1] != '\n')
            begin--;
        *ret_column = (unsigned)(text + at - begin) + 1;
    }
    return s->seen_line;
}

static void set_place(struct star *s, uint32_t at, uint32_t length)
{
    struct bytes text = s->request->text;
    unsigned column;
    if (at > text.n)
        at = (uint32_t)text.n;
    unsigned line = star_line(s, at, &column);
    const char *begin = text.p + at - (column - 1);
    const char *end = memchr(begin, '\n', text.n - (size_t)(begin - text.p));
    size_t n = end ? (size_t)(end - begin) : text.n - (size_t)(begin - text.p);
    while (n && begin[n - 1] == '\r')
        n--;
    error_at(s->err, s->request->file, line, column, length ? length : 1, begin, n);
}

int star_error(struct star *s, uint32_t at, uint32_t length, const char *fmt, ...)
{
    char message[512];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    (void)error_set(s->err, -EINVAL, "%s", message);
    set_place(s, at, length);
    return -EINVAL;
}

int star_fault(struct star *s, const char *fmt, ...)
{
    char message[512];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    return star_error(s, s->at, s->length, "%s", message);
}

int star_no_memory(struct star *s)
{
    (void)error_set(s->err, -ENOMEM, "the file takes more than %zu MiB of memory",
                    s->max_bytes / (1024 * 1024));
    set_place(s, s->at ? s->at : s->token.at, 1);
    return -ENOMEM;
}

int star_step(struct star *s, uint64_t n)
{
    if (s->steps + n <= s->max_steps) {
        s->steps += n;
        return 0;
    }
    s->steps = s->max_steps;
    (void)error_set(s->err, -E2BIG, "the file takes more than %llu steps to be evaluated",
                    (unsigned long long)s->max_steps);
    set_place(s, s->at, s->length);
    return -E2BIG;
}

/* ---- names ---- */

static uint64_t hash_text(const char *p, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)p[i]) * 0x100000001b3u;
    return h ^ h >> 31;
}

static int grow_names(struct star *s)
{
    size_t cap = s->cap_names ? s->cap_names * 2 : 256;
    struct name **table = star_alloc(s, cap * sizeof(*table));
    if (!table)
        return -ENOMEM;
    for (size_t i = 0; i < s->cap_names; i++) {
        struct name *n = s->names[i];
        size_t at = n ? hash_text(n->text, n->n) & (cap - 1) : 0;
        while (n && table[at])
            at = (at + 1) & (cap - 1);
        if (n)
            table[at] = n;
    }
    s->names = table;
    s->cap_names = cap;
    return 0;
}

/* Names live as long as the evaluation. */
struct name *star_intern(struct star *s, struct bytes text)
{
    struct arena *now = s->now;
    struct name *name = NULL;
    s->now = &s->keep;
    if (s->n_names * 2 >= s->cap_names && grow_names(s) < 0)
        goto done;
    size_t at = hash_text(text.p, text.n) & (s->cap_names - 1);
    for (; (name = s->names[at]); at = (at + 1) & (s->cap_names - 1))
        if (name->n == text.n && memcmp(name->text, text.p, text.n) == 0)
            goto done;
    name = star_alloc(s, sizeof(*name));
    char *copy = name ? star_alloc(s, text.n + 1) : NULL;
    if (!copy) {
        name = NULL;
        goto done;
    }
    memcpy(copy, text.p, text.n);
    *name = (struct name){.text = copy, .n = text.n};
    s->names[at] = name;
    s->n_names++;
done:
    s->now = now;
    return name;
}

static int add_functions(struct star *s)
{
    const struct star_request *q = s->request;
    for (size_t i = 0; i < q->n_functions; i++) {
        struct name *name = star_intern(s, bytes_of(q->functions[i].name));
        struct star_value *v = name ? star_new(s, STAR_FUNCTION) : NULL;
        if (!v)
            return -ENOMEM;
        v->function.host = &q->functions[i];
        v->function.name = name->text;
        name->builtin = v;
    }
    return 0;
}

/* ---- the file ---- */

static int check_text(struct star *s)
{
    struct bytes text = s->request->text;
    if (text.n >= UINT32_MAX)
        return error_set(s->err, -EFBIG, "%s is too long", show(s->request->file));
    for (size_t i = 0; i < text.n;) {
        uint64_t eight;
        /* Mostly ASCII: no byte with its high bit set, and none that borrows one. */
        for (; text.n - i >= sizeof(eight); i += sizeof(eight)) {
            memcpy(&eight, text.p + i, sizeof(eight));
            if (((eight - 0x0101010101010101u) | eight) & 0x8080808080808080u)
                break;
        }
        if (i == text.n)
            break;
        unsigned char c = (unsigned char)text.p[i];
        uint32_t code;
        size_t n = c && c < 0x80 ? 1
                   : c           ? utf8_decode((const unsigned char *)text.p + i, text.n - i, &code)
                                 : 0;
        if (n == 0)
            return star_error(s, (uint32_t)i, 1,
                              c ? "a byte that is no UTF-8 (0x%02x)" : "a NUL byte", c);
        i += n;
    }
    return 0;
}

static int run_one(struct star *s, bool *ret_more)
{
    struct node *statement;
    s->now = &s->temp;
    const size_t before = s->bytes;
    int r = s->request->by_tree ? 0 : star_quick(s);
    *ret_more = false;
    if (r < 0)
        return r;
    s->now = &s->temp;
    r = parse_statement(s, &statement);
    *ret_more = statement != NULL;
    if (r < 0 || !statement)
        return r;
    if (s->pure) {
        r = star_execute(s, statement);
        arena_release(&s->temp);
        /* Names may have been made meanwhile; they are few, and counted for nothing. */
        s->bytes = before;
        return r;
    }
    struct arena *kept = vec_push(&s->kept);
    if (!kept)
        return star_no_memory(s);
    *kept = s->temp;
    s->temp = (struct arena){0};
    s->now = &s->keep;
    return star_execute(s, statement);
}

int star_run(const struct star_request *request, struct error *err)
{
    struct error unused = {0};
    struct star s = {.request = request,
                     .err = err ? err : &unused,
                     .max_bytes = request->max_bytes ? request->max_bytes : MAX_STAR_BYTES,
                     .max_steps = request->max_steps ? request->max_steps : MAX_STAR_STEPS,
                     .seen_line = 1,
                     .seed = 0x9e3779b97f4a7c15u ^ (uint64_t)(uintptr_t)&s};
    s.now = &s.keep;
    bool more = true;
    int r = check_text(&s);
    if (r == 0)
        r = star_add_builtins(&s);
    if (r == 0)
        r = add_functions(&s);
    s.now = &s.temp;
    if (r == 0)
        r = parse_begin(&s);
    while (r == 0 && more)
        r = run_one(&s, &more);
    vec_foreach (kept, &s.kept)
        arena_release(kept);
    vec_release(&s.kept);
    arena_release(&s.temp);
    arena_release(&s.keep);
    return r;
}

/* ---- for the caller's functions ---- */

enum star_type star_type(const struct star_value *v)
{
    return v->type;
}

const char *star_type_word(const struct star_value *v)
{
    static const char *const words[] = {"NoneType", "bool",     "int",   "float", "string",
                                        "bytes",    "list",     "tuple", "dict",  "set",
                                        "range",    "function", "opaque"};
    return v->type == STAR_OPAQUE                         ? v->opaque.kind
           : v->type == STAR_FUNCTION && !v->function.def ? "builtin_function_or_method"
                                                          : words[v->type];
}

bool star_bool(const struct star_value *v)
{
    return v->boolean;
}

bool star_int(const struct star_value *v, int64_t *ret)
{
    if (v->type != STAR_INT)
        return false;
    *ret = v->integer;
    return true;
}

struct bytes star_text(const struct star_value *v)
{
    return v->text;
}

size_t star_length(const struct star_value *v)
{
    return v->list.n;
}

const struct star_value *star_item(const struct star_value *v, size_t i)
{
    return v->list.items[i];
}

const struct star_value *star_opaque(struct star *s, const char *kind, const void *p)
{
    struct star_value *v = star_new(s, STAR_OPAQUE);
    if (v) {
        v->opaque.kind = kind;
        v->opaque.p = p;
    }
    return v;
}

const void *star_opaque_get(const struct star_value *v, const char *kind)
{
    return v->type == STAR_OPAQUE && v->opaque.kind == kind ? v->opaque.p : NULL;
}

int star_fail(const struct star_call *call, const char *name, size_t n, struct error *err,
              const char *fmt, ...)
{
    char message[512];
    va_list ap;
    struct star *s = call->star;
    struct error *own = s->err;
    struct error unused = {0};
    (void)name;
    (void)n;
    va_start(ap, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    s->err = err ? err : &unused;
    int r = star_fault(s, "%s", message);
    s->err = own;
    return r;
}

/* Running a tree. See star_tree.h. */
#include "rules/star_tree.h"

#include <errno.h>
#include <stdlib.h>

/* star_take() and eval() have set what they do not complain of, which gcc's analyzer does not
 * follow. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wanalyzer-use-of-uninitialized-value"
#pragma GCC diagnostic ignored "-Wanalyzer-null-dereference"
#endif
/* Nor does clang's. NOLINTBEGIN(clang-analyzer-core.*) */

enum flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE, FLOW_RETURN };

static int eval(struct star *s, struct scope *scope, const struct node *n,
                const struct star_value **ret);
static int run_block(struct star *s, struct scope *scope, const struct node *n, enum flow *flow,
                     const struct star_value **ret);

/* ---- names ---- */

static struct binding *binding_of(struct scope *scope, const struct name *name)
{
    for (size_t i = 0; i < scope->v.n; i++)
        if (scope->v.v[i].name == name)
            return &scope->v.v[i];
    return NULL;
}

static bool is_local(const struct scope *scope, const struct name *name)
{
    for (size_t i = 0; scope->locals && i < scope->locals->v.n; i++)
        if (scope->locals->v.v[i] == name)
            return true;
    return false;
}

/* In the star's own memory: a scope can outlive its call. */
static struct binding *bind(struct star *s, struct scope *scope, struct name *name)
{
    struct binding *b = binding_of(scope, name);
    if (b)
        return b;
    if (scope->v.n == scope->v.cap) {
        size_t cap = scope->v.cap ? scope->v.cap * 2 : 4;
        struct binding *v = star_alloc(s, cap * sizeof(*v));
        if (!v)
            return NULL;
        if (scope->v.n)
            memcpy(v, scope->v.v, scope->v.n * sizeof(*v));
        scope->v.v = v;
        scope->v.cap = cap;
    }
    b = &scope->v.v[scope->v.n++];
    b->name = name;
    return b;
}

static int look_up(struct star *s, struct scope *scope, struct name *name,
                   const struct star_value **ret)
{
    for (; scope; scope = scope->up) {
        const struct binding *b = binding_of(scope, name);
        int r = star_step(s, scope->v.n / 16);
        if (r < 0)
            return r;
        if (b && b->value) {
            *ret = b->value;
            return 0;
        }
        if (is_local(scope, name))
            return star_fault(s, "%s is used before it is assigned", name->text);
    }
    *ret = name->global ? name->global : name->builtin;
    return *ret ? 0 : star_fault(s, "%s is not defined", name->text);
}

static int set_name(struct star *s, struct scope *scope, struct name *name,
                    const struct star_value *value)
{
    if (!scope) {
        name->global = value;
        return 0;
    }
    struct binding *b = bind(s, scope, name);
    if (!b)
        return -ENOMEM;
    b->value = value;
    return 0;
}

/* ---- assigning ---- */

static int index_of(struct star *s, const struct star_value *i, size_t n, size_t *ret)
{
    if (i->type != STAR_INT)
        return star_fault(s, "an index is an integer, not %s", star_type_word(i));
    int64_t at = i->integer < 0 ? i->integer + (int64_t)n : i->integer;
    if (at < 0 || (uint64_t)at >= n)
        return star_fault(s, "index %lld is out of range: there are %zu", (long long)i->integer, n);
    *ret = (size_t)at;
    return 0;
}

static struct star_value *change(const struct star_value *v)
{
    return (struct star_value *)(uintptr_t)v;
}

static int set_item(struct star *s, const struct star_value *of, const struct star_value *key,
                    const struct star_value *value)
{
    size_t at;
    if (of->type == STAR_DICT)
        return table_put(s, change(of), key, value);
    if (of->type != STAR_LIST)
        return star_fault(s, "%s has no items to be assigned", star_type_word(of));
    if (of->busy)
        return star_fault(s, "a list must not change while it is iterated over");
    int r = index_of(s, key, of->list.n, &at);
    if (r == 0)
        of->list.items[at] = value;
    return r;
}

static int assign(struct star *s, struct scope *scope, const struct node *target,
                  const struct star_value *value)
{
    const struct star_value *of, *key;
    struct star_value *items;
    int r;
    s->at = target->at;
    s->length = target->length;
    if (target->kind == N_NAME)
        return set_name(s, scope, target->name, value);
    if (target->kind == N_INDEX) {
        r = eval(s, scope, target->a, &of);
        if (r == 0)
            r = eval(s, scope, target->b, &key);
        s->at = target->at;
        s->length = target->length;
        return r < 0 ? r : set_item(s, of, key, value);
    }
    size_t n = 0;
    for (const struct node *i = target->items; i; i = i->next)
        n++;
    r = star_items(s, value, &items);
    if (r < 0)
        return r;
    if (items->list.n != n)
        return star_fault(s, "%zu values for %zu names", items->list.n, n);
    n = 0;
    for (const struct node *i = target->items; i && r == 0; i = i->next)
        r = assign(s, scope, i, items->list.items[n++]);
    return r;
}

/* ---- calling ---- */

static void describe_call(struct star *s, const struct star_function *f, struct star_call *call)
{
    call->star = s;
    call->data = s->request->data;
    call->function = f->name;
    call->line = star_line(s, s->at, &call->column);
}

static int bind_arguments(struct star *s, const struct function *f, struct scope *scope,
                          const struct star_call *call)
{
    size_t used = 0, k = 0;
    struct star_value *rest = NULL, *more = NULL;
    bool *taken = call->n_named ? star_alloc(s, call->n_named) : NULL;
    if (call->n_named && !taken)
        return -ENOMEM;
    for (const struct parameter *p = f->parameters; p; p = p->next, k++) {
        const struct star_value *v = NULL;
        int r = 0;
        if (p->star == '*') {
            if (!p->name)
                goto keywords_only;
            rest = star_make_list(s, STAR_TUPLE, call->n_args > used ? call->n_args - used : 0);
            if (!rest)
                return -ENOMEM;
            while (used < call->n_args)
                rest->list.items[rest->list.n++] = call->args[used++];
            v = rest;
        } else if (p->star == 'd') {
            more = star_make_dict(s, STAR_DICT);
            for (size_t i = 0; more && r == 0 && i < call->n_named; i++) {
                const struct star_value *key =
                    taken[i] ? NULL : star_make_string(s, bytes_of(call->names[i]));
                if (taken[i])
                    continue;
                taken[i] = true;
                r = key ? table_put(s, more, key, call->named[i]) : -ENOMEM;
            }
            if (!more || r < 0)
                return r < 0 ? r : -ENOMEM;
            v = more;
        } else {
            for (size_t i = 0; i < call->n_named; i++)
                if (str_eq(call->names[i], p->name->text)) {
                    v = call->named[i];
                    taken[i] = true;
                }
            if (used < call->n_args && !rest) {
                if (v)
                    return star_fault(s, "%s: %s is given twice", f->name->text, p->name->text);
                v = call->args[used++];
            }
            if (!v)
                v = f->defaults[k];
            if (!v)
                return star_fault(s, "%s: %s is missing", f->name->text, p->name->text);
        }
        if (set_name(s, scope, p->name, v) < 0)
            return -ENOMEM;
        continue;
    keywords_only:
        if (used < call->n_args)
            break;
        static const struct star_value nothing = {.type = STAR_TUPLE};
        rest = change(&nothing);
    }
    if (used < call->n_args)
        return star_fault(s, "%s takes %zu arguments, not %zu", f->name->text, used, call->n_args);
    for (size_t i = 0; i < call->n_named; i++)
        if (!taken[i])
            return star_fault(s, "%s has no argument %s", f->name->text, call->names[i]);
    return 0;
}

static int call_def(struct star *s, const struct function *f, struct star_call *call)
{
    struct scope *scope = star_alloc(s, sizeof(*scope));
    enum flow flow = FLOW_ON;
    if (!scope)
        return -ENOMEM;
    scope->up = f->scope;
    scope->locals = f->locals;
    s->depth += 10; /* a call takes more of the stack than an operator */
    int r = s->depth > MAX_STAR_DEPTH ? star_fault(s, "functions call each other too deep")
                                      : bind_arguments(s, f, scope, call);
    if (r == 0)
        r = f->lambda ? eval(s, scope, f->body, &call->result)
                      : run_block(s, scope, f->body, &flow, &call->result);
    s->depth -= 10;
    return r;
}

int star_call_value(struct star *s, const struct star_value *f, struct star_call *call)
{
    uint32_t at = s->at, length = s->length;
    int r = star_step(s, 1);
    if (r < 0)
        return r;
    if (f->type != STAR_FUNCTION)
        return star_fault(s, "%s cannot be called", star_type_word(f));
    if (f->function.def) {
        r = call_def(s, f->function.def, call);
    } else if (f->function.host) {
        describe_call(s, f->function.host, call);
        s->err->file[0] = '\0';
        r = f->function.host->call(call, s->err);
        if (r == -EINVAL && !s->err->file[0])
            return star_fault(s, "%s", s->err->message);
    } else {
        call->function = f->function.name;
        r = f->function.builtin(s, f->function.self, call);
    }
    if (!call->result)
        call->result = star_none();
    s->at = at;
    s->length = length;
    return r;
}

static int add_named(struct star *s, struct star_call *call, const char *name,
                     const struct star_value *value, size_t cap)
{
    for (size_t i = 0; i < call->n_named; i++)
        if (str_eq(call->names[i], name))
            return star_fault(s, "%s is given twice", name);
    if (call->n_named == cap)
        return star_fault(s, "too many arguments");
    call->names[call->n_named] = name;
    call->named[call->n_named++] = value;
    return 0;
}

static int eval_call(struct star *s, struct scope *scope, const struct node *n,
                     const struct star_value **ret)
{
    const struct star_value *f, *v;
    struct star_call call = {.star = s};
    size_t cap = 0, extra = 0;
    int r = eval(s, scope, n->a, &f);
    if (r < 0)
        return r;
    for (const struct argument *a = n->arguments; a; a = a->next)
        cap++;
    const struct star_value **values = star_alloc(s, (cap + 1) * sizeof(*values));
    if (!values)
        return -ENOMEM;
    for (const struct argument *a = n->arguments; a; a = a->next) {
        r = eval(s, scope, a->value, &v);
        if (r < 0)
            return r;
        if (a->star && v->type != STAR_LIST && v->type != STAR_TUPLE && v->type != STAR_DICT &&
            v->type != STAR_SET && v->type != STAR_RANGE)
            return star_fault(s, "behind %s stands %s", a->star == '*' ? "*" : "**",
                              star_type_word(v));
        if (a->star == 'd' && v->type != STAR_DICT)
            return star_fault(s, "behind ** stands %s", star_type_word(v));
        values[extra++] = v;
        if (a->star)
            cap += star_size(v, NULL);
    }
    call.args = star_alloc(s, (cap + 1) * sizeof(*call.args));
    call.names = star_alloc(s, (cap + 1) * sizeof(*call.names));
    call.named = star_alloc(s, (cap + 1) * sizeof(*call.named));
    if (!call.args || !call.names || !call.named)
        return -ENOMEM;
    extra = 0;
    for (const struct argument *a = n->arguments; a && r == 0; a = a->next) {
        v = values[extra++];
        if (a->name) {
            r = add_named(s, &call, a->name->text, v, cap);
        } else if (a->star == '*') {
            struct star_value *items;
            r = star_items(s, v, &items);
            for (size_t i = 0; r == 0 && i < items->list.n; i++)
                call.args[call.n_args++] = items->list.items[i];
        } else if (a->star == 'd') {
            for (size_t i = 0; r == 0 && i < v->table->used; i++) {
                const struct star_value *key = v->table->entries[i].key;
                if (!key)
                    continue;
                if (key->type != STAR_STRING)
                    return star_fault(s, "a key behind ** is no string");
                struct name *name = star_intern(s, key->text);
                r = name ? add_named(s, &call, name->text, v->table->entries[i].value, cap)
                         : -ENOMEM;
            }
        } else {
            call.args[call.n_args++] = v;
        }
    }
    s->at = n->at;
    s->length = n->length;
    if (r == 0)
        r = star_call_value(s, f, &call);
    *ret = call.result;
    return r;
}

/* ---- expressions ---- */

static int eval_items(struct star *s, struct scope *scope, const struct node *n,
                      const struct star_value **ret)
{
    size_t count = 0;
    for (const struct node *i = n->items; i; i = i->next)
        count++;
    struct star_value *l = star_make_list(s, n->kind == N_LIST ? STAR_LIST : STAR_TUPLE, count);
    int r = l ? 0 : -ENOMEM;
    for (const struct node *i = n->items; i && r == 0; i = i->next) {
        r = eval(s, scope, i, &l->list.items[l->list.n]);
        l->list.n += r == 0;
    }
    *ret = l;
    return r;
}

static int eval_dict(struct star *s, struct scope *scope, const struct node *n,
                     const struct star_value **ret)
{
    struct star_value *d = star_make_dict(s, STAR_DICT);
    const struct star_value *key, *value, *old = NULL;
    int r = d ? 0 : -ENOMEM;
    for (const struct node *i = n->items; i && r == 0; i = i->next) {
        r = eval(s, scope, i->a, &key);
        if (r == 0)
            r = eval(s, scope, i->b, &value);
        s->at = i->at;
        s->length = i->length;
        if (r == 0)
            r = table_get(s, d, key, &old);
        if (r == 0 && old)
            return star_fault(s, "a key that is there twice");
        if (r == 0)
            r = table_put(s, d, key, value);
    }
    *ret = d;
    return r;
}

static int item_of(struct star *s, const struct node *n, const struct star_value *of,
                   const struct star_value *key, const struct star_value **ret)
{
    const struct star_value *found = NULL;
    size_t at;
    int r;
    s->at = n->at;
    s->length = n->length;
    if (of->type == STAR_DICT) {
        r = table_get(s, of, key, &found);
        if (r == 0 && !found) {
            _cleanup_strbuf_ struct strbuf text = {0};
            (void)star_put(s, &text, key, true);
            return star_fault(s, "no key %s", show(strbuf_text(&text)));
        }
        *ret = found;
        return r;
    }
    bool known;
    size_t size = star_size(of, &known);
    if (!known || of->type == STAR_SET)
        return star_fault(s, "%s has no items by index", star_type_word(of));
    if ((r = index_of(s, key, size, &at)) < 0)
        return r;
    *ret = of->type == STAR_LIST || of->type == STAR_TUPLE ? of->list.items[at]
           : of->type == STAR_STRING ? star_make_string(s, (struct bytes){of->text.p + at, 1})
           : of->type == STAR_BYTES
               ? star_make_int(s, (unsigned char)of->text.p[at])
               : star_make_int(s, of->range.start + (int64_t)at * of->range.step);
    return *ret ? 0 : -ENOMEM;
}

static int eval_index(struct star *s, struct scope *scope, const struct node *n,
                      const struct star_value **ret)
{
    const struct star_value *of, *key;
    int r = eval(s, scope, n->a, &of);
    if (r == 0)
        r = eval(s, scope, n->b, &key);
    return r < 0 ? r : item_of(s, n, of, key, ret);
}

static int bound(struct star *s, struct scope *scope, const struct node *n, int64_t size,
                 int64_t low, int64_t high, int64_t otherwise, int64_t *ret)
{
    const struct star_value *v = NULL;
    *ret = otherwise;
    int r = n ? eval(s, scope, n, &v) : 0;
    if (r < 0 || !v || v->type == STAR_NONE)
        return r;
    if (v->type != STAR_INT)
        return star_fault(s, "a slice takes integers, not %s", star_type_word(v));
    int64_t i = v->integer < 0 ? (v->integer < -size ? -1 : v->integer + size) : v->integer;
    *ret = i < low ? low : i > high ? high : i;
    return 0;
}

static int eval_slice(struct star *s, struct scope *scope, const struct node *n,
                      const struct star_value **ret)
{
    const struct star_value *of, *step_value = NULL;
    int64_t from, to, step = 1;
    bool known;
    int r = eval(s, scope, n->a, &of);
    if (r == 0 && n->d)
        r = eval(s, scope, n->d, &step_value);
    if (r < 0)
        return r;
    int64_t size = (int64_t)star_size(of, &known);
    if (!known || of->type == STAR_DICT || of->type == STAR_SET)
        return star_fault(s, "%s cannot be sliced", star_type_word(of));
    if (step_value && step_value->type != STAR_NONE) {
        if (step_value->type != STAR_INT || step_value->integer == 0)
            return star_fault(s, "the step of a slice is an integer and not 0");
        step = step_value->integer;
    }
    bool up = step > 0;
    r = bound(s, scope, n->b, size, up ? 0 : -1, up ? size : size - 1, up ? 0 : size - 1, &from);
    if (r == 0)
        r = bound(s, scope, n->c, size, up ? 0 : -1, up ? size : size - 1, up ? size : -1, &to);
    if (r < 0)
        return r;
    const struct star_value span = {.type = STAR_RANGE, .range = {from, to, step}};
    size_t count = star_size(&span, NULL);
    if ((r = star_step(s, count / 8)) < 0)
        return r;
    if (of->type == STAR_RANGE) {
        struct star_value *v = star_new(s, STAR_RANGE);
        if (!v)
            return -ENOMEM;
        v->range.start = of->range.start + from * of->range.step;
        v->range.step = of->range.step * step;
        v->range.stop = v->range.start + (int64_t)count * v->range.step;
        *ret = v;
        return 0;
    }
    if (of->type == STAR_STRING || of->type == STAR_BYTES) {
        char *p = star_alloc(s, count + 1);
        struct star_value *v = p ? star_new(s, of->type) : NULL;
        if (!v)
            return -ENOMEM;
        for (size_t i = 0; i < count; i++)
            p[i] = of->text.p[from + (int64_t)i * step];
        v->text = (struct bytes){p, count};
        *ret = v;
        return 0;
    }
    struct star_value *l = star_make_list(s, of->type, count);
    if (!l)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        l->list.items[l->list.n++] = of->list.items[from + (int64_t)i * step];
    *ret = l;
    return 0;
}

static int eval_unary(struct star *s, struct scope *scope, const struct node *n,
                      const struct star_value **ret)
{
    const struct star_value *v;
    int r = eval(s, scope, n->a, &v);
    s->at = n->at;
    s->length = n->length;
    if (r < 0)
        return r;
    if (v->type == STAR_FLOAT && n->op != OP_TILDE) {
        struct star_value *f = star_new(s, STAR_FLOAT);
        if (!f)
            return -ENOMEM;
        f->floating = n->op == OP_MINUS ? -v->floating : v->floating;
        *ret = f;
        return 0;
    }
    if (v->type != STAR_INT)
        return star_fault(s, "%s has no sign", star_type_word(v));
    if (n->op == OP_MINUS && v->integer == INT64_MIN)
        return star_fault(s, "an integer beyond 64 bits");
    *ret = n->op == OP_PLUS ? v : star_make_int(s, n->op == OP_MINUS ? -v->integer : ~v->integer);
    return *ret ? 0 : -ENOMEM;
}

static int eval_function(struct star *s, struct scope *scope, const struct node *n,
                         const struct star_value **ret)
{
    struct function *f = star_alloc(s, sizeof(*f));
    struct star_value *v = f ? star_new(s, STAR_FUNCTION) : NULL;
    size_t count = 0, k = 0;
    int r = v ? 0 : -ENOMEM;
    for (const struct parameter *p = n->parameters; p; p = p->next)
        count++;
    if (r == 0 && !(f->defaults = star_alloc(s, (count + 1) * sizeof(*f->defaults))))
        r = -ENOMEM;
    for (const struct parameter *p = n->parameters; r == 0 && p; p = p->next, k++)
        if (p->otherwise)
            r = eval(s, scope, p->otherwise, &f->defaults[k]);
    if (r < 0)
        return r;
    f->name = star_intern(s, n->op == KW_DEF && n->name ? bytes_of("function") : BYTES("lambda"));
    if (!f->name)
        return -ENOMEM;
    f->parameters = n->parameters;
    f->body = n->b;
    f->lambda = n->op != KW_DEF;
    f->locals = n->locals;
    f->scope = scope;
    v->function.def = f;
    v->function.name = f->name->text;
    *ret = v;
    return 0;
}

/* While it is iterated over nothing changes it. Others are constants, which are not written to. */
static void hold(const struct star_value *v, int by)
{
    if (v->type == STAR_LIST || v->type == STAR_DICT || v->type == STAR_SET)
        change(v)->busy += (uint32_t)by;
}

static int comprehend(struct star *s, struct scope *scope, const struct node *n,
                      const struct clause *c, struct star_value *out)
{
    const struct star_value *v, *value;
    struct star_value *items;
    int r = star_step(s, 1);
    if (r < 0)
        return r;
    if (!c) {
        if (n->op == (enum op)N_LIST) {
            r = eval(s, scope, n->a, &v);
            return r < 0 ? r : star_append(s, out, v);
        }
        r = eval(s, scope, n->a->a, &v);
        if (r == 0)
            r = eval(s, scope, n->a->b, &value);
        return r < 0 ? r : table_put(s, out, v, value);
    }
    r = eval(s, scope, c->value, &v);
    if (r < 0)
        return r;
    if (!c->target)
        return star_truth(v) ? comprehend(s, scope, n, c->next, out) : 0;
    r = star_items(s, v, &items);
    hold(v, 1);
    for (size_t i = 0; r == 0 && i < items->list.n; i++) {
        r = assign(s, scope, c->target, items->list.items[i]);
        if (r == 0)
            r = comprehend(s, scope, n, c->next, out);
    }
    hold(v, -1);
    return r;
}

static int eval_comprehension(struct star *s, struct scope *scope, const struct node *n,
                              const struct star_value **ret)
{
    struct scope *inner = star_alloc(s, sizeof(*inner));
    struct star_value *out =
        n->op == (enum op)N_LIST ? star_make_list(s, STAR_LIST, 0) : star_make_dict(s, STAR_DICT);
    if (!inner || !out)
        return -ENOMEM;
    inner->up = scope;
    *ret = out;
    return comprehend(s, inner, n, n->clauses, out);
}

static int eval_fstring(struct star *s, struct scope *scope, const struct node *n,
                        const struct star_value **ret)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    int r = 0;
    for (const struct node *i = n->items; i && r == 0; i = i->next) {
        const struct star_value *v;
        r = i->kind == N_LITERAL ? eval(s, scope, i, &v) : eval(s, scope, i->a, &v);
        if (r == 0)
            r = star_put(s, &out, v, i->kind != N_LITERAL && i->op == OP_PERCENT);
    }
    if (r < 0)
        return r;
    *ret = star_make_text(s, &out);
    return *ret ? 0 : -ENOMEM;
}

static int eval_inner(struct star *s, struct scope *scope, const struct node *n,
                      const struct star_value **ret)
{
    const struct star_value *a, *b;
    int r;
    switch (n->kind) {
    case N_LITERAL:
        *ret = n->value;
        return 0;
    case N_NAME:
        return look_up(s, scope, n->name, ret);
    case N_LIST:
    case N_TUPLE:
        return eval_items(s, scope, n, ret);
    case N_DICT:
        return eval_dict(s, scope, n, ret);
    case N_UNARY:
        return eval_unary(s, scope, n, ret);
    case N_BINARY:
        r = eval(s, scope, n->a, &a);
        if (r == 0)
            r = eval(s, scope, n->b, &b);
        s->at = n->at;
        s->length = n->length;
        return r < 0 ? r : star_binary(s, n->op, a, b, ret);
    case N_AND:
    case N_OR:
        r = eval(s, scope, n->a, &a);
        if (r < 0 || star_truth(a) == (n->kind == N_OR)) {
            *ret = a;
            return r;
        }
        return eval(s, scope, n->b, ret);
    case N_NOT:
        r = eval(s, scope, n->a, &a);
        *ret = star_true_or_false(r == 0 && !star_truth(a));
        return r;
    case N_IF_ELSE:
        r = eval(s, scope, n->b, &a);
        return r < 0 ? r : eval(s, scope, star_truth(a) ? n->a : n->c, ret);
    case N_CALL:
        return eval_call(s, scope, n, ret);
    case N_INDEX:
        return eval_index(s, scope, n, ret);
    case N_SLICE:
        return eval_slice(s, scope, n, ret);
    case N_DOT:
        r = eval(s, scope, n->a, &a);
        s->at = n->at;
        s->length = n->length;
        if (r == 0)
            r = star_method(s, a, (struct bytes){n->name->text, n->name->n}, ret);
        if (r == 0 && !*ret)
            return star_fault(s, "%s has no %s", star_type_word(a), n->name->text);
        return r;
    case N_LAMBDA:
        return eval_function(s, scope, n, ret);
    case N_COMPREHENSION:
        return eval_comprehension(s, scope, n, ret);
    case N_FSTRING:
        return eval_fstring(s, scope, n, ret);
    case N_EXPRESSION:
    case N_ASSIGN:
    case N_AUGMENT:
    case N_IF:
    case N_FOR:
    case N_DEF:
    case N_RETURN:
    case N_BREAK:
    case N_CONTINUE:
    case N_PASS:
        break;
    }
    return star_fault(s, "no expression");
}

static int eval(struct star *s, struct scope *scope, const struct node *n,
                const struct star_value **ret)
{
    int r = star_step(s, 1);
    if (r < 0)
        return r;
    s->at = n->at;
    s->length = n->length;
    if (++s->depth > MAX_STAR_DEPTH)
        return star_fault(s, "nested too deep");
    r = eval_inner(s, scope, n, ret);
    s->depth--;
    return r;
}

/* ---- statements ---- */

/* `x += [1]` changes a list in place. */
static int augment(struct star *s, struct scope *scope, const struct node *n)
{
    static const enum op ops[] = {[OP_PLUS_ASSIGN] = OP_PLUS,
                                  [OP_MINUS_ASSIGN] = OP_MINUS,
                                  [OP_STAR_ASSIGN] = OP_STAR,
                                  [OP_SLASH_ASSIGN] = OP_SLASH,
                                  [OP_SLASHSLASH_ASSIGN] = OP_SLASHSLASH,
                                  [OP_PERCENT_ASSIGN] = OP_PERCENT,
                                  [OP_AMP_ASSIGN] = OP_AMP,
                                  [OP_PIPE_ASSIGN] = OP_PIPE,
                                  [OP_CARET_ASSIGN] = OP_CARET,
                                  [OP_SHL_ASSIGN] = OP_SHL,
                                  [OP_SHR_ASSIGN] = OP_SHR};
    const struct star_value *old, *value, *result, *of = NULL, *key = NULL;
    /* What stands before the operator is evaluated once. */
    int r = n->a->kind == N_INDEX ? eval(s, scope, n->a->a, &of) : eval(s, scope, n->a, &old);
    if (r == 0 && of)
        r = eval(s, scope, n->a->b, &key);
    if (r == 0 && of)
        r = item_of(s, n->a, of, key, &old);
    if (r == 0)
        r = eval(s, scope, n->b, &value);
    if (r < 0)
        return r;
    if (n->op == OP_PLUS_ASSIGN && old->type == STAR_LIST && value->type != STAR_STRING) {
        struct star_value *items;
        if (old->busy)
            return star_fault(s, "a list must not change while it is iterated over");
        r = star_items(s, value, &items);
        for (size_t i = 0; r == 0 && i < items->list.n; i++)
            r = star_append(s, change(old), items->list.items[i]);
        return r;
    }
    r = star_binary(s, ops[n->op], old, value, &result);
    if (r < 0)
        return r;
    s->at = n->a->at;
    s->length = n->a->length;
    return of ? set_item(s, of, key, result) : assign(s, scope, n->a, result);
}

static int run_for(struct star *s, struct scope *scope, const struct node *n, enum flow *flow,
                   const struct star_value **ret)
{
    const struct star_value *over;
    struct star_value *items;
    int r = eval(s, scope, n->b, &over);
    if (r == 0)
        r = star_items(s, over, &items);
    if (r < 0)
        return r;
    hold(over, 1);
    for (size_t i = 0; r == 0 && i < items->list.n; i++) {
        r = assign(s, scope, n->a, items->list.items[i]);
        if (r == 0)
            r = run_block(s, scope, n->c, flow, ret);
        if (*flow == FLOW_BREAK || *flow == FLOW_RETURN)
            break;
        *flow = FLOW_ON;
    }
    hold(over, -1);
    if (*flow == FLOW_BREAK)
        *flow = FLOW_ON;
    return r;
}

static int run_one(struct star *s, struct scope *scope, const struct node *n, enum flow *flow,
                   const struct star_value **ret)
{
    const struct star_value *v;
    int r;
    s->at = n->at;
    s->length = n->length;
    switch (n->kind) {
    case N_EXPRESSION:
        return eval(s, scope, n->a, &v);
    case N_ASSIGN:
        r = eval(s, scope, n->b, &v);
        return r < 0 ? r : assign(s, scope, n->a, v);
    case N_AUGMENT:
        return augment(s, scope, n);
    case N_DEF:
        r = eval(s, scope, n->a, &v);
        if (r == 0) {
            v->function.def->name = n->name;
            change(v)->function.name = n->name->text;
            r = set_name(s, scope, n->name, v);
        }
        return r;
    case N_IF:
        r = eval(s, scope, n->a, &v);
        if (r < 0)
            return r;
        return run_block(s, scope, star_truth(v) ? n->b : n->c, flow, ret);
    case N_FOR:
        return run_for(s, scope, n, flow, ret);
    case N_RETURN:
        *flow = FLOW_RETURN;
        *ret = star_none();
        return n->a ? eval(s, scope, n->a, ret) : 0;
    case N_BREAK:
        *flow = FLOW_BREAK;
        return 0;
    case N_CONTINUE:
        *flow = FLOW_CONTINUE;
        return 0;
    default:
        return 0;
    }
}

static int run_block(struct star *s, struct scope *scope, const struct node *n, enum flow *flow,
                     const struct star_value **ret)
{
    int r = 0;
    if (++s->depth > MAX_STAR_DEPTH)
        return star_fault(s, "nested too deep");
    for (; n && r == 0 && *flow == FLOW_ON; n = n->next) {
        r = star_step(s, 1);
        if (r == 0)
            r = run_one(s, scope, n, flow, ret);
    }
    s->depth--;
    return r;
}

int star_execute(struct star *s, struct node *statement)
{
    enum flow flow = FLOW_ON;
    const struct star_value *result;
    s->depth = 0;
    return run_block(s, NULL, statement, &flow, &result);
}

/* NOLINTEND(clang-analyzer-core.*) */

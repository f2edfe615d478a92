/* Bytes that wait, and header fields. See intercept.h. */
#include "intercept/intercept.h"

#include <strings.h>

/* ---- bytes ---- */

void queue_release(struct queue *q)
{
    if (q->p) {
        explicit_bzero(q->p, q->cap);
        mem_free(q->p);
    }
    *q = (struct queue){.failed = q->failed};
}

/* Grows by a copy: realloc() would leave the old bytes lying about. */
static bool queue_grow(struct queue *q, size_t least)
{
    size_t cap = q->cap ? q->cap : 4096, n = queue_n(q);
    while (cap < least)
        cap *= 2;
    char *p = q->failed ? NULL : mem_alloc(cap);
    if (!p) {
        q->failed = true;
        return false;
    }
    if (n && q->p)
        memcpy(p, q->p + q->start, n);
    queue_release(q);
    *q = (struct queue){.p = p, .end = n, .cap = cap};
    return true;
}

char *queue_room(struct queue *q, size_t n)
{
    if (q->cap - q->end >= n && q->p)
        return q->p + q->end;
    size_t held = queue_n(q);
    if (q->p && q->cap - held >= n && q->start >= held) {
        memmove(q->p, q->p + q->start, held);
        q->start = 0;
        q->end = held;
        return q->p + q->end;
    }
    return queue_grow(q, held + n) ? q->p + q->end : NULL;
}

bool queue_put(struct queue *q, const void *p, size_t n)
{
    char *to = n ? queue_room(q, n) : NULL;
    if (!to)
        return n == 0;
    memcpy(to, p, n);
    q->end += n;
    return true;
}

bool queue_puts(struct queue *q, const char *s)
{
    return queue_put(q, s, strlen(s));
}

void queue_take(struct queue *q, size_t n)
{
    q->start += n;
    if (q->start == q->end)
        q->start = q->end = 0;
}

void queue_trim(struct queue *q)
{
    if (q->p && queue_n(q) == 0)
        queue_release(q);
}

/* ---- fields ---- */

bool bytes_eq_case(struct bytes a, struct bytes b)
{
    return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

bool fields_add(struct fields *f, struct bytes name, struct bytes value)
{
    if (f->v.n == LIMIT_FIELDS || f->text.n + name.n + value.n + 4 > LIMIT_HEAD || name.n == 0)
        return false;
    struct field_at at = {(uint32_t)f->text.n, (uint32_t)name.n, (uint32_t)(f->text.n + name.n),
                          (uint32_t)value.n};
    strbuf_put(&f->text, name.p, name.n);
    strbuf_put(&f->text, value.p, value.n);
    struct field_at *to = strbuf_failed(&f->text) ? NULL : vec_push(&f->v);
    if (to)
        *to = at;
    return to != NULL;
}

bool fields_adds(struct fields *f, const char *name, const char *value)
{
    return fields_add(f, bytes_of(name), bytes_of(value));
}

struct http_field fields_get(const struct fields *f, size_t i)
{
    const struct field_at *at = &f->v.v[i];
    return (struct http_field){{f->text.p + at->name, at->n_name},
                               {f->text.p + at->value, at->n_value}};
}

bool fields_find(const struct fields *f, struct bytes name, size_t *at, struct http_field *ret)
{
    for (; *at < f->v.n; ++*at) {
        *ret = fields_get(f, *at);
        if (ret->name.n && bytes_eq_case(ret->name, name)) {
            ++*at;
            return true;
        }
    }
    return false;
}

bool fields_have(const struct fields *f, const char *name)
{
    struct http_field got;
    size_t at = 0;
    return fields_find(f, bytes_of(name), &at, &got);
}

void fields_remove(struct fields *f, const char *name)
{
    struct http_field got;
    size_t at = 0;
    while (fields_find(f, bytes_of(name), &at, &got))
        f->v.v[at - 1].n_name = 0;
}

void fields_release(struct fields *f)
{
    if (f->text.p)
        explicit_bzero(f->text.p, f->text.cap);
    strbuf_release(&f->text);
    vec_release(&f->v);
    *f = (struct fields){0};
}

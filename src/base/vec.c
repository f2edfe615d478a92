/* Typed growing arrays. See vec.h: every VEC(T) has the layout of `struct raw`. */
#include "base/vec.h"

#include "base/limits.h"
#include "base/mem.h"

#include <errno.h>
#include <string.h>

struct raw {
    void *v;
    size_t n, cap;
};

bool vec_grow_(void *vec, size_t size, size_t max)
{
    struct raw *r = vec;
    if (max == 0)
        max = MAX_VEC_ITEMS;
    if (r->n >= max) {
        errno = E2BIG;
        return false;
    }
    if (r->n == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 8;
        void *p = mem_resize(r->v, cap, size);
        if (!p)
            return false;
        r->v = p;
        r->cap = cap;
    }
    memset((char *)r->v + r->n * size, 0, size);
    return true;
}

void vec_release_(void *vec)
{
    struct raw *r = vec;
    mem_free(r->v);
    *r = (struct raw){0};
}

/* Between star_lib.c and star_string.c: how a function of the language takes its arguments. */
#ifndef BAWN_RULES_STAR_LIB_H
#define BAWN_RULES_STAR_LIB_H

#include "rules/star_tree.h"

#define RETURN(v)                                                                                  \
    do {                                                                                           \
        call->result = (v);                                                                        \
        return call->result ? 0 : -ENOMEM;                                                         \
    } while (0)

#define FUNCTION(name)                                                                             \
    static int fn_##name(struct star *s, const struct star_value *self, struct star_call *call)

/* The arguments by NAMES (separated by spaces; behind a `?` they may be missing). */
int star_take(struct star *s, struct star_call *call, const char *names,
              const struct star_value **ret);
int star_take_int(struct star *s, const struct star_value *v, int64_t otherwise, int64_t *ret);
int star_take_text(struct star *s, const struct star_value *v, struct bytes *ret);
/* A place among N; less than 0 counts from their end. */
int64_t star_clamp(int64_t at, int64_t n);
/* A string of N bytes at P, which are not copied. */
const struct star_value *star_view(struct star *s, const char *p, size_t n);

struct star_method {
    enum star_type type;
    const char *name;
    builtin_call call;
};
/* Of strings; ended by a row without a name. */
extern const struct star_method star_string_methods[];

#endif

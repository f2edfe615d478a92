/*
 * One chunk of a conformance file on standard input, with assert.NAME written assert_NAME. Prints a
 * line for each assertion that does not hold, then "error LINE: MESSAGE" where the evaluation ended
 * with one, and "N assertions".
 */
#include "base/fd.h"
#include "rules/star_tree.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static unsigned long n_assertions;

static int check(struct star_call *call, bool holds)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    n_assertions++;
    call->result = star_none();
    if (holds)
        return 0;
    for (size_t i = 0; i < call->n_args; i++) {
        strbuf_puts(&text, i ? ", " : "");
        if (star_put(call->star, &text, call->args[i], true) < 0)
            break;
    }
    (void)printf("line %u: %s(%s)\n", call->line, call->function, strbuf_text(&text));
    return 0;
}

static int binary(struct star_call *call, enum op op, bool want)
{
    const struct star_value *v;
    if (call->n_args != 2)
        return check(call, false);
    int r = star_binary(call->star, op, call->args[0], call->args[1], &v);
    return r < 0 ? r : check(call, star_truth(v) == want);
}

static int assert_eq(struct star_call *call, struct error *err)
{
    (void)err;
    return binary(call, OP_EQ, true);
}

static int assert_ne(struct star_call *call, struct error *err)
{
    (void)err;
    return binary(call, OP_EQ, false);
}

static int assert_lt(struct star_call *call, struct error *err)
{
    (void)err;
    return binary(call, OP_LT, true);
}

static int assert_contains(struct star_call *call, struct error *err)
{
    const struct star_value *v;
    (void)err;
    if (call->n_args != 2)
        return check(call, false);
    int r = star_binary(call->star, KW_IN, call->args[1], call->args[0], &v);
    return r < 0 ? r : check(call, star_truth(v));
}

static int assert_true(struct star_call *call, struct error *err)
{
    (void)err;
    return check(call, call->n_args > 0 && star_truth(call->args[0]));
}

/* That it fails; with which words is the other implementation's business. */
static int assert_fails(struct star_call *call, struct error *err)
{
    struct star *s = call->star;
    struct error *own = s->err, unused = {0};
    struct star_call inner = {.star = s, .function = "f"};
    unsigned depth = s->depth;
    (void)err;
    s->err = &unused;
    int r = call->n_args ? star_call_value(s, call->args[0], &inner) : 0;
    s->err = own;
    s->depth = depth;
    return r == -E2BIG ? r : check(call, r < 0);
}

static void print_line(void *data, struct bytes line)
{
    (void)data;
    (void)line;
}

int main(void)
{
    static const struct star_function functions[] = {
        {"assert_eq", assert_eq},     {"assert_ne", assert_ne},
        {"assert_lt", assert_lt},     {"assert_contains", assert_contains},
        {"assert_true", assert_true}, {"assert_fails", assert_fails},
    };
    _cleanup_strbuf_ struct strbuf text = {0};
    struct error err = {0};
    if (fd_read_all(STDIN_FILENO, 1 << 20, &text) < 0)
        return 2;
    const struct star_request request = {.file = "chunk",
                                         .text = {strbuf_text(&text), text.n},
                                         .functions = functions,
                                         .n_functions = ARRAY_LEN(functions),
                                         .print = print_line};
    int r = star_run(&request, &err);
    if (r < 0)
        (void)printf("error %u: %s\n", err.line, err.message);
    (void)printf("%lu assertions\n", n_assertions);
    return 0;
}

/* The language of rules files, with the functions that rules files call. Small limits: what is
 * looked for is found long before them. And the short cut for simple statements must mean what the
 * parser makes of them. */
#include "rules/rules.h"
#include "rules/star.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

static void put(struct strbuf *out, const struct star_value *v)
{
    strbuf_puts(out, star_type_word(v));
    if (star_type(v) == STAR_STRING)
        strbuf_put(out, star_text(v).p, star_text(v).n);
    else if (star_type(v) == STAR_BOOL)
        strbuf_puts(out, star_bool(v) ? "1" : "0");
    else if (star_type(v) == STAR_LIST)
        for (size_t i = 0; i < star_length(v); i++)
            put(out, star_item(v, i));
    strbuf_putc(out, '\n');
}

static int dump(struct star_call *call, struct error *err)
{
    struct strbuf *out = call->data;
    strbuf_printf(out, "%s %u %u\n", call->function, call->line, call->column);
    for (size_t i = 0; i < call->n_args; i++)
        put(out, call->args[i]);
    for (size_t i = 0; i < call->n_named; i++) {
        strbuf_puts(out, call->names[i]);
        put(out, call->named[i]);
    }
    return call->n_args > 2 ? star_fail(call, NULL, 2, err, "too many") : 0;
}

/* An error's place and text are part of what comes out. */
static int evaluate(struct bytes text, bool by_tree, struct strbuf *out)
{
    static const struct star_function functions[] = {
        {"prefix_rule", dump}, {"network_rule", dump}, {"host_executable", dump}};
    const struct star_request request = {.file = "fuzz",
                                         .text = text,
                                         .functions = functions,
                                         .n_functions = ARRAY_LEN(functions),
                                         .data = out,
                                         .by_tree = by_tree,
                                         .max_steps = 100000};
    struct error err = {0};
    int r = star_run(&request, &err);
    strbuf_printf(out, "%d %u %u %s\n", r, err.line, err.column, err.message);
    return r;
}

static void compare(struct bytes text)
{
    _cleanup_strbuf_ struct strbuf quick = {0}, tree = {0};
    int r = evaluate(text, false, &quick), expected = evaluate(text, true, &tree);
    /* Steps and memory are counted otherwise. */
    if (r == -E2BIG || r == -ENOMEM || expected == -E2BIG || expected == -ENOMEM)
        return;
    if (r != expected || !str_eq(strbuf_text(&quick), strbuf_text(&tree)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_arena_ struct arena a = {0};
    struct error err = {0};
    struct rules *rules = rules_new(&a);
    if (!rules || size > 4096)
        return 0;
    compare((struct bytes){(const char *)data, size});
    const struct rules_source source = {
        .file = "fuzz", .rank = RULES_USER, .text = {(const char *)data, size}};
    if (rules_add(rules, &source, &err) == 0 && rules_finish(rules) == 0) {
        const struct command_word words[] = {{"git", true}, {"push", true}, {"$x", false}};
        struct rule_match found[4];
        (void)rules_match(rules, "git", words, 3, "/", found, 4);
    }
    rules_free(rules);
    return 0;
}

/*
 * bawn config: finds the word behind it in a table and hands over. One row a word; each stands in a
 * file of its own, cmd_config_WORD.c.
 */
#include "cli/cmd_config.h"

#include "cli/commands.h"
#include "cli/print.h"

#include <errno.h>

static const struct config_verb verbs[] = {
    {"show", config_show},   {"get", config_get},       {"set", config_set},
    {"check", config_check}, {"schema", config_schema}, {"import", config_import},
};

static int usage(const char *word)
{
    struct error err = {0};
    const char *names[ARRAY_LEN(verbs)];
    _cleanup_strbuf_ struct strbuf list = {0};
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        names[i] = verbs[i].name;
        strbuf_printf(&list, "%s%s",
                      i == 0                     ? ""
                      : i + 1 < ARRAY_LEN(verbs) ? ", "
                                                 : " or ",
                      names[i]);
    }
    const char *near = word ? nearest_word(word, names, ARRAY_LEN(names)) : NULL;
    if (word)
        (void)error_set(&err, -EINVAL, "config: unknown word %s", show(word));
    else
        (void)error_set(&err, -EINVAL, "config: say %s", strbuf_text(&list));
    if (near)
        error_hint(&err, "did you mean bawn config %s?", near);
    else
        error_hint(&err, "%s%s; see bawn config --help", word ? "say " : "bawn config ",
                   word ? strbuf_text(&list) : "is followed by one word");
    return cli_error(&err, EXIT_USAGE);
}

int cmd_config(int argc, char **argv)
{
    _cleanup_setup_ struct setup s = {0};
    struct options o;
    int status;
    if (!cli_parse(FOR_CONFIG, argc, argv, &s, &o, &status))
        return status;
    const char *word = o.n_rest ? o.rest[0] : NULL;
    for (size_t i = 0; word && i < ARRAY_LEN(verbs); i++)
        if (str_eq(word, verbs[i].name))
            return verbs[i].run(&s, &o);
    return usage(word);
}

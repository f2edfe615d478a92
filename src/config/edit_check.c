/* One setting against the table of keys, before anything is edited. See edit.h. */
#include "config/edit.h"

#include "base/mem.h"
#include "config/layers.h"

#include <errno.h>

int edit_check_setting(const char *name, const struct bytes *parts, size_t n, struct bytes value,
                       struct error *err)
{
    _cleanup_arena_ struct arena a = {0};
    _cleanup_strbuf_ struct strbuf line = {0};
    struct config config = {.arena = &a};
    struct toml_value *tree;
    key_put_dotted(&line, parts, n);
    strbuf_puts(&line, " = ");
    strbuf_put(&line, value.p, value.n);
    if (strbuf_failed(&line))
        return error_errno(err, -ENOMEM, "%s", name);
    /* The command line's rank: there an unknown key is an error. */
    struct config_layer layer = {.name = "session",
                                 .rank = RANK_SESSION,
                                 .file = name,
                                 .text = {strbuf_text(&line), line.n}};
    int r = config_parse_layer(&a, &layer, &tree, err);
    return r < 0 ? r : layer_check(&config, &config_keys, &layer, tree, true, err);
}

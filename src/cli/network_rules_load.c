/* The network_rule() lines of the rules files in force. See network_rules.h. */
#include "cli/network_rules.h"

#include "cli/rules_load.h"

#include <errno.h>

static int read_all(struct setup *s, const struct rules *rules, const struct netrule **ret,
                    size_t *ret_n, struct error *err)
{
    size_t n = rules_network_count(rules);
    struct netrule *all = arena_zalloc(&s->arena, n + 1, sizeof(*all));
    if (!all)
        return error_errno(err, -ENOMEM, "cannot read the rules");
    for (size_t i = 0; i < n; i++) {
        int r = network_rule_read(rules_network_at(rules, i), &all[i], err);
        if (r < 0)
            return r;
    }
    *ret = all;
    *ret_n = n;
    return 0;
}

int network_rules_load(struct setup *s, const struct netrule **ret, size_t *ret_n,
                       struct error *err)
{
    struct rules *rules;
    bool broken;
    int r = rules_load(s, &rules, &broken, err);
    if (r < 0)
        return r;
    /* What they point to is in the arena, and stays. */
    r = read_all(s, rules, ret, ret_n, err);
    rules_free(rules);
    return r;
}

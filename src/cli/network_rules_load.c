/* What the network's policy is made of: the network_rule() lines of the rules files in force, and
 * the addresses of this machine. See network_rules.h. */
#include "cli/network_rules.h"

#include "cli/rules_load.h"
#include "cli/to_ascii.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>

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

/* ---- all of it ---- */

static bool address_of(const struct sockaddr *sa, struct address *ret)
{
    *ret = (struct address){0};
    if (sa && sa->sa_family == AF_INET) {
        ret->family = ADDRESS_V4;
        memcpy(ret->b, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
        return true;
    }
    if (sa && sa->sa_family == AF_INET6) {
        ret->family = ADDRESS_V6;
        memcpy(ret->b, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
        return true;
    }
    return false;
}

/* The host's own addresses, in the arena. */
static int own_addresses(struct arena *a, const struct address **ret, size_t *ret_n)
{
    struct ifaddrs *list;
    size_t room = 0, n = 0;
    if (getifaddrs(&list) < 0)
        return -errno;
    for (const struct ifaddrs *i = list; i; i = i->ifa_next)
        room++;
    struct address *all = arena_zalloc(a, room + 1, sizeof(*all));
    for (const struct ifaddrs *i = list; all && i; i = i->ifa_next)
        if (address_of(i->ifa_addr, &all[n]))
            n++;
    freeifaddrs(list);
    *ret = all;
    *ret_n = n;
    return all ? 0 : -ENOMEM;
}

int network_input(struct setup *s, struct netpolicy_input *ret, struct error *err)
{
    struct netpolicy_input in = {.config = s->config, .profile = s->profile};
    to_ascii_begin(s);
    int r = own_addresses(&s->arena, &in.own, &in.n_own);
    if (r < 0)
        return error_errno(err, r, "cannot list the addresses of this machine");
    if ((r = network_rules_load(s, &in.rules, &in.n_rules, err)) < 0)
        return r;
    *ret = in;
    return 0;
}

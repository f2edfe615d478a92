/*
 * Names with characters outside ASCII, as people write them in rules and as some clients send them:
 * to be compared they are turned into their ASCII form, label by label ("xn--…", UTS 46,
 * non-transitional). The tables for that are large and a library's (libidn2), which the launcher
 * does not link: bawn-proxy converts by itself, the launcher asks bawn-proxy (cli/to_ascii.h). Who
 * can says so here; while nobody can, such a name is refused as host.h refuses it.
 */
#ifndef BAWN_NETWORK_UNICODE_H
#define BAWN_NETWORK_UNICODE_H

#include "base/error.h"
#include "network/host.h"

#define UNICODE_NAME_MAX 1024u /* bytes of a name in UTF-8 */

struct unicode_converter {
    void *data;
    /* NAME is not ASCII, and no longer than UNICODE_NAME_MAX. 0 with a text and its end in RET; or
     * -EINVAL and why it has no ASCII form; -ENOSYS and why nobody can say. */
    int (*convert)(void *data, struct bytes name, char ret[HOST_NAME_MAX_BYTES + 1],
                   struct error *err);
};

/* For the whole program; NULL: nobody. */
void unicode_use(const struct unicode_converter *converter);

/* Is there a byte beyond ASCII in it? */
bool unicode_is(struct bytes text);
/* A host that may be written in Unicode: what comes out is a name (never an address: digits of
 * other scripts are refused) that host_parse() takes. -EINVAL with a message that does not repeat
 * it; ERR may be NULL. */
int unicode_host(struct bytes text, struct host *ret, struct error *err);
/* The same, where only the problem counts: HOST_NOT_ASCII when it has no ASCII form. */
enum host_problem unicode_parse(struct bytes text, struct host *ret);

#endif

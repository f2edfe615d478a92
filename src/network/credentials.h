/*
 * Secrets that the sandbox uses without seeing them (spec 5.6): what the configuration says of
 * them. Their values are read by the launcher (intercept/secrets.h) and put into requests by
 * bawn-intercept. Pure.
 *
 *   [permissions.NAME.network.credentials.forge]
 *   host = "api.example.com"          one host, with a port where one is meant; no wildcard
 *   header = "authorization"
 *   format = "Bearer {}"              {} stands for the secret; default "{}"
 *   from_env = "FORGE_TOKEN"          of bawn's own environment; or from_file
 *   from_file = "~/.config/forge/token"
 *   placeholder_env = "FORGE_TOKEN"   the variable that the command sees a placeholder in
 */
#ifndef BAWN_NETWORK_CREDENTIALS_H
#define BAWN_NETWORK_CREDENTIALS_H

#include "base/mem.h"
#include "network/pattern.h"
#include "network/policy.h"
#include "permissions/profile.h"

#define MAX_CREDENTIALS 256u

struct netcredential {
    const char *name; /* "forge" */
    struct netpattern host;
    const char *header;               /* lower case */
    const char *before, *after;       /* of the format, what stands round the secret */
    const char *from_env, *from_file; /* one of them; the file is absolute */
    const char *placeholder_env;      /* or NULL */
    struct netrule place;             /* `pattern` is the host's; `id` the index */
};

struct netcredentials {
    const struct netcredential *v;
    size_t n;
};

/* From the profile's tables: what the nearest profile says of a name replaces what those it extends
 * say. HOME (may be NULL) is for "~/". A fault has its place. */
int credentials_from_config(struct arena *a, const struct profile *profile, const char *home,
                            struct netcredentials *ret, struct error *err);
/* Does some credential belong to the host? */
bool credentials_name(const struct netcredentials *c, const struct host *host, uint16_t port);

#endif

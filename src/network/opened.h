/*
 * Which TLS connections are opened, so that what goes through them can be judged (spec 5.6): all of
 * them in mode "limited", those to hosts with rules for requests or with credentials otherwise.
 * Those to hosts in [permissions.NAME.network.mitm] exclude = ["pattern", …] never. Pure.
 */
#ifndef BAWN_NETWORK_OPENED_H
#define BAWN_NETWORK_OPENED_H

#include "network/credentials.h"
#include "network/requests.h"

#define MAX_OPENED 8192u

struct opened_host {
    const char *text; /* as written */
    struct netpattern pattern;
};

struct netopened {
    bool all; /* but those in `exclude` */
    const struct opened_host *hosts, *exclude;
    size_t n_hosts, n_exclude;
};

enum opened { OPENED_NO, OPENED_YES, OPENED_EXCLUDED /* it would be, but passes unopened */ };
enum opened opened_for(const struct netopened *o, const struct host *host, uint16_t port);
/* Is there any host that is opened? If not, nothing has to be started for it. */
bool opened_any(const struct netopened *o);

/* LIMITED: mode is "limited". A credential for a host that is excluded is a fault. */
int opened_from_config(struct arena *a, const struct profile *profile, bool limited,
                       const struct netrequests *requests, const struct netcredentials *credentials,
                       struct netopened *ret, struct error *err);

/* For settings that travel, as requests_write() and requests_read(). */
void opened_write(const struct netopened *o, struct strbuf *out);
int opened_read(struct arena *a, struct bytes *text, struct netopened *ret, struct error *err);

#endif

/*
 * What the launcher tells bawn-intercept when it starts it, and what it does with what it hears
 * back.
 *
 *   launcher                                     bawn-intercept (descriptor 3)
 *     WIRE_START: settings (memfd), then, where
 *     there are credentials, secrets (sealed)      reads them, makes the CA, confines itself
 *                                                  WIRE_READY, payload: the CA's certificate, PEM
 *                                                  (or WIRE_FAILED with why)
 *                                                  WIRE_EVENTS, `rule` is one of requests.places
 *     WIRE_FINISH                                  WIRE_EVENTS, then WIRE_READY, and it exits
 *
 * Descriptor 4 is the other end of bawn-proxy's (handover.h). The end of descriptor 3 ends it.
 */
#ifndef BAWN_INTERCEPT_SETTINGS_H
#define BAWN_INTERCEPT_SETTINGS_H

#include "base/mem.h"
#include "network/credentials.h"
#include "network/requests.h"

#define INTERCEPT_FD 3

struct intercept_credential {
    const char *host_text;
    struct netpattern host;
    const char *header, *before, *after; /* as in struct netcredential */
};

struct intercept_settings {
    bool tells_ends;           /* of connections: wire_event.lasted_us */
    bool limited;              /* only GET, HEAD and OPTIONS */
    const char *profile;       /* for hints, or NULL */
    const char *block_message; /* or NULL */
    /* Files of certificates (PEM) that servers are verified against. None: the system's, the first
     * of trust_root_files[] that is there. */
    const char *const *root_files;
    size_t n_root_files;
    struct netrequests requests;
    const struct intercept_credential *credentials; /* their secrets come beside, in this order */
    size_t n_credentials;
};

/* Appends S to OUT. -ENOMEM. */
int intercept_settings_write(const struct intercept_settings *s, struct strbuf *out);
/* Into A; strings point into TEXT. */
int intercept_settings_read(struct arena *a, struct bytes text, struct intercept_settings *ret,
                            struct error *err);
/* What of the configuration's credentials travels. NULL without memory. */
const struct intercept_credential *intercept_credentials(struct arena *a,
                                                         const struct netcredentials *c);

/* ---- trust (trust.c) ---- */

/* Where systems have their roots, in one file. NULL-terminated. */
extern const char *const trust_root_files[];

/* Variables that tell programs which roots to trust: set to the path of a bundle of the system's
 * roots and the CA. */
struct trust_variable {
    const char *name;
    bool ca_alone; /* adds to what the program trusts: the CA's own file is enough */
    const char *programs;
};
extern const struct trust_variable trust_variables[];
extern const size_t n_trust_variables;

#endif

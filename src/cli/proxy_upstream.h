/*
 * The way out through other proxies: HTTP_PROXY and kin of bawn's own environment (spec 5.1).
 */
#ifndef BAWN_CLI_PROXY_UPSTREAM_H
#define BAWN_CLI_PROXY_UPSTREAM_H

#include "base/error.h"
#include "base/mem.h"
#include "network/wire.h"

/* Fills the four strings of S. -EINVAL: a proxy that bawn cannot go through. */
int upstream_read(struct arena *a, struct wire_settings *s, struct error *err);
/* Is TLS spoken with one of them? */
bool upstream_over_tls(const struct wire_settings *s);
/* "http through http://proxy.test:3128, …", without names and passwords; NULL: straight, or no
 * memory. */
const char *upstream_words(struct arena *a, const struct wire_settings *s);

#endif

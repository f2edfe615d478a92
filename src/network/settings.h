/*
 * What configuration says of a filtered network besides which hosts may be reached (spec 5.1):
 * features.network_proxy where it is a table, the `network` tables of the profile's `extends` chain
 * over it, and the requirements' experimental_network, which only narrows.
 */
#ifndef BAWN_NETWORK_SETTINGS_H
#define BAWN_NETWORK_SETTINGS_H

#include "config/config.h"
#include "permissions/profile.h"

struct net_settings {
    bool limited;     /* mode */
    bool socks;       /* enable_socks5 */
    bool socks_udp;   /* enable_socks5_udp, where socks is on */
    bool upstream;    /* allow_upstream_proxy */
    bool transparent; /* programs that read no proxy variables work, too */
    bool all_unix_sockets;
    uint16_t http_port, socks_port;  /* inside the sandbox; 0: chosen freely */
    const char *block_message;       /* or NULL */
    const char *const *unix_sockets; /* those that may be connected to */
    size_t n_unix_sockets;
    const char *const *denied_unix_sockets; /* those that may not, whatever else allows them */
    size_t n_denied_unix_sockets;
};

/* Strings live as long as the configuration. Warnings about what is dangerous are appended to its
 * own. -EINVAL with the place of what is wrong. */
int net_settings_from_config(struct config *config, const struct profile *profile,
                             struct net_settings *ret, struct error *err);

#endif

/*
 * What a filtered network is made of inside the sandbox's own network namespace (spec 5.5): the
 * listening sockets that the proxy accepts on, and the rules that lead everything else to them.
 *
 *   lo          127.0.0.1, ::1, and NET_OWN_ADDRESS, for programs that look for an address that is
 *               not loopback before they look a name up
 *   sockets     HTTP and SOCKS on both loopbacks; with redirection one more for every other TCP
 *               connection, and a stub resolver on port 53
 *   redirection a local route for every address, and nftables: port 53 to the stub, other TCP that
 *               is not for the loopback to its listener. UDP to anywhere finds nobody there
 *
 * The namespace has no other device. What none of this catches has no way out: the connection is
 * refused, or there is no route.
 *
 * The same ports in every sandbox: nothing else lives in a fresh namespace, and so the plan shows
 * the environment as it is.
 */
#ifndef BAWN_SANDBOX_NET_INSIDE_H
#define BAWN_SANDBOX_NET_INSIDE_H

#include "sandbox/sandbox.h"

#define NET_HTTP_PORT        3128 /* unless the configuration names others */
#define NET_SOCKS_PORT       1080
#define NET_TRANSPARENT_PORT 3129 /* or the next that is free */
#define NET_DNS_PORT         53
#define NET_OWN_ADDRESS      "192.0.0.8" /* the dummy address of RFC 7600; never sent anywhere */

/* One of each enum wire_listener on 127.0.0.1 and on ::1. */
#define NET_LISTENERS_MAX 12

/* The program that ssh is told to connect through: bawn's own, bound to this place in the
 * sandbox's /dev. */
#define NET_CONNECTOR "/dev/bawn-connect"

/* A failure, by whom and why. WHAT is static. */
struct net_problem {
    int code; /* 0 or a negative errno */
    const char *what;
};

/* The sockets of PLAN in this network namespace; REDIRECT: those of redirection, too. A kernel
 * without IPv6 has the IPv4 half. How many, or a negative errno with *ret_why. */
int net_listen(const struct plan_net *plan, bool redirect, struct net_listener *ret,
               struct net_problem *ret_why);
/* Gives the loopback device its address and the routes, and loads the rules (net_redirect.c). 0 or
 * a negative errno with *ret_why; then nothing of it stands that leads anywhere. Takes
 * CAP_NET_ADMIN over the namespace. IPV6: the kernel has it. */
int net_redirect(uint16_t port, bool ipv6, struct net_problem *ret_why);
uint16_t net_transparent_port(const struct plan_net *plan);

struct launch;
/* All of it, as the plan has it, and the sockets sent to the outer; no copy is kept. CAN_REDIRECT:
 * the caller has the right to. Where redirection does not work the person is told, and the rest
 * stands. 0 or a negative errno with *ret_why. */
int net_inside(const struct launch *l, bool can_redirect, struct net_problem *ret_why);

#endif

/* bawn explain --net HOST:PORT… See cmd_explain_net.c. */
#ifndef BAWN_CLI_CMD_EXPLAIN_NET_H
#define BAWN_CLI_CMD_EXPLAIN_NET_H

#include "cli/setup.h"

/* Answers for S's options. Returns what bawn exits with. */
int explain_net(struct setup *s);

#endif

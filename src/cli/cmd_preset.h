/* bawn permissions preset. */
#ifndef BAWN_CLI_CMD_PRESET_H
#define BAWN_CLI_CMD_PRESET_H

#include "cli/setup.h"

/* rest[0] is the word "preset". Before anything is loaded; what bawn exits with. */
int permissions_preset(struct setup *s, struct options *o);

#endif

/*
 * Asking what is installed here for the hosts that it uses (network/preset.h): programs are run and
 * files are read. Programs: found where no sandbox may have put them, in "/", with an environment
 * that is listed, for a bounded time.
 */
#ifndef BAWN_CLI_PRESET_ASK_H
#define BAWN_CLI_PRESET_ASK_H

#include "cli/setup.h"
#include "network/preset.h"

/* Fills F for F's preset (not of git-read, which knows no host). -ENOENT: what it is for is not
 * there, or must not be run; -EIO: it does not answer. With a message and a hint. */
int preset_ask(struct setup *s, struct preset_found *f, struct error *err);

#endif

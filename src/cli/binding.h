/*
 * What an approval is bound to besides the words that were shown: the very files that would run.
 * The program of each command, and where that is an interpreter, the script it is given. A file
 * that a sandbox could have changed is known by its content, others by device, inode, size and
 * time.
 */
#ifndef BAWN_CLI_BINDING_H
#define BAWN_CLI_BINDING_H

#include "base/sha256.h"
#include "rules/judge.h"

/* Feeds KEY with the files of JUDGEMENT's commands, looked at now. CWD is where relative names
 * begin. False when one could not be read: then an approval is good for this once only. */
bool binding_put(const struct judgement *judgement, const char *cwd, struct sha256 *key);

#endif

/*
 * Names outside ASCII in patterns and on the command line, converted by bawn-proxy (unicode.h),
 * which is started when the first of them is met, and only then.
 */
#ifndef BAWN_CLI_TO_ASCII_H
#define BAWN_CLI_TO_ASCII_H

#include "cli/setup.h"

/* From now on for the whole program; S has its profile, and lives on. */
void to_ascii_begin(struct setup *s);
/* The helper ends; what is met later starts it again. */
void to_ascii_end(void);

#endif

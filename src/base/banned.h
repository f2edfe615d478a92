/*
 * Functions that read or write past what they were given, or cannot report an error, do not compile
 * here. The build includes this file before everything else in src/.
 */
#ifndef BAWN_BASE_BANNED_H
#define BAWN_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Some libcs define a few of them as macros, which cannot be poisoned. */
#undef alloca
#undef sprintf
#undef vsprintf
#pragma GCC poison alloca strcpy strcat strncat stpcpy sprintf vsprintf strtok gets atoi atol atoll
#pragma GCC poison mktemp tmpnam

#endif

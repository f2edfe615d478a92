/*
 * Functions that read or write past what they were given, or cannot report an error, do not compile
 * here. The build includes this file before everything else in src/.
 */
#ifndef BAWN_BASE_BANNED_H
#define BAWN_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef alloca
#undef alloca
#endif
#pragma GCC poison alloca strcpy strcat strncat stpcpy sprintf vsprintf strtok gets atoi atol atoll mktemp tmpnam

#endif

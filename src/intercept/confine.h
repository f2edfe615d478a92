/* What bawn-intercept gives up. See confine.c. */
#ifndef BAWN_INTERCEPT_CONFINE_H
#define BAWN_INTERCEPT_CONFINE_H

#include "helper/confine.h"

#include <linux/filter.h>

/* When all that is needed of files was read. */
int confine(struct error *err);
/* The filter of system calls. Static storage. */
struct sock_fprog confine_program(void);

#endif

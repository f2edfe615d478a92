/*
 * The rules in force, from the disk: those of requirements, /etc/bawn/rules/, $BAWN_HOME/rules/,
 * and .bawn/rules/ of a trusted project from its root down to the working directory (spec 4.2).
 */
#ifndef BAWN_CLI_RULES_LOAD_H
#define BAWN_CLI_RULES_LOAD_H

#include "cli/setup.h"
#include "rules/rules.h"

#define SYSTEM_RULES "/etc/bawn/rules"

/* All of them, ready to be matched; in S's arena, and to be given to rules_free(). A broken file of
 * a project is a warning, and *ret_broken_project says so; every other is an error. After
 * setup_profile(). */
int rules_load(struct setup *s, struct rules **ret, bool *ret_broken_project, struct error *err);
/* One FILE that somebody named. Added to RULES, which is not finished yet. */
int rules_load_file(struct arena *a, struct rules *rules, const char *file, struct error *err);

#endif

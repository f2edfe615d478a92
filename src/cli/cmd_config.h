/*
 * What the files of `bawn config` share. A new word is a function here and a row in cmd_config.c.
 */
#ifndef BAWN_CLI_CMD_CONFIG_H
#define BAWN_CLI_CMD_CONFIG_H

#include "base/json.h"
#include "cli/setup.h"
#include "config/requirements.h"

struct config_verb {
    const char *name;
    /* rest[0] is the word itself, rest[1…] what followed it. Returns what bawn exits with. */
    int (*run)(struct setup *s, const struct options *options);
};

int config_show(struct setup *s, const struct options *options);
int config_get(struct setup *s, const struct options *options);
int config_check(struct setup *s, const struct options *options);
int config_set(struct setup *s, const struct options *options);
int config_schema(struct setup *s, const struct options *options);
int config_import(struct setup *s, const struct options *options);

/* For status as well: the layers, and the requirements in force. */
void config_layers_json(const struct config *c, struct json *j);
void config_requirements_json(const struct requirements *q, struct json *j);

#endif

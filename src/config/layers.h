/*
 * Between the files of this room: layers while they are loaded. A layer is a TOML tree whose nodes
 * are owned by a struct config_layer.
 */
#ifndef BAWN_CONFIG_LAYERS_H
#define BAWN_CONFIG_LAYERS_H

#include "config/config.h"
#include "config/keys.h"

struct loader {
    struct arena *a;
    struct config *config;
    const struct config_request *request;
    struct error *err;
};

/* ---- trees ---- */

struct toml_value *tree_new(struct arena *a, const void *owner);
/* LOW under HIGH: tables merge key by key, everything else replaces. NULL without memory. */
struct toml_value *tree_merge(struct arena *a, struct toml_value *low, struct toml_value *high);
/* A tree that holds VALUE at PARTS and nothing else. */
struct toml_value *tree_wrap(struct arena *a, const struct bytes *parts, size_t n,
                             struct toml_span span, struct toml_value *value);
/* The same at a dotted NAME without quotes. */
struct toml_value *tree_wrap_name(struct arena *a, const char *name, struct toml_span span,
                                  struct toml_value *value);
const struct toml_value *tree_find(const struct toml_value *tree, const char *name);
/* Every node of V belongs to LAYER. -E2BIG: nested too deeply. */
int tree_own(struct toml_value *v, const struct config_layer *layer);
struct toml_value *tree_string(struct arena *a, const struct config_layer *layer, const char *s);
bool tree_equal(const struct toml_value *a, const struct toml_value *b);

/* ---- one layer ---- */

struct config_layer *layer_add(struct loader *l, enum config_rank rank, const char *file);
/* TREE against TABLE: unknown keys are warnings (errors on the command line and when strict), wrong
 * types are errors. */
int layer_check(struct config *config, const struct key_table *table,
                const struct config_layer *layer, const struct toml_value *tree, bool strict,
                struct error *err);
/* TEXT, already read into the arena, as LAYER's: parsed, checked, kept in layer->tree. */
int layer_take(struct loader *l, struct config_layer *layer, struct bytes text);
/* FILE as a layer; a missing one is a layer that was not read. DIR: what relative paths are under.
 */
int layer_load_file(struct loader *l, enum config_rank rank, const char *file, const char *dir);

/* ---- the layers, in the order they are loaded in ---- */

int layers_load_all(struct loader *l);
/* Merges what was loaded into config->tree, lowest first. */
int layers_merge(struct loader *l);
/* The merged tree of the layers of rank FROM to TO that are loaded by now. */
int layers_merge_between(struct loader *l, enum config_rank from, enum config_rank to,
                         struct toml_value **ret);

/* tighten.c: TREE, a project's, without what it may not say; *ret may be an empty table. LOWER is
 * what holds without it. What narrows in its own way goes to the configuration. */
int layer_tighten(struct loader *l, struct config_layer *layer, const struct toml_value *tree,
                  const struct toml_value *lower, struct toml_value **ret);

#endif

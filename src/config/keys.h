/*
 * The one table of configuration keys. Validation, the "did you mean", the defaults, the schema,
 * the man page and the completions all come from it: a new key is one row in keys.c.
 *
 * A name is a dotted path; the component `*` stands for one of anybody's choice (a profile's name,
 * a folder). A prefix of a name is a table.
 */
#ifndef BAWN_CONFIG_KEYS_H
#define BAWN_CONFIG_KEYS_H

#include "base/error.h"
#include "base/toml.h"

enum key_type {
    KEY_BOOLEAN,
    KEY_INTEGER,
    KEY_SECONDS, /* integer or float */
    KEY_SIZE,    /* integer of bytes, or a string such as "2GiB" */
    KEY_STRING,
    KEY_WORD,          /* one of `words` */
    KEY_STRINGS,       /* array of strings */
    KEY_STRING_TABLE,  /* table whose every value is a string */
    KEY_TABLE,         /* table; what is in it is not checked here unless it has rows of its own */
    KEY_WORD_OR_TABLE, /* one of `words`, or a table with rows of its own */
    KEY_BOOLEAN_OR_TABLE, /* a switch, or a table with `enabled` and more */
    KEY_ACCESS_TABLE,     /* path -> access word or table of sub-paths (a profile's filesystem) */
    KEY_WORDS,            /* array whose every item is one of `words` */
    KEY_BOOLEAN_TABLE,    /* table whose every value is a boolean */
    KEY_TABLES,           /* array of tables */
    KEY_COMMANDS,         /* array of commands, each an array of words: program, arguments */
    KEY_ANY,              /* somebody else's business: kept as it is */
};

enum {
    KEY_UNREAD = 1u << 0, /* nothing reads it yet: parsed, checked, kept and shown */
    KEY_PROFILE =
        1u << 1, /* inside a permission profile or preset: checked when profiles are resolved */
    KEY_NAMES = 1u << 2, /* items are relative paths: no "..", no wildcard */
    KEY_FILTER =
        1u << 3, /* of a profile's network: means something only with the filtering proxy */
    KEY_NOT_EMPTY = 1u << 4, /* an array must hold something */
    KEY_TOP = 1u << 5,       /* cannot stand in a configuration profile */
    KEY_URL = 1u << 6,       /* http:// or https://, or ${NAME} in it */
    KEY_LINE = 1u << 7,      /* one line of at most 256 bytes */
    KEY_LABEL = 1u << 8,     /* at most 32 letters, digits, dots, dashes, underscores */
};

/* What a project's file may do with a key (spec 3.1): a stranger's text tightens, it never widens.
 * "Less" and "earlier" are against what holds without the file. */
enum key_project {
    PROJECT_NO,      /* nothing: dropped with a warning */
    PROJECT_EARLIER, /* a word that stands no later in `words` */
    PROJECT_LATER,   /* a word that stands no earlier */
    PROJECT_TRUE,
    PROJECT_FALSE,
    PROJECT_ADD,    /* its items are added */
    PROJECT_SUBSET, /* of its items, those that hold anyway */
    PROJECT_LESS,
    PROJECT_MORE,
    PROJECT_NARROW, /* a list of what may stay: holds beside the other one */
    PROJECT_DENY,   /* of a permission profile: what takes away, and it holds for every profile */
};

struct config_key {
    const char *name;
    enum key_type type;
    const char *fallback;     /* the default as TOML text; "" = unset */
    const char *const *words; /* KEY_WORD*: NULL-terminated */
    int64_t least, most;      /* KEY_INTEGER, KEY_SECONDS, KEY_SIZE; most 0 = no bound */
    unsigned flags;
    enum key_project project;
    const char *text; /* one sentence for people */
};

struct key_table {
    const struct config_key *keys;
    size_t n;
};

extern const struct key_table config_keys;      /* config.toml and managed_config.toml */
extern const struct key_table requirement_keys; /* requirements.toml */

/* The row for a dotted path, or NULL. *ret_inner (may be NULL): the path is a table above some row.
 */
const struct config_key *keys_find(const struct key_table *table, const struct bytes *parts,
                                   size_t n, bool *ret_inner);
/* The nearest key to WORD in the table PARENT[0..n): a bare component, or the whole dotted name
 * when WORD is a key of another table. NULL when nothing is near. Static storage. */
const char *keys_nearest(const struct key_table *table, const struct bytes *parent, size_t n,
                         const char *word);
/* Checks VALUE against a row. The error's message does not name the key; *ret_at is the value at
 * fault (VALUE itself or an item of it). Tables with rows of their own are not entered. */
int key_check(const struct config_key *key, const struct toml_value *value,
              const struct toml_value **ret_at, struct error *err);
/* "2GiB", "512M", "1000": bytes. K, M, G, T and KiB… are powers of 1024; KB… of 1000. */
bool key_parse_size(struct bytes text, uint64_t *ret);
const char *key_type_word(enum key_type type); /* "boolean", "list of strings", … */
/* What a project's file may do with a key, as a sentence without its full stop. */
const char *key_project_words(enum key_project project);
/* The parts as a dotted key with quotes where TOML wants them; appended to OUT. */
void key_put_dotted(struct strbuf *out, const struct bytes *parts, size_t n);
/* "a, b or c" of a NULL-terminated list. */
void key_put_words(struct strbuf *out, const char *const *words);

#endif

/*
 * Presets of a network: what a package manager or git has to reach, as lines of a profile. No host
 * is known here: they come from the tools' own configuration, as texts that the caller has read
 * (cli/preset_ask.c); here they are understood, collected and written out. Pure.
 *
 * Where a value was found stands beside it, without the value: URLs hold passwords.
 */
#ifndef BAWN_NETWORK_PRESET_H
#define BAWN_NETWORK_PRESET_H

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/toml.h"
#include "base/vec.h"

#define MAX_PRESET_HOSTS 256u
#define MAX_PRESET_NOTES 64u

enum preset_kind {
    PRESET_NPM,
    PRESET_PYPI,
    PRESET_CARGO,
    PRESET_GO,
    PRESET_DEBIAN,
    PRESET_GIT_READ,
};

struct net_preset {
    const char *name; /* "npm" */
    enum preset_kind kind;
    const char *what; /* one line: what it is for */
    const char
        *include; /* the preset of files that goes with it (permissions/resolve.h), or NULL */
};
extern const struct net_preset net_presets[];
extern const size_t n_net_presets;
const struct net_preset *net_preset_find(const char *name); /* NULL: there is none */

struct preset_host {
    const char *pattern; /* "registry.example.org:443" */
    const char *from;    /* where it was found */
    bool tls;
    bool dotted;   /* requests to it have "." in their paths: no rule for requests lets them pass */
    bool doubtful; /* a command may have put it there: for a person to look at, and never written */
};

/* What was found. All strings are in the arena. Zeroed but for `arena` and `preset` it is ready. */
struct preset_found {
    struct arena *arena;
    const struct net_preset *preset;
    VEC(struct preset_host) hosts;
    VEC(const char *) notes; /* what a person should know besides */
    bool doubting;           /* what is read now is doubtful */
    bool failed;             /* no memory, or too much of something */
};
void preset_found_release(struct preset_found *f);
#define _cleanup_preset_found_ _cleanup_(preset_found_release)

void preset_note(struct preset_found *f, const char *fmt, ...) _printf_(2, 3);
/* The host of an http or https URL; of another, or of none, a note. True: a host was added or was
 * there. */
bool preset_add_url(struct preset_found *f, struct bytes url, const char *from);
/* HOST or HOST:PORT; TLS unless the port is 80. False: it is no host. */
bool preset_add_host(struct preset_found *f, struct bytes text, const char *from);

/* ---- the tools' texts ---- */

/* `npm config list --json`. False: it makes no sense. *ret_file: the person's .npmrc, or NULL. */
bool preset_read_npm(struct preset_found *f, struct bytes text, const char **ret_file);
/* An .npmrc in FILE, for what the list leaves out: registries whose URL has a password. ALL: also
 * the one that has no scope. */
void preset_read_npmrc(struct preset_found *f, const char *file, struct bytes text, bool all);
/* `pip config list`. *ret_index: an index other than the default is set. */
void preset_read_pip(struct preset_found *f, struct bytes text, bool *ret_index);
/* `go env GOPROXY GOSUMDB`. False: it makes no sense. */
bool preset_read_go(struct preset_found *f, struct bytes text);
/* A source list of apt in FILE: lines, or (DEB822) paragraphs. MIRRORS gets the paths of mirror
 * lists on this machine (mirror+file:), each of them one or several URLs. */
struct preset_files {
    VEC(const char *) v;
};
void preset_read_apt(struct preset_found *f, const char *file, bool deb822, struct bytes text,
                     struct preset_files *mirrors);
/* A mirror list. */
void preset_read_mirrors(struct preset_found *f, const char *file, struct bytes text);
/* Cargo's configuration in FILE; TREE may be NULL (there is none). *ret_default: the registry that
 * cargo itself knows is used, and its host is not known here. */
void preset_read_cargo(struct preset_found *f, const char *file, const struct toml_value *tree,
                       bool *ret_default);
/* config.json of the copy of an index that lies in the directory NAME ("HOST-HASH"). What it says
 * is doubtful. */
void preset_read_cargo_index(struct preset_found *f, const char *name, struct bytes text);

/* ---- what comes of it ---- */

/* The rules for requests that go with HOST, each a table of TOML in one line (without "host"), in
 * order; how many. */
struct preset_rule {
    const char *methods; /* TOML, or NULL: any */
    const char *path;    /* or NULL: any */
    const char *decision;
};
size_t preset_rules(const struct net_preset *p, const struct preset_host *host,
                    const struct preset_rule **ret);

/* The lines to be put into a configuration, for PROFILE. */
void preset_toml(const struct preset_found *f, const char *profile, struct strbuf *out);
/* One rule for requests as TOML, a table of the array of PROFILE. */
void preset_rule_toml(const char *profile, const struct preset_host *host,
                      const struct preset_rule *rule, struct strbuf *out);
void preset_json(const struct preset_found *f, const char *profile, struct json *j);

#endif

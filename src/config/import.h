/*
 * Bringing over what a person has configured for Codex: config.toml, its profiles, its rules, its
 * trust; and what a person permits Claude Code (import_claude.c). import_plan() reads and decides
 * and writes nothing; import_write() carries it out, all of it or nothing.
 *
 * What is known and valid here is copied as it stands, comments and order kept. What is not is
 * commented out in its place, with the reason, and noted with file and line.
 */
#ifndef BAWN_CONFIG_IMPORT_H
#define BAWN_CONFIG_IMPORT_H

#include "config/config.h"

struct import_note {
    const char *file;
    unsigned line, column; /* 0: the whole file */
    const char *what;      /* one line */
    bool changed;          /* brought over, with another value */
};

struct import_file {
    const char *from; /* a file of Codex's */
    const char *to;   /* absolute, below bawn's home */
    struct bytes text;
    bool there; /* TO exists */
    bool same;  /* and holds this text already */
};

struct import {
    struct arena *arena;
    const char *codex_home, *bawn_home;
    struct import_file *files; /* in the order they are put in place */
    size_t n_files;
    struct import_note *notes; /* by file and line */
    size_t n_notes;
    struct trust trust;            /* what trust.toml is to hold; paths canonical */
    struct string_list profiles;   /* the NAME of each NAME.config.toml */
    const struct toml_value *main; /* config.toml as it was, or NULL */
};

#define MAX_IMPORT_FILES 1000u  /* profiles and rules */
#define MAX_IMPORT_NOTES 10000u /* past that it is no configuration */

/* CODEX_HOME and BAWN_HOME are absolute. -ENOENT: there is nothing to import. A file that does not
 * parse is an error with its place. */
int import_plan(struct arena *a, const char *codex_home, const char *bawn_home, struct import *ret,
                struct error *err);

/* The same from settings of Claude Code: permissions become rules/imported-claude.rules, and the
 * configuration profile claude.config.toml with a permission profile "claude". FILES (absolute)
 * that are missing are an error only when NAMED. HOME: what "~" is there, or NULL. */
struct import_claude {
    const char *const *files;
    size_t n;
    bool named;
    const char *home;
};
int import_claude_plan(struct arena *a, const struct import_claude *from, const char *bawn_home,
                       struct import *ret, struct error *err);

/* Would import_write() find its places free? Makes nothing. */
int import_check(const struct import *import, bool force, struct error *err);

/* -EEXIST when a file is there with another text and not FORCE; FORCE keeps it as FILE.bak (or
 * .bak2 …). Every file is written beside its place first, then all are renamed: after a crash each
 * one is the old or the new, whole, and the same command again does the rest. */
int import_write(const struct import *import, bool force, struct error *err);

/* ---- between the two files, and for tests ---- */

/* TEXT of FILE as bawn takes it, in *ret (arena); notes and trust go to IM. PROFILE: it is a
 * NAME.config.toml. */
int import_text(struct import *im, const char *file, struct bytes text, bool profile,
                struct bytes *ret, struct error *err);
int import_note(struct import *im, const struct import_note *note);
/* Is TEXT right as the layer that FILE is to be? */
int import_check_text(struct import *im, const char *file, struct bytes text, bool profile,
                      struct error *err);
/* TEXT is to be NAME below bawn's home. im->files has room for it. */
int import_add_file(struct import *im, const char *from, const char *name, struct bytes text,
                    struct error *err);
/* FILE as a whole. -ENOENT: there is none. */
int import_read(struct import *im, const char *file, struct bytes *ret, struct error *err);

#endif

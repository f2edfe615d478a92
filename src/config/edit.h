/*
 * Changing one key of a TOML file that a person wrote: comments, order, spelling and line ends of
 * everything else stay byte for byte. The text half is pure; the file half survives a crash at any
 * instant and two writers at once.
 */
#ifndef BAWN_CONFIG_EDIT_H
#define BAWN_CONFIG_EDIT_H

#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <sys/types.h>

/* TEXT (a whole document that parses) with the dotted key PARTS set to VALUE (TOML text of one
 * value), or with the key removed when VALUE.p is NULL (-ENOENT when it is not there), appended to
 * OUT. Replaced where it stands; a new key goes to the end of its table, a new table to the end of
 * the file. The result parses and differs in that key alone: checked before it is returned. TEXT
 * names the file in errors as FILE. */
int edit_set(struct bytes text, const char *file, const struct bytes *parts, size_t n,
             struct bytes value, struct strbuf *out, struct error *err);

/* Is PARTS = VALUE (TOML) a setting that the user's file may hold: a key that is known, a value of
 * its type? In errors the setting is shown as one line of a file called NAME. */
int edit_check_setting(const char *name, const struct bytes *parts, size_t n, struct bytes value,
                       struct error *err);

struct edit_request {
    const char *file; /* a missing one is made, with MODE, its directory too (0700) */
    mode_t mode;
    const struct bytes *parts;
    size_t n_parts;
    struct bytes value; /* .p == NULL: remove */
    /* Another change than of a key of TOML: TEXT, changed, is appended to OUT. Then parts and value
     * are not looked at. It may be called several times. NULL: the key. */
    int (*edit)(void *data, struct bytes text, struct strbuf *out, struct error *err);
    /* Is the new text good? Called before anything is written; NULL = no more checks. */
    int (*check)(void *data, struct bytes text, struct error *err);
    void *data;
};

/* Under a lock beside the file (FILE.lock, flock; removed by nobody): reads, edits, checks, writes
 * a temporary file in the same directory, fsyncs it, renames it over FILE, fsyncs the directory.
 * A symlink is followed: its target is what is replaced. Owner and mode of an existing file stay.
 * On any error FILE is what it was, and no temporary file is left; one left by a crash is removed
 * by the next edit. *ret_changed (may be NULL): false when the file said so already. */
int edit_file(const struct edit_request *request, bool *ret_changed, struct error *err);

#endif

/*
 * One question, one place: what does a profile allow on a path? (Spec 2.3, 2.4.)
 *
 * Every entry that names the path or a directory above it has a depth: the components of what it
 * names (of a glob: of the deepest prefix of the path that it matches). The deepest decides. At
 * equal depth `none` beats `write` beats `read`, so that a mask is never lost by being said twice,
 * and so that an explicit `write` lifts the protection of exactly that path.
 *
 * bawn's own files stand outside that contest: they cap its result, because a sandbox that can edit
 * its own limits has none.
 *
 * Pure: no file, clock or environment; nothing is allocated, so a supervisor can ask while it
 * answers a system call.
 */
#include "permissions/permissions.h"

#include "base/path.h"

/* At equal depth the greater rank wins. */
static int rank(enum access access)
{
    switch (access) {
    case ACCESS_NONE:
        return 2;
    case ACCESS_WRITE:
        return 1;
    case ACCESS_READ:
        break;
    }
    return 0;
}

/* How deep ENTRY reaches into PATH; false when it does not name it. */
static bool entry_covers(const struct perm_entry *entry, const char *path, size_t *ret_depth)
{
    if (!path_is_below(path, entry->path))
        return false;
    size_t depth = path_depth(entry->path);
    if (entry->glob) {
        size_t n = strlen(entry->path);
        size_t deeper = glob_match_deepest(entry->glob, path + n, entry->max_depth);
        if (deeper == 0)
            return false;
        depth += deeper;
    }
    *ret_depth = depth;
    return true;
}

static enum why why_of(const struct perm_entry *entry)
{
    if (!entry)
        return WHY_DEFAULT;
    if (entry->access == ACCESS_NONE)
        return WHY_MASKED;
    switch (entry->kind) {
    case ENTRY_PROTECTED:
    case ENTRY_GITDIR:
    case ENTRY_NESTED:
    case ENTRY_OWN:
        return WHY_PROTECTED;
    case ENTRY_NAMED:
    case ENTRY_BASE:
        break;
    }
    return WHY_GRANTED;
}

struct permission permissions_check(const struct profile *profile, const char *path)
{
    const struct perm_entry *best = NULL, *cap = NULL;
    size_t best_depth = 0;
    if (profile->full_access)
        return (struct permission){ACCESS_WRITE, WHY_GRANTED,
                                   profile->n_entries ? profile->entries : NULL};
    for (size_t i = 0; i < profile->n_entries; i++) {
        const struct perm_entry *e = &profile->entries[i];
        size_t depth;
        if (!entry_covers(e, path, &depth))
            continue;
        if (e->kind == ENTRY_OWN || e->floor) {
            if (!cap || e->access <= cap->access)
                cap = e;
        } else if (!best || depth > best_depth ||
                   (depth == best_depth && rank(e->access) >= rank(best->access))) {
            best = e;
            best_depth = depth;
        }
    }
    if (best && cap && cap->access < best->access)
        best = cap;
    return (struct permission){best ? best->access : ACCESS_NONE, why_of(best), best};
}

static int by_path(const void *a, const void *b)
{
    const struct perm_entry *x = a, *y = b;
    int r = strcmp(x->path, y->path);
    if (r == 0)
        r = strcmp(x->glob ? x->glob : "", y->glob ? y->glob : "");
    return r ? r : rank(x->access) - rank(y->access);
}

void permissions_sort(struct perm_entry *entries, size_t n)
{
    if (n > 1)
        qsort(entries, n, sizeof(*entries), by_path);
}

const char *why_word(enum why why)
{
    static const char *const words[] = {
        [WHY_DEFAULT] = "default",
        [WHY_GRANTED] = "granted",
        [WHY_PROTECTED] = "protected",
        [WHY_MASKED] = "masked",
    };
    return words[why];
}

const char *access_word(enum access access)
{
    static const char *const words[] = {
        [ACCESS_NONE] = "none",
        [ACCESS_READ] = "read",
        [ACCESS_WRITE] = "write",
    };
    return words[access];
}

const char *network_word(enum network_mode mode)
{
    static const char *const words[] = {
        [NETWORK_OFF] = "off",
        [NETWORK_OPEN] = "open",
        [NETWORK_FILTERED] = "filtered",
    };
    return words[mode];
}

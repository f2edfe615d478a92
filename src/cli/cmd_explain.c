/*
 * bawn explain PATH…: may the command read it, may it write it, and which line says so. (--net:
 * cmd_explain_net.c.)
 *
 * The answer is permissions_check()'s over the plan's profile, which is what the sandbox is made
 * from: the entries, the places their symlinks lead to, what the survey of the disk adds. A path is
 * resolved as the kernel would when the command opens it, missing components and dangling symlinks
 * included, then the question is asked for where it leads. File modes and owners are not part of
 * the answer: they hold as well.
 */
#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "cli/cmd_explain_net.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/setup.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

struct answer {
    const char *path, *resolved;
    enum access access;
    const char *why, *entry;
    struct origin origin;
};

#define MAX_LINKS 40 /* the kernel's own limit */

/* Splits PATH (absolute) before its last component; false for "/". */
static bool split(struct arena *a, const char *path, const char **ret_parent,
                  struct bytes *ret_last)
{
    size_t end = strlen(path);
    while (end > 0 && path[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    if (start == end)
        return false;
    *ret_last = (struct bytes){path + start, end - start};
    while (start > 1 && path[start - 1] == '/')
        start--;
    *ret_parent = arena_strndup(a, path, start);
    return *ret_parent != NULL;
}

/* Where an open of PATH (absolute, ".." and all) would end up. */
static int resolve(struct arena *a, const char *path, const char **ret)
{
    const char *rest = "";
    for (unsigned links = 0; links <= MAX_LINKS;) {
        _cleanup_fd_ int fd = path_openat2(AT_FDCWD, path, O_PATH, 0, 0);
        if (fd >= 0) {
            char *real;
            int r = path_of_fd(a, fd, &real);
            if (r == 0)
                *ret = path_join(a, real, *rest ? rest + 1 : rest);
            return r < 0 ? r : *ret ? 0 : -ENOMEM;
        }
        const char *parent;
        struct bytes last;
        if ((fd != -ENOENT && fd != -ENOTDIR && fd != -EACCES) || !split(a, path, &parent, &last))
            return fd;
        /* A symlink to nothing: what is written through it appears where it points. */
        char target[MAX_PATH_BYTES];
        ssize_t k = readlink(path, target, sizeof(target) - 1);
        if (k > 0) {
            target[k] = '\0';
            path = target[0] == '/' ? arena_strdup(a, target)
                                    : arena_printf(a, "%s/%s", parent, target);
            links++;
        } else {
            rest = arena_printf(a, "/%.*s%s", (int)last.n, last.p, rest);
            path = parent;
        }
        if (!path || !rest)
            return -ENOMEM;
    }
    return -ELOOP;
}

/* ---- what the sandbox has of its own in place of the host's ---- */

static bool is_own_device(const char *path)
{
    static const char *const nodes[] = {"/dev/null",    "/dev/zero", "/dev/full", "/dev/random",
                                        "/dev/urandom", "/dev/tty",  "/dev/ptmx"};
    for (size_t i = 0; i < ARRAY_LEN(nodes); i++)
        if (str_eq(path, nodes[i]))
            return true;
    return path_is_below(path, "/dev/pts") || path_is_below(path, "/dev/shm");
}

static void own(struct answer *a, enum access access, const char *entry)
{
    a->access = access;
    a->why = why_word(access == ACCESS_NONE ? WHY_DEFAULT : WHY_GRANTED);
    a->entry = entry;
    a->origin = (struct origin){.layer = "default"};
}

/* A mount of the sandbox's own at or above the path hides the host's: the deepest of the plan's
 * mounts decides whether one does. */
static void look_at_own_mounts(const struct plan *plan, struct answer *a)
{
    const struct plan_mount *best = NULL;
    for (size_t i = 0; i < plan->n_mounts; i++) {
        const struct plan_mount *m = &plan->mounts[i];
        if (path_is_below(a->resolved, m->path) &&
            (!best || path_depth(m->path) >= path_depth(best->path)))
            best = m;
    }
    if (!best)
        return;
    switch (best->op) {
    case MOUNT_TMPFS:
        own(a, ACCESS_WRITE, "the sandbox's own, empty at the start");
        break;
    case MOUNT_PROC:
        own(a, ACCESS_READ, "the sandbox's own /proc");
        break;
    case MOUNT_DEV:
        own(a,
            is_own_device(a->resolved)    ? ACCESS_WRITE
            : str_eq(a->resolved, "/dev") ? ACCESS_READ
                                          : ACCESS_NONE,
            "the sandbox's own /dev");
        break;
    case MOUNT_DEVICE:
        own(a, ACCESS_WRITE, "devices");
        break;
    case MOUNT_SELF:
        own(a, ACCESS_READ, "bawn's own program, for ssh to go through the proxy");
        break;
    case MOUNT_TEXT:
        own(a, ACCESS_READ, "roots that TLS is verified against, with those of this run");
        break;
    case MOUNT_SOCKET:
        own(a, ACCESS_READ, "unix_sockets");
        break;
    case MOUNT_BIND:
    case MOUNT_MASK:
    case MOUNT_MISSING:
        break; /* the host's: what the profile says */
    }
}

static int answer(struct setup *s, const char *path, struct answer *ret)
{
    const char *full = path[0] == '/' ? path : arena_printf(&s->arena, "%s/%s", s->cwd, path);
    int r = full ? resolve(&s->arena, full, &ret->resolved) : -ENOMEM;
    if (r < 0)
        return cli_failure(EXIT_BROKEN, "explain: %s: %s", show(path), strerror(-r));
    struct permission p = permissions_check(s->plan->profile, ret->resolved);
    ret->path = path;
    ret->access = p.access;
    ret->why = why_word(p.why);
    ret->entry = p.entry ? p.entry->written ? p.entry->written : p.entry->path : NULL;
    ret->origin = p.entry ? p.entry->origin : s->profile->origin;
    if (!s->profile->full_access)
        look_at_own_mounts(s->plan, ret);
    return 0;
}

/* ---- printing ---- */

static void put_json(struct json *j, const struct answer *a)
{
    json_object(j);
    json_kv_string(j, "path", a->path);
    json_kv_string(j, "resolved", a->resolved);
    json_kv_bool(j, "read", a->access != ACCESS_NONE);
    json_kv_bool(j, "write", a->access == ACCESS_WRITE);
    json_kv_string(j, "why", a->why);
    json_kv_string(j, "entry", a->entry);
    json_kv_string(j, "file", a->origin.file);
    json_key(j, "line");
    a->origin.line ? json_uint(j, a->origin.line) : json_null(j);
    json_end_object(j);
}

static void put_text(struct strbuf *out, const struct answer *a)
{
    static const char *const words[] = {
        [ACCESS_NONE] = "no access", [ACCESS_READ] = "read", [ACCESS_WRITE] = "read and write"};
    assert(a->path);
    strbuf_put_printable(out, a->path, strlen(a->path));
    if (!str_eq(a->path, a->resolved)) {
        strbuf_puts(out, " -> ");
        strbuf_put_printable(out, a->resolved, strlen(a->resolved));
    }
    strbuf_printf(out, ": %s (%s", words[a->access], a->why);
    if (a->entry) {
        strbuf_puts(out, ": ");
        strbuf_put_printable(out, a->entry, strlen(a->entry));
    }
    if (a->origin.file) {
        strbuf_puts(out, ", ");
        strbuf_put_printable(out, a->origin.file, strlen(a->origin.file));
        if (a->origin.line)
            strbuf_printf(out, ":%u", a->origin.line);
    } else if (a->origin.layer && !str_eq(a->origin.layer, "default")) {
        strbuf_printf(out, ", %s", a->origin.layer);
    }
    strbuf_puts(out, ")\n");
}

int cmd_explain(int argc, char **argv)
{
    _cleanup_setup_ struct setup s = {0};
    struct options o;
    struct error err = {0};
    int status;
    if (!cli_parse(FOR_EXPLAIN, argc, argv, &s, &o, &status))
        return status;
    if (o.n_rest == 0) {
        (void)error_set(&err, -EINVAL, "explain: no %s given", o.net ? "destination" : "path");
        error_hint(&err, o.net ? "bawn explain [options] --net HOST:PORT…"
                               : "bawn explain [options] PATH…; the whole plan: bawn sandbox "
                                 "--explain");
        return cli_error(&err, EXIT_USAGE);
    }
    for (size_t i = 0; i < o.n_rest; i++)
        if (!*o.rest[i])
            return cli_failure(EXIT_USAGE, "explain: a %s is empty",
                               o.net ? "destination" : "path");
    s.purpose = o.net ? SETUP_NET : SETUP_PATHS;
    status = cli_load(&s, &o);
    if (status)
        return status;
    if (o.net)
        return explain_net(&s);
    print_warnings(s.config->warnings, s.config->n_warnings);
    if (setup_survey(&s, &err) < 0 || setup_plan(&s, &err) < 0)
        return cli_error(&err, EXIT_SETUP);

    _cleanup_strbuf_ struct strbuf out = {0};
    struct json j;
    json_begin(&j, &out);
    if (o.json)
        json_array(&j);
    for (size_t i = 0; i < o.n_rest; i++) {
        struct answer a = {0};
        int r = answer(&s, o.rest[i], &a);
        if (r)
            status = r;
        else if (o.json)
            put_json(&j, &a);
        else
            put_text(&out, &a);
    }
    if (o.json) {
        json_end_array(&j);
        strbuf_putc(&out, '\n');
    }
    int r = print_out(&out);
    return r ? r : status;
}

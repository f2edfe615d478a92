/*
 * See args.h. One table of options; a row says how many words follow and which function takes them.
 * The state between words is the modifiers (--perms, --size, --overlay-src) that the next operation
 * uses up.
 */
#include "bwrap/args.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <strings.h>

#define SIZE_MOST  (SIZE_MAX >> 1) /* of a tmpfs: what the kernel's own arithmetic takes */
#define PERMS_MOST 07777ul
#define HELP_WIDTH 78

/* An array in the arena that grows; *v is moved. */
static bool room_for(struct arena *a, void *vp, size_t n, size_t *cap, size_t size)
{
    void **v = vp;
    if (n < *cap)
        return true;
    size_t want = *cap ? *cap * 2 : 16;
    void *p = arena_zalloc(a, want, size);
    if (!p)
        return false;
    if (*cap)
        memcpy(p, *v, *cap * size);
    *v = p;
    *cap = want;
    return true;
}

struct parser {
    struct arena *a;
    const struct bwrap_input *input;
    struct bwrap_args *out;
    struct error *err;
    const char *option; /* the one at work */
    struct plan_step *steps;
    int *filters;
    const char **locks;
    const char **layers; /* of --overlay-src, as given */
    size_t cap_steps, cap_filters, cap_locks, cap_layers, cap_env, cap_warnings;
    size_t n_layers;
    int perms;     /* -1 = none waits */
    uint64_t size; /* 0 = none waits */
    int seccomp;   /* of --seccomp, or -1 */
    bool hostname, uid, gid, stop;
};

enum arity { NONE, AN, ONE, TWO, THREE };
static const struct {
    int words;
    const char *text;
} arities[] = {[NONE] = {0, ""},
               [AN] = {1, "takes an argument"},
               [ONE] = {1, "takes one argument"},
               [TWO] = {2, "takes two arguments"},
               [THREE] = {3, "takes three arguments"}};

struct row {
    const char *name;
    enum arity arity;
    int (*take)(struct parser *p, const struct row *row, char *const *words);
    size_t offset;    /* in struct bwrap_args, for those that set one thing */
    enum step_op op;  /* for those that add a step */
    unsigned flags;   /* TRY … */
    const char *args; /* for --help */
};
enum {
    TRY = 1u << 0,
    READ_ONLY = 1u << 1,
    DEVICES = 1u << 2,
    TEMPORARY = 1u << 3,
    MODIFIER = 1u << 4
};

/* ---- small things ---- */

static int no_memory(struct parser *p)
{
    return error_set(p->err, -ENOMEM, "Out of memory");
}

static int warn(struct parser *p, const char *text)
{
    if (!text || !room_for(p->a, (void *)&p->out->warnings, p->out->n_warnings, &p->cap_warnings,
                           sizeof(*p->out->warnings)))
        return no_memory(p);
    p->out->warnings[p->out->n_warnings++] = text;
    return 0;
}

static int warn_last(struct parser *p, bool again)
{
    return again
               ? warn(p, arena_printf(p->a, "Only the last %s option will take effect", p->option))
               : 0;
}

static int number(struct parser *p, const char *word, const char *what, int *ret)
{
    char *end;
    errno = 0;
    long v = strtol(word, &end, 10);
    if (word[0] == '\0' || *end || v < 0 || v > INT_MAX || errno)
        return error_set(p->err, -EINVAL, "Invalid %s: %s", what, show(word));
    *ret = (int)v;
    return 0;
}

static int octal(struct parser *p, const char *word, int *ret)
{
    char *end;
    unsigned long v = strtoul(word, &end, 8);
    if (word[0] == '\0' || *end || v > PERMS_MOST)
        return error_set(p->err, -EINVAL, "%s takes an octal argument <= 07777", p->option);
    *ret = (int)v;
    return 0;
}

static struct plan_step *add_step(struct parser *p, enum step_op op)
{
    if (!room_for(p->a, (void *)&p->steps, p->out->steps.n, &p->cap_steps, sizeof(*p->steps))) {
        (void)no_memory(p);
        return NULL;
    }
    struct plan_step *step = &p->steps[p->out->steps.n++];
    *step = (struct plan_step){.op = op, .fd = -1, .perms = -1};
    return step;
}

/* The mode that waits for this step, or USUAL. */
static int use_perms(struct parser *p, int usual)
{
    int perms = p->perms >= 0 ? p->perms : usual;
    p->perms = -1;
    return perms;
}

/* ---- the environment ---- */

static bool is_name(const char *entry, const char *name, size_t n)
{
    return strncmp(entry, name, n) == 0 && entry[n] == '=';
}

static bool name_ok(const char *name)
{
    return name[0] && !strchr(name, '=');
}

static int env_add(struct parser *p, const char *entry)
{
    if (!entry ||
        !room_for(p->a, (void *)&p->out->env, p->out->n_env + 1, &p->cap_env, sizeof(*p->out->env)))
        return no_memory(p);
    p->out->env[p->out->n_env++] = entry;
    p->out->env[p->out->n_env] = NULL;
    return 0;
}

static int take_setenv(struct parser *p, const struct row *row, char *const *words)
{
    (void)row;
    size_t n = strlen(words[0]);
    if (!name_ok(words[0]))
        return error_set(p->err, -EINVAL, "setenv failed");
    const char *entry = arena_printf(p->a, "%s=%s", words[0], words[1]);
    if (!entry)
        return no_memory(p);
    for (size_t i = 0; i < p->out->n_env; i++)
        if (is_name(p->out->env[i], words[0], n)) {
            p->out->env[i] = entry;
            return 0;
        }
    return env_add(p, entry);
}

static int take_unsetenv(struct parser *p, const struct row *row, char *const *words)
{
    (void)row;
    size_t n = strlen(words[0]), at = 0;
    if (!name_ok(words[0]))
        return error_set(p->err, -EINVAL, "unsetenv failed");
    for (size_t i = 0; i < p->out->n_env; i++)
        if (!is_name(p->out->env[i], words[0], n))
            p->out->env[at++] = p->out->env[i];
    p->out->n_env = at;
    p->out->env[at] = NULL;
    return 0;
}

static int take_clearenv(struct parser *p, const struct row *row, char *const *words)
{
    (void)row;
    (void)words;
    p->out->n_env = 0;
    p->out->env[0] = NULL;
    return 0;
}

/* ---- options that set one thing ---- */

static int take_flag(struct parser *p, const struct row *row, char *const *words)
{
    (void)words;
    *(bool *)((char *)p->out + row->offset) = true;
    return 0;
}

static int take_unshare_all(struct parser *p, const struct row *row, char *const *words)
{
    (void)row;
    (void)words;
    struct plan_steps *s = &p->out->steps;
    p->out->user_try = p->out->cgroup_try = true;
    s->unshare_ipc = s->unshare_pid = s->unshare_uts = s->unshare_net = true;
    return 0;
}

static int take_share_net(struct parser *p, const struct row *row, char *const *words)
{
    (void)row;
    (void)words;
    p->out->steps.unshare_net = false;
    return 0;
}

static int take_fd(struct parser *p, const struct row *row, char *const *words)
{
    int *fd = (int *)(void *)((char *)p->out + row->offset);
    int r = warn_last(p, *fd >= 0);
    return r < 0 ? r : number(p, words[0], "fd", fd);
}

static int take_word(struct parser *p, const struct row *row, char *const *words)
{
    const char **word = (const char **)(void *)((char *)p->out + row->offset);
    int r = warn_last(p, *word != NULL);
    *word = words[0];
    return r;
}

static int take_argv0(struct parser *p, const struct row *row, char *const *words)
{
    (void)row;
    if (p->out->steps.argv0)
        return error_set(p->err, -EINVAL, "--argv0 used multiple times");
    p->out->steps.argv0 = words[0];
    return 0;
}

static int take_uid(struct parser *p, const struct row *row, char *const *words)
{
    (void)row;
    int v, r = warn_last(p, p->uid);
    if (r == 0)
        r = number(p, words[0], "uid", &v);
    if (r == 0) {
        p->out->steps.uid = (uid_t)v;
        p->uid = true;
    }
    return r;
}

static int take_gid(struct parser *p, const struct row *row, char *const *words)
{
    (void)row;
    int v, r = warn_last(p, p->gid);
    if (r == 0)
        r = number(p, words[0], "gid", &v);
    if (r == 0) {
        p->out->steps.gid = (gid_t)v;
        p->gid = true;
    }
    return r;
}

static int take_label(struct parser *p, const struct row *row, char *const *words)
{
    (void)row;
    (void)words;
    return error_set(p->err, -EINVAL, "labeling not supported on this system");
}

static int take_cap(struct parser *p, const struct row *row, char *const *words)
{
    struct plan_steps *s = &p->out->steps;
    uint64_t mask = ~(uint64_t)0;
    s->caps_said = true;
    if (strcasecmp(words[0], "ALL") != 0) {
        int cap = bwrap_capability(words[0]);
        if (cap < 0)
            return error_set(p->err, -EINVAL, "unknown cap: %s", show(words[0]));
        mask = (uint64_t)1 << cap;
    }
    if (row->flags & TRY) { /* --cap-add */
        s->caps_add |= mask;
    } else {
        s->caps_add &= ~mask;
        s->caps_keep &= ~mask;
    }
    return 0;
}

static int take_lock(struct parser *p, const struct row *row, char *const *words)
{
    (void)row;
    if (!room_for(p->a, (void *)&p->locks, p->out->steps.n_locks, &p->cap_locks, sizeof(*p->locks)))
        return no_memory(p);
    p->locks[p->out->steps.n_locks++] = words[0];
    return 0;
}

static int add_filter(struct parser *p, int fd)
{
    if (!room_for(p->a, (void *)&p->filters, p->out->steps.n_filters, &p->cap_filters,
                  sizeof(*p->filters)))
        return no_memory(p);
    p->filters[p->out->steps.n_filters++] = fd;
    return 0;
}

static int take_seccomp(struct parser *p, const struct row *row, char *const *words)
{
    (void)row;
    int fd, r;
    if (p->out->steps.n_filters)
        return error_set(p->err, -EINVAL, "--seccomp cannot be combined with --add-seccomp-fd");
    r = warn_last(p, p->seccomp >= 0);
    if (r == 0)
        r = number(p, words[0], "fd", &fd);
    if (r == 0)
        p->seccomp = fd;
    return r;
}

static int take_add_seccomp(struct parser *p, const struct row *row, char *const *words)
{
    (void)row;
    int fd, r;
    if (p->seccomp >= 0)
        return error_set(p->err, -EINVAL, "--add-seccomp-fd cannot be combined with --seccomp");
    r = number(p, words[0], "fd", &fd);
    return r < 0 ? r : add_filter(p, fd);
}

/* ---- modifiers ---- */

static int take_perms(struct parser *p, const struct row *row, char *const *words)
{
    (void)row;
    if (p->perms >= 0)
        return error_set(p->err, -EINVAL, "--perms given twice for the same action");
    return octal(p, words[0], &p->perms);
}

static int take_size(struct parser *p, const struct row *row, char *const *words)
{
    (void)row;
    char *end;
    if (p->size)
        return error_set(p->err, -EINVAL, "--size given twice for the same action");
    errno = 0;
    unsigned long long v = strtoull(words[0], &end, 0);
    if (errno || !isdigit((unsigned char)words[0][0]) || *end || v == 0)
        return error_set(p->err, -EINVAL, "--size takes a non-zero number of bytes");
    if (v > SIZE_MOST)
        return error_set(p->err, -EINVAL, "--size (for tmpfs) is limited to %zu", SIZE_MOST);
    p->size = v;
    return 0;
}

static int take_overlay_src(struct parser *p, const struct row *row, char *const *words)
{
    (void)row;
    if (!room_for(p->a, (void *)&p->layers, p->n_layers, &p->cap_layers, sizeof(*p->layers)))
        return no_memory(p);
    p->layers[p->n_layers++] = words[0];
    return 0;
}

/* ---- operations ---- */

static int take_bind(struct parser *p, const struct row *row, char *const *words)
{
    struct plan_step *step = add_step(p, STEP_BIND);
    if (!step)
        return -ENOMEM;
    step->source = words[0];
    step->dest = words[1];
    step->optional = row->flags & TRY;
    step->read_only = row->flags & READ_ONLY;
    step->devices = row->flags & DEVICES;
    return 0;
}

static int take_bind_fd(struct parser *p, const struct row *row, char *const *words)
{
    int fd, r = number(p, words[0], "fd", &fd);
    if (r < 0)
        return r;
    struct plan_step *step = add_step(p, STEP_BIND);
    if (!step)
        return -ENOMEM;
    step->fd = fd;
    step->source = arena_printf(p->a, "/proc/self/fd/%d", fd);
    step->dest = words[1];
    step->read_only = row->flags & READ_ONLY;
    return step->source ? 0 : no_memory(p);
}

/* --proc, --dev, --mqueue, --remount-ro, --dir, --tmpfs, --hostname */
static int take_place(struct parser *p, const struct row *row, char *const *words)
{
    struct plan_step *step = add_step(p, row->op);
    if (!step)
        return -ENOMEM;
    step->dest = words[0];
    if (row->op == STEP_DIR || row->op == STEP_TMPFS)
        step->perms = use_perms(p, 0755);
    if (row->op == STEP_TMPFS) {
        step->size = p->size;
        p->size = 0;
    }
    if (row->op != STEP_HOSTNAME)
        return 0;
    int r = warn_last(p, p->hostname);
    p->hostname = true;
    return r;
}

/* --file, --bind-data, --ro-bind-data */
static int take_data(struct parser *p, const struct row *row, char *const *words)
{
    int fd, r = number(p, words[0], "fd", &fd);
    if (r < 0)
        return r;
    struct plan_step *step = add_step(p, row->op);
    if (!step)
        return -ENOMEM;
    step->fd = fd;
    step->dest = words[1];
    step->read_only = row->flags & READ_ONLY;
    step->perms = use_perms(p, row->op == STEP_FILE ? 0666 : 0600);
    return 0;
}

static int take_symlink(struct parser *p, const struct row *row, char *const *words)
{
    (void)row;
    struct plan_step *step = add_step(p, STEP_SYMLINK);
    if (!step)
        return -ENOMEM;
    step->source = words[0];
    step->dest = words[1];
    return 0;
}

static int take_chmod(struct parser *p, const struct row *row, char *const *words)
{
    (void)row;
    int mode, r = octal(p, words[0], &mode);
    if (r < 0)
        return r;
    struct plan_step *step = add_step(p, STEP_CHMOD);
    if (!step)
        return -ENOMEM;
    step->perms = mode;
    step->dest = words[1];
    return 0;
}

/* The sources were given from the lowest up; overlayfs names them from the top down. */
static int take_overlay(struct parser *p, const struct row *row, char *const *words)
{
    bool writable = row->arity == THREE, fixed = !writable && !(row->flags & TEMPORARY);
    size_t least = fixed ? 2 : 1, n = p->n_layers;
    if (n < least)
        return error_set(p->err, -EINVAL, "%s requires at least %s --overlay-src", row->name,
                         fixed ? "two" : "one");
    const char **layers = arena_zalloc(p->a, n, sizeof(*layers));
    struct plan_step *step = layers ? add_step(p, STEP_OVERLAY) : NULL;
    if (!step)
        return no_memory(p);
    for (size_t i = 0; i < n; i++)
        layers[i] = p->layers[n - 1 - i];
    step->layers = layers;
    step->n_layers = (uint32_t)n;
    step->temporary = row->flags & TEMPORARY;
    if (writable) {
        step->upper = words[0];
        step->work = words[1];
    }
    step->dest = words[writable ? 2 : 0];
    p->n_layers = 0;
    return 0;
}

/* ---- the options ---- */

static int take_help(struct parser *p, const struct row *row, char *const *words)
{
    (void)words;
    p->out->request = row->flags ? BWRAP_HELP : BWRAP_VERSION;
    p->stop = true;
    return 0;
}

static int take_args(struct parser *p, const struct row *row, char *const *words);

#define AT(field) offsetof(struct bwrap_args, field)
static const struct row rows[] = {
    {"--help", NONE, take_help, .flags = 1},
    {"--version", NONE, take_help},
    {"--args", AN, take_args, .args = "FD"},
    {"--argv0", ONE, take_argv0, .args = "VALUE"},
    {"--level-prefix", NONE, take_flag, AT(level_prefix)},
    {"--unshare-all", NONE, take_unshare_all},
    {"--share-net", NONE, take_share_net},
    {"--unshare-user", NONE, take_flag, AT(steps.unshare_user)},
    {"--unshare-user-try", NONE, take_flag, AT(user_try)},
    {"--unshare-ipc", NONE, take_flag, AT(steps.unshare_ipc)},
    {"--unshare-pid", NONE, take_flag, AT(steps.unshare_pid)},
    {"--unshare-net", NONE, take_flag, AT(steps.unshare_net)},
    {"--unshare-uts", NONE, take_flag, AT(steps.unshare_uts)},
    {"--unshare-cgroup", NONE, take_flag, AT(steps.unshare_cgroup)},
    {"--unshare-cgroup-try", NONE, take_flag, AT(cgroup_try)},
    {"--userns", AN, take_fd, AT(steps.userns_fd), .args = "FD"},
    {"--userns2", AN, take_fd, AT(steps.userns2_fd), .args = "FD"},
    {"--disable-userns", NONE, take_flag, AT(steps.disable_userns)},
    {"--assert-userns-disabled", NONE, take_flag, AT(steps.assert_userns_disabled)},
    {"--pidns", AN, take_fd, AT(steps.pidns_fd), .args = "FD"},
    {"--uid", AN, take_uid, .args = "UID"},
    {"--gid", AN, take_gid, .args = "GID"},
    {"--hostname", AN, take_place, .op = STEP_HOSTNAME, .args = "NAME"},
    {"--chdir", ONE, take_word, AT(steps.chdir), .args = "DIR"},
    {"--clearenv", NONE, take_clearenv},
    {"--setenv", TWO, take_setenv, .args = "VAR VALUE"},
    {"--unsetenv", AN, take_unsetenv, .args = "VAR"},
    {"--lock-file", AN, take_lock, .args = "DEST"},
    {"--sync-fd", AN, take_fd, AT(steps.sync_fd), .args = "FD"},
    {"--bind", TWO, take_bind, .args = "SRC DEST"},
    {"--bind-try", TWO, take_bind, .flags = TRY, .args = "SRC DEST"},
    {"--dev-bind", TWO, take_bind, .flags = DEVICES, .args = "SRC DEST"},
    {"--dev-bind-try", TWO, take_bind, .flags = DEVICES | TRY, .args = "SRC DEST"},
    {"--ro-bind", TWO, take_bind, .flags = READ_ONLY, .args = "SRC DEST"},
    {"--ro-bind-try", TWO, take_bind, .flags = READ_ONLY | TRY, .args = "SRC DEST"},
    {"--bind-fd", TWO, take_bind_fd, .args = "FD DEST"},
    {"--ro-bind-fd", TWO, take_bind_fd, .flags = READ_ONLY, .args = "FD DEST"},
    {"--remount-ro", ONE, take_place, .op = STEP_READONLY, .args = "DEST"},
    {"--overlay-src", AN, take_overlay_src, .flags = MODIFIER, .args = "SRC"},
    {"--overlay", THREE, take_overlay, .args = "RWSRC WORKDIR DEST"},
    {"--tmp-overlay", AN, take_overlay, .flags = TEMPORARY, .args = "DEST"},
    {"--ro-overlay", AN, take_overlay, .args = "DEST"},
    {"--exec-label", AN, take_label, .args = "LABEL"},
    {"--file-label", AN, take_label, .args = "LABEL"},
    {"--proc", AN, take_place, .op = STEP_PROC, .args = "DEST"},
    {"--dev", AN, take_place, .op = STEP_DEV, .args = "DEST"},
    {"--tmpfs", AN, take_place, .op = STEP_TMPFS, .args = "DEST"},
    {"--mqueue", AN, take_place, .op = STEP_MQUEUE, .args = "DEST"},
    {"--dir", AN, take_place, .op = STEP_DIR, .args = "DEST"},
    {"--file", TWO, take_data, .op = STEP_FILE, .args = "FD DEST"},
    {"--bind-data", TWO, take_data, .op = STEP_DATA, .args = "FD DEST"},
    {"--ro-bind-data", TWO, take_data, .op = STEP_DATA, .flags = READ_ONLY, .args = "FD DEST"},
    {"--symlink", TWO, take_symlink, .args = "SRC DEST"},
    {"--seccomp", AN, take_seccomp, .args = "FD"},
    {"--add-seccomp-fd", AN, take_add_seccomp, .args = "FD"},
    {"--block-fd", AN, take_fd, AT(steps.block_fd), .args = "FD"},
    {"--userns-block-fd", AN, take_fd, AT(steps.userns_block_fd), .args = "FD"},
    {"--info-fd", AN, take_fd, AT(steps.info_fd), .args = "FD"},
    {"--json-status-fd", AN, take_fd, AT(steps.json_status_fd), .args = "FD"},
    {"--new-session", NONE, take_flag, AT(steps.new_session)},
    {"--die-with-parent", NONE, take_flag, AT(steps.die_with_parent)},
    {"--as-pid-1", NONE, take_flag, AT(steps.as_pid_1)},
    {"--cap-add", AN, take_cap, .flags = TRY, .args = "CAP"},
    {"--cap-drop", AN, take_cap, .args = "CAP"},
    {"--perms", AN, take_perms, .flags = MODIFIER, .args = "OCTAL"},
    {"--size", AN, take_size, .flags = MODIFIER, .args = "BYTES"},
    {"--chmod", TWO, take_chmod, .args = "OCTAL PATH"},
};

static const struct row *find_row(const char *word, const struct row *last)
{
    /* Long command lines say the same thing over and over. */
    if (last && str_eq(last->name, word))
        return last;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_eq(rows[i].name, word))
            return &rows[i];
    return NULL;
}

/* A modifier was given, and what followed has no use for it. */
static int check_modifiers(struct parser *p, const struct row *row)
{
    bool modifier = row && (row->flags & MODIFIER),
         source = modifier && row->take == take_overlay_src;
    if ((!modifier || source) && p->perms >= 0)
        return error_set(p->err, -EINVAL,
                         "--perms must be followed by an option that creates a file");
    if ((!modifier || source) && p->size)
        return error_set(p->err, -EINVAL, "--size must be followed by --tmpfs");
    if (!source && p->n_layers)
        return error_set(p->err, -EINVAL,
                         "--overlay-src must be followed by another --overlay-src or one of "
                         "--overlay, --tmp-overlay, or --ro-overlay");
    return 0;
}

/* Takes options from N words; *ret_used is where they end. */
static int parse_words(struct parser *p, char *const *words, size_t n, bool in_file,
                       size_t *ret_used)
{
    const struct row *row = NULL;
    size_t i = 0;
    while (i < n && !p->stop) {
        const char *word = words[i];
        if (str_eq(word, "--")) {
            i++;
            break;
        }
        if (word[0] != '-')
            break;
        row = find_row(word, row);
        if (!row)
            return error_set(p->err, -EINVAL, "Unknown option %s", show(word));
        p->option = row->name;
        if (in_file && row->take == take_args)
            return error_set(p->err, -EINVAL, "--args not supported in arguments file");
        size_t need = (size_t)arities[row->arity].words;
        if (n - i - 1 < need)
            return error_set(p->err, -EINVAL, "%s %s", row->name, arities[row->arity].text);
        int r = row->take(p, row, words + i + 1);
        if (r == 0 && !p->stop)
            r = check_modifiers(p, row);
        if (r < 0)
            return r;
        i += 1 + need;
    }
    *ret_used = i;
    return 0;
}

static int take_args(struct parser *p, const struct row *row, char *const *words)
{
    (void)row;
    int fd, r = number(p, words[0], "fd", &fd);
    struct bytes text;
    if (r < 0)
        return r;
    r = p->input->read_args(p->input->data, fd, &text);
    if (r < 0)
        return error_errno(p->err, r, "Can't read --args data");
    size_t n = 0, used;
    for (const char *at = text.p, *end = text.p + text.n; at < end; n++) {
        const char *zero = memchr(at, '\0', (size_t)(end - at));
        at = zero ? zero + 1 : end;
    }
    char **v = arena_zalloc(p->a, n + 1, sizeof(*v));
    char *copy = arena_strndup(p->a, text.n ? text.p : "", text.n);
    if (!v || !copy)
        return no_memory(p);
    for (size_t i = 0, at = 0; i < n; i++) {
        v[i] = copy + at;
        at += strlen(copy + at) + 1;
    }
    return parse_words(p, v, n, true, &used);
}

int bwrap_parse(struct arena *a, const struct bwrap_input *input, struct bwrap_args *ret,
                struct error *err)
{
    struct parser p = {.a = a, .input = input, .out = ret, .err = err, .perms = -1, .seccomp = -1};
    *ret = (struct bwrap_args){.steps = {.userns_fd = -1,
                                         .userns2_fd = -1,
                                         .pidns_fd = -1,
                                         .uid = (uid_t)-1,
                                         .gid = (gid_t)-1,
                                         .caps_keep = ~(uint64_t)0,
                                         .sync_fd = -1,
                                         .block_fd = -1,
                                         .userns_block_fd = -1,
                                         .info_fd = -1,
                                         .json_status_fd = -1}};
    size_t n = 0, used = 0;
    for (const char *const *e = input->environ; *e; e++)
        if (env_add(&p, *e) < 0)
            return -ENOMEM;
    if (!ret->env && !room_for(a, (void *)&ret->env, 0, &p.cap_env, sizeof(*ret->env)))
        return no_memory(&p);
    while (input->argv[n])
        n++;
    int r = parse_words(&p, input->argv, n, false, &used);
    if (r == 0 && !p.stop)
        r = check_modifiers(&p, NULL);
    if (r == 0 && p.seccomp >= 0)
        r = add_filter(&p, p.seccomp);
    if (r < 0)
        return r;
    ret->steps.v = p.steps;
    ret->steps.filters = p.filters;
    ret->steps.locks = p.locks;
    ret->command = input->argv + used;
    ret->hostname = p.hostname;
    if (!p.stop && used == n)
        ret->request = BWRAP_USAGE;
    return 0;
}

int bwrap_settle(struct bwrap_args *args, const struct bwrap_machine *m, struct error *err)
{
    struct plan_steps *s = &args->steps;
    bool joins = s->userns_fd >= 0;
    const char *wrong = NULL;
    if (s->userns_block_fd >= 0 && !s->unshare_user)
        wrong = "--userns-block-fd requires --unshare-user";
    else if (s->userns_block_fd >= 0 && s->info_fd < 0)
        wrong = "--userns-block-fd requires --info-fd";
    else if (joins && s->unshare_user)
        wrong = "--userns not compatible --unshare-user";
    else if (joins && args->user_try)
        wrong = "--userns not compatible --unshare-user-try";
    else if (s->disable_userns && !s->unshare_user)
        wrong = "--disable-userns requires --unshare-user";
    else if (s->disable_userns && s->userns_block_fd >= 0)
        wrong = "--disable-userns is not compatible with  --userns-block-fd";
    if (wrong)
        return error_set(err, -EINVAL, "%s", wrong);
    if ((m->uid != 0 && !joins) || (args->user_try && m->userns))
        s->unshare_user = true;
    if (args->request == BWRAP_USAGE)
        return 0;
    if (s->uid == (uid_t)-1)
        s->uid = m->uid;
    if (s->gid == (gid_t)-1)
        s->gid = m->gid;
    bool own = s->unshare_user || joins;
    if (!own && s->uid != m->uid)
        wrong = "Specifying --uid requires --unshare-user or --userns";
    else if (!own && s->gid != m->gid)
        wrong = "Specifying --gid requires --unshare-user or --userns";
    else if (!s->unshare_uts && args->hostname)
        wrong = "Specifying --hostname requires --unshare-uts";
    else if (s->as_pid_1 && !s->unshare_pid)
        wrong = "Specifying --as-pid-1 requires --unshare-pid";
    else if (s->as_pid_1 && s->n_locks)
        wrong = "Specifying --as-pid-1 and --lock-file is not permitted";
    else if (s->unshare_cgroup && !m->cgroup)
        wrong = "Cannot create new cgroup namespace because the kernel does not support it";
    if (wrong)
        return error_set(err, -EINVAL, "%s", wrong);
    if (args->cgroup_try)
        s->unshare_cgroup = m->cgroup;
    return 0;
}

void bwrap_help(const char *program, struct strbuf *out)
{
    size_t at = 0;
    strbuf_printf(out, "usage: %s [OPTIONS...] [--] COMMAND [ARGS...]\n\n", program);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t n = strlen(rows[i].name) + (rows[i].args ? strlen(rows[i].args) + 1 : 0) + 2;
        if (at + n > HELP_WIDTH) {
            strbuf_putc(out, '\n');
            at = 0;
        }
        at += n;
        strbuf_printf(out, "  %s%s%s", rows[i].name, rows[i].args ? " " : "",
                      rows[i].args ? rows[i].args : "");
    }
    strbuf_puts(out,
                "\n\nOperations are carried out in the order they are given in, in an empty root."
                "\nEvery option: bwrap(1); where bawn differs: bawn-bwrap(1).\n");
}

/*
 * Gathering the outside world. See setup.h.
 *
 * This is the launch path: a stat or an open that is not needed for the answer is not made. Whether
 * the workspace is under version control, for one, is only looked at when no flag has settled the
 * mode.
 */
#include "cli/proxy_front.h"
#include "cli/setup.h"

#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "cli/print.h"
#include "cli/exporter_link.h"
#include "cli/proxy_start.h"
#include "network/settings.h"
#include "sandbox/journal.h"
#include "sandbox/placeholder.h"
#include "sandbox/probe.h"
#include "sandbox/survey.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SYSTEM_CONFIG  "/etc/bawn/config.toml"
#define MANAGED_CONFIG "/etc/bawn/managed_config.toml"
#define REQUIREMENTS   "/etc/bawn/requirements.toml"
#define PASSWD_FILE    "/etc/passwd"

void setup_release(struct setup *s)
{
    arena_release(&s->arena);
}

static int no_memory(struct error *err)
{
    return error_errno(err, -ENOMEM, "cannot start");
}

/* ---- homes ---- */

/* The next of a passwd line's fields. */
static struct bytes field(struct bytes *line)
{
    const char *colon = line->n ? memchr(line->p, ':', line->n) : NULL;
    size_t n = colon ? (size_t)(colon - line->p) : line->n;
    struct bytes f = {line->p, n};
    line->p += n + (colon != NULL);
    line->n -= n + (colon != NULL);
    return f;
}

static bool is_number(struct bytes b, unsigned long want)
{
    unsigned long v = 0;
    for (size_t i = 0; i < b.n; i++) {
        if (b.p[i] < '0' || b.p[i] > '9' || v > 0xffffffffu)
            return false;
        v = v * 10 + (unsigned long)(b.p[i] - '0');
    }
    return b.n > 0 && v == want;
}

const char *passwd_home(struct arena *a, const char *file, unsigned long uid)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    if (path_read_file(AT_FDCWD, file, MAX_FILE_BYTES, &text, NULL) < 0)
        return NULL;
    struct bytes rest = {strbuf_text(&text), text.n};
    while (rest.n) {
        const char *end = memchr(rest.p, '\n', rest.n);
        struct bytes line = {rest.p, end ? (size_t)(end - rest.p) : rest.n};
        rest.p += line.n + (end != NULL);
        rest.n -= line.n + (end != NULL);
        struct bytes name = field(&line);
        (void)field(&line);
        struct bytes id = field(&line);
        (void)field(&line);
        (void)field(&line);
        struct bytes home = field(&line);
        /* "+…" and "-…" are NIS, not people. */
        if (!name.n || name.p[0] == '+' || name.p[0] == '-' || !is_number(id, uid))
            continue;
        return home.n && home.p[0] == '/' && !memchr(home.p, '\0', home.n)
                   ? arena_strndup(a, home.p, home.n)
                   : NULL;
    }
    return NULL;
}

static const char *set_and_not_empty(const char *name)
{
    const char *v = getenv(name);
    return v && *v ? v : NULL;
}

/* What a value that must be a path is; NULL when it is not absolute. */
static const char *absolute(struct arena *a, const char *v)
{
    return v && v[0] == '/' ? path_join(a, "/", v) : NULL;
}

/* PATH canonical; *ret_there says whether it exists. */
static const char *canonical(struct arena *a, const char *path, bool *ret_there)
{
    char *real;
    size_t missing = 0;
    if (path_canonical(a, path, &real, &missing) < 0) {
        *ret_there = false;
        return path;
    }
    *ret_there = missing == 0;
    return real;
}

static int find_homes(struct setup *s, struct error *err)
{
    struct arena *a = &s->arena;
    bool there;
    s->home = absolute(a, set_and_not_empty("HOME"));
    if (!s->home)
        s->home = absolute(a, passwd_home(a, PASSWD_FILE, geteuid()));
    s->tmpdir = set_and_not_empty("TMPDIR");

    const char *named = set_and_not_empty("BAWN_HOME");
    if (named) {
        if (named[0] != '/') {
            int r =
                error_set(err, -EINVAL, "BAWN_HOME=\"%s\" is not an absolute path", show(named));
            error_hint(err, "a relative one would name another directory after every cd");
            return r;
        }
        const char *path = absolute(a, named);
        if (!path)
            return no_memory(err);
        s->bawn_home = canonical(a, path, &there);
        return 0;
    }
    if (!s->home)
        return 0;
    const char *path = path_join(a, s->home, ".bawn");
    if (!path)
        return no_memory(err);
    s->bawn_home = canonical(a, path, &there);
    const char *xdg = there ? NULL : absolute(a, set_and_not_empty("XDG_CONFIG_HOME"));
    if (xdg) {
        const char *other = path_join(a, xdg, "bawn");
        if (!other)
            return no_memory(err);
        other = canonical(a, other, &there);
        if (there)
            s->bawn_home = other;
    }
    return 0;
}

const char *setup_codex_home(struct setup *s, const char *named)
{
    const char *dir = named ? named : set_and_not_empty("CODEX_HOME");
    if (dir)
        return path_join(&s->arena, s->cwd, dir);
    return s->home ? path_join(&s->arena, s->home, ".codex") : NULL;
}

/* ---- the working directory ---- */

static int find_cwd(struct setup *s, struct error *err)
{
    const char *dir = s->options->cd;
    if (dir && chdir(dir) < 0)
        return error_errno(err, -errno, "cannot change to %s", show(dir));
    /* The system call itself: what libc does when it fails walks the tree upwards. */
    char buf[MAX_PATH_BYTES];
    long n = syscall(SYS_getcwd, buf, sizeof(buf));
    if (n > 0 && buf[0] == '/') {
        s->cwd = arena_strdup(&s->arena, buf);
        return s->cwd ? 0 : no_memory(err);
    }
    if (n < 0 && (errno == ERANGE || errno == ENAMETOOLONG)) {
        int r = error_set(err, -ENAMETOOLONG, "the working directory's path is too long");
        error_hint(err, "at most %u bytes; start from a directory higher up", MAX_PATH_BYTES - 1);
        return r;
    }
    s->cwd = "/";
    s->cwd_lost = true;
    return 0;
}

static int find_add_dirs(struct setup *s, struct error *err)
{
    const struct word_list *given = &s->options->add_dirs;
    if (given->n == 0)
        return 0;
    s->add_dirs = arena_zalloc(&s->arena, given->n, sizeof(*s->add_dirs));
    if (!s->add_dirs)
        return no_memory(err);
    for (size_t i = 0; i < given->n; i++) {
        const char *word = given->v[i];
        /* A relative one has no meaning in a directory without a name. */
        if (s->cwd_lost && word[0] != '/')
            return error_set(err, -ENOENT, "--add-dir %s: the working directory no longer exists",
                             show(word));
        struct stat st;
        if (stat(word, &st) < 0)
            return error_errno(err, -errno, "--add-dir %s", show(word));
        s->add_dirs[i] = path_join(&s->arena, s->cwd, word);
        if (!s->add_dirs[i])
            return no_memory(err);
    }
    return 0;
}

/* A program that belongs to bawn, where there is one. */
static int add_own(struct setup *s, const char *program, struct error *err)
{
    const char *path = proxy_place(&s->arena, s->own[0], program);
    if (!path)
        return no_memory(err);
    if (access(path, F_OK) == 0)
        s->own[s->n_own++] = path;
    return 0;
}

/* The program itself, and what it starts outside the sandbox: a sandbox that could replace them
 * would choose what confines the next run. */
static int find_own(struct setup *s, struct error *err)
{
    char buf[MAX_PATH_BYTES];
    ssize_t n = readlink("/proc/self/exe", buf, sizeof(buf));
    if (n <= 0 || (size_t)n >= sizeof(buf) || buf[0] != '/')
        return 0; /* no /proc: nothing to protect it by */
    s->own[0] = arena_strndup(&s->arena, buf, (size_t)n);
    s->n_own = s->own[0] != NULL;
    if (!s->own[0])
        return no_memory(err);
    static const char *const programs[] = {PROXY_PROGRAM, INTERCEPT_PROGRAM, EXPORTER_PROGRAM};
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(programs); i++)
        r = add_own(s, programs[i], err);
    return r;
}

int setup_world(struct setup *s, const struct options *options, struct error *err)
{
    s->options = options;
    int r = find_cwd(s, err);
    if (r < 0 || (r = find_homes(s, err)) < 0 || (r = find_own(s, err)) < 0)
        return r;
    return find_add_dirs(s, err);
}

/* ---- version control ---- */

static bool is_empty_dir(int dirfd, const char *name)
{
    int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        fd_close(fd);
        return false;
    }
    bool empty = true;
    for (struct dirent *e; empty && (e = readdir(d));)
        empty = str_eq(e->d_name, ".") || str_eq(e->d_name, "..");
    (void)closedir(d);
    return empty;
}

/* Does what was found at DIR/.git (or another's name) say that DIR is a repository? It widens the
 * mode, so not everything does:
 * - an empty .git may be what another bawn put there so that its command cannot make one. Its mark
 *   or our own journal tells; in a directory that everybody can write (/tmp) it is none in any
 * case;
 * - in such a directory a stranger's repository is no sign of ours. */
static bool is_repository(struct setup *s, const char *dir, bool git, const struct stat *found)
{
    struct stat parent;
    _cleanup_fd_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &parent) < 0)
        return false;
    bool shared = (parent.st_mode & S_IWOTH) != 0;
    if (shared && found->st_uid != 0 && found->st_uid != geteuid())
        return false;
    /* Two links at most: it may be empty. */
    if (!git || !S_ISDIR(found->st_mode) || found->st_nlink > 2 || !is_empty_dir(fd, ".git"))
        return true;
    const char *state = shared ? NULL : setup_state_dir(s, false);
    return !shared && !placeholder_is_marked(found) &&
           !(state && journal_is_placeholder(state, parent.st_dev, parent.st_ino, ".git",
                                             found->st_dev, found->st_ino));
}

bool in_version_control(struct setup *s, const char *dir)
{
    static const char *const names[] = {".git", ".hg", ".jj", ".svn"};
    char buf[MAX_PATH_BYTES + 8];
    size_t n = strlen(dir);
    if (n >= MAX_PATH_BYTES)
        return false;
    memcpy(buf, dir, n);
    for (;;) {
        size_t base = n == 1 ? 0 : n; /* "/" ends with its slash, nothing else does */
        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
            struct stat st;
            (void)snprintf(buf + base, sizeof(buf) - base, "/%s", names[i]);
            if (stat(buf, &st) < 0)
                continue;
            buf[n] = '\0';
            if (is_repository(s, n == 1 ? "/" : buf, i == 0, &st))
                return true;
        }
        if (n == 1)
            return false;
        while (n > 1 && buf[n - 1] != '/')
            n--;
        n -= n > 1;
    }
}

/* ---- configuration and profile ---- */

/* Without a directory there is no workspace to write to: read-only, unless nothing is confined. A
 * profile of the person's own may hold masks that :read-only lacks, so it is not replaced silently.
 */
static int narrow_lost_cwd(const struct setup *s, const char **name, struct error *err)
{
    const char *layer = s->config->sandbox_mode_origin.layer, *own = *name;
    bool mode_chosen = s->options->mode != MODE_UNSET || (layer && !str_eq(layer, "default"));
    if (!own && !mode_chosen)
        own = s->config->default_permissions;
    if (own ? str_eq(own, ":danger-full-access")
            : s->config->sandbox_mode == MODE_DANGER_FULL_ACCESS)
        return 0;
    if (own && own[0] != ':') {
        int r = error_set(err, -ENOENT,
                          "the working directory no longer exists, and profile %s needs one",
                          show(own));
        error_hint(err, "give one with -C DIR");
        return r;
    }
    *name = ":read-only";
    return 0;
}

/* Dedicated flags, as the configuration they stand for. "granular" alone says nothing about its
 * parts; those stand in the configuration. */
static size_t gather_flags(const struct setup *s, struct config_flag *ret)
{
    const struct options *o = s->options;
    const char *both = o->yolo ? "--yolo" : o->full_auto ? "--full-auto" : NULL;
    size_t n = 0;
    if (o->mode != MODE_UNSET)
        ret[n++] = (struct config_flag){both ? both : "--sandbox", "sandbox_mode",
                                        sandbox_mode_word(o->mode)};
    if (o->policy && !str_eq(o->policy, "granular"))
        ret[n++] =
            (struct config_flag){both ? both : "--ask-for-approval", "approval_policy", o->policy};
    if (o->search)
        ret[n++] = (struct config_flag){"--search", "web_search", "live"};
    return n;
}

struct perm_context setup_context(const struct setup *s)
{
    return (struct perm_context){
        .workspace = s->cwd,
        .home = s->home,
        .tmpdir = s->tmpdir,
        .bawn_home = s->bawn_home,
        .add_dirs = s->add_dirs,
        .n_add_dirs = s->options->add_dirs.n,
        .own = s->own,
        .n_own = s->n_own,
    };
}

int setup_profile(struct setup *s, struct error *err)
{
    const struct options *o = s->options;
    const char *name = o->permissions;
    struct config_flag flags[4];
    struct config_request request = {
        .system_file = SYSTEM_CONFIG,
        .managed_file = MANAGED_CONFIG,
        .requirements_file = REQUIREMENTS,
        .bawn_home = s->bawn_home,
        .home = s->home,
        .cwd = s->cwd,
        .profile = o->config_profile,
        .overrides = o->overrides.v,
        .n_overrides = o->overrides.n,
        .flags = flags,
        .n_flags = gather_flags(s, flags),
        .strict = o->strict,
        .find_project = !s->cwd_lost,
    };
    if (o->mode == MODE_UNSET && !name && !s->cwd_lost)
        request.in_version_control = in_version_control(s, s->cwd);
    int r = config_load(&s->arena, &request, &s->config, err);
    if (r < 0)
        return r;
    if (s->cwd_lost && (r = narrow_lost_cwd(s, &name, err)) < 0)
        return r;
    struct perm_context context = setup_context(s);
    /* Found before it was known what the command may write. */
    s->state_dir = NULL;
    s->state_looked = false;
    r = profile_resolve(s->config, name, &context, &s->profile, err);
    return r < 0 ? r : net_settings_from_config(s->config, s->profile, &s->network, err);
}

/* ---- the plan ---- */

static bool is_stateless(struct setup *s);
static int say_state_unfit(struct setup *s, struct error *err);

/* Is there a bwrap to choose? Asked only where one can be chosen. */
static int find_bwrap(struct setup *s, struct error *err)
{
    if (s->purpose == SETUP_PATHS ||
        (s->config->backend != BACKEND_AUTO && s->config->backend != BACKEND_BWRAP))
        return 0;
    struct bwrap_request request = {.path_env = getenv("PATH")};
    struct bwrap_probe probe;
    if (probe_unfit_dirs(&s->arena, s->profile, s->cwd, &request.unfit_dirs,
                         &request.n_unfit_dirs) < 0)
        return no_memory(err);
    request.state_dir = setup_state_dir(s, false);
    bool fit = probe_bwrap(&request, &probe);
    /* There is one, and no place yet to try it in and to remember the answer. */
    if (!fit && probe.state == BWRAP_UNTRIED && !request.state_dir) {
        request.state_dir = setup_state_dir(s, true);
        fit = request.state_dir && probe_bwrap(&request, &probe);
    }
    s->bwrap.path = fit ? arena_strdup(&s->arena, probe.path) : NULL;
    s->bwrap.pins = fit && probe.pins;
    s->bwrap.why = fit ? NULL : arena_strdup(&s->arena, probe.result.detail);
    /* Where bwrap was asked for by name there is no other: the error says all. */
    s->start_warning = s->config->backend == BACKEND_BWRAP ? NULL : probe_start_warning(&probe);
    return fit && !s->bwrap.path ? no_memory(err) : 0;
}

/* May the run have to write something down? Refusals, and placeholders under what is writable. */
static bool may_keep_state(const struct setup *s)
{
    const struct profile *p = s->profile;
    bool needs = s->options->log_denials || p->network == NETWORK_FILTERED;
    for (size_t i = 0; i < p->n_entries && !needs; i++)
        needs = p->entries[i].access == ACCESS_WRITE;
    return needs && s->purpose == SETUP_RUN;
}

int setup_survey(struct setup *s, struct error *err)
{
    /* Nothing is confined: nothing has to be known about the disk. */
    if (s->profile->full_access)
        return 0;
    /* What bawn makes of its own comes first, so that the survey finds it. */
    int r = find_bwrap(s, err);
    if (r < 0)
        return r;
    if (may_keep_state(s))
        (void)setup_state_dir(s, true);
    /* What is not run makes nothing. */
    struct survey_request request = {.config = s->config,
                                     .profile = s->profile,
                                     .state_dir = setup_state_dir(s, false),
                                     .dry_run = s->purpose != SETUP_RUN};
    return survey_look(&s->arena, &request, &s->survey, err);
}

/* What loading the configuration had to say belongs to the plan's warnings: --explain shows one
 * list. */
static int merge_warnings(struct setup *s, struct error *err)
{
    const struct config *c = s->config;
    struct plan *p = s->plan;
    if (c->n_warnings == 0)
        return 0;
    const char **all = arena_zalloc(&s->arena, c->n_warnings + p->n_warnings, sizeof(*all));
    if (!all)
        return no_memory(err);
    size_t n = c->n_warnings;
    memcpy(all, c->warnings, n * sizeof(*all));
    for (size_t i = 0; i < p->n_warnings; i++) {
        bool again = false;
        for (size_t k = 0; k < c->n_warnings && !again; k++)
            again = str_eq(p->warnings[i], c->warnings[k]);
        if (!again)
            all[n++] = p->warnings[i];
    }
    p->warnings = all;
    p->n_warnings = n;
    return 0;
}

int setup_plan(struct setup *s, struct error *err)
{
    struct plan_input input = {
        .config = s->config,
        .profile = s->profile,
        .network = &s->network,
        .opening = s->net_front ? net_front_opening(s->net_front) : NULL,
        .survey = &s->survey,
        .workspace = s->cwd,
        .cwd = s->cwd,
        .environ = (const char *const *)environ,
        .bwrap = s->bwrap,
        .log_denials = s->options->log_denials,
        .stateless = is_stateless(s),
    };
    int r = plan_build(&s->arena, &input, &s->plan, err);
    if (r < 0 || (r = merge_warnings(s, err)) < 0)
        return r;
    if (may_keep_state(s) && !s->state_dir)
        r = say_state_unfit(s, err);
    return r;
}

/* ---- the state directory ---- */

/* Ours, private, a directory: fit to keep journals in. */
static bool is_private_dir(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
           (st.st_mode & 077) == 0 && access(path, W_OK) == 0;
}

enum state_how { STATE_LOOK, STATE_MAKE, STATE_COULD_MAKE };

/* Makes PATH where its parent is ours, or says whether it could; a home that belongs to somebody
 * else (sudo with the person's HOME) gets no files of ours. */
static bool make_private_dir(const char *path, const char *above, enum state_how how)
{
    struct stat st;
    if (how == STATE_LOOK || stat(above, &st) < 0 || st.st_uid != geteuid())
        return false;
    if (how == STATE_COULD_MAKE)
        return access(above, W_OK | X_OK) == 0 && access(path, F_OK) < 0;
    return path_mkdirs(path, 0700) == 0 && is_private_dir(path);
}

/* A directory of the session: ours, and nothing that the command can write. (What lies in BAWN_HOME
 * is protected by itself.) */
static const char *state_in_runtime(struct setup *s, const char *runtime, enum state_how how)
{
    bool there;
    const char *path =
        runtime ? path_join(&s->arena, canonical(&s->arena, runtime, &there), "bawn") : NULL;
    if (!path || (s->profile && !s->profile->full_access &&
                  permissions_check(s->profile, path).access == ACCESS_WRITE))
        return NULL;
    return is_private_dir(path) || make_private_dir(path, runtime, how) ? path : NULL;
}

/* NAME below bawn's home. */
static const char *dir_at_home(struct setup *s, const char *name, enum state_how how)
{
    struct arena *a = &s->arena;
    const char *path = s->bawn_home ? path_join(a, s->bawn_home, name) : NULL;
    if (!path || is_private_dir(path))
        return path;
    if (how == STATE_LOOK)
        return NULL;
    /* The nearest directory above that exists already. */
    char *above = path_parent(a, path);
    while (above && access(above, F_OK) < 0 && above[1])
        above = path_parent(a, above);
    return above && make_private_dir(path, above, how) ? path : NULL;
}

const char *setup_home_dir(struct setup *s, const char *name)
{
    return dir_at_home(s, name, STATE_MAKE);
}

static const char *find_state_dir(struct setup *s, enum state_how how)
{
    struct arena *a = &s->arena;
    const char *path = dir_at_home(s, "state", how);
    if (path)
        return path;
    path = state_in_runtime(s, absolute(a, set_and_not_empty("XDG_RUNTIME_DIR")), how);
    /* Where sessions have it whose environment was not passed on (cron, su, a service). */
    return path ? path
                : state_in_runtime(s, arena_printf(a, "/run/user/%lu", (unsigned long)geteuid()),
                                   how);
}

/* The state directory is there and not fit: what is wrong with it, and the command that mends it.
 */
static int find_state_problem(struct setup *s, struct error *err)
{
    struct arena *a = &s->arena;
    const char *path = s->bawn_home ? path_join(a, s->bawn_home, "state") : NULL;
    struct stat st;
    if (!path || lstat(path, &st) < 0)
        return 0;
    const char *shown = show(path);
    if (!S_ISDIR(st.st_mode)) {
        s->state_problem = arena_printf(a, "%s is not a directory", shown);
        s->state_fix = arena_printf(a, "mv %s %s.old", shown, shown);
    } else if (st.st_uid != geteuid()) {
        s->state_problem =
            arena_printf(a, "%s belongs to uid %lu, not to you", shown, (unsigned long)st.st_uid);
        s->state_fix = arena_printf(a, "sudo chown -R %lu %s", (unsigned long)geteuid(), shown);
    } else {
        bool open = st.st_mode & 077;
        s->state_problem =
            arena_printf(a, "%s has mode %04o: %s", shown, (unsigned)st.st_mode & 07777,
                         open ? "it has to be closed to others" : "you cannot write it");
        s->state_fix = arena_printf(a, "chmod 700 %s", shown);
    }
    return s->state_problem && s->state_fix ? 0 : no_memory(err);
}

/* A run that goes without is told; where it cannot, the error tells it. */
static int say_state_unfit(struct setup *s, struct error *err)
{
    int r = find_state_problem(s, err);
    if (r < 0 || !s->state_problem)
        return r;
    for (size_t i = 0; i < s->plan->n_mounts; i++)
        if (s->plan->mounts[i].op == MOUNT_MISSING)
            return 0;
    s->state_warning = arena_printf(&s->arena, "nothing is written down: %s; mended by: %s",
                                    s->state_problem, s->state_fix);
    return s->state_warning ? 0 : no_memory(err);
}

const char *setup_state_dir(struct setup *s, bool make)
{
    if (!s->state_dir && (make || !s->state_looked))
        s->state_dir = find_state_dir(s, make ? STATE_MAKE : STATE_LOOK);
    s->state_looked = true;
    return s->state_dir;
}

/* Nowhere to write down what is made on the host. What is only shown makes nothing, and says what a
 * run would find. */
static bool is_stateless(struct setup *s)
{
    return !setup_state_dir(s, false) &&
           (s->purpose == SETUP_RUN || !find_state_dir(s, STATE_COULD_MAKE));
}

/* ---- what every subcommand begins with ---- */

/* The parse failed, so --json may stand behind what it failed at. */
static bool asks_for_json(int argc, char **argv)
{
    for (int i = 1; i < argc && !str_eq(argv[i], "--"); i++)
        if (str_eq(argv[i], "--json"))
            return true;
    return false;
}

bool cli_parse(unsigned command, int argc, char **argv, struct setup *s, struct options *ret,
               int *ret_status)
{
    const struct subcommand *c = command_of(command);
    struct error err = {0};
    if (options_parse(c, argc, argv, &s->arena, ret, &err) < 0) {
        print_json(asks_for_json(argc, argv));
        *ret_status = cli_error(&err, EXIT_USAGE);
        return false;
    }
    print_json(ret->json);
    print_quiet(ret->quiet);
    if (ret->help) {
        _cleanup_strbuf_ struct strbuf out = {0};
        options_help(c, &out);
        *ret_status = print_out(&out);
        return false;
    }
    return true;
}

int cli_load(struct setup *s, const struct options *options)
{
    struct error err = {0};
    if (setup_world(s, options, &err) < 0 || setup_profile(s, &err) < 0)
        return cli_error(&err, EXIT_BROKEN);
    if (s->cwd_lost && !s->profile->full_access)
        print_warning(
            "the working directory no longer exists: read-only, in /; -C DIR names another");
    return 0;
}

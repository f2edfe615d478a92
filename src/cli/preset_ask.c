/*
 * What npm, pip, cargo, go and apt say about the hosts that they use. See preset_ask.h.
 *
 * They are asked about the person's configuration and the system's. A project's own (an .npmrc in
 * it) is a stranger's text, and does not count: no tool is run in the project's directory.
 */
#include "cli/preset_ask.h"

#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "cli/judge_here.h"
#include "cli/tool.h"
#include "rules/program.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANSWER_MS   30000
#define ANSWER_MOST (1u << 20)
#define MAX_ENV     24u
#define MAX_DIR     1000u /* entries of a directory that are looked at */
#define BY_HAND                                                                                    \
    "by hand: [permissions.NAME.network.domains] \"registry.example.com:443\" = \"allow\""

struct asking {
    struct setup *s;
    struct preset_found *f;
    struct here here;
    struct error *err;
};

static int no_memory(struct asking *q)
{
    return error_errno(q->err, -ENOMEM, "permissions preset");
}

/* ---- programs ---- */

/* NAME, where it may be run; NULL with a message. */
static const struct program *find(struct asking *q, const char *name)
{
    struct arena *a = &q->s->arena;
    struct program *p = arena_zalloc(a, 1, sizeof(*p));
    struct program_request request = {.path = here_only_firm(&q->here),
                                      .cwd = "/",
                                      .writable = q->here.writable,
                                      .n_writable = q->here.n_writable};
    int r = p && request.path && *request.path ? program_find(a, &request, name, p)
            : p && request.path                ? 0
                                               : -ENOMEM;
    if (r == 0 && !p->path) { /* to say where it is */
        request.path = q->here.path;
        request.cwd = q->s->cwd;
        r = program_find(a, &request, name, p);
    }
    if (r < 0) {
        (void)no_memory(q);
        return NULL;
    }
    if (p->path && p->trusted)
        return p;
    if (p->path) {
        (void)error_set(q->err, -ENOENT, "%s is not run: %s", show(p->path),
                        p->problem ? p->problem : "it cannot be trusted");
        error_hint(q->err, BY_HAND);
    } else {
        (void)error_set(q->err, -ENOENT, "%s is not installed, or not on PATH", name);
        error_hint(q->err, BY_HAND);
    }
    return NULL;
}

/* What runs for P gets: its own directory first, so that `env node` is the one beside npm. */
static char **environment(struct asking *q, const struct program *p, const char *const *keep,
                          const char *const *set)
{
    struct arena *a = &q->s->arena;
    char **env = arena_zalloc(a, MAX_ENV, sizeof(*env));
    size_t n = 0, dir = (size_t)(path_base(p->path) - p->path);
    if (!env)
        return NULL;
    env[n++] = arena_printf(a, "PATH=%.*s:/usr/local/bin:/usr/bin:/bin",
                            (int)(dir > 1 ? dir - 1 : 1), p->path);
    env[n++] = arena_printf(a, "HOME=%s", q->s->home ? q->s->home : "/");
    env[n++] = arena_strdup(a, "LANG=C.UTF-8");
    for (; set && *set; set++)
        env[n++] = arena_strdup(a, *set);
    for (; keep && *keep; keep++) {
        const char *value = getenv(*keep);
        if (value)
            env[n++] = arena_printf(a, "%s=%s", *keep, value);
    }
    for (size_t i = 0; i < n; i++)
        if (!env[i])
            return NULL;
    return env;
}

struct question {
    const char *const *argv; /* behind the program's name */
    const char *const *keep; /* variables of the person's that count */
    const char *const *set;
};

static int ask(struct asking *q, const struct program *p, const struct question *what,
               struct strbuf *out)
{
    struct arena *a = &q->s->arena;
    size_t n = 0;
    while (what->argv[n])
        n++;
    char **argv = arena_zalloc(a, n + 2, sizeof(*argv));
    char **env = environment(q, p, what->keep, what->set);
    if (!argv || !env)
        return no_memory(q);
    for (size_t i = 0; i <= n; i++)
        if (!(argv[i] = arena_strdup(a, i ? what->argv[i - 1] : p->path)))
            return no_memory(q);
    const struct tool_program program = {.fd = -1, .path = p->path, .argv = argv, .envp = env};
    int r = tool_run(&program, ANSWER_MS, ANSWER_MOST, out, q->err);
    if (r < 0)
        error_hint(q->err, BY_HAND);
    return r;
}

/* ---- files ---- */

/* -ENOENT: there is none; other faults are a note. */
static int read_file(struct asking *q, const char *path, struct strbuf *out)
{
    struct error why = {0};
    int r = path_read_file(AT_FDCWD, path, MAX_FILE_BYTES, out, &why);
    if (r < 0 && r != -ENOENT)
        preset_note(q->f, "%s is not read: %s", show(path), why.message);
    return r;
}

/* ---- npm ---- */

static bool has_from(const struct preset_found *f, const char *from)
{
    for (size_t i = 0; i < f->hosts.n; i++)
        if (str_eq(f->hosts.v[i].from, from))
            return true;
    return false;
}

static int ask_npm(struct asking *q)
{
    static const char *const list[] = {"config", "list", "--json", NULL};
    static const char *const keep[] = {
        "NVM_DIR",
        "npm_config_registry",
        "NPM_CONFIG_REGISTRY",
        "npm_config_userconfig",
        "NPM_CONFIG_USERCONFIG",
        "npm_config_globalconfig",
        "NPM_CONFIG_GLOBALCONFIG",
        NULL,
    };
    static const char *const set[] = {"npm_config_update_notifier=false",
                                      "npm_config_cache=/dev/null", NULL};
    _cleanup_strbuf_ struct strbuf out = {0}, rc = {0};
    const struct program *npm = find(q, "npm");
    if (!npm)
        return -ENOENT;
    int r = ask(q, npm, &(struct question){list, keep, set}, &out);
    if (r < 0)
        return r;
    const char *file = NULL;
    if (!preset_read_npm(q->f, (struct bytes){strbuf_text(&out), out.n}, &file))
        return error_set(q->err, -EIO, "what npm config list says makes no sense");
    /* What has a password in it is left out of the list. */
    const bool told = has_from(q->f, "npm config: registry");
    const size_t before = q->f->hosts.n;
    if (file && read_file(q, file, &rc) == 0)
        preset_read_npmrc(q->f, file, (struct bytes){strbuf_text(&rc), rc.n}, !told);
    if (told || q->f->hosts.n > before)
        return 0;
    (void)error_set(q->err, -EIO, "npm does not say which registry it uses");
    error_hint(q->err, BY_HAND);
    return -EIO;
}

/* ---- pip ---- */

/* The interpreter that pip begins with, where that is an absolute path alone; else python3. */
static const struct program *find_python(struct asking *q, const struct program *pip)
{
    char line[256];
    _cleanup_fd_ int fd = open(pip->resolved ? pip->resolved : pip->path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
    line[MAX_OF(n, 0)] = '\0';
    line[strcspn(line, "\n")] = '\0';
    const char *path = str_starts(line, "#!/") && !strpbrk(line, " \t\r") ? line + 2 : NULL;
    return find(q, path && strstr(path, "python") ? path : "python3");
}

/* The default is in pip's own code, and so is the host its files are on. */
static int ask_pip_default(struct asking *q, const struct program *pip, bool index)
{
    static const char code[] = "from pip._internal.models.index import PyPI\n"
                               "print(PyPI.simple_url)\nprint(PyPI.file_storage_domain)\n";
    static const char *const argv[] = {"-B", "-c", code, NULL};
    _cleanup_strbuf_ struct strbuf out = {0};
    struct error *err = q->err, ignored = {0};
    q->err = &ignored;
    const struct program *python = find_python(q, pip);
    int r = python ? ask(q, python, &(struct question){argv, NULL, NULL}, &out) : -ENOENT;
    q->err = err;
    const char *text = strbuf_text(&out), *nl = strchr(text, '\n');
    if (r < 0 || !nl) {
        if (index)
            return 0;
        (void)error_set(err, -EIO, "pip has no index set, and does not tell its default");
        error_hint(err, BY_HAND);
        return -EIO;
    }
    const size_t before = q->f->hosts.n;
    (void)preset_add_url(q->f, (struct bytes){text, (size_t)(nl - text)}, "pip's default index");
    const bool used = q->f->hosts.n == before; /* it was set, and is no other */
    if (index && !used) {
        q->f->hosts.n = before;
        return 0;
    }
    if (!preset_add_host(q->f, (struct bytes){nl + 1, strcspn(nl + 1, "\n")},
                         "pip's code: where the default index keeps its files"))
        preset_note(q->f, "where the default index keeps its files is not known here");
    return 0;
}

static int ask_pip(struct asking *q)
{
    static const char *const list[] = {"config", "list", NULL};
    static const char *const keep[] = {
        "PIP_INDEX_URL",   "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CONFIG_FILE",
        "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS",     "PYENV_ROOT",     NULL};
    static const char *const set[] = {"PIP_DISABLE_PIP_VERSION_CHECK=1", NULL};
    _cleanup_strbuf_ struct strbuf out = {0};
    const struct program *pip = find(q, "pip3");
    bool index;
    if (!pip)
        pip = find(q, "pip");
    if (!pip)
        return -ENOENT;
    int r = ask(q, pip, &(struct question){list, keep, set}, &out);
    if (r < 0)
        return r;
    preset_read_pip(q->f, (struct bytes){strbuf_text(&out), out.n}, &index);
    const size_t before = q->f->hosts.n;
    r = ask_pip_default(q, pip, index);
    if (r == 0 && index && q->f->hosts.n == before)
        preset_note(q->f, "an index may keep its files on another host: the refusals say which");
    return r;
}

/* ---- go ---- */

static int ask_go(struct asking *q)
{
    static const char *const argv[] = {"env", "GOPROXY", "GOSUMDB", NULL};
    static const char *const keep[] = {"GOPROXY",         "GOSUMDB", "GOENV",
                                       "XDG_CONFIG_HOME", "GOROOT",  NULL};
    static const char *const set[] = {"GOTOOLCHAIN=local", "GOFLAGS=", "GOTELEMETRY=off", NULL};
    _cleanup_strbuf_ struct strbuf out = {0};
    const struct program *go = find(q, "go");
    int r = go ? ask(q, go, &(struct question){argv, keep, set}, &out) : -ENOENT;
    if (r == 0 && !preset_read_go(q->f, (struct bytes){strbuf_text(&out), out.n}))
        r = error_set(q->err, -EIO, "what go env says makes no sense");
    return r;
}

/* ---- directories ---- */

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names in DIR in the order of their bytes; none where it is not there. */
static int list_dir(struct asking *q, const char *dir, const char ***ret, size_t *ret_n)
{
    struct arena *a = &q->s->arena;
    const char **names = arena_zalloc(a, MAX_DIR, sizeof(*names));
    DIR *d = names ? opendir(dir) : NULL;
    size_t n = 0;
    for (const struct dirent *e; d && n < MAX_DIR && (e = readdir(d));)
        if (e->d_name[0] != '.' && (names[n] = arena_strdup(a, e->d_name)))
            n++;
    if (d)
        (void)closedir(d);
    if (n)
        qsort(names, n, sizeof(*names), compare);
    *ret = names;
    *ret_n = n;
    return names ? 0 : no_memory(q);
}

/* ---- apt ---- */

static bool ends_in(const char *name, const char *with)
{
    size_t n = strlen(name), k = strlen(with);
    return n > k && str_eq(name + n - k, with);
}

static bool read_sources(struct asking *q, const char *path, bool deb822)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    struct preset_files mirrors = {0};
    if (read_file(q, path, &text) < 0)
        return false;
    preset_read_apt(q->f, path, deb822, (struct bytes){strbuf_text(&text), text.n}, &mirrors);
    for (size_t i = 0; i < mirrors.v.n; i++) {
        strbuf_clear(&text);
        if (read_file(q, mirrors.v.v[i], &text) == 0)
            preset_read_mirrors(q->f, mirrors.v.v[i], (struct bytes){strbuf_text(&text), text.n});
        else
            preset_note(q->f, "%s is named as a list of mirrors, and is not there",
                        show(mirrors.v.v[i]));
    }
    vec_release(&mirrors.v);
    return true;
}

static int ask_apt(struct asking *q)
{
    static const char dir[] = "/etc/apt/sources.list.d";
    const char **names;
    size_t n;
    int r = list_dir(q, dir, &names, &n);
    bool any = r == 0 && read_sources(q, "/etc/apt/sources.list", false);
    for (size_t i = 0; r == 0 && i < n; i++) {
        const bool deb822 = ends_in(names[i], ".sources");
        const char *path = arena_printf(&q->s->arena, "%s/%s", dir, names[i]);
        if (!path)
            return no_memory(q);
        if (deb822 || ends_in(names[i], ".list"))
            any = read_sources(q, path, deb822) || any;
    }
    if (r < 0 || any) {
        for (size_t i = 0; r == 0 && i < q->f->hosts.n; i++)
            if (q->f->hosts.v[i].tls)
                preset_note(q->f, "apt trusts only its own list of roots: what it fetches by https "
                                  "is not looked into, and has no rule for requests");
        return r;
    }
    r = error_set(q->err, -ENOENT, "apt has no source lists here: neither %s.list nor %s",
                  "/etc/apt/sources", dir);
    error_hint(
        q->err,
        "by hand: [permissions.NAME.network.domains] \"archive.example.com:80\" = \"allow\"");
    return r;
}

/* ---- cargo ---- */

static void read_copies(struct asking *q, const char *home)
{
    struct arena *a = &q->s->arena;
    const char *index = arena_printf(a, "%s/registry/index", home), **names;
    size_t n;
    if (!index || list_dir(q, index, &names, &n) < 0) {
        q->f->failed = true;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        _cleanup_strbuf_ struct strbuf text = {0};
        const char *file = arena_printf(a, "%s/%s/config.json", index, names[i]);
        if (file && read_file(q, file, &text) == 0)
            preset_read_cargo_index(q->f, names[i], (struct bytes){strbuf_text(&text), text.n});
    }
}

static int ask_cargo(struct asking *q)
{
    static const char *const files[] = {"config", "config.toml"}; /* as cargo prefers */
    struct arena *a = &q->s->arena;
    const char *set = getenv("CARGO_HOME"), *home = NULL, *file = "cargo's configuration";
    struct toml_value *tree = NULL;
    bool inherits;
    if (set && *set)
        home = set[0] == '/' ? set : NULL;
    else if (q->s->home)
        home = arena_printf(a, "%s/.cargo", q->s->home);
    if (!find(q, "cargo"))
        return -ENOENT;
    for (size_t i = 0; home && !tree && i < ARRAY_LEN(files); i++) {
        _cleanup_strbuf_ struct strbuf text = {0};
        const char *path = arena_printf(a, "%s/%s", home, files[i]);
        if (!path)
            return no_memory(q);
        if (read_file(q, path, &text) < 0)
            continue;
        const char *copy = arena_strndup(a, strbuf_text(&text), text.n);
        if (!copy)
            return no_memory(q);
        int r = toml_parse(a, path, (struct bytes){copy, text.n}, TOML_1_1, &tree, q->err);
        if (r < 0)
            return r;
        file = path;
    }
    preset_read_cargo(q->f, file, tree, &inherits);
    const size_t sure = q->f->hosts.n;
    if (home)
        read_copies(q, home);
    if (q->f->hosts.n > sure)
        preset_note(q->f, "hosts from a copy of an index are written by nobody but you: take the "
                          "\"#\" away, or name them behind the preset");
    if (inherits)
        preset_note(q->f, "cargo's own registry is used, and cargo does not tell its hosts: name "
                          "them, bawn permissions preset cargo HOST…");
    else if (sure)
        preset_note(q->f, "a registry may keep its crates on another host (\"dl\" in its "
                          "config.json): the refusals say which");
    return 0;
}

/* ---- all ---- */

int preset_ask(struct setup *s, struct preset_found *f, struct error *err)
{
    static int (*const all[])(struct asking *) = {
        [PRESET_NPM] = ask_npm, [PRESET_PYPI] = ask_pip,   [PRESET_CARGO] = ask_cargo,
        [PRESET_GO] = ask_go,   [PRESET_DEBIAN] = ask_apt,
    };
    struct asking q = {.s = s, .f = f, .here = {.s = s, .a = &s->arena}, .err = err};
    if (here_look(&q.here) < 0)
        return no_memory(&q);
    int r = all[f->preset->kind](&q);
    for (size_t i = 0; r == 0 && s->home && i < q.here.n_writable; i++)
        if (path_is_below(s->home, q.here.writable[i]))
            preset_note(f, "commands can write %s: what the tools say may be of their making",
                        show(s->home));
    return r == 0 && f->failed ? no_memory(&q) : r;
}

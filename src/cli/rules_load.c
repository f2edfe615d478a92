/*
 * Rules from the disk. See rules_load.h.
 *
 * A rules file decides what runs without a question, so who can write it matters: the system's is
 * root's alone, a person's is theirs or root's, and a project's is no symbolic link. What is no
 * regular file is an error and never waited for.
 */
#include "cli/rules_load.h"

#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/sys.h"
#include "base/vec.h"
#include "cli/print.h"
#include "config/requirements.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct loading {
    struct setup *s;
    struct rules *rules;
    bool broken_project;
    struct error *err;
};

/* ---- one file ---- */

/* Somebody else could have written it. */
static int check_owner(const char *file, const struct stat *st, enum rules_rank rank,
                       struct error *err)
{
    int r = 0;
    bool group = (st->st_mode & S_IWGRP) && (rank == RULES_SYSTEM || st->st_gid != getegid());
    if (rank != RULES_SYSTEM && rank != RULES_USER)
        return 0;
    if (st->st_uid != 0 && (rank == RULES_SYSTEM || st->st_uid != geteuid()))
        r = error_set(err, -EPERM, "%s belongs to user %u: its rules are not read", show(file),
                      (unsigned)st->st_uid);
    else if (group || (st->st_mode & S_IWOTH))
        r = error_set(err, -EPERM, "%s can be written by others: its rules are not read",
                      show(file));
    if (r < 0)
        error_hint(err, "chmod go-w %s, owned by %s", show(file),
                   rank == RULES_SYSTEM ? "root" : "you");
    return r;
}

/* In one piece, where it is as long as it was said to be: these files can be big. */
static int read_regular(int fd, size_t size, struct strbuf *out)
{
    out->p = mem_alloc(size + 1);
    if (!out->p)
        return -ENOMEM;
    out->cap = size + 1;
    out->max = MAX_FILE_BYTES;
    for (ssize_t n = 1; out->n < size && n != 0;) {
        n = read(fd, out->p + out->n, size - out->n);
        if (n < 0 && errno != EINTR)
            return -errno;
        out->n += n > 0 ? (size_t)n : 0;
    }
    out->p[out->n] = '\0';
    return fd_read_all(fd, MAX_FILE_BYTES - out->n, out);
}

static int read_file(const char *file, enum rules_rank rank, struct strbuf *out, struct error *err)
{
    struct stat st;
    _cleanup_fd_ int fd = path_openat2(AT_FDCWD, file, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                                       0, rank == RULES_PROJECT ? UAPI_RESOLVE_NO_SYMLINKS : 0);
    if (fd < 0)
        return error_errno(err, fd, "cannot read the rules of %s", show(file));
    if (fstat(fd, &st) < 0)
        return error_errno(err, -errno, "cannot read the rules of %s", show(file));
    if (!S_ISREG(st.st_mode))
        return error_set(err, -EINVAL, "cannot read the rules of %s: it is not a regular file",
                         show(file));
    int r = check_owner(file, &st, rank, err);
    if (r < 0)
        return r;
    if (st.st_size > (off_t)MAX_FILE_BYTES)
        return error_set(err, -EFBIG, "cannot read the rules of %s: more than %u MiB", show(file),
                         MAX_FILE_BYTES / (1024 * 1024));
    r = read_regular(fd, (size_t)st.st_size, out);
    return r < 0 ? error_errno(err, r, "cannot read the rules of %s", show(file)) : 0;
}

static int add_file(struct rules *rules, const char *file, enum rules_rank rank, const char *dir,
                    struct error *err)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    int r = read_file(file, rank, &text, err);
    if (r < 0)
        return r;
    const struct rules_source source = {
        .file = file, .rank = rank, .dir = dir, .text = {strbuf_text(&text), text.n}};
    return rules_add(rules, &source, err);
}

int rules_load_file(struct arena *a, struct rules *rules, const char *file, struct error *err)
{
    const char *kept = arena_strdup(a, file);
    _cleanup_strbuf_ struct strbuf text = {0};
    /* Named by whoever runs this: what it says is held against nothing but the words given. */
    int r = kept ? read_file(file, RULES_REQUIREMENTS, &text, err)
                 : error_errno(err, -ENOMEM, "cannot read the rules");
    const struct rules_source source = {
        .file = kept, .rank = RULES_USER, .text = {strbuf_text(&text), text.n}};
    return r < 0 ? r : rules_add(rules, &source, err);
}

/* ---- one directory ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_rules_name(const char *name)
{
    static const char suffix[] = ".rules";
    size_t n = strlen(name);
    return name[0] != '.' && n >= sizeof(suffix) && str_eq(name + n - (sizeof(suffix) - 1), suffix);
}

struct names {
    VEC(const char *) v;
};

static int list(struct arena *a, const char *dir, struct names *names, struct error *err)
{
    DIR *d = opendir(dir);
    int r = 0;
    if (!d)
        return errno == ENOENT ? 0
                               : error_errno(err, -errno, "cannot read the rules in %s", show(dir));
    for (const struct dirent *e; r == 0 && (errno = 0, e = readdir(d));) {
        if (!is_rules_name(e->d_name))
            continue;
        const char **slot = vec_push(&names->v);
        if (!slot || !(*slot = path_join(a, dir, e->d_name)))
            r = error_errno(err, -ENOMEM, "cannot read the rules in %s", show(dir));
    }
    if (r == 0 && errno)
        r = error_errno(err, -errno, "cannot read the rules in %s", show(dir));
    (void)closedir(d);
    if (r == 0 && names->v.v && names->v.n > 1)
        qsort(names->v.v, names->v.n, sizeof(*names->v.v), by_name);
    return r;
}

static int add_directory(struct loading *l, const char *dir, enum rules_rank rank,
                         const char *project)
{
    struct names names = {0};
    struct error what = {0};
    int r = list(&l->s->arena, dir, &names, &what);
    for (size_t i = 0; r == 0 && i < names.v.n; i++) {
        r = add_file(l->rules, names.v.v[i], rank, project, &what);
        if (r < 0 && r != -ENOMEM && rank == RULES_PROJECT) {
            print_warning(
                "%s%s%s: the project's rules are broken: what no other rule allows is asked "
                "about",
                what.file[0] ? "" : what.message, what.file[0] ? what.file : "",
                what.line ? arena_printf(&l->s->arena, ":%u: %s", what.line, what.message) : "");
            l->broken_project = true;
            r = 0;
        }
    }
    vec_release(&names.v);
    if (r < 0 && rank == RULES_PROJECT && r != -ENOMEM) {
        print_warning("%s: what no other rule allows is asked about", what.message);
        l->broken_project = true;
        return 0;
    }
    if (r < 0 && l->err)
        *l->err = what;
    return r;
}

/* From the project's root down to the working directory. */
static int add_projects(struct loading *l)
{
    const struct setup *s = l->s;
    const char *root = s->config->project.root, *cwd = s->cwd;
    int r = 0;
    if (!root || s->cwd_lost)
        return 0;
    for (size_t n = root[1] ? strlen(root) : 0; r == 0;) {
        char *above = arena_strndup(&l->s->arena, cwd, n ? n : 1);
        char *own = above ? path_join(&l->s->arena, above, ".bawn") : NULL;
        char *dir = own ? path_join(&l->s->arena, own, "rules") : NULL;
        if (!dir)
            return error_errno(l->err, -ENOMEM, "cannot read the rules");
        bool users = s->bawn_home && str_eq(own, s->bawn_home);
        if (!users && config_trusts(s->config, above) && access(dir, F_OK) == 0)
            r = add_directory(l, dir, RULES_PROJECT, above);
        if (!cwd[n] || (n == 0 && !cwd[1]))
            break;
        n += strcspn(cwd + n + 1, "/") + 1;
    }
    return r;
}

/* ---- requirements ---- */

static const char *text_of(const struct toml_value *v)
{
    return v && v->type == TOML_STRING ? v->string.p : NULL;
}

static int set_token(struct arena *a, const struct toml_value *item, struct rule_token *ret)
{
    const struct toml_value *any = toml_get(item, BYTES("any_of"));
    size_t n = any ? any->array.n : 1;
    const char **words = arena_zalloc(a, n, sizeof(*words));
    if (!words)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        words[i] = any ? text_of(any->array.items[i]) : text_of(toml_get(item, BYTES("token")));
    *ret = (struct rule_token){.words = words, .n = (uint32_t)n};
    return 0;
}

/* They were checked when the requirements were read. */
static int add_requirements(struct loading *l)
{
    const struct requirements *q = l->s->config->requirements;
    const struct toml_value *table = q->tree ? toml_get(q->tree, BYTES("rules")) : NULL;
    const struct toml_value *all = table ? toml_get(table, BYTES("prefix_rules")) : NULL;
    for (size_t i = 0; all && i < all->array.n; i++) {
        const struct toml_value *v = all->array.items[i];
        const struct toml_value *pattern = toml_get(v, BYTES("pattern"));
        size_t n = pattern->array.n;
        struct rule_token *tokens = arena_zalloc(&l->s->arena, n, sizeof(*tokens));
        int r = tokens ? 0 : -ENOMEM;
        for (size_t k = 0; r == 0 && k < n; k++)
            r = set_token(&l->s->arena, pattern->array.items[k], &tokens[k]);
        const char *decision = text_of(toml_get(v, BYTES("decision")));
        const struct rule rule = {.tokens = tokens,
                                  .n_tokens = (uint32_t)n,
                                  .decision = decision && str_eq(decision, "prompt")
                                                  ? DECISION_PROMPT
                                                  : DECISION_FORBIDDEN,
                                  .justification = text_of(toml_get(v, BYTES("justification"))),
                                  .file = q->file.file,
                                  .line = v->span.line,
                                  .rank = RULES_REQUIREMENTS};
        if (r == 0)
            r = rules_add_rule(l->rules, &rule);
        if (r < 0)
            return error_errno(l->err, r, "cannot read the rules of %s", show(q->file.file));
    }
    return 0;
}

int rules_load(struct setup *s, struct rules **ret, bool *ret_broken_project, struct error *err)
{
    struct loading l = {.s = s, .rules = rules_new(&s->arena), .err = err};
    const char *own = s->bawn_home ? path_join(&s->arena, s->bawn_home, "rules") : NULL;
    int r =
        l.rules && (own || !s->bawn_home) ? 0 : error_errno(err, -ENOMEM, "cannot read the rules");
    if (r == 0)
        r = add_requirements(&l);
    if (r == 0)
        r = add_directory(&l, SYSTEM_RULES, RULES_SYSTEM, NULL);
    if (r == 0 && own)
        r = add_directory(&l, own, RULES_USER, NULL);
    if (r == 0)
        r = add_projects(&l);
    if (r == 0 && rules_finish(l.rules) < 0)
        r = error_errno(err, -ENOMEM, "cannot read the rules");
    if (r < 0) {
        rules_free(l.rules);
        return r;
    }
    *ret = l.rules;
    *ret_broken_project = l.broken_project;
    return 0;
}

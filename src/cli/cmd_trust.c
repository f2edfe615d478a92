/*
 * bawn trust, bawn untrust: what a person says about a folder, kept in $BAWN_HOME/trust.toml.
 *
 * An entry is two keys and each is an edit of its own. They come in an order in which a crash
 * between two edits leaves no more trust than was asked for: what narrows comes before what widens.
 *
 * What is printed is what holds afterwards, with every file that can say something about it: an
 * "untrusted" elsewhere wins over a "trusted" here, and then the command says so and fails.
 */
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/setup.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/path.h"
#include "config/edit.h"
#include "config/trust.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define SYSTEM_CONFIG  "/etc/bawn/config.toml"
#define MANAGED_CONFIG "/etc/bawn/managed_config.toml"

/* Everything that is known about trust. */
struct known {
    struct setup *setup;
    const char *home;             /* canonical, or NULL */
    const char *file;             /* trust.toml */
    const struct toml_value *own; /* its [projects], or NULL */
    struct trust trust;           /* of all files */
    const char **markers;
    size_t n_markers;
};

static int no_memory(struct error *err)
{
    return error_errno(err, -ENOMEM, "cannot read what is trusted");
}

/* ---- the files ---- */

/* FILE as a tree; a missing one is NULL. */
static int load(struct arena *a, const char *name, const char *file, struct toml_value **ret,
                struct error *err)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    struct config_layer *layer = arena_zalloc(a, 1, sizeof(*layer));
    *ret = NULL;
    if (!layer)
        return no_memory(err);
    int r = path_read_file(AT_FDCWD, file, MAX_FILE_BYTES, &text, err);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    *layer = (struct config_layer){.name = name, .file = file, .read = true};
    layer->text = (struct bytes){arena_strndup(a, strbuf_text(&text), text.n), text.n};
    return layer->text.p ? config_parse_layer(a, layer, ret, err) : no_memory(err);
}

static const struct toml_value *projects_of(const struct toml_value *tree)
{
    return tree ? toml_get(tree, BYTES("projects")) : NULL;
}

/* The markers that TREE names take the place of those before. */
static int take_markers(struct known *k, const struct toml_value *tree, struct error *err)
{
    const struct toml_value *v = tree ? toml_get(tree, BYTES("project_root_markers")) : NULL;
    if (!v || v->type != TOML_ARRAY)
        return 0;
    k->n_markers = 0;
    k->markers = arena_zalloc(&k->setup->arena, v->array.n + 1, sizeof(*k->markers));
    if (!k->markers)
        return no_memory(err);
    for (size_t i = 0; i < v->array.n; i++)
        if (v->array.items[i]->type == TOML_STRING)
            k->markers[k->n_markers++] = v->array.items[i]->string.p;
    return 0;
}

/* A file of configuration, lowest first. What is wrong in it is for `bawn config check` to refuse:
 * here it must not keep anybody from withdrawing trust. */
static int take_config(struct known *k, const char *name, const char *file, struct error *err)
{
    struct error what = {0};
    struct toml_value *tree;
    struct arena *a = &k->setup->arena;
    int r = load(a, name, file, &tree, &what);
    if (r == 0)
        r = trust_add(a, &k->trust, projects_of(tree), k->home, &what);
    if (r == -ENOMEM)
        return no_memory(err);
    if (r < 0 && what.line)
        print_warning("%s:%u:%u: %s", show(what.file), what.line, what.column, what.message);
    else if (r < 0)
        print_warning("%s", what.message);
    return r < 0 ? 0 : take_markers(k, tree, err);
}

static int look(struct setup *s, struct known *k, struct error *err)
{
    static const char *const git[] = {".git"};
    struct arena *a = &s->arena;
    struct toml_value *tree;
    char *home = NULL;
    *k = (struct known){.setup = s};
    if (!s->bawn_home) {
        int r = error_set(err, -ENOENT,
                          "there is no place for trust.toml: neither HOME nor "
                          "BAWN_HOME is set");
        error_hint(err, "BAWN_HOME=DIR names one");
        return r;
    }
    if (s->home && path_canonical(a, s->home, &home, NULL) == 0)
        k->home = home;
    k->file = path_join(a, s->bawn_home, "trust.toml");
    const char *user = path_join(a, s->bawn_home, "config.toml");
    k->markers = arena_zalloc(a, ARRAY_LEN(git), sizeof(*k->markers));
    if (!k->file || !user || !k->markers)
        return no_memory(err);
    memcpy(k->markers, git, sizeof(git));
    k->n_markers = ARRAY_LEN(git);
    int r = load(a, "user", k->file, &tree, err);
    if (r < 0 || (r = trust_add(a, &k->trust, projects_of(tree), k->home, err)) < 0)
        return r;
    k->own = projects_of(tree);
    if ((r = take_config(k, "system", SYSTEM_CONFIG, err)) < 0 ||
        (r = take_config(k, "user", user, err)) < 0)
        return r;
    return take_config(k, "managed", MANAGED_CONFIG, err);
}

/* Does trust.toml have KEY for PATH? */
static bool has_key(const struct known *k, const char *path, const char *key)
{
    const struct toml_value *e = k->own ? toml_get(k->own, bytes_of(path)) : NULL;
    return e && e->type == TOML_TABLE && toml_get(e, bytes_of(key));
}

/* ---- which folder ---- */

struct subject {
    const char *path;  /* the entry's */
    const char *where; /* what is asked about: the working directory when no PATH was given */
    bool given, missing;
};

static int find_given(struct setup *s, const char *word, struct subject *ret, struct error *err)
{
    struct stat st;
    char *real;
    size_t missing = 0;
    if (s->cwd_lost && word[0] != '/')
        return error_set(err, -ENOENT, "%s: the working directory no longer exists", show(word));
    /* Not normalised: ".." behind a symbolic link is for the disk to say. */
    const char *full = word[0] == '/' ? word : arena_printf(&s->arena, "%s/%s", s->cwd, word);
    if (!full)
        return no_memory(err);
    if (!word[0])
        return error_set(err, -EINVAL, "the path is empty");
    int r = path_canonical(&s->arena, full, &real, &missing);
    if (r < 0)
        return error_errno(err, r, "%s", show(word));
    *ret = (struct subject){.path = real, .where = real, .given = true, .missing = missing > 0};
    if (!missing && (stat(real, &st) < 0 || !S_ISDIR(st.st_mode)))
        return error_set(err, -ENOTDIR, "%s is not a directory", show(word));
    return 0;
}

static int find_subject(struct known *k, const struct options *o, struct subject *ret,
                        struct error *err)
{
    struct setup *s = k->setup;
    struct project p;
    if (o->n_rest)
        return find_given(s, o->rest[0], ret, err);
    if (s->cwd_lost) {
        int r = error_set(err, -ENOENT, "the working directory no longer exists");
        error_hint(err, "name the folder");
        return r;
    }
    int r = project_find(&s->arena, s->cwd, (const char *const *)k->markers, k->n_markers, &p, err);
    if (r < 0)
        return r;
    *ret = (struct subject){.path = p.root, .where = s->cwd};
    return 0;
}

/* TOML is UTF-8, file names need not be. */
static int check_name(const char *path, struct error *err)
{
    const unsigned char *p = (const unsigned char *)path;
    uint32_t c;
    assert(path);
    for (size_t n = strlen(path), len; n; p += len, n -= len)
        if (!(len = utf8_decode(p, n, &c)))
            return error_set(err, -EILSEQ,
                             "%s cannot be written to trust.toml: the name is not UTF-8",
                             show(path));
    return 0;
}

/* Is this a folder that nobody should trust like this? */
static int check_trusting(const struct known *k, const struct subject *what, bool recursive,
                          struct error *err)
{
    struct stat st;
    const char *path = what->path;
    if (what->missing)
        return error_set(err, -ENOENT, "%s does not exist", show(path));
    if (str_eq(path, "/")) {
        int r = error_set(err, -EPERM, "/ is not trusted: every file of the machine is below it");
        error_hint(err, "name the project's own folder");
        return r;
    }
    if (recursive && k->home && path_is_below(k->home, path)) {
        int r = error_set(err, -EPERM,
                          "%s is not trusted recursively: whatever is downloaded or unpacked into "
                          "the home directory would be trusted too",
                          show(path));
        error_hint(err, "name the folder that holds your projects");
        return r;
    }
    if (!what->given && k->home && str_eq(path, k->home)) {
        int r =
            error_set(err, -EPERM, "the project root here is the home directory, %s", show(path));
        error_hint(err, "bawn trust . trusts this folder alone; bawn trust ~ means the home");
        return r;
    }
    if (stat(path, &st) == 0 && (st.st_mode & S_IWOTH) && (st.st_mode & S_ISVTX)) {
        int r =
            error_set(err, -EPERM, "%s is not trusted: everybody can put files there", show(path));
        error_hint(err, "name a folder of your own in it");
        return r;
    }
    return 0;
}

/* ---- writing ---- */

struct change {
    const char *key, *value; /* value NULL: remove */
};

/* What an edit leaves must be read again by the next start. */
static int check_text(void *data, struct bytes text, struct error *err)
{
    const struct known *k = data;
    _cleanup_arena_ struct arena a = {0};
    struct config_layer layer = {.name = "user", .file = k->file, .text = text};
    struct toml_value *tree;
    struct trust trust = {0};
    int r = config_parse_layer(&a, &layer, &tree, err);
    return r < 0 ? r : trust_add(&a, &trust, projects_of(tree), k->home, err);
}

static int write_changes(struct known *k, const char *path, const struct change *changes, size_t n,
                         bool *ret_changed, struct error *err)
{
    *ret_changed = false;
    for (size_t i = 0; i < n; i++) {
        const struct bytes parts[] = {BYTES("projects"), bytes_of(path), bytes_of(changes[i].key)};
        const struct edit_request request = {.file = k->file,
                                             .mode = 0600,
                                             .parts = parts,
                                             .n_parts = ARRAY_LEN(parts),
                                             .value = bytes_of(changes[i].value),
                                             .check = check_text,
                                             .data = k};
        bool changed;
        int r = edit_file(&request, &changed, err);
        if (r < 0)
            return r;
        *ret_changed = *ret_changed || changed;
    }
    return 0;
}

static int write_trusted(struct known *k, const char *path, bool recursive, bool *ret_changed,
                         struct error *err)
{
    struct change changes[2] = {{"recursive", recursive ? "true" : NULL},
                                {"trust_level", "\"trusted\""}};
    /* `recursive` first: alone it is no entry. */
    bool skip = !recursive && !has_key(k, path, "recursive");
    return write_changes(k, path, changes + skip, ARRAY_LEN(changes) - skip, ret_changed, err);
}

/* What was covered stays covered: withdrawing trust leaves `recursive` as it is. */
static int write_untrusted(struct known *k, const char *path, bool recursive, bool *ret_changed,
                           struct error *err)
{
    static const struct change changes[2] = {{"trust_level", "\"untrusted\""},
                                             {"recursive", "true"}};
    return write_changes(k, path, changes, recursive ? 2 : 1, ret_changed, err);
}

static int forget(struct known *k, const char *path, bool *ret_changed, struct error *err)
{
    static const char *const keys[] = {"trust_level", "recursive"};
    struct change changes[ARRAY_LEN(keys)];
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (has_key(k, path, keys[i]))
            changes[n++] = (struct change){keys[i], NULL};
    return write_changes(k, path, changes, n, ret_changed, err);
}

/* ---- what holds now ---- */

struct verdict {
    enum trust_level level;
    const struct trust_entry *entry; /* NULL: none */
};

static int judge(struct known *k, const struct subject *what, struct verdict *ret,
                 struct error *err)
{
    struct project p;
    int r = project_find(&k->setup->arena, what->where, (const char *const *)k->markers,
                         k->n_markers, &p, err);
    if (r < 0)
        return r;
    ret->level = trust_decide(&k->trust, what->where, &p, &ret->entry);
    return 0;
}

static void put_place(const struct trust_entry *e, struct strbuf *out)
{
    const char *file = e->origin.file ? e->origin.file : "";
    strbuf_put_printable(out, file, strlen(file));
    strbuf_printf(out, ":%u", e->origin.line);
}

/* "trusted: /p and every folder below it (project root of /p/sub)" */
static void print_text(const struct subject *what, const struct verdict *v, struct strbuf *out)
{
    assert(what->path && what->where);
    bool own = !v->entry || str_eq(v->entry->path, what->path);
    const char *path = own ? what->path : what->where;
    strbuf_printf(out, "%s: ", trust_word(v->level));
    strbuf_put_printable(out, path, strlen(path));
    if (own && v->entry && v->entry->recursive)
        strbuf_puts(out, " and every folder below it");
    if (!own) {
        strbuf_puts(out, " (by the entry of ");
        strbuf_put_printable(out, v->entry->path, strlen(v->entry->path));
        strbuf_puts(out, ", ");
        put_place(v->entry, out);
        strbuf_putc(out, ')');
    } else if (!str_eq(what->path, what->where)) {
        strbuf_puts(out, " (project root of ");
        strbuf_put_printable(out, what->where, strlen(what->where));
        strbuf_putc(out, ')');
    }
    strbuf_putc(out, '\n');
}

static void put_entry(struct json *j, const struct trust_entry *e)
{
    json_object(j);
    json_kv_string(j, "path", e->path);
    json_kv_string(j, "trust_level", trust_word(e->level));
    json_kv_bool(j, "recursive", e->recursive);
    json_kv_string(j, "layer", e->origin.layer);
    json_kv_string(j, "file", e->origin.file);
    json_kv_int(j, "line", e->origin.line);
    json_kv_int(j, "column", e->origin.column);
    json_end_object(j);
}

static void print_verdict_json(const struct subject *what, const struct verdict *v, bool changed,
                               struct strbuf *out)
{
    struct json j;
    json_begin(&j, out);
    json_object(&j);
    json_kv_string(&j, "path", what->path);
    json_kv_string(&j, "trust_level", trust_word(v->level));
    json_kv_bool(&j, "changed", changed);
    json_key(&j, "entry");
    if (v->entry)
        put_entry(&j, v->entry);
    else
        json_null(&j);
    json_end_object(&j);
    strbuf_putc(out, '\n');
}

/* Reads the files anew and says what they come to. WANT: TRUST_NONE when anything will do. */
static int report(struct setup *s, const struct options *o, const struct subject *what,
                  bool changed, enum trust_level want)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    struct known k;
    struct verdict v;
    struct error err = {0};
    print_quiet(true); /* the files' faults were told already */
    int r = look(s, &k, &err);
    print_quiet(o->quiet);
    if (r < 0 || judge(&k, what, &v, &err) < 0)
        return cli_error(&err, EXIT_BROKEN);
    if (o->json)
        print_verdict_json(what, &v, changed, &out);
    else
        print_text(what, &v, &out);
    int status = print_out(&out);
    if (status || want == TRUST_NONE || v.level == want)
        return status;
    (void)error_set(&err, -EPERM, "the entry is in %s, but another one says %s, and that holds",
                    show(k.file), trust_word(v.level));
    if (v.entry)
        error_hint(&err, "see %s:%u, [projects.\"%s\"]",
                   v.entry->origin.file ? show(v.entry->origin.file) : "?", v.entry->origin.line,
                   show(v.entry->path));
    return cli_error(&err, EXIT_BROKEN);
}

/* ---- --list ---- */

static int list(const struct known *k, bool json)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    struct json j;
    json_begin(&j, &out);
    if (json)
        json_array(&j);
    for (size_t i = 0; i < k->trust.n; i++) {
        const struct trust_entry *e = &k->trust.v[i];
        if (json) {
            put_entry(&j, e);
            continue;
        }
        strbuf_printf(&out, "%-10s ", trust_word(e->level));
        strbuf_put_printable(&out, e->path, strlen(e->path));
        strbuf_puts(&out, e->recursive ? " and every folder below it (" : " (");
        put_place(e, &out);
        strbuf_puts(&out, ")\n");
    }
    if (json) {
        json_end_array(&j);
        strbuf_putc(&out, '\n');
    }
    int r = print_out(&out);
    if (!k->trust.n && !json)
        print_note("nothing is trusted or untrusted; bawn trust trusts the project you are in");
    return r;
}

/* ---- the commands ---- */

static int check_words(const struct options *o, const char *name, struct error *err)
{
    const char *with = o->list ? "--list" : "--forget";
    size_t most = o->list ? 0 : 1;
    if (o->n_rest > most) {
        int r = error_set(err, -EINVAL, "%s: one word too many: %s", name, show(o->rest[most]));
        error_hint(err, "see bawn %s --help", name);
        return r;
    }
    if ((o->list || o->forget) && o->recursive)
        return error_set(err, -EINVAL, "%s: %s and --recursive contradict each other", name, with);
    return 0;
}

static int run(bool trusting, int argc, char **argv)
{
    _cleanup_setup_ struct setup s = {0};
    struct options o;
    struct error err = {0};
    struct known k;
    struct subject what = {0};
    int status, r;
    bool changed;
    if (!cli_parse(trusting ? FOR_TRUST : FOR_UNTRUST, argc, argv, &s, &o, &status))
        return status;
    if (check_words(&o, argv[0], &err) < 0)
        return cli_error(&err, EXIT_USAGE);
    if (setup_world(&s, &o, &err) < 0 || look(&s, &k, &err) < 0)
        return cli_error(&err, EXIT_BROKEN);
    if (o.list)
        return list(&k, o.json);
    r = find_subject(&k, &o, &what, &err);
    if (r == 0)
        r = check_name(what.path, &err);
    if (r == 0 && trusting)
        r = check_trusting(&k, &what, o.recursive, &err);
    else if (r == 0 && what.missing && !o.forget)
        r = error_set(&err, -ENOENT, "%s does not exist", show(what.path));
    if (r < 0)
        return cli_error(&err, r == -ENOMEM ? EXIT_BROKEN : EXIT_USAGE);
    if (trusting)
        r = write_trusted(&k, what.path, o.recursive, &changed, &err);
    else if (o.forget)
        r = forget(&k, what.path, &changed, &err);
    else
        r = write_untrusted(&k, what.path, o.recursive, &changed, &err);
    if (r < 0)
        return cli_error(&err, EXIT_BROKEN);
    return report(&s, &o, &what, changed,
                  trusting   ? TRUST_TRUSTED
                  : o.forget ? TRUST_NONE
                             : TRUST_UNTRUSTED);
}

int cmd_trust(int argc, char **argv)
{
    return run(true, argc, argv);
}

int cmd_untrust(int argc, char **argv)
{
    return run(false, argc, argv);
}

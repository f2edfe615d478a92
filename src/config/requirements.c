/*
 * Requirements: read, checked, held against the configuration. See requirements.h.
 *
 * The values that are compared are words with an order, strictest first; what is allowed is
 * everything up to the loosest word that is listed. A file that cannot be trusted to be the
 * administrator's, or does not parse, ends the start: no command runs without a floor that
 * somebody laid.
 */
#include "config/requirements.h"

#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "config/layers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Who a user namespace that does not map the owner shows instead (kernel.overflowuid). */
#define OVERFLOW_UID 65534u

/* ---- reading what must be the administrator's ---- */

/* Inside a user namespace without a root of the host's, its files show the overflow uid. There the
 * file is taken for the administrator's when this process could not have made it. */
static bool is_admins(const struct stat *st, unsigned admin)
{
    if (st->st_uid == admin)
        return true;
    struct stat root;
    return st->st_uid == OVERFLOW_UID && geteuid() != OVERFLOW_UID && stat("/", &root) == 0 &&
           root.st_uid == OVERFLOW_UID;
}

static int check_owner(const char *path, const struct stat *st, unsigned admin, struct error *err)
{
    if (!is_admins(st, admin)) {
        int r = error_set(err, -EPERM, "%s belongs to user %u, not to %s", show(path), st->st_uid,
                          admin == 0 ? "root" : "the administrator");
        error_hint(err, "chown root %s; nothing runs until then", show(path));
        return r;
    }
    if (st->st_mode & (S_IWGRP | S_IWOTH)) {
        int r = error_set(err, -EPERM, "%s can be written by others (mode %04o)", show(path),
                          st->st_mode & 07777);
        error_hint(err, "chmod go-w %s; nothing runs until then", show(path));
        return r;
    }
    return 0;
}

/* The directory that FILE stands in: whoever can write it can put another file there. */
static int check_dir_of(const char *file, unsigned admin, struct error *err)
{
    char dir[MAX_PATH_BYTES];
    struct stat st;
    size_t n = (size_t)(path_base(file) - file);
    if (n <= 1 || n > sizeof(dir))
        return 0;
    memcpy(dir, file, n - 1);
    dir[n - 1] = '\0';
    if (stat(dir, &st) < 0)
        return error_errno(err, -errno, "cannot look at %s", show(dir));
    return check_owner(dir, &st, admin, err);
}

/* The same of what a symbolic link FILE led to. Without /proc nothing is known of that place. */
static int check_target(int fd, const char *file, unsigned admin, struct error *err)
{
    char link[32], target[MAX_PATH_BYTES];
    struct stat st;
    if (lstat(file, &st) < 0 || !S_ISLNK(st.st_mode))
        return 0;
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, target, sizeof(target));
    if (n <= 0 || (size_t)n >= sizeof(target) || target[0] != '/')
        return error_set(err, -EPERM, "%s is a symbolic link, and where it leads cannot be checked",
                         show(file));
    target[n] = '\0';
    return check_dir_of(target, admin, err);
}

int admin_read(const char *file, unsigned admin, struct strbuf *out, struct error *err)
{
    struct stat st;
    _cleanup_fd_ int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        int e = errno;
        if (e == ENOENT && lstat(file, &st) < 0)
            return -ENOENT;
        if (e == ENOENT)
            return error_set(err, -ELOOP, "%s is a symbolic link that leads nowhere", show(file));
        return error_errno(err, -e, "cannot read %s", show(file));
    }
    if (fstat(fd, &st) < 0)
        return error_errno(err, -errno, "cannot look at %s", show(file));
    if (!S_ISREG(st.st_mode))
        return error_set(err, -EINVAL, "%s is not a regular file", show(file));
    int r = check_owner(file, &st, admin, err);
    if (r == 0)
        r = check_dir_of(file, admin, err);
    if (r == 0)
        r = check_target(fd, file, admin, err);
    if (r < 0)
        return r;
    r = fd_read_all(fd, MAX_FILE_BYTES, out);
    return r < 0 ? error_errno(err, r, "cannot read %s", show(file)) : 0;
}

/* ---- from the tree ---- */

static int take_list(struct arena *a, const struct toml_value *tree, const char *name,
                     struct string_list *ret)
{
    const struct toml_value *v = tree_find(tree, name);
    if (!v)
        return 0;
    ret->v = arena_zalloc(a, v->array.n + 1, sizeof(*ret->v));
    if (!ret->v)
        return -ENOMEM;
    for (size_t i = 0; i < v->array.n; i++)
        ret->v[i] = v->array.items[i]->string.p;
    ret->n = v->array.n;
    ret->set = true;
    ret->origin = config_origin(v, v->span);
    return 0;
}

static int at(struct error *err, int r, const struct toml_value *v)
{
    config_error_at(err, v, v->span);
    return r;
}

static int check_token(const struct toml_value *item, struct error *err)
{
    const struct toml_value *token = toml_get(item, BYTES("token"));
    const struct toml_value *any = toml_get(item, BYTES("any_of"));
    if (!token == !any)
        return at(err,
                  error_set(err, -EINVAL,
                            "rules.prefix_rules: pattern: expected { token = \"…\" } or "
                            "{ any_of = [\"…\"] }"),
                  item);
    if (token && token->type != TOML_STRING)
        return at(err,
                  error_set(err, -EINVAL, "rules.prefix_rules: token: expected a string, found %s",
                            toml_type_name(token->type)),
                  token);
    if (token)
        return 0;
    if (any->type != TOML_ARRAY || any->array.n == 0)
        return at(err,
                  error_set(err, -EINVAL,
                            "rules.prefix_rules: any_of: expected a list that is not empty"),
                  any);
    for (size_t i = 0; i < any->array.n; i++)
        if (any->array.items[i]->type != TOML_STRING)
            return at(err,
                      error_set(err, -EINVAL,
                                "rules.prefix_rules: any_of: expected a string, found %s",
                                toml_type_name(any->array.items[i]->type)),
                      any->array.items[i]);
    return 0;
}

static int check_rule(const struct toml_value *rule, struct error *err)
{
    const struct toml_value *pattern = toml_get(rule, BYTES("pattern"));
    const struct toml_value *decision = toml_get(rule, BYTES("decision"));
    const struct toml_value *why = toml_get(rule, BYTES("justification"));
    if (!pattern || pattern->type != TOML_ARRAY || pattern->array.n == 0)
        return at(err,
                  error_set(err, -EINVAL,
                            "rules.prefix_rules: pattern: expected a list that is not empty"),
                  pattern ? pattern : rule);
    for (size_t i = 0; i < pattern->array.n; i++) {
        const struct toml_value *item = pattern->array.items[i];
        int r = item->type == TOML_TABLE
                    ? check_token(item, err)
                    : at(err,
                         error_set(err, -EINVAL,
                                   "rules.prefix_rules: pattern: expected a table, found %s",
                                   toml_type_name(item->type)),
                         item);
        if (r < 0)
            return r;
    }
    /* An administrator's rule restricts: what it allowed nobody could take back. */
    if (!decision || decision->type != TOML_STRING ||
        !(bytes_is(decision->string, "prompt") || bytes_is(decision->string, "forbidden")))
        return at(
            err,
            error_set(err, -EINVAL, "rules.prefix_rules: decision: expected prompt or forbidden"),
            decision ? decision : rule);
    if (why && why->type != TOML_STRING)
        return at(err,
                  error_set(err, -EINVAL,
                            "rules.prefix_rules: justification: expected a string, found %s",
                            toml_type_name(why->type)),
                  why);
    return 0;
}

static int check_rules(const struct toml_value *tree, struct error *err)
{
    const struct toml_value *rules = tree_find(tree, "rules.prefix_rules");
    for (size_t i = 0; rules && i < rules->array.n; i++) {
        int r = check_rule(rules->array.items[i], err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* deny_read as the filesystem table it comes to: the same forms, the same checks. */
static int add_floor(struct arena *a, struct config *config, const struct requirements *q,
                     struct error *err)
{
    const struct toml_value *list = tree_find(q->tree, "permissions.filesystem.deny_read");
    struct toml_value *table = list ? tree_new(a, list->owner) : NULL;
    if (!list)
        return 0;
    if (!table)
        return error_errno(err, -ENOMEM, "requirements");
    table->span = list->span;
    for (size_t i = 0; i < list->array.n; i++) {
        struct toml_value *item = list->array.items[i];
        struct toml_value *none = tree_string(a, list->owner, "none");
        if (none)
            none->span = item->span;
        if (!none ||
            (!toml_get(table, item->string) && !toml_add(a, table, item->string, item->span, none)))
            return error_errno(err, -ENOMEM, "requirements");
    }
    return config_add_floor(config, table, true);
}

static int take_tree(struct arena *a, struct requirements *q, struct config *config,
                     struct error *err)
{
    const struct {
        const char *name;
        struct string_list *to;
    } lists[] = {
        {"allowed_sandbox_modes", &q->modes},
        {"allowed_approval_policies", &q->policies},
        {"allowed_approvals_reviewers", &q->reviewers},
        {"allowed_web_search_modes", &q->web_search},
        {"permissions.filesystem.deny_read", &q->deny_read},
    };
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        if (take_list(a, q->tree, lists[i].name, lists[i].to) < 0)
            return error_errno(err, -ENOMEM, "requirements");
    q->profiles = tree_find(q->tree, "allowed_permission_profiles");
    q->network = tree_find(q->tree, "experimental_network");
    const struct toml_value *v = tree_find(q->tree, "default_permissions");
    if (v) {
        q->default_permissions = v->string.p;
        q->default_permissions_origin = config_origin(v, v->span);
    }
    q->any = q->tree->table.n != 0;
    int r = check_rules(q->tree, err);
    return r < 0 ? r : add_floor(a, config, q, err);
}

/* Its keys are those of the configuration. */
static int check_otel(struct arena *a, struct config *config, const struct requirements *q,
                      struct error *err)
{
    struct toml_value *v = toml_get(q->file.tree, BYTES("otel"));
    struct toml_value *tree = v ? tree_wrap_name(a, "otel", v->span, v) : NULL;
    if (!v)
        return 0;
    return tree ? layer_check(config, &config_keys, &q->file, tree, false, err)
                : error_errno(err, -ENOMEM, "requirements");
}

static int take_text(struct arena *a, struct requirements *q, struct config *config,
                     struct bytes text, struct error *err)
{
    q->file.text = text;
    int r = config_parse_layer(a, &q->file, &q->file.tree, err);
    /* Unknown keys warn, also with --strict-config: a user's option must not break every start. */
    if (r == 0)
        r = layer_check(config, &requirement_keys, &q->file, q->file.tree, false, err);
    if (r == 0)
        r = check_otel(a, config, q, err);
    if (r < 0)
        return r;
    q->file.read = true;
    q->tree = q->file.tree;
    return take_tree(a, q, config, err);
}

int requirements_check_text(struct arena *a, const char *file, struct bytes text, struct error *err)
{
    struct config *c = arena_zalloc(a, 1, sizeof(*c));
    struct requirements *q = arena_zalloc(a, 1, sizeof(*q));
    if (!c || !q)
        return error_errno(err, -ENOMEM, "cannot check %s", show(file));
    c->arena = a;
    q->file = (struct config_layer){
        .rank = RANK_REQUIREMENTS, .name = config_rank_word(RANK_REQUIREMENTS), .file = file};
    return take_text(a, q, c, text, err);
}

int requirements_load(struct arena *a, const struct config_request *request, struct config *config,
                      struct requirements **ret, struct error *err)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    struct requirements *q = arena_zalloc(a, 1, sizeof(*q));
    const char *file = request->requirements_file;
    if (!q)
        return error_errno(err, -ENOMEM, "requirements");
    *ret = q;
    q->file = (struct config_layer){
        .rank = RANK_REQUIREMENTS, .name = config_rank_word(RANK_REQUIREMENTS), .file = file};
    if (!file) {
        q->file.reason = "there is none";
        return 0;
    }
    int r = admin_read(file, request->admin_uid, &text, err);
    if (r == -ENOENT) {
        q->file.reason = "there is no such file";
        return 0;
    }
    if (r < 0) {
        error_at(err, file, 0, 0, 0, NULL, 0);
        return r;
    }
    char *copy = arena_strndup(a, strbuf_text(&text), text.n);
    if (!copy)
        return error_errno(err, -ENOMEM, "requirements");
    q->file.dir = path_parent(a, file);
    return take_text(a, q, config, (struct bytes){copy, text.n}, err);
}

static int add_word(struct arena *a, const struct config_layer *managed, const char *name,
                    struct string_list *list, bool *ret_any)
{
    const struct toml_value *v = managed->tree ? tree_find(managed->tree, name) : NULL;
    if (list->set || !v)
        return 0;
    list->v = arena_zalloc(a, 1, sizeof(*list->v));
    if (!list->v)
        return -ENOMEM;
    list->v[0] = v->type == TOML_STRING ? v->string.p : "granular";
    list->n = 1;
    list->set = *ret_any = true;
    list->origin = config_origin(v, v->span);
    return 0;
}

int requirements_add_managed(struct arena *a, struct requirements *q,
                             const struct config_layer *managed)
{
    int r = add_word(a, managed, "approval_policy", &q->policies, &q->any);
    return r < 0 ? r : add_word(a, managed, "sandbox_mode", &q->modes, &q->any);
}

/* ---- words ---- */

struct ladder {
    const char *name;      /* of the configuration key */
    const char *words[8];  /* strictest first; NULL-terminated */
    unsigned char rank[8]; /* words of one rank are as strict as one another */
    const char *always;    /* allowed whatever is listed, or NULL */
};

static const struct ladder policy_ladder = {
    "approval_policy",
    {"untrusted", "on-request", "on-failure", "granular", "never"},
    {0, 1, 1, 1, 2},
    NULL,
};
static const struct ladder reviewer_ladder = {
    "approvals_reviewer", {"user", "auto_review", "guardian_subagent"}, {0, 1, 1}, "user"};
static const struct ladder search_ladder = {
    "web_search", {"disabled", "cached", "live"}, {0, 1, 2}, "disabled"};
static const struct ladder mode_ladder = {
    "sandbox_mode", {"read-only", "workspace-write", "danger-full-access"}, {0, 1, 2}, NULL};

static int ladder_rank(const struct ladder *ladder, const char *word)
{
    for (size_t i = 0; ladder->words[i]; i++)
        if (str_eq(ladder->words[i], word))
            return ladder->rank[i];
    return UINT8_MAX;
}

int approval_rank(const char *word)
{
    return ladder_rank(&policy_ladder, word);
}

static bool is_allowed(const struct ladder *ladder, const struct string_list *list,
                       const char *word)
{
    int rank = ladder_rank(ladder, word);
    if (!list->set || (ladder->always && str_eq(ladder->always, word)))
        return true;
    for (size_t i = 0; i < list->n; i++)
        if (rank <= ladder_rank(ladder, list->v[i]))
            return true;
    return false;
}

bool requirements_allow_web_search(const struct requirements *r, const char *word)
{
    return is_allowed(&search_ladder, &r->web_search, word);
}

static const char *strictest(const struct ladder *ladder, const struct string_list *list)
{
    const char *best = ladder->always;
    for (size_t i = 0; i < list->n; i++)
        if (!best || ladder_rank(ladder, list->v[i]) < ladder_rank(ladder, best))
            best = list->v[i];
    return best;
}

static void put_list(struct strbuf *out, const struct ladder *ladder,
                     const struct string_list *list)
{
    if (list->n == 0)
        strbuf_puts(out, ladder->always ? ladder->always : "nothing");
    for (size_t i = 0; i < list->n; i++)
        strbuf_printf(out, "%s%s", i == 0 ? "" : i + 1 < list->n ? ", " : " and ", list->v[i]);
}

/* What a project's file said, no person chose: it must not end the start. */
static bool nobody_chose(const struct origin *origin)
{
    return config_is_default(origin) || str_eq(origin->layer, config_rank_word(RANK_PROJECT));
}

/* VALUE of KEY, set at ORIGIN, is not among what LIST allows. */
static int refuse_word(struct config *c, const struct ladder *ladder,
                       const struct string_list *list, const char *word,
                       const struct origin *origin, struct error *err)
{
    _cleanup_strbuf_ struct strbuf allowed = {0};
    put_list(&allowed, ladder, list);
    (void)error_set(err, -EPERM, "%s = \"%s\" (%s) is not allowed: %s allows %s", ladder->name,
                    show(word), config_place(c->arena, origin),
                    config_place(c->arena, &list->origin), strbuf_text(&allowed));
    error_hint(err, "take what is allowed, or what is stricter; the requirement is the "
                    "administrator's");
    return -EPERM;
}

/* Something holds that nobody asked for: one line says so, and doctor repeats it. */
_printf_(3, 4) static int changed(struct config *c, const char *key, const char *fmt, ...)
{
    char text[ERROR_MESSAGE_MAX];
    va_list ap;
    const char **keys = arena_zalloc(c->arena, c->applied.n + 1, sizeof(*keys));
    if (!keys || !(keys[c->applied.n] = arena_strdup(c->arena, key)))
        return -ENOMEM;
    if (c->applied.n)
        memcpy(keys, c->applied.v, c->applied.n * sizeof(*keys));
    c->applied.v = keys;
    c->applied.n++;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    c->required = c->required ? arena_printf(c->arena, "%s; %s", c->required, text)
                              : arena_strdup(c->arena, text);
    return c->required ? config_warn(c, "%s", text) : -ENOMEM;
}

static int give_way(struct config *c, const struct ladder *ladder, const struct string_list *list,
                    const char *word, const char *instead)
{
    return changed(c, ladder->name, "%s is \"%s\" instead of the default \"%s\": %s requires it",
                   ladder->name, instead, word, config_place(c->arena, &list->origin));
}

/* ---- against the merged tree ---- */

static int put(struct config *c, const char *name, struct toml_value *v)
{
    struct toml_value *tree = tree_wrap_name(c->arena, name, v->span, v);
    struct toml_value *merged = tree ? tree_merge(c->arena, c->tree, tree) : NULL;
    if (!merged)
        return -ENOMEM;
    c->tree = merged;
    return 0;
}

static int put_word(struct config *c, const struct requirements *q, const char *name,
                    const struct string_list *because, const char *word)
{
    struct toml_value *v = tree_string(c->arena, &q->file, word);
    if (!v)
        return -ENOMEM;
    v->span = (struct toml_span){.line = because->origin.line, .column = because->origin.column};
    return put(c, name, v);
}

static int apply_word(struct config *c, const struct requirements *q, const struct ladder *ladder,
                      const struct string_list *list, struct error *err)
{
    const struct toml_value *v = tree_find(c->tree, ladder->name);
    const char *word = !v ? NULL : v->type == TOML_STRING ? v->string.p : "granular";
    if (!list->set)
        return 0;
    if (!v && str_eq(ladder->name, "web_search"))
        word = "cached"; /* what holds without a word */
    if (!word || is_allowed(ladder, list, word))
        return 0;
    struct origin origin = v ? config_origin(v, v->span) : (struct origin){.layer = "default"};
    if (!nobody_chose(&origin))
        return refuse_word(c, ladder, list, word, &origin, err);
    const char *instead = strictest(ladder, list);
    int r = give_way(c, ladder, list, word, instead);
    if (r == 0)
        r = put_word(c, q, ladder->name, list, instead);
    return r < 0 ? error_errno(err, r, "requirements") : 0;
}

static int refuse_value(struct config *c, const char *name, const struct toml_value *value,
                        const struct toml_value *required, struct error *err)
{
    struct origin mine = config_origin(value, value->span);
    struct origin theirs = config_origin(required, required->span);
    const char *words[] = {"false", "true"};
    if (value->type == TOML_BOOLEAN && required->type == TOML_BOOLEAN)
        (void)error_set(err, -EPERM, "%s = %s (%s) is not allowed: %s allows only %s", name,
                        words[value->boolean], config_place(c->arena, &mine),
                        config_place(c->arena, &theirs), words[required->boolean]);
    else
        (void)error_set(err, -EPERM, "%s (%s) is not what %s fixes", name,
                        config_place(c->arena, &mine), config_place(c->arena, &theirs));
    error_hint(err, "take the line out: what the requirement says holds anyway");
    return -EPERM;
}

static bool chosen(const struct toml_value *v)
{
    if (!v)
        return false;
    struct origin origin = config_origin(v, v->span);
    return !config_is_default(&origin);
}

/* FIXED holds; another value that somebody chose is refused, one that is STRICTER stays. */
static int fix(struct config *c, const char *name, struct toml_value *fixed, bool stricter_is_false,
               struct error *err)
{
    const struct toml_value *v = tree_find(c->tree, name);
    if (chosen(v) && !tree_equal(v, fixed)) {
        if (stricter_is_false && v->type == TOML_BOOLEAN && !v->boolean)
            return 0;
        return refuse_value(c, name, v, fixed, err);
    }
    return put(c, name, fixed) < 0 ? error_errno(err, -ENOMEM, "requirements") : 0;
}

/* The whole table: what it leaves out is as if nobody had said anything of it. */
static int fix_otel(struct config *c, struct toml_value *fixed, struct error *err)
{
    const struct toml_value *v = tree_find(c->tree, "otel");
    struct toml_value *defaults = toml_get(c->layers[0].tree, BYTES("otel"));
    struct toml_value *whole = tree_merge(c->arena, defaults, fixed);
    if (whole && chosen(v) && !tree_equal(v, whole))
        return refuse_value(c, "otel", v, fixed, err);
    if (!whole || put(c, "otel", whole) < 0)
        return error_errno(err, -ENOMEM, "requirements");
    return 0;
}

static int pin_features(struct config *c, const struct requirements *q, struct error *err)
{
    const struct toml_value *pins = tree_find(q->tree, "features");
    for (const struct toml_member *m = pins ? pins->table.first : NULL; m; m = m->next) {
        const struct toml_value *all = tree_find(c->tree, "features");
        const struct toml_value *v = all ? toml_get(all, m->key) : NULL, *on = v;
        if (v && v->type == TOML_TABLE)
            on = toml_get(v, BYTES("enabled"));
        char name[128];
        (void)snprintf(name, sizeof(name), "features.%s", show_n(m->key.p, m->key.n));
        if (chosen(v) && on && !tree_equal(on, m->value))
            return refuse_value(c, name, on, m->value, err);
        if (v && v->type == TOML_TABLE && on)
            continue;
        const struct bytes parts[] = {
            BYTES("features"), m->key, {"enabled", v && v->type == TOML_TABLE ? 7 : 0}};
        struct toml_value *tree =
            tree_wrap(c->arena, parts, parts[2].n ? 3 : 2, m->value->span, m->value);
        c->tree = tree ? tree_merge(c->arena, c->tree, tree) : NULL;
        if (!c->tree)
            return error_errno(err, -ENOMEM, "requirements");
    }
    return 0;
}

/* The administrator's profiles, which nobody else may define. */
static int add_profiles(struct config *c, const struct requirements *q, struct error *err)
{
    struct toml_value *managed = (struct toml_value *)tree_find(q->tree, "permissions");
    const struct toml_value *own = tree_find(c->tree, "permissions");
    for (const struct toml_member *m = managed ? managed->table.first : NULL; m; m = m->next) {
        if (bytes_is(m->key, "filesystem"))
            continue;
        const struct toml_member *same = own ? toml_member(own, m->key) : NULL;
        if (same) {
            struct origin theirs = config_origin(m->value, m->key_span);
            (void)error_set(err, -EPERM,
                            "permissions.%s is the administrator's profile (%s); nobody else may "
                            "define one of its name",
                            show_n(m->key.p, m->key.n), config_place(c->arena, &theirs));
            config_error_at(err, same->value, same->key_span);
            error_hint(err, "give yours another name; it can extend the other");
            return -EPERM;
        }
        const struct bytes parts[] = {BYTES("permissions"), m->key};
        struct toml_value *tree = tree_wrap(c->arena, parts, 2, m->key_span, m->value);
        c->tree = tree ? tree_merge(c->arena, c->tree, tree) : NULL;
        if (!c->tree)
            return error_errno(err, -ENOMEM, "requirements");
        own = tree_find(c->tree, "permissions");
    }
    return 0;
}

/* What the identity does not name the server must not have: one with a command besides the URL that
 * is allowed could be started as either. */
static bool same_identity(const struct toml_value *server, const struct toml_value *identity,
                          const char *key)
{
    const struct toml_value *want = toml_get(identity, bytes_of(key));
    const struct toml_value *is = toml_get(server, bytes_of(key));
    return !want ? !is : is && tree_equal(want, is);
}

/* Only keys that are unknown here: names nothing, so it fits nothing. */
static bool names_something(const struct toml_value *identity)
{
    return toml_get(identity, BYTES("command")) || toml_get(identity, BYTES("url"));
}

/* A server that is not known by name and identity is taken out. */
static int filter_servers(struct config *c, const struct requirements *q, struct error *err)
{
    const struct toml_value *allowed = tree_find(q->tree, "mcp_servers");
    const struct toml_value *own = tree_find(c->tree, "mcp_servers");
    struct toml_value *kept = allowed && own ? tree_new(c->arena, own->owner) : NULL;
    if (!allowed || !own)
        return 0;
    if (!kept)
        return error_errno(err, -ENOMEM, "requirements");
    struct origin place = config_origin(allowed, allowed->span);
    for (const struct toml_member *m = own->table.first; m; m = m->next) {
        const struct toml_value *server = toml_get(allowed, m->key);
        const struct toml_value *identity = server ? toml_get(server, BYTES("identity")) : NULL;
        bool fits = identity && names_something(identity) && m->value->type == TOML_TABLE &&
                    same_identity(m->value, identity, "command") &&
                    same_identity(m->value, identity, "url");
        if (fits && !toml_add(c->arena, kept, m->key, m->key_span, m->value))
            return error_errno(err, -ENOMEM, "requirements");
        if (!fits && changed(c, "mcp_servers", "mcp_servers.%s is disabled: %s does not name it so",
                             show_n(m->key.p, m->key.n), config_place(c->arena, &place)) < 0)
            return error_errno(err, -ENOMEM, "requirements");
    }
    struct toml_member *m = toml_member(c->tree, BYTES("mcp_servers"));
    m->value = kept;
    return 0;
}

int requirements_apply(struct config *c, struct error *err)
{
    const struct requirements *q = c->requirements;
    int r = apply_word(c, q, &policy_ladder, &q->policies, err);
    if (r == 0)
        r = apply_word(c, q, &reviewer_ladder, &q->reviewers, err);
    if (r == 0)
        r = apply_word(c, q, &search_ladder, &q->web_search, err);
    if (r < 0 || !q->tree)
        return r;
    struct toml_value *login = (struct toml_value *)tree_find(q->tree, "allow_login_shell");
    struct toml_value *otel = (struct toml_value *)tree_find(q->tree, "otel");
    if (login)
        r = fix(c, "allow_login_shell", login, true, err);
    if (r == 0 && otel)
        r = fix_otel(c, otel, err);
    if (r == 0)
        r = pin_features(c, q, err);
    if (r == 0)
        r = add_profiles(c, q, err);
    return r < 0 ? r : filter_servers(c, q, err);
}

/* ---- modes and profiles ---- */

static bool profile_allowed(const struct requirements *q, const char *name)
{
    if (!q->profiles || str_eq(name, ":read-only"))
        return true;
    const struct toml_value *v = toml_get(q->profiles, bytes_of(name));
    return v && v->boolean;
}

/* What a requirement needs of the kernel that nothing holds when nothing is confined. */
static int check_full_access(struct config *c, const struct origin *origin, const char *what,
                             struct error *err)
{
    const struct requirements *q = c->requirements;
    const struct toml_value *on = q->network ? toml_get(q->network, BYTES("enabled")) : NULL;
    struct origin because = q->deny_read.origin;
    const char *key = "permissions.filesystem.deny_read";
    if (q->deny_read.n == 0) {
        if (!q->network || (on && !on->boolean))
            return 0;
        because = config_origin(q->network, q->network->span);
        key = "experimental_network";
    }
    (void)error_set(err, -EPERM, "%s (%s) is not allowed: it cannot hold %s (%s)", what,
                    config_place(c->arena, origin), key, config_place(c->arena, &because));
    error_hint(err, "workspace-write can");
    return -EPERM;
}

static void put_profiles(struct strbuf *out, const struct toml_value *profiles)
{
    strbuf_puts(out, ":read-only");
    for (const struct toml_member *m = profiles->table.first; m; m = m->next)
        if (m->value->boolean && !bytes_is(m->key, ":read-only"))
            strbuf_printf(out, ", %s", show_n(m->key.p, m->key.n));
}

static int refuse_profile(struct config *c, const char *name, const struct origin *origin,
                          struct error *err)
{
    const struct toml_value *profiles = c->requirements->profiles;
    struct origin because = config_origin(profiles, profiles->span);
    _cleanup_strbuf_ struct strbuf allowed = {0};
    put_profiles(&allowed, profiles);
    (void)error_set(err, -EPERM, "permission profile %s (%s) is not allowed: %s allows %s",
                    show(name), config_place(c->arena, origin), config_place(c->arena, &because),
                    strbuf_text(&allowed));
    error_hint(err, "choose one of those with -P; the requirement is the administrator's");
    return -EPERM;
}

int requirements_check_profile(struct config *c, const char *name, enum sandbox_mode mode,
                               const struct origin *origin, const char **ret_instead,
                               struct error *err)
{
    const struct requirements *q = c->requirements;
    bool is_default = nobody_chose(origin);
    const char *word = sandbox_mode_word(mode);
    if (!is_allowed(&mode_ladder, &q->modes, word)) {
        if (!is_default)
            return refuse_word(c, &mode_ladder, &q->modes, word, origin, err);
        const char *instead = strictest(&mode_ladder, &q->modes);
        *ret_instead = str_eq(instead, "read-only")         ? ":read-only"
                       : str_eq(instead, "workspace-write") ? ":workspace"
                                                            : ":danger-full-access";
        if (give_way(c, &mode_ladder, &q->modes, word, instead) < 0)
            return error_errno(err, -ENOMEM, "requirements");
        return 0;
    }
    if (!profile_allowed(q, name)) {
        if (!is_default)
            return refuse_profile(c, name, origin, err);
        struct origin because = config_origin(q->profiles, q->profiles->span);
        *ret_instead = ":read-only";
        if (changed(c, "default_permissions",
                    "permission profile :read-only instead of %s, which nobody chose: %s requires "
                    "it",
                    show(name), config_place(c->arena, &because)) < 0)
            return error_errno(err, -ENOMEM, "requirements");
        return 0;
    }
    if (mode == MODE_DANGER_FULL_ACCESS)
        return check_full_access(c, origin, "danger-full-access", err);
    if (c->backend == BACKEND_EXTERNAL) { /* somebody else's sandbox, or none */
        if (!is_allowed(&mode_ladder, &q->modes, "danger-full-access"))
            return refuse_word(c, &(struct ladder){.name = "sandbox_backend"}, &q->modes,
                               "external", &c->backend_origin, err);
        if (!profile_allowed(q, ":danger-full-access"))
            return refuse_profile(c, "sandbox_backend = \"external\"", &c->backend_origin, err);
        return check_full_access(c, &c->backend_origin, "sandbox_backend = \"external\"", err);
    }
    return 0;
}

/*
 * The table of keys, and what is decided from it alone: look-up, nearest spelling, type of a value.
 * See keys.h. Pure.
 */
#include "config/keys.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

#define AGENT_NAMES                                                                                \
    "[\".claude\", \".cursor\", \".gemini\", \".mcp.json\", \".vscode/tasks.json\", "              \
    "\".vscode/launch.json\", \".vscode/settings.json\", \".vscode/mcp.json\", \".idea\", "        \
    "\".devcontainer\", \".zed\", \".windsurf\", \".continue\", \".opencode\", "                   \
    "\".aider.conf.yml\"]"

/* clang-format off */
const struct config_key config_keys[] = {
    {"sandbox_mode", KEY_WORD, "", WORDS("read-only", "workspace-write", "danger-full-access"), .text =
     "What a command may touch. Unset: workspace-write inside a version-controlled tree, else read-only."},
    {"default_permissions", KEY_STRING, "", .text =
     "The permission profile in force: :read-only, :workspace, :danger-full-access or one of [permissions]."},
    {"sandbox_backend", KEY_WORD, "\"auto\"", WORDS("auto", "bwrap", "bundled", "landlock", "external"), .text =
     "What makes the kernel hold the plan. landlock and external are weaker and never chosen by auto."},
    {"sandbox_workspace_write.writable_roots", KEY_STRINGS, "[]", .text =
     "More writable files and directories; ~ is expanded, relative ones stand under the workspace."},
    {"sandbox_workspace_write.network_access", KEY_BOOLEAN, "false", .text =
     "The network is on in workspace-write."},
    {"sandbox_workspace_write.exclude_tmpdir_env_var", KEY_BOOLEAN, "false", .text =
     "$TMPDIR is not writable."},
    {"sandbox_workspace_write.exclude_slash_tmp", KEY_BOOLEAN, "false", .text =
     "/tmp is not writable."},
    {"private_tmp", KEY_BOOLEAN, "false", .text =
     "The command gets an empty /tmp of its own instead of the host's."},
    {"protected_names", KEY_STRINGS, "[\".git\", \".agents\", \".codex\", \".bawn\", \".aws\"]",
     .flags = KEY_NAMES, .text =
     "Names that stay read-only directly under every writable root, whether they exist or not."},
    {"protected_agent_names", KEY_STRINGS, AGENT_NAMES, .flags = KEY_NAMES, .text =
     "Control files of agents and editors that run code later; read-only like protected_names, those that "
     "people edit too only where they exist."},
    {"strict_hardlinks", KEY_BOOLEAN, "false", .text =
     "A protected or masked file with a second hard link refuses the start instead of warning."},
    {"allow_nested_userns", KEY_BOOLEAN, "false", .text =
     "The command may make user namespaces (browsers, rootless containers)."},
    {"allow_ptrace", KEY_BOOLEAN, "false", .text =
     "The command may trace its own processes (debuggers)."},
    {"allow_unix_sockets", KEY_STRINGS, "[]", .text =
     "Unix sockets outside the sandbox that may be connected to; absolute or ~."},
    {"devices", KEY_STRINGS, "[]", .text =
     "More of /dev: gpu, kvm and the like, or paths below /dev."},
    {"nested_repo_depth", KEY_INTEGER, "4", .least = 0, .most = 64, .text =
     "How deep nested repositories are looked for under a writable root."},
    {"nested_repo_count", KEY_INTEGER, "256", .least = 0, .most = 100000, .text =
     "How many nested repositories are protected at most."},
    {"limits.cpu_seconds", KEY_INTEGER, "", .text = "Processor time of each process, in seconds."},
    {"limits.memory", KEY_SIZE, "", .text = "Address space of each process."},
    {"limits.processes", KEY_INTEGER, "", .text = "Processes and threads."},
    {"limits.open_files", KEY_INTEGER, "", .text = "Open descriptors of each process."},
    {"limits.file_size", KEY_SIZE, "", .text = "Largest file that can be written."},
    {"limits.wall_seconds", KEY_SECONDS, "", .text = "Time after which the command is ended (exit 124)."},
    {"shell_environment_policy.inherit", KEY_WORD, "\"all\"", WORDS("all", "core", "none"), .text =
     "Which of bawn's own environment the command starts from."},
    {"shell_environment_policy.ignore_default_excludes", KEY_BOOLEAN, "false", .text =
     "Keep names with KEY, SECRET, TOKEN, PASSWORD or CREDENTIAL."},
    {"shell_environment_policy.exclude", KEY_STRINGS, "[]", .text =
     "Names to drop; globs without case."},
    {"shell_environment_policy.include_only", KEY_STRINGS, "[]", .text =
     "When not empty, only these names stay; globs without case."},
    {"shell_environment_policy.set", KEY_STRING_TABLE, "", .text = "Names to set, after all else."},
    {"approval_policy", KEY_WORD_OR_TABLE, "\"on-request\"",
     WORDS("untrusted", "on-request", "never", "on-failure"), .text =
     "When somebody is asked; a table { granular = { … } } says it by kind."},
    {"approval_policy.granular.sandbox_approval", KEY_BOOLEAN, "", .flags = KEY_UNREAD, .text =
     "Ask before running outside the sandbox."},
    {"approval_policy.granular.rules", KEY_BOOLEAN, "", .flags = KEY_UNREAD, .text =
     "Ask where a rule says prompt."},
    {"approval_policy.granular.mcp_elicitations", KEY_BOOLEAN, "", .flags = KEY_UNREAD, .text =
     "Ask for elicitations of MCP servers."},
    {"approval_policy.granular.request_permissions", KEY_BOOLEAN, "", .flags = KEY_UNREAD, .text =
     "Ask when more permissions are requested."},
    {"approval_policy.granular.skill_approval", KEY_BOOLEAN, "", .flags = KEY_UNREAD, .text =
     "Ask before a skill runs."},
    {"approval_policy.reject", KEY_TABLE, "", .flags = KEY_UNREAD, .text =
     "The older spelling of granular, negated."},
    {"approvals_reviewer", KEY_STRING, "", .flags = KEY_UNREAD, .text = "Who answers an approval."},
    {"auto_review", KEY_TABLE, "", .flags = KEY_UNREAD, .text = "The automatic reviewer."},
    {"allow_login_shell", KEY_BOOLEAN, "", .flags = KEY_UNREAD, .text = "Shells may be login shells."},
    {"web_search", KEY_WORD, "", WORDS("disabled", "cached", "live"), .flags = KEY_UNREAD, .text =
     "Web search of the agent. Unset: cached, live with full access."},
    {"features.*", KEY_BOOLEAN_OR_TABLE, "", .text = "A feature's switch."},
    {"projects.*.trust_level", KEY_WORD, "", WORDS("trusted", "untrusted"), .flags = KEY_UNREAD, .text =
     "Trust in the folder that the key names."},
    {"projects.*.recursive", KEY_BOOLEAN, "", .flags = KEY_UNREAD, .text = "The entry covers sub-folders."},
    {"project_root_markers", KEY_STRINGS, "[\".git\"]", .flags = KEY_UNREAD, .text =
     "Names that make a directory the root of a project."},
    {"mcp_servers.*", KEY_TABLE, "", .flags = KEY_UNREAD, .text = "An MCP server."},
    {"model_providers.*", KEY_TABLE, "", .flags = KEY_UNREAD, .text = "A model's endpoint."},
    {"model", KEY_STRING, "", .flags = KEY_UNREAD, .text = "The model of the agent."},
    {"notify", KEY_STRINGS, "", .flags = KEY_UNREAD, .text = "Program told about events, with arguments."},
    {"history", KEY_TABLE, "", .flags = KEY_UNREAD, .text = "What the agent keeps of its sessions."},
    {"otel", KEY_TABLE, "", .flags = KEY_UNREAD, .text = "Telemetry export."},
    {"profiles.*", KEY_TABLE, "", .flags = KEY_UNREAD, .text = "A named set of configuration (--profile)."},

    {"permissions.*.extends", KEY_STRING, "", .flags = KEY_PROFILE, .text =
     "The profile this one starts from: :read-only, :workspace or another name."},
    {"permissions.*.include", KEY_STRINGS, "", .flags = KEY_PROFILE, .text = "Presets to pull in."},
    {"permissions.*.description", KEY_STRING, "", .flags = KEY_PROFILE, .text = "One line for people."},
    {"permissions.*.workspace_roots.*", KEY_BOOLEAN, "", .flags = KEY_PROFILE, .text =
     "One more workspace root; absolute or ~."},
    {"permissions.*.filesystem", KEY_ACCESS_TABLE, "", .flags = KEY_PROFILE, .text =
     "Path to read, write or none, or to a table of sub-paths."},
    {"permissions.*.filesystem.glob_scan_max_depth", KEY_INTEGER, "", .least = 1, .most = 4096,
     .flags = KEY_PROFILE, .text = "Bounds how deep a ** reaches."},
    {"permissions.*.network.enabled", KEY_BOOLEAN, "false", .flags = KEY_PROFILE, .text =
     "The network is on."},
    {"permissions.*.network.mode", KEY_WORD, "\"full\"", WORDS("full", "limited"),
     .flags = KEY_PROFILE | KEY_FILTER, .text = "limited: only GET, HEAD and OPTIONS."},
    {"permissions.*.network.domains", KEY_STRING_TABLE, "", .flags = KEY_PROFILE | KEY_FILTER, .text =
     "Host pattern to allow or deny."},
    {"permissions.*.network.unix_sockets", KEY_STRING_TABLE, "", .flags = KEY_PROFILE | KEY_FILTER, .text =
     "Absolute path to allow or deny."},
    {"permissions.*.network.allow_local_binding", KEY_BOOLEAN, "false",
     .flags = KEY_PROFILE | KEY_FILTER, .text = "Opens loopback, link-local and private destinations."},
    {"permissions.*.network.proxy_url", KEY_STRING, "", .flags = KEY_PROFILE | KEY_FILTER, .text =
     "Fixed address of the HTTP listener."},
    {"permissions.*.network.socks_url", KEY_STRING, "", .flags = KEY_PROFILE | KEY_FILTER, .text =
     "Fixed address of the SOCKS listener."},
    {"permissions.*.network.enable_socks5", KEY_BOOLEAN, "true", .flags = KEY_PROFILE | KEY_FILTER, .text =
     "Offer SOCKS5."},
    {"permissions.*.network.enable_socks5_udp", KEY_BOOLEAN, "true", .flags = KEY_PROFILE | KEY_FILTER,
     .text = "Offer UDP through SOCKS5."},
    {"permissions.*.network.allow_upstream_proxy", KEY_BOOLEAN, "true", .flags = KEY_PROFILE | KEY_FILTER,
     .text = "Honour the proxy variables of bawn's own environment."},
    {"permissions.*.network.dangerously_allow_non_loopback_proxy", KEY_BOOLEAN, "false",
     .flags = KEY_PROFILE | KEY_FILTER, .text = "Listen on other addresses than loopback."},
    {"permissions.*.network.dangerously_allow_all_unix_sockets", KEY_BOOLEAN, "false",
     .flags = KEY_PROFILE | KEY_FILTER, .text = "Every Unix socket may be connected to."},
    {"permissions.*.network.block_message", KEY_STRING, "", .flags = KEY_PROFILE | KEY_FILTER, .text =
     "Text added to refusals, for the agent to read."},
    {"permissions.*.network.mitm", KEY_TABLE, "", .flags = KEY_PROFILE | KEY_FILTER, .text =
     "TLS interception."},
    {"permissions.*.network.credentials", KEY_TABLE, "", .flags = KEY_PROFILE | KEY_FILTER, .text =
     "Credentials that the proxy adds."},
};
/* clang-format on */
const size_t n_config_keys = ARRAY_LEN(config_keys);

const char *key_type_word(enum key_type type)
{
    static const char *const words[] = {
        [KEY_BOOLEAN] = "a boolean",
        [KEY_INTEGER] = "an integer",
        [KEY_SECONDS] = "a number of seconds",
        [KEY_SIZE] = "a size (an integer of bytes, or a string such as \"2GiB\")",
        [KEY_STRING] = "a string",
        [KEY_WORD] = "a string",
        [KEY_STRINGS] = "an array of strings",
        [KEY_STRING_TABLE] = "a table of strings",
        [KEY_TABLE] = "a table",
        [KEY_WORD_OR_TABLE] = "a string or a table",
        [KEY_BOOLEAN_OR_TABLE] = "a boolean or a table",
        [KEY_ACCESS_TABLE] = "a table of paths",
    };
    return words[type];
}

/* The component of a row's name at *P, advanced past it and its dot. */
static bool next_part(const char **p, struct bytes *ret)
{
    const char *s = *p;
    size_t n = strcspn(s, ".");
    *ret = (struct bytes){s, n};
    *p = s[n] ? s + n + 1 : s + n;
    return n != 0;
}

static bool part_fits(struct bytes row, struct bytes part)
{
    return bytes_is(row, "*") || bytes_eq(row, part);
}

/* Do PARTS match the beginning of NAME? *ret_rest is what of NAME is left. */
static bool name_begins(const char *name, const struct bytes *parts, size_t n,
                        const char **ret_rest)
{
    for (size_t i = 0; i < n; i++) {
        struct bytes row;
        if (!next_part(&name, &row) || !part_fits(row, parts[i]))
            return false;
    }
    *ret_rest = name;
    return true;
}

const struct config_key *keys_find(const struct bytes *parts, size_t n, bool *ret_inner)
{
    const struct config_key *found = NULL;
    bool inner = false;
    for (size_t i = 0; i < n_config_keys; i++) {
        const char *rest;
        if (!name_begins(config_keys[i].name, parts, n, &rest))
            continue;
        if (*rest)
            inner = true;
        else if (!found)
            found = &config_keys[i];
    }
    if (ret_inner)
        *ret_inner = inner;
    return found;
}

const char *keys_nearest(const struct bytes *parent, size_t n, const char *word)
{
    static __thread char names[128][64];
    const char *list[ARRAY_LEN(names)];
    size_t count = 0;
    for (size_t i = 0; i < n_config_keys && count < ARRAY_LEN(names); i++) {
        const char *rest;
        struct bytes part;
        if (!name_begins(config_keys[i].name, parent, n, &rest) || !next_part(&rest, &part) ||
            bytes_is(part, "*") || part.n >= sizeof(names[0]))
            continue;
        memcpy(names[count], part.p, part.n);
        names[count][part.n] = '\0';
        list[count] = names[count];
        count++;
    }
    const char *near = nearest_word(word, list, count);
    /* A key that is right but stands in the wrong table: say where it belongs. */
    for (size_t i = 0; !near && i < n_config_keys; i++) {
        const char *dot = strrchr(config_keys[i].name, '.');
        if (dot && !strchr(config_keys[i].name, '*') && str_eq(dot + 1, word))
            near = config_keys[i].name;
    }
    return near;
}

bool key_parse_size(struct bytes text, uint64_t *ret)
{
    static const struct {
        const char *unit;
        uint64_t factor;
    } units[] = {
        {"", 1},
        {"B", 1},
        {"K", 1ull << 10},
        {"M", 1ull << 20},
        {"G", 1ull << 30},
        {"T", 1ull << 40},
        {"KiB", 1ull << 10},
        {"MiB", 1ull << 20},
        {"GiB", 1ull << 30},
        {"TiB", 1ull << 40},
        {"KB", 1000ull},
        {"MB", 1000000ull},
        {"GB", 1000000000ull},
        {"TB", 1000000000000ull},
    };
    uint64_t value = 0;
    size_t i = 0;
    for (; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++)
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text.p[i] - '0'), &value))
            return false;
    if (i == 0)
        return false;
    if (i < text.n && text.p[i] == ' ')
        i++;
    struct bytes unit = {text.p + i, text.n - i};
    for (size_t u = 0; u < ARRAY_LEN(units); u++)
        if (bytes_is(unit, units[u].unit))
            return !__builtin_mul_overflow(value, units[u].factor, ret) && *ret <= INT64_MAX;
    return false;
}

void key_put_words(struct strbuf *out, const char *const *words)
{
    for (size_t i = 0; words[i]; i++)
        strbuf_printf(out, "%s%s", i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i]);
}

static bool bare(struct bytes part)
{
    for (size_t i = 0; i < part.n; i++) {
        unsigned char c = (unsigned char)part.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-'))
            return false;
    }
    return part.n != 0;
}

void key_put_dotted(struct strbuf *out, const struct bytes *parts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i)
            strbuf_putc(out, '.');
        if (bare(parts[i])) {
            strbuf_put(out, parts[i].p, parts[i].n);
            continue;
        }
        strbuf_putc(out, '"');
        for (size_t k = 0; k < parts[i].n; k++) {
            unsigned char c = (unsigned char)parts[i].p[k];
            if (c == '"' || c == '\\')
                strbuf_printf(out, "\\%c", c);
            else if (c < 0x20 || c == 0x7f)
                strbuf_printf(out, "\\u%04x", c);
            else
                strbuf_putc(out, (char)c);
        }
        strbuf_putc(out, '"');
    }
}

void config_keys_print_md(struct strbuf *out)
{
    for (size_t i = 0; i < n_config_keys; i++) {
        const struct config_key *k = &config_keys[i];
        strbuf_printf(out, "| `%s` | ", k->name);
        if (k->words)
            key_put_words(out, k->words);
        else
            strbuf_puts(out, key_type_word(k->type));
        if (k->fallback[0])
            strbuf_printf(out, " | `%s` | %s", k->fallback, k->text);
        else
            strbuf_printf(out, " | | %s", k->text);
        strbuf_puts(out, k->flags & KEY_UNREAD ? " (Not read by anything yet.) |\n" : " |\n");
    }
}

/* ---- values ---- */

static int wrong_type(const struct config_key *key, const struct toml_value *v, struct error *err)
{
    const char *is = toml_type_name(v->type);
    bool vowel = strchr("aeiou", is[0]) != NULL;
    return error_set(err, -EINVAL, "expected %s, found %s %s", key_type_word(key->type),
                     vowel ? "an" : "a", is);
}

static int check_string(const struct toml_value *v, struct error *err)
{
    if (v->type != TOML_STRING)
        return error_set(err, -EINVAL, "expected a string, found %s %s",
                         strchr("aeiou", toml_type_name(v->type)[0]) ? "an" : "a",
                         toml_type_name(v->type));
    if (memchr(v->string.p, '\0', v->string.n))
        return error_set(err, -EINVAL, "a NUL byte cannot stand in this string");
    return 0;
}

static int check_word(const struct config_key *key, const struct toml_value *v, struct error *err)
{
    size_t n = 0;
    int r = check_string(v, err);
    if (r < 0)
        return r;
    for (; key->words[n]; n++)
        if (bytes_is(v->string, key->words[n]))
            return 0;
    _cleanup_strbuf_ struct strbuf list = {0};
    key_put_words(&list, key->words);
    (void)error_set(err, -EINVAL, "unknown value \"%s\"; expected %s",
                    show_n(v->string.p, v->string.n), strbuf_text(&list));
    const char *near = nearest_word(v->string.p, key->words, n);
    if (near)
        error_note(err, "did you mean \"%s\"?", near);
    return -EINVAL;
}

/* A name under a writable root: a relative path that stays below it and is taken literally. */
static int check_name(const struct toml_value *v, struct error *err)
{
    const char *s = v->string.p;
    if (!*s || *s == '/' || *s == '~')
        return error_set(err, -EINVAL, "\"%s\" is not a name below a writable root", show(s));
    if (strpbrk(s, "*?["))
        return error_set(err, -EINVAL, "\"%s\": names are taken literally, without wildcards",
                         show(s));
    for (const char *p = s; *p;) {
        size_t n = strcspn(p, "/");
        if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
            return error_set(err, -EINVAL,
                             "\"%s\": empty, \".\" and \"..\" components are not allowed", show(s));
        p += n;
        p += *p == '/';
    }
    return 0;
}

static int check_strings(const struct config_key *key, const struct toml_value *v,
                         const struct toml_value **ret_at, struct error *err)
{
    if (v->type != TOML_ARRAY)
        return wrong_type(key, v, err);
    for (size_t i = 0; i < v->array.n; i++) {
        const struct toml_value *item = v->array.items[i];
        int r = check_string(item, err);
        if (r == 0 && (key->flags & KEY_NAMES))
            r = check_name(item, err);
        if (r < 0) {
            *ret_at = item;
            return r;
        }
    }
    return 0;
}

static int check_string_table(const struct config_key *key, const struct toml_value *v,
                              const struct toml_value **ret_at, struct error *err)
{
    if (v->type != TOML_TABLE)
        return wrong_type(key, v, err);
    for (const struct toml_member *m = v->table.first; m; m = m->next) {
        int r = check_string(m->value, err);
        if (r == 0 && memchr(m->key.p, '\0', m->key.n))
            r = error_set(err, -EINVAL, "a NUL byte cannot stand in this key");
        if (r < 0) {
            *ret_at = m->value;
            return error_wrap(err, r, "%s", show_n(m->key.p, m->key.n));
        }
    }
    return 0;
}

static int check_range(const struct config_key *key, int64_t n, struct error *err)
{
    if (n < key->least)
        return error_set(err, -EINVAL, "%lld is too small; at least %lld", (long long)n,
                         (long long)key->least);
    if (key->most && n > key->most)
        return error_set(err, -EINVAL, "%lld is too large; at most %lld", (long long)n,
                         (long long)key->most);
    return 0;
}

static int check_seconds(const struct config_key *key, const struct toml_value *v,
                         struct error *err)
{
    if (v->type == TOML_INTEGER)
        return check_range(key, v->integer, err);
    if (v->type != TOML_FLOAT)
        return wrong_type(key, v, err);
    if (!isfinite(v->floating) || v->floating < 0)
        return error_set(err, -EINVAL, "expected a finite number that is not negative");
    return 0;
}

static int check_size(const struct config_key *key, const struct toml_value *v, struct error *err)
{
    uint64_t bytes;
    if (v->type == TOML_INTEGER)
        return check_range(key, v->integer, err);
    if (v->type != TOML_STRING)
        return wrong_type(key, v, err);
    if (!key_parse_size(v->string, &bytes))
        return error_set(err, -EINVAL,
                         "\"%s\" is not a size; write bytes or a string such as \"2GiB\"",
                         show_n(v->string.p, v->string.n));
    return 0;
}

int key_check(const struct config_key *key, const struct toml_value *v,
              const struct toml_value **ret_at, struct error *err)
{
    *ret_at = v;
    switch (key->type) {
    case KEY_BOOLEAN:
        return v->type == TOML_BOOLEAN ? 0 : wrong_type(key, v, err);
    case KEY_INTEGER:
        return v->type == TOML_INTEGER ? check_range(key, v->integer, err)
                                       : wrong_type(key, v, err);
    case KEY_SECONDS:
        return check_seconds(key, v, err);
    case KEY_SIZE:
        return check_size(key, v, err);
    case KEY_STRING:
        return check_string(v, err);
    case KEY_WORD:
        return check_word(key, v, err);
    case KEY_STRINGS:
        return check_strings(key, v, ret_at, err);
    case KEY_STRING_TABLE:
        return check_string_table(key, v, ret_at, err);
    case KEY_WORD_OR_TABLE:
        if (v->type != TOML_TABLE && v->type != TOML_STRING)
            return wrong_type(key, v, err);
        return v->type == TOML_TABLE ? 0 : check_word(key, v, err);
    case KEY_BOOLEAN_OR_TABLE:
        return v->type == TOML_BOOLEAN || v->type == TOML_TABLE ? 0 : wrong_type(key, v, err);
    case KEY_TABLE:
    case KEY_ACCESS_TABLE:
        return v->type == TOML_TABLE ? 0 : wrong_type(key, v, err);
    }
    return 0;
}

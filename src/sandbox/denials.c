/*
 * Refusals: collected, written down, summed up. See denials.h. The list is bounded; what repeats is
 * counted, what is beyond the bound is counted too and said.
 */
#include "sandbox/denials.h"

#include "base/fd.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DENIALS_MAX      1000
#define SUMMARY_MAX      20
#define RECORD_MAX_BYTES (4 * 1024 * 1024)

static char *copy(const char *s)
{
    size_t n = strlen(s) + 1;
    char *p = mem_alloc(n);
    if (p)
        memcpy(p, s, n);
    return p;
}

static const char *kind_word(enum denial_kind k)
{
    static const char *const words[] = {"file", "socket", "syscall", "limit", "network"};
    return words[k];
}

static void put_rule(struct strbuf *b, const struct denial *d)
{
    const struct perm_entry *e = d->entry;
    if (d->net) {
        strbuf_puts(b, d->net->says);
        if (d->net->rule)
            strbuf_printf(b, ": %s", d->net->rule);
        if (d->net->rule && d->net->file && d->net->line)
            strbuf_printf(b, " (%s:%u)", d->net->file, d->net->line);
        return;
    }
    if (!e) {
        strbuf_puts(b, d->rule ? d->rule : "nothing in the profile names it");
        return;
    }
    strbuf_puts(b, e->written ? e->written : e->path);
    strbuf_printf(b, " = \"%s\"", access_word(e->access));
    if (e->origin.file && e->origin.line)
        strbuf_printf(b, " (%s:%u)", e->origin.file, e->origin.line);
    else if (e->origin.file)
        strbuf_printf(b, " (%s)", e->origin.file);
    else if (e->origin.layer)
        strbuf_printf(b, " (%s)", e->origin.layer);
}

static void put_net(struct json *j, const struct denial_net *n)
{
    if (n->path) {
        json_kv_string(j, "scope", "unix_socket");
        json_kv_string(j, "path", n->path);
    } else {
        json_kv_string(j, "host", n->host);
        json_kv_int(j, "port", n->port);
    }
    json_kv_string(j, "protocol", n->protocol);
    if (n->method)
        json_kv_string(j, "method", n->method);
    json_kv_string(j, "reason", n->reason);
    if (n->source)
        json_kv_string(j, "source", n->source);
}

static void put_event(struct json *j, const struct denial *d, const char *time)
{
    static const char *const subject[] = {"path", "host", "syscall", "limit"};
    _cleanup_strbuf_ struct strbuf rule = {0};
    put_rule(&rule, d);
    json_object(j);
    json_kv_string(j, "event", "denied");
    if (time)
        json_kv_string(j, "time", time);
    json_kv_string(j, "kind", kind_word(d->kind));
    if (d->net)
        put_net(j, d->net);
    else
        json_kv_string(j, subject[d->kind], d->what);
    if (d->kind == DENIAL_FILE)
        json_kv_string(j, "access", access_word(d->access));
    json_kv_string(j, "rule", strbuf_text(&rule));
    if (d->entry) {
        json_kv_string(j, "file", d->entry->origin.file);
        if (d->entry->origin.line)
            json_kv_int(j, "line", d->entry->origin.line);
    } else if (d->net && d->net->rule) {
        json_kv_string(j, "file", d->net->file);
        if (d->net->line)
            json_kv_int(j, "line", d->net->line);
    }
    json_kv_string(j, "hint", d->hint);
    if (!d->net || d->pid) { /* who asked the proxy is not always known */
        json_key(j, "process");
        json_object(j);
        json_kv_int(j, "pid", d->pid);
        json_kv_string(j, "exe", d->exe);
        json_end_object(j);
    }
    if (time)
        json_kv_int(j, "count", (int64_t)d->count);
    json_end_object(j);
}

static void tell_status(struct denials *d, const struct denial *one)
{
    if (d->status_fd < 0)
        return;
    _cleanup_strbuf_ struct strbuf b = {0};
    struct json j;
    json_begin(&j, &b);
    put_event(&j, one, NULL);
    strbuf_putc(&b, '\n');
    if (json_ok(&j))
        (void)fd_write_all(d->status_fd, b.p, b.n);
}

static void add(struct denials *d, const struct denial *one, const char *what, const char *hint,
                const char *exe)
{
    vec_foreach (k, &d->list) {
        if (k->kind == one->kind && k->access == one->access && str_eq(k->what, what)) {
            k->count += one->count ? one->count : 1;
            return;
        }
    }
    struct denial *slot = d->list.n < DENIALS_MAX ? vec_push(&d->list) : NULL;
    if (!slot) {
        d->more++;
        return;
    }
    *slot = *one;
    slot->count = one->count ? one->count : 1;
    slot->what = copy(what);
    slot->hint = copy(hint ? hint : "");
    slot->exe = copy(exe ? exe : "");
    if (!slot->what || !slot->hint || !slot->exe) {
        mem_free(slot->what);
        mem_free(slot->hint);
        mem_free(slot->exe);
        d->list.n--;
        d->more++;
        return;
    }
    tell_status(d, slot);
}

/* A TOML basic string, in what a terminal shows as it is. */
static void put_toml_string(struct strbuf *b, const char *s)
{
    size_t n = strlen(s);
    strbuf_putc(b, '"');
    for (size_t i = 0, len; i < n; i += len) {
        uint32_t c = 0;
        len = utf8_decode((const unsigned char *)s + i, n - i, &c);
        if (len == 0)
            len = 1; /* no TOML can say it: see put_place() */
        else if (c == '"' || c == '\\')
            strbuf_printf(b, "\\%c", (char)c);
        else if (utf8_deceives(c))
            strbuf_printf(b, c > 0xffff ? "\\U%08x" : "\\u%04x", (unsigned)c);
        else
            strbuf_put(b, s + i, len);
    }
    strbuf_putc(b, '"');
}

/* Can N bytes of PATH stand in a file as the name of this very path? TOML is UTF-8, and in the key
 * of a profile some characters are wildcards. */
static bool can_be_written(const char *path, size_t n, bool key)
{
    for (size_t i = 0, len; i < n; i += len) {
        uint32_t c;
        len = utf8_decode((const unsigned char *)path + i, n - i, &c);
        if (len == 0 || (key && (c == '*' || c == '?' || c == '[')))
            return false;
    }
    return true;
}

/* PATH as a string, or where that cannot be written the nearest directory above that can. */
static void put_place(struct strbuf *b, const char *path, bool key)
{
    char place[PATH_MAX];
    size_t n = MIN_OF(strlen(path), sizeof(place) - 1);
    while (n > 1 && !can_be_written(path, n, key))
        while (n > 1 && path[--n] != '/')
            ;
    memcpy(place, path, n);
    place[n] = '\0';
    put_toml_string(b, place);
}

/* [permissions.NAME, to be closed by the caller. */
static void put_profile(struct strbuf *b, const char *name)
{
    static const char bare[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    strbuf_puts(b, "[permissions.");
    if (name[0] && name[strspn(name, bare)] == '\0')
        strbuf_puts(b, name);
    else
        put_toml_string(b, name);
}

/* One word for a shell. */
static void put_word(struct strbuf *b, const char *s)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+./:,@%";
    if (s[0] && s[strspn(s, plain)] == '\0') {
        strbuf_puts(b, s);
        return;
    }
    strbuf_putc(b, '\'');
    for (; *s; s++) {
        if (*s == '\'')
            strbuf_puts(b, "'\\'");
        strbuf_putc(b, *s);
    }
    strbuf_putc(b, '\'');
}

static bool is_custom(const struct profile *p)
{
    return p->name && p->name[0] != ':';
}

/* "[permissions.NAME.filesystem]  "PATH" = "ACCESS"", with what makes it hold for a built-in
 * profile. */
static void hint_entry(struct strbuf *b, const struct profile *p, const char *path,
                       enum access access)
{
    put_profile(b, is_custom(p) ? p->name : "NAME");
    strbuf_puts(b, ".filesystem]  ");
    put_place(b, path, true);
    strbuf_printf(b, " = \"%s\"", access_word(access));
    if (!is_custom(p))
        strbuf_printf(b, "  with extends = \"%s\", chosen by -P NAME",
                      p->name ? p->name : ":workspace");
}

/* The directory PATH lies in. */
static void put_parent(struct strbuf *b, const char *path, bool quoted)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t n = MIN_OF(slash && slash != path ? (size_t)(slash - path) : 1, sizeof(dir) - 1);
    memcpy(dir, path, n);
    dir[n] = '\0';
    if (quoted)
        put_place(b, dir, false);
    else
        put_word(b, dir);
}

static void hint_masked(struct strbuf *b, const struct perm_entry *e, enum access wanted)
{
    static const char preset[] = "preset:";
    if (e->origin.file && e->origin.line)
        strbuf_printf(b, "%s:%u  \"%s\" instead of \"none\"", e->origin.file, e->origin.line,
                      access_word(wanted));
    else if (e->origin.layer && str_starts(e->origin.layer, preset))
        strbuf_printf(b, "include = [\xe2\x80\xa6] without \"%s\"",
                      e->origin.layer + sizeof(preset) - 1);
    else
        strbuf_puts(b, "another profile: -P NAME");
}

static void hint_protected(struct strbuf *b, const struct profile *p, const struct perm_entry *e)
{
    if (e->origin.layer && str_starts(e->origin.layer, "preset:")) {
        hint_entry(b, p, e->path, ACCESS_WRITE);
        return;
    }
    if (!can_be_written(e->path, strlen(e->path), true)) {
        strbuf_puts(b, "no line: its path cannot stand in a profile (wildcards, or not UTF-8)");
        return;
    }
    const char *name = strrchr(e->path, '/');
    if (name && str_eq(name, "/.git") && !is_custom(p))
        strbuf_printf(b,
                      "[permissions.NAME]  include = [\"git\"]  with extends = \"%s\", chosen by "
                      "-P NAME (commits), or ",
                      p->name);
    else if (name && str_eq(name, "/.git")) {
        put_profile(b, p->name);
        strbuf_puts(b, "]  include = [\"git\"] (commits), or ");
    }
    hint_entry(b, p, e->path, ACCESS_WRITE);
}

/* bawn's own entry that keeps WANTED from PATH whatever the profile grants, or NULL. */
static const struct perm_entry *own_entry(const struct profile *p, const char *path,
                                          enum access wanted)
{
    for (size_t i = 0; i < p->n_entries; i++) {
        const struct perm_entry *e = &p->entries[i];
        if (e->kind == ENTRY_OWN && !e->glob && e->access < wanted && path_is_below(path, e->path))
            return e;
    }
    return NULL;
}

void denials_file(struct denials *d, const char *path, enum access wanted, pid_t pid,
                  const char *exe)
{
    const struct profile *p = d->plan->profile;
    struct permission perm = permissions_check(p, path);
    const struct perm_entry *own = own_entry(p, path, wanted);
    struct denial one = {
        .kind = DENIAL_FILE, .access = wanted, .entry = own ? own : perm.entry, .pid = pid};
    _cleanup_strbuf_ struct strbuf hint = {0};
    bool read_only = p->mode && str_eq(p->mode, "read-only");
    if (own) {
        strbuf_puts(&hint, "nothing: it is bawn's own");
    } else if (perm.why == WHY_MASKED && perm.entry) {
        hint_masked(&hint, perm.entry, wanted);
    } else if (perm.why == WHY_PROTECTED && perm.entry) {
        hint_protected(&hint, p, perm.entry);
    } else if (is_custom(p)) {
        hint_entry(&hint, p, path, wanted);
    } else if (read_only && path_is_below(path, d->plan->workspace)) {
        strbuf_puts(&hint, "--sandbox workspace-write");
    } else if (read_only) {
        strbuf_puts(&hint, "--sandbox workspace-write --add-dir ");
        put_parent(&hint, path, false);
    } else {
        strbuf_puts(&hint, "sandbox_workspace_write.writable_roots = [");
        put_parent(&hint, path, true);
        strbuf_puts(&hint, "]");
    }
    add(d, &one, path, strbuf_text(&hint), exe);
}

void denials_network_hint(const struct plan *plan, struct strbuf *out)
{
    const struct profile *p = plan->profile;
    if (plan->network == NETWORK_FILTERED)
        return; /* what is refused here no rule for a destination opens */
    if (is_custom(p)) {
        put_profile(out, p->name);
        strbuf_puts(out, ".network]  enabled = true");
    } else if (p->mode && str_eq(p->mode, "read-only"))
        strbuf_printf(
            out,
            "[permissions.NAME.network]  enabled = true  with extends = \"%s\", chosen by -P NAME",
            p->name);
    else
        strbuf_puts(out, "sandbox_workspace_write.network_access = true");
}

void denials_socket(struct denials *d, const char *address, const char *rule, const char *hint,
                    pid_t pid, const char *exe)
{
    struct denial one = {.kind = DENIAL_SOCKET, .rule = rule, .pid = pid};
    add(d, &one, address, hint, exe);
}

void denials_syscall(struct denials *d, const char *name, const char *rule, const char *hint,
                     pid_t pid, const char *exe)
{
    struct denial one = {.kind = DENIAL_SYSCALL, .rule = rule, .pid = pid};
    add(d, &one, name, hint, exe);
}

void denials_limit(struct denials *d, const char *name, const char *hint)
{
    struct denial one = {.kind = DENIAL_LIMIT, .rule = "[limits]"};
    add(d, &one, name, hint, NULL);
}

void denials_network(struct denials *d, const struct denial_net *net, const char *hint)
{
    struct denial one = {.kind = DENIAL_NETWORK, .net = net, .pid = net->pid};
    _cleanup_strbuf_ struct strbuf what = {0};
    if (net->path)
        strbuf_printf(&what, "%s (Unix socket, through the proxy)", net->path);
    else
        strbuf_printf(&what, strchr(net->host, ':') ? "[%s]:%u (%s)" : "%s:%u (%s)", net->host,
                      net->port, net->protocol);
    if (!strbuf_failed(&what))
        add(d, &one, what.p, hint, net->exe);
}

void denials_take(struct denials *d, struct denials *from)
{
    int status_fd = d->status_fd;
    d->status_fd = -1; /* FROM has told it */
    vec_foreach (one, &from->list)
        add(d, one, one->what, one->hint, one->exe);
    d->more += from->more;
    d->status_fd = status_fd;
    for (; from->list.n; from->list.n--) {
        struct denial *last = &from->list.v[from->list.n - 1];
        mem_free(last->what);
        mem_free(last->hint);
        mem_free(last->exe);
    }
    from->more = 0;
}

/* ---- the end ---- */

/* Appends to STATE_DIR/denials.jsonl; a file that has grown past the bound starts anew. */
static void write_record(struct denials *d, const char *state_dir)
{
    if (!state_dir || d->list.n == 0)
        return;
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/denials.jsonl", state_dir);
    if (n < 0 || (size_t)n >= sizeof(path))
        return;
    _cleanup_fd_ int fd =
        open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid())
        return;
    if (flock(fd, LOCK_EX) == 0 && st.st_size > RECORD_MAX_BYTES)
        (void)!ftruncate(fd, 0);
    char when[32];
    time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    (void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
    _cleanup_strbuf_ struct strbuf b = {0};
    vec_foreach (one, &d->list) {
        struct json j;
        json_begin(&j, &b);
        put_event(&j, one, when);
        strbuf_putc(&b, '\n');
    }
    if (!strbuf_failed(&b))
        (void)fd_write_all(fd, b.p, b.n);
}

static void put_line(struct strbuf *b, const struct denial *one)
{
    static const char *const verbs[] = {"", "connect to ", "call ", "limit ", "reach "};
    strbuf_puts(b, "bawn:   ");
    if (one->kind == DENIAL_FILE)
        strbuf_puts(b, one->access == ACCESS_WRITE ? "write " : "read ");
    else
        strbuf_puts(b, verbs[one->kind]);
    strbuf_put_printable(b, one->what, strlen(one->what));
    if (one->count > 1)
        strbuf_printf(b, " (%lu times)", one->count);
    if (one->exe[0]) {
        const char *base = strrchr(one->exe, '/');
        strbuf_puts(b, " by ");
        strbuf_put_printable(b, base ? base + 1 : one->exe, strlen(base ? base + 1 : one->exe));
        strbuf_printf(b, "[%d]", (int)one->pid);
    }
    strbuf_puts(b, "\nbawn:     refused by ");
    _cleanup_strbuf_ struct strbuf rule = {0};
    put_rule(&rule, one);
    strbuf_put_printable(b, strbuf_text(&rule), rule.n);
    if (one->hint[0]) {
        strbuf_puts(b, "\nbawn:     allowed by  ");
        strbuf_put_printable(b, one->hint, strlen(one->hint));
    }
    strbuf_putc(b, '\n');
}

void denials_report(struct denials *d, const struct run_options *options, int status)
{
    (void)status;
    write_record(d, options->state_dir);
    if (options->see_denial)
        vec_foreach (one, &d->list)
            options->see_denial(options->data, one);
    if (options->quiet || options->no_summary)
        return;
    _cleanup_strbuf_ struct strbuf b = {0};
    if (options->json) {
        vec_foreach (one, &d->list) {
            struct json j;
            json_begin(&j, &b);
            put_event(&j, one, NULL);
            strbuf_putc(&b, '\n');
        }
    } else {
        unsigned long total = d->more;
        vec_foreach (one, &d->list)
            total += one->count;
        if (d->list.n == 0 && d->more == 0)
            strbuf_puts(&b, "bawn: nothing was refused\n");
        else
            strbuf_printf(&b, "bawn: %lu refused (%s%zu different):\n", total,
                          d->more ? "at least " : "", d->list.n);
        for (size_t i = 0; i < d->list.n && i < SUMMARY_MAX; i++)
            put_line(&b, &d->list.v[i]);
        if (d->list.n > SUMMARY_MAX)
            strbuf_printf(&b, "bawn:   and %zu more: `bawn denials`\n", d->list.n - SUMMARY_MAX);
    }
    if (!strbuf_failed(&b) && b.n)
        (void)fd_write_all(2, b.p, b.n);
}

void denials_release(struct denials *d)
{
    vec_foreach (one, &d->list) {
        mem_free(one->what);
        mem_free(one->hint);
        mem_free(one->exe);
    }
    vec_release(&d->list);
}

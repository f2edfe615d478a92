/*
 * The plan in words and as JSON (spec 0.3): what `--explain` prints. Reads the plan and nothing
 * else.
 */
#include "sandbox/plan.h"

#include "base/path.h"
#include "sandbox/seccomp.h"

#include <string.h>

static const char *op_word(const struct plan_mount *m)
{
    switch (m->op) {
    case MOUNT_BIND:
        return m->write ? "write" : "read";
    case MOUNT_MASK:
        return m->reopened ? "mask, reopened below" : "mask";
    case MOUNT_MISSING:
        return "held missing";
    case MOUNT_TMPFS:
        return "tmpfs";
    case MOUNT_PROC:
        return "proc";
    case MOUNT_DEV:
        return "dev";
    case MOUNT_DEVICE:
        return "device";
    case MOUNT_SOCKET:
        return "socket";
    case MOUNT_SELF:
        return "connector";
    case MOUNT_TEXT:
        return "roots";
    }
    return "?";
}

static bool is_protected(const struct plan_mount *m)
{
    return m->op == MOUNT_MISSING ||
           (m->op == MOUNT_BIND && !m->write && m->entry && m->entry->kind != ENTRY_BASE);
}

static void put_origin(struct strbuf *out, const struct perm_entry *e)
{
    if (!e)
        return;
    if (e->written) {
        strbuf_puts(out, "  (");
        strbuf_put_printable(out, e->written, strlen(e->written));
        if (e->origin.file) {
            strbuf_puts(out, ", ");
            strbuf_put_printable(out, e->origin.file, strlen(e->origin.file));
            if (e->origin.line)
                strbuf_printf(out, ":%u", e->origin.line);
        } else if (e->origin.layer) {
            strbuf_printf(out, ", %s", e->origin.layer);
        }
        strbuf_putc(out, ')');
    }
}

static void put_list(struct strbuf *out, const char *title, const char *const *v, size_t n)
{
    if (n == 0)
        return;
    strbuf_printf(out, "%s\n", title);
    for (size_t i = 0; i < n; i++) {
        strbuf_puts(out, "  ");
        strbuf_put_printable(out, v[i], strlen(v[i]));
        strbuf_putc(out, '\n');
    }
}

static void json_strings(struct json *j, const char *const *v, size_t n)
{
    json_array(j);
    for (size_t i = 0; i < n; i++)
        json_string(j, v[i]);
    json_end_array(j);
}

static void put_network(const struct plan *p, struct strbuf *out)
{
    const struct plan_net *n = &p->net;
    strbuf_printf(out, "network   %s", network_word(p->network));
    if (p->network == NETWORK_FILTERED) {
        strbuf_printf(out, ": inside, HTTP on 127.0.0.1:%u and [::1]:%u", n->http_port,
                      n->http_port);
        if (n->socks)
            strbuf_printf(out, ", SOCKS5 on port %u%s", n->socks_port,
                          n->socks_udp ? " with UDP" : "");
        strbuf_printf(out, "\n          other TCP %s",
                      n->transparent ? "is redirected to the proxy, names are looked up there"
                                     : "is refused, and names are not looked up");
        strbuf_printf(out, "\n          localhost is %s",
                      n->loopback_is_host ? "asked for at the proxy: a rule opens the host's"
                                          : "the sandbox's own");
        if (n->upstream)
            strbuf_printf(out,
                          "\n          the proxy goes on %s; what a name leads to is checked no "
                          "further than there",
                          n->upstream);
    }
    strbuf_putc(out, '\n');
    if (p->all_unix_sockets && p->network != NETWORK_OPEN)
        strbuf_puts(out, "sockets   every Unix socket may be connected to\n");
}

static void json_network(struct json *j, const struct plan *p)
{
    const struct plan_net *n = &p->net;
    if (p->network == NETWORK_FILTERED) {
        json_key(j, "proxy");
        json_object(j);
        json_kv_int(j, "http_port", n->http_port);
        json_key(j, "socks_port");
        if (n->socks)
            json_int(j, n->socks_port);
        else
            json_null(j);
        json_kv_bool(j, "socks_udp", n->socks_udp);
        json_kv_bool(j, "transparent", n->transparent);
        json_kv_bool(j, "loopback_is_host", n->loopback_is_host);
        json_kv_string(j, "upstream", n->upstream);
        json_end_object(j);
    }
    json_key(j, "unix_sockets");
    json_strings(j, p->unix_sockets, p->n_unix_sockets);
    json_kv_bool(j, "all_unix_sockets", p->all_unix_sockets);
}

void plan_print(const struct plan *p, struct strbuf *out)
{
    strbuf_printf(out, "profile   %s (%s)\n", p->profile->name, p->profile->mode);
    if (p->profile->full_access) {
        strbuf_puts(out, "confined  no: the command runs as it would without bawn\n");
        return;
    }
    strbuf_printf(out, "backend   %s: %s\n", sandbox_backend_word(p->backend), p->backend_reason);
    put_network(p, out);
    strbuf_puts(out, "directory ");
    strbuf_put_printable(out, p->cwd, strlen(p->cwd));
    strbuf_printf(out, "\nroot      %s\n",
                  !p->root_is_host ? "empty, with what is named below"
                  : p->root_write  ? "the host's, writable"
                                   : "the host's, read-only");
    strbuf_puts(out, "mounts\n");
    for (size_t i = 0; i < p->n_mounts; i++) {
        const struct plan_mount *m = &p->mounts[i];
        strbuf_printf(out, "  %-13s ", op_word(m));
        strbuf_put_printable(out, m->path, strlen(m->path));
        put_origin(out, m->entry);
        strbuf_putc(out, '\n');
    }
    if (p->network != NETWORK_OPEN)
        put_list(out, "Unix sockets that may be connected to", p->unix_sockets, p->n_unix_sockets);
    put_list(out, "not to be renamed", p->guarded, p->n_guarded);
    put_list(out, "kept absent", p->absent, p->n_absent);
    struct sock_fprog prog = seccomp_program(p->filter);
    strbuf_printf(out, "filter    %u instructions%s%s%s%s\n", prog.len,
                  p->filter & FILTER_NETWORK_OFF ? ", sockets watched" : "",
                  p->filter & FILTER_WATCH_OPEN ? ", opens watched" : "",
                  p->filter & FILTER_WATCH_RENAME ? ", renames watched" : "",
                  p->filter & FILTER_LOG ? ", refusals logged" : "");
    put_list(out, "environment removed", p->env_removed, p->n_env_removed);
    put_list(out, "environment set", p->env_set, p->n_env_set);
    put_list(out, "warnings", p->warnings, p->n_warnings);
}

static void json_paths(struct json *j, const struct plan *p,
                       bool (*wanted)(const struct plan_mount *))
{
    json_array(j);
    for (size_t i = 0; i < p->n_mounts; i++)
        if (wanted(&p->mounts[i]))
            json_string(j, p->mounts[i].path);
    json_end_array(j);
}

static bool is_mask(const struct plan_mount *m)
{
    return m->op == MOUNT_MASK;
}

static void json_roots(struct json *j, const struct plan *p)
{
    json_array(j);
    for (size_t i = 0; i < p->profile->n_entries; i++) {
        const struct perm_entry *e = &p->profile->entries[i];
        if (e->glob || e->access == ACCESS_NONE ||
            (e->kind != ENTRY_NAMED && e->kind != ENTRY_BASE))
            continue;
        json_object(j);
        json_kv_string(j, "path", e->path);
        json_kv_string(j, "access", access_word(e->access));
        json_end_object(j);
    }
    json_end_array(j);
}

static void json_mounts(struct json *j, const struct plan *p)
{
    json_array(j);
    for (size_t i = 0; i < p->n_mounts; i++) {
        const struct plan_mount *m = &p->mounts[i];
        json_object(j);
        json_kv_string(j, "op", op_word(m));
        json_kv_string(j, "path", m->path);
        json_kv_bool(j, "directory", m->is_dir);
        if (m->entry) {
            json_kv_string(j, "entry", m->entry->written);
            json_kv_string(j, "file", m->entry->origin.file);
            json_kv_int(j, "line", m->entry->origin.line);
        }
        json_end_object(j);
    }
    json_end_array(j);
}

static void json_environment(struct json *j, const struct plan *p)
{
    json_object(j);
    json_key(j, "removed");
    json_strings(j, p->env_removed, p->n_env_removed);
    json_key(j, "set");
    json_object(j);
    for (size_t i = 0; i < p->n_env_set; i++) {
        const char *eq = strchr(p->env_set[i], '=');
        if (!eq)
            continue;
        char name[256];
        size_t n = MIN_OF((size_t)(eq - p->env_set[i]), sizeof(name) - 1);
        memcpy(name, p->env_set[i], n);
        name[n] = '\0';
        json_kv_string(j, name, eq + 1);
    }
    json_end_object(j);
    json_end_object(j);
}

void plan_json(const struct plan *p, struct json *j)
{
    json_object(j);
    json_kv_string(j, "backend",
                   p->profile->full_access ? "none" : sandbox_backend_word(p->backend));
    json_kv_string(j, "backend_reason", p->profile->full_access ? NULL : p->backend_reason);
    json_kv_string(j, "mode", p->profile->mode);
    json_kv_string(j, "profile", p->profile->name);
    json_kv_string(j, "network", network_word(p->network));
    json_network(j, p);
    json_kv_string(j, "cwd", p->cwd);
    json_key(j, "roots");
    json_roots(j, p);
    json_key(j, "protected");
    json_paths(j, p, is_protected);
    json_key(j, "masked");
    json_paths(j, p, is_mask);
    json_key(j, "mounts");
    json_mounts(j, p);
    json_key(j, "guarded");
    json_strings(j, p->guarded, p->n_guarded);
    json_key(j, "absent");
    json_strings(j, p->absent, p->n_absent);
    json_key(j, "seccomp");
    json_object(j);
    if (!p->profile->full_access) {
        json_kv_int(j, "instructions", seccomp_program(p->filter).len);
        json_kv_bool(j, "network_off", p->filter & FILTER_NETWORK_OFF);
        json_kv_bool(j, "ptrace", p->filter & FILTER_ALLOW_PTRACE);
        json_kv_bool(j, "nested_userns", p->filter & FILTER_ALLOW_USERNS);
        json_kv_bool(j, "log", p->filter & FILTER_LOG);
        json_kv_bool(j, "watch_open", p->filter & FILTER_WATCH_OPEN);
        json_kv_bool(j, "watch_rename", p->filter & FILTER_WATCH_RENAME);
    }
    json_end_object(j);
    json_key(j, "environment");
    json_environment(j, p);
    json_key(j, "warnings");
    json_strings(j, p->warnings, p->n_warnings);
    json_end_object(j);
}

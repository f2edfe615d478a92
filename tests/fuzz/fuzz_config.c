/*
 * Configuration text through everything that reads it: parse, check, merge with an override,
 * resolve every profile that it defines, ask about paths, make the network's rules. What must hold
 * whatever the text: an error has a message, entries are well formed, and nothing but full access
 * writes to bawn's own files.
 */
#include "base/path.h"
#include "network/from_config.h"
#include "permissions/resolve.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_profile(const struct profile *p)
{
    static const char *const paths[] = {"/",           "/ws",         "/ws/.git/hooks/x",
                                        "/ws/a/b.env", "/tmp/x",      "/home/u/.ssh/x",
                                        "/etc/passwd", "/srv/a/b/c/d"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        (void)permissions_check(p, paths[i]);
    for (size_t i = 0; i < p->n_entries; i++) {
        const struct perm_entry *e = &p->entries[i];
        if (!path_is_normal(e->path) || !e->written || !e->origin.layer)
            abort();
        if (e->glob && (e->access != ACCESS_NONE || glob_check(e->glob)))
            abort();
        (void)permissions_check(p, e->path);
    }
    if (p->full_access)
        return;
    if (permissions_check(p, "/home/u/.bawn/rules/x").access == ACCESS_WRITE ||
        permissions_check(p, "/home/u/.bawn/auth.json").access != ACCESS_NONE)
        abort();
    if (p->full_read != (permissions_check(p, "/").access != ACCESS_NONE))
        abort();
}

static void check_network(struct config *config, const struct profile *p)
{
    const struct netpolicy_input in = {.config = config, .profile = p};
    _cleanup_netpolicy_ struct netpolicy *policy = NULL;
    struct netrequest q = {.port = 443, .protocol = NET_HTTPS};
    struct netanswer answer;
    struct error err = {0};
    if (netpolicy_from_config(&in, &policy, &err) < 0) {
        if (!err.message[0] || !err.code)
            abort();
        return;
    }
    if (host_parse(BYTES("169.254.169.254"), &q.host) != HOST_FINE)
        abort();
    netpolicy_decide(policy, &q, &answer);
    if (answer.decision == NET_ALLOW && (!answer.rule || answer.rule->pattern[0] == '*'))
        abort();
}

static void resolve(struct arena *a, const struct config_request *request, const char *name,
                    const struct perm_context *context)
{
    struct config *config;
    struct profile *p;
    struct error err = {0};
    if (config_load(a, request, &config, &err) < 0 ||
        profile_resolve(config, name, context, &p, &err) < 0) {
        if (!err.message[0] || !err.code)
            abort();
        return;
    }
    check_profile(p);
    check_network(config, p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char file[64];
    if (size > 16384)
        return 0;
    if (fd < 0) {
        fd = memfd_create("fuzz", MFD_CLOEXEC);
        (void)snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
    }
    if (fd < 0 || ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
    /* The text once more as an override: both readings of a value. */
    char override[1024];
    const char *overrides[] = {override};
    size_t n = MIN_OF(size, sizeof(override) - 1);
    memcpy(override, data, n);
    override[n] = '\0';
    struct config_request request = {.system_file = file, .home = "/home/u", .cwd = "/ws"};
    const struct perm_context context = {.workspace = "/ws",
                                         .home = "/home/u",
                                         .tmpdir = "/var/tmp/t",
                                         .bawn_home = "/home/u/.bawn"};
    _cleanup_arena_ struct arena a = {0};
    resolve(&a, &request, NULL, &context);
    resolve(&a, &request, "p", &context);
    request.system_file = NULL;
    request.overrides = overrides;
    request.n_overrides = 1;
    resolve(&a, &request, NULL, &context);
    return 0;
}

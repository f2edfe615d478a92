/* See proxy_opening.h. */
#include "cli/proxy_opening.h"

#include "base/fd.h"
#include "cli/telling.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOTS_MOST (16u << 20)

/* ---- what the plan needs ---- */

/* Variables that lead programs to the roots, and placeholders; names that hold secrets. */
static int make_plan(struct opening *o, struct setup *s, bool runs)
{
    static const char *const files[] = {OPENING_CA, OPENING_ROOTS};
    struct arena *a = &s->arena;
    const struct netcredentials *c = &o->credentials;
    const char **set = arena_zalloc(a, n_trust_variables + c->n + 1, sizeof(*set));
    const char **unset = arena_zalloc(a, c->n + 1, sizeof(*unset));
    size_t n_set = 0, n_unset = 0;
    if (!set || !unset)
        return -ENOMEM;
    for (size_t i = 0; i < n_trust_variables; i++)
        set[n_set++] = arena_printf(a, "%s=%s", trust_variables[i].name,
                                    trust_variables[i].ca_alone ? OPENING_CA : OPENING_ROOTS);
    for (size_t i = 0; i < c->n; i++) {
        if (c->v[i].from_env)
            unset[n_unset++] = c->v[i].from_env;
        if (c->v[i].placeholder_env)
            set[n_set++] = arena_printf(a, "%s=%s", c->v[i].placeholder_env,
                                        runs ? o->secrets.v[i].placeholder : "(placeholder)");
    }
    for (size_t i = 0; i < n_set; i++)
        if (!set[i])
            return -ENOMEM;
    o->plan = (struct plan_opening){set, n_set, unset, n_unset, files, ARRAY_LEN(files)};
    return 0;
}

void opening_init(struct opening *o)
{
    *o = (struct opening){.files = {{OPENING_CA, -1}, {OPENING_ROOTS, -1}},
                          .process = {.fd = -1, .errors = -1},
                          .handover = {-1, -1}};
}

int opening_prepare(struct opening *o, struct setup *s, bool runs, struct error *err)
{
    int r = requests_from_config(&s->arena, s->profile, &o->requests, err);
    if (r == 0)
        r = credentials_from_config(&s->arena, s->profile, s->home, &o->credentials, err);
    if (r == 0)
        r = opened_from_config(&s->arena, s->profile, s->network.limited, &o->requests,
                               &o->credentials, &o->opened, err);
    if (r < 0)
        return r;
    o->any = opened_any(&o->opened);
    if (!o->any)
        return 0;
    if (runs && o->credentials.n)
        r = secrets_collect(&o->credentials, (const char *(*)(const char *))getenv, &o->secrets,
                            err);
    if (r == 0 && make_plan(o, s, runs) < 0)
        r = error_errno(err, -ENOMEM, "cannot prepare the network");
    return r;
}

/* ---- the files ---- */

static int put_system_roots(struct strbuf *out, struct error *err)
{
    for (size_t i = 0; trust_root_files[i]; i++) {
        _cleanup_fd_ int fd = open(trust_root_files[i], O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        int r = fd_read_all(fd, ROOTS_MOST, out);
        if (r < 0)
            return error_errno(err, r, "cannot read %s", trust_root_files[i]);
        if (out->n && out->p[out->n - 1] != '\n')
            strbuf_putc(out, '\n');
        return 0;
    }
    return 0; /* then there are no others to trust */
}

static void put_file(struct strbuf *out, const char *path)
{
    _cleanup_fd_ int fd = path[0] == '/' ? open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) : -1;
    if (fd >= 0 && fd_read_all(fd, ROOTS_MOST, out) == 0 && out->n && out->p[out->n - 1] != '\n')
        strbuf_putc(out, '\n');
}

/* The files that the person's own environment names: they would be covered by ours. ALONE: those
 * that add to what programs trust by themselves. */
static void put_own_roots(struct strbuf *out, bool alone)
{
    const char *seen[32];
    size_t n = 0;
    for (size_t i = 0; i < n_trust_variables && n < ARRAY_LEN(seen); i++) {
        const char *path = getenv(trust_variables[i].name);
        bool again = !path || (alone && !trust_variables[i].ca_alone);
        for (size_t k = 0; !again && k < n; k++)
            again = str_eq(seen[k], path);
        if (again)
            continue;
        seen[n++] = path;
        put_file(out, path);
    }
}

/* The CA beside what is trusted anyway: by programs that add it to their own, and by those that
 * take nothing but the file. */
static int make_files(struct opening *o, struct bytes ca, struct error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(o->files); i++) {
        _cleanup_strbuf_ struct strbuf text = {.max = 2 * ROOTS_MOST};
        int r = i == 1 ? put_system_roots(&text, err) : 0;
        if (r < 0)
            return r;
        put_own_roots(&text, i == 0);
        strbuf_put(&text, ca.p, ca.n);
        o->files[i].fd = proxy_settings_file(&text, err);
        if (o->files[i].fd < 0)
            return o->files[i].fd;
    }
    return 0;
}

/* ---- the process ---- */

static int write_settings(const struct opening *o, struct setup *s, struct error *err)
{
    const struct intercept_settings settings = {
        .tells_ends = telling_spans(s->telling),
        .limited = s->network.limited,
        .profile = s->profile->name,
        .block_message = s->network.block_message,
        .requests = o->requests,
        .credentials = intercept_credentials(&s->arena, &o->credentials),
        .n_credentials = o->credentials.n};
    _cleanup_strbuf_ struct strbuf text = {0};
    if (!settings.credentials && o->credentials.n)
        return error_errno(err, -ENOMEM, "cannot prepare the network");
    (void)intercept_settings_write(&settings, &text);
    return proxy_settings_file(&text, err);
}

int opening_start(struct opening *o, struct setup *s, struct error *err)
{
    struct bytes ca;
    int n = 1, fds[2] = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, o->handover) < 0)
        return error_errno(err, -errno, "cannot make sockets");
    const struct proxy_program program = {proxy_place(&s->arena, s->own[0], INTERCEPT_PROGRAM),
                                          s->profile, o->handover[1]};
    if (!program.path)
        return error_errno(err, -ENOMEM, "cannot start %s", INTERCEPT_PROGRAM);
    int r = fds[0] = write_settings(o, s, err);
    if (r >= 0 && o->secrets.n) {
        r = secrets_send(&o->secrets, &fds[1], err);
        n = 2;
    }
    if (r >= 0)
        r = proxy_start_with(&o->process, &program, fds, (size_t)n, err);
    fd_close(fds[0]);
    fd_close(fds[1]);
    if (r >= 0)
        r = proxy_await(&o->process, &ca, err);
    if (r < 0)
        return r;
    fd_close(o->handover[1]);
    o->handover[1] = -1;
    return o->any ? make_files(o, ca, err) : 0;
}

void opening_release(struct opening *o)
{
    proxy_end(&o->process, NULL);
    for (size_t i = 0; i < ARRAY_LEN(o->files); i++)
        fd_close(o->files[i].fd);
    fd_close(o->handover[0]);
    fd_close(o->handover[1]);
    secrets_release(&o->secrets);
}

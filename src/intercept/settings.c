/* See settings.h. The bytes are those of base/pack.h. */
#include "intercept/settings.h"

#include "base/pack.h"

#include <errno.h>

#define MAGIC     0x69737762u /* "bwsi" */
#define VERSION   2u
#define MAX_ROOTS 64u

const struct intercept_credential *intercept_credentials(struct arena *a,
                                                         const struct netcredentials *c)
{
    struct intercept_credential *v = arena_zalloc(a, c->n + 1, sizeof(*v));
    for (size_t i = 0; v && i < c->n; i++)
        v[i] = (struct intercept_credential){c->v[i].place.pattern, c->v[i].host, c->v[i].header,
                                             c->v[i].before, c->v[i].after};
    return v;
}

int intercept_settings_write(const struct intercept_settings *s, struct strbuf *out)
{
    pack_u32(out, MAGIC);
    pack_u32(out, VERSION);
    pack_u32(out, s->tells_ends);
    pack_u32(out, s->limited);
    pack_text(out, s->profile);
    pack_text(out, s->block_message);
    pack_u32(out, (uint32_t)s->n_root_files);
    for (size_t i = 0; i < s->n_root_files; i++)
        pack_text(out, s->root_files[i]);
    requests_write(&s->requests, out);
    pack_u32(out, (uint32_t)s->n_credentials);
    for (size_t i = 0; i < s->n_credentials; i++) {
        const struct intercept_credential *c = &s->credentials[i];
        char buf[NETPATTERN_TEXT_MAX];
        pack_text(out, netpattern_ascii(c->host_text, &c->host, buf));
        pack_text(out, s->credentials[i].header);
        pack_text(out, s->credentials[i].before);
        pack_text(out, s->credentials[i].after);
    }
    return strbuf_failed(out) ? -ENOMEM : 0;
}

static int read_roots(struct arena *a, struct unpack *u, struct intercept_settings *s)
{
    s->n_root_files = unpack_count(u, MAX_ROOTS, 5);
    const char **files = arena_zalloc(a, s->n_root_files + 1, sizeof(*files));
    if (!files)
        return -ENOMEM;
    for (size_t i = 0; i < s->n_root_files; i++)
        files[i] = unpack_some(u);
    s->root_files = files;
    return 0;
}

static int read_credentials(struct arena *a, struct unpack *u, struct intercept_settings *s)
{
    s->n_credentials = unpack_count(u, MAX_CREDENTIALS, 20);
    struct intercept_credential *v = arena_zalloc(a, s->n_credentials + 1, sizeof(*v));
    if (!v)
        return -ENOMEM;
    for (size_t i = 0; i < s->n_credentials && !u->bad; i++) {
        v[i].host_text = unpack_some(u);
        v[i].header = unpack_some(u);
        v[i].before = unpack_some(u);
        v[i].after = unpack_some(u);
        u->bad = u->bad || netpattern_parse(bytes_of(v[i].host_text), &v[i].host, NULL) < 0 ||
                 (v[i].host.kind != PATTERN_EXACT && v[i].host.kind != PATTERN_ADDRESS);
    }
    s->credentials = v;
    return 0;
}

int intercept_settings_read(struct arena *a, struct bytes text, struct intercept_settings *ret,
                            struct error *err)
{
    struct unpack u = {.left = text};
    struct intercept_settings s = {0};
    if (unpack_u32(&u) != MAGIC || unpack_u32(&u) != VERSION)
        return error_set(err, -EINVAL, "the settings are of another build of bawn");
    s.tells_ends = unpack_word(&u, 1) == 1;
    s.limited = unpack_word(&u, 1) == 1;
    s.profile = unpack_text(&u);
    s.block_message = unpack_text(&u);
    int r = read_roots(a, &u, &s);
    if (r == 0 && !u.bad) {
        r = requests_read(a, &u.left, &s.requests, err);
        if (r < 0)
            return r;
    }
    if (r == 0)
        r = read_credentials(a, &u, &s);
    if (r < 0)
        return error_errno(err, r, "cannot read the settings");
    if (u.bad || u.left.n)
        return error_set(err, -EINVAL, "the settings are damaged");
    *ret = s;
    return 0;
}

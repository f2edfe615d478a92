/*
 * A world of files for tests of the layers: an administrator's directory, a home, a project with
 * folders in it. Each setting says what is in the files (NULL: there is none); `@` in a text stands
 * for the world's directory. Include after the system headers and before cmocka.h's users.
 */
#ifndef BAWN_TEST_CONFIG_WORLD_H
#define BAWN_TEST_CONFIG_WORLD_H

#include "base/path.h"
#include "config/config.h"
#include "config/keys.h"
#include "config/requirements.h"
#include "permissions/resolve.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct setting {
    const char *system, *user, *managed, *required;
    const char *profile_file; /* home/p.config.toml */
    const char *trust;        /* home/trust.toml */
    const char *project, *sub, *deep;
    const char *profile; /* --profile */
    const char *over[4]; /* -c */
    struct config_flag flags[3];
    const char *permissions; /* -P */
    const char *add_dir;
    bool strict, vcs, at_root, home_in_project, keep_files;
};

static char world[] = "/tmp/bawn-layers.XXXXXX";

/* A path of the world; eight of them can be held at a time. */
__attribute__((unused)) static const char *at_world(const char *rest)
{
    static char ring[8][256];
    static unsigned turn;
    char *to = ring[turn++ % ARRAY_LEN(ring)];
    (void)snprintf(to, sizeof(ring[0]), "%s/%s", world, rest);
    return to;
}

#define TRUSTED "[projects.\"@/proj\"]\ntrust_level = \"trusted\"\n"

static const struct {
    const char *path;
    size_t offset;
} world_files[] = {
    {"etc/config.toml", offsetof(struct setting, system)},
    {"etc/managed_config.toml", offsetof(struct setting, managed)},
    {"etc/requirements.toml", offsetof(struct setting, required)},
    {"home/config.toml", offsetof(struct setting, user)},
    {"home/p.config.toml", offsetof(struct setting, profile_file)},
    {"home/trust.toml", offsetof(struct setting, trust)},
    {"proj/.bawn/config.toml", offsetof(struct setting, project)},
    {"proj/sub/.bawn/config.toml", offsetof(struct setting, sub)},
    {"proj/sub/deep/.bawn/config.toml", offsetof(struct setting, deep)},
};

static const char *const world_dirs[] = {
    "etc",      "home",           "proj",          "proj/.git",           "proj/.bawn",
    "proj/sub", "proj/sub/.bawn", "proj/sub/deep", "proj/sub/deep/.bawn",
};

/* TEXT with the world's directory for each @; static storage, one at a time. */
__attribute__((unused)) static const char *with_world(const char *text)
{
    static char out[65536];
    size_t n = 0;
    for (; *text; text++) {
        const char *from = *text == '@' ? world : text;
        size_t len = *text == '@' ? strlen(world) : 1;
        assert_true(n + len < sizeof(out));
        memcpy(out + n, from, len);
        n += len;
    }
    out[n] = '\0';
    return out;
}

__attribute__((unused)) static void write_text(const char *file, const char *text)
{
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

__attribute__((unused)) static void write_world(const struct setting *s)
{
    for (size_t i = 0; i < ARRAY_LEN(world_files); i++) {
        const char *const *text = (const void *)((const char *)s + world_files[i].offset);
        const char *file = at_world(world_files[i].path);
        if (*text)
            write_text(file, with_world(*text));
        else
            (void)unlink(file);
    }
}

__attribute__((unused)) static int make_world(void **state)
{
    (void)state;
    (void)umask(022);
    if (!mkdtemp(world) || chmod(world, 0755) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(world_dirs); i++)
        if (mkdir(at_world(world_dirs[i]), 0755) < 0)
            return -1;
    write_text(at_world("proj/.git/HEAD"), "ref: refs/heads/main\n");
    return 0;
}

__attribute__((unused)) static int remove_world(void **state)
{
    (void)state;
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(world_files); i++)
        (void)unlink(at_world(world_files[i].path));
    (void)unlink(at_world("proj/.git/HEAD"));
    for (size_t i = ARRAY_LEN(world_dirs); i-- > 0;)
        r |= rmdir(at_world(world_dirs[i]));
    return r | rmdir(world);
}

/* What was expanded lives in A. */
static const char *kept(struct arena *a, const char *text)
{
    return text ? arena_strdup(a, with_world(text)) : NULL;
}

__attribute__((unused)) static int load_world(struct arena *a, const struct setting *s,
                                              struct config **ret, struct error *err)
{
    struct config_request request = {
        .system_file = kept(a, "@/etc/config.toml"),
        .managed_file = kept(a, "@/etc/managed_config.toml"),
        .requirements_file = kept(a, "@/etc/requirements.toml"),
        .admin_uid = getuid(),
        .bawn_home = kept(a, s->home_in_project ? "@/proj/.bawn" : "@/home"),
        .home = "/home/u",
        .cwd = kept(a, s->at_root ? "@/proj" : "@/proj/sub/deep"),
        .profile = s->profile,
        .flags = s->flags,
        .strict = s->strict,
        .in_version_control = s->vcs,
        .find_project = true,
    };
    const char **over = arena_zalloc(a, ARRAY_LEN(s->over), sizeof(*over));
    for (size_t i = 0; i < ARRAY_LEN(s->over) && s->over[i]; i++)
        over[request.n_overrides++] = kept(a, s->over[i]);
    request.overrides = over;
    while (request.n_flags < ARRAY_LEN(s->flags) && s->flags[request.n_flags].key)
        request.n_flags++;
    if (!s->keep_files)
        write_world(s);
    return config_load(a, &request, ret, err);
}

__attribute__((unused)) static struct config *load_good(struct arena *a, const struct setting *s)
{
    struct config *c = NULL;
    struct error err = {0};
    if (load_world(a, s, &c, &err) < 0)
        fail_msg("%s:%u: %s", err.file, err.line, err.message);
    return c;
}

__attribute__((unused)) static int resolve_world(struct config *c, const struct setting *s,
                                                 struct profile **ret, struct error *err)
{
    const char *add = kept(c->arena, s->add_dir);
    struct perm_context context = {
        .workspace = kept(c->arena, "@/proj"),
        .home = "/home/u",
        .tmpdir = kept(c->arena, "@/tmp"),
        .bawn_home = kept(c->arena, "@/home"),
        .add_dirs = &add,
        .n_add_dirs = add != NULL,
    };
    return profile_resolve(c, s->permissions, &context, ret, err);
}

/* Is TEXT (with @) a part of a warning? */
__attribute__((unused)) static bool warned(const struct config *c, const char *text)
{
    for (size_t i = 0; i < c->n_warnings; i++)
        if (strstr(c->warnings[i], with_world(text)))
            return true;
    return false;
}

__attribute__((unused)) static void show_warnings(const struct config *c)
{
    for (size_t i = 0; i < c->n_warnings; i++)
        print_message("  warning: %s\n", c->warnings[i]);
}

#endif

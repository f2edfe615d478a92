/*
 * Asking bawn-proxy for the ASCII form of names. See to_ascii.h.
 *
 * One process answers all names of a run, a line each. What was asked once is kept: the same
 * patterns are read for the rules, for the plan and for what the proxy is told. When something goes
 * wrong nothing is converted any more, and each name is refused with why.
 */
#include "cli/to_ascii.h"

#include "base/clock.h"
#include "base/fd.h"
#include "cli/proxy_start.h"
#include "cli/tool.h"
#include "network/unicode.h"

#include <errno.h>
#include <signal.h>

#define ANSWER_MS   5000
#define ANSWER_MOST 2048u

struct known {
    struct known *next;
    struct bytes name;
    const char *ascii, *why; /* one of them */
};

static struct {
    struct setup *s;
    struct tool tool;
    bool runs;
    const char *problem; /* nobody answers */
    struct known *known;
} helper;

static int unusable(const char *problem, struct error *err)
{
    if (!helper.problem)
        helper.problem = problem ? problem : "it does not run";
    to_ascii_end();
    return error_set(err, -ENOSYS, "%s", helper.problem);
}

static int start(struct error *err)
{
    struct setup *s = helper.s;
    struct error why = {0};
    static char name[] = PROXY_PROGRAM, option[] = "--to-ascii";
    char *argv[] = {name, option, NULL}, *envp[] = {NULL};
    const char *path = s->n_own ? proxy_place(&s->arena, s->own[0], PROXY_PROGRAM) : NULL;
    if (!path)
        return unusable("it is not found without /proc", err);
    _cleanup_fd_ int fd = proxy_open_program(path, s->profile, &why);
    const struct tool_program program = {
        .fd = fd, .path = path, .argv = argv, .envp = envp, .talks = true};
    if (fd < 0 || tool_start(&program, &helper.tool, &why) < 0)
        return unusable(arena_strdup(&s->arena, fd == -ENOENT ? "it is missing" : why.message),
                        err);
    helper.runs = true;
    return 0;
}

static int ask(struct bytes name, struct strbuf *out)
{
    const int64_t until = clock_ms() + ANSWER_MS;
    int r = tool_write(&helper.tool, name.p, name.n, until);
    if (r == 0)
        r = tool_write(&helper.tool, "\n", 1, until);
    if (r == 0)
        r = tool_read(&helper.tool, true, until, ANSWER_MOST, out);
    return r == 0 && (out->n == 0 || (out->p[0] != '=' && out->p[0] != '!')) ? -EPROTO : r;
}

static struct known *keep(struct bytes name, const struct strbuf *answer)
{
    struct arena *a = &helper.s->arena;
    struct known *k = arena_zalloc(a, 1, sizeof(*k));
    const char *copy = arena_strndup(a, name.p, name.n);
    const char *text = arena_strdup(a, strbuf_text(answer) + 1);
    if (!k || !copy || !text)
        return NULL;
    *k = (struct known){.next = helper.known, .name = {copy, name.n}};
    if (strbuf_text(answer)[0] == '=')
        k->ascii = text;
    else
        k->why = text;
    return helper.known = k;
}

static int convert(void *data, struct bytes name, char ret[HOST_NAME_MAX_BYTES + 1],
                   struct error *err)
{
    _cleanup_strbuf_ struct strbuf answer = {0};
    struct known *k = helper.known;
    (void)data;
    while (k && !bytes_eq(k->name, name))
        k = k->next;
    if (!k) {
        if (memchr(name.p, '\n', name.n) || memchr(name.p, '\0', name.n))
            return error_set(err, -EINVAL, "a control character");
        if (helper.problem)
            return error_set(err, -ENOSYS, "%s", helper.problem);
        if (!helper.runs && start(err) < 0)
            return -ENOSYS;
        if (ask(name, &answer) < 0 || !(k = keep(name, &answer)))
            return unusable("it does not answer", err);
    }
    if (!k->ascii)
        return error_set(err, -EINVAL, "%s", k->why);
    if (strlen(k->ascii) > HOST_NAME_MAX_BYTES)
        return unusable("it does not answer", err);
    memcpy(ret, k->ascii, strlen(k->ascii) + 1);
    return 0;
}

void to_ascii_begin(struct setup *s)
{
    static const struct unicode_converter converter = {.convert = convert};
    if (helper.s != s) {
        to_ascii_end();
        helper.s = s;
        helper.known = NULL;
        helper.problem = NULL;
    }
    unicode_use(&converter);
}

void to_ascii_end(void)
{
    if (helper.runs) {
        (void)kill(helper.tool.pid, SIGKILL); /* it has nothing to finish */
        (void)tool_end(&helper.tool);
    }
    helper.runs = false;
}

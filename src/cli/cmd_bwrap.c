/*
 * `bawn bwrap ARGS…`, and bawn started under the name "bwrap": bubblewrap's command line on bawn's
 * own mounter. Messages begin "bwrap: " and its own faults exit with 1, as scripts that call bwrap
 * expect; nothing of bawn's configuration is read.
 */
#include "base/fd.h"
#include "base/limits.h"
#include "bwrap/args.h"
#include "cli/commands.h"
#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define BWRAP_LEVEL "0.11.0" /* what of bubblewrap this speaks */

/* LEVEL is syslog's: 3 an error, 4 a warning. */
static void say(const struct bwrap_args *args, int level, const char *text, const char *hint)
{
    _cleanup_strbuf_ struct strbuf b = {0};
    if (args->level_prefix)
        strbuf_printf(&b, "<%d>", level);
    strbuf_printf(&b, "bwrap: %s\n", text);
    if (hint && hint[0])
        strbuf_printf(&b, "bwrap: hint: %s\n", hint);
    (void)fd_write_all(2, strbuf_text(&b), b.n);
}

static int read_args(void *data, int fd, struct bytes *ret)
{
    struct strbuf *text = data;
    strbuf_release(text);
    int r = fd_read_all(fd, MAX_STRBUF_BYTES, text);
    fd_close(fd);
    *ret = (struct bytes){strbuf_text(text), text->n};
    return r;
}

static bool begins(const char *path, char c)
{
    char got = 0;
    _cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, &got, 1) == 1 && got == c;
}

static struct bwrap_machine machine(const struct bwrap_args *args)
{
    struct bwrap_machine m = {.uid = getuid(), .gid = getgid(), .userns = true, .cgroup = true};
    struct stat st;
    if (args->cgroup_try || args->steps.unshare_cgroup)
        m.cgroup = stat("/proc/self/ns/cgroup", &st) == 0;
    if (args->user_try && m.uid == 0)
        m.userns = stat("/proc/self/ns/user", &st) == 0 &&
                   !begins("/sys/module/user_namespace/parameters/enable", 'N') &&
                   !begins("/proc/sys/user/max_user_namespaces", '0');
    return m;
}

static int print(int fd, struct strbuf *b, int status)
{
    return fd_write_all(fd, strbuf_text(b), b->n) < 0 ? 1 : status;
}

int cmd_bwrap(int argc, char **argv)
{
    (void)argc;
    static struct arena arena;
    _cleanup_strbuf_ struct strbuf out = {0};
    _cleanup_strbuf_ struct strbuf text = {0};
    struct bwrap_args args;
    struct error err = {0};
    struct bwrap_input input = {.argv = argv + 1,
                                .environ = (const char *const *)environ,
                                .read_args = read_args,
                                .data = &text};
    int r = bwrap_parse(&arena, &input, &args, &err);
    for (size_t i = 0; i < args.n_warnings; i++)
        say(&args, 4, args.warnings[i], NULL);
    struct bwrap_machine m = machine(&args);
    if (r == 0 && (args.request == BWRAP_RUN || (args.request == BWRAP_USAGE && argv[1])))
        r = bwrap_settle(&args, &m, &err);
    if (r < 0) {
        say(&args, 3, err.message, err.hint);
        return 1;
    }
    switch (args.request) {
    case BWRAP_VERSION:
        strbuf_puts(&out, "bubblewrap " BWRAP_LEVEL "\nbawn " BAWN_VERSION "\n");
        return print(1, &out, 0);
    case BWRAP_HELP:
        bwrap_help(argv[0], &out);
        return print(1, &out, 0);
    case BWRAP_USAGE:
        bwrap_help(argv[0], &out);
        return print(2, &out, 1);
    case BWRAP_RUN:
        break;
    }
    struct plan plan = {.backend = BACKEND_BUNDLED, .env = args.env, .n_env = args.n_env};
    plan.steps = &args.steps;
    struct run_options run = {.argv = args.command, .status_fd = -1};
    int status = 1;
    if (sandbox_run(&plan, &run, &status, &err) < 0) {
        say(&args, 3, err.message, err.hint);
        return 1;
    }
    return status;
}

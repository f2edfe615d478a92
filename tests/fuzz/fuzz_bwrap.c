/*
 * A command line of `bawn bwrap`: words that end with NUL bytes; two NUL bytes end it, and what
 * follows is what `--args` reads. Whatever is accepted keeps the promises of steps.h, and means the
 * same when it comes through `--args`.
 */
#include "bwrap/args.h"

#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_args(void *data, int fd, struct bytes *ret)
{
    const struct bytes *text = data;
    if (fd > 100)
        return -EBADF;
    *ret = *text;
    return 0;
}

static void check(const struct bwrap_args *args)
{
    const struct plan_steps *s = &args->steps;
    for (size_t i = 0; i < s->n; i++) {
        const struct plan_step *step = &s->v[i];
        bool data = step->op == STEP_FILE || step->op == STEP_DATA;
        if (!step->dest || step->perms > 07777 || (data && step->fd < 0))
            abort();
        if ((step->op == STEP_BIND || step->op == STEP_SYMLINK) && !step->source)
            abort();
        if (step->op == STEP_OVERLAY && (step->n_layers == 0 || !step->upper != !step->work))
            abort();
        if ((data || step->op == STEP_TMPFS || step->op == STEP_DIR || step->op == STEP_CHMOD) &&
            step->perms < 0)
            abort();
        if (step->optional && step->op != STEP_BIND)
            abort();
    }
    for (size_t i = 0; i < args->n_env; i++)
        if (!strchr(args->env[i], '='))
            abort();
    if (args->env[args->n_env])
        abort();
    if (args->request == BWRAP_RUN && !args->command[0])
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const environ[] = {"PATH=/bin", "HOME=/root", "A=1", NULL};
    _cleanup_arena_ struct arena a = {0};
    struct bwrap_args args;
    struct error err = {0};
    char *argv[256];
    size_t n = 0, at = 0;
    char *text = arena_strndup(&a, (const char *)data, size);
    if (!text)
        return 0;
    while (at < size && text[at] && n < ARRAY_LEN(argv) - 1) {
        argv[n++] = text + at;
        at += strlen(text + at) + 1;
    }
    argv[n] = NULL;
    at += at < size;
    struct bytes rest = {text + (at < size ? at : size), at < size ? size - at : 0};
    struct bwrap_input input = {
        .argv = argv, .environ = environ, .read_args = read_args, .data = &rest};
    int r = bwrap_parse(&a, &input, &args, &err);
    if (r < 0 && !err.message[0])
        abort();
    if (r < 0)
        return 0;
    check(&args);
    const struct bwrap_machine user = {1000, 1000, true, true}, root = {0, 0, false, false};
    struct bwrap_args other = args;
    if (bwrap_settle(&args, &user, &err) == 0 && args.steps.userns_fd < 0 &&
        !args.steps.unshare_user)
        abort();
    (void)bwrap_settle(&other, &root, &err);
    return 0;
}

/*
 * The landlock backend: no namespaces, so no mounts; a Landlock domain holds the files and the
 * filter the rest. Init is not pid 1 but the subreaper of everything the command starts, and ends
 * them when the outer goes. With BACKEND_EXTERNAL there is no domain either: an outer container is
 * the boundary, and only the filter and no_new_privs are applied.
 */
#include "sandbox/backend.h"

#include "base/fd.h"
#include "base/sys.h"
#include "sandbox/landlock.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

/* One line for the person about what this backend does not do. */
static void say(struct launch *l, const struct strbuf *notes)
{
    struct message m = {.kind = MESSAGE_NOTE};
    if (l->plan->backend == BACKEND_EXTERNAL) {
        (void)snprintf(m.text, sizeof(m.text),
                       "sandbox_backend = \"external\": files are not confined by bawn, the outer "
                       "container has to do that");
    } else {
        /* Of the notes, each a line, as many as there is room for. */
        const char *text = notes->n ? notes->p : NULL;
        size_t n = 0, at = 0, all = 0;
        for (size_t i = 0; i < notes->n; i++)
            all += text[i] == '\n';
        while (at < notes->n && n < 3) {
            const char *line = text + at;
            size_t len = strcspn(line, "\n"), used = strlen(m.text);
            if (used + len + 64 > sizeof(m.text))
                break;
            (void)snprintf(m.text + used, sizeof(m.text) - used, "%s%.*s",
                           n ? "; " : "landlock: ", (int)len, line);
            at += len + 1;
            n++;
        }
        if (all > n) {
            size_t used = strlen(m.text);
            (void)snprintf(m.text + used, sizeof(m.text) - used, "; and %zu more such", all - n);
        }
    }
    if (m.text[0])
        (void)fd_send(l->control[1], &m, sizeof(m), NULL, 0);
}

static _noreturn_ void landlock_child(struct launch *l, int ruleset, const struct strbuf *notes)
{
    int master = -1, slave = -1, r;
    say(l, notes);
    /* Made before the domain is entered: inside, only this one terminal is open to the command. */
    if (l->want_pty && (r = init_open_pty(&master, &slave)) < 0)
        init_fail(l, r, "cannot make a terminal for the command");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        init_fail(l, -errno, "cannot set no_new_privs");
    if (ruleset >= 0) {
        r = slave >= 0 ? landlock_allow_terminal(ruleset, slave) : 0;
        if (r == 0)
            r = landlock_enforce(ruleset);
        if (r < 0)
            init_fail(l, r, "cannot enter the Landlock domain");
        l->ruleset = ruleset; /* the command enters it again; init closes it afterwards */
    }
    init_main(l, -1, master, slave);
}

int landlock_spawn(struct launch *l, pid_t *ret_pid, int *ret_pidfd, struct error *err)
{
    _cleanup_strbuf_ struct strbuf notes = {0};
    _cleanup_fd_ int ruleset = -1;
    if (l->plan->backend == BACKEND_LANDLOCK) {
        int r = landlock_prepare_noted(l->plan, &notes, &ruleset, err);
        if (r < 0)
            return r;
        if (strbuf_failed(&notes))
            return error_set(err, -ENOMEM, "out of memory");
    }
    int pidfd = -1;
    pid_t pid = sys_clone3(0, &pidfd);
    if (pid == 0)
        landlock_child(l, ruleset, &notes);
    if (pid < 0)
        return error_errno(err, pid, "cannot start the sandbox");
    l->init = pid;
    *ret_pid = pid;
    *ret_pidfd = pidfd;
    return 0;
}

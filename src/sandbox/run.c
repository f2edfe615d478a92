/*
 * The outer process: starts the sandbox through a backend, then supervises until the command has
 * ended.
 *
 * States: set-up (until MESSAGE_STARTED; a failure here is status 125), running, ending (the
 * command is dead or a deadline has passed; everything else is being killed). Signals arrive
 * through a signalfd: nothing runs in signal context but terminal_restore() on the fatal ones.
 */
#include "sandbox/backend.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/sys.h"
#include "sandbox/journal.h"
#include "sandbox/net_inside.h"
#include "sandbox/run_open.h"
#include "sandbox/seccomp.h"
#include "sandbox/steps_run.h"
#include "sandbox/supervise.h"
#include "sandbox/terminal.h"
#include "sandbox/watch.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_MS 5000 /* from SIGTERM or the wall limit to SIGKILL */

struct run {
    struct launch l;
    const struct run_options *options;
    pid_t pid;     /* init, or the backend's helper above it */
    int pidfd;     /* of init as soon as it is known, else of `pid` */
    pid_t init;    /* below bwrap; 0 when `pid` is init or nothing has been heard of it yet */
    pid_t command; /* as this process sees it; 0 until started */
    int sigfd;
    struct supervisor *supervisor;
    struct terminal *terminal;
    int64_t started_ms, wall_deadline_ms, kill_deadline_ms; /* 0 = none */
    unsigned interrupts;
    bool ended, timed_out, killed;
    bool filtered;   /* the proxy has the sandbox's sockets */
    bool stop_asked; /* SIGTSTP came, and was passed on */
    bool alone;      /* when it ended, nothing else was running */
    int status;      /* what bawn exits with, once ended */
    int signal;      /* that ended the command, or 0 */
    uint64_t maxrss_kib;
};

/* ---- before the start ---- */

/* What the command will hold on 0, 1 and 2 and by --pass-fd must not be a way out by itself. */
static int check_descriptor(const struct plan *plan, int fd, struct error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0) {
        if (fd < 3)
            return 0;
        return error_errno(err, -errno, "--pass-fd %d", fd);
    }
    if (S_ISDIR(st.st_mode) && fd < 3) {
        error_set(err, -EISDIR,
                  "descriptor %d is a directory: it would open the host's files to the command",
                  fd);
        error_hint(err, "redirect it from or to a file; --pass-fd under another number passes a "
                        "directory as the sandbox shows it");
        return -EISDIR;
    }
    if (!S_ISSOCK(st.st_mode) || !(plan->filter & FILTER_NETWORK_OFF))
        return 0;
    int domain = 0, type = 0;
    socklen_t n = sizeof(domain);
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) < 0)
        return error_errno(err, -errno, "descriptor %d", fd);
    n = sizeof(type);
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) < 0)
        return error_errno(err, -errno, "descriptor %d", fd);
    int listening = 0;
    struct sockaddr_storage peer;
    n = sizeof(listening);
    (void)getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &n);
    n = sizeof(peer);
    bool settled = listening || getpeername(fd, (struct sockaddr *)&peer, &n) == 0;
    if (domain == AF_UNIX && (type == SOCK_STREAM || type == SOCK_SEQPACKET) && settled)
        return 0;
    error_set(err, -EPERM,
              "descriptor %d is a %s socket of the host: with the network %s the command could "
              "send through it to any address",
              fd,
              domain != AF_UNIX    ? "network"
              : type == SOCK_DGRAM ? "Unix datagram"
                                   : "Unix, unconnected",
              network_word(plan->network));
    error_hint(err, "put a pipe in between, or turn the network on: -c "
                    "sandbox_workspace_write.network_access=true");
    return -EPERM;
}

static int open_journal(struct run *r, const char *path, struct error *err)
{
    if (r->l.journal)
        return 0;
    if (r->options->state_dir)
        return journal_open(r->options->state_dir, &r->l.journal, err);
    const char *why = r->options->state_problem;
    error_set(err, -ENOENT,
              "no directory to keep state in: %s must be held while the command runs%s%s",
              show(path), why ? ", and " : "", why ? why : "");
    error_hint(err, "%s",
               why ? r->options->state_fix : "set BAWN_HOME to a directory you can write");
    return -ENOENT;
}

/* Holds N missing names of the directory DIR. */
static int hold_in(struct run *r, const char *dir, struct journal_name *names, size_t n,
                   struct error *err)
{
    _cleanup_fd_ int fd = path_openat2(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0,
                                       UAPI_RESOLVE_NO_SYMLINKS | UAPI_RESOLVE_NO_MAGICLINKS);
    if (fd < 0)
        return error_errno(err, fd, "cannot open %s to hold %s", show(dir), show(names[0].name));
    return journal_hold_all(r->l.journal, fd, dir, names, n, err);
}

#define HOLD_AT_ONCE 64u

/* The plan's mounts are in order of their paths, so the names of a directory follow each other but
 * for what is mounted between them. */
static int hold_placeholders(struct run *r, struct error *err)
{
    const struct plan *plan = r->l.plan;
    struct journal_name names[HOLD_AT_ONCE];
    char dir[PATH_MAX] = "";
    size_t n = 0;
    int e = 0;
    for (size_t i = 0; e == 0 && i < plan->n_mounts; i++) {
        const struct plan_mount *m = &plan->mounts[i];
        if (m->op != MOUNT_MISSING)
            continue;
        const char *name = path_base(m->path);
        size_t len = (size_t)(name - m->path);
        if (len >= sizeof(dir))
            return error_set(err, -ENAMETOOLONG, "%s: name too long", show(m->path));
        len = len > 1 ? len - 1 : 1;
        bool same = strncmp(dir, m->path, len) == 0 && dir[len] == '\0';
        e = open_journal(r, m->path, err);
        if (e == 0 && n && (!same || n == HOLD_AT_ONCE)) {
            e = hold_in(r, dir, names, n, err);
            n = 0;
        }
        memcpy(dir, m->path, len);
        dir[len] = '\0';
        names[n++] = (struct journal_name){.name = name};
    }
    return e == 0 && n ? hold_in(r, dir, names, n, err) : e;
}

/* ---- messages ---- */

static void status_line(struct run *r, struct strbuf *line)
{
    strbuf_putc(line, '\n');
    if (r->options->status_fd >= 0 && !strbuf_failed(line))
        (void)fd_write_all(r->options->status_fd, line->p, line->n);
}

static void status_started(struct run *r)
{
    if (r->options->status_fd < 0)
        return;
    _cleanup_strbuf_ struct strbuf b = {0};
    struct json j;
    json_begin(&j, &b);
    json_object(&j);
    json_kv_string(&j, "event", "started");
    json_kv_int(&j, "pid", r->command);
    json_end_object(&j);
    status_line(r, &b);
}

static void report_started(struct run_report *report)
{
    if (!report)
        return;
    report->started_ns = clock_unix_ns();
    if (report->started)
        report->started(report->data);
}

static void status_exited(struct run *r)
{
    if (r->options->status_fd < 0)
        return;
    _cleanup_strbuf_ struct strbuf b = {0};
    struct json j;
    json_begin(&j, &b);
    json_object(&j);
    json_kv_string(&j, "event", "exited");
    json_kv_int(&j, "status", r->status);
    json_key(&j, "signal");
    if (r->signal)
        json_int(&j, r->signal);
    else
        json_null(&j);
    json_kv_int(&j, "wall_ms", clock_ms() - r->started_ms);
    json_kv_int(&j, "max_rss_kib", (int64_t)r->maxrss_kib);
    json_end_object(&j);
    status_line(r, &b);
}

static void report_ended(const struct run *r)
{
    struct run_report *report = r->options->report;
    if (!report)
        return;
    report->ended_ns = clock_unix_ns();
    report->status = r->status;
    report->signal = r->signal;
}

/* CODE is as waitpid() has it. */
static void set_end(struct run *r, int code)
{
    if (WIFSIGNALED(code)) {
        r->signal = WTERMSIG(code);
        r->status = 128 + r->signal;
    } else {
        r->status = WEXITSTATUS(code);
    }
}

static void tell_init(struct run *r, int kind, int code)
{
    struct message m = {.kind = kind, .code = code};
    (void)fd_send(r->l.control[0], &m, sizeof(m), NULL, 0);
}

static void kill_all(struct run *r)
{
    r->killed = true;
    tell_init(r, MESSAGE_KILL, 0);
    if (r->l.plan->backend != BACKEND_LANDLOCK && r->l.plan->backend != BACKEND_EXTERNAL)
        (void)sys_pidfd_send_signal(r->pidfd, SIGKILL);
}

/* What came along with messages: descriptors, -1 where there is none. */
struct arrived {
    int diag, pty, listener;
    struct net_listener net[NET_LISTENERS_MAX];
    size_t n_net;
};
#define NOTHING_ARRIVED                                                                            \
    {                                                                                              \
        .diag = -1, .pty = -1, .listener = -1                                                      \
    }

static void arrived_release(struct arrived *a)
{
    fd_close(a->diag);
    fd_close(a->pty);
    fd_close(a->listener);
    for (size_t i = 0; i < a->n_net; i++)
        fd_close(a->net[i].fd);
    *a = (struct arrived)NOTHING_ARRIVED;
}
#define _cleanup_arrived_ _cleanup_(arrived_release)

/* Receives one message with its descriptors, in the order the `has` bits name them. */
static int receive(struct run *r, struct message *m, struct arrived *a, pid_t *ret_sender)
{
    static const unsigned bits[3] = {MESSAGE_HAS_DIAG, MESSAGE_HAS_PTY, MESSAGE_HAS_LISTENER};
    int fds[NET_LISTENERS_MAX], *to[3] = {&a->diag, &a->pty, &a->listener};
    size_t nfds = 0, used = 0;
    ssize_t n = fd_recv(r->l.control[0], m, sizeof(*m), fds, ARRAY_LEN(fds), &nfds, ret_sender);
    /* Init went without reading all it was sent: the socket says so once, before what it had said.
     */
    if (n == -ECONNRESET)
        n = fd_recv(r->l.control[0], m, sizeof(*m), fds, ARRAY_LEN(fds), &nfds, ret_sender);
    if (n != sizeof(*m)) {
        for (size_t i = 0; n > 0 && i < nfds; i++)
            fd_close(fds[i]);
        return n < 0 ? (int)n : -ECONNRESET;
    }
    m->text[sizeof(m->text) - 1] = '\0';
    bool wants = m->kind == MESSAGE_READY || m->kind == MESSAGE_STARTED;
    for (size_t i = 0; i < 3; i++)
        if (wants && (m->has & bits[i]) && used < nfds) {
            fd_close(*to[i]);
            *to[i] = fds[used++];
        }
    if (m->kind == MESSAGE_LISTENERS && a->n_net == 0)
        for (; used < nfds; used++)
            a->net[a->n_net++] =
                (struct net_listener){.kind = (uint8_t)m->text[used], .fd = fds[used]};
    while (used < nfds)
        fd_close(fds[used++]);
    return 0;
}

static int exec_failure(struct run *r, const struct message *m)
{
    (void)r;
    int status = m->code == -ENOENT || m->code == -ENOTDIR ? 127 : 126;
    const char *why = m->code == -ENOENT || m->code == -ENOTDIR ? "command not found"
                      : m->code == -EACCES                      ? "not executable in the sandbox"
                      : m->code == -ENOEXEC ? "not a program, or its interpreter is missing"
                                            : strerror(-m->code);
    char line[1024];
    int n = snprintf(line, sizeof(line), "bawn: %s: %s\n", m->text, why);
    if (n > 0)
        (void)fd_write_all(2, line, MIN_OF((size_t)n, sizeof(line) - 1));
    return status;
}

/* The command was stopped by SIG, and the caller's shell sees bawn: it stops in the same way, by
 * itself alone, as the command would. Only ^Z is for the whole job, and would have been sent to it
 * by the terminal that bawn has made raw. Where stopping comes to nothing (a process group that
 * nobody could continue), the command goes on too. */
static void stop(struct run *r, int sig)
{
    bool job = r->terminal && sig == SIGTSTP && terminal_stop_typed(r->terminal);
    r->stop_asked = false;
    if (r->terminal)
        terminal_suspend(r->terminal);
    if (sig != SIGTSTP && sig != SIGTTIN && sig != SIGTTOU) {
        (void)kill(getpid(), SIGSTOP);
    } else {
        sigset_t one;
        sigemptyset(&one);
        sigaddset(&one, sig);
        (void)kill(job ? 0 : getpid(), sig);
        (void)sigprocmask(SIG_UNBLOCK, &one, NULL); /* here it stops */
        (void)sigprocmask(SIG_BLOCK, &one, NULL);
    }
    if (r->terminal)
        terminal_resume(r->terminal);
    tell_init(r, MESSAGE_SIGNAL, SIGCONT);
}

static void handle_message(struct run *r, const struct message *m)
{
    switch (m->kind) {
    case MESSAGE_EXEC_FAILED:
        r->status = exec_failure(r, m);
        r->ended = true;
        break;
    case MESSAGE_FAILED: /* too late to be called set-up, but the same to the user */
        r->status = 125;
        r->ended = true;
        break;
    case MESSAGE_STOPPED:
        if (r->terminal || r->stop_asked)
            stop(r, m->code);
        break;
    case MESSAGE_EXITED:
        if (r->ended)
            break;
        r->ended = true;
        r->maxrss_kib = m->maxrss_kib;
        r->alone = m->alone;
        /* A shell that gave us its own stdin goes on reading where the command stopped. */
        if (m->input_at >= 0 && lseek(0, 0, SEEK_CUR) >= 0)
            (void)lseek(0, (off_t)m->input_at, SEEK_SET);
        set_end(r, m->code);
        break;
    default:
        break;
    }
}

/* ---- set-up: until the command is about to exec ---- */

/* The sandbox's listening sockets go to whoever filters, all of them; then the command may start.
 */
static int filter(struct run *r, struct arrived *a, struct error *err)
{
    const struct run_network *n = r->options->network;
    size_t count = a->n_net;
    if (r->l.plan->network != NETWORK_FILTERED || r->filtered || count == 0)
        return error_set(err, -EPROTO, "the sandbox sent sockets that nobody asked for");
    a->n_net = 0; /* the callee closes them */
    int e = n->listening(n->data, a->net, count, err);
    if (e < 0)
        return e;
    r->filtered = true;
    tell_init(r, MESSAGE_FILTERED, 0);
    return 0;
}

static int wait_started(struct run *r, struct error *err)
{
    _cleanup_arrived_ struct arrived a = NOTHING_ARRIVED;
    for (;;) {
        struct message m;
        pid_t sender = 0;
        int e = receive(r, &m, &a, &sender);
        if (e < 0 && r->l.plan->backend == BACKEND_BWRAP && bwrap_said(&r->l, err) < 0)
            return e;
        if (e < 0) {
            error_set(err, e, "the sandbox ended before the command could start");
            error_hint(err, "`bawn doctor` tries each part by itself");
            return e;
        }
        if (m.kind == MESSAGE_FAILED)
            return error_set(err, m.code < 0 ? m.code : -EIO, "%s", m.text);
        if (m.kind == MESSAGE_NOTE && !r->options->quiet) {
            char line[600];
            int n = snprintf(line, sizeof(line), "bawn: warning: %s\n", m.text);
            (void)fd_write_all(2, line, MIN_OF((size_t)n, sizeof(line) - 1));
        }
        if (m.kind == MESSAGE_READY && r->l.plan->backend == BACKEND_BWRAP && sender != r->init) {
            int pidfd = sys_pidfd_open(sender);
            if (pidfd >= 0) { /* else it has ended already, and why is in the next message */
                fd_close(r->pidfd);
                r->pidfd = pidfd;
                r->init = sender;
            }
        }
        if (m.kind == MESSAGE_LISTENERS && (e = filter(r, &a, err)) < 0)
            return e;
        if (m.kind != MESSAGE_STARTED)
            continue;
        r->command = sender;
        break;
    }
    if (r->l.plan->network == NETWORK_FILTERED && !r->filtered)
        return error_set(err, -EPROTO, "the command would start before the network is filtered");
    if (a.listener >= 0 || r->options->log_denials) {
        int e =
            supervisor_new(&r->l, steal_fd(&a.listener), steal_fd(&a.diag), &r->supervisor, err);
        if (e < 0)
            return e;
    }
    if (a.pty >= 0) {
        int e = terminal_start(0, steal_fd(&a.pty), &r->terminal, err);
        if (e < 0)
            return e;
    }
    return 0;
}

/* ---- running ---- */

static void forward(struct run *r, int sig)
{
    switch (sig) {
    case SIGWINCH:
        if (r->terminal)
            terminal_resize(r->terminal);
        else
            tell_init(r, MESSAGE_SIGNAL, sig);
        return;
    case SIGCHLD:
        return;
    case SIGCONT:
        if (r->terminal)
            terminal_resume(r->terminal);
        tell_init(r, MESSAGE_SIGNAL, SIGCONT);
        return;
    case SIGTSTP:
        r->stop_asked = true; /* whether it stops is the command's to say: MESSAGE_STOPPED */
        tell_init(r, MESSAGE_SIGNAL, SIGTSTP);
        return;
    case SIGINT:
        if (++r->interrupts > 1) {
            kill_all(r);
            r->signal = SIGINT;
            return;
        }
        break;
    case SIGTERM:
    case SIGHUP:
        if (!r->kill_deadline_ms)
            r->kill_deadline_ms = clock_ms() + GRACE_MS;
        r->signal = sig;
        break;
    default:
        break;
    }
    tell_init(r, MESSAGE_SIGNAL, sig);
}

static int timeout_of(const struct run *r)
{
    int64_t least = INT64_MAX, now = clock_ms();
    if (r->wall_deadline_ms)
        least = r->wall_deadline_ms - now;
    if (r->kill_deadline_ms)
        least = MIN_OF(least, r->kill_deadline_ms - now);
    int s = r->supervisor ? supervisor_timeout(r->supervisor) : -1;
    if (s >= 0)
        least = MIN_OF(least, (int64_t)s);
    int t = r->terminal ? terminal_timeout(r->terminal) : -1;
    if (t >= 0)
        least = MIN_OF(least, (int64_t)t);
    return least == INT64_MAX ? -1 : least < 0 ? 0 : (int)MIN_OF(least, (int64_t)60000);
}

static void deadlines(struct run *r)
{
    int64_t now = clock_ms();
    if (r->wall_deadline_ms && now >= r->wall_deadline_ms) {
        r->wall_deadline_ms = 0;
        r->timed_out = true;
        tell_init(r, MESSAGE_SIGNAL, SIGTERM);
        r->kill_deadline_ms = now + 1000;
    }
    if (r->kill_deadline_ms && now >= r->kill_deadline_ms) {
        r->kill_deadline_ms = 0;
        kill_all(r);
    }
}

static void serve(struct run *r)
{
    enum { SIGNALS, CONTROL, PID, LISTENER, PROXY, TERMINAL };
    struct run_network *network = r->options->network;
    struct pollfd p[TERMINAL + 3] = {
        {.fd = r->sigfd, .events = POLLIN},
        {.fd = r->l.control[0], .events = POLLIN},
        {.fd = r->pidfd, .events = POLLIN},
        {.fd = r->supervisor ? supervisor_fd(r->supervisor) : -1, .events = POLLIN},
        {.fd = network ? network->fd : -1, .events = POLLIN}};
    int nterm = r->terminal ? terminal_poll(r->terminal, p + TERMINAL) : 0;
    if (poll(p, (nfds_t)(TERMINAL + nterm), timeout_of(r)) < 0 && errno != EINTR) {
        kill_all(r);
        return;
    }
    deadlines(r);
    if (p[LISTENER].revents && !supervisor_serve(r->supervisor)) {
        /* The last process under the filter is gone; the exit message follows. */
    }
    if (r->supervisor)
        supervisor_retry(r->supervisor);
    if (network && p[PROXY].revents) {
        const struct plan_net *net = &r->l.plan->net;
        network->inside =
            (struct asker_place){.diag = r->supervisor ? supervisor_diag(r->supervisor) : -1,
                                 .init = r->init ? r->init : r->pid,
                                 .proxies = {net->http_port, net->socks ? net->socks_port : 0}};
        network->readable(network->data);
        network->inside = (struct asker_place){.diag = -1};
    }
    if (nterm > 0)
        terminal_serve(r->terminal, p + TERMINAL, nterm);
    if (p[SIGNALS].revents) {
        struct signalfd_siginfo info;
        if (read(r->sigfd, &info, sizeof(info)) == sizeof(info))
            forward(r, (int)info.ssi_signo);
    }
    if (p[CONTROL].revents) {
        struct message m;
        _cleanup_arrived_ struct arrived nothing = NOTHING_ARRIVED;
        if (receive(r, &m, &nothing, NULL) == 0)
            handle_message(r, &m);
        else if (!r->ended)
            p[PID].revents |= POLLIN;
    }
    if (p[PID].revents && !r->ended) {
        /* Init is gone without a word: killed, by us or by somebody else. A last message may wait.
         */
        struct message m;
        _cleanup_arrived_ struct arrived nothing = NOTHING_ARRIVED;
        (void)fd_set_nonblock(r->l.control[0], true);
        while (!r->ended && receive(r, &m, &nothing, NULL) == 0)
            handle_message(r, &m);
        if (!r->ended) {
            r->ended = true;
            if (!r->signal)
                r->signal = SIGKILL;
            r->status = 128 + r->signal;
        }
    }
}

/* ---- the whole ---- */

static void block_signals(struct run *r, sigset_t *ret_watched)
{
    static const int watched[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT, SIGWINCH, SIGTSTP,
                                  SIGCONT, SIGUSR1, SIGUSR2, SIGALRM, SIGCHLD};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LEN(watched); i++)
        sigaddset(&set, watched[i]);
    *ret_watched = set;
    sigaddset(&set, SIGPIPE);
    sigaddset(&set, SIGTTOU);
    sigaddset(&set, SIGTTIN);
    (void)sigprocmask(SIG_BLOCK, &set, &r->l.old_mask);
}

static void finish(struct run *r)
{
    if (r->terminal)
        terminal_finish(r->terminal);
    r->terminal = NULL;
    /* End of file on `control` ends init, and with it whatever the command left running. */
    fd_close(r->l.control[0]);
    r->l.control[0] = -1;
    fd_close(r->l.work[0]);
    r->l.work[0] = -1;
    /* A placeholder goes only when nothing is left that could take its name; else after the wait.
     */
    if (r->l.journal && r->alone)
        journal_close(steal_ptr(&r->l.journal));
    if (r->pid > 0)
        while (waitpid(r->pid, NULL, __WALL) < 0 && errno == EINTR)
            ;
    fd_close(r->pidfd);
    fd_close(r->sigfd);
    mem_free(steal_ptr(&r->l.listed));
    if (r->l.journal)
        journal_close(r->l.journal);
    if (r->supervisor)
        supervisor_free(r->supervisor);
    (void)sigprocmask(SIG_SETMASK, &r->l.old_mask, NULL);
}

static int start(struct run *r, struct error *err)
{
    const struct plan *plan = r->l.plan;
    int e = 0;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, r->l.control) < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, r->l.work) < 0)
        return error_errno(err, -errno, "cannot make sockets");
    int on = 1;
    (void)setsockopt(r->l.control[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
    switch (plan->backend) {
    case BACKEND_BWRAP:
        e = hold_placeholders(r, err);
        if (e == 0)
            e = bwrap_spawn(&r->l, &r->pid, &r->pidfd, err);
        break;
    case BACKEND_LANDLOCK:
    case BACKEND_EXTERNAL:
        e = landlock_spawn(&r->l, &r->pid, &r->pidfd, err);
        break;
    default:
        /* The placeholders are made while the sandbox's process makes its namespaces. */
        e = bundled_spawn(&r->l, &r->pid, &r->pidfd, err);
        if (e == 0)
            e = hold_placeholders(r, err);
        if (e == 0)
            tell_init(r, MESSAGE_HELD, 0);
        break;
    }
    if (e < 0)
        return e;
    fd_close(r->l.control[1]);
    fd_close(r->l.work[1]);
    r->l.control[1] = r->l.work[1] = -1;
    /* Also a run that makes no placeholder removes what a killed one left. */
    if (!r->l.journal && r->options->state_dir)
        journal_clean(r->options->state_dir);
    return wait_started(r, err);
}

/* ---- nothing is confined ---- */

static void open_started(void *data, pid_t pid)
{
    struct run *r = data;
    r->command = pid;
    status_started(r);
    report_started(r->options->report);
}

/* Somebody wants to hear of it. */
static int run_beside(const struct run_options *options, int *ret_code, int *ret_status)
{
    struct run r = {.options = options, .started_ms = clock_ms()};
    struct open_run o = {.argv = options->argv, .started = open_started, .data = &r};
    if (options->report)
        options->report->begun_ns = clock_unix_ns();
    int e = open_run(&o, ret_code);
    if (e)
        return e;
    set_end(&r, o.wait_status);
    r.maxrss_kib = o.maxrss_kib;
    status_exited(&r);
    report_ended(&r);
    *ret_status = r.status;
    return 0;
}

/* danger-full-access: nothing is confined, so nothing stays in between. */
static int run_directly(const struct run_options *options, int *ret_status, struct error *err)
{
    struct message m = {0};
    if (options->state_dir)
        journal_clean(options->state_dir);
    if (options->status_fd >= 0 || options->report) {
        int e = run_beside(options, &m.code, ret_status);
        if (e <= 0)
            return e < 0 ? error_errno(err, e, "cannot start the command") : 0;
    } else {
        (void)execvp(options->argv[0], options->argv);
        m.code = -errno;
    }
    (void)printable(m.text, sizeof(m.text), options->argv[0], strlen(options->argv[0]));
    *ret_status = exec_failure(NULL, &m);
    return 0;
}

int sandbox_run(const struct plan *plan, const struct run_options *options, int *ret_status,
                struct error *err)
{
    if (plan->steps)
        return steps_run(plan, options, ret_status, err);
    if (plan->network == NETWORK_FILTERED && !options->network)
        return error_set(err, -EINVAL, "the network is to be filtered, and there is no filter");
    for (int fd = 0; fd < 3; fd++) {
        int e = check_descriptor(plan, fd, err);
        if (e < 0)
            return e;
    }
    for (size_t i = 0; i < options->n_pass_fds; i++) {
        int e = check_descriptor(plan, options->pass_fds[i], err);
        if (e < 0)
            return e;
    }
    if (plan->config->limits.processes && geteuid() == 0 && !plan->profile->full_access) {
        error_set(err, -EPERM, "limits.processes does not hold for root: the kernel exempts it");
        error_hint(err, "run as an ordinary user, or leave the limit out");
        return -EPERM;
    }
    if (plan->profile->full_access)
        return run_directly(options, ret_status, err);

    struct run r = {.l = {.plan = plan,
                          .options = options,
                          .control = {-1, -1},
                          .work = {-1, -1},
                          .self_fd = -1,
                          .want_pty = isatty(0) == 1},
                    .options = options,
                    .pidfd = -1,
                    .sigfd = -1};
    r.l.umask = umask(022);
    umask(r.l.umask);
    if (getrlimit(RLIMIT_NOFILE, &r.l.nofile) < 0)
        return error_errno(err, -errno, "cannot read the limit of open files");
    sigset_t watched;
    block_signals(&r, &watched);
    r.started_ms = clock_ms();
    if (options->report)
        options->report->begun_ns = clock_unix_ns();
    int e = watch_pin_listed(&r.l);
    e = e < 0 ? error_set(err, e, "out of memory") : start(&r, err);
    if (e == 0) {
        r.sigfd = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
        if (r.sigfd < 0)
            e = error_errno(err, -errno, "cannot watch signals");
    }
    if (e < 0) {
        /* Before there is an init, bwrap's guard is told to end all that it started. */
        if (r.pidfd >= 0)
            (void)sys_pidfd_send_signal(
                r.pidfd, plan->backend == BACKEND_BWRAP && !r.init ? SIGTERM : SIGKILL);
        fd_close(r.l.control[1]);
        fd_close(r.l.work[1]);
        finish(&r);
        return e;
    }
    status_started(&r);
    report_started(options->report);
    if (plan->config->limits.wall_seconds > 0)
        r.wall_deadline_ms = r.started_ms + (int64_t)(plan->config->limits.wall_seconds * 1000);
    while (!r.ended)
        serve(&r);
    if (r.timed_out)
        r.status = 124;
    struct supervisor *s = r.supervisor;
    r.supervisor = NULL;
    int status = r.status;
    status_exited(&r);
    report_ended(&r);
    finish(&r);
    struct run_network *net = options->network;
    struct denials *refused = net && net->ended ? net->ended(net->data) : NULL;
    if (s && refused)
        net->taken = supervisor_take(s, refused);
    if (s) {
        const char *limit = r.timed_out           ? "wall_seconds"
                            : r.signal == SIGXCPU ? "cpu_seconds"
                            : r.signal == SIGXFSZ ? "file_size"
                                                  : NULL;
        if (limit)
            supervisor_limit(s, limit);
        supervisor_report(s, status);
        supervisor_free(s);
    }
    *ret_status = status;
    return 0;
}

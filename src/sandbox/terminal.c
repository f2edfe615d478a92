/*
 * The relay between two terminals. See terminal.h.
 *
 * Two flows, each with a fixed buffer: what the person types (tty -> master) and what the command
 * writes (master -> tty). A side is polled for reading only while its flow has room, for writing
 * only while its flow holds something, and a side that is gone is not polled at all: poll() reports
 * a hang-up whether it was asked to or not, so a closed descriptor in the set would make the caller
 * spin. Nothing here blocks before terminal_finish().
 *
 * The person's terminal is one open file that the shell and others share, and O_NONBLOCK belongs to
 * the open file: setting it there would break them. So the terminal is opened anew. Where that is
 * not allowed (it belongs to somebody else, after su) the shared one is used in blocking mode:
 * reads are safe after poll(), writes are small and may at worst wait for the terminal.
 *
 * Raw or cooked is kept in one static place, `held`, and nowhere else, because terminal_restore()
 * runs in signal handlers: `held.raw` is set before the terminal is touched and cleared after it
 * was put back, so an interruption at any point restores once too often rather than once too
 * seldom.
 *
 * Job control: only the foreground process group may read the terminal or has a claim on its
 * settings. SIGTTOU is blocked around every call that could raise it.
 *
 * Trust: the bytes are nobody's business. The person's terminal interprets what the command writes,
 * as it would without a sandbox.
 */
#include "sandbox/terminal.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define FLOW_BYTES      (32u * 1024) /* more would only delay ^C behind output that nobody reads */
#define BLOCKING_CHUNK  128u         /* one write to a terminal that we could not open anew */
#define RECHECK_MS      200          /* see terminal_timeout() */
#define FINISH_GRACE_MS 20 /* the last bytes of a command whose terminal somebody else holds */

struct flow {
    size_t at, n; /* N bytes from AT on */
    char bytes[FLOW_BYTES];
};

struct terminal {
    int tty, master; /* -1 once gone */
    bool blocking;   /* tty is the shared open file */
    bool suspended;  /* the command is stopped, the person has the terminal */
    bool slave_gone; /* nobody holds the command's side open at the moment */
    bool stop_typed; /* see terminal_stop_typed() */
    struct winsize size;
    struct flow typed, written;
};

/* What terminal_restore() needs. One a process. */
static struct {
    volatile sig_atomic_t raw;
    pid_t owner; /* a forked child that inherits the signal handlers restores nothing */
    int tty;
    struct termios cooked, set; /* as found, and as we made it last */
    bool taken;
} held;

/* The terminal that is relayed, and whether it was given back for a question. */
static struct terminal *relayed;
static bool paused;

/* ---- the person's terminal: raw and cooked ---- */

static void set_without_stop(int fd, const struct termios *settings)
{
    sigset_t ttou, before;
    (void)sigemptyset(&ttou);
    (void)sigaddset(&ttou, SIGTTOU);
    (void)sigprocmask(SIG_BLOCK, &ttou, &before);
    /* TCSANOW: waiting for output to drain could wait for a terminal stopped with ^S. */
    while (tcsetattr(fd, TCSANOW, settings) < 0 && errno == EINTR)
        ;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
}

/* A terminal that is not our controlling one has no job control over us: then we are in front. */
static bool in_front(int tty)
{
    pid_t front = tcgetpgrp(tty);
    return front < 0 ? errno == ENOTTY : front == getpgrp();
}

/* In the background (after SIGSTOP, say) the settings are somebody else's as soon as they are no
 * longer ours. */
static bool is_as_set(void)
{
    struct termios now;
    return tcgetattr(held.tty, &now) == 0 && now.c_iflag == held.set.c_iflag &&
           now.c_oflag == held.set.c_oflag && now.c_lflag == held.set.c_lflag &&
           memcmp(now.c_cc, held.set.c_cc, sizeof(now.c_cc)) == 0;
}

void terminal_restore(void)
{
    if (!held.raw || getpid() != held.owner)
        return;
    int saved = errno;
    if (in_front(held.tty) || is_as_set())
        set_without_stop(held.tty, &held.cooked);
    held.raw = 0;
    errno = saved;
}

static struct termios raw_settings(const struct termios *cooked)
{
    struct termios raw = *cooked;
    raw.c_iflag &=
        ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON | IXOFF);
    raw.c_oflag &= ~(tcflag_t)OPOST;
    raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN | TOSTOP);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    return raw;
}

/* Cooked to raw, or raw anew when somebody (a shell after SIGSTOP) put other settings in between.
 */
static int take(struct terminal *t)
{
    struct termios now;
    if (!held.raw) {
        if (tcgetattr(t->tty, &now) < 0)
            return -errno;
        held.cooked = now;
        held.tty = t->tty;
        held.owner = getpid();
        atomic_signal_fence(memory_order_seq_cst);
        held.raw = 1;
    }
    held.set = raw_settings(&held.cooked);
    set_without_stop(t->tty, &held.set);
    return 0;
}

/* ---- start ---- */

/* The same terminal, opened anew; or a duplicate, and *RET_BLOCKING. */
static int open_anew(int tty, bool *ret_blocking)
{
    const int flags = O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK;
    unsigned want = 0, got = 0;
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", tty);
    const char *const ways[] = {path, "/dev/tty"};
    bool known = ioctl(tty, TIOCGDEV, &want) == 0;
    for (size_t i = 0; known && i < ARRAY_LEN(ways); i++) {
        int fd = open(ways[i], flags);
        if (fd < 0)
            continue;
        if (isatty(fd) && ioctl(fd, TIOCGDEV, &got) == 0 && got == want) {
            *ret_blocking = false;
            return fd;
        }
        fd_close(fd);
    }
    int fd = fcntl(tty, F_DUPFD_CLOEXEC, 3);
    *ret_blocking = true;
    return fd < 0 ? -errno : fd;
}

static void copy_size(struct terminal *t)
{
    struct winsize size;
    if (t->tty < 0 || t->master < 0 || ioctl(t->tty, TIOCGWINSZ, &size) < 0)
        return;
    if (ioctl(t->master, TIOCSWINSZ, &size) == 0)
        t->size = size;
}

int terminal_start(int tty, int master_fd, struct terminal **ret, struct error *err)
{
    _cleanup_fd_ int master = master_fd;
    if (held.taken)
        return error_set(err, -EBUSY, "a terminal is relayed already");
    struct termios settings;
    if (tcgetattr(tty, &settings) < 0)
        return error_errno(err, -errno, "cannot read the terminal's settings");
    _cleanup_free_ struct terminal *t = mem_zalloc(1, sizeof(*t));
    if (!t)
        return error_errno(err, -ENOMEM, "cannot relay the terminal");
    /* In the background these are the shell's own, for editing its command line. */
    if (!in_front(tty)) {
        settings.c_iflag |= ICRNL | IXON;
        settings.c_oflag |= OPOST | ONLCR;
        settings.c_lflag |= ICANON | ECHO | ECHOE | ECHOK | ISIG | IEXTEN;
    }
    /* On a master these are the settings of its slave. */
    if (tcsetattr(master, TCSANOW, &settings) < 0)
        return error_errno(err, -errno, "cannot set up the command's terminal");
    int r = fd_set_nonblock(master, true);
    if (r < 0)
        return error_errno(err, r, "cannot set up the command's terminal");
    t->tty = open_anew(tty, &t->blocking);
    if (t->tty < 0)
        return error_errno(err, t->tty, "cannot open the terminal");
    t->master = master;
    copy_size(t);
    if (in_front(t->tty) && (r = take(t)) < 0) {
        fd_close(t->tty);
        return error_errno(err, r, "cannot read the terminal's settings");
    }
    held.taken = true;
    (void)steal_fd(&master); /* t's now */
    relayed = t;
    paused = false;
    *ret = steal_ptr(&t);
    return 0;
}

/* ---- moving bytes ---- */

static bool has_room(const struct flow *f)
{
    return f->n < FLOW_BYTES;
}

/* Reads once into F. Returns read()'s answer, or a negative errno. */
static ssize_t fill(struct flow *f, int fd)
{
    if (f->n == 0)
        f->at = 0;
    if (f->at + f->n == FLOW_BYTES) {
        memmove(f->bytes, f->bytes + f->at, f->n);
        f->at = 0;
    }
    ssize_t r = read(fd, f->bytes + f->at + f->n, FLOW_BYTES - f->at - f->n);
    if (r < 0)
        return -errno;
    f->n += (size_t)r;
    return r;
}

/* Writes once from F, at most MOST bytes. Returns write()'s answer, or a negative errno. */
static ssize_t spill(struct flow *f, int fd, size_t most)
{
    ssize_t w = write(fd, f->bytes + f->at, MIN_OF(f->n, most));
    if (w < 0)
        return -errno;
    f->at += (size_t)w;
    f->n -= (size_t)w;
    return w;
}

static bool is_transient(ssize_t r)
{
    return r == -EAGAIN || r == -EINTR;
}

/* The person's terminal is gone: the command's goes too, as it would without us in between. */
static void hang_up(struct terminal *t)
{
    held.raw = 0; /* nothing left to restore, and its number may be reused */
    held.owner = 0;
    fd_close(t->tty);
    fd_close(t->master);
    t->tty = t->master = -1;
    t->typed.n = t->written.n = 0;
}

static void write_tty(struct terminal *t)
{
    if (t->tty < 0 || t->written.n == 0)
        return;
    sigset_t ttou, before;
    if (!held.raw) { /* in the background, and the terminal may have TOSTOP set */
        (void)sigemptyset(&ttou);
        (void)sigaddset(&ttou, SIGTTOU);
        (void)sigprocmask(SIG_BLOCK, &ttou, &before);
    }
    ssize_t w = spill(&t->written, t->tty, t->blocking ? BLOCKING_CHUNK : FLOW_BYTES);
    if (!held.raw)
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
    if (w < 0 && !is_transient(w))
        hang_up(t);
}

static void write_master(struct terminal *t)
{
    if (t->master < 0 || t->typed.n == 0)
        return;
    ssize_t w = spill(&t->typed, t->master, FLOW_BYTES);
    if (w < 0 && !is_transient(w))
        t->slave_gone = true;
}

/* End of file or EIO on the person's terminal: is it gone, or is it only not ours to read? */
static bool tty_is_gone(int tty)
{
    struct pollfd fd = {.fd = tty};
    return poll(&fd, 1, 0) > 0 && (fd.revents & (POLLHUP | POLLERR | POLLNVAL));
}

/* Is the last of the N bytes just read the one that stops a job on the command's terminal? Whether
 * that terminal makes a signal of it or the command does is the same to the job. */
static void note_stop_key(struct terminal *t, size_t n)
{
    struct termios theirs;
    const char *last = t->typed.bytes + t->typed.at + t->typed.n - 1;
    t->stop_typed = n > 0 && t->master >= 0 && tcgetattr(t->master, &theirs) == 0 &&
                    theirs.c_cc[VSUSP] != 0 && (cc_t)*last == theirs.c_cc[VSUSP];
}

static void read_tty(struct terminal *t)
{
    /* Losing the foreground unasked (somebody else's tcsetpgrp): the terminal and its settings are
     * theirs now. */
    if (!in_front(t->tty)) {
        if (tty_is_gone(t->tty))
            hang_up(t);
        held.raw = 0;
        return;
    }
    ssize_t r = fill(&t->typed, t->tty);
    if (r > 0)
        note_stop_key(t, (size_t)r);
    if (r > 0 || is_transient(r))
        return;
    if (tty_is_gone(t->tty))
        hang_up(t);
    else if (r == 0) /* cooked again behind our back, and ^D typed: pass on what was typed */
        t->typed.bytes[t->typed.at + t->typed.n++] = (char)held.cooked.c_cc[VEOF];
}

/* The kernel keeps what was written before the last close readable; only then comes EIO. */
static void read_master(struct terminal *t)
{
    ssize_t r = fill(&t->written, t->master);
    if (r > 0)
        t->slave_gone = false;
    else if (r == 0 || !is_transient(r))
        t->slave_gone = true;
}

/* Is the command's side closed by everybody (and read to its end)? It may be opened again. */
static bool slave_still_gone(const struct terminal *t)
{
    struct pollfd fd = {.fd = t->master, .events = POLLIN};
    return poll(&fd, 1, 0) < 0 || ((fd.revents & POLLHUP) && !(fd.revents & POLLIN));
}

int terminal_timeout(struct terminal *t)
{
    if (t->tty < 0 || t->suspended)
        return -1;
    if (!held.raw && in_front(t->tty))
        terminal_resume(t); /* `fg` of a job that was never stopped sends no SIGCONT */
    if (t->slave_gone && t->master >= 0)
        t->slave_gone = slave_still_gone(t);
    return held.raw && !t->slave_gone ? -1 : RECHECK_MS;
}

int terminal_poll(struct terminal *t, struct pollfd fds[3])
{
    int n = 0;
    if (t->tty < 0)
        return 0;
    short tty = 0, master = 0;
    if (held.raw && !t->suspended && !t->slave_gone && has_room(&t->typed))
        tty |= POLLIN;
    if (t->written.n)
        tty |= POLLOUT;
    if (!t->slave_gone && has_room(&t->written))
        master |= POLLIN;
    if (!t->slave_gone && t->typed.n)
        master |= POLLOUT;
    fds[n++] = (struct pollfd){.fd = t->tty, .events = tty}; /* with no events: for its hang-up */
    if (master)
        fds[n++] = (struct pollfd){.fd = t->master, .events = master};
    return n;
}

void terminal_serve(struct terminal *t, const struct pollfd fds[3], int n)
{
    for (int i = 0; i < n && t->tty >= 0; i++) {
        short got = fds[i].revents;
        if (fds[i].fd == t->tty) {
            if (got & (POLLHUP | POLLERR | POLLNVAL)) {
                hang_up(t);
                return;
            }
            if (got & POLLOUT)
                write_tty(t);
            if (t->tty >= 0 && (got & POLLIN)) {
                read_tty(t);
                write_master(t); /* most often there is room: saves a turn of the loop */
            }
        } else if (fds[i].fd == t->master) {
            if (got & POLLOUT)
                write_master(t);
            if (has_room(&t->written) && (got & (POLLIN | POLLHUP | POLLERR))) {
                read_master(t);
                if (!t->blocking)
                    write_tty(t);
            } else if (got & POLLHUP) {
                /* Asked for POLLOUT alone, the flow back being full: nobody will read what was
                 * typed, but what the command wrote is still to be fetched. */
                t->typed.n = 0;
            }
        }
    }
}

void terminal_resize(struct terminal *t)
{
    copy_size(t);
}

/* ---- giving the terminal back ---- */

/* A caller that takes its signals from a signalfd does not see them while it is in here. */
static bool end_is_pending(void)
{
    static const int ends[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    sigset_t pending;
    if (sigpending(&pending) < 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (sigismember(&pending, ends[i]) == 1)
            return true;
    return false;
}

/* Writes what is buffered, waiting at most MS for the terminal to take each piece, or (-1) until a
 * signal asks us to end. */
static void flush_tty(struct terminal *t, int ms)
{
    const bool was_raw = held.raw;
    while (t->tty >= 0 && t->written.n) {
        struct pollfd fd = {.fd = t->tty, .events = POLLOUT};
        int r = poll(&fd, 1, ms < 0 ? RECHECK_MS : ms);
        if (r < 0 && errno != EINTR)
            return;
        /* Cooked all at once: a signal handler called terminal_restore(). */
        if (r <= 0 && (ms >= 0 || end_is_pending() || (was_raw && !held.raw)))
            return;
        if (r > 0 && (fd.revents & (POLLHUP | POLLERR | POLLNVAL)))
            hang_up(t);
        else if (r > 0)
            write_tty(t);
    }
}

void terminal_suspend(struct terminal *t)
{
    if (t->suspended || t->tty < 0)
        return;
    /* The command wrote before it stopped: show that before the shell's prompt. */
    if (!t->slave_gone)
        for (int i = 0; i < 64 && has_room(&t->written); i++) {
            size_t before = t->written.n;
            read_master(t);
            if (t->written.n == before)
                break;
        }
    flush_tty(t, FINISH_GRACE_MS);
    t->suspended = true;
    terminal_restore();
}

void terminal_resume(struct terminal *t)
{
    t->suspended = false;
    if (t->tty < 0)
        return;
    copy_size(t);
    if (in_front(t->tty))
        (void)take(t);
}

void terminal_pause(void)
{
    if (!relayed || relayed->suspended)
        return;
    terminal_suspend(relayed);
    paused = relayed->suspended;
}

void terminal_go_on(void)
{
    if (relayed && paused)
        terminal_resume(relayed);
    paused = false;
}

bool terminal_stop_typed(struct terminal *t)
{
    bool typed = t->stop_typed;
    t->stop_typed = false;
    return typed;
}

bool terminal_hung_up(const struct terminal *t)
{
    return t->tty < 0;
}

/* The command is gone, so nobody turns ^C into anything: let the terminal do so while the rest of
 * the output waits for it. */
static void let_signals_through(struct terminal *t)
{
    if (!held.raw || !in_front(t->tty))
        return;
    held.set.c_lflag |= held.cooked.c_lflag & (tcflag_t)ISIG;
    held.set.c_iflag |= held.cooked.c_iflag & (tcflag_t)(IXON | IXOFF);
    set_without_stop(t->tty, &held.set);
}

void terminal_finish(struct terminal *t)
{
    if (!t)
        return;
    if (t->tty >= 0)
        let_signals_through(t);
    t->slave_gone = false;
    for (bool waited = false; t->tty >= 0;) {
        flush_tty(t, -1);
        if (t->tty < 0 || t->written.n || t->slave_gone)
            break; /* gone, told to end, or done */
        read_master(t);
        if (t->written.n || t->slave_gone)
            continue;
        if (waited)
            break;
        struct pollfd fd = {.fd = t->master, .events = POLLIN};
        waited = poll(&fd, 1, FINISH_GRACE_MS) == 0;
    }
    terminal_restore();
    fd_close(t->tty);
    fd_close(t->master);
    held.taken = false;
    relayed = NULL;
    mem_free(t);
}

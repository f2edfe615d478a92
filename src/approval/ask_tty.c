/*
 * The terminal while a question stands. See ask.h.
 *
 * It is opened anew by its name, so that neither the command's descriptors nor their flags matter,
 * and gives single bytes: no echo, no editing, no key that makes a signal.
 *
 * Every signal that would end or stop the process is held back from before the first change until
 * after the last one, and read from a descriptor. There is no handler, and so no moment at which
 * the terminal is changed and a signal could go past: it is put back first, then the signal is let
 * loose and does what it would have done (tty_close). A stop is done in the same way in the middle,
 * and what was changed is changed again after it. SIGKILL and SIGSTOP cannot be held; after the
 * latter, SIGCONT tells.
 *
 * Only the foreground may ask. Behind, a read would stop us, for ever where no shell is there to
 * bring us back: that is told instead (TTY_BEHIND), and SIGTTIN and SIGTTOU, held back like the
 * rest, never stop anybody here.
 *
 * Bytes: one that comes alone is a key. Several at once are no key, since nobody types so; they are
 * pasted, or one key that sends a sequence. Sequences are swallowed whole, also when they arrive in
 * pieces, so that the end of an arrow key is never read as a letter. So are the strings with which
 * a terminal answers a question about itself (its colours, its name): the command can have asked
 * it, and can have chosen what it says.
 *
 * Others may use the same terminal: write to it (Enter draws the question again), or change its
 * settings, which is looked at before every byte that is taken.
 */
#include "approval/ask.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define ESCAPE 0x1b
#define SEQUENCE_MS                                                                                \
    100                  /* how long the rest of a sequence may take; only decides "Escape or not" \
                          */
#define REDRAW_MS    150 /* a window being dragged asks to be drawn again when it comes to rest */
#define MAX_KEY_READ 4096u

/* Held back while the question stands. */
static const struct {
    int number;
    const char *name;
} held_back[] = {
    {SIGINT, "SIGINT"},   {SIGTERM, "SIGTERM"},     {SIGHUP, "SIGHUP"},   {SIGQUIT, "SIGQUIT"},
    {SIGALRM, "SIGALRM"}, {SIGUSR1, "SIGUSR1"},     {SIGUSR2, "SIGUSR2"}, {SIGPIPE, "SIGPIPE"},
    {SIGXCPU, "SIGXCPU"}, {SIGVTALRM, "SIGVTALRM"}, {SIGPROF, "SIGPROF"}, {SIGIO, "SIGIO"},
    {SIGTSTP, NULL},      {SIGCONT, NULL},          {SIGWINCH, NULL},     {SIGTTIN, NULL},
    {SIGTTOU, NULL},
};

/* Where in an escape sequence the bytes stopped. */
enum sequence { OUTSIDE, AFTER_ESCAPE, IN_CSI, IN_SS3, IN_STRING };

struct tty {
    int fd, signals;
    struct termios found, set; /* as it was, as we made it */
    sigset_t before;
    bool changed; /* the terminal has our settings */
    int ending;   /* the signal that is to end us, or 0 */
    unsigned columns;
    uint64_t redraw_at; /* when that was wished; 0: it was not */
    enum sequence sequence;
    char bytes[MAX_KEY_READ];
};

static struct tty only_one; /* a process has one dialogue at a time */

/* A terminal that is not our controlling one has no job control over us. */
static bool in_front(const struct tty *t)
{
    pid_t front = tcgetpgrp(t->fd);
    return front < 0 ? errno == ENOTTY : front == getpgrp();
}

/* Hung up: then there is no front to be in. */
static bool is_gone(const struct tty *t)
{
    struct pollfd p = {.fd = t->fd};
    return poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLERR | POLLNVAL);
}

static bool same_settings(const struct termios *a, const struct termios *b)
{
    return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_lflag == b->c_lflag &&
           memcmp(a->c_cc, b->c_cc, sizeof(a->c_cc)) == 0;
}

static bool as_we_set_it(const struct tty *t)
{
    struct termios now;
    return tcgetattr(t->fd, &now) == 0 && same_settings(&now, &t->set);
}

/* TCSANOW: waiting for output to drain could wait for a terminal stopped with ^S. */
static int apply(const struct tty *t, const struct termios *settings)
{
    while (tcsetattr(t->fd, TCSANOW, settings) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

static struct termios single_keys(const struct termios *found)
{
    struct termios s = *found;
    s.c_iflag &= ~(tcflag_t)(BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON | IXOFF);
    s.c_iflag |= IGNBRK;
    s.c_oflag |= OPOST | ONLCR;
    s.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN | TOSTOP);
    s.c_cc[VMIN] = 1;
    s.c_cc[VTIME] = 0;
    return s;
}

/* Ours from here on; what was typed before does not answer. */
static int take(struct tty *t)
{
    t->changed = true;
    int r = apply(t, &t->set);
    if (r == 0)
        /* What the kernel made of it: settings it does not know are no change by somebody else. */
        (void)tcgetattr(t->fd, &t->set);
    (void)tcflush(t->fd, TCIFLUSH);
    t->sequence = OUTSIDE;
    return r;
}

/* Behind, the settings are somebody else's as soon as they are not ours any more. */
static void give_back(struct tty *t)
{
    if (t->changed && (in_front(t) || as_we_set_it(t)))
        (void)apply(t, &t->found);
    t->changed = false;
}

/* ---- opening ---- */

static int open_terminal(const char *name, struct error *err)
{
    int fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    int r = fd < 0 ? -errno : 0;
    if (r == 0 && !isatty(fd)) {
        fd_close(fd);
        r = -ENXIO;
    }
    if (r == -ENOENT || r == -ENODEV || r == -EIO)
        r = -ENXIO;
    if (r == -ENXIO)
        return error_set(err, r, "there is no terminal to ask on");
    return r < 0 ? error_errno(err, r, "cannot open the terminal %s", show(name)) : fd;
}

static int hold_signals(struct tty *t)
{
    sigset_t set;
    (void)sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LEN(held_back); i++)
        (void)sigaddset(&set, held_back[i].number);
    if (sigprocmask(SIG_BLOCK, &set, &t->before) < 0)
        return -errno;
    t->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (t->signals < 0) {
        int r = -errno;
        (void)sigprocmask(SIG_SETMASK, &t->before, NULL);
        return r;
    }
    return 0;
}

int tty_open(const char *name, struct tty **ret, struct error *err)
{
    struct tty *t = &only_one;
    *t = (struct tty){.fd = -1, .signals = -1};
    int fd = open_terminal(name ? name : "/dev/tty", err);
    if (fd < 0)
        return fd;
    t->fd = fd;
    int r = hold_signals(t);
    if (r < 0) {
        fd_close(fd);
        return error_errno(err, r, "cannot ask on the terminal");
    }
    if (!in_front(t))
        r = -EAGAIN;
    else if (tcgetattr(fd, &t->found) < 0)
        r = -errno;
    if (r == 0) {
        t->set = single_keys(&t->found);
        r = take(t);
    }
    if (r < 0) {
        (void)tty_close(t);
        return error_errno(err, r, "cannot ask on the terminal");
    }
    *ret = t;
    return 0;
}

const char *tty_close(struct tty *t)
{
    const char *name = NULL;
    give_back(t);
    fd_close(t->fd);
    fd_close(t->signals);
    (void)sigprocmask(SIG_SETMASK, &t->before, NULL);
    if (t->ending) {
        for (size_t i = 0; i < ARRAY_LEN(held_back); i++)
            if (held_back[i].number == t->ending)
                name = held_back[i].name;
        (void)raise(t->ending);
    }
    *t = (struct tty){.fd = -1, .signals = -1};
    return name;
}

unsigned tty_columns(struct tty *t)
{
    struct winsize size = {0};
    (void)ioctl(t->fd, TIOCGWINSZ, &size);
    t->columns = size.ws_col;
    return t->columns;
}

/* ---- writing ---- */

void tty_say(struct tty *t, const struct strbuf *text)
{
    for (size_t at = 0; at < text->n;) {
        ssize_t n = write(t->fd, text->p + at, text->n - at);
        if (n > 0) {
            at += (size_t)n;
            continue;
        }
        if (n < 0 && errno == EINTR)
            continue;
        struct pollfd p[] = {{.fd = t->fd, .events = POLLOUT},
                             {.fd = t->signals, .events = POLLIN}};
        if ((n < 0 && errno != EAGAIN) || (poll(p, 2, -1) < 0 && errno != EINTR) ||
            p[0].revents & (POLLHUP | POLLERR) || p[1].revents) {
            t->redraw_at = ask_clock_ms();
            return;
        }
    }
}

/* ---- signals ---- */

/* Stops, as SIGTSTP would have stopped us, and comes back here after SIGCONT. */
static void stop(struct tty *t)
{
    sigset_t one;
    (void)sigemptyset(&one);
    (void)sigaddset(&one, SIGTSTP);
    give_back(t);
    (void)raise(SIGTSTP);
    (void)sigprocmask(SIG_UNBLOCK, &one, NULL);
    (void)sigprocmask(SIG_BLOCK, &one, NULL);
    /* What continued us has done its work; as an event it would throw away what is typed next. */
    const struct timespec now = {0};
    (void)sigemptyset(&one);
    (void)sigaddset(&one, SIGCONT);
    (void)sigtimedwait(&one, NULL, &now);
}

static bool again(struct tty *t, struct tty_event *ret, const char *note)
{
    if (!in_front(t))
        *ret = (struct tty_event){.kind = is_gone(t) ? TTY_GONE : TTY_BEHIND};
    else if (take(t) < 0)
        *ret = (struct tty_event){.kind = TTY_GONE};
    else
        *ret = (struct tty_event){.kind = TTY_REDRAW, .note = note};
    return true;
}

/* The kernel drops ignored signals only while they are not held back. */
static bool ignored(int number)
{
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* True when it makes an event. */
static bool signalled(struct tty *t, struct tty_event *ret)
{
    struct signalfd_siginfo info;
    if (read(t->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return false;
    switch ((int)info.ssi_signo) {
    case SIGTSTP:
        stop(t);
        return again(t, ret, NULL);
    case SIGCONT:
        return again(t, ret, NULL);
    case SIGWINCH: {
        unsigned drawn = t->columns;
        if (tty_columns(t) != drawn || t->redraw_at)
            t->redraw_at = ask_clock_ms();
        return false;
    }
    case SIGTTIN:
    case SIGTTOU:
        return false;
    default:
        if (ignored((int)info.ssi_signo))
            return false;
        t->ending = (int)info.ssi_signo;
        *ret = (struct tty_event){.kind = TTY_SIGNAL};
        return true;
    }
}

/* ---- keys ---- */

/* All that is there, at most what fits; 0: nothing; -1: the terminal is gone. */
static ssize_t read_bytes(struct tty *t, size_t at)
{
    size_t n = at;
    char more[64];
    for (;;) {
        bool full = n == sizeof(t->bytes);
        ssize_t r = full ? read(t->fd, more, sizeof(more))
                         : read(t->fd, t->bytes + n, sizeof(t->bytes) - n);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0 && errno == EAGAIN)
            return (ssize_t)(n - at);
        if (r <= 0)
            return n > at ? (ssize_t)(n - at) : -1;
        if (!full)
            n += (size_t)r;
    }
}

static bool is_char_of(const struct tty *t, unsigned char c, size_t which)
{
    return t->found.c_cc[which] != _POSIX_VDISABLE && c == t->found.c_cc[which];
}

static bool interrupts(const struct tty *t, unsigned char c)
{
    return c == 3 || c == 4 || c == 0x1c || is_char_of(t, c, VINTR) || is_char_of(t, c, VQUIT) ||
           is_char_of(t, c, VEOF);
}

/* ESC and one of these: DCS, SOS, OSC, PM, APC. */
static bool begins_string(unsigned char c)
{
    return c == 'P' || c == 'X' || c == ']' || c == '^' || c == '_';
}

/* Takes escape sequences out of N bytes; returns how many are left. */
static size_t without_sequences(struct tty *t, size_t n)
{
    size_t left = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)t->bytes[i];
        if (c < 0x20 && c != ESCAPE) /* no part of any; so ^C always gets through */
            t->sequence = OUTSIDE;
        switch (t->sequence) {
        case OUTSIDE:
            if (c == ESCAPE)
                t->sequence = AFTER_ESCAPE;
            else
                t->bytes[left++] = (char)c;
            break;
        case AFTER_ESCAPE: /* with a letter: that letter and Alt */
            t->sequence = c == '['           ? IN_CSI
                          : c == 'O'         ? IN_SS3
                          : c == ESCAPE      ? AFTER_ESCAPE
                          : begins_string(c) ? IN_STRING
                                             : OUTSIDE;
            break;
        case IN_CSI:
            if (c == ESCAPE)
                t->sequence = AFTER_ESCAPE;
            else if (c >= 0x40 && c <= 0x7e && c != '[') /* the console's F1 is ESC [ [ A */
                t->sequence = OUTSIDE;
            break;
        case IN_SS3:
            t->sequence = c == ESCAPE ? AFTER_ESCAPE : OUTSIDE;
            break;
        case IN_STRING: /* up to ESC \, or a control character */
            if (c == ESCAPE)
                t->sequence = AFTER_ESCAPE;
            break;
        }
    }
    return left;
}

/* The rest of a sequence that has begun; what is not here in time does not belong to it. */
static size_t wait_for_rest(struct tty *t, size_t n)
{
    struct pollfd p = {.fd = t->fd, .events = POLLIN};
    if (poll(&p, 1, SEQUENCE_MS) <= 0 || !(p.revents & POLLIN))
        return n;
    ssize_t r = read_bytes(t, n);
    return r > 0 ? n + (size_t)r : n;
}

/* Like the key that makes it: the whole job stops, where this is one. */
static void ask_to_stop(const struct tty *t)
{
    (void)kill(tcgetpgrp(t->fd) == getpgrp() ? 0 : getpid(), SIGTSTP);
}

/* N bytes, read in one go, as one event; false when they make none. */
static bool keys(struct tty *t, size_t n, struct tty_event *ret)
{
    bool alone = n == 1 && t->sequence == OUTSIDE;
    if (alone && t->bytes[0] == ESCAPE) {
        n = wait_for_rest(t, n);
        alone = false;
        if (n == 1) {
            *ret = (struct tty_event){.kind = TTY_ESCAPE};
            return true;
        }
    }
    size_t left = without_sequences(t, n);
    if (t->sequence == AFTER_ESCAPE)
        t->sequence = OUTSIDE;
    for (size_t i = 0; i < left; i++)
        if (interrupts(t, (unsigned char)t->bytes[i])) {
            *ret = (struct tty_event){.kind = TTY_INTERRUPT};
            return true;
        }
    unsigned char c = (unsigned char)t->bytes[0];
    if (alone && left && (c == 0x1a || is_char_of(t, c, VSUSP))) {
        ask_to_stop(t);
        return false;
    }
    if (left == 0)
        *ret = (struct tty_event){.kind = TTY_FUNCTION};
    else if (alone)
        *ret = (struct tty_event){.kind = TTY_KEY, .key = c};
    else
        *ret = (struct tty_event){.kind = TTY_TEXT, .text = {t->bytes, left}};
    return true;
}

static bool typed(struct tty *t, short what, struct tty_event *ret)
{
    *ret = (struct tty_event){.kind = TTY_GONE};
    if (what & (POLLHUP | POLLERR | POLLNVAL))
        return true;
    if (!in_front(t) || !as_we_set_it(t))
        return again(t, ret, "(Another program changed the terminal; the question again:)");
    ssize_t n = read_bytes(t, 0);
    if (n < 0) {
        if (!in_front(t) && !is_gone(t))
            ret->kind = TTY_BEHIND;
        return true;
    }
    return n > 0 && keys(t, (size_t)n, ret);
}

static int until_redraw(const struct tty *t)
{
    if (!t->redraw_at)
        return -1;
    uint64_t gone = ask_clock_ms() - t->redraw_at;
    return gone >= REDRAW_MS ? 0 : (int)(REDRAW_MS - gone);
}

void tty_next(struct tty *t, struct tty_event *ret)
{
    for (;;) {
        struct pollfd p[] = {{.fd = t->signals, .events = POLLIN}, {.fd = t->fd, .events = POLLIN}};
        int r = poll(p, 2, until_redraw(t));
        if (r < 0 && errno != EINTR) {
            *ret = (struct tty_event){.kind = TTY_GONE};
            return;
        }
        if (r > 0 && p[0].revents && signalled(t, ret))
            return;
        if (r > 0 && !p[0].revents && p[1].revents && typed(t, p[1].revents, ret))
            return;
        if (t->redraw_at && until_redraw(t) == 0) {
            t->redraw_at = 0;
            *ret = (struct tty_event){.kind = TTY_REDRAW};
            return;
        }
    }
}

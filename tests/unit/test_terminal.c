/*
 * The relay between two terminals, on pairs of pseudo-terminals: `outer` stands for the person's
 * terminal (its master is the person), `inner` for the command's (its slave is the command).
 */
#include "base/fd.h"
#include "sandbox/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct pty {
    int master, slave;
};

static struct pty pty_open(void)
{
    struct pty p = {.master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
    char name[64];
    assert_true(p.master >= 0);
    assert_int_equal(unlockpt(p.master), 0);
    assert_int_equal(ptsname_r(p.master, name, sizeof(name)), 0);
    p.slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(p.slave >= 0);
    return p;
}

static void pty_close(struct pty *p)
{
    fd_closep(&p->master);
    fd_closep(&p->slave);
}

static void make_raw(int fd)
{
    struct termios t;
    assert_int_equal(tcgetattr(fd, &t), 0);
    cfmakeraw(&t);
    assert_int_equal(tcsetattr(fd, TCSANOW, &t), 0);
}

static bool is_raw(int fd)
{
    struct termios t;
    assert_int_equal(tcgetattr(fd, &t), 0);
    return !(t.c_lflag & (ICANON | ECHO | ISIG)) && !(t.c_oflag & OPOST);
}

static bool is_cooked(int fd)
{
    struct termios t;
    assert_int_equal(tcgetattr(fd, &t), 0);
    return (t.c_lflag & ICANON) && (t.c_lflag & ECHO) && (t.c_lflag & ISIG) && (t.c_oflag & OPOST);
}

static uint64_t now_ms(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* One turn of the caller's loop, waiting at most MS. Returns poll()'s answer. */
static int turn(struct terminal *t, int ms)
{
    struct pollfd fds[3];
    int wait = terminal_timeout(t);
    int n = terminal_poll(t, fds);
    int r = poll(fds, (nfds_t)n, wait >= 0 && wait < ms ? wait : ms);
    terminal_serve(t, fds, n);
    return r;
}

/* Turns until FD holds what WANT says (the relay's other end), or two seconds are over. */
static void expect(struct terminal *t, int fd, const char *want)
{
    char got[4096];
    size_t n = 0, len = strlen(want);
    assert_int_equal(fd_set_nonblock(fd, true), 0);
    for (uint64_t end = now_ms() + 2000; n < len && now_ms() < end;) {
        if (t)
            (void)turn(t, 10);
        ssize_t r = read(fd, got + n, sizeof(got) - 1 - n);
        if (r > 0)
            n += (size_t)r;
    }
    got[n] = '\0';
    assert_string_equal(got, want);
    assert_int_equal(fd_set_nonblock(fd, false), 0);
}

static struct terminal *start(struct pty *outer, struct pty *inner)
{
    struct terminal *t = NULL;
    struct error err = {0};
    int r = terminal_start(outer->slave, inner->master, &t, &err);
    if (r < 0)
        fail_msg("%s", err.message);
    inner->master = -1;
    return t;
}

static void test_settings_and_size(void **state)
{
    (void)state;
    struct pty outer = pty_open(), inner = pty_open();
    struct termios odd, seen;
    struct winsize size = {.ws_row = 31, .ws_col = 117, .ws_xpixel = 5, .ws_ypixel = 6}, got;
    assert_int_equal(tcgetattr(outer.slave, &odd), 0);
    odd.c_cc[VINTR] = 7;
    odd.c_iflag |= IXANY;
    odd.c_lflag &= ~(tcflag_t)ECHOK;
    assert_int_equal(tcsetattr(outer.slave, TCSANOW, &odd), 0);
    assert_int_equal(ioctl(outer.slave, TIOCSWINSZ, &size), 0);

    struct terminal *t = start(&outer, &inner), *second = NULL;
    int other = dup(outer.master);
    assert_int_equal(terminal_start(outer.slave, other, &second, NULL), -EBUSY);
    assert_true(is_raw(outer.slave));
    assert_int_equal(tcgetattr(inner.slave, &seen), 0);
    assert_int_equal(seen.c_cc[VINTR], 7);
    assert_int_equal(seen.c_lflag, odd.c_lflag);
    assert_int_equal(seen.c_iflag, odd.c_iflag);
    assert_int_equal(ioctl(inner.slave, TIOCGWINSZ, &got), 0);
    assert_memory_equal(&got, &size, sizeof(size));

    size.ws_row = 60, size.ws_col = 200;
    assert_int_equal(ioctl(outer.master, TIOCSWINSZ, &size), 0);
    terminal_resize(t);
    assert_int_equal(ioctl(inner.slave, TIOCGWINSZ, &got), 0);
    assert_memory_equal(&got, &size, sizeof(size));

    /* The open file that others share was not touched. */
    assert_int_equal(fcntl(outer.slave, F_GETFL) & O_NONBLOCK, 0);
    terminal_finish(t);
    assert_int_equal(tcgetattr(outer.slave, &seen), 0);
    assert_int_equal(seen.c_lflag, odd.c_lflag);
    assert_int_equal(seen.c_iflag, odd.c_iflag);
    assert_int_equal(seen.c_oflag, odd.c_oflag);
    assert_memory_equal(seen.c_cc, odd.c_cc, sizeof(odd.c_cc));
    terminal_finish(NULL);
    pty_close(&outer);
    pty_close(&inner);
}

static void test_not_a_terminal(void **state)
{
    (void)state;
    struct pty inner = pty_open();
    struct terminal *t = NULL;
    struct error err = {0};
    _cleanup_fd_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_int_equal(terminal_start(null, inner.master, &t, &err), -ENOTTY);
    assert_null(t);
    assert_true(err.message[0]);
    assert_true(fcntl(inner.master, F_GETFD) < 0); /* the terminal's, so closed */
    inner.master = -1;
    pty_close(&inner);
}

/* The command's terminal echoes and edits; the person's does neither a second time. */
static void test_echo(void **state)
{
    (void)state;
    struct pty outer = pty_open(), inner = pty_open();
    struct terminal *t = start(&outer, &inner);
    assert_int_equal(write(outer.master, "hx\177i\r", 5), 5);
    expect(t, inner.slave, "hi\n");
    expect(t, outer.master, "hx\b \bi\r\n");
    assert_int_equal(write(inner.slave, "a\tb\n", 4), 4);
    expect(t, outer.master, "a\tb\r\n");
    terminal_finish(t);
    pty_close(&outer);
    pty_close(&inner);
}

/* Every byte value arrives as it was. */
static void test_bytes(void **state)
{
    (void)state;
    struct pty outer = pty_open(), inner = pty_open();
    struct terminal *t = start(&outer, &inner);
    make_raw(inner.slave);
    unsigned char all[256], got[256];
    for (unsigned i = 0; i < 256; i++)
        all[i] = (unsigned char)i;
    const int ways[2][2] = {{outer.master, inner.slave}, {inner.slave, outer.master}};
    for (int w = 0; w < 2; w++) {
        assert_int_equal(write(ways[w][0], all, 256), 256);
        size_t n = 0;
        assert_int_equal(fd_set_nonblock(ways[w][1], true), 0);
        for (uint64_t end = now_ms() + 2000; n < 256 && now_ms() < end;) {
            (void)turn(t, 10);
            ssize_t r = read(ways[w][1], got + n, 256 - n);
            n += r > 0 ? (size_t)r : 0;
        }
        assert_int_equal(fd_set_nonblock(ways[w][1], false), 0);
        assert_int_equal(n, 256);
        assert_memory_equal(got, all, 256);
    }
    terminal_finish(t);
    pty_close(&outer);
    pty_close(&inner);
}

/* ---- volume ---- */

struct stream {
    uint64_t seed, sum;
};

static uint64_t next_word(struct stream *s)
{
    s->seed ^= s->seed << 13;
    s->seed ^= s->seed >> 7;
    s->seed ^= s->seed << 17;
    return s->seed;
}

static void add_to_sum(struct stream *s, const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        s->sum = (s->sum ^ p[i]) * 0x100000001b3u;
}

/* A child that writes TOTAL pseudo-random bytes to FD. */
static pid_t spawn_writer(int fd, uint64_t seed, size_t total)
{
    pid_t pid = fork();
    if (pid)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct stream s = {.seed = seed};
    static uint64_t words[1024];
    while (total) {
        for (size_t i = 0; i < ARRAY_LEN(words); i++)
            words[i] = next_word(&s);
        size_t n = MIN_OF(total, sizeof(words));
        if (fd_write_all(fd, words, n) < 0)
            _exit(1);
        total -= n;
    }
    _exit(0);
}

/* A child that reads TOTAL bytes from FD and checks that they are spawn_writer()'s. */
static pid_t spawn_reader(int fd, uint64_t seed, size_t total)
{
    pid_t pid = fork();
    if (pid)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct stream want = {.seed = seed}, got = {0};
    static unsigned char buf[65536];
    static uint64_t words[1024];
    for (size_t n = 0; n < total;) {
        ssize_t r = read(fd, buf, MIN_OF(sizeof(buf), total - n));
        if (r <= 0)
            _exit(2);
        add_to_sum(&got, buf, (size_t)r);
        n += (size_t)r;
    }
    for (size_t left = total; left;) {
        for (size_t i = 0; i < ARRAY_LEN(words); i++)
            words[i] = next_word(&want);
        size_t n = MIN_OF(left, sizeof(words));
        add_to_sum(&want, (unsigned char *)words, n);
        left -= n;
    }
    _exit(got.sum == want.sum ? 0 : 3);
}

static void reap(struct terminal *t, pid_t *pids, size_t n)
{
    uint64_t end = now_ms() + 300000;
    for (size_t left = n; left;) {
        assert_true(now_ms() < end);
        (void)turn(t, 50);
        for (size_t i = 0; i < n; i++) {
            int status;
            if (pids[i] > 0 && waitpid(pids[i], &status, WNOHANG) == pids[i]) {
                assert_true(WIFEXITED(status));
                assert_int_equal(WEXITSTATUS(status), 0);
                pids[i] = 0;
                left--;
            }
        }
    }
}

static void test_volume(void **state)
{
    (void)state;
    const char *mib = getenv("BAWN_TEST_TERMINAL_MIB");
    const size_t total = (mib ? strtoul(mib, NULL, 10) : 64) << 20;
    struct pty outer = pty_open(), inner = pty_open();
    struct terminal *t = start(&outer, &inner);
    make_raw(inner.slave);
    pid_t pids[] = {
        spawn_writer(inner.slave, 1234567, total),
        spawn_reader(outer.master, 1234567, total),
        spawn_writer(outer.master, 7654321, total),
        spawn_reader(inner.slave, 7654321, total),
    };
    reap(t, pids, ARRAY_LEN(pids));
    terminal_finish(t);
    pty_close(&outer);
    pty_close(&inner);
}

/* What the command wrote just before it ended arrives, however slow the person's side is. */
static void test_finish_drains(void **state)
{
    (void)state;
    const size_t total = 1 << 20;
    struct pty outer = pty_open(), inner = pty_open();
    struct terminal *t = start(&outer, &inner);
    make_raw(inner.slave);
    pid_t writer = spawn_writer(inner.slave, 99, total);
    fd_closep(&inner.slave);
    (void)usleep(50000); /* both buffers are full by now: nobody reads yet */
    pid_t reader = spawn_reader(outer.master, 99, total);
    terminal_finish(t);
    int status;
    assert_int_equal(waitpid(writer, &status, 0), writer);
    assert_int_equal(status, 0);
    assert_int_equal(waitpid(reader, &status, 0), reader);
    assert_int_equal(status, 0);
    assert_true(is_cooked(outer.slave));
    pty_close(&outer);
}

/* The command's side stays open (somebody else holds it): finish ends all the same. */
static void test_finish_with_open_slave(void **state)
{
    (void)state;
    struct pty outer = pty_open(), inner = pty_open();
    struct terminal *t = start(&outer, &inner);
    assert_int_equal(write(inner.slave, "bye\n", 4), 4);
    terminal_finish(t);
    expect(NULL, outer.master, "bye\r\n");
    pty_close(&outer);
    pty_close(&inner);
}

/* ---- full and closed sides ---- */

/* How many turns of 200 ms return at once? None may, when nothing can move. */
static unsigned idle_turns(struct terminal *t)
{
    unsigned turns = 0;
    for (uint64_t end = now_ms() + 300; now_ms() < end; turns++)
        (void)turn(t, 100);
    return turns;
}

static void test_no_spinning(void **state)
{
    (void)state;
    struct pty outer = pty_open(), inner = pty_open();
    struct terminal *t = start(&outer, &inner);
    make_raw(inner.slave);
    pid_t out = spawn_writer(inner.slave, 5, 1 << 20), in = spawn_writer(outer.master, 6, 1 << 20);
    for (uint64_t end = now_ms() + 500; now_ms() < end;)
        (void)turn(t, 20); /* until every buffer on the way is full */
    assert_in_range(idle_turns(t), 1, 10);
    /* The command dies with everything full. */
    (void)kill(out, SIGKILL);
    (void)waitpid(out, NULL, 0);
    fd_closep(&inner.slave);
    assert_in_range(idle_turns(t), 1, 10);
    (void)kill(in, SIGKILL);
    (void)waitpid(in, NULL, 0);
    /* And when the person reads again, the relay goes on to the end. */
    pid_t reader = spawn_reader(outer.master, 5, 4096);
    for (uint64_t end = now_ms() + 2000; now_ms() < end;) {
        (void)turn(t, 20);
        if (reader && waitpid(reader, NULL, WNOHANG) == reader)
            reader = 0;
        char sink[4096];
        if (!reader) {
            assert_int_equal(fd_set_nonblock(outer.master, true), 0);
            if (read(outer.master, sink, sizeof(sink)) < 0)
                break;
        }
    }
    assert_int_equal(reader, 0);
    assert_in_range(idle_turns(t), 1, 10);
    terminal_finish(t);
    pty_close(&outer);
}

/* Closed by everybody, then opened again by name: a shell between two commands does that. */
static void test_slave_reopened(void **state)
{
    (void)state;
    struct pty outer = pty_open(), inner = pty_open();
    char name[64];
    assert_int_equal(ptsname_r(inner.master, name, sizeof(name)), 0);
    struct terminal *t = start(&outer, &inner);
    assert_int_equal(write(inner.slave, "one\n", 4), 4);
    fd_closep(&inner.slave);
    expect(t, outer.master, "one\r\n");
    assert_in_range(idle_turns(t), 1, 10);
    assert_true(terminal_timeout(t) > 0);
    assert_false(terminal_hung_up(t));
    inner.slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(inner.slave >= 0);
    assert_int_equal(write(inner.slave, "two\n", 4), 4);
    expect(t, outer.master, "two\r\n");
    assert_int_equal(write(outer.master, "in\r", 3), 3);
    expect(t, inner.slave, "in\n");
    assert_int_equal(terminal_timeout(t), -1);
    terminal_finish(t);
    pty_close(&outer);
    pty_close(&inner);
}

static void test_tty_hangs_up(void **state)
{
    (void)state;
    struct pty outer = pty_open(), inner = pty_open();
    struct terminal *t = start(&outer, &inner);
    fd_closep(&outer.master);
    for (int i = 0; i < 100 && !terminal_hung_up(t); i++)
        (void)turn(t, 20);
    assert_true(terminal_hung_up(t));
    /* The command's terminal went with it. */
    char c;
    assert_true(read(inner.slave, &c, 1) <= 0);
    assert_true(write(inner.slave, "x", 1) < 0);
    assert_int_equal(errno, EIO);
    struct pollfd fds[3];
    assert_int_equal(terminal_poll(t, fds), 0);
    terminal_resize(t);
    terminal_suspend(t);
    terminal_resume(t);
    terminal_restore();
    terminal_finish(t);
    pty_close(&outer);
    pty_close(&inner);
}

/* The key that stops a job counts while it is the last that was typed, once, and is the one the
 * command's terminal has. */
static void test_stop_key(void **state)
{
    (void)state;
    struct pty outer = pty_open(), inner = pty_open();
    struct termios theirs;
    make_raw(inner.slave);
    assert_int_equal(tcgetattr(inner.slave, &theirs), 0);
    struct terminal *t = start(&outer, &inner);
    make_raw(inner.slave);
    static const struct {
        const char *typed;
        cc_t key;
        bool stops;
    } rows[] = {
        {"a", 26, false},
        {"\x1a", 26, true},
        {"ab\x1a", 26, true},
        {"\x1a"
         "b",
         26, false},
        {"\x1a", 25, false},
        {"\x19", 25, true},
        {"\x1a", 0, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        theirs.c_cc[VSUSP] = rows[i].key;
        assert_int_equal(tcsetattr(inner.slave, TCSANOW, &theirs), 0);
        assert_int_equal(write(outer.master, rows[i].typed, strlen(rows[i].typed)),
                         strlen(rows[i].typed));
        expect(t, inner.slave, rows[i].typed);
        assert_int_equal(terminal_stop_typed(t), rows[i].stops);
        assert_false(terminal_stop_typed(t));
    }
    terminal_finish(t);
    pty_close(&outer);
    pty_close(&inner);
}

/* ---- who has the terminal ---- */

static void test_suspend_resume(void **state)
{
    (void)state;
    struct pty outer = pty_open(), inner = pty_open();
    struct winsize size = {.ws_row = 10, .ws_col = 20}, got;
    struct terminal *t = start(&outer, &inner);
    assert_int_equal(write(inner.slave, "last words\n", 11), 11);
    terminal_suspend(t);
    terminal_suspend(t);
    assert_true(is_cooked(outer.slave));
    expect(NULL, outer.master, "last words\r\n");
    /* The shell changes settings and size while it has the terminal: both count from now on. */
    struct termios shell;
    assert_int_equal(tcgetattr(outer.slave, &shell), 0);
    shell.c_cc[VERASE] = 8;
    assert_int_equal(tcsetattr(outer.slave, TCSANOW, &shell), 0);
    assert_int_equal(ioctl(outer.slave, TIOCSWINSZ, &size), 0);
    /* What is typed now belongs to the shell. */
    assert_int_equal(write(outer.master, "ls\r", 3), 3);
    for (int i = 0; i < 3; i++)
        (void)turn(t, 20);
    expect(NULL, outer.slave, "ls\n");
    expect(NULL, outer.master, "ls\r\n");

    terminal_resume(t);
    assert_true(is_raw(outer.slave));
    assert_int_equal(ioctl(inner.slave, TIOCGWINSZ, &got), 0);
    assert_int_equal(got.ws_col, 20);
    assert_int_equal(write(outer.master, "go\r", 3), 3);
    expect(t, inner.slave, "go\n");
    /* Stopped by SIGSTOP, nobody was told: the shell has put its own settings in. */
    assert_int_equal(tcsetattr(outer.slave, TCSANOW, &shell), 0);
    terminal_resume(t);
    assert_true(is_raw(outer.slave));
    terminal_finish(t);
    assert_int_equal(tcgetattr(outer.slave, &shell), 0);
    assert_int_equal(shell.c_cc[VERASE], 8);
    assert_true(is_cooked(outer.slave));
    pty_close(&outer);
    pty_close(&inner);
}

static void test_restore_is_idempotent(void **state)
{
    (void)state;
    terminal_restore();
    struct pty outer = pty_open(), inner = pty_open();
    struct terminal *t = start(&outer, &inner);
    /* A forked child that dies of a signal it inherited the handler of leaves the terminal alone.
     */
    pid_t pid = fork();
    if (pid == 0) {
        terminal_restore();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_true(is_raw(outer.slave));
    errno = 77;
    terminal_restore();
    assert_int_equal(errno, 77);
    assert_true(is_cooked(outer.slave));
    struct termios other;
    assert_int_equal(tcgetattr(outer.slave, &other), 0);
    other.c_cc[VERASE] = 8;
    assert_int_equal(tcsetattr(outer.slave, TCSANOW, &other), 0);
    terminal_restore(); /* nothing to do any more */
    assert_int_equal(tcgetattr(outer.slave, &other), 0);
    assert_int_equal(other.c_cc[VERASE], 8);
    terminal_finish(t);
    pty_close(&outer);
    pty_close(&inner);
}

static void on_fatal(int sig)
{
    terminal_restore();
    (void)signal(sig, SIG_DFL);
    (void)raise(sig);
}

/* Runs FN in a child that is a session leader with OUTER as its controlling terminal. */
static pid_t in_session(struct pty *outer, struct pty *inner,
                        void (*fn)(struct pty *outer, struct pty *inner))
{
    pid_t pid = fork();
    if (pid)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)alarm(20);
    if (setsid() < 0 || ioctl(outer->slave, TIOCSCTTY, 0) < 0)
        _exit(101);
    fn(outer, inner);
    _exit(0);
}

static void die_raw(struct pty *outer, struct pty *inner)
{
    static const int fatal[] = {SIGTERM, SIGINT, SIGABRT, SIGSEGV};
    for (size_t i = 0; i < ARRAY_LEN(fatal); i++)
        (void)signal(fatal[i], on_fatal);
    struct terminal *t;
    if (terminal_start(outer->slave, inner->master, &t, NULL) < 0 || !is_raw(outer->slave))
        _exit(102);
    (void)fd_write_all(inner->slave, "ready\n", 6);
    for (;;)
        (void)turn(t, 1000);
}

static void test_restore_on_death(void **state)
{
    (void)state;
    static const int deaths[] = {SIGTERM, SIGINT, SIGABRT, SIGSEGV};
    for (size_t i = 0; i < ARRAY_LEN(deaths); i++) {
        struct pty outer = pty_open(), inner = pty_open();
        pid_t pid = in_session(&outer, &inner, die_raw);
        expect(NULL, outer.master, "ready\r\n");
        assert_true(is_raw(outer.slave));
        assert_int_equal(kill(pid, deaths[i]), 0);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), deaths[i]);
        assert_true(is_cooked(outer.slave));
        pty_close(&outer);
        pty_close(&inner);
    }
}

/* The terminal is stopped (^S), nothing can be written: TERM still ends the last wait. */
static void finish_stuck(struct pty *outer, struct pty *inner)
{
    sigset_t block;
    (void)sigemptyset(&block);
    (void)sigaddset(&block, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &block, NULL);
    struct terminal *t;
    if (terminal_start(outer->slave, inner->master, &t, NULL) < 0)
        _exit(102);
    make_raw(inner->slave);
    (void)fd_write_all(inner->slave, "before", 6);
    for (int i = 0; i < 5; i++)
        (void)turn(t, 20);
    (void)tcflow(outer->slave, TCOOFF);
    (void)fd_write_all(inner->slave, "never", 5);
    fd_closep(&inner->slave);
    terminal_finish(t);
    _exit(is_cooked(outer->slave) ? 7 : 8);
}

static void test_finish_can_be_ended(void **state)
{
    (void)state;
    struct pty outer = pty_open(), inner = pty_open();
    pid_t pid = in_session(&outer, &inner, finish_stuck);
    fd_closep(&inner.slave);
    expect(NULL, outer.master, "before");
    (void)usleep(300000);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    pty_close(&outer);
    pty_close(&inner);
}

/* Started in the background: the terminal is the shell's, output still flows although TOSTOP is
 * set; then brought to the front without a SIGCONT. Exit codes name the step that failed. */
static void background(struct pty *outer, struct pty *inner)
{
    struct termios s;
    int go[2];
    if (tcgetattr(outer->slave, &s) < 0 || pipe(go) < 0)
        _exit(103);
    s.c_lflag |= TOSTOP;
    (void)tcsetattr(outer->slave, TCSANOW, &s);
    pid_t job = fork();
    if (job == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)setpgid(0, 0);
        char c;
        struct terminal *t;
        if (read(go[0], &c, 1) != 1 || terminal_start(outer->slave, inner->master, &t, NULL) < 0)
            _exit(104);
        if (!is_cooked(outer->slave) || !is_cooked(inner->slave) || terminal_timeout(t) <= 0)
            _exit(105);
        (void)fd_write_all(inner->slave, "behind\n", 7);
        for (int i = 0; i < 200 && !is_raw(outer->slave); i++)
            (void)turn(t, 20);
        if (!is_raw(outer->slave))
            _exit(106);
        (void)fd_write_all(inner->slave, "front\n", 6);
        for (int i = 0; i < 5; i++)
            (void)turn(t, 20);
        /* And back again, unasked: the new owner's settings are not touched. */
        (void)signal(SIGTTOU, SIG_IGN);
        (void)tcsetpgrp(outer->slave, getppid());
        (void)signal(SIGTTOU, SIG_DFL);
        if (read(go[0], &c, 1) != 1)
            _exit(107);
        for (int i = 0; i < 5; i++)
            (void)turn(t, 20);
        struct termios now;
        if (tcgetattr(outer->slave, &now) < 0 || now.c_cc[VMIN] != 42)
            _exit(108);
        terminal_finish(t);
        if (tcgetattr(outer->slave, &now) < 0 || now.c_cc[VMIN] != 42)
            _exit(109);
        _exit(0);
    }
    (void)setpgid(job, job);
    (void)fd_write_all(go[1], "g", 1);
    char buf[64];
    size_t n = 0;
    while (n < 8 && n < sizeof(buf)) { /* "behind\r\n": the outer terminal is cooked, so \r\r\n */
        ssize_t r = read(outer->master, buf + n, sizeof(buf) - n);
        if (r <= 0)
            _exit(110);
        n += (size_t)r;
    }
    int status;
    if (waitpid(job, &status, WNOHANG | WUNTRACED) != 0)
        _exit(111);
    (void)signal(SIGTTOU, SIG_IGN);
    (void)tcsetpgrp(outer->slave, job);
    for (n = 0; !memmem(buf, n, "front\r\n", 7) && n < sizeof(buf);) {
        ssize_t r = read(outer->master, buf + n, sizeof(buf) - n);
        if (r <= 0)
            _exit(112);
        n += (size_t)r;
    }
    while (tcgetpgrp(outer->slave) != getpid())
        (void)usleep(1000);
    (void)tcgetattr(outer->slave, &s);
    s.c_cc[VMIN] = 42;
    s.c_lflag &= ~(tcflag_t)ICANON;
    (void)tcsetattr(outer->slave, TCSANOW, &s);
    (void)fd_write_all(outer->master, "zzz", 3);
    (void)fd_write_all(go[1], "g", 1);
    if (waitpid(job, &status, WUNTRACED) != job || !WIFEXITED(status))
        _exit(113);
    _exit(WEXITSTATUS(status));
}

static void test_background(void **state)
{
    (void)state;
    struct pty outer = pty_open(), inner = pty_open();
    pid_t pid = in_session(&outer, &inner, background);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    pty_close(&outer);
    pty_close(&inner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings_and_size),
        cmocka_unit_test(test_not_a_terminal),
        cmocka_unit_test(test_echo),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_volume),
        cmocka_unit_test(test_finish_drains),
        cmocka_unit_test(test_finish_with_open_slave),
        cmocka_unit_test(test_no_spinning),
        cmocka_unit_test(test_slave_reopened),
        cmocka_unit_test(test_tty_hangs_up),
        cmocka_unit_test(test_suspend_resume),
        cmocka_unit_test(test_stop_key),
        cmocka_unit_test(test_restore_is_idempotent),
        cmocka_unit_test(test_restore_on_death),
        cmocka_unit_test(test_finish_can_be_ended),
        cmocka_unit_test(test_background),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

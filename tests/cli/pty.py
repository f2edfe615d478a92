#!/usr/bin/env python3
"""Runs a command in a pseudo-terminal, as a person with a small shell would, from a script.

    pty.py [--size ROWSxCOLS] [--timeout SECONDS] [STEP…] -- CMD…

Steps, carried out in order; the command starts before the first one:

    --expect TEXT     wait until TEXT appears in what has not been matched yet
    --expect-re RE    the same with a regular expression (bytes, DOTALL)
    --send TEXT       type TEXT; \\n \\r \\t \\e \\\\ \\xHH are understood
    --key K           type one key: ^C ^Z ^D ^\\ ^S ^Q … ENTER TAB ESC
    --resize RxC      change the window; the command is told by the kernel (SIGWINCH)
    --size-is RxC     check the window size of the person's terminal
    --tty raw|cooked  wait until the person's terminal is in that state
    --signal NAME     send a signal to the command's process group (TERM, INT, KILL, STOP, …)
    --signal-one NAME send a signal to the command's first process only
    --stopped         wait until the command is stopped; the shell takes the terminal
    --stopped-by NAME the same, and it was this signal (TSTP, STOP, …)
    --fg, --bg        continue it in front, or behind
    --background      as the first step: start the command behind
    --hangup          close the person's side of the terminal
    --sleep SECONDS   for "nothing happens" checks only

The transcript goes to stdout byte for byte, then one line:

    [exit N] or [signal N], then [tty raw] or [tty cooked]: the terminal as the command left it

Exit status: the command's own (128 + N for a signal); 98 when a step did not come true in time (the
step is named on stderr), 99 when the driver itself failed. The command is killed in both cases.
"""

import fcntl
import os
import re
import select
import signal
import socket
import struct
import sys
import termios
import time

KEYS = {"ENTER": b"\r", "TAB": b"\t", "ESC": b"\x1b", "BACKSPACE": b"\x7f"}
TAKES_VALUE = {"expect", "expect-re", "send", "key", "resize", "size-is", "tty", "signal",
               "signal-one", "stopped-by", "sleep"}
ALONE = {"stopped", "fg", "bg", "background", "hangup"}


class StepFailed(Exception):
    pass


def unescape(text):
    names = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"e": b"\x1b", b"\\": b"\\"}

    def one(m):
        return bytes([int(m[1][1:], 16)]) if m[1][:1] == b"x" else names[m[1]]

    return re.sub(rb"\\(x[0-9a-fA-F]{2}|[nrte\\])", one, os.fsencode(text))


def key(name):
    if name in KEYS:
        return KEYS[name]
    if len(name) == 2 and name[0] == "^":
        return bytes([ord(name[1].upper()) ^ 0x40])
    raise SystemExit(f"pty.py: unknown key {name}")


def size(text):
    rows, cols = text.lower().split("x")
    return int(rows), int(cols)


def set_size(fd, rows, cols):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))


def get_size(fd):
    return struct.unpack("HHHH", fcntl.ioctl(fd, termios.TIOCGWINSZ, b"\0" * 8))[:2]


def tty_state(fd):
    """raw when nothing edits, echoes or turns keys into signals."""
    local = termios.tcgetattr(fd)[3]
    return "cooked" if local & (termios.ICANON | termios.ECHO | termios.ISIG) else "raw"


def shell(slave, link, argv, front):
    """The session leader: starts the job, tells the driver of stops and of the end."""
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    go_r, go_w = os.pipe()
    job = os.fork()
    if job == 0:
        os.setpgid(0, 0)
        os.close(go_w)
        os.read(go_r, 1)
        # Background jobs of a shell ignore INT and QUIT; what is tested must not inherit that.
        for s in (signal.SIGTTOU, signal.SIGHUP, signal.SIGPIPE, signal.SIGINT, signal.SIGQUIT):
            signal.signal(s, signal.SIG_DFL)
        for fd in (0, 1, 2):
            os.dup2(slave, fd)
        os.closerange(3, 256)
        try:
            os.execvp(argv[0], argv)
        except OSError as e:
            os.write(2, f"pty.py: {argv[0]}: {e.strerror}\n".encode())
            os._exit(127 if isinstance(e, FileNotFoundError) else 126)
    for fd in (0, 1):
        os.dup2(os.open(os.devnull, os.O_RDWR), fd)
    os.setpgid(job, job)
    if front:
        os.tcsetpgrp(slave, job)
    os.close(go_r)
    os.write(go_w, b"x")
    cooked = termios.tcgetattr(slave)

    def hang_up(*_):  # the kernel tells the session's leader alone
        os.killpg(job, signal.SIGHUP)
        os.killpg(job, signal.SIGCONT)

    signal.signal(signal.SIGHUP, hang_up)
    link.send(b"job %d" % job)
    signal.set_wakeup_fd(-1)
    child_r, child_w = os.pipe()
    os.set_blocking(child_w, False)
    signal.set_wakeup_fd(child_w)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    theirs = None
    while True:
        pid, status = os.waitpid(job, os.WNOHANG | os.WUNTRACED)
        if pid and os.WIFSTOPPED(status):
            try:
                state = tty_state(slave)
                theirs = termios.tcgetattr(slave)
                termios.tcsetattr(slave, termios.TCSANOW, cooked)
                os.tcsetpgrp(slave, os.getpgrp())
            except (OSError, termios.error):
                state = "gone"
            link.send(b"stopped %d " % os.WSTOPSIG(status) + state.encode())
        elif pid:
            try:
                state = tty_state(slave)
            except (OSError, termios.error):
                state = "gone"
            os.close(slave)
            link.send(b"ended %d " % status + state.encode())
            link.recv(16)
            os._exit(0)
        ready, _, _ = select.select([child_r, link], [], [])
        if child_r in ready:
            os.read(child_r, 64)
        if link in ready:
            order = link.recv(64)
            if order == b"fg":
                if theirs is not None:
                    termios.tcsetattr(slave, termios.TCSANOW, theirs)
                os.tcsetpgrp(slave, job)
                os.killpg(job, signal.SIGCONT)
            elif order == b"bg":
                os.killpg(job, signal.SIGCONT)
            elif not order:
                os.killpg(job, signal.SIGKILL)
                os._exit(0)


class Driver:
    def __init__(self, argv, rows, cols, front):
        self.master, slave = os.openpty()
        set_size(slave, rows, cols)
        self.link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.shell = os.fork()
        if self.shell == 0:
            try:
                os.close(self.master)
                self.link.close()
                shell(slave, theirs, argv, front)
            finally:
                os._exit(99)
        # The slave stays open here so that its state can be read; it is nobody's controlling terminal
        # but the shell's.
        self.slave = slave
        theirs.close()
        self.seen = b""     # the whole transcript
        self.matched = 0    # how much of it --expect has used up
        self.job = None
        self.stops = []     # by which signals
        self.ended = None
        self.state = None

    def event(self):
        words = self.link.recv(256).split()
        if not words:
            raise SystemExit("pty.py: the shell process died")
        if words[0] == b"job":
            self.job = int(words[1])
        elif words[0] == b"stopped":
            self.stops.append(int(words[1]))
        elif words[0] == b"ended":
            self.ended = int(words[1])
            self.state = words[2].decode()
            self.close_slave()

    def close_slave(self):
        if self.slave >= 0:
            os.close(self.slave)
            self.slave = -1

    def pump(self, wait):
        """One turn: output and events. False when the terminal has come to its end."""
        fds = [f for f in (self.master, self.link) if f is not None]
        ready, _, _ = select.select(fds, [], [], wait)
        if self.link in ready and self.ended is None:
            self.event()
        if self.master is not None and self.master in ready:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                data = b""
            if not data:
                return False
            self.seen += data
        return True

    def until(self, what, deadline, step):
        while not what():
            left = deadline - time.monotonic()
            if left <= 0:
                raise StepFailed(step)
            alive = self.pump(min(left, 0.05))
            if not alive and not what():
                if self.ended is None:
                    time.sleep(0.01)
                    continue
                raise StepFailed(step)

    def type(self, data, deadline):
        os.set_blocking(self.master, False)
        while data:
            if time.monotonic() > deadline:
                raise StepFailed("--send: the terminal takes no more")
            try:
                data = data[os.write(self.master, data):]
            except BlockingIOError:
                self.pump(0.05)
        os.set_blocking(self.master, True)

    def found(self, pattern):
        m = pattern.search(self.seen, self.matched)
        if m:
            self.matched = m.end()
        return bool(m)

    def step(self, name, value, timeout):
        deadline = time.monotonic() + timeout
        label = f"--{name} {value or ''}".rstrip()
        if name in ("expect", "expect-re"):
            text = re.escape(unescape(value)) if name == "expect" else os.fsencode(value)
            pattern = re.compile(text, re.DOTALL)
            self.until(lambda: self.found(pattern), deadline, label)
        elif name == "send":
            self.type(unescape(value), deadline)
        elif name == "key":
            self.type(key(value), deadline)
        elif name == "resize":
            set_size(self.master, *size(value))
        elif name == "size-is":
            if get_size(self.slave) != size(value):
                raise StepFailed(label)
        elif name == "tty":
            self.until(lambda: self.slave >= 0 and tty_state(self.slave) == value, deadline, label)
        elif name in ("signal", "signal-one"):
            self.until(lambda: self.job is not None, deadline, label)
            number = getattr(signal, "SIG" + value)
            (os.killpg if name == "signal" else os.kill)(self.job, number)
        elif name in ("stopped", "stopped-by"):
            self.until(lambda: self.stops, deadline, label)
            by = self.stops.pop(0)
            if value and by != getattr(signal, "SIG" + value):
                raise StepFailed(f"{label}: it was {signal.Signals(by).name}")
        elif name in ("fg", "bg"):
            self.link.send(name.encode())
        elif name == "hangup":
            self.close_slave()
            os.close(self.master)
            self.master = None
        elif name == "sleep":
            end = time.monotonic() + float(value)
            while time.monotonic() < end:
                self.pump(end - time.monotonic() if end > time.monotonic() else 0)

    def finish(self, timeout):
        self.until(lambda: self.ended is not None, time.monotonic() + timeout, "the command's end")
        end = time.monotonic() + 1  # somebody in the background may hold the terminal open
        while self.master is not None and time.monotonic() < end and self.pump(0.2):
            pass
        self.link.send(b"quit")

    def kill(self):
        self.link.close()
        os.waitpid(self.shell, 0)


def parse(args):
    rows, cols, timeout, steps = 24, 80, 20.0, []
    args = iter(args)
    for a in args:
        if a == "--":
            break
        name, _, value = a[2:].partition("=") if a.startswith("--") else ("", "", "")
        if name in TAKES_VALUE | {"size", "timeout"}:
            value = value if "=" in a else next(args)
            if name == "size":
                rows, cols = size(value)
            elif name == "timeout":
                timeout = float(value)
            else:
                steps.append((name, value))
        elif name in ALONE:
            steps.append((name, None))
        else:
            raise SystemExit(__doc__)
    argv = list(args)
    if not argv:
        raise SystemExit(__doc__)
    return rows, cols, timeout, steps, argv


def main():
    rows, cols, timeout, steps, argv = parse(sys.argv[1:])
    front = not (steps and steps[0][0] == "background")
    driver = Driver(argv, rows, cols, front)
    failed = None
    try:
        for name, value in steps:
            driver.step(name, value, timeout)
        driver.finish(timeout)
    except StepFailed as e:
        failed = str(e)
    if failed:
        driver.kill()
    else:
        os.waitpid(driver.shell, 0)
    out = sys.stdout.buffer
    out.write(driver.seen)
    if driver.seen and not driver.seen.endswith(b"\n"):
        out.write(b"\n")
    if failed:
        out.flush()
        print(f"pty.py: did not come true: {failed}", file=sys.stderr)
        return 98
    code = os.waitstatus_to_exitcode(driver.ended)
    out.write(b"[exit %d]" % code if code >= 0 else b"[signal %d]" % -code)
    out.write(f" [tty {driver.state}]\n".encode())
    out.flush()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as problem:
        print(f"pty.py: {problem}", file=sys.stderr)
        sys.exit(99)

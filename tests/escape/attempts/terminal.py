"""The caller's terminal. The runner plays the terminal and the shell that waits behind the command: what
can be read from the terminal's input afterwards would have been run by that shell."""
import fcntl
import os
import pty
import select
import signal
import subprocess
import termios
import time

PAYLOAD = "touch-/tmp/x"


def on_terminal(plan):
    """plan(s, slave) gives the descriptors 0, 1, 2; -1 is /dev/null."""
    def run(s, out):
        master, slave = pty.openpty()
        name = os.ttyname(slave)
        if s.ids:
            os.chown(name, *s.ids)
        s.put("{w}/tty", name)
        attrs = termios.tcgetattr(slave)
        attrs[3] &= ~(termios.ICANON | termios.ECHO)
        termios.tcsetattr(slave, termios.TCSANOW, attrs)
        s.data["before"] = termios.tcgetattr(slave)[6][termios.VINTR]
        null = os.open("/dev/null", os.O_RDWR)
        fds = [null if f < 0 else f for f in plan(slave)]

        def controlling():
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)

        # a shell that stays the leader of the session and reads on when the command is done
        leader = ["/bin/sh", "-c", '"$@"; echo "status:$?" > {w}/status; sleep 5'.replace("{w}", s.w), "sh"]
        p = subprocess.Popen(leader + s.argv(), stdin=fds[0], stdout=fds[1], stderr=fds[2],
                             pass_fds=[slave], preexec_fn=controlling, env=s.environ(), cwd=s.cwd,
                             **s.as_user())
        end, seen = time.monotonic() + 20, b""
        while time.monotonic() < end and not os.path.exists(f"{s.w}/status"):
            if select.select([master], [], [], 0.05)[0]:
                seen += os.read(master, 4096)
        time.sleep(0.05)
        while select.select([master], [], [], 0.05)[0]:
            seen += os.read(master, 4096)
        left = b""
        while select.select([slave], [], [], 0.1)[0]:
            left += os.read(slave, 4096)
        s.data["left"] = left
        try:
            s.data["after"] = termios.tcgetattr(slave)[6][termios.VINTR]
            s.status = int(open(f"{s.w}/status").read().split(":")[1])
        except (OSError, ValueError):
            s.notes.append("did not end")
        s.end(p)
        for fd in (master, slave, null):
            s.shut(fd)
        out.write(seen + b"\ninput left: " + left + b"\n")
        if fds[1] == null and fds[2] == null:
            s.data["ran"] = True
        if fds[1] == null:
            s.data["ran"] = s.data.get("ran") or os.path.exists(f"{s.w}/ran")
    return run


def injected(s):
    return PAYLOAD.encode() in s.data.get("left", b"")


def changed(s):
    return s.data.get("before") != s.data.get("after")


all_three = on_terminal(lambda t: (t, t, t))
only_output = on_terminal(lambda t: (-1, t, t))
only_errors = on_terminal(lambda t: (-1, -1, t))
only_input = on_terminal(lambda t: (t, -1, -1))
TTY = "$(cat {w}/tty)"


def T(name, cmd, tty=all_three, effect=injected, **kw):
    return A(name, "touch {w}/ran; " + cmd, tty=tty, effect=effect, **kw)


ATTEMPTS = [
    T("inject-stdin", "{esc} inject 0 low " + PAYLOAD),
    T("inject-stdin-high", "{esc} inject 0 high " + PAYLOAD),
    T("inject-stdout", "{esc} inject 1 low " + PAYLOAD, only_output),
    T("inject-stdout-high", "{esc} inject 1 high " + PAYLOAD, only_output),
    T("inject-stderr", "{esc} inject 2 high " + PAYLOAD, only_errors),
    T("inject-stderr-low", "{esc} inject 2 low " + PAYLOAD, only_errors),
    T("inject-other-high-bits", "{esc} inject 1 higher " + PAYLOAD, only_output),
    T("inject-reopened-stdout", "{esc} inject /proc/self/fd/1 low " + PAYLOAD, only_output),
    T("inject-dev-stderr", "{esc} inject /dev/stderr low " + PAYLOAD, only_errors),
    T("inject-dev-tty", "{esc} controlling " + PAYLOAD),
    T("inject-dev-tty-no-stdin", "{esc} controlling " + PAYLOAD, only_output),
    T("inject-dev-tty-errors-alone", "{esc} controlling " + PAYLOAD, only_errors),
    T("dev-tty-opens-no-stdin", "exec 9<>/dev/tty && exit 0", only_output, effect=lambda s: s.status == 0),
    T("dev-tty-opens-errors-alone", "exec 9<>/dev/tty && exit 0", only_errors, effect=lambda s: s.status == 0),
    T("inject-by-name", "{esc} inject " + TTY + " low " + PAYLOAD),
    T("inject-by-name-high", "{esc} inject " + TTY + " high " + PAYLOAD, only_output),
    T("inject-proc-fd", "{esc} inject /proc/self/fd/2 high " + PAYLOAD, only_errors),
    T("inject-only-input", "{esc} inject 0 high " + PAYLOAD, only_input),
    T("inject-read-only", "{esc} inject 0 high " + PAYLOAD, mode="read-only"),
    T("selection", "{esc} selection 0 low", effect=lambda s: s.status == 0),
    T("selection-high", "{esc} selection 0 high", effect=lambda s: s.status == 0),
    T("selection-output", "{esc} selection 1 high", only_output, effect=lambda s: s.status == 0),
    T("selection-output-low", "{esc} selection 1 low", only_output, effect=lambda s: s.status == 0),
    T("selection-errors", "{esc} selection 2 higher", only_errors, effect=lambda s: s.status == 0),
    T("settings-by-name", "{esc} settings " + TTY, effect=changed),
    T("root-steal", "{esc} steal 1 " + PAYLOAD, only_output, user="root"),
]

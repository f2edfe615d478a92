"""Descriptors left open by the caller."""
import os
import socket
import array


def directory(number):
    return lambda s: s.keep(os.open(s.o, os.O_RDONLY), number)


def opath(number):
    return lambda s: s.keep(os.open(s.o, os.O_PATH), number)


def file(number, flags=os.O_RDWR):
    return lambda s: s.keep(os.open(f"{s.o}/file", flags), number)


def stdin_from(path, flags):
    def before(s):
        fd = os.open(s.fill(path), flags)
        s.stdin = fd
        s.stack.callback(s.shut, fd)
    return before


def received(s):
    a, b = socket.socketpair()
    d = os.open(s.o, os.O_RDONLY)
    a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [d]))])
    os.close(d)
    s.stack.callback(a.close)
    s.keep(b.detach(), 9)


def tcp_connected(s):
    server = socket.create_server(("127.0.0.1", 0))
    c = socket.create_connection(server.getsockname())
    conn, _ = server.accept()
    conn.settimeout(0.2)
    s.data["conn"] = conn
    s.stack.callback(server.close)
    s.stack.callback(conn.close)
    s.keep(c.detach(), 8)


def arrived(s):
    try:
        return bool(s.data["conn"].recv(100))
    except OSError:
        return False


def victim_pidfd(s):
    p = s.victim()
    s.keep(os.pidfd_open(p.pid), 6)


def died(s):
    import time
    time.sleep(0.1)
    return s.data["victim"].poll() is not None


def output_log(s):
    s.put("{o}/log", "{token}\n")
    fd = os.open(f"{s.o}/log", os.O_WRONLY | os.O_APPEND)
    s.stack.callback(s.shut, fd)
    s.stdout_fd = s.stderr_fd = fd
    s.data["ran"] = True  # its output goes to the log


def standard_directory(number):
    def before(s):
        fd = os.open(s.o, os.O_RDONLY)
        s.stack.callback(s.shut, fd)
        if number == 0:
            s.stdin = fd
        elif number == 1:
            s.stdout_fd = fd
        else:
            s.stderr_fd = fd
        s.data["ran"] = number == 2 or number == 1
    return before


ATTEMPTS = [
    A("leaked-directory", "{esc} fd-create 3 new", before=directory(3)),
    A("leaked-directory-high", "{esc} fd-create 700 new", before=directory(700)),
    A("leaked-path-descriptor", "{esc} fd-create 5 new", before=opath(5)),
    A("leaked-any", "{esc} fd-any-create new", before=directory(57)),
    A("leaked-by-proc", "echo x > /proc/self/fd/4/new", before=directory(4)),
    A("leaked-dotdot", "cd -P /proc/self/fd/4/.. && echo x > new",
      before=lambda s: (s.mkdir("{o}/d"), s.keep(os.open(f"{s.o}/d", os.O_RDONLY), 4))),
    A("leaked-file", "{esc} fd-write 7", before=file(7, os.O_WRONLY | os.O_APPEND)),
    A("leaked-socket", "{esc} fd-write 8", before=tcp_connected, effect=arrived),
    A("leaked-pidfd", "{esc} fd-kill 6", before=victim_pidfd, effect=died),
    A("leaked-rights", "{esc} fd-receive 9 new", before=received),
    A("leaked-mount-namespace", "{esc} fd-setns 8", user="root",
      before=lambda s: s.keep(os.open("/proc/self/ns/mnt", os.O_RDONLY), 8)),
    A("leaked-past-closing", "{esc} fd-create 3 new; {esc} fd-create 4 new", before=directory(4),
      opts=("--status-fd", "2")),
    A("passed-is-not-more", "{esc} fd-create 5 new", opts=("--pass-fd", "3"),
      before=lambda s: (s.keep(os.open("/dev/null", os.O_RDONLY), 3), opath(5)(s))),
    A("passed-directory", "{esc} fd-create 3 new", before=directory(3), opts=("--pass-fd", "3")),
    A("passed-directory-high", "{esc} fd-create 700 new", before=directory(700), opts=("--pass-fd", "700")),
    A("passed-path-directory", "{esc} fd-create 3 new", before=opath(3), opts=("--pass-fd", "3")),
    A("passed-root", "cd -P /proc/self/fd/3/{o} && echo x > new", opts=("--pass-fd", "3"),
      before=lambda s: s.keep(os.open("/", os.O_RDONLY), 3)),
    A("passed-dotdot", "cd -P /proc/self/fd/3/.. && echo x > new", opts=("--pass-fd", "3"),
      before=lambda s: (s.mkdir("{o}/d"), s.keep(os.open(f"{s.o}/d", os.O_RDONLY), 3))),
    A("passed-protected", "{esc} fd-create 3 pre-commit", opts=("--pass-fd", "3"),
      before=lambda s: (s.mkdir("{w}/.git/hooks"), s.keep(os.open(f"{s.w}/.git/hooks", os.O_RDONLY), 3)),
      effect=lambda s: os.path.exists(f"{s.w}/.git/hooks/pre-commit")),
    A("passed-masked", "cat /proc/self/fd/3/secret", mode=None, leak=True, refusal=True, opts=("--pass-fd", "3"),
      before=directory(3),
      config='[permissions.test]\nextends = ":workspace"\n[permissions.test.filesystem]\n"{o}" = "none"\n'),
    A("passed-masked-inside", "cat /proc/self/fd/3/secret", mode=None, leak=True, opts=("--pass-fd", "3"),
      before=directory(3),
      config='[permissions.test]\nextends = ":workspace"\n[permissions.test.filesystem]\n'
             '"{o}/secret" = "none"\n'),
    A("passed-path-file", "{esc} fd-reopen 3 /proc/self/fd", opts=("--pass-fd", "3"),
      before=lambda s: s.keep(os.open(f"{s.o}/file", os.O_PATH), 3)),
    A("passed-file-reopened", "{esc} fd-reopen 3 /proc/self/fd", before=file(3, os.O_RDONLY),
      opts=("--pass-fd", "3")),
    A("stdin-path-file", "{esc} fd-reopen 0 /proc/self/fd", refusal=True, before=stdin_from("{o}/file", os.O_PATH)),
    A("stdin-directory", "{esc} fd-create 0 new", before=standard_directory(0), refusal=True),
    A("stdout-directory", "{esc} fd-create 1 new", before=standard_directory(1), refusal=True),
    A("stderr-directory", "{esc} fd-create 2 new", before=standard_directory(2), refusal=True),
    A("stdin-path-directory", "{esc} fd-create 0 new", refusal=True,
      before=stdin_from("{o}", os.O_PATH)),
    A("stdin-reopened-for-writing", "{esc} fd-reopen 0 /proc/self/fd", refusal=True,
      before=stdin_from("{o}/file", os.O_RDONLY)),
    A("stdin-reopened-dev-fd", "{esc} fd-reopen 0 /dev/fd",
      before=stdin_from("{o}/file", os.O_RDONLY)),
    A("stdin-protected-reopened", "{esc} fd-reopen 0 /proc/self/fd",
      before=lambda s: (s.put("{w}/.git/config", "was\n"), stdin_from("{w}/.git/config", os.O_RDONLY)(s)),
      effect=lambda s: open(f"{s.w}/.git/config").read() != "was\n"),
    A("stdout-log-read-back", "{esc} fd-read-back 2 > {w}/copy", before=output_log, mode=None,
      config='[permissions.test]\nextends = ":workspace"\n[permissions.test.filesystem]\n'
             '"{o}/log" = "none"\n', o_changes=True,
      effect=lambda s: os.path.exists(f"{s.w}/copy") and s.token in open(f"{s.w}/copy").read()),
    A("stdin-masked-reopened", "{esc} fd-reopen 0 /proc/self/fd", mode=None,
      before=stdin_from("{o}/secret", os.O_RDONLY),
      config='[permissions.test]\nextends = ":workspace"\n[permissions.test.filesystem]\n'
             '"{o}/secret" = "none"\n'),
]

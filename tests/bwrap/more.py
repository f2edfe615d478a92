"""What of `bawn bwrap` takes more than one command line: namespaces that somebody else made, ids mapped
from outside, a parent that dies, a terminal, files swapped while the sandbox is being made."""
import array
import fcntl
import json
import os
import pty
import select
import signal
import subprocess
import termios
import time

SECONDS = 20


def as_user(who):
    def change():
        if who:
            os.setgroups([])
            os.setgid(who["group"])
            os.setuid(who["user"])
    return change


def wait_for(what, condition):
    end = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"never came: {what}")
        time.sleep(0.002)


def inheritable(*fds):
    for fd in fds:
        os.set_inheritable(fd, True)


class Holder:
    """A process in namespaces of its own, which stay as long as it does."""

    def __init__(self, who, nested):
        # Two of them: the outer one's user namespace, and one more below it.
        script = "echo x; exec unshare -U -r sh -c 'echo y; exec sleep 60'" if nested else "echo x; echo y; exec sleep 60"
        self.p = subprocess.Popen(["unshare", "-U", "-r", "-p", "--kill-child", "-f", "sh", "-c", script],
                                  stdout=subprocess.PIPE, preexec_fn=as_user(who))
        assert self.p.stdout.read(4) == b"x\ny\n"
        children = open(f"/proc/{self.p.pid}/task/{self.p.pid}/children", encoding="ascii").read().split()
        self.inside = children[0]
        self.fds = [os.open(f"/proc/{self.p.pid}/ns/user", os.O_RDONLY), os.open(f"/proc/{self.inside}/ns/pid", os.O_RDONLY),
                    os.open(f"/proc/{self.inside}/ns/user", os.O_RDONLY)]
        inheritable(*self.fds)

    def end(self):
        for fd in self.fds:
            os.close(fd)
        self.p.kill()
        self.p.wait()
        self.p.stdout.close()


def entered(world, program, who, words, nested=False):
    holder = Holder(who, nested)
    try:
        numbers = dict(zip(("{USER}", "{PID}", "{USER2}"), map(str, holder.fds)))
        argv = [program] + [numbers.get(w, w) for w in words] + [
            "sh", "-c", "for n in user pid; do readlink /proc/self/ns/$n; done; cat /proc/self/uid_map; test $$ -lt 100 && echo $$; exit 3"]
        r = subprocess.run(argv, capture_output=True, text=True, close_fds=False, preexec_fn=as_user(who), cwd="/", timeout=SECONDS)
        names = {os.readlink(f"/proc/self/fd/{fd}"): word for word, fd in zip(numbers, holder.fds)}
        lines = [names.get(line, line if "[" not in line else "new") for line in r.stdout.splitlines()]
        return r.returncode, lines, r.stderr
    finally:
        holder.end()


def mapped(world, program, who):
    """--userns-block-fd: the ids are mapped by somebody outside, who learns the pid from --info-fd."""
    info_r, info_w = os.pipe()
    block_r, block_w = os.pipe()
    inheritable(info_w, block_r)
    p = subprocess.Popen([program, "--unshare-user", "--info-fd", str(info_w), "--userns-block-fd", str(block_r), "--ro-bind", "/", "/",
                          "sh", "-c", "cat /proc/self/uid_map; id -u"], stdout=subprocess.PIPE, text=True, preexec_fn=as_user(who),
                         pass_fds=(info_w, block_r), cwd="/")
    os.close(info_w)
    os.close(block_r)
    text = b""
    while not text.endswith(b"}\n"):
        text += os.read(info_r, 4096) or b"}\n"
    pid = json.loads(text)["child-pid"]
    uid = who["user"] if who else os.getuid()
    with open(f"/proc/{pid}/uid_map", "w", encoding="ascii") as f:
        f.write(f"{uid} {uid} 1\n")
    with open(f"/proc/{pid}/setgroups", "w", encoding="ascii") as f:
        f.write("deny")
    with open(f"/proc/{pid}/gid_map", "w", encoding="ascii") as f:
        f.write(f"{uid} {who['group'] if who else os.getgid()} 1\n")
    os.write(block_w, b"x")
    out = p.communicate(timeout=SECONDS)[0]
    for fd in (info_r, block_w):
        os.close(fd)
    return p.returncode, out.split()


def orphaned(world, program, who, words):
    """The one that started it is killed: so is everything inside. Its end is that of a pipe's."""
    r, w = os.pipe()
    inheritable(w)
    started_r, started_w = os.pipe()
    inheritable(started_w)
    # The shell is the parent; it does not exec, for the colon that follows.
    parent = subprocess.Popen(["sh", "-c", '"$@"; :', "sh", program, "--ro-bind", "/", "/", "--dev", "/dev", "--die-with-parent", *words,
                               "sh", "-c", f"echo on >&{started_w}; exec {started_w}>&-; exec sleep 60"],
                              pass_fds=(w, started_w), preexec_fn=as_user(who), cwd="/")
    os.close(w)
    os.close(started_w)
    assert os.read(started_r, 3) == b"on\n"
    alive = not select.select([r], [], [], 0)[0]
    parent.kill()
    parent.wait()
    gone = bool(select.select([r], [], [], SECONDS)[0]) and os.read(r, 1) == b""
    os.close(r)
    os.close(started_r)
    return alive, gone


def terminal(world, program, who, words):
    """With a terminal as standard output there is a /dev/console that is it."""
    master, slave = pty.openpty()
    if who:
        os.chown(os.ttyname(slave), who["user"], -1)
    attr = termios.tcgetattr(slave)
    attr[1] &= ~termios.OPOST
    termios.tcsetattr(slave, termios.TCSANOW, attr)
    p = subprocess.Popen([program, "--ro-bind", "/", "/", "--dev", "/dev", *words, "sh", "-c",
                          "tty; ls /dev | tr '\\n' ' '; test -c /dev/console && echo there >/dev/console; echo end"],
                         stdin=slave, stdout=slave, stderr=slave, preexec_fn=as_user(who), cwd="/")
    p.wait(timeout=SECONDS)
    os.close(slave)
    out = b""
    while True:
        try:
            more = os.read(master, 4096)
        except OSError:
            more = b""
        if not more:
            break
        out += more
    os.close(master)
    return p.returncode, out.decode()


def interrupted(world, program, who, words, number):
    """A signal to the launcher is not passed on; its own end is by that signal."""
    r, w = os.pipe()
    p = subprocess.Popen([program, "--ro-bind", "/", "/", "--die-with-parent", *words, "sh", "-c", f"echo on >&{w}; exec sleep 60"],
                         pass_fds=(w,), preexec_fn=as_user(who), cwd="/")
    os.close(w)
    assert os.read(r, 3) == b"on\n"
    p.send_signal(number)
    p.wait(timeout=SECONDS)
    gone = bool(select.select([r], [], [], SECONDS)[0]) and os.read(r, 1) == b""
    os.close(r)
    return p.returncode, gone


def swapped(world, who, ops, swap, command):
    """Stops the set-up at a --file whose pipe is not closed yet, lets SWAP change the files, goes on."""
    world.fresh()
    r, w = os.pipe()
    inheritable(r)
    argv = [world.ours] + [word.replace("{W}", world.w).replace("{FD}", str(r)) for word in ops + command]
    p = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, pass_fds=(r,), preexec_fn=as_user(who), cwd="/")
    os.write(w, b"x")
    left = array.array("i", [0])

    def taken():
        fcntl.ioctl(r, termios.FIONREAD, left)
        return left[0] == 0 or p.poll() is not None

    wait_for("the set-up's reading of the pipe", taken)
    swap(world.w)
    os.close(r)
    os.close(w)
    out, err = p.communicate(timeout=SECONDS)
    return p.returncode, out, err


def run(world, bwrap, who, tell):
    def both(name, f, *args, **more):
        there, here = f(world, bwrap, who, *args, **more), f(world, world.ours, who, *args, **more)
        tell(there == here, name, f"{there!r}, here {here!r}")

    host = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    both("userns entered", entered, ["--userns", "{USER}", *host[:3]])
    both("userns and pidns entered", entered, ["--userns", "{USER}", "--pidns", "{PID}", *host[:3], "--proc", "/proc"])
    both("a pid namespace below the one entered", entered, ["--userns", "{USER}", "--pidns", "{PID}", "--unshare-pid", *host[:3],
                                                           "--proc", "/proc"])
    both("userns2", entered, ["--userns", "{USER}", "--userns2", "{USER2}", *host[:3]], nested=True)
    both("ids mapped from outside", mapped)
    both("dies with its parent", orphaned, [])
    both("dies with its parent, pid namespace", orphaned, ["--unshare-pid"])
    both("dies with its parent, all", orphaned, ["--unshare-all", "--proc", "/proc"])
    both("a terminal", terminal, ["--unshare-pid", "--proc", "/proc"])
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        both(f"ends by {number.name}", interrupted, ["--unshare-pid"], number)

    # A source is what it was when the set-up began.
    def swap_source(w):
        os.rename(f"{w}/dir", f"{w}/was")
        os.symlink("ro", f"{w}/dir")

    r = swapped(world, who, ["--ro-bind", "/", "/", "--tmpfs", "/mnt", "--file", "{FD}", "/mnt/wait", "--bind", "{W}/dir", "/mnt/d"],
                swap_source, ["cat", "/mnt/d/file"])
    tell(r == (0, "one\n", ""), "a source swapped during the set-up", r)

    # A place is never followed out of the new root, also when it becomes a link meanwhile.
    for name, link in (("absolute", "{W}/ro"), ("by dots", "../../../../../../../../{W}/ro"), ("to the old root", "/oldroot{W}/ro")):
        def swap_place(w, link=link):
            os.rmdir(f"{w}/links/place")
            os.symlink(link.replace("{W}", w), f"{w}/links/place")

        def make(w):
            os.mkdir(f"{w}/links/place")

        fresh = world.fresh

        def prepared():
            fresh()
            make(world.w)
            if who:
                os.chown(f"{world.w}/links/place", who["user"], who["group"])

        world.fresh = prepared
        r = swapped(world, who, ["--ro-bind", "/usr", "/usr", "--symlink", "usr/lib64", "/lib64", "--symlink", "usr/lib", "/lib", "--bind",
                                 "{W}/links", "/l", "--file", "{FD}", "/wait", "--dir", "/l/place/made", "--ro-bind", "/dev/null", "/l/place/file"],
                    swap_place, ["/usr/bin/true"])
        world.fresh = fresh
        made = [n for n in ("made", "file") if os.path.lexists(f"{world.w}/ro/{n}")]
        tell(not made and r[0] == 1, f"a place swapped for a link out, {name}", (made, r))

    # As a subcommand, and not taken for bubblewrap by bawn itself.
    r = subprocess.run([world.bawn, "bwrap", "--ro-bind", "/", "/", "echo", "x"], capture_output=True, text=True, preexec_fn=as_user(who), cwd="/")
    tell((r.returncode, r.stdout) == (0, "x\n"), "bawn bwrap", r)
    home = os.path.join(world.top, "home")
    os.makedirs(os.path.join(home, ".bawn"), exist_ok=True)
    if who:
        subprocess.run(["chown", "-R", str(who["user"]), home], check=True)
    r = subprocess.run([world.bawn, "sandbox", "-s", "read-only", "-c", 'sandbox_backend="bwrap"', "--", "true"], capture_output=True, text=True,
                       preexec_fn=as_user(who), cwd="/", env={"PATH": world.bin, "HOME": home, "BAWN_HOME": home + "/.bawn"})
    tell(r.returncode == 125 and "none on PATH" in r.stderr, "bawn does not take itself for bubblewrap", r)
    # Many masks: as many as there are files.
    words = ["--ro-bind", "/", "/", "--tmpfs", "/mnt"] + ["--dir", "/mnt/d"]
    for i in range(20000):
        words += ["--ro-bind", "/dev/null", f"/mnt/d/{i}"]
    fd = os.memfd_create("args")
    os.write(fd, b"".join(w.encode() + b"\0" for w in words))
    os.lseek(fd, 0, os.SEEK_SET)
    inheritable(fd)
    r = subprocess.run([world.ours, "--args", str(fd), "sh", "-c", "ls /mnt/d | wc -l; cat /mnt/d/19999; grep -c ' /mnt/d/' /proc/self/mountinfo"],
                       capture_output=True, text=True, preexec_fn=as_user(who), pass_fds=(fd,), cwd="/", timeout=60)
    os.close(fd)
    tell((r.returncode, r.stdout) == (0, "20000\n20000\n"), "20000 masks", (r.returncode, r.stdout, r.stderr[-300:]))

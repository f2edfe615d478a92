"""The table. COMMON rows hold on every backend that confines files; the rest is each backend's own."""
import fcntl
import os
import pty
import select
import shutil
import signal
import socket
import stat
import struct
import subprocess
import tempfile
import time

from run import ROOT, USER, alive, until


# ---- how a row is judged ----

def script(text, status=0, out=None, exact=None, no=None, opts=(), profile="t", input=None, env=()):
    """Shell text run inside; its status and what it printed."""
    def test(s):
        st, text_out = s.run(text, *opts, profile=profile, input=input, env=env)
        if st != status:
            return f"status {st}, not {status}: {text_out.strip()[:300]!r}"
        if exact is not None and text_out != s.fill(exact):
            return f"printed {text_out[:200]!r}"
        for want in [out] if isinstance(out, str) else out or ():
            if s.fill(want) not in text_out:
                return f"{want!r} is not in {text_out.strip()[:300]!r}"
        for bad in [no] if isinstance(no, str) else no or ():
            if bad in text_out:
                return f"{bad!r} is in {text_out.strip()[:300]!r}"
    return test


def refused(text, file=None, content=None, no="token", **kw):
    """The text must fail, show no secret, and leave FILE as it was."""
    def test(s):
        st, out = s.run(text, **kw)
        if st == 0 or st == 125:
            return f"status {st}: {out.strip()[:300]!r}"
        if no in out:
            return f"{no!r} came out"
        if file and s.read(file) != content:
            return f"{file} is {s.read(file)!r}"
    return test


PY = "python3 -c "


def python(text, **kw):
    return script(PY + "'" + text + "'", **kw)


# ---- rows that take more than a script ----

def outside_socket(name, abstract=False):
    def test(s, want):
        srv = socket.socket(socket.AF_UNIX)
        s.stack.callback(srv.close)
        addr = "\0" + name + os.path.basename(s.t) if abstract else f"{s.o}/{name}"
        srv.bind(addr)
        if not abstract:
            os.chmod(addr, 0o777)
        srv.listen()
        shown = addr.replace("\0", "\\0")
        st, out = s.run(["python3", "-c", "import socket\nc=socket.socket(socket.AF_UNIX)\n"
                         f"c.connect('{shown}')\nprint('connected')"])
        got = "connected" in out
        if got != want:
            return f"connected: {got}; {out.strip()[-200:]!r}"
        if not want:  # nobody may even have knocked
            srv.setblocking(False)
            try:
                srv.accept()
                return "the listener was connected to"
            except BlockingIOError:
                return None
    return test


def dial_outside(s):
    srv = socket.socket()
    s.stack.callback(srv.close)
    srv.bind(("127.0.0.1", 0))
    srv.listen()
    return script(PY + f"'import socket; socket.create_connection((\"127.0.0.1\", {srv.getsockname()[1]}), 3)'",
                  status=1)(s)


def kill_victim(s):
    p = s.popen(["sleep", "60"], bawn=False)
    s.stack.callback(p.kill)
    st, out = s.run(f"kill -9 {p.pid}")
    return "it was killed" if p.poll() is not None or st == 0 else None


def mark(s):
    """An argument for sleep that no other run has."""
    return str(1000 + int.from_bytes(os.urandom(3), "big") / 2 ** 24)


def background_ends(s):
    m = mark(s)
    st, out = s.run(f"sleep {m} & (setsid sleep {m} &) ; sleep 0.2; exit 3")
    if st != 3:
        return f"status {st}: {out!r}"
    return None if until(lambda: not alive(m)) else "something was left running"


def dies_with_bawn(s):
    m = mark(s)
    p = s.popen(["/bin/sh", "-c", f"(setsid sh -c 'sleep {m} & sleep {m}' &) ; sleep {m}"])
    if not until(lambda: len(alive(m)) >= 3):
        p.kill()
        return "it did not start"
    p.kill()
    p.wait()
    return None if until(lambda: not alive(m)) else f"left running: {alive(m)}"


def dies_at_any_time(s):
    """SIGKILL at each moment of the set-up: nothing is left, and nothing was ever run without bawn."""
    m = mark(s)
    for i in range(150):
        p = s.popen(["sleep", m], stdout=subprocess.DEVNULL)
        time.sleep(i * 0.0002)
        p.kill()
        p.wait()
    if not until(lambda: not alive(m)):
        return f"left running: {alive(m)}"
    def left():
        n = 0
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    words = f.read().split(b"\0")
            except OSError:
                continue
            n += os.path.basename(words[0]) in (b"bwrap", b"bawn") and _cwd(pid).startswith(s.t)
        return n
    if not until(lambda: left() == 0):
        return "a bwrap or a bawn is left"
    st, out = s.run("true")
    if st != 0:
        return f"the next start: {out!r}"
    names = set(os.listdir(s.w)) - {"sub", ".git", "box", "maskd", "file", "secret", "held"}
    return f"left in the workspace: {names}" if names else None


def _cwd(pid):
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return ""


def forwards_term(s):
    p = s.popen(["/bin/sh", "-c", "trap 'echo got; exit 9' TERM; echo ready; while :; do sleep 0.05; done"])
    p.stdout.readline()
    p.send_signal(signal.SIGTERM)
    out = p.stdout.read().decode()
    st = p.wait()
    return None if st == 9 and "got" in out else f"status {st}, {out!r}"


def group_interrupt(s):
    """What a terminal does: SIGINT to the whole foreground group. The command decides, nobody else dies."""
    p = s.popen(["/bin/sh", "-c", "trap 'echo got; exit 9' INT; echo ready; while :; do sleep 0.05; done"])
    p.stdout.readline()
    os.killpg(p.pid, signal.SIGINT)
    out = p.stdout.read().decode()
    st = p.wait()
    return None if st == 9 and "got" in out else f"status {st}, {out!r}"


def on_terminal(text, want, status=0, bad=None):
    def test(s):
        master, slave = pty.openpty()
        s.stack.callback(os.close, master)
        if ROOT:
            os.fchown(slave, USER.pw_uid, -1)
        p = s.popen(["/bin/sh", "-c", text], stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        out, end = b"", time.monotonic() + 15
        while time.monotonic() < end:
            if select.select([master], [], [], 0.05)[0]:
                try:
                    out += os.read(master, 4096)
                except OSError:
                    break
            elif p.poll() is not None:
                break
        if p.poll() is None:
            p.kill()
        st = p.wait()
        if st != status or want.encode() not in out or (bad and bad.encode() in out):
            return f"status {st}, {out!r}"
    return test


def other_terminal(s):
    """Another terminal of the same user is not to be opened."""
    master, slave = pty.openpty()
    s.stack.callback(os.close, master)
    s.stack.callback(os.close, slave)
    name = os.ttyname(slave)
    if ROOT:
        os.fchown(slave, USER.pw_uid, -1)
        os.fchmod(slave, 0o600)
    st, out = s.run(f"echo TOKEN > {name}")
    os.set_blocking(master, False)
    try:
        return f"it was written to: {os.read(master, 99)!r}" if os.read(master, 99) else None
    except BlockingIOError:
        return None


def passes_fd(s):
    r, w = os.pipe()
    s.stack.callback(os.close, r)
    os.dup2(w, 9, inheritable=True)
    os.close(w)
    p = s.popen(["/bin/sh", "-c", "echo through >&9"], "--pass-fd", "9", pass_fds=(9,))
    os.close(9)
    p.communicate()
    return None if os.read(r, 99) == b"through\n" else f"status {p.returncode}"


def status_lines(s):
    r, w = os.pipe()
    s.stack.callback(os.close, r)
    os.dup2(w, 9, inheritable=True)
    os.close(w)
    p = s.popen(["/bin/sh", "-c", "exit 5"], "--status-fd", "9", pass_fds=(9,))
    os.close(9)
    p.communicate()
    out = os.read(r, 4096).decode()
    return None if '"started"' in out and '"status":5' in out.replace(" ", "") else out


def no_residue(s):
    before = sorted(os.listdir(s.w))
    s.run("true")
    after = sorted(os.listdir(s.w))
    return None if before == after else f"{before} became {after}"


def late_key(s):
    m = mark(s)
    st, out = s.run("echo token-l > sub/new; mv sub/new sub/late.key; cat sub/late.key", profile="t")
    return "token came out" if "token-l" in out else None


def restricted_slow(s):
    """bawn is kept waiting while it holds the missing names: its sandbox must not make them itself."""
    st = os.stat(f"{s.w}/sub")
    folder = f"{s.bawn}/state/placeholders"
    s.run("true", profile="few")
    if not os.path.isdir(folder):
        return None if s.backend == "landlock" else f"no {folder}"
    journal = f"{folder}/{st.st_dev:x}-{st.st_ino:x}"
    fd = os.open(journal, os.O_RDWR | os.O_CREAT, 0o600)
    if ROOT:
        os.chown(journal, USER.pw_uid, USER.pw_gid)
    fcntl.fcntl(fd, fcntl.F_OFD_SETLKW, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
    p = s.popen(["/bin/sh", "-c", "echo x >sub/n && mkdir sub/.git"], profile="few")
    waiting = until(lambda: any("OFDLCK" in line and "->" in line and f":{st_ino(journal)} " in line
                                for line in open("/proc/locks")))
    time.sleep(0.2)
    made = os.listdir(f"{s.w}/sub")
    os.close(fd)
    out = p.communicate()[0].decode()
    if not waiting or made:
        return f"waited: {waiting}, made {made}"
    if p.returncode in (0, 125) or "sub/.git" not in out or os.listdir(f"{s.w}/sub") != ["n"]:
        return f"status {p.returncode}, {os.listdir(s.w + '/sub')}: {out[:200]!r}"


def st_ino(path):
    return os.stat(path).st_ino


def sysv(s):
    made = subprocess.run(["ipcmk", "-M", "4096", "-p", "0666"], stdout=subprocess.PIPE, text=True).stdout
    number = made.split()[-1]
    s.stack.callback(subprocess.run, ["ipcrm", "-m", number])
    return script("ipcs -m", no=f" {number} ")(s)


def argv_shut(s):
    """The first process of the sandbox shows nothing of the policy."""
    return script("p=$(awk '{print $4}' /proc/self/stat); p=$PPID; tr '\\0' ' ' </proc/$p/cmdline; "
                  "cat /proc/$p/environ; cat /proc/$p/maps; ls /proc/$p/fd; true",
                  no=["token", "held/a", "HOME=", "secret", "[heap]"])(s)


CAPS = "awk '/^Cap(Inh|Prm|Eff|Amb)/ {print $2}' /proc/self/status | sort -u"

COMMON = {
    "status-zero": script("exit 0"),
    "status-own": script("exit 7", status=7),
    "status-signal": script("kill -TERM $$", status=143),
    "status-not-found": lambda s: _status(s, ["no-such-program"], 127),
    "status-not-executable": lambda s: _status(s, ["{w}/file"], 126),
    "status-wall": script("sleep 20", status=124, opts=("-c", "limits.wall_seconds=1")),
    "bytes-through": lambda s: None if s.run(["cat"], input=bytes(range(256)) * 40)[0] == 0 else "cat failed",
    "workspace-write": script("echo x >sub/new && mkdir sub/d && mv sub/new sub/d/n && cat sub/d/n", exact="x\n"),
    "workspace-top": script("echo x >new && cat new", exact="x\n"),
    "tmp-write": script("f=$(mktemp) && rm $f"),
    "outside-read": script("cat {o}/file", exact="out\n"),
    "outside-write": refused("echo x >{o}/file", "o/file", "out\n"),
    "outside-create": refused("echo x >{o}/new", "o/new", None),
    "protected-write": refused("echo x >.git/config", "w/.git/config", "git\n"),
    "protected-create": refused("echo x >.git/new", "w/.git/new", None),
    "protected-rename": refused("mv .git sub/g", "w/.git/config", "git\n"),
    "protected-chmod": refused("chmod 777 .git/config && echo x >.git/config", "w/.git/config", "git\n"),
    "missing-name": refused("mkdir .agents && echo x >.agents/x", "w/.agents/x", None),
    "mask-file": refused("cat secret"),
    "mask-outside": refused("cat {o}/secret"),
    "mask-directory": refused("cat maskd/x"),
    "mask-glob": refused("cat held/early.key"),
    "mask-chmod": refused("chmod 644 secret; cat secret"),
    "mask-replace": refused("mv secret sub/s && cat sub/s", "w/secret", "token-s\n"),
    "mask-list": script("ls maskd 2>/dev/null; ls -a", out="file", no="token"),
    "mask-late": late_key,
    "rename-guarded": refused("mv held/a held/c", "w/held/a/b/rules", "rules\n"),
    "exact-read-entry": refused("echo x >held/a/b/rules", "w/held/a/b/rules", "rules\n"),
    "restricted-read": refused("cat {o}/file", no="out\n", profile="few"),
    "restricted-write": script("echo x >sub/n && cat sub/n", exact="x\n", profile="few"),
    "restricted-stray": refused("echo x >/stray", profile="few"),
    "restricted-stat": refused("stat {o}/file", profile="few"),
    "restricted-slow": restricted_slow,
    "private-tmp": script("ls -A /tmp | wc -l", exact="0\n", opts=("-c", "private_tmp=true")),
    "ids": lambda s: script("id -u; id -g", exact=f"{USER.pw_uid}\n{USER.pw_gid}\n")(s),
    "capabilities": script(CAPS, exact="0000000000000000\n"),
    "bounding-set": script("awk '/^CapBnd/ {print $2}' /proc/self/status", exact="0000000000000000\n"),
    "no-new-privs": script("awk '/^NoNewPrivs|^Seccomp:/ {print $2}' /proc/self/status", exact="1\n2\n"),
    "setuid-idle": script("su -c id 2>&1; ping -c1 127.0.0.1 2>&1; id -u", no="uid=0"),
    "proc-is-private": script("ls -d /proc/[0-9]* | wc -l | awk '{exit $1 > 8}'"),
    "proc-keys": refused("cat /proc/keys || test ! -e /proc/keys"),
    "first-process-shut": argv_shut,
    "dev-nodes": script("echo x >/dev/null; head -c3 /dev/zero | wc -c; head -c3 /dev/urandom | wc -c", exact="3\n3\n"),
    "dev-is-sealed": refused("echo x >/dev/new"),
    "dev-console": refused("exec 3<>/dev/console"),
    "dev-shm": script("echo x >/dev/shm/bawn-t && ls -A /dev/shm", exact="bawn-t\n"),
    "devices-more": lambda s: None if not os.path.exists("/dev/fuse") else script("test -c /dev/fuse",
                           opts=("-c", 'devices=["fuse"]'))(s),
    "sys-read-only": refused("echo 1 >/sys/kernel/mm/ksm/run || echo 1 >/sys/x"),
    "network-outside": dial_outside,
    "loopback-inside": python("import socket; a=socket.socket(); a.bind((\"127.0.0.1\",0)); a.listen(); "
                              "socket.create_connection(a.getsockname())"),
    "unix-inside": python("import socket; a=socket.socket(socket.AF_UNIX); a.bind(\"sub/s\"); a.listen(); "
                          "c=socket.socket(socket.AF_UNIX); c.connect(\"sub/s\"); c.send(b\"hi\"); "
                          "print(a.accept()[0].recv(9).decode())", exact="hi\n"),
    "unix-inside-child": python("import socket,os; a=socket.socket(socket.AF_UNIX); a.bind(\"sub/s\"); a.listen(); "
                                "p=os.fork(); \nif p==0: c=a.accept()[0]; c.send(b\"ch\"); os._exit(0)\n"
                                "a.close(); c=socket.socket(socket.AF_UNIX); c.connect(\"sub/s\"); "
                                "print(c.recv(9).decode())", exact="ch\n"),
    "unix-outside": lambda s: outside_socket("a.sock")(s, False),
    "unix-listed": lambda s: outside_socket("listed.sock")(s, True),
    "unix-abstract-outside": lambda s: outside_socket("bawn-a", True)(s, False),
    "unix-abstract-inside": python("import socket; a=socket.socket(socket.AF_UNIX); a.bind(\"\\0bt\"); a.listen(); "
                                   "socket.socket(socket.AF_UNIX).connect(\"\\0bt\")"),
    "sysv-ipc": sysv,
    "kill-outside": kill_victim,
    "userns": refused("unshare -U true"),
    "mount": refused("unshare -Urm mount -t tmpfs x sub"),
    "hostname": refused("hostname bawn-test"),
    "keyring": python("import ctypes; l=ctypes.CDLL(None); print(l.syscall(250,0,-3,0,0,0))", exact="-1\n"),
    "descriptors": script("ls /proc/self/fd | tr '\\n' ' '", exact="0 1 2 3 "),
    "pass-fd": passes_fd,
    "status-fd": status_lines,
    "environment": script("echo $BAWN_SANDBOX $BAWN_SANDBOX_NETWORK_DISABLED $A_TOKEN", exact="1 1\n",
                          env={"A_TOKEN": "x"}),
    "log-denials": script("echo x >{o}/file; exit 4", status=4, out="{o}/file", opts=("--log-denials",)),
    "log-denials-socket": script(PY + "'import socket; socket.socket(socket.AF_UNIX).connect(\"{o}/l.sock\")'",
                                 status=1, opts=("--log-denials",)),
    "terminal": on_terminal("tty && stty size && test -t 0 && echo >/dev/tty on-tty", "on-tty"),
    "terminal-own": on_terminal("(exec 3<>/dev/console) && echo token || echo shut", "shut", bad="token"),
    "openpty": python("import os; m,s=os.openpty(); os.write(s,b\"x\"); print(os.read(m,1))", exact="b'x'\n"),
    "terminal-other": other_terminal,
    "forwards-term": forwards_term,
    "group-interrupt": group_interrupt,
    "background-ends": background_ends,
    "dies-with-bawn": dies_with_bawn,
    "dies-at-any-time": dies_at_any_time,
    "no-residue": no_residue,
}


def _status(s, argv, want):
    st, out = s.run(argv)
    return None if st == want else f"status {st}, not {want}: {out!r}"


# ---- bwrap's own ----

def explain(s, *opts, backend="auto", path=None, profile=None):
    env = {"PATH": path or s.path, "HOME": s.home, "BAWN_HOME": s.bawn}
    as_user = {"user": USER.pw_uid, "group": USER.pw_gid, "extra_groups": []} if ROOT else {}
    r = subprocess.run([os.path.abspath(os.environ["BAWN"]), "sandbox", "--explain", "-c",
                        f'sandbox_backend="{backend}"', "-P", profile or "t", *opts, "--", "true"],
                       cwd=s.w, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **as_user)
    text = r.stdout.decode(errors="replace")
    return next((x for x in text.splitlines() if x.startswith("backend")), text)


def explained(want, *opts, **kw):
    def test(s):
        line = explain(s, *opts, **kw)
        return None if want in line else line
    return test


def many_mounts(s):
    for i in range(80):
        with open(f"{s.w}/sub/m{i}.key", "w") as f:
            f.write("x")
    line = explain(s, profile="t")
    return None if "bundled" in line and "mounts" in line else line


def link_held(s):
    shutil.rmtree(s.w + "/.git")
    os.mkdir(s.w + "/real")
    os.symlink("real", s.w + "/.git")
    if ROOT:
        os.lchown(s.w + "/.git", USER.pw_uid, USER.pw_gid)
        os.chown(s.w + "/real", USER.pw_uid, USER.pw_gid)
    line = explain(s, profile="t")
    if "bundled" not in line or "symlink" not in line:
        return line
    st, out = s.run("true")
    return None if st == 125 and "symlink" in out else f"{st}: {out!r}"


def planted(where, mode=0o755, dir_mode=None, writable=None):
    """A bwrap where the command may write, or others may, is never run."""
    def test(s):
        d = s.fill(where)
        os.makedirs(d, exist_ok=True)
        with open(d + "/bwrap", "w") as f:
            f.write(f"#!/bin/sh\ntouch {s.t}/planted-ran\nexit 1\n")
        os.chmod(d + "/bwrap", mode)
        if dir_mode:
            os.chmod(d, dir_mode)
        os.chmod(s.t, 0o777)
        if ROOT and writable:
            for p in (d, d + "/bwrap"):
                os.chown(p, USER.pw_uid, USER.pw_gid)
            os.chmod(d + "/bwrap", mode)
        old, s.path = s.path, d + ":" + s.path
        try:
            st, out = s.run("true")
        finally:
            s.path = old
        if os.path.exists(s.t + "/planted-ran"):
            return "it was executed"
        return None if st == 0 else f"the next one was not taken: {st} {out!r}"
    return test


def setuid_planted(s):
    if not ROOT:
        return None
    d = tempfile.mkdtemp(prefix="bawn-suid.", dir="/opt")
    s.stack.callback(shutil.rmtree, d)
    os.chmod(d, 0o755)
    shutil.copy("/usr/bin/bwrap", d + "/bwrap")
    os.chmod(d + "/bwrap", 0o4755)
    line = explain(s, path=f"{d}:/bin-none")
    return None if "setuid" in line and "bundled" in line else line


def clean_environment(s):
    if not s.record:
        return None
    open(s.record, "w").close()
    st, out = s.run("true", env={"LD_PRELOAD": "", "LD_BIND_NOW": "1", "EVIL": "x", "BWRAP_X": "y"})
    with open(s.record) as f:
        env = sorted({x[4:].strip() for x in f if x.startswith("env ")})
    if st != 0:
        return out
    return None if [e.split("=")[0] for e in env if not e.startswith("LC_ALL=C")] == ["PATH"] or \
        {e.split("=")[0] for e in env} <= {"PATH", "LC_ALL", "PWD", "_", "SHLVL"} else str(env)


def swaps(a, b, text, prepare):
    """Somebody swaps what is to be held with something else while sandboxes are set up, a bounded number of
    times. (Not with a link to /oldroot: the stand-in looks before the real bwrap acts, see there.)"""
    def test(s):
        prepare(s)
        if ROOT:
            for base, dirs, files in os.walk(s.w):
                for p in [base] + [os.path.join(base, f) for f in dirs + files]:
                    os.chown(p, USER.pw_uid, USER.pw_gid, follow_symlinks=False)
        swapper = s.popen(["python3", "-c", "import ctypes,time\nl=ctypes.CDLL(None)\nwhile 1:\n"
                           f" l.renameat2(-100,b'{s.w}/{a}',-100,b'{s.w}/{b}',2)\n time.sleep(0.0005)"],
                          bawn=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        s.stack.callback(swapper.wait)
        s.stack.callback(swapper.kill)
        listing = sorted(os.listdir(s.o))
        ran = 0
        for _ in range(40):
            st, out = s.run(text)
            ran += "ran" in out
            if st == 125 and "bawn: " not in out:
                return f"status {st} without a word: {out!r}"
            if "token" in out:
                return "the secret came out"
            if sorted(os.listdir(s.o)) != listing or s.read("o/file") != "out\n":
                return f"outside: {os.listdir(s.o)}"
        return None
    return test


BWRAP = {
    "auto-chooses-it": explained("bwrap: a bwrap that is fit was found"),
    "auto-runs": lambda s: None if s.run("exit 6", "-c", 'sandbox_backend="auto"')[0] == 6 else "status",
    "auto-past-64": many_mounts,
    "auto-link": link_held,
    "auto-unfit": explained("CVE-2026-87766", path="/usr/bin:/bin"),
    "explicit-unfit": lambda s: _unfit(s),
    "planted-workspace": planted("{w}/sub/bin", writable=True),
    "planted-cwd": planted("{w}", writable=True),
    "planted-tmp": planted("{t}/others", dir_mode=0o777),
    "planted-setuid": setuid_planted,
    "environment-clean": clean_environment,
    "swap-directory": swaps("held", "other", "echo ran; cat held/early.key other/early.key",
                            lambda s: shutil.copytree(f"{s.w}/held", f"{s.w}/other")),
    "swap-file": swaps("secret", "sub/decoy", "echo ran; cat {o}/secret",
                       lambda s: shutil.copy(f"{s.w}/file", f"{s.w}/sub/decoy")),
    "swap-git": swaps(".git", "gone", "echo ran; echo x >.git/config; echo x >{o}/file",
                      lambda s: os.mkdir(f"{s.w}/gone")),
    "message-of-its-own": lambda s: _own_message(s),
}


def _unfit(s):
    s.path = "/usr/bin:/bin"
    st, out = s.run("true")
    return None if st == 125 and "CVE-2026-87766" in out else f"{st} {out!r}"


def _own_message(s):
    """What bwrap says becomes a line of bawn's, not one of its own on standard error."""
    st, out = s.run("true", "-c", 'devices=["/dev/null/below"]')
    return None if st in (0, 125) and not any(x.startswith("bwrap:") for x in out.splitlines()) else f"{st} {out!r}"


# ---- landlock's own ----

def says_missing(s):
    st, out = s.run("true", "-c", 'protected_names=[".agents"]', "-c",
                    "sandbox_workspace_write.exclude_slash_tmp=true", profile=":workspace")
    if st != 125 or "protect only what exists" not in out or "-c 'protected_names=[" not in out:
        return f"{st} {out!r}"
    return None


def warns(want, backend=None):
    def test(s):
        p = subprocess.run([os.path.abspath(os.environ["BAWN"]), "sandbox", "-P", "t", "--", "true"], cwd=s.w,
                           env={"PATH": s.path, "HOME": s.home, "BAWN_HOME": s.bawn}, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                           **({"user": USER.pw_uid, "group": USER.pw_gid, "extra_groups": []} if ROOT else {}))
        lines = [x for x in p.stdout.decode().splitlines() if want in x]
        return None if p.returncode == 0 and len(lines) == 1 else f"{p.returncode} {p.stdout!r}"
    return test


LANDLOCK = {
    "missing-name-says-what-to-write": says_missing,
    "notes-closed-directories": warns("landlock: "),
    "private-tmp-refused": script("true", status=125, out="private", opts=("-c", "private_tmp=true")),
    "devices-pts": python("import os; os.openpty()", opts=("-c", 'devices=["/dev/pts"]')),
    "shm-by-entry": lambda s: _shm(s),
    "network-sockets": refused(PY + "'import socket; socket.socket()'"),
    "init-not-killed": script("kill -9 $PPID; exit 3", status=3),
    "rename-across": script("mkdir sub/p sub/q && echo x >sub/p/f && mv sub/p/f sub/q/f && mv sub/p sub/q/p"),
}


def _shm(s):
    with open(f"{s.bawn}/config.toml") as f:
        text = f.read()
    with open(f"{s.bawn}/config.toml", "w") as f:
        f.write(text.replace('[permissions.t.filesystem]\n', '[permissions.t.filesystem]\n"/dev/shm" = "write"\n'))
    return python("import multiprocessing as m; print(m.Pool(2).map(abs,[-1,-2]))", exact="[1, 2]\n")(s)


EXTERNAL = {
    "says-so": warns("files are not confined"),
    "status": script("exit 7", status=7),
    "filter": script("awk '/^NoNewPrivs|^Seccomp:/ {print $2}' /proc/self/status", exact="1\n2\n"),
    "files-open": script("echo x >{o}/new && cat {o}/new", exact="x\n"),
    "network": dial_outside,
    "dies-with-bawn": dies_with_bawn,
    "background-ends": background_ends,
}


def of(backend):
    own = {"bwrap": BWRAP, "landlock": LANDLOCK, "external": EXTERNAL}.get(backend, {})
    return [*(COMMON.items() if backend != "external" else ()), *own.items()]


def names():
    for backend in ("bundled", "bwrap", "landlock", "external"):
        for name, _ in of(backend):
            yield f"{backend}/{name}"

"""What happens to bawn-proxy, and what is round it: it is killed, starved, flooded, asked by others, told to go
through another proxy."""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import scene as scenery

CASES = []
HERE = os.path.dirname(os.path.abspath(__file__))
INSIDE = ["/usr/bin/python3", "-B", os.path.join(HERE, "inside.py")]
CURL = "curl -sS -m 30 http://www.example.com/hello"


class Case:
    def __init__(self, name, call):
        self.name, self.call = name, call


def case(f):
    CASES.append(Case(f.__name__.replace("_", "-"), f))
    return f


class Wrong(Exception):
    """What a case found."""


def audit_lines(s):
    """Of the audit log, all of it."""
    place = s.t + "/bawn/audit"
    for name in sorted(os.listdir(place)):
        if name.endswith(".jsonl"):
            with open(f"{place}/{name}") as f:
                yield from f


def need(good, text, r=None):
    if not good:
        raise Wrong(text + (f"; output {r.text[-600:]!r}, errors {r.errors[-600:]!r}" if r else ""))


def run(s, cases, report):
    for c in cases:
        began, r = time.monotonic(), None
        try:
            r = c.call(s)
            why = None
        except Wrong as e:
            why = str(e)
        except Exception as e:
            why = f"{type(e).__name__}: {e}"
        report.say(c.name, why, r if isinstance(r, scenery.Result) else None, time.monotonic() - began)


# ---- the processes of a run --------------------------------------------------------------------------

def tree(pid):
    """PID's descendants."""
    kids = {}
    for p in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError, ValueError), open(f"/proc/{p}/stat") as f:
            kids.setdefault(int(f.read().rpartition(")")[2].split()[1]), []).append(int(p))
    found, todo = [], [pid]
    while todo:
        for k in kids.get(todo.pop(), []):
            found.append(k)
            todo.append(k)
    return found


def comm(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/comm") as f:
        return f.read().strip()
    return ""


class Running:
    """A command that is inside and has said that it is ready (a line on its output)."""

    def __init__(self, s, command, **more):
        if isinstance(command, str):
            command = ["/bin/bash", "-c", command]
        self.p = s.popen(command, stdin=subprocess.PIPE, **more)
        self.first = self.p.stdout.readline().decode()
        if not self.first:
            out, err = self.p.communicate()
            raise Wrong(f"it did not start: {err.decode(errors='replace')[-600:]}")
        found = [k for k in tree(self.p.pid) if comm(k) == "bawn-proxy"]
        if len(found) != 1:
            self.kill()
            raise Wrong(f"{len(found)} processes are called bawn-proxy")
        self.proxy = found[0]

    def go(self, text="go\n", timeout=60):
        """Lets it go on; Result."""
        try:
            out, err = self.p.communicate(text.encode(), timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            out, err = self.p.communicate()
            raise Wrong(f"it did not end: {out[-300:]!r} {err[-300:]!r}") from None
        return scenery.Result(self.p.returncode, self.first.encode() + out, err)

    def kill(self):
        with contextlib.suppress(OSError):
            os.killpg(self.p.pid, signal.SIGKILL)

    def __enter__(self):
        return self

    def __exit__(self, *a):
        if self.p.poll() is None:
            self.kill()
            self.p.communicate()


def until(good, seconds=30):
    """Waits for GOOD(); the last answer."""
    end = time.monotonic() + seconds
    while not (r := good()) and time.monotonic() < end:
        time.sleep(0.02)
    return r


def descriptors(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return -1


def limit(s, pid, *what):
    """Lowers limits of a process of the user's: which its user may, and root in a container perhaps not."""
    subprocess.run(["prlimit", "--pid", str(pid), *what], check=True, **s.as_user())


def status_of(pid, key):
    with open(f"/proc/{pid}/status") as f:
        return re.search(rf"^{key}:\s*(.*)$", f.read(), re.M)[1]


def ended(pid):
    """Gone, or waited for: between two looks it may go."""
    try:
        return status_of(pid, "State")[0] == "Z"
    except OSError:
        return True


READY = "echo ready; read -r line; "
CLOSED = (f"{CURL}; echo proxied $?; {CURL} -x $ALL_PROXY; echo socks $?; unset $(compgen -e | grep -i proxy); {CURL}; echo bare $?; "
          "curl -sS -m 30 http://93.184.215.20/hello; echo literal $?")


def nothing_passes(r):
    need("hello" not in r.text, f"something passed: {r.text!r}")
    for what in ("proxied", "socks", "bare", "literal"):
        need(re.search(rf"{what} [1-9]", r.text), f"{what} is not refused: {r.text!r} {r.errors[-300:]!r}")


def says_so(r, what="the network is closed"):
    need(re.search(rf"bawn: .*({what})", r.errors), "bawn does not say it", r)


# ---- the end of it ---------------------------------------------------------------------------------------

def ended_by(number):
    def end(s):
        with Running(s, READY + CLOSED) as w:
            os.kill(w.proxy, number)
            until(lambda: ended(w.proxy))
            r = w.go()
        nothing_passes(r)
        says_so(r)
        return r
    return end


for _n in (signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM):
    CASES.append(Case(f"killed-{_n.name[3:].lower()}", ended_by(_n)))


@case
def killed_in_the_middle(s):
    """A transfer is cut, not completed; and the command is not left waiting."""
    with Running(s, "curl -sS -m 60 'http://www.example.com/held?tag=killed' > got & echo ready; wait $!; echo curl $?; cat got; " + CLOSED) as w:
        until(lambda: s.internet.seen("tag=killed"))
        os.kill(w.proxy, signal.SIGKILL)
        r = w.go()
    need(re.search(r"curl [1-9]", r.text), f"curl did not fail: {r.text!r}")
    nothing_passes(r)
    says_so(r)
    s.loop.call_soon_threadsafe(s.internet.gate("killed").set)
    return r


@case
def ends_with_the_command(s):
    with Running(s, READY + "exit 7") as w:
        r = w.go()
        need(r.status == 7, f"status {r.status}")
        need(until(lambda: not os.path.exists(f"/proc/{w.proxy}")), "bawn-proxy is still there")


@case
def ends_with_bawn(s):
    with Running(s, READY + "sleep 100") as w:
        os.kill(w.p.pid, signal.SIGKILL)
        gone = until(lambda: ended(w.proxy))
        need(gone, "bawn-proxy outlives bawn")


@case
def without_the_program(s):
    """No proxy, no command: never an open network instead."""
    d = s.t + "/alone"
    os.makedirs(d, exist_ok=True)
    os.chmod(d, 0o755)
    alone = shutil.copy(s.bawn_program, d + "/bawn")
    old, s.bawn_program = s.bawn_program, alone
    try:
        r = s.run("echo ran; " + CURL)
    finally:
        s.bawn_program = old
    need(r.status != 0 and "ran" not in r.text, f"it ran: {r.status} {r.text!r}")
    need("bawn-proxy" in r.errors, f"it does not say what is missing: {r.errors!r}")
    return r


@case
def without_a_namespace(s):
    """A backend that has no network namespace cannot filter, and says so."""
    r = s.run("echo ran; " + CURL, opts=["-c", 'sandbox_backend="landlock"', "-c", "protected_names=[]", "-c", "protected_agent_names=[]"])
    need(r.status != 0 and "ran" not in r.text, f"it ran: {r.status} {r.text!r}")
    need("network" in r.errors, f"it does not say why: {r.errors!r}")
    return r


# ---- starved and flooded -----------------------------------------------------------------------------------

def starved(s, limits, what, held):
    """With a limit that is reached: what holds on does not let others round the proxy, and bawn says so."""
    with Running(s, f"{READY}{' '.join(INSIDE)} hold {held}; " + CLOSED) as w:
        limit(s, w.proxy, limits(w.proxy))
        r = w.go()
    need(re.search(r"during (?!b'HTTP/1.1 200)", r.text), f"the limit was not reached: {r.text!r}")
    says_so(r, f"the network is closed|{what}")
    return r


@case
def descriptors_exhausted(s):
    return starved(s, lambda pid: f"--nofile={descriptors(pid) + 8}", "descriptor|open files", 200)


@case
def memory_exhausted(s):
    return starved(s, lambda pid: f"--as={int(status_of(pid, 'VmSize').split()[0]) * 1024 + (1 << 18)}", "memory", 6000)


@case
def storm(s):
    """10,000 connections at once."""
    with Running(s, f"{READY}{' '.join(INSIDE)} storm 10000 < /dev/null") as w:
        r = w.go(timeout=110)
        m = re.search(r"(\d+) (\d+)\nafterwards True", r.text)
        need(m, f"it does not work afterwards: {r.text!r} {r.errors[-300:]!r}")
        need(int(m[1]) + int(m[2]) == 10000 and int(m[1]) >= 1000, f"{m[1]} answered, {m[2]} refused")
    return r


@case
def thousand_tunnels(s):
    r = s.run([*INSIDE, "tunnels", "1000"])
    need("carried 1000" in r.text, f"{r.text!r} {r.errors[-300:]!r}")


@case
def vanishing_clients(s):
    """Gone at every byte; nothing of them stays."""
    with Running(s, f"{READY}{CURL}; {' '.join(INSIDE)} vanish < /dev/null; echo done; read -r line") as w:
        w.p.stdin.write(b"go\n")
        w.p.stdin.flush()
        before = descriptors(w.proxy)
        lines = []
        while line := w.p.stdout.readline():
            lines.append(line)
            if line == b"done\n":
                break
        need(b"afterwards True True\n" in lines, f"it does not work afterwards: {lines} ")
        # What is kept for the next request (the pool) is not what stayed.
        few = until(lambda: descriptors(w.proxy) <= before + 20)
        need(few, f"{before} descriptors before, {descriptors(w.proxy)} after")
        r = w.go()
    return r


@case
def deaf_clients(s):
    """Clients that take nothing do not fill the proxy's memory."""
    with Running(s, [*INSIDE, "deaf", "40"]) as w:
        need("meanwhile True" in w.first, f"nobody else is served: {w.first!r}")
        resident = int(status_of(w.proxy, "VmRSS").split()[0])
        need(resident < 64 << 10, f"{resident} kB resident")
        return w.go()


@case
def udp_associate(s):
    r = s.run([*INSIDE, "udp"])
    need(r.text.startswith("reply 0\n"), f"{r.text!r} {r.errors[-300:]!r}")
    need("echo one" in r.text and "echo two" in r.text and "long 1" in r.text, f"{r.text!r} {r.errors[-300:]!r}")
    other = [a for a in s.internet.connections if a[1] == 7007 and a[0] in ("93.184.215.15", "127.0.0.1")]
    need(not other, f"datagrams reached {other}")
    return r


@case
def udp_of_what_is_looked_into(s):
    """HTTP/3 is no way round the rules about requests."""
    rules = ["-c", 'permissions.net.network.requests=[{ host = "v4.example.com", path = "/ok", decision = "allow" }]']
    command = [*INSIDE, "udp_in_order", "v4.example.com", "db.example.com"]
    r = s.run(command)
    need("came" in r.text and "v4.example.com" in r.text, f"without the rules: {r.text!r} {r.errors[-300:]!r}")
    r = s.run(command, opts=rules)
    need("came" in r.text and "db.example.com" in r.text, f"{r.text!r} {r.errors[-300:]!r}")
    return r


# ---- who can use it --------------------------------------------------------------------------------------------

def listening():
    """What somebody could connect to: of TCP and UDP all that is bound, of Unix sockets what listens."""
    found = set()
    for f in ("tcp", "tcp6", "udp", "udp6"):
        with open(f"/proc/net/{f}") as lines:
            for line in list(lines)[1:]:
                w = line.split()
                if f.startswith("udp") or w[3] == "0A":
                    found.add((f, w[1], w[9]))
    with open("/proc/net/unix") as lines:
        for line in list(lines)[1:]:
            w = line.split()
            if w[3] == "00010000":
                found.add(("unix", w[7] if len(w) > 7 else "", w[6]))
    return found


@case
def nobody_else_can(s):
    """Nothing listens on the host for it, and its processes are nobody else's."""
    before = listening()
    with Running(s, READY) as w:
        now = {x for x in listening() - before if not x[0].startswith("udp") or not x[1].endswith(":0035")}
        need(not now, f"new on the host: {now}")
        for pid in [w.proxy, *tree(w.p.pid)]:
            for what in ("fd", "ns/net", "mem", "root", "cwd"):
                r = subprocess.run(["/usr/bin/python3", "-c", "import os, sys\np = sys.argv[1]\n"
                                    "os.listdir(p) if p.endswith(('fd', 'root', 'cwd')) else open(p, 'rb').read(1)", f"/proc/{pid}/{what}"],
                                   user=65534, group=65534, extra_groups=[], capture_output=True)
                need(r.returncode != 0, f"another user gets at /proc/{pid}/{what} ({comm(pid)})")
        w.go()


@case
def two_at_once(s):
    """Each has a proxy of its own, and neither reaches the other's."""
    with Running(s, "echo $HTTP_PROXY; read -r line; " + CURL) as a:
        url = a.first.strip()
        port = url.rstrip("/").rpartition(":")[2]
        r = s.run(f"echo $HTTP_PROXY; {CURL}; unset $(compgen -e | grep -i proxy); curl -sS -m 5 -x '' http://127.0.0.1:{port}/", profile="nothing")
        need("hello" not in r.text, f"the other's rules: {r.text!r}")
        need("hello" in a.go().text, "the first does not work")


@case
def confined(s):
    with Running(s, READY + CURL) as w:
        need(status_of(w.proxy, "Seccomp") == "2", "bawn-proxy has no filter")
        need(status_of(w.proxy, "NoNewPrivs") == "1", "no_new_privs is not set")
        need(int(status_of(w.proxy, "CapEff"), 16) == 0, "bawn-proxy has capabilities")
        need(len(os.listdir(f"/proc/{w.proxy}/task")) == 1, "bawn-proxy has threads")
        need(os.stat(f"/proc/{w.proxy}/fd").st_uid == 0 if scenery.USER else True, "bawn-proxy can be traced by its user")
        r = w.go()
        need("hello" in r.text, f"{r.text!r} {r.errors!r}")
        return r


# ---- through another proxy ---------------------------------------------------------------------------------------

BOTH = f"{CURL}; curl -sS -m 30 https://www.example.com/hello; curl -sS -m 30 -x $ALL_PROXY http://www.example.com/hello; " \
       "unset $(compgen -e | grep -i proxy); curl -sS -m 30 https://www.example.com/hello"


def through(name, env, wants, service=None, script=BOTH, hellos=4, more=None, opts=(), not_wants=(), profile="net"):
    def go(s):
        if service:
            s.service(service)
        begin = len(s.internet.asked_upstream)
        r = s.run(script, profile, opts, env)
        asked = s.internet.asked_upstream[begin:]
        need(r.text.count("hello ") == hellos, f"{r.text!r} {r.errors[-300:]!r}; asked: {asked}")
        for w in wants:
            need(any(w in a for a in asked), f"the upstream was not asked for {w!r}: {asked}")
        for w in not_wants:
            need(not any(w in a for a in asked), f"the upstream was asked for {w!r}")
        if more:
            more(s, r)
        return r
    CASES.append(Case("upstream-" + name, go))


UP = "10.99.0.1"
through("http", {"HTTP_PROXY": f"http://{UP}:3128", "HTTPS_PROXY": f"http://{UP}:3128"}, ["GET http://www.example.com/hello", "CONNECT www.example.com:443"])
through("http-lower", {"http_proxy": f"http://{UP}:3128", "https_proxy": f"http://{UP}:3128"}, ["CONNECT www.example.com:443"])
through("all", {"ALL_PROXY": f"http://{UP}:3128"}, ["CONNECT www.example.com:443"])
through("socks5", {"ALL_PROXY": f"socks5://{UP}:1081"}, ["SOCKS "])
through("socks5h", {"ALL_PROXY": f"socks5h://{UP}:1081"}, ["SOCKS www.example.com:443"])
through("password", {"ALL_PROXY": f"http://us%65r:pass%3aword@{UP}:3128"}, ["CONNECT www.example.com:443 as user:pass:word"])
through("socks5-password", {"ALL_PROXY": f"socks5h://user:word@{UP}:1081"}, ["SOCKS www.example.com:443 as user:word"])
through("tinyproxy", {"HTTP_PROXY": f"http://{UP}:8888", "HTTPS_PROXY": f"http://{UP}:8888"}, [], service="tinyproxy")
through("no-proxy", {"ALL_PROXY": f"http://{UP}:3128", "NO_PROXY": "localhost,.example.com"}, [], not_wants=["www.example.com"])
through("no-proxy-all", {"ALL_PROXY": f"http://{UP}:3128", "NO_PROXY": "*"}, [], not_wants=["example"])
through("no-proxy-other", {"ALL_PROXY": f"http://{UP}:3128", "no_proxy": "example.net,ww.example.com,w.example.com"}, ["www.example.com"])
through("no-proxy-range", {"ALL_PROXY": f"http://{UP}:3128", "NO_PROXY": "93.184.215.0/24"}, [], hellos=1, not_wants=["93.184.215.20"],
        script="curl -sS http://93.184.215.20/hello")
through("refuses-first", {"ALL_PROXY": f"http://{UP}:3128"}, [], hellos=0, not_wants=["never.test", "evil.example.com", "10.1.2.3", "127.0.0.1"],
        script="for h in never.test evil.example.com 10.1.2.3 127.0.0.1; do curl -sS http://$h/; curl -sS https://$h/; curl -sS -x $ALL_PROXY http://$h/; done")
through("dead", {"ALL_PROXY": f"http://{UP}:9"}, [], hellos=0, script=f"{CURL} -i; curl -sS -v https://www.example.com/",
        more=lambda s, r: need("502" in r.text, f"no 502: {r.text!r}"))
through("not-allowed-by-setting", {"ALL_PROXY": f"http://{UP}:3128"}, [], not_wants=["example"],
        opts=["-c", "permissions.net.network.allow_upstream_proxy=false"])
through("forged", {"ALL_PROXY": f"http://{UP}:3128"}, ["refused-upstream"], hellos=0, script="curl -sS -v https://refused-upstream.example.com/",
        more=lambda s, r: need("denylist" not in r.errors and re.search("HTTP/1.1 50[234]", r.errors), f"{r.errors[-500:]!r}"))
through("redirected-names", {"ALL_PROXY": f"http://{UP}:3128"}, ["CONNECT v4.example.com:7007"], hellos=1,
        script="unset $(compgen -e | grep -i proxy); echo 'hello tcp' | nc -N v4.example.com 7007")


# ---- sockets of the file system --------------------------------------------------------------------------------------

def unix_server(path):
    server = socket.socket(socket.AF_UNIX)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    server.bind(path)
    os.chmod(path, 0o777)
    server.listen()

    def serve():
        with contextlib.suppress(OSError):
            while True:
                c, _ = server.accept()
                with c, contextlib.suppress(OSError):
                    c.recv(65536)
                    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\nConnection: close\r\n\r\nhello unix at\n"[:-1])
    threading.Thread(target=serve, daemon=True).start()
    return server


@case
def unix_sockets(s):
    listed, other = s.t + "/listed.sock", s.t + "/unlisted.sock"
    servers = [unix_server(listed), unix_server(other)]
    try:
        r = s.run(f"curl -sS --unix-socket {listed} http://localhost/x; echo direct $?; curl -sS --unix-socket {other} http://localhost/x; echo other $?; "
                  f"curl -sS --noproxy '' -H 'x-unix-socket: {listed}' -x $HTTP_PROXY http://localhost/x; echo through $?; "
                  f"curl -sS -i --noproxy '' -H 'x-unix-socket: {other}' -x $HTTP_PROXY http://localhost/x; "
                  f"curl -sS -i --noproxy '' -H 'x-unix-socket: {s.t}/../{os.path.basename(s.t)}/unlisted.sock' -x $HTTP_PROXY http://localhost/x", profile="sockets")
    finally:
        for x in servers:
            x.close()
    need(re.search("hello unix atdirect 0", r.text), f"direct: {r.text!r} {r.errors!r}")
    need(re.search("other [1-9]", r.text), f"an unlisted one is reached: {r.text!r}")
    need(re.search("hello unix atthrough 0", r.text), f"through the proxy: {r.text!r}")
    need(r.text.count("hello unix") == 2 and re.search("(?i)HTTP/1.1 40[03].*HTTP/1.1 40[03]", r.text, re.S), f"an unlisted one: {r.text!r}")
    need(f"{other} (Unix socket, through the proxy): no rule allows this Unix socket" in r.errors, f"the summary: {r.errors!r}")
    told = [json.loads(line) for line in audit_lines(s) if '"unix_socket"' in line]
    said = {(e["decision"], e["path"]) for e in told if e.get("method") == "GET" and "host" not in e and "port" not in e}
    need({("allow", listed), ("deny", other)} <= said, f"the record: {told}")
    return r


@case
def unix_socket_replaced(s):
    """What the command puts under the name of a listed socket is not that socket: now, or in the next run."""
    listed, other, moved = s.w + "/listed.sock", s.t + "/outside.sock", s.w + "/moved.sock"
    opts = ["-c", f'permissions.sockets.network.unix_sockets={{ "{listed}" = "allow" }}']
    through = f"test -S {listed} && echo there; curl -sS -m 20 --noproxy '' -H 'x-unix-socket: {listed}' -x $HTTP_PROXY http://localhost/x"
    direct = f"curl -sS -m 20 --unix-socket {listed} http://localhost/x"
    for how in (f"ln -sfn {other} {listed}", f"ln -f {moved} {listed}", f"mv -f {moved} {listed}"):
        servers = [unix_server(other), unix_server(moved)]
        for path in (other, moved):
            if scenery.USER:
                os.chown(path, scenery.USER.pw_uid, scenery.USER.pw_gid)
        try:
            for command in (f"{how}; {through}; {direct}", through):
                r = s.run(command, profile="sockets", opts=opts)
                need("there" in r.text, f"{how}: the row itself does not work: {r.text!r} {r.errors!r}")
                need("hello" not in r.text, f"{command}: {r.text!r} {r.errors!r}")
        finally:
            for x in servers:
                x.close()
            for path in (listed, other, moved):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)


SERVE = """
import os, socket, sys
os.chdir(sys.argv[1])
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[2]); os.chmod(sys.argv[2], 0o777); s.listen(); print("bound", flush=True)
while True:
    c = s.accept()[0]
    if c.recv(65536): c.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 10\\r\\nConnection: close\\r\\n\\r\\nhello unix")
    c.close()
"""


@case
def unix_socket_by_the_name_it_was_bound_under(s):
    """What stands at the listed path is the one that was bound there, whatever network its server is in; one that was
    moved there by an earlier run is not."""
    d = s.directory()
    listed = d + "/listed.sock"
    script = f"curl -sS -m 20 --unix-socket {listed} http://localhost/x; " \
             f"curl -sS -m 20 --noproxy '' -H 'x-unix-socket: {listed}' -x $HTTP_PROXY http://localhost/x"
    for before in ([], ["unshare", "--net"]):
        for name, good in ((listed, True), ("listed.sock", True), ("./listed.sock", True), (d + "/other/listed.sock", False),
                           (d + "/other.sock", False), ("other/../other/listed.sock", False)):
            os.makedirs(d + "/other", exist_ok=True)
            server = subprocess.Popen([*before, "/usr/bin/python3", "-c", SERVE, d, name], stdout=subprocess.PIPE)
            try:
                need(server.stdout.readline() == b"bound\n", f"the row itself does not work: {name}")
                path = os.path.join(d, name)
                if not os.path.exists(listed):
                    os.rename(path, listed)
                r = s.run(script, profile="sockets", opts=["-c", f'permissions.sockets.network.unix_sockets={{ "{listed}" = "allow" }}'])
                need(r.text.count("hello unix") == (2 if good else 0), f"bound as {name} {before}: {r.text!r} {r.errors!r}")
            finally:
                server.kill()
                server.communicate()
                os.unlink(listed)


# ---- asking ---------------------------------------------------------------------------------------------------------------

class Asked:
    """Answers questions at a socket; `reach` of each is kept."""

    def __init__(self, s, decide):
        self.s, self.decide, self.requests = s, decide, []
        self.path = f"{s.t}/run/ask{len(os.listdir(s.t + '/run'))}.sock"
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(self.path)
        if scenery.USER:
            os.chown(self.path, scenery.USER.pw_uid, scenery.USER.pw_gid)
        self.server.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                c, _ = self.server.accept()
                threading.Thread(target=self.talk, args=(c,), daemon=True).start()

    def talk(self, c):
        with c, c.makefile("rw") as f:
            for line in f:
                q = json.loads(line)
                self.requests.append(q)
                decision = self.decide(q)
                if decision is None:
                    return
                f.write(json.dumps({"id": q["id"], "decision": decision}) + "\n")
                f.flush()

    def reach(self):
        return [q.get("reach") for q in self.requests]

    def run(self, script, session="one", **more):
        """A run that asks here; answers of one session are remembered for it."""
        old = self.s.argv
        self.s.argv = lambda command, profile, opts: [self.s.bawn_program, "run", "-P", profile, "-a", "on-request", "--ask-via", self.path,
                                                      *opts, "--", *command]
        try:
            return self.s.run(script, env={"BAWN_SESSION": f"{session}-{os.path.basename(self.path)}"}, **more)
        finally:
            self.s.argv = old

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.server.close()


CURL_NEW = "curl -sS -m 30 http://www.example.net/hello"


@case
def ask_yes(s):
    """One question serves all that wait for the same host, port and protocol; another port is another question."""
    def decide(q):
        if ":80 " not in q["reach"]:
            return "no"
        until(lambda: s.internet.seen("all-sent"))
        return "once"
    with Asked(s, decide) as ask:
        r = ask.run(f"{' '.join(INSIDE)} together 5; curl -sS -i http://www.example.net:8080/hello")
        need("answered 5\n" in r.text and "403" in r.text, "not answered as it should be", r)
        need(ask.reach() == ["www.example.net:80 (http)", "www.example.net:8080 (http)"], f"asked: {ask.reach()}", r)
    return r


@case
def ask_loses_nothing(s):
    """What the command does while a question is open waits with it, and then goes on: nothing is lost."""
    def decide(q):
        s.loop.call_soon_threadsafe(s.internet.gate("question-is-open").set)
        return "once"
    with Asked(s, decide) as ask:
        r = ask.run([*INSIDE, "beside"])
        need("meanwhile True\nthen True" in r.text, "not served", r)
    return r


@case
def ask_session(s):
    with Asked(s, lambda q: "session") as ask:
        r = ask.run(f"for i in 1 2 3 4 5; do {CURL_NEW} & done; wait; {CURL_NEW}; {CURL_NEW}")
        need(r.text.count("hello ") == 7 and len(ask.requests) == 1, f"asked: {ask.reach()}", r)
    return r


@case
def ask_no(s):
    """A denial is remembered: a loop is asked about once."""
    with Asked(s, lambda q: "no") as ask:
        r = ask.run(f"for i in 1 2 3 4 5 6; do {CURL_NEW}; done; for i in 1 2 3; do {CURL_NEW} & done; wait")
        need("hello" not in r.text and "www.example.net" in r.text, "no refusals", r)
        need(len(ask.requests) == 1, f"asked {len(ask.requests)} times: {ask.reach()}", r)
    return r


@case
def ask_never_about_what_is_denied(s):
    with Asked(s, lambda q: "once") as ask:
        r = ask.run("for h in evil.example.com 10.1.2.3 127.0.0.1 localhost 169.254.169.254 '[::1]' 93.184.220.66 denied-address.example.com "
                    "mixed.example.com 0x7f.1; do curl -sS -o /dev/null -w '%{http_code} ' http://$h/; done")
        need(r.text == "403 " * 10, "not all are refused", r)
        need(not ask.requests, f"asked: {ask.reach()}", r)
    return r


@case
def ask_nobody_answers(s):
    """Whoever was to be asked is gone: no."""
    with Asked(s, lambda q: None) as ask:
        r = ask.run(CURL_NEW + " -i")
        need("hello" not in r.text and "403" in r.text, "no refusal", r)
        need(len(ask.requests) >= 1, "nobody was asked", r)
    return r


# ---- what is said and written down -------------------------------------------------------------------------------------

@case
def explained(s):
    r = s.run("true", opts=["--explain"])
    need(re.search(r"(?i)filtered", r.text), f"{r.text[-600:]!r}")
    return r


@case
def fixed_addresses(s):
    r = s.run(f"echo $HTTP_PROXY $ALL_PROXY; {CURL}; curl -sS -x $ALL_PROXY http://www.example.com/hello", opts=[
        "-c", 'permissions.net.network.proxy_url="http://127.0.0.1:3111"', "-c", 'permissions.net.network.socks_url="socks5h://127.0.0.1:3112"'])
    need(":3111" in r.text and ":3112" in r.text and r.text.count("hello ") == 2, f"{r.text!r} {r.errors!r}")
    return r


@case
def recorded(s):
    """A refusal is among `bawn denials`, without path, query or body."""
    s.run("curl -sS 'http://never-recorded.test/secret-path?secret-query' -H 'X: secret-header' -d secret-body; curl -sS https://never-recorded.test:444/")
    r = subprocess.run([s.bawn_program, "denials", "--json"], env=s.environ(), cwd=s.w, capture_output=True, **s.as_user())
    text = (r.stdout + r.stderr).decode(errors="replace")
    need("never-recorded.test" in text, f"{text[-600:]!r}")
    need("secret" not in text, f"more than host and port is kept: {text[-600:]!r}")


ASKER = """
import os, socket, sys, time, urllib.parse
p = urllib.parse.urlsplit(os.environ["HTTP_PROXY"])
for to in sys.argv[1:]:
    s = socket.create_connection((p.hostname, p.port))
    s.sendall(f"CONNECT {to} HTTP/1.1\\r\\nHost: {to}\\r\\n\\r\\n".encode())
    print(s.recv(4096).split(b" ")[1].decode())
    time.sleep(0.5)
"""


@case
def who_asked(s):
    """Process and program stand beside what was decided, of one that is still there."""
    refused, allowed = "asked-for.test:444", "www.example.com:443"
    r = s.run(["/usr/bin/python3", "-c", ASKER, refused, allowed])
    need(r.text == "403\n200\n", "what the proxy said", r)
    told = [e for e in map(json.loads, audit_lines(s)) if e.get("pid")]
    for place in refused, allowed:
        host = place.split(":")[0]
        one = [e for e in told if e.get("host") == host and os.path.basename(e["exe"]).startswith("python3")]
        need(one, f"{place} is not recorded with who asked: {told}", r)
        need(one[-1]["pid"] > 1, f"{one[-1]}")
    r = subprocess.run([s.bawn_program, "denials"], env=s.environ(), cwd=s.w, capture_output=True, **s.as_user())
    said = [line for line in r.stdout.decode().splitlines() if "asked-for.test:444" in line]
    need(said and re.search(r" by /\S*python3\S*\[[0-9]+\]$", said[-1]), f"`bawn denials`: {said}")


@case
def unknown_key(s):
    r = s.run("echo ran", opts=["-c", "permissions.net.network.domain={}"])
    need(r.status != 0 and "ran" not in r.text and "domains" in r.errors, f"{r.status} {r.text!r} {r.errors!r}")
    return r


@case
def warned_of_what_is_dangerous(s):
    r = s.run("echo ran", opts=["-c", "permissions.net.network.dangerously_allow_all_unix_sockets=true"])
    need("ran" in r.text and r.errors.count("dangerously_allow_all_unix_sockets") == 1, f"{r.status} {r.text!r} {r.errors!r}")
    return r


@case
def nothing_left_behind(s):
    left = [f"{p} {comm(int(p))}" for p in filter(str.isdigit, os.listdir("/proc")) if comm(int(p)).startswith("bawn")
            and not until(lambda p=p: ended(p), 5)]
    need(not left, f"still there: {left}")

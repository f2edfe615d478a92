"""Through another proxy that is spoken to in TLS: one that does as it should, and those that do not.

Upstream is a proxy of its own for each case, in threads: it notes what it was asked, and the first byte of every
connection (what is not a TLS record's was sent in the clear).
"""
import base64
import contextlib
import hashlib
import os
import re
import select
import signal
import socket
import ssl
import struct
import subprocess
import threading
import urllib.parse

import events
import scene as scenery
import servers
from events import BOTH, CURL, INSIDE, READY, Case, Running, comm, descriptors, need, through, tree, until

CASES = []
NAME = "way.test"  # of the scene's zone: leads to scenery.WEB
SPARE = "10.99.0.1"
REFUSED = '"reason":"upstream_tls_failed"'


def case(f):
    CASES.append(Case("upstream-tls-" + f.__name__.replace("_", "-"), f))
    return f


# ---- certificates ------------------------------------------------------------------------------------------

def certificate(s, kind):
    """Path of a file with a key and a certificate: "good", "other-name", "expired" or "self-signed"."""
    path = f"{s.t}/tls/way-{kind}.pem"
    if os.path.exists(path):
        return path
    name = "elsewhere.test" if kind == "other-name" else NAME
    days = "-1" if kind == "expired" else "2"
    own = "-signkey key" if kind == "self-signed" else f"-CA {s.t}/tls/ca.pem -CAkey {s.t}/tls/ca.key -CAcreateserial"
    with contextlib.suppress(FileExistsError):
        os.mkdir(f"{s.t}/tls/way")
    scenery.sh(f"""cd {s.t}/tls/way
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key -out csr -subj '/CN={name}'
printf 'subjectAltName=DNS:{name},IP:{scenery.WEB}\\n' > ext
openssl x509 -req -in csr {own} -days {days} -extfile ext -out pem
cat key pem > {path}""", stderr=subprocess.DEVNULL)
    return path


# ---- a proxy -------------------------------------------------------------------------------------------------

def read_head(c):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        part = c.recv(1)
        if not part:
            return None
        head += part
    return head


def tunnel(c, there):
    """Both ways until both have said their end; close_notify is one, and is sent as one."""
    ends = {c: there, there: c}
    c.setblocking(True)
    while ends:
        ready = [c] if c in ends and c.pending() else select.select(list(ends), [], [])[0]
        for x in ready:
            data = x.recv(65536)
            if data:
                ends[x].sendall(data)
                continue
            to = ends.pop(x)
            if to is there:
                there.shutdown(socket.SHUT_WR)
            else:
                say_end(c)


def say_end(c):
    """close_notify, and no waiting for the other's."""
    c.setblocking(False)
    with contextlib.suppress(ssl.SSLError, OSError):
        c.unwrap()
    c.setblocking(True)


class Upstream:
    """TALK(self, c), with what is connected in TLS, or (RAW) in no way yet."""

    def __init__(self, s, talk, kind="good", raw=False):
        self.talk, self.raw, self.asked, self.first, self.connections = talk, raw, [], [], 0
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate(s, kind))
        self.context.set_alpn_protocols(["http/1.1"])
        self.done = threading.Event()  # for those that hold on
        self.server = socket.create_server((scenery.WEB, 0), backlog=1024)
        self.port = self.server.getsockname()[1]
        self.url = f"https://{NAME}:{self.port}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                c, _ = self.server.accept()
                self.connections += 1
                threading.Thread(target=self.run, args=(c,), daemon=True).start()

    def run(self, c):
        with contextlib.suppress(OSError, ValueError), c:
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.first.append(c.recv(1, socket.MSG_PEEK))
            if self.raw:
                self.talk(self, c)
                return
            with self.context.wrap_socket(c, server_side=True, suppress_ragged_eofs=False) as tls:
                self.talk(self, tls)

    def environ(self, login=""):
        url = self.url.replace("://", "://" + login)
        return {"HTTP_PROXY": url, "HTTPS_PROXY": url, "ALL_PROXY": url}

    def all_in_tls(self):
        need(self.first and all(x in (b"\x16", b"") for x in self.first), f"sent in the clear: {set(self.first)}")

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.done.set()
        self.server.close()


def note(up, head):
    """(method, target); what was asked is kept as text."""
    method, target, _ = head.decode("latin-1").split("\r\n")[0].split(" ")
    login = re.search(rb"(?i)\r\nproxy-authorization: *basic (\S+)", head)
    up.asked.append(f"{method} {target}" + (f" as {base64.b64decode(login[1]).decode()}" if login else ""))
    return method, target


def proxy(up, c):
    """As it should be, with keep-alive."""
    while head := read_head(c):
        method, target = note(up, head)
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            with socket.create_connection((host.strip("[]"), int(port)), 30) as there:
                there.settimeout(None)
                c.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                tunnel(c, there)
            return
        url = urllib.parse.urlsplit(target)
        path = (url.path or "/") + ("?" + url.query if url.query else "")
        with socket.create_connection((url.hostname, url.port or 80), 30) as there:
            there.settimeout(None)
            there.sendall(re.sub(rb"(?i)\r\n(proxy-[a-z]+|connection): [^\r]*", b"",
                                 head.replace(target.encode(), path.encode(), 1))[:-2] + b"Connection: close\r\n\r\n")
            left = int((re.search(rb"(?i)\r\ncontent-length: *(\d+)", head) or [0, 0])[1])
            while left:
                part = c.recv(min(left, 65536))
                left -= len(part)
                there.sendall(part)
            while part := there.recv(65536):
                c.sendall(part)
    say_end(c)


# ---- as it should be -------------------------------------------------------------------------------------------

U = "https://upstream-user.test:3129"
WEB = "http://www.example.com/hello"


def more_through(*args, **more):
    """Rows like those of the other upstreams, which stand in that list."""
    before = len(events.CASES)
    through(*args, **more)
    CASES.extend(events.CASES[before:])
    del events.CASES[before:]


more_through("tls-both", {"HTTP_PROXY": U, "HTTPS_PROXY": U}, ["GET http://www.example.com/hello", "CONNECT www.example.com:443"])
more_through("tls-all", {"ALL_PROXY": U}, ["CONNECT www.example.com:443"])
more_through("tls-one-of-two", {"HTTP_PROXY": f"http://{SPARE}:3128", "HTTPS_PROXY": U}, ["GET http://www.example.com/hello", "CONNECT www.example.com:443"])
more_through("tls-address", {"ALL_PROXY": f"https://{scenery.WEB}:3129"}, ["CONNECT www.example.com:443"])
more_through("tls-password", {"ALL_PROXY": U.replace("//", "//us%65r:pass%3aword@")},
             ["GET http://www.example.com/hello as user:pass:word", "CONNECT www.example.com:443 as user:pass:word"])
more_through("tls-no-proxy", {"ALL_PROXY": U, "NO_PROXY": "localhost,.example.com"}, [], not_wants=["www.example.com"])
more_through("tls-not-allowed-by-setting", {"ALL_PROXY": U}, [], not_wants=["example"],
             opts=["-c", "permissions.net.network.allow_upstream_proxy=false"])
more_through("tls-refuses-first", {"ALL_PROXY": U}, [], hellos=0, not_wants=["never.test", "evil.example.com", "10.1.2.3", "127.0.0.1"],
             script="for h in never.test evil.example.com 10.1.2.3 127.0.0.1; do curl -sS http://$h/; curl -sS https://$h/; "
                    "curl -sS -x $ALL_PROXY http://$h/; done")
more_through("tls-forged", {"ALL_PROXY": U}, ["refused-upstream"], hellos=0, script="curl -sS -v https://refused-upstream.example.com/",
             more=lambda s, r: need("denylist" not in r.errors and re.search("HTTP/1.1 50[234]", r.errors), f"{r.errors[-500:]!r}"))


@case
def clients(s):
    """git and Python, and what reads no variables."""
    with Upstream(s, proxy) as up:
        r = s.run("cd $(mktemp -d); git clone -q https://git.example.com/git/yard.git y && cat y/n && wc -c < y/big; "
                  "git clone -q http://git.example.com/git/yard.git z && cat z/n; "
                  "python3 -c 'import urllib.request as u; print([u.urlopen(x).read() for x in (\"http://www.example.com/hello\", "
                  "\"https://www.example.com/hello\")])'; "
                  "unset $(compgen -e | grep -i proxy); curl -sS https://www.example.com/hello; curl -sS http://www.example.com/hello",
                  env=up.environ())
        need(r.text.startswith("7\n300000\n7\n") and r.text.count("hello ") == 4, "not all came", r)
        need({"CONNECT git.example.com:443", "CONNECT www.example.com:443"} <= set(up.asked), f"asked: {up.asked}", r)
        need(any(a.startswith("POST http://git.example.com/") for a in up.asked), f"asked: {up.asked}", r)
        up.all_in_tls()
    return r


@case
def keep_alive(s):
    """A connection for each host, which is kept while another one is asked, and for another client."""
    with Upstream(s, proxy) as up:
        api = WEB.replace("www", "api")
        r = s.run(f"curl -sS {WEB} {WEB}?2 {api} {WEB}?3 {api}?2; curl -sS -d x=1 http://www.example.com/echo", env=up.environ())
        need(r.text.count("hello ") == 5 and '"POST"' in r.text, "not all came", r)
        need(len(up.asked) == 6 and up.connections == 2, f"{up.connections} connections for {up.asked}", r)
    return r


@case
def kept_and_closed(s):
    """The other proxy has closed what was kept: the next request goes over a new connection."""
    def once(up, c):
        note(up, read_head(c))
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello ")
    with Upstream(s, once) as up:
        r = s.run(f"curl -sS {WEB} {WEB}?2 {WEB}?3", env=up.environ())
        need(r.text.count("hello ") == 3, "not all came", r)
        need(up.connections == 3, f"{up.connections} connections for {up.asked}", r)
    return r


@case
def big(s):
    """Both ways, in requests and in tunnels."""
    n = 60_000_000
    digest = hashlib.sha256(servers.pattern(n)).hexdigest()
    make = f"python3 -c 'import sys; b = bytes(range(256)) * 256; sys.stdout.buffer.write((b * {n // 65536 + 1})[:{n}])' > big; "
    with Upstream(s, proxy) as up:
        d = s.directory()
        r = s.run(make + "".join(f"curl -sS '{url}://www.example.com/big?n={n}' | sha256sum; curl -sS -T big {url}://www.example.com/echo; "
                                 for url in ("http", "https")), env=up.environ(), cwd=d)
        os.unlink(d + "/big")
        need(r.text.count(f"{digest}  -") == 2, "what came is not what was sent", r)
        need(r.text.count(f'"length": {n}') == 2 or r.text.count(digest) == 4, "what arrived is not what was sent", r)
    return r


ECHO = """
import hashlib, os, socket, threading, urllib.parse
u = urllib.parse.urlsplit(os.environ["HTTP_PROXY"])
s = socket.create_connection((u.hostname, u.port))
s.sendall(b"CONNECT v4.example.com:7007 HTTP/1.1\\r\\nHost: v4.example.com:7007\\r\\n\\r\\n")
head = b""
while b"\\r\\n\\r\\n" not in head:
    head += s.recv(1)
data = os.urandom(1 << 20) * 24
threading.Thread(target=s.sendall, args=(data,), daemon=True).start()
got = b""
while len(got) < len(data):
    part = s.recv(1 << 16)
    assert part, len(got)
    got += part
print("same", got == data)
"""


@case
def both_ways_at_once(s):
    r = s.run(["/usr/bin/python3", "-c", ECHO], env={"ALL_PROXY": U})
    need("same True" in r.text, "it is not", r)
    return r


@case
def half_closed(s):
    """Who has sent all still gets the answer: the end of the one direction travels as close_notify."""
    with Upstream(s, proxy) as up:
        r = s.run("unset $(compgen -e | grep -i proxy); head -c 300000 /dev/zero | timeout 30 nc -N v4.example.com 7071", env=up.environ())
        need(r.text == "got 300000\n", "no answer", r)
    return r


@case
def websocket(s):
    import clients as rows
    with Upstream(s, proxy) as up:
        r = s.run(["/usr/bin/python3", "-c", rows.WEBSOCKET, "wss"], env=up.environ())
        need("echoed" in r.text, "no echo", r)
    return r


@case
def many(s):
    """200 at one time: tunnels that are all open, then requests."""
    with Running(s, f"{READY}{' '.join(INSIDE)} tunnels 200 < /dev/null; {' '.join(INSIDE)} storm 200 < /dev/null; echo over; read -r line",
                 env={"ALL_PROXY": U}) as w:
        intercept = next(k for k in tree(w.p.pid) if comm(k) == "bawn-intercept")
        before = descriptors(intercept)
        w.p.stdin.write(b"go\n")
        w.p.stdin.flush()
        lines = []
        while (line := w.p.stdout.readline()) and line != b"over\n":
            lines.append(line)
        need(lines == [b"carried 200\n", b"200 0\n", b"afterwards True\n"], f"{lines}")
        # Idle connections are kept for a while; nothing else is.
        need(until(lambda: descriptors(intercept) <= before + 2 * 64), f"{before} descriptors before, {descriptors(intercept)} after")
        r = w.go()
    return r


@case
def looked_into(s):
    """What is opened and judged inside goes on through the other proxy, with the secret put in."""
    with Upstream(s, proxy) as up:
        begin = len(s.internet.requests)
        r = s.run("curl -sS https://api.example.com/echo/x; curl -sS -o /dev/null -w '%{http_code}\\n' https://api.example.com/hello; "
                  "curl -sS -T /bin/sh -X POST https://api.example.com/echo/big; curl -sS https://other.example.com/hello",
                  "looked-into", env={**up.environ(), "FORGE_TOKEN": "ghp_0123456789abcdefghij"})
        need("403\n" in r.text and "hello other" in r.text, "not judged", r)
        with open("/bin/sh", "rb") as f:
            need(hashlib.sha256(f.read()).hexdigest() in r.text, "what arrived is not what was sent", r)
        sent = [q.get("authorization") for q in s.internet.requests[begin:] if q.path.startswith("/echo/")]
        need(sent == ["Bearer ghp_0123456789abcdefghij"] * 2, f"the secret: {sent}", r)
        need(set(up.asked) == {"CONNECT api.example.com:443", "CONNECT other.example.com:443"}, f"asked: {up.asked}", r)
    return r


@case
def looked_into_all(s):
    with Upstream(s, proxy) as up:
        r = s.run("curl -sS https://www.example.com/hello; curl -sS -o /dev/null -w '%{http_code}\\n' -d x https://www.example.com/echo",
                  "limited", env=up.environ())
        need("hello " in r.text and "403\n" in r.text, "not judged", r)
        need(set(up.asked) == {"CONNECT www.example.com:443"}, f"asked: {up.asked}", r)
    return r


# ---- as it should not be -----------------------------------------------------------------------------------------

ASKS = f"curl -sS -i -m 40 {WEB}; curl -sS -v -m 40 https://www.example.com/hello; curl -sS -m 40 -x $ALL_PROXY {WEB}; echo socks $?"


def fails(name, why, talk=proxy, **more):
    """502 with the reason, whichever way it is asked; nothing is sent in the clear, and nothing goes round it."""
    def go(s):
        begin = len(s.internet.requests)
        with Upstream(s, talk, **more) as up:
            r = s.run(ASKS, env=up.environ())
            for what in (f"HTTP/1.1 502 .*{REFUSED}.*the proxy {NAME}:{up.port} on the way there: [^\"]*{why}", "socks 97"):
                need(re.search(what, r.text, re.S), f"not said: {what}", r)
            need(re.search("< HTTP/1.1 502 ", r.errors), "no 502 to CONNECT", r)
            lines = re.findall("^bawn: .*", r.errors, re.M)
            need(len(lines) == 1 and re.search(f"network: the proxy {NAME}:{up.port} is not gone through: .*{why}", lines[0]), f"said: {lines}", r)
            need("hello" not in r.text and not up.asked, f"it was asked: {up.asked}", r)
            need(len(s.internet.requests) == begin, "something went round it", r)
            up.all_in_tls()
        return r
    CASES.append(Case("upstream-tls-" + name, go))


def reset(c):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()


def resets(up, c):
    c.recv(100)
    reset(c)


def half_a_hello(up, c):
    c.recv(100)
    c.sendall(b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03")
    reset(c)


def plain(up, c):
    c.recv(65536)
    c.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    up.done.wait(30)


def speaks_first(up, c):
    c.sendall(b"220 mail.example.com ready\r\n")
    up.done.wait(30)


fails("other-name", "hostname mismatch", kind="other-name")
fails("expired", "certificate has expired", kind="expired")
fails("self-signed", "self-signed certificate", kind="self-signed")
fails("plain", "it does not speak TLS", plain, raw=True)
fails("speaks-first", "it does not speak TLS", speaks_first, raw=True)
fails("resets", "the connection was cut", resets, raw=True)
fails("closes", "the connection was cut", lambda up, c: c.recv(100), raw=True)
fails("resets-in-the-middle", "the connection was cut", half_a_hello, raw=True)


@case
def stalls(s):
    """Its handshake has the time of a connection; others go on meanwhile, and nothing of it stays."""
    with Upstream(s, lambda up, c: up.done.wait(60), raw=True) as up:
        # A first one, so that what the proxy keeps for tunnels is there before anything is counted.
        with Running(s, f"curl -sS https://api.example.com/hello >&2; {READY}"
                     f"for u in {WEB} https://www.example.com/hello; do (time -p curl -sS -i -m 40 $u) 2>&1 & done; "
                     "curl -sS -m 5 https://api.example.com/hello; wait; echo over; read -r line",
                     env={**up.environ(), "NO_PROXY": "api.example.com"}) as w:
            pids = [k for k in tree(w.p.pid) if comm(k) in ("bawn-proxy", "bawn-intercept")]
            until(lambda: not s.internet.open.get(443))
            before = [descriptors(k) for k in pids]
            w.p.stdin.write(b"go\n")
            w.p.stdin.flush()
            text = ""
            while (line := w.p.stdout.readline().decode()) and line != "over\n":
                text += line
            few = until(lambda: all(descriptors(k) <= n for k, n in zip(pids, before)), 10)
            need(few, f"{before} descriptors before, {[descriptors(k) for k in pids]} after")
            r = w.go()
        need("hello api" in text, f"another one waits: {text}")
        need(text.count("HTTP/1.1 504") == 2 and '"reason":"connect_timeout"' in text, f"no 504: {text}")
        need(f"the proxy {NAME}:{up.port} on the way there: the TLS handshake was not done in time" in text, f"not said: {text}")
        took = [float(x) for x in re.findall(r"real ([\d.]+)", text)]
        need(len(took) == 2 and all(9 <= x < 30 for x in took), f"took {took}")
        up.all_in_tls()
    return r


@case
def cut(s):
    """A body that only the end of the connection bounds: the end has to be said in TLS."""
    def talk(up, c):
        note(up, read_head(c))
        c.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 200000)
        if "cut" not in up.asked[-1]:
            say_end(c)
    with Upstream(s, talk) as up:
        r = s.run("for w in whole cut; do curl -sS http://www.example.com/$w | wc -c; echo $w ${PIPESTATUS[0]}; done", env=up.environ())
        need("200000\nwhole 0\n" in r.text, "the whole one", r)
        need(re.search(r"cut [1-9]", r.text), "the cut one was taken for a whole one", r)
    return r


@case
def answers_early(s):
    """A refusal that does not wait for the body comes through, whatever becomes of the rest."""
    def talk(up, c):
        note(up, read_head(c))
        c.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 6\r\nConnection: close\r\n\r\nearly\n")
        reset(c)
    with Upstream(s, talk) as up:
        r = s.run("head -c 30000000 /dev/zero > z; for i in 1 2 3; do curl -sS -i -H Expect: -T z http://www.example.com/; done; rm z", env=up.environ())
        need(r.text.count("early\n") == 3, "it did not come", r)
    return r


@case
def speaker_killed(s):
    """Without bawn-intercept there is no way to it, and no other one is taken."""
    with Upstream(s, proxy) as up:
        with Running(s, READY + ASKS, env=up.environ()) as w:
            pid = next(k for k in tree(w.p.pid) if comm(k) == "bawn-intercept")
            os.kill(pid, signal.SIGKILL)
            until(lambda: events.ended(pid))
            r = w.go()
        need("HTTP/1.1 502" in r.text and REFUSED in r.text and "hello" not in r.text, "no 502", r)
        need(not up.connections or set(up.first) <= {b""}, f"sent: {up.first}", r)
        need("no proxy is gone through over TLS from here on: bawn-intercept ended" in r.errors, "not said", r)
    return r


@case
def speaker_missing(s):
    """Said at the start, and nothing runs; without such a proxy it is not missed."""
    source, d = os.path.dirname(s.bawn_program), s.t + "/part"
    os.makedirs(d + "/bin", exist_ok=True)
    os.makedirs(d + "/libexec/bawn", exist_ok=True)
    for f, to in ((s.bawn_program, "/bin/bawn"), (source + "/../proxy/bawn-proxy", "/libexec/bawn/bawn-proxy")):
        scenery.sh(f"install -m 755 {f} {d}{to}")
    old, s.bawn_program = s.bawn_program, d + "/bin/bawn"
    try:
        need("hello" in s.run(CURL).text, "the row itself does not work")
        r = s.run("echo ran; " + CURL, env={"HTTPS_PROXY": U})
    finally:
        s.bawn_program = old
    need(r.status == 125 and "ran" not in r.text and "bawn-intercept is missing" in r.errors, f"status {r.status}", r)
    return r

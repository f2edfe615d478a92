"""A filtered network: servers on the host that no rule names, and one listed Unix socket beside those that are not.
The hosts of the rules do not exist; everything that could be reached is on this machine."""
import contextlib
import os
import socket
import threading

STREAM, DGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM
HTTP_PORT, SOCKS_PORT = 24128, 24080  # no port that a client of the host could have
FILTERED = f"""
[permissions.test]
extends = ":workspace"
[permissions.test.network]
enabled = true
proxy_url = "http://127.0.0.1:{HTTP_PORT}"
socks_url = "socks5://127.0.0.1:{SOCKS_PORT}"
[permissions.test.network.domains]
"allowed.test" = "allow"
"localhost:1" = "allow"
[permissions.test.network.unix_sockets]
"{{w}}/listed.sock" = "allow"
"{{t}}/kept/listed.sock" = "allow"
"""

# Everything that a client can say, to every spelling of the machine. Without a proxy it connects as it is.
CLIENT = r'''
import os, socket, struct, sys, time, urllib.parse
how, port, places = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
def proxy(name):
    u = urllib.parse.urlsplit(os.environ.get(name, ""))
    return socket.create_connection((u.hostname, u.port), 10) if u.hostname else None
def until_blank(s):
    got = b""
    while not got.endswith(b"\r\n\r\n"):
        part = s.recv(1)
        if not part: break
        got += part
    return got
def connect(host):
    s = proxy("HTTP_PROXY")
    if not s: return socket.create_connection((host, port), 10)
    at = "[%s]:%d" % (host, port) if ":" in host else "%s:%d" % (host, port)
    s.sendall(("CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (at, at)).encode()); until_blank(s)
    return s
def get(host):
    s = proxy("HTTP_PROXY") or socket.create_connection((host, port), 10)
    at = "[%s]:%d" % (host, port) if ":" in host else "%s:%d" % (host, port)
    s.sendall(("POST http://%s/escaped HTTP/1.1\r\nHost: %s\r\nContent-Length: 7\r\n\r\n" % (at, at)).encode())
    return s
def wrong_host(host):
    s = proxy("HTTP_PROXY") or socket.create_connection((host, port), 10)
    s.sendall(("POST http://allowed.test/escaped HTTP/1.1\r\nHost: %s:%d\r\nContent-Length: 7\r\n\r\n" % (host, port)).encode())
    return s
def socks(host):
    s = proxy("ALL_PROXY")
    if not s: return socket.create_connection((host, port), 10)
    s.sendall(b"\5\1\0"); s.recv(2)
    try: where = b"\1" + socket.inet_pton(socket.AF_INET, host)
    except OSError:
        try: where = b"\4" + socket.inet_pton(socket.AF_INET6, host)
        except OSError: where = b"\3" + bytes([len(host)]) + host.encode()
    s.sendall(b"\5\1\0" + where + struct.pack(">H", port)); s.recv(64)
    return s
def udp(host):
    s = proxy("ALL_PROXY")
    if not s:
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.connect((host, port)); return u
    s.sendall(b"\5\1\0"); s.recv(2); s.sendall(b"\5\3\0\1\0\0\0\0\0\0"); a = s.recv(64)
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.connect((socket.inet_ntoa(a[4:8]), struct.unpack(">H", a[8:10])[0]))
    name = host.encode()
    u.send(b"\0\0\0\3" + bytes([len(name)]) + name + struct.pack(">H", port) + b"escaped")
    return u
def straight(host): return socket.create_connection((host, port), 10)
def through(path):
    s = proxy("HTTP_PROXY")
    if not s: s = socket.socket(socket.AF_UNIX); s.connect(path); return s
    s.sendall(("POST http://localhost/escaped HTTP/1.1\r\nHost: localhost\r\nX-Unix-Socket: %s\r\nContent-Length: 7\r\n\r\n" % path).encode())
    return s
got = []
for host in places:
    try:
        s = globals()[how](host); got.append(s); s.sendall(b"escaped")
    except OSError as e: print(host, e)
end = time.monotonic() + 0.3  # what is refused ends at once; what is not has to get there
for s in got:
    try:
        while (left := end - time.monotonic()) > 0:
            s.settimeout(left)
            if not s.recv(4096): break
    except OSError: pass
'''

SHARE = r'''
import socket, sys
kind, address, port = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}[sys.argv[1]], sys.argv[2], int(sys.argv[3])
s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
s.bind((address, port))
if kind == socket.SOCK_STREAM: s.listen()
'''

# Two names of one socket address, changed while the call is judged.
RACE = r'''
import ctypes, os, socket, struct, sys, threading, time
good, bad = (struct.pack("=H108s", 1, p.encode()) for p in sys.argv[1:])
libc, address, stop = ctypes.CDLL(None), ctypes.create_string_buffer(110), False
def flip():
    while not stop:
        ctypes.memmove(address, good, 110); ctypes.memmove(address, bad, 110)
t = threading.Thread(target=flip); t.start()
end = time.monotonic() + (1 if "HTTP_PROXY" in os.environ else 20)  # bare it is only a matter of time
while time.monotonic() < end:
    s = socket.socket(socket.AF_UNIX)
    if libc.connect(s.fileno(), address, 110) == 0 and s.getpeername() == sys.argv[2]:
        s.sendall(b"escaped"); break
    s.close()
stop = True; t.join()
'''


def keep(s, sock):
    """SOCK stands outside until the scene is over; what arrived there is looked at then: the kernel keeps it."""
    sock.setblocking(False)
    s.data.setdefault("servers", []).append(sock)
    s.stack.callback(sock.close)


def arrived(s):
    got = b""
    for server in s.data["servers"]:
        with contextlib.suppress(BlockingIOError):
            while True:
                if server.type == DGRAM:
                    got += server.recv(4096)
                    continue
                with server.accept()[0] as c, contextlib.suppress(OSError):
                    c.setblocking(False)
                    while data := c.recv(4096):
                        got += data
    return b"escaped" in got


def own_address():
    """What others call this machine, or its loopback where it has nothing else."""
    with socket.socket(socket.AF_INET, DGRAM) as u:
        try:
            u.connect(("192.0.2.1", 9))
            return u.getsockname()[0]
        except OSError:
            return "127.0.0.1"


def inet(kind):
    def before(s):
        sock = socket.socket(socket.AF_INET6, kind)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(("::", 0))
        if kind == STREAM:
            sock.listen(16)
        s.put("{w}/port", str(sock.getsockname()[1]))
        s.put("{w}/own", own_address())
        s.put("{w}/client.py", CLIENT)
        keep(s, sock)
    return before


def unix(s, path, kind=STREAM):
    """A server outside, bound at PATH."""
    where = s.fill(path)
    if where[0] == "/":
        os.makedirs(os.path.dirname(where), exist_ok=True)
    sock = socket.socket(socket.AF_UNIX, kind)
    sock.bind("\0" + where[1:] if where[0] == "@" else where)
    if where[0] == "/":
        os.chmod(where, 0o777)
        if s.ids:
            os.chown(where, *s.ids)
            os.chown(os.path.dirname(where), *s.ids)
    if kind == STREAM:
        sock.listen(64)
    keep(s, sock)


def served(path, then=None, kind=STREAM):
    """A server outside at PATH, and what an earlier run made of that: a text for sh."""
    def before(s):
        s.mkdir("{t}/kept")
        unix(s, path, kind)
        if then:
            s.sh(then)
        s.put("{w}/client.py", CLIENT)
    return before


def share(s):
    s.put("{w}/share.py", SHARE)


def drain(s, sock):
    """Takes connections and drops them, until the scene is over."""
    def run():
        with contextlib.suppress(OSError):
            while True:
                sock.accept()[0].close()
    t = threading.Thread(target=run, daemon=True)
    t.start()
    s.stack.callback(t.join)
    s.stack.callback(sock.shutdown, socket.SHUT_RDWR)


def racing(s):
    s.mkdir("{t}/kept")
    quiet = socket.socket(socket.AF_UNIX)
    quiet.bind(s.fill("{w}/listed.sock"))
    os.chmod(s.fill("{w}/listed.sock"), 0o777)
    quiet.listen(8)
    drain(s, quiet)
    unix(s, "{o}/s")
    s.put("{w}/race.py", RACE)


def has_family(family):
    """What is missing, as `needs` wants it: kernels are built without some of them."""
    try:
        socket.socket(family, socket.SOCK_SEQPACKET).close()
        return None
    except OSError:
        return f"socket family {family}"


def N(name, cmd, before=None, **kw):
    """Got out when something arrived at the server outside."""
    kw.setdefault("effect", arrived)
    return A("filtered-" + name, cmd, before=before, mode=None, config=FILTERED, o_changes=True, **kw)


def P(name, cmd, before=None, **kw):
    """Got out when the status is 0."""
    return A("filtered-" + name, cmd, before=before, mode=None, config=FILTERED, **kw)


PY, PORT, OWN = "/usr/bin/python3 ", " $(cat {w}/port)", " $(cat {w}/own)"
SPELLED = " 127.0.0.1 localhost 127.1 0x7f.1 2130706433 127.9.9.9 ::1 ::ffff:127.0.0.1 0.0.0.0" + OWN
LISTED, KEPT = "{w}/listed.sock", "{t}/kept/listed.sock"
MOVED = {"link": "ln -s {t}/host.sock %s", "hard-link": "ln {t}/host.sock %s", "rename": "mv {t}/host.sock %s"}

ATTEMPTS = [
    # ---- the host's loopback ----
    N("tcp", "{esc} tcp" + PORT, inet(STREAM)),
    N("tcp-mapped", "{esc} tcp6" + PORT, inet(STREAM)),
    N("tcp-fastopen", "{esc} tcp-fastopen" + PORT, inet(STREAM)),
    N("tcp-multipath", "{esc} mptcp" + PORT, inet(STREAM)),
    N("tcp-own-address", PY + "client.py straight" + PORT + OWN, inet(STREAM)),
    N("udp", "{esc} udp" + PORT, inet(DGRAM)),
    N("udp-sendmmsg", "{esc} udp-sendmmsg" + PORT, inet(DGRAM)),
    N("proxy-connect", PY + "client.py connect" + PORT + SPELLED, inet(STREAM)),
    N("proxy-request", PY + "client.py get" + PORT + SPELLED, inet(STREAM)),
    N("proxy-host-field", PY + "client.py wrong_host" + PORT + " localhost 127.0.0.1", inet(STREAM)),
    N("proxy-socks", PY + "client.py socks" + PORT + SPELLED, inet(STREAM)),
    N("proxy-datagrams", PY + "client.py udp" + PORT + " 127.0.0.1 localhost 127.1" + OWN, inet(DGRAM)),
    # ---- sockets of the file system and without it ----
    N("unix-path", "{esc} stream {o}/s", served("{o}/s")),
    N("unix-in-workspace", "{esc} stream {w}/s", served("{w}/s")),
    N("unix-abstract", "{esc} stream @{token}", served("@{token}")),
    N("unix-sendto", "{esc} dgram-sendto {o}/s", served("{o}/s", kind=DGRAM)),
    N("unix-sendmsg", "{esc} dgram-sendmsg {o}/s", served("{o}/s", kind=DGRAM)),
    N("unix-pair-sendto", "{esc} pair-sendto {o}/s", served("{o}/s", kind=DGRAM)),
    N("unix-32-bit", "{esc} socketcall32 {o}/s", served("{o}/s")),
    N("unix-racing-address", PY + "race.py {w}/listed.sock {o}/s", racing, timeout=60),
    N("unix-through-proxy", PY + "client.py through 0 {o}/s {t}/kept/../o/s /proc/self/root{o}/s", served("{o}/s")),
    # ---- an earlier run brought another socket to a listed name: in this run's workspace, and beside it ----
    *(N(f"unix-earlier-{how}-{where}-{way}", cmd % path, served("{t}/host.sock", then % path))
      for how, then in MOVED.items() for where, path in (("here", LISTED), ("elsewhere", KEPT))
      for way, cmd in (("direct", "{esc} stream %s"), ("through", PY + "client.py through 0 %s"))),
    N("unix-earlier-directory", "{esc} stream {t}/kept/listed.sock",
      served("{t}/other/listed.sock", "rmdir {t}/kept && mv {t}/other {t}/kept")),
    N("unix-earlier-directory-through", PY + "client.py through 0 {t}/kept/listed.sock",
      served("{t}/other/listed.sock", "rmdir {t}/kept && mv {t}/other {t}/kept")),
    N("unix-earlier-linked-back", "{esc} stream {t}/kept/listed.sock",
      served("{t}/other/listed.sock", "rmdir {t}/kept && mv {t}/other {t}/kept && ln -s {t}/kept {t}/other")),
    N("unix-moved-now", "mv {w}/s {w}/listed.sock; {esc} stream {w}/listed.sock", served("{w}/s")),
    # ---- the proxy's own places: another one beside it would get what is meant for it ----
    P("port-beside-http", PY + f"share.py tcp 127.0.0.1 {HTTP_PORT}", share),
    P("port-beside-http6", PY + f"share.py tcp ::1 {HTTP_PORT}", share),
    P("port-beside-all", PY + f"share.py tcp 0.0.0.0 {HTTP_PORT}", share),
    P("port-beside-socks", PY + f"share.py tcp 127.0.0.1 {SOCKS_PORT}", share),
    P("port-beside-datagrams", PY + f"share.py udp 127.0.0.1 {SOCKS_PORT}", share),
    # ---- other doors of the kernel ----
    P("uring", "{esc} uring"),
    P("vsock", "{esc} vsock"),
    P("algorithms", PY + "-c 'import socket; socket.socket(38, socket.SOCK_SEQPACKET)'", needs=has_family(38)),
    P("netfilter", PY + "-c 'import socket; socket.socket(16, socket.SOCK_RAW, 12)'"),
    P("socket-diag", PY + "-c 'import socket; socket.socket(16, socket.SOCK_RAW, 4)'"),
    P("interfaces", "{esc} interfaces"),
    P("own-namespace", "unshare -Urn true"),
    P("tables-changed", "nft add table inet escaped-{token}", user="root",
      before=lambda s: setattr(s, "argv_prefix", ["unshare", "--net"])),
    P("raw", "{esc} raw", user="root"),
    P("packet", "{esc} packet", user="root"),
    P("namespace-of-host", "nsenter --net=/proc/$(cut -d' ' -f1 {w}/victim)/ns/net true", user="root",
      before=lambda s: s.victim()),
    # ---- processes ----
    P("ptrace", "{esc} ptrace-any", before=lambda s: s.victim()),
    P("descriptor-of-another", "{esc} pidfd-getfd-any", before=lambda s: s.victim()),
]

"""What stands round bawn-intercept in these tests: the launcher, that gives it settings and hears what it
decides; bawn-proxy, that hands connections over; and certificates.

The bytes of both are those of src/base/pack.h, src/network/wire.c and src/helper/handover.h.
"""
import fcntl
import os
import re
import select
import socket
import ssl
import struct
import subprocess
import threading

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
HEAD = "=HHIQQ"
WIRE_VERSION = 3
CLIENT_PORT = 54321  # of every client that is handed over, as far as is said
START, LISTEN, READY, FAILED, NOTE, EVENTS, ASK, ANSWER, FINISH = range(1, 10)
SEALS = 1 | 2 | 4 | 8
DECISIONS = ("none", "allow", "ask", "deny")


def reasons():
    """The words of enum net_reason, in its order."""
    with open(f"{TOP}/src/network/policy.h", encoding="utf-8") as f:
        body = re.search(r"enum net_reason \{(.*?)\};", f.read(), re.S).group(1)
    return [w for w in re.findall(r"^\s*(NET_[A-Z_]+),", body, re.M)]


REASONS = reasons()


def text(s):
    if s is None:
        return struct.pack("=I", 0xFFFFFFFF)
    b = s.encode()
    return struct.pack("=I", len(b)) + b + b"\0"


def memfd(data, sealed=False):
    fd = os.memfd_create("test", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(fd, data)
    os.lseek(fd, 0, os.SEEK_SET)
    if sealed:
        fcntl.fcntl(fd, 1033, SEALS)  # F_ADD_SEALS
    return fd


class Rule:
    def __init__(self, host, decision, methods=(), path=None, line=1):
        self.host, self.decision, self.methods, self.path, self.line = host, decision, methods, path, line

    def pack(self):
        out = text(self.host) + text(self.path) + struct.pack("=II", DECISIONS.index(self.decision), len(self.methods))
        out += b"".join(text(m) for m in self.methods)
        return out + text("user") + text("/home/x/config.toml") + struct.pack("=II", self.line, 1)


class Credential:
    def __init__(self, host, secret, placeholder, header="authorization", before="Bearer ", after=""):
        self.host, self.secret, self.placeholder = host, secret, placeholder
        self.header, self.before, self.after = header, before, after

    def pack(self):
        return text(self.host) + text(self.header) + text(self.before) + text(self.after)


def settings(limited=False, ends=True, roots=(), rules=(), credentials=(), message=None):
    out = struct.pack("=IIII", 0x69737762, 2, ends, limited) + text("work") + text(message)
    out += struct.pack("=I", len(roots)) + b"".join(text(r) for r in roots)
    out += struct.pack("=I", len(rules)) + b"".join(r.pack() for r in rules)
    return out + struct.pack("=I", len(credentials)) + b"".join(c.pack() for c in credentials)


def secrets(credentials):
    out = struct.pack("=II", 0x65737762, len(credentials))
    for c in credentials:
        out += struct.pack("=I", len(c.secret)) + c.secret.encode() + c.placeholder.encode()
    return out


class Event:
    def __init__(self, data):
        # The path, of a Unix socket, is empty here.
        fixed = "=QQBBBIBH17sBBBHHBBB"
        (self.time, self.lasted, self.failed, decision, reason, self.rule, _, _, _, _, _, self.protocol, self.port, client,
         udp, path, n) = struct.unpack_from(fixed, data)
        assert (client, udp, path) == (CLIENT_PORT, 0, 0)
        at = struct.calcsize(fixed)
        self.decision, self.reason = DECISIONS[decision], REASONS[reason]
        self.host = data[at:at + n].decode()
        m = data[at + n]
        self.method = data[at + n + 1:at + n + 1 + m].decode()
        self.size = at + n + 1 + m

    def __repr__(self):
        return f"{self.decision} {self.reason} {self.method} {self.host}:{self.port} rule {self.rule}"


class Intercept:
    """The program, its launcher, and a proxy for CONNECT in front of it."""

    def __init__(self, program, directory, addresses=True, connected=True, first=False, env=None, **more):
        self.addresses, self.connected, self.first = addresses, connected, first
        self.events, self.ends, self.raw, self.wake, self.finished = [], [], b"", threading.Condition(), False
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control = control
        self.handover, handover = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.log = open(f"{directory}/stderr", "ab")
        keep = os.dup(theirs.fileno()), os.dup(handover.fileno())
        keep = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in keep]

        def place():
            os.dup2(keep[0], 3)
            os.dup2(keep[1], 4)

        self.process = subprocess.Popen([program], preexec_fn=place, pass_fds=(3, 4), stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, env=env if env is not None else {})
        for fd in keep:
            os.close(fd)
        theirs.close()
        handover.close()
        credentials = more.get("credentials", ())
        fds = [memfd(settings(**more))]
        if credentials:
            fds.append(memfd(secrets(credentials), sealed=True))
        socket.send_fds(control, [struct.pack(HEAD, START, 0, WIRE_VERSION, 0, 0)], fds)
        for fd in fds:
            os.close(fd)
        kind, _, payload = self.receive()
        if kind != READY:
            raise RuntimeError(f"not started: {payload.decode()}")
        self.pem = payload.decode()
        self.ca = f"{directory}/run-ca-{self.process.pid}.pem"
        with open(self.ca, "w", encoding="ascii") as f:
            f.write(self.pem)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.hear, daemon=True).start()
        threading.Thread(target=self.accept, daemon=True).start()

    def receive(self):
        data, fds, _, _ = socket.recv_fds(self.control, 65536, 4)
        for fd in fds:
            os.close(fd)
        if not data:
            raise EOFError
        kind, count, version, _, dropped = struct.unpack_from(HEAD, data)
        assert version == WIRE_VERSION and dropped == 0, (version, dropped)
        return kind, count, data[struct.calcsize(HEAD):]

    def hear(self):
        try:
            while True:
                kind, count, payload = self.receive()
                with self.wake:
                    if kind == EVENTS:
                        self.raw += payload
                        for _ in range(count):
                            e = Event(payload)
                            payload = payload[e.size:]
                            (self.ends if e.lasted else self.events).append(e)
                        assert not payload
                    if kind == READY:
                        self.finished = True
                    self.wake.notify_all()
        except (EOFError, OSError):
            with self.wake:
                self.wake.notify_all()

    def wait(self, what, seconds=10):
        """Until WHAT (a function) is true."""
        with self.wake:
            assert self.wake.wait_for(what, seconds), f"waited in vain; events: {self.events}"

    def pack(self, host, port, server, first=b"", addresses=None):
        addresses = [socket.inet_aton("127.0.0.1")] if addresses is None and self.addresses else addresses or []
        out = struct.pack("=IIHBBBxH", 0x6F687762, len(first), port, len(host), len(addresses), server is not None,
                          CLIENT_PORT)
        out += host.encode() + b"".join(struct.pack("=B16s", 4, a) for a in addresses)
        return out + first

    def give(self, client, host, port, server=None, first=b"", **more):
        """Hands CLIENT (and SERVER) over, and closes them here."""
        fds = [client.fileno()] + ([server.fileno()] if server is not None else [])
        socket.send_fds(self.handover, [self.pack(host, port, server, first, **more)], fds)
        client.close()
        if server is not None:
            server.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.connect, args=(client,), daemon=True).start()

    def connect(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(1)
        host, port = re.match(rb"CONNECT \[?([^] ]+?)\]?:(\d+) ", head).groups()
        server = socket.create_connection(("127.0.0.1", int(port))) if self.connected else None
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        first = client.recv(64) if self.first else b""
        self.give(client, host.decode(), int(port), server, first)

    def dial(self, host, port, tls_name=None, alpn=("http/1.1",)):
        """A TLS connection through it, for raw bytes."""
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        raw.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += raw.recv(1)
        context = ssl.create_default_context(cafile=self.ca)
        context.set_alpn_protocols(list(alpn))
        return context.wrap_socket(raw, server_hostname=tls_name or host)

    def close(self):
        self.listener.close()
        self.handover.close()
        try:
            self.control.send(struct.pack(HEAD, FINISH, 0, WIRE_VERSION, 0, 0))
        except OSError:
            pass
        try:
            status = self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = "did not end"
        self.control.close()
        self.log.close()
        return status


def openssl(*argv, **more):
    subprocess.run(["openssl", *argv], check=True, capture_output=True, **more)


class Certificates:
    """A scratch CA and the servers' certificates."""

    def __init__(self, directory):
        self.directory = directory
        self.ca = f"{directory}/ca.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=scratch CA", "-keyout", f"{directory}/ca.key", "-out", self.ca)

    def make(self, name, names, *more):
        """(key, certificate) for NAMES, an extension's text."""
        key, request, cert, ext = (f"{self.directory}/{name}.{x}" for x in ("key", "csr", "pem", "ext"))
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", "/CN=server", "-keyout", key, "-out", request)
        with open(ext, "w", encoding="ascii") as f:
            f.write(f"subjectAltName={names}\n")
        days = more or ("-days", "2")
        openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", f"{self.directory}/ca.key",
                "-CAcreateserial", "-extfile", ext, "-out", cert, *days)
        return key, cert


class Node:
    """tests/intercept/server.js."""

    def __init__(self, directory, name, pair, protocols):
        self.path = f"{directory}/{name}.log"
        open(self.path, "w", encoding="utf-8").close()
        self.process = subprocess.Popen(["node", f"{TOP}/tests/intercept/server.js", *pair, self.path, protocols],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


def readable(s, seconds):
    return bool(select.select([s], [], [], seconds)[0])

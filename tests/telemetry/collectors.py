"""Collectors made of bare sockets, for what no real server does: silence at any stage, an end at
any byte, lies.

One port speaks HTTP/1.1 and HTTP/2 with prior knowledge (over TLS as ALPN says): a thread a
connection. What it was asked is in `requests`, decoded by otlp.py; `answer(n, request)` says how
the n-th is answered.
"""
import contextlib
import gzip
import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass, field

import hpack

import otlp

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    0,
    1,
    3,
    4,
    6,
    7,
    8,
    9,
)
MOST = 64 << 20  # bytes of a request


@dataclass
class Answer:
    """What is said to one request. `cut`: only so many bytes of it, then `end`: "reset", "close"
    or "hang"."""

    status: int = 200
    headers: tuple = ()
    body: bytes | None = None  # None: nothing, as the protocol says "nothing"
    grpc: int | None = 0  # None: no status at all
    message: str = ""
    trailers_only: bool = False
    delay: float = 0.0
    cut: int | None = None
    end: str = "reset"
    drip: float = 0.0  # seconds between two bytes
    raw: bytes | None = None  # instead of all that


@dataclass
class Request:
    path: str
    headers: list
    raw: bytes
    grpc: bool
    peer: dict | None
    connection: int
    kind: str | None = None
    signals: list = field(default_factory=list)
    error: str | None = None
    when: float = field(default_factory=time.monotonic)
    body: bytes = b""
    counted: bool = False  # answered as taken, to the last byte

    def get(self, name):
        return next((v for k, v in self.headers if k == name), None)

    def decode(self):
        try:
            if self.grpc:
                self.body = otlp.grpc_message(self.raw, self.get("grpc-encoding"))
            else:
                encoding = self.get("content-encoding")
                if encoding not in (None, "gzip"):
                    raise otlp.Bad(f"content-encoding {encoding!r}")
                self.body = gzip.decompress(self.raw) if encoding else self.raw
            self.kind, self.signals = otlp.decode(self.path, self.get("content-type"), self.body)
        except Exception as e:  # what a row looks at
            self.error = f"{type(e).__name__}: {e}"


class Gone(Exception):
    """The connection ended, or was ended."""


class Line:
    """One connection, and all that came over it."""

    def __init__(self, sock, number, keep):
        self.sock, self.number, self.raw, self.left, self.keep = (
            sock,
            number,
            bytearray(),
            b"",
            keep,
        )

    def more(self):
        try:
            got = self.sock.recv(65536)
        except (OSError, ValueError) as e:
            raise Gone from e
        if not got:
            raise Gone
        if self.keep:
            self.raw += got
        self.left += got

    def take(self, n):
        while len(self.left) < n:
            self.more()
        out, self.left = self.left[:n], self.left[n:]
        return out

    def until(self, mark, most=65536):
        while mark not in self.left:
            if len(self.left) > most:
                raise Gone
            self.more()
        out, _, self.left = self.left.partition(mark)
        return out

    def send(self, data):
        try:
            self.sock.sendall(data)
        except (OSError, ValueError) as e:
            raise Gone from e

    def end(self, how, stopped):
        """ "reset" is RST, "close" is FIN, "hang" is neither for as long as the collector lives."""
        if how == "hang":
            stopped.wait(120)
        if how == "reset":
            with contextlib.suppress(OSError):
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with contextlib.suppress(OSError):
            self.sock.close()
        raise Gone


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


class Collector:
    def __init__(self, answer=None, tls=None, connect=None, keep=True, place=None):
        """CONNECT(n, line) may deal with the n-th connection before anything is read of it.
        PLACE: a bound socket."""
        self.answer, self.tls, self.connect, self.keep = (
            answer or (lambda n, r: Answer()),
            tls,
            connect,
            keep,
        )
        self.requests, self.lines, self.asked = [], [], 0
        self.changed = threading.Condition()
        self.stopped = threading.Event()
        self.listener = place or socket.create_server(("127.0.0.1", 0))
        self.listener.listen(1024)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def url(self, path="", host="127.0.0.1"):
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}{path}"

    # ---- what was seen ----

    def signals(self, counted=True):
        """Every signal that came; COUNTED: in requests that were answered as taken."""
        with self.changed:
            return [s for r in self.requests if r.counted or not counted for s in r.signals]

    def errors(self):
        with self.changed:
            return [f"{r.path}: {r.error}" for r in self.requests if r.error]

    def wait(self, what, seconds=20):
        with self.changed:
            return self.changed.wait_for(what, seconds)

    def raw(self):
        return b"\n".join(bytes(line.raw) for line in self.lines)

    def close(self):
        self.stopped.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        # Each thread closes its own socket: OpenSSL would go on with the number of a closed one.
        for line in list(self.lines):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(line.sock, socket.SHUT_RDWR)

    # ---- connections ----

    def accept(self):
        while not self.stopped.is_set():
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(120)
            line = Line(sock, len(self.lines), self.keep)
            self.lines.append(line)
            threading.Thread(target=self.serve, args=(line,), daemon=True).start()

    def serve(self, line):
        with contextlib.suppress(Gone, OSError, ssl.SSLError, ValueError):
            if self.connect and self.connect(line.number, line):
                return
            if self.tls:
                line.sock = self.tls.wrap_socket(line.sock, server_side=True)
            while len(line.left) < len(PREFACE) and PREFACE.startswith(line.left):
                line.more()
            if line.left.startswith(PREFACE):
                line.take(len(PREFACE))
                self.http2(line)
            else:
                while True:
                    self.http1(line)
        with contextlib.suppress(OSError):
            line.sock.close()

    def peer(self, line):
        return line.sock.getpeercert() if self.tls else None

    def note(self, request):
        request.decode()
        with self.changed:
            self.requests.append(request)
            n = self.asked
            self.asked += 1
            self.changed.notify_all()
        return self.answer(n, request)

    def say(self, line, request, answer, data):
        """DATA, as ANSWER says it is to go; a request counts as taken when all of its answer is
        out."""
        if answer.delay and self.stopped.wait(answer.delay):
            raise Gone
        part = data if answer.cut is None else data[: answer.cut]
        good = (
            answer.raw is None
            and answer.cut is None
            and 200 <= answer.status < 300
            and (not request.grpc or answer.grpc == 0)
        )
        if good:
            with self.changed:
                request.counted = True
                self.changed.notify_all()
        if answer.drip:
            for i in range(len(part)):
                line.send(part[i : i + 1])
                if self.stopped.wait(answer.drip):
                    raise Gone
        else:
            line.send(part)
        if answer.cut is not None:
            line.end(answer.end, self.stopped)

    # ---- HTTP/1.1 ----

    def http1(self, line):
        head = line.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = [(k.lower(), v.strip()) for k, _, v in (h.partition(":") for h in head[1:])]
        request = Request(path, headers, b"", False, self.peer(line), line.number)
        if request.get("expect"):
            line.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if request.get("transfer-encoding"):
            while size := int(line.until(b"\r\n"), 16):
                request.raw += line.take(size)
                line.take(2)
            line.until(b"\r\n")
        else:
            request.raw = line.take(min(int(request.get("content-length") or 0), MOST))
        answer = self.note(request)
        if method != "POST":
            request.error = f"method {method}"
        self.say(line, request, answer, self.http1_answer(request, answer))

    @staticmethod
    def http1_answer(request, answer):
        if answer.raw is not None:
            return answer.raw
        kind = request.get("content-type") or "application/json"
        body = (
            answer.body if answer.body is not None else b"{}" if kind == "application/json" else b""
        )
        names = {k.lower() for k, _ in answer.headers}
        more = [
            (k, v)
            for k, v in (("content-type", kind), ("content-length", str(len(body))))
            if k not in names
        ]
        lines = [f"HTTP/1.1 {answer.status} x", *(f"{k}: {v}" for k, v in (*more, *answer.headers))]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    # ---- HTTP/2 ----

    def http2(self, line):
        decoder, encoder, streams, block = hpack.Decoder(), hpack.Encoder(), {}, b""
        line.send(frame(SETTINGS, 0, 0))
        while True:
            head = line.take(9)
            size, (kind, flags, stream) = int.from_bytes(head[:3], "big"), struct.unpack(
                ">BBI", head[3:]
            )
            payload = line.take(size)
            if kind == SETTINGS and not flags & 1:
                line.send(frame(SETTINGS, 1, 0))
            elif kind == PING and not flags & 1:
                line.send(frame(PING, 1, 0, payload))
            elif kind == GOAWAY:
                raise Gone
            elif kind in (HEADERS, CONTINUATION):
                if kind == HEADERS:
                    payload = payload[
                        flags >> 3 & 1 : len(payload) - (payload[0] if flags & 8 else 0)
                    ]
                    payload, block = payload[5:] if flags & 0x20 else payload, b""
                    ended = bool(flags & 1)
                block += payload
                if flags & 4:
                    got = [
                        (
                            k.decode() if isinstance(k, bytes) else k,
                            v.decode() if isinstance(v, bytes) else v,
                        )
                        for k, v in decoder.decode(block)
                    ]
                    streams[stream] = Request(
                        dict(got).get(":path", ""), got, b"", True, self.peer(line), line.number
                    )
                    if ended:
                        self.http2_request(line, streams, stream, encoder)
            elif kind == DATA and stream in streams:
                streams[stream].raw += payload[
                    flags >> 3 & 1 : len(payload) - (payload[0] if flags & 8 else 0)
                ]
                if size:
                    more = struct.pack(">I", size)
                    line.send(
                        frame(WINDOW_UPDATE, 0, 0, more) + frame(WINDOW_UPDATE, 0, stream, more)
                    )
                if flags & 1:
                    self.http2_request(line, streams, stream, encoder)
            elif kind == RST_STREAM:
                streams.pop(stream, None)

    def http2_request(self, line, streams, stream, encoder):
        request = streams.pop(stream)
        answer = self.note(request)
        data = answer.raw if answer.raw is not None else self.http2_answer(answer, stream, encoder)
        self.say(line, request, answer, data)

    @staticmethod
    def http2_answer(answer, stream, encoder):
        head = [
            (":status", str(answer.status)),
            ("content-type", "application/grpc"),
            *answer.headers,
        ]
        status = [] if answer.grpc is None else [("grpc-status", str(answer.grpc))]
        status += [("grpc-message", answer.message)] if answer.message else []
        if answer.trailers_only:
            return frame(HEADERS, 5, stream, encoder.encode(head + status))
        out = frame(HEADERS, 4, stream, encoder.encode(head))
        body = answer.body if answer.body is not None else b""
        body = struct.pack(">BI", 0, len(body)) + body
        for at in range(0, len(body), 16384):
            out += frame(DATA, 0, stream, body[at : at + 16384])
        if not status:
            return out + frame(DATA, 1, stream)
        return out + frame(HEADERS, 5, stream, encoder.encode(status))


class Silent:
    """Listens and never accepts. After a few its queue is full: no connection is made then."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1)
        self.port = self.listener.getsockname()[1]

    def close(self):
        self.listener.close()

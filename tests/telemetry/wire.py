"""What bawn says to bawn-exporter (src/telemetry/export_wire.h), packed here a second time."""
import hashlib
import os
import select
import socket
import struct
import time
from dataclasses import dataclass

VERSION = 1
DESTINATION, WAKE, FLUSH, STATE = range(4)
KINDS = {"log": 0, "span": 1, "metric": 2}
PROTOCOLS = {"protobuf": 0, "json": 1, "grpc": 2}
STATES = ("sent", "waits", "refused")


@dataclass
class State:
    key: str
    state: str
    http_status: int
    grpc_status: int
    sent: int
    dropped: int
    text: str


def ready(sock, seconds, what=select.POLLIN):
    p = select.poll()  # descriptors may be above what select() takes
    p.register(sock, what)
    return bool(p.poll(seconds * 1000))


def key(kind, protocol, endpoint):
    return hashlib.sha256(
        bytes([KINDS[kind], PROTOCOLS[protocol]]) + endpoint.encode()
    ).hexdigest()[:16]


def text(s):
    b = s.encode()
    return struct.pack("=I", len(b)) + b + b"\0"


def pack_destination(
    k,
    kind,
    protocol,
    endpoint,
    headers=(),
    gzip=False,
    timeout_ms=10_000,
    delay_ms=1000,
    idle_ms=30_000,
    proxy="",
    no_proxy="",
    fds=0,
):
    out = struct.pack(
        "=BB16sBBBIII",
        VERSION,
        DESTINATION,
        k.encode(),
        KINDS[kind],
        PROTOCOLS[protocol],
        gzip,
        timeout_ms,
        delay_ms,
        idle_ms,
    )
    out += text(endpoint) + text(proxy) + text(no_proxy) + struct.pack("=B", len(headers))
    return (
        out + b"".join(text(n) + text(v) for n, v in dict(headers).items()) + struct.pack("=B", fds)
    )


def pack_wake(k):
    return struct.pack("=BB16s", VERSION, WAKE, k.encode())


def pack_flush(k):
    return struct.pack("=BB16s", VERSION, FLUSH, k.encode())


def unpack_state(data):
    head = "=BB16sBIiQQI"
    version, kind, k, state, http, grpc, sent, dropped, n = struct.unpack_from(head, data)
    if (version, kind) != (VERSION, STATE) or len(data) != struct.calcsize(head) + n + 1:
        raise ValueError(f"no EXPORT_STATE: {data!r}")
    return State(
        k.decode(),
        STATES[state],
        http,
        grpc,
        sent,
        dropped,
        data[struct.calcsize(head) : -1].decode(),
    )


class Talk:
    """One end of the socket. Who does not read what is sent is an error here."""

    def __init__(self, sock):
        self.sock = sock
        sock.settimeout(10)

    def send(self, data, fds=()):
        if fds:
            socket.send_fds(self.sock, [data], list(fds))
        else:
            self.sock.send(data)

    def destination(
        self, k, kind, protocol, endpoint, ca=None, certificate=None, key_file=None, **more
    ):
        files = [f for f in (ca, certificate, key_file) if f]
        bits = sum(1 << i for i, f in enumerate((ca, certificate, key_file)) if f)
        fds = [os.open(f, os.O_RDONLY) for f in files]
        try:
            self.send(pack_destination(k, kind, protocol, endpoint, fds=bits, **more), fds)
        finally:
            for fd in fds:
                os.close(fd)

    def wake(self, k):
        """Not waited for: what cannot be told is no harm, since there is something to wake it
        already."""
        if ready(self.sock, 0, select.POLLOUT):
            self.sock.send(pack_wake(k))

    def flush(self, k):
        self.send(pack_flush(k))

    def answer(self, k, seconds):
        """The next EXPORT_STATE of the spool K (None: of any), or None."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and ready(self.sock, left):
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionError("the exporter hung up")
            state = unpack_state(data)
            if k is None or state.key == k:
                return state
        return None

    def ended(self, seconds):
        """The other end is closed, within SECONDS."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if ready(self.sock, left):
                try:
                    if not self.sock.recv(65536):
                        return True
                except OSError:
                    return True
        return False

    def close(self):
        self.sock.close()

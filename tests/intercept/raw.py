"""Bytes that curl does not send, and servers that do not behave."""
import base64
import hashlib
import os
import select
import signal
import socket
import ssl
import struct
import threading
import time

import world
from scene import NAME
from world import Credential, Rule

SECRET = "ghp_A1b2C3d4E5f6G7h8"
PLACEHOLDER = "ghp_Zz9Yy8Xx7Ww6Vv5Q"


def credential(**more):
    return Credential(NAME, SECRET, PLACEHOLDER, **more)


class TlsServer:
    """ANSWER is called with each connection, in a thread; what it returns is noted, and sent bytes are its own."""

    def __init__(self, pair, answer, alpn=None):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pair[1], pair[0])
        if alpn:
            self.context.set_alpn_protocols(alpn)
        self.answer, self.got = answer, []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                c, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(c,), daemon=True).start()

    def one(self, c):
        c.settimeout(20)
        try:
            t = self.context.wrap_socket(c, server_side=True)
            got = self.answer(t)
            if got:
                self.got.append(got)
            t.close()
        except OSError:
            c.close()

    def close(self):
        self.socket.close()


def until(c, end=b"\r\n\r\n"):
    data = b""
    while end not in data:
        more = c.recv(65536)
        if not more:
            break
        data += more
    return data


def rest(c):
    data = b""
    try:
        while True:
            more = c.recv(65536)
            if not more:
                return data
            data += more
    except ssl.SSLEOFError:
        return data + b"<cut>"


def saying(answer):
    def f(c):
        got = until(c)
        c.sendall(answer)
        return got
    return f


def serve(s, answer, **more):
    server = TlsServer(s.pair, answer, **more)
    s.things.append(server)
    return server


def ask(i, port, request):
    c = i.dial(NAME, port)
    c.sendall(request)
    out = rest(c)
    c.close()
    return out


def test_ambiguous_requests(s):
    i = s.intercept()
    server = serve(s, saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    host = f"Host: {NAME}:{server.port}\r\n".encode()
    for request in (
            b"GET / HTTP/1.1\r\n" + host + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + host + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
            b"GET / HTTP/1.1\n" + host + b"\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + host + host + b"\r\n",
            b"GET / HTTP/1.1\r\n" + host + b"A : b\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + host + b"A: b\r\n c\r\n\r\n",
            b"CONNECT x.test:443 HTTP/1.1\r\nHost: x.test:443\r\n\r\n",
            b"GET http://other.test/ HTTP/1.1\r\nHost: other.test\r\n\r\n",
            b"GET /a b HTTP/1.1\r\n" + host + b"\r\n"):
        out = ask(i, server.port, request)
        assert out.startswith(b"HTTP/1.1 400 ") and b"connection: close" in out, (request, out)
    assert server.got == [], server.got


def test_pipelined_requests_are_judged_one_by_one(s):
    i = s.intercept(rules=[Rule(NAME, "allow", ["GET"], "/a**")])
    port = s.servers["h1"].port
    host = f"Host: {NAME}:{port}\r\n".encode()
    c = i.dial(NAME, port)
    c.sendall(b"GET /a1 HTTP/1.1\r\n" + host + b"\r\nGET /b HTTP/1.1\r\n" + host + b"\r\n"
              b"GET /a2 HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n")
    out = rest(c)
    assert [x[9:12] for x in out.split(b"HTTP/1.1 ")] or True
    assert [x[:3] for x in out.split(b"HTTP/1.1 ")[1:]] == [b"404", b"403", b"404"], out
    assert [x["url"] for x in s.seen("h1")] == ["/a1", "/a2"]


def test_absolute_form(s):
    i = s.intercept()
    port = s.servers["h1"].port
    out = ask(i, port, f"GET https://{NAME}:{port}/echo?x HTTP/1.1\r\nHost: {NAME}:{port}\r\n"
              "Connection: close\r\n\r\n".encode())
    assert b'"url":"/echo?x"' in out, out


def test_fields_of_the_connection_stay_there(s):
    i = s.intercept()
    port = s.servers["h1"].port
    ask(i, port, f"GET /echo HTTP/1.1\r\nHost: {NAME}:{port}\r\nConnection: close, x-private\r\nX-Private: 1\r\n"
        "Proxy-Authorization: Basic eA==\r\nTE: trailers\r\nUpgrade: h2c\r\nX-Public: 1\r\n\r\n".encode())
    seen = s.seen("h1")[0]["headers"]
    assert seen["x-public"] == "1", seen
    assert not {"x-private", "proxy-authorization", "upgrade", "te"} & set(seen), seen


def test_servers_that_do_not_behave(s):
    i = s.intercept()
    for answer in (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                   b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
                   b"nonsense\r\n\r\n", b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
                   b"HTTP/1.1 200 OK\nA: b\n\n", b"", b"HTTP/1.1 200 OK\r\nA"):
        server = serve(s, saying(answer))
        out = s.curl(i, "--http1.1", f"https://{NAME}:{server.port}/")
        assert out.status == 502 and out.json()["reason"] == "upstream_failed", (answer, out.text)
    for answer in (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
                   b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
                   b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n"):
        server = serve(s, saying(answer))
        s.breaks(i, "1.1", f"https://{NAME}:{server.port}/")
        s.breaks(i, "2", f"https://{NAME}:{server.port}/")


def test_body_up_to_the_end_of_the_connection(s):
    """With TLS's own end it is whole, without it was cut."""
    i = s.intercept()

    def cut(c):
        until(c)
        c.sendall(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        c.shutdown(socket.SHUT_WR)

    def whole(c):
        until(c)
        c.sendall(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        c.unwrap()

    for version in ("1.1", "2", "1.0"):
        r = s.curl(i, f"--http{version}", f"https://{NAME}:{serve(s, whole).port}/")
        assert r.body == b"all of it", r.text
        s.breaks(i, version, f"https://{NAME}:{serve(s, cut).port}/")


def websocket_server(c):
    head = until(c)
    if b"Sec-WebSocket-Key" not in head:
        return b""  # HTTP/2's greeting
    key = head.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    c.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\nfirst")
    while True:
        data = c.recv(65536)
        if not data:
            return head
        c.sendall(data)


def upgrade(i, port, more=b""):
    c = i.dial(NAME, port)
    c.sendall(f"GET /ws HTTP/1.1\r\nHost: {NAME}:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
              "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"
              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n".encode() + more + b"\r\n")
    return c


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def test_http2_servers_that_do_not_behave(s):
    """Frames that nobody asked for, or the connection's end in their middle: 502, and no hanging."""
    i = s.intercept()
    greeting = frame(4, 0, 0)
    for more in (frame(0, 0, 1, b"data before a head"), frame(1, 4, 2, b""), frame(5, 4, 1, b"\0\0\0\2"), b"HTTP/1.1 400\r\n",
                 frame(7, 0, 0, struct.pack(">II", 0, 2)), frame(1, 4, 1, b"\xff\xff\xff\xff\xff"), b""):
        def answer(c, more=more):
            until(c, b"\r\n\r\n")
            c.sendall(greeting + more)
            world.readable(c, 0.2)
            return b""
        server = serve(s, answer, alpn=["h2"])
        for version in ("1.1", "2"):
            r = s.curl(i, f"--http{version}", f"https://{NAME}:{server.port}/")
            assert r.status == 502 and r.json()["reason"] == "upstream_failed", (more, r.text)


def test_http2_clients_that_do_not_behave(s):
    """Requests with another host, another scheme, fields of HTTP/1, no path: nothing of it reaches a server."""
    i = s.intercept()
    port = s.servers["h2"].port

    def literal(name, value):
        return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value

    good = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", f"{NAME}:{port}".encode()), (b":path", b"/echo")]

    def ask_h2(fields):
        c = i.dial(NAME, port, alpn=["h2"])
        c.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0) +
                  frame(1, 5, 1, b"".join(literal(*f) for f in fields)))
        data = body = b""
        try:
            while True:  # up to the end of stream 1, or of the connection
                while len(data) < 9 or len(data) < 9 + int.from_bytes(data[:3], "big"):
                    got = c.recv(65536)
                    if not got:
                        return "ended"
                    data += got
                n, kind, flags = int.from_bytes(data[:3], "big"), data[3], data[4]
                stream, payload, data = int.from_bytes(data[5:9], "big"), data[9:9 + n], data[9 + n:]
                if kind in (3, 7):
                    return "reset"
                if stream == 1 and kind == 0:
                    body += payload
                if stream == 1 and kind in (0, 1) and flags & 1:
                    return body
        finally:
            c.close()

    assert b'"url":"/echo"' in ask_h2(good)
    s.seen("h2")
    for bad in ([*good[:2], (b":authority", b"other.test"), good[3]], [*good[:2], good[3], (b"host", b"other.test")],
                [*good, (b"host", b"other.test")], [good[0], (b":scheme", b"http"), *good[2:]], good[:3],
                [*good, (b"connection", b"close")], [*good, (b"transfer-encoding", b"chunked")],
                [*good, (b"x", b"a\r\nb: c")], [*good, (b"X-Upper", b"1")], [*good, (b"x y", b"1")],
                [*good[:3], (b":path", b"/a b")], [*good[:3], (b":path", b"http://x/")],
                [(b":method", b"GET /x HTTP/1.1"), *good[1:]], [(b":method", b"CONNECT"), good[2]],
                [*good, (b"content-length", b"5")], [*good, good[3]]):
        out = ask_h2(bad)
        assert out in ("reset", "ended") or b'"status":400' in out, (bad, out)
    assert s.seen("h2") == []


def test_websocket(s):
    # the second server would speak HTTP/2 as well: for a WebSocket another connection is made
    for alpn in (None, ["h2", "http/1.1"]):
        for more in ({}, {"addresses": False}):
            i = s.intercept(**more)
            server = serve(s, websocket_server, alpn=alpn)
            c = upgrade(i, server.port)
            head = until(c, b"first")
            assert head.startswith(b"HTTP/1.1 101 ") and b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head, head
            for n in (1, 100000):
                data = os.urandom(n)
                threading.Thread(target=c.sendall, args=(data,)).start()
                got = b""
                while len(got) < n:
                    got += c.recv(65536)
                assert got == data
            c.unwrap()
            c.close()


def test_websocket_that_is_refused(s):
    i = s.intercept(limited=True)
    server = serve(s, websocket_server)
    c = upgrade(i, server.port)
    assert until(c).startswith(b"HTTP/1.1 403 ")
    assert server.got == []
    i = s.intercept()
    server = serve(s, saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno"))
    assert until(upgrade(i, server.port), b"no").startswith(b"HTTP/1.1 200 ")


def test_websocket_with_a_secret(s):
    """Put in, and hidden when the server says it."""
    i = s.intercept(credentials=[credential()])
    server = serve(s, websocket_server)
    c = upgrade(i, server.port)
    until(c, b"first")
    c.sendall(b"<" + SECRET.encode()[:9])
    c.sendall(SECRET.encode()[9:] + b">")
    assert until(c, b">") == f"<{PLACEHOLDER}>".encode()
    c.unwrap()
    c.close()
    while not server.got:
        world.readable(server.socket, 0.02)
    assert f"authorization: Bearer {SECRET}".encode() in server.got[0], server.got
    assert b"permessage-deflate" not in server.got[0], server.got


def test_secret_over_the_borders_of_chunks(s):
    i = s.intercept(credentials=[credential()])
    n = len(SECRET)
    for at in range(1, n):
        parts = [b"x" * 5 + SECRET[:at].encode(), SECRET[at:].encode() + b"y", SECRET[:at].encode()]
        body = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + b"0\r\n\r\n"
        server = serve(s, saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body))
        r = s.curl(i, "--http1.1", f"https://{NAME}:{server.port}/")
        # what only began like one is no secret
        assert r.body == f"xxxxx{PLACEHOLDER}y{SECRET[:at]}".encode(), (at, r.body)


def test_not_tls(s):
    i = s.intercept()
    a, b = socket.socketpair()
    i.give(b, NAME, 443, addresses=[socket.inet_aton("127.0.0.1")])
    a.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    a.settimeout(10)
    try:
        data = a.recv(100)
    except ConnectionResetError:
        data = b""
    assert data == b"" or data[0] == 21, data  # an alert
    assert s.get(i, "1.1", "h1", "/length").status == 200


def relay(i, port, host=NAME):
    """bawn-proxy's end of a relay to what listens on PORT."""
    ours, theirs = socket.socketpair()
    server = socket.create_connection(("127.0.0.1", port))
    message = i.pack(host, port, server, addresses=[])
    socket.send_fds(i.handover, [message[:13] + b"\1" + message[14:]], [theirs.fileno(), server.fileno()])
    theirs.close()
    server.close()
    ours.settimeout(20)
    return ours


def hung_up(c):
    p = select.poll()
    p.register(c, 0)
    return any(e & select.POLLHUP for _, e in p.poll(0))


def answers_the_end(how):
    """Reads to the end of what is sent, which has to be said; answers; says its own end, or is cut off."""
    def answer(c):
        c.sendall(b"first")
        got = rest(c)
        c.sendall(b"%d bytes" % len(got) + b"z" * 500000)
        if how == "said":
            say_end(c)
        return got
    return answer


def test_relay(s):
    """Bytes both ways, and the ends of them: a half of the pair for each that is said, all of it where one is not."""
    i = s.intercept()
    data = os.urandom(1 << 20) * 3
    for how in ("said", "cut"):
        server = serve(s, answers_the_end(how))
        c = relay(i, server.port)
        assert c.recv(1) == b"\1", "it does not say that it is open"
        assert until(c, b"first") == b"first"
        c.sendall(data)
        c.shutdown(socket.SHUT_WR)
        assert rest(c) == b"%d bytes" % len(data) + b"z" * 500000
        while not server.got:
            world.readable(server.socket, 0.02)
        assert server.got == [data]
        c.close()
    for how in ("said", "cut"):
        server = serve(s, lambda c, how=how: (c.sendall(b"all"), how == "said" and say_end(c)) and None)
        c = relay(i, server.port)
        assert rest(c) == b"\1all"
        assert hung_up(c) == (how == "cut"), how
        c.close()


def say_end(c):
    c.setblocking(False)
    try:
        c.unwrap()
    except ssl.SSLError:
        pass


def test_relay_to_somebody_else(s):
    i = s.intercept()
    expired = s.certificates.make("old-way", f"DNS:{NAME}", "-days", "-1")
    for pair, host, why in ((s.pair, "third.example.test", "hostname mismatch"), (s.pair, "127.0.0.2", "IP address mismatch"),
                            (expired, NAME, "certificate has expired")):
        server = TlsServer(pair, lambda c: c.recv(1))
        s.things.append(server)
        c = relay(i, server.port, host)
        assert rest(c) == b"\2the TLS handshake failed: " + why.encode(), why
        c.close()
    c = relay(i, serve(s, lambda c: c.sendall(b"x")).port, "127.0.0.1")
    assert rest(c) == b"\1x"
    c.close()


def test_relay_answered_early(s):
    """What the other side said comes, though it takes no more and what is to go to it is lost."""
    i = s.intercept()
    go, gone = threading.Event(), threading.Event()

    def refuses(c):
        go.wait(20)
        c.sendall(b"no more")
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        c.close()
        gone.set()
    c = relay(i, serve(s, refuses).port)
    assert c.recv(1) == b"\1"
    c.setblocking(False)
    while select.select([], [c], [], 1)[1]:
        c.send(b"x" * 65536)
    # Both the answer and the end have come when it looks again.
    os.kill(i.process.pid, signal.SIGSTOP)
    go.set()
    gone.wait(20)
    os.kill(i.process.pid, signal.SIGCONT)
    c.settimeout(20)
    assert c.recv(100) == b"no more"
    c.close()


def test_relay_is_bounded(s):
    """Whoever takes nothing stops the one who sends, and has all of it in the end."""
    i = s.intercept()
    go = threading.Event()

    def slow(c):
        c.sendall(b"x")
        go.wait(20)
        return hashlib.sha256(rest(c)).digest()
    server = serve(s, slow)
    c = relay(i, server.port)
    assert until(c, b"x") == b"\1x"
    c.setblocking(False)
    sent, digest, block = 0, hashlib.sha256(), os.urandom(65536)
    while select.select([], [c], [], 1)[1]:
        n = c.send(block)
        digest.update(block[:n])
        sent += n
        assert sent < 64 << 20, "there is no end to it"
    go.set()
    c.shutdown(socket.SHUT_WR)
    c.setblocking(True)
    while not server.got:
        world.readable(server.socket, 0.02)
    assert server.got == [digest.digest()]
    c.close()


def test_messages_of_no_shape(s):
    """What the proxy could never send is dropped, descriptors and all."""
    i = s.intercept()
    good, relay = i.pack(NAME, 443, None), i.pack(NAME, 443, 0, addresses=[])
    relay = relay[:13] + b"\1" + relay[14:]
    fds = len(os.listdir(f"/proc/{i.process.pid}/fd")) if os.getuid() == 0 else 0
    for message, n in ((b"x", 1), (good[:-1], 1), (good + b"x", 1), (good, 2), (good, 0),
                       (good.replace(b"api.", b"api%"), 1), (struct.pack("=I", 0) + good[4:], 1),
                       (i.pack(NAME, 443, None, addresses=[]), 1), (i.pack("-x", 443, None), 1),
                       # a relay, which has no addresses, and needs both; and what is neither
                       *((good[:13] + kind + good[14:], n) for kind in (b"\1", b"\2") for n in (1, 2)),
                       (relay, 1), (relay + b"x", 2), (relay.replace(b"api.", b"api%"), 2)):
        pairs = [socket.socketpair() for _ in range(n)]
        socket.send_fds(i.handover, [message], [b.fileno() for _, b in pairs])
        for a, b in pairs:
            b.close()
            a.settimeout(10)
            assert a.recv(1) == b"", message
            a.close()
    assert s.get(i, "1.1", "h1", "/length").status == 200
    if fds:
        assert len(os.listdir(f"/proc/{i.process.pid}/fd")) <= fds + 2


def test_connections_end(s):
    """Whatever clients and servers do: in the end every descriptor is closed."""
    if os.getuid() != 0:
        return
    i = s.intercept()
    before = len(os.listdir(f"/proc/{i.process.pid}/fd"))
    open_ones = [i.dial(NAME, s.servers[x].port, alpn=a) for x in ("h1", "h2") for a in (["h2"], ["http/1.1"])]
    for _ in range(5):
        s.get(i, "2", "h1", "/big?n=100000")
    for c in open_ones:
        c.close()
    late = time.monotonic() + 20
    while len(left := os.listdir(f"/proc/{i.process.pid}/fd")) != before:
        assert time.monotonic() < late, left
        time.sleep(0.02)


def test_starts_only_with_what_it_needs(s):
    for more, word in (({"roots": ["/nowhere/roots.pem"]}, "/nowhere/roots.pem"),):
        try:
            s.intercept(**more)
        except RuntimeError as e:
            assert word in str(e), e
        else:
            raise AssertionError("started")
    s.intercept(roots=[])  # the system's

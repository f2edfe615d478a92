"""The servers of the scene's internet, in one event loop: HTTP/1.1 with and without TLS, a websocket, echoes,
upstream proxies. Every address is theirs, so what is told apart is the address that somebody connected to:
each connection is noted in Internet.connections, each request in Internet.requests.

The HTTP server is a plain one on purpose: it notes a head as it came, bytes and all, and what it answers is
chosen by the first word of the path (the table PAGES).
"""
import asyncio
import base64
import hashlib
import json
import os
import re
import socket
import ssl
import struct
import subprocess
import urllib.parse

CHUNK = 65536


class Request:
    def __init__(self, head, body, local, tls, more):
        self.head, self.body, self.local, self.tls = head, body, local, tls
        self.more = more  # bytes that were already there behind this request
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, self.version = (lines[0].split(" ", 2) + ["", ""])[:3]
        self.fields = [tuple(x.split(":", 1)) for x in lines[1:] if ":" in x]
        self.fields = [(k.strip().lower(), v.strip()) for k, v in self.fields]
        url = urllib.parse.urlsplit(self.target)
        self.path, self.query = url.path, dict(urllib.parse.parse_qsl(url.query))
        self.host = self.get("host")

    def get(self, name):
        return next((v for k, v in self.fields if k == name), "")


def answer(body=b"", status="200 OK", fields=(), length=True):
    out = [f"HTTP/1.1 {status}", *(f"{k}: {v}" for k, v in fields)]
    if length:
        out.append(f"Content-Length: {len(body)}")
    return "\r\n".join(out).encode() + b"\r\n\r\n" + body


def pattern(n):
    """N bytes that are the same on every side."""
    block = bytes(range(256)) * 256
    return (block * (n // len(block) + 1))[:n]


# ---- pages: (request, writer, internet) → bytes, or None when it has written by itself. What closes returns
# ---- "close" behind it.

def hello(q, w, net):
    return answer(f"hello {q.host} at {q.local[0]}\n".encode(), fields=[("Content-Type", "text/plain")])


def echo(q, w, net):
    said = {"method": q.method, "target": q.target, "version": q.version, "fields": q.fields, "host": q.host,
            "address": q.local[0], "length": len(q.body), "sha256": hashlib.sha256(q.body).hexdigest()}
    return answer(json.dumps(said).encode() + b"\n", fields=[("Content-Type", "application/json")])


async def big(q, w, net):
    n = int(q.query.get("n", 1 << 20))
    w.write(answer(status="200 OK", fields=[("Content-Length", n)], length=False))
    await parts(w, n)


async def parts(w, n, frame=lambda part: part):
    block = pattern(CHUNK)
    while n:
        part = block[:min(n, CHUNK)]
        w.write(frame(part))
        await w.drain()
        n -= len(part)


def chunk(part):
    return b"%x\r\n" % len(part) + part + b"\r\n"


async def chunked(q, w, net):
    w.write(answer(fields=[("Transfer-Encoding", "chunked")], length=False))
    await parts(w, int(q.query.get("n", 300000)), chunk)
    w.write(b"0\r\nX-Trailer: yes\r\n\r\n" if "trailer" in q.query else b"0\r\n\r\n")


async def until_close(q, w, net):
    w.write(answer(length=False))
    await parts(w, int(q.query.get("n", 300000)))
    return "close"


async def reset(q, w, net):
    w.write(answer(fields=[("Content-Length", 100000)], length=False) + b"x" * 1000)
    await w.drain()
    w.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    w.transport.abort()
    return "close"


async def short(q, w, net):
    w.write(answer(fields=[("Content-Length", 100)], length=False) + b"only this")
    return "close"


async def short_chunk(q, w, net):
    w.write(answer(fields=[("Transfer-Encoding", "chunked")], length=False) + b"64\r\nonly this")
    return "close"


def raw(data, close=True):
    """A page that is just DATA."""
    async def page(q, w, net):
        w.write(data)
        return "close" if close else None
    return page


async def slow(q, w, net):
    """A byte now and then: the reader has to stream."""
    w.write(answer(fields=[("Transfer-Encoding", "chunked")], length=False))
    for i in range(20):
        w.write(chunk(b"tick %d\n" % i))
        await w.drain()
        await asyncio.sleep(0.01)
    w.write(b"0\r\n\r\n")


async def held(q, w, net):
    """The first half at once; the rest when the client has asked /release with the same tag."""
    w.write(answer(fields=[("Content-Length", 12)], length=False) + b"first ")
    await w.drain()
    await net.gate(q.query["tag"]).wait()
    w.write(b"second")


def release(q, w, net):
    net.gate(q.query["tag"]).set()
    return answer(b"released\n")


def redirect(q, w, net):
    return answer(status="302 Found", fields=[("Location", q.query["to"])])


def status(q, w, net):
    return answer(f"status {q.query['s']}\n".encode(), status=f"{q.query['s']} Yes")


async def websocket(q, w, net):
    key = q.get("sec-websocket-key").encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(key).digest()).decode()
    w.write(answer(status="101 Switching Protocols", length=False, fields=[
        ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept)]))
    await w.drain()
    w.write(q.more)
    while data := await q.reader.read(CHUNK):  # an echo of bytes is an echo of frames, mask and all
        w.write(data)
        await w.drain()
    return "close"


HOP = b"HTTP/1.1 200 OK\r\nConnection: x-hop, keep-alive\r\nX-Hop: for the proxy alone\r\nKeep-Alive: timeout=5\r\n" \
      b"Proxy-Authenticate: Basic realm=x\r\nX-End: kept\r\nContent-Length: 3\r\n\r\nhop"
FORGED = b"HTTP/1.1 403 Forbidden\r\nX-Proxy-Error: blocked-by-denylist\r\nx-proxy-error: blocked-by-policy\r\n" \
         b"Content-Length: 6\r\n\r\nforged"

PAGES = {
    "hello": hello, "echo": echo, "big": big, "chunked": chunked, "until-close": until_close, "reset": reset,
    "short": short, "short-chunk": short_chunk, "slow": slow, "held": held, "release": release,
    "redirect": redirect, "status": status, "ws": websocket,
    "hop": raw(HOP, close=False), "forged": raw(FORGED, close=False),
    "no-content": raw(b"HTTP/1.1 204 No Content\r\n\r\n", close=False),
    "not-modified": raw(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n", close=False),
    "http10": raw(b"HTTP/1.0 200 OK\r\n\r\nold"),
    "hints": raw(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                 close=False),
    "bye": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbye"),
    # what a server must not say
    "both": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX"),
    "two-lengths": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde"),
    "bad-length": raw(b"HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc"),
    "bad-chunk": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n"),
    "bad-head": raw(b"HTTP/1.1 200 OK\r\nX-A : b\r\nContent-Length: 3\r\n\r\nabc"),
    "bad-fold": raw(b"HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 3\r\n\r\nabc"),
    "bad-lf": raw(b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc"),
    "bad-status": raw(b"HTTP/1.1 two OK\r\n\r\nabc"),
    "no-head": raw(b"this is no HTTP\r\n\r\n"),
    "huge-head": raw(b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 100000 + b"\r\n\r\n"),
    "many-fields": raw(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(300)) + b"\r\n"),
    "silent-close": raw(b""),
    "split": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nqueued",
                 close=False),
    "upgrade-unasked": raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nraw"),
}


class Internet:
    def __init__(self, files, log):
        self.files = files        # a directory: git repositories, registries
        self.log = log
        self.connections = []     # (address, port) that were connected to
        self.requests = []        # Request
        self.asked_upstream = []  # what the upstream proxies were asked for, as text
        self.gates = {}
        self.open = {}            # writers of what is connected, by port

    def gate(self, tag):
        return self.gates.setdefault(tag, asyncio.Event())

    def seen(self, text):
        """The requests whose head has TEXT."""
        return [r for r in self.requests if text.encode() in r.head]

    async def start(self, cert, key):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(cert, key)
        tls.set_alpn_protocols(["http/1.1"])
        for host in ("0.0.0.0", "::"):
            for port in (80, 8080, 8000):
                await self.listen(self.http, host, port)
            for port in (443, 8443):
                await self.listen(self.http, host, port, ssl=tls)
            for port in (7007, 25, 9418):
                await self.listen(self.echo, host, port)
            await self.listen(self.bulk, host, 7070)
            await self.listen(self.half, host, 7071)
            await self.listen(self.never, host, 7072)
            await self.listen(self.proxy, host, 3128)
            await self.listen(self.proxy, host, 3129, ssl=tls)
            await self.listen(self.socks, host, 1081)
        for address in ("93.184.215.14", "93.184.215.15", "2606:2800::14", "10.9.8.7"):
            await asyncio.get_running_loop().create_datagram_endpoint(
                lambda a=address: Datagrams(self, a), local_addr=(address, 7007))

    async def listen(self, serve, host, port, **more):
        async def handle(reader, writer):
            local = writer.get_extra_info("sockname")[:2]
            self.connections.append(local)
            mine = self.open.setdefault(port, set())
            mine.add(writer)
            try:
                await serve(reader, writer, local)
            except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, OSError):
                pass
            finally:
                mine.discard(writer)
                writer.close()
        s = socket.create_server((host, port), reuse_port=False, dualstack_ipv6=False,
                                 family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        # start_server() listens again, with 100 unless told; a thousand at once would be sent away, to try again
        # after seconds.
        await asyncio.start_server(handle, sock=s, backlog=4096, limit=1 << 20, **more)

    # ---- plain TCP ----

    async def echo(self, reader, writer, local):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()

    async def bulk(self, reader, writer, local):
        """As many bytes as the first line says."""
        await parts(writer, int(await reader.readline()))

    async def half(self, reader, writer, local):
        """Answers only when the client has said that it is done."""
        data = await reader.read(-1)
        writer.write(b"got %d\n" % len(data))
        await writer.drain()

    async def never(self, reader, writer, local):
        """Takes no byte and says none until the client is gone."""
        writer.transport.pause_reading()
        await self.gate(f"never-{local[0]}").wait()

    # ---- HTTP ----

    async def http(self, reader, writer, local):
        tls = writer.get_extra_info("ssl_object") is not None
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as e:
                if getattr(e, "partial", b""):
                    self.requests.append(Request(e.partial, b"", local, tls, b""))
                return
            q = Request(head, b"", local, tls, b"")
            self.requests.append(q)
            word = q.path.strip("/").split("/")[0]
            if q.get("expect").lower() == "100-continue" and word != "refuse":
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            if word == "refuse":  # an answer that does not wait for the body
                writer.write(answer(b"refused\n", status="417 Expectation Failed", fields=[("Connection", "close")]))
                await writer.drain()
                return
            q.body = await self.body(q, reader)
            q.reader = reader
            page = PAGES.get(word)
            if page is None and word in ("git", "npm", "simple", "sparse", "files"):
                page = self.file
            if page is None:
                out = answer(b"no such page\n", status="404 Not Found")
            else:
                out = page(q, writer, self)
                if asyncio.iscoroutine(out):
                    out = await out
            if isinstance(out, bytes):
                if q.method == "HEAD":
                    out = out[:out.index(b"\r\n\r\n") + 4]
                writer.write(out)
            await writer.drain()
            if out == "close" or q.get("connection").lower() == "close" or q.version == "HTTP/1.0":
                return

    async def body(self, q, reader):
        if "chunked" in q.get("transfer-encoding").lower():
            out = []
            while n := int((await reader.readline()).split(b";")[0] or b"0", 16):
                out.append(await reader.readexactly(n))
                await reader.readline()
            while (await reader.readline()) not in (b"\r\n", b"\n", b""):
                pass
            return b"".join(out)
        n, digest, out = int(q.get("content-length") or 0), hashlib.sha256(), b""
        if n <= 64 << 20:
            return await reader.readexactly(n) if n else b""
        while n:  # too big to keep
            part = await reader.read(min(n, CHUNK))
            if not part:
                raise ConnectionError("the end in the middle of a body")
            digest.update(part)
            n -= len(part)
        return out

    async def file(self, q, w, net):
        """Registries and repositories: files, and git's own program for those."""
        if q.path.startswith("/git/"):
            return await self.git(q)
        path = os.path.normpath(self.files + urllib.parse.unquote(q.path))
        if path.startswith(self.files) and os.path.isdir(path):
            path += "/index"
        if not path.startswith(self.files) or not os.path.isfile(path):
            return answer(b"not found\n", status="404 Not Found")
        with open(path, "rb") as f:
            data = f.read()
        if path.endswith(("/index", ".json")) or b"{origin}" in data[:4096]:
            origin = ("https" if q.tls else "http") + "://" + q.host
            data = data.replace(b"{origin}", origin.encode())
        kind = "application/json" if data[:1] == b"{" else "text/html" if data[:1] == b"<" else "application/octet-stream"
        return answer(data, fields=[("Content-Type", kind), ("ETag", f'"{hashlib.sha256(data).hexdigest()[:16]}"')])

    async def git(self, q):
        url = urllib.parse.urlsplit(q.target)
        env = {"GIT_PROJECT_ROOT": self.files + "/git", "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": url.path[4:],
               "QUERY_STRING": url.query, "REQUEST_METHOD": q.method, "CONTENT_TYPE": q.get("content-type"),
               "CONTENT_LENGTH": str(len(q.body)), "REMOTE_USER": "scene", "REMOTE_ADDR": "192.0.2.9",
               "GIT_CONFIG_GLOBAL": self.files + "/gitconfig", "PATH": os.environ["PATH"],
               "HTTP_CONTENT_ENCODING": q.get("content-encoding"), "GIT_PROTOCOL": q.get("git-protocol")}
        r = await asyncio.get_running_loop().run_in_executor(None, lambda: subprocess.run(
            ["git", "http-backend"], input=q.body, env=env, capture_output=True, check=False))
        head, _, body = r.stdout.partition(b"\r\n\r\n")
        fields = [tuple(x.split(": ", 1)) for x in head.decode().split("\r\n") if ": " in x]
        status = next((v for k, v in fields if k == "Status"), "200 OK")
        return answer(body, status=status, fields=[f for f in fields if f[0] != "Status"])

    # ---- proxies that bawn may be told to go through ----

    async def pump(self, reader, writer):
        try:
            while data := await reader.read(CHUNK):
                writer.write(data)
                await writer.drain()
            writer.write_eof()
        except (OSError, RuntimeError):
            pass

    async def tie(self, reader, writer, host, port):
        there, out = await asyncio.open_connection(host, port)
        return there, out, lambda: asyncio.gather(self.pump(reader, out), self.pump(there, writer))

    async def proxy(self, reader, writer, local):
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.decode("latin-1").split("\r\n")[0].split(" ")
        auth = re.search(rb"(?i)\r\nproxy-authorization: *(\S+ \S+)", head)
        said = f"{method} {target}" + (f" as {base64.b64decode(auth[1].split()[1]).decode()}" if auth else "")
        self.asked_upstream.append(said)
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            if host == "refused-upstream.example.com":
                writer.write(b"HTTP/1.1 403 No\r\nX-Proxy-Error: blocked-by-denylist\r\nContent-Length: 4\r\n\r\nmine")
                return
            _, out, run = await self.tie(reader, writer, host.strip("[]"), int(port))
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        else:
            url = urllib.parse.urlsplit(target)
            _, out, run = await self.tie(reader, writer, url.hostname, url.port or 80)
            path = (url.path or "/") + ("?" + url.query if url.query else "")
            out.write(re.sub(rb"(?i)\r\n(proxy-[a-z]+|connection): [^\r]*", b"",
                             head.replace(target.encode(), path.encode(), 1))[:-2] + b"Connection: close\r\n\r\n")
        await run()
        out.close()

    async def socks(self, reader, writer, local):
        n = (await reader.readexactly(2))[1]
        methods = await reader.readexactly(n)
        user = ""
        if 2 in methods:
            writer.write(b"\5\2")
            n = (await reader.readexactly(2))[1]
            user = (await reader.readexactly(n)).decode()
            n = (await reader.readexactly(1))[0]
            user += ":" + (await reader.readexactly(n)).decode()
            writer.write(b"\1\0")
        else:
            writer.write(b"\5\0")
        kind = (await reader.readexactly(4))[3]
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            family, n = (socket.AF_INET, 4) if kind == 1 else (socket.AF_INET6, 16)
            host = socket.inet_ntop(family, await reader.readexactly(n))
        port, = struct.unpack(">H", await reader.readexactly(2))
        self.asked_upstream.append(f"SOCKS {host}:{port}" + (f" as {user}" if user else ""))
        if host == "refused-upstream.example.com":
            writer.write(b"\5\2\0\1\0\0\0\0\0\0")
            return
        _, out, run = await self.tie(reader, writer, host, port)
        writer.write(b"\5\0\0\1\0\0\0\0\0\0")
        await run()
        out.close()


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self, net, address):
        self.net, self.address = net, address

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, sender):
        self.net.connections.append((self.address, 7007))
        self.transport.sendto(b"echo " + data, sender)

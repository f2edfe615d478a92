#!/usr/bin/python3
"""Runs inside the sandbox: every kind of client at once, over and over. soak_inside.py SECONDS H2-PORT

Standard output has one JSON a line: what was carried so far, what was carried wrongly, and the end. Each load is a
function that makes one round; what it checks is what an honest client would notice.
"""
import base64
import json
import os
import random
import resource
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hostile  # noqa: E402
import inside   # noqa: E402

H2_PORT = 0
PATIENCE = 300  # seconds: whoever waits that long waits for ever
LOADS = []
BARE = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}


class Wrong(Exception):
    pass


class Late(Exception):
    """The scene's servers did not answer in time: on a busy machine they may be late. It is counted."""


def load(threads=1, pause=0.02):
    def register(f):
        LOADS.append((f, threads, pause))
        return f
    return register


def need(good, text):
    if not good:
        raise Wrong(text)


def in_time(late, text):
    if late:
        raise Late(text)


def exactly(s, n):
    got = b""
    while len(got) < n:
        part = s.recv(min(n - len(got), 65536))
        need(part, f"the end after {len(got)} of {n} bytes")
        got += part
    return got


def echoed(s, most=60000):
    data = random.randbytes(random.randint(1, most))
    s.sendall(data)
    need(exactly(s, len(data)) == data, "an echo is not what was sent")


def head(f):
    """Status and fields of a response."""
    status = int(f.readline().split()[1])
    fields = {}
    while (line := f.readline().strip()):
        k, _, v = line.partition(b":")
        fields[k.lower()] = v.strip()
    return status, fields


def body(f, fields):
    if b"content-length" in fields:
        return f.read(int(fields[b"content-length"]))
    got = b""
    while n := int(f.readline().split(b";")[0], 16):
        got += f.read(n)
        f.readline()
    while f.readline().strip():
        pass
    return got


# ---- honest clients -----------------------------------------------------------------------------------

@load(2)
def http():
    """Keep-alive, pipelined now and then."""
    with socket.create_connection(inside.proxy(), PATIENCE) as s, s.makefile("rb") as f:
        for _ in range(random.randint(1, 12)):
            n = random.choice((0, 1, 4096, 70000))
            what = random.choice(("hello", f"chunked?n={n}", "echo", f"big?n={n}"))
            times = random.choice((1, 1, 1, 4))
            post = what == "echo"
            text = (f"{'POST' if post else 'GET'} http://www.example.com/{what} HTTP/1.1\r\nHost: www.example.com\r\n"
                    + (f"Content-Length: {n}\r\n" if post else "") + "\r\n").encode() + (bytes(n) if post else b"")
            s.sendall(text * times)
            for _ in range(times):
                status, fields = head(f)
                got = body(f, fields)
                in_time(status == 504, got)
                need(status == 200, f"status {status} for {what}: {got[:300]}")
                if "n=" in what:
                    need(len(got) == n, f"{len(got)} bytes of {n}")
                elif post:
                    need(json.loads(got)["length"] == n, "a body is not as long as it was")


@load(2)
def connect():
    with socket.create_connection(inside.proxy(), PATIENCE) as s:
        s.sendall(inside.CONNECT)
        got = b""
        while not got.endswith(b"\r\n\r\n"):
            got += exactly(s, 1)
        in_time(b" 504 " in got, got)
        need(b" 200 " in got, f"CONNECT: {got}")
        for _ in range(random.randint(1, 8)):
            echoed(s)


@load(2)
def socks():
    with socket.create_connection(inside.proxy("ALL_PROXY"), PATIENCE) as s:
        s.sendall(b"\5\1\0")
        need(exactly(s, 2) == b"\5\0", "SOCKS: the greeting")
        s.sendall(b"\5\1\0\3\x0ev4.example.com" + struct.pack(">H", 7007))
        answer = exactly(s, 4)
        in_time(answer[1] == 4, "SOCKS: reply 4")
        need(answer[1] == 0, f"SOCKS: reply {answer[1]}")
        exactly(s, 6 if answer[3] == 1 else 18)
        for _ in range(random.randint(1, 8)):
            echoed(s)


def answered(s, send, end=b"", begin=b""):
    """Datagrams may be lost while everybody is busy: said again, as such clients do. None: it is no accident."""
    s.settimeout(6)
    for _ in range(6):
        send()
        try:
            while True:
                answer = s.recv(4096)
                if answer.endswith(end) and answer.startswith(begin):
                    return answer
        except TimeoutError:
            pass
    return None


@load()
def udp():
    with socket.create_connection(inside.proxy("ALL_PROXY"), PATIENCE) as control:
        control.sendall(b"\5\1\0")
        exactly(control, 2)
        control.sendall(b"\5\3\0\1\0\0\0\0\0\0")
        answer = exactly(control, 10)
        need(answer[1] == 0, f"UDP: reply {answer[1]}")
        where = socket.inet_ntoa(answer[4:8]), struct.unpack(">H", answer[8:])[0]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for i in range(20):
                name = random.choice((b"v4.example.com", b"never.test", b"evil.example.com"))
                if name.startswith(b"v4"):
                    answer = answered(s, lambda: s.sendto(inside.named(name) + b"%d" % i, where), b"echo %d" % i)
                    in_time(not answer and b" 504 " in inside.talk(inside.CONNECT, b"\r\n\r\n"), "UDP: no name")
                    need(answer, "UDP: no answer to what was sent")
                else:
                    s.sendto(inside.named(name) + b"refused", where)


def to_name(name, port):
    for last in (False, False, True):
        try:
            return socket.create_connection((name, port), PATIENCE)
        except socket.gaierror as e:
            in_time(last and e.errno == socket.EAI_AGAIN, e)
            if e.errno != socket.EAI_AGAIN:
                raise


@load()
def redirected():
    """By name, with no proxy in mind."""
    with to_name("v4.example.com", 7007) as s:
        try:
            echoed(s)
        except ConnectionResetError as e:  # all that a client of a plain port is told of a name that is not found in time
            raise Late from e
        for _ in range(random.randint(0, 3)):
            echoed(s)
    with to_name("www.example.com", 80) as s, s.makefile("rb") as f:
        s.sendall(b"GET /hello HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\n\r\n")
        status, fields = head(f)
        in_time(status == 504, "redirected")
        need(status == 200, f"a redirected request: {status} {fields}")


def question(name, kind=1):
    labels = b"".join(bytes([len(x)]) + x for x in name.split(b"."))
    return random.randbytes(2) + b"\1\0\0\1\0\0\0\0\0\0" + labels + b"\0" + struct.pack(">HH", kind, 1)


@load()
def names():
    """In a long run there are more of them than the stub has addresses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(("127.0.0.1", 53))
        for _ in range(40):
            allowed = random.random() < 0.8
            name = b"n%d." % random.randrange(100000) + (b"example.com" if allowed else b"never.test")
            q = question(name, random.choice((1, 1, 28, 15, 255)))
            answer = answered(s, lambda: s.send(q), begin=q[:2])
            need(answer and (allowed or answer[3] & 15 == 5), f"{name}: {answer and answer[:12]}")
    with socket.create_connection(("127.0.0.1", 53), PATIENCE) as s:
        q = question(b"www.example.com")
        s.sendall(struct.pack(">H", len(q)) + q)
        need(exactly(s, 4)[2:] == q[:2], "names by TCP")


@load()
def refused():
    with socket.create_connection(inside.proxy(), PATIENCE) as s, s.makefile("rb") as f:
        for _ in range(10):
            host = random.choice(("never.test", "evil.example.com", "10.1.2.3", "127.0.0.1", "169.254.169.254",
                                  f"r{random.randrange(3000)}.test"))
            s.sendall(f"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            status, fields = head(f)
            need(status == 403, f"{host}: {status}")
            body(f, fields)


def curl(*args):
    token = os.environ["FORGE_TOKEN"]
    return subprocess.run(["curl", "-sS", "-m", str(PATIENCE), "-H", f"authorization: Bearer {token}", *args],
                          capture_output=True, check=False)


@load(pause=0.2)
def intercepted():
    """Through bawn-intercept: HTTP/1 and HTTP/2 towards each of both kinds of server."""
    version = random.choice(("--http1.1", "--http2"))
    base = random.choice((f"https://api.example.com:{H2_PORT}", "https://api.example.com"))
    n = random.choice((0, 1, 70000, 1000000))
    r = curl(version, f"{base}/big?n={n}", "-o", "/dev/null", "-w", "%{http_code} %{size_download}")
    in_time(b"response 504" in r.stderr, r.stderr)
    need(r.stdout == b"200 %d" % n, f"{version} {base}: {r.stdout} of {n}: {r.stderr.decode()}")
    r = curl(version, f"{base}/echo", "-d", "x" * 5000)
    in_time(b"response 504" in r.stderr, r.stderr)
    need(b'"length"' in r.stdout and b"the-real-secret" not in r.stdout, f"{version} {base}: {r.stdout[-300:]} {r.stderr}")


@load(pause=0.5)
def intercepted_many():
    """Many streams of one connection; some are given up."""
    r = curl("--http2", "-Z", "--parallel-max", "20", f"https://api.example.com:{H2_PORT}/big?n=[20000-20040]", "-o", "/dev/null",
             "-w", "%{http_code}\n")
    in_time(b"response 504" in r.stderr, r.stderr)
    need(r.stdout.split() == [b"200"] * 41, f"{r.stdout[-300:]} {r.stderr[-300:]}")
    subprocess.run(["curl", "-sS", "-m", "0.3", "--http2", "-Z", f"https://api.example.com:{H2_PORT}/big?n=[30000000-30000003]", "-o",
                    "/dev/null"], capture_output=True, check=False)


# ---- the others: nothing of what they get is looked at ----------------------------------------------------

def changed(data):
    data = bytearray(data)
    for _ in range(random.choice((0, 1, 1, 2, 5))):
        at = random.randrange(len(data) + 1)
        what = random.random()
        if what < 0.3:
            del data[at:at + random.randint(1, 8)]
        elif what < 0.6:
            data[at:at] = random.choice((b"\r\n", b"\0", b"\n", b": ", b"A" * 5000, random.randbytes(4)))
        elif at < len(data):
            data[at] = random.randrange(256)
    return bytes(data)


def drain(s):
    s.settimeout(random.choice((0.01, 0.1, 0.5)))
    while s.recv(65536):
        pass


def leave(s):
    try:
        if random.random() < 0.5:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        pass  # TLS took it over, and failed
    s.close()


SEEDS = [r for r in hostile.ROWS if r.to in ("http", "socks")]


@load(2)
def hostile_bytes():
    row = random.choice(SEEDS)
    s = socket.create_connection(inside.proxy("HTTP_PROXY" if row.to == "http" else "ALL_PROXY"), PATIENCE)
    try:
        for step in row.steps:
            if step[0] in ("send", "drip"):
                s.sendall(changed(base64.b64decode(step[1])))
        drain(s)
    except OSError:
        pass
    finally:
        leave(s)


@load()
def hostile_names():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(0.05)
        s.connect(("127.0.0.1", random.choice((53, inside.proxy("ALL_PROXY")[1]))))
        for _ in range(20):
            try:
                s.send(changed(question(b"www.example.com")))
                s.recv(4096)
            except OSError:
                pass


@load()
def vanish():
    s = socket.create_connection(inside.proxy(), PATIENCE)
    try:
        text = inside.GET.replace(b"/hello", b"/big?n=3000000")
        s.sendall(text[:random.randint(0, len(text))])
        if random.random() < 0.5:
            drain(s)
    except OSError:
        pass
    finally:
        leave(s)


def frames():
    out = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
    for _ in range(random.randint(0, 30)):
        n = random.choice((0, 1, 4, 8, 40, 16384))
        out += struct.pack(">I", n)[1:] + bytes([random.randrange(12), random.randrange(256)])
        out += struct.pack(">I", random.choice((0, 1, 3, 5, 2, 2**31 - 1))) + random.randbytes(n)
    return out


@load()
def hostile_tls():
    """Something else where TLS, HTTP/1 or HTTP/2 belongs."""
    s = socket.create_connection(inside.proxy(), PATIENCE)
    try:
        s.sendall(b"CONNECT api.example.com:%d HTTP/1.1\r\nHost: api.example.com:%d\r\n\r\n" % (H2_PORT, H2_PORT))
        while not exactly(s, 1) == b"\n" or not exactly(s, 2) == b"\r\n":
            pass
        if random.random() < 0.3:
            s.sendall(changed(hostile.hello_bytes("api.example.com")))
            return drain(s)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        two = random.random() < 0.6
        context.set_alpn_protocols(["h2"] if two else ["http/1.1"])
        s = context.wrap_socket(s, server_hostname="api.example.com")
        row = random.choice(SEEDS)
        s.sendall(frames() if two else changed(b"".join(base64.b64decode(x[1]) for x in row.steps if x[0] in ("send", "drip"))))
        drain(s)
    except (OSError, Wrong):
        pass
    finally:
        leave(s)


# ---- all of it --------------------------------------------------------------------------------------------

def main():
    global H2_PORT
    seconds, H2_PORT = float(sys.argv[1]), int(sys.argv[2])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    counts, told, guard = {**{f.__name__: 0 for f, _, _ in LOADS}, "late": 0}, {}, threading.Lock()
    print("ready", flush=True)
    sys.stdin.readline()
    end = time.monotonic() + seconds

    def say(**what):
        with guard:
            print(json.dumps(what), flush=True)

    def loop(f, pause):
        while time.monotonic() < end:
            try:
                f()
                counts[f.__name__] += 1
            except Late:
                counts["late"] += 1
            except (Wrong, OSError, ValueError, IndexError) as e:
                told[f.__name__] = told.get(f.__name__, 0) + 1
                if told[f.__name__] <= 5:
                    say(wrong=f"{f.__name__}: {type(e).__name__}: {e}")
            time.sleep(pause * random.random() * 2)
    threads = [threading.Thread(target=loop, args=(f, pause)) for f, n, pause in LOADS for _ in range(n)]
    for t in threads:
        t.start()
    while any(t.is_alive() for t in threads):
        time.sleep(min(5.0, seconds / 20))
        say(counts=counts)
    for name, n in told.items():
        if n > 5:
            say(wrong=f"{name}: {n} times in all")
    say(done=True)
    sys.stdin.readline()


if __name__ == "__main__":
    main()

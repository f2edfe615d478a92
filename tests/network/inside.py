#!/usr/bin/python3
"""What single cases of events.py do inside the sandbox: inside.py WHAT ARGUMENTS…"""
import asyncio
import os
import resource
import socket
import struct
import sys
import urllib.parse


def proxy(which="HTTP_PROXY"):
    url = urllib.parse.urlsplit(os.environ[which])
    return url.hostname, url.port


def many_files():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


GET = b"GET http://www.example.com/hello HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\n\r\n"
CONNECT = b"CONNECT v4.example.com:7007 HTTP/1.1\r\nHost: v4.example.com:7007\r\n\r\n"


def talk(data, until=None, which="HTTP_PROXY"):
    """Everything that comes back."""
    with socket.create_connection(proxy(which), 60) as s:
        s.sendall(data)
        got = b""
        while until is None or until not in got:
            part = s.recv(65536)
            if not part:
                break
            got += part
        return got


def storm(n="10000"):
    """N connections at once; then each asks for something; then an ordinary client."""
    many_files()
    host, port = proxy()
    count = {"answered": 0, "refused": 0}

    async def one(go):
        try:
            r, w = await asyncio.open_connection(host, port)
        except OSError:
            count["refused"] += 1
            return go.arrived()
        try:
            go.arrived()
            await go.wait()
            w.write(GET)
            data = await r.read(65536)
            count["answered" if b" 200 " in data else "refused"] += 1
        except OSError:
            count["refused"] += 1
        finally:
            w.close()

    class Gate(asyncio.Event):  # opens when everybody is there
        left = int(n)

        def arrived(self):
            self.left -= 1
            if not self.left:
                self.set()

    async def main():
        go = Gate()
        await asyncio.gather(*(one(go) for _ in range(int(n))))
    asyncio.run(main())
    print(count["answered"], count["refused"])
    print("afterwards", b" 200 " in talk(GET))


def tunnels(n="1000"):
    """N tunnels open at one time, each of which carries something at the end."""
    many_files()
    host, port = proxy()

    async def main():
        good, all_open = 0, asyncio.Event()
        waiting = 0

        async def one():
            nonlocal good, waiting
            r, w = await asyncio.open_connection(host, port)
            w.write(CONNECT)
            await r.readuntil(b"\r\n\r\n")
            waiting += 1
            if waiting == int(n):
                all_open.set()
            await all_open.wait()
            w.write(b"ping")
            answer = await r.readexactly(4)
            good += answer == b"ping"
            w.close()
        await asyncio.wait_for(asyncio.gather(*(one() for _ in range(int(n)))), 60)
        print("carried", good)
    asyncio.run(main())


def vanish():
    """A client that is gone after every single byte, in every protocol, politely and not."""
    post = (b"POST http://www.example.com/echo HTTP/1.1\r\nHost: www.example.com\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n0\r\n\r\n")
    hello = b"\5\1\0\5\1\0\3\x0ev4.example.com" + struct.pack(">H", 7007) + b"ping"
    for which, text in (("HTTP_PROXY", GET), ("HTTP_PROXY", post), ("HTTP_PROXY", CONNECT + b"ping"), ("ALL_PROXY", hello)):
        for n in range(len(text) + 1):
            for rude in (False, True):
                with socket.create_connection(proxy(which), 60) as s:
                    if rude:
                        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    s.sendall(text[:n])
    print("afterwards", b" 200 " in talk(GET), b"ping" in talk(CONNECT + b"ping", b"ping"))


def deaf(n="40"):
    """Clients that ask for much and take nothing, while another one works."""
    held = []
    for i in range(int(n)):
        s = socket.create_connection(proxy(), 60)
        s.sendall(GET.replace(b"/hello", b"/big?n=200000000"))
        held.append(s)
    for s in held:
        s.recv(1)
    print("meanwhile", b" 200 " in talk(GET), flush=True)
    sys.stdin.readline()


def hold(n="1"):
    """N connections that begin something and wait; what another one gets meanwhile, and afterwards."""
    many_files()
    held = []
    for i in range(int(n)):
        try:
            s = socket.create_connection(proxy(), 5)
            s.sendall(GET[:-4])
            held.append(s)
        except OSError as e:
            print("refused", e)
            break

    def attempt():
        try:
            with socket.create_connection(proxy(), 3) as s:
                s.sendall(GET)
                return s.recv(12)
        except OSError as e:
            return e
    print("held", len(held), "during", attempt(), flush=True)
    for s in held:
        s.close()
    del held
    print("after", attempt())


def associate():
    """The connection that asks for it, which is to be kept, and a socket with where to send to; or None."""
    control = socket.create_connection(proxy("ALL_PROXY"), 60)
    control.sendall(b"\5\1\0")
    control.recv(2)
    control.sendall(b"\5\3\0\1\0\0\0\0\0\0")
    answer = control.recv(64)
    print("reply", answer[1])
    if answer[1]:
        return None
    where = (socket.inet_ntoa(answer[4:8]) if answer[3] == 1 else socket.inet_ntop(socket.AF_INET6, answer[4:20]),
             struct.unpack(">H", answer[-2:])[0])
    s = socket.socket(socket.AF_INET if answer[3] == 1 else socket.AF_INET6, socket.SOCK_DGRAM)
    s.settimeout(60)
    return control, s, where


def named(n, port=7007, frag=0):
    return b"\0\0" + bytes([frag]) + b"\3" + bytes([len(n)]) + n + struct.pack(">H", port)


def udp_in_order(*names):
    """A datagram to each; which answer comes first?"""
    control, s, where = associate()
    for n in names:
        s.sendto(named(n.encode()) + n.encode(), where)
    print("came", s.recv(2000))
    control.close()


def udp():
    """UDP ASSOCIATE: what is allowed passes, nothing else does, and it ends with its connection."""
    got = associate()
    if not got:
        return
    control, s, where = got
    name = named

    def v4(a, port=7007):
        return b"\0\0\0\1" + socket.inet_aton(a) + struct.pack(">H", port)
    # What is refused goes first: had it passed, its answer would come first.
    for head in (name(b"never.test"), name(b"evil.example.com"), name(b"other.never.test"), v4("93.184.215.15"), v4("10.9.8.7"), v4("127.0.0.1"),
                 name(b"v4.example.com", frag=1), name(b"v4.example.com", 0), b"\0\0\0\7xx", b"", b"\0\0\0\3\xffabc", name(b"mixed.example.com")):
        s.sendto(head + b"refused", where)
    s.sendto(name(b"v4.example.com") + b"one", where)
    print("came", s.recv(2000)[-8:])
    s.sendto(name(b"v4.example.com") + b"x" * 1200, where)
    print("long", len(s.recv(4000)))
    other = socket.socket(s.family, socket.SOCK_DGRAM)
    other.sendto(name(b"v4.example.com") + b"of another", where)
    s.sendto(name(b"v4.example.com") + b"two", where)
    print("came", s.recv(2000)[-8:])


def together(n):
    """N requests for a host that is asked about, then one for another: when that has come, the proxy has all."""
    new = GET.replace(b"www.example.com", b"www.example.net")
    *held, last = [socket.create_connection(proxy(), 60) for _ in range(int(n) + 1)]
    for s in held:
        s.sendall(new)
    last.sendall(GET.replace(b"/hello", b"/hello?all-sent"))
    print("answered", sum(b" 200 " in s.recv(65536) for s in held))


def beside():
    """A request for a host that is asked about; while it waits, another client connects and is served."""
    s, told = socket.create_connection(proxy(), 60), socket.create_connection(proxy(), 60)
    told.sendall(GET.replace(b"/hello", b"/held?tag=question-is-open"))
    s.sendall(GET.replace(b"www.example.com", b"www.example.net"))
    while b"second" not in told.recv(65536):
        pass
    print("meanwhile", b" 200 " in talk(GET.replace(b"/hello", b"/hello?beside")), flush=True)
    print("then", b" 200 " in s.recv(65536))


def questions(n="65"):
    """N hosts at once that have to be asked about, each on a connection of its own. Which were refused before anything
    was answered; and of the others, which got an answer that was meant for another (even ones get a yes)."""
    many_files()
    held = {f"{'odd' if i % 2 else 'even'}{i}.test": socket.create_connection(proxy(), 60) for i in range(int(n))}
    after, told = (socket.create_connection(proxy(), 60) for _ in range(2))  # nobody connects while a question stands
    for host, s in held.items():
        s.sendall(GET.replace(b"www.example.com", host.encode()))
    # It is last in the proxy's queue: when it is answered, all others have been read.
    after.sendall(GET)
    at_once, last = [], after.recv(65536)
    for host, s in held.items():
        s.setblocking(False)
        try:
            at_once.append((host, s.recv(65536)))
        except BlockingIOError:
            pass
        s.setblocking(True)
    print("refused-at-once", sum(b" 403 " in x for _, x in at_once), b" 200 " in last, flush=True)
    told.sendall(GET.replace(b"/hello", b"/hello?all-asked"))
    mixed = []
    for host, s in held.items():
        if host not in dict(at_once):
            answer = s.recv(65536)
            # Nothing resolves: a yes shows as a name that is not found.
            if (b"dns_failed" in answer) != host.startswith("even") or (b"answered_no" in answer) != host.startswith("odd"):
                mixed.append((host, answer[-300:]))
    print("mixed-up", mixed)


def ask_name(s, name, number):
    labels = b"".join(bytes([len(x)]) + x for x in name.split(b"."))
    q = struct.pack(">H", number & 0xffff) + b"\1\0\0\1\0\0\0\0\0\0" + labels + b"\0\0\1\0\1"
    while True:
        s.send(q)
        try:
            while (answer := s.recv(4096))[:2] != q[:2]:
                pass
        except TimeoutError:
            continue
        return answer[-4:] if answer[6:8] == b"\0\1" else None


def many_names(n):
    """N names of the stub: how many got an address, and is one given twice?"""
    got, twice = {}, 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.connect(("127.0.0.1", 53))
        first = ask_name(s, b"www.example.com", 7)
        got[first] = b"www.example.com"
        for i in range(int(n)):
            name = b"n%d.example.com" % i
            if a := ask_name(s, name, i):
                twice += a in got
                got[a] = name
        kept = ask_name(s, b"www.example.com", 7) == first
    print("addresses", len(got))
    print("twice", twice)
    print("first kept", kept)
    with socket.create_connection((socket.inet_ntoa(first), 80), 20) as s:
        s.sendall(b"GET /hello HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\n\r\n")
        print("served", b"hello www.example.com" in s.makefile("rb").read())


def many_peers(n):
    """One association to N destinations, all of them twice; every answer says what was sent there."""
    control, s, where = associate()
    answers, mixed = 0, 0
    for i in range(int(n)):
        port = 7007 if i % 2 else 20000 + i  # on most nobody is there
        s.sendto(named(b"v4.example.com", port) + b"to %d" % port, where)
        s.sendto(named(b"v4.example.com") + b"round %d" % i, where)
        while not (answer := s.recv(2000)).endswith(b"echo round %d" % i):
            mixed += not answer.endswith(b"echo to 7007")
        answers += 1
    print("answers", answers, "mixed", mixed)
    control.close()


def two_associations():
    """Of two, the second speaks first, and the first one goes. Then one goes while another has said nothing yet."""
    one, a, where = associate()
    two, b, where = associate()

    def said(s, text):
        s.sendto(named(b"v4.example.com") + text, where)
        return s.recv(2000).endswith(b"echo " + text)
    second, first = said(b, b"two"), said(a, b"one")
    one.close()
    talk(GET)
    b.settimeout(10)
    try:
        after = said(b, b"still")
    except TimeoutError:
        after = False
    print("first", first, "second", second, "after", after)
    three, c, where = associate()
    two.close()
    talk(GET)
    c.settimeout(10)
    try:
        late = said(c, b"late")
    except TimeoutError:
        late = False
    three.close()
    talk(GET)
    c.settimeout(0.5)
    try:
        late = late and not said(c, b"ended")
    except TimeoutError:
        pass
    print("late", late)


def flood(n):
    """N refusals on one connection, each of another host, while nobody takes the decisions; then one that is allowed."""
    with socket.create_connection(proxy(), 60) as s, s.makefile("rb") as f:
        print("ready", flush=True)
        sys.stdin.readline()
        refused = 0

        def get(host):
            s.sendall(f"GET http://{host}/hello HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            status, n = f.readline(), 0
            while (line := f.readline().strip()):
                if line.lower().startswith(b"content-length:"):
                    n = int(line.split(b":")[1])
            f.read(n)
            return status
        for i in range(int(n)):
            refused += b" 403 " in get(f"r{i}.test")
        print("refused", refused, flush=True)
        sys.stdin.readline()
    print("afterwards", b" 200 " in talk(GET))


def connect(host, port):
    """Straight there, proxy or not."""
    try:
        with socket.create_connection((host, int(port)), 10) as s:
            s.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            print("reached", s.recv(100))
    except OSError as e:
        print("not reached", e)


if __name__ == "__main__":
    {f.__name__: f for f in (storm, tunnels, vanish, deaf, hold, udp, udp_in_order, together, beside, questions, many_names,
                              many_peers, two_associations, flood, connect)}[sys.argv[1]](*sys.argv[2:])

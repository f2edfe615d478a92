"""What a collector can do to the exporter: nothing is lost that the spool can hold, and nobody
is made to wait."""
import email.utils
import itertools
import os
import socket
import time

import collectors
from collectors import Answer
from feed import Failed, Feed, arrived, check, each, row, same, whole
from scene import until

PROTOCOLS = {"protobuf": "protobuf", "json": "json", "grpc": "grpc"}


def first(bad, good=Answer()):
    """The first request is answered with BAD (one or a list), each later one with GOOD."""
    bad = [bad] if isinstance(bad, Answer) else list(bad)
    return lambda n, request: bad[n] if n < len(bad) else good


def one(w, collector, protocol="protobuf", **more):
    return Feed(w, w.exporter().talk, collector.url(), protocol=protocol, **more)


# ---- not there, silent, slow ----


@each("refused.{}", PROTOCOLS)
def refused_then_up(w, protocol):
    place = socket.socket()
    place.bind(("127.0.0.1", 0))  # and does not listen: what connects is refused
    feed = Feed(
        w, w.exporter().talk, f"http://127.0.0.1:{place.getsockname()[1]}", protocol=protocol
    )
    feed.append(7)
    answer = feed.flush(5)
    same(answer.state, "waits", "the state while nobody listens")
    check(answer.text, "EXPORT_WAITS says nothing to people")
    whole(w.collector(place=place), feed)
    same(feed.sent().dropped, 0, "dropped")


@row("refused.flush-is-answered-at-once")
def refused_flush(w):
    place = socket.socket()
    place.bind(("127.0.0.1", 0))
    feed = Feed(
        w, w.exporter().talk, f"http://127.0.0.1:{place.getsockname()[1]}", timeout_ms=10_000
    )
    feed.append(3)
    feed.flush(5)
    for _ in range(5):  # it is known now that this does not work
        began = time.monotonic()
        same(feed.flush(5).state, "waits", "the state")
        took = time.monotonic() - began
        check(took < 0.5, f"a flush took {took:.2f} s although the destination was failing")
    place.close()


def silent_at(line, stage):
    if stage == "accepted":
        line.end("hang", line.stopped)
    if stage == "request":
        line.more()
        line.end("hang", line.stopped)


STAGES = {
    "accepted": {"connect": "accepted"},
    "request-begun": {"connect": "request"},
    "request-read": {"answer": Answer(cut=0, end="hang")},
    "status-line": {"answer": Answer(cut=9, end="hang")},
    "head": {"answer": Answer(cut=30, end="hang")},
    "body": {
        "answer": Answer(
            headers=(("content-length", "100"),), body=b"\x0a", cut=10**6, end="hang"
        )
    },
}


@each("silence.{}", {f"{s}.{p}": (s, p) for s in STAGES for p in ("protobuf", "grpc")})
def silence(w, case):
    stage, protocol = STAGES[case[0]], case[1]

    def connect(n, line):
        if n == 0 and "connect" in stage:
            line.stopped = c.stopped
            silent_at(line, stage["connect"])

    c = w.collector(first(stage["answer"]) if "answer" in stage else None, connect=connect)
    feed = one(w, c, protocol, timeout_ms=600)
    feed.append(4)
    began = time.monotonic()
    feed.flush(10)
    took = time.monotonic() - began
    check(took < 3, f"a flush took {took:.1f} s with a time limit of 0.6 s")
    whole(c, feed)
    same(feed.sent().dropped, 0, "dropped")


@each("silence.kept-connection.{}", {"protobuf": "protobuf", "grpc": "grpc"})
def silent_connection(w, protocol):
    """A connection that was good goes silent (its way is cut): the next try takes another one."""
    c = w.collector(
        lambda n, r: Answer() if n == 0 or r.connection > 0 else Answer(cut=0, end="hang")
    )
    feed = one(w, c, protocol, timeout_ms=600)
    for n in (3, 4, 5):
        feed.append(n)
        feed.flush(10)
    whole(c, feed, seconds=6)
    feed.append(2)
    whole(c, feed, seconds=3)


@row("silence.never-accepted")
def never_accepted(w):
    s = w.keep(collectors.Silent())
    other = w.collector()
    talk = w.exporter().talk
    feeds = [Feed(w, talk, f"http://127.0.0.1:{s.port}/{i}", timeout_ms=500) for i in range(4)]
    good = Feed(w, talk, other.url())
    for f in (*feeds, good):
        f.append(3)
    for f in feeds:
        same(f.flush(10).state, "waits", "the state")
    whole(other, good)  # one destination's silence is not another's


@row("slow.drip")
def drip(w):
    c = w.collector(first(Answer(headers=(("x-filler", "y" * 200),), drip=0.1)))
    feed = one(w, c, timeout_ms=700)
    feed.append(3)
    began = time.monotonic()
    feed.flush(10)
    check(
        time.monotonic() - began < 3,
        "a drop now and then keeps a request alive beyond its time limit",
    )
    whole(c, feed)


@row("slow.but-in-time")
def slow(w):
    c = w.collector(lambda n, r: Answer(delay=0.3))
    feed = one(w, c, timeout_ms=5000)
    feed.append(3)
    same(feed.flush(10).state, "sent", "the state")
    whole(c, feed)
    same(len(c.requests), 1, "requests")


@row("slow.other-destinations-go-on")
def beside(w):
    slow_one, good = w.collector(lambda n, r: Answer(cut=0, end="hang")), w.collector()
    talk = w.exporter().talk
    bad = Feed(w, talk, slow_one.url(), timeout_ms=30_000)
    bad.append(600)
    check(slow_one.wait(lambda: slow_one.requests), "nothing was asked")
    feed = Feed(w, talk, good.url())
    for _ in range(5):
        feed.append(2)
        began = time.monotonic()
        same(feed.flush(5).state, "sent", "the state")
        check(time.monotonic() - began < 1, "a destination that hangs holds another one up")
    whole(good, feed)


# ---- an end at every byte ----

SWEEP = 24  # destinations of one exporter


def sweep(w, protocol, cases):
    """CASES: (connect, answer) of a first connection or request. A destination and a collector
    for each."""
    pairs = []
    for chunk in iter(lambda it=iter(cases): list(itertools.islice(it, SWEEP)), []):
        talk = w.exporter().talk
        for connect, answer in chunk:
            c = w.collector(first(answer) if answer else None, connect=connect, keep=False)
            feed = Feed(w, talk, c.url(), protocol=protocol, timeout_ms=5000)
            feed.append(2)
            pairs.append((c, feed))
        w.other_home()
    for c, feed in pairs:
        whole(c, feed, seconds=30)
    resent = sum(len(c.lines) > 1 or len(c.requests) > 1 for c, feed in pairs)
    check(
        resent > len(pairs) // 2,
        f"only {resent} of {len(pairs)} were cut off: the row tests nothing",
    )


def answer_length(protocol):
    r = collectors.Request("/", [("content-type", "application/json")], b"", False, None, 0)
    if protocol != "grpc":
        return len(
            collectors.Collector.http1_answer(r, Answer(headers=(("server", "x"),), body=b"{}"))
        )
    return len(collectors.Collector.http2_answer(Answer(), 1, collectors.hpack.Encoder()))


@each(
    "end-in-answer.{}", {f"{p}.{e}": (p, e) for p in ("json", "grpc") for e in ("reset", "close")}
)
def cut_answers(w, case):
    protocol, end = case
    more = {} if protocol == "grpc" else {"headers": (("server", "x"),), "body": b"{}"}
    sweep(
        w,
        protocol,
        [(None, Answer(cut=i, end=end, **more)) for i in range(answer_length(protocol))],
    )


@each(
    "end-in-request.{}",
    {f"{p}.{e}": (p, e) for p in ("protobuf", "grpc") for e in ("reset", "close")},
)
def cut_requests(w, case):
    protocol, end = case

    def at(i):
        def connect(n, line):
            if n == 0:
                line.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                left = i
                while left:
                    got = line.sock.recv(left)
                    if not got:
                        break
                    left -= len(got)
                line.end(end, None)

        return connect

    places = [*range(0, 60), *range(60, 400, 9)]
    sweep(w, protocol, [(at(i), None) for i in places])


# ---- what a collector says ----


@row("429.seconds")
def retry_after_seconds(w):
    c = w.collector(first(Answer(429, (("retry-after", "2"),))))
    feed = one(w, c)
    feed.append(3)
    answer = feed.flush(5)
    same((answer.state, answer.http_status), ("waits", 429), "the answer to EXPORT_FLUSH")
    whole(c, feed)
    waited = c.requests[1].when - c.requests[0].when
    check(1.95 <= waited < 6, f"Retry-After: 2, and the next request came after {waited:.2f} s")


@row("503.date")
def retry_after_date(w):
    said = []

    def answer(n, r):
        if n:
            return Answer()
        said.append(int(time.time()) + 3)
        return Answer(503, (("retry-after", email.utils.formatdate(said[0], usegmt=True)),))

    c = w.collector(answer)
    feed = one(w, c)
    feed.append(3)
    feed.flush(5)
    whole(c, feed)
    early = said[0] - (time.time() - (time.monotonic() - c.requests[1].when))
    check(-4 < early < 0.1, f"came {early:.2f} s before the date of Retry-After")


@each(
    "retry-after.{}",
    {
        "garbage": "soon",
        "negative": "-5",
        "overflow": "9" * 40,
        "empty": "",
        "old-date": "Sun, 06 Nov 1994 08:49:37 GMT",
        "zero": "0",
    },
)
def retry_after_garbage(w, text):
    c = w.collector(first(Answer(429, (("retry-after", text),))))
    feed = one(w, c)
    feed.append(3)
    same(feed.flush(5).state in ("waits", "sent"), True, "the state is one of them")
    if text == "9" * 40:  # for ever is not believed, and an hour is not tested here
        check(feed.flush(2).state == "waits", "the state")
        return
    whole(c, feed, seconds=10)
    check(len(c.requests) < 5, f"{len(c.requests)} requests: it does not back off")


@each("status.{}", {str(s): s for s in (429, 500, 502, 503, 504)})
def retryable(w, status):
    c = w.collector(first([Answer(status)] * 2))
    feed = one(w, c)
    feed.append(6)
    same(feed.flush(5).state, "waits", "the state")
    whole(c, feed)
    same(feed.sent().dropped, 0, "dropped")
    same(len({r.body for r in c.requests}), 1, "different bodies of one batch that was sent again")


@row("status.500-for-a-while")
def outage(w):
    end = time.monotonic() + 6
    c = w.collector(lambda n, r: Answer(500 if time.monotonic() < end else 200))
    feed = one(w, c)
    for _ in range(12):
        feed.append(50)
        time.sleep(0.4)
    whole(c, feed)
    same(feed.sent().dropped, 0, "dropped")
    asked = sum(r.when < end for r in c.requests)
    check(asked < 15, f"{asked} requests in 6 s: it does not back off")
    gaps = [b.when - a.when for a, b in zip(c.requests, c.requests[1:]) if b.when < end]
    check(len(gaps) < 2 or max(gaps[1:]) > gaps[0] * 1.1, f"the back-off does not grow: {gaps}")


@each("dropped.{}", {str(s): s for s in (400, 404, 405, 422)})
def refused(w, status):
    c = w.collector(first(Answer(status, body=b'{"code":3,"message":"no such tenant"}')))
    feed = one(w, c, "json")
    feed.append(6)
    answer = feed.flush(5)
    same((answer.state, answer.http_status), ("refused", status), "the answer")
    same(answer.dropped, 6, "dropped")
    check(str(status) in answer.text or "no such tenant" in answer.text, f"text: {answer.text!r}")
    lost, feed.ids = feed.ids, []
    feed.append(4)
    same(feed.flush(5).state, "sent", "the state of what came later")
    whole(c, feed)
    check(not arrived(c) & set(lost), "what was refused was sent again")


@each("kept.{}", {f"{s}.{p}": (s, p) for s in (401, 403, 407) for p in ("json", "grpc")})
def kept_until_changed(w, case):
    """A token that is not good (any more) costs no record: they go when the destination is told
    anew."""
    status, protocol = case
    bad = (
        Answer(status)
        if protocol != "grpc"
        else Answer(grpc={401: 16, 403: 7, 407: 16}[status], message="who?")
    )
    c = w.collector(lambda n, r: Answer() if r.get("authorization") == "new" else bad)
    feed = one(w, c, protocol, headers={"authorization": "old"})
    feed.append(6)
    answer = feed.flush(5)
    same((answer.state, answer.dropped), ("waits", 0), "the answer")
    check(answer.text, "nothing is said")
    time.sleep(1.5)
    check(len(c.requests) < 3, f"{len(c.requests)} requests with a token that was refused")
    feed.tell(headers={"authorization": "new"})
    whole(c, feed, seconds=5)


@each("413.{}", {"json": "json", "grpc-resource": "grpc"})
def too_large(w, protocol):
    def answer(n, r):
        bad = Answer(413) if protocol != "grpc" else Answer(grpc=3, message="too large")
        return bad if len(r.signals) > 5 else Answer()

    c = w.collector(answer)
    feed = one(w, c, protocol)
    feed.append(20, wake=False)
    answer = until(lambda: feed.flush(5) if feed.flush(5).state != "waits" else None, 10)
    check(answer, "never came to an end")
    same(len(arrived(c)) + answer.dropped, 20, "arrived and counted as dropped")
    feed.ids = []
    feed.append(3)
    same(feed.flush(5).state, "sent", "the state of what came later")
    check(set(feed.ids) <= arrived(c), "what came later did not arrive")


@each("partial-success.{}", PROTOCOLS)
def partial(w, protocol):
    said = b"\x0a\x0f\x08\x02\x12\x0btoo old ones"[:-1]
    body = (
        b'{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"too old one"}}'
        if protocol == "json"
        else said
    )
    c = w.collector(first(Answer(body=body)))
    feed = one(w, c, protocol)
    feed.append(6)
    answer = feed.flush(5)
    same(answer.dropped, 2, "dropped")
    check(answer.state != "waits", "a partial success is sent again:", answer)
    check("too old" in answer.text, f"text: {answer.text!r}")
    feed.append(1)
    same(feed.flush(5).state, "sent", "the state")
    same(len(c.requests), 2, "requests")


@each("partial-success.warning-only.{}", {"protobuf": "protobuf", "json": "json"})
def warning(w, protocol):
    body = (
        b'{"partialSuccess":{"errorMessage":"be quick"}}'
        if protocol == "json"
        else b"\x0a\x0a\x12\x08be quick"
    )
    c = w.collector(first(Answer(body=body)))
    feed = one(w, c, protocol)
    feed.append(6)
    answer = feed.flush(5)
    same((answer.state, answer.dropped), ("sent", 0), "state and dropped")


@each(
    "redirect.{}",
    {f"{s}.{p}": (s, p) for s in (301, 302, 303, 307, 308) for p in ("protobuf", "grpc")},
)
def redirect(w, case):
    status, protocol = case
    elsewhere = w.collector()
    c = w.collector(first(Answer(status, (("location", elsewhere.url("/v1/logs")),), grpc=None)))
    feed = one(w, c, protocol, headers={"authorization": "Bearer hunter2", "x-key": "hunter3"})
    feed.append(3)
    answer = feed.flush(5)
    time.sleep(0.2)
    same(len(elsewhere.lines), 0, "connections to where the redirection leads")
    same((answer.state, answer.dropped), ("waits", 0), "the answer")
    check(str(status) in answer.text, f"text: {answer.text!r}")


# ---- gRPC ----

RETRYABLE = {1, 2, 4, 8, 10, 11, 13, 14, 15, 17}  # 17 is none: as 2, UNKNOWN
SLOWLY = {7, 16}


@each(
    "grpc.{}",
    {f"{'only' if only else 'trailers'}.{s}": (s, only) for s in range(1, 18) for only in (0, 1)},
)
def grpc_status(w, case):
    status, only = case
    c = w.collector(first(Answer(grpc=status, message="a reason", trailers_only=bool(only))))
    feed = one(w, c, "grpc")
    feed.append(5)
    answer = feed.flush(5)
    if status in SLOWLY:
        same((answer.state, answer.grpc_status, answer.dropped), ("waits", status, 0), "the answer")
        return
    if status in RETRYABLE:
        check(answer.state in ("waits", "sent"), "the answer is", answer)
        whole(c, feed)
        same(feed.sent().dropped, 0, "dropped")
        return
    same((answer.state, answer.grpc_status, answer.dropped), ("refused", status, 5), "the answer")
    check("a reason" in answer.text, f"text: {answer.text!r}")
    feed.ids = []
    feed.append(2)
    same(feed.flush(5).state, "sent", "the state of what came later")
    whole(c, feed)


@each(
    "grpc.{}",
    {
        "no-status": Answer(grpc=None),
        "http-503": Answer(503, grpc=None, trailers_only=True),
        "http-429": Answer(429, grpc=None, trailers_only=True),
        "http-502": Answer(502, grpc=None, trailers_only=True),
    },
)
def grpc_http(w, answer):
    c = w.collector(first(answer))
    feed = one(w, c, "grpc")
    feed.append(5)
    said = feed.flush(5)
    if said.state == "refused":
        check(answer.status == 200, "a status that is for a while is taken for good:", said)
        same(said.dropped, 5, "dropped")
        return
    whole(c, feed)


@row("grpc.message-is-percent-encoded")
def grpc_message(w):
    c = w.collector(first(Answer(grpc=3, message="na%C3%AFve %25 %0A%1B%5B31m bad %zz")))
    feed = one(w, c, "grpc")
    feed.append(1)
    text = feed.flush(5).text
    check("naïve %" in text, f"text: {text!r}")
    check(text.isprintable(), f"a terminal's escapes get through: {text!r}")


@row("grpc.retry-info")
def grpc_retry_info(w):
    # google.rpc.Status in grpc-status-details-bin, with RetryInfo { retry_delay: 2 s }
    import base64

    info = b"\x0a\x02\x08\x02"
    url = b"type.googleapis.com/google.rpc.RetryInfo"
    detail = b"\x0a" + bytes([len(url)]) + url + b"\x12" + bytes([len(info)]) + info
    status = b"\x08\x0e" + b"\x1a" + bytes([len(detail)]) + detail
    said = base64.b64encode(status).decode().rstrip("=")
    c = w.collector(
        first(Answer(grpc=14, headers=(("grpc-status-details-bin", said),), trailers_only=True))
    )
    feed = one(w, c, "grpc")
    feed.append(3)
    feed.flush(5)
    whole(c, feed)
    waited = c.requests[1].when - c.requests[0].when
    check(
        1.9 <= waited < 6,
        f"a delay of 2 s was asked for, and the next request came after {waited:.2f} s",
    )


# ---- lies and garbage ----


def endless(n):
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % n + b"\x0a" * min(n, 3 << 20)


GARBAGE = {
    "random": bytes(range(256)) * 20,
    "nothing-of-http": b"SSH-2.0-OpenSSH_9.2\r\n",
    "http-0.9": b"<html>200 OK</html>\n",
    "bad-status": b"HTTP/1.1 2000000000 OK\r\n\r\n",
    "no-status": b"HTTP/1.1\r\n\r\n",
    "long-head": b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * (2 << 20) + b"\r\n\r\n",
    "many-heads": b"HTTP/1.1 200 OK\r\n"
    + b"".join(b"h%d: v\r\n" % i for i in range(200_000))
    + b"\r\n",
    "many-100": b"HTTP/1.1 100 Continue\r\n\r\n" * 50_000,
    "two-lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 900000\r\n\r\n{}",
    "negative-length": b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n{}",
    "huge-length": b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n{}",
    "huge-body": endless(1 << 40),
    "bad-chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    "huge-chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n"
    + b"a" * 100_000,
    "bomb": None,
    "switch": b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n" + bytes(1000),
    "nul-head": b"HTTP/1.1 200 O\0K\r\ncontent-type: a\0b\r\n\r\n",
    "proto-bomb": None,
}


def gzip_bomb():
    import zlib

    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    body = b"".join(squeeze.compress(bytes(1 << 20)) for _ in range(64)) + squeeze.flush()
    return (
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(body)
        + body
    )


def high_water(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(next(line for line in f if line.startswith("VmHWM")).split()[1])


@each("garbage.{}", {f"{n}.{e}": (n, e) for n in GARBAGE for e in ("close", "hang")})
def garbage(w, case):
    """Whatever is said first: nothing is lost uncounted, and the next request is good."""
    name, end = case
    said = {
        "bomb": gzip_bomb,
        "proto-bomb": lambda: b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\n"
        b"content-length: 60000\r\n\r\n" + b"\x0a" * 60_000,
    }.get(name, lambda: GARBAGE[name])()
    c = w.collector(first(Answer(raw=said, cut=len(said), end=end)))
    e = w.exporter()
    feed = Feed(w, e.talk, c.url(), timeout_ms=800)
    feed.append(4)
    answer = feed.flush(10)
    lost = set(feed.ids) if answer.state == "refused" else set()
    same(answer.dropped, len(lost), "dropped")
    feed.append(2)
    feed.sent(15)
    got = arrived(c) | {n for r in c.requests[:1] for n in feed.ids[:4] if answer.state == "sent"}
    check(set(feed.ids) - lost <= got, f"lost: {set(feed.ids) - lost - got}; first answer {answer}")
    check(e.process.poll() is None, "the exporter ended")
    check(high_water(e.pid) < 48 << 10, f"{high_water(e.pid)} KiB")
    check(answer.text.isprintable(), f"text: {answer.text!r}")


H2_GARBAGE = {
    "random": bytes(range(256)) * 50,
    "rst": collectors.frame(collectors.RST_STREAM, 0, 1, b"\0\0\0\x07"),
    "goaway": collectors.frame(collectors.GOAWAY, 0, 0, b"\0\0\0\0\0\0\0\x0b"),
    "bad-huffman": collectors.frame(collectors.HEADERS, 4, 1, b"\x00\xff\xff\xff\xff\xff"),
    "wrong-stream": collectors.frame(collectors.DATA, 1, 4, b"abc"),
    "huge-frame": b"\xff\xff\xff\x00\x00\x00\x00\x00\x01" + bytes(100_000),
    "push": collectors.frame(5, 4, 1, b"\0\0\0\x02\x88"),
    "ping-flood": collectors.frame(6, 0, 0, bytes(8)) * 20_000,
    "settings-flood": collectors.frame(4, 0, 0) * 20_000,
    "continuation-flood": collectors.frame(1, 0, 1, b"\x88")
    + collectors.frame(9, 0, 1, b"\x00\x01a\x01b" * 100) * 2000,
    "zero-window": collectors.frame(4, 0, 0, b"\0\x04\0\0\0\0"),
}


@each("garbage.h2.{}", {f"{n}.{e}": (n, e) for n in H2_GARBAGE for e in ("close", "hang")})
def h2_garbage(w, case):
    name, end = case
    c = w.collector(first(Answer(raw=H2_GARBAGE[name], cut=1 << 30, end=end)))
    e = w.exporter()
    feed = Feed(w, e.talk, c.url(), protocol="grpc", timeout_ms=800)
    feed.append(4)
    answer = feed.flush(10)
    check(answer.state != "refused" or answer.dropped == 4, "the answer is", answer)
    if answer.state == "refused":
        feed.ids = []
    feed.append(2)
    whole(c, feed)
    check(e.process.poll() is None, "the exporter ended")
    check(high_water(e.pid) < 48 << 10, f"{high_water(e.pid)} KiB")


@row("garbage.h2.wrong-message")
def grpc_answers(w):
    """Status 0, and a message that is none: it was taken."""
    for body in (b"\xff" * 100, b"\x0a\xff\xff\xff\xff\x0f", bytes(12_000)):
        c = w.collector(lambda n, r, body=body: Answer(body=body))
        feed = one(w, c, "grpc")
        feed.append(2)
        same(feed.flush(5).state, "sent", "the state")
        w.other_home()


# ---- how it is sent ----


@row("batches.at-most-512")
def batches(w):
    c = w.collector()
    feed = Feed(w, w.exporter().talk, c.url(), delay_ms=400)
    feed.append(2000, wake=False)
    feed.sent()
    whole(c, feed)
    sizes = [len(r.signals) for r in c.requests]
    check(max(sizes) <= 512, f"batches of {sizes}")
    check(len(sizes) <= 6, f"batches of {sizes}: they are not filled")


@row("batches.after-the-delay")
def delayed(w):
    c = w.collector()
    feed = Feed(w, w.exporter().talk, c.url(), delay_ms=1500)
    feed.append(1)
    began = time.monotonic()
    time.sleep(0.3)
    feed.append(1)
    check(not c.wait(lambda: c.requests, 0.7), "sent before the delay was over")
    check(c.wait(lambda: c.requests, 3), "not sent after the delay")
    took = c.requests[0].when - began
    check(1.2 < took < 2.5, f"sent after {took:.2f} s, delay 1.5 s")
    same([len(r.signals) for r in c.requests], [2], "batches")


@row("batches.full-ones-do-not-wait")
def full_batch(w):
    c = w.collector()
    feed = Feed(w, w.exporter().talk, c.url(), delay_ms=20_000)
    feed.append(512)
    check(c.wait(lambda: c.requests, 5), "a full batch waits for the delay")


@row("batches.connections-are-kept")
def kept(w):
    for protocol in ("protobuf", "grpc"):
        c = w.collector()
        feed = one(w, c, protocol)
        for _ in range(5):
            feed.append(3)
            same(feed.flush(5).state, "sent", "the state")
        same((len(c.requests), len(c.lines)), (5, 1), f"requests and connections of {protocol}")
        w.other_home()


@each("headers.{}", {"protobuf": "protobuf", "grpc": "grpc"})
def headers(w, protocol):
    c = w.collector()
    wanted = {
        "authorization": "Bearer a b=c",
        "x-empty": "",
        "x-colon": 'a: b, c; d="e"',
        **{f"x-{i}": "v" * i for i in range(1, 50)},
    }
    feed = one(w, c, protocol, headers=wanted)
    feed.append(1)
    same(feed.flush(5).state, "sent", "the state")
    for k, v in wanted.items():
        same(c.requests[0].get(k), v, f"header {k}")
    check(
        (c.requests[0].get("user-agent") or "").startswith("bawn"),
        "user-agent:",
        c.requests[0].get("user-agent"),
    )
    for line in os.popen(f"grep -rl 'a b=c' {w.telemetry}").read().split():
        raise Failed(f"a header's value is on the disk: {line}")


@row("headers.changed")
def headers_changed(w):
    """The newest word on a destination holds, also for what was appended before it."""
    c = w.collector(lambda n, r: Answer(200 if r.get("authorization") == "new" else 503))
    feed = one(w, c, headers={"authorization": "old"})
    feed.append(3)
    same(feed.flush(5).state, "waits", "the state")
    feed.tell(headers={"authorization": "new"})
    whole(c, feed)


@each("proxy.{}", {"through": ("", True), "no-proxy": ("127.0.0.1", False), "star": ("*", False)})
def proxy(w, case):
    no_proxy, through = case
    c, via = w.collector(), w.collector()
    feed = one(w, c, proxy=via.url(), no_proxy=no_proxy)
    feed.append(3)
    same(feed.flush(5).state, "sent", "the state")
    same(
        (len(c.requests), len(via.requests)),
        (0, 1) if through else (1, 0),
        "requests to collector and proxy",
    )


@row("proxy.not-from-the-environment")
def proxy_environment(w):
    c, via = w.collector(), w.collector()
    feed = Feed(
        w,
        w.exporter(
            env={
                "http_proxy": via.url(),
                "HTTP_PROXY": via.url(),
                "ALL_PROXY": via.url(),
                "all_proxy": via.url(),
            }
        ).talk,
        c.url(),
    )
    feed.append(3)
    feed.sent(10)
    same(
        (len(c.requests), len(via.lines)),
        (1, 0),
        "requests to the collector, connections to the proxy",
    )

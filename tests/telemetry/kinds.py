"""Every kind of signal over every protocol and transport: each field of what arrives is held
against what was appended. The same again with OpenTelemetry's own decoders (receiver/)."""
import contextlib
import itertools
import json
import os

import otlp
import packed
import wire
from feed import Feed, check, each, row, same, whole
from scene import KINDS, until

PROTOCOLS = ("protobuf", "json", "grpc")
TRANSPORTS = ("plain", "tls", "mutual")
MATRIX = {
    f"{k}.{p}.{t}.{'gzip' if z else 'raw'}": (k, p, t, z)
    for k, p, t, z in itertools.product(KINDS, PROTOCOLS, TRANSPORTS, (False, True))
}


def certificates(w, transport):
    """What a destination is told of a transport."""
    tls = w.scene.tls
    key, certificate = tls.pairs["client"]
    more = {"ca": tls.ca} if transport != "plain" else {}
    return {**more, "certificate": certificate, "key_file": key} if transport == "mutual" else more


def compare(sent, got):
    by_number = {s["attributes"].get("bawn.test.sequence"): s for s in got}
    check(
        len(by_number) == len(got),
        f"{len(got)} came, of which {len(by_number)} have a number of their own",
    )
    same(len(got), len(sent), "how many came")
    wrong = [
        text
        for s in sent
        if (text := packed.wrong(s, by_number.get(s["attributes"]["bawn.test.sequence"], {})))
    ]
    check(not wrong, *wrong[:3])


@each("fields.{}", MATRIX)
def fields(w, case):
    kind, protocol, transport, gzip = case
    server = None if transport == "plain" else w.scene.tls.server(mutual=transport == "mutual")
    c = w.collector(tls=server)
    feed = Feed(
        w,
        w.exporter().talk,
        c.url(),
        kind,
        protocol,
        gzip=gzip,
        timeout_ms=5000,
        **certificates(w, transport),
    )
    sent = list(packed.some(kind, 40))
    w.append_signals(feed.key, sent)
    answer = feed.flush(10)
    same(
        (answer.state, answer.sent, answer.dropped), ("sent", 40, 0), f"the answer ({answer.text})"
    )
    same(c.errors(), [], "what could not be read")
    compare(sent, c.signals())
    for r in c.requests:
        coded = r.get("grpc-encoding") if protocol == "grpc" else r.get("content-encoding")
        same(coded, "gzip" if gzip else None, "the encoding")
        same(r.peer is not None and bool(r.peer), transport == "mutual", "a client's certificate")
        if protocol == "grpc":
            same(
                (r.get(":method"), r.get("te"), r.get("content-type").partition("+")[0]),
                ("POST", "trailers", "application/grpc"),
                "gRPC's headers",
            )
            check(
                (r.get("grpc-timeout") or "x")[-1] in "xmSMHun",
                f"grpc-timeout {r.get('grpc-timeout')}",
            )


@each("text.{}", {p: p for p in PROTOCOLS})
def ill_formed(w, protocol):
    """What is no UTF-8 gets U+FFFD, and the request stays one that can be read."""
    c = w.collector()
    feed = Feed(w, w.exporter().talk, c.url(), protocol=protocol)
    bad = [
        b"\xff\xfe",
        b"a\xc3",
        b"\xed\xa0\x80b",
        b"\xf5\x80\x80\x80",
        b"\xc0\xaf",
        b"ok\x80ok",
        b"\xe2\x82",
    ]
    sent = list(packed.some("log", len(bad)))
    for s, b in zip(sent, bad):
        s["attributes"] = {"bawn.test.sequence": s["attributes"]["bawn.test.sequence"], "text": b}
        s["eventName"] = b"bawn." + b
    w.append_signals(feed.key, sent)
    same(feed.flush(5).state, "sent", "the state")
    same(c.errors(), [], "what could not be read")
    got = {s["attributes"]["bawn.test.sequence"]: s for s in c.signals()}
    for s, b in zip(sent, bad):
        text = got[s["attributes"]["bawn.test.sequence"]]["attributes"]["text"]
        check(
            "\ufffd" in text
            and text.strip("\ufffd") == b.decode("ascii", "ignore").strip()
            or b == b"ok\x80ok",
            f"{b!r} became {text!r}",
        )
    same(got[6]["attributes"]["text"], "ok\ufffdok", "ok\\x80ok")


@row("metrics.are-added-up")
def added(w):
    """Sums with the same attributes become one point, first to last; histograms count."""
    c = w.collector()
    feed = Feed(w, w.exporter().talk, c.url(), "metric")
    base, sent = next(packed.some("metric", 1)), []
    for i in range(100):
        s = {
            **base,
            "attributes": {"outcome": ("ok", "failed")[i % 2], "bawn.test.sequence": 0},
            "name": "bawn.commands",
            "unit": "{command}",
            "type": "sum",
            "count": i,
            "timeUnixNano": 10**18 + i,
        }
        sent += [
            s,
            {
                **s,
                "name": "bawn.command.duration",
                "unit": "ms",
                "type": "histogram",
                "value": i / 2,
            },
        ]
    w.append_signals(feed.key, sent)
    same(feed.flush(5).state, "sent", "the state")
    same(c.errors(), [], "what could not be read")
    got = {(s["type"], s["attributes"]["outcome"]): s for s in c.signals()}
    same(len(c.signals()), 4, "points")
    for i, word in enumerate(("ok", "failed")):
        s, h = got["sum", word], got["histogram", word]
        same(s["asInt"], sum(range(i, 100, 2)), f"the sum of {word}")
        same(
            (h["count"], h["sum"], h["min"], h["max"]),
            (50, sum(range(i, 100, 2)) / 2, i / 2, (98 + i) / 2),
            f"the histogram of {word}",
        )
        same(sum(h["bucketCounts"]), 50, "buckets")
        for p in (s, h):
            check(
                10**18 + i - p["startTimeUnixNano"] in (0, 1),
                f"it begins at {p['startTimeUnixNano']}",
            )
            same(p["timeUnixNano"], 10**18 + 98 + i, "its end")


@row("resources.neighbours-share-one")
def shared_resource(w):
    c = w.collector()
    feed = Feed(w, w.exporter().talk, c.url(), protocol="json")
    sent = list(packed.some("log", 20))  # five of each resource
    w.append_signals(feed.key, sent)
    feed.sent(5)
    same(
        [
            len(r["scopeLogs"][0]["logRecords"])
            for r in json.loads(c.requests[0].body)["resourceLogs"]
        ],
        [5] * 4,
        "records under each resource",
    )


# ---- TLS that must not be accepted ----

REFUSALS = {
    "wrong-ca": ("good", {"ca": "other"}),
    "system-roots": ("good", {"ca": None}),
    "expired": ("expired", {}),
    "wrong-name": ("name", {}),
    "stranger": ("stranger", {}),
    "no-client-certificate": ("good", {"client": None}),
    "strange-client": ("good", {"client": "client-stranger"}),
}


@each("tls.{}", {f"{n}.{p}": (n, p) for n in REFUSALS for p in ("protobuf", "grpc")})
def tls_refused(w, case):
    name, protocol = case
    server, how = REFUSALS[name]
    tls = w.scene.tls
    key, certificate = tls.pairs["client"]
    good = {"ca": tls.ca, "certificate": certificate, "key_file": key}
    bad = dict(good)
    if "ca" in how:
        bad["ca"] = tls.other_ca if how["ca"] else None
    if "client" in how:
        key, certificate = tls.pairs[how["client"]] if how["client"] else (None, None)
        bad.update(certificate=certificate, key_file=key)
    c = w.collector(tls=tls.server(server, mutual=True))
    feed = Feed(
        w,
        w.exporter().talk,
        c.url(),
        protocol=protocol,
        headers={"authorization": "hunter2"},
        **bad,
    )
    feed.append(5)
    answer = feed.flush(5)
    same((answer.state, answer.dropped), ("waits", 0), "the answer")
    check(answer.text, "nothing is said")
    same(len(c.requests), 0, "requests that were sent all the same")
    if server == "good":
        feed.tell(**good)
    else:
        c.tls = tls.server(mutual=True)
    whole(c, feed)


@row("tls.name-of-a-host")
def tls_name(w):
    """localhost, by name: looked up, and held against the certificate."""
    c = w.collector(tls=w.scene.tls.server())
    feed = Feed(w, w.exporter().talk, c.url(host="localhost"), ca=w.scene.tls.ca)
    feed.append(2)
    feed.sent(10)


@row("tls.half-a-pair")
def half_pair(w):
    """A certificate that is none, and one without its key: hung up on or kept, and no crash."""
    e = w.exporter()
    check(until(lambda: os.path.exists(f"{w.telemetry}/socket-{wire.VERSION}")), "no socket")
    ca, (key, certificate) = w.scene.tls.ca, w.scene.tls.pairs["client"]
    good = {"ca": ca, "certificate": certificate, "key_file": key}
    for how in (
        {**good, "key_file": None},
        {**good, "certificate": None},
        {**good, "certificate": key},
        {**good, "key_file": "/bin/true"},
        {**good, "ca": "/bin/true"},
        {**good, "ca": "/dev/null"},
    ):
        c = w.collector(tls=w.scene.tls.server(mutual=True))
        feed = Feed(w, w.connect(), c.url(), **how)
        with contextlib.suppress(OSError):
            feed.append(1)
            same(feed.flush(5).state, "waits", f"the state with {how}")
        same(len(c.requests), 0, f"requests with {how}")
        feed.tell(w.connect(), **good)
        feed.append(1)
        feed.sent(10)
    check(e.process.poll() is None, "the exporter ended")


# ---- the decoders of others ----


@each(
    "decoders.{}",
    {f"{k}.{p}.{t}": (k, p, t) for k, p, t in itertools.product(KINDS, PROTOCOLS, TRANSPORTS)},
)
def decoders(w, case):
    kind, protocol, transport = case
    receiver = w.scene.receiver()
    listener = {"plain": "", "tls": "s", "mutual": "s_mutual"}[transport]
    port = receiver.ports[("grpc" if protocol == "grpc" else "http") + listener]
    feed = Feed(
        w,
        w.exporter().talk,
        f"http{'' if transport == 'plain' else 's'}://127.0.0.1:{port}",
        kind,
        protocol,
        gzip=True,
        timeout_ms=10_000,
        headers={"x-row": w.t},
        **certificates(w, transport),
    )
    sent = list(packed.some(kind, 40))
    for s in sent:  # JavaScript writes -0 as 0
        for name in ("attributes", "resource"):
            s[name] = {k: 0.0 if v == 0 and isinstance(v, float) else v for k, v in s[name].items()}
    w.append_signals(feed.key, sent)
    same(feed.flush(15).state, "sent", "the state")
    requests = receiver.requests(w.t)
    same(
        [(r["did"], r["canonical"], r["peer"]) for r in requests],
        [("ok", True, "server" if transport == "mutual" else None)] * len(requests),
        "the requests",
    )
    compare(
        sent,
        [
            s
            for r in requests
            for s in otlp.signals(kind, otlp.from_json(otlp.REQUEST[kind], r["body"]))
        ],
    )

"""Bytes that no honest client sends, and servers that no honest person runs: table rows, carried out by driver.py
inside one sandbox for each profile.

A row says where its bytes go, the steps (see driver.py; plain bytes stand for `send`, with TAG replaced by a mark
that tells this row's requests from others' at the scene's servers), and what must come of it.
"""
import base64
import ipaddress
import json
import os
import re
import ssl
import struct
import subprocess

import scene as scenery

ROWS = []
REST = ("rest",)
HEAD = ("until", r"\r\n\r\n")
JSON_KEYS = ("status", "host", "port", "protocol", "reason", "decision", "source", "rule", "message", "hint")


class Row:
    def __init__(self, name, to, steps, want, profile="net"):
        self.name, self.to, self.want, self.profile = name, to, want, profile
        self.mark = f"row={name};"
        self.steps = []
        for s in steps if isinstance(steps, (list, tuple)) else [steps, REST]:
            if isinstance(s, bytes):
                s = ("send", s)
            if s[0] in ("send", "drip"):
                s = (s[0], base64.b64encode(s[1].replace(b"TAG", self.mark.encode())).decode())
            self.steps.append(s)
        ROWS.append(self)


class Got:
    """What came back to a row."""

    def __init__(self, result, row, scene):
        self.parts = [base64.b64decode(x) for x in result["got"]]
        self.all, self.end, self.row, self.scene = b"".join(self.parts), result["end"], row, scene
        self.seen = scene.internet.seen(row.mark)

    def statuses(self):
        return [int(x) for x in re.findall(rb"(?:^|\n|(?<=[}\w]))HTTP/1\.[01] (\d\d\d) ", self.all)]

    def field(self, name):
        m = re.search(rb"(?im)^" + name + rb": *([^\r\n]*)", self.all.split(b"\r\n\r\n")[0])
        return m and m[1].decode()

    def body(self):
        return self.all.partition(b"\r\n\r\n")[2]


# ---- what a row may want: functions of Got that return a complaint or None --------------------------

def closed(g):
    return None if g.end in ("eof", "reset") else f"the connection is {g.end}"


def unseen(g):
    return f"{len(g.seen)} requests reached the server" if g.seen else None


def every(*wants):
    return lambda g: next((w for w in (want(g) for want in wants) if w), None)


def first(*allowed):
    """The first status is one of these."""
    def want(g):
        s = g.statuses()
        return None if s and s[0] in allowed else f"status {s[:1]}, not {allowed}: {g.all[:200]!r}, {g.end}"
    return want


def ends_with_nothing(g):
    return f"{g.all[:100]!r} came" if g.all else closed(g)


def bad(*allowed):
    return every(first(*(allowed or (400,))), closed, unseen)


def cut(g):
    """Something of it may have come through, but nothing behind the fault, and the connection ended."""
    if any("smuggled" in r.target for r in g.seen):
        return "the smuggled request reached the server"
    return closed(g)


def refused(header=None, reason=None, status=(403,)):
    def want(g):
        if complaint := every(first(*status), unseen)(g):
            return complaint
        if header and g.field(b"x-proxy-error") != header:
            return f"x-proxy-error: {g.field(b'x-proxy-error')}, not {header}"
        try:
            said = json.loads(g.body().split(b"\r\n")[0] if g.field(b"transfer-encoding") is None else b"null")
        except ValueError:
            return f"the body is not JSON: {g.body()[:200]!r}"
        if missing := [k for k in JSON_KEYS if k not in said]:
            return f"the body lacks {missing}: {said}"
        return f"reason {said['reason']}, not {reason}" if reason and said["reason"] not in reason else None
    return want


def not_reached(g):
    """Refused in whatever way: no good answer."""
    s = g.statuses()
    if s and s[0] < 400:
        return f"status {s[0]}: {g.all[:200]!r}"
    return unseen(g)


def ok(*texts, seen=None, not_text=None):
    def want(g):
        if complaint := first(200)(g):
            return complaint
        for t in texts:
            if t not in g.all:
                return f"no {t!r} in {g.all[:300]!r}"
        if not_text and not_text in g.all:
            return f"{not_text!r} came"
        return None if seen is None or len(g.seen) == seen else f"{len(g.seen)} requests reached the server, not {seen}"
    return want


def statuses(*want):
    return lambda g: None if tuple(g.statuses()) == want else f"statuses {g.statuses()}, not {want}: {g.all[:300]!r}"


def says(*texts):
    return lambda g: next((f"no {t!r} in {g.all[:200]!r}" for t in texts if t not in g.all), None)


def reply(*codes):
    """SOCKS: the last part read is the reply, and its code is one of these."""
    def want(g):
        r = g.parts[1] if len(g.parts) > 1 else b""
        if codes == (None,):
            return f"a reply came: {r!r}" if r else closed(g)
        return None if len(r) >= 2 and r[0] == 5 and r[1] in codes else f"reply {r!r}, not {codes}"
    return want


def alive(g):
    return None if not str(g.end).startswith(("error", "fault")) else g.end


# ---- making requests ---------------------------------------------------------------------------------

def ask(host="www.example.com", path="/echo?TAG", method="GET", fields="", body=b"", version="HTTP/1.1", field_host=None,
        close=True):
    field_host = host if field_host is None else field_host
    text = f"{method} http://{host}{path} {version}\r\nHost: {field_host}\r\n{fields}" + ("Connection: close\r\n" if close else "")
    return text.encode() + b"\r\n" + body


def connect(target, host=None, fields=""):
    return f"CONNECT {target} HTTP/1.1\r\nHost: {target if host is None else host}\r\n{fields}\r\n".encode()


def socks_steps(kind, where, port=80, command=1, then=(REST,), greeting=b"\5\1\0"):
    if kind == "name":
        host = b"\3" + bytes([len(where)]) + where
    else:
        host = (b"\1" if kind == 4 else b"\4") + ipaddress.ip_address(where).packed
    return [greeting, ("read", 2), b"\5" + bytes([command]) + b"\0" + host + struct.pack(">H", port), *then]


def hello_bytes(name):
    """The ClientHello of a client that wants NAME."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    here, there = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(here, there, server_hostname=name).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return there.read()


SMUGGLED = b"GET http://www.example.com/echo?TAGsmuggled HTTP/1.1\r\nHost: www.example.com\r\n\r\n"

# ---- framing: what two programs could read in two ways --------------------------------------------------

for name, fields, body, want in [
    ("both-lengths", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + SMUGGLED, bad()),
    ("both-lengths-other-order", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n" + SMUGGLED, bad()),
    ("both-lengths-zero", "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", b"0\r\n\r\n" + SMUGGLED, bad()),
    ("two-lengths-same", "Content-Length: 5\r\nContent-Length: 5\r\n", b"abcde", bad()),
    ("two-lengths-other", "Content-Length: 5\r\nContent-Length: 0\r\n", b"abcde", bad()),
    ("length-list", "Content-Length: 5, 5\r\n", b"abcde", bad()),
    ("length-plus", "Content-Length: +5\r\n", b"abcde", bad()),
    ("length-minus", "Content-Length: -5\r\n", b"abcde", bad()),
    ("length-hex", "Content-Length: 0x5\r\n", b"abcde", bad()),
    ("length-float", "Content-Length: 5.0\r\n", b"abcde", bad()),
    ("length-huge", "Content-Length: 99999999999999999999999\r\n", b"abcde", bad()),
    ("length-2-64", "Content-Length: 18446744073709551621\r\n", b"abcde", bad()),
    ("length-empty", "Content-Length:\r\n", b"", bad()),
    ("length-two-words", "Content-Length: 5 5\r\n", b"abcde", bad()),
    ("length-no-digits", "Content-Length: five\r\n", b"abcde", bad()),
    ("two-codings", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n", bad()),
    ("two-codings-identity", "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n", bad(400, 501)),
    ("coding-list", "Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n", bad(400, 501)),
    ("coding-chunked-first", "Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n", bad(400, 501)),
    ("coding-chunked-twice", "Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n", bad(400, 501)),
    ("coding-identity", "Transfer-Encoding: identity\r\n", b"", bad(400, 501)),
    ("coding-unknown", "Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n", bad(400, 501)),
    ("coding-quoted", 'Transfer-Encoding: "chunked"\r\n', b"0\r\n\r\n", bad(400, 501)),
    ("coding-parameter", "Transfer-Encoding: chunked;q=1\r\n", b"0\r\n\r\n", bad(400, 501)),
    ("coding-empty", "Transfer-Encoding:\r\n", b"", bad(400, 501)),
    ("coding-vertical-tab", "Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n", bad(400, 501)),
    ("coding-space-colon", "Transfer-Encoding : chunked\r\n", b"0\r\n\r\n", bad()),
    ("coding-tab-colon", "Transfer-Encoding\t: chunked\r\n", b"0\r\n\r\n", bad()),
    ("coding-folded", "Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n", bad(400, 501)),
    ("coding-lf", "X: y\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n", bad()),
    ("coding-cr", "X: y\rTransfer-Encoding: chunked\r\n", b"0\r\n\r\n", bad()),
    ("coding-nul", "X: y\0Transfer-Encoding: chunked\r\n", b"0\r\n\r\n", bad()),
    ("control-in-value", "X: a\x01b\r\n", b"", bad()),
    ("delete-in-value", "X: a\x7fb\r\n", b"", bad()),
    ("fold", "X: a\r\n b\r\n", b"", bad()),
    ("fold-tab", "X: a\r\n\tb\r\n", b"", bad()),
    ("no-colon", "this is no field\r\n", b"", bad()),
    ("empty-name", ": x\r\n", b"", bad()),
    ("name-brace", "X{: x\r\n", b"", bad()),
    ("name-nul", "X\0: x\r\n", b"", bad()),
    ("name-latin", "X\xe9: x\r\n", b"", bad()),
    ("name-space", "X Y: x\r\n", b"", bad()),
    ("head-long", "X: " + "a" * 70000 + "\r\n", b"", bad(431)),
    ("head-many", "".join(f"X-{i}: y\r\n" for i in range(200)), b"", bad(431)),
]:
    Row("framing-" + name, "http", ask(method="POST", fields=fields, body=body), want)
Row("framing-coding-http10", "http", ask(method="POST", fields="Transfer-Encoding: chunked\r\n", body=b"0\r\n\r\n",
                                         version="HTTP/1.0"), bad())
Row("framing-only-lf", "http", ask().replace(b"\r\n", b"\n"), bad())
Row("framing-last-lf", "http", ask()[:-2] + b"\n\r\n", bad())
Row("framing-first-line-folded", "http", b"GET http://www.example.com/?TAG\r\n HTTP/1.1\r\nHost: www.example.com\r\n\r\n", bad())
Row("framing-first-field-space", "http", b"GET http://www.example.com/?TAG HTTP/1.1\r\n Host: www.example.com\r\n\r\n", bad())

for name, body in [
    ("size-word", b"zz\r\nabc\r\n0\r\n\r\n"), ("size-minus", b"-3\r\nabc\r\n0\r\n\r\n"), ("size-plus", b"+3\r\nabc\r\n0\r\n\r\n"),
    ("size-0x", b"0x3\r\nabc\r\n0\r\n\r\n"), ("size-overflow", b"10000000000000003\r\nabc\r\n0\r\n\r\n"),
    ("size-empty", b"\r\nabc\r\n0\r\n\r\n"), ("size-space", b"3 3\r\nabc\r\n0\r\n\r\n"), ("size-leading-space", b" 3\r\nabc\r\n0\r\n\r\n"),
    ("size-lf", b"3\nabc\r\n0\r\n\r\n"), ("data-long", b"3\r\nabcd\r\n0\r\n\r\n"), ("data-no-end", b"3\r\nabc0\r\n\r\n"),
    ("data-lf", b"3\r\nabc\n0\r\n\r\n"), ("extension-lf", b"3;a\nb\r\nabc\r\n0\r\n\r\n"),
    ("extension-cr", b"3;a\rb\r\nabc\r\n0\r\n\r\n"), ("extension-nul", b"3;a\0b\r\nabc\r\n0\r\n\r\n"),
    ("extension-endless", b"3;" + b"a" * 5000 + b"\r\nabc\r\n0\r\n\r\n"), ("size-endless", b"0" * 5000 + b"3\r\nabc\r\n0\r\n\r\n"),
    ("trailer-endless", b"3\r\nabc\r\n0\r\n" + b"X: y\r\n" * 3000 + b"\r\n"), ("trailer-no-field", b"0\r\nnothing\r\n\r\n"),
    ("trailer-fold", b"0\r\nX: y\r\n z\r\n\r\n"), ("trailer-lf", b"0\r\nX: y\n\r\n"),
]:
    Row("chunk-" + name, "http", ask(method="POST", fields="Transfer-Encoding: chunked\r\n", body=body + SMUGGLED, close=False), cut)
Row("chunk-trailer-dropped", "http", ask(method="POST", fields="Transfer-Encoding: chunked\r\n",
                                         body=b"3;x=y\r\nabc\r\n0\r\nContent-Length: 9\r\nHost: never.test\r\n\r\n"),
    ok(b'"length": 3', not_text=b"never.test", seen=1))
Row("chunk-drip", "http", [("drip", ask(method="POST", fields="Transfer-Encoding: chunked\r\n",
                                        body=b"3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n")), REST], ok(b'"length": 19', seen=1))
Row("chunk-cut-off", "http", [ask(method="POST", fields="Transfer-Encoding: chunked\r\n", body=b"10\r\nabc"), ("eof",), REST], closed)
Row("length-cut-off", "http", [ask(method="POST", fields="Content-Length: 100\r\n", body=b"abc"), ("eof",), REST], closed)
Row("length-body-is-a-request", "http", ask(method="POST", fields=f"Content-Length: {len(SMUGGLED)}\r\n", body=SMUGGLED.replace(
    b"TAG", b"tag"), close=True).replace(b"Content-Length: 0", b""), lambda g: None)
ROWS.pop()
INNER = b"GET http://never.test/?inner HTTP/1.1\r\nHost: never.test\r\n\r\n"
Row("length-body-is-a-request", "http", ask(method="POST", fields=f"Content-Length: {len(INNER)}\r\n", body=INNER),
    every(ok(b'"length": %d' % len(INNER), seen=1), statuses(200)))
Row("get-with-body", "http", ask(fields=f"Content-Length: {len(INNER)}\r\n", body=INNER), every(ok(b'"length": %d' % len(INNER)), statuses(200)))
Row("bytes-behind-a-get", "http", ask(close=False) + b"this is nothing\r\n\r\n", every(statuses(200, 400), closed))

# ---- pipelining: each judged on its own ------------------------------------------------------------------

Row("pipeline", "http", ask(close=False) + ask(close=False) + ask(), every(statuses(200, 200, 200), ok(seen=3)))
Row("pipeline-other-hosts", "http", ask(close=False) + ask("www.example.org", close=False) + ask("exact.example.net"),
    every(statuses(200, 200, 200), says(b'"host": "www.example.org"', b'"host": "exact.example.net"')))
Row("pipeline-refused-second", "http", ask(close=False) + ask("never.test"), statuses(200, 403))
Row("pipeline-refused-first", "http", ask("never.test", close=False) + ask(), lambda g: None if g.statuses()[:1] == [403] and
    g.statuses()[1:] in ([], [200]) else f"statuses {g.statuses()}")
Row("pipeline-refused-between", "http", ask(close=False) + ask("never.test", close=False) + ask(), lambda g: None
    if g.statuses()[:2] == [200, 403] else f"statuses {g.statuses()}")
Row("pipeline-behind-body", "http", ask(method="POST", fields="Content-Length: 3\r\n", body=b"abc", close=False) + ask(), statuses(200, 200))
Row("pipeline-behind-chunks", "http", ask(method="POST", fields="Transfer-Encoding: chunked\r\n", body=b"3\r\nabc\r\n0\r\n\r\n", close=False) +
    ask(), statuses(200, 200))
Row("pipeline-bad-second", "http", ask(close=False) + ask(fields="X : y\r\n"), every(statuses(200, 400), closed))
Row("pipeline-refused-with-body", "http", ask("never.test", method="POST", fields=f"Content-Length: {len(INNER)}\r\n", body=INNER,
                                              close=False) + ask(), lambda g: None if g.statuses()[:1] == [403] and 400 not in
    g.statuses() and len(g.statuses()) <= 2 else f"statuses {g.statuses()}")
Row("pipeline-connect-last", "http", [ask(close=False) + connect("v4.example.com:7007"), ("until", r"HTTP/1.1 200.*HTTP/1.1 200.*?\r\n\r\n"),
                                      b"ping", ("until", "ping")], says(b"ping"))
Row("pipeline-hundred", "http", ask(close=False) * 99 + ask(), lambda g: None if g.statuses() == [200] * 100 else
    f"{len(g.statuses())} answers")
Row("keep-alive-drip", "http", [("drip", ask(close=False)), HEAD, ask(), REST], ok(seen=2))

# ---- the request line and Host ---------------------------------------------------------------------------

for name, line in [
    ("origin-form", "GET /echo?TAG HTTP/1.1"), ("asterisk", "OPTIONS * HTTP/1.1"), ("asterisk-get", "GET * HTTP/1.1"),
    ("authority-get", "GET www.example.com:80 HTTP/1.1"), ("no-target", "GET  HTTP/1.1"), ("no-version", "GET http://www.example.com/?TAG"),
    ("two-spaces", "GET  http://www.example.com/?TAG HTTP/1.1"), ("tab", "GET\thttp://www.example.com/?TAG\tHTTP/1.1"),
    ("space-in-target", "GET http://www.example.com/a b?TAG HTTP/1.1"), ("space-at-end", "GET http://www.example.com/?TAG HTTP/1.1 "),
    ("space-first", " GET http://www.example.com/?TAG HTTP/1.1"), ("empty-method", " http://www.example.com/?TAG HTTP/1.1"),
    ("odd-method", "G@T http://www.example.com/?TAG HTTP/1.1"), ("long-method", "G" * 500 + " http://www.example.com/?TAG HTTP/1.1"),
    ("nul-in-target", "GET http://www.example.com/\0?TAG HTTP/1.1"), ("latin-target", "GET http://www.example.com/\xe9?TAG HTTP/1.1"),
    ("control-target", "GET http://www.example.com/\x07?TAG HTTP/1.1"), ("user", "GET http://www.example.com@never.test/?TAG HTTP/1.1"),
    ("user-password", "GET http://a:b@www.example.com/?TAG HTTP/1.1"), ("backslash", "GET http://www.example.com\\@never.test/?TAG HTTP/1.1"),
    ("backslashes", "GET http:\\\\www.example.com/?TAG HTTP/1.1"), ("fragment", "GET http://www.example.com/?TAG#x HTTP/1.1"),
    ("no-host", "GET http:///echo?TAG HTTP/1.1"), ("one-slash", "GET http:/www.example.com/?TAG HTTP/1.1"),
    ("no-slashes", "GET http:www.example.com/?TAG HTTP/1.1"), ("port-empty", "GET http://www.example.com:/?TAG HTTP/1.1"),
    ("port-zero", "GET http://www.example.com:0/?TAG HTTP/1.1"), ("port-big", "GET http://www.example.com:65616/?TAG HTTP/1.1"),
    ("port-word", "GET http://www.example.com:http/?TAG HTTP/1.1"), ("port-plus", "GET http://www.example.com:+80/?TAG HTTP/1.1"),
    ("port-zeros", "GET http://www.example.com:080/?TAG HTTP/1.1"), ("ftp", "GET ftp://www.example.com/?TAG HTTP/1.1"),
    ("file", "GET file:///etc/passwd HTTP/1.1"), ("gopher", "GET gopher://www.example.com:25/_x?TAG HTTP/1.1"),
    ("javascript", "GET javascript:alert(1) HTTP/1.1"), ("percent-host", "GET http://www%2eexample.com/?TAG HTTP/1.1"),
    ("percent-nul-host", "GET http://www.example.com%00.never.test/?TAG HTTP/1.1"), ("two-dots", "GET http://www..example.com/?TAG HTTP/1.1"),
    ("first-dot", "GET http://.example.com/?TAG HTTP/1.1"), ("end-dots", "GET http://www.example.com../?TAG HTTP/1.1"),
    ("only-dot", "GET http://./?TAG HTTP/1.1"), ("hyphen-first", "GET http://-oProxyCommand=x.example.com/?TAG HTTP/1.1"),
    ("long-label", f"GET http://{'a' * 64}.example.com/?TAG HTTP/1.1"), ("long-host", f"GET http://{'a.' * 130}example.com/?TAG HTTP/1.1"),
    ("unicode-dot", "GET http://www\u3002example.com/?TAG HTTP/1.1"), ("star-host", "GET http://*.example.com/?TAG HTTP/1.1"),
    ("comma-host", "GET http://www.example.com,never.test/?TAG HTTP/1.1"), ("bracket-name", "GET http://[www.example.com]/?TAG HTTP/1.1"),
    ("bracket-open", "GET http://[::1/?TAG HTTP/1.1"), ("bracket-tail", "GET http://[2606:2800::20]x/?TAG HTTP/1.1"),
    ("zone", "GET http://[fe80::1%25lo]/?TAG HTTP/1.1"), ("v6-bare", "GET http://2606:2800::20/?TAG HTTP/1.1"),
]:
    host = re.search(r"//([^/?]*)", line)
    Row("line-" + name, "http", f"{line}\r\nHost: {host[1] if host else 'www.example.com'}\r\nConnection: close\r\n\r\n".encode("utf-8"
        if max(line) > "\xff" else "latin-1"), bad())
for name, version, allowed in [("http2", "HTTP/2.0", (505, 400)), ("http12", "HTTP/1.2", (505, 400)), ("http09", "HTTP/0.9", (505, 400)),
                               ("http110", "HTTP/1.10", (505, 400)), ("lower", "http/1.1", (505, 400)), ("icap", "ICAP/1.0", (505, 400)),
                               ("spaces", "HTTP/ 1.1", (505, 400)), ("no-minor", "HTTP/1", (505, 400)), ("rtsp", "RTSP/1.0", (505, 400))]:
    Row("version-" + name, "http", ask(version=version), bad(*allowed))
Row("line-long", "http", ask(path="/" + "a" * 17000 + "?TAG"), bad(414))
Row("line-endless", "http", b"GET http://www.example.com/" + b"a" * 70000, bad(414, 431))


# Exactly what src/helper/limits.h allows, and one more. The mark stands in the text, since TAG has another length.
for name, limit, status, make in [
    ("head", 65536, 431, lambda mark: lambda k: ask(path=f"/echo?{mark}", fields="X: " + "a" * k + "\r\n")),
    ("line", 16384, 414, lambda mark: lambda k: ask(path=f"/echo?{mark}" + "a" * k)),
    ("fields", 128, 431, lambda mark: lambda k: ask(path=f"/echo?{mark}", fields="X: y\r\n" * k)),
]:
    def text(mark, n, name=name, make=make):
        more = make(mark)
        size = {"head": len, "line": lambda t: t.index(b"\r\n") + 2, "fields": lambda t: t.count(b"\r\n") - 2}[name]
        return more(n - size(more(0)))
    at, over = f"limit-{name}-at", f"limit-{name}-over"
    Row(at, "http", text(f"row={at};", limit), ok(seen=1))
    Row(over, "http", text(f"row={over};", limit + 1), bad(status))
Row("http2-preface", "http", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", bad(505, 400))
Row("tls-to-http", "http", hello_bytes("www.example.com"), every(closed, unseen))
Row("socks-to-http", "http", [b"\5\1\0", b"\5\1\0\3\x0fwww.example.com\0\x50", ("eof",), REST], alive)
Row("garbage-to-http", "http", bytes(range(256)) * 300, every(closed, unseen))
Row("empty-lines-first", "http", b"\r\n" + ask(), ok(seen=1))
Row("nothing-but-lines", "http", b"\r\n" * 60000, every(closed, unseen))

for name, fields, want in [
    ("missing", "", bad()), ("twice-same", "Host: www.example.com\r\nHost: www.example.com\r\n", bad()),
    ("twice-other", "Host: www.example.com\r\nHost: never.test\r\n", bad()), ("other", "Host: www.example.org\r\n", bad()),
    ("never", "Host: never.test\r\n", bad()), ("other-port", "Host: www.example.com:8080\r\n", bad()), ("empty", "Host:\r\n", bad()),
    ("list", "Host: www.example.com, never.test\r\n", bad()), ("user", "Host: x@www.example.com\r\n", bad()),
    ("path", "Host: www.example.com/x\r\n", bad()), ("url", "Host: http://www.example.com\r\n", bad()),
    ("folded", "Host:\r\n www.example.com\r\n", bad()), ("space-colon", "Host : www.example.com\r\n", bad()),
    ("space-colon-second", "Host: www.example.com\r\nHost : never.test\r\n", bad()), ("nul", "Host: www.example.com\0.never.test\r\n", bad()),
    ("tail", "Host: www.example.com.never.test\r\n", bad()), ("port-bad", "Host: www.example.com:x\r\n", bad()),
    ("lower-name", "host: www.example.com\r\n", ok(seen=1)), ("upper-value", "Host: WWW.Example.COM\r\n", ok(seen=1)),
    ("default-port", "Host: www.example.com:80\r\n", ok(seen=1)),
]:
    Row("host-" + name, "http", b"GET http://www.example.com/echo?TAG HTTP/1.1\r\n" + fields.encode() + b"Connection: close\r\n\r\n", want)
Row("host-http10-none", "http", b"GET http://www.example.com/echo?TAG HTTP/1.0\r\n\r\n", ok(b'"host": "www.example.com"', seen=1))
Row("host-is-targets", "http", b"GET http://WWW.EXAMPLE.COM:80/echo?TAG HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\n\r\n", ok(seen=1))

# ---- fields that are for somebody else -------------------------------------------------------------------

Row("hop-fields", "http", ask(fields="Proxy-Authorization: Basic eDp5\r\nProxy-Connection: close\r\nKeep-Alive: 5\r\nTE: trailers\r\n"
                              "X-Named: secret\r\nConnection: x-named\r\n", close=False).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
    every(ok(seen=1), lambda g: next((f"{w!r} reached the server" for w in (b"eDp5", b"x-named", b"X-Named", b"roxy-")
                                      if w in g.seen[0].head), None)))
Row("hop-host-named", "http", ask(fields="Connection: host, close\r\n", close=False), every(ok(b'"host": "www.example.com"', seen=1)))
Row("hop-length-named", "http", ask(method="POST", fields="Connection: content-length, close\r\nContent-Length: 3\r\n", body=b"abc", close=False),
    ok(b'"length": 3', seen=1))
Row("upgrade-h2c", "http", ask(fields="Connection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n", close=False) +
    ask(), lambda g: next(("the upgrade reached the server" for r in g.seen if
                                                   re.search(rb"(?i)\r\n(upgrade|http2-settings):", r.head)), None))
Row("expect-odd", "http", ask(method="POST", fields="Expect: the-impossible\r\nContent-Length: 3\r\n", body=b"abc"), first(200, 400, 417))
Row("x-proxy-error-from-client", "http", ask(fields="X-Proxy-Error: none\r\n"), first(200))
Row("x-unix-socket-unlisted", "http", ask("localhost", path="/x", fields="x-unix-socket: /var/run/docker.sock\r\n"), not_reached)
Row("x-unix-socket-relative", "http", ask("localhost", path="/x", fields="x-unix-socket: ../x.sock\r\n"), not_reached)
Row("x-unix-socket-twice", "http", ask("localhost", path="/x", fields="x-unix-socket: /a\r\nx-unix-socket: /b\r\n"), not_reached)
Row("forwarded-spoof", "http", ask(fields="X-Forwarded-Host: never.test\r\nForwarded: host=never.test\r\n"), ok(b'"host": "www.example.com"'))

# ---- refusals, as people and agents read them --------------------------------------------------------------

Row("refusal-allowlist", "http", ask("never.test"), refused("blocked-by-allowlist"))
Row("refusal-denylist", "http", ask("evil.example.com"), refused("blocked-by-denylist", ("denied",)))
Row("refusal-denied-below", "http", ask("x.evil.example.com"), refused("blocked-by-denylist"))
Row("refusal-port", "http", ask("ported.example.net"), refused("blocked-by-allowlist"))
Row("refusal-wildcard-not-itself", "http", ask("example.org"), refused("blocked-by-allowlist"))
Row("refusal-below-exact", "http", ask("x.exact.example.net"), refused("blocked-by-allowlist"))
Row("refusal-private", "http", ask("10.1.2.3"), refused("blocked-by-allowlist", ("not_allowed_local",)))
Row("refusal-private-port", "http", ask("10.9.8.7:81"), refused("blocked-by-allowlist"))
Row("refusal-message", "http", ask("never.test"), every(refused(), says(b"ask the people of the scene")))
Row("refusal-post", "http", ask("never.test", method="POST", fields="Content-Length: 3\r\n", body=b"abc"), refused("blocked-by-allowlist"))
Row("refusal-head", "http", ask("never.test", method="HEAD"), lambda g: first(403)(g) or ("a body came" if g.body() else None))
Row("refusal-connect", "http", connect("never.test:443"), every(first(403), says(b"blocked-by-allowlist", b"never.test")))
Row("refusal-connect-denied", "http", connect("evil.example.com:443"), every(first(403), says(b"blocked-by-denylist")))
Row("refusal-connect-has-no-tunnel", "http", [connect("never.test:443"), HEAD, b"x" * 100, REST], every(first(403)))

# ---- CONNECT -------------------------------------------------------------------------------------------------

for name, target in [
    ("no-port", "www.example.com"), ("port-empty", "www.example.com:"), ("port-zero", "www.example.com:0"), ("port-big", "www.example.com:65536"),
    ("port-word", "www.example.com:https"), ("port-zeros", "www.example.com:0443"), ("port-plus", "www.example.com:+443"),
    ("port-two", "www.example.com:443:443"), ("url", "http://www.example.com:443"), ("path", "www.example.com:443/x"),
    ("user", "x@www.example.com:443"), ("v6-bare", "2606:2800::20:443"), ("v6-no-port", "[2606:2800::20]"), ("empty-host", ":443"),
    ("percent", "www.example.com%2enever.test:443"), ("nul", "www.example.com\0.never.test:443"), ("space", "www.example.com :443"),
    ("zone", "[fe80::1%25lo]:443"),
]:
    Row("connect-" + name, "http", connect(target, host="www.example.com"), bad())
Row("connect-host-other", "http", connect("v4.example.com:7007", host="never.test:7007"), bad())
Row("connect-host-missing", "http", b"CONNECT v4.example.com:7007 HTTP/1.1\r\n\r\n", bad())
Row("connect-http10", "http", [b"CONNECT v4.example.com:7007 HTTP/1.0\r\n\r\n", HEAD, b"ping", ("until", "ping")], every(first(200), says(b"ping")))
Row("connect-echo", "http", [connect("v4.example.com:7007"), HEAD, b"ping", ("until", "ping"), b"x" * 300000, ("read", 300000)],
    every(first(200), lambda g: None if len(g.parts[-1]) == 300000 else f"{len(g.parts[-1])} bytes"))
Row("connect-early-bytes", "http", [connect("v4.example.com:7007") + b"early", ("until", "early|400"), ("eof",), REST], alive)
Row("connect-half-close", "http", [connect("v4.example.com:7071"), HEAD, b"y" * 100000, ("eof",), REST], every(first(200), says(b"got 100000\n"), closed))
Row("connect-bulk", "http", [connect("v4.example.com:7070"), HEAD, b"3000000\n", ("read", 3000000), REST], every(first(200), lambda g: None
    if len(g.parts[1]) == 3000000 else f"{len(g.parts[1])} bytes"))
Row("connect-closed-port", "http", connect("v4.example.com:81"), every(first(502), closed))
Row("connect-unreachable", "http", connect("gone.example.com:443"), first(502))
Row("connect-dropped", "http", connect("dead.example.com:443"), first(504, 502))
Row("connect-no-tls", "http", [connect("www.example.com:443"), HEAD, b"GET / HTTP/1.1\r\n\r\n", REST], alive)
Row("connect-plain-http", "http", [connect("www.example.com:80"), HEAD, b"GET /echo?TAG HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\n\r\n", REST],
    statuses(200, 200))

# ---- addresses: every spelling of what is not public, where everything public is allowed ------------------------

SPELLINGS = [
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0X7F.0.0.1", "0177.0.0.1", "017700000001", "0x7f.0x0.0x0.0x1",
    "127.0.0.1.", "127.000.000.001", "0", "0.0.0.0", "00", "0x0", "localhost", "LocalHost", "localhost.", "www.localhost", "127.255.255.254",
    "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]", "[::7f00:1]",
    "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[::]",
    "10.1.2.3", "0xa010203", "012.1.2.3", "10.66051", "167838211", "[::ffff:10.1.2.3]", "[2002:a01:203::1]", "172.16.0.1", "172.31.255.255",
    "192.168.0.1", "0xc0.0xa8.1", "100.64.0.1", "100.127.255.255", "169.254.1.1", "169.254.169.254", "0xa9fea9fe", "2852039166", "169.254.43518",
    "0251.0376.0251.0376", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]", "[fd00:ec2::254]", "168.63.129.16",
    "100.100.100.200", "192.0.0.192", "[fc00::1]", "[fd12:3456::1]", "[fe80::1]", "[febf::1]", "[fec0::1]", "[ff02::1]", "224.0.0.1", "239.1.1.1",
    "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "192.88.99.1", "[2001:db8::1]", "[100::1]", "[3fff::1]",
    "[2001:2::1]", scenery.OWN, "[::ffff:45.33.7.7]", "0x2d210707",
]
NO_HOSTS = ["127.0.0.1%00", "127.0.0.1%2e", "①②⑦.0.0.1", "127。0。0。1", "[::1%25lo]", "08.0.0.1", "0x", "256.1.1.1", "1.2.3.4.5", "127.0.0.0x",
            "4294967296", "0x100000000", "[::ffff:127.0.0.1", "::1]", "[1::2::3]", "[::127.0.0.01]", "127.0.0.1 ", "example.1", "127..1", "[127.0.0.1]"]


def spelled(text):
    return text.encode("utf-8")


for text in SPELLINGS + NO_HOSTS:
    t = spelled(text)
    allowed = (403,) if text in SPELLINGS else (400, 403)
    name = text.encode("unicode_escape").decode().replace(" ", "_")
    Row(f"address-{name}", "http", b"GET http://" + t + b"/echo?TAG HTTP/1.1\r\nHost: " + t + b"\r\nConnection: close\r\n\r\n",
        every(first(*((400,) if text not in SPELLINGS else (403,)), 400 if text not in SPELLINGS else 403), unseen), profile="star")
    Row(f"address-connect-{name}", "http", b"CONNECT " + t + b":7007 HTTP/1.1\r\nHost: " + t + b":7007\r\n\r\n", every(first(*allowed), unseen),
        profile="star")
    bare = t.strip(b"[]") if text in SPELLINGS else t
    Row(f"address-socks-{name}", "socks", socks_steps("name", bare), reply(2) if text in SPELLINGS else reply(1, 2, 4, 8), profile="star")
for text in sorted({*scenery.LOCAL_FORMS.values(), *scenery.LOCAL_V4.values()}):
    Row(f"address-socks-binary-{text}", "socks", socks_steps(6 if ":" in text else 4, text), reply(2), profile="star")
for name in [*scenery.LOCAL_FORMS, *scenery.LOCAL_V4]:
    Row(f"resolves-to-{name}", "http", ask(f"form-{name}.example.com"), refused(), profile="star")
for text in ["93.184.220.66", "0x5db8dc42", "93.184.56386", "0135.0270.0334.0102", "[::ffff:93.184.220.66]", "[2002:5db8:dc42::]",
             "[64:ff9b::5db8:dc42]", "93.184.220.66."]:
    Row(f"denied-address-{text}", "http", ask(text), refused("blocked-by-denylist"))
for text in ["0x5db8d714", "1572394772", "93.184.55060", "0135.0270.0327.024", "[::ffff:93.184.215.20]"]:
    Row(f"allowed-address-{text}", "http", ask(text), every(ok(b'"address": "93.184.215.20"', seen=1)))

# ---- what a resolver may answer ----------------------------------------------------------------------------------

DNS_BAD = ("dns_failed", "dns_timeout")
for name, want in [
    ("rebind", ok(b'"address": "93.184.215.14"')), ("rebind-private", ok(b'"address": "93.184.215.14"')),
    ("rebind-back", refused()), ("mixed", refused(reason=("mixed_answers", "not_allowed_local"))),
    ("mixed-family", refused(reason=("mixed_answers", "not_allowed_local"))),
    ("mixed-loopback", refused(reason=("mixed_answers", "not_allowed_local"))), ("denied-address", refused("blocked-by-denylist")),
    ("half-denied", refused("blocked-by-denylist")), ("silent", refused(reason=("dns_timeout",), status=(403, 502, 504))),
    ("slow", refused(reason=("dns_timeout",), status=(403, 502, 504))), ("nx", refused(reason=("dns_failed",), status=(403, 502))),
    ("servfail", refused(reason=DNS_BAD, status=(403, 502, 504))), ("refused", refused(reason=DNS_BAD, status=(403, 502, 504))),
    ("empty", refused(reason=("dns_failed",), status=(403, 502))), ("garbage", refused(reason=DNS_BAD, status=(403, 502, 504))),
    ("loop", refused(reason=DNS_BAD, status=(403, 502, 504))), ("other-name", refused(reason=DNS_BAD, status=(403, 502, 504))),
    ("count", not_reached), ("cname-local", refused()), ("cname-loop", refused(reason=DNS_BAD, status=(403, 502, 504))),
    ("many-last", refused()), ("spoof-id", ok(b'"address": "93.184.215.14"')), ("spoof-name", ok(b'"address": "93.184.215.14"')),
    ("truncated", ok(b'"address": "93.184.215.14"')), ("many", ok(b'"address": "93.184.216.')), ("chain", ok(b'"address": "93.184.215.14"')),
    ("granted", None), ("granted-not", refused()), ("hosts", not_reached),
]:
    if want:
        Row("dns-" + name, "http", ask(f"{name}.example.com"), want)
Row("dns-granted-address", "http", ask("granted.example.com:8080"), first(200, 403))
Row("dns-rebind-later", "http", [ask("rebind-later.example.com"), REST, ("again",), ask("rebind-later.example.com"), REST, ("again",),
                                 ask("rebind-later.example.com"), REST], lambda g: None if not re.search(rb'"address": "127', g.all) else "rebound")
Row("dns-rebind-tunnel", "http", [connect("rebind-tunnel.example.com:7007"), ("until", r"\r\n\r\n|}"), ("again",),
                                  connect("rebind-tunnel.example.com:7007"), ("until", r"\r\n\r\n|}")], alive)

# ---- names that nobody allowed are not looked up (see run_invariants) ----------------------------------------------

for i, name in enumerate(["never.test", "NEVER.TEST", "never.test.", "www.never.test", "example.com.never.test", "www.example.com.never.test",
                          "wwwexample.com", "badexample.com", "example.comm", "evil.example.com", "never-evil.evil.example.com", "never.example.net",
                          "www.example.net", "x.exact.example.net", "example.org", "xn--never-9ua.test", "never_x.test"]):
    Row(f"no-query-http-{name}", "http", ask(name), first(403))
    Row(f"no-query-connect-{name}", "http", connect(name + ":443"), first(403))
    Row(f"no-query-socks-{name}", "socks", socks_steps("name", name.encode()), reply(2))
Row("no-query-bad-host", "http", ask("never.test\t"), bad())

# ---- SOCKS ------------------------------------------------------------------------------------------------------------

TEN = ("read", 10)
Row("socks-name", "socks", socks_steps("name", b"v4.example.com", 7007, then=[TEN, b"ping", ("until", "ping")]), every(reply(0), says(b"ping")))
Row("socks-v4", "socks", socks_steps(4, "93.184.215.20", 7007, then=[TEN, b"ping", ("until", "ping")]), every(reply(0), says(b"ping")))
Row("socks-v6", "socks", socks_steps(6, "2606:2800::20", 7007, then=[TEN, b"ping", ("until", "ping")]), every(reply(0), says(b"ping")))
Row("socks-drip", "socks", [("drip", b"\5\1\0"), ("read", 2), ("drip", b"\5\1\0\3\x0ev4.example.com" + struct.pack(">H", 7007)), TEN, b"ping",
                            ("until", "ping")], every(reply(0), says(b"ping")))
Row("socks-all-at-once", "socks", [b"\5\1\0\5\1\0\3\x0ev4.example.com" + struct.pack(">H", 7007) + b"ping", ("read", 2), TEN, ("until", "ping")],
    every(reply(0), says(b"ping")))
Row("socks-half-close", "socks", socks_steps("name", b"v4.example.com", 7071, then=[TEN, b"y" * 100000, ("eof",), REST]), says(b"got 100000"))
Row("socks-upper-dot", "socks", socks_steps("name", b"V4.Example.COM.", 7007, then=[TEN, b"ping", ("until", "ping")]), every(reply(0), says(b"ping")))
Row("socks-password", "socks", [b"\5\1\2", ("read", 2), b"\1\3abc\3def", ("read", 2), b"\5\1\0\3\x0ev4.example.com" + struct.pack(">H", 7007), TEN],
    lambda g: None if g.parts[:2] == [b"\5\2", b"\1\0"] and g.parts[2][:2] == b"\5\0" else f"{g.parts}")
Row("socks-many-methods", "socks", [b"\5\xff" + bytes(range(255)), ("read", 2)], lambda g: None if g.all == b"\5\0" else f"{g.all!r}")
for name, steps, want in [
    ("version-4", [b"\4\1\0\x50\x5d\xb8\xd7\x14user\0", REST], lambda g: closed(g) or (None if b"\x5a" not in g.all else "granted")),
    ("version-4a", [b"\4\1\0\x50\0\0\0\1u\0www.example.com\0", REST], lambda g: closed(g) or (None if b"\x5a" not in g.all else "granted")),
    ("version-6", [b"\6\1\0", REST], ends_with_nothing), ("version-0", [b"\0\1\0", REST], ends_with_nothing),
    ("http", [ask(), REST], every(closed, unseen)), ("tls", [hello_bytes("www.example.com"), REST], closed),
    ("no-methods", [b"\5\0", REST], closed), ("methods-other", [b"\5\2\1\3", ("read", 2), REST], lambda g: None
     if g.parts[0] == b"\5\xff" and not closed(g) else f"{g.parts} {g.end}"),
    ("greeting-half", [b"\5", ("eof",), REST], closed), ("greeting-lies", [b"\5\x09\0", ("eof",), REST], closed),
    ("request-half", [b"\5\1\0", ("read", 2), b"\5\1\0\3\x20abc", ("eof",), REST], closed),
    ("request-version", [b"\5\1\0", ("read", 2), b"\4\1\0\1\x5d\xb8\xd7\x14\0\x50", REST], closed),
    ("reserved", [b"\5\1\0", ("read", 2), b"\5\1\7\1\x5d\xb8\xd7\x14\0\x50", REST], lambda g: closed(g) or
     (None if g.parts[1][1:2] != b"\0" else "granted")),
    ("type-0", [b"\5\1\0", ("read", 2), b"\5\1\0\0\x5d\xb8\xd7\x14\0\x50", REST], reply(8)),
    ("type-2", [b"\5\1\0", ("read", 2), b"\5\1\0\2\x5d\xb8\xd7\x14\0\x50", REST], reply(8)),
    ("type-255", [b"\5\1\0", ("read", 2), b"\5\1\0\xff\x5d\xb8\xd7\x14\0\x50", REST], reply(8)),
    ("bind", socks_steps(4, "93.184.215.20", command=2), reply(7)), ("command-0", socks_steps(4, "93.184.215.20", command=0), reply(7)),
    ("command-255", socks_steps(4, "93.184.215.20", command=255), reply(7)),
    ("resolve", socks_steps("name", b"www.example.com", command=0xf0), reply(7)),
    ("name-empty", socks_steps("name", b""), lambda g: closed(g) or (None if g.parts[1][1:2] != b"\0" else "granted")),
    ("name-long", socks_steps("name", b"a" * 255), reply(1, 2, 4, 8)), ("name-nul", socks_steps("name", b"www.example.com\0.never.test"), reply(1, 2, 4, 8)),
    ("name-space", socks_steps("name", b"www.example.com never"), reply(1, 2, 4, 8)),
    ("name-newline", socks_steps("name", b"www.example.com\r\nHost: x"), reply(1, 2, 4, 8)),
    ("name-percent", socks_steps("name", b"www%2eexample.com"), reply(1, 2, 4, 8)), ("name-utf8", socks_steps("name", "bücher.example.com".encode(), then=(("read", 10),)), reply(0)),
    ("name-utf8-other-case", socks_steps("name", "BÜCHER。example.com".encode(), then=(("read", 10),)), reply(0)),
    ("name-utf8-refused", socks_steps("name", "bücher.never.test".encode()), reply(2)),
    ("name-utf8-denied", socks_steps("name", "ünder.evil.example.com".encode()), reply(2)),
    ("name-utf8-no-name", socks_steps("name", "☃.example.com".encode()), reply(2)),
    ("name-utf8-address", socks_steps("name", "１２７.0.0.1".encode()), reply(2)),
    ("name-utf8-broken", socks_steps("name", b"b\xfccher.example.com"), reply(2)),
    ("name-brackets", socks_steps("name", b"[::1]"), reply(1, 2, 4, 8)), ("name-port", socks_steps("name", b"www.example.com:80"), reply(1, 2, 4, 8)),
    ("port-0", socks_steps(4, "93.184.215.20", 0), lambda g: closed(g) or (None if g.parts[1][1:2] != b"\0" else "granted")),
    ("refused", socks_steps("name", b"never.test"), every(reply(2), closed)), ("denied", socks_steps("name", b"evil.example.com"), reply(2)),
    ("denied-address", socks_steps(4, "93.184.220.66"), reply(2)), ("denied-resolved", socks_steps("name", b"denied-address.example.com"), reply(2)),
    ("mixed", socks_steps("name", b"mixed.example.com"), reply(2)), ("nx", socks_steps("name", b"nx.example.com"), reply(4)),
    ("dns-silent", socks_steps("name", b"silent.example.com"), reply(4, 6)), ("closed", socks_steps("name", b"v4.example.com", 81), reply(5)),
    ("unreachable", socks_steps("name", b"gone.example.com", 80), reply(3, 4)), ("dead", socks_steps("name", b"dead.example.com", 80), reply(3, 4, 6, 1)),
    ("ssh-refused", socks_steps("name", b"never.test", 22), every(reply(2), lambda g: None if b"never.test" in g.parts[1] or b"allow" in g.parts[1]
     else f"no SSH disconnect: {g.parts[1]!r}")),
    ("password-empty", [b"\5\1\2", ("read", 2), b"\1\0\0", ("eof",), REST], closed), ("password-version", [b"\5\1\2", ("read", 2), b"\5\1a\1b", REST], closed),
    ("silent-greeting", [REST], closed), ("silent-middle", [b"\5\1\0", ("read", 2), b"\5\1", REST], closed),
]:
    Row("socks-" + name, "socks", steps, want)

# ---- a server's answers --------------------------------------------------------------------------------------------------

for page in ["both", "two-lengths", "bad-length", "bad-head", "bad-fold", "bad-lf", "bad-status", "no-head", "huge-head", "many-fields",
             "silent-close", "upgrade-unasked"]:
    Row("server-" + page, "http", ask(path=f"/{page}?TAG"), first(502))
Row("server-bad-chunk", "http", ask(path="/bad-chunk?TAG"), lambda g: closed(g) or ("a fault was hidden" if g.all.endswith(b"0\r\n\r\n") else None))
Row("server-short", "http", ask(path="/short?TAG", close=False), closed)
Row("server-short-chunk", "http", ask(path="/short-chunk?TAG", close=False), lambda g: closed(g) or
    ("a fault was hidden" if g.all.endswith(b"0\r\n\r\n") else None))
Row("server-reset", "http", ask(path="/reset?TAG", close=False), closed)
Row("server-forged-refusal", "http", ask(path="/forged?TAG"), every(first(403), says(b"forged"), lambda g: f"x-proxy-error: {g.field(b'x-proxy-error')}"
                                                                       if g.field(b"x-proxy-error") else None))
Row("server-hop-fields", "http", ask(path="/hop?TAG"), every(first(200), says(b"X-End: kept"), lambda g: next(
    (f"{w!r} came" for w in (b"X-Hop", b"Proxy-Auth", b"timeout=5") if w.lower() in g.all.lower()), None)))
Row("server-queued-answer", "http", [ask(path="/split?TAG", close=False), ("until", "ok"), ask(path="/hello?TAG"), REST],
    lambda g: "another answer was taken for this one" if b"queued" in g.all else None if b"hello" in g.all or not closed(g) else "no end")
Row("server-head", "http", ask(path="/hello?TAG", method="HEAD"), every(first(200), lambda g: "a body came" if g.body() else None))
Row("server-head-then-get", "http", [ask(path="/hello?TAG", method="HEAD", close=False), HEAD, ask(path="/hello?TAG"), REST], says(b"hello www"))
Row("server-no-content-then-get", "http", [ask(path="/no-content?TAG", close=False), HEAD, ask(path="/hello?TAG"), REST], says(b"hello www"))
Row("server-closes-between", "http", [ask(path="/bye?TAG", close=False), ("until", "bye"), ask(path="/hello?TAG"), REST], says(b"hello www"))
Row("server-streams", "http", [ask(path="/held?tag=stream&TAG"), ("until", "first "), ("tell", "stream"), REST], says(b"second"))
Row("server-stream-release", "http", [("wait", "stream"), ask(path="/release?tag=stream"), REST], first(200))

# ---- redirected connections: the name that was looked up, Host and SNI must be one -------------------------------------------

for name, to, data, want in [
    ("host-same", ["www.example.com", 80], b"GET /echo?TAG HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\n\r\n", ok(seen=1)),
    ("host-never", ["www.example.com", 80], b"GET /echo?TAG HTTP/1.1\r\nHost: never.test\r\nConnection: close\r\n\r\n", every(not_reached, closed)),
    ("host-other-allowed", ["www.example.com", 80], b"GET /echo?TAG HTTP/1.1\r\nHost: www.example.org\r\nConnection: close\r\n\r\n",
     every(not_reached, closed)),
    ("host-missing", ["www.example.com", 80], b"GET /echo?TAG HTTP/1.1\r\n\r\n", every(not_reached, closed)),
    ("host-twice", ["www.example.com", 80], b"GET /echo?TAG HTTP/1.1\r\nHost: www.example.com\r\nHost: never.test\r\n\r\n", every(not_reached, closed)),
    ("host-absolute-other", ["www.example.com", 80], b"GET http://never.test/echo?TAG HTTP/1.1\r\nHost: never.test\r\n\r\n", every(not_reached, closed)),
    ("host-second-request", ["www.example.com", 80], b"GET /echo?TAG HTTP/1.1\r\nHost: www.example.com\r\n\r\nGET /echo?TAGsmuggled HTTP/1.1\r\n"
     b"Host: never.test\r\n\r\n", cut),
    ("smuggling", ["www.example.com", 80], b"POST /echo?TAG HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
     b"0\r\n\r\n", every(not_reached, closed)),
    ("not-http", ["www.example.com", 80], b"SSH-2.0-x\r\n\r\n", every(not_reached, closed)),
    ("literal-host", ["93.184.215.20", 80], b"GET /echo?TAG HTTP/1.1\r\nHost: 93.184.215.20\r\nConnection: close\r\n\r\n", ok(seen=1)),
    ("literal-host-never", ["93.184.215.20", 80], b"GET /echo?TAG HTTP/1.1\r\nHost: never.test\r\nConnection: close\r\n\r\n", every(not_reached, closed)),
    ("literal-refused", ["93.184.215.21", 80], b"GET /echo?TAG HTTP/1.1\r\nHost: 93.184.215.21\r\n\r\n", not_reached),
    ("literal-refused-allowed-host", ["93.184.215.21", 80], b"GET /echo?TAG HTTP/1.1\r\nHost: www.example.com\r\n\r\n", not_reached),
    ("literal-metadata", ["169.254.169.254", 80], b"GET /echo?TAG HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n", not_reached),
    ("literal-private", ["10.1.2.3", 80], b"GET /echo?TAG HTTP/1.1\r\nHost: 10.1.2.3\r\n\r\n", not_reached),
    ("sni-same", ["www.example.com", 443], hello_bytes("www.example.com"), lambda g: None if g.all[:1] == b"\x16" else f"{g.all[:20]!r} {g.end}"),
    ("sni-never", ["www.example.com", 443], hello_bytes("never.test"), lambda g: closed(g) or (f"{g.all[:20]!r}" if g.all[:1] == b"\x16" else None)),
    ("sni-other-allowed", ["www.example.com", 443], hello_bytes("www.example.org"), lambda g: closed(g) or
     (f"{g.all[:20]!r}" if g.all[:1] == b"\x16" else None)),
    ("sni-none", ["www.example.com", 443], hello_bytes(None), lambda g: closed(g) or (f"{g.all[:20]!r}" if g.all[:1] == b"\x16" else None)),
    ("sni-literal-never", ["93.184.215.20", 443], hello_bytes("never.test"), lambda g: closed(g) or (f"{g.all[:20]!r}" if g.all[:1] == b"\x16" else None)),
    ("tls-garbage", ["www.example.com", 443], b"\x16\x03\x01\xff\xff" + b"\1" * 100, closed),
    ("tls-plain-http", ["www.example.com", 443], b"GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n", closed),
]:
    steps = [data, ("read", 1)] if name == "sni-same" else [data, ("eof",), REST] if name.startswith("tls-") else [data, REST]
    Row("redirected-" + name, to, steps, want)
HELLO = hello_bytes("www.example.com")
Row("redirected-sni-drip", ["www.example.com", 443], [("drip", HELLO), ("read", 1)], lambda g: None if g.all[:1] == b"\x16" else f"{g.all[:20]!r} {g.end}")
Row("redirected-sni-records", ["www.example.com", 443], [b"".join(HELLO[:3] + struct.pack(">H", len(p)) + p for p in (
    HELLO[5:9], HELLO[9:60], HELLO[60:])), ("read", 1)], alive)
Row("redirected-echo", ["v4.example.com", 7007], [b"ping", ("until", "ping")], says(b"ping"))

# ---- the resolver inside ------------------------------------------------------------------------------------------------------


def query(name, rtype=1, flags=0x0100, count=1, qclass=1, tail=b"", ident=0x1234):
    labels = b"".join(bytes([len(x)]) + x for x in name.encode("latin-1").split(b".") if x) + b"\0"
    return struct.pack(">HHHHHH", ident, flags, count, 0, 0, 0) + (labels + struct.pack(">HH", rtype, qclass)) * count + tail


def code(*codes, answers=None):
    def want(g):
        m = g.all
        if len(m) < 12:
            return f"no answer: {m!r} {g.end}"
        if m[:2] != b"\x12\x34" or not m[2] & 0x80:
            return f"not the answer to this: {m[:4]!r}"
        if m[3] & 15 not in codes:
            return f"code {m[3] & 15}, not {codes}"
        n = struct.unpack(">H", m[6:8])[0]
        return None if answers is None or (n > 0) == answers else f"{n} answers"
    return want


STUB = ["udp", "127.0.0.1", 53]
AT_ONCE = ("until", ".+")
for name, data, want in [
    ("a", query("www.example.com"), code(0, answers=True)), ("aaaa", query("www.example.com", 28), code(0)),
    ("never", query("never.test"), code(5, answers=False)), ("never-aaaa", query("never.test", 28), code(5, answers=False)),
    ("denied", query("evil.example.com"), code(5, answers=False)), ("case", query("WwW.eXaMpLe.CoM"), code(0, answers=True)),
    ("ptr", query("14.215.184.93.in-addr.arpa", 12), code(0, 3, 4, 5, answers=False)),
    ("txt", query("never-txt.test", 16), code(0, 3, 4, 5, answers=False)), ("txt-allowed", query("www.example.com", 16), code(0, 3, 4, 5, answers=False)),
    ("any", query("never-any.test", 255), code(0, 4, 5, answers=False)), ("https-record", query("www.example.com", 65), code(0, 3, 4, 5, answers=False)),
    ("axfr", query("example.com", 252), code(0, 4, 5, answers=False)), ("chaos", query("version.bind", 16, qclass=3), code(0, 1, 4, 5, answers=False)),
    ("two-questions", query("www.example.com", count=2), code(1, 4, 5, answers=False)), ("no-question", query("", count=0)[:12], code(1, 4, 5)),
    ("opcode", query("www.example.com", flags=0x2800), code(1, 4, 5)), ("half", query("www.example.com")[:20], code(1)),
    ("pointer", b"\x12\x34\1\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1", code(1)), ("pointer-forward", b"\x12\x34\1\0\0\1\0\0\0\0\0\0\x03www\xc0\xff\0\1\0\1", code(1)),
    ("label-64", b"\x12\x34\1\0\0\1\0\0\0\0\0\0\x40" + b"a" * 64 + b"\0\0\1\0\1", code(1, 4, 5)),
    ("root", query("."), code(0, 1, 3, 5, answers=False)), ("nul-label", query("www\0.example.com"), code(1, 3, 5, answers=False)),
    ("edns", query("www.example.com")[:10] + b"\0\1" + query("www.example.com")[12:] + b"\0\0\x29\x10\0\0\0\0\0\0\0", code(0, answers=True)),
    ("address-name", query("127.0.0.1"), code(0, 1, 3, 5)), ("localhost", query("localhost"), code(0, 3, 5)),
]:
    Row("stub-" + name, STUB, [data, AT_ONCE, ], want)
    Row("stub-tcp-" + name, ["127.0.0.1", 53], [struct.pack(">H", len(data)) + data, ("read", 2), ("until", ".{12}"), ],
        lambda g, want=want: want(type("G", (), {"all": g.parts[1] if len(g.parts) > 1 else b"", "end": g.end})))
Row("stub-response", STUB, [query("www.example.com", flags=0x8180), query("www.example.com"), AT_ONCE], code(0))
Row("stub-short", STUB, [b"\x12", b"\x12\x34\1", query("www.example.com"), AT_ONCE], code(0))
Row("stub-huge", STUB, [query("www.example.com") + b"\0" * 5000, query("www.example.com"), AT_ONCE], code(0, 1))
Row("stub-tcp-lies", ["127.0.0.1", 53], [b"\xff\xff" + query("www.example.com"), ("eof",), REST], closed)
Row("stub-tcp-two", ["127.0.0.1", 53], [(lambda q: struct.pack(">H", len(q)) + q)(query("www.example.com")) * 2, ("read", 2), ("until", ".{12}"),
                                        ("until", "\x12\x34.{10}")], alive)

# ---- slow ones ------------------------------------------------------------------------------------------------------------------

Row("slow-nothing", "http", [REST], closed)
Row("slow-half-a-head", "http", [b"GET http://www.example.com/?TAG HT", REST], every(closed, unseen))
Row("slow-half-a-field", "http", [b"GET http://www.example.com/?TAG HTTP/1.1\r\nHost: www.exam", REST], every(closed, unseen))
Row("slow-drip", "http", [("drip", ask()), REST], ok(seen=1))
Row("gone-half-a-head", "http", [b"GET http://www.example.com/?TAG HT", ("eof",), REST], every(closed, unseen))
Row("gone-at-once", "http", [("reset",)], alive)


# ---- running ----------------------------------------------------------------------------------------------------------------------

def drive(s, profile, rows, opts=(), env=()):
    """{name: result} of rows run in one sandbox."""
    text = "".join(json.dumps({"name": r.name, "to": r.to, "steps": r.steps}) + "\n" for r in rows)
    driver = os.path.join(os.path.dirname(os.path.abspath(__file__)), "driver.py")
    r = s.run(["/usr/bin/python3", "-B", driver], profile, opts, env, input=text.encode(), timeout=110)
    results = {}
    for line in r.out.splitlines():
        try:
            result = json.loads(line)
            results[result["name"]] = result
        except ValueError:
            pass
    return results, r


def run(s, rows, report):
    """The slowest first: they wait while the others work."""
    for profile in sorted({r.profile for r in rows}):
        mine = sorted((r for r in rows if r.profile == profile), key=lambda r: not r.name.startswith(("slow-", "socks-silent", "connect-dropped")))
        results, whole = drive(s, profile, mine)
        shown = False
        dead = re.search("(?i)(SCENE.*)?the network is closed.*", whole.errors)
        report.say(f"proxy-lives-{profile}", f"bawn-proxy did not live through these rows: {dead[0]}" if dead else None)
        for row in mine:
            result = results.get(row.name)
            if result is None:
                report.say(row.name, "no result: the driver ended", None if shown else whole)
                shown = True
                continue
            try:
                g = Got(result, row, s)
                why = alive(g) if str(g.end).startswith("fault") else row.want(g)
            except Exception as e:
                why = f"{type(e).__name__}: {e}: {result}"
            report.say(row.name, why)
            if report.verbose and why is None:
                print("        | " + repr(b"".join(map(base64.b64decode, result["got"])))[:200], flush=True)


FORBIDDEN = re.compile(r"never|evil|^wwwexample|badexample|notexample|example\.comm$|^(www\.|x\.exact\.)example\.net$|^example\.org$|localhost|"
                       r"^[0-9a-fx.]+$|^hosts-only|in-addr|ip6\.arpa|version\.bind")
ANY_MAY = ("www.example.net", "pg-local.test.never-searched.test")  # where "*" is allowed
GRANTED = {("10.9.8.7", 8080), ("127.0.0.1", 8000), ("::1", 8000), ("10.1.2.3", 80), ("10.1.2.5", 80)}


def run_invariants(s, report):
    """What must hold of everything that was run."""
    asked = sorted({q[0] for q in s.dns.queries if FORBIDDEN.search(q[0]) and q[0] not in ANY_MAY})
    report.say("invariant-no-query-for-what-is-not-allowed", f"asked for: {asked}" if asked else None)
    kinds = sorted({q[1] for q in s.dns.queries} - {"A", "AAAA"})
    report.say("invariant-only-addresses-are-asked-for", f"asked for: {kinds}" if kinds else None)
    wrong = []
    for address, port in sorted(set(s.internet.connections)):
        a = ipaddress.ip_address(address)
        a = getattr(a, "ipv4_mapped", None) or a
        if (str(a), port) in GRANTED or port in (1081, 3128, 3129, 8888):
            continue
        if not a.is_global or str(a) in (scenery.OWN, scenery.DENIED, "93.184.220.66", "93.184.215.21", "168.63.129.16", "10.1.2.4"):
            wrong.append(f"{address}:{port}")
    report.say("invariant-nothing-else-was-connected-to", f"connected to: {wrong}" if wrong else None)

"""Through curl: both versions of HTTP on both sides, what is refused, what is put in and hidden again."""
import json
import os
import socket
import subprocess

import raw
import world
from raw import PLACEHOLDER, SECRET, credential
from scene import NAME
from world import Rule

PAIRS = [(client, server) for client in ("1.1", "2") for server in ("h1", "h2")]
SPOKEN = {"1.1": "HTTP/1.1", "2": "HTTP/2"}
SERVED = {"h1": "1.1", "h2": "2.0"}


def check_sum(data):
    a = 7
    for b in data:
        a = (a * 31 + b) & 0xFFFFFFFF
    return a


def pattern(n):
    block = bytes((i * 31 + (i >> 8)) & 255 for i in range(65536))
    return (block * (n // 65536 + 1))[:n]


def test_get(s):
    i = s.intercept()
    for client, server in PAIRS:
        r = s.get(i, client, server, "/echo?q=1", "-H", "X-Mine: yes")
        got = r.json()
        assert (r.status, r.version) == (200, SPOKEN[client]), r.text
        assert got["version"] == SERVED[server] and got["url"] == "/echo?q=1" and got["method"] == "GET", got
        assert got["headers"]["x-mine"] == "yes", got
        host = got["headers"].get("host") or got["headers"][":authority"]
        assert host == f"{NAME}:{s.servers[server].port}", got
    i.wait(lambda: len(i.events) == 4)
    assert all(e.decision == "allow" and e.method == "GET" and e.host == NAME for e in i.events), i.events


def test_post_with_length_and_chunked(s):
    i = s.intercept()
    data = pattern(300000)
    path = f"{s.directory}/upload"
    with open(path, "wb") as f:
        f.write(data)
    for client, server in PAIRS:
        for more in ([], ["-H", "Transfer-Encoding: chunked"] if client == "1.1" else ["-H", "Content-Length:"]):
            r = s.get(i, client, server, "/echo", "--data-binary", f"@{path}", *more)
            assert r.json()["length"] == len(data) and r.json()["sum"] == check_sum(data), (client, server, r.body)


def test_expect_continue(s):
    i = s.intercept()
    for server in ("h1", "h2"):
        r = s.get(i, "1.1", server, "/echo", "-H", "Expect: 100-continue", "--expect100-timeout", "15", "-d", "abc")
        assert r.json()["length"] == 3
        assert b"HTTP/1.1 100 Continue" in r.text


def test_large_download(s):
    i = s.intercept()
    n = 20 * 1000 * 1000
    for client, server in PAIRS:
        r = s.get(i, client, server, f"/big?n={n}")
        assert r.body == pattern(n), (client, server, len(r.body))


def test_streams_as_they_come(s):
    i = s.intercept()
    for client, server in PAIRS:
        assert s.get(i, client, server, "/drip").body == b"".join(b"drip %d\n" % k for k in range(5))


def test_head_and_answers_without_body(s):
    i = s.intercept()
    for client, server in PAIRS:
        r = s.get(i, client, server, "/length", "-I")
        assert r.status == 200 and r.get("content-length") == "5" and r.body == b"", r.text
        assert s.get(i, client, server, "/empty").status == 204
        r = s.get(i, client, server, "/not-modified")
        assert r.status == 304 and r.get("etag") == '"x"', r.text
        assert s.get(i, client, server, "/nothing-here").status == 404
        r = s.get(i, client, server, "/length")
        assert r.get("content-length") == "5" and r.body == b"hello", r.text


def test_http_1_0(s):
    i = s.intercept()
    for server in ("h1", "h2"):
        r = s.get(i, "1.0", server, "/drip")
        assert r.body.count(b"drip") == 5 and r.get("transfer-encoding") is None, r.text


def test_early_hints(s):
    i = s.intercept()
    for client, server in PAIRS:
        r = s.get(i, client, server, "/hints")
        assert b" 103 " in r.text.split(b"hinted")[0] and b"rel=preload" in r.text and r.body == b"hinted", r.text


def test_trailers_of_http2(s):
    i = s.intercept()
    r = s.get(i, "2", "h2", "/trailers")
    assert b"x-trailer: here" in r.text and b"with trailers" in r.text, r.text
    assert s.get(i, "1.1", "h2", "/trailers").body == b"with trailers"


def test_marks_of_servers_are_taken_out(s):
    i = s.intercept()
    for client, server in PAIRS:
        r = s.get(i, client, server, "/marked")
        assert r.body == b"marked" and r.get("x-proxy-error") is None and r.get("alt-svc") is None, r.text


def test_keep_alive(s):
    """Ten requests of one client come over one connection to the server."""
    i = s.intercept()
    for client, server in PAIRS:
        s.seen(server)
        s.curl(i, f"--http{client}", *[s.url(server, f"/echo?{k}") for k in range(10)])
        seen = s.seen(server)
        assert len(seen) == 10 and len({x["connection"] for x in seen}) == 1, seen


def test_many_at_once(s):
    """HTTP/2 streams that are answered at one time, also by a server that takes one request a connection."""
    i = s.intercept()
    for server in ("h1", "h2"):
        urls = []
        for k in range(40):
            urls += ["-o", f"{s.directory}/out{k}", s.url(server, f"/big?n={50000 + k}")]
        r = subprocess.run(["curl", "-q", "-sS", "--http2", "-Z", "--parallel-max", "40", "--max-time", "20",
                            "-x", f"http://127.0.0.1:{i.port}", "--cacert", i.ca, *urls],
                           capture_output=True, check=False)
        assert r.returncode == 0, r.stderr
        for k in range(40):
            with open(f"{s.directory}/out{k}", "rb") as f:
                assert f.read() == pattern(50000 + k), (server, k)


def test_ways_of_handing_over(s):
    """Without addresses to dial, without a connection, with bytes that were read before."""
    for more in ({"addresses": False}, {"connected": False}, {"first": True}):
        i = s.intercept(**more)
        for client, server in PAIRS:
            # where no other connection can be made, an HTTP/1 client gets a server that can do WebSockets
            if (client, server) != ("1.1", "h2") or more.get("addresses", True):
                assert s.get(i, client, server, "/echo").status == 200, more


def test_a_server_that_ends_idle_connections(s):
    for i, client in [(s.intercept(addresses=a), client) for a in (True, False) for client in ("1.1", "2")]:
        r = s.curl(i, f"--http{client}", "--rate", "10/s", s.url("h1", "/tired"), s.url("h1", "/tired"),
                   s.url("h1", "/tired"))
        assert r.text.count(b"tired") == 3, r.text


def test_client_speaks_nothing_but_http2_to_a_server_of_both(s):
    i = s.intercept()
    for client in ("1.1", "2"):
        assert s.get(i, client, "both", "/echo").json()["version"] == "2.0"


def test_answers_that_break_off(s):
    i = s.intercept()
    for client, server in PAIRS:
        s.breaks(i, client, s.url(server, "/hang-up"))
        r = s.get(i, client, server, "/reset")
        assert r.status == 502 and r.json()["reason"] == "upstream_failed", r.text
        assert s.get(i, client, server, "/echo").status == 200


def test_answered_before_the_body_is_whole(s):
    i = s.intercept()
    path = f"{s.directory}/upload"
    with open(path, "wb") as f:
        f.write(pattern(3000000))
    for client, server in PAIRS:
        r = s.get(i, client, server, "/no-thanks", "-H", "Expect:", "--data-binary", f"@{path}")
        assert r.status == 413 and r.body == b"no, thanks", r.text


# ---- certificates ----

def test_leaf(s):
    i = s.intercept()
    t = i.dial(NAME, s.servers["h1"].port)
    with open(f"{s.directory}/leaf.der", "wb") as f:
        f.write(t.getpeercert(True))
    t.close()
    show = ["openssl", "x509", "-noout", "-text"]
    leaf = subprocess.run([*show, "-inform", "DER", "-in", f"{s.directory}/leaf.der"], capture_output=True, text=True,
                          check=True).stdout
    ca = subprocess.run([*show, "-in", i.ca], capture_output=True, text=True, check=True).stdout
    assert f"DNS:{NAME}" in leaf and "prime256v1" in leaf and "CA:FALSE" in leaf, leaf
    assert "TLS Web Server Authentication" in leaf and "Digital Signature" in leaf, leaf
    assert "CA:TRUE, pathlen:0" in ca and "Certificate Sign, CRL Sign" in ca and "prime256v1" in ca, ca

    def key_id(text, what):
        return text.split(f"X509v3 {what} Key Identifier:")[1].split("\n")[1].strip().removeprefix("keyid:")

    assert key_id(leaf, "Authority") == key_id(ca, "Subject") != key_id(leaf, "Subject")

    def ends(argv):
        out = subprocess.run(["openssl", "x509", "-noout", "-checkend", *argv], capture_output=True, check=False)
        return out.returncode != 0

    assert ends(["86400", "-inform", "DER", "-in", f"{s.directory}/leaf.der"]), "it holds for more than a day"
    assert not ends(["3600", "-inform", "DER", "-in", f"{s.directory}/leaf.der"])
    r = subprocess.run(["openssl", "verify", "-x509_strict", "-CAfile", i.ca], capture_output=True, text=True,
                       input=subprocess.run(["openssl", "x509", "-inform", "DER", "-in", f"{s.directory}/leaf.der"],
                                            capture_output=True, text=True, check=True).stdout, check=False)
    assert r.returncode == 0, r.stderr


def test_each_run_has_a_ca_of_its_own(s):
    a, b = s.intercept(), s.intercept()
    assert a.pem != b.pem
    r = s.get(a, "1.1", "h1", "/echo", fails=True, cacert=s.certificates.ca)
    assert r.returncode == 60, r.stderr


def test_servers_are_verified(s):
    """Another CA, another name, out of time: no request leaves."""
    make = s.certificates.make
    other = f"{s.directory}/other"
    os.mkdir(other)
    for what, pair in (("another name", make("name", "DNS:wrong.example.test")),
                       ("expired", make("old", f"DNS:{NAME}", "-days", "-1")),
                       ("another CA", world.Certificates(other).make("x", f"DNS:{NAME}")),
                       ("a star in a part of a name", make("part", "DNS:*i.example.test"))):
        server = raw.TlsServer(pair, lambda c: c.recv(65536))
        s.things.append(server)
        for version in ("1.1", "2"):
            i = s.intercept()
            r = s.curl(i, f"--http{version}", f"https://{NAME}:{server.port}/")
            assert r.status == 502 and "handshake failed" in r.json()["message"], (what, r.text)
        assert not server.got, (what, server.got)


def test_addresses_as_hosts(s):
    """An address has no SNI; the certificate must have it all the same."""
    i = s.intercept()
    for client, server in PAIRS:
        r = s.curl(i, f"--http{client}", f"https://127.0.0.1:{s.servers[server].port}/echo")
        assert r.status == 200, r.text


# ---- names agree ----

def test_sni_host_and_target_agree(s):
    i = s.intercept()
    port = s.servers["h1"].port
    for client, server in PAIRS:
        r = s.get(i, client, server, "/echo", "-H", f"Host: other.example.test:{s.servers[server].port}")
        assert r.status == 400 and r.json()["reason"] == "host_mismatch", r.text
        r = s.get(i, client, server, "/echo", "-H", f"Host: {NAME}:1")
        assert r.status == 400 and r.json()["reason"] == "host_mismatch", r.text
        assert s.seen(server) == []
    i.wait(lambda: len(i.events) == 8)
    assert all((e.decision, e.reason) == ("deny", "NET_OTHER_HOST") for e in i.events), i.events
    r = s.curl(i, "--connect-to", f"other.example.test:{port}:{NAME}:{port}", f"https://other.example.test:{port}/",
               fails=True)
    assert b"unrecognized name" in r.stderr, r.stderr
    i.wait(lambda: len(i.events) == 9)
    assert i.events[-1].reason == "NET_OTHER_HOST" and i.events[-1].host == NAME, i.events


# ---- what is refused ----

def test_limited(s):
    i = s.intercept(limited=True, message="ask Ann")
    for client, server in PAIRS:
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            r = s.get(i, client, server, "/echo", "-X", method, "-d", "x=1")
            assert r.status == 403 and r.get("x-proxy-error") == "blocked-by-method-policy", r.text
            got = r.json()
            assert got["reason"] == "method_not_allowed" and got["decision"] == "deny" and got["status"] == 403, got
            assert got["host"] == NAME and got["port"] == s.servers[server].port and got["protocol"] == "https", got
            assert "ask Ann" in got["message"] and "mode" in got["hint"], got
        for method in ("GET", "OPTIONS"):
            assert s.get(i, client, server, "/echo", "-X", method).json()["method"] == method
        assert s.get(i, client, server, "/length", "-I").status == 200
        r = s.get(i, client, server, "/echo", "-H", "X-HTTP-Method-Override: DELETE")
        assert r.status == 403 and r.get("x-proxy-error") == "blocked-by-method-policy", r.text
        assert {x["method"] for x in s.seen(server)} == {"GET", "OPTIONS", "HEAD"}
    i.wait(lambda: len(i.events) == 4 * 8)
    assert sum(e.reason == "NET_METHOD" for e in i.events) == 4 * 5, i.events


def test_a_refused_request_does_not_end_the_others(s):
    i = s.intercept(limited=True)
    for client, server in PAIRS:
        r = s.curl(i, f"--http{client}", "-X", "DELETE", s.url(server, "/echo"), "--next", "-q", "-sS", "-i",
                   "--max-time", "20", "--suppress-connect-headers", "-x", f"http://127.0.0.1:{i.port}", "--cacert", i.ca,
                   f"--http{client}", s.url(server, "/echo"))
        assert r.status == 403 and b'"method":"GET"' in r.body, r.text


RULES = [Rule(NAME, "deny", path="/echo/secret**", line=7), Rule(NAME, "allow", ["GET", "POST"], "/echo**", line=9),
         Rule("**.elsewhere.test", "deny", line=11)]


def test_rules_for_requests(s):
    i = s.intercept(rules=RULES)
    for client, server in PAIRS:
        for path, argv, rule in (("/echo", ["-X", "DELETE"], None), ("/other", [], None), ("/echo/secret/x", [], 7),
                                 ("/echo/%73ecret", [], 7), ("/echo/x%2f..%2fsecret", [], None),
                                 ("/echo/../echo", [], None), ("/echo/./x", [], None), ("/echo/%2e%2e/x", [], None),
                                 ("/echo//x", [], None), ("/echo%00", [], None), ("/echo%5cx", [], None),
                                 ("/echo/..;/x", [], None), ("/echo%zz", [], None)):
            r = s.get(i, client, server, path, *argv)
            assert r.status == 403 and r.get("x-proxy-error") == "blocked-by-mitm-hook", (path, r.text)
            got = r.json()
            assert got["reason"] == "request_not_allowed", got
            assert rule is None or f"/home/x/config.toml:{rule}" in got["rule"], got
        assert s.seen(server) == []
        assert s.get(i, client, server, "/echo?/echo/secret").status == 200
        assert s.get(i, client, server, "/echo", "-d", "x").json()["length"] == 1
        assert s.get(i, client, server, "/echo/%7Ex").status == 404
        s.seen(server)
        r = s.curl(i, f"--http{client}", s.url(server, "/length", "other.example.test"))
        assert r.status == 200, "a host that no rule names"
        s.seen(server)
    i.wait(lambda: len(i.events) == 4 * 17)
    denied = [e for e in i.events if e.decision == "deny"]
    assert len(denied) == 4 * 13 and all(e.reason == "NET_REQUEST" for e in denied), denied
    assert sum(e.rule == 0 for e in denied) == 4 * 2 and sum(e.rule == 1 for e in i.events) == 4 * 3, i.events


# ---- credentials ----

def test_secret_is_put_in(s):
    i = s.intercept(credentials=[credential()])
    for client, server in PAIRS:
        for argv in ([], ["-H", f"Authorization: Bearer {PLACEHOLDER}"], ["-H", f"authorization: token {PLACEHOLDER}"],
                     ["-u", f"x:{PLACEHOLDER}"]):
            s.get(i, client, server, "/length", *argv)
            seen = s.seen(server)
            assert seen[0]["headers"]["authorization"] == f"Bearer {SECRET}", (client, server, argv, seen)
            assert seen[0]["headers"]["accept-encoding"] == "identity", seen
        s.get(i, client, server, "/length", "-H", "Authorization: Bearer mine", "-H", "Range: bytes=0-1", "--compressed")
        seen = s.seen(server)[0]["headers"]
        assert seen["authorization"] == "Bearer mine" and "range" not in seen, seen
        assert seen["accept-encoding"] == "identity", seen
    assert SECRET.encode() not in i.raw


def test_secret_goes_nowhere_else(s):
    i = s.intercept(credentials=[credential()])
    for client, server in PAIRS:
        other = s.url(server, "/echo", "other.example.test")
        got = s.curl(i, f"--http{client}", "-H", f"Authorization: Bearer {PLACEHOLDER}", other).json()
        assert got["headers"]["authorization"] == f"Bearer {PLACEHOLDER}", got
        # a redirect to another host, with and without the header sent along
        for trust in (["-L"], ["--location-trusted", "-H", f"Authorization: Bearer {PLACEHOLDER}"]):
            s.seen(server)
            s.get(i, client, server, "/redirect", "-H", f"X-To: {other}", *trust)
            seen = s.seen(server)
            assert len(seen) == 2 and seen[0]["headers"]["authorization"] == f"Bearer {SECRET}", seen
            assert SECRET not in json.dumps(seen[1]), seen


def test_secret_is_not_sent_unverified(s):
    server = raw.TlsServer(s.certificates.make("fake", "DNS:wrong.example.test"), lambda c: c.recv(65536))
    s.things.append(server)
    i = s.intercept(credentials=[credential()])
    assert s.curl(i, f"https://{NAME}:{server.port}/").status == 502
    assert SECRET.encode() not in b"".join(server.got)


def test_echo_is_hidden(s):
    i = s.intercept(credentials=[credential()])
    for client, server in PAIRS:
        for path in ("/reflect", "/reflect-whole", "/echo"):
            r = s.get(i, client, server, path)
            assert SECRET.encode() not in r.text, r.text
            assert PLACEHOLDER.encode() in r.body, r.text
        assert s.get(i, client, server, "/reflect").get("x-reflect") == f"<Bearer {PLACEHOLDER}>"


def test_coded_answers_are_refused(s):
    i = s.intercept(credentials=[credential()])
    for client, server in PAIRS:
        r = s.get(i, client, server, "/gzip")
        assert r.status == 502 and r.json()["reason"] == "coded_response", r.text
        r = s.curl(i, f"--http{client}", "--compressed", s.url(server, "/gzip", "other.example.test"))
        assert r.status == 200 and r.body == b"<undefined>", r.text


def test_another_header_and_format(s):
    i = s.intercept(credentials=[credential(header="x-api-key", before="key=", after=";v=1")])
    for client, server in PAIRS:
        got = s.get(i, client, server, "/echo", "-H", "Authorization: Bearer own")
        assert f"key={PLACEHOLDER};v=1" in got.text.decode(), got.text
        assert s.seen(server)[0]["headers"]["x-api-key"] == f"key={SECRET};v=1"


# ---- the process ----

def test_nobody_looks_into_it(s):
    i = s.intercept(credentials=[credential()])
    proc = f"/proc/{i.process.pid}"
    s.get(i, "1.1", "h1", "/length")

    def read(name):
        with open(f"{proc}/{name}", "rb") as f:
            return f.read()

    for name in ("cmdline", "environ") if os.getuid() == 0 else ("cmdline",):
        assert SECRET.encode() not in read(name)
    core = [x for x in read("limits").decode().split("\n") if x.startswith("Max core file size")] \
        if os.getuid() == 0 else ["Max core file size 0 0"]
    assert core[0].split()[4] == "0", core
    with open(s.program, "rb") as f:
        if b"__asan_init" in f.read():
            return  # not confined: the sanitizers need what is given up
    status = read("status").decode()
    assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status, status
    assert "CapEff:\t0000000000000000" in status and "CapPrm:\t0000000000000000" in status, status
    # not dumpable: its files in /proc are root's, and nobody attaches
    assert os.stat(f"{proc}/mem").st_uid == 0


def test_it_ends_with_the_launcher(s):
    i = s.intercept()
    s.get(i, "1.1", "h1", "/length")
    s.running.remove(i)
    i.control.shutdown(socket.SHUT_RDWR)
    assert i.process.wait(10) == 0
    i.close()


def test_ends_are_told(s):
    """Of a connection that is closed, and of one that is open when the command is gone; where they are wanted."""
    for wanted in (True, False):
        i = s.intercept(ends=wanted)
        port = s.servers["h1"].port
        with i.dial(NAME, port), i.dial(NAME, port) as second:
            second.close()
            if wanted:
                i.wait(lambda: len(i.ends) == 1)
            s.running.remove(i)
            assert i.close() == 0
        i.wait(lambda: i.finished)
        assert len(i.ends) == (2 if wanted else 0), i.ends
        assert all(e.decision == "allow" and e.host == NAME and e.port == port and not e.failed for e in i.ends), i.ends

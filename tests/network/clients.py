"""Real clients, unmodified: what people's tools do when they know nothing but the proxy variables, and what they
do when they know nothing at all (`bare` rows: no proxy variable is left, so the connection is redirected).

A row is a script for bash that runs inside. {t}, {ca}, {web} and so on are filled in.
"""
import hashlib
import os
import re
import shutil

import servers

BARE = "for v in $(compgen -e | grep -iE 'proxy|^GIT_SSH|^JAVA_TOOL'); do unset $v; done\n"
ROWS = []


class Row:
    """out: a pattern that standard output matches; not_out, err likewise. tools: programs it takes.
    services: programs of the scene. direct: the script also makes sense with no bawn round it.
    check: called with (scene, result), returns a complaint or None."""

    def __init__(self, name, script, out=None, status=0, err=None, not_out=None, tools=(), services=(), profile="net",
                 env=(), opts=(), bare=False, direct=True, check=None, timeout=60):
        self.__dict__.update({k: v for k, v in locals().items() if k != "self"})
        if profile == "looked-into":
            self.env = {"FORGE_TOKEN": "the-real-secret", **dict(env)}
        if bare:
            self.script = BARE + script
        ROWS.append(self)

    def run(self, scene):
        for s in self.services:
            scene.service(s)
        script = self.script
        for k, v in {"t": scene.t, "ca": scene.ca, "here": os.path.dirname(os.path.abspath(__file__))}.items():
            script = script.replace("{%s}" % k, v)
        r = scene.run(script, self.profile, self.opts, self.env, timeout=self.timeout, cwd=scene.directory())
        return self.judge(scene, r), r

    def judge(self, scene, r):
        if self.status is not None and r.status != self.status:
            return f"status {r.status}, not {self.status}"
        for pattern, text, what in ((self.out, r.text, "output"), (self.err, r.errors, "errors")):
            if pattern and not re.search(pattern, text, re.S):
                return f"no {pattern!r} in the {what}"
        if self.not_out and re.search(self.not_out, r.text + r.errors):
            return f"{self.not_out!r} in the output"
        return self.check(scene, r) if self.check else None


def has(tool):
    return shutil.which(tool, path="/usr/local/bin:/usr/bin:/bin:/usr/sbin")


# ---- curl and wget ------------------------------------------------------------------------------

Row("curl-http", "curl -sS http://www.example.com/hello", r"^hello www\.example\.com at 93\.184\.215\.14\n$")
Row("curl-https", "curl -sS https://www.example.com/hello", r"^hello www\.example\.com at ")
Row("curl-port", "curl -sS http://ported.example.net:8080/hello", "^hello ported.example.net:8080 at ")
Row("curl-https-port", "curl -sS https://www.example.com:8443/hello", "^hello www.example.com:8443 at ")
Row("curl-ipv6-name", "curl -sS http://v6.example.com/hello", "at 2606:2800::14")
Row("curl-ipv4-literal", "curl -sS http://93.184.215.20/hello", "at 93.184.215.20")
Row("curl-ipv6-literal", "curl -sS 'http://[2606:2800::20]/hello'", r"^hello \[2606:2800::20\] at 2606:2800::20")
Row("curl-range-literal", "curl -sS http://93.184.220.9/hello", "at 93.184.220.9")
Row("curl-private-literal-granted", "curl -sS http://10.9.8.7:8080/hello", "at 10.9.8.7")
Row("curl-host-loopback", "curl -sS --noproxy '' -x $HTTP_PROXY http://localhost:8000/hello", "at (127.0.0.1|::1)", direct=False)
Row("curl-upper-case", "curl -sS http://WWW.EXAMPLE.COM/hello", "at 93.184.215.14")
Row("curl-last-dot", "curl -sS http://www.example.com./hello", "at 93.184.215.14")
Row("curl-alabel", "curl -sS http://xn--bcher-kva.example.com/hello", "at 93.184.215.14")
Row("curl-unicode", "curl -sS 'http://bücher.example.com/hello'", "^hello xn--bcher-kva.example.com at ")
Row("curl-underscore", "curl -sS http://under_score.example.com/hello", "at 93.184.215.14")
Row("curl-post", "head -c 100000 /dev/zero | curl -sS --data-binary @- http://www.example.com/echo",
    '"method": "POST".*"length": 100000')
Row("curl-put-chunked", "head -c 300000 /dev/zero | curl -sS -T - http://www.example.com/echo", '"length": 300000')
Row("curl-put-chunked-forwarded", "echo abc | curl -sS -H 'Transfer-Encoding: chunked' -d @- http://www.example.com/echo",
    '"transfer-encoding", "chunked".*"length": 3')
Row("curl-expect", "head -c 2000000 /dev/zero | curl -sS -H 'Expect: 100-continue' --data-binary @- http://www.example.com/echo",
    '"length": 2000000')
Row("curl-expect-refused", "head -c 2000000 /dev/zero | curl -sS -H 'Expect: 100-continue' --data-binary @- "
    "http://www.example.com/refuse -w '%{http_code}'", "refused\n417")
Row("curl-head", "curl -sSI http://www.example.com/hello", r"^HTTP/1.1 200 .*(?i:content-length): \d+")
Row("curl-options", "curl -sS -X OPTIONS http://www.example.com/echo", '"method": "OPTIONS"')
Row("curl-odd-method", "curl -sS -X BREW http://www.example.com/echo", '"method": "BREW"')
Row("curl-query", "curl -sS 'http://www.example.com/echo?a=%2f..%2f&b=c+d'", r'"target": "/echo\?a=%2f\.\.%2f&b=c\+d"')
Row("curl-dots", "curl -sS --path-as-is 'http://www.example.com/x/../echo/%2e'", "no such page")
Row("curl-fields", "curl -sS -H 'X-A: b' -H 'Connection: x-a' -H 'X-C: d' http://www.example.com/echo",
    '"x-c", "d"', not_out='"x-a"', direct=False)
Row("curl-no-proxy-fields", "curl -sS -H 'Proxy-Authorization: Basic eDp5' -H 'Proxy-Connection: keep-alive' "
    "http://www.example.com/echo", '"host": "www', not_out="(?i)proxy-", direct=False)
Row("curl-origin-form", "curl -sS http://www.example.com/echo", '"target": "/echo", "version": "HTTP/1.1"')
Row("curl-big", "curl -sS 'http://www.example.com/big?n=50000000' | sha256sum",
    hashlib.sha256(servers.pattern(50000000)).hexdigest())
Row("curl-big-https", "curl -sS 'https://www.example.com/big?n=50000000' | wc -c", "^50000000$")
Row("curl-chunked", "curl -sS 'http://www.example.com/chunked?n=3000000' | wc -c", "^3000000$")
Row("curl-trailer", "curl -sS 'http://www.example.com/chunked?n=1000&trailer=1' | wc -c", "^1000$")
Row("curl-until-close", "curl -sS 'http://www.example.com/until-close?n=3000000' | wc -c", "^3000000$")
Row("curl-slow", "curl -sSN http://www.example.com/slow | tail -1", "tick 19")
Row("curl-http10-server", "curl -sS http://www.example.com/http10", "^old$")
Row("curl-http10-client", "curl -sS -0 http://www.example.com/chunked?n=3000 | wc -c", "^3000$")
Row("curl-no-content", "curl -sS -o /dev/null -w '%{http_code}' http://www.example.com/no-content", "^204$")
Row("curl-not-modified", "curl -sS -o /dev/null -w '%{http_code}' http://www.example.com/not-modified", "^304$")
Row("curl-early-hints", "curl -sS http://www.example.com/hints", "^ok$")
Row("curl-redirect", "curl -sSL 'http://www.example.com/redirect?to=http://www.example.org/hello'", "hello www.example.org")
Row("curl-redirect-refused", "curl -sSL -w '%{http_code}' 'http://www.example.com/redirect?to=http://never.test/'",
    "403$", direct=False)
Row("curl-keep-alive", "curl -sS http://www.example.com/echo http://www.example.com/echo http://www.example.com/chunked?n=9 "
    "http://www.example.com/hello -v", "hello www", err="(?i)re-?using.*re-?using.*re-?using")
Row("curl-parallel", "curl -sSZ --parallel-max 30 'http://www.example.com/hello?[1-120]' | wc -l", "^120$")
Row("curl-cname", "curl -sS http://chain.example.com/hello", "hello chain.example.com at 93.184.215.14")
Row("curl-truncated", "curl -sS http://truncated.example.com/hello", "at 93.184.215.14")
Row("curl-many-addresses", "curl -sS http://many.example.com/hello", "at 93.184.216.")
Row("curl-second-address", "curl -sS http://dead-then-live.example.com/hello", "at 93.184.215.14")
Row("curl-half-dns", "curl -sS -m 20 http://half.example.com/hello -w '%{http_code}'", "at 93.184.215.14|502|504", direct=False)
Row("curl-reset", "curl -sS http://www.example.com/reset -o /dev/null", status=None, err=r"curl: \((18|56)\)")
Row("curl-short", "curl -sS http://www.example.com/short -o /dev/null", status=None, err=r"curl: \((18|56)\)")
Row("curl-short-chunk", "curl -sS http://www.example.com/short-chunk -o /dev/null", status=None, err=r"curl: \((18|56)\)")
Row("curl-closed-port", "curl -sS -o /dev/null -w '%{http_code}' http://closed.example.com:81/", "502", direct=False)
Row("curl-unreachable", "curl -sS -o /dev/null -w '%{http_code}' http://gone.example.com/", "502", direct=False)
Row("curl-socks5h", "curl -sS -x $ALL_PROXY http://www.example.com/hello", "at 93.184.215.14", direct=False)
Row("curl-socks5h-https", "curl -sS -x $ALL_PROXY https://www.example.com/hello", "at 93.184.215.14", direct=False)
Row("curl-socks5-literal", "curl -sS -x ${ALL_PROXY/socks5h/socks5} http://93.184.215.20/hello", "at 93.184.215.20", direct=False)
Row("curl-socks5-own-dns", "curl -sS -x ${ALL_PROXY/socks5h/socks5} http://v4.example.com/hello", "at 93.184.215.14", direct=False)
Row("curl-proxytunnel", "curl -sS -p http://www.example.com/hello", "at 93.184.215.14", direct=False)
Row("curl-refused", "curl -sS -i http://never.test/hello", r"^HTTP/1.1 403 .*(?i:x-proxy-error): blocked-by-allowlist\r\n"
    r".*\{.*\"never\.test\".*ask the people of the scene", direct=False)
Row("curl-refused-deny", "curl -sS -i http://evil.example.com/hello", "^HTTP/1.1 403 .*blocked-by-denylist", direct=False)
Row("curl-refused-https", "curl -sS https://never.test/", status=56, err="403", direct=False)
Row("curl-refused-https-says", "curl -sS -v https://never.test/", status=56,
    err="(?i)< x-proxy-error: blocked-by-allowlist", direct=False)
Row("curl-refused-socks", "curl -sS -x $ALL_PROXY http://never.test/", status=97, err="curl", direct=False)
Row("curl-no-direct-way", BARE + "curl -sS -m 20 http://93.184.215.21/", status=None, not_out="hello", direct=False)
Row("wget-http", "wget -qO- http://www.example.com/hello", "hello www.example.com", tools=["wget"])
Row("wget-https", "wget -qO- https://www.example.com/hello", "hello www.example.com", tools=["wget"])
Row("wget-refused", "wget -O- http://never.test/", status=8, err="403", tools=["wget"], direct=False)
Row("wget-recursive-redirect", "wget -qO- 'http://www.example.com/redirect?to=/hello'", "hello www", tools=["wget"])

# ---- inside: the command's own servers -----------------------------------------------------------

Row("own-server", """python3 -m http.server 18080 --bind 127.0.0.1 >/dev/null 2>&1 & server=$!
echo mine > page; for i in $(seq 400); do curl -s -o /dev/null http://localhost:18080/page && break; read -rt 0.02 <> <(:); done
curl -sS http://localhost:18080/page; curl -sS http://127.0.0.1:18080/page; kill $server""", "^mine\nmine\n$", profile="sockets")
Row("environment", "env", r"(?s)(?=.*\bHTTP_PROXY=http://)(?=.*\bhttp_proxy=http://)(?=.*\bHTTPS_PROXY=http://)"
    r"(?=.*\bhttps_proxy=)(?=.*\bALL_PROXY=socks5h://)(?=.*\ball_proxy=)(?=.*\bFTP_PROXY=)(?=.*\bWS_PROXY=)(?=.*\bWSS_PROXY=)"
    r"(?=.*\bnpm_config_proxy=|.*\bNPM_CONFIG_PROXY=)(?=.*\bYARN_HTTP)(?=.*\bPIP_PROXY=)(?=.*\bBUNDLE_HTTP)(?=.*\bDOCKER_HTTP)"
    r"(?=.*(?i:grpc_proxy)=)(?=.*\bRSYNC_PROXY=)(?=.*\bCLOUDSDK_PROXY)(?=.*\bJAVA_TOOL_OPTIONS=.*proxyHost)"
    r"(?=.*\bNODE_USE_ENV_PROXY=1)(?=.*\bELECTRON_GET_USE_PROXY=)(?=.*\bGIT_SSH_COMMAND=)"
    r"(?=.*\bBAWN_NETWORK_PROXY_ACTIVE=1)", direct=False)
Row("no-proxy-is-loopback", "echo \"$NO_PROXY\"; echo \"$no_proxy\"", r"^(localhost,127\.0\.0\.1,::1\n){2}$", profile="sockets",
    env={"NO_PROXY": "example.com"}, direct=False)
# Where a rule allows the host's own loopback, that is what the proxy is asked for.
Row("no-proxy-is-empty", "echo \"<$NO_PROXY$no_proxy>\"", "^<>$", env={"NO_PROXY": "example.com"}, direct=False)
Row("only-loopback", "cat /proc/net/dev | grep -c :", "^ *1$", direct=False)

# ---- git -----------------------------------------------------------------------------------------

Row("git-https-clone", "git clone -q https://git.example.com/git/yard.git y && cat y/n && wc -c < y/big", "7\n300000")
Row("git-http-clone", "git clone -q http://git.example.com/git/yard.git y && cat y/n", "7")
Row("git-https-push", """git clone -q https://git.example.com/git/yard.git y; cd y; git checkout -q -b pushed-https
head -c 2000000 /dev/urandom > more; git add more; git commit -qm more; git push -q origin pushed-https
git ls-remote origin pushed-https | wc -l""", "^1$")
Row("git-ssh-clone", "git clone -q git@git.example.com:{t}/files/git/yard.git y && cat y/n", "7", tools=["ssh", "sshd"], services=["ssh"])
Row("git-ssh-push", """git clone -q git@git.example.com:{t}/files/git/yard.git y; cd y; git checkout -q -b pushed-ssh
head -c 2000000 /dev/urandom > more; git add more; git commit -qm more; git push -q origin pushed-ssh
git ls-remote origin pushed-ssh | wc -l""", "^1$", tools=["ssh", "sshd"], services=["ssh"])
Row("git-ssh-bare", "git clone -q git@git.example.com:{t}/files/git/yard.git y && cat y/n", "7", tools=["ssh", "sshd"], services=["ssh"], bare=True)
Row("git-ssh-refused", "git clone -q git@never.test:{t}/files/git/yard.git y", status=128, err="(?i)never.test|allow",
    direct=False)
Row("git-https-refused", "git clone -q https://never.test/git/yard.git y", status=128, err="403", direct=False)

# ---- packages ------------------------------------------------------------------------------------

Row("npm-install", "export npm_config_cache=$PWD/c; echo '{}' > package.json; npm install --registry=http://registry.example.com/npm/ yard >/dev/null "
    "&& node -p 'require(\"yard\").n'", "^7$", tools=["npm", "node"])
Row("npm-install-https", "export npm_config_cache=$PWD/c; echo '{}' > package.json; npm install --registry=https://registry.example.com/npm/ "
    "--cafile={ca} yard >/dev/null && node -p 'require(\"yard\").n'", "^7$", tools=["npm", "node"])
Row("npm-refused", "export npm_config_cache=$PWD/c; echo '{}' > package.json; npm install --fetch-retries=0 --registry=http://never.test/npm/ yard", status=1,
    err="403", tools=["npm", "node"], direct=False)
Row("pip-install", "/usr/bin/python3 -m pip install -q --no-cache-dir --target=here --index-url=https://pypi.example.com/simple/ "
    "yard && PYTHONPATH=here /usr/bin/python3 -c 'import yard; print(yard.N)'", "^7$", tools=["pip3"])
Row("pip-install-http", "/usr/bin/python3 -m pip install -q --no-cache-dir --target=here --trusted-host=pypi.example.com "
    "--index-url=http://pypi.example.com/simple/ yard && PYTHONPATH=here /usr/bin/python3 -c 'import yard; print(yard.N)'",
    "^7$", tools=["pip3"])
Row("cargo-sparse", "curl -sSf https://crates.example.com/sparse/config.json | grep -o 'https.*crates' && "
    "curl -sSf --compressed -H 'If-None-Match: x' https://crates.example.com/sparse/ya/rd/yard | grep -o 1.0.0 && "
    "curl -sSfL https://crates.example.com/files/crates/yard/1.0.0/download | tar -tz", "https.*1.0.0.*yard-1.0.0/src/lib.rs")
Row("cargo-fetch", """export CARGO_HOME=$PWD/home CARGO_HTTP_CAINFO={ca}; mkdir -p src .cargo; echo 'fn main() {}' > src/main.rs
printf '[source.crates-io]\\nreplace-with = "s"\\n[source.s]\\nregistry = "sparse+https://crates.example.com/sparse/"\\n' > .cargo/config.toml
printf '[package]\\nname = "app"\\nversion = "0.1.0"\\nedition = "2021"\\n[dependencies]\\nyard = "1"\\n' > Cargo.toml
{ cargo fetch 2>&1 || RUSTC_BOOTSTRAP=1 cargo -Z sparse-registry fetch 2>&1; } && grep -c yard Cargo.lock""", r"\n\d\n$", tools=["cargo"])

# ---- languages -----------------------------------------------------------------------------------

URLLIB = """
import urllib.request, urllib.error
for u in ("http://www.example.com/hello", "https://www.example.com/hello"):
    print(urllib.request.urlopen(u, timeout=30).read().decode().strip())
print(urllib.request.urlopen(urllib.request.Request("http://www.example.com/echo", data=b"x" * 70000)).read().decode()[:60])
"""
REQUESTS = """
import requests
s = requests.Session()
for u in ("http://www.example.com/hello", "https://www.example.com/hello", "https://www.example.com/chunked?n=70000"):
    r = s.get(u, timeout=30); print(r.status_code, len(r.content), r.text[:20].strip() if "hello" in u else "")
print(s.post("https://api.example.com/echo", json={"a": 1}).json()["length"])
r = s.get("http://www.example.com/redirect?to=https://www.example.com/hello"); print(r.text)
"""
NODE_FETCH = """
(async () => {
  for (const u of ["http://www.example.com/hello", "https://www.example.com/hello"]) console.log((await (await fetch(u)).text()).trim());
  const r = await fetch("http://www.example.com/echo", {method: "POST", body: "x".repeat(70000)});
  console.log((await r.json()).length);
})().catch(e => { console.error(e); process.exit(1); });
"""
NODE_HTTP = """
const http = require("http"), https = require("https");
const get = (m, u) => new Promise((y, n) => m.get(u, r => { let s = ""; r.on("data", d => s += d); r.on("end", () => y(s.trim())); }).on("error", n));
(async () => { console.log(await get(http, "http://www.example.com/hello")); console.log(await get(https, "https://www.example.com/hello")); })();
"""
JAVA = """
import java.net.*; import java.net.http.*; import java.security.*; import java.security.cert.*; import java.io.*; import javax.net.ssl.*;
public class J {
    public static void main(String[] a) throws Exception {
        KeyStore k = KeyStore.getInstance(KeyStore.getDefaultType()); k.load(null, null);
        k.setCertificateEntry("s", CertificateFactory.getInstance("X.509").generateCertificate(new FileInputStream(a[0])));
        TrustManagerFactory t = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm()); t.init(k);
        SSLContext x = SSLContext.getInstance("TLS"); x.init(null, t.getTrustManagers(), null);
        HttpClient c = HttpClient.newBuilder().sslContext(x).build();
        for (String u : new String[] {"http://www.example.com/hello", "https://www.example.com/hello", "https://www.example.com/hello?2"})
            System.out.println(c.send(HttpRequest.newBuilder(URI.create(u)).build(), HttpResponse.BodyHandlers.ofString()).body().trim());
        HttpRequest p = HttpRequest.newBuilder(URI.create("http://www.example.com/echo"))
            .POST(HttpRequest.BodyPublishers.ofString("x".repeat(70000))).build();
        System.out.println(c.send(p, HttpResponse.BodyHandlers.ofString()).body().contains("70000"));
        System.out.println(new String(new URL("http://www.example.com/hello").openStream().readAllBytes()).trim());
    }
}
"""
WEBSOCKET = """
import os, socket, base64, ssl, sys, urllib.parse
secure = sys.argv[1] == "wss"
host, port = "www.example.com", 443 if secure else 80
p = urllib.parse.urlsplit(os.environ.get("http_proxy", ""))
s = socket.create_connection((p.hostname, p.port) if p.hostname else (host, port))
target = "/ws"
if p.hostname and secure:
    s.sendall(b"CONNECT www.example.com:443 HTTP/1.1\\r\\nHost: www.example.com:443\\r\\n\\r\\n")
    b = b""
    while not b.endswith(b"\\r\\n\\r\\n"): b += s.recv(1)
    assert b.split()[1] == b"200", b
elif p.hostname:
    target = "http://www.example.com/ws"
if secure: s = ssl.create_default_context().wrap_socket(s, server_hostname=host)
key = base64.b64encode(os.urandom(16)).decode()
s.sendall(f"GET {target} HTTP/1.1\\r\\nHost: {host}\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n"
          f"Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: {key}\\r\\n\\r\\n".encode())
b = b""
while not b.endswith(b"\\r\\n\\r\\n"): b += s.recv(1)
assert b" 101 " in b, b
for n in (1, 100, 60000):
    frame = b"\\x82\\x7e" + n.to_bytes(2, "big") + b"z" * n
    s.sendall(frame); got = b""
    while len(got) < len(frame): got += s.recv(65536)
    assert got == frame
print("echoed")
"""


def script(interpreter, name, text, args=""):
    return f"cat > {name} <<'END_OF_SCRIPT'\n{text}\nEND_OF_SCRIPT\n{interpreter} {name} {args}"


HELLOS = "hello www.example.com at .*hello www.example.com at "
Row("python-urllib", script("/usr/bin/python3", "u.py", URLLIB), HELLOS + ".*POST")
Row("python-urllib-bare", script("/usr/bin/python3", "u.py", URLLIB), HELLOS + ".*POST", bare=True)
Row("python-requests", script("/usr/bin/python3", "r.py", REQUESTS), "200 .*hello.*200 .*hello.*200 70000.*8\nhello www",
    env={"REQUESTS_CA_BUNDLE": "/etc/ssl/certs/ca-certificates.crt"})
Row("node-fetch-bare", script("node", "f.js", NODE_FETCH), HELLOS + ".*70000", tools=["node"], bare=True)
Row("node-fetch", script("node", "f.js", NODE_FETCH), HELLOS + ".*70000", tools=["node"])
Row("node-http", script("node", "h.js", NODE_HTTP), HELLOS, tools=["node"])
Row("java-httpclient", script("java -XX:TieredStopAtLevel=1 -Xshare:auto", "J.java", JAVA, "{ca}"),
    HELLOS + ".*hello www.*true\nhello www", tools=["java"])
Row("websocket", script("/usr/bin/python3", "ws.py", WEBSOCKET, "ws"), "echoed")
Row("websocket-tls", script("/usr/bin/python3", "ws.py", WEBSOCKET, "wss"), "echoed")
Row("websocket-bare", script("/usr/bin/python3", "ws.py", WEBSOCKET, "ws"), "echoed", bare=True)

# ---- programs that know of no proxy ----------------------------------------------------------------

Row("bare-curl-http", "curl -sS http://www.example.com/hello", "hello www.example.com at", bare=True)
Row("bare-curl-https", "curl -sS https://www.example.com/hello", "hello www.example.com at", bare=True)
Row("bare-curl-big", "curl -sS 'https://www.example.com/big?n=20000000' | wc -c", "^20000000$", bare=True)
Row("bare-literal", "curl -sS http://93.184.215.20/hello", "at 93.184.215.20", bare=True)
Row("bare-literal6", "curl -sS 'http://[2606:2800::20]/hello'", "at 2606:2800::20", bare=True)
Row("bare-port", "curl -sS http://ported.example.net:8080/hello", "hello ported", bare=True)
Row("bare-refused-name", "curl -sS -m 20 http://never.test/hello", status=6, bare=True, direct=False)
Row("bare-refused-literal", "curl -sS -m 20 http://93.184.215.21/hello", status=None, not_out="hello 93", bare=True, direct=False)
Row("bare-refused-port", "curl -sS -m 20 http://ported.example.net/hello", status=None, not_out="hello ported", bare=True, direct=False)
Row("bare-metadata", "curl -sS -m 20 http://169.254.169.254/hello", status=None, not_out="hello 169", bare=True, direct=False)
Row("bare-getent", "getent ahosts www.example.com | head -1; getent ahosts never.test; echo $?", r"STREAM.*\n2\n$", bare=True,
    direct=False)
Row("bare-nc", "echo over tcp | nc -N v4.example.com 7007", "^over tcp\n$", tools=["nc"], bare=True)
Row("bare-nc-half-close", "head -c 300000 /dev/zero | nc -N v4.example.com 7071", "got 300000", tools=["nc"], bare=True)
Row("bare-nc-refused", "echo x | nc -w 10 -N never.test 7007", status=1, not_out="^x", tools=["nc"], bare=True, direct=False)
Row("bare-wget", "wget -qO- https://www.example.com/hello", "hello www", tools=["wget"], bare=True)
Row("bare-psql", "psql -h db.example.com -p 5432 -U scene -d postgres -Atc 'select 6*7'", "^42\n$", tools=["psql"],
    services=["postgres"], bare=True)
Row("bare-psql-copy", "psql -h db.example.com -U scene -d postgres -Atc \"select repeat('x', 5000000)\" | wc -c", "^5000001\n$",
    tools=["psql"], services=["postgres"], bare=True)
Row("psql", "psql -h db.example.com -p 5432 -U scene -d postgres -Atc 'select 6*7'", "^42\n$", tools=["psql"],
    services=["postgres"])
Row("psql-local", "psql -h pg-local.test -p 5432 -U scene -d postgres -Atc 'select 6*7'", "^42\n$", tools=["psql"],
    services=["postgres"], profile="local")
Row("psql-refused", "psql -h never.test -U scene -d postgres -Atc 'select 6*7'", status=2, tools=["psql"], direct=False)
Row("bare-redis", "redis-cli -h db.example.com set yard 7 && redis-cli -h db.example.com get yard", "OK\n\"?7", tools=["redis-cli"],
    services=["redis"], bare=True)
Row("bare-redis-pipe", "for i in $(seq 2000); do echo \"set k$i $i\"; done | redis-cli -h db.example.com --pipe", "errors: 0, replies: 2000",
    tools=["redis-cli"], services=["redis"], bare=True)
Row("redis", "redis-cli -h db.example.com ping", "PONG", tools=["redis-cli"], services=["redis"])
Row("bare-dns-udp-elsewhere", "python3 - <<'X'\nimport socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(10)\n"
    "s.sendto(b'ab\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\3www\\7example\\3com\\0\\0\\1\\0\\1', ('93.184.1.1', 53))\nprint(len(s.recv(512)) > 40)\nX",
    "True", bare=True, direct=False)
Row("bare-udp-nowhere", "python3 - <<'X'\nimport socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(0.5)\n"
    "try:\n s.sendto(b'x', ('93.184.215.15', 7007)); print(s.recv(99))\nexcept OSError: print('nothing')\nX", "nothing", direct=False)

# ---- profiles that say other things ----------------------------------------------------------------

Row("star-public", "curl -sSf http://anything-public.test/hello || curl -sS http://upstream-user.test/hello",
    "hello upstream-user.test", profile="star", direct=False)
Row("star-not-private", "curl -sS -i http://private.test/hello; curl -sS -i http://127.0.0.1/; curl -sS -i http://10.1.2.3/",
    "403.*403.*403", not_out="200 OK", profile="star", direct=False)
Row("star-not-metadata", "curl -sS -i http://metadata.test/; curl -sS -i http://169.254.169.254/", "403.*403", not_out="200 OK",
    profile="star", direct=False)
Row("star-deny", "curl -sS -i http://evil.example.com/", "blocked-by-denylist", profile="star", direct=False)
Row("local-private", "curl -sS http://private.test/hello; curl -sS http://10.1.2.5/hello", "at 10.1.2.3\nhello.*at 10.1.2.5", profile="local",
    direct=False)
Row("local-deny", "curl -sS -i http://10.1.2.4/hello", "403.*denylist", profile="local", direct=False)
Row("local-not-metadata", "curl -sS -i http://metadata.test/; curl -sS -i http://169.254.169.254/", "403.*403", not_out="200 OK",
    profile="local", direct=False)
Row("nothing", "curl -sS -i http://www.example.com/", "403.*blocked-by-allowlist", profile="nothing", direct=False)
Row("off", "curl -sS -m 9 http://93.184.215.20/", status=7, profile="off", direct=False)
Row("limited-get", "curl -sS http://www.example.com/hello; curl -sSI http://www.example.com/hello; curl -sS -X OPTIONS "
    "http://www.example.com/echo", "hello www.*200 OK.*OPTIONS", profile="limited", direct=False)
Row("limited-post", "curl -sS -i -d x http://www.example.com/echo", "403.*blocked-by-method-policy", profile="limited", direct=False)
Row("limited-delete", "curl -sS -i -X DELETE http://www.example.com/echo", "403.*blocked-by-method-policy", profile="limited", direct=False)
# ---- TLS that is looked into ------------------------------------------------------------------------

Row("limited-tls-get", "curl -sS https://www.example.com/hello; curl -sSI https://www.example.com/hello", "hello www.*HTTP/[12][.1]* 200",
    profile="limited", direct=False)
Row("limited-tls-post", "curl -sS -i -d x https://www.example.com/echo", "403.*blocked-by-method-policy", not_out='"method"', profile="limited",
    direct=False)
Row("limited-tls-bare", "curl -sS -i -d x https://www.example.com/echo; curl -sS https://www.example.com/hello", "403.*hello www",
    not_out='"method"', profile="limited", bare=True, direct=False)
Row("limited-tunnel-of-no-tls", "curl -sS -p http://www.example.com/hello", status=None, not_out="hello www", profile="limited", direct=False)
Row("limited-socks", "curl -sS -x $ALL_PROXY -d x http://www.example.com/echo; curl -sS -x $ALL_PROXY -d x https://www.example.com/echo",
    status=None, not_out='"method"', profile="limited", direct=False)
Row("limited-other-port", "echo x | nc -N -w 10 v4.example.com 7007", status=None, not_out="^x", profile="limited", tools=["nc"], direct=False)
Row("looked-into-python", script("/usr/bin/python3", "u.py", URLLIB), HELLOS + ".*POST", profile="looked-into", direct=False)
Row("looked-into-requests", script("/usr/bin/python3", "r.py", REQUESTS.replace("api.", "www.")), "200 .*hello.*200 .*hello.*200 70000.*8\nhello www",
    profile="looked-into", direct=False)
Row("looked-into-git", "git clone -q https://git.example.com/git/yard.git y && cat y/n && wc -c < y/big", "7\n300000", profile="looked-into", direct=False)
Row("looked-into-node", script("node", "h.js", NODE_HTTP), HELLOS, tools=["node"], profile="looked-into", direct=False)
Row("looked-into-websocket", script("/usr/bin/python3", "ws.py", WEBSOCKET, "wss"), "echoed", profile="looked-into", direct=False)
Row("looked-into-big", "curl -sS 'https://www.example.com/big?n=50000000' | sha256sum", hashlib.sha256(servers.pattern(50000000)).hexdigest(),
    profile="looked-into", direct=False)
Row("looked-into-path", "curl -sS https://api.example.com/echo/x; for p in /hello /echo/../hello /echo/%2e%2e/hello /echo/..%2fhello //echo/x; do "
    "curl -sS --path-as-is -o /dev/null -w '%{http_code} ' https://api.example.com$p; done; curl -sS -X DELETE -i https://api.example.com/echo/x",
    '"target": "/echo/x".*40[03] 40[03] 40[03] 40[03] 40[03] HTTP/.*HTTP/[12][.1]* 403', profile="looked-into", direct=False)
Row("looked-into-host-other", "curl -sS -i -H 'Host: never.test' https://api.example.com/echo", "HTTP/[12][.1]* 4", not_out='"method"',
    profile="looked-into", direct=False)
Row("excluded-is-not-opened", "curl -sS -v https://other.example.com/hello", "hello other", err="issuer: CN=scene CA", profile="looked-into", direct=False)


def credential(scene, r):
    heads = [q.head for q in scene.internet.requests if b"api.example.com" in q.head and b"/echo/secret" in q.head]
    if len(heads) != 1 or b"Bearer the-real-secret" not in heads[0]:
        return f"the server did not get it: {heads}"
    others = [q.head for q in scene.internet.requests if b"the-real-secret" in q.head and not (q.tls and q.host == "api.example.com")]
    return f"another got it: {others}" if others else None


Row("credential", """env | grep FORGE; curl -sS -H "Authorization: Bearer $FORGE_TOKEN" https://api.example.com/echo/secret
curl -sS -H "Authorization: Bearer $FORGE_TOKEN" https://www.example.com/echo/other
curl -sSL -H "Authorization: Bearer $FORGE_TOKEN" -o /dev/null http://api.example.com/echo/plain; cat /proc/*/environ /proc/*/cmdline | tr '\\0' '\\n'""",
    '"target": "/echo/secret"', not_out="the-real-secret", status=None, check=credential, profile="looked-into",
    direct=False)

Row("no-socks", "echo \"<$ALL_PROXY>\"; curl -sS http://www.example.com/hello", "hello www", profile="no-socks", not_out="socks5",
    direct=False)

"""[otel], OTEL_ variables and `bawn doctor --otel`, as a person uses them; and what is linked
into what."""
import os
import re
import subprocess
import time

from collectors import Answer
from feed import check, each, row, same
from launcher import WORDS, Run, otel, write
from scene import until

# ---- variables and configuration ----


@row("variables.alone-export-nothing")
def variables_alone(w):
    run = Run(w)
    run.configure("")
    run.bawn(
        "run",
        "--",
        "true",
        env={"OTEL_EXPORTER_OTLP_ENDPOINT": run.c.url(), "OTEL_LOGS_EXPORTER": "otlp"},
    )
    time.sleep(0.3)
    same(len(run.c.lines), 0, "connections")
    check(not os.path.exists(w.telemetry), "a spool was made")


@row("variables.endpoint-and-headers")
def variables(w):
    run = Run(w)
    run.configure('[otel]\nexporter = "otlp-http"\ntrace_exporter = "otlp-grpc"\n')
    run.bawn(
        "run",
        "--",
        "true",
        env={
            "OTEL_EXPORTER_OTLP_ENDPOINT": run.c.url(),
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20abc,x-tenant=t1",
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "x-tenant=t2",
            "OTEL_RESOURCE_ATTRIBUTES": "team=a%2Cb,env=ignored?,service.name=x",
            "OTEL_SERVICE_NAME": "other",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
        },
    )
    e = run.event("sandbox_outcome")
    same(
        (e["resource"].get("service.name"), e["resource"].get("team")),
        ("other", "a,b"),
        "service.name and team",
    )
    request = next(r for r in run.c.requests if r.kind == "log")
    same(
        (
            request.path,
            request.get("authorization"),
            request.get("x-tenant"),
            request.get("content-type"),
            request.get("content-encoding"),
        ),
        ("/v1/logs", "Bearer abc", "t1", "application/json", None),
        "the request",
    )
    run.spans()
    request = next(r for r in run.c.requests if r.kind == "span")
    same((request.grpc, request.get("x-tenant")), (True, "t2"), "the spans' request")


@row("variables.disabled")
def disabled(w):
    run = Run(w)
    run.bawn("run", "--", "true", env={"OTEL_SDK_DISABLED": "true"})
    time.sleep(0.3)
    same(len(run.c.lines), 0, "connections")
    check(
        not os.path.exists(w.telemetry) or not os.listdir(w.telemetry),
        "something was kept for later",
    )


@row("config.variables-in-values")
def expansion(w):
    run = Run(w)
    run.configure(
        otel("http://${COLLECTOR}", inside=', headers = { "authorization" = "Bearer ${TOKEN}" }')
    )
    host = run.c.url().removeprefix("http://")
    r = run.bawn("run", "--", "sh", "-c", "echo ran", env={"COLLECTOR": host, "TOKEN": "t0ken"})
    same((r.returncode, r.stdout), (0, b"ran\n"), "exit status and output")
    run.event("sandbox_outcome")
    same(run.c.requests[0].get("authorization"), "Bearer t0ken", "the header")
    r = run.bawn("run", "--", "sh", "-c", "echo ran", env={"COLLECTOR": host})
    same((r.returncode, r.stdout), (1, b""), "exit status and output without the variable")
    check(b"TOKEN" in r.stderr and b"config.toml" in r.stderr, f"message: {r.stderr.decode()}")
    for base, _, files in os.walk(w.telemetry):
        for f in filter(lambda f: os.path.isfile(f"{base}/{f}"), files):
            with open(f"{base}/{f}", "rb") as g:
                check(b"t0ken" not in g.read(), f"the token is on the disk, in {f}")


@each(
    "config.error.{}",
    {
        "missing-file": ', tls = { ca-certificate = "/nonexistent.pem" }',
        "half-a-pair": ', tls = { client-certificate = "{certificate}" }',
        "other-half": ', tls = { client-private-key = "{key}" }',
        "plain": None,
    },
)
def config_error(w, inside):
    run = Run(w)
    key, certificate = w.scene.tls.pairs["client"]
    url = "http://127.0.0.1:1" if inside is None else "https://127.0.0.1:1"
    inside = inside or f', tls = {{ ca-certificate = "{w.scene.tls.ca}" }}'
    run.configure(
        otel(url, inside=inside.replace("{certificate}", certificate).replace("{key}", key))
    )
    for verb in ("run", "sandbox"):
        r = run.bawn(verb, "--", "sh", "-c", "echo ran")
        same((r.returncode, r.stdout), (1, b""), "exit status and output")
        check(b"config.toml" in r.stderr, f"message: {r.stderr.decode()}")


@row("config.project-cannot")
def project(w):
    """A workspace cannot have its own collector, trusted or not."""
    theirs = w.collector()
    run = Run(w)
    w.directory(f"{w.work}/.bawn")
    w.directory(f"{w.work}/.git")
    write(f"{w.work}/.bawn/config.toml", otel(theirs.url(), more="log_tool_payloads = true\n"))
    write(f"{w.bawn_home}/trust.toml", f'[projects."{w.work}"]\ntrust_level = "trusted"\n', 0o600)
    run.bawn("run", "--", "echo", "word")
    if not until(lambda: run.events("sandbox_outcome"), 5):
        run.bawn("run", "--", "echo", "word")  # strictness about the project's file is fine, too
    same(len(theirs.lines), 0, "connections to the workspace's collector")
    for s in run.events():
        check("arguments" not in s["attributes"], "a workspace turned payloads on")


@each(
    "tls.{}", {f"{p}.{'mutual' if m else 'server'}": (p, m) for p in WORDS for m in (False, True)}
)
def tls(w, case):
    protocol, mutual = case
    key, certificate = w.scene.tls.pairs["client"]
    run = Run(w)
    run.c = w.collector(tls=w.scene.tls.server(mutual=mutual))
    pair = f', client-certificate = "{certificate}", client-private-key = "{key}"' if mutual else ""
    run.configure(
        otel(
            run.c.url(), protocol, inside=f', tls = {{ ca-certificate = "{w.scene.tls.ca}"{pair} }}'
        )
    )
    run.bawn("run", "--", "true")
    run.event("sandbox_outcome")
    same(bool(run.c.requests[0].peer), mutual, "a client's certificate")


@row("config.prefix")
def prefix(w):
    run = Run(w)
    run.configure(otel(run.c.url(), more='event_prefix = "codex."\n'))
    run.bawn("run", "--", "true")
    check(
        until(
            lambda: {s["eventName"] for s in run.events()}
            >= {"codex.tool_decision", "codex.tool_result"},
            8,
        ),
        f"{[s['eventName'] for s in run.events()]}",
    )


# ---- bawn doctor --otel ----


@each(
    "doctor.{}",
    {
        "good": Answer(),
        "refused": Answer(401, body=b'{"message":"who are you"}'),
        "away": Answer(503),
        "partial": Answer(
            body=b'{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"too odd"}}'
        ),
    },
)
def doctor(w, answer):
    run = Run(w, answer=lambda n, r: answer, protocol="json")
    r = run.bawn("doctor", "--otel", timeout=40)
    said = (r.stdout + r.stderr).decode()
    same(
        r.returncode == 0,
        answer.status == 200 and answer.body is None,
        f"exit status {r.returncode} is 0 ({said})",
    )
    check(run.c.url() in said, f"the endpoint is not named: {said}")
    for word in {401: ["401"], 503: ["503"]}.get(answer.status, ["too odd"] if answer.body else []):
        check(word in said, f"{word} is not said: {said}")
    check("hunter2" not in said, "a secret is shown")


@row("doctor.off")
def doctor_off(w):
    run = Run(w)
    run.configure("")
    r = run.bawn("doctor", "--otel")
    check(r.stdout + r.stderr, "nothing is said")
    same(len(run.c.lines), 0, "connections")


# ---- what is linked ----

FOREIGN = re.compile(
    r"\b(curl_|Curl_|SSL_|SSL3|OPENSSL|EVP_|X509_|protobuf_c_|deflate|inflate|nghttp2|"
    r"opentelemetry__)"
)


def linked(w, program):
    out = subprocess.run(
        ["readelf", "-dW", "-sW", "--dyn-syms", program], capture_output=True, text=True, check=True
    ).stdout
    needed = re.findall(r"NEEDED.*\[(.*)\]", out)
    check(
        not [n for n in needed if not re.match(r"(libc|ld-linux.*|libm|libasan|libubsan)\.so", n)],
        f"it needs {needed}",
    )
    names = [w for w in out.split() if FOREIGN.match(w)]
    same(names, [], "symbols")
    check("spool_append" in out, "symbols are not seen: the row tests nothing")


@row("linked.static")
def linked_static(w):
    linked(w, w.scene.bawn)


@row("linked.dynamic")
def linked_dynamic(w):
    """Where there is such a build: `make check` has one, of clang."""
    program = f"{w.scene.build}/../build-clang/src/cli/bawn"
    check(
        os.path.exists(program) or not os.environ.get("CI"), "there is no build that is not static"
    )
    if os.path.exists(program):
        linked(w, program)


@row("linked.exporter-is-what-has-them")
def linked_exporter(w):
    out = subprocess.run(
        ["readelf", "-dW", w.scene.exporter], capture_output=True, text=True, check=True
    ).stdout
    for name in ("libcurl", "libprotobuf-c"):
        check(name in out, f"the exporter does not need {name}: the rows above test nothing")

"""What must not leave: secrets are planted wherever a command and its surroundings can carry
them, and looked for in every byte that a collector gets: raw ones as they came over the wire,
bodies decompressed, and the spool's."""
import contextlib
import json
import os
import socket
import time

from collectors import Answer
from feed import check, each, row, same
from launcher import NETWORK, Run, administered, has, otel, write
from scene import until

# A word for each place. No part of any may arrive.
PLACES = (
    "argument",
    "option",
    "environment",
    "stdin",
    "output",
    "errors",
    "urlpath",
    "urlquery",
    "urluser",
    "urlpassword",
    "header",
    "filename",
    "directory",
    "workspace",
    "rulereason",
    "rulefile",
    "grantpath",
    "program",
    "askmessage",
    "linktarget",
    "denied",
    "cookie",
    "shelltext",
    "requirement",
    "hostuser",
    "body",
    "baggage",
    "profiletext",
    "socketpath",
)
CANARY = {p: f"kanari{i}{p}7f3a" for i, p in enumerate(PLACES)}
MARK = "kanari"


def exported(c):
    """Everything that came, in every form that it can be looked for in."""
    parts = [c.raw()] if not c.tls else []
    for r in list(c.requests):
        parts += [
            r.body,
            "\n".join(f"{k}: {v}" for k, v in r.headers).encode(),
            json.dumps(r.signals, ensure_ascii=False).encode(),
        ]
    return b"\n".join(parts)


def spooled(w):
    out = []
    for base, _, files in os.walk(w.telemetry):
        for f in files:
            with contextlib.suppress(OSError):
                if os.path.isfile(f"{base}/{f}"):
                    with open(f"{base}/{f}", "rb") as g:
                        out.append(g.read())
    return b"\n".join(out)


def free_of_canaries(w, data, what, *more):
    """No planted word, no path of this row's, no word of MORE. Whatever comes before a word says
    where it was."""
    for word in (MARK, os.path.basename(w.scene.t), *more):
        at = data.find(word.encode())
        check(at < 0, f"{what}: {data[max(0, at - 120):at + 80]!r}")


class Planted(Run):
    """Commands with something secret in every place that there is."""

    def __init__(self, w, answer=None, **how):
        super().__init__(w, answer, **how)
        self.place = f"{w.work}/{CANARY['workspace']}"
        w.directory(self.place)
        os.makedirs(f"{self.place}/.git", exist_ok=True)
        write(f"{self.place}/{CANARY['filename']}", CANARY["output"] + "\n")
        w.directory(f"{self.place}/{CANARY['directory']}")
        self.rules(
            f'prefix_rule(pattern = ["{CANARY["rulefile"]}"], decision = "forbidden", '
            f'justification = "{CANARY["rulereason"]}")\n'
            'prefix_rule(pattern = ["touch"], decision = "prompt", justification = "'
            + CANARY["rulereason"]
            + '")\n'
        )
        self.env = {
            "MY_TOKEN": CANARY["environment"],
            CANARY["environment"]: "1",
            "PLAIN": CANARY["environment"],
            "BAGGAGE": f"user={CANARY['baggage']}",
        }

    def bawn(self, *argv, **more):
        return super().bawn(
            *argv,
            env={**self.env, **dict(more.pop("env", {}))},
            cwd=more.pop("cwd", self.place),
            **more,
        )

    def commands(self):
        """Each of them is one run. The statuses only say that they did what they are for."""
        inside = f"cat; echo {CANARY['output']}; echo {CANARY['errors']} >&2; "
        inside += f"cat {CANARY['filename']}; : {CANARY['shelltext']}"
        same(
            self.bawn(
                "run",
                "-s",
                "workspace-write",
                "--",
                "sh",
                "-c",
                inside,
                CANARY["argument"],
                f"--{CANARY['option']}={CANARY['option']}",
                input=CANARY["stdin"].encode(),
            ).returncode,
            0,
            "sh",
        )
        same(
            self.bawn("run", "--", CANARY["rulefile"], CANARY["argument"]).returncode,
            3,
            "what a rule forbids",
        )
        check(
            self.bawn("run", "--", f"./{CANARY['program']}").returncode != 0,
            "a program that is not there",
        )
        self.bawn(
            "run",
            "--log-denials",
            "-s",
            "read-only",
            "--",
            "sh",
            "-c",
            f"echo x >{CANARY['denied']}; cat {self.w.home}/{CANARY['denied']}; false",
        )
        self.bawn(
            "sandbox",
            "-s",
            "read-only",
            "--log-denials",
            "-C",
            f"{self.place}/{CANARY['directory']}",
            "--",
            "sh",
            "-c",
            f"mkdir {CANARY['denied']}; exit 9",
        )
        same(
            self.bawn(
                "sandbox",
                "-s",
                "workspace-write",
                "--add-dir",
                f"{self.place}/{CANARY['directory']}",
                "--",
                "ln",
                "-s",
                CANARY["linktarget"],
                "link",
            ).returncode,
            0,
            "ln",
        )
        self.bawn(
            "run",
            "--grant",
            f"write:{self.w.home}/{CANARY['grantpath']}",
            "--",
            "true",
            CANARY["argument"],
        )
        self.ask()

    def ask(self):
        for said, status in (("once", 0), ("no", 3)):
            got = self.asked(
                {"decision": said, "message": CANARY["askmessage"]},
                "-s",
                "workspace-write",
                "--",
                "touch",
                CANARY["argument"],
                cwd=self.place,
                env=self.env,
            )
            same(got[0], status, f"the exit status after {said}")

    def network(self):
        url = f"http://{CANARY['urluser']}:{CANARY['urlpassword']}@refused.test:8080/"
        url += f"{CANARY['urlpath']}?q={CANARY['urlquery']}"
        curl = [
            "curl",
            "-s",
            "-H",
            f"X-Api-Key: {CANARY['header']}",
            "-b",
            f"s={CANARY['cookie']}",
            "-d",
            CANARY["body"],
        ]
        for target in (
            url,
            url.replace("refused", "allowed"),
            url.replace("http:", "https:"),
            f"http://{CANARY['hostuser']}@refused.test/",
        ):
            self.bawn("sandbox", "-P", "net", "--", *curl, target)
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as s:
            s.bind(f"{self.place}/{CANARY['socketpath']}")
            s.listen()
            os.chmod(f"{self.place}/{CANARY['socketpath']}", 0o777)
            self.bawn(
                "sandbox",
                "-P",
                "net",
                "--",
                "curl",
                "-s",
                "--unix-socket",
                CANARY["socketpath"],
                "http://refused.test/",
            )

    def all_there(self, **least):
        """So many of each event: the row is to have tested something."""

        def counts():
            return {n: len(self.events(n)) for n in least}

        check(
            until(lambda: all(counts()[n] >= k for n, k in least.items()), 15),
            f"only {counts()} of {least}",
        )
        time.sleep(0.3)  # and what came with them


def with_net(run, text):
    """config.toml with the profile `net` that NETWORK has, and a word in it that is nobody's
    business."""
    run.configure(
        text
        + NETWORK.split("\n", 1)[1].replace(
            "[permissions.net]", f'[permissions.net]\ndescription = "{CANARY["profiletext"]}"'
        )
    )


@each("canary.{}", {p: p for p in ("protobuf", "json", "grpc")})
def default(w, protocol):
    run = Planted(w, protocol=protocol)
    with_net(run, otel(run.c.url(), protocol))
    run.commands()
    run.network()
    run.all_there(
        tool_decision=7,
        tool_result=6,
        sandbox_outcome=10,
        approval=2,
        **{"network_proxy.policy_decision": 3},
    )
    run.spans(n=5)
    data = exported(run.c)
    check(b"bawn.sandbox_outcome" in data and b"refused.test" in data, "nothing was looked at")
    free_of_canaries(w, data, "what was exported")
    for s in run.events():
        for name in ("arguments", "cwd", "program", "reason", "rule.file", "remembered", "path"):
            check(
                name not in s["attributes"],
                f"{s['eventName']} has {name}: {s['attributes'].get(name)!r}",
            )


@row("canary.in-the-spool")
def spool(w):
    """With a collector that is away: what lies on the disk has none of it either."""
    run = Planted(w, answer=lambda n, r: Answer(503))
    with_net(
        run,
        otel(
            run.c.url(), inside=f', headers = {{ "authorization" = "Bearer {CANARY["header"]}" }}'
        ),
    )
    run.commands()
    run.network()
    data = spooled(w)
    check(
        data.count(b"bawn.sandbox_outcome") >= 10,
        "the spool does not have it: the row tests nothing",
    )
    free_of_canaries(w, data, "the spool")


@row("canary.requirement", root=True)
def requirement(w):
    """What an administrator forbids is named by its key, not by the path or the value."""
    run = Planted(w)
    text = (
        'allowed_web_search_modes = ["disabled"]\n[permissions.filesystem]\n'
        f'deny_read = ["{w.home}/{CANARY["requirement"]}"]\n'
    )
    r = administered(
        run, text, "sandbox", "-s", "read-only", "--", "true", env={"SECRET": CANARY["environment"]}
    )
    same(r.returncode, 0, f"the exit status ({r.stderr.decode()})")
    run.all_there(sandbox_outcome=1, **{"config.requirement_applied": 1})
    free_of_canaries(w, exported(run.c), "what was exported")


SECRETS = {
    "aws": "AKIA" + "Q3EGRIZ7LN5KWUVX",
    "github": "ghp_" + "a8Kd02mQzX7Lr5TnVb1CyWs4HjE6UgPf9oI3",
    "option": "hunter2hunter2",
    "assigned": "s3cr3tassigned",
    "header": "b3ar3rt0k3nvalue",
    "url": "passw0rdinurl",
    "slack": "xoxb-" + "123456789012-abcdefghijklmnopqrstuvwx",
}


@each("canary.payloads.{}", {p: p for p in ("protobuf", "grpc")})
def payloads(w, protocol):
    """With log_tool_payloads arguments are there, and secrets in them are not."""
    run = Run(w, protocol=protocol, more="log_tool_payloads = true\n")
    r = run.bawn(
        "run",
        "--",
        "echo",
        "plainword7731",
        SECRETS["aws"],
        SECRETS["github"],
        "--password",
        SECRETS["option"],
        f"DB_PASSWORD={SECRETS['assigned']}",
        "-H",
        f"Authorization: Bearer {SECRETS['header']}",
        f"https://me:{SECRETS['url']}@host.example/x",
        SECRETS["slack"],
    )
    same(r.returncode, 0, "the exit status")
    has(
        run.event("tool_decision"),
        arguments=lambda v: "plainword7731" in v and "REDACTED" in v,
        cwd=w.work,
    )
    has(run.event("tool_result"), arguments=lambda v: "plainword7731" in v and "REDACTED" in v)
    run.spans()
    data = exported(run.c) + spooled(w)
    for name, secret in SECRETS.items():
        at = data.find(secret.encode())
        check(at < 0, f"{name} got out: {data[max(0, at - 120):at + 60]!r}")


@row("canary.length-and-hash")
def length(w):
    """Without it: how long the arguments are, and a hash of them after redaction."""
    run = Run(w)
    run.bawn("run", "--", "echo", "plainword7731")
    has(
        run.event("tool_decision"),
        arguments__length=len("echo plainword7731"),
        arguments__sha256=lambda v: len(v) == 64,
    )
    check(b"plainword7731" not in exported(run.c), "the argument is there")


@row("canary.header-secrets")
def header_secrets(w):
    """A collector's token is in its requests' header, and nowhere else: no disk, no argument, no
    environment."""
    run = Run(w, answer=lambda n, r: Answer(503))
    run.configure(otel(run.c.url(), inside=', headers = { "authorization" = "Bearer ${TOKEN}" }'))
    run.bawn("run", "--", "true", env={"TOKEN": CANARY["header"]})
    check(run.c.wait(lambda: len(run.c.requests) >= 3, 8), "no requests")
    same(
        {r.get("authorization") for r in run.c.requests},
        {f"Bearer {CANARY['header']}"},
        "the header",
    )
    free_of_canaries(w, spooled(w), "the spool")
    check(all(MARK.encode() not in r.body for r in run.c.requests), "it is in a body")
    pid = until(w.serving)
    for name in ("cmdline", "environ"):
        with contextlib.suppress(PermissionError), open(f"/proc/{pid}/{name}", "rb") as f:
            check(MARK.encode() not in f.read(), f"it is in the exporter's {name}")
    said = run.bawn("doctor", "--otel", env={"TOKEN": CANARY["header"]}, timeout=40)
    check(MARK.encode() not in said.stdout + said.stderr, "doctor shows it")

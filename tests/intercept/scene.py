"""One scene for all tests: certificates, node's servers, and a fresh bawn-intercept for each test."""
import json
import os
import subprocess

import world

NAME = "api.example.test"


class Answer:
    def __init__(self, text, status, version, headers, body):
        self.text, self.status, self.version, self.headers, self.body = text, status, version, headers, body

    def json(self):
        return json.loads(self.body)

    def get(self, name):
        return next((v for k, v in self.headers if k == name), None)


def read_head(data):
    """The last head of what curl -i printed, and what follows it."""
    while True:
        head, _, rest = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        if rest.startswith(b"HTTP/") and int(lines[0].split()[1]) < 200:
            data = rest
            continue
        fields = [line.split(":", 1) for line in lines[1:]]
        return int(lines[0].split()[1]), lines[0].split()[0], [(k.lower(), v.strip()) for k, v in fields], rest


class Scene:
    def __init__(self, program, directory):
        self.program, self.directory = program, directory
        self.certificates = world.Certificates(directory)
        pair = self.pair = self.certificates.make("server", f"DNS:{NAME},DNS:other.example.test,IP:127.0.0.1")
        self.servers = {
            "h1": world.Node(directory, "h1", pair, "http/1.1"),
            "h2": world.Node(directory, "h2", pair, "h2"),
            "both": world.Node(directory, "both", pair, "h2,http/1.1"),
        }
        self.running = []
        self.things = []

    def intercept(self, **more):
        more.setdefault("roots", [self.certificates.ca])
        i = world.Intercept(self.program, self.directory, **more)
        self.running.append(i)
        return i

    def seen(self, server):
        """What a server was asked since it was last looked at."""
        path = self.servers[server].path
        with open(path, encoding="utf-8") as f:
            out = [json.loads(line) for line in f]
        with open(path, "w", encoding="utf-8"):
            pass
        return out

    def url(self, server, path, name=NAME):
        return f"https://{name}:{self.servers[server].port}{path}"

    def curl(self, i, *argv, fails=False, cacert=None):
        command = ["curl", "-q", "-sS", "-i", "--max-time", "20", "--suppress-connect-headers", "--path-as-is",
                   "-x", f"http://127.0.0.1:{i.port}", "--cacert", cacert or i.ca, *argv]
        r = subprocess.run(command, capture_output=True, env={"PATH": os.environ["PATH"]}, check=False)
        if fails:
            assert r.returncode != 0, r.stdout
            return r
        assert r.returncode == 0, (r.returncode, r.stderr, r.stdout[:500])
        status, version, headers, body = read_head(r.stdout)
        return Answer(r.stdout, status, version, headers, body)

    def get(self, i, version, server, path, *argv, **more):
        return self.curl(i, f"--http{version}", *argv, self.url(server, path), **more)

    def breaks(self, i, version, url):
        """The answer does not come to a proper end: 502 where nothing of it was passed on yet, else curl notices."""
        command = ["curl", "-q", "-sS", "-o", "/dev/null", "-w", "%{response_code}", "--max-time", "20",
                   f"--http{version}", "-x", f"http://127.0.0.1:{i.port}", "--cacert", i.ca, url]
        r = subprocess.run(command, capture_output=True, env={"PATH": os.environ["PATH"]}, check=False)
        assert r.returncode not in (0, 28) or r.stdout == b"502", r

    def end(self):
        """After each test: every program ended well."""
        running, self.running = self.running, []
        for thing in self.things:
            thing.close()
        self.things = []
        for i in running:
            status = i.close()
            assert status == 0, f"bawn-intercept ended with {status}\n{self.words()}"
        for name in self.servers:
            self.seen(name)

    def abort(self):
        try:
            self.end()
        except AssertionError as e:
            print(e)

    def words(self):
        with open(f"{self.directory}/stderr", "rb") as f:
            return f.read().decode(errors="replace")[-4000:]

    def close(self):
        for s in self.servers.values():
            s.close()

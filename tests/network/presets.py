"""`bawn permissions preset`, for the real tools: what it prints is all that is allowed, and with it the tool fetches
from its registry, which is a server of the scene. The tool's configuration in the scene says where that is, as a
person's does; nothing here tells bawn."""
import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import tempfile
import zipfile

from clients import has
from events import case, need

# Every one of them ends with what must not work: another host, and another method on the same host.
SHUT = ("; curl -sS -o /dev/null -w 'other %{http_code}\\n' http://www.example.org/hello"
        "; curl -sS -o /dev/null -w 'post %{http_code}\\n' -d x ORIGIN/echo")


class World:
    """A home and a $BAWN_HOME of its own."""

    def __init__(self, s):
        self.s, self.t = s, tempfile.mkdtemp(dir=s.t)
        os.mkdir(self.t + "/home")
        os.mkdir(self.t + "/bawn", 0o700)
        self.env = {"HOME": self.t + "/home", "BAWN_HOME": self.t + "/bawn"}
        self.give()

    def give(self):
        import scene
        os.chmod(self.t, 0o755)
        for base, _, files in os.walk(self.t):
            for p in [base, *(os.path.join(base, f) for f in files)]:
                if scene.USER:
                    os.chown(p, scene.USER.pw_uid, scene.USER.pw_gid, follow_symlinks=False)

    def put(self, path, text):
        path = self.t + "/home/" + path
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        self.give()

    def preset(self, *words):
        """Writes the preset for the profile `it`; what was printed before that."""
        argv = [self.s.bawn_program, "permissions", "preset", *words, "--profile", "it"]
        runs = [subprocess.run([*argv, *more], env=self.s.environ(self.env), cwd=self.s.w, stdin=subprocess.DEVNULL,
                               capture_output=True, timeout=120, check=False, **self.s.as_user())
                for more in ([], ["--write"], ["--write"])]
        for r in runs:
            need(r.returncode == 0, f"preset {words}: {r.stderr.decode()[-600:]}")
        need(b"had them all already" in runs[2].stderr, f"written twice: {runs[2].stderr}")
        return runs[0].stdout.decode()

    def run(self, command, **env):
        return self.s.run(command, profile="it", env={**self.env, **env}, timeout=120, cwd=self.s.directory())


@contextlib.contextmanager
def world(s, *tools):
    missing = [t for t in tools if not has(t)]
    need(not missing, "not installed: " + " ".join(missing))
    w = World(s)
    try:
        yield w
    finally:
        shutil.rmtree(w.t, ignore_errors=True)


def shut_off(origin):
    return SHUT.replace("ORIGIN", origin)


def shut(r):
    need("other 403" in r.text and "post 403" in r.text, "something else is open", r)


@case
def preset_npm(s):
    with world(s, "npm", "node") as w:
        w.put(".npmrc", "registry=https://registry.example.com/npm/\n@of-others:registry=https://u:pass-word@other.example.com/x/\n")
        toml = w.preset("npm")
        need('"registry.example.com:443" = "allow"' in toml and '"other.example.com:443" = "allow"' in toml, toml)
        need("pass-word" not in toml, toml)
        r = w.run("export npm_config_cache=$PWD/c; echo '{}' > package.json; npm install yard >/dev/null && node -p 'require(\"yard\").n'"
                  + shut_off("https://registry.example.com"))
        need(r.text.startswith("7\n"), "npm install", r)
        shut(r)
    return r


@case
def preset_pypi(s):
    with world(s, "pip3") as w:
        w.put(".config/pip/pip.conf", "[global]\nindex-url = https://pypi.example.com/simple/\n")
        toml = w.preset("pypi")
        need(toml.count('= "allow"  #') == 1 and '"pypi.example.com:443"' in toml and "another host" in toml, toml)
        r = w.run("/usr/bin/python3 -m pip download -q --no-cache-dir yard && ls *.whl"
                  + shut_off("https://pypi.example.com"), PATH="/usr/bin:/bin")
        need("yard-1.0-py3-none-any.whl" in r.text, "pip download", r)
        shut(r)
    return r


@case
def preset_cargo(s):
    if not has("cargo"):
        return None
    with world(s) as w:
        w.put(".cargo/config.toml", '[source.crates-io]\nreplace-with = "s"\n[source.s]\n'
              'registry = "sparse+https://crates.example.com/sparse/"\n')
        toml = w.preset("cargo")
        need('"crates.example.com:443" = "allow"' in toml, toml)
        r = w.run("""mkdir -p src home; cp ~/.cargo/config.toml home/; export CARGO_HOME=$PWD/home; echo 'fn main() {}' > src/main.rs
printf '[package]\\nname = "app"\\nversion = "0.1.0"\\nedition = "2021"\\n[dependencies]\\nyard = "1"\\n' > Cargo.toml
{ cargo fetch 2>&1 || RUSTC_BOOTSTRAP=1 cargo -Z sparse-registry fetch 2>&1; } >&2; grep -c yard Cargo.lock""" + shut_off("https://crates.example.com"))
        need(r.text.startswith(("1\n", "2\n")), "cargo fetch", r)
        shut(r)
    return r


def module(s):
    """A Go module in the form of a proxy."""
    place = s.files + "/files/modules/example.com/yard/@v"
    os.makedirs(place, exist_ok=True)
    mod = "module example.com/yard\n"
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as z:
        z.writestr("example.com/yard@v1.0.0/go.mod", mod)
        z.writestr("example.com/yard@v1.0.0/yard.go", "package yard\n\nconst N = 7\n")
    for name, what in (("list", b"v1.0.0\n"), ("v1.0.0.info", json.dumps({"Version": "v1.0.0"}).encode()),
                       ("v1.0.0.mod", mod.encode()), ("v1.0.0.zip", data.getvalue())):
        with open(f"{place}/{name}", "wb") as f:
            f.write(what)


@case
def preset_go(s):
    if not has("go"):
        return None  # large, as cargo is
    module(s)
    with world(s) as w:
        w.put(".config/go/env", "GOPROXY=https://registry.example.com/files/modules,direct\nGOSUMDB=off\n")
        toml = w.preset("go")
        need(toml.count('= "allow"  #') == 1 and '"registry.example.com:443"' in toml and "direct" in toml, toml)
        r = w.run("""export GOPATH=$PWD/go GOCACHE=$PWD/gocache GOTOOLCHAIN=local GOFLAGS=-modcacherw; printf 'module app\\n' > go.mod
go mod edit -require example.com/yard@v1.0.0 && go mod download -x example.com/yard >&2 && ls go/pkg/mod/example.com"""
                  + shut_off("https://registry.example.com"))
        need("yard@v1.0.0" in r.text, "go mod download", r)
        shut(r)
    return r


def archive(s):
    """An archive for apt with one package; a flat one as well."""
    place = s.files + "/files/debian"
    os.makedirs(place, exist_ok=True)
    with tempfile.TemporaryDirectory() as t:
        os.makedirs(t + "/p/DEBIAN")
        os.chmod(t + "/p/DEBIAN", 0o755)
        with open(t + "/p/DEBIAN/control", "w") as f:
            f.write("Package: yard\nVersion: 1.0\nArchitecture: all\nMaintainer: s <s@example.com>\nDescription: yard\n")
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", t + "/p", place + "/yard.deb"], check=True, stdout=subprocess.DEVNULL)
        with open(t + "/p/DEBIAN/control") as f, open(place + "/yard.deb", "rb") as deb:
            data = deb.read()
            text = f"{f.read()}Filename: yard.deb\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n\n"
    for name in ("Packages", "dists/scene/main/binary-all/Packages", "dists/scene/main/binary-amd64/Packages", "dists/scene/main/binary-arm64/Packages"):
        os.makedirs(os.path.dirname(f"{place}/{name}"), exist_ok=True)
        with open(f"{place}/{name}", "w") as out:
            out.write(text)


APT = ('mkdir -p l/partial c/archives/partial; o="-o Dir::State::lists=$PWD/l -o Dir::Cache=$PWD/c -o Dir::State::status=/dev/null -o Debug::NoLocking=1'
       ' -o APT::Sandbox::User= -o Acquire::Languages=none"; apt-get $o update >&2 && apt-get $o download yard >&2; ls *.deb')


@case
def preset_debian(s):
    archive(s)
    with world(s, "apt-get", "dpkg-deb") as w:
        place = s.t + "/tmp/sources"
        os.makedirs(place, exist_ok=True)
        with open(place + "/scene.sources", "w") as f:
            f.write("Types: deb\nURIs: http://db.example.com/files/debian\nSuites: scene\nComponents: main\nTrusted: yes\n\n"
                    "Types: deb\nURIs: http://off.example.com/\nSuites: ./\nEnabled: no\n")
        with open(place + "/more.list", "w") as f:
            f.write("# deb http://commented.example.com/ x y\ndeb-src [trusted=yes] https://v4.example.com/none ./\n"
                    "deb [trusted=yes] http://v4.example.com/files/debian ./\n")
        os.chmod(place, 0o755)
        subprocess.run(["mount", "--bind", place, "/etc/apt/sources.list.d"], check=True)
        try:
            toml = w.preset("debian")
            need(toml.count('= "allow"  #') == 3 and "scene.sources:2" in toml and "more.list:2" in toml and "more.list:3" in toml, toml)
            need(toml.count("[[") == 1, toml)
            os.remove(place + "/more.list")
            r = w.run(APT + shut_off("http://db.example.com"))
        finally:
            subprocess.run(["umount", "/etc/apt/sources.list.d"], check=True)
        need("yard_1.0_all.deb" in r.text or "yard.deb" in r.text, "apt-get download", r)
        shut(r)
    return r


@case
def preset_git_read(s):
    with world(s, "git") as w:
        w.preset("git-read", "git.example.com")
        before = len(s.internet.requests)
        r = w.run("""git clone -q https://git.example.com/git/yard.git y && cat y/n; cd y; git fetch origin && echo fetched
echo more > more; git add more; git commit -qm more; git push origin HEAD:refs/heads/refused; echo "push $?"
git ls-remote origin refused | wc -l""" + shut_off("https://git.example.com"))
        need("7\nfetched\n" in r.text, "clone and fetch", r)
        need("push 0" not in r.text and "push 1" in r.text and "\n0\nother" in r.text, "push", r)
        need("403" in r.errors, "git is not told", r)
        need("git.example.com:443" in r.errors and "request" in r.errors, "the reason", r)
        heads = [q.head for q in s.internet.requests[before:] if q.head.startswith(b"POST")]
        need(heads and all(b"/git-upload-pack " in h.split(b"\r\n")[0] for h in heads), f"the server was asked: {heads}")
        shut(r)
    return r


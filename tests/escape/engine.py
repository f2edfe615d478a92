"""The scene, the run and the judgement. What is tried is in attempts/."""
import contextlib
import fcntl
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

import limits

HERE = os.path.dirname(os.path.abspath(__file__))
BACKEND = os.environ.get("BAWN_BACKEND", "bundled")
STARTS = int(os.environ.get("BAWN_ESCAPE_STARTS", "200"))
TIMEOUT = 30
NO_NAMES = ("-c", "protected_names=[]", "-c", "protected_agent_names=[]")
RAN = "the attempt ran"
LONGEST = ("races", "judge")


class Attempt:
    """One way out.

    cmd       shell text; {w} {o} {home} {bawn} {t} {esc} {token} {run_id} are filled in, as in config and opts
    before    called with the scene before the run: makes files, starts what stands outside
    during    called with the scene and the process while it runs
    effect    called with the scene after the run; True means that it got out
    leak      the secret on stdout or stderr means that it got out
    mode      the sandbox mode; None when `config` chooses a profile with -P test
    config    text of $BAWN_HOME/config.toml
    opts      more options of `bawn sandbox`
    user      "dev" or "root"; needs_root: the scene takes root to lay out
    refusal   not to start at all (status 125) is an answer too
    o_changes the bystanders change O themselves, so that only `effect` judges
    needs     a path that must exist on this kernel for the attempt to mean anything
    inside    what to run inside instead of `cmd` (for attacks on bawn itself, not from within)
    """

    def __init__(self, name, cmd, before=None, during=None, effect=None, leak=False,
                 mode="workspace-write", config="", opts=(), user="dev", needs_root=False, refusal=False,
                 o_changes=False, needs=None, inside=None, tty=None, timeout=TIMEOUT):
        self.__dict__.update({k: v for k, v in locals().items() if k != "self"})
        self.theme = ""


def load(path):
    scope = {"A": Attempt, "BACKEND": BACKEND, "STARTS": STARTS}
    sys.path.insert(0, HERE)
    with open(path, "rb") as f:
        exec(compile(f.read(), path, "exec"), scope)
    for a in scope["ATTEMPTS"]:
        a.theme = os.path.basename(path)[:-3]
    return scope["ATTEMPTS"]


def program_dir():
    """The C program, compiled once for all, where everybody may run it."""
    d = tempfile.mkdtemp(prefix="bawn-escape-bin.", dir="/var/tmp")
    os.chmod(d, 0o755)
    src = [os.path.join(HERE, "src", f) for f in sorted(os.listdir(os.path.join(HERE, "src")))
           if f.endswith(".c")]
    cc = os.environ.get("CC", "cc").split()
    flags = ["-std=gnu17", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Wno-missing-field-initializers"]
    subprocess.run([*cc, *flags, "-o", d + "/escape", *src, "-lrt"], check=True)
    # a library whose loading shows, outside, in which program it was loaded
    subprocess.run([*cc, *flags, "-shared", "-fPIC", "-o", d + "/evil.so",
                    os.path.join(HERE, "src", "lib", "evil.c")], check=True)
    return d


class Scene:
    """A scratch area and everything that stands in it for one run."""

    def __init__(self, attempt, program, inside):
        self.attempt, self.inside = attempt, inside
        self.run_id = secrets.token_hex(8)
        self.token = "tk" + secrets.token_hex(10)
        self.user = attempt.user
        root = os.geteuid() == 0
        who = pwd.getpwnam(os.environ.get("BAWN_TEST_USER", "dev")) if root and self.user != "root" else None
        self.ids = (who.pw_uid, who.pw_gid) if who else None
        self.uid = who.pw_uid if who else os.getuid()
        self.t = tempfile.mkdtemp(prefix="bawn-escape.", dir="/var/tmp")
        os.chmod(self.t, 0o755)
        self.bin = program
        self.esc = program + "/escape"
        self.evil = program + "/evil.so"
        self.w, self.o, self.home, self.bawn = (f"{self.t}/{d}" for d in ("w", "o", "home", "bawn"))
        self.stack = contextlib.ExitStack()
        self.pass_fds, self.stdin, self.env, self.launcher = [], None, {}, []
        self.drop_env, self.argv_prefix, self.cwd = (), [], self.w
        self.stdout_fd, self.stderr_fd = None, None
        self.notes, self.data = [], {}
        self.output, self.status = "", None
        self.more_opts = []
        for d in (self.w, self.o, self.home, self.bawn):
            os.mkdir(d, 0o755)
        os.chmod(self.bawn, 0o700)
        self.put(f"{self.o}/file", "outside\n")
        self.put(f"{self.o}/secret", self.token + "\n")
        self.own(self.t)

    # ---- laying out ----

    def fill(self, text):
        for k in ("w", "o", "home", "bawn", "t", "esc", "token", "run_id", "evil"):
            text = text.replace("{" + k + "}", getattr(self, k))
        return text

    def own(self, path):
        if self.ids:
            for base, dirs, files in os.walk(path):
                for p in [base] + [os.path.join(base, f) for f in dirs + files]:
                    os.chown(p, *self.ids, follow_symlinks=False)

    def put(self, path, text="x\n", mode=None):
        """A file, with the directories above it, owned by whoever tries."""
        path = self.fill(path) if isinstance(path, str) else path
        d = os.path.dirname(path)
        made = []
        while d and not os.path.isdir(d):
            made.append(d)
            d = os.path.dirname(d)
        for d in reversed(made):
            os.mkdir(d, 0o755)
        with open(path, "wb") as f:
            f.write(self.fill(text).encode() if isinstance(text, str) else text)
        if mode is not None:
            os.chmod(path, mode)
        if self.ids:
            for p in made + [path]:
                os.chown(p, *self.ids)

    def mkdir(self, path):
        path = self.fill(path)
        os.makedirs(path, exist_ok=True)
        if self.ids:
            p = path
            while p.startswith(self.t):
                os.chown(p, *self.ids)
                p = os.path.dirname(p)

    def link(self, target, path):
        path = self.fill(path)
        self.mkdir(os.path.dirname(path))
        os.symlink(self.fill(target), path)
        if self.ids:
            os.chown(path, *self.ids, follow_symlinks=False)

    def sh(self, text, **kw):
        """Runs shell text outside, as whoever tries, and returns what it printed."""
        return subprocess.run(["/bin/sh", "-ec", self.fill(text)], env=self.environ(), cwd=self.w,
                              stdout=subprocess.PIPE, check=True, timeout=20, **self.as_user(), **kw
                              ).stdout.decode(errors="replace")

    def outside(self, *argv, **kw):
        """Starts something that stands outside until the run is over."""
        p = subprocess.Popen([self.fill(a) for a in argv], env={**self.environ(), **kw.pop("env", {})},
                             cwd=kw.pop("cwd", self.o), stdin=subprocess.DEVNULL, **self.as_user(), **kw)
        self.stack.callback(self.end, p)
        return p

    @staticmethod
    def end(p):
        if p.poll() is None:
            p.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            p.wait(10)

    def as_user(self):
        return {"user": self.ids[0], "group": self.ids[1], "extra_groups": []} if self.ids else {}

    def keep(self, fd, number=None):
        """A descriptor that the caller leaves open, under a number of our choice."""
        if number is not None and fd != number:
            os.dup2(fd, number, inheritable=True)
            self.pass_fds.append(number)
            self.stack.callback(self.shut, number)
            self.stack.callback(self.shut, fd)
            return number
        os.set_inheritable(fd, True)
        self.pass_fds.append(fd)
        self.stack.callback(self.shut, fd)
        return fd

    @staticmethod
    def shut(fd):
        with contextlib.suppress(OSError):
            os.close(fd)

    def wait_for(self, path, seconds=5):
        path = self.fill(path)
        end = time.monotonic() + seconds
        while not os.path.lexists(path):
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True

    def victim(self, program="victim"):
        p = self.outside("{esc}", program, "{o}/secret", "{w}/victim", "{o}/file",
                         env={"ESC_HELD": self.token}, cwd=self.o)
        if not self.wait_for("{w}/victim"):
            raise RuntimeError("the victim did not start")
        self.data["victim"] = p
        return p

    # ---- running ----

    def environ(self):
        env = {k: v for k, v in os.environ.items()
               if k in ("PATH", "LANG", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")}
        env.setdefault("PATH", "/usr/local/bin:/usr/bin:/bin")
        # what root alone may read is not on an ordinary user's PATH
        env["PATH"] = ":".join(p for p in env["PATH"].split(":") if not p.startswith("/root"))
        env.update(HOME=self.home, BAWN_HOME=self.bawn, ESC_RUN=self.run_id, TERM="dumb")
        env.update({k: self.fill(v) for k, v in self.env.items()})
        return {k: v for k, v in env.items() if k not in self.drop_env}

    def argv(self, text=None):
        a = self.attempt
        text = text or (a.inside if self.inside and a.inside else a.cmd)
        command = ["/bin/sh", "-c", f"echo {RAN}; " + self.fill(text)]
        if not self.inside:
            return [self.fill(x) for x in self.argv_prefix] + command
        bawn = os.path.abspath(os.environ["BAWN"])
        how = ["-s", a.mode] if a.mode else (["-P", "test"] if a.config else [])
        return [self.fill(x) for x in self.argv_prefix] + [
            bawn, "sandbox", *how, "-c", f'sandbox_backend="{BACKEND}"', *self.more_opts, *(self.fill(o) for o in a.opts),
            "--", *command]

    def tree(self):
        """What O holds: names, kinds, modes, sizes, contents, links."""
        seen = {}
        for base, dirs, files in os.walk(os.fsencode(self.o)):
            for name in [b"."] + dirs + files:
                p = os.path.join(base, name)
                try:
                    st = os.lstat(p)
                    body = b""
                    if os.path.isfile(p) and not os.path.islink(p):
                        with open(p, "rb") as f:
                            body = f.read(4096)
                    seen[p] = (st.st_mode, st.st_size if body else 0, st.st_nlink, body)
                except OSError:
                    pass
        return seen

    def run(self):
        a = self.attempt
        if a.config:
            self.put(f"{self.bawn}/config.toml", a.config)
        if a.before:
            a.before(self)
        before = self.tree()
        with open(f"{self.t}/output", "w+b") as out:
            if a.tty:
                a.tty(self, out)
            else:
                p = subprocess.Popen(self.argv(), env=self.environ(), cwd=self.cwd, pass_fds=self.pass_fds,
                                     stdin=subprocess.DEVNULL if self.stdin is None else self.stdin,
                                     stdout=out if self.stdout_fd is None else self.stdout_fd,
                                     stderr=out if self.stderr_fd is None else self.stderr_fd,
                                     start_new_session=True, **self.as_user())
                self.stack.callback(self.end, p)
                if a.during:
                    a.during(self, p)
                try:
                    self.status = p.wait(a.timeout)
                except subprocess.TimeoutExpired:
                    self.notes.append("did not end")
                    p.kill()
                    self.status = p.wait()
            out.seek(0)
            self.output = out.read().decode(errors="replace")
        effect = a.effect(self) if a.effect else None
        after = self.tree()
        changed = [] if a.o_changes else sorted(p for p in before.keys() | after.keys()
                                                if before.get(p) != after.get(p))
        leaked = a.leak and self.token in self.output
        if a.effect:
            got_out = bool(effect)
        elif a.leak:
            got_out = leaked
        else:
            got_out = self.status == 0
        if self.inside and (changed or leaked):
            if changed:
                self.notes.append("the directory outside changed: " + ", ".join(
                    os.fsdecode(p)[len(self.o) + 1:] + ("" if p in after else " is gone") for p in changed[:4]))
            got_out = True
        return got_out

    def close(self):
        self.stack.close()
        for _ in range(20):
            if not self.kill_left():
                break
            time.sleep(0.02)
        self.let_tidy_up()
        shutil.rmtree(os.fsencode(self.t), ignore_errors=True)
        if os.path.exists(self.t):
            subprocess.run(["chmod", "-R", "u+rwX", self.t], stderr=subprocess.DEVNULL)
            shutil.rmtree(os.fsencode(self.t), ignore_errors=True)

    def let_tidy_up(self):
        """A bawn that was killed left placeholders, perhaps in /tmp, and a journal of them in its home: the
        next start that finds the journal removes them. That start is here, before the home goes."""
        journals = [os.path.join(d, f) for d, _, files in os.walk(self.t) for f in files
                    if os.path.basename(d) == "placeholders"]
        if self.inside and journals:
            subprocess.run(self.argv("true"), env=self.environ(), cwd=self.cwd, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=TIMEOUT,
                           **self.as_user())

    def kill_left(self):
        """Ends what this run left behind: known by a variable in its environment."""
        mark, found = f"ESC_RUN={self.run_id}".encode(), 0
        for pid in os.listdir("/proc"):
            if pid.isdigit() and int(pid) != os.getpid():
                try:
                    with open(f"/proc/{pid}/environ", "rb") as f:
                        if mark in f.read():
                            os.kill(int(pid), signal.SIGKILL)
                            found += 1
                except OSError:
                    pass
        return found


def once(attempt, program, inside, opts=()):
    scene = Scene(attempt, program, inside)
    scene.more_opts = list(opts)
    try:
        return scene.run(), scene
    except Exception as e:  # a scene that cannot be laid out is a failed control
        scene.notes.append(f"{type(e).__name__}: {e}")
        return None, scene
    finally:
        scene.close()


def judge(attempt, program, bare_only=False, seen=False):
    """(verdict, scene): None is a pass."""
    label = f"{attempt.theme}/{attempt.name}"
    # A control is the same for every backend, but the bundled one may leave the attempt out.
    if not seen or limits.reason("bundled", label):
        out, bare = once(attempt, program, False)
        if not out:
            return "the control did not get out", bare
        if bare_only:
            return None, bare
    out, inside = once(attempt, program, True)
    if out:
        return "GOT OUT", inside
    if out is None or inside.notes:
        return "could not be judged inside", inside
    if BACKEND == "landlock" and inside.status == 125 and not limits.about_names(label):
        # it cannot hold a missing name in a writable tree and says so; without such names it has to work
        out, inside = once(attempt, program, True, NO_NAMES)
        if out:
            return "GOT OUT", inside
        if out is None or inside.notes:
            return "could not be judged inside", inside
    if RAN not in inside.output and not inside.data.get("ran"):
        refused = inside.status == 125 or "bawn: " in inside.output
        if not (refused and (attempt.refusal or BACKEND == "landlock")):
            return f"the command did not run (status {inside.status})", inside
    return None, inside


def cannot_start(program):
    """The simplest start there is, before a hundred that fail for the same reason."""
    scene = Scene(Attempt("start", "true"), program, True)
    if BACKEND == "landlock":
        scene.more_opts = list(NO_NAMES)
    try:
        scene.run()
        return None if RAN in scene.output else scene.output.strip() or f"status {scene.status}"
    finally:
        scene.close()


def tell(attempt, program, verbose, bare_only, seen):
    """(whether it passed, what there is to say) of one attempt."""
    verdict, scene = judge(attempt, program, bare_only, seen)
    label = f"{attempt.theme}/{attempt.name}"
    text = [f"FAIL  {label}: {verdict}" + "".join(f"; {n}" for n in scene.notes) if verdict else f"ok    {label}"]
    if verbose or verdict:
        text += ["        | " + line for line in scene.output.strip().splitlines()[:12]]
    if verdict:
        text.append(f"        | status {scene.status}")
    return verdict is None, "\n".join(text)


def beside(jobs, attempts, program, tell_one):
    """Yields what tell_one says of each, `jobs` at a time. Each has a process of its own: an attempt may put
    any descriptor number in the place of another, and one that dies is one that failed."""
    waiting, running = list(reversed(attempts)), {}
    while waiting or running:
        while waiting and len(running) < jobs:
            a = waiting.pop()
            path = f"{program}/told.{len(waiting)}"
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    good, text = tell_one(a)
                    with open(path, "w", encoding="utf-8", errors="replace") as f:
                        f.write(text)
                    code = 0 if good else 3
                except BaseException:
                    traceback.print_exc()
                finally:
                    sys.stdout.flush()
                    os._exit(code)
            running[pid] = a, path
        pid, status = os.wait()
        a, path = running.pop(pid)
        code = os.waitstatus_to_exitcode(status)
        if code in (0, 3):
            with open(path, encoding="utf-8") as f:
                yield code == 0, f.read()
            os.unlink(path)
        else:
            yield False, f"FAIL  {a.theme}/{a.name}: the test itself ended with {code}"


def run_all(attempts, verbose, bare_only=False, seen=False, jobs=1):
    if not os.environ.get("BAWN") and not bare_only:
        print("run: BAWN is not set", file=sys.stderr)
        return 2
    program = program_dir()
    if not bare_only:
        why = cannot_start(program)
        if why:
            print(f"run: the {BACKEND} backend does not start here at all: {why}", file=sys.stderr)
            shutil.rmtree(program, ignore_errors=True)
            print("0 passed, 1 failed")
            return 1
    passed = failed = 0
    chosen, left = [], []
    for a in attempts:
        label = f"{a.theme}/{a.name}"
        why = limits.reason(BACKEND, label)
        if (a.user == "root" or a.needs_root) and os.geteuid() != 0:
            left.append(label)
        elif a.needs and not os.path.exists(a.needs):
            print(f"  -   {label}: this machine has no {a.needs} to reach", flush=True)
        elif why:
            print(f"  -   {label}: not held by {BACKEND}: {why}", flush=True)
        else:
            chosen.append(a)
    # Most of an attempt is waiting, so several run at a time; those that wait longest begin.
    chosen.sort(key=lambda a: a.theme not in LONGEST)
    try:
        for good, text in beside(jobs, chosen, program, lambda a: tell(a, program, verbose, bare_only, seen)):
            passed += good
            failed += not good
            print(text, flush=True)
        if left:
            print(f"  -   {len(left)} attempts take root and were left out: {', '.join(left)}")
    finally:
        shutil.rmtree(program, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0

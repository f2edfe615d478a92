"""Names that change while a sandbox is being set up: somebody outside (or an earlier sandbox in the same
workspace) exchanges a directory for a link, over and over, while many starts run. A start may be refused;
none may come out wrong."""
import os
import subprocess


def many(s, out):
    """Runs the command over and over under the race; the output of all is kept."""
    count = STARTS if s.inside else 40
    ran = 0
    for _ in range(count):
        try:
            p = subprocess.run(s.argv(), env=s.environ(), cwd=s.cwd, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20,
                               **s.as_user())
        except subprocess.TimeoutExpired:
            s.notes.append("a start did not end")
            break
        s.status = p.returncode
        ran += b"the attempt ran" in p.stdout
        out.write(p.stdout)
        if s.token.encode() in p.stdout:
            break
        if s.inside and (s.data.get("stop") or (lambda _: False))(s):
            break
    s.data["ran"] = ran > 0
    if s.inside:
        out.write(f"\n{ran} of {count} starts ran the command\n".encode())


def swapping(a, b):
    return lambda s: s.outside("{esc}", "swap", a, b)


def steps(*fs):
    def before(s):
        for f in fs:
            f(s)
    return before


def mask_scene(s):
    s.put("{w}/a/secret", "{token}\n")
    s.mkdir("{o}/x")
    s.link("{o}/x", "{w}/b")


def mask_file_scene(s):
    s.put("{w}/key", "{token}\n")
    s.link("{o}/file", "{w}/other")


def glob_scene(s):
    s.put("{w}/a/x.env", "{token}\n")
    s.put("{w}/a/y.env", "{token}\n")
    s.mkdir("{o}/x")
    s.link("{o}/x", "{w}/b")


def git_scene(s):
    s.sh("git init -q {w}")
    s.mkdir("{o}/x")
    s.link("{o}/x", "{w}/other")


def missing_scene(s):
    s.mkdir("{o}/x")
    s.link("{o}/x", "{w}/sub2")
    s.mkdir("{w}/sub")


def nested_scene(s):
    """A nested repository below the name that changes: its hooks are what gets mounted over."""
    s.sh("git init -q {w}/sub/r")
    s.mkdir("{o}/x/r/.git/hooks")
    s.link("{o}/x", "{w}/sub2")


def placeholder_thief(s):
    s.outside("/bin/sh", "-c", "while :; do rmdir {w}/.git {w}/.codex {w}/.agents 2>/dev/null; done")


def placeholder_replacer(s):
    s.outside("/bin/sh", "-c", "while :; do rmdir {w}/.git 2>/dev/null && ln -s {o} {w}/.git; rm -f {w}/.git; "
              "done 2>/dev/null")


def profile(body):
    return '[permissions.test]\nextends = ":workspace"\n[permissions.test.filesystem]\n' + body + "\n"


def reading(*names):
    """Reads by names that the policy covers, while they change."""
    files = " ".join(names)
    return f"for i in $(seq 30); do for f in {files}; do cat $f; done; done 2>/dev/null; true"


ATTEMPTS = [
    A("mask-file-in-directory", reading("a/secret"), tty=many, leak=True, mode=None, refusal=True,
      before=steps(mask_scene, swapping("{w}/a", "{w}/b")),
      config=profile('"{w}/a/secret" = "none"\n"{o}/secret" = "none"')),
    A("mask-directory", reading("a/secret", "a/../a/secret"), tty=many, leak=True, mode=None, refusal=True,
      before=steps(mask_scene, swapping("{w}/a", "{w}/b")), config=profile('"{w}/a" = "none"')),
    A("mask-file", reading("key"), tty=many, leak=True, mode=None, refusal=True,
      before=steps(mask_file_scene, swapping("{w}/key", "{w}/other")),
      config=profile('"{w}/key" = "none"')),
    A("mask-glob", reading("a/x.env", "b/x.env", "a/y.env", "b/y.env"), tty=many, leak=True, mode=None,
      refusal=True, before=steps(glob_scene, swapping("{w}/a", "{w}/b")),
      config=profile('":project_roots" = { "**/*.env" = "none" }')),
    # whatever the name is at the moment, the directory outside stays as it is
    A("git-is-a-link", "for d in .git other {o} {o}/x; do echo x > $d/new; mkdir $d/d; done 2>/dev/null; true",
      tty=many, before=steps(git_scene, swapping("{w}/.git", "{w}/other")), refusal=True,
      effect=lambda s: _written(f"{s.o}/new", f"{s.o}/d", f"{s.o}/x/new", f"{s.o}/x/d")),
    A("protected-below-a-link", "for d in sub sub2 {o} {o}/x; do echo x > $d/new; mkdir $d/d; done 2>/dev/null; "
      "true", tty=many, before=steps(nested_scene, swapping("{w}/sub", "{w}/sub2")), refusal=True,
      effect=lambda s: _written(f"{s.o}/new", f"{s.o}/d", f"{s.o}/x/new", f"{s.o}/x/d")),
    A("writable-tree", "for d in sub sub2 {o} {o}/x; do echo x > $d/new; done 2>/dev/null; true", tty=many,
      before=steps(missing_scene, swapping("{w}/sub", "{w}/sub2")), refusal=True,
      effect=lambda s: _written(f"{s.o}/new", f"{s.o}/x/new")),
    A("placeholder-stolen", "mkdir .git .codex .agents; for d in .git .codex .agents; do echo x > $d/x; done "
      "2>/dev/null; true", tty=many, before=placeholder_thief, refusal=True,
      effect=lambda s: _written(f"{s.w}/.git/x", f"{s.w}/.codex/x", f"{s.w}/.agents/x")),
    A("placeholder-replaced", "echo x > .git/new; echo x > {o}/new; true", tty=many, refusal=True,
      before=placeholder_replacer, effect=lambda s: _written(f"{s.o}/new")),
]


def _written(*paths):
    return any(os.path.lexists(p) for p in paths)

"""Attacks on whoever judges calls for the command: with a deny glob, opens are judged; with an exact
entry, renames are. The judge stands outside and has its own /proc, its own rights, its own directory."""
import os


def profile(body):
    return '[permissions.test]\nextends = ":workspace"\n[permissions.test.filesystem]\n' + body + "\n"


GLOB = profile('":project_roots" = { "**/*.env" = "none" }')
DEEP = profile('":project_roots" = { "a/b/secret" = "none" }')
WAIT = "touch ready; for i in $(seq 200); do test -e go && break; sleep 0.05; done; "


def late(make=None):
    def during(s, p):
        s.wait_for("{w}/ready")
        (make or (lambda s: s.put("{w}/late.env", "{token}\n")))(s)
        s.put("{w}/go")
    return during


def fine(s):
    s.put("{w}/fine", "fine\n")


def held(s):
    s.env["ESC_HELD"] = "{token}"


def directory(s):
    s.keep(os.open(s.o, os.O_RDONLY), 5)


def other_owner(s):
    s.put("{w}/theirs", "{token}\n", 0o600)
    os.chown(f"{s.w}/theirs", 12345, 12345)


EXCLUDE = ("-c", 'shell_environment_policy.exclude=["ESC_HELD"]')
BOTH = {"mode": None, "config": GLOB, "leak": True}

ATTEMPTS = [
    A("path-in-memory-read", WAIT + "{esc} racing-read fine late.env", before=fine, during=late(), timeout=90,
      **BOTH),
    A("path-in-memory-read-absolute", WAIT + "{esc} racing-read {w}/fine {w}/late.env", before=fine,
      during=late(), timeout=90, **BOTH),
    A("path-in-memory-write", "{esc} racing-write {w}/fine {o}/new", before=fine, mode=None, config=GLOB,
      timeout=90, effect=lambda s: os.path.lexists(f"{s.o}/new")),
    A("path-by-link", WAIT + "{esc} racing-link-read {w}/l {w}/fine {w}/late.env", before=fine, during=late(),
      timeout=90, **BOTH),
    A("path-by-directory", WAIT + "{esc} racing-directory-read d e x.env",
      before=lambda s: (s.put("{w}/d/y"), s.put("{w}/e/y")),
      during=late(lambda s: s.put("{w}/d/x.env", "{token}\n")), timeout=90, **BOTH),
    A("rename-in-memory", "mkdir q; {esc} racing-rename q a z && cat z/b/secret",
      before=lambda s: s.put("{w}/a/b/secret", "{token}\n"), mode=None, config=DEEP, leak=True, timeout=90),
    A("rename-by-descriptor", "exec 3< .; mv /proc/self/fd/3/a z; cat z/b/secret",
      before=lambda s: s.put("{w}/a/b/secret", "{token}\n"), mode=None, config=DEEP, leak=True),
    A("rename-by-cwd", "cd a; mv ../a ../z; cat ../z/b/secret",
      before=lambda s: s.put("{w}/a/b/secret", "{token}\n"), mode=None, config=DEEP, leak=True),
    A("rename-by-link", "ln -s . here; mv here/a here/z; cat z/b/secret",
      before=lambda s: s.put("{w}/a/b/secret", "{token}\n"), mode=None, config=DEEP, leak=True),
    A("rename-over", "mkdir -p n/a/b; mv -T a gone; mv -T n/a a; echo x > a/b/secret; test ! -s gone/b/secret; "
      "cat gone/b/secret", before=lambda s: s.put("{w}/a/b/secret", "{token}\n"), mode=None, config=DEEP,
      leak=True),
    A("judges-environment", "cat /proc/self/environ", before=held, opts=EXCLUDE, **BOTH),
    A("judges-environment-by-thread", "cat /proc/thread-self/environ", before=held, opts=EXCLUDE, **BOTH),
    A("judges-descriptors", "for i in 3 4 5 6 7 8 9 10 11 12; do echo x > /proc/self/fd/$i/new; done; true",
      before=directory, mode=None, config=GLOB, effect=lambda s: os.path.exists(f"{s.o}/new")),
    A("judges-directory", "echo x > /proc/self/cwd/new", before=lambda s: setattr(s, "cwd", s.o),
      opts=("-C", "{w}"), mode=None, config=GLOB, effect=lambda s: os.path.lexists(f"{s.o}/new")),
    A("judges-root", "cat /proc/self/root{o}/secret", mode=None, leak=True,
      config=profile('":project_roots" = { "**/*.env" = "none" }\n"{o}/secret" = "none"')),
    A("judges-mounts", "echo x > {o}/new", mode=None, config=GLOB),
    A("judges-rights", "cat {w}/theirs", before=other_owner, user="root", **BOTH),
    A("rights-unwatched", "cat {w}/theirs", before=other_owner, user="root", leak=True),
    A("other-owner-write", "echo x > {w}/theirs", before=other_owner, user="root", mode=None, config=GLOB,
      effect=lambda s: open(f"{s.w}/theirs").read() != s.token + "\n"),
    A("judges-terminal", "test -c /dev/kmsg && exec 3<> /dev/kmsg", user="root", mode=None, config=GLOB),
    A("placeholder-name-by-descriptor", "exec 3< .; mkdir /proc/self/fd/3/.git", mode=None, config=GLOB,
      effect=lambda s: os.path.lexists(f"{s.w}/.git")),
]

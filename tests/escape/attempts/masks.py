"""Reading what a mask hides: by every call, by other names for it, and after it has moved."""
import os
import time


def profile(body):
    return ('[permissions.test]\nextends = ":workspace"\n[permissions.test.filesystem]\n' + body + "\n")


EXACT = profile('"{o}/secret" = "none"')
DIRECTORY = profile('"{o}/box" = "none"')
GLOB = profile('":project_roots" = { "**/*.env" = "none" }')
DEEP = profile('":project_roots" = { "a/b/secret" = "none" }')


def env(path="{w}/app.env", mode=None):
    return lambda s: s.put(path, "{token}\n", mode)


def secret_script(s):
    s.put("{o}/secret", "#!/bin/sh\necho {token}\n", 0o755)


def box(s):
    s.put("{o}/box/inner/key", "{token}\n")
    s.put("{o}/box/{token}", "x\n")


def late(make):
    """Waits for the command to be running, then does `make` outside, then lets it go on."""
    def during(s, p):
        s.wait_for("{w}/ready")
        time.sleep(0.1)
        make(s)
        s.put("{w}/go")
    return during


WAIT = "touch ready; for i in $(seq 200); do test -e go && break; sleep 0.05; done; "


def by_rename(s):
    s.put("{o}/fresh", "{token}\n")
    os.rename(f"{s.o}/fresh", f"{s.w}/late.env")


def instead(path):
    """What a person does who finds an empty directory where a file is wanted."""
    def make(s):
        p = s.fill(path)
        while p != s.w:
            if os.path.isdir(p) and not os.listdir(p):
                os.rmdir(p)
            p = os.path.dirname(p)
        s.put(path, "{token}\n")
    return make


def by_editor(path):
    def make(s):
        s.put(path + ".swp", "new {token}\n")
        os.rename(s.fill(path + ".swp"), s.fill(path))
    return make


def tree_in(s):
    s.put("{o}/tree/x/deep.env", "{token}\n")
    os.rename(f"{s.o}/tree", f"{s.w}/tree")


def odd_name(name):
    return lambda s: s.put(os.fsencode(s.w) + b"/" + name, "{token}\n")


ATTEMPTS = [
    A("exact-cat", "cat {o}/secret", mode=None, config=EXACT, leak=True),
    A("exact-mmap", "{esc} mmap {o}/secret", mode=None, config=EXACT, leak=True),
    A("exact-copy-file-range", "{esc} copy-file-range {o}/secret {w}/s", mode=None, config=EXACT, leak=True),
    A("exact-sendfile", "{esc} sendfile {o}/secret {w}/s", mode=None, config=EXACT, leak=True),
    A("exact-splice", "{esc} splice {o}/secret {w}/s", mode=None, config=EXACT, leak=True),
    A("exact-exec", "{o}/secret", before=secret_script, mode=None, config=EXACT, leak=True),
    A("exact-interpreter", "sh {o}/secret", before=secret_script, mode=None, config=EXACT, leak=True),
    A("exact-size", "{esc} size {o}/secret 23", mode=None, config=EXACT),
    A("exact-hardlink", "{esc} link {w}/k {w}/l && cat {w}/l", before=env("{w}/k"), mode=None,
      config=profile('"{w}/k" = "none"'), leak=True),
    A("exact-hardlink-descriptor", "{esc} link-fd {w}/k {w}/l && cat {w}/l", before=env("{w}/k"), mode=None,
      config=profile('"{w}/k" = "none"'), leak=True),
    A("exact-rename", "mv {w}/k {w}/l && cat {w}/l", before=env("{w}/k"), mode=None,
      config=profile('"{w}/k" = "none"'), leak=True),
    A("exact-exchange", "echo x > f; {esc} exchange {w}/k {w}/f && cat {w}/f", before=env("{w}/k"),
      mode=None, config=profile('"{w}/k" = "none"'), leak=True),
    A("exact-replace", "echo mine > f; mv f {w}/k", before=env("{w}/k"), mode=None,
      config=profile('"{w}/k" = "none"'),
      effect=lambda s: open(f"{s.w}/k").read() != s.token + "\n"),
    A("exact-unlink", "rm -f {w}/k", before=env("{w}/k"), mode=None, config=profile('"{w}/k" = "none"'),
      effect=lambda s: not os.path.exists(f"{s.w}/k")),
    A("exact-overwrite", "echo x > {w}/k", before=env("{w}/k"), mode=None,
      config=profile('"{w}/k" = "none"'),
      effect=lambda s: open(f"{s.w}/k").read() != s.token + "\n"),
    A("exact-ancestor-rename", "mv a z && cat z/b/secret", before=env("{w}/a/b/secret"), mode=None,
      config=DEEP, leak=True),
    A("exact-parent-rename", "mv a/b a/z && cat a/z/secret", before=env("{w}/a/b/secret"), mode=None,
      config=DEEP, leak=True),
    A("exact-ancestor-exchange", "mkdir y; {esc} exchange a y && cat y/b/secret",
      before=env("{w}/a/b/secret"), mode=None, config=DEEP, leak=True),
    A("exact-ancestor-next-run", "mv a z; true", before=env("{w}/a/b/secret"), mode=None, config=DEEP,
      effect=lambda s: os.path.exists(f"{s.w}/z/b/secret")),
    A("exact-by-alias", "cat {t}/alias/k", before=lambda s: (env("{w}/k")(s), s.link("{w}", "{t}/alias")),
      mode=None, config=profile('"{w}/k" = "none"'), leak=True),
    A("alias-by-exact", "cat {w}/k", before=lambda s: (env("{w}/k")(s), s.link("{w}", "{t}/alias")),
      mode=None, config=profile('"{t}/alias/k" = "none"'), leak=True),
    A("exact-proc-root", "cat /proc/self/root{o}/secret || cat /proc/1/root{o}/secret", mode=None,
      config=EXACT, leak=True),
    A("exact-proc-cwd", "cd {o}; cat /proc/self/cwd/secret", mode=None, config=EXACT, leak=True),
    A("exact-by-handle", "{esc} handle {o}/secret {w}", mode=None, config=EXACT, leak=True, user="root"),
    A("exact-by-forged-handle", "{esc} forged-handle $(cat {w}/ino) $(cat {w}/gen) {w}", mode=None,
      config=EXACT, leak=True, user="root",
      before=lambda s: (s.put("{w}/gen", s.sh("{esc} generation {o}/secret")),
                        s.put("{w}/ino", str(os.stat(f"{s.o}/secret").st_ino)))),
    A("exact-as-root", "cat {o}/secret", mode=None, config=EXACT, leak=True, user="root"),
    A("exact-tar", "tar -cf - -C {o} secret", mode=None, config=EXACT, leak=True),
    A("symlink-match-readlink", "{esc} readlink {w}/l", before=lambda s: s.link("/x/{token}", "{w}/l"),
      mode=None, config=profile('"{w}/l" = "none"'), leak=True),
    A("symlink-match-link", "cat {w}/l", before=lambda s: s.link("{o}/secret", "{w}/l"), mode=None,
      config=profile('"{w}/l" = "none"'), leak=True),
    A("symlink-match-target", "cat {o}/secret", before=lambda s: s.link("{o}/secret", "{w}/l"), mode=None,
      config=profile('"{w}/l" = "none"'), leak=True),
    A("glob-symlink-target", "cat {o}/secret", before=lambda s: s.link("{o}/secret", "{w}/l.env"),
      mode=None, config=GLOB, leak=True),
    A("directory-list", "ls -a {o}/box", before=box, mode=None, config=DIRECTORY, leak=True),
    A("directory-getdents", "{esc} list {o}/box", before=box, mode=None, config=DIRECTORY, leak=True),
    A("directory-below", "cat {o}/box/inner/key", before=box, mode=None, config=DIRECTORY, leak=True),
    A("directory-find", "find {o} -type f -exec cat {} +", before=box, mode=None,
      config=profile('"{o}/box" = "none"\n"{o}/secret" = "none"'), leak=True),
    A("directory-rename", "mv {w}/box {w}/b2; cat {w}/b2/key", before=env("{w}/box/key"), mode=None,
      config=profile('"{w}/box" = "none"'), leak=True),
    A("reopened-siblings", "cat {o}/box/key; ls -a {o}/box",
      before=lambda s: (s.put("{o}/box/key", "{token}\n"), s.put("{o}/box/open/readme", "fine\n"),
                        s.put("{o}/box/{token}", "x\n")), mode=None,
      config=profile('"{o}/box" = "none"\n"{o}/box/open" = "read"'), leak=True),
    A("reopened-dotdot", "cd {o}/box/open; cat ../key; ls ..",
      before=lambda s: (s.put("{o}/box/key", "{token}\n"), s.put("{o}/box/open/readme", "fine\n")),
      mode=None, config=profile('"{o}/box" = "none"\n"{o}/box/open" = "read"'), leak=True),
    A("glob-plain", "cat app.env", before=env(), mode=None, config=GLOB, leak=True),
    A("glob-hidden", "cat .hidden.env", before=env("{w}/.hidden.env"), mode=None, config=GLOB, leak=True),
    A("glob-only-suffix", "cat .env", before=env("{w}/.env"), mode=None, config=GLOB, leak=True),
    A("glob-deep", "cat a/b/c/d/x.env", before=env("{w}/a/b/c/d/x.env"), mode=None, config=GLOB, leak=True),
    A("glob-ignored", "cat node_modules/x/.env",
      before=lambda s: (s.put("{w}/.gitignore", "node_modules\n"), env("{w}/node_modules/x/.env")(s)),
      mode=None, config=GLOB, leak=True),
    A("glob-not-utf8", "cat *.env", before=odd_name(b"\xff\xfe\x80.env"), mode=None, config=GLOB, leak=True),
    A("glob-newline", "cat *.env", before=odd_name(b"two\nlines.env"), mode=None, config=GLOB, leak=True),
    A("glob-spaces", "cat *.env", before=odd_name(b" a b\t\\040c .env"), mode=None, config=GLOB, leak=True),
    A("glob-not-utf8-directory", "cat */x.env",
      before=lambda s: s.put(os.fsencode(s.w) + b"/d\xc3\x28/x.env", "{token}\n"), mode=None, config=GLOB,
      leak=True),
    A("glob-directory", "cat keys.env/id", before=env("{w}/keys.env/id"), mode=None, config=GLOB, leak=True),
    A("glob-brackets", "cat id_rsa", before=env("{w}/id_rsa"), mode=None, leak=True,
      config=profile('":project_roots" = { "**/id_[de]*" = "none", "**/id_[!x]sa" = "none" }')),
    A("glob-rename-file", "mv app.env plain && cat plain", before=env(), mode=None, config=GLOB, leak=True),
    A("glob-rename-directory", "mv d e && cat e/app.env", before=env("{w}/d/app.env"), mode=None,
      config=GLOB, leak=True),
    A("glob-rename-tree", "mv d /tmp/{run_id}.d && cat /tmp/{run_id}.d/x/app.env; rm -rf /tmp/{run_id}.d",
      before=env("{w}/d/x/app.env"), mode=None, config=GLOB, leak=True),
    A("glob-hardlink", "{esc} link app.env l && cat l", before=env(), mode=None, config=GLOB, leak=True),
    A("glob-copy-tree", "cp -r {w} /tmp/{run_id}.c; cat /tmp/{run_id}.c/app.env; rm -rf /tmp/{run_id}.c",
      before=env(), mode=None, config=GLOB, leak=True),
    A("glob-git-show", "git hash-object -w app.env >/dev/null; git diff --no-index /dev/null app.env",
      before=env(), mode=None, config=GLOB, leak=True),
    # ---- what comes to match later ----
    A("later-created", WAIT + "cat late.env", mode=None, config=GLOB, leak=True,
      during=late(env("{w}/late.env"))),
    A("later-renamed", WAIT + "cat late.env", mode=None, config=GLOB, leak=True, o_changes=True,
      during=late(by_rename)),
    A("later-mmap", WAIT + "{esc} mmap late.env", mode=None, config=GLOB, leak=True,
      during=late(env("{w}/late.env"))),
    A("later-tree", WAIT + "cat tree/x/deep.env", mode=None, config=GLOB, leak=True, o_changes=True,
      during=late(tree_in)),
    A("later-relative", "mkdir d; cd d; touch ../ready; for i in $(seq 200); do test -e ../go && break; "
      "sleep 0.05; done; cat ../d/late.env", mode=None, config=GLOB, leak=True,
      during=late(env("{w}/d/late.env"))),
    A("later-hardlink", WAIT + "{esc} link late.env l; cat l", mode=None, config=GLOB, leak=True,
      during=late(env("{w}/late.env"))),
    A("later-rename-then-read", WAIT + "mv late.env l; cat l", mode=None, config=GLOB, leak=True,
      during=late(env("{w}/late.env"))),
    A("later-exec", WAIT + "./late.env", mode=None, config=GLOB, leak=True,
      during=late(lambda s: s.put("{w}/late.env", "#!/bin/sh\necho {token}\n", 0o755))),
    A("later-by-symlink", "ln -s late.env l; " + WAIT + "cat l", mode=None, config=GLOB, leak=True,
      during=late(env("{w}/late.env"))),
    A("later-directory-held", "mkdir d; exec 3< d; " + WAIT + "cat /proc/self/fd/3/late.env", mode=None,
      config=GLOB, leak=True, during=late(env("{w}/d/late.env"))),
    A("later-editor-exact", WAIT + "cat {w}/k", before=env("{w}/k"), mode=None,
      config=profile('"{w}/k" = "none"'), leak=True, during=late(by_editor("{w}/k"))),
    A("later-editor-glob", WAIT + "cat app.env", before=env(), mode=None, config=GLOB, leak=True,
      during=late(by_editor("{w}/app.env"))),
    A("later-editor-outside", WAIT + "cat {o}/secret", mode=None, config=EXACT, leak=True, o_changes=True,
      during=late(by_editor("{o}/secret"))),
    A("later-exact-missing", WAIT + "cat {w}/cred", mode=None, config=profile('"{w}/cred" = "none"'),
      leak=True, during=late(instead("{w}/cred"))),
    A("later-exact-was-link", WAIT + "cat {w}/key", mode=None, config=profile('"{w}/key" = "none"'), leak=True,
      before=lambda s: (s.put("{w}/other", "{token}\n"), s.link("{o}/file", "{w}/key")),
      during=late(lambda s: os.rename(f"{s.w}/other", f"{s.w}/key"))),
    A("later-parent-was-link", WAIT + "cat {w}/a/secret", mode=None, config=profile('"{w}/a/secret" = "none"'),
      leak=True, before=lambda s: (s.put("{w}/b/secret", "{token}\n"), s.mkdir("{w}/c"), s.link("c", "{w}/a")),
      during=late(lambda s: (os.unlink(f"{s.w}/a"), os.rename(f"{s.w}/b", f"{s.w}/a")))),
    A("later-parent-missing", WAIT + "cat {w}/a/b/secret", mode=None, leak=True,
      config=profile('"{w}/a/b/secret" = "none"'), during=late(instead("{w}/a/b/secret"))),
    A("later-parent-replaced", WAIT + "cat {w}/a/secret", mode=None, config=profile('"{w}/a/secret" = "none"'),
      leak=True, before=lambda s: (s.put("{w}/a/secret", "{token}\n"), s.put("{w}/b/secret", "{token}\n")),
      during=late(lambda s: (os.rename(f"{s.w}/a", f"{s.w}/c"), os.rename(f"{s.w}/b", f"{s.w}/a")))),
    A("later-exact-missing-outside", WAIT + "cat {o}/cred", mode=None,
      config=profile('"{o}/cred" = "none"'), leak=True, o_changes=True, during=late(env("{o}/cred"))),
    A("later-masked-directory-replaced", WAIT + "cat {w}/box/key", before=env("{w}/box/key"), mode=None,
      config=profile('"{w}/box" = "none"'), leak=True,
      during=late(lambda s: (os.rename(f"{s.w}/box", f"{s.o}/old"), env("{w}/box/key")(s))),
      o_changes=True),
]

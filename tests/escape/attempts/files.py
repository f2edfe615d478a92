"""Writes that must not arrive: outside the workspace, in protected names, through links and renames."""
import glob
import os


def exists(path):
    return lambda s: os.path.lexists(s.fill(path))


def changed(path, was):
    def look(s):
        try:
            with open(s.fill(path), "rb") as f:
                return f.read() != was.encode()
        except OSError:
            return True
    return look


def all_of(*steps):
    def do(s):
        for step in steps:
            step(s)
    return do


def put(path, text="x\n", mode=None):
    return lambda s: s.put(path, text, mode)


def repo(s):
    s.sh("git init -q {w}; cd {w}; git -c user.name=a -c user.email=a@b commit -q --allow-empty -m one")


def worktree(s):
    """The repository lies in a second writable root, the workspace is a worktree of it."""
    s.mkdir("{t}/main")
    s.sh("rmdir {w}; git init -q {t}/main; cd {t}/main; "
         "git -c user.name=a -c user.email=a@b commit -q --allow-empty -m one; "
         "git worktree add -q {w} 2>/dev/null", )


def worktree_safe(s):
    s.cwd = s.t
    s.mkdir("{t}/main")
    s.sh("git init -q {t}/main; cd {t}/main; "
         "git -c user.name=a -c user.email=a@b commit -q --allow-empty -m one; "
         "git worktree add -q {t}/w2 2>/dev/null")
    s.cwd = f"{s.t}/w2"


BOTH = ("-c", 'sandbox_workspace_write.writable_roots=["{t}/main"]')
ROOT2 = ("-c", 'sandbox_workspace_write.writable_roots=["{t}/two"]')


def two(s):
    s.mkdir("{t}/two")


def nested(s):
    s.sh("git init -q {w}/a/b; touch {w}/a/b/f")


ATTEMPTS = [
    # ---- outside the workspace ----
    A("outside-create", "echo x > {o}/new", effect=exists("{o}/new")),
    A("outside-append", "echo x >> {o}/file"),
    A("outside-truncate", "truncate -s 0 {o}/file"),
    A("outside-unlink", "rm -f {o}/file && test ! -e {o}/file"),
    A("outside-chmod", "chmod 777 {o}/file"),
    A("outside-touch", "touch -d 2001-01-01 {o}/file",
      effect=lambda s: os.stat(f"{s.o}/file").st_mtime < 1e9),
    A("outside-mkdir", "mkdir {o}/d"),
    A("outside-symlink", "ln -s /etc {o}/l"),
    A("outside-mkfifo", "mkfifo {o}/p"),
    A("outside-xattr", "{esc} setxattr {o}/file"),
    A("outside-tmpfile", "{esc} tmpfile {o} {o}/new"),
    A("outside-bind-socket", "{esc} bind {o}/sock"),
    A("outside-rename-in", "mv {o}/file {w}/file"),
    A("outside-rename-out", "echo x > {w}/f; mv {w}/f {o}/f"),
    A("outside-exchange", "echo x > {w}/f; {esc} exchange {w}/f {o}/file"),
    A("outside-dotdot", "cd {w} && echo x > ../o/new"),
    A("outside-home", "echo x > {home}/.bashrc", effect=exists("{home}/.bashrc")),
    A("outside-var-tmp", "echo x > {t}/new", effect=exists("{t}/new")),
    A("workspace-rename", "mv {w} {t}/w2", effect=exists("{t}/w2")),
    A("workspace-parent-swap", "mv {w} {t}/w2; mkdir {w}; echo x > {w}/y", effect=exists("{t}/w2")),
    A("symlink-out-write", "ln -s {o} l; echo x > l/new"),
    A("symlink-file-write", "ln -s {o}/file l; echo x >> l"),
    A("symlink-dangling-create", "ln -s {o}/new l; echo x > l"),
    A("symlink-before", "echo x > l/new", before=lambda s: s.link("{o}", "{w}/l")),
    A("hardlink-outside-file", "{esc} link {o}/file {w}/l && echo x >> {w}/l"),
    A("hardlink-by-descriptor", "{esc} link-fd {o}/file {w}/l && echo x >> {w}/l"),
    A("hardlink-workspace-out", "echo x > f; {esc} link {w}/f {o}/f"),
    A("proc-self-root", "echo x > /proc/self/root{o}/new"),
    A("proc-self-cwd", "cd {o} && echo x > /proc/self/cwd/new"),
    A("cd-widens-nothing", "cd {o} && echo x > new"),
    A("callers-directory", "echo x > {o}/new", opts=("-C", "{w}"),
      before=lambda s: setattr(s, "cwd", s.o)),
    A("parent-of-chosen", "echo x > ../new", opts=("-C", "{w}/sub"),
      before=lambda s: (s.mkdir("{w}/sub"), setattr(s, "cwd", f"{s.w}/sub")),
      effect=exists("{w}/new")),
    A("workspace-through-link", "echo x > ../new", opts=("-C", "{t}/alias/sub"),
      before=lambda s: (s.mkdir("{w}/sub"), s.link("{w}", "{t}/alias"), setattr(s, "cwd", f"{s.w}/sub")),
      effect=exists("{w}/new")),
    A("dev-shm-write", "echo x > /dev/shm/{token}", effect=lambda s: _shm(s)),
    A("dev-shm-read", "cat /dev/shm/{run_id}.in", leak=True,
      before=lambda s: (_write_shm(s)), needs="/dev/shm"),
    # ---- read-only ----
    A("read-only-workspace", "echo x > {w}/new", mode="read-only", effect=exists("{w}/new")),
    A("read-only-cwd", "echo x > new", mode="read-only", effect=exists("{w}/new")),
    A("read-only-tmp", "echo x > /tmp/{token}", mode="read-only", effect=lambda s: _gone(f"/tmp/{s.token}")),
    A("read-only-tmpdir", "echo x > $TMPDIR/new", mode="read-only",
      before=lambda s: s.env.update(TMPDIR="{o}")),
    A("read-only-unlink", "rm -f {w}/f", mode="read-only", before=put("{w}/f"),
      effect=lambda s: not os.path.exists(f"{s.w}/f")),
    A("read-only-mmap-reopen", "exec 3<{w}/f; echo x > /proc/self/fd/3", mode="read-only",
      before=put("{w}/f", "was\n"), effect=changed("{w}/f", "was\n")),
    A("excluded-tmpdir", "echo x > $TMPDIR/new",
      opts=("-c", "sandbox_workspace_write.exclude_tmpdir_env_var=true"),
      before=lambda s: s.env.update(TMPDIR="{o}")),
    A("excluded-tmp", "echo x > /tmp/{token}", opts=("-c", "sandbox_workspace_write.exclude_slash_tmp=true"),
      effect=lambda s: _gone(f"/tmp/{s.token}")),
    A("private-tmp", "echo x > /tmp/{token}", opts=("-c", "private_tmp=true"),
      effect=lambda s: _gone(f"/tmp/{s.token}")),
    # ---- protected names that are missing ----
    A("missing-git-mkdir", "mkdir .git; mkdir .git/hooks; echo x > .git/hooks/post-checkout",
      effect=exists("{w}/.git")),
    A("missing-codex-rename", "mkdir d; mv d .codex", effect=exists("{w}/.codex")),
    A("missing-agents-symlink", "ln -s {w}/d .agents", effect=exists("{w}/.agents")),
    A("missing-bawn-link", "echo x > f; {esc} link f .bawn", effect=exists("{w}/.bawn")),
    A("missing-aws-mkfifo", "mkfifo .aws", effect=exists("{w}/.aws")),
    A("missing-git-open", "echo gitdir: {w}/x > .git", effect=exists("{w}/.git")),
    A("missing-git-bind", "{esc} bind {w}/.git", effect=exists("{w}/.git")),
    A("missing-git-tmpfile", "{esc} tmpfile {w} {w}/.git", effect=exists("{w}/.git")),
    A("missing-git-exchange", "mkdir d; mkdir .git 2>/dev/null; {esc} exchange d .git; ls -d .git",
      effect=exists("{w}/.git")),
    A("missing-git-init", "git init -q .", effect=exists("{w}/.git")),
    A("missing-codex-file", "mkdir -p .codex; echo x > .codex/config.toml", effect=exists("{w}/.codex")),
    A("missing-git-proc-cwd", "mkdir /proc/self/cwd/.git", effect=exists("{w}/.git")),
    A("missing-git-second-root", "mkdir {t}/two/.git", before=two, opts=ROOT2,
      effect=exists("{t}/two/.git")),
    A("missing-mcp-json", "echo '{}' > .mcp.json", effect=exists("{w}/.mcp.json")),
    A("missing-claude", "mkdir .claude; echo '{}' > .claude/settings.json",
      effect=exists("{w}/.claude/settings.json")),
    # ---- protected names that are there ----
    A("git-config", "git config core.fsmonitor 'touch /x'; grep -q fsmonitor .git/config", before=repo,
      effect=lambda s: b"fsmonitor" in open(f"{s.w}/.git/config", "rb").read()),
    A("git-hook", "echo x > .git/hooks/pre-commit", before=repo, effect=exists("{w}/.git/hooks/pre-commit")),
    A("git-rename-away", "mv .git g && mkdir .git", before=repo, effect=exists("{w}/g")),
    A("git-exchange", "mkdir d; {esc} exchange d .git", before=repo, effect=exists("{w}/d/HEAD")),
    A("git-remove", "rm -rf .git", before=repo, effect=lambda s: not os.path.exists(f"{s.w}/.git/HEAD")),
    A("git-hardlink-config", "{esc} link .git/config l && echo '[x]' >> l", before=repo,
      effect=exists("{w}/l")),
    A("git-chmod", "chmod 777 .git/config", before=repo,
      effect=lambda s: os.stat(f"{s.w}/.git/config").st_mode & 0o777 == 0o777),
    A("claude-settings", "echo x > .claude/settings.json", before=put("{w}/.claude/settings.json", "{}\n"),
      effect=changed("{w}/.claude/settings.json", "{}\n")),
    A("vscode-tasks", "echo x > .vscode/tasks.json", before=put("{w}/.vscode/tasks.json", "{}\n"),
      effect=changed("{w}/.vscode/tasks.json", "{}\n")),
    A("vscode-rename", "mv .vscode v; mkdir .vscode; echo x > .vscode/tasks.json",
      before=put("{w}/.vscode/tasks.json", "{}\n"), effect=changed("{w}/.vscode/tasks.json", "{}\n")),
    A("aws-credentials", "echo x > .aws/config", before=put("{w}/.aws/config", "was\n"),
      effect=changed("{w}/.aws/config", "was\n")),
    # ---- protected names that are links, or files that point elsewhere ----
    A("git-symlink-replace", "rm .git; mkdir .git",
      before=lambda s: (s.sh("git init -q real"), s.sh("mv real/.git gitreal"),
                        s.link("gitreal", "{w}/.git")),
      effect=lambda s: not os.path.islink(f"{s.w}/.git")),
    A("git-symlink-rename", "mv .git g; ln -s {w}/mine .git",
      before=lambda s: (s.sh("git init -q real"), s.sh("mv real/.git gitreal"),
                        s.link("gitreal", "{w}/.git")),
      effect=lambda s: not os.path.islink(f"{s.w}/.git") or os.readlink(f"{s.w}/.git") != "gitreal"),
    A("git-symlink-target", "echo x > gitreal/hooks/pre-commit",
      before=lambda s: (s.sh("git init -q real"), s.sh("mv real/.git gitreal"),
                        s.link("gitreal", "{w}/.git")),
      effect=exists("{w}/gitreal/hooks/pre-commit")),
    A("git-symlink-target-replace", "mv gitreal g2; cp -r g2 gitreal; echo x > gitreal/hooks/pre-commit",
      before=lambda s: (s.sh("git init -q real"), s.sh("mv real/.git gitreal"),
                        s.link("gitreal", "{w}/.git")),
      effect=exists("{w}/gitreal/hooks/pre-commit")),
    A("codex-symlink-dangling", "mkdir later; echo x > later/config.toml",
      before=lambda s: s.link("later", "{w}/.codex"), effect=exists("{w}/.codex/config.toml")),
    A("worktree-file", "echo gitdir: /x > {t}/w2/.git", before=worktree_safe, opts=BOTH,
      effect=lambda s: b"/x" in open(f"{s.t}/w2/.git", "rb").read()[:12]),
    A("worktree-gitdir", "echo x > {t}/main/.git/worktrees/w2/config.worktree", before=worktree_safe,
      opts=BOTH, effect=exists("{t}/main/.git/worktrees/w2/config.worktree")),
    A("worktree-common-hooks", "echo x > {t}/main/.git/hooks/pre-commit", before=worktree_safe, opts=BOTH,
      effect=exists("{t}/main/.git/hooks/pre-commit")),
    A("submodule-gitdir", "echo x > {w}/store/mod/hooks/pre-commit",
      before=lambda s: s.sh("mkdir -p {w}/store; git init -q --separate-git-dir {w}/store/mod {w}/x; mv {w}/x/.git {w}/.git"),
      effect=exists("{w}/store/mod/hooks/pre-commit")),
    A("gitdir-ancestor-rename",
      "mv store s2 && mkdir -p store && cp -r s2/mod store/mod && echo x > store/mod/hooks/pre-commit",
      before=lambda s: s.sh("mkdir -p {w}/store; git init -q --separate-git-dir {w}/store/mod {w}/x; mv {w}/x/.git {w}/.git"),
      effect=exists("{w}/s2")),
    A("gitdir-ancestor-exchange", "cp -r store s2; echo x > s2/mod/hooks/pre-commit; "
      "{esc} exchange store s2",
      before=lambda s: s.sh("mkdir -p {w}/store; git init -q --separate-git-dir {w}/store/mod {w}/x; mv {w}/x/.git {w}/.git"),
      effect=exists("{w}/store/mod/hooks/pre-commit")),
    A("commondir-redirect", "echo {w}/mine > store/mod/commondir",
      before=lambda s: s.sh("mkdir -p {w}/store; git init -q --separate-git-dir {w}/store/mod {w}/x; mv {w}/x/.git {w}/.git"),
      effect=exists("{w}/store/mod/commondir")),
    A("nested-hook", "echo x > a/b/.git/hooks/pre-commit", before=nested,
      effect=exists("{w}/a/b/.git/hooks/pre-commit")),
    A("nested-config", "git -C a/b config core.fsmonitor x", before=nested,
      effect=lambda s: b"fsmonitor" in open(f"{s.w}/a/b/.git/config", "rb").read()),
    A("nested-hooks-rename", "cd a/b/.git && mv hooks h && mkdir hooks && echo x > hooks/pre-commit",
      before=nested, effect=exists("{w}/a/b/.git/hooks/pre-commit")),
    A("nested-git-rename", "cd a/b && mv .git g && mkdir -p .git/hooks && echo x > .git/hooks/pre-commit",
      before=nested, effect=exists("{w}/a/b/.git/hooks/pre-commit")),
    # ---- exact read entries inside a writable tree ----
    A("read-entry-ancestor-rename", "mv docs/deep d2; mkdir -p docs/deep; echo x > docs/deep/rules",
      before=put("{w}/docs/deep/rules", "was\n"), mode=None, effect=changed("{w}/docs/deep/rules", "was\n"),
      config='[permissions.test]\nextends = ":workspace"\n[permissions.test.filesystem]\n'
             '":project_roots" = { "docs/deep/rules" = "read" }\n'),
    A("read-entry-write", "echo x > docs/a", before=put("{w}/docs/a", "was\n"), mode=None,
      effect=changed("{w}/docs/a", "was\n"),
      config='[permissions.test]\nextends = ":workspace"\n[permissions.test.filesystem]\n'
             '":project_roots" = { "docs" = "read" }\n'),
    A("root-write-read-entry", "echo x > {o}/file", mode=None, effect=changed("{o}/file", "outside\n"),
      config='[permissions.test.filesystem]\n":root" = "write"\n"{o}" = "read"\n'),
    # ---- placeholders ----
    A("placeholder-removed-outside", "for i in $(seq 100); do test -e go && break; sleep 0.05; done; "
      "mkdir .git && echo x > .git/x", effect=exists("{w}/.git/x"),
      during=lambda s, p: _remove_placeholder(s)),
    A("placeholder-of-another-run", "touch ready; for i in $(seq 200); do test -e go && break; sleep 0.05; "
      "done; mkdir .git && echo x > .git/x", effect=exists("{w}/.git/x"),
      during=lambda s, p: _second_run(s)),
    A("placeholder-of-another-home", "touch ready; for i in $(seq 200); do test -e go && break; sleep 0.05; "
      "done; mkdir .git && echo x > .git/x", effect=exists("{w}/.git/x"), before=lambda s: _first_run(s),
      during=lambda s, p: _first_run_ends(s)),
    A("placeholder-of-another-home-killed", "touch ready; for i in $(seq 200); do test -e go && break; "
      "sleep 0.05; done; mkdir .git && echo x > .git/x", effect=exists("{w}/.git/x"),
      before=lambda s: _first_run(s), during=lambda s, p: _first_run_is_killed(s)),
    A("placeholder-kept-open", "touch ready; for i in $(seq 200); do test -e sub/.git && break; sleep 0.05; done; "
      "for d in sub/.[a-z]*; do (cd $d || exit; for i in $(seq 200); do test -e {w}/go && break; "
      "sleep 0.05; done; mkdir hooks) & done; sleep 0.1; touch held; wait",
      effect=lambda s: bool(glob.glob(f"{s.t}/other/.*/hooks")),
      before=lambda s: (s.mkdir("{w}/sub"), s.mkdir("{t}/other")), during=lambda s, p: _placeholder_moves(s)),
]


def _shm(s):
    return _gone(f"/dev/shm/{s.token}")


def _gone(path):
    """Whether it was there, and no longer."""
    try:
        os.unlink(path)
        return True
    except OSError:
        return False


def _write_shm(s):
    path = f"/dev/shm/{s.run_id}.in"
    with open(path, "w") as f:
        f.write(s.token)
    if s.ids:
        os.chown(path, *s.ids)
    s.stack.callback(_gone, path)


def _remove_placeholder(s):
    import time
    time.sleep(0.5)
    try:
        os.rmdir(f"{s.w}/.git")
    except OSError:
        pass
    s.put("{w}/go")


def _first_run(s):
    """Somebody else's sandbox (its own state directory) made the placeholder that ours then finds."""
    if s.inside:
        s.mkdir("{t}/bawn2")
        s.data["first"] = s.outside(os.path.abspath(os.environ["BAWN"]), "sandbox", "-s", "workspace-write",
                                    "-c", f'sandbox_backend="{BACKEND}"', "--", "sh", "-c",
                                    "touch first; while ! test -e leave; do sleep 0.02; done",
                                    env={"BAWN_HOME": f"{s.t}/bawn2"}, cwd=s.w)
        s.wait_for("{w}/first")


def _first_run_is_killed(s):
    """And its next start tidies up."""
    s.wait_for("{w}/ready")
    if s.inside:
        s.data["first"].kill()
        s.data["first"].wait(10)
        s.outside(os.path.abspath(os.environ["BAWN"]), "sandbox", "-s", "workspace-write", "--", "true",
                  env={"BAWN_HOME": f"{s.t}/bawn2"}, cwd=s.w).wait(10)
    s.put("{w}/go")


def _other_sandbox(s, cwd, text):
    return s.outside(os.path.abspath(os.environ["BAWN"]), "sandbox", "-s", "workspace-write",
                     "-c", f'sandbox_backend="{BACKEND}"', "-c", "sandbox_workspace_write.exclude_slash_tmp=true",
                     "--", "sh", "-c", text, cwd=cwd)


def _placeholder_moves(s):
    """A sandbox below our workspace ends; its placeholders, in which ours still is, must not be used in a
    directory that ours may not write. Bare, somebody moves one there."""
    s.wait_for("{w}/ready")
    if s.inside:
        _other_sandbox(s, f"{s.w}/sub", "for i in $(seq 200); do test -e ../held && break; sleep 0.05; done").wait(20)
        _other_sandbox(s, f"{s.t}/other", "touch running; sleep 20")
        s.wait_for("{t}/other/running")
    else:
        s.mkdir("{w}/sub/.git")
        s.wait_for("{w}/held")
        os.rename(f"{s.w}/sub/.git", f"{s.t}/other/.git")
    s.put("{w}/go")


def _first_run_ends(s):
    s.wait_for("{w}/ready")
    if s.inside:
        s.put("{w}/leave")
        s.data["first"].wait(10)
    s.put("{w}/go")


def _second_run(s):
    """Another sandbox starts and ends in the same workspace; its tidying up must leave ours alone."""
    import subprocess
    s.wait_for("{w}/ready")
    if s.inside:
        subprocess.run([os.path.abspath(os.environ["BAWN"]), "sandbox", "-s", "workspace-write", "-c",
                        f'sandbox_backend="{BACKEND}"', "--", "true"], cwd=s.w, env=s.environ(),
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **s.as_user())
    s.put("{w}/go")

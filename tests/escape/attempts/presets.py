"""The preset `git` opens .git for commits. What a git outside would run or believe later stays shut."""
import os

CONFIG = '[permissions.test]\nextends = ":workspace"\ninclude = ["git"]\n'


def repo(s):
    s.sh("git init -q {w}; cd {w}; git -c user.name=a -c user.email=a@b commit -q --allow-empty -m one; "
         "rm -rf .git/hooks .git/info .git/branches")


def worktree(s):
    s.sh("rmdir {w}; git init -q {t}/main; cd {t}/main; "
         "git -c user.name=a -c user.email=a@b commit -q --allow-empty -m one; "
         "git worktree add -q {w} 2>/dev/null")


def there(path):
    return lambda s: os.path.lexists(s.fill(path))


def preset(name, path, cmd, before=repo):
    """Each way there is to make what stands at PATH."""
    return A(name, cmd, mode=None, config=CONFIG, before=before, effect=there(path))


# A later `git …` outside takes from it: what to run, where to fetch, which file to write.
NAMES = ("hooks", "info", "config.worktree", "commondir", "modules", "worktrees", "remotes", "branches",
         "rebase-merge", "rebase-apply", "sequencer")

ATTEMPTS = [
    *[preset(f"git-{n}-made", "{w}/.git/" + n, "mkdir {w}/.git/" + n) for n in NAMES],
    *[preset(f"git-{n}-moved", "{w}/.git/" + n, "mkdir {w}/d; mv {w}/d {w}/.git/" + n) for n in NAMES],
    *[preset(f"git-{n}-linked", "{w}/.git/" + n, "ln -s {w} {w}/.git/" + n) for n in NAMES],
    *[preset(f"git-{n}-written", "{w}/.git/" + n, "echo x > {w}/.git/" + n) for n in NAMES],
    *[preset(f"git-{n}-hard-linked", "{w}/.git/" + n, "echo x > {w}/f; ln {w}/f {w}/.git/" + n) for n in NAMES],
    preset("git-rebase-left-behind", "{w}/.git/rebase-merge",
           "cd {w}; GIT_SEQUENCE_EDITOR=\"sh -c 'echo break > \\$0'\" git -c user.name=a -c user.email=a@b rebase -i --root"),
    preset("git-directory-swapped", "{w}/.git/sequencer",
           "cd {w}; cp -r .git g; mkdir g/sequencer; mv .git old; mv g .git"),
    # A file that names the repository: who writes it chooses hooks and configuration.
    A("git-file-written", "echo 'gitdir: {o}' > {w}/.git", mode=None, config=CONFIG, before=worktree,
      effect=lambda s: s.fill("{o}") in open(s.fill("{w}/.git")).read()),
    A("git-file-moved", "mv {w}/.git {w}/x", mode=None, config=CONFIG, before=worktree,
      effect=there("{w}/x")),
    A("git-file-replaced", "rm {w}/.git; mkdir -p {w}/.git/hooks", mode=None, config=CONFIG, before=worktree,
      effect=there("{w}/.git/hooks")),
]

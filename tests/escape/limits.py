"""What a backend cannot hold, and why. The manual carries the same table."""
import fnmatch

# attempts on the names that are protected by default: where a backend cannot hold those it refuses to start
NAMES = ("files/missing-*", "files/git*", "files/claude-*", "files/vscode-*", "files/aws-*", "files/codex-*",
         "files/worktree-*", "files/submodule-*", "files/commondir-*", "files/nested-*", "files/placeholder-*",
         "watched/placeholder-*", "races/placeholder-*", "descriptors/stdin-protected-*",
         "descriptors/passed-protected*", "presets/git-*", "own/home-is-workspace")

OUTSIDE = "a program of the same user outside takes the placeholder away (SECURITY.md)"
REMOVED = [("files/placeholder-removed-outside", OUTSIDE), ("races/placeholder-stolen", OUTSIDE)]

LIMITS = {
    "landlock": [
        ("files/outside-chmod", "Landlock has no right for modes"),
        ("files/git-chmod", "Landlock has no right for modes"),
        ("files/outside-touch", "Landlock has no right for times"),
        ("files/outside-xattr", "Landlock has no right for extended attributes"),
        ("masks/exact-size", "Landlock has no right for stat"),
        ("masks/symlink-match-readlink", "Landlock has no right for readlink"),
        ("kernel/shared-memory-*", "no ipc namespace"),
        ("kernel/message-queue", "no ipc namespace"),
        ("processes/proc-cmdline", "no pid namespace: command lines can be read"),
        ("processes/policy-in-cmdline", "no pid namespace: command lines can be read"),
        ("processes/caller-visible", "no pid namespace"),
        ("processes/prlimit", "no pid namespace; Landlock's scope is for signals"),
        ("processes/setpriority", "no pid namespace; Landlock's scope is for signals"),
        ("processes/affinity", "no pid namespace; Landlock's scope is for signals"),
        ("processes/survive-helper-killed", "no pid namespace whose first process could be killed"),
        ("kernel/keyring-proc", "no /proc of its own: names of the user's keys can be read"),
        ("masks/later-*", "what comes to match or to stand at a name later has the rights of its directory"),
        ("races/mask-*", "what comes to match or to stand at a name later has the rights of its directory"),
        ("judge/flags-in-memory-*", "opens are not judged: what matches a pattern later is not held"),
        ("judge/path-too-long", "opens are not judged: what matches a pattern later is not held"),
        ("judge/removed-by-descriptor", "opens are not judged: what matches a pattern later is not held"),
        ("judge/late-*", "opens are not judged: what matches a pattern later is not held"),
        ("watched/path-*", "what comes to match or to stand at a name later has the rights of its directory"),
    ],
    "bwrap": REMOVED + [
        ("files/*-symlink-*", "bwrap cannot mount on a link: refused, and never chosen by auto"),
        ("masks/symlink-match-*", "bwrap cannot mount on a link: refused, and never chosen by auto"),
        ("masks/glob-symlink-target", "bwrap cannot mount on a link: refused, and never chosen by auto"),
        ("masks/later-*-was-link", "bwrap cannot mount on a link: refused, and never chosen by auto"),
        ("files/root-write-*", "no bwrap is fit where the command may write /: refused"),
    ],
    "bundled": REMOVED,
}


def about_names(label):
    return any(fnmatch.fnmatch(label, p) for p in NAMES)


def reason(backend, label):
    for pattern, why in LIMITS.get(backend, []):
        if fnmatch.fnmatch(label, pattern):
            return why
    return None

"""What a backend cannot hold, and why. The manual carries the same table."""
import fnmatch

# attempts on the names that are protected by default: where a backend cannot hold those it refuses to start
NAMES = ("files/missing-*", "files/git*", "files/claude-*", "files/vscode-*", "files/aws-*", "files/codex-*",
         "files/worktree-*", "files/submodule-*", "files/commondir-*", "files/nested-*", "files/placeholder-*",
         "watched/placeholder-*", "races/placeholder-*", "descriptors/stdin-protected-*", "own/home-is-workspace")

LIMITS = {
    "landlock": [],
    "bwrap": [],
    "bundled": [],
}


def about_names(label):
    return any(fnmatch.fnmatch(label, p) for p in NAMES)


def reason(backend, label):
    for pattern, why in LIMITS.get(backend, []):
        if fnmatch.fnmatch(label, pattern):
            return why
    return None

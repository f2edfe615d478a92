"""New namespaces and the mount calls. Root's controls run in a mount namespace of their own, so that
nothing of the machine is changed by them."""


def private(*more):
    def before(s):
        for f in more:
            f(s)
        s.argv_prefix = ["unshare", "--mount", "--propagation", "private"]
    return before


def place(s):
    s.mkdir("{w}/m")


NESTED = ("-c", "allow_nested_userns=true")
EXACT = '[permissions.test]\nextends = ":workspace"\n[permissions.test.filesystem]\n"{o}/secret" = "none"\n'
ROOT = {"user": "root"}

ATTEMPTS = [
    A("userns-unshare", "{esc} userns-unshare"),
    A("userns-unshare-tool", "unshare -Ur true"),
    A("userns-clone", "{esc} userns-clone"),
    A("userns-clone3", "{esc} userns-clone3"),
    A("userns-setns", "{esc} userns-setns {w}/victim", before=lambda s: s.victim("victim-userns")),
    A("userns-tmpfs", "{esc} tmpfs {w}/m", before=place),
    A("userns-remount", "{esc} remount {o} new"),
    A("userns-tree", "{esc} tree {o} new"),
    A("userns-new-mount", "{esc} new-mount {w}/m", before=place),
    A("userns-pivot", "{esc} pivot {w}/m", before=place),
    A("userns-chroot", "{esc} chroot {o}"),
    A("userns-bwrap", "bwrap --bind / / -- sh -c 'echo x > {o}/new'", needs="/usr/bin/bwrap"),
    # nested user namespaces allowed, as for a browser: what is locked stays locked
    A("nested-remount", "{esc} remount {o} new", opts=NESTED),
    A("nested-tree", "{esc} tree {o} new", opts=NESTED),
    A("nested-under-mask", "{esc} under {o} secret", mode=None, refusal=True, config="allow_nested_userns = true\n" + EXACT,
      leak=True),
    A("nested-under-bind", "{esc} under-bind {o} secret {w}/m", before=place, mode=None, refusal=True,
      config="allow_nested_userns = true\n" + EXACT, leak=True),
    A("nested-uncover", "{esc} uncover {o}/secret", mode=None, refusal=True,
      config="allow_nested_userns = true\n" + EXACT, leak=True),
    A("nested-pidns-proc", "{esc} proc-mount {w}/m $(cut -d' ' -f1 {w}/victim)",
      before=private(place, lambda s: s.victim()), opts=NESTED, **ROOT),
    # as root
    A("root-mntns", "{esc} mntns", before=private(), **ROOT),
    A("root-tmpfs", "{esc} tmpfs {w}/m", before=private(place), **ROOT),
    A("root-remount", "{esc} remount {o} new", before=private(), **ROOT),
    A("root-tree", "{esc} tree {o} new", before=private(), **ROOT),
    A("root-under-mask", "{esc} under {o} secret", before=private(), mode=None, config=EXACT, leak=True,
      **ROOT),
    A("root-uncover", "{esc} uncover {o}/secret", before=private(), mode=None, config=EXACT, leak=True,
      **ROOT),
    A("root-new-mount", "{esc} new-mount {w}/m", before=private(place), **ROOT),
    A("root-pivot", "{esc} pivot {w}/m", before=private(place), **ROOT),
    A("root-chroot", "{esc} chroot {w}", before=private(), **ROOT),
    A("root-proc-mount", "{esc} proc-mount {w}/m self", before=private(place), **ROOT),
    A("root-cgroup-mount", "{esc} cgroup-mount {w}/m", before=private(place), **ROOT),
    A("root-nsenter", "nsenter -t $(cut -d' ' -f1 {w}/victim) -m -- true", before=lambda s: s.victim(), **ROOT),
    A("root-mount-tool", "mount -o remount,rw,bind /", before=private(), **ROOT),
]

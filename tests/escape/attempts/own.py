"""bawn's own files, and the programs and libraries that it or its helpers might pick up."""
import os


def exists(path):
    return lambda s: os.path.lexists(s.fill(path))


def differs(path, was):
    def look(s):
        try:
            return open(s.fill(path)).read() != s.fill(was)
        except OSError:
            return True
    return look


def config(path="{bawn}/config.toml", text="# mine\n"):
    return lambda s: s.put(path, text)


def inside_workspace(s):
    """BAWN_HOME points into the workspace."""
    s.put("{w}/conf/config.toml", "# mine\n")
    s.put("{w}/conf/rules/default.rules", "# rules\n")
    s.mkdir("{w}/conf/state")
    os.chmod(f"{s.w}/conf/state", 0o700)
    s.env["BAWN_HOME"] = "{w}/conf"


def home_workspace(s):
    """HOME is the workspace and BAWN_HOME is not set: the default place is inside."""
    s.put("{w}/.bawn/config.toml", "# mine\n")
    s.env["HOME"] = "{w}"
    s.drop_env = ("BAWN_HOME",)


def linked_config(s):
    s.put("{bawn}/config.toml", "# mine\n")
    os.link(f"{s.bawn}/config.toml", f"{s.w}/innocent")


def symlinked_home(s):
    s.put("{w}/store/config.toml", "# mine\n")
    s.link("{w}/store", "{t}/bh")
    s.env["BAWN_HOME"] = "{t}/bh"


def symlinked_config(s):
    s.put("{w}/dotfiles/bawn.toml", "# mine\n")
    s.link("{w}/dotfiles/bawn.toml", "{bawn}/config.toml")


PLANT = "#!/bin/sh\necho planted >> {o}/marker\n"
NAMES = ("bwrap", "git", "sh", "true", "newuidmap", "newgidmap", "unshare", "mount", "ip", "id", "getent",
         "uname", "cat", "env", "setpriv", "fusermount3", "bawn-proxy", "bawn-exporter")


def plant(where, names=NAMES, mode=0o755):
    def before(s):
        s.mkdir(where)
        for n in names:
            s.put(f"{where}/{n}", PLANT, mode)
    return before


def first_on_path(where, names=NAMES):
    def before(s):
        plant(where, names)(s)
        s.env["PATH"] = s.fill(where) + ":" + os.environ.get("PATH", "/usr/bin:/bin")
    return before


def others_can_write(s):
    first_on_path("{t}/open")(s)
    os.chmod(f"{s.t}/open", 0o777)


def empty_component(s):
    plant("{w}")(s)
    s.env["PATH"] = ":" + os.environ.get("PATH", "/usr/bin:/bin")


def link_to_workspace(s):
    plant("{w}/tools")(s)
    s.link("{w}/tools", "{t}/looks-fine")
    s.env["PATH"] = "{t}/looks-fine:" + os.environ.get("PATH", "/usr/bin:/bin")


def linked_program(s):
    """A directory outside, but the file in it is a link into the workspace."""
    plant("{w}/tools")(s)
    s.mkdir("{t}/bin2")
    for n in NAMES:
        s.link("{w}/tools/" + n, "{t}/bin2/" + n)
    s.env["PATH"] = "{t}/bin2:" + os.environ.get("PATH", "/usr/bin:/bin")


def fsmonitor(s):
    s.sh("git init -q {w}; printf '#!/bin/sh\\necho planted >> {o}/marker\\n' > {w}/mon; chmod +x {w}/mon; "
         "git -C {w} config core.fsmonitor {w}/mon")


def preload(variable, value="{evil}"):
    def before(s):
        s.env[variable] = value
        s.env["EVIL_MARK"] = "{o}/marker"
    return before


def fake_library(s):
    """A library of bwrap's under its own name, first on the search path."""
    s.mkdir("{w}/lib")
    for n in ("libcap.so.2", "libselinux.so.1"):
        s.sh("cp {evil} {w}/lib/%s" % n)
    s.env["LD_LIBRARY_PATH"] = "{w}/lib"
    s.env["EVIL_MARK"] = "{o}/marker"


MARK = exists("{o}/marker")


def P(name, before, bare="bwrap --version", **kw):
    """Attacks on bawn itself: bare, the planted thing runs; inside, anything at all is run."""
    return A(name, bare, inside=kw.pop("inside", "/bin/true"), before=before, effect=MARK, refusal=True,
             **kw)


ATTEMPTS = [
    A("config-write", "echo 'sandbox_mode = \"danger-full-access\"' > {bawn}/config.toml", before=config(),
      effect=differs("{bawn}/config.toml", "# mine\n")),
    A("config-create", "echo x > {bawn}/new", effect=exists("{bawn}/new")),
    A("rules-create", "mkdir -p {bawn}/rules; echo x > {bawn}/rules/a.rules",
      effect=exists("{bawn}/rules/a.rules")),
    A("config-hardlink-made", "{esc} link {bawn}/config.toml l && echo x > l", before=config(),
      effect=differs("{bawn}/config.toml", "# mine\n")),
    A("config-hardlink-waiting", "echo x > {w}/innocent", before=linked_config, refusal=True,
      effect=differs("{bawn}/config.toml", "# mine\n")),
    A("config-replace", "echo x > f; mv f {bawn}/config.toml", before=config(),
      effect=differs("{bawn}/config.toml", "# mine\n")),
    A("home-in-workspace-write", "echo x > {w}/conf/config.toml", before=inside_workspace,
      effect=differs("{w}/conf/config.toml", "# mine\n")),
    A("home-in-workspace-rules", "echo x > {w}/conf/rules/default.rules", before=inside_workspace,
      effect=differs("{w}/conf/rules/default.rules", "# rules\n")),
    A("home-in-workspace-new-rule", "echo x > {w}/conf/rules/mine.rules", before=inside_workspace,
      effect=exists("{w}/conf/rules/mine.rules")),
    A("home-in-workspace-state", "echo x > {w}/conf/state/journal", before=inside_workspace,
      effect=exists("{w}/conf/state/journal")),
    A("home-in-workspace-rename", "mv {w}/conf {w}/c2; mkdir {w}/conf; echo x > {w}/conf/config.toml",
      before=inside_workspace, effect=differs("{w}/conf/config.toml", "# mine\n")),
    A("home-in-workspace-symlink", "ln -s {w}/conf l; echo x > l/config.toml", before=inside_workspace,
      effect=differs("{w}/conf/config.toml", "# mine\n")),
    A("home-in-workspace-link", "{esc} link {w}/conf/config.toml l; echo x > l", before=inside_workspace,
      effect=differs("{w}/conf/config.toml", "# mine\n")),
    A("home-as-second-root", "echo x > {bawn}/config.toml", before=config(),
      opts=("-c", 'sandbox_workspace_write.writable_roots=["{t}"]'),
      effect=differs("{bawn}/config.toml", "# mine\n")),
    A("home-is-workspace", "echo x > {w}/.bawn/config.toml", before=home_workspace,
      effect=differs("{w}/.bawn/config.toml", "# mine\n")),
    A("home-by-symlink", "echo x > {w}/store/config.toml", before=symlinked_home,
      effect=differs("{w}/store/config.toml", "# mine\n")),
    A("config-is-symlink", "echo x > {w}/dotfiles/bawn.toml", before=symlinked_config,
      effect=differs("{w}/dotfiles/bawn.toml", "# mine\n")),
    A("config-symlink-rename", "mv {w}/dotfiles d; mkdir {w}/dotfiles; echo x > {w}/dotfiles/bawn.toml",
      before=symlinked_config, effect=differs("{w}/dotfiles/bawn.toml", "# mine\n")),
    # ---- programs ----
    P("planted-in-workspace", first_on_path("{w}/bin")),
    P("planted-in-node-modules", first_on_path("{w}/node_modules/.bin")),
    P("planted-in-tmp", lambda s: (first_on_path("/tmp/{token}")(s),
                                   s.stack.callback(__import__("shutil").rmtree, f"/tmp/{s.token}"))),
    P("planted-others-write", others_can_write),
    P("planted-second-root", first_on_path("{t}/two"),
      opts=("-c", 'sandbox_workspace_write.writable_roots=["{t}/two"]')),
    P("planted-in-cwd", empty_component),
    P("planted-path-link", link_to_workspace),
    P("planted-program-link", linked_program),
    P("planted-auto-backend", first_on_path("{w}/bin"), opts=("-c", 'sandbox_backend="auto"')),
    P("planted-bwrap-backend", first_on_path("{w}/bin"), opts=("-c", 'sandbox_backend="bwrap"')),
    P("planted-git-config", fsmonitor, bare="git status >/dev/null"),
    P("planted-no-mode", first_on_path("{w}/bin"), mode=None),
    # ---- libraries ----
    P("preload", preload("LD_PRELOAD"), bare="/bin/true"),
    P("preload-bwrap", preload("LD_PRELOAD"), bare="/bin/true", opts=("-c", 'sandbox_backend="bwrap"')),
    P("audit", preload("LD_AUDIT"), bare="/bin/true"),
    P("audit-bwrap", preload("LD_AUDIT"), bare="/bin/true", opts=("-c", 'sandbox_backend="bwrap"')),
    P("library-path-bwrap", fake_library, bare="/usr/bin/bwrap --version",
      opts=("-c", 'sandbox_backend="bwrap"'), needs="/usr/bin/bwrap"),
]

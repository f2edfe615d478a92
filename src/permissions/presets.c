/*
 * Presets: named parts of a profile that `include` pulls in, as the TOML that a person could have
 * written. A preset holds the tables of a profile (`filesystem`, …) and, where a thing needs it,
 * the top-level keys `devices`, `allow_unix_sockets` and `allow_nested_userns`.
 *
 * What is written here with `read` below something writable is a protection: it holds for names
 * that do not exist yet as well.
 *
 * Caches are opened where builds write data. Directories of programs (~/.cargo/bin, pnpm's home,
 * uv's tools) stay shut: what is put there runs later, outside.
 */
#include "permissions/resolve.h"

/* One line of C a line of TOML. */
/* clang-format off */
static const char npm[] = "# npm's cache and the headers that native modules are built with\n"
                          "[filesystem]\n"
                          "'~/.npm' = { '.' = 'write', create = true }\n"
                          "'~/.cache/node-gyp' = 'write'\n";

static const char pnpm[] = "# pnpm's store and caches; not its home, which holds programs\n"
                           "[filesystem]\n"
                           "'~/.local/share/pnpm/store' = { '.' = 'write', create = true }\n"
                           "'~/.cache/pnpm' = { '.' = 'write', create = true }\n"
                           "'~/.local/state/pnpm' = 'write'\n";

static const char yarn[] = "# the caches of yarn 1 and of later ones\n"
                           "[filesystem]\n"
                           "'~/.cache/yarn' = { '.' = 'write', create = true }\n"
                           "'~/.yarn/berry' = 'write'\n";

static const char pip[] = "# pip's cache\n"
                          "[filesystem]\n"
                          "'~/.cache/pip' = { '.' = 'write', create = true }\n";

static const char uv[] = "# uv's cache; not its tools and interpreters, which are programs\n"
                         "[filesystem]\n"
                         "'~/.cache/uv' = { '.' = 'write', create = true }\n";

static const char cargo[] =
    "# sources and index of crates; not ~/.cargo/bin, config.toml or credentials\n"
    "[filesystem]\n"
    "'~/.cargo/registry' = { '.' = 'write', create = true }\n"
    "'~/.cargo/git' = { '.' = 'write', create = true }\n"
    "'~/.cargo/.package-cache' = 'write'\n"
    "'~/.cargo/.package-cache-mutate' = 'write'\n"
    "'~/.cargo/.global-cache' = 'write'\n";

static const char go[] = "# the module and build caches; not ~/go/bin\n"
                         "[filesystem]\n"
                         "'~/go/pkg' = { '.' = 'write', create = true }\n"
                         "'~/.cache/go-build' = { '.' = 'write', create = true }\n";

static const char gradle[] =
    "# caches, daemons and wrapper distributions; not init scripts or gradle.properties\n"
    "[filesystem]\n"
    "'~/.gradle/caches' = { '.' = 'write', create = true }\n"
    "'~/.gradle/daemon' = { '.' = 'write', create = true }\n"
    "'~/.gradle/native' = { '.' = 'write', create = true }\n"
    "'~/.gradle/wrapper' = 'write'\n"
    "'~/.gradle/.tmp' = 'write'\n"
    "'~/.gradle/notifications' = 'write'\n";

static const char maven[] = "# the local repository; not settings.xml\n"
                            "[filesystem]\n"
                            "'~/.m2/repository' = { '.' = 'write', create = true }\n";

static const char ccache[] = "[filesystem]\n"
                             "'~/.cache/ccache' = { '.' = 'write', create = true }\n"
                             "'~/.ccache' = 'write'\n";

static const char sccache[] = "[filesystem]\n"
                              "'~/.cache/sccache' = { '.' = 'write', create = true }\n";

static const char secrets[] = "# what a command has no business reading\n"
                              "[filesystem]\n"
                              "# keys and password stores\n"
                              "'~/.ssh' = 'none'\n"
                              "'~/.gnupg' = 'none'\n"
                              "'~/.password-store' = 'none'\n"
                              "'~/.local/share/keyrings' = 'none'\n"
                              "'~/.local/share/kwalletd' = 'none'\n"
                              "'~/.config/op' = 'none'\n"
                              "'~/.config/Bitwarden' = 'none'\n"
                              "'~/.config/age' = 'none'\n"
                              "'~/.config/sops' = 'none'\n"
                              "# clouds\n"
                              "'~/.aws' = 'none'\n"
                              "'~/.azure' = 'none'\n"
                              "'~/.config/gcloud' = 'none'\n"
                              "'~/.kube' = 'none'\n"
                              "'~/.oci' = 'none'\n"
                              "'~/.bluemix' = 'none'\n"
                              "'~/.config/doctl' = 'none'\n"
                              "'~/.config/hcloud' = 'none'\n"
                              "'~/.config/linode-cli' = 'none'\n"
                              "'~/.fly' = 'none'\n"
                              "'~/.s3cfg' = 'none'\n"
                              "'~/.boto' = 'none'\n"
                              "'~/.config/rclone' = 'none'\n"
                              "'~/.terraform.d/credentials.tfrc.json' = 'none'\n"
                              "'~/.pulumi/credentials.json' = 'none'\n"
                              "'~/.vault-token' = 'none'\n"
                              "'~/.databrickscfg' = 'none'\n"
                              "'~/.snowflake' = 'none'\n"
                              "# registries, forges and other services\n"
                              "'~/.netrc' = 'none'\n"
                              "'~/.git-credentials' = 'none'\n"
                              "'~/.config/git/credentials' = 'none'\n"
                              "'~/.config/gh' = 'none'\n"
                              "'~/.config/glab-cli' = 'none'\n"
                              "'~/.config/hub' = 'none'\n"
                              "'~/.npmrc' = 'none'\n"
                              "'~/.yarnrc.yml' = 'none'\n"
                              "'~/.pypirc' = 'none'\n"
                              "'~/.config/pip/pip.conf' = 'none'\n"
                              "'~/.cargo/credentials' = 'none'\n"
                              "'~/.cargo/credentials.toml' = 'none'\n"
                              "'~/.gem/credentials' = 'none'\n"
                              "'~/.m2/settings.xml' = 'none'\n"
                              "'~/.m2/settings-security.xml' = 'none'\n"
                              "'~/.gradle/gradle.properties' = 'none'\n"
                              "'~/.docker/config.json' = 'none'\n"
                              "'~/.config/containers/auth.json' = 'none'\n"
                              "'~/.pgpass' = 'none'\n"
                              "'~/.my.cnf' = 'none'\n"
                              "'~/.config/github-copilot' = 'none'\n"
                              "'~/.codex/auth.json' = 'none'\n"
                              "'~/.claude/.credentials.json' = 'none'\n"
                              "'~/.gemini/oauth_creds.json' = 'none'\n"
                              "# browsers and mail\n"
                              "'~/.mozilla' = 'none'\n"
                              "'~/.thunderbird' = 'none'\n"
                              "'~/.config/google-chrome' = 'none'\n"
                              "'~/.config/chromium' = 'none'\n"
                              "'~/.config/BraveSoftware' = 'none'\n"
                              "'~/.config/microsoft-edge' = 'none'\n"
                              "'~/.config/vivaldi' = 'none'\n"
                              "'~/.config/opera' = 'none'\n"
                              "'~/snap/firefox' = 'none'\n"
                              "'~/snap/chromium' = 'none'\n"
                              "'~/.var/app' = 'none'\n"
                              "# what was typed\n"
                              "'~/.bash_history' = 'none'\n"
                              "'~/.zsh_history' = 'none'\n"
                              "'~/.histfile' = 'none'\n"
                              "'~/.local/share/fish/fish_history' = 'none'\n"
                              "'~/.python_history' = 'none'\n"
                              "'~/.node_repl_history' = 'none'\n"
                              "'~/.psql_history' = 'none'\n"
                              "'~/.mysql_history' = 'none'\n"
                              "'~/.sqlite_history' = 'none'\n"
                              "'~/.rediscli_history' = 'none'\n"
                              "'~/.lesshst' = 'none'\n"
                              "'~/.viminfo' = 'none'\n"
                              "# .env files; .env.example and .env.sample stay readable\n"
                              "[filesystem.':workspace_roots']\n"
                              "'**/*.env' = 'none'\n"
                              "'**/.env.local' = 'none'\n"
                              "'**/.env.*.local' = 'none'\n"
                              "'**/.env.dev*' = 'none'\n"
                              "'**/.env.prod*' = 'none'\n"
                              "'**/.env.stag*' = 'none'\n";

static const char git[] =
    "# commits: .git is writable, what makes git run or trust code is not. `commondir` would let\n"
    "# another directory's hooks and config stand in, `remotes` and `branches` another address. An\n"
    "# unfinished rebase, am or series of picks names commands, merge programs and files to write,\n"
    "# and a later --continue outside believes them.\n"
    "[filesystem.':workspace_roots']\n"
    "'.git' = 'write'\n"
    "'.git/hooks' = 'read'\n"
    "'.git/config' = 'read'\n"
    "'.git/config.worktree' = 'read'\n"
    "'.git/commondir' = 'read'\n"
    "'.git/info' = 'read'\n"
    "'.git/modules' = 'read'\n"
    "'.git/worktrees' = 'read'\n"
    "'.git/remotes' = 'read'\n"
    "'.git/branches' = 'read'\n"
    "'.git/rebase-merge' = 'read'\n"
    "'.git/rebase-apply' = 'read'\n"
    "'.git/sequencer' = 'read'\n";

static const char gpu[] = "# the graphics devices and the shader caches\n"
                          "devices = ['gpu']\n"
                          "[filesystem]\n"
                          "'~/.cache/mesa_shader_cache' = 'write'\n"
                          "'~/.cache/mesa_shader_cache_db' = 'write'\n"
                          "'~/.cache/nvidia' = 'write'\n"
                          "'~/.nv' = 'write'\n";

static const char docker[] =
    "# Whoever talks to the Docker daemon can become root on the host: with this the sandbox is a\n"
    "# convenience, not a boundary.\n"
    "allow_unix_sockets = ['/run/docker.sock', '/var/run/docker.sock']\n"
    "[filesystem]\n"
    "'~/.docker/buildx' = 'write'\n";

static const char chromium[] =
    "# browsers that are driven by tests: their own sandbox needs user namespaces\n"
    "allow_nested_userns = true\n"
    "[filesystem]\n"
    "'~/.cache/chromium' = 'write'\n"
    "'~/.cache/google-chrome-for-testing' = 'write'\n"
    "'~/.cache/fontconfig' = 'write'\n"
    "'~/.cache/mesa_shader_cache' = 'write'\n";

/* clang-format on */

const struct preset presets[] = {
    {"npm", "npm's cache", npm},
    {"pnpm", "pnpm's store and caches", pnpm},
    {"yarn", "yarn's caches", yarn},
    {"pip", "pip's cache", pip},
    {"uv", "uv's cache", uv},
    {"cargo", "cargo's registry and git sources", cargo},
    {"go", "Go's module and build caches", go},
    {"gradle", "Gradle's caches and daemons", gradle},
    {"maven", "Maven's local repository", maven},
    {"ccache", "ccache's cache", ccache},
    {"sccache", "sccache's cache", sccache},
    {"secrets", "masks for keys, credentials, browser profiles, histories and .env files", secrets},
    {"git", "commits: .git without hooks, config and what else runs code", git},
    {"gpu", "graphics devices and shader caches", gpu},
    {"docker", "the Docker daemon (gives the host away)", docker},
    {"chromium", "browsers under test", chromium},
};
const size_t n_presets = ARRAY_LEN(presets);

/*
 * From configuration text to a resolved profile. Each case is a file, how it is started, and what
 * is asked: "w PATH" writable, "r PATH" readable and no more, "- PATH" neither; lines of their own.
 */
#include "base/path.h"
#include "config/keys.h"
#include "permissions/resolve.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

struct setting {
    const char *name; /* -P */
    const char *tmpdir;
    const char *add_dir;
    const char *over; /* -c */
    const char *workspace;
    enum sandbox_mode flag;
    bool vcs, no_home, strict;
};

struct rcase {
    const char *what, *toml;
    struct setting with;
    const char *asks;    /* NULL: resolving fails */
    const char *warning; /* a part of one; NULL: there is none */
    const char *error;   /* a part of the message */
    const char *note;    /* of the error */
    unsigned line, column;
};

static const struct rcase modes[] = {
    {"nothing said, no version control: read-only",
     "",
     {0},
     "r /\nr /ws/a\nr /tmp\nr /etc/passwd\nr /home/u/.bawn/rules\n- /home/u/.bawn/auth.json\nmode "
     "read-only\n"
     "net off\nfull_read",
     NULL},
    {"nothing said, version control: workspace-write",
     "",
     {.vcs = true},
     "w /ws\nw /ws/a\nr /ws/.git\nr /ws/.git/hooks/x\nw /tmp/x\nr /etc\nr /ws/.codex\nr "
     "/ws/.agents/x\nr /ws/.aws\n"
     "r /ws/.bawn\nr /tmp/.git\nw /ws/sub/.git\nmode workspace-write\nnet off\nfull_read",
     NULL},
    {"--sandbox",
     "",
     {.flag = MODE_DANGER_FULL_ACCESS},
     "w /etc/passwd\nw /ws/.git\nmode danger-full-access\nnet open\nfull_read",
     NULL},
    {"--sandbox over the file",
     "sandbox_mode = \"read-only\"\n",
     {.flag = MODE_WORKSPACE_WRITE},
     "w /ws/a",
     NULL},
    {"sandbox_mode in the file",
     "sandbox_mode = \"workspace-write\"\n",
     {0},
     "w /ws/a\nw /tmp",
     NULL},
    {"sandbox_mode wins over default_permissions, and says so",
     "default_permissions = \":read-only\"\nsandbox_mode = \"workspace-write\"\n",
     {0},
     "w /ws/a",
     "config.toml:2) wins over default_permissions = \":read-only\" (@DIR/config.toml:1)"},
    {"--sandbox wins over default_permissions",
     "default_permissions = \":read-only\"\n",
     {.flag = MODE_WORKSPACE_WRITE},
     "w /ws/a",
     "(--sandbox) wins over default_permissions"},
    {"default_permissions",
     "default_permissions = \":workspace\"\n",
     {0},
     "w /ws/a\nr /ws/.git",
     NULL},
    {"-P wins over sandbox_mode",
     "sandbox_mode = \"read-only\"\n",
     {.name = ":workspace"},
     "w /ws/a",
     NULL},
    {"-P wins over --sandbox with a word",
     "",
     {.name = ":workspace", .flag = MODE_READ_ONLY},
     "w /ws/a",
     "-P :workspace wins over --sandbox read-only"},
    {"$TMPDIR",
     "",
     {.vcs = true, .tmpdir = "/var/tmp/u"},
     "w /var/tmp/u/x\nr /var/tmp/x\nr /var/tmp/u/.git",
     NULL},
    {"$TMPDIR relative", "", {.vcs = true, .tmpdir = "tmp"}, "r /var/tmp/x", NULL},
    {"$TMPDIR is not normalised",
     "",
     {.vcs = true, .tmpdir = "/var//tmp/./u/"},
     "w /var/tmp/u/x",
     NULL},
    {"$TMPDIR excluded",
     "[sandbox_workspace_write]\nexclude_tmpdir_env_var = true\n",
     {.vcs = true, .tmpdir = "/var/tmp/u"},
     "r /var/tmp/u/x\nw /tmp/x",
     NULL},
    {"/tmp excluded",
     "[sandbox_workspace_write]\nexclude_slash_tmp = true\n",
     {.vcs = true},
     "r /tmp/x",
     NULL},
    {"$TMPDIR is /", "", {.vcs = true, .tmpdir = "/"}, "r /etc\nw /ws/a", "too much to be opened"},
    {"$TMPDIR is the home",
     "",
     {.vcs = true, .tmpdir = "/home/u"},
     "r /home/u/x",
     "too much to be opened"},
    {"$TMPDIR inside .git does not open it",
     "",
     {.vcs = true, .tmpdir = "/ws/.git/t"},
     "r /ws/.git/t/x\nr /ws/.git/HEAD",
     "$TMPDIR is not writable"},
    {"$TMPDIR is .git itself",
     "",
     {.vcs = true, .tmpdir = "/ws/.git"},
     "r /ws/.git/HEAD",
     "$TMPDIR is not writable"},
    {"$TMPDIR is the workspace", "", {.vcs = true, .tmpdir = "/ws"}, "w /ws/x\nr /ws/.git", NULL},
    {"writable_roots: absolute, ~, relative",
     "",
     {.vcs = true,
      .over = "sandbox_workspace_write.writable_roots=[\"/srv/a/../b\", \"~/c\", \"../d\", \"~\"]"},
     "w /srv/b/x\nr /srv/a\nw /home/u/c\nw /d/x\nw /home/u/x\nr /srv/b/.git\nr "
     "/home/u/.bawn/config.toml",
     NULL},
    {"writable_roots: ~ without a home",
     "[sandbox_workspace_write]\nwritable_roots = [\"~/c\"]\n",
     {.vcs = true, .no_home = true},
     NULL,
     NULL,
     "cannot be expanded",
     NULL,
     2,
     19},
    {"writable_roots: empty",
     "[sandbox_workspace_write]\nwritable_roots = [\"\"]\n",
     {.vcs = true},
     NULL,
     NULL,
     "cannot be expanded"},
    {"writable_roots do nothing in read-only",
     "[sandbox_workspace_write]\nwritable_roots = [\"/srv\"]\n",
     {0},
     "r /srv/x",
     NULL},
    {"network_access",
     "[sandbox_workspace_write]\nnetwork_access = true\n",
     {.vcs = true},
     "net open",
     NULL},
    {"network_access does nothing in read-only",
     "[sandbox_workspace_write]\nnetwork_access = true\n",
     {0},
     "net off",
     NULL},
    {"network_proxy without the network",
     "[features]\nnetwork_proxy = true\n",
     {.vcs = true},
     "net off",
     NULL},
    {"network_proxy with the network",
     "features.network_proxy = true\nsandbox_workspace_write.network_access = true\n",
     {.vcs = true},
     "net filtered",
     NULL},
    {"network_proxy off",
     "features.network_proxy.enabled = false\nsandbox_workspace_write.network_access = true\n",
     {.vcs = true},
     "net open",
     NULL},
    {"network_proxy table",
     "features.network_proxy.enabled = true\nsandbox_workspace_write.network_access = true\n",
     {.vcs = true},
     "net filtered",
     NULL},
    {"--add-dir",
     "",
     {.vcs = true, .add_dir = "/srv/more"},
     "w /srv/more/x\nr /srv/more/.git\nroots 2",
     NULL},
    {"--add-dir in read-only",
     "",
     {.add_dir = "/srv/more"},
     "r /srv/more/x\nroots 1",
     "--add-dir /srv/more has no effect"},
    {"--add-dir of a protected directory lifts it",
     "",
     {.vcs = true, .add_dir = "/ws/.codex"},
     "w /ws/.codex/x",
     NULL},
    {"private_tmp",
     "private_tmp = true\n",
     {.vcs = true, .tmpdir = "/tmp/u"},
     "w /tmp/x\nw /tmp/.git/x",
     NULL},
    {"private_tmp in read-only",
     "private_tmp = true\n",
     {0},
     "w /tmp/x\nr /ws/x\nmode read-only",
     NULL},
    {"the workspace is the home",
     "",
     {.vcs = true, .workspace = "/home/u"},
     "w /home/u/x\nr /home/u/.bawn\nr /home/u/.bawn/rules/x\n- /home/u/.bawn/auth.json\nr "
     "/home/u/.aws/credentials",
     NULL},
    {"the workspace lies in bawn's own directory",
     "",
     {.vcs = true, .workspace = "/home/u/.bawn/x"},
     "r /home/u/.bawn/x/y",
     "it lies in /home/u/.bawn, which is bawn's own"},
    {"a name of one's own",
     "protected_names = [\"keep\", \"a/b\"]\n",
     {.vcs = true},
     "r /ws/keep/x\nr /ws/a/b\nw /ws/a/c\nw /ws/.git/x\nr /tmp/keep",
     NULL},
    {"names taken off",
     "protected_names = []\nprotected_agent_names = []\n",
     {.vcs = true},
     "w /ws/.git/x\nw /ws/.claude\nkinds protected 0",
     NULL},
    {"agents' files",
     "",
     {.vcs = true},
     "r /ws/.claude/x\nr /ws/.mcp.json\nr /ws/.vscode/tasks.json\nw /ws/.vscode/x\nr "
     "/ws/.gemini\nr /ws/.cursor/mcp.json",
     NULL},
};

static const struct rcase paths[] = {
    {"nothing named is nothing granted",
     "[permissions.p]\n",
     {.name = "p"},
     "- /\n- /ws\n- /tmp\nmode custom\nnet off",
     NULL},
    {":minimal",
     "[permissions.p.filesystem]\n\":minimal\" = \"read\"\n",
     {.name = "p"},
     "r /usr/bin/true\nr /etc/passwd\nr /lib64/x\nr /bin\nr /nix/store/x\n- /home/u\n- /",
     NULL},
    {":root read",
     "[permissions.p.filesystem]\n\":root\" = \"read\"\n",
     {.name = "p"},
     "r /x\nfull_read",
     NULL},
    {":root write with entries under it",
     "[permissions.p.filesystem]\n\":root\" = \"write\"\n\"/etc\" = \"read\"\n\"/srv/x\" = "
     "\"none\"\n",
     {.name = "p"},
     "w /x\nr /etc/x\n- /srv/x/y\nr /.git/x\nr /ws/.git/x\nr /home/u/.bawn/x\n- "
     "/home/u/.bawn/auth.json\nfull_read",
     NULL},
    {":root as a table",
     "[permissions.p.filesystem]\n\":root\" = { \".\" = \"read\" }\n",
     {.name = "p"},
     "r /x",
     NULL},
    {":workspace_roots",
     "[permissions.p.filesystem]\n\":workspace_roots\" = \"write\"\n",
     {.name = "p"},
     "w /ws/x\nr /ws/.git\n- /etc",
     NULL},
    {":project_roots with sub-paths",
     "[permissions.p.filesystem]\n\":project_roots\" = { \".\" = \"write\", \"**/*.env\" = "
     "\"none\", \"docs\" = \"read\" }\n",
     {.name = "p"},
     "w /ws/x\n- /ws/.env\n- /ws/a/b/p.env/q\nr /ws/docs/a\n- /ws/docs/a.env",
     NULL},
    {"a glob holds in every root",
     "[permissions.p]\nworkspace_roots = { \"~/lib\" = true, \"/no\" = false }\nfilesystem = { "
     "\":workspace_roots\" = "
     "{ \".\" = \"write\", \"*.key\" = \"none\" } }\n",
     {.name = "p"},
     "- /ws/a.key\n- /home/u/lib/a.key\nw /home/u/lib/a\nr /home/u/lib/.git\n- /no/a\nroots 2",
     NULL},
    {":tmpdir and :slash_tmp",
     "[permissions.p.filesystem]\n\":tmpdir\" = \"write\"\n\":slash_tmp\" = \"read\"\n",
     {.name = "p", .tmpdir = "/var/t"},
     "w /var/t/x\nr /tmp/x",
     NULL},
    {":tmpdir without $TMPDIR",
     "[permissions.p.filesystem]\n\":tmpdir\" = \"write\"\n",
     {.name = "p"},
     "- /tmp",
     NULL},
    {"absolute and ~",
     "[permissions.p.filesystem]\n\"/srv/a\" = \"read\"\n\"~\" = \"read\"\n\"~/x\" = \"write\"\n",
     {.name = "p"},
     "r /srv/a/b\nr /home/u/y\nw /home/u/x/y",
     NULL},
    {"none and deny",
     "[permissions.p.filesystem]\n\":root\" = \"read\"\n\"/a\" = \"none\"\n\"/b\" = \"deny\"\n",
     {.name = "p"},
     "- /a/x\n- /b/x\nr /c",
     NULL},
    {"a table below an absolute path",
     "[permissions.p.filesystem]\n\"/srv/a\" = { \".\" = \"read\", \"b\" = \"write\", \"b/*.k\" = "
     "\"none\" }\n",
     {.name = "p"},
     "r /srv/a/x\nw /srv/a/b/x\n- /srv/a/b/x.k\n- /srv",
     NULL},
    {"a table below ~",
     "[permissions.p.filesystem]\n\"~\" = { \"b\" = \"write\" }\n",
     {.name = "p"},
     "w /home/u/b/x\n- /home/u/x",
     NULL},
    {"the subtree",
     "[permissions.p.filesystem]\n\"/srv/a/**\" = \"write\"\n\"/srv/b/**\" = \"none\"\n\"/**\" = "
     "\"read\"\n",
     {.name = "p"},
     "w /srv/a\nw /srv/a/b/c\n- /srv/b\n- /srv/b/c\nr /\nr /x\nfull_read",
     NULL},
    {"the subtree of a sub-path",
     "[permissions.p.filesystem]\n\":workspace_roots\" = { \"out/**\" = \"write\", \"**\" = "
     "\"read\" }\n",
     {.name = "p"},
     "r /ws/x\nw /ws/out/x",
     NULL},
    {"none takes wildcards after a fixed path",
     "[permissions.p.filesystem]\n\":root\" = \"read\"\n\"/srv/*/k[0-9]\" = "
     "\"none\"\n\"~/**/*.pem\" = \"none\"\n",
     {.name = "p"},
     "- /srv/a/k1/x\nr /srv/a/kx\nr /srv/a/b/k1\n- /home/u/a/b.pem\nr /b.pem",
     NULL},
    {"a wildcard at the root of the disk",
     "[permissions.p.filesystem]\n\":root\" = \"read\"\n\"/*/shadow\" = \"none\"\n",
     {.name = "p"},
     "- /etc/shadow\nr /a/b/shadow",
     NULL},
    {"no fixed directory: the granted roots",
     "[permissions.p.filesystem]\n\":workspace_roots\" = \"write\"\n\"/srv\" = "
     "\"read\"\n\"/**/*.pem\" = \"none\"\n",
     {.name = "p"},
     "- /ws/a/b.pem\n- /srv/x.pem\nr /srv/x\n- /opt/x.pem",
     NULL},
    {"no fixed directory, readable disk: said",
     "[permissions.p]\nextends = \":workspace\"\nfilesystem = { \"/**/*.pem\" = \"none\" }\n",
     {.name = "p"},
     "- /ws/a/b.pem\n- /tmp/x.pem\nr /opt/x.pem",
     "has no fixed directory: it holds below /ws, /tmp, not in the rest"},
    {"no fixed directory and / as the workspace",
     "[permissions.p]\nextends = \":workspace\"\nfilesystem = { \"/**/*.pem\" = \"none\" }\n",
     {.name = "p", .workspace = "/"},
     "- /opt/x.pem",
     "has no fixed directory"},
    {"glob_scan_max_depth",
     "[permissions.p.filesystem]\nglob_scan_max_depth = 2\n\":workspace_roots\" = { \".\" = "
     "\"write\", \"**/k\" = \"none\" }\n",
     {.name = "p"},
     "- /ws/a/k\nw /ws/a/b/k",
     NULL},
    {"create",
     "[permissions.p.filesystem]\n\"/srv/a\" = { \".\" = \"write\", create = true }\n",
     {.name = "p"},
     "w /srv/a\ncreated 1",
     NULL},
    {"create in a sub-path",
     "[permissions.p.filesystem]\n\":workspace_roots\" = { out = { \".\" = \"write\", create = "
     "true } }\n",
     {.name = "p"},
     "w /ws/out\n- /ws/x\ncreated 1",
     NULL},
    {"a file called create",
     "[permissions.p.filesystem]\n\":workspace_roots\" = { create = \"write\" }\n",
     {.name = "p"},
     "w /ws/create/x\n- /ws/x\ncreated 0",
     NULL},
    {"create without .",
     "[permissions.p.filesystem]\n\"/srv/a\" = { create = true }\n",
     {.name = "p"},
     NULL,
     NULL,
     "`create` needs a \".\" beside it",
     NULL,
     2,
     1},
    {"create with none",
     "[permissions.p.filesystem]\n\"/srv/a\" = { \".\" = \"none\", create = true }\n",
     {.name = "p"},
     NULL,
     NULL,
     "`create` goes with read or write",
     NULL,
     2,
     14},
    {"an unknown token is passed over",
     "[permissions.p.filesystem]\n\":workspaceroots\" = \"write\"\n\"/a\" = \"read\"\n",
     {.name = "p"},
     "r /a\n- /ws",
     "config.toml:2:1: permissions.p.filesystem.\":workspaceroots\": unknown token; it is "
     "ignored; did you mean \":workspace_roots\"?"},
    {"an unknown token, strictly",
     "[permissions.p.filesystem]\n\":nonsense\" = \"write\"\n",
     {.name = "p", .strict = true},
     NULL,
     NULL,
     "unknown token",
     NULL,
     2,
     1},
    {"a relative path",
     "[permissions.p.filesystem]\n\"docs\" = \"read\"\n",
     {.name = "p"},
     NULL,
     NULL,
     "permissions.p.filesystem.docs: a relative path cannot stand at the top",
     NULL,
     2,
     1},
    {"a relative glob",
     "[permissions.p.filesystem]\n\"**/*.env\" = \"none\"\n",
     {.name = "p"},
     NULL,
     NULL,
     "a relative path",
     NULL,
     2,
     1},
    {"a misspelt key",
     "[permissions.p.filesystem]\nglob_scan_maxdepth = 3\n",
     {.name = "p"},
     NULL,
     NULL,
     "a relative path",
     "did you mean \"glob_scan_max_depth\"?",
     2,
     1},
    {"~user",
     "[permissions.p.filesystem]\n\"~bob/x\" = \"read\"\n",
     {.name = "p"},
     NULL,
     NULL,
     "~USER is not expanded",
     NULL,
     2,
     1},
    {"~ without a home",
     "[permissions.p.filesystem]\n\"~/x\" = \"none\"\n",
     {.name = "p", .no_home = true},
     NULL,
     NULL,
     "there is no home",
     NULL,
     2,
     1},
    {".. in a path",
     "[permissions.p.filesystem]\n\"/a/../b\" = \"read\"\n",
     {.name = "p"},
     NULL,
     NULL,
     "`.` and `..` cannot be part",
     NULL,
     2,
     1},
    {".. in a sub-path",
     "[permissions.p.filesystem]\n\"/a\" = { \"../b\" = \"read\" }\n",
     {.name = "p"},
     NULL,
     NULL,
     "`.` and `..` cannot be part of a sub-path",
     NULL,
     2,
     10},
    {". in a sub-path",
     "[permissions.p.filesystem]\n\"/a\" = { \"./b\" = \"read\" }\n",
     {.name = "p"},
     NULL,
     NULL,
     "`.` and `..`",
     NULL,
     2,
     10},
    {"an absolute sub-path",
     "[permissions.p.filesystem]\n\"/a\" = { \"/b\" = \"read\" }\n",
     {.name = "p"},
     NULL,
     NULL,
     "a sub-path is relative",
     NULL,
     2,
     10},
    {"a sub-path under :root",
     "[permissions.p.filesystem]\n\":root\" = { \"b\" = \"read\" }\n",
     {.name = "p"},
     NULL,
     NULL,
     "only \".\" can stand below this",
     NULL,
     2,
     13},
    {"a sub-path under :tmpdir",
     "[permissions.p.filesystem]\n\":tmpdir\" = { \"b\" = \"read\" }\n",
     {.name = "p"},
     NULL,
     NULL,
     "only \".\" can stand below this",
     NULL,
     2,
     15},
    {"an empty key",
     "[permissions.p.filesystem]\n\"\" = \"read\"\n",
     {.name = "p"},
     NULL,
     NULL,
     "not a path",
     NULL,
     2,
     1},
    {"read takes no glob",
     "[permissions.p.filesystem]\n\"/a/*.c\" = \"read\"\n",
     {.name = "p"},
     NULL,
     NULL,
     "only `none` takes wildcards",
     NULL,
     2,
     1},
    {"write takes no glob",
     "[permissions.p.filesystem]\n\":workspace_roots\" = { \"[ab]\" = \"write\" }\n",
     {.name = "p"},
     NULL,
     NULL,
     "only `none` takes wildcards",
     NULL,
     2,
     24},
    {"read: ** inside",
     "[permissions.p.filesystem]\n\"/a/**/b\" = \"read\"\n",
     {.name = "p"},
     NULL,
     NULL,
     "only `none`",
     NULL,
     2,
     1},
    {"an unclosed bracket",
     "[permissions.p.filesystem]\n\"/a/b[c\" = \"none\"\n",
     {.name = "p"},
     NULL,
     NULL,
     "unclosed bracket",
     NULL,
     2,
     6},
    {"an unclosed bracket in a sub-path",
     "[permissions.p.filesystem]\n\":workspace_roots\" = { \"a/[x\" = \"none\" }\n",
     {.name = "p"},
     NULL,
     NULL,
     "unclosed bracket",
     NULL,
     2,
     27},
    {"** inside a component",
     "[permissions.p.filesystem]\n\"/a/**.env\" = \"none\"\n",
     {.name = "p"},
     NULL,
     NULL,
     "`**` stands alone",
     NULL,
     2,
     5},
    {"a table behind wildcards",
     "[permissions.p.filesystem]\n\"/a/*\" = { \".\" = \"none\" }\n",
     {.name = "p"},
     NULL,
     NULL,
     "needs a path without wildcards",
     NULL,
     2,
     1},
    {"an unknown access word",
     "[permissions.p.filesystem]\n\"/a\" = \"wirte\"\n",
     {.name = "p"},
     NULL,
     NULL,
     "unknown access \"wirte\"; expected read, write or none",
     "did you mean \"write\"?",
     2,
     8},
    {"access of the wrong type",
     "[permissions.p.filesystem]\n\"/a\" = true\n",
     {.name = "p"},
     NULL,
     NULL,
     "found boolean",
     NULL,
     2,
     8},
    {"nested tables",
     "[permissions.p.filesystem]\n\":workspace_roots\".a.env = \"none\"\n",
     {.name = "p"},
     NULL,
     NULL,
     "only \".\" and `create` can stand here",
     NULL,
     2,
     22},
    {"an empty sub-table",
     "[permissions.p.filesystem]\n\"/a\" = { b = {} }\n",
     {.name = "p"},
     NULL,
     NULL,
     "there is no \".\"",
     NULL,
     2,
     14},
    {"a depth of the wrong type",
     "[permissions.p.filesystem]\nglob_scan_max_depth = \"3\"\n",
     {.name = "p"},
     NULL,
     NULL,
     "expected an integer, found a string",
     NULL,
     2,
     23},
    {"a depth of nothing",
     "[permissions.p.filesystem]\nglob_scan_max_depth = 0\n",
     {.name = "p"},
     NULL,
     NULL,
     "0 is too small",
     NULL,
     2,
     23},
    {"bytes with wildcards in the workspace's own name",
     "[permissions.p.filesystem]\n\":workspace_roots\" = { \".\" = \"write\", \"*.k\" = \"none\" "
     "}\n",
     {.name = "p", .workspace = "/home/u/[p]*"},
     "w /home/u/[p]*/x\n- /home/u/[p]*/a.k\n- /home/u/p/x",
     NULL},
    {"workspace_roots: relative",
     "[permissions.p]\nworkspace_roots = { \"lib\" = true }\n",
     {.name = "p"},
     NULL,
     NULL,
     "expected an absolute path or ~",
     NULL,
     2,
     21},
    {"workspace_roots: no boolean",
     "[permissions.p]\nworkspace_roots = { \"/lib\" = \"yes\" }\n",
     {.name = "p"},
     NULL,
     NULL,
     "expected a boolean",
     NULL,
     2,
     30},
};

static const struct rcase chains[] = {
    {"extends :workspace",
     "[permissions.p]\nextends = \":workspace\"\n",
     {.name = "p"},
     "w /ws/x\nr /ws/.git\nw /tmp/x\nr /etc\nmode workspace-write",
     NULL},
    {"extends :read-only",
     "[permissions.p]\nextends = \":read-only\"\n",
     {.name = "p"},
     "r /ws/x\nmode read-only",
     NULL},
    {"extends :read-only and writes",
     "[permissions.p]\nextends = \":read-only\"\nfilesystem = { \"/srv\" = \"write\" }\n",
     {.name = "p", .add_dir = "/more"},
     "r /ws/x\nw /srv/x\nw /more/x\nmode custom",
     NULL},
    {"extends :danger-full-access",
     "[permissions.p]\nextends = \":danger-full-access\"\n",
     {.name = "p"},
     NULL,
     NULL,
     ":danger-full-access cannot be extended",
     NULL,
     2,
     11},
    {"extends an unknown built-in",
     "[permissions.p]\nextends = \":workspce\"\n",
     {.name = "p"},
     NULL,
     NULL,
     "there is no built-in permission profile \":workspce\"",
     "did you mean \":workspace\"?",
     2,
     11},
    {"extends an unknown profile",
     "[permissions.p]\nextends = \"bse\"\n[permissions.base]\n",
     {.name = "p"},
     NULL,
     NULL,
     "permissions.p.extends: there is no permission profile \"bse\"",
     "did you mean \"base\"?",
     2,
     11},
    {"extends of the wrong type",
     "[permissions.p]\nextends = [\"a\"]\n",
     {.name = "p"},
     NULL,
     NULL,
     "extends: expected",
     NULL,
     2,
     11},
    {"a circle of one",
     "[permissions.p]\nextends = \"p\"\n",
     {.name = "p"},
     NULL,
     NULL,
     "p -> p",
     NULL,
     2,
     11},
    {"a circle of three",
     "[permissions.a]\nextends = \"b\"\n[permissions.b]\nextends = \"c\"\n[permissions.c]\nextends "
     "= \"a\"\n",
     {.name = "a"},
     NULL,
     NULL,
     "a -> b -> c -> a",
     NULL,
     6,
     11},
    {"a circle elsewhere does not matter",
     "[permissions.a]\nextends = \"b\"\n[permissions.b]\nextends = "
     "\"a\"\n[permissions.ok]\nextends = \":workspace\"\n",
     {.name = "ok"},
     "w /ws/x",
     "in a circle"},
    {"the child's word replaces the parent's",
     "[permissions.a]\nextends = \":workspace\"\nfilesystem = { \"/s\" = \"none\", \"/t\" = "
     "\"none\" }\n[permissions.b]\nextends "
     "= \"a\"\nfilesystem = { \"/s\" = \"read\", \":slash_tmp\" = \"read\" }\n",
     {.name = "b"},
     "r /s/x\n- /t/x\nr /tmp/x\nw /ws/x",
     NULL},
    {"the child closes the root",
     "[permissions.p]\nextends = \":workspace\"\nfilesystem = { \":root\" = \"none\" }\n",
     {.name = "p"},
     "- /etc\nw /ws/x",
     NULL},
    {"a child cannot name a parent's glob away",
     "[permissions.a]\nextends = \":workspace\"\nfilesystem.\":workspace_roots\" = { \"**/*.k\" = "
     "\"none\" }\n[permissions.b]\n"
     "extends = \"a\"\nfilesystem.\":workspace_roots\" = { \"x.k\" = \"write\", \"d.k/y\" = "
     "\"read\" }\n",
     {.name = "b"},
     "- /ws/x.k\nr /ws/d.k/y\n- /ws/d.k/z",
     NULL},
    {"roots add up and can be taken out",
     "[permissions.a]\nextends = \":workspace\"\nworkspace_roots = { \"/l1\" = true, \"/l2\" = "
     "true }\n[permissions.b]\n"
     "extends = \"a\"\nworkspace_roots = { \"/l1\" = false, \"/l3\" = true }\n",
     {.name = "b"},
     "r /l1/x\nw /l2/x\nw /l3/x\nr /l3/.git\nroots 3",
     NULL},
    {"a protection is lifted by its exact name",
     "[permissions.p]\nextends = \":workspace\"\nfilesystem = { \":workspace_roots\" = { \".git\" "
     "= \"write\" } }\n",
     {.name = "p"},
     "w /ws/.git/hooks/x\nr /ws/.codex",
     NULL},
    {"and not by a deeper one",
     "[permissions.p]\nextends = \":workspace\"\nfilesystem = { \":workspace_roots\" = { "
     "\".git/info\" = \"write\" } }\n",
     {.name = "p"},
     "r /ws/.git/hooks/x\nw /ws/.git/info/x",
     NULL},
    {"a mask is not reopened by a protection",
     "[permissions.p]\nextends = \":workspace\"\nfilesystem = { \":workspace_roots\" = { "
     "\".vscode\" = \"none\", \"**/.git\" = "
     "\"none\" } }\n",
     {.name = "p"},
     "- /ws/.vscode/tasks.json\n- /ws/.git/x",
     NULL},
    {"bawn's own cannot be lifted",
     "[permissions.p]\nextends = \":workspace\"\nfilesystem = { \"~/.bawn\" = \"write\", "
     "\"~/.bawn/rules\" = \"write\" }\n",
     {.name = "p"},
     "r /home/u/.bawn/rules/x\n- /home/u/.bawn/auth.json",
     "stays read-only: it lies in /home/u/.bawn"},
    {"bawn's own is not granted",
     "[permissions.p.filesystem]\n\"/srv\" = \"write\"\n",
     {.name = "p"},
     "- /home/u/.bawn/config.toml",
     NULL},
    {"an unknown key",
     "[permissions.p]\nextend = \":workspace\"\n",
     {.name = "p"},
     NULL,
     NULL,
     "permissions.p.extend: unknown key",
     "did you mean \"extends\"?",
     2,
     1},
    {"an unknown network key",
     "[permissions.p.network]\nenable = true\n",
     {.name = "p"},
     NULL,
     NULL,
     "permissions.p.network.enable: unknown key",
     "did you mean \"enabled\"?",
     2,
     1},
    {"a profile that is not a table",
     "[permissions]\np = 1\n",
     {.name = "p"},
     NULL,
     NULL,
     "permissions.p: expected a table",
     NULL,
     2,
     5},
    {"a profile with a colon",
     "[permissions.\":x\"]\n",
     {.vcs = true},
     "w /ws/x",
     "names that begin with a colon"},
    {"a broken profile that is not chosen",
     "[permissions.bad.filesystem]\n\"x\" = 1\n[permissions.p]\nextends = \":workspace\"\n",
     {.name = "p"},
     "w /ws/x",
     "config.toml:2:1: permissions.bad.filesystem.x: a relative path"},
    {"a broken profile and a mode",
     "[permissions.bad]\nfoo = 1\n",
     {.vcs = true},
     "w /ws/x",
     "permissions.bad.foo: unknown key"},
    {"a broken profile, strictly",
     "[permissions.bad]\nfoo = 1\n",
     {.vcs = true, .strict = true},
     NULL,
     NULL,
     "permissions.bad.foo: unknown key",
     NULL,
     2,
     1},
    {"a broken parent",
     "[permissions.bad]\nfoo = 1\n[permissions.p]\nextends = \"bad\"\n",
     {.name = "p"},
     NULL,
     NULL,
     "permissions.bad.foo: unknown key",
     NULL,
     2,
     1},
    {"-P of an unknown name",
     "[permissions.work]\n",
     {.name = "wrk"},
     NULL,
     NULL,
     "-P: there is no permission profile \"wrk\"",
     "did you mean \"work\"?"},
    {"-P without the colon",
     "",
     {.name = "read-only"},
     NULL,
     NULL,
     "there is no permission profile",
     "did you mean \":read-only\"?"},
    {"-P of an unknown built-in", "", {.name = ":full"}, NULL, NULL, "there is no built-in"},
    {"default_permissions of an unknown name",
     "default_permissions = \"nope\"\n",
     {0},
     NULL,
     NULL,
     "default_permissions: there is no permission profile \"nope\"",
     NULL,
     1,
     23},
    {"network.enabled",
     "[permissions.p]\nextends = \":workspace\"\nnetwork.enabled = true\n",
     {.name = "p"},
     "net open",
     NULL},
    {"network.enabled = false over network_access",
     "sandbox_workspace_write.network_access = true\n[permissions.p]\nextends = "
     "\":workspace\"\nnetwork.enabled = false\n",
     {.name = "p"},
     "net off",
     NULL},
    {"domains",
     "[permissions.p.network]\nenabled = true\ndomains = { \"**.example.com\" = \"allow\" }\n",
     {.name = "p"},
     "net filtered",
     NULL},
    {"domains without the filter",
     "features.network_proxy = false\n[permissions.p.network]\nenabled = true\n"
     "domains = { \"**.example.com\" = \"allow\" }\n",
     {.name = "p"},
     NULL,
     NULL,
     "permissions.p.network.domains needs the filtering proxy, which features.network_proxy (",
     NULL,
     4,
     1},
    {"empty domains",
     "[permissions.p.network]\nenabled = true\ndomains = {}\n",
     {.name = "p"},
     "net filtered",
     NULL},
    {"domains of a parent",
     "[permissions.a.network]\ndomains = { x = \"deny\" }\n[permissions.p]\nextends = \"a\"\n"
     "network.enabled = true\n",
     {.name = "p"},
     "net filtered",
     NULL},
    {"domains with the network off",
     "[permissions.p.network]\ndomains = { x = \"allow\" }\n",
     {.name = "p"},
     "net off",
     NULL},
    {"limited",
     "[permissions.p.network]\nenabled = true\nmode = \"limited\"\n",
     {.name = "p"},
     "net filtered",
     NULL},
    {"full is open",
     "[permissions.p.network]\nenabled = true\nmode = \"full\"\n",
     {.name = "p"},
     "net open",
     NULL},
    {"an unknown mode",
     "[permissions.p.network]\nmode = \"ful\"\n",
     {.name = "p"},
     NULL,
     NULL,
     "unknown value \"ful\"; expected full or limited",
     "did you mean \"full\"?",
     2,
     8},
    {"include",
     "[permissions.p]\nextends = \":workspace\"\ninclude = [\"npm\", \"secrets\"]\n",
     {.name = "p"},
     "w /home/u/.npm/x\n- /home/u/.ssh/id\n- /ws/a/.env\nr /home/u/.bashrc\nw "
     "/ws/.env.example\ncreated 1",
     NULL},
    {"include git",
     "[permissions.p]\nextends = \":workspace\"\ninclude = [\"git\"]\n",
     {.name = "p"},
     "w /ws/.git/index\nw /ws/.git/refs/heads/x\nr /ws/.git/hooks/x\nr /ws/.git/config\nr "
     "/ws/.git/commondir\nr "
     "/ws/.git/modules/x\nr /ws/.git/rebase-merge/done\nr /ws/.git/rebase-apply/next\nr "
     "/ws/.git/sequencer/todo\nr /ws/.git/remotes/origin\nw /ws/.git/MERGE_HEAD\n"
     "kind /ws/.git/hooks protected\nr /ws/.codex",
     NULL},
    {"include and a word of one's own",
     "[permissions.p]\nextends = \":workspace\"\ninclude = [\"secrets\"]\nfilesystem = { "
     "\"~/.ssh\" = \"read\" }\n",
     {.name = "p"},
     "r /home/u/.ssh/x\n- /home/u/.gnupg/x",
     NULL},
    {"an unknown preset",
     "[permissions.p]\ninclude = [\"npm\", \"yarm\"]\n",
     {.name = "p"},
     NULL,
     NULL,
     "there is no preset \"yarm\"",
     "did you mean \"yarn\"?",
     2,
     19},
    {"presets without a home",
     "[permissions.p]\nextends = \":workspace\"\ninclude = [\"secrets\"]\n",
     {.name = "p", .no_home = true},
     "- /ws/a/.env\nw /ws/x",
     NULL},
    {"include of the wrong type",
     "[permissions.p]\ninclude = \"npm\"\n",
     {.name = "p"},
     NULL,
     NULL,
     "expected an array of strings",
     NULL,
     2,
     11},
    {"-c opens a path",
     "[permissions.p]\nextends = \":workspace\"\n",
     {.name = "p", .over = "permissions.p.filesystem.\"/srv/x\"=write"},
     "w /srv/x/y",
     NULL},
    {"an error in -c",
     "",
     {.name = "p", .over = "permissions.p.filesystem.\"/srv/x\"=wirte"},
     NULL,
     NULL,
     "unknown access",
     "did you mean \"write\"?",
     1,
     35},
    {"masks and a description",
     "[permissions.p]\ndescription = \"x\"\nextends = \":workspace\"\n[permissions.p.filesystem]\n"
     "\"~/.ssh\" = \"none\"\n\"~/.ssh/known_hosts\" = \"read\"\n",
     {.name = "p"},
     "- /home/u/.ssh/id\nr /home/u/.ssh/known_hosts",
     NULL},
    {"/dev/shm",
     "[permissions.p.filesystem]\n\"/dev/shm\" = \"write\"\n",
     {.name = "p"},
     "w /dev/shm/x",
     NULL},
};

/* ---- running them ---- */

static char dir[] = "/tmp/test_resolve.XXXXXX";
static char file[64];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    (void)snprintf(file, sizeof(file), "%s/config.toml", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(file);
    return rmdir(dir);
}

static void write_file(const char *text)
{
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

static int resolve(struct arena *a, const struct setting *s, struct config **config,
                   struct profile **profile, struct error *err)
{
    struct config_flag flag = {"--sandbox", "sandbox_mode", sandbox_mode_word(s->flag)};
    struct config_request request = {
        .system_file = file,
        .home = s->no_home ? NULL : "/home/u",
        .cwd = s->workspace ? s->workspace : "/ws",
        .overrides = &s->over,
        .n_overrides = s->over ? 1 : 0,
        .flags = &flag,
        .n_flags = flag.value != NULL,
        .strict = s->strict,
        .in_version_control = s->vcs,
    };
    struct perm_context context = {
        .workspace = request.cwd,
        .home = request.home,
        .tmpdir = s->tmpdir,
        .bawn_home = "/home/u/.bawn",
        .add_dirs = &s->add_dir,
        .n_add_dirs = s->add_dir ? 1 : 0,
    };
    int r = config_load(a, &request, config, err);
    return r < 0 ? r : profile_resolve(*config, s->name, &context, profile, err);
}

/* A table is gone through to its end, so that one run shows all that is wrong. */
static size_t failures;
#define complain(...) (failures++, print_error(__VA_ARGS__), print_error("\n"))

static void ask(const struct rcase *c, const struct profile *p, const char *line)
{
    static const char *const networks[] = {"off", "open", "filtered"};
    const char *arg = strchr(line, ' ');
    arg = arg ? arg + 1 : "";
    if (str_starts(line, "mode ")) {
        if (!str_eq(p->mode, arg))
            complain("%s: mode %s, want %s", c->what, p->mode, arg);
    } else if (str_starts(line, "net ")) {
        if (!str_eq(networks[p->network], arg))
            complain("%s: network %s, want %s", c->what, networks[p->network], arg);
    } else if (str_eq(line, "full_read")) {
        if (!p->full_read)
            complain("%s: full_read is not set", c->what);
    } else if (str_starts(line, "roots ")) {
        if (p->n_roots != strtoul(arg, NULL, 10))
            complain("%s: %zu roots, want %s", c->what, p->n_roots, arg);
    } else if (str_starts(line, "created ") || str_starts(line, "kinds protected ")) {
        size_t n = 0;
        for (size_t i = 0; i < p->n_entries; i++)
            n += line[0] == 'c' ? p->entries[i].create : p->entries[i].kind == ENTRY_PROTECTED;
        if (n != strtoul(strrchr(line, ' '), NULL, 10))
            complain("%s: %s: there are %zu", c->what, line, n);
    } else if (str_starts(line, "kind ")) {
        char path[256];
        (void)snprintf(path, sizeof(path), "%.*s", (int)strcspn(arg, " "), arg);
        assert_int_equal(permissions_check(p, path).why, WHY_PROTECTED);
    } else {
        enum access want = line[0] == 'w'   ? ACCESS_WRITE
                           : line[0] == 'r' ? ACCESS_READ
                                            : ACCESS_NONE;
        struct permission got = permissions_check(p, arg);
        if (got.access != want)
            complain("%s: %s is %s (%s), want %s", c->what, arg, access_word(got.access),
                     got.entry ? got.entry->path : "nothing", access_word(want));
        if (want == ACCESS_NONE && str_eq(arg, "/") && p->full_read)
            complain("%s: full_read is set", c->what);
    }
}

static void check_warnings(const struct rcase *c, const struct config *config)
{
    char want[512] = "";
    for (const char *s = c->warning; s && *s; s++) {
        size_t n = strlen(want);
        bool here = str_starts(s, "@DIR");
        (void)snprintf(want + n, sizeof(want) - n, "%.*s", here ? (int)sizeof(dir) : 1,
                       here ? dir : s);
        s += here ? 3 : 0;
    }
    bool found = false;
    for (size_t i = 0; i < config->n_warnings; i++)
        found = found || (c->warning && strstr(config->warnings[i], want));
    if (c->warning ? !found : config->n_warnings != 0)
        complain("%s: %zu warnings, the first: %s", c->what, config->n_warnings,
                 config->n_warnings ? config->warnings[0] : "");
}

static void run_case(const struct rcase *c)
{
    _cleanup_arena_ struct arena a = {0};
    struct config *config = NULL;
    struct profile *p = NULL;
    struct error err = {0};
    write_file(c->toml);
    int r = resolve(&a, &c->with, &config, &p, &err);
    if (!c->asks) {
        if (r == 0)
            complain("%s: it resolved", c->what);
        else if (!strstr(err.message, c->error))
            complain("%s: message is: %s", c->what, err.message);
        if (c->note && !str_eq(err.note, c->note))
            complain("%s: note is: %s", c->what, err.note);
        if (c->line && (err.line != c->line || err.column != c->column || !err.excerpt[0]))
            complain("%s: at %u:%u, want %u:%u (%s)", c->what, err.line, err.column, c->line,
                     c->column, err.excerpt);
        return;
    }
    if (r < 0) {
        complain("%s: %s:%u:%u: %s", c->what, err.file, err.line, err.column, err.message);
        return;
    }
    char asks[1024];
    (void)snprintf(asks, sizeof(asks), "%s", c->asks);
    for (char *save, *line = strtok_r(asks, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        ask(c, p, line);
    for (size_t i = 0; i < p->n_entries; i++) {
        const struct perm_entry *e = &p->entries[i];
        if (!path_is_normal(e->path) || !e->written || !e->origin.layer ||
            (e->glob && e->access != ACCESS_NONE))
            complain("%s: entry %s is not well formed", c->what, e->path);
    }
    check_warnings(c, config);
}

static void test_modes(void **state)
{
    (void)state;
    failures = 0;
    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        run_case(&modes[i]);
    assert_int_equal(failures, 0);
}

static void test_paths(void **state)
{
    (void)state;
    failures = 0;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        run_case(&paths[i]);
    assert_int_equal(failures, 0);
}

static void test_chains(void **state)
{
    (void)state;
    failures = 0;
    for (size_t i = 0; i < ARRAY_LEN(chains); i++)
        run_case(&chains[i]);
    assert_int_equal(failures, 0);
}

static const struct perm_entry *entry_of(const struct profile *p, const char *path)
{
    for (size_t i = 0; i < p->n_entries; i++)
        if (str_eq(p->entries[i].path, path))
            return &p->entries[i];
    fail_msg("there is no entry for %s", path);
    return NULL;
}

/* What survey and plan go by besides the answer. */
static void test_entries(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    struct config *config;
    struct profile *p;
    struct error err = {0};
    write_file("[permissions.p]\nextends = \":workspace\"\n[permissions.p.filesystem]\n"
               "\":workspace_roots\" = { \"**/*.env\" = \"none\" }\n\"~/.ssh\" = "
               "\"none\"\n\":minimal\" = \"read\"\n");
    struct setting s = {.name = "p"};
    assert_int_equal(resolve(&a, &s, &config, &p, &err), 0);
    const struct perm_entry *ssh = entry_of(p, "/home/u/.ssh");
    assert_string_equal(ssh->written, "\"~/.ssh\"");
    assert_string_equal(ssh->origin.layer, "system");
    assert_string_equal(ssh->origin.file, file);
    assert_int_equal(ssh->origin.line, 5);
    assert_int_equal(ssh->origin.column, 1);
    assert_int_equal(ssh->kind, ENTRY_NAMED);
    assert_int_equal(entry_of(p, "/nix/store")->kind, ENTRY_BASE);
    assert_int_equal(entry_of(p, "/ws/.git")->kind, ENTRY_PROTECTED);
    assert_false(entry_of(p, "/ws/.git")->if_exists);
    assert_false(entry_of(p, "/ws/.claude")->if_exists);
    assert_false(entry_of(p, "/ws/.cursor")->if_exists);
    assert_false(entry_of(p, "/ws/.mcp.json")->if_exists);
    assert_true(entry_of(p, "/ws/.vscode/tasks.json")->if_exists);
    assert_int_equal(entry_of(p, "/home/u/.bawn")->kind, ENTRY_OWN);
    assert_int_equal(entry_of(p, "/home/u/.bawn")->access, ACCESS_READ);
    assert_true(entry_of(p, "/home/u/.bawn/auth.json")->if_exists);
    assert_int_equal(entry_of(p, dir)->kind, ENTRY_OWN); /* of the system file */
    size_t globs = 0;
    for (size_t i = 0; i < p->n_entries; i++) {
        if (!p->entries[i].glob)
            continue;
        globs++;
        assert_string_equal(p->entries[i].path, "/ws");
        assert_string_equal(p->entries[i].glob, "**/*.env");
        assert_string_equal(p->entries[i].written, "\":workspace_roots\".\"**/*.env\"");
    }
    assert_int_equal(globs, 1);
    assert_string_equal(p->name, "p");
    assert_string_equal(p->roots[0], "/ws");
}

static void test_presets(void **state)
{
    (void)state;
    static const char *const wanted[] = {"npm", "pnpm",   "yarn",   "pip",     "uv",      "cargo",
                                         "go",  "gradle", "maven",  "ccache",  "sccache", "secrets",
                                         "git", "gpu",    "docker", "chromium"};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        bool found = false;
        for (size_t k = 0; k < n_presets; k++)
            found = found || str_eq(presets[k].name, wanted[i]);
        if (!found)
            fail_msg("there is no preset %s", wanted[i]);
    }
    for (size_t i = 0; i < n_presets; i++) {
        _cleanup_arena_ struct arena a = {0};
        struct config *config;
        struct profile *p;
        struct error err = {0};
        char text[128];
        (void)snprintf(text, sizeof(text),
                       "[permissions.p]\nextends = \":workspace\"\ninclude = [\"%s\"]\n",
                       presets[i].name);
        write_file(text);
        struct setting s = {.name = "p", .strict = true};
        if (resolve(&a, &s, &config, &p, &err) < 0)
            fail_msg("preset %s: %s:%u: %s", presets[i].name, err.file, err.line, err.message);
        size_t from = 0;
        for (size_t k = 0; k < p->n_entries; k++)
            from += str_starts(p->entries[k].origin.layer, "preset:");
        assert_true(from > 0);
        assert_int_equal(config->allow_nested_userns, str_eq(presets[i].name, "chromium"));
        assert_int_equal(config->devices.n, str_eq(presets[i].name, "gpu") ? 1 : 0);
        assert_int_equal(config->allow_unix_sockets.n, str_eq(presets[i].name, "docker") ? 2 : 0);
        /* what it needs reaches the configuration only when it is in force */
        write_file(text);
        s = (struct setting){.name = ":workspace"};
        assert_int_equal(resolve(&a, &s, &config, &p, &err), 0);
        assert_false(config->allow_nested_userns);
        assert_int_equal(config->devices.n + config->allow_unix_sockets.n, 0);
    }
}

/* The n-th allocation fails: an error comes back, nothing leaks, nothing crashes. */
static void test_no_memory(void **state)
{
    (void)state;
    write_file("[permissions.p]\nextends = \":workspace\"\ninclude = [\"git\", \"secrets\"]\n"
               "filesystem.\"/**/x\" = \"none\"\nfilesystem.\":x\" = "
               "\"none\"\n[permissions.q]\nfoo = 1\n");
    int r = -ENOMEM;
    unsigned long n = 1;
    for (; r < 0 && n < 20000; n++) {
        _cleanup_arena_ struct arena a = {0};
        struct config *config;
        struct profile *p;
        struct error err = {0};
        struct setting s = {.name = "p"};
        mem_fail_at(n);
        r = resolve(&a, &s, &config, &p, &err);
        mem_fail_at(0);
        if (r < 0 && err.code == 0)
            fail_msg("allocation %lu: no error is set", n);
    }
    assert_int_equal(r, 0);
    assert_true(n > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modes),   cmocka_unit_test(test_paths),
        cmocka_unit_test(test_chains),  cmocka_unit_test(test_entries),
        cmocka_unit_test(test_presets), cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

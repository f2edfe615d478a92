/*
 * What an administrator fixed, row by row: a value that somebody chose and that is not allowed is
 * refused with both places, a default gives way, what is stricter passes.
 */
#include "config_world.h"

#include <fcntl.h>

/* A setting; whether it starts; what is said; what comes out. */
struct rcase {
    const char *what;
    struct setting with;
    const char *error[4]; /* parts of the message, all of them; none: it starts */
    const char *place;    /* "FILE:LINE" of the error */
    const char *asks;     /* of what came out, a line each: see answer() */
    const char *warning;  /* a part of the only one; NULL: there is none */
};

#define REQ  "@/etc/requirements.toml"
#define USER "@/home/config.toml"
#define CHOOSE                                                                                     \
    {                                                                                              \
        "--sandbox", "sandbox_mode", "workspace-write"                                             \
    }
#define FULL                                                                                       \
    {                                                                                              \
        "--sandbox", "sandbox_mode", "danger-full-access"                                          \
    }
#define YOLO                                                                                       \
    {                                                                                              \
        {"--yolo", "sandbox_mode", "danger-full-access"},                                          \
        {                                                                                          \
            "--yolo", "approval_policy", "never"                                                   \
        }                                                                                          \
    }
#define ASK(policy)                                                                                \
    {                                                                                              \
        "--ask-for-approval", "approval_policy", policy                                            \
    }

static const struct rcase words[] = {
    /* ---- approval policies ---- */
    {"a policy of the user's that is not listed",
     {.required = "# it\nallowed_approval_policies = ['untrusted', 'on-request']\n",
      .user = "\napproval_policy = 'never'\n"},
     {"approval_policy = \"never\" (" USER ":2) is not allowed",
      REQ ":2 allows untrusted and on-request"}},
    {"of a flag",
     {.required = "allowed_approval_policies = ['on-request']\n", .flags = {ASK("never")}},
     {"approval_policy = \"never\" (--ask-for-approval)", REQ ":1 allows on-request"}},
    {"of -c",
     {.required = "allowed_approval_policies = ['on-request']\n",
      .over = {"approval_policy=never"}},
     {"approval_policy = \"never\" (-c)", REQ ":1 allows on-request"}},
    {"of a profile",
     {.required = "allowed_approval_policies = ['on-request']\n",
      .profile = "p",
      .profile_file = "approval_policy = 'never'\n"},
     {"\"never\" (@/home/p.config.toml:1)"}},
    {"of the system's file",
     {.required = "allowed_approval_policies = ['on-request']\n",
      .system = "approval_policy = 'never'\n"},
     {"\"never\" (@/etc/config.toml:1)"}},
    {"of a project, which is nobody's choice: it gives way",
     {.required = "allowed_approval_policies = ['untrusted']\n",
      .trust = TRUSTED,
      .project = "approval_policy = 'on-request'\n"},
     .asks = "policy untrusted",
     .warning = "approval_policy is \"untrusted\" instead of"},
    {"a mode of a project's, which is nobody's choice",
     {.required = "allowed_sandbox_modes = ['read-only']\n",
      .trust = TRUSTED,
      .vcs = true,
      .project = "sandbox_mode = 'workspace-write'\n"},
     .asks = "mode read-only",
     .warning = "sandbox_mode is \"read-only\" instead of"},
    {"a table by kind, where only untrusted is listed",
     {.required = "allowed_approval_policies = ['untrusted']\n",
      .user = "approval_policy = { granular = { rules = true } }\n"},
     {"approval_policy = \"granular\" (" USER ":1)", "allows untrusted"}},
    {"a table by kind, listed",
     {.required = "allowed_approval_policies = ['granular']\n",
      .user = "approval_policy = { granular = { rules = true } }\n"},
     .asks = "policy granular"},
    {"what a higher layer hides was not chosen",
     {.required = "allowed_approval_policies = ['on-request']\n",
      .user = "approval_policy = 'never'\n",
      .over = {"approval_policy=untrusted"}},
     .asks = "policy untrusted"},
    {"stricter",
     {.required = "allowed_approval_policies = ['on-request']\n", .flags = {ASK("untrusted")}},
     .asks = "policy untrusted"},
    {"stricter than the only loose one",
     {.required = "allowed_approval_policies = ['never']\n", .flags = {ASK("on-request")}},
     .asks = "policy on-request"},
    {"a default that is not listed: the strictest that is",
     {.required = "allowed_approval_policies = ['untrusted']\n"},
     .asks = "policy untrusted",
     .warning = "approval_policy is \"untrusted\" instead of the default \"on-request\": " REQ
                ":1 requires it"},
    {"a default that is stricter",
     {.required = "allowed_approval_policies = ['never']\n"},
     .asks = "policy on-request"},

    /* ---- reviewers ---- */
    {"a reviewer that is not listed",
     {.required = "allowed_approvals_reviewers = ['user']\n",
      .user = "approvals_reviewer = 'auto_review'\n"},
     {"approvals_reviewer = \"auto_review\" (" USER ":1)", REQ ":1 allows user"}},
    {"its older name",
     {.required = "allowed_approvals_reviewers = ['user']\n",
      .user = "approvals_reviewer = 'guardian_subagent'\n"},
     {"approvals_reviewer = \"guardian_subagent\"", "allows user"}},
    {"user is always one",
     {.required = "allowed_approvals_reviewers = ['auto_review']\n",
      .user = "approvals_reviewer = 'user'\n"},
     .asks = "reviewer user"},
    {"listed",
     {.required = "allowed_approvals_reviewers = ['guardian_subagent']\n",
      .user = "approvals_reviewer = 'auto_review'\n"},
     .asks = "reviewer auto_review"},

    /* ---- web search ---- */
    {"a web search that is not listed",
     {.required = "allowed_web_search_modes = ['cached']\n",
      .flags = {{"--search", "web_search", "live"}}},
     {"web_search = \"live\" (--search)", REQ ":1 allows cached"}},
    {"an empty list: disabled alone",
     {.required = "allowed_web_search_modes = []\n", .user = "web_search = 'cached'\n"},
     {"web_search = \"cached\" (" USER ":1)", REQ ":1 allows disabled"}},
    {"disabled is always allowed",
     {.required = "allowed_web_search_modes = ['live']\n", .user = "web_search = 'disabled'\n"},
     .asks = "search disabled"},
    {"the default with an empty list",
     {.required = "allowed_web_search_modes = []\n"},
     .asks = "search disabled",
     .warning = "web_search is \"disabled\" instead of the default \"cached\": " REQ ":1"},
    {"the default of full access is not allowed: the other one",
     {.required = "allowed_web_search_modes = ['cached']\n", .flags = {FULL}},
     .asks = "mode danger-full-access\nsearch cached"},
    {"the default of full access",
     {.required = "allowed_web_search_modes = ['live']\n", .flags = {FULL}},
     .asks = "search live"},

    /* ---- modes ---- */
    {"a mode that is not listed",
     {.required = "allowed_sandbox_modes = ['read-only', 'workspace-write']\n",
      .user = "sandbox_mode = 'danger-full-access'\n"},
     {"sandbox_mode = \"danger-full-access\" (" USER ":1)",
      REQ ":1 allows read-only and workspace-write"}},
    {"of a flag",
     {.required = "allowed_sandbox_modes = ['read-only']\n", .flags = {CHOOSE}},
     {"sandbox_mode = \"workspace-write\" (--sandbox)", "allows read-only"}},
    {"stricter",
     {.required = "allowed_sandbox_modes = ['workspace-write']\n",
      .flags = {{"--sandbox", "sandbox_mode", "read-only"}}},
     .asks = "mode read-only"},
    {"the default outside of version control is stricter",
     {.required = "allowed_sandbox_modes = ['workspace-write']\n"},
     .asks = "mode read-only"},
    {"a default that is not listed",
     {.required = "\nallowed_sandbox_modes = ['read-only']\n", .vcs = true},
     .asks = "mode read-only\nr @/proj/a",
     .warning = "sandbox_mode is \"read-only\" instead of the default \"workspace-write\": " REQ
                ":2 requires it"},
    {"by -P",
     {.required = "allowed_sandbox_modes = ['read-only']\n", .permissions = ":workspace"},
     {"sandbox_mode = \"workspace-write\" (-P)"}},
    {"by default_permissions",
     {.required = "allowed_sandbox_modes = ['read-only']\n",
      .user = "default_permissions = ':workspace'\n"},
     {"sandbox_mode = \"workspace-write\" (" USER ":1)"}},
    {"a profile of one's own that writes",
     {.required = "allowed_sandbox_modes = ['read-only']\n",
      .permissions = "x",
      .user = "[permissions.x]\nextends = ':read-only'\nfilesystem = { '/d' = 'write' }\n"},
     {"\"workspace-write\" (-P) is not allowed"}},
    {"one that writes to /tmp",
     {.required = "allowed_sandbox_modes = ['read-only']\n",
      .permissions = "x",
      .user = "[permissions.x]\nfilesystem = { ':slash_tmp' = 'write' }\n"},
     {"\"workspace-write\" (-P) is not allowed"}},
    {"one that writes by a preset",
     {.required = "allowed_sandbox_modes = ['read-only']\n",
      .permissions = "x",
      .user = "[permissions.x]\nextends = ':read-only'\ninclude = ['npm']\n"},
     {"\"workspace-write\" (-P) is not allowed"}},
    {"one that has the network",
     {.required = "allowed_sandbox_modes = ['read-only']\n",
      .permissions = "x",
      .user = "[permissions.x]\nextends = ':read-only'\nnetwork.enabled = true\n"},
     {"\"workspace-write\" (-P) is not allowed"}},
    {"one that only reads",
     {.required = "allowed_sandbox_modes = ['read-only']\n",
      .permissions = "x",
      .user = "[permissions.x]\nfilesystem = { '/usr' = 'read' }\n"},
     .asks = "r /usr/x\n- /etc/x"},
    {"a /tmp of its own is nobody's loss",
     {.required = "allowed_sandbox_modes = ['read-only']\n", .user = "private_tmp = true\n"},
     .asks = "mode read-only"},
    {"--yolo",
     {.required = "allowed_sandbox_modes = ['workspace-write']\n", .flags = YOLO},
     {"sandbox_mode = \"danger-full-access\" (--yolo)"}},
    {"--yolo, only its policy is not allowed",
     {.required = "allowed_approval_policies = ['on-request']\n", .flags = YOLO},
     {"approval_policy = \"never\" (--yolo)"}},
    {"--yolo, both allowed",
     {.required = "allowed_approval_policies = ['never']\n"
                  "allowed_sandbox_modes = ['danger-full-access']\n",
      .flags = YOLO},
     .asks = "mode danger-full-access\npolicy never"},
    {"sandbox_backend = external is no confinement",
     {.required = "allowed_sandbox_modes = ['workspace-write']\n",
      .user = "sandbox_backend = 'external'\n"},
     {"sandbox_backend = \"external\" (" USER ":1)", REQ ":1 allows workspace-write"}},
    {"nor is it with profiles",
     {.required = "allowed_permission_profiles = { ':workspace' = true }\n",
      .vcs = true,
      .user = "sandbox_backend = 'external'\n"},
     {"external\" (" USER ":1) is not allowed", REQ ":1 allows :read-only, :workspace"}},

    /* ---- managed_config.toml's two fields ---- */
    {"managed: a policy, and a flag that says another",
     {.managed = "\napproval_policy = 'on-request'\n", .flags = {ASK("never")}},
     {"approval_policy = \"never\" (--ask-for-approval)",
      "@/etc/managed_config.toml:2 allows on-request"}},
    {"managed: a mode, and a flag that says another",
     {.managed = "sandbox_mode = 'workspace-write'\n", .flags = {FULL}},
     {"\"danger-full-access\" (--sandbox)", "@/etc/managed_config.toml:1 allows workspace-write"}},
    {"managed: a mode, and a profile that is more",
     {.managed = "sandbox_mode = 'read-only'\n", .permissions = ":workspace"},
     {"\"workspace-write\" (-P)", "@/etc/managed_config.toml:1 allows read-only"}},
    {"managed: a flag that is stricter",
     {.managed = "sandbox_mode = 'workspace-write'\napproval_policy = 'never'\n",
      .flags = {{"--sandbox", "sandbox_mode", "read-only"}, ASK("untrusted")}},
     .asks = "mode read-only\npolicy untrusted"},
    {"managed: other keys are no requirements",
     {.managed = "web_search = 'disabled'\n", .flags = {{"--search", "web_search", "live"}}},
     .asks = "search live"},
    {"managed fills only what requirements.toml leaves",
     {.managed = "sandbox_mode = 'workspace-write'\n",
      .required = "allowed_sandbox_modes = ['danger-full-access']\n",
      .flags = {FULL}},
     .asks = "mode danger-full-access"},
    {"and is held against it",
     {.managed = "sandbox_mode = 'danger-full-access'\n",
      .required = "allowed_sandbox_modes = ['read-only']\n"},
     {"\"danger-full-access\" (@/etc/managed_config.toml:1)", REQ ":1 allows read-only"}},
};

static const struct rcase fixed[] = {
    /* ---- features ---- */
    {"a feature that is fixed off",
     {.required = "[features]\nf = false\n", .user = "features.f = true\n"},
     {"features.f = true (" USER ":1) is not allowed", REQ ":2 allows only false"}},
    {"on",
     {.required = "features.f = true\n", .over = {"features.f=false"}},
     {"features.f = false (-c) is not allowed", REQ ":1 allows only true"}},
    {"as a table",
     {.required = "features.f = false\n", .user = "features.f = { enabled = true, n = 1 }\n"},
     {"features.f = true (" USER ":1)", "allows only false"}},
    {"as a table that does not say",
     {.required = "features.f = false\n", .user = "features.f = { n = 1 }\n"},
     .asks = "is features.f.enabled false\nis features.f.n 1"},
    {"the same",
     {.required = "features.f = true\n", .user = "features.f = true\n"},
     .asks = "is features.f true"},
    {"nobody said", {.required = "features.f = true\n"}, .asks = "is features.f true"},
    {"a name that is odd",
     {.required = "features.\"a b.c\" = false\n", .user = "features.\"a b.c\" = true\n"},
     {"features.a b.c = true"}},

    /* ---- login shells, telemetry ---- */
    {"login shells fixed off",
     {.required = "allow_login_shell = false\n", .user = "allow_login_shell = true\n"},
     {"allow_login_shell = true (" USER ":1)", REQ ":1 allows only false"}},
    {"on, and off is stricter",
     {.required = "allow_login_shell = true\n", .user = "allow_login_shell = false\n"},
     .asks = "is allow_login_shell false"},
    {"nobody said",
     {.required = "allow_login_shell = false\n"},
     .asks = "is allow_login_shell false"},
    {"otel",
     {.required = "[otel]\nexporter = 'none'\n", .user = "otel.exporter = 'otlp-http'\n"},
     {"otel (" USER ":1) is not what " REQ ":1 fixes"}},
    {"otel, more than is fixed",
     {.required = "[otel]\nexporter = 'none'\n",
      .user = "otel = { exporter = 'none', environment = 'x' }\n"},
     {"otel (" USER ":1)"}},
    {"otel, the same",
     {.required = "[otel]\nexporter = 'none'\n", .user = "otel.exporter = 'none'\n"},
     .asks = "is otel.exporter none"},
    {"otel, nobody said",
     {.required = "otel.exporter = 'none'\n"},
     .asks = "is otel.exporter none"},

    /* ---- MCP servers ---- */
    {"servers by name and identity",
     {.required = "[mcp_servers.a]\nidentity = { command = 'x' }\n"
                  "[mcp_servers.b]\nidentity = { url = 'https://b' }\n",
      .user = "mcp_servers.a.command = 'x'\nmcp_servers.b.url = 'https://b'\n"},
     .asks = "is mcp_servers.a.command x\nis mcp_servers.b.url https://b"},
    {"another command",
     {.required = "[mcp_servers.a]\nidentity = { command = 'x' }\n",
      .user = "mcp_servers.a.command = 'y'\n"},
     .asks = "is mcp_servers.a nothing",
     .warning = "mcp_servers.a is disabled: " REQ ":1 does not name it so"},
    {"another name",
     {.required = "[mcp_servers.a]\nidentity = { command = 'x' }\n",
      .user = "mcp_servers.b.command = 'x'\n"},
     .asks = "is mcp_servers.b nothing",
     .warning = "mcp_servers.b is disabled"},
    {"a command besides the URL that is allowed",
     {.required = "[mcp_servers.a]\nidentity = { url = 'https://a' }\n",
      .user = "mcp_servers.a = { url = 'https://a', command = 'y' }\n"},
     .asks = "is mcp_servers.a nothing",
     .warning = "mcp_servers.a is disabled"},
    {"present but empty: none",
     {.required = "[mcp_servers]\n", .user = "mcp_servers.a.command = 'x'\n"},
     .asks = "is mcp_servers.a nothing",
     .warning = "mcp_servers.a is disabled: " REQ ":1"},
    {"no identity: none",
     {.required = "[mcp_servers.a]\n", .user = "mcp_servers.a.command = 'x'\n"},
     .asks = "is mcp_servers.a nothing",
     .warning = "mcp_servers.a is disabled"},

    /* ---- managed profiles ---- */
    {"a managed profile can be chosen",
     {.required = "[permissions.corp]\nextends = ':read-only'\nfilesystem = { '/s' = 'none' }\n",
      .permissions = "corp"},
     .asks = "- /s/x\nr /etc/x"},
    {"its name is nobody else's",
     {.required = "[permissions.corp]\nextends = ':read-only'\n",
      .user = "\n[permissions.corp]\nextends = ':workspace'\n"},
     {"permissions.corp is the administrator's profile (" REQ ":1)"},
     USER ":2"},
    {"not by -c either",
     {.required = "[permissions.corp]\nextends = ':read-only'\n",
      .over = {"permissions.corp.filesystem.\"/\"=write"}},
     {"permissions.corp is the administrator's profile"},
     "-c:1"},
    {"one of the user's can extend it",
     {.required = "[permissions.corp]\nextends = ':workspace'\nfilesystem = { '/s' = 'none' }\n",
      .permissions = "mine",
      .user = "[permissions.mine]\nextends = 'corp'\n"},
     .asks = "- /s/x\nw @/proj/x"},
    {"a project says something under its name: a floor, and nothing else",
     {.required = "[permissions.corp]\nextends = ':workspace'\n",
      .permissions = "corp",
      .trust = TRUSTED,
      .project = "[permissions.corp.filesystem]\n'/q' = 'none'\n"},
     .asks = "- /q\nw @/proj/x"},
    {"a broken one ends the start, also where another is in force",
     {.required = "[permissions.corp]\nextends = ':read-only'\nfilesystem = { '/s' = 'non' }\n"},
     {"unknown access \"non\""},
     REQ ":3"},

    /* ---- allowed_permission_profiles, default_permissions ---- */
    {"a profile that is not named",
     {.required = "[allowed_permission_profiles]\ncorp = true\n",
      .user = "[permissions.mine]\nextends = ':read-only'\n",
      .permissions = "mine"},
     {"permission profile mine (-P) is not allowed", REQ ":1 allows :read-only, corp"}},
    {"one that is named false",
     {.required = "allowed_permission_profiles = { ':workspace' = false }\n", .flags = {CHOOSE}},
     {":workspace (--sandbox) is not allowed", "allows :read-only"}},
    {"one that is named true",
     {.required = "allowed_permission_profiles = { ':workspace' = true }\n", .flags = {CHOOSE}},
     .asks = "mode workspace-write"},
    {":read-only is stricter than any",
     {.required = "allowed_permission_profiles = { ':read-only' = false, ':workspace' = true }\n",
      .permissions = ":read-only"},
     .asks = "mode read-only"},
    {"a default that is not named",
     {.required = "allowed_permission_profiles = { x = true }\n", .vcs = true},
     .asks = "mode read-only",
     .warning = "permission profile :read-only instead of :workspace, which nobody chose: " REQ
                ":1 requires it"},
    {"a managed default",
     {.required = "default_permissions = 'corp'\n[permissions.corp]\nextends = ':workspace'\n"
                  "filesystem = { '/s' = 'none' }\n"},
     .asks = "w @/proj/x\n- /s"},
    {"is only a default",
     {.required = "default_permissions = ':workspace'\n", .permissions = ":read-only"},
     .asks = "mode read-only"},
    {"that does not exist",
     {.required = "\ndefault_permissions = 'no'\n"},
     {"there is no permission profile \"no\""},
     REQ ":2"},
    {"that is not allowed itself",
     {.required = "default_permissions = ':workspace'\nallowed_sandbox_modes = ['read-only']\n"},
     {"sandbox_mode = \"workspace-write\" (" REQ ":1)", REQ ":2 allows read-only"}},
    {"a project that says less than the managed default",
     {.required = "default_permissions = ':workspace'\n",
      .trust = TRUSTED,
      .project = "sandbox_mode = 'read-only'\n"},
     .asks = "mode read-only"},

    /* ---- deny_read ---- */
    {"deny_read",
     {.required = "permissions.filesystem.deny_read = ['/s', '~/k', '/d/*.pem']\n"},
     .asks = "- /s\n- /s/x/y\n- /home/u/k\n- /home/u/k/z\n- /d/a.pem\nr /d/a\nr /d/e/a.pem\nr /sx"},
    {"a deeper entry of the user's",
     {.required = "permissions.filesystem.deny_read = ['/s', '~/k']\n",
      .permissions = "x",
      .user = "[permissions.x]\nextends = ':workspace'\n[permissions.x.filesystem]\n"
              "'/s/x' = 'read'\n'~/k/a' = 'write'\n'/s/x/**' = 'write'\n"},
     .asks = "- /s/x\n- /s/x/y\n- /home/u/k/a\n- /home/u/k/a/b\nw @/proj/x"},
    {"an entry of the same path, and a deeper one",
     {.required = "permissions.filesystem.deny_read = ['/s']\n",
      .permissions = "x",
      .user = "[permissions.x]\nextends = ':read-only'\n"
              "filesystem = { '/s' = 'read', '/s/x' = 'read' }\n"},
     .asks = "- /s\n- /s/x\n- /s/x/y\nr /t"},
    {"the same mask, and a deeper entry",
     {.required = "permissions.filesystem.deny_read = ['/s', '/d/**/*.pem']\n",
      .permissions = "x",
      .user = "[permissions.x]\nextends = ':read-only'\n"
              "filesystem = { '/s' = 'none', '/s/x' = 'read', '/d/**/*.pem' = 'none', "
              "'/d/e/a.pem' = 'read', glob_scan_max_depth = 1 }\n"},
     .asks = "- /s\n- /s/x\n- /d/a.pem\n- /d/e/a.pem\n- /d/e/f/g/a.pem\nr /d/e"},
    {"a workspace root of the user's",
     {.required = "permissions.filesystem.deny_read = ['/s']\n",
      .permissions = "x",
      .user = "[permissions.x]\nextends = ':workspace'\nworkspace_roots = { '/s/x' = true }\n"},
     .asks = "- /s/x\n- /s/x/y"},
    {"--add-dir below",
     {.required = "permissions.filesystem.deny_read = ['/s']\n",
      .flags = {CHOOSE},
      .add_dir = "/s/x"},
     .asks = "- /s/x\n- /s/x/y\nw @/proj/x"},
    {"writable_roots below",
     {.required = "permissions.filesystem.deny_read = ['/s']\n",
      .flags = {CHOOSE},
      .user = "sandbox_workspace_write.writable_roots = ['/s/x', '/s']\n"},
     .asks = "- /s\n- /s/x\n- /s/x/y"},
    {"below the workspace's roots",
     {.required = "permissions.filesystem.deny_read = ['@/proj/**/*.key', '@/proj/sub']\n",
      .flags = {CHOOSE}},
     .asks = "- @/proj/a.key\n- @/proj/d/e/a.key\n- @/proj/sub/x\nw @/proj/x"},
    {"with no fixed directory: below what is granted",
     {.required = "permissions.filesystem.deny_read = ['/**/*.key']\n",
      .permissions = "x",
      .user = "[permissions.x]\nextends = ':workspace'\n"
              "filesystem = { '/**/*.key' = 'none', '@/proj/a/b.key' = 'read' }\n"},
     .asks = "- @/proj/a.key\n- @/proj/a/b.key\n- /tmp/a.key",
     .warning = "has no fixed directory"},
    {"two lists of one path",
     {.required = "permissions.filesystem.deny_read = ['/s', '/s', '/s/']\n"},
     .asks = "- /s/x"},
    {"full access cannot hold it",
     {.required = "permissions.filesystem.deny_read = ['/s']\n", .flags = {FULL}},
     {"danger-full-access (--sandbox) is not allowed",
      "it cannot hold permissions.filesystem.deny_read (" REQ ":1)"}},
    {"nor can another's sandbox",
     {.required = "permissions.filesystem.deny_read = ['/s']\n",
      .user = "sandbox_backend = 'external'\n"},
     {"sandbox_backend = \"external\" (" USER ":1) is not allowed", "deny_read (" REQ ":1)"}},
    {"an empty list denies nothing",
     {.required = "permissions.filesystem.deny_read = []\n", .flags = {FULL}},
     .asks = "mode danger-full-access"},
    {"a relative path in it",
     {.required = "\npermissions.filesystem.deny_read = ['s']\n"},
     {"a relative path cannot stand at the top"},
     REQ ":2"},
    {"an open bracket in it",
     {.required = "\npermissions.filesystem.deny_read = ['/s', '/d/[a']\n"},
     {"deny_read"},
     REQ ":2"},
    {"an empty string in it",
     {.required = "\npermissions.filesystem.deny_read = ['']\n"},
     {"deny_read"},
     REQ ":2"},

    /* ---- the network ---- */
    {"a network that is on where a filter is required",
     {.required = "[experimental_network]\nenabled = true\n",
      .flags = {CHOOSE},
      .over = {"sandbox_workspace_write.network_access=true"}},
     .asks = "net filtered"},
    {"off is off",
     {.required = "experimental_network.enabled = true\n", .flags = {CHOOSE}},
     .asks = "net off"},
    {"full access cannot hold it",
     {.required = "experimental_network.enabled = true\n", .flags = {FULL}},
     {"it cannot hold experimental_network"}},
    {"a filter that is said without `enabled`, and another's sandbox",
     {.required = "experimental_network.domains = { 'a.b' = 'deny' }\n",
      .user = "sandbox_backend = 'external'\n"},
     {"it cannot hold experimental_network"}},
    {"turned off",
     {.required = "experimental_network.enabled = false\n",
      .flags = {CHOOSE},
      .over = {"sandbox_workspace_write.network_access=true"}},
     .asks = "net open"},
};

/* Files that do not parse or hold a bad value: every start ends. */
static const struct rcase broken[] = {
    {"no TOML", {.required = "allowed_sandbox_modes = [\n"}, {""}, REQ ":"},
    {"an unknown word",
     {.required = "\nallowed_sandbox_modes = ['workspace']\n"},
     {"allowed_sandbox_modes: unknown value \"workspace\""},
     REQ ":2"},
    {"a word instead of a list",
     {.required = "allowed_sandbox_modes = 'read-only'\n"},
     {"allowed_sandbox_modes: expected an array of strings, found a string"},
     REQ ":1"},
    {"an item of another type",
     {.required = "allowed_approval_policies = ['never', 3]\n"},
     {"allowed_approval_policies: expected a string, found an integer"},
     REQ ":1"},
    {"no modes",
     {.required = "allowed_sandbox_modes = []\n"},
     {"an empty list allows nothing"},
     REQ ":1"},
    {"no policies",
     {.required = "allowed_approval_policies = []\n"},
     {"an empty list allows nothing"},
     REQ ":1"},
    {"no reviewers",
     {.required = "allowed_approvals_reviewers = []\n"},
     {"an empty list allows nothing"},
     REQ ":1"},
    {"a profile that is maybe",
     {.required = "allowed_permission_profiles = { x = 'yes' }\n"},
     {"x: expected a boolean, found string"},
     REQ ":1"},
    {"profiles as a list",
     {.required = "allowed_permission_profiles = ['x']\n"},
     {"expected a table of booleans"},
     REQ ":1"},
    {"deny_read as a string",
     {.required = "permissions.filesystem.deny_read = '/s'\n"},
     {"permissions.filesystem.deny_read: expected an array of strings"},
     REQ ":1"},
    {"deny_read with a NUL",
     {.required = "permissions.filesystem.deny_read = [\"/s\\u0000\"]\n"},
     {"NUL"},
     REQ ":1"},
    {"permissions.filesystem as a string",
     {.required = "permissions.filesystem = 'x'\n"},
     {"permissions.filesystem: expected a table"},
     REQ ":1"},
    {"a managed profile as a string",
     {.required = "permissions.corp = 'x'\n"},
     {"permissions.corp: expected a table"},
     REQ ":1"},
    {"a feature as a word",
     {.required = "features.f = 'on'\n"},
     {"features.f: expected a boolean"},
     REQ ":1"},
    {"a server as a word",
     {.required = "mcp_servers.a = 'x'\n"},
     {"mcp_servers.a: expected a table"},
     REQ ":1"},
    {"an identity as a word",
     {.required = "mcp_servers.a.identity = 'x'\n"},
     {"identity: expected a table"},
     REQ ":1"},
    {"a command as a list",
     {.required = "mcp_servers.a.identity.command = ['x']\n"},
     {"command: expected a string"},
     REQ ":1"},
    {"the network as a word",
     {.required = "experimental_network = 'off'\n"},
     {"experimental_network: expected a table"},
     REQ ":1"},
    {"a port",
     {.required = "experimental_network.http_port = 70000\n"},
     {"is too large"},
     REQ ":1"},
    {"login shells as a word",
     {.required = "allow_login_shell = 'no'\n"},
     {"allow_login_shell: expected a boolean"},
     REQ ":1"},
    {"otel as a word", {.required = "otel = 'off'\n"}, {"otel: expected a table"}, REQ ":1"},
    {"one key twice",
     {.required = "allow_login_shell = false\nallow_login_shell = true\n"},
     {""},
     REQ ":2"},
    {"not UTF-8", {.required = "guardian_policy_config = '\xff'\n"}, {""}, REQ ":1"},

    {"rules: no list",
     {.required = "rules.prefix_rules = 'x'\n"},
     {"rules.prefix_rules: expected"},
     REQ ":1"},
    {"rules: no table",
     {.required = "rules.prefix_rules = ['x']\n"},
     {"rules.prefix_rules: expected a table"},
     REQ ":1"},
    {"rules: no pattern",
     {.required = "rules.prefix_rules = [{ decision = 'prompt' }]\n"},
     {"pattern: expected a list"},
     REQ ":1"},
    {"rules: an empty pattern",
     {.required = "rules.prefix_rules = [{ pattern = [], decision = 'prompt' }]\n"},
     {"pattern: expected a list that is not empty"},
     REQ ":1"},
    {"rules: words",
     {.required = "rules.prefix_rules = [{ pattern = ['rm'], decision = 'prompt' }]\n"},
     {"pattern: expected a table, found string"},
     REQ ":1"},
    {"rules: both",
     {.required = "rules.prefix_rules = [{ pattern = [{ token = 'a', any_of = ['b'] }], "
                  "decision = 'prompt' }]\n"},
     {"expected { token"},
     REQ ":1"},
    {"rules: neither",
     {.required = "rules.prefix_rules = [{ pattern = [{}], decision = 'prompt' }]\n"},
     {"expected { token"},
     REQ ":1"},
    {"rules: a number for a token",
     {.required = "rules.prefix_rules = [{ pattern = [{ token = 3 }], decision = 'prompt' }]\n"},
     {"token: expected a string"},
     REQ ":1"},
    {"rules: any_of nothing",
     {.required = "rules.prefix_rules = [{ pattern = [{ any_of = [] }], decision = 'prompt' }]\n"},
     {"any_of: expected a list that is not empty"},
     REQ ":1"},
    {"rules: any_of numbers",
     {.required = "rules.prefix_rules = [{ pattern = [{ any_of = [1] }], decision = 'prompt' }]\n"},
     {"any_of: expected a string"},
     REQ ":1"},
    {"rules: allow",
     {.required = "rules.prefix_rules = [{ pattern = [{ token = 'rm' }], decision = 'allow' }]\n"},
     {"decision: expected prompt or forbidden"},
     REQ ":1"},
    {"rules: no decision",
     {.required = "[[rules.prefix_rules]]\npattern = [{ token = 'rm' }]\n"},
     {"decision: expected prompt or forbidden"},
     REQ ":"},
    {"rules: a number for the reason",
     {.required = "[[rules.prefix_rules]]\npattern = [{ token = 'rm' }]\ndecision = 'prompt'\n"
                  "justification = 3\n"},
     {"justification: expected a string"},
     REQ ":4"},
    {"rules as they should be",
     {.required = "[[rules.prefix_rules]]\npattern = [{ token = 'rm' }, { any_of = ['-r', '-f'] "
                  "}]\ndecision = 'forbidden'\njustification = 'no'\n"}},

    {"an unknown key warns",
     {.required = "allowed_sandbox_mode = ['read-only']\n"},
     .warning = REQ ":1:1: allowed_sandbox_mode: unknown key; did you mean"},
    {"also with --strict-config",
     {.required = "[permissions.filesystem]\ndeny_reed = ['/s']\n", .strict = true},
     .warning = REQ ":2:1: permissions.filesystem.deny_reed: unknown key; did you mean"},
    {"an identity of unknown keys fits nothing",
     {.required = "mcp_servers.a.identity.comand = 'x'\n", .user = "mcp_servers.a.command = 'y'\n"},
     .asks = "is mcp_servers.a nothing",
     .warning = "mcp_servers.a is disabled"},
    {"an empty file", {.required = ""}, .asks = "mode read-only"},
};

/* Does LINE hold of what came out? "mode M", "policy W", "reviewer W", "search W", "net
 * off|open|filtered", "is KEY VALUE" (of the merged tree), "w|r|- PATH". */
static bool answer(const struct config *c, const struct profile *p, const char *line)
{
    const char *rest = strchr(line, ' ') + 1;
    if (str_starts(line, "mode "))
        return str_eq(p->mode, rest);
    if (str_starts(line, "policy "))
        return str_eq(c->approval_policy, rest);
    if (str_starts(line, "reviewer "))
        return str_eq(c->approvals_reviewer, rest);
    if (str_starts(line, "search "))
        return str_eq(config_web_search(c, p->full_access), rest);
    if (str_starts(line, "net "))
        return str_eq(network_word(p->network), rest);
    if (!str_starts(line, "is "))
        return "-rw"[permissions_check(p, rest).access] == line[0];
    char key[128];
    size_t n = strcspn(rest, " ");
    (void)snprintf(key, sizeof(key), "%.*s", (int)n, rest);
    const char *want = rest + n + 1;
    const struct toml_value *v = config_find(c, key);
    if (!v)
        return str_eq(want, "nothing");
    return v->type == TOML_BOOLEAN   ? str_eq(want, v->boolean ? "true" : "false")
           : v->type == TOML_INTEGER ? strtoll(want, NULL, 10) == v->integer
           : v->type == TOML_STRING  ? bytes_is(v->string, want)
                                     : false;
}

static void ask(const struct rcase *k, struct config *c, const struct profile *p)
{
    char *text = k->asks ? arena_strdup(c->arena, with_world(k->asks)) : NULL;
    for (char *line = text; line && *line;) {
        char *end = strchr(line, '\n');
        if (end)
            *end = '\0';
        if (!answer(c, p, line))
            fail_msg("%s: not \"%s\"", k->what, line);
        line = end ? end + 1 : NULL;
    }
    if (k->warning ? !warned(c, k->warning) : c->n_warnings != 0) {
        show_warnings(c);
        fail_msg("%s: its warnings", k->what);
    }
}

static void run_case(const struct rcase *k)
{
    _cleanup_arena_ struct arena a = {0};
    struct error err = {0};
    struct config *c = NULL;
    struct profile *p = NULL;
    char place[ERROR_FILE_MAX + 16];
    int r = load_world(&a, &k->with, &c, &err);
    if (r == 0)
        r = resolve_world(c, &k->with, &p, &err);
    (void)snprintf(place, sizeof(place), "%s:%u", err.file, err.line);
    if ((r < 0) != (k->error[0] != NULL))
        fail_msg("%s: %s", k->what, r < 0 ? err.message : "it starts");
    if (r == 0) {
        ask(k, c, p);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(k->error) && k->error[i]; i++)
        if (!strstr(err.message, with_world(k->error[i])))
            fail_msg("%s: no \"%s\" in: %s", k->what, k->error[i], err.message);
    if (k->place && !str_starts(place, with_world(k->place)))
        fail_msg("%s: at %s: %s", k->what, place, err.message);
    if (strchr(err.message, '\n'))
        fail_msg("%s: more than a line", k->what);
}

static void test_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        run_case(&words[i]);
}

static void test_fixed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        run_case(&fixed[i]);
}

static void test_broken(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(broken); i++)
        run_case(&broken[i]);
}

/* What doctor and status repeat. */
static void test_changed(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    const struct setting s = {.required = "allowed_approval_policies = ['untrusted']\n"
                                          "allowed_sandbox_modes = ['read-only']\n",
                              .vcs = true};
    struct error err = {0};
    struct profile *p;
    struct config *c = load_good(&a, &s);
    assert_int_equal(resolve_world(c, &s, &p, &err), 0);
    assert_int_equal(c->n_warnings, 2);
    assert_non_null(c->required);
    assert_non_null(strstr(c->required, "approval_policy is \"untrusted\""));
    assert_non_null(strstr(c->required, "; sandbox_mode is \"read-only\""));
    assert_string_equal(c->approval_policy_origin.layer, "requirements");
    assert_string_equal(c->approval_policy_origin.file, at_world("etc/requirements.toml"));
    assert_int_equal(c->approval_policy_origin.line, 1);
    const struct setting none = {.user = "model = 'x'\n"};
    assert_null(load_good(&a, &none)->required);
}

static void test_ranks(void **state)
{
    (void)state;
    assert_true(approval_rank("untrusted") < approval_rank("on-request"));
    assert_true(approval_rank("on-request") < approval_rank("never"));
    assert_int_equal(approval_rank("granular"), approval_rank("on-request"));
    assert_true(approval_rank("sometimes") > approval_rank("never"));
}

/* ---- whose files they must be ---- */

/* Reads FILE as ADMIN's: 0, or the message. */
static const char *reading(const char *file, unsigned admin)
{
    static struct error err;
    _cleanup_strbuf_ struct strbuf text = {0};
    err = (struct error){0};
    int r = admin_read(file, admin, &text, &err);
    if (r == -ENOENT)
        return "none";
    return r == 0 ? NULL : err.message;
}

static void refused(const char *file, unsigned admin, const char *part)
{
    const char *message = reading(file, admin);
    if (!message || !strstr(message, part))
        fail_msg("%s: no \"%s\" in: %s", file, part, message ? message : "(it is read)");
}

static void test_admin_read(void **state)
{
    (void)state;
    char file[256], etc[256];
    (void)snprintf(file, sizeof(file), "%s/etc/requirements.toml", world);
    (void)snprintf(etc, sizeof(etc), "%s/etc", world);
    const unsigned me = getuid();
    const struct setting nothing = {0};
    write_world(&nothing);
    assert_string_equal(reading(file, me), "none");
    assert_string_equal(reading(at_world("nowhere/requirements.toml"), me), "none");
    write_text(file, "allow_login_shell = false\n");
    assert_null(reading(file, me));
    refused(file, me + 1, "belongs to user");

    static const unsigned open_modes[] = {0664, 0646, 0666, 0620, 02664};
    for (size_t i = 0; i < ARRAY_LEN(open_modes); i++) {
        assert_int_equal(chmod(file, open_modes[i]), 0);
        refused(file, me, "requirements.toml can be written by others (mode ");
    }
    static const unsigned good_modes[] = {0400, 0600, 0644, 0444, 0755};
    for (size_t i = 0; i < ARRAY_LEN(good_modes); i++) {
        assert_int_equal(chmod(file, good_modes[i]), 0);
        assert_null(reading(file, me));
    }
    static const unsigned open_dirs[] = {0775, 0757, 01777, 0720};
    for (size_t i = 0; i < ARRAY_LEN(open_dirs); i++) {
        assert_int_equal(chmod(etc, open_dirs[i]), 0);
        refused(file, me, "etc can be written by others (mode ");
    }
    assert_int_equal(chmod(etc, 0755), 0);
    if (me != 0) { /* root reads what nobody may */
        assert_int_equal(chmod(file, 0), 0);
        refused(file, me, "cannot read");
        assert_int_equal(chmod(etc, 0), 0);
        refused(file, me, "cannot read");
        assert_int_equal(chmod(etc, 0755), 0);
    }
    assert_int_equal(unlink(file), 0);
}

/* Of things that are no files nothing is read, and nothing waits for them. */
static void test_admin_read_odd(void **state)
{
    (void)state;
    char file[256], open_dir[256], other[256];
    (void)snprintf(file, sizeof(file), "%s/etc/requirements.toml", world);
    (void)snprintf(open_dir, sizeof(open_dir), "%s/etc/open", world);
    (void)snprintf(other, sizeof(other), "%s/etc/open/r.toml", world);
    const unsigned me = getuid();
    const struct setting nothing = {0};
    write_world(&nothing);
    assert_int_equal(mkfifo(file, 0644), 0);
    refused(file, me, "is not a regular file");
    assert_int_equal(unlink(file), 0);
    assert_int_equal(mkdir(file, 0755), 0);
    refused(file, me, "is not a regular file");
    assert_int_equal(rmdir(file), 0);
    refused("/dev/null", 0, "is not a regular file");
    write_text(file, "");
    refused(at_world("etc/requirements.toml/x"), me, "cannot read");
    assert_int_equal(unlink(file), 0);

    /* A link is as good as what it leads to and the place that is in. */
    assert_int_equal(symlink("nowhere", file), 0);
    refused(file, me, "is a symbolic link that leads nowhere");
    assert_int_equal(unlink(file), 0);
    assert_int_equal(symlink("requirements.toml", file), 0);
    refused(file, me, "cannot read");
    assert_int_equal(unlink(file), 0);
    assert_int_equal(mkdir(open_dir, 0755), 0);
    write_text(other, "");
    assert_int_equal(symlink("open/r.toml", file), 0);
    assert_null(reading(file, me));
    assert_int_equal(chmod(other, 0664), 0);
    refused(file, me, "can be written by others");
    assert_int_equal(chmod(other, 0644), 0);
    assert_int_equal(chmod(open_dir, 0777), 0);
    refused(file, me, "etc/open can be written by others");
    assert_int_equal(unlink(file), 0);
    assert_int_equal(unlink(other), 0);
    assert_int_equal(rmdir(open_dir), 0);
}

/* The start itself, with both files. */
static void test_ownership_of_both(void **state)
{
    (void)state;
    static const char *const files[] = {"etc/requirements.toml", "etc/managed_config.toml"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        _cleanup_arena_ struct arena a = {0};
        struct setting s = {.required = "allow_login_shell = false\n", .managed = "model = 'x'\n"};
        struct error err = {0};
        struct config *c;
        write_world(&s);
        s.keep_files = true;
        assert_int_equal(load_world(&a, &s, &c, &err), 0);
        assert_int_equal(chmod(at_world(files[i]), 0666), 0);
        assert_true(load_world(&a, &s, &c, &err) < 0);
        assert_string_equal(err.file, at_world(files[i]));
        assert_non_null(strstr(err.message, "can be written by others"));
        assert_non_null(strstr(err.hint, "chmod go-w"));
        assert_int_equal(chmod(at_world(files[i]), 0644), 0);
    }
}

static void test_check_text(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    struct error err = {0};
    assert_int_equal(
        requirements_check_text(&a, "r", BYTES("allowed_sandbox_modes = ['read-only']"), &err), 0);
    assert_true(requirements_check_text(&a, "r", BYTES("allowed_sandbox_modes = []"), &err) < 0);
    assert_string_equal(err.file, "r");
    assert_int_equal(err.line, 1);
}

/* Every allocation fails once: an error, never a start without what was required. */
static void test_no_memory(void **state)
{
    (void)state;
    const struct setting s = {
        .required = "allowed_approval_policies = ['untrusted']\nallowed_sandbox_modes = "
                    "['read-only']\npermissions.filesystem.deny_read = ['/s']\n"
                    "features.f = false\n[permissions.corp]\nextends = ':read-only'\n",
        .trust = TRUSTED,
        .vcs = true,
        .project = "permissions.x.filesystem = { '/q' = 'none' }\n"
                   "sandbox_workspace_write.writable_roots = []\n",
        .user = "sandbox_workspace_write.writable_roots = ['/data']\n",
        .keep_files = true,
    };
    write_world(&s);
    for (unsigned long n = 1;; n++) {
        _cleanup_arena_ struct arena a = {0};
        struct error err = {0};
        struct config *c = NULL;
        struct profile *p = NULL;
        /* What the test itself needs comes first. */
        char *names = arena_alloc(&a, 4096);
        assert_non_null(names);
        mem_fail_at(n);
        int r = load_world(&a, &s, &c, &err);
        if (r == 0)
            r = resolve_world(c, &s, &p, &err);
        mem_fail_at(0);
        if (r < 0) {
            assert_int_equal(r, -ENOMEM);
            continue;
        }
        assert_string_equal(c->approval_policy, "untrusted");
        assert_int_equal(permissions_check(p, "/s/x").access, ACCESS_NONE);
        assert_int_equal(permissions_check(p, "/q/x").access, ACCESS_NONE);
        assert_string_equal(p->mode, "read-only");
        break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),          cmocka_unit_test(test_fixed),
        cmocka_unit_test(test_broken),         cmocka_unit_test(test_changed),
        cmocka_unit_test(test_ranks),          cmocka_unit_test(test_admin_read),
        cmocka_unit_test(test_admin_read_odd), cmocka_unit_test(test_ownership_of_both),
        cmocka_unit_test(test_check_text),     cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, make_world, remove_world);
}

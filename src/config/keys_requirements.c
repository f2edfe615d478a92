/*
 * The keys of requirements.toml: what an administrator fixes. See keys.h.
 */
#include "config/keys.h"

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* clang-format off */
static const struct config_key keys[] = {
    {"allowed_approval_policies", KEY_WORDS, "",
     WORDS("untrusted", "on-failure", "on-request", "never", "granular"), .flags = KEY_NOT_EMPTY, .text =
     "The approval policies that may be chosen. Stricter ones than those listed always may."},
    {"allowed_sandbox_modes", KEY_WORDS, "",
     WORDS("read-only", "workspace-write", "danger-full-access"), .flags = KEY_NOT_EMPTY, .text =
     "The sandbox modes that may be chosen. Stricter ones than those listed always may."},
    {"allowed_approvals_reviewers", KEY_WORDS, "",
     WORDS("user", "auto_review", "guardian_subagent"), .flags = KEY_NOT_EMPTY, .text =
     "Who may answer an approval; user always may."},
    {"allowed_web_search_modes", KEY_WORDS, "", WORDS("disabled", "cached", "live"), .text =
     "The web search modes that may be chosen; disabled always may, and alone with an empty list."},
    {"allowed_permission_profiles", KEY_BOOLEAN_TABLE, "", .text =
     "Permission profile to whether it may be chosen. What is not named may not; :read-only always may."},
    {"default_permissions", KEY_STRING, "", .text =
     "The permission profile in force where nobody chose one."},
    {"permissions.filesystem.deny_read", KEY_STRINGS, "", .text =
     "Paths and globs that no profile, option or approval reopens."},
    {"permissions.*", KEY_TABLE, "", .text =
     "A managed permission profile, as in bawn-config(5). Nobody else may define one of its name."},
    {"rules.prefix_rules", KEY_TABLES, "", .flags = KEY_UNREAD, .text =
     "Command rules: pattern (a list of { token } or { any_of }), decision (prompt or forbidden), "
     "justification."},
    {"mcp_servers", KEY_TABLE, "", .text =
     "The MCP servers that may be configured; present but empty: none."},
    {"mcp_servers.*.identity.command", KEY_STRING, "", .text = "The command that the server must have."},
    {"mcp_servers.*.identity.url", KEY_STRING, "", .text = "The URL that the server must have."},
    {"features.*", KEY_BOOLEAN, "", .text = "A feature that is fixed on or off."},
    {"experimental_network.enabled", KEY_BOOLEAN, "", .text =
     "Every network that is on passes the filtering proxy."},
    {"experimental_network.mode", KEY_WORD, "", WORDS("full", "limited"), .text =
     "limited: only GET, HEAD and OPTIONS."},
    {"experimental_network.domains", KEY_STRING_TABLE, "", .text =
     "Host pattern to allow or deny. deny is a floor."},
    {"experimental_network.managed_allowed_domains_only", KEY_BOOLEAN, "", .text =
     "What is allowed here is all that can be allowed."},
    {"experimental_network.unix_sockets", KEY_STRING_TABLE, "", .text = "Absolute path to allow or deny."},
    {"experimental_network.allow_local_binding", KEY_BOOLEAN, "", .text =
     "false: loopback, link-local and private destinations stay shut."},
    {"experimental_network.allow_upstream_proxy", KEY_BOOLEAN, "", .text =
     "Whether the proxy variables of bawn's own environment are honoured."},
    {"experimental_network.dangerously_allow_non_loopback_proxy", KEY_BOOLEAN, "", .text =
     "Whether the proxy may listen on other addresses than loopback."},
    {"experimental_network.dangerously_allow_all_unix_sockets", KEY_BOOLEAN, "", .text =
     "Whether every Unix socket may be connected to."},
    {"experimental_network.danger_full_access_denylist_only", KEY_BOOLEAN, "", .flags = KEY_UNREAD, .text =
     "With full access only deny counts."},
    {"experimental_network.http_port", KEY_INTEGER, "", .least = 1, .most = 65535, .text =
     "Port of the HTTP listener."},
    {"experimental_network.socks_port", KEY_INTEGER, "", .least = 1, .most = 65535, .text =
     "Port of the SOCKS listener."},
    {"experimental_network.allowed_domains", KEY_STRINGS, "", .text =
     "The older spelling of domains with allow."},
    {"experimental_network.denied_domains", KEY_STRINGS, "", .text =
     "The older spelling of domains with deny."},
    {"experimental_network.allow_unix_sockets", KEY_STRINGS, "", .text =
     "The older spelling of unix_sockets with allow."},
    {"guardian_policy_config", KEY_STRING, "", .flags = KEY_UNREAD, .text =
     "The reviewer's policy; it beats auto_review.policy."},
    {"allow_login_shell", KEY_BOOLEAN, "", .text = "Fixes allow_login_shell."},
    {"otel", KEY_TABLE, "", .text =
     "Fixes the whole table otel, with the keys of bawn-config(5): what it leaves out is as if nobody had set it."},
    {"allow_managed_hooks_only", KEY_BOOLEAN, "", .flags = KEY_UNREAD, .text =
     "Hooks of users and projects are not run."},
    {"hooks", KEY_ANY, "", .flags = KEY_UNREAD, .text = "Managed hooks."},
    {"enforce_residency", KEY_ANY, "", .flags = KEY_UNREAD, .text = "Where models may run."},
    {"remote_sandbox_config", KEY_ANY, "", .flags = KEY_UNREAD, .text =
     "Requirements of other machines by host name."},
    {"allowed_login_methods", KEY_STRINGS, "", .flags = KEY_UNREAD, .text = "How people may log in to the agent."},
    {"allowed_chatgpt_workspaces", KEY_STRINGS, "", .flags = KEY_UNREAD, .text = "Accounts that may log in."},
    {"cli_auth_credentials_store", KEY_STRING, "", .flags = KEY_UNREAD, .text = "Where the agent keeps its login."},
    {"chatgpt_base_url", KEY_STRING, "", .flags = KEY_UNREAD, .text = "Address of the agent's login service."},
    {"sqlite_home", KEY_STRING, "", .flags = KEY_UNREAD, .text = "Where the agent keeps its database."},
    {"log_dir", KEY_STRING, "", .flags = KEY_UNREAD, .text = "Where the agent writes its logs."},
    {"model_catalog_json", KEY_STRING, "", .flags = KEY_UNREAD, .text = "File with a list of models."},
    {"check_for_update_on_startup", KEY_BOOLEAN, "", .flags = KEY_UNREAD, .text = "The agent looks for a newer version of itself."},
    {"feedback", KEY_TABLE, "", .flags = KEY_UNREAD, .text = "Feedback to the agent's makers."},
    {"allow_browser_and_computer_use", KEY_BOOLEAN, "", .flags = KEY_UNREAD, .text = "Tools that steer a browser or a screen."},
    {"allow_appshots", KEY_BOOLEAN, "", .flags = KEY_UNREAD, .text = "Pictures of other programs."},
    {"allow_remote_control", KEY_BOOLEAN, "", .flags = KEY_UNREAD, .text = "The agent may be steered from elsewhere."},
    {"computer_use", KEY_TABLE, "", .flags = KEY_UNREAD, .text = "What may be done with a screen."},
    {"browser_use", KEY_TABLE, "", .flags = KEY_UNREAD, .text = "What may be done with a browser."},
    {"in_app_browser", KEY_TABLE, "", .flags = KEY_UNREAD, .text = "The agent's own browser."},
    {"windows", KEY_TABLE, "", .flags = KEY_UNREAD, .text = "Requirements on Windows."},
    {"plugins", KEY_TABLE, "", .flags = KEY_UNREAD, .text = "Plugins, by name."},
    {"marketplaces", KEY_TABLE, "", .flags = KEY_UNREAD, .text = "Where plugins may come from."},
    {"apps", KEY_TABLE, "", .flags = KEY_UNREAD, .text = "Connected apps and their tools."},
    {"application", KEY_TABLE, "", .flags = KEY_UNREAD, .text = "The agent's desktop program."},
    {"auto_review", KEY_TABLE, "", .flags = KEY_UNREAD, .text = "Where the automatic reviewer has to be asked."},
    {"models", KEY_TABLE, "", .flags = KEY_UNREAD, .text = "Models that new conversations start with."},
    {"additional_developer_instructions", KEY_STRING, "", .flags = KEY_UNREAD, .text = "More instructions for the model."},
};
/* clang-format on */

const struct key_table requirement_keys = {keys, ARRAY_LEN(keys)};

/*
 * The keys of configuration files. See keys.h.
 */
#include "config/keys.h"

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

#define AGENT_NAMES                                                                                \
    "[\".claude\", \".cursor\", \".gemini\", \".mcp.json\", \".vscode/tasks.json\", "              \
    "\".vscode/launch.json\", \".vscode/settings.json\", \".vscode/mcp.json\", \".idea\", "        \
    "\".devcontainer\", \".zed\", \".windsurf\", \".continue\", \".opencode\", "                   \
    "\".aider.conf.yml\"]"

/* Of the agent, not of the sandbox: known by name and shape, so that a file written for the agent
 * loads as it is. Their words are the agent's to extend: strings, not KEY_WORD. */
#define AGENT(key, kind, what)                                                                     \
    {                                                                                              \
        key, kind, "", .flags = KEY_UNREAD, .text = what                                           \
    }

/* The older spelling: what is not asked but refused. */
#define REJECT(what, unread)                                                                       \
    {                                                                                              \
        "approval_policy.reject." what, KEY_BOOLEAN, "",                                           \
            .flags = unread,                                                                       \
            .text = "The older spelling of approval_policy.granular." what                         \
                    ", negated: true refuses; false or unsaid asks."                               \
    }

#define OTEL_TLS(table)                                                                            \
    {table ".tls.ca-certificate", KEY_STRING, "",                                                  \
     .text = "PEM file of the authorities that may vouch for the collector, instead of the "       \
             "system's; a relative one stands in the folder of its file."},                        \
        {table ".tls.client-certificate", KEY_STRING, "",                                          \
         .text = "PEM file of the certificate that is shown to the collector."},                   \
    {                                                                                              \
        table ".tls.client-private-key", KEY_STRING, "", .text = "PEM file of its private key."    \
    }

#define OTEL_KIND(table, bare)                                                                     \
    {table ".endpoint", KEY_STRING, "", .flags = KEY_URL,                                          \
     .text = bare " ${NAME} is taken from bawn's environment."},                                   \
        {table ".headers", KEY_STRING_TABLE, "",                                                   \
         .text = "Sent with every request. ${NAME} is taken from bawn's environment."},            \
        OTEL_TLS(table)

/* Where the signals of one kind go. */
#define OTEL_EXPORTER(key, what)                                                                   \
    {"otel." key, KEY_WORD_OR_TABLE, "\"none\"", WORDS("none", "otlp-http", "otlp-grpc"),          \
     .text = what " A word takes all else from the OTEL_EXPORTER_OTLP_ variables; a table has "    \
                  "one of otlp-http and otlp-grpc."},                                              \
        OTEL_KIND("otel." key ".otlp-http",                                                        \
                  "URL of the collector; without a path, that of OTLP is added."),                 \
        {"otel." key ".otlp-http.protocol", KEY_WORD, "", WORDS("binary", "json"),                 \
         .text = "Protocol buffers, which is the default, or JSON."},                              \
        OTEL_KIND("otel." key ".otlp-grpc", "URL of the collector: scheme, host and port.")

/* clang-format off */
static const struct config_key keys[] = {
    {"sandbox_mode", KEY_WORD, "", WORDS("read-only", "workspace-write", "danger-full-access"), .project = PROJECT_EARLIER, .text =
     "What a command may touch. Unset: workspace-write inside a version-controlled tree, else read-only."},
    {"default_permissions", KEY_STRING, "", .text =
     "The permission profile in force: :read-only, :workspace, :danger-full-access or one of [permissions]."},
    {"sandbox_backend", KEY_WORD, "\"auto\"", WORDS("auto", "bwrap", "bundled", "landlock", "external"), .text =
     "What makes the kernel hold the plan. landlock and external are weaker and never chosen by auto."},
    {"sandbox_workspace_write.writable_roots", KEY_STRINGS, "[]", .project = PROJECT_SUBSET, .text =
     "More writable files and directories; ~ is expanded; a relative one stands in the folder of its file, or of -c in the workspace."},
    {"sandbox_workspace_write.network_access", KEY_BOOLEAN, "false", .project = PROJECT_FALSE, .text =
     "The network is on in workspace-write."},
    {"sandbox_workspace_write.exclude_tmpdir_env_var", KEY_BOOLEAN, "false", .project = PROJECT_TRUE, .text =
     "$TMPDIR is not writable."},
    {"sandbox_workspace_write.exclude_slash_tmp", KEY_BOOLEAN, "false", .project = PROJECT_TRUE, .text =
     "/tmp is not writable."},
    {"private_tmp", KEY_BOOLEAN, "false", .text =
     "The command gets an empty /tmp of its own instead of the host's."},
    {"protected_names", KEY_STRINGS, "[\".git\", \".agents\", \".codex\", \".bawn\", \".aws\"]",
     .flags = KEY_NAMES, .project = PROJECT_ADD, .text =
     "Names that stay read-only directly under every writable root, whether they exist or not."},
    {"protected_agent_names", KEY_STRINGS, AGENT_NAMES, .flags = KEY_NAMES, .project = PROJECT_ADD, .text =
     "Control files of agents and editors that run code later; read-only like protected_names, those that "
     "people edit too only where they exist."},
    {"strict_hardlinks", KEY_BOOLEAN, "false", .project = PROJECT_TRUE, .text =
     "A protected or masked file with a second hard link refuses the start instead of warning."},
    {"allow_nested_userns", KEY_BOOLEAN, "false", .project = PROJECT_FALSE, .text =
     "The command may make user namespaces (browsers, rootless containers)."},
    {"allow_ptrace", KEY_BOOLEAN, "false", .project = PROJECT_FALSE, .text =
     "The command may trace its own processes (debuggers)."},
    {"allow_unix_sockets", KEY_STRINGS, "[]", .project = PROJECT_SUBSET, .text =
     "Unix sockets outside the sandbox that may be connected to; absolute or ~."},
    {"devices", KEY_STRINGS, "[]", .project = PROJECT_SUBSET, .text =
     "More of /dev: gpu, kvm and the like, or paths below /dev."},
    {"nested_repo_depth", KEY_INTEGER, "4", .least = 0, .most = 64, .project = PROJECT_MORE, .text =
     "How deep nested repositories are looked for under a writable root."},
    {"nested_repo_count", KEY_INTEGER, "256", .least = 0, .most = 100000, .project = PROJECT_MORE, .text =
     "How many nested repositories are protected at most."},
    {"limits.cpu_seconds", KEY_INTEGER, "", .project = PROJECT_LESS, .text = "Processor time of each process, in seconds."},
    {"limits.memory", KEY_SIZE, "", .project = PROJECT_LESS, .text = "Address space of each process."},
    {"limits.processes", KEY_INTEGER, "", .project = PROJECT_LESS, .text = "Processes and threads."},
    {"limits.open_files", KEY_INTEGER, "", .project = PROJECT_LESS, .text = "Open descriptors of each process."},
    {"limits.file_size", KEY_SIZE, "", .project = PROJECT_LESS, .text = "Largest file that can be written."},
    {"limits.wall_seconds", KEY_SECONDS, "", .project = PROJECT_LESS, .text = "Time after which the command is ended (exit 124)."},
    {"shell_environment_policy.inherit", KEY_WORD, "\"all\"", WORDS("all", "core", "none"), .project = PROJECT_LATER, .text =
     "Which of bawn's own environment the command starts from."},
    {"shell_environment_policy.ignore_default_excludes", KEY_BOOLEAN, "false", .project = PROJECT_FALSE, .text =
     "Keep names with KEY, SECRET, TOKEN, PASSWORD or CREDENTIAL."},
    {"shell_environment_policy.exclude", KEY_STRINGS, "[]", .project = PROJECT_ADD, .text =
     "Names to drop; globs without case."},
    {"shell_environment_policy.include_only", KEY_STRINGS, "[]", .project = PROJECT_NARROW, .text =
     "When not empty, only these names stay, those of set included; globs without case. Comes last."},
    {"shell_environment_policy.set", KEY_STRING_TABLE, "", .text =
     "Names to set, after exclude and before include_only."},
    AGENT("shell_environment_policy.experimental_use_profile", KEY_BOOLEAN,
     "Run through the shell's own profile."),
    {"approval_policy", KEY_WORD_OR_TABLE, "\"on-request\"",
     WORDS("untrusted", "on-failure", "on-request", "never"), .project = PROJECT_EARLIER, .text =
     "When somebody is asked; a table { granular = { … } } says it by kind."},
    {"approval_policy.granular.sandbox_approval", KEY_BOOLEAN, "", .text =
     "Ask before a command runs outside the sandbox or with more permissions, and about dangerous ones; false or unsaid: they are refused."},
    {"approval_policy.granular.rules", KEY_BOOLEAN, "", .text =
     "Ask where a rule says prompt; false or unsaid: it is refused."},
    {"approval_policy.granular.request_permissions", KEY_BOOLEAN, "", .flags = KEY_UNREAD, .text =
     "Ask when an agent requests more permissions for later; false or unsaid: they are refused."},
    {"approval_policy.granular.mcp_elicitations", KEY_BOOLEAN, "", .flags = KEY_UNREAD, .text =
     "Ask for elicitations of MCP servers; false or unsaid: they are refused."},
    {"approval_policy.granular.skill_approval", KEY_BOOLEAN, "", .flags = KEY_UNREAD, .text =
     "Ask before a skill runs; false or unsaid: it is refused."},
    REJECT("sandbox_approval", 0),
    REJECT("rules", 0),
    REJECT("request_permissions", KEY_UNREAD),
    REJECT("mcp_elicitations", KEY_UNREAD),
    REJECT("skill_approval", KEY_UNREAD),
    {"commands.known_safe", KEY_COMMANDS, "[]", .text =
     "Commands that may run without a question, inside the sandbox, besides those that are known to only look: "
     "[[\"terraform\", \"plan\"]]. Each is a program's name and the words it begins with, compared one by one; whatever "
     "follows is included."},
    {"commands.not_safe", KEY_COMMANDS, "[]", .project = PROJECT_ADD, .text =
     "Commands that are not known to be safe, whatever commands.known_safe and the built-in table say. "
     "Options between the words are passed over."},
    {"commands.dangerous", KEY_COMMANDS, "[]", .project = PROJECT_ADD, .text =
     "Commands to ask about where no rule allows them, besides those that are known to destroy: "
     "[[\"terraform\", \"destroy\"]]. Options between the words are passed over."},
    {"commands.not_dangerous", KEY_COMMANDS, "[]", .text =
     "Commands that are not dangerous although the built-in table says so: [[\"rm\", \"-rf\", \"build\"]]. "
     "Compared word by word; commands.dangerous wins over it."},
    {"approvals_reviewer", KEY_WORD, "\"user\"", WORDS("user", "auto_review", "guardian_subagent"), .flags = KEY_UNREAD, .text = "Who answers an approval."},
    {"auto_review", KEY_TABLE, "", .flags = KEY_UNREAD, .text = "The automatic reviewer."},
    {"allow_login_shell", KEY_BOOLEAN, "", .flags = KEY_UNREAD, .project = PROJECT_FALSE, .text = "Shells may be login shells."},
    {"web_search", KEY_WORD, "", WORDS("disabled", "cached", "live"), .flags = KEY_UNREAD, .project = PROJECT_EARLIER, .text =
     "Web search of the agent. Unset: cached, live with full access."},
    {"features.*", KEY_BOOLEAN_OR_TABLE, "", .text = "A feature's switch."},
    {"projects.*.trust_level", KEY_WORD, "", WORDS("trusted", "untrusted"), .flags = KEY_TOP, .text =
     "Trust in the folder that the key names."},
    {"projects.*.recursive", KEY_BOOLEAN, "", .flags = KEY_TOP, .text = "The entry covers sub-folders."},
    {"project_root_markers", KEY_STRINGS, "[\".git\"]", .text =
     "Names that make a directory the root of a project."},
    {"mcp_servers.*", KEY_TABLE, "", .flags = KEY_UNREAD, .text = "An MCP server."},
    {"model_providers.*", KEY_TABLE, "", .flags = KEY_UNREAD, .text = "A model's endpoint."},
    {"model", KEY_STRING, "", .flags = KEY_UNREAD, .text = "The model of the agent."},
    {"notify", KEY_STRINGS, "", .flags = KEY_UNREAD, .text = "Program told about events, with arguments."},
    {"history", KEY_TABLE, "", .flags = KEY_UNREAD, .text = "What the agent keeps of its sessions."},
    {"otel.environment", KEY_STRING, "\"dev\"", .flags = KEY_LINE, .text = "Resource attribute env of what is exported."},
    OTEL_EXPORTER("exporter", "Where log records go: what was asked, decided and done."),
    OTEL_EXPORTER("trace_exporter", "Where spans go."),
    OTEL_EXPORTER("metrics_exporter", "Where measurements go."),
    {"otel.log_user_prompt", KEY_BOOLEAN, "false", .text =
     "Prompts are exported; else their length. Secrets are redacted either way."},
    {"otel.log_tool_payloads", KEY_BOOLEAN, "false", .text =
     "Arguments and output are exported; else their length and SHA-256. Secrets are redacted either way."},
    {"otel.span_attributes", KEY_STRING_TABLE, "", .text = "Attributes of every span."},
    {"otel.resource", KEY_STRING_TABLE, "", .text =
     "Resource attributes, over those of OTEL_RESOURCE_ATTRIBUTES."},
    {"otel.event_prefix", KEY_STRING, "\"bawn.\"", .flags = KEY_LABEL, .text =
     "What names of events and measurements begin with; codex. for dashboards that exist already."},
    {"otel.account_id", KEY_STRING, "", .flags = KEY_LINE, .text = "Attribute user.account_id of every log record."},
    {"profile", KEY_STRING, "", .flags = KEY_TOP, .text =
     "The configuration profile that is added when --profile names none."},
    {"profiles.*", KEY_TABLE, "", .flags = KEY_TOP, .text =
     "A named set of configuration: what --profile NAME adds over the user's own."},

    AGENT("agents", KEY_TABLE, "Agents that an agent may start, and their roles."),
    AGENT("analytics", KEY_TABLE, "Usage statistics of the agent."),
    AGENT("apps", KEY_TABLE, "Connected apps and their tools."),
    AGENT("apps_mcp_product_sku", KEY_STRING, "Product name sent to connected apps."),
    AGENT("audio", KEY_TABLE, "Microphone and speaker."),
    AGENT("background_terminal_max_timeout", KEY_INTEGER, "Longest wait for a background terminal, in milliseconds."),
    AGENT("chatgpt_base_url", KEY_STRING, "Address of the agent's login service."),
    AGENT("check_for_update_on_startup", KEY_BOOLEAN, "The agent looks for a newer version of itself."),
    AGENT("cli_auth_credentials_store", KEY_STRING, "Where the agent keeps its login."),
    AGENT("commit_attribution", KEY_STRING, "Trailer that the agent adds to commits."),
    AGENT("compact_prompt", KEY_STRING, "Prompt for shortening a conversation."),
    AGENT("debug", KEY_TABLE, "Settings for debugging the agent."),
    AGENT("desktop", KEY_TABLE, "The agent's desktop program."),
    AGENT("developer_instructions", KEY_STRING, "More instructions for the model."),
    AGENT("disable_paste_burst", KEY_BOOLEAN, "Fast typing is not taken for a paste."),
    AGENT("disable_response_storage", KEY_BOOLEAN, "The endpoint is asked to keep nothing."),
    AGENT("experimental_compact_prompt_file", KEY_STRING, "File with the prompt for shortening."),
    AGENT("experimental_instructions_file", KEY_STRING, "File with instructions; the older spelling."),
    AGENT("experimental_realtime_start_instructions", KEY_STRING, "Voice: first instructions."),
    AGENT("experimental_realtime_ws_backend_prompt", KEY_STRING, "Voice: prompt of the backend."),
    AGENT("experimental_realtime_ws_base_url", KEY_STRING, "Voice: endpoint."),
    AGENT("experimental_realtime_ws_model", KEY_STRING, "Voice: model."),
    AGENT("experimental_realtime_ws_startup_context", KEY_STRING, "Voice: first context."),
    AGENT("experimental_thread_config_endpoint", KEY_STRING, "Endpoint for settings of one conversation."),
    AGENT("experimental_thread_store", KEY_ANY, "Where conversations are kept."),
    AGENT("experimental_use_freeform_apply_patch", KEY_BOOLEAN, "The patch tool takes free text."),
    AGENT("experimental_use_rmcp_client", KEY_BOOLEAN, "Which client speaks to MCP servers."),
    AGENT("experimental_use_unified_exec_tool", KEY_BOOLEAN, "One tool for running commands."),
    AGENT("feedback", KEY_TABLE, "Feedback to the agent's makers."),
    AGENT("file_opener", KEY_STRING, "Editor that links to files open in."),
    AGENT("forced_chatgpt_workspace_id", KEY_ANY, "Accounts that may log in: one or a list."),
    AGENT("forced_login_method", KEY_STRING, "The one way to log in."),
    AGENT("ghost_snapshot", KEY_TABLE, "Snapshots for undoing."),
    AGENT("hide_agent_reasoning", KEY_BOOLEAN, "The model's reasoning is not shown."),
    AGENT("hooks", KEY_ANY, "Programs that run at events."),
    AGENT("include_apply_patch_tool", KEY_BOOLEAN, "The patch tool is offered; the older spelling of a feature."),
    AGENT("include_apps_instructions", KEY_BOOLEAN, "The model is told about apps."),
    AGENT("include_collaboration_mode_instructions", KEY_BOOLEAN, "The model is told about modes."),
    AGENT("include_environment_context", KEY_BOOLEAN, "The model is told about the environment."),
    AGENT("include_permissions_instructions", KEY_BOOLEAN, "The model is told about permissions."),
    AGENT("include_plan_tool", KEY_BOOLEAN, "The plan tool is offered; the older spelling of a feature."),
    AGENT("instructions", KEY_STRING, "Instructions for the model."),
    AGENT("js_repl_node_module_dirs", KEY_STRINGS, "Where the JavaScript tool looks for modules."),
    AGENT("js_repl_node_path", KEY_STRING, "Program of the JavaScript tool."),
    AGENT("log_dir", KEY_STRING, "Where the agent writes its logs."),
    AGENT("marketplaces", KEY_TABLE, "Sources of plugins."),
    AGENT("mcp_oauth_callback_port", KEY_INTEGER, "Port that a login at an MCP server comes back to."),
    AGENT("mcp_oauth_callback_url", KEY_STRING, "Address that a login at an MCP server comes back to."),
    AGENT("mcp_oauth_credentials_store", KEY_STRING, "Where logins at MCP servers are kept."),
    AGENT("memories", KEY_TABLE, "What the agent remembers between conversations."),
    AGENT("model_auto_compact_token_limit", KEY_INTEGER, "Tokens after which a conversation is shortened."),
    AGENT("model_auto_compact_token_limit_scope", KEY_STRING, "What counts towards that."),
    AGENT("model_catalog_json", KEY_STRING, "File with a list of models."),
    AGENT("model_context_window", KEY_INTEGER, "Tokens that the model takes."),
    AGENT("model_instructions_file", KEY_STRING, "File with instructions for the model."),
    AGENT("model_max_output_tokens", KEY_INTEGER, "Tokens that the model answers with."),
    AGENT("model_personality", KEY_STRING, "The older spelling of personality."),
    AGENT("model_provider", KEY_STRING, "Which of [model_providers] is used."),
    AGENT("model_reasoning_effort", KEY_STRING, "How long the model thinks."),
    AGENT("model_reasoning_summary", KEY_STRING, "How much of that it says."),
    AGENT("model_reasoning_summary_format", KEY_STRING, "In which form."),
    AGENT("model_supports_reasoning_summaries", KEY_BOOLEAN, "The model can."),
    AGENT("model_verbosity", KEY_STRING, "How much the model writes."),
    AGENT("network", KEY_TABLE, "Network settings of an older format."),
    AGENT("notice", KEY_TABLE, "Notices that the agent has shown."),
    AGENT("openai_base_url", KEY_STRING, "Address of the endpoint."),
    AGENT("oss_provider", KEY_STRING, "Provider of local models."),
    AGENT("personality", KEY_STRING, "The model's tone."),
    AGENT("plan_mode_reasoning_effort", KEY_STRING, "How long the model thinks when it plans."),
    AGENT("plugins", KEY_TABLE, "Plugins, by name."),
    AGENT("preferred_auth_method", KEY_STRING, "The way to log in; an older spelling."),
    AGENT("project_doc_fallback_filenames", KEY_STRINGS, "Names of a project's instructions besides the usual one."),
    AGENT("project_doc_max_bytes", KEY_INTEGER, "How much of a project's instructions is read."),
    AGENT("realtime", KEY_TABLE, "Voice."),
    AGENT("review_model", KEY_STRING, "Model for reviews."),
    AGENT("service_tier", KEY_STRING, "Class of service at the endpoint."),
    AGENT("show_raw_agent_reasoning", KEY_BOOLEAN, "The model's reasoning is shown as it comes."),
    AGENT("skills", KEY_ANY, "Skills, and which of them are on."),
    AGENT("sqlite_home", KEY_STRING, "Where the agent keeps its database."),
    AGENT("suppress_unstable_features_warning", KEY_BOOLEAN, "No warning about features under development."),
    AGENT("tool_output_token_limit", KEY_INTEGER, "Tokens kept of a tool's output."),
    AGENT("tool_suggest", KEY_TABLE, "Tools that the agent proposes to install."),
    AGENT("tools", KEY_TABLE, "Tools of the agent: web_search, view_image."),
    AGENT("tools_view_image", KEY_BOOLEAN, "The older spelling of tools.view_image."),
    AGENT("tools_web_search", KEY_BOOLEAN, "The older spelling of tools.web_search."),
    AGENT("tui", KEY_TABLE, "The agent's terminal interface."),
    AGENT("windows", KEY_TABLE, "The agent on Windows."),
    AGENT("windows_wsl_setup_acknowledged", KEY_BOOLEAN, "A notice was seen."),
    AGENT("zsh_path", KEY_STRING, "The zsh that one of the tools runs."),

    {"permissions.*.extends", KEY_STRING, "", .flags = KEY_PROFILE, .text =
     "The profile this one starts from: :read-only, :workspace or another name."},
    {"permissions.*.include", KEY_STRINGS, "", .flags = KEY_PROFILE, .text = "Presets to pull in."},
    {"permissions.*.description", KEY_STRING, "", .flags = KEY_PROFILE, .text = "One line for people."},
    {"permissions.*.workspace_roots.*", KEY_BOOLEAN, "", .flags = KEY_PROFILE, .text =
     "One more workspace root; absolute or ~."},
    {"permissions.*.filesystem", KEY_ACCESS_TABLE, "", .flags = KEY_PROFILE, .project = PROJECT_DENY, .text =
     "Path to read, write or none, or to a table of sub-paths."},
    {"permissions.*.filesystem.glob_scan_max_depth", KEY_INTEGER, "", .least = 1, .most = 4096,
     .flags = KEY_PROFILE, .text = "Bounds how deep a ** reaches."},
    {"permissions.*.network.enabled", KEY_BOOLEAN, "false", .flags = KEY_PROFILE, .project = PROJECT_DENY, .text =
     "The network is on."},
    {"permissions.*.network.mode", KEY_WORD, "\"full\"", WORDS("full", "limited"),
     .flags = KEY_PROFILE | KEY_FILTER, .text = "limited: only GET, HEAD and OPTIONS."},
    {"permissions.*.network.domains", KEY_STRING_TABLE, "", .flags = KEY_PROFILE | KEY_FILTER, .project = PROJECT_DENY, .text =
     "Host pattern to allow or deny."},
    {"permissions.*.network.unix_sockets", KEY_STRING_TABLE, "", .flags = KEY_PROFILE | KEY_FILTER, .text =
     "Absolute path to allow or deny."},
    {"permissions.*.network.allow_local_binding", KEY_BOOLEAN, "false",
     .flags = KEY_PROFILE | KEY_FILTER, .text = "Opens loopback, link-local and private destinations."},
    {"permissions.*.network.proxy_url", KEY_STRING, "", .flags = KEY_PROFILE | KEY_FILTER, .text =
     "Fixed address of the HTTP listener."},
    {"permissions.*.network.socks_url", KEY_STRING, "", .flags = KEY_PROFILE | KEY_FILTER, .text =
     "Fixed address of the SOCKS listener."},
    {"permissions.*.network.enable_socks5", KEY_BOOLEAN, "true", .flags = KEY_PROFILE | KEY_FILTER, .text =
     "Offer SOCKS5."},
    {"permissions.*.network.enable_socks5_udp", KEY_BOOLEAN, "true", .flags = KEY_PROFILE | KEY_FILTER,
     .text = "Offer UDP through SOCKS5."},
    {"permissions.*.network.allow_upstream_proxy", KEY_BOOLEAN, "true", .flags = KEY_PROFILE | KEY_FILTER,
     .text = "Honour the proxy variables of bawn's own environment."},
    {"permissions.*.network.transparent", KEY_BOOLEAN, "true", .flags = KEY_PROFILE | KEY_FILTER,
     .text = "Programs that read no proxy variables pass the proxy, too."},
    {"permissions.*.network.dangerously_allow_non_loopback_proxy", KEY_BOOLEAN, "false",
     .flags = KEY_PROFILE | KEY_FILTER, .text =
     "proxy_url and socks_url may name another address than loopback. It opens nothing: the proxy listens inside the sandbox."},
    {"permissions.*.network.dangerously_allow_all_unix_sockets", KEY_BOOLEAN, "false",
     .flags = KEY_PROFILE | KEY_FILTER, .text = "Every Unix socket may be connected to."},
    {"permissions.*.network.block_message", KEY_STRING, "", .flags = KEY_PROFILE | KEY_FILTER, .text =
     "Text added to refusals, for the agent to read."},
    {"permissions.*.network.mitm", KEY_TABLE, "", .flags = KEY_PROFILE | KEY_FILTER, .text =
     "TLS interception."},
    {"permissions.*.network.requests", KEY_TABLES, "", .flags = KEY_PROFILE | KEY_FILTER, .text =
     "Rules for requests by host, method and path; the first that matches decides."},
    {"permissions.*.network.credentials", KEY_TABLE, "", .flags = KEY_PROFILE | KEY_FILTER, .text =
     "Credentials that the proxy adds."},
};
/* clang-format on */

const struct key_table config_keys = {keys, ARRAY_LEN(keys)};

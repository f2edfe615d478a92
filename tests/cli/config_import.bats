#!/usr/bin/env bats
# bawn config import --from codex: a whole made-up ~/.codex comes over, nothing that is there is lost, and a
# crash leaves whole files. What becomes of the text of a file is in tests/unit/test_import.c.

load helper

setup() {
    bawn_setup
    unset CODEX_HOME
}
teardown() { bawn_teardown; }

# A ~/.codex as people have it, with what gets into it over time.
make_codex() {
    local codex=${1:-$HOME/.codex}
    as_user mkdir -p "$HOME/src/app" "$HOME/src/other"
    write_file "$codex/config.toml" <<END
# Codex, on the laptop.
model = "gpt-5"                 # the usual one
model_reasoning_effort = "high"
approval_policy = "on-failure"  # since the beginning
sandbox_mode = "workspace-write"
cli_auth_credentials_store = "keyring"
notify = ["notify-send", "codex"]
colour_scheme = "dark"          # no such thing

[sandbox_workspace_write]
network_access = "yes"          # never worked
writable_roots = [
    "$TMPDIR/cache",            # the build cache
]

[shell_environment_policy]
inherit = "core"
set = { EDITOR = "vi" }

[mcp_servers.docs]
command = "docs-server"
env = { TOKEN = "secret" }

[tui]
notifications = true

[notice]
hide_full_access_warning = true

[permissions.work]
extends = ":workspace"
network = { enabled = true, moode = "full" }

[profiles.careful]
approval_policy = "untrusted"
sandbox_mode = "read-only"

[projects."$HOME/src/app"]
trust_level = "trusted"

[projects."$HOME/src/other"]
trust_level = "untrusted"

[projects."relative/path"]
trust_level = "trusted"
END
    write_file "$codex/ci.config.toml" <<'END'
approval_policy = "never" # nobody is there
profile = "careful"
END
    write_file "$codex/rules/default.rules" <<'END'
prefix_rule(pattern = ["git", "status"], decision = "allow")
# “quotes” stay as they are
END
    printf '\377\376' | write_file "$codex/rules/broken.rules"
    echo '{"token": "x"}' | write_file "$codex/auth.json"
    echo 'not mine to take' | write_file "$codex/history.jsonl"
}

drive() {
    make_codex
    export BAWN CODEX_HOME=$HOME/.codex
    run as_user /usr/bin/python3 "$BATS_TEST_DIRNAME/config_import.py" "$@"
    assert_status 0
}

# nothing_in DIR: it is not there, or holds nothing but locks.
nothing_in() {
    [ -z "$(find "$1" -type f ! -name '*.lock' 2>/dev/null)" ] || bawn_fail "$(find "$1")"
}

@test "config import brings a whole ~/.codex over" {
    make_codex
    run --separate-stderr bawn config import --from codex
    assert_status 0
    assert_output "$BAWN_HOME/rules/codex-default.rules: from $HOME/.codex/rules/default.rules
$BAWN_HOME/ci.config.toml: from $HOME/.codex/ci.config.toml
$BAWN_HOME/config.toml: from $HOME/.codex/config.toml
$BAWN_HOME/trust.toml: from $HOME/.codex/config.toml"
    cmp "$HOME/.codex/rules/default.rules" "$BAWN_HOME/rules/codex-default.rules"
    [ ! -e "$BAWN_HOME/rules/codex-broken.rules" ]
    [ ! -e "$BAWN_HOME/auth.json" ]
    [ -z "$(find "$BAWN_HOME" -type f ! -perm 600; find "$BAWN_HOME" -type d ! -perm 700)" ]
    [ -z "$(find "$BAWN_HOME" -name '*.import')" ]
}

@test "config import says what it left out, with file and line" {
    make_codex
    run bawn config import --from codex
    local c=$HOME/.codex
    assert_contains "bawn: warning: $c/config.toml:4:1: changed: approval_policy: \"on-failure\" is \"on-request\" here"
    assert_contains "$c/config.toml:6:1: not imported: cli_auth_credentials_store: logins stay with the agent"
    assert_contains "$c/config.toml:8:1: not imported: colour_scheme: unknown key"
    assert_contains "$c/config.toml:11:1: not imported: sandbox_workspace_write.network_access: expected a boolean"
    assert_contains "$c/config.toml:27:2: not imported: notice: "
    assert_contains "$c/config.toml:32:29: not imported: permissions.work.network.moode: unknown key; did you mean"
    assert_contains "$c/config.toml:44:11: not imported: projects.\"relative/path\": not an absolute path"
    assert_contains "$c/ci.config.toml:2:1: not imported: profile: cannot stand in a configuration profile"
    assert_contains "$c/rules/broken.rules: not imported: it is not text in UTF-8"
    assert_contains "$c/auth.json: not imported: logins stay with the agent"
    [ "${#lines[@]}" -eq 14 ] || bawn_fail "14 lines"
}

@test "config import keeps comments and order, and comments out what cannot stay" {
    make_codex
    bawn config import --from codex -q >/dev/null
    # Without what the import added, the file is the old one but for two values.
    run diff <(grep -v '^# \(not imported\|changed\|moved\): ' "$BAWN_HOME/config.toml" | sed 's/^# //') \
        <(sed 's/^# //' "$HOME/.codex/config.toml")
    assert_output "4c4
< approval_policy = \"on-request\"  # since the beginning
---
> approval_policy = \"on-failure\"  # since the beginning
32c32
< network = { enabled = true }
---
> network = { enabled = true, moode = \"full\" }"
    grep -qx '# colour_scheme = "dark"          # no such thing' "$BAWN_HOME/config.toml"
}

@test "after config import everything works without a warning" {
    make_codex
    bawn config import --from codex -q >/dev/null
    run --separate-stderr bawn sandbox --strict-config --explain -- true
    assert_status 0
    [ -z "$stderr" ] || bawn_fail "a warning"
    for profile in careful ci; do
        run --separate-stderr bawn sandbox --strict-config -p "$profile" --explain -- true
        assert_status 0
        [ -z "$stderr" ] || bawn_fail "$profile: a warning"
    done
    run --separate-stderr bawn config check --strict-config
    assert_status 0
    assert_contains " 0 warnings"
    run bawn sandbox -P work --explain --json -- true
    assert_status 0
    [ "$(json_get 'j["network"]')" = open ]
    run bawn config get shell_environment_policy.inherit
    assert_output core
    run bawn trust --list
    assert_contains "$HOME/src/app"
    assert_contains "$HOME/src/other"
    refute_contains relative
}

@test "config import --dry-run says the same and makes nothing" {
    make_codex
    run --separate-stderr bawn config import --from codex --dry-run
    assert_status 0
    assert_contains "would write $BAWN_HOME/config.toml: from $HOME/.codex/config.toml"
    assert_contains "colour_scheme: unknown key"
    [ ! -e "$BAWN_HOME" ]
    write_config </dev/null
    run bawn config import --from codex --dry-run
    assert_status 1
    assert_contains "bawn: $BAWN_HOME/config.toml is there already"
}

@test "config import takes nobody's file: it refuses, or keeps it" {
    make_codex
    echo '# mine' | write_config
    run --separate-stderr bawn config import --from codex
    assert_status 1
    [ "$stderr" = "bawn: $BAWN_HOME/config.toml is there already; nothing was imported
bawn: hint: --force replaces it and keeps the old one as $BAWN_HOME/config.toml.bak" ] || bawn_fail "stderr"
    [ "$(cat "$BAWN_HOME/config.toml")" = '# mine' ]
    [ "$(ls "$BAWN_HOME")" = config.toml ]
    run bawn config import --from codex --force -q
    assert_status 0
    [ "$(cat "$BAWN_HOME/config.toml.bak")" = '# mine' ]
    grep -q 'Codex, on the laptop' "$BAWN_HOME/config.toml"
    # Again: all is as it was, and nothing is kept twice. Changed since: the next free name.
    run bawn config import --from codex -q
    assert_status 0
    assert_contains "config.toml: from $HOME/.codex/config.toml, as it was already"
    echo '# mine too' | write_config
    run bawn config import --from codex --force -q
    assert_status 0
    [ "$(cat "$BAWN_HOME/config.toml.bak" "$BAWN_HOME/config.toml.bak2")" = '# mine
# mine too' ]
    [ ! -e "$BAWN_HOME/trust.toml.bak" ]
}

@test "config import writes through no symlink" {
    make_codex
    echo elsewhere | write_file "$WORK/elsewhere"
    as_user mkdir -p "$BAWN_HOME"
    as_user ln -s "$WORK/elsewhere" "$BAWN_HOME/config.toml"
    as_user ln -s "$WORK/elsewhere" "$BAWN_HOME/trust.toml.import"
    run bawn config import --from codex -q
    assert_status 1
    run bawn config import --from codex --force -q
    assert_status 0
    [ "$(cat "$WORK/elsewhere")" = elsewhere ]
    [ -f "$BAWN_HOME/config.toml" ] && [ ! -L "$BAWN_HOME/config.toml" ]
    [ -L "$BAWN_HOME/config.toml.bak" ]
    as_user ln -sf "$WORK/elsewhere" "$BAWN_HOME/config.toml.lock"
    run bawn config import --from codex --force -q
    assert_status 1
    assert_contains "cannot lock $BAWN_HOME/config.toml.lock"
}

@test "config import finds \$CODEX_HOME and --codex-home" {
    make_codex "$WORK/one"
    make_codex "$WORK/two"
    CODEX_HOME=$WORK/one run bawn config import --from codex --dry-run -q
    assert_contains "from $WORK/one/config.toml"
    CODEX_HOME=$WORK/one run bawn config import --from codex --dry-run -q --codex-home two
    assert_contains "from $WORK/two/config.toml"
    run bawn config import --from codex
    assert_status 1
    assert_contains "bawn: cannot import from $HOME/.codex: No such file or directory"
    assert_contains "--codex-home"
    as_user mkdir "$HOME/.codex"
    run bawn config import --from codex
    assert_status 1
    assert_contains "$HOME/.codex holds nothing to import"
    nothing_in "$BAWN_HOME"
}

@test "config import stops at what it cannot read, and makes nothing" {
    make_codex
    echo 'model = ' | write_file "$HOME/.codex/ci.config.toml"
    run bawn config import --from codex
    assert_status 1
    assert_contains "bawn: $HOME/.codex/ci.config.toml:1:"
    nothing_in "$BAWN_HOME"
    as_user rm "$HOME/.codex/ci.config.toml"
    as_user mkfifo "$HOME/.codex/rules/pipe.rules"
    run as_user timeout 20 "$BAWN" config import --from codex
    assert_status 0
    assert_contains "rules/pipe.rules: not imported: "
}

@test "config import --json is one object" {
    make_codex
    run --separate-stderr bawn config import --from codex --json
    assert_status 0
    [ -z "$stderr" ] || bawn_fail "stderr"
    [ "$(json_get '[f["to"].split("/.bawn/")[1] for f in j["files"] if f["written"]]')" = \
        '["rules/codex-default.rules", "ci.config.toml", "config.toml", "trust.toml"]' ]
    [ "$(json_get '[n["line"] for n in j["notes"] if "colour" in n["message"]]')" = '[8]' ]
    [ "$(json_get '[n["line"] for n in j["notes"] if n["imported"]]')" = '[4]' ]
    [ "$(json_get 'sorted(n["file"].split("/")[-1] for n in j["notes"] if n["line"] is None)')" = \
        '["auth.json", "broken.rules"]' ]
    run --separate-stderr bawn config import --from codex --json
    [ "$(json_get '[f["written"] for f in j["files"]]')" = '[false, false, false, false]' ]
}

@test "config import: mistakes on the command line" {
    run bawn config import
    assert_status 2
    assert_contains "config import: say from where"
    run bawn config import --from cursor
    assert_status 2
    assert_contains "cursor"
    run bawn config import --from codex now
    assert_status 2
    assert_contains "unknown word now"
}

@test "config import leaves another's directory alone" {
    make_codex
    as_user mkdir "$BAWN_HOME"
    run bawn_as_root config import --from codex
    assert_status 1
    assert_contains "$BAWN_HOME: it belongs to user "
    nothing_in "$BAWN_HOME"
}

@test "config schema: one for each file, and no others" {
    run bawn config schema
    assert_status 0
    [ "$(json_get 'j["properties"]["sandbox_mode"]["enum"][0]')" = read-only ]
    run bawn config schema requirements
    assert_status 0
    [ "$(json_get 'j["properties"]["allowed_sandbox_modes"]["minItems"]')" = 1 ]
    run bawn config schema profile
    assert_status 2
    assert_contains "config schema: unknown word profile"
}

@test "config import, killed at every system call: whole files, and once more does the rest" {
    drive kill-each
}

@test "config import --force, killed at every system call: nothing is lost" {
    drive kill-force
}

@test "config import, a disk that is full or broken: refused, and nothing is left" {
    drive faults
}

#!/usr/bin/env bats
# The layers of configuration, seen from outside: whose files are heard, what a project's file may say,
# and that it holds inside. What stands in /etc/bawn is in requirements.bats.

load helper

setup() {
    bawn_setup
    make_repo
    as_user mkdir -p "$WORK/sub"
}
teardown() { bawn_teardown; }

# The project's file, heard.
project() {
    write_file "$WORK/.bawn/config.toml"
    bawn trust "$WORK" >/dev/null
}

# One line of bawn's own, no more; the excerpt below it is indented.
assert_one_line() {
    [ "$(printf '%s\n' "$output" | grep -c '^bawn: ')" -eq 1 ] || bawn_fail "expected one line of bawn's"
    [ -z "$(printf '%s\n' "$output" | grep -Ev '^(bawn: |  )')" ] || bawn_fail "expected nothing else"
}

@test "a project's floor holds inside, whatever the user's profile opens" {
    as_user mkdir -p "$SCRATCH/s/in" "$WORK/keys"
    for f in "$SCRATCH/s/a" "$SCRATCH/s/in/b" "$WORK/keys/k" "$WORK/x.pem"; do
        as_user sh -c "echo secret >$f"
    done
    as_user ln -s "$SCRATCH/s/in/b" "$WORK/link"
    project <<EOF
[permissions.any.filesystem]
"$SCRATCH/s" = "none"
":workspace_roots" = { "keys" = "none", "**/*.pem" = "none" }
EOF
    write_config <<EOF
default_permissions = "own"
[permissions.own]
extends = ":workspace"
[permissions.own.filesystem]
"$SCRATCH/s" = "read"
"$SCRATCH/s/in" = "read"
"$SCRATCH/s/in/b" = "write"
"$WORK/keys/k" = "read"
"$WORK/x.pem" = "read"
EOF
    run -0 bawn sandbox -q -- sh -c 'echo fine >f && cat f'
    assert_output fine
    for f in "$SCRATCH/s/a" "$SCRATCH/s/in/b" "$WORK/keys/k" "$WORK/x.pem" "$WORK/link"; do
        run bawn sandbox -q -- cat "$f"
        [ "$status" -ne 0 ] || bawn_fail "$f was read"
        [ "$(id -u)" -eq 0 ] || continue
        run bawn_as_root sandbox -q -- cat "$f"
        [ "$status" -ne 0 ] || bawn_fail "$f was read by root"
    done
    run -0 bawn explain "$SCRATCH/s/in/b"
    assert_contains masked
    assert_contains "$WORK/.bawn/config.toml:2"
    # Without the project's file the user's word holds.
    bawn untrust "$WORK" >/dev/null
    run -0 bawn sandbox -q -- cat "$SCRATCH/s/in/b" "$WORK/link"
    assert_contains secret
}

@test "a project that says read-only is read-only, and a session can say otherwise" {
    project <<<'sandbox_mode = "read-only"'
    run bawn sandbox -q -- touch f
    [ "$status" -ne 0 ] && [ ! -e f ] || bawn_fail "it wrote"
    run -0 bawn sandbox -q -s workspace-write -- touch f
    run -0 bawn sandbox -q -c sandbox_mode=workspace-write -- touch g
    printf 'sandbox_mode = "workspace-write"\n' | write_config
    run bawn sandbox -q -- touch h
    [ "$status" -ne 0 ] && [ ! -e h ] || bawn_fail "it wrote"
}

@test "what a project takes from the environment does not arrive" {
    project <<'EOF'
[shell_environment_policy]
inherit = "all"
exclude = ["PLAIN_B"]
include_only = ["PATH", "PLAIN_*", "MINE", "EVIL"]
set = { EVIL = "1" }
EOF
    printf '[shell_environment_policy.set]\nMINE = "1"\nOTHER = "1"\n' | write_config
    export PLAIN_A=1 PLAIN_B=1 ELSE_C=1
    run -0 bawn sandbox -q -- env
    assert_contains PLAIN_A=1
    assert_contains MINE=1
    for name in PLAIN_B ELSE_C OTHER EVIL HOME; do
        ! printf '%s\n' "$output" | grep -q "^$name=" || bawn_fail "$name arrived"
    done
}

@test "what widens is dropped, told once with file and key, and does not hold" {
    project <<EOF
sandbox_mode = "danger-full-access"
default_permissions = ":danger-full-access"
approval_policy = "never"
sandbox_backend = "external"
notify = ["touch", "$WORK/notified"]
allow_nested_userns = true
[sandbox_workspace_write]
writable_roots = ["$SCRATCH"]
network_access = true
[permissions.any.filesystem]
"/" = "write"
[projects."$WORK"]
trust_level = "trusted"
[mcp_servers.m]
command = "x"
EOF
    run -0 --separate-stderr bawn sandbox -- sh -c 'echo x 2>/dev/null >../outside || echo held'
    assert_output held
    for key in sandbox_mode default_permissions approval_policy sandbox_backend notify allow_nested_userns \
        sandbox_workspace_write.writable_roots sandbox_workspace_write.network_access \
        'permissions.any.filesystem."/"' "projects.\"$WORK\".trust_level" mcp_servers.m; do
        # shellcheck disable=SC2154 # bats sets it
        [ "$(printf '%s\n' "$stderr" | grep -cF " $key: ignored: ")" -eq 1 ] || bawn_fail "$key is not told once"
    done
    [ "$(printf '%s\n' "$stderr" | grep -c "ignored: ")" -eq 11 ] || bawn_fail "more is told"
    [ "$(printf '%s\n' "$stderr" | grep -cF "$WORK/.bawn/config.toml:")" -eq 11 ] || bawn_fail "not with its file"
    [ ! -e notified ] && [ ! -e "$SCRATCH/outside" ]
}

@test "files of projects that nobody trusts are not read" {
    write_file "$WORK/.bawn/config.toml" <<<'sandbox_mode = "read-only"'
    run -0 --separate-stderr bawn sandbox -- touch f
    [[ $stderr == *"$WORK/.bawn/config.toml is not read"*"bawn trust $WORK"* ]] || bawn_fail "it is not said"
    bawn untrust >/dev/null
    run -0 --separate-stderr bawn sandbox -- touch g
    [ -z "$stderr" ] || bawn_fail "something is said"
    run -0 bawn config show --json
    [ "$(json_get 'j["resolved"]["approval_policy"]')" = untrusted ]
    bawn trust >/dev/null
    run bawn sandbox -- touch h
    [ "$status" -ne 0 ] && [ ! -e h ] || bawn_fail "it is not read"
}

@test "a broken project file is told and ignored; the user's own ends the start" {
    project <<<'sandbox_mode = '
    run -0 --separate-stderr bawn sandbox -- touch f
    [[ $stderr == *"$WORK/.bawn/config.toml:1:"* ]] || bawn_fail "it is not said"
    run -1 bawn sandbox --strict-config -- true
    write_config <<<'sandbox_mode = '
    for command in "sandbox -- true" "explain ." "permissions list" "config show" "status"; do
        # shellcheck disable=SC2086
        run -1 bawn $command
        assert_contains "$BAWN_HOME/config.toml:1:"
        assert_one_line
    done
}

@test "from the root down: the nearer file can say less, not more" {
    project <<<'limits.open_files = 50'
    write_file "$WORK/sub/.bawn/config.toml" <<<'limits.open_files = 40'
    cd "$WORK/sub"
    run -0 bawn config get limits.open_files
    assert_output 40
    write_file "$WORK/sub/.bawn/config.toml" <<<'limits.open_files = 60'
    run -0 --separate-stderr bawn config get limits.open_files
    assert_output 50
    run -0 --separate-stderr bawn sandbox -q -- sh -c 'ulimit -n'
    assert_output 50
}

@test "the command can write neither the project's file nor trust" {
    project <<<'limits.open_files = 500'
    run -0 bawn sandbox -q -c "sandbox_workspace_write.writable_roots=[\"$HOME\"]" -- sh -c '
        rm .bawn/config.toml || mv .bawn b || echo x >.bawn/config.toml || ln -sf x .bawn/config.toml
        echo x >"$BAWN_HOME/trust.toml" || mv "$BAWN_HOME" "$HOME/b" || ln -sf x "$BAWN_HOME/trust.toml" || echo held'
    assert_contains held
    [ "$(cat .bawn/config.toml)" = "limits.open_files = 500" ] || bawn_fail "the project's file"
    [ -f "$BAWN_HOME/trust.toml" ] && grep -q trusted "$BAWN_HOME/trust.toml"
    # What it can write below is heard by the next start there, and says nothing that widens.
    run -0 bawn sandbox -q -- sh -c 'mkdir sub/.bawn && echo "sandbox_mode = \"danger-full-access\"" >sub/.bawn/config.toml'
    cd sub
    run bawn sandbox -q -- touch "$SCRATCH/outside"
    [ "$status" -ne 0 ] && [ ! -e "$SCRATCH/outside" ] || bawn_fail "it widened"
}

@test "profiles: file, table, both, none" {
    write_file "$BAWN_HOME/strict.config.toml" <<<'sandbox_mode = "read-only"'
    write_config <<'EOF'
[profiles.table]
sandbox_mode = "read-only"
[profiles.both]
model = "x"
EOF
    write_file "$BAWN_HOME/both.config.toml" <<<'model = "y"'
    for name in strict table; do
        run bawn sandbox -q -p $name -- touch f
        [ "$status" -ne 0 ] && [ ! -e f ] || bawn_fail "$name: it wrote"
        run -0 bawn sandbox -q -p $name -s workspace-write -- touch g
    done
    run -1 bawn sandbox -p both -- true
    assert_contains "both a file and a table"
    assert_one_line
    run -1 bawn sandbox -p strickt -- true
    assert_contains 'there is no such profile'
    assert_contains "$BAWN_HOME/strickt.config.toml"
    run -1 bawn sandbox -p ../.bawn/strict -- true
    assert_contains 'is not the name of a profile'
}

@test "every bad input: one clear line with its place, and status 1" {
    while IFS='|' read -r text said; do
        printf '%b' "$text" | write_config
        run -1 bawn sandbox -- true
        assert_contains "$said"
        assert_one_line
        run -1 bawn sandbox --json -- true
        [ "$(json_get 'j["file"], j["line"] > 0, j["message"] != ""')" = "('$BAWN_HOME/config.toml', True, True)" ] ||
            bawn_fail "$text as JSON"
    done <<'EOF'
sandbox_mode = "workspace"\n|config.toml:1:16: sandbox_mode: unknown value "workspace"; expected read-only
a = [1,\n|config.toml:
model = 3\n|config.toml:1:9: model: expected a string, found an integer
approval_policy = true\n|approval_policy: expected a string or a table
a = 1\na = 2\n|config.toml:2:
limits.memory = "9 bananas"\n|limits.memory: "9 bananas" is not a size
limits.processes = 99999999999999999999\n|config.toml:1:
protected_names = ["../x"]\n|protected_names: "../x"
[projects."rel"]\ntrust_level = "trusted"\n|rel
[projects."/x"]\ntrust_level = "maybe"\n|trust_level: unknown value "maybe"
shell_environment_policy.set."A=B" = "x"\n|"A=B" cannot be a variable's name
model = "\xff"\n|config.toml:1:
EOF
}

@test "-c: every bad one is one line and status 1" {
    while IFS='|' read -r arg said; do
        run -1 bawn sandbox -c "$arg" -- true
        assert_contains "$said"
        assert_one_line
    done <<'EOF'
sandbox_mode|expected KEY=VALUE
sandbox_mod=read-only|sandbox_mod: unknown key
sandbox_mode=workspace|sandbox_mode: unknown value "workspace"
=x|-c =x
projects."/a=x|-c
private_tmp=maybe|private_tmp: expected a boolean
projects./a.b.trust_level=trusted|-c
EOF
    run -0 bawn config get -c 'projects."/a.b".trust_level=trusted' projects
    assert_contains '/a.b'
}

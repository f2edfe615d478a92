#!/usr/bin/env bats
# A filtered network as far as it takes no other machine: what configuration asks for it, what is
# wrong with it, what runs and what does not. (Clients, servers and hostile cases: tests/network.)
load helper

setup() { bawn_setup; }
teardown() { bawn_teardown; }

# A profile of one's own that is in force; its `network` table's lines come from standard input.
profile() {
    {
        printf 'default_permissions = "work"\n[permissions.work]\nextends = ":workspace"\n'
        printf '[permissions.work.network]\nenabled = true\n'
        cat
    } | write_config
}

# The program with what belongs to it, in a tree of the test's own: $TREE/bin/bawn.
own_tree() {
    TREE=$SCRATCH/tree
    mkdir -p "$TREE/bin" "$TREE/libexec/bawn"
    local build
    build=$(dirname "$BAWN")/..
    for proxy in "$build/proxy/bawn-proxy" "$build/libexec/bawn/bawn-proxy"; do
        if [ -x "$proxy" ]; then
            cp "$proxy" "$TREE/libexec/bawn/bawn-proxy"
        fi
    done
    [ -x "$TREE/libexec/bawn/bawn-proxy" ] || bawn_fail "bawn-proxy is not built"
    cp "$BAWN" "$TREE/bin/bawn"
    chmod -R a+rX "$TREE"
    BAWN=$TREE/bin/bawn
}

@test "a pattern that could never match: file, line, column, and nothing runs" {
    profile <<'EOT'
domains = { "https://example.com" = "allow" }
EOT
    run bawn sandbox -- touch ran
    assert_status 1
    assert_contains "$BAWN_HOME/config.toml:6:13"
    [ ! -e ran ] || bawn_fail "it ran"
    run bawn run -- touch ran
    assert_status 1
    [ ! -e ran ] || bawn_fail "it ran"
}

@test "unknown keys and values of the network's tables" {
    profile <<'EOT'
block_mesage = "x"
EOT
    run bawn sandbox -- true
    assert_status 1
    assert_contains 'did you mean "block_message"?'
    write_config <<'EOT'
features.network_proxy = { enabled = true, allow_upstream_prox = false }
sandbox_mode = "workspace-write"
sandbox_workspace_write.network_access = true
EOT
    run bawn sandbox -- true
    assert_status 1
    assert_contains 'did you mean "allow_upstream_proxy"?'
    assert_contains "$BAWN_HOME/config.toml:1:"
}

@test "the listeners' addresses are the sandbox's loopback" {
    profile <<'EOT'
proxy_url = "http://192.0.2.1:3128"
domains = {}
EOT
    run bawn sandbox -- true
    assert_status 1
    assert_contains "the proxy listens on the sandbox's loopback only"
    profile <<'EOT'
proxy_url = "http://192.0.2.1:4128"
dangerously_allow_non_loopback_proxy = true
domains = {}
EOT
    run bawn sandbox --explain -- true
    assert_status 0
    assert_contains "127.0.0.1:4128"
    assert_contains "dangerously_allow_non_loopback_proxy has no effect"
}

@test "domains, and the filter turned off: an error, not an open network" {
    {
        printf 'features.network_proxy = false\n'
        printf 'default_permissions = "work"\n[permissions.work.network]\nenabled = true\n'
        printf 'domains = { "example.com" = "allow" }\n'
    } | write_config
    run bawn sandbox -- touch ran
    assert_status 1
    assert_contains "domains needs the filtering proxy, which features.network_proxy"
    [ ! -e ran ] || bawn_fail "it ran"
}

@test "a helper that is missing, or that others can write: 125, and nothing runs" {
    own_tree
    profile <<'EOT'
domains = { "example.com" = "allow" }
EOT
    run bawn sandbox -- true
    assert_status 0
    chmod o+w "$TREE/libexec/bawn/bawn-proxy"
    run bawn sandbox -- touch ran
    assert_status 125
    assert_contains "everybody can write it"
    rm "$TREE/libexec/bawn/bawn-proxy"
    run bawn sandbox -- touch ran
    assert_status 125
    assert_contains "$TREE/libexec/bawn/bawn-proxy is missing"
    [ ! -e ran ] || bawn_fail "it ran"
}

@test "the helper is found beside bawn, never on PATH" {
    own_tree
    profile <<'EOT'
domains = {}
EOT
    mkdir "$SCRATCH/other"
    mv "$TREE/libexec/bawn/bawn-proxy" "$SCRATCH/other/bawn-proxy"
    PATH=$SCRATCH/other:$PATH run bawn sandbox -- true
    assert_status 125
    assert_contains "is missing"
}

@test "a helper that ends at once: its last words, and nothing runs" {
    own_tree
    profile <<'EOT'
domains = {}
EOT
    cp "$(command -v cp)" "$TREE/libexec/bawn/bawn-proxy" # says on stderr that it was given no file
    run bawn sandbox -- touch ran
    assert_status 125
    assert_contains "the proxy did not start: Try 'bawn-proxy --help'"
    cp "$(type -P false)" "$TREE/libexec/bawn/bawn-proxy"
    run bawn sandbox -- touch ran
    assert_status 125
    assert_contains "the proxy did not start: it ended with status 1"
    printf 'no program\n' >"$TREE/libexec/bawn/bawn-proxy"
    run bawn sandbox -- touch ran
    assert_status 125
    assert_contains "cannot be executed: Exec format error"
    [ ! -e ran ] || bawn_fail "it ran"
}

# The process that executes FILE.
executing() {
    local i pid
    for i in $(seq 100); do
        for pid in /proc/[0-9]*; do
            if [ "$(readlink "$pid/exe" 2>/dev/null)" = "$1" ]; then
                echo "${pid#/proc/}"
                return
            fi
        done
        sleep 0.05
    done
    bawn_fail "nobody executes $1 ($i)"
}

@test "the helper has none of bawn's environment, descriptors, directory, and ends with bawn" {
    own_tree
    profile <<'EOT'
domains = {}
EOT
    cp "$(command -v yes)" "$TREE/libexec/bawn/bawn-proxy" # never answers, never ends
    export BAWN_TEST_SECRET=x
    bawn sandbox -- true 7</etc/passwd 2>"$SCRATCH/said" 3>&- &
    local proxy launcher
    proxy=$(executing "$TREE/libexec/bawn/bawn-proxy")
    launcher=$(executing "$TREE/bin/bawn")
    [ -z "$(tr '\0' ' ' <"/proc/$proxy/environ")" ] || bawn_fail "its environment"
    [ "$(readlink "/proc/$proxy/cwd")" = / ] || bawn_fail "its directory"
    # shellcheck disable=SC2012
    [ "$(ls "/proc/$proxy/fd" | sort -n | tr '\n' ' ')" = "0 1 2 3 " ] || bawn_fail "its descriptors"
    [ "$(readlink "/proc/$proxy/fd/0") $(readlink "/proc/$proxy/fd/1")" = "/dev/null /dev/null" ] || bawn_fail "0 and 1"
    [ "$(cut -d' ' -f5,6 "/proc/$proxy/stat")" = "$proxy $proxy" ] || bawn_fail "its session"
    kill -9 "$launcher"
    wait $! || true
    for _ in $(seq 100); do
        [ -d "/proc/$proxy" ] || return 0
        sleep 0.05
    done
    bawn_fail "it lives on"
}

@test "a command that cannot be refused anything says nothing" {
    profile <<'EOT'
domains = {}
EOT
    run --separate-stderr bawn sandbox -- echo hello
    assert_status 0
    assert_output hello
    [ -z "$stderr" ] || bawn_fail "stderr: $stderr"
}

@test "a refusal: for the client, at the end, in the record, in the list" {
    command -v curl >/dev/null || skip "no curl"
    profile <<'EOT'
domains = { "evil.test" = "deny" }
EOT
    run --separate-stderr bawn sandbox -- sh -c 'curl -s http://a.test/secret?x=1; curl -s http://a.test/; curl -s http://evil.test/; true'
    assert_status 0
    assert_contains '"reason":"not_allowed"'
    [[ $stderr == *"bawn: refused to reach a.test:80 (http), 2 times: no rule allows it; hint: [permissions.work.network] domains: \"a.test\" = \"allow\""* ]] ||
        bawn_fail "no line for a.test: $stderr"
    [[ $stderr == *"refused to reach evil.test:80 (http): a rule denies it"* ]] || bawn_fail "no line for evil.test"
    run bawn denials
    assert_contains "reach a.test:80 (http) (2 times)"
    assert_contains "reach evil.test:80 (http)"
    run bawn audit list
    assert_contains "refuse  network  not_allowed"
    assert_contains "http a.test:80 (2 times)"
    refute_contains "secret"
    run cat "$BAWN_HOME"/audit/*.jsonl
    refute_contains "secret"
    assert_contains '"rule_line":6'
    run bawn audit verify
    assert_status 0
}

@test "refusals in the summary and on the status descriptor" {
    command -v curl >/dev/null || skip "no curl"
    profile <<'EOT'
domains = {}
EOT
    run bawn sandbox --log-denials --status-fd 3 -- curl -s -o /dev/null http://a.test/ 3>"$SCRATCH/status"
    assert_contains "1 refused (1 different)"
    assert_contains "reach a.test:80 (http)"
    refute_contains "refused to reach"
    grep -q '"event":"denied","kind":"network","host":"a.test","port":80,"protocol":"http"' "$SCRATCH/status" ||
        bawn_fail "not on the status descriptor"
    run bawn sandbox -q -- curl -s -o /dev/null http://a.test/
    assert_output ""
}

@test "bawn sandbox never asks; bawn run without anybody to ask refuses" {
    command -v curl >/dev/null || skip "no curl"
    profile <<'EOT'
domains = {}
EOT
    run as_user setsid -w "$BAWN" run -- curl -s http://a.test/ </dev/null
    assert_contains '"reason":"not_allowed"'
}

# ask ANSWER… -- CMD…: bawn run with an asker that gives these answers, one for each question.
ask() {
    as_user /usr/bin/python3 "$BATS_TEST_DIRNAME/network_ask.py" "$BAWN" "$@"
}

@test "asking: once, for the session, no, always, never" {
    command -v curl >/dev/null || skip "no curl"
    export BAWN_SESSION=$SCRATCH
    profile <<'EOT'
domains = {}
EOT
    run ask once once -- sh -c 'curl -s http://a.test/; curl -s http://a.test/'
    assert_contains "asked a.test:80 (http): once session remember no abort never"
    [ "$(grep -c "^asked" <<<"$output")" = 2 ] || bawn_fail "asked twice"
    refute_contains "which is no process"
    assert_contains '"reason":"dns_'
    run ask session -- sh -c 'curl -s http://a.test/; curl -s http://a.test/'
    assert_contains "left 0"
    run ask -- curl -s http://a.test/
    assert_contains "left 0"
    assert_contains '"reason":"dns_'
    # another port is another question, and a no holds
    run ask no -- sh -c 'curl -s http://a.test:81/; curl -s http://a.test:81/'
    assert_contains "left 0"
    run ask -- curl -s http://a.test:81/
    assert_contains '"reason":"answered_no"'
    run ask remember never -- sh -c 'curl -s http://b.test/; curl -s http://c.test/'
    [ "$(cat "$BAWN_HOME/rules/default.rules")" = \
        'network_rule(host = "b.test", protocol = "http", port = 80, decision = "allow")
network_rule(host = "c.test", protocol = "http", port = 80, decision = "forbidden")' ] || bawn_fail "the rules"
    export BAWN_SESSION=another
    run ask -- sh -c 'curl -s http://b.test/; curl -s http://c.test/'
    assert_contains '"reason":"dns_'
    assert_contains '"reason":"denied"'
    run bawn audit list --by user
    assert_contains "answered_no"
}

@test "what is denied, and what is not public, is never asked about" {
    command -v curl >/dev/null || skip "no curl"
    profile <<'EOT'
domains = { "evil.test" = "deny" }
EOT
    run ask -- sh -c 'curl -s http://evil.test/; curl -s http://10.0.0.1/; curl -s http://169.254.169.254/'
    assert_contains '"reason":"denied"'
    assert_contains '"reason":"not_allowed_local"'
    assert_contains "left 0"
    refute_contains "asked"
}

@test "an upstream proxy: shown without its password, or refused where bawn cannot go through it" {
    profile <<'EOT'
domains = {}
EOT
    HTTPS_PROXY=http://me:hidden@up.test:3128 no_proxy=x.test run bawn sandbox --explain -- true
    assert_contains "https through http://up.test:3128; straight to x.test"
    refute_contains "hidden@"
    ALL_PROXY=https://me:hidden@up.test run bawn sandbox --explain -- true
    assert_contains "all else through https://up.test"
    refute_contains "hidden@"
    ALL_PROXY=socks4://up.test:1 run bawn sandbox -- true
    assert_status 1
    assert_contains "ALL_PROXY names a proxy that bawn cannot go through: socks4"
    HTTP_PROXY=http://up.test:1 REQUEST_METHOD=GET run bawn sandbox --explain -- true
    refute_contains "up.test:1;"
    refute_contains "through http://up.test"
    printf 'allow_upstream_proxy = false\n' >>"$BAWN_HOME/config.toml"
    ALL_PROXY=socks4://up.test:1 run bawn sandbox --explain -- true
    assert_status 0
}

@test "--grant network: filtered where domains are listed" {
    printf 'default_permissions = "work"\n[permissions.work]\nextends = ":workspace"\n[permissions.work.network]\ndomains = { "a.test" = "allow" }\n' |
        write_config
    run bawn run --grant network --explain -- true
    assert_contains "network   filtered"
}

@test "asking on the terminal: the command waits, and goes on as it was" {
    command -v curl >/dev/null || skip "no curl"
    profile <<'EOT'
domains = {}
EOT
    # What it writes while the question stands comes after the answer; its terminal is raw again.
    run as_user "${PY:-/usr/bin/python3}" "$BATS_TEST_DIRNAME/pty.py" --size 24x100 \
        --expect begin --expect "may the running command reach this?" --expect "reach | a.test:80 (http)" \
        --expect "asks | /" --expect "/curl[" --expect "Your key" --sleep 0.3 --send n --expect answered_no --expect "again:" --tty raw --send 'x\n' --expect "got x" -- \
        "$BAWN" run -- sh -c 'echo begin; curl -s http://a.test/; curl -s http://a.test/ >/dev/null; printf again:; read -r l; echo "got $l"'
    assert_status 0
    assert_contains "[tty cooked]"
    assert_contains "refused to reach a.test:80 (http), 2 times: somebody was asked"
}

#!/usr/bin/env bats
# bawn explain --net HOST:PORT…: may it be reached, which line says so, what would allow it. Nothing is
# looked up and nothing is sent.
load helper

setup() { bawn_setup; }
teardown() { bawn_teardown; }

# A profile of one's own that is in force; its `network` table's lines come from standard input.
profile() {
    {
        printf 'default_permissions = "work"\n[permissions.work.network]\n'
        cat
    } | write_config
}

# answer DESTINATION FIELD: of `explain --net --json`.
answer() {
    local to=$1 field=$2
    run --separate-stderr bawn explain --json --net -- "$to"
    assert_status 0
    json_get "j[0]['$field']"
}

@test "off: denied, and what would allow it" {
    run --separate-stderr bawn explain -P :workspace --net example.com:443
    assert_status 0
    [ "${lines[0]}" = "network: off (profile :workspace)" ] || bawn_fail "first line"
    [ "${lines[1]}" = "example.com:443: deny (network_off: the network is off)" ] || bawn_fail "second line"
    assert_contains "-c sandbox_workspace_write.network_access=true"
    profile <<'EOT'
enabled = false
domains = { "example.com" = "allow" }
EOT
    run bawn explain --net example.com:443
    assert_contains "example.com:443: deny (network_off: the network is off, $BAWN_HOME/config.toml:3)"
    assert_contains "[permissions.work.network] enabled = true"
}

@test "open: everything, and it is said that nothing is filtered" {
    run bawn explain -P :workspace -c sandbox_workspace_write.network_access=true --net example.com:443
    assert_status 0
    assert_contains "network: open (profile :workspace, -c)"
    assert_contains "example.com:443: allow (open: the network is open, nothing is filtered, -c)"
    run bawn explain -q -s danger-full-access --net 127.0.0.1:22
    assert_contains "127.0.0.1:22: allow (open: "
}

@test "filtered: the rules' answers" {
    profile <<'EOT'
enabled = true
domains = { "**.example.com" = "allow", "evil.example.com" = "deny", "127.0.0.1:8080" = "allow" }
EOT
    run bawn explain --net www.example.com:443 evil.example.com:80 other.test:443
    assert_status 0
    assert_contains "network: filtered (profile work, $BAWN_HOME/config.toml:3)"
    assert_contains "www.example.com:443: allow (allowed: a rule allows it, **.example.com, $BAWN_HOME/config.toml:4)"
    assert_contains "evil.example.com:80: deny (denied: a rule denies it, evil.example.com, $BAWN_HOME/config.toml:4)"
    assert_contains "other.test:443: ask (ask_unknown: no rule names it)"
    run bawn explain -a never --net other.test:443
    assert_contains "other.test:443: deny (not_allowed: no rule allows it)"
    assert_contains '[permissions.work.network] domains: "other.test" = "allow"'
}

@test "an address in every spelling is that address" {
    profile <<'EOT'
enabled = true
domains = { "*" = "allow", "127.0.0.1:8080" = "allow", "8.8.8.8" = "deny" }
EOT
    for spelling in 127.0.0.1 127.1 0x7f.1 0177.0.0.1 2130706433 017700000001 0x7f000001. \
        '[::ffff:127.0.0.1]' '[::ffff:7f00:1]' '[64:ff9b::7f00:1]' '[2002:7f00:1::]'; do
        [ "$(answer "$spelling:8080" decision)" = allow ] || bawn_fail "$spelling:8080"
        [ "$(answer "$spelling:22" why)" = not_allowed_local ] || bawn_fail "$spelling:22"
    done
    for spelling in 8.8.8.8 0x8080808 010.8.8.8 134744072 '[::ffff:8.8.8.8]' '[64:ff9b::808:808]'; do
        [ "$(answer "$spelling:53" why)" = denied ] || bawn_fail "$spelling"
    done
    run bawn explain --net 0x7f.1:8080
    assert_contains "0x7f.1:8080 -> 127.0.0.1: allow"
}

@test "what is not public says what it is" {
    profile <<'EOT'
enabled = true
domains = { "*" = "allow" }
EOT
    run bawn explain --net 10.1.2.3:80 '[fe80::1]:80' 169.254.169.254:80 localhost:80 '[::ffff:c0a8:1]:80'
    assert_contains "10.1.2.3:80: deny (not_allowed_local: 10.1.2.3 is not public: private (RFC 1918))"
    assert_contains "link-local (RFC 4291)"
    assert_contains "cloud metadata"
    assert_contains "localhost is loopback"
    assert_contains "::ffff:192.168.0.1 is 192.168.0.1, not public: private (RFC 1918)"
    assert_contains 'domains: "10.1.2.3:80" = "allow"; or allow_local_binding = true for all that is private'
    run bawn explain -c permissions.work.network.allow_local_binding=true \
        --net 10.1.2.3:80 169.254.169.254:80
    assert_contains "10.1.2.3:80: allow"
    assert_contains "169.254.169.254:80: deny"
}

@test "JSON" {
    profile <<'EOT'
enabled = true
domains = { "**.example.com" = "allow" }
EOT
    run --separate-stderr bawn explain -a never --net --json A.example.com.:443 '[::ffff:10.0.0.1]:80' 'a%20b:1'
    assert_status 0
    [ "$(json_get 'len(j)')" = 3 ]
    [ "$(json_get '[j[0][k] for k in ("host","port","resolved","network","held","decision","why","rule","line","hint")]')" = \
        '["a.example.com", 443, null, "filtered", true, "allow", "allowed", "**.example.com", 4, null]' ]
    [ "$(json_get 'j[0]["file"]')" = "$BAWN_HOME/config.toml" ]
    [ "$(json_get '[j[1][k] for k in ("host","decision","why","class","rule","file","line")]')" = \
        '["::ffff:10.0.0.1", "deny", "not_allowed_local", "private", null, null, null]' ]
    [ "$(json_get '[j[2][k] for k in ("destination","host","port","decision","why")]')" = \
        '["a%20b:1", null, null, "deny", "bad_host"]' ]
    run --separate-stderr bawn explain -P :read-only --json --net example.com:443
    [ "$(json_get '[j[0][k] for k in ("network","held","decision","why")]')" = \
        '["off", true, "deny", "network_off"]' ]
}

@test "mistakes of the command line" {
    for to in example.com example.com: example.com:0 example.com:65536 example.com:http '[::1]' ''; do
        run bawn explain --net "$to"
        assert_status 2
    done
    run bawn explain --net
    assert_status 2
    assert_contains "no destination given"
    run bawn sandbox --net -- true
    assert_status 2
    assert_contains "belongs to bawn explain"
}

@test "hosts that are none are answered as they would be" {
    profile <<'EOT'
enabled = true
domains = { "*" = "allow" }
EOT
    for host in 'exa mple.com' '08.0.0.1' 1.2.3.4.5 example.1 '[127.0.0.1]' 'user@example.com' 'ex\ample' \
        $'new\nline' '☃.example' '-o.example' a..b; do
        [ "$(answer "$host:80" why)" = bad_host ] || bawn_fail "$host"
    done
    run bawn explain --net $'new\nline:80'
    [ "${#lines[@]}" -eq 2 ] || bawn_fail "a line was forged"
}

@test "a pattern that is none, or could never match, has its place" {
    profile <<'EOT'
enabled = true
domains = { "ok.test" = "allow", "api-*.test" = "allow" }
EOT
    run bawn explain --net ok.test:443
    assert_status 1
    assert_contains "config.toml:4:34: domains: \"api-*.test\""
    assert_contains "whole labels"
    for bad in 'https://a.test' 'a.test/x' 'a.test:0' 'a.test:9-1' '256.1.1.1' '10.0.0.0/33' '10.0.0.1/8' '10.0.0.0/8'; do
        run bawn explain -P :read-only --net ok.test:443
        assert_status 0 # a profile that is not in force
        printf 'default_permissions = "work"\n[permissions.work.network]\ndomains = { "%s" = "allow" }\n' "$bad" |
            write_config
        run bawn explain --net ok.test:443
        assert_status 1
        assert_contains "config.toml:3:13: domains: \"$bad\":"
    done
}

@test "network_rule lines of rules files" {
    profile <<'EOT'
enabled = true
domains = { "a.test" = "allow", "b.test" = "allow" }
EOT
    write_file "$BAWN_HOME/rules/default.rules" <<'EOT'
network_rule(host = "a.test", protocol = "https", decision = "forbidden", justification = "not that one")
network_rule(host = "b.test", protocol = "https", decision = "prompt")
network_rule(host = "**.c.test", protocol = "https", port = 443)
EOT
    run bawn explain --net a.test:443 a.test:80 b.test:443 x.c.test:443
    assert_status 0
    assert_contains "a.test:443: deny (denied: not that one, a.test, $BAWN_HOME/rules/default.rules:1)"
    assert_contains "a.test:80: allow (allowed: a rule allows it, a.test, $BAWN_HOME/config.toml:4)"
    assert_contains "b.test:443: ask (ask_rule: a rule wants it asked about, b.test, $BAWN_HOME/rules/default.rules:2)"
    assert_contains "x.c.test:443: allow (allowed: a rule allows it, **.c.test, $BAWN_HOME/rules/default.rules:3)"
    write_file "$BAWN_HOME/rules/default.rules" <<'EOT'
network_rule(host = "http://a.test", protocol = "https", decision = "allow")
EOT
    run bawn explain --net a.test:443
    assert_status 1
    assert_contains "rules/default.rules:1"
    assert_contains "a pattern has no scheme"
}

# ---- names outside ASCII ----

@test "unicode: patterns and destinations come to one form" {
    [ -x "$(dirname "$BAWN")/../proxy/bawn-proxy" ] || [ -x "$(dirname "$BAWN")/../libexec/bawn/bawn-proxy" ] || skip "bawn-proxy is not built"
    profile <<'EOT'
enabled = true
[permissions.work.network.domains]
"**.bücher.example" = "allow"
"xn--fa-hia.example:443" = "allow"
"ÉVIL.bücher.example" = "deny"
EOT
    [ "$(answer bücher.example:443 decision)" = allow ]
    [ "$(answer bücher.example:443 host)" = xn--bcher-kva.example ]
    [ "$(answer bücher.example:443 rule)" = "**.bücher.example" ]
    [ "$(answer A.BÜCHER.example:443 decision)" = allow ]
    [ "$(answer a.xn--bcher-kva.example:443 decision)" = allow ]
    [ "$(answer faß.example:443 decision)" = allow ] # not "fass": non-transitional
    [ "$(answer fass.example:443 decision)" = ask ]
    [ "$(answer xn--vil-9la.bücher.example:443 decision)" = deny ]
    [ "$(answer ☃.example:443 why)" = bad_host ]
    [ "$(answer １２７.0.0.1:443 why)" = bad_host ]
    run bawn explain --net bücher.example
    assert_status 2
}

@test "unicode: what has no ASCII form, and two keys that are one" {
    [ -x "$(dirname "$BAWN")/../proxy/bawn-proxy" ] || [ -x "$(dirname "$BAWN")/../libexec/bawn/bawn-proxy" ] || skip "bawn-proxy is not built"
    profile <<'EOT'
enabled = true
domains = { "☃.example" = "allow" }
EOT
    run bawn explain --net example.com:443
    assert_status 1
    assert_contains "config.toml:4:13: domains"
    assert_contains "the name has no ASCII form: "
    profile <<'EOT'
enabled = true
domains = { "bücher.example" = "allow", "XN--BCHER-KVA.example" = "deny" }
EOT
    run bawn explain --net example.com:443
    assert_status 1
    assert_contains "the same pattern is"
    profile <<'EOT'
enabled = true
requests = [{ host = "a_☃.example", decision = "allow" }]
EOT
    run bawn sandbox --explain -- true
    assert_status 1
    assert_contains "config.toml:4:22: network.requests"
    write_config <<<'default_permissions = ":workspace"'
    write_file "$BAWN_HOME/rules/a.rules" <<<'network_rule(host = "☃.example", protocol = "https", decision = "allow")'
    run bawn explain --net example.com:443
    assert_status 1
    assert_contains "a.rules:1"
    assert_contains "no ASCII form"
}

@test "unicode: without bawn-proxy such a pattern is an error that says so" {
    mkdir -p "$SCRATCH/alone/bin"
    cp "$BAWN" "$SCRATCH/alone/bin/bawn"
    profile <<'EOT'
enabled = true
domains = { "bücher.example" = "allow", "example.com" = "allow" }
EOT
    run as_user "$SCRATCH/alone/bin/bawn" explain --net example.com:443
    assert_status 1
    assert_contains "characters outside ASCII"
    assert_contains "bawn-proxy would convert it, but it is missing"
    sed -i 's/"bücher.example" = "allow", //' "$BAWN_HOME/config.toml"
    run as_user "$SCRATCH/alone/bin/bawn" explain --net example.com:443
    assert_status 0
}

#!/usr/bin/env bats
# Telemetry as far as configuration and the launcher go: what is wrong is said before the command
# runs, and nothing that goes wrong later is the command's business. (Delivery: tests/telemetry.)
load helper

setup() {
    bawn_setup
    unset "${!OTEL_@}" HTTPS_PROXY HTTP_PROXY ALL_PROXY https_proxy http_proxy all_proxy CI
    # By now it is in a tree that the ordinary user can read.
    EXPORTER=$(dirname "$BAWN")/../exporter/bawn-exporter
    [ -x "$EXPORTER" ] || EXPORTER=$(dirname "$BAWN")/../libexec/bawn/bawn-exporter
}

teardown() {
    # By its name: what $! says is a shell's where root starts it.
    [ -z "${COLLECTOR:-}" ] || pkill -f "otel_collector.py $TMPDIR/collector" || true
    bawn_teardown
}

needs_exporter() {
    [ -x "$EXPORTER" ] || bawn_fail "bawn-exporter is not built"
}

# A collector that answers with STATUS (200); its address is $URL.
collector() {
    as_user mkdir "$TMPDIR/collector"
    # Not bats' descriptors: it waits for whoever has them.
    as_user /usr/bin/python3 "$BATS_TEST_DIRNAME/otel_collector.py" \
        "$TMPDIR/collector" "${1:-200}" 3>&- &
    COLLECTOR=$!
    until [ -e "$TMPDIR/collector/port" ]; do
        kill -0 "$COLLECTOR" || bawn_fail "the collector ended"
        sleep 0.05
    done
    URL=http://127.0.0.1:$(cat "$TMPDIR/collector/port")
}

# What is said for the user's file with these lines: nothing runs, and where the mistake is.
broken() {
    local place=$1 says=$2 command
    write_config
    for command in sandbox run; do
        run -1 bawn "$command" -- touch ran
        assert_contains "config.toml:$place: $says"
        [ ! -e ran ] || bawn_fail "bawn $command ran it"
    done
    run -1 bawn doctor
    assert_contains "FAIL telemetry"
    run -1 bawn doctor --otel
    assert_contains "config.toml:$place: $says"
    run -1 bawn config check
    assert_contains "config.toml:$place: $says"
}

# Everything in the spools.
spooled() {
    cat "$BAWN_HOME"/telemetry/*/*.spool
}

@test "off: nothing is made, and a variable alone turns nothing on" {
    export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1
    run -0 bawn sandbox -- true
    run -0 bawn run -- true
    [ -z "$output" ] || bawn_fail "something is said"
    [ ! -e "$BAWN_HOME/telemetry" ] || bawn_fail "a spool was made"
    run bawn doctor
    assert_contains "ok   telemetry off"
    run -1 bawn doctor --otel
    assert_contains "FAIL telemetry off: no exporter is configured"
}

@test "a header whose variable is missing" {
    broken 2:21 'otel.exporter.otlp-http.headers: there is no variable NOWHERE_TO_BE' <<'EOT'
[otel.exporter.otlp-http]
headers = { x-key = "${NOWHERE_TO_BE}" }
EOT
}

@test "half a pair, and a file that cannot be read" {
    broken 3:30 'otel.exporter.otlp-grpc.tls.client-certificate: there is no private key' <<'EOT'
[otel.exporter.otlp-grpc]
endpoint = "https://c.test"
tls = { client-certificate = "c.pem" }
EOT
    local key=otel.exporter.otlp-grpc.tls.ca-certificate
    broken 3:27 "$key: $BAWN_HOME/ca.pem cannot be read" <<'EOT'
[otel.exporter.otlp-grpc]
endpoint = "https://c.test"
tls = { ca-certificate =  "ca.pem" }
EOT
}

@test "an endpoint that is none is found in the file, and not written by config set" {
    write_config <<'EOT'
[otel.exporter.otlp-http]
endpoint = "ftp://c.test"
EOT
    run -1 bawn config check "$BAWN_HOME/config.toml"
    assert_contains "config.toml:2:12: otel.exporter.otlp-http.endpoint: the scheme is not known"
    run -1 bawn run -- touch ran
    [ ! -e ran ] || bawn_fail "it ran"
    write_config <<<'[otel]'
    run bawn config set otel.exporter.otlp-http.endpoint c.test
    [ "$status" -ne 0 ] || bawn_fail "it was written"
    run -0 bawn config set otel.exporter.otlp-http.endpoint https://c.test
    run -0 bawn config get otel.exporter.otlp-http.endpoint
    assert_output https://c.test
}

@test "no exporter: the command runs, the records wait, one line says so" {
    mkdir -p "$SCRATCH/alone/bin"
    cp "$BAWN" "$SCRATCH/alone/bin/bawn"
    chmod -R a+rX "$SCRATCH/alone"
    BAWN=$SCRATCH/alone/bin/bawn
    write_config <<<'otel.exporter = "otlp-http"'
    run -7 --separate-stderr bawn sandbox -- sh -c 'echo out; exit 7'
    assert_output out
    [ "$(grep -c . <<<"$stderr")" = 1 ] || bawn_fail "not one line"
    [[ $stderr == "bawn: warning: telemetry: records wait, and "*"/bawn-exporter is missing" ]] ||
        bawn_fail "the line"
    spooled | grep -q bawn.sandbox_outcome || bawn_fail "nothing waits"
    run -7 --separate-stderr bawn sandbox -q -- sh -c 'exit 7'
    [ -z "$stderr" ] || bawn_fail "-q"
    run -1 bawn doctor --otel
    assert_contains "bawn-exporter is missing"
}

@test "an exporter that does not start says why, and nobody waits for it" {
    mkdir -p "$SCRATCH/alone/bin" "$SCRATCH/alone/libexec/bawn"
    cp "$BAWN" "$SCRATCH/alone/bin/bawn"
    printf '#!/nowhere\n' >"$SCRATCH/alone/libexec/bawn/bawn-exporter"
    chmod -R a+rX "$SCRATCH/alone"
    chmod a+x "$SCRATCH/alone/libexec/bawn/bawn-exporter"
    BAWN=$SCRATCH/alone/bin/bawn
    write_config <<<'otel.exporter = "otlp-http"'
    run -7 bawn sandbox -- sh -c 'exit 7'
    run -1 bawn doctor --otel
    assert_contains "records wait: bawn-exporter ended: cannot be executed: "
}

@test "no collector: the command runs without a word; doctor says what is refused" {
    needs_exporter
    write_config <<'EOT'
[otel.exporter.otlp-http]
endpoint = "http://127.0.0.1:1"
headers = { x-key = "${CANARY}" }
EOT
    export CANARY=d41d8cd98f00b204
    run -7 --separate-stderr bawn sandbox -- sh -c 'exit 7'
    [ -z "$stderr" ] || bawn_fail "something is said"
    run -1 bawn doctor --otel
    assert_contains "FAIL logs      not taken"
    assert_contains "connect"
    assert_contains "endpoint     http://127.0.0.1:1/v1/logs ($BAWN_HOME/config.toml:2)"
    assert_contains "headers      x-key ($BAWN_HOME/config.toml:3)"
    [[ $output != *"spool        0 bytes wait"* ]] || bawn_fail "nothing waits"
    refute_contains "$CANARY"
    run -1 --separate-stderr bawn doctor --otel --json
    [ "$(json_get 'j["ok"]')" = False ]
    [ "$(json_get 'j["signals"][0]["state"]')" = waits ]
    [ "$(json_get 'j["signals"][0]["waiting_bytes"] > 0')" = True ]
    [ "$(json_get 'j["signals"][0]["headers"]')" = '["x-key"]' ]
    [ "$(json_get 'j["signals"][0]["from"]["headers"].endswith("/config.toml:3")')" = True ]
    refute_contains "$CANARY"
    ! grep -rq "$CANARY" "$BAWN_HOME/telemetry" || bawn_fail "a header is on the disk"
}

@test "a collector takes it, with the header; what waited goes with it" {
    needs_exporter
    collector
    write_config <<EOT
[otel]
metrics_exporter = { otlp-http = { endpoint = "$URL/m" } }
[otel.exporter.otlp-http]
endpoint = "$URL"
headers = { X-Key = "k" }
EOT
    run -0 bawn sandbox -- true
    run -0 --separate-stderr bawn doctor --otel --json
    [ "$(json_get '[s["state"] for s in j["signals"]]')" = '["sent", "sent"]' ]
    [ "$(json_get '[s["http_status"] for s in j["signals"]]')" = '[200, 200]' ]
    [ "$(json_get '[s["waiting_bytes"] for s in j["signals"]]')" = '[0, 0]' ]
    grep -q '^/v1/logs .*x-key.* [1-9]' "$TMPDIR/collector/requests"
    grep -q '^/m ' "$TMPDIR/collector/requests"
}

@test "a collector that refuses: what it says, and what to do" {
    needs_exporter
    collector 403
    write_config <<<"otel.exporter.otlp-http.endpoint = \"$URL\""
    run -1 bawn doctor --otel
    assert_contains "HTTP status 403"
    assert_contains "fix: the collector wants other headers"
}

@test "the command sees nothing of it" {
    write_config <<<'otel.exporter = "otlp-http"'
    run bawn sandbox -- ls -A "$BAWN_HOME/telemetry"
    [ "$status" -ne 0 ] || bawn_fail "it can look"
    [ -n "$(ls -A "$BAWN_HOME/telemetry")" ] || bawn_fail "nothing is there to see"
}

@test "OTEL_SDK_DISABLED, and a variable that is wrong" {
    write_config <<<'otel.exporter = "otlp-http"'
    export OTEL_SDK_DISABLED=true
    run -0 bawn sandbox -- true
    [ ! -e "$BAWN_HOME/telemetry" ] || bawn_fail "a spool was made"
    run -1 bawn doctor --otel
    assert_contains "off: OTEL_SDK_DISABLED"
    unset OTEL_SDK_DISABLED
    export OTEL_EXPORTER_OTLP_TIMEOUT=soon
    run -1 bawn sandbox -- touch ran
    assert_contains "OTEL_EXPORTER_OTLP_TIMEOUT: that is no such number"
    [ ! -e ran ] || bawn_fail "it ran"
}

@test "a directory that is not ours alone is not used" {
    write_config <<<'otel.exporter = "otlp-http"'
    as_user mkdir -m 755 "$BAWN_HOME/telemetry"
    run -0 --separate-stderr bawn sandbox -- true
    [[ $stderr == "bawn: warning: telemetry is off: "*" cannot be made, or is not yours"* ]] ||
        bawn_fail "what is said"
    [ -z "$(ls -A "$BAWN_HOME/telemetry")" ] || bawn_fail "something was made"
}

@test "a project's file changes nothing" {
    make_repo
    write_file "$WORK/.bawn/config.toml" <<<'otel.exporter = "otlp-http"'
    run -0 bawn trust
    run -0 bawn sandbox -- true
    assert_contains "otel.exporter: ignored: a project's file cannot set it"
    [ ! -e "$BAWN_HOME/telemetry" ] || bawn_fail "a spool was made"
}

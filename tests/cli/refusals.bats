#!/usr/bin/env bats
# What was refused, and the line that would allow it: each refusal is provoked, its line is applied as it was
# printed, and the same command then works.

# shellcheck disable=SC2154 # bats sets stderr and output
load helper

setup() {
    bawn_setup
    make_repo
    sandbox=(sandbox -s workspace-write -c 'sandbox_backend="bundled"')
}
teardown() { bawn_teardown; }

# refused CMD…: runs with the log; the summary is in $stderr.
refused() {
    run --separate-stderr bawn "${sandbox[@]}" --log-denials -- "$@"
}
# The line behind "allowed by".
allowed_by() { sed -n 's/^bawn: *allowed by *//p' <<<"$stderr" | head -n 1; }

@test "a write outside: the line adds the root, and then it works" {
    as_user mkdir "$SCRATCH/out"
    refused touch "$SCRATCH/out/f"
    [ "$status" -ne 0 ]
    assert_contains "write $SCRATCH/out/f by touch["
    line=$(allowed_by)
    [ "$line" = "sandbox_workspace_write.writable_roots = [\"$SCRATCH/out\"]" ] || bawn_fail "line: $line"
    run bawn "${sandbox[@]}" -c "${line// = /=}" -- touch "$SCRATCH/out/f"
    assert_status 0
    [ -e "$SCRATCH/out/f" ]
}

@test "read-only mode: the flag that was named lets it write" {
    sandbox=(sandbox -s read-only -c 'sandbox_backend="bundled"')
    refused touch "$WORK/f"
    assert_contains "write $WORK/f"
    [ "$(allowed_by)" = "--sandbox workspace-write" ] || bawn_fail "line"
    run bawn sandbox --sandbox workspace-write -- touch "$WORK/f"
    assert_status 0
}

@test "a protected name: the entry that was named lifts it" {
    refused sh -c 'echo x > .git/new; mkdir .codex'
    assert_contains "write $WORK/.git/new"
    assert_contains "refused by .git = \"read\""
    assert_contains "write $WORK/.codex by mkdir["
    line=$(grep -o "\"$WORK/.git\" = \"write\"" <<<"$stderr" | head -n 1)
    [ -n "$line" ] || bawn_fail "no line"
    write_config <<TOML
default_permissions = "p"
[permissions.p]
extends = ":workspace"
[permissions.p.filesystem]
$line
TOML
    run bawn sandbox -P p -- sh -c 'echo x > .git/new'
    assert_status 0
    [ -s .git/new ]
}

@test "a masked file: the summary names the line of the file, and changing it opens it" {
    printf 'key\n' | as_user tee secret.env >/dev/null
    write_config <<'TOML'
default_permissions = "p"
[permissions.p]
extends = ":workspace"
[permissions.p.filesystem]
":workspace_roots" = { "**/*.env" = "none" }
TOML
    sandbox=(sandbox -P p)
    refused cat secret.env
    [ "$status" -ne 0 ]
    assert_contains "read $WORK/secret.env by cat["
    assert_contains "$BAWN_HOME/config.toml:5"
    as_user sed -i 's/"none"/"read"/; s/\*\*\/\*\.env/secret.env/' "$BAWN_HOME/config.toml"
    run bawn sandbox -P p -- cat secret.env
    assert_output key
}

@test "below a masked directory: the file that was looked for is named, and the directory's line" {
    as_user mkdir -p "$HOME/.keys/deep"
    printf 'key\n' | as_user tee "$HOME/.keys/id" "$HOME/.keys/deep/id" >/dev/null
    # With a glob the supervisor answers opens, without one it only looks on: both have to tell.
    for globs in '' '":workspace_roots" = { "**/*.env" = "none" }'; do
        write_config <<TOML
[permissions.p]
extends = ":workspace"
[permissions.p.filesystem]
"~/.keys" = "none"
$globs
TOML
        sandbox=(sandbox -P p)
        refused sh -c 'cat "$HOME/.keys/id"; cat "$HOME/.keys/deep/../deep/id" "$HOME/.keys/deep/id"; echo x >>"$HOME/.keys/id"'
        [ "$status" -ne 0 ]
        [ "$output" != key ] || bawn_fail "read"
        assert_contains "read $HOME/.keys/id by cat["
        assert_contains "read $HOME/.keys/deep/id by cat["
        assert_contains "write $HOME/.keys/id by "
        [ "$(allowed_by)" = "$BAWN_HOME/config.toml:4  \"read\" instead of \"none\"" ] || bawn_fail "line"
    done
    # Nothing there and no mask: not found is not refused.
    refused cat "$WORK/none" "$WORK/none/id" "$HOME/none/id"
    assert_contains "nothing was refused"
}

@test "a file that comes to match a mask later stays shut" {
    write_config <<'TOML'
default_permissions = "p"
[permissions.p]
extends = ":workspace"
[permissions.p.filesystem]
":workspace_roots" = { "**/*.env" = "none" }
TOML
    run --separate-stderr bawn sandbox -P p --log-denials -- sh -c "
        echo go > go; for i in \$(seq 200); do [ -e late.env ] && break; sleep 0.02; done; cat late.env" 3>&- &
    job=$!
    for _ in $(seq 200); do [ -e go ] && break; sleep 0.02; done
    printf 'late\n' | as_user tee late.tmp >/dev/null
    as_user mv late.tmp late.env
    wait "$job"
    run --separate-stderr bawn sandbox -P p -- cat late.env
    refute_contains late$'\n'
    [ "$status" -ne 0 ]
}

@test "a restricted profile: what it leaves out is named" {
    printf 'x\n' | as_user tee "$SCRATCH/hidden" >/dev/null
    write_config <<'TOML'
default_permissions = "p"
[permissions.p.filesystem]
":minimal" = "read"
":workspace_roots" = "write"
TOML
    sandbox=(sandbox -P p)
    refused cat "$SCRATCH/hidden"
    [ "$status" -ne 0 ]
    assert_contains "read $SCRATCH/hidden by cat["
    line=$(allowed_by)
    [ "$line" = "[permissions.p.filesystem]  \"$SCRATCH/hidden\" = \"read\"" ] || bawn_fail "line: $line"
    printf '%s\n' "${line#*]  }" | as_user tee -a "$BAWN_HOME/config.toml" >/dev/null
    run bawn sandbox -P p -- cat "$SCRATCH/hidden"
    assert_output x
}

@test "the network: a TCP connect and a Unix socket of the host" {
    refused python3 -c 'import socket
try: socket.create_connection(("192.0.2.1", 80), 2)
except OSError as e: print("no")'
    assert_output no
    assert_contains "connect to 192.0.2.1:80 by python3"
    [ "$(allowed_by)" = "sandbox_workspace_write.network_access = true" ] || bawn_fail "line"

    as_user /usr/bin/python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); time.sleep(6)' "$SCRATCH/s" >/dev/null 2>&1 3>&- &
    for _ in $(seq 100); do [ -S "$SCRATCH/s" ] && break; sleep 0.02; done
    client='import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])'
    refused python3 -c "$client" "$SCRATCH/s"
    [ "$status" -ne 0 ]
    line=$(allowed_by)
    [ "$line" = "allow_unix_sockets = [\"$SCRATCH/s\"]" ] || bawn_fail "line: $line"
    run bawn "${sandbox[@]}" -c "${line// = /=}" -- python3 -c "$client" "$SCRATCH/s"
    assert_status 0
}

@test "system calls: named, with the switch where there is one" {
    refused unshare -U true
    assert_contains "call unshare by unshare["
    [ "$(allowed_by)" = "allow_nested_userns = true" ] || bawn_fail "line"
    run bawn "${sandbox[@]}" -c allow_nested_userns=true -- unshare -U true
    assert_status 0
}

@test "limits: the one that was met is named" {
    run --separate-stderr bawn "${sandbox[@]}" -c limits.wall_seconds=0.3 --log-denials -- sleep 20
    assert_status 124
    assert_contains "limit wall_seconds"
    run --separate-stderr bawn "${sandbox[@]}" -c limits.file_size=4096 --log-denials -- \
        dd if=/dev/zero of=big bs=8192 count=1 status=none
    assert_status $((128 + 25))
    assert_contains "limit file_size"
    run --separate-stderr bawn "${sandbox[@]}" -c limits.cpu_seconds=1 --log-denials -- sh -c 'while :; do :; done'
    assert_status $((128 + 24))
    assert_contains "limit cpu_seconds"
}

@test "ordinary work is not reported, and nothing about it changes" {
    printf 'int main(void) { return 3; }\n' | as_user tee m.c >/dev/null
    work='cc -o m m.c && ./m; echo "status $?"; ls / >/dev/null; echo x >/dev/null; python3 -c "print(1)"; mkdir -p d; rm -r d'
    run --separate-stderr bawn "${sandbox[@]}" -- sh -c "$work"
    plain=$output
    refused sh -c "$work"
    [ "$output" = "$plain" ] || bawn_fail "differs"
    [ "$stderr" = "bawn: nothing was refused" ] || bawn_fail "reported"
}

@test "--status-fd: one object a line, in order" {
    run --separate-stderr bash -c '"$@" 3>"$0"; echo "status $?"' "$SCRATCH/status" \
        setpriv --reuid="$(id -u "$BAWN_TEST_USER")" --regid="$(id -g "$BAWN_TEST_USER")" --clear-groups -- \
        "$BAWN" "${sandbox[@]}" --log-denials --status-fd 3 -- sh -c 'touch /etc/x; exit 7'
    assert_contains "status 7"
    python3 - "$SCRATCH/status" <<'PY'
import json, sys
events = [json.loads(line) for line in open(sys.argv[1])]
assert [e["event"] for e in events] == ["started", "denied", "exited"], events
assert events[0]["pid"] > 1
d = events[1]
assert d["kind"] == "file" and d["path"] == "/etc/x" and d["access"] == "write" and d["rule"] and d["hint"]
assert d["process"]["exe"].endswith("touch")
x = events[2]
assert x["status"] == 7 and x["signal"] is None and x["wall_ms"] >= 0 and x["max_rss_kib"] > 0
PY
}

@test "bawn denials tells it again" {
    refused touch /etc/again
    run bawn denials
    assert_status 0
    assert_contains "/etc/again"
    run bawn denials --json --last 1
    [ "$(json_get 'j["path"]')" = /etc/again ]
}

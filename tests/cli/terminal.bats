#!/usr/bin/env bats
# bawn sandbox on a terminal: a pseudo-terminal of its own, and the person's one given back.

load helper

setup() { bawn_setup; }
teardown() { bawn_teardown; }

# The system's Python: one that lies in root's home cannot be run as the ordinary user.
pty() {
    local python=/usr/bin/python3
    [ -x "$python" ] || python=python3
    as_user "$python" "$BATS_TEST_DIRNAME/pty.py" "$@"
}

@test "the command has a terminal of its own, with the same size and settings" {
    run -0 pty --size 33x101 -- "$BAWN" sandbox -- sh -c 'test -t 0 && test -t 1 && test -t 2 && stty size && tty'
    assert_contains "33 101"
    assert_contains "/dev/pts/"
    assert_contains "[exit 0] [tty cooked]"
}

@test "typing, echo once, end of file" {
    run -0 pty --expect ready --tty raw --send 'hello\r' --expect 'got hello' --key ^D \
        -- "$BAWN" sandbox -- sh -c 'echo ready; read x; echo "got $x"; cat; echo end'
    [ "$(grep -c hello <<<"$output")" -eq 2 ] || bawn_fail "echoed twice"
    assert_contains "end"
}

@test "exit status, and the terminal cooked again" {
    run -5 pty -- "$BAWN" sandbox -- sh -c 'stty raw -echo; exit 5'
    assert_contains "[exit 5] [tty cooked]"
    run -137 pty -- "$BAWN" sandbox -- sh -c 'stty raw -echo; kill -9 $$'
    assert_contains "[tty cooked]"
}

@test "a new size reaches the command" {
    run -0 pty --expect ready --resize 41x123 --expect '41 123' \
        -- "$BAWN" sandbox -- sh -c 'trap "stty size; exit 0" WINCH; echo ready; while :; do sleep 0.05; done'
}

@test "^C reaches the command and only it" {
    run -4 pty --expect ready --key ^C \
        -- "$BAWN" sandbox -- sh -c 'trap "echo caught; exit 4" INT; echo ready; while :; do sleep 0.05; done'
    assert_contains "caught"
    assert_contains "[exit 4] [tty cooked]"
}

@test "^Z stops, fg goes on" {
    run -0 pty --expect ready --key ^Z --stopped --tty cooked --fg --tty raw --send 'x\r' --expect 'done x' \
        -- "$BAWN" sandbox -- sh -c 'echo ready; read x; echo "done $x"'
    assert_contains "[exit 0] [tty cooked]"
}

@test "killed by TERM: the terminal is cooked" {
    run pty --expect ready --tty raw --signal TERM -- "$BAWN" sandbox -- sh -c 'echo ready; exec sleep 20'
    [ "$status" -eq 143 ] || bawn_fail "status"
    assert_contains "[tty cooked]"
}

@test "the terminal hangs up: the command ends" {
    run pty --expect ready --hangup --timeout 10 -- "$BAWN" sandbox -- sh -c 'echo ready; exec sleep 50'
    [ "$status" -ne 98 ] || bawn_fail "it went on"
}

@test "nothing is lost" {
    pty --timeout 60 -- "$BAWN" sandbox -- seq 200000 >"$TMPDIR/got"
    run -0 bash -c 'tr -d "\r" <"$1" | head -n 200000 | md5sum' _ "$TMPDIR/got"
    local got=$output
    run -0 bash -c 'seq 200000 | md5sum'
    assert_output "$got"
}

@test "in the background it does not touch the terminal" {
    run -0 pty --background --expect out --tty cooked --fg --send 'y\r' --expect 'read y' \
        -- "$BAWN" sandbox -- sh -c 'echo out; read x; echo "read $x"'
    assert_contains "[exit 0] [tty cooked]"
}

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

@test "a terminal on stdout alone is not the command's to command" {
    # shellcheck disable=SC2016 # the inner shells expand
    run -0 pty -- sh -c 'exec "$0" sandbox -- sh -c "$1" </dev/null' "$BAWN" '
        test -t 1 && test -t 2 && ! test -t 0 && echo "terminals 1 2"
        read -r _ _ _ _ _ _ number _ </proc/self/stat; echo "controlling $number"
        (: </dev/tty) 2>/dev/null || echo "no /dev/tty"
        /usr/bin/python3 -c "
import fcntl
for fd in (1, 2):
    for request in (0x5412, 0x541c):
        try: fcntl.ioctl(fd, request, b\"\\x02\" * 16); print(\"went through\")
        except PermissionError: print(\"refused\", fd, hex(request))"'
    assert_contains "terminals 1 2"
    assert_contains "controlling 0"
    assert_contains "no /dev/tty"
    refute_contains "went through"
    [ "$(grep -c '^refused' <<<"$output")" -eq 4 ] || bawn_fail "ioctls"
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

@test "^Z stops by the terminal's own signal, as often as it is typed" {
    run -0 pty --expect ready --key ^Z --stopped-by TSTP --fg --tty raw --key ^Z --stopped-by TSTP --tty cooked \
        --fg --tty raw --send 'x\r' --expect 'done x' -- "$BAWN" sandbox -- sh -c 'echo ready; read x; echo "done $x"'
}

@test "^Z stops the whole job: a pipeline, a script" {
    run -0 pty --expect ready --tty raw --key ^Z --stopped-by TSTP --tty cooked --fg --tty raw --send 'x\r' \
        --expect 'done x' -- sh -c '"$0" sandbox -- sh -c "echo ready; read x; echo \"done \$x\"" | cat' "$BAWN"
    assert_contains "[exit 0] [tty cooked]"
}

@test "a command that stops itself stops bawn in the same way, and nobody else" {
    for sig in STOP TSTP; do
        # shellcheck disable=SC2016 # the inner shells expand
        run -0 pty --expect ready --expect alone --expect resumed --expect 'status 3' -- sh -c '
            "$0" sandbox -- sh -c "echo ready; kill -$1 \$\$; echo resumed; exit 3" </dev/tty &
            while ! grep -q "^State:.T" /proc/$!/status; do sleep 0.02; done
            echo alone; kill -CONT $!; wait $!; echo "status $?"' "$BAWN" "$sig"
        run -0 pty --stopped-by "$sig" --fg --expect resumed -- "$BAWN" sandbox -- sh -c "kill -$sig \$\$; echo resumed"
    done
}

@test "TSTP is passed on: bawn stops when the command does, also without a terminal on stdin" {
    run -0 pty --expect ready --signal-one TSTP --stopped-by TSTP --tty cooked --fg --tty raw --send 'x\r' \
        --expect 'done x' -- "$BAWN" sandbox -- sh -c 'echo ready; read x; echo "done $x"'
    # Not a shell that starts others: one that is stopped between fork and exec holds its parent in the kernel.
    run -4 pty --expect ready --signal-one TSTP --stopped-by TSTP --fg --expect 'went on' \
        -- sh -c 'exec "$0" sandbox -- /usr/bin/python3 -c "$1" </dev/null' "$BAWN" 'import os, signal
signal.signal(signal.SIGCONT, lambda *_: (os.write(1, b"went on\n"), os._exit(4)))
os.write(1, b"ready\n")
while True: signal.pause()'
    # One that handles it is not stopped, and nor is bawn.
    run -5 pty --expect ready --signal-one TSTP --expect handled \
        -- "$BAWN" sandbox -- sh -c 'trap "echo handled; exit 5" TSTP; echo ready; while :; do :; done'
}

@test "where nobody could continue it, a stop by ^Z or TSTP comes to nothing, as without bawn" {
    # shellcheck disable=SC2016 # the inner shell expands
    run -3 as_user timeout 20 /usr/bin/python3 -c 'import os, pty, sys
os._exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))' "$BAWN" sandbox -- sh -c 'kill -TSTP $$; echo resumed; exit 3'
    assert_contains resumed
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

#!/usr/bin/env bats
# A command under bawn from its start to its end: descriptors, arguments, odd places, signals, what is left.

# shellcheck disable=SC2154 # bats sets stderr and output
load helper

setup() {
    bawn_setup
    sandbox=(sandbox -s workspace-write -c 'sandbox_backend="bundled"')
}
teardown() { bawn_teardown; }

# start CMD…: in the background, as the ordinary user; $pid is the program itself.
start() {
    if [ "$(id -u)" -eq 0 ]; then
        setpriv --reuid="$BAWN_TEST_UID" --regid="$BAWN_TEST_GID" --clear-groups -- "$@" 3>&- &
    else
        "$@" 3>&- &
    fi
    pid=$!
}

# leftovers: what bawn may have left in the workspace, in /tmp, and of processes.
leftovers() {
    find "$WORK" -mindepth 1 -maxdepth 1 -name '.*'
    find /tmp -maxdepth 1 -user "$BAWN_TEST_USER" -name '.*'
    find "$BAWN_HOME/state/placeholders" -type f 2>/dev/null
    pgrep -u "$BAWN_TEST_USER" -f "$SCRATCH/mark" || true
}

@test "bytes pass through as they are" {
    as_user dd if=/dev/urandom of="$WORK/in" bs=64k count=40 status=none
    as_user sh -c '"$@" <in >out' sh "$BAWN" "${sandbox[@]}" -- cat
    cmp in out
    as_user sh -c 'cat in | "$@" | cat >out2' sh "$BAWN" "${sandbox[@]}" -- cat
    cmp in out2
}

@test "stdout and stderr stay apart" {
    run --separate-stderr bawn "${sandbox[@]}" -- sh -c 'echo out; echo err >&2'
    [ "$output" = out ] && [ "$stderr" = err ] || bawn_fail "mixed"
}

@test "a shell goes on reading its input where the command stopped" {
    printf 'a\nb\nc\n' | as_user tee in >/dev/null
    run as_user sh -c '{ "$@"; cat; } <in' sh "$BAWN" "${sandbox[@]}" -- dd bs=2 count=1 status=none
    assert_output $'a\nb\nc'
}

@test "30,000 arguments" {
    run as_user sh -c 'b=$1; shift; "$b" "$@" $(seq 30000) | tail -n 1' sh "$BAWN" "${sandbox[@]}" -- printf '%s\n'
    assert_output 30000
}

@test "odd directories" {
    for d in 'with space' $'new\nline' $'\xff\xfe' "quote'\"" '-dash' '$x'; do
        as_user mkdir -p -- "./$d"
        run as_user sh -c 'cd -- "$0" && "$@"' "./$d" "$BAWN" "${sandbox[@]}" -- sh -c 'echo in >f && cat f'
        assert_output in
    done
    for d in / "$HOME"; do
        run as_user sh -c 'cd "$0" && "$@"' "$d" "$BAWN" "${sandbox[@]}" -- pwd
        [ "$status" -eq 0 ] && [ "$output" = "$d" ] || bawn_fail "in $d"
    done
}

@test "without HOME, without PATH, without anything" {
    run as_user env -u HOME "$BAWN" "${sandbox[@]}" -- echo yes
    assert_contains yes
    run as_user env -u PATH "$BAWN" "${sandbox[@]}" -- /bin/echo yes
    assert_contains yes
    run as_user env -i BAWN_HOME="$BAWN_HOME" "$BAWN" "${sandbox[@]}" -- echo yes
    assert_contains yes
}

@test "descriptors: only 0, 1, 2 and those passed on" {
    run as_user bash -c 'exec 7</etc/passwd 8</etc/passwd; "$@"' bash "$BAWN" "${sandbox[@]}" --pass-fd 7 -- \
        sh -c 'ls /proc/self/fd | tr "\n" " "'
    # 3 is the directory ls reads
    [ "$output" = "0 1 2 3 7 " ] || bawn_fail "descriptors"
    run as_user bash -c '"$@" </' bash "$BAWN" "${sandbox[@]}" -- true
    assert_status 125
    assert_contains "descriptor 0 is a directory"
    run as_user /usr/bin/python3 -c 'import socket, subprocess, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sys.exit(subprocess.run(sys.argv[1:], stdin=s).returncode)' "$BAWN" "${sandbox[@]}" -- true
    assert_status 125
    assert_contains "descriptor 0 is a network socket"
}

@test "a directory that is passed on is the sandbox's own view of it" {
    as_user mkdir -p "$SCRATCH/out/d" "$WORK/in"
    as_user sh -c 'echo read me >"$0/f"' "$SCRATCH/out/d"
    at='import os, sys
for name in sys.argv[1:]:
    try: os.close(os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=3)); print("made", name)
    except OSError as e: print(os.strerror(e.errno))
print(sorted(os.listdir(3)))'
    run as_user bash -c 'exec 3<"$0"; "$@"' "$SCRATCH/out/d" "$BAWN" "${sandbox[@]}" --pass-fd 3 -- \
        /usr/bin/python3 -c "$at" new ../new
    assert_output $'Read-only file system\nRead-only file system\n[\'f\']'
    [ ! -e "$SCRATCH/out/d/new" ] && [ ! -e "$SCRATCH/out/new" ] || bawn_fail "got out"
    run as_user bash -c 'exec 3<"$0"; "$@"' "$WORK/in" "$BAWN" "${sandbox[@]}" --pass-fd 3 -- \
        /usr/bin/python3 -c "$at" new ../new
    assert_output $'made new\nmade ../new\n[\'new\']'
    # What the sandbox does not show at all is not passed in.
    write_config <<TOML
[permissions.p]
extends = ":workspace"
[permissions.p.filesystem]
"$SCRATCH/out" = "none"
TOML
    run as_user bash -c 'exec 3<"$0"; "$@"' "$SCRATCH/out/d" "$BAWN" sandbox -P p --pass-fd 3 -- echo ran
    assert_status 125
    [ "${#lines[@]}" -eq 1 ] || bawn_fail "one line"
    assert_contains "bawn: descriptor 3 is a directory that the sandbox does not show"
}

@test "umask and the limit of open files are kept" {
    run as_user bash -c 'umask 027; ulimit -n 321; "$@"' bash "$BAWN" "${sandbox[@]}" -- sh -c 'umask; ulimit -n'
    assert_output $'0027\n321'
}

@test "signals arrive" {
    for sig in TERM HUP USR1; do
        start "$BAWN" "${sandbox[@]}" -- sh -c "trap 'echo $sig >got; exit 9' $sig; echo x >ready; while :; do sleep 0.02; done"
        for _ in $(seq 300); do [ -e ready ] && break; sleep 0.02; done
        kill -s "$sig" "$pid"
        status=0
        wait "$pid" || status=$?
        [ "$status" -eq 9 ] && [ "$(cat got)" = "$sig" ] || bawn_fail "$sig: $status"
        rm -f ready got
    done
}

# signalled TEXT SIGNAL…: starts a command (TEXT makes `ready`, and `heard` when it heard a signal), sends bawn the
# first when it is ready and the next when one was heard or all is over; $status is what bawn ends with.
signalled() {
    local text=$1 sig
    shift
    rm -f ready heard
    start env --default-signal=INT,QUIT "$BAWN" "${sandbox[@]}" -- sh -c "$text"
    for _ in $(seq 300); do [ -e ready ] && break; sleep 0.02; done
    for sig in "$@"; do
        kill -s "$sig" "$pid"
        for _ in $(seq 300); do [ -e heard ] || ! kill -0 "$pid" 2>/dev/null && break; sleep 0.02; done
    done
    status=0
    wait "$pid" || status=$?
}

@test "INT, QUIT, HUP, TERM end a command that lets them: 128 + the signal" {
    for sig in INT:130 QUIT:131 HUP:129 TERM:143; do
        signalled 'ulimit -c 0; echo >ready; exec sleep 30' "${sig%:*}"
        assert_status "${sig#*:}"
    done
}

@test "INT once is the command's, INT twice is the end" {
    deaf='trap "echo x >>heard" INT; echo >ready; while :; do sleep 0.02; done'
    signalled 'trap "exit 7" INT; echo >ready; while :; do sleep 0.02; done' INT
    assert_status 7
    signalled "$deaf" INT INT
    assert_status 130
    [ "$(wc -l <heard)" -eq 1 ] || bawn_fail "the second was passed on too"
    [ -z "$(leftovers)" ] || bawn_fail "left: $(leftovers)"
}

@test "TERM and HUP leave a grace period, then everything is killed" {
    as_user cp /bin/sleep "$SCRATCH/mark"
    # Both at once: each waits its five seconds.
    for sig in TERM HUP; do
        (
            cd "$WORK" && as_user mkdir "$sig" && cd "$sig" || exit 1
            signalled "trap 'echo x >>heard' $sig; setsid $SCRATCH/mark 300 & echo >ready; while :; do sleep 0.02; done" "$sig"
            echo "$status $SECONDS" | as_user tee status >/dev/null
        ) &
        jobs+=($!)
    done
    SECONDS=0
    wait "${jobs[@]}"
    [ "$SECONDS" -ge 4 ] || bawn_fail "no grace: $SECONDS s"
    [ "$(cut -d' ' -f1 TERM/status)" = 143 ] && [ "$(cut -d' ' -f1 HUP/status)" = 129 ] ||
        bawn_fail "status $(cat TERM/status HUP/status)"
    [ -e TERM/heard ] && [ -e HUP/heard ] || bawn_fail "it did not hear of it"
    [ -z "$(leftovers)" ] || bawn_fail "left: $(leftovers)"
}

@test "background processes end with the command" {
    as_user cp /bin/sleep "$SCRATCH/mark"
    run bawn "${sandbox[@]}" -- sh -c "setsid $SCRATCH/mark 300 & (setsid $SCRATCH/mark 300 &) ; echo started"
    assert_contains started
    sleep 0.1
    [ -z "$(pgrep -f "$SCRATCH/mark")" ] || bawn_fail "still there"
}

@test "SIGKILL of bawn ends the whole tree" {
    as_user cp /bin/sleep "$SCRATCH/mark"
    start "$BAWN" "${sandbox[@]}" -- sh -c "setsid $SCRATCH/mark 300 & (setsid $SCRATCH/mark 300 &); $SCRATCH/mark 300"
    for _ in $(seq 200); do [ "$(pgrep -fc "^$SCRATCH/mark")" -ge 3 ] && break; sleep 0.02; done
    kill -KILL "$pid"
    for _ in $(seq 100); do
        pgrep -f "^$SCRATCH/mark" >/dev/null || break
        sleep 0.02
    done
    [ -z "$(pgrep -f "^$SCRATCH/mark")" ] || bawn_fail "still there"
    run bawn "${sandbox[@]}" -- true
    assert_status 0
    [ -z "$(leftovers)" ] || bawn_fail "left: $(leftovers)"
}

@test "40 at once in one workspace: each works, nothing is left" {
    for i in $(seq 40); do
        as_user "$BAWN" "${sandbox[@]}" -- sh -c "echo $i >f$i; mkdir .codex 2>/dev/null && echo made" &
    done
    wait
    [ "$(find . -name 'f*' | wc -l)" -eq 40 ] || bawn_fail "not all ran"
    [ -z "$(leftovers)" ] || bawn_fail "left: $(leftovers)"
}

@test "killed at every stage: the next run puts away what is left" {
    for ms in $(seq 0 40); do
        start "$BAWN" "${sandbox[@]}" -- sleep 5.0625
        sleep "$(printf '0.%04d' $((ms * 3)))"
        kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    for _ in $(seq 100); do
        pgrep -f 'sleep 5[.]0625' >/dev/null || break
        sleep 0.05
    done
    [ -z "$(pgrep -f 'sleep 5[.]0625')" ] || bawn_fail "still there: $(pgrep -af 'sleep 5[.]0625')"
    run bawn "${sandbox[@]}" -- true
    assert_status 0
    for _ in $(seq 50); do [ -z "$(leftovers)" ] && break; sleep 0.05; done
    [ -z "$(leftovers)" ] || bawn_fail "left: $(leftovers)"
}

@test "BAWN_HOME inside the workspace stays its owner's" {
    BAWN_HOME=$WORK/conf
    write_config <<<'private_tmp = true'
    run bawn "${sandbox[@]}" -- sh -c 'echo x >conf/config.toml || mv conf c2 || mkdir -p conf/rules'
    [ "$status" -ne 0 ]
    [ "$(cat conf/config.toml)" = "private_tmp = true" ]
}

@test "a home that cannot be written" {
    as_user mkdir "$BAWN_HOME"
    chmod 555 "$BAWN_HOME"
    run bawn sandbox -s read-only -- echo yes
    assert_contains yes
    # Nothing can be written down, so no placeholder is made: who makes a missing name is refused call by call.
    run bawn "${sandbox[@]}" -- sh -c 'mkdir .git; ln -s x .claude; echo x >.mcp.json; mkdir d; mv d .bawn; echo yes'
    assert_status 0
    assert_contains yes
    [ "$(ls -A)" = d ] || bawn_fail "there is: $(ls -A)"
    # Where nothing is judged, a missing name could not be held: it does not run, and says what to do.
    run bawn "${sandbox[@]}" -c allow_nested_userns=true -- echo yes
    assert_status 125
    assert_contains "BAWN_HOME"
}

@test "a state directory that is not fit: named, with the command that mends it" {
    as_user mkdir -p "$BAWN_HOME/state"
    state=$BAWN_HOME/state
    must=("${sandbox[@]}" -c allow_nested_userns=true)
    chmod 755 "$state"
    # Where something must be written down the run is refused, elsewhere it is told.
    run bawn "${must[@]}" -- true
    assert_status 125
    assert_contains "$state has mode 0755"
    assert_contains "hint: chmod 700 $state"
    refute_contains "warning"
    run bawn "${sandbox[@]}" -- true
    assert_status 0
    assert_contains "warning: nothing is written down: $state has mode 0755"
    eval "as_user ${output##*mended by: }"
    run bawn "${must[@]}" -- true
    assert_status 0
    assert_output ""
    as_user sh -c 'rmdir "$0"/* 2>/dev/null; rm -rf "$0"; echo >"$0"' "$state"
    run bawn "${must[@]}" -- true
    assert_status 125
    assert_contains "$state is not a directory"
    assert_contains "hint: mv $state $state.old"
    [ "$(id -u)" -eq 0 ] || return 0
    rm "$state" && mkdir -m 700 "$state"
    run bawn "${must[@]}" -- true
    assert_status 125
    assert_contains "$state belongs to uid 0, not to you"
    assert_contains "hint: sudo chown -R $BAWN_TEST_UID $state"
}

@test "bwrap asked for by name and not there: the error alone, with its hint" {
    run as_user env PATH=/nowhere "$BAWN" sandbox -s read-only -c 'sandbox_backend="bwrap"' -- /bin/true
    assert_status 125
    assert_output $'bawn: no bwrap that is fit was found: there is none on PATH\nbawn: hint: install bubblewrap 0.12 or later, or sandbox_backend = "bundled"'
    run as_user env PATH=/nowhere "$BAWN" sandbox -s read-only -- /bin/true
    assert_status 0
    assert_contains "warning: no bwrap on PATH"
}

@test "private_tmp, its own processes, a closed init" {
    run bawn "${sandbox[@]}" -c private_tmp=true -- sh -c 'ls -A /tmp; echo "[$(ls /proc | grep -c "^[0-9]")]"; cat /proc/1/environ'
    assert_contains "Permission denied"
    refute_contains "bawn-test."
    [ "$(sed -n 's/^\[\([0-9]*\)\]$/\1/p' <<<"$output")" -lt 8 ] || bawn_fail "sees others"
}

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
        start "$BAWN" "${sandbox[@]}" -- sleep 5
        sleep "$(printf '0.%04d' $((ms * 3)))"
        kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
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
    run bawn "${sandbox[@]}" -- echo yes
    # Missing names could not be held: it does not run, and says what to do.
    assert_status 125
    assert_contains "BAWN_HOME"
}

@test "private_tmp, its own processes, a closed init" {
    run bawn "${sandbox[@]}" -c private_tmp=true -- sh -c 'ls -A /tmp; echo "[$(ls /proc | grep -c "^[0-9]")]"; cat /proc/1/environ'
    assert_contains "Permission denied"
    refute_contains "bawn-test."
    [ "$(sed -n 's/^\[\([0-9]*\)\]$/\1/p' <<<"$output")" -lt 8 ] || bawn_fail "sees others"
}

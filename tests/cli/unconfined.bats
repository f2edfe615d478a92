#!/usr/bin/env bats
# danger-full-access confines nothing, also where somebody wants to hear how it went: bawn stays
# beside the command then, and is in nobody's way.
load helper

setup() {
    bawn_setup
    open=(sandbox -s danger-full-access --status-fd 3)
}

teardown() { bawn_teardown; }

status_of() { jq_py "$1" <"$SCRATCH/status"; }

# A field of the last event.
jq_py() {
    /usr/bin/python3 -c "import json,sys
print(json.loads(sys.stdin.readlines()[-1]).get('$1'))"
}

# The bawn that stays beside the process.
beside() {
    awk '/^PPid:/ { print $2 }' "/proc/$1/status"
}

@test "nothing is confined" {
    echo kept | as_user tee "$HOME/outside" >/dev/null
    # shellcheck disable=SC2016
    run bawn "${open[@]}" -- sh -c 'echo changed >"$HOME/outside"; readlink /proc/self/ns/mnt' \
        3>"$SCRATCH/status"
    [ "$status" -eq 0 ]
    [ "$output" = "$(readlink /proc/self/ns/mnt)" ]
    [ "$(cat "$HOME/outside")" = changed ]
}

@test "what is told: started, exited with status or signal" {
    run bawn "${open[@]}" -- sh -c 'exit 7' 3>"$SCRATCH/status"
    [ "$status" -eq 7 ]
    [ "$(grep -c . "$SCRATCH/status")" -eq 2 ]
    [ "$(status_of status)" = 7 ]
    run bawn "${open[@]}" -- sh -c 'kill -9 $$' 3>"$SCRATCH/status"
    [ "$status" -eq 137 ]
    [ "$(status_of signal)" = 9 ]
}

@test "what cannot be executed" {
    export PATH=/usr/bin:/bin # not what only root may look into
    run -127 bawn "${open[@]}" -- no-such-program-at-all 3>"$SCRATCH/status"
    [[ $output == *"no-such-program-at-all: command not found"* ]]
    run -126 bawn "${open[@]}" -- /etc 3>"$SCRATCH/status"
    [ ! -s "$SCRATCH/status" ]
}

@test "a signal that was sent to bawn reaches the command, whose end is told" {
    bawn "${open[@]}" -- sh -c 'trap "echo got it; exit 3" TERM; echo ready; while :; do sleep 0.1; done' \
        3>"$SCRATCH/status" >"$SCRATCH/out" &
    local pid=$!
    until grep -q ready "$SCRATCH/out"; do sleep 0.05; done
    kill -TERM "$(beside "$(status_of pid)")"
    wait "$pid" || true
    grep -q exited "$SCRATCH/status"
    grep -q "got it" "$SCRATCH/out"
    [ "$(status_of status)" = 3 ]
}

@test "who kills bawn kills the command" {
    bawn "${open[@]}" -- sh -c 'echo $$; exec sleep 1000' 3>"$SCRATCH/status" >"$SCRATCH/out" 4>&- &
    until [ -s "$SCRATCH/out" ]; do sleep 0.05; done
    local command
    command=$(cat "$SCRATCH/out")
    kill -KILL "$(beside "$command")"
    for _ in $(seq 100); do
        kill -0 "$command" 2>/dev/null || return 0
        sleep 0.05
    done
    bawn_fail "it still runs"
}

@test "with SIGCHLD ignored" {
    # shellcheck disable=SC2016
    run as_user sh -c 'trap "" CHLD; exec "$0" "$@" 3>/dev/null' "$BAWN" "${open[@]}" -- \
        sh -c 'exit 4'
    [ "$status" -eq 4 ]
}

@test "it stops with the command, and goes on with it" {
    as_user /usr/bin/python3 - "$BAWN" <<'END'
import os, signal, subprocess, sys, time
p = subprocess.Popen([sys.argv[1], "sandbox", "-s", "danger-full-access", "--status-fd", "2", "--", "sh", "-c",
                      "kill -STOP $$; exit 5"], stderr=subprocess.DEVNULL)
_, status = os.waitpid(p.pid, os.WUNTRACED)
assert os.WIFSTOPPED(status), status
os.kill(p.pid, signal.SIGCONT)
_, status = os.waitpid(p.pid, 0)
assert os.WEXITSTATUS(status) == 5, status
END
}

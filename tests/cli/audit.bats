#!/usr/bin/env bats
# bawn audit: list, show, verify. The records are written here, by the format that bawn-audit(1)
# tells, so that the two are held against each other.

# shellcheck disable=SC2016,SC2030,SC2031 # inner shells expand; each test is a subshell
load helper

setup() {
    bawn_setup
    PY=/usr/bin/python3
    [ -x "$PY" ] || PY=python3
    LOG=$BAWN_HOME/audit/2026-11.jsonl
}
teardown() { bawn_teardown; }

# write_records MONTH N [PREV]: N records; prints the last hash.
write_records() {
    as_user mkdir -p -m 700 "$BAWN_HOME/audit"
    as_user "$PY" -c '
import hashlib, json, sys
home, month, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
prev = sys.argv[4] if len(sys.argv) > 4 else "0" * 64
with open(f"{home}/audit/{month}.jsonl", "a") as f:
    for i in range(n):
        r = {"prev": prev, "event": "decision", "id": f"{i + 1:02x}" + month.replace("-", "") + "0" * 24,
             "time": f"{month}-{i + 1:02}T10:00:00.000Z", "action": "refuse" if i == 2 else "run",
             "place": "sandbox", "class": "unknown", "by": "user" if i == 1 else "config",
             "argv": ["echo", f"word {i + 1}", "\x1b[31m"], "argc": 3, "cwd": "/w", "policy": "on-request"}
        line = json.dumps(r, separators=(",", ":"))
        prev = hashlib.sha256(line.encode()).hexdigest()
        f.write(line[:-1] + ",\"hash\":\"" + prev + "\"}\n")
print(prev)' "$BAWN_HOME" "$@"
    as_user chmod 600 "$BAWN_HOME"/audit/*
}

@test "nothing is recorded yet" {
    run -0 bawn audit list
    assert_contains "no decisions are recorded yet"
    run -0 bawn audit list --json
    assert_output ""
    run -0 bawn audit verify
    assert_contains "whole: 0 records in 0 files"
    [ ! -e "$BAWN_HOME/audit" ] || bawn_fail "looking made something"
}

@test "list: one line each, filters, JSON" {
    write_records 2026-11 4
    run -0 bawn audit list
    [ "${#lines[@]}" -eq 4 ]
    [ "${lines[0]}" = "2026-11-01 10:00:00  01202611  run     sandbox  unknown    config    echo 'word 1' '\\x1b[31m'" ] ||
        bawn_fail "${lines[0]}"
    run -0 bawn audit list --last 2
    [ "${#lines[@]}" -eq 2 ] && [[ ${lines[0]} == *"word 3"* && ${lines[1]} == *"word 4"* ]] || bawn_fail order
    run -0 bawn audit list --last 99
    [ "${#lines[@]}" -eq 4 ]
    run -0 bawn audit list --verdict refuse
    [ "${#lines[@]}" -eq 1 ] && assert_contains "word 3"
    run -0 bawn audit list --by user
    [ "${#lines[@]}" -eq 1 ] && assert_contains "word 2"
    run -0 bawn audit list --since 2026-11-03
    [ "${#lines[@]}" -eq 2 ]
    run -0 bawn audit list --since 2026-11-03T10:00:00Z
    [ "${#lines[@]}" -eq 2 ]
    run -0 bawn audit list --since 2026-11-03T10:00:01 --last 1
    [ "${#lines[@]}" -eq 1 ] && assert_contains "word 4"
    run -0 bawn audit list --by reviewer
    assert_contains "no decision matches"
    run -0 bawn audit list --json --last 1
    [ "$(json_get 'j["argv"][1]')" = "word 4" ]
    [ "$output" = "$(as_user tail -n 1 "$LOG")" ] || bawn_fail "not the line as it is"
}

@test "show: by the beginning of an id" {
    write_records 2026-11 4
    run -0 bawn audit show 0320
    assert_contains "action       refuse"
    assert_contains "argv         echo 'word 3' '\\x1b[31m'"
    assert_contains "time         2026-11-03T10:00:00.000Z"
    run -0 bawn audit show --json 0320
    [ "$(json_get 'j["action"]')" = refuse ]
    run -1 bawn audit show ffff
    assert_contains "no decision has the id ffff"
    run -1 bawn audit show 0
    assert_contains "the ids of 4 decisions begin with 0"
    run -2 bawn audit show
    run -2 bawn audit show 01 02
}

@test "verify: a whole chain over months, an anchor kept elsewhere" {
    first=$(write_records 2026-10 3)
    last=$(write_records 2026-11 2 "$first")
    run -0 bawn audit verify
    assert_contains "whole: 5 records in 2 files"
    assert_contains "last hash: $last"
    run -0 bawn audit verify --after "$first"
    assert_contains "2 of them after ${first:0:8}"
    run -0 bawn audit verify --json
    [ "$(json_get '(j["ok"], j["records"], j["faults"], j["last_hash"])')" = "(True, 5, [], '$last')" ] || bawn_fail json
    as_user sed -i '$d' "$LOG"
    run -0 bawn audit verify
    run -1 bawn audit verify --after "$last"
    assert_contains "no record has the hash"
}

@test "verify: faults with file and line, exit status 1" {
    last=$(write_records 2026-10 3)
    last=$(write_records 2026-11 4 "$last")
    as_user sed -i 's/word 2/word Z/' "$LOG"
    run -1 bawn audit verify
    [ "${lines[0]}" = "$LOG:2 changed: its text has another hash" ] || bawn_fail changed
    assert_contains "NOT whole"
    as_user sed -i 's/word Z/word 2/' "$LOG"
    run -0 bawn audit verify
    as_user cp "$LOG" "$SCRATCH/copy"
    as_user sed -i 3d "$LOG"
    run -1 bawn audit verify --json
    [ "$(json_get '[f["line"] for f in j["faults"]]')" = "[3]" ] || bawn_fail removed
    as_user cp "$SCRATCH/copy" "$LOG"
    as_user mv "$BAWN_HOME/audit/2026-10.jsonl" "$SCRATCH/10"
    run -1 bawn audit verify
    assert_contains "$LOG:1 not the beginning"
    as_user mv "$SCRATCH/10" "$BAWN_HOME/audit/2026-10.jsonl"
    as_user truncate -s -5 "$LOG"
    run -1 bawn audit verify
    assert_contains "$LOG:4 torn"
}

@test "a line checked by hand, as the manual says" {
    write_records 2026-11 2
    sum=$(as_user sed -n '2s/,"hash":"[0-9a-f]*"}$/}/p' "$LOG" | tr -d '\n' | sha256sum)
    [[ $(as_user tail -n 1 "$LOG") == *"\"hash\":\"${sum%% *}\"}" ]] || bawn_fail "$sum"
}

@test "mistakes on the command line" {
    for args in "" "lst" "list x" "verify x" "list --since yesterday" "list --since 2026-1-1" "verify --last 3" \
        "list --after 00" "verify --after 00" "list --verdict perhaps" "list --by me" "show" "list --last 0"; do
        # shellcheck disable=SC2086
        run -2 bawn audit $args
    done
    run -2 bawn audit verfy
    assert_contains "did you mean bawn audit verify?"
}

@test "what bawn run writes is whole" {
    run -0 as_user setsid -w "$BAWN" run -- true --token geheim42
    run -0 as_user setsid -w "$BAWN" run -- sh -c 'exit 0'
    run -0 bawn audit verify
    assert_contains "whole: 2 records in 1 file"
    run -0 bawn audit list
    assert_contains "true --token [REDACTED]"
    refute_contains geheim42
    [ "$(as_user stat -c %a "$BAWN_HOME/audit")" = 700 ]
    [ "$(as_user sh -c 'stat -c %a "$BAWN_HOME"/audit/*.jsonl')" = 600 ]
}

@test "a command in the sandbox cannot hold the log's lock" {
    run -0 as_user setsid -w "$BAWN" run -- true
    run as_user setsid -w "$BAWN" run -- "$PY" -c '
import fcntl, os, sys
for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR):
    try:
        fd = os.open(os.path.expanduser("'"$BAWN_HOME"'/audit/lock"), flags)
        fcntl.flock(fd, fcntl.LOCK_EX)
        print("held")
    except OSError as e:
        print(e.strerror)'
    refute_contains held
    [ "${#lines[@]}" -eq 3 ] || bawn_fail "three tries"
}

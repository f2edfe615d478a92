#!/usr/bin/env bats
# bawn run: rules, the question, the sandbox, the record.

# shellcheck disable=SC2016,SC2030,SC2031 # inner shells expand; each test is a subshell
load helper

setup() {
    bawn_setup
    PY=/usr/bin/python3
    [ -x "$PY" ] || PY=python3
    write_config <<'T'
sandbox_mode = "workspace-write"
sandbox_backend = "bundled"
T
}
teardown() { bawn_teardown; }

rules() { write_file "$BAWN_HOME/rules/default.rules"; }
# Without a terminal: bats may have one.
quiet_run() { as_user setsid -w "$BAWN" run "$@" </dev/null; }
pty() { as_user "$PY" "$BATS_TEST_DIRNAME/pty.py" "$@"; }
# the last record of the audit log, as an expression over j
last() {
    (cd / && as_user cat "$BAWN_HOME"/audit/*.jsonl | tail -n 1 |
        python3 -c 'import json,sys; j=json.loads(sys.stdin.read()); print(eval(sys.argv[1]))' "$1")
}
records() { as_user cat "$BAWN_HOME"/audit/*.jsonl 2>/dev/null | wc -l; }

@test "what no rule mentions runs in the sandbox, and is recorded" {
    run -0 quiet_run -- sh -c 'echo hi >in && cat in'
    assert_output hi
    [ "$(last 'j["action"], j["place"], j["class"], j["by"]')" = "('run', 'sandbox', 'unknown', 'config')" ] ||
        bawn_fail "$(last j)"
    run ! quiet_run -- touch "$HOME/out"
    [ ! -e "$HOME/out" ] || bawn_fail "it wrote outside"
    run -7 quiet_run -- sh -c 'exit 7'
    run -127 quiet_run -- no-such-program
}

@test "an allow runs outside, one with sandbox inside; parts count" {
    rules <<'T'
prefix_rule(pattern = ["touch", "--"], decision = "allow")
prefix_rule(pattern = ["touch", "-c"], decision = "allow", sandbox = True)
T
    run -0 quiet_run -- touch -- "$HOME/out"
    [ -e "$HOME/out" ] || bawn_fail "it did not run outside"
    [ "$(last 'j["place"], j["class"], j["rule"]["line"] if "rule" in j else j["rule_line"]')" = "('outside', 'allow', 1)" ] ||
        bawn_fail "$(last j)"
    run -0 quiet_run -- bash -c "touch -- $HOME/both && touch -- $HOME/both2"
    [ -e "$HOME/both2" ] || bawn_fail "a chain of allowed parts runs outside"
    run ! quiet_run -- bash -c "touch -- $HOME/third && touch $HOME/fourth"
    [ ! -e "$HOME/third" ] || bawn_fail "one part was not allowed"
    run quiet_run -- touch -c "$HOME/fifth"
    [ "$(last 'j["place"]')" = sandbox ] || bawn_fail "sandbox = True runs inside"
    # A redirection is more than a plain chain.
    run ! quiet_run -- bash -c "touch -- $HOME/sixth >$WORK/log"
    [ ! -e "$HOME/sixth" ] || bawn_fail "only a plain chain runs outside"
}

@test "a planted program is not the one that a rule allows" {
    rules <<'T'
prefix_rule(pattern = ["touch"], decision = "allow")
T
    printf '#!/bin/sh\necho planted >"$HOME/planted"\n' | as_user tee "$WORK/touch" >/dev/null
    as_user chmod 755 "$WORK/touch"
    PATH="$WORK:$PATH" run quiet_run -- touch x
    [ ! -e "$HOME/planted" ] || bawn_fail "the planted one ran outside"
    [ "$(last 'j["place"]')" = sandbox ] || bawn_fail "$(last j)"
    run quiet_run -- ./touch x
    [ ! -e "$HOME/planted" ] || bawn_fail "the planted one ran outside"
    run quiet_run -- bash -c 'cd /usr && cd - && ./touch x'
    [ ! -e "$HOME/planted" ] || bawn_fail "the planted one ran outside"
}

@test "what is forbidden stays forbidden, and says where" {
    rules <<'T'
prefix_rule(pattern = ["touch", "x"], decision = "forbidden", justification = "no x here")
prefix_rule(pattern = ["touch"], decision = "allow")
T
    for text in 'touch x' "t'ou'ch x" 'to\uch x' '"touch" "x"' 'true; touch x' 'true | touch x' '(touch x)' '{ touch x; }' \
        'if true; then touch x; fi' 'A=1 touch x' '>log touch x' 'echo $(touch x)' 'echo `touch x`' 'env touch x' \
        'command touch x' 'exec touch x' 'nohup touch x' 'timeout 5 touch x' "sh -c 'touch x'" "eval 'touch x'" \
        'echo x | xargs touch x' 'find . -maxdepth 0 -exec touch x \;' '/usr/bin/touch x' 'touch \
x' "bash <<'E'
touch x
E
"; do
        run -3 quiet_run -- bash -c "$text"
        assert_contains "no x here"
        assert_contains "default.rules:1"
        [ ! -e "$WORK/x" ] || bawn_fail "it ran: $text"
    done
    [ "$(last 'j["action"], j["class"]')" = "('refuse', 'forbidden')" ] || bawn_fail "$(last j)"
    run -0 quiet_run -- bash -c "echo touch x; echo 'touch x' # touch x"
    run -3 quiet_run --json -- touch x
    [ "$(json_get 'j["error"]')" = refused ] || bawn_fail "the kind of refusal"
}

@test "who cannot be asked is told no, why, and what would allow it" {
    rules <<'T'
prefix_rule(pattern = ["touch"], decision = "prompt")
T
    run -3 quiet_run -- touch x
    assert_contains "no terminal"
    assert_contains "default.rules:1"
    [ ! -e "$WORK/x" ] || bawn_fail "it ran"
    [ "$(last 'j["action"]')" = refuse ] || bawn_fail "$(last j)"
    run -3 quiet_run -a never -- touch x
    run -3 quiet_run -a untrusted -- cp a b
    assert_contains "prefix_rule(pattern = "
    run -0 quiet_run -a untrusted -- cat /dev/null
    run -3 quiet_run -a never --escalate outside -- true
    run -3 quiet_run -a never --grant "write:$HOME" -- true
    run -3 quiet_run -- rm -rf nothing
    run -2 quiet_run --escalate permissions -- true
    run -2 quiet_run --grant "see:$HOME" -- true
    run -2 quiet_run
}

@test "yes, no, abort, and nothing into the command's input" {
    rules <<'T'
prefix_rule(pattern = ["sh", "-c"], decision = "prompt")
T
    run -0 pty --expect 'may this run' --expect 'Your key' --send y --expect 'got nothing' \
        -- "$BAWN" run -- sh -c 'sleep 0.1; echo "got nothing"'
    [ "$(last 'j["answer"], j["by"]')" = "('once', 'user')" ] || bawn_fail "$(last j)"
    run -3 pty --expect 'Your key' --send n -- "$BAWN" run -- sh -c 'touch x'
    run -3 pty --expect 'Your key' --key ^C -- "$BAWN" run -- sh -c 'touch x'
    run -3 pty --expect 'Your key' --send w --expect 'Your word' --send 'use make' --send '\r' --expect 'use make' -- "$BAWN" run -- sh -c 'touch x'
    [ ! -e "$WORK/x" ] || bawn_fail "it ran"
    # Piped input and output are the command's alone.
    run -0 pty --expect 'Your key' --send y --expect 'finished' -- sh -c \
        'echo data | "$0" run -- sh -c "cat" >out 2>err; cat out; echo finished' "$BAWN"
    [ "$(cat out)" = data ] || bawn_fail "out: $(cat out)"
}

@test "yes for this session" {
    rules <<'T'
prefix_rule(pattern = ["touch"], decision = "prompt")
T
    # One terminal session: the second run is not asked, the third has other words, the fourth another place.
    run -0 pty --expect 'Your key' --send s --expect second --expect 'Your key' --send n --expect third \
        --expect 'Your key' --send n --expect fourth -- sh -c '
        "$0" run -- touch x && rm x && "$0" run -- touch x && test -e x && echo second
        "$0" run -- touch y; echo third; cd sub 2>/dev/null || mkdir sub && cd sub; "$0" run -- touch x; echo fourth' "$BAWN"
    [ ! -e y ] && [ ! -e sub/x ] || bawn_fail "an answer covered more than was shown"
    # Another session.
    run -3 pty --expect 'Your key' --send n -- "$BAWN" run -- touch x
    # An agent's own name for one; with a terminal as input it is another answer than without.
    asked() { pty "$@" -- sh -c 'exec "$0" run -- touch x </dev/null' "$BAWN"; }
    BAWN_SESSION=a1 run -0 asked --expect 'Your key' --send s
    BAWN_SESSION=a1 run -0 quiet_run -- touch x
    BAWN_SESSION=a2 run -3 quiet_run -- touch x
    BAWN_SESSION=a1 run -3 pty --expect 'Your key' --send n -- "$BAWN" run -- touch x
}

@test "an answer is bound to the script" {
    rules <<'T'
prefix_rule(pattern = ["sh", "build.sh"], decision = "prompt")
T
    echo 'echo one' | as_user tee build.sh >/dev/null
    export BAWN_SESSION=s
    run -0 pty --expect 'Your key' --send s --expect one -- sh -c 'exec "$0" run -- sh build.sh </dev/null' "$BAWN"
    run -0 quiet_run -- sh build.sh
    echo 'echo two' | as_user tee build.sh >/dev/null
    run -3 quiet_run -- sh build.sh
    refute_contains two
    # Changed while the question stands.
    run -3 pty --expect 'Your key' --expect 'is changed' --send y --expect 'changed while' --expect 'Your key' --send n -- sh -c '
        (while ! grep -qs run-asks mark; do sleep 0.02; done; echo "echo three" >build.sh; echo "is changed" >/dev/tty) &
        (sleep 0.3; echo run-asks >mark) &
        exec "$0" run -- sh build.sh' "$BAWN"
    refute_contains "
three"
}

@test "yes, and remember: the line that was shown, and no more" {
    write_config <<'T'
sandbox_mode = "workspace-write"
approval_policy = "untrusted"
T
    run -0 pty --expect 'Your key' --send r --expect 'sandbox = True' --expect 'Your key' --send y \
        -- "$BAWN" run -- make --version
    [ "$(wc -l <"$BAWN_HOME/rules/default.rules")" -eq 1 ] || bawn_fail "$(cat "$BAWN_HOME/rules/default.rules")"
    grep -q 'sandbox = True' "$BAWN_HOME/rules/default.rules" || bawn_fail "it would run outside"
    [ "$(stat -c %a "$BAWN_HOME/rules/default.rules")" = 600 ] || bawn_fail "mode"
    assert_contains "$(cat "$BAWN_HOME/rules/default.rules")"
    run -0 quiet_run -- make --version
    [ "$(last 'j["place"], j["class"]')" = "('sandbox', 'allow')" ] || bawn_fail "$(last j)"
    run -3 quiet_run -- perl --version
    run -0 bawn rules remove make
    run -3 quiet_run -- make --version
    run -1 bawn rules remove make
    # Made longer before it is written.
    run -0 pty --expect 'Your key' --send r --expect 'Your key' --send '>' --expect '"--version"]' --expect 'Your key' --send y \
        -- "$BAWN" run -- make --version
    run -0 quiet_run -- make --version
    run -3 quiet_run -- make other
}

@test "again, with exactly what was missing" {
    as_user mkdir "$HOME/cache" "$HOME/other"
    run -0 pty --expect 'write to' --expect 'Your key' --send y \
        -- "$BAWN" run -- sh -c "echo x >$HOME/cache/f"
    [ -e "$HOME/cache/f" ] || bawn_fail "it was not run again"
    [ "$(last 'j["escalation"], j["answer"], j["place"]')" = "('permissions', 'once', 'sandbox')" ] || bawn_fail "$(last j)"
    # What else it tries is refused still, and offered on its own.
    run ! pty --expect "$HOME/cache" --expect 'Your key' --send y --expect "$HOME/other" --expect 'Your key' --send n \
        -- "$BAWN" run -- sh -c "echo x >$HOME/cache/g && echo x >$HOME/other/g"
    [ ! -e "$HOME/other/g" ] || bawn_fail "more than was granted"
    # bawn's own is never offered.
    run ! pty -- "$BAWN" run -- sh -c "echo x >$BAWN_HOME/config.toml"
    refute_contains "permissions"
    # For the session: the next one begins with it.
    export BAWN_SESSION=g
    run -0 pty --expect 'Your key' --send s -- sh -c "exec '$BAWN' run -- sh -c 'echo x >>$HOME/cache/h' </dev/null"
    run -0 pty -- sh -c "exec '$BAWN' run -- sh -c 'echo x >>$HOME/cache/h' </dev/null"
    refute_contains "Your key"
    run ! quiet_run -- sh -c "echo x >>$HOME/cache/h"
    # A pipe cannot be read twice: the line is said.
    run ! pty -- sh -c "echo data | '$BAWN' run -- sh -c 'cat >$HOME/cache/i'"
    assert_contains "--grant write:$HOME/cache"
    refute_contains "Your key"
    # A command that copes is not asked about.
    run -0 pty -- "$BAWN" run -- sh -c "echo x >$HOME/cache/j; true"
    refute_contains "Your key"
}

@test "a grant that is asked for" {
    as_user mkdir "$HOME/cache"
    run -0 pty --expect 'write to' --expect 'Your key' --send y \
        -- "$BAWN" run --grant "write:$HOME/cache" -- sh -c "echo x >$HOME/cache/f"
    [ -e "$HOME/cache/f" ] || bawn_fail "not granted"
    run -3 pty -- "$BAWN" run --grant "write:$BAWN_HOME" -- sh -c "echo x >$BAWN_HOME/x"
    [ ! -e "$BAWN_HOME/x" ] || bawn_fail "bawn's own was granted"
    run -0 pty --expect 'OUTSIDE' --expect 'Your key' --send y \
        -- "$BAWN" run --escalate outside -- sh -c "echo x >$HOME/out"
    [ -e "$HOME/out" ] || bawn_fail "not outside"
}

@test "somebody else is asked" {
    rules <<'T'
prefix_rule(pattern = ["touch"], decision = "prompt")
T
    asker() {
        as_user "$PY" -c '
import json, socket, subprocess, sys
a, b = socket.socketpair()
p = subprocess.Popen([sys.argv[1], "run", "--ask-timeout", "5", "--ask-via", str(b.fileno()), "--", *sys.argv[3:]],
                     pass_fds=[b.fileno()], stdin=subprocess.DEVNULL)
b.close()
q = json.loads(a.makefile().readline())
assert q["command"] == sys.argv[3:] and q["type"] == "approval_request", q
reply = eval(sys.argv[2])
if reply is not None:
    a.send((reply if isinstance(reply, str) else json.dumps(reply)).encode() + b"\n")
else:
    a.close()
sys.exit(p.wait())' "$@"
    }
    run -0 asker "$BAWN" '{"id": q["id"], "decision": "once"}' touch x
    [ -e x ] || bawn_fail "it did not run"
    for reply in '{"id": q["id"], "decision": "no", "message": "use make"}' '{"id": "x", "decision": "once"}' \
        '{"decision": "once"}' '{"id": q["id"], "decision": "perhaps"}' '"garbage"' 'None' '"[]"' \
        '{"id": q["id"], "decision": "remember", "lengths": [1, 1, 1, 1]}'; do
        run -3 asker "$BAWN" "$reply" touch y
        [ ! -e y ] || bawn_fail "it ran: $reply"
    done
    [ "$(wc -l <"$BAWN_HOME/rules/default.rules")" -eq 1 ] || bawn_fail "wider than shown"
}

@test "without a record nothing runs that needed approval" {
    rules <<'T'
prefix_rule(pattern = ["touch"], decision = "prompt")
T
    as_user ln -s /dev/full "$BAWN_HOME/audit"
    run -3 pty -- "$BAWN" run -- touch x
    refute_contains "Your key"
    [ ! -e x ] || bawn_fail "it ran"
    run -0 quiet_run -- cat /dev/null
    assert_contains "not recorded"
}

@test "killed while it asks: nothing ran, the terminal is as it was" {
    rules <<'T'
prefix_rule(pattern = ["touch"], decision = "prompt")
T
    for sig in TERM HUP INT QUIT; do
        run pty --expect 'Your key' --signal-one "$sig" -- "$BAWN" run -- touch x
        [ "$status" -ne 0 ] || bawn_fail "$sig"
        assert_contains "[tty cooked]"
        [ ! -e x ] || bawn_fail "it ran"
    done
    run pty --expect 'Your key' --signal-one KILL -- "$BAWN" run -- touch x
    [ ! -e x ] || bawn_fail "it ran"
}

@test "broken rules refuse the start" {
    rules <<'T'
prefix_rule(pattern = ["touch"]
T
    run -1 quiet_run -- true
    assert_contains "default.rules:"
    [ "$(records)" -eq 0 ] || bawn_fail "recorded what was never judged"
    as_user rm "$BAWN_HOME/rules/default.rules"
    as_user mkfifo "$BAWN_HOME/rules/default.rules"
    run -1 timeout 10 setpriv --reuid="${BAWN_TEST_UID:-$(id -u)}" --clear-groups "$BAWN" run -- true
}

@test "the chain of records is whole" {
    for i in 1 2 3; do run -0 quiet_run -- true "$i"; done
    [ "$(records)" -eq 3 ] || bawn_fail "$(records) records"
    run -0 bawn audit verify
    as_user sed -i 2d "$BAWN_HOME"/audit/*.jsonl
    run -1 bawn audit verify
}

@test "secrets are not written down" {
    run -0 quiet_run -- true --password hunter2hunter2 "https://me:geheim42@example.com/x"
    run ! grep -r -e hunter2hunter2 -e geheim42 "$BAWN_HOME/audit"
}

@test "a project's rules never open the sandbox, wherever below it they lie" {
    as_user git init -q "$WORK"
    as_user mkdir -p "$WORK/sub/.bawn/rules"
    printf '[projects."%s"]\ntrust_level = "trusted"\n' "$WORK" >>"$BAWN_HOME/config.toml"
    printf '%s\n' 'prefix_rule(pattern = ["touch"])' \
        'prefix_rule(pattern = ["cp"], permissions = ":danger-full-access")' |
        write_file "$WORK/sub/.bawn/rules/x.rules"
    cd "$WORK/sub"
    run ! quiet_run -- touch "$HOME/out"
    [ "$(last 'j["place"], j["class"]')" = "('sandbox', 'allow')" ] || bawn_fail "$(last j)"
    run ! quiet_run -- cp /etc/hostname "$HOME/out"
    [ ! -e "$HOME/out" ] || bawn_fail "a rule of the project opened the sandbox"
}

@test "an allow by name is for what PATH leads to, without planted entries before it" {
    rules <<'T'
prefix_rule(pattern = ["touch"])
prefix_rule(pattern = ["cd"])
prefix_rule(pattern = ["cp"])
T
    as_user mkdir -p "$WORK/sub" "$WORK/bin" "$HOME/other"
    printf '#!/bin/sh\necho planted >"$HOME/planted"\n' | write_file "$WORK/sub/touch"
    as_user chmod 755 "$WORK/sub/touch"
    not_planted() { [ ! -e "$HOME/planted" ] || bawn_fail "$1"; }
    # Left by another sandbox, in what was its workspace.
    run quiet_run -C "$HOME/other" -- "$WORK/sub/touch" x
    not_planted "a program of another workspace ran outside"
    # Read-only now, writable a moment ago.
    PATH="$WORK/sub:$PATH" run quiet_run -s read-only -- touch x
    not_planted "what another sandbox could have put there ran outside"
    # A relative entry of PATH leads elsewhere behind a cd.
    PATH=":$PATH" run -0 quiet_run -- bash -c 'cd sub && touch x'
    not_planted "what a relative entry leads to ran outside"
    # Put there after it was judged.
    PATH="$WORK/bin:$PATH" run -0 quiet_run -- bash -c 'cp sub/touch bin/touch && touch x'
    not_planted "what was put there later ran outside"
    run -0 quiet_run -- /usr/bin/touch "$HOME/out"
    [ -e "$HOME/out" ] || bawn_fail "what PATH leads to is allowed by its path as well"
}

@test "a restriction is found behind many rules and in long words" {
    {
        for i in $(seq 70); do
            echo "prefix_rule(pattern = [\"touch\"], sandbox = True, justification = \"$i\")"
        done
        echo 'prefix_rule(pattern = ["touch", "x"], decision = "forbidden")'
        echo 'prefix_rule(pattern = ["echo", re("evil.*")], decision = "forbidden")'
    } | rules
    run -3 quiet_run -- touch x
    run -3 quiet_run -- echo evil
    run -3 quiet_run -- echo "evil$(printf '%05000d' 0)"
    run -0 quiet_run -- echo good
}

@test "an answer for the session is bound to more than the first file" {
    export BAWN_SESSION=s
    rules <<'T'
prefix_rule(pattern = ["bash"], decision = "prompt")
prefix_rule(pattern = ["perl"], decision = "prompt")
T
    # What a shell reads from its input is not shown: no answer for a session.
    run -3 pty --expect 'Your key' --send s --expect 'no choice' --send n -- \
        sh -c 'echo "echo one" | "$0" run -- bash -s' "$BAWN"
    as_user mkdir -p "$WORK/sub"
    echo 'echo one' | write_file "$WORK/sub/r.sh"
    run -0 pty --expect 'Your key' --send s --expect one -- \
        sh -c 'exec "$0" run -- bash -c "cd sub && sh r.sh" </dev/null' "$BAWN"
    run -0 quiet_run -- bash -c 'cd sub && sh r.sh'
    echo 'echo two' | write_file "$WORK/sub/r.sh"
    run -3 quiet_run -- bash -c 'cd sub && sh r.sh'
    # A decoy before the script.
    echo 'print 1' | write_file "$WORK/r.pl"
    echo | write_file "$WORK/decoy"
    run -0 pty --expect 'Your key' --send s -- \
        sh -c 'exec "$0" run -- perl -I decoy r.pl </dev/null' "$BAWN"
    run -0 quiet_run -- perl -I decoy r.pl
    echo 'print 2' | write_file "$WORK/r.pl"
    run -3 quiet_run -- perl -I decoy r.pl
    # No such descriptor is said at once.
    run -3 quiet_run --ask-via 99999999999999999999 --ask-timeout 5 -- bash -c true
    assert_contains "Bad file descriptor"
}

@test "a path of a session's answer that a link took the place of is not granted" {
    export BAWN_SESSION=s
    as_user mkdir -p "$HOME/a/data" "$HOME/private"
    printf 'all:\n\techo x >%s/a/data/x\n' "$HOME" | write_file "$WORK/Makefile"
    run -0 pty --expect 'Your key' --send s -- sh -c 'exec "$0" run -- make -s </dev/null' "$BAWN"
    run -0 pty -- sh -c 'exec "$0" run -- make -s </dev/null' "$BAWN"
    as_user mv "$HOME/a/data" "$HOME/a/gone"
    as_user ln -s "$HOME/private" "$HOME/a/data"
    run ! pty --expect 'Your key' --send n -- sh -c 'exec "$0" run -- make -s </dev/null' "$BAWN"
    [ ! -e "$HOME/private/x" ] || bawn_fail "the answer was for another path"
}

@test "a project's host_executable only narrows" {
    as_user git init -q "$WORK"
    printf '[projects."%s"]\ntrust_level = "trusted"\n' "$WORK" >>"$BAWN_HOME/config.toml"
    rules <<'T'
host_executable(name = "touch", paths = ["/opt/touch"])
prefix_rule(pattern = ["touch"])
T
    echo 'host_executable(name = "touch", paths = ["/usr/bin/touch"])' |
        write_file "$WORK/.bawn/rules/x.rules"
    run quiet_run -- touch x
    [ "$(last 'j["place"]')" = sandbox ] || bawn_fail "$(last j)"
}

#!/usr/bin/env bats
# The command line as a person meets it: help, mistakes, exit statuses, explain, permissions, denials,
# completions. What the sandbox holds is tested elsewhere.

load helper

setup() { bawn_setup; }
teardown() { bawn_teardown; }

COMMANDS="sandbox explain permissions denials doctor completion help"

# fits LINES: $output has at most so many lines of at most 80 columns.
fits() {
    [ "${#lines[@]}" -le "$1" ] || bawn_fail "more than $1 lines"
    [ "$(printf '%s\n' "$output" | LC_ALL=C.UTF-8 awk 'length > 80' | wc -l)" -eq 0 ] ||
        bawn_fail "lines wider than 80"
}

# ---- help ----

@test "--help fits one screen and names every command" {
    run --keep-empty-lines bawn --help
    assert_status 0
    fits 24
    for c in $COMMANDS; do assert_contains "  $c "; done
    first=$output
    run --keep-empty-lines bawn -h
    assert_output "$first"
}

@test "every command's --help fits 40 lines and goes to stdout" {
    for c in $COMMANDS; do
        run --keep-empty-lines --separate-stderr bawn "$c" --help
        assert_status 0
        [ -z "$stderr" ] || bawn_fail "$c: stderr"
        assert_contains "Usage: bawn $c"
        fits 40
    done
}

@test "--help does not run the command and needs no configuration" {
    printf 'not = = toml\n' | write_config
    run bawn sandbox --help -- touch made
    assert_status 0
    [ ! -e made ]
}

@test "--version" {
    run bawn --version
    assert_status 0
    [[ $output =~ ^bawn\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}

@test "help of an unknown topic suggests one" {
    run bawn help sanbdox
    assert_status 2
    assert_contains "did you mean sandbox?"
}

@test "help without man prints the short help and says so" {
    run env PATH=/nonexistent "$(command -v env)" -i PATH=/nonexistent "$BAWN" help sandbox
    assert_status 0
    assert_contains "bawn: the manual page bawn-sandbox is not installed"
    assert_contains "Usage: bawn sandbox"
}

@test "output that cannot be written is an error" {
    [ -w /dev/full ] || skip "no /dev/full"
    run bash -c '"$BAWN" --help >/dev/full'
    assert_status 1
    assert_contains "bawn: cannot write"
}

# ---- mistakes on the command line: exit 2, one line each that begins "bawn: " ----

mistake() {
    local want=$1
    shift
    run --separate-stderr bawn "$@"
    assert_status 2
    [ -z "$output" ] || bawn_fail "stdout is not empty"
    while IFS= read -r line; do
        [[ $line == "bawn: "* ]] || bawn_fail "a line without bawn: in front: $line"
    done <<<"$stderr"
    assert_contains "$want"
}

@test "mistakes are named, with what was meant" {
    mistake "no command given"
    mistake "did you mean bawn sandbox?" sandbx -- true
    mistake "unknown option --nope" --nope
    mistake "did you mean --sandbox?" sandbox --sandbix read-only -- true
    mistake "-s needs a value" sandbox -s
    mistake "did you mean read-only?" sandbox -s readonly -- true
    mistake "sandbox: no command given" sandbox
    mistake "sandbox: no command given" sandbox --
    mistake "command's name is empty" sandbox -- ""
    mistake "contradict" sandbox --yolo -s read-only -- true
    mistake "unknown value" sandbox -a sometimes -- true
    mistake "descriptor 77 is not open" sandbox --status-fd 77 -- true
    mistake "descriptor 77 is not open" sandbox --pass-fd 77 -- true
    mistake "no path given" explain
    mistake "a path is empty" explain ""
    mistake "say list, show or preset" permissions
    mistake "did you mean show?" permissions shwo
    mistake "one word too many" permissions list x
    mistake "one word too many" denials x
    mistake "not a positive number" denials --last 0
    mistake "did you mean fish?" completion fihs
    mistake "name one shell" completion
}

@test "a word that is not text is shown as bytes" {
    run --separate-stderr bawn $'\x1b[2J\xff'
    assert_status 2
    assert_contains '\x1b[2J\xff'
}

@test "with --json a message is an object" {
    run --separate-stderr bawn sandbox --sandbix --json -- true
    assert_status 2
    output=$stderr
    [ "$(json_get 'j["error"]')" = usage ]
    [ "$(json_get 'j["hint"]')" = "did you mean --sandbox?" ]
    [ "$(json_get 'sorted(j)')" = '["column", "error", "file", "hint", "line", "message"]' ]
}

@test "--json of the command itself is not bawn's" {
    run --separate-stderr bawn sandbox --sandbix -- true --json
    assert_status 2
    [[ $stderr == "bawn: "* ]]
}

# ---- where the program finds itself ----

@test "-C names a directory; one that is not there is an error" {
    run bawn sandbox -C "$SCRATCH/none" --explain
    assert_status 1
    assert_contains "bawn: cannot change to $SCRATCH/none"
    as_user mkdir sub
    run bawn explain -C sub --json x
    assert_status 0
    [ "$(json_get 'j[0]["resolved"]')" = "$WORK/sub/x" ]
}

@test "a relative BAWN_HOME is refused" {
    BAWN_HOME=here run bawn sandbox --explain
    assert_status 1
    assert_contains 'BAWN_HOME="here" is not an absolute path'
}

@test "without HOME, with a passwd entry and without one" {
    # An ordinary user's entry names a real home, which is no place for a test.
    [ "$(id -u)" -eq 0 ] || skip "needs root to be somebody without a home"
    run as_user env -u HOME -u BAWN_HOME "$BAWN" sandbox --explain
    assert_status 0
    run setpriv --reuid=61184 --regid=61184 --clear-groups env -u HOME -u BAWN_HOME \
        "$BAWN" sandbox -s read-only -- true
    assert_status 0
    assert_output ""
}

@test "a deleted working directory: read-only, with one warning" {
    as_user mkdir gone
    cd gone
    as_user rmdir ../gone
    run --separate-stderr bawn sandbox --explain --json
    assert_status 0
    [ "$(json_get 'j["mode"]')" = read-only ]
    [ "$(grep -c 'no longer exists' <<<"$stderr")" -eq 1 ]
    run bawn sandbox -s workspace-write --explain --json -q
    [ "$(json_get 'j["mode"]')" = read-only ]
}

@test "a working directory whose path is too long is said to be so" {
    name=$(printf 'a%.0s' {1..200})
    for _ in {1..21}; do
        as_user mkdir "$name"
        cd "./$name" 2>/dev/null || cd -P "./$name"
    done
    run --separate-stderr bawn sandbox -- true
    assert_status 1
    assert_contains "the working directory's path is too long"
}

@test "--add-dir that does not exist is an error" {
    run bawn sandbox --add-dir "$SCRATCH/none" --explain
    assert_status 1
    assert_contains "--add-dir $SCRATCH/none"
}

@test "version control decides the mode; a directory above counts" {
    run bawn sandbox --explain --json -q
    [ "$(json_get 'j["mode"]')" = read-only ]
    for vcs in .git .hg .jj .svn; do
        as_user mkdir -p "$vcs" a/b
        run bawn sandbox --explain --json -q -C a/b
        [ "$(json_get 'j["mode"]')" = workspace-write ]
        as_user rmdir "$vcs"
    done
    echo "gitdir: /elsewhere" | write_file "$WORK/.git"
    run bawn sandbox --explain --json -q
    [ "$(json_get 'j["mode"]')" = workspace-write ]
}

@test "looking leaves nothing behind" {
    make_repo
    run bawn sandbox --explain
    run bawn explain .
    run bawn permissions list
    run bawn denials
    [ "$(find "$HOME" "$TMPDIR" -mindepth 1 -not -path "$BAWN_HOME*" | wc -l)" -eq 0 ]
    [ ! -e "$BAWN_HOME/config.toml" ]
    if [ -e "$BAWN_HOME/state" ]; then
        [ "$(stat -c %a "$BAWN_HOME/state")" = 700 ]
    fi
}

# ---- configuration on the way in ----

@test "a broken file stops the start with its place" {
    write_config <<'TOML'
# a comment
sandbox_mode = "workspace"
TOML
    run --separate-stderr bawn sandbox -- true
    assert_status 1
    assert_contains "config.toml:2:16: sandbox_mode: unknown value"
    assert_contains '    2 | sandbox_mode = "workspace"'
    assert_contains '      |                ^~~~~~~~~~~ did you mean "workspace-write"?'
}

@test "the same as JSON" {
    echo 'sandbox_mode = "workspace"' | write_config
    run --separate-stderr bawn sandbox --json -- true
    assert_status 1
    output=$stderr
    [ "$(json_get 'j["line"], j["column"]')" = "(1, 16)" ]
    [ "$(json_get 'j["file"]')" = "$BAWN_HOME/config.toml" ]
}

@test "-c with an unknown key is an error, in a file a warning, with --strict-config an error" {
    run bawn sandbox -c sandbox_mod=1 --explain
    assert_status 1
    assert_contains "sandbox_mode"
    echo 'sandbox_mod = 1' | write_config
    run --separate-stderr bawn sandbox --explain
    assert_status 0
    run --separate-stderr bawn explain .
    assert_status 0
    assert_contains "bawn: warning: "
    run --separate-stderr bawn explain -q .
    [ -z "$stderr" ]
    run bawn sandbox --strict-config --explain
    assert_status 1
}

@test "a configuration profile that does not exist is an error" {
    run bawn sandbox -p nope --explain
    assert_status 1
    assert_contains '--profile "nope": there is no such profile'
    run bawn sandbox -p ../x --explain
    assert_status 1
}

@test "a permission profile that does not exist is an error" {
    run bawn sandbox -P nope --explain
    assert_status 1
    run bawn sandbox -P :workspac --explain
    assert_status 1
    assert_contains 'bawn: hint: did you mean ":workspace"?'
    run bawn sandbox -P :nope --explain
    assert_status 1
}

@test "--full-auto says that it is deprecated" {
    run --separate-stderr bawn sandbox --full-auto --explain --json
    assert_status 0
    assert_contains "deprecated"
    [ "$(json_get 'j["mode"]')" = workspace-write ]
}

@test "--yolo is full access" {
    run bawn sandbox --yolo --explain --json
    assert_status 0
    [ "$(json_get 'j["mode"]')" = danger-full-access ]
    run bawn sandbox --dangerously-bypass-approvals-and-sandbox -- sh -c 'exit 7'
    assert_status 7
}

# ---- exit statuses ----

@test "the command's own status, or 128 + signal" {
    for s in 0 1 2 3 42 125 255; do
        run bawn sandbox -- sh -c "exit $s"
        assert_status "$s"
    done
    run bawn sandbox -- sh -c 'kill -9 $$'
    assert_status 137
}

@test "127 not found, 126 not executable" {
    run -127 bawn sandbox -- /nonexistent/program
    assert_status 127
    assert_contains "bawn: "
    run -127 bawn sandbox -- no-such-program-here
    assert_status 127
    run bawn sandbox -- /etc/passwd
    assert_status 126
    run bawn sandbox -- /etc
    assert_status 126
}

@test "words of the command arrive as they are" {
    run bawn sandbox -- printf '%s|' "" -- '--json' $'a b\n' $'\xff' "'"
    assert_status 0
    assert_output "|--|--json|"$'a b\n|\xff|\'|'
    run bawn sandbox linux -- echo hi
    assert_output hi
}

# ---- explain ----

explain1() {
    run --separate-stderr bawn explain -q --json "$@"
    assert_status 0
}

@test "explain: writable, protected, outside" {
    make_repo
    explain1 src/x .git/config /etc/passwd "$HOME/x"
    [ "$(json_get '[(a["read"],a["write"],a["why"]) for a in j]')" = \
        '[[true, true, "granted"], [true, false, "protected"], [true, false, "granted"], [true, false, "granted"]]' ]
    [ "$(json_get 'sorted(j[0])')" = \
        '["entry", "file", "line", "path", "read", "resolved", "why", "write"]' ]
    explain1 -s read-only src/x
    [ "$(json_get 'j[0]["write"]')" = False ]
    explain1 -s danger-full-access /etc/passwd
    [ "$(json_get 'j[0]["write"]')" = True ]
}

@test "explain: what decides, with file and line" {
    write_config <<'TOML'
default_permissions = "mine"
[permissions.mine]
extends = ":workspace"
[permissions.mine.filesystem]
"~/secret" = "none"
":project_roots" = { "docs" = "read", "**/*.env" = "none" }
TOML
    make_repo
    explain1 ~/secret/key docs/x a/b.env other
    [ "$(json_get '[a["why"] for a in j]')" = '["masked", "granted", "masked", "granted"]' ]
    [ "$(json_get '[(a["read"],a["write"]) for a in j]')" = \
        '[[false, false], [true, false], [false, false], [true, true]]' ]
    [ "$(json_get 'j[0]["file"]')" = "$BAWN_HOME/config.toml" ]
    [ "$(json_get '[j[0]["line"], j[1]["line"]]')" = '[5, 6]' ]
    run bawn explain -q ~/secret/key
    assert_contains "no access (masked"
    assert_contains "config.toml:5)"
}

@test "explain: symlinks lead where they lead, missing parts and dangling links too" {
    make_repo
    as_user ln -s .git/config link
    as_user ln -s "$HOME/nowhere/file" dangling
    as_user ln -s . self
    as_user ln -s loop loop
    explain1 link dangling self/self/.git/hooks/x a/../.git/../new
    [ "$(json_get '[a["resolved"] for a in j]')" = \
        "[\"$WORK/.git/config\", \"$HOME/nowhere/file\", \"$WORK/.git/hooks/x\", \"$WORK/new\"]" ]
    [ "$(json_get '[a["write"] for a in j]')" = '[false, false, false, true]' ]
    run bawn explain loop
    assert_status 1
    assert_contains "loop: "
}

@test "explain: a masked symlink masks its target" {
    as_user mkdir "$HOME/real"
    as_user ln -s "$HOME/real" "$HOME/.ssh"
    write_config <<'TOML'
default_permissions = "mine"
[permissions.mine]
extends = ":workspace"
[permissions.mine.filesystem]
"~/.ssh" = "none"
TOML
    explain1 "$HOME/real/id" "$HOME/.ssh/id"
    [ "$(json_get '[a["read"] for a in j]')" = '[false, false]' ]
}

@test "explain: paths are bytes" {
    make_repo
    explain1 $'a\xff\nb'
    [ "$(json_get 'j[0]["path"].encode("utf-8","surrogateescape")')" = "b'a\\xff\\nb'" ]
    run bawn explain -q $'a\xff\nb'
    assert_contains 'a\xff\x0ab'
}

@test "explain: the sandbox's own /dev and /proc" {
    explain1 /dev/null /dev/sda /proc/version
    [ "$(json_get '[(a["read"],a["write"]) for a in j]')" = \
        '[[true, true], [false, false], [true, false]]' ]
}

# same PATH: explain's answer is what a command finds.
same() {
    local path=$1 read write
    shift
    run --separate-stderr bawn explain -q --json "$@" "$path"
    read=$(json_get 'j[0]["read"]') write=$(json_get 'j[0]["write"]')
    run bawn sandbox -q "$@" -- sh -c 'cat -- "$0" >/dev/null 2>&1 && echo True || echo False' "$path"
    assert_output "$read"
    run bawn sandbox -q "$@" -- sh -c '(: >>"$0") 2>/dev/null && echo True || echo False' "$path"
    assert_output "$write"
}

@test "explain says what the sandbox does" {
    make_repo
    as_user mkdir -p docs sub
    for f in docs/a sub/a.env plain .git/config; do echo x | write_file "$WORK/$f"; done
    echo x | write_file "$HOME/outside"
    as_user ln -s "$HOME/outside" out
    as_user ln -s .git/config in
    write_config <<'TOML'
[permissions.mine]
extends = ":workspace"
[permissions.mine.filesystem]
":project_roots" = { "docs" = "read", "**/*.env" = "none" }
TOML
    for mode in "-s read-only" "-s workspace-write" "-P mine"; do
        for p in docs/a sub/a.env plain .git/config "$HOME/outside" out in /dev/null; do
            # shellcheck disable=SC2086
            same "$p" $mode
        done
    done
}

# ---- permissions ----

@test "permissions list: built-in, configured, broken ones too, presets" {
    write_config <<'TOML'
[permissions.good]
description = "a good one"
extends = ":workspace"
[permissions.bad]
extends = "nothing"
TOML
    run --separate-stderr bawn permissions list
    assert_status 0
    for w in ":read-only" ":workspace" ":danger-full-access" "a good one" "broken: " preset:; do
        assert_contains "$w"
    done
    run --separate-stderr bawn permissions list --json
    [ "$(json_get '[r["name"] for r in j if r["broken"]]')" = '["bad"]' ]
    [ "$(json_get '[r["line"] for r in j if r["name"]=="good"]')" = '[1]' ]
    [ "$(json_get '[r["name"] for r in j if r["in_force"]]')" = '[":read-only"]' ]
}

@test "permissions show: the one in force, one by name, a preset" {
    make_repo
    run --separate-stderr bawn permissions show
    assert_status 0
    assert_contains "profile  :workspace"
    run --separate-stderr bawn permissions show --json :read-only
    [ "$(json_get 'j["name"], j["network"]')" = "(':read-only', 'off')" ]
    run --separate-stderr bawn permissions show preset:secrets
    assert_status 0
    assert_contains "["
    run bawn permissions show preset:secretz
    assert_status 1
    assert_contains "did you mean preset:secrets?"
    run bawn permissions show nope
    assert_status 1
}

# ---- denials ----

@test "denials: nothing recorded yet" {
    run --separate-stderr bawn denials
    assert_status 0
    [ -z "$output" ]
    assert_contains "no refusals are recorded"
}

@test "denials: readable lines, the last N, torn and hostile ones survived" {
    as_user mkdir -p -m 700 "$BAWN_HOME" "$BAWN_HOME/state"
    {
        echo '{"event":"denied","time":"2026-05-01T12:00:00Z","kind":"file","path":"/one","access":"write","rule":"R1","hint":"H1","process":{"pid":5,"exe":"/bin/sh"}}'
        echo 'garbage'
        printf '{"event":"denied","kind":"file","path":"/two\\u001b[2J\\udcff","rule":"R2","process":{"pid":6,"exe":"x"}}\n'
        echo '{"event":"denied","kind":"socket","host":"/run/x.sock","rule":"R3"}'
        printf '{"event":"denied","path":"/to'
    } | write_file "$BAWN_HOME/state/denials.jsonl"
    run --separate-stderr bawn denials
    assert_status 0
    assert_contains "2026-05-01T12:00:00Z  write /one by /bin/sh[5]"
    assert_contains "    refused by R1"
    assert_contains "    allowed by H1"
    assert_contains 'read /two\x1b[2J\xff by x[6]'
    assert_contains "connect to /run/x.sock"
    assert_contains "warning: 2 lines"
    run --separate-stderr bawn denials --last 1
    assert_output $'connect to /run/x.sock\n    refused by R3'
    run --separate-stderr bawn denials --json -n 2
    [ "${#lines[@]}" -eq 2 ]
    output=${lines[0]}
    [ "$(json_get 'j["process"]["pid"]')" = 6 ]
}

@test "denials: a FIFO or a link in its place is not read" {
    as_user mkdir -p -m 700 "$BAWN_HOME" "$BAWN_HOME/state"
    as_user mkfifo "$BAWN_HOME/state/denials.jsonl"
    run timeout 5 "$BAWN" --version
    run as_user timeout 5 "$BAWN" denials
    assert_status 1
    as_user rm "$BAWN_HOME/state/denials.jsonl"
    as_user ln -s /etc/passwd "$BAWN_HOME/state/denials.jsonl"
    run bawn denials
    assert_status 1
}

# ---- completion ----

@test "bash completion: syntax, commands, options, values" {
    bawn completion bash >"$SCRATCH/c.bash"
    bash -n "$SCRATCH/c.bash"
    complete_words() {
        # shellcheck disable=SC2016
        PATH="$(dirname "$BAWN"):$PATH" bash -c 'compopt() { :; }; source "$1"; shift
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _bawn; printf "%s\n" "${COMPREPLY[@]}"' \
            _ "$SCRATCH/c.bash" "$@"
    }
    run complete_words bawn ""
    for c in $COMMANDS; do [[ " ${lines[*]} " == *" $c "* ]]; done
    run complete_words bawn sand
    assert_output sandbox
    run complete_words bawn sandbox --log
    assert_output --log-denials
    run complete_words bawn sandbox -s w
    assert_output workspace-write
    run complete_words bawn sandbox --ask-for-approval nev
    assert_output never
    run complete_words bawn permissions preset git
    assert_output git-read
    run complete_words bawn permissions l
    assert_output list
    run complete_words bawn sandbox -P :work
    assert_contains ":workspace"
    run complete_words bawn sandbox -s read-only -- ls --lo
    refute_contains "--log-denials"
}

@test "zsh and fish completion: syntax" {
    bawn completion zsh >"$SCRATCH/_bawn"
    bawn completion fish >"$SCRATCH/c.fish"
    for c in $COMMANDS; do
        grep -q "$c" "$SCRATCH/_bawn"
        grep -q "$c" "$SCRATCH/c.fish"
    done
    if command -v zsh >/dev/null; then zsh -n "$SCRATCH/_bawn"; fi
    if command -v fish >/dev/null; then fish -n "$SCRATCH/c.fish"; fi
}

# ---- as root ----

@test "root: the same answers; a home of somebody else gets no files" {
    run bawn_as_root explain -q --json x
    assert_status 0
    run bawn_as_root sandbox -s read-only -q -- true
    assert_status 0
    [ "$(find "$HOME" -user 0 | wc -l)" -eq 0 ]
}

#!/usr/bin/env bats
# bawn trust, bawn untrust: what is written, what holds afterwards, what is refused.

load helper

setup() {
    bawn_setup
    TRUST=$BAWN_HOME/trust.toml
    make_repo
    as_user mkdir -p "$WORK/sub/deep"
}
teardown() { bawn_teardown; }

# git as the ordinary user, with nobody's configuration.
git_as_user() {
    as_user env GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b \
        GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b git "$@"
}

trust_is() {
    [ "$(cat "$TRUST")" = "$1" ] || bawn_fail "trust.toml is: $(cat "$TRUST")"
}

# The level that holds in DIR, by a question that changes nothing. (What --forget says about a folder
# without an entry of its own.)
level_of() {
    (cd "$1" && bawn untrust --forget --json "${2:-.}") |
        python3 -c 'import json,sys; print(json.load(sys.stdin)["trust_level"])'
}

@test "the project that one is in" {
    cd "$WORK/sub/deep"
    run -0 bawn trust
    assert_output "trusted: $WORK (project root of $WORK/sub/deep)"
    trust_is "[projects.\"$WORK\"]
trust_level = \"trusted\""
    [ "$(stat -c %a "$BAWN_HOME" "$TRUST" | tr '\n' ' ')" = "700 600 " ] ||
        bawn_fail "modes: $(stat -c '%a %n' "$BAWN_HOME" "$TRUST")"
    cd "$WORK"
    run -0 bawn trust
    assert_output "trusted: $WORK"
    run -0 bawn trust --json
    [ "$(json_get 'j["changed"]')" = False ]
    run -0 bawn untrust
    assert_output "untrusted: $WORK"
    trust_is "[projects.\"$WORK\"]
trust_level = \"untrusted\""
    run -0 bawn untrust --forget
    assert_output "unknown: $WORK"
    run ! grep -q trust_level "$TRUST"
    run -0 bawn untrust --forget --json
    [ "$(json_get 'j["changed"]')" = False ]
    [ "$(json_get 'j["entry"]')" = None ]
    [ -z "$(find "$BAWN_HOME" -name '*.tmp')" ]
}

@test "the folder itself where nothing marks a project" {
    rm -r "$WORK/.git"
    cd "$WORK/sub"
    run -0 bawn trust
    assert_output "trusted: $WORK/sub"
    [ "$(level_of "$WORK")" = unknown ]
    [ "$(level_of "$WORK/sub/deep")" = unknown ]
    # bawn's own placeholder is no mark.
    as_user mkdir "$WORK/.git"
    cd "$WORK/sub/deep"
    run -0 bawn trust
    assert_output "trusted: $WORK/sub/deep"
}

@test "markers are the configuration's" {
    write_config <<<'project_root_markers = ["Makefile"]'
    as_user touch "$WORK/sub/Makefile"
    cd "$WORK/sub/deep"
    run -0 bawn trust
    assert_output "trusted: $WORK/sub (project root of $WORK/sub/deep)"
}

@test "a path that is named is taken as it is" {
    as_user ln -s work "$SCRATCH/link"
    cd "$SCRATCH"
    run -0 bawn trust link/sub/../sub/
    assert_output "trusted: $WORK/sub"
    run -0 bawn trust "$WORK/sub/deep"
    assert_output "trusted: $WORK/sub/deep"
    run -0 bawn trust --list
    assert_contains "trusted    $WORK/sub ($TRUST:2)"
    assert_contains "trusted    $WORK/sub/deep ("
    # ".." behind a link is its target's parent.
    as_user ln -s work/sub/deep "$SCRATCH/far"
    run -0 bawn trust far/..
    assert_output "trusted: $WORK/sub"
}

@test "--recursive covers what is below, and is taken back" {
    as_user mkdir -p "$SCRATCH/all/p" "$SCRATCH/allied"
    make_repo "$SCRATCH/all/p"
    run -0 bawn trust --recursive "$SCRATCH/all"
    assert_output "trusted: $SCRATCH/all and every folder below it"
    cd "$SCRATCH/all/p"
    run -0 bawn untrust --forget
    assert_output "trusted: $SCRATCH/all/p (by the entry of $SCRATCH/all, $TRUST:3)"
    [ "$(level_of "$SCRATCH/allied")" = unknown ]
    # A project in it that is not trusted, its sub-folders neither.
    run -0 bawn untrust
    as_user mkdir "$SCRATCH/all/p/s"
    [ "$(level_of "$SCRATCH/all/p/s")" = untrusted ]
    [ "$(level_of "$SCRATCH/all")" = unknown ] # --forget took the entry itself
    run -0 bawn trust --recursive "$SCRATCH/all"
    run -0 bawn trust "$SCRATCH/all"
    assert_output "trusted: $SCRATCH/all"
    run ! grep -q recursive "$TRUST"
    # Withdrawn trust covers what was covered.
    run -0 bawn trust --recursive "$SCRATCH/all"
    run -0 bawn untrust "$SCRATCH/all"
    assert_output "untrusted: $SCRATCH/all and every folder below it"
}

# BYTES ARGS…: bawn, killed when it writes a file longer than BYTES.
bawn_dies_at() {
    as_user prlimit --fsize="$1" --core=0 "$BAWN" "${@:2}"
}

@test "a crash between two edits leaves no more trust than was asked for" {
    entry="[projects.\"$WORK\"]
"
    run ! bawn_dies_at $((${#entry} + 20)) trust --recursive
    trust_is "${entry}recursive = true"
    run -0 bawn trust --list --json
    [ "$(json_get 'len(j)')" = 0 ]
    run -0 bawn trust
    run ! bawn_dies_at $((${#entry} + 30)) untrust --recursive
    trust_is "${entry}trust_level = \"untrusted\""
    # What narrows comes first: the other way round the first file written would be the longer one.
    run -0 bawn untrust --recursive
    run -0 bawn_dies_at $(($(stat -c %s "$TRUST") - 8)) trust
    assert_output "trusted: $WORK"
    [ -z "$(find "$BAWN_HOME" -name '*.tmp')" ]
}

@test "linked worktrees have their main repository's trust, look-alikes do not" {
    as_user rm -r "$WORK/.git"
    git_as_user init -q "$WORK"
    git_as_user -C "$WORK" commit -q --allow-empty -m x
    git_as_user -C "$WORK" worktree add -q ../wt
    as_user mkdir "$SCRATCH/evil"
    as_user cp "$SCRATCH/wt/.git" "$SCRATCH/evil/.git"
    run -0 bawn trust
    [ "$(level_of "$SCRATCH/wt")" = trusted ]
    [ "$(level_of "$SCRATCH/evil")" = unknown ]
    as_user mv "$SCRATCH/wt" "$SCRATCH/moved"
    [ "$(level_of "$SCRATCH/moved")" = unknown ]
    git_as_user -C "$SCRATCH/moved" worktree repair 2>/dev/null
    [ "$(level_of "$SCRATCH/moved")" = trusted ]
    cd "$SCRATCH/moved"
    run -0 bawn untrust
    assert_output "untrusted: $SCRATCH/moved"
    [ "$(level_of "$WORK/sub" "$WORK/sub")" = trusted ]
}

@test "what another file says is told, and fails" {
    printf '# mine\n[projects."%s"]\ntrust_level = "untrusted"\n' "$WORK" | write_config
    run -1 --separate-stderr bawn trust
    assert_output "untrusted: $WORK"
    # shellcheck disable=SC2154 # bats sets it
    [[ $stderr == *"another one says untrusted, and that holds"*"$BAWN_HOME/config.toml:3"* ]] || bawn_fail stderr
    run -1 --separate-stderr bawn trust --json
    [ "$(json_get 'j["trust_level"], j["entry"]["file"].split("/")[-1], j["entry"]["line"]')" = \
        "('untrusted', 'config.toml', 3)" ]
    run -0 bawn untrust --forget
    assert_output "untrusted: $WORK"
    run -0 bawn trust --list --json
    [ "$(json_get '[(e["path"].split("/")[-1], e["trust_level"], e["layer"]) for e in j]')" = \
        '[["work", "untrusted", "user"]]' ]
}

@test "comments and order of trust.toml stay" {
    printf '# by hand\n[projects."~/q"] # q\r\ntrust_level = "trusted" # since May\n\n[projects."/z"]\ntrust_level = "untrusted"' |
        write_file "$TRUST"
    cp "$TRUST" "$SCRATCH/before"
    run -0 bawn trust
    [ "$(head -c "$(stat -c %s "$SCRATCH/before")" "$TRUST")" = "$(cat "$SCRATCH/before")" ] ||
        bawn_fail "$(cat "$TRUST")"
    run -0 bawn trust --list
    [ "${#lines[@]}" -eq 3 ]
    assert_contains "trusted    $HOME/q ($TRUST:3)"
}

@test "names of every kind" {
    odd=$'a "b" \\c\n[x] = é'
    as_user mkdir "$WORK/$odd"
    cd "$WORK/$odd"
    run -0 bawn trust .
    assert_output "trusted: $WORK/a \"b\" \\c\\x0a[x] = é"
    run -0 bawn trust --list --json
    [ "$(json_get 'j[0]["path"].split("/")[-1] == "a \"b\" \\c\n[x] = é"')" = True ]
    run -0 bawn untrust --forget .
    assert_contains "unknown: "
    as_user mkdir "$WORK/"$'\xff'
    run -2 bawn trust "$WORK/"$'\xff'
    assert_contains 'the name is not UTF-8'
    [ "$(wc -l <<<"$output")" -eq 1 ]
}

@test "what is refused, in one line, changes nothing" {
    as_user mkdir "$SCRATCH/open"
    as_user touch "$WORK/file"
    as_user chmod 1777 "$SCRATCH/open"
    while IFS='|' read -r args why; do
        # shellcheck disable=SC2086
        run -2 bawn $args
        [[ ${lines[0]} == *"$why"* ]] || bawn_fail "$args: expected: $why"
        [[ ${#lines[@]} -eq 1 || (${#lines[@]} -eq 2 && ${lines[1]} == "bawn: hint: "*) ]] || bawn_fail "$args"
    done <<ROWS
trust /|every file of the machine
trust --recursive /|every file of the machine
trust --recursive $HOME|downloaded or unpacked
trust --recursive $SCRATCH|downloaded or unpacked
trust $SCRATCH/open|everybody can put files there
trust $SCRATCH/none|does not exist
trust $WORK/file/x|does not exist
trust $WORK/file|is not a directory
untrust $SCRATCH/none|does not exist
trust a b|one word too many
untrust a b|one word too many
trust --list $WORK|one word too many
trust --list --recursive|contradict each other
untrust --forget --recursive|contradict each other
trust --forget|unknown option
untrust --list|unknown option
ROWS
    run -2 bawn trust ''
    assert_contains "the path is empty"
    [ ! -e "$TRUST" ]
    # None of it keeps anybody from withdrawing trust.
    run -0 bawn untrust /
    run -0 bawn untrust --recursive "$HOME"
    run -0 bawn untrust --forget "$SCRATCH/none"
    assert_output "unknown: $SCRATCH/none"
}

@test "the home directory has to be named" {
    make_repo "$HOME"
    as_user mkdir "$HOME/d"
    cd "$HOME/d"
    run -2 bawn trust
    assert_contains "the project root here is the home directory, $HOME"
    run -0 bawn trust .
    assert_output "trusted: $HOME/d"
    run -0 bawn trust "$HOME"
    assert_output "trusted: $HOME"
    # The folder's own entry has the last word there.
    run -1 bawn untrust
    assert_contains "trusted: $HOME/d (by the entry of $HOME/d, $TRUST:2)"
    assert_contains "another one says trusted, and that holds"
    cd "$HOME"
    run -0 bawn untrust
    assert_output "untrusted: $HOME"
}

@test "files that cannot be read or written" {
    write_config <<<'x = ['
    run -0 --separate-stderr bawn untrust
    assert_output "untrusted: $WORK"
    [[ $stderr == "bawn: warning: $BAWN_HOME/config.toml:"* && $stderr != *$'\n'* ]] || bawn_fail stderr
    write_file "$TRUST" <<<'projects = 1'
    for command in trust untrust "trust --list"; do
        # shellcheck disable=SC2086
        run -1 bawn $command
        assert_contains "trust.toml:1:12: projects: expected a table"
    done
    [ "$(cat "$TRUST")" = 'projects = 1' ]
    as_user rm "$TRUST"
    as_user chmod 500 "$BAWN_HOME"
    run -1 bawn trust
    assert_contains "Permission denied"
    run -1 as_user env BAWN_HOME=/proc/none "$BAWN" trust
    assert_contains "/proc/none/trust.toml"
    run -1 as_user env BAWN_HOME=relative "$BAWN" trust
    assert_contains "not an absolute path"
}

@test "a directory that is gone" {
    cd "$WORK/sub/deep"
    rmdir "$WORK/sub/deep"
    run -2 bawn trust
    assert_contains "the working directory no longer exists"
    run -2 bawn trust .
    assert_contains "the working directory no longer exists"
    run -0 bawn trust "$WORK"
    assert_output "trusted: $WORK"
}

@test "a confined command cannot trust its own project" {
    run -0 bawn untrust
    run ! --separate-stderr bawn sandbox -s workspace-write --add-dir "$HOME" -- "$BAWN" trust
    [[ $stderr == *"Read-only file system"* ]] || bawn_fail "expected a read-only home"
    trust_is "[projects.\"$WORK\"]
trust_level = \"untrusted\""
}

@test "nothing to list" {
    run -0 --separate-stderr bawn trust --list
    assert_output ""
    run -0 bawn trust --list --json
    [ "$(json_get 'len(j)')" = 0 ]
    [ ! -e "$BAWN_HOME" ]
}

#!/usr/bin/env bats
# bawn config set: the file is the old text or the new one whatever happens, and says why when it cannot
# be the new one. What an edit does to the text is in tests/unit/test_edit.c.

load helper

setup() { bawn_setup; }
teardown() { bawn_teardown; }

drive() {
    export BAWN
    run as_user /usr/bin/python3 "$BATS_TEST_DIRNAME/config_set.py" "$@"
    assert_status 0
}

# the_file TEXT: config.toml holds it, and no temporary file is beside it.
the_file() {
    [ "$(cat "$BAWN_HOME/config.toml")" = "$1" ] || bawn_fail "$(cat "$BAWN_HOME/config.toml")"
    [ -z "$(find "$BAWN_HOME" -name '*.tmp')" ] || bawn_fail "a temporary file is left"
}

# refused TEXT: exit status 1, one line, which names the file.
refused() {
    assert_status 1
    [ "${#lines[@]}" -eq 1 ] || bawn_fail "more than one line"
    assert_contains "bawn: cannot write $BAWN_HOME/config.toml"
    assert_contains "$1"
}

# mounted OPTIONS SCRIPT: SCRIPT in a user and mount namespace, with a tmpfs of OPTIONS at $BAWN_HOME.
mounted() {
    as_user mkdir -p "$BAWN_HOME"
    export BAWN
    run as_user unshare -Urm sh -c "mount -t tmpfs -o mode=700,$1 none \"\$BAWN_HOME\" || exit 99
        $2"
}

# ---- what it does ----

@test "config set makes the file and its directory, for their owner alone" {
    run bawn config set sandbox_mode read-only
    assert_status 0
    assert_output ""
    the_file 'sandbox_mode = "read-only"'
    [ "$(stat -c %a "$BAWN_HOME" "$BAWN_HOME/config.toml" | tr '\n' ' ')" = "700 600 " ]
}

@test "config set keeps comments, order and mode; a second time changes nothing" {
    printf '# mine\n[limits] # here\nprocesses = 3 # why\n\n# end\n' | write_config
    as_user chmod 640 "$BAWN_HOME/config.toml"
    run bawn config set limits.processes 4
    assert_status 0
    the_file '# mine
[limits] # here
processes = 4 # why

# end'
    [ "$(stat -c %a "$BAWN_HOME/config.toml")" = 640 ]
    before=$(stat -c %i "$BAWN_HOME/config.toml")
    run bawn config set limits.processes 4 -v
    assert_status 0
    assert_contains "as it was already"
    [ "$(stat -c %i "$BAWN_HOME/config.toml")" = "$before" ]
}

@test "config set --unset removes the key, and one that nobody knows" {
    printf 'sandbox_mdoe = 1\nsandbox_mode = "read-only"\n' | write_config
    run bawn config set --unset sandbox_mdoe
    assert_status 0
    the_file 'sandbox_mode = "read-only"'
    run bawn config set --unset sandbox_mdoe
    assert_status 1
    assert_contains "sandbox_mdoe is not set in $BAWN_HOME/config.toml"
}

@test "a value that is no TOML is a string, in quotes" {
    run bawn config set shell_environment_policy.set.X 'a "b" \ c'
    assert_status 0
    the_file '[shell_environment_policy.set]
X = "a \"b\" \\ c"'
}

@test "what is set is read by the next start" {
    run bawn config set sandbox_mode read-only
    run bawn sandbox --explain --json -- true
    assert_status 0
    [ "$(json_get 'j["mode"]')" = read-only ]
}

@test "an unknown key, a wrong value and a broken file are refused and nothing is made" {
    run bawn config set sandbox_mdoe read-only
    assert_status 1
    assert_contains 'did you mean "sandbox_mode"?'
    run bawn config set sandbox_mode raed-only
    assert_status 1
    assert_contains 'did you mean "read-only"?'
    run bawn config set limits.processes '"many"'
    assert_status 1
    [ ! -e "$BAWN_HOME" ]
    printf 'a = = 1\n' | write_config
    run bawn config set sandbox_mode read-only
    assert_status 1
    assert_contains "$BAWN_HOME/config.toml:1:5"
    the_file 'a = = 1'
    [ "$(ls "$BAWN_HOME")" = config.toml ]
}

@test "a mistake on the command line is usage" {
    for words in "" "ste a b" "set" "set a" "set a b c" "set --unset" "set --unset a b" "set a..b 1"; do
        # shellcheck disable=SC2086
        run bawn config $words
        assert_status 2
    done
    run bawn config ste a b
    assert_contains "did you mean bawn config set?"
}

@test "a symlink stays one" {
    as_user mkdir -p "$HOME/dotfiles" "$BAWN_HOME"
    as_user ln -s ../dotfiles/bawn.toml "$BAWN_HOME/config.toml"
    run bawn config set sandbox_mode read-only
    assert_status 1
    assert_contains "a symlink to a file that does not exist"
    printf '# mine\n' | write_file "$HOME/dotfiles/bawn.toml"
    run bawn config set sandbox_mode read-only
    assert_status 0
    [ -L "$BAWN_HOME/config.toml" ]
    the_file '# mine

sandbox_mode = "read-only"'
    [ -z "$(find "$HOME/dotfiles" -name '*.tmp')" ]
}

@test "root makes nothing in a directory of somebody else" {
    write_config </dev/null
    run bawn_as_root config set sandbox_mode read-only
    assert_status 1
    assert_contains "cannot write $BAWN_HOME/config.toml: its directory belongs to user"
    [ "$(ls "$BAWN_HOME")" = config.toml ]
}

# ---- when it cannot ----

@test "killed on entering each of its system calls: the old file or the new one" {
    drive kill-each
}

@test "the same when there is no file and no directory yet" {
    drive kill-missing
}

@test "killed at any time" {
    drive kill-random
}

@test "each call that makes the new file fails once" {
    drive faults
}

@test "eight writers at once: all keys are there" {
    drive writers
}

@test "a full disk" {
    # shellcheck disable=SC2016
    mounted size=16k 'echo "# mine" >"$BAWN_HOME/config.toml"
        cat /dev/zero >"$BAWN_HOME/full" 2>/dev/null
        "$BAWN" config set sandbox_mode read-only 2>"$TMPDIR/said"; echo "status $?"
        cat "$BAWN_HOME/config.toml"; ls "$BAWN_HOME"
        rm "$BAWN_HOME/full"; "$BAWN" config set sandbox_mode read-only && ls "$BAWN_HOME"'
    assert_output "status 1
# mine
config.toml
config.toml.lock
full
config.toml
config.toml.lock"
    output=$(cat "$TMPDIR/said")
    status=1
    mapfile -t lines <"$TMPDIR/said"
    refused "No space left on device"
}

@test "no inode left for the temporary file" {
    # shellcheck disable=SC2016
    mounted nr_inodes=3 'echo "# mine" >"$BAWN_HOME/config.toml"
        "$BAWN" config set sandbox_mode read-only 2>"$TMPDIR/said"; echo "status $?"
        cat "$BAWN_HOME/config.toml"; ls "$BAWN_HOME"'
    assert_output "status 1
# mine
config.toml
config.toml.lock"
    output=$(cat "$TMPDIR/said")
    status=1
    mapfile -t lines <"$TMPDIR/said"
    refused "No space left on device"
}

@test "the limit of a file's size" {
    printf '# mine\n' | write_config
    run as_user prlimit --fsize=0 "$BAWN" config set sandbox_mode read-only
    refused "File too large"
    the_file '# mine'
}

@test "a read-only file system" {
    # shellcheck disable=SC2016
    mounted size=64k 'echo "allow_ptrace = true" >"$BAWN_HOME/config.toml"
        mount -o remount,bind,ro "$BAWN_HOME" || exit 99
        "$BAWN" config set allow_ptrace true && echo as it was
        "$BAWN" config set allow_ptrace false 2>"$TMPDIR/said"; echo "status $?"; ls "$BAWN_HOME"'
    assert_output "as it was
status 1
config.toml"
    output=$(cat "$TMPDIR/said")
    status=1
    mapfile -t lines <"$TMPDIR/said"
    refused "Read-only file system"
}

@test "a home that may not be written" {
    as_user chmod 500 "$HOME"
    run bawn config set sandbox_mode read-only
    refused "Permission denied"
    [ ! -e "$BAWN_HOME" ]
    as_user chmod 700 "$HOME"
    printf '# mine\n' | write_config
    as_user chmod 500 "$BAWN_HOME"
    run bawn config set sandbox_mode read-only
    refused "Permission denied"
    the_file '# mine'
    [ "$(ls "$BAWN_HOME")" = config.toml ]
}

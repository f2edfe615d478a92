#!/usr/bin/env bats
# The layers of configuration, seen from outside: whose files are heard, what a project's file may say,
# and that it holds inside. What stands in /etc/bawn is in requirements.bats.

load helper

setup() {
    bawn_setup
    make_repo
    as_user mkdir -p "$WORK/sub"
}
teardown() { bawn_teardown; }

# The project's file, heard.
project() {
    write_file "$WORK/.bawn/config.toml"
    bawn trust -q "$WORK" >/dev/null
}

# One line of bawn's own, no more; the excerpt below it is indented.
assert_one_line() {
    [ "$(printf '%s\n' "$output" | grep -c '^bawn: ')" -eq 1 ] || bawn_fail "expected one line of bawn's"
    [ -z "$(printf '%s\n' "$output" | grep -Ev '^(bawn: |  )')" ] || bawn_fail "expected nothing else"
}

@test "a project's floor holds inside, whatever the user's profile opens" {
    as_user mkdir -p "$SCRATCH/s/in" "$WORK/keys"
    for f in "$SCRATCH/s/a" "$SCRATCH/s/in/b" "$WORK/keys/k" "$WORK/x.pem"; do
        as_user sh -c "echo secret >$f"
    done
    as_user ln -s "$SCRATCH/s/in/b" "$WORK/link"
    project <<EOF
[permissions.any.filesystem]
"$SCRATCH/s" = "none"
":workspace_roots" = { "keys" = "none", "**/*.pem" = "none" }

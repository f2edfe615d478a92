# shellcheck shell=bash
# What every black-box test starts from: the built program, a scratch home, an ordinary user.
#
#   load helper                 # at the top of the .bats file (`load ../cli/helper` from elsewhere)
#   setup()    { bawn_setup; }
#   teardown() { bawn_teardown; }
#
# $BAWN        the program under test (meson sets it; by hand: BAWN=build/src/cli/bawn bats tests/cli)
# $SCRATCH     a directory of this test alone, removed by bawn_teardown. Not below /tmp: the sandbox
#              leaves /tmp writable, and a test of "cannot be written" would prove nothing there
# $HOME, $BAWN_HOME (= $HOME/.bawn, not made), $TMPDIR, $WORK (the working directory): in $SCRATCH
# $BAWN_TEST_USER  whom the tests run as when root starts them
#
# as_user CMD…   runs CMD as the ordinary user (already one: just runs it)
# bawn ARGS…     the program as the ordinary user
# bawn_as_root ARGS…   the program as root; skips the test when nobody here is root

bats_require_minimum_version 1.5.0

BAWN_TEST_USER=${BAWN_TEST_USER:-bawn-test}

# An ordinary user that owns nothing. Not "nobody": 65534 is what unmapped ids look like in a user
# namespace, and a test could not tell the two apart.
bawn_user_ids() {
    if ! id -u "$BAWN_TEST_USER" >/dev/null 2>&1; then
        useradd --system --user-group --no-create-home --home-dir /nonexistent \
            --shell /bin/sh "$BAWN_TEST_USER" >/dev/null 2>&1 || true
    fi
    if ! BAWN_TEST_UID=$(id -u "$BAWN_TEST_USER" 2>/dev/null) ||
        ! BAWN_TEST_GID=$(id -g "$BAWN_TEST_USER" 2>/dev/null); then
        BAWN_TEST_UID=61183 BAWN_TEST_GID=61183 # no useradd here, or it lost a race
    fi
}

as_user() {
    if [ "$(id -u)" -ne 0 ]; then
        "$@"
    else
        setpriv --reuid="$BAWN_TEST_UID" --regid="$BAWN_TEST_GID" --clear-groups -- "$@"
    fi
}

bawn() {
    as_user "$BAWN" "$@"
}

bawn_as_root() {
    [ "$(id -u)" -eq 0 ] || skip "needs root"
    "$BAWN" "$@"
}

bawn_setup() {
    if [ -z "${BAWN:-}" ] || [ ! -x "$BAWN" ]; then
        echo "BAWN must name the built program (it is '${BAWN:-}')" >&2
        return 1
    fi
    BAWN=$(readlink -f "$BAWN")
    SCRATCH=$(mktemp -d "${BAWN_TEST_DIR:-/var/tmp}/bawn-test.XXXXXX")
    HOME=$SCRATCH/home BAWN_HOME=$SCRATCH/home/.bawn TMPDIR=$SCRATCH/tmp WORK=$SCRATCH/work
    mkdir "$HOME" "$TMPDIR" "$WORK"
    chmod 755 "$SCRATCH"
    if [ "$(id -u)" -eq 0 ]; then
        bawn_user_ids
        chown -R "$BAWN_TEST_UID:$BAWN_TEST_GID" "$SCRATCH"
        # A build tree below a closed home cannot be reached by the ordinary user.
        if ! as_user test -x "$BAWN"; then
            local tree helper
            tree=$(dirname "$BAWN")/..
            install -D -m 755 "$BAWN" "$SCRATCH/bin/bawn"
            for helper in proxy intercept exporter; do
                if [ -x "$tree/$helper/bawn-$helper" ]; then
                    install -D -m 755 "$tree/$helper/bawn-$helper" \
                        "$SCRATCH/libexec/bawn/bawn-$helper"
                fi
            done
            BAWN=$SCRATCH/bin/bawn
        fi
    fi
    export HOME BAWN_HOME TMPDIR
    unset XDG_CONFIG_HOME XDG_RUNTIME_DIR XDG_STATE_HOME BAWN_SANDBOX CODEX_SANDBOX
    cd "$WORK" || return 1
}

bawn_teardown() {
    cd / || return 0
    [ -n "${SCRATCH:-}" ] && [ -d "$SCRATCH" ] || return 0
    chmod -R u+rwX "$SCRATCH" 2>/dev/null || true
    rm -rf -- "$SCRATCH"
}

# write_file PATH <<TEXT: a file of the ordinary user, with its directories.
write_file() {
    as_user mkdir -p "$(dirname "$1")"
    as_user tee "$1" >/dev/null
}

# write_config <<TEXT: the user's configuration.
write_config() {
    write_file "$BAWN_HOME/config.toml"
}

# make_repo [DIR]: enough of a Git repository to be taken for one (no git needed).
make_repo() {
    local d=${1:-$WORK}
    as_user mkdir -p "$d/.git/objects" "$d/.git/refs/heads" "$d/.git/hooks"
    printf 'ref: refs/heads/main\n' | as_user tee "$d/.git/HEAD" >/dev/null
    printf '[core]\n\trepositoryformatversion = 0\n' | as_user tee "$d/.git/config" >/dev/null
}

# What failed is shown: status, output, stderr when separate.
bawn_fail() {
    printf '%s\n' "$1"
    printf -- '--- status %s\n--- output\n%s\n' "${status:-}" "${output:-}"
    [ -z "${stderr:-}" ] || printf -- '--- stderr\n%s\n' "$stderr"
    return 1
}

assert_status() {
    [ "$status" -eq "$1" ] || bawn_fail "expected status $1"
}

# assert_output TEXT: the whole output. assert_contains/refute_contains TEXT: a part of it, or of
# $stderr where the run was made with --separate-stderr.
assert_output() {
    [ "$output" = "$1" ] || bawn_fail "expected output: $1"
}

assert_contains() {
    case "$output${stderr:+
$stderr}" in
    *"$1"*) ;;
    *) bawn_fail "expected to contain: $1" ;;
    esac
}

refute_contains() {
    case "$output${stderr:+
$stderr}" in
    *"$1"*) bawn_fail "expected not to contain: $1" ;;
    esac
}

# json_get EXPRESSION: evaluates a Python expression over the JSON in $output, called j. Prints it.
# Every test that asks for JSON goes through a real parser.
json_get() {
    printf '%s' "$output" | (cd / &&
        python3 -c 'import json,sys; j=json.load(sys.stdin); r=eval(sys.argv[1]); print(r if not isinstance(r,(dict,list)) else json.dumps(r))' "$1")
}

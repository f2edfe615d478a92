#!/usr/bin/env bats
# What an administrator fixes, seen from outside. Every run has an /etc of its own: a mount namespace in
# which an overlay stands over the machine's, so that /etc/bawn can be anything and nothing is left.

load helper

setup() {
    bawn_setup
    [ "$(id -u)" -eq 0 ] || skip "needs root, for a mount namespace with another /etc"
    make_repo
    ETC=$SCRATCH/etc-bawn # what /etc/bawn is to be, owners and modes included
    mkdir "$ETC" "$SCRATCH/overlay"
    chown root:root "$ETC"
    chmod 755 "$ETC"
}
teardown() { bawn_teardown; }

# with_etc CMD…: CMD as root, where /etc/bawn is $ETC.
with_etc() {
    OVERLAY=$SCRATCH/overlay ETC=$ETC unshare -m sh -euc '
        mount --make-rprivate /
        mount -t tmpfs none "$OVERLAY"
        mkdir "$OVERLAY/upper" "$OVERLAY/work"
        mount -t overlay -o "lowerdir=/etc,upperdir=$OVERLAY/upper,workdir=$OVERLAY/work" none /etc
        rm -rf /etc/bawn
        cp -a "$ETC" /etc/bawn
        exec "$@"' sh "$@"
}

# bawn as the ordinary user, in that /etc.
managed() {
    with_etc setpriv --reuid="$BAWN_TEST_UID" --regid="$BAWN_TEST_GID" --clear-groups -- "$BAWN" "$@"
}

requirements() {
    cat >"$ETC/requirements.toml"
    chmod 644 "$ETC/requirements.toml"
}

@test "a value that somebody chose and that is not allowed: both places, and what is allowed" {
    requirements <<<'allowed_sandbox_modes = ["read-only", "workspace-write"]'
    write_config <<<'sandbox_mode = "danger-full-access"'
    run managed sandbox -- true
    assert_status 1
    assert_contains "sandbox_mode = \"danger-full-access\" ($BAWN_HOME/config.toml:1) is not allowed"
    assert_contains "/etc/bawn/requirements.toml:1 allows read-only and workspace-write"
    run managed sandbox -s workspace-write -- true
    assert_status 0
    run managed sandbox -P :danger-full-access -- true
    assert_status 1
    run managed sandbox -s workspace-write -c sandbox_backend=external -- true
    assert_status 1
    assert_contains "external"
}

@test "a default that is not allowed gives way, with one line; stricter is always allowed" {
    requirements <<<'allowed_sandbox_modes = ["read-only"]'
    run managed sandbox -- sh -c 'echo x >f'
    [ "$status" -ne 0 ] && [ ! -e f ] || bawn_fail "it wrote"
    assert_contains 'sandbox_mode is "read-only" instead of the default "workspace-write": /etc/bawn/requirements.toml:1'
    requirements <<<'allowed_approval_policies = ["on-request"]'
    run managed config show --json -a untrusted
    assert_status 0
    [ "$(json_get 'j["resolved"]["approval_policy"]')" = untrusted ]
    run managed config show -a never
    assert_status 1
}

@test "--yolo is refused whole" {
    requirements <<<'allowed_approval_policies = ["on-request"]'
    run managed sandbox --yolo -- touch f
    assert_status 1
    assert_contains "--yolo"
    [ ! -e f ] || bawn_fail "half of it was applied"
    requirements <<<'allowed_sandbox_modes = ["workspace-write"]'
    run managed sandbox --yolo -- touch f
    assert_status 1
    assert_contains "--yolo"
    [ ! -e f ] || bawn_fail "half of it was applied"
}

@test "deny_read: nobody reopens it, by no way" {
    as_user mkdir -p "$SCRATCH/secrets/open" "$WORK/d"
    for f in "$SCRATCH/secrets/a" "$SCRATCH/secrets/open/b" "$WORK/d/k.key"; do as_user sh -c "echo secret >$f"; done
    as_user ln -s "$SCRATCH/secrets/open" "$WORK/link"
    requirements <<EOF
[permissions.filesystem]
deny_read = ["$SCRATCH/secrets", "$SCRATCH/**/*.key"]
EOF
    write_config <<EOF
default_permissions = "own"
[permissions.own]
extends = ":workspace"
[permissions.own.filesystem]
"$SCRATCH/secrets/open" = "read"
"$SCRATCH/secrets/a" = "write"
"$WORK/link" = "write"
"$WORK/d/k.key" = "read"
EOF
    as_user sh -c "echo open >$WORK/plain"
    run managed sandbox -q -- cat "$WORK/plain"
    assert_output open
    run managed sandbox -q -s workspace-write --add-dir "$SCRATCH/secrets/open" -- cat "$WORK/plain"
    assert_output open
    run with_etc "$BAWN" sandbox -q -- cat "$WORK/plain"
    assert_output open
    for f in "$SCRATCH/secrets/a" "$SCRATCH/secrets/open/b" "$WORK/link/b" "$WORK/d/k.key"; do
        run managed sandbox -q -- cat "$f"
        [ "$status" -ne 0 ] || bawn_fail "$f was read"
        refute_contains secret$'\n'
        run managed sandbox -q -s workspace-write --add-dir "$SCRATCH/secrets/open" -- cat "$f"
        [ "$status" -ne 0 ] || bawn_fail "$f was read with --add-dir"
        run with_etc "$BAWN" sandbox -q -- cat "$f"
        [ "$status" -ne 0 ] || bawn_fail "$f was read by root"
    done
    run managed sandbox -s danger-full-access -- true
    assert_status 1
    assert_contains "deny_read"
    run managed explain "$SCRATCH/secrets/open/b"
    assert_contains "masked"
    assert_contains "/etc/bawn/requirements.toml:2"
}

@test "what cannot be trusted to be the administrator's stops every command" {
    requirements <<<'allow_login_shell = false'
    spoil() { # spoil WHAT IS-SAID
        for command in "sandbox -- true" "sandbox --explain" "explain ." "permissions list" "config show" "config get model" \
            "config check" "status"; do
            # shellcheck disable=SC2086
            run managed $command
            assert_status 1
            assert_contains "$2"
        done
        run managed doctor
        assert_status 1
        assert_contains "$2"
        run managed --version
        assert_status 0
    }
    chown "$BAWN_TEST_UID" "$ETC/requirements.toml"
    spoil owner "belongs to user $BAWN_TEST_UID, not to root"
    chown root "$ETC/requirements.toml"
    chmod 664 "$ETC/requirements.toml"
    spoil mode "can be written by others"
    chmod 600 "$ETC/requirements.toml"
    spoil unreadable "requirements.toml"
    chmod 644 "$ETC/requirements.toml"
    chmod 777 "$ETC"
    spoil directory "can be written by others"
    chmod 755 "$ETC"
    echo 'allowed_sandbox_modes = ["workspace"]' >"$ETC/requirements.toml"
    spoil value '/etc/bawn/requirements.toml:1:26: allowed_sandbox_modes: unknown value "workspace"'
    echo 'allowed_sandbox_modes = [' >"$ETC/requirements.toml"
    spoil syntax "/etc/bawn/requirements.toml:"
}

@test "managed_config.toml: above -c, a requirement of its own, and the administrator's" {
    printf 'sandbox_mode = "workspace-write"\nweb_search = "disabled"\n' >"$ETC/managed_config.toml"
    run managed config get web_search -c web_search=live
    assert_output disabled
    run managed sandbox -s danger-full-access -- true
    assert_status 1
    assert_contains "/etc/bawn/managed_config.toml:1 allows workspace-write"
    run managed sandbox -s read-only -- true
    assert_status 0
    chown "$BAWN_TEST_UID" "$ETC/managed_config.toml"
    run managed sandbox -- true
    assert_status 1
    assert_contains "belongs to user"
}

@test "inside, nothing of it can be written or shadowed" {
    requirements <<<'allow_login_shell = false'
    as_user mkdir -p "$BAWN_HOME"
    run with_etc "$BAWN" sandbox -s workspace-write -c 'sandbox_workspace_write.writable_roots=["/etc", "/"]' -- sh -c '
        echo x >/etc/bawn/requirements.toml || mv /etc/bawn /etc/b || rm -r /etc/bawn || mkdir /etc/bawn/x ||
            mount -t tmpfs t /etc/bawn || echo held'
    assert_contains held
    run managed sandbox -s workspace-write -c "sandbox_workspace_write.writable_roots=[\"$HOME\"]" -- sh -c '
        echo x >"$BAWN_HOME/trust.toml" || mv "$BAWN_HOME" "$HOME/b" || echo x >"$BAWN_HOME/config.toml" || echo held'
    assert_contains held
}

@test "status and doctor say what is required, from where, and what it changed" {
    requirements <<<'allowed_sandbox_modes = ["read-only"]'
    run managed status
    assert_status 0
    assert_contains "requirements allowed_sandbox_modes  (/etc/bawn/requirements.toml:1)"
    run managed doctor
    assert_contains "/etc/bawn/requirements.toml: allowed_sandbox_modes; changed: sandbox_mode is \"read-only\""
    run managed config show --json
    [ "$(json_get 'j["requirements"]["allowed_sandbox_modes"]["line"]')" = 1 ]
    [ "$(json_get 'j["resolved"]["sandbox_mode"]')" = read-only ]
}

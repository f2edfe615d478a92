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

# assert_shut PROFILE SCRIPT: run inside by the user and by root, it starts and no secret comes out.
assert_shut() {
    run managed sandbox -q -P "$1" -- sh -c "echo started; $2"
    assert_contains started
    refute_contains secret
    run with_etc "$BAWN" sandbox -q -P "$1" -- sh -c "echo started; $2"
    assert_contains started
    refute_contains secret
}

@test "deny_read by other ways in: what is made later, other names, other backends" {
    as_user mkdir -p "$SCRATCH/s/d" "$WORK/d"
    for f in "$SCRATCH/s/a" "$SCRATCH/s/d/b" "$WORK/d/plain"; do as_user sh -c "echo secret >$f"; done
    as_user ln -s "$SCRATCH/s" "$SCRATCH/way"
    as_user ln -s "$SCRATCH/way/d" "$WORK/far"
    requirements <<EOF
[permissions.filesystem]
deny_read = ["$SCRATCH/way", "$WORK/**/*.key"]
EOF
    printf '[permissions.own]\nextends = ":workspace"\nfilesystem = { "%s" = "write", "%s" = "write" }\n' \
        "$SCRATCH/s/d" "$SCRATCH/way/a" | write_config
    for profile in own :workspace :read-only; do
        # The denied name is a link: what it leads to is what is denied, whatever it is called.
        assert_shut $profile "cat $SCRATCH/s/a $SCRATCH/s/d/b $WORK/far/b $SCRATCH/way/a"
        assert_shut $profile "cd /; cat proc/self/root$SCRATCH/s/a; cat /proc/self/cwd$SCRATCH/s/d/b"
    done
    # A file that comes to match after the start.
    assert_shut own "cp d/plain new.key; cat new.key"
    assert_shut own "printf 'sec''ret' >n; mv n moved.key; cat moved.key"
    run managed sandbox -q -P own -- cat d/plain
    assert_output secret
    # A backend that cannot hold it says so.
    run managed sandbox -q -P own -c sandbox_backend=landlock -- cat "$SCRATCH/s/a"
    [ "$status" -ne 0 ] || bawn_fail "it ran"
    refute_contains secret$'\n'
}

@test "what is no file, or a link to where others write, stops every start, at once" {
    spoiled() {
        for command in "sandbox -- true" "config get model" "permissions list" "status"; do
            # shellcheck disable=SC2086
            run timeout 20 bash -c "$(declare -f with_etc managed); managed $command"
            assert_status 1
            assert_contains "$1"
            [ "$(printf '%s\n' "$output" | grep -c '^bawn: ')" -le 2 ] || bawn_fail "more than a line and a hint"
        done
        for command in --help --version "completion bash"; do
            # shellcheck disable=SC2086
            run managed $command
            assert_status 0
        done
    }
    export OVERLAY BAWN_TEST_UID BAWN_TEST_GID SCRATCH ETC BAWN
    mkfifo "$ETC/requirements.toml"
    spoiled "is not a regular file"
    rm "$ETC/requirements.toml"
    mkdir "$ETC/requirements.toml"
    spoiled "is not a regular file"
    rmdir "$ETC/requirements.toml"
    ln -s nowhere "$ETC/requirements.toml"
    spoiled "is a symbolic link that leads nowhere"
    # Root's file, in a directory of the user's.
    as_user mkdir "$SCRATCH/theirs"
    install -m 644 /dev/null "$SCRATCH/theirs/r.toml"
    ln -sf "$SCRATCH/theirs/r.toml" "$ETC/requirements.toml"
    spoiled "theirs belongs to user"
    chown root "$SCRATCH/theirs"
    run managed sandbox -- true
    assert_status 0
    rm "$ETC/requirements.toml"
    mkfifo "$ETC/managed_config.toml"
    spoiled "is not a regular file"
    rm "$ETC/managed_config.toml"
    install -m 664 /dev/null "$ETC/managed_config.toml"
    spoiled "managed_config.toml can be written by others"
}

@test "every bad requirement: one clear line with its place, and status 1" {
    while IFS='|' read -r text said; do
        printf '%b' "$text" | requirements
        run managed sandbox -- true
        assert_status 1
        assert_contains "/etc/bawn/requirements.toml:1:"
        assert_contains "$said"
        [ "$(printf '%s\n' "$output" | grep -v '^bawn: hint' | grep -c '^bawn: ')" -eq 1 ] || bawn_fail "more than a line"
    done <<'EOF'
allowed_approval_policies = []\n|an empty list allows nothing
allowed_sandbox_modes = "read-only"\n|expected an array of strings
allowed_permission_profiles = { x = 1 }\n|x: expected a boolean
permissions.filesystem.deny_read = ["rel"]\n|a relative path cannot stand at the top
permissions.filesystem.deny_read = ["/a/[b"]\n|deny_read
rules.prefix_rules = [{ pattern = [{ token = "rm" }], decision = "allow" }]\n|decision: expected prompt or forbidden
permissions.corp.filesystem."/x" = "reed"\n|unknown access "reed"
features.x = "on"\n|features.x: expected a boolean
default_permissions = "nobody"\n|there is no permission profile "nobody"
EOF
}

@test "doctor shows what is wrong with them as a failing check, and goes on" {
    requirements <<<'allowed_sandbox_modes = []'
    run managed doctor --json
    assert_status 1
    [ "$(json_get 'j["ok"], len(j["checks"]) > 5')" = "(False, True)" ]
    [ "$(json_get '[c["ok"] for c in j["checks"] if c["id"] == "config"]')" = "[false]" ]
    run managed doctor
    assert_contains "/etc/bawn/requirements.toml:1:"
    assert_contains "an empty list allows nothing"
}

@test "a project can neither break the start nor get round them" {
    requirements <<<'allowed_sandbox_modes = ["read-only"]
allowed_approval_policies = ["untrusted"]'
    write_file "$WORK/.bawn/config.toml" <<<'sandbox_mode = "workspace-write"
approval_policy = "on-request"'
    run managed trust "$WORK"
    assert_status 0
    run managed sandbox -q -- sh -c 'touch f; exit 42'
    assert_status 42
    [ ! -e f ] || bawn_fail "it wrote"
    run managed config show --json
    [ "$(json_get 'j["resolved"]["approval_policy"]')" = untrusted ]
}

@test "root's command can write neither /etc/bawn nor root's own trust" {
    requirements <<<'allow_login_shell = false'
    export HOME=$SCRATCH/root BAWN_HOME=$SCRATCH/root/.bawn
    mkdir -p "$BAWN_HOME"
    echo '[projects]' >"$BAWN_HOME/trust.toml"
    run with_etc sh -c '"$BAWN" sandbox -q -s workspace-write -c "sandbox_workspace_write.writable_roots=[\"/etc\", \"$HOME\"]" \
        -- sh -c "
            echo x >/etc/bawn/new || echo x >/etc/bawn/managed_config.toml || mv /etc/bawn/requirements.toml /etc/r ||
                rm -rf /etc/bawn/requirements.toml || ln -sf x /etc/bawn/requirements.toml || mv /etc/bawn /etc/b || echo held
            echo x >$BAWN_HOME/trust.toml || echo x >$BAWN_HOME/config.toml || mv $BAWN_HOME $HOME/b ||
                rm $BAWN_HOME/trust.toml || echo held too
            touch /etc/fine && echo fine" 2>&1
        ls /etc/bawn; cat /etc/bawn/requirements.toml "$BAWN_HOME/trust.toml"'
    for said in held "held too" fine "allow_login_shell = false" "[projects]"; do
        printf '%s\n' "$output" | grep -qxF "$said" || bawn_fail "no line: $said"
    done
    refute_contains managed_config.toml$'\n'
}

@test "the network: deny is a floor, allow a ceiling where it says so" {
    requirements <<'EOT'
[experimental_network]
domains = { "**.evil.test" = "deny", "good.test" = "allow" }
managed_allowed_domains_only = true
EOT
    write_config <<'EOT'
default_permissions = "work"
[permissions.work.network]
enabled = true
domains = { "*" = "allow", "b.test" = "allow", "a.evil.test" = "allow" }
EOT
    run managed explain --net a.evil.test:443 good.test:443 b.test:443
    assert_status 0
    assert_contains "a.evil.test:443: deny (denied: a rule denies it, **.evil.test, /etc/bawn/requirements.toml:2)"
    assert_contains "the rule is the administrator's"
    assert_contains "good.test:443: allow (allowed: a rule allows it, good.test, /etc/bawn/requirements.toml:2)"
    assert_contains "b.test:443: deny (not_allowed_managed:"
    requirements <<<'experimental_network.domains = { "*" = "deny" }'
    run managed explain --net a.test:443
    assert_status 1
    assert_contains "/etc/bawn/requirements.toml:1:34: experimental_network.domains: \"*\": * can only be allowed"
}

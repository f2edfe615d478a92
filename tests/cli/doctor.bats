#!/usr/bin/env bats
# bawn doctor: what it finds, what it says, and that it leaves nothing behind.

load helper

setup() {
    bawn_setup
    # A machine with a bwrap or without: each test says what is on PATH.
    mkdir "$SCRATCH/bin"
}
teardown() { bawn_teardown; }

doctor_on() {
    as_user env PATH="$1" "$BAWN" doctor
}

no_residue() {
    [ -z "$(ls -A "$TMPDIR")" ] || bawn_fail "left in TMPDIR: $(ls -A "$TMPDIR")"
    [ ! -e "$BAWN_HOME" ] || bawn_fail "doctor made $BAWN_HOME"
}

@test "every line has a verdict; the backends hold" {
    run -0 doctor_on "$SCRATCH/bin:/usr/sbin:/sbin"
    while read -r line; do
        [[ $line =~ ^(ok|warn|FAIL)\ +[a-z]+\ +. ]] || bawn_fail "no verdict: $line"
        [[ ! $line =~ ^(warn|FAIL) || $line == *"fix: "* ]] || bawn_fail "no fix: $line"
    done <<<"$output"
    assert_contains "ok   bundled   runs; refuses writing outside"
    assert_contains "ok   backend   bundled: "
    no_residue
}

@test "--json has the stable shape" {
    run -0 --separate-stderr bawn doctor --json
    [ "$(json_get 'j["ok"]')" = True ]
    [ "$(json_get 'all(set(c) >= {"id","ok","detail","fix"} for c in j["checks"])')" = True ]
    [ "$(json_get '[c["id"] for c in j["checks"]]')" = '["kernel", "userns", "seccomp", "landlock", "cgroups", "proc", "config", "requirements", "telemetry", "bwrap"]' ]
    [ "$(json_get 'type(j["kernel"]["landlock_abi"]).__name__')" = int ]
    [ "$(json_get '[b["id"] for b in j["backends"]]')" = '["bundled", "bwrap", "landlock"]' ]
    [ "$(json_get 'len(j["backends"][0]["tries"]) >= 10 and all(t["ok"] for t in j["backends"][0]["tries"])')" = True ]
    no_residue
}

@test "no bwrap, a hostile one, a broken one" {
    run -0 doctor_on "$SCRATCH/bin"
    assert_contains "warn bwrap     there is none on PATH"

    # In the working directory: never executed.
    printf '#!/bin/sh\n: >%s/executed\nexit 0\n' "$TMPDIR" | write_file "$WORK/bwrap"
    as_user chmod 755 "$WORK/bwrap"
    run -0 doctor_on "$WORK"
    assert_contains "is where a sandboxed command works or may write"
    [ ! -e "$TMPDIR/executed" ]

    # Below a directory that everybody can write ($SCRATCH is in /var/tmp).
    cp "$WORK/bwrap" "$SCRATCH/bin/bwrap"
    run -0 doctor_on "$SCRATCH/bin"
    assert_contains "can be written by everybody"
    [ ! -e "$TMPDIR/executed" ]
    no_residue
}

@test "broken configuration is a finding, and the rest is still probed" {
    write_config <<<'sandbox_mode = "workspace"'
    run -1 bawn doctor
    assert_contains "FAIL config"
    assert_contains "config.toml"
    assert_contains "ok   bundled"
    run -1 --separate-stderr bawn doctor --json
    [ "$(json_get 'j["ok"]')" = False ]
}

@test "a chosen backend that does not work is said" {
    write_config <<<'sandbox_backend = "bwrap"'
    run -1 doctor_on "$SCRATCH/bin"
    assert_contains "FAIL backend"
}

@test "where user namespaces are forbidden it says by whom" {
    as_user unshare -U true || skip "no user namespaces here at all"
    # A namespace of our own in which the limit is ours to set.
    run -1 as_user unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$1" doctor' sh "$BAWN"
    assert_contains "FAIL userns"
    assert_contains "user.max_user_namespaces = 0 forbids it"
    assert_contains "sysctl -w user.max_user_namespaces="
    assert_contains "FAIL bundled"
    no_residue
}

@test "interrupted, it leaves nothing" {
    for sig in INT TERM HUP; do
        for delay in 0.005 0.015 0.03; do
            run as_user timeout -s "$sig" "$delay" "$BAWN" doctor
            no_residue
        done
    done
}

@test "usage" {
    run -0 bawn doctor --help
    assert_contains "bawn doctor"
    run -2 bawn doctor --nosuch
    run -2 bawn doctor --inside
}

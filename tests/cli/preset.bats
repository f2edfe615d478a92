#!/usr/bin/env bats
# bawn permissions preset: what the tools of this machine say about their hosts, as lines of a profile.
# That real clients get through with these lines, and nothing else does, is tested in tests/network.
load helper

setup() { bawn_setup; }
teardown() {
    bawn_teardown
    [ -z "${TOOLS:-}" ] || rm -rf -- "$TOOLS"
}

# A directory of programs that bawn runs: nobody else's, and not where a sandbox writes.
tools() {
    [ "$(id -u)" -eq 0 ] || skip "needs root: programs below /var/tmp are not run"
    TOOLS=$(mktemp -d /srv/bawn-tools.XXXXXX)
    chmod 755 "$TOOLS"
    PATH=$TOOLS:$PATH
}

# tool NAME <<SCRIPT, in DIR.
tool() {
    { printf '#!/bin/sh\n'; cat; } >"${2:-$TOOLS}/$1"
    chmod 755 "${2:-$TOOLS}/$1"
}

preset() {
    run --separate-stderr bawn permissions preset "$@"
}

# preset_in PATH WORD…
preset_in() {
    run --separate-stderr as_user env PATH="$1" "$BAWN" permissions preset "${@:2}"
}

hosts() {
    PATH=/usr/bin:/bin json_get '" ".join(h["pattern"] for h in j["hosts"])'
}

@test "preset: which there are, and mistakes" {
    preset
    assert_status 2
    assert_contains "npm, pypi, cargo, go, debian, git-read"
    preset nmp
    assert_status 2
    assert_contains "did you mean npm?"
    preset git-read
    assert_status 2
    assert_contains "wants the host"
    preset git-read "no host"
    assert_status 2
    assert_contains "is no host"
    preset git-read git.example.com --profile :workspace
    assert_status 2
    preset git-read git.example.com --write
    assert_status 2
    assert_contains "--profile NAME"
    run bawn permissions list --write
    assert_status 2
}

@test "preset git-read: fetching, and no push" {
    preset git-read git.example.com forge.example.org:8443 --profile work
    assert_status 0
    assert_contains '"git.example.com:443" = "allow"  # named on the command line'
    assert_contains '"forge.example.org:8443" = "allow"'
    assert_contains '[[permissions.work.network.requests]]'
    printf '%s\n' "$output" | write_config
    run --separate-stderr bawn explain -P work --net git.example.com:443 git.example.com:22 git.example.com:80
    assert_contains "git.example.com:443: allow"
    assert_contains "git.example.com:22: ask"
    assert_contains "git.example.com:80: ask"
    preset git-read --json git.example.com
    [ "$(hosts)" = "git.example.com:443" ]
    [ "$(json_get 'j["hosts"][0]["requests"], j["profile"], j["hosts"][0]["from"]')" = "(True, 'NAME', 'named on the command line')" ]
    json_get 'j["toml"]' | grep -qF 'path = "/**/git-receive-pack"'
}

@test "preset --write: a new profile, an old one, twice" {
    write_config <<'TOML'
# mine
[permissions.old]
extends = ":workspace"
[permissions.old.network]
enabled = true   # stays
[permissions.old.network.domains]
"a.example.com" = "allow"
TOML
    cp "$BAWN_HOME/config.toml" "$SCRATCH/before"
    preset git-read git.example.com --profile old --write
    assert_status 0
    head -n 6 "$SCRATCH/before" | cmp - <(head -n 6 "$BAWN_HOME/config.toml")
    run grep -c '"git.example.com:443" = "allow"' "$BAWN_HOME/config.toml"
    assert_output 1
    cp "$BAWN_HOME/config.toml" "$SCRATCH/once"
    preset git-read git.example.com --profile old --write
    assert_contains "had them all already"
    cmp "$SCRATCH/once" "$BAWN_HOME/config.toml"
    preset git-read git.example.com --profile new -q --write
    assert_status 0
    run bawn permissions show new
    assert_contains "network  filtered"
    assert_contains "mode     workspace-write"
    run --separate-stderr bawn explain -P new --net git.example.com:443 a.example.com:443
    assert_contains "git.example.com:443: allow"
    assert_contains "a.example.com:443: ask"
}

@test "preset --write: what the file denies stays denied, and a list of rules in one place stays" {
    write_config <<'TOML'
[permissions.w]
extends = ":workspace"
[permissions.w.network]
enabled = true
domains = { "git.example.com:443" = "deny" }
TOML
    cp "$BAWN_HOME/config.toml" "$SCRATCH/before"
    preset git-read git.example.com --profile w --write
    assert_status 1
    assert_contains "already says something else"
    assert_contains "config.toml:5"
    cmp "$SCRATCH/before" "$BAWN_HOME/config.toml"
    write_config <<'TOML'
[permissions.w]
extends = ":workspace"
[permissions.w.network]
enabled = true
requests = [{ host = "x.example.com", decision = "deny" }]
TOML
    cp "$BAWN_HOME/config.toml" "$SCRATCH/before"
    preset git-read git.example.com --profile w --write
    assert_status 1
    cmp "$SCRATCH/before" "$BAWN_HOME/config.toml"
}

@test "preset npm: its registries, without what else is in their URLs" {
    tools
    tool npm <<'SH'
[ "$*" = "config list --json" ] && [ "$PWD" = / ] || exit 3
[ -z "$SECRET$NODE_OPTIONS$LD_PRELOAD_X" ] || exit 4
cat <<J
{ "registry": "https://user:pa%20ss@registry.example.com:8443/npm/?token=secret-token",
  "@acme:registry": "http://npm.acme.example/x", "_auth": "secret-token", "userconfig": "$HOME/.npmrc",
  "other": "https://not.example.com/" }
J
SH
    export SECRET=1 NODE_OPTIONS=x
    preset npm --json
    assert_status 0
    [ "$(hosts)" = "registry.example.com:8443 npm.acme.example:80" ]
    refute_contains "secret-token"
    refute_contains "pa%20ss"
    json_get 'j["toml"]' | grep -qF 'methods = ["GET", "HEAD"]'
    write_file "$HOME/.npmrc" <<'RC'
; a comment
@of-scope:registry = https://u:pass-word@scoped.example.com/
//scoped.example.com/:_authToken=secret-token
RC
    preset npm
    assert_contains '"scoped.example.com:443" = "allow"'
    refute_contains "pass-word"
    refute_contains "secret-token"
    tool npm <<<'echo not json'
    preset npm
    assert_status 1
    assert_contains "makes no sense"
    tool npm <<<'exit 9'
    preset npm
    assert_contains "npm ended with status 9"
    assert_contains "by hand"
    tool npm <<<'while :; do echo 0123456789012345678901234567890123456789; done'
    preset npm
    assert_status 1
    assert_contains "more than"
}

@test "preset: what a sandbox could have put there is not run" {
    tools
    as_user mkdir -p node_modules/.bin "$SCRATCH/there"
    for d in node_modules/.bin "$SCRATCH/there"; do
        printf '#!/bin/sh\ntouch "%s/ran"\necho "{\\"registry\\": \\"https://evil.example.com/\\"}"\n' "$SCRATCH" |
            as_user tee "$d/npm" >/dev/null
        as_user chmod 755 "$d/npm"
    done
    tool npm <<<'echo "{\"registry\": \"https://good.example.com/\"}"'
    for path in "./node_modules/.bin:$PATH" "node_modules/.bin:$PATH" "$PWD/node_modules/.bin:$PATH" ":$PATH" "$SCRATCH/there:$PATH"; do
        preset_in "$path" npm --json
        assert_status 0
        [ "$(hosts)" = "good.example.com:443" ]
    done
    rm "$TOOLS/npm"
    preset_in "$PWD/node_modules/.bin:$TOOLS" npm
    assert_status 1
    assert_contains "is not run"
    [ ! -e "$SCRATCH/ran" ]
    # Of others: a directory that everybody can write.
    mkdir "$TOOLS/open"
    tool npm "$TOOLS/open" <<<'echo "{\"registry\": \"https://evil.example.com/\"}"'
    chmod 777 "$TOOLS/open"
    preset_in "$TOOLS/open" npm
    assert_status 1
    assert_contains "can be written by others"
    preset_in "$TOOLS" npm
    assert_status 1
    assert_contains "npm is not installed"
    assert_contains '"registry.example.com:443" = "allow"'
}

@test "preset: a project's configuration says nothing" {
    tools
    tool npm <<'SH'
[ ! -e .npmrc ] || exit 5
echo '{"registry": "https://good.example.com/"}'
SH
    write_file .npmrc <<<'registry=https://evil.example.com/'
    preset npm --json
    [ "$(hosts)" = "good.example.com:443" ]
}

@test "preset pypi: set, unset, several" {
    tools
    tool pip3 <<'SH'
[ "$*" = "config list" ] || exit 3
cat "$HOME/said"
SH
    tool python3 <<'SH'
case "$*" in *PyPI*) printf 'https://default.example.com/simple\nfiles.example.com\n' ;; *) exit 3 ;; esac
SH
    write_file "$HOME/said" </dev/null
    preset pypi --json
    [ "$(hosts)" = "default.example.com:443 files.example.com:443" ]
    write_file "$HOME/said" <<'S'
:env:.extra-index-url='https://a.example.com/s https://b.example.com/s'
global.extra-index-url='\nhttps://c.example.com/simple\nhttps://u:secret@d.example.com/simple'
global.index-url='https://mine.example.com/simple'
global.timeout='60'
S
    preset pypi --json
    [ "$(hosts)" = "a.example.com:443 b.example.com:443 c.example.com:443 d.example.com:443 mine.example.com:443" ]
    refute_contains secret
    assert_contains "another host"
    write_file "$HOME/said" <<<"global.index-url='https://default.example.com/simple/'"
    preset pypi --json
    [ "$(hosts)" = "default.example.com:443 files.example.com:443" ]
    write_file "$HOME/said" </dev/null
    tool python3 <<<'exit 1'
    preset pypi
    assert_status 1
    assert_contains "does not tell its default"
}

@test "preset go: proxies and checksums" {
    tools
    tool go <<'SH'
[ "$*" = "env GOPROXY GOSUMDB" ] || exit 3
cat "$HOME/said"
SH
    write_file "$HOME/said" <<'S'
https://one.example.com/x,https://two.example.com|direct
sum.example.com+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8
S
    preset go --json
    [ "$(hosts)" = "one.example.com:443 two.example.com:443 sum.example.com:443" ]
    assert_contains "own hosts"
    write_file "$HOME/said" <<<$'off\noff'
    preset go --json
    [ "$(hosts)" = "" ]
    write_file "$HOME/said" <<<$'file:///srv/x\nsum.example.com https://mirror.example.com/sum'
    preset go --json
    [ "$(hosts)" = "mirror.example.com:443" ]
    assert_contains "no http or https URL"
}

@test "preset cargo: replaced, other registries, and its own" {
    tools
    tool cargo </dev/null
    write_file "$HOME/.cargo/config.toml" <<'TOML'
[source.crates-io]
replace-with = "a"
[source.a]
replace-with = "b"
[source.b]
registry = "sparse+https://mirror.example.com/index/"
[registries.mine]
index = "https://u:secret@git.example.com/index.git"
TOML
    preset cargo --json
    [ "$(hosts)" = "mirror.example.com:443 git.example.com:443" ]
    refute_contains secret
    write_file "$HOME/.cargo/config.toml" <<<$'[source.crates-io]\nreplace-with = "a"\n[source.a]\nreplace-with = "crates-io"'
    preset cargo
    assert_status 0
    assert_contains "without end"
    # Its own registry: what a copy of its index says is shown, and not written.
    rm "$HOME/.cargo/config.toml"
    write_file "$HOME/.cargo/registry/index/index.example.com-0123456789abcdef/config.json" \
        <<<'{"dl": "https://static.example.com/crates", "api": "https://api.example.com"}'
    preset cargo
    assert_status 0
    assert_contains '# "static.example.com:443" = "allow"'
    assert_contains "does not tell its hosts"
    preset cargo --profile w --write
    assert_status 1
    [ ! -e "$BAWN_HOME/config.toml" ]
    preset cargo index.example.com static.example.com --profile w --write
    assert_status 0
    run cat "$BAWN_HOME/config.toml"
    assert_contains '"index.example.com:443" = "allow"'
    assert_contains '"static.example.com:443" = "allow"'
    refute_contains "api.example.com"
}

@test "preset debian: both forms of source lists" {
    [ "$(id -u)" -eq 0 ] || skip "needs root: /etc/apt is covered"
    mkdir -p "$SCRATCH/apt/sources.list.d" "$SCRATCH/empty"
    cat >"$SCRATCH/apt/sources.list" <<'L'
deb http://one.example.com/debian stable main # deb http://no.example.com/ x y
deb [ arch=amd64 signed-by=/x ] https://two.example.com stable main
deb-src [arch=amd64] http://one.example.com/debian stable main
# deb http://commented.example.com/ x y
deb cdrom:[Debian]/ x main
deb tor+http://onion.example.com/ x main
L
    cat >"$SCRATCH/apt/sources.list.d/a.sources" <<'S'
Types: deb
URIs: http://three.example.com/debian
  https://u:secret@four.example.com/debian mirror+file:/etc/apt/mirrors
# URIs: http://commented.example.com/
Suites: stable

enabled: No
URIs: http://off.example.com/
Suites: stable
S
    echo "deb http://ignored.example.com/ x y" >"$SCRATCH/apt/sources.list.d/b.list.disabled"
    printf '# x\nhttp://five.example.com/debian priority:1\n' >"$SCRATCH/apt/mirrors"
    covered() {
        # shellcheck disable=SC2016
        unshare -m sh -c 'mount --bind "$1" /etc/apt && shift && exec "$@"' sh "$@"
    }
    run --separate-stderr covered "$SCRATCH/apt" "$BAWN" permissions preset debian --json
    assert_status 0
    [ "$(hosts)" = "one.example.com:80 two.example.com:443 three.example.com:80 four.example.com:443 five.example.com:80" ]
    [ "$(json_get '[h["requests"] for h in j["hosts"]]')" = "[true, false, true, false, true]" ]
    assert_contains "/etc/apt/sources.list.d/a.sources:3"
    assert_contains "Tor"
    refute_contains secret
    run --separate-stderr covered "$SCRATCH/empty" "$BAWN" permissions preset debian
    assert_status 1
    assert_contains "no source lists"
    assert_contains "by hand"
}

@test "preset: the real tools, where they are" {
    local n=0
    for t in npm:npm pip3:pypi go:go; do
        [ -x "/usr/bin/${t%:*}" ] || continue
        preset_in /usr/bin:/bin "${t#*:}" --json
        assert_status 0
        [ "$(json_get 'len(j["hosts"]) > 0')" = True ]
        n=$((n + 1))
        [ ! -e "$HOME/.npm" ] || bawn_fail "npm left something in HOME"
    done
    [ "$n" -gt 0 ] || skip "none of them is here"
}

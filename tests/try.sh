#!/usr/bin/env bash
# `make try`: a real project built inside the sandbox, then things that must not work, then what was
# refused, by which rule, and the line that would allow it. Everything happens in a scratch directory;
# nothing of the person's is touched. Exits with 0 only when what should work worked, what should not did
# not, and each refusal was bawn's: a command that fails for another reason is in no list.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
top=$PWD
bawn=${BAWN:-$top/build/src/cli/bawn}
[ -x "$bawn" ] || {
    echo "try: $bawn is not built: make" >&2
    exit 1
}

# Not below /tmp: /tmp is writable inside, and a refusal there would prove nothing.
scratch=$(mktemp -d /var/tmp/bawn-try.XXXXXX)
trap 'rm -rf -- "$scratch"' EXIT
export HOME=$scratch/home BAWN_HOME=$scratch/home/.bawn TMPDIR=$scratch/tmp
export LC_ALL=C GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=try GIT_AUTHOR_EMAIL=try@localhost GIT_COMMITTER_NAME=try GIT_COMMITTER_EMAIL=try@localhost
unset XDG_CONFIG_HOME XDG_RUNTIME_DIR CDPATH MAKEFLAGS MAKELEVEL MFLAGS
project=$scratch/project
mkdir -p "$HOME/.bawn" "$HOME/.ssh" "$TMPDIR" "$project"
echo '# a scratch home' >"$HOME/.bashrc"
echo 'the-private-key' >"$HOME/.ssh/id_ed25519"

# ---- a scratch copy of this project, as a repository ----
git -C "$top" ls-files -z --cached --others --exclude-standard 2>/dev/null |
    (cd "$top" && while IFS= read -r -d '' f; do [ -f "$f" ] && printf '%s\0' "$f"; done) |
    tar -C "$top" --null -T - -cf - 2>/dev/null | tar -C "$project" -xf - 2>/dev/null
[ -f "$project/meson.build" ] ||
    (cd "$top" && tar --exclude='./build*' --exclude=./.git -cf - .) | tar -C "$project" -xf -
cd "$project" || exit 1
echo 'API_TOKEN=do-not-read-me' >.env
mkdir -p try-npm/app try-npm/greet
echo '{"name":"greet","version":"1.0.0","main":"index.js"}' >try-npm/greet/package.json
echo 'module.exports = () => "hello from a local package";' >try-npm/greet/index.js
echo '{"name":"app","version":"1.0.0","dependencies":{"greet":"file:../greet"}}' >try-npm/app/package.json
{ git init -q . && git add -A && git add -f .env && git commit -qm 'a scratch copy'; } >/dev/null 2>&1 || {
    echo "try: cannot make a scratch repository" >&2
    exit 1
}
hooks_before=$(ls -la .git/hooks)
project_before=$(ls -A)

cat >"$BAWN_HOME/config.toml" <<'TOML'
default_permissions = "try"

[permissions.try]
extends = ":workspace"
include = ["npm"]

[permissions.try.filesystem]
":workspace_roots" = { "**/.env" = "none" }
"~/.ssh" = "none"
TOML

# ---- what runs inside ----
cat >"$scratch/steps.sh" <<'STEPS'
results=$1
: >"$results"
should() { # should NAME COMMAND…: has to work
    name=$1
    shift
    if "$@" >"$TMPDIR/out" 2>&1; then
        echo "  worked   $name"
        echo "ok" >>"$results"
    else
        echo "  FAILED   $name (it should have worked):"
        tail -n 12 "$TMPDIR/out" | sed 's/^/             /'
        echo "bad" >>"$results"
    fi
}
should_not() { # should_not NAME COMMAND…: has to be refused
    name=$1
    shift
    if "$@" >"$TMPDIR/out" 2>&1; then
        echo "  WORKED   $name (it should have been refused)"
        echo "bad" >>"$results"
    else
        echo "  refused  $name: $(tail -n 1 "$TMPDIR/out" | sed "s,$HOME,~,g; s,$PWD/,,g; s,^sh: [0-9]*: ,,")"
        echo "ok" >>"$results"
    fi
}
echo "what should work:"
should "meson setup"                  meson setup out -Dtests=false
should "ninja: this project's build"  ninja -C out
should "the program just built runs"  out/src/cli/bawn --version
should "git status"                   git status --short
should "git log"                      git log --oneline
if command -v npm >/dev/null && command -v node >/dev/null; then
    should "npm install from a folder" sh -c 'cd try-npm/app && npm install --offline --no-audit --no-fund --no-update-notifier && node -e "console.log(require(\"greet\")())"'
else
    echo "  -        npm install: there is no npm here"
fi
echo
echo "what should not:"
should_not "write ~/.bashrc"           sh -c 'echo evil >>"$HOME/.bashrc"'
should_not "read ~/.ssh/id_ed25519"    cat "$HOME/.ssh/id_ed25519"
should_not "read .env"                 cat .env
should_not "plant a Git hook"          sh -c 'echo "#!/bin/sh" >.git/hooks/post-checkout'
should_not "git commit"                git commit --allow-empty -qm evil
should_not "create .claude/"           sh -c 'mkdir .claude && echo x >.claude/settings.json'
should_not "reach the internet"        curl -sS -m 3 -o /dev/null http://192.0.2.1/
should_not "write bawn's own config"   sh -c 'echo >>"$BAWN_HOME/config.toml"'
exit 0
STEPS

echo
"$bawn" sandbox --log-denials -- sh "$scratch/steps.sh" "$project/try-results" 2>"$scratch/said"
status=$?
results=$project/try-results
good=0 bad=0
[ -f "$results" ] && { good=$(grep -c '^ok$' "$results"); bad=$(grep -c '^bad$' "$results"); }
taken=$((good + bad)) steps=$(grep -cE '^(should|should_not) "' "$scratch/steps.sh")
command -v npm >/dev/null && command -v node >/dev/null && steps=$((steps + 1))

# ---- what the host says ----
host() { # host WHAT COMMAND…
    if "${@:2}"; then good=$((good + 1)); else
        echo "try: on the host: $1"
        bad=$((bad + 1))
    fi
}
host "the sandbox did not run to its end (status $status)" [ $status -eq 0 ]
host "of $steps steps $taken were taken" [ "$taken" -eq "$steps" ]
host "the scratch home's .bashrc was changed" [ "$(cat "$HOME/.bashrc")" = '# a scratch home' ]
host ".git/hooks was changed" [ "$(ls -la .git/hooks)" = "$hooks_before" ]
rm -rf out try-results
host "something was left behind in the project" [ "$(ls -A)" = "$project_before" ]
host "something was left behind in the temporary directory" [ -z "$(find "$TMPDIR" -mindepth 1 -name '.*')" ]
for what in "write $HOME/.bashrc" "read $HOME/.ssh/id_ed25519" "read $project/.env" \
    "write $project/.git/hooks/post-checkout" "write $project/.git/index.lock" "write $project/.claude" \
    "connect to 192.0.2.1:80" "write $BAWN_HOME/config.toml"; do
    host "\"$what\" is not among the refusals" grep -qF -- "bawn:   $what" "$scratch/said"
done
host "a refusal has no reason" [ "$(grep -c '^bawn:     refused by ' "$scratch/said")" -eq "$(grep -c '^bawn:   [a-z]' "$scratch/said")" ]
host "a refusal has no line" [ "$(grep -c '^bawn:     allowed by ' "$scratch/said")" -eq "$(grep -c '^bawn:   [a-z]' "$scratch/said")" ]

# ---- what it costs ----
fastest() { # fastest COMMAND…: the best of 30 starts, in microseconds
    local best=999999999 i a b
    for ((i = 0; i < 30; i++)); do
        a=${EPOCHREALTIME/[.,]/}
        "$@" >/dev/null 2>&1
        b=${EPOCHREALTIME/[.,]/}
        ((b - a < best)) && best=$((b - a))
    done
    echo "$best"
}
bare=$(fastest /bin/true) inside=$(fastest "$bawn" sandbox -q -P :workspace -- /bin/true)
echo
awk -v a="$bare" -v b="$inside" 'BEGIN { printf "starting `true`: %.1f ms bare, %.1f ms in the sandbox\n", a / 1000, b / 1000 }'

# ---- what was refused, why, and the line that would allow it ----
echo
sed "s,$HOME,~,g" "$scratch/said"
echo
if [ "$bad" -eq 0 ] && [ "$good" -gt 5 ]; then
    echo "all $good checks as they should be. Next: ${bawn#"$top"/} sandbox --log-denials -- YOUR COMMAND"
else
    echo "$good checks as they should be, $bad not. What this machine can enforce: ${bawn#"$top"/} doctor"
    exit 1
fi

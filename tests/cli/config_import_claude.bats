#!/usr/bin/env bats
# bawn config import --from claude: permissions become rules and a profile; what cannot be said exactly
# is reported with its place, and never brought over as something wider.

# shellcheck disable=SC2030,SC2031 # each test is a subshell
load helper

setup() { bawn_setup; }
teardown() { bawn_teardown; }

settings() { write_file "${1:-$HOME/.claude/settings.json}"; }
rules_text() { as_user grep -v '^#' "$BAWN_HOME/rules/imported-claude.rules" | grep .; }

make_settings() {
    settings <<'END'
{
  "$schema": "https://json.example.com/x",
  "model": "opus",
  "permissions": {
    "allow": ["Bash(npm run test:*)", "Bash(git status)", "Bash(ls *)", "Bash(git * main)",
              "Bash(echo \"a b\":*)", "Bash", "Read(~/notes/**)", "WebFetch(domain:docs.example.com)",
              "mcp__github__create_issue", "WebSearch", "Bash(FOO=1 make:*)", 7, "Bash(npm"],
    "ask": ["Bash(git push:*)", "Edit(src/**)"],
    "deny": ["Bash(curl:*)", "Bash(rm -rf /)", "Read(./.env)", "Read(secrets/**)", "Read(~/.ssh)", "Read(.npmrc)",
             "Read(//etc/shadow)", "Edit(~/.bashrc)", "Edit(**/*.lock)", "Read(../up)", "Read(/odd)",
             "WebFetch(domain:evil.example.com)", "WebFetch(domain:*.example.org)"],
    "defaultMode": "acceptEdits",
    "additionalDirectories": ["~/docs", "../x"],
    "novel": true
  }
}
END
}

@test "what can be said is brought over, all else is reported with its place" {
    make_settings
    run -0 --separate-stderr bawn config import --from claude
    assert_output "$BAWN_HOME/rules/imported-claude.rules: from $HOME/.claude/settings.json
$BAWN_HOME/claude.config.toml: from $HOME/.claude/settings.json"
    [ "$(rules_text)" = 'prefix_rule(pattern = ["npm", "run", "test"], decision = "allow", sandbox = True)
prefix_rule(pattern = ["ls"], decision = "allow", sandbox = True)
network_rule(host = "docs.example.com", protocol = "https", decision = "allow")
prefix_rule(pattern = ["git", "push"], decision = "prompt")
prefix_rule(pattern = ["curl"], decision = "forbidden")
prefix_rule(pattern = ["rm", "-rf", "/"], decision = "forbidden")
network_rule(host = "evil.example.com", protocol = "https", decision = "forbidden")
network_rule(host = "evil.example.com", protocol = "http", decision = "forbidden")' ] || bawn_fail "$(rules_text)"
    as_user grep -q '^# prefix_rule(pattern = \["git", "status"\], decision = "allow", sandbox = True)' \
        "$BAWN_HOME/rules/imported-claude.rules"
    f=$HOME/.claude/settings.json
    for want in "$f:3:12: not imported: model: only permissions" \
        "$f:5:39: not imported: Bash(git status): exactly these words" \
        "$f:5:73: not imported: Bash(git * main): a wildcard inside" \
        "$f:6:15: not imported: Bash(echo \"a b\":*): quotes" \
        "$f:6:39: not imported: Bash: every command" \
        "$f:6:47: not imported: Read(~/notes/**): says when the agent" \
        "$f:7:15: not imported: mcp__github__create_issue: tools of MCP" \
        "not imported: WebSearch: " "not imported: Bash(FOO=1 make:*): begins with an assignment" \
        "not imported: allow: not a text" "not imported: Bash(npm: not of the form" \
        "not imported: Edit(src/**): bawn asks about commands" "changed: Bash(rm -rf /): holds for what follows" \
        "not imported: Edit(**/*.lock): a pattern" "not imported: Read(../up): leaves" \
        "not imported: Read(/odd): begins with /" "not imported: WebFetch(domain:*.example.org): no plain name" \
        "changed: acceptEdits: " "not imported: ../x: relative" "not imported: novel: not known" \
        "changed: claude.config.toml: paths and policy hold"; do
        assert_contains "$want"
    done
    [ "$(stat -c %a "$BAWN_HOME/rules/imported-claude.rules")" = 600 ]
}

@test "the profile shuts what was denied, and is chosen by name" {
    make_settings
    as_user mkdir -p "$HOME/docs" "$HOME/.ssh" secrets sub
    as_user touch .env secrets/key sub/.npmrc "$HOME/.bashrc" sub/.env
    run -0 bawn config import --from claude
    run -0 bawn explain -p claude --json .env secrets/key sub/.npmrc sub/.env "$HOME/.ssh" "$HOME/.bashrc" "$HOME/docs" sub
    [ "$(json_get '[(p["read"], p["write"]) for p in j]')" = \
        "[[false, false], [false, false], [false, false], [true, true], [false, false], [true, false], [true, true], [true, true]]" ] ||
        bawn_fail "$(json_get '[(p["path"], p["read"], p["write"]) for p in j]')"
    run -0 bawn config show -p claude --effective --json
    [ "$(json_get 'j["resolved"]["approval_policy"]')" = untrusted ]
}

@test "the rules do what they say" {
    make_settings
    run -0 bawn config import --from claude
    run -0 bawn rules check --rules "$BAWN_HOME/rules/imported-claude.rules" -- npm run test -- -v
    [ "$(json_get 'j["decision"]')" = allow ]
    run -0 bawn rules check --rules "$BAWN_HOME/rules/imported-claude.rules" -- git status
    [ "$(json_get 'j["matchedRules"]')" = "[]" ]
    run -0 bawn rules check --rules "$BAWN_HOME/rules/imported-claude.rules" -- curl x
    [ "$(json_get 'j["decision"]')" = forbidden ]
}

@test "both files of a person, or the one that is named" {
    settings <<<'{"permissions": {"deny": ["Bash(a:*)"]}}'
    settings "$HOME/.claude/settings.local.json" <<<'{"permissions": {"deny": ["Bash(b:*)"]}}'
    settings "$WORK/.claude/settings.json" <<<'{"permissions": {"allow": ["Bash(c:*)"], "deny": ["Bash(d:*)"],
        "defaultMode": "default", "additionalDirectories": ["/srv"]}}'
    run -0 bawn config import --from claude --dry-run
    assert_output "would write $BAWN_HOME/rules/imported-claude.rules: from $HOME/.claude/settings.json"
    [ ! -e "$BAWN_HOME" ] || bawn_fail "a dry run made something"
    run -0 bawn config import --from claude
    [ "$(rules_text | wc -l)" -eq 2 ]
    run -1 bawn config import --from claude --claude-settings .claude/settings.json
    assert_contains "is there already"
    # A project's allow would hold in every project: it stays a comment.
    run -0 bawn config import --force --from claude --claude-settings .claude/settings.json
    [ "$(rules_text)" = 'prefix_rule(pattern = ["d"], decision = "forbidden")' ] || bawn_fail "$(rules_text)"
    assert_contains "not imported: Bash(c:*): of one project"
    assert_contains "changed: Bash(d:*): holds in every project"
    assert_contains "not imported: default: of one project"
    assert_contains "not imported: /srv: of one project"
    [ ! -e "$BAWN_HOME/claude.config.toml" ]
    [ -e "$BAWN_HOME/rules/imported-claude.rules.bak" ]
}

@test "bypassPermissions is not brought over" {
    settings <<<'{"permissions": {"defaultMode": "bypassPermissions"}}'
    run -0 bawn config import --from claude
    assert_contains "not imported: bypassPermissions: it takes every limit away"
    [ -z "$(find "$BAWN_HOME" -type f ! -name '*.lock' 2>/dev/null)" ] || bawn_fail "something was written"
}

@test "settings that are none: an error with its place, and nothing is written" {
    run -1 bawn config import --from claude
    assert_contains "there are no settings of Claude Code"
    run -1 bawn config import --from claude --claude-settings nowhere.json
    assert_contains "nowhere.json: No such file"
    settings <<<'{"permissions": {"allow": ["Bash(a:*)"],}}'
    run -1 bawn config import --from claude
    assert_contains "settings.json:1:"
    settings <<<'{"permissions": {"allow": [], "allow": ["Bash(a:*)"]}}'
    run -1 bawn config import --from claude
    assert_contains "stands here twice"
    settings <<<'[]'
    run -1 bawn config import --from claude
    assert_contains "settings are an object"
    [ ! -e "$BAWN_HOME/rules" ] || bawn_fail "something was written"
    settings <<<'{"permissions": {"allow": "Bash", "deny": {"x": 1}}}'
    run -0 bawn config import --from claude
    assert_contains "not imported: allow: not a list"
}

@test "an option of the other program is a mistake" {
    run -2 bawn config import --from claude --codex-home x
    run -2 bawn config import --from codex --claude-settings x
}

@test "what is hostile in an entry stays a comment or a report" {
    settings <<'END'
{"permissions": {"allow": ["Bash(a\nprefix_rule(pattern=[\"rm\"]):*)", "Bash(a\"b:*)", "Bash(a\u0007:*)", "Bash()", "Bash(:*)",
  "\u001b[31mX(y)"], "deny": ["Read(a\nb)", "Read([)", "Read()", "WebFetch(domain:a\"b)"]}}
END
    run -0 bawn config import --from claude
    [ ! -e "$BAWN_HOME/rules" ] || bawn_fail "$(cat "$BAWN_HOME"/rules/*)"
    case $output in *$'\e'* | *$'\a'*) bawn_fail "control characters" ;; esac
}

@test "rules of Codex that do not evaluate are reported, the others come over" {
    write_file "$HOME/.codex/rules/good.rules" <<<'prefix_rule(pattern = ["a"], decision = "prompt")'
    write_file "$HOME/.codex/rules/bad.rules" <<<'prefix_rule(pattern = ["a"'
    run -0 bawn config import --from codex
    assert_contains "$HOME/.codex/rules/bad.rules:2:1: not imported: "
    [ -e "$BAWN_HOME/rules/codex-good.rules" ]
    [ ! -e "$BAWN_HOME/rules/codex-bad.rules" ]
}

/* What "yes and remember" offers, and what is never remembered. */
#include "approval/suggest.h"
#include "base/limits.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MAX_WORDS 64

/* One word per space; "&&" alone parts commands. No quotes. */
struct world {
    struct arena arena;
    struct command_word words[MAX_WORDS];
    const char *texts[MAX_WORDS];
    struct command commands[MAX_WORDS];
    struct judged judged[MAX_WORDS];
    struct command_list list;
    struct judgement judgement;
    const struct suggestion *got;
    size_t n;
};

static void make(struct world *w, const char *line)
{
    memset(w, 0, sizeof(*w));
    size_t n = 0, c = 0;
    w->commands[0] = (struct command){.words = w->words, .plain = true, .pipes_to = UINT32_MAX};
    for (const char *p = line; *p; n++) {
        assert_true(n < MAX_WORDS);
        size_t len = strcspn(p, " ");
        w->texts[n] = arena_strndup(&w->arena, p, len);
        w->words[n] = (struct command_word){w->texts[n], true};
        if (strcmp(w->texts[n], "&&") == 0)
            w->commands[++c] =
                (struct command){.words = w->words + n + 1, .plain = true, .pipes_to = UINT32_MAX};
        else
            w->commands[c].n++;
        p += len + (p[len] == ' ');
    }
    for (size_t i = 0; i <= c; i++)
        w->judged[i] = (struct judged){
            .command = &w->commands[i], .class = LINE_UNKNOWN, .program.trusted = true};
    w->list = (struct command_list){.v = w->commands, .n = c + 1};
    w->judgement =
        (struct judgement){.list = &w->list, .v = w->judged, .n = c + 1, .class = LINE_UNKNOWN};
}

static void ask(struct world *w)
{
    assert_int_equal(suggest(&w->arena, &w->judgement, &w->got, &w->n), 0);
}

/* "npm run test" of the suggestion at LENGTH. */
static const char *prefix(struct world *w, const struct suggestion *s, size_t length)
{
    const char *text = "";
    for (size_t i = 0; i < length; i++)
        text = arena_printf(&w->arena, "%s%s%s", text, i ? " " : "", s->words[i]);
    return text;
}

/* What is offered is never what would be refused. */
static void check_all_lengths(struct world *w)
{
    for (size_t i = 0; i < w->n; i++) {
        const struct suggestion *s = &w->got[i];
        assert_true(s->least >= 1 && s->least <= s->length && s->length <= s->n);
        for (size_t length = s->least; length <= s->n; length++) {
            const char *no = suggest_refuses(s->words, length);
            if (no)
                fail_msg("%s: %s", prefix(w, s, length), no);
        }
    }
}

/* The command, the prefix that is suggested, and how many words it may be shortened to. */
static const struct {
    const char *command, *prefix;
    size_t least;
} offered[] = {
    {"git commit -m x", "git commit", 2},
    {"git -C sub commit -m x", "git -C sub commit", 4},
    {"git --git-dir=.git status", "git --git-dir=.git status", 3},
    {"git --no-pager log", "git --no-pager log", 3},
    {"git push origin main", "git push origin main", 2},
    {"git push -u origin main", "git push -u origin main", 2},
    {"git stash pop", "git stash pop", 2},
    {"git remote add o url", "git remote add", 3},
    {"git reset HEAD~1", "git reset HEAD~1", 3},
    {"git config user.name x", "git config user.name x", 4},
    {"npm install lodash", "npm install", 2},
    {"npm ci", "npm ci", 2},
    {"npm run test -- --watch", "npm run test", 3},
    {"npm --prefix web run build", "npm --prefix web run build", 5},
    {"npm run --silent build", "npm run --silent build", 4},
    {"npm exec tsc", "npm exec tsc", 3},
    {"npx tsc --noEmit", "npx tsc --noEmit", 1 + 1},
    {"npx -y eslint src", "npx -y eslint src", 1 + 1 + 2},
    {"pnpm add x", "pnpm add", 2},
    {"yarn add x", "yarn add", 2},
    {"cargo test --all", "cargo test", 2},
    {"cargo +nightly test", "cargo +nightly test", 3},
    {"go test ./...", "go test", 2},
    {"go mod tidy", "go mod tidy", 3},
    {"go run ./cmd/x a b", "go run ./cmd/x", 3},
    {"make test", "make test", 1},
    {"make", "make", 1},
    {"make -C sub test", "make -C sub test", 1},
    {"make CC=clang all", "make CC=clang all", 3},
    {"docker compose up -d", "docker compose up", 3},
    {"docker run --rm alpine ls", "docker run --rm alpine ls", 5},
    {"kubectl get pods", "kubectl get pods", 2},
    {"kubectl -n prod get pods", "kubectl -n prod get pods", 4},
    {"pip install requests", "pip install", 2},
    {"pip3 install requests", "pip3 install", 2},
    {"pip3.11 install requests", "pip3.11 install", 2},
    {"apt-get -y install jq", "apt-get -y install", 3},
    {"gh pr view 3", "gh pr view", 3},
    {"aws s3 ls bucket", "aws s3 ls", 3},
    {"terraform plan -out x", "terraform plan", 2},
    {"uv run pytest -x", "uv run pytest -x", 3},
    {"poetry run python tool.py a", "poetry run python tool.py", 4},
    {"bundle exec rspec spec", "bundle exec rspec spec", 4},
    {"python3 script.py a", "python3 script.py", 2},
    {"python3 -u script.py a", "python3 -u script.py", 3},
    {"python3.11 -m pytest tests", "python3.11 -m pytest", 3},
    {"node build.js --all", "node build.js", 2},
    {"java -jar app.jar x", "java -jar app.jar", 3},
    {"Rscript plot.R", "Rscript plot.R", 2},
    {"curl https://a.example/x", "curl https://a.example/x", 2},
    {"curl -sSL https://a.example/x", "curl -sSL https://a.example/x", 3},
    {"ssh host uptime", "ssh host uptime", 3},
    {"chmod 644 file", "chmod 644 file", 3},
    {"tar xf a.tar", "tar xf a.tar", 3},
    /* not in any table */
    {"frob widget x", "frob widget", 2},
    {"frob-it do-this now", "frob-it do-this", 2},
    {"frob ./x y", "frob ./x y", 1},
    {"frob a.txt y", "frob a.txt y", 1},
    {"frob --all y", "frob --all y", 1},
    {"frob", "frob", 1},
    {"/usr/bin/git commit -m x", "git commit", 2},
};

static void test_offered(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(offered); i++) {
        struct world w;
        make(&w, offered[i].command);
        ask(&w);
        if (w.n != 1)
            fail_msg("%s: %zu suggestions: %s", offered[i].command, w.n,
                     suggest_refuses(w.texts, w.commands[0].n));
        const char *got = prefix(&w, &w.got[0], w.got[0].length);
        if (strcmp(got, offered[i].prefix) != 0 || w.got[0].least != offered[i].least)
            fail_msg("%s: %s, at least %zu", offered[i].command, got, w.got[0].least);
        assert_int_equal(w.got[0].n, w.commands[0].n);
        check_all_lengths(&w);
        arena_release(&w.arena);
    }
}

static const char *const never[] = {
    /* shells */
    "bash",
    "bash -c ls",
    "bash script.sh",
    "sh",
    "zsh -lc x",
    "dash x",
    "busybox sh",
    "pwsh x",
    /* wrappers */
    "env",
    "env FOO=1 npm install",
    "sudo npm install",
    "xargs npm install",
    "timeout 5 npm test",
    "nice npm test",
    "nohup npm test",
    "time npm test",
    "command npm test",
    "exec npm test",
    "builtin cd",
    "eval ls",
    "doas ls",
    "su root",
    "watch ls",
    "setsid ls",
    "stdbuf -o0 ls",
    "strace ls",
    "flock x ls",
    "chroot x ls",
    "unshare ls",
    "parallel ls",
    "bawn run ls",
    "ionice ls",
    "systemd-run ls",
    "gdb x",
    /* interpreters: bare, with code, with what they read */
    "python",
    "python3",
    "python3.11",
    "python3 -c code",
    "python3 -i x.py",
    "python3 -",
    "python3 /dev/stdin",
    "python3 -u",
    "python3 -m",
    "python3 -m timeit code",
    "python3 -m pdb x",
    "python3 -Wx x.py",
    "pypy3 -c x",
    "node",
    "node -e code",
    "node --eval=code",
    "node -p x",
    "nodejs -e x",
    "perl",
    "perl -e code",
    "perl -ne code x",
    "ruby -e code",
    "ruby",
    "php -r code",
    "php",
    "lua",
    "lua5.4 -e x",
    "Rscript -e x",
    "Rscript",
    "java",
    "java -cp . X",
    "awk code file",
    "gawk x",
    "sed -i s/a/b/ x",
    "tclsh",
    "R -e x",
    "julia -e x",
    "deno eval x",
    "bun repl",
    /* editors and pagers */
    "vim x",
    "less x",
    "emacs x",
    "ed x",
    /* what removes */
    "rm x",
    "rm -rf x",
    "rmdir x",
    "unlink x",
    "dd if=a of=b",
    "mkfs /dev/x",
    "mkfs.ext4 /dev/x",
    "shred x",
    "truncate -s 0 x",
    "chmod -R 777 x",
    "chmod 644 -R x",
    "chmod -vR 7 x",
    "chmod --recursive 7 x",
    "chown -R a b",
    "git clean -n",
    "git rm x",
    "find . -exec ls",
    "find . -delete",
    "find . -name x",
    "fd x",
    /* so short that all would be allowed */
    "git",
    "npm",
    "npm run",
    "cargo",
    "go",
    "go mod",
    "docker",
    "docker compose",
    "kubectl",
    "pip",
    "gh",
    "gh pr",
    "aws s3",
    "curl",
    "curl -s",
    "wget",
    "ssh host",
    "ssh",
    "docker run",
    "git remote",
    /* options that are not known stand in front: what the words are is not certain */
    "git -c alias.x=y commit",
    "git --unknown x commit",
    "npm --unknown install",
    "npx -c code",
    "npx --package x tsc",
    "git submodule foreach ls",
    "git bisect run ls",
    "kubectl --unknown x get",
    /* commands of commands */
    "npx bash",
    "uv run python",
    "uv run python -c x",
    "uv run uv run uv run uv run uv run uv run x",
    "poetry run bash -c x",
    "npm exec sh",
    "conda run ls",
    "uv run",
    "nix shell x",
    "mise x ls",
};

static void test_never(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(never); i++) {
        struct world w;
        make(&w, never[i]);
        ask(&w);
        if (w.n != 0)
            fail_msg("%s: %s", never[i], prefix(&w, &w.got[0], w.got[0].length));
        if (!suggest_refuses(w.texts, w.commands[0].n))
            fail_msg("%s is not refused", never[i]);
        arena_release(&w.arena);
    }
}

static void test_refuses(void **state)
{
    (void)state;
    static const char *const nothing[] = {""};
    static const char *const path[] = {"/usr/bin/git", "commit"};
    static const char *const relative[] = {"./git", "commit"};
    static const char *const assignment[] = {"A=1", "git", "commit"};
    static const char *const option[] = {"-c", "x"};
    static const char *const bytes[] = {"frob", "\xff"};
    static const char *const fine[] = {"git", "commit"};
    static const char *const two_lines[] = {"git", "commit", "-m", "a\nb"};
    assert_non_null(suggest_refuses(NULL, 0));
    assert_non_null(suggest_refuses(nothing, 1));
    assert_non_null(suggest_refuses(path, 2));
    assert_non_null(suggest_refuses(relative, 2));
    assert_non_null(suggest_refuses(assignment, 3));
    assert_non_null(suggest_refuses(option, 2));
    assert_non_null(suggest_refuses(bytes, 2));
    assert_null(suggest_refuses(fine, 2));
    assert_null(suggest_refuses(two_lines, 4));
}

static void expect_none(struct world *w)
{
    ask(w);
    assert_int_equal(w->n, 0);
    arena_release(&w->arena);
}

static void test_chains(void **state)
{
    (void)state;
    struct world w;
    make(&w, "npm install && cargo test && npm install lodash");
    ask(&w);
    assert_int_equal(w.n, 2); /* the third is the first again */
    assert_string_equal(prefix(&w, &w.got[0], w.got[0].length), "npm install");
    assert_string_equal(prefix(&w, &w.got[1], w.got[1].length), "cargo test");
    arena_release(&w.arena);

    make(&w, "npm install && rm -rf x && cargo test");
    w.judged[1].class = LINE_DANGEROUS;
    w.judgement.class = LINE_DANGEROUS;
    ask(&w);
    assert_int_equal(w.n, 2);
    arena_release(&w.arena);

    make(&w, "npm install && cargo test");
    w.judged[0].class = LINE_ALLOW;
    ask(&w);
    assert_int_equal(w.n, 1);
    assert_string_equal(prefix(&w, &w.got[0], w.got[0].length), "cargo test");
    arena_release(&w.arena);

    make(&w, "npm install && cargo test");
    w.judged[0].class = LINE_ALLOW_INSIDE;
    w.judged[1].class = LINE_SAFE; /* needs no rule */
    ask(&w);
    assert_int_equal(w.n, 0);
    arena_release(&w.arena);
}

static void test_none_at_all(void **state)
{
    (void)state;
    struct world w;
    make(&w, "npm install");
    w.list.heredoc = true;
    expect_none(&w);
    make(&w, "npm install");
    w.list.reading = READING_DEEP;
    expect_none(&w);
    make(&w, "npm install");
    w.list.reading = READING_OPAQUE;
    expect_none(&w);
    make(&w, "npm install && cargo test"); /* a rule asks about one part */
    w.judged[0].class = LINE_PROMPT;
    w.judgement.class = LINE_PROMPT;
    expect_none(&w);
    make(&w, "npm install && cargo test");
    w.judged[1].class = LINE_FORBIDDEN;
    w.judgement.class = LINE_FORBIDDEN;
    expect_none(&w);
    make(&w, "npm install");
    w.judged[0].class = LINE_DANGEROUS;
    expect_none(&w);
    make(&w, "npm install"); /* found behind something */
    w.commands[0].plain = false;
    expect_none(&w);
    make(&w, "git commit"); /* a planted ./git: a rule for git would not count */
    w.judged[0].program.trusted = false;
    expect_none(&w);
    make(&w, "frob $X");
    w.words[1].known = false;
    expect_none(&w);
}

static void test_long(void **state)
{
    (void)state;
    static char message[MAX_SUGGESTION_BYTES + 1];
    memset(message, 'x', sizeof(message) - 1);
    struct world w;
    make(&w, "git commit -m TEXT");
    w.words[3].text = message;
    ask(&w);
    assert_int_equal(w.n, 1); /* without the words that no rule could hold */
    assert_int_equal(w.got[0].n, 3);
    assert_int_equal(w.got[0].length, 2);
    check_all_lengths(&w);
    arena_release(&w.arena);

    make(&w, "git commit -m TEXT");
    w.words[3].text = "\xff\xfe";
    ask(&w);
    assert_int_equal(w.n, 1);
    assert_int_equal(w.got[0].n, 3);
    arena_release(&w.arena);

    make(&w, "frob --x TEXT"); /* the whole command, which does not fit */
    w.words[2].text = message;
    expect_none(&w);

    make(&w, "a b && c d && e f && g h && i j && k l && m n && o p && q r && s t && u v && w x && "
             "y z && aa b && ab c && ac d && ad e");
    expect_none(&w);
}

static void test_rule_text(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    static const char *const plain[] = {"npm", "install"};
    assert_string_equal(suggest_rule_text(&a, plain, 2, false),
                        "prefix_rule(pattern = [\"npm\", \"install\"], decision = \"allow\")");
    assert_string_equal(suggest_rule_text(&a, plain, 2, true),
                        "prefix_rule(pattern = [\"npm\", \"install\"], decision = \"allow\", "
                        "sandbox = True)");
    static const char *const odd[] = {"f", "a\"b\\c", "\n\t\x1b\x7f", "\u202e\u00e4", "\U000e0041"};
    assert_string_equal(suggest_rule_text(&a, odd, 5, false),
                        "prefix_rule(pattern = [\"f\", \"a\\\"b\\\\c\", \"\\n\\t\\x1b\\x7f\", "
                        "\"\\u202e\u00e4\", \"\\U000e0041\"], decision = \"allow\")");
}

static void test_memory(void **state)
{
    (void)state;
    for (unsigned long i = 1;; i++) {
        struct world w;
        make(&w, "npm install && cargo test");
        struct arena a = {0};
        mem_fail_at(i);
        int r = suggest(&a, &w.judgement, &w.got, &w.n);
        mem_fail_at(0);
        arena_release(&a);
        arena_release(&w.arena);
        if (r == 0) {
            assert_true(i > 1);
            break;
        }
        assert_int_equal(r, -ENOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offered),     cmocka_unit_test(test_never),
        cmocka_unit_test(test_refuses),     cmocka_unit_test(test_chains),
        cmocka_unit_test(test_none_at_all), cmocka_unit_test(test_long),
        cmocka_unit_test(test_rule_text),   cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

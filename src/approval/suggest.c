/*
 * The prefix that "yes and remember" would write. See suggest.h.
 *
 * A rule allows every command that begins with its words, whatever follows, perhaps outside the
 * sandbox. So the prefix must be long enough that the rest cannot turn it into another program:
 *
 *   bans          programs whose arguments are commands or code (shells, wrappers, interpreters,
 *                 editors), or that remove: no prefix of them is remembered
 *   interpreters  may be remembered together with the script or module they run
 *   shapes        for programs with subcommands, how many words name what is done: `git commit`,
 *                 `npm run test`. Options between these words are skipped only where the table
 *                 knows them; an unknown one may take a value, and then nothing is certain
 *   all others    the program and its first word when that looks like a subcommand, else all of it
 *
 * The same function judges what is suggested and what a person or a client made of it
 * (suggest_refuses), so a suggestion at any of its lengths is never one that would be refused.
 */
#include "approval/suggest.h"

#include "base/limits.h"

#include <errno.h>

#define MAX_RUNS 4 /* `uv run npx …`: commands of commands that are followed */

struct ban {
    const char *names; /* separated by spaces; "mkfs*": all that begin so */
    const char *why;
};

static const struct ban bans[] = {
    {"sh bash zsh dash ksh mksh oksh fish csh tcsh ash rbash yash rc es nu xonsh elvish pwsh "
     "powershell busybox toybox",
     "a shell runs any command"},
    {"env sudo doas su runuser pkexec xargs parallel timeout gtimeout nice ionice chrt taskset "
     "nohup time command exec builtin eval source . trap setsid setarch stdbuf unbuffer script "
     "watch entr flock chroot unshare nsenter setpriv capsh prlimit cgexec firejail bwrap bawn "
     "proot fakeroot fakechroot systemd-run start-stop-daemon daemonize dbus-run-session xvfb-run "
     "tmux screen at batch crontab strace ltrace perf valgrind gdb lldb rr direnv dotenv op "
     "expect rlwrap torsocks proxychains* catchsegv linux32 linux64 i386 x86_64 ld.so ld-linux* "
     "ssh-agent sshpass sg newgrp run-parts hyperfine",
     "it runs any other command"},
    {"awk gawk mawk nawk original-awk sed gsed bc dc m4 osascript sqlite sqlite3 psql mysql",
     "its argument is a program"},
    {"vi vim view nvim ex ed emacs emacsclient less more most man",
     "an editor or pager runs any command"},
    {"rm rmdir unlink shred srm dd mkfs* mke2fs wipefs blkdiscard fdisk sfdisk parted mkswap "
     "truncate",
     "it removes or overwrites"},
    {"find fd fdfind", "with a few words more it runs commands or removes files"},
};

/* What may stand between an interpreter and its script; every other option could hold code. */
static const struct interpreter {
    const char *names, *flags, *module; /* MODULE: the option whose value is what runs */
} interpreters[] = {
    {"python pypy pythonw", "-b -B -E -I -O -OO -P -q -s -S -u -v -x", "-m"},
    {"node nodejs", "--enable-source-maps --no-warnings --trace-warnings --test", NULL},
    {"perl", "-w -W -T -t", NULL},
    {"ruby jruby", "-w -W", NULL},
    {"php hhvm", "-q", NULL},
    {"java", "", "-jar"},
    {"lua luajit texlua tclsh wish guile racket sbcl clisp ecl gosh csi scheme petite R Rscript "
     "julia octave scala kotlin groovy elixir escript erl ghci runghc runhaskell ocaml irb pry "
     "ts-node tsx swipl raku perl6 jshell nim crystal coffee qjs mujs gjs d8 wasmtime wasmer iex",
     "", NULL},
};
/* Modules whose arguments are code, or another script. */
static const char code_modules[] =
    "code codeop runpy timeit trace pdb bdb cProfile profile idlelib "
    "IPython ipykernel doctest pyrepl asyncio "
    "sqlite3";

/* Options of programs with subcommands that may stand before or between the words that count. */
static const struct known_options {
    const char *program, *values, *flags;
} known_options[] = {
    {"git", "-C --git-dir --work-tree --namespace",
     "--no-pager -P --bare --no-optional-locks -u --set-upstream"},
    {"npm", "--prefix -C --workspace -w --loglevel",
     "-s --silent -g --global -ws --workspaces --if-present --no-audit --no-fund"},
    {"pnpm", "--dir -C --filter -F", "-r --recursive -s --silent -w --workspace-root"},
    {"yarn", "--cwd", "-s --silent"},
    {"npx", "", "-y --yes --no --no-install -q --quiet"},
    {"bunx", "", "--bun"},
    {"cargo", "--manifest-path --color -Z -C", "-q --quiet -v --verbose --locked --offline +*"},
    {"go", "-C", ""},
    {"make", "-C --directory -f --file --makefile",
     "-s --silent -k --keep-going -B --always-make -i -j* --no-print-directory"},
    {"ninja", "-C -f -j -k", "-v -n --quiet"},
    {"meson", "-C", ""},
    {"just", "-f --justfile -d --working-directory", "-q --quiet"},
    {"docker", "-c --context -f --file -p --project-name --profile --project-directory", "--tls"},
    {"podman", "-c --connection -f --file -p --project-name", ""},
    {"kubectl", "-n --namespace --context --cluster", ""},
    {"oc", "-n --namespace --context", ""},
    {"helm", "-n --namespace --kube-context", "--debug"},
    {"gh", "-R --repo", ""},
    {"glab", "-R --repo", ""},
    {"aws", "--profile --region --output", "--no-cli-pager"},
    {"gcloud", "--project --format", "-q --quiet"},
    {"az", "--subscription -o --output", ""},
    {"terraform", "", "-chdir=*"},
    {"tofu", "", "-chdir=*"},
    {"pip", "", "-q --quiet -v --verbose --disable-pip-version-check --isolated"},
    {"uv", "--directory --project", "-q --quiet --offline --frozen --locked"},
    {"poetry", "-C --directory -P --project", "-q --quiet -n --no-interaction"},
    {"apt-get", "", "-y --yes -q -qq --assume-yes"},
    {"apt", "", "-y --yes -q -qq --assume-yes"},
    {"dnf", "", "-y -q --assumeyes --quiet"},
    {"brew", "", "-q --quiet"},
    {"mvn", "-f --file -pl --projects", "-q --quiet -B --batch-mode -o --offline"},
    {"gradle", "-p --project-dir", "-q --quiet --no-daemon --offline"},
    {"systemctl", "", "--user --no-pager"},
    {"dotnet", "", ""},
};

enum shape_kind {
    SHAPE_WORDS, /* `keep` words that are no options name it */
    SHAPE_WHOLE, /* never shorter than what was asked */
    SHAPE_RUNS,  /* what follows is a command, judged by itself */
    SHAPE_NEVER,
};

/* The longest row that fits counts. KEEP: words suggested; LEAST: how far they may be shortened. */
static const struct shape {
    const char *words;
    uint8_t keep, least;
    enum shape_kind kind;
    const char *why; /* of SHAPE_NEVER */
} shapes[] = {
    {"git", 2, 2},
    {"git stash", 3, 2},
    {"git remote", 3, 3},
    {"git worktree", 3, 3},
    {"git submodule", 3, 3},
    {"git push", 4, 2},
    {"git lfs", 3, 3},
    {"git flow", 3, 3},
    {"git notes", 3, 3},
    {"git config", 3, 3, SHAPE_WHOLE},
    {"git reset", 2, 2, SHAPE_WHOLE},
    {"git checkout", 2, 2, SHAPE_WHOLE},
    {"git restore", 2, 2, SHAPE_WHOLE},
    {"git rebase", 2, 2, SHAPE_WHOLE},
    {"git rm", 0, 0, SHAPE_NEVER, "it removes files"},
    {"git clean", 0, 0, SHAPE_NEVER, "it removes files"},
    {"git submodule foreach", 0, 0, SHAPE_NEVER, "it runs any other command"},
    {"git bisect", 0, 0, SHAPE_NEVER, "it runs any other command"},
    {"git filter-branch", 0, 0, SHAPE_NEVER, "it runs any other command"},
    {"git difftool", 0, 0, SHAPE_NEVER, "it runs any other command"},
    {"git mergetool", 0, 0, SHAPE_NEVER, "it runs any other command"},

    {"npm", 2, 2},
    {"npm run", 3, 3},
    {"npm run-script", 3, 3},
    {"npm config", 3, 3},
    {"npm exec", 2, 2, SHAPE_RUNS},
    {"npm x", 2, 2, SHAPE_RUNS},
    {"pnpm", 2, 2},
    {"pnpm run", 3, 3},
    {"pnpm exec", 2, 2, SHAPE_RUNS},
    {"pnpm dlx", 2, 2, SHAPE_RUNS},
    {"yarn", 2, 2},
    {"yarn run", 3, 3},
    {"yarn workspace", 4, 4},
    {"yarn exec", 2, 2, SHAPE_RUNS},
    {"yarn dlx", 2, 2, SHAPE_RUNS},
    {"npx", 1, 1, SHAPE_RUNS},
    {"pnpx", 1, 1, SHAPE_RUNS},
    {"bunx", 1, 1, SHAPE_RUNS},
    {"bun", 2, 2},
    {"bun run", 3, 3},
    {"bun x", 2, 2, SHAPE_RUNS},
    {"bun repl", 0, 0, SHAPE_NEVER, "it runs any code"},
    {"deno", 2, 2},
    {"deno run", 3, 3, SHAPE_WHOLE},
    {"deno task", 3, 3},
    {"deno eval", 0, 0, SHAPE_NEVER, "it runs any code"},
    {"deno repl", 0, 0, SHAPE_NEVER, "it runs any code"},

    {"cargo", 2, 2},
    {"cargo xtask", 3, 3},
    {"cargo nextest", 3, 3},
    {"rustup", 2, 2},
    {"rustup run", 3, 3, SHAPE_RUNS},
    {"go", 2, 2},
    {"go run", 3, 3},
    {"go mod", 3, 3},
    {"go tool", 3, 3},
    {"go work", 3, 3},

    {"make", 2, 1},
    {"gmake", 2, 1},
    {"ninja", 2, 1},
    {"meson", 2, 2},
    {"cmake", 2, 2, SHAPE_WHOLE},
    {"just", 2, 1},
    {"task", 2, 1},
    {"rake", 2, 1},
    {"mvn", 2, 2},
    {"mvnw", 2, 2},
    {"gradle", 2, 2},
    {"gradlew", 2, 2},
    {"bazel", 3, 2},
    {"bazel run", 3, 3},

    {"pip", 2, 2},
    {"pipx", 2, 2},
    {"pipx run", 2, 2, SHAPE_RUNS},
    {"uv", 2, 2},
    {"uv run", 2, 2, SHAPE_RUNS},
    {"uv pip", 3, 3},
    {"uv tool", 3, 3},
    {"uv tool run", 3, 3, SHAPE_RUNS},
    {"uvx", 1, 1, SHAPE_RUNS},
    {"poetry", 2, 2},
    {"poetry run", 2, 2, SHAPE_RUNS},
    {"pipenv", 2, 2},
    {"pipenv run", 2, 2, SHAPE_RUNS},
    {"pdm", 2, 2},
    {"pdm run", 2, 2, SHAPE_RUNS},
    {"hatch", 2, 2},
    {"hatch run", 3, 3},
    {"conda", 2, 2},
    {"conda run", 0, 0, SHAPE_NEVER, "it runs any other command"},
    {"bundle", 2, 2},
    {"bundle exec", 2, 2, SHAPE_RUNS},
    {"gem", 2, 2},
    {"composer", 2, 2},
    {"composer run-script", 3, 3},
    {"composer exec", 2, 2, SHAPE_RUNS},
    {"dotnet", 2, 2},
    {"mix", 2, 2},
    {"rebar3", 2, 2},
    {"stack", 2, 2},
    {"stack exec", 2, 2, SHAPE_RUNS},
    {"cabal", 2, 2},
    {"cabal exec", 2, 2, SHAPE_RUNS},

    {"docker", 2, 2},
    {"docker compose", 3, 3},
    {"docker compose exec", 5, 5, SHAPE_WHOLE},
    {"docker compose run", 4, 4, SHAPE_WHOLE},
    {"docker run", 3, 3, SHAPE_WHOLE},
    {"docker exec", 3, 3, SHAPE_WHOLE},
    {"docker container", 3, 3, SHAPE_WHOLE},
    {"docker image", 3, 3},
    {"docker volume", 3, 3},
    {"docker network", 3, 3},
    {"docker system", 3, 3},
    {"docker buildx", 3, 3},
    {"docker-compose", 2, 2},
    {"docker-compose exec", 4, 4, SHAPE_WHOLE},
    {"docker-compose run", 3, 3, SHAPE_WHOLE},
    {"podman", 2, 2},
    {"podman compose", 3, 3},
    {"podman run", 3, 3, SHAPE_WHOLE},
    {"podman exec", 3, 3, SHAPE_WHOLE},
    {"podman unshare", 0, 0, SHAPE_NEVER, "it runs any other command"},
    {"kubectl", 2, 2},
    {"kubectl get", 3, 2},
    {"kubectl describe", 3, 2},
    {"kubectl rollout", 3, 3},
    {"kubectl config", 3, 3},
    {"kubectl exec", 3, 3, SHAPE_WHOLE},
    {"kubectl run", 3, 3, SHAPE_WHOLE},
    {"kubectl delete", 3, 3, SHAPE_WHOLE},
    {"oc", 2, 2},
    {"oc exec", 3, 3, SHAPE_WHOLE},
    {"oc rsh", 3, 3, SHAPE_WHOLE},
    {"helm", 2, 2},
    {"terraform", 2, 2},
    {"terraform state", 3, 3},
    {"tofu", 2, 2},
    {"ansible", 2, 2, SHAPE_WHOLE},
    {"ansible-playbook", 2, 2},
    {"vagrant", 2, 2},
    {"vagrant ssh", 2, 2, SHAPE_WHOLE},

    {"gh", 3, 3},
    {"gh api", 3, 3, SHAPE_WHOLE},
    {"gh alias", 0, 0, SHAPE_NEVER, "it makes commands of its own"},
    {"gh extension exec", 0, 0, SHAPE_NEVER, "it runs any other command"},
    {"glab", 3, 3},
    {"aws", 3, 3},
    {"gcloud", 4, 3},
    {"az", 3, 3},
    {"heroku", 2, 2},
    {"heroku run", 3, 3, SHAPE_WHOLE},
    {"fly", 2, 2},
    {"vercel", 2, 2},

    {"apt-get", 2, 2},
    {"apt", 2, 2},
    {"dnf", 2, 2},
    {"yum", 2, 2},
    {"apk", 2, 2},
    {"brew", 2, 2},
    {"nix", 2, 2},
    {"nix run", 3, 3, SHAPE_WHOLE},
    {"nix shell", 0, 0, SHAPE_NEVER, "it runs any other command"},
    {"nix develop", 0, 0, SHAPE_NEVER, "it runs any other command"},
    {"nix-shell", 0, 0, SHAPE_NEVER, "it runs any other command"},
    {"guix shell", 0, 0, SHAPE_NEVER, "it runs any other command"},
    {"systemctl", 3, 3},
    {"journalctl", 2, 1},
    {"asdf", 2, 2},
    {"asdf exec", 2, 2, SHAPE_RUNS},
    {"mise", 2, 2},
    {"mise exec", 0, 0, SHAPE_NEVER, "it runs any other command"},
    {"mise x", 0, 0, SHAPE_NEVER, "it runs any other command"},
    {"mise run", 3, 3},

    {"curl", 2, 2, SHAPE_WHOLE},
    {"wget", 2, 2, SHAPE_WHOLE},
    {"http", 2, 2, SHAPE_WHOLE},
    {"ssh", 3, 3, SHAPE_WHOLE},
    {"mosh", 3, 3, SHAPE_WHOLE},
    {"scp", 3, 3, SHAPE_WHOLE},
    {"sftp", 2, 2, SHAPE_WHOLE},
    {"rsync", 3, 3, SHAPE_WHOLE},
    {"nc", 3, 3, SHAPE_WHOLE},
    {"ncat", 3, 3, SHAPE_WHOLE},
    {"socat", 3, 3, SHAPE_WHOLE},
    {"tar", 2, 2, SHAPE_WHOLE},
    {"mv", 3, 3, SHAPE_WHOLE},
    {"cp", 3, 3, SHAPE_WHOLE},
    {"ln", 3, 3, SHAPE_WHOLE},
    {"tee", 2, 2, SHAPE_WHOLE},
    {"install", 3, 3, SHAPE_WHOLE},
    {"chmod", 3, 3, SHAPE_WHOLE},
    {"chown", 3, 3, SHAPE_WHOLE},
    {"chgrp", 3, 3, SHAPE_WHOLE},
    {"kill", 2, 2, SHAPE_WHOLE},
    {"pkill", 2, 2, SHAPE_WHOLE},
    {"killall", 2, 2, SHAPE_WHOLE},
    {"mount", 2, 2, SHAPE_WHOLE},
};

#define MAX_NAMING_WORDS 5 /* the greatest `keep` and `least` of the table */

/* ---- words ---- */

static bool fits(struct bytes pattern, struct bytes word)
{
    if (pattern.n && pattern.p[pattern.n - 1] == '*')
        return word.n >= pattern.n - 1 && memcmp(word.p, pattern.p, pattern.n - 1) == 0;
    return bytes_eq(pattern, word);
}

/* Is WORD one of LIST, whose words are separated by spaces? */
static bool listed(const char *list, struct bytes word)
{
    while (list && *list) {
        size_t n = strcspn(list, " ");
        if (fits((struct bytes){list, n}, word))
            return true;
        list += n + (list[n] == ' ');
    }
    return false;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* "python3.11", "pip-3", "clang-14": the name without its version. */
static struct bytes without_version(struct bytes name)
{
    size_t n = name.n;
    while (n && (name.p[n - 1] == '.' || (name.p[n - 1] >= '0' && name.p[n - 1] <= '9')))
        n--;
    if (n && n < name.n && name.p[n - 1] == '-')
        n--;
    return n ? (struct bytes){name.p, n} : name;
}

static bool named(const char *list, struct bytes name)
{
    return listed(list, name) || listed(list, without_version(name));
}

static bool is_option(const char *word)
{
    return word[0] == '-';
}

static bool looks_like_subcommand(const char *word)
{
    for (const char *p = word; *p; p++) {
        bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z');
        if (!letter && (p == word || *p != '-'))
            return false;
    }
    return *word != '\0';
}

static bool is_text(const char *word)
{
    const unsigned char *p = (const unsigned char *)word;
    for (size_t n = strlen(word), i = 0; i < n;) {
        uint32_t c;
        size_t len = utf8_decode(p + i, n - i, &c);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

/* ---- what a prefix would allow ---- */

struct found {
    const char *why; /* no prefix of it may be remembered; the rest does not count then */
    size_t length, least;
};

static struct found refused(const char *why)
{
    return (struct found){.why = why};
}

static struct found judge_interpreter(const struct interpreter *in, const char *const *words,
                                      size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct bytes word = bytes_of(words[i]);
        if (in->module && bytes_is(word, in->module)) {
            if (i + 1 == n || is_option(words[i + 1]))
                break;
            if (listed(code_modules, bytes_of(words[i + 1])))
                return refused("the module runs any code");
            return (struct found){.length = i + 2, .least = i + 2};
        }
        if (listed(in->flags, word))
            continue;
        if (is_option(words[i]))
            return refused("an interpreter with such an option runs any code");
        if (word.n == 0 || str_starts(words[i], "/dev/") || str_starts(words[i], "/proc/"))
            return refused("an interpreter that reads its input runs any code");
        return (struct found){.length = i + 1, .least = i + 1};
    }
    return refused("an interpreter without a script runs any code");
}

/* The words that are no options, as far as the options in front of them are known. */
struct naming {
    size_t at[MAX_NAMING_WORDS + 1], n;
    bool stopped; /* an option that is not known came first */
};

static size_t option_words(const struct known_options *known, const char *word)
{
    struct bytes b = bytes_of(word);
    if (!known)
        return 0;
    if (listed(known->flags, b))
        return 1;
    if (listed(known->values, b))
        return 2;
    const char *equals = strchr(word, '=');
    if (equals && str_starts(word, "--") &&
        listed(known->values, (struct bytes){word, (size_t)(equals - word)}))
        return 1;
    return 0;
}

static struct naming find_naming_words(struct bytes name, const char *const *words, size_t n)
{
    const struct known_options *known = NULL;
    for (size_t i = 0; !known && i < ARRAY_LEN(known_options); i++)
        if (named(known_options[i].program, name))
            known = &known_options[i];
    struct naming found = {.at = {0}, .n = 1};
    for (size_t i = 1; i < n && found.n < ARRAY_LEN(found.at);) {
        size_t skip = option_words(known, words[i]);
        if (skip == 0 && is_option(words[i])) {
            found.stopped = true;
            break;
        }
        if (skip == 0)
            found.at[found.n++] = i++;
        else
            i += skip;
    }
    return found;
}

/* How many words ROW names, when they are the naming words; else 0. */
static size_t shape_fits(const struct shape *row, struct bytes name, const char *const *words,
                         const struct naming *naming)
{
    size_t i = 0;
    for (const char *p = row->words; *p; i++) {
        size_t n = strcspn(p, " ");
        struct bytes want = {p, n};
        if (i >= naming->n)
            return 0;
        if (i == 0 ? !bytes_eq(want, name) && !bytes_eq(want, without_version(name))
                   : !bytes_eq(want, bytes_of(words[naming->at[i]])))
            return 0;
        p += n + (p[n] == ' ');
    }
    return i;
}

static struct found judge_whole(const struct shape *row, struct bytes name,
                                const char *const *words, size_t n)
{
    size_t arguments = 0;
    bool changes_modes = listed("chmod chown chgrp", name);
    for (size_t i = 0; i < n; i++) {
        arguments += !is_option(words[i]);
        if (changes_modes && is_option(words[i]) &&
            (str_starts(words[i], "--rec") || (words[i][1] != '-' && strchr(words[i], 'R'))))
            return refused("it changes whole trees");
    }
    if (arguments < row->least)
        return refused("so short it would allow too much");
    return (struct found){.length = n, .least = n};
}

static struct found judge_words(const char *const *words, size_t n, unsigned depth);

static struct found judge_shape(const struct shape *row, size_t row_words, struct bytes name,
                                const struct naming *naming, const char *const *words, size_t n,
                                unsigned depth)
{
    switch (row->kind) {
    case SHAPE_NEVER:
        return refused(row->why);
    case SHAPE_WHOLE:
        return judge_whole(row, name, words, n);
    case SHAPE_RUNS: {
        size_t from = MAX_OF(row_words, (size_t)row->keep);
        if (naming->n <= from)
            return refused(naming->stopped ? "an option that is not known stands before what it "
                                             "runs"
                                           : "so short it would run any command");
        size_t at = naming->at[from];
        struct found inner = judge_words(words + at, n - at, depth + 1);
        return inner.why ? inner : (struct found){NULL, inner.length + at, inner.least + at};
    }
    case SHAPE_WORDS:
        break;
    }
    if (naming->n < row->least)
        return refused(naming->stopped ? "an option that is not known stands before the subcommand"
                                       : "so short it would allow every subcommand");
    size_t last = naming->at[MIN_OF((size_t)row->keep, naming->n) - 1];
    for (size_t i = 0; i <= last; i++)
        if (strchr(words[i], '=') && !is_option(words[i])) /* make CC=… */
            return (struct found){.length = n, .least = n};
    return (struct found){.length = last + 1, .least = naming->at[row->least - 1] + 1};
}

static struct found judge_words(const char *const *words, size_t n, unsigned depth)
{
    struct bytes name = bytes_of(base_name(words[0]));
    if (name.n == 0)
        return refused("there is no program");
    if (depth > MAX_RUNS)
        return refused("it runs any other command");
    for (size_t i = 0; i < ARRAY_LEN(bans); i++)
        if (named(bans[i].names, name))
            return refused(bans[i].why);
    for (size_t i = 0; i < ARRAY_LEN(interpreters); i++)
        if (named(interpreters[i].names, name))
            return judge_interpreter(&interpreters[i], words, n);

    struct naming naming = find_naming_words(name, words, n);
    const struct shape *best = NULL;
    size_t best_words = 0;
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        size_t fit = shape_fits(&shapes[i], name, words, &naming);
        if (fit > best_words) {
            best = &shapes[i];
            best_words = fit;
        }
    }
    if (best)
        return judge_shape(best, best_words, name, &naming, words, n, depth);
    if (n >= 2 && looks_like_subcommand(words[1]))
        return (struct found){.length = 2, .least = 2};
    return (struct found){.length = n, .least = 1};
}

const char *suggest_refuses(const char *const *words, size_t n)
{
    if (n == 0 || words[0][0] == '\0')
        return "there is no program";
    if (strchr(words[0], '/'))
        return "a rule names its program without a directory";
    if (is_option(words[0]) || strchr(words[0], '='))
        return "this is no program";
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        bytes += strlen(words[i]) + 1;
        if (bytes > MAX_SUGGESTION_BYTES)
            return "it is too long for a rule";
        if (!is_text(words[i]))
            return "it is not text in UTF-8";
    }
    return judge_words(words, n, 0).why;
}

/* ---- suggestions ---- */

/* The words a rule for C would have, the program by its name; those that no rule can hold, and what
 * follows them, left out. */
static int rule_words(struct arena *a, const struct command *c, const char *const **ret,
                      size_t *ret_n)
{
    const char **words = arena_zalloc(a, c->n, sizeof(*words));
    if (!words)
        return -ENOMEM;
    size_t n = 0;
    for (size_t bytes = 0; n < c->n && c->words[n].known && is_text(c->words[n].text); n++) {
        words[n] = n ? c->words[n].text : base_name(c->words[n].text);
        bytes += strlen(words[n]) + 1;
        if (bytes > MAX_SUGGESTION_BYTES)
            break;
    }
    *ret = words;
    *ret_n = n;
    return 0;
}

static bool same_prefix(const struct suggestion *a, const struct suggestion *b)
{
    if (a->length != b->length)
        return false;
    for (size_t i = 0; i < a->length; i++)
        if (!str_eq(a->words[i], b->words[i]))
            return false;
    return true;
}

/* A rule would not help: one allows it already, it could not count, or it must not be made. */
static bool out_of_question(const struct judged *j)
{
    return !j->command->plain || j->class == LINE_ALLOW || j->class == LINE_ALLOW_INSIDE ||
           j->class == LINE_SAFE || j->class == LINE_DANGEROUS || !j->program.trusted;
}

/* Into RET when C may be remembered; 0, 1 or -ENOMEM. */
static int suggest_one(struct arena *a, const struct command *c, struct suggestion *ret)
{
    const char *const *words;
    size_t n;
    int r = rule_words(a, c, &words, &n);
    if (r < 0)
        return r;
    if (n == 0 || suggest_refuses(words, n))
        return 0;
    struct found whole = judge_words(words, n, 0);
    /* Of a command that does not fit into a rule only a real prefix can be kept. */
    if (n < c->n && whole.length == n)
        return 0;
    *ret = (struct suggestion){words, n, whole.length, whole.least};
    return 1;
}

int suggest(struct arena *a, const struct judgement *judgement, const struct suggestion **ret,
            size_t *ret_n)
{
    *ret = NULL;
    *ret_n = 0;
    const struct command_list *list = judgement->list;
    if (list->reading != READING_PLAIN || list->heredoc || judgement->class >= LINE_PROMPT)
        return 0;
    struct suggestion *all = arena_zalloc(a, MAX_SUGGESTIONS, sizeof(*all));
    if (!all)
        return -ENOMEM;
    size_t n = 0;
    for (size_t i = 0; i < judgement->n; i++) {
        struct suggestion one;
        if (judgement->v[i].class >= LINE_PROMPT)
            return 0;
        if (out_of_question(&judgement->v[i]))
            continue;
        int r = suggest_one(a, judgement->v[i].command, &one);
        if (r < 0)
            return r;
        bool new = r > 0;
        for (size_t k = 0; new &&k < n; k++)
            new = !same_prefix(&all[k], &one);
        if (!new)
            continue;
        if (n == MAX_SUGGESTIONS) /* nobody reads so many before saying yes */
            return 0;
        all[n++] = one;
    }
    *ret = all;
    *ret_n = n;
    return 0;
}

/* ---- the line of a rules file ---- */

static void put_string(struct strbuf *b, const char *word)
{
    const unsigned char *p = (const unsigned char *)word;
    strbuf_putc(b, '"');
    for (size_t n = strlen(word), i = 0, len; i < n; i += len) {
        uint32_t c;
        len = utf8_decode(p + i, n - i, &c);
        if (len == 0) {
            strbuf_printf(b, "\\x%02x", p[i]);
            len = 1;
        } else if (c == '"' || c == '\\') {
            strbuf_printf(b, "\\%c", (char)c);
        } else if (c == '\n') {
            strbuf_puts(b, "\\n");
        } else if (c == '\t') {
            strbuf_puts(b, "\\t");
        } else if (c < 0x80 && utf8_deceives(c)) {
            strbuf_printf(b, "\\x%02x", (unsigned)c);
        } else if (utf8_deceives(c)) {
            strbuf_printf(b, c > 0xffff ? "\\U%08x" : "\\u%04x", (unsigned)c);
        } else {
            strbuf_put(b, p + i, len);
        }
    }
    strbuf_putc(b, '"');
}

const char *suggest_rule_text(struct arena *a, const char *const *words, size_t n, bool sandbox)
{
    _cleanup_strbuf_ struct strbuf b = {0};
    strbuf_puts(&b, "prefix_rule(pattern = [");
    for (size_t i = 0; i < n; i++) {
        if (i)
            strbuf_puts(&b, ", ");
        put_string(&b, words[i]);
    }
    strbuf_puts(&b,
                sandbox ? "], decision = \"allow\", sandbox = True)" : "], decision = \"allow\")");
    return strbuf_failed(&b) ? NULL : arena_strndup(a, b.p, b.n);
}

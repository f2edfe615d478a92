/*
 * The known-safe commands: those that look and do not touch (spec 4.4).
 *
 * A row lists every option a program has that neither writes a file nor runs a program; what is not
 * listed makes the command not known-safe, also when the option is harmless and merely new. Options
 * that are known to write or to run are listed with a mark, so that an abbreviation of them is not
 * taken for that of another.
 *
 * What is accepted: known-safe commands run inside the sandbox, never outside, so it does not
 * matter here that git reads a repository's configuration (core.fsmonitor, pagers, diff drivers,
 * textconv run programs even for `git status`), that rg has RIPGREP_CONFIG_PATH and less has its
 * preprocessors: what they run is as confined as the command. It matters only that the command line
 * itself asks for nothing of the kind. A `tail -f` never ends, which harms nobody.
 */
#include "rules/safety.h"

#define COMMON " help version"

struct safe_program {
    const char *name;
    struct option_table options;
    size_t most;                                /* operands; 0: any number */
    bool (*check)(const struct command *words); /* instead of the table */
};

/* ---- programs with a grammar of their own ---- */

static bool any_words(const struct command *c)
{
    (void)c;
    return true;
}

static bool is_number(const char *s, const char **ret_end)
{
    size_t n = strspn(s, "0123456789");
    *ret_end = s + n;
    return n != 0;
}

/* `5p` or `5,9p`. */
static bool prints_lines(const char *s)
{
    if (!is_number(s, &s))
        return false;
    if (*s == ',' && !is_number(s + 1, &s))
        return false;
    return str_eq(s, "p");
}

/* sed -n 5,9p FILE…: any other script could write (w) or run (e). */
static bool sed_is_safe(const struct command *c)
{
    static const struct option_table options = {
        .shorts = "n", .longs = "quiet silent", .flags = OPTIONS_EXACT};
    struct unpack u = unpack_start(&options, c->words, c->n, 1);
    bool quiet = false, script = false;
    for (;;) {
        struct unpacked item = unpack_next(&u);
        if (item.kind == UNPACK_END)
            return quiet && script;
        if (item.kind == UNPACK_STRANGE)
            return false;
        if (item.kind == UNPACK_OPTION)
            quiet = true;
        else if (!script && !prints_lines(item.value))
            return false;
        else
            script = true;
    }
}

/* Expressions of find without those that run, delete or write; `=` takes the next word. */
static const char find_words[] =
    "a amin= and anewer= atime= cmin= cnewer= context= ctime= d daystart depth empty executable "
    "false files0-from= follow fstype= gid= group= H help ignore_readdir_race ilname= iname= inum= "
    "ipath= iregex= iwholename= L links= lname= ls maxdepth= mindepth= mmin= mount mtime= name= "
    "newer= nogroup noignore_readdir_race noleaf not nouser nowarn o or P path= perm= print print0 "
    "printf= prune quit readable regex= regextype= samefile= size= true type= uid= used= user= "
    "version warn wholename= writable xdev xtype=";

static bool find_takes(const char *word, bool *ret_value)
{
    struct bytes name, wanted = bytes_of(word);
    if (str_starts(word, "newer") && wanted.n == 7) { /* -newerXY */
        *ret_value = true;
        return true;
    }
    for (const char *p = find_words; names_next(&p, &name);) {
        *ret_value = name.p[name.n - 1] == '=';
        name.n -= *ret_value;
        if (bytes_eq(name, wanted))
            return true;
    }
    return false;
}

static bool find_is_safe(const struct command *c)
{
    for (size_t i = 1; i < c->n; i++) {
        const char *word = c->words[i].text;
        bool value;
        if (word[0] != '-')
            continue; /* a place, a bracket, a `!` */
        if (!find_takes(word + 1, &value))
            return false;
        if (!value)
            continue;
        if (++i >= c->n)
            return false;
        /* -mtime -1 and -perm -u+w, but nothing that reads like an action. */
        const char *v = c->words[i].text;
        bool letter = v[0] == '-' && ((v[1] >= 'a' && v[1] <= 'z') || v[1] == '-');
        if (letter && !str_eq(word, "-perm"))
            return false;
    }
    return true;
}

/* ---- git ---- */

#define GIT (OPTIONS_EXACT | OPTIONS_NO_DASH)

#define DIFF_SHORTS "psuU::abwRWzrtcqM::C::B::DX::l:S:G:O:I:"
#define DIFF_LONGS                                                                                 \
    "patch no-patch unified? raw patch-with-raw indent-heuristic no-indent-heuristic minimal "     \
    "patience histogram anchored= diff-algorithm= stat? compact-summary numstat shortstat "        \
    "dirstat? cumulative summary patch-with-stat name-only name-status submodule? color? "         \
    "no-color color-moved? no-color-moved color-moved-ws= word-diff? word-diff-regex= "            \
    "color-words? no-renames rename-empty no-rename-empty check ws-error-highlight= full-index "   \
    "abbrev? no-abbrev break-rewrites? find-renames? find-copies? find-copies-harder "             \
    "irreversible-delete diff-filter= pickaxe-all pickaxe-regex text ignore-cr-at-eol "            \
    "ignore-space-at-eol ignore-space-change ignore-all-space ignore-blank-lines "                 \
    "ignore-matching-lines= inter-hunk-context= function-context exit-code quiet no-ext-diff "     \
    "no-textconv ignore-submodules? src-prefix= dst-prefix= no-prefix default-prefix "             \
    "line-prefix= relative? no-relative stat-width= stat-name-width= stat-count= "                 \
    "stat-graph-width= skip-to= rotate-to= find-object= diff-merges= no-diff-merges cc "           \
    "combined-all-paths binary ita-invisible-in-index ita-visible-in-index no-compact-summary "    \
    "no-exit-code no-function-context no-minimal no-quiet no-text output-indicator-context= "      \
    "output-indicator-new= output-indicator-old= !output= !ext-diff !textconv"

#define LOG_SHORTS "0123456789n:iEFPL:gm" DIFF_SHORTS
#define LOG_LONGS                                                                                  \
    DIFF_LONGS                                                                                     \
    " oneline graph no-graph all branches? tags? remotes? glob= exclude= decorate? no-decorate "   \
    "decorate-refs= decorate-refs-exclude= clear-decorations source log-size max-count= skip= "    \
    "since= after= until= before= since-as-filter= author= committer= grep= grep-reflog= "         \
    "all-match invert-grep regexp-ignore-case basic-regexp extended-regexp fixed-strings "         \
    "perl-regexp remove-empty merges no-merges min-parents= max-parents= no-min-parents "          \
    "no-max-parents first-parent exclude-first-parent-only not ignore-missing bisect "             \
    "cherry-mark cherry-pick left-only right-only cherry walk-reflogs merge boundary "             \
    "simplify-by-decoration show-pulls full-history dense sparse simplify-merges "                 \
    "ancestry-path? date-order author-date-order topo-order reverse no-walk? do-walk pretty? "     \
    "format= abbrev-commit no-abbrev-commit encoding= expand-tabs? no-expand-tabs notes? "         \
    "no-notes show-notes? relative-date date= parents children left-right follow full-diff "       \
    "mailmap no-mailmap use-mailmap no-use-mailmap root no-commit-id !show-signature"

static const struct {
    const char *name;
    struct option_table options;
} git_safe[] = {
    {"status",
     {"svbzu::M::",
      "short branch show-stash porcelain? long verbose null ignored? untracked-files? "
      "ignore-submodules? column? no-column ahead-behind no-ahead-behind renames no-renames "
      "find-renames?",
      GIT}},
    {"log", {LOG_SHORTS, LOG_LONGS, GIT}},
    {"show", {LOG_SHORTS, LOG_LONGS, GIT}},
    {"diff",
     {"0123" DIFF_SHORTS, DIFF_LONGS " cached staged merge-base no-index base ours theirs", GIT}},
    {"branch",
     {"arvli",
      "all remotes verbose list show-current contains? no-contains? merged? no-merged? points-at= "
      "sort= no-sort format= column? no-column color? no-color abbrev? no-abbrev ignore-case "
      "omit-empty",
      GIT}},
};

/* A format may ask for a signature to be checked, which runs gpg. */
static bool asks_for_signature(const struct unpacked *item)
{
    return (unpacked_is(item, "format") || unpacked_is(item, "pretty")) && item->value &&
           strstr(item->value, "%G");
}

/* `git branch NAME` makes a branch; with one of these a name is a pattern or a commit. */
static bool lists_branches(const struct unpacked *item)
{
    static const char names[] = "l list contains no-contains merged no-merged points-at";
    return item->kind == UNPACK_OPTION && names_have(names, item->name);
}

static bool git_is_safe(const struct command *c)
{
    bool marked, listing = false;
    size_t at = git_subcommand(c, &marked), row = 0, operands = 0;
    if (marked || at >= c->n)
        return false;
    while (row < ARRAY_LEN(git_safe) && !str_eq(git_safe[row].name, c->words[at].text))
        row++;
    if (row == ARRAY_LEN(git_safe))
        return false;
    struct unpack u = unpack_start(&git_safe[row].options, c->words, c->n, at + 1);
    for (;;) {
        struct unpacked item = unpack_next(&u);
        if (item.kind == UNPACK_END)
            break;
        if (item.kind == UNPACK_STRANGE || item.marked || asks_for_signature(&item))
            return false;
        listing |= lists_branches(&item);
        operands += item.kind == UNPACK_OPERAND;
    }
    return !str_eq(git_safe[row].name, "branch") || listing || operands == 0;
}

/* ---- the table ---- */

static const struct safe_program programs[] = {
    {.name = "base64",
     .options = {"dDiw:!o:", "decode ignore-garbage wrap= !output=" COMMON},
     .most = 1},
    {.name = "cat",
     .options = {"AbeEnstTuv", "show-all number-nonblank show-ends number squeeze-blank show-tabs "
                               "show-nonprinting" COMMON}},
    {.name = "cd", .options = {"LPe@"}, .most = 1},
    {.name = "cut",
     .options = {"b:c:d:f:F:nsz", "bytes= characters= delimiter= fields= complement only-delimited "
                                  "output-delimiter= zero-terminated" COMMON}},
    {.name = "echo", .check = any_words},
    {.name = "expr", .check = any_words},
    {.name = "false", .check = any_words},
    {.name = "find", .check = find_is_safe},
    {.name = "git", .check = git_is_safe},
    {.name = "grep",
     .options = {"0123456789A:B:C:D:EFGHILPRTUVX:Zabcd:e:f:hilm:noqrsuvwxyz",
                 "after-context= basic-regexp before-context= binary binary-files= byte-offset "
                 "color? colour? context= count dereference-recursive devices= directories= "
                 "exclude= exclude-dir= exclude-from= extended-regexp file= files-with-matches "
                 "files-without-match fixed-regexp fixed-strings group-separator= "
                 "no-group-separator ignore-case include= initial-tab "
                 "invert-match label= line-buffered line-number line-regexp max-count= "
                 "no-filename no-ignore-case no-messages null null-data only-matching perl-regexp "
                 "quiet recursive regexp= silent text unix-byte-offsets with-filename "
                 "word-regexp" COMMON}},
    {.name = "head",
     .options = {"0123456789c:n:qvz", "bytes= lines= quiet silent verbose zero-terminated" COMMON}},
    {.name = "id", .options = {"aGgnruzZ", "context group groups name real user zero" COMMON}},
    {.name = "ls",
     .options = {"abcdfghiklmnopqrstuvw:xABCDFGHI:LNQRST:UXZ1",
                 "all almost-all author block-size= classify? color? context dereference "
                 "dereference-command-line dereference-command-line-symlink-to-dir directory dired "
                 "escape file-type format= full-time group-directories-first hide= "
                 "hide-control-chars human-readable hyperlink? ignore= ignore-backups "
                 "indicator-style= inode kibibytes literal no-group numeric-uid-gid quote-name "
                 "quoting-style= recursive reverse show-control-chars si size sort= tabsize= time= "
                 "time-style= width= zero" COMMON}},
    {.name = "nl",
     .options = {"b:d:f:h:i:l:n:ps:v:w:",
                 "body-numbering= footer-numbering= header-numbering= join-blank-lines= "
                 "line-increment= no-renumber number-format= number-separator= number-width= "
                 "section-delimiter= starting-line-number=" COMMON}},
    {.name = "numfmt",
     .options = {"d:z",
                 "debug delimiter= field= format= from= from-unit= grouping header? invalid= "
                 "padding= round= suffix= to= to-unit= unit-separator= "
                 "zero-terminated" COMMON}},
    {.name = "paste", .options = {"d:sz", "delimiters= serial zero-terminated" COMMON}},
    {.name = "pwd", .options = {"LP", "logical physical" COMMON}},
    {.name = "rev", .options = {"0hV", "zero" COMMON}},
    {.name = "rg",
     .options =
         {"A:B:C:E:FHILM:NPST:UVacd:e:f:g:hij:lm:nopqr:st:uvwx0b.!z",
          "after-context= auto-hybrid-regex before-context= binary block-buffered byte-offset "
          "case-sensitive color= colors= column context= context-separator= count count-matches "
          "crlf debug dfa-size-limit= encoding= engine= field-context-separator= "
          "field-match-separator= file= files files-with-matches files-without-match fixed-strings "
          "follow generate= glob= glob-case-insensitive heading hidden hyperlink-format= iglob= "
          "ignore ignore-case ignore-dot ignore-exclude ignore-file= "
          "ignore-file-case-insensitive ignore-files ignore-global ignore-messages ignore-parent "
          "ignore-vcs include-zero invert-match json line-buffered line-number line-regexp "
          "max-columns= max-columns-preview max-count= max-depth= max-filesize= maxdepth= messages "
          "mmap multiline multiline-dotall no-auto-hybrid-regex no-binary no-block-buffered "
          "no-byte-offset no-column no-config no-context-separator no-crlf no-encoding no-filename "
          "no-fixed-strings no-follow no-glob-case-insensitive no-heading no-hidden "
          "no-hostname-bin no-ignore no-ignore-dot no-ignore-exclude "
          "no-ignore-file-case-insensitive "
          "no-ignore-files no-ignore-global no-ignore-messages no-ignore-parent no-ignore-vcs "
          "no-include-zero no-invert-match no-json no-line-buffered no-line-number "
          "no-max-columns-preview no-messages no-mmap no-multiline no-multiline-dotall "
          "no-one-file-system no-pcre2 no-pcre2-unicode no-pre no-require-git no-search-zip "
          "no-sort-files no-stats no-text no-trim no-unicode null null-data one-file-system "
          "only-matching passthrough passthru path-separator= pcre2 pcre2-unicode pcre2-version "
          "pre-glob= pretty quiet regex-size-limit= regexp= replace= require-git smart-case sort= "
          "sort-files sortr= stats stop-on-nonmatch text threads= trace trim type= type-add= "
          "type-clear= type-list type-not= unicode unrestricted vimgrep with-filename word-regexp "
          "!hostname-bin= !pre= !search-zip" COMMON,
          OPTIONS_EXACT}},
    {.name = "sed", .check = sed_is_safe},
    {.name = "seq", .options = {"0123456789.f:s:w", "equal-width format= separator=" COMMON}},
    {.name = "stat",
     .options = {"c:fLt", "cached= dereference file-system format= printf= terse" COMMON}},
    {.name = "tac", .options = {"brs:", "before regex separator=" COMMON}},
    {.name = "tail",
     .options = {"0123456789c:fFn:qs:vz",
                 "bytes= debug follow? lines= max-unchanged-stats= pid= quiet retry silent "
                 "sleep-interval= verbose zero-terminated" COMMON}},
    {.name = "tr", .options = {"Ccdst", "complement delete squeeze-repeats truncate-set1" COMMON}},
    {.name = "true", .check = any_words},
    {.name = "uname",
     .options = {"aimnoprsv", "all hardware-platform kernel-name kernel-release kernel-version "
                              "machine nodename operating-system processor" COMMON}},
    {.name = "uniq", /* a second operand is written to */
     .options = {"0123456789cdDf:is:uw:z",
                 "all-repeated? check-chars= count group? ignore-case repeated skip-chars= "
                 "skip-fields= unique zero-terminated" COMMON},
     .most = 1},
    {.name = "wc",
     .options = {"cLlmw", "bytes chars debug files0-from= lines max-line-length total= "
                          "words" COMMON}},
    {.name = "which",
     .options = {"as", "all show-dot show-tilde skip-alias skip-dot skip-functions "
                       "skip-tilde tty-only" COMMON}},
    {.name = "whoami", .options = {NULL, "help version"}},
};

static bool fits(const struct safe_program *p, const struct command *c)
{
    struct unpack u = unpack_start(&p->options, c->words, c->n, 1);
    for (size_t operands = 0;;) {
        struct unpacked item = unpack_next(&u);
        if (item.kind == UNPACK_END)
            return true;
        if (item.kind == UNPACK_STRANGE || item.marked)
            return false;
        operands += item.kind == UNPACK_OPERAND;
        if (p->most && operands > p->most)
            return false;
    }
}

bool known_safe(const struct command *c)
{
    for (size_t i = 0; i < ARRAY_LEN(programs); i++)
        if (str_eq(programs[i].name, c->words[0].text))
            return programs[i].check ? programs[i].check(c) : fits(&programs[i], c);
    return false;
}

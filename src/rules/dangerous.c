/*
 * The dangerous commands: those that destroy what cannot be brought back, or run what nobody has
 * seen (spec 4.4).
 *
 * A row marks the options that make its program dangerous. Read with the benefit of the doubt for
 * danger: options that are not known are passed over, an abbreviation that could stand for a marked
 * one counts as it, a word that only an expansion tells is judged by what is written of it
 * (`rm -rf "$X"` is forced, `rm $X` is not).
 *
 * Left out on purpose, because they are everyday work and ask too often: git checkout -- FILE, git
 * restore, git stash drop, git branch -M, find -delete, rm -r below the working directory. The
 * configuration's commands.dangerous adds them for whoever wants to be asked.
 */
#include "rules/safety.h"

struct danger;
typedef const char *(*danger_judge)(const struct danger *row, const struct command *c,
                                    size_t first);

struct danger {
    const char *names; /* programs, or subcommands of git; a last `*` stands for anything */
    const char *reason;
    struct option_table options;
    const char *dry;    /* with one of these nothing is done */
    danger_judge judge; /* NULL: any marked option */
};

const char *without_quotes(const char *text, char *buf, size_t cap)
{
    size_t n = 0;
    for (; *text && n + 1 < cap; text++)
        if (*text != '"' && *text != '\'')
            buf[n++] = *text;
    buf[n] = '\0';
    return buf;
}

static bool is_named(const char *names, const char *program)
{
    struct bytes one;
    while (names_next(&names, &one)) {
        if (one.p[0] != program[0])
            continue;
        bool open = one.p[one.n - 1] == '*';
        if (open ? strncmp(one.p, program, one.n - 1) == 0 : bytes_is(one, program))
            return true;
    }
    return false;
}

/* ---- places ---- */

/* TEXT, absolute, normalised by its letters into BUF without the leading slash: "usr/bin", and a
 * last `*` left out. False when it does not fit. */
static bool normalise(const char *text, char *buf, size_t cap)
{
    size_t n = 0;
    while (*text) {
        size_t len = strcspn(text, "/");
        bool dots = len == 2 && text[0] == '.' && text[1] == '.';
        bool nothing = len == 0 || (len == 1 && (text[0] == '.' || (text[0] == '*' && !text[1])));
        if (dots) {
            while (n && buf[--n] != '/')
                ;
        } else if (!nothing) {
            if (n + len + 2 > cap)
                return false;
            if (n)
                buf[n++] = '/';
            memcpy(buf + n, text, len);
            n += len;
        }
        text += len + (text[len] == '/');
    }
    buf[n] = '\0';
    return true;
}

static size_t home_prefix(const char *s)
{
    static const char *const spelled[] = {"$HOME", "${HOME}", "~"};
    for (size_t i = 0; i < ARRAY_LEN(spelled); i++)
        if (str_starts(s, spelled[i]))
            return strlen(spelled[i]);
    return 0;
}

/* Is it the root, a directory of the system, a home, or somewhere above? */
static bool is_root(const char *word)
{
    static const char roots[] = "bin boot dev etc home lib lib32 lib64 libx32 proc root sbin sys "
                                "usr usr/bin usr/lib usr/lib64 usr/local usr/sbin usr/share var "
                                "var/lib";
    char text[256], place[256];
    const char *s = without_quotes(word, text, sizeof(text));
    while (s[0] == '.' && s[1] == '/')
        s += 1 + strspn(s + 1, "/");
    size_t home = home_prefix(s);
    if (home) {
        if (s[home] == '/' || s[home] == '\0')
            return normalise(s + home, place, sizeof(place)) && !place[0];
        return s[0] == '~' && !strchr(s, '/'); /* ~user */
    }
    if (!normalise(s, place, sizeof(place)))
        return false;
    if (s[0] == '/')
        return !place[0] || names_have(roots, bytes_of(place));
    return str_starts(s, "..") && (s[2] == '/' || s[2] == '\0') && !place[0];
}

static bool has_root_operand(const struct option_table *options, const struct command *c)
{
    struct unpack u = unpack_start(options, c->words, c->n, 1);
    for (;;) {
        struct unpacked item = unpack_next(&u);
        if (item.kind == UNPACK_END)
            return false;
        if (item.kind == UNPACK_OPERAND && is_root(item.value))
            return true;
    }
}

/* ---- judges ---- */

/* *ret_marked: a marked option is there, or could be. False when nothing is done anyway. */
static bool has_effect(const struct danger *row, const struct command *c, size_t first,
                       bool *ret_marked)
{
    struct unpack u = unpack_start(&row->options, c->words, c->n, first);
    *ret_marked = false;
    for (;;) {
        struct unpacked item = unpack_next(&u);
        if (item.kind == UNPACK_END)
            return true;
        *ret_marked |= item.marked;
        if (item.kind == UNPACK_OPTION && row->dry && names_have(row->dry, item.name))
            return false;
    }
}

static const char *by_mark(const struct danger *row, const struct command *c, size_t first)
{
    bool marked;
    return has_effect(row, c, first, &marked) && marked ? row->reason : NULL;
}

static const char *always(const struct danger *row, const struct command *c, size_t first)
{
    (void)c;
    (void)first;
    return row->reason;
}

static const char *judge_rm(const struct danger *row, const struct command *c, size_t first)
{
    static const char never[] = "never no none";
    struct unpack u = unpack_start(&row->options, c->words, c->n, first);
    bool recursive = false;
    for (;;) {
        struct unpacked item = unpack_next(&u);
        if (item.kind == UNPACK_END)
            break;
        if (item.marked || (unpacked_is(&item, "interactive") && item.value &&
                            names_have(never, bytes_of(item.value))))
            return row->reason;
        recursive |=
            unpacked_is(&item, "r") || unpacked_is(&item, "R") || unpacked_is(&item, "recursive");
    }
    return recursive && has_root_operand(&row->options, c) ? "rm -r of a directory of the system"
                                                           : NULL;
}

static const char *judge_owner(const struct danger *row, const struct command *c, size_t first)
{
    const char *reason = by_mark(row, c, first);
    return reason && has_root_operand(&row->options, c) ? reason : NULL;
}

static const char *judge_dd(const struct danger *row, const struct command *c, size_t first)
{
    static const char harmless[] = "dev/null dev/zero dev/full dev/stdout dev/stderr dev/tty";
    for (size_t i = first; i < c->n; i++) {
        char text[256], place[256];
        const char *s = without_quotes(c->words[i].text, text, sizeof(text));
        if (!str_starts(s, "of=/") || !normalise(s + 3, place, sizeof(place)))
            continue;
        if (str_starts(place, "dev/") && !names_have(harmless, bytes_of(place)) &&
            !str_starts(place, "dev/shm/") && !str_starts(place, "dev/fd/") &&
            !str_starts(place, "dev/pts/"))
            return row->reason;
    }
    return NULL;
}

/* ---- git ---- */

static const struct option_table git_globals = {
    "!C:!c:!pPvh",
    "!attr-source= bare !config-env= !exec-path? glob-pathspecs !git-dir= !help !html-path "
    "icase-pathspecs !info-path !list-cmds= literal-pathspecs !man-path !namespace= no-advice "
    "no-lazy-fetch no-optional-locks no-pager no-replace-objects noglob-pathspecs !paginate "
    "!shallow-file= !super-prefix= version !work-tree=",
    OPTIONS_FIRST | OPTIONS_EXACT};

size_t git_subcommand(const struct command *c, bool *ret_marked)
{
    struct unpack u = unpack_start(&git_globals, c->words, c->n, 1);
    bool marked = false;
    for (;;) {
        struct unpacked item = unpack_next(&u);
        marked |= item.marked || item.kind == UNPACK_STRANGE;
        if (item.kind != UNPACK_END && item.kind != UNPACK_OPERAND)
            continue;
        if (ret_marked)
            *ret_marked = marked;
        return item.at;
    }
}

/* git -c clean.requireForce=false clean */
static bool force_is_configured(const struct command *c, size_t subcommand)
{
    struct unpack u = unpack_start(&git_globals, c->words, subcommand, 1);
    for (;;) {
        struct unpacked item = unpack_next(&u);
        if (item.kind == UNPACK_END)
            return false;
        bool config = unpacked_is(&item, "c") || unpacked_is(&item, "config-env");
        if (config && item.value && strncasecmp(item.value, "clean.requireforce", 18) == 0)
            return true;
    }
}

static const char *judge_clean(const struct danger *row, const struct command *c, size_t first)
{
    bool marked, effect = has_effect(row, c, first, &marked);
    return effect && (marked || force_is_configured(c, first - 1)) ? row->reason : NULL;
}

/* +refspec forces, :refspec deletes; ":" alone pushes what both sides have. */
static const char *judge_push(const struct danger *row, const struct command *c, size_t first)
{
    struct unpack u = unpack_start(&row->options, c->words, c->n, first);
    bool marked, effect = has_effect(row, c, first, &marked);
    for (;;) {
        struct unpacked item = unpack_next(&u);
        if (item.kind == UNPACK_END)
            return effect && marked ? row->reason : NULL;
        if (item.kind != UNPACK_OPERAND)
            continue;
        char text[8];
        const char *s = without_quotes(item.value, text, sizeof(text));
        marked |= s[0] == '+' || (s[0] == ':' && s[1]);
    }
}

/* -D, or -d with --force. */
static const char *judge_branch(const struct danger *row, const struct command *c, size_t first)
{
    struct unpack u = unpack_start(&row->options, c->words, c->n, first);
    bool deletes = false, forces = false;
    for (;;) {
        struct unpacked item = unpack_next(&u);
        if (item.kind == UNPACK_END)
            return deletes && forces ? row->reason : NULL;
        if (unpacked_is(&item, "D"))
            return row->reason;
        deletes |= unpacked_is(&item, "d") || unpacked_is(&item, "delete");
        forces |= unpacked_is(&item, "f") || unpacked_is(&item, "force");
    }
}

static const struct danger git_dangers[] = {
    {"reset",
     "git reset --hard drops changes that are nowhere else",
     {"qpN",
      "!hard soft mixed merge keep quiet no-quiet patch intent-to-add "
      "recurse-submodules? no-recurse-submodules pathspec-from-file= pathspec-file-nul "
      "refresh no-refresh",
      0},
     NULL,
     NULL},
    {"clean",
     "git clean -f removes files that are nowhere else",
     {"!fdinqxXe:", "!force dry-run interactive quiet exclude=", 0},
     "n dry-run",
     judge_clean},
    {"push",
     "git push with force or a deletion rewrites what others have",
     {"!f!dnqvuo:46",
      "all atomic branches !delete dry-run exec= follow-tags !force force-if-includes "
      "!force-with-lease? ipv4 ipv6 !mirror no-atomic no-follow-tags no-force no-force-if-includes "
      "no-force-with-lease no-signed no-thin no-verify porcelain progress !prune push-option= "
      "quiet receive-pack= recurse-submodules= repo= set-upstream signed? tags thin verbose verify",
      0},
     "n dry-run",
     judge_push},
    {"branch",
     "git branch -D deletes commits that may be nowhere else",
     {"!DdfmMcClarvqtu:i",
      "abbrev? all color? column? contains= copy create-reflog delete edit-description force "
      "format= ignore-case list merged= move no-abbrev no-color no-column no-contains= no-merged= "
      "no-track points-at= quiet recurse-submodules remotes set-upstream-to= show-current sort= "
      "track? unset-upstream verbose",
      0},
     NULL,
     judge_branch},
};

static const char *judge_git(const struct danger *row, const struct command *c, size_t first)
{
    (void)row;
    (void)first;
    size_t at = git_subcommand(c, NULL);
    for (size_t i = 0; at < c->n && i < ARRAY_LEN(git_dangers); i++) {
        const struct danger *d = &git_dangers[i];
        if (str_eq(d->names, c->words[at].text))
            return d->judge ? d->judge(d, c, at + 1) : by_mark(d, c, at + 1);
    }
    return NULL;
}

/* ---- the table ---- */

static const struct danger dangers[] = {
    {"rm",
     "rm with force removes without asking",
     {"!fdiIrRv",
      "dir !force interactive? !no-preserve-root one-file-system preserve-root? "
      "recursive verbose help version",
      0},
     NULL,
     judge_rm},
    {"git", NULL, {0}, NULL, judge_git},
    {"dd", "dd writes over a device", {0}, NULL, judge_dd},
    {"mkfs mkfs.* mke2fs mkswap", "a file system is made over what is there", {0}, NULL, always},
    {"shred", "shred destroys what a file held", {0}, NULL, always},
    {"blkdiscard", "blkdiscard empties a device", {0}, NULL, always},
    {"wipefs",
     "wipefs removes a device's signatures",
     {"!abfhiJno:O:pqt:V",
      "!all backup? force noheadings json no-act lock? !offset= output= "
      "parsable quiet types= help version",
      0},
     "n no-act",
     NULL},
    {"chmod",
     "a recursive chmod of a directory of the system",
     {"!Rcfv",
      "changes dereference no-dereference no-preserve-root preserve-root quiet "
      "!recursive reference= silent verbose help version",
      0},
     NULL,
     judge_owner},
    {"chown chgrp",
     "a recursive chown of a directory of the system",
     {"!RcfhHLPv",
      "changes dereference from= no-dereference no-preserve-root preserve-root quiet "
      "!recursive reference= silent verbose help version",
      0},
     NULL,
     judge_owner},
};

/* ---- text from the network that is run ---- */

/* What a command is a part of stands near it in the list: farther is not looked, so that a line of
 * thousands of commands is judged in time that grows with its length. */
#define NEAR 32u

#define DOWNLOADED "what is downloaded is run without being looked at"

static const char fetchers[] = "aria2c curl fetch http https lwp-request wget wget2 xh";

/* What reads a program from its input. A mark: the program is the option's value instead. */
static const struct interpreter {
    const char *names;
    struct option_table options;
} interpreters[] = {
    {"ash bash csh dash fish ksh ksh93 mksh sh tcsh zsh",
     {"!cabdefghiklmno:prstuvxBCDEHO:PTX",
      "debugger !help init-file= login noediting noprofile norc posix rcfile= restricted verbose "
      "!version",
      OPTIONS_FIRST}},
    {"pypy pypy3 python*",
     {"!c:!m:bBdEhiIOPqRsSuvVW:xX:", "check-hash-based-pycs= !help !version", OPTIONS_FIRST}},
    {"perl",
     {"!e:!E:0::aC::cdD::fF::hi::I:l::m::M::nps::tTuUvVwWx::X", "!help !version", OPTIONS_FIRST}},
    {"ruby", {"!e:0::aC:cdE:F::hi::I:K::l::npr:sST::UvVW::wx::y", "!help !version", OPTIONS_FIRST}},
    {"node nodejs",
     {"!e:!p::cC:hir:v", "!eval= !help import= input-type= interactive !print? require= !version",
      OPTIONS_FIRST}},
    {"php",
     {"!r:!B:!R:!F:!E:!f:ac:d:hilmnqsS:t:vwz:", "!run= !file= !help !version", OPTIONS_FIRST}},
    {"lua luajit", {"!e:il:vEW", NULL, OPTIONS_FIRST}},
};

static const char *program_of(const struct command *c)
{
    const char *slash = strrchr(c->words[0].text, '/');
    return slash ? slash + 1 : c->words[0].text;
}

static const struct interpreter *interpreter_of(const struct command *c)
{
    const char *name = program_of(c);
    for (size_t i = 0; i < ARRAY_LEN(interpreters); i++)
        if (is_named(interpreters[i].names, name))
            return &interpreters[i];
    return NULL;
}

static bool is_sourcing(const struct command *c)
{
    return str_eq(c->words[0].text, "source") || str_eq(c->words[0].text, ".");
}

static bool is_input(const char *file)
{
    static const char names[] = "- /dev/stdin /dev/fd/0 /proc/self/fd/0";
    return names_have(names, bytes_of(file));
}

/* Does it run what comes in? `sh`, `sh -s -- x`, `python3 -`; not `python3 -m json.tool`, whose
 * input is data. */
static bool runs_input(const struct command *c)
{
    const struct interpreter *in = interpreter_of(c);
    if (is_sourcing(c))
        return c->n > 1 && is_input(c->words[1].text);
    if (!in)
        return false;
    bool shell = in == &interpreters[0];
    struct unpack u = unpack_start(&in->options, c->words, c->n, 1);
    for (;;) {
        struct unpacked item = unpack_next(&u);
        if (item.kind == UNPACK_END || (shell && unpacked_is(&item, "s")))
            return true;
        if (item.marked)
            return false;
        if (item.kind == UNPACK_OPERAND && item.known)
            return is_input(item.value);
    }
}

static bool lies_in(const struct command *inner, const struct command *outer)
{
    return inner->at >= outer->at &&
           (uint64_t)inner->at + inner->length <= (uint64_t)outer->at + outer->length;
}

/* Does LIST[AT], or what it is a wrapper of, run its input? */
static bool stage_runs_input(const struct command_list *list, size_t at)
{
    if (runs_input(&list->v[at]))
        return true;
    for (size_t k = at + 1;
         k < list->n && k - at <= NEAR && list->v[k].via && lies_in(&list->v[k], &list->v[at]); k++)
        if (runs_input(&list->v[k]))
            return true;
    return false;
}

/* What LIST[INDEX] pipes into; where it stands behind a wrapper, what that pipes into. */
static size_t pipe_of(const struct command_list *list, size_t index)
{
    const struct command *c = &list->v[index];
    size_t to = c->pipes_to;
    size_t first = index > NEAR ? index - NEAR : 0;
    for (size_t k = index; to >= list->n && c->via && k-- > first && lies_in(c, &list->v[k]);)
        to = list->v[k].pipes_to;
    return to;
}

/* Substitutions: sh -c "$(curl …)", bash <(curl …), eval "$(curl …)". */
static bool is_substitution(const char *text, bool as_file)
{
    if (!text)
        return false;
    return strstr(text, "<(") || (!as_file && (strstr(text, "$(") || strchr(text, '`')));
}

static bool has_unknown(const struct command *c)
{
    for (size_t i = 1; i < c->n; i++)
        if (!c->words[i].known)
            return true;
    return false;
}

static bool runs_substitution(const struct command *c)
{
    if (!has_unknown(c))
        return false;
    const struct interpreter *in = interpreter_of(c);
    if (str_eq(c->words[0].text, "eval")) {
        for (size_t i = 1; i < c->n; i++)
            if (!c->words[i].known && is_substitution(c->words[i].text, false))
                return true;
        return false;
    }
    if (is_sourcing(c))
        return c->n > 1 && !c->words[1].known && is_substitution(c->words[1].text, true);
    if (!in)
        return false;
    bool shell = in == &interpreters[0], code = false;
    struct unpack u = unpack_start(&in->options, c->words, c->n, 1);
    for (;;) {
        struct unpacked item = unpack_next(&u);
        if (item.kind == UNPACK_END)
            return false;
        code |= shell && unpacked_is(&item, "c"); /* the program is the first operand then */
        if (item.marked && item.value)
            return !item.known && is_substitution(item.value, false);
        if (item.kind == UNPACK_OPERAND)
            return !item.known && is_substitution(item.value, !code);
    }
}

static const char *judge_fetcher(const struct command_list *list, size_t index)
{
    const struct command *c = &list->v[index];
    size_t to = pipe_of(list, index);
    for (size_t steps = 0; to < list->n && steps < NEAR; steps++, to = list->v[to].pipes_to) {
        if (stage_runs_input(list, to))
            return DOWNLOADED;
        if (is_named(fetchers, program_of(&list->v[to])))
            break; /* that one looks on from there */
    }
    if (!c->via || !(str_starts(c->via, "$(") || str_starts(c->via, "<(") || c->via[0] == '`'))
        return NULL;
    for (size_t k = index > NEAR ? index - NEAR : 0; k < list->n && k <= index + NEAR; k++)
        if (k != index && lies_in(c, &list->v[k]) && runs_substitution(&list->v[k]))
            return DOWNLOADED;
    return NULL;
}

/* ---- fork bombs ---- */

/* :(){ :|:& };: */
static const char *judge_bomb(const struct command_list *list, size_t index)
{
    const struct command *c = &list->v[index];
    const char *name = c->words[0].text;
    if (!c->via || !str_starts(c->via, "function ") || !str_eq(c->via + 9, name))
        return NULL;
    size_t to = c->pipes_to;
    for (size_t steps = 0; to < list->n && steps < 16; steps++, to = list->v[to].pipes_to)
        if (str_eq(list->v[to].words[0].text, name))
            return "a function that runs itself twice over (a fork bomb)";
    return NULL;
}

const char *known_dangerous(const struct command_list *list, size_t index, const char *program)
{
    const struct command *c = &list->v[index];
    for (size_t i = 0; i < ARRAY_LEN(dangers); i++) {
        const struct danger *d = &dangers[i];
        if (!is_named(d->names, program))
            continue;
        const char *reason = d->judge ? d->judge(d, c, 1) : by_mark(d, c, 1);
        if (reason)
            return reason;
    }
    if (is_named(fetchers, program)) {
        const char *reason = judge_fetcher(list, index);
        if (reason)
            return reason;
    }
    return judge_bomb(list, index);
}

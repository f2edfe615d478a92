/*
 * Programs that run another one: where in their words it begins. See shell_internal.h.
 *
 * A row of the table says which options a program has, so that the first word that is no option, or
 * the one behind so many operands, begins the command. An option that the table does not know may
 * or may not take the next word: then both are taken to begin a command. What is appended or
 * replaced when it runs (xargs, find) makes words unknown.
 */
#include "base/limits.h"
#include "rules/shell_internal.h"
#include "rules/unpack.h"

#include <ctype.h>
#include <errno.h>

enum {
    ASSIGNS = 1u << 0,   /* NAME=VALUE may stand before the command */
    APPENDS = 1u << 1,   /* words are added at its end: xargs */
    REPLACES = 1u << 2,  /* {} in it stands for something */
    JOINS = 1u << 3,     /* the words are joined and given to sh, unless `exec` is given */
    PERMUTES = 1u << 4,  /* options behind operands count; there is no command but in `text` */
    FILE_THEN = 1u << 5, /* behind the operands may stand -c TEXT: flock */
    DIGITS = 1u << 6,    /* the operand is left out when it is no number: chrt */
    LISTS = 1u << 7,     /* the command ends at ::: */
};

struct wrapper {
    const char *names; /* one, or a blank and several */
    const char *shorts, *longs;
    unsigned operands;
    unsigned flags;
    const char *text; /* names of options whose value a shell reads */
    const char *none; /* with one of these nothing is run */
};

static const struct wrapper wrappers[] = {
    {"env", "i0u:C:S:vP:",
     "ignore-environment null unset= chdir= split-string= block-signal? default-signal? "
     "ignore-signal? list-signal-handling debug argv0= help version",
     0, ASSIGNS, NULL, NULL},
    {"sudo", "ABbC:c:D:Eeg:Hh:iKklnPp:R:r:SsT:t:U:u:Vv",
     "askpass bell background close-from= login-class= chdir= preserve-env? edit group= set-home "
     "host= login remove-timestamp reset-timestamp list non-interactive preserve-groups prompt= "
     "chroot= role= stdin shell command-timeout= type= other-user= user= version validate help",
     0, ASSIGNS, NULL, "e edit l list V version v validate K"},
    {"doas", "a:C:Lnsu:", "", 0, 0, NULL, "C L"},
    {"command", "pvV", "", 0, 0, NULL, "v V"},
    {"exec", "cla:", "", 0, 0, NULL, NULL},
    {" builtin nohup busybox toybox noglob nocorrect fakeroot eatmydata torsocks proxychains "
     "proxychains4 linux32 linux64 unbuffer chronic dumb-init tini with-contenv -",
     "+", "help version", 0, 0, NULL, NULL},
    {"time", "af:o:pqvV", "append format= output= portability quiet verbose version help", 0, 0,
     NULL, NULL},
    {"nice", "n:0123456789", "adjustment= help version", 0, 0, NULL, NULL},
    {"ionice", "c:n:p:P:u:thV", "class= classdata= pid= pgid= uid= ignore help version", 0, 0, NULL,
     "p pid P pgid u uid"},
    {"chrt", "abdfimopRrvT:P:D:hV",
     "all-tasks batch deadline fifo idle max other pid reset-on-fork rr verbose sched-runtime= "
     "sched-period= sched-deadline= help version",
     1, DIGITS, NULL, "p pid m max"},
    {"taskset", "apchV", "all-tasks pid cpu-list help version", 1, 0, NULL, "p pid"},
    {"timeout", "fk:ps:v", "foreground kill-after= preserve-status signal= verbose help version", 1,
     0, NULL, NULL},
    {"stdbuf", "i:o:e:", "input= output= error= help version", 0, 0, NULL, NULL},
    {"setsid", "cfwhV", "ctty fork wait help version", 0, 0, NULL, NULL},
    {"xargs", "0E:I:L:P:a:d:e::i::l::n:ops:rtx",
     "null eof? replace? max-lines? max-args= max-procs= interactive max-chars= no-run-if-empty "
     "arg-file= delimiter= exit verbose show-limits process-slot-var= open-tty help version",
     0, APPENDS, NULL, NULL},
    {"watch", "bcCd::egn:pq:rs:tvwx",
     "beep color no-color differences? errexit chgexit interval= precise equexit= no-rerun "
     "shotsdir= no-title no-wrap exec help version",
     0, JOINS, NULL, NULL},
    {"parallel", "a:C:d:E:I:j:J:kL:l::mn:N:P:qrs:S:tuvX0",
     "arg-file= jobs= max-args= max-procs= keep-order line-buffer group ungroup dry-run eta "
     "progress bar halt= colsep= delimiter= delay= joblog= results= retries= tag tagstring= "
     "timeout= null verbose xargs pipe pipepart block= will-cite no-run-if-empty quote sshlogin= "
     "workdir= tmpdir= shebang memfree= load= nice= env= header= plus rpl= replace= linebuffer",
     0, JOINS | REPLACES | LISTS, NULL, NULL},
    {"script", "aB:c:eE:fI:m:o:O:qt::T:hV",
     "append command= echo= return flush force log-io= log-in= log-out= log-timing= "
     "logging-format= "
     "output-limit= quiet timing? help version",
     0, PERMUTES, "c command", NULL},
    {"su", "c:fg:G:hlmpPs:TVw:",
     "command= session-command= fast group= supp-group= login preserve-environment pty shell= "
     "no-pty whitelist-environment= help version",
     0, PERMUTES, "c command session-command", NULL},
    {"runuser", "c:fg:G:hlmpPs:u:Vw:",
     "command= session-command= fast group= supp-group= login preserve-environment pty shell= "
     "user= whitelist-environment= help version",
     0, 0, "c command session-command", NULL},
    {"flock", "sexnouw:E:FvhV",
     "shared exclusive unlock nonblock nb timeout= wait= conflict-exit-code= close no-fork verbose "
     "help version",
     1, FILE_THEN, NULL, NULL},
    {"unshare", "mupinUCTrfcl:R:w:S:G:hV",
     "mount? uts? ipc? net? pid? user? cgroup? time? fork map-user= map-group= map-users= "
     "map-groups= map-auto map-root-user map-current-user kill-child? mount-proc? propagation= "
     "setgroups= keep-caps root= wd= setuid= setgid= monotonic= boottime= load-interp= help "
     "version",
     0, 0, NULL, NULL},
    {"nsenter", "at:m::u::i::n::p::U::C::T::S:G:r::w::W:eFZNhV",
     "all target= mount? uts? ipc? net? pid? user? cgroup? time? setuid= setgid= "
     "preserve-credentials root? wd? wdns= env no-fork follow-context keep-caps net-socket= "
     "join-cgroup user-parent parent help version",
     0, 0, NULL, NULL},
    {"chroot", "", "groups= userspec= skip-chdir help version", 1, 0, NULL, NULL},
    {"strace", "a:Ab:cCdDe:E:fFhiI:knNo:O:p:P:qrs:S:tTu:U:vVwxX:yYzZ",
     "abbrev= argv0= attach= color? columns= const-print-style= daemonize? daemonized? debug "
     "decode-fds? decode-pids= env= failed-only failing-only fault= follow-forks help "
     "inject= instruction-pointer interruptible= kill-on-exit kvm= namespace-pids no-abbrev "
     "output= output-append-mode output-separately pidns-translation quiet? raw= read= "
     "relative-timestamps? seccomp-bpf secontext? signals= stack-trace? stack-traces? status= "
     "string-limit= strings-in-hex? successful-only summary summary-columns= summary-only "
     "summary-sort-by= summary-syscall-overhead= summary-wall-clock syscall-limit= "
     "syscall-times? timestamps? tips? trace= trace-fds= trace-path= user= verbose= version write=",
     0, 0, NULL, NULL},
    {"ltrace", "a:A:bcCD:e:E:fF:hiI:l:Ln:o:p:rs:StTu:Vw:x:X:",
     "align= config= debug= demangle indent= library= no-signals output= help version", 0, 0, NULL,
     NULL},
    {"valgrind", "hdvq", "", 0, 0, NULL, NULL},
    {"setpriv", "dhV",
     "dump clear-groups keep-groups init-groups groups= nnp no-new-privs inh-caps= ambient-caps= "
     "bounding-set= list-caps ruid= euid= rgid= egid= reuid= regid= reset-env securebits= "
     "pdeathsig= ptracer= selinux-label= apparmor-profile= landlock-access= landlock-rule= "
     "seccomp-filter= help version",
     0, 0, NULL, "d dump list-caps"},
    {"pkexec", "u:", "user= disable-internal-agent keep-cwd help version", 0, 0, NULL, NULL},
    {"systemd-run", "H:M:u:p:tPqSGdE:C:",
     "user system scope unit= property= description= slice= slice-inherit expand-environment= "
     "remain-after-exit send-sighup service-type= uid= gid= nice= working-directory= "
     "same-dir setenv= pty pty-late pipe quiet json= shell collect on-active= on-boot= on-startup= "
     "on-unit-active= on-unit-inactive= on-calendar= on-timezone-change on-clock-change "
     "path-property= socket-property= timer-property= no-block wait no-ask-password host= "
     "machine= background= area= help version",
     0, 0, NULL, NULL},
    {"systemd-inhibit", "", "what= who= why= mode= no-pager no-legend list no-ask-password", 0, 0,
     NULL, "list"},
    {"prlimit", "c::d::e::f::i::l::m::n::o:p:q::r::s::t::u::v::x::y::hV",
     "core? data? nice? fsize? sigpending? memlock? rss? nofile? output= pid= msgqueue? rtprio? "
     "stack? cpu? nproc? as? locks? rttime? noheadings raw verbose help version",
     0, 0, NULL, "p pid"},
    {"numactl", "i:w:p:P:N:C:m:ablHsS:f:o:l:hV",
     "interleave= weighted-interleave= preferred= preferred-many= cpunodebind= physcpubind= "
     "membind= all balancing localalloc",
     0, 0, NULL, "H s hardware show"},
    {" gosu su-exec setuidgid faketime", "+hvfm", "help version", 1, 0, NULL, NULL},
    {"xvfb-run", "ae:f:hn:lp:s:w:",
     "auto-servernum error-file= auth-file= server-num= listen-tcp xauth-protocol= server-args= "
     "wait= help",
     0, 0, NULL, NULL},
    {"dbus-run-session", "", "config-file= dbus-daemon= help version", 0, 0, NULL, NULL},
    {"rlwrap", "aA:b:cC:D:eE:f:F:g:hH:iIl:mM:nNo:O:p:P:q:rRs:S:t:T:uUvw:WXz:", "", 0, 0, NULL,
     NULL},
};

/* What stands behind NAME run|sandbox, which takes options of its own. */
static const struct wrapper ours = {
    "bawn",
    "s:P:a:c:p:C:vqh",
    "sandbox= permissions-profile= ask-for-approval= config= enable= disable= profile= cd= "
    "add-dir= strict-config explain json log-denials status-fd= pass-fd= verbose quiet",
    0,
    0,
    NULL,
    NULL};

static bool is_named(const char *names, const char *name)
{
    return names[0] == ' ' ? names_have(names + 1, bytes_of(name))
                           : names[0] == name[0] && str_eq(names, name);
}

static const struct wrapper *wrapper_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(wrappers); i++)
        if (is_named(wrappers[i].names, name))
            return &wrappers[i];
    return NULL;
}

/* ---- words that change when it runs ---- */

static bool copy_span(struct reader *r, struct span span, size_t more, struct sword **ret_s,
                      struct command_word **ret_w)
{
    *ret_s = arena_alloc(r->a, (span.n + more) * sizeof(**ret_s));
    *ret_w = arena_alloc(r->a, (span.n + more) * sizeof(**ret_w));
    if (!*ret_s || !*ret_w) {
        r->error = -ENOMEM;
        return false;
    }
    memcpy(*ret_s, span.s, span.n * sizeof(**ret_s));
    memcpy(*ret_w, span.w, span.n * sizeof(**ret_w));
    return true;
}

/* SPAN with an unknown word behind it. */
static struct span appended(struct reader *r, struct span span)
{
    struct sword *s;
    struct command_word *w;
    if (!span.n || !copy_span(r, span, 1, &s, &w))
        return span;
    s[span.n] = (struct sword){.text = "…",
                               .cooked = {"", 1}, /* a hole */
                               .at = s[span.n - 1].end,
                               .end = s[span.n - 1].end,
                               .splits = true};
    w[span.n] = (struct command_word){"…", false};
    return (struct span){s, w, span.n + 1};
}

/* The word with a hole for each MARK in it. */
static void replace_in(struct reader *r, struct sword *s, const char *mark)
{
    size_t len = strlen(mark), n = 0;
    char *text = arena_alloc(r->a, s->cooked.n + 1);
    if (!text) {
        r->error = -ENOMEM;
        return;
    }
    for (size_t i = 0; i < s->cooked.n;) {
        bool here = s->cooked.n - i >= len && memcmp(s->cooked.p + i, mark, len) == 0;
        text[n++] = here ? HOLE : s->cooked.p[i];
        i += here ? len : 1;
    }
    text[n] = '\0';
    s->cooked = (struct bytes){text, n};
    s->known = s->bare = false;
}

static struct span replaced(struct reader *r, struct span span, const char *mark)
{
    struct sword *s = NULL;
    struct command_word *w = NULL;
    if (!*mark)
        return span;
    for (size_t i = 0; i < span.n && !r->error; i++) {
        if (!memmem(span.s[i].cooked.p, span.s[i].cooked.n, mark, strlen(mark)))
            continue;
        if (!s && !copy_span(r, span, 0, &s, &w))
            return span;
        replace_in(r, &s[i], mark);
        w[i].known = false;
    }
    return s ? (struct span){s, w, span.n} : span;
}

/* ---- one wrapper ---- */

struct unwrapping {
    struct reader *r;
    const char *name;
    struct span span;
    const struct wrapper *row;
    enum dialect dialect;
    const char *mark; /* of xargs -I */
    bool strange, joins, done;
};

static void unwrap(struct unwrapping *u, size_t first);

static const char *via_of(const struct unwrapping *u, const char *behind)
{
    const char *via = arena_printf(u->r->a, "%s%s", u->name, behind);
    if (!via)
        u->r->error = -ENOMEM;
    return via ? via : "";
}

/* The value of an option: the word it is in, and the text. */
static struct bytes value_of(const struct unwrapping *u, const struct unpack *state,
                             const struct unpacked *item, const struct sword **ret)
{
    size_t k = state->next - 1;
    *ret = &u->span.s[k];
    if (k != item->at)
        return u->span.s[k].cooked;
    return item->known && item->value ? bytes_of(item->value) : (struct bytes){"", 1};
}

static void run_text(const struct unwrapping *u, struct bytes text, const struct sword *w,
                     const char *behind)
{
    if (!u->r->error)
        shell_nested(u->r, text, DIALECT_SH, via_of(u, behind), w->at, w->end, w->text);
}

/* ---- env -S ---- */

/* What env(1) makes of one string: words, by rules of its own. */
struct splitting {
    struct reader *r;
    struct bytes text;
    size_t i;
    struct strbuf word;
    bool any, unknown, over;
    char quote; /* the one we are in, or 0 */
    VEC(struct sword) words;
    const struct sword *from;
};

static void end_word(struct splitting *t)
{
    if (!t->any)
        return;
    struct sword *s = vec_push(&t->words);
    if (!s || strbuf_failed(&t->word)) {
        t->r->error = -ENOMEM;
        return;
    }
    *s = (struct sword){.cooked = shell_keep(t->r, strbuf_text(&t->word), t->word.n),
                        .at = t->from->at,
                        .end = t->from->end,
                        .known = !t->unknown};
    s->text = t->unknown ? t->from->text : s->cooked.p;
    strbuf_clear(&t->word);
    t->any = t->unknown = false;
}

static void put_in(struct splitting *t, char c)
{
    strbuf_put(&t->word, &c, 1);
    t->any = true;
}

/* Behind a backslash. */
static void split_escape(struct splitting *t)
{
    static const char from[] = "fnrtv#$\"'\\", to[] = "\f\n\r\t\v#$\"'\\";
    char c = t->i < t->text.n ? t->text.p[t->i++] : '\\';
    const char *p = c ? strchr(from, c) : NULL;
    if (t->quote == '\'' && c != '\'' && c != '\\') {
        put_in(t, '\\');
        put_in(t, c);
    } else if (c == '_' && !t->quote) {
        end_word(t);
    } else if (c == 'c' && !t->quote) {
        t->over = true;
    } else if (c == '\n') {
        return; /* joined */
    } else {
        put_in(t, c == '_' ? ' ' : p ? to[p - from] : c);
    }
}

static void split_byte(struct splitting *t)
{
    char c = t->text.p[t->i++];
    if (c == '\\') {
        split_escape(t);
    } else if (c == '\'' || c == '"') {
        if (t->quote && t->quote != c) {
            put_in(t, c);
            return;
        }
        t->quote = t->quote ? '\0' : c;
        t->any = true;
    } else if (!t->quote && c && strchr(" \t\n\v\f\r", c)) {
        end_word(t);
    } else if (!t->quote && !t->any && c == '#') {
        t->over = true;
    } else if (c == HOLE || (c == '$' && t->quote != '\'')) {
        while (c == '$' && t->i < t->text.n && t->text.p[t->i++] != '}')
            ;
        t->unknown = true;
        put_in(t, HOLE);
    } else {
        put_in(t, c);
    }
}

static bool split_words(struct splitting *t)
{
    while (t->i < t->text.n && !t->over && !t->r->error)
        split_byte(t);
    end_word(t);
    return !t->r->error;
}

/* env -S TEXT: what it is split into takes its place, options and all. */
static void split_string(struct unwrapping *u, struct bytes text, size_t next)
{
    struct reader *r = u->r;
    struct splitting t = {.r = r, .text = text, .from = &u->span.s[next - 1]};
    u->done = true;
    r->reread += text.n;
    if (r->depth >= MAX_SHELL_DEPTH || r->reread > r->reread_most) {
        if (!r->opaque) {
            r->opaque = true;
            r->opaque_reason = "it is nested too deeply";
            r->opaque_at = u->span.s[0].at;
        }
    } else if (split_words(&t)) {
        size_t n = 1 + t.words.n + (u->span.n - next);
        struct sword *s = arena_alloc(r->a, n * sizeof(*s));
        struct command_word *w = arena_alloc(r->a, n * sizeof(*w));
        if (!s || !w) {
            r->error = -ENOMEM;
        } else {
            s[0] = u->span.s[0];
            if (t.words.n)
                memcpy(s + 1, t.words.v, t.words.n * sizeof(*s));
            memcpy(s + 1 + t.words.n, u->span.s + next, (u->span.n - next) * sizeof(*s));
            for (size_t i = 0; i < n; i++)
                w[i] = (struct command_word){s[i].text, s[i].known};
            if (memchr(text.p, HOLE, text.n))
                shell_unknown(r, t.from->text, "env -S", t.from->at, t.from->end);
            struct unwrapping again = {
                .r = r, .name = u->name, .span = {s, w, n}, .row = u->row, .dialect = u->dialect};
            r->depth++;
            if (!r->error)
                unwrap(&again, 1);
            r->depth--;
        }
    }
    vec_release(&t.words);
    strbuf_release(&t.word);
}

/* ---- one wrapper, continued ---- */

static void take_option(struct unwrapping *u, const struct unpack *state,
                        const struct unpacked *item)
{
    const struct wrapper *row = u->row;
    const struct sword *w;
    if (row->none && names_have(row->none, item->name)) {
        u->done = true;
    } else if (row->text && names_have(row->text, item->name)) {
        struct bytes text = value_of(u, state, item, &w);
        run_text(u, text, w, " -c");
    } else if (str_eq(u->name, "env") &&
               (unpacked_is(item, "S") || unpacked_is(item, "split-string"))) {
        struct bytes text = value_of(u, state, item, &w);
        split_string(u, text, state->next);
    } else if (row->flags & APPENDS) {
        if (unpacked_is(item, "I"))
            u->mark = item->value;
        else if (unpacked_is(item, "i") || unpacked_is(item, "replace"))
            u->mark = item->value && *item->value ? item->value : "{}";
    } else if ((row->flags & JOINS) && (unpacked_is(item, "x") || unpacked_is(item, "exec")) &&
               str_eq(u->name, "watch")) {
        u->joins = false;
    }
}

/* Up to the word :::, ::::, :::+. */
static struct span until_list(struct span span)
{
    for (size_t i = 0; i < span.n; i++)
        if (span.w[i].known && str_starts(span.w[i].text, ":::"))
            return (struct span){span.s, span.w, i};
    return span;
}

/* The command that begins at word I. */
static void run_from(struct unwrapping *u, size_t i)
{
    struct reader *r = u->r;
    struct span rest = shell_from(u->span, i);
    const unsigned flags = u->row->flags;
    if (flags & LISTS)
        rest = until_list(rest);
    if (flags & REPLACES)
        rest = replaced(r, rest, "{}");
    if (u->mark)
        rest = replaced(r, rest, u->mark);
    else if (flags & (APPENDS | LISTS))
        rest = appended(r, rest);
    if (r->error || !rest.n)
        return;
    const char *via = via_of(u, "");
    if (!u->joins) {
        shell_run_more(r, rest, u->dialect, via);
        return;
    }
    struct sword all = {.at = rest.s[0].at, .end = rest.s[rest.n - 1].end, .text = rest.s[0].text};
    struct bytes text = shell_join(r, rest);
    run_text(u, text, &all, "");
}

static bool is_assignment(const struct sword *s)
{
    const char *equals = memchr(s->cooked.p, '=', s->cooked.n);
    return equals && !memchr(s->cooked.p, HOLE, (size_t)(equals - s->cooked.p));
}

static bool is_number(const char *text)
{
    return text[0] && strspn(text, "0123456789") == strlen(text);
}

/* All that the operands from I on say. */
static void run_operands(struct unwrapping *u, size_t i)
{
    const struct wrapper *row = u->row;
    struct span span = u->span;
    if (row->flags & ASSIGNS)
        while (i < span.n &&
               (is_assignment(&span.s[i]) || (span.w[i].known && str_eq(span.w[i].text, "-"))))
            i++;
    size_t skip = row->operands;
    if ((row->flags & DIGITS) && i < span.n && span.w[i].known && !is_number(span.w[i].text))
        skip = 0;
    i += skip;
    if ((row->flags & FILE_THEN) && i + 1 < span.n && span.w[i].known &&
        (str_eq(span.w[i].text, "-c") || str_eq(span.w[i].text, "--command"))) {
        run_text(u, span.s[i + 1].cooked, &span.s[i + 1], " -c");
        return;
    }
    if (i >= span.n)
        return;
    run_from(u, i);
    bool unsure = u->strange || (!span.w[i].known && !span.s[i].splits && (row->flags & ASSIGNS));
    if (unsure && i + 1 < span.n)
        run_from(u, i + 1);
}

static void unwrap(struct unwrapping *u, size_t first)
{
    struct option_table table = {u->row->shorts, u->row->longs,
                                 u->row->flags & PERMUTES ? 0 : OPTIONS_FIRST};
    struct unpack state = unpack_start(&table, u->span.w, u->span.n, first);
    u->joins = (u->row->flags & JOINS) != 0;
    while (!u->done && !u->r->error) {
        struct unpacked item = unpack_next(&state);
        if (item.kind == UNPACK_END)
            return;
        if (item.kind == UNPACK_STRANGE) {
            u->strange = true;
        } else if (item.kind == UNPACK_OPTION) {
            take_option(u, &state, &item);
        } else if (!(u->row->flags & PERMUTES)) {
            run_operands(u, item.at);
            return;
        }
    }
}

/* ---- find, fd, git ---- */

static void run_find(struct unwrapping *u)
{
    static const char actions[] = "-exec -execdir -ok -okdir";
    static const struct wrapper row = {.names = "find"};
    struct span span = u->span;
    u->row = &row;
    for (size_t i = 1; i < span.n && !u->r->error; i++) {
        if (!span.w[i].known || !names_have(actions, bytes_of(span.w[i].text)))
            continue;
        size_t from = i + 1, to = from;
        while (to < span.n && !(span.w[to].known && (str_eq(span.w[to].text, ";") ||
                                                     (str_eq(span.w[to].text, "+") &&
                                                      str_eq(span.w[to - 1].text, "{}")))))
            to++;
        struct span command = {span.s + from, span.w + from, to - from};
        command = replaced(u->r, command, "{}");
        if (command.n && !u->r->error)
            shell_run_more(u->r, command, u->dialect, via_of(u, " -exec"));
        i = to;
    }
}

static void run_fd(struct unwrapping *u)
{
    static const char actions[] = "-x -X --exec --exec-batch";
    for (size_t i = 1; i + 1 < u->span.n; i++)
        if (u->span.w[i].known && names_have(actions, bytes_of(u->span.w[i].text))) {
            struct span rest = appended(u->r, replaced(u->r, shell_from(u->span, i + 1), "{}"));
            if (!u->r->error)
                shell_run_more(u->r, rest, u->dialect, via_of(u, " -x"));
            return;
        }
}

/* Configuration that git runs: aliases that begin with `!`, editors, pagers and kin. */
static void run_git_config(struct unwrapping *u, size_t k, struct bytes setting)
{
    static const char runs[] =
        "core.editor core.pager core.sshcommand core.fsmonitor core.askpass sequence.editor "
        "diff.external gpg.program credential.helper";
    const char *equals = memchr(setting.p, '=', setting.n);
    if (!equals)
        return;
    struct bytes value = {equals + 1, setting.n - (size_t)(equals + 1 - setting.p)};
    char name[64];
    size_t n = (size_t)(equals - setting.p);
    if (n >= sizeof(name))
        n = sizeof(name) - 1;
    for (size_t i = 0; i < n; i++)
        name[i] = (char)tolower((unsigned char)setting.p[i]);
    name[n] = '\0';
    bool shell = value.n && value.p[0] == '!';
    if (shell) {
        value.p++;
        value.n--;
    } else if (str_starts(name, "alias.")) {
        return;
    } else if (!names_have(runs, bytes_of(name)) && !str_starts(name, "pager.")) {
        return;
    }
    run_text(u, value, &u->span.s[k], " -c");
}

static void run_git(struct unwrapping *u)
{
    struct span span = u->span;
    size_t i = 1;
    for (; i < span.n && span.w[i].text[0] == '-'; i++) {
        const char *w = span.w[i].text;
        if (str_eq(w, "-c") && i + 1 < span.n) {
            i++;
            run_git_config(u, i, span.s[i].cooked);
        } else if (str_eq(w, "-C") || str_eq(w, "--git-dir") || str_eq(w, "--work-tree") ||
                   str_eq(w, "--namespace")) {
            i++;
        }
    }
    if (i + 1 >= span.n || !span.w[i].known)
        return;
    const char *sub = span.w[i].text;
    if (str_eq(sub, "bisect") && str_eq(span.w[i + 1].text, "run")) {
        if (i + 2 < span.n)
            shell_run_more(u->r, shell_from(span, i + 2), u->dialect, via_of(u, " bisect run"));
    } else if (str_eq(sub, "submodule")) {
        for (i++; i < span.n && !str_eq(span.w[i].text, "foreach"); i++)
            ;
        for (i++; i < span.n && span.w[i].text[0] == '-'; i++)
            ;
        if (i < span.n) {
            struct bytes text = shell_join(u->r, shell_from(span, i));
            run_text(u, text, &span.s[i], " submodule foreach");
        }
    } else if (str_eq(sub, "rebase")) {
        for (i++; i < span.n; i++) {
            struct bytes b = span.s[i].cooked;
            if ((str_eq(span.w[i].text, "-x") || str_eq(span.w[i].text, "--exec")) &&
                i + 1 < span.n) {
                i++;
                run_text(u, span.s[i].cooked, &span.s[i], " rebase -x");
            } else if (b.n > 7 && memcmp(b.p, "--exec=", 7) == 0) {
                run_text(u, (struct bytes){b.p + 7, b.n - 7}, &span.s[i], " rebase -x");
            }
        }
    }
}

static void run_ours(struct unwrapping *u)
{
    if (u->span.n < 3 || !u->span.w[1].known ||
        (!str_eq(u->span.w[1].text, "run") && !str_eq(u->span.w[1].text, "sandbox")))
        return;
    u->row = &ours;
    size_t first = 2;
    first += u->span.w[2].known && str_eq(u->span.w[2].text, "linux");
    unwrap(u, first);
}

void shell_unwrap(struct reader *r, size_t index, const char *name, struct span span,
                  enum dialect dialect)
{
    static const struct {
        const char *names;
        void (*run)(struct unwrapping *u);
    } others[] = {
        {"find", run_find}, {"gfind", run_find}, {"bfs", run_find},  {"fd", run_fd},
        {"fdfind", run_fd}, {"git", run_git},    {"bawn", run_ours},
    };
    struct unwrapping u = {.r = r, .name = name, .span = span, .dialect = dialect};
    (void)index;
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (is_named(others[i].names, name)) {
            others[i].run(&u);
            return;
        }
    u.row = wrapper_of(name);
    if (u.row)
        unwrap(&u, 1);
}

/*
 * gen-seccomp: compiles the system-call policy (syscalls.def, where the language is explained) into
 * BPF.
 *
 *   gen-seccomp DEF ARCH SYMBOL > OUT.c        ARCH is x86_64 or aarch64
 *   gen-seccomp DEF ARCH --stats               sizes and path lengths, for people
 *
 * Runs on the build machine. Three steps, once for every combination of FILTER_* flags:
 *
 *   1. reduce: the lines of each rule that apply under the flags, cut after the first one without a
 *      test; a line that says what the end of its rule says anyway is dropped. Often one plain
 * action is left.
 *   2. order: neighbouring numbers with the same reduced rule are one range; over the ranges stands
 * the binary search tree with the smallest weighted path (hot rules weigh more).
 *   3. emit: backwards, as BPF jumps only forward and their reach is known only from behind. A
 * target beyond the 255 instructions of a conditional jump is copied nearer (a return) or reached
 * over an unconditional jump.
 *
 * Equal programs are written once. Any fault in the table ends the build with file and line.
 */
#include "sandbox/plan.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_WORDS = 48,
    MAX_NAME = 40,
    MAX_CONSTS = 128,
    MAX_RULES = 64,
    MAX_LINES = 32, /* of one rule */
    MAX_TESTS = 4,  /* of one line */
    MAX_NR = 1024,
    MAX_RANGES = 512,
    MAX_CODE = 4096, /* BPF_MAXINSNS */
    MAX_ALL_CODE = 1 << 18,
};

enum action { ALLOW, DENY, NOTIFY, ENOSYS_ACTION, KILL, N_ACTIONS };
enum test_kind { TEST_EQUAL, TEST_ANY_BIT, TEST_MASKED };

struct test {
    uint64_t mask, value;
    enum test_kind kind;
    unsigned arg;
    bool negate, wide;
};

struct line {
    enum action action;
    unsigned needs, lacks; /* FILTER_* */
    struct test tests[MAX_TESTS];
    unsigned n_tests;
};

struct rule {
    char name[MAX_NAME];
    struct line lines[MAX_LINES];
    unsigned n_lines;
    bool hot;
};

static struct {
    char name[MAX_NAME];
    uint64_t value;
} consts[MAX_CONSTS];
static unsigned n_consts;

static struct rule rules[MAX_RULES]; /* the first four are the plain actions */
static unsigned n_rules;

static char syscall_names[MAX_NR][MAX_NAME];
static int rule_of[MAX_NR]; /* -1 = not listed */
static unsigned n_numbers;  /* highest listed number + 1 */

static const struct {
    const char *word;
    unsigned flag;
} flag_words[] = {
    {"NETWORK_OFF", FILTER_NETWORK_OFF},   {"ALLOW_PTRACE", FILTER_ALLOW_PTRACE},
    {"ALLOW_USERNS", FILTER_ALLOW_USERNS}, {"LOG", FILTER_LOG},
    {"WATCH_OPEN", FILTER_WATCH_OPEN},     {"WATCH_RENAME", FILTER_WATCH_RENAME},
    {"NO_NETNS", FILTER_NO_NETNS},
};
_Static_assert(FILTER_VARIANTS == 1u << ARRAY_LEN(flag_words), "a FILTER_* flag has no word here");

static const char *const action_words[] = {"allow", "deny", "notify", "enosys"};

static const struct {
    const char *name;
    uint32_t audit;
    bool x32;
} arches[] = {{"x86_64", AUDIT_ARCH_X86_64, true}, {"aarch64", AUDIT_ARCH_AARCH64, false}};

/* ---- reading the table ---- */

static const char *def_file;
static unsigned def_line;

static _noreturn_ _printf_(1, 2) void die(const char *fmt, ...)
{
    va_list ap;
    fprintf(stderr, "%s:%u: ", def_file, def_line);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    exit(1);
}

static void copy_name(char dst[MAX_NAME], const char *src)
{
    size_t n = strlen(src);
    if (n >= MAX_NAME)
        die("name too long: %s", src);
    memcpy(dst, src, n + 1);
}

/* Cuts a line into words in place; what follows a # is left out. */
static unsigned split(char *text, char *words[MAX_WORDS])
{
    unsigned n = 0;
    char *p = text;

    p[strcspn(p, "#\n")] = 0;
    for (;;) {
        p += strspn(p, " \t");
        if (!*p)
            return n;
        if (n == MAX_WORDS)
            die("too many words");
        words[n++] = p;
        p += strcspn(p, " \t");
        if (*p)
            *p++ = 0;
    }
}

static bool number(const char *s, uint64_t *ret)
{
    char *end;
    errno = 0;
    *ret = strtoull(s, &end, 0);
    return *s >= '0' && *s <= '9' && !*end && errno == 0;
}

static uint64_t term(const char *word)
{
    bool invert = *word == '~';
    uint64_t v;

    word += invert;
    if (!number(word, &v)) {
        unsigned i = 0;
        while (i < n_consts && strcmp(consts[i].name, word) != 0)
            i++;
        if (i == n_consts)
            die("unknown constant %s", word);
        v = consts[i].value;
    }
    return invert ? ~v : v;
}

/* TERM [| TERM]… from words[*i] on. */
static uint64_t expression(char **words, unsigned n, unsigned *i)
{
    if (*i >= n)
        die("a value is missing");
    uint64_t v = term(words[(*i)++]);
    while (*i + 1 < n && strcmp(words[*i], "|") == 0) {
        v |= term(words[*i + 1]);
        *i += 2;
    }
    return v;
}

static void add_const(char **words, unsigned n)
{
    unsigned i = 2;
    if (n < 3)
        die("const NAME EXPRESSION");
    if (n_consts == MAX_CONSTS)
        die("too many constants");
    copy_name(consts[n_consts].name, words[1]);
    consts[n_consts].value = expression(words, n, &i);
    if (i != n)
        die("rubbish after the expression: %s", words[i]);
    n_consts++;
}

static int find_rule(const char *name)
{
    for (unsigned i = 0; i < n_rules; i++)
        if (strcmp(rules[i].name, name) == 0)
            return (int)i;
    return -1;
}

static struct rule *add_rule(const char *name)
{
    if (n_rules == MAX_RULES)
        die("too many rules");
    if (find_rule(name) >= 0)
        die("rule %s stands here twice", name);
    struct rule *r = &rules[n_rules++];
    copy_name(r->name, name);
    return r;
}

static void parse_test(struct test *t, char **words, unsigned n, unsigned *i)
{
    const char *w = *i < n ? words[(*i)++] : "";

    t->wide = strncmp(w, "long", 4) == 0;
    if (!t->wide && strncmp(w, "int", 3) != 0)
        die("expected intN or longN, not \"%s\"", w);
    w += t->wide ? 4 : 3;
    if (w[0] < '0' || w[0] > '5' || w[1])
        die("arguments are numbered 0 to 5");
    t->arg = (unsigned)(w[0] - '0');

    const char *op = *i < n ? words[(*i)++] : "";
    if (strcmp(op, "==") == 0 || strcmp(op, "!=") == 0) {
        t->kind = TEST_EQUAL;
        t->negate = *op == '!';
        t->value = expression(words, n, i);
    } else if (strcmp(op, "&") == 0) {
        t->kind = TEST_ANY_BIT;
        t->mask = expression(words, n, i);
        if (*i < n && strcmp(words[*i], "==") == 0) {
            (*i)++;
            t->kind = TEST_MASKED;
            t->value = expression(words, n, i);
            if (t->wide)
                die("& M == V works on intN alone");
            if (t->value & ~t->mask)
                die("this can never be equal");
        }
    } else {
        die("expected ==, != or &, not \"%s\"", op);
    }
    if (!t->wide) {
        t->value &= UINT32_MAX;
        t->mask &= UINT32_MAX;
    }
}

static void parse_flag(struct line *l, const char *word)
{
    bool no = *word == '!';
    for (unsigned i = 0; i < ARRAY_LEN(flag_words); i++)
        if (strcmp(word + no, flag_words[i].word) == 0) {
            *(no ? &l->lacks : &l->needs) |= flag_words[i].flag;
            return;
        }
    die("unknown flag %s", word);
}

static void add_line(struct rule *r, char **words, unsigned n)
{
    unsigned i = 1, a = 0;

    if (r->n_lines == MAX_LINES)
        die("rule %s is too long", r->name);
    struct line *l = &r->lines[r->n_lines++];
    while (a < ARRAY_LEN(action_words) && strcmp(words[0], action_words[a]) != 0)
        a++;
    if (a == ARRAY_LEN(action_words))
        die("unknown action %s", words[0]);
    l->action = (enum action)a;
    if (i < n && strcmp(words[i], "when") == 0)
        for (i++; i < n && strcmp(words[i], "if") != 0; i++)
            parse_flag(l, words[i]);
    if (i == n)
        return;
    if (strcmp(words[i++], "if") != 0)
        die("expected when or if, not \"%s\"", words[i - 1]);
    for (;;) {
        if (l->n_tests == MAX_TESTS)
            die("too many tests");
        parse_test(&l->tests[l->n_tests++], words, n, &i);
        if (i == n)
            return;
        if (strcmp(words[i++], "and") != 0)
            die("expected and, not \"%s\"", words[i - 1]);
    }
}

static void end_rule(const struct rule *r)
{
    if (!r)
        return;
    const struct line *last = r->n_lines ? &r->lines[r->n_lines - 1] : NULL;
    if (!last || last->n_tests || last->needs || last->lacks)
        die("rule %s does not end in a plain action", r->name);
}

static void add_syscall(char **words, unsigned n, unsigned arch)
{
    uint64_t nr;

    if (n != 4)
        die("NAME X86_64 AARCH64 RULE");
    int r = find_rule(words[3]);
    if (r < 0)
        die("unknown rule %s", words[3]);
    for (unsigned i = 1; i <= 2; i++)
        if (strcmp(words[i], "-") != 0 && (!number(words[i], &nr) || nr >= MAX_NR))
            die("bad number %s", words[i]);
    if (strcmp(words[1 + arch], "-") == 0)
        return;
    if (!number(words[1 + arch], &nr))
        die("bad number %s", words[1 + arch]);
    if (rule_of[nr] >= 0)
        die("number %u stands here twice: %s and %s", (unsigned)nr, syscall_names[nr], words[0]);
    rule_of[nr] = r;
    copy_name(syscall_names[nr], words[0]);
    if (nr >= n_numbers)
        n_numbers = (unsigned)nr + 1;
}

static void read_table(FILE *f, unsigned arch)
{
    char text[1024], *words[MAX_WORDS];
    struct rule *open_rule = NULL;

    for (unsigned a = 0; a < ARRAY_LEN(action_words); a++) {
        struct rule *r = add_rule(action_words[a]);
        r->n_lines = 1;
        r->lines[0].action = (enum action)a;
    }
    for (unsigned i = 0; i < MAX_NR; i++)
        rule_of[i] = -1;
    while (fgets(text, sizeof text, f)) {
        def_line++;
        if (!strchr(text, '\n'))
            die("line too long, or no newline at the end");
        bool indented = text[0] == ' ' || text[0] == '\t';
        unsigned n = split(text, words);
        if (n == 0)
            continue;
        if (indented) {
            if (!open_rule)
                die("an indented line outside of a rule");
            add_line(open_rule, words, n);
            continue;
        }
        end_rule(open_rule);
        open_rule = NULL;
        if (strcmp(words[0], "const") == 0) {
            add_const(words, n);
        } else if (strcmp(words[0], "rule") == 0) {
            if (n < 2 || n > 3 || (n == 3 && strcmp(words[2], "hot") != 0))
                die("rule NAME [hot]");
            open_rule = add_rule(words[1]);
            open_rule->hot = n == 3;
        } else {
            add_syscall(words, n, arch);
        }
    }
    end_rule(open_rule);
}

/* ---- step 1: what is left of a rule under some flags ---- */

static bool same_test(const struct test *a, const struct test *b)
{
    return a->kind == b->kind && a->negate == b->negate && a->wide == b->wide && a->arg == b->arg &&
           a->mask == b->mask && a->value == b->value;
}

static bool same_rule(const struct rule *a, const struct rule *b)
{
    if (a->n_lines != b->n_lines)
        return false;
    for (unsigned i = 0; i < a->n_lines; i++) {
        const struct line *x = &a->lines[i], *y = &b->lines[i];
        if (x->action != y->action || x->n_tests != y->n_tests)
            return false;
        for (unsigned t = 0; t < x->n_tests; t++)
            if (!same_test(&x->tests[t], &y->tests[t]))
                return false;
    }
    return true;
}

static void reduce(const struct rule *r, unsigned flags, struct rule *ret)
{
    *ret = (struct rule){.hot = r->hot};
    for (unsigned i = 0; i < r->n_lines; i++) {
        const struct line *l = &r->lines[i];
        if ((flags & l->needs) != l->needs || (flags & l->lacks))
            continue;
        struct line *out = &ret->lines[ret->n_lines++];
        *out = *l;
        if (out->action == DENY && (flags & FILTER_LOG))
            out->action = NOTIFY;
        if (!l->n_tests)
            break;
    }
    /* The last line is the one without a test. */
    while (ret->n_lines > 1 &&
           ret->lines[ret->n_lines - 2].action == ret->lines[ret->n_lines - 1].action) {
        ret->lines[ret->n_lines - 2] = ret->lines[ret->n_lines - 1];
        ret->n_lines--;
    }
}

static bool is_plain(const struct rule *r)
{
    return r->n_lines == 1;
}

/* ---- step 3 first: emitting backwards ---- */

struct program {
    struct sock_filter code[MAX_CODE]; /* code[0] is the LAST instruction */
    unsigned n;
    unsigned ret_at[N_ACTIONS]; /* 1 + position of the nearest return, 0 = none yet */
    bool notifies;
};

/* A place to jump to: a position in code[], or an action (its return is made where needed). */
struct target {
    bool is_action;
    unsigned at; /* position, or enum action */
};

static struct target action_target(enum action a)
{
    return (struct target){true, a};
}

static unsigned push(struct program *p, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
    if (p->n == MAX_CODE)
        die("a program is longer than the kernel takes");
    p->code[p->n] = (struct sock_filter){code, jt, jf, k};
    return p->n++;
}

static uint32_t return_value(enum action a)
{
    switch (a) {
    case ALLOW:
        return SECCOMP_RET_ALLOW;
    case DENY:
        return SECCOMP_RET_ERRNO | EPERM;
    case NOTIFY:
        return SECCOMP_RET_USER_NOTIF;
    case ENOSYS_ACTION:
        return SECCOMP_RET_ERRNO | ENOSYS;
    case KILL:
    case N_ACTIONS:
        break;
    }
    return SECCOMP_RET_KILL_PROCESS;
}

static unsigned push_return(struct program *p, enum action a)
{
    p->notifies |= a == NOTIFY;
    p->ret_at[a] = push(p, BPF_RET | BPF_K, 0, 0, return_value(a)) + 1;
    return p->ret_at[a] - 1;
}

/* The position of T, as near as wanted: at most LIMIT instructions before the next one pushed. */
static unsigned reach(struct program *p, struct target t, unsigned limit)
{
    if (t.is_action) {
        unsigned at = p->ret_at[t.at];
        return at && p->n - at <= limit ? at - 1 : push_return(p, (enum action)t.at);
    }
    if (p->n - 1 - t.at <= limit)
        return t.at;
    return push(p, BPF_JMP | BPF_JA, 0, 0, p->n - 1 - t.at);
}

/* A conditional jump; returns its position. The limits leave room for what the other side adds. */
static unsigned branch(struct program *p, uint16_t op, uint32_t k, struct target yes,
                       struct target no)
{
    unsigned t = reach(p, yes, 250), f = reach(p, no, 250);
    return push(p, BPF_JMP | op | BPF_K, (uint8_t)(p->n - 1 - t), (uint8_t)(p->n - 1 - f), k);
}

static struct target place(unsigned at)
{
    return (struct target){false, at};
}

/* What the accumulator holds: the word at an offset of struct seccomp_data, perhaps masked. */
struct held {
    unsigned offset; /* 0 = something else (offset 0 is the number, which no test loads) */
    uint32_t mask;
};

static unsigned low_word(unsigned arg)
{
    return (unsigned)(offsetof(struct seccomp_data, args) + arg * sizeof(uint64_t));
}

static unsigned push_load(struct program *p, unsigned offset)
{
    return push(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, offset);
}

/* The accumulator after a test of one word, on both of its ways out. */
static struct held after_test(const struct test *t)
{
    if (t->wide)
        return (struct held){0};
    return (struct held){low_word(t->arg), t->kind == TEST_MASKED ? (uint32_t)t->mask : UINT32_MAX};
}

static unsigned emit_test(struct program *p, const struct test *t, struct held held,
                          struct target yes, struct target no)
{
    uint16_t op = t->kind == TEST_ANY_BIT ? BPF_JSET : BPF_JEQ;
    uint64_t k = t->kind == TEST_ANY_BIT ? t->mask : t->value;
    struct held want = after_test(t);
    unsigned low = low_word(t->arg), at;

    if (t->negate) {
        struct target swap = yes;
        yes = no;
        no = swap;
    }
    at = branch(p, op, (uint32_t)k, yes, no);
    if (!t->wide) {
        if (held.offset == want.offset && held.mask == want.mask)
            return at;
        if (t->kind == TEST_MASKED)
            push(p, BPF_ALU | BPF_AND | BPF_K, 0, 0, (uint32_t)t->mask);
        return push_load(p, low);
    }
    /* The high half goes first: it settles equality when it differs, a bit when it has one. */
    at = push_load(p, low);
    if (t->kind == TEST_ANY_BIT)
        branch(p, op, (uint32_t)(k >> 32), yes, place(at));
    else
        branch(p, op, (uint32_t)(k >> 32), place(at), no);
    return push_load(p, low + 4);
}

/* What the accumulator holds on every way out of LINE that goes on to the next line. */
static struct held after_line(const struct line *l)
{
    struct held h = after_test(&l->tests[0]);
    for (unsigned i = 1; i < l->n_tests; i++) {
        struct held other = after_test(&l->tests[i]);
        if (other.offset != h.offset || other.mask != h.mask)
            return (struct held){0};
    }
    return h;
}

static struct target emit_rule(struct program *p, const struct rule *r)
{
    struct target next = action_target(r->lines[r->n_lines - 1].action);

    for (unsigned i = r->n_lines - 1; i-- > 0;) {
        const struct line *l = &r->lines[i];
        struct target yes = action_target(l->action);
        for (unsigned t = l->n_tests; t-- > 0;) {
            struct held held = {0};
            if (t > 0)
                held = after_test(&l->tests[t - 1]);
            else if (i > 0)
                held = after_line(&r->lines[i - 1]);
            yes = place(emit_test(p, &l->tests[t], held, yes, next));
        }
        next = yes;
    }
    return next;
}

/* ---- step 2: ranges and the tree over them ---- */

struct range {
    uint32_t first;
    int body; /* of the reduced rules */
    unsigned weight;
};

static struct rule bodies[MAX_RULES + 1];
static int n_bodies;
static struct range ranges[MAX_RANGES];
static unsigned n_ranges;

static int body_index(const struct rule *r)
{
    for (int i = 0; i < n_bodies; i++)
        if (same_rule(&bodies[i], r)) {
            bodies[i].hot |= r->hot;
            return i;
        }
    bodies[n_bodies] = *r;
    return n_bodies++;
}

static int action_body(enum action a)
{
    struct rule r = {.n_lines = 1, .lines = {{.action = a}}};
    return body_index(&r);
}

static void add_range(uint32_t first, int body, bool hot)
{
    unsigned weight = hot ? 64 : is_plain(&bodies[body]) ? 1 : 2;
    if (n_ranges && ranges[n_ranges - 1].body == body) {
        ranges[n_ranges - 1].weight += hot ? weight : 0;
        return;
    }
    if (n_ranges == MAX_RANGES)
        die("too many ranges");
    ranges[n_ranges++] = (struct range){first, body, weight};
}

static void make_ranges(unsigned arch, unsigned flags)
{
    n_ranges = 0;
    n_bodies = 0;
    int unknown = action_body(ENOSYS_ACTION);
    for (unsigned nr = 0; nr < n_numbers; nr++) {
        struct rule reduced;
        if (rule_of[nr] < 0) {
            add_range(nr, unknown, false);
            continue;
        }
        reduce(&rules[rule_of[nr]], flags, &reduced);
        add_range(nr, body_index(&reduced), reduced.hot && !is_plain(&reduced));
    }
    add_range(n_numbers, unknown, false);
    if (arches[arch].x32) {
        add_range(0x40000000u, action_body(KILL), false);
        add_range(UINT32_MAX, unknown, false); /* -1: "no call", which tracers use */
    }
}

/* cost[i][j]: the least weighted path length over ranges i…j; root[i][j] begins the right half. The
 * best root moves monotonically with the ends (Knuth), which keeps this quadratic. */
static void plan_tree(uint16_t (*root)[MAX_RANGES])
{
    static uint32_t cost[MAX_RANGES][MAX_RANGES];
    static uint32_t sum[MAX_RANGES + 1];

    for (unsigned i = 0; i < n_ranges; i++) {
        sum[i + 1] = sum[i] + ranges[i].weight;
        cost[i][i] = 0;
        root[i][i] = (uint16_t)i;
    }
    for (unsigned span = 1; span < n_ranges; span++)
        for (unsigned i = 0; i + span < n_ranges; i++) {
            unsigned j = i + span, from = MAX_OF(root[i][j - 1], i + 1), to = root[i + 1][j];
            if (span == 1 || to < from)
                to = j;
            cost[i][j] = UINT32_MAX;
            for (unsigned k = from; k <= to; k++) {
                uint32_t c = cost[i][k - 1] + cost[k][j] + sum[j + 1] - sum[i];
                if (c < cost[i][j]) {
                    cost[i][j] = c;
                    root[i][j] = (uint16_t)k;
                }
            }
        }
}

static struct target emit_tree(struct program *p, uint16_t (*root)[MAX_RANGES],
                               const struct target *body_at, unsigned i, unsigned j)
{
    if (i == j)
        return body_at[ranges[i].body];
    unsigned k = root[i][j];
    struct target right = emit_tree(p, root, body_at, k, j);
    struct target left = emit_tree(p, root, body_at, i, k - 1);
    return place(branch(p, BPF_JGE, ranges[k].first, right, left));
}

static void compile(unsigned arch, unsigned flags, struct program *p)
{
    static uint16_t root[MAX_RANGES][MAX_RANGES];
    struct target body_at[ARRAY_LEN(bodies)];

    *p = (struct program){0};
    make_ranges(arch, flags);
    plan_tree(root);
    for (int i = 0; i < n_bodies; i++)
        body_at[i] = emit_rule(p, &bodies[i]);
    struct target top = emit_tree(p, root, body_at, 0, n_ranges - 1);
    reach(p, top, 0);
    unsigned tree = push_load(p, offsetof(struct seccomp_data, nr));
    branch(p, BPF_JEQ, arches[arch].audit, place(tree), action_target(KILL));
    push_load(p, offsetof(struct seccomp_data, arch));
}

/* ---- writing ---- */

static struct sock_filter all_code[MAX_ALL_CODE];
static unsigned n_all;
static struct {
    unsigned start, length;
    bool notifies;
} variants[FILTER_VARIANTS];

/* Puts P behind the others, or finds it among them. */
static void keep(const struct program *p, unsigned flags)
{
    struct sock_filter *mine = &all_code[n_all];

    if (n_all + p->n > MAX_ALL_CODE)
        die("too much code");
    for (unsigned i = 0; i < p->n; i++)
        mine[i] = p->code[p->n - 1 - i];
    variants[flags].start = n_all;
    variants[flags].length = p->n;
    variants[flags].notifies = p->notifies;
    for (unsigned v = 0; v < flags; v++)
        if (variants[v].length == p->n &&
            memcmp(&all_code[variants[v].start], mine, p->n * sizeof *mine) == 0) {
            variants[flags].start = variants[v].start;
            return;
        }
    n_all += p->n;
}

static void write_names(void)
{
    unsigned at = 0;

    printf("static const char names[] =");
    for (unsigned nr = 0; nr < n_numbers; nr++)
        if (rule_of[nr] >= 0)
            printf("\n    \"%s\\0\"", syscall_names[nr]);
    printf(";\n\nstatic const uint16_t name_at[] = {");
    for (unsigned nr = 0; nr < n_numbers; nr++) {
        unsigned here = 0;
        if (rule_of[nr] >= 0) {
            here = at + 1;
            at += (unsigned)strlen(syscall_names[nr]) + 1;
        }
        printf("%s%u,", nr % 16 ? " " : "\n    ", here);
    }
    printf("\n};\n\n");
}

static void write_table(unsigned arch, const char *symbol)
{
    printf("/* Made by gen-seccomp from syscalls.def. */\n#include \"sandbox/seccomp_table.h\"\n\n"
           "static const struct sock_filter code[] = {\n");
    for (unsigned i = 0; i < n_all; i++)
        printf("    {0x%02x, %u, %u, 0x%08x},\n", all_code[i].code, all_code[i].jt, all_code[i].jf,
               all_code[i].k);
    printf("};\n\nstatic const struct seccomp_variant variants[] = {\n");
    for (unsigned v = 0; v < FILTER_VARIANTS; v++)
        printf("    {%u, %u, %u},\n", variants[v].start, variants[v].length, variants[v].notifies);
    printf("};\n\n");
    write_names();
    printf("extern const struct seccomp_table %s;\nconst struct seccomp_table %s = {\n"
           "    0x%08x, code, variants, names, name_at, %u,\n};\n",
           symbol, symbol, arches[arch].audit, n_numbers);
}

/* Longest way through a program, in instructions carried out. Jumps only go forward. */
static unsigned longest(const struct sock_filter *code, unsigned n)
{
    static unsigned path[MAX_CODE];
    for (unsigned i = n; i-- > 0;) {
        unsigned class = BPF_CLASS(code[i].code), next;
        if (class == BPF_RET)
            next = 0;
        else if (class != BPF_JMP)
            next = path[i + 1];
        else if (BPF_OP(code[i].code) == BPF_JA)
            next = path[i + 1 + code[i].k];
        else
            next = MAX_OF(path[i + 1 + code[i].jt], path[i + 1 + code[i].jf]);
        path[i] = next + 1;
    }
    return path[0];
}

static void write_stats(void)
{
    unsigned distinct = 0, most = 0;
    for (unsigned v = 0; v < FILTER_VARIANTS; v++) {
        unsigned n = longest(&all_code[variants[v].start], variants[v].length);
        bool shared = false;
        for (unsigned w = 0; w < v; w++)
            shared |= variants[w].start == variants[v].start;
        distinct += !shared;
        most = MAX_OF(most, n);
        printf("%3u: %u instructions, longest path %u%s%s", v, variants[v].length, n,
               variants[v].notifies ? ", notifies" : "", shared ? ", shared:" : ":");
        for (unsigned i = 0; i < ARRAY_LEN(flag_words); i++)
            if (v & flag_words[i].flag)
                printf(" %s", flag_words[i].word);
        putchar('\n');
    }
    printf("%u distinct programs, %u instructions in all, longest path %u\n", distinct, n_all,
           most);
}

int main(int argc, char **argv)
{
    static struct program program;
    unsigned arch = 0;

    if (argc != 4) {
        fprintf(stderr, "usage: gen-seccomp DEF x86_64|aarch64 SYMBOL|--stats\n");
        return 2;
    }
    def_file = argv[1];
    while (arch < ARRAY_LEN(arches) && strcmp(arches[arch].name, argv[2]) != 0)
        arch++;
    if (arch == ARRAY_LEN(arches))
        die("no such architecture: %s", argv[2]);
    FILE *f = fopen(def_file, "r");
    if (!f)
        die("cannot open: %s", strerror(errno));
    read_table(f, arch);
    fclose(f);
    for (unsigned flags = 0; flags < FILTER_VARIANTS; flags++) {
        compile(arch, flags, &program);
        keep(&program, flags);
    }
    if (strcmp(argv[3], "--stats") == 0)
        write_stats();
    else
        write_table(arch, argv[3]);
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}

/* The audit log: what a record holds, the chain from line to line and from month to month, and that
 * every kind of tampering is found; what is refused; what a full disk and a torn line leave behind.
 */
#include "record/audit.h"

#include "base/json_read.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NOVEMBER 1794000000000 /* 2026-11-06T21:20:00Z */
#define DAY      86400000LL

static char home[64];

static int setup(void **state)
{
    (void)state;
    (void)snprintf(home, sizeof(home), "/tmp/test_audit.XXXXXX");
    return mkdtemp(home) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    return nftw(home, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- helpers ---- */

static const char *path_of(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof(path), "%s/audit/%s", home, name);
    return path;
}

static struct decision_event event(int64_t time_ms)
{
    static const char *const argv[] = {"git", "push"};
    struct decision_event e = {.time_ms = time_ms,
                               .argv = argv,
                               .argc = 2,
                               .cwd = "/w",
                               .class = "prompt",
                               .action = "run",
                               .place = "sandbox",
                               .by = BY_USER,
                               .policy = "on-request"};
    assert_int_equal(event_new_id(e.id), 0);
    return e;
}

static struct audit *open_log(void)
{
    struct audit *audit = NULL;
    struct error err = {0};
    if (audit_open(home, &audit, &err) < 0)
        fail_msg("%s", err.message);
    return audit;
}

static void append(struct audit *audit, int64_t time_ms)
{
    struct decision_event e = event(time_ms);
    struct error err = {0};
    if (audit_append(audit, &e, &err) < 0)
        fail_msg("%s", err.message);
}

/* N records, one a minute. */
static void fill(int64_t from, unsigned n)
{
    struct audit *audit = open_log();
    for (unsigned i = 0; i < n; i++)
        append(audit, from + i * 60000LL);
    audit_close(audit);
}

static void read_log(const char *name, struct strbuf *out)
{
    struct error err = {0};
    strbuf_clear(out);
    if (path_read_file(AT_FDCWD, path_of(name), 64u << 20, out, &err) < 0)
        fail_msg("%s", err.message);
}

static void write_log(const char *name, const char *text, size_t n)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), n);
    close(fd);
}

static struct audit_report verify(struct arena *a)
{
    struct audit_report report;
    struct error err = {0};
    if (audit_verify(a, home, &report, &err) < 0)
        fail_msg("%s", err.message);
    return report;
}

/* One fault, with WHAT in its words, at FILE:LINE. */
static void expect_fault(const struct audit_report *r, size_t i, const char *file, unsigned line,
                         const char *what)
{
    assert_true(i < r->n_faults);
    print_message("%s:%u %s\n", r->faults[i].file, (unsigned)r->faults[i].line, r->faults[i].what);
    assert_string_equal(r->faults[i].file, path_of(file));
    assert_int_equal(r->faults[i].line, line);
    assert_non_null(strstr(r->faults[i].what, what));
}

/* The beginning of line K (from 1) in TEXT, its length with the newline in *RET. */
static char *line_of(struct strbuf *text, unsigned k, size_t *ret)
{
    char *p = text->p;
    while (--k)
        p = strchr(p, '\n') + 1;
    *ret = (size_t)(strchr(p, '\n') - p) + 1;
    return p;
}

/* ---- what is written ---- */

static void test_record(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    _cleanup_strbuf_ struct strbuf text = {0};
    const char *const argv[] = {"curl", "--token", "geheim", "x\ny"};
    struct audit *audit = open_log();
    struct decision_event e = event(NOVEMBER + 123);
    struct error err = {0};
    e.argv = argv;
    e.argc = 4;
    e.rule_file = "/h/r.rules";
    e.rule_line = 3;
    e.answer = "once";
    e.asked_ms = 1500;
    e.reason = "a rule; PASSWORD=geheim";
    assert_int_equal(audit_append(audit, &e, &err), 0);
    audit_close(audit);
    read_log("2026-11.jsonl", &text);
    assert_null(strstr(text.p, "geheim"));
    const struct json_value *v;
    assert_int_equal(json_parse(&a, NULL, (struct bytes){text.p, text.n}, &v, &err), 0);
    assert_string_equal(v->names[0].p, "prev");
    assert_string_equal(v->names[v->n - 1].p, "hash");
    assert_string_equal(json_get_string(v, "event"), "decision");
    assert_string_equal(json_get_string(v, "id"), e.id);
    assert_string_equal(json_get_string(v, "time"), "2026-11-06T21:20:00.123Z");
    assert_string_equal(json_get_string(v, "by"), "user");
    assert_string_equal(json_get_string(v, "reason"), "a rule; PASSWORD=[REDACTED]");
    assert_string_equal(json_get(v, "argv")->items[2].text.p, "[REDACTED]");
    assert_string_equal(json_get(v, "argv")->items[3].text.p, "x\ny");
    assert_int_equal(json_get(v, "argc")->integer, 4);
    assert_int_equal(json_get(v, "rule_line")->integer, 3);
    assert_int_equal(json_get(v, "asked_ms")->integer, 1500);
    assert_null(json_get(v, "escalation"));
    assert_null(json_get(v, "argv_sha256"));
    /* The hash is of the line without itself. */
    struct sha256 s;
    unsigned char digest[SHA256_BYTES];
    char hex[SHA256_HEX_BYTES];
    char *tail = strstr(text.p, ",\"hash\":");
    sha256_init(&s);
    sha256_put(&s, text.p, (size_t)(tail - text.p));
    sha256_put(&s, "}", 1);
    sha256_end(&s, digest);
    sha256_hex(digest, hex);
    assert_string_equal(json_get_string(v, "hash"), hex);
}

static void test_modes(void **state)
{
    (void)state;
    struct stat st;
    mode_t old = umask(0);
    fill(NOVEMBER, 1);
    umask(old);
    assert_int_equal(stat(path_of(""), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(stat(path_of("2026-11.jsonl"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(path_of("lock"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0200);
}

static void test_times(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {951782399999, "2000-02-28T23:59:59.999Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {951868800000, "2000-03-01T00:00:00.000Z"},
        {4107542399000, "2100-02-28T23:59:59.000Z"},
        {4107542400000, "2100-03-01T00:00:00.000Z"},
        {1798761599999, "2026-12-31T23:59:59.999Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
        {253402300800000, NULL},
        {-62167219200000, "0000-01-01T00:00:00.000Z"},
        {-62167219200001, NULL},
        {INT64_MAX, NULL},
        {INT64_MIN, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[EVENT_TIME_BYTES];
        assert_int_equal(event_time(cases[i].ms, text), cases[i].text != NULL);
        if (cases[i].text)
            assert_string_equal(text, cases[i].text);
    }
}

/* Words without end lose their middle; the record stays bounded, and says of what it is. */
static void test_long_argv(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    _cleanup_strbuf_ struct strbuf text = {0};
    struct error err = {0};
    enum { N = 20000, LONG = 300000 };
    static const char *argv[N];
    static char word[LONG + 1];
    memset(word, '\x01', LONG);
    for (size_t i = 0; i < N; i++)
        argv[i] = i == 0 ? "first" : i == N - 1 ? "last" : "middle";
    struct audit *audit = open_log();
    struct decision_event e = event(NOVEMBER);
    const struct {
        const char *const *argv;
        size_t argc;
    } cases[] = {
        {argv, N},
        {(const char *const[]){"first", word, "last"}, 3},
        {(const char *const[]){word, word}, 2},
        {(const char *const[]){word}, 1},
    };
    e.cwd = e.program = e.reason = e.remembered = e.rule_file = word;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        e.argv = cases[i].argv;
        e.argc = cases[i].argc;
        assert_int_equal(audit_append(audit, &e, &err), 0);
    }
    audit_close(audit);
    read_log("2026-11.jsonl", &text);
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        size_t n, bytes = 0;
        const struct json_value *v, *words;
        const char *p = line_of(&text, i + 1, &n);
        assert_true(n < MAX_RECORD_BYTES);
        assert_int_equal(json_parse(&a, NULL, (struct bytes){p, n}, &v, &err), 0);
        words = json_get(v, "argv");
        for (size_t k = 0; k < words->n; k++)
            bytes += words->items[k].text.n + 1;
        assert_true(bytes <= MAX_EVENT_ARGV + MAX_EVENT_ARGV / 2);
        assert_true(bytes >= MAX_EVENT_ARGV / 4);
        assert_int_equal(json_get(v, "argc")->integer, cases[i].argc);
        assert_int_equal(strlen(json_get_string(v, "argv_sha256")), 64);
        if (i < 2) {
            assert_string_equal(words->items[0].text.p, "first");
            assert_string_equal(words->items[words->n - 1].text.p, "last");
        }
    }
    assert_int_equal(verify(&a).n_faults, 0);
}

/* ---- the chain ---- */

static void test_chain(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    struct audit_report r = verify(&a); /* nothing yet */
    assert_int_equal(r.records + r.files + r.n_faults, 0);
    assert_int_equal(strspn(r.last_hash, "0"), 64);
    fill(NOVEMBER - 40 * DAY, 3);
    fill(NOVEMBER, 2);
    fill(NOVEMBER + 60 * DAY, 4); /* December is missing, and nothing wrong */
    r = verify(&a);
    assert_int_equal(r.n_faults, 0);
    assert_int_equal(r.records, 9);
    assert_int_equal(r.files, 3);
    struct audit_report after;
    struct error err = {0};
    const char *kept = r.last_hash;
    fill(NOVEMBER + 61 * DAY, 5);
    assert_int_equal(audit_verify_after(&a, home, kept, &after, &err), 0);
    assert_int_equal(after.n_faults, 0);
    assert_int_equal(after.after, 5);
    assert_string_not_equal(after.last_hash, kept);
}

/* The clock is set back over the end of a month: the chain goes on where it was. */
static void test_clock_back(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    fill(NOVEMBER, 2);
    fill(NOVEMBER - 40 * DAY, 2);
    fill(NOVEMBER, 1);
    struct audit_report r = verify(&a);
    assert_int_equal(r.n_faults, 0);
    assert_int_equal(r.records, 5);
    assert_int_equal(r.files, 1);
}

static void test_many_writers(void **state)
{
    (void)state;
    enum { WRITERS = 8, EACH = 50 };
    _cleanup_arena_ struct arena a = {0};
    int gate[2];
    char c;
    assert_int_equal(pipe(gate), 0);
    for (unsigned i = 0; i < WRITERS; i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid)
            continue;
        struct audit *audit = NULL;
        close(gate[1]);
        int bad = read(gate[0], &c, 1) != 0; /* all begin at once */
        bad |= audit_open(home, &audit, NULL) < 0;
        for (unsigned k = 0; !bad && k < EACH; k++) {
            /* Half of them are in the month before. */
            struct decision_event e = event(NOVEMBER - (k % 2 ? 0 : 40 * DAY));
            bad |= audit_append(audit, &e, NULL) < 0;
        }
        audit_close(audit);
        _exit(bad);
    }
    close(gate[0]);
    close(gate[1]);
    for (unsigned i = 0; i < WRITERS; i++) {
        int status;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    struct audit_report r = verify(&a);
    assert_int_equal(r.n_faults, 0);
    assert_int_equal(r.records, WRITERS * EACH);
}

/* ---- tampering ---- */

enum tampering { CHANGE, REMOVE, INSERT, SWAP, CUT_MIDDLE, CUT_END, REHASH, CHANGE_HASH, JUNK };

static void tamper(struct strbuf *text, enum tampering how)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    size_t n2, n3;
    char *second = line_of(text, 2, &n2), *third = line_of(text, 3, &n3);
    size_t before = (size_t)(second - text->p), behind = before + n2;
    strbuf_put(&out, text->p, before);
    switch (how) {
    case CHANGE:
        *strstr(second, "push") = 'P';
        strbuf_put(&out, second, n2);
        break;
    case CHANGE_HASH:
        second[n2 - 5] = second[n2 - 5] == '0' ? '1' : '0';
        strbuf_put(&out, second, n2);
        break;
    case REHASH: { /* a careful forger */
        char hex[SHA256_HEX_BYTES];
        unsigned char digest[SHA256_BYTES];
        struct sha256 s;
        *strstr(second, "push") = 'P';
        char *tail = strstr(second, ",\"hash\":\"");
        sha256_init(&s);
        sha256_put(&s, second, (size_t)(tail - second));
        sha256_put(&s, "}", 1);
        sha256_end(&s, digest);
        sha256_hex(digest, hex);
        memcpy(tail + 9, hex, 64);
        strbuf_put(&out, second, n2);
        break;
    }
    case REMOVE:
        break;
    case INSERT:
        strbuf_put(&out, text->p, before);
        strbuf_put(&out, second, n2);
        break;
    case SWAP:
        strbuf_put(&out, third, n3);
        strbuf_put(&out, second, n2);
        behind += n3;
        break;
    case CUT_MIDDLE:
        strbuf_put(&out, second, n2 / 2);
        break;
    case JUNK:
        strbuf_puts(&out, "{\"prev\":\"x\"}\n\n");
        strbuf_put(&out, second, n2);
        break;
    case CUT_END:
        strbuf_put(&out, second, n2 - 10);
        behind = text->n;
        break;
    }
    strbuf_put(&out, text->p + behind, text->n - behind);
    strbuf_clear(text);
    strbuf_put(text, out.p, out.n);
}

static void test_tampering(void **state)
{
    (void)state;
    static const struct {
        enum tampering how;
        size_t n;
        struct {
            unsigned line;
            const char *what;
        } faults[3];
    } cases[] = {
        {CHANGE, 1, {{2, "changed"}}},
        {CHANGE_HASH, 2, {{2, "changed"}, {3, "does not follow"}}},
        {REHASH, 1, {{3, "does not follow"}}},
        {REMOVE, 1, {{2, "does not follow"}}},
        {INSERT, 1, {{2, "does not follow"}}},
        {SWAP, 3, {{2, "does not follow"}, {3, "does not follow"}, {4, "does not follow"}}},
        {CUT_MIDDLE, 1, {{2, "changed"}}}, /* what is left of it takes the end of the next */
        {CUT_END, 1, {{2, "torn"}}},
        {JUNK, 2, {{2, "not a whole record"}, {3, "not a whole record"}}},
    };
    _cleanup_strbuf_ struct strbuf whole = {0}, text = {0};
    fill(NOVEMBER, 5);
    read_log("2026-11.jsonl", &whole);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_arena_ struct arena a = {0};
        strbuf_clear(&text);
        strbuf_put(&text, whole.p, whole.n);
        tamper(&text, cases[i].how);
        write_log("2026-11.jsonl", text.p, text.n);
        struct audit_report r = verify(&a);
        for (size_t k = 0; k < cases[i].n; k++)
            expect_fault(&r, k, "2026-11.jsonl", cases[i].faults[k].line, cases[i].faults[k].what);
        assert_int_equal(r.n_faults, cases[i].n);
    }
}

/* Lines cut off at the end leave a whole chain: only a hash that was kept elsewhere shows it. */
static void test_cut_off(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    _cleanup_strbuf_ struct strbuf text = {0};
    struct audit_report r;
    struct error err = {0};
    size_t n;
    fill(NOVEMBER, 5);
    const char *kept = verify(&a).last_hash;
    read_log("2026-11.jsonl", &text);
    char *fifth = line_of(&text, 5, &n);
    write_log("2026-11.jsonl", text.p, (size_t)(fifth - text.p));
    assert_int_equal(verify(&a).n_faults, 0);
    assert_int_equal(audit_verify_after(&a, home, kept, &r, &err), 0);
    assert_int_equal(r.n_faults, 1);
    assert_non_null(strstr(r.faults[0].what, "no record has the hash"));
}

static void test_files(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    char to[128];
    fill(NOVEMBER - 60 * DAY, 2); /* 2026-09 */
    fill(NOVEMBER - 30 * DAY, 2); /* 2026-10 */
    fill(NOVEMBER, 2);
    assert_int_equal(verify(&a).n_faults, 0);
    /* A month between two others is taken away. */
    (void)snprintf(to, sizeof(to), "%s/aside", home);
    assert_int_equal(rename(path_of("2026-10.jsonl"), to), 0);
    struct audit_report r = verify(&a);
    assert_int_equal(r.n_faults, 1);
    expect_fault(&r, 0, "2026-11.jsonl", 1, "does not follow the file before");
    assert_int_equal(rename(to, path_of("2026-10.jsonl")), 0);
    /* The first one. */
    assert_int_equal(rename(path_of("2026-09.jsonl"), to), 0);
    r = verify(&a);
    assert_int_equal(r.n_faults, 1);
    expect_fault(&r, 0, "2026-10.jsonl", 1, "not the beginning");
    assert_int_equal(rename(to, path_of("2026-09.jsonl")), 0);
    /* The last one under another month's name. */
    (void)snprintf(to, sizeof(to), "%s", path_of("2026-12.jsonl"));
    assert_int_equal(rename(path_of("2026-11.jsonl"), to), 0);
    r = verify(&a);
    assert_int_equal(r.n_faults, 1);
    expect_fault(&r, 0, "2026-12.jsonl", 1, "another month");
    assert_int_equal(rename(to, path_of("2026-11.jsonl")), 0);
    /* Names that are none. */
    static const char *const names[] = {"2026-13.jsonl", "2026-11.jsonl.bak", "2026-1a.jsonl",
                                        ".x"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        write_log(names[i], "", 0);
        r = verify(&a);
        assert_int_equal(r.n_faults, 1);
        expect_fault(&r, 0, names[i], 0, "no name");
        assert_int_equal(unlink(path_of(names[i])), 0);
    }
    /* A link and a FIFO where a file should be: said, and not waited for. */
    assert_int_equal(symlink("/dev/zero", path_of("2027-01.jsonl")), 0);
    r = verify(&a);
    assert_int_equal(r.n_faults, 1);
    expect_fault(&r, 0, "2027-01.jsonl", 0, "symbolic link");
    assert_int_equal(unlink(path_of("2027-01.jsonl")), 0);
    assert_int_equal(mkfifo(path_of("2027-01.jsonl"), 0600), 0);
    r = verify(&a);
    assert_int_equal(r.n_faults, 1);
    expect_fault(&r, 0, "2027-01.jsonl", 0, "not a regular file");
}

static void test_too_many_faults(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    _cleanup_strbuf_ struct strbuf text = {0};
    fill(NOVEMBER, 1);
    for (unsigned i = 0; i < MAX_AUDIT_FAULTS + 5; i++)
        strbuf_puts(&text, "x\n");
    /* and a line longer than any record */
    for (unsigned i = 0; i < 3 * MAX_RECORD_BYTES / 8; i++)
        strbuf_puts(&text, "12345678");
    strbuf_puts(&text, "\ny\n");
    write_log("2026-11.jsonl", text.p, text.n);
    struct audit_report r = verify(&a);
    assert_int_equal(r.n_faults, MAX_AUDIT_FAULTS);
    assert_int_equal(r.more_faults, 7);
    expect_fault(&r, MAX_AUDIT_FAULTS - 1, "2026-11.jsonl", MAX_AUDIT_FAULTS, "not a whole record");
}

/* ---- what a crash leaves ---- */

/* A torn line stays, the next record stands on its own line and follows the last whole one. */
static void test_torn(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    _cleanup_strbuf_ struct strbuf text = {0}, again = {0};
    size_t n;
    fill(NOVEMBER, 3);
    read_log("2026-11.jsonl", &text);
    char *third = line_of(&text, 3, &n);
    size_t kept = (size_t)(third - text.p) + n / 2;
    write_log("2026-11.jsonl", text.p, kept);
    struct audit_report r = verify(&a);
    assert_int_equal(r.n_faults, 1);
    expect_fault(&r, 0, "2026-11.jsonl", 3, "torn");
    fill(NOVEMBER + DAY, 2);
    read_log("2026-11.jsonl", &again);
    assert_memory_equal(again.p, text.p, kept);
    assert_int_equal(again.p[kept], '\n');
    r = verify(&a);
    assert_int_equal(r.n_faults, 1);
    expect_fault(&r, 0, "2026-11.jsonl", 3, "not a whole record");
    assert_int_equal(r.records, 4);
    /* Nothing but a torn line, and an empty file, in a new month. */
    write_log("2026-12.jsonl", "", 0);
    write_log("2027-01.jsonl", "{\"prev\":", 8);
    fill(NOVEMBER + 60 * DAY, 1);
    r = verify(&a);
    assert_int_equal(r.n_faults, 2);
    expect_fault(&r, 1, "2027-01.jsonl", 1, "not a whole record");
}

/* At the limit of a file's size: an error, no signal, and nothing of the line is left. */
static void test_no_room(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    _cleanup_strbuf_ struct strbuf before = {0}, after = {0};
    struct rlimit old, limit;
    struct error err = {0};
    fill(NOVEMBER, 2);
    read_log("2026-11.jsonl", &before);
    struct audit *audit = open_log();
    struct decision_event e = event(NOVEMBER);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    /* The first is a short write, the second none at all. */
    for (unsigned i = 0; i < 2; i++) {
        limit = (struct rlimit){before.n + (i ? 0 : 50), old.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        int r = audit_append(audit, &e, &err);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_equal(r, i ? -EFBIG : -ENOSPC);
        assert_non_null(strstr(err.message, "cannot be recorded"));
        read_log("2026-11.jsonl", &after);
        assert_int_equal(after.n, before.n);
    }
    /* The signal was not left behind, nor blocked. */
    sigset_t set;
    assert_int_equal(sigpending(&set), 0);
    assert_false(sigismember(&set, SIGXFSZ));
    assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &set), 0);
    assert_false(sigismember(&set, SIGXFSZ));
    assert_int_equal(audit_append(audit, &e, &err), 0);
    audit_close(audit);
    assert_int_equal(verify(&a).n_faults, 0);
    assert_int_equal(verify(&a).records, 3);
}

/* ---- what is refused ---- */

static void expect_refused(int code, const char *what)
{
    struct audit *audit = NULL;
    struct error err = {0};
    assert_int_equal(audit_open(home, &audit, &err), code);
    assert_null(audit);
    print_message("%s (%s)\n", err.message, err.hint);
    assert_non_null(strstr(err.message, what));
    assert_true(err.hint[0]);
}

static void test_refused(void **state)
{
    (void)state;
    fill(NOVEMBER, 1);
    assert_int_equal(chmod(path_of(""), 0720), 0);
    expect_refused(-EPERM, "others can write");
    assert_int_equal(chmod(path_of(""), 0700), 0);
    assert_int_equal(chmod(path_of("2026-11.jsonl"), 0602), 0);
    expect_refused(-EPERM, "others can write");
    assert_int_equal(unlink(path_of("2026-11.jsonl")), 0);
    assert_int_equal(symlink("/dev/full", path_of("2026-11.jsonl")), 0);
    expect_refused(-ELOOP, "2026-11.jsonl");
    assert_int_equal(unlink(path_of("2026-11.jsonl")), 0);
    assert_int_equal(mkfifo(path_of("2026-11.jsonl"), 0600), 0);
    expect_refused(-EINVAL, "not a regular file");
    assert_int_equal(unlink(path_of("2026-11.jsonl")), 0);
    assert_int_equal(unlink(path_of("lock")), 0);
    assert_int_equal(rmdir(path_of("")), 0);
    char name[128];
    (void)snprintf(name, sizeof(name), "%s/audit", home);
    assert_int_equal(symlink("/tmp", name), 0);
    expect_refused(-ENOTDIR, "not a directory of its own");
    assert_int_equal(unlink(name), 0);
    fill(NOVEMBER, 1);
}

/* Who holds the lock for good does not hold bawn for good. */
static void test_lock_held(void **state)
{
    (void)state;
    struct audit *audit = open_log();
    struct error err = {0};
    struct decision_event e = event(NOVEMBER);
    int fd = open(path_of("lock"), O_WRONLY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(audit_append(audit, &e, &err), -ETIMEDOUT);
    assert_non_null(strstr(err.message, "held for 5 seconds"));
    close(fd);
    assert_int_equal(audit_append(audit, &e, &err), 0);
    audit_close(audit);
}

static int count(void *data, const char *file, uint64_t line, struct bytes text)
{
    unsigned *n = data;
    assert_string_equal(file, path_of("2026-11.jsonl"));
    assert_int_equal(line, ++*n);
    assert_int_equal(text.p[0], '{');
    assert_int_equal(text.p[text.n - 1], '}');
    return *n == 3 ? 7 : 0;
}

static void test_each(void **state)
{
    (void)state;
    struct error err = {0};
    unsigned n = 0;
    assert_int_equal(audit_each(home, count, &n, &err), 0);
    fill(NOVEMBER, 5);
    assert_int_equal(audit_each(home, count, &n, &err), 7);
    assert_int_equal(n, 3);
}

/* Each allocation in turn fails: an error, and nothing of the record is there. */
static void test_no_memory(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    int r = -ENOMEM;
    fill(NOVEMBER, 1);
    for (unsigned long n = 1; r < 0; n++) {
        struct audit *audit = NULL;
        struct error err = {0};
        struct decision_event e = event(NOVEMBER);
        assert_true(n < 200);
        mem_fail_at(n);
        r = audit_open(home, &audit, &err);
        if (r == 0)
            r = audit_append(audit, &e, &err);
        mem_fail_at(0);
        audit_close(audit);
        assert_true(r == 0 || err.code < 0);
        struct audit_report report = verify(&a);
        assert_int_equal(report.n_faults, 0);
        assert_int_equal(report.records, r == 0 ? 2 : 1);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_record),       TEST(test_modes),           TEST(test_times),
        TEST(test_long_argv),    TEST(test_chain),           TEST(test_clock_back),
        TEST(test_many_writers), TEST(test_tampering),       TEST(test_cut_off),
        TEST(test_files),        TEST(test_too_many_faults), TEST(test_torn),
        TEST(test_no_room),      TEST(test_refused),         TEST(test_lock_held),
        TEST(test_each),         TEST(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

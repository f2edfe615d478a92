/* The question as JSON and as lines of text, and what counts as an answer. What goes over a
 * terminal, a descriptor or a socket is in tests/ask. */
#include "approval/ask.h"
#include "base/json_read.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const argv[] = {"npm", "install", "lodash"};
static const char *const more[] = {"cargo", "test", "-q"};
static const char *const what[] = {"write below /w", "use no network"};
static const struct suggestion suggestions[] = {
    {argv, 3, 2, 2},
    {more, 3, 2, 2},
};

static struct question a_question(void)
{
    return (struct question){
        .id = "abc",
        .argv = argv,
        .argc = 3,
        .text = "npm install lodash && cargo test -q",
        .cwd = "/w",
        .program = "/usr/bin/npm",
        .why = "no rule",
        .what = what,
        .n_what = 2,
        .offers = 1u << ANSWER_ONCE | 1u << ANSWER_REMEMBER,
        .suggestions = suggestions,
        .n_suggestions = 2,
        .rules_file = "/h/default.rules",
    };
}

static void test_words(void **state)
{
    (void)state;
    assert_string_equal(answer_word(ANSWER_ONCE), "once");
    assert_string_equal(answer_word(ANSWER_SESSION), "session");
    assert_string_equal(answer_word(ANSWER_REMEMBER), "remember");
    assert_string_equal(answer_word(ANSWER_NO), "no");
    assert_string_equal(answer_word(ANSWER_ABORT), "abort");
    assert_string_equal(answer_word(ANSWER_NEVER), "never");
}

static void test_offers(void **state)
{
    (void)state;
    struct question q = a_question();
    assert_true(question_offers(&q, ANSWER_ONCE));
    assert_false(question_offers(&q, ANSWER_SESSION));
    assert_true(question_offers(&q, ANSWER_REMEMBER));
    q.rules_file = NULL; /* nowhere to write it */
    assert_false(question_offers(&q, ANSWER_REMEMBER));
    q = a_question();
    q.n_suggestions = 0;
    assert_false(question_offers(&q, ANSWER_REMEMBER));
    q.offers = 0;
    assert_true(question_offers(&q, ANSWER_NO));
    assert_true(question_offers(&q, ANSWER_ABORT));
}

/* ---- about a destination ---- */

static struct question about_a_host(void)
{
    struct question q = a_question();
    q.offers |= 1u << ANSWER_NEVER | 1u << ANSWER_SESSION;
    q.suggestions = NULL;
    q.n_suggestions = 0;
    q.reach = "example.com:443 (https)";
    q.allow_rule = "network_rule(allow it)";
    q.deny_rule = "network_rule(deny it)";
    return q;
}

static enum answer_kind answer_of(const struct question *q, const char *decision)
{
    _cleanup_arena_ struct arena a = {0};
    struct answer answer;
    char *line = arena_printf(&a, "{\"id\":\"abc\",\"decision\":\"%s\"}", decision);
    assert_int_equal(answer_read(&a, q, bytes_of(line), &answer), 0);
    assert_null(answer.lengths);
    return answer.problem ? ANSWER_ABORT : answer.kind;
}

static void test_reach(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    _cleanup_strbuf_ struct strbuf json = {0}, text = {0};
    const struct ask_look look = {.columns = 80};
    struct question q = about_a_host();
    assert_true(question_json(&a, &q, &json));
    assert_non_null(strstr(json.p,
                           "\"choices\":[\"once\",\"session\",\"remember\",\"no\",\"abort\","
                           "\"never\"]"));
    assert_non_null(strstr(json.p, "\"reach\":\"example.com:443 (https)\","
                                   "\"allow_rule\":\"network_rule(allow it)\","
                                   "\"deny_rule\":\"network_rule(deny it)\""));
    assert_int_equal(answer_of(&q, "remember"), ANSWER_REMEMBER);
    assert_int_equal(answer_of(&q, "never"), ANSWER_NEVER);
    /* What would be written stands there before it is answered. */
    (void)ask_put_question(&text, &look, &q);
    ask_put_choices(&text, &look, &q, false, true);
    assert_non_null(strstr(text.p, "may the running command reach this?\n"));
    assert_non_null(strstr(text.p, "   reach | example.com:443 (https)\n"));
    assert_non_null(strstr(text.p, "r writes | network_rule(allow it)\n"));
    assert_non_null(strstr(text.p, "d writes | network_rule(deny it)\n"));
    assert_non_null(strstr(text.p, "Your key (y s r n d a ?): "));
    /* Nowhere to write it: neither is offered, nor taken. */
    q.rules_file = NULL;
    assert_false(question_offers(&q, ANSWER_REMEMBER));
    assert_false(question_offers(&q, ANSWER_NEVER));
    assert_int_equal(answer_of(&q, "never"), ANSWER_ABORT);
    /* A question about a command has no "never". */
    q = a_question();
    q.offers |= 1u << ANSWER_NEVER;
    assert_int_equal(answer_of(&q, "never"), ANSWER_ABORT);
}

/* What is sent is what was meant, also where it is not nice. */
static void test_json(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    _cleanup_strbuf_ struct strbuf out = {0};
    struct question q = a_question();
    const struct json_value *root;
    q.text = "a\n\x1b[2J\"\xff";
    q.program = NULL;
    assert_true(question_json(&a, &q, &out));
    assert_int_equal(out.p[out.n - 1], '\n');
    assert_null(memchr(out.p, '\n', out.n - 1));
    assert_null(memchr(out.p, 0x1b, out.n));
    assert_int_equal(json_parse(&a, NULL, (struct bytes){out.p, out.n - 1}, &root, NULL), 0);
    assert_string_equal(json_get_string(root, "text"), q.text);
    assert_int_equal(json_get(root, "program")->type, JSON_NULL);
    const struct json_value *list = json_get(root, "suggestions");
    assert_int_equal(list->n, 2);
    assert_int_equal(json_get(&list->items[1], "min")->integer, 2);
    assert_string_equal(json_get_string(&list->items[1], "rule"),
                        "prefix_rule(pattern = [\"cargo\", \"test\"], decision = \"allow\", "
                        "sandbox = True)");
}

static struct answer read_answer(struct arena *a, const struct question *q, const char *text)
{
    struct answer answer = {.kind = ANSWER_ONCE};
    assert_int_equal(answer_read(a, q, bytes_of(text), &answer), 0);
    return answer;
}

static void test_good_answers(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    struct question q = a_question();
    static const struct {
        const char *text;
        enum answer_kind kind;
        size_t lengths[2];
    } cases[] = {
        {"{\"id\":\"abc\",\"decision\":\"once\"}", ANSWER_ONCE, {0}},
        {"{\"id\":\"abc\",\"decision\":\"no\"}", ANSWER_NO, {0}},
        {"{\"id\":\"abc\",\"decision\":\"abort\"}", ANSWER_ABORT, {0}},
        {"{\"id\":\"abc\",\"decision\":\"remember\"}", ANSWER_REMEMBER, {2, 2}},
        {"{\"id\":\"abc\",\"decision\":\"remember\",\"lengths\":[3,0]}", ANSWER_REMEMBER, {3, 0}},
        {"{\"prefixes\":[[\"cargo\",\"test\",\"-q\"]],\"decision\":\"remember\",\"id\":\"abc\"}",
         ANSWER_REMEMBER,
         {0, 3}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct answer answer = read_answer(&a, &q, cases[i].text);
        if (answer.problem)
            fail_msg("%s: %s", cases[i].text, answer.problem);
        assert_int_equal(answer.kind, cases[i].kind);
        if (cases[i].kind == ANSWER_REMEMBER)
            assert_memory_equal(answer.lengths, cases[i].lengths, sizeof(cases[i].lengths));
        else
            assert_null(answer.lengths);
    }
    struct answer answer =
        read_answer(&a, &q, "{\"id\":\"abc\",\"decision\":\"no\",\"message\":\"x\"}");
    assert_string_equal(answer.word, "x");
}

static void test_bad_answers(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    struct question q = a_question();
    static const char *const cases[] = {
        "",
        "{}",
        "{\"id\":\"abc\"}",
        "{\"decision\":\"once\"}",
        "{\"id\":\"abd\",\"decision\":\"once\"}",
        "{\"id\":\"abc\",\"decision\":\"session\"}",
        "{\"id\":\"abc\",\"decision\":\"once\",\"decision\":\"once\"}",
        "{\"id\":\"abc\",\"decision\":\"remember\",\"lengths\":[1,2]}",
        "{\"id\":\"abc\",\"decision\":\"remember\",\"lengths\":[2,4]}",
        "{\"id\":\"abc\",\"decision\":\"remember\",\"lengths\":[2]}",
        "{\"id\":\"abc\",\"decision\":\"remember\",\"lengths\":[0,0]}",
        "{\"id\":\"abc\",\"decision\":\"remember\",\"prefixes\":[[\"npm\"]]}",
        "{\"id\":\"abc\",\"decision\":\"remember\",\"prefixes\":[[\"npm\",\"test\"]]}",
        "{\"id\":\"abc\",\"decision\":\"remember\",\"prefixes\":[],\"lengths\":[2,2]}",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct answer answer = read_answer(&a, &q, cases[i]);
        if (answer.kind != ANSWER_NO || !answer.problem || answer.lengths || answer.word)
            fail_msg("%s", cases[i]);
        assert_string_equal(answer.by, "config");
    }
    q.id = NULL; /* a question without one cannot be answered */
    assert_non_null(read_answer(&a, &q, "{\"id\":\"abc\",\"decision\":\"once\"}").problem);
}

/* A suggestion that should never have been made is not remembered either. */
static void test_a_bad_suggestion(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    static const char *const python[] = {"python3", "x.py"};
    static const struct suggestion bad[] = {{python, 2, 1, 1}};
    struct question q = a_question();
    q.suggestions = bad;
    q.n_suggestions = 1;
    assert_non_null(read_answer(&a, &q, "{\"id\":\"abc\",\"decision\":\"remember\"}").problem);
    assert_null(
        read_answer(&a, &q, "{\"id\":\"abc\",\"decision\":\"remember\",\"lengths\":[2]}").problem);
}

static void test_memory(void **state)
{
    (void)state;
    struct question q = a_question();
    const char *text = "{\"id\":\"abc\",\"decision\":\"remember\",\"lengths\":[3,0]}";
    for (unsigned long i = 1;; i++) {
        struct arena a = {0};
        struct answer answer = {.kind = ANSWER_ABORT};
        mem_fail_at(i);
        int r = answer_read(&a, &q, bytes_of(text), &answer);
        mem_fail_at(0);
        arena_release(&a);
        if (r == 0) {
            assert_true(i > 1);
            assert_int_equal(answer.kind, ANSWER_REMEMBER);
            break;
        }
        assert_int_equal(r, -ENOMEM);
        assert_int_equal(answer.kind, ANSWER_ABORT); /* untouched */
    }
    for (unsigned long i = 1;; i++) {
        struct arena a = {0};
        struct strbuf out = {0};
        mem_fail_at(i);
        bool done = question_json(&a, &q, &out);
        mem_fail_at(0);
        arena_release(&a);
        strbuf_release(&out);
        if (done) {
            assert_true(i > 1);
            break;
        }
    }
}

/* Every row of a text, at every width, has its bar, fits, and nothing of the text is lost. */
static void test_rows(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "one",
        "one two three four five six seven eight nine ten eleven twelve",
        "a\n\nb\n",
        "\x1b[2J\xff\xfe\n\t\x07 \u202e\u00e4\u6f22\U0001f600",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "  leading and   many   spaces                                                     end",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        for (unsigned columns = 8; columns < 100; columns++) {
            _cleanup_strbuf_ struct strbuf out = {0}, back = {0}, want = {0};
            struct ask_look look = {.columns = columns, .whole = true};
            struct question q = {.text = texts[i], .offers = 1u << ANSWER_ONCE};
            assert_false(ask_put_question(&out, &look, &q));
            const char *p = strstr(strbuf_text(&out), "command");
            assert_non_null(p);
            unsigned bar = columns < 36 ? 0 : 10;
            if (bar == 0)
                p = strchr(p, '\n') + 1;
            else
                p -= 2;
            for (bool first = true; *p; first = false) {
                size_t n = strcspn(p, "\n"), width = 0;
                assert_true(n >= bar + 2 && (p[bar] == '|' || p[bar] == ':') && p[bar + 1] == ' ');
                for (size_t k = 0; k < n; k++)
                    width += (p[k] & 0xc0) == 0xc0 ? 2 : (p[k] & 0x80) == 0;
                if (width >= columns && columns > 12)
                    fail_msg("text %zu, %u columns: %.*s", i, columns, (int)n, p);
                if (p[bar] == '|' && !first)
                    strbuf_putc(&back, '\n');
                strbuf_put(&back, p + bar + 2, n - bar - 2);
                p += n + 1;
            }
            for (const char *t = texts[i]; *t; t += strcspn(t, "\n"), t += *t == '\n') {
                if (t != texts[i])
                    strbuf_putc(&want, '\n');
                strbuf_put_printable(&want, t, strcspn(t, "\n"));
            }
            assert_string_equal(strbuf_text(&back), strbuf_text(&want));
        }
}

static void test_left_out(void **state)
{
    (void)state;
    _cleanup_strbuf_ struct strbuf text = {0}, out = {0};
    for (int i = 0; i < 4000; i++)
        strbuf_printf(&text, "%08d\n", i);
    struct ask_look look = {.columns = 80};
    struct question q = {.text = strbuf_text(&text), .offers = 1u << ANSWER_ONCE};
    assert_true(ask_put_question(&out, &look, &q));
    /* 20 rows: 13 at the head, the mark, 6 at the end. */
    assert_non_null(strstr(strbuf_text(&out), "| 00000012\n          \u2026 35,829 bytes left out "
                                              "\u2026\n          | 00003994\n"));
    strbuf_clear(&out);
    look.whole = true;
    assert_false(ask_put_question(&out, &look, &q));
    assert_null(strstr(strbuf_text(&out), "left out"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_offers),
        cmocka_unit_test(test_reach),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_good_answers),
        cmocka_unit_test(test_bad_answers),
        cmocka_unit_test(test_a_bad_suggestion),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

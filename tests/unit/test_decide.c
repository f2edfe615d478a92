/* Run, ask or refuse: every cell of the table, every switch of a granular policy, with and without
 * an escalation. The expectations are written out, not computed. */
#include "approval/decide.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The columns of `expected`: R runs, a asks, x refuses. The granular ones are named by the switches
 * that are on: none, rules, sandbox_approval, both. */
enum { UNTRUSTED, ON_REQUEST, NEVER, GRANULAR, RULES, SANDBOX, BOTH, COLUMNS };

static const struct approval_policy policies[COLUMNS] = {
    [UNTRUSTED] = {.kind = POLICY_UNTRUSTED},
    [ON_REQUEST] = {.kind = POLICY_ON_REQUEST},
    [NEVER] = {.kind = POLICY_NEVER},
    [GRANULAR] = {.kind = POLICY_GRANULAR},
    [RULES] = {.kind = POLICY_GRANULAR, .rules = true},
    [SANDBOX] = {.kind = POLICY_GRANULAR, .sandbox_approval = true},
    [BOTH] = {.kind = POLICY_GRANULAR, .rules = true, .sandbox_approval = true},
};

static const struct {
    enum line_class class;
    enum escalation escalation;
    char expected[COLUMNS + 1];
    enum place place;
} cases[] = {
    {LINE_ALLOW, ESCALATE_NOTHING, "RRRRRRR", PLACE_OUTSIDE},
    {LINE_ALLOW, ESCALATE_PERMISSIONS, "RRRRRRR", PLACE_OUTSIDE},
    {LINE_ALLOW, ESCALATE_OUTSIDE, "RRRRRRR", PLACE_OUTSIDE},
    {LINE_ALLOW_INSIDE, ESCALATE_NOTHING, "RRRRRRR", PLACE_SANDBOX},
    {LINE_ALLOW_INSIDE, ESCALATE_PERMISSIONS, "aaxxxaa", PLACE_SANDBOX},
    {LINE_ALLOW_INSIDE, ESCALATE_OUTSIDE, "aaxxxaa", PLACE_OUTSIDE},
    {LINE_SAFE, ESCALATE_NOTHING, "RRRRRRR", PLACE_SANDBOX},
    {LINE_SAFE, ESCALATE_PERMISSIONS, "aaxxxaa", PLACE_SANDBOX},
    {LINE_SAFE, ESCALATE_OUTSIDE, "aaxxxaa", PLACE_OUTSIDE},
    {LINE_UNKNOWN, ESCALATE_NOTHING, "aRRRRRR", PLACE_SANDBOX},
    {LINE_UNKNOWN, ESCALATE_PERMISSIONS, "aaxxxaa", PLACE_SANDBOX},
    {LINE_UNKNOWN, ESCALATE_OUTSIDE, "aaxxxaa", PLACE_OUTSIDE},
    {LINE_DANGEROUS, ESCALATE_NOTHING, "aaxxxaa", PLACE_SANDBOX},
    {LINE_DANGEROUS, ESCALATE_PERMISSIONS, "aaxxxaa", PLACE_SANDBOX},
    {LINE_DANGEROUS, ESCALATE_OUTSIDE, "aaxxxaa", PLACE_OUTSIDE},
    {LINE_PROMPT, ESCALATE_NOTHING, "aaxxaxa", PLACE_SANDBOX},
    {LINE_PROMPT, ESCALATE_PERMISSIONS, "aaxxxxa", PLACE_SANDBOX},
    {LINE_PROMPT, ESCALATE_OUTSIDE, "aaxxxxa", PLACE_OUTSIDE},
    {LINE_FORBIDDEN, ESCALATE_NOTHING, "xxxxxxx", PLACE_SANDBOX},
    {LINE_FORBIDDEN, ESCALATE_PERMISSIONS, "xxxxxxx", PLACE_SANDBOX},
    {LINE_FORBIDDEN, ESCALATE_OUTSIDE, "xxxxxxx", PLACE_OUTSIDE},
};

static enum action action_of(char c)
{
    return c == 'R' ? ACTION_RUN : c == 'a' ? ACTION_ASK : ACTION_REFUSE;
}

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (size_t column = 0; column < COLUMNS; column++)
            for (unsigned others = 0; others < 8; others++) { /* those switches are for others */
                struct approval_policy policy = policies[column];
                policy.mcp_elicitations = others & 1;
                policy.request_permissions = others & 2;
                policy.skill_approval = others & 4;
                struct verdict v = decide(cases[i].class, &policy, cases[i].escalation);
                if (v.action != action_of(cases[i].expected[column]) || v.place != cases[i].place)
                    fail_msg("case %zu, column %zu: %s %s (%s)", i, column, action_word(v.action),
                             place_word(v.place), v.why);
                assert_non_null(v.why);
            }
}

/* Outside of granular the switches say nothing. */
static void test_switches_of_other_policies(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (size_t column = UNTRUSTED; column <= NEVER; column++) {
            struct approval_policy policy = policies[column];
            policy.sandbox_approval = policy.rules = true;
            struct verdict v = decide(cases[i].class, &policy, cases[i].escalation);
            assert_int_equal(v.action, action_of(cases[i].expected[column]));
        }
}

static void test_every_case_is_there(void **state)
{
    (void)state;
    assert_int_equal(ARRAY_LEN(cases), (LINE_FORBIDDEN + 1) * (ESCALATE_OUTSIDE + 1));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(cases[i].class, i / 3);
        assert_int_equal(cases[i].escalation, i % 3);
    }
}

static void test_reasons(void **state)
{
    (void)state;
    static const struct {
        enum line_class class;
        size_t column;
        enum escalation escalation;
        const char *has;
    } reasons[] = {
        {LINE_PROMPT, NEVER, ESCALATE_NOTHING, "policy never: a prompt rule refuses"},
        {LINE_PROMPT, SANDBOX, ESCALATE_NOTHING, "rules = false"},
        {LINE_PROMPT, RULES, ESCALATE_OUTSIDE, "sandbox_approval = false"},
        {LINE_DANGEROUS, RULES, ESCALATE_NOTHING, "sandbox_approval = false: a dangerous"},
        {LINE_SAFE, ON_REQUEST, ESCALATE_OUTSIDE, "outside the sandbox is asked about"},
        {LINE_SAFE, NEVER, ESCALATE_PERMISSIONS, "more permissions"},
        {LINE_FORBIDDEN, BOTH, ESCALATE_OUTSIDE, "forbids"},
        {LINE_UNKNOWN, UNTRUSTED, ESCALATE_NOTHING, "policy untrusted"},
    };
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        struct verdict v =
            decide(reasons[i].class, &policies[reasons[i].column], reasons[i].escalation);
        if (!strstr(v.why, reasons[i].has))
            fail_msg("case %zu: %s", i, v.why);
    }
}

/* A number that is in no table must not run. */
static void test_nonsense(void **state)
{
    (void)state;
    struct approval_policy odd = {.kind = (enum policy_kind)7};
    assert_int_equal(decide(LINE_ALLOW, &odd, ESCALATE_NOTHING).action, ACTION_REFUSE);
    assert_int_equal(decide((enum line_class)9, &policies[ON_REQUEST], ESCALATE_NOTHING).action,
                     ACTION_REFUSE);
    assert_int_equal(decide(LINE_ALLOW, &policies[ON_REQUEST], (enum escalation)5).action,
                     ACTION_REFUSE);
}

static void test_words(void **state)
{
    (void)state;
    assert_string_equal(action_word(ACTION_RUN), "run");
    assert_string_equal(action_word(ACTION_ASK), "ask");
    assert_string_equal(action_word(ACTION_REFUSE), "refuse");
    assert_string_equal(place_word(PLACE_SANDBOX), "sandbox");
    assert_string_equal(place_word(PLACE_OUTSIDE), "outside");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_switches_of_other_policies),
        cmocka_unit_test(test_every_case_is_there),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

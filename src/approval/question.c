/*
 * The question as JSON, and what counts as an answer to it. See question.h.
 *
 * The text of an answer is a stranger's. It is a yes only when everything in it holds: the id is
 * the question's, the decision was offered, and every prefix is one that was shown at a length that
 * was offered. Members that are not known are passed over, so that askers may say more.
 */
#include "approval/ask.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/json_read.h"

#include <errno.h>

static const char *const words[] = {
    [ANSWER_ONCE] = "once", [ANSWER_SESSION] = "session", [ANSWER_REMEMBER] = "remember",
    [ANSWER_NO] = "no",     [ANSWER_ABORT] = "abort",     [ANSWER_NEVER] = "never",
};

const char *answer_word(enum answer_kind kind)
{
    return words[kind];
}

uint64_t ask_clock_ms(void)
{
    return (uint64_t)clock_ms();
}

bool question_offers(const struct question *q, enum answer_kind kind)
{
    if (kind == ANSWER_NO || kind == ANSWER_ABORT)
        return true;
    if (kind == ANSWER_REMEMBER && ((q->n_suggestions == 0 && !q->allow_rule) || !q->rules_file))
        return false;
    if (kind == ANSWER_NEVER && (!q->deny_rule || !q->rules_file))
        return false;
    return q->offers & 1u << kind;
}

void answer_refuse(struct answer *answer, const char *problem)
{
    *answer = (struct answer){
        .kind = ANSWER_NO,
        .by = "config",
        .problem = problem,
        .milliseconds = answer->milliseconds,
    };
}

/* ---- the question ---- */

static void put_words(struct json *j, const char *key, const char *const *list, size_t n)
{
    json_key(j, key);
    json_array(j);
    for (size_t i = 0; i < n; i++)
        json_string(j, list[i]);
    json_end_array(j);
}

static bool put_suggestions(struct arena *a, struct json *j, const struct question *q)
{
    json_key(j, "suggestions");
    json_array(j);
    for (size_t i = 0; i < q->n_suggestions && question_offers(q, ANSWER_REMEMBER); i++) {
        const struct suggestion *s = &q->suggestions[i];
        const char *rule = suggest_rule_text(a, s->words, s->length, !q->outside);
        if (!rule)
            return false;
        json_object(j);
        put_words(j, "prefix", s->words, s->length);
        put_words(j, "words", s->words, s->n);
        json_kv_int(j, "max", (int64_t)s->n);
        json_kv_int(j, "min", (int64_t)s->least);
        json_kv_string(j, "rule", rule);
        json_end_object(j);
    }
    json_end_array(j);
    return true;
}

bool question_json(struct arena *a, const struct question *q, struct strbuf *out)
{
    struct json j;
    json_begin(&j, out);
    json_object(&j);
    json_kv_string(&j, "type", "approval_request");
    json_kv_string(&j, "id", q->id);
    put_words(&j, "command", q->argv, q->argc);
    json_kv_string(&j, "text", q->text);
    json_kv_string(&j, "cwd", q->cwd);
    json_kv_string(&j, "program", q->program);
    json_kv_string(&j, "why", q->why);
    put_words(&j, "what", q->what, q->n_what);
    json_kv_bool(&j, "outside", q->outside);
    json_key(&j, "choices");
    json_array(&j);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (question_offers(q, (enum answer_kind)i))
            json_string(&j, words[i]);
    json_end_array(&j);
    if (!put_suggestions(a, &j, q))
        return false;
    json_kv_string(&j, "rules_file", q->rules_file);
    if (q->reach) {
        json_kv_string(&j, "reach", q->reach);
        json_kv_string(&j, "allow_rule", q->allow_rule);
        json_kv_string(&j, "deny_rule", q->deny_rule);
        json_kv_string(&j, "asker", q->asker);
    }
    json_end_object(&j);
    strbuf_putc(out, '\n');
    return json_ok(&j) && !strbuf_failed(out);
}

/* ---- the answer ---- */

/* Is LIST the first words of S, at a length that was offered? */
static bool is_prefix_of(const struct json_value *list, const struct suggestion *s)
{
    if (list->type != JSON_ARRAY || list->n < s->least || list->n > s->n || list->n == 0)
        return false;
    for (size_t i = 0; i < list->n; i++)
        if (list->items[i].type != JSON_STRING || !bytes_is(list->items[i].text, s->words[i]))
            return false;
    return true;
}

/* "prefixes": each is one of the suggestions, none is there twice. Returns the problem, or NULL. */
static const char *read_prefixes(const struct question *q, const struct json_value *v,
                                 size_t *lengths)
{
    if (v->type != JSON_ARRAY)
        return "\"prefixes\" is no list";
    for (size_t i = 0; i < v->n; i++) {
        size_t k = 0;
        while (k < q->n_suggestions &&
               (lengths[k] || !is_prefix_of(&v->items[i], &q->suggestions[k])))
            k++;
        if (k == q->n_suggestions)
            return "a prefix is not one that was offered";
        lengths[k] = v->items[i].n;
    }
    return NULL;
}

static const char *read_lengths(const struct question *q, const struct json_value *v,
                                size_t *lengths)
{
    if (v->type != JSON_ARRAY || v->n != q->n_suggestions)
        return "\"lengths\" is not one number for each suggestion";
    for (size_t i = 0; i < v->n; i++) {
        const struct json_value *item = &v->items[i];
        const struct suggestion *s = &q->suggestions[i];
        if (item->type != JSON_NUMBER || !item->is_int || item->integer < 0)
            return "a length is no number";
        uint64_t length = (uint64_t)item->integer;
        if (length != 0 && (length < s->least || length > s->n))
            return "a prefix has a length that was not offered";
        lengths[i] = (size_t)length;
    }
    return NULL;
}

/* Both ways of saying it may be there; then they must say the same. With neither: as suggested. */
static const char *read_remembered(const struct question *q, const struct json_value *root,
                                   size_t *lengths, size_t *others)
{
    const struct json_value *by_words = json_get(root, "prefixes");
    const struct json_value *by_length = json_get(root, "lengths");
    const char *problem = NULL;
    if (by_words && (problem = read_prefixes(q, by_words, lengths)))
        return problem;
    if (by_length && (problem = read_lengths(q, by_length, by_words ? others : lengths)))
        return problem;
    if (by_words && by_length && memcmp(lengths, others, q->n_suggestions * sizeof(*lengths)) != 0)
        return "\"prefixes\" and \"lengths\" do not say the same";
    size_t sum = 0;
    for (size_t i = 0; i < q->n_suggestions; i++) {
        if (!by_words && !by_length)
            lengths[i] = q->suggestions[i].length;
        if (lengths[i] && suggest_refuses(q->suggestions[i].words, lengths[i]))
            return "a prefix is one that is never remembered";
        sum += lengths[i];
    }
    return sum ? NULL : "there is nothing to remember";
}

static const char *read_message(const struct json_value *root, const char **ret)
{
    const struct json_value *v = json_get(root, "message");
    if (!v || v->type == JSON_NULL)
        return NULL;
    const char *text = json_get_string(root, "message");
    if (!text)
        return "\"message\" is no text";
    if (v->text.n > MAX_ANSWER_WORD)
        return "\"message\" is too long";
    *ret = v->text.n ? text : NULL;
    return NULL;
}

/* Who spoke: "user" unless it is said to be a reviewer. */
static const char *read_by(const struct json_value *root, const char **ret)
{
    static const char *const known[] = {"user", "reviewer"};
    if (!json_get(root, "by"))
        return NULL;
    const char *by = json_get_string(root, "by");
    for (size_t i = 0; by && i < ARRAY_LEN(known); i++)
        if (str_eq(by, known[i])) {
            *ret = known[i];
            return NULL;
        }
    return "\"by\" is neither \"user\" nor \"reviewer\"";
}

static const char *read_decision(const struct question *q, const struct json_value *root,
                                 enum answer_kind *ret)
{
    const char *decision = json_get_string(root, "decision");
    if (!decision)
        return "there is no \"decision\"";
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq(words[i], decision)) {
            *ret = (enum answer_kind)i;
            return question_offers(q, *ret) ? NULL : "the decision is one that was not offered";
        }
    return "the decision is not one that there is";
}

static const char *read_root(const struct question *q, const struct json_value *root,
                             size_t *lengths, size_t *others, struct answer *ret)
{
    if (root->type != JSON_OBJECT)
        return "it is no object";
    const char *id = json_get_string(root, "id");
    if (!id || !q->id || !str_eq(id, q->id))
        return "it has not the id of the question";
    const char *problem = read_decision(q, root, &ret->kind);
    if (problem || (problem = read_message(root, &ret->word)) ||
        (problem = read_by(root, &ret->by)))
        return problem;
    if (ret->kind != ANSWER_NO)
        ret->word = NULL;
    if (ret->kind != ANSWER_REMEMBER || q->reach)
        return NULL;
    ret->lengths = lengths;
    return read_remembered(q, root, lengths, others);
}

int answer_read(struct arena *a, const struct question *q, struct bytes line, struct answer *ret)
{
    struct answer answer = {.by = "user"};
    const struct json_value *root = NULL;
    struct error err = {0};
    const char *problem;
    size_t *lengths = arena_zalloc(a, q->n_suggestions + 1, sizeof(*lengths));
    size_t *others = arena_zalloc(a, q->n_suggestions + 1, sizeof(*others));
    if (!lengths || !others)
        return -ENOMEM;
    int r = json_parse(a, NULL, line, &root, &err);
    if (r == -ENOMEM)
        return r;
    problem = r < 0 ? err.message : read_root(q, root, lengths, others, &answer);
    if (problem) {
        problem = arena_printf(a, "the answer does not count: %s", problem);
        if (!problem)
            return -ENOMEM;
        answer_refuse(&answer, problem);
    }
    *ret = answer;
    return 0;
}

/* Any line as the answer to one question: it is a yes only as offered, and what would be remembered
 * is what was shown, no wider. The question with its hostile text is laid out for a width as well.
 */
#include "approval/ask.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x))                                                                                  \
            abort();                                                                               \
    } while (0)

static const char *const npm[] = {"npm", "install", "lodash"};
static const char *const cargo[] = {"cargo", "test", "-q"};
static const struct suggestion suggestions[] = {{npm, 3, 2, 2}, {cargo, 3, 2, 2}};

static void check_answer(struct arena *a, const struct question *q, struct bytes line)
{
    struct answer answer = {0};
    MUST(answer_read(a, q, line, &answer) == 0);
    MUST(question_offers(q, answer.kind));
    MUST(answer.by);
    if (answer.problem) {
        MUST(answer.kind == ANSWER_NO && !answer.word && !answer.lengths);
        return;
    }
    MUST(!answer.word || (answer.kind == ANSWER_NO && strlen(answer.word) <= MAX_ANSWER_WORD));
    MUST(!answer.lengths == (answer.kind != ANSWER_REMEMBER));
    size_t sum = 0;
    for (size_t i = 0; answer.lengths && i < q->n_suggestions; i++) {
        size_t n = answer.lengths[i];
        MUST(n == 0 || (n >= q->suggestions[i].least && n <= q->suggestions[i].n));
        sum += n;
    }
    MUST(!answer.lengths || sum);
}

/* Nothing but printable text and line ends, whatever is shown. */
static void check_text(struct question *q, struct bytes text, struct arena *a)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    struct ask_look look = {.columns = text.n ? (unsigned char)text.p[0] : 0};
    q->text = q->why = q->cwd = arena_strndup(a, text.p, text.n);
    MUST(q->text);
    bool left_out = ask_put_question(&out, &look, q);
    ask_put_choices(&out, &look, q, left_out, true);
    MUST(!strbuf_failed(&out));
    for (size_t i = 0; i < out.n;) {
        uint32_t c;
        size_t n = utf8_decode((const unsigned char *)out.p + i, out.n - i, &c);
        MUST(n && (c == '\n' || !utf8_deceives(c)));
        i += n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_arena_ struct arena a = {0};
    struct question q = {
        .id = "abc",
        .offers = 1u << ANSWER_ONCE | 1u << ANSWER_REMEMBER,
        .suggestions = suggestions,
        .n_suggestions = 2,
        .rules_file = "/h/default.rules",
    };
    struct bytes line = {(const char *)data, size};
    check_answer(&a, &q, line);
    check_text(&q, line, &a);
    return 0;
}

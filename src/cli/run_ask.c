/* The question of `bawn run`, and what its answer leaves behind. See run_front.h. */
#include "cli/run_front.h"

#include "approval/remember.h"
#include "approval/session.h"
#include "base/clock.h"
#include "base/path.h"
#include "cli/binding.h"
#include "cli/print.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#define ASK_SECONDS 300 /* how long --ask-via may take unless --ask-timeout says otherwise */
#define SHOW_TRIES  3   /* questions about files that change while they are shown */

/* ---- keys ---- */

void front_key(struct front *f)
{
    struct sha256 key;
    unsigned char digest[SHA256_BYTES];
    sha256_init(&key);
    session_key_text(&key, "bawn run 1");
    for (size_t i = 0; i < f->options.n_rest; i++)
        session_key_text(&key, f->options.rest[i]);
    session_key_text(&key, NULL);
    session_key_text(&key, f->s->cwd);
    session_key_text(&key, place_word(f->verdict.place));
    session_key_text(&key, line_class_word(f->here.judgement.class));
    session_key_text(&key, f->s->profile->name);
    session_key_text(&key, isatty(0) ? "terminal" : "none");
    session_key_text(&key, f->asked_for == ESCALATE_OUTSIDE ? "outside" : "inside");
    for (size_t i = 0; i < f->n_given; i++)
        session_key_text(&key, f->grants.v.v[i].text);
    f->key_fine = binding_put(&f->here.judgement, f->s->cwd, &key);
    sha256_end(&key, digest);
    sha256_hex(digest, f->key);
}

const char *front_session(struct front *f)
{
    const char *chosen = getenv("BAWN_SESSION");
    if (!f->session && setup_state_dir(f->s, false) &&
        session_name(f->a, chosen && *chosen ? chosen : NULL, &f->session, NULL) < 0)
        f->session = NULL;
    return f->session;
}

bool front_in_session(struct front *f)
{
    const char **grants;
    size_t n;
    if (!f->key_fine || !front_session(f) ||
        session_look(f->a, setup_state_dir(f->s, false), f->session, f->key, &grants, &n) < 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        struct grant g;
        /* Where a link took the place of what was shown, it was another path that was allowed. */
        if (grant_parse(f->a, f->s->cwd, grants[i], &g, NULL) < 0 || !str_eq(g.text, grants[i]) ||
            grants_add(&f->grants, &g) < 0)
            return false;
    }
    return true;
}

/* ---- asking ---- */

static int put_question(struct front *f, const struct question *q, struct answer *ret,
                        struct error *err)
{
    const char *via = f->options.ask_via;
    unsigned long seconds = f->options.ask_timeout ? f->options.ask_timeout : ASK_SECONDS;
    int timeout = seconds > 86400 ? 86400000 : (int)seconds * 1000;
    if (!via)
        return question_ask_terminal(f->a, q, NULL, ret, err);
    if (via[strspn(via, "0123456789")])
        return question_ask_socket(f->a, q, path_join(f->a, f->s->cwd, via), timeout, ret, err);
    errno = 0;
    long fd = strtol(via, NULL, 10);
    if (errno || fd > INT_MAX) /* -1 would be waited for in vain */
        return error_errno(err, -EBADF, "cannot put the question");
    return question_ask_fd(f->a, q, (int)fd, timeout, ret, err);
}

int front_put_question(struct front *f, const struct question *q, struct answer *ret,
                       struct error *err)
{
    const uint64_t begun = clock_unix_ns();
    int r = put_question(f, q, ret, err);
    const char *scope = q->reach                                ? "network"
                        : q->outside                            ? "outside"
                        : f->escalation == ESCALATE_PERMISSIONS ? "permissions"
                                                                : "command";
    telling_phase(f->s->telling, "question", begun);
    if (r == 0)
        telling_approval(f->s->telling, q->id, scope, answer_word(ret->kind), answer_by(ret),
                         ret->milliseconds);
    return r;
}

int front_ask(struct front *f, const struct asked *asked, struct answer *ret, struct error *err)
{
    const struct suggestion *suggestions = NULL;
    size_t n = 0;
    bool rules = asked->remember && f->s->bawn_home;
    if (rules && suggest(f->a, &f->here.judgement, &suggestions, &n) < 0)
        return error_errno(err, -ENOMEM, "cannot ask");
    for (int i = 0; i < SHOW_TRIES; i++) {
        char before[SHA256_HEX_BYTES];
        front_key(f);
        memcpy(before, f->key, sizeof(before));
        unsigned offers = 1u << ANSWER_ONCE | 1u << ANSWER_NO | 1u << ANSWER_ABORT;
        if (asked->session && f->key_fine && setup_state_dir(f->s, true) && front_session(f))
            offers |= 1u << ANSWER_SESSION;
        if (n)
            offers |= 1u << ANSWER_REMEMBER;
        struct question q = {
            .id = f->event.id,
            .argv = (const char *const *)f->options.rest,
            .argc = f->options.n_rest,
            .text = f->shown,
            .cwd = f->s->cwd,
            .program = front_program(f),
            .why = asked->why,
            .what = asked->what,
            .n_what = asked->n_what,
            .outside = asked->outside,
            .offers = offers,
            .suggestions = suggestions,
            .n_suggestions = n,
            .rules_file = n ? path_join(f->a, f->s->bawn_home, DEFAULT_RULES) : NULL,
        };
        int r = front_put_question(f, &q, ret, err);
        if (r < 0 || ret->kind == ANSWER_NO || ret->kind == ANSWER_ABORT)
            return r;
        front_key(f);
        if (memcmp(before, f->key, sizeof(before)) == 0)
            return 0;
        print_warning("what would run changed while the question stood: it is asked again");
    }
    return error_set(err, -EAGAIN, "what would run keeps changing");
}

/* ---- what stays ---- */

static int keep_rules(struct front *f, const struct answer *answer, struct error *err)
{
    const struct suggestion *v;
    size_t n;
    _cleanup_strbuf_ struct strbuf all = {0};
    const char *file = path_join(f->a, f->s->bawn_home, DEFAULT_RULES);
    if (!file || suggest(f->a, &f->here.judgement, &v, &n) < 0)
        return error_errno(err, -ENOMEM, "cannot remember it");
    for (size_t i = 0; i < n; i++) {
        size_t length = answer->lengths ? answer->lengths[i] : v[i].length;
        if (length == 0)
            continue;
        const char *no = suggest_refuses(v[i].words, length);
        if (no || length > v[i].n || length < v[i].least)
            return error_set(err, -EPERM, "the rule is not written: %s",
                             no ? no : "it is not one that was shown");
        const char *line =
            suggest_rule_text(f->a, v[i].words, length, f->verdict.place == PLACE_SANDBOX);
        int r = line ? remember_line(file, line, NULL, err) : -ENOMEM;
        if (r < 0)
            return r;
        strbuf_printf(&all, "%s%s", all.n ? "; " : "", line);
    }
    f->event.remembered = all.n ? arena_strdup(f->a, strbuf_text(&all)) : NULL;
    return 0;
}

int front_keep(struct front *f, const struct answer *answer, struct error *err)
{
    if (answer->kind == ANSWER_REMEMBER)
        return keep_rules(f, answer, err);
    if (answer->kind != ANSWER_SESSION)
        return 0;
    const char **grants = arena_zalloc(f->a, f->grants.v.n + 1, sizeof(*grants));
    size_t n = 0;
    if (!grants)
        return error_errno(err, -ENOMEM, "the answer cannot be kept");
    vec_foreach (g, &f->grants.v)
        grants[n++] = g->text;
    return session_add(setup_state_dir(f->s, true), f->session, f->key, grants, n, err);
}

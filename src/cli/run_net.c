/*
 * The question of `bawn run` about a destination that no rule names (spec 5.7). See run_front.h.
 *
 * The command runs and its connection waits. What is asked about, and what an answer leaves behind,
 * is one host, one port, one protocol. A no holds for the session as a yes does: a command that
 * tries again and again is no reason to ask again and again.
 */
#include "cli/run_front.h"

#include "approval/remember.h"
#include "approval/session.h"
#include "base/fd.h"
#include "base/path.h"
#include "cli/print.h"

#include <errno.h>
#include <fcntl.h>

static const struct wire_answer yes_once = {.allow = 1}, yes = {.allow = 1, .remember = 1},
                                no_once = {0}, no = {.remember = 1};

/* ---- what is asked about ---- */

static const char *words_of(struct arena *a, const struct netrequest *q)
{
    return arena_printf(a, strchr(q->host.name, ':') ? "[%s]:%u (%s)" : "%s:%u (%s)", q->host.name,
                        q->port, net_protocol_word(q->protocol));
}

/* Names and addresses hold nothing that a string of the rule language would have to escape. */
static const char *rule_of(struct arena *a, const struct netrequest *q, const char *decision)
{
    return arena_printf(
        a, "network_rule(host = \"%s\", protocol = \"%s\", port = %u, decision = \"%s\")",
        q->host.name, net_protocol_word(q->protocol), q->port, decision);
}

static void key_of(const struct front *f, const struct netrequest *q, const char *word,
                   char ret[SHA256_HEX_BYTES])
{
    struct sha256 key;
    unsigned char digest[SHA256_BYTES];
    sha256_init(&key);
    session_key_text(&key, "bawn run, network 1");
    session_key_text(&key, word);
    session_key_text(&key, f->s->profile->name);
    session_key_text(&key, q->host.name);
    session_key_put(&key, &q->port, sizeof(q->port));
    session_key_text(&key, net_protocol_word(q->protocol));
    sha256_end(&key, digest);
    sha256_hex(digest, ret);
}

/* Was it answered with WORD in this session? */
static bool in_session(struct front *f, const struct netrequest *q, const char *word)
{
    const char *name = front_session(f), **grants;
    char key[SHA256_HEX_BYTES];
    size_t n;
    key_of(f, q, word, key);
    return name && session_look(f->a, setup_state_dir(f->s, false), name, key, &grants, &n) == 0;
}

static void keep_in_session(struct front *f, const struct netrequest *q, const char *word)
{
    struct error err = {0};
    char key[SHA256_HEX_BYTES];
    const char *dir = setup_state_dir(f->s, true), *name = dir ? front_session(f) : NULL;
    key_of(f, q, word, key);
    if (name && session_add(dir, name, key, NULL, 0, &err) < 0)
        print_warning("for this run only: %s", err.message);
}

/* ---- the answer ---- */

/* Writes LINE. A failure leaves the answer for the session. */
static void keep_rule(const char *file, const char *line)
{
    struct error err = {0};
    if (remember_line(file, line, NULL, &err) < 0)
        print_warning("for this session only: %s", err.message);
}

static struct wire_answer take_answer(struct front *f, const struct netrequest *q,
                                      const struct question *asked, const struct answer *answer)
{
    switch (answer->kind) {
    case ANSWER_ONCE:
        return yes_once;
    case ANSWER_REMEMBER:
        keep_rule(asked->rules_file, asked->allow_rule);
        keep_in_session(f, q, "yes");
        return yes;
    case ANSWER_SESSION:
        keep_in_session(f, q, "yes");
        return yes;
    case ANSWER_NEVER:
        keep_rule(asked->rules_file, asked->deny_rule);
        keep_in_session(f, q, "no");
        return no;
    case ANSWER_ABORT:
        f->net_silent = true;
        return no;
    case ANSWER_NO:
        break;
    }
    if (answer->problem) {
        f->net_silent = true; /* who does not answer once is not asked again */
        print_warning("%s is refused, and what follows: %s", asked->reach, answer->problem);
        return no_once;
    }
    keep_in_session(f, q, "no");
    return no;
}

static const char *why_asked(struct front *f, const struct wire_event *e)
{
    const struct netrule *rule = e->answer.rule;
    if (!rule)
        return "no rule names it";
    const char *why = rule->message ? rule->message : "a rule wants it asked about";
    return rule->file ? arena_printf(f->a, "%s (%s:%u)", why, rule->file, rule->line) : why;
}

/* "/usr/bin/curl[1234]", or NULL. */
static const char *asker_of(struct front *f, const struct wire_event *e,
                            const struct asker_place *inside)
{
    struct asker found;
    if (!asker_find(inside, e->request.client_port, e->request.client_udp, &found))
        return NULL;
    return arena_printf(f->a, "%s[%d]", found.exe, (int)found.pid);
}

static struct wire_answer put_question(struct front *f, const struct wire_event *e,
                                       const struct asker_place *inside)
{
    const struct netrequest *q = &e->request;
    const char *reach = words_of(f->a, q), *why = why_asked(f, e);
    char id[EVENT_ID_BYTES];
    struct answer answer;
    struct error err = {0};
    struct question asked = {
        .id = id,
        .argv = (const char *const *)f->options.rest,
        .argc = f->options.n_rest,
        .text = f->shown,
        .cwd = f->s->cwd,
        .program = front_program(f),
        .why = why,
        .what = &reach,
        .n_what = 1,
        .offers = 1u << ANSWER_ONCE | 1u << ANSWER_REMEMBER | 1u << ANSWER_NEVER,
        .reach = reach,
        .asker = asker_of(f, e, inside),
    };
    if (setup_state_dir(f->s, true) && front_session(f))
        asked.offers |= 1u << ANSWER_SESSION;
    if (f->s->bawn_home) {
        asked.rules_file = path_join(f->a, f->s->bawn_home, DEFAULT_RULES);
        asked.allow_rule = rule_of(f->a, q, "allow");
        asked.deny_rule = rule_of(f->a, q, "forbidden");
    }
    if (!reach || !why || event_new_id(id) < 0)
        return no_once;
    int r = front_put_question(f, &asked, &answer, &err);
    if (r == 0)
        return take_answer(f, q, &asked, &answer);
    f->net_silent = true;
    print_warning("%s is refused, and what follows: %s", reach, err.message);
    return no;
}

static void ask(void *data, const struct wire_event *e, const struct asker_place *inside,
                struct wire_answer *ret)
{
    struct front *f = data;
    const struct netrequest *q = &e->request;
    front_open_record(f);
    if (in_session(f, q, "no")) {
        *ret = no;
    } else if (in_session(f, q, "yes")) {
        *ret = yes;
    } else if (f->net_silent) {
        *ret = no;
    } else if (!f->audit) {
        print_warning("%s is refused: what needs approval must be recorded: %s", q->host.name,
                      f->audit_problem);
        *ret = no;
    } else {
        *ret = put_question(f, e, inside);
    }
}

/* ---- who is asked ---- */

static bool somebody_is_there(const struct front *f)
{
    if (f->options.ask_via)
        return true;
    _cleanup_fd_ int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    return fd >= 0;
}

void front_net_asker(struct front *f)
{
    const struct approval_policy *p = &f->here.policy;
    bool granular = p->kind == POLICY_GRANULAR, asks = p->kind != POLICY_NEVER;
    f->net_asker = (struct net_asker){.parent = f->event.id, .ask = ask, .data = f};
    if (!somebody_is_there(f))
        return;
    f->net_asker.unknown = granular ? p->sandbox_approval : asks;
    f->net_asker.rule = granular ? p->rules : asks;
}

/* The event of one decision. See run_front.h. */
#include "cli/run_front.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>

static const char *policy_word(enum policy_kind kind)
{
    static const char *const words[] = {[POLICY_UNTRUSTED] = "untrusted",
                                        [POLICY_ON_REQUEST] = "on-request",
                                        [POLICY_GRANULAR] = "granular",
                                        [POLICY_NEVER] = "never"};
    return words[kind];
}

const char *front_program(const struct front *f)
{
    const struct judgement *j = &f->here.judgement;
    /* A shell that reads text is the last (judge_here.c). */
    return j->n ? j->v[f->here.list.shell ? j->n - 1 : 0].program.resolved : NULL;
}

/* Of the texts of all layers and of every rule. */
static void hash_policy(const struct front *f, char ret[SHA256_HEX_BYTES])
{
    const struct config *c = f->s->config;
    struct sha256 key;
    unsigned char digest[SHA256_BYTES];
    sha256_init(&key);
    for (size_t i = 0; i < c->n_layers; i++) {
        sha256_put(&key, c->layers[i].name, strlen(c->layers[i].name) + 1);
        sha256_put(&key, c->layers[i].text.p, c->layers[i].text.n);
    }
    for (size_t i = 0; i < rules_count(f->here.rules); i++) {
        const struct rule *r = rules_at(f->here.rules, i);
        const uint32_t facts[] = {(uint32_t)r->decision, r->n_tokens, r->line, r->sandbox,
                                  (uint32_t)r->rank};
        sha256_put(&key, facts, sizeof(facts));
        for (uint32_t t = 0; t < r->n_tokens; t++)
            for (uint32_t w = 0; w < r->tokens[t].n; w++)
                sha256_put(&key, r->tokens[t].words[w], strlen(r->tokens[t].words[w]) + 1);
    }
    sha256_end(&key, digest);
    sha256_hex(digest, ret);
}

void front_open_record(struct front *f)
{
    struct error err = {0};
    if (f->audit || f->audit_problem)
        return;
    if (!f->s->bawn_home)
        f->audit_problem = "there is no home to keep the record in: set BAWN_HOME";
    else if (audit_open(f->s->bawn_home, &f->audit, &err) < 0)
        f->audit_problem = arena_strdup(f->a, err.message);
}

static void tell_status(const struct front *f)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    struct json j;
    if (f->options.status_fd < 0)
        return;
    json_begin(&j, &out);
    json_object(&j);
    json_kv_string(&j, "event", "decision");
    decision_event_json(&f->event, &j);
    json_end_object(&j);
    strbuf_putc(&out, '\n');
    if (json_ok(&j))
        (void)fd_write_all(f->options.status_fd, out.p, out.n);
}

enum decided_by answer_by(const struct answer *answer)
{
    return answer && answer->by && str_eq(answer->by, "user")       ? BY_USER
           : answer && answer->by && str_eq(answer->by, "reviewer") ? BY_REVIEWER
                                                                    : BY_CONFIGURATION;
}

int front_record(struct front *f, const char *action, const struct answer *answer,
                 struct error *err)
{
    struct decision_event *e = &f->event;
    const struct judgement *j = &f->here.judgement;
    const struct profile *p = f->s->profile;
    const struct rule *rule =
        j->decided && j->decided->n_matches ? j->decided->matches[0].rule : NULL;
    char policy[SHA256_HEX_BYTES];
    e->time_ms = clock_unix_ms();
    if (!e->id[0] && event_new_id(e->id) < 0)
        return error_set(err, -EIO, "the kernel has no random bytes");
    e->argv = (const char *const *)f->options.rest;
    e->argc = f->options.n_rest;
    e->cwd = f->s->cwd;
    e->program = front_program(f);
    e->class = line_class_word(j->class);
    e->action = action;
    e->place = place_word(f->verdict.place);
    e->answer = answer ? answer_word(answer->kind) : NULL;
    e->by = answer_by(answer);
    e->asked_ms = answer ? answer->milliseconds : 0;
    e->policy = policy_word(f->here.policy.kind);
    e->mode = p->mode;
    e->profile = p->name;
    e->reason = answer && answer->problem ? answer->problem
                : j->reason               ? j->reason
                                          : f->verdict.why;
    e->rule_file = rule ? rule->file : NULL;
    e->rule_line = rule ? rule->line : 0;
    e->escalation = f->escalation == ESCALATE_OUTSIDE       ? "outside"
                    : f->escalation == ESCALATE_PERMISSIONS ? "permissions"
                                                            : NULL;
    hash_policy(f, policy);
    e->policy_hash = policy;
    tell_status(f);
    telling_decision(f->s->telling, e);
    int r = f->audit ? audit_append(f->audit, e, err)
                     : error_set(err, -EIO, "%s",
                                 f->audit_problem ? f->audit_problem : "the record is not open");
    e->policy_hash = NULL;
    return r;
}

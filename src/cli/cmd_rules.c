/*
 * bawn rules: command rules, looked at. A function each for check (literal, against files that are
 * named: what other tools call execpolicy), explain (how bawn run would judge a command here, and
 * what each policy would do), list, test and remove.
 *
 * Exit status: 0; 1 for broken rules, or where nothing was there to be removed; 2 for a mistake on
 * the command line.
 */
#include "approval/remember.h"
#include "approval/suggest.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "cli/commands.h"
#include "cli/judge_here.h"
#include "cli/print.h"
#include "cli/rules_load.h"

#include <errno.h>

#define DEFAULT_RULES "rules/default.rules"

static int out_of_memory(void)
{
    return cli_failure(EXIT_BROKEN, "out of memory");
}

static int usage(const char *problem)
{
    struct error err = {0};
    (void)error_set(&err, -EINVAL, "rules: %s", problem);
    error_hint(&err, "see bawn rules --help");
    return cli_error(&err, EXIT_USAGE);
}

/* ---- check ---- */

/* An absolute program stands for its base name where its host_executable lists it, or nothing does.
 */
static const char *host_name(const struct rules *rules, const char *program)
{
    const char *base = path_base(program);
    const struct host_executable *h = rules_host_executable(rules, base);
    if (program[0] != '/')
        return NULL;
    for (size_t i = 0; h && i < h->n; i++)
        if (str_eq(h->paths[i], program))
            return base;
    return h ? NULL : base;
}

static void put_match(struct json *j, const struct rule_match *m, const char *const *argv,
                      const char *first, const char *resolved)
{
    json_object(j);
    json_key(j, "prefixRuleMatch");
    json_object(j);
    json_key(j, "matchedPrefix");
    json_array(j);
    for (uint32_t i = 0; i < m->length; i++)
        json_string(j, i ? argv[i] : first);
    json_end_array(j);
    json_kv_string(j, "decision", decision_word(m->rule->decision));
    if (resolved)
        json_kv_string(j, "resolvedProgram", resolved);
    if (m->rule->justification)
        json_kv_string(j, "justification", m->rule->justification);
    json_end_object(j);
    json_end_object(j);
}

/* Line breaks and two spaces a level, for people. Strings are passed over. */
static void put_pretty(struct strbuf *out, const char *p)
{
    unsigned depth = 0;
    bool in_string = false;
    for (; *p; p++) {
        bool open = *p == '{' || *p == '[', close = *p == '}' || *p == ']';
        if (in_string || *p == '"') {
            strbuf_putc(out, *p);
            if (*p == '\\' && p[1])
                strbuf_putc(out, *++p);
            else if (*p == '"')
                in_string = !in_string;
            continue;
        }
        if (open && (p[1] == '}' || p[1] == ']')) {
            strbuf_putc(out, *p++);
            strbuf_putc(out, *p);
            continue;
        }
        if (close)
            strbuf_printf(out, "\n%*s", (int)--depth * 2, "");
        strbuf_putc(out, *p);
        if (open)
            strbuf_printf(out, "\n%*s", (int)++depth * 2, "");
        else if (*p == ',')
            strbuf_printf(out, "\n%*s", (int)depth * 2, "");
        else if (*p == ':')
            strbuf_putc(out, ' ');
    }
}

static int print_matches(const struct options *o, const struct rules *rules, struct arena *a)
{
    _cleanup_strbuf_ struct strbuf text = {0}, pretty = {0};
    const char *const *argv = (const char *const *)o->rest;
    struct command_word *words = arena_zalloc(a, o->n_rest, sizeof(*words));
    struct rule_match *found = arena_zalloc(a, rules_count(rules) + 1, sizeof(*found));
    enum decision strictest = DECISION_NONE;
    const char *first = argv[0], *resolved = NULL;
    struct json j;
    if (!words || !found)
        return out_of_memory();
    for (size_t i = 0; i < o->n_rest; i++)
        words[i] = (struct command_word){.text = argv[i], .known = true};
    size_t n = rules_match(rules, first, words, o->n_rest, NULL, found, rules_count(rules));
    if (n == 0 && o->resolve_host && (first = host_name(rules, argv[0]))) {
        resolved = argv[0];
        n = rules_match(rules, first, words, o->n_rest, NULL, found, rules_count(rules));
    }
    json_begin(&j, &text);
    json_object(&j);
    json_key(&j, "matchedRules");
    json_array(&j);
    for (size_t i = 0; i < n; i++) {
        put_match(&j, &found[i], argv, first, resolved);
        if (found[i].rule->decision > strictest)
            strictest = found[i].rule->decision;
    }
    json_end_array(&j);
    if (n)
        json_kv_string(&j, "decision", decision_word(strictest));
    json_end_object(&j);
    strbuf_putc(&text, '\n');
    if (!json_ok(&j))
        return out_of_memory();
    if (!o->pretty)
        return print_out(&text);
    put_pretty(&pretty, strbuf_text(&text));
    return strbuf_failed(&pretty) ? out_of_memory() : print_out(&pretty);
}

static int check(struct setup *s, const struct options *o)
{
    struct error err = {0};
    if (o->rules.n == 0)
        return usage("check: --rules FILE is missing");
    if (o->n_rest == 0)
        return usage("check: no command given");
    struct rules *rules = rules_new(&s->arena);
    if (!rules)
        return out_of_memory();
    int r = 0;
    for (size_t i = 0; r == 0 && i < o->rules.n; i++)
        r = rules_load_file(&s->arena, rules, o->rules.v[i], &err);
    if (r == 0 && rules_finish(rules) < 0)
        r = error_errno(&err, -ENOMEM, "cannot read the rules");
    int status = r < 0 ? cli_error(&err, EXIT_BROKEN) : print_matches(o, rules, &s->arena);
    rules_free(rules);
    return status;
}

/* ---- explain ---- */

static const struct {
    const char *word;
    struct approval_policy policy;
} policies[] = {
    {"untrusted", {.kind = POLICY_UNTRUSTED}},
    {"on-request", {.kind = POLICY_ON_REQUEST}},
    {"never", {.kind = POLICY_NEVER}},
    {"granular", {.kind = POLICY_GRANULAR}},
};

/* "granular" is what the configuration says of it; where it says nothing, everything is asked. */
static struct approval_policy policy_at(const struct here *h, size_t i)
{
    struct approval_policy p = policies[i].policy;
    if (p.kind != POLICY_GRANULAR)
        return p;
    if (h->policy.kind == POLICY_GRANULAR)
        return h->policy;
    p.sandbox_approval = p.rules = p.mcp_elicitations = true;
    return p;
}

static const char *reading_word(enum reading reading)
{
    static const char *const words[] = {"plain", "deep", "opaque"};
    return words[reading];
}

static void put_rule(struct json *j, const struct rule_match *m, const struct command *c)
{
    json_object(j);
    json_kv_string(j, "file", m->rule->file);
    json_kv_int(j, "line", m->rule->line);
    json_kv_string(j, "decision", decision_word(m->rule->decision));
    json_kv_string(j, "rank", rules_rank_word(m->rule->rank));
    if (m->maybe)
        json_kv_bool(j, "maybe", true);
    json_key(j, "matchedPrefix");
    json_array(j);
    for (uint32_t i = 0; i < m->length; i++)
        json_string(j, c->words[i].text);
    json_end_array(j);
    if (m->rule->justification)
        json_kv_string(j, "justification", m->rule->justification);
    json_end_object(j);
}

static void put_judged(struct json *j, const struct judged *d)
{
    const struct command *c = d->command;
    json_object(j);
    json_key(j, "argv");
    json_array(j);
    for (size_t i = 0; i < c->n; i++)
        json_string(j, c->words[i].text);
    json_end_array(j);
    json_kv_string(j, "class", line_class_word(d->class));
    json_kv_bool(j, "plain", c->plain);
    if (c->via)
        json_kv_string(j, "via", c->via);
    if (d->program.resolved)
        json_kv_string(j, "program", d->program.resolved);
    json_key(j, "rules");
    json_array(j);
    for (size_t i = 0; i < d->n_matches; i++)
        put_rule(j, &d->matches[i], c);
    json_end_array(j);
    json_kv_string(j, "reason", d->reason);
    json_end_object(j);
}

static int explain_json(const struct here *h, enum escalation escalation, const struct verdict *v,
                        const struct suggestion *suggestions, size_t n)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    struct json j;
    json_begin(&j, &out);
    json_object(&j);
    json_kv_string(&j, "reading", reading_word(h->list.reading));
    json_key(&j, "commands");
    json_array(&j);
    for (size_t i = 0; i < h->judgement.n; i++)
        put_judged(&j, &h->judgement.v[i]);
    json_end_array(&j);
    json_kv_string(&j, "class", line_class_word(h->judgement.class));
    json_key(&j, "verdict");
    json_object(&j);
    for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
        const struct approval_policy p = policy_at(h, i);
        json_kv_string(&j, policies[i].word,
                       action_word(decide(h->judgement.class, &p, escalation).action));
    }
    json_end_object(&j);
    json_kv_string(&j, "policy", h->s->config->approval_policy);
    json_kv_string(&j, "action", action_word(v->action));
    json_kv_string(&j, "where", place_word(v->place));
    json_key(&j, "suggest");
    json_array(&j);
    for (size_t i = 0; i < n; i++) {
        json_array(&j);
        for (size_t k = 0; k < suggestions[i].length; k++)
            json_string(&j, suggestions[i].words[k]);
        json_end_array(&j);
    }
    json_end_array(&j);
    json_kv_string(&j, "reason", h->judgement.reason ? h->judgement.reason : v->why);
    json_end_object(&j);
    strbuf_putc(&out, '\n');
    return json_ok(&j) ? print_out(&out) : out_of_memory();
}

static void put_command(struct strbuf *out, const struct command *c)
{
    for (size_t i = 0; i < c->n; i++) {
        strbuf_puts(out, i ? " " : "");
        strbuf_put_printable(out, c->words[i].text, strlen(c->words[i].text));
    }
}

static int explain_words(struct here *h, enum escalation escalation, const struct verdict *v,
                         const struct suggestion *suggestions, size_t n)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    const struct judgement *line = &h->judgement;
    if (h->list.reading != READING_PLAIN)
        strbuf_printf(&out, "%s: %s\n",
                      h->list.reading == READING_DEEP ? "more than a plain chain of commands"
                                                      : "not read",
                      h->list.reason ? h->list.reason : "");
    for (size_t i = 0; i < line->n; i++) {
        const struct judged *d = &line->v[i];
        put_command(&out, d->command);
        strbuf_printf(&out, "\n    %s%s%s: ", line_class_word(d->class),
                      d->command->via ? ", in " : "", d->command->via ? d->command->via : "");
        strbuf_put_printable(&out, d->reason, strlen(d->reason));
        strbuf_putc(&out, '\n');
    }
    strbuf_printf(&out, "the line: %s: ", line_class_word(line->class));
    const char *reason = line->reason ? line->reason : v->why;
    strbuf_put_printable(&out, reason, strlen(reason));
    strbuf_puts(&out, "\n");
    for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
        const struct approval_policy p = policy_at(h, i);
        const struct verdict one = decide(line->class, &p, escalation);
        strbuf_printf(&out, "    %-12s %s%s%s\n", policies[i].word, action_word(one.action),
                      one.action == ACTION_REFUSE ? "" : ", ",
                      one.action == ACTION_REFUSE ? "" : place_word(one.place));
    }
    strbuf_printf(&out, "here, with %s: %s\n", h->s->config->approval_policy,
                  action_word(v->action));
    for (size_t i = 0; i < n; i++) {
        const char *rule = suggest_rule_text(h->a, suggestions[i].words, suggestions[i].length,
                                             v->place == PLACE_SANDBOX);
        if (!rule)
            return out_of_memory();
        strbuf_printf(&out, "allowed by  %s  in %s/" DEFAULT_RULES "\n", rule,
                      h->s->bawn_home ? show(h->s->bawn_home) : "$BAWN_HOME");
    }
    return strbuf_failed(&out) ? out_of_memory() : print_out(&out);
}

static bool is_text(const char *word)
{
    return word[strcspn(word, " \t\n;|&<>()$`\"'")] != '\0';
}

static int explain(struct setup *s, const struct options *o)
{
    struct error err = {0};
    struct here h = {.s = s, .a = &s->arena};
    const struct suggestion *suggestions;
    size_t n;
    if (o->n_rest == 0)
        return usage("explain: no command given");
    int status = cli_load(s, o);
    if (status)
        return status;
    /* One word that no program is called: text for a shell. */
    const char *shell[] = {"bash", "-c", o->rest[0], NULL};
    bool text = o->n_rest == 1 && is_text(o->rest[0]);
    int r = here_judge(&h, text ? shell : (const char *const *)o->rest, text ? 3 : o->n_rest, &err);
    if (r < 0)
        return cli_error(&err, EXIT_BROKEN);
    const enum escalation escalation = !o->escalate                     ? ESCALATE_NOTHING
                                       : str_eq(o->escalate, "outside") ? ESCALATE_OUTSIDE
                                                                        : ESCALATE_PERMISSIONS;
    const struct verdict v = decide(h.judgement.class, &h.policy, escalation);
    if (suggest(h.a, &h.judgement, &suggestions, &n) < 0)
        return out_of_memory();
    status = o->json ? explain_json(&h, escalation, &v, suggestions, n)
                     : explain_words(&h, escalation, &v, suggestions, n);
    rules_free(h.rules);
    return status;
}

/* ---- list ---- */

static void put_token(struct strbuf *out, const struct rule_token *t)
{
    if (t->regex)
        strbuf_puts(out, "re(…)");
    else if (t->n == 1)
        strbuf_put_printable(out, t->words[0], strlen(t->words[0]));
    for (uint32_t i = 0; !t->regex && t->n > 1 && i < t->n; i++) {
        strbuf_putc(out, i ? '|' : '(');
        strbuf_put_printable(out, t->words[i], strlen(t->words[i]));
    }
    if (!t->regex && t->n > 1)
        strbuf_putc(out, ')');
}

static void put_line(struct strbuf *out, const struct rule *r)
{
    strbuf_printf(out, "%s:%u  %s%s", r->file ? show(r->file) : "?", (unsigned)r->line,
                  decision_word(r->decision), r->sandbox ? " in the sandbox" : "");
    if (r->permissions)
        strbuf_printf(out, " with %s", show(r->permissions));
    strbuf_puts(out, " ");
    for (uint32_t i = 0; i < r->n_tokens; i++) {
        strbuf_putc(out, ' ');
        put_token(out, &r->tokens[i]);
    }
    if (r->justification)
        strbuf_printf(out, "  (%s)", show(r->justification));
    strbuf_putc(out, '\n');
}

static void put_line_json(struct json *j, const struct rule *r)
{
    json_object(j);
    json_kv_string(j, "file", r->file);
    json_kv_int(j, "line", r->line);
    json_kv_string(j, "rank", rules_rank_word(r->rank));
    json_kv_string(j, "decision", decision_word(r->decision));
    json_key(j, "pattern");
    json_array(j);
    for (uint32_t i = 0; i < r->n_tokens; i++) {
        json_array(j);
        for (uint32_t k = 0; k < r->tokens[i].n; k++)
            json_string(j, r->tokens[i].words[k]);
        json_end_array(j);
    }
    json_end_array(j);
    if (r->sandbox)
        json_kv_bool(j, "sandbox", true);
    if (r->permissions)
        json_kv_string(j, "permissions", r->permissions);
    if (r->justification)
        json_kv_string(j, "justification", r->justification);
    json_end_object(j);
}

static int list(struct setup *s, const struct options *o)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    struct error err = {0};
    struct rules *rules;
    bool broken;
    struct json j;
    int status = cli_load(s, o);
    if (status)
        return status;
    if (rules_load(s, &rules, &broken, &err) < 0)
        return cli_error(&err, EXIT_BROKEN);
    json_begin(&j, &out);
    if (o->json)
        json_array(&j);
    for (size_t i = 0; i < rules_count(rules); i++) {
        if (o->json)
            put_line_json(&j, rules_at(rules, i));
        else
            put_line(&out, rules_at(rules, i));
    }
    if (o->json) {
        json_end_array(&j);
        strbuf_putc(&out, '\n');
    } else if (rules_count(rules) == 0) {
        strbuf_puts(&out, "no rules\n");
    }
    rules_free(rules);
    return strbuf_failed(&out) ? out_of_memory() : print_out(&out);
}

/* ---- test ---- */

static int test(struct setup *s, const struct options *o)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    struct error err = {0};
    struct rules *rules = NULL;
    bool broken = false;
    int status = 0;
    if (o->n_rest == 0) {
        status = cli_load(s, o);
        if (status == 0 && rules_load(s, &rules, &broken, &err) < 0)
            return cli_error(&err, EXIT_BROKEN);
        if (status)
            return status;
        strbuf_printf(&out, "%zu rules, all as their examples say\n", rules_count(rules));
        rules_free(rules);
        return broken ? EXIT_BROKEN : print_out(&out);
    }
    for (size_t i = 0; i < o->n_rest; i++) {
        rules = rules_new(&s->arena);
        if (!rules)
            return out_of_memory();
        if (rules_load_file(&s->arena, rules, o->rest[i], &err) < 0)
            status = cli_error(&err, EXIT_BROKEN);
        else
            strbuf_printf(&out, "%s: %zu rules, all as their examples say\n", show(o->rest[i]),
                          rules_count(rules));
        rules_free(rules);
    }
    int printed = print_out(&out);
    return status ? status : printed;
}

/* ---- remove ---- */

/* Where else a rule for these very words stands. */
static void hint_elsewhere(struct setup *s, const struct options *o, struct error *err)
{
    struct rules *rules;
    bool broken;
    if (setup_profile(s, NULL) < 0 || rules_load(s, &rules, &broken, NULL) < 0)
        return;
    for (size_t i = 0; i < rules_count(rules); i++) {
        const struct rule *r = rules_at(rules, i);
        bool same = r->n_tokens == o->n_rest;
        for (uint32_t t = 0; same && t < r->n_tokens; t++) {
            same = false;
            for (uint32_t w = 0; w < r->tokens[t].n; w++)
                same = same || str_eq(r->tokens[t].words[w], o->rest[t]);
        }
        if (same) {
            error_hint(err, "%s:%u says %s of it; that line is not one that bawn wrote",
                       show(r->file), (unsigned)r->line, decision_word(r->decision));
            break;
        }
    }
    rules_free(rules);
}

static int remove_rule(struct setup *s, const struct options *o)
{
    struct error err = {0};
    const char *const *words = (const char *const *)o->rest;
    if (o->n_rest == 0)
        return usage("remove: no prefix given");
    if (setup_world(s, o, &err) < 0)
        return cli_error(&err, EXIT_BROKEN);
    const char *file = s->bawn_home ? path_join(&s->arena, s->bawn_home, DEFAULT_RULES) : NULL;
    if (!file)
        return cli_failure(EXIT_BROKEN, "there is no home with rules in it: set BAWN_HOME");
    bool removed = false;
    for (int inside = 0; inside < 2; inside++) {
        const char *line = suggest_rule_text(&s->arena, words, o->n_rest, inside);
        int r = line ? forget_line(file, line, &err) : -ENOMEM;
        if (r == 0) {
            removed = true;
            _cleanup_strbuf_ struct strbuf out = {0};
            strbuf_printf(&out, "removed from %s: %s\n", show(file), line);
            (void)print_out(&out);
        } else if (r != -ENOENT) {
            return cli_error(&err, EXIT_BROKEN);
        }
    }
    if (removed)
        return 0;
    const char *text = command_text(&s->arena, words, o->n_rest);
    (void)error_set(&err, -ENOENT, "%s has no rule that was remembered for %s", show(file),
                    text ? show(text) : "it");
    hint_elsewhere(s, o, &err);
    return cli_error(&err, EXIT_BROKEN);
}

int cmd_rules(int argc, char **argv)
{
    static const struct {
        const char *word;
        int (*run)(struct setup *s, const struct options *o);
    } actions[] = {{"check", check},
                   {"explain", explain},
                   {"list", list},
                   {"test", test},
                   {"remove", remove_rule}};
    _cleanup_setup_ struct setup s = {0};
    struct options o;
    int status;
    if (!cli_parse(FOR_RULES, argc, argv, &s, &o, &status))
        return status;
    s.purpose = SETUP_PATHS;
    if (o.n_rest == 0)
        return usage("check, explain, list, test or remove?");
    const char *word = o.rest[0];
    o.rest++;
    o.n_rest--;
    for (size_t i = 0; i < ARRAY_LEN(actions); i++)
        if (str_eq(actions[i].word, word))
            return actions[i].run(&s, &o);
    struct error err = {0};
    const char *names[ARRAY_LEN(actions)];
    for (size_t i = 0; i < ARRAY_LEN(actions); i++)
        names[i] = actions[i].word;
    const char *near = nearest_word(word, names, ARRAY_LEN(names));
    (void)error_set(&err, -EINVAL, "rules: unknown action %s", show(word));
    error_hint(&err, near ? "did you mean bawn rules %s?" : "see bawn rules --help", near);
    return cli_error(&err, EXIT_USAGE);
}

/*
 * The event of a decision as a table: a row a field. See event.h.
 *
 * Everything that is a person's text goes through redact() first and is cut to its limit after: the
 * other way round, half a key could stay.
 */
#include "record/event.h"

#include "base/limits.h"
#include "base/sha256.h"

#include <errno.h>
#include <stddef.h>
#include <sys/random.h>

const char *decided_by_word(enum decided_by by)
{
    static const char *const words[] = {[BY_CONFIGURATION] = "config",
                                        [BY_USER] = "user",
                                        [BY_REVIEWER] = "reviewer",
                                        [BY_HOOK] = "hook"};
    return (unsigned)by < ARRAY_LEN(words) ? words[by] : "config";
}

int event_new_id(char id[EVENT_ID_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char random[(EVENT_ID_BYTES - 1) / 2];
    ssize_t n;
    do
        n = getrandom(random, sizeof(random), 0);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof(random))
        return -EIO;
    for (size_t i = 0; i < sizeof(random); i++) {
        id[2 * i] = digits[random[i] >> 4];
        id[2 * i + 1] = digits[random[i] & 15];
    }
    id[EVENT_ID_BYTES - 1] = '\0';
    return 0;
}

/* Not gmtime_r(): libc would look for the machine's time zone first. A year begins in March here,
 * so that the day that some have more stands at its end. */
bool event_time(int64_t ms, char ret[EVENT_TIME_BYTES])
{
    const int64_t day_ms = 86400000, era_days = 146097; /* 400 years */
    int64_t days = ms / day_ms, rest = ms % day_ms;
    if (rest < 0) {
        rest += day_ms;
        days--;
    }
    days += 719468; /* from 0000-03-01 */
    int64_t era = (days >= 0 ? days : days - era_days + 1) / era_days;
    int64_t day = days - era * era_days; /* of the era */
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int64_t of_year = day - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    int64_t of_month = of_year - (153 * month + 2) / 5 + 1;
    month += month < 10 ? 3 : -9;
    year += era * 400 + (month <= 2);
    if (year < 0 || year > 9999)
        return false;
    (void)snprintf(ret, EVENT_TIME_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (int)year,
                   (int)month, (int)of_month, (int)(rest / 3600000), (int)(rest / 60000 % 60),
                   (int)(rest / 1000 % 60), (int)(rest % 1000));
    return true;
}

/* ---- what is too long ---- */

/* Not in the middle of a character. */
static size_t back_to_character(const char *s, size_t at)
{
    for (size_t i = 0; i < 3 && at > 0 && ((unsigned char)s[at] & 0xc0) == 0x80; i++)
        at--;
    return at;
}

/* S, of at most MAX bytes and a mark that says how many are missing. NULL without memory. */
static const char *cut_middle(struct arena *a, const char *s, size_t max)
{
    size_t n = strlen(s);
    if (n <= max)
        return s;
    size_t head = back_to_character(s, max / 2), tail = back_to_character(s, n - max / 2);
    return arena_printf(a, "%.*s…[%zu bytes]…%s", (int)head, s, tail - head, s + tail);
}

/* The words as they are written: *N of them, fewer when the middle is left out. Each of the two
 * ends gets half the room; the word that does not fit any more is cut. */
static const char *const *cut_words(struct arena *a, const char *const *words, size_t *n)
{
    size_t room = MAX_EVENT_ARGV / 2, first = 0, last = *n;
    const char **out = arena_zalloc(a, *n + 1, sizeof(*out));
    if (!out)
        return NULL;
    for (size_t left = room; first < *n && strlen(words[first]) < left; first++)
        left -= strlen(words[first]) + 1;
    for (size_t left = room; last > first && strlen(words[last - 1]) < left; last--)
        left -= strlen(words[last - 1]) + 1;
    size_t k = 0, bytes = 0;
    for (size_t i = 0; i < first; i++)
        out[k++] = words[i];
    if (last - first == 1) { /* one long word among others */
        if (!(out[k++] = cut_middle(a, words[first], room / 2)))
            return NULL;
    } else if (last > first) {
        const char *head = words[first], *tail = words[last - 1];
        size_t n_tail = strlen(tail),
               keep = back_to_character(head, MIN_OF(strlen(head), room / 4));
        for (size_t i = first; i < last; i++)
            bytes += strlen(words[i]);
        out[k] =
            arena_printf(a, "%.*s…[of %zu words, %zu bytes]…%s", (int)keep, head, last - first,
                         bytes, tail + back_to_character(tail, n_tail - MIN_OF(n_tail, room / 4)));
        if (!out[k++])
            return NULL;
    }
    for (size_t i = last; i < *n; i++)
        out[k++] = words[i];
    *n = k;
    return out;
}

static void put_argv(struct json *j, struct arena *a, const struct decision_event *e)
{
    size_t n = e->argc, bytes = 0;
    const char *const *words = redact_argv(a, e->argv, n), *const *shown = words;
    for (size_t i = 0; words && i < n; i++)
        bytes += strlen(words[i]) + 1;
    bool cut = words && bytes > MAX_EVENT_ARGV;
    if (cut)
        shown = cut_words(a, words, &n);
    if (!words || !shown) {
        j->failed = true;
        return;
    }
    json_key(j, "argv");
    json_array(j);
    for (size_t i = 0; i < n; i++)
        json_string(j, shown[i]);
    json_end_array(j);
    json_kv_int(j, "argc", (int64_t)e->argc);
    if (!cut)
        return;
    struct sha256 s;
    unsigned char digest[SHA256_BYTES];
    char hex[SHA256_HEX_BYTES];
    sha256_init(&s);
    for (size_t i = 0; i < e->argc; i++)
        sha256_put(&s, words[i], strlen(words[i]) + 1);
    sha256_end(&s, digest);
    sha256_hex(digest, hex);
    json_kv_string(j, "argv_sha256", hex);
}

/* ---- the schema ---- */

#define NEVER   EXPOSE_NEVER, NULL
#define PAYLOAD EXPOSE_PAYLOAD
#define ALWAYS  EXPOSE_ALWAYS

static const struct event_field decision_fields[] = {
#define FIELD(f) offsetof(struct decision_event, f)
    {"id", FIELD_ID, FIELD(id), false, ALWAYS, "call_id"},
    {"time", FIELD_TIME, FIELD(time_ms), false, NEVER},
    {"action", FIELD_TEXT, FIELD(action), false, ALWAYS, "action"},
    {"place", FIELD_TEXT, FIELD(place), false, ALWAYS, "place"},
    {"class", FIELD_TEXT, FIELD(class), false, ALWAYS, "class"},
    {"by", FIELD_BY, FIELD(by), false, ALWAYS, "source"},
    {"answer", FIELD_TEXT, FIELD(answer), false, ALWAYS, "answer"},
    {"argv", FIELD_WORDS, FIELD(argv), true, PAYLOAD, "arguments"},
    {"cwd", FIELD_TEXT, FIELD(cwd), false, PAYLOAD, "cwd"},
    {"program", FIELD_TEXT, FIELD(program), false, PAYLOAD, "program"},
    {"policy", FIELD_TEXT, FIELD(policy), false, ALWAYS, "approval_policy"},
    {"mode", FIELD_TEXT, FIELD(mode), false, ALWAYS, "sandbox_mode"},
    {"profile", FIELD_TEXT, FIELD(profile), true, ALWAYS, "profile"},
    {"reason", FIELD_TEXT, FIELD(reason), true, PAYLOAD, "reason"},
    {"rule_file", FIELD_TEXT, FIELD(rule_file), false, PAYLOAD, "rule.file"},
    {"rule_line", FIELD_LINE, FIELD(rule_line), false, ALWAYS, "rule.line"},
    {"escalation", FIELD_TEXT, FIELD(escalation), false, ALWAYS, "escalation"},
    {"remembered", FIELD_TEXT, FIELD(remembered), true, PAYLOAD, "remembered"},
    {"asked_ms", FIELD_MILLIS, FIELD(asked_ms), false, ALWAYS, "asked_ms"},
    {"policy_hash", FIELD_TEXT, FIELD(policy_hash), false, ALWAYS, "policy_hash"},
    {"parent", FIELD_TEXT, FIELD(parent), false, ALWAYS, "parent_call_id"},
#undef FIELD
};

static const struct event_field net_fields[] = {
#define FIELD(f) offsetof(struct net_event, f)
    {"id", FIELD_ID, FIELD(id), false, ALWAYS, "event.id"},
    {"time", FIELD_TIME, FIELD(time_ms), false, NEVER},
    {"action", FIELD_TEXT, FIELD(action), false, ALWAYS, "action"},
    {"scope", FIELD_TEXT, FIELD(scope), false, ALWAYS, "network.policy.scope"},
    {"decision", FIELD_TEXT, FIELD(decision), false, ALWAYS, "network.policy.decision"},
    {"by", FIELD_BY, FIELD(by), false, ALWAYS, "source"},
    {"answer", FIELD_TEXT, FIELD(answer), false, ALWAYS, "answer"},
    {"source", FIELD_TEXT, FIELD(source), false, ALWAYS, "network.policy.source"},
    {"reason", FIELD_TEXT, FIELD(reason), false, ALWAYS, "network.policy.reason"},
    {"protocol", FIELD_TEXT, FIELD(protocol), false, ALWAYS, "network.transport.protocol"},
    {"host", FIELD_TEXT, FIELD(host), true, ALWAYS, "server.address"},
    {"port", FIELD_LINE, FIELD(port), false, ALWAYS, "server.port"},
    {"address", FIELD_TEXT, FIELD(address), false, ALWAYS, "network.peer.address"},
    {"path", FIELD_TEXT, FIELD(path), true, PAYLOAD, "network.unix_socket.path"},
    {"method", FIELD_TEXT, FIELD(method), false, ALWAYS, "http.request.method"},
    {"pid", FIELD_LINE, FIELD(pid), false, NEVER},
    {"exe", FIELD_TEXT, FIELD(exe), true, NEVER},
    {"rule", FIELD_TEXT, FIELD(rule), true, ALWAYS, "rule"},
    {"rule_file", FIELD_TEXT, FIELD(rule_file), false, PAYLOAD, "rule.file"},
    {"rule_line", FIELD_LINE, FIELD(rule_line), false, ALWAYS, "rule.line"},
    {"profile", FIELD_TEXT, FIELD(profile), true, ALWAYS, "profile"},
    {"count", FIELD_MILLIS, FIELD(count), false, ALWAYS, "count"},
    {"parent", FIELD_TEXT, FIELD(parent), false, ALWAYS, "call_id"},
#undef FIELD
};

/* Those below are for collectors only: the audit log has decisions, and these follow from one. */

static const struct event_field approval_fields[] = {
#define FIELD(f) offsetof(struct approval_event, f)
    {NULL, FIELD_ID, FIELD(id), false, ALWAYS, "call_id"},
    {NULL, FIELD_TEXT, FIELD(scope), false, ALWAYS, "scope"},
    {NULL, FIELD_TEXT, FIELD(answer), false, ALWAYS, "answer"},
    {NULL, FIELD_BY, FIELD(by), false, ALWAYS, "source"},
    {NULL, FIELD_NUMBER, FIELD(asked_ms), false, ALWAYS, "asked_ms"},
#undef FIELD
};

static const struct event_field result_fields[] = {
#define FIELD(f) offsetof(struct result_event, f)
    {NULL, FIELD_ID, FIELD(id), false, ALWAYS, "call_id"},
    {NULL, FIELD_WORDS, FIELD(argv), true, PAYLOAD, "arguments"},
    {NULL, FIELD_NUMBER, FIELD(duration_ms), false, ALWAYS, "duration_ms"},
    {NULL, FIELD_BOOL, FIELD(success), false, ALWAYS, "success"},
    {NULL, FIELD_STATUS, FIELD(exit_status), false, ALWAYS, "exit_status"},
    {NULL, FIELD_LINE, FIELD(signal), false, ALWAYS, "signal"},
#undef FIELD
};

static const struct event_field outcome_fields[] = {
#define FIELD(f) offsetof(struct outcome_event, f)
    {NULL, FIELD_ID, FIELD(id), false, ALWAYS, "call_id"},
    {NULL, FIELD_TEXT, FIELD(outcome), false, ALWAYS, "outcome"},
    {NULL, FIELD_TEXT, FIELD(backend), false, ALWAYS, "backend"},
    {NULL, FIELD_TEXT, FIELD(mode), false, ALWAYS, "sandbox_mode"},
    {NULL, FIELD_TEXT, FIELD(profile), true, ALWAYS, "profile"},
    {NULL, FIELD_TEXT, FIELD(network), false, ALWAYS, "network"},
    {NULL, FIELD_MILLIS, FIELD(setup_us), false, ALWAYS, "setup_us"},
    {NULL, FIELD_NUMBER, FIELD(denials[DENIED_READ]), false, ALWAYS, "denials.read"},
    {NULL, FIELD_NUMBER, FIELD(denials[DENIED_WRITE]), false, ALWAYS, "denials.write"},
    {NULL, FIELD_NUMBER, FIELD(denials[DENIED_NETWORK]), false, ALWAYS, "denials.network"},
    {NULL, FIELD_NUMBER, FIELD(denials[DENIED_OTHER]), false, ALWAYS, "denials.other"},
#undef FIELD
};

static const struct event_field requirement_fields[] = {
#define FIELD(f) offsetof(struct requirement_event, f)
    {NULL, FIELD_TEXT, FIELD(key), true, ALWAYS, "requirement.key"},
    {NULL, FIELD_TEXT, FIELD(effect), false, ALWAYS, "requirement.effect"},
    {NULL, FIELD_TEXT, FIELD(source), false, ALWAYS, "requirement.source"},
#undef FIELD
};

const struct event_schema *event_schema(enum event_kind kind)
{
#define SCHEMA(name, fields)                                                                       \
    {                                                                                              \
        name, fields, ARRAY_LEN(fields)                                                            \
    }
    static const struct event_schema schemas[EVENT_KINDS] = {
        [EVENT_DECISION] = SCHEMA("tool_decision", decision_fields),
        [EVENT_NET] = SCHEMA("network_proxy.policy_decision", net_fields),
        [EVENT_APPROVAL] = SCHEMA("approval", approval_fields),
        [EVENT_RESULT] = SCHEMA("tool_result", result_fields),
        [EVENT_OUTCOME] = SCHEMA("sandbox_outcome", outcome_fields),
        [EVENT_REQUIREMENT] = SCHEMA("config.requirement_applied", requirement_fields),
    };
#undef SCHEMA
    return &schemas[kind];
}

const char *event_text(struct arena *a, const char *text, bool sensitive)
{
    if (sensitive)
        text = redact(a, text, NULL);
    return text ? cut_middle(a, text, MAX_EVENT_TEXT) : NULL;
}

static void put_field(struct json *j, struct arena *a, const struct event_field *f, const void *e)
{
    const void *at = (const char *)e + f->offset;
    const char *text;
    char time[EVENT_TIME_BYTES];
    switch (f->type) {
    case FIELD_ID:
        json_kv_string(j, f->name, at);
        break;
    case FIELD_TIME:
        if (event_time(*(const int64_t *)at, time))
            json_kv_string(j, f->name, time);
        else
            j->failed = true;
        break;
    case FIELD_WORDS:
        put_argv(j, a, e);
        break;
    case FIELD_TEXT:
        if (!*(const char *const *)at)
            break;
        if ((text = event_text(a, *(const char *const *)at, f->sensitive)))
            json_kv_string(j, f->name, text);
        else
            j->failed = true;
        break;
    case FIELD_LINE:
        if (*(const uint32_t *)at)
            json_kv_int(j, f->name, *(const uint32_t *)at);
        break;
    case FIELD_MILLIS:
        if (!*(const uint64_t *)at)
            break;
        __attribute__((fallthrough));
    case FIELD_NUMBER:
        json_kv_int(j, f->name, (int64_t) * (const uint64_t *)at);
        break;
    case FIELD_STATUS:
        json_kv_int(j, f->name, *(const int *)at);
        break;
    case FIELD_BOOL:
        json_kv_bool(j, f->name, *(const bool *)at);
        break;
    case FIELD_BY:
        json_kv_string(j, f->name, decided_by_word(*(const enum decided_by *)at));
        break;
    }
}

static void put_event(enum event_kind kind, const void *e, struct json *j)
{
    _cleanup_arena_ struct arena a = {0};
    const struct event_schema *s = event_schema(kind);
    for (size_t i = 0; i < s->n; i++)
        if (s->fields[i].name)
            put_field(j, &a, &s->fields[i], e);
}

void decision_event_json(const struct decision_event *e, struct json *j)
{
    put_event(EVENT_DECISION, e, j);
}

void net_event_json(const struct net_event *e, struct json *j)
{
    put_event(EVENT_NET, e, j);
}

/*
 * Puts one question, on the terminal or to another asker, and writes what came back as one line of
 * JSON: what tests/ask/run drives.
 *
 *   ask_try [OPTION…] -- CMD… [&& CMD…]…
 *
 *   --text T --cwd D --program P --why W --what LINE (again and again) --id ID --rules-file F
 *   --outside --no-session --no-remember --no-suggestions
 *   --tty NAME | --fd N | --socket PATH     --timeout MS
 *   --out FILE                              where the result goes, else stdout
 *   --catch SIGNAL-NUMBER                   with a handler that does nothing
 */
#include "approval/question.h"
#include "base/json.h"
#include "base/str.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_PARTS 64
#define MAX_WHAT  64

struct options {
    struct question q;
    const char *what[MAX_WHAT];
    const char *tty, *socket, *out;
    int fd, timeout;
    bool no_suggestions;
};

static void nothing(int number)
{
    (void)number;
}

static void catch (int number)
{
    struct sigaction action = {.sa_handler = nothing};
    (void)sigaction(number, &action, NULL);
}

static void usage(void)
{
    (void)fprintf(stderr, "usage: ask_try [OPTION...] -- CMD... [&& CMD...]\n");
    exit(2);
}

static void read_options(int argc, char **argv, struct options *o)
{
    enum {
        TEXT,
        CWD,
        PROGRAM,
        WHY,
        WHAT,
        ID,
        RULES,
        OUTSIDE,
        NO_SESSION,
        NO_REMEMBER,
        NO_SUGGEST,
        TTY,
        FD,
        SOCKET,
        TIMEOUT,
        OUT,
        CATCH
    };
    static const struct option known[] = {
        {"text", 1, NULL, TEXT},
        {"cwd", 1, NULL, CWD},
        {"program", 1, NULL, PROGRAM},
        {"why", 1, NULL, WHY},
        {"what", 1, NULL, WHAT},
        {"id", 1, NULL, ID},
        {"rules-file", 1, NULL, RULES},
        {"outside", 0, NULL, OUTSIDE},
        {"no-session", 0, NULL, NO_SESSION},
        {"no-remember", 0, NULL, NO_REMEMBER},
        {"no-suggestions", 0, NULL, NO_SUGGEST},
        {"tty", 1, NULL, TTY},
        {"fd", 1, NULL, FD},
        {"socket", 1, NULL, SOCKET},
        {"timeout", 1, NULL, TIMEOUT},
        {"out", 1, NULL, OUT},
        {"catch", 1, NULL, CATCH},
        {0},
    };
    struct question *q = &o->q;
    for (int c; (c = getopt_long(argc, argv, "+", known, NULL)) != -1;) {
        switch (c) {
        case TEXT:
            q->text = optarg;
            break;
        case CWD:
            q->cwd = optarg;
            break;
        case PROGRAM:
            q->program = optarg;
            break;
        case WHY:
            q->why = optarg;
            break;
        case WHAT:
            if (q->n_what < MAX_WHAT)
                o->what[q->n_what++] = optarg;
            break;
        case ID:
            q->id = optarg;
            break;
        case RULES:
            q->rules_file = optarg;
            break;
        case OUTSIDE:
            q->outside = true;
            break;
        case NO_SESSION:
            q->offers &= ~(1u << ANSWER_SESSION);
            break;
        case NO_REMEMBER:
            q->offers &= ~(1u << ANSWER_REMEMBER);
            break;
        case NO_SUGGEST:
            o->no_suggestions = true;
            break;
        case TTY:
            o->tty = optarg;
            break;
        case FD:
            o->fd = (int)strtol(optarg, NULL, 10);
            break;
        case SOCKET:
            o->socket = optarg;
            break;
        case TIMEOUT:
            o->timeout = (int)strtol(optarg, NULL, 10);
            break;
        case OUT:
            o->out = optarg;
            break;
        case CATCH:
            catch ((int)strtol(optarg, NULL, 10));
            break;
        default:
            usage();
        }
    }
    if (optind == argc)
        usage();
    q->argv = (const char *const *)argv + optind;
    q->argc = (size_t)(argc - optind);
    q->what = o->what;
}

/* What the judge would have said of a plain chain that no rule names, its programs all trusted. */
static void make_suggestions(struct arena *a, struct question *q)
{
    struct command_word *words = arena_zalloc(a, q->argc, sizeof(*words));
    struct command *commands = arena_zalloc(a, MAX_PARTS, sizeof(*commands));
    struct judged *judged = arena_zalloc(a, MAX_PARTS, sizeof(*judged));
    struct command_list list = {.v = commands, .n = 1, .shell = true};
    if (!words || !commands || !judged)
        exit(1);
    commands[0] = (struct command){.words = words, .plain = true};
    for (size_t i = 0; i < q->argc; i++) {
        words[i] = (struct command_word){q->argv[i], true};
        if (!str_eq(q->argv[i], "&&"))
            commands[list.n - 1].n++;
        else if (list.n < MAX_PARTS)
            commands[list.n++] = (struct command){.words = words + i + 1, .plain = true};
    }
    for (size_t i = 0; i < list.n; i++)
        judged[i] = (struct judged){
            .command = &commands[i], .class = LINE_UNKNOWN, .program.trusted = true};
    struct judgement j = {.list = &list, .v = judged, .n = list.n, .class = LINE_UNKNOWN};
    if (suggest(a, &j, &q->suggestions, &q->n_suggestions) < 0)
        exit(1);
}

static void put_result(FILE *to, const struct question *q, int r, const struct answer *answer,
                       const struct error *err)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    struct json j;
    json_begin(&j, &out);
    json_object(&j);
    json_kv_int(&j, "result", r);
    if (r < 0) {
        json_kv_string(&j, "error", err->message);
    } else {
        json_kv_string(&j, "kind", answer_word(answer->kind));
        json_kv_string(&j, "word", answer->word);
        json_key(&j, "lengths");
        if (answer->lengths) {
            json_array(&j);
            for (size_t i = 0; i < q->n_suggestions; i++)
                json_uint(&j, answer->lengths[i]);
            json_end_array(&j);
        } else {
            json_null(&j);
        }
        json_kv_string(&j, "by", answer->by);
        json_kv_string(&j, "problem", answer->problem);
        json_kv_int(&j, "milliseconds", (int64_t)answer->milliseconds);
    }
    json_end_object(&j);
    (void)fprintf(to, "%s\n", strbuf_text(&out));
}

int main(int argc, char **argv)
{
    _cleanup_arena_ struct arena a = {0};
    struct options o = {
        .q = {.id = "0123456789abcdef0123456789abcdef",
              .text = "npm install lodash",
              .cwd = "/work",
              .why = "no rule allows it",
              .offers = 1u << ANSWER_ONCE | 1u << ANSWER_SESSION | 1u << ANSWER_REMEMBER,
              .rules_file = "/home/ada/.bawn/rules/default.rules"},
        .fd = -1,
        .timeout = 10000,
    };
    struct answer answer = {0};
    struct error err = {0};
    read_options(argc, argv, &o);
    if (!o.no_suggestions)
        make_suggestions(&a, &o.q);
    int r;
    if (o.socket)
        r = question_ask_socket(&a, &o.q, o.socket, o.timeout, &answer, &err);
    else if (o.fd >= 0)
        r = question_ask_fd(&a, &o.q, o.fd, o.timeout, &answer, &err);
    else
        r = question_ask_terminal(&a, &o.q, o.tty, &answer, &err);
    FILE *to = o.out ? fopen(o.out, "we") : stdout;
    if (!to)
        return 1;
    put_result(to, &o.q, r, &answer, &err);
    return fclose(to) == 0 ? 0 : 1;
}

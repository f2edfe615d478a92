/*
 * One question to a person, or to another asker (spec 4.5). The question is plain data; there are
 * two ways to put it: on the controlling terminal, and as JSON to a descriptor or a socket. Both
 * return an answer that was offered, or a refusal: whatever is broken, late, unoffered or wider
 * than what was shown is a no.
 */
#ifndef BAWN_APPROVAL_QUESTION_H
#define BAWN_APPROVAL_QUESTION_H

#include "approval/suggest.h"
#include "base/error.h"

enum answer_kind {
    ANSWER_ONCE,
    ANSWER_SESSION,
    ANSWER_REMEMBER,
    ANSWER_NO,
    ANSWER_ABORT,
    ANSWER_NEVER, /* no, and a rule that says so: about destinations only */
};
/* "once", "session", "remember", "no", "abort", "never" */
const char *answer_word(enum answer_kind kind);

struct question {
    const char *id; /* of the event */
    const char *const *argv;
    size_t argc;
    const char *text; /* the shell text, or argv quoted: what is shown */
    const char *cwd;
    const char *program;     /* the file that would run, or NULL */
    const char *why;         /* the rule with file and line, or the path or host that was missing */
    const char *const *what; /* what it could do if allowed, a line each */
    size_t n_what;
    bool outside;    /* it would run without a sandbox: the louder question */
    unsigned offers; /* 1u << ANSWER_…; ANSWER_NO and ANSWER_ABORT are always offered */
    const struct suggestion *suggestions; /* for ANSWER_REMEMBER: one rule each */
    size_t n_suggestions;
    const char *rules_file; /* where they would be written */
    /* A running command wants to reach this: "example.com:443 (https)". NULL: it is about the
     * command itself. Then the lines that ANSWER_REMEMBER and ANSWER_NEVER would write, each NULL
     * where that is not offered; there are no suggestions. */
    const char *reach, *allow_rule, *deny_rule;
    const char *asker; /* the process that wants to: "/usr/bin/curl[1234]", or NULL */
};

struct answer {
    enum answer_kind kind;
    const char *word;      /* with ANSWER_NO: a word to the agent, or NULL */
    const size_t *lengths; /* with ANSWER_REMEMBER: of each suggestion's prefix, 0: not that one */
    const char *by;        /* "user", "reviewer"; "config" where nobody spoke */
    const char *problem;   /* why it is a refusal that nobody spoke, or NULL */
    uint64_t milliseconds;
};

/* On /dev/tty; TTY is its name, for tests, or NULL. -ENXIO: there is none. The terminal is as it
 * was before when this returns, also when a signal ends the process while it asks. Interrupt and
 * end of file are ANSWER_ABORT, and so is a terminal that is closed. A process that is not in front
 * of its terminal is refused, never stopped. One at a time in a process. */
int question_ask_terminal(struct arena *a, const struct question *q, const char *tty,
                          struct answer *ret, struct error *err);

/* One JSON object out, one line; one in, one line, within TIMEOUT_MS (below 0: without limit). FD
 * is a connected socket, or a descriptor open for both; it stays open. Whatever goes wrong is a
 * refusal with its problem; -ENOMEM is the only error.
 *
 *   out  {"type":"approval_request","id":…,"command":[…],"text":…,"cwd":…,"program":…|null,"why":…,
 *         "what":[…],"outside":…,"choices":["once",…],
 *         "suggestions":[{"prefix":[…],"words":[all of them],"max":N,"min":N,"rule":…}],
 *         "rules_file":…|null}
 *        and about a destination "reach":…, "allow_rule":…|null, "deny_rule":…|null,
 *         "asker":…|null
 *   in   {"id": the same,"decision": one of the choices}
 *        "message":…   with "no": a word to the agent, at most MAX_ANSWER_WORD bytes
 *        "by":…        "user" (when it is not there) or "reviewer"
 *        "lengths":[…] or "prefixes":[[…]…]   with "remember": of each suggestion how many of its
 *                      words, 0 for not that one; or the prefixes themselves. With neither, all as
 *                      suggested.
 *
 * Other members are passed over. */
int question_ask_fd(struct arena *a, const struct question *q, int fd, int timeout_ms,
                    struct answer *ret, struct error *err);
/* SOCKET is the path of a Unix stream socket of ours or root's, no link, where one of us listens,
 * below directories that nobody else may write. */
int question_ask_socket(struct arena *a, const struct question *q, const char *socket,
                        int timeout_ms, struct answer *ret, struct error *err);

#endif

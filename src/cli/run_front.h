/*
 * What `bawn run` knows of one command line, from the rules to the record. cmd_run.c is the flow,
 * run_ask.c the question and what an answer leaves behind, run_net.c that about destinations,
 * run_record.c the event.
 */
#ifndef BAWN_CLI_RUN_FRONT_H
#define BAWN_CLI_RUN_FRONT_H

#include "approval/decide.h"
#include "approval/question.h"
#include "base/sha256.h"
#include "cli/grants.h"
#include "cli/judge_here.h"
#include "cli/proxy_front.h"
#include "cli/telling.h"
#include "record/audit.h"

struct front {
    struct options options; /* as given, then as the verdict wants them */
    struct here here;       /* how it is judged */
    struct setup *s;        /* judged with, and run with unless the verdict changes the profile */
    struct arena *a;        /* of s */
    bool report;            /* --log-denials: a summary at the end */
    enum escalation escalation; /* what the question at hand is about */
    enum escalation asked_for;  /* what the command line asked for */
    struct verdict verdict;
    struct grants grants;       /* beyond the profile, of this run */
    size_t n_given;             /* of them on the command line: the first ones */
    const char *shown;          /* the command as it is shown */
    struct audit *audit;        /* open, or NULL */
    const char *audit_problem;  /* why it is not */
    const char *session;        /* its name, or NULL */
    char key[SHA256_HEX_BYTES]; /* of the session's answers */
    bool key_fine;              /* every file behind it could be read */
    struct decision_event event;
    struct net_asker net_asker;
    bool net_silent; /* nobody is asked about destinations any more */
};

#define DEFAULT_RULES "rules/default.rules" /* below $BAWN_HOME: where answers are written */

/* ---- run_ask.c ---- */

/* What the command's answers are kept under: words, directory, permissions, terminal, files. */
void front_key(struct front *f);
/* Did somebody say yes for this session? Takes over the grants that were part of the answer. */
bool front_in_session(struct front *f);
struct asked {
    const char *why;         /* one line */
    const char *const *what; /* what it could do, a line each */
    size_t n_what;
    bool outside;
    bool session;  /* an answer for the session can be offered */
    bool remember; /* and a rule */
};
/* Puts the question. 0: *ret is the answer, also a refusal for want of anybody to ask. A yes is
 * bound to what was shown: files that changed meanwhile are shown again. */
int front_ask(struct front *f, const struct asked *asked, struct answer *ret, struct error *err);
/* Writes down what the answer said of later runs. An error leaves the yes for this once. */
int front_keep(struct front *f, const struct answer *answer, struct error *err);

/* The session's name; NULL where there is none to be told, or nowhere to keep answers. */
const char *front_session(struct front *f);
/* On the terminal, or to --ask-via. -ENXIO: there is neither. */
int front_put_question(struct front *f, const struct question *q, struct answer *ret,
                       struct error *err);

/* ---- run_net.c ---- */

/* Fills front.net_asker: who is asked about destinations while the command runs. */
void front_net_asker(struct front *f);

/* ---- run_record.c ---- */

/* The file that is executed, or NULL. */
const char *front_program(const struct front *f);
/* Who gave it. ANSWER may be NULL. */
enum decided_by answer_by(const struct answer *answer);
/* Opens the audit log; where that fails front.audit_problem says why. */
void front_open_record(struct front *f);
/* Appends the event of what was decided. ANSWER: NULL when nobody was asked. 0, or negative when it
 * could not be written; ERR says so. */
int front_record(struct front *f, const char *action, const struct answer *answer,
                 struct error *err);

#endif

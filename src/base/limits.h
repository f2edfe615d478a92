/*
 * Every maximum of the project stands here, with its unit and its reason. A growable thing is given
 * its maximum when it is made; what would pass it is an error, never a silent cut.
 */
#ifndef BAWN_BASE_LIMITS_H
#define BAWN_BASE_LIMITS_H

#define MAX_PATH_BYTES    4096u                /* PATH_MAX of the kernel, terminator included */
#define MAX_NAME_BYTES    255u                 /* NAME_MAX: one path component */
#define MAX_FILE_BYTES    (16u * 1024 * 1024)  /* a configuration file */
#define MAX_GITFILE_BYTES 8192u                /* a .git, commondir or gitdir file of Git */
#define MAX_TOML_KEYS     1000000u             /* keys of one document */
#define MAX_TOML_DEPTH    80u                  /* nesting of values and tables */
#define MAX_STRBUF_BYTES  (256u * 1024 * 1024) /* default ceiling of a strbuf */
#define MAX_VEC_ITEMS     (64u * 1024 * 1024)  /* default ceiling of a vector, items */
#define MAX_PLAN_MOUNTS   1000000u             /* the kernel's own limit is nearer */
#define MAX_PASS_FDS      256u                 /* descriptors of --pass-fd */
#define MAX_JSON_DEPTH    64u                  /* nesting of JSON, written or read */
#define MAX_RACE_TRIES    100u                 /* a file replaced all the time */

/* The network. */
#define MAX_NET_RULES 1000000u /* as many keys as a file may have */

/* The record. */
#define MAX_EVENT_ARGV   8192u /* bytes of a command's words; more is left out in the middle */
#define MAX_EVENT_TEXT   4096u /* bytes of any other text of an event */
#define MAX_RECORD_BYTES (512u * 1024) /* one line: sixfold where every byte is an escape */
#define MAX_AUDIT_FILES  12000u        /* a thousand years */
#define MAX_AUDIT_FAULTS 1000u         /* that are listed; the rest is counted */

/* Questions and their answers. */
#define MAX_SUGGESTIONS      16u    /* rules that one question offers to write: more is not read */
#define MAX_SUGGESTION_BYTES 2048u  /* words of one such rule, with their ends */
#define MAX_ANSWER_BYTES     65536u /* one line of another asker's answer */
#define MAX_ANSWER_WORD      500u   /* bytes of a word to the agent */

/* Shell text. */
#define MAX_SHELL_BYTES  (1024u * 1024) /* one line; the kernel takes 128 KiB an argument */
#define MAX_SHELL_DEPTH  100u           /* nesting of all kinds, over all nested texts together */
#define MAX_SHELL_REREAD (4u * 1024 * 1024) /* bytes read again: eval, sh -c, backquotes */

/* Rules files. */
#define MAX_STAR_STEPS   10000000u             /* of one evaluation */
#define MAX_STAR_BYTES   (64u * 1024 * 1024)   /* that one evaluation holds, its text left out */
#define MAX_STAR_TEXT    (1024u * 1024 * 1024) /* places in it have 32 bits */
#define MAX_STAR_DEPTH   1500u /* nesting of what is evaluated, calls included: C recursion */
#define MAX_STAR_NESTING 400u  /* nesting of blocks and brackets in the text */

#endif

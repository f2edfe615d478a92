/*
 * What looks like a secret. See event.h.
 *
 * A word of a command is one value, or a text with commands of its own (what stands behind `sh
 * -c`). Both are read in one pass from left to right. At each place where a token, a name or a run
 * of letters begins, the rules are asked in turn:
 *
 *   keys       shapes[]: a prefix that only a certain kind of key has, and enough behind it
 *   PEM        a block that holds a private key
 *   headers    headers[]: the rest of the line or of the quotes
 *   options    --password VALUE, and for programs in short_options[] their one-letter forms
 *   names      NAME=VALUE, "NAME": "VALUE" and a line NAME: VALUE, where secret_name() says so
 *   URLs       scheme://user:PASSWORD@host
 *   random     32 characters and more that no language would put together
 *
 * Each wrong alarm hides something from who reads the record, so what is known to be harmless
 * stays: digests and the names of commits, UUIDs, paths, variables that are only mentioned, file
 * names of secrets. No rule looks back further than a name is long, and none looks ahead twice over
 * the same bytes: linear.
 */
#include "record/event.h"

#include "base/str.h"

#define MAX_SECRET_NAME 128u /* a longer name is data */
#define RANDOM_LEAST    32u

struct range {
    size_t from, to;
};

/* What the words so far say about the next one. */
struct context {
    const struct short_option *program; /* its first row, or NULL */
    bool value;                         /* an option of a secret stands before */
    bool path_value;                    /* and what follows may well be a file's name */
    bool user_value;                    /* -u, --user: name:password */
    bool pass_value;                    /* -passin and kin: pass:SECRET */
    const char *letter_value;           /* an option of the program: its row's `unlike` */
    bool text;                          /* what follows is commands or prose, not one value */
};

struct scan {
    const char *s;
    size_t n;
    bool text; /* the word is commands or prose, not one value */
    struct context context;
};

/* ---- characters ---- */

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}
static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static bool is_alnum(char c)
{
    return is_lower(c) || is_upper(c) || is_digit(c);
}
static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
static bool is_quote(char c)
{
    return c == '"' || c == '\'' || c == '`';
}
static bool is_any(char c, const char *set)
{
    return c && strchr(set, c);
}
static bool is_name(char c)
{
    return is_alnum(c) || is_any(c, "_-.");
}
/* base64 of both alphabets, hexadecimal, and names */
static bool is_run(char c)
{
    return is_alnum(c) || is_any(c, "_-+/");
}
static char lower(char c)
{
    return is_upper(c) ? (char)(c | 32) : c;
}

/* Does S (N bytes left) begin with WORD, whatever the case? */
static bool begins(const char *s, size_t n, const char *word)
{
    size_t i = 0;
    for (; word[i] && i < n; i++)
        if (lower(s[i]) != lower(word[i]))
            return false;
    return !word[i];
}

static bool word_in(const char *s, size_t n, const char *const *words)
{
    for (; *words; words++)
        if (strlen(*words) == n && begins(s, n, *words))
            return true;
    return false;
}

/* ---- keys of well-known shapes ---- */

enum alphabet { ALPHA_UPPER, ALPHA_ALNUM, ALPHA_TOKEN, ALPHA_DOTS };

static const struct shape {
    const char *prefix;
    unsigned least; /* characters behind it */
    enum alphabet alphabet;
    bool mixed; /* a digit and a letter must be among them: the prefix is also one of words */
} shapes[] = {
    {"AKIA", 16, ALPHA_UPPER, false},      {"ASIA", 16, ALPHA_UPPER, false},
    {"ghp_", 20, ALPHA_ALNUM, false},      {"gho_", 20, ALPHA_ALNUM, false},
    {"ghu_", 20, ALPHA_ALNUM, false},      {"ghs_", 20, ALPHA_ALNUM, false},
    {"ghr_", 20, ALPHA_ALNUM, false},      {"github_pat_", 20, ALPHA_TOKEN, false},
    {"glpat-", 16, ALPHA_DOTS, false},     {"gldt-", 16, ALPHA_TOKEN, true},
    {"glrt-", 16, ALPHA_TOKEN, true},      {"glptt-", 16, ALPHA_TOKEN, true},
    {"sk-", 20, ALPHA_TOKEN, true},        {"sk_live_", 16, ALPHA_ALNUM, false},
    {"sk_test_", 16, ALPHA_ALNUM, true},   {"rk_live_", 16, ALPHA_ALNUM, false},
    {"whsec_", 16, ALPHA_ALNUM, false},    {"xoxa-", 10, ALPHA_TOKEN, false},
    {"xoxb-", 10, ALPHA_TOKEN, false},     {"xoxp-", 10, ALPHA_TOKEN, false},
    {"xoxr-", 10, ALPHA_TOKEN, false},     {"xoxs-", 10, ALPHA_TOKEN, false},
    {"xapp-", 10, ALPHA_TOKEN, true},      {"npm_", 30, ALPHA_ALNUM, false},
    {"pypi-", 40, ALPHA_TOKEN, false},     {"AIza", 30, ALPHA_TOKEN, false},
    {"ya29.", 20, ALPHA_DOTS, false},      {"GOCSPX-", 20, ALPHA_TOKEN, false},
    {"hf_", 30, ALPHA_ALNUM, false},       {"gsk_", 30, ALPHA_ALNUM, false},
    {"xai-", 30, ALPHA_ALNUM, false},      {"nvapi-", 30, ALPHA_TOKEN, false},
    {"hvs.", 20, ALPHA_TOKEN, false},      {"hvb.", 20, ALPHA_TOKEN, false},
    {"dckr_pat_", 20, ALPHA_TOKEN, false}, {"dop_v1_", 32, ALPHA_ALNUM, false},
    {"shpat_", 20, ALPHA_ALNUM, false},    {"SG.", 30, ALPHA_DOTS, true},
    {"tskey-", 16, ALPHA_TOKEN, true},     {"figd_", 20, ALPHA_TOKEN, false},
    {"ATATT3", 20, ALPHA_TOKEN, false},    {"AGE-SECRET-KEY-1", 20, ALPHA_UPPER, false},
};

static bool in_alphabet(char c, enum alphabet alphabet)
{
    switch (alphabet) {
    case ALPHA_UPPER:
        return is_upper(c) || is_digit(c);
    case ALPHA_ALNUM:
        return is_alnum(c);
    case ALPHA_TOKEN:
        return is_alnum(c) || c == '_' || c == '-';
    case ALPHA_DOTS:
        return is_alnum(c) || is_any(c, "_-.");
    }
    return false;
}

static size_t alphabet_end(const struct scan *c, size_t at, enum alphabet alphabet)
{
    while (at < c->n && in_alphabet(c->s[at], alphabet))
        at++;
    return at;
}

/* As much of it as a decision needs: many places may be tried in one long run. */
static size_t known_part(const struct scan *c, size_t at, enum alphabet alphabet)
{
    size_t n = 0;
    while (n < 64 && at + n < c->n && in_alphabet(c->s[at + n], alphabet))
        n++;
    return n;
}

static bool is_mixed(const char *s, size_t n)
{
    bool letter = false, digit = false;
    for (size_t i = 0; i < n; i++) {
        digit = digit || is_digit(s[i]);
        letter = letter || is_lower(s[i]) || is_upper(s[i]);
    }
    return letter && digit;
}

/* header.payload.signature, the first two of which are JSON that begins with {" */
static bool find_jwt(const struct scan *c, size_t at, struct range *ret)
{
    if (c->n - at < 4 || memcmp(c->s + at, "eyJ", 3) != 0 ||
        (at > 0 && in_alphabet(c->s[at - 1], ALPHA_DOTS)))
        return false;
    size_t end = alphabet_end(c, at, ALPHA_DOTS);
    const char *dot = memchr(c->s + at, '.', end - at);
    if (!dot || dot - (c->s + at) < 8 || end - at < 24)
        return false;
    *ret = (struct range){at, end};
    return true;
}

static bool find_key(const struct scan *c, size_t at, struct range *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        const struct shape *k = &shapes[i];
        size_t n = strlen(k->prefix);
        if (c->s[at] != k->prefix[0] || c->n - at < n + k->least ||
            memcmp(c->s + at, k->prefix, n) != 0)
            continue;
        size_t known = known_part(c, at + n, k->alphabet);
        if (known < k->least || (k->mixed && !is_mixed(c->s + at + n, known)))
            continue;
        *ret = (struct range){at, alphabet_end(c, at + n, k->alphabet)};
        return true;
    }
    return find_jwt(c, at, ret);
}

/* -----BEGIN … PRIVATE KEY-----, to the end of its END line or of all */
static bool find_pem(const struct scan *c, size_t at, struct range *ret)
{
    static const char begin[] = "-----BEGIN ", end[] = "-----END ";
    const char *s = c->s + at;
    size_t n = c->n - at, head = 0;
    if (n < sizeof(begin) || memcmp(s, begin, sizeof(begin) - 1) != 0)
        return false;
    size_t label = sizeof(begin) - 1;
    while (label + head < n && head < 64 && (is_upper(s[label + head]) || s[label + head] == ' '))
        head++;
    if (!memmem(s + label, head, "PRIVATE KEY", 11))
        return false;
    const char *stop = memmem(s + label, n - label, end, sizeof(end) - 1);
    const char *last =
        stop ? memmem(stop + sizeof(end) - 1, n - (size_t)(stop - s) - sizeof(end) + 1, "-----", 5)
             : NULL;
    *ret = (struct range){at, last ? (size_t)(last - c->s) + 5 : c->n};
    return true;
}

/* ---- names ---- */

/* Words that make a name a secret's. Names are compared in lower case with '_' for '-' and '.'. */
static const char *const secret_words[] = {
    "password",    "passwd",     "passphrase", "secret",      "token",          "api_key",
    "apikey",      "access_key", "accesskey",  "secretkey",   "private_key",    "privatekey",
    "credential",  "auth_key",   "authkey",    "signing_key", "encryption_key", "session_key",
    "account_key", "storepass",  "keypass",    "mysql_pwd",   "authtoken",      "session_cookie",
};

/* Behind such a word: then the value says something about a secret and is none. */
static const char *const about_words[] = {
    "file",     "path",   "dir",    "url",      "uri",        "id",          "name",    "type",
    "count",    "length", "len",    "limit",    "limits",     "size",        "stdin",   "helper",
    "store",    "ttl",    "expiry", "expires",  "expiration", "prompt",      "policy",  "endpoint",
    "host",     "port",   "cmd",    "command",  "env",        "version",     "manager", "process",
    "hash",     "digest", "fd",     "socket",   "provider",   "backend",     "format",  "index",
    "budget",   "ring",   "usage",  "audience", "scope",      "parallelism", "arn",     "ref",
    "location", "age",    "days",   "min",      "max",        "regex",       NULL,
};

/* Before it: a number, or a switch. */
static const char *const counting_words[] = {
    "max",     "min",  "num",    "n",       "no",     "show",    "list",  "print", "with",
    "without", "use",  "enable", "disable", "ignore", "skip",    "allow", "check", "scan",
    "detect",  "hide", "mask",   "rotate",  "delete", "require", NULL};

/* The first part of a name, up to '_'. */
static size_t first_part(const char *s, size_t n)
{
    const char *end = memchr(s, '_', n);
    return end ? (size_t)(end - s) : n;
}

/* Is what stands behind the secret's word still part of such a name? */
static bool still_secret(const char *rest, size_t n)
{
    if (n && *rest == 's') { /* tokens, credentials */
        rest++;
        n--;
    }
    if (n == 0)
        return true;
    if (*rest != '_' && !is_digit(*rest))
        return n == 5 && memcmp(rest, "value", 5) == 0; /* else tokenizer, secretary, secretName */
    while (n) {
        if (*rest == '_') {
            rest++;
            n--;
        }
        size_t part = first_part(rest, n);
        if (part && word_in(rest, part, about_words))
            return false;
        rest += part;
        n -= part;
    }
    return true;
}

/* Would somebody call a secret so? */
static bool secret_name(const char *name, size_t n)
{
    char word[MAX_SECRET_NAME];
    while (n && (*name == '-' || *name == '.' || *name == '_')) {
        name++;
        n--;
    }
    if (n == 0 || n > sizeof(word))
        return false;
    for (size_t i = 0; i < n; i++)
        word[i] = name[i] == '-' || name[i] == '.' ? '_' : lower(name[i]);
    if (word_in(word, first_part(word, n), counting_words))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(secret_words); i++) {
        size_t len = strlen(secret_words[i]);
        const char *at = memmem(word, n, secret_words[i], len);
        if (at && still_secret(at + len, n - (size_t)(at - word) - len))
            return true;
    }
    /* db_pass, --pass, _auth of an .npmrc; never bypass or oauth */
    return (n >= 4 && memcmp(word + n - 4, "pass", 4) == 0 && (n == 4 || word[n - 5] == '_')) ||
           (n == 4 && memcmp(word, "auth", 4) == 0 && name[-1] == '_');
}

/* A file where something is kept is no secret: for names of which both are common. */
static bool name_of_file(const char *name, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (begins(name + i, n - i, "private") || begins(name + i, n - i, "credential"))
            return true;
    return false;
}

static bool looks_like_path(const char *s, size_t n)
{
    return n && (*s == '/' || *s == '~' || begins(s, n, "./") || begins(s, n, "../") ||
                 (memchr(s, '.', n) && !memchr(s, ' ', n) && n < 64 && s[n - 1] != '='));
}

/* ${NAME…} or $(…) at AT: where a secret comes from. Asked before the value's end is looked for. */
static bool is_substitution(const struct scan *c, size_t at)
{
    return c->n - at > 1 && c->s[at] == '$' && is_any(c->s[at + 1], "({");
}

/* $NAME. A password may begin with a dollar, too. */
static bool is_variable(const char *s, size_t n)
{
    if (n < 2 || *s != '$')
        return false;
    for (size_t i = 1; i < n; i++)
        if (!is_upper(s[i]) && !is_digit(s[i]) && s[i] != '_')
            return false;
    return true;
}

/* Is the value at RANGE worth hiding? */
static bool is_value(const struct scan *c, const struct range *r)
{
    static const char *const plain[] = {"true", "false", "null",      "none",
                                        "yes",  "no",    "undefined", NULL};
    const char *s = c->s + r->from;
    size_t n = r->to - r->from;
    return n > 0 && !is_substitution(c, r->from) && !is_variable(s, n) && !word_in(s, n, plain) &&
           !(n == 10 && memcmp(s, "[REDACTED]", n) == 0);
}

/* The value that begins at AT: in quotes, or up to what ends a token. */
static struct range value_at(const struct scan *c, size_t at)
{
    size_t to = at;
    if (at < c->n && is_quote(c->s[at])) {
        char quote = c->s[at];
        for (to = ++at; to < c->n && c->s[to] != quote; to++)
            if (c->s[to] == '\\' && quote == '"' && to + 1 < c->n)
                to++;
        return (struct range){at, to};
    }
    while (to < c->n && !is_blank(c->s[to]) && !is_quote(c->s[to]) &&
           !is_any(c->s[to], "&;|<>(),{}"))
        to++;
    return (struct range){at, to};
}

/* Behind NAME and a colon: "NAME": "VALUE", or a line of its own, NAME: VALUE. */
static bool colon_value(const struct scan *c, size_t name, size_t colon, struct range *ret)
{
    bool quoted = is_quote(c->s[colon - 1]), line = true;
    size_t at = colon + 1;
    while (at < c->n && (c->s[at] == ' ' || c->s[at] == '\t'))
        at++;
    /* A line begins at a quote, too, and ends there. */
    for (size_t i = name; !quoted && i > 0 && c->s[i - 1] != '\n' && !is_quote(c->s[i - 1]); i--)
        if (c->s[i - 1] != ' ' || name - i > 64) {
            line = false;
            break;
        }
    if (!quoted && (!line || at == colon + 1))
        return false;
    *ret = value_at(c, at);
    if (quoted)
        return true;
    /* Prose has more words on its line. */
    size_t end = ret->to + (ret->from > at && ret->to < c->n);
    while (end < c->n && (c->s[end] == ' ' || c->s[end] == '\t' || c->s[end] == '\r'))
        end++;
    return end == c->n || c->s[end] == '\n' || is_quote(c->s[end]);
}

/* Behind NAME and an equals sign. */
static bool equals_value(const struct scan *c, size_t name, size_t equals, struct range *ret)
{
    size_t at = equals + 1;
    if ((at < c->n && is_any(c->s[at], "=~>")) || is_substitution(c, at))
        return false;
    *ret = value_at(c, at);
    /* token=next(): a program's text */
    if (ret->from == at && ret->to < c->n && c->s[ret->to] == '(')
        return false;
    /* An argument of its own: all of it, whatever is in it. */
    if (name == 0 && !c->text && ret->from == at)
        ret->to = c->n;
    return true;
}

static bool find_named(const struct scan *c, size_t at, struct range *ret)
{
    size_t end = at;
    while (end < c->n && end - at <= MAX_SECRET_NAME && is_name(c->s[end]))
        end++;
    size_t sign = end;
    if (sign < c->n && at > 0 && is_quote(c->s[at - 1]) && c->s[sign] == c->s[at - 1])
        sign++;
    if (sign >= c->n || end == at || (c->s[sign] != '=' && c->s[sign] != ':') ||
        !secret_name(c->s + at, end - at))
        return false;
    bool found = c->s[sign] == '=' ? sign == end && equals_value(c, at, sign, ret)
                                   : colon_value(c, at, sign, ret);
    return found && is_value(c, ret) &&
           !(name_of_file(c->s + at, end - at) &&
             looks_like_path(c->s + ret->from, ret->to - ret->from));
}

/* ---- headers ---- */

static const char *const headers[] = {
    "authorization:",
    "proxy-authorization:",
    "cookie:",
    "set-cookie:",
    "x-api-key:",
    "api-key:",
    "apikey:",
    "x-auth-token:",
    "x-access-token:",
    "x-csrf-token:",
    "private-token:",
    "job-token:",
    "deploy-token:",
    "x-vault-token:",
    "x-goog-api-key:",
    "x-amz-security-token:",
    "ocp-apim-subscription-key:",
    "x-functions-key:",
};

static bool find_header(const struct scan *c, size_t at, struct range *ret)
{
    size_t from = 0;
    for (size_t i = 0; i < ARRAY_LEN(headers) && !from; i++)
        if (lower(c->s[at]) == headers[i][0] && begins(c->s + at, c->n - at, headers[i]))
            from = at + strlen(headers[i]);
    if (!from)
        return false;
    char quote = at > 0 && is_quote(c->s[at - 1]) ? c->s[at - 1] : '\0';
    while (from < c->n && (c->s[from] == ' ' || c->s[from] == '\t'))
        from++;
    if (is_substitution(c, from))
        return false;
    size_t to = from;
    while (to < c->n && c->s[to] != '\n' && c->s[to] != '\r' && (!quote || c->s[to] != quote))
        to++;
    *ret = (struct range){from, to};
    /* The scheme tells nothing and helps whom reads it. */
    static const char *const schemes[] = {"bearer ", "basic ", "token ", "digest "};
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (begins(c->s + from, to - from, schemes[i]))
            ret->from = from + strlen(schemes[i]);
    return is_value(c, ret);
}

/* ---- options ---- */

/* Options of one letter, by program. UNLIKE: what the value must not have to be taken for one. */
static const struct short_option {
    const char *program;
    char letter;
    bool attached, separate; /* -pVALUE, -p VALUE */
    const char *unlike;
} short_options[] = {
    {"mysql", 'p', true, false, ""},      {"mysqldump", 'p', true, false, ""},
    {"mysqladmin", 'p', true, false, ""}, {"mysqlimport", 'p', true, false, ""},
    {"mariadb", 'p', true, false, ""},    {"mariadb-dump", 'p', true, false, ""},
    {"sshpass", 'p', true, true, ""},     {"redis-cli", 'a', false, true, ""},
    {"docker", 'p', false, true, ":"},    {"podman", 'p', false, true, ":"},
    {"zip", 'P', false, true, ""},        {"unzip", 'P', false, true, ""},
    {"7z", 'p', true, false, ""},         {"7za", 'p', true, false, ""},
    {"7zz", 'p', true, false, ""},        {"ldapsearch", 'w', false, true, ""},
    {"mongosh", 'p', false, true, ""},    {"mongo", 'p', false, true, ""},
};

static const struct short_option *program_row(const char *s, size_t n)
{
    for (size_t i = n; i > 0; i--)
        if (s[i - 1] == '/') {
            s += i;
            n -= i;
            break;
        }
    for (size_t i = 0; i < ARRAY_LEN(short_options); i++)
        if (strlen(short_options[i].program) == n && memcmp(short_options[i].program, s, n) == 0)
            return &short_options[i];
    return NULL;
}

static bool all_name(const char *s, size_t n)
{
    for (size_t i = 0; i < n && n <= MAX_SECRET_NAME; i++)
        if (!is_name(s[i]))
            return false;
    return n <= MAX_SECRET_NAME;
}

/* The next word after the token S: what is known about it. */
static void context_after(struct context *x, const char *s, size_t n)
{
    static const char *const texts[] = {"-c",        "-lc", "-ec",       "-ic",    "-xc", "-e",
                                        "--command", "-m",  "--message", "--eval", NULL};
    static const char *const passes[] = {"-passin",  "-passout",  "-pass",
                                         "-srcpass", "-destpass", NULL};
    const struct short_option *row = program_row(s, n);
    *x = (struct context){.program = row ? row : x->program};
    if (n < 2 || *s != '-')
        return;
    x->text = word_in(s, n, texts);
    x->pass_value = word_in(s, n, passes);
    x->user_value = (n == 2 && s[1] == 'u') || (n == 6 && memcmp(s, "--user", 6) == 0);
    x->value = all_name(s, n) && !x->pass_value && secret_name(s, n);
    x->path_value = x->value && name_of_file(s, n);
    row = x->program;
    if (row && row->separate && n == 2 && s[1] == row->letter)
        x->letter_value = row->unlike;
}

/* The value of the option before, at AT; TO is its end. */
static bool option_value(const struct scan *c, const struct context *x, struct range r,
                         struct range *ret)
{
    static const char *const descriptions[] = {"id=", "type=", "source=", "src=", "env="};
    const char *s = c->s + r.from;
    size_t n = r.to - r.from;
    if (n == 0 || *s == '-' || !is_value(c, &r))
        return false;
    *ret = r;
    if (x->pass_value)
        ret->from += 5;
    if (x->pass_value)
        return begins(s, n, "pass:") && n > 5;
    if (x->user_value) {
        const char *colon = memchr(s, ':', n);
        size_t name = colon ? (size_t)(colon - s) : 0, rest = colon ? n - name - 1 : 0;
        if (!colon || rest == 0 || is_digit(colon[1]) ||
            (rest == name && !memcmp(s, colon + 1, name)))
            return false;
        ret->from += name + 1;
        return is_value(c, ret);
    }
    if (x->letter_value) {
        size_t digits = 0;
        while (digits < n && is_digit(s[digits]))
            digits++;
        return digits < n && !(*x->letter_value && memchr(s, *x->letter_value, n));
    }
    for (size_t i = 0; x->value && i < ARRAY_LEN(descriptions); i++)
        if (begins(s, n, descriptions[i]))
            return false;
    return x->value && !(x->path_value && looks_like_path(s, n));
}

static bool awaits(const struct context *x)
{
    return x->value || x->user_value || x->pass_value || x->letter_value;
}

/* A token begins at AT. Is it a secret by what stands before, or an option with one attached? Notes
 * what it says about the next. */
static bool find_option(struct scan *c, size_t at, struct range *ret)
{
    struct range r = value_at(c, at);
    bool separated = at == 0 || is_blank(c->s[at - 1]);
    bool found = false;
    if (r.to == r.from)
        return false;
    if (separated && awaits(&c->context)) {
        struct range whole = at == 0 && !c->text ? (struct range){0, c->n} : r;
        found = option_value(c, &c->context, whole, ret);
    }
    const struct short_option *row = c->context.program;
    const char *s = c->s + r.from;
    if (!found && row && row->attached && r.to - r.from > 2 && s[0] == '-' && s[1] == row->letter) {
        *ret = (struct range){r.from + 2, at == 0 ? c->n : r.to};
        found = is_value(c, ret);
    }
    context_after(&c->context, s, r.to - r.from);
    if (r.to < c->n && is_any(c->s[r.to], ";|&\n")) /* another command */
        c->context = (struct context){0};
    return found;
}

/* ---- URLs ---- */

/* At "://": the password in what stands before the host, or a key in the place of the user. */
static bool find_url(const struct scan *c, size_t at, struct range *ret)
{
    size_t from = at + 3, end = from, sign = 0, colon = 0;
    while (end < c->n && !is_blank(c->s[end]) && !is_quote(c->s[end]) &&
           !is_any(c->s[end], "/?#<>\\"))
        end++;
    for (size_t i = from; i < end; i++) {
        if (c->s[i] == '@')
            sign = i;
        else if (c->s[i] == ':' && !colon && !sign)
            colon = i;
    }
    if (!sign)
        return false;
    if (colon && colon < sign)
        *ret = (struct range){colon + 1, sign};
    else if (sign - from >= 20)
        *ret = (struct range){from, sign};
    else
        return false;
    return is_value(c, ret);
}

/* ---- random text ---- */

struct letters {
    size_t lower, upper, digits, pieces, changes;
    bool hex; /* of one case, nothing else */
};

static struct letters count_letters(const char *s, size_t n)
{
    struct letters l = {.pieces = 1};
    bool hex = true;
    int before = 0;
    for (size_t i = 0; i < n; i++) {
        int kind = is_lower(s[i]) ? 1 : is_upper(s[i]) ? 2 : is_digit(s[i]) ? 3 : 0;
        l.lower += kind == 1;
        l.upper += kind == 2;
        l.digits += kind == 3;
        l.pieces += kind == 0;
        l.changes += kind && before && kind != before;
        hex = hex && kind && (kind == 3 || (lower(s[i]) <= 'f'));
        before = kind ? kind : before;
    }
    l.hex = hex && !(l.lower && l.upper);
    return l;
}

/* Numbers that stand for other things: names of commits, digests. */
static bool is_digest(const struct scan *c, size_t at, size_t n, const struct letters *l)
{
    static const char *const names[] = {"sha1", "sha224", "sha256",  "sha384", "sha512",
                                        "md5",  "blake3", "blake2b", "h1",     NULL};
    if (l->hex && (n == 40 || n == 64 || n == 96 || n == 128))
        return true;
    const char *s = c->s + at, *dash = memchr(s, '-', MIN_OF(n, (size_t)8));
    if (dash && word_in(s, (size_t)(dash - s), names))
        return true;
    if (at == 0 || (c->s[at - 1] != ':' && c->s[at - 1] != '='))
        return false;
    size_t from = at - 1;
    while (from > 0 && at - from < 9 && is_alnum(c->s[from - 1]))
        from--;
    return word_in(c->s + from, at - 1 - from, names);
}

static bool is_random(const char *s, size_t n, const struct letters *l)
{
    static const char *const open[] = {"AAAAC3NzaC1", "AAAAB3NzaC1", "AAAAE2Vj", "AAAAGnNr"};
    size_t all = l->lower + l->upper + l->digits;
    for (size_t i = 0; i < ARRAY_LEN(open); i++) /* public keys of SSH */
        if (begins(s, n, open[i]))
            return false;
    if (l->hex)
        return l->digits >= 4 && l->lower + l->upper >= 4;
    if (l->digits == 0 || all / l->pieces < 10)
        return false;
    if (l->lower && l->upper)
        return l->changes * 100 >= (memchr(s, '/', n) ? 50 : 42) * all;
    return !memchr(s, '/', n) && l->digits * 100 >= 12 * all && l->changes * 100 >= 24 * all;
}

/* A run begins at AT. */
static bool find_random(const struct scan *c, size_t at, struct range *ret)
{
    size_t end = at;
    while (end < c->n && is_run(c->s[end]))
        end++;
    size_t n = end - at;
    /* An absolute path, or the rest of another. */
    if (n < RANDOM_LEAST || c->s[at] == '/')
        return false;
    struct letters l = count_letters(c->s + at, n);
    if (is_digest(c, at, n, &l) || !is_random(c->s + at, n, &l))
        return false;
    while (end < c->n && c->s[end] == '=')
        end++;
    *ret = (struct range){at, end};
    return true;
}

/* ---- the pass ---- */

static bool find_here(struct scan *c, size_t i, struct range *ret)
{
    const char ch = c->s[i], prev = i ? c->s[i - 1] : ' ';
    bool edge = !is_alnum(prev) && prev != '_';
    bool token = is_blank(prev) || is_quote(prev) || is_any(prev, ";|&()<>{},");
    /* The value of an option begins at its quote. */
    bool option = token && !is_blank(ch) && (!is_quote(prev) || i == 0) && find_option(c, i, ret);
    if (option)
        return true;
    if (edge && (find_key(c, i, ret) || find_pem(c, i, ret)))
        return true;
    if ((!is_name(prev) || (i > 1 && prev == 'H' && c->s[i - 2] == '-')) && find_header(c, i, ret))
        return true;
    if (is_name(ch) && !is_name(prev) && find_named(c, i, ret))
        return true;
    if (ch == ':' && c->n - i > 3 && c->s[i + 1] == '/' && c->s[i + 2] == '/' &&
        find_url(c, i, ret))
        return true;
    return is_run(ch) && (i == 0 || !is_run(prev)) && find_random(c, i, ret);
}

static bool find_next(struct scan *c, size_t at, struct range *ret)
{
    for (size_t i = at; i < c->n; i++)
        if (find_here(c, i, ret) && ret->to > ret->from)
            return true;
    return false;
}

static struct scan scan_of(const char *word, const struct context *x)
{
    struct scan c = {word, strlen(word), x->text, *x};
    return c;
}

static struct context context_of(const char *before)
{
    struct context x = {0};
    if (before)
        context_after(&x, before, strlen(before));
    else
        x.text = true;
    return x;
}

bool redact_find(const char *word, const char *before, size_t *ret_from, size_t *ret_to)
{
    struct context x = context_of(before);
    struct scan c = scan_of(word, &x);
    struct range r;
    if (!find_next(&c, 0, &r))
        return false;
    *ret_from = r.from;
    *ret_to = r.to;
    return true;
}

static const char *redact_in(struct arena *a, const char *word, const struct context *x)
{
    struct scan c = scan_of(word, x);
    _cleanup_strbuf_ struct strbuf out = {0};
    struct range r;
    size_t at = 0;
    while (find_next(&c, at, &r)) {
        strbuf_put(&out, word + at, r.from > at ? r.from - at : 0);
        strbuf_puts(&out, "[REDACTED]");
        at = r.to;
    }
    if (at == 0)
        return arena_strndup(a, word, c.n);
    strbuf_put(&out, word + at, c.n - at);
    return strbuf_failed(&out) ? NULL : arena_strndup(a, out.p, out.n);
}

const char *redact(struct arena *a, const char *word, const char *before)
{
    struct context x = context_of(before);
    return redact_in(a, word, &x);
}

const char *const *redact_argv(struct arena *a, const char *const *argv, size_t argc)
{
    struct context x = {0};
    const char **out = arena_zalloc(a, argc + 1, sizeof(*out));
    for (size_t i = 0; out && i < argc; i++) {
        if (!(out[i] = redact_in(a, argv[i], &x)))
            return NULL;
        context_after(&x, argv[i], strlen(argv[i]));
    }
    return out;
}

/*
 * Numbers, booleans, dates and times: the values without quotes or brackets. The token is cut out
 * first (up to a blank, a comma, a closing bracket or a comment) and must then be one of them from
 * its first byte to its last; so an error can show the whole of what somebody wrote.
 */
#include "base/toml_parser.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

/* A token and how far it has been read. */
struct token {
    struct toml_parser *p;
    struct toml_span span;
    struct bytes b;
    size_t at;
};

static int tok_peek(const struct token *t)
{
    return t->at < t->b.n ? (unsigned char)t->b.p[t->at] : -1;
}

static bool tok_take(struct token *t, char c)
{
    if (tok_peek(t) != c)
        return false;
    t->at++;
    return true;
}

static bool is_one_of(const char *bytes, char c)
{
    return c != '\0' && strchr(bytes, c);
}

static int bad(struct token *t, const char *what, const char *why)
{
    return toml_fail(t->p, t->span, "%s %s: %s", what, toml_show(t->b), why);
}

/* ---- numbers ---- */

static int digit_value(int c)
{
    if (toml_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 10;
    return -1;
}

/* Digits of BASE with single underscores between them; *ret_n counts the digits. */
static int skip_digits(struct token *t, int base, size_t *ret_n, const char **ret_why)
{
    size_t n = 0;
    bool after_digit = false;
    for (;; t->at++) {
        int c = tok_peek(t);
        int v = c >= 'A' && c <= 'F' && base == 16 ? c - 'A' + 10 : digit_value(c);
        if (v >= 0 && v < base) {
            n++;
            after_digit = true;
        } else if (c == '_') {
            if (!after_digit)
                break;
            after_digit = false;
        } else {
            break;
        }
    }
    *ret_n = n;
    if (!after_digit && (n > 0 || tok_peek(t) == '_')) {
        *ret_why = "an underscore stands between two digits";
        return -EINVAL;
    }
    return 0;
}

/* The value of digits that skip_digits() accepted; false when it does not fit. The sum is kept
 * negative: the least integer has no positive twin. */
static bool digits_to_integer(struct bytes digits, int base, bool negative, int64_t *ret)
{
    int64_t v = 0;
    for (size_t i = 0; i < digits.n; i++) {
        int c = (unsigned char)digits.p[i];
        if (c == '_')
            continue;
        int d = c >= 'A' && c <= 'F' ? c - 'A' + 10 : digit_value(c);
        if (__builtin_mul_overflow(v, (int64_t)base, &v) ||
            __builtin_sub_overflow(v, (int64_t)d, &v))
            return false;
    }
    return negative ? (*ret = v, true) : !__builtin_sub_overflow((int64_t)0, v, ret);
}

static const char too_big[] =
    "does not fit 64 bits; integers go from -9223372036854775808 to 9223372036854775807";

static int read_prefixed(struct token *t, struct toml_value *out)
{
    char kind = t->b.p[1];
    int base = kind == 'x' ? 16 : kind == 'o' ? 8 : 2;
    const char *why = base == 16  ? "digits 0-9 and a-f follow 0x"
                      : base == 8 ? "digits 0-7 follow 0o"
                                  : "digits 0 and 1 follow 0b";
    size_t n;
    t->at = 2;
    if (skip_digits(t, base, &n, &why) < 0 || n == 0 || t->at < t->b.n)
        return bad(t, "integer", why);
    out->type = TOML_INTEGER;
    struct bytes digits = {t->b.p + 2, t->b.n - 2};
    if (!digits_to_integer(digits, base, false, &out->integer))
        return toml_fail_code(t->p, -ERANGE, t->span, "integer %s %s", toml_show(t->b), too_big);
    return 0;
}

/* More decimal digits than these cannot change which double is nearest, but that the rest is not
 * zero can: it is kept as one more digit. */
#define SIGNIFICANT_MAX 800

/* The double nearest to INTEGER.FRACTION * 10^EXPONENT, rebuilt as digits without a point so that
 * the C library's locale does not matter. Underscores are skipped. */
static double digits_to_double(struct bytes integer, struct bytes fraction, int64_t exponent)
{
    char buf[SIGNIFICANT_MAX + 32];
    size_t n = 0;
    uint64_t mantissa = 0;
    bool rest = false;
    const struct bytes parts[2] = {integer, fraction};
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < parts[k].n; i++) {
            char c = parts[k].p[i];
            if (c == '_')
                continue;
            if (k == 1)
                exponent--;
            if (n == 0 && c == '0')
                continue;
            if (n < SIGNIFICANT_MAX) {
                buf[n++] = c;
                mantissa = n <= 15 ? mantissa * 10 + (uint64_t)(c - '0') : mantissa;
            } else {
                exponent++;
                rest |= c != '0';
            }
        }
    }
    if (n == 0)
        return 0;
    /* Both factors are exact, so their product or quotient is rounded once: correct. */
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (n <= 15 && exponent >= -22 && exponent <= 22)
        return exponent < 0 ? (double)mantissa / tens[-exponent]
                            : (double)mantissa * tens[exponent];
    if (rest) {
        buf[n++] = '1';
        exponent--;
    }
    (void)snprintf(buf + n, sizeof(buf) - n, "e%lld", (long long)exponent);
    return strtod(buf, NULL);
}

#define EXPONENT_MAX 100000000 /* beyond what the longest text could bring back into range */

static int read_exponent(struct token *t, int64_t *ret, const char **ret_why)
{
    bool negative = tok_take(t, '-');
    if (!negative)
        (void)tok_take(t, '+');
    size_t from = t->at, n;
    int r = skip_digits(t, 10, &n, ret_why);
    if (r < 0)
        return r;
    if (n == 0) {
        *ret_why = "an exponent needs digits behind the e";
        return -EINVAL;
    }
    int64_t v = 0;
    for (size_t i = from; i < t->at; i++)
        if (t->b.p[i] != '_' && v < EXPONENT_MAX)
            v = v * 10 + (t->b.p[i] - '0');
    *ret = negative ? -v : v;
    return 0;
}

static int read_number(struct token *t, struct toml_value *out)
{
    const char *why = "a number is made of digits";
    bool negative = tok_take(t, '-');
    if (!negative)
        (void)tok_take(t, '+');
    size_t from = t->at, n;
    struct bytes rest = {t->b.p + from, t->b.n - from};
    if (bytes_is(rest, "inf") || bytes_is(rest, "nan")) {
        double v = rest.p[0] == 'i' ? (double)INFINITY : (double)NAN;
        out->type = TOML_FLOAT;
        out->floating = negative ? -v : v;
        return 0;
    }
    if (rest.n >= 2 && rest.p[0] == '0' && is_one_of("xob", rest.p[1])) {
        if (from > 0)
            return bad(t, "integer", "0x, 0o and 0b take no sign");
        return read_prefixed(t, out);
    }
    if (skip_digits(t, 10, &n, &why) < 0 || n == 0)
        return bad(t, "number",
                   n == 0 && tok_peek(t) == '.' ? "a digit stands before the point" : why);
    struct bytes integer = {t->b.p + from, t->at - from}, fraction = {NULL, 0};
    bool leading_zero = n > 1 && integer.p[0] == '0', is_float = false;
    int64_t exponent = 0;
    if (tok_take(t, '.')) {
        is_float = true;
        size_t begin = t->at;
        if (skip_digits(t, 10, &n, &why) < 0)
            return bad(t, "float", why);
        if (n == 0)
            return bad(t, "float", "a digit stands behind the point");
        fraction = (struct bytes){t->b.p + begin, t->at - begin};
    }
    if (tok_take(t, 'e') || tok_take(t, 'E')) {
        is_float = true;
        if (read_exponent(t, &exponent, &why) < 0)
            return bad(t, "float", why);
    }
    if (t->at < t->b.n)
        return bad(t, is_float ? "float" : "number",
                   "something that is not a digit follows; a string "
                   "needs quotes");
    if (leading_zero)
        return bad(t, is_float ? "float" : "integer",
                   "a number does not begin with a needless zero");
    if (!is_float) {
        out->type = TOML_INTEGER;
        if (!digits_to_integer(integer, 10, negative, &out->integer))
            return toml_fail_code(t->p, -ERANGE, t->span, "integer %s %s", toml_show(t->b),
                                  too_big);
        return 0;
    }
    double v = digits_to_double(integer, fraction, exponent);
    if (isinf(v))
        return toml_fail_code(t->p, -ERANGE, t->span,
                              "float %s does not fit 64 bits; write inf for infinity",
                              toml_show(t->b));
    out->type = TOML_FLOAT;
    out->floating = negative ? -v : v;
    return 0;
}

/* ---- dates and times ---- */

/* Exactly N digits with a value from LEAST to MOST. */
static bool field(struct token *t, int n, int least, int most, int *ret)
{
    int v = 0;
    for (int i = 0; i < n; i++, t->at++) {
        int c = tok_peek(t);
        if (!toml_digit(c))
            return false;
        v = v * 10 + (c - '0');
    }
    *ret = v;
    return v >= least && v <= most;
}

static int days_of(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* These return what is wrong, or NULL. */
static const char *read_date(struct token *t, struct toml_datetime *d)
{
    if (!field(t, 4, 0, 9999, &d->year) || !tok_take(t, '-'))
        return "a date is written YYYY-MM-DD";
    if (!field(t, 2, 1, 12, &d->month) || !tok_take(t, '-'))
        return "a date is written YYYY-MM-DD with a month from 01 to 12";
    if (!field(t, 2, 1, 31, &d->day))
        return "a date is written YYYY-MM-DD with a day from 01 to 31";
    return d->day > days_of(d->year, d->month) ? "that month has fewer days" : NULL;
}

static const char *read_time(struct token *t, struct toml_datetime *d)
{
    if (!field(t, 2, 0, 23, &d->hour) || !tok_take(t, ':'))
        return "a time is written HH:MM:SS with an hour from 00 to 23";
    if (!field(t, 2, 0, 59, &d->minute))
        return "a time is written HH:MM:SS with a minute from 00 to 59";
    if (!tok_take(t, ':'))
        return t->p->version == TOML_1_0 ? "seconds are missing: a time is written HH:MM:SS" : NULL;
    if (!field(t, 2, 0, 60, &d->second)) /* 60: a leap second */
        return "a time is written HH:MM:SS with seconds from 00 to 59";
    if (!tok_take(t, '.'))
        return NULL;
    if (!toml_digit(tok_peek(t)))
        return "a digit stands behind the point";
    for (int scale = 100000000; toml_digit(tok_peek(t)); t->at++, scale /= 10)
        d->nanosecond += (tok_peek(t) - '0') * scale; /* digits beyond nanoseconds are cut */
    return NULL;
}

static const char *read_offset(struct token *t, struct toml_datetime *d)
{
    if (tok_take(t, 'Z') || tok_take(t, 'z'))
        return NULL;
    int sign = tok_peek(t) == '-' ? -1 : 1, hour, minute;
    t->at++;
    if (!field(t, 2, 0, 23, &hour) || !tok_take(t, ':') || !field(t, 2, 0, 59, &minute))
        return "an offset is written Z, +HH:MM or -HH:MM";
    d->offset_minutes = sign * (hour * 60 + minute);
    return NULL;
}

static int read_datetime(struct token *t, struct toml_value *out)
{
    struct toml_datetime d = {0};
    const char *why = NULL;
    bool date = t->b.p[2] != ':', time = !date;
    out->type = date ? TOML_LOCAL_DATE : TOML_LOCAL_TIME;
    if (date)
        why = read_date(t, &d);
    if (!why && date && (tok_take(t, 'T') || tok_take(t, 't') || tok_take(t, ' '))) {
        time = true;
        out->type = TOML_LOCAL_DATETIME;
    }
    if (!why && time)
        why = read_time(t, &d);
    int c = tok_peek(t);
    if (!why && date && time && (c == 'Z' || c == 'z' || c == '+' || c == '-')) {
        out->type = TOML_OFFSET_DATETIME;
        why = read_offset(t, &d);
    }
    if (!why && t->at < t->b.n)
        why = "something follows that does not belong to it";
    if (why)
        return bad(t, date ? (time ? "date-time" : "date") : "time", why);
    out->datetime = d;
    return 0;
}

/* ---- the token ---- */

static size_t token_end(const struct toml_parser *p, size_t from)
{
    while (from < p->text.n && !is_one_of(" \t\r\n,]}#", p->text.p[from]))
        from++;
    return from;
}

static bool digits_at(struct bytes b, size_t from, size_t n, char behind)
{
    for (size_t i = from; i < from + n; i++)
        if (i >= b.n || !toml_digit((unsigned char)b.p[i]))
            return false;
    return from + n < b.n && b.p[from + n] == behind;
}

static int not_a_value(struct token *t)
{
    static const char *const words[][2] = {
        {"true", "true"}, {"false", "false"}, {"inf", "inf"},   {"nan", "nan"},     {"yes", "true"},
        {"no", "false"},  {"on", "true"},     {"off", "false"}, {"infinity", "inf"}};
    char lower[16] = "";
    for (size_t i = 0; i < t->b.n && t->b.n < sizeof(lower); i++) {
        char c = t->b.p[i];
        lower[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq(lower, words[i][0]))
            return toml_fail(t->p, t->span, "%s is not a value; TOML writes %s", toml_show(t->b),
                             words[i][1]);
    return toml_fail(t->p, t->span, "%s is not a value; a string needs quotes: \"%s\"",
                     toml_show(t->b), toml_show(t->b));
}

int toml_read_bare(struct toml_parser *p, struct toml_value *out)
{
    size_t end = token_end(p, p->at);
    struct token t = {.p = p, .span = toml_mark(p), .b = toml_slice(p, p->at, end)};
    if (t.b.n == 0)
        return toml_fail(p, toml_here(p), "expected a value, found %s", toml_found(p));
    bool date = digits_at(t.b, 0, 4, '-');
    /* A blank may stand between a date and a time. */
    if (date && t.b.n == 10 && toml_peek(p, 10) == ' ') {
        struct bytes rest = toml_slice(p, end + 1, p->text.n);
        if (digits_at(rest, 0, 2, ':'))
            end = token_end(p, end + 1);
    }
    t.b.n = t.span.length = end - p->at;
    int c = tok_peek(&t), r = 0;
    if (bytes_is(t.b, "true") || bytes_is(t.b, "false")) {
        out->type = TOML_BOOLEAN;
        out->boolean = t.b.p[0] == 't';
    } else if (date || digits_at(t.b, 0, 2, ':')) {
        r = read_datetime(&t, out);
    } else if (toml_digit(c) || c == '+' || c == '-' || c == '.' || bytes_is(t.b, "inf") ||
               bytes_is(t.b, "nan")) {
        r = read_number(&t, out);
    } else {
        r = not_a_value(&t);
    }
    if (r == 0)
        p->at = end;
    return r;
}

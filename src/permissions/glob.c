/*
 * Path patterns over bytes. A pattern is a list of components; `*`, `?` and `[…]` stand inside one
 * component, a component `**` stands for any number of them, none included. There is no escape
 * character: a backslash is a backslash, and `[*]` is a star.
 *
 * Cost. A component is matched with one remembered star (the last one: a longer run for an earlier
 * star can never match more), and so is the list of components with its `**`. Both walks are at
 * most quadratic in the lengths, whatever the pattern; nothing recurses and nothing is allocated.
 *
 * A file name is untrusted: it may hold any byte and any number of components.
 */
#include "permissions/permissions.h"

#include "base/path.h"

/* The `]` that closes the set at P[0] == '[' (a `]` that stands first is a member), or NULL. */
static const char *set_end(const char *p, const char *end)
{
    const char *s = p + 1;
    if (s < end && (*s == '!' || *s == '^'))
        s++;
    if (s < end && *s == ']')
        s++;
    while (s < end && *s != ']')
        s++;
    return s < end ? s : NULL;
}

/* Is C in the set between P[0] == '[' and its CLOSE? */
static bool set_has(const char *p, const char *close, unsigned char c)
{
    const char *s = p + 1;
    bool negated = *s == '!' || *s == '^', found = false;
    for (s += negated; s < close; s++) {
        unsigned char lo = (unsigned char)*s, hi = lo;
        if (close - s > 2 && s[1] == '-') {
            hi = (unsigned char)s[2];
            s += 2;
        }
        found = found || (lo <= c && c <= hi);
    }
    return found != negated;
}

/* Matches one byte C against the pattern at P; NULL, or the pattern behind what it used. */
static const char *match_byte(const char *p, const char *end, unsigned char c)
{
    if (*p == '?')
        return p + 1;
    if (*p == '[') {
        const char *close = set_end(p, end);
        if (close)
            return set_has(p, close, c) ? close + 1 : NULL;
    }
    return (unsigned char)*p == c ? p + 1 : NULL;
}

static bool match_component(struct bytes pattern, struct bytes name)
{
    const char *p = pattern.p, *pe = p + pattern.n, *s = name.p, *se = s + name.n;
    const char *star = NULL, *star_s = NULL; /* behind the last star; where its run ends */
    while (s < se) {
        const char *next;
        if (p < pe && *p == '*') {
            star = ++p;
            star_s = s;
        } else if (p < pe && (next = match_byte(p, pe, (unsigned char)*s))) {
            p = next;
            s++;
        } else if (star) {
            p = star;
            s = ++star_s;
        } else {
            return false;
        }
    }
    while (p < pe && *p == '*')
        p++;
    return p == pe;
}

/* A run of components between two `**`. */
struct segment {
    const char *p;
    size_t count;
    bool more; /* a `**` follows */
};

static struct segment next_segment(const char **pattern)
{
    struct segment seg = {.p = *pattern};
    struct bytes c;
    while (path_next(pattern, &c)) {
        if (bytes_is(c, "**")) {
            seg.more = true;
            break;
        }
        seg.count++;
    }
    return seg;
}

/* Does SEG match the next components of *S? Then *S is moved past them. */
static bool match_segment(const struct segment *seg, const char **s)
{
    const char *p = seg->p, *at = *s;
    for (size_t i = 0; i < seg->count; i++) {
        struct bytes pc, sc;
        if (!path_next(&p, &pc) || !path_next(&at, &sc) || !match_component(pc, sc))
            return false;
    }
    *s = at;
    return true;
}

/* Moves *S and *DONE (components before it) forward to the first place where SEG matches, and past
 * it. */
static bool find_segment(const struct segment *seg, const char **s, size_t *done)
{
    for (;;) {
        struct bytes skipped;
        if (match_segment(seg, s)) {
            *done += seg->count;
            return true;
        }
        if (!path_next(s, &skipped))
            return false;
        (*done)++;
    }
}

/* The last segment, behind a `**`: the first or the last place where it ends within LIMIT
 * components. */
static size_t find_last(const struct segment *seg, const char *s, size_t done, size_t limit,
                        bool deepest)
{
    size_t best = 0;
    for (struct bytes skipped; done + seg->count <= limit; done++) {
        const char *at = s;
        if (done + seg->count > 0 && match_segment(seg, &at)) {
            best = done + seg->count;
            if (!deepest)
                break;
        }
        if (!path_next(&s, &skipped))
            break;
    }
    return best;
}

/* The shortest or the deepest prefix of REL, of at most LIMIT components, that PATTERN matches. */
static size_t match_prefix(const char *pattern, const char *rel, size_t limit, bool deepest)
{
    size_t done = 0;
    struct segment seg = next_segment(&pattern);
    if (!match_segment(&seg, &rel))
        return 0;
    done = seg.count;
    while (seg.more) {
        seg = next_segment(&pattern);
        if (!seg.more)
            return find_last(&seg, rel, done, limit, deepest);
        if (!find_segment(&seg, &rel, &done))
            return 0;
    }
    return done <= limit ? done : 0;
}

size_t glob_match_prefix(const char *glob, const char *rel)
{
    return match_prefix(glob, rel, SIZE_MAX, false);
}

size_t glob_match_deepest(const char *glob, const char *rel, size_t max_depth)
{
    size_t limit = max_depth && glob_is_unbounded(glob) ? max_depth : SIZE_MAX;
    return match_prefix(glob, rel, limit, true);
}

bool glob_is_unbounded(const char *glob)
{
    struct bytes c;
    for (const char *p = glob; path_next(&p, &c);)
        if (bytes_is(c, "**"))
            return true;
    return false;
}

bool glob_has_wildcard(const char *pattern)
{
    return pattern[strcspn(pattern, "*?[")] != '\0';
}

/* What is wrong with the set at P, or NULL. */
static const char *set_problem(const char *p, const char *close)
{
    const char *s = p + 1;
    s += *s == '!' || *s == '^';
    for (; s < close; s++) {
        if (s[0] == '[' && (s[1] == ':' || s[1] == '.' || s[1] == '='))
            return "character classes such as [:alpha:] are not known here; write the ranges out";
        if (close - s > 2 && s[1] == '-') {
            if ((unsigned char)s[0] > (unsigned char)s[2])
                return "a range that runs backwards matches nothing";
            s += 2;
        }
    }
    return NULL;
}

static const char *component_problem(struct bytes c, const char **ret_at)
{
    const char *end = c.p + c.n;
    for (const char *p = c.p; p < end; p++) {
        *ret_at = p;
        if (*p == '*' && end - p > 1 && p[1] == '*' && c.n != 2)
            return "`**` stands alone between slashes";
        if (*p != '[')
            continue;
        const char *close = set_end(p, end);
        if (!close)
            return "unclosed bracket";
        const char *problem = set_problem(p, close);
        if (problem)
            return problem;
        p = close;
    }
    return NULL;
}

const char *glob_problem(const char *glob, size_t *ret_column)
{
    struct bytes c;
    for (const char *p = glob; path_next(&p, &c);) {
        const char *at = NULL, *problem = component_problem(c, &at);
        if (problem) {
            *ret_column = (size_t)(at - glob) + 1;
            return problem;
        }
    }
    return NULL;
}

size_t glob_check(const char *glob)
{
    struct bytes c;
    for (const char *p = glob; path_next(&p, &c);) {
        for (const char *s = c.p, *end = c.p + c.n; s < end; s++) {
            const char *close = *s == '[' ? set_end(s, end) : s;
            if (!close)
                return (size_t)(s - glob) + 1;
            s = close;
        }
    }
    return 0;
}

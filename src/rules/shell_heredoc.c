/*
 * Heredocs: where their text ends, and what runs while it is made. See shell_internal.h.
 *
 * A text belongs to the line before it: it is read when that line's newline is. Unless its
 * delimiter is quoted, continuations join lines before they are compared with the delimiter, as in
 * bash; where another shell would find the end elsewhere, the reading is opaque.
 */
#include "rules/shell_internal.h"

#include <errno.h>

/* The end of the line that begins at I; continuations joined unless QUOTED. */
static size_t line_end(const struct source *s, size_t i, bool quoted, bool *ret_joined)
{
    bool escaped = false;
    *ret_joined = false;
    for (; i < s->n; i++) {
        if (s->p[i] == '\n' && (quoted || !escaped))
            break;
        if (s->p[i] == '\n')
            *ret_joined = true;
        escaped = !escaped && s->p[i] == '\\';
    }
    return i;
}

static struct bytes without_tabs(struct bytes line)
{
    while (line.n && line.p[0] == '\t') {
        line.p++;
        line.n--;
    }
    return line;
}

/* Would some shell take the last of these joined lines for the delimiter? */
static bool joined_delimiter(struct bytes line, const struct heredoc *h)
{
    while (line.n) {
        const char *end = memchr(line.p, '\n', line.n);
        struct bytes one = {line.p, end ? (size_t)(end - line.p) : line.n};
        line.p += one.n + (end != NULL);
        line.n -= one.n + (end != NULL);
        if (h->tabs)
            one = without_tabs(one);
        if (bytes_eq(one, h->delimiter.cooked))
            return true;
    }
    return false;
}

/* One body; the source stands at its first line. */
static bool heredoc_body(struct parser *p, const struct heredoc *h)
{
    struct source *s = p->s;
    size_t mark = p->r->buf.n, from = s->i;
    size_t body = mark;
    while (s->i < s->n) {
        bool joined;
        size_t end = line_end(s, s->i, h->quoted, &joined);
        struct bytes line = {s->p + s->i, end - s->i};
        s->i = end + (end < s->n);
        if (h->tabs)
            line = without_tabs(line);
        if (bytes_eq(line, h->delimiter.cooked))
            break;
        if (joined && joined_delimiter(line, h))
            shell_doubt(p, "shells disagree where this heredoc ends", from);
        shell_put(p, line.p, line.n);
        shell_put(p, "\n", 1);
    }
    if (strbuf_failed(&p->r->buf)) {
        p->r->error = -ENOMEM;
        return false;
    }
    struct bytes text = shell_keep(p->r, p->r->buf.p ? p->r->buf.p + body : "", p->r->buf.n - body);
    p->r->buf.n = mark;
    h->to->known = true;
    h->to->text = text;
    h->to->at = shell_place(s, from);
    h->to->end = shell_place_end(s, s->i);
    h->to->shown = shell_keep(p->r, s->p + from, s->i - from).p;
    if (h->quoted)
        return p->r->error == 0;
    struct source data = {.p = text.p,
                          .n = text.n,
                          .copied = true,
                          .at = shell_place(s, from),
                          .length = s->copied ? s->length : (uint32_t)(s->i - from),
                          .dialect = s->dialect};
    struct build b = {.mark = p->r->buf.n};
    bool good = shell_data(p, &data, &b);
    h->to->text = shell_keep(p->r, p->r->buf.p ? p->r->buf.p + mark : "", p->r->buf.n - mark);
    p->r->buf.n = mark;
    return good && p->r->error == 0;
}

bool shell_heredocs(struct parser *p)
{
    for (size_t i = 0; i < p->heredocs.n; i++)
        if (!heredoc_body(p, &p->heredocs.v[i]))
            return false;
    p->heredocs.n = 0;
    return true;
}

/*
 * Parsing journals. The file lies in our own state directory, but it is read as if a stranger had
 * written it: through a bounded view, every field checked, nothing guessed.
 */
#include "sandbox/journal_text.h"

#include "base/mem.h"
#include "base/vec.h"

#include <errno.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

static bool is_plain(unsigned char c)
{
    return c > 0x20 && c < 0x7f && c != '\\';
}

void journal_text_quote(struct strbuf *out, const char *s, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (is_plain(c)) {
            strbuf_putc(out, (char)c);
        } else {
            strbuf_putc(out, '\\');
            strbuf_putc(out, hex[c >> 4]);
            strbuf_putc(out, hex[c & 15]);
        }
    }
}

bool journal_name_ok(const char *name)
{
    size_t n = strlen(name);
    return n > 0 && n <= MAX_NAME_BYTES && !strchr(name, '/') && !str_eq(name, ".") &&
           !str_eq(name, "..");
}

/* Takes FIELD apart into DST (CAP bytes, terminated). */
static bool unquote(struct bytes field, char *dst, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < field.n; i++) {
        unsigned char c = (unsigned char)field.p[i];
        if (c == '\\') {
            if (field.n - i < 3)
                return false;
            int hi = hex_digit(field.p[i + 1]), lo = hex_digit(field.p[i + 2]);
            if (hi < 0 || lo < 0)
                return false;
            c = (unsigned char)(hi << 4 | lo);
            if (c == 0 || is_plain(c))
                return false;
            i += 2;
        } else if (!is_plain(c)) {
            return false;
        }
        if (n + 1 >= cap)
            return false;
        dst[n++] = (char)c;
    }
    dst[n] = '\0';
    return n > 0;
}

static bool parse_hex(struct bytes field, uint64_t *ret)
{
    uint64_t v = 0;
    if (field.n == 0 || field.n > 16)
        return false;
    for (size_t i = 0; i < field.n; i++) {
        int d = hex_digit(field.p[i]);
        if (d < 0)
            return false;
        v = v << 4 | (uint64_t)d;
    }
    *ret = v;
    return true;
}

static bool next_field(struct bytes *line, struct bytes *ret)
{
    if (line->n == 0)
        return false;
    const char *space = memchr(line->p, ' ', line->n);
    size_t n = space ? (size_t)(space - line->p) : line->n;
    *ret = (struct bytes){line->p, n};
    line->p += n;
    line->n -= n;
    if (space) {
        line->p++;
        line->n--;
        /* A trailing space would be an empty last field that nobody reads. */
        if (line->n == 0)
            return false;
    }
    return n > 0;
}

static bool temp_ok(struct bytes temp)
{
    static const char prefix[] = ".bawn-";
    const size_t pn = sizeof(prefix) - 1;
    if (temp.n != JOURNAL_TEMP_BYTES - 2 || memcmp(temp.p, prefix, pn) != 0)
        return false;
    for (size_t i = pn; i < temp.n; i++)
        if (hex_digit(temp.p[i]) < 0)
            return false;
    return true;
}

static struct journal_record *find_temp(const struct journal_text *t, struct bytes temp)
{
    for (size_t i = t->n; i-- > 0;)
        if (bytes_is(temp, t->v[i].temp))
            return &t->v[i];
    return NULL;
}

static int parse_intent(struct journal_text *t, struct bytes temp, struct bytes name)
{
    if (find_temp(t, temp))
        return -EBADMSG;
    if (t->n >= JOURNAL_MAX_RECORDS)
        return -E2BIG;
    if (!vec_grow_(&t->v, sizeof(*t->v), JOURNAL_MAX_RECORDS))
        return -ENOMEM;
    struct journal_record *r = &t->v[t->n];
    if (!unquote(name, r->name, sizeof(r->name)) || !journal_name_ok(r->name))
        return -EBADMSG;
    memcpy(r->temp, temp.p, temp.n);
    t->n++;
    return 0;
}

static int parse_made(struct journal_text *t, struct bytes temp, struct bytes dev, struct bytes ino)
{
    struct journal_record *r = find_temp(t, temp);
    uint64_t d, i;
    if (!r || r->made || r->gone || !parse_hex(dev, &d) || !parse_hex(ino, &i))
        return -EBADMSG;
    r->made = true;
    r->dev = (dev_t)d;
    r->ino = (ino_t)i;
    return 0;
}

static int parse_line(struct journal_text *t, struct bytes line)
{
    struct bytes f[4] = {0};
    size_t n = 0;
    while (n < ARRAY_LEN(f) && next_field(&line, &f[n]))
        n++;
    if (line.n != 0)
        return -EBADMSG;
    if (n == 2 && bytes_is(f[0], "dir"))
        return unquote(f[1], t->dir, sizeof(t->dir)) && t->dir[0] == '/' ? 0 : -EBADMSG;
    if (n < 2 || !temp_ok(f[1]))
        return -EBADMSG;
    if (n == 3 && bytes_is(f[0], "intent"))
        return parse_intent(t, f[1], f[2]);
    if (n == 4 && bytes_is(f[0], "made"))
        return parse_made(t, f[1], f[2], f[3]);
    if (n == 2 && bytes_is(f[0], "gone")) {
        struct journal_record *r = find_temp(t, f[1]);
        if (!r || r->gone)
            return -EBADMSG;
        r->gone = true;
        return 0;
    }
    return -EBADMSG;
}

int journal_text_parse(struct bytes text, struct journal_text *ret)
{
    struct journal_text t = {0};
    int r = text.n > JOURNAL_MAX_BYTES ? -E2BIG : 0;
    for (size_t at = 0; r == 0 && at < text.n;) {
        const char *p = text.p + at, *nl = memchr(p, '\n', text.n - at);
        if (!nl)
            break;
        struct bytes line = {p, (size_t)(nl - p)};
        if (at == 0)
            r = bytes_is(line, "bawn-placeholders 1") ? 0 : -EBADMSG;
        else
            r = parse_line(&t, line);
        at += line.n + 1;
        t.complete = at;
    }
    if (r < 0) {
        journal_text_release(&t);
        return r;
    }
    *ret = t;
    return 0;
}

void journal_text_release(struct journal_text *t)
{
    mem_free(t->v);
    *t = (struct journal_text){0};
}

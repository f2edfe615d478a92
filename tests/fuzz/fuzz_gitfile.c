/*
 * The small files that the sandbox reads from disk: a `.git` file, a `commondir`, a placeholder
 * journal. The first byte says which. What is accepted keeps the promises of its parser; a journal
 * that is written again from what was read reads the same.
 */
#include "base/gitfile.h"
#include "base/limits.h"
#include "sandbox/journal_text.h"

#include <inttypes.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_path(struct bytes text, const char *prefix)
{
    struct bytes path;
    if (gitfile_parse(text, prefix, &path) < 0)
        return;
    if (path.n == 0 || path.n >= MAX_PATH_BYTES || memchr(path.p, '\0', path.n))
        abort();
    if (path.p < text.p || path.p + path.n > text.p + text.n)
        abort();
}

static void write_again(const struct journal_text *t, struct strbuf *out)
{
    strbuf_puts(out, "bawn-placeholders 1\n");
    if (t->dir[0]) {
        strbuf_puts(out, "dir ");
        journal_text_quote(out, t->dir, strlen(t->dir));
        strbuf_putc(out, '\n');
    }
    for (size_t i = 0; i < t->n; i++) {
        const struct journal_record *r = &t->v[i];
        strbuf_printf(out, "intent %s ", r->temp);
        journal_text_quote(out, r->name, strlen(r->name));
        strbuf_putc(out, '\n');
        if (r->made)
            strbuf_printf(out, "made %s %" PRIx64 " %" PRIx64 "\n", r->temp, (uint64_t)r->dev,
                          (uint64_t)r->ino);
        if (r->gone)
            strbuf_printf(out, "gone %s\n", r->temp);
    }
}

static void same(const struct journal_text *a, const struct journal_text *b)
{
    if (a->n != b->n || !str_eq(a->dir, b->dir))
        abort();
    for (size_t i = 0; i < a->n; i++) {
        const struct journal_record *x = &a->v[i], *y = &b->v[i];
        if (!str_eq(x->temp, y->temp) || !str_eq(x->name, y->name) || x->made != y->made ||
            x->gone != y->gone || x->dev != y->dev || x->ino != y->ino)
            abort();
    }
}

static void try_journal(struct bytes text)
{
    struct journal_text t, again;
    if (journal_text_parse(text, &t) < 0)
        return;
    if (t.complete > text.n || t.n > JOURNAL_MAX_RECORDS || (t.dir[0] && t.dir[0] != '/'))
        abort();
    for (size_t i = 0; i < t.n; i++)
        if (!journal_name_ok(t.v[i].name))
            abort();
    _cleanup_strbuf_ struct strbuf out = {0};
    write_again(&t, &out);
    if (strbuf_failed(&out) || journal_text_parse((struct bytes){out.p, out.n}, &again) < 0)
        abort();
    same(&t, &again);
    journal_text_release(&again);
    journal_text_release(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct bytes text = {(const char *)data + 1, size - 1};
    switch (data[0]) {
    case 'g':
        try_path(text, "gitdir: ");
        break;
    case 'c':
        try_path(text, "");
        break;
    default:
        try_journal(text);
        break;
    }
    return 0;
}

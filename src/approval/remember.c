/* Lines of a rules file. See remember.h; the file half is config/edit_file.c. */
#include "approval/remember.h"

#include "config/edit.h"

#include <errno.h>

struct change {
    struct bytes line;
    bool remove, found;
};

/* The line that begins at P, without its end. */
static struct bytes line_at(struct bytes text, size_t at)
{
    const char *end = memchr(text.p + at, '\n', text.n - at);
    return (struct bytes){text.p + at, end ? (size_t)(end - (text.p + at)) : text.n - at};
}

static bool is_line(struct bytes line, struct bytes wanted)
{
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    return bytes_eq(line, wanted);
}

static int edit(void *data, struct bytes text, struct strbuf *out, struct error *err)
{
    struct change *c = data;
    c->found = false;
    for (size_t at = 0; at < text.n;) {
        struct bytes line = line_at(text, at);
        size_t whole = line.n + (at + line.n < text.n);
        bool same = is_line(line, c->line);
        c->found = c->found || same;
        if (!same || !c->remove)
            strbuf_put(out, text.p + at, whole);
        at += whole;
    }
    if (!c->remove && !c->found) {
        if (text.n > 0 && text.p[text.n - 1] != '\n')
            strbuf_putc(out, '\n');
        strbuf_put(out, c->line.p, c->line.n);
        strbuf_putc(out, '\n');
    }
    if (strbuf_failed(out))
        return error_errno(err, -ENOMEM, "cannot change the rules");
    return 0;
}

static int change(const char *file, struct change *c, struct error *err)
{
    const struct edit_request request = {.file = file, .mode = 0600, .edit = edit, .data = c};
    return edit_file(&request, NULL, err);
}

int remember_line(const char *file, const char *line, bool *ret_added, struct error *err)
{
    struct change c = {.line = bytes_of(line)};
    if (memchr(line, '\n', c.line.n))
        return error_set(err, -EINVAL, "a rule is one line");
    int r = change(file, &c, err);
    if (r == 0 && ret_added)
        *ret_added = !c.found;
    return r;
}

int forget_line(const char *file, const char *line, struct error *err)
{
    struct change c = {.line = bytes_of(line), .remove = true};
    int r = change(file, &c, err);
    if (r == 0 && !c.found)
        return error_set(err, -ENOENT, "%s has no line that is %s", show(file), show(line));
    return r;
}

/* Reading one line of denials.jsonl. See denial_record.h. */
#include "cli/denial_record.h"

#include "base/json_read.h"

#include <stddef.h>

static const struct {
    const char *name; /* ".exe" is a member of "process" */
    size_t offset;
} members[] = {
#define MEMBER(name)                                                                               \
    {                                                                                              \
#name, offsetof(struct denial_record, name)                                                \
    }
    MEMBER(event),
    MEMBER(time),
    MEMBER(kind),
    MEMBER(path),
    MEMBER(host),
    MEMBER(port),
    MEMBER(protocol),
    MEMBER(syscall),
    MEMBER(limit),
    MEMBER(access),
    MEMBER(rule),
    MEMBER(hint),
    MEMBER(count),
    {".pid", offsetof(struct denial_record, pid)},
    {".exe", offsetof(struct denial_record, exe)},
#undef MEMBER
};

/* A string, or the digits of a number. A NUL inside would cut the text short for whoever prints it;
 * no path holds one. */
static const char *text_of(struct arena *a, const struct json_value *v)
{
    if (!v || (v->type != JSON_STRING && v->type != JSON_NUMBER) ||
        memchr(v->text.p, '\0', v->text.n))
        return NULL;
    return arena_strndup(a, v->text.p, v->text.n);
}

bool denial_record_parse(struct arena *a, struct bytes line, struct denial_record *ret)
{
    const struct json_value *v;
    struct denial_record d = {0};
    if (json_parse(a, NULL, line, &v, NULL) < 0 || v->type != JSON_OBJECT)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const char *name = members[i].name;
        const char **slot = (const char **)(void *)((char *)&d + members[i].offset);
        *slot = text_of(a, name[0] == '.' ? json_get(json_get(v, "process"), name + 1)
                                          : json_get(v, name));
    }
    *ret = d;
    return true;
}

static void put(struct strbuf *out, const char *before, const char *text, const char *after)
{
    if (!text || !*text)
        return;
    strbuf_puts(out, before);
    strbuf_put_printable(out, text, strlen(text));
    strbuf_puts(out, after);
}

/* "write" of a file, "connect to" of an address: as the summary after the run says it. */
static const char *verb(const struct denial_record *d)
{
    if (d->path && d->kind && str_eq(d->kind, "network"))
        return "connect to ";
    if (d->path)
        return d->access && str_eq(d->access, "write") ? "write " : "read ";
    if (d->host)
        return d->port ? "reach " : "connect to ";
    return d->syscall ? "call " : d->limit ? "limit " : "";
}

void denial_record_print(const struct denial_record *d, struct strbuf *out)
{
    const char *what = d->path      ? d->path
                       : d->host    ? d->host
                       : d->syscall ? d->syscall
                       : d->limit   ? d->limit
                                    : d->kind;
    put(out, "", d->time, "  ");
    put(out, verb(d), what ? what : "?", "");
    if (d->host && d->port) {
        put(out, ":", d->port, "");
        put(out, " (", d->protocol, ")");
    }
    if (d->count && !str_eq(d->count, "1"))
        put(out, " (", d->count, " times)");
    if (d->exe && *d->exe) {
        put(out, " by ", d->exe, "");
        put(out, "[", d->pid, "]");
    }
    strbuf_putc(out, '\n');
    put(out, "    refused by ", d->rule, "\n");
    put(out, "    allowed by ", d->hint, "\n");
}

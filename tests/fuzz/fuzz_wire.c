/*
 * The two readers of what launcher and proxy say to each other. What is read is written again, read
 * again, and then written to the same bytes.
 */
#include "network/wire.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void settings(struct bytes text)
{
    struct arena a = {0};
    struct strbuf once = {0}, twice = {0};
    struct wire_settings s, again;
    struct error err = {0};
    if (wire_settings_read(&a, text, &s, &err) == 0) {
        if (wire_settings_write(&s, &once) < 0 ||
            wire_settings_read(&a, (struct bytes){once.p, once.n}, &again, &err) < 0 ||
            wire_settings_write(&again, &twice) < 0 || once.n != twice.n ||
            memcmp(once.p, twice.p, once.n) != 0)
            abort();
    } else if (!err.message[0]) {
        abort();
    }
    strbuf_release(&once);
    strbuf_release(&twice);
    arena_release(&a);
}

static void events(struct bytes text)
{
    static const struct netrule rules[] = {{.pattern = "a.test", .id = 0},
                                           {.pattern = "b.test", .id = 1}};
    struct wire_event e, again;
    struct bytes start = text;
    while (wire_event_read(&text, rules, ARRAY_LEN(rules), &e) == 0) {
        struct strbuf out = {0};
        wire_event_write(&e, &out);
        struct bytes written = {out.p, out.n};
        if (strbuf_failed(&out) || written.n != start.n - text.n ||
            memcmp(written.p, start.p, written.n) != 0 ||
            wire_event_read(&written, rules, ARRAY_LEN(rules), &again) < 0 || written.n)
            abort();
        strbuf_release(&out);
        start = text;
    }
    if (start.p != text.p)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = {(const char *)data, size};
    if (size == 0)
        return 0;
    text.p++;
    text.n--;
    if (data[0] == 's')
        settings(text);
    else
        events(text);
    return 0;
}

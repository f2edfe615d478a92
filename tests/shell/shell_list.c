/*
 * Reads texts from standard input, each ended by a byte 0, and writes one JSON object a line: what
 * the shell reader makes of it. For tests/shell/real and tests/shell/differential.
 *
 *   shell_list [SHELL]      as SHELL -c TEXT reads it; without SHELL as text of any shell
 */
#include "base/fd.h"
#include "base/json.h"
#include "rules/command.h"

#include <stdio.h>
#include <unistd.h>

static void put_command(struct json *j, const struct command *c)
{
    json_object(j);
    json_key(j, "argv");
    json_array(j);
    for (size_t i = 0; i < c->n; i++)
        json_string(j, c->words[i].text);
    json_end_array(j);
    json_key(j, "known");
    json_array(j);
    for (size_t i = 0; i < c->n; i++)
        json_bool(j, c->words[i].known);
    json_end_array(j);
    json_kv_bool(j, "plain", c->plain);
    json_kv_string(j, "via", c->via);
    json_kv_bool(j, "stdin", c->stdin_data);
    json_kv_int(j, "at", c->at);
    json_kv_int(j, "length", c->length);
    json_kv_int(j, "pipes_to", c->pipes_to == UINT32_MAX ? -1 : (int64_t)c->pipes_to);
    json_end_object(j);
}

static int put_text(struct strbuf *out, const char *shell, const char *text)
{
    static const char *const words[] = {"plain", "deep", "opaque"};
    _cleanup_arena_ struct arena a = {0};
    struct command_list list;
    struct error err;
    const char *argv[] = {shell, "-c", text};
    struct json j;
    int r = shell ? command_read(&a, argv, 3, &list, &err)
                  : shell_read(&a, bytes_of(text), &list, &err);
    if (r < 0)
        return r;
    json_begin(&j, out);
    json_object(&j);
    json_kv_string(&j, "reading", words[list.reading]);
    json_kv_string(&j, "reason", list.reason);
    json_kv_int(&j, "at", list.reason_at);
    json_kv_bool(&j, "heredoc", list.heredoc);
    json_key(&j, "commands");
    json_array(&j);
    for (size_t i = 0; i < list.n; i++)
        put_command(&j, &list.v[i]);
    json_end_array(&j);
    json_end_object(&j);
    strbuf_putc(out, '\n');
    return json_ok(&j) ? 0 : -1;
}

int main(int argc, char **argv)
{
    _cleanup_strbuf_ struct strbuf in = {0}, out = {0};
    if (fd_read_all(STDIN_FILENO, (size_t)64 << 20, &in) < 0)
        return 1;
    for (size_t i = 0; i < in.n; i += strlen(in.p + i) + 1)
        if (put_text(&out, argc > 1 ? argv[1] : NULL, in.p + i) < 0)
            return 1;
    return fd_write_all(STDOUT_FILENO, out.p, out.n) < 0;
}

/*
 * bawn denials: what runs with --log-denials refused.
 *
 * The file grows while other runs write; the last MAX_FILE_BYTES of it are read. Lines that are not
 * whole objects (a run that was killed while it wrote) are left out and counted.
 */
#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "cli/commands.h"
#include "cli/denial_record.h"
#include "cli/print.h"
#include "cli/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The last bytes of STATE_DIR/denials.jsonl, from the beginning of a line. -ENOENT: none yet. */
static int read_tail(const char *dir, struct strbuf *out, struct error *err)
{
    _cleanup_fd_ int dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    _cleanup_fd_ int fd =
        dirfd < 0 ? -1
                  : openat(dirfd, DENIALS_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(err, -errno, "cannot read %s/%s", show(dir), DENIALS_FILE);
    if (!S_ISREG(st.st_mode))
        return error_set(err, -EINVAL, "cannot read %s/%s: not a regular file", show(dir),
                         DENIALS_FILE);
    bool cut = st.st_size > (off_t)MAX_FILE_BYTES;
    if (cut && lseek(fd, st.st_size - (off_t)MAX_FILE_BYTES, SEEK_SET) < 0)
        return error_errno(err, -errno, "cannot read %s/%s", show(dir), DENIALS_FILE);
    /* Somebody may be writing: what comes after the size we saw is not waited for. */
    char buf[16384];
    for (size_t left = cut ? MAX_FILE_BYTES : (size_t)st.st_size; left;) {
        ssize_t n = read(fd, buf, MIN_OF(left, sizeof(buf)));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, -errno, "cannot read %s/%s", show(dir), DENIALS_FILE);
        if (n == 0)
            break;
        strbuf_put(out, buf, (size_t)n);
        left -= (size_t)n;
    }
    if (strbuf_failed(out))
        return error_errno(err, -ENOMEM, "cannot read %s/%s", show(dir), DENIALS_FILE);
    if (cut && out->p) {
        const char *nl = memchr(out->p, '\n', out->n);
        size_t skip = nl ? (size_t)(nl - out->p) + 1 : out->n;
        memmove(out->p, out->p + skip, out->n - skip + 1);
        out->n -= skip;
    }
    return 0;
}

static bool parse(struct bytes line, struct arena *a, struct denial_record *ret)
{
    return denial_record_parse(a, line, ret) && (!ret->event || str_eq(ret->event, "denied"));
}

/* Two passes: one counts what is whole, one prints the last of them. */
static int print_denials(struct bytes text, const struct options *o)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    struct bytes rest = text, line;
    struct denial_record d;
    size_t whole = 0, broken = 0;
    while (bytes_next_line(&rest, &line)) {
        _cleanup_arena_ struct arena a = {0};
        if (parse(line, &a, &d))
            whole++;
        else
            broken += line.n > 0;
    }
    size_t skip = o->last && whole > o->last ? whole - o->last : 0, printed = 0;
    for (rest = text; bytes_next_line(&rest, &line);) {
        _cleanup_arena_ struct arena a = {0};
        if (!parse(line, &a, &d))
            continue;
        if (skip) {
            skip--;
            continue;
        }
        if (o->json) {
            strbuf_put(&out, line.p, line.n);
            strbuf_putc(&out, '\n');
        } else {
            denial_record_print(&d, &out);
        }
        printed++;
    }
    int r = print_out(&out);
    if (broken)
        print_warning("%zu line%s of " DENIALS_FILE " could not be read", broken,
                      broken == 1 ? "" : "s");
    if (!printed && !o->json)
        print_note("no refusals are recorded; bawn sandbox --log-denials records them");
    return r;
}

int cmd_denials(int argc, char **argv)
{
    _cleanup_setup_ struct setup s = {0};
    _cleanup_strbuf_ struct strbuf text = {0};
    struct options o;
    struct error err = {0};
    int status;
    if (!cli_parse(FOR_DENIALS, argc, argv, &s, &o, &status))
        return status;
    if (o.n_rest) {
        (void)error_set(&err, -EINVAL, "denials: one word too many: %s", show(o.rest[0]));
        error_hint(&err, "see bawn denials --help");
        return cli_error(&err, EXIT_USAGE);
    }
    if (setup_world(&s, &o, &err) < 0)
        return cli_error(&err, EXIT_BROKEN);
    const char *dir = setup_state_dir(&s, false);
    int r = dir ? read_tail(dir, &text, &err) : 0;
    if (r < 0 && r != -ENOENT)
        return cli_error(&err, EXIT_BROKEN);
    return print_denials((struct bytes){strbuf_text(&text), text.n}, &o);
}

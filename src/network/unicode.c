/* Names outside ASCII. See unicode.h. */
#include "network/unicode.h"

#include <errno.h>

static const struct unicode_converter *in_use;

void unicode_use(const struct unicode_converter *converter)
{
    in_use = converter;
}

bool unicode_is(struct bytes text)
{
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] >= 0x80)
            return true;
    return false;
}

static int nobody(struct error *err)
{
    return error_set(err, -EINVAL, "%s", host_problem_text(HOST_NOT_ASCII));
}

static int convert(struct bytes text, struct host *ret, struct error *err)
{
    char ascii[HOST_NAME_MAX_BYTES + 1];
    struct error why = {0};
    struct host h;
    if (!in_use)
        return nobody(err);
    if (text.n > UNICODE_NAME_MAX)
        return error_set(err, -EINVAL, "%s", host_problem_text(HOST_TOO_LONG));
    int r = in_use->convert(in_use->data, text, ascii, &why);
    if (r == -ENOSYS) {
        (void)nobody(err);
        error_hint(err, "bawn-proxy would convert it, but %s", why.message);
        return -EINVAL;
    }
    if (r < 0)
        return error_set(err, -EINVAL, "the name has no ASCII form: %s", why.message);
    enum host_problem problem = host_parse(bytes_of(ascii), &h);
    if (problem != HOST_FINE)
        return error_set(err, -EINVAL, "its ASCII form (%s) is no host: %s", show(ascii),
                         host_problem_text(problem));
    if (h.kind != HOST_NAME)
        return error_set(err, -EINVAL, "its ASCII form (%s) is an address: write that",
                         show(ascii));
    *ret = h;
    return 0;
}

int unicode_host(struct bytes text, struct host *ret, struct error *err)
{
    if (unicode_is(text))
        return convert(text, ret, err);
    enum host_problem problem = host_parse(text, ret);
    return problem == HOST_FINE ? 0 : error_set(err, -EINVAL, "%s", host_problem_text(problem));
}

enum host_problem unicode_parse(struct bytes text, struct host *ret)
{
    enum host_problem problem = host_parse(text, ret);
    return problem == HOST_NOT_ASCII && convert(text, ret, NULL) == 0 ? HOST_FINE : problem;
}

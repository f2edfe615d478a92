/* Git's indirection files. See gitfile.h. */
#include "base/gitfile.h"

#include "base/limits.h"

#include <errno.h>

int gitfile_parse(struct bytes text, const char *prefix, struct bytes *ret)
{
    size_t pn = strlen(prefix);
    if (text.n > MAX_GITFILE_BYTES || text.n < pn || memcmp(text.p, prefix, pn) != 0)
        return -EBADMSG;
    text.p += pn;
    text.n -= pn;
    while (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
        text.n--;
    if (text.n == 0 || text.n >= MAX_PATH_BYTES || memchr(text.p, '\0', text.n))
        return -EBADMSG;
    *ret = text;
    return 0;
}

/*
 * Names outside ASCII: libidn2's reading of UTS 46, non-transitional ("faß" and "fass" are two
 * names). For clients that send such a name by SOCKS, and for the launcher, which links no library
 * and runs `bawn-proxy --to-ascii`: a name a line on standard input, a line with its form
 * ("=xn--…") or with why it has none ("!…") on standard output. The names are of configuration,
 * which may be a stranger's: there is nothing by then that this program could read, write or start.
 */
#include "proxy/proxy.h"

#include "helper/confine.h"
#include "network/unicode.h"

#include <errno.h>
#include <idn2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define NAMES_MOST 1000000u /* of one run */

static int convert(void *data, struct bytes name, char ret[HOST_NAME_MAX_BYTES + 1],
                   struct error *err)
{
    char text[UNICODE_NAME_MAX + 1];
    char *ascii = NULL;
    (void)data;
    if (name.n >= sizeof(text) || memchr(name.p, '\0', name.n))
        return error_set(err, -EINVAL, "it is too long");
    memcpy(text, name.p, name.n);
    text[name.n] = '\0';
    int r = idn2_to_ascii_8z(text, &ascii, IDN2_NONTRANSITIONAL);
    if (r != IDN2_OK)
        return error_set(err, -EINVAL, "%s", idn2_strerror(r));
    size_t n = strlen(ascii);
    bool fits = n <= HOST_NAME_MAX_BYTES;
    memcpy(ret, ascii, fits ? n + 1 : 0);
    idn2_free(ascii);
    return fits ? 0 : error_set(err, -EINVAL, "it is too long");
}

static const struct unicode_converter library = {.convert = convert};

void to_ascii_use(void)
{
    unicode_use(&library);
}

/* ---- for the launcher ---- */

static int give_up_rights(struct error *err)
{
    const struct rlimit none = {0, 0}, seconds = {60, 60};
    int r = confine_memory(err);
    if (r == 0)
        r = confine_growth(err);
    if (r == 0)
        r = confine_files(NULL, 0, err);
    if (r == 0)
        r = confine_capabilities(err);
    if (r == 0 && !SANITIZED &&
        (setrlimit(RLIMIT_NOFILE, &none) < 0 || setrlimit(RLIMIT_NPROC, &none) < 0 ||
         setrlimit(RLIMIT_CPU, &seconds) < 0))
        r = error_errno(err, -errno, "cannot limit itself");
    return r;
}

static void answer(struct bytes name)
{
    char ascii[HOST_NAME_MAX_BYTES + 1];
    struct error why = {0};
    int r = name.n ? convert(NULL, name, ascii, &why) : error_set(&why, -EINVAL, "it is empty");
    (void)printf("%c%s\n", r == 0 ? '=' : '!', r == 0 ? ascii : why.message);
}

int to_ascii_main(void)
{
    static char line[UNICODE_NAME_MAX + 2]; /* with the newline */
    struct error err = {0};
    if (give_up_rights(&err) < 0) {
        (void)fprintf(stderr, "bawn-proxy: %s\n", err.message);
        return 125;
    }
    for (size_t i = 0; i < NAMES_MOST && fgets(line, sizeof(line), stdin); i++) {
        size_t n = strlen(line);
        bool whole = n && line[n - 1] == '\n';
        if (!whole && n + 1 == sizeof(line)) {
            int c;
            while ((c = getc(stdin)) != EOF && c != '\n')
                continue;
            (void)puts("!it is too long");
        } else {
            answer((struct bytes){line, n - whole});
        }
        if (fflush(stdout) != 0)
            return 1;
    }
    return ferror(stdin) ? 1 : 0;
}

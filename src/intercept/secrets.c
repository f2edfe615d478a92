/* See secrets.h. */
#include "intercept/secrets.h"

#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC 0x65737762u /* "bwse" */
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

/* ---- memory ---- */

static int region_open(struct secrets *s, size_t n, size_t bytes, struct error *err)
{
    size_t size = n * sizeof(struct secret) + bytes + 1;
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return error_errno(err, -errno, "no memory for the credentials");
    (void)mlock(p, size); /* a small limit is no reason not to work */
    (void)madvise(p, size, MADV_DONTDUMP);
    (void)madvise(p, size, MADV_WIPEONFORK);
    *s = (struct secrets){.v = p, .region = p, .size = size, .used = n * sizeof(struct secret)};
    return 0;
}

static char *region_take(struct secrets *s, size_t n)
{
    char *p = (char *)s->region + s->used;
    if (n > s->size - s->used)
        return NULL;
    s->used += n;
    return p;
}

void secrets_release(struct secrets *s)
{
    if (s->region) {
        explicit_bzero(s->region, s->size);
        (void)munmap(s->region, s->size);
    }
    *s = (struct secrets){0};
}

/* ---- placeholders ---- */

static const char *const kinds[] = {
    "github_pat_", "ghp_", "gho_",  "ghu_",  "ghs_",   "ghr_",    "glpat-", "sk-ant-",
    "sk-proj-",    "sk-",  "xoxb-", "xoxp-", "xapp-",  "AKIA",    "ASIA",   "npm_",
    "pypi-",       "hf_",  "AIza",  "ya29.", "shpat_", "dop_v1_",
};

static char other_of(char c, uint8_t random)
{
    if (c >= '0' && c <= '9')
        return (char)('0' + random % 10);
    if (c >= 'a' && c <= 'z')
        return (char)('a' + random % 26);
    return c >= 'A' && c <= 'Z' ? (char)('A' + random % 26) : c;
}

static bool is_other(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool secret_placeholder(const char *value, size_t n, char *buf)
{
    size_t kept = 0, changeable = 0;
    uint8_t random[256];
    for (size_t i = 0; i < ARRAY_LEN(kinds) && kept == 0; i++)
        if (n > strlen(kinds[i]) && memcmp(value, kinds[i], strlen(kinds[i])) == 0)
            kept = strlen(kinds[i]);
    for (size_t i = kept; i < n; i++)
        changeable += is_other(value[i]);
    if (changeable < SECRET_LEAST - 2)
        return false;
    do {
        for (size_t i = 0; i < n; i++) {
            if (i % sizeof(random) == 0 &&
                getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
                return false;
            buf[i] = i < kept ? value[i] : other_of(value[i], random[i % sizeof(random)]);
        }
    } while (memcmp(buf, value, n) == 0);
    return true;
}

/* ---- reading them ---- */

static int fault(struct error *err, const struct netcredential *c, int code, const char *what,
                 const char *where)
{
    (void)error_set(err, code, "network.credentials: \"%s\": %s%s", show(c->name),
                    where ? show(where) : "the secret", what);
    error_at(err, c->place.file ? c->place.file : "", c->place.line, c->place.column, 0, NULL, 0);
    return code;
}

static int read_file(const struct netcredential *c, struct strbuf *text, struct error *err)
{
    _cleanup_fd_ int fd = open(c->from_file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st;
    if (fd < 0)
        return fault(err, c, -errno, errno == ENOENT ? " is not there" : " cannot be read",
                     c->from_file);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return fault(err, c, -EINVAL, " is no regular file", c->from_file);
    if (fd_read_all(fd, SECRET_MOST + 2, text) < 0)
        return fault(err, c, -EINVAL, " cannot be read, or is longer than a secret may be",
                     c->from_file);
    return 0;
}

/* One line of what can stand in a header. */
static int check_value(const struct netcredential *c, const char *value, size_t n,
                       struct error *err)
{
    if (n < SECRET_LEAST)
        return fault(err, c, -EINVAL, n ? " is shorter than 8 bytes" : " is empty", NULL);
    if (n > SECRET_MOST)
        return fault(err, c, -EINVAL, " is longer than 4096 bytes", NULL);
    for (size_t i = 0; i < n; i++)
        if (value[i] < ' ' || value[i] >= 0x7f || (value[i] == ' ' && (i == 0 || i == n - 1)))
            return fault(err, c, -EINVAL,
                         " is not one line of printable ASCII without space at its ends", NULL);
    return 0;
}

static int take_value(struct secrets *s, const struct netcredential *c, const char *value, size_t n,
                      struct error *err)
{
    struct secret *to = &s->v[s->n];
    int r = check_value(c, value, n, err);
    if (r < 0)
        return r;
    to->n = n;
    to->value = region_take(s, n + 1);
    to->placeholder = region_take(s, n + 1);
    if (!to->value || !to->placeholder)
        return error_errno(err, -ENOMEM, "no memory for the credentials");
    memcpy(to->value, value, n);
    if (!secret_placeholder(value, n, to->placeholder))
        return fault(err, c, -EINVAL, " has too few letters and digits", NULL);
    s->n++;
    return 0;
}

static int collect_one(struct secrets *s, const struct netcredential *c,
                       const char *(*get)(const char *name), struct error *err)
{
    if (c->from_env) {
        const char *value = get(c->from_env);
        if (!value)
            return fault(err, c, -EINVAL, " is not set", c->from_env);
        return take_value(s, c, value, strlen(value), err);
    }
    _cleanup_strbuf_ struct strbuf text = {.max = 2 * SECRET_MOST};
    int r = read_file(c, &text, err);
    size_t n = text.n;
    while (n > 0 && (text.p[n - 1] == '\n' || text.p[n - 1] == '\r'))
        n--;
    if (r == 0)
        r = take_value(s, c, strbuf_text(&text), n, err);
    if (text.p)
        explicit_bzero(text.p, text.cap);
    return r;
}

int secrets_collect(const struct netcredentials *c, const char *(*get)(const char *name),
                    struct secrets *ret, struct error *err)
{
    struct secrets s = {0};
    int r = region_open(&s, c->n, c->n * 2 * (SECRET_MOST + 1), err);
    for (size_t i = 0; r == 0 && s.v && i < c->n; i++)
        r = collect_one(&s, &c->v[i], get, err);
    if (r < 0)
        secrets_release(&s);
    else
        *ret = s;
    return r;
}

/* ---- from one process to the other ---- */

int secrets_send(const struct secrets *s, int *ret_fd, struct error *err)
{
    _cleanup_fd_ int fd = memfd_create("bawn", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    uint32_t head[2] = {MAGIC, (uint32_t)s->n};
    int r = fd < 0 ? -errno : fd_write_all(fd, head, sizeof(head));
    for (size_t i = 0; r == 0 && i < s->n; i++) {
        uint32_t n = (uint32_t)s->v[i].n;
        r = fd_write_all(fd, &n, sizeof(n));
        if (r == 0)
            r = fd_write_all(fd, s->v[i].value, n);
        if (r == 0)
            r = fd_write_all(fd, s->v[i].placeholder, n);
    }
    if (r == 0 && (fcntl(fd, F_ADD_SEALS, SEALS) < 0 || lseek(fd, 0, SEEK_SET) < 0))
        r = -errno;
    if (r < 0)
        return error_errno(err, r, "cannot hand the credentials over");
    *ret_fd = steal_fd(&fd);
    return 0;
}

static bool take(const char **p, size_t *left, void *ret, size_t n)
{
    if (n > *left)
        return false;
    memcpy(ret, *p, n);
    *p += n;
    *left -= n;
    return true;
}

static bool unpack(struct secrets *s, const char *p, size_t left, size_t count)
{
    for (size_t i = 0; s->v && i < count; i++) {
        struct secret *to = &s->v[s->n];
        uint32_t n;
        if (!take(&p, &left, &n, sizeof(n)) || n < SECRET_LEAST || n > SECRET_MOST)
            return false;
        to->n = n;
        to->value = region_take(s, n + 1u);
        to->placeholder = region_take(s, n + 1u);
        if (!to->value || !to->placeholder || !take(&p, &left, to->value, n) ||
            !take(&p, &left, to->placeholder, n))
            return false;
        s->n++;
    }
    return left == 0;
}

int secrets_receive(int fd, struct secrets *ret, struct error *err)
{
    struct stat st;
    struct secrets s = {0};
    uint32_t head[2] = {0, 0};
    if (fcntl(fd, F_GET_SEALS) != SEALS || fstat(fd, &st) < 0 || st.st_size < (off_t)sizeof(head) ||
        st.st_size > (off_t)(MAX_CREDENTIALS * 2 * 4200))
        return error_set(err, -EINVAL, "the credentials did not come as they should");
    size_t size = (size_t)st.st_size;
    const char *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0), *at = p;
    if (p == MAP_FAILED)
        return error_errno(err, -errno, "cannot read the credentials");
    (void)madvise((void *)(uintptr_t)p, size, MADV_DONTDUMP);
    size_t left = size;
    bool fine =
        take(&at, &left, head, sizeof(head)) && head[0] == MAGIC && head[1] <= MAX_CREDENTIALS;
    int r = fine ? region_open(&s, head[1], size + head[1] * 2u, err)
                 : error_set(err, -EINVAL, "the credentials are damaged");
    if (r == 0 && !unpack(&s, at, left, head[1]))
        r = error_set(err, -EINVAL, "the credentials are damaged");
    (void)munmap((void *)(uintptr_t)p, size);
    if (r < 0)
        secrets_release(&s);
    else
        *ret = s;
    return r;
}

/* ---- hiding them ---- */

static void hide_one(const struct secret *s, char *p, size_t n)
{
    char *end = p + n, *at;
    while ((at = memmem(p, (size_t)(end - p), s->value, s->n)) != NULL) {
        memcpy(at, s->placeholder, s->n);
        p = at + s->n;
    }
}

size_t secrets_hide(const struct secret *const *list, size_t n_list, char *p, size_t n)
{
    size_t held = 0;
    for (size_t i = 0; i < n_list; i++) {
        hide_one(list[i], p, n);
        for (size_t k = MIN_OF(list[i]->n - 1, n); k > held; k--)
            if (memcmp(p + n - k, list[i]->value, k) == 0) {
                held = k;
                break;
            }
    }
    return held;
}

/*
 * Answers of a session. See session.h.
 *
 * A file is STATE_DIR/session/NAME, a line an answer: the key, then each grant as hexadecimal, a
 * space between. Appended under a lock with one write; a line that a crash cut short is no line.
 */
#include "approval/session.h"

#include "base/fd.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SESSION_MAX_BYTES (1024u * 1024) /* of one file: some thousands of answers */
#define BOOT_ID_DIGITS    8

/* ---- the name ---- */

/* The 22nd field of /proc/PID/stat: ticks since the boot. The second may hold anything, in
 * parentheses. */
static int start_of(pid_t pid, uint64_t *ret)
{
    char path[64], buf[1024];
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    _cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
    if (n <= 0)
        return -ESRCH;
    buf[n] = '\0';
    const char *p = strrchr(buf, ')');
    for (int field = 2; p && field < 22; field++)
        p = strchr(p + 1, ' ');
    char *end;
    errno = 0;
    unsigned long long v = p ? strtoull(p + 1, &end, 10) : 0;
    if (!p || errno || *end != ' ')
        return -ESRCH;
    *ret = v;
    return 0;
}

static int boot_of(char ret[BOOT_ID_DIGITS + 1])
{
    _cleanup_fd_ int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, ret, BOOT_ID_DIGITS) != BOOT_ID_DIGITS)
        return -ESRCH;
    ret[BOOT_ID_DIGITS] = '\0';
    for (int i = 0; i < BOOT_ID_DIGITS; i++)
        if (!strchr("0123456789abcdef", ret[i]))
            return -ESRCH;
    return 0;
}

int session_name(struct arena *a, const char *chosen, const char **ret, struct error *err)
{
    if (chosen) {
        char hex[SHA256_HEX_BYTES];
        sha256_hex_of(chosen, strlen(chosen), hex);
        *ret = arena_printf(a, "n-%s", hex);
    } else {
        pid_t leader = getsid(0);
        uint64_t start;
        char boot[BOOT_ID_DIGITS + 1];
        /* Of a leader in an outer pid namespace there is no number. */
        if (leader <= 0 || start_of(leader, &start) < 0 || boot_of(boot) < 0)
            return error_set(err, -ESRCH, "the session of this terminal cannot be told");
        *ret = arena_printf(a, "s-%s-%d-%" PRIu64, boot, (int)leader, start);
    }
    return *ret ? 0 : error_errno(err, -ENOMEM, "cannot name the session");
}

/* Has the session of the file NAME ended? One that was named by an agent does not say. */
static bool has_ended(const char *name)
{
    char boot[BOOT_ID_DIGITS + 1];
    int pid;
    uint64_t start, now;
    if (strncmp(name, "s-", 2) != 0 || boot_of(boot) < 0)
        return false;
    if (strncmp(name + 2, boot, BOOT_ID_DIGITS) != 0)
        return true;
    char *end;
    if (name[2 + BOOT_ID_DIGITS] != '-')
        return false;
    errno = 0;
    pid = (int)strtol(name + 3 + BOOT_ID_DIGITS, &end, 10);
    if (errno || *end != '-')
        return false;
    start = strtoull(end + 1, &end, 10);
    return *end == '\0' && (start_of(pid, &now) < 0 || now != start);
}

/* ---- keys ---- */

void session_key_put(struct sha256 *key, const void *p, size_t n)
{
    uint64_t length = n;
    sha256_put(key, &length, sizeof(length));
    sha256_put(key, p, n);
}

void session_key_text(struct sha256 *key, const char *text)
{
    session_key_put(key, text ? "+" : "-", 1);
    session_key_put(key, text ? text : "", text ? strlen(text) : 0);
}

/* ---- the file ---- */

/* STATE_DIR/session, ours alone. */
static int open_folder(const char *state_dir, bool make)
{
    _cleanup_fd_ int state = open(state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct stat st;
    if (state < 0 || (make && mkdirat(state, "session", 0700) < 0 && errno != EEXIST))
        return -errno;
    _cleanup_fd_ int fd = openat(state, "session", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    return st.st_uid == geteuid() && (st.st_mode & 077) == 0 ? steal_fd(&fd) : -EPERM;
}

static int open_answers(int folder, const char *name, int flags)
{
    struct stat st;
    _cleanup_fd_ int fd =
        openat(folder, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    bool ours = S_ISREG(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 077) == 0;
    return ours ? steal_fd(&fd) : -EPERM;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One grant, back from hexadecimal; NULL when it is none. */
static char *unhex(struct arena *a, struct bytes hex)
{
    char *s = hex.n % 2 ? NULL : arena_alloc(a, hex.n / 2 + 1);
    for (size_t i = 0; s && i < hex.n / 2; i++) {
        int high = hex_digit(hex.p[2 * i]), low = hex_digit(hex.p[2 * i + 1]);
        if (high < 0 || low < 0 || (high == 0 && low == 0))
            return NULL;
        s[i] = (char)(high << 4 | low);
    }
    if (s)
        s[hex.n / 2] = '\0';
    return s;
}

/* The grants behind the key of LINE. */
static int parse_grants(struct arena *a, struct bytes line, const char ***ret, size_t *ret_n)
{
    size_t n = 0, most = 0;
    for (size_t i = 0; i < line.n; i++)
        most += line.p[i] == ' ';
    const char **v = arena_zalloc(a, most + 1, sizeof(*v));
    if (!v)
        return -ENOMEM;
    while (line.n > 0) {
        line.p++; /* the space */
        line.n--;
        const char *end = memchr(line.p, ' ', line.n);
        struct bytes one = {line.p, end ? (size_t)(end - line.p) : line.n};
        if (one.n == 0 || !(v[n++] = unhex(a, one)))
            return -EBADMSG;
        line.p += one.n;
        line.n -= one.n;
    }
    *ret = v;
    *ret_n = n;
    return 0;
}

int session_look(struct arena *a, const char *state_dir, const char *name,
                 const char key[SHA256_HEX_BYTES], const char ***ret_grants, size_t *ret_n)
{
    _cleanup_fd_ int folder = open_folder(state_dir, false);
    _cleanup_fd_ int fd = folder < 0 ? folder : open_answers(folder, name, O_RDONLY);
    _cleanup_strbuf_ struct strbuf text = {0};
    const size_t digits = SHA256_HEX_BYTES - 1;
    int result = -ENOENT;
    if (fd < 0 || fd_read_all(fd, SESSION_MAX_BYTES, &text) < 0)
        return -ENOENT;
    const char *p = strbuf_text(&text), *end = p + text.n;
    for (const char *stop; (stop = memchr(p, '\n', (size_t)(end - p))); p = stop + 1) {
        struct bytes line = {p, (size_t)(stop - p)};
        if (line.n < digits || memcmp(line.p, key, digits) != 0 ||
            (line.n > digits && line.p[digits] != ' '))
            continue;
        /* The newest answer counts. */
        struct bytes rest = {line.p + digits, line.n - digits};
        if (parse_grants(a, rest, ret_grants, ret_n) == 0)
            result = 0;
    }
    return result;
}

static void remove_ended(int folder)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        fd_close(fd);
        return;
    }
    for (const struct dirent *e; (e = readdir(d));)
        if (has_ended(e->d_name))
            (void)unlinkat(folder, e->d_name, 0);
    (void)closedir(d);
}

static int append(int fd, const struct strbuf *line)
{
    struct stat st;
    char last = '\n';
    while (flock(fd, LOCK_EX) < 0)
        if (errno != EINTR)
            return -errno;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_size + (off_t)line->n > (off_t)SESSION_MAX_BYTES)
        return -EFBIG;
    /* What a crash cut short ends here. */
    if (st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) == 1 && last != '\n' &&
        fd_write_all(fd, "\n", 1) < 0)
        return -EIO;
    int r = fd_write_all(fd, line->p, line->n);
    if (r < 0 && ftruncate(fd, st.st_size) < 0)
        return -errno;
    return r;
}

int session_add(const char *state_dir, const char *name, const char key[SHA256_HEX_BYTES],
                const char *const *grants, size_t n, struct error *err)
{
    _cleanup_strbuf_ struct strbuf line = {0};
    strbuf_puts(&line, key);
    for (size_t i = 0; i < n; i++) {
        strbuf_putc(&line, ' ');
        for (const char *p = grants[i]; *p; p++)
            strbuf_printf(&line, "%02x", (unsigned char)*p);
    }
    strbuf_putc(&line, '\n');
    _cleanup_fd_ int folder = open_folder(state_dir, true);
    _cleanup_fd_ int fd =
        folder < 0 ? folder : open_answers(folder, name, O_RDWR | O_APPEND | O_CREAT);
    int r = strbuf_failed(&line) ? -ENOMEM : fd < 0 ? fd : append(fd, &line);
    if (r < 0)
        return error_errno(err, r, "the answer cannot be kept for the session in %s/session",
                           show(state_dir));
    remove_ended(folder);
    return 0;
}

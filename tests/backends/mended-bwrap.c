/*
 * A stand-in for a mended bubblewrap, for tests on machines whose own is not (CVE-2026-87766).
 *
 * What it stands for: bubblewrap 0.12 or later, which makes every mount point beneath the new root
 * and refuses one whose parent leads out of it. What it is: a look at the arguments, in argv and in
 * what
 * --args names, for a destination whose parent leads through a symlink to /oldroot or out of the
 * new root. Up to such a destination the real program, REAL_BWRAP, sets up what was asked, as a
 * mended one would have by then, and the call is refused with a message like bubblewrap's; every
 * other call is handed to it unchanged. It looks before the real one acts and closes no race: it
 * makes the ordinary paths of the backend testable and is no cure to install anywhere.
 *
 * With RECORD (a path) it writes its arguments and its environment there, one a line, for tests of
 * what reaches bwrap.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef REAL_BWRAP
#define REAL_BWRAP "/usr/bin/bwrap"
#endif

#define WORDS_MAX 65536

static const char *words[WORDS_MAX];
static size_t n_words;

static void refuse(const char *what, const char *path)
{
    (void)fprintf(stderr, "bwrap: %s %s: Too many levels of symbolic links\n", what, path);
    exit(1);
}

static void add(const char *w)
{
    if (n_words == WORDS_MAX)
        refuse("Too many arguments at", w);
    words[n_words++] = w;
}

/* The words of --args FD; the descriptor is left at its start for the real one. */
static void add_from(const char *number)
{
    int fd = atoi(number);
    off_t size = lseek(fd, 0, SEEK_END);
    if (size < 0 || lseek(fd, 0, SEEK_SET) < 0)
        refuse("Can't read --args from", number);
    char *text = malloc((size_t)size + 1);
    if (!text || pread(fd, text, (size_t)size, 0) != size)
        refuse("Can't read --args from", number);
    text[size] = '\0';
    for (char *p = text; p < text + size; p += strlen(p) + 1)
        add(p);
}

static const struct option {
    const char *name;
    int skip;        /* words before the destination */
    bool binds, own; /* `own`: a file system of the sandbox's, where nothing of the host's is */
} options[] = {
    {"--bind", 1, true, false},          {"--bind-try", 1, true, false},
    {"--ro-bind", 1, true, false},       {"--ro-bind-try", 1, true, false},
    {"--dev-bind", 1, true, false},      {"--dev-bind-try", 1, true, false},
    {"--bind-fd", 1, true, false},       {"--ro-bind-fd", 1, true, false},
    {"--ro-bind-data", 1, false, false}, {"--bind-data", 1, false, false},
    {"--file", 1, false, false},         {"--symlink", 1, false, false},
    {"--tmpfs", 0, false, true},         {"--proc", 0, false, true},
    {"--dev", 0, false, true},           {"--mqueue", 0, false, true},
    {"--dir", 0, false, false},
};

/* What the arguments so far put where. */
static struct {
    const char *at, *from; /* from NULL: nothing of the host's */
} mounts[WORDS_MAX];
static size_t n_mounts;

static bool below(const char *path, const char *dir)
{
    size_t n = strlen(dir);
    return n == 1 || (strncmp(path, dir, n) == 0 && (path[n] == '/' || !path[n]));
}

/* The place on the host that PATH of the sandbox is, or false. */
static bool on_host(const char *path, char *buf, size_t cap)
{
    for (size_t i = n_mounts; i-- > 0;) {
        if (!below(path, mounts[i].at))
            continue;
        const char *rest = path + (mounts[i].at[1] ? strlen(mounts[i].at) : 0);
        if (!mounts[i].from)
            return false;
        return snprintf(buf, cap, "%s%s", mounts[i].from[1] ? mounts[i].from : "", rest) < (int)cap;
    }
    return false;
}

/* Does the link text LINK, found at depth DEPTH below the root, lead out of it? */
static bool leads_out(const char *link, int depth)
{
    if (link[0] == '/')
        depth = 0;
    for (const char *p = link; *p;) {
        while (*p == '/')
            p++;
        size_t n = strcspn(p, "/");
        if (n == 2 && p[0] == '.' && p[1] == '.') {
            if (--depth < 0)
                return true;
        } else if (n && !(n == 1 && p[0] == '.')) {
            if (depth == 0 &&
                ((n == 7 && !strncmp(p, "oldroot", 7)) || (n == 7 && !strncmp(p, "newroot", 7))))
                return true;
            depth++;
        }
        p += n;
    }
    return false;
}

/* Everything before word I, and nothing to run in it. */
static void set_up_before(size_t i)
{
    static char *argv[WORDS_MAX + 4];
    size_t n = 0;
    if (i >= 2 && strcmp(words[i - 2], "--perms") == 0)
        i -= 2;
    argv[n++] = (char *)"bwrap";
    for (size_t k = 0; k < i; k++)
        argv[n++] = (char *)words[k];
    argv[n++] = (char *)"--";
    argv[n] = (char *)"/none";
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        (void)dup2(null, 2);
        (void)execv(REAL_BWRAP, argv);
        _exit(1);
    }
    (void)waitpid(pid, NULL, 0);
}

static void check(size_t option, const char *dest)
{
    char path[PATH_MAX], host[PATH_MAX * 2], link[PATH_MAX];
    int depth = 0;
    for (const char *p = dest; (p = strchr(p + 1, '/')); depth++) {
        (void)snprintf(path, sizeof(path), "%.*s", (int)(p - dest), dest);
        if (!on_host(path, host, sizeof(host)))
            continue;
        ssize_t n = readlink(host, link, sizeof(link) - 1);
        if (n < 0)
            continue;
        link[n] = '\0';
        if (!leads_out(link, depth))
            continue;
        set_up_before(option);
        refuse("Can't mkdir parents for", dest);
    }
}

/* ---- descriptors ---- */

static bool takes_fd(const char *option)
{
    return strcmp(option, "--bind-fd") == 0 || strcmp(option, "--ro-bind-fd") == 0;
}

/* What the descriptor holds, by its name. */
static char *name_of_fd(const char *number)
{
    char link[64], path[PATH_MAX];
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%s", number);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    if (n < 0)
        refuse("Can't find what is behind descriptor", number);
    path[n] = '\0';
    return strdup(path);
}

#ifdef RECORD
static void record(void)
{
    FILE *f = fopen(RECORD, "ae");
    if (!f)
        return;
    for (size_t i = 0; i < n_words; i++)
        (void)fprintf(f, "arg %s\n", words[i]);
    for (char **e = environ; *e; e++)
        (void)fprintf(f, "env %s\n", *e);
    (void)fclose(f);
}
#endif

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--args") == 0 && i + 1 < argc) {
            add_from(argv[++i]);
            continue;
        }
        if (strcmp(argv[i], "--") == 0)
            break;
        add(argv[i]);
    }
#ifdef RECORD
    record();
#endif
    for (size_t i = 0; i < n_words; i++)
        for (size_t k = 0; k < sizeof(options) / sizeof(options[0]); k++) {
            const struct option *o = &options[k];
            size_t at = i + 1 + (size_t)o->skip;
            if (strcmp(words[i], o->name) != 0 || at >= n_words)
                continue;
            check(i, words[at]);
            if (o->binds || o->own) {
                mounts[n_mounts].at = words[at];
                mounts[n_mounts++].from = !o->binds           ? NULL
                                          : takes_fd(o->name) ? name_of_fd(words[i + 1])
                                                              : words[i + 1];
            }
            i = at;
            break;
        }
    (void)execv(REAL_BWRAP, argv);
    (void)fprintf(stderr, "bwrap: cannot execute %s: %s\n", REAL_BWRAP, strerror(errno));
    return 1;
}

/* The files behind an approval. See binding.h. */
#include "cli/binding.h"

#include "approval/session.h"
#include "base/fd.h"
#include "base/limits.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Programs that run a file they are given; a digit or a dot may follow (python3.11). */
static const char *const interpreters[] = {
    "sh",     "bash",    "dash", "zsh",   "ksh",  "busybox", "python", "node",
    "nodejs", "deno",    "bun",  "perl",  "ruby", "php",     "lua",    "tclsh",
    "expect", "Rscript", "awk",  "gawk",  "mawk", "make",    "env",    "source",
    ".",      "sudo",    "doas", "nohup", "nice", "timeout", "setsid", "xargs",
};

static bool is_interpreter(const char *name)
{
    size_t n = strlen(name);
    while (n > 1 && ((name[n - 1] >= '0' && name[n - 1] <= '9') || name[n - 1] == '.'))
        n--;
    for (size_t i = 0; i < ARRAY_LEN(interpreters); i++)
        if (strlen(interpreters[i]) == n && memcmp(interpreters[i], name, n) == 0)
            return true;
    return false;
}

/* Device, inode, size, time; with CONTENT, the content too. False: it could not be read. */
static bool put_file(int dirfd, const char *path, bool content, struct sha256 *key)
{
    struct stat st;
    unsigned char digest[SHA256_BYTES] = {0};
    _cleanup_fd_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    bool known = fd >= 0 ? fstat(fd, &st) == 0 : fstatat(dirfd, path, &st, 0) == 0;
    if (!known || !S_ISREG(st.st_mode)) {
        session_key_text(key, NULL);
        return known;
    }
    const uint64_t facts[] = {(uint64_t)st.st_dev,         (uint64_t)st.st_ino,
                              (uint64_t)st.st_size,        (uint64_t)st.st_mode,
                              (uint64_t)st.st_mtim.tv_sec, (uint64_t)st.st_mtim.tv_nsec,
                              (uint64_t)st.st_ctim.tv_sec, (uint64_t)st.st_ctim.tv_nsec};
    if (!content) {
        session_key_put(key, facts, sizeof(facts));
        return true;
    }
    if (fd < 0 || st.st_size > (off_t)MAX_FILE_BYTES || sha256_fd(fd, digest) < 0) {
        session_key_put(key, facts, sizeof(facts));
        return false;
    }
    session_key_put(key, digest, sizeof(digest));
    return true;
}

/* Where relative names lead: the directory of the run and, behind `cd DIR`, that one as well. */
struct places {
    int start, now; /* now: -1 until there is another */
};

/* Each word that names a file: an interpreter's script stands among them, and so does the program
 * behind a wrapper. One that reads its program from an input cannot be told from the next time. */
static bool put_scripts(const struct command *c, const struct places *at, struct sha256 *key)
{
    bool fine = true;
    for (size_t i = 1; i < c->n; i++) {
        struct stat st;
        const char *word = c->words[i].text;
        if (!c->words[i].known || !word[0] || (word[0] == '-' && word[1]))
            continue;
        if (str_eq(word, "-"))
            fine = false;
        for (int k = 0; k < 2; k++) {
            int dirfd = k ? at->now : at->start;
            if ((k && dirfd < 0) || fstatat(dirfd, word, &st, 0) < 0)
                continue;
            if (S_ISREG(st.st_mode))
                fine = put_file(dirfd, word, true, key) && fine;
            else if (!S_ISDIR(st.st_mode))
                fine = false;
        }
    }
    return fine;
}

static bool only_options(const struct command *c)
{
    for (size_t i = 1; i < c->n; i++)
        if (c->words[i].text[0] != '-')
            return false;
    return true;
}

/* Follows `cd DIR`. False: where it leads is not known. */
static bool move_to(const struct command *c, struct places *at)
{
    const char *to = c->n == 2 && c->words[1].known ? c->words[1].text : "-";
    if (at->now >= 0 || to[0] == '-' || !to[0] || (to[0] != '/' && getenv("CDPATH")))
        return false; /* a second one: of a first one in parentheses, or behind it? */
    at->now = openat(at->start, to, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return at->now >= 0;
}

static bool is_mover(const char *name)
{
    static const char *const movers[] = {"cd", "pushd", "popd", "chdir"};
    for (size_t i = 0; i < ARRAY_LEN(movers); i++)
        if (str_eq(name, movers[i]))
            return true;
    return false;
}

/* Shells and interpreters that take what they run from standard input when no word names it. */
static bool reads_input(const char *name)
{
    static const char *const others[] = {"make",    "env",    "sudo",  "doas",   "nohup", "nice",
                                         "timeout", "setsid", "xargs", "source", "."};
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (str_eq(name, others[i]))
            return false;
    return is_interpreter(name);
}

static bool put_command(const struct judged *j, struct places *at, struct sha256 *key)
{
    const struct command *c = j->command;
    const char *name = c->words[0].text, *slash = strrchr(name, '/');
    const char *base = slash ? slash + 1 : name;
    bool fine = true;
    session_key_text(key, j->program.resolved);
    if (j->program.resolved && !put_file(AT_FDCWD, j->program.resolved, !j->program.trusted, key))
        fine = false;
    if (slash && name[0] != '/' && at->now >= 0)
        fine = put_file(at->now, name, true, key) && fine;
    if (reads_input(base) && only_options(c))
        fine = false;
    if (is_interpreter(base))
        fine = put_scripts(c, at, key) && fine;
    if (is_mover(base))
        fine = move_to(c, at) && fine;
    return fine;
}

bool binding_put(const struct judgement *judgement, const char *cwd, struct sha256 *key)
{
    bool fine = true;
    struct places at = {.start = open(cwd, O_PATH | O_DIRECTORY | O_CLOEXEC), .now = -1};
    for (size_t i = 0; i < judgement->n; i++)
        fine = put_command(&judgement->v[i], &at, key) && fine;
    fd_close(at.start);
    fd_close(at.now);
    return fine;
}

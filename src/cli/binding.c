/* The files behind an approval. See binding.h. */
#include "cli/binding.h"

#include "approval/session.h"
#include "base/fd.h"
#include "base/limits.h"

#include <fcntl.h>
#include <stdio.h>
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

/* The first word that names a file: an interpreter's script, or the program behind a wrapper. */
static bool put_script(const struct command *c, int dirfd, struct sha256 *key)
{
    for (size_t i = 1; i < c->n; i++) {
        struct stat st;
        const char *word = c->words[i].text;
        if (c->words[i].known && word[0] && word[0] != '-' && fstatat(dirfd, word, &st, 0) == 0 &&
            S_ISREG(st.st_mode))
            return put_file(dirfd, word, true, key);
    }
    return true;
}

bool binding_put(const struct judgement *judgement, const char *cwd, struct sha256 *key)
{
    bool fine = true;
    _cleanup_fd_ int dirfd = open(cwd, O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < judgement->n; i++) {
        const struct judged *j = &judgement->v[i];
        const char *name = j->command->words[0].text, *slash = strrchr(name, '/');
        session_key_text(key, j->program.resolved);
        if (j->program.resolved &&
            !put_file(AT_FDCWD, j->program.resolved, !j->program.trusted, key))
            fine = false;
        if (is_interpreter(slash ? slash + 1 : name) && !put_script(j->command, dirfd, key))
            fine = false;
    }
    return fine;
}

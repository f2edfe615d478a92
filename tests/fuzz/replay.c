/*
 * Runs a harness over the files named on the command line, and over those in the folders named
 * there (not deeper): the seeds as a unit test, and a found input again, without libFuzzer. An
 * empty input goes first; a folder that holds nothing is a failure.
 */
#include "base/fd.h"
#include "base/limits.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replayed;

static int replay(int dirfd, const char *name)
{
    _cleanup_strbuf_ struct strbuf b = {0};
    _cleanup_fd_ int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
    int r = fd < 0 ? -errno : fd_read_all(fd, MAX_FILE_BYTES, &b);
    if (r < 0) {
        (void)fprintf(stderr, "%s: %s\n", name, strerror(-r));
        return 1;
    }
    /* Exactly as large as the input is, for the address sanitizer. */
    uint8_t *exact = malloc(b.n ? b.n : 1);
    if (!exact)
        return 1;
    if (b.n)
        memcpy(exact, b.p, b.n);
    (void)LLVMFuzzerTestOneInput(exact, b.n);
    free(exact);
    replayed++;
    return 0;
}

static int replay_folder(const char *path)
{
    DIR *d = opendir(path);
    int failed = !d;
    unsigned before = replayed;
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.')
            failed |= replay(dirfd(d), e->d_name);
    if (d)
        (void)closedir(d);
    if (failed || replayed == before)
        (void)fprintf(stderr, "%s: not all could be read, or nothing is there\n", path);
    return failed || replayed == before;
}

int main(int argc, char **argv)
{
    int failed = argc < 2;
    (void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        struct stat st;
        bool folder = stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode);
        failed |= folder ? replay_folder(argv[i]) : replay(AT_FDCWD, argv[i]);
    }
    printf("%u inputs replayed\n", replayed);
    return failed;
}

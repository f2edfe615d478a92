/*
 * How long the survey takes: bench_survey DIR [GLOB…] looks at DIR as a workspace root and prints
 * the median of 21 looks, first with the nested-repository scan alone, then with each glob, then
 * with all.
 *
 *   bench_survey --make DIR DIRS FILES EVERY    makes a tree: DIRS directories, twelve to a
 * directory, with FILES files each, every EVERY-th called *.env
 */
#include "base/path.h"
#include "sandbox/survey.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RUNS 21

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static int look(const char *label, const char *dir, const char *const *globs, size_t n,
                unsigned depth)
{
    double ms[RUNS];
    size_t items = 0;
    for (size_t i = 0; i < RUNS; i++) {
        _cleanup_arena_ struct arena a = {0};
        struct perm_entry *entries = arena_zalloc(&a, n + 2, sizeof(*entries));
        if (!entries)
            return -ENOMEM;
        entries[0] = (struct perm_entry){.path = "/", .access = ACCESS_READ, .kind = ENTRY_BASE};
        entries[1] = (struct perm_entry){.path = dir, .access = ACCESS_WRITE};
        for (size_t k = 0; k < n; k++)
            entries[k + 2] =
                (struct perm_entry){.path = dir, .glob = globs[k], .access = ACCESS_NONE};
        const char *roots[1] = {dir};
        struct profile profile = {.full_read = true,
                                  .entries = entries,
                                  .n_entries = n + 2,
                                  .roots = roots,
                                  .n_roots = 1};
        struct config config = {.nested_repo_depth = depth, .nested_repo_count = 256};
        struct survey survey;
        struct error err = {0};
        double start = now();
        int r = survey_take(&a, &config, &profile, &survey, &err);
        ms[i] = now() - start;
        if (r < 0) {
            fprintf(stderr, "%s\n", err.message);
            return r;
        }
        items = survey.n_items;
    }
    qsort(ms, RUNS, sizeof(ms[0]), compare);
    printf("%-24s %8zu items  median %8.3f ms  best %8.3f ms\n", label, items, ms[RUNS / 2], ms[0]);
    return 0;
}

/* A file whose name says whether it is to match. */
static int make_file(const char *dir, unsigned long k, bool match)
{
    char path[4096];
    (void)snprintf(path, sizeof(path), match ? "%s/settings%04lu.env" : "%s/source_file_%04lu.c",
                   dir, k);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    return fd < 0 ? -errno : close(fd);
}

static int make_tree(const char *root, unsigned long dirs, unsigned long files, unsigned long every)
{
    struct arena a = {0};
    const char **all = arena_zalloc(&a, dirs + 1, sizeof(*all));
    size_t n = 0, made = 0;
    int r = all ? path_mkdirs(root, 0755) : -ENOMEM;
    if (r == 0)
        all[n++] = root;
    for (size_t at = 0; r == 0 && n < dirs; at++) {
        for (unsigned k = 0; k < 12 && n < dirs && r == 0; k++) {
            all[n] = arena_printf(&a, "%s/module%02u", all[at], k);
            r = !all[n] ? -ENOMEM : mkdir(all[n], 0755) < 0 && errno != EEXIST ? -errno : 0;
            n++;
        }
    }
    for (size_t i = 0; r == 0 && i < n; i++)
        for (unsigned long k = 0; r == 0 && k < files; k++, made++)
            r = make_file(all[i], k, every && made % every == 0);
    arena_release(&a);
    return r;
}

int main(int argc, char **argv)
{
    if (argc == 6 && str_eq(argv[1], "--make"))
        return make_tree(argv[2], strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10),
                         strtoul(argv[5], NULL, 10)) < 0;
    if (argc < 2) {
        fprintf(stderr, "usage: bench_survey DIR [GLOB...] | --make DIR DIRS FILES EVERY\n");
        return 2;
    }
    const char *const *globs = (const char *const *)argv + 2;
    size_t n = (size_t)argc - 2;
    if (look("nothing", argv[1], NULL, 0, 0) < 0 || look("nested", argv[1], NULL, 0, 4) < 0)
        return 1;
    for (size_t i = 0; i < n; i++)
        if (look(globs[i], argv[1], globs + i, 1, 0) < 0)
            return 1;
    return n > 1 && look("all globs and nested", argv[1], globs, n, 4) < 0;
}

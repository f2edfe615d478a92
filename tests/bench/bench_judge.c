/*
 * How long one decision takes in a running process: bench_judge FILE PARTS LINE… reads the rules of
 * FILE once, then reads and judges each LINE (shell text), and prints microseconds, one median a
 * line. With PARTS not 0, a line of so many parts is put together and judged instead.
 */
#include "base/fd.h"
#include "base/limits.h"
#include "rules/judge.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RUNS 301

static double now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static int one(const struct rules *rules, struct bytes text)
{
    static double us[RUNS];
    size_t n = 0;
    for (size_t i = 0; i < RUNS; i++) {
        _cleanup_arena_ struct arena a = {0};
        struct command_list list;
        struct judgement j;
        double begin = now_us();
        if (shell_read(&a, text, &list, NULL) < 0 ||
            judge(&a, &(struct judge_request){.list = &list, .rules = rules, .cwd = "/"}, &j) < 0)
            return 1;
        us[i] = now_us() - begin;
        n = j.n;
    }
    qsort(us, RUNS, sizeof(*us), compare);
    (void)printf("%.2f %zu\n", us[RUNS / 2], n);
    return 0;
}

int main(int argc, char **argv)
{
    _cleanup_arena_ struct arena a = {0};
    _cleanup_strbuf_ struct strbuf text = {0};
    struct error err = {0};
    if (argc < 3) {
        (void)fprintf(stderr, "usage: bench_judge FILE PARTS LINE...\n");
        return 2;
    }
    struct rules *rules = rules_new(&a);
    _cleanup_fd_ int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
    if (!rules || fd < 0 || fd_read_all(fd, MAX_FILE_BYTES, &text) < 0)
        return 1;
    const struct rules_source source = {
        .file = argv[1], .rank = RULES_USER, .text = {strbuf_text(&text), text.n}};
    if (rules_add(rules, &source, &err) < 0 || rules_finish(rules) < 0) {
        (void)fprintf(stderr, "bench_judge: %s:%u: %s\n", err.file, err.line, err.message);
        return 1;
    }
    unsigned long parts = strtoul(argv[2], NULL, 10);
    if (parts) {
        _cleanup_strbuf_ struct strbuf line = {0};
        for (unsigned long i = 0; i < parts; i++)
            strbuf_printf(&line, "%sprog%lu sub%lu --flag value", i ? " && " : "", i, i % 7);
        return one(rules, (struct bytes){strbuf_text(&line), line.n});
    }
    int r = 0;
    for (int i = 3; i < argc; i++)
        r |= one(rules, bytes_of(argv[i]));
    return r;
}

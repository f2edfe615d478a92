/*
 * The table of tables, and the few helpers that the attempts share.
 */
#include "escape.h"

#include <ctype.h>
#include <dirent.h>

int refused(const char *what)
{
    fprintf(stderr, "refused: %s: %s\n", what, strerror(errno));
    return 1;
}

int number(const char *s)
{
    return (int)strtol(s, NULL, 10);
}

int mark(int fd)
{
    return write(fd, "escaped\n", 8) == 8 ? 0 : refused("write");
}

int show(int fd)
{
    char buf[4096];
    ssize_t n, total = 0;

    while ((n = read(fd, buf, sizeof buf)) > 0) {
        total += n;
        fwrite(buf, 1, (size_t)n, stdout);
    }
    fflush(stdout);
    return n == 0 && total > 0 ? 0 : refused("read");
}

char *first_line(const char *path)
{
    static char line[256];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof line - 1);

    if (fd >= 0)
        close(fd);
    line[n > 0 ? n : 0] = 0;
    line[strcspn(line, "\n")] = 0;
    return line;
}

bool contains(const char *hay, size_t n, const char *needle)
{
    return *needle && memmem(hay, n, needle, strlen(needle)) != NULL;
}

int each_process(int (*fn)(const char *pid, void *data), void *data)
{
    DIR *d = opendir("/proc");
    struct dirent *e;
    int r = 1;

    if (!d)
        return refused("/proc");
    while (r != 0 && (e = readdir(d)))
        if (isdigit((unsigned char)e->d_name[0]))
            r = fn(e->d_name, data);
    closedir(d);
    return r;
}

int main(int argc, char **argv)
{
    static const struct attempt *const tables[] = {
        files_attempts,    descriptors_attempts, processes_attempts,
        sockets_attempts,  kernel_attempts,      namespaces_attempts,
        terminal_attempts, races_attempts,       outside_helpers,
    };

    if (argc < 2)
        return 2;
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const struct attempt *a = tables[t]; a->name; a++)
            if (!strcmp(a->name, argv[1])) {
                if (argc - 2 < a->min_args) {
                    fprintf(stderr, "%s: too few arguments\n", a->name);
                    return 2;
                }
                return a->run(argv + 2);
            }
    fprintf(stderr, "no attempt named %s\n", argv[1]);
    return 2;
}

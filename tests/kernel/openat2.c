/* openat2 resolves without symlinks and without leaving a directory. */
#include "probe.h"
#include <sys/stat.h>
PROBE("openat2: RESOLVE_BENEATH, NO_SYMLINKS and NO_MAGICLINKS hold; an O_PATH link can be had");

struct how {
    uint64_t flags, mode, resolve;
};
enum { NO_MAGICLINKS = 2, NO_SYMLINKS = 4, BENEATH = 8 };

static int open2(int dir, const char *path, uint64_t flags, uint64_t resolve)
{
    struct how how = {flags, 0, resolve};
    return (int)syscall(437, dir, path, &how, sizeof how);
}

int main(void)
{
    char top[] = "/tmp/probe-XXXXXX";
    must(mkdtemp(top));
    int dir = open(top, O_PATH | O_DIRECTORY);
    must(dir >= 0 && mkdirat(dir, "d", 0755) == 0 && symlinkat("d", dir, "link") == 0);
    int ok = open2(dir, "d", O_RDONLY, BENEATH | NO_SYMLINKS) >= 0 &&
             open2(dir, "link", O_RDONLY, NO_SYMLINKS) < 0 && errno == ELOOP &&
             open2(dir, "../", O_RDONLY, BENEATH) < 0 && errno == EXDEV &&
             open2(dir, "/tmp", O_RDONLY, BENEATH) < 0 && errno == EXDEV &&
             open2(AT_FDCWD, "/proc/self/fd/0", O_PATH, NO_MAGICLINKS) < 0 && errno == ELOOP &&
             open2(dir, "link", O_PATH | O_NOFOLLOW, NO_SYMLINKS) >= 0;
    unlinkat(dir, "link", 0);
    unlinkat(dir, "d", AT_REMOVEDIR);
    rmdir(top);
    must(ok);
    yes();
}

/* A mount on a file or a directory stays with it: the name cannot be removed or replaced below it
 * in this mount namespace, a parent's rename takes it along. */
#include "probe.h"
#include <sys/mount.h>
#include <sys/stat.h>
PROBE("mounts: a covered name is busy, and a mask moves along with a renamed parent");

int main(void)
{
    char top[] = "/tmp/probe-XXXXXX";
    must(mkdtemp(top));
    pid_t pid = fork();
    if (pid == 0) {
        child_must(enter_userns(CLONE_NEWNS) == 0);
        child_must(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
        child_must(mount("tmpfs", top, "tmpfs", 0, NULL) == 0 && chdir(top) == 0);
        child_must(mkdir("d", 0755) == 0);
        child_must(close(open("d/secret", O_CREAT | O_WRONLY, 0644)) == 0);
        child_must(put("d/secret", "s") == 0);
        child_must(close(open("other", O_CREAT | O_WRONLY, 0644)) == 0);
        child_must(mount("/dev/null", "d/secret", NULL, MS_BIND, NULL) == 0);
        child_must(unlink("d/secret") < 0 && errno == EBUSY);
        child_must(rename("d/secret", "d/x") < 0 && errno == EBUSY);
        child_must(rename("other", "d/secret") < 0 && errno == EBUSY);
        child_must(rename("d", "e") == 0);
        char c;
        int fd = open("e/secret", O_RDONLY);
        child_must(fd >= 0 && read(fd, &c, 1) == 0);
        _exit(0);
    }
    int status = status_of(pid);
    must(rmdir(top) == 0);
    if (status)
        no(probe_text, "child stopped at line %d", status - 1);
    yes();
}

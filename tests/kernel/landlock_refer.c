/* Rights on a tree are inherited downwards and cannot be taken back; a move never gains rights. */
#include "probe.h"
#include <linux/landlock.h>
#include <sys/stat.h>
PROBE("landlock: a rename into a tree with more rights is refused");

#define REFER (1ull << 13)

int main(void)
{
    char top[] = "/tmp/probe-XXXXXX";
    must(mkdtemp(top) && chdir(top) == 0);
    must(mkdir("a", 0755) == 0 && mkdir("b", 0755) == 0);
    must(close(open("a/f", O_CREAT | O_WRONLY, 0644)) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        uint64_t move = LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE | REFER;
        uint64_t attr[1] = {move | LANDLOCK_ACCESS_FS_READ_FILE};
        int set = (int)syscall(444, attr, sizeof attr, 0);
        struct landlock_path_beneath_attr a = {move, open("a", O_PATH)};
        struct landlock_path_beneath_attr b = {move | LANDLOCK_ACCESS_FS_READ_FILE,
                                               open("b", O_PATH)};
        child_must(set >= 0 && syscall(445, set, 1, &a, 0) == 0 &&
                   syscall(445, set, 1, &b, 0) == 0);
        child_must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(446, set, 0) == 0);
        child_must(open("a/f", O_RDONLY) < 0 && errno == EACCES);
        child_must(rename("a/f", "b/f") < 0 && (errno == EXDEV || errno == EACCES));
        child_must(rename("a/f", "a/g") == 0 && rename("a/g", "a/f") == 0);
        _exit(0);
    }
    int status = status_of(pid);
    unlink("a/f");
    rmdir("a");
    rmdir("b");
    must(chdir("/") == 0 && rmdir(top) == 0);
    must(status == 0);
    yes();
}

/*
 * Times commands against each other: starts each in turn, round after round, and prints what every
 * single start took. Interleaving means that whatever else the machine does falls on all of them
 * alike; the order turns by one each round so that none always follows the same neighbour.
 *
 *   spawn [-u UID:GID] [-w WARMUPS] [-C DIR] ROUNDS COMMAND… [--next-- COMMAND…]…
 *
 * Prints "INDEX NANOSECONDS STATUS" a start. Standard input and output of the commands are
 * /dev/null. The clock runs from before posix_spawn(3) (a vfork: no page table is copied) to after
 * wait4(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void usage(void)
{
    fprintf(stderr,
            "usage: spawn [-u UID:GID] [-w N] [-C DIR] ROUNDS COMMAND… [--next-- COMMAND…]…\n");
    exit(2);
}

int main(int argc, char **argv)
{
    int warmups = 3, option;
    while ((option = getopt(argc, argv, "+u:w:C:")) != -1) {
        if (option == 'u') {
            char *end;
            gid_t gid;
            uid_t uid = (uid_t)strtoul(optarg, &end, 10);
            if (*end != ':')
                usage();
            gid = (gid_t)strtoul(end + 1, NULL, 10);
            if (setgroups(0, NULL) < 0 || setgid(gid) < 0 || setuid(uid) < 0) {
                perror("spawn: cannot become the user");
                return 1;
            }
        } else if (option == 'w') {
            warmups = (int)strtol(optarg, NULL, 10);
        } else if (option == 'C') {
            if (chdir(optarg) < 0) {
                perror(optarg);
                return 1;
            }
        } else {
            usage();
        }
    }
    if (argc - optind < 2)
        usage();
    int rounds = (int)strtol(argv[optind++], NULL, 10);

    char **commands[32];
    int n = 0;
    commands[n++] = argv + optind;
    for (int i = optind; i < argc; i++) {
        if (strcmp(argv[i], "--next--") != 0)
            continue;
        argv[i] = NULL;
        if (n == 32)
            usage();
        commands[n++] = argv + i + 1;
    }

    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);

    for (int round = -warmups; round < rounds; round++) {
        for (int k = 0; k < n; k++) {
            int which = (k + round + warmups) % n, status = 0, failed;
            pid_t pid;
            long long begin = now(), end;
            failed = posix_spawnp(&pid, commands[which][0], &quiet, NULL, commands[which], environ);
            if (failed) {
                fprintf(stderr, "spawn: %s: %s\n", commands[which][0], strerror(failed));
                return 1;
            }
            while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
            end = now();
            if (round >= 0)
                printf("%d %lld %d\n", which, end - begin,
                       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        }
    }
    return 0;
}

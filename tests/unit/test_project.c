/*
 * Projects on a real disk: markers, worktrees that git made, and .git files, records and links that
 * somebody made to look like one.
 */
#include "config/trust.h"

#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- a scratch tree ---- */

struct world {
    struct arena a;
    char root[64];
    struct project p;
};

static void remove_tree(int dirfd, const char *name)
{
    if (unlinkat(dirfd, name, 0) == 0 || unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
        return;
    int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    for (struct dirent *e; d && (e = readdir(d));)
        if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
            remove_tree(fd, e->d_name);
    if (d)
        (void)closedir(d);
    (void)unlinkat(dirfd, name, AT_REMOVEDIR);
}

static int begin(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    (void)snprintf(w->root, sizeof(w->root), "/var/tmp/bawn-project-XXXXXX");
    assert_non_null(mkdtemp(w->root));
    *state = w;
    return 0;
}

static int end(void **state)
{
    struct world *w = *state;
    remove_tree(AT_FDCWD, w->root);
    arena_release(&w->a);
    free(w);
    return 0;
}

static const char *at(struct world *w, const char *rel)
{
    char *p = rel[0] ? arena_printf(&w->a, "%s/%s", w->root, rel) : arena_strdup(&w->a, w->root);
    assert_non_null(p);
    return p;
}

static void dir(struct world *w, const char *rel)
{
    assert_return_code(path_mkdirs(at(w, rel), 0755), 0);
}

static void put_bytes(struct world *w, const char *rel, const char *text, size_t n)
{
    const char *path = at(w, rel);
    assert_return_code(path_mkdirs(path_parent(&w->a, path), 0755), 0);
    (void)unlink(path);
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, text, n), 0);
    fd_close(fd);
}

/* The text of REL; "@" in it stands for the scratch tree. */
static void put(struct world *w, const char *rel, const char *text)
{
    const char *mark = strchr(text, '@');
    const char *whole =
        mark ? arena_printf(&w->a, "%.*s%s%s", (int)(mark - text), text, w->root, mark + 1) : text;
    assert_non_null(whole);
    put_bytes(w, rel, whole, strlen(whole));
}

static void ln(struct world *w, const char *target, const char *rel)
{
    const char *path = at(w, rel);
    assert_return_code(path_mkdirs(path_parent(&w->a, path), 0755), 0);
    (void)unlink(path);
    assert_return_code(symlink(target, path), errno);
}

static void fifo(struct world *w, const char *rel)
{
    (void)unlink(at(w, rel));
    assert_return_code(mkfifo(at(w, rel), 0600), errno);
}

static void drop(struct world *w, const char *rel)
{
    remove_tree(AT_FDCWD, at(w, rel));
}

static void mv(struct world *w, const char *from, const char *to)
{
    assert_return_code(rename(at(w, from), at(w, to)), errno);
}

/* git ARGS… in the scratch tree, words separated by spaces, with nobody's configuration. */
static void git(struct world *w, const char *args)
{
    const char *argv[32] = {"git"};
    size_t n = 1;
    while (*args) {
        size_t len = strcspn(args, " ");
        assert_true(n + 1 < ARRAY_LEN(argv));
        argv[n++] = arena_strndup(&w->a, args, len);
        args += len + (args[len] == ' ');
    }
    const char *home = arena_printf(&w->a, "HOME=%s", w->root);
    const char *path = arena_printf(&w->a, "PATH=%s", getenv("PATH"));
    const char *env[] = {home,
                         path,
                         "GIT_CONFIG_NOSYSTEM=1",
                         "GIT_AUTHOR_NAME=a",
                         "GIT_AUTHOR_EMAIL=a@b",
                         "GIT_COMMITTER_NAME=a",
                         "GIT_COMMITTER_EMAIL=a@b",
                         NULL};
    pid_t pid = fork();
    assert_return_code(pid, errno);
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (chdir(w->root) < 0 || null < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
            _exit(126);
        (void)execvpe("git", (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)env);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("git %s …: status %d", argv[1], status);
}

static size_t open_fds(void)
{
    size_t n = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    while (readdir(d))
        n++;
    (void)closedir(d);
    return n;
}

static const char *const git_marker[] = {".git"};

static void find_with(struct world *w, const char *rel, const char *const *markers, size_t n)
{
    struct error err = {0};
    size_t fds = open_fds();
    if (project_find(&w->a, rel[0] == '/' ? rel : at(w, rel), markers, n, &w->p, &err) < 0)
        fail_msg("%s: %s", rel, err.message);
    assert_int_equal(open_fds(), fds);
}

/* The project of REL has its root in ROOT (NULL: none, REL itself). */
static void rooted(struct world *w, const char *rel, const char *const *markers, size_t n,
                   const char *root)
{
    find_with(w, rel, markers, n);
    assert_string_equal(w->p.root, at(w, root ? root : rel));
    assert_int_equal(w->p.marked, root != NULL);
}

/* The main repository of REL is MAIN, or there is none. REL is its own root. */
static void is_worktree(struct world *w, const char *rel, const char *main_repository)
{
    rooted(w, rel, git_marker, 1, rel);
    if (main_repository) {
        assert_non_null(w->p.main_repository);
        assert_string_equal(w->p.main_repository, at(w, main_repository));
    } else if (w->p.main_repository) {
        fail_msg("%s: %s", rel, w->p.main_repository);
    }
}

/* ---- markers ---- */

static void test_markers(void **state)
{
    struct world *w = *state;
    static const char *const three[] = {".git", ".hg", "package.json"};
    static const char *const odd[] = {"", ".", "..", "a/b", "/", "../.git", NULL};
    dir(w, "p/s/t");
    put(w, "p/a/b", "");
    rooted(w, "p/s/t", git_marker, 1, NULL);
    assert_null(w->p.main_repository);
    rooted(w, "p/s/t", three, 3, NULL);
    rooted(w, "p/s/t", odd, 6, NULL);
    rooted(w, "p/s/t", NULL, 0, NULL);

    put(w, "p/.git/HEAD", "ref: refs/heads/x\n");
    rooted(w, "p/s/t", git_marker, 1, "p");
    rooted(w, "p", git_marker, 1, "p");
    rooted(w, "p/.git", git_marker, 1, "p");
    rooted(w, "p/s/t", odd, 6, NULL);
    rooted(w, "p/s/t", NULL, 0, NULL);
    rooted(w, "p/s/t", three + 1, 2, NULL);
    assert_null(w->p.main_repository);

    /* The nearest, whatever stands first in the list; anything of that name will do. */
    ln(w, "nowhere", "p/s/package.json");
    rooted(w, "p/s/t", three, 3, "p/s");
    rooted(w, "p/s/t", git_marker, 1, "p");
    dir(w, "p/s/t/.hg");
    rooted(w, "p/s/t", three, 3, "p/s/t");

    find_with(w, "/", NULL, 0);
    assert_string_equal(w->p.root, "/");
    char *long_name = arena_alloc(&w->a, MAX_NAME_BYTES + 2);
    assert_non_null(long_name);
    memset(long_name, 'x', MAX_NAME_BYTES + 1);
    long_name[MAX_NAME_BYTES + 1] = '\0';
    const char *const too_long[] = {long_name, ".git"};
    rooted(w, "p/s/t", too_long, 2, "p");
    /* A path as long as they get is no fault. */
    char *deep = arena_alloc(&w->a, MAX_PATH_BYTES);
    assert_non_null(deep);
    memset(deep, 'y', MAX_PATH_BYTES - 1);
    for (size_t i = 0; i < MAX_PATH_BYTES; i += 200)
        deep[i] = '/';
    deep[MAX_PATH_BYTES - 1] = '\0';
    find_with(w, deep, three, 3);
    assert_string_equal(w->p.root, deep);
}

/* What makes `.git` a marker. */
static void test_git_markers(void **state)
{
    struct world *w = *state;
    dir(w, "p/.git");
    rooted(w, "p", git_marker, 1, NULL); /* as bawn's placeholder is */
    dir(w, "p/.git/objects");
    rooted(w, "p", git_marker, 1, NULL);
    ln(w, "refs/heads/unborn", "p/.git/HEAD");
    rooted(w, "p", git_marker, 1, "p");
    dir(w, "q");
    ln(w, "../p/.git", "q/.git");
    rooted(w, "q", git_marker, 1, "q");
    ln(w, "nowhere", "q/.git");
    rooted(w, "q", git_marker, 1, NULL);
    ln(w, ".git", "q/.git");
    rooted(w, "q", git_marker, 1, NULL);
    fifo(w, "q/.git");
    rooted(w, "q", git_marker, 1, NULL);
    put(w, "q/.git", "anything\n");
    rooted(w, "q", git_marker, 1, "q");
    assert_null(w->p.main_repository);
    /* A placeholder does not hide the repository above. */
    put(w, "r/.git/HEAD", "x");
    dir(w, "r/s/.git");
    rooted(w, "r/s", git_marker, 1, "r");
}

/* In a folder that everybody can write, only our own marker (and root's) counts. */
static void test_shared_folder(void **state)
{
    struct world *w = *state;
    static const char *const two[] = {".git", ".mine"};
    if (geteuid() != 0)
        skip();
    put(w, "t/.git/HEAD", "x");
    put(w, "t/.mine", "");
    dir(w, "t/mine");
    assert_return_code(chmod(at(w, "t"), 01777), errno);
    rooted(w, "t/mine", git_marker, 1, "t");
    assert_return_code(chown(at(w, "t/.git"), 61184, 61184), errno);
    rooted(w, "t/mine", git_marker, 1, NULL);
    rooted(w, "t/mine", two, 2, "t");
    assert_return_code(chown(at(w, "t/.mine"), 61184, 61184), errno);
    rooted(w, "t/mine", two, 2, NULL);
    assert_return_code(chmod(at(w, "t"), 0755), errno);
    rooted(w, "t/mine", git_marker, 1, "t");
}

/* ---- what git makes ---- */

static void repository(struct world *w, const char *name)
{
    git(w, arena_printf(&w->a, "init -q -b trunk %s", name));
    git(w, arena_printf(&w->a, "-C %s commit -q --allow-empty -m x", name));
}

static void test_real_worktrees(void **state)
{
    struct world *w = *state;
    repository(w, "main");
    git(w, "-C main worktree add -q ../wt");
    git(w, "-C main worktree add -q inside");
    dir(w, "wt/sub");
    is_worktree(w, "main", NULL);
    is_worktree(w, "wt", "main");
    is_worktree(w, "main/inside", "main");
    rooted(w, "wt/sub", git_marker, 1, "wt");
    assert_string_equal(w->p.main_repository, at(w, "main"));
    /* By another marker, too. */
    static const char *const sub[] = {"x"};
    put(w, "wt/x", "");
    rooted(w, "wt/sub", sub, 1, "wt");
    assert_non_null(w->p.main_repository);

    git(w, "-C main worktree move ../wt ../moved");
    is_worktree(w, "moved", "main");
    mv(w, "moved", "wt2");
    is_worktree(w, "wt2", NULL);
    git(w, "-C wt2 worktree repair");
    is_worktree(w, "wt2", "main");

    mv(w, "main", "other");
    is_worktree(w, "wt2", NULL);
    git(w, "-C other worktree repair ../wt2");
    is_worktree(w, "wt2", "other");

    /* A copy of a worktree is none. */
    dir(w, "copy");
    put(w, "copy/.git", "gitdir: @/other/.git/worktrees/wt\n");
    is_worktree(w, "copy", NULL);
    git(w, "-C other worktree remove --force ../wt2");
    put(w, "wt2/.git", "gitdir: @/other/.git/worktrees/wt\n");
    is_worktree(w, "wt2", NULL);
}

static void test_real_bare(void **state)
{
    struct world *w = *state;
    repository(w, "main");
    git(w, "clone -q --bare main main.git");
    git(w, "-C main.git worktree add -q ../wt");
    is_worktree(w, "wt", NULL);
    git(w, "clone -q --bare main project/.git");
    git(w, "-C project/.git worktree add -q ../side");
    is_worktree(w, "project/side", "project");
    /* A repository whose data lies elsewhere. */
    git(w, "init -q --separate-git-dir=data tree");
    is_worktree(w, "tree", NULL);
}

static void test_real_submodule(void **state)
{
    struct world *w = *state;
    repository(w, "main");
    repository(w, "lib");
    git(w, "-C main -c protocol.file.allow=always submodule --quiet add ../lib");
    dir(w, "main/lib/s");
    is_worktree(w, "main/lib", NULL);
    rooted(w, "main/lib/s", git_marker, 1, "main/lib");
    git(w, "-C main/lib worktree add -q ../../libwt");
    is_worktree(w, "libwt", NULL);
}

/* ---- by hand ---- */

/* What git makes of `git -C main worktree add ../wt`, no more than is looked at. */
static void worktree(struct world *w)
{
    put(w, "main/.git/HEAD", "ref: refs/heads/trunk\n");
    put(w, "main/.git/worktrees/wt/commondir", "../..\n");
    put(w, "main/.git/worktrees/wt/gitdir", "@/wt/.git\n");
    put(w, "wt/.git", "gitdir: @/main/.git/worktrees/wt\n");
}

static void test_forms(void **state)
{
    struct world *w = *state;
    worktree(w);
    is_worktree(w, "wt", "main");
    /* All of them relative, as worktree.useRelativePaths has it. */
    put(w, "wt/.git", "gitdir: ../main/.git/worktrees/wt\n");
    is_worktree(w, "wt", "main");
    put(w, "main/.git/worktrees/wt/gitdir", "../../../../wt/.git\n");
    is_worktree(w, "wt", "main");
    put(w, "main/.git/worktrees/wt/commondir", "@/main/.git");
    is_worktree(w, "wt", "main");
    /* Odd spellings, and directories reached through links: what counts is where they are. */
    put(w, "wt/.git", "gitdir: ../wt/..//main/./.git/worktrees/wt/\r\n");
    is_worktree(w, "wt", "main");
    ln(w, w->root, "here");
    put(w, "wt/.git", "gitdir: @/here/main/.git/worktrees/wt\n");
    put(w, "main/.git/worktrees/wt/gitdir", "@/here/wt/.git\n");
    put(w, "main/.git/worktrees/wt/commondir", "@/here/main/.git\n");
    is_worktree(w, "wt", "main");
    ln(w, "../main/.git/worktrees/wt", "links/record");
    put(w, "wt/.git", "gitdir: ../links/record\n");
    is_worktree(w, "wt", "main");
    /* The main repository's .git is a link itself: it is the directory that counts. */
    worktree(w);
    mv(w, "main/.git", "data.git");
    ln(w, "../data.git", "main/.git");
    is_worktree(w, "wt", NULL);
}

static void test_broken(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *file, *text;
    } rows[] = {
        {"wt/.git", ""},
        {"wt/.git", "\n"},
        {"wt/.git", "gitdir: \n"},
        {"wt/.git", "gitdir: @/main/.git\n"},
        {"wt/.git", "gitdir: @/main/.git/worktrees\n"},
        {"wt/.git", "gitdir: @/main/.git/worktrees/none\n"},
        {"wt/.git", "gitdir: @/main/.git/worktrees/wt/gitdir\n"},
        {"wt/.git", "gitdir: .\n"},
        {"wt/.git", "gitdir: /\n"},
        {"wt/.git", "@/main/.git/worktrees/wt\n"},
        {"main/.git/worktrees/wt/commondir", ""},
        {"main/.git/worktrees/wt/commondir", ".\n"},
        {"main/.git/worktrees/wt/commondir", "../../..\n"},
        {"main/.git/worktrees/wt/commondir", "../../HEAD\n"},
        {"main/.git/worktrees/wt/commondir", "@/none\n"},
        {"main/.git/worktrees/wt/commondir", "gitdir: ../..\n"},
        {"main/.git/worktrees/wt/gitdir", ""},
        {"main/.git/worktrees/wt/gitdir", "@/wt\n"},
        {"main/.git/worktrees/wt/gitdir", "@/wt2/.git\n"},
        {"main/.git/worktrees/wt/gitdir", "@/wt/.gitx\n"},
        {"main/.git/worktrees/wt/gitdir", "@/main/.git\n"},
        {"main/.git/worktrees/wt/gitdir", "gitdir: @/wt/.git\n"},
        {"main/.git/worktrees/wt/gitdir", "@/wt/.git\n\n@/wt/.git\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        worktree(w);
        is_worktree(w, "wt", "main");
        put(w, rows[i].file, rows[i].text);
        rooted(w, "wt", git_marker, 1, "wt");
        if (w->p.main_repository)
            fail_msg("row %zu: %s", i, w->p.main_repository);
    }
}

/* Files that are none, and one without an end: no waiting, no verdict. */
static void test_special_files(void **state)
{
    struct world *w = *state;
    static const char *const files[] = {"main/.git/worktrees/wt/commondir",
                                        "main/.git/worktrees/wt/gitdir"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        const char *file = files[i];
        worktree(w);
        is_worktree(w, "wt", "main");
        fifo(w, file);
        is_worktree(w, "wt", NULL);
        mv(w, file, "aside");
        drop(w, "aside");
        is_worktree(w, "wt", NULL);
        dir(w, file);
        is_worktree(w, "wt", NULL);
        assert_return_code(rmdir(at(w, file)), errno);
        ln(w, "/dev/zero", file);
        is_worktree(w, "wt", NULL);
        /* The right text, behind a link. */
        worktree(w);
        mv(w, file, "aside");
        ln(w, at(w, "aside"), file);
        is_worktree(w, "wt", NULL);
    }
    /* Longer than such a file gets; a NUL in the path. */
    worktree(w);
    char *big = arena_alloc(&w->a, MAX_GITFILE_BYTES + 1);
    assert_non_null(big);
    memset(big, '\n', MAX_GITFILE_BYTES + 1);
    int n = snprintf(big, MAX_GITFILE_BYTES, "gitdir: %s", at(w, "main/.git/worktrees/wt"));
    assert_true(n > 0);
    big[n] = '\n';
    put_bytes(w, "wt/.git", big, MAX_GITFILE_BYTES);
    is_worktree(w, "wt", "main");
    put_bytes(w, "wt/.git", big, MAX_GITFILE_BYTES + 1);
    is_worktree(w, "wt", NULL);
    big[n] = '\0';
    put_bytes(w, "wt/.git", big, (size_t)n + 1);
    is_worktree(w, "wt", NULL);
}

/* Whoever writes everything in `evil` would like main's trust. */
static void test_stranger(void **state)
{
    struct world *w = *state;
    worktree(w);
    /* main's record of another folder. */
    put(w, "evil/.git", "gitdir: @/main/.git/worktrees/wt\n");
    is_worktree(w, "evil", NULL);
    put(w, "evil/.git", "gitdir: ../main/.git/worktrees/wt\n");
    is_worktree(w, "evil", NULL);
    ln(w, "../main/.git/worktrees/wt", "evil/link");
    put(w, "evil/.git", "gitdir: link\n");
    is_worktree(w, "evil", NULL);
    /* The main repository itself. */
    put(w, "evil/.git", "gitdir: ../main/.git\n");
    is_worktree(w, "evil", NULL);
    ln(w, "../main/.git", "evil/.git");
    is_worktree(w, "evil", NULL);
    /* The very .git file of the worktree, by a link and by a second name. */
    ln(w, "../wt/.git", "evil/.git");
    is_worktree(w, "evil", NULL);
    assert_return_code(unlink(at(w, "evil/.git")), errno);
    assert_return_code(link(at(w, "wt/.git"), at(w, "evil/.git")), errno);
    is_worktree(w, "evil", NULL);
    assert_return_code(unlink(at(w, "evil/.git")), errno);
    is_worktree(w, "wt", "main");
    /* A record of its own that names main. */
    put(w, "evil/record/commondir", "@/main/.git\n");
    put(w, "evil/record/gitdir", "@/evil/.git\n");
    put(w, "evil/.git", "gitdir: record\n");
    is_worktree(w, "evil", NULL);
    put(w, "evil/repo/.git/worktrees/e/commondir", "@/main/.git\n");
    put(w, "evil/repo/.git/worktrees/e/gitdir", "@/evil/.git\n");
    put(w, "evil/.git", "gitdir: repo/.git/worktrees/e\n");
    is_worktree(w, "evil", NULL);
    /* A link in place of `worktrees` leads elsewhere, which is seen. */
    ln(w, "../../main/.git", "evil/fake/.git");
    put(w, "evil/.git", "gitdir: fake/.git/worktrees/wt\n");
    is_worktree(w, "evil", NULL);
    /* Deeper than Git keeps them. */
    put(w, "main/.git/worktrees/wt/deep/commondir", "../../..\n");
    put(w, "main/.git/worktrees/wt/deep/gitdir", "@/evil/.git\n");
    put(w, "evil/.git", "gitdir: ../main/.git/worktrees/wt/deep\n");
    is_worktree(w, "evil", NULL);
    /* A whole repository of its own: it may vouch for itself, that lends nobody's trust. */
    put(w, "evil/repo/.git/worktrees/e/commondir", "../..\n");
    put(w, "evil/.git", "gitdir: repo/.git/worktrees/e\n");
    is_worktree(w, "evil", "evil/repo");
    /* The record names a link to the .git file. */
    ln(w, "../wt/.git", "aside/.git");
    put(w, "main/.git/worktrees/wt/gitdir", "@/aside/.git\n");
    is_worktree(w, "wt", NULL);
    /* A worktree that was moved and left a link behind is where the record leads; one that only
     * has the place's old name is not. */
    put(w, "main/.git/worktrees/wt/gitdir", "@/wt/.git\n");
    mv(w, "wt", "wt2");
    is_worktree(w, "wt2", NULL);
    ln(w, "wt2", "wt");
    is_worktree(w, "wt2", "main");
}

/* A record outlives its worktree; in a shared folder somebody else may take the name. */
static void test_owners(void **state)
{
    struct world *w = *state;
    static const char *const parts[] = {"wt", "wt/.git", "main/.git/worktrees/wt", "main/.git",
                                        "main"};
    if (geteuid() != 0)
        skip();
    worktree(w);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        is_worktree(w, "wt", "main");
        assert_return_code(chown(at(w, parts[i]), 61184, 61184), errno);
        is_worktree(w, "wt", NULL);
        assert_return_code(chown(at(w, parts[i]), 0, 0), errno);
    }
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        assert_return_code(chown(at(w, parts[i]), 61184, 61184), errno);
    is_worktree(w, "wt", "main");
}

static void test_memory(void **state)
{
    struct world *w = *state;
    worktree(w);
    size_t fds = open_fds();
    int r = -ENOMEM;
    for (unsigned long n = 1; r < 0; n++) {
        struct arena a = {0};
        struct project p = {0};
        struct error err = {0};
        mem_fail_at(n);
        r = project_find(&a, at(w, "wt"), git_marker, 1, &p, &err);
        mem_fail_at(0);
        if (r < 0) {
            assert_int_equal(r, -ENOMEM);
            assert_null(p.root);
        } else {
            assert_string_equal(p.main_repository, at(w, "main"));
        }
        assert_int_equal(open_fds(), fds);
        assert_true(n < 50);
        arena_release(&a);
    }
}

int main(void)
{
#define ROW(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        ROW(test_markers),        ROW(test_git_markers), ROW(test_shared_folder),
        ROW(test_real_worktrees), ROW(test_real_bare),   ROW(test_real_submodule),
        ROW(test_forms),          ROW(test_broken),      ROW(test_special_files),
        ROW(test_stranger),       ROW(test_owners),      ROW(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

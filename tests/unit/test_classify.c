/* The option unpacker, and what is known of commands without rules. */
#include "base/mem.h"
#include "rules/classify.h"
#include "rules/safety.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* ---- lines of words ---- */

#define MOST 64

struct line {
    struct command_word words[MOST];
    struct command commands[8];
    struct command_list list;
};

/* Does an expansion decide the word? For tests: it holds one of these. */
static bool is_expansion(const char *word)
{
    return strpbrk(word, "$`") || strstr(word, "<(") || word[0] == '~';
}

/* TEXT split at blanks, '…' keeping them; `|` pipes one command into the next. Not a shell: what
 * shells do is tested with the reader. */
static void make_line(struct arena *a, const char *text, struct line *l)
{
    struct command *c = &l->commands[0];
    size_t n = 0;
    *l = (struct line){.list = {.v = l->commands, .n = 1}};
    *c = (struct command){.words = l->words, .plain = true, .pipes_to = UINT32_MAX};
    while (*(text += strspn(text, " "))) {
        bool quoted = *text == '\'';
        size_t len = quoted ? strcspn(++text, "'") : strcspn(text, " ");
        char *word = arena_strndup(a, text, len);
        text += len + (quoted && text[len]);
        if (!quoted && strcmp(word, "|") == 0) {
            c->pipes_to = (uint32_t)l->list.n;
            c = &l->commands[l->list.n++];
            *c = (struct command){
                .words = &l->words[n], .plain = true, .stdin_data = true, .pipes_to = UINT32_MAX};
            continue;
        }
        assert_true(n < MOST && l->list.n < 8);
        l->words[n++] = (struct command_word){word, quoted || !is_expansion(word)};
        c->n++;
    }
}

static struct classified judge_line(struct arena *a, const char *text,
                                    const struct safety_tables *tables)
{
    struct line l;
    make_line(a, text, &l);
    const char *name = l.words[0].text, *slash = strrchr(name, '/');
    return classify(&l.list, 0, slash ? slash + 1 : name, tables);
}

static void expect_all(const char *const *lines, enum command_class class)
{
    static const char *const words[] = {"unknown", "safe", "dangerous"};
    unsigned wrong = 0;
    for (; *lines; lines++) {
        _cleanup_arena_ struct arena a = {0};
        struct classified got = judge_line(&a, *lines, NULL);
        if (got.class != class) {
            print_message("%s: %s instead of %s (%s)\n", *lines, words[got.class], words[class],
                          got.reason ? got.reason : "-");
            wrong++;
        }
        assert_int_equal(got.reason == NULL, got.class == CLASS_UNKNOWN);
    }
    assert_int_equal(wrong, 0);
}

/* ---- the unpacker ---- */

/* Every item as text: option NAME or NAME=VALUE, operand (TEXT), ?NAME strange; marked ones have
 * `!` behind them. */
static const struct {
    struct option_table table;
    const char *text, *items;
} unpackings[] = {
    {{"rf", "force recursive", 0}, "rm -rf a", "r f (a) "},
    {{"rf", "force recursive", 0}, "rm a -f b", "(a) f (b) "},
    {{"rf", "force recursive", 0}, "rm -f -- -r", "f (-r) "},
    {{"rf", "force recursive", 0}, "rm -- -- -r", "(--) (-r) "},
    {{"rf", "force recursive", OPTIONS_FIRST}, "rm -f a -r", "f (a) (-r) "},
    {{"rf", "force recursive", 0}, "rm - -", "(-) (-) "},
    {{"rf", "force recursive", 0}, "rm --forc --recur", "force recursive "},
    {{"rf", "force recursive", OPTIONS_EXACT}, "rm --forc --force", "?forc force "},
    {{"rf", "!force recursive", 0}, "rm --f", "force! "},
    {{"", "!force format", 0}, "x --fo --forc --form", "?fo! force! format "},
    {{"", "force !force-more", 0}, "x --force --force-", "force force-more! "},
    {{"o:v", "output=", 0}, "x -ofile", "o=file "},
    {{"o:v", "output=", 0}, "x -o file a", "o=file (a) "},
    {{"o:v", "output=", 0}, "x -vofile", "v o=file "},
    {{"o:v", "output=", 0}, "x -vo file", "v o=file "},
    {{"o:v", "output=", 0}, "x -ov file", "o=v (file) "},
    {{"o:v", "output=", 0}, "x -o", "?o "},
    {{"!o:v", "output=", 0}, "x -vo", "v ?o! "},
    {{"o:v", "output=", 0},
     "x --output=f --output f --outp=f --output=",
     "output=f output=f output=f output= "},
    {{"o:v", "output=", 0}, "x --output", "?output "},
    {{"o:v", "output=", 0}, "x -o -v", "o=-v "},
    {{"o:v", "output=", OPTIONS_NO_DASH}, "x -o -v", "?o v "},
    {{"o:v", "output=", OPTIONS_NO_DASH}, "x -o - --output --x=y", "o=- ?output ?x "},
    {{"u::v", "color?", 0}, "x -uno -u no -vu", "u=no u (no) v u "},
    {{"u::v", "color?", 0}, "x --color --color=a --colo a", "color color=a color (a) "},
    {{"v", "verbose", 0}, "x --verbose=1", "?verbose "},
    {{"v", "verbose", 0}, "x -xv --nope -v-", "?x v ?nope v ?- "},
    {{"v", "verbose", 0}, "x --=a --v=", "? ?v "},
    {{NULL, NULL, 0}, "x -a --b c", "?a ?b (c) "},
    {{"a", "b", 0}, "x", ""},
};

static void test_unpack(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(unpackings); i++) {
        _cleanup_arena_ struct arena a = {0};
        _cleanup_strbuf_ struct strbuf out = {0};
        struct line l;
        make_line(&a, unpackings[i].text, &l);
        struct unpack u = unpack_start(&unpackings[i].table, l.words, l.commands[0].n, 1);
        for (;;) {
            struct unpacked item = unpack_next(&u);
            if (item.kind == UNPACK_END)
                break;
            if (item.kind == UNPACK_OPERAND) {
                strbuf_printf(&out, "(%s) ", item.value);
                continue;
            }
            strbuf_puts(&out, item.kind == UNPACK_STRANGE ? "?" : "");
            strbuf_put(&out, item.name.p, item.name.n);
            if (item.value)
                strbuf_printf(&out, "=%s", item.value);
            strbuf_puts(&out, item.marked ? "! " : " ");
        }
        assert_int_equal(unpack_next(&u).kind, UNPACK_END);
        assert_string_equal(strbuf_text(&out), unpackings[i].items);
    }
}

/* ---- known-safe ---- */

static const char *const safe[] = {
    "cat a b", "cat -n a", "cat --number a", "cat --show-a a", "cat -- -n", "cat", "cd", "cd /x",
    "cd -P x", "cd -", "cut -d, -f1 a", "cut -d - -f 1 --output-delimiter=x", "echo a -x --y",
    "expr 1 + -2", "grep -rn x .", "grep -e -x -f pats a", "grep -5 x a", "grep --color=auto -i x",
    "head -5 a", "head -n -5 a", "head --lines=3", "id", "id -un", "ls", "ls -la --color /",
    "ls --sort=time -I '*.o'", "nl -ba a", "paste -sd, a", "pwd -P", "rev a", "seq -5 5",
    "seq -w 1 .5 10", "stat -c %s a", "stat --format=%n a", "tail -f a", "tail -n +5 a",
    "tail --pid=1 -F a", "tail -20", "tr -d x", "tr a-z A-Z", "true x", "false", "uname -a",
    "uniq -c a", "uniq", "uniq -f 2 a", "uniq -w3 -- a", "wc -l a b", "which -a git", "whoami",
    "numfmt --to=iec 5", "tac a", "base64 a", "base64 -d", "base64 --decode -w 0 a",
    "base64 --wrap=0",
    /* find */
    "find", "find . -name '*.c' -print", "find . -type f -mtime -1 -size +10k",
    "find . ( -name a -o -name b ) -a ! -newer c", "find -L / -maxdepth 2 -perm -u+w -ls",
    "find . -newermt 2020-01-01", "find . -printf %p", "find . -not -path './x/*' -prune",
    "find . -size -5 -print0", "find a -name delete",
    /* rg */
    "rg x", "rg -n --hidden -g '!x' foo src", "rg -tpy -e -x .", "rg --no-search-zip x",
    "rg --files", "rg -A 3 -B3 x", "rg --pre-glob '*.x' y",
    /* sed */
    "sed -n 5p a", "sed -n 5,9p a b", "sed -n 1,200p", "sed --quiet 5p a", "sed 5p -n a",
    /* git */
    "git status", "git status -sb --porcelain=v2", "git status -uno", "git --no-pager log",
    "git log --oneline -20 --graph --all", "git log -n 5 -p -- a/b", "git log --format=%H -S x",
    "git log --since=yesterday --author a", "git show", "git show HEAD:a --stat", "git show -s x",
    "git diff", "git diff --cached -w HEAD~1 -- x", "git diff --stat=80 a..b", "git diff -U5 -M",
    "git diff --no-index a b", "git diff --no-ext-diff --name-only", "git branch", "git branch -a",
    "git branch -vv", "git branch --list 'x*'", "git branch -l x", "git branch --show-current",
    "git branch --contains HEAD", "git branch --merged",
    "git branch -r --sort=-committerdate --format=%(refname)", "git branch --no-merged main",
    "git --no-optional-locks -P status", NULL};

static const char *const unknown[] = {
    /* not in the table */
    "make", "ls2", "catt a", "python3 x", "sort a", "tee a", "env", "xargs cat", "awk 1", "test a",
    /* with a slash, or a word that nobody knows yet */
    "/bin/ls", "./ls", "bin/cat a", "ls $X", "cat `x`", "cat ~/a", "echo $HOME", "$X",
    "git status $X", "diff <(a)",
    /* options that write or run, options that are not known */
    "cat --nope a", "cat -Z a", "cat --show", "cut --o=x a", "grep --nope x", "ls --si --nope",
    "ls --hid", "id -q", "head -x", "pwd x -x", "stat -x", "tr --x", "wc -z", "which -x git",
    "base64 -o x", "base64 -ox", "base64 -do x", "base64 --output=x", "base64 --outp x a",
    "base64 -i a -o b", "base64 a b", "cd a b", "cd -x", "uniq a b", "uniq a -- b", "uniq - b",
    "uniq -c a b", "uniq a -c b", "uniq -f 1 a b",
    /* find */
    "find . -delete", "find . -name a -delete", "find . -exec rm {} ;", "find . -execdir a ;",
    "find . -ok a ;", "find . -okdir a ;", "find . -fls x", "find . -fprint x", "find -fprint0 x",
    "find . -fprintf x y", "find . -name -delete", "find . -name -exec a ;", "find . -nope",
    "find . -name", "find . -newer -delete", "find . -newerxyz a", "find . --delete",
    "find . -print -delete", "find . -type f -o -exec a ;",
    /* rg */
    "rg --pre x y", "rg --pre=x y", "rg --hostname-bin x y", "rg --hostname-bin=x y", "rg -z x",
    "rg -nz x", "rg --search-zip x", "rg --search-z x", "rg -in --nope x", "rg --p x",
    /* sed */
    "sed 5p a", "sed -n p a", "sed -n '5p;w x' a", "sed -n 5,p a", "sed -n ,5p", "sed -n 5pw a",
    "sed -n -i 5p a", "sed -ni 5p a", "sed -n 5p -i a", "sed -n 5p a -i.bak",
    "sed -n 's/a/b/w x' a", "sed -n", "sed -n -e 5p a", "sed -i 5p a", "sed -n -f s a",
    "sed --qui 5p", "sed -n 5d a", "sed -n 5,9pp", "sed -n '5p\ne' a", "sed -n -s 5p a",
    "sed -n 5e", "sed -n 1,5{p} a", "sed -n '' a", "sed -n 5,9,10p",
    /* git */
    "git", "git add .", "git commit", "git stash list", "git fetch", "git config -l",
    "git --version", "git -c a.b=c status", "git -ca.b=c status", "git --config-env=a=B status",
    "git --config-env a=B status", "git -C x status", "git --git-dir=x status",
    "git --git-dir x status", "git --work-tree=x status", "git --exec-path=x status",
    "git --exec-path status", "git -p status", "git --paginate log", "git --namespace=x log",
    "git --nope status", "git --no-pager -c a=b log", "git log --output=x", "git log --output x",
    "git log --outp=x", "git diff --output=x", "git diff --ext-diff", "git log --ext-diff",
    "git show --textconv x", "git diff --textconv", "git show --output=x", "git log --format=%G?",
    "git log --pretty=format:%h%GK", "git log --show-signature", "git log --nope",
    "git diff -U --output=x", "git log -n --output=x", "git diff -S --output=x x", "git branch x",
    "git branch -a x", "git branch -f x", "git branch -m a b", "git branch -d x", "git branch x y",
    "git branch --edit-description", "git branch -u x", "git branch --track x y",
    "git branch -vv x", "git branch --list -d x", "git branch --no-list x", "git branch -c a b",
    "git branch --set-upstream-to=x", "git branch --unset-upstream", "git branch --show-current x",
    "git branch --points-at", "git status --help", "git status --nope", "git diff --no-ind a b",
    "git blame x", "git statu", NULL};

static const char *const dangerous[] = {
    /* rm */
    "rm -f a", "rm -rf a", "rm -fr a", "rm -r -f a", "rm -Rf a", "rm a -f", "rm --force a",
    "rm --forc a", "rm --f a", "rm -r --force a", "rm -vdf a", "/bin/rm -f a", "./rm -rf a",
    "rm --no-preserve-root -r a", "rm --no-pre -r a", "rm -rf $X", "rm -f -- $X", "rm $X -f",
    "rm -if a", "rm -f", "rm -xyzf a", "rm --interactive=never a", "rm --inter=no -r x", "rm -r /",
    "rm -r ~", "rm -R /usr/", "rm --recursive $HOME", "rm -r /etc/*", "rm -r ..", "rm -f$X",
    "rm -r ./../", "rm -r //usr/./bin/../lib",
    /* git */
    "git reset --hard", "git reset --hard HEAD~3", "git reset HEAD --hard", "git reset --har",
    "git -C x reset --hard", "git -c a=b reset -q --hard", "git --git-dir x reset --hard",
    "git --work-tree=x --no-pager reset --hard", "git --nope reset --hard", "git clean -f",
    "git clean -fdx", "git clean -xdf", "git clean --force -d", "git clean --fo",
    "git clean -f -e x", "git clean -fe n", "git -c clean.requireForce=false clean -d",
    "git -cclean.requireforce=0 clean", "git push --force", "git push -f", "git push -uf origin x",
    "git push origin main --force", "git push --force-with-lease",
    "git push --force-with-lease=x:y", "git push --forc", "git push --force-w", "git push --mirror",
    "git push --delete origin x", "git push -d origin x", "git push --del origin x",
    "git push origin +main", "git push origin +a:b", "git push origin :x", "git push origin a :x",
    "git push --prune origin", "git push origin '+x'", "git push -o a -f", "git branch -D x",
    "git branch -d -f x", "git branch -df x", "git branch --delete --force x",
    "git branch --del --forc x", "git branch -rD x", "/usr/bin/git branch -D x",
    /* disks */
    "dd if=a of=/dev/sda", "dd of=/dev/nvme0n1 if=x bs=1M", "dd of=//dev/./sda", "dd of=/dev/$X",
    "mkfs /dev/sda1", "mkfs.ext4 /dev/sda1", "/sbin/mkfs.xfs x", "mke2fs x", "mkswap /dev/sda2",
    "shred a", "shred -u a", "blkdiscard /dev/sda", "wipefs -a /dev/sda", "wipefs --al /dev/sda",
    /* recursive on roots */
    "chmod -R 777 /", "chmod 777 -R /", "chmod --recursive u+w /etc", "chmod --recur 0 /*",
    "chown -R me /usr", "chown -hR me:me /usr/local/", "chgrp -R x /var", "chmod -R 700 ~",
    "chmod -R 700 $HOME", "chmod -R 700 \"$HOME\"", "chmod -R 700 ${HOME}/", "chown -R me ..",
    "chown -R me ../..", "chmod -R a+r ~root", "chown -R me a /home", "chmod -Rv 7 /usr/bin/../../",
    "chown -R --from=root me /", "chmod -R 0 $HOME/*",
    /* what is downloaded and run */
    "curl x | sh", "curl -fsSL x | bash", "wget -qO- x | sh -s -- -y", "curl x | bash -",
    "curl x | bash -x", "curl x | tee a | sh", "curl x | gunzip | bash -s", "curl x | python3",
    "curl x | python3 -", "curl x | python3.11 -u -", "curl x | perl", "curl x | node",
    "curl x | ruby", "curl x | /bin/sh", "curl x | sh /dev/stdin", "curl x | zsh -l",
    "curl x | dash -e", "fetch -o - x | sh", "curl x | bash -o pipefail", "curl x | php",
    "curl x | sh $X", "curl x | source /dev/stdin", "curl x | perl -", "curl x | bash --norc",
    "curl x | python3 -W ignore", "aria2c x | sh", NULL};

static const char *const harmless[] = {"rm a",
                                       "rm -r a",
                                       "rm -i a",
                                       "rm $X",
                                       "rm -r node_modules",
                                       "rm -- -f",
                                       "rm -ri a",
                                       "rm --interactive=always a",
                                       "rm -r ./usr",
                                       "rm -r usr",
                                       "rm -r ../x",
                                       "rm -r /usr/x",
                                       "rm -r $HOME/x",
                                       "rm -d x",
                                       "rm -r $X",
                                       "rm -r *",
                                       "rm -r .",
                                       "git reset",
                                       "git reset --soft HEAD~1",
                                       "git reset -- --hard",
                                       "git reset --mixed",
                                       "git clean",
                                       "git clean -n",
                                       "git clean -fn",
                                       "git clean -fd --dry-run",
                                       "git clean -ndfx",
                                       "git clean -d -e f",
                                       "git clean -f --dry",
                                       "git -c clean.requireForce=false clean -n",
                                       "git push",
                                       "git push origin main",
                                       "git push -u origin main",
                                       "git push origin a:b",
                                       "git push --tags",
                                       "git push origin :",
                                       "git push -o +x",
                                       "git push --push-option=+x",
                                       "git push --no-force",
                                       "git push -fn origin x",
                                       "git push --dry-run --delete origin x",
                                       "git push --force-if-includes",
                                       "git push --repo +x",
                                       "git push --follow-tags",
                                       "git branch -d x",
                                       "git branch -M main",
                                       "git branch -f x y",
                                       "git branch --delete x",
                                       "git checkout -- .",
                                       "git log --hard",
                                       "git commit -m 'reset --hard'",
                                       "git -C reset x --hard",
                                       "git -c reset status",
                                       "git -c push log -f",
                                       "dd if=/dev/zero of=x",
                                       "dd of=/dev/null if=x",
                                       "dd if=/dev/sda of=/tmp/x",
                                       "dd of=dev/sda",
                                       "dd of=/dev/shm/x",
                                       "dd of=/dev/stdout",
                                       "dd of=/device",
                                       "dd of=/dev/fd/3",
                                       "dd",
                                       "mkdir x",
                                       "mkfifo x",
                                       "mkfsx",
                                       "wipefs /dev/sda",
                                       "wipefs -n -a /dev/sda",
                                       "shredder x",
                                       "chmod -R 755 .",
                                       "chmod 755 /",
                                       "chmod -R 755 build",
                                       "chown -R me /usr/local/x",
                                       "chmod -x /",
                                       "chown me /etc",
                                       "chmod -R u+w ./etc",
                                       "chmod -R 7 $HOME/x",
                                       "chmod -R 7 ~/x",
                                       "chmod -R 7 ...",
                                       "chown -R me /srv/app",
                                       "chmod -- -R /",
                                       "curl x",
                                       "curl x | jq .",
                                       "curl x | python3 -m json.tool",
                                       "curl x | python3 -c 'import sys'",
                                       "curl x | perl -ne 'print'",
                                       "curl x | perl -pe s/a/b/",
                                       "curl x | node -e 1",
                                       "curl x | node --eval=1",
                                       "curl x | sh script.sh",
                                       "curl x | bash -c 'cat'",
                                       "sh | curl x",
                                       "curl x | grep sh",
                                       "curl x | tee sh",
                                       "cat a | sh",
                                       "curl x | python3 filter.py",
                                       "curl x | ruby -ne 1",
                                       "curl -o sh x",
                                       "curl x | bash -lc 'wc -l'",
                                       "curl x | python3 --help",
                                       "curl x | php -r 1",
                                       "curl x | bash --version",
                                       "curl x | source a",
                                       "echo sh | curl x",
                                       "curl x | sh -- a",
                                       NULL};

static void test_safe(void **state)
{
    (void)state;
    expect_all(safe, CLASS_SAFE);
}

static void test_unknown(void **state)
{
    (void)state;
    expect_all(unknown, CLASS_UNKNOWN);
}

static void test_dangerous(void **state)
{
    (void)state;
    expect_all(dangerous, CLASS_DANGEROUS);
}

static void test_harmless(void **state)
{
    (void)state;
    for (const char *const *line = harmless; *line; line++) {
        _cleanup_arena_ struct arena a = {0};
        struct classified got = judge_line(&a, *line, NULL);
        if (got.class == CLASS_DANGEROUS)
            fail_msg("%s: %s", *line, got.reason);
    }
}

/* What is safe stays safe only as it stands: not behind a wrapper or a redirection, not with one
 * word that an expansion decides. */
static void test_not_plain(void **state)
{
    (void)state;
    for (const char *const *line = safe; *line; line++) {
        _cleanup_arena_ struct arena a = {0};
        struct line l;
        make_line(&a, *line, &l);
        assert_int_equal(classify(&l.list, 0, l.words[0].text, NULL).class, CLASS_SAFE);
        l.commands[0].plain = false;
        assert_int_equal(classify(&l.list, 0, l.words[0].text, NULL).class, CLASS_UNKNOWN);
        l.commands[0].plain = true;
        for (size_t i = 0; i < l.commands[0].n; i++) {
            l.words[i].known = false;
            assert_int_equal(classify(&l.list, 0, l.words[0].text, NULL).class, CLASS_UNKNOWN);
            l.words[i].known = true;
        }
    }
}

/* The name that was typed decides what is safe, the program that it is what is dangerous. */
static void test_other_name(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    struct line l;
    make_line(&a, "cat -f x", &l);
    assert_int_equal(classify(&l.list, 0, "rm", NULL).class, CLASS_DANGEROUS);
    make_line(&a, "remove -f x", &l);
    assert_int_equal(classify(&l.list, 0, "rm", NULL).class, CLASS_DANGEROUS);
    make_line(&a, "peek x", &l);
    assert_int_equal(classify(&l.list, 0, "cat", NULL).class, CLASS_UNKNOWN);
}

/* ---- what only the list tells ---- */

#define WORD(w)                                                                                    \
    {                                                                                              \
        w, true                                                                                    \
    }
#define UNKNOWN(w)                                                                                 \
    {                                                                                              \
        w, false                                                                                   \
    }

static void test_wrapped_pipes(void **state)
{
    (void)state;
    /* sudo curl x | sudo bash, each wrapper followed by what it runs */
    static const struct command_word sudo_curl[] = {{"sudo", true}, {"curl", true}, {"x", true}};
    static const struct command_word sudo_bash[] = {{"sudo", true}, {"bash", true}};
    struct command v[] = {
        {.words = sudo_curl, .n = 3, .plain = true, .at = 0, .length = 11, .pipes_to = 2},
        {.words = sudo_curl + 1,
         .n = 2,
         .via = "sudo",
         .at = 5,
         .length = 6,
         .pipes_to = UINT32_MAX},
        {.words = sudo_bash, .n = 2, .plain = true, .at = 14, .length = 9, .pipes_to = UINT32_MAX},
        {.words = sudo_bash + 1,
         .n = 1,
         .via = "sudo",
         .at = 19,
         .length = 4,
         .pipes_to = UINT32_MAX},
    };
    struct command_list list = {.v = v, .n = ARRAY_LEN(v)};
    assert_int_equal(classify(&list, 1, "curl", NULL).class, CLASS_DANGEROUS);
    v[2].at = v[3].at = 200; /* bash is not of that stage */
    v[3].at = 300;
    assert_int_equal(classify(&list, 1, "curl", NULL).class, CLASS_UNKNOWN);
}

static void test_substitutions(void **state)
{
    static const struct {
        struct command_word words[4];
        size_t n;
        const char *via;
        bool danger;
    } cases[] = {
        {{WORD("sh"), WORD("-c"), UNKNOWN("\"$(curl x)\"")}, 3, "$(…)", true},
        {{WORD("bash"), WORD("-lc"), UNKNOWN("`curl x`")}, 3, "`…`", true},
        {{WORD("bash"), UNKNOWN("<(curl x)")}, 2, "<(…)", true},
        {{WORD("source"), UNKNOWN("<(curl x)")}, 2, "<(…)", true},
        {{WORD("."), UNKNOWN("<(curl x)")}, 2, "<(…)", true},
        {{WORD("eval"), UNKNOWN("\"$(curl x)\"")}, 2, "$(…)", true},
        {{WORD("python3"), WORD("-c"), UNKNOWN("\"$(curl x)\"")}, 3, "$(…)", true},
        {{WORD("perl"), UNKNOWN("-e\"$(curl x)\"")}, 2, "$(…)", true},
        {{WORD("python3"), WORD("a.py"), UNKNOWN("\"$(curl x)\"")}, 3, "$(…)", false},
        {{WORD("bash"), UNKNOWN("\"$(curl x)\"")}, 2, "$(…)", false},
        {{WORD("echo"), UNKNOWN("\"$(curl x)\"")}, 2, "$(…)", false},
        {{WORD("sh"), WORD("-c"), WORD("curl x")}, 3, "sh -c", false},
    };
    static const struct command_word curl[] = {{"curl", true}, {"x", true}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct command v[] = {
            {.words = cases[i].words,
             .n = cases[i].n,
             .at = 0,
             .length = 30,
             .pipes_to = UINT32_MAX},
            {.words = curl,
             .n = 2,
             .via = cases[i].via,
             .at = 10,
             .length = 6,
             .pipes_to = UINT32_MAX},
        };
        struct command_list list = {.v = v, .n = 2};
        bool danger = classify(&list, 1, "curl", NULL).class == CLASS_DANGEROUS;
        if (danger != cases[i].danger)
            fail_msg("case %zu", i);
        v[1].at = 40; /* somewhere else on the line */
        assert_int_equal(classify(&list, 1, "curl", NULL).class, CLASS_UNKNOWN);
    }
}

static void test_bomb(void **state)
{
    (void)state;
    static const struct command_word colon[] = {{":", true}}, cat[] = {{"cat", true}};
    struct command v[] = {
        {.words = colon, .n = 1, .via = "function :", .pipes_to = 1},
        {.words = colon, .n = 1, .via = "function :", .pipes_to = UINT32_MAX},
        {.words = colon, .n = 1, .plain = true, .pipes_to = UINT32_MAX},
    };
    struct command_list list = {.v = v, .n = 3};
    assert_int_equal(classify(&list, 0, ":", NULL).class, CLASS_DANGEROUS);
    v[1].words = cat;
    assert_int_equal(classify(&list, 0, ":", NULL).class, CLASS_UNKNOWN);
    v[1].pipes_to = 2; /* : | cat | : */
    assert_int_equal(classify(&list, 0, ":", NULL).class, CLASS_DANGEROUS);
    v[0].via = "function f";
    assert_int_equal(classify(&list, 0, ":", NULL).class, CLASS_UNKNOWN);
    v[0].via = "function :";
    v[0].pipes_to = 0; /* a list that makes no sense still ends */
    assert_int_equal(classify(&list, 0, ":", NULL).class, CLASS_DANGEROUS);
    static const struct command_word curl[] = {{"curl", true}};
    v[0] = (struct command){.words = curl, .n = 1, .pipes_to = 1};
    v[1] = (struct command){.words = cat, .n = 1, .pipes_to = 1};
    assert_int_equal(classify(&list, 0, "curl", NULL).class, CLASS_UNKNOWN);
}

/* ---- what the configuration says ---- */

#define ENTRY(...)                                                                                 \
    {                                                                                              \
        (const char *const[]){__VA_ARGS__}, ARRAY_LEN(((const char *const[]){__VA_ARGS__}))        \
    }

static void test_tables(void **state)
{
    (void)state;
    const struct safety_entry yes[] = {ENTRY("terraform", "plan"), ENTRY("make"), ENTRY("sort"),
                                       ENTRY("kubectl", "get")};
    const struct safety_entry no[] = {ENTRY("git", "log"), ENTRY("make", "install"), ENTRY("find")};
    const struct safety_entry bad[] = {ENTRY("terraform", "destroy"), ENTRY("git", "stash", "drop"),
                                       ENTRY("rm", "-r", "keep")};
    const struct safety_entry good[] = {ENTRY("rm", "-rf", "build"), ENTRY("shred"),
                                        ENTRY("rm", "-r"), ENTRY("terraform")};
    const struct safety_tables tables = {
        yes, no, bad, good, ARRAY_LEN(yes), ARRAY_LEN(no), ARRAY_LEN(bad), ARRAY_LEN(good)};
    static const struct {
        const char *text;
        enum command_class class;
    } cases[] = {
        {"terraform plan", CLASS_SAFE},
        {"terraform plan -out=x", CLASS_SAFE},
        {"terraform planet", CLASS_UNKNOWN},
        {"terraform", CLASS_UNKNOWN},
        {"terraform -x plan", CLASS_UNKNOWN}, /* what allows is compared word for word */
        {"terraform plan $X", CLASS_UNKNOWN},
        {"/usr/bin/terraform plan", CLASS_UNKNOWN},
        {"make", CLASS_SAFE},
        {"make -j8 all", CLASS_SAFE},
        {"make install", CLASS_UNKNOWN},
        {"make -j8 install", CLASS_UNKNOWN}, /* what restricts looks past options */
        {"make all install", CLASS_SAFE},
        {"git log", CLASS_UNKNOWN},
        {"git -P log -5", CLASS_UNKNOWN},
        {"git status", CLASS_SAFE},
        {"find . -name a", CLASS_UNKNOWN},
        {"ls", CLASS_SAFE},
        {"terraform destroy", CLASS_DANGEROUS}, /* over not_dangerous */
        {"terraform -chdir=x destroy", CLASS_DANGEROUS},
        {"./terraform destroy -auto-approve", CLASS_DANGEROUS},
        {"terraform $X", CLASS_DANGEROUS},
        {"terraform $X y", CLASS_DANGEROUS},
        {"terraform show $X", CLASS_UNKNOWN},
        {"git stash drop", CLASS_DANGEROUS},
        {"git -C x stash -q drop", CLASS_DANGEROUS},
        {"git -c a=b stash $X", CLASS_DANGEROUS},
        {"git stash list", CLASS_UNKNOWN},
        {"rm -rf build", CLASS_UNKNOWN},
        {"rm -rf build x", CLASS_UNKNOWN},
        {"rm -rf x", CLASS_DANGEROUS},
        {"rm -rf $X", CLASS_DANGEROUS},
        {"rm -r -f x", CLASS_UNKNOWN},
        {"rm -r keep", CLASS_DANGEROUS},
        {"shred -u x", CLASS_UNKNOWN},
        {"git reset --hard", CLASS_DANGEROUS},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_arena_ struct arena a = {0};
        struct classified got = judge_line(&a, cases[i].text, &tables);
        if (got.class != cases[i].class)
            fail_msg("%s: %d instead of %d (%s)", cases[i].text, got.class, cases[i].class,
                     got.reason ? got.reason : "-");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unpack),        cmocka_unit_test(test_safe),
        cmocka_unit_test(test_unknown),       cmocka_unit_test(test_dangerous),
        cmocka_unit_test(test_harmless),      cmocka_unit_test(test_not_plain),
        cmocka_unit_test(test_other_name),    cmocka_unit_test(test_wrapped_pipes),
        cmocka_unit_test(test_substitutions), cmocka_unit_test(test_bomb),
        cmocka_unit_test(test_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

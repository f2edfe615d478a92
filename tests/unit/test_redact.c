/* What is hidden in the record, and as important, what stays: tables of both. */
#include "record/event.h"

#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define R "[REDACTED]"

/* One word as an argument behind BEFORE. */
static const struct {
    const char *before, *word, *shown;
} hidden[] = {
    /* Keys of known shapes, alone and in other text. The values are made up. */
    {"cp", "AKIAIOSFODNN7EXAMPLE", R},
    {"cp", "x=AKIAIOSFODNN7EXAMPLE,y", "x=" R ",y"},
    {"cp", "ghp_0123456789abcdefghijABCDEFGHIJ012345", R},
    {"cp", "gho_0123456789abcdefghijABCDEFGHIJ012345", R},
    {"cp", "github_pat_11AAAAAAA0abcdefghijkl_0123456789", R},
    {"cp", "glpat-abcDEF123456-7890_zz", R},
    {"cp", "sk-abcd1234efgh5678ijkl9012", R},
    {"cp", "sk-proj-Ab1-cd_Ef2gh3ij4kl5mn6", R},
    {"cp", "sk-ant-api03-Ab1cd2Ef3gh4ij5kl6mn7", R},
    {"cp", "xoxb-123456789012-abcdef", R},
    {"cp", "xoxp-1-2-3-4abcdefg", R},
    {"cp", "npm_abcdefghijklmnopqrstuvwxyz0123456789", R},
    {"cp", "AIzaSyA0123456789abcdefghijklmnopqrstuv", R},
    {"cp", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlF", R},
    {"echo", "a eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3 b", "a " R " b"},
    {"cp", "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH", R},
    {"cp", "sk_live_abcdefghijklmnop0123", R},
    {"echo", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz\n-----END OPENSSH PRIVATE KEY-----\n",
     R "\n"},
    {"echo", "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\n", "a\n" R},
    {"echo", "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY----- tail", R " tail"},

    /* Options. */
    {"--password", "hunter2", R},
    {"--passwd", "hunter2", R},
    {"--token", "abc def", R},
    {"--api-key", "k", R},
    {"--apikey", "k", R},
    {"--client-secret", "s", R},
    {"--secret-access-key", "s", R},
    {"--passphrase", "correct horse", R},
    {"--pass", "x1", R},
    {"-password", "x1", R},
    {"--auth-token", "x1", R},
    {"x", "--password=hunter2", "--password=" R},
    {"x", "--password=with space&;'\"", "--password=" R},
    {"x", "--db.password=hunter2", "--db.password=" R},
    {"mysql", "-phunter2", "-p" R},
    {"/usr/bin/mysqldump", "-phunter2", "-p" R},
    {"sshpass", "-phunter2", "-p" R},
    {"-u", "me:hunter2", "me:" R},
    {"--user", "me:hunter2", "me:" R},
    {"-passin", "pass:hunter2", "pass:" R},
    {"--from-literal", "password=hunter2", "password=" R},
    {"x", "--from-literal=password=hunter2", "--from-literal=password=" R},

    /* Names and values. */
    {"env", "DB_PASSWORD=hunter2", "DB_PASSWORD=" R},
    {"env", "DB_PASSWORD=two words", "DB_PASSWORD=" R},
    {"env", "GITHUB_TOKEN=abc", "GITHUB_TOKEN=" R},
    {"env", "AWS_SECRET_ACCESS_KEY=wJalrXUt/x+y", "AWS_SECRET_ACCESS_KEY=" R},
    {"env", "OPENAI_API_KEY=abc", "OPENAI_API_KEY=" R},
    {"env", "X_CREDENTIALS={\"a\":1}", "X_CREDENTIALS=" R},
    {"env", "MYSQL_PWD=abc", "MYSQL_PWD=" R},
    {"env", "DB_PASS=abc", "DB_PASS=" R},
    {"env", "apiKey=abc", "apiKey=" R},
    {"env", "SECRET_KEY_BASE=abc", "SECRET_KEY_BASE=" R},
    {"env", "PASSWORD_2=abc", "PASSWORD_2=" R},
    {"set", "//registry.example.com/:_authToken=abc", "//registry.example.com/:_authToken=" R},
    {"set", "//registry.example.com/:_auth=abc", "//registry.example.com/:_auth=" R},
    {"-d", "{\"user\":\"me\",\"password\":\"hunter2\",\"n\":1}",
     "{\"user\":\"me\",\"password\":\"" R "\",\"n\":1}"},
    {"-d", "{\"password\": \"a\\\"b\"}", "{\"password\": \"" R "\"}"},
    {"-d", "user=me&password=hunter2&x=1", "user=me&password=" R "&x=1"},
    {"echo", "user: me\npassword: hunter2\nhost: x", "user: me\npassword: " R "\nhost: x"},
    {"-c", "x -d 'password: hunter2' y", "x -d 'password: " R "' y"},
    {"echo", "  api_key: 'abc'\n", "  api_key: '" R "'\n"},
    {"x", "password = \"a\"; password=\"b c\"; x", "password = \"a\"; password=\"" R "\"; x"},

    /* URLs. */
    {"clone", "https://me:geheim42@example.com/x", "https://me:" R "@example.com/x"},
    {"clone", "https://me:ge@heim@example.com/x", "https://me:" R "@example.com/x"},
    {"x", "postgres://u:p@h:5432/db?sslmode=off", "postgres://u:" R "@h:5432/db?sslmode=off"},
    {"x", "redis://:pw@h/0", "redis://:" R "@h/0"},
    {"x", "https://0123456789abcdef01234@h/x", "https://" R "@h/x"},
    {"x", "https://h/x?access_token=abc&page=2", "https://h/x?access_token=" R "&page=2"},
    {"x", "a http://a:b@c d http://e:f@g", "a http://a:" R "@c d http://e:" R "@g"},

    /* Headers. */
    {"-H", "Authorization: Bearer abc.def", "Authorization: Bearer " R},
    {"-H", "authorization:Basic YWJj", "authorization:Basic " R},
    {"-H", "Authorization: abc def", "Authorization: " R},
    {"-H", "Cookie: a=b; c=d", "Cookie: " R},
    {"-H", "X-Api-Key: abc", "X-Api-Key: " R},
    {"-H", "PRIVATE-TOKEN: abc", "PRIVATE-TOKEN: " R},
    {"curl", "-HAuthorization: Bearer x", "-HAuthorization: Bearer " R},

    /* Random text. */
    {"cp", "kX9vQ2mZ7pL4wR8tY1nB6cF3hJ5gD0sA", R},
    {"cp", "u7Rq/2LmXz9vTk4Pw1BsYd8NfHj3GcEaQi5oUe6t", R},
    {"cp", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", R},
    {"cp", "0123456789abcdef0123456789abcdef", R},
    {"cp", "k3j4h5g6f7d8s9a0q1w2e3r4t5y6u7i8", R},
    {"cp", "x:kX9vQ2mZ7pL4wR8tY1nB6cF3hJ5gD0sA.txt", "x:" R ".txt"},

    /* Commands in a text. */
    {"-c", "mysql -u root -phunter2 db && ls -p", "mysql -u root -p" R " db && ls -p"},
    {"-c", "DB_PASSWORD=abc make x", "DB_PASSWORD=" R " make x"},
    {"-c", "export TOKEN='a b'; x", "export TOKEN='" R "'; x"},
    {"-c", "curl -H 'Authorization: Bearer abc' https://h/",
     "curl -H 'Authorization: Bearer " R "' https://h/"},
    {"-c", "curl -H \"X-Api-Key: abc\" -u me:pw h", "curl -H \"X-Api-Key: " R "\" -u me:" R " h"},
    {"-c", "foo --password hunter2 --verbose", "foo --password " R " --verbose"},
    {"-c", "foo --password 'a b' --token=\"c d\" x", "foo --password '" R "' --token=\"" R "\" x"},
    {"-c", "sshpass -p hunter2 ssh h; ssh -p 22 h", "sshpass -p " R " ssh h; ssh -p 22 h"},
    {"-c", "docker login -u me -p hunter2 h", "docker login -u me -p " R " h"},
    {"-c", "redis-cli -a pw ping", "redis-cli -a " R " ping"},
    {NULL, "asked about: curl --token abc", "asked about: curl --token " R},
    {NULL, "PASSWORD=abc make", "PASSWORD=" R " make"},
};

static const struct {
    const char *before, *word;
} stays[] = {
    {"git", "0123456789abcdef0123456789abcdef01234567"},
    {"git", "da39a3ee5e6b4b0d3255bfef95601890afd80709..HEAD"},
    {"x", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"pull", "app@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"x", "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/"
          "SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=="},
    {"x", "SHA256:uNiVztksCsDhcc0u9e8BrHJIR5Fqg9gGq0cYBvXbG7I"},
    {"x", "550e8400-e29b-41d4-a716-446655440000"},
    {"x", "id=550e8400-e29b-41d4-a716-446655440000"},
    {"ls", "/usr/lib/x86_64-linux-gnu/libfoo.so.1.2.3/and/more/of/it"},
    {"ls", "/nix/store/0c5x2hsp5lnzf2vj9w8q1k3m4n6b7d9r-gcc-12.3.0/bin"},
    {"ls", "src/components/Foo2Bar/BazQuxThing3/index4Test/Another5.tsx"},
    {"ls", "../some/very/long/relative/path/to/a/file2/Name3/x"},
    {"pytest", "test_json_parser_handles_nested_arrays_of_values_2"},
    {"go", "TestHTTP2ServerHandlesManyConcurrentStreams"},
    {"java", "com.example.VeryLongClassNameForTestingPurposes2Impl"},
    {"x", "my-deployment-with-a-long-name-7d4b9c6f5d-x2x4z"},
    {"x", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
    {"x", "12345678901234567890123456789012345678901234567890"},
    {"x", "--------------------------------------------------------"},
    {"x", "x86_64-unknown-linux-gnu-gcc-12-release-build-2026"},
    {"x", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me@h"},
    {"x", "v0.0.0-20210921155107-089bfa567519"},
    {"x", "sk-learn-is-a-long-name-of-nothing"},
    {"x", "risk-task-desk-mask-flask-whisk"},
    {"x", "eyJust-a-word.and.more"},
    {"x", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"},
    {"x", "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n"},

    {"--password-stdin", "registry.example.com"},
    {"--password-file", "/run/secrets/x"},
    {"--token-file", "t.txt"},
    {"--max-tokens", "4096"},
    {"--num-tokens", "12"},
    {"--no-password", "db"},
    {"--secret", "id=mysecret,src=file"},
    {"--password", "--verbose"},
    {"--private-key", "~/.ssh/id_ed25519"},
    {"--credentials", "creds.json"},
    {"--pass-fd", "7"},
    {"--show-secrets", "pods"},
    {"-p", "8080:80"},
    {"-u", "1000:1000"},
    {"-u", "root:root"},
    {"-u", "root"},
    {"ssh", "-p2222"},
    {"mysql", "-p"},
    {"git", "-phunter2"},
    {"x", "--password="},
    {"x", "--password=$DB_PASSWORD"},
    {"x", "--password=${DB_PASSWORD:-}"},
    {"-c", "x --password \"$DB_PASSWORD\" --token $(cat t) y"},
    {"-c", "TOKEN=$(gh auth token) make"},

    {"x", "TOKENIZERS_PARALLELISM=false"},
    {"x", "MAX_TOKENS=4096"},
    {"x", "PASSWORD_FILE=/run/secrets/x"},
    {"x", "SECRETS_DIR=/etc/x"},
    {"x", "TOKEN_TTL=3600"},
    {"x", "credential.helper=store"},
    {"x", "GIT_ASKPASS=/usr/bin/true"},
    {"x", "PWD=/home/me"},
    {"x", "BYPASS=1"},
    {"x", "compass=north"},
    {"x", "oauth=1"},
    {"x", "tokenize=yes"},
    {"x", "secretary=me"},
    {"x", "SSO_TOKEN_URL=https://h/"},
    {"x", "use_password=true"},
    {"-c", "if (token == EOF) return token=next();"},
    {"-m", "parser: token: handle the end of a file"},
    {"-c", "git commit -m 'token: one of many' x"},
    {"-m", "fix password: reset flow for users"},
    {"-m", "secrets are not written down; tokens: see the page"},
    {"x", "kubectl create secret generic x"},
    {"clone", "https://github.com/a/b.git"},
    {"clone", "ssh://git@github.com/a/b.git"},
    {"clone", "git@github.com:a/b.git"},
    {"x", "https://me:$TOKEN@h/x"},
    {"x", "http://h:80/a@b:c"},
    {"x", "https://h/?next=/a&page=2"},
    {"-H", "Accept: application/json"},
    {"-H", "Content-Type: text/plain"},
    {"-H", "Authorization: $AUTH"},
    {"x", "the cookie jar"},
    {"x", ""},
};

static void test_hidden(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hidden); i++) {
        _cleanup_arena_ struct arena a = {0};
        size_t from = 99, to = 99;
        print_message("%s\n", hidden[i].word);
        assert_string_equal(redact(&a, hidden[i].word, hidden[i].before), hidden[i].shown);
        assert_true(redact_find(hidden[i].word, hidden[i].before, &from, &to));
        assert_true(from < to && to <= strlen(hidden[i].word));
        assert_int_equal(strncmp(hidden[i].word, hidden[i].shown, from), 0);
        assert_int_equal(strncmp(hidden[i].shown + from, R, strlen(R)), 0);
    }
}

static void test_stays(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(stays); i++) {
        _cleanup_arena_ struct arena a = {0};
        size_t from, to;
        print_message("%s\n", stays[i].word);
        assert_string_equal(redact(&a, stays[i].word, stays[i].before), stays[i].word);
        assert_false(redact_find(stays[i].word, stays[i].before, &from, &to));
    }
}

/* What is hidden once is not looked at again. */
static void test_twice(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hidden); i++) {
        _cleanup_arena_ struct arena a = {0};
        assert_string_equal(redact(&a, hidden[i].shown, hidden[i].before), hidden[i].shown);
    }
}

static void test_argv(void **state)
{
    (void)state;
    static const struct {
        const char *argv[8], *shown[8];
    } cases[] = {
        {{"mysql", "-u", "root", "-phunter2", "db"}, {"mysql", "-u", "root", "-p" R, "db"}},
        {{"curl", "-u", "me:pw", "--token", "t", "x"}, {"curl", "-u", "me:" R, "--token", R, "x"}},
        {{"sudo", "sshpass", "-p", "pw", "ssh", "-p", "22", "h"},
         {"sudo", "sshpass", "-p", R, "ssh", "-p", "22", "h"}},
        {{"docker", "run", "-p", "80:80", "-e", "A_TOKEN=x", "img"},
         {"docker", "run", "-p", "80:80", "-e", "A_TOKEN=" R, "img"}},
        {{"bash", "-c", "SECRET=abc ls"}, {"bash", "-c", "SECRET=" R " ls"}},
        {{"env", "SECRET=abc def", "ls"}, {"env", "SECRET=" R, "ls"}},
        {{"git", "commit", "-m", "token: x y"}, {"git", "commit", "-m", "token: x y"}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_arena_ struct arena a = {0};
        size_t n = 0;
        while (n < 8 && cases[i].argv[n])
            n++;
        const char *const *shown = redact_argv(&a, cases[i].argv, n);
        for (size_t k = 0; k < n; k++)
            assert_string_equal(shown[k], cases[i].shown[k]);
    }
}

static double seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Texts made to be looked at again and again: twice the text, twice the time. */
static void test_linear(void **state)
{
    (void)state;
    static const char *const patterns[] = {
        "a",
        "=",
        "sk-",
        "eyJ-",
        "eyJ.",
        "token=",
        "token=$(",
        "token=${a,",
        "cookie:$(",
        "://a:b",
        "://",
        "\"",
        " '\"`",
        " \"\\",
        "token: \"\n",
        "token: '\n\"",
        "-----BEGIN PRIVATE KEY",
        "AKIA",
        "a-",
        "aB3/",
        "--password ",
        "-u a ",
        "mysql -p ",
        "credential=/a&",
        "\n",
        " ",
        "authorization:",
        "-passin ",
        "'token':",
        "token:\"",
        "(",
        "_auth=",
        "0123456789abcdefg",
    };
    enum { LONG = 2000000 };
    char *text = malloc(LONG + 1);
    assert_non_null(text);
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        _cleanup_arena_ struct arena a = {0};
        size_t n = strlen(patterns[i]);
        for (size_t k = 0; k < LONG; k++)
            text[k] = patterns[i][k % n];
        text[LONG] = '\0';
        double start = seconds();
        assert_non_null(redact(&a, text, "-c"));
        double took = seconds() - start;
        if (took > 3)
            fail_msg("%s: %.1f s", patterns[i], took);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hidden), cmocka_unit_test(test_stays),  cmocka_unit_test(test_twice),
        cmocka_unit_test(test_argv),   cmocka_unit_test(test_linear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

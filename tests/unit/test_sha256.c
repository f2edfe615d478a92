/* SHA-256: the vectors of FIPS 180-4 and NIST's examples, every length round the block's edges,
 * every way to cut a message, and sha256sum(1) where it is. */
#include "base/sha256.h"

#include "base/macros.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static void hash(const void *p, size_t n, char hex[SHA256_HEX_BYTES])
{
    unsigned char digest[SHA256_BYTES];
    struct sha256 s;
    sha256_init(&s);
    sha256_put(&s, p, n);
    sha256_end(&s, digest);
    sha256_hex(digest, hex);
}

static void test_vectors(void **state)
{
    (void)state;
    static const struct {
        const char *text, *hex;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrl"
         "m"
         "nopqrsmnopqrstnopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    };
    char hex[SHA256_HEX_BYTES];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        hash(cases[i].text, strlen(cases[i].text), hex);
        assert_string_equal(hex, cases[i].hex);
    }
    char *million = malloc(1000000);
    assert_non_null(million);
    memset(million, 'a', 1000000);
    hash(million, 1000000, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(million);
}

/* Cut anywhere, the sum is the same. */
static void test_pieces(void **state)
{
    (void)state;
    unsigned char text[200], digest[SHA256_BYTES];
    char whole[SHA256_HEX_BYTES], cut[SHA256_HEX_BYTES];
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (unsigned char)(i * 7);
    for (size_t n = 0; n <= sizeof(text); n++) {
        hash(text, n, whole);
        for (size_t at = 0; at <= n; at++) {
            struct sha256 s;
            sha256_init(&s);
            sha256_put(&s, text, at);
            sha256_put(&s, NULL, 0);
            sha256_put(&s, text + at, n - at);
            sha256_end(&s, digest);
            sha256_hex(digest, cut);
            assert_string_equal(cut, whole);
        }
    }
}

static void test_fd(void **state)
{
    (void)state;
    unsigned char digest[SHA256_BYTES];
    char hex[SHA256_HEX_BYTES];
    int fd = memfd_create("text", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "abc", 3), 3);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(sha256_fd(fd, digest), 0);
    sha256_hex(digest, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    close(fd);
    assert_int_equal(sha256_fd(-1, digest), -EBADF);
    fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(sha256_fd(fd, digest), -EISDIR);
    close(fd);
}

/* Beside another program's: lengths round one and two blocks, and a long one. */
static void test_sha256sum(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 127, 128, 129, 100003};
    if (system("sha256sum --version >/dev/null 2>&1") != 0) /* NOLINT(*-env33-c) */
        fail_msg("no sha256sum(1) here");
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        char path[] = "/tmp/test_sha256.XXXXXX", command[96], line[SHA256_HEX_BYTES];
        char hex[SHA256_HEX_BYTES];
        unsigned char *text = malloc(lengths[i] + 1);
        int fd = mkstemp(path);
        assert_true(fd >= 0 && text);
        for (size_t b = 0; b < lengths[i]; b++)
            text[b] = (unsigned char)(b * b >> 3 ^ b);
        assert_int_equal(write(fd, text, lengths[i]), lengths[i]);
        close(fd);
        (void)snprintf(command, sizeof(command), "sha256sum < %s", path);
        FILE *p = popen(command, "r"); /* NOLINT(*-env33-c) */
        assert_non_null(p);
        assert_non_null(fgets(line, sizeof(line), p));
        pclose(p);
        hash(text, lengths[i], hex);
        assert_string_equal(line, hex);
        unlink(path);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_fd),
        cmocka_unit_test(test_sha256sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Presets: hosts from what tools say, broken texts included; the lines that come of them. */
#include "config/config.h"
#include "network/preset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct arena arena;
static struct preset_found found;

static int begin(void **state)
{
    (void)state;
    arena = (struct arena){0};
    found = (struct preset_found){.arena = &arena, .preset = net_preset_find("npm")};
    return 0;
}

static int end(void **state)
{
    (void)state;
    preset_found_release(&found);
    arena_release(&arena);
    return 0;
}

static void assert_hosts(const char *want)
{
    _cleanup_strbuf_ struct strbuf all = {0};
    vec_foreach (h, &found.hosts)
        strbuf_printf(&all, "%s%s", all.n ? " " : "", h->pattern);
    assert_string_equal(strbuf_text(&all), want);
    found.hosts.n = 0;
}

static void test_urls(void **state)
{
    (void)state;
    static const char *const fine[] = {
        "https://A.example.com./x", "http://u:p@b.example.com", "https://u@x@c.example.com:99?q",
        "https://[2606:4700::1]/",  "http://127.1:8080/x",      "https://c.example.com:99/again"};
    static const char *const none[] = {"",
                                       "example.com",
                                       "ftp://x.example.com",
                                       "https://",
                                       "https:///x",
                                       "https://a b.example.com",
                                       "https://x.example.com:0",
                                       "https://x.example.com:port",
                                       "https://${HOST}/",
                                       "https://a..b/"};
    for (size_t i = 0; i < ARRAY_LEN(fine); i++)
        assert_true(preset_add_url(&found, bytes_of(fine[i]), "there"));
    assert_hosts("a.example.com:443 b.example.com:80 c.example.com:99 [2606:4700::1]:443 "
                 "127.0.0.1:8080");
    for (size_t i = 0; i < ARRAY_LEN(none); i++)
        assert_false(preset_add_url(&found, bytes_of(none[i]), "there"));
    assert_hosts("");
    vec_foreach (note, &found.notes)
        assert_non_null(strstr(*note, "there"));
    assert_false(found.failed);
}

/* Every text cut at every byte, and with a byte of each kind put in: nothing is read past its end
 * (for the sanitizers), and only hosts come out. */
static void each_cut(const char *text, void (*read)(struct bytes))
{
    static const char odd[] = {'\0', '\n', '"', '[', ']', ' ', '=', ':', '\\', '/', '\'', '\x80'};
    size_t n = strlen(text);
    for (size_t cut = 0; cut <= n; cut++) {
        char *copy = mem_alloc(cut + 1);
        assert_non_null(copy);
        memcpy(copy, text, cut);
        read((struct bytes){copy, cut});
        for (size_t i = 0; cut > 0 && i < ARRAY_LEN(odd); i++) {
            copy[cut - 1] = odd[i];
            read((struct bytes){copy, cut});
        }
        mem_free(copy);
        vec_foreach (h, &found.hosts)
            assert_null(strpbrk(h->pattern, "\"\\ /@\n"));
        (void)end(NULL);
        (void)begin(NULL);
    }
}

static void read_npm(struct bytes t)
{
    const char *file;
    (void)preset_read_npm(&found, t, &file);
    preset_read_npmrc(&found, "f", t, true);
}
static void read_pip(struct bytes t)
{
    bool index;
    preset_read_pip(&found, t, &index);
}
static void read_go(struct bytes t)
{
    (void)preset_read_go(&found, t);
}
static void read_apt(struct bytes t)
{
    struct preset_files mirrors = {0};
    preset_read_apt(&found, "f", false, t, &mirrors);
    preset_read_apt(&found, "f", true, t, &mirrors);
    preset_read_mirrors(&found, "f", t);
    vec_release(&mirrors.v);
}
static void read_index(struct bytes t)
{
    preset_read_cargo_index(&found, "index.example.com-0", t);
}

static void test_cut(void **state)
{
    (void)state;
    each_cut("{\"registry\":\"https://u:p@r.example.com/x\",\"@a:registry\":\"https://s.example\"}",
             read_npm);
    each_cut("registry = \"https://r.example.com/\"\n@a:registry=https://s.example.com\n",
             read_npm);
    each_cut("g.index-url='https://a.example/s'\n:env:.extra-index-url='\\nhttps://b.example'\n",
             read_pip);
    each_cut("https://a.example,https://b.example|direct\nsum.example+1+x https://c.example\n",
             read_go);
    each_cut("deb [ a=b ] http://a.example/d ./ main\ndeb-src mirror+file:/etc/m x y\n", read_apt);
    each_cut(
        "Types: deb\nURIs: http://a.example/\n mirror://b.example/x\nSuites: ./\nEnabled: no\n",
        read_apt);
    each_cut("{\"dl\": \"https://d.example.com/x\", \"api\": null}", read_index);
}

static void test_many(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * MAX_PRESET_HOSTS; i++) {
        char url[64];
        (void)snprintf(url, sizeof(url), "https://h%u.example.com/", i);
        (void)preset_add_url(&found, bytes_of(url), "there");
    }
    assert_int_equal(found.hosts.n, MAX_PRESET_HOSTS);
    assert_true(found.failed);
}

/* What is printed is a configuration, and means what it says. */
static void test_toml(void **state)
{
    (void)state;
    static const char *const names[] = {"work", "with space", "q\"uote", "n\newline"};
    for (size_t i = 0; i < n_net_presets * ARRAY_LEN(names); i++) {
        _cleanup_strbuf_ struct strbuf out = {0};
        struct toml_value *tree;
        struct error err = {0};
        const char *name = names[i % ARRAY_LEN(names)];
        (void)end(NULL);
        (void)begin(NULL);
        found.preset = &net_presets[i / ARRAY_LEN(names)];
        preset_note(&found, "a note\nof two lines");
        assert_true(preset_add_host(&found, BYTES("a.example.com"), "there\nthere"));
        found.doubting = true;
        assert_true(preset_add_host(&found, BYTES("b.example.com"), "there"));
        preset_toml(&found, name, &out);
        assert_int_equal(
            toml_parse(&arena, "f", (struct bytes){out.p, out.n}, TOML_1_1, &tree, &err), 0);
        const struct toml_value *net = toml_get(
            toml_get(toml_get(tree, BYTES("permissions")), bytes_of(name)), BYTES("network"));
        assert_non_null(net);
        assert_int_equal(toml_get(net, BYTES("domains"))->table.n, 1);
        const struct toml_value *requests = toml_get(net, BYTES("requests"));
        size_t want = found.preset->kind == PRESET_GIT_READ ? 3
                      : found.preset->kind == PRESET_DEBIAN ? 0
                                                            : 1;
        assert_int_equal(requests ? requests->array.n : 0, want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_urls, begin, end),
        cmocka_unit_test_setup_teardown(test_cut, begin, end),
        cmocka_unit_test_setup_teardown(test_many, begin, end),
        cmocka_unit_test_setup_teardown(test_toml, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

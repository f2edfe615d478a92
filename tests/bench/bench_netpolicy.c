/*
 * How long the network's rules take: bench_netpolicy [N] builds a policy of N patterns (100,000),
 * names, wildcards and a tenth of ranges, and prints milliseconds to build it, its memory, and
 * nanoseconds a decision for names and for literals (spec 5.9: under 2 µs, start-up under 100 ms).
 *
 *   cc -O2 -std=gnu17 -D_GNU_SOURCE -Isrc tests/bench/bench_netpolicy.c \
 *      build/src/network/libnetwork.a build/src/config/libconfig.a build/src/base/libbase.a
 */
#include "network/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define HOSTS  4096u
#define ROUNDS 100u

static uint64_t seed = 0x2545f4914f6cdd1du;

static unsigned draw(unsigned below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 33) % below;
}

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void put_pattern(char *to, size_t cap, unsigned i)
{
    static const char *const heads[] = {"", "*.", "**."};
    static const char *const tails[] = {"com", "net", "org", "io", "example.com", "co.uk"};
    if (i % 10 == 9)
        (void)snprintf(to, cap, "%u.%u.%u.0/24", 1 + draw(9), draw(256), draw(256));
    else
        (void)snprintf(to, cap, "%s%c%x-site%u.%s", heads[draw(3)], (char)('a' + draw(26)),
                       draw(65536), i, tails[draw(6)]);
}

/* Nanoseconds a decision over HOSTS. */
static double ask(const struct netpolicy *p, const struct host *hosts)
{
    struct netrequest q = {.port = 443, .protocol = NET_HTTPS};
    struct netanswer a;
    double start = now();
    for (unsigned k = 0; k < ROUNDS; k++)
        for (unsigned i = 0; i < HOSTS; i++) {
            q.host = hosts[i];
            netpolicy_decide(p, &q, &a);
        }
    return (now() - start) * 1e6 / (ROUNDS * HOSTS);
}

int main(int argc, char **argv)
{
    const struct netpolicy_settings settings = {0};
    unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 100000;
    char(*text)[64] = calloc(n ? n : 1, sizeof(*text));
    struct host *names = calloc(HOSTS, sizeof(*names)),
                *literals = calloc(HOSTS, sizeof(*literals));
    if (!text || !names || !literals || n == 0)
        return 1;
    for (unsigned i = 0; i < n; i++)
        put_pattern(text[i], sizeof(text[i]), i);
    double start = now();
    struct netpolicy *p = netpolicy_new(&settings);
    for (unsigned i = 0; i < n; i++) {
        const struct netrule rule = {
            .pattern = text[i], .decision = NET_ALLOW, .source = NET_OF_RULES};
        if (!p || netpolicy_add(p, &rule, NULL) < 0)
            return 1;
    }
    double added = now();
    if (netpolicy_finish(p, NULL, NULL) < 0)
        return 1;
    double built = now();
    for (unsigned i = 0; i < HOSTS; i++) { /* half of them hit */
        char buf[80];
        const char *from = text[draw(n)];
        from += strspn(from, "*.");
        (void)snprintf(buf, sizeof(buf), "%s%s", i % 2 ? "www." : "",
                       strchr(from, '/') ? "x.y" : from);
        (void)host_parse(bytes_of(buf), &names[i]);
        (void)snprintf(buf, sizeof(buf), "%u.%u.%u.7", 1 + draw(9), draw(256), draw(256));
        (void)host_parse(bytes_of(buf), &literals[i]);
    }
    printf("%u patterns: read %.1f ms, laid out %.1f ms, %.1f MB\n", n, added - start,
           built - added, (double)netpolicy_bytes(p) / 1e6);
    printf("a name %.0f ns, a literal %.0f ns\n", ask(p, names), ask(p, literals));
    netpolicy_free(p);
    free(text);
    free(names);
    free(literals);
    return 0;
}

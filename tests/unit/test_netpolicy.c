/*
 * The network's decisions: tables of rules, requests and answers; patterns that are no patterns; an
 * independent reading of the rules over random ones.
 */
#include "base/mem.h"
#include "network/pattern.h"
#include "network/policy.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

enum { LOCAL = 1, FIXED = 2, MANAGED = 4, ASKS = 8, ASKS_RULE = 16, OWN = 32 };

/* RULES: "DECISION PATTERN" with ";" between, DECISION one of allow, ask, deny, and before it, for
 * another source, project: rules: required: or session:, and for a level a digit and a colon. */
static const struct {
    const char *rules;
    unsigned flags;
    const char *request; /* "HOST:PORT", with " PROTOCOL" behind, and " = ADDRESS…" when resolved */
    const char *want;    /* "DECISION REASON", and the pattern of the rule */
} cases[] = {
    /* ---- nothing is said ---- */
    {"", 0, "example.com:443", "deny not_allowed"},
    {"", 0, "8.8.8.8:443", "deny not_allowed"},
    {"", ASKS, "example.com:443", "ask ask_unknown"},
    {"", ASKS, "8.8.8.8:443", "ask ask_unknown"},
    {"", ASKS_RULE, "example.com:443", "deny not_allowed"},
    /* ---- host ---- */
    {"allow example.com", 0, "example.com:443", "allow allowed example.com"},
    {"allow EXAMPLE.com.", 0, "example.COM:443", "allow allowed EXAMPLE.com."},
    {"allow example.com", 0, "example.com.:443", "allow allowed example.com"},
    {"allow example.com", 0, "www.example.com:443", "deny not_allowed"},
    {"allow example.com", 0, "notexample.com:443", "deny not_allowed"},
    {"allow example.com", 0, "example.com.evil.test:443", "deny not_allowed"},
    {"allow example.com", 0, "com:443", "deny not_allowed"},
    {"allow intranet", 0, "intranet:80", "allow allowed intranet"},
    {"allow my_host.test", 0, "my_host.test:80", "allow allowed my_host.test"},
    {"allow xn--bcher-kva.test", 0, "xn--bcher-kva.test:80", "allow allowed xn--bcher-kva.test"},
    /* ---- *.host ---- */
    {"allow *.example.com", 0, "www.example.com:443", "allow allowed *.example.com"},
    {"allow *.example.com", 0, "a.b.c.example.com:443", "allow allowed *.example.com"},
    {"allow *.example.com", 0, "example.com:443", "deny not_allowed"},
    {"allow *.example.com", 0, "wwwexample.com:443", "deny not_allowed"},
    {"allow *.com", 0, "example.com:443", "allow allowed *.com"},
    {"allow *.com", 0, "com:443", "deny not_allowed"},
    {"deny *.example.com; allow example.com", 0, "example.com:443", "allow allowed example.com"},
    {"deny *.example.com; allow **.example.com", 0, "a.example.com:443",
     "deny denied *.example.com"},
    /* ---- **.host ---- */
    {"allow **.example.com", 0, "example.com:443", "allow allowed **.example.com"},
    {"allow **.example.com", 0, "www.example.com:443", "allow allowed **.example.com"},
    {"allow **.example.com", 0, "a.b.example.com:443", "allow allowed **.example.com"},
    {"allow **.example.com", 0, "xample.com:443", "deny not_allowed"},
    {"allow **.example.com", 0, "evilexample.com:443", "deny not_allowed"},
    /* ---- * ---- */
    {"allow *", 0, "example.com:443", "allow allowed *"},
    {"allow *", 0, "8.8.8.8:443", "allow allowed *"},
    {"allow *", 0, "[2606:4700::1111]:443", "allow allowed *"},
    {"allow *; deny **.evil.test", 0, "evil.test:443", "deny denied **.evil.test"},
    {"allow *; deny **.evil.test", 0, "a.evil.test:443", "deny denied **.evil.test"},
    {"allow *; deny 8.8.8.8", 0, "8.8.8.8:53", "deny denied 8.8.8.8"},
    {"allow *:443", 0, "example.com:443", "allow allowed *:443"},
    {"allow *:443", 0, "example.com:80", "deny not_allowed"},
    {"allow *:443", 0, "8.8.8.8:443", "allow allowed *:443"},
    /* ---- ports ---- */
    {"allow example.com:443", 0, "example.com:443", "allow allowed example.com:443"},
    {"allow example.com:443", 0, "example.com:80", "deny not_allowed"},
    {"allow example.com:8000-8999", 0, "example.com:8000", "allow allowed example.com:8000-8999"},
    {"allow example.com:8000-8999", 0, "example.com:8999", "allow allowed example.com:8000-8999"},
    {"allow example.com:8000-8999", 0, "example.com:7999", "deny not_allowed"},
    {"allow example.com:8000-8999", 0, "example.com:9000", "deny not_allowed"},
    {"allow example.com; deny example.com:22", 0, "example.com:22", "deny denied example.com:22"},
    {"allow example.com; deny example.com:22", 0, "example.com:443", "allow allowed example.com"},
    {"allow [2606:4700::1111]:443", 0, "[2606:4700::1111]:443",
     "allow allowed [2606:4700::1111]:443"},
    {"allow [2606:4700::1111]:443", 0, "[2606:4700::1111]:80", "deny not_allowed"},
    {"allow 8.8.8.0/24:53", 0, "8.8.8.8:53", "allow allowed 8.8.8.0/24:53"},
    {"allow 8.8.8.0/24:53", 0, "8.8.8.8:80", "deny not_allowed"},
    {"allow [2606:4700::]/32:53", 0, "[2606:4700::1]:53", "allow allowed [2606:4700::]/32:53"},
    {"allow [2606:4700::/32]:53", 0, "[2606:4700::1]:53", "allow allowed [2606:4700::/32]:53"},
    /* ---- who wins ---- */
    {"allow www.example.com; deny **.example.com", 0, "www.example.com:443",
     "deny denied **.example.com"},
    {"deny example.com; allow www.example.com", 0, "www.example.com:443",
     "allow allowed www.example.com"},
    {"rules:allow example.com; deny example.com", 0, "example.com:443", "deny denied example.com"},
    {"rules:allow example.com; rules:ask example.com", ASKS_RULE, "example.com:443",
     "ask ask_rule example.com"},
    {"rules:allow example.com; rules:ask example.com", 0, "example.com:443",
     "deny nobody_to_ask example.com"},
    {"allow example.com; rules:ask **.com", ASKS_RULE, "example.com:443", "ask ask_rule **.com"},
    {"rules:ask example.com; rules:deny example.com", ASKS_RULE, "example.com:443",
     "deny denied example.com"},
    {"session:deny example.com:443; allow example.com", 0, "example.com:443",
     "deny denied example.com:443"},
    {"session:allow example.com:443", 0, "example.com:443", "allow allowed example.com:443"},
    {"deny **.com; deny example.com", 0, "example.com:443",
     "deny denied example.com"}, /* narrowest */
    {"allow *; allow **.com; allow *.example.com", 0, "a.example.com:1",
     "allow allowed *.example.com"},
    /* ---- protocols ---- */
    {"rules:allow example.com/https", 0, "example.com:443 https", "allow allowed example.com"},
    {"rules:allow example.com/https", 0, "example.com:443 http", "deny not_allowed"},
    {"rules:deny example.com/socks5_udp; allow example.com", 0, "example.com:443 socks5_tcp",
     "allow allowed example.com"},
    {"rules:deny example.com/socks5_udp; allow example.com", 0, "example.com:443 socks5_udp",
     "deny denied example.com"},
    {"rules:allow example.com/any", 0, "example.com:443 tcp", "allow allowed example.com"},
    {"rules:allow example.com/http-connect", 0, "example.com:443 https",
     "allow allowed example.com"},
    /* ---- addresses, in every spelling ---- */
    {"allow 8.8.8.8", 0, "8.8.8.8:53", "allow allowed 8.8.8.8"},
    {"allow 8.8.8.8", 0, "8.8.4.4:53", "deny not_allowed"},
    {"allow 8.8.8.8", 0, "8.8.2056:53", "allow allowed 8.8.8.8"},
    {"allow 8.8.8.8", 0, "134744072:53", "allow allowed 8.8.8.8"},
    {"allow 8.8.8.8", 0, "0x8.0x8.0x8.0x8:53", "allow allowed 8.8.8.8"},
    {"allow 8.8.8.8", 0, "010.010.010.010:53", "allow allowed 8.8.8.8"},
    {"allow 8.8.8.8", 0, "[::ffff:8.8.8.8]:53", "allow allowed 8.8.8.8"},
    {"allow 8.8.8.8", 0, "[::8.8.8.8]:53", "allow allowed 8.8.8.8"},
    {"allow 8.8.8.8", 0, "[::ffff:0:8.8.8.8]:53", "allow allowed 8.8.8.8"},
    {"allow 8.8.8.8", 0, "[64:ff9b::8.8.8.8]:53", "allow allowed 8.8.8.8"},
    {"allow 8.8.8.8", 0, "[2002:808:808::1]:53", "allow allowed 8.8.8.8"},
    {"allow 0x08080808", 0, "8.8.8.8:53", "allow allowed 0x08080808"},
    {"allow ::ffff:8.8.8.8", 0, "8.8.8.8:53", "allow allowed ::ffff:8.8.8.8"},
    {"allow 2002:808:808::", 0, "8.8.8.8:53", "allow allowed 2002:808:808::"},
    {"deny 8.8.8.8; allow *", 0, "[::ffff:808:808]:53", "deny denied 8.8.8.8"},
    {"deny 8.8.8.8; allow *", 0, "[64:ff9b::808:808]:53", "deny denied 8.8.8.8"},
    {"deny 8.8.8.8; allow *", 0, "[2002:808:808:1::]:53", "deny denied 8.8.8.8"},
    {"deny 8.8.8.8; allow *", LOCAL, "[64:ff9b:1::808:808]:53", "deny denied 8.8.8.8"},
    {"deny 8.8.8.8; allow *", 0, "[2001:0:808:808::f7f7:f7f6]:53", "deny denied 8.8.8.8"},
    {"deny 8.8.8.9; allow *", 0, "[2001:0:808:808::f7f7:f7f6]:53", "deny denied 8.8.8.9"},
    {"allow 2606:4700::1111", 0, "[2606:4700:0:0::1111]:443", "allow allowed 2606:4700::1111"},
    {"allow 2606:4700::1111", 0, "[2606:4700::1112]:443", "deny not_allowed"},
    /* ---- ranges ---- */
    {"allow 8.8.0.0/16", 0, "8.8.255.255:1", "allow allowed 8.8.0.0/16"},
    {"allow 8.8.0.0/16", 0, "8.9.0.0:1", "deny not_allowed"},
    {"allow 8.8.0.0/16", 0, "8.7.255.255:1", "deny not_allowed"},
    {"deny 8.8.0.0/16; allow 8.0.0.0/8", 0, "8.8.1.1:1", "deny denied 8.8.0.0/16"},
    {"deny 8.8.0.0/16; allow 8.0.0.0/8", 0, "8.9.1.1:1", "allow allowed 8.0.0.0/8"},
    {"deny 8.0.0.0/8; allow 8.8.8.8", 0, "8.8.8.8:1", "deny denied 8.0.0.0/8"},
    {"allow 0.0.0.0/0", 0, "8.8.8.8:1", "allow allowed 0.0.0.0/0"},
    {"allow 0.0.0.0/0", 0, "10.0.0.1:1", "deny not_allowed_local"},
    {"allow 0.0.0.0/0", 0, "[2606:4700::1]:1", "deny not_allowed"},
    {"allow 0.0.0.0/0", 0, "example.com:1", "deny not_allowed"}, /* a name is not an address */
    {"allow ::/0", 0, "[2606:4700::1]:1", "allow allowed ::/0"},
    {"allow ::/0", 0, "[::ffff:8.8.8.8]:1", "deny not_allowed"}, /* that is IPv4 */
    {"deny ::/0; allow *", 0, "[::ffff:8.8.8.8]:1", "deny denied ::/0"},
    {"deny 2002::/16; allow *", 0, "[2002:808:808::1]:1", "deny denied 2002::/16"},
    {"deny 2002::/16; allow *", 0, "8.8.8.8:1", "allow allowed *"},
    {"deny 64:ff9b::/96; allow *", 0, "8.8.8.8:1", "allow allowed *"},
    {"deny 64:ff9b::/96; allow *", 0, "[64:ff9b::8.8.8.8]:1", "deny denied 64:ff9b::/96"},
    {"deny ::ffff:8.8.0.0/112; allow *", 0, "8.8.8.8:1", "deny denied ::ffff:8.8.0.0/112"},
    {"allow 2606:4700::/32", 0, "[2606:4700:ffff:ffff:ffff:ffff:ffff:ffff]:1",
     "allow allowed 2606:4700::/32"},
    {"allow 2606:4700::/32", 0, "[2606:4701::]:1", "deny not_allowed"},
    {"allow 2606:4700::/33", 0, "[2606:4700:8000::]:1", "deny not_allowed"},
    {"allow 2606:4700:0:0:8000::/65", 0, "[2606:4700::8000:0:0:0]:1",
     "allow allowed 2606:4700:0:0:8000::/65"},
    {"allow 2606:4700:0:0:8000::/65", 0, "[2606:4700::7fff:0:0:0]:1", "deny not_allowed"},
    /* ---- what is not public, by literal ---- */
    {"allow *", 0, "127.0.0.1:80", "deny not_allowed_local"},
    {"allow *", 0, "127.1:80", "deny not_allowed_local"},
    {"allow *", 0, "0x7f000001:80", "deny not_allowed_local"},
    {"allow *", 0, "2130706433:80", "deny not_allowed_local"},
    {"allow *", 0, "017700000001:80", "deny not_allowed_local"},
    {"allow *", 0, "0:80", "deny not_allowed_local"},
    {"allow *", 0, "[::1]:80", "deny not_allowed_local"},
    {"allow *", 0, "[::]:80", "deny not_allowed_local"},
    {"allow *", 0, "[::ffff:127.0.0.1]:80", "deny not_allowed_local"},
    {"allow *", 0, "[::127.0.0.1]:80", "deny not_allowed_local"},
    {"allow *", 0, "[64:ff9b::10.0.0.1]:80", "deny not_allowed_local"},
    {"allow *", 0, "[64:ff9b:1::10.0.0.1]:80", "deny not_allowed_local"},
    {"allow *", 0, "[2002:a00:1::1]:80", "deny not_allowed_local"},
    {"allow *", 0, "[2001:0:a00:1::1]:80", "deny not_allowed_local"},
    {"allow *", 0, "10.1.2.3:80", "deny not_allowed_local"},
    {"allow *", 0, "172.16.0.1:80", "deny not_allowed_local"},
    {"allow *", 0, "192.168.0.1:80", "deny not_allowed_local"},
    {"allow *", 0, "100.64.0.1:80", "deny not_allowed_local"},
    {"allow *", 0, "169.254.169.254:80", "deny not_allowed_local"},
    {"allow *", 0, "168.63.129.16:80", "deny not_allowed_local"},
    {"allow *", 0, "[fd00:ec2::254]:80", "deny not_allowed_local"},
    {"allow *", 0, "[fe80::1]:80", "deny not_allowed_local"},
    {"allow *", 0, "224.0.0.1:80", "deny not_allowed_local"},
    {"allow *", 0, "203.0.113.1:80", "deny not_allowed_local"},
    {"", ASKS, "127.0.0.1:80", "deny not_allowed_local"}, /* never asked about */
    {"", ASKS, "10.0.0.1:80", "deny not_allowed_local"},
    {"", ASKS, "localhost:80", "deny not_allowed_local"},
    {"rules:ask 10.0.0.1", ASKS | ASKS_RULE, "10.0.0.1:80", "deny not_allowed_local"},
    {"allow 10.0.0.1; rules:ask 10.0.0.1", ASKS | ASKS_RULE, "10.0.0.1:80",
     "deny not_allowed_local"},
    {"deny 10.0.0.1", ASKS, "10.0.0.1:80", "deny denied 10.0.0.1"},
    /* an exact literal opens that one */
    {"allow 127.0.0.1", 0, "127.0.0.1:80", "allow allowed 127.0.0.1"},
    {"allow 127.0.0.1", 0, "127.1:80", "allow allowed 127.0.0.1"},
    {"allow 127.0.0.1", 0, "[::ffff:127.0.0.1]:80", "allow allowed 127.0.0.1"},
    {"allow 127.0.0.1", 0, "127.0.0.2:80", "deny not_allowed_local"},
    {"allow 127.0.0.1", 0, "[::1]:80", "deny not_allowed_local"},
    {"allow 127.0.0.1", 0, "localhost:80", "deny not_allowed_local"},
    {"allow 127.0.0.1:8080", 0, "127.0.0.1:8080", "allow allowed 127.0.0.1:8080"},
    {"allow 127.0.0.1:8080", 0, "127.0.0.1:8081", "deny not_allowed_local"},
    {"allow 127.0.0.1:8080; allow *", 0, "127.0.0.1:22", "deny not_allowed_local"},
    {"allow 169.254.169.254", 0, "169.254.169.254:80", "allow allowed 169.254.169.254"},
    {"allow 10.0.0.1; deny 10.0.0.0/8", 0, "10.0.0.1:80", "deny denied 10.0.0.0/8"},
    {"project:allow 10.0.0.1", 0, "10.0.0.1:80", "deny not_allowed_local"}, /* a stranger's */
    {"project:allow example.com", 0, "example.com:80", "allow allowed example.com"},
    /* ---- localhost ---- */
    {"allow *", 0, "localhost:80", "deny not_allowed_local"},
    {"allow *", 0, "a.localhost:80", "deny not_allowed_local"},
    {"allow **.localhost", 0, "localhost:80", "deny not_allowed_local"},
    {"allow localhost", 0, "localhost:80", "allow allowed localhost"},
    {"allow localhost", 0, "LOCALHOST.:80", "allow allowed localhost"},
    {"allow localhost", 0, "a.localhost:80", "deny not_allowed_local"},
    {"allow app.localhost", 0, "app.localhost:80", "allow allowed app.localhost"},
    {"allow localhost:3000", 0, "localhost:3000", "allow allowed localhost:3000"},
    {"allow localhost:3000", 0, "localhost:22", "deny not_allowed_local"},
    {"project:allow localhost", 0, "localhost:80", "deny not_allowed_local"},
    {"allow *", LOCAL, "localhost:80", "allow allowed *"},
    /* ---- allow_local_binding ---- */
    {"allow *", LOCAL, "127.0.0.1:80", "allow allowed *"},
    {"allow *", LOCAL, "10.0.0.1:80", "allow allowed *"},
    {"allow *", LOCAL, "169.254.1.1:80", "allow allowed *"},
    {"allow *", LOCAL, "0.0.0.0:80", "allow allowed *"},
    {"allow *", LOCAL, "[fd12::1]:80", "allow allowed *"},
    {"", LOCAL, "127.0.0.1:80", "deny not_allowed"}, /* it opens, a rule allows */
    {"allow 10.0.0.0/8", LOCAL, "10.1.1.1:80", "allow allowed 10.0.0.0/8"},
    {"allow *", LOCAL, "169.254.169.254:80", "deny not_allowed_local"}, /* never by the way */
    {"allow *", LOCAL, "[fd00:ec2::254]:80", "deny not_allowed_local"},
    {"allow *", LOCAL, "224.0.0.1:80", "deny not_allowed_local"},
    {"allow *", LOCAL, "240.0.0.1:80", "deny not_allowed_local"},
    {"allow *", LOCAL, "203.0.113.1:80", "deny not_allowed_local"},
    {"allow *", LOCAL, "[2001:db8::1]:80", "deny not_allowed_local"},
    {"allow *; deny 127.0.0.1", LOCAL, "127.0.0.1:80", "deny denied 127.0.0.1"},
    /* ---- the machine's own addresses (OWN: 198.45.1.1, 2606:4700::5) ---- */
    {"allow *", OWN, "198.45.1.1:22", "deny not_allowed_local"},
    {"allow *", OWN, "[::ffff:198.45.1.1]:22", "deny not_allowed_local"},
    {"allow *", OWN, "[2606:4700::5]:22", "deny not_allowed_local"},
    {"allow *", OWN, "198.45.1.2:22", "allow allowed *"},
    {"allow *", OWN | LOCAL, "198.45.1.1:22", "allow allowed *"},
    {"allow 198.45.1.1", OWN, "198.45.1.1:22", "allow allowed 198.45.1.1"},
    {"allow *", OWN, "example.com:22 = 198.45.1.1", "deny not_allowed_local"},
    /* ---- the administrator ---- */
    {"required:deny **.evil.test; allow *", 0, "evil.test:443", "deny denied **.evil.test"},
    {"required:deny a.test; allow a.test", 0, "a.test:443", "deny denied a.test"},
    {"required:allow a.test", 0, "a.test:443", "allow allowed a.test"},
    {"required:allow a.test; allow b.test", 0, "b.test:443", "allow allowed b.test"},
    {"required:allow a.test; allow b.test", MANAGED, "b.test:443",
     "deny not_allowed_managed b.test"},
    {"required:allow a.test; allow b.test", MANAGED, "a.test:443", "allow allowed a.test"},
    {"required:allow a.test; deny a.test", MANAGED, "a.test:443", "deny denied a.test"},
    {"required:allow a.test; rules:ask a.test", MANAGED | ASKS_RULE, "a.test:443",
     "ask ask_rule a.test"},
    {"allow *; rules:allow b.test; session:allow b.test", MANAGED, "b.test:443",
     "deny not_allowed_managed b.test"},
    {"", MANAGED | ASKS, "b.test:443", "deny not_allowed_managed"}, /* no use asking */
    {"allow 10.0.0.1", MANAGED, "10.0.0.1:443", "deny not_allowed_local"},
    {"required:allow 10.0.0.1", MANAGED, "10.0.0.1:443", "allow allowed 10.0.0.1"},
    /* ---- levels: what a profile says of a pattern replaces what it extends ---- */
    {"0:deny a.test; 1:allow a.test", 0, "a.test:443", "allow allowed a.test"},
    {"1:allow a.test; 0:deny A.TEST.", 0, "a.test:443", "allow allowed a.test"},
    {"0:allow a.test; 1:deny a.test", 0, "a.test:443", "deny denied a.test"},
    {"0:deny **.a.test; 1:allow a.test", 0, "a.test:443", "deny denied **.a.test"},
    {"0:deny a.test:80; 1:allow a.test", 0, "a.test:80", "deny denied a.test:80"},
    {"0:deny 10.0.0.1; 1:allow ::ffff:10.0.0.1", 0, "10.0.0.1:80", "allow allowed ::ffff:10.0.0.1"},
    {"required:deny a.test; 9:allow a.test", 0, "a.test:443", "deny denied a.test"},
    /* ---- after resolving ---- */
    {"allow *", 0, "example.com:443 = 93.184.216.34", "allow allowed"},
    {"allow *", 0, "example.com:443 = 93.184.216.34 2606:2800::1", "allow allowed"},
    {"allow *", 0, "example.com:443 =", "deny dns_failed"},
    {"allow *", 0, "example.com:443 = 10.0.0.1", "deny not_allowed_local"},
    {"allow *", 0, "example.com:443 = 127.0.0.1", "deny not_allowed_local"},
    {"allow *", 0, "example.com:443 = ::1", "deny not_allowed_local"},
    {"allow *", 0, "example.com:443 = 0.0.0.0", "deny not_allowed_local"},
    {"allow *", 0, "example.com:443 = 169.254.169.254", "deny not_allowed_local"},
    {"allow *", LOCAL, "example.com:443 = 169.254.169.254", "deny not_allowed_local"},
    {"allow *", 0, "example.com:443 = ::ffff:10.0.0.1", "deny not_allowed_local"},
    {"allow *", 0, "example.com:443 = 64:ff9b::a00:1", "deny not_allowed_local"},
    {"allow *", 0, "example.com:443 = 64:ff9b::808:808", "allow allowed"},
    {"allow *", 0, "example.com:443 = 2002:a00:1::1", "deny not_allowed_local"},
    {"allow *", 0, "example.com:443 = 93.184.216.34 10.0.0.1", "deny not_allowed_local"},
    {"allow *", 0, "example.com:443 = 10.0.0.1 93.184.216.34", "deny not_allowed_local"},
    {"allow *", 0, "example.com:443 = 93.184.216.34 93.184.216.35 ::1", "deny not_allowed_local"},
    {"allow *; allow 10.0.0.1", 0, "example.com:443 = 10.0.0.1", "allow allowed 10.0.0.1"},
    {"allow *; allow 10.0.0.1:80", 0, "example.com:443 = 10.0.0.1", "deny not_allowed_local"},
    {"allow *; allow 10.0.0.1", 0, "example.com:443 = 10.0.0.1 93.184.216.34",
     "deny mixed_answers"},
    {"allow *; allow 10.0.0.1; allow 10.0.0.2", 0, "example.com:443 = 10.0.0.1 10.0.0.2",
     "allow allowed 10.0.0.1"},
    {"allow *", LOCAL, "example.com:443 = 10.0.0.1", "allow allowed"},
    {"allow *", LOCAL, "example.com:443 = 10.0.0.1 93.184.216.34", "allow allowed"},
    {"allow *; deny 93.184.216.34", 0, "example.com:443 = 93.184.216.34",
     "deny denied 93.184.216.34"},
    {"allow *; deny 93.184.216.34", 0, "example.com:443 = 1.1.1.1 93.184.216.34",
     "deny denied 93.184.216.34"},
    {"allow *; deny 93.184.216.34:80", 0, "example.com:443 = 93.184.216.34", "allow allowed"},
    {"allow *; deny 93.184.0.0/16", 0, "example.com:443 = ::ffff:93.184.216.34",
     "deny denied 93.184.0.0/16"},
    {"allow *; deny 93.184.0.0/16", 0, "example.com:443 = 64:ff9b::5db8:d822",
     "deny denied 93.184.0.0/16"},
    {"allow *; rules:ask 93.184.0.0/16", ASKS_RULE, "example.com:443 = 1.1.1.1 93.184.1.1",
     "ask ask_rule 93.184.0.0/16"},
    {"allow *; rules:ask 93.184.0.0/16", ASKS_RULE, "example.com:443 = 93.184.1.1 10.0.0.1",
     "deny not_allowed_local"},
    {"allow *; rules:ask 93.184.0.0/16", 0, "example.com:443 = 93.184.1.1",
     "deny nobody_to_ask 93.184.0.0/16"},
    {"allow localhost", 0, "localhost:80 = 127.0.0.1 ::1", "allow allowed"},
    {"allow localhost", 0, "localhost:80 = 93.184.216.34", "deny not_allowed_local"},
    {"allow localhost", LOCAL, "localhost:80 = 10.0.0.1", "deny not_allowed_local"},
    {"allow localhost; deny 127.0.0.1", 0, "localhost:80 = 127.0.0.1", "deny denied 127.0.0.1"},
};

/* ---- from text to a policy ---- */

static const struct {
    const char *word;
    enum net_source source;
} sources[] = {{"rules:", NET_OF_RULES},
               {"project:", NET_OF_PROJECT},
               {"required:", NET_OF_REQUIRED},
               {"session:", NET_OF_SESSION}};

static struct netrule read_rule(char *text)
{
    struct netrule r = {.layer = "user", .file = "f", .line = 1};
    for (size_t i = 0; i < ARRAY_LEN(sources); i++)
        if (str_starts(text, sources[i].word)) {
            r.source = sources[i].source;
            text += strlen(sources[i].word);
        }
    if (text[0] >= '0' && text[0] <= '9' && text[1] == ':') {
        r.level = (uint8_t)(text[0] - '0');
        text += 2;
    }
    char *pattern = strchr(text, ' ');
    assert_non_null(pattern);
    *pattern++ = '\0';
    for (int d = NET_ALLOW; d <= NET_DENY; d++)
        if (str_eq(text, net_decision_word((enum net_decision)d)))
            r.decision = (enum net_decision)d;
    assert_int_not_equal(r.decision, NET_NONE);
    char *slash = strrchr(pattern, '/');
    if (slash && net_protocol(slash + 1)) {
        r.protocols = net_protocol(slash + 1);
        *slash = '\0';
    }
    r.pattern = pattern;
    return r;
}

static struct address address_of(const char *text)
{
    struct host h;
    assert_int_equal(host_parse(bytes_of(text), &h), HOST_FINE);
    assert_int_equal(h.kind, HOST_ADDRESS);
    return h.address;
}

/* RULES is cut up; the policy points into it. */
static int make(char *rules, unsigned flags, struct netpolicy **ret, struct error *err)
{
    const struct netpolicy_settings settings = {.allow_local = flags & LOCAL,
                                                .local_fixed = flags & FIXED,
                                                .managed_only = flags & MANAGED,
                                                .ask_unknown = flags & ASKS,
                                                .ask_rule = flags & ASKS_RULE};
    struct netpolicy *p = netpolicy_new(&settings);
    int r = p ? 0 : -ENOMEM;
    for (char *next = rules; r == 0 && next && *next;) {
        char *text = next;
        next = strstr(text, "; ");
        if (next) {
            *next = '\0';
            next += 2;
        }
        struct netrule rule = read_rule(text);
        r = netpolicy_add(p, &rule, err);
    }
    if (r == 0 && flags & OWN) {
        struct address own[] = {address_of("2606:4700::5"), address_of("198.45.1.1")};
        r = netpolicy_add_own(p, &own[0]);
        r = r ? r : netpolicy_add_own(p, &own[1]);
    }
    if (r == 0)
        r = netpolicy_finish(p, NULL, err);
    if (r < 0)
        netpolicy_free(p);
    else
        *ret = p;
    return r;
}

static void answer_of(const struct netpolicy *p, const char *text, struct netanswer *a)
{
    struct netrequest q = {.protocol = NET_HTTPS};
    struct address found[8];
    char buf[512];
    size_t n = 0;
    (void)snprintf(buf, sizeof(buf), "%s", text);
    char *equal = strstr(buf, " =");
    if (equal)
        *equal = '\0';
    char *space = strchr(buf, ' ');
    if (space) {
        *space = '\0';
        q.protocol = net_protocol(space + 1);
        assert_int_not_equal(q.protocol, 0);
    }
    assert_int_equal(host_parse_port(bytes_of(buf), 0, &q.host, &q.port), HOST_FINE);
    netpolicy_decide(p, &q, a);
    if (!equal)
        return;
    assert_int_equal(a->decision, NET_ALLOW); /* or it is not looked up */
    for (char *at = equal + 2; *at;) {
        size_t length = strcspn(++at, " ");
        char one[ADDRESS_TEXT_MAX];
        (void)snprintf(one, sizeof(one), "%.*s", (int)length, at);
        assert_true(n < ARRAY_LEN(found));
        found[n++] = address_of(one);
        at += length;
    }
    netpolicy_decide_addresses(p, &q, found, n, a);
}

static void test_cases(void **state)
{
    (void)state;
    unsigned wrong = 0;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char rules[512], got[512];
        struct netpolicy *p;
        struct netanswer a;
        struct error err = {0};
        (void)snprintf(rules, sizeof(rules), "%s", cases[i].rules);
        if (make(rules, cases[i].flags, &p, &err) < 0) {
            print_error("%s: %s\n", cases[i].rules, err.message);
            wrong++;
            continue;
        }
        answer_of(p, cases[i].request, &a);
        (void)snprintf(got, sizeof(got), "%s %s%s%s", net_decision_word(a.decision),
                       net_reason_word(a.reason), a.rule ? " " : "", a.rule ? a.rule->pattern : "");
        /* Of what a name resolved to, the wildcard that allows an address by itself is nothing to
         * tell. */
        const char *want = cases[i].want;
        bool resolved = strstr(cases[i].request, " =") != NULL;
        if (resolved && a.decision == NET_ALLOW && strlen(want) == strlen("allow allowed"))
            got[strlen("allow allowed")] = '\0';
        if (!str_eq(got, want)) {
            print_error("%s | %s: %s, want %s\n", cases[i].rules, cases[i].request, got, want);
            wrong++;
        }
        if ((a.decision == NET_DENY) != (net_reason_header(a.reason) != NULL)) {
            print_error("%s: header\n", cases[i].request);
            wrong++;
        }
        netpolicy_free(p);
    }
    assert_int_equal(wrong, 0);
}

/* ---- patterns ---- */

static const struct {
    const char *rule;
    unsigned flags;
    const char *message, *hint; /* parts of them; NULL: fine */
} patterns[] = {
    {"allow ", 0, "empty", "**.host"},
    {"allow **", 0, "nothing stands behind", "* alone"},
    {"allow *.", 0, "no host", ""},
    {"allow ***.example.com", 0, "no host", "whole labels"},
    {"allow *example.com", 0, "no host", "*.example.com"},
    {"allow ex*mple.com", 0, "no host", "*.example.com"},
    {"allow www.*.com", 0, "no host", "*.example.com"},
    {"allow *.*.com", 0, "no host", "*.example.com"},
    {"allow example.*", 0, "no host", "*.example.com"},
    {"allow api-*.example.com", 0, "no host", "*.example.com"},
    {"allow ?.example.com", 0, "no host", ""},
    {"deny *", 0, "only be allowed", "refused"},
    {"rules:ask *", 0, "only be allowed", ""},
    {"required:deny *:80", 0, "only be allowed", ""},
    {"allow https://example.com", 0, "no scheme", "example.com:443"},
    {"allow example.com/path", 0, "no address", "without a path"},
    {"allow example.com/24", 0, "no address", "ADDRESS/BITS"},
    {"allow example.com:", 0, "neither a port", "65535"},
    {"allow example.com:0", 0, "neither a port", ""},
    {"allow example.com:65536", 0, "neither a port", ""},
    {"allow example.com:*", 0, "neither a port", "all of them"},
    {"allow example.com:http", 0, "neither a port", ""},
    {"allow example.com:80-", 0, "neither a port", ""},
    {"allow example.com:-80", 0, "neither a port", ""},
    {"allow example.com:90-80", 0, "from 90 to 80", "80-90"},
    {"allow example.com:80-90-100", 0, "neither a port", ""},
    {"allow example..com", 0, "two dots", ""},
    {"allow .example.com", 0, "two dots", ""}, /* cookies' way to write it */
    {"allow exa mple.com", 0, "space", ""},
    {"allow b\xc3\xbc"
     "cher.test",
     0, "xn--", ""},
    {"allow user@example.com", 0, "character", ""},
    {"allow -example.com", 0, "hyphen", ""},
    {"allow 256.1.1.1", 0, "no IPv4", "four numbers"},
    {"allow 1.2.3.4.5", 0, "no IPv4", "four numbers"},
    {"allow example.1", 0, "no IPv4", ""},
    {"allow 08.8.8.8", 0, "differ", "leading zeros"},
    {"allow *.127.0.0.1", 0, "below an address", "ADDRESS/BITS"},
    {"allow **.1", 0, "below an address", ""},
    {"allow *.::1", 0, "", ""},
    {"allow 10.0.0.0/33", LOCAL, "prefix length", "0 to 32"},
    {"allow 10.0.0.0/", LOCAL, "prefix length", ""},
    {"allow 10.0.0.0/08", LOCAL, "prefix length", ""},
    {"allow 10.0.0.0/-1", LOCAL, "prefix length", ""},
    {"allow 2606::/129", 0, "prefix length", "0 to 128"},
    {"allow 8.8.8.8/24", 0, "bits behind", "8.8.8.0/24"},
    {"allow 8.8.8.8/255.255.255.0", 0, "prefix length", ""},
    {"allow 8.8.8.0-8.8.8.255", 0, "", ""},
    {"allow 2606:4700::1/32", 0, "bits behind", "2606:4700::/32"},
    {"allow 2606:4700::1:443:", 0, "no IPv6", "brackets"},
    {"allow fe80::1%eth0", 0, "percent", ""},
    {"allow [::1", 0, "", ""},
    {"allow [example.com]:80", 0, "brackets", ""},
    {"allow ::ffff:0:0/96", 0, "only carry", "IPv4 addresses"},
    {"allow 64:ff9b::/96", 0, "only carry", ""},
    {"allow 2002::/16", 0, "only carry", ""},
    /* ranges that their pattern does not open */
    {"allow 10.0.0.0/8", 0, "not public", "allow_local_binding"},
    {"allow 192.168.1.0/24", 0, "not public", "allow_local_binding"},
    {"allow fd00::/8", 0, "not public", "allow_local_binding"},
    {"allow 127.0.0.0/8", 0, "not public", ""},
    {"allow 224.0.0.0/4", LOCAL, "not public", "each address"},
    {"allow ::ffff:10.0.0.0/104", 0, "not public", ""},
    {"rules:ask 10.0.0.0/8", 0, "not public", ""},
    {"allow 10.0.0.0/8", LOCAL, NULL, NULL},
    {"allow 10.0.0.0/8", FIXED, NULL, NULL}, /* not the person's mistake */
    {"deny 10.0.0.0/8", 0, NULL, NULL},
    {"deny 224.0.0.0/4", 0, NULL, NULL},
    {"deny 2002::/16", 0, NULL, NULL},
    {"allow 10.0.0.1/32", 0, NULL, NULL},
    {"allow 0.0.0.0/0", 0, NULL, NULL},
    {"allow 8.0.0.0/7", 0, NULL, NULL},
    {"allow 64.0.0.0/2", 0, NULL, NULL},
    {"allow ::/0", 0, NULL, NULL},
    /* the same pattern twice */
    {"allow a.test; deny a.test", 0, "same pattern", "one of the two"},
    {"allow a.test; deny A.test.", 0, "same pattern", ""},
    {"allow a.test:80; deny a.test:80-80", 0, "same pattern", ""},
    {"allow 127.0.0.1; deny 0x7f.1", 0, "same pattern", ""},
    {"allow 127.0.0.1; deny ::ffff:127.0.0.1", 0, "same pattern", ""},
    {"allow 8.8.0.0/16; deny ::ffff:8.8.0.0/112", 0, "same pattern", ""},
    {"required:allow a.test; required:deny a.test", 0, "same pattern", ""},
    {"allow a.test; allow a.test", 0, NULL, NULL},
    {"allow a.test; deny a.test:80", 0, NULL, NULL},
    {"allow a.test; deny *.a.test", 0, NULL, NULL},
    {"allow a.test; deny **.a.test", 0, NULL, NULL},
    {"allow a.test; rules:deny a.test", 0, NULL, NULL},
    {"rules:allow a.test; rules:deny a.test", 0, NULL, NULL}, /* there the stricter wins */
    {"allow a.test; required:deny a.test", 0, NULL, NULL},
};

static void test_patterns(void **state)
{
    (void)state;
    unsigned wrong = 0;
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        char rules[512];
        struct netpolicy *p = NULL;
        struct error err = {0};
        const char *m = patterns[i].message;
        (void)snprintf(rules, sizeof(rules), "%s", patterns[i].rule);
        int r = make(rules, patterns[i].flags, &p, &err);
        if ((r < 0) != (m != NULL) ||
            (m && (!strstr(err.message, m) || !strstr(err.hint, patterns[i].hint)))) {
            print_error("%s: %d \"%s\" (%s)\n", patterns[i].rule, r, err.message, err.hint);
            wrong++;
        }
        if (r == 0)
            netpolicy_free(p);
    }
    assert_int_equal(wrong, 0);
}

static void test_long_names(void **state)
{
    (void)state;
    char name[300] = "allow *.";
    struct error err = {0};
    size_t n = strlen(name), label = 0;
    /* 252 bytes: with *. before it a name would have 254. */
    for (size_t i = 0; i < 252; i++, label++) {
        bool dot = label == 60 && i < 250;
        name[n++] = dot ? '.' : 'a';
        label = dot ? (size_t)-1 : label;
    }
    name[n] = '\0';
    struct netpolicy *p;
    assert_int_equal(make(name, 0, &p, &err), -EINVAL);
    assert_non_null(strstr(err.message, "long enough"));
    struct netrule rule = {.pattern = "a.test:80", .decision = NET_ALLOW, .port = 443};
    struct netpolicy_settings none = {0};
    p = netpolicy_new(&none);
    assert_int_equal(netpolicy_add(p, &rule, &err), -EINVAL); /* two ports */
    rule.port = 80;
    assert_int_equal(netpolicy_add(p, &rule, &err), 0);
    netpolicy_free(p);
}

/* ---- words ---- */

static void test_words(void **state)
{
    (void)state;
    static const struct {
        const char *rules;
        unsigned flags;
        const char *request, *says, *hint;
    } words[] = {
        {"", 0, "example.com:443", "no rule",
         "[permissions.work.network] domains: \"example.com\""},
        {"allow *", 0, "10.0.0.1:80", "10.0.0.1 is not public: private (RFC 1918)",
         "\"10.0.0.1:80\" = \"allow\"; or allow_local_binding"},
        {"allow *", 0, "[::ffff:10.0.0.1]:80", "::ffff:10.0.0.1 is 10.0.0.1, not public",
         "\"10.0.0.1:80\" = \"allow\""},
        {"allow *", 0, "169.254.169.254:80", "cloud metadata",
         "\"169.254.169.254:80\" = \"allow\""},
        {"allow *", 0, "localhost:80", "localhost is loopback", "\"localhost:80\" = \"allow\""},
        {"allow *", OWN, "198.45.1.1:80", "address of this machine", "\"198.45.1.1:80\""},
        {"allow *; deny a.test", 0, "a.test:80", "denies", "take the rule out (f:1)"},
        {"allow *; required:deny a.test", 0, "a.test:80", "denies", "administrator's"},
        {"allow *", MANAGED, "a.test:80", "requirements", "administrator adds"},
        {"session:deny a.test", 0, "a.test:80", "denies", "new one"},
        {"rules:ask a.test", 0, "a.test:80", "does not ask", "on-request"},
        {"allow *", 0, "a.test:80 = 10.0.0.1", "10.0.0.1 is not public", "\"10.0.0.1:80\""},
        {"allow *", 0, "a.test:80 =", "not found", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        char rules[512];
        struct netpolicy *p;
        struct netanswer a;
        struct netrequest q = {.protocol = NET_HTTPS};
        _cleanup_strbuf_ struct strbuf says = {0}, hint = {0};
        (void)snprintf(rules, sizeof(rules), "%s", words[i].rules);
        assert_int_equal(make(rules, words[i].flags, &p, NULL), 0);
        answer_of(p, words[i].request, &a);
        struct bytes host = {words[i].request, strcspn(words[i].request, " ")};
        assert_int_equal(host_parse_port(host, 0, &q.host, &q.port), HOST_FINE);
        netpolicy_say(&q, &a, &says);
        netpolicy_hint("work", &q, &a, &hint);
        if (!strstr(strbuf_text(&says), words[i].says) ||
            !strstr(strbuf_text(&hint), words[i].hint))
            fail_msg("%s: %s | %s", words[i].request, strbuf_text(&says), strbuf_text(&hint));
        netpolicy_free(p);
    }
}

/* ---- against an independent reading ---- */

static uint64_t seed = 0x243f6a8885a308d3u;

static unsigned draw(unsigned below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 33) % below;
}

static void put_name(char *to, size_t cap)
{
    static const char *const labels[] = {"a", "b", "aa", "a-b", "com", "x0", "_"};
    size_t n = 0;
    for (unsigned k = 1 + draw(5); k > 0; k--)
        n += (size_t)snprintf(to + n, cap - n, "%s%s", n ? "." : "", labels[draw(7)]);
}

static void put_host(char *to, size_t cap)
{
    if (draw(3))
        put_name(to, cap);
    else if (draw(2))
        (void)snprintf(to, cap, "%u.%u.%u.%u", 8 + draw(2), draw(2), draw(3), draw(4));
    else
        (void)snprintf(to, cap, "[2606:%x::%x]", draw(3), draw(5));
}

/* A pattern that is fine. */
static void put_pattern(char *to, size_t cap)
{
    char host[256], port[24] = "";
    put_host(host, sizeof(host));
    if (draw(3) == 0)
        (void)snprintf(port, sizeof(port), ":%u%s", 1 + draw(90), draw(2) ? "" : "-90");
    if (host[0] == '[' || (host[0] >= '0' && host[0] <= '9')) {
        bool v6 = host[0] == '[';
        unsigned bits = draw(3) ? 0 : draw(v6 ? 129 : 33);
        struct address a = address_of(host);
        a = address_mask(&a, bits ? bits : address_bits(&a));
        (void)address_format(&a, host);
        if (bits)
            (void)snprintf(to, cap, "%s%s%s/%u%s", v6 ? "[" : "", host, v6 ? "]" : "", bits, port);
        else
            (void)snprintf(to, cap, "%s%s%s%s", v6 ? "[" : "", host, v6 ? "]" : "", port);
        return;
    }
    static const char *const heads[] = {"", "*.", "**."};
    (void)snprintf(to, cap, "%s%s%s", heads[draw(3)], host, port);
}

/* By the words of the specification, on strings. */
static bool matches(const char *pattern, const struct netrequest *q)
{
    struct netpattern p;
    assert_int_equal(netpattern_parse(bytes_of(pattern), &p, NULL), 0);
    if (q->port < p.first || q->port > p.last)
        return false;
    bool literal = q->host.kind == HOST_ADDRESS;
    if (p.kind == PATTERN_ADDRESS || p.kind == PATTERN_RANGE)
        return literal && q->host.address.family == p.address.family &&
               address_within(&q->host.address, &p.address, p.bits);
    if (literal)
        return false;
    const char *name = pattern;
    while (*name == '*' || (name > pattern && name[-1] == '*' && *name == '.'))
        name++;
    size_t n = strcspn(name, ":"), m = q->host.n;
    bool same = m == n && memcmp(q->host.name, name, n) == 0;
    bool below =
        m > n && q->host.name[m - n - 1] == '.' && memcmp(q->host.name + m - n, name, n) == 0;
    return pattern[0] != '*' ? same : pattern[1] == '*' ? same || below : below;
}

static void test_against_naive(void **state)
{
    (void)state;
    static const struct netpolicy_settings settings = {.ask_rule = true};
    unsigned decided[NET_DENY + 1] = {0};
    for (unsigned round = 0; round < 400; round++) {
        struct netrule rules[60];
        char text[60][300];
        size_t n = draw(60);
        struct netpolicy *p = netpolicy_new(&settings);
        for (size_t i = 0; i < n; i++) {
            put_pattern(text[i], sizeof(text[i]));
            rules[i] = (struct netrule){.pattern = text[i],
                                        .decision = NET_ALLOW + (enum net_decision)draw(3),
                                        .source = NET_OF_RULES};
            struct error err = {0};
            if (netpolicy_add(p, &rules[i], &err) < 0) /* a range around what is not public */
                rules[i].decision = NET_NONE;
        }
        assert_int_equal(netpolicy_finish(p, NULL, NULL), 0);
        for (unsigned k = 0; k < 300; k++) {
            struct netrequest q = {.port = (uint16_t)(1 + draw(100)), .protocol = NET_TCP};
            struct netanswer a;
            char host[256];
            put_host(host, sizeof(host));
            assert_int_equal(host_parse(bytes_of(host), &q.host), HOST_FINE);
            enum net_decision want = NET_NONE;
            for (size_t i = 0; i < n; i++)
                if (rules[i].decision > want && matches(text[i], &q))
                    want = rules[i].decision;
            netpolicy_decide(p, &q, &a);
            enum net_decision got = a.rule ? a.decision : NET_NONE;
            if (got != want)
                fail_msg("%s:%u: %s, want %s", host, q.port, net_decision_word(got),
                         net_decision_word(want));
            assert_true(!a.rule || matches(a.rule->pattern, &q));
            decided[got]++;
        }
        netpolicy_free(p);
    }
    for (int d = NET_NONE; d <= NET_DENY; d++)
        assert_true(decided[d] > 1000);
}

/* Many rules, and such as are made to be slow: in order, backwards, nested, all alike. */
static void test_many(void **state)
{
    (void)state;
    enum { MANY = 20000 };
    static char text[MANY][300];
    static const struct netpolicy_settings settings = {0};
    for (unsigned shape = 0; shape < 4; shape++) {
        struct netpolicy *p = netpolicy_new(&settings);
        struct netrule rule = {.decision = NET_ALLOW};
        clock_t start = clock();
        for (unsigned i = 0; i < MANY; i++) {
            if (shape == 0)
                (void)snprintf(text[i], sizeof(text[i]), "h%06u.example.com", i);
            else if (shape == 1)
                (void)snprintf(text[i], sizeof(text[i]), "h%06u.example.com", MANY - i);
            else if (shape == 2)
                (void)snprintf(text[i], sizeof(text[i]), "**.%.*s", 1 + 2 * (int)(i % 126),
                               "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a."
                               "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a."
                               "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a."
                               "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a");
            else
                (void)snprintf(text[i], sizeof(text[i]), "same.example.com");
            rule.pattern = text[i];
            assert_int_equal(netpolicy_add(p, &rule, NULL), 0);
        }
        assert_int_equal(netpolicy_finish(p, NULL, NULL), 0);
        assert_int_equal(netpolicy_count(p), shape < 2 ? MANY : shape == 2 ? 126 : 1);
        struct netrequest q = {.port = 1, .protocol = NET_TCP};
        struct netanswer a;
        const char *host = shape < 2 ? text[777] : shape == 2 ? text[125] + 3 : text[0];
        assert_int_equal(host_parse(bytes_of(host), &q.host), HOST_FINE);
        for (unsigned i = 0; i < 1000; i++)
            netpolicy_decide(p, &q, &a);
        assert_int_equal(a.decision, NET_ALLOW);
        assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 5);
        netpolicy_free(p);
    }
}

/* Every allocation may fail; nothing is lost, nothing is half done. */
static void test_no_memory(void **state)
{
    (void)state;
    for (unsigned long nth = 1;; nth++) {
        char rules[] = "allow example.com; deny **.evil.test; allow 8.8.8.0/24; deny 2606::/16";
        struct netpolicy *p = NULL;
        struct error err = {0};
        mem_fail_at(nth);
        int r = make(rules, OWN, &p, &err);
        mem_fail_at(0);
        if (r == 0) {
            netpolicy_free(p);
            assert_true(nth > 10);
            return;
        }
        assert_int_equal(r, -ENOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),         cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_long_names),    cmocka_unit_test(test_words),
        cmocka_unit_test(test_against_naive), cmocka_unit_test(test_many),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

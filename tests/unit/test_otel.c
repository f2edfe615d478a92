/*
 * `[otel]` with the standard variables: what comes out, row by row, and what each mistake says and
 * where.
 */
#include "config_world.h"

#include "config/otel.h"
#include "config/otel_text.h"

#define USER "@/home/config.toml"
#define REQ  "@/etc/requirements.toml"

/* One exporter of log records, by its table. */
#define HTTP(inside) "[otel.exporter.otlp-http]\n" inside
#define GRPC(inside) "[otel.exporter.otlp-grpc]\n" inside
#define LOCAL        "logs binary http://localhost:4318/v1/logs gzip 10000\n"

struct otel_case {
    const char *what;
    struct setting with;
    const char *variables[9]; /* NAME=VALUE; @ as in files */
    const char *want;         /* put_exporters() */
    const char *top;          /* a part of put_top(), or NULL */
    const char *error[3];     /* parts of the message */
    const char *place;        /* FILE:LINE:COLUMN */
    const char *hint;         /* a part */
    const char *warning;
};

static const struct otel_case cases[] = {
    /* ---- on and off ---- */
    {"nothing is said", .want = ""},
    {"variables alone turn nothing on", .variables = {"OTEL_EXPORTER_OTLP_ENDPOINT=http://a.test"},
     .want = ""},
    {"none", {.user = "otel.exporter = 'none'\n"}, .want = ""},
    {"a bare word, and no variables", {.user = "otel.exporter = 'otlp-http'\n"}, .want = LOCAL},
    {"a bare word of gRPC",
     {.user = "otel.trace_exporter = 'otlp-grpc'\n"},
     .want = "traces grpc http://localhost:4317 gzip 10000\n"},
    {"an empty table is the default", {.user = "[otel.exporter.otlp-http]\n"}, .want = LOCAL},
    {"all three",
     {.user = "[otel]\nexporter = 'otlp-http'\ntrace_exporter = 'otlp-http'\n"
              "metrics_exporter = 'otlp-http'\n"},
     .variables = {"OTEL_EXPORTER_OTLP_ENDPOINT=https://c.test:99"},
     .want = "logs binary https://c.test:99/v1/logs gzip 10000\n"
             "traces binary https://c.test:99/v1/traces gzip 10000\n"
             "metrics binary https://c.test:99/v1/metrics gzip 10000\n"},
    {"OTEL_SDK_DISABLED",
     {.user = "otel.exporter = 'otlp-http'\n"},
     .variables = {"OTEL_SDK_DISABLED=True"},
     .want = "",
     .top = " disabled"},
    {"… and no other word",
     {.user = "otel.exporter = 'otlp-http'\n"},
     .variables = {"OTEL_SDK_DISABLED=1"},
     .want = LOCAL},
    {"… nor against the administrator",
     {.required = "otel.exporter = 'otlp-http'\n"},
     .variables = {"OTEL_SDK_DISABLED=true"},
     .want = LOCAL},
    {"what was once another word",
     {.user = "otel.exporter = 'otlp'\n"},
     .error = {"otel.exporter: unknown value \"otlp\"; expected none, otlp-http or otlp-grpc"},
     .place = USER ":1:17"},
    {"a project's file sets none of it",
     {.trust = TRUSTED, .project = "otel.exporter = 'otlp-http'\notel.log_tool_payloads = true\n"},
     .want = "",
     .warning = "otel.exporter: ignored: a project's file cannot set it"},

    /* ---- one of two ---- */
    {"both kinds in one table",
     {.user = "otel.exporter = { otlp-http = {}, otlp-grpc = {} }\n"},
     .error = {"otel.exporter: both otlp-http and otlp-grpc"},
     .place = USER ":1:47"},
    {"neither",
     {.user = "otel.exporter = {}\n"},
     .error = {"otel.exporter: expected otlp-http or otlp-grpc in the table"},
     .place = USER ":1:17"},
    {"neither, misspelt",
     {.user = "otel.exporter = { otlp-htp = {} }\n"},
     .error = {"otel.exporter: expected otlp-http or otlp-grpc"}},
    {"the higher layer's holds",
     {.system = HTTP("endpoint = 'https://system.test'\n"),
      .user = GRPC("endpoint = 'https://user.test'\n")},
     .want = "logs grpc https://user.test gzip 10000\n"},
    {"… whichever it is",
     {.system = GRPC("endpoint = 'https://system.test'\n"),
      .user = HTTP("endpoint = 'https://user.test'\n")},
     .want = "logs binary https://user.test/v1/logs gzip 10000\n"},
    {"… of -c the last one",
     {.over = {"otel.exporter.otlp-http.endpoint='https://a.test'",
               "otel.exporter.otlp-grpc.endpoint='https://b.test'"}},
     .want = "logs grpc https://b.test gzip 10000\n"},
    {"one kind in two layers merges",
     {.system = HTTP("endpoint = 'https://system.test'\nprotocol = 'json'\n"),
      .user = HTTP("headers = { a = 'b' }\n")},
     .want = "logs json https://system.test/v1/logs gzip 10000 a=b\n"},
    {"a word over a table",
     {.system = HTTP("endpoint = 'https://system.test'\n"), .user = "otel.exporter = 'none'\n"},
     .want = ""},

    /* ---- endpoints ---- */
    {"a path is used as it is written",
     {.user = HTTP("endpoint = 'https://c.test/otlp/'\n")},
     .want = "logs binary https://c.test/otlp/ gzip 10000\n"},
    {"a slash is no path",
     {.user = HTTP("endpoint = 'HTTPS://c.test:4318/'\n")},
     .want = "logs binary https://c.test:4318/v1/logs gzip 10000\n"},
    {"a query",
     {.user = HTTP("endpoint = 'https://c.test?team=a'\n")},
     .want = "logs binary https://c.test/v1/logs?team=a gzip 10000\n"},
    {"IPv6",
     {.user = GRPC("endpoint = 'http://[::1]:4317/'\n")},
     .want = "logs grpc http://[::1]:4317 gzip 10000\n"},
    {"of the environment: a base",
     {.user = "otel.exporter = 'otlp-http'\n"},
     .variables = {"OTEL_EXPORTER_OTLP_ENDPOINT=https://c.test/in/"},
     .want = "logs binary https://c.test/in/v1/logs gzip 10000\n"},
    {"of one signal: as it is",
     {.user = "otel.exporter = 'otlp-http'\n"},
     .variables = {"OTEL_EXPORTER_OTLP_ENDPOINT=https://c.test/in/",
                   "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=https://logs.test"},
     .want = "logs binary https://logs.test gzip 10000\n"},
    {"another signal's is not ours",
     {.user = "otel.exporter = 'otlp-http'\n"},
     .variables = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=https://traces.test"},
     .want = LOCAL},
    {"configuration wins",
     {.user = HTTP("endpoint = 'https://c.test'\n")},
     .variables = {"OTEL_EXPORTER_OTLP_ENDPOINT=https://e.test",
                   "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=https://l.test"},
     .want = "logs binary https://c.test/v1/logs gzip 10000\n"},
    {"an empty variable is none",
     {.user = "otel.exporter = 'otlp-http'\n"},
     .variables = {"OTEL_EXPORTER_OTLP_ENDPOINT="},
     .want = LOCAL},
    {"${NAME}",
     {.user = HTTP("endpoint = 'https://${HOST_}:${P0RT}/x'\n")},
     .variables = {"HOST_=c.test", "P0RT=1"},
     .want = "logs binary https://c.test:1/x gzip 10000\n"},
    {"${NAME} that is not there",
     {.user = HTTP("endpoint = 'https://${NOWHERE}/x'\n")},
     .error = {"otel.exporter.otlp-http.endpoint: there is no variable NOWHERE"},
     .place = USER ":2:12",
     .hint = "set it for bawn itself"},
    {"${ without its end",
     {.user = HTTP("endpoint = 'https://${X/x'\n")},
     .error = {"otlp-http.endpoint: ${ does not begin"},
     .place = USER ":2:12"},
    {"${NAME} that makes it a bad one: its value is not shown",
     {.user = HTTP("endpoint = '${X}'\n")},
     .variables = {"X=ftp://hidden.test"},
     .error = {"otlp-http.endpoint: the scheme is not known"},
     .place = USER ":2:12"},
    {"a scheme",
     {.user = HTTP("endpoint = 'ftp://c.test'\n")},
     .error = {"otel.exporter.otlp-http.endpoint: the scheme is not known; expected http or https"},
     .place = USER ":2:12"},
    {"no scheme",
     {.user = GRPC("endpoint = 'localhost:4317'\n")},
     .error = {"otel.exporter.otlp-grpc.endpoint: it has no scheme"},
     .place = USER ":2:12",
     .hint = "expected http://HOST:PORT"},
    {"a password",
     {.user = HTTP("endpoint = \"https://u:secret\\u0040c.test\"\n")},
     .error = {"otlp-http.endpoint: a user's name or password"},
     .place = USER ":2:12",
     .hint = "authorization"},
    {"a line's end",
     {.user = HTTP("endpoint = \"https://c.test/\\nx\"\n")},
     .error = {"otlp-http.endpoint: it has a byte"},
     .place = USER ":2:12"},
    {"a port",
     {.user = HTTP("endpoint = 'http://c.test:65536'\n")},
     .error = {"endpoint: the port is no number from 1 to 65535"}},
    {"no host", {.user = HTTP("endpoint = 'http://:80'\n")}, .error = {"it names no host"}},
    {"nothing", {.user = HTTP("endpoint = ''\n")}, .error = {"endpoint: it is empty"}},
    {"a fragment", {.user = HTTP("endpoint = 'http://a.test/#b'\n")}, .error = {"a fragment"}},
    {"brackets", {.user = HTTP("endpoint = 'http://[::1'\n")}, .error = {"in brackets"}},
    {"gRPC with a path",
     {.user = GRPC("endpoint = 'https://c.test/v1/logs'\n")},
     .error = {"otlp-grpc.endpoint: an endpoint of gRPC has no path"},
     .place = USER ":2:12"},
    {"a control byte of a variable",
     {.user = "otel.exporter = 'otlp-http'\n"},
     .variables = {"OTEL_EXPORTER_OTLP_ENDPOINT=http://u:p\x01.test"},
     .error = {"OTEL_EXPORTER_OTLP_ENDPOINT: it has a byte"}},
    {"a mistake is found in a layer that another one hides",
     {.system = HTTP("endpoint = 'ftp://c.test'\n"), .user = "otel.exporter = 'none'\n"},
     .error = {"the scheme is not known"},
     .place = "@/etc/config.toml:2:12"},

    /* ---- protocol ---- */
    {"json",
     {.user = HTTP("protocol = 'json'\n")},
     .want = "logs json http://localhost:4318/v1/logs gzip 10000\n"},
    {"json of a variable",
     {.user = "otel.exporter = 'otlp-http'\n"},
     .variables = {"OTEL_EXPORTER_OTLP_PROTOCOL=http/json"},
     .want = "logs json http://localhost:4318/v1/logs gzip 10000\n"},
    {"… of one signal",
     {.user = "otel.exporter = 'otlp-http'\n"},
     .variables = {"OTEL_EXPORTER_OTLP_PROTOCOL=http/json",
                   "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL=http/protobuf"},
     .want = LOCAL},
    {"the word says HTTP, the variable gRPC",
     {.user = "otel.exporter = 'otlp-http'\n"},
     .variables = {"OTEL_EXPORTER_OTLP_PROTOCOL=grpc"},
     .want = LOCAL},
    {"binary wins over a variable",
     {.user = HTTP("protocol = 'binary'\n")},
     .variables = {"OTEL_EXPORTER_OTLP_PROTOCOL=http/json"},
     .want = LOCAL},
    {"an unknown one",
     {.user = "otel.exporter = 'otlp-http'\n"},
     .variables = {"OTEL_EXPORTER_OTLP_PROTOCOL=http/xml"},
     .error = {"OTEL_EXPORTER_OTLP_PROTOCOL: the protocol is not known"},
     .hint = "http/protobuf"},

    /* ---- headers ---- */
    {"lower case, ${NAME}",
     {.user = HTTP("headers = { X-Key = 'a ${K} b', \"b\" = '' }\n")},
     .variables = {"K=v,=%41"},
     .want = "logs binary http://localhost:4318/v1/logs gzip 10000 x-key=a v,=%41 b|b=\n"},
    {"${NAME} that is not there",
     {.user = HTTP("headers = { k = 'v', x-key = 'Bearer ${TOKEN}' }\n")},
     .error = {"otel.exporter.otlp-http.headers: there is no variable TOKEN"},
     .place = USER ":2:30",
     .hint = "take it out"},
    {"$ alone is a $",
     {.user = HTTP("headers = { k = '$a $' }\n")},
     .want = "logs binary http://localhost:4318/v1/logs gzip 10000 k=$a $\n"},
    {"of a variable: decoded",
     {.user = "otel.exporter = 'otlp-http'\n"},
     .variables = {"OTEL_EXPORTER_OTLP_HEADERS= Authorization=Basic%20YTpi==, x = 1 ,"},
     .want = "logs binary http://localhost:4318/v1/logs gzip 10000 "
             "authorization=Basic YTpi==|x=1\n"},
    {"of one signal: alone",
     {.user = "otel.exporter = 'otlp-http'\n"},
     .variables = {"OTEL_EXPORTER_OTLP_HEADERS=a=1", "OTEL_EXPORTER_OTLP_LOGS_HEADERS=b=2"},
     .want = "logs binary http://localhost:4318/v1/logs gzip 10000 b=2\n"},
    {"the configuration's are not mixed with the variable's",
     {.user = HTTP("headers = { a = '1' }\n")},
     .variables = {"OTEL_EXPORTER_OTLP_HEADERS=b=2"},
     .want = "logs binary http://localhost:4318/v1/logs gzip 10000 a=1\n"},
    {"none at all, outright",
     {.user = HTTP("headers = {}\n")},
     .variables = {"OTEL_EXPORTER_OTLP_HEADERS=b=2"},
     .want = LOCAL},
    {"a name",
     {.user = HTTP("headers = { \"a b\" = 'c' }\n")},
     .error = {"otlp-http.headers: \"a b\" is not the name of a header field"},
     .place = USER ":2:21"},
    {"a name of the exporter's",
     {.user = HTTP("headers = { Content-Type = 'c' }\n")},
     .error = {"\"content-type\" is set by bawn-exporter"}},
    {"a name of gRPC's",
     {.user = GRPC("headers = { grpc-timeout = '1S' }\n")},
     .error = {"\"grpc-timeout\" is set by bawn-exporter"}},
    {"twice",
     {.user = HTTP("headers = { A = 'b', a = 'c' }\n")},
     .error = {"\"a\" stands there twice"}},
    {"a line's end in the value",
     {.user = HTTP("headers = { a = '${X}' }\n")},
     .variables = {"X=hidden\r\nb: c"},
     .error = {"headers: the value of \"a\" has a byte that cannot stand in a header"},
     .place = USER ":2:17"},
    {"a variable that is no list",
     {.user = "otel.exporter = 'otlp-http'\n"},
     .variables = {"OTEL_EXPORTER_OTLP_HEADERS=a=1,hidden"},
     .error = {"OTEL_EXPORTER_OTLP_HEADERS: an item is not NAME=VALUE"}},
    {"a variable's percent",
     {.user = "otel.exporter = 'otlp-http'\n"},
     .variables = {"OTEL_EXPORTER_OTLP_HEADERS=a=%4"},
     .error = {"OTEL_EXPORTER_OTLP_HEADERS: a % is not followed"},
     .hint = "%25"},
    {"a NUL in a variable",
     {.user = "otel.exporter = 'otlp-http'\n"},
     .variables = {"OTEL_EXPORTER_OTLP_HEADERS=a=%00"},
     .error = {"OTEL_EXPORTER_OTLP_HEADERS: a % is not followed"}},

    /* ---- TLS ---- */
    {"relative to the file, the home, absolute",
     {.user = HTTP("endpoint = 'https://c.test'\ntls = { ca-certificate = 'certs/ca.pem', "
                   "client-certificate = '~/c.pem', client-private-key = '/etc/k.pem' }\n")},
     .variables = {"HOME=/home/u"},
     .want = "logs binary https://c.test/v1/logs gzip 10000 ca:@/home/certs/ca.pem "
             "certificate:/home/u/c.pem key:/etc/k.pem\n"},
    {"relative in requirements",
     {.required = "otel.exporter = { otlp-grpc = { endpoint = 'https://c.test', "
                  "tls = { ca-certificate = 'ca.pem' } } }\n"},
     .want = "logs grpc https://c.test gzip 10000 ca:@/etc/ca.pem\n"},
    {"of variables",
     {.user = "otel.exporter = 'otlp-grpc'\n"},
     .variables = {"OTEL_EXPORTER_OTLP_ENDPOINT=https://c.test",
                   "OTEL_EXPORTER_OTLP_CERTIFICATE=/a", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=/b",
                   "OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY=/c"},
     .want = "logs grpc https://c.test gzip 10000 ca:/a certificate:/b key:/c\n"},
    {"variables are of no use without TLS",
     {.user = "otel.exporter = 'otlp-grpc'\n"},
     .variables = {"OTEL_EXPORTER_OTLP_CERTIFICATE=/a"},
     .want = "logs grpc http://localhost:4317 gzip 10000\n"},
    {"half a pair: no key",
     {.user = HTTP("endpoint = 'https://c.test'\ntls = { client-certificate = '/c.pem' }\n")},
     .error = {"otel.exporter.otlp-http.tls.client-certificate: there is no private key"},
     .place = USER ":3:30"},
    {"half a pair: no certificate, and a variable does not fill it",
     {.user = HTTP("endpoint = 'https://c.test'\ntls = { client-private-key = '/k.pem' }\n")},
     .variables = {"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=/b"},
     .error = {"otel.exporter.otlp-http.tls.client-private-key: there is no client certificate"},
     .place = USER ":3:30",
     .hint = "a client shows"},
    {"half a pair of variables",
     {.user = HTTP("endpoint = 'https://c.test'\n")},
     .variables = {"OTEL_EXPORTER_OTLP_CLIENT_KEY=/b"},
     .error = {"OTEL_EXPORTER_OTLP_CLIENT_KEY: there is no client certificate"}},
    {"tls and http://",
     {.user = HTTP("endpoint = 'http://c.test'\ntls.ca-certificate = '/c.pem'\n")},
     .error = {"tls.ca-certificate: the endpoint is http://"},
     .place = USER ":3:22",
     .hint = "write https://"},
    {"tls and a variable's http://",
     {.user = HTTP("tls.ca-certificate = '/c.pem'\n")},
     .variables = {"OTEL_EXPORTER_OTLP_ENDPOINT=http://c.test"},
     .error = {"tls.ca-certificate: the endpoint is http://"}},
    {"a relative path of -c",
     {.over = {"otel.exporter={otlp-http={endpoint='https://c.test',"
               "tls={ca-certificate='ca.pem'}}}"}},
     .error = {"tls.ca-certificate: the path is not absolute"}},
    {"a relative path of a variable",
     {.user = HTTP("endpoint = 'https://c.test'\n")},
     .variables = {"OTEL_EXPORTER_OTLP_CERTIFICATE=ca.pem"},
     .error = {"OTEL_EXPORTER_OTLP_CERTIFICATE: the path is not absolute"}},
    {"~ without a home",
     {.user = HTTP("endpoint = 'https://c.test'\ntls.ca-certificate = '~/c.pem'\n")},
     .error = {"tls.ca-certificate: ~ cannot be expanded"}},

    /* ---- what only variables say ---- */
    {"compression and time",
     {.user = "otel.exporter = 'otlp-http'\n"},
     .variables = {"OTEL_EXPORTER_OTLP_COMPRESSION=none", "OTEL_EXPORTER_OTLP_TIMEOUT=5",
                   "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT=600000", "OTEL_BLRP_SCHEDULE_DELAY=60000"},
     .want = "logs binary http://localhost:4318/v1/logs plain 600000\n",
     .top = " delay=60000"},
    {"compression",
     {.user = "otel.exporter = 'otlp-http'\n"},
     .variables = {"OTEL_EXPORTER_OTLP_LOGS_COMPRESSION=zstd"},
     .error = {"OTEL_EXPORTER_OTLP_LOGS_COMPRESSION: the compression is not known"},
     .hint = "gzip or none"},
    {"no time",
     {.user = "otel.exporter = 'otlp-http'\n"},
     .variables = {"OTEL_EXPORTER_OTLP_TIMEOUT=0"},
     .error = {"OTEL_EXPORTER_OTLP_TIMEOUT: that is no such number"}},
    {"too long a time",
     {.user = "otel.exporter = 'otlp-http'\n"},
     .variables = {"OTEL_EXPORTER_OTLP_TIMEOUT=600001"},
     .error = {"OTEL_EXPORTER_OTLP_TIMEOUT: that is no such number"}},
    {"a unit",
     {.user = "otel.exporter = 'otlp-http'\n"},
     .variables = {"OTEL_BLRP_SCHEDULE_DELAY=1s"},
     .error = {"OTEL_BLRP_SCHEDULE_DELAY: that is no such number"},
     .hint = "1 to 60000"},

    /* ---- the resource ---- */
    {"defaults", .want = "", .top = "env=dev service=bawn prefix=bawn. delay=1000"},
    {"all of it",
     {.user = "[otel]\nenvironment = 'prod'\nevent_prefix = 'codex.'\naccount_id = 'a b'\n"
              "log_user_prompt = true\nlog_tool_payloads = true\nresource = { b = '1' }\n"
              "span_attributes = { team = 'x' }\n"},
     .want = "",
     .top = "env=prod service=bawn prefix=codex. delay=1000 account=a b prompt payloads "
            "resource:b=1 span:team=x"},
    {"of variables, decoded; the configuration wins",
     {.user = "[otel]\nresource = { b = '1' }\n"},
     .variables = {"OTEL_RESOURCE_ATTRIBUTES=a=x%2Cy,b=2,service.name=s,env=e",
                   "OTEL_SERVICE_NAME=named"},
     .want = "",
     .top = "env=e service=named prefix=bawn. delay=1000 resource:b=1|a=x,y"},
    {"the list's name", .variables = {"OTEL_RESOURCE_ATTRIBUTES=service.name=s"}, .want = "",
     .top = "service=s"},
    {"the configuration's name and environment",
     {.user = "[otel]\nenvironment = 'dev'\nresource = { 'service.name' = 'c', a = '' }\n"},
     .variables = {"OTEL_RESOURCE_ATTRIBUTES=env=e", "OTEL_SERVICE_NAME=named"},
     .want = "",
     .top = "env=dev service=c prefix=bawn. delay=1000 resource:a="},
    {"a list that is none", .variables = {"OTEL_RESOURCE_ATTRIBUTES=a"},
     .error = {"OTEL_RESOURCE_ATTRIBUTES: an item is not NAME=VALUE"}},
    {"an attribute without a name",
     {.user = "otel.resource = { '' = 'a' }\n"},
     .error = {"otel.resource: \"\": its name is empty"},
     .place = USER ":1:24"},
    {"an attribute's name",
     {.user = "otel.span_attributes = { 'a b' = 'a' }\n"},
     .error = {"otel.span_attributes: \"a b\": its name has a space"}},
    {"a prefix",
     {.user = "otel.event_prefix = 'a b'\n"},
     .error = {"otel.event_prefix: expected at most 32 letters"},
     .place = USER ":1:21"},
    {"a long prefix",
     {.user = "otel.event_prefix = 'abcdefghijklmnopqrstuvwxyz0123456'\n"},
     .error = {"otel.event_prefix: expected at most 32"}},
    {"an account on two lines",
     {.user = "otel.account_id = \"a\\nb\"\n"},
     .error = {"otel.account_id: expected one line"}},

    /* ---- requirements ---- */
    {"fixed: nobody said anything",
     {.required = "[otel]\nexporter = { otlp-http = { endpoint = 'https://r.test' } }\n"},
     .want = "logs binary https://r.test/v1/logs gzip 10000\n"},
    {"fixed: the same",
     {.required = "[otel]\nexporter = { otlp-http = { endpoint = 'https://r.test' } }\n",
      .user = "otel.exporter.otlp-http.endpoint = 'https://r.test'\notel.environment = 'dev'\n"},
     .want = "logs binary https://r.test/v1/logs gzip 10000\n"},
    {"fixed: another endpoint",
     {.required = "[otel]\nexporter = { otlp-http = { endpoint = 'https://r.test' } }\n",
      .user = "otel.exporter.otlp-http.endpoint = 'https://u.test'\n"},
     .error = {"otel (" USER ":1) is not what " REQ ":1 fixes"}},
    {"fixed: what it leaves out is the default",
     {.required = "[otel]\nexporter = 'otlp-http'\n", .user = "otel.log_tool_payloads = true\n"},
     .error = {"otel (" USER ":1) is not what " REQ ":1 fixes"}},
    {"fixed: off",
     {.required = "[otel]\n", .user = "otel.exporter = 'otlp-http'\n"},
     .error = {"is not what " REQ ":1 fixes"}},
    {"fixed: a value that is none",
     {.required = "otel.exporter = { otlp-http = { protocol = 'xml' } }\n"},
     .error = {"otel.exporter.otlp-http.protocol: unknown value \"xml\""},
     .place = REQ ":1:44"},
    {"fixed: an endpoint that is none",
     {.required = "otel.exporter = { otlp-http = { endpoint = 'x' } }\n"},
     .error = {"otlp-http.endpoint: it has no scheme"},
     .place = REQ ":1:44"},
    {"fixed: neither",
     {.required = "otel.exporter = {}\n"},
     .error = {"otel.exporter: expected otlp-http or otlp-grpc"},
     .place = REQ ":1:17"},
    {"fixed: an unknown key warns",
     {.required = "otel.exporters = 'x'\n"},
     .want = "",
     .warning = "otel.exporters: unknown key"},
};

/* ---- what came out ---- */

/* What get() gave, freed at the end of a case: an environment stays as it is meanwhile. */
static char *given[256];
static size_t n_given;

static const char *get(void *data, const char *name)
{
    const char *const *variables = data;
    size_t n = strlen(name);
    for (size_t i = 0; i < 9 && variables[i]; i++)
        if (strncmp(variables[i], name, n) == 0 && variables[i][n] == '=') {
            assert_true(n_given < ARRAY_LEN(given));
            given[n_given] = strdup(with_world(variables[i] + n + 1));
            return given[n_given++];
        }
    return NULL;
}

static void forget_given(void)
{
    while (n_given)
        free(given[--n_given]);
}

static void put_pairs(struct strbuf *out, const char *before, const struct otel_pairs *list)
{
    for (size_t i = 0; i < list->n; i++)
        strbuf_printf(out, "%s%s=%s", i ? "|" : before, list->v[i].name, list->v[i].value);
}

static void put_exporters(struct strbuf *out, const struct otel_settings *s)
{
    static const char *const signals[] = {"logs", "traces", "metrics"};
    static const char *const protocols[] = {"binary", "json", "grpc"};
    for (size_t i = 0; i < OTEL_SIGNALS; i++) {
        const struct otel_exporter *e = &s->exporters[i];
        if (!e->on)
            continue;
        strbuf_printf(out, "%s %s %s %s %u", signals[i], protocols[e->protocol], e->endpoint,
                      e->gzip ? "gzip" : "plain", e->timeout_ms);
        put_pairs(out, " ", &e->headers);
        if (e->ca_file)
            strbuf_printf(out, " ca:%s", e->ca_file);
        if (e->certificate_file)
            strbuf_printf(out, " certificate:%s", e->certificate_file);
        if (e->key_file)
            strbuf_printf(out, " key:%s", e->key_file);
        strbuf_putc(out, '\n');
    }
}

static void put_top(struct strbuf *out, const struct otel_settings *s)
{
    strbuf_printf(out, "env=%s service=%s prefix=%s delay=%u", s->environment, s->service_name,
                  s->event_prefix, s->delay_ms);
    if (s->account_id)
        strbuf_printf(out, " account=%s", s->account_id);
    strbuf_puts(out, s->log_user_prompt ? " prompt" : "");
    strbuf_puts(out, s->log_tool_payloads ? " payloads" : "");
    strbuf_puts(out, s->disabled ? " disabled" : "");
    put_pairs(out, " resource:", &s->resource);
    put_pairs(out, " span:", &s->span_attributes);
}

static void check_error(const struct otel_case *c, const struct error *err)
{
    char place[512];
    for (size_t i = 0; i < ARRAY_LEN(c->error) && c->error[i]; i++)
        if (!strstr(err->message, with_world(c->error[i])))
            fail_msg("%s: \"%s\" is not in \"%s\"", c->what, c->error[i], err->message);
    (void)snprintf(place, sizeof(place), "%s:%u:%u", err->file, err->line, err->column);
    if (c->place && !str_eq(place, with_world(c->place)))
        fail_msg("%s: at %s, not %s", c->what, place, c->place);
    if (c->hint && !strstr(err->hint, c->hint) && !strstr(err->note, c->hint))
        fail_msg("%s: the hint is \"%s\"", c->what, err->hint);
    /* What a variable held may be a secret. */
    if (strstr(err->message, "hidden") || strstr(err->hint, "hidden"))
        fail_msg("%s: tells what a variable held: %s", c->what, err->message);
}

static void check_case(const struct otel_case *c)
{
    _cleanup_arena_ struct arena a = {0};
    _cleanup_strbuf_ struct strbuf got = {0}, top = {0};
    struct config *config = NULL;
    struct otel_settings s;
    struct error err = {0};
    int r = load_world(&a, &c->with, &config, &err);
    bool on = r == 0 && otel_is_on(config);
    if (r == 0)
        r = otel_settings_read(&a, config, get, (void *)c->variables, &s, &err);
    if ((r < 0) != (c->error[0] != NULL))
        fail_msg("%s: %s", c->what, r < 0 ? err.message : "no error");
    if (r < 0) {
        check_error(c, &err);
        return;
    }
    put_exporters(&got, &s);
    put_top(&top, &s);
    if (!str_eq(strbuf_text(&got), with_world(c->want)))
        fail_msg("%s:\n%snot\n%s", c->what, strbuf_text(&got), c->want);
    if (c->top && !strstr(strbuf_text(&top), c->top))
        fail_msg("%s: \"%s\" is not in \"%s\"", c->what, c->top, strbuf_text(&top));
    if (on != (*c->want || s.disabled))
        fail_msg("%s: otel_is_on() says %d", c->what, on);
    if (c->warning ? !warned(config, c->warning) : config->n_warnings > 0) {
        show_warnings(config);
        fail_msg("%s: warnings", c->what);
    }
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        check_case(&cases[i]);
        forget_given();
    }
}

/* Where each value came from. */
static void test_from(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    const struct setting with = {
        .user = "[otel.exporter.otlp-http]\nheaders = { a = 'b' }\nprotocol = 'json'\n"
                "tls.ca-certificate = '/ca'\n"};
    const char *variables[9] = {"OTEL_EXPORTER_OTLP_ENDPOINT=https://c.test",
                                "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT=7"};
    struct config *c = load_good(&a, &with);
    struct otel_settings s;
    struct error err = {0};
    assert_int_equal(otel_settings_read(&a, c, get, variables, &s, &err), 0);
    const char *const *from = s.exporters[OTEL_LOGS].from;
    assert_string_equal(from[OTEL_FROM_EXPORTER], with_world(USER ":1"));
    assert_string_equal(from[OTEL_FROM_ENDPOINT], "OTEL_EXPORTER_OTLP_ENDPOINT");
    assert_string_equal(from[OTEL_FROM_PROTOCOL], with_world(USER ":3"));
    assert_string_equal(from[OTEL_FROM_HEADERS], with_world(USER ":2"));
    assert_string_equal(from[OTEL_FROM_CA], with_world(USER ":4"));
    assert_null(from[OTEL_FROM_KEY]);
    assert_string_equal(from[OTEL_FROM_COMPRESSION], "the default");
    assert_string_equal(from[OTEL_FROM_TIMEOUT], "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT");
    assert_non_null(s.exporters[OTEL_LOGS].file_at[0]);
    forget_given();
}

/* As many as there may be, and one more. */
static void test_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after, *error;
        size_t most, bytes;
    } rows[] = {
        {"otel.exporter = { otlp-http = { headers = {", "} } }\n", "more than 64 headers", 64, 1},
        {"otel.exporter = { otlp-http = { headers = {", "} } }\n", "32768 bytes", 4, 8180},
        {"otel.exporter = { otlp-http = { headers = {", "} } }\n", "longer than 8192", 0, 8193},
        {"otel.resource = {", "}\n", "more than 32 attributes", 32, 1},
        {"otel.resource = {", "}\n", "8192 bytes", 8, 1020},
        {"otel.span_attributes = {", "}\n", "longer than 1024", 0, 1025},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (size_t more = 0; more < 2; more++) {
            _cleanup_arena_ struct arena a = {0};
            _cleanup_strbuf_ struct strbuf text = {0};
            strbuf_puts(&text, rows[i].before);
            for (size_t k = 0; k < rows[i].most + more; k++) {
                strbuf_printf(&text, "%sh%zu = '", k ? ", " : "", k);
                for (size_t n = 0; n < rows[i].bytes; n++)
                    strbuf_putc(&text, 'x');
                strbuf_putc(&text, '\'');
            }
            strbuf_puts(&text, rows[i].after);
            const struct setting with = {.user = arena_strdup(&a, strbuf_text(&text))};
            const char *variables[9] = {NULL};
            struct otel_settings s;
            struct error err = {0};
            int r = otel_settings_read(&a, load_good(&a, &with), get, variables, &s, &err);
            assert_int_equal(r, more ? -EINVAL : 0);
            if (more && !strstr(err.message, rows[i].error))
                fail_msg("row %zu: %s", i, err.message);
        }
}

/* Every allocation fails once: an error, no crash. */
static void test_memory(void **state)
{
    (void)state;
    const struct setting with = {
        .user = "[otel]\nresource = { a = 'b' }\n[otel.exporter.otlp-http]\n"
                "endpoint = 'https://${X}'\nheaders = { a = '${X}' }\ntls.ca-certificate = 'ca'\n"};
    const char *variables[9] = {"X=c.test", "OTEL_RESOURCE_ATTRIBUTES=a=1,b=2"};
    _cleanup_arena_ struct arena held = {0};
    struct config *c = load_good(&held, &with);
    int r = -ENOMEM;
    for (unsigned long n = 1; r < 0 && n < 1000; n++) {
        struct arena a = {0};
        struct otel_settings s;
        struct error err = {0};
        mem_fail_at(n);
        r = otel_settings_read(&a, c, get, variables, &s, &err);
        mem_fail_at(0);
        if (r < 0 && r != -ENOMEM)
            fail_msg("allocation %lu: %s", n, err.message);
        arena_release(&a);
        forget_given();
    }
    assert_int_equal(r, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_from),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, make_world, remove_world);
}

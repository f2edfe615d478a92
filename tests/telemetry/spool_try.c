/*
 * The spool and bawn-exporter without a launcher, for tests.
 *
 *   spool_try append DIR KEY N [--pad BYTES] [--processes P] [--first F] [--kind KIND] [--most
 * BYTES] N signals with the attribute bawn.test.sequence = F, F+1, … (F: 0) and an event.id each
 *   spool_try append DIR KEY -
 *       payloads from standard input, each with its length before it (32 bits)
 *   spool_try list DIR KEY     what a reader would see; nothing is committed
 *   spool_try drain DIR KEY    reads and commits all
 *   spool_try key KIND PROTOCOL ENDPOINT
 *   spool_try talk SOCKET|DIR WORD…     to an exporter that runs; DIR is $BAWN_HOME/telemetry
 *   spool_try start EXPORTER DIR WORD…  to one that is started, as the launcher does it
 *
 * KIND: logs, traces, metrics. PROTOCOL: http-protobuf, http-json, grpc. A WORD is
 *
 *   --endpoint URL, --kind KIND, --protocol PROTOCOL, --header NAME=VALUE, --ca FILE,
 *   --certificate FILE, --key FILE, --gzip, --timeout MS, --delay MS, --idle MS, --proxy URL,
 *   --no-proxy HOSTS     what the next `destination` says
 *   destination, wake    sends it; wake and flush are for the last destination
 *   flush[=SECONDS]      sends it and prints the answer (10 s)
 *   sleep=MS             waits
 *   wait                 of start: until the exporter has ended
 *
 * DIR is made where it is missing. Exit status 0: all went well; 1: something was refused or not
 * answered; 2: it could not be tried.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "record/event.h"
#include "telemetry/export_wire.h"
#include "telemetry/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static _noreturn_ void die(const char *what, int code)
{
    (void)fprintf(stderr, "spool_try: %s: %s\n", what, strerror(code < 0 ? -code : errno));
    exit(2);
}

static _noreturn_ void usage(const char *word)
{
    (void)fprintf(stderr, "spool_try: %s? The head of tests/telemetry/spool_try.c says how\n",
                  word);
    exit(2);
}

static uint64_t number_of(const char *s)
{
    char *end;
    errno = 0;
    unsigned long long v = s ? strtoull(s, &end, 10) : 0;
    if (!s || !*s || *end || errno)
        usage(s ? s : "a number");
    return v;
}

static enum signal_kind kind_of(const char *s)
{
    for (int i = 0; i < SIGNAL_KINDS; i++)
        if (str_eq(s, signal_word((enum signal_kind)i)))
            return (enum signal_kind)i;
    usage(s);
}

static enum export_protocol protocol_of(const char *s)
{
    static const char *const words[] = {"http-protobuf", "http-json", "grpc"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq(s, words[i]))
            return (enum export_protocol)i;
    usage(s);
}

static int open_dir(const char *path)
{
    (void)mkdir(path, 0700);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        die(path, -errno);
    return fd;
}

/* ---- append ---- */

struct feed {
    const char *dir, *key;
    uint64_t n, first, processes, most, pad;
    enum signal_kind kind;
};

struct tally {
    uint64_t appended, refused;
};

static void tell(struct tally *t, int code)
{
    if (code == 0)
        (void)__atomic_fetch_add(&t->appended, 1, __ATOMIC_RELAXED);
    else if (__atomic_fetch_add(&t->refused, 1, __ATOMIC_RELAXED) == 0)
        (void)fprintf(stderr, "spool_try: refused: %s\n", strerror(-code));
}

static void make_signal(const struct feed *f, uint64_t sequence, const char *pad,
                        struct strbuf *out)
{
    char id[EVENT_ID_BYTES];
    if (event_new_id(id) < 0)
        die("random", -EIO);
    const struct attribute resource[] = {{.key = BYTES("service.name"), .text = BYTES("bawn")}};
    const struct attribute attributes[] = {
        {.key = BYTES("bawn.test.sequence"), .type = ATTRIBUTE_INT, .number = (int64_t)sequence},
        {.key = BYTES("event.id"), .text = bytes_of(id)},
        {.key = BYTES("bawn.test.pad"), .text = {pad, (size_t)f->pad}},
    };
    struct signal s = {.kind = f->kind,
                       .resource = {resource, ARRAY_LEN(resource)},
                       .attributes = {attributes, f->pad ? 3 : 2}};
    const uint64_t now = clock_unix_ns();
    if (f->kind == SIGNAL_LOG) {
        s.log = (struct signal_log){
            .time_ns = now, .severity = SEVERITY_INFO, .name = BYTES("bawn.test")};
    } else if (f->kind == SIGNAL_SPAN) {
        s.span = (struct signal_span){
            .name = BYTES("test"), .kind = SPAN_INTERNAL, .start_ns = now, .end_ns = now + 1000};
        memcpy(s.span.context.trace_id, id, TRACE_ID_BYTES);
        memcpy(s.span.context.span_id, id + TRACE_ID_BYTES, SPAN_ID_BYTES);
    } else {
        s.metric = (struct signal_metric){
            .name = BYTES("bawn.test"), .unit = BYTES("{signal}"), .time_ns = now, .count = 1};
    }
    int r = signal_pack(&s, out);
    if (r < 0)
        die("signal", r);
}

static void append_some(const struct feed *f, uint64_t from, struct tally *tally)
{
    _cleanup_strbuf_ struct strbuf packed = {0};
    _cleanup_free_ char *pad = malloc((size_t)f->pad + 1);
    struct spool spool;
    struct error err;
    if (!pad)
        die("memory", -ENOMEM);
    memset(pad, 'x', (size_t)f->pad + 1);
    if (spool_open(&spool, open_dir(f->dir), f->key, f->most, &err) < 0)
        die(err.message, err.code);
    for (uint64_t i = from; i < f->n; i += f->processes) {
        strbuf_clear(&packed);
        make_signal(f, f->first + i, pad, &packed);
        tell(tally, spool_append(&spool, (struct bytes){packed.p, packed.n}));
    }
    spool_close(&spool);
}

static void append_input(const struct feed *f, struct tally *tally)
{
    static char payload[SPOOL_FRAME];
    struct spool spool;
    struct error err;
    uint32_t n;
    if (spool_open(&spool, open_dir(f->dir), f->key, f->most, &err) < 0)
        die(err.message, err.code);
    while (fread(&n, sizeof(n), 1, stdin) == 1) {
        if (n > sizeof(payload) || fread(payload, 1, n, stdin) != n)
            die("standard input", -EBADMSG);
        tell(tally, spool_append(&spool, (struct bytes){payload, n}));
    }
    spool_close(&spool);
}

static int append(int argc, char **argv)
{
    struct feed f = {.processes = 1, .most = 10u << 20};
    const struct {
        const char *word;
        uint64_t *ret;
    } options[] = {{"--pad", &f.pad},
                   {"--processes", &f.processes},
                   {"--first", &f.first},
                   {"--most", &f.most}};
    if (argc < 3)
        usage("append");
    f.dir = argv[0];
    f.key = argv[1];
    for (int i = 3; i < argc; i += 2) {
        size_t o = 0;
        while (o < ARRAY_LEN(options) && !str_eq(argv[i], options[o].word))
            o++;
        if (str_eq(argv[i], "--kind") && argv[i + 1])
            f.kind = kind_of(argv[i + 1]);
        else if (o < ARRAY_LEN(options))
            *options[o].ret = number_of(argv[i + 1]);
        else
            usage(argv[i]);
    }
    struct tally *tally =
        mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (tally == MAP_FAILED || f.processes == 0 || f.pad > SIGNAL_MAX)
        die("append", -EINVAL);
    int failed = 0;
    if (str_eq(argv[2], "-")) {
        append_input(&f, tally);
    } else {
        f.n = number_of(argv[2]);
        for (uint64_t p = 1; p < f.processes; p++) {
            pid_t pid = fork();
            if (pid < 0)
                die("fork", -errno);
            if (pid == 0) {
                append_some(&f, p, tally);
                exit(0);
            }
        }
        append_some(&f, 0, tally);
        for (int status; wait(&status) > 0;)
            failed |= status;
    }
    (void)printf("appended %" PRIu64 " refused %" PRIu64 "\n", tally->appended, tally->refused);
    return failed ? 2 : tally->refused > 0;
}

/* ---- list, drain ---- */

static struct bytes name_of(const struct signal *s)
{
    return s->kind == SIGNAL_LOG    ? s->log.name
           : s->kind == SIGNAL_SPAN ? s->span.name
                                    : s->metric.name;
}

static void print_signal(struct bytes payload)
{
    _cleanup_arena_ struct arena a = {0};
    struct signal s;
    if (signal_unpack(&a, payload, &s) < 0) {
        (void)printf(" not a signal\n");
        return;
    }
    const struct bytes name = name_of(&s);
    (void)printf(" %s %s", signal_word(s.kind), show_n(name.p, name.n));
    for (size_t i = 0; i < s.attributes.n; i++) {
        const struct attribute *at = &s.attributes.v[i];
        if (bytes_is(at->key, "bawn.test.pad"))
            continue;
        (void)printf(" %s=", show_n(at->key.p, at->key.n));
        if (at->type == ATTRIBUTE_TEXT)
            (void)printf("%s", show_n(at->text.p, at->text.n));
        else if (at->type == ATTRIBUTE_DOUBLE)
            (void)printf("%.17g", at->real);
        else
            (void)printf("%" PRId64, at->number);
    }
    (void)printf("\n");
}

static int read_all(const char *dir, const char *key, bool commit)
{
    struct spool_reader *r;
    struct spool_place after = {0};
    struct bytes payload;
    struct error err;
    uint64_t n = 0;
    int code = spool_reader_open(open_dir(dir), key, &r, &err);
    if (code < 0)
        die(err.message, code);
    const uint64_t waiting = spool_waiting(r);
    while ((code = spool_next(r, &payload, &after)) == 1) {
        (void)printf("%" PRIu64 " %" PRIu64 " %zu", after.segment, after.offset, payload.n);
        print_signal(payload);
        n++;
    }
    if (code < 0)
        die("next", code);
    if (commit && n && (code = spool_commit(r, after)) < 0)
        die("commit", code);
    (void)printf("signals %" PRIu64 " waiting %" PRIu64, n, waiting);
    if (commit)
        (void)printf(" dropped %" PRIu64, spool_take_dropped(r));
    (void)printf("\n");
    if (commit)
        spool_reader_close(r);
    return 0;
}

/* ---- talk, start ---- */

struct talk {
    int fd;
    pid_t pid;
    struct export_message destination;
    int files[3]; /* by EXPORT_FD_* */
};

static int connect_to(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    int n = dir >= 0 ? snprintf(to.sun_path, sizeof(to.sun_path), "/proc/self/fd/%d/socket-%u", dir,
                                EXPORT_VERSION)
                     : snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
    if (n < 0 || (size_t)n >= sizeof(to.sun_path))
        die(path, -ENAMETOOLONG);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        die(path, -errno);
    fd_close(dir);
    return fd;
}

static pid_t start(const char *program, const char *dir, int *ret_fd)
{
    int pair[2], telemetry = open_dir(dir);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        die("socketpair", -errno);
    pid_t pid = fork();
    if (pid < 0)
        die("fork", -errno);
    if (pid == 0) {
        /* Away from where they are wanted, so that none is in the other's way. */
        int end = fcntl(pair[1], F_DUPFD_CLOEXEC, 10), at = fcntl(telemetry, F_DUPFD_CLOEXEC, 10);
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        const char *errors = getenv("SPOOL_TRY_ERRORS");
        int log = errors ? open(errors, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : null;
        if (setsid() < 0 || chdir("/") < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
            dup2(log, 2) < 0 || dup2(end, 3) < 0 || dup2(at, 4) < 0)
            _exit(127);
        char *const words[] = {(char *)(uintptr_t) "bawn-exporter", NULL}, *const env[] = {NULL};
        (void)execve(program, words, env);
        _exit(127);
    }
    fd_close(pair[1]);
    fd_close(telemetry);
    *ret_fd = pair[0];
    return pid;
}

static void send_message(struct talk *t, struct export_message *m)
{
    int fds[3];
    size_t n = 0;
    for (size_t i = 0; m->type == EXPORT_DESTINATION && i < ARRAY_LEN(t->files); i++)
        if (t->files[i] >= 0)
            fds[n++] = t->files[i];
    memcpy(m->key, t->destination.destination.key, sizeof(m->key));
    int r;
    while ((r = export_send(t->fd, m, fds, n)) == -EAGAIN) {
        struct pollfd p = {.fd = t->fd, .events = POLLOUT};
        (void)poll(&p, 1, 1000);
    }
    if (r < 0)
        die("send", r);
}

static bool await_answer(struct talk *t, int64_t ms)
{
    static const char *const words[] = {"sent", "waits", "refused"};
    static char buf[EXPORT_MESSAGE_MAX];
    struct export_message m;
    const int64_t end = clock_ms() + ms;
    int fds[3], r;
    while ((r = export_recv(t->fd, buf, &m, fds)) == -EAGAIN && clock_ms() < end) {
        struct pollfd p = {.fd = t->fd, .events = POLLIN};
        (void)poll(&p, 1, (int)(end - clock_ms()));
    }
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        fd_close(fds[i]);
    if (r < 0 || m.type != EXPORT_STATE) {
        (void)printf("no answer: %s\n", r < 0 ? strerror(-r) : "another message");
        return false;
    }
    const struct export_answer *a = &m.answer;
    (void)printf("state %s key=%s http=%u grpc=%d sent=%" PRIu64 " dropped=%" PRIu64 " text=%s\n",
                 words[a->state], a->key, a->http_status, a->grpc_status, a->sent, a->dropped,
                 show_n(a->text.p, a->text.n));
    (void)fflush(stdout);
    return a->state == EXPORT_SENT;
}

static void add_header(struct export_destination *d, const char *word)
{
    const char *sign = strchr(word, '=');
    if (!sign || d->n_headers == EXPORT_HEADERS)
        usage(word);
    d->headers[d->n_headers++] =
        (struct export_header){{word, (size_t)(sign - word)}, bytes_of(sign + 1)};
}

static void open_file(struct talk *t, unsigned slot, const char *path)
{
    t->files[slot] = open(path, O_RDONLY | O_CLOEXEC);
    if (t->files[slot] < 0)
        die(path, -errno);
    t->destination.destination.fds |= 1u << slot;
}

/* An option; whether it took VALUE. */
static bool read_option(struct talk *t, const char *word, const char *value)
{
    static const char *const files[] = {"--ca", "--certificate", "--key"};
    struct export_destination *d = &t->destination.destination;
    const struct {
        const char *word;
        uint32_t *ret;
    } numbers[] = {
        {"--timeout", &d->timeout_ms}, {"--delay", &d->delay_ms}, {"--idle", &d->idle_ms}};
    const struct {
        const char *word;
        struct bytes *ret;
    } texts[] = {
        {"--endpoint", &d->endpoint}, {"--proxy", &d->proxy}, {"--no-proxy", &d->no_proxy}};
    if (str_eq(word, "--gzip")) {
        d->gzip = true;
        return false;
    }
    if (!value)
        usage(word);
    for (unsigned i = 0; i < 3; i++) {
        if (str_eq(word, files[i]))
            open_file(t, i, value);
        else if (str_eq(word, numbers[i].word))
            *numbers[i].ret = (uint32_t)number_of(value);
        else if (str_eq(word, texts[i].word))
            *texts[i].ret = bytes_of(value);
        else
            continue;
        return true;
    }
    if (str_eq(word, "--kind"))
        d->kind = kind_of(value);
    else if (str_eq(word, "--protocol"))
        d->protocol = protocol_of(value);
    else if (str_eq(word, "--header"))
        add_header(d, value);
    else
        usage(word);
    return true;
}

static bool do_word(struct talk *t, const char *word)
{
    struct export_message m = {.type = EXPORT_WAKE};
    struct export_destination *d = &t->destination.destination;
    if (str_eq(word, "destination")) {
        export_key(d->kind, d->protocol, d->endpoint, d->key);
        (void)printf("key %s\n", d->key);
        send_message(t, &t->destination);
    } else if (str_eq(word, "wake")) {
        send_message(t, &m);
    } else if (str_starts(word, "flush")) {
        m.type = EXPORT_FLUSH;
        send_message(t, &m);
        return await_answer(t, word[5] == '=' ? (int64_t)number_of(word + 6) * 1000 : 10000);
    } else if (str_starts(word, "sleep=")) {
        (void)poll(NULL, 0, (int)number_of(word + 6));
    } else if (str_eq(word, "wait") && t->pid > 0) {
        int status = 0;
        (void)waitpid(t->pid, &status, 0);
        (void)printf("ended %d\n",
                     WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        return status == 0;
    } else {
        usage(word);
    }
    (void)fflush(stdout);
    return true;
}

static int talk(struct talk *t, int argc, char **argv)
{
    bool fine = true;
    t->files[0] = t->files[1] = t->files[2] = -1;
    t->destination = (struct export_message){
        .type = EXPORT_DESTINATION,
        .destination = {.timeout_ms = 10000, .delay_ms = 1000, .idle_ms = 30000}};
    for (int i = 0; i < argc; i++) {
        if (str_starts(argv[i], "--"))
            i += read_option(t, argv[i], argv[i + 1]);
        else
            fine = do_word(t, argv[i]) && fine;
    }
    return !fine;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "what";
    struct talk t = {.fd = -1};
    if (str_eq(what, "append"))
        return append(argc - 2, argv + 2);
    if (str_eq(what, "list") && argc == 4)
        return read_all(argv[2], argv[3], false);
    if (str_eq(what, "drain") && argc == 4)
        return read_all(argv[2], argv[3], true);
    if (str_eq(what, "key") && argc == 5) {
        char key[EXPORT_KEY_BYTES];
        export_key(kind_of(argv[2]), protocol_of(argv[3]), bytes_of(argv[4]), key);
        (void)puts(key);
        return 0;
    }
    if (str_eq(what, "talk") && argc > 2) {
        t.fd = connect_to(argv[2]);
        return talk(&t, argc - 3, argv + 3);
    }
    if (str_eq(what, "start") && argc > 3) {
        t.pid = start(argv[2], argv[3], &t.fd);
        (void)printf("pid %d\n", (int)t.pid);
        (void)fflush(stdout);
        return talk(&t, argc - 4, argv + 4);
    }
    usage(what);
}

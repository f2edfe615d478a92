/* See retry.h. Texts come from a collector, which may be anybody. */
#include "exporter/retry.h"

#include <time.h>

/* ---- what an answer means ---- */

enum verdict verdict_of_http(unsigned status)
{
    switch (status) {
    case 408: /* it waited too long for us */
    case 425:
    case 429:
        return VERDICT_AGAIN;
    case 401:
    case 403: /* a token may be renewed */
    case 407:
        return VERDICT_SLOWLY;
    case 413:
        return VERDICT_SMALLER;
    case 415:
        return VERDICT_PLAIN;
    default:
        break;
    }
    if (status >= 200 && status < 300)
        return VERDICT_TAKEN;
    if (status >= 300 && status < 400) /* somebody else answered: a portal, a moved collector */
        return VERDICT_SLOWLY;
    return status >= 400 && status < 500 ? VERDICT_NEVER : VERDICT_AGAIN;
}

static const struct {
    const char *word;
    enum verdict verdict;
} grpc[] = {
    {"OK", VERDICT_TAKEN},
    {"CANCELLED", VERDICT_AGAIN},
    {"UNKNOWN", VERDICT_AGAIN},
    {"INVALID_ARGUMENT", VERDICT_NEVER},
    {"DEADLINE_EXCEEDED", VERDICT_AGAIN},
    {"NOT_FOUND", VERDICT_NEVER},
    {"ALREADY_EXISTS", VERDICT_NEVER},
    {"PERMISSION_DENIED", VERDICT_SLOWLY},
    {"RESOURCE_EXHAUSTED", VERDICT_AGAIN},
    {"FAILED_PRECONDITION", VERDICT_NEVER},
    {"ABORTED", VERDICT_AGAIN},
    {"OUT_OF_RANGE", VERDICT_AGAIN},
    {"UNIMPLEMENTED", VERDICT_PLAIN}, /* the compression, or the service: seen without it */
    {"INTERNAL", VERDICT_AGAIN},
    {"UNAVAILABLE", VERDICT_AGAIN},
    {"DATA_LOSS", VERDICT_AGAIN},
    {"UNAUTHENTICATED", VERDICT_SLOWLY},
};

enum { GRPC_UNKNOWN = 2, GRPC_RESOURCE_EXHAUSTED = 8, GRPC_OUT_OF_RANGE = 11 };

/* gRPC has no code for "too large": libraries use one of two that also mean other things, and say
 * it in words. */
static bool says_too_large(struct bytes message)
{
    static const char *const words[] = {"larger than max", "exceeds maximum", "exceeds the maximum",
                                        "too large", "too big"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (message.n && memmem(message.p, message.n, words[i], strlen(words[i])))
            return true;
    return false;
}

enum verdict verdict_of_grpc(int status, struct bytes message)
{
    if (status < 0 || (size_t)status >= ARRAY_LEN(grpc))
        return grpc[GRPC_UNKNOWN].verdict;
    if ((status == GRPC_RESOURCE_EXHAUSTED || status == GRPC_OUT_OF_RANGE) &&
        says_too_large(message))
        return VERDICT_SMALLER;
    return grpc[status].verdict;
}

const char *grpc_status_word(int status)
{
    return grpc[status < 0 || (size_t)status >= ARRAY_LEN(grpc) ? GRPC_UNKNOWN : status].word;
}

/* ---- when to try again ---- */

uint32_t retry_pause(uint32_t *span, uint32_t chance)
{
    *span = *span == 0 ? RETRY_FIRST_MS : MIN_OF(*span * 2, RETRY_MOST_MS);
    return *span - *span / 4 + chance % (*span / 2 + 1);
}

static bool read_seconds(struct bytes v, int64_t *ret)
{
    int64_t n = 0;
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] < '0' || v.p[i] > '9')
            return false;
        n = MIN_OF(n * 10 + (v.p[i] - '0'), (int64_t)1 << 40);
    }
    *ret = n;
    return v.n > 0;
}

static bool read_date(struct bytes v, int64_t *ret)
{
    static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                        "%a %b %e %H:%M:%S %Y"};
    char text[64];
    if (v.n >= sizeof(text) || memchr(v.p, '\0', v.n))
        return false;
    memcpy(text, v.p, v.n);
    text[v.n] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct tm tm = {0};
        const char *end = strptime(text, forms[i], &tm);
        if (end && *end == '\0') {
            *ret = timegm(&tm);
            return true;
        }
    }
    return false;
}

uint32_t retry_after(struct bytes value, int64_t now)
{
    int64_t seconds, then;
    while (value.n && (value.p[0] == ' ' || value.p[0] == '\t')) {
        value.p++;
        value.n--;
    }
    while (value.n && (value.p[value.n - 1] == ' ' || value.p[value.n - 1] == '\t'))
        value.n--;
    if (!value.n)
        return 0;
    if (!read_seconds(value, &seconds)) {
        if (!read_date(value, &then) || then <= now)
            return 0;
        seconds = then - now;
    }
    return seconds >= RETRY_AFTER_MAX / 1000 ? RETRY_AFTER_MAX : (uint32_t)seconds * 1000;
}

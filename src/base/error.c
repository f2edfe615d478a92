/*
 * Errors with context. See error.h. Fixed storage, no allocation: an out-of-memory error can be
 * reported like any other.
 */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

_printf_(3, 0) static void vset(struct error *err, int code, const char *fmt, va_list ap)
{
    *err = (struct error){.code = code};
    (void)vsnprintf(err->message, sizeof(err->message), fmt, ap);
}

int error_set(struct error *err, int code, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        vset(err, code, fmt, ap);
        va_end(ap);
    }
    return code;
}

int error_errno(struct error *err, int code, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        vset(err, code, fmt, ap);
        va_end(ap);
        size_t n = strlen(err->message);
        (void)snprintf(err->message + n, sizeof(err->message) - n, ": %s", strerror(-code));
    }
    return code;
}

int error_wrap(struct error *err, int code, const char *fmt, ...)
{
    if (!err)
        return code;
    char old[ERROR_MESSAGE_MAX];
    memcpy(old, err->message, sizeof(old));
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(err->message, sizeof(err->message), fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof(err->message) - 3) {
        size_t at = (size_t)n, room = sizeof(err->message) - at - 3, len = strnlen(old, room);
        memcpy(err->message + at, ": ", 2);
        memcpy(err->message + at + 2, old, len);
        err->message[at + 2 + len] = '\0';
    }
    if (!err->code)
        err->code = code;
    return err->code;
}

void error_hint(struct error *err, const char *fmt, ...)
{
    if (!err)
        return;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
    va_end(ap);
}

void error_note(struct error *err, const char *fmt, ...)
{
    if (!err)
        return;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(err->note, sizeof(err->note), fmt, ap);
    va_end(ap);
}

void error_at(struct error *err, const char *file, unsigned line, unsigned column, unsigned length,
              const char *excerpt, size_t n)
{
    if (!err)
        return;
    (void)snprintf(err->file, sizeof(err->file), "%s", file ? file : "");
    err->line = line;
    err->column = column;
    err->length = length;
    err->excerpt[0] = '\0';
    if (excerpt)
        (void)printable(err->excerpt, sizeof(err->excerpt), excerpt, n);
}

void error_clear(struct error *err)
{
    if (err)
        *err = (struct error){0};
}

bool utf8_deceives(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {{0, 0x1f},        {0x7f, 0x9f},     {0xad, 0xad},      {0x61c, 0x61c},
                  {0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e},  {0x2060, 0x206f},
                  {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe0fff}};
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

size_t utf8_decode(const unsigned char *p, size_t n, uint32_t *ret)
{
    size_t len;
    uint32_t c, least;
    if (p[0] < 0x80) {
        len = 1, c = p[0], least = 0;
    } else if ((p[0] & 0xe0) == 0xc0) {
        len = 2, c = p[0] & 0x1fu, least = 0x80;
    } else if ((p[0] & 0xf0) == 0xe0) {
        len = 3, c = p[0] & 0x0fu, least = 0x800;
    } else if ((p[0] & 0xf8) == 0xf0) {
        len = 4, c = p[0] & 0x07u, least = 0x10000;
    } else {
        return 0;
    }
    if (len > n)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3fu);
    }
    if (c < least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *ret = c;
    return len;
}

size_t utf8_encode(uint32_t c, char dst[4])
{
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n; i-- > 1; c >>= 6)
        dst[i] = (char)(0x80 | (c & 0x3f));
    dst[0] = (char)(lead[n] | c);
    return n;
}

/* Length of what may be shown as it is at P, or 0. */
static size_t utf8_shown(const unsigned char *p, size_t n)
{
    uint32_t c;
    size_t len = utf8_decode(p, n, &c);
    return len && !utf8_deceives(c) ? len : 0;
}

char *printable(char *dst, size_t cap, const void *s, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    static const char cut[] = "\xe2\x80\xa6";
    const unsigned char *p = s;
    size_t o = 0,
           room_for_cut = 0; /* the last end of a character with room for the mark behind it */
    if (cap == 0)
        return dst;
    for (size_t i = 0; i < n;) {
        size_t len = utf8_shown(p + i, n - i);
        if (o + sizeof(cut) <= cap)
            room_for_cut = o;
        if (o + (len ? len : 4) + 1 > cap) {
            o = room_for_cut;
            if (o + sizeof(cut) <= cap) {
                memcpy(dst + o, cut, sizeof(cut) - 1);
                o += sizeof(cut) - 1;
            }
            break;
        }
        if (len) {
            memcpy(dst + o, p + i, len);
            o += len;
            i += len;
        } else {
            dst[o++] = '\\';
            dst[o++] = 'x';
            dst[o++] = hex[p[i] >> 4];
            dst[o++] = hex[p[i] & 15];
            i++;
        }
    }
    dst[o] = '\0';
    return dst;
}

const char *show_n(const void *s, size_t n)
{
    static __thread char ring[8][ERROR_FILE_MAX];
    static __thread unsigned next;
    char *b = ring[next++ % 8];
    return printable(b, sizeof(ring[0]), s, n);
}

const char *show(const char *s)
{
    return s ? show_n(s, strlen(s)) : "(none)";
}

#define WORD_MAX 64

static unsigned edit_distance(const char *a, size_t na, const char *b, size_t nb)
{
    unsigned prev2[WORD_MAX + 1], prev[WORD_MAX + 1], row[WORD_MAX + 1];
    for (size_t j = 0; j <= nb; j++)
        prev[j] = (unsigned)j;
    memcpy(prev2, prev, sizeof(prev2));
    for (size_t i = 1; i <= na; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            unsigned sub = prev[j - 1] + (a[i - 1] != b[j - 1]);
            unsigned best = MIN_OF(sub, MIN_OF(prev[j] + 1, row[j - 1] + 1));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = MIN_OF(best, prev2[j - 2] + 1);
            row[j] = best;
        }
        memcpy(prev2, prev, (nb + 1) * sizeof(prev[0]));
        memcpy(prev, row, (nb + 1) * sizeof(prev[0]));
    }
    return prev[nb];
}

const char *nearest_word(const char *word, const char *const *candidates, size_t count)
{
    size_t n = strlen(word);
    if (n == 0 || n > WORD_MAX)
        return NULL;
    unsigned limit = (unsigned)MAX_OF(n / 3, (size_t)1), best = limit + 1;
    const char *found = NULL;
    for (size_t i = 0; i < count; i++) {
        size_t m = strlen(candidates[i]);
        if (m == 0 || m > WORD_MAX)
            continue;
        unsigned d = edit_distance(word, n, candidates[i], m);
        if (d < best) {
            best = d;
            found = candidates[i];
        }
    }
    /* A whole word that the candidate begins with counts as near: "workspace" -> "workspace-write".
     */
    for (size_t i = 0; !found && n >= 3 && i < count; i++)
        if (strncmp(candidates[i], word, n) == 0)
            found = candidates[i];
    return found;
}

/*
 * Errors with context.
 *
 * A fallible function returns 0 or a negative errno and takes `struct error *err` as its last
 * input. `err` may be NULL everywhere: then only the number travels. Nothing here allocates or
 * prints; `cli/` prints. A message is one line without the trailing newline; bytes that are not
 * printable are shown as \xHH so that a hostile file name cannot forge a second line.
 */
#ifndef BAWN_BASE_ERROR_H
#define BAWN_BASE_ERROR_H

#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>

#define ERROR_MESSAGE_MAX 1024
#define ERROR_HINT_MAX    512
#define ERROR_FILE_MAX    512
#define ERROR_EXCERPT_MAX 512

struct error {
    int code;                        /* negative errno; 0 when nothing failed */
    char message[ERROR_MESSAGE_MAX]; /* "what was being done: what went wrong" */
    char hint[ERROR_HINT_MAX];       /* what would be right, or "" */
    char file[ERROR_FILE_MAX];       /* file with the fault, or "" */
    unsigned line, column, length;   /* 1-based position and length in bytes; 0 when unknown */
    char excerpt[ERROR_EXCERPT_MAX]; /* the source line itself, or "" */
    char note[256];                  /* stands behind the marker line, e.g. a suggestion, or "" */
};

/* Starts an error anew and returns CODE, so that `return error_set(err, -EINVAL, …)` reads well. */
int error_set(struct error *err, int code, const char *fmt, ...) _printf_(3, 4);
/* As error_set with ": TEXT OF ERRNO" behind the message. CODE is a negative errno. */
int error_errno(struct error *err, int code, const char *fmt, ...) _printf_(3, 4);
/* Puts "CONTEXT: " before the message; returns err->code (or CODE when err is NULL). */
int error_wrap(struct error *err, int code, const char *fmt, ...) _printf_(3, 4);
/* Sets what a person can do about it. */
void error_hint(struct error *err, const char *fmt, ...) _printf_(2, 3);
/* Sets the place. EXCERPT is N bytes of the source line (may be NULL). */
void error_at(struct error *err, const char *file, unsigned line, unsigned column, unsigned length,
              const char *excerpt, size_t n);
void error_note(struct error *err, const char *fmt, ...) _printf_(2, 3);
void error_clear(struct error *err);

/* Length of the well-formed UTF-8 sequence at P (N bytes left, at least one) with its code point,
 * or 0 when it is none. */
size_t utf8_decode(const unsigned char *p, size_t n, uint32_t *ret);
/* C (a Unicode scalar value) as UTF-8 into DST; the number of bytes. */
size_t utf8_encode(uint32_t c, char dst[4]);
/* Could C make a line read as another, or steer a terminal? Controls, direction marks and
 * overrides, and what has no width. */
bool utf8_deceives(uint32_t c);

/* Copies N bytes of S into DST (CAP bytes, terminated): printable UTF-8 as it is, everything else
 * as \xHH, cut with "…" when it does not fit. Returns DST. */
char *printable(char *dst, size_t cap, const void *s, size_t n);
/* The same for a terminated string into a static ring of eight buffers: for messages only. */
const char *show(const char *s);
const char *show_n(const void *s, size_t n);

/* The nearest of COUNT candidates to WORD (edit distance at most a third of its length, and at
 * least one), or NULL. */
const char *nearest_word(const char *word, const char *const *candidates, size_t count);

#endif

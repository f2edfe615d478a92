/*
 * Bodies by their framing. See http_body.h.
 *
 * A chunked body is read byte by byte where it is not data, by a machine of a few states whose
 * whole memory is struct body: however the bytes are cut into pieces, the same comes out. `state`
 * says which part of the framing is next and last[0] where in it (enum step); `line` counts the
 * bytes of a size line or of all trailer fields against their limit.
 */
#include "proxy/http_body.h"

#include <errno.h>

enum step {
    STEP_START, /* of the line: digits of a size, the first byte of a trailer line */
    STEP_NAME,  /* of a trailer field */
    STEP_REST,  /* an extension, or a field's value */
    STEP_LF,    /* behind a CR */
    STEP_END_LF /* behind the CR of the empty line */
};

#define CHUNK_DIGITS_MAX 15u

void body_begin(struct body *b, enum http_framing framing, uint64_t length)
{
    *b = (struct body){.framing = framing, .state = BODY_DATA};
    if (framing == FRAME_CHUNKED)
        b->state = BODY_SIZE;
    else if (framing == FRAME_LENGTH)
        b->left = length;
    if (framing == FRAME_NONE || (framing == FRAME_LENGTH && length == 0))
        b->state = BODY_DONE;
}

static void enter(struct body *b, enum body_state state)
{
    b->state = state;
    b->line = 0;
    b->digits = 0;
    b->last[0] = STEP_START;
}

/* ---- characters ---- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static bool is_token(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return true;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

/* ---- the framing, one byte each; false: it is broken ---- */

/* 1*HEX [";" anything but controls] CR LF */
static bool take_size(struct body *b, char c)
{
    int digit = hex_value(c);
    if (++b->line > LIMIT_CHUNK_LINE)
        return false;
    if (b->last[0] == STEP_START && digit >= 0) {
        b->left = b->left << 4 | (uint64_t)digit;
        return ++b->digits <= CHUNK_DIGITS_MAX;
    }
    if (b->last[0] == STEP_LF) {
        enter(b, b->left ? BODY_DATA : BODY_TRAILER);
        return c == '\n';
    }
    if (b->digits == 0)
        return false;
    if (c == '\r') {
        b->last[0] = STEP_LF;
        return true;
    }
    if (b->last[0] == STEP_START && c != ';')
        return false;
    b->last[0] = STEP_REST;
    return !is_control(c);
}

/* CR LF behind a chunk's data. */
static bool take_data_end(struct body *b, char c)
{
    if (b->last[0] == STEP_START) {
        b->last[0] = STEP_LF;
        return c == '\r';
    }
    enter(b, BODY_SIZE);
    return c == '\n';
}

/* Fields, and the empty line. */
static bool take_trailer(struct body *b, char c)
{
    if (++b->line > LIMIT_TRAILER)
        return false;
    switch ((enum step)b->last[0]) {
    case STEP_START:
        b->last[0] = c == '\r' ? STEP_END_LF : STEP_NAME;
        return c == '\r' || is_token(c);
    case STEP_NAME:
        if (c == ':')
            b->last[0] = STEP_REST;
        return c == ':' || is_token(c);
    case STEP_REST:
        if (c == '\r')
            b->last[0] = STEP_LF;
        return c == '\r' || c == '\t' || !is_control(c);
    case STEP_LF:
        b->last[0] = STEP_START;
        return c == '\n';
    case STEP_END_LF:
        enter(b, BODY_DONE);
        return c == '\n';
    }
    return false;
}

static bool take_byte(struct body *b, char c)
{
    switch (b->state) {
    case BODY_SIZE:
        return take_size(b, c);
    case BODY_DATA_END:
        return take_data_end(b, c);
    case BODY_TRAILER:
        return take_trailer(b, c);
    case BODY_DATA:
    case BODY_DONE:
    case BODY_BROKEN:
        break;
    }
    return false;
}

/* ---- all of it ---- */

/* How much of N bytes of data belongs here. */
static size_t take_data(struct body *b, size_t n)
{
    if (b->framing == FRAME_CLOSE)
        return n;
    n = (size_t)MIN_OF((uint64_t)n, b->left);
    b->left -= n;
    if (b->left > 0)
        return n;
    if (b->framing == FRAME_CHUNKED)
        enter(b, BODY_DATA_END);
    else
        b->state = BODY_DONE;
    return n;
}

int body_take(struct body *b, struct bytes text, struct bytes *ret_data, size_t *ret_used)
{
    size_t at = 0;
    if (b->state == BODY_BROKEN)
        return -EPROTO;
    *ret_data = (struct bytes){0};
    *ret_used = 0;
    for (; at < text.n && b->state != BODY_DATA && b->state != BODY_DONE; at++)
        if (!take_byte(b, text.p[at])) {
            b->state = BODY_BROKEN;
            return -EPROTO;
        }
    if (at < text.n && b->state == BODY_DATA) {
        *ret_data = (struct bytes){text.p + at, take_data(b, text.n - at)};
        at += ret_data->n;
    }
    *ret_used = at;
    return 0;
}

int body_end(struct body *b)
{
    if (b->framing == FRAME_CLOSE && b->state == BODY_DATA)
        b->state = BODY_DONE;
    return b->state == BODY_DONE ? 0 : -EPROTO;
}

size_t body_chunk_line(size_t n, char buf[BODY_CHUNK_LINE_MAX])
{
    size_t digits = 1, at = 0;
    assert(n > 0);
    while (digits < 2 * sizeof(n) && n >> (4 * digits))
        digits++;
    while (digits-- > 0)
        buf[at++] = "0123456789abcdef"[n >> (4 * digits) & 15];
    buf[at++] = '\r';
    buf[at++] = '\n';
    return at;
}

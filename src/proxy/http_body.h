/*
 * The bytes behind a head, by its framing (RFC 9112, 6 and 7). A decoder is fed what came and says
 * how much of it belongs to the body, in which parts. Pure.
 */
#ifndef BAWN_PROXY_HTTP_BODY_H
#define BAWN_PROXY_HTTP_BODY_H

#include "proxy/http_head.h"

enum body_state {
    BODY_DATA,
    BODY_DONE, /* whole */
    /* inside a chunked body */
    BODY_SIZE,
    BODY_DATA_END,
    BODY_TRAILER,
    BODY_BROKEN,
};

struct body {
    enum http_framing framing;
    enum body_state state;
    uint64_t left;   /* of the length, or of this chunk */
    size_t line;     /* bytes of the size line or the trailer so far */
    unsigned digits; /* of the size */
    uint8_t last[3]; /* private: where in a line */
};

void body_begin(struct body *b, enum http_framing framing, uint64_t length);
static inline bool body_done(const struct body *b)
{
    return b->state == BODY_DONE;
}

/* Takes from TEXT. *ret_data is the next part of the body's own bytes (n 0: none came in this
 * step), *ret_used how many bytes of TEXT were passed, those included. Call again while something
 * is left and neither body_done() nor an error. 0 or -EPROTO: a chunk's size that is no number
 * (hexadecimal digits only, at most 15), bare CR or LF, an extension with control characters, a
 * chunk longer or shorter than it says, a trailer that is no field or beyond LIMIT_TRAILER
 * (trailers are read, checked and dropped). FRAME_CLOSE takes everything. */
int body_take(struct body *b, struct bytes text, struct bytes *ret_data, size_t *ret_used);
/* The connection ended. 0 when that is a proper end of the body, else -EPROTO. */
int body_end(struct body *b);

/* The size line of a chunk of N bytes, N > 0: "1f4\r\n" in BUF. Behind the data comes "\r\n"; the
 * last is "0\r\n\r\n". Returns its length. */
#define BODY_CHUNK_LINE_MAX 20
size_t body_chunk_line(size_t n, char buf[BODY_CHUNK_LINE_MAX]);

#endif

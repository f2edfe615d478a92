/*
 * The head of an HTTP/1 message (RFC 9112), read strictly: whatever two programs could read in two
 * ways is refused. Pure; nothing is copied, everything points into the text.
 */
#ifndef BAWN_PROXY_HTTP_HEAD_H
#define BAWN_PROXY_HTTP_HEAD_H

#include "base/str.h"
#include "network/host.h"
#include "helper/limits.h"

/* Why a head was refused. Of a request all are 400 but where a status is said. */
enum http_problem {
    HTTP_FINE,
    HTTP_MORE,        /* not whole yet: read on */
    HTTP_LINE_LONG,   /* 414 */
    HTTP_HEAD_LONG,   /* 431 */
    HTTP_MANY_FIELDS, /* 431; or Connection names as many */
    HTTP_BARE_LF,     /* a line that ends in LF alone */
    HTTP_BARE_CR,     /* a CR that is not followed by LF */
    HTTP_NUL,
    HTTP_CONTROL,    /* any other control character in a line, but tab in values */
    HTTP_START_LINE, /* is none */
    HTTP_METHOD,     /* no token, or longer than 23 bytes */
    HTTP_VERSION,    /* 505; not HTTP/1.0 or HTTP/1.1 */
    HTTP_TARGET,     /* no form that a proxy is asked in; a fragment, user:password@, not ASCII */
    HTTP_SCHEME,     /* of an absolute target, other than http, https, ws and wss */
    HTTP_NAME,       /* a field name that is no token; space before the colon */
    HTTP_NO_COLON,
    HTTP_FOLD,         /* a line that begins with space or tab */
    HTTP_HOST_MISSING, /* in HTTP/1.1 */
    HTTP_HOST_TWICE,
    HTTP_HOST_BAD,     /* host_parse_port() refuses it */
    HTTP_HOST_OTHER,   /* is not the target */
    HTTP_LENGTH_TWICE, /* more than one Content-Length, a list in one included */
    HTTP_LENGTH_BAD,   /* not just digits, or beyond 2^63-1 */
    HTTP_CODING_TWICE, /* more than one Transfer-Encoding */
    HTTP_CODING_BAD,   /* 501; anything but "chunked" alone */
    HTTP_CODING_OLD,   /* Transfer-Encoding in HTTP/1.0 */
    HTTP_BOTH,         /* Content-Length with Transfer-Encoding */
    HTTP_STATUS,       /* of a response: no status line, or one outside 100 to 599 */
};
const char *http_problem_word(enum http_problem p); /* "bare-lf" */
const char *http_problem_text(enum http_problem p); /* a sentence without its full stop */
unsigned http_problem_status(enum http_problem p);  /* 400, 414, 431, 501, 505 */

/* The usual text beside a status; "Error" for those that have none here. */
const char *http_status_text(unsigned status);

struct http_field {
    struct bytes name, value; /* value without the space round it */
};

enum http_target {
    TARGET_ORIGIN,    /* "/path?query" */
    TARGET_ABSOLUTE,  /* "http://host:port/path" */
    TARGET_AUTHORITY, /* "host:port", of CONNECT only */
    TARGET_ASTERISK,  /* "*", of OPTIONS only */
};

/* How the bytes behind the head are framed. */
enum http_framing {
    FRAME_NONE,
    FRAME_LENGTH,
    FRAME_CHUNKED,
    FRAME_CLOSE, /* of a response: up to the end of the connection */
};

struct http_head {
    size_t n;       /* bytes of the head, blank line included; empty lines before it as well */
    unsigned minor; /* HTTP/1.minor */
    struct http_field fields[LIMIT_FIELDS];
    size_t n_fields;

    /* of a request */
    struct bytes method, target;
    enum http_target form;
    struct bytes scheme;    /* of an absolute target, as written: http, https, ws, wss */
    struct bytes authority; /* of an absolute target or CONNECT */
    struct bytes path;      /* of an absolute target what follows: "", "/…" or "?…" */
    struct bytes host;      /* the value of Host; p NULL: there is none */
    bool expect_continue;   /* Expect: 100-continue (without case) */

    /* of a response */
    unsigned status;
    struct bytes reason;

    /* of both */
    enum http_framing framing; /* of a response: see http_response_framing() */
    uint64_t length;           /* FRAME_LENGTH */
    bool has_length, chunked;  /* what the fields say */
    bool keep_alive;           /* by version and Connection */
    bool upgrade;              /* Connection names upgrade, and there is one Upgrade field */
    struct bytes upgrade_to;   /* its value */
};

/* Reads a request from the beginning of TEXT. HTTP_MORE while the blank line has not come (and
 * nothing in what has is wrong already); anything else but HTTP_FINE ends the connection. One empty
 * line before a request is passed over. Host must be there (once, well-formed) in HTTP/1.1 and, of
 * an absolute or authority target, be the same host and port (a default port by the scheme; where a
 * CONNECT's Host has no port, only the host counts). A target in absolute form has a host and no
 * user:password@; what is allowed in it is ASCII without controls, space, '"', '<', '>', '\\', '^',
 * '`', '{', '|', '}' and '#'. ret->target of a CONNECT needs its port. Expect and Upgrade do not
 * count in HTTP/1.0. Of anything but HTTP_FINE *ret is not to be used.
 *
 * Every call reads from the beginning. After HTTP_MORE another one is worth it only when there is
 * an LF among the bytes that came since, or when there are LIMIT_HEAD of them: so a head that comes
 * byte by byte costs no more than a pass for each of its lines. */
enum http_problem http_request_parse(struct bytes text, struct http_head *ret);
/* Reads a response's head. Its framing depends on the request: http_response_framing(). A response
 * with both lengths, or several of one, is refused as a request's is. */
enum http_problem http_response_parse(struct bytes text, struct http_head *ret);
/* Sets framing and length: none after HEAD and for 1xx, 204, 304 and 2xx to CONNECT. Up to the end
 * of the connection nothing is kept alive, whatever Connection says. */
void http_response_framing(struct http_head *head, struct bytes method);

/* Field NAME (lower case) without case; NULL: there is none. */
const struct http_field *http_field(const struct http_head *h, const char *name);
/* Does the comma-separated list in every field NAME have WORD, without case? */
bool http_list_has(const struct http_head *h, const char *name, struct bytes word);
/* Is field I one that belongs to this connection alone: Connection and what it names, Keep-Alive,
 * Proxy-Connection, Proxy-Authenticate, Proxy-Authorization, TE, Trailer, Transfer-Encoding,
 * Upgrade, HTTP2-Settings? Host and Content-Length never are, whatever Connection says. */
bool http_field_is_hop(const struct http_head *h, size_t i);

#endif

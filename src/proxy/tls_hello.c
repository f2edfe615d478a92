/*
 * The server's name in a ClientHello. See tls_hello.h.
 *
 * Records first: their handshake bytes are one stream, in which the ClientHello is the first
 * message. As a rule one record holds it and is read in place; spread over several it is gathered
 * in a buffer. Then the message, whose parts all say their length and have to fill it exactly: a
 * reader that took a length less strictly could see another name.
 */
#include "proxy/tls_hello.h"

#include "proxy/cut.h"
#include "helper/limits.h"

enum { RECORD_HANDSHAKE = 22, RECORD_HEADER = 5, RECORD_MAX = 1 << 14 };
enum { MESSAGE_CLIENT_HELLO = 1, MESSAGE_HEADER = 4 };
enum { EXTENSION_SERVER_NAME = 0, NAME_HOST = 0 };

/* ---- records ---- */

/* The handshake bytes of the next record. HELLO_NAME stands for success. */
static enum tls_hello cut_record(struct bytes *text, struct bytes *ret)
{
    struct bytes rest = *text, header;
    if (text->n > 0 && byte_at(*text, 0) != RECORD_HANDSHAKE)
        return HELLO_OTHER;
    if (text->n > 1 && byte_at(*text, 1) != 3)
        return HELLO_OTHER;
    if (!cut_bytes(&rest, RECORD_HEADER, &header))
        return HELLO_MORE;
    size_t n = (size_t)byte_at(header, 3) << 8 | byte_at(header, 4);
    if (n == 0 || n > RECORD_MAX)
        return HELLO_BAD;
    if (!cut_bytes(&rest, n, ret))
        return HELLO_MORE;
    *text = rest;
    return HELLO_NAME;
}

/* The size of the first message with its header, from its first bytes; 0: it is no ClientHello, or
 * one that is too large. */
static size_t message_size(struct bytes head)
{
    size_t n = (size_t)byte_at(head, 1) << 16 | (size_t)byte_at(head, 2) << 8 | byte_at(head, 3);
    n += MESSAGE_HEADER;
    return byte_at(head, 0) == MESSAGE_CLIENT_HELLO && n <= LIMIT_HELLO - RECORD_HEADER ? n : 0;
}

/* The whole message in *ret: in TEXT when one record has all of it, else in BUF. Nothing else may
 * be in the record in which it ends: a client that waits for an answer has nothing more to say. */
static enum tls_hello gather(struct bytes text, char buf[LIMIT_HELLO], struct bytes *ret)
{
    struct bytes part, got = {buf, 0};
    size_t size = 0;
    while (size == 0 || got.n < size) {
        enum tls_hello r = cut_record(&text, &part);
        if (r != HELLO_NAME) /* in the middle, another kind of record is no other protocol */
            return r == HELLO_OTHER && got.n > 0 ? HELLO_BAD : r;
        if (got.n == 0 && part.n >= MESSAGE_HEADER && message_size(part) == part.n) {
            *ret = part;
            return HELLO_NAME;
        }
        assert(part.n <= LIMIT_HELLO - got.n); /* all of it is in TEXT */
        memcpy(buf + got.n, part.p, part.n);
        got.n += part.n;
        if (size == 0 && got.n >= MESSAGE_HEADER) {
            size = message_size(got);
            if (size == 0)
                return HELLO_BAD;
        }
    }
    *ret = got;
    return got.n == size ? HELLO_NAME : HELLO_BAD;
}

/* ---- the message ---- */

/* The content of the extension: a list of names of which there is one, a host's. */
static enum tls_hello read_server_name(struct bytes content, struct host *ret)
{
    struct bytes list, name;
    struct host h;
    uint8_t type;
    if (!cut_string16(&content, &list) || content.n > 0 || !cut_u8(&list, &type) ||
        type != NAME_HOST || !cut_string16(&list, &name) || list.n > 0)
        return HELLO_BAD;
    if (host_parse(name, &h) != HOST_FINE || h.kind != HOST_NAME)
        return HELLO_BAD;
    *ret = h;
    return HELLO_NAME;
}

static enum tls_hello read_extensions(struct bytes list, struct host *ret)
{
    enum tls_hello found = HELLO_NO_NAME;
    struct host h;
    while (list.n > 0) {
        uint16_t type;
        struct bytes content;
        if (!cut_u16(&list, &type) || !cut_string16(&list, &content))
            return HELLO_BAD;
        if (type != EXTENSION_SERVER_NAME)
            continue;
        if (found == HELLO_NAME || read_server_name(content, &h) != HELLO_NAME)
            return HELLO_BAD;
        found = HELLO_NAME;
    }
    if (found == HELLO_NAME)
        *ret = h;
    return found;
}

/* version, random, session, suites, compressions, extensions (which may be missing) */
static enum tls_hello read_message(struct bytes m, struct host *ret)
{
    struct bytes header, fixed, session, suites, compressions, extensions;
    if (!cut_bytes(&m, MESSAGE_HEADER, &header) || !cut_bytes(&m, 2 + 32, &fixed) ||
        byte_at(fixed, 0) != 3 || !cut_string8(&m, &session) || session.n > 32 ||
        !cut_string16(&m, &suites) || suites.n == 0 || suites.n % 2 != 0 ||
        !cut_string8(&m, &compressions) || compressions.n == 0)
        return HELLO_BAD;
    if (m.n == 0)
        return HELLO_NO_NAME;
    if (!cut_string16(&m, &extensions) || m.n > 0)
        return HELLO_BAD;
    return read_extensions(extensions, ret);
}

enum tls_hello tls_hello_read(struct bytes text, struct host *ret)
{
    char buf[LIMIT_HELLO];
    struct bytes message;
    bool cut = text.n >= LIMIT_HELLO;
    text.n = MIN_OF(text.n, (size_t)LIMIT_HELLO);
    enum tls_hello r = gather(text, buf, &message);
    if (r == HELLO_MORE && cut)
        return HELLO_BAD;
    return r == HELLO_NAME ? read_message(message, ret) : r;
}

/*
 * What both sides of HTTP/2 need: fields as nghttp2 has them, bytes in and out. Windows are given
 * back when bytes leave our queues, so that a slow side slows the other down.
 */
#ifndef BAWN_INTERCEPT_H2_H
#define BAWN_INTERCEPT_H2_H

#include "intercept/intercept.h"

#define NV_MOST (LIMIT_FIELDS + 8)

struct nv_list {
    nghttp2_nv v[NV_MOST];
    size_t n;
};

void nv_add(struct nv_list *l, const char *name, const char *value, size_t n);
/* Those of F but the connection's; their names become lower case. The secret ones of S are told to
 * be kept out of compression. */
void nv_add_fields(struct nv_list *l, const struct session *s, struct fields *f);
/* BUF holds the digits as long as L does. */
void nv_add_length(struct nv_list *l, uint64_t n, char buf[24]);

/* Is it a field of HTTP/1's connections? (Some of them nghttp2 refuses by itself.) */
bool h2_is_hop(struct bytes name);
bool h2_read_length(struct bytes value, uint64_t *ret);
/* Feeds what came. < 0: the other side does not keep to the protocol. Sets *moved. */
int h2_feed(nghttp2_session *h2, struct link *l, bool *moved);
/* Takes what is to go, as far as there is room. */
int h2_drain(nghttp2_session *h2, struct link *l, bool *moved);
/* The settings that both sides begin with. */
bool h2_begin(nghttp2_session *h2, bool server);
/* Lets the other side send N bytes more, of which UNACKED counts what it was not told yet. */
bool h2_credit(nghttp2_session *h2, int32_t stream, size_t *unacked, size_t waiting);

#endif

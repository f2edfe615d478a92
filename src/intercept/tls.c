/*
 * The two sides' TLS. Towards clients: a leaf for the host that was connected to, and no other name
 * in the ClientHello. Towards servers: full verification against the system's roots, the name
 * included, nothing below TLS 1.2. No session is resumed: a ticket could carry one host's session
 * to another.
 */
#include "intercept/intercept.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#define BOTH "\x02h2\x08http/1.1"
#define H1   "\x08http/1.1"

static const unsigned char both[] = BOTH, only_h1[] = H1;

/* ---- clients ---- */

/* Called with and without a name in the ClientHello. */
static int check_name(SSL *ssl, int *alert, void *unused)
{
    struct session *s = SSL_get_app_data(ssl);
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    const struct host *target = &s->target.host;
    struct host said;
    (void)unused;
    bool fine = name ? host_parse(bytes_of(name), &said) == HOST_FINE &&
                           said.kind == target->kind && str_eq(said.name, target->name)
                     : target->kind == HOST_ADDRESS;
    if (fine)
        return SSL_TLSEXT_ERR_OK;
    s->names_differ = true;
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int give_certificate(SSL *ssl, void *unused)
{
    struct session *s = SSL_get_app_data(ssl);
    struct ca *ca = s->intercept->ca;
    X509 *leaf = ca_leaf(ca, &s->target.host);
    (void)unused;
    return leaf && SSL_use_certificate(ssl, leaf) == 1 &&
           SSL_use_PrivateKey(ssl, ca_leaf_key(ca)) == 1;
}

static int choose_protocol(SSL *ssl, const unsigned char **ret, unsigned char *ret_n,
                           const unsigned char *offered, unsigned n, void *unused)
{
    unsigned char *chosen;
    (void)ssl;
    (void)unused;
    if (SSL_select_next_proto(&chosen, ret_n, both, sizeof(both) - 1, offered, n) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *ret = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static bool common(SSL_CTX *c)
{
    SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(c, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(c, 1);
    SSL_CTX_set_default_read_buffer_len(c, 32768);
    return SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) == 1;
}

static bool open_to_clients(struct intercept *ic)
{
    SSL_CTX *c = ic->to_clients = SSL_CTX_new(TLS_server_method());
    if (!c || !common(c) || SSL_CTX_set_num_tickets(c, 0) != 1)
        return false;
    SSL_CTX_set_tlsext_servername_callback(c, check_name);
    SSL_CTX_set_cert_cb(c, give_certificate, NULL);
    SSL_CTX_set_alpn_select_cb(c, choose_protocol, NULL);
    return true;
}

SSL *tls_for_client(struct session *s)
{
    SSL *ssl = SSL_new(s->intercept->to_clients);
    if (ssl) {
        SSL_set_app_data(ssl, s);
        SSL_set_accept_state(ssl);
    }
    return ssl;
}

/* ---- servers ---- */

static bool load(SSL_CTX *c, const char *file)
{
    return SSL_CTX_load_verify_file(c, file) == 1;
}

/* All at the start: no file is opened later. */
static int load_roots(struct intercept *ic, struct error *err)
{
    const struct intercept_settings *s = &ic->settings;
    for (size_t i = 0; i < s->n_root_files; i++)
        if (!load(ic->to_servers, s->root_files[i]))
            return error_set(err, -EIO, "cannot read certificates from %s", show(s->root_files[i]));
    for (size_t i = 0; s->n_root_files == 0 && trust_root_files[i]; i++)
        if (access(trust_root_files[i], R_OK) == 0 && load(ic->to_servers, trust_root_files[i]))
            return 0;
    if (s->n_root_files)
        return 0;
    (void)error_set(err, -ENOENT, "the system has no roots that servers can be verified against");
    error_hint(err, "install the package ca-certificates");
    return -ENOENT;
}

int tls_open(struct intercept *ic, struct error *err)
{
    /* No configuration file: it could load modules, and weaken what is said here. */
    if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1 || !open_to_clients(ic))
        return error_set(err, -EIO, "cannot set TLS up");
    SSL_CTX *c = ic->to_servers = SSL_CTX_new(TLS_client_method());
    if (!c || !common(c))
        return error_set(err, -EIO, "cannot set TLS up");
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER, NULL);
    return load_roots(ic, err);
}

void tls_close(struct intercept *ic)
{
    SSL_CTX_free(ic->to_clients);
    SSL_CTX_free(ic->to_servers);
    ic->to_clients = ic->to_servers = NULL;
}

static bool expect_name(SSL *ssl, const struct host *h)
{
    X509_VERIFY_PARAM *p = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                           X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (h->kind == HOST_ADDRESS)
        return X509_VERIFY_PARAM_set1_ip(p, h->address.b, h->address.family == ADDRESS_V4 ? 4 : 16);
    return X509_VERIFY_PARAM_set1_host(p, h->name, h->n) == 1 &&
           SSL_set_tlsext_host_name(ssl, h->name) == 1;
}

static SSL *connecting(struct intercept *ic, const struct host *host, bool h1)
{
    SSL *ssl = SSL_new(ic->to_servers);
    const unsigned char *protocols = h1 ? only_h1 : both;
    unsigned n = h1 ? sizeof(only_h1) - 1 : sizeof(both) - 1;
    if (!ssl || !expect_name(ssl, host) || SSL_set_alpn_protos(ssl, protocols, n) != 0) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_connect_state(ssl);
    return ssl;
}

SSL *tls_for_server(struct session *s, struct server *v)
{
    return connecting(s->intercept, &s->target.host, v->only_h1);
}

SSL *tls_for_relay(struct intercept *ic, const struct host *host)
{
    return connecting(ic, host, true);
}

/*
 * A CA that lives as long as the run. Its key and the leaves' key are P-256, made at the start, in
 * memory only. All leaves share one key: each session is with this process, whatever the name.
 *
 * A leaf holds from an hour ago (clocks) for a day at most, and is made anew an hour before its
 * end.
 */
#include "intercept/intercept.h"

#include <errno.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <time.h>

#define HOUR          3600L
#define LEAF_SECONDS  (23 * HOUR)
#define CA_SECONDS    (30 * 24 * HOUR)
#define LEAF_BUCKETS  256u
#define COMMON_NAME_N 64u

struct leaf {
    struct leaf *next;
    X509 *certificate;
    time_t until;
    char name[HOST_NAME_MAX_BYTES + 1];
};

struct ca {
    EVP_PKEY *key, *leaf_key;
    X509 *certificate;
    struct leaf *leaves[LEAF_BUCKETS];
    size_t n_leaves;
};

static bool add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool fine = e && X509_add_ext(x, e, -1) == 1;
    X509_EXTENSION_free(e);
    return fine;
}

static bool set_serial(X509 *x)
{
    unsigned char random[16];
    BIGNUM *n =
        RAND_bytes(random, sizeof(random)) == 1 ? BN_bin2bn(random, sizeof(random), NULL) : NULL;
    /* positive, and never zero */
    bool fine = n && BN_clear_bit(n, 127) >= 0 && BN_set_bit(n, 126) == 1 &&
                BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL;
    BN_free(n);
    return fine;
}

static bool set_name(X509_NAME *name, int nid, const char *text)
{
    return X509_NAME_add_entry_by_NID(name, nid, MBSTRING_ASC, (const unsigned char *)text, -1, -1,
                                      0) == 1;
}

static X509 *begin_certificate(EVP_PKEY *key, long seconds)
{
    X509 *x = X509_new();
    if (x && X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) &&
        X509_gmtime_adj(X509_getm_notBefore(x), -HOUR) &&
        X509_gmtime_adj(X509_getm_notAfter(x), seconds) && X509_set_pubkey(x, key) == 1)
        return x;
    X509_free(x);
    return NULL;
}

/* Two runs have CAs of different names: a program that was told of both can tell them apart. */
static X509 *make_ca(EVP_PKEY *key)
{
    unsigned char random[8];
    char name[64];
    size_t n = (size_t)snprintf(name, sizeof(name), "bawn CA of one run ");
    X509 *x = begin_certificate(key, CA_SECONDS);
    if (!x || RAND_bytes(random, sizeof(random)) != 1) {
        X509_free(x);
        return NULL;
    }
    for (size_t i = 0; i < sizeof(random); i++, n += 2)
        (void)snprintf(name + n, sizeof(name) - n, "%02x", random[i]);
    X509_NAME *subject = X509_get_subject_name(x);
    if (set_name(subject, NID_organizationName, "bawn") &&
        set_name(subject, NID_commonName, name) && X509_set_issuer_name(x, subject) == 1 &&
        add_extension(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
        add_extension(x, x, NID_key_usage, "critical,keyCertSign,cRLSign") &&
        add_extension(x, x, NID_subject_key_identifier, "hash") &&
        add_extension(x, x, NID_authority_key_identifier, "keyid:always") &&
        X509_sign(x, key, EVP_sha256()) > 0)
        return x;
    X509_free(x);
    return NULL;
}

/* A host's name has letters, digits, hyphens, underscores and dots; an address hexadecimal digits,
 * colons and dots: nothing that the text of an extension would read in its own way. */
static X509 *make_leaf(const struct ca *ca, const struct host *host)
{
    char names[HOST_NAME_MAX_BYTES + 32];
    bool address = host->kind == HOST_ADDRESS, named = host->n <= COMMON_NAME_N;
    X509 *x = begin_certificate(ca->leaf_key, LEAF_SECONDS);
    (void)snprintf(names, sizeof(names), "%s%s:%s", named ? "" : "critical,",
                   address ? "IP" : "DNS", host->name);
    if (x && (!named || set_name(X509_get_subject_name(x), NID_commonName, host->name)) &&
        X509_set_issuer_name(x, X509_get_subject_name(ca->certificate)) == 1 &&
        add_extension(x, ca->certificate, NID_basic_constraints, "critical,CA:FALSE") &&
        add_extension(x, ca->certificate, NID_key_usage, "critical,digitalSignature") &&
        add_extension(x, ca->certificate, NID_ext_key_usage, "serverAuth") &&
        add_extension(x, ca->certificate, NID_subject_key_identifier, "hash") &&
        add_extension(x, ca->certificate, NID_authority_key_identifier, "keyid:always") &&
        add_extension(x, ca->certificate, NID_subject_alt_name, names) &&
        X509_sign(x, ca->key, EVP_sha256()) > 0)
        return x;
    X509_free(x);
    return NULL;
}

int ca_new(struct ca **ret, struct error *err)
{
    struct ca *ca = mem_zalloc(1, sizeof(*ca));
    if (ca) {
        ca->key = EVP_EC_gen("P-256");
        ca->leaf_key = EVP_EC_gen("P-256");
        ca->certificate = ca->key && ca->leaf_key ? make_ca(ca->key) : NULL;
    }
    if (!ca || !ca->certificate) {
        ca_free(ca);
        return error_set(err, -EIO, "cannot make the certificate of this run");
    }
    *ret = ca;
    return 0;
}

static void drop_leaves(struct ca *ca)
{
    for (size_t i = 0; i < LEAF_BUCKETS; i++)
        while (ca->leaves[i]) {
            struct leaf *l = ca->leaves[i];
            ca->leaves[i] = l->next;
            X509_free(l->certificate);
            mem_free(l);
        }
    ca->n_leaves = 0;
}

void ca_free(struct ca *ca)
{
    if (!ca)
        return;
    drop_leaves(ca);
    X509_free(ca->certificate);
    EVP_PKEY_free(ca->key);
    EVP_PKEY_free(ca->leaf_key);
    mem_free(ca);
}

int ca_pem(const struct ca *ca, struct strbuf *out)
{
    BIO *b = BIO_new(BIO_s_mem());
    char *p;
    int r = b && PEM_write_bio_X509(b, ca->certificate) == 1 ? 0 : -ENOMEM;
    if (r == 0) {
        long n = BIO_get_mem_data(b, &p);
        strbuf_put(out, p, (size_t)n);
        r = strbuf_failed(out) ? -ENOMEM : 0;
    }
    BIO_free(b);
    return r;
}

static struct leaf **bucket_of(struct ca *ca, const struct host *host)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < host->n; i++)
        h = (h ^ (uint8_t)host->name[i]) * 16777619u;
    return &ca->leaves[h % LEAF_BUCKETS];
}

X509 *ca_leaf(struct ca *ca, const struct host *host)
{
    time_t now = time(NULL);
    struct leaf **at = bucket_of(ca, host), *l = *at;
    while (l && !str_eq(l->name, host->name))
        l = l->next;
    if (l && l->until > now)
        return l->certificate;
    X509 *x = make_leaf(ca, host);
    if (!x)
        return NULL;
    if (!l) {
        if (ca->n_leaves == LEAVES_MOST)
            drop_leaves(ca);
        l = mem_zalloc(1, sizeof(*l));
        if (!l) {
            X509_free(x);
            return NULL;
        }
        memcpy(l->name, host->name, host->n + 1u);
        l->next = *at;
        *at = l;
        ca->n_leaves++;
    }
    X509_free(l->certificate);
    l->certificate = x;
    l->until = now + LEAF_SECONDS - HOUR;
    return x;
}

EVP_PKEY *ca_leaf_key(const struct ca *ca)
{
    return ca->leaf_key;
}

X509 *ca_certificate(const struct ca *ca)
{
    return ca->certificate;
}

/*
 * Where roots are, and what makes programs take others. Sources: the manual pages of the programs
 * named, and where distributions put their bundle (Debian and Alpine; Fedora and kin; SUSE;
 * others).
 */
#include "intercept/settings.h"

const char *const trust_root_files[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/ca-certificates/extracted/tls-ca-bundle.pem",
    "/run/current-system/profile/etc/ssl/certs/ca-certificates.crt",
    NULL,
};

const struct trust_variable trust_variables[] = {
    {"SSL_CERT_FILE", false, "OpenSSL's programs, Go, Ruby, Rust's native roots, uv"},
    {"CURL_CA_BUNDLE", false, "curl"},
    {"REQUESTS_CA_BUNDLE", false, "Python's requests"},
    {"PIP_CERT", false, "pip"},
    {"GIT_SSL_CAINFO", false, "git"},
    {"CARGO_HTTP_CAINFO", false, "cargo"},
    {"NODE_EXTRA_CA_CERTS", true, "Node.js"},
    {"npm_config_cafile", false, "npm, pnpm"},
    {"YARN_HTTPS_CA_FILE_PATH", false, "yarn"},
    {"AWS_CA_BUNDLE", false, "the AWS tools"},
    {"CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", false, "the Cloud SDK"},
    {"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", false, "gRPC"},
    {"BUNDLE_SSL_CA_CERT", false, "bundler"},
    {"COMPOSER_CAFILE", false, "composer"},
    {"HTTPLIB2_CA_CERTS", false, "Python's httplib2"},
    {"HEX_CACERTS_PATH", false, "hex"},
    {"NIX_SSL_CERT_FILE", false, "nix"},
    {"DENO_CERT", true, "deno"},
    {"PERL_LWP_SSL_CA_FILE", false, "Perl's LWP"},
};
const size_t n_trust_variables = ARRAY_LEN(trust_variables);

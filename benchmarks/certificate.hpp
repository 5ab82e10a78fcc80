// SPDX-License-Identifier: BSL-1.0
// A certificate of the sink's own, made when it starts: nothing that expires lies in the tree.
#pragma once

#include "byte_stream.hpp"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>
#include <string>

namespace bench {

/// A server's context with a fresh key and a certificate for localhost and 127.0.0.1 that it signed itself, valid for a
/// week; the certificate is written to `ca_file`, for clients to trust.
inline tls_context make_server_context(const std::string& ca_file) {
    struct deleter {
        void operator()(EVP_PKEY* p) const noexcept { EVP_PKEY_free(p); }
        void operator()(X509* p) const noexcept { X509_free(p); }
        void operator()(X509_EXTENSION* p) const noexcept { X509_EXTENSION_free(p); }
        void operator()(std::FILE* p) const noexcept { std::fclose(p); }
    };
    const auto need = [](bool done, const char* what) {
        if (!done) fail(std::string("the certificate cannot be made: ") + what);
    };

    const std::unique_ptr<EVP_PKEY, deleter> key(EVP_EC_gen("P-256"));
    need(key != nullptr, "key");
    const std::unique_ptr<X509, deleter> certificate(X509_new());
    need(certificate != nullptr, "memory");
    X509_set_version(certificate.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 7L * 24 * 3600);
    X509_NAME* const name = X509_get_subject_name(certificate.get());
    const auto* common = reinterpret_cast<const unsigned char*>("sluice benchmark");
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common, -1, -1, 0);
    X509_set_issuer_name(certificate.get(), name);
    X509_set_pubkey(certificate.get(), key.get());

    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate.get(), certificate.get(), nullptr, nullptr, 0);
    const auto extend = [&](int id, const char* value) {
        const std::unique_ptr<X509_EXTENSION, deleter> e(X509V3_EXT_conf_nid(nullptr, &context, id, value));
        need(e && X509_add_ext(certificate.get(), e.get(), -1) == 1, value);
    };
    extend(NID_basic_constraints, "critical,CA:TRUE");
    extend(NID_subject_key_identifier, "hash");
    extend(NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    need(X509_sign(certificate.get(), key.get(), EVP_sha256()) != 0, "signature");

    {
        const std::unique_ptr<std::FILE, deleter> file(std::fopen(ca_file.c_str(), "w"));
        need(file && PEM_write_X509(file.get(), certificate.get()) == 1 && std::fflush(file.get()) == 0,
             ca_file.c_str());
    }
    tls_context server = make_tls_context(TLS_server_method());
    need(SSL_CTX_use_certificate(server.get(), certificate.get()) == 1, "use");
    need(SSL_CTX_use_PrivateKey(server.get(), key.get()) == 1, "use of the key");
    return server;
}

} // namespace bench

// SPDX-License-Identifier: BSL-1.0
// A certificate for the machine itself, made at start: nothing secret is ever stored, and none can expire in a
// repository.
#pragma once

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

struct certificate {
    std::string pem{}; ///< also what a client has to trust
    std::string key_pem{};
};

template <auto Free>
struct openssl_free {
    template <class T>
    void operator()(T* p) const noexcept {
        Free(p);
    }
};

/// Self-signed, EC P-256, for localhost, api-localhost (the vendor's SDKs), 127.0.0.1 and ::1, good for a day (and an
/// hour back, for clocks that differ). Throws `std::runtime_error` if OpenSSL cannot.
inline certificate make_certificate() {
    const auto check = [](bool good) {
        if (!good) throw std::runtime_error("sluice::testing: OpenSSL cannot make a certificate");
    };
    const std::unique_ptr<EVP_PKEY, openssl_free<EVP_PKEY_free>> key(EVP_EC_gen("P-256"));
    const std::unique_ptr<X509, openssl_free<X509_free>> x509(X509_new());
    check(key != nullptr && x509 != nullptr);
    X509* const x = x509.get();
    check(X509_set_version(x, X509_VERSION_3) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1);
    check(X509_gmtime_adj(X509_getm_notBefore(x), -3600) != nullptr &&
          X509_gmtime_adj(X509_getm_notAfter(x), 24 * 3600) != nullptr);
    check(X509_set_pubkey(x, key.get()) == 1);
    X509_NAME* const name = X509_get_subject_name(x);
    check(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("localhost"), -1,
                                     -1, 0) == 1);
    check(X509_set_issuer_name(x, name) == 1);
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, x, x, nullptr, nullptr, 0);
    const auto extend = [&](int nid, const char* value) {
        const std::unique_ptr<X509_EXTENSION, openssl_free<X509_EXTENSION_free>> extension(
            X509V3_EXT_conf_nid(nullptr, &context, nid, value));
        check(extension != nullptr && X509_add_ext(x, extension.get(), -1) == 1);
    };
    extend(NID_subject_key_identifier, "hash");
    extend(NID_basic_constraints, "critical,CA:TRUE");
    extend(NID_key_usage, "critical,digitalSignature,keyCertSign");
    extend(NID_ext_key_usage, "serverAuth");
    extend(NID_subject_alt_name, "DNS:localhost,DNS:api-localhost,IP:127.0.0.1,IP:::1");
    check(X509_sign(x, key.get(), EVP_sha256()) > 0);

    using bio = std::unique_ptr<BIO, openssl_free<BIO_free_all>>;
    const auto text = [&](const bio& from) {
        char* data = nullptr;
        const long size = BIO_get_mem_data(from.get(), &data);
        check(size > 0);
        return std::string(data, static_cast<std::size_t>(size));
    };
    const bio pem(BIO_new(BIO_s_mem())), key_pem(BIO_new(BIO_s_mem()));
    check(pem != nullptr && key_pem != nullptr);
    check(PEM_write_bio_X509(pem.get(), x) == 1);
    check(PEM_write_bio_PrivateKey(key_pem.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
    return {text(pem), text(key_pem)};
}

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice

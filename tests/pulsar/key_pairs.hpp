// SPDX-License-Identifier: BSL-1.0
// Keys for tests, made when they are first asked for: none is stored in the repository.
#pragma once

#include <sluice/pulsar/openssl_handle.hpp>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <doctest/doctest.h>

#include <cstddef>
#include <string>

namespace test {

using sluice::pulsar::detail::bio_handle;
using sluice::pulsar::detail::pkey_handle;

inline std::string text_of(const bio_handle& bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    return {data, static_cast<std::size_t>(size)};
}

/// What `write` makes of a key: `PEM_write_bio_PUBKEY` and its like.
template <class Write>
std::string pem_of(const Write& write) {
    const bio_handle bio(BIO_new(BIO_s_mem()));
    REQUIRE(write(bio.get()) == 1);
    return text_of(bio);
}

struct key_pair {
    explicit key_pair(EVP_PKEY* made) : key(made) {
        REQUIRE(key != nullptr);
        public_pem = pem_of([&](BIO* out) { return PEM_write_bio_PUBKEY(out, key.get()); });
        private_pem = pem_of(
            [&](BIO* out) { return PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
    }

    /// PKCS#1, `RSA PUBLIC KEY`.
    std::string pkcs1_public() const {
        return pem_of([&](BIO* out) {
            unsigned char* der = nullptr;
            const int size = i2d_PublicKey(key.get(), &der);
            const int written = size > 0 ? PEM_write_bio(out, "RSA PUBLIC KEY", "", der, size) : 0;
            OPENSSL_free(der);
            return written > 0 ? 1 : 0;
        });
    }
    /// PKCS#1, `RSA PRIVATE KEY`, or SEC 1, `EC PRIVATE KEY`.
    std::string traditional_private() const {
        return pem_of([&](BIO* out) {
            return PEM_write_bio_PrivateKey_traditional(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
        });
    }
    std::string encrypted_private() const {
        return pem_of([&](BIO* out) {
            const unsigned char word[] = "secret";
            return PEM_write_bio_PKCS8PrivateKey(out, key.get(), EVP_aes_256_cbc(), reinterpret_cast<const char*>(word),
                                                 6, nullptr, nullptr);
        });
    }

    pkey_handle key;
    std::string public_pem{};
    std::string private_pem{};
};

inline const key_pair& alice() {
    static const key_pair pair(EVP_RSA_gen(2048));
    return pair;
}
inline const key_pair& bob() {
    static const key_pair pair(EVP_RSA_gen(3072));
    return pair;
}
inline const key_pair& short_rsa() {
    static const key_pair pair(EVP_RSA_gen(1024));
    return pair;
}
inline const key_pair& elliptic() {
    static const key_pair pair(EVP_EC_gen("P-256"));
    return pair;
}

/// For signatures alone.
inline const key_pair& rsa_pss() {
    static const key_pair pair([] {
        const sluice::pulsar::detail::pkey_context context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA-PSS", nullptr));
        EVP_PKEY* key = nullptr;
        REQUIRE(EVP_PKEY_keygen_init(context.get()) == 1);
        REQUIRE(EVP_PKEY_keygen(context.get(), &key) == 1);
        return key;
    }());
    return pair;
}

/// Alice's modulus, or the even number below it, with another public exponent.
inline std::string rsa_public(unsigned long exponent, bool even_modulus = false) {
    using namespace sluice::pulsar::detail;
    BIGNUM* n = nullptr;
    REQUIRE(EVP_PKEY_get_bn_param(alice().key.get(), OSSL_PKEY_PARAM_RSA_N, &n) == 1);
    const bn_handle modulus(n), e(BN_new());
    if (even_modulus) REQUIRE(BN_sub_word(n, 1) == 1);
    REQUIRE(BN_set_word(e.get(), exponent) == 1);
    const std::unique_ptr<OSSL_PARAM_BLD, free_by<OSSL_PARAM_BLD_free>> build(OSSL_PARAM_BLD_new());
    REQUIRE(OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_N, n) == 1);
    REQUIRE(OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) == 1);
    const std::unique_ptr<OSSL_PARAM, free_by<OSSL_PARAM_free>> parameters(OSSL_PARAM_BLD_to_param(build.get()));
    const pkey_context context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
    EVP_PKEY* key = nullptr;
    REQUIRE(EVP_PKEY_fromdata_init(context.get()) == 1);
    REQUIRE(EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) == 1);
    const pkey_handle owner(key);
    return pem_of([&](BIO* out) { return PEM_write_bio_PUBKEY(out, key); });
}

/// A PEM block of any label and content.
inline std::string pem_block(const char* label, const std::string& der) {
    return pem_of([&](BIO* out) {
        return PEM_write_bio(out, label, "", reinterpret_cast<const unsigned char*>(der.data()),
                             static_cast<long>(der.size())) > 0
                   ? 1
                   : 0;
    });
}

/// Self-signed by its key.
inline std::string certificate_of(const key_pair& pair) {
    using namespace sluice::pulsar::detail;
    const std::unique_ptr<X509, free_by<X509_free>> x(X509_new());
    REQUIRE(X509_set_pubkey(x.get(), pair.key.get()) == 1);
    REQUIRE(X509_sign(x.get(), pair.key.get(), EVP_sha256()) > 0);
    return pem_of([&](BIO* out) { return PEM_write_bio_X509(out, x.get()); });
}

} // namespace test

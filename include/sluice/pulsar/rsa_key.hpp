// SPDX-License-Identifier: BSL-1.0
// RSA keys from PEM text (RFC 7468), and RSAES-OAEP with them (RFC 8017 section 7.1).
#pragma once

#include <sluice/pulsar/openssl_handle.hpp>
#include <sluice/web/bytes.hpp>

#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace pulsar {

/// Fewer bits are refused: NIST SP 800-131A has not allowed them since 2014.
inline constexpr int shortest_rsa_key = 2048;

/// A key, or what is wrong with the text. `wrong` never quotes the text.
struct parsed_key {
    detail::pkey_handle key{};
    std::string wrong{};
};

namespace detail {

/// The first block of a PEM text. What it holds may be secret.
class pem_block {
public:
    explicit pem_block(std::string_view pem) {
        if (pem.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) return;
        const bio_handle in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
        if (in && PEM_read_bio(in.get(), &label_, &header_, &data_, &size_) != 1) size_ = 0;
    }
    pem_block(const pem_block&) = delete;
    pem_block& operator=(const pem_block&) = delete;
    ~pem_block() {
        OPENSSL_free(label_);
        OPENSSL_free(header_);
        OPENSSL_clear_free(data_, static_cast<std::size_t>(size_));
    }

    explicit operator bool() const noexcept { return data_ != nullptr; }
    std::string_view label() const noexcept { return label_; }
    const unsigned char* data() const noexcept { return data_; }
    long size() const noexcept { return size_; }

private:
    char* label_ = nullptr;
    char* header_ = nullptr;
    unsigned char* data_ = nullptr;
    long size_ = 0;
};

/// Labels that are known and not meant, told apart for who took the wrong file; empty for any other.
inline std::string_view not_a_public_key(std::string_view label) noexcept {
    if (label.ends_with("PRIVATE KEY"))
        return "is a private key, which only consumers may have: the public key is needed";
    if (label == "CERTIFICATE" || label == "TRUSTED CERTIFICATE" || label == "X509 CERTIFICATE")
        return "is a certificate: the public key in it is needed";
    if (label == "EC PARAMETERS") return "is an elliptic curve: an RSA key is needed";
    return {};
}

/// A modulus or an exponent with which nothing would be hidden; empty if they will do.
inline std::string_view useless_rsa(const EVP_PKEY* key) {
    BIGNUM *n = nullptr, *e = nullptr;
    EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n);
    EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e);
    const bn_handle modulus(n), exponent(e);
    if (!modulus || BN_is_odd(n) == 0) return "has an even modulus";
    if (!exponent || BN_is_odd(e) == 0 || BN_is_one(e) != 0) return "has a public exponent that is 1 or even";
    return {};
}

/// What keeps a key from being used; empty if nothing does.
inline std::string wrong_rsa(const EVP_PKEY* key) {
    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) {
        const char* const name = EVP_PKEY_get0_type_name(key);
        return std::string("is a key of type ") + (name != nullptr ? name : "unknown") + ": RSA is needed";
    }
    if (const int bits = EVP_PKEY_get_bits(key); bits < shortest_rsa_key)
        return "is an RSA key of " + std::to_string(bits) + " bits: " + std::to_string(shortest_rsa_key) +
               " or more are needed";
    if (const std::string_view why = useless_rsa(key); !why.empty())
        return "is no usable RSA key: it " + std::string(why);
    return {};
}

/// `EVP_PKEY_CTX` for OAEP with SHA-1 and MGF1 with SHA-1, which is what Pulsar's clients unwrap (and where SHA-1's
/// collisions do no harm). Null if OpenSSL does not offer it.
inline pkey_context oaep_context(EVP_PKEY* key, int (*init)(EVP_PKEY_CTX*)) {
    pkey_context context(EVP_PKEY_CTX_new(key, nullptr));
    if (!context || init(context.get()) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_OAEP_PADDING) != 1 ||
        EVP_PKEY_CTX_set_rsa_oaep_md(context.get(), EVP_sha1()) != 1 ||
        EVP_PKEY_CTX_set_rsa_mgf1_md(context.get(), EVP_sha1()) != 1)
        context.reset();
    return context;
}

inline const unsigned char* octets(web::bytes_view bytes) noexcept {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

} // namespace detail

/// A public key: `PUBLIC KEY` (X.509 SubjectPublicKeyInfo) or `RSA PUBLIC KEY` (PKCS#1), of at least 2048 bits. Text
/// before the block is skipped, and what follows it is not read.
inline parsed_key parse_public_key(std::string_view pem) {
    const detail::openssl_errors errors;
    const detail::pem_block block(pem);
    if (!block) {
        if (pem.find("-----BEGIN ") == std::string_view::npos)
            return {nullptr, pem.empty() ? "is empty" : "holds no PEM block (-----BEGIN PUBLIC KEY-----)"};
        return {nullptr, "holds a damaged PEM block: " + errors.last()};
    }
    if (const std::string_view why = detail::not_a_public_key(block.label()); !why.empty())
        return {nullptr, std::string(why)};
    const unsigned char* at = block.data();
    detail::pkey_handle key;
    if (block.label() == "PUBLIC KEY")
        key.reset(d2i_PUBKEY(nullptr, &at, block.size()));
    else if (block.label() == "RSA PUBLIC KEY")
        key.reset(d2i_PublicKey(EVP_PKEY_RSA, nullptr, &at, block.size()));
    else
        return {nullptr, "holds another kind of PEM block than PUBLIC KEY or RSA PUBLIC KEY"};
    if (!key) return {nullptr, "holds no key that OpenSSL can read: " + errors.last()};
    if (at != block.data() + block.size()) return {nullptr, "holds bytes behind the key, inside of its PEM block"};
    if (std::string why = detail::wrong_rsa(key.get()); !why.empty()) return {nullptr, std::move(why)};
    return {std::move(key), {}};
}

/// A private key without a passphrase: `PRIVATE KEY` (PKCS#8) or `RSA PRIVATE KEY` (PKCS#1). Nobody is asked for one.
inline parsed_key parse_private_key(std::string_view pem) {
    const detail::openssl_errors errors;
    if (pem.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) return {nullptr, "is too large"};
    const detail::bio_handle in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    const auto no_passphrase = [](char*, int, int, void*) { return -1; };
    detail::pkey_handle key;
    if (in) key.reset(PEM_read_bio_PrivateKey(in.get(), nullptr, no_passphrase, nullptr));
    if (!key) return {nullptr, "holds no private key without a passphrase that OpenSSL can read: " + errors.last()};
    if (std::string why = detail::wrong_rsa(key.get()); !why.empty()) return {nullptr, std::move(why)};
    return {std::move(key), {}};
}

/// RSAES-OAEP encryption; twice the same gives different bytes. Empty, with OpenSSL's reason in `wrong`, if it cannot.
inline std::vector<std::byte> wrap(EVP_PKEY* key, web::bytes_view secret, std::string& wrong) {
    const detail::openssl_errors errors;
    const detail::pkey_context context = detail::oaep_context(key, &EVP_PKEY_encrypt_init);
    std::vector<std::byte> out(static_cast<std::size_t>(EVP_PKEY_get_size(key)));
    std::size_t size = out.size();
    if (!context || EVP_PKEY_encrypt(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size,
                                     detail::octets(secret), secret.size()) != 1) {
        wrong = errors.last();
        return {};
    }
    out.resize(size);
    return out;
}

/// RSAES-OAEP decryption into the front of `out`, which has room for `EVP_PKEY_get_size(key)` bytes. Returns how many
/// bytes the secret has; 0 if it was wrapped for another key or is damaged: which of them is not told apart.
inline std::size_t unwrap(EVP_PKEY* key, web::bytes_view wrapped, std::span<std::byte> out) {
    const detail::openssl_errors errors;
    const detail::pkey_context context = detail::oaep_context(key, &EVP_PKEY_decrypt_init);
    std::size_t size = out.size();
    if (!context || EVP_PKEY_decrypt(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size,
                                     detail::octets(wrapped), wrapped.size()) != 1)
        return 0;
    return size;
}

} // namespace pulsar
} // namespace v1
} // namespace sluice

// SPDX-License-Identifier: BSL-1.0
// The other side of an envelope: who holds a private key gets the data key, and opens messages with it.
#pragma once

#include <sluice/codec.hpp>
#include <sluice/pulsar/envelope.hpp>
#include <sluice/pulsar/rsa_key.hpp>
#include <sluice/pulsar/secret.hpp>

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace pulsar {

/// Opens messages that were sealed under one data key. One object is used by one thread at a time.
class envelope_opener {
public:
    /// Opens nothing: what `make` gives does.
    envelope_opener() noexcept = default;

    /// `wrapped`: the bytes of `keyValue`. `errc::invalid_option` if the private key is not to be used,
    /// `errc::corrupt_data` if the data key was wrapped for another one or is damaged. The caller's text is the
    /// caller's to cleanse.
    static std::pair<failure, envelope_opener> make(std::string_view private_key_pem, web::bytes_view wrapped) {
        std::pair<failure, envelope_opener> made{};
        const parsed_key parsed = parse_private_key(private_key_pem);
        if (!parsed.key) {
            made.first = make_failure(errc::invalid_option, "the private key " + parsed.wrong);
            return made;
        }
        secret_buffer key;
        const std::span<std::byte> room = key.room(static_cast<std::size_t>(EVP_PKEY_get_size(parsed.key.get())));
        if (unwrap(parsed.key.get(), wrapped, room) != data_key_size) {
            made.first = make_failure(errc::corrupt_data, "the data key was not wrapped for this private key");
            return made;
        }
        const detail::openssl_errors errors;
        detail::cipher_context cipher(EVP_CIPHER_CTX_new());
        if (!cipher ||
            EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, detail::octets(room), nullptr) != 1) {
            made.first = make_failure(errc::encryption_failed, "AES-256-GCM: " + errors.last());
            return made;
        }
        made.second.cipher_ = std::move(cipher);
        return made;
    }

    /// `sealed`: ciphertext and tag. Writes 16 bytes less to the front of `out`, which must not overlap.
    /// `errc::output_limit` if `out` is too small; `errc::corrupt_data` if anything was changed, and `out` is cleansed
    /// then: what is not authentic is not for anybody.
    codec_result open(const iv_bytes& iv, web::bytes_view sealed, std::span<std::byte> out) noexcept {
        if (!cipher_) return {errc::closed};
        if (sealed.size() < tag_size || sealed.size() - tag_size > envelope::largest_message)
            return {errc::corrupt_data};
        const web::bytes_view ciphertext = sealed.first(sealed.size() - tag_size), tag = sealed.last(tag_size);
        if (out.size() < ciphertext.size()) return {errc::output_limit};
        if (decrypt(iv, ciphertext, tag, out.data())) return {{}, ciphertext.size()};
        if (!ciphertext.empty()) OPENSSL_cleanse(out.data(), ciphertext.size());
        return {errc::corrupt_data};
    }

private:
    bool decrypt(const iv_bytes& iv, web::bytes_view ciphertext, web::bytes_view tag, std::byte* out) noexcept {
        const detail::openssl_errors errors;
        EVP_CIPHER_CTX* const c = cipher_.get();
        auto* at = reinterpret_cast<unsigned char*>(out);
        if (EVP_DecryptInit_ex(c, nullptr, nullptr, nullptr, reinterpret_cast<const unsigned char*>(iv.data())) != 1)
            return false;
        int n = 0;
        if (!ciphertext.empty()) {
            if (EVP_DecryptUpdate(c, at, &n, detail::octets(ciphertext), static_cast<int>(ciphertext.size())) != 1)
                return false;
            at += n;
        }
        auto* const expected = const_cast<unsigned char*>(detail::octets(tag)); // OpenSSL copies it
        return EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag_size), expected) == 1 &&
               EVP_DecryptFinal_ex(c, at, &n) == 1;
    }

    detail::cipher_context cipher_{};
};

} // namespace pulsar
} // namespace v1
} // namespace sluice

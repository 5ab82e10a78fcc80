// SPDX-License-Identifier: BSL-1.0
// End-to-end encryption of one socket's messages (PIP-290, as Pulsar ships it since 3.2.0): AES-256-GCM (NIST SP
// 800-38D) under a data key of the socket's own, which is wrapped for each recipient.
#pragma once

#include <sluice/error.hpp>
#include <sluice/pulsar/recipient.hpp>
#include <sluice/web/base64.hpp>
#include <sluice/web/json.hpp>
#include <sluice/web/mask.hpp>
#include <sluice/web/url.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace pulsar {

inline constexpr std::size_t data_key_size = 32; ///< AES-256
inline constexpr std::size_t iv_size = 12;       ///< `encryptionParam`, as bytes
inline constexpr std::size_t tag_size = 16;      ///< behind the ciphertext

using iv_bytes = std::array<std::byte, iv_size>;

namespace detail {

/// `{"NAME":{"keyValue":"BASE64","metadata":{"FIELD":"VALUE"}}}`; `metadata` is left out where there is none.
inline void append_wrapped_key(std::string& json, const recipient& to, web::bytes_view wrapped) {
    json += json.empty() ? '{' : ',';
    web::append_json_string(json, to.name);
    json += R"(:{"keyValue":")" + web::base64_encode_string(wrapped) + '"';
    if (!to.metadata.empty()) {
        const char* separator = R"(,"metadata":{)";
        for (const auto& [field, value] : to.metadata) {
            json += std::exchange(separator, ",");
            web::append_json_string(json, field);
            json += ':';
            web::append_json_string(json, value);
        }
        json += '}';
    }
    json += '}';
}

} // namespace detail

/// What `seal` made of a message.
struct seal_result {
    std::error_code ec{};
    std::size_t size = 0; ///< written: ciphertext, then the tag of 16 bytes. No additional data is authenticated
    iv_bytes iv{};        ///< for `encryptionParam`, in base64
};

/// Seals the messages of one socket. The data key is in OpenSSL's cipher context alone, which cleanses it at its end.
///
/// The IV. GCM must never meet the same IV twice under one key. This is the deterministic construction of SP 800-38D,
/// section 8.2.1: a fixed field of 32 bits and an invocation field of 64, a counter that is one higher for each
/// message, modulo 2^64. A message that failed has used its number up. Both start at random; that is not what makes
/// them unique. The counter repeats itself after 2^64 messages, and no key seals more than 2^32; the key belongs to
/// this object, which moves and does not copy, so that nobody else counts under it.
///
/// One object is used by one thread at a time. A message that is sent again over another socket is sealed anew there.
class envelope {
public:
    /// A data key seals so many messages at most, and so many bytes of each.
    static constexpr std::uint64_t most_messages = std::uint64_t{1} << 32;
    static constexpr std::size_t largest_message = (std::size_t{1} << 31) - 64;

    /// Seals nothing: what `make` gives does.
    envelope() noexcept = default;
    envelope(envelope&&) noexcept = default;
    envelope& operator=(envelope&&) noexcept = default;

    /// A fresh data key of `random`'s, wrapped for each of `recipients` (the padding is OpenSSL's own randomness).
    /// `errc::invalid_key` names the key that OpenSSL cannot wrap for; `errc::invalid_option`: there is none. Throws
    /// what `random` throws.
    static std::pair<failure, envelope> make(std::span<const recipient> recipients, web::random_source random,
                                             std::uint64_t limit = most_messages) {
        std::pair<failure, envelope> made{};
        if (recipients.empty()) {
            made.first = make_failure(errc::invalid_option, "encryption keys: nobody could read the messages");
            return made;
        }
        secret_array<data_key_size> key;
        random(key.span());
        std::string json;
        for (const recipient& to : recipients) {
            std::string wrong;
            const std::vector<std::byte> wrapped = wrap(to.key.get(), key.span(), wrong);
            if (wrapped.empty()) {
                made.first = make_failure(errc::invalid_key, "encryption key " + sluice::detail::in_quotes(to.name) +
                                                                 ": OpenSSL cannot encrypt with it: " + wrong);
                return made;
            }
            detail::append_wrapped_key(json, to, wrapped);
        }
        json += '}';
        const detail::openssl_errors errors;
        detail::cipher_context cipher(EVP_CIPHER_CTX_new());
        if (!cipher || EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.octets(), nullptr) != 1) {
            made.first = make_failure(errc::encryption_failed, "AES-256-GCM: " + errors.last());
            return made;
        }
        envelope& e = made.second;
        random(e.iv_);
        e.counter_ = web::load_big_endian<std::uint64_t>(e.iv_.data() + fixed_size);
        e.limit_ = std::min(limit, most_messages);
        // The alphabet has `+`, which a server reads as a blank: it must not stand there as it is.
        e.url_parameter_ = "encryptionKeys=" + web::percent_encode(web::base64_encode_string(web::as_bytes(json)));
        e.cipher_ = std::move(cipher);
        return made;
    }

    /// `encryptionKeys=...`, ready for the query of the socket's path. Some 510 characters for a key of 2048 bits, 960
    /// for one of 4096; Jetty takes 8 KiB of request header, unless it is told otherwise.
    const std::string& url_parameter() const noexcept { return url_parameter_; }

    static constexpr std::size_t sealed_size(std::size_t plaintext) noexcept { return plaintext + tag_size; }

    /// Writes `sealed_size(plaintext.size())` bytes to the front of `out`, which must not overlap `plaintext`.
    /// `errc::closed` if the envelope is exhausted, `errc::too_large`, `errc::output_limit` if `out` is too small;
    /// `errc::encryption_failed`, after which there is nothing to send. Allocates nothing.
    seal_result seal(web::bytes_view plaintext, std::span<std::byte> out) noexcept {
        seal_result result;
        if (exhausted()) {
            result.ec = errc::closed;
        } else if (plaintext.size() > largest_message) {
            result.ec = errc::too_large;
        } else if (out.size() < sealed_size(plaintext.size())) {
            result.ec = errc::output_limit;
        } else {
            web::store_big_endian(iv_.data() + fixed_size, counter_++);
            ++count_;
            result.iv = iv_;
            if (encrypt(plaintext, out.data()))
                result.size = sealed_size(plaintext.size());
            else
                result.ec = errc::encryption_failed;
        }
        return result;
    }

    /// Messages under this data key, those that failed included.
    std::uint64_t count() const noexcept { return count_; }
    /// The socket has to be opened anew, with another envelope.
    bool exhausted() const noexcept { return !cipher_ || count_ >= limit_; }

private:
    static constexpr std::size_t fixed_size = 4;

    bool encrypt(web::bytes_view plaintext, std::byte* out) noexcept {
        const detail::openssl_errors errors;
        EVP_CIPHER_CTX* const c = cipher_.get();
        auto* at = reinterpret_cast<unsigned char*>(out);
        const auto* const iv = reinterpret_cast<const unsigned char*>(iv_.data());
        // The IV alone: the key schedule of `make` is kept.
        if (EVP_EncryptInit_ex(c, nullptr, nullptr, nullptr, iv) != 1) return false;
        int n = 0;
        if (!plaintext.empty()) {
            if (EVP_EncryptUpdate(c, at, &n, detail::octets(plaintext), static_cast<int>(plaintext.size())) != 1)
                return false;
            at += n;
        }
        return EVP_EncryptFinal_ex(c, at, &n) == 1 &&
               EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(tag_size), at) == 1;
    }

    detail::cipher_context cipher_{};
    iv_bytes iv_{};
    std::uint64_t counter_ = 0; ///< of the next message's IV
    std::uint64_t count_ = 0;
    std::uint64_t limit_ = 0;
    std::string url_parameter_{};
};

} // namespace pulsar
} // namespace v1
} // namespace sluice

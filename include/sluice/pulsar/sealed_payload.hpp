// SPDX-License-Identifier: BSL-1.0
// A payload on its way into an end-to-end encrypted frame: compressed, then sealed, and the members that say so.
#pragma once

#include <sluice/codec.hpp>
#include <sluice/pulsar/compressor.hpp>
#include <sluice/pulsar/envelope.hpp>
#include <sluice/pulsar/secret.hpp>
#include <sluice/web/base64.hpp>
#include <sluice/web/bytes.hpp>

#include <charconv>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace pulsar {

/// A payload as it goes into the frame, and what its message says of it.
struct sealed_payload {
    std::error_code ec{};
    web::bytes_view bytes{}; ///< for `payload`, in base64: valid until the sealer's next call
    iv_bytes iv{};
    compression_type compression = compression_type::none;
    std::size_t uncompressed_size = 0; ///< said where `compression` is not none

    /// Characters of `,"encryptionParam":"..."`, with `,"compressionType":"...","uncompressedMessageSize":N` before it
    /// where the payload is compressed: both or neither, says the proxy.
    std::size_t members_size() const noexcept {
        std::size_t n = param.size() + web::base64_size(iv_size) + 1;
        if (compression != compression_type::none)
            n += type.size() + to_string(compression).size() + size.size() + digits().size;
        return n;
    }
    /// Writes `members_size()` characters; returns the end.
    char* put_members(char* out) const noexcept {
        const auto put = [&](std::string_view text) {
            out = static_cast<char*>(std::memcpy(out, text.data(), text.size())) + text.size();
        };
        if (compression != compression_type::none) {
            const decimal n = digits();
            put(type);
            put(to_string(compression));
            put(size);
            put({n.text, n.size});
        }
        put(param);
        out = web::base64_encode(iv, out);
        *out++ = '"';
        return out;
    }

private:
    static constexpr std::string_view type = R"(,"compressionType":")";
    static constexpr std::string_view size = R"(","uncompressedMessageSize":)";
    static constexpr std::string_view param = R"(,"encryptionParam":")";

    struct decimal {
        char text[20];
        std::size_t size;
    };
    decimal digits() const noexcept {
        decimal d;
        d.size =
            static_cast<std::size_t>(std::to_chars(d.text, d.text + sizeof d.text, uncompressed_size).ptr - d.text);
        return d;
    }
};

/// Compresses and seals one payload after another. Keeps its buffers; the one with compressed plaintext is cleansed
/// after each message. (A codec's own state and the caller's payload are not this class's to cleanse.)
///
/// What does not get shorter is sealed as it is, without compression's members: they are each message's own. So is
/// what the codec fails at.
class payload_sealer {
public:
    explicit payload_sealer(compressor c = {}) noexcept : compressor_(std::move(c)) {}

    /// `ec` as of `envelope::seal`. Throws `std::bad_alloc` where a buffer has to grow, and what the codec throws.
    sealed_payload seal(envelope& with, web::bytes_view payload) {
        sealed_payload out;
        web::bytes_view plaintext = payload;
        std::size_t used = 0;
        if (compressor_.compress != nullptr && compressor_.type != compression_type::none && !with.exhausted() &&
            payload.size() <= envelope::largest_message) {
            used = compressor_.bound(compressor_.codec, payload.size());
            const std::span<std::byte> room = compressed_.room(used);
            const codec_result result = compressor_.compress(compressor_.codec, payload, room);
            if (!result.ec && result.size < payload.size()) {
                plaintext = room.first(result.size);
                out.compression = compressor_.type;
                out.uncompressed_size = payload.size();
            }
        }
        sealed_.clear();
        const std::size_t size = envelope::sealed_size(plaintext.size());
        const seal_result result = with.seal(plaintext, {sealed_.prepare(size), size});
        compressed_.cleanse(used);
        out.ec = result.ec;
        out.iv = result.iv;
        sealed_.commit(result.size);
        out.bytes = sealed_.view();
        return out;
    }

    /// Gives memory back that only a large message needed, where the buffers hold more than `keep` bytes.
    void shrink(std::size_t keep) noexcept {
        sealed_.clear();
        sealed_.shrink(keep);
        if (compressed_.capacity() > keep) compressed_.release();
    }

private:
    compressor compressor_;
    secret_buffer compressed_{};
    web::byte_buffer sealed_{};
};

} // namespace pulsar
} // namespace v1
} // namespace sluice

// SPDX-License-Identifier: BSL-1.0
// A codec as a table of functions: the producer's type chooses what compresses, and the machines are not templates.
#pragma once

#include <sluice/codec.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <system_error>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace pulsar {

/// Default constructed: none. Used by one thread at a time, its copies too: they share the codec.
struct compressor {
    compression_type type = compression_type::none;
    void* codec = nullptr;
    std::size_t (*bound)(const void* codec, std::size_t n) = nullptr;
    codec_result (*compress)(void* codec, std::span<const std::byte> in, std::span<std::byte> out) = nullptr;
    std::shared_ptr<void> owner{}; ///< null where the codec is somebody else's

    /// The codec must outlive it.
    template <compression_codec Codec>
    static compressor of(Codec& codec) noexcept {
        return {codec.type(), &codec,
                [](const void* c, std::size_t n) { return static_cast<const Codec*>(c)->bound(n); },
                [](void* c, std::span<const std::byte> in, std::span<std::byte> out) -> codec_result {
                    try {
                        return static_cast<Codec*>(c)->compress(in, out);
                    } catch (...) { // as any other failure of the codec: what it was to compress goes as it is
                        return {make_error_code(std::errc::operation_not_supported), 0};
                    }
                }};
    }

    /// With a codec of its own. What does not compress is not kept.
    template <compression_codec Codec>
    static compressor owning(Codec codec) {
        if (codec.type() == compression_type::none) return {};
        auto kept = std::make_shared<Codec>(std::move(codec));
        compressor c = of(*kept);
        c.owner = std::move(kept);
        return c;
    }

    bool compresses() const noexcept { return type != compression_type::none; }
};

} // namespace pulsar
} // namespace v1
} // namespace sluice

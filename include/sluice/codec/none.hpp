// SPDX-License-Identifier: BSL-1.0
// The codec that leaves payloads as they are.
#pragma once

#include <sluice/codec.hpp>

#include <cstddef>
#include <cstring>
#include <span>

namespace sluice {
inline namespace v1 {
namespace codec {

/// NONE: both directions copy. `in` and `out` must not overlap.
class none {
public:
    compression_type type() const noexcept { return compression_type::none; }
    std::size_t bound(std::size_t n) const noexcept { return n; }
    codec_result compress(std::span<const std::byte> in, std::span<std::byte> out) noexcept { return copy(in, out); }
    codec_result decompress(std::span<const std::byte> in, std::span<std::byte> out) noexcept { return copy(in, out); }

private:
    static codec_result copy(std::span<const std::byte> in, std::span<std::byte> out) noexcept {
        if (in.size() > out.size()) return {errc::output_limit};
        if (!in.empty()) std::memcpy(out.data(), in.data(), in.size());
        return {{}, in.size()};
    }
};

static_assert(compression_codec<none>);

} // namespace codec
} // namespace v1
} // namespace sluice

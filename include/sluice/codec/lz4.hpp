// SPDX-License-Identifier: BSL-1.0
// LZ4 by liblz4: one raw block (lz4_Block_format.md), which is what Pulsar's LZ4 is. No frame, no checksum.
#pragma once

#include <sluice/codec.hpp>

#include <lz4.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>

namespace sluice {
inline namespace v1 {
namespace codec {
namespace detail {

/// The size that an LZ4 block decompresses to, read from its lengths alone. Nothing if it is not a block.
inline std::optional<std::uint64_t> lz4_decompressed_size(std::span<const std::byte> in) noexcept {
    std::size_t at = 0;
    // A length of 15 in the token goes on in bytes that are added to it, through the first that is not 255.
    const auto extend = [&](std::uint64_t& length) noexcept {
        if (length != 15) return true;
        while (at < in.size()) {
            const auto more = std::to_integer<unsigned>(in[at++]);
            length += more;
            if (more != 255) return true;
        }
        return false;
    };
    std::uint64_t size = 0, match_begin = 0;
    bool matched = false;
    while (at < in.size()) {
        const auto token = std::to_integer<unsigned>(in[at++]);
        std::uint64_t literals = token >> 4;
        if (!extend(literals) || literals > in.size() - at) return std::nullopt;
        at += static_cast<std::size_t>(literals);
        size += literals;
        if (at == in.size()) {
            // The last sequence is literals alone: five at least, and the last match begins twelve bytes before the
            // end. liblz4 asks for that too, but only where `out` is just large enough.
            const bool ends_well = !matched || (literals >= 5 && size - match_begin >= 12);
            if ((token & 15) != 0 || !ends_well) return std::nullopt;
            return size;
        }
        if (in.size() - at < 2) return std::nullopt;
        const auto offset = std::to_integer<unsigned>(in[at]) | std::to_integer<unsigned>(in[at + 1]) << 8;
        at += 2;
        std::uint64_t match = token & 15;
        if (offset == 0 || offset > size || !extend(match)) return std::nullopt;
        matched = true;
        match_begin = size;
        size += match + 4;
    }
    return std::nullopt;
}

} // namespace detail

/// LZ4. Stateless: an object may be used by several threads.
///
/// Blocks are limited to LZ4_MAX_INPUT_SIZE (2 113 929 216) bytes; more is `errc::output_limit`. The format has no
/// checksum: damage that leaves a block well-formed is not noticed.
class lz4 {
public:
    /// 1 compresses best, each step more is a few per cent faster; values outside 1..65537 mean the nearest.
    explicit lz4(int acceleration = 1) noexcept : acceleration_(acceleration) {}

    compression_type type() const noexcept { return compression_type::lz4; }

    std::size_t bound(std::size_t n) const noexcept {
        if (n > LZ4_MAX_INPUT_SIZE) return std::numeric_limits<std::size_t>::max();
        return static_cast<std::size_t>(LZ4_compressBound(static_cast<int>(n)));
    }

    codec_result compress(std::span<const std::byte> in, std::span<std::byte> out) noexcept {
        if (in.size() > LZ4_MAX_INPUT_SIZE) return {errc::output_limit};
        const int size =
            LZ4_compress_fast(chars(in), chars(out), static_cast<int>(in.size()), capacity(out), acceleration_);
        if (size <= 0) return {errc::output_limit};
        return {{}, static_cast<std::size_t>(size)};
    }

    codec_result decompress(std::span<const std::byte> in, std::span<std::byte> out) noexcept {
        if (in.size() > int_max) return {errc::output_limit};
        // liblz4 answers a small `out` and a damaged block alike, and lets an offset of 0 pass.
        const auto size = detail::lz4_decompressed_size(in);
        if (!size) return {errc::corrupt_data};
        if (*size > static_cast<std::uint64_t>(capacity(out))) return {errc::output_limit};
        const int done = LZ4_decompress_safe(chars(in), chars(out), static_cast<int>(in.size()), capacity(out));
        if (done < 0) return {errc::corrupt_data};
        return {{}, static_cast<std::size_t>(done)};
    }

private:
    static constexpr std::size_t int_max = std::numeric_limits<int>::max();

    static const char* chars(std::span<const std::byte> in) noexcept {
        return in.empty() ? "" : reinterpret_cast<const char*>(in.data()); // liblz4 takes a null for an error
    }
    static char* chars(std::span<std::byte> out) noexcept { return reinterpret_cast<char*>(out.data()); }
    static int capacity(std::span<std::byte> out) noexcept { return static_cast<int>(std::min(out.size(), int_max)); }

    int acceleration_;
};

static_assert(compression_codec<lz4>);

} // namespace codec
} // namespace v1
} // namespace sluice

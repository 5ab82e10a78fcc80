// SPDX-License-Identifier: BSL-1.0
// SNAPPY by libsnappy's C interface: one raw block (format_description.txt), without the framing format.
#pragma once

#include <sluice/codec.hpp>

#include <snappy-c.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace sluice {
inline namespace v1 {
namespace codec {

/// SNAPPY. Stateless: an object may be used by several threads. There are no levels.
///
/// `compress` needs `bound(in.size())` bytes of room even where the result is smaller. More than 4 GiB at once is
/// `errc::output_limit`. The format has no checksum: damage that leaves a block well-formed is not noticed.
class snappy {
public:
    compression_type type() const noexcept { return compression_type::snappy; }

    std::size_t bound(std::size_t n) const noexcept {
        if (n > size_max) return std::numeric_limits<std::size_t>::max();
        return ::snappy_max_compressed_length(n);
    }

    codec_result compress(std::span<const std::byte> in, std::span<std::byte> out) {
        if (in.size() > size_max) return {errc::output_limit}; // libsnappy writes the size modulo 2^32
        std::size_t size = out.size();
        if (::snappy_compress(chars(in), in.size(), chars(out), &size) != SNAPPY_OK) return {errc::output_limit};
        return {{}, size};
    }

    codec_result decompress(std::span<const std::byte> in, std::span<std::byte> out) {
        std::size_t size = 0;
        if (::snappy_uncompressed_length(chars(in), in.size(), &size) != SNAPPY_OK) return {errc::corrupt_data};
        if (size > out.size()) return {errc::output_limit};
        if (::snappy_uncompress(chars(in), in.size(), chars(out), &size) != SNAPPY_OK) return {errc::corrupt_data};
        return {{}, size};
    }

private:
    static constexpr std::size_t size_max = std::numeric_limits<std::uint32_t>::max();

    static const char* chars(std::span<const std::byte> in) noexcept {
        return in.empty() ? "" : reinterpret_cast<const char*>(in.data());
    }
    static char* chars(std::span<std::byte> out) noexcept { return reinterpret_cast<char*>(out.data()); }
};

static_assert(compression_codec<snappy>);

} // namespace codec
} // namespace v1
} // namespace sluice

// SPDX-License-Identifier: BSL-1.0
// A codec as a user writes one: zlib, but for what is too short to gain from it.
#pragma once

#include <sluice/codec/zlib.hpp>
#include <sluice/producer.hpp>

#include <cstddef>
#include <span>

namespace test {

class own_codec {
public:
    static constexpr std::size_t least = 200;

    sluice::compression_type type() const noexcept { return zlib_.type(); }
    std::size_t bound(std::size_t n) const noexcept { return zlib_.bound(n); }
    sluice::codec_result compress(std::span<const std::byte> in, std::span<std::byte> out) {
        if (in.size() < least) return {sluice::errc::output_limit, 0};
        return zlib_.compress(in, out);
    }
    sluice::codec_result decompress(std::span<const std::byte> in, std::span<std::byte> out) {
        return zlib_.decompress(in, out);
    }

private:
    sluice::codec::zlib zlib_{9};
};

using own_codec_producer = sluice::basic_producer<asio::any_io_executor, own_codec>;

} // namespace test

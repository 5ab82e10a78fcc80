// SPDX-License-Identifier: BSL-1.0
// The codecs: the first byte picks one, the rest is decompressed as it is, and then taken there and back.
#include <sluice/codec/lz4.hpp>
#include <sluice/codec/none.hpp>
#include <sluice/codec/snappy.hpp>
#include <sluice/codec/zlib.hpp>
#include <sluice/codec/zstd.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

namespace {

using bytes = std::vector<std::byte>;
constexpr std::size_t cap = 64 * 1024;

void check(bool holds) {
    if (!holds) std::abort();
}

template <class C>
void exercise(C& codec, std::span<const std::byte> data) {
    bytes plain(cap);
    const auto got = codec.decompress(data, plain);
    check(got.size <= cap);
    if (!got.ec) {
        bytes exact(got.size);
        check(!codec.decompress(data, exact).ec);
        check(std::equal(exact.begin(), exact.end(), plain.begin()));
        if (!exact.empty()) {
            exact.pop_back();
            check(codec.decompress(data, exact).ec == sluice::errc::output_limit);
        }
    }

    bytes packed(codec.bound(data.size()));
    const auto there = codec.compress(data, packed);
    check(!there.ec && there.size <= packed.size());
    packed.resize(there.size);
    bytes back(data.size());
    const auto again = codec.decompress(packed, back);
    check(!again.ec && again.size == data.size());
    check(std::equal(back.begin(), back.end(), data.begin()));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // Kept from input to input, as a producer keeps its codec: what one leaves behind must not harm the next.
    static sluice::codec::none none;
    static sluice::codec::lz4 lz4;
    static sluice::codec::zlib zlib;
    static sluice::codec::zstd zstd;
    static sluice::codec::snappy snappy;
    if (size == 0) return 0;
    const std::span<const std::byte> rest{reinterpret_cast<const std::byte*>(data) + 1, size - 1};
    switch (data[0] % 5) {
    case 0: exercise(none, rest); break;
    case 1: exercise(lz4, rest); break;
    case 2: exercise(zlib, rest); break;
    case 3: exercise(zstd, rest); break;
    case 4: exercise(snappy, rest); break;
    }
    return 0;
}

// SPDX-License-Identifier: BSL-1.0
// CRC-32: every kernel against a plain model, at every length, in pieces, inside its bounds.
#include <sluice/web/crc32.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <vector>

using namespace sluice::web;

namespace {

/// Bit by bit.
std::uint32_t model(bytes_view in, std::uint32_t before = 0) {
    std::uint32_t state = ~before;
    for (const std::byte b : in)
        for (unsigned i = 0; i < 8; ++i) {
            const bool carry = ((state ^ (std::to_integer<unsigned>(b) >> i)) & 1) != 0;
            state = (state >> 1) ^ (carry ? 0xedb88320U : 0);
        }
    return ~state;
}

std::vector<detail::crc32_kernel> kernels() {
    std::vector<detail::crc32_kernel> all{detail::crc32_table};
#if SLUICE_CRC32_X86
    if (__builtin_cpu_supports("pclmul")) all.push_back(detail::crc32_clmul);
#endif
    return all;
}

void fill(std::byte* at, std::size_t n, std::uint32_t seed) {
    for (std::size_t i = 0; i < n; ++i) {
        seed = seed * 1664525 + 1013904223;
        at[i] = static_cast<std::byte>(seed >> 24);
    }
}

} // namespace

TEST_CASE("CRC-32: the check value of the catalogues") {
    CHECK(crc32(as_bytes("123456789")) == 0xcbf43926);
    CHECK(crc32({}) == 0);
    CHECK(crc32({}, 77) == 77);
    CHECK(model(as_bytes("123456789")) == 0xcbf43926);
}

TEST_CASE("CRC-32: every kernel, every length, every beginning") {
    for (std::size_t n = 0; n < 700; ++n) {
        const auto bytes = std::make_unique_for_overwrite<std::byte[]>(n); // no byte more, for the sanitizer
        fill(bytes.get(), n, static_cast<std::uint32_t>(n));
        for (const std::uint32_t before : {0U, 0xffffffffU, 0x12345678U})
            for (const detail::crc32_kernel kernel : kernels())
                REQUIRE(~kernel(bytes.get(), n, ~before) == model({bytes.get(), n}, before));
    }
}

TEST_CASE("CRC-32: in two pieces") {
    std::vector<std::byte> bytes(400);
    fill(bytes.data(), bytes.size(), 1);
    const bytes_view all = bytes;
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut)
        REQUIRE(crc32(all.subspan(cut), crc32(all.first(cut))) == model(all));
}

TEST_CASE("CRC-32: a changed bit changes it") {
    std::vector<std::byte> bytes(200);
    fill(bytes.data(), bytes.size(), 2);
    const std::uint32_t right = crc32(bytes);
    for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
        bytes[bit / 8] ^= std::byte{1} << (bit % 8);
        REQUIRE(crc32(bytes) != right);
        bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    }
}

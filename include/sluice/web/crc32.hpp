// SPDX-License-Identifier: BSL-1.0
// CRC-32 as gzip, PNG and Ethernet have it (ITU-T V.42 section 8.1.1.6.2): by carry-less multiplication where the
// processor has it, by tables elsewhere, with equal results.
#pragma once

#include <sluice/web/bytes.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

#if defined(__x86_64__) && defined(__GNUC__)
#define SLUICE_CRC32_X86 1
#include <immintrin.h>
#else
#define SLUICE_CRC32_X86 0
#endif

namespace sluice {
inline namespace v1 {
namespace web {

namespace detail {

// Polynomials over two elements, with the coefficient of x^0 in the highest bit: bytes come with their lowest bit
// first.
inline constexpr std::uint32_t crc32_polynomial = 0xedb88320;

constexpr std::uint32_t crc32_times_x(std::uint32_t v) noexcept {
    return (v >> 1) ^ ((v & 1) != 0 ? crc32_polynomial : 0);
}

/// Row 0: what one byte adds. Row n: what it adds with n bytes behind it.
inline constexpr std::array<std::array<std::uint32_t, 256>, 8> crc32_tables = [] {
    std::array<std::array<std::uint32_t, 256>, 8> t{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t v = i;
        for (int bit = 0; bit < 8; ++bit) v = crc32_times_x(v);
        t[0][i] = v;
    }
    for (std::size_t row = 1; row < t.size(); ++row)
        for (std::size_t i = 0; i < 256; ++i) t[row][i] = (t[row - 1][i] >> 8) ^ t[0][t[row - 1][i] & 0xff];
    return t;
}();

/// The register before and after, not inverted: what `crc32` is made of.
using crc32_kernel = std::uint32_t (*)(const std::byte* in, std::size_t n, std::uint32_t state) noexcept;

inline std::uint32_t crc32_table(const std::byte* in, std::size_t n, std::uint32_t state) noexcept {
    const auto& t = crc32_tables;
    const auto octet = [&](std::size_t i) noexcept { return std::to_integer<std::uint32_t>(in[i]); };
    for (; n >= 8; in += 8, n -= 8) {
        state ^= octet(0) | octet(1) << 8 | octet(2) << 16 | octet(3) << 24;
        state = t[7][state & 0xff] ^ t[6][state >> 8 & 0xff] ^ t[5][state >> 16 & 0xff] ^ t[4][state >> 24] ^
                t[3][octet(4)] ^ t[2][octet(5)] ^ t[1][octet(6)] ^ t[0][octet(7)];
    }
    for (; n != 0; ++in, --n) state = (state >> 8) ^ t[0][(state ^ octet(0)) & 0xff];
    return state;
}

#if SLUICE_CRC32_X86

/// x^n modulo the polynomial, as the upper half of 64 bits.
constexpr long long crc32_power(int n) noexcept {
    std::uint32_t v = 0x80000000;
    for (int i = 0; i < n; ++i) v = crc32_times_x(v);
    return static_cast<long long>(std::uint64_t{v} << 32);
}

/// Moves 128 bits `distance` bits towards the front of the message, modulo the polynomial. The first eight bytes of a
/// block stand 64 bits before the others; and the product of two numbers in this bit order is short of one factor x.
template <int distance>
__attribute__((target("pclmul,sse4.1"))) inline __m128i crc32_fold(__m128i block) noexcept {
    constexpr long long near = crc32_power(distance - 1), far = crc32_power(distance + 63);
    const __m128i powers = _mm_set_epi64x(near, far);
    return _mm_xor_si128(_mm_clmulepi64_si128(block, powers, 0x00), _mm_clmulepi64_si128(block, powers, 0x11));
}

__attribute__((target("pclmul,sse4.1"))) inline __m128i crc32_load(const std::byte* at) noexcept {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}

__attribute__((target("pclmul,sse4.1"))) inline std::uint32_t crc32_clmul(const std::byte* in, std::size_t n,
                                                                          std::uint32_t state) noexcept {
    if (n < 64) return crc32_table(in, n, state);
    __m128i a = _mm_xor_si128(crc32_load(in), _mm_cvtsi32_si128(static_cast<int>(state)));
    __m128i b = crc32_load(in + 16), c = crc32_load(in + 32), d = crc32_load(in + 48);
    in += 64;
    n -= 64;
    for (; n >= 64; in += 64, n -= 64) { // four, for a multiplication takes longer than its turn
        a = _mm_xor_si128(crc32_fold<512>(a), crc32_load(in));
        b = _mm_xor_si128(crc32_fold<512>(b), crc32_load(in + 16));
        c = _mm_xor_si128(crc32_fold<512>(c), crc32_load(in + 32));
        d = _mm_xor_si128(crc32_fold<512>(d), crc32_load(in + 48));
    }
    a = _mm_xor_si128(crc32_fold<128>(a), b);
    a = _mm_xor_si128(crc32_fold<128>(a), c);
    a = _mm_xor_si128(crc32_fold<128>(a), d);
    for (; n >= 16; in += 16, n -= 16) a = _mm_xor_si128(crc32_fold<128>(a), crc32_load(in));
    // What is left has the same remainder as all of the message so far.
    alignas(16) std::array<std::byte, 16> rest;
    _mm_store_si128(reinterpret_cast<__m128i*>(rest.data()), a);
    return crc32_table(in, n, crc32_table(rest.data(), rest.size(), 0));
}

#endif

inline crc32_kernel crc32_best_kernel() noexcept {
#if SLUICE_CRC32_X86
    __builtin_cpu_init(); // may run before the constructors that would do it
    if (__builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1")) return crc32_clmul;
#endif
    return crc32_table;
}

} // namespace detail

/// The checksum of `bytes`, or of what stands behind bytes whose checksum is `before`: zlib's `crc32(before, bytes)`.
inline std::uint32_t crc32(bytes_view bytes, std::uint32_t before = 0) noexcept {
    static const detail::crc32_kernel kernel = detail::crc32_best_kernel();
    return ~kernel(bytes.data(), bytes.size(), ~before);
}

} // namespace web
} // namespace v1
} // namespace sluice

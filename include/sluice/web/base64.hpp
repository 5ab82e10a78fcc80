// SPDX-License-Identifier: BSL-1.0
// Base64, RFC 4648: encoding and masking in one pass with the widest vectors the processor has, and a strict decoder.
#pragma once

#include <sluice/web/mask.hpp>

#include <array>
#include <optional>
#include <string>
#include <string_view>

#if defined(__x86_64__) && defined(__GNUC__)
#define SLUICE_BASE64_X86 1
#include <immintrin.h>
#else
#define SLUICE_BASE64_X86 0
#endif

namespace sluice {
inline namespace v1 {
namespace web {

/// Characters that n bytes become, padding included.
constexpr std::size_t base64_size(std::size_t n) noexcept { return (n + 2) / 3 * 4; }

/// The most bytes that n characters can become.
constexpr std::size_t base64_decoded_bound(std::size_t n) noexcept { return n / 4 * 3 + n % 4; }

namespace detail {

inline constexpr std::string_view base64_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
inline constexpr std::string_view base64url_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// An encoder writes the text XORed with the key. Four characters a group, so the key never has to be advanced.
using base64_kernel = char* (*)(const std::byte* in, std::size_t n, char* out, mask_key key) noexcept;

inline char* base64_encode_scalar(const std::byte* in, std::size_t n, char* out, mask_key key) noexcept {
    std::array<char, 4> octets;
    std::memcpy(octets.data(), &key, 4);
    const auto octet = [&](std::size_t i) noexcept { return std::to_integer<std::uint32_t>(in[i]); };
    const auto put = [&](std::size_t i, char c) noexcept { out[i] = static_cast<char>(c ^ octets[i]); };
    const auto digit = [](std::uint32_t bits) noexcept { return base64_alphabet[bits & 63]; };
    for (; n >= 3; in += 3, out += 4, n -= 3) {
        const std::uint32_t bits = octet(0) << 16 | octet(1) << 8 | octet(2);
        put(0, digit(bits >> 18));
        put(1, digit(bits >> 12));
        put(2, digit(bits >> 6));
        put(3, digit(bits));
    }
    if (n == 0) return out;
    const std::uint32_t bits = octet(0) << 16 | (n == 2 ? octet(1) << 8 : 0);
    put(0, digit(bits >> 18));
    put(1, digit(bits >> 12));
    put(2, n == 2 ? digit(bits >> 6) : '=');
    put(3, '=');
    return out + 4;
}

#if SLUICE_BASE64_X86

/// 24 bytes, twelve at the start of each half, become 32 characters.
__attribute__((target("avx2"))) inline __m256i base64_characters_avx2(__m256i bytes) noexcept {
    // Of three bytes a b c make the 16-bit numbers (a << 8 | b) and (b << 8 | c): no sextet straddles one of them.
    const __m256i order = _mm256_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10, //
                                           1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
    const __m256i pairs = _mm256_shuffle_epi8(bytes, order);
    // A multiplication is a shift by a different distance in each 16-bit number.
    const __m256i even =
        _mm256_mulhi_epu16(_mm256_and_si256(pairs, _mm256_set1_epi32(0x0fc0fc00)), _mm256_set1_epi32(0x04000040));
    const __m256i odd =
        _mm256_mullo_epi16(_mm256_and_si256(pairs, _mm256_set1_epi32(0x003f03f0)), _mm256_set1_epi32(0x01000010));
    const __m256i sextets = _mm256_or_si256(even, odd);
    // The distance to the character: 0 for a-z, 1..10 for digits, 11 for '+', 12 for '/', 13 for A-Z.
    const __m256i distances = _mm256_setr_epi8(71, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 65, 0, 0, //
                                               71, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 65, 0, 0);
    const __m256i upper = _mm256_and_si256(_mm256_cmpgt_epi8(_mm256_set1_epi8(26), sextets), _mm256_set1_epi8(13));
    const __m256i kind = _mm256_or_si256(_mm256_subs_epu8(sextets, _mm256_set1_epi8(51)), upper);
    return _mm256_add_epi8(sextets, _mm256_shuffle_epi8(distances, kind));
}

__attribute__((target("avx2"))) inline char* base64_encode_avx2(const std::byte* in, std::size_t n, char* out,
                                                                mask_key key) noexcept {
    const __m256i mask = _mm256_set1_epi32(static_cast<int>(key));
    const auto load = [](const std::byte* at) { return reinterpret_cast<const __m128i*>(at); };
    for (; n >= 28; in += 24, out += 32, n -= 24) { // 28, not 24: the second half reads four bytes beyond its twelve
        const __m256i bytes = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(load(in))),
                                                      _mm_loadu_si128(load(in + 12)), 1);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_xor_si256(base64_characters_avx2(bytes), mask));
    }
    if (n >= 16) {
        const __m256i bytes = _mm256_castsi128_si256(_mm_loadu_si128(load(in)));
        const __m256i text = _mm256_xor_si256(base64_characters_avx2(bytes), mask);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm256_castsi256_si128(text));
        in += 12, out += 16, n -= 12;
    }
    return base64_encode_scalar(in, n, out, key);
}

/// Which byte stands where, so that each group of three fills 32 bits as b a c b (see the AVX2 form).
inline constexpr std::array<std::uint8_t, 64> base64_order = [] {
    std::array<std::uint8_t, 64> order{};
    for (std::size_t i = 0; i < 16; ++i) {
        order[4 * i] = order[4 * i + 3] = static_cast<std::uint8_t>(3 * i + 1);
        order[4 * i + 1] = static_cast<std::uint8_t>(3 * i);
        order[4 * i + 2] = static_cast<std::uint8_t>(3 * i + 2);
    }
    return order;
}();

__attribute__((target("avx512f,avx512bw,avx512vbmi"))) inline char*
base64_encode_avx512(const std::byte* in, std::size_t n, char* out, mask_key key) noexcept {
    // Lanes that are masked off are neither read nor written. (g++ 12 warns of its own unmasked intrinsics.)
    constexpr std::uint64_t all = ~std::uint64_t{0};
    const __m512i mask = _mm512_set1_epi32(static_cast<int>(key));
    const __m512i order = _mm512_loadu_si512(base64_order.data());
    const __m512i shifts = _mm512_set1_epi64(0x3036242a1016040a); // where in 64 bits each of the eight sextets begins
    const __m512i alphabet = _mm512_loadu_si512(base64_alphabet.data()); // an index counts with its low six bits
    for (; n >= 48; in += 48, out += 64, n -= 48) {
        const __m512i groups = _mm512_maskz_permutexvar_epi8(all, order, _mm512_maskz_loadu_epi8(all >> 16, in));
        const __m512i sextets = _mm512_maskz_multishift_epi64_epi8(all, shifts, groups);
        const __m512i text = _mm512_maskz_permutexvar_epi8(all, sextets, alphabet);
        _mm512_storeu_si512(out, _mm512_xor_si512(text, mask));
    }
    if (n == 0) return out;
    const std::size_t digits = (4 * n + 2) / 3, size = base64_size(n);
    const __m512i groups = _mm512_maskz_permutexvar_epi8(all, order, _mm512_maskz_loadu_epi8(all >> (64 - n), in));
    const __m512i sextets = _mm512_maskz_multishift_epi64_epi8(all, shifts, groups);
    const __m512i text = _mm512_mask_permutexvar_epi8(_mm512_set1_epi8('='), all >> (64 - digits), sextets, alphabet);
    _mm512_mask_storeu_epi8(out, all >> (64 - size), _mm512_xor_si512(text, mask));
    return out + size;
}

#endif

inline base64_kernel base64_best_kernel() noexcept {
#if SLUICE_BASE64_X86
    __builtin_cpu_init(); // may run before the constructors that would do it
    if (__builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512bw")) return base64_encode_avx512;
    if (__builtin_cpu_supports("avx2")) return base64_encode_avx2;
#endif
    return base64_encode_scalar;
}

using base64_digits = std::array<std::int8_t, 256>;

constexpr base64_digits make_base64_digits(std::string_view alphabet) noexcept {
    base64_digits digits{};
    for (std::int8_t& d : digits) d = -1;
    for (std::size_t i = 0; i < alphabet.size(); ++i)
        digits[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
    return digits;
}

inline constexpr base64_digits base64_standard_digits = make_base64_digits(base64_alphabet);
inline constexpr base64_digits base64url_digits = make_base64_digits(base64url_alphabet);

inline std::optional<std::size_t> base64_decode(const base64_digits& digits, std::string_view text,
                                                std::byte* out) noexcept {
    if (text.size() % 4 == 0 && text.ends_with('=')) text.remove_suffix(text.ends_with("==") ? 2 : 1);
    const auto digit = [&](std::size_t i) noexcept { return int{digits[static_cast<unsigned char>(text[i])]}; };
    std::byte* const begin = out;
    while (text.size() >= 4) {
        const int bits = digit(0) << 18 | digit(1) << 12 | digit(2) << 6 | digit(3);
        if (bits < 0) return std::nullopt; // a digit that is -1 makes all of it negative
        *out++ = static_cast<std::byte>(bits >> 16);
        *out++ = static_cast<std::byte>(bits >> 8 & 0xff);
        *out++ = static_cast<std::byte>(bits & 0xff);
        text.remove_prefix(4);
    }
    if (text.size() == 1) return std::nullopt; // six bits are not a byte
    if (text.size() >= 2) {
        const int bits = digit(0) << 12 | digit(1) << 6 | (text.size() == 3 ? digit(2) : 0);
        if (bits < 0) return std::nullopt;
        *out++ = static_cast<std::byte>(bits >> 10);
        if (text.size() == 3) *out++ = static_cast<std::byte>(bits >> 2 & 0xff);
    }
    return static_cast<std::size_t>(out - begin);
}

} // namespace detail

/// Writes the base64 text of `in`, XORed with `key` as WebSocket masking wants it: the first octet of the key meets
/// `out[0]`. Writes exactly `base64_size(in.size())` characters, reads nothing but `in`, returns the end. Any thread.
inline char* base64_encode_masked(bytes_view in, char* out, mask_key key) noexcept {
    static const detail::base64_kernel kernel = detail::base64_best_kernel();
    return kernel(in.data(), in.size(), out, key);
}

/// Writes the base64 text of `in`: standard alphabet, padded, no line breaks. Returns the end.
inline char* base64_encode(bytes_view in, char* out) noexcept { return base64_encode_masked(in, out, 0); }

inline std::string base64_encode_string(bytes_view in) {
    std::string text(base64_size(in.size()), '\0');
    base64_encode(in, text.data());
    return text;
}

/// Decodes what `java.util.Base64.getDecoder()` takes, since that is what reads us: padding may be left out but not be
/// wrong, white space and the URL alphabet are refused, bits behind the last byte are ignored. `out` has room for
/// `base64_decoded_bound(text.size())` bytes. Returns how many were written, or nothing for text that is refused.
inline std::optional<std::size_t> base64_decode(std::string_view text, std::byte* out) noexcept {
    return detail::base64_decode(detail::base64_standard_digits, text, out);
}

/// The code of the first character before any padding that is not in the standard alphabet; -1 if there is none.
inline int base64_bad_character(std::string_view text) noexcept {
    for (const char c : text.substr(0, text.find('='))) {
        const auto code = static_cast<unsigned char>(c);
        if (detail::base64_standard_digits[code] < 0) return code;
    }
    return -1;
}

/// Decodes the URL alphabet (RFC 4648 section 5), padding optional: the parts of a JSON Web Token.
inline std::optional<std::string> base64url_decode(std::string_view text) {
    std::string bytes(base64_decoded_bound(text.size()), '\0');
    const auto n = detail::base64_decode(detail::base64url_digits, text, reinterpret_cast<std::byte*>(bytes.data()));
    if (!n) return std::nullopt;
    bytes.resize(*n);
    return bytes;
}

} // namespace web
} // namespace v1
} // namespace sluice

// SPDX-License-Identifier: BSL-1.0
// JSON text, RFC 8259: where a value ends, or why it is none. Nothing is built, copied or allocated.
#pragma once

#include <sluice/web/ascii.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace sluice {
inline namespace v1 {
namespace web {

/// Arrays and objects inside one another. RFC 8259 section 9 lets a reader have a limit; simdjson's is the same.
inline constexpr std::size_t max_json_depth = 1024;

enum class json_fault : std::uint8_t { none, ends_early, unexpected, text, utf8, escape, number, depth };

constexpr std::string_view to_string(json_fault f) noexcept {
    switch (f) {
    case json_fault::none: return "no fault";
    case json_fault::ends_early: return "it ends inside of a value";
    case json_fault::unexpected: return "a character that cannot stand here";
    case json_fault::text: return "a control character in a string";
    case json_fault::utf8: return "not UTF-8";
    case json_fault::escape: return "no such escape";
    case json_fault::number: return "not a number";
    case json_fault::depth: return "more than 1024 levels";
    }
    return "unknown";
}

/// Behind the value; or where the fault is.
struct json_end {
    const char* at = nullptr;
    json_fault fault = json_fault::none;
};

constexpr bool is_json_space(char c) noexcept { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

inline const char* skip_json_space(const char* at, const char* end) noexcept {
    while (at != end && is_json_space(*at)) ++at;
    return at;
}

namespace detail {

/// The character of several bytes at `at`, RFC 3629 section 4: its size, 0 if there is none.
inline std::size_t utf8_sequence(const char* at, const char* end) noexcept {
    const auto octet = [&](std::size_t i) noexcept { return static_cast<unsigned char>(at[i]); };
    const auto left = static_cast<std::size_t>(end - at);
    const auto continues = [&](std::size_t i) noexcept { return (octet(i) & 0xc0) == 0x80; };
    const unsigned first = octet(0);
    if (first < 0xc2 || first > 0xf4) return 0;
    if (first < 0xe0) return left >= 2 && continues(1) ? 2 : 0;
    if (first < 0xf0) {
        if (left < 3 || !continues(1) || !continues(2)) return 0;
        if (first == 0xe0 && octet(1) < 0xa0) return 0; // shorter forms exist
        if (first == 0xed && octet(1) > 0x9f) return 0; // surrogates
        return 3;
    }
    if (left < 4 || !continues(1) || !continues(2) || !continues(3)) return 0;
    if (first == 0xf0 && octet(1) < 0x90) return 0; // shorter forms exist
    if (first == 0xf4 && octet(1) > 0x8f) return 0; // beyond U+10FFFF
    return 4;
}

/// Goes on to the first byte that is not ASCII standing for itself in a string, if it is among the next ones: 16 (or 8)
/// at a time, as long as there are so many.
inline const char* skip_json_plain(const char* at, const char* end) noexcept {
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), blank = _mm_set1_epi8(0x20);
    for (; end - at >= 16; at += 16) {
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
        // Numbers with a sign: what is below a blank is a control character, or beyond ASCII.
        const __m128i found = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)),
                                           _mm_cmplt_epi8(bytes, blank));
        const auto which = static_cast<unsigned>(_mm_movemask_epi8(found));
        if (which != 0) return at + std::countr_zero(which);
    }
#else
    if constexpr (std::endian::native == std::endian::little) {
        constexpr std::uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;
        // (v - ones * n) & ~v has a byte's high bit set if a byte is below n. A borrow can only come from such a byte,
        // so the first that is found is right.
        const auto below = [](std::uint64_t v, std::uint64_t n) noexcept { return (v - ones * n) & ~v; };
        for (; end - at >= 8; at += 8) {
            std::uint64_t v;
            std::memcpy(&v, at, 8);
            const std::uint64_t found =
                (below(v, 0x20) | below(v ^ ones * '"', 1) | below(v ^ ones * '\\', 1) | v) & highs;
            if (found != 0) return at + std::countr_zero(found) / 8;
        }
    }
#endif
    return at;
}

/// `at` is behind the quotation mark that begins the string.
inline json_end scan_json_string(const char* at, const char* end) noexcept {
    for (;;) {
        at = skip_json_plain(at, end);
        if (at == end) return {at, json_fault::ends_early};
        const auto c = static_cast<unsigned char>(*at);
        if (c == '"') return {at + 1};
        if (c < 0x20) return {at, json_fault::text};
        if (c >= 0x80) {
            const std::size_t n = utf8_sequence(at, end);
            if (n == 0) return {at, json_fault::utf8};
            at += n;
        } else if (c == '\\') {
            if (end - at < 2) return {end, json_fault::ends_early};
            if (at[1] == 'u') {
                for (int i = 2; i < 6; ++i) {
                    if (at + i == end) return {end, json_fault::ends_early};
                    if (hex_digit(at[i]) < 0) return {at, json_fault::escape};
                }
                at += 6;
            } else {
                if (std::string_view(R"("\/bfnrt)").find(at[1]) == std::string_view::npos)
                    return {at, json_fault::escape};
                at += 2;
            }
        } else {
            ++at;
        }
    }
}

inline json_end scan_json_number(const char* at, const char* end) noexcept {
    // One digit at least; behind a zero at the front there is no other.
    const auto digits = [&] {
        const char* const from = at;
        while (at != end && is_digit(*at)) ++at;
        return at != from;
    };
    const auto missing = [&]() -> json_end { return {at, at == end ? json_fault::ends_early : json_fault::number}; };
    if (*at == '-') ++at;
    if (at != end && *at == '0') {
        ++at;
        if (at != end && is_digit(*at)) return {at, json_fault::number};
    } else if (!digits()) {
        return missing();
    }
    if (at != end && *at == '.') {
        ++at;
        if (!digits()) return missing();
    }
    if (at != end && (*at == 'e' || *at == 'E')) {
        ++at;
        if (at != end && (*at == '+' || *at == '-')) ++at;
        if (!digits()) return missing();
    }
    return {at};
}

inline json_end scan_json_word(const char* at, const char* end, std::string_view word) noexcept {
    for (const char c : word) {
        if (at == end) return {at, json_fault::ends_early};
        if (*at != c) return {at, json_fault::unexpected};
        ++at;
    }
    return {at};
}

/// Which of the open levels are objects: a stack of bits.
class json_levels {
public:
    std::size_t depth() const noexcept { return depth_; }
    bool in_object() const noexcept { return (bits_[(depth_ - 1) / 64] >> ((depth_ - 1) % 64) & 1) != 0; }
    void push(bool object) noexcept {
        std::uint64_t& word = bits_[depth_ / 64];
        const std::uint64_t bit = std::uint64_t{1} << (depth_ % 64);
        word = object ? word | bit : word & ~bit;
        ++depth_;
    }
    void pop() noexcept { --depth_; }

private:
    std::size_t depth_ = 0;
    std::array<std::uint64_t, max_json_depth / 64> bits_{};
};

} // namespace detail

/// One value from `at`, white space before it allowed. What stands behind it is not looked at, except that a number
/// takes what belongs to it.
inline json_end scan_json_value(const char* at, const char* end) noexcept {
    detail::json_levels levels;
    for (;;) { // a value, in an object with its name
        at = skip_json_space(at, end);
        if (levels.depth() != 0 && levels.in_object()) {
            if (at == end) return {at, json_fault::ends_early};
            if (*at != '"') return {at, json_fault::unexpected};
            const json_end name = detail::scan_json_string(at + 1, end);
            if (name.fault != json_fault::none) return name;
            at = skip_json_space(name.at, end);
            if (at == end) return {at, json_fault::ends_early};
            if (*at != ':') return {at, json_fault::unexpected};
            at = skip_json_space(at + 1, end);
        }
        if (at == end) return {at, json_fault::ends_early};
        json_end value;
        switch (*at) {
        case '"': value = detail::scan_json_string(at + 1, end); break;
        case '{':
        case '[': {
            if (levels.depth() == max_json_depth) return {at, json_fault::depth};
            const bool object = *at == '{';
            at = skip_json_space(at + 1, end);
            if (at == end) return {at, json_fault::ends_early};
            if (*at != (object ? '}' : ']')) {
                levels.push(object);
                continue;
            }
            value.at = at + 1; // an empty one
            break;
        }
        case 't': value = detail::scan_json_word(at, end, "true"); break;
        case 'f': value = detail::scan_json_word(at, end, "false"); break;
        case 'n': value = detail::scan_json_word(at, end, "null"); break;
        default:
            if (*at != '-' && !is_digit(*at)) return {at, json_fault::unexpected};
            value = detail::scan_json_number(at, end);
        }
        if (value.fault != json_fault::none) return value;
        at = value.at;
        for (;;) { // behind a value: what it completes
            if (levels.depth() == 0) return {at};
            at = skip_json_space(at, end);
            if (at == end) return {at, json_fault::ends_early};
            if (*at == ',') {
                ++at;
                break;
            }
            if (*at != (levels.in_object() ? '}' : ']')) return {at, json_fault::unexpected};
            levels.pop();
            ++at;
        }
    }
}

/// A JSON text: one value with white space around it and nothing else. The fault's place, or the end. A byte order mark
/// is refused (RFC 8259 section 8.1 forbids to write one).
inline json_end scan_json_text(std::string_view text) noexcept {
    const char* const end = text.data() + text.size();
    json_end value = scan_json_value(text.data(), end);
    if (value.fault != json_fault::none) return value;
    value.at = skip_json_space(value.at, end);
    if (value.at != end) value.fault = json_fault::unexpected;
    return value;
}

} // namespace web
} // namespace v1
} // namespace sluice

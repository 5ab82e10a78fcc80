// SPDX-License-Identifier: BSL-1.0
// Characters as protocols see them: ASCII whatever the locale is.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace sluice {
inline namespace v1 {
namespace web {

constexpr char to_lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) noexcept { return to_lower(c) >= 'a' && to_lower(c) <= 'z'; }
/// A visible character or a blank: neither a control character nor beyond ASCII.
constexpr bool is_printable(char c) noexcept { return c >= 0x20 && c < 0x7f; }

/// The digit's value, -1 for what is not hexadecimal.
constexpr int hex_digit(char c) noexcept {
    if (is_digit(c)) return c - '0';
    const char lower = to_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

inline std::string lower_case(std::string_view text) {
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(), to_lower);
    return lower;
}

inline bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return to_lower(x) == to_lower(y); });
}

} // namespace web
} // namespace v1
} // namespace sluice

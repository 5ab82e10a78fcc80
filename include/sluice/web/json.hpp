// SPDX-License-Identifier: BSL-1.0
// JSON text, RFC 8259: strings written with the fewest escapes, fast where there is nothing to escape.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace sluice {
inline namespace v1 {
namespace web {

namespace detail {

/// How many characters a byte becomes: bytes of UTF-8 beyond ASCII stand for themselves.
constexpr std::size_t json_width(char c) noexcept {
    switch (c) {
    case '"':
    case '\\':
    case '\b':
    case '\f':
    case '\n':
    case '\r':
    case '\t': return 2;
    default: return static_cast<unsigned char>(c) < 0x20 ? 6 : 1;
    }
}

/// True if none of the eight bytes needs an escape.
constexpr bool json_plain(std::uint64_t eight) noexcept {
    constexpr std::uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;
    // (v - ones * n) & ~v has a byte's high bit set if a byte is below n; a borrow can only come from such a byte.
    const auto below = [](std::uint64_t v, std::uint64_t n) noexcept { return (v - ones * n) & ~v; };
    return ((below(eight, 0x20) | below(eight ^ ones * '"', 1) | below(eight ^ ones * '\\', 1)) & highs) == 0;
}

inline char* json_escape_one(char c, char* out) noexcept {
    constexpr char hex[] = "0123456789abcdef";
    const std::size_t width = json_width(c);
    if (width == 1) {
        *out++ = c;
        return out;
    }
    *out++ = '\\';
    switch (c) {
    case '"':
    case '\\': *out++ = c; break;
    case '\b': *out++ = 'b'; break;
    case '\f': *out++ = 'f'; break;
    case '\n': *out++ = 'n'; break;
    case '\r': *out++ = 'r'; break;
    case '\t': *out++ = 't'; break;
    default:
        std::memcpy(out, "u00", 3);
        out[3] = hex[static_cast<unsigned char>(c) >> 4];
        out[4] = hex[c & 15];
        out += 5;
    }
    return out;
}

} // namespace detail

/// Characters that the text has when it is escaped, quotation marks not counted.
inline std::size_t json_escaped_size(std::string_view utf8) noexcept {
    std::size_t size = 0, i = 0;
    const auto add = [&](std::size_t end) noexcept {
        for (; i < end; ++i) size += detail::json_width(utf8[i]);
    };
    while (utf8.size() - i >= 8) {
        std::uint64_t eight;
        std::memcpy(&eight, utf8.data() + i, 8);
        if (detail::json_plain(eight)) {
            size += 8;
            i += 8;
        } else {
            add(i + 8);
        }
    }
    add(utf8.size());
    return size;
}

/// Writes exactly `json_escaped_size(utf8)` characters, no quotation marks; returns the end. What is not UTF-8 goes
/// through unchanged: check it before (`is_utf8`).
inline char* json_escape(std::string_view utf8, char* out) noexcept {
    std::size_t i = 0;
    const auto put = [&](std::size_t end) noexcept {
        for (; i < end; ++i) out = detail::json_escape_one(utf8[i], out);
    };
    while (utf8.size() - i >= 8) {
        std::uint64_t eight;
        std::memcpy(&eight, utf8.data() + i, 8);
        if (detail::json_plain(eight)) {
            std::memcpy(out, &eight, 8);
            out += 8;
            i += 8;
        } else {
            put(i + 8);
        }
    }
    put(utf8.size());
    return out;
}

/// Appends the text as a JSON string, with its quotation marks.
inline void append_json_string(std::string& out, std::string_view utf8) {
    const std::size_t at = out.size();
    out.resize(at + json_escaped_size(utf8) + 2);
    out[at] = '"';
    *json_escape(utf8, out.data() + at + 1) = '"';
}

} // namespace web
} // namespace v1
} // namespace sluice

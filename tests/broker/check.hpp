// SPDX-License-Identifier: BSL-1.0
// What a conformance case says about itself: it failed, or it cannot be run on this server.
#pragma once

#include <concepts>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

namespace conformance {

struct failed : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The server has not been given what the case needs, though it could.
struct not_set_up : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The server does not have what the case is about.
struct skipped : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Text for a terminal: at most 300 bytes, and nothing that a terminal obeys.
inline std::string shown(std::string_view text) {
    constexpr std::size_t longest = 300;
    constexpr char hex[] = "0123456789abcdef";
    std::string out = "\"";
    for (const char c : text.substr(0, longest)) {
        const auto octet = static_cast<unsigned char>(c);
        if (octet >= 0x20 && octet < 0x7f) {
            out += c;
        } else {
            out += "\\x";
            out += hex[octet >> 4];
            out += hex[octet & 15];
        }
    }
    out += '"';
    if (text.size() > longest) out += "... (" + std::to_string(text.size()) + " bytes)";
    return out;
}
inline std::string shown(const char* text) { return shown(std::string_view(text)); }
inline std::string shown(const std::string& text) { return shown(std::string_view(text)); }
inline std::string shown(bool value) { return value ? "true" : "false"; }
template <std::integral Value>
std::string shown(Value value) {
    return std::to_string(value);
}

inline void check(bool holds, const std::string& what) {
    if (!holds) throw failed(what);
}

template <class Value, class Expected>
void check_same(const Value& is, const Expected& expected, const std::string& what) {
    if (!(is == expected)) throw failed(what + ": is " + shown(is) + ", expected " + shown(expected));
}

} // namespace conformance

// SPDX-License-Identifier: BSL-1.0
// A server's own words in an error text: short, printable, and without the secrets that it was told.
#pragma once

#include <sluice/web/ascii.hpp>
#include <sluice/web/utf8.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sluice {
inline namespace v1 {
namespace pulsar {

namespace detail {

/// How long a secret is that begins with `text`, if `before` announces it: `parameter=` of a query, or a scheme of the
/// Authorization header, where a short word is prose ("no apikey given").
inline std::size_t secret_size(std::string_view text, bool scheme) {
    constexpr std::size_t shortest = 8;
    const std::size_t n = std::min(text.find_first_of(" \t\r\n&\"'<>,;#"), text.size());
    return scheme && n < shortest ? 0 : n;
}

/// `text` begins with `name`, without regard to the case of ASCII.
inline bool begins_with(std::string_view text, std::string_view name) {
    return web::equal_ignoring_case(text.substr(0, name.size()), name);
}

/// The value of a JSON member, given what stands behind its name: `":"value"`, with blanks, and where JSON stands
/// inside of a JSON string, `\":\"value\"`. What is no string member is nothing.
inline std::optional<std::string_view> string_member(std::string_view text) {
    const auto skip = [&](std::string_view what) {
        if (!text.starts_with(what)) return false;
        text.remove_prefix(what.size());
        return true;
    };
    const auto skip_blanks = [&] { text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size())); };
    const bool inside = skip("\\");
    if (!skip("\"")) return std::nullopt;
    skip_blanks();
    if (!skip(":")) return std::nullopt;
    skip_blanks();
    if (!skip(inside ? "\\\"" : "\"")) return std::nullopt;
    std::size_t backslashes = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\') {
            ++backslashes;
            continue;
        }
        if (text[i] == '"' && (inside ? backslashes % 4 == 1 : backslashes % 2 == 0))
            return text.substr(0, inside ? i - 1 : i);
        backslashes = 0;
    }
    return text;
}

/// A server may repeat what it was asked, and with it a password, key or token: what follows their names is taken out.
inline std::string without_secrets(std::string_view text) {
    std::string out;
    const auto conceal = [&](std::size_t behind, std::size_t n) {
        out += text.substr(0, behind);
        if (n != 0) out += "***";
        text.remove_prefix(behind + n);
    };
    const auto conceal_first = [&] {
        for (const std::string_view name : {"otp=", "token=", "encryptionKeys=", "password="})
            if (begins_with(text, name)) {
                conceal(name.size(), secret_size(text.substr(name.size()), false));
                return true;
            }
        for (const std::string_view scheme : {"apikey ", "bearer "})
            if (begins_with(text, scheme)) {
                conceal(scheme.size(), secret_size(text.substr(scheme.size()), true));
                return true;
            }
        if (!out.ends_with('"')) return false;
        for (const std::string_view name : {"password", "jwt", "otp", "token"}) {
            if (!begins_with(text, name)) continue;
            const auto value = string_member(text.substr(name.size()));
            if (!value) continue;
            conceal(static_cast<std::size_t>(value->data() - text.data()), value->size());
            return true;
        }
        return false;
    };
    while (!text.empty()) {
        if (conceal_first()) continue;
        out += text.front();
        text.remove_prefix(1);
    }
    return out;
}

/// At most so many bytes, nothing but printable UTF-8, white space in a row made one blank.
inline std::string printable(std::string_view text, std::size_t longest) {
    const bool valid = web::is_utf8(text);
    std::string out;
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        if (octet <= 0x20 || octet == 0x7f) {
            if (!out.empty() && out.back() != ' ') out += ' ';
        } else {
            out += octet >= 0x80 && !valid ? '?' : c;
        }
        if (out.size() > longest) {
            out.pop_back();
            while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xc0) == 0x80) out.pop_back();
            if (!out.empty() && static_cast<unsigned char>(out.back()) >= 0xc0) out.pop_back();
            break;
        }
    }
    if (!out.empty() && out.back() == ' ') out.pop_back();
    return out;
}

} // namespace detail

inline constexpr std::size_t longest_message = 1000; ///< of a text that the server meant to be read
inline constexpr std::size_t longest_excerpt = 200;  ///< of a body in no known form

/// What an error may show of a text that came from outside. Of a long text only the beginning is looked at.
inline std::string server_text(std::string_view text, std::size_t longest = longest_message) {
    std::size_t looked_at = std::min(text.size(), 4 * longest);
    while (looked_at != text.size() && looked_at != 0 && (static_cast<unsigned char>(text[looked_at]) & 0xc0) == 0x80)
        --looked_at; // not inside a character
    return detail::printable(detail::without_secrets(text.substr(0, looked_at)), longest);
}

} // namespace pulsar
} // namespace v1
} // namespace sluice

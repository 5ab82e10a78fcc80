// SPDX-License-Identifier: BSL-1.0
// URLs, RFC 3986: the part of them that names a server and a resource, percent-encoding, and what kind of host it is.
#pragma once

#include <sluice/web/ascii.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace web {

struct url {
    std::string scheme;     ///< lower case; empty: none given
    std::string host;       ///< lower case; IPv6 without its brackets
    std::uint16_t port = 0; ///< 0: none given
    std::string path;       ///< from its slash on; empty: none given
    std::string query;      ///< without the question mark, not decoded

    /// `host`, `host:port`, `[v6]` or `[v6]:port`: what a Host field says.
    std::string authority() const {
        std::string text = host.find(':') == std::string::npos ? host : "[" + host + "]";
        if (port != 0) text += ":" + std::to_string(port);
        return text;
    }
};

struct url_result {
    std::string error; ///< empty: good; else what is wrong. Never repeats the text: it may hold a password
    url value;
};

namespace detail {

/// The octet at the front of `text` as `%XX` says it; -1 if it does not.
constexpr int percent_octet(std::string_view text) noexcept {
    if (text.size() < 3 || text[0] != '%') return -1;
    const int high = hex_digit(text[1]), low = hex_digit(text[2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

using ipv6_groups = std::array<std::uint16_t, 8>;

/// Four decimal octets without leading zeros (RFC 3986 section 3.2.2).
inline std::optional<std::uint32_t> parse_ipv4(std::string_view text) noexcept {
    std::uint32_t address = 0;
    for (int octets = 0;; ++octets) {
        const std::size_t dot = std::min(text.find('.'), text.size());
        const std::string_view octet = text.substr(0, dot);
        if (octet.empty() || octet.size() > 3 || !std::all_of(octet.begin(), octet.end(), is_digit)) return {};
        if (octet.size() > 1 && octet[0] == '0') return {};
        unsigned value = 0;
        std::from_chars(octet.data(), octet.data() + octet.size(), value);
        if (value > 255) return {};
        address = address << 8 | value;
        if (octets == 3) return dot == text.size() ? std::optional(address) : std::nullopt;
        if (dot == text.size()) return {};
        text.remove_prefix(dot + 1);
    }
}

/// RFC 4291 section 2.2, without a zone.
inline std::optional<ipv6_groups> parse_ipv6(std::string_view text) noexcept {
    ipv6_groups groups{};
    std::size_t count = 0, gap = groups.size() + 1; // the gap is where `::` stands
    if (text.starts_with("::")) {
        gap = 0;
        text.remove_prefix(2);
    }
    while (!text.empty()) {
        const std::size_t colon = std::min(text.find(':'), text.size());
        const std::string_view group = text.substr(0, colon);
        if (colon == text.size() && group.find('.') != std::string_view::npos) { // an IPv4 address ends it
            const auto v4 = parse_ipv4(group);
            if (!v4 || count > 6) return {};
            groups[count++] = static_cast<std::uint16_t>(*v4 >> 16);
            groups[count++] = static_cast<std::uint16_t>(*v4 & 0xffff);
            break;
        }
        if (group.empty() || group.size() > 4 || count == 8) return {};
        if (!std::all_of(group.begin(), group.end(), [](char c) { return hex_digit(c) >= 0; })) return {};
        std::from_chars(group.data(), group.data() + group.size(), groups[count++], 16);
        if (colon == text.size()) break;
        text.remove_prefix(colon + 1);
        if (text.starts_with(':')) {
            if (gap <= groups.size()) return {}; // only one
            gap = count;
            text.remove_prefix(1);
        } else if (text.empty()) {
            return {};
        }
    }
    if (gap > groups.size()) return count == 8 ? std::optional(groups) : std::nullopt;
    if (count == 8) return {};
    std::move_backward(groups.begin() + static_cast<std::ptrdiff_t>(gap),
                       groups.begin() + static_cast<std::ptrdiff_t>(count), groups.end());
    std::fill_n(groups.begin() + static_cast<std::ptrdiff_t>(gap), 8 - count, std::uint16_t{0});
    return groups;
}

/// Letters, digits, `-`, `_` in labels between single dots. International names come in their `xn--` form.
inline bool is_host_name(std::string_view host) noexcept {
    if (host.ends_with('.')) host.remove_suffix(1);
    if (host.empty() || host.size() > 253 || host.front() == '.' || host.back() == '.') return false;
    if (host.find("..") != std::string_view::npos) return false;
    return std::all_of(host.begin(), host.end(),
                       [](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '_' || c == '.'; });
}

inline bool is_scheme(std::string_view text) noexcept {
    return !text.empty() && is_letter(text.front()) && std::all_of(text.begin(), text.end(), [](char c) {
        return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
    });
}

/// Splits `host[:port]` into `value`; returns what is wrong with it.
inline std::string parse_authority(std::string_view text, url& value) {
    if (text.find('@') != std::string_view::npos) return "user information is not allowed";
    std::string_view host = text.substr(0, text.find(':')), port = text.substr(host.size());
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos) return "the IPv6 address has no closing bracket";
        host = text.substr(1, end - 1);
        port = text.substr(end + 1);
        if (!parse_ipv6(host)) return "the IPv6 address is invalid";
    } else if (host.empty()) {
        return "the host is missing";
    } else if (!is_host_name(host)) {
        return "the host is not a name or an address";
    }
    value.host = lower_case(host);
    if (port.empty()) return {};
    const char* const end = port.data() + port.size();
    const auto [rest, ec] = std::from_chars(port.data() + 1, end, value.port);
    if (port[0] != ':' || ec != std::errc() || rest != end || value.port == 0)
        return "the port is not a number from 1 to 65535";
    return {};
}

} // namespace detail

/// Takes `scheme://host[:port][/path][?query]`, and the same without `scheme://`. A fragment is dropped. Refused:
/// an empty or malformed host, a bad port, user information, anything but visible ASCII.
inline url_result parse_url(std::string_view text) {
    url_result result;
    const auto refuse = [&](std::string why) {
        result.value = {};
        result.error = std::move(why);
        return std::move(result);
    };
    if (!std::all_of(text.begin(), text.end(), [](char c) { return is_printable(c) && c != ' '; }))
        return refuse("blanks, control characters and characters beyond ASCII are not allowed");
    text = text.substr(0, text.find('#'));
    if (const std::size_t colon = text.find("://"); colon < text.find_first_of("/?")) {
        if (!detail::is_scheme(text.substr(0, colon))) return refuse("the scheme is invalid");
        result.value.scheme = lower_case(text.substr(0, colon));
        text.remove_prefix(colon + 3);
    }
    const std::string_view authority = text.substr(0, text.find_first_of("/?"));
    if (std::string wrong = detail::parse_authority(authority, result.value); !wrong.empty())
        return refuse(std::move(wrong));
    text.remove_prefix(authority.size());
    const std::size_t question = std::min(text.find('?'), text.size());
    result.value.path = text.substr(0, question);
    if (question != text.size()) result.value.query = text.substr(question + 1);
    return result;
}

/// Keeps the unreserved characters of RFC 3986 section 2.3; every other byte becomes `%XX`.
inline std::string percent_encode(std::string_view text) {
    constexpr char hex[] = "0123456789ABCDEF";
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        if (is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~') {
            out += c;
        } else {
            out += '%';
            out += hex[static_cast<unsigned char>(c) >> 4];
            out += hex[c & 15];
        }
    }
    return out;
}

/// Nothing if a `%` is not followed by two hexadecimal digits.
inline std::optional<std::string> percent_decode(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        const int octet = detail::percent_octet(text.substr(i));
        if (octet < 0) return std::nullopt;
        out += static_cast<char>(octet);
        i += 2;
    }
    return out;
}

/// The names and values of `a=1&b=2` in order, `%XX` and `+` decoded; a name without `=` has an empty value. A stray
/// `%` stands for itself, as browsers and servers read it.
inline std::vector<std::pair<std::string, std::string>> parse_query(std::string_view query) {
    const auto decode = [](std::string_view text) {
        std::string out;
        for (std::size_t i = 0; i < text.size(); ++i) {
            const int octet = detail::percent_octet(text.substr(i));
            if (octet >= 0) {
                out += static_cast<char>(octet);
                i += 2;
            } else {
                out += text[i] == '+' ? ' ' : text[i];
            }
        }
        return out;
    };
    std::vector<std::pair<std::string, std::string>> pairs;
    while (!query.empty()) {
        const std::string_view pair = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(pair.size() + 1, query.size()));
        if (pair.empty()) continue;
        const std::string_view name = pair.substr(0, pair.find('='));
        pairs.emplace_back(decode(name), decode(pair.substr(std::min(name.size() + 1, pair.size()))));
    }
    return pairs;
}

/// A dotted IPv4 address, or an IPv6 address without brackets and zone.
inline bool is_ip_literal(std::string_view host) noexcept {
    return detail::parse_ipv4(host).has_value() || detail::parse_ipv6(host).has_value();
}

/// `localhost` and names under it (RFC 6761 section 6.3), 127.0.0.0/8, ::1.
inline bool is_loopback(std::string_view host) {
    if (const auto v4 = detail::parse_ipv4(host)) return *v4 >> 24 == 127;
    if (const auto v6 = detail::parse_ipv6(host)) return *v6 == detail::ipv6_groups{0, 0, 0, 0, 0, 0, 0, 1};
    std::string name = lower_case(host);
    if (name.ends_with('.')) name.pop_back();
    return name == "localhost" || name.ends_with(".localhost");
}

} // namespace web
} // namespace v1
} // namespace sluice

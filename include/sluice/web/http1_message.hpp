// SPDX-License-Identifier: BSL-1.0
// HTTP/1.1 messages as values, and how they are written (RFC 9110, RFC 9112): nothing that could split a message.
#pragma once

#include <sluice/error.hpp>
#include <sluice/web/ascii.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace web {

namespace detail {

/// RFC 9110 section 5.6.2.
constexpr bool is_token_character(char c) noexcept {
    return is_letter(c) || is_digit(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}
inline bool is_token(std::string_view text) noexcept {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_token_character);
}

/// What a field value or a reason phrase is made of: visible characters, blanks, tabs, and bytes beyond ASCII.
inline bool is_field_text(std::string_view text) noexcept {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return is_printable(c) || c == '\t' || static_cast<unsigned char>(c) >= 0x80; });
}

/// Visible ASCII: a request target, the value of Host.
inline bool is_visible(std::string_view text) noexcept {
    return std::all_of(text.begin(), text.end(), [](char c) { return is_printable(c) && c != ' '; });
}

/// Without the blanks and tabs around it.
constexpr std::string_view trim(std::string_view text) noexcept {
    const std::size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// Calls `visit` with each element of a comma-separated list (RFC 9110 section 5.6.1) until it returns false.
template <class Visit>
constexpr bool for_each_element(std::string_view list, Visit visit) {
    for (;;) {
        const std::size_t comma = std::min(list.find(','), list.size());
        if (const std::string_view element = trim(list.substr(0, comma)); !element.empty() && !visit(element))
            return false;
        if (comma == list.size()) return true;
        list.remove_prefix(comma + 1);
    }
}

} // namespace detail

struct http_field {
    std::string name, value;
};

/// Header fields in the order in which they came or will be written; names are compared without regard to case.
struct http_fields {
    std::vector<http_field> list;

    http_fields() = default;
    http_fields(std::initializer_list<http_field> fields) : list(fields) {}

    auto begin() const noexcept { return list.begin(); }
    auto end() const noexcept { return list.end(); }
    std::size_t size() const noexcept { return list.size(); }
    bool empty() const noexcept { return list.empty(); }
    void clear() noexcept { list.clear(); }
    void add(std::string name, std::string value) { list.push_back({std::move(name), std::move(value)}); }

    /// The first field's value; null if there is none.
    const std::string* find(std::string_view name) const noexcept {
        for (const http_field& f : list)
            if (equal_ignoring_case(f.name, name)) return &f.value;
        return nullptr;
    }
    /// The first field's value; empty if there is none.
    std::string_view get(std::string_view name) const noexcept {
        const std::string* value = find(name);
        return value != nullptr ? std::string_view(*value) : std::string_view();
    }
    std::size_t count(std::string_view name) const noexcept {
        return static_cast<std::size_t>(std::count_if(
            list.begin(), list.end(), [&](const http_field& f) { return equal_ignoring_case(f.name, name); }));
    }
    /// True if one of the fields of that name lists the token: `has_token("Connection", "upgrade")`.
    bool has_token(std::string_view name, std::string_view token) const noexcept {
        const auto differs = [&](std::string_view element) { return !equal_ignoring_case(element, token); };
        return std::any_of(list.begin(), list.end(), [&](const http_field& f) {
            return equal_ignoring_case(f.name, name) && !detail::for_each_element(f.value, differs);
        });
    }
};

struct http_request {
    std::string method = "GET", target = "/";
    http_fields fields{};
    std::string body{};
};

struct http_response {
    int status = 0;
    std::string reason{};
    http_fields fields{};
    std::string body{};
    bool keep_alive = true; ///< the connection can carry another exchange after this one
};

namespace detail {

/// RFC 9110 section 6.4.1: responses to HEAD have no content either, which only the one who asked can know.
constexpr bool has_no_content(int status) noexcept { return status / 100 == 1 || status == 204 || status == 304; }

/// A Content-Length that is not the body's, or a coding other than chunked, would end the message elsewhere.
inline bool are_writable(const http_fields& fields, std::size_t body) noexcept {
    const bool chunked = fields.find("Transfer-Encoding") != nullptr;
    return std::all_of(fields.begin(), fields.end(), [&](const http_field& f) {
        if (!is_token(f.name) || !is_field_text(f.value)) return false;
        if (equal_ignoring_case(f.name, "Transfer-Encoding")) return equal_ignoring_case(f.value, "chunked");
        if (equal_ignoring_case(f.name, "Content-Length")) return !chunked && f.value == std::to_string(body);
        return true;
    });
}

inline void write_field(std::string& out, std::string_view name, std::string_view value) {
    out.append(name).append(": ").append(value).append("\r\n");
}

inline void write_fields_and_body(std::string& out, const http_fields& fields, std::string_view body, bool sized) {
    for (const http_field& f : fields) write_field(out, f.name, f.value);
    const bool chunked = fields.find("Transfer-Encoding") != nullptr;
    if (sized && !chunked && fields.find("Content-Length") == nullptr)
        write_field(out, "Content-Length", std::to_string(body.size()));
    out += "\r\n";
    if (!chunked) {
        out += body;
        return;
    }
    if (!body.empty()) {
        std::array<char, 16> size;
        const auto [end, ec] = std::to_chars(size.data(), size.data() + size.size(), body.size(), 16);
        out.append(size.data(), end).append("\r\n").append(body).append("\r\n");
    }
    out += "0\r\n\r\n";
}

} // namespace detail

/// Appends the request, with Host if the fields have none, and with Content-Length if there is a body or the method
/// wants one. With `Transfer-Encoding: chunked` among the fields the body goes out as a chunk. On
/// `errc::http_malformed` (a name, a value or the target could split the message) nothing is appended.
[[nodiscard]] inline std::error_code write_request(const http_request& request, std::string_view host,
                                                   std::string& out) {
    using namespace detail;
    if (!is_token(request.method) || request.target.empty() || !is_visible(request.target) || !is_visible(host) ||
        !are_writable(request.fields, request.body.size()))
        return errc::http_malformed;
    const bool wants_content = request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
    out.append(request.method).append(" ").append(request.target).append(" HTTP/1.1\r\n");
    if (request.fields.find("Host") == nullptr) write_field(out, "Host", host);
    write_fields_and_body(out, request.fields, request.body, wants_content || !request.body.empty());
    return {};
}

/// Appends the response, with Content-Length where the status allows one, and with `Connection: close` if it is not
/// `keep_alive` and the fields do not say so. 1xx, 204 and 304 have no body. On `errc::http_malformed` (a status that
/// is not 100 to 999, a name or a value that could split the message) nothing is appended.
inline std::error_code write_response(const http_response& response, std::string& out) {
    using namespace detail;
    const bool bodiless = has_no_content(response.status);
    if (response.status < 100 || response.status > 999 || !is_field_text(response.reason) ||
        !are_writable(response.fields, response.body.size()) ||
        (bodiless && response.fields.find("Transfer-Encoding") != nullptr))
        return errc::http_malformed;
    out.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ").append(response.reason).append("\r\n");
    if (!response.keep_alive && response.fields.find("Connection") == nullptr) write_field(out, "Connection", "close");
    write_fields_and_body(out, response.fields, bodiless ? std::string_view() : response.body, !bodiless);
    return {};
}

} // namespace web
} // namespace v1
} // namespace sluice

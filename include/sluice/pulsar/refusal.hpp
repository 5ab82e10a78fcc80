// SPDX-License-Identifier: BSL-1.0
// Answers that are no success: a status and a body (GDN's JSON, Jetty's HTML, a gateway's anything) become a failure.
#pragma once

#include <sluice/error.hpp>
#include <sluice/pulsar/server_text.hpp>
#include <sluice/web/http1_message.hpp>
#include <sluice/web/utf8.hpp>

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace pulsar {

namespace detail {

/// Where `what` stands without regard to the case of ASCII; npos if nowhere.
inline std::size_t find_ignoring_case(std::string_view text, std::string_view what, std::size_t from = 0) {
    const auto same = [](char a, char b) { return web::to_lower(a) == web::to_lower(b); };
    const auto at = std::search(text.begin() + static_cast<std::ptrdiff_t>(std::min(from, text.size())), text.end(),
                                what.begin(), what.end(), same);
    return at == text.end() ? std::string_view::npos : static_cast<std::size_t>(at - text.begin());
}

/// What stands between two marks; nothing if either is missing.
inline std::optional<std::string_view> between(std::string_view text, std::string_view begin, std::string_view end) {
    const std::size_t first = find_ignoring_case(text, begin);
    if (first == std::string_view::npos) return std::nullopt;
    text.remove_prefix(first + begin.size());
    const std::size_t last = find_ignoring_case(text, end);
    if (last == std::string_view::npos) return std::nullopt;
    return text.substr(0, last);
}

/// The character of `&name;`, given without `&` and `;`. 0 for one that servers do not write.
inline std::uint32_t html_character(std::string_view name) {
    constexpr std::array<std::pair<std::string_view, char>, 6> known{
        {{"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}, {"nbsp", ' '}}};
    for (const auto& [text, c] : known)
        if (text == name) return static_cast<unsigned char>(c);
    if (!name.starts_with('#')) return 0;
    name.remove_prefix(1);
    const bool hexadecimal = name.starts_with('x') || name.starts_with('X');
    if (hexadecimal) name.remove_prefix(1);
    std::uint32_t code = 0;
    const char* const end = name.data() + name.size();
    const auto [rest, ec] = std::from_chars(name.data(), end, code, hexadecimal ? 16 : 10);
    const bool character = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    return ec == std::errc() && rest == end && character ? code : 0;
}

inline std::string html_unescape(std::string_view html) {
    std::string text;
    while (!html.empty()) {
        const std::size_t n = std::min(html.find('&'), html.size());
        text += html.substr(0, n);
        html.remove_prefix(n);
        if (html.empty()) break;
        constexpr std::size_t longest = 10;
        const std::size_t end = html.substr(0, longest).find(';');
        const std::uint32_t code = end == std::string_view::npos ? 0 : html_character(html.substr(1, end - 1));
        if (code != 0)
            web::append_utf8(text, code);
        else
            text += '&';
        html.remove_prefix(code != 0 ? end + 1 : 1);
    }
    return text;
}

inline std::string latin1_to_utf8(std::string_view latin1) {
    std::string text;
    for (const char c : latin1) web::append_utf8(text, static_cast<unsigned char>(c));
    return text;
}

/// The text of an error page: Jetty's MESSAGE cell, else the title; nothing if it has neither.
inline std::optional<std::string> html_message(std::string_view page, bool latin1) {
    auto cell = between(page, "<th>MESSAGE:</th><td>", "</td>");
    if (!cell || cell->empty()) cell = between(page, "<title>", "</title>");
    if (!cell) return std::nullopt;
    return html_unescape(latin1 ? latin1_to_utf8(*cell) : std::string(*cell));
}

/// What a JSON error says: `errorMessage` (GDN), `reason` (Pulsar's REST), `error_msg` and `message` (gateways).
inline std::optional<std::string> json_message(std::string_view body) {
    simdjson::dom::parser parser;
    simdjson::dom::object object;
    if (parser.parse(body.data(), body.size()).get(object) != simdjson::SUCCESS) return std::nullopt;
    for (const char* name : {"errorMessage", "reason", "error_msg", "message"})
        if (std::string_view text; object[name].get(text) == simdjson::SUCCESS && !text.empty())
            return std::string(text);
    return std::nullopt;
}

inline std::string message_of(const web::http_response& response) {
    const std::string_view type = response.fields.get("Content-Type");
    const std::string_view body = response.body;
    const std::size_t first = std::min(body.find_first_not_of(" \t\r\n"), body.size());
    std::optional<std::string> text = json_message(body);
    if (!text && (find_ignoring_case(type, "html") != std::string_view::npos || body.substr(first).starts_with('<')))
        text = html_message(body, find_ignoring_case(type, "iso-8859-1") != std::string_view::npos);
    if (text) return server_text(*text);
    // A success may hold a token or a one-time password in a form that is not known: nothing of it is shown.
    if (response.status / 100 == 2)
        return "the body is not the expected JSON" + (type.empty() ? "" : " but " + server_text(type, longest_excerpt));
    return server_text(body, longest_excerpt);
}

inline errc errc_of(int status, std::string_view text) {
    const auto says = [&](std::string_view word) { return find_ignoring_case(text, word) != std::string_view::npos; };
    switch (status) {
    case 401: return errc::unauthorized;
    case 403: return errc::forbidden;
    case 404: return errc::not_found;
    case 408: return errc::request_timeout; // of a server to which a connection said nothing for too long
    case 409: return errc::conflict;
    case 429: return errc::throttled;
    case 503:
        if (says("quota")) return errc::quota_exceeded;
        if (says("terminated")) return errc::topic_terminated;
        return errc::server_error;
    default: break;
    }
    if (status >= 400 && status < 500) return errc::bad_request;
    if (status >= 500 && status < 600) return errc::server_error;
    return errc::unexpected_answer;
}

/// `Retry-After` in seconds; its form with a date needs a clock and is left out.
inline long retry_after(const web::http_fields& fields) {
    const std::string_view text = fields.get("Retry-After");
    long seconds = -1;
    const char* const end = text.data() + text.size();
    const auto [rest, ec] = std::from_chars(text.data(), end, seconds);
    return ec == std::errc() && rest == end && seconds >= 0 ? seconds : -1;
}

inline failure failure_with(errc code, const web::http_response& response, std::string_view what,
                            std::string_view text) {
    error_details details;
    details.http_status = response.status;
    details.text = what;
    if (!what.empty()) details.text += ": ";
    details.text += text.empty() ? "HTTP status " + std::to_string(response.status) : std::string(text);
    details.request_id = server_text(response.fields.get("x-gdn-requestid"), longest_excerpt);
    details.retry_after_s = retry_after(response.fields);
    return make_failure(make_error_code(code), std::move(details));
}

} // namespace detail

/// What an answer that is no success means; `what` names the call and stands before the server's words. 401
/// `unauthorized`, 403 `forbidden`, 404 `not_found`, 409 `conflict`, 429 `throttled`, another 4xx `bad_request`, 503
/// `quota_exceeded` or `topic_terminated` if its text says so, another 5xx `server_error`, all else (also a 2xx that
/// was no answer to the call) `unexpected_answer`.
inline failure failure_of(const web::http_response& response, std::string_view what) {
    const std::string text = detail::message_of(response);
    return detail::failure_with(detail::errc_of(response.status, text), response, what, text);
}

} // namespace pulsar
} // namespace v1
} // namespace sluice

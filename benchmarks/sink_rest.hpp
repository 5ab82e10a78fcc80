// SPDX-License-Identifier: BSL-1.0
// The sink's answers to HTTP/1.1 requests, without I/O: as much of GDN's REST interface as a producer asks for.
#pragma once

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <string>
#include <string_view>

namespace bench {

/// What became of the bytes at the front of a connection that is not upgraded yet.
struct http_step {
    enum { incomplete, answered, upgraded, refused } what = incomplete;
    std::size_t taken = 0; ///< bytes of the request, its body included
    std::string answer{};
    bool deflate = false; ///< permessage-deflate is agreed on
};

namespace detail {

inline bool same_word(std::string_view a, std::string_view b) noexcept {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return std::ranges::equal(a, b, {}, lower, lower);
}

inline std::string_view trim(std::string_view text) noexcept {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

inline std::string_view header(std::string_view head, std::string_view name) noexcept {
    for (std::size_t at = head.find("\r\n"); at != std::string_view::npos;) {
        const std::size_t begin = at + 2;
        at = head.find("\r\n", begin);
        const std::string_view line = head.substr(begin, at == std::string_view::npos ? at : at - begin);
        const std::size_t colon = line.find(':');
        if (colon != std::string_view::npos && same_word(line.substr(0, colon), name))
            return trim(line.substr(colon + 1));
    }
    return {};
}

/// RFC 6455 4.2.2: base64 of the SHA-1 of the key and a fixed text.
inline std::string websocket_accept(std::string_view key) {
    const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char digest[SHA_DIGEST_LENGTH];
    SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
    unsigned char encoded[32];
    const int n = EVP_EncodeBlock(encoded, digest, SHA_DIGEST_LENGTH);
    return {reinterpret_cast<const char*>(encoded), static_cast<std::size_t>(n)};
}

inline std::string json_answer(std::string_view status, std::string_view body) {
    std::string text = "HTTP/1.1 ";
    text.append(status).append("\r\nContent-Type: application/json\r\nContent-Length: ");
    text.append(std::to_string(body.size())).append("\r\n\r\n").append(body);
    return text;
}

inline std::string rest_answer(std::string_view method, std::string_view path, std::string_view host) {
    constexpr std::string_view streams = "/_api/streams";
    if (method == "POST" && path == "/apid/otp") return json_answer("200 OK", R"({"otp":"0123456789abcdef"})");
    if (method == "POST" && path == "/_open/auth")
        return json_answer("200 OK", R"({"jwt":"e30.eyJ0ZW5hbnQiOiJfbW0ifQ.e30","tenant":"_mm","username":"root"})");
    if (method == "GET" && path == "/datacenter/local") {
        const std::string name(host);
        return json_answer("200 OK",
                           R"({"_key":"local","host":")" + name +
                               R"(","local":true,"name":"local","spot_region":false,"status":0,"tags":{"api":")" +
                               name + R"(","url":")" + name + R"("}})");
    }
    if (path.starts_with("/_fabric/")) {
        const std::size_t at = path.find(streams);
        if (at != std::string_view::npos) {
            std::string_view name = path.substr(at + streams.size());
            if (method == "GET") return json_answer("200 OK", R"({"error":false,"code":200,"result":[]})");
            if (method == "POST" && name.starts_with('/')) {
                name.remove_prefix(1);
                return json_answer("200 OK", R"({"error":false,"code":202,"result":{"stream-id":"c8globals.)" +
                                                 std::string(name) + R"("}})");
            }
        }
    }
    return json_answer("404 Not Found", R"({"error":true,"code":404,"errorMessage":"not found","errorNum":404})");
}

} // namespace detail

/// Answers the first request in `data`, if it is there whole. A producer path with a WebSocket key is upgraded; neither
/// credentials nor the OTP are looked at. `deflate`: permessage-deflate is accepted where it is offered and asks
/// nothing of the server, which sends no message compressed.
inline http_step answer_http(std::string_view data, bool deflate) {
    constexpr std::size_t max_head = 64u << 10;
    http_step step;
    const std::size_t end = data.substr(0, max_head).find("\r\n\r\n");
    if (end == std::string_view::npos) {
        if (data.size() >= max_head) step.what = http_step::refused;
        return step;
    }
    const std::string_view head = data.substr(0, end);
    const std::string_view line = head.substr(0, head.find("\r\n"));
    const std::size_t space = line.find(' ');
    const std::size_t second = line.find(' ', space + 1);
    std::size_t body = 0;
    const std::string_view length = detail::header(head, "content-length");
    const auto number = std::from_chars(length.data(), length.data() + length.size(), body);
    if (space == std::string_view::npos || second == std::string_view::npos ||
        number.ptr != length.data() + length.size() || body > max_head) {
        step.what = http_step::refused;
        return step;
    }
    if (data.size() < end + 4 + body) return step;
    step.taken = end + 4 + body;

    const std::string_view target = line.substr(space + 1, second - space - 1);
    const std::string_view path = target.substr(0, target.find('?'));
    const std::string_view key = detail::header(head, "sec-websocket-key");
    if (!key.empty() && path.find("/ws/v2/producer/") != std::string_view::npos) {
        step.what = http_step::upgraded;
        step.answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      "Sec-WebSocket-Accept: " +
                      detail::websocket_accept(key) + "\r\n";
        const std::string_view offer = detail::header(head, "sec-websocket-extensions");
        step.deflate = deflate && offer.starts_with("permessage-deflate") && offer.find("server_") == offer.npos;
        if (step.deflate) step.answer += "Sec-WebSocket-Extensions: permessage-deflate\r\n";
        step.answer += "\r\n";
        return step;
    }
    step.what = http_step::answered;
    step.answer = detail::rest_answer(line.substr(0, space), path, detail::header(head, "host"));
    return step;
}

} // namespace bench

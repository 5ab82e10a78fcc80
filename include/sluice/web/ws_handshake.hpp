// SPDX-License-Identifier: BSL-1.0
// The WebSocket upgrade, RFC 6455 section 4: the client's request and its check of the answer, the server's answer.
#pragma once

#include <sluice/error.hpp>
#include <sluice/web/base64.hpp>
#include <sluice/web/http1_message.hpp>

#include <openssl/evp.h>

#include <array>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace web {

/// A nonce for `Sec-WebSocket-Key`: 16 random octets in base64, new for each connection.
inline std::string make_websocket_key(random_source random) {
    std::array<std::byte, 16> nonce;
    random(nonce);
    return base64_encode_string(nonce);
}

/// What a server answers to the key: SHA-1 over the key and the GUID of section 1.3, in base64.
inline std::string websocket_accept(std::string_view key) {
    std::string text(key);
    text += "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned int size = 0;
    if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr) != 1) return {};
    return base64_encode_string(std::as_bytes(std::span(digest).first(size)));
}

/// The client's request. `authorization`: the value of that field, none if it is empty. `write_request` adds Host.
inline http_request make_upgrade(std::string target, std::string_view key, std::string authorization = {}) {
    http_request request;
    request.target = std::move(target);
    request.fields = {
        {"Upgrade", "websocket"},
        {"Connection", "Upgrade"},
        {"Sec-WebSocket-Key", std::string(key)},
        {"Sec-WebSocket-Version", "13"},
    };
    if (!authorization.empty()) request.fields.add("Authorization", std::move(authorization));
    return request;
}

/// The client's check of the answer, section 4.1. `errc::handshake_refused`: the status is not 101 (which may be an
/// ordinary answer: 401, 503, a redirection). `errc::handshake_invalid`: it is, and a field is missing, wrong, or
/// selects an extension or a subprotocol that was not offered. Who offered an extension checks the answer to it.
inline std::error_code check_upgrade(const http_response& response, std::string_view key,
                                     bool extension_offered = false) {
    if (response.status != 101) return errc::handshake_refused;
    const http_fields& fields = response.fields;
    const auto selects = [&](std::string_view name) {
        for (const http_field& f : fields)
            if (equal_ignoring_case(f.name, name) && !f.value.empty()) return true;
        return false;
    };
    if (fields.count("Upgrade") != 1 || !equal_ignoring_case(fields.get("Upgrade"), "websocket") ||
        !fields.has_token("Connection", "upgrade") || fields.count("Sec-WebSocket-Accept") != 1 ||
        fields.get("Sec-WebSocket-Accept") != websocket_accept(key) || selects("Sec-WebSocket-Protocol") ||
        (!extension_offered && selects("Sec-WebSocket-Extensions")))
        return errc::handshake_invalid;
    return {};
}

/// The server's answer, section 4.2: 101; or 405, 426 (not an upgrade to WebSocket), 400 (with the version that is
/// spoken where another was asked for) and why in the body. Selects neither extension nor subprotocol: add those.
inline http_response accept_upgrade(const http_request& request) {
    const auto refuse = [](int status, std::string reason, std::string why, http_fields fields = {}) {
        http_response response;
        response.status = status;
        response.reason = std::move(reason);
        response.fields = std::move(fields);
        response.body = std::move(why);
        return response;
    };
    const http_fields& fields = request.fields;
    if (request.method != "GET") return refuse(405, "Method Not Allowed", "an upgrade is a GET", {{"Allow", "GET"}});
    if (!fields.has_token("Upgrade", "websocket") || !fields.has_token("Connection", "upgrade"))
        return refuse(426, "Upgrade Required", "not an upgrade to WebSocket",
                      {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}});
    if (fields.count("Host") != 1) return refuse(400, "Bad Request", "one Host is needed");
    if (fields.count("Sec-WebSocket-Version") != 1 || fields.get("Sec-WebSocket-Version") != "13")
        return refuse(400, "Bad Request", "the version is not 13", {{"Sec-WebSocket-Version", "13"}});
    const std::string_view key = fields.get("Sec-WebSocket-Key");
    std::array<std::byte, base64_decoded_bound(24)> nonce;
    if (fields.count("Sec-WebSocket-Key") != 1 || key.size() != 24 || base64_decode(key, nonce.data()) != 16u)
        return refuse(400, "Bad Request", "Sec-WebSocket-Key is not 16 octets in base64");

    http_response response;
    response.status = 101;
    response.reason = "Switching Protocols";
    response.fields = {
        {"Upgrade", "websocket"},
        {"Connection", "Upgrade"},
        {"Sec-WebSocket-Accept", websocket_accept(key)},
    };
    return response;
}

} // namespace web
} // namespace v1
} // namespace sluice

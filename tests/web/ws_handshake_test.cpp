// SPDX-License-Identifier: BSL-1.0
// The upgrade: the example of RFC 6455, every field missing or wrong on either side, and one side against the other.
#include <sluice/web/ws_handshake.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace sluice::web;
using sluice::errc;

namespace {

const std::string sample_key = "dGhlIHNhbXBsZSBub25jZQ=="; // section 1.3
const std::string sample_accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

http_response switching(http_fields fields) {
    http_response response;
    response.status = 101;
    response.fields = std::move(fields);
    return response;
}

/// The request with a field replaced, or without it.
http_request with(http_request request, std::string_view name, std::string value) {
    for (http_field& f : request.fields.list)
        if (f.name == name) f.value = value;
    return request;
}
http_request without(http_request request, std::string_view name) {
    std::erase_if(request.fields.list, [&](const http_field& f) { return f.name == name; });
    return request;
}

http_request sample_request() {
    http_request request = make_upgrade("/chat", sample_key);
    request.fields.add("Host", "server.example.com");
    return request;
}

} // namespace

TEST_CASE("the key and its answer") {
    CHECK(websocket_accept(sample_key) == sample_accept);
    std::string nonce = "the sample nonce";
    const random_source repeat{&nonce, [](void* context, std::span<std::byte> out) {
                                   const auto& text = *static_cast<std::string*>(context);
                                   REQUIRE(out.size() == text.size());
                                   std::copy_n(as_bytes(text).data(), text.size(), out.data());
                               }};
    CHECK(make_websocket_key(repeat) == sample_key);
}

TEST_CASE("the client's request") {
    std::string wire;
    CHECK_FALSE(write_request(make_upgrade("/chat?x=1", sample_key), "server.example.com", wire));
    CHECK(wire == "GET /chat?x=1 HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
    CHECK(make_upgrade("/", sample_key).fields.count("Authorization") == 0);
    CHECK(make_upgrade("/", sample_key, "apikey x").fields.get("Authorization") == "apikey x");
}

TEST_CASE("the client's check of the answer") {
    struct row {
        std::string_view name;
        http_fields fields;
        std::error_code ec;
    };
    const http_field upgrade{"Upgrade", "websocket"}, connection{"Connection", "Upgrade"},
        accept{"Sec-WebSocket-Accept", sample_accept};
    const std::vector<row> rows{
        {"plain", {upgrade, connection, accept}, {}},
        {"Jetty 9", {{"Connection", "Upgrade"}, accept, {"Upgrade", "WebSocket"}}, {}},
        {"lower case",
         {{"upgrade", "WEBSOCKET"}, {"connection", "upgrade"}, {"sec-websocket-accept", sample_accept}},
         {}},
        {"a list of options", {upgrade, {"Connection", "keep-alive, Upgrade"}, accept}, {}},
        {"other fields", {upgrade, connection, accept, {"Server", "x"}, {"Date", "today"}}, {}},
        {"nothing selected", {upgrade, connection, accept, {"Sec-WebSocket-Protocol", ""}}, {}},
        {"nothing at all", {}, errc::handshake_invalid},
        {"no Upgrade", {connection, accept}, errc::handshake_invalid},
        {"another Upgrade", {{"Upgrade", "h2c"}, connection, accept}, errc::handshake_invalid},
        {"two Upgrades", {upgrade, upgrade, connection, accept}, errc::handshake_invalid},
        {"no Connection", {upgrade, accept}, errc::handshake_invalid},
        {"another Connection", {upgrade, {"Connection", "close"}, accept}, errc::handshake_invalid},
        {"no Accept", {upgrade, connection}, errc::handshake_invalid},
        {"another Accept",
         {upgrade, connection, {"Sec-WebSocket-Accept", "S3pPLMBiTxaQ9kYGzzhZRbK+xOo="}},
         errc::handshake_invalid},
        {"two Accepts", {upgrade, connection, accept, accept}, errc::handshake_invalid},
        {"a subprotocol", {upgrade, connection, accept, {"Sec-WebSocket-Protocol", "chat"}}, errc::handshake_invalid},
        {"an extension",
         {upgrade, connection, accept, {"Sec-WebSocket-Extensions", "permessage-deflate"}},
         errc::handshake_invalid},
    };
    for (const row& r : rows) {
        CAPTURE(r.name);
        CHECK(check_upgrade(switching(r.fields), sample_key) == r.ec);
    }
    const http_fields good{upgrade, connection, accept};
    CHECK(check_upgrade(switching(good), make_websocket_key({nullptr, [](void*, std::span<std::byte> out) {
                                                                 std::fill(out.begin(), out.end(), std::byte{1});
                                                             }})) == errc::handshake_invalid);
    for (const int status : {100, 200, 301, 400, 401, 403, 404, 500, 503}) {
        http_response response = switching(good);
        response.status = status;
        CHECK(check_upgrade(response, sample_key) == errc::handshake_refused);
    }
    const http_fields extended{upgrade, connection, accept, {"Sec-WebSocket-Extensions", "permessage-deflate"}};
    CHECK_FALSE(check_upgrade(switching(extended), sample_key, true));
}

TEST_CASE("the server's answer") {
    struct row {
        std::string_view name;
        http_request request;
        int status;
    };
    const http_request good = sample_request();
    http_request post = good;
    post.method = "POST";
    http_request two_keys = good;
    two_keys.fields.add("Sec-WebSocket-Key", sample_key);
    const std::vector<row> rows{
        {"good", good, 101},
        {"in other letters", with(with(good, "Upgrade", "WebSocket"), "Connection", "keep-alive, upgrade"), 101},
        {"one of several upgrades", with(good, "Upgrade", "h2c, websocket"), 101},
        {"a POST", post, 405},
        {"no Upgrade", without(good, "Upgrade"), 426},
        {"another Upgrade", with(good, "Upgrade", "h2c"), 426},
        {"no Connection", without(good, "Connection"), 426},
        {"another Connection", with(good, "Connection", "close"), 426},
        {"no Host", without(good, "Host"), 400},
        {"no version", without(good, "Sec-WebSocket-Version"), 400},
        {"an old version", with(good, "Sec-WebSocket-Version", "8"), 400},
        {"no key", without(good, "Sec-WebSocket-Key"), 400},
        {"two keys", two_keys, 400},
        {"an empty key", with(good, "Sec-WebSocket-Key", ""), 400},
        {"a short key", with(good, "Sec-WebSocket-Key", "AAAA"), 400},
        {"a key of 18 octets", with(good, "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAAAA"), 400},
        {"a key that is not base64", with(good, "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j*Q=="), 400},
    };
    for (const row& r : rows) {
        CAPTURE(r.name);
        const http_response response = accept_upgrade(r.request);
        CHECK(response.status == r.status);
        CHECK_FALSE(response.reason.empty());
        CHECK(response.body.empty() == (r.status == 101));
        const std::error_code ec = check_upgrade(response, sample_key);
        CHECK(ec == (r.status == 101 ? std::error_code() : errc::handshake_refused));
        std::string wire;
        CHECK_FALSE(write_response(response, wire));
    }
    CHECK(accept_upgrade(good).fields.get("Sec-WebSocket-Accept") == sample_accept);
    CHECK(accept_upgrade(post).fields.get("Allow") == "GET");
    CHECK(accept_upgrade(without(good, "Upgrade")).fields.get("Upgrade") == "websocket");
    CHECK(accept_upgrade(with(good, "Sec-WebSocket-Version", "8")).fields.get("Sec-WebSocket-Version") == "13");
}

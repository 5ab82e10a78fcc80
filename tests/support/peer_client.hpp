// SPDX-License-Identifier: BSL-1.0
// A client that talks to a `peer` directly: HTTP requests, the upgrade, and text messages, all in one thread without
// I/O.
#pragma once

#include <sluice/testing/gateway/peer.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace test {

namespace web = sluice::web;
using sluice::testing::peer;
using sluice::testing::proxy_model;
using sluice::testing::proxy_options;
using sluice::testing::time_point;

inline constexpr time_point start{std::chrono::seconds(1'796'155'444)}; // 2026-12-01

/// Repeats itself, so that a test does.
inline web::random_source counting_random(std::uint64_t& state) {
    return {&state, [](void* context, std::span<std::byte> out) {
                auto& n = *static_cast<std::uint64_t*>(context);
                for (std::byte& b : out) {
                    n = n * 6364136223846793005u + 1442695040888963407u;
                    b = static_cast<std::byte>(n >> 56);
                }
            }};
}

class peer_client {
public:
    explicit peer_client(proxy_model& model, time_point at = start, peer::watchers w = {})
        : now(at), keys_(counting_random(state_)), peer_(std::make_unique<peer>(model, at, w)) {}

    time_point now;
    peer& server() { return *peer_; }

    /// Everything that the peer has to say now, as raw bytes.
    std::string take() {
        std::string all;
        for (auto bytes = peer_->output(); !bytes.empty(); bytes = peer_->output()) {
            all += web::as_text(bytes);
            peer_->consume_output(bytes.size());
        }
        return all;
    }
    std::string raw(std::string_view bytes) {
        peer_->receive(web::as_bytes(bytes), now);
        return take();
    }

    web::http_response request(std::string method, std::string target, std::string authorization = {},
                               std::string body = {}) {
        web::http_request r;
        r.method = std::move(method);
        r.target = std::move(target);
        if (!authorization.empty()) r.fields.add("Authorization", std::move(authorization));
        r.body = std::move(body);
        return exchange(r);
    }
    web::http_response exchange(const web::http_request& r) {
        std::string out;
        REQUIRE(!web::write_request(r, "localhost", out));
        peer_->receive(web::as_bytes(out), now);
        web::http_response_parser parser;
        const std::string in = take();
        const std::size_t n = parser.feed(web::as_bytes(in));
        REQUIRE(parser.done());
        if (parser.response().status != 101) REQUIRE(n == in.size());
        if (parser.response().status == 101) ws_.feed(web::as_bytes(in).subspan(n));
        return parser.response();
    }
    /// Asks for a socket; the answer to the upgrade.
    web::http_response upgrade(std::string target, std::string authorization = {}) {
        return exchange(web::make_upgrade(std::move(target), "AAECAwQFBgcICQoLDA0ODw==", std::move(authorization)));
    }

    /// Sends a text message; what the peer answers, in order.
    std::vector<std::string> say(std::string_view message) {
        ws_.send(web::opcode::text, web::as_bytes(message));
        return exchange_frames();
    }
    /// Queued: goes out with the next `exchange_frames`.
    web::ws_connection& websocket() { return ws_; }
    std::vector<std::string> exchange_frames() {
        for (auto bytes = ws_.output(); !bytes.empty(); bytes = ws_.output()) {
            peer_->receive(bytes, now);
            ws_.consume_output(bytes.size());
        }
        return listen();
    }
    std::vector<std::string> listen() {
        ws_.feed(web::as_bytes(take()));
        std::vector<std::string> texts;
        for (;;) {
            const auto e = ws_.next();
            if (e.what == web::ws_connection::event::kind::none) return texts;
            if (e.what == web::ws_connection::event::kind::text) texts.emplace_back(web::as_text(e.data));
            if (e.what == web::ws_connection::event::kind::close) {
                close_code = e.close_code;
                close_reason = e.reason;
            }
        }
    }
    std::vector<std::string> advance(std::chrono::nanoseconds by) {
        now += by;
        peer_->advance(now);
        return listen();
    }

    int close_code = 0; ///< of the peer's close frame
    std::string close_reason{};

private:
    std::uint64_t state_ = 1;
    web::mask_keys keys_;
    web::ws_connection ws_{web::ws_connection::role::client, &keys_, {}};
    std::unique_ptr<peer> peer_;
};

} // namespace test

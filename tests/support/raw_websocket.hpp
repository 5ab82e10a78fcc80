// SPDX-License-Identifier: BSL-1.0
// A WebSocket made of web/ and a socket: for what the library has no client of.
#pragma once

#include <sluice/web/http1.hpp>
#include <sluice/web/ws_connection.hpp>
#include <sluice/web/ws_handshake.hpp>

#include "run_loop.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace test {

namespace web = sluice::web;

class raw_websocket {
public:
    raw_websocket(asio::io_context& context, std::uint16_t port)
        : socket_(context), where_(asio::ip::address_v4::loopback(), port) {}

    /// Connects and asks for a socket; the answer's status, 0 if there is none.
    asio::awaitable<int> open(std::string target, std::string authorization = {}) {
        std::error_code ec;
        co_await socket_.async_connect(where_, asio::redirect_error(asio::use_awaitable, ec));
        if (ec) co_return 0;
        std::string out;
        const web::http_request request =
            web::make_upgrade(std::move(target), "AAECAwQFBgcICQoLDA0ODw==", std::move(authorization));
        REQUIRE(!web::write_request(request, "localhost", out));
        co_await asio::async_write(socket_, asio::buffer(out), asio::redirect_error(asio::use_awaitable, ec));
        web::http_response_parser parser;
        while (!parser.done()) {
            std::string in = co_await read();
            if (in.empty()) co_return 0;
            in.erase(0, parser.feed(web::as_bytes(in)));
            ws_.feed(web::as_bytes(in)); // frames may come with the answer
        }
        co_return parser.response().status;
    }
    /// What nobody reads is lost; `hear` tells.
    asio::awaitable<void> say(std::string text) {
        ws_.send(web::opcode::text, web::as_bytes(text));
        std::string out(web::as_text(ws_.output()));
        ws_.consume_output(out.size());
        std::error_code ignored;
        co_await asio::async_write(socket_, asio::buffer(out), asio::redirect_error(asio::use_awaitable, ignored));
    }
    /// The next text message; nothing once the connection has ended.
    asio::awaitable<std::optional<std::string>> hear() {
        for (;;) {
            const web::ws_connection::event e = ws_.next();
            using kind = web::ws_connection::event::kind;
            if (e.what == kind::text) co_return std::string(web::as_text(e.data));
            if (e.what == kind::close) close_code = e.close_code;
            if (e.what == kind::close || e.what == kind::error) co_return std::nullopt;
            if (e.what != kind::none) continue;
            const std::string in = co_await read();
            if (in.empty()) co_return std::nullopt;
            ws_.feed(web::as_bytes(in));
        }
    }
    void reset() {
        std::error_code ignored;
        socket_.set_option(asio::socket_base::linger(true, 0), ignored);
        socket_.close(ignored);
    }
    void close() { socket_.close(); }

    int close_code = 0; ///< of the server's close frame

private:
    asio::awaitable<std::string> read() {
        std::array<char, 4096> in;
        std::error_code ec;
        const std::size_t n =
            co_await socket_.async_read_some(asio::buffer(in), asio::redirect_error(asio::use_awaitable, ec));
        co_return std::string(in.data(), ec ? 0 : n);
    }
    static void fill(void* state, std::span<std::byte> out) {
        auto& n = *static_cast<std::uint64_t*>(state);
        for (std::byte& b : out) b = static_cast<std::byte>((n = n * 6364136223846793005u + 1) >> 56);
    }

    asio::ip::tcp::socket socket_;
    asio::ip::tcp::endpoint where_;
    std::uint64_t state_ = 1;
    web::mask_keys keys_{web::random_source{&state_, &raw_websocket::fill}};
    web::ws_connection ws_{web::ws_connection::role::client, &keys_, {}};
};

} // namespace test

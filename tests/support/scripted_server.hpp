// SPDX-License-Identifier: BSL-1.0
// A server that does what a test says, right or wrong: for what the gateway never does.
#pragma once

#include <sluice/web/http1.hpp>
#include <sluice/web/ws_connection.hpp>
#include <sluice/web/ws_handshake.hpp>

#include "run_loop.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace test {

namespace web = sluice::web;

/// One connection, as its script sees it. The socket is closed when the script ends.
class scripted_peer {
public:
    explicit scripted_peer(asio::ip::tcp::socket s) : socket(std::move(s)) {}

    asio::ip::tcp::socket socket;
    web::http_request last_request{};

    /// The next request; false if the connection ends before it.
    asio::awaitable<bool> request() {
        web::http_request_parser parser;
        while (!parser.done()) {
            if (unread_.empty() && !co_await read_more()) co_return false;
            const std::size_t n = parser.feed(web::as_bytes(unread_));
            unread_.erase(0, n);
            if (parser.error()) co_return false;
        }
        last_request = std::move(parser.request());
        co_return true;
    }

    /// False if nobody reads it.
    asio::awaitable<bool> write(std::string bytes) {
        std::error_code ec;
        co_await asio::async_write(socket, asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, ec));
        co_return !ec;
    }
    asio::awaitable<bool> answer(int status, std::string body, std::string more_fields = {}) {
        std::string text = "HTTP/1.1 " + std::to_string(status) +
                           " \r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + more_fields + "\r\n" + body;
        co_return co_await write(std::move(text));
    }

    /// Answers 101 to the next request, whatever it is for.
    asio::awaitable<bool> upgrade() {
        const bool asked = co_await request();
        if (!asked) co_return false;
        co_return co_await accept();
    }
    /// Answers 101 to the last request.
    asio::awaitable<bool> accept() {
        std::string text;
        const auto ignored = web::write_response(web::accept_upgrade(last_request), text);
        static_cast<void>(ignored);
        websocket_.emplace(web::ws_connection::role::server, nullptr);
        websocket_->feed(web::as_bytes(unread_));
        unread_.clear();
        co_return co_await write(std::move(text));
    }

    /// The next text message; nothing if the socket is closed or lost. Pings are answered.
    asio::awaitable<std::optional<std::string>> message() {
        for (;;) {
            const web::ws_connection::event e = websocket_->next();
            switch (e.what) {
            case web::ws_connection::event::kind::text: co_return std::string(web::as_text(e.data));
            case web::ws_connection::event::kind::none: {
                const bool flushed = co_await flush();
                if (!flushed) co_return std::nullopt;
                const bool more = co_await read_more();
                if (!more) co_return std::nullopt;
                websocket_->feed(web::as_bytes(unread_));
                unread_.clear();
                break;
            }
            case web::ws_connection::event::kind::close:
            case web::ws_connection::event::kind::error: {
                close_code = e.close_code;
                const bool flushed = co_await flush();
                static_cast<void>(flushed);
                co_return std::nullopt;
            }
            default: break;
            }
        }
    }
    asio::awaitable<bool> say(std::string text) {
        websocket_->send(web::opcode::text, web::as_bytes(text));
        co_return co_await flush();
    }
    asio::awaitable<bool> acknowledge(std::string context, std::string id = "CAQQADAA") {
        co_return co_await say("{\"result\":\"ok\",\"messageId\":\"" + id + "\",\"context\":\"" + context +
                               "\",\"errorCode\":0,\"schemaVersion\":0}");
    }
    asio::awaitable<bool> refuse(std::string context, int code, std::string why) {
        co_return co_await say("{\"result\":\"send-error:" + std::to_string(code) + "\",\"errorMsg\":\"" + why +
                               "\",\"context\":\"" + context + "\",\"errorCode\":0,\"schemaVersion\":0}");
    }
    asio::awaitable<bool> close(std::uint16_t code, std::string reason = {}) {
        websocket_->close(code, reason);
        co_return co_await flush();
    }
    /// RST: the peer sees an error, not an end.
    void reset() {
        std::error_code ignored;
        socket.set_option(asio::socket_base::linger(true, 0), ignored);
        socket.close(ignored);
    }
    /// Until the peer closes, whatever it says.
    asio::awaitable<void> wait_for_end() {
        for (bool more = true; more;) {
            unread_.clear();
            more = co_await read_more();
        }
    }

    std::uint16_t close_code = 0; ///< of the client's close frame

private:
    asio::awaitable<bool> read_more() {
        std::array<char, 4096> in;
        std::error_code ec;
        const std::size_t n =
            co_await socket.async_read_some(asio::buffer(in), asio::redirect_error(asio::use_awaitable, ec));
        unread_.append(in.data(), n);
        co_return !ec;
    }
    asio::awaitable<bool> flush() {
        std::string text(web::as_text(websocket_->output()));
        websocket_->consume_output(text.size());
        if (text.empty()) co_return true;
        co_return co_await write(std::move(text));
    }

    std::string unread_{};
    std::optional<web::ws_connection> websocket_{};
};

/// The context of a message as the client wrote it, and its payload, still in base64.
inline std::string member_of(std::string_view frame, std::string_view name) {
    const std::string mark = "\"" + std::string(name) + "\":\"";
    const std::size_t at = frame.find(mark);
    if (at == std::string_view::npos) return {};
    frame.remove_prefix(at + mark.size());
    return std::string(frame.substr(0, frame.find('"')));
}
inline std::string context_of(std::string_view frame) { return member_of(frame, "context"); }
inline std::string payload_of(std::string_view frame) {
    const std::string text = member_of(frame, "payload");
    std::string out(web::base64_decoded_bound(text.size()), '\0');
    const auto n = web::base64_decode(text, reinterpret_cast<std::byte*>(out.data()));
    out.resize(n.value_or(0));
    return out;
}

/// Listens on loopback. `script(peer, n)` is what is done with the n-th connection, counted from 0.
class scripted_server {
public:
    using script = std::function<asio::awaitable<void>(scripted_peer&, unsigned n)>;

    scripted_server(asio::io_context& context, script s) : state_(std::make_shared<state>(context, std::move(s))) {
        asio::co_spawn(context, accept(state_), asio::detached);
    }
    ~scripted_server() { stop(); }
    scripted_server(const scripted_server&) = delete;
    scripted_server& operator=(const scripted_server&) = delete;

    void stop() {
        std::error_code ignored;
        state_->acceptor.close(ignored);
        for (const auto& weak : state_->peers)
            if (const auto peer = weak.lock()) peer->socket.close(ignored);
    }
    unsigned connections() const { return state_->connections; }
    std::string host() const { return "127.0.0.1:" + std::to_string(state_->acceptor.local_endpoint().port()); }
    std::uint16_t port() const { return state_->acceptor.local_endpoint().port(); }
    std::string http_url() const { return "http://" + host(); }
    std::string websocket_url() const { return "ws://" + host(); }

private:
    struct state {
        state(asio::io_context& context, script s)
            : acceptor(context, asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0)), act(std::move(s)) {}
        asio::ip::tcp::acceptor acceptor;
        script act;
        unsigned connections = 0;
        std::vector<std::weak_ptr<scripted_peer>> peers{};
    };

    static asio::awaitable<void> accept(std::shared_ptr<state> self) {
        for (;;) {
            std::error_code ec;
            asio::ip::tcp::socket socket(self->acceptor.get_executor());
            co_await self->acceptor.async_accept(socket, asio::redirect_error(asio::use_awaitable, ec));
            if (ec) co_return;
            auto peer = std::make_shared<scripted_peer>(std::move(socket));
            self->peers.push_back(peer);
            asio::co_spawn(self->acceptor.get_executor(), serve(self, peer, self->connections++), asio::detached);
        }
    }
    static asio::awaitable<void> serve(std::shared_ptr<state> self, std::shared_ptr<scripted_peer> peer, unsigned n) {
        co_await self->act(*peer, n);
        std::error_code ignored;
        peer->socket.close(ignored);
    }

    std::shared_ptr<state> state_;
};

} // namespace test

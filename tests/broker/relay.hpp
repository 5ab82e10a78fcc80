// SPDX-License-Identifier: BSL-1.0
// A TCP relay in front of a server that resets connections at a given byte, and reads along what producers say.
#pragma once

#include "raw_client.hpp"

#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace conformance {

/// Where a connection is cut: behind so many bytes in one of the directions.
struct cut_at {
    enum class direction { to_server, to_client };

    direction where = direction::to_server;
    std::size_t bytes = 0;
};

/// The n-th connection is cut as the n-th entry says; those behind the last one are left alone. Runs in a thread of its
/// own until it is destroyed.
class relay {
public:
    explicit relay(const tcp::endpoint& server, std::vector<cut_at> cuts = {},
                   asio::ip::address address = asio::ip::address_v4::loopback())
        : server_(server), cuts_(std::move(cuts)), acceptor_(context_, {address, 0}) {
        endpoint_ = acceptor_.local_endpoint();
        asio::co_spawn(context_, accept(), asio::detached);
        thread_ = std::thread([this] { context_.run(); });
    }
    relay(const relay&) = delete;
    relay& operator=(const relay&) = delete;
    ~relay() {
        context_.stop();
        thread_.join();
    }

    tcp::endpoint endpoint() const noexcept { return endpoint_; }
    /// The contexts of the messages that went to the server, for each connection in turn.
    std::vector<std::vector<std::string>> contexts() const {
        const std::lock_guard lock(mutex_);
        return contexts_;
    }

private:
    struct session {
        session(asio::io_context& context, std::size_t n) : client(context), server(context), number(n) {}

        void cut() {
            for (tcp::socket* const s : {&client, &server}) {
                std::error_code ignored;
                s->set_option(asio::socket_base::linger(true, 0), ignored); // a reset instead of FIN
                s->close(ignored);
            }
        }

        tcp::socket client, server;
        std::size_t number;
        web::http_request_parser request{};
        web::ws_connection reader{web::ws_connection::role::server, nullptr, {.max_message = std::size_t{4} << 20}};
    };
    using direction = cut_at::direction;

    asio::awaitable<void> accept() {
        for (std::size_t number = 0;; ++number) {
            auto s = std::make_shared<session>(context_, number);
            co_await acceptor_.async_accept(s->client, asio::use_awaitable);
            {
                const std::lock_guard lock(mutex_);
                contexts_.emplace_back();
            }
            std::error_code ec;
            co_await s->server.async_connect(server_, asio::redirect_error(asio::use_awaitable, ec));
            if (ec) continue;
            s->client.set_option(tcp::no_delay(true));
            s->server.set_option(tcp::no_delay(true));
            asio::co_spawn(context_, forward(s, direction::to_server), asio::detached);
            asio::co_spawn(context_, forward(s, direction::to_client), asio::detached);
        }
    }

    asio::awaitable<void> forward(std::shared_ptr<session> s, direction where) {
        tcp::socket& from = where == direction::to_server ? s->client : s->server;
        tcp::socket& to = where == direction::to_server ? s->server : s->client;
        std::size_t left = std::size_t(-1);
        if (s->number < cuts_.size() && cuts_[s->number].where == where) left = cuts_[s->number].bytes;
        std::array<std::byte, 16384> piece;
        std::error_code ec;
        while (!ec) {
            const std::size_t n =
                co_await from.async_read_some(asio::buffer(piece), asio::redirect_error(asio::use_awaitable, ec));
            const std::size_t taken = std::min(n, left);
            if (where == direction::to_server) read_along(*s, web::bytes_view(piece).first(taken));
            std::error_code bad;
            co_await asio::async_write(to, asio::buffer(piece.data(), taken),
                                       asio::redirect_error(asio::use_awaitable, bad));
            left -= taken;
            if (left == 0 || bad) s->cut();
            if (bad) co_return;
        }
        to.shutdown(tcp::socket::shutdown_send, ec);
    }

    void read_along(session& s, web::bytes_view bytes) {
        if (!s.request.done()) bytes = bytes.subspan(s.request.feed(bytes));
        s.reader.feed(bytes);
        for (;;) {
            const auto e = s.reader.next();
            if (e.what == web::ws_connection::event::kind::none) return;
            if (e.what != web::ws_connection::event::kind::text) continue;
            constexpr std::string_view mark = R"("context":")";
            const std::string_view text = web::as_text(e.data);
            const std::size_t at = text.find(mark);
            if (at == std::string_view::npos) continue;
            const std::size_t begin = at + mark.size();
            const std::lock_guard lock(mutex_);
            contexts_[s.number].emplace_back(text.substr(begin, text.find('"', begin) - begin));
        }
    }

    tcp::endpoint server_;
    std::vector<cut_at> cuts_;
    mutable std::mutex mutex_{};
    std::vector<std::vector<std::string>> contexts_{};
    asio::io_context context_{1};
    tcp::acceptor acceptor_;
    tcp::endpoint endpoint_{};
    std::thread thread_{};
};

} // namespace conformance

// SPDX-License-Identifier: BSL-1.0
// A TCP relay that makes a near server far: what goes in at one end comes out at the other half a round trip later. A
// connection to it is there at once, so the round trip of TCP's own handshake is added to what the client sends first.
#pragma once

#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace bench {

/// Runs in a thread of its own until it is destroyed.
class delay_relay {
public:
    using tcp = asio::ip::tcp;
    using clock = std::chrono::steady_clock;

    delay_relay(const std::string& host, const std::string& port, clock::duration round_trip)
        : round_trip_(round_trip), acceptor_(context_, {asio::ip::address_v4::loopback(), 0}) {
        server_ = *tcp::resolver(context_).resolve(tcp::v4(), host, port).begin();
        port_ = acceptor_.local_endpoint().port();
        asio::co_spawn(context_, accept(), asio::detached);
        thread_ = std::jthread([this] { context_.run(); });
    }
    delay_relay(const delay_relay&) = delete;
    delay_relay& operator=(const delay_relay&) = delete;
    ~delay_relay() { context_.stop(); }

    std::uint16_t port() const noexcept { return port_; }

    /// Ends the connection on which the client was the last to say something. From any thread.
    void drop() {
        asio::post(context_, [this] {
            if (const auto c = spoken_.lock()) c->end();
        });
    }

private:
    struct connection {
        explicit connection(tcp::socket accepted)
            : client(std::move(accepted)), server(client.get_executor()), since(clock::now()) {}

        void end() {
            std::error_code ignored;
            client.close(ignored);
            server.close(ignored);
        }

        tcp::socket client, server;
        clock::time_point since;
    };
    using connection_ptr = std::shared_ptr<connection>;

    /// One direction's bytes under way; an empty piece is the end.
    struct pipe {
        explicit pipe(const asio::any_io_executor& executor) : changed(executor, clock::time_point::max()) {}

        struct piece {
            clock::time_point due;
            std::string bytes;
        };
        void put(clock::time_point due, std::string bytes) {
            pieces.push_back({due, std::move(bytes)});
            changed.cancel();
        }

        std::deque<piece> pieces;
        asio::steady_timer changed; ///< never expires: cancelled when a piece has been put
    };

    asio::awaitable<void> accept() {
        for (;;) {
            tcp::socket socket = co_await acceptor_.async_accept(asio::use_awaitable);
            const auto c = std::make_shared<connection>(std::move(socket));
            std::error_code refused;
            co_await c->server.async_connect(server_, asio::redirect_error(asio::use_awaitable, refused));
            if (refused) continue;
            c->client.set_option(tcp::no_delay(true));
            c->server.set_option(tcp::no_delay(true));
            start(c, c->client, c->server);
            start(c, c->server, c->client);
        }
    }

    void start(const connection_ptr& c, tcp::socket& from, tcp::socket& to) {
        const auto p = std::make_shared<pipe>(context_.get_executor());
        asio::co_spawn(context_, take(c, p, from), asio::detached);
        asio::co_spawn(context_, deliver(c, p, to), asio::detached);
    }

    asio::awaitable<void> take(connection_ptr c, std::shared_ptr<pipe> p, tcp::socket& from) {
        const bool by_client = &from == &c->client;
        std::array<char, 16384> bytes;
        for (;;) {
            std::error_code ended;
            const std::size_t n =
                co_await from.async_read_some(asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, ended));
            if (by_client && n != 0) spoken_ = c;
            const auto sent = by_client ? std::max(clock::now(), c->since + round_trip_) : clock::now();
            p->put(sent + round_trip_ / 2, std::string(bytes.data(), ended ? 0 : n));
            if (ended) co_return;
        }
    }

    asio::awaitable<void> deliver(connection_ptr c, std::shared_ptr<pipe> p, tcp::socket& to) {
        asio::steady_timer due(context_);
        for (;;) {
            std::error_code ended;
            while (p->pieces.empty()) co_await p->changed.async_wait(asio::redirect_error(asio::use_awaitable, ended));
            const pipe::piece next = std::move(p->pieces.front());
            p->pieces.pop_front();
            due.expires_at(next.due);
            co_await due.async_wait(asio::use_awaitable);
            if (next.bytes.empty()) {
                to.shutdown(tcp::socket::shutdown_send, ended);
                co_return;
            }
            co_await asio::async_write(to, asio::buffer(next.bytes), asio::redirect_error(asio::use_awaitable, ended));
            if (ended) {
                c->end();
                co_return;
            }
        }
    }

    clock::duration round_trip_;
    asio::io_context context_{1};
    tcp::acceptor acceptor_;
    tcp::endpoint server_;
    std::uint16_t port_ = 0;
    std::weak_ptr<connection> spoken_;
    std::jthread thread_; // the last member: it ends before the others
};

} // namespace bench

// SPDX-License-Identifier: BSL-1.0
// A client that says whatever it is told, also what the library refuses to send: HTTP requests, the upgrade, frames.
// Blocking, each step with a time limit.
#pragma once

#include "check.hpp"

#include <sluice/web/http1.hpp>
#include <sluice/web/url.hpp>
#include <sluice/web/ws_connection.hpp>
#include <sluice/web/ws_handshake.hpp>

#include <asio.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>

namespace conformance {

namespace web = sluice::web;
using asio::ip::tcp;

inline web::random_source test_random() {
    return {nullptr, [](void*, std::span<std::byte> out) {
                static thread_local std::random_device device;
                for (std::byte& b : out) b = static_cast<std::byte>(device() & 0xff);
            }};
}

/// A TCP connection whose every step ends within the limit, or throws.
class raw_connection {
public:
    static constexpr std::chrono::seconds limit{45};

    explicit raw_connection(const tcp::endpoint& server) : socket_(context_) {
        std::error_code ec = asio::error::would_block;
        socket_.async_connect(server, [&](const std::error_code& e) { ec = e; });
        wait("connecting");
        if (ec) throw failed("connecting: " + ec.message());
        socket_.set_option(tcp::no_delay(true));
    }

    void write(web::bytes_view bytes) {
        if (const std::error_code ec = try_write(bytes)) throw failed("writing: " + ec.message());
    }
    std::error_code try_write(web::bytes_view bytes) {
        std::error_code ec;
        asio::async_write(socket_, asio::buffer(bytes.data(), bytes.size()),
                          [&](const std::error_code& e, std::size_t) { ec = e; });
        wait("writing");
        return ec;
    }
    /// 0: the end of the stream, a reset included.
    std::size_t read(std::span<std::byte> room) {
        std::size_t n = 0;
        socket_.async_read_some(asio::buffer(room.data(), room.size()),
                                [&](const std::error_code&, std::size_t size) { n = size; });
        wait("reading");
        return n;
    }
    /// The same if something comes within the time, else nothing.
    std::optional<std::size_t> read_within(std::span<std::byte> room, std::chrono::steady_clock::duration time) {
        std::optional<std::size_t> n;
        socket_.async_read_some(asio::buffer(room.data(), room.size()),
                                [&](const std::error_code& ec, std::size_t size) {
                                    if (ec != asio::error::operation_aborted) n = size;
                                });
        context_.restart();
        context_.run_for(time);
        if (!context_.stopped()) {
            socket_.cancel();
            context_.run();
        }
        return n;
    }
    void end_output() { socket_.shutdown(tcp::socket::shutdown_send); }

private:
    void wait(const char* what) {
        context_.restart();
        context_.run_for(limit);
        if (context_.stopped()) return;
        socket_.cancel(); // its handler refers to the caller's frame
        context_.run();
        throw failed(std::string(what) + ": nothing within " + std::to_string(limit.count()) + " s");
    }

    asio::io_context context_{1};
    tcp::socket socket_;
};

inline std::string host_of(const tcp::endpoint& server) {
    return server.address().to_string() + ":" + std::to_string(server.port());
}

/// The next answer, whole. What comes behind it goes to `surplus`, if that is wanted.
inline web::http_response read_response(raw_connection& connection, web::byte_buffer* surplus = nullptr) {
    web::http_response_parser parser;
    std::array<std::byte, 16384> piece;
    while (!parser.done() && !parser.error()) {
        const web::bytes_view in(piece.data(), connection.read(piece));
        const std::size_t n = parser.feed(in);
        if (surplus) surplus->append(in.subspan(n));
        if (in.empty()) parser.end_of_stream();
    }
    if (parser.error()) throw failed("the answer is not HTTP: " + parser.error().message());
    return parser.response();
}

/// Sends the request over a connection of its own. `Connection: close` is added.
inline web::http_response exchange(const tcp::endpoint& server, web::http_request request) {
    raw_connection connection(server);
    request.fields.add("Connection", "close");
    std::string text;
    if (web::write_request(request, host_of(server), text)) throw failed("cannot be written: " + request.target);
    connection.write(web::as_bytes(text));
    return read_response(connection);
}

/// How a socket ended. `code` 1005: a close frame without a code; 1006: without a close frame.
struct ending {
    int code = 0;
    std::string reason{};
};

class raw_socket {
public:
    /// Asks for the upgrade, with `behind` in the same segment; `answer` tells what became of it.
    raw_socket(const tcp::endpoint& server, std::string target, std::string authorization = {},
               std::string_view behind = {})
        : connection_(server) {
        const std::string key = web::make_websocket_key(test_random());
        std::string text;
        if (web::write_request(web::make_upgrade(std::move(target), key, std::move(authorization)), host_of(server),
                               text))
            throw failed("the upgrade cannot be written");
        text += behind;
        connection_.write(web::as_bytes(text));
        web::byte_buffer surplus;
        answer_ = read_response(connection_, &surplus);
        ws_.feed(surplus.view());
        if (const std::error_code ec = web::check_upgrade(answer_, key); ec && ec != sluice::errc::handshake_refused)
            throw failed("the answer to the upgrade: " + ec.message());
    }

    const web::http_response& answer() const noexcept { return answer_; }
    bool is_open() const noexcept { return answer_.status == 101; }

    void text(std::string_view message, bool fin = true) { send(web::opcode::text, message, fin); }
    void more(std::string_view message, bool fin) { send(web::opcode::continuation, message, fin); }
    void binary(std::string_view message) { send(web::opcode::binary, message); }
    void ping(std::string_view payload) { send(web::opcode::ping, payload); }
    void pong(std::string_view payload) { send(web::opcode::pong, payload); }
    void close(std::uint16_t code) {
        ws_.close(code);
        write_output();
    }
    /// The same once there is nothing left to read: for many in a row.
    void text_later(std::string_view message) {
        if (!ws_.send(web::opcode::text, web::as_bytes(message), true)) throw failed("the socket is closed");
    }
    /// Any bytes, as they are.
    void bytes(std::string_view raw) { connection_.write(web::as_bytes(raw)); }
    /// Sends no more, not even a close frame.
    void end_output() { connection_.end_output(); }

    /// The next text message. A close instead is a failure.
    std::string read_text() {
        for (;;) {
            if (std::optional<std::string> message = step()) return *std::move(message);
            if (ended_) throw failed("closed with " + std::to_string(ended_->code) + " " + shown(ended_->reason));
        }
    }
    /// Sends a message and reads the next one.
    std::string ask(std::string_view message) {
        text(message);
        return read_text();
    }
    /// Sends a message and reads the first one that begins so. Texts before it are kept for `read_text`.
    std::string ask_for(std::string_view message, std::string_view begin) {
        const std::vector<std::string> before = std::exchange(texts_, {});
        text(message);
        std::vector<std::string> other;
        for (;;) {
            std::string one = read_text();
            if (one.starts_with(begin)) {
                other.insert(other.begin(), before.begin(), before.end());
                texts_.insert(texts_.begin(), other.begin(), other.end());
                return one;
            }
            other.push_back(std::move(one));
        }
    }
    /// Waits for a text that is then there for `read_text`; false: none has come, or the socket has ended.
    bool has_text_within(std::chrono::steady_clock::duration time) {
        const auto end = std::chrono::steady_clock::now() + time;
        while (texts_.empty() && !ended_) {
            const auto left = end - std::chrono::steady_clock::now();
            if (left.count() <= 0 || !take_event(left)) return !texts_.empty();
        }
        return !texts_.empty();
    }
    /// The payload of the next pong. Texts before it are kept for `read_text`.
    std::string read_pong() {
        while (!pong_ && !ended_) take_event();
        if (!pong_) throw failed("closed instead of a pong");
        return *std::exchange(pong_, std::nullopt);
    }
    /// Reads until the server closes, and closes too.
    ending read_end() {
        while (!ended_) take_event();
        return *ended_;
    }

private:
    void send(web::opcode op, std::string_view payload, bool fin = true) {
        if (!ws_.send(op, web::as_bytes(payload), fin)) throw failed("the socket is closed");
        write_output();
    }
    /// A server that goes away while it is written to has said why: the reader finds it.
    void write_output() {
        const web::bytes_view out = ws_.output();
        if (!out.empty()) connection_.try_write(out);
        ws_.consume_output(out.size());
    }
    std::optional<std::string> step() {
        if (texts_.empty() && !ended_) take_event();
        if (texts_.empty()) return std::nullopt;
        std::string first = std::move(texts_.front());
        texts_.erase(texts_.begin());
        return first;
    }
    /// False: nothing came within the time.
    bool take_event(std::optional<std::chrono::steady_clock::duration> time = {}) {
        using kind = web::ws_connection::event::kind;
        for (;;) {
            const web::ws_connection::event e = ws_.next();
            switch (e.what) {
            case kind::text: texts_.emplace_back(web::as_text(e.data)); return true;
            case kind::pong: pong_.emplace(web::as_text(e.data)); return true;
            case kind::close:
            case kind::error:
                ended_ = ending{e.close_code, std::string(e.reason)};
                write_output();
                return true;
            case kind::none: break;
            default: continue;
            }
            write_output(); // pongs
            const std::span<std::byte> room = ws_.prepare(std::size_t{64} << 10);
            std::size_t n = 0;
            if (!time) {
                n = connection_.read(room);
            } else if (const auto some = connection_.read_within(room, *time)) {
                n = *some;
            } else {
                return false;
            }
            ws_.commit(n);
            if (n == 0) ws_.end_of_stream();
        }
    }

    raw_connection connection_;
    web::mask_keys keys_{test_random()};
    web::ws_connection ws_{web::ws_connection::role::client, &keys_, {.max_message = std::size_t{16} << 20}};
    web::http_response answer_{};
    std::vector<std::string> texts_{};
    std::optional<std::string> pong_{};
    std::optional<ending> ended_{};
};

} // namespace conformance

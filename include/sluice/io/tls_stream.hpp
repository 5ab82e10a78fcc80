// SPDX-License-Identifier: BSL-1.0
// A TLS connection over a TCP socket: Asio's stream operations around the engine.
#pragma once

#include <sluice/io/asio_compat.hpp>
#include <sluice/io/tls_engine.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <system_error>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace io {

/// Not `asio::ssl::stream`: that one writes each record of 16 KiB by an operation of its own, a turn around the strand
/// and the scheduler, and this one all that it is given (a batch of 1000 messages of 100 bytes is eleven records). The
/// client's CPU for a message falls by a quarter (docs/performance.md).
///
/// Not thread-safe. One read and one write may be under way at a time, and nothing beside the handshake. Memory for
/// both directions grows with what they carry, and an idle connection keeps little of it.
template <class Executor>
class tls_stream {
public:
    using socket_type = asio::basic_stream_socket<asio::ip::tcp, Executor>;

    /// `socket`, connected, must outlive it.
    tls_stream(socket_type& socket, asio::ssl::context& context, const std::string& host)
        : socket_(socket), engine_(context.native_handle(), host) {
        std::error_code ignored;
        socket_.non_blocking(true, ignored); // for `speak`
    }

    tls_engine& engine() noexcept { return engine_; }

    /// `void(std::error_code)`. A failure is told to the peer first.
    template <class Token>
    auto async_handshake(Token&& token) {
        return asio::async_initiate<Token, void(std::error_code)>(
            [this](auto handler) {
                handshake_ = engine_.handshake();
                has_more();
                this->write_flight(std::move(handler)); // of nothing, if it failed: never inside this call
            },
            token);
    }

    /// `void(std::error_code, std::size_t)`: as much as one read from the socket has brought, at least a byte.
    /// `asio::error::eof` is the peer's close alert; an end without is `asio::ssl::error::stream_truncated`.
    template <class Token>
    auto async_read_some(const asio::mutable_buffer& buffer, Token&& token) {
        return asio::async_initiate<Token, void(std::error_code, std::size_t)>(
            [this](auto handler, asio::mutable_buffer to) {
                constexpr bool inside = true;
                this->read(std::move(handler), to, inside);
            },
            token, buffer);
    }

    /// `void(std::error_code, std::size_t)`: all of it, or the first 128 KiB.
    template <class Token>
    auto async_write_some(const asio::const_buffer& buffer, Token&& token) {
        return asio::async_initiate<Token, void(std::error_code, std::size_t)>(
            [this](auto handler, asio::const_buffer from) {
                const std::size_t size = std::min(from.size(), most_at_once);
                const auto p = engine_.write({static_cast<const std::byte*>(from.data()), size});
                this->send(std::move(handler), write_step{this, p.error, p.bytes});
            },
            token, buffer);
    }

private:
    static constexpr std::size_t most_at_once = 128 * 1024; ///< of plain text, so that what is encrypted stays small
    static constexpr std::size_t least_read = 4 * 1024, most_read = 64 * 1024;
    static constexpr std::size_t most_kept = 16 * 1024; ///< of memory, where little is written

    // Each continues its operation, with the executor, the allocator and the cancellation slot of the handler.

    struct handshake_step {
        tls_stream* self;
        bool writing;

        template <class Handler>
        void operator()(Handler handler, const std::error_code& ec, std::size_t n) {
            if (writing) {
                self->sending_.consume(n);
                if (ec) return std::move(handler)(self->handshake_.error ? self->handshake_.error : ec);
            } else {
                self->received(n);
                if (ec) return std::move(handler)(ended(ec));
                self->handshake_ = self->engine_.handshake();
            }
            self->shake_hands(std::move(handler));
        }
    };
    struct read_step {
        tls_stream* self;
        asio::mutable_buffer to;
        tls_engine::progress result; ///< where there was one without a read

        template <class Handler>
        void operator()(Handler handler, const std::error_code& ec, std::size_t n) {
            if (result.error || result.bytes != 0) return std::move(handler)(result.error, result.bytes);
            self->received(n);
            if (ec) return std::move(handler)(ended(ec), std::size_t(0));
            constexpr bool inside = false;
            self->read(std::move(handler), to, inside);
        }
    };
    struct write_step {
        tls_stream* self;
        std::error_code error;
        std::size_t bytes;

        template <class Handler>
        void operator()(Handler handler, const std::error_code& ec, std::size_t n) {
            self->sending_.consume(n);
            if (ec) return std::move(handler)(ec, std::size_t(0));
            if (self->has_more()) return self->send(std::move(handler), *this);
            self->keep_memory(bytes);
            std::move(handler)(error, bytes);
        }
    };

    template <class Handler>
    void shake_hands(Handler handler) {
        if (has_more()) return write_flight(std::move(handler));
        if (!handshake_.wants_input) return std::move(handler)(handshake_.error);
        socket_.async_read_some(room(), adapted_handler<Handler, handshake_step>{std::move(handler), {this, false}});
    }
    template <class Handler>
    void write_flight(Handler handler) {
        socket_.async_write_some(asio::buffer(sending_.data(), sending_.size()),
                                 adapted_handler<Handler, handshake_step>{std::move(handler), {this, true}});
    }

    template <class Handler>
    void read(Handler handler, asio::mutable_buffer to, bool inside) {
        const auto p = engine_.read({static_cast<std::byte*>(to.data()), to.size()});
        speak();
        if (!p.wants_input && !inside) return std::move(handler)(p.error, p.bytes);
        // A result that is there already is handed over by a read of nothing: never inside the initiating call.
        socket_.async_read_some(p.wants_input ? room() : asio::mutable_buffer(),
                                adapted_handler<Handler, read_step>{std::move(handler), {this, to, p}});
    }

    /// What the engine has made, and the result afterwards; by a write of nothing, if it has made nothing.
    template <class Handler>
    void send(Handler handler, write_step step) {
        has_more();
        socket_.async_write_some(asio::buffer(sending_.data(), sending_.size()),
                                 adapted_handler<Handler, write_step>{std::move(handler), step});
    }

    /// What is being sent stays where it is while the engine makes more.
    bool has_more() {
        if (sending_.empty()) std::swap(sending_, engine_.outgoing());
        return !sending_.empty();
    }

    /// One buffer is used again and again, and a large one not kept where little is written.
    void keep_memory(std::size_t written) noexcept {
        web::byte_buffer& out = engine_.outgoing();
        if (out.empty() && out.capacity() < sending_.capacity()) std::swap(out, sending_);
        if (written < out.capacity() / 16) out.shrink(most_kept);
    }

    /// A read may have something to say: a new key's confirmation, an alert. It goes at once if nothing is being
    /// written and the socket takes it, else with the next write.
    void speak() {
        web::byte_buffer& out = engine_.outgoing();
        if (out.empty() || !sending_.empty()) return;
        std::error_code ignored; // the next write has it too
        out.consume(socket_.write_some(asio::buffer(out.data(), out.size()), ignored));
    }

    asio::mutable_buffer room() {
        web::byte_buffer& in = engine_.incoming();
        in.shrink(4 * room_);
        return {in.prepare(room_), room_};
    }
    void received(std::size_t n) {
        engine_.incoming().commit(n);
        // As much as one read has filled is worth asking for again; an idle connection keeps little.
        if (n == room_ && room_ < most_read)
            room_ *= 2;
        else if (n < room_ / 8 && room_ > least_read)
            room_ /= 2;
    }

    static std::error_code ended(const std::error_code& ec) {
        if (ec == asio::error::eof) return asio::ssl::error::stream_truncated;
        return ec;
    }

    socket_type& socket_;
    tls_engine engine_;
    web::byte_buffer sending_{};
    tls_engine::progress handshake_{};
    std::size_t room_ = least_read;
};

} // namespace io
} // namespace v1
} // namespace sluice

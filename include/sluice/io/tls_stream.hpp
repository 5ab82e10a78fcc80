// SPDX-License-Identifier: BSL-1.0
// A TLS connection over a TCP socket: Asio's stream operations around the engine.
#pragma once

#include <sluice/io/asio_compat.hpp>
#include <sluice/io/tls_engine.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace io {

/// Not `asio::ssl::stream`: that one writes each record of 16 KiB by an operation of its own, a turn around the strand
/// and the scheduler, and this one all that it is given (a batch of 1000 messages of 100 bytes is eleven records). With
/// the same programs but for that, by hand, `send` was 1.4 times as fast.
///
/// Not thread-safe. One read and one write may be under way at a time, and nothing beside the handshake. Operations
/// complete on the handler's executor, else the socket's, never inside the initiating call; with the socket's errors or
/// the engine's. Cancellation: `terminal`, with `operation_aborted`; the connection is of no more use. Memory for both
/// directions grows with what they carry, and an idle connection keeps little of it.
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
                const auto cancelled = cancellation_of(handler);
                this->write_flight(std::move(handler), cancelled); // of nothing, if it failed: never inside this call
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
                const auto cancelled = cancellation_of(handler);
                this->read(std::move(handler), read_step{this, cancelled, to, {}}, inside);
            },
            token, buffer);
    }

    /// `void(std::error_code, std::size_t)`: as far as the socket took it. What is left has been encrypted: it must be
    /// what is written next.
    template <class Token>
    auto async_write_some(const asio::const_buffer& buffer, Token&& token) {
        return asio::async_initiate<Token, void(std::error_code, std::size_t)>(
            [this](auto handler, asio::const_buffer from) {
                const auto cancelled = cancellation_of(handler);
                this->write(std::move(handler), write_step{this, cancelled, from, {}, 0});
            },
            token, buffer);
    }

private:
    static constexpr std::size_t most_at_once = 128 * 1024; ///< of plain text, so that what is encrypted stays small
    static constexpr std::size_t least_read = 4 * 1024, most_read = 64 * 1024;
    static constexpr std::size_t most_kept = 16 * 1024;   ///< of memory, where little is written
    static constexpr std::size_t most_unsaid = 64 * 1024; ///< to a server that talks and does not listen

    // Each goes on with its operation, with the executor and the allocator of the handler. A cancellation that comes
    // between two steps, where no operation of the socket's hears it, is remembered.

    struct handshake_step {
        tls_stream* self;
        asio::cancellation_state cancelled;
        bool writing;

        template <class Handler>
        void operator()(Handler handler, std::error_code ec, std::size_t n) {
            if (writing)
                self->sending_.consume(n);
            else
                self->received(n);
            if (!ec && !writing) self->handshake_ = self->engine_.handshake();
            if (!ec) ec = broken_off(cancelled);
            if (ec) return std::move(handler)(writing && self->handshake_.error ? self->handshake_.error : ended(ec));
            self->shake_hands(std::move(handler), cancelled);
        }
    };
    struct read_step {
        tls_stream* self;
        asio::cancellation_state cancelled;
        asio::mutable_buffer to;
        tls_engine::progress result; ///< where there was one without a read

        template <class Handler>
        void operator()(Handler handler, const std::error_code& ec, std::size_t n) {
            if (result.error || result.bytes != 0) return std::move(handler)(result.error, result.bytes);
            self->received(n);
            if (ec) return std::move(handler)(ended(ec), std::size_t(0));
            constexpr bool inside = false;
            self->read(std::move(handler), *this, inside);
        }
    };
    struct write_step {
        tls_stream* self;
        asio::cancellation_state cancelled;
        asio::const_buffer from;
        std::error_code error;
        int tries;

        template <class Handler>
        void operator()(Handler handler, const std::error_code& ec, std::size_t n) {
            self->sending_.consume(n);
            if (ec) return std::move(handler)(ec, std::size_t(0));
            std::size_t& all = self->encrypted_;
            if (self->has_more()) { // all but one byte can be said to be written before everything is
                n = std::min({n, std::max<std::size_t>(all, 1) - 1, from.size()});
                if (n == 0) return self->go_on(std::move(handler), *this);
            } else {
                n = std::min(all, from.size());
                self->keep_memory();
            }
            all -= n;
            std::move(handler)(error, n);
        }
        /// The engine could not go on.
        template <class Handler>
        void operator()(Handler handler, const std::error_code& ec) {
            if (ec) return std::move(handler)(ec, std::size_t(0));
            self->go_on(std::move(handler), *this);
        }
    };

    template <class Handler>
    static asio::cancellation_state cancellation_of(const Handler& handler) {
        return asio::cancellation_state(asio::get_associated_cancellation_slot(handler));
    }
    static std::error_code broken_off(const asio::cancellation_state& cancelled) {
        if (cancelled.cancelled() == asio::cancellation_type::none) return {};
        return asio::error::operation_aborted;
    }
    template <class Handler, class Step>
    static auto next(Handler handler, const Step& step) {
        return asio::bind_cancellation_slot(step.cancelled.slot(),
                                            adapted_handler<Handler, Step>{std::move(handler), step});
    }

    template <class Handler>
    void shake_hands(Handler handler, const asio::cancellation_state& cancelled) {
        if (has_more()) return write_flight(std::move(handler), cancelled);
        if (!handshake_.wants_input) return std::move(handler)(handshake_.error);
        constexpr bool writing = false;
        socket_.async_read_some(room(), next(std::move(handler), handshake_step{this, cancelled, writing}));
    }
    template <class Handler>
    void write_flight(Handler handler, const asio::cancellation_state& cancelled) {
        constexpr bool writing = true;
        socket_.async_write_some(asio::buffer(sending_.data(), sending_.size()),
                                 next(std::move(handler), handshake_step{this, cancelled, writing}));
    }

    template <class Handler>
    void read(Handler handler, read_step step, bool inside) {
        auto& p = step.result = engine_.read({static_cast<std::byte*>(step.to.data()), step.to.size()});
        speak();
        if (p.wants_input)
            p.error = engine_.outgoing().size() > most_unsaid ? std::error_code(asio::error::no_buffer_space)
                                                              : broken_off(step.cancelled);
        const bool there = !p.wants_input || p.error;
        if (there && !inside) return std::move(handler)(p.error, p.bytes);
        // A result that is there already is handed over by a read of nothing: never inside the initiating call.
        socket_.async_read_some(there ? asio::mutable_buffer() : room(), next(std::move(handler), step));
    }

    template <class Handler>
    void write(Handler handler, write_step step) {
        if (encrypted_ == 0) {
            const std::size_t size = std::min(step.from.size(), most_at_once);
            const auto p = engine_.write({static_cast<const std::byte*>(step.from.data()), size});
            encrypted_ = last_ = p.bytes;
            step.error = p.error;
            if (p.wants_input) return retry(std::move(handler), step);
        }
        send(std::move(handler), step);
    }
    template <class Handler>
    void go_on(Handler handler, const write_step& step) {
        if (const std::error_code ec = broken_off(step.cancelled)) return std::move(handler)(ec, std::size_t(0));
        write(std::move(handler), step);
    }
    /// What the engine has made, and the result afterwards; by a write of nothing, if it has made nothing.
    template <class Handler>
    void send(Handler handler, const write_step& step) {
        has_more();
        socket_.async_write_some(asio::buffer(sending_.data(), sending_.size()), next(std::move(handler), step));
    }
    /// A server's message, of more than one record, is half read: the read under way goes on with it, unless there is
    /// none. So seldom that a look now and then is enough; by a timer, for the context destroys what waits on one.
    template <class Handler>
    void retry(Handler handler, write_step step) {
        if (!pause_) pause_.emplace(socket_.get_executor());
        // The socket may have been closed meanwhile: a write on it says so.
        constexpr int most_tries = 1000; // about as many milliseconds
        if (++step.tries > most_tries) step.error = asio::error::timed_out;
        if (!socket_.is_open() || step.error) return send(std::move(handler), step);
        pause_->expires_after(std::chrono::milliseconds(1));
        pause_->async_wait(next(std::move(handler), step));
    }

    /// What is being sent stays where it is while the engine makes more.
    bool has_more() {
        if (sending_.empty()) std::swap(sending_, engine_.outgoing());
        return !sending_.empty();
    }

    /// One buffer is used again and again, and a large one not kept where little is written.
    void keep_memory() noexcept {
        web::byte_buffer& out = engine_.outgoing();
        if (out.empty() && out.capacity() < sending_.capacity()) std::swap(out, sending_);
        if (last_ < out.capacity() / 16) out.shrink(most_kept);
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
    std::size_t encrypted_ = 0; ///< of plain text, and not yet said to be written
    std::size_t last_ = 0;      ///< how much was encrypted at once
    std::optional<
        asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>>
        pause_{};
    tls_engine::progress handshake_{};
    std::size_t room_ = least_read;
};

} // namespace io
} // namespace v1
} // namespace sluice

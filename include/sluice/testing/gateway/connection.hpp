// SPDX-License-Identifier: BSL-1.0
// One connection of the gateway: a read loop and a write loop on a strand around a `peer`.
#pragma once

#include <sluice/testing/gateway/peer.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/ssl.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <system_error>
#include <type_traits>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace testing {

/// How a connection is cut.
enum class cut : std::uint8_t {
    reset, ///< RST: what is under way is lost
    finish ///< FIN, without a word before
};

namespace detail {

/// The model's clock: the wall's at start, and from then on as steady as the steady clock.
class gateway_clock {
public:
    time_point now() const noexcept { return wall_ + (std::chrono::steady_clock::now() - steady_); }
    std::chrono::steady_clock::time_point to_steady(time_point t) const noexcept {
        if (t == time_point::max()) return std::chrono::steady_clock::time_point::max();
        return steady_ + std::chrono::duration_cast<std::chrono::steady_clock::duration>(t - wall_);
    }

private:
    time_point wall_ = std::chrono::time_point_cast<time_point::duration>(std::chrono::system_clock::now());
    std::chrono::steady_clock::time_point steady_ = std::chrono::steady_clock::now();
};

/// What connections share. The mutex guards the model and every peer; nobody waits while holding it.
struct gateway_core {
    gateway_core(proxy_options options, web::random_source random) : model(std::move(options), random) {}

    std::mutex mutex{};
    gateway_clock clock{};
    proxy_model model;
};

/// A connection as the gateway's own calls see it; they may come from any thread.
class connection_base {
public:
    virtual ~connection_base() = default;
    virtual void drop(cut how) = 0;
    virtual void close(std::uint16_t code, const std::string& reason) = 0;
};

template <class Stream>
class connection final : public connection_base, public std::enable_shared_from_this<connection<Stream>> {
public:
    /// The stream's executor is a strand. The mutex is held.
    connection(std::shared_ptr<gateway_core> core, Stream stream)
        : core_(std::move(core)),
          stream_(std::move(stream)),
          timer_(stream_.get_executor()),
          room_(stream_.get_executor(), std::chrono::steady_clock::time_point::max()),
          peer_(core_->model, core_->clock.now()) {}

    ~connection() override {
        const std::lock_guard lock(core_->mutex);
        peer_.end_of_stream(core_->clock.now());
    }

    void start() {
        {
            const std::lock_guard lock(core_->mutex);
            peer_.on_wake([weak = this->weak_from_this()] {
                auto self = weak.lock();
                if (!self) return;
                const auto executor = self->stream_.get_executor();
                asio::post(executor, [self = std::move(self)] { self->timer_.cancel(); });
            });
        }
        asio::co_spawn(stream_.get_executor(), read_loop(this->shared_from_this()), asio::detached);
        asio::co_spawn(stream_.get_executor(), write_loop(this->shared_from_this()), asio::detached);
    }

    void drop(cut how) override {
        asio::post(stream_.get_executor(), [self = this->shared_from_this(), how] {
            std::error_code ignored;
            auto& socket = self->stream_.lowest_layer();
            if (how == cut::reset) {
                socket.set_option(asio::socket_base::linger(true, 0), ignored);
            } else {
                socket.shutdown(asio::socket_base::shutdown_both, ignored);
            }
            self->end();
        });
    }
    void close(std::uint16_t code, const std::string& reason) override {
        asio::post(stream_.get_executor(), [self = this->shared_from_this(), code, reason] {
            {
                const std::lock_guard lock(self->core_->mutex);
                if (self->peer_.is_websocket()) self->peer_.close(code, reason, self->core_->clock.now());
            }
            self->timer_.cancel();
        });
    }

private:
    static constexpr std::size_t smallest_read = 4096, largest_read = 256 * 1024;
    static constexpr std::size_t most_output = 4u << 20; ///< unwritten; over it nothing more is read
    static constexpr std::chrono::seconds linger{2};

    static asio::awaitable<void> read_loop(std::shared_ptr<connection> self) {
        std::error_code ec;
        if constexpr (!std::is_same_v<Stream, asio::ip::tcp::socket>)
            co_await self->stream_.async_handshake(asio::ssl::stream_base::server,
                                                   asio::redirect_error(asio::use_awaitable, ec));
        std::size_t size = smallest_read, unwritten = 0;
        while (!ec) {
            std::span<std::byte> room;
            {
                const std::lock_guard lock(self->core_->mutex);
                room = self->peer_.prepare(size);
            }
            if (room.size() > largest_read) room = room.first(largest_read);
            const std::size_t n = co_await self->stream_.async_read_some(asio::buffer(room.data(), room.size()),
                                                                         asio::redirect_error(asio::use_awaitable, ec));
            if (n == room.size()) size = std::min(2 * size, largest_read);
            {
                const std::lock_guard lock(self->core_->mutex);
                if (!ec) self->peer_.commit(n, self->core_->clock.now());
                unwritten = self->peer_.output_size();
            }
            self->timer_.cancel();
            while (!ec && unwritten > most_output && !self->written_off_) {
                std::error_code woken;
                co_await self->room_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
                const std::lock_guard lock(self->core_->mutex);
                unwritten = self->peer_.output_size();
            }
        }
        {
            const std::lock_guard lock(self->core_->mutex);
            self->peer_.end_of_stream(self->core_->clock.now());
        }
        self->read_off_ = true;
        self->timer_.cancel();
    }

    static asio::awaitable<void> write_loop(std::shared_ptr<connection> self) {
        web::byte_buffer writing;
        std::error_code ec, woken;
        bool finished = false;
        while (!ec && !finished) {
            time_point next;
            {
                const std::lock_guard lock(self->core_->mutex);
                self->peer_.advance(self->core_->clock.now());
                for (auto bytes = self->peer_.output(); !bytes.empty(); bytes = self->peer_.output()) {
                    writing.append(bytes);
                    self->peer_.consume_output(bytes.size());
                }
                finished = self->peer_.want_close();
                next = self->peer_.next_time();
            }
            if (!writing.empty()) {
                co_await asio::async_write(self->stream_, asio::buffer(writing.data(), writing.size()),
                                           asio::redirect_error(asio::use_awaitable, ec));
                writing.clear();
                self->room_.cancel();
            } else if (!finished) {
                self->timer_.expires_at(self->core_->clock.to_steady(next));
                co_await self->timer_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
            }
        }
        self->written_off_ = true;
        self->room_.cancel();
        // A close while input is unread becomes a reset, which may overtake what was written: so the client is told
        // that we are done, and what it still sends is read for a while.
        self->stream_.lowest_layer().shutdown(asio::socket_base::shutdown_send, woken);
        const auto deadline = std::chrono::steady_clock::now() + linger;
        while (!ec && !self->read_off_ && std::chrono::steady_clock::now() < deadline) {
            self->timer_.expires_at(deadline);
            co_await self->timer_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
        }
        self->end();
    }

    void end() {
        std::error_code ignored;
        stream_.lowest_layer().close(ignored);
        timer_.cancel();
        room_.cancel();
    }

    std::shared_ptr<gateway_core> core_;
    Stream stream_;
    asio::steady_timer timer_; ///< the write loop sleeps on it; cancelled: there is something to do
    asio::steady_timer room_;  ///< the read loop sleeps on it until output has been written
    peer peer_;
    bool read_off_ = false, written_off_ = false;
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice

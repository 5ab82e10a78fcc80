// SPDX-License-Identifier: BSL-1.0
// One connection of the gateway: a read loop and a write loop on a strand around a `peer`.
#pragma once

#include <sluice/testing/gateway/byte_cuts.hpp>
#include <sluice/testing/gateway/faults.hpp>
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

/// What connections share. The mutex guards all but the clock, and every peer; nobody waits while holding it.
struct gateway_core : fault_desk {
    gateway_core(proxy_options options, web::random_source random) : model(std::move(options), random) {
        expire_passwords = [this] { return model.expire_otps(); };
    }

    gateway_clock clock{};
    proxy_model model;
    traffic_recorder recorder{};
};

/// A connection as the gateway's own calls see it; they may come from any thread.
class connection_base {
public:
    virtual ~connection_base() = default;
    virtual void drop(cut how) = 0;
    virtual void close(std::uint16_t code, const std::string& reason) = 0;
    /// What it waits for may have come.
    virtual void wake() = 0;
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
          watch_(stream_.get_executor()),
          cuts_(core_->script),
          log_(core_->recorder),
          peer_(core_->model, core_->clock.now(), {&core_->script, &log_}) {
        cuts_.begin(fault_target::connection);
    }

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
            if (how == cut::silence) return self->fall_silent();
            if (how == cut::reset) return self->reset();
            self->stream_.lowest_layer().shutdown(asio::socket_base::shutdown_both, ignored);
            self->end();
        });
    }
    void close(std::uint16_t code, const std::string& reason) override {
        asio::post(stream_.get_executor(), [self = this->shared_from_this(), code, reason] {
            {
                const std::lock_guard lock(self->core_->mutex);
                if (self->peer_.is_websocket()) self->peer_.close(code, reason, self->core_->clock.now());
                self->watch();
            }
            self->timer_.cancel();
        });
    }
    void wake() override {
        asio::post(stream_.get_executor(), [self = this->shared_from_this()] {
            self->timer_.cancel();
            self->room_.cancel();
        });
    }

private:
    static constexpr std::size_t smallest_read = 4096, largest_read = 256 * 1024;
    static constexpr std::size_t largest_write = 64 * 1024; ///< at once
    static constexpr std::chrono::seconds linger{2};

    static asio::awaitable<void> read_loop(std::shared_ptr<connection> self) {
        std::error_code ec;
        if constexpr (!std::is_same_v<Stream, asio::ip::tcp::socket>)
            co_await self->stream_.async_handshake(asio::ssl::stream_base::server,
                                                   asio::redirect_error(asio::use_awaitable, ec));
        std::size_t size = smallest_read;
        bool overfull = false;
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
            for (bool halted = false; self->must_wait(ec, halted);) {
                std::error_code woken;
                co_await self->room_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
            }
            {
                const std::lock_guard lock(self->core_->mutex);
                if (!ec) self->take(n);
                self->watch();
                overfull = self->peer_.overfull();
            }
            self->timer_.cancel();
            while (!ec && overfull && !self->written_off_) {
                std::error_code woken;
                co_await self->room_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
                const std::lock_guard lock(self->core_->mutex);
                overfull = self->peer_.overfull();
            }
        }
        {
            const std::lock_guard lock(self->core_->mutex);
            self->peer_.end_of_stream(self->core_->clock.now());
            self->watch();
        }
        self->read_off_ = true;
        self->timer_.cancel();
    }

    /// Whether what a read has brought is kept back: a fault says that nothing is read.
    bool must_wait(const std::error_code& ec, bool& halted) {
        if (ended_) return false;
        if (silent_) return true;
        const std::lock_guard lock(core_->mutex);
        if (ec || !peer_.is_websocket()) return false;
        fault_rule* const why = core_->script.state({fault_target::reading});
        if (why != nullptr && !std::exchange(halted, true)) core_->script.meet(*why);
        return why != nullptr;
    }

    /// What a read has brought. The mutex is held.
    void take(std::size_t n) {
        if (ended_ || cut_) return;
        const bool was_websocket = peer_.is_websocket();
        const proxy_stats& stats = core_->model.stats();
        const std::uint64_t before = stats.frames + stats.binary_frames;
        n = cuts_.allowed(direction::to_server, n);
        peer_.commit(n, core_->clock.now());
        if (was_websocket) log_.read(n, static_cast<std::size_t>(stats.frames + stats.binary_frames - before));
        cuts_.passed(direction::to_server, n);
        note_upgrade();
    }
    void note_upgrade() {
        if (!upgraded_ && (upgraded_ = peer_.is_websocket()))
            cuts_.begin(fault_target::socket, peer_.output_size() + in_flight_);
    }

    /// Moves what is to be written, up to a cut. The mutex is held.
    void gather(web::byte_buffer& writing) {
        peer_.advance(core_->clock.now());
        note_upgrade();
        for (auto bytes = peer_.output(); !bytes.empty(); bytes = peer_.output()) {
            writing.append(bytes);
            peer_.consume_output(bytes.size());
        }
        writing.truncate(silent_ ? 0 : cuts_.allowed(direction::to_client, writing.size()));
        in_flight_ = writing.size();
        // The cut comes behind what was said before it.
        if (writing.empty() && !silent_) cut_ = peer_.want_cut() ? peer_.want_cut() : cuts_.due();
    }

    static asio::awaitable<void> write_loop(std::shared_ptr<connection> self) {
        web::byte_buffer writing;
        std::error_code ec, woken;
        bool finished = false;
        while (!ec && !finished && !self->ended_) {
            time_point next;
            {
                const std::lock_guard lock(self->core_->mutex);
                self->gather(writing);
                finished = writing.empty() && (self->cut_ || self->peer_.want_close());
                next = self->peer_.next_time();
                if (!writing.empty()) {
                    self->progress_ = self->core_->clock.now();
                    self->watch();
                }
            }
            if (!writing.empty()) {
                const auto progress = [c = self.get()](const std::error_code& failed, std::size_t) {
                    c->progress_ = c->core_->clock.now();
                    return failed ? std::size_t{0} : largest_write;
                };
                co_await asio::async_write(self->stream_, asio::buffer(writing.data(), writing.size()), progress,
                                           asio::redirect_error(asio::use_awaitable, ec));
                const std::lock_guard lock(self->core_->mutex);
                self->progress_ = time_point::max();
                self->cuts_.passed(direction::to_client, writing.size());
                self->in_flight_ = 0;
                writing.clear();
                self->room_.cancel();
            } else if (self->cut_ == cut::silence) {
                finished = false;
                self->cut_.reset();
                self->fall_silent();
            } else if (!finished) {
                self->timer_.expires_at(self->core_->clock.to_steady(next));
                co_await self->timer_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
            }
        }
        self->written_off_ = true;
        self->room_.cancel();
        if (self->cut_ == cut::reset) co_return self->reset();
        // A close while input is unread becomes a reset, which may overtake what was written: so the client is told
        // that we are done, and what it still sends is read for a while.
        self->stream_.lowest_layer().shutdown(asio::socket_base::shutdown_send, woken);
        const auto deadline = std::chrono::steady_clock::now() + linger;
        while (!ec && !self->read_off_ && !self->silent_ && std::chrono::steady_clock::now() < deadline) {
            self->timer_.expires_at(deadline);
            co_await self->timer_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
        }
        self->end();
    }

    /// When the write that stands is given up; `time_point::max()`: there is none. The mutex is held.
    time_point write_deadline() const {
        if (progress_ == time_point::max()) return progress_;
        return std::min(progress_ + core_->model.options().idle_timeout, peer_.farewell());
    }
    /// Sees to it that a client that takes nothing is noticed. The timer stays set while writes come and go, and looks
    /// at the last one when it fires: a write costs no timer. The mutex is held.
    void watch() {
        const time_point due = write_deadline();
        if (ended_ || due >= watched_) return;
        watched_ = due;
        watch_.expires_at(core_->clock.to_steady(due));
        watch_.async_wait([weak = this->weak_from_this()](const std::error_code& ec) {
            const auto self = weak.lock();
            if (ec || !self || self->ended_) return;
            {
                const std::lock_guard lock(self->core_->mutex);
                self->watched_ = time_point::max();
                if (self->core_->clock.now() < self->write_deadline()) return self->watch();
            }
            self->reset(); // nothing of it is to wait in the system's buffers either
        });
    }

    void fall_silent() {
        silent_ = true;
        timer_.cancel();
        room_.cancel();
    }
    void reset() {
        std::error_code ignored;
        stream_.lowest_layer().set_option(asio::socket_base::linger(true, 0), ignored);
        end();
    }
    void end() {
        ended_ = true;
        std::error_code ignored;
        stream_.lowest_layer().close(ignored);
        timer_.cancel();
        room_.cancel();
        watch_.cancel();
    }

    std::shared_ptr<gateway_core> core_;
    Stream stream_;
    asio::steady_timer timer_; ///< the write loop sleeps on it; cancelled: there is something to do
    asio::steady_timer room_;  ///< the read loop sleeps on it until output has been written
    asio::steady_timer watch_; ///< over a write
    byte_cuts cuts_;
    connection_log log_;
    peer peer_;
    std::size_t in_flight_ = 0;               ///< bytes that the write loop is writing
    time_point progress_ = time_point::max(); ///< of a write: when it began, or the client last took something
    time_point watched_ = time_point::max();  ///< when `watch_` fires
    bool upgraded_ = false;
    std::optional<cut> cut_{}; ///< that the write loop performs
    bool silent_ = false;      ///< half-open
    bool read_off_ = false, written_off_ = false, ended_ = false;
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice

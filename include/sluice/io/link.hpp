// SPDX-License-Identifier: BSL-1.0
// The producer's connection to its server: made, upgraded and closed, each step within its time.
#pragma once

#include <sluice/io/connect.hpp>
#include <sluice/io/handshake.hpp>
#include <sluice/io/watchdog.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace io {

/// On one strand. A step that takes longer than `limit` ends with `errc::connect_timeout`.
template <class Strand, class Traits>
class link {
public:
    using stream_type = typename Traits::template stream<Strand>;
    using timer_type = typename Traits::template timer<Strand>;

    link(const Strand& strand, std::chrono::milliseconds limit)
        : strand_(strand), limit_(limit), connector_(strand), watchdog_(strand) {}

    /// The last stream that was begun, or null. Who waits on it keeps it: the next attempt has another one.
    const std::shared_ptr<stream_type>& stream() const noexcept { return stream_; }

    /// From the name to a stream that can be written. `tls`: null for plain text.
    task<Strand, failure> connect(pulsar::origin where, asio::ssl::context* tls) {
        where_ = std::move(where);
        stream_ = std::make_shared<stream_type>(strand_, tls);
        co_return co_await connector_.connect(stream_, where_, limit_);
    }

    /// `deflate` must outlive the call.
    task<Strand, handshake_result> upgrade(std::string target, std::string authorization,
                                           const socket_deflate& deflate) {
        const auto stream = stream_;
        begin_step();
        handshake_result r = co_await shake_hands<Strand, Traits>(*stream, where_.authority(), std::move(target),
                                                                  std::move(authorization), deflate);
        if (failure late = end_step("the upgrade to " + where_.host)) r.error = std::move(late);
        co_return r;
    }

    /// A step on the stream that is performed elsewhere: if it takes too long, the stream is closed.
    void begin_step() {
        watchdog_.arm(limit_, [stream = stream_] { stream->close(); });
    }
    failure end_step(const std::string& what) {
        watchdog_.disarm();
        if (!watchdog_.bitten()) return {};
        return make_failure(errc::connect_timeout,
                            what + ": not done within " + std::to_string(limit_.count()) + " ms");
    }

    /// The last bytes before the stream is closed: the peer has a second to take them.
    task<Strand> say_goodbye(web::bytes_view last) {
        const auto stream = stream_;
        watchdog_.arm(std::chrono::seconds(1), [stream] { stream->close(); });
        std::error_code ec;
        operation_memory memory;
        for (std::size_t sent = 0; sent < last.size() && !ec;)
            sent += co_await stream->async_write_some(asio::buffer(last.data() + sent, last.size() - sent),
                                                      into<Strand>(ec, memory));
        watchdog_.disarm();
    }

    void close() {
        if (stream_) stream_->close();
    }

    /// Ends a step under way, too.
    void stop() {
        watchdog_.disarm();
        connector_.cancel();
        close();
    }

private:
    Strand strand_;
    std::chrono::milliseconds limit_;
    pulsar::origin where_{};
    std::shared_ptr<stream_type> stream_{};
    connector<Strand, Traits> connector_;
    watchdog<timer_type> watchdog_; ///< of what follows on it
};

} // namespace io
} // namespace v1
} // namespace sluice
